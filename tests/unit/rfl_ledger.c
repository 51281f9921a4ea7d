/*
 * The ledger, with real files, real flushers in other processes, and kill -9.
 * Totals are compared with what was counted.
 */

#include "rfl_ledger.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


#define MAX_IDS   (1u << 20)
#define MAP_SIZE  ((size_t) 256 << 20)
#define NOW       1795215480
#define NOW_MS    ((uint64_t) NOW * 1000)

/* The tables, in the order in which the ledger lists them. */

enum { META = 0, FILES, CELLS, ZONES, MINUTES };


typedef struct {
    char             dir[64];
    char             path[128];
    rfl_error_t      err;
    rfl_counters_t  *counters;
    rfl_ledger_t    *ledger;
    rfl_retention_t *keep;
} fixture_t;


typedef struct {
    rfl_cell_t    cell;
    size_t        len;
    const u_char *stored;
} encoding_row_t;


typedef struct {
    size_t        len;
    const u_char *stored;
    rfl_rc_t      read;
    rfl_rc_t      flush;
} damage_row_t;


typedef struct {
    uint32_t  ready;
    uint32_t  go;
    uint32_t  done;
} board_t;


typedef int (*child_pt)(fixture_t *f, board_t *board, unsigned n);


static const u_char  uuid[16] = "0123456789abcde";
static const u_char  other_uuid[16] = "other registry.";


static int
setup(void **state)
{
    fixture_t  *f;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void) snprintf(f->path, sizeof(f->path), "%s/counters", f->dir);

    *state = f;

    return 0;
}


static void
close_all(fixture_t *f)
{
    rfl_ledger_close(f->ledger);
    f->ledger = NULL;

    rfl_counters_close(f->counters);
    f->counters = NULL;
}


static int
teardown(void **state)
{
    char        command[96];
    fixture_t  *f = *state;

    close_all(f);

    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);

    free(f);

    return 0;
}


static rfl_rc_t
try_open(fixture_t *f)
{
    rfl_rc_t  rc;

    rc = rfl_counters_open(&f->counters, f->path, uuid, 1, MAX_IDS,
                           RFL_COUNTERS_CREATE, NOW, &f->err);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_ledger_open(&f->ledger, f->dir, uuid, RFL_STORE_CREATE,
                           MAP_SIZE, &f->err);
}


static void
open_all(fixture_t *f)
{
    if (try_open(f) != RFL_OK) {
        fail_msg("%s", f->err.text);
    }
}


/* What a reboot does to a file on tmpfs. */

static void
reboot(fixture_t *f)
{
    close_all(f);
    assert_int_equal(unlink(f->path), 0);
    open_all(f);
}


static void
count(rfl_counters_t *c, uint32_t id, uint64_t n)
{
    rfl_counters_add(&c->cells[id].n[RFL_CELL_CLICKS], n);
    rfl_counters_mark_dirty(c, id);
    rfl_counters_add(&c->stripes[id % 7].n[RFL_ZONE_OUTCOMES], n);
}


static rfl_rc_t
flush_at(fixture_t *f, rfl_counters_t *c, int full, uint64_t now_ms,
    rfl_flush_stat_t *stat)
{
    rfl_flush_t  flush;

    memset(&flush, 0, sizeof(rfl_flush_t));

    flush.counters_path = f->path;
    flush.now_ms = now_ms;
    flush.keep = f->keep;
    flush.full = full;

    return rfl_ledger_flush(f->ledger, c, &flush, stat, &f->err);
}


static uint32_t
flushed(fixture_t *f, int full)
{
    rfl_flush_stat_t  stat;

    if (flush_at(f, f->counters, full, NOW_MS, &stat) != RFL_OK) {
        fail_msg("%s", f->err.text);
    }

    assert_int_equal(stat.full, full);

    return stat.cells;
}


static uint64_t
stored_clicks(fixture_t *f, uint64_t live_file_id, uint32_t id)
{
    rfl_cell_t  cell;

    memset(&cell, 0, sizeof(rfl_cell_t));

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_cell(f->ledger, live_file_id, id, &cell),
                     RFL_OK);
    rfl_ledger_end(f->ledger);

    return cell.n[RFL_CELL_CLICKS];
}


static uint64_t
stored_zone(fixture_t *f, uint64_t live_file_id)
{
    rfl_zone_t  zone;

    memset(&zone, 0, sizeof(rfl_zone_t));

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_zone(f->ledger, live_file_id, &zone), RFL_OK);
    rfl_ledger_end(f->ledger);

    return zone.n[RFL_ZONE_OUTCOMES];
}


/* Total = stored cells of other files + the live cell; 0 if unreadable. */

static uint64_t
total(fixture_t *f, uint32_t id)
{
    rfl_rc_t    rc;
    rfl_cell_t  cell, live;

    memset(&cell, 0, sizeof(rfl_cell_t));

    if (rfl_ledger_begin(f->ledger, &f->err) != RFL_OK) {
        return 0;
    }

    rc = rfl_ledger_cell(f->ledger, f->counters->header->file_id, id, &cell);
    rfl_ledger_end(f->ledger);

    if (rc != RFL_OK) {
        return 0;
    }

    rfl_counters_read_cell(f->counters, id, &live);
    rfl_cell_merge(&cell, &live);

    return cell.n[RFL_CELL_CLICKS];
}


/* All buckets of a unit that lie in [from, to); the zone: id is ZONE. */

#define ZONE  UINT32_MAX

static uint64_t
history(fixture_t *f, rfl_unit_t unit, uint32_t from, uint32_t to,
    uint32_t id, unsigned field)
{
    uint32_t       budget;
    rfl_merge_t    m;
    rfl_period_t   period;
    rfl_history_t  h;

    memset(&period, 0, sizeof(rfl_period_t));

    period.nranges = 1;
    period.ranges[0].unit = unit;
    period.ranges[0].from = from;
    period.ranges[0].to = to;

    budget = UINT32_MAX;
    h = rfl_ledger_history(f->ledger);

    rfl_merge_start(&m, id == ZONE ? RFL_MERGE_ZONE : RFL_MERGE_CELL, &period,
                    id);

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_merge_step(&m, &h, &budget), RFL_OK);
    rfl_ledger_end(f->ledger);

    return id == ZONE ? m.sum.zone.n[field] : m.sum.cell.n[field];
}


/* All units have all of what is stored. */

static void
history_is_whole(fixture_t *f, uint32_t id)
{
    unsigned  unit;
    uint64_t  stored;

    stored = id == ZONE ? stored_zone(f, 0) : stored_clicks(f, 0, id);

    for (unit = 0; unit < RFL_UNITS; unit++) {
        assert_int_equal(history(f, unit, 0, UINT32_MAX, id, 0), stored);
    }
}


static board_t *
board_new(void)
{
    board_t  *board;

    board = mmap(NULL, sizeof(board_t), PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    assert_true(board != MAP_FAILED);

    return board;
}


static void
wait_for_go(board_t *board)
{
    (void) __atomic_fetch_add(&board->ready, 1, __ATOMIC_ACQ_REL);

    while (__atomic_load_n(&board->go, __ATOMIC_ACQUIRE) == 0) {
        (void) sched_yield();
    }
}


/* Children start together; each returns 0 or the number of what is wrong. */

static void
run_children(fixture_t *f, unsigned n, child_pt child)
{
    int       status;
    pid_t     pids[8];
    board_t  *board;
    unsigned  i;

    board = board_new();

    for (i = 0; i < n; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);

        if (pids[i] == 0) {
            (void) alarm(60);
            status = child(f, board, i);
            close_all(f);
            _exit(status);
        }
    }

    while (__atomic_load_n(&board->ready, __ATOMIC_ACQUIRE) < n) {
        (void) sched_yield();
    }

    __atomic_store_n(&board->go, 1, __ATOMIC_RELEASE);

    for (i = 0; i < n; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);

        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fail_msg("child %u: status %x", i, status);
        }
    }

    (void) munmap(board, sizeof(board_t));
}


