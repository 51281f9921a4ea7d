/*
 * See rfl_keeper.h.
 *
 * The thread shares with its process only what a mutex guards: it opens its
 * own runtime, from a copy of the configuration.  All it uses is on the heap,
 * so that a process which does not wait for it any longer may free the rest.
 *
 * Intervals are measured by the monotonic clock: setting the wall clock back
 * must not stop the flushing.
 *
 * LMDB has no timed lock.  The ledger's writer lock is what this thread is
 * for; the registry's it never asks for once there is a registry: an import
 * may hold it for minutes, and the flush would wait.  What has to be written
 * there is another thread's, and so is a file that is followed.
 */

#include "rfl_keeper.h"
#include "rfl_diagnosis.h"
#include "rfl_gather.h"
#include "rfl_source.h"
#include "rfl_survey.h"

#include <stdlib.h>
#include <time.h>


#define RFL_KEEPER_TICK_MS    1000

/* Between two tries to write what the directive says. */

#define RFL_KEEPER_RETRY_MS   5000

/* While another process reads the rings: how soon it is followed. */

#define RFL_KEEPER_FOLLOW_MS  100

/* Folding is work of hours that nobody waits for: so much of it a turn. */

#define RFL_KEEPER_FOLD_MS    500


/* What the directive says is being written; who is last of the two frees it. */

typedef struct {
    char      *path;
    char      *source;
    size_t     map_size;
    uint32_t   max_links;
    unsigned   users;            /* atomic */
} rfl_keeper_directive_t;


struct rfl_keeper_s {
    rfl_runtime_conf_t  conf;
    char               *strings;         /* of conf */
    pthread_t           thread;

    pthread_mutex_t     mutex;
    pthread_cond_t      wake;
    unsigned            stop:1;
    rfl_notices_t       notices;
    rfl_source_t       *source;          /* NULL: no file is followed */

    /* the thread's own; times are rfl_clock_ms() */
    rfl_runtime_t       rt;
    rfl_ledger_t       *ledger;
    uint32_t            deaths;          /* when the ledger was opened */
    rfl_keeper_trust_t  trust;
    rfl_error_t         flush_error;     /* of the last flush; RFL_OK */
    rfl_diagnosis_t    *diagnosis;       /* NULL: no memory for it */
    rfl_survey_t       *survey;          /* NULL: no memory for it */
    rfl_gather_t       *gather;          /* NULL: likewise */
    rfl_rc_t            gather_told;
    rfl_keeper_directive_t  *directive;  /* NULL: nothing is being written */
    uint64_t            directive_ms;    /* when that was begun */
    unsigned            directed;        /* rt.opened of the registry that has
                                            had it all */
    uint64_t            flushed_ms;      /* 0: never */
    uint64_t            full_ms;         /* 0: a full flush is due */
};


static int rfl_keeper_end_source(rfl_keeper_t *k);
static rfl_keeper_t *rfl_keeper_create(const rfl_runtime_conf_t *conf);
static int rfl_keeper_copy_conf(rfl_keeper_t *k,
    const rfl_runtime_conf_t *conf);
static void rfl_keeper_free(rfl_keeper_t *k);
static void *rfl_keeper_main(void *data);
static void rfl_keeper_turn(rfl_keeper_t *k);
static rfl_rc_t rfl_keeper_open(rfl_keeper_t *k, const rfl_counters_t *c,
    rfl_error_t *err);
static void rfl_keeper_make_tables(rfl_keeper_t *k, const rfl_counters_t *c);
static void rfl_keeper_tell_new_ledger(rfl_keeper_t *k);
static void rfl_keeper_start_trust(rfl_keeper_t *k);
static rfl_rc_t rfl_keeper_flush_due(rfl_keeper_t *k, uint64_t now,
    rfl_error_t *err);
static rfl_rc_t rfl_keeper_flush_counters(rfl_keeper_t *k, int full,
    rfl_error_t *err);
static rfl_rc_t rfl_keeper_flush_lost(rfl_keeper_t *k, rfl_error_t *err);
static rfl_rc_t rfl_keeper_flush_memory(rfl_keeper_t *k, int full,
    rfl_error_t *err);
static rfl_rc_t rfl_keeper_flush_rest(rfl_keeper_t *k, rfl_counters_t *c,
    int full, rfl_error_t *err);
