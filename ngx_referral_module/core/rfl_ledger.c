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
 * Values begin with a version byte.  Numbers follow as varints (7 bits a
 * byte, lowest first, the high bit says that more follow); zeroes at the
 * end are left out: a link with some clicks takes a few bytes, not 128.
 */

#include "rfl_ledger.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>


#define RFL_LEDGER_VERSION     1

#define RFL_LEDGER_META_KEY    "ledger"

/* File numbers: 0 is for the folded cells of files that are gone. */
#define RFL_LEDGER_FIRST_FILE  1

#define RFL_VARINT_MAX         10        /* bytes of 64 bits */
#define RFL_LEDGER_VALUE_MAX   (1 + RFL_ZONE_FIELDS * RFL_VARINT_MAX)

/* Version, three varints and the path. */
#define RFL_LEDGER_FILE_MAX    (1 + 3 * RFL_VARINT_MAX + PATH_MAX)


typedef enum {
    RFL_LEDGER_META = 0,
    RFL_LEDGER_FILES,
    RFL_LEDGER_CELLS,
    RFL_LEDGER_ZONES,
    RFL_LEDGER_DBIS
} rfl_ledger_dbi_t;


typedef struct {
    u_char    uuid[16];
    uint32_t  next_file;
} rfl_ledger_meta_t;


struct rfl_ledger_s {
    rfl_store_t  *store;
    u_char        uuid[16];
    uint64_t      live_file_id;      /* the file last asked for, 0: none */
    uint32_t      live_number;       /* a file's number never changes */
    char          dir[PATH_MAX];
};


/* Dirty bits taken, to be given back if the flush fails. */

typedef struct {
    uint32_t  word;
    uint64_t  bits;
} rfl_ledger_taken_t;


typedef struct {
    rfl_ledger_t        *ledger;
    rfl_counters_t      *counters;
    const char          *path;           /* of the counter file */
    uint64_t             now_ms;
    uint32_t             number;         /* of the counter file */
    uint32_t             cells;          /* written */
    unsigned             full:1;
    unsigned             changed:1;      /* there is something to commit */
    rfl_ledger_taken_t  *taken;
    size_t               ntaken;
    size_t               taken_size;
} rfl_ledger_flush_t;


