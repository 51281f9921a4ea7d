/*
 * See rfl_keeper.h.
 *
 * The thread shares with its process only what the mutex guards: it opens its
 * own runtime, from a copy of the configuration.  All it uses is on the heap,
 * so that a process which does not wait for it any longer may free the rest.
 * A fault is told once, and again when a minute has passed and it is still
 * there.
 *
 * Intervals are measured by the monotonic clock: setting the wall clock back
 * must not stop the flushing.
 */

#include "rfl_keeper.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>


#define RFL_KEEPER_TICK_MS    1000
#define RFL_KEEPER_REMIND_MS  60000

/* Workers notice within a tick that the counter file has lost its name. */

#define RFL_KEEPER_ORPHAN_MS  (2 * RFL_KEEPER_TICK_MS + 500)


struct rfl_keeper_s {
    rfl_runtime_conf_t  conf;
    char               *strings;         /* of conf */
    pthread_t           thread;

    pthread_mutex_t     mutex;
    pthread_cond_t      wake;
    unsigned            stop:1;
    unsigned            has_message:1;
    rfl_error_t         message;

    /* the thread's own; times are rfl_keeper_clock_ms() */
    rfl_runtime_t       rt;
    rfl_ledger_t       *ledger;
    uint64_t            flushed_ms;      /* 0: never */
    uint64_t            full_ms;         /* 0: a full flush is due */
    uint64_t            orphan_ms;       /* since when there is one */
    uint64_t            told_ms;
    rfl_rc_t            told;
};


static rfl_keeper_t *rfl_keeper_create(const rfl_runtime_conf_t *conf);
static int rfl_keeper_copy_conf(rfl_keeper_t *k,
    const rfl_runtime_conf_t *conf);
static void rfl_keeper_free(rfl_keeper_t *k);
static rfl_rc_t rfl_keeper_run(rfl_keeper_t *k, void *(*main)(void *));
static void *rfl_keeper_main(void *data);
static void rfl_keeper_turn(rfl_keeper_t *k);
static rfl_rc_t rfl_keeper_open(rfl_keeper_t *k, rfl_error_t *err);
static rfl_rc_t rfl_keeper_flush(rfl_keeper_t *k, uint64_t now,
    rfl_error_t *err);
static rfl_rc_t rfl_keeper_flush_orphan(rfl_keeper_t *k, uint64_t now,
    rfl_error_t *err);
static void rfl_keeper_tell(rfl_keeper_t *k, const rfl_error_t *err,
    uint64_t now);
static int rfl_keeper_wait(rfl_keeper_t *k);
static void rfl_keeper_leave(rfl_keeper_t *k);
static void *rfl_keeper_last_flush(void *data);
static struct timespec rfl_keeper_timespec(uint64_t ms);
static uint64_t rfl_keeper_wall_ms(void);


rfl_rc_t
rfl_keeper_start(rfl_keeper_t **kp, const rfl_runtime_conf_t *conf,
    rfl_error_t *err)
{
    rfl_keeper_t  *k;

    *kp = NULL;

    k = rfl_keeper_create(conf);
    if (k == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "keeper of %s: out of memory",
                        conf->path);
    }

    if (rfl_keeper_run(k, rfl_keeper_main) != RFL_OK) {
        rfl_keeper_free(k);
        return rfl_fail(err, RFL_ERROR, "keeper of %s: no thread can be "
                        "started", conf->path);
    }

    *kp = k;

    return RFL_OK;
}


static rfl_keeper_t *
rfl_keeper_create(const rfl_runtime_conf_t *conf)
{
    rfl_keeper_t        *k;
    pthread_condattr_t   attr;

    k = calloc(1, sizeof(rfl_keeper_t));
    if (k == NULL) {
        return NULL;
    }

    if (!rfl_keeper_copy_conf(k, conf)) {
        free(k);
        return NULL;
    }

    (void) pthread_condattr_init(&attr);
    (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&k->wake, &attr);
    (void) pthread_condattr_destroy(&attr);
    (void) pthread_mutex_init(&k->mutex, NULL);

    return k;
}


