/*
 * History in a real store, compared with a naive model: a list of what was
 * added, summed again for every question.
 */

#include "rfl_history.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


#define MAP_SIZE  ((size_t) 1 << 30)
#define DAY       86400
#define NOW       1795215480             /* 2026-11-20 22:58 */
#define BLOCKS    4
#define IDS       (BLOCKS * RFL_HISTORY_BLOCK)
#define EVENTS    4000


typedef struct {
    char           dir[64];
    rfl_error_t    err;
    rfl_store_t   *store;
    rfl_history_t  history;
} fixture_t;


typedef struct {
    uint64_t  now;
    uint32_t  id;                        /* IDS: the zone */
    uint32_t  field;
    uint64_t  n;
} event_t;


typedef struct {
    size_t         len;
    const u_char  *stored;
    rfl_rc_t       read;
    rfl_rc_t       add;
} damage_row_t;


static const rfl_store_dbi_t  dbis[] = {
    { "other",   RFL_KEY_U64 },
    { "minutes", RFL_KEY_U64 },
    { "hours",   RFL_KEY_U64 },
    { "days",    RFL_KEY_U64 }
};


static int
setup(void **state)
{
    fixture_t  *f;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(f->dir));

    assert_int_equal(rfl_store_open(&f->store, f->dir, dbis, 4,
                                    RFL_STORE_CREATE, MAP_SIZE, &f->err),
                     RFL_OK);
    f->history.store = f->store;
    f->history.first_dbi = 1;

    srandom(4);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    char        command[96];
    fixture_t  *f = *state;

    rfl_store_close(f->store);

    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);

    free(f);

    return 0;
}


static void
begin(fixture_t *f, int write)
{
    assert_int_equal(rfl_store_begin(f->store, write, &f->err), RFL_OK);
}


static void
commit(fixture_t *f)
{
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);
    rfl_store_end(f->store);
}


static void
add(fixture_t *f, uint64_t now, uint32_t id, unsigned field, uint64_t n)
{
    rfl_history_block_t  block;

    memset(&block, 0, sizeof(rfl_history_block_t));

    block.present = (uint64_t) 1 << id % RFL_HISTORY_BLOCK;
    block.cells[id % RFL_HISTORY_BLOCK].n[field] = n;

    assert_int_equal(rfl_history_add(&f->history, now, id / RFL_HISTORY_BLOCK,
                                     &block, &f->err), RFL_OK);
}


static void
add_zone(fixture_t *f, uint64_t now, unsigned field, uint64_t n)
{
    rfl_zone_t  zone;

    memset(&zone, 0, sizeof(rfl_zone_t));
    zone.n[field] = n;

    assert_int_equal(rfl_history_add_zone(&f->history, now, &zone, &f->err),
                     RFL_OK);
}


static uint64_t
read_cell(fixture_t *f, rfl_unit_t unit, uint32_t bucket, uint32_t id,
    unsigned field)
{
    rfl_cell_t  cell;

    memset(&cell, 0, sizeof(rfl_cell_t));
    assert_int_equal(rfl_history_cell(&f->history, unit, bucket, id, &cell),
                     RFL_OK);

    return cell.n[field];
}


