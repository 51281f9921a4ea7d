/*
 * See rfl_ledger_sources.h.  Numbers in keys have their highest byte first, so
 * that rows lie in the order of their numbers.
 */

#include "rfl_ledger_parts.h"
#include "rfl_ledger_sources.h"
#include "rfl_varint.h"


#define RFL_LEDGER_SOURCES_VERSION  1
#define RFL_LEDGER_FILTER_VERSION   1

#define RFL_LEDGER_SOURCES_KEY   "sources"
#define RFL_LEDGER_SOURCE_KEY    "source/"
#define RFL_LEDGER_RING_KEY      "source-ring/"
#define RFL_LEDGER_FILTER_KEY    "sources-filter"
#define RFL_LEDGER_CHUNK_KEY     "source-filter/"

#define RFL_LEDGER_SOURCES_NUMS  6
#define RFL_LEDGER_KEY_MAX       (sizeof(RFL_LEDGER_RING_KEY) + 8)

_Static_assert(sizeof(RFL_LEDGER_CHUNK_KEY) + 4 <= RFL_LEDGER_KEY_MAX,
               "a key fits");


static rfl_rc_t rfl_ledger_put_head(rfl_ledger_t *l,
    const rfl_ledger_sources_t *head, rfl_error_t *err);
static rfl_rc_t rfl_ledger_put_ring(rfl_ledger_t *l,
    const rfl_ledger_ring_t *ring, rfl_error_t *err);
static rfl_rc_t rfl_ledger_drop_filter(rfl_ledger_t *l, rfl_error_t *err);
static rfl_rc_t rfl_ledger_put_chunks(rfl_ledger_t *l,
    const rfl_sources_t *table, rfl_buf_t *b, uint32_t *chunks,
    rfl_error_t *err);
static rfl_rc_t rfl_ledger_put_filter_head(rfl_ledger_t *l,
    const rfl_ledger_filter_t *filter, rfl_error_t *err);
static rfl_rc_t rfl_ledger_load_chunks(rfl_ledger_t *l,
    rfl_cursor_t *cursor, rfl_sources_t *table, uint32_t *chunks);
static rfl_rc_t rfl_ledger_drop_rings(rfl_ledger_t *l, rfl_error_t *err);
static rfl_rc_t rfl_ledger_old_ring(rfl_ledger_t *l, u_char *buf,
    rfl_str_t *key);
static rfl_rc_t rfl_ledger_numbers(rfl_str_t value, uint64_t *numbers,
    size_t n);
static rfl_str_t rfl_ledger_key(u_char *buf, const char *name, uint64_t n,
    size_t bytes);
static uint64_t rfl_ledger_key_number(rfl_str_t key, size_t bytes);
static int rfl_ledger_key_is(rfl_str_t key, const char *name, size_t bytes);


rfl_rc_t
rfl_ledger_put_sources(rfl_ledger_t *l, const rfl_ledger_batch_t *batch,
    rfl_error_t *err)
{
    size_t         i, at;
    u_char         buf[RFL_LEDGER_KEY_MAX];
    rfl_rc_t       rc;
    rfl_str_t      key;
    rfl_store_t   *store;

    store = rfl_ledger_store(l);

    rc = rfl_ledger_put_head(l, &batch->head, err);

    if (rc == RFL_OK) {
        rc = rfl_ledger_drop_filter(l, err);
    }

    for (i = 0, at = 0; rc == RFL_OK && i < batch->nrows; i++) {
        key = rfl_ledger_key(buf, RFL_LEDGER_SOURCE_KEY, batch->numbers[i], 4);

        rc = rfl_store_put(store, RFL_LEDGER_META, key,
                           rfl_str(batch->records.data + at,
                                   batch->lengths[i]), 0, err);
        at += batch->lengths[i];
    }

    for (i = 0; rc == RFL_OK && i < batch->nrings; i++) {
        rc = rfl_ledger_put_ring(l, &batch->rings[i], err);
    }

    return rc == RFL_OK ? rfl_ledger_drop_rings(l, err) : rc;
}


static rfl_rc_t
rfl_ledger_put_head(rfl_ledger_t *l, const rfl_ledger_sources_t *head,
    rfl_error_t *err)
{
    u_char  value[1 + RFL_LEDGER_SOURCES_NUMS * RFL_VARINT_MAX], *p;

    p = value;
    *p++ = RFL_LEDGER_SOURCES_VERSION;

    p = rfl_varint_put(p, head->began);
    p = rfl_varint_put(p, head->read);
    p = rfl_varint_put(p, head->missed);
    p = rfl_varint_put(p, head->floor);
    p = rfl_varint_put(p, head->rows);
    p = rfl_varint_put(p, head->used);

    return rfl_store_put(rfl_ledger_store(l), RFL_LEDGER_META,
                         rfl_cstr(RFL_LEDGER_SOURCES_KEY),
                         rfl_str(value, (size_t) (p - value)), 0, err);
}


