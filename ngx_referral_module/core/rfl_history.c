/*
 * History: counts by minute, hour and day, see rfl_history.h.
 *
 * The value of a block of ids, and that of the zone-wide counters:
 *
 *     version     a byte
 *     which       8 bytes, bit i: the block's id i, or the zone's counter i
 *     block       for each id: a varint of bits, which counters follow, and
 *                 these as varints
 *     zone        each of the counters as a varint
 *
 * Values grow while their bucket lasts, so LMDB's way of filling pages, which
 * leaves room in them, is the right one: appended to, full pages would split
 * (11.9 bytes a link and day then, not 9.6).
 *
 * Adding reads, adds and writes the whole value: a transaction that is killed
 * or fails leaves the one before it.  Whether counts were added already is
 * the ledger's business: its cells change in the same transaction.
 */

#include "rfl_history.h"
#include "rfl_varint.h"


#define RFL_HISTORY_VERSION    1
#define RFL_HISTORY_HEAD       (1 + 8)

/* Bits of 13 counters, and the counters. */
#define RFL_HISTORY_CELL_MAX   (2 + RFL_CELL_SUMS * RFL_VARINT_MAX)
#define RFL_HISTORY_BLOCK_MAX                                                 \
    (RFL_HISTORY_HEAD + RFL_HISTORY_BLOCK * RFL_HISTORY_CELL_MAX)
#define RFL_HISTORY_ZONE_MAX                                                  \
    (RFL_HISTORY_HEAD + RFL_ZONE_FIELDS * RFL_VARINT_MAX)

/* Keys removed at a time: LMDB's cursor must not be open meanwhile. */
#define RFL_HISTORY_BATCH      128

_Static_assert(RFL_CELL_SUMS <= 14, "a varint of 2 bytes holds the bits");
_Static_assert(RFL_ZONE_FIELDS == 64, "8 bytes have a bit for each");


static rfl_rc_t rfl_history_add_block(rfl_history_t *h, unsigned dbi,
    uint64_t key, const rfl_history_block_t *counts, rfl_error_t *err);
static rfl_rc_t rfl_history_add_unit_zone(rfl_history_t *h, unsigned dbi,
    uint64_t key, const rfl_zone_t *counts, rfl_error_t *err);
static rfl_rc_t rfl_history_prune_unit(rfl_history_t *h, unsigned dbi,
    uint32_t before, uint32_t limit, uint32_t *pruned, rfl_error_t *err);
static rfl_rc_t rfl_history_oldest(rfl_history_t *h, unsigned dbi,
    uint32_t before, uint64_t *keys, uint32_t limit, uint32_t *n);
static rfl_rc_t rfl_history_edge(rfl_history_t *h, rfl_unit_t unit, int last,
    uint32_t *bucket);

static rfl_rc_t rfl_merge_range(rfl_merge_t *m, rfl_history_t *h,
    const rfl_range_t *range, uint32_t *budget);
static rfl_rc_t rfl_merge_bucket(rfl_merge_t *m, rfl_cursor_t *cursor,
    uint32_t block);

static uint32_t rfl_history_bucket(rfl_unit_t unit, uint64_t now);
static uint64_t rfl_history_key(uint32_t bucket, uint32_t block);
static size_t rfl_history_encode_block(u_char *out,
    const rfl_history_block_t *block);
static u_char *rfl_history_encode_cell(u_char *p, const rfl_cell_t *cell);
static size_t rfl_history_encode_zone(u_char *out, const rfl_zone_t *zone);
static rfl_rc_t rfl_history_decode_one(rfl_str_t value, unsigned i,
    rfl_cell_t *sum);
static rfl_rc_t rfl_history_decode_cell(rfl_str_t *value, rfl_cell_t *sum);
static rfl_rc_t rfl_history_head(rfl_str_t *value, uint64_t *which);
static void rfl_history_sum_cell(rfl_cell_t *sum, const rfl_cell_t *counts);
static rfl_rc_t rfl_history_fail(rfl_rc_t rc, rfl_error_t *err);


