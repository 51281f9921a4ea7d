/*
 * See rfl_gather.h.
 *
 * The thread has mappings of its own of the counter files, for reading: the
 * keeper's runtime closes and replaces its own as it likes.  They are opened by
 * the keeper's thread, under the mutex, by their names; a file that has lost
 * its name meanwhile was open already, and stays so until the keeper has done
 * with it.
 */

#include "rfl_gather.h"
#include "rfl_thread.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>


/* Records that are read before others may have the mutex: a millisecond. */

#define RFL_GATHER_PIECE  1024


typedef struct {
    rfl_counters_t     *counters;        /* NULL: the place is free */
    rfl_ring_reader_t   reader;
    uint64_t            missed;          /* of the reader's, counted already */
    unsigned            wanted:1;        /* somebody counts there still */
    unsigned            other:1;         /* another nginx's, by the ledger */
} rfl_gather_file_t;


struct rfl_gather_s {
    const rfl_runtime_conf_t *conf;
    pthread_t                 thread;
    int                       lock_fd;   /* -1: not ours; the keeper's */
    unsigned                  running:1;

    pthread_mutex_t           mutex;
    pthread_cond_t            wake;
    unsigned                  stop:1;
    unsigned                  known:1;   /* the ledger was looked at */
    unsigned                  refused:1; /* it is another version's */
    unsigned                  loaded:1;  /* the rings may be read */
    unsigned                  changed:1;
    u_char                    uuid[16];  /* the registry's, when loaded */
    rfl_sources_t            *table;
    rfl_ledger_sources_t      head;
    rfl_gather_file_t         files[RFL_LEDGER_RINGS];
    uint64_t                  others;    /* seconds: when last looked for */

    /* while another one has the lock: whether it reads here, too */

    uint64_t                  watched;   /* seconds: when last looked at */
    uint64_t                  watched_id;    /* the counter file; 0: none */
    uint64_t                  left;      /* records, and how many of them */
    uint64_t                  taken;     /* were read */
    unsigned                  unread:1;

    rfl_ledger_batch_t        batch;     /* the keeper's */
};


static rfl_gather_t *rfl_gather_create(const rfl_runtime_conf_t *conf);
static void *rfl_gather_main(void *data);
static void rfl_gather_wait(rfl_gather_t *g, unsigned ms);
static unsigned rfl_gather_read(rfl_gather_t *g);
static unsigned rfl_gather_read_file(rfl_gather_t *g, rfl_gather_file_t *file,
    uint64_t now_ms, unsigned most);
static rfl_rc_t rfl_gather_watch(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger, rfl_error_t *err);
static void rfl_gather_look(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger);
static rfl_rc_t rfl_gather_load(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger, rfl_error_t *err);
static rfl_rc_t rfl_gather_load_rows(rfl_gather_t *g, rfl_ledger_t *ledger);
static int rfl_gather_get_filter(const rfl_gather_t *g, rfl_ledger_t *ledger,
    rfl_ledger_filter_t *filter);
static void rfl_gather_write_all(rfl_gather_t *g);
static void rfl_gather_files(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger);
static void rfl_gather_want(rfl_gather_t *g, const rfl_runtime_t *rt,
    const rfl_counters_t *counters, rfl_ledger_t *ledger);
static void rfl_gather_others(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger);
static void rfl_gather_other(rfl_gather_t *g, const rfl_runtime_t *rt,
    const rfl_ledger_file_t *file, rfl_ledger_t *ledger);
static rfl_gather_file_t *rfl_gather_find(rfl_gather_t *g, uint64_t file_id);
static rfl_counters_t *rfl_gather_map(rfl_gather_t *g,
    const rfl_runtime_t *rt, const char *path, uint64_t file_id);
static void rfl_gather_start_at(rfl_gather_t *g, rfl_gather_file_t *file,
    rfl_ledger_t *ledger);
static void rfl_gather_close_files(rfl_gather_t *g, int all);
static int rfl_gather_fill_batch(rfl_gather_t *g);
static void rfl_gather_reset_batch(rfl_gather_t *g);


rfl_gather_t *
rfl_gather_start(const rfl_runtime_conf_t *conf)
{
    rfl_gather_t  *g;

    g = rfl_gather_create(conf);
    if (g == NULL) {
        return NULL;
    }

    if (rfl_thread_start(&g->thread, rfl_gather_main, g) != RFL_OK) {
        rfl_gather_free(g);
        return NULL;
    }

    g->running = 1;

    return g;
}


