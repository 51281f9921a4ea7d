/*
 * The check of the ledger: a sound one has no fault, and each way in which a
 * row of each table can be wrong is named, and nothing else.
 */

#include "damage.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "rfl_ledger_parts.h"
#include "rfl_ledger_sources.h"


#define MAP_SIZE   ((size_t) 64 << 20)
#define MAX_IDS    (1u << 16)

/* 2026-11-20 12:00:00 UTC; flushes came then, and so much later. */

#define NOW        1795176000u
#define MINUTE     60
#define HOUR       3600
#define DAY        86400

/* Ids of two blocks. */

#define ONE        1
#define TWO        2
#define FAR        (RFL_HISTORY_BLOCK + 6)

#define DAYS       (RFL_LEDGER_MINUTES + RFL_UNIT_DAY)
#define HOURS      (RFL_LEDGER_MINUTES + RFL_UNIT_HOUR)
#define MINUTES    RFL_LEDGER_MINUTES


typedef struct {
    char              root[64];
    char              path[96];
    rfl_counters_t   *counters;
    rfl_ledger_t     *ledger;
    rfl_store_t      *store;
    uint64_t          file_id;
    rfl_check_t       check;
    damage_faults_t   faults;
    rfl_error_t       err;
} fixture_t;


typedef struct {
    const char   *name;
    void        (*damage)(fixture_t *f);
    const char   *wanted[DAMAGE_WANTED_MAX];
} row_t;


static const u_char    uuid[16] = "0123456789abcde";
static const uint32_t  flushes[] = {
    0, MINUTE, 2 * MINUTE, HOUR, DAY, DAY + MINUTE
};


static void
count(fixture_t *f, uint32_t id, uint64_t n)
{
    rfl_cell_t  *cell;

    cell = &f->counters->cells[id];

    rfl_counters_add(&cell->n[RFL_CELL_CLICKS], n);
    rfl_counters_mark_dirty(f->counters, id);
    rfl_counters_add(&f->counters->stripes[0].n[RFL_ZONE_OUTCOMES], n);

    if (cell->n[RFL_CELL_FIRST_SEEN] == 0) {
        cell->n[RFL_CELL_FIRST_SEEN] = NOW;
    }
}


/* A table of sources, two rows and a filter, as a keeper leaves it. */

