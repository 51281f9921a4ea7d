/*
 * What a client of /events is sent (Server-Sent Events, HTML Standard, 9.2):
 * from the records of the event rings to text, in bounded steps.
 *
 *     event: match      a matched or ambiguous request, when it was logged
 *     event: state      a link's state has changed, as the keeper found it
 *     event: summary    each second: the registry's sums; also the heartbeat
 *     event: missed     so many records have passed by since it was told last
 *
 * A step looks at no more than RFL_FEED_STEP_RECORDS records, renders no more
 * than RFL_FEED_STEP_BYTES (and a record), and holds read transactions only
 * while it runs.  A feed that is not stepped falls behind in the rings, which
 * go on without it: memory is for one step, however slow its client is.
 *
 * Changes of states are read from the ledger (rfl_states.h) once a second: no
 * more is shared with the keeper.
 *
 * The records of requests that matched nothing are passed over; among those it
 * missed they are counted, for nobody knows what they were.
 */

#ifndef RFL_FEED_H
#define RFL_FEED_H

#include "rfl_view.h"


#define RFL_FEED_STEP_RECORDS  128
#define RFL_FEED_STEP_BYTES    16384
#define RFL_FEED_SUMMARY_MS    1000

/* What a browser is told to wait before it connects again. */

#define RFL_FEED_RETRY_MS      1000


typedef struct rfl_feed_s  rfl_feed_t;


/* Whether the request is for /events: then a feed answers, not a view. */

int rfl_feed_is_asked(const rfl_view_request_t *request);

/*
 * As rfl_view_open(): RFL_OK, or what to answer instead in *error.  The feed
 * begins with what is logged from now on, and reads the runtime until it is
 * closed.  now: seconds.  now_ms, here and below: any steady clock.
 */

rfl_rc_t rfl_feed_open(rfl_feed_t **fp, const rfl_view_request_t *request,
    uint64_t now, uint64_t now_ms, rfl_view_error_t *error);

void rfl_feed_close(rfl_feed_t *feed);           /* NULL is allowed */

/*
 * Appends to b what there is to tell, which may be nothing.  RFL_OK: that is
 * all now; RFL_BUSY: there is more; RFL_NO_MEMORY.
 */

rfl_rc_t rfl_feed_step(rfl_feed_t *feed, uint64_t now, uint64_t now_ms,
    rfl_buf_t *b);


#endif /* RFL_FEED_H */
