/*
 * See rfl_source.h.  The registry is opened for one sync and closed after it:
 * what is held open would keep this process from opening a restored backup.
 */

#include "rfl_source.h"

#include <stdlib.h>
#include <time.h>

#include "rfl_sync.h"


struct rfl_source_s {
    rfl_runtime_conf_t  conf;            /* path, source and numbers alone */
    char               *path;
    char               *source;
    pthread_t           thread;
    rfl_notices_t       notices;

    pthread_mutex_t     mutex;
    pthread_cond_t      wake;
    unsigned            stop;            /* also atomic, for rfl_sync.c */
    unsigned            opened;          /* 0: it was not led yet */
    char               *counters;        /* on the C heap, or NULL */
    unsigned            unnamed;         /* there is one, but no memory for its
                                            name */

    /* the thread's own */
    rfl_file_look_t     seen;            /* at the last look, if there was */
    rfl_file_look_t     taken;           /* the file of the last sync */
    unsigned            has_seen:1;
    unsigned            has_taken:1;
    unsigned            has_told:1;
    unsigned            taken_opened;    /* the registry it was for */
    rfl_error_t         result;          /* of that */
    uint64_t            retry_ms;        /* 0: when it looks different */
    rfl_error_t         told;            /* what health says */
};


static void rfl_source_init(rfl_source_t *s, const rfl_runtime_conf_t *conf);
static void *rfl_source_main(void *data);
static int rfl_source_wait(rfl_source_t *s);
static void rfl_source_turn(rfl_source_t *s);
static int rfl_source_is_due(const rfl_source_t *s,
    const rfl_file_look_t *look, unsigned opened);
static int rfl_source_is_quiet(const rfl_source_t *s,
    const rfl_file_look_t *look);
static int rfl_source_is_old(struct timespec time);
static rfl_rc_t rfl_source_take(rfl_source_t *s, const rfl_file_look_t *look,
    unsigned opened);
static rfl_rc_t rfl_source_sync(rfl_source_t *s, rfl_sync_t *sync,
    rfl_error_t *err);
static rfl_rc_t rfl_source_counters(rfl_source_t *s, char **counters,
    rfl_error_t *err);
static uint64_t rfl_source_retry(rfl_rc_t rc);
static void rfl_source_tell(rfl_source_t *s, const rfl_error_t *state);


rfl_rc_t
rfl_source_create(rfl_source_t **sp, const rfl_runtime_conf_t *conf,
    rfl_error_t *err)
{
    rfl_source_t  *s;

    *sp = NULL;

    s = calloc(1, sizeof(rfl_source_t));

    if (s != NULL) {
        rfl_source_init(s, conf);
    }

    if (s == NULL || s->path == NULL || s->source == NULL) {
        rfl_source_free(s);
        return rfl_fail(err, RFL_NO_MEMORY, "%s is not followed: out of "
                        "memory", conf->source);
    }

    if (rfl_thread_start(&s->thread, rfl_source_main, s) != RFL_OK) {
        rfl_source_free(s);
        return rfl_fail(err, RFL_ERROR, "%s is not followed: no thread can be "
                        "started", conf->source);
    }

    *sp = s;

    return RFL_OK;
}


static void
rfl_source_init(rfl_source_t *s, const rfl_runtime_conf_t *conf)
{
    s->conf = *conf;
    s->path = strdup(conf->path);
    s->source = strdup(conf->source);
    s->conf.path = s->path;
    s->conf.source = s->source;

    rfl_thread_cond_init(&s->wake);
    (void) pthread_mutex_init(&s->mutex, NULL);
    rfl_notices_init(&s->notices);
}


void
rfl_source_free(rfl_source_t *s)
{
    if (s == NULL) {
        return;
    }

    (void) pthread_cond_destroy(&s->wake);
    (void) pthread_mutex_destroy(&s->mutex);
    rfl_notices_destroy(&s->notices);

    free(s->counters);
    free(s->source);
    free(s->path);
    free(s);
}