static void
put_cell(fixture_t *f, uint64_t key, const u_char *stored, size_t len)
{
    rfl_store_t  *s;

    s = rfl_ledger_store(f->ledger);

    assert_int_equal(rfl_store_begin(s, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(s, CELLS, key, rfl_str(stored, len), 0,
                                       &f->err), RFL_OK);
    assert_int_equal(rfl_store_commit(s, &f->err), RFL_OK);
}


static void
a_ledger_belongs_to_one_registry(void **state)
{
    fixture_t     *f = *state;
    rfl_ledger_t  *l;

    assert_int_equal(rfl_ledger_open(&l, f->dir, uuid, RFL_STORE_READ,
                                     MAP_SIZE, &f->err), RFL_NOT_FOUND);
    assert_null(l);
    assert_int_equal(rfl_ledger_open(&l, f->dir, NULL, RFL_STORE_CREATE,
                                     MAP_SIZE, &f->err), RFL_INVALID);
    assert_int_equal(rfl_ledger_open(&l, f->dir, NULL, RFL_STORE_READ,
                                     MAP_SIZE, &f->err), RFL_NOT_FOUND);

    assert_int_equal(rfl_ledger_open(&l, f->dir, uuid, RFL_STORE_CREATE,
                                     MAP_SIZE, &f->err), RFL_OK);
    rfl_ledger_close(l);

    assert_int_equal(rfl_ledger_open(&l, f->dir, uuid, RFL_STORE_CREATE,
                                     MAP_SIZE, &f->err), RFL_OK);
    rfl_ledger_close(l);

    assert_int_equal(rfl_ledger_open(&l, f->dir, NULL, RFL_STORE_READ,
                                     MAP_SIZE, &f->err), RFL_OK);
    rfl_ledger_close(l);

    assert_int_equal(rfl_ledger_open(&l, f->dir, other_uuid, RFL_STORE_CREATE,
                                     MAP_SIZE, &f->err), RFL_INVALID);
    assert_null(l);
    assert_non_null(strstr(f->err.text, "another registry"));

    rfl_ledger_close(NULL);
}


static void
a_path_beyond_the_limit_is_refused(void **state)
{
    char           path[5000];
    fixture_t     *f = *state;
    rfl_ledger_t  *l;

    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';

    assert_int_equal(rfl_ledger_open(&l, path, uuid, RFL_STORE_CREATE,
                                     MAP_SIZE, &f->err), RFL_INVALID);
    assert_null(l);
}


static void
a_ledger_of_another_version_is_refused(void **state)
{
    fixture_t      *f = *state;
    rfl_str_t       value;
    rfl_store_t    *s;
    u_char          copy[64];

    open_all(f);
    s = rfl_ledger_store(f->ledger);

    assert_int_equal(rfl_store_begin(s, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_get(s, META, rfl_cstr("ledger"), &value),
                     RFL_OK);
    assert_true(value.len < sizeof(copy));
    memcpy(copy, value.data, value.len);
    copy[0]++;
    assert_int_equal(rfl_store_put(s, META, rfl_cstr("ledger"),
                                   rfl_str(copy, value.len), 0, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_store_commit(s, &f->err), RFL_OK);

    close_all(f);
    assert_int_equal(try_open(f), RFL_BAD_VERSION);
    assert_null(f->ledger);
}


static const encoding_row_t  encodings[] = {
    { { .n = { 1 } }, 2, (u_char *) "\x01\x01" },
    { { .n = { 127 } }, 2, (u_char *) "\x01\x7f" },
    { { .n = { 128 } }, 3, (u_char *) "\x01\x80\x01" },
    { { .n = { 0, 0, 5 } }, 4, (u_char *) "\x01\x00\x00\x05" },
    { { .n = { UINT64_MAX } }, 11,
      (u_char *) "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" },
    { { .n = { [15] = 300 } }, 18,
      (u_char *) "\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xac\x02" }
};


static void
cells_are_stored_as_documented(void **state)
{
    size_t       i;
    rfl_str_t    value;
    rfl_cell_t   cell;
    fixture_t   *f = *state;
    rfl_store_t *s;

    open_all(f);
    s = rfl_ledger_store(f->ledger);

    for (i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        f->counters->cells[i + 1] = encodings[i].cell;
        rfl_counters_mark_dirty(f->counters, (uint32_t) i + 1);
    }

    assert_int_equal(flushed(f, 0), i);

    assert_int_equal(rfl_store_begin(s, 0, &f->err), RFL_OK);

    for (i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        assert_int_equal(rfl_store_get_u64(s, CELLS, (uint64_t) (i + 1) << 32
                                                     | 1, &value), RFL_OK);
        assert_int_equal(value.len, encodings[i].len);
        assert_memory_equal(value.data, encodings[i].stored, value.len);

        /* fields that do not merge are compared by their bytes above */

        memset(&cell, 0, sizeof(rfl_cell_t));
        assert_int_equal(rfl_ledger_cell(f->ledger, 0, (uint32_t) i + 1,
                                         &cell), RFL_OK);
        assert_memory_equal(cell.n, encodings[i].cell.n,
                            RFL_CELL_SUMS * sizeof(uint64_t));
        assert_memory_equal(&cell.n[RFL_CELL_FIRST_SEEN],
                            &encodings[i].cell.n[RFL_CELL_FIRST_SEEN],
                            2 * sizeof(uint64_t));
    }

    rfl_store_end(s);
}


static const damage_row_t  damages[] = {
    { 0, (u_char *) "", RFL_DAMAGED, RFL_OK },
    { 1, (u_char *) "\x01", RFL_OK, RFL_OK },
    { 1, (u_char *) "\x00", RFL_BAD_VERSION, RFL_BAD_VERSION },
    { 2, (u_char *) "\x02\x01", RFL_BAD_VERSION, RFL_BAD_VERSION },
    { 2, (u_char *) "\x01\x80", RFL_DAMAGED, RFL_OK },
    { 17, (u_char *) "\x01\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1", RFL_OK, RFL_OK },
    { 18, (u_char *) "\x01\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1", RFL_DAMAGED,
      RFL_OK },
    { 11, (u_char *) "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
      RFL_DAMAGED, RFL_OK },
    { 12, (u_char *) "\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
      RFL_DAMAGED, RFL_OK }
};


static void
damaged_cells_are_told_and_healed_newer_ones_left(void **state)
{
    size_t             i;
    uint64_t           key;
    rfl_cell_t         cell;
    fixture_t         *f = *state;
    rfl_flush_stat_t   stat;

    open_all(f);
    count(f->counters, 9, 42);
    assert_int_equal(flushed(f, 0), 1);

    key = (uint64_t) 9 << 32 | 1;

    for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {

        put_cell(f, key, damages[i].stored, damages[i].len);

        memset(&cell, 0, sizeof(rfl_cell_t));
        assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
        assert_int_equal(rfl_ledger_cell(f->ledger, 0, 9, &cell),
                         damages[i].read);
        rfl_ledger_end(f->ledger);

        rfl_counters_mark_dirty(f->counters, 9);
        assert_int_equal(flush_at(f, f->counters, 0, NOW_MS, &stat),
                         damages[i].flush);

        if (damages[i].flush == RFL_OK) {
            assert_int_equal(stat.cells, 1);
            assert_int_equal(stored_clicks(f, 0, 9), 42);

        } else {
            assert_int_equal(rfl_counters_take_dirty(f->counters, 0), 1 << 9);
            assert_int_equal(f->counters->header->flush_failing, 1);
        }
    }

    assert_int_equal(f->counters->header->flush_failing, 0);
    assert_int_equal(f->counters->header->flush_errors, 2);
}


static void
only_what_changed_is_written(void **state)
{
    uint64_t            before;
    fixture_t          *f = *state;
    rfl_store_t        *s;
    rfl_flush_stat_t    stat;
    rfl_ledger_file_t   file;

    open_all(f);
    s = rfl_ledger_store(f->ledger);

    count(f->counters, 1, 1);
    count(f->counters, 64, 2);
    count(f->counters, 4095, 3);
    assert_int_equal(flushed(f, 0), 3);
    assert_int_equal(f->counters->header->flush_ms, NOW_MS);

    assert_int_equal(rfl_store_begin(s, 0, &f->err), RFL_OK);
    before = rfl_store_txn_id(s);
    rfl_store_end(s);

    /* dirty, but as it was stored */
    rfl_counters_mark_dirty(f->counters, 64);
    assert_int_equal(flushed(f, 0), 0);

    assert_int_equal(rfl_store_begin(s, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_txn_id(s), before);
    rfl_store_end(s);

    /* a full one notes that the file is in use */
    assert_int_equal(flush_at(f, f->counters, 1, NOW_MS + 1000, &stat),
                     RFL_OK);
    assert_int_equal(stat.cells, 0);

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_last_file(f->ledger, &file), RFL_OK);
    assert_int_equal(file.flushed_ms, NOW_MS + 1000);
    rfl_ledger_end(f->ledger);

    count(f->counters, 64, 1);
    assert_int_equal(flushed(f, 0), 1);
    assert_int_equal(stored_clicks(f, 0, 64), 3);
    assert_int_equal(stored_zone(f, 0), 7);
}


static void
a_full_flush_finds_cells_whose_bit_was_lost(void **state)
{
    fixture_t  *f = *state;

    open_all(f);

    count(f->counters, 70, 5);
    count(f->counters, 4000, 6);
    assert_int_not_equal(rfl_counters_take_dirty(f->counters, 1), 0);

    assert_int_equal(flushed(f, 0), 1);
    assert_int_equal(stored_clicks(f, 0, 70), 0);

    assert_int_equal(flushed(f, 1), 1);
    assert_int_equal(stored_clicks(f, 0, 70), 5);
    assert_int_equal(stored_clicks(f, 0, 4000), 6);
}


static void
the_live_file_is_left_out_of_the_stored_sum(void **state)
{
    uint64_t    live;
    fixture_t  *f = *state;

    open_all(f);
    live = f->counters->header->file_id;

    /* never flushed: nothing stored is its own */
    assert_int_equal(stored_clicks(f, live, 3), 0);

    count(f->counters, 3, 10);
    (void) flushed(f, 0);

    assert_int_equal(stored_clicks(f, live, 3), 0);
    assert_int_equal(stored_clicks(f, 0, 3), 10);
    assert_int_equal(stored_clicks(f, live + 1, 3), 10);
    assert_int_equal(stored_zone(f, live), 0);
    assert_int_equal(stored_zone(f, 0), 10);

    count(f->counters, 3, 1);
    assert_int_equal(total(f, 3), 11);
}


static void
totals_come_back_after_reboots(void **state)
{
    unsigned    i;
    fixture_t  *f = *state;

    open_all(f);

    for (i = 1; i <= 4; i++) {
        count(f->counters, 3, i);
        count(f->counters, 2 + 2 * i, 1);
        (void) flushed(f, 0);

        assert_int_equal(total(f, 3), i * (i + 1) / 2);
        reboot(f);
        assert_int_equal(total(f, 3), i * (i + 1) / 2);
    }

    assert_int_equal(stored_clicks(f, 0, 3), 10);
    assert_int_equal(stored_clicks(f, 0, 2), 0);
    assert_int_equal(stored_clicks(f, 0, 4), 1);
    assert_int_equal(stored_zone(f, 0), 14);
}


static void
the_highest_id_and_the_last_file_are_known(void **state)
{
    char                first[128];
    uint32_t            id;
    fixture_t          *f = *state;
    rfl_flush_stat_t    stat;
    rfl_ledger_file_t   file;

    open_all(f);

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_max_id(f->ledger, &id), RFL_OK);
    assert_int_equal(id, 0);
    assert_int_equal(rfl_ledger_last_file(f->ledger, &file), RFL_NOT_FOUND);
    rfl_ledger_end(f->ledger);

    count(f->counters, 7, 1);
    count(f->counters, 4090, 1);
    (void) flushed(f, 0);
    memcpy(first, f->path, sizeof(first));

    close_all(f);
    (void) snprintf(f->path, sizeof(f->path), "%s/second", f->dir);
    open_all(f);
    assert_int_equal(flush_at(f, f->counters, 0, NOW_MS - 1, &stat), RFL_OK);

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_max_id(f->ledger, &id), RFL_OK);
    assert_int_equal(id, 4090);
    assert_int_equal(rfl_ledger_last_file(f->ledger, &file), RFL_OK);
    assert_int_equal(file.number, 1);
    assert_int_equal(file.flushed_ms, NOW_MS);
    assert_true(rfl_str_eq(file.path, rfl_cstr(first)));
    rfl_ledger_end(f->ledger);

    count(f->counters, 1, 1);
    (void) flushed(f, 0);

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_last_file(f->ledger, &file), RFL_OK);
    assert_int_equal(file.number, 2);
    assert_int_equal(file.file_id, f->counters->header->file_id);
    assert_true(rfl_str_eq(file.path, rfl_cstr(f->path)));
    rfl_ledger_end(f->ledger);
}