static rfl_rc_t
rfl_ledger_put_ring(rfl_ledger_t *l, const rfl_ledger_ring_t *ring,
    rfl_error_t *err)
{
    size_t   i;
    u_char   buf[RFL_LEDGER_KEY_MAX];
    u_char   value[1 + RFL_RINGS * RFL_VARINT_MAX], *p;

    p = value;
    *p++ = RFL_LEDGER_SOURCES_VERSION;

    for (i = 0; i < RFL_RINGS; i++) {
        p = rfl_varint_put(p, ring->next[i]);
    }

    return rfl_store_put(rfl_ledger_store(l), RFL_LEDGER_META,
                         rfl_ledger_key(buf, RFL_LEDGER_RING_KEY,
                                        ring->file_id, 8),
                         rfl_str(value, (size_t) (p - value)), 0, err);
}


/* The table goes on.  The chunks stay: they will be written over. */

static rfl_rc_t
rfl_ledger_drop_filter(rfl_ledger_t *l, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get(rfl_ledger_store(l), RFL_LEDGER_META,
                       rfl_cstr(RFL_LEDGER_FILTER_KEY), &value);

    return rc == RFL_NOT_FOUND
           ? RFL_OK : rfl_store_del(rfl_ledger_store(l), RFL_LEDGER_META,
                                    rfl_cstr(RFL_LEDGER_FILTER_KEY), err);
}


rfl_rc_t
rfl_ledger_put_filter(rfl_ledger_t *l, const rfl_sources_t *table,
    uint64_t read, rfl_error_t *err)
{
    rfl_rc_t             rc;
    rfl_buf_t            b = rfl_buf_init;
    rfl_ledger_filter_t  filter;

    filter.read = read;
    filter.start = rfl_sources_start(table);
    filter.secret = *rfl_sources_secret(table);

    rc = rfl_ledger_put_chunks(l, table, &b, &filter.chunks, err);

    rfl_buf_free(&b);

    return rc == RFL_OK ? rfl_ledger_put_filter_head(l, &filter, err) : rc;
}


/* One that is all zeroes now may have been stored before. */