static rfl_gather_t *
rfl_gather_create(const rfl_runtime_conf_t *conf)
{
    rfl_gather_t  *g;

    g = calloc(1, sizeof(rfl_gather_t));
    if (g == NULL) {
        return NULL;
    }

    g->conf = conf;
    g->lock_fd = -1;

    rfl_thread_cond_init(&g->wake);
    (void) pthread_mutex_init(&g->mutex, NULL);

    g->table = rfl_sources_create(RFL_SOURCES_ROWS);
    g->batch.numbers = calloc(RFL_SOURCES_ROWS, sizeof(uint32_t));
    g->batch.lengths = calloc(RFL_SOURCES_ROWS, sizeof(size_t));

    if (g->table == NULL || g->batch.numbers == NULL
        || g->batch.lengths == NULL)
    {
        rfl_gather_free(g);
        return NULL;
    }

    return g;
}


void
rfl_gather_stop(rfl_gather_t *g)
{
    if (!g->running) {
        return;
    }

    (void) pthread_mutex_lock(&g->mutex);

    g->stop = 1;
    (void) pthread_cond_signal(&g->wake);

    (void) pthread_mutex_unlock(&g->mutex);

    (void) pthread_join(g->thread, NULL);
    g->running = 0;
}


/* The lock last: who waits for it reads what this one has written. */

void
rfl_gather_free(rfl_gather_t *g)
{
    if (g == NULL) {
        return;
    }

    rfl_gather_stop(g);
    rfl_gather_close_files(g, 1);

    (void) pthread_cond_destroy(&g->wake);
    (void) pthread_mutex_destroy(&g->mutex);

    rfl_sources_free(g->table);
    rfl_buf_free(&g->batch.records);
    free(g->batch.numbers);
    free(g->batch.lengths);

    if (g->lock_fd != -1) {
        (void) close(g->lock_fd);
    }

    free(g);
}


static void *
rfl_gather_main(void *data)
{
    rfl_gather_t *g = data;

    int       stop;
    unsigned  n, ms;

    ms = RFL_GATHER_WAIT_MAX_MS;

    do {
        rfl_gather_wait(g, ms);

        n = 0;

        do {
            (void) pthread_mutex_lock(&g->mutex);

            stop = g->stop;
            ms = rfl_gather_read(g);
            n += ms;

            (void) pthread_mutex_unlock(&g->mutex);

        } while (ms >= RFL_GATHER_PIECE && n < 64 * RFL_GATHER_PIECE);

        ms = n * 8 >= RFL_RING_SLOTS ? RFL_GATHER_WAIT_MIN_MS
             : n != 0 ? RFL_GATHER_WAIT_MAX_MS / 4 : RFL_GATHER_WAIT_MAX_MS;

    } while (!stop);

    return NULL;
}


static void
rfl_gather_wait(rfl_gather_t *g, unsigned ms)
{
    (void) pthread_mutex_lock(&g->mutex);

    if (!g->stop) {
        rfl_thread_cond_wait(&g->wake, &g->mutex, rfl_clock_ms() + ms);
    }

    (void) pthread_mutex_unlock(&g->mutex);
}


/* Returns how many records were read. */

static unsigned
rfl_gather_read(rfl_gather_t *g)
{
    size_t    i;
    uint64_t  now_ms;
    unsigned  n;

    if (!g->loaded) {
        return 0;
    }

    now_ms = rfl_clock_ms();

    for (i = 0, n = 0; i < RFL_LEDGER_RINGS && n < RFL_GATHER_PIECE; i++) {
        if (g->files[i].counters != NULL) {
            n += rfl_gather_read_file(g, &g->files[i], now_ms,
                                      RFL_GATHER_PIECE - n);
        }
    }

    g->head.read += n;

    return n;
}