static void
put_sources(fixture_t *f)
{
    u_char               record[RFL_SOURCE_RECORD_MAX];
    size_t               lengths[2];
    uint32_t             i, numbers[2];
    rfl_sources_t       *table;
    rfl_ledger_batch_t   batch;
    rfl_sources_entry_t  source;

    memset(&batch, 0, sizeof(rfl_ledger_batch_t));
    memset(&source, 0, sizeof(rfl_sources_entry_t));

    batch.head.began = NOW;
    batch.head.read = 5;
    batch.head.floor = 1;
    batch.head.rows = RFL_SOURCES_ROWS;
    batch.head.used = 2;
    batch.numbers = numbers;
    batch.lengths = lengths;
    batch.nrows = 2;

    for (i = 0; i < 2; i++) {
        source.n[RFL_ENDED_OK] = 2;
        source.rank = 2;
        source.first = NOW;
        source.last = NOW;
        source.host_len = 1;
        source.landing_len = 1;
        source.text[0] = (u_char) ('a' + i);
        source.text[1] = '/';

        numbers[i] = i;
        lengths[i] = rfl_source_encode(&source, record);
        rfl_buf_add(&batch.records, record, lengths[i]);
    }

    table = rfl_sources_create(16);
    assert_non_null(table);
    assert_int_equal(rfl_sources_load_chunk(table, 3,
                                            rfl_str("\1\7\1", 3)), RFL_OK);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_put_sources(f->ledger, &batch, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_ledger_put_filter(f->ledger, table, 5, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);

    rfl_sources_free(table);
    rfl_buf_free(&batch.records);
}


static int
setup(void **state)
{
    size_t             i;
    fixture_t         *f;
    rfl_flush_t        flush;
    rfl_flush_stat_t   stat;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    strcpy(f->root, "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    (void) snprintf(f->path, sizeof(f->path), "%s/counters", f->root);

    if (rfl_counters_open(&f->counters, f->path, uuid, 100, MAX_IDS,
                          RFL_COUNTERS_CREATE, NOW, &f->err) != RFL_OK
        || rfl_ledger_open(&f->ledger, f->root, uuid, RFL_STORE_CREATE,
                           MAP_SIZE, &f->err) != RFL_OK)
    {
        fail_msg("%s", f->err.text);
    }

    f->store = rfl_ledger_store(f->ledger);
    f->file_id = f->counters->header->file_id;

    for (i = 0; i < sizeof(flushes) / sizeof(flushes[0]); i++) {
        count(f, ONE, 3);
        count(f, TWO, 5);
        count(f, FAR, 7);

        memset(&flush, 0, sizeof(rfl_flush_t));
        flush.counters_path = f->path;
        flush.now_ms = (uint64_t) (NOW + flushes[i]) * 1000;

        if (rfl_ledger_flush(f->ledger, f->counters, &flush, &stat, &f->err)
            != RFL_OK)
        {
            fail_msg("%s", f->err.text);
        }
    }

    put_sources(f);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    char        command[96];
    fixture_t  *f = *state;

    rfl_ledger_close(f->ledger);
    rfl_counters_close(f->counters);

    (void) snprintf(command, sizeof(command), "rm -rf %s", f->root);
    assert_int_equal(system(command), 0);

    free(f);

    return 0;
}


static void
check(fixture_t *f)
{
    memset(&f->check, 0, sizeof(rfl_check_t));
    f->faults.n = 0;

    f->check.fault = damage_fault;
    f->check.data = &f->faults;

    if (rfl_check_ledger(&f->check, f->ledger, &f->err) != RFL_OK) {
        fail_msg("%s", f->err.text);
    }

    assert_int_equal(f->check.faults, f->faults.n);
}


/* -- rows ---------------------------------------------------------------- */

static rfl_str_t
u64(uint64_t high, uint64_t low)
{
    static uint64_t  key;

    key = high << 32 | low;

    return rfl_str(&key, sizeof(key));
}


static rfl_str_t
file_key(fixture_t *f)
{
    return u64(f->file_id >> 32, f->file_id & 0xffffffffu);
}


static rfl_str_t
cell_key(uint32_t id)
{
    return u64(id, RFL_LEDGER_FIRST_FILE);
}


static rfl_str_t
bucket_key(rfl_unit_t unit, uint32_t later, uint32_t block)
{
    return u64((NOW + later) / rfl_unit_seconds[unit], block);
}


/* The value of a row under another key. */

static void
copy_row(fixture_t *f, unsigned dbi, uint64_t from, uint64_t to)
{
    rfl_str_t  value;

    value = damage_get(f->store, dbi, rfl_str(&from, sizeof(from)));
    damage_put(f->store, dbi, rfl_str(&to, sizeof(to)), value);
}


/* Clicks of an id in a bucket, added by the code that adds them. */

static void
add_clicks(fixture_t *f, rfl_unit_t unit, uint32_t later, uint32_t id)
{
    unsigned             i;
    u_char               kept[RFL_UNITS][1024];
    size_t               len[RFL_UNITS];
    rfl_str_t            value;
    rfl_history_t        h;
    rfl_history_block_t  block;

    memset(&block, 0, sizeof(rfl_history_block_t));
    block.present = (uint64_t) 1 << id % RFL_HISTORY_BLOCK;
    block.cells[id % RFL_HISTORY_BLOCK].n[RFL_CELL_CLICKS] = 1;

    for (i = 0; i < RFL_UNITS; i++) {
        value = damage_get(f->store, RFL_LEDGER_MINUTES + i,
                           bucket_key(i, later, id / RFL_HISTORY_BLOCK));
        assert_true(value.len <= sizeof(kept[i]));

        memcpy(kept[i], value.data, value.len);
        len[i] = value.len;
    }

    h = rfl_ledger_history(f->ledger);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_history_add(&h, NOW + later, id / RFL_HISTORY_BLOCK,
                                     &block, &f->err), RFL_OK);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);

    for (i = 0; i < RFL_UNITS; i++) {
        if (i != unit) {
            damage_put(f->store, RFL_LEDGER_MINUTES + i,
                       bucket_key(i, later, id / RFL_HISTORY_BLOCK),
                       rfl_str(kept[i], len[i]));
        }
    }
}


/* -- damages ------------------------------------------------------------- */

static void
no_meta(fixture_t *f)
{
    damage_del(f->store, RFL_LEDGER_META, rfl_cstr("ledger"));
}


static void
meta_of_noise(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_META, rfl_cstr("ledger"),
               rfl_str("\x01", 1));
}