static void
a_file_of_another_registry_is_not_flushed(void **state)
{
    fixture_t         *f = *state;
    rfl_counters_t    *other;
    rfl_flush_stat_t   stat;

    open_all(f);
    (void) snprintf(f->path, sizeof(f->path), "%s/other", f->dir);

    assert_int_equal(rfl_counters_open(&other, f->path, other_uuid, 1,
                                       MAX_IDS, RFL_COUNTERS_CREATE, NOW,
                                       &f->err), RFL_OK);
    count(other, 1, 1);
    assert_int_equal(flush_at(f, other, 1, NOW_MS, &stat), RFL_INVALID);
    assert_int_equal(stored_clicks(f, 0, 1), 0);
    assert_int_equal(rfl_counters_take_dirty(other, 0), 2);

    rfl_counters_close(other);
}


static void
a_file_opened_for_reading_is_not_flushed(void **state)
{
    fixture_t         *f = *state;
    rfl_counters_t    *reader;
    rfl_flush_stat_t   stat;

    open_all(f);

    assert_int_equal(rfl_counters_open(&reader, f->path, uuid, 0, MAX_IDS,
                                       RFL_COUNTERS_READ, NOW, &f->err),
                     RFL_OK);
    assert_int_equal(flush_at(f, reader, 1, NOW_MS, &stat), RFL_DENIED);
    rfl_counters_close(reader);
}


static void
a_flush_that_does_not_fit_stores_nothing_and_can_be_repeated(void **state)
{
    uint32_t           id;
    fixture_t         *f = *state;
    rfl_flush_stat_t   stat;

    open_all(f);
    rfl_ledger_close(f->ledger);

    assert_int_equal(rfl_ledger_open(&f->ledger, f->dir, uuid,
                                     RFL_STORE_CREATE, 64 * 1024, &f->err),
                     RFL_OK);

    for (id = 1; id <= 5000; id++) {
        count(f->counters, id, id);
    }

    assert_int_equal(flush_at(f, f->counters, 0, NOW_MS, &stat), RFL_FULL);
    assert_int_equal(stat.cells, 0);
    assert_int_equal(f->counters->header->flush_errors, 1);
    assert_int_equal(f->counters->header->flush_failing, 1);
    assert_int_equal(f->counters->header->flush_ms, 0);

    rfl_ledger_close(f->ledger);
    assert_int_equal(rfl_ledger_open(&f->ledger, f->dir, uuid,
                                     RFL_STORE_CREATE, MAP_SIZE, &f->err),
                     RFL_OK);
    assert_int_equal(stored_clicks(f, 0, 1), 0);
    assert_int_equal(stored_zone(f, 0), 0);

    assert_int_equal(flushed(f, 0), 5000);

    for (id = 1; id <= 5000; id++) {
        assert_int_equal(stored_clicks(f, 0, id), id);
    }

    assert_int_equal(f->counters->header->flush_failing, 0);
    assert_int_equal(f->counters->header->flush_ms, NOW_MS);
}


#define KILLS  220

#if defined(__SANITIZE_ADDRESS__)
#define SLOW  4                          /* a fork and a flush take longer */
#else
#define SLOW  1
#endif


/* Time goes on, also backwards, so that many buckets are written. */

static int
count_and_flush_for_ever(fixture_t *f, board_t *board, unsigned round)
{
    unsigned          i;
    uint64_t          now_ms;
    rfl_flush_stat_t  stat;

    if (try_open(f) != RFL_OK) {
        return 1;
    }

    __atomic_store_n(&board->ready, 1, __ATOMIC_RELEASE);

    for (i = 0; ; i++) {
        count(f->counters, 1 + i % 700, 1);

        if (i % 50 != 0) {
            continue;
        }

        now_ms = NOW_MS + (uint64_t) (round * 37 % 50) * 1700000
                 + (i / 50) * 20000;

        if (flush_at(f, f->counters, i % 500 == 0, now_ms, &stat) != RFL_OK) {
            return 2;
        }

        (void) __atomic_fetch_add(&board->done, 1, __ATOMIC_RELAXED);
    }
}