static unsigned
rfl_gather_read_file(rfl_gather_t *g, rfl_gather_file_t *file,
    uint64_t now_ms, unsigned most)
{
    unsigned      n;
    rfl_event_t   event;
    rfl_sources_entry_t  source;

    for (n = 0; n < most; n++) {

        if (rfl_ring_next(&file->reader, file->counters, now_ms, &event)
            != RFL_OK)
        {
            break;
        }

        if (rfl_source_of_event(&event, &source)) {
            rfl_sources_add(g->table, &source);
        }
    }

    if (n != 0 || file->reader.missed != file->missed) {
        g->head.missed += file->reader.missed - file->missed;
        file->missed = file->reader.missed;
        g->changed = 1;
    }

    return n;
}


/*
 * flock() is the file description's, which is this process's alone: nothing of
 * it survives the process.  PATH is looked at anew until it is ours.
 */

int
rfl_gather_owns(rfl_gather_t *g)
{
    int  fd;

    if (g->lock_fd != -1) {
        return 1;
    }

    fd = open(g->conf->path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        return 0;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) != 0) {
        (void) close(fd);
        return 0;
    }

    g->lock_fd = fd;

    return 1;
}


rfl_rc_t
rfl_gather_attend(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger, rfl_error_t *err)
{
    rfl_rc_t  rc;

    if (ledger == NULL) {
        return RFL_OK;
    }

    if (!rfl_gather_owns(g)) {
        return rfl_gather_watch(g, rt, ledger, err);
    }

    if (rfl_ledger_begin(ledger, NULL) != RFL_OK) {
        return RFL_OK;
    }

    (void) pthread_mutex_lock(&g->mutex);

    rc = rfl_gather_load(g, rt, ledger, err);

    if (rc == RFL_OK) {
        rfl_gather_files(g, rt, ledger);
    }

    (void) pthread_mutex_unlock(&g->mutex);

    rfl_ledger_end(ledger);

    return rc;
}


/*
 * Another nginx that has the lock reads these rings, too.  Whoever else has it,
 * a script that calls flock(1) or a file system without locks, would stop it
 * for good, and nobody would know.
 */

static rfl_rc_t
rfl_gather_watch(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger, rfl_error_t *err)
{
    if (rt->counters == NULL) {
        return RFL_OK;
    }

    if (g->watched_id != rt->counters->header->file_id
        || rt->now - g->watched >= RFL_GATHER_WATCH + g->conf->flush_ms / 500)
    {

        if (rfl_ledger_begin(ledger, NULL) != RFL_OK) {
            return RFL_OK;
        }

        rfl_gather_look(g, rt, ledger);
        rfl_ledger_end(ledger);
    }

    return !g->unread ? RFL_OK
           : rfl_fail(err, RFL_BUSY, "%s: flock() on it is another program's "
                      "or fails, and nobody reads what requests leave for "
                      "the table of sources", g->conf->path);
}


static void
rfl_gather_look(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger)
{
    size_t              i;
    uint64_t            left, taken;
    rfl_ledger_ring_t   ring;
    rfl_ring_reader_t   heads;

    rfl_ring_start(&heads, rt->counters);

    if (rfl_ledger_ring(ledger, rt->counters->header->file_id, &ring)
        != RFL_OK)
    {
        memset(ring.next, 0, sizeof(ring.next));
    }

    for (i = 0, left = 0, taken = 0; i < RFL_RINGS; i++) {
        left += heads.next[i];
        taken += ring.next[i];
    }

    g->unread = g->watched_id == rt->counters->header->file_id
                && rt->now > g->watched  /* no clock was set back */
                && g->left > g->taken && taken == g->taken;

    g->watched = rt->now;
    g->watched_id = rt->counters->header->file_id;
    g->left = left;
    g->taken = taken;
}


void
rfl_gather_renew(rfl_gather_t *g)
{
    (void) pthread_mutex_lock(&g->mutex);

    g->known = 0;

    (void) pthread_mutex_unlock(&g->mutex);
}


/*
 * A ledger that was replaced by an older one of the same registry, or made
 * anew, lacks what is known here: it gets all of it.
 */