static rfl_str_t
source_key(const char *name, uint32_t number)
{
    size_t  len;

    static u_char  key[32];

    len = strlen(name);
    memcpy(key, name, len);
    memset(key + len, 0, 3);
    key[len + 3] = (u_char) number;

    return rfl_str(key, len + 4);
}


static void
sources_of_noise(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_META, rfl_cstr("sources"),
               rfl_str("\x01", 1));
}


static void
source_missing(fixture_t *f)
{
    damage_del(f->store, RFL_LEDGER_META, source_key("source/", 1));
}


static void
source_of_noise(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_META, source_key("source/", 1),
               rfl_str("\x01", 1));
}


static void
source_twice(fixture_t *f)
{
    rfl_str_t  value;

    value = damage_get(f->store, RFL_LEDGER_META, source_key("source/", 0));
    damage_put(f->store, RFL_LEDGER_META, source_key("source/", 1), value);
}


static void
filter_of_noise(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_META, rfl_cstr("sources-filter"),
               rfl_str("\x01\x05", 2));
}


static void
filter_of_another_version(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_META, rfl_cstr("sources-filter"),
               rfl_str("\x7f", 1));
}


static void
filter_of_other_rows(fixture_t *f)
{
    rfl_str_t  value;

    value = damage_get(f->store, RFL_LEDGER_META, rfl_cstr("sources-filter"));
    ((u_char *) value.data)[1] = 4;
    damage_put(f->store, RFL_LEDGER_META, rfl_cstr("sources-filter"), value);
}


static void
filter_without_its_chunk(fixture_t *f)
{
    damage_del(f->store, RFL_LEDGER_META, source_key("source-filter/", 3));
}


static void
chunk_of_noise(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_META, source_key("source-filter/", 3),
               rfl_str("\x01\x00\x00", 3));
}


static void
no_file(fixture_t *f)
{
    damage_del(f->store, RFL_LEDGER_FILES, file_key(f));
}


static void
file_of_noise(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_FILES, file_key(f), rfl_str("\x01", 1));
}


static void
file_of_another_version(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_FILES, file_key(f), rfl_str("\x7f", 1));
}


static void
two_files_of_one_number(fixture_t *f)
{
    copy_row(f, RFL_LEDGER_FILES, f->file_id, 99);
}


static void
file_of_a_number_to_come(fixture_t *f)
{
    u_char     meta[64];
    rfl_str_t  value;

    value = damage_get(f->store, RFL_LEDGER_META, rfl_cstr("ledger"));
    memcpy(meta, value.data, value.len);

    assert_int_equal(meta[value.len - 1], RFL_LEDGER_FIRST_FILE + 1);
    meta[value.len - 1] = RFL_LEDGER_FIRST_FILE;

    damage_put(f->store, RFL_LEDGER_META, rfl_cstr("ledger"),
               rfl_str(meta, value.len));
}


static void
zone_of_no_file(fixture_t *f)
{
    uint32_t  number;

    number = 78;

    damage_put(f->store, RFL_LEDGER_ZONES, rfl_str(&number, sizeof(number)),
               rfl_str("\x01\x00", 2));
}


static void
put_zone(fixture_t *f, const char *bytes, size_t len)
{
    uint32_t  number;

    number = RFL_LEDGER_FIRST_FILE;

    damage_put(f->store, RFL_LEDGER_ZONES, rfl_str(&number, sizeof(number)),
               rfl_str(bytes, len));
}


static void
zone_of_noise(fixture_t *f)
{
    put_zone(f, "\x01\xff", 2);
}


static void
zone_of_another_version(fixture_t *f)
{
    put_zone(f, "\x7f", 1);
}


static void
no_zone(fixture_t *f)
{
    uint32_t  number;

    number = RFL_LEDGER_FIRST_FILE;

    damage_del(f->store, RFL_LEDGER_ZONES, rfl_str(&number, sizeof(number)));
}


static void
cell_of_no_file(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_CELLS, u64(ONE, 77),
               rfl_str("\x01\x00", 2));
}


static void
cell_of_no_id(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_CELLS, cell_key(0),
               rfl_str("\x01\x00", 2));
}


static void
cell_of_noise(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_CELLS, cell_key(ONE),
               rfl_str("\x01\xff", 2));
}


static void
cell_of_another_version(fixture_t *f)
{
    damage_put(f->store, RFL_LEDGER_CELLS, cell_key(ONE),
               rfl_str("\x7f", 1));
}


static void
no_cell(fixture_t *f)
{
    damage_del(f->store, RFL_LEDGER_CELLS, cell_key(TWO));
}