/* The parent has closed all. */

static void
kill_one(fixture_t *f, board_t *board, unsigned round)
{
    int       status;
    pid_t     pid;
    uint32_t  wanted;

    board->ready = 0;
    wanted = round % 4 == 0 ? 0 : board->done + 1;

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        (void) alarm(60);
        _exit(count_and_flush_for_ever(f, board, round));
    }

    /* a slow machine must not be killed before its first flush each time */

    while ((__atomic_load_n(&board->ready, __ATOMIC_ACQUIRE) == 0
            || __atomic_load_n(&board->done, __ATOMIC_ACQUIRE) < wanted)
           && waitpid(pid, &status, WNOHANG) == 0)
    {
        (void) sched_yield();
    }

    (void) usleep((useconds_t) random() % (8000 * SLOW));
    (void) kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}


static void
a_killed_flusher_leaves_nothing_to_repair(void **state)
{
    board_t     *board;
    unsigned     round;
    uint32_t     id;
    uint64_t     sum;
    fixture_t   *f = *state;
    rfl_cell_t   live;

    board = board_new();
    srandom(1);

    for (round = 0; round < KILLS; round++) {

        kill_one(f, board, round);
        open_all(f);

        /* what the killed one had stored is whole before it is repaired */

        for (id = 1 + round % 60; id <= 700; id += 60) {
            history_is_whole(f, id);
        }

        history_is_whole(f, ZONE);

        (void) flushed(f, 1);

        for (id = 1, sum = 0; id <= 700; id++) {
            rfl_counters_read_cell(f->counters, id, &live);
            sum += live.n[RFL_CELL_CLICKS];
            assert_int_equal(stored_clicks(f, 0, id),
                             live.n[RFL_CELL_CLICKS]);
        }

        for (id = 1 + round % 60; id <= 700; id += 60) {
            history_is_whole(f, id);
        }

        history_is_whole(f, ZONE);

        /* the zone is added to after the cell, and a kill comes between */
        assert_true(sum >= stored_zone(f, 0));
        assert_true(sum <= stored_zone(f, 0) + round + 1);

        close_all(f);
    }

    print_message("%d kills, %u flushes had returned\n", KILLS, board->done);
    assert_true(board->done >= KILLS * 3 / 4);

    (void) munmap(board, sizeof(board_t));
}


#define ADDS  100000

static int
counts(fixture_t *f, board_t *board)
{
    unsigned  i;

    if (rfl_counters_open(&f->counters, f->path, uuid, 1, MAX_IDS,
                          RFL_COUNTERS_WRITE, NOW, NULL) != RFL_OK)
    {
        return 1;
    }

    wait_for_go(board);

    for (i = 0; i < ADDS; i++) {
        count(f->counters, 1 + i % 10, 1);
    }

    (void) __atomic_fetch_add(&board->done, 1, __ATOMIC_ACQ_REL);

    return 0;
}


static int
flushes(fixture_t *f, board_t *board)
{
    int               last;
    uint64_t          now_ms;
    rfl_flush_stat_t  stat;

    if (try_open(f) != RFL_OK) {
        return 1;
    }

    wait_for_go(board);

    now_ms = NOW_MS;

    do {
        last = __atomic_load_n(&board->done, __ATOMIC_ACQUIRE) == 4;

        if (flush_at(f, f->counters, 0, now_ms, &stat) != RFL_OK) {
            return 2;
        }

        now_ms += 11000;
    } while (!last);

    return 0;
}


static int
reads(fixture_t *f, board_t *board)
{
    int       last;
    uint32_t  id;
    uint64_t  now, before[11], stored_before[11];

    if (rfl_counters_open(&f->counters, f->path, uuid, 1, MAX_IDS,
                          RFL_COUNTERS_READ, NOW, NULL) != RFL_OK
        || rfl_ledger_open(&f->ledger, f->dir, uuid, RFL_STORE_READ, MAP_SIZE,
                           NULL) != RFL_OK)
    {
        return 1;
    }

    memset(before, 0, sizeof(before));
    memset(stored_before, 0, sizeof(stored_before));
    wait_for_go(board);

    do {
        last = __atomic_load_n(&board->done, __ATOMIC_ACQUIRE) == 4;

        for (id = 1; id <= 10; id++) {
            now = total(f, id);
            if (now < before[id]) {
                return 2;
            }

            before[id] = now;

            now = stored_clicks(f, 0, id);
            if (now < stored_before[id]) {
                return 3;
            }

            stored_before[id] = now;
        }
    } while (!last);

    return 0;
}


static int
count_flush_or_read(fixture_t *f, board_t *board, unsigned n)
{
    if (n < 4) {
        return counts(f, board);
    }

    return n < 6 ? flushes(f, board) : reads(f, board);
}


static void
four_counters_and_two_flushers_are_exact_and_never_backwards(void **state)
{
    uint32_t    id;
    unsigned    round;
    fixture_t  *f = *state;

    for (round = 1; round <= 2; round++) {

        open_all(f);
        close_all(f);

        run_children(f, 7, count_flush_or_read);

        open_all(f);

        for (id = 1; id <= 10; id++) {

            /* the flushers' last turn found all: no full flush is needed */
            assert_int_equal(stored_clicks(f, 0, id), round * 4 * ADDS / 10);
            assert_int_equal(total(f, id), round * 4 * ADDS / 10);
            history_is_whole(f, id);
        }

        history_is_whole(f, ZONE);

        assert_int_equal(stored_zone(f, 0), round * 4 * ADDS);

        reboot(f);
        close_all(f);
    }
}


static void
a_damaged_cell_adds_nothing_to_the_history(void **state)
{
    fixture_t  *f = *state;

    open_all(f);
    count(f->counters, 9, 42);
    count(f->counters, 10, 1);
    (void) flushed(f, 0);

    put_cell(f, (uint64_t) 9 << 32 | 1, (u_char *) "\x01\x80", 2);
    count(f->counters, 9, 3);
    (void) flushed(f, 0);

    assert_int_equal(stored_clicks(f, 0, 9), 45);
    assert_int_equal(history(f, RFL_UNIT_DAY, 0, UINT32_MAX, 9, 0), 42);
    history_is_whole(f, 10);
    history_is_whole(f, ZONE);

    /* a counter that went down, by damage, adds nothing; nor later again */
    f->counters->cells[10].n[RFL_CELL_CLICKS] = 0;
    f->counters->cells[10].n[RFL_CELL_BOTS] = 2;
    rfl_counters_mark_dirty(f->counters, 10);
    (void) flushed(f, 0);

    assert_int_equal(history(f, RFL_UNIT_DAY, 0, UINT32_MAX, 10, 0), 1);
    assert_int_equal(history(f, RFL_UNIT_DAY, 0, UINT32_MAX, 10,
                             RFL_CELL_BOTS), 2);
}


/* As after a power cut, of one on a disk: it is what had been written back. */

static void
a_counter_file_that_went_back_goes_on_from_what_is_stored(void **state)
{
    fixture_t         *f = *state;
    rfl_cell_t         old, *cells;
    rfl_zone_t         zone;

    open_all(f);
    cells = f->counters->cells;

    count(f->counters, 9, 40);
    old = cells[9];
    count(f->counters, 9, 2);
    count(f->counters, 10, 5);
    cells[10].n[RFL_CELL_FIRST_SEEN] = 1000;
    cells[10].n[RFL_CELL_LAST_SEEN] = 2000;
    (void) flushed(f, 0);

    cells[9] = old;
    memset(&cells[10], 0, sizeof(rfl_cell_t));
    memset(f->counters->stripes, 0, RFL_COUNTERS_STRIPES * sizeof(rfl_zone_t));

    close_all(f);
    open_all(f);
    cells = f->counters->cells;

    /* the zone alone, or what is counted meanwhile, does not tell of cells */

    count(f->counters, 9, 1);
    count(f->counters, 11, 100);
    (void) flushed(f, 1);

    assert_int_equal(cells[9].n[RFL_CELL_CLICKS], 42);
    assert_int_equal(cells[10].n[RFL_CELL_CLICKS], 5);
    assert_int_equal(cells[10].n[RFL_CELL_FIRST_SEEN], 1000);
    assert_int_equal(cells[10].n[RFL_CELL_LAST_SEEN], 2000);

    rfl_counters_read_zone(f->counters, &zone);
    assert_int_equal(zone.n[RFL_ZONE_OUTCOMES], 101);

    count(f->counters, 10, 3);
    (void) flushed(f, 0);

    assert_int_equal(stored_clicks(f, 0, 9), 42);
    assert_int_equal(stored_clicks(f, 0, 10), 8);
    assert_int_equal(stored_clicks(f, 0, 11), 100);
    assert_int_equal(stored_zone(f, 0), 104);
    history_is_whole(f, 9);
    history_is_whole(f, 10);
    history_is_whole(f, ZONE);
}


