/*
 * Sorting in memory and in runs, against the C library.  pwrite() and open()
 * are replaced here, so that a disk can be full and a file system old.
 */

#include "rfl_sort.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>


#define MEMORY  (64 * 1024)              /* 15 runs at most */
#define ITEMS   1000


typedef struct {
    const char  *what;
    size_t       n;
    size_t       len_max;
    unsigned     letters;                /* of which items are made */
} row_t;


static const row_t  rows[] = {
    { "nothing",                   0,     8,                 256 },
    { "one",                       1,     8,                 256 },
    { "few short ones",            900,   3,                 2 },
    { "what just fits",            1000,  20,                256 },
    { "two runs",                  1001,  20,                256 },
    { "many equal ones",           9000,  2,                 2 },
    { "runs",                      9000,  24,                256 },
    { "items that begin alike",    9000,  40,                2 },
    { "long ones",                 500,   RFL_SORT_ITEM_MAX, 256 }
};


static rfl_error_t  err;
static int          disk_full;
static int          old_system;          /* a file has a name at first */


ssize_t
pwrite(int fd, const void *data, size_t len, off_t offset)
{
    if (disk_full) {
        errno = ENOSPC;
        return -1;
    }

    /* in parts, as it may be */

    return syscall(SYS_pwrite64, fd, data, len > 5000 ? len / 2 : len, offset);
}


int
open(const char *path, int flags, ...)
{
    if (old_system && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }

    return (int) syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}


static int
item_cmp(const void *a, const void *b)
{
    return rfl_str_cmp(*(const rfl_str_t *) a, *(const rfl_str_t *) b);
}


static rfl_str_t *
random_items(const row_t *row, u_char *bytes)
{
    size_t      i, k, len;
    rfl_str_t  *items;

    items = malloc((row->n + 1) * sizeof(rfl_str_t));
    assert_non_null(items);

    for (i = 0; i < row->n; i++) {
        len = (size_t) rand() % (row->len_max + 1);

        for (k = 0; k < len; k++) {
            bytes[k] = (u_char) ((unsigned) rand() % row->letters);
        }

        items[i] = rfl_str(bytes, len);
        bytes += len;
    }

    return items;
}


static void
check(rfl_sort_t *s, const row_t *row)
{
    size_t      i;
    u_char     *bytes;
    rfl_str_t  *items, item;

    bytes = malloc(row->n * row->len_max + 1);
    assert_non_null(bytes);

    items = random_items(row, bytes);

    for (i = 0; i < row->n; i++) {
        assert_int_equal(rfl_sort_add(s, items[i], &err), RFL_OK);
    }

    qsort(items, row->n, sizeof(rfl_str_t), item_cmp);

    assert_int_equal(rfl_sort_begin(s, &err), RFL_OK);

    for (i = 0; i < row->n; i++) {
        assert_int_equal(rfl_sort_next(s, &item, &err), RFL_OK);

        if (!rfl_str_eq(item, items[i])) {
            fail_msg("%s: item %zu is another one", row->what, i);
        }
    }

    assert_int_equal(rfl_sort_next(s, &item, &err), RFL_NOT_FOUND);
    assert_int_equal(rfl_sort_next(s, &item, &err), RFL_NOT_FOUND);

    free(items);
    free(bytes);
}


/* One sorter for all of them: what was before is forgotten. */

static void
all_come_in_order(void **state)
{
    size_t       i;
    rfl_sort_t  *s;

    srand(1);

    s = rfl_sort_create("/tmp", MEMORY, ITEMS);
    assert_non_null(s);

    for (i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        check(s, &rows[i / 2]);
        rfl_sort_reset(s);
    }

    rfl_sort_free(s);
}


/* Enough that items are dealt out by their first bits. */

static void
many_in_memory_come_in_order(void **state)
{
    rfl_sort_t  *s;

    static const row_t  many = { "many", 100000, 24, 256 };

    s = rfl_sort_create("/tmp", 4 * 1024 * 1024, 200000);
    assert_non_null(s);

    check(s, &many);

    rfl_sort_free(s);
}


static size_t
files_of(const char *dir)
{
    DIR     *d;
    size_t   n;

    d = opendir(dir);
    assert_non_null(d);

    for (n = 0; readdir(d) != NULL; n++) {
        /* void */
    }

    (void) closedir(d);

    return n;
}


static void
nothing_is_left_where_files_must_have_names(void **state)
{
    char         dir[] = "/tmp/rfl_sort.XXXXXX";
    rfl_sort_t  *s;

    assert_non_null(mkdtemp(dir));
    old_system = 1;

    s = rfl_sort_create(dir, MEMORY, ITEMS);
    assert_non_null(s);

    check(s, &rows[6]);
    assert_int_equal(files_of(dir), 2);

    rfl_sort_free(s);
    old_system = 0;
    assert_int_equal(rmdir(dir), 0);
}


static rfl_rc_t
add_until_it_fails(rfl_sort_t *s, size_t n)
{
    size_t    i;
    rfl_rc_t  rc;

    rc = RFL_OK;

    for (i = 0; rc == RFL_OK && i < n; i++) {
        rc = rfl_sort_add(s, rfl_cstr("an item"), &err);
    }

    return rc;
}


static void
a_full_disk_is_said(void **state)
{
    rfl_sort_t  *s;

    s = rfl_sort_create("/tmp", MEMORY, ITEMS);
    assert_non_null(s);

    disk_full = 1;
    assert_int_equal(add_until_it_fails(s, ITEMS + 1), RFL_FULL);
    disk_full = 0;

    assert_non_null(strstr(err.text, "No space left"));
    rfl_sort_free(s);

    s = rfl_sort_create("/nowhere", MEMORY, ITEMS);
    assert_non_null(s);

    assert_int_equal(add_until_it_fails(s, ITEMS + 1), RFL_ERROR);
    assert_non_null(strstr(err.text, "/nowhere"));
    rfl_sort_free(s);
}


static void
more_runs_than_memory_reads_are_refused(void **state)
{
    rfl_sort_t  *s;

    s = rfl_sort_create("/tmp", MEMORY, ITEMS);
    assert_non_null(s);

    assert_int_equal(add_until_it_fails(s, 100 * ITEMS), RFL_FULL);
    assert_non_null(strstr(err.text, "in parts"));

    rfl_sort_free(s);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(all_come_in_order),
        cmocka_unit_test(many_in_memory_come_in_order),
        cmocka_unit_test(nothing_is_left_where_files_must_have_names),
        cmocka_unit_test(a_full_disk_is_said),
        cmocka_unit_test(more_runs_than_memory_reads_are_refused)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