static rfl_rc_t
rfl_ledger_put_chunks(rfl_ledger_t *l, const rfl_sources_t *table,
    rfl_buf_t *b, uint32_t *chunks, rfl_error_t *err)
{
    u_char        buf[RFL_LEDGER_KEY_MAX];
    uint32_t      i;
    rfl_rc_t      rc;
    rfl_str_t     key, old;
    rfl_store_t  *store;

    store = rfl_ledger_store(l);
    *chunks = 0;

    for (i = 0; i < RFL_SOURCES_CHUNKS; i++) {
        key = rfl_ledger_key(buf, RFL_LEDGER_CHUNK_KEY, i, 4);

        b->len = 0;
        rfl_sources_put_chunk(table, i, b);

        if (b->failed) {
            return rfl_fail(err, RFL_NO_MEMORY, "no memory");
        }

        if (b->len != 0) {
            rc = rfl_store_put(store, RFL_LEDGER_META, key,
                               rfl_str(b->data, b->len), 0, err);
            (*chunks)++;

        } else {
            rc = rfl_store_get(store, RFL_LEDGER_META, key, &old);

            rc = rc == RFL_NOT_FOUND
                 ? RFL_OK : rfl_store_del(store, RFL_LEDGER_META, key, err);
        }

        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_ledger_put_filter_head(rfl_ledger_t *l, const rfl_ledger_filter_t *filter,
    rfl_error_t *err)
{
    u_char  value[1 + 3 * RFL_VARINT_MAX + RFL_HASH_SECRET], *p;

    p = value;
    *p++ = RFL_LEDGER_FILTER_VERSION;

    p = rfl_varint_put(p, filter->read);
    p = rfl_varint_put(p, filter->start);
    p = rfl_varint_put(p, filter->chunks);

    memcpy(p, filter->secret.bytes, RFL_HASH_SECRET);
    p += RFL_HASH_SECRET;

    return rfl_store_put(rfl_ledger_store(l), RFL_LEDGER_META,
                         rfl_cstr(RFL_LEDGER_FILTER_KEY),
                         rfl_str(value, (size_t) (p - value)), 0, err);
}


rfl_rc_t
rfl_ledger_get_filter(rfl_ledger_t *l, rfl_ledger_filter_t *filter)
{
    size_t      i;
    rfl_rc_t    rc;
    uint64_t    chunks;
    uint64_t   *numbers[3];
    rfl_str_t   value;

    rc = rfl_store_get(rfl_ledger_store(l), RFL_LEDGER_META,
                       rfl_cstr(RFL_LEDGER_FILTER_KEY), &value);
    if (rc != RFL_OK) {
        return rc;
    }

    if (value.len == 0) {
        return RFL_DAMAGED;
    }

    if (value.data[0] != RFL_LEDGER_FILTER_VERSION) {
        return RFL_BAD_VERSION;
    }

    value.data++;
    value.len--;

    numbers[0] = &filter->read;
    numbers[1] = &filter->start;
    numbers[2] = &chunks;

    for (i = 0; i < 3; i++) {
        rc = rfl_varint_get(&value, numbers[i]);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (value.len != RFL_HASH_SECRET || chunks > RFL_SOURCES_CHUNKS) {
        return RFL_DAMAGED;
    }

    filter->chunks = (uint32_t) chunks;
    memcpy(filter->secret.bytes, value.data, RFL_HASH_SECRET);

    return RFL_OK;
}


rfl_rc_t
rfl_ledger_load_filter(rfl_ledger_t *l, const rfl_ledger_filter_t *filter,
    rfl_sources_t *table)
{
    uint32_t       chunks;
    rfl_rc_t       rc;
    rfl_cursor_t  *cursor;

    chunks = 0;

    rc = rfl_cursor_open(rfl_ledger_store(l), RFL_LEDGER_META, &cursor);

    if (rc == RFL_OK) {
        rc = rfl_ledger_load_chunks(l, cursor, table, &chunks);
        rfl_cursor_close(cursor);
    }

    if (rc == RFL_OK && chunks != filter->chunks) {
        rc = RFL_DAMAGED;
    }

    if (rc != RFL_OK) {
        rfl_sources_drop_filter(table);
        return rc;
    }

    rfl_sources_set_start(table, filter->start);

    return RFL_OK;
}


static rfl_rc_t
rfl_ledger_load_chunks(rfl_ledger_t *l, rfl_cursor_t *cursor,
    rfl_sources_t *table, uint32_t *chunks)
{
    u_char     buf[RFL_LEDGER_KEY_MAX];
    rfl_rc_t   rc;
    rfl_str_t  found, value;

    for (rc = rfl_cursor_seek(cursor, rfl_ledger_key(buf, RFL_LEDGER_CHUNK_KEY,
                                                     0, 4), &found, &value);
         rc == RFL_OK && rfl_ledger_key_is(found, RFL_LEDGER_CHUNK_KEY, 4);
         rc = rfl_cursor_next(cursor, &found, &value))
    {
        rc = rfl_sources_load_chunk(table,
                               (uint32_t) rfl_ledger_key_number(found, 4),
                               value);
        if (rc != RFL_OK) {
            return rc;
        }

        (*chunks)++;
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


/* One at a time, as a write ends what was read. */

static rfl_rc_t
rfl_ledger_drop_rings(rfl_ledger_t *l, rfl_error_t *err)
{
    u_char     buf[RFL_LEDGER_KEY_MAX];
    rfl_rc_t   rc;
    rfl_str_t  key;

    for ( ;; ) {
        rc = rfl_ledger_old_ring(l, buf, &key);

        if (rc != RFL_OK) {
            return rc == RFL_NOT_FOUND
                   ? RFL_OK : rfl_fail(err, rc, "the places in the rings "
                                       "cannot be read");
        }

        rc = rfl_store_del(rfl_ledger_store(l), RFL_LEDGER_META, key, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }
}


/* The first one of a file that was folded. */

static rfl_rc_t
rfl_ledger_old_ring(rfl_ledger_t *l, u_char *buf, rfl_str_t *key)
{
    int            folded;
    rfl_rc_t       rc;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    rc = rfl_cursor_open(rfl_ledger_store(l), RFL_LEDGER_META, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    *key = rfl_ledger_key(buf, RFL_LEDGER_RING_KEY, 0, 8);

    for (rc = rfl_cursor_seek(cursor, *key, &found, &value);
         rc == RFL_OK;
         rc = rfl_cursor_next(cursor, &found, &value))
    {
        if (!rfl_ledger_key_is(found, RFL_LEDGER_RING_KEY, 8)) {
            rc = RFL_NOT_FOUND;
            break;
        }

        rc = rfl_ledger_is_folded(l, rfl_ledger_key_number(found, 8), &folded);

        if (rc != RFL_OK) {
            break;
        }

        if (folded) {
            memcpy(buf, found.data, found.len);
            break;
        }
    }

    rfl_cursor_close(cursor);

    return rc;
}


rfl_rc_t
rfl_ledger_get_sources(rfl_ledger_t *l, rfl_ledger_sources_t *head)
{
    rfl_rc_t   rc;
    uint64_t   n[RFL_LEDGER_SOURCES_NUMS];
    rfl_str_t  value;

    rc = rfl_store_get(rfl_ledger_store(l), RFL_LEDGER_META,
                       rfl_cstr(RFL_LEDGER_SOURCES_KEY), &value);

    if (rc == RFL_OK) {
        rc = rfl_ledger_numbers(value, n, RFL_LEDGER_SOURCES_NUMS);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    head->began = n[0];
    head->read = n[1];
    head->missed = n[2];
    head->floor = n[3];
    head->rows = (uint32_t) n[4];
    head->used = (uint32_t) n[5];

    return RFL_OK;
}


rfl_rc_t
rfl_ledger_source(rfl_ledger_t *l, uint32_t number, rfl_sources_entry_t *source)
{
    u_char     buf[RFL_LEDGER_KEY_MAX];
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get(rfl_ledger_store(l), RFL_LEDGER_META,
                       rfl_ledger_key(buf, RFL_LEDGER_SOURCE_KEY, number, 4),
                       &value);

    return rc == RFL_OK ? rfl_source_decode(value, source) : rc;
}


rfl_rc_t
rfl_ledger_next_source(rfl_ledger_t *l, uint32_t *number,
    rfl_sources_entry_t *source)
{
    u_char         buf[RFL_LEDGER_KEY_MAX];
    rfl_rc_t       rc;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    rc = rfl_cursor_open(rfl_ledger_store(l), RFL_LEDGER_META, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_seek(cursor, rfl_ledger_key(buf, RFL_LEDGER_SOURCE_KEY,
                                                *number, 4), &found, &value);

    if (rc == RFL_OK && !rfl_ledger_key_is(found, RFL_LEDGER_SOURCE_KEY, 4)) {
        rc = RFL_NOT_FOUND;
    }

    if (rc == RFL_OK) {
        *number = (uint32_t) rfl_ledger_key_number(found, 4);
        rc = rfl_source_decode(value, source);
    }

    rfl_cursor_close(cursor);

    return rc;
}


rfl_rc_t
rfl_ledger_ring(rfl_ledger_t *l, uint64_t file_id, rfl_ledger_ring_t *ring)
{
    u_char     buf[RFL_LEDGER_KEY_MAX];
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get(rfl_ledger_store(l), RFL_LEDGER_META,
                       rfl_ledger_key(buf, RFL_LEDGER_RING_KEY, file_id, 8),
                       &value);

    ring->file_id = file_id;

    return rc == RFL_OK ? rfl_ledger_numbers(value, ring->next, RFL_RINGS)
                        : rc;
}


static rfl_rc_t
rfl_ledger_numbers(rfl_str_t value, uint64_t *numbers, size_t n)
{
    size_t    i;
    rfl_rc_t  rc;

    if (value.len == 0) {
        return RFL_DAMAGED;
    }

    if (value.data[0] != RFL_LEDGER_SOURCES_VERSION) {
        return RFL_BAD_VERSION;
    }

    value.data++;
    value.len--;

    for (i = 0, rc = RFL_OK; rc == RFL_OK && i < n; i++) {
        rc = rfl_varint_get(&value, &numbers[i]);
    }

    return rc == RFL_OK && value.len != 0 ? RFL_DAMAGED : rc;
}


static rfl_str_t
rfl_ledger_key(u_char *buf, const char *name, uint64_t n, size_t bytes)
{
    size_t  i, len;

    len = strlen(name);
    memcpy(buf, name, len);

    for (i = bytes; i-- > 0; n >>= 8) {
        buf[len + i] = (u_char) n;
    }

    return rfl_str(buf, len + bytes);
}


static uint64_t
rfl_ledger_key_number(rfl_str_t key, size_t bytes)
{
    size_t    i;
    uint64_t  n;

    for (i = key.len - bytes, n = 0; i < key.len; i++) {
        n = n << 8 | key.data[i];
    }

    return n;
}


static int
rfl_ledger_key_is(rfl_str_t key, const char *name, size_t bytes)
{
    return key.len == strlen(name) + bytes
           && memcmp(key.data, name, strlen(name)) == 0;
}