static rfl_rc_t rfl_ledger_check_meta(rfl_ledger_t *l, const u_char *uuid,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_make_meta(rfl_ledger_t *l, const u_char *uuid,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_get_meta(rfl_ledger_t *l, rfl_ledger_meta_t *meta,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_put_meta(rfl_ledger_t *l,
    const rfl_ledger_meta_t *meta, rfl_error_t *err);

static rfl_rc_t rfl_ledger_flush_all(rfl_ledger_flush_t *f, rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_file(rfl_ledger_flush_t *f,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_put_file(rfl_ledger_flush_t *f, uint64_t created,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_take(rfl_ledger_flush_t *f, rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_dirty(rfl_ledger_flush_t *f,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_range(rfl_ledger_flush_t *f,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_cell(rfl_ledger_flush_t *f, uint32_t id,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_flush_zone(rfl_ledger_flush_t *f,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_differs(rfl_ledger_t *l, rfl_rc_t got,
    rfl_str_t stored, const uint64_t *n, size_t fields, int *differs,
    rfl_error_t *err);
static void rfl_ledger_give_back(rfl_ledger_flush_t *f);
static uint32_t rfl_ledger_words(const rfl_counters_t *c);

static rfl_rc_t rfl_ledger_live_number(rfl_ledger_t *l, uint64_t file_id,
    uint32_t *number);
static rfl_rc_t rfl_ledger_sum_cell(rfl_cursor_t *cursor, uint32_t id,
    uint32_t live, rfl_cell_t *cell);
static rfl_rc_t rfl_ledger_sum_zone(rfl_cursor_t *cursor, uint32_t live,
    rfl_zone_t *zone);
static rfl_rc_t rfl_ledger_newest(rfl_cursor_t *cursor,
    rfl_ledger_file_t *file);

static size_t rfl_ledger_encode(u_char *out, const uint64_t *n,
    size_t fields);
static rfl_rc_t rfl_ledger_decode(rfl_str_t value, uint64_t *n,
    size_t fields);
static rfl_rc_t rfl_ledger_decode_file(rfl_str_t value,
    rfl_ledger_file_t *file, uint64_t *created);
static u_char *rfl_varint_put(u_char *p, uint64_t n);
static rfl_rc_t rfl_varint_get(rfl_str_t *rest, uint64_t *n);
static rfl_rc_t rfl_ledger_version(rfl_str_t *value);
static rfl_rc_t rfl_ledger_fail(rfl_ledger_t *l, rfl_rc_t rc,
    const char *what, rfl_error_t *err);


static const rfl_store_dbi_t  rfl_ledger_dbis[RFL_LEDGER_DBIS] = {
    { "meta",  RFL_KEY_BYTES },
    { "files", RFL_KEY_U64 },
    { "cells", RFL_KEY_U64 },
    { "zones", RFL_KEY_U32 }
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


static rfl_rc_t
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
rfl_ledger_flush(rfl_ledger_t *l, rfl_counters_t *c,
    const char *counters_path, int full, uint64_t now_ms,
    rfl_flush_stat_t *stat, rfl_error_t *err)
{
    rfl_rc_t             rc;
    rfl_ledger_flush_t   f;

    memset(stat, 0, sizeof(rfl_flush_stat_t));

    if (!c->writable) {
        return rfl_fail(err, RFL_DENIED, "%s: the counter file %s was opened "
                        "for reading", l->dir, counters_path);
    }

    memset(&f, 0, sizeof(rfl_ledger_flush_t));

    f.ledger = l;
    f.counters = c;
    f.path = counters_path;
    f.full = full ? 1 : 0;
    f.now_ms = now_ms;

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
        stat->full = f.full;

        __atomic_store_n(&c->header->flush_ms, now_ms, __ATOMIC_RELAXED);
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
    rfl_rc_t  rc;
    uint64_t  created;

    if (memcmp(f->ledger->uuid, f->counters->header->uuid, 16) != 0) {
        return rfl_fail(err, RFL_INVALID, "%s: the counter file %s belongs to "
                        "another registry", f->ledger->dir, f->path);
    }

    rc = rfl_ledger_flush_file(f, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_take(f, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = f->full ? rfl_ledger_flush_range(f, err)
                 : rfl_ledger_flush_dirty(f, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_flush_zone(f, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (!f->changed) {
        return RFL_OK;                   /* and nothing to wait for */
    }

    created = f->counters->header->created;

    return rfl_ledger_put_file(f, created, err);
}


/* Finds the file's number, or gives it the next one. */

static rfl_rc_t
rfl_ledger_flush_file(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    rfl_rc_t            rc;
    uint64_t            created;
    rfl_str_t           value;
    rfl_ledger_t       *l;
    rfl_ledger_file_t   file;
    rfl_ledger_meta_t   meta;

    l = f->ledger;

    rc = rfl_store_get_u64(l->store, RFL_LEDGER_FILES,
                           f->counters->header->file_id, &value);

    if (rc == RFL_OK) {
        rc = rfl_ledger_decode_file(value, &file, &created);
        if (rc != RFL_OK) {
            return rfl_ledger_fail(l, rc, "the record of a counter file",
                                   err);
        }

        f->number = file.number;
        f->changed = !rfl_str_eq(file.path, rfl_cstr(f->path));

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


static rfl_rc_t
rfl_ledger_put_file(rfl_ledger_flush_t *f, uint64_t created, rfl_error_t *err)
{
    size_t  len;
    u_char  value[RFL_LEDGER_FILE_MAX], *p;

    len = strlen(f->path);

    if (len > PATH_MAX) {
        return rfl_fail(err, RFL_INVALID, "%s: the counter file's path is "
                        "longer than %d bytes", f->ledger->dir, PATH_MAX);
    }

    p = value;
    *p++ = RFL_LEDGER_VERSION;

    p = rfl_varint_put(p, f->number);
    p = rfl_varint_put(p, created);
    p = rfl_varint_put(p, f->now_ms);

    memcpy(p, f->path, len);
    p += len;

    return rfl_store_put_u64(f->ledger->store, RFL_LEDGER_FILES,
                             f->counters->header->file_id,
                             rfl_str(value, (size_t) (p - value)), 0, err);
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


static rfl_rc_t
rfl_ledger_flush_dirty(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    size_t     i;
    rfl_rc_t   rc;
    uint32_t   id;
    uint64_t   bits;

    for (i = 0; i < f->ntaken; i++) {

        for (bits = f->taken[i].bits; bits != 0; bits &= bits - 1) {
            id = 64 * f->taken[i].word + (uint32_t) __builtin_ctzll(bits);

            rc = rfl_ledger_flush_cell(f, id, err);
            if (rc != RFL_OK) {
                return rc;
            }
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_ledger_flush_range(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint32_t  id, capacity;

    capacity = rfl_counters_capacity(f->counters);

    for (id = 0; id < capacity; id++) {
        rc = rfl_ledger_flush_cell(f, id, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_ledger_flush_cell(rfl_ledger_flush_t *f, uint32_t id, rfl_error_t *err)
{
    int            differs;
    size_t         len;
    u_char         value[RFL_LEDGER_VALUE_MAX];
    rfl_rc_t       rc;
    uint64_t       key;
    rfl_str_t      stored;
    rfl_cell_t     cell;
    rfl_ledger_t  *l;

    l = f->ledger;

    rfl_counters_read_cell(f->counters, id, &cell);

    len = rfl_ledger_encode(value, cell.n, RFL_CELL_FIELDS);
    if (len == 1) {
        return RFL_OK;                   /* nothing counted yet */
    }

    key = (uint64_t) id << 32 | f->number;

    rc = rfl_store_get_u64(l->store, RFL_LEDGER_CELLS, key, &stored);
    rc = rfl_ledger_differs(l, rc, stored, cell.n, RFL_CELL_FIELDS, &differs,
                            err);
    if (rc != RFL_OK || !differs) {
        return rc;
    }

    f->changed = 1;
    f->cells++;

    return rfl_store_put_u64(l->store, RFL_LEDGER_CELLS, key,
                             rfl_str(value, len), 0, err);
}


static rfl_rc_t
rfl_ledger_flush_zone(rfl_ledger_flush_t *f, rfl_error_t *err)
{
    int            differs;
    size_t         len;
    u_char         value[RFL_LEDGER_VALUE_MAX];
    rfl_rc_t       rc;
    rfl_str_t      stored;
    rfl_zone_t     zone;
    rfl_ledger_t  *l;

    l = f->ledger;

    rfl_counters_read_zone(f->counters, &zone);

    rc = rfl_store_get_u32(l->store, RFL_LEDGER_ZONES, f->number, &stored);
    rc = rfl_ledger_differs(l, rc, stored, zone.n, RFL_ZONE_FIELDS, &differs,
                            err);
    if (rc != RFL_OK || !differs) {
        return rc;
    }

    f->changed = 1;

    len = rfl_ledger_encode(value, zone.n, RFL_ZONE_FIELDS);

    return rfl_store_put_u32(l->store, RFL_LEDGER_ZONES, f->number,
                             rfl_str(value, len), 0, err);
}


/*
 * got is what reading the stored value gave.  A damaged value is written
 * anew: the live one is absolute, so that heals it.  One of another version
 * is left alone.
 */

static rfl_rc_t
rfl_ledger_differs(rfl_ledger_t *l, rfl_rc_t got, rfl_str_t stored,
    const uint64_t *n, size_t fields, int *differs, rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint64_t  old[RFL_ZONE_FIELDS];

    *differs = 1;

    if (got == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    rc = got;

    if (rc == RFL_OK) {
        rc = rfl_ledger_decode(stored, old, fields);
    }

    if (rc == RFL_OK) {
        *differs = memcmp(old, n, fields * sizeof(uint64_t)) != 0;
        return RFL_OK;
    }

    if (got == RFL_OK && rc == RFL_DAMAGED) {
        return RFL_OK;
    }

    return rfl_ledger_fail(l, rc, "stored counters", err);
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
    uint32_t       live;
    rfl_cursor_t  *cursor;

    rc = rfl_ledger_live_number(l, live_file_id, &live);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_open(l->store, RFL_LEDGER_CELLS, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_sum_cell(cursor, id, live, cell);

    rfl_cursor_close(cursor);

    return rc;
}


/* The cells of one id lie side by side, one for each counter file. */

static rfl_rc_t
rfl_ledger_sum_cell(rfl_cursor_t *cursor, uint32_t id, uint32_t live,
    rfl_cell_t *cell)
{
    rfl_rc_t    rc;
    uint64_t    key;
    rfl_str_t   found, value;
    rfl_cell_t  stored;

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

        if (live == 0 || (uint32_t) key != live) {
            rc = rfl_ledger_decode(value, stored.n, RFL_CELL_FIELDS);
            if (rc != RFL_OK) {
                return rc;
            }

            rfl_cell_merge(cell, &stored);
        }

        rc = rfl_cursor_next(cursor, &found, &value);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


rfl_rc_t
rfl_ledger_zone(rfl_ledger_t *l, uint64_t live_file_id, rfl_zone_t *zone)
{
    rfl_rc_t       rc;
    uint32_t       live;
    rfl_cursor_t  *cursor;

    rc = rfl_ledger_live_number(l, live_file_id, &live);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_open(l->store, RFL_LEDGER_ZONES, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_sum_zone(cursor, live, zone);

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


/*
 * *number is 0 for a file that was never flushed: nothing stored is its own.
 * Number 0 itself is no file's that lives.
 */

static rfl_rc_t
rfl_ledger_live_number(rfl_ledger_t *l, uint64_t file_id, uint32_t *number)
{
    rfl_rc_t            rc;
    uint64_t            created;
    rfl_str_t           value;
    rfl_ledger_file_t   file;

    *number = 0;

    if (file_id == 0) {
        return RFL_OK;
    }

    if (file_id == l->live_file_id) {
        *number = l->live_number;
        return RFL_OK;
    }

    rc = rfl_store_get_u64(l->store, RFL_LEDGER_FILES, file_id, &value);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc == RFL_OK) {
        rc = rfl_ledger_decode_file(value, &file, &created);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    l->live_file_id = file_id;
    l->live_number = file.number;
    *number = file.number;

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


/* Numbers are given in turn: between equal times the later file wins. */

static rfl_rc_t
rfl_ledger_newest(rfl_cursor_t *cursor, rfl_ledger_file_t *file)
{
    rfl_rc_t            rc;
    uint64_t            created;
    rfl_str_t           found, value;
    rfl_ledger_file_t   one;

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    while (rc == RFL_OK) {

        if (found.len != sizeof(one.file_id)) {
            return RFL_DAMAGED;
        }

        rc = rfl_ledger_decode_file(value, &one, &created);
        if (rc != RFL_OK) {
            return rc;
        }

        memcpy(&one.file_id, found.data, sizeof(one.file_id));

        if (file->number == 0 || one.flushed_ms > file->flushed_ms
            || (one.flushed_ms == file->flushed_ms
                && one.number > file->number))
        {
            *file = one;
        }

        rc = rfl_cursor_next(cursor, &found, &value);
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


static rfl_rc_t
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


/* file's path points into value; its file_id is the record's key. */

static rfl_rc_t
rfl_ledger_decode_file(rfl_str_t value, rfl_ledger_file_t *file,
    uint64_t *created)
{
    rfl_rc_t  rc;
    uint64_t  number;

    number = 0;
    file->file_id = 0;

    rc = rfl_ledger_version(&value);

    if (rc == RFL_OK) {
        rc = rfl_varint_get(&value, &number);
    }

    if (rc == RFL_OK) {
        rc = rfl_varint_get(&value, created);
    }

    if (rc == RFL_OK) {
        rc = rfl_varint_get(&value, &file->flushed_ms);
    }

    if (rc == RFL_OK && (number < RFL_LEDGER_FIRST_FILE
                         || number > UINT32_MAX))
    {
        rc = RFL_DAMAGED;
    }

    file->number = (uint32_t) number;
    file->path = value;

    return rc;
}


static u_char *
rfl_varint_put(u_char *p, uint64_t n)
{
    while (n >= 0x80) {
        *p++ = (u_char) (n | 0x80);
        n >>= 7;
    }

    *p++ = (u_char) n;

    return p;
}


static rfl_rc_t
rfl_varint_get(rfl_str_t *rest, uint64_t *n)
{
    u_char    c;
    unsigned  shift;

    *n = 0;

    for (shift = 0; shift < 64; shift += 7) {

        if (rest->len == 0) {
            return RFL_DAMAGED;
        }

        c = *rest->data++;
        rest->len--;

        if (shift == 63 && c > 1) {      /* more than 64 bits */
            return RFL_DAMAGED;
        }

        *n |= (uint64_t) (c & 0x7f) << shift;

        if (c < 0x80) {
            return RFL_OK;
        }
    }

    return RFL_DAMAGED;
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
