/*
 * See rfl_thread.h.
 */

#include "rfl_thread.h"

#include <signal.h>
#include <time.h>


static struct timespec rfl_thread_time(uint64_t ms);


rfl_rc_t
rfl_thread_start(pthread_t *thread, rfl_thread_pt main, void *data)
{
    int       rc;
    sigset_t  all, old;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);

    rc = pthread_create(thread, NULL, main, data);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    return rc == 0 ? RFL_OK : RFL_ERROR;
}


int
rfl_thread_join(pthread_t thread, uint64_t deadline_ms)
{
    struct timespec  until;

    until = rfl_thread_time(deadline_ms);

    return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0;
}


void
rfl_thread_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t  attr;

    (void) pthread_condattr_init(&attr);
    (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void) pthread_cond_init(cond, &attr);
    (void) pthread_condattr_destroy(&attr);
}


void
rfl_thread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex,
    uint64_t until_ms)
{
    struct timespec  until;

    until = rfl_thread_time(until_ms);

    (void) pthread_cond_timedwait(cond, mutex, &until);
}


uint64_t
rfl_clock_ms(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}


static struct timespec
rfl_thread_time(uint64_t ms)
{
    struct timespec  ts;

    ts.tv_sec = (time_t) (ms / 1000);
    ts.tv_nsec = (long) (ms % 1000) * 1000000;

    return ts;
}


void
rfl_notices_init(rfl_notices_t *notices)
{
    memset(notices, 0, sizeof(rfl_notices_t));

    (void) pthread_mutex_init(&notices->mutex, NULL);
}


void
rfl_notices_destroy(rfl_notices_t *notices)
{
    (void) pthread_mutex_destroy(&notices->mutex);
}


void
rfl_notices_tell(rfl_notices_t *notices, const rfl_error_t *state,
    uint64_t now_ms)
{
    if (state->rc == RFL_OK) {

        if (notices->told == RFL_OK) {
            return;
        }

    } else {

        if (state->rc == notices->fault
            && now_ms - notices->fault_ms < RFL_NOTICE_REMIND_MS)
        {
            return;
        }

        notices->fault = state->rc;
        notices->fault_ms = now_ms;
    }

    notices->told = state->rc;

    rfl_notices_add(notices, state);
}


void
rfl_notices_add(rfl_notices_t *notices, const rfl_error_t *message)
{
    (void) pthread_mutex_lock(&notices->mutex);

    if (notices->n == RFL_NOTICES) {
        notices->n--;
    }

    notices->messages[notices->n++] = *message;

    (void) pthread_mutex_unlock(&notices->mutex);
}


int
rfl_notices_take(rfl_notices_t *notices, rfl_error_t *message)
{
    int  has;

    (void) pthread_mutex_lock(&notices->mutex);

    has = (notices->n != 0);

    if (has) {
        *message = notices->messages[0];
        notices->n--;
        memmove(notices->messages, notices->messages + 1,
                notices->n * sizeof(rfl_error_t));
    }

    (void) pthread_mutex_unlock(&notices->mutex);

    return has;
}
