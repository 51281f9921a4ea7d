/*
 * See rfl_runtime.h.  The order matters: the registry's uuid names the
 * counter file, so the registry comes first; counts that arrive before the
 * counter file is open wait in this process and are added to it then.
 *
 * Of a counter file that was removed or replaced nothing may be lost, nothing
 * counted twice, and no total may go back, whichever process answers:
 *
 * - A process goes on counting where it does until it has another file.
 * - The file it leaves stays mapped, in its totals, until its header says that
 *   the ledger has all of it ("retired").  The keeper says that once it has the
 *   exclusive lock, which nobody who counts there lets it have.
 * - Who leaves a file counts it up ("moves"), before the first count goes to
 *   the new one: the others look for the new one before they sum up again.
 */

#include "rfl_runtime.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>


#define RFL_RUNTIME_TABLE_SECONDS  10

/* The clock that the kernel dates files by. */

#define RFL_RUNTIME_FILE_CLOCK  CLOCK_REALTIME_COARSE


static void rfl_runtime_note_try(rfl_runtime_t *rt);
static int rfl_runtime_stat(const char *path, struct stat *st);
static int rfl_runtime_is_same(const struct timespec *a,
    const struct timespec *b);
static void rfl_runtime_canary(rfl_runtime_t *rt);
static void rfl_runtime_registry(rfl_runtime_t *rt);
static rfl_rc_t rfl_runtime_may_create(rfl_runtime_t *rt);
static int rfl_runtime_has_data(const rfl_runtime_t *rt, const char *name);
static void rfl_runtime_meta(rfl_runtime_t *rt);
static int rfl_runtime_lacks_table(const rfl_runtime_t *rt);
static void rfl_runtime_ledger(rfl_runtime_t *rt);
static void rfl_runtime_counters(rfl_runtime_t *rt);
static int rfl_runtime_counters_stay(rfl_runtime_t *rt);
static rfl_rc_t rfl_runtime_open_counters(rfl_runtime_t *rt,
    rfl_counters_t **counters);
static void rfl_runtime_go_volatile(rfl_runtime_t *rt, const rfl_error_t *why);
static rfl_rc_t rfl_runtime_join_memory(rfl_runtime_t *rt);
static void rfl_runtime_look_at_memory(rfl_runtime_t *rt);
static void rfl_runtime_other_registry(rfl_runtime_t *rt);
static void rfl_runtime_ring(rfl_runtime_t *rt);
static void rfl_runtime_switch(rfl_runtime_t *rt, rfl_counters_t *counters);
static int rfl_runtime_knows(const rfl_runtime_t *rt, uint64_t file_id);
static void rfl_runtime_adopt_file(rfl_runtime_t *rt, const char *path,
    uint64_t file_id);
static void rfl_runtime_lose(rfl_runtime_t *rt, rfl_counters_t *counters);
static void rfl_runtime_sweep_lost(rfl_runtime_t *rt);
static void rfl_runtime_chain(rfl_runtime_t *rt);
static int rfl_runtime_is_ours(const rfl_runtime_t *rt,
    const rfl_counters_t *counters);
static uint32_t rfl_runtime_wanted_ids(rfl_runtime_t *rt);
static rfl_rc_t rfl_runtime_counters_path(rfl_runtime_t *rt);
static void rfl_runtime_drop_registry(rfl_runtime_t *rt);
static void rfl_runtime_drop_ledger(rfl_runtime_t *rt);


void
rfl_runtime_init(rfl_runtime_t *rt, const rfl_runtime_conf_t *conf,
    unsigned stripe)
{
    memset(rt, 0, sizeof(rfl_runtime_t));

    rt->conf = conf;
    rt->stripe = stripe % RFL_COUNTERS_STRIPES;
    rt->zone = &rt->pending;
    rt->deaths = rfl_canary_deaths(conf->canary);

    (void) rfl_fail(&rt->registry_error, RFL_NOT_FOUND, "not opened yet");
    (void) rfl_fail(&rt->ledger_error, RFL_NOT_FOUND, "not opened yet");
    (void) rfl_fail(&rt->counters_error, RFL_NOT_FOUND, "not opened yet");
}