static void
no_cell_of_a_block(fixture_t *f)
{
    damage_del(f->store, RFL_LEDGER_CELLS, cell_key(FAR));
}


static void
no_day(fixture_t *f)
{
    damage_del(f->store, DAYS, bucket_key(RFL_UNIT_DAY, DAY, 0));
}


static void
no_day_of_the_registry(fixture_t *f)
{
    damage_del(f->store, DAYS,
               bucket_key(RFL_UNIT_DAY, DAY, RFL_HISTORY_ZONE));
}


static void
day_of_noise(fixture_t *f)
{
    damage_put(f->store, DAYS, bucket_key(RFL_UNIT_DAY, DAY, 0),
               rfl_str("\x01\x02", 2));
}


static void
day_of_another_version(fixture_t *f)
{
    damage_put(f->store, DAYS, bucket_key(RFL_UNIT_DAY, DAY, 0),
               rfl_str("\x7f", 1));
}


static void
day_with_more(fixture_t *f)
{
    add_clicks(f, RFL_UNIT_DAY, DAY, TWO);
}


static void
no_hour(fixture_t *f)
{
    damage_del(f->store, HOURS, bucket_key(RFL_UNIT_HOUR, DAY, 0));
}


static void
hour_of_noise(fixture_t *f)
{
    damage_put(f->store, HOURS, bucket_key(RFL_UNIT_HOUR, DAY, 0),
               rfl_str("\x01\x02", 2));
}


static void
hour_with_more(fixture_t *f)
{
    add_clicks(f, RFL_UNIT_HOUR, DAY, TWO);
}


static void
no_minute(fixture_t *f)
{
    damage_del(f->store, MINUTES, bucket_key(RFL_UNIT_MINUTE, DAY, 0));
}


static void
minute_of_noise(fixture_t *f)
{
    damage_put(f->store, MINUTES, bucket_key(RFL_UNIT_MINUTE, DAY, 0),
               rfl_str("\x01\x02", 2));
}


static void
minute_with_more(fixture_t *f)
{
    add_clicks(f, RFL_UNIT_MINUTE, DAY, TWO);
}


#define row(damage, ...)  { #damage, damage, { __VA_ARGS__ } }

