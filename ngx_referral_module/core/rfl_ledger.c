/*
 * The ledger: absolute values per counter file, see rfl_ledger.h.
 *
 * Why a flush can be repeated, killed and run twice at once: the write
 * transaction comes first, so flushers take turns; cells are read inside it,
 * so each reads at least what the one before it stored; what is stored is
 * the cell itself, never a difference.  Dirty bits that were taken are given
 * back if nothing was stored; those a killed flusher took are made good by
 * the next full flush.
 *
 * What a cell has grown by since it was stored goes to the history in the
 * same transaction: neither happens without the other.
 *
 * A counter file on a disk comes back from a power cut as the kernel had
 * written it, with less than the ledger has of it.  Then the cell is raised to
 * what is stored, and goes on from there: nothing is lost that was stored, and
 * nothing counted twice.  What is counted between the start and the first
 * flush may be taken for a part of what is stored.
 *
 * Values begin with a version byte.  Numbers follow as varints; zeroes at the
 * end are left out: a link with some clicks takes a few bytes, not 128.
 *
 * A counter file's record says what became of it:
 *
 *     in use -> gone -> folding -> folded
 *
 * "gone" is a suspicion that the file's next flush clears, and folding waits
 * for: a clock that jumps makes all files look old, the next full flush of
 * those alive comes within ten minutes.  From "folding" on nothing of the
 * file is accepted any more, as some of its cells are in number 0 already.
 */

#include "rfl_ledger_parts.h"
#include "rfl_varint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


#define RFL_LEDGER_VERSION     1

#define RFL_LEDGER_META_KEY    "ledger"
#define RFL_LEDGER_CLOCK_KEY   "clock"

#define RFL_LEDGER_VALUE_MAX   (1 + RFL_ZONE_FIELDS * RFL_VARINT_MAX)

/* Version, three varints, state and its varint, the path. */
#define RFL_LEDGER_FILE_MAX    (1 + 3 * RFL_VARINT_MAX + 2 + RFL_VARINT_MAX   \
                                + PATH_MAX)

/* Values of history a flush prunes, and for each block it writes. */
#define RFL_LEDGER_PRUNE       1024
#define RFL_LEDGER_PRUNE_MORE  2

/* Between flushes; what is longer is a clock that was set, or a pause. */
#define RFL_LEDGER_STEP_MS     (3600 * 1000)

/* Files that become suspects in one transaction. */
#define RFL_LEDGER_SUSPECTS    64


struct rfl_ledger_s {
    rfl_store_t  *store;
    u_char        uuid[16];
    char          dir[PATH_MAX];

    /* what was last looked up, true within its snapshot */
    uint64_t      live_txn_id;
    uint64_t      live_file_id;          /* 0: none */
    uint32_t      live_number;
    unsigned      live_folded:1;
};


/*
 * Retention is measured by a clock that follows the wall clock, to either
 * side, at most twice as fast: one that jumps years ahead must not take the
 * history with it, one that jumps back and returns not end the pruning.
 */

typedef struct {
    uint64_t  clock_ms;
    uint64_t  seen_ms;                   /* the wall clock at that flush */
} rfl_ledger_clock_t;


/* Dirty bits taken, to be given back if the flush fails. */

typedef struct {
    uint32_t  word;
    uint64_t  bits;
} rfl_ledger_taken_t;


typedef struct {
    rfl_ledger_t          *ledger;
    rfl_counters_t        *counters;
    rfl_history_t          history;
    const char            *path;         /* of the counter file */
    uint64_t               now_ms;
    const rfl_retention_t *keep;
    const rfl_flush_t     *asked;
    uint32_t               number;       /* of the counter file */
    uint32_t               cells;        /* written */
    uint32_t               blocks;       /* of history, written */
    uint32_t               pruned;
    unsigned               full:1;
    unsigned               changed:1;    /* there is something to commit */
    rfl_ledger_taken_t    *taken;
    size_t                 ntaken;
    size_t                 taken_size;
    rfl_history_block_t    grown;        /* what 64 ids have grown by */
} rfl_ledger_flush_t;


typedef struct {
    rfl_ledger_t         *ledger;
    uint64_t              live_file_id;
    uint64_t              now_ms;
    uint32_t              folded;        /* steps done */
    unsigned              changed:1;
    unsigned              found:1;       /* there is one to fold: */
    rfl_ledger_record_t   record;
    uint64_t              suspects[RFL_LEDGER_SUSPECTS];
    uint32_t              nsuspects;
    uint32_t              ids[RFL_LEDGER_FOLD_IDS];
    uint32_t              nids;
    unsigned              last:1;        /* no ids are behind these */
} rfl_ledger_fold_t;