void
rfl_runtime_tick(rfl_runtime_t *rt, uint64_t now)
{
    rt->now = now;

    rfl_runtime_canary(rt);
    rfl_runtime_registry(rt);

    /* while the registry is missing it is the ledger that knows the uuid */

    if (!rt->has_uuid) {
        rt->ticked = 1;
        return;
    }

    if (!rt->keeps) {
        rfl_runtime_ledger(rt);
    }

    rfl_runtime_sweep_lost(rt);
    rfl_runtime_counters(rt);

    if (rt->ledger != NULL && rt->counters != NULL && !rt->adopted) {
        rfl_runtime_adopt(rt, rt->ledger);
    }

    rt->ticked = 1;
}


/*
 * A file that looks as it did is the one that could not be opened; but for one
 * that was written in the very tick of the clock the try was in, which may have
 * been before.  By the time of the change: that of the contents may be any.
 */

void
rfl_runtime_look(rfl_runtime_t *rt, uint64_t now)
{
    struct stat         st;
    rfl_runtime_try_t  *tried;

    if (rt->registry != NULL || !rfl_runtime_stat(rt->conf->path, &st)) {
        return;
    }

    tried = &rt->tried;

    if (st.st_ino == tried->ino && st.st_size == tried->size
        && rfl_runtime_is_same(&st.st_ctim, &tried->changed)
        && !rfl_runtime_is_same(&tried->changed, &tried->time))
    {
        return;
    }

    rfl_runtime_tick(rt, now);
}


static void
rfl_runtime_note_try(rfl_runtime_t *rt)
{
    struct stat         st;
    rfl_runtime_try_t  *tried;

    tried = &rt->tried;

    (void) clock_gettime(RFL_RUNTIME_FILE_CLOCK, &tried->time);

    if (!rfl_runtime_stat(rt->conf->path, &st)) {
        tried->ino = 0;
        return;
    }

    tried->ino = st.st_ino;
    tried->size = st.st_size;
    tried->changed = st.st_ctim;
}


int
rfl_runtime_is_made(const char *path)
{
    struct stat  st;

    return rfl_runtime_stat(path, &st);
}


/* 0: there is no registry, nor a file that could be opened as one. */

static int
rfl_runtime_stat(const char *path, struct stat *st)
{
    int   n;
    char  file[RFL_URL_MAX];

    n = snprintf(file, sizeof(file), "%s/registry/data.mdb", path);

    return n > 0 && (size_t) n < sizeof(file) && stat(file, st) == 0
           && st->st_size != 0;
}


static int
rfl_runtime_is_same(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}


/* Somebody died inside LMDB: what is opened again is looked at first. */

static void
rfl_runtime_canary(rfl_runtime_t *rt)
{
    uint32_t  deaths;

    rfl_canary_look(rt->conf->canary);

    deaths = rfl_canary_deaths(rt->conf->canary);

    if (deaths == rt->deaths) {
        return;
    }

    rt->deaths = deaths;

    /* what is large the keeper looks at; meanwhile there is nothing better */

    if (rt->registry != NULL
        && (rt->keeps
            || !rfl_store_is_large(rfl_registry_store(rt->registry))))
    {
        rfl_runtime_drop_registry(rt);
    }

    if (rt->ledger != NULL
        && !rfl_store_is_large(rfl_ledger_store(rt->ledger)))
    {
        rfl_runtime_drop_ledger(rt);
    }
}


