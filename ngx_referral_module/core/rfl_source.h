/*
 * The file a registry follows (source=): a thread beside the keeper's that
 * looks at it each second, and makes the links those of the file when it looks
 * different, or when the registry is another one (a restored backup).
 *
 * It is a thread of its own since a sync may wait for another writer of the
 * registry, and takes seconds for a million links: flushes go on meanwhile.
 *
 * A file is taken when it is quiet: nobody wrote into it for a second, by its
 * time of modification or because it looks as it did a second ago.  So whoever
 * writes it in place is not met half-way.  A file that is not valid leaves the
 * registry as it was, and is not read again before it looks different.
 */

#ifndef RFL_SOURCE_H
#define RFL_SOURCE_H

#include "rfl_runtime.h"
#include "rfl_thread.h"


#define RFL_SOURCE_LOOK_MS   1000

/* When a sync is tried again that failed for no fault of the file's, and one
 * for which there was no room. */

#define RFL_SOURCE_RETRY_MS  5000
#define RFL_SOURCE_FULL_MS   60000


typedef struct rfl_source_s  rfl_source_t;


/*
 * Starts the thread; conf is copied, what is wrong goes to conf->source_state.
 * It does nothing until it is led: opened is another number for each registry
 * that took the place of the one before, counters as in rfl_issue_open().
 */

rfl_rc_t rfl_source_create(rfl_source_t **sp, const rfl_runtime_conf_t *conf,
    rfl_error_t *err);
void rfl_source_lead(rfl_source_t *s, unsigned opened, const char *counters);

/* For the log, as rfl_notices_take(). */

int rfl_source_message(rfl_source_t *s, rfl_error_t *message);

/*
 * As rfl_keeper_ask() and _join(): a sync is given up at the next row.  join: 1
 * if the thread has ended; only then it may be freed.  free: NULL is allowed.
 */

void rfl_source_ask(rfl_source_t *s);
int rfl_source_join(rfl_source_t *s, uint64_t deadline_ms);
void rfl_source_free(rfl_source_t *s);


#endif /* RFL_SOURCE_H */