static const row_t  rows[] = {

    row(no_meta, "ledger/meta: it is missing or makes no sense"),
    row(meta_of_noise, "ledger/meta: it is missing or makes no sense"),

    row(sources_of_noise,
        "ledger/meta: sources: what is said of the table makes no sense"),
    row(source_missing,
        "ledger/meta: sources: it says 2 rows, there are 1"),
    row(source_of_noise,
        "ledger/meta: source 1: its row makes no sense"),
    row(source_twice,
        "ledger/meta: source 1: another row is of the same source and *"),
    row(filter_of_noise,
        "ledger/meta: sources: the filter makes no sense"),
    row(filter_of_another_version,
        "ledger/meta: sources: the filter was written by another version"),
    row(filter_of_other_rows,
        "ledger/meta: sources: the filter is not that of the rows"),
    row(filter_without_its_chunk,
        "ledger/meta: sources: the filter makes no sense"),
    row(chunk_of_noise,
        "ledger/meta: sources: the filter makes no sense"),

    row(no_file,
        "ledger/zones: there is no counter file 1 of this number",
        "ledger/cells: the cell of id * is of counter file 1, which there is*"),
    row(file_of_noise,
        "ledger/files: counter file *: its record makes no sense",
        "ledger/zones: there is no counter file 1 of this number",
        "ledger/cells: the cell of id * is of counter file 1, which there is*"),
    row(file_of_another_version,
        "ledger/files: counter file *: its record was written by another *",
        "ledger/zones: there is no counter file 1 of this number",
        "ledger/cells: the cell of id * is of counter file 1, which there is*"),
    row(two_files_of_one_number,
        "ledger/files: two counter files have the number 1"),
    row(file_of_a_number_to_come,
        "ledger/files: counter file * has the number 1, but 1 is to be the *"),

    row(zone_of_no_file,
        "ledger/zones: there is no counter file 78 of this number"),
    row(zone_of_noise,
        "ledger/zones: counter file 1: its sums make no sense"),
    row(zone_of_another_version,
        "ledger/zones: counter file 1: its sums were written by another *"),
    row(no_zone,
        "ledger/days: the registry's counter *: its days sum to 90, its tot*"),

    row(cell_of_no_file,
        "ledger/cells: the cell of id 1 is of counter file 77, which there *"),
    row(cell_of_no_id,
        "ledger/cells: no link has the id 0"),
    row(cell_of_noise,
        "ledger/cells: the cell of id 1 in counter file 1 makes no sense"),
    row(cell_of_another_version,
        "ledger/cells: the cell of id 1 in counter file 1 was written by *"),
    row(no_cell,
        "ledger/days: id 2, counter 0: its days sum to 30, its total is 0"),
    row(no_cell_of_a_block,
        "ledger/cells: day * has counts of the ids from 64 on, but none has *"),

    row(no_day,
        "ledger/days: id 1, counter 0: its days sum to 12, its total is 18",
        "ledger/days: id 2, counter 0: its days sum to 20, its total is 30",
        "ledger/days: day *, id 1: its counter 0 is 0; its hours sum to 6",
        "ledger/days: day *, id 2: its counter 0 is 0; its hours sum to 10"),
    row(no_day_of_the_registry,
        "ledger/days: the registry's counter *: its days sum to 60, its tot*",
        "ledger/days: day *, the registry's counter * is 0; its hours sum to*"),
    row(day_of_noise,
        "ledger/days: day *, block 0: its value makes no sense"),
    row(day_of_another_version,
        "ledger/days: day *, block 0: its value was written by another *"),
    row(day_with_more,
        "ledger/days: id 2, counter 0: its days sum to 31, its total is 30",
        "ledger/days: day *, id 2: its counter 0 is 11; its hours sum to 10"),

    row(no_hour,
        "ledger/days: day *, id 1: its counter 0 is 6; its hours sum to 0",
        "ledger/days: day *, id 2: its counter 0 is 10; its hours sum to 0",
        "ledger/hours: hour *, id 1: its counter 0 is 0; its minutes sum to 6",
        "ledger/hours: hour *, id 2: its counter 0 is 0; its minutes sum to *"),
    row(hour_of_noise,
        "ledger/hours: hour *, block 0: its value makes no sense"),
    row(hour_with_more,
        "ledger/days: day *, id 2: its counter 0 is 10; its hours sum to 11",
        "ledger/hours: hour *, id 2: its counter 0 is 11; its minutes sum to*"),

    row(no_minute,
        "ledger/hours: hour *, id 1: its counter 0 is 6; its minutes sum to 3",
        "ledger/hours: hour *, id 2: its counter 0 is 10; its minutes sum to*"),
    row(minute_of_noise,
        "ledger/minutes: minute *, block 0: its value makes no sense"),
    row(minute_with_more,
        "ledger/hours: hour *, id 2: its counter 0 is 10; its minutes sum to*")
};


static void
a_sound_ledger_has_no_fault(void **state)
{
    fixture_t  *f = *state;

    static const char *const  none[] = { NULL };

    check(f);
    damage_is("sound", &f->faults, none);

    assert_int_equal(f->check.files, 1);
    assert_int_equal(f->check.cells, 3);

    /* two days, three hours, six minutes; of two blocks and the registry */

    assert_int_equal(f->check.buckets, 3 * (2 + 3 + 6));
}


static void
each_damage_is_named_and_nothing_else(void **state)
{
    size_t  i;
    void   *fresh;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(setup(&fresh), 0);

        rows[i].damage(fresh);
        check(fresh);
        damage_is(rows[i].name, &((fixture_t *) fresh)->faults,
                  rows[i].wanted);

        assert_int_equal(teardown(&fresh), 0);
    }
}


/* The oldest rows are what pruning takes, whole buckets at a time. */

static void
what_was_pruned_is_no_fault(void **state)
{
    unsigned          unit;
    uint32_t          pruned;
    fixture_t        *f = *state;
    rfl_history_t     h;
    rfl_retention_t   keep;

    static const char *const  none[] = { NULL };

    for (unit = 0; unit < RFL_UNITS; unit++) {
        memset(&keep, 0, sizeof(rfl_retention_t));
        keep.seconds[unit] = HOUR;

        h = rfl_ledger_history(f->ledger);
        pruned = 0;

        assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
        assert_int_equal(rfl_history_prune(&h, &keep, NOW + DAY + HOUR, 1000,
                                           &pruned, &f->err), RFL_OK);
        assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);

        assert_true(pruned > 0);

        check(f);
        damage_is("pruned", &f->faults, none);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(a_sound_ledger_has_no_fault, setup,
                                        teardown),
        cmocka_unit_test(each_damage_is_named_and_nothing_else),
        cmocka_unit_test_setup_teardown(what_was_pruned_is_no_fault, setup,
                                        teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