static void
rfl_runtime_registry(rfl_runtime_t *rt)
{
    rfl_rc_t  rc;
    unsigned  flags;

    if (rt->registry != NULL) {

        rc = rfl_store_check_path(rfl_registry_store(rt->registry));
        if (rc == RFL_OK) {
            rfl_runtime_meta(rt);
            return;
        }

        rfl_runtime_drop_registry(rt);
    }

    rfl_runtime_note_try(rt);

    rc = rfl_runtime_may_create(rt);
    if (rc != RFL_OK) {
        return;
    }

    flags = rt->keeps ? RFL_STORE_CREATE
            : rt->writes ? RFL_STORE_WRITE : RFL_STORE_READ;

    rc = rfl_registry_open(&rt->registry, rt->conf->path, flags,
                           rt->conf->map_size, &rt->registry_error);
    if (rc != RFL_OK) {
        return;
    }

    rt->opened++;
    rt->registry_error.rc = RFL_OK;
    (void) rfl_store_reader_check(rfl_registry_store(rt->registry));

    if (!rt->keeps) {

        /* without memory each pattern is compiled, each request decided anew */

        rt->patterns = rfl_patterns_create(RFL_RUNTIME_PATTERNS);

        if (rt->recent == NULL) {
            rt->recent = rfl_recent_create();
        }
    }

    rfl_runtime_meta(rt);
}


/*
 * A registry that is gone may come back.  A new one would have a new uuid, and
 * the totals of the old one would be of no use to it.
 */

static rfl_rc_t
rfl_runtime_may_create(rfl_runtime_t *rt)
{
    rfl_rc_t       rc;
    rfl_error_t    err;
    rfl_ledger_t  *ledger;

    if (rfl_runtime_has_data(rt, "registry")
        || !rfl_runtime_has_data(rt, "ledger"))
    {
        return RFL_OK;
    }

    rc = rfl_ledger_open(&ledger, rt->conf->path, NULL, RFL_STORE_READ,
                         rt->conf->map_size, &err);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;                   /* it is no registry's yet */
    }

    if (rc == RFL_OK && !rt->has_uuid) {
        memcpy(rt->uuid, rfl_ledger_uuid(ledger), 16);
        rt->has_uuid = 1;
    }

    rfl_ledger_close(ledger);

    return rfl_fail(&rt->registry_error, RFL_INVALID, "%s/registry is "
                    "missing, and %s/ledger holds its totals: restore "
                    "%s/registry, or move %s/ledger away for a new registry",
                    rt->conf->path, rt->conf->path, rt->conf->path,
                    rt->conf->path);
}


/* What cannot be looked at counts as there: opening it will tell. */

static int
rfl_runtime_has_data(const rfl_runtime_t *rt, const char *name)
{
    int          n;
    char         path[RFL_URL_MAX];
    struct stat  st;

    n = snprintf(path, sizeof(path), "%s/%s/data.mdb", rt->conf->path, name);
    if (n < 0 || (size_t) n >= sizeof(path)) {
        return 1;
    }

    if (stat(path, &st) != 0) {
        return errno != ENOENT && errno != ENOTDIR;
    }

    return st.st_size != 0;
}


static void
rfl_runtime_meta(rfl_runtime_t *rt)
{
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    rc = rfl_registry_begin(rt->registry, 0, &rt->registry_error);
    if (rc != RFL_OK) {
        rfl_runtime_drop_registry(rt);
        return;
    }

    rc = rfl_registry_meta(rt->registry, &meta);

    rfl_registry_end(rt->registry);

    if (rc != RFL_OK) {
        (void) rfl_fail(&rt->registry_error, rc, "%s/registry: its meta data "
                        "cannot be read", rt->conf->path);
        rfl_runtime_drop_registry(rt);
        return;
    }

    memcpy(rt->uuid, meta.uuid, 16);
    rt->has_uuid = 1;
    rt->next_id = meta.next_id;
    rt->max_links = meta.max_links;
    rt->source = meta.source;
}


/*
 * Of a ledger from before some table the keeper makes that at its first flush.
 * To open it costs a look at its pages: not each second, should that fail.
 */

static int
rfl_runtime_lacks_table(const rfl_runtime_t *rt)
{
    return rfl_store_lacks_table(rfl_ledger_store(rt->ledger))
           && rt->now % RFL_RUNTIME_TABLE_SECONDS == 0;
}


/* The keeper makes the ledger at its first flush; readers wait for it. */