rfl_rc_t
rfl_history_add(rfl_history_t *h, uint64_t now, uint32_t block,
    const rfl_history_block_t *counts, rfl_error_t *err)
{
    rfl_rc_t  rc;
    unsigned  unit;
    uint64_t  key;

    for (unit = 0; unit < RFL_UNITS; unit++) {
        key = rfl_history_key(rfl_history_bucket(unit, now), block);

        rc = rfl_history_add_block(h, h->first_dbi + unit, key, counts, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_history_add_block(rfl_history_t *h, unsigned dbi, uint64_t key,
    const rfl_history_block_t *counts, rfl_error_t *err)
{
    size_t               len;
    u_char               out[RFL_HISTORY_BLOCK_MAX];
    rfl_rc_t             got, rc;
    unsigned             i;
    uint64_t             bits;
    rfl_str_t            value;
    rfl_history_block_t  sum;

    memset(&sum, 0, sizeof(rfl_history_block_t));

    got = rfl_store_get_u64(h->store, dbi, key, &value);
    rc = got == RFL_OK ? rfl_history_decode_block(value, &sum) : got;

    if (got == RFL_OK && rc == RFL_DAMAGED) {
        memset(&sum, 0, sizeof(rfl_history_block_t));

    } else if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        return rfl_history_fail(rc, err);
    }

    for (bits = counts->present; bits != 0; bits &= bits - 1) {
        i = (unsigned) __builtin_ctzll(bits);
        rfl_history_sum_cell(&sum.cells[i], &counts->cells[i]);
    }

    sum.present |= counts->present;

    len = rfl_history_encode_block(out, &sum);
    if (len == RFL_HISTORY_HEAD) {
        return RFL_OK;
    }

    return rfl_store_put_u64(h->store, dbi, key, rfl_str(out, len), 0, err);
}


rfl_rc_t
rfl_history_add_zone(rfl_history_t *h, uint64_t now, const rfl_zone_t *counts,
    rfl_error_t *err)
{
    rfl_rc_t  rc;
    unsigned  unit;
    uint64_t  key;

    for (unit = 0; unit < RFL_UNITS; unit++) {
        key = rfl_history_key(rfl_history_bucket(unit, now),
                              RFL_HISTORY_ZONE);

        rc = rfl_history_add_unit_zone(h, h->first_dbi + unit, key, counts,
                                       err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_history_add_unit_zone(rfl_history_t *h, unsigned dbi, uint64_t key,
    const rfl_zone_t *counts, rfl_error_t *err)
{
    size_t      len;
    u_char      out[RFL_HISTORY_ZONE_MAX];
    rfl_rc_t    got, rc;
    rfl_str_t   value;
    rfl_zone_t  sum;

    memset(&sum, 0, sizeof(rfl_zone_t));

    got = rfl_store_get_u64(h->store, dbi, key, &value);
    rc = got == RFL_OK ? rfl_history_decode_zone(value, &sum) : got;

    if (got == RFL_OK && rc == RFL_DAMAGED) {
        memset(&sum, 0, sizeof(rfl_zone_t));

    } else if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        return rfl_history_fail(rc, err);
    }

    rfl_zone_merge(&sum, counts);

    len = rfl_history_encode_zone(out, &sum);
    if (len == RFL_HISTORY_HEAD) {
        return RFL_OK;
    }

    return rfl_store_put_u64(h->store, dbi, key, rfl_str(out, len), 0, err);
}


rfl_rc_t
rfl_history_prune(rfl_history_t *h, const rfl_retention_t *keep, uint64_t now,
    uint32_t limit, uint32_t *pruned, rfl_error_t *err)
{
    rfl_rc_t  rc;
    unsigned  unit;
    uint32_t  before;

    for (unit = 0; unit < RFL_UNITS; unit++) {

        if (keep->seconds[unit] == 0 || keep->seconds[unit] >= now) {
            continue;
        }

        before = rfl_history_bucket(unit, now - keep->seconds[unit]);

        rc = rfl_history_prune_unit(h, h->first_dbi + unit, before, limit,
                                    pruned, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_history_prune_unit(rfl_history_t *h, unsigned dbi, uint32_t before,
    uint32_t limit, uint32_t *pruned, rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint32_t  i, n, batch;
    uint64_t  keys[RFL_HISTORY_BATCH];

    while (limit > 0) {
        batch = limit < RFL_HISTORY_BATCH ? limit : RFL_HISTORY_BATCH;

        rc = rfl_history_oldest(h, dbi, before, keys, batch, &n);
        if (rc != RFL_OK) {
            return rfl_history_fail(rc, err);
        }

        for (i = 0; i < n; i++) {
            rc = rfl_store_del_u64(h->store, dbi, keys[i], err);
            if (rc != RFL_OK) {
                return rc;
            }
        }

        *pruned += n;

        if (n < batch) {
            return RFL_OK;
        }

        limit -= n;
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_history_oldest(rfl_history_t *h, unsigned dbi, uint32_t before,
    uint64_t *keys, uint32_t limit, uint32_t *n)
{
    rfl_rc_t       rc;
    uint64_t       key;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    *n = 0;

    rc = rfl_cursor_open(h->store, dbi, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    while (rc == RFL_OK && *n < limit) {

        if (found.len != sizeof(key)) {
            rc = RFL_DAMAGED;
            break;
        }

        memcpy(&key, found.data, sizeof(key));

        if (key >> 32 >= before) {
            break;
        }

        keys[(*n)++] = key;

        rc = rfl_cursor_next(cursor, &found, &value);
    }

    rfl_cursor_close(cursor);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


rfl_rc_t
rfl_history_block(rfl_history_t *h, rfl_unit_t unit, uint32_t bucket,
    uint32_t block, rfl_history_block_t *sum)
{
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get_u64(h->store, h->first_dbi + unit,
                           rfl_history_key(bucket, block), &value);

    if (rc == RFL_OK) {
        return rfl_history_decode_block(value, sum);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


rfl_rc_t
rfl_history_cell(rfl_history_t *h, rfl_unit_t unit, uint32_t bucket,
    uint32_t id, rfl_cell_t *sum)
{
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get_u64(h->store, h->first_dbi + unit,
                           rfl_history_key(bucket, id / RFL_HISTORY_BLOCK),
                           &value);

    if (rc == RFL_OK) {
        return rfl_history_decode_one(value, id % RFL_HISTORY_BLOCK, sum);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


rfl_rc_t
rfl_history_zone(rfl_history_t *h, rfl_unit_t unit, uint32_t bucket,
    rfl_zone_t *sum)
{
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get_u64(h->store, h->first_dbi + unit,
                           rfl_history_key(bucket, RFL_HISTORY_ZONE), &value);

    if (rc == RFL_OK) {
        return rfl_history_decode_zone(value, sum);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


rfl_rc_t
rfl_history_first(rfl_history_t *h, rfl_unit_t unit, uint32_t *bucket)
{
    return rfl_history_edge(h, unit, 0, bucket);
}


rfl_rc_t
rfl_history_last(rfl_history_t *h, rfl_unit_t unit, uint32_t *bucket)
{
    return rfl_history_edge(h, unit, 1, bucket);
}


static rfl_rc_t
rfl_history_edge(rfl_history_t *h, rfl_unit_t unit, int last,
    uint32_t *bucket)
{
    rfl_rc_t       rc;
    uint64_t       key;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    *bucket = 0;

    rc = rfl_cursor_open(h->store, h->first_dbi + unit, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    if (last) {
        rc = rfl_cursor_last(cursor, &found, &value);

    } else {
        rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);
    }

    if (rc == RFL_OK && found.len != sizeof(key)) {
        rc = RFL_DAMAGED;
    }

    if (rc == RFL_OK) {
        memcpy(&key, found.data, sizeof(key));
        *bucket = (uint32_t) (key >> 32);
    }

    rfl_cursor_close(cursor);

    return rc;
}


void
rfl_merge_start(rfl_merge_t *m, rfl_merge_kind_t kind,
    const rfl_period_t *period, uint32_t id)
{
    memset(m, 0, sizeof(rfl_merge_t));

    m->kind = kind;
    m->period = *period;
    m->id = id;

    if (period->nranges > 0) {
        m->bucket = period->ranges[0].from;
    }
}


rfl_rc_t
rfl_merge_step(rfl_merge_t *m, rfl_history_t *h, uint32_t *budget)
{
    rfl_rc_t  rc;

    while (m->range < m->period.nranges) {

        rc = rfl_merge_range(m, h, &m->period.ranges[m->range], budget);
        if (rc != RFL_OK) {
            return rc;
        }

        m->range++;

        if (m->range < m->period.nranges) {
            m->bucket = m->period.ranges[m->range].from;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_merge_range(rfl_merge_t *m, rfl_history_t *h, const rfl_range_t *range,
    uint32_t *budget)
{
    rfl_rc_t       rc;
    uint32_t       block;
    rfl_cursor_t  *cursor;

    if (m->bucket >= range->to) {
        return RFL_OK;
    }

    if (*budget == 0) {
        return RFL_BUSY;
    }

    switch (m->kind) {
    case RFL_MERGE_BLOCK:
        block = m->id;
        break;
    case RFL_MERGE_CELL:
        block = m->id / RFL_HISTORY_BLOCK;
        break;
    default: /* RFL_MERGE_ZONE */
        block = RFL_HISTORY_ZONE;
    }

    rc = rfl_cursor_open(h->store, h->first_dbi + range->unit, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    while (rc == RFL_OK && m->bucket < range->to) {

        if (*budget == 0) {
            rc = RFL_BUSY;
            break;
        }

        (*budget)--;

        rc = rfl_merge_bucket(m, cursor, block);
    }

    rfl_cursor_close(cursor);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


/*
 * Adds the bucket if it has the block, and moves on to the next one that there
 * is: time without traffic costs nothing.
 */

static rfl_rc_t
rfl_merge_bucket(rfl_merge_t *m, rfl_cursor_t *cursor, uint32_t block)
{
    rfl_rc_t   rc;
    uint64_t   key, wanted;
    rfl_str_t  found, value;

    wanted = rfl_history_key(m->bucket, block);

    rc = rfl_cursor_seek(cursor, rfl_str(&wanted, sizeof(wanted)), &found,
                         &value);
    if (rc != RFL_OK) {
        return rc;
    }

    if (found.len != sizeof(key)) {
        return RFL_DAMAGED;
    }

    memcpy(&key, found.data, sizeof(key));

    if (key >> 32 != m->bucket) {
        m->bucket = (uint32_t) (key >> 32);
        return RFL_OK;
    }

    if (key == wanted) {

        switch (m->kind) {
        case RFL_MERGE_BLOCK:
            rc = rfl_history_decode_block(value, &m->sum.block);
            break;
        case RFL_MERGE_CELL:
            rc = rfl_history_decode_one(value, m->id % RFL_HISTORY_BLOCK,
                                        &m->sum.cell);
            break;
        default: /* RFL_MERGE_ZONE */
            rc = rfl_history_decode_zone(value, &m->sum.zone);
        }
    }

    if (rc == RFL_OK) {
        m->bucket++;
    }

    return rc;
}


/* Whatever the clock says, it names a bucket: no count is lost by it. */

static uint32_t
rfl_history_bucket(rfl_unit_t unit, uint64_t now)
{
    uint64_t  bucket;

    bucket = now / rfl_unit_seconds[unit];

    return bucket < UINT32_MAX ? (uint32_t) bucket : UINT32_MAX - 1;
}


static uint64_t
rfl_history_key(uint32_t bucket, uint32_t block)
{
    return (uint64_t) bucket << 32 | block;
}


/* Returns RFL_HISTORY_HEAD if there is nothing in it. */

static size_t
rfl_history_encode_block(u_char *out, const rfl_history_block_t *block)
{
    u_char    *p, *end;
    unsigned   i;
    uint64_t   bits, which;

    which = 0;
    p = out + RFL_HISTORY_HEAD;

    for (bits = block->present; bits != 0; bits &= bits - 1) {
        i = (unsigned) __builtin_ctzll(bits);

        end = rfl_history_encode_cell(p, &block->cells[i]);

        if (end != p) {
            which |= (uint64_t) 1 << i;
            p = end;
        }
    }

    out[0] = RFL_HISTORY_VERSION;
    memcpy(out + 1, &which, sizeof(which));

    return (size_t) (p - out);
}


static u_char *
rfl_history_encode_cell(u_char *p, const rfl_cell_t *cell)
{
    unsigned  i;
    uint64_t  bits, rest;

    bits = 0;

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        bits |= (uint64_t) (cell->n[i] != 0) << i;
    }

    if (bits == 0) {
        return p;
    }

    p = rfl_varint_put(p, bits);

    for (rest = bits; rest != 0; rest &= rest - 1) {
        p = rfl_varint_put(p, cell->n[__builtin_ctzll(rest)]);
    }

    return p;
}


static size_t
rfl_history_encode_zone(u_char *out, const rfl_zone_t *zone)
{
    u_char    *p;
    unsigned   i;
    uint64_t   which;

    which = 0;
    p = out + RFL_HISTORY_HEAD;

    for (i = 0; i < RFL_ZONE_FIELDS; i++) {
        if (zone->n[i] != 0) {
            which |= (uint64_t) 1 << i;
            p = rfl_varint_put(p, zone->n[i]);
        }
    }

    out[0] = RFL_HISTORY_VERSION;
    memcpy(out + 1, &which, sizeof(which));

    return (size_t) (p - out);
}


rfl_rc_t
rfl_history_decode_block(rfl_str_t value, rfl_history_block_t *sum)
{
    rfl_rc_t  rc;
    uint64_t  which, bits;

    rc = rfl_history_head(&value, &which);
    if (rc != RFL_OK) {
        return rc;
    }

    for (bits = which; bits != 0; bits &= bits - 1) {

        rc = rfl_history_decode_cell(&value,
                                     &sum->cells[__builtin_ctzll(bits)]);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    sum->present |= which;

    return value.len == 0 ? RFL_OK : RFL_DAMAGED;
}


/* The ids before it are to be passed, those behind it do not matter. */

static rfl_rc_t
rfl_history_decode_one(rfl_str_t value, unsigned i, rfl_cell_t *sum)
{
    rfl_rc_t    rc;
    uint64_t    which, bits;
    rfl_cell_t  skipped;

    rc = rfl_history_head(&value, &which);

    if (rc != RFL_OK || (which >> i & 1) == 0) {
        return rc;
    }

    for (bits = which; (unsigned) __builtin_ctzll(bits) < i; bits &= bits - 1)
    {
        memset(&skipped, 0, sizeof(rfl_cell_t));

        rc = rfl_history_decode_cell(&value, &skipped);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return rfl_history_decode_cell(&value, sum);
}


static rfl_rc_t
rfl_history_decode_cell(rfl_str_t *value, rfl_cell_t *sum)
{
    rfl_rc_t  rc;
    uint64_t  bits, n;

    rc = rfl_varint_get(value, &bits);
    if (rc != RFL_OK) {
        return rc;
    }

    if (bits == 0) {
        return RFL_DAMAGED;
    }

    if (bits >> RFL_CELL_SUMS != 0) {
        return RFL_BAD_VERSION;          /* counters not known here */
    }

    for ( /* void */ ; bits != 0; bits &= bits - 1) {

        rc = rfl_varint_get(value, &n);
        if (rc != RFL_OK) {
            return rc;
        }

        sum->n[__builtin_ctzll(bits)] += n;
    }

    return RFL_OK;
}


rfl_rc_t
rfl_history_decode_zone(rfl_str_t value, rfl_zone_t *sum)
{
    rfl_rc_t  rc;
    uint64_t  which, n;

    rc = rfl_history_head(&value, &which);
    if (rc != RFL_OK) {
        return rc;
    }

    for ( /* void */ ; which != 0; which &= which - 1) {

        rc = rfl_varint_get(&value, &n);
        if (rc != RFL_OK) {
            return rc;
        }

        sum->n[__builtin_ctzll(which)] += n;
    }

    return value.len == 0 ? RFL_OK : RFL_DAMAGED;
}


static rfl_rc_t
rfl_history_head(rfl_str_t *value, uint64_t *which)
{
    if (value->len == 0) {
        return RFL_DAMAGED;
    }

    if (value->data[0] != RFL_HISTORY_VERSION) {
        return RFL_BAD_VERSION;
    }

    if (value->len < RFL_HISTORY_HEAD) {
        return RFL_DAMAGED;
    }

    memcpy(which, value->data + 1, sizeof(*which));

    value->data += RFL_HISTORY_HEAD;
    value->len -= RFL_HISTORY_HEAD;

    return RFL_OK;
}


static void
rfl_history_sum_cell(rfl_cell_t *sum, const rfl_cell_t *counts)
{
    unsigned  i;

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        sum->n[i] += counts->n[i];
    }
}


static rfl_rc_t
rfl_history_fail(rfl_rc_t rc, rfl_error_t *err)
{
    if (rc == RFL_BAD_VERSION) {
        return rfl_fail(err, rc, "history: written by another version, this "
                        "one knows %d", RFL_HISTORY_VERSION);
    }

    return rfl_fail(err, rc, "history: reading failed");
}
