/*
 * The keeper's survey: goes through all ids, in bounded steps, judges each
 * link by its days (rfl_state.h) and stores what it found (rfl_states.h).
 *
 * Once a day, and after a start on a day without one, all links are judged by
 * all of their days: 64 at a time, since one value of history has the counts
 * of 64 ids.  So a state depends on what the ledger has, and not on when
 * somebody looked.  Between these, when a flush or a registration changed
 * something, links are only looked at: judged are those without a verdict and
 * those whose state a click of today may change.
 *
 * A turn looks at no more than RFL_SURVEY_WORK ids and values of history (and
 * a block's), in one write transaction of the ledger, which is committed if
 * there is something to store.  After a survey that took long it rests 20
 * times as long.  Memory: 256 bytes and a number for each day of traffic.
 *
 * A day that is before that of the last survey is a clock that was set back:
 * for an hour nothing is judged, then it is believed.
 */

#ifndef RFL_SURVEY_H
#define RFL_SURVEY_H

#include "rfl_registry.h"
#include "rfl_states.h"


/* 10 ms of the keeper's thread, once a second. */

#define RFL_SURVEY_WORK     20000

/* Days of traffic that are looked at, the last ones: a hundred years. */

#define RFL_SURVEY_DAYS     36525

#define RFL_SURVEY_REST     20           /* times as long as it took */
#define RFL_SURVEY_BACK_MS  3600000


typedef struct rfl_survey_s  rfl_survey_t;

rfl_survey_t *rfl_survey_create(void);           /* NULL: no memory */
void rfl_survey_free(rfl_survey_t *s);           /* NULL is allowed */

/* It goes on with another registry or ledger: begin anew. */

void rfl_survey_reset(rfl_survey_t *s);


/*
 * One turn, in the keeper's thread; transactions of its own.  ledger is open
 * for writing.  now: seconds; clock_ms: monotonic.  RFL_OK: there is nothing
 * to do now, RFL_BUSY: it goes on at the next turn; else it failed, and tries
 * again from the beginning.
 */

typedef struct {
    rfl_registry_t  *registry;
    rfl_ledger_t    *ledger;
    uint64_t         now;
    uint64_t         clock_ms;
} rfl_survey_turn_t;

rfl_rc_t rfl_survey_turn(rfl_survey_t *s, const rfl_survey_turn_t *turn,
    rfl_error_t *err);


#endif /* RFL_SURVEY_H */