static void
rfl_runtime_ledger(rfl_runtime_t *rt)
{
    rfl_rc_t  rc;

    if (rt->ledger != NULL) {

        rc = rfl_store_check_path(rfl_ledger_store(rt->ledger));

        if (rc == RFL_OK
            && memcmp(rfl_ledger_uuid(rt->ledger), rt->uuid, 16) == 0
            && !rfl_runtime_lacks_table(rt))
        {
            return;
        }

        rfl_runtime_drop_ledger(rt);
    }

    rc = rfl_ledger_open(&rt->ledger, rt->conf->path, rt->uuid,
                         rt->writes ? RFL_STORE_WRITE : RFL_STORE_READ,
                         rt->conf->map_size, &rt->ledger_error);
    if (rc != RFL_OK) {
        return;
    }

    rt->ledger_error.rc = RFL_OK;
    rt->adopted = 0;
}


static void
rfl_runtime_counters(rfl_runtime_t *rt)
{
    rfl_rc_t         rc;
    rfl_counters_t  *counters;

    rfl_runtime_other_registry(rt);
    rfl_runtime_look_at_memory(rt);

    if (rfl_runtime_counters_stay(rt)) {
        rfl_runtime_ring(rt);
        return;
    }

    rc = rfl_runtime_open_counters(rt, &counters);

    if (rc == RFL_OK) {
        rt->counters_error.rc = RFL_OK;
        rfl_runtime_switch(rt, counters);
        rfl_runtime_ring(rt);
        return;
    }

    /*
     * Another process is about to end, or uses the place for a file of another
     * version: that passes, and a file without a name will do until then.
     */

    if (rc != RFL_BUSY || rt->counters == NULL || rt->counters == rt->memory) {
        rfl_runtime_go_volatile(rt, &rt->counters_error);
    }
}


/* Nothing to do, most of the time: that is cheap. */

static int
rfl_runtime_counters_stay(rfl_runtime_t *rt)
{
    rfl_rc_t  rc;

    if (rt->counters == NULL) {
        return 0;
    }

    rc = rfl_counters_reserve(rt->counters, rfl_runtime_wanted_ids(rt),
                              &rt->counters_error);

    if (rt->counters == rt->memory
        || rfl_counters_check_path(rt->counters, rt->counters->path)
           != RFL_OK)
    {
        return 0;
    }

    if (rc == RFL_OK) {
        rt->counters_error.rc = RFL_OK;
    }

    return 1;
}


static rfl_rc_t
rfl_runtime_open_counters(rfl_runtime_t *rt, rfl_counters_t **counters)
{
    rfl_rc_t  rc;

    /* the keeper has to flush first what it lost before */

    if (rt->keeps && rt->nlost == RFL_RUNTIME_LOST) {
        return rfl_fail(&rt->counters_error, RFL_BUSY, "counter file %s: it "
                        "was replaced %d times, and what it had is not "
                        "flushed yet", rt->counters_path, RFL_RUNTIME_LOST);
    }

    rc = rfl_runtime_counters_path(rt);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_counters_open(counters, rt->counters_path, rt->uuid,
                             rfl_runtime_wanted_ids(rt), rt->conf->max_ids,
                             RFL_COUNTERS_CREATE, rt->now,
                             &rt->counters_error);
}


/* why is rt->counters_error: the text is made anew each time. */

static void
rfl_runtime_go_volatile(rfl_runtime_t *rt, const rfl_error_t *why)
{
    rfl_rc_t     rc;
    rfl_error_t  error;

    error = *why;

    if (rt->counters == NULL || rt->counters != rt->memory) {

        if (rt->conf->volatile_fd == -1) {
            return;
        }

        rc = rfl_runtime_join_memory(rt);
        if (rc != RFL_OK) {
            return;                      /* it counts where it did, if it did */
        }

        rfl_runtime_switch(rt, rt->memory);
    }

    rfl_runtime_ring(rt);

    (void) rfl_fail(&rt->counters_error, error.rc, "volatile: %s",
                    error.text);
}


/* It is one registry's as long as the master lives. */