static rfl_rc_t rfl_ledger_check_meta(rfl_ledger_t *l, const u_char *uuid,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_make_meta(rfl_ledger_t *l, const u_char *uuid,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_put_meta(rfl_ledger_t *l,
    const rfl_ledger_meta_t *meta, rfl_error_t *err);

static rfl_rc_t rfl_ledger_flush_all(rfl_ledger_flush_t *f, rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_file(rfl_ledger_flush_t *f,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_note_file(rfl_ledger_flush_t *f, rfl_error_t *err);
static rfl_rc_t rfl_ledger_raise_all(rfl_ledger_flush_t *f,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_raise_ids(rfl_ledger_flush_t *f,
    rfl_cursor_t *cursor);
static rfl_rc_t rfl_ledger_take(rfl_ledger_flush_t *f, rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_cells(rfl_ledger_flush_t *f,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_word(rfl_ledger_flush_t *f, uint32_t word,
    uint64_t bits, rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_cell(rfl_ledger_flush_t *f, uint32_t id,
    rfl_cell_t *grown, int *has_grown, rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_zone(rfl_ledger_flush_t *f,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_prune(rfl_ledger_flush_t *f,
    rfl_ledger_clock_t *clock, rfl_error_t *err);
static rfl_rc_t rfl_ledger_stored(rfl_ledger_t *l, rfl_rc_t got,
    rfl_str_t value, const uint64_t *n, uint64_t *stored, size_t fields,
    int *differs, rfl_error_t *err);
static void rfl_ledger_raise_cell(rfl_cell_t *live, rfl_cell_t *cell,
    const rfl_cell_t *stored);
static void rfl_ledger_raise(uint64_t *live, uint64_t *n,
    const uint64_t *stored, size_t fields);
static int rfl_ledger_grown(const uint64_t *n, const uint64_t *stored,
    uint64_t *grown, size_t fields);
static rfl_rc_t rfl_ledger_tick(rfl_ledger_t *l, uint64_t now_ms,
    rfl_ledger_clock_t *clock, rfl_error_t *err);
static rfl_rc_t rfl_ledger_put_clock(rfl_ledger_t *l,
    const rfl_ledger_clock_t *clock, rfl_error_t *err);
static void rfl_ledger_give_back(rfl_ledger_flush_t *f);
static uint32_t rfl_ledger_words(const rfl_counters_t *c);

static rfl_rc_t rfl_ledger_fold_step(rfl_ledger_fold_t *f, rfl_error_t *err);
static rfl_rc_t rfl_ledger_fold_find(rfl_ledger_fold_t *f, rfl_error_t *err);
static void rfl_ledger_fold_look(rfl_ledger_fold_t *f,
    const rfl_ledger_record_t *record);
static rfl_rc_t rfl_ledger_fold_suspects(rfl_ledger_fold_t *f,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_fold_collect(rfl_ledger_fold_t *f,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_fold_ids(rfl_ledger_fold_t *f,
    rfl_cursor_t *cursor);
static rfl_rc_t rfl_ledger_fold_cell(rfl_ledger_fold_t *f, uint32_t id,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_fold_zone(rfl_ledger_fold_t *f, rfl_error_t *err);
static rfl_rc_t rfl_ledger_fold_read(rfl_ledger_t *l, rfl_rc_t got,
    rfl_str_t value, uint64_t *n, size_t fields, rfl_error_t *err);
static int rfl_ledger_is_old(uint64_t ms, uint64_t now_ms, uint64_t age_ms);
static int rfl_ledger_file_is_there(const rfl_ledger_file_t *file);

static rfl_rc_t rfl_ledger_live(rfl_ledger_t *l, uint64_t file_id);
static rfl_rc_t rfl_ledger_sum_place(rfl_pages_place_t *place, uint32_t id,
    uint32_t live, rfl_cell_t *cell);
static rfl_rc_t rfl_ledger_merge_cell(rfl_str_t value, uint32_t number,
    uint32_t live, rfl_cell_t *cell);
static rfl_rc_t rfl_ledger_sum_cell(rfl_cursor_t *cursor, uint32_t id,
    uint32_t live, rfl_cell_t *cell);
static rfl_rc_t rfl_ledger_sum_zone(rfl_cursor_t *cursor, uint32_t live,
    rfl_zone_t *zone);
static rfl_rc_t rfl_ledger_seek_file(rfl_cursor_t *cursor, uint64_t file_id,
    rfl_ledger_file_t *file);
static rfl_rc_t rfl_ledger_newest(rfl_cursor_t *cursor,
    rfl_ledger_file_t *file);

static size_t rfl_ledger_encode(u_char *out, const uint64_t *n,
    size_t fields);
static rfl_rc_t rfl_ledger_put_file(rfl_ledger_t *l,
    const rfl_ledger_record_t *record, rfl_error_t *err);
static rfl_rc_t rfl_ledger_get_file(rfl_ledger_t *l, uint64_t file_id,
    rfl_ledger_record_t *record);
static rfl_rc_t rfl_ledger_version(rfl_str_t *value);
static rfl_rc_t rfl_ledger_fail(rfl_ledger_t *l, rfl_rc_t rc,
    const char *what, rfl_error_t *err);


static const rfl_store_dbi_t  rfl_ledger_dbis[RFL_LEDGER_DBIS] = {
    { "meta",    RFL_KEY_BYTES },
    { "files",   RFL_KEY_U64 },
    { "cells",   RFL_KEY_U64 },
    { "zones",   RFL_KEY_U32 },
    { "minutes", RFL_KEY_U64 },
    { "hours",   RFL_KEY_U64 },
    { "days",    RFL_KEY_U64 },
    { "states",  RFL_KEY_U32|RFL_KEY_LATER },
    { "changes", RFL_KEY_U64|RFL_KEY_LATER }
};


rfl_rc_t
rfl_ledger_open(rfl_ledger_t **lp, const char *path, const u_char *uuid,
    unsigned flags, size_t map_size, rfl_error_t *err)
{
    int            n;
    rfl_rc_t       rc;
    rfl_ledger_t  *l;

    *lp = NULL;

    l = calloc(1, sizeof(rfl_ledger_t));
    if (l == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "%s/ledger: out of memory", path);
    }

    n = snprintf(l->dir, sizeof(l->dir), "%s/ledger", path);
    if (n < 0 || (size_t) n >= sizeof(l->dir)) {
        rc = rfl_fail(err, RFL_INVALID, "%.64s.../ledger: the path is longer "
                      "than %zu bytes", path, sizeof(l->dir) - 1);
        goto failed;
    }

    rc = rfl_store_open(&l->store, l->dir, rfl_ledger_dbis, RFL_LEDGER_DBIS,
                        flags, map_size, err);
    if (rc != RFL_OK) {
        goto failed;
    }

    rc = rfl_ledger_check_meta(l, uuid, err);

    if (rc == RFL_NOT_FOUND && (flags & RFL_STORE_CREATE)) {
        rc = rfl_ledger_make_meta(l, uuid, err);
    }

    if (rc != RFL_OK) {
        goto failed;
    }

    *lp = l;

    return RFL_OK;

failed:

    rfl_ledger_close(l);

    return rc;
}


void
rfl_ledger_close(rfl_ledger_t *l)
{
    if (l == NULL) {
        return;
    }

    rfl_store_close(l->store);
    free(l);
}


rfl_store_t *
rfl_ledger_store(rfl_ledger_t *l)
{
    return l->store;
}


const u_char *
rfl_ledger_uuid(rfl_ledger_t *l)
{
    return l->uuid;
}


rfl_history_t
rfl_ledger_history(rfl_ledger_t *l)
{
    rfl_history_t  history;

    history.store = l->store;
    history.first_dbi = RFL_LEDGER_MINUTES;

    return history;
}


static rfl_rc_t
rfl_ledger_check_meta(rfl_ledger_t *l, const u_char *uuid, rfl_error_t *err)
{
    rfl_rc_t           rc;
    rfl_ledger_meta_t  meta;

    rc = rfl_store_begin(l->store, 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_get_meta(l, &meta, err);

    rfl_store_end(l->store);

    if (rc != RFL_OK) {
        return rc;
    }

    if (uuid != NULL && memcmp(meta.uuid, uuid, 16) != 0) {
        return rfl_fail(err, RFL_INVALID, "%s: this is the ledger of another "
                        "registry; move it away, or restore the registry it "
                        "belongs to", l->dir);
    }

    memcpy(l->uuid, meta.uuid, 16);

    return RFL_OK;
}


/* Another process may have been first. */

static rfl_rc_t
rfl_ledger_make_meta(rfl_ledger_t *l, const u_char *uuid, rfl_error_t *err)
{
    rfl_rc_t           rc;
    rfl_ledger_meta_t  meta;

    if (uuid == NULL) {
        return rfl_fail(err, RFL_INVALID, "%s: a new ledger needs the uuid of "
                        "its registry", l->dir);
    }

    rc = rfl_store_begin(l->store, 1, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_get_meta(l, &meta, err);

    if (rc == RFL_NOT_FOUND) {
        memcpy(meta.uuid, uuid, 16);
        meta.next_file = RFL_LEDGER_FIRST_FILE;

        rc = rfl_ledger_put_meta(l, &meta, err);
        if (rc == RFL_OK) {
            rc = rfl_store_commit(l->store, err);
        }
    }

    rfl_store_end(l->store);

    return rc == RFL_OK ? rfl_ledger_check_meta(l, uuid, err) : rc;
}


rfl_rc_t
rfl_ledger_get_meta(rfl_ledger_t *l, rfl_ledger_meta_t *meta,
    rfl_error_t *err)
{
    uint64_t   next;
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get(l->store, RFL_LEDGER_META,
                       rfl_cstr(RFL_LEDGER_META_KEY), &value);

    if (rc == RFL_NOT_FOUND) {
        return rfl_fail(err, RFL_NOT_FOUND, "%s: it is empty yet", l->dir);
    }

    if (rc == RFL_OK) {
        rc = rfl_ledger_version(&value);
    }

    if (rc == RFL_OK && value.len < 16) {
        rc = RFL_DAMAGED;
    }

    if (rc != RFL_OK) {
        return rfl_ledger_fail(l, rc, "its meta data", err);
    }

    memcpy(meta->uuid, value.data, 16);

    value.data += 16;
    value.len -= 16;

    rc = rfl_varint_get(&value, &next);
    if (rc != RFL_OK || value.len != 0 || next < RFL_LEDGER_FIRST_FILE
        || next > UINT32_MAX)
    {
        return rfl_ledger_fail(l, RFL_DAMAGED, "its meta data", err);
    }

    meta->next_file = (uint32_t) next;

    return RFL_OK;
}


static rfl_rc_t
rfl_ledger_put_meta(rfl_ledger_t *l, const rfl_ledger_meta_t *meta,
    rfl_error_t *err)
{
    u_char  value[1 + 16 + RFL_VARINT_MAX], *p;

    p = value;
    *p++ = RFL_LEDGER_VERSION;

    memcpy(p, meta->uuid, 16);
    p = rfl_varint_put(p + 16, meta->next_file);

    return rfl_store_put(l->store, RFL_LEDGER_META,
                         rfl_cstr(RFL_LEDGER_META_KEY),
                         rfl_str(value, (size_t) (p - value)), 0, err);
}


rfl_rc_t
rfl_ledger_flush(rfl_ledger_t *l, rfl_counters_t *c, const rfl_flush_t *flush,
    rfl_flush_stat_t *stat, rfl_error_t *err)
{
    rfl_rc_t             rc;
    rfl_ledger_flush_t   f;

    memset(stat, 0, sizeof(rfl_flush_stat_t));

    if (!c->writable) {
        return rfl_fail(err, RFL_DENIED, "%s: the counter file %s was opened "
                        "for reading", l->dir, flush->counters_path);
    }

    memset(&f, 0, sizeof(rfl_ledger_flush_t));

    f.ledger = l;
    f.counters = c;
    f.history = rfl_ledger_history(l);
    f.path = flush->counters_path;
    f.now_ms = flush->now_ms;
    f.keep = flush->keep;
    f.asked = flush;
    f.full = flush->full;

    rc = rfl_store_begin(l->store, 1, err);

    if (rc == RFL_OK) {
        rc = rfl_ledger_flush_all(&f, err);

        if (rc == RFL_OK && f.changed) {
            rc = rfl_store_commit(l->store, err);
        }

        rfl_store_end(l->store);
    }

    if (rc == RFL_OK) {
        stat->cells = f.cells;
        stat->pruned = f.pruned;
        stat->full = f.full;

        __atomic_store_n(&c->header->flush_ms, f.now_ms, __ATOMIC_RELAXED);
        __atomic_store_n(&c->header->flush_failing, 0, __ATOMIC_RELAXED);

    } else {
        rfl_ledger_give_back(&f);

        (void) __atomic_fetch_add(&c->header->flush_errors, 1,
                                  __ATOMIC_RELAXED);
        __atomic_store_n(&c->header->flush_failing, 1, __ATOMIC_RELAXED);
    }

    free(f.taken);

    return rc;
}


static rfl_rc_t
rfl_ledger_flush_all(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    rfl_rc_t            rc;
    rfl_ledger_clock_t  clock;

    memset(&clock, 0, sizeof(rfl_ledger_clock_t));

    if (memcmp(f->ledger->uuid, f->counters->header->uuid, 16) != 0) {
        return rfl_fail(err, RFL_INVALID, "%s: the counter file %s belongs to "
                        "another registry", f->ledger->dir, f->path);
    }

    rc = rfl_ledger_flush_file(f, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (f->full) {
        rc = rfl_ledger_raise_all(f, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    rc = rfl_ledger_take(f, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_flush_cells(f, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_flush_zone(f, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_flush_prune(f, &clock, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (f->asked->more != NULL) {
        rc = f->asked->more(f->asked->data, f->ledger, err);
        if (rc != RFL_OK) {
            return rc;
        }

        f->changed = 1;
    }

    if (!f->changed) {
        return RFL_OK;                   /* and nothing to wait for */
    }

    rc = rfl_ledger_put_clock(f->ledger, &clock, err);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_ledger_note_file(f, err);
}


/* Finds the file's number, or gives it the next one. */

static rfl_rc_t
rfl_ledger_flush_file(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    rfl_rc_t              rc;
    rfl_ledger_t         *l;
    rfl_ledger_meta_t     meta;
    rfl_ledger_record_t   record;

    l = f->ledger;

    rc = rfl_ledger_get_file(l, f->counters->header->file_id, &record);

    if (rc == RFL_OK && record.state >= RFL_LEDGER_FOLDING) {
        return rfl_fail(err, RFL_EXISTS, "%s: the counter file %s was given "
                        "up as gone; what it had counts already, it must be "
                        "replaced by a new one", l->dir, f->path);
    }

    if (rc == RFL_OK) {
        f->number = record.file.number;
        f->changed = f->full || record.state != RFL_LEDGER_IN_USE
                     || !rfl_str_eq(record.file.path, rfl_cstr(f->path));

        return RFL_OK;
    }

    if (rc != RFL_NOT_FOUND) {
        return rfl_ledger_fail(l, rc, "the record of a counter file", err);
    }

    rc = rfl_ledger_get_meta(l, &meta, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (meta.next_file == UINT32_MAX) {
        return rfl_fail(err, RFL_FULL, "%s: all numbers of counter files are "
                        "used up", l->dir);
    }

    f->number = meta.next_file++;
    f->changed = 1;

    return rfl_ledger_put_meta(l, &meta, err);
}


/* Also the sign that the file is in use. */

static rfl_rc_t
rfl_ledger_note_file(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    rfl_ledger_record_t  record;

    memset(&record, 0, sizeof(rfl_ledger_record_t));

    record.state = RFL_LEDGER_IN_USE;
    record.created = f->counters->header->created;
    record.file.file_id = f->counters->header->file_id;
    record.file.number = f->number;
    record.file.flushed_ms = f->now_ms;
    record.file.path = rfl_cstr(f->path);

    return rfl_ledger_put_file(f->ledger, &record, err);
}


/*
 * A full flush looks at what is stored, too: a cell may be empty, or without
 * its dirty bit, because the file lost it.
 */

static rfl_rc_t
rfl_ledger_raise_all(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    rfl_rc_t       rc;
    rfl_cursor_t  *cursor;

    rc = rfl_cursor_open(f->ledger->store, RFL_LEDGER_CELLS, &cursor);

    if (rc == RFL_OK) {
        rc = rfl_ledger_raise_ids(f, cursor);
        rfl_cursor_close(cursor);
    }

    return rc == RFL_OK || rc == RFL_NOT_FOUND ? RFL_OK
           : rfl_ledger_fail(f->ledger, rc, "its cells", err);
}


/* What cannot be read is for rfl_ledger_flush_cell(). */

static rfl_rc_t
rfl_ledger_raise_ids(rfl_ledger_flush_t *f, rfl_cursor_t *cursor)
{
    rfl_rc_t    rc;
    uint64_t    key;
    uint32_t    id, capacity;
    rfl_str_t   found, value;
    rfl_cell_t  cell, stored;

    capacity = rfl_counters_capacity(f->counters);

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    while (rc == RFL_OK) {

        if (found.len != sizeof(key)) {
            return RFL_DAMAGED;
        }

        memcpy(&key, found.data, sizeof(key));
        id = (uint32_t) (key >> 32);

        if ((uint32_t) key == f->number && id < capacity
            && rfl_ledger_decode(value, stored.n, RFL_CELL_FIELDS) == RFL_OK)
        {
            rfl_counters_read_cell(f->counters, id, &cell);
            rfl_ledger_raise_cell(&f->counters->cells[id], &cell, &stored);
        }

        rc = rfl_cursor_next(cursor, &found, &value);
    }

    return rc;
}


/*
 * All bits are taken before the first cell is read, and remembered: only the
 * words that were not zero, usually few.
 */

static rfl_rc_t
rfl_ledger_take(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    size_t               size;
    uint32_t             word, words;
    uint64_t             bits;
    rfl_ledger_taken_t  *taken;

    words = rfl_ledger_words(f->counters);

    for (word = 0; word < words; word++) {

        bits = rfl_counters_take_dirty(f->counters, word);
        if (bits == 0) {
            continue;
        }

        if (f->ntaken == f->taken_size) {
            size = f->taken_size == 0 ? 64 : 2 * f->taken_size;

            taken = realloc(f->taken, size * sizeof(rfl_ledger_taken_t));
            if (taken == NULL) {
                rfl_counters_give_back(f->counters, word, bits);
                return rfl_fail(err, RFL_NO_MEMORY, "%s: out of memory for "
                                "a flush", f->ledger->dir);
            }

            f->taken = taken;
            f->taken_size = size;
        }

        f->taken[f->ntaken].word = word;
        f->taken[f->ntaken].bits = bits;
        f->ntaken++;
    }

    return RFL_OK;
}


/* A word of dirty bits is a block of history. */

static rfl_rc_t
rfl_ledger_flush_cells(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    size_t    i;
    rfl_rc_t  rc;
    uint32_t  word, words;

    if (f->full) {
        words = rfl_ledger_words(f->counters);

        for (word = 0; word < words; word++) {
            rc = rfl_ledger_flush_word(f, word, UINT64_MAX, err);
            if (rc != RFL_OK) {
                return rc;
            }
        }

        return RFL_OK;
    }

    for (i = 0; i < f->ntaken; i++) {
        rc = rfl_ledger_flush_word(f, f->taken[i].word, f->taken[i].bits, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_ledger_flush_word(rfl_ledger_flush_t *f, uint32_t word, uint64_t bits,
    rfl_error_t *err)
{
    int       has_grown;
    rfl_rc_t  rc;
    uint32_t  i;

    f->grown.present = 0;

    for ( /* void */ ; bits != 0; bits &= bits - 1) {
        i = (uint32_t) __builtin_ctzll(bits);

        rc = rfl_ledger_flush_cell(f, RFL_HISTORY_BLOCK * word + i,
                                   &f->grown.cells[i], &has_grown, err);
        if (rc != RFL_OK) {
            return rc;
        }

        f->grown.present |= (uint64_t) has_grown << i;
    }

    if (f->grown.present == 0) {
        return RFL_OK;
    }

    f->blocks++;

    rc = rfl_history_add(&f->history, f->now_ms / 1000, word, &f->grown, err);

    return rc == RFL_BAD_VERSION
           ? rfl_ledger_fail(f->ledger, rc, "its history", err) : rc;
}


static rfl_rc_t
rfl_ledger_flush_cell(rfl_ledger_flush_t *f, uint32_t id, rfl_cell_t *grown,
    int *has_grown, rfl_error_t *err)
{
    int            differs;
    size_t         len;
    u_char         out[RFL_LEDGER_VALUE_MAX];
    rfl_rc_t       rc;
    uint64_t       key;
    rfl_str_t      value;
    rfl_cell_t     cell, stored;
    rfl_ledger_t  *l;

    l = f->ledger;
    *has_grown = 0;

    if (id >= rfl_counters_capacity(f->counters)) {
        return RFL_OK;
    }

    rfl_counters_read_cell(f->counters, id, &cell);

    if (rfl_ledger_encode(out, cell.n, RFL_CELL_FIELDS) == 1) {
        return RFL_OK;                   /* nothing counted yet */
    }

    key = (uint64_t) id << 32 | f->number;

    rc = rfl_store_get_u64(l->store, RFL_LEDGER_CELLS, key, &value);
    rc = rfl_ledger_stored(l, rc, value, cell.n, stored.n, RFL_CELL_FIELDS,
                           &differs, err);
    if (rc != RFL_OK || !differs) {
        return rc;
    }

    rfl_ledger_raise_cell(&f->counters->cells[id], &cell, &stored);

    len = rfl_ledger_encode(out, cell.n, RFL_CELL_FIELDS);

    memset(grown, 0, sizeof(rfl_cell_t));
    *has_grown = rfl_ledger_grown(cell.n, stored.n, grown->n, RFL_CELL_SUMS);

    f->changed = 1;
    f->cells++;

    return rfl_store_put_u64(l->store, RFL_LEDGER_CELLS, key,
                             rfl_str(out, len), 0, err);
}


static rfl_rc_t
rfl_ledger_flush_zone(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    int            differs;
    size_t         len;
    u_char         out[RFL_LEDGER_VALUE_MAX];
    rfl_rc_t       rc;
    rfl_str_t      value;
    rfl_zone_t     zone, stored, grown;
    rfl_ledger_t  *l;

    l = f->ledger;

    rfl_counters_read_zone(f->counters, &zone);

    rc = rfl_store_get_u32(l->store, RFL_LEDGER_ZONES, f->number, &value);
    rc = rfl_ledger_stored(l, rc, value, zone.n, stored.n, RFL_ZONE_FIELDS,
                           &differs, err);
    if (rc != RFL_OK || !differs) {
        return rc;
    }

    f->changed = 1;

    rfl_ledger_raise(f->counters->stripes[0].n, zone.n, stored.n,
                     RFL_ZONE_FIELDS);

    len = rfl_ledger_encode(out, zone.n, RFL_ZONE_FIELDS);

    rc = rfl_store_put_u32(l->store, RFL_LEDGER_ZONES, f->number,
                           rfl_str(out, len), 0, err);

    if (rc != RFL_OK
        || !rfl_ledger_grown(zone.n, stored.n, grown.n, RFL_ZONE_FIELDS))
    {
        return rc;
    }

    f->blocks++;

    rc = rfl_history_add_zone(&f->history, f->now_ms / 1000, &grown, err);

    return rc == RFL_BAD_VERSION
           ? rfl_ledger_fail(l, rc, "its history", err) : rc;
}


/* More than is written, so that what was left over melts away. */

static rfl_rc_t
rfl_ledger_flush_prune(rfl_ledger_flush_t *f, rfl_ledger_clock_t *clock,
    rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint64_t  now_ms;

    rc = rfl_ledger_tick(f->ledger, f->now_ms, clock, err);

    if (rc != RFL_OK || f->keep == NULL) {
        return rc;
    }

    now_ms = clock->clock_ms < f->now_ms ? clock->clock_ms : f->now_ms;

    rc = rfl_history_prune(&f->history, f->keep, now_ms / 1000,
                           RFL_LEDGER_PRUNE
                           + RFL_LEDGER_PRUNE_MORE * f->blocks,
                           &f->pruned, err);

    if (f->pruned > 0) {
        f->changed = 1;
    }

    return rc;
}


/*
 * got is what reading the stored value gave.  A damaged value is written
 * anew: the live one is absolute, so that heals it; what it had grown by is
 * not known and counts as nothing.  One of another version is left alone.
 */

static rfl_rc_t
rfl_ledger_stored(rfl_ledger_t *l, rfl_rc_t got, rfl_str_t value,
    const uint64_t *n, uint64_t *stored, size_t fields, int *differs,
    rfl_error_t *err)
{
    rfl_rc_t  rc;

    *differs = 1;

    if (got == RFL_NOT_FOUND) {
        memset(stored, 0, fields * sizeof(uint64_t));
        return RFL_OK;
    }

    rc = got;

    if (rc == RFL_OK) {
        rc = rfl_ledger_decode(value, stored, fields);
    }

    if (rc == RFL_OK) {
        *differs = memcmp(stored, n, fields * sizeof(uint64_t)) != 0;
        return RFL_OK;
    }

    if (got == RFL_OK && rc == RFL_DAMAGED) {
        memcpy(stored, n, fields * sizeof(uint64_t));
        return RFL_OK;
    }

    return rfl_ledger_fail(l, rc, "stored counters", err);
}


/* The times are the lowest and the highest: others may set them meanwhile. */

static void
rfl_ledger_raise_cell(rfl_cell_t *live, rfl_cell_t *cell,
    const rfl_cell_t *stored)
{
    uint64_t  first, last;

    rfl_ledger_raise(live->n, cell->n, stored->n, RFL_CELL_SUMS);

    first = stored->n[RFL_CELL_FIRST_SEEN];
    last = stored->n[RFL_CELL_LAST_SEEN];

    if (first != 0 && (cell->n[RFL_CELL_FIRST_SEEN] == 0
                       || first < cell->n[RFL_CELL_FIRST_SEEN]))
    {
        cell->n[RFL_CELL_FIRST_SEEN] = first;
        __atomic_store_n(&live->n[RFL_CELL_FIRST_SEEN], first,
                         __ATOMIC_RELAXED);
    }

    if (last > cell->n[RFL_CELL_LAST_SEEN]) {
        cell->n[RFL_CELL_LAST_SEEN] = last;
        rfl_counters_seen(live, last);
    }
}


/* Added, not set: others count meanwhile. */

static void
rfl_ledger_raise(uint64_t *live, uint64_t *n, const uint64_t *stored,
    size_t fields)
{
    size_t  i;

    for (i = 0; i < fields; i++) {
        if (n[i] < stored[i]) {
            rfl_counters_add(&live[i], stored[i] - n[i]);
            n[i] = stored[i];
        }
    }
}


/* A counter never goes down: one that did was raised. */

static int
rfl_ledger_grown(const uint64_t *n, const uint64_t *stored, uint64_t *grown,
    size_t fields)
{
    int     any;
    size_t  i;

    any = 0;

    for (i = 0; i < fields; i++) {
        grown[i] = n[i] > stored[i] ? n[i] - stored[i] : 0;
        any |= grown[i] != 0;
    }

    return any;
}


/* A clock that was never stored, or is damaged, begins now. */

static rfl_rc_t
rfl_ledger_tick(rfl_ledger_t *l, uint64_t now_ms, rfl_ledger_clock_t *clock,
    rfl_error_t *err)
{
    rfl_rc_t   rc;
    uint64_t   step;
    rfl_str_t  value;

    rc = rfl_store_get(l->store, RFL_LEDGER_META,
                       rfl_cstr(RFL_LEDGER_CLOCK_KEY), &value);

    if (rc == RFL_OK) {
        rc = rfl_ledger_version(&value);
    }

    if (rc == RFL_OK) {
        rc = rfl_varint_get(&value, &clock->clock_ms);
    }

    if (rc == RFL_OK) {
        rc = rfl_varint_get(&value, &clock->seen_ms);
    }

    if (rc == RFL_NOT_FOUND || rc == RFL_DAMAGED) {
        clock->clock_ms = now_ms;
        clock->seen_ms = now_ms;
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rfl_ledger_fail(l, rc, "its meta data", err);
    }

    step = now_ms > clock->seen_ms ? now_ms - clock->seen_ms : 0;
    clock->seen_ms = now_ms;

    step = step <= RFL_LEDGER_STEP_MS ? 2 * step : 0;

    /*
     * A wall clock that is behind for a moment, as after a boot without a
     * clock, must not take this one with it: it would not come back.
     */

    if (clock->clock_ms < now_ms) {
        clock->clock_ms += step < now_ms - clock->clock_ms
                           ? step : now_ms - clock->clock_ms;

    } else {
        clock->clock_ms -= step < clock->clock_ms - now_ms
                           ? step : clock->clock_ms - now_ms;
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_ledger_put_clock(rfl_ledger_t *l, const rfl_ledger_clock_t *clock,
    rfl_error_t *err)
{
    u_char  value[1 + 2 * RFL_VARINT_MAX], *p;

    p = value;
    *p++ = RFL_LEDGER_VERSION;

    p = rfl_varint_put(p, clock->clock_ms);
    p = rfl_varint_put(p, clock->seen_ms);

    return rfl_store_put(l->store, RFL_LEDGER_META,
                         rfl_cstr(RFL_LEDGER_CLOCK_KEY),
                         rfl_str(value, (size_t) (p - value)), 0, err);
}


static void
rfl_ledger_give_back(rfl_ledger_flush_t *f)
{
    size_t  i;

    for (i = 0; i < f->ntaken; i++) {
        rfl_counters_give_back(f->counters, f->taken[i].word,
                               f->taken[i].bits);
    }
}


static uint32_t
rfl_ledger_words(const rfl_counters_t *c)
{
    return (rfl_counters_capacity(c) + 63) / 64;
}


rfl_rc_t
rfl_ledger_fold(rfl_ledger_t *l, uint64_t live_file_id, uint64_t now_ms,
    uint32_t *folded, rfl_error_t *err)
{
    rfl_rc_t            rc;
    rfl_ledger_fold_t   f;

    *folded = 0;

    memset(&f, 0, sizeof(rfl_ledger_fold_t));

    f.ledger = l;
    f.live_file_id = live_file_id;
    f.now_ms = now_ms;

    rc = rfl_store_begin(l->store, 1, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_fold_step(&f, err);

    if (rc == RFL_OK && f.changed) {
        rc = rfl_store_commit(l->store, err);
    }

    rfl_store_end(l->store);

    if (rc == RFL_OK) {
        *folded = f.folded;
    }

    return rc;
}


static rfl_rc_t
rfl_ledger_fold_step(rfl_ledger_fold_t *f, rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint32_t  i;

    rc = rfl_ledger_fold_find(f, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (!f->found) {
        return rfl_ledger_fold_suspects(f, err);
    }

    f->changed = 1;

    rc = rfl_ledger_fold_collect(f, err);

    for (i = 0; rc == RFL_OK && i < f->nids; i++) {
        rc = rfl_ledger_fold_cell(f, f->ids[i], err);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (f->last) {
        rc = rfl_ledger_fold_zone(f, err);
        if (rc != RFL_OK) {
            return rc;
        }

        f->folded++;
        f->record.state = RFL_LEDGER_DONE;
        f->record.state_arg = f->now_ms;

    } else {
        f->record.state = RFL_LEDGER_FOLDING;
    }

    f->record.file.path = rfl_str(NULL, 0);

    return rfl_ledger_put_file(f->ledger, &f->record, err);
}


/* One that is being folded comes first; else new suspects are noted. */

static rfl_rc_t
rfl_ledger_fold_find(rfl_ledger_fold_t *f, rfl_error_t *err)
{
    rfl_rc_t              rc;
    rfl_str_t             found, value;
    rfl_cursor_t         *cursor;
    rfl_ledger_record_t   record;

    rc = rfl_cursor_open(f->ledger->store, RFL_LEDGER_FILES, &cursor);
    if (rc != RFL_OK) {
        return rfl_ledger_fail(f->ledger, rc, "its counter files", err);
    }

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    while (rc == RFL_OK) {

        if (found.len != sizeof(record.file.file_id)) {
            rc = RFL_DAMAGED;
            break;
        }

        rc = rfl_ledger_decode_file(value, &record);
        if (rc != RFL_OK) {
            break;
        }

        memcpy(&record.file.file_id, found.data, found.len);

        rfl_ledger_fold_look(f, &record);

        if (f->found && f->record.state == RFL_LEDGER_FOLDING) {
            break;
        }

        rc = rfl_cursor_next(cursor, &found, &value);
    }

    rfl_cursor_close(cursor);

    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        return rfl_ledger_fail(f->ledger, rc, "the record of a counter file",
                               err);
    }

    return RFL_OK;
}


static void
rfl_ledger_fold_look(rfl_ledger_fold_t *f, const rfl_ledger_record_t *record)
{
    if (record->state == RFL_LEDGER_FOLDING) {
        f->found = 1;
        f->record = *record;
        return;
    }

    if (record->state == RFL_LEDGER_DONE
        || record->file.file_id == f->live_file_id
        || !rfl_ledger_is_old(record->file.flushed_ms, f->now_ms,
                              RFL_LEDGER_DEAD_MS)
        || rfl_ledger_file_is_there(&record->file))
    {
        return;
    }

    if (record->state == RFL_LEDGER_IN_USE) {
        if (f->nsuspects < RFL_LEDGER_SUSPECTS) {
            f->suspects[f->nsuspects++] = record->file.file_id;
        }

        return;
    }

    if (!f->found
        && rfl_ledger_is_old(record->state_arg, f->now_ms,
                             RFL_LEDGER_WAIT_MS))
    {
        f->found = 1;
        f->record = *record;
        f->record.state_arg = 0;         /* the first id */
    }
}


static rfl_rc_t
rfl_ledger_fold_suspects(rfl_ledger_fold_t *f, rfl_error_t *err)
{
    char                  path[PATH_MAX];
    rfl_rc_t              rc;
    uint32_t              i;
    rfl_ledger_record_t   record;

    for (i = 0; i < f->nsuspects; i++) {

        rc = rfl_ledger_get_file(f->ledger, f->suspects[i], &record);
        if (rc != RFL_OK) {
            return rfl_ledger_fail(f->ledger, rc, "the record of a counter "
                                   "file", err);
        }

        /* what is read is gone with the write */

        if (record.file.path.len > sizeof(path)) {
            record.file.path.len = 0;
        }

        memcpy(path, record.file.path.data, record.file.path.len);
        record.file.path.data = (u_char *) path;

        record.state = RFL_LEDGER_GONE;
        record.state_arg = f->now_ms;

        rc = rfl_ledger_put_file(f->ledger, &record, err);
        if (rc != RFL_OK) {
            return rc;
        }

        f->changed = 1;
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_ledger_fold_collect(rfl_ledger_fold_t *f, rfl_error_t *err)
{
    rfl_rc_t       rc;
    rfl_cursor_t  *cursor;

    rc = rfl_cursor_open(f->ledger->store, RFL_LEDGER_CELLS, &cursor);

    if (rc == RFL_OK) {
        rc = rfl_ledger_fold_ids(f, cursor);
        rfl_cursor_close(cursor);
    }

    if (rc == RFL_NOT_FOUND) {
        f->last = 1;
        return RFL_OK;
    }

    return rc == RFL_OK ? RFL_OK
                        : rfl_ledger_fail(f->ledger, rc, "its cells", err);
}


/* The ids of this file's cells; those which only others have are passed. */

static rfl_rc_t
rfl_ledger_fold_ids(rfl_ledger_fold_t *f, rfl_cursor_t *cursor)
{
    rfl_rc_t   rc;
    uint64_t   key, id;
    rfl_str_t  found, value;

    id = f->record.state_arg;

    while (f->folded < RFL_LEDGER_FOLD_IDS) {

        if (id > UINT32_MAX) {
            return RFL_NOT_FOUND;
        }

        key = id << 32 | f->record.file.number;

        rc = rfl_cursor_seek(cursor, rfl_str(&key, sizeof(key)), &found,
                             &value);
        if (rc != RFL_OK) {
            return rc;
        }

        if (found.len != sizeof(key)) {
            return RFL_DAMAGED;
        }

        memcpy(&key, found.data, sizeof(key));

        f->folded++;

        if ((uint32_t) key == f->record.file.number) {
            id = key >> 32;
            f->ids[f->nids++] = (uint32_t) id++;

        } else if ((uint32_t) key < f->record.file.number) {
            id = key >> 32;              /* it may still have one */

        } else {
            id = (key >> 32) + 1;
        }

        f->record.state_arg = id;
    }

    return RFL_OK;
}


/*
 * A cell that cannot be read stays where it is: reading the total tells, and
 * nothing else is lost by it.
 */

static rfl_rc_t
rfl_ledger_fold_cell(rfl_ledger_fold_t *f, uint32_t id, rfl_error_t *err)
{
    size_t         len;
    u_char         out[RFL_LEDGER_VALUE_MAX];
    rfl_rc_t       rc;
    uint64_t       from, to;
    rfl_str_t      value;
    rfl_cell_t     cell, sum;
    rfl_ledger_t  *l;

    l = f->ledger;

    from = (uint64_t) id << 32 | f->record.file.number;
    to = (uint64_t) id << 32 | RFL_LEDGER_FOLDED;

    rc = rfl_store_get_u64(l->store, RFL_LEDGER_CELLS, from, &value);
    rc = rfl_ledger_fold_read(l, rc, value, cell.n, RFL_CELL_FIELDS, err);

    if (rc == RFL_OK) {
        rc = rfl_store_get_u64(l->store, RFL_LEDGER_CELLS, to, &value);
        rc = rfl_ledger_fold_read(l, rc, value, sum.n, RFL_CELL_FIELDS, err);
    }

    if (rc == RFL_DAMAGED) {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    rfl_cell_merge(&sum, &cell);

    len = rfl_ledger_encode(out, sum.n, RFL_CELL_FIELDS);

    rc = rfl_store_put_u64(l->store, RFL_LEDGER_CELLS, to, rfl_str(out, len),
                           0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_store_del_u64(l->store, RFL_LEDGER_CELLS, from, err);
}


static rfl_rc_t
rfl_ledger_fold_zone(rfl_ledger_fold_t *f, rfl_error_t *err)
{
    size_t         len;
    u_char         out[RFL_LEDGER_VALUE_MAX];
    rfl_rc_t       rc;
    uint32_t       number;
    rfl_str_t      value;
    rfl_zone_t     zone, sum;
    rfl_ledger_t  *l;

    l = f->ledger;
    number = f->record.file.number;

    rc = rfl_store_get_u32(l->store, RFL_LEDGER_ZONES, number, &value);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    rc = rfl_ledger_fold_read(l, rc, value, zone.n, RFL_ZONE_FIELDS, err);

    if (rc == RFL_OK) {
        rc = rfl_store_get_u32(l->store, RFL_LEDGER_ZONES, RFL_LEDGER_FOLDED,
                               &value);
        rc = rfl_ledger_fold_read(l, rc, value, sum.n, RFL_ZONE_FIELDS, err);
    }

    if (rc == RFL_DAMAGED) {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    rfl_zone_merge(&sum, &zone);

    len = rfl_ledger_encode(out, sum.n, RFL_ZONE_FIELDS);

    rc = rfl_store_put_u32(l->store, RFL_LEDGER_ZONES, RFL_LEDGER_FOLDED,
                           rfl_str(out, len), 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_store_del_u32(l->store, RFL_LEDGER_ZONES, number, err);
}


/*
 * got is what reading the stored value gave; none is zeroes.  RFL_DAMAGED is
 * the value's alone: where its page cannot be read the folding must not go on
 * without it.
 */

static rfl_rc_t
rfl_ledger_fold_read(rfl_ledger_t *l, rfl_rc_t got, rfl_str_t value,
    uint64_t *n, size_t fields, rfl_error_t *err)
{
    rfl_rc_t  rc;

    if (got == RFL_NOT_FOUND) {
        memset(n, 0, fields * sizeof(uint64_t));
        return RFL_OK;
    }

    if (got != RFL_OK) {
        return rfl_ledger_fail(l, RFL_ERROR, "stored counters", err);
    }

    rc = rfl_ledger_decode(value, n, fields);

    if (rc == RFL_OK || rc == RFL_DAMAGED) {
        return rc;
    }

    return rfl_ledger_fail(l, rc, "stored counters", err);
}


/* In the future counts too: the clock was set back since. */

static int
rfl_ledger_is_old(uint64_t ms, uint64_t now_ms, uint64_t age_ms)
{
    return (now_ms > ms ? now_ms - ms : ms - now_ms) > age_ms;
}


/*
 * Whether the path names a counter file of this id; yes when that cannot be
 * told.  LMDB's own files are never opened: closing them would drop its locks.
 */

static int
rfl_ledger_file_is_there(const rfl_ledger_file_t *file)
{
    int                     fd, there;
    char                    path[PATH_MAX + 1], *name;
    ssize_t                 n;
    struct stat             st;
    rfl_counters_header_t   header;

    if (file->path.len == 0) {
        return 0;                        /* it was in memory alone */
    }

    if (file->path.len > PATH_MAX) {
        return 1;
    }

    memcpy(path, file->path.data, file->path.len);
    path[file->path.len] = '\0';

    if (lstat(path, &st) != 0) {
        return errno != ENOENT && errno != ENOTDIR;
    }

    name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;

    if (!S_ISREG(st.st_mode) || st.st_size < (off_t) sizeof(header)
        || strcmp(name, "data.mdb") == 0 || strcmp(name, "lock.mdb") == 0)
    {
        return 0;
    }

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK);
    if (fd == -1) {
        return errno != ENOENT && errno != ELOOP;
    }

    n = pread(fd, &header, sizeof(header), 0);

    there = n != (ssize_t) sizeof(header)
            || (memcmp(header.magic, "RFLCOUNT", 8) == 0
                && header.file_id == file->file_id);

    (void) close(fd);

    return there;
}


rfl_rc_t
rfl_ledger_begin(rfl_ledger_t *l, rfl_error_t *err)
{
    return rfl_store_begin(l->store, 0, err);
}


void
rfl_ledger_end(rfl_ledger_t *l)
{
    rfl_store_end(l->store);
}


rfl_rc_t
rfl_ledger_cell(rfl_ledger_t *l, uint64_t live_file_id, uint32_t id,
    rfl_cell_t *cell)
{
    rfl_rc_t       rc;
    rfl_cursor_t  *cursor;

    rc = rfl_ledger_live(l, live_file_id);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_open(l->store, RFL_LEDGER_CELLS, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_sum_cell(cursor, id, l->live_number, cell);

    rfl_cursor_close(cursor);

    return rc;
}


/* Where they are is found for all together, what is there read one by one. */

rfl_rc_t
rfl_ledger_cells(rfl_ledger_t *l, uint64_t live_file_id, const uint32_t *ids,
    size_t n, rfl_cell_t *cells)
{
    size_t             i;
    rfl_rc_t           rc;
    uint64_t           keys[RFL_PAGES_MANY];
    rfl_cell_t         cell;
    rfl_pages_place_t  places[RFL_PAGES_MANY];

    rc = rfl_ledger_live(l, live_file_id);

    for (i = 0; i < n; i++) {
        keys[i] = (uint64_t) ids[i] << 32;
    }

    rfl_store_places(l->store, RFL_LEDGER_CELLS, keys, n, places);

    for (i = 0; rc == RFL_OK && i < n; i++) {
        cell = cells[i];

        rc = rfl_ledger_sum_place(&places[i], ids[i], l->live_number, &cell);

        if (rc == RFL_OK) {
            cells[i] = cell;

        } else if (rc == RFL_ERROR) {
            rc = rfl_ledger_cell(l, live_file_id, ids[i], &cells[i]);
        }
    }

    return rc;
}


/* RFL_ERROR: not all of them are in this leaf, ask LMDB. */

static rfl_rc_t
rfl_ledger_sum_place(rfl_pages_place_t *place, uint32_t id, uint32_t live,
    rfl_cell_t *cell)
{
    rfl_rc_t   rc;
    uint64_t   key;
    rfl_str_t  value;

    if (place->leaf == NULL) {
        return RFL_ERROR;
    }

    for ( ;; ) {
        rc = rfl_pages_at(place, &key, &value);

        if (rc == RFL_NOT_FOUND) {
            return place->high > ((uint64_t) id << 32 | UINT32_MAX)
                   ? RFL_OK : RFL_ERROR;
        }

        if (rc != RFL_OK) {
            return rc;
        }

        if (key >> 32 != id) {
            return RFL_OK;
        }

        rc = rfl_ledger_merge_cell(value, (uint32_t) key, live, cell);
        if (rc != RFL_OK) {
            return rc;
        }

        place->at++;
    }
}


/* The cells of one id lie side by side, one for each counter file. */

static rfl_rc_t
rfl_ledger_sum_cell(rfl_cursor_t *cursor, uint32_t id, uint32_t live,
    rfl_cell_t *cell)
{
    rfl_rc_t   rc;
    uint64_t   key;
    rfl_str_t  found, value;

    key = (uint64_t) id << 32;

    rc = rfl_cursor_seek(cursor, rfl_str(&key, sizeof(key)), &found, &value);

    while (rc == RFL_OK) {

        if (found.len != sizeof(key)) {
            return RFL_DAMAGED;
        }

        memcpy(&key, found.data, sizeof(key));

        if (key >> 32 != id) {
            return RFL_OK;
        }

        rc = rfl_ledger_merge_cell(value, (uint32_t) key, live, cell);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_cursor_next(cursor, &found, &value);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


/* number: of the file it is of; live: of the one that is left out, or 0. */

static rfl_rc_t
rfl_ledger_merge_cell(rfl_str_t value, uint32_t number, uint32_t live,
    rfl_cell_t *cell)
{
    rfl_rc_t    rc;
    rfl_cell_t  stored;

    if (live != 0 && number == live) {
        return RFL_OK;
    }

    rc = rfl_ledger_decode(value, stored.n, RFL_CELL_FIELDS);

    if (rc == RFL_OK) {
        rfl_cell_merge(cell, &stored);
    }

    return rc;
}


rfl_rc_t
rfl_ledger_zone(rfl_ledger_t *l, uint64_t live_file_id, rfl_zone_t *zone)
{
    rfl_rc_t       rc;
    rfl_cursor_t  *cursor;

    rc = rfl_ledger_live(l, live_file_id);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_open(l->store, RFL_LEDGER_ZONES, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_sum_zone(cursor, l->live_number, zone);

    rfl_cursor_close(cursor);

    return rc;
}


static rfl_rc_t
rfl_ledger_sum_zone(rfl_cursor_t *cursor, uint32_t live, rfl_zone_t *zone)
{
    rfl_rc_t    rc;
    uint32_t    number;
    rfl_str_t   found, value;
    rfl_zone_t  stored;

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    while (rc == RFL_OK) {

        if (found.len != sizeof(number)) {
            return RFL_DAMAGED;
        }

        memcpy(&number, found.data, sizeof(number));

        if (live == 0 || number != live) {
            rc = rfl_ledger_decode(value, stored.n, RFL_ZONE_FIELDS);
            if (rc != RFL_OK) {
                return rc;
            }

            rfl_zone_merge(zone, &stored);
        }

        rc = rfl_cursor_next(cursor, &found, &value);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


rfl_rc_t
rfl_ledger_is_folded(rfl_ledger_t *l, uint64_t file_id, int *folded)
{
    rfl_rc_t  rc;

    rc = rfl_ledger_live(l, file_id);

    *folded = rc == RFL_OK && l->live_folded;

    return rc;
}


/*
 * live_number becomes 0 for a file nothing stored is the own of: it was never
 * flushed, or is being folded.  Number 0 itself is no file's that lives.
 */

static rfl_rc_t
rfl_ledger_live(rfl_ledger_t *l, uint64_t file_id)
{
    rfl_rc_t              rc;
    uint64_t              txn_id;
    rfl_ledger_record_t   record;

    txn_id = rfl_store_txn_id(l->store);

    if (txn_id == l->live_txn_id && file_id == l->live_file_id) {
        return RFL_OK;
    }

    l->live_txn_id = 0;
    l->live_number = 0;
    l->live_folded = 0;

    if (file_id != 0) {
        rc = rfl_ledger_get_file(l, file_id, &record);

        if (rc == RFL_OK && record.state < RFL_LEDGER_FOLDING) {
            l->live_number = record.file.number;

        } else if (rc == RFL_OK) {
            l->live_folded = 1;

        } else if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    l->live_txn_id = txn_id;
    l->live_file_id = file_id;

    return RFL_OK;
}


rfl_rc_t
rfl_ledger_max_id(rfl_ledger_t *l, uint32_t *id)
{
    rfl_rc_t       rc;
    uint64_t       key;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    *id = 0;

    rc = rfl_cursor_open(l->store, RFL_LEDGER_CELLS, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_last(cursor, &found, &value);

    if (rc == RFL_OK && found.len != sizeof(key)) {
        rc = RFL_DAMAGED;
    }

    if (rc == RFL_OK) {
        memcpy(&key, found.data, sizeof(key));
        *id = (uint32_t) (key >> 32);
    }

    rfl_cursor_close(cursor);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


rfl_rc_t
rfl_ledger_next_id(rfl_ledger_t *l, uint32_t *id)
{
    uint64_t  key;
    rfl_rc_t  rc;

    key = (uint64_t) *id << 32;

    rc = rfl_store_next(l->store, RFL_LEDGER_CELLS, &key);

    if (rc == RFL_OK) {
        *id = (uint32_t) (key >> 32);
    }

    return rc;
}


rfl_rc_t
rfl_ledger_last_file(rfl_ledger_t *l, rfl_ledger_file_t *file)
{
    rfl_rc_t       rc;
    rfl_cursor_t  *cursor;

    memset(file, 0, sizeof(rfl_ledger_file_t));

    rc = rfl_cursor_open(l->store, RFL_LEDGER_FILES, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_newest(cursor, file);

    rfl_cursor_close(cursor);

    return rc;
}


rfl_rc_t
rfl_ledger_next_file(rfl_ledger_t *l, uint64_t after,
    rfl_ledger_file_t *file)
{
    rfl_rc_t       rc;
    rfl_cursor_t  *cursor;

    memset(file, 0, sizeof(rfl_ledger_file_t));

    if (after == UINT64_MAX) {
        return RFL_NOT_FOUND;
    }

    rc = rfl_cursor_open(l->store, RFL_LEDGER_FILES, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_seek_file(cursor, after + 1, file);

    rfl_cursor_close(cursor);

    return rc;
}


static rfl_rc_t
rfl_ledger_seek_file(rfl_cursor_t *cursor, uint64_t file_id,
    rfl_ledger_file_t *file)
{
    rfl_rc_t              rc;
    rfl_str_t             found, value;
    rfl_ledger_record_t   one;

    rc = rfl_cursor_seek(cursor, rfl_str(&file_id, sizeof(file_id)), &found,
                         &value);

    for ( /* void */ ; rc == RFL_OK;
         rc = rfl_cursor_next(cursor, &found, &value))
    {
        if (found.len != sizeof(one.file.file_id)) {
            return RFL_DAMAGED;
        }

        rc = rfl_ledger_decode_file(value, &one);
        if (rc != RFL_OK) {
            return rc;
        }

        if (one.state < RFL_LEDGER_FOLDING) {
            *file = one.file;
            memcpy(&file->file_id, found.data, sizeof(file->file_id));
            return RFL_OK;
        }
    }

    return rc;
}


/* Numbers are given in turn: between equal times the later file wins. */

static rfl_rc_t
rfl_ledger_newest(rfl_cursor_t *cursor, rfl_ledger_file_t *file)
{
    rfl_rc_t              rc;
    rfl_str_t             found, value;
    rfl_ledger_record_t   one;

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    for ( /* void */ ; rc == RFL_OK;
         rc = rfl_cursor_next(cursor, &found, &value))
    {
        if (found.len != sizeof(one.file.file_id)) {
            return RFL_DAMAGED;
        }

        rc = rfl_ledger_decode_file(value, &one);
        if (rc != RFL_OK) {
            return rc;
        }

        if (one.state >= RFL_LEDGER_FOLDING) {
            continue;
        }

        memcpy(&one.file.file_id, found.data, sizeof(one.file.file_id));

        if (file->number == 0 || one.file.flushed_ms > file->flushed_ms
            || (one.file.flushed_ms == file->flushed_ms
                && one.file.number > file->number))
        {
            *file = one.file;
        }
    }

    if (rc != RFL_NOT_FOUND) {
        return rc;
    }

    return file->number != 0 ? RFL_OK : RFL_NOT_FOUND;
}


/* out holds 1 + 10 * fields bytes.  Returns the length, 1 if all are zero. */

static size_t
rfl_ledger_encode(u_char *out, const uint64_t *n, size_t fields)
{
    size_t   i;
    u_char  *p;

    while (fields > 0 && n[fields - 1] == 0) {
        fields--;
    }

    p = out;
    *p++ = RFL_LEDGER_VERSION;

    for (i = 0; i < fields; i++) {
        p = rfl_varint_put(p, n[i]);
    }

    return (size_t) (p - out);
}


rfl_rc_t
rfl_ledger_decode(rfl_str_t value, uint64_t *n, size_t fields)
{
    size_t    i;
    rfl_rc_t  rc;

    memset(n, 0, fields * sizeof(uint64_t));

    rc = rfl_ledger_version(&value);

    for (i = 0; rc == RFL_OK && value.len > 0; i++) {
        if (i == fields) {
            return RFL_DAMAGED;
        }

        rc = rfl_varint_get(&value, &n[i]);
    }

    return rc;
}


static rfl_rc_t
rfl_ledger_put_file(rfl_ledger_t *l, const rfl_ledger_record_t *record,
    rfl_error_t *err)
{
    u_char     value[RFL_LEDGER_FILE_MAX], *p;
    rfl_str_t  path;

    path = record->file.path;

    if (path.len > PATH_MAX) {
        return rfl_fail(err, RFL_INVALID, "%s: the counter file's path is "
                        "longer than %d bytes", l->dir, PATH_MAX);
    }

    p = value;
    *p++ = RFL_LEDGER_VERSION;

    p = rfl_varint_put(p, record->file.number);
    p = rfl_varint_put(p, record->created);
    p = rfl_varint_put(p, record->file.flushed_ms);

    if (record->state != RFL_LEDGER_IN_USE) {
        *p++ = '\0';
        *p++ = (u_char) record->state;
        p = rfl_varint_put(p, record->state_arg);
    }

    if (path.len > 0) {
        memcpy(p, path.data, path.len);
        p += path.len;
    }

    return rfl_store_put_u64(l->store, RFL_LEDGER_FILES, record->file.file_id,
                             rfl_str(value, (size_t) (p - value)), 0, err);
}


static rfl_rc_t
rfl_ledger_get_file(rfl_ledger_t *l, uint64_t file_id,
    rfl_ledger_record_t *record)
{
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get_u64(l->store, RFL_LEDGER_FILES, file_id, &value);

    if (rc == RFL_OK) {
        rc = rfl_ledger_decode_file(value, record);
        record->file.file_id = file_id;
    }

    return rc;
}


rfl_rc_t
rfl_ledger_decode_file(rfl_str_t value, rfl_ledger_record_t *record)
{
    rfl_rc_t  rc;
    uint64_t  number;

    memset(record, 0, sizeof(rfl_ledger_record_t));

    number = 0;

    rc = rfl_ledger_version(&value);

    if (rc == RFL_OK) {
        rc = rfl_varint_get(&value, &number);
    }

    if (rc == RFL_OK) {
        rc = rfl_varint_get(&value, &record->created);
    }

    if (rc == RFL_OK) {
        rc = rfl_varint_get(&value, &record->file.flushed_ms);
    }

    if (rc == RFL_OK && (number < RFL_LEDGER_FIRST_FILE
                         || number > UINT32_MAX))
    {
        rc = RFL_DAMAGED;
    }

    if (rc == RFL_OK && value.len > 0 && value.data[0] == '\0') {

        if (value.len < 2) {
            return RFL_DAMAGED;
        }

        if (value.data[1] < RFL_LEDGER_GONE
            || value.data[1] > RFL_LEDGER_DONE)
        {
            return RFL_BAD_VERSION;      /* a state not known here */
        }

        record->state = value.data[1];

        value.data += 2;
        value.len -= 2;

        rc = rfl_varint_get(&value, &record->state_arg);
    }

    record->file.number = (uint32_t) number;
    record->file.path = value;

    return rc;
}


/* Checks the version byte and moves behind it. */

static rfl_rc_t
rfl_ledger_version(rfl_str_t *value)
{
    if (value->len == 0) {
        return RFL_DAMAGED;
    }

    if (value->data[0] != RFL_LEDGER_VERSION) {
        return RFL_BAD_VERSION;
    }

    value->data++;
    value->len--;

    return RFL_OK;
}


static rfl_rc_t
rfl_ledger_fail(rfl_ledger_t *l, rfl_rc_t rc, const char *what,
    rfl_error_t *err)
{
    switch (rc) {

    case RFL_BAD_VERSION:
        return rfl_fail(err, rc, "%s: %s: written by another version, this "
                        "one knows %d", l->dir, what, RFL_LEDGER_VERSION);
    case RFL_DAMAGED:
        return rfl_fail(err, rc, "%s: %s: damaged; restore the ledger from a "
                        "backup", l->dir, what);
    default:
        return rfl_fail(err, rc, "%s: %s: reading failed", l->dir, what);
    }
}