static rfl_rc_t
rfl_gather_load(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger, rfl_error_t *err)
{
    rfl_rc_t       rc;
    const u_char  *uuid;

    uuid = rfl_ledger_uuid(ledger);

    if (g->known) {
        return g->refused ? RFL_BAD_VERSION : RFL_OK;
    }

    g->known = 1;
    g->refused = 0;

    if (g->loaded && memcmp(uuid, g->uuid, 16) == 0) {
        rfl_gather_write_all(g);
        return RFL_OK;
    }

    memcpy(g->uuid, uuid, 16);
    g->loaded = 0;
    g->changed = 0;

    rfl_gather_close_files(g, 1);
    rfl_sources_clear(g->table);
    memset(&g->head, 0, sizeof(rfl_ledger_sources_t));

    rc = rfl_gather_load_rows(g, ledger);

    if (rc == RFL_BAD_VERSION) {
        g->refused = 1;
        rfl_sources_clear(g->table);

        return rfl_fail(err, rc, "%s/ledger: the table of sources was written "
                        "by another version: no sources are noted",
                        g->conf->path);
    }

    if (rc != RFL_OK) {
        g->known = 0;                    /* tried again */
        return RFL_OK;
    }

    if (g->head.began == 0) {
        g->head.began = rt->now;
        g->changed = 1;
    }

    g->head.rows = rfl_sources_max(g->table);
    g->loaded = 1;

    return RFL_OK;
}


/*
 * A row that makes no sense is left out; its place is written over.  What it
 * had nobody knows: no more than was ever read.
 */

static rfl_rc_t
rfl_gather_load_rows(rfl_gather_t *g, rfl_ledger_t *ledger)
{
    int                   has_filter;
    uint32_t              number;
    rfl_rc_t              rc;
    rfl_sources_entry_t   source;
    rfl_ledger_filter_t   filter;

    rc = rfl_ledger_get_sources(ledger, &g->head);

    if (rc == RFL_NOT_FOUND || rc == RFL_DAMAGED) {
        memset(&g->head, 0, sizeof(rfl_ledger_sources_t));

    } else if (rc != RFL_OK) {
        return rc;
    }

    has_filter = rfl_gather_get_filter(g, ledger, &filter);

    if (has_filter) {
        rfl_sources_set_secret(g->table, &filter.secret);
    }

    for (number = 0; number < rfl_sources_max(g->table); number++) {
        rc = rfl_ledger_next_source(ledger, &number, &source);

        /* the table has no such place, and behind the last number is 0 */

        if (rc == RFL_NOT_FOUND || number >= rfl_sources_max(g->table)) {
            break;
        }

        if (rc != RFL_OK && rc != RFL_DAMAGED) {
            return rc;
        }

        if (rc == RFL_DAMAGED
            || rfl_sources_load(g->table, number, &source) != RFL_OK)
        {
            g->head.floor = g->head.read;
            has_filter = 0;
        }
    }

    rfl_sources_loaded(g->table, g->head.floor);

    if (has_filter) {
        (void) rfl_ledger_load_filter(ledger, &filter, g->table);
    }

    return RFL_OK;
}


/* Without one of these very rows the table begins another. */

static int
rfl_gather_get_filter(const rfl_gather_t *g, rfl_ledger_t *ledger,
    rfl_ledger_filter_t *filter)
{
    return rfl_ledger_get_filter(ledger, filter) == RFL_OK
           && filter->read == g->head.read
           && filter->start <= g->head.floor;
}


static void
rfl_gather_write_all(rfl_gather_t *g)
{
    uint32_t  i;

    for (i = 0; i < rfl_sources_max(g->table); i++) {
        if (rfl_sources_get(g->table, i) != NULL) {
            rfl_sources_set_dirty(g->table, i);
        }
    }

    g->changed = 1;
}


static void
rfl_gather_files(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger)
{
    size_t  i;

    for (i = 0; i < RFL_LEDGER_RINGS; i++) {
        g->files[i].wanted = g->files[i].other
                             && !rfl_counters_retired(g->files[i].counters);
    }

    for (i = 0; i < rt->nlost; i++) {
        rfl_gather_want(g, rt, rt->lost[i], ledger);
    }

    if (rt->memory != NULL && rt->memory != rt->counters) {
        rfl_gather_want(g, rt, rt->memory, ledger);
    }

    if (rt->counters != NULL) {
        rfl_gather_want(g, rt, rt->counters, ledger);
    }

    rfl_gather_others(g, rt, ledger);
    rfl_gather_close_files(g, 0);
}