static rfl_rc_t
rfl_runtime_join_memory(rfl_runtime_t *rt)
{
    rfl_rc_t         rc;
    rfl_counters_t  *memory;

    if (rt->memory != NULL) {
        return rfl_runtime_is_ours(rt, rt->memory)
               ? rfl_counters_join(rt->memory, NULL) : RFL_INVALID;
    }

    rc = rfl_counters_volatile_open(&memory, rt->conf->volatile_fd, rt->uuid,
                                    rfl_runtime_wanted_ids(rt),
                                    rt->conf->max_ids, RFL_COUNTERS_CREATE,
                                    rt->now, NULL);
    if (rc == RFL_OK) {
        rt->memory = memory;
    }

    return rc;
}


/* Others may count there, or did: the keeper flushes it, readers add it. */

static void
rfl_runtime_look_at_memory(rfl_runtime_t *rt)
{
    struct stat      st;
    rfl_counters_t  *memory;

    if (rt->memory == NULL && rt->conf->volatile_fd != -1
        && fstat(rt->conf->volatile_fd, &st) == 0 && st.st_size != 0
        && rfl_counters_volatile_open(&memory, rt->conf->volatile_fd,
                                      rt->uuid, 0, rt->conf->max_ids,
                                      RFL_COUNTERS_GROW, rt->now, NULL)
           == RFL_OK)
    {
        rt->memory = memory;
    }

    if (rt->memory != NULL && !rfl_counters_retired(rt->memory)) {
        rt->memory_done = 0;
    }

    rfl_runtime_chain(rt);
}


/*
 * Another registry was put in place.  What the old one's file has is still the
 * old ledger's: the keeper sees to it.
 */

static void
rfl_runtime_other_registry(rfl_runtime_t *rt)
{
    unsigned  i;

    if (rt->counters != NULL && !rfl_runtime_is_ours(rt, rt->counters)) {

        rt->zone = &rt->pending;
        rfl_counters_leave(rt->counters);

        if (rt->counters != rt->memory) {
            rfl_runtime_lose(rt, rt->counters);
        }

        rt->counters = NULL;
    }

    if (rt->keeps) {
        return;
    }

    for (i = rt->nlost; i-- > 0; /* void */ ) {
        if (!rfl_runtime_is_ours(rt, rt->lost[i])) {
            rfl_runtime_drop_lost(rt, i);
        }
    }

    if (rt->memory != NULL && !rfl_runtime_is_ours(rt, rt->memory)) {
        rfl_counters_close(rt->memory);
        rt->memory = NULL;
    }
}


/* Only processes that log requests have events to leave. */

static void
rfl_runtime_ring(rfl_runtime_t *rt)
{
    rfl_rc_t     rc;
    rfl_error_t  error;

    if (rt->keeps) {
        return;
    }

    rc = rfl_ring_open(rt->counters, rt->stripe, &error);

    if (rc != RFL_OK && rt->counters_error.rc == RFL_OK) {
        rt->counters_error = error;
    }
}


/*
 * From here on this process counts there.  A file that was moved away and
 * back may be among the lost ones: it must not be summed twice.
 */

static void
rfl_runtime_switch(rfl_runtime_t *rt, rfl_counters_t *counters)
{
    size_t           i;
    unsigned         k;
    rfl_counters_t  *old;

    old = rt->counters;

    rt->counters = counters;
    rt->zone = &counters->stripes[rt->stripe];

    if (old != NULL) {
        rfl_counters_leave(old);

        if (old != rt->memory) {
            rfl_runtime_lose(rt, old);
        }
    }

    if (rt->memory != NULL && rt->memory != counters) {
        rfl_counters_alert(rt->memory);
    }

    for (k = rt->nlost; k-- > 0; /* void */ ) {
        if (rt->lost[k]->header->file_id == counters->header->file_id) {
            rfl_runtime_drop_lost(rt, k);
        }
    }

    rfl_runtime_chain(rt);

    for (i = 0; i < RFL_ZONE_FIELDS; i++) {
        if (rt->pending.n[i] != 0) {
            rfl_counters_add(&rt->zone->n[i], rt->pending.n[i]);
        }
    }

    memset(&rt->pending, 0, sizeof(rfl_zone_t));
}


