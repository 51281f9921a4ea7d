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


/* Starts the thread with all signals blocked; conf outlives it.  RFL_ERROR. */

rfl_rc_t rfl_keeper_start(rfl_keeper_t **kp, const rfl_runtime_conf_t *conf,
    rfl_error_t *err);

/*
 * Takes the message the thread has for the log, if there is a new one:
 * a fault (rc != RFL_OK), or that it is over (rc == RFL_OK).  Returns 1 or 0.
 */

int rfl_keeper_message(rfl_keeper_t *k, rfl_error_t *message);

/*
 * Ends the thread: it flushes if this was the last process out.  Waits
 * RFL_KEEPER_EXIT_MS at most; a thread that has not ended then is left to the
 * process's end, which LMDB survives.
 */

void rfl_keeper_stop(rfl_keeper_t *k);


/*
 * The leaving of a process that counted: if it was the last one, the flush
 * is done in a thread, for RFL_KEEPER_EXIT_MS at most.  Closes rt.
 */

void rfl_keeper_last_out(rfl_runtime_t *rt);


#endif /* RFL_KEEPER_H */