static void
history_of_another_version_fails_the_flush(void **state)
{
    uint64_t           key;
    fixture_t         *f = *state;
    rfl_store_t       *s;
    rfl_flush_stat_t   stat;

    open_all(f);
    s = rfl_ledger_store(f->ledger);
    key = (uint64_t) (NOW / 3600) << 32;

    assert_int_equal(rfl_store_begin(s, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(s, MINUTES + RFL_UNIT_HOUR, key,
                                       rfl_str("\x02", 1), 0, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_store_commit(s, &f->err), RFL_OK);

    count(f->counters, 9, 1);
    assert_int_equal(flush_at(f, f->counters, 0, NOW_MS, &stat),
                     RFL_BAD_VERSION);
    assert_non_null(strstr(f->err.text, "history"));
    assert_int_equal(stored_clicks(f, 0, 9), 0);

    /* an hour later all of it is stored */
    assert_int_equal(flush_at(f, f->counters, 0, NOW_MS + 3600 * 1000, &stat),
                     RFL_OK);
    assert_int_equal(stored_clicks(f, 0, 9), 1);
    assert_int_equal(history(f, RFL_UNIT_MINUTE, 0, UINT32_MAX, 9, 0), 1);
}


/*
 * The model: what each flush stored, as a list.  It prunes like the ledger,
 * by a clock that follows the wall clock at most twice as fast.
 */

#define MODEL_IDS     180                /* the next one is the zone */
#define MODEL_OPS     3000
#define MODEL_EVENTS  20000

typedef struct {
    uint64_t  now;
    uint32_t  id;
    unsigned  field;
    uint64_t  n;
    unsigned  gone[RFL_UNITS];
} event_t;

typedef struct {
    uint64_t          now_ms;
    uint64_t          clock_ms;
    uint64_t          seen_ms;
    rfl_retention_t   keep;
    uint64_t          pending[MODEL_IDS + 1][2];
    event_t           events[MODEL_EVENTS];
    unsigned          nevents;
    unsigned          lost:1;            /* dirty bits */
    unsigned          flushes;
    unsigned          jumps;
    unsigned          reboots;
    unsigned          pruned;
} model_t;


static unsigned
model_field(uint32_t id, unsigned i)
{
    if (id == MODEL_IDS) {
        return i == 0 ? RFL_ZONE_OUTCOMES : RFL_ZONE_FIELDS - 1;
    }

    return i == 0 ? RFL_CELL_CLICKS : RFL_CELL_BYTES;
}


static uint32_t
model_id(uint32_t id)
{
    return id == MODEL_IDS ? ZONE : id;
}


static void
model_add(fixture_t *f, model_t *m)
{
    unsigned  i;
    uint32_t  id;
    uint64_t  n;

    i = random() % 2;
    id = random() % (MODEL_IDS + 1);
    n = random() % 5 == 0 ? random() : 1 + random() % 3;

    if (id == MODEL_IDS) {
        rfl_counters_add(&f->counters->stripes[random() % 8]
                          .n[model_field(id, i)], n);

    } else {
        rfl_counters_add(&f->counters->cells[id].n[model_field(id, i)], n);
        rfl_counters_mark_dirty(f->counters, id);
    }

    m->pending[id][i] += n;
}


static void
model_prune(model_t *m)
{
    event_t   *e;
    unsigned   i, unit;
    uint64_t   step, before;

    step = m->now_ms > m->seen_ms ? m->now_ms - m->seen_ms : 0;

    if (m->seen_ms == 0) {
        m->clock_ms = m->now_ms;

    } else if (step <= 3600 * 1000 && m->clock_ms < m->now_ms) {
        m->clock_ms += 2 * step;
        m->clock_ms = m->clock_ms < m->now_ms ? m->clock_ms : m->now_ms;

    } else if (step <= 3600 * 1000) {
        m->clock_ms -= 2 * step < m->clock_ms - m->now_ms
                       ? 2 * step : m->clock_ms - m->now_ms;
    }

    m->seen_ms = m->now_ms;

    for (unit = 0; unit < RFL_UNITS; unit++) {

        if (m->keep.seconds[unit] == 0) {
            continue;
        }

        before = ((m->clock_ms < m->now_ms ? m->clock_ms : m->now_ms) / 1000
                  - m->keep.seconds[unit])
                 / rfl_unit_seconds[unit];

        for (i = 0; i < m->nevents; i++) {
            e = &m->events[i];

            if (e->now / rfl_unit_seconds[unit] < before && !e->gone[unit]) {
                e->gone[unit] = 1;
                m->pruned++;
            }
        }
    }
}


static void
model_flush(fixture_t *f, model_t *m)
{
    int               full;
    event_t          *e;
    unsigned          i;
    uint32_t          id;
    rfl_flush_stat_t  stat;

    model_add(f, m);                     /* so there is something to store */

    full = m->lost || random() % 6 == 0;
    m->lost = 0;

    if (flush_at(f, f->counters, full, m->now_ms, &stat) != RFL_OK) {
        fail_msg("%s", f->err.text);
    }

    for (id = 0; id <= MODEL_IDS; id++) {
        for (i = 0; i < 2; i++) {

            if (m->pending[id][i] == 0) {
                continue;
            }

            assert_true(m->nevents < MODEL_EVENTS);
            e = &m->events[m->nevents++];

            memset(e, 0, sizeof(event_t));
            e->now = m->now_ms / 1000;
            e->id = id;
            e->field = i;
            e->n = m->pending[id][i];

            m->pending[id][i] = 0;
        }
    }

    model_prune(m);
    m->flushes++;
}


static void
model_time(model_t *m)
{
    uint64_t  year;

    year = (uint64_t) 365 * 86400 * 1000;

    switch (random() % 60) {
    case 0:
        m->now_ms += (1 + random() % 3) * year;
        m->jumps++;
        break;
    case 1:
    case 2:
        m->now_ms -= m->now_ms > 20 * year ? (1 + random() % 2) * year : 0;
        m->jumps++;
        break;
    case 3:
        m->now_ms -= random() % 7200000;
        m->jumps++;
        break;
    case 4:
        m->now_ms += random() % 86400000;
        break;
    default:
        m->now_ms += random() % 600000;
    }
}


static void
model_step(fixture_t *f, model_t *m)
{
    switch (random() % 100) {

    case 0:                              /* what is not flushed is lost */
        reboot(f);
        memset(m->pending, 0, sizeof(m->pending));
        m->reboots++;
        break;

    case 1:                              /* all processes are killed */
        close_all(f);
        open_all(f);
        break;

    case 2:                              /* a flusher that had taken bits */
        (void) rfl_counters_take_dirty(f->counters, random() % 3);
        m->lost = 1;
        break;

    default:
        if (random() % 4 == 0) {
            model_time(m);
            model_flush(f, m);

        } else {
            model_add(f, m);
        }
    }
}


static uint64_t
model_sum(const model_t *m, rfl_unit_t unit, uint32_t bucket, uint32_t id,
    unsigned field)
{
    unsigned        i;
    uint64_t        sum;
    const event_t  *e;

    sum = 0;

    for (i = 0; i < m->nevents; i++) {
        e = &m->events[i];

        if (e->id == id && e->field == field && !e->gone[unit]
            && e->now / rfl_unit_seconds[unit] == bucket)
        {
            sum += e->n;
        }
    }

    return sum;
}


/* Whether all of the bucket's smaller ones are still kept. */

static int
model_has_all(const model_t *m, const event_t *of, rfl_unit_t unit)
{
    unsigned        i;
    uint64_t        seconds;
    const event_t  *e;

    seconds = rfl_unit_seconds[unit + 1];

    for (i = 0; i < m->nevents; i++) {
        e = &m->events[i];

        if (e->gone[unit] && e->now / seconds == of->now / seconds) {
            return 0;
        }
    }

    return 1;
}


/* Several together are as each of them, what was merged before stays. */

static void
model_check_cells(fixture_t *f, uint64_t live_file_id)
{
    size_t      i, n;
    uint32_t    first, ids[RFL_PAGES_MANY];
    rfl_cell_t  one, cells[RFL_PAGES_MANY];

    for (first = 0; first < MODEL_IDS; first += (uint32_t) n) {

        memset(cells, 0, sizeof(cells));

        for (n = 0; n < RFL_PAGES_MANY && first + n < MODEL_IDS + 3; n++) {
            ids[n] = model_id(first + (uint32_t) n);
            cells[n].n[RFL_CELL_OTHER] = n;
        }

        assert_int_equal(rfl_ledger_cells(f->ledger, live_file_id, ids, n,
                                          cells), RFL_OK);

        for (i = 0; i < n; i++) {
            memset(&one, 0, sizeof(rfl_cell_t));
            one.n[RFL_CELL_OTHER] = i;

            assert_int_equal(rfl_ledger_cell(f->ledger, live_file_id, ids[i],
                                             &one), RFL_OK);
            assert_memory_equal(&one, &cells[i], sizeof(rfl_cell_t));
        }
    }
}


static void
model_check_totals(fixture_t *f, const model_t *m)
{
    unsigned     i, j, field;
    uint32_t     id;
    uint64_t     sum, stored;
    rfl_cell_t   cell;
    rfl_zone_t   zone;

    memset(&zone, 0, sizeof(rfl_zone_t));
    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_zone(f->ledger, 0, &zone), RFL_OK);

    model_check_cells(f, 0);
    model_check_cells(f, f->counters->header->file_id);

    for (id = 0; id <= MODEL_IDS; id++) {
        memset(&cell, 0, sizeof(rfl_cell_t));
        assert_int_equal(rfl_ledger_cell(f->ledger, 0, id, &cell), RFL_OK);

        for (i = 0; i < 2; i++) {
            field = model_field(id, i);
            stored = id == MODEL_IDS ? zone.n[field] : cell.n[field];

            for (j = 0, sum = 0; j < m->nevents; j++) {
                if (m->events[j].id == id && m->events[j].field == i) {
                    sum += m->events[j].n;
                }
            }

            assert_int_equal(stored, sum);
            assert_int_equal(history(f, RFL_UNIT_DAY, 0, UINT32_MAX,
                                     model_id(id), field), stored);
        }
    }

    rfl_ledger_end(f->ledger);
}


static unsigned
model_check_buckets(fixture_t *f, const model_t *m)
{
    unsigned        i, unit, field, summed;
    uint32_t        bucket, id, parts;
    const event_t  *e;

    summed = 0;

    for (i = 0; i < m->nevents; i++) {
        e = &m->events[i];
        id = model_id(e->id);
        field = model_field(e->id, e->field);

        for (unit = 0; unit < RFL_UNITS; unit++) {
            bucket = (uint32_t) (e->now / rfl_unit_seconds[unit]);

            assert_int_equal(history(f, unit, bucket, bucket + 1, id, field),
                             model_sum(m, unit, bucket, e->id, e->field));

            if (unit == RFL_UNIT_DAY || !model_has_all(m, e, unit)) {
                continue;
            }

            parts = rfl_unit_seconds[unit + 1] / rfl_unit_seconds[unit];
            bucket = bucket / parts;

            assert_int_equal(history(f, unit, bucket * parts,
                                     (bucket + 1) * parts, id, field),
                             history(f, unit + 1, bucket, bucket + 1, id,
                                     field));
            summed++;
        }
    }

    return summed;
}


static void
random_operations_match_a_naive_model(void **state)
{
    model_t    *m;
    unsigned    op, seed, summed;
    fixture_t  *f = *state;

    m = calloc(1, sizeof(model_t));
    assert_non_null(m);

    seed = getenv("SEED") != NULL ? (unsigned) atoi(getenv("SEED")) : 5;
    srandom(seed);

    m->now_ms = NOW_MS;
    m->keep.seconds[RFL_UNIT_MINUTE] = 4 * 3600;
    m->keep.seconds[RFL_UNIT_HOUR] = 12 * 3600;
    f->keep = &m->keep;

    open_all(f);

    for (op = 1; op <= MODEL_OPS; op++) {
        model_step(f, m);

        if (op % 1000 == 0) {
            model_flush(f, m);
            model_check_totals(f, m);
        }
    }

    summed = model_check_buckets(f, m);

    print_message("%u flushes, %u clock jumps, %u reboots; of %u counts %u "
                  "were pruned; %u buckets were summed\n", m->flushes, m->jumps,
                  m->reboots, m->nevents, m->pruned, summed);

    assert_true(m->jumps > 5 && m->reboots > 3 && m->pruned > 20);
    assert_true(summed > m->nevents / 4);

    f->keep = NULL;
    free(m);
}


static void
a_clock_that_jumps_ahead_prunes_nothing(void **state)
{
    uint64_t           now_ms;
    unsigned           i;
    fixture_t         *f = *state;
    rfl_retention_t    keep;
    rfl_flush_stat_t   stat;

    keep.seconds[RFL_UNIT_MINUTE] = 86400;
    keep.seconds[RFL_UNIT_HOUR] = 400 * 86400;
    keep.seconds[RFL_UNIT_DAY] = 0;

    f->keep = &keep;
    open_all(f);

    count(f->counters, 5, 7);
    (void) flushed(f, 0);

    /* ten years ahead for an hour, and back */

    now_ms = NOW_MS + (uint64_t) 3650 * 86400 * 1000;

    for (i = 0; i < 60; i++) {
        count(f->counters, 5, 1);
        assert_int_equal(flush_at(f, f->counters, 0, now_ms + i * 60000,
                                  &stat), RFL_OK);
        assert_int_equal(stat.pruned, 0);
    }

    assert_int_equal(history(f, RFL_UNIT_MINUTE, NOW / 60, NOW / 60 + 1, 5, 0),
                     7);
    history_is_whole(f, 5);

    /* time that goes on does prune */

    for (i = 0; i < 160; i++) {
        count(f->counters, 5, 1);
        assert_int_equal(flush_at(f, f->counters, 0, NOW_MS + i * 600000,
                                  &stat), RFL_OK);
    }

    assert_int_equal(history(f, RFL_UNIT_MINUTE, NOW / 60, NOW / 60 + 1, 5, 0),
                     0);
    assert_int_not_equal(history(f, RFL_UNIT_HOUR, NOW / 3600, NOW / 3600 + 1,
                                 5, 0), 0);
    assert_int_equal(history(f, RFL_UNIT_DAY, 0, UINT32_MAX, 5, 0),
                     stored_clicks(f, 0, 5));

    f->keep = NULL;
}


static void
a_clock_that_was_behind_for_a_moment_prunes_on(void **state)
{
    uint64_t           now_ms;
    unsigned           i;
    fixture_t         *f = *state;
    rfl_retention_t    keep;
    rfl_flush_stat_t   stat;

    memset(&keep, 0, sizeof(rfl_retention_t));
    keep.seconds[RFL_UNIT_MINUTE] = 86400;

    f->keep = &keep;
    open_all(f);

    count(f->counters, 5, 7);
    (void) flushed(f, 0);

    /* booted without a clock: in 1970 for some minutes */

    for (i = 1; i < 60; i++) {
        count(f->counters, 5, 1);
        assert_int_equal(flush_at(f, f->counters, 0, i * 5000, &stat),
                         RFL_OK);
    }

    for (i = 0; i < 3 * 144; i++) {
        now_ms = NOW_MS + (uint64_t) i * 600000;
        count(f->counters, 5, 1);
        assert_int_equal(flush_at(f, f->counters, 0, now_ms, &stat), RFL_OK);
    }

    assert_int_equal(history(f, RFL_UNIT_MINUTE, 0, NOW / 60 + 2000, 5, 0), 0);

    f->keep = NULL;
}


#define FOLD_IDS  5000                   /* several steps */

#define DEAD_MS   (NOW_MS + RFL_LEDGER_DEAD_MS + 1)
#define FOLD_MS   (DEAD_MS + RFL_LEDGER_WAIT_MS + 1)


/* A boot: the file's counts for some of the ids, flushed; then it is gone. */

static void
boot(fixture_t *f, uint32_t every)
{
    uint32_t  id;

    open_all(f);

    assert_int_equal(rfl_counters_reserve(f->counters, FOLD_IDS, &f->err),
                     RFL_OK);

    for (id = 1; id < FOLD_IDS; id++) {
        if (id % every == 0) {
            count(f->counters, id, id % 90 + 1);
            f->counters->cells[id].n[RFL_CELL_FIRST_SEEN] = NOW - every;
            f->counters->cells[id].n[RFL_CELL_LAST_SEEN] = NOW + every;
        }
    }

    (void) flushed(f, 0);

    close_all(f);
    assert_int_equal(unlink(f->path), 0);
}


static uint64_t
boots_gave(uint32_t id)
{
    return (id % 90 + 1) * (1 + (id % 2 == 0) + (id % 7 == 0));
}


static void
totals_are_what_boots_gave(fixture_t *f, uint64_t factor)
{
    uint32_t  id;
    uint64_t  sum;

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);

    for (id = 1, sum = 0; id < FOLD_IDS; id++) {
        assert_int_equal(stored_clicks(f, 0, id), factor * boots_gave(id));
        sum += factor * boots_gave(id);
    }

    assert_int_equal(stored_zone(f, 0), sum);

    assert_int_equal(rfl_ledger_max_id(f->ledger, &id), RFL_OK);
    assert_int_equal(id, FOLD_IDS - 1);

    rfl_ledger_end(f->ledger);
}