void
rfl_runtime_adopt(rfl_runtime_t *rt, rfl_ledger_t *ledger)
{
    char               path[RFL_URL_MAX];
    uint64_t           after;
    rfl_rc_t           rc;
    rfl_ledger_file_t  file;

    rt->adopted = 1;

    for (after = 0; rt->nlost < RFL_RUNTIME_ADOPTED; after = file.file_id) {

        if (rfl_ledger_begin(ledger, NULL) != RFL_OK) {
            return;
        }

        rc = rfl_ledger_next_file(ledger, after, &file);

        path[0] = '\0';

        if (rc == RFL_OK && file.path.len < sizeof(path)) {
            memcpy(path, file.path.data, file.path.len);
            path[file.path.len] = '\0';
        }

        rfl_ledger_end(ledger);

        if (rc != RFL_OK) {
            return;
        }

        if (path[0] != '\0' && !rfl_runtime_knows(rt, file.file_id)) {
            rfl_runtime_adopt_file(rt, path, file.file_id);
        }
    }
}


static int
rfl_runtime_knows(const rfl_runtime_t *rt, uint64_t file_id)
{
    unsigned  i;

    for (i = 0; i < rt->nlost; i++) {
        if (rt->lost[i]->header->file_id == file_id) {
            return 1;
        }
    }

    return (rt->counters != NULL && rt->counters->header->file_id == file_id)
           || (rt->memory != NULL && rt->memory->header->file_id == file_id);
}


/* Most are of boots before this one: there is no such file, or it is done. */

static void
rfl_runtime_adopt_file(rfl_runtime_t *rt, const char *path, uint64_t file_id)
{
    rfl_counters_t  *c;

    if (rfl_counters_open(&c, path, rt->uuid, 0, rt->conf->max_ids,
                          RFL_COUNTERS_GROW, rt->now, NULL)
        != RFL_OK)
    {
        return;
    }

    if (c->header->file_id != file_id || rfl_counters_retired(c)) {
        rfl_counters_close(c);
        return;
    }

    rfl_runtime_lose(rt, c);
    rfl_runtime_chain(rt);
}


/* The oldest makes room; the keeper takes care that it need not. */

static void
rfl_runtime_lose(rfl_runtime_t *rt, rfl_counters_t *counters)
{
    if (rt->nlost == RFL_RUNTIME_LOST) {
        rfl_runtime_drop_lost(rt, 0);
    }

    rt->lost[rt->nlost++] = counters;
}


/*
 * At a tick alone: a transaction that began before the file was retired does
 * not see its last flush.
 */

static void
rfl_runtime_sweep_lost(rfl_runtime_t *rt)
{
    unsigned  i;

    if (rt->memory != NULL) {
        rt->memory_done = (unsigned) rfl_counters_retired(rt->memory);
    }

    if (rt->keeps) {
        return;
    }

    for (i = rt->nlost; i-- > 0; /* void */ ) {
        if (rfl_counters_retired(rt->lost[i])) {
            rfl_runtime_drop_lost(rt, i);
        }
    }
}


void
rfl_runtime_drop_lost(rfl_runtime_t *rt, unsigned i)
{
    rfl_counters_close(rt->lost[i]);

    rt->nlost--;

    memmove(&rt->lost[i], &rt->lost[i + 1],
            (rt->nlost - i) * sizeof(rfl_counters_t *));

    rfl_runtime_chain(rt);
}


/* What totals are summed of beside the ledger. */

static void
rfl_runtime_chain(rfl_runtime_t *rt)
{
    unsigned         i;
    rfl_counters_t  *next;

    next = NULL;

    for (i = 0; i < rt->nlost; i++) {
        rt->lost[i]->lost = next;
        next = rt->lost[i];
    }

    if (rt->memory != NULL && rt->memory != rt->counters && !rt->memory_done
        && rfl_runtime_is_ours(rt, rt->memory))
    {
        rt->memory->lost = next;
        next = rt->memory;
    }

    if (rt->counters != NULL) {
        rt->counters->lost = next;
    }
}


