/*
 * The keeper: a thread that owns all writing to the ledger.  It makes the
 * environments, and every flush interval stores the cells as absolute
 * values.  fsync may take as long as it likes: no event loop waits for it.
 */

#ifndef RFL_KEEPER_H
#define RFL_KEEPER_H

#include "rfl_runtime.h"


typedef struct rfl_keeper_s  rfl_keeper_t;


/* How long a leaving process waits for its last flush: nginx kills a process
 * that has not left after about 3 seconds. */

#define RFL_KEEPER_EXIT_MS   1500

/* All cells are looked at, not only dirty ones, so often: a bit is lost when
 * a flusher dies between clearing it and its commit. */

#define RFL_KEEPER_FULL_MS   600000


/* Starts the thread with all signals blocked; conf is copied.  RFL_ERROR or
 * RFL_NO_MEMORY. */

rfl_rc_t rfl_keeper_start(rfl_keeper_t **kp, const rfl_runtime_conf_t *conf,
    rfl_error_t *err);

/*
 * Takes the message the thread has for the log, if there is a new one:
 * a fault (rc != RFL_OK), or that it is over (rc == RFL_OK).  Returns 1 or 0.
 */

int rfl_keeper_message(rfl_keeper_t *k, rfl_error_t *message);

/*
 * Ending takes two calls, so that several keepers flush at the same time and
 * share one deadline: ask() tells the thread to end, which flushes if this
 * was the last process out; join() waits until deadline_ms of
 * rfl_keeper_clock_ms().  A thread that has not ended then is left to the
 * process's end, which LMDB survives; all it uses is on the heap.
 */

void rfl_keeper_ask(rfl_keeper_t *k);
void rfl_keeper_join(rfl_keeper_t *k, uint64_t deadline_ms);

uint64_t rfl_keeper_clock_ms(void);      /* monotonic */


/*
 * The leaving of a process that counted: closes rt, and if it was the last
 * one out, flushes in a thread, which is returned to be joined.  NULL: there
 * is nothing to wait for.
 */

rfl_keeper_t *rfl_keeper_last_out(rfl_runtime_t *rt);


#endif /* RFL_KEEPER_H */