static uint32_t
fold(fixture_t *f, uint64_t live_file_id, uint64_t now_ms)
{
    uint32_t  folded;

    if (rfl_ledger_fold(f->ledger, live_file_id, now_ms, &folded, &f->err)
        != RFL_OK)
    {
        fail_msg("%s", f->err.text);
    }

    assert_true(folded <= RFL_LEDGER_FOLD_IDS + 1);

    return folded;
}


static rfl_rc_t
raw_cell(fixture_t *f, uint32_t id, uint32_t number, rfl_cell_t *cell)
{
    rfl_rc_t      rc;
    rfl_str_t     value;
    rfl_store_t  *s;

    s = rfl_ledger_store(f->ledger);
    memset(cell, 0, sizeof(rfl_cell_t));

    assert_int_equal(rfl_store_begin(s, 0, &f->err), RFL_OK);
    rc = rfl_store_get_u64(s, CELLS, (uint64_t) id << 32 | number, &value);
    rfl_store_end(s);

    return rc;
}


static void
files_that_are_gone_are_folded(void **state)
{
    uint32_t             id, number;
    uint64_t             live;
    unsigned             steps;
    fixture_t           *f = *state;
    rfl_cell_t           cell;
    rfl_ledger_file_t    file;

    boot(f, 1);
    boot(f, 2);
    boot(f, 7);
    open_all(f);
    live = f->counters->header->file_id;

    totals_are_what_boots_gave(f, 1);

    assert_int_equal(fold(f, live, DEAD_MS - 1), 0);
    assert_int_equal(fold(f, live, FOLD_MS - 1), 0);  /* they are suspects */
    assert_int_equal(fold(f, live, FOLD_MS), 0);
    assert_int_equal(raw_cell(f, 14, 1, &cell), RFL_OK);

    for (steps = 0; fold(f, live, FOLD_MS + RFL_LEDGER_WAIT_MS) != 0; steps++) {
        totals_are_what_boots_gave(f, 1);
    }

    assert_true(steps >= 3 * FOLD_IDS / 2 / RFL_LEDGER_FOLD_IDS);
    totals_are_what_boots_gave(f, 1);

    for (id = 1; id < FOLD_IDS; id++) {
        assert_int_equal(raw_cell(f, id, 0, &cell), RFL_OK);

        for (number = 1; number <= 3; number++) {
            assert_int_equal(raw_cell(f, id, number, &cell), RFL_NOT_FOUND);
        }
    }

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_last_file(f->ledger, &file), RFL_NOT_FOUND);
    memset(&cell, 0, sizeof(rfl_cell_t));
    assert_int_equal(rfl_ledger_cell(f->ledger, live, 14, &cell), RFL_OK);
    assert_int_equal(cell.n[RFL_CELL_FIRST_SEEN], NOW - 7);
    assert_int_equal(cell.n[RFL_CELL_LAST_SEEN], NOW + 7);
    rfl_ledger_end(f->ledger);

    history_is_whole(f, 14);
    history_is_whole(f, ZONE);

    /* and the next file gets the next number, and folds into the same */

    close_all(f);
    assert_int_equal(unlink(f->path), 0);
    boot(f, 1);
    boot(f, 2);
    boot(f, 7);
    open_all(f);
    live = f->counters->header->file_id;

    assert_int_equal(fold(f, live, FOLD_MS), 0);

    while (fold(f, live, FOLD_MS + RFL_LEDGER_WAIT_MS + 1) != 0) {
        totals_are_what_boots_gave(f, 2);
    }

    assert_int_equal(raw_cell(f, 14, 4, &cell), RFL_NOT_FOUND);
    totals_are_what_boots_gave(f, 2);
    history_is_whole(f, 14);
}