static int
rfl_keeper_copy_conf(rfl_keeper_t *k, const rfl_runtime_conf_t *conf)
{
    char         *p;
    size_t        i, len;
    const char  **strings[4];

    k->conf = *conf;

    strings[0] = &k->conf.name;
    strings[1] = &k->conf.path;
    strings[2] = &k->conf.counters;
    strings[3] = &k->conf.counters_dir;

    for (i = 0, len = 0; i < 4; i++) {
        len += strlen(*strings[i]) + 1;
    }

    p = malloc(len);
    if (p == NULL) {
        return 0;
    }

    k->strings = p;

    for (i = 0; i < 4; i++) {
        len = strlen(*strings[i]) + 1;
        *strings[i] = memcpy(p, *strings[i], len);
        p += len;
    }

    return 1;
}


static void
rfl_keeper_free(rfl_keeper_t *k)
{
    (void) pthread_cond_destroy(&k->wake);
    (void) pthread_mutex_destroy(&k->mutex);

    free(k->strings);
    free(k);
}


/* The process's signals are its event loop's business. */

static rfl_rc_t
rfl_keeper_run(rfl_keeper_t *k, void *(*main)(void *))
{
    int       rc;
    sigset_t  all, old;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);

    rc = pthread_create(&k->thread, NULL, main, k);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    return rc == 0 ? RFL_OK : RFL_ERROR;
}


static void *
rfl_keeper_main(void *data)
{
    rfl_keeper_t  *k = data;

    /* keepers count nothing: the stripe does not matter */

    rfl_runtime_init(&k->rt, &k->conf, 0);
    k->rt.keeps = 1;

    do {
        rfl_keeper_turn(k);
    } while (!rfl_keeper_wait(k));

    rfl_keeper_leave(k);

    return NULL;
}


static void
rfl_keeper_turn(rfl_keeper_t *k)
{
    rfl_rc_t     rc;
    uint64_t     now;
    rfl_error_t  err;

    err.text[0] = '\0';
    now = rfl_keeper_clock_ms();

    rfl_runtime_tick(&k->rt, rfl_keeper_wall_ms() / 1000);

    rc = rfl_keeper_open(k, &err);

    if (rc == RFL_OK && k->rt.orphan != NULL) {
        rc = rfl_keeper_flush_orphan(k, now, &err);
    }

    if (rc == RFL_OK && k->rt.counters == NULL) {
        err = k->rt.counters_error;
        rc = err.rc;
    }

    if (rc == RFL_OK
        && (k->flushed_ms == 0 || now - k->flushed_ms >= k->conf.flush_ms))
    {
        rc = rfl_keeper_flush(k, now, &err);
    }

    /* what went well in the end may have left a text on its way */

    err.rc = rc;

    rfl_keeper_tell(k, &err, now);
}


