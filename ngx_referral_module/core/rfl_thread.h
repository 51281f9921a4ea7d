/*
 * Threads beside an event loop: the keeper, the writer, the file that is
 * followed.  The process's signals are its event loop's business: a thread has
 * all of them blocked.  What a thread uses is on the heap, so that a process
 * which does not wait for it any longer may go on without it.
 *
 * And what such a thread has to say to the log, which is its process's.
 */

#ifndef RFL_THREAD_H
#define RFL_THREAD_H

#include "rfl_base.h"

#include <pthread.h>


typedef void *(*rfl_thread_pt)(void *data);

rfl_rc_t rfl_thread_start(pthread_t *thread, rfl_thread_pt main, void *data);

/* Waits until deadline_ms of rfl_clock_ms().  1: it has ended. */

int rfl_thread_join(pthread_t thread, uint64_t deadline_ms);


/* A condition whose timed waits go by the monotonic clock. */

void rfl_thread_cond_init(pthread_cond_t *cond);
void rfl_thread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex,
    uint64_t until_ms);

uint64_t rfl_clock_ms(void);             /* monotonic */


/*
 * A fault is told once, and again when a minute has passed and it is still
 * there, also one that comes and goes; that it is over, once.
 */

#define RFL_NOTICES           4
#define RFL_NOTICE_REMIND_MS  60000

typedef struct {
    pthread_mutex_t  mutex;
    unsigned         n;
    rfl_error_t      messages[RFL_NOTICES];

    /* of the thread that tells */
    rfl_rc_t         told;
    rfl_rc_t         fault;              /* told last, and when */
    uint64_t         fault_ms;
} rfl_notices_t;

void rfl_notices_init(rfl_notices_t *notices);
void rfl_notices_destroy(rfl_notices_t *notices);

/* state->rc RFL_OK: nothing is wrong.  add: without asking whether it is news;
 * with nobody listening the last one is the one to know. */

void rfl_notices_tell(rfl_notices_t *notices, const rfl_error_t *state,
    uint64_t now_ms);
void rfl_notices_add(rfl_notices_t *notices, const rfl_error_t *message);

/* From any thread: the oldest one, if there is one.  1 or 0. */

int rfl_notices_take(rfl_notices_t *notices, rfl_error_t *message);


#endif /* RFL_THREAD_H */
