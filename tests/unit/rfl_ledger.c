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
#include <unistd.h>


#define MAX_IDS   (1u << 20)
#define MAP_SIZE  ((size_t) 256 << 20)
#define NOW       1795215480
#define NOW_MS    ((uint64_t) NOW * 1000)

/* The tables, in the order in which the ledger lists them. */

enum { META = 0, FILES, CELLS, ZONES };


typedef struct {
    char             dir[64];
    char             path[128];
    rfl_error_t      err;
    rfl_counters_t  *counters;
    rfl_ledger_t    *ledger;
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
static const u_char  other_uuid[16] = "another registry";


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


static uint32_t
flushed(fixture_t *f, int full)
{
    rfl_flush_stat_t  stat;

    if (rfl_ledger_flush(f->ledger, f->counters, f->path, full, NOW_MS, &stat,
                         &f->err)
        != RFL_OK)
    {
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
        assert_int_equal(rfl_ledger_flush(f->ledger, f->counters, f->path, 0,
                                          NOW_MS, &stat, &f->err),
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
    uint64_t      before;
    fixture_t    *f = *state;
    rfl_store_t  *s;

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
    assert_int_equal(flushed(f, 1), 0);

    assert_int_equal(rfl_store_begin(s, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_txn_id(s), before);
    rfl_store_end(s);

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
    assert_int_equal(rfl_ledger_flush(f->ledger, f->counters, f->path, 0,
                                      NOW_MS - 1, &stat, &f->err), RFL_OK);

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
    assert_int_equal(rfl_ledger_flush(f->ledger, other, f->path, 1, NOW_MS,
                                      &stat, &f->err), RFL_INVALID);
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
    assert_int_equal(rfl_ledger_flush(f->ledger, reader, f->path, 1, NOW_MS,
                                      &stat, &f->err), RFL_DENIED);
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

    assert_int_equal(rfl_ledger_flush(f->ledger, f->counters, f->path, 0,
                                      NOW_MS, &stat, &f->err), RFL_FULL);
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


static int
count_and_flush_for_ever(fixture_t *f, board_t *board)
{
    unsigned           i;
    rfl_flush_stat_t   stat;

    if (try_open(f) != RFL_OK) {
        return 1;
    }

    __atomic_store_n(&board->ready, 1, __ATOMIC_RELEASE);

    for (i = 0; ; i++) {
        count(f->counters, 1 + i % 700, 1);

        if (i % 50 == 0
            && rfl_ledger_flush(f->ledger, f->counters, f->path, i % 500 == 0,
                                NOW_MS, &stat, NULL) != RFL_OK)
        {
            return 2;
        }
    }
}


static void
a_killed_flusher_leaves_nothing_to_repair(void **state)
{
    int          status;
    pid_t        pid;
    board_t     *board;
    unsigned     round;
    uint32_t     id;
    uint64_t     sum;
    fixture_t   *f = *state;
    rfl_cell_t   live;

    board = board_new();
    srandom(1);

    for (round = 0; round < 25; round++) {

        board->ready = 0;

        pid = fork();
        assert_true(pid >= 0);

        if (pid == 0) {
            _exit(count_and_flush_for_ever(f, board));
        }

        while (__atomic_load_n(&board->ready, __ATOMIC_ACQUIRE) == 0
               && waitpid(pid, &status, WNOHANG) == 0)
        {
            (void) sched_yield();
        }

        (void) usleep((useconds_t) random() % 8000);
        (void) kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));

        open_all(f);
        (void) flushed(f, 1);

        for (id = 1, sum = 0; id <= 700; id++) {
            rfl_counters_read_cell(f->counters, id, &live);
            sum += live.n[RFL_CELL_CLICKS];
            assert_int_equal(stored_clicks(f, 0, id),
                             live.n[RFL_CELL_CLICKS]);
        }

        /* the zone is added to after the cell, and a kill comes between */
        assert_true(sum >= stored_zone(f, 0));
        assert_true(sum <= stored_zone(f, 0) + round + 1);

        close_all(f);
    }

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
    int                last;
    rfl_flush_stat_t   stat;

    if (try_open(f) != RFL_OK) {
        return 1;
    }

    wait_for_go(board);

    do {
        last = __atomic_load_n(&board->done, __ATOMIC_ACQUIRE) == 4;

        if (rfl_ledger_flush(f->ledger, f->counters, f->path, 0, NOW_MS,
                             &stat, NULL) != RFL_OK)
        {
            return 2;
        }
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
        }

        assert_int_equal(stored_zone(f, 0), round * 4 * ADDS);

        reboot(f);
        close_all(f);
    }
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
        test(four_counters_and_two_flushers_are_exact_and_never_backwards)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
