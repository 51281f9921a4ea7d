/*
 * See rfl_keeper.h.
 *
 * The thread shares nothing with its process but the three words below the
 * mutex: it opens its own runtime.  A fault is told once, and again when a
 * minute has passed and it is still there.
 */

#include "rfl_keeper.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>


#define RFL_KEEPER_TICK_MS    1000
#define RFL_KEEPER_REMIND_MS  60000


struct rfl_keeper_s {
    const rfl_runtime_conf_t  *conf;
    pthread_t                  thread;

    pthread_mutex_t            mutex;
    pthread_cond_t             wake;
    unsigned                   stop:1;
    unsigned                   has_message:1;
    rfl_error_t                message;

    /* the thread's own */
    rfl_runtime_t              rt;
    rfl_ledger_t              *ledger;
    uint64_t                   flushed_ms;
    uint64_t                   full_ms;
    uint64_t                   told_ms;
    rfl_rc_t                   told;
};


static rfl_rc_t rfl_keeper_thread(pthread_t *thread, void *(*main)(void *),
    void *data);
static void *rfl_keeper_main(void *data);
static void rfl_keeper_turn(rfl_keeper_t *k, uint64_t now_ms);
static rfl_rc_t rfl_keeper_open(rfl_keeper_t *k, rfl_error_t *err);
static rfl_rc_t rfl_keeper_flush(rfl_keeper_t *k, uint64_t now_ms,
    rfl_error_t *err);
static void rfl_keeper_tell(rfl_keeper_t *k, const rfl_error_t *err,
    uint64_t now_ms);
static int rfl_keeper_wait(rfl_keeper_t *k);
static void rfl_keeper_leave(rfl_keeper_t *k);
static int rfl_keeper_join(pthread_t thread, unsigned timeout_ms);
static void *rfl_keeper_last_flush(void *data);
static struct timespec rfl_keeper_deadline(unsigned ms);
static uint64_t rfl_keeper_now_ms(void);


rfl_rc_t
rfl_keeper_start(rfl_keeper_t **kp, const rfl_runtime_conf_t *conf,
    rfl_error_t *err)
{
    rfl_rc_t       rc;
    rfl_keeper_t  *k;

    *kp = NULL;

    k = calloc(1, sizeof(rfl_keeper_t));
    if (k == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "keeper of %s: out of memory",
                        conf->path);
    }

    k->conf = conf;
    (void) pthread_mutex_init(&k->mutex, NULL);
    (void) pthread_cond_init(&k->wake, NULL);

    rc = rfl_keeper_thread(&k->thread, rfl_keeper_main, k);
    if (rc != RFL_OK) {
        free(k);
        return rfl_fail(err, rc, "keeper of %s: no thread can be started",
                        conf->path);
    }

    *kp = k;

    return RFL_OK;
}


/* The process's signals are its event loop's business. */

static rfl_rc_t
rfl_keeper_thread(pthread_t *thread, void *(*main)(void *), void *data)
{
    int       rc;
    sigset_t  all, old;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);

    rc = pthread_create(thread, NULL, main, data);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    return rc == 0 ? RFL_OK : RFL_ERROR;
}


static void *
rfl_keeper_main(void *data)
{
    rfl_keeper_t  *k = data;

    /* keepers count nothing: the stripe does not matter */

    rfl_runtime_init(&k->rt, k->conf, 0);
    k->rt.keeps = 1;

    do {
        rfl_keeper_turn(k, rfl_keeper_now_ms());
    } while (!rfl_keeper_wait(k));

    rfl_keeper_leave(k);

    return NULL;
}


static void
rfl_keeper_turn(rfl_keeper_t *k, uint64_t now_ms)
{
    rfl_rc_t     rc;
    rfl_error_t  err;

    err.text[0] = '\0';

    rfl_runtime_tick(&k->rt, now_ms / 1000);

    rc = rfl_keeper_open(k, &err);

    if (rc == RFL_OK
        && (now_ms - k->flushed_ms >= k->conf->flush_ms
            || now_ms < k->flushed_ms))
    {
        rc = rfl_keeper_flush(k, now_ms, &err);
    }

    /* what went well in the end may have left a text on its way */

    err.rc = rc;

    rfl_keeper_tell(k, &err, now_ms);
}


static rfl_rc_t
rfl_keeper_open(rfl_keeper_t *k, rfl_error_t *err)
{
    rfl_rc_t        rc;
    rfl_runtime_t  *rt;

    rt = &k->rt;

    if (rt->registry == NULL) {
        *err = rt->registry_error;
        return err->rc;
    }

    if (rt->counters == NULL) {
        *err = rt->counters_error;
        return err->rc;
    }

    if (k->ledger != NULL) {

        rc = rfl_store_check_path(rfl_ledger_store(k->ledger));
        if (rc == RFL_OK) {
            return RFL_OK;
        }

        rfl_ledger_close(k->ledger);
        k->ledger = NULL;
    }

    /* a new ledger, or one that was restored: all cells are due */

    k->full_ms = 0;

    return rfl_ledger_open(&k->ledger, k->conf->path,
                           rt->counters->header->uuid, RFL_STORE_CREATE,
                           k->conf->map_size, err);
}