static void
files_in_use_are_not_folded(void **state)
{
    char                other_path[140];
    uint64_t            later;
    fixture_t          *f = *state;
    rfl_cell_t          cell;
    rfl_flush_stat_t    stat;

    open_all(f);
    count(f->counters, 3, 1);
    (void) flushed(f, 0);

    later = NOW_MS + (uint64_t) 3650 * 86400 * 1000;

    /* its path names it */
    assert_int_equal(fold(f, 1, later), 0);
    assert_int_equal(fold(f, 1, 2 * later), 0);
    assert_int_equal(raw_cell(f, 3, 1, &cell), RFL_OK);

    /* it is the live one */
    (void) snprintf(other_path, sizeof(other_path), "%s.moved", f->path);
    assert_int_equal(rename(f->path, other_path), 0);
    assert_int_equal(fold(f, f->counters->header->file_id, later), 0);
    assert_int_equal(fold(f, f->counters->header->file_id, 2 * later), 0);
    assert_int_equal(raw_cell(f, 3, 1, &cell), RFL_OK);

    /* the clock jumped: suspected, but it is flushed soon */
    assert_int_equal(fold(f, 1, later), 0);
    assert_int_equal(flush_at(f, f->counters, 0, later + 1000, &stat), RFL_OK);
    assert_int_equal(fold(f, 1, later + 2 * RFL_LEDGER_WAIT_MS), 0);
    assert_int_equal(fold(f, 1, later + 2 * RFL_LEDGER_WAIT_MS), 0);

    /* and back: suspected again, and flushed */
    assert_int_equal(fold(f, 1, NOW_MS), 0);
    assert_int_equal(flush_at(f, f->counters, 0, NOW_MS, &stat), RFL_OK);
    assert_int_equal(fold(f, 1, NOW_MS + 2 * RFL_LEDGER_WAIT_MS), 0);
    assert_int_equal(raw_cell(f, 3, 1, &cell), RFL_OK);
    count(f->counters, 3, 1);
    (void) flushed(f, 0);
    assert_int_equal(stored_clicks(f, 0, 3), 2);

    /* another file at its path is no sign of it */
    assert_int_equal(symlink(other_path, f->path), 0);
    assert_int_equal(fold(f, 1, later), 0);
    assert_int_equal(fold(f, 1, later + 2 * RFL_LEDGER_WAIT_MS), 2);
    assert_int_equal(raw_cell(f, 3, 1, &cell), RFL_NOT_FOUND);
    assert_int_equal(raw_cell(f, 3, 0, &cell), RFL_OK);
    assert_int_equal(fold(f, 1, later + 2 * RFL_LEDGER_WAIT_MS), 0);
}


static void
is_refused(fixture_t *f, uint32_t id, uint64_t stored)
{
    int               folded;
    uint64_t          live;
    rfl_flush_stat_t  stat;

    live = f->counters->header->file_id;

    assert_int_equal(flush_at(f, f->counters, 1, FOLD_MS + 1, &stat),
                     RFL_EXISTS);
    assert_non_null(strstr(f->err.text, "replaced"));

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_is_folded(f->ledger, live, &folded), RFL_OK);
    rfl_ledger_end(f->ledger);

    assert_true(folded);

    assert_int_equal(stored_clicks(f, live, id), stored);
    assert_int_equal(stored_clicks(f, 0, id), stored);
    assert_int_equal(stored_clicks(f, live, FOLD_IDS - 1), 5);
    assert_int_equal(stored_zone(f, live), stored_zone(f, 0));
}