static rfl_rc_t rfl_keeper_flush(rfl_keeper_t *k, rfl_counters_t *c,
    int full, const rfl_retention_t *keep, rfl_error_t *err);
static rfl_rc_t rfl_keeper_put_sources(void *data, rfl_ledger_t *l,
    rfl_error_t *err);
static void rfl_keeper_gather(rfl_keeper_t *k);
static void rfl_keeper_last_sources(rfl_keeper_t *k);
static void rfl_keeper_fold(rfl_keeper_t *k);
static rfl_rc_t rfl_keeper_survey(rfl_keeper_t *k, uint64_t now,
    rfl_error_t *err);
static void rfl_keeper_lead_source(rfl_keeper_t *k);
static void rfl_keeper_write_directive(rfl_keeper_t *k, uint64_t now);
static rfl_keeper_directive_t *rfl_keeper_copy_directive(
    const rfl_keeper_t *k);
static void *rfl_keeper_directive_main(void *data);
static void rfl_keeper_release_directive(rfl_keeper_directive_t *directive);
static int rfl_keeper_wait(rfl_keeper_t *k);
static int rfl_keeper_must_stop(rfl_keeper_t *k);
static void rfl_keeper_leave(rfl_keeper_t *k);
static int rfl_keeper_is_last(rfl_counters_t *c);
static void rfl_keeper_flush_last(rfl_keeper_t *k);
static void *rfl_keeper_last_flush(void *data);
static uint64_t rfl_keeper_wall_ms(void);


rfl_rc_t
rfl_keeper_start(rfl_keeper_t **kp, const rfl_runtime_conf_t *conf,
    rfl_error_t *err)
{
    rfl_error_t    message;
    rfl_keeper_t  *k;

    *kp = NULL;

    k = rfl_keeper_create(conf);
    if (k == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "keeper of %s: out of memory",
                        conf->path);
    }

    /* without it there is a registry still, and counts to be kept */

    if (conf->source[0] != '\0'
        && rfl_source_create(&k->source, conf, &message) != RFL_OK)
    {
        rfl_notices_add(&k->notices, &message);
    }

    if (rfl_thread_start(&k->thread, rfl_keeper_main, k) != RFL_OK) {

        if (k->source == NULL || rfl_keeper_end_source(k)) {
            rfl_keeper_free(k);
        }

        return rfl_fail(err, RFL_ERROR, "keeper of %s: no thread can be "
                        "started", conf->path);
    }

    *kp = k;

    return RFL_OK;
}


/* It waits to be led still.  1: it has ended. */

static int
rfl_keeper_end_source(rfl_keeper_t *k)
{
    rfl_source_ask(k->source);

    return rfl_source_join(k->source, rfl_clock_ms() + RFL_KEEPER_EXIT_MS);
}


static rfl_keeper_t *
rfl_keeper_create(const rfl_runtime_conf_t *conf)
{
    rfl_keeper_t  *k;

    k = calloc(1, sizeof(rfl_keeper_t));
    if (k == NULL) {
        return NULL;
    }

    if (!rfl_keeper_copy_conf(k, conf)) {
        free(k);
        return NULL;
    }

    rfl_thread_cond_init(&k->wake);
    (void) pthread_mutex_init(&k->mutex, NULL);
    rfl_notices_init(&k->notices);

    return k;
}