static void
rfl_gather_want(rfl_gather_t *g, const rfl_runtime_t *rt,
    const rfl_counters_t *counters, rfl_ledger_t *ledger)
{
    uint64_t            file_id;
    rfl_gather_file_t  *file;

    if (memcmp(counters->header->uuid, g->uuid, 16) != 0) {
        return;
    }

    file_id = counters->header->file_id;
    file = rfl_gather_find(g, file_id);

    if (file == NULL) {
        file = rfl_gather_find(g, 0);

        if (file == NULL) {
            return;
        }

        file->counters = rfl_gather_map(g, rt, counters == rt->memory
                                               ? NULL : counters->path,
                                        file_id);
        if (file->counters == NULL) {
            return;
        }

        rfl_gather_start_at(g, file, ledger);
    }

    file->wanted = 1;
    file->other = 0;
}


/*
 * Files of other nginxes.  Most that the ledger knows are of boots before this
 * one: there is no such file, or another one has its name.
 */

static void
rfl_gather_others(rfl_gather_t *g, const rfl_runtime_t *rt,
    rfl_ledger_t *ledger)
{
    uint64_t           after;
    rfl_ledger_file_t  file;

    if (rt->now - g->others < RFL_GATHER_OTHERS) {
        return;
    }

    g->others = rt->now;

    for (after = 0;
         rfl_ledger_next_file(ledger, after, &file) == RFL_OK;
         after = file.file_id)
    {
        if (file.path.len != 0 && file.flushed_ms + RFL_LEDGER_DEAD_MS
                                  > rt->now * 1000
            && rfl_gather_find(g, file.file_id) == NULL)
        {
            rfl_gather_other(g, rt, &file, ledger);
        }
    }
}


static void
rfl_gather_other(rfl_gather_t *g, const rfl_runtime_t *rt,
    const rfl_ledger_file_t *file, rfl_ledger_t *ledger)
{
    char                path[RFL_URL_MAX];
    rfl_gather_file_t  *place;

    place = rfl_gather_find(g, 0);

    if (place == NULL || file->path.len >= sizeof(path)) {
        return;
    }

    memcpy(path, file->path.data, file->path.len);
    path[file->path.len] = '\0';

    place->counters = rfl_gather_map(g, rt, path, file->file_id);

    if (place->counters == NULL) {
        return;
    }

    if (rfl_counters_retired(place->counters)) {
        rfl_counters_close(place->counters);
        place->counters = NULL;
        return;
    }

    place->wanted = 1;
    place->other = 1;
    rfl_gather_start_at(g, place, ledger);
}


/* 0: a place that is free.  NULL: there is none such. */

static rfl_gather_file_t *
rfl_gather_find(rfl_gather_t *g, uint64_t file_id)
{
    size_t              i;
    rfl_gather_file_t  *file;

    for (i = 0; i < RFL_LEDGER_RINGS; i++) {
        file = &g->files[i];

        if (file->counters == NULL
            ? file_id == 0 : file->counters->header->file_id == file_id)
        {
            return file;
        }
    }

    return NULL;
}


/* path NULL: the volatile file. */

static rfl_counters_t *
rfl_gather_map(rfl_gather_t *g, const rfl_runtime_t *rt, const char *path,
    uint64_t file_id)
{
    rfl_rc_t         rc;
    rfl_counters_t  *own;

    rc = path == NULL
         ? rfl_counters_volatile_open(&own, g->conf->volatile_fd, g->uuid, 0,
                                      g->conf->max_ids, RFL_COUNTERS_GROW,
                                      rt->now, NULL)
         : rfl_counters_open(&own, path, g->uuid, 0, g->conf->max_ids,
                             RFL_COUNTERS_READ, rt->now, NULL);

    if (rc != RFL_OK) {
        return NULL;
    }

    if (own->header->file_id != file_id) {
        rfl_counters_close(own);
        return NULL;
    }

    return own;
}


/*
 * A file nobody knows is read from its beginning.  Where there was no table
 * before it may be years old: what its rings do not hold any more is not missed
 * by a table that had not begun.
 */

static void
rfl_gather_start_at(rfl_gather_t *g, rfl_gather_file_t *file,
    rfl_ledger_t *ledger)
{
    unsigned           i;
    rfl_ring_reader_t  now;
    rfl_ledger_ring_t  ring;

    rfl_ring_rewind(&file->reader);
    file->missed = 0;

    if (rfl_ledger_ring(ledger, file->counters->header->file_id, &ring)
        == RFL_OK)
    {
        memcpy(file->reader.next, ring.next, sizeof(ring.next));
        return;
    }

    if (g->head.read != 0) {
        return;
    }

    rfl_ring_start(&now, file->counters);

    for (i = 0; i < RFL_RINGS; i++) {
        if (now.next[i] > RFL_RING_SLOTS) {
            file->reader.next[i] = now.next[i] - RFL_RING_SLOTS
                                   + RFL_RING_SLOTS / 8;
        }
    }
}