static int
rfl_runtime_is_ours(const rfl_runtime_t *rt, const rfl_counters_t *counters)
{
    return memcmp(counters->header->uuid, rt->uuid, 16) == 0;
}


static uint32_t
rfl_runtime_wanted_ids(rfl_runtime_t *rt)
{
    uint32_t  ids;

    if (rt->keeps || !rt->ticked) {
        return rt->next_id;
    }

    ids = RFL_RUNTIME_GROW_IDS;

    if (rt->counters != NULL) {
        ids += rfl_counters_capacity(rt->counters);
    }

    return rt->next_id < ids ? rt->next_id : ids;
}


static rfl_rc_t
rfl_runtime_counters_path(rfl_runtime_t *rt)
{
    int                        n;
    const u_char              *uuid;
    const rfl_runtime_conf_t  *conf;

    conf = rt->conf;
    uuid = rt->uuid;

    if (conf->counters[0] != '\0') {
        n = snprintf(rt->counters_path, sizeof(rt->counters_path), "%s",
                     conf->counters);

    } else if (conf->counters_dir[0] != '\0') {
        n = snprintf(rt->counters_path, sizeof(rt->counters_path),
                     "%s/%s-%02x%02x%02x%02x.counters", conf->counters_dir,
                     conf->name, uuid[0], uuid[1], uuid[2], uuid[3]);

    } else {
        n = snprintf(rt->counters_path, sizeof(rt->counters_path),
                     "%s/counters", conf->path);
    }

    if (n < 0 || (size_t) n >= sizeof(rt->counters_path)) {
        return rfl_fail(&rt->counters_error, RFL_INVALID,
                        "the counter file's path is longer than %zu bytes",
                        sizeof(rt->counters_path) - 1);
    }

    return RFL_OK;
}


void
rfl_runtime_give_up_counters(rfl_runtime_t *rt)
{
    int              n;
    char             old[RFL_URL_MAX];
    rfl_counters_t  *c;

    c = rt->counters;

    if (c == NULL || c == rt->memory
        || rfl_counters_check_path(c, c->path) != RFL_OK)
    {
        return;
    }

    n = snprintf(old, sizeof(old), "%s.old", c->path);

    if (n > 0 && (size_t) n < sizeof(old)) {
        (void) rename(c->path, old);
    }
}


rfl_totals_t
rfl_runtime_totals(rfl_runtime_t *rt)
{
    rfl_totals_t  totals;

    if (rt->counters != NULL && rfl_counters_moved(rt->counters)) {
        rfl_runtime_counters(rt);
    }

    totals.ledger = rt->ledger;
    totals.counters = rt->counters;

    return totals;
}


void
rfl_runtime_close(rfl_runtime_t *rt)
{
    while (rt->nlost > 0) {
        rfl_runtime_drop_lost(rt, rt->nlost - 1);
    }

    if (rt->memory != rt->counters) {
        rfl_counters_close(rt->memory);
    }

    rt->memory = NULL;
    rt->zone = &rt->pending;

    rfl_counters_close(rt->counters);
    rt->counters = NULL;

    rfl_runtime_drop_registry(rt);
    rfl_runtime_drop_ledger(rt);

    rfl_recent_free(rt->recent);
    rt->recent = NULL;
}


static void
rfl_runtime_drop_registry(rfl_runtime_t *rt)
{
    rfl_patterns_free(rt->patterns);
    rt->patterns = NULL;

    if (rt->recent != NULL) {
        rfl_recent_forget(rt->recent);
    }

    rfl_registry_close(rt->registry);
    rt->registry = NULL;
}


static void
rfl_runtime_drop_ledger(rfl_runtime_t *rt)
{
    rfl_ledger_close(rt->ledger);
    rt->ledger = NULL;
}