void
rfl_source_lead(rfl_source_t *s, unsigned opened, const char *counters)
{
    (void) pthread_mutex_lock(&s->mutex);

    if (s->opened == 0) {
        (void) pthread_cond_signal(&s->wake);
    }

    s->opened = opened;

    if (counters == NULL || s->counters == NULL
        || strcmp(counters, s->counters) != 0)
    {
        free(s->counters);
        s->counters = counters != NULL ? strdup(counters) : NULL;
        s->unnamed = (counters != NULL && s->counters == NULL);
    }

    (void) pthread_mutex_unlock(&s->mutex);
}


int
rfl_source_message(rfl_source_t *s, rfl_error_t *message)
{
    return rfl_notices_take(&s->notices, message);
}


void
rfl_source_ask(rfl_source_t *s)
{
    (void) pthread_mutex_lock(&s->mutex);

    __atomic_store_n(&s->stop, 1, __ATOMIC_RELAXED);
    (void) pthread_cond_signal(&s->wake);

    (void) pthread_mutex_unlock(&s->mutex);
}


int
rfl_source_join(rfl_source_t *s, uint64_t deadline_ms)
{
    return rfl_thread_join(s->thread, deadline_ms);
}


static void *
rfl_source_main(void *data)
{
    rfl_source_t  *s = data;

    int  stop;

    (void) pthread_mutex_lock(&s->mutex);

    while (s->opened == 0 && !s->stop) {
        (void) pthread_cond_wait(&s->wake, &s->mutex);
    }

    stop = (int) s->stop;

    (void) pthread_mutex_unlock(&s->mutex);

    while (!stop) {
        rfl_source_turn(s);
        stop = rfl_source_wait(s);
    }

    return NULL;
}


/* Returns 1 when it is time to leave. */

static int
rfl_source_wait(rfl_source_t *s)
{
    int       stop;
    uint64_t  until;

    until = rfl_clock_ms() + RFL_SOURCE_LOOK_MS;

    (void) pthread_mutex_lock(&s->mutex);

    while (!s->stop && rfl_clock_ms() < until) {
        rfl_thread_cond_wait(&s->wake, &s->mutex, until);
    }

    stop = (int) s->stop;

    (void) pthread_mutex_unlock(&s->mutex);

    return stop;
}


static void
rfl_source_turn(rfl_source_t *s)
{
    int              quiet;
    unsigned         opened;
    rfl_error_t      missing;
    rfl_file_look_t  look;

    if (rfl_file_look(s->source, &look, &missing) != RFL_OK) {
        s->has_seen = 0;
        rfl_source_tell(s, &missing);
        return;
    }

    (void) pthread_mutex_lock(&s->mutex);
    opened = s->opened;
    (void) pthread_mutex_unlock(&s->mutex);

    quiet = rfl_source_is_quiet(s, &look);

    s->seen = look;
    s->has_seen = 1;

    if (rfl_source_is_due(s, &look, opened)) {

        if (!quiet || rfl_source_take(s, &look, opened) == RFL_BUSY) {
            return;
        }
    }

    rfl_source_tell(s, &s->result);
}


static int
rfl_source_is_due(const rfl_source_t *s, const rfl_file_look_t *look,
    unsigned opened)
{
    return !s->has_taken || s->taken_opened != opened
           || !rfl_file_looks_same(look, &s->taken)
           || (s->retry_ms != 0 && rfl_clock_ms() >= s->retry_ms);
}


static int
rfl_source_is_quiet(const rfl_source_t *s, const rfl_file_look_t *look)
{
    return rfl_source_is_old(look->modified)
           || (s->has_seen && rfl_file_looks_same(look, &s->seen));
}


/* What is of the future is not: the clock was set, and says nothing. */

