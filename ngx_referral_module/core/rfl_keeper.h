/*
 * The keeper: a thread that owns all writing to the ledger.  It makes the
 * environments, and every flush interval stores the cells as absolute
 * values.  fsync may take as long as it likes: no event loop waits for it.
 *
 * A second thread reads the event rings meanwhile, for the table of sources
 * (rfl_gather.h), which is stored with the cells.
 *
 * It goes on without the registry.  Where PATH/registry is missing and
 * PATH/ledger is not, it makes no new one: that would have another uuid, and
 * the totals would be of no use to it.
 */

#ifndef RFL_KEEPER_H
#define RFL_KEEPER_H

#include "rfl_runtime.h"
#include "rfl_thread.h"


typedef struct rfl_keeper_s  rfl_keeper_t;


/* How long a leaving process waits for its last flush: nginx kills a process
 * that has not left after about 3 seconds. */

#define RFL_KEEPER_EXIT_MS   1500

/* All cells are looked at, not only dirty ones, so often: a bit is lost when
 * a flusher dies between clearing it and its commit. */

#define RFL_KEEPER_FULL_MS   600000


/* Starts the thread, and where conf names a source the one that follows it,
 * with all signals blocked; conf is copied.  RFL_ERROR or RFL_NO_MEMORY. */

rfl_rc_t rfl_keeper_start(rfl_keeper_t **kp, const rfl_runtime_conf_t *conf,
    rfl_error_t *err);

/*
 * Takes the message there is for the log, if there is a new one: a fault (rc
 * != RFL_OK), or that it is over (rc == RFL_OK).  Returns 1 or 0.
 * source_message: likewise of the file that is followed.
 */

int rfl_keeper_message(rfl_keeper_t *k, rfl_error_t *message);
int rfl_keeper_source_message(rfl_keeper_t *k, rfl_error_t *message);

/*
 * Ending takes two calls, so that several keepers flush at the same time and
 * share one deadline: ask() tells the thread to end, which flushes if this
 * was the last process out; join() waits until deadline_ms of
 * rfl_clock_ms().  A thread that has not ended then is left to the
 * process's end, which LMDB survives; all it uses is on the heap.
 */

void rfl_keeper_ask(rfl_keeper_t *k);
void rfl_keeper_join(rfl_keeper_t *k, uint64_t deadline_ms);


/*
 * Whether the wall clock may say what is old enough to be removed: history
 * that is pruned too early does not come back.  It may not for an hour after
 * a start at which the last flush is more than a day ago, or a minute ahead;
 * nor after it has jumped by more than a minute against the monotonic clock.
 */

#define RFL_KEEPER_BEHIND_MS    (24 * 3600 * 1000)
#define RFL_KEEPER_AHEAD_MS     60000
#define RFL_KEEPER_JUMP_MS      60000
#define RFL_KEEPER_DISTRUST_MS  3600000

typedef struct {
    uint64_t  wall_ms;           /* both clocks, when last looked at */
    uint64_t  clock_ms;
    uint64_t  until_ms;          /* of the monotonic one: no trust before */
} rfl_keeper_trust_t;

/* flushed_ms: by the wall clock, 0: never. */

void rfl_keeper_trust_start(rfl_keeper_trust_t *t, uint64_t flushed_ms,
    uint64_t wall_ms, uint64_t clock_ms);
int rfl_keeper_trusts(rfl_keeper_trust_t *t, uint64_t wall_ms,
    uint64_t clock_ms);


/*
 * The leaving of a process that counted: closes rt, and flushes, in a thread
 * which is returned to be joined, each counter file of which it was the last
 * one out.  NULL: there is nothing to wait for.
 */

rfl_keeper_t *rfl_keeper_last_out(rfl_runtime_t *rt);


#endif /* RFL_KEEPER_H */