/* What has gone is read to its end first. */

static void
rfl_gather_close_files(rfl_gather_t *g, int all)
{
    size_t    i;
    uint64_t  now_ms;

    now_ms = rfl_clock_ms();

    for (i = 0; i < RFL_LEDGER_RINGS; i++) {

        if (g->files[i].counters == NULL || (g->files[i].wanted && !all)) {
            continue;
        }

        if (!all) {
            g->head.read += rfl_gather_read_file(g, &g->files[i], now_ms,
                                                 RFL_RINGS * RFL_RING_SLOTS);
        }

        rfl_counters_close(g->files[i].counters);
        memset(&g->files[i], 0, sizeof(rfl_gather_file_t));
    }
}


rfl_ledger_batch_t *
rfl_gather_take(rfl_gather_t *g)
{
    int  filled;

    (void) pthread_mutex_lock(&g->mutex);

    filled = g->loaded && g->changed && rfl_gather_fill_batch(g);

    (void) pthread_mutex_unlock(&g->mutex);

    return filled ? &g->batch : NULL;
}


static int
rfl_gather_fill_batch(rfl_gather_t *g)
{
    size_t               i, len;
    u_char               record[RFL_SOURCE_RECORD_MAX];
    uint32_t             number;
    rfl_ledger_ring_t   *ring;
    rfl_ledger_batch_t  *batch;
    const rfl_sources_entry_t  *source;

    batch = &g->batch;

    rfl_gather_reset_batch(g);

    g->head.floor = rfl_sources_floor(g->table);
    g->head.used = rfl_sources_used(g->table);
    batch->head = g->head;

    for (number = 0; number < rfl_sources_max(g->table); number++) {
        source = rfl_sources_get(g->table, number);

        if (source == NULL || !rfl_sources_take_dirty(g->table, number)) {
            continue;
        }

        len = rfl_source_encode(source, record);
        rfl_buf_add(&batch->records, record, len);

        batch->numbers[batch->nrows] = number;
        batch->lengths[batch->nrows++] = len;
    }

    for (i = 0; i < RFL_LEDGER_RINGS; i++) {
        if (g->files[i].counters != NULL) {
            ring = &batch->rings[batch->nrings++];
            ring->file_id = g->files[i].counters->header->file_id;
            memcpy(ring->next, g->files[i].reader.next, sizeof(ring->next));
        }
    }

    g->changed = 0;

    if (batch->records.failed) {

        for (i = 0; i < batch->nrows; i++) {
            rfl_sources_set_dirty(g->table, batch->numbers[i]);
        }

        rfl_buf_free(&batch->records);
        g->changed = 1;

        return 0;
    }

    return 1;
}


static void
rfl_gather_reset_batch(rfl_gather_t *g)
{
    g->batch.nrows = 0;
    g->batch.nrings = 0;
    g->batch.records.len = 0;
}


void
rfl_gather_give_back(rfl_gather_t *g, rfl_rc_t rc)
{
    size_t  i;

    if (rc == RFL_OK) {
        return;
    }

    (void) pthread_mutex_lock(&g->mutex);

    for (i = 0; i < g->batch.nrows; i++) {
        rfl_sources_set_dirty(g->table, g->batch.numbers[i]);
    }

    g->changed = 1;

    (void) pthread_mutex_unlock(&g->mutex);
}


int
rfl_gather_has_filter(rfl_gather_t *g, rfl_ledger_t *ledger)
{
    return g->loaded && !g->refused && !g->changed
           && memcmp(rfl_ledger_uuid(ledger), g->uuid, 16) == 0
           && rfl_sources_has_filter(g->table);
}


rfl_rc_t
rfl_gather_put_filter(rfl_gather_t *g, rfl_ledger_t *ledger, rfl_error_t *err)
{
    return rfl_ledger_put_filter(ledger, g->table, g->head.read, err);
}