static void
a_folded_file_that_comes_back_is_refused(void **state)
{
    int          folded;
    uint32_t     id;
    uint64_t     live;
    fixture_t   *f = *state;

    open_all(f);
    live = f->counters->header->file_id;

    assert_int_equal(rfl_counters_reserve(f->counters, FOLD_IDS, &f->err),
                     RFL_OK);

    for (id = 1; id < FOLD_IDS; id++) {
        count(f->counters, id, 5);
    }

    (void) flushed(f, 0);
    assert_int_equal(unlink(f->path), 0);

    assert_int_equal(rfl_ledger_begin(f->ledger, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_is_folded(f->ledger, live, &folded), RFL_OK);
    assert_false(folded);
    rfl_ledger_end(f->ledger);

    count(f->counters, 9, 1);            /* not stored, and never will be */

    assert_int_equal(fold(f, 1, DEAD_MS), 0);
    assert_int_equal(fold(f, 1, FOLD_MS), RFL_LEDGER_FOLD_IDS);
    is_refused(f, 9, 5);                 /* some cells have been moved */

    while (fold(f, 1, FOLD_MS) != 0) {
        is_refused(f, 9, 5);
    }

    is_refused(f, 9, 5);

    /* a new one is welcome */
    close_all(f);
    open_all(f);
    count(f->counters, 9, 2);
    (void) flushed(f, 1);
    assert_int_equal(stored_clicks(f, 0, 9), 7);
    assert_int_equal(total(f, 9), 7);
}


static void
what_cannot_be_read_is_not_folded(void **state)
{
    uint32_t      folded;
    fixture_t    *f = *state;
    rfl_cell_t    cell;

    open_all(f);
    count(f->counters, 3, 1);
    count(f->counters, 4, 1);
    count(f->counters, 5, 1);
    (void) flushed(f, 0);
    assert_int_equal(unlink(f->path), 0);

    put_cell(f, (uint64_t) 3 << 32 | 1, (u_char *) "\x01\x80", 2);
    put_cell(f, (uint64_t) 4 << 32, (u_char *) "\x01\x80", 2);

    assert_int_equal(fold(f, 1, DEAD_MS), 0);
    assert_int_not_equal(fold(f, 1, FOLD_MS), 0);
    assert_int_equal(fold(f, 1, FOLD_MS), 0);

    assert_int_equal(raw_cell(f, 3, 1, &cell), RFL_OK);
    assert_int_equal(raw_cell(f, 4, 1, &cell), RFL_OK);
    assert_int_equal(raw_cell(f, 5, 1, &cell), RFL_NOT_FOUND);
    assert_int_equal(stored_clicks(f, 0, 5), 1);

    /* a newer version's is left to that one, with all the rest */

    close_all(f);
    open_all(f);
    count(f->counters, 8, 1);
    count(f->counters, 9, 1);
    (void) flushed(f, 0);
    assert_int_equal(unlink(f->path), 0);

    put_cell(f, (uint64_t) 9 << 32 | 2, (u_char *) "\x02\x01", 2);
    assert_int_equal(fold(f, 1, DEAD_MS), 0);
    assert_int_equal(rfl_ledger_fold(f->ledger, 1, FOLD_MS, &folded, &f->err),
                     RFL_BAD_VERSION);
    assert_int_equal(folded, 0);
    assert_int_equal(raw_cell(f, 8, 2, &cell), RFL_OK);
}


#define FOLD_KILLS  60

static void
a_killed_folding_loses_and_doubles_nothing(void **state)
{
    int         status;
    pid_t       pid;
    uint32_t    folded;
    unsigned    kills, factor, done;
    fixture_t  *f = *state;

    factor = 0;
    done = 1;
    srandom(2);

    for (kills = 0; kills < FOLD_KILLS; /* void */ ) {

        if (done) {
            boot(f, 1);
            boot(f, 2);
            boot(f, 7);
            factor++;
        }

        pid = fork();
        assert_true(pid >= 0);

        if (pid == 0) {
            (void) alarm(60);

            if (rfl_ledger_open(&f->ledger, f->dir, uuid, RFL_STORE_CREATE,
                                MAP_SIZE, NULL) != RFL_OK
                || rfl_ledger_fold(f->ledger, 1, DEAD_MS, &folded, NULL)
                   != RFL_OK)
            {
                _exit(1);
            }

            do {
                if (rfl_ledger_fold(f->ledger, 1, FOLD_MS, &folded, NULL)
                    != RFL_OK)
                {
                    _exit(2);
                }
            } while (folded > 0);

            _exit(0);
        }

        (void) usleep((useconds_t) random() % (6000 * SLOW));
        (void) kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);

        done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        assert_true(done || WIFSIGNALED(status));
        kills += !done;

        open_all(f);
        totals_are_what_boots_gave(f, factor);
        history_is_whole(f, 14);
        history_is_whole(f, ZONE);
        close_all(f);
    }

    print_message("%u kills, %u times all was folded\n", kills, factor - done);
}


#define MANY  (100000 / (SLOW * SLOW))

static double
ms_of_a_flush(fixture_t *f, uint64_t now_ms)
{
    uint32_t          id;
    struct timespec   from, to;
    rfl_flush_stat_t  stat;

    for (id = 1; id <= MANY; id++) {
        count(f->counters, id, 1);
        rfl_counters_add(&f->counters->cells[id].n[RFL_CELL_BYTES], 20000);
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &from);
    assert_int_equal(flush_at(f, f->counters, 0, now_ms, &stat), RFL_OK);
    (void) clock_gettime(CLOCK_MONOTONIC, &to);

    assert_int_equal(stat.cells, MANY);

    return (double) (to.tv_sec - from.tv_sec) * 1e3
           + (double) (to.tv_nsec - from.tv_nsec) / 1e6;
}


static void
a_flush_of_many_links_takes_a_moment(void **state)
{
    double            first, again, minute;
    fixture_t        *f = *state;
    rfl_retention_t   keep;

    keep.seconds[RFL_UNIT_MINUTE] = 86400;
    keep.seconds[RFL_UNIT_HOUR] = 400 * 86400;
    keep.seconds[RFL_UNIT_DAY] = 0;

    f->keep = &keep;
    open_all(f);

    assert_int_equal(rfl_counters_reserve(f->counters, MANY + 1, &f->err),
                     RFL_OK);

    first = ms_of_a_flush(f, NOW_MS);
    again = ms_of_a_flush(f, NOW_MS);
    minute = ms_of_a_flush(f, NOW_MS + 60000);

    print_message("%d dirty links: %.0f ms first, %.0f ms in the same minute, "
                  "%.0f ms in the next\n", MANY, first, again, minute);

    history_is_whole(f, MANY);
    history_is_whole(f, ZONE);

    f->keep = NULL;
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(a_ledger_belongs_to_one_registry),
        test(a_path_beyond_the_limit_is_refused),
        test(a_ledger_of_another_version_is_refused),
        test(cells_are_stored_as_documented),
        test(damaged_cells_are_told_and_healed_newer_ones_left),
        test(only_what_changed_is_written),
        test(a_full_flush_finds_cells_whose_bit_was_lost),
        test(the_live_file_is_left_out_of_the_stored_sum),
        test(totals_come_back_after_reboots),
        test(the_highest_id_and_the_last_file_are_known),
        test(a_file_of_another_registry_is_not_flushed),
        test(a_file_opened_for_reading_is_not_flushed),
        test(a_flush_that_does_not_fit_stores_nothing_and_can_be_repeated),
        test(a_killed_flusher_leaves_nothing_to_repair),
        test(four_counters_and_two_flushers_are_exact_and_never_backwards),
        test(a_damaged_cell_adds_nothing_to_the_history),
        test(a_counter_file_that_went_back_goes_on_from_what_is_stored),
        test(history_of_another_version_fails_the_flush),
        test(random_operations_match_a_naive_model),
        test(a_clock_that_jumps_ahead_prunes_nothing),
        test(a_clock_that_was_behind_for_a_moment_prunes_on),
        test(files_that_are_gone_are_folded),
        test(files_in_use_are_not_folded),
        test(a_folded_file_that_comes_back_is_refused),
        test(what_cannot_be_read_is_not_folded),
        test(a_killed_folding_loses_and_doubles_nothing),
        test(a_flush_of_many_links_takes_a_moment)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
