/*
 * A thread beside the keeper's that reads the event rings into the table of
 * sources.  A ring is 100 ms of a busy worker, and a flush may wait for the
 * disk or for another writer as long as it likes: so they are two.
 *
 *     rings --> thread --> table          under a mutex, some records a time
 *                            | batch      copied under it, in a millisecond
 *     keeper's flush <-------'            one transaction: rows, and places
 *
 * One process reads for a registry, of all that share PATH: who holds flock()
 * on that directory.  The others wait for it, so the old keeper of a binary
 * upgrade, or one that dies, is followed at once by the new one, which goes on
 * from the ledger.  Nothing is read twice.  What is lost is what the rings do
 * not hold any more: it is counted as missed.
 *
 * Two nginxes that share PATH have counter files of their own: the one that
 * holds the lock reads the rings of all files the ledger says are in use, eight
 * at most.
 */

#ifndef RFL_GATHER_H
#define RFL_GATHER_H

#include "rfl_ledger_sources.h"
#include "rfl_runtime.h"


/* Between two looks at the rings: the longer, the less there was to read. */

#define RFL_GATHER_WAIT_MIN_MS  5
#define RFL_GATHER_WAIT_MAX_MS  80

/* How often the ledger is asked for files of other nginxes, in seconds. */

#define RFL_GATHER_OTHERS       5

/* And whether the one that has the lock reads: so much and two flushes. */

#define RFL_GATHER_WATCH        60


typedef struct rfl_gather_s  rfl_gather_t;


/*
 * Starts the thread with all signals blocked.  conf is read while it lives.
 * NULL: no memory, or no thread.
 */

rfl_gather_t *rfl_gather_start(const rfl_runtime_conf_t *conf);

/* Ends the thread, which reads all there is once more.  What it had stays. */

void rfl_gather_stop(rfl_gather_t *g);
void rfl_gather_free(rfl_gather_t *g);           /* NULL is allowed */


/* Whether this process reads, trying to get the lock.  Cheap. */

int rfl_gather_owns(rfl_gather_t *g);

/*
 * By the keeper, each turn: which files are counted in.  ledger: open for
 * writing, with no transaction begun, or NULL; the table is loaded from it
 * before anything is read.  Errors: RFL_BAD_VERSION, nothing is read then, and
 * nothing written; RFL_BUSY, who has the lock has read nothing of what has been
 * there for a minute; else RFL_OK.
 */

rfl_rc_t rfl_gather_attend(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger, rfl_error_t *err);

/* The ledger was opened anew: it may be another one, or an older one. */

void rfl_gather_renew(rfl_gather_t *g);

/*
 * What has changed since the batch before, NULL: nothing, or there is nothing
 * to be written yet.  To be given back with what became of it.
 */

rfl_ledger_batch_t *rfl_gather_take(rfl_gather_t *g);
void rfl_gather_give_back(rfl_gather_t *g, rfl_rc_t rc);

/*
 * Behind stop, when all that was taken is stored or stored by this write
 * transaction: what the table knows of those it forgot, for the next process.
 * has: there is such.
 */

int rfl_gather_has_filter(rfl_gather_t *g, rfl_ledger_t *ledger);
rfl_rc_t rfl_gather_put_filter(rfl_gather_t *g, rfl_ledger_t *ledger,
    rfl_error_t *err);


#endif /* RFL_GATHER_H */