static rfl_rc_t
rfl_keeper_open(rfl_keeper_t *k, rfl_error_t *err)
{
    rfl_rc_t         rc;
    rfl_runtime_t   *rt;
    rfl_counters_t  *counters;

    rt = &k->rt;

    if (rt->registry == NULL) {
        *err = rt->registry_error;
        return err->rc;
    }

    counters = rt->counters != NULL ? rt->counters : rt->orphan;

    if (counters == NULL) {
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

    return rfl_ledger_open(&k->ledger, k->conf.path, counters->header->uuid,
                           RFL_STORE_CREATE, k->conf.map_size, err);
}


static rfl_rc_t
rfl_keeper_flush(rfl_keeper_t *k, uint64_t now, rfl_error_t *err)
{
    int               full;
    rfl_rc_t          rc;
    rfl_flush_stat_t  stat;

    full = (k->full_ms == 0 || now - k->full_ms >= RFL_KEEPER_FULL_MS);

    rc = rfl_ledger_flush(k->ledger, k->rt.counters, k->rt.counters_path,
                          full, rfl_keeper_wall_ms(), &stat, err);

    k->flushed_ms = now;

    if (rc == RFL_OK && full) {
        k->full_ms = now;
    }

    return rc;
}


/*
 * The counter file was removed or replaced while it was in use.  Workers count
 * in it until they notice: what it has is stored at once, and once more when
 * nobody can be counting there.
 */

static rfl_rc_t
rfl_keeper_flush_orphan(rfl_keeper_t *k, uint64_t now, rfl_error_t *err)
{
    rfl_rc_t          rc;
    rfl_flush_stat_t  stat;

    if (k->orphan_ms == 0) {
        k->orphan_ms = now;

    } else if (now - k->orphan_ms < RFL_KEEPER_ORPHAN_MS) {
        return RFL_OK;
    }

    rc = rfl_ledger_flush(k->ledger, k->rt.orphan, k->rt.counters_path, 1,
                          rfl_keeper_wall_ms(), &stat, err);

    if (rc == RFL_OK && now - k->orphan_ms >= RFL_KEEPER_ORPHAN_MS) {
        rfl_runtime_drop_orphan(&k->rt);
        k->orphan_ms = 0;
    }

    return rc;
}


static void
rfl_keeper_tell(rfl_keeper_t *k, const rfl_error_t *err, uint64_t now)
{
    if (err->rc == k->told
        && (err->rc == RFL_OK || now - k->told_ms < RFL_KEEPER_REMIND_MS))
    {
        return;
    }

    k->told = err->rc;
    k->told_ms = now;

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
    unsigned         ms;
    struct timespec  until;

    ms = k->conf.flush_ms < RFL_KEEPER_TICK_MS ? k->conf.flush_ms
                                               : RFL_KEEPER_TICK_MS;
    until = rfl_keeper_timespec(rfl_keeper_clock_ms() + ms);

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

    if (k->ledger != NULL && rt->orphan != NULL) {
        (void) rfl_ledger_flush(k->ledger, rt->orphan, rt->counters_path, 1,
                                rfl_keeper_wall_ms(), &stat, NULL);
    }

    if (k->ledger != NULL && rt->counters != NULL
        && rfl_counters_last_out(rt->counters) == RFL_OK)
    {
        (void) rfl_ledger_flush(k->ledger, rt->counters, rt->counters_path, 1,
                                rfl_keeper_wall_ms(), &stat, NULL);
    }

    rfl_ledger_close(k->ledger);
    rfl_runtime_close(rt);
}


void
rfl_keeper_ask(rfl_keeper_t *k)
{
    (void) pthread_mutex_lock(&k->mutex);

    k->stop = 1;
    (void) pthread_cond_signal(&k->wake);

    (void) pthread_mutex_unlock(&k->mutex);
}


void
rfl_keeper_join(rfl_keeper_t *k, uint64_t deadline_ms)
{
    struct timespec  until;

    until = rfl_keeper_timespec(deadline_ms);

    if (pthread_clockjoin_np(k->thread, NULL, CLOCK_MONOTONIC, &until) == 0) {
        rfl_keeper_free(k);
    }
}


rfl_keeper_t *
rfl_keeper_last_out(rfl_runtime_t *rt)
{
    rfl_keeper_t  *k;

    if (rt->counters == NULL
        || rfl_counters_last_out(rt->counters) != RFL_OK)
    {
        rfl_runtime_close(rt);
        return NULL;
    }

    k = rfl_keeper_create(rt->conf);
    if (k == NULL) {
        rfl_runtime_close(rt);
        return NULL;
    }

    k->rt = *rt;
    k->rt.conf = &k->conf;
    k->rt.zone = &k->rt.pending;

    rfl_runtime_init(rt, rt->conf, rt->stripe);

    if (rfl_keeper_run(k, rfl_keeper_last_flush) != RFL_OK) {
        rfl_runtime_close(&k->rt);
        rfl_keeper_free(k);
        return NULL;
    }

    return k;
}


static void *
rfl_keeper_last_flush(void *data)
{
    rfl_keeper_t      *k = data;

    rfl_runtime_t     *rt;
    rfl_flush_stat_t   stat;

    rt = &k->rt;

    /* what this process has open for reading it cannot open for writing */

    rfl_ledger_close(rt->ledger);
    rt->ledger = NULL;

    if (rfl_ledger_open(&k->ledger, k->conf.path, rt->counters->header->uuid,
                        RFL_STORE_CREATE, k->conf.map_size, NULL)
        == RFL_OK)
    {
        (void) rfl_ledger_flush(k->ledger, rt->counters, rt->counters_path, 1,
                                rfl_keeper_wall_ms(), &stat, NULL);
        rfl_ledger_close(k->ledger);
    }

    rfl_runtime_close(rt);

    return NULL;
}


uint64_t
rfl_keeper_clock_ms(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}


static uint64_t
rfl_keeper_wall_ms(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_REALTIME, &now);

    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}


static struct timespec
rfl_keeper_timespec(uint64_t ms)
{
    struct timespec  ts;

    ts.tv_sec = (time_t) (ms / 1000);
    ts.tv_nsec = (long) (ms % 1000) * 1000000;

    return ts;
}