static void
blocks_are_stored_as_documented(void **state)
{
    fixture_t    *f = *state;
    uint32_t      unit;
    uint64_t      key;
    rfl_str_t     value;

    static const u_char  stored[] = {
        1, 0x05, 0, 0, 0, 0, 0, 0, 0x80,
        0x03, 1, 0xac, 0x02,             /* id 0: clicks 1, reloads 300 */
        0x01, 2,                         /* id 2: clicks 2 */
        0x80, 0x20, 0x7f                 /* id 63: bytes 127 */
    };

    static const u_char  stored_zone[] = {
        1, 0x01, 0, 0, 0, 0, 0, 0, 0x80, 9, 0x80, 0x01
    };

    begin(f, 1);
    add(f, NOW, 3 * 64 + 2, RFL_CELL_CLICKS, 2);
    add(f, NOW, 3 * 64 + 63, RFL_CELL_BYTES, 127);
    add(f, NOW, 3 * 64, RFL_CELL_CLICKS, 1);
    add(f, NOW, 3 * 64, RFL_CELL_RELOADS, 299);
    add(f, NOW, 3 * 64, RFL_CELL_RELOADS, 1);
    add(f, NOW, 3 * 64 + 5, RFL_CELL_CLICKS, 0);
    add(f, NOW, 7 * 64 + 5, RFL_CELL_CLICKS, 0);
    add_zone(f, NOW, 0, 9);
    add_zone(f, NOW, 63, 128);
    commit(f);

    begin(f, 0);

    for (unit = 0; unit < RFL_UNITS; unit++) {
        key = (uint64_t) (NOW / rfl_unit_seconds[unit]) << 32;

        assert_int_equal(rfl_store_get_u64(f->store, 1 + unit, key | 3,
                                           &value), RFL_OK);
        assert_int_equal(value.len, sizeof(stored));
        assert_memory_equal(value.data, stored, sizeof(stored));

        assert_int_equal(rfl_store_get_u64(f->store, 1 + unit,
                                           key | UINT32_MAX, &value), RFL_OK);
        assert_int_equal(value.len, sizeof(stored_zone));
        assert_memory_equal(value.data, stored_zone, sizeof(stored_zone));

        /* nothing is not stored */
        assert_int_equal(rfl_store_get_u64(f->store, 1 + unit, key | 7,
                                           &value), RFL_NOT_FOUND);
    }

    rfl_store_end(f->store);
}