static rfl_rc_t
rfl_keeper_flush(rfl_keeper_t *k, uint64_t now_ms, rfl_error_t *err)
{
    int               full;
    rfl_rc_t          rc;
    rfl_flush_stat_t  stat;

    full = (k->full_ms == 0 || now_ms - k->full_ms >= RFL_KEEPER_FULL_MS);

    rc = rfl_ledger_flush(k->ledger, k->rt.counters, k->rt.counters_path,
                          full, now_ms, &stat, err);

    k->flushed_ms = now_ms;

    if (rc == RFL_OK && full) {
        k->full_ms = now_ms;
    }

    return rc;
}


static void
rfl_keeper_tell(rfl_keeper_t *k, const rfl_error_t *err, uint64_t now_ms)
{
    if (err->rc == k->told
        && (err->rc == RFL_OK
            || now_ms - k->told_ms < RFL_KEEPER_REMIND_MS))
    {
        return;
    }

    k->told = err->rc;
    k->told_ms = now_ms;

    (void) pthread_mutex_lock(&k->mutex);

    k->message = *err;
    k->has_message = 1;

    (void) pthread_mutex_unlock(&k->mutex);
}


int
rfl_keeper_message(rfl_keeper_t *k, rfl_error_t *message)
{
    int  has;

    (void) pthread_mutex_lock(&k->mutex);

    has = k->has_message;

    if (has) {
        *message = k->message;
        k->has_message = 0;
    }

    (void) pthread_mutex_unlock(&k->mutex);

    return has;
}


/* Sleeps until the next turn.  Returns 1 when it is time to leave. */

static int
rfl_keeper_wait(rfl_keeper_t *k)
{
    int              stop;
    struct timespec  until;

    until = rfl_keeper_deadline(k->conf->flush_ms < RFL_KEEPER_TICK_MS
                                ? k->conf->flush_ms : RFL_KEEPER_TICK_MS);

    (void) pthread_mutex_lock(&k->mutex);

    if (!k->stop) {
        (void) pthread_cond_timedwait(&k->wake, &k->mutex, &until);
    }

    stop = k->stop;

    (void) pthread_mutex_unlock(&k->mutex);

    return stop;
}


static void
rfl_keeper_leave(rfl_keeper_t *k)
{
    rfl_runtime_t     *rt;
    rfl_flush_stat_t   stat;

    rt = &k->rt;

    if (k->ledger != NULL && rt->counters != NULL
        && rfl_counters_last_out(rt->counters) == RFL_OK)
    {
        (void) rfl_ledger_flush(k->ledger, rt->counters, rt->counters_path, 1,
                                rfl_keeper_now_ms(), &stat, NULL);
    }

    rfl_ledger_close(k->ledger);
    rfl_runtime_close(rt);
}


void
rfl_keeper_stop(rfl_keeper_t *k)
{
    (void) pthread_mutex_lock(&k->mutex);

    k->stop = 1;
    (void) pthread_cond_signal(&k->wake);

    (void) pthread_mutex_unlock(&k->mutex);

    if (rfl_keeper_join(k->thread, RFL_KEEPER_EXIT_MS)) {
        (void) pthread_cond_destroy(&k->wake);
        (void) pthread_mutex_destroy(&k->mutex);
        free(k);
    }
}


static int
rfl_keeper_join(pthread_t thread, unsigned timeout_ms)
{
    struct timespec  until;

    until = rfl_keeper_deadline(timeout_ms);

    return pthread_timedjoin_np(thread, NULL, &until) == 0;
}


void
rfl_keeper_last_out(rfl_runtime_t *rt)
{
    pthread_t  thread;

    if (rt->counters == NULL || rfl_counters_last_out(rt->counters) != RFL_OK) {
        rfl_runtime_close(rt);
        return;
    }

    if (rfl_keeper_thread(&thread, rfl_keeper_last_flush, rt) != RFL_OK) {
        return;
    }

    (void) rfl_keeper_join(thread, RFL_KEEPER_EXIT_MS);
}


/* A thread of the last worker; only it uses rt from here on. */

static void *
rfl_keeper_last_flush(void *data)
{
    rfl_runtime_t     *rt = data;

    rfl_ledger_t      *ledger;
    rfl_flush_stat_t   stat;

    /* one process opens a directory once, for reading or for writing */

    rfl_ledger_close(rt->ledger);
    rt->ledger = NULL;

    if (rfl_ledger_open(&ledger, rt->conf->path, rt->counters->header->uuid,
                        RFL_STORE_CREATE, rt->conf->map_size, NULL)
        == RFL_OK)
    {
        (void) rfl_ledger_flush(ledger, rt->counters, rt->counters_path, 1,
                                rfl_keeper_now_ms(), &stat, NULL);
        rfl_ledger_close(ledger);
    }

    rfl_runtime_close(rt);

    return NULL;
}


static struct timespec
rfl_keeper_deadline(unsigned ms)
{
    struct timespec  until;

    (void) clock_gettime(CLOCK_REALTIME, &until);

    until.tv_sec += ms / 1000;
    until.tv_nsec += (long) (ms % 1000) * 1000000;

    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }

    return until;
}


static uint64_t
rfl_keeper_now_ms(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_REALTIME, &now);

    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}