static int
rfl_source_is_old(struct timespec time)
{
    int64_t          age_ms;
    struct timespec  now;

    (void) clock_gettime(CLOCK_REALTIME, &now);

    age_ms = ((int64_t) now.tv_sec - (int64_t) time.tv_sec) * 1000
             + ((int64_t) now.tv_nsec - (int64_t) time.tv_nsec) / 1000000;

    return age_ms >= RFL_SOURCE_LOOK_MS;
}


/* RFL_BUSY: it was written meanwhile, and is looked at again. */

static rfl_rc_t
rfl_source_take(rfl_source_t *s, const rfl_file_look_t *look, unsigned opened)
{
    rfl_rc_t     rc;
    rfl_sync_t   sync;
    rfl_error_t  err;

    memset(&sync, 0, sizeof(rfl_sync_t));

    sync.path = s->source;
    sync.max_links = s->conf.max_links;
    sync.stop = &s->stop;
    sync.look = *look;
    sync.in_place = s->has_taken && rfl_file_is_same(look, &s->taken)
                    && !rfl_file_looks_same(look, &s->taken);

    err.text[0] = '\0';

    rc = rfl_source_sync(s, &sync, &err);

    if (rc == RFL_BUSY) {
        return rc;
    }

    s->has_taken = 1;
    s->taken = sync.look;
    s->taken_opened = opened;
    s->retry_ms = rfl_source_retry(rc);

    s->result = err;
    s->result.rc = rc;

    return rc;
}


static rfl_rc_t
rfl_source_sync(rfl_source_t *s, rfl_sync_t *sync, rfl_error_t *err)
{
    char          *counters;
    rfl_rc_t       rc;
    rfl_totals_t   totals;

    rc = rfl_source_counters(s, &counters, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_open(&sync->registry, s->conf.path, RFL_STORE_WRITE,
                           s->conf.map_size, err);

    if (rc == RFL_OK) {
        rc = rfl_issue_open(&s->conf, counters, sync->registry, &totals, err);

        if (rc == RFL_OK) {
            sync->totals = &totals;
            rc = rfl_sync_run(sync, err);
            rfl_issue_close(&totals);

        } else {
            rc = RFL_ERROR;
        }

        rfl_registry_close(sync->registry);

    } else {
        rc = RFL_ERROR;
    }

    free(counters);

    return rc;
}


/* A copy: the keeper's thread may name another file meanwhile. */

static rfl_rc_t
rfl_source_counters(rfl_source_t *s, char **counters, rfl_error_t *err)
{
    rfl_rc_t  rc;

    *counters = NULL;

    (void) pthread_mutex_lock(&s->mutex);

    rc = s->unnamed ? RFL_NO_MEMORY : RFL_OK;

    if (s->counters != NULL) {
        *counters = strdup(s->counters);
        rc = *counters != NULL ? RFL_OK : RFL_NO_MEMORY;
    }

    (void) pthread_mutex_unlock(&s->mutex);

    return rc == RFL_OK ? RFL_OK : rfl_fail(err, rc, "%s: out of memory",
                                            s->source);
}


static uint64_t
rfl_source_retry(rfl_rc_t rc)
{
    switch (rc) {

    case RFL_OK:
    case RFL_INVALID:
        return 0;

    case RFL_FULL:
        return rfl_clock_ms() + RFL_SOURCE_FULL_MS;

    default:
        return rfl_clock_ms() + RFL_SOURCE_RETRY_MS;
    }
}


static void
rfl_source_tell(rfl_source_t *s, const rfl_error_t *state)
{
    rfl_error_t  message;

    if (s->conf.source_state != NULL
        && (!s->has_told || state->rc != s->told.rc
            || strcmp(state->text, s->told.text) != 0))
    {
        rfl_shared_text_set(s->conf.source_state, state);
        s->told = *state;
        s->has_told = 1;
    }

    (void) rfl_fail(&message, state->rc, "%.600s; the links stay as they are",
                    state->text);

    rfl_notices_tell(&s->notices, &message, rfl_clock_ms());
}