static void
a_block_of_the_highest_numbers_is_held(void **state)
{
    unsigned              i, j;
    fixture_t            *f = *state;
    rfl_zone_t            zone, zone_sum;
    rfl_history_block_t   block, sum;

    memset(&block, 0, sizeof(rfl_history_block_t));
    memset(&zone_sum, 0, sizeof(rfl_zone_t));
    memset(&sum, 0, sizeof(rfl_history_block_t));
    memset(&zone, 0xff, sizeof(rfl_zone_t));

    block.present = UINT64_MAX;

    for (i = 0; i < RFL_HISTORY_BLOCK; i++) {
        for (j = 0; j < RFL_CELL_SUMS; j++) {
            block.cells[i].n[j] = UINT64_MAX;
        }
    }

    begin(f, 1);
    assert_int_equal(rfl_history_add(&f->history, NOW, 0, &block, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_history_add_zone(&f->history, NOW, &zone, &f->err),
                     RFL_OK);
    commit(f);

    begin(f, 0);
    assert_int_equal(rfl_history_block(&f->history, RFL_UNIT_DAY, NOW / DAY,
                                       0, &sum), RFL_OK);
    assert_memory_equal(&sum, &block, sizeof(rfl_history_block_t));
    assert_int_equal(rfl_history_zone(&f->history, RFL_UNIT_DAY, NOW / DAY,
                                      &zone_sum), RFL_OK);
    assert_memory_equal(&zone_sum, &zone, sizeof(rfl_zone_t));
    rfl_store_end(f->store);
}


#define HEAD  "\x01\x04\0\0\0\0\0\0\0"   /* id 2 alone */

static const damage_row_t  damages[] = {
    { 0, (u_char *) "", RFL_DAMAGED, RFL_OK },
    { 8, (u_char *) HEAD, RFL_DAMAGED, RFL_OK },
    { 9, (u_char *) HEAD, RFL_DAMAGED, RFL_OK },
    { 10, (u_char *) HEAD "\x01", RFL_DAMAGED, RFL_OK },
    { 10, (u_char *) HEAD "\x00", RFL_DAMAGED, RFL_OK },
    { 11, (u_char *) HEAD "\x01\x80", RFL_DAMAGED, RFL_OK },
    { 12, (u_char *) HEAD "\x01\x01\x01", RFL_DAMAGED, RFL_OK },
    { 12, (u_char *) HEAD "\x80\x40\x01", RFL_BAD_VERSION, RFL_BAD_VERSION },
    { 11, (u_char *) "\x02\x04\0\0\0\0\0\0\0\x01\x01", RFL_BAD_VERSION,
      RFL_BAD_VERSION },
    { 1, (u_char *) "\x00", RFL_BAD_VERSION, RFL_BAD_VERSION }
};


static void
damaged_blocks_are_told_and_replaced_newer_ones_left(void **state)
{
    size_t                i;
    uint64_t              key;
    fixture_t            *f = *state;
    rfl_history_block_t   block, sum;

    memset(&block, 0, sizeof(rfl_history_block_t));
    block.present = 4;
    block.cells[2].n[RFL_CELL_CLICKS] = 5;

    for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {

        begin(f, 1);

        key = (uint64_t) (NOW / DAY) << 32 | 1;
        assert_int_equal(rfl_store_put_u64(f->store, 1 + RFL_UNIT_DAY, key,
                                           rfl_str(damages[i].stored,
                                                   damages[i].len),
                                           0, &f->err), RFL_OK);

        memset(&sum, 0, sizeof(rfl_history_block_t));
        assert_int_equal(rfl_history_block(&f->history, RFL_UNIT_DAY,
                                           NOW / DAY, 1, &sum),
                         damages[i].read);
        assert_int_equal(rfl_history_add(&f->history, NOW, 1, &block,
                                         &f->err), damages[i].add);

        if (damages[i].add == RFL_OK) {
            assert_int_equal(read_cell(f, RFL_UNIT_DAY, NOW / DAY, 66,
                                       RFL_CELL_CLICKS), 5);
        }

        rfl_store_end(f->store);
    }
}


static void
any_time_has_a_bucket(void **state)
{
    uint32_t    bucket;
    unsigned    unit;
    fixture_t  *f = *state;

    begin(f, 1);
    assert_int_equal(rfl_history_first(&f->history, RFL_UNIT_DAY, &bucket),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_history_last(&f->history, RFL_UNIT_DAY, &bucket),
                     RFL_NOT_FOUND);

    add(f, 0, 1, RFL_CELL_CLICKS, 1);
    add(f, UINT64_MAX, 1, RFL_CELL_CLICKS, 2);
    add(f, NOW, 1, RFL_CELL_CLICKS, 3);

    for (unit = 0; unit < RFL_UNITS; unit++) {
        assert_int_equal(rfl_history_first(&f->history, unit, &bucket),
                         RFL_OK);
        assert_int_equal(bucket, 0);
        assert_int_equal(rfl_history_last(&f->history, unit, &bucket), RFL_OK);
        assert_int_equal(bucket, UINT32_MAX - 1);

        assert_int_equal(read_cell(f, unit, UINT32_MAX - 1, 1, 0), 2);
        assert_int_equal(read_cell(f, unit, NOW / rfl_unit_seconds[unit], 1,
                                   0), 3);
    }

    rfl_store_end(f->store);
}


static void
pruning_takes_the_oldest_so_many_at_a_time(void **state)
{
    uint32_t          i, id, first, pruned;
    fixture_t        *f = *state;
    rfl_retention_t   keep = { { 3600, 10 * DAY, 0 } };

    begin(f, 1);

    /* 20 days, one minute of each, 2 blocks and the zone */

    for (i = 0; i < 20; i++) {
        for (id = 0; id < 128; id += 64) {
            add(f, NOW + i * DAY, id, RFL_CELL_CLICKS, 1);
        }

        add_zone(f, NOW + i * DAY, 1, 1);
    }

    pruned = 0;
    assert_int_equal(rfl_history_prune(&f->history, &keep, NOW + 19 * DAY, 7,
                                       &pruned, &f->err), RFL_OK);
    assert_int_equal(pruned, 14);        /* 7 minutes, 7 hours */

    assert_int_equal(rfl_history_first(&f->history, RFL_UNIT_MINUTE, &first),
                     RFL_OK);
    assert_int_equal(first, (NOW + 2 * DAY) / 60);

    assert_int_equal(rfl_history_prune(&f->history, &keep, NOW + 19 * DAY,
                                       1000, &pruned, &f->err), RFL_OK);
    assert_int_equal(pruned, 3 * (19 + 9));

    assert_int_equal(rfl_history_first(&f->history, RFL_UNIT_MINUTE, &first),
                     RFL_OK);
    assert_int_equal(first, (NOW + 19 * DAY) / 60);
    assert_int_equal(rfl_history_first(&f->history, RFL_UNIT_HOUR, &first),
                     RFL_OK);
    assert_int_equal(first, (NOW + 9 * DAY) / 3600);
    assert_int_equal(rfl_history_first(&f->history, RFL_UNIT_DAY, &first),
                     RFL_OK);
    assert_int_equal(first, NOW / DAY);

    assert_int_equal(rfl_history_prune(&f->history, &keep, NOW + 19 * DAY,
                                       1000, &pruned, &f->err), RFL_OK);
    assert_int_equal(pruned, 3 * (19 + 9));

    /* before there was time */
    assert_int_equal(rfl_history_prune(&f->history, &keep, 0, 1000, &pruned,
                                       &f->err), RFL_OK);
    assert_int_equal(pruned, 3 * (19 + 9));

    commit(f);
}


static uint64_t
model(const event_t *events, unsigned n, const rfl_range_t *range,
    uint32_t id, unsigned field)
{
    uint64_t  bucket, sum;
    unsigned  i;

    sum = 0;

    for (i = 0; i < n; i++) {
        bucket = events[i].now / rfl_unit_seconds[range->unit];

        if (events[i].id == id && events[i].field == field
            && bucket >= range->from && bucket < range->to)
        {
            sum += events[i].n;
        }
    }

    return sum;
}


static void
fill(fixture_t *f, event_t *events, unsigned n)
{
    unsigned   i;
    event_t   *e;

    begin(f, 1);

    for (i = 0; i < n; i++) {
        e = &events[i];

        /* 30 days, clustered, not in order */
        e->now = NOW + (uint64_t) (random() % 30) * DAY
                 + (uint64_t) (random() % 3) * 3600 + random() % 300;
        e->n = 1 + (uint64_t) (random() % 3 == 0 ? random() : random() % 4);

        if (random() % 8 == 0) {
            e->id = IDS;
            e->field = random() % RFL_ZONE_FIELDS;
            add_zone(f, e->now, e->field, e->n);

        } else {
            e->id = random() % 3 == 0 ? 70 : random() % IDS;
            e->field = random() % RFL_CELL_SUMS;
            add(f, e->now, e->id, e->field, e->n);
        }
    }

    commit(f);
}


static void
buckets_match_a_naive_model(void **state)
{
    unsigned               i, j, unit;
    static event_t         events[EVENTS];
    fixture_t             *f = *state;
    rfl_zone_t             zone;
    rfl_range_t            range;
    rfl_history_block_t    block;

    fill(f, events, EVENTS);
    begin(f, 0);

    for (i = 0; i < EVENTS; i += 5) {
        unit = i % RFL_UNITS;

        range.unit = unit;
        range.from = (uint32_t) (events[i].now / rfl_unit_seconds[unit]);
        range.to = range.from + 1;

        if (events[i].id == IDS) {
            memset(&zone, 0, sizeof(rfl_zone_t));
            assert_int_equal(rfl_history_zone(&f->history, unit, range.from,
                                              &zone), RFL_OK);

            for (j = 0; j < RFL_ZONE_FIELDS; j++) {
                assert_int_equal(zone.n[j],
                                 model(events, EVENTS, &range, IDS, j));
            }

            continue;
        }

        memset(&block, 0, sizeof(rfl_history_block_t));
        assert_int_equal(rfl_history_block(&f->history, unit, range.from,
                                           events[i].id / 64, &block),
                         RFL_OK);

        for (j = 0; j < RFL_CELL_SUMS; j++) {
            assert_int_equal(read_cell(f, unit, range.from, events[i].id, j),
                             model(events, EVENTS, &range, events[i].id, j));
            assert_int_equal(block.cells[events[i].id % 64].n[j],
                             model(events, EVENTS, &range, events[i].id, j));
        }

        assert_true(block.present >> events[i].id % 64 & 1);
    }

    rfl_store_end(f->store);
}


static uint64_t
model_period(const event_t *events, const rfl_period_t *period, uint32_t id,
    unsigned field)
{
    uint64_t  sum;
    unsigned  i;

    sum = 0;

    for (i = 0; i < period->nranges; i++) {
        sum += model(events, EVENTS, &period->ranges[i], id, field);
    }

    return sum;
}


/* Each step in a transaction of its own. */

static unsigned
merge(fixture_t *f, rfl_merge_t *m, uint32_t step)
{
    rfl_rc_t  rc;
    unsigned  steps;
    uint32_t  budget;

    steps = 0;

    do {
        begin(f, 0);
        budget = step;
        rc = rfl_merge_step(m, &f->history, &budget);
        rfl_store_end(f->store);

        assert_true(rc == RFL_OK || (rc == RFL_BUSY && budget == 0));
        steps++;
        assert_true(steps < 100000);
    } while (rc == RFL_BUSY);

    return steps;
}


static void
merges_in_steps_match_a_naive_model(void **state)
{
    unsigned         i, j, k;
    uint32_t         id;
    uint64_t         from, to;
    fixture_t       *f = *state;
    rfl_merge_t      m;
    rfl_period_t     period;
    static event_t   events[EVENTS];

    fill(f, events, EVENTS);

    for (i = 0; i < 40; i++) {
        from = NOW - 3 * DAY + (uint64_t) (random() % (36 * DAY));
        to = from + 1 + (uint64_t) (random() % (20 * DAY));

        if (i == 0) {
            from = 0;                    /* most of it is empty */
            to = (uint64_t) 8000 * 365 * DAY;
        }

        assert_int_equal(rfl_period_init(&period, from, to, 0), RFL_OK);

        id = i % 3 == 0 ? 70 : (uint32_t) random() % IDS;

        rfl_merge_start(&m, RFL_MERGE_CELL, &period, id);
        assert_true(merge(f, &m, 1 + i % 7) < 1000);

        for (j = 0; j < RFL_CELL_SUMS; j++) {
            assert_int_equal(m.sum.cell.n[j],
                             model_period(events, &period, id, j));
        }

        rfl_merge_start(&m, RFL_MERGE_ZONE, &period, 0);
        (void) merge(f, &m, 1 + i % 7);

        for (j = 0; j < RFL_ZONE_FIELDS; j += 7) {
            assert_int_equal(m.sum.zone.n[j],
                             model_period(events, &period, IDS, j));
        }

        rfl_merge_start(&m, RFL_MERGE_BLOCK, &period, id / 64);
        (void) merge(f, &m, 3);

        for (k = 0; k < 64; k += 9) {
            for (j = 0; j < RFL_CELL_SUMS; j += 4) {
                assert_int_equal(m.sum.block.cells[k].n[j],
                                 model_period(events, &period,
                                              id / 64 * 64 + k, j));
            }
        }
    }
}


static void
a_step_costs_what_its_budget_says(void **state)
{
    uint32_t       i, budget;
    fixture_t     *f = *state;
    rfl_merge_t    m;
    rfl_period_t   period;

    begin(f, 1);

    for (i = 0; i < 100; i++) {
        add(f, NOW + i * DAY, 5, RFL_CELL_CLICKS, 1);
    }

    memset(&period, 0, sizeof(rfl_period_t));
    period.nranges = 1;
    period.ranges[0].unit = RFL_UNIT_DAY;
    period.ranges[0].from = NOW / DAY;
    period.ranges[0].to = NOW / DAY + 100;

    rfl_merge_start(&m, RFL_MERGE_CELL, &period, 5);

    budget = 0;
    assert_int_equal(rfl_merge_step(&m, &f->history, &budget), RFL_BUSY);
    assert_int_equal(m.sum.cell.n[RFL_CELL_CLICKS], 0);

    budget = 30;
    assert_int_equal(rfl_merge_step(&m, &f->history, &budget), RFL_BUSY);
    assert_int_equal(m.sum.cell.n[RFL_CELL_CLICKS], 30);
    assert_int_equal(budget, 0);

    budget = 75;
    assert_int_equal(rfl_merge_step(&m, &f->history, &budget), RFL_OK);
    assert_int_equal(m.sum.cell.n[RFL_CELL_CLICKS], 100);
    assert_int_equal(budget, 5);

    /* a finished one stays as it is */
    assert_int_equal(rfl_merge_step(&m, &f->history, &budget), RFL_OK);
    assert_int_equal(m.sum.cell.n[RFL_CELL_CLICKS], 100);

    rfl_store_end(f->store);
}


/*
 * The figure of docs/operations.md: links that all get some traffic each day,
 * seen by four flushes a day, and what the days alone take of the file.
 */

#if defined(__SANITIZE_ADDRESS__)
#define SIZE_LINKS  10000
#else
#define SIZE_LINKS  (getenv("VALGRIND") == NULL ? 100000 : 10000)
#endif

#define SIZE_DAYS   30

static void
add_day_part(fixture_t *f, uint32_t day, uint32_t part)
{
    uint32_t              block, i;
    uint64_t              clicks;
    rfl_cell_t           *cell;
    rfl_history_block_t   counts;

    begin(f, 1);

    for (block = 0; block < SIZE_LINKS / 64; block++) {
        memset(&counts, 0, sizeof(rfl_history_block_t));

        for (i = 0; i < 64; i++) {

            /* each link is seen by two of the four */

            if (((block + i + day) ^ part) & 1) {
                continue;
            }

            clicks = 1 + (uint64_t) random() % 20;
            cell = &counts.cells[i];

            cell->n[RFL_CELL_CLICKS] = clicks;
            cell->n[RFL_CELL_BOTS] = (uint64_t) random() % 3;
            cell->n[RFL_CELL_BYTES] = clicks * (5000 + random() % 60000);
            counts.present |= (uint64_t) 1 << i;
        }

        assert_int_equal(rfl_history_add(&f->history,
                                         NOW / DAY * DAY + day * DAY
                                         + part * 6 * 3600, block, &counts,
                                         &f->err), RFL_OK);
    }

    commit(f);
}


static void
a_link_takes_few_bytes_a_day(void **state)
{
    char              path[96];
    double            bytes;
    uint32_t          day, part, pruned, warm;
    fixture_t        *f = *state;
    struct stat       st;
    uint64_t          used;
    rfl_retention_t   keep = { { 1, 1, 0 } };

    (void) snprintf(path, sizeof(path), "%s/data.mdb", f->dir);

    warm = SIZE_DAYS / 6;
    used = 0;

    for (day = 0; day < SIZE_DAYS; day++) {

        for (part = 0; part < 4; part++) {
            add_day_part(f, day, part);
        }

        begin(f, 1);
        pruned = 0;
        assert_int_equal(rfl_history_prune(&f->history, &keep,
                                           NOW / DAY * DAY + (day + 1) * DAY,
                                           UINT32_MAX, &pruned, &f->err),
                         RFL_OK);
        commit(f);

        if (day + 1 == warm) {
            assert_int_equal(stat(path, &st), 0);
            used = (uint64_t) st.st_size;
        }
    }

    assert_int_equal(stat(path, &st), 0);

    bytes = (double) ((uint64_t) st.st_size - used)
            / (double) (SIZE_DAYS - warm) / SIZE_LINKS;

    print_message("%d links, %d days: data.mdb %llu bytes, "
                  "%.1f bytes a link and day\n", SIZE_LINKS, SIZE_DAYS,
                  (unsigned long long) st.st_size, bytes);

    assert_true(bytes > 5);
    assert_true(bytes < 20);
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(blocks_are_stored_as_documented),
        test(a_block_of_the_highest_numbers_is_held),
        test(damaged_blocks_are_told_and_replaced_newer_ones_left),
        test(any_time_has_a_bucket),
        test(pruning_takes_the_oldest_so_many_at_a_time),
        test(buckets_match_a_naive_model),
        test(merges_in_steps_match_a_naive_model),
        test(a_step_costs_what_its_budget_says),
        test(a_link_takes_few_bytes_a_day)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