static int
rfl_keeper_copy_conf(rfl_keeper_t *k, const rfl_runtime_conf_t *conf)
{
    char         *p;
    size_t        i, len;
    const char  **strings[5];

    k->conf = *conf;

    strings[0] = &k->conf.name;
    strings[1] = &k->conf.path;
    strings[2] = &k->conf.counters;
    strings[3] = &k->conf.counters_dir;
    strings[4] = &k->conf.source;

    for (i = 0, len = 0; i < 5; i++) {
        len += strlen(*strings[i]) + 1;
    }

    p = malloc(len);
    if (p == NULL) {
        return 0;
    }

    k->strings = p;

    for (i = 0; i < 5; i++) {
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
    rfl_notices_destroy(&k->notices);
    rfl_source_free(k->source);

    free(k->strings);
    free(k);
}


static void *
rfl_keeper_main(void *data)
{
    rfl_keeper_t  *k = data;

    /* keepers count nothing: the stripe does not matter */

    rfl_runtime_init(&k->rt, &k->conf, 0);
    k->rt.keeps = 1;
    k->diagnosis = rfl_diagnosis_create();
    k->survey = rfl_survey_create();
    k->gather = rfl_gather_start(&k->conf);

    do {
        rfl_keeper_turn(k);
    } while (!rfl_keeper_wait(k));

    rfl_keeper_leave(k);

    return NULL;
}


static void
rfl_keeper_turn(rfl_keeper_t *k)
{
    rfl_rc_t        rc, lost;
    uint64_t        now;
    rfl_error_t     err;
    rfl_runtime_t  *rt;

    rt = &k->rt;
    err.text[0] = '\0';
    now = rfl_clock_ms();

    rfl_runtime_tick(rt, rfl_keeper_wall_ms() / 1000);
    rfl_keeper_write_directive(k, now);
    rfl_keeper_lead_source(k);

    rc = rfl_keeper_flush_due(k, now, &err);
    lost = rfl_keeper_flush_lost(k, rc == RFL_OK ? &err : NULL);

    rfl_keeper_gather(k);

    if (rc == RFL_OK) {
        rc = lost;
    }

    /* what is at fault first: without a registry there may be no ledger */

    if (rt->registry == NULL && (rc == RFL_OK || rc == RFL_NOT_FOUND)) {
        err = rt->registry_error;
        rc = err.rc;
    }

    if (rc == RFL_OK
        && (rt->counters == NULL || rt->counters == rt->memory))
    {
        err = rt->counters_error;
        rc = err.rc;
    }

    if (k->diagnosis != NULL && rt->counters != NULL) {
        rfl_diagnosis_turn(k->diagnosis, rt->registry, rt->counters);
    }

    if (rc == RFL_OK) {
        rc = rfl_keeper_survey(k, now, &err);
    }

    /* what went well in the end may have left a text on its way */

    err.rc = rc;

    rfl_notices_tell(&k->notices, &err, now);
}


/*
 * The ledger of the registry that c is of.  A new one is made for a registry
 * that is there, not for one that has just been moved away.
 */

static rfl_rc_t
rfl_keeper_open(rfl_keeper_t *k, const rfl_counters_t *c, rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint32_t  deaths;

    deaths = rfl_canary_deaths(k->conf.canary);

    if (k->ledger != NULL) {

        if (deaths == k->deaths
            && rfl_store_check_path(rfl_ledger_store(k->ledger)) == RFL_OK
            && memcmp(rfl_ledger_uuid(k->ledger), c->header->uuid, 16) == 0)
        {
            return RFL_OK;
        }

        rfl_ledger_close(k->ledger);
        k->ledger = NULL;
    }

    k->deaths = deaths;

    /* a new ledger, or one that was restored: all cells are due */

    k->full_ms = 0;

    rc = rfl_ledger_open(&k->ledger, k->conf.path, c->header->uuid,
                         RFL_STORE_WRITE|RFL_STORE_WAIT, k->conf.map_size,
                         err);

    if (rc == RFL_NOT_FOUND && k->rt.registry != NULL
        && memcmp(c->header->uuid, k->rt.uuid, 16) == 0)
    {
        rc = rfl_ledger_open(&k->ledger, k->conf.path, c->header->uuid,
                             RFL_STORE_CREATE, k->conf.map_size, err);

        if (rc == RFL_OK && c->header->flush_ms != 0) {
            rfl_keeper_tell_new_ledger(k);
        }
    }

    if (rc == RFL_OK) {
        rfl_keeper_make_tables(k, c);
        rfl_keeper_start_trust(k);
        rfl_runtime_adopt(&k->rt, k->ledger);

        if (k->survey != NULL) {
            rfl_survey_reset(k->survey);
        }

        if (k->gather != NULL) {
            rfl_gather_renew(k->gather);
        }
    }

    return rc;
}


/* Of a ledger from before some table.  A flush needs none of these. */

static void
rfl_keeper_make_tables(rfl_keeper_t *k, const rfl_counters_t *c)
{
    rfl_ledger_t  *ledger;

    if (rfl_store_lacks_table(rfl_ledger_store(k->ledger))
        && rfl_ledger_open(&ledger, k->conf.path, c->header->uuid,
                           RFL_STORE_CREATE, k->conf.map_size, NULL)
           == RFL_OK)
    {
        rfl_ledger_close(k->ledger);
        k->ledger = ledger;
    }
}


/* There was one: what this counter file has is in the new one as well. */

static void
rfl_keeper_tell_new_ledger(rfl_keeper_t *k)
{
    rfl_error_t  message;

    (void) rfl_fail(&message, RFL_DAMAGED, "%s/ledger was missing and has been "
                    "made anew: totals from before this counter file, and "
                    "history, are gone unless a backup of it is put back",
                    k->conf.path);

    rfl_notices_add(&k->notices, &message);
}


static void
rfl_keeper_start_trust(rfl_keeper_t *k)
{
    rfl_ledger_file_t  file;

    file.flushed_ms = 0;

    if (rfl_ledger_begin(k->ledger, NULL) == RFL_OK) {

        if (rfl_ledger_last_file(k->ledger, &file) != RFL_OK) {
            file.flushed_ms = 0;
        }

        rfl_ledger_end(k->ledger);
    }

    rfl_keeper_trust_start(&k->trust, file.flushed_ms, rfl_keeper_wall_ms(),
                           rfl_clock_ms());
}


void
rfl_keeper_trust_start(rfl_keeper_trust_t *t, uint64_t flushed_ms,
    uint64_t wall_ms, uint64_t clock_ms)
{
    t->wall_ms = wall_ms;
    t->clock_ms = clock_ms;
    t->until_ms = clock_ms;

    if (flushed_ms != 0
        && (wall_ms + RFL_KEEPER_AHEAD_MS < flushed_ms
            || wall_ms > flushed_ms + RFL_KEEPER_BEHIND_MS))
    {
        t->until_ms += RFL_KEEPER_DISTRUST_MS;
    }
}


int
rfl_keeper_trusts(rfl_keeper_trust_t *t, uint64_t wall_ms, uint64_t clock_ms)
{
    int64_t  jump;

    jump = (int64_t) (wall_ms - t->wall_ms)
           - (int64_t) (clock_ms - t->clock_ms);

    t->wall_ms = wall_ms;
    t->clock_ms = clock_ms;

    if (jump > RFL_KEEPER_JUMP_MS || jump < -RFL_KEEPER_JUMP_MS) {
        t->until_ms = clock_ms + RFL_KEEPER_DISTRUST_MS;
    }

    return clock_ms >= t->until_ms;
}


/* The file that is counted in comes last: it is what the command looks for. */

static rfl_rc_t
rfl_keeper_flush_due(rfl_keeper_t *k, uint64_t now, rfl_error_t *err)
{
    int       full;
    rfl_rc_t  rc;

    if (k->rt.counters == NULL) {
        return RFL_OK;
    }

    /* a fault lasts until a flush went well, not until the next turn */

    if (k->flushed_ms != 0 && now - k->flushed_ms < k->conf.flush_ms) {
        *err = k->flush_error;
        return err->rc;
    }

    rc = rfl_keeper_open(k, k->rt.counters, err);
    if (rc != RFL_OK) {
        return rc;
    }

    full = (k->full_ms == 0 || now - k->full_ms >= RFL_KEEPER_FULL_MS);

    rc = rfl_keeper_flush_memory(k, full, err);

    if (rc == RFL_OK) {
        rc = rfl_keeper_flush_counters(k, full, err);
    }

    k->flushed_ms = now;

    if (rc == RFL_OK && full) {
        k->full_ms = now;
    }

    k->flush_error = *err;
    k->flush_error.rc = rc;

    return rc;
}


static rfl_rc_t
rfl_keeper_flush_counters(rfl_keeper_t *k, int full, rfl_error_t *err)
{
    int       trusts;
    rfl_rc_t  rc;

    trusts = rfl_keeper_trusts(&k->trust, rfl_keeper_wall_ms(),
                               rfl_clock_ms());

    rc = rfl_keeper_flush(k, k->rt.counters, full,
                          trusts ? &k->conf.keep : NULL, err);

    if (rc == RFL_EXISTS) {
        rfl_runtime_give_up_counters(&k->rt);
        return rfl_fail(err, rc, "counter file %s was away for so long that "
                        "its counts were made part of the totals; it is now "
                        "%s.old, and a new one is made", k->rt.counters_path,
                        k->rt.counters_path);
    }

    if (rc == RFL_OK && trusts) {
        rfl_keeper_fold(k);
    }

    return rc;
}


/*
 * Files that were removed or replaced while they were in use.  Who counts in
 * one holds its lock until it has noticed: until then it is flushed like the
 * other, then once more, and that is all it will ever have.
 */

static rfl_rc_t
rfl_keeper_flush_lost(rfl_keeper_t *k, rfl_error_t *err)
{
    int              last;
    rfl_rc_t         rc, failed;
    unsigned         i;
    rfl_counters_t  *c;

    failed = RFL_OK;

    for (i = k->rt.nlost; i-- > 0; /* void */ ) {
        c = k->rt.lost[i];

        last = rfl_keeper_is_last(c);
        rc = rfl_counters_retired(c) ? RFL_OK
                                     : rfl_keeper_flush_rest(k, c, last, err);

        if ((rc == RFL_INVALID || rc == RFL_NOT_FOUND) && last
            && memcmp(c->header->uuid, k->rt.uuid, 16) != 0)
        {

            /* the file keeps the counts: for its own ledger, if it returns */

            rc = rfl_fail(err, rc, "%s/ledger is not of the registry that was "
                          "replaced: what was counted for that in %s is not "
                          "stored in full; restore its registry and its "
                          "ledger, or remove %s.old", k->conf.path, c->path,
                          c->path);
            rfl_runtime_drop_lost(&k->rt, i);

        } else if ((rc == RFL_OK && last) || rc == RFL_EXISTS) {
            rc = RFL_OK;
            rfl_counters_retire(c);
            rfl_runtime_drop_lost(&k->rt, i);
        }

        if (rc != RFL_OK) {
            failed = rc;
        }
    }

    return failed;
}


/*
 * The volatile file, while there is another.  Somebody may begin to count
 * there at any time, so it is noted with each full flush: the ledger must not
 * take it for dead and fold it.
 */

static rfl_rc_t
rfl_keeper_flush_memory(rfl_keeper_t *k, int full, rfl_error_t *err)
{
    int              last;
    rfl_rc_t         rc;
    rfl_counters_t  *c;

    c = k->rt.memory;

    if (c == NULL || c == k->rt.counters
        || memcmp(c->header->uuid, k->rt.uuid, 16) != 0)
    {
        return RFL_OK;
    }

    if (rfl_counters_retired(c)) {
        return full ? rfl_keeper_flush(k, c, 1, NULL, err) : RFL_OK;
    }

    last = rfl_keeper_is_last(c);
    rc = rfl_keeper_flush(k, c, full || last, NULL, err);

    if (rc == RFL_OK && last) {
        rfl_counters_retire(c);
    }

    rfl_counters_leave(c);

    return rc;
}


static rfl_rc_t
rfl_keeper_flush_rest(rfl_keeper_t *k, rfl_counters_t *c, int full,
    rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_keeper_open(k, c, err);

    return rc == RFL_OK ? rfl_keeper_flush(k, c, full, NULL, err) : rc;
}


static rfl_rc_t
rfl_keeper_flush(rfl_keeper_t *k, rfl_counters_t *c, int full,
    const rfl_retention_t *keep, rfl_error_t *err)
{
    rfl_rc_t          rc;
    rfl_flush_t       flush;
    rfl_flush_stat_t  stat;

    memset(&flush, 0, sizeof(rfl_flush_t));

    flush.counters_path = c->path;
    flush.now_ms = rfl_keeper_wall_ms();
    flush.keep = keep;
    flush.full = full ? 1 : 0;

    /* with one file of them: rows and places in all rings go together */

    if (k->gather != NULL && c == k->rt.counters) {
        flush.data = rfl_gather_take(k->gather);
        flush.more = flush.data != NULL ? rfl_keeper_put_sources : NULL;
    }

    rc = rfl_ledger_flush(k->ledger, c, &flush, &stat, err);

    if (flush.more != NULL) {
        rfl_gather_give_back(k->gather, rc);
    }

    return rc;
}


static rfl_rc_t
rfl_keeper_put_sources(void *data, rfl_ledger_t *l, rfl_error_t *err)
{
    return rfl_ledger_put_sources(l, data, err);
}


/* Before the first flush there is no ledger that could be loaded from. */

static void
rfl_keeper_gather(rfl_keeper_t *k)
{
    rfl_rc_t     rc;
    rfl_error_t  message;

    if (k->gather == NULL || k->ledger == NULL || k->rt.counters == NULL
        || rfl_keeper_open(k, k->rt.counters, &message) != RFL_OK)
    {
        return;
    }

    rc = rfl_gather_attend(k->gather, &k->rt, k->ledger, &message);

    if (rc != RFL_OK && k->gather_told != rc) {
        rfl_notices_add(&k->notices, &message);
    }

    k->gather_told = rc;
}


/*
 * What was not stored with the cells, as others count there still; and what no
 * flush stores.
 */

static void
rfl_keeper_last_sources(rfl_keeper_t *k)
{
    int                  has_filter;
    rfl_rc_t             rc;
    rfl_ledger_batch_t  *batch;

    if (k->rt.counters == NULL
        || rfl_keeper_open(k, k->rt.counters, NULL) != RFL_OK)
    {
        return;
    }

    batch = rfl_gather_take(k->gather);
    has_filter = rfl_gather_has_filter(k->gather, k->ledger);

    if (batch == NULL && !has_filter) {
        return;
    }

    rc = rfl_store_begin(rfl_ledger_store(k->ledger), 1, NULL);

    if (rc == RFL_OK) {

        if (batch != NULL) {
            rc = rfl_ledger_put_sources(k->ledger, batch, NULL);
        }

        if (rc == RFL_OK && has_filter) {
            rc = rfl_gather_put_filter(k->gather, k->ledger, NULL);
        }

        if (rc == RFL_OK) {
            rc = rfl_store_commit(rfl_ledger_store(k->ledger), NULL);
        }

        rfl_ledger_end(k->ledger);
    }

    if (batch != NULL) {
        rfl_gather_give_back(k->gather, rc);
    }
}


/* What fails here is tried again, and a flush would say why. */

static void
rfl_keeper_fold(rfl_keeper_t *k)
{
    uint32_t  folded;
    uint64_t  end;

    end = rfl_clock_ms() + RFL_KEEPER_FOLD_MS;

    do {
        if (rfl_ledger_fold(k->ledger, k->rt.counters->header->file_id,
                            rfl_keeper_wall_ms(), &folded, NULL)
            != RFL_OK)
        {
            return;
        }

    } while (folded != 0 && rfl_clock_ms() < end
             && !rfl_keeper_must_stop(k));
}


/* The states of links, of the registry that the ledger is of. */

static rfl_rc_t
rfl_keeper_survey(rfl_keeper_t *k, uint64_t now, rfl_error_t *err)
{
    rfl_rc_t           rc;
    rfl_survey_turn_t  turn;

    if (k->survey == NULL || k->ledger == NULL || k->rt.registry == NULL
        || memcmp(rfl_ledger_uuid(k->ledger), k->rt.uuid, 16) != 0
        || rfl_store_lacks_table(rfl_ledger_store(k->ledger)))
    {
        return RFL_OK;
    }

    turn.registry = k->rt.registry;
    turn.ledger = k->ledger;
    turn.now = rfl_keeper_wall_ms() / 1000;
    turn.clock_ms = now;

    rc = rfl_survey_turn(k->survey, &turn, err);

    return rc == RFL_BUSY ? RFL_OK : rc;
}


/* Not before there is a registry: it makes none. */

static void
rfl_keeper_lead_source(rfl_keeper_t *k)
{
    rfl_runtime_t  *rt;

    rt = &k->rt;

    if (k->source == NULL || rt->registry == NULL) {
        return;
    }

    rfl_source_lead(k->source, rt->opened,
                    rt->counters == NULL ? NULL
                    : rt->counters == rt->memory ? "" : rt->counters->path);
}


/*
 * Who registers reads the limit, and which file is followed, in the registry.
 * Writing it may wait for an import: in a thread that this one does not wait
 * for, and that nobody ends.
 *
 * Once a registry has what this process was told, it is left alone: what
 * another one writes there later is of a newer configuration.
 */

static void
rfl_keeper_write_directive(rfl_keeper_t *k, uint64_t now)
{
    pthread_t                thread;
    rfl_keeper_directive_t  *directive;

    directive = k->directive;

    if (directive != NULL) {
        if (__atomic_load_n(&directive->users, __ATOMIC_ACQUIRE) == 2) {
            return;
        }

        rfl_keeper_release_directive(directive);
        k->directive = NULL;
    }

    if (k->rt.registry == NULL || k->directed == k->rt.opened) {
        return;
    }

    if (k->rt.max_links == k->conf.max_links
        && k->rt.source == rfl_registry_source_hash(rfl_cstr(k->conf.source)))
    {
        k->directed = k->rt.opened;
        return;
    }

    if (k->directive_ms != 0 && now - k->directive_ms < RFL_KEEPER_RETRY_MS) {
        return;
    }

    k->directive_ms = now;

    directive = rfl_keeper_copy_directive(k);
    if (directive == NULL) {
        return;
    }

    directive->users = 2;

    if (pthread_create(&thread, NULL, rfl_keeper_directive_main, directive)
        != 0)
    {
        directive->users = 1;
        rfl_keeper_release_directive(directive);
        return;
    }

    (void) pthread_detach(thread);
    k->directive = directive;
}


static rfl_keeper_directive_t *
rfl_keeper_copy_directive(const rfl_keeper_t *k)
{
    rfl_keeper_directive_t  *directive;

    directive = calloc(1, sizeof(rfl_keeper_directive_t));
    if (directive == NULL) {
        return NULL;
    }

    directive->path = strdup(k->conf.path);
    directive->source = strdup(k->conf.source);
    directive->map_size = k->conf.map_size;
    directive->max_links = k->conf.max_links;
    directive->users = 1;

    if (directive->path == NULL || directive->source == NULL) {
        rfl_keeper_release_directive(directive);
        return NULL;
    }

    return directive;
}


static void *
rfl_keeper_directive_main(void *data)
{
    rfl_keeper_directive_t  *directive = data;

    rfl_registry_t  *registry;

    if (rfl_registry_open(&registry, directive->path, RFL_STORE_WRITE,
                          directive->map_size, NULL)
        == RFL_OK)
    {
        (void) rfl_registry_set_directive(registry, directive->max_links,
                                          rfl_cstr(directive->source), NULL);
        rfl_registry_close(registry);
    }

    rfl_keeper_release_directive(directive);

    return NULL;
}


static void
rfl_keeper_release_directive(rfl_keeper_directive_t *directive)
{
    if (__atomic_sub_fetch(&directive->users, 1, __ATOMIC_ACQ_REL) == 0) {
        free(directive->path);
        free(directive->source);
        free(directive);
    }
}


int
rfl_keeper_message(rfl_keeper_t *k, rfl_error_t *message)
{
    return rfl_notices_take(&k->notices, message);
}


int
rfl_keeper_source_message(rfl_keeper_t *k, rfl_error_t *message)
{
    return k->source != NULL && rfl_source_message(k->source, message);
}


/* Sleeps until the next turn.  Returns 1 when it is time to leave. */

static int
rfl_keeper_wait(rfl_keeper_t *k)
{
    int       stop, follows;
    unsigned  ms, piece;

    ms = k->conf.flush_ms < RFL_KEEPER_TICK_MS ? k->conf.flush_ms
                                               : RFL_KEEPER_TICK_MS;

    do {
        follows = k->gather != NULL && !rfl_gather_owns(k->gather);
        piece = follows && ms > RFL_KEEPER_FOLLOW_MS ? RFL_KEEPER_FOLLOW_MS
                                                     : ms;

        (void) pthread_mutex_lock(&k->mutex);

        if (!k->stop) {
            rfl_thread_cond_wait(&k->wake, &k->mutex,
                                 rfl_clock_ms() + piece);
        }

        stop = k->stop;

        (void) pthread_mutex_unlock(&k->mutex);

        ms -= piece;

    } while (!stop && ms != 0
             && !(follows && rfl_gather_owns(k->gather)));

    return stop;
}


static int
rfl_keeper_must_stop(rfl_keeper_t *k)
{
    int  stop;

    (void) pthread_mutex_lock(&k->mutex);

    stop = k->stop;

    (void) pthread_mutex_unlock(&k->mutex);

    return stop;
}


/* What was lost and is still counted in, its last one out will flush again. */

static void
rfl_keeper_leave(rfl_keeper_t *k)
{
    unsigned        i;
    rfl_runtime_t  *rt;

    rt = &k->rt;

    if (k->gather != NULL) {
        rfl_gather_stop(k->gather);
    }

    for (i = 0; i < rt->nlost; i++) {
        if (!rfl_keeper_is_last(rt->lost[i])) {
            (void) rfl_keeper_flush_rest(k, rt->lost[i], 1, NULL);
        }
    }

    if (rt->counters != NULL) {
        (void) rfl_keeper_is_last(rt->counters);
    }

    if (rt->memory != NULL && rt->memory != rt->counters) {
        (void) rfl_keeper_is_last(rt->memory);
    }

    rfl_keeper_flush_last(k);

    if (k->gather != NULL) {
        rfl_keeper_last_sources(k);
        rfl_gather_free(k->gather);
    }

    rfl_diagnosis_free(k->diagnosis);
    rfl_survey_free(k->survey);

    if (k->directive != NULL) {
        rfl_keeper_release_directive(k->directive);
    }

    rfl_ledger_close(k->ledger);
    rfl_runtime_close(rt);
}


/* 1: nobody counts there until this process closes or leaves it. */

static int
rfl_keeper_is_last(rfl_counters_t *c)
{
    return rfl_counters_last_out(c) == RFL_OK;
}


/* All files of which this process is the last one out. */

static void
rfl_keeper_flush_last(rfl_keeper_t *k)
{
    unsigned         i, n;
    rfl_runtime_t   *rt;
    rfl_counters_t  *files[RFL_RUNTIME_LOST + 2];

    rt = &k->rt;
    n = 0;

    for (i = 0; i < rt->nlost; i++) {
        files[n++] = rt->lost[i];
    }

    if (rt->memory != NULL && rt->memory != rt->counters) {
        files[n++] = rt->memory;
    }

    if (rt->counters != NULL) {
        files[n++] = rt->counters;
    }

    for (i = 0; i < n; i++) {
        if (files[i]->exclusive && !rfl_counters_retired(files[i])
            && rfl_keeper_flush_rest(k, files[i], 1, NULL) == RFL_OK)
        {
            rfl_counters_retire(files[i]);
        }
    }
}


void
rfl_keeper_ask(rfl_keeper_t *k)
{
    (void) pthread_mutex_lock(&k->mutex);

    k->stop = 1;
    (void) pthread_cond_signal(&k->wake);

    (void) pthread_mutex_unlock(&k->mutex);

    if (k->source != NULL) {
        rfl_source_ask(k->source);
    }
}


void
rfl_keeper_join(rfl_keeper_t *k, uint64_t deadline_ms)
{
    if (rfl_thread_join(k->thread, deadline_ms)
        && (k->source == NULL || rfl_source_join(k->source, deadline_ms)))
    {
        rfl_keeper_free(k);
    }
}


rfl_keeper_t *
rfl_keeper_last_out(rfl_runtime_t *rt)
{
    int            last;
    unsigned       i;
    rfl_keeper_t  *k;

    /* it leaves before its first tick that found the registry */

    if (rt->counters == NULL) {
        rfl_runtime_tick(rt, rfl_keeper_wall_ms() / 1000);
    }

    last = (rt->counters != NULL && rfl_keeper_is_last(rt->counters));

    /* who goes on counting, or the keeper, sees to the volatile file */

    if (last && rt->memory != NULL && rt->memory != rt->counters) {
        (void) rfl_keeper_is_last(rt->memory);
    }

    for (i = 0; i < rt->nlost; i++) {
        if (!rfl_counters_retired(rt->lost[i])
            && rfl_keeper_is_last(rt->lost[i]))
        {
            last = 1;
        }
    }

    k = last ? rfl_keeper_create(rt->conf) : NULL;

    if (k == NULL) {
        rfl_runtime_close(rt);
        return NULL;
    }

    k->rt = *rt;
    k->rt.conf = &k->conf;
    k->rt.zone = &k->rt.pending;

    rfl_runtime_init(rt, rt->conf, rt->stripe);

    if (rfl_thread_start(&k->thread, rfl_keeper_last_flush, k) != RFL_OK) {
        rfl_runtime_close(&k->rt);
        rfl_keeper_free(k);
        return NULL;
    }

    return k;
}


static void *
rfl_keeper_last_flush(void *data)
{
    rfl_keeper_t  *k = data;

    /* what this process has open for reading it cannot open for writing */

    rfl_ledger_close(k->rt.ledger);
    k->rt.ledger = NULL;

    rfl_keeper_flush_last(k);

    rfl_ledger_close(k->ledger);
    rfl_runtime_close(&k->rt);

    return NULL;
}


static uint64_t
rfl_keeper_wall_ms(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_REALTIME, &now);

    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}
