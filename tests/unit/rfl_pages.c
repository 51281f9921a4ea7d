/*
 * The walk over a short data file: what it accepts is all there, and no bytes
 * make it crash or run for ever.
 */

#include "rfl_pages.h"
#include "rfl_store.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>


#define PAGE       4096
#define VALUES     2000
#define MUTATIONS  3000


typedef struct {
    int        fd;                       /* a copy in memory */
    u_char    *data;
    size_t     size;
    uint64_t   txn_id;
} fixture_t;


static const rfl_store_dbi_t  dbis[2] = {
    { "bytes", RFL_KEY_BYTES },
    { "u64",   RFL_KEY_U64 }
};


static void
fill_store(const char *dir)
{
    char          large[20000];
    uint64_t      i;
    rfl_store_t  *store;

    memset(large, 'x', sizeof(large));

    assert_int_equal(rfl_store_open(&store, dir, dbis, 2, RFL_STORE_CREATE,
                                    64 << 20, NULL), RFL_OK);
    assert_int_equal(rfl_store_begin(store, 1, NULL), RFL_OK);

    for (i = 0; i < VALUES; i++) {
        assert_int_equal(rfl_store_put_u64(store, 1, i, rfl_str(large, i % 97),
                                           0, NULL), RFL_OK);
    }

    assert_int_equal(rfl_store_put(store, 0, rfl_cstr("large"),
                                   rfl_str(large, sizeof(large)), 0, NULL),
                     RFL_OK);
    assert_int_equal(rfl_store_commit(store, NULL), RFL_OK);

    /* some pages are freed, so that the tree of freed pages is there too */

    assert_int_equal(rfl_store_begin(store, 1, NULL), RFL_OK);
    assert_int_equal(rfl_store_del_u64(store, 1, 7, NULL), RFL_OK);
    assert_int_equal(rfl_store_commit(store, NULL), RFL_OK);

    rfl_store_close(store);
}


static int
setup(void **state)
{
    int          fd;
    char         root[] = "/tmp/rfl-XXXXXX", path[64], command[64];
    fixture_t   *f;
    struct stat  st;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);
    assert_non_null(mkdtemp(root));

    fill_store(root);

    snprintf(path, sizeof(path), "%s/data.mdb", root);

    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);

    f->size = (size_t) st.st_size;
    f->data = malloc(f->size);
    assert_non_null(f->data);
    assert_int_equal(read(fd, f->data, f->size), f->size);
    close(fd);

    snprintf(command, sizeof(command), "rm -rf %s", root);
    assert_int_equal(system(command), 0);

    memcpy(&f->txn_id, f->data + 144, 8);

    if (memcmp(f->data + PAGE + 144, &f->txn_id, 8) > 0) {
        memcpy(&f->txn_id, f->data + PAGE + 144, 8);
    }

    f->fd = memfd_create("rfl_pages", 0);
    assert_true(f->fd >= 0);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    fixture_t  *f;

    f = *state;

    close(f->fd);
    free(f->data);
    free(f);

    return 0;
}


static rfl_rc_t
check(fixture_t *f, size_t size)
{
    assert_int_equal(ftruncate(f->fd, (off_t) size), 0);
    assert_int_equal(pwrite(f->fd, f->data, size, 0), size);

    return rfl_pages_check(f->fd, PAGE, f->txn_id);
}


/* A page of this kind that the snapshot uses: without it, it is damaged. */

static u_char *
used_page(fixture_t *f, u_char flag)
{
    size_t   i;
    u_char  *page, kept;

    for (i = 2; i < f->size / PAGE; i++) {
        page = f->data + i * PAGE;

        if (page[10] != flag) {
            continue;
        }

        kept = page[10];
        page[10] = 0;

        if (check(f, f->size) == RFL_DAMAGED) {
            page[10] = kept;
            return page;
        }

        page[10] = kept;
    }

    fail_msg("there is no page with flag %d", flag);

    return NULL;
}


static void
a_whole_file_is_sound(void **state)
{
    fixture_t  *f;

    f = *state;

    assert_int_equal(check(f, f->size), RFL_OK);
    assert_int_equal(rfl_pages_check(f->fd, PAGE, f->txn_id - 1), RFL_OK);
}


static void
a_snapshot_without_a_meta_page_is_not_found(void **state)
{
    fixture_t  *f;

    f = *state;

    assert_int_equal(check(f, f->size), RFL_OK);
    assert_int_equal(rfl_pages_check(f->fd, PAGE, f->txn_id + 1),
                     RFL_NOT_FOUND);
}


static void
a_file_is_damaged_from_the_first_missing_page_on(void **state)
{
    size_t      size;
    rfl_rc_t    rc, last;
    fixture_t  *f;

    f = *state;
    last = RFL_OK;

    for (size = f->size; size > 0; size -= PAGE) {
        rc = check(f, size);
        assert_true(rc == RFL_OK || rc == RFL_DAMAGED);
        assert_false(last == RFL_DAMAGED && rc == RFL_OK);
        last = rc;
    }

    assert_int_equal(last, RFL_DAMAGED);
    assert_int_equal(check(f, 0), RFL_DAMAGED);
    assert_int_equal(check(f, 1), RFL_DAMAGED);
}


/* Where leaves say that the large value begins. */

static void
move_large_value(fixture_t *f, uint64_t first)
{
    size_t     i, moved;
    u_char    *page, *node;
    uint16_t   lower, offset;

    moved = 0;

    for (page = f->data + 2 * PAGE; page < f->data + f->size; page += PAGE) {

        if (page[10] != 0x02) {
            continue;
        }

        memcpy(&lower, page + 12, 2);

        for (i = 16; i < lower; i += 2) {
            memcpy(&offset, page + i, 2);
            node = page + offset;

            if (node[4] == 0x01) {       /* behind it, its key "large" */
                memcpy(node + 8 + 5, &first, 8);
                moved++;
            }
        }
    }

    assert_true(moved > 0);
}


static void
a_large_value_needs_all_its_pages(void **state)
{
    fixture_t  *f;

    f = *state;

    /* 20,000 bytes and a page's header are five pages */

    move_large_value(f, f->size / PAGE - 5);
    assert_int_equal(check(f, f->size), RFL_OK);

    move_large_value(f, f->size / PAGE - 4);
    assert_int_equal(check(f, f->size), RFL_DAMAGED);

    move_large_value(f, f->size / PAGE);
    assert_int_equal(check(f, f->size), RFL_DAMAGED);

    move_large_value(f, UINT64_MAX);
    assert_int_equal(check(f, f->size), RFL_DAMAGED);
}


static void
another_format_is_damaged(void **state)
{
    fixture_t  *f;

    f = *state;

    f->data[16] ^= 1;
    f->data[PAGE + 16] ^= 1;
    assert_int_equal(check(f, f->size), RFL_DAMAGED);

    f->data[16] ^= 1;
    f->data[PAGE + 16] ^= 1;
    assert_int_equal(check(f, f->size), RFL_OK);

    f->data[20] = 2;
    f->data[PAGE + 20] = 2;
    assert_int_equal(check(f, f->size), RFL_DAMAGED);
}


static void
a_loop_of_pages_ends(void **state)
{
    size_t      i, nodes;
    u_char     *page, *node;
    uint16_t    lower, offset;
    uint64_t    number;
    fixture_t  *f;

    f = *state;

    page = used_page(f, 0x01);
    number = (uint64_t) (page - f->data) / PAGE;

    memcpy(&lower, page + 12, 2);
    nodes = ((size_t) lower - 16) / 2;
    assert_true(nodes > 2);

    for (i = 0; i < nodes; i++) {
        memcpy(&offset, page + 16 + 2 * i, 2);
        node = page + offset;
        memcpy(node, &number, 4);
        memset(node + 4, 0, 2);
    }

    assert_int_equal(check(f, f->size), RFL_DAMAGED);
}


static void
node_offsets_are_checked_at_the_page_end(void **state)
{
    u_char     *page;
    uint16_t    offset;
    fixture_t  *f;

    f = *state;

    page = used_page(f, 0x02);

    offset = PAGE - 8;
    memcpy(page + 16, &offset, 2);
    memset(page + offset, 0, 8);         /* a node without key and data */
    assert_int_equal(check(f, f->size), RFL_OK);

    offset = PAGE - 7;
    memcpy(page + 16, &offset, 2);
    assert_int_equal(check(f, f->size), RFL_DAMAGED);

    offset = 15;
    memcpy(page + 16, &offset, 2);
    assert_int_equal(check(f, f->size), RFL_DAMAGED);
}


static void
no_bytes_make_it_crash(void **state)
{
    size_t      i, j, at;
    u_char     *sound;
    uint64_t    random;
    rfl_rc_t    rc;
    fixture_t  *f;

    f = *state;
    random = 88172645463325252u;

    sound = malloc(f->size);
    assert_non_null(sound);
    memcpy(sound, f->data, f->size);

    for (i = 0; i < MUTATIONS; i++) {

        for (j = 0; j < 1 + i % 40; j++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;

            /* headers and offsets of pages mostly, anything at times */

            at = random % (f->size / PAGE) * PAGE;
            at += random >> 60 < 12 ? (random >> 32) % 64
                                    : (random >> 32) % PAGE;

            f->data[at] = (u_char) (random >> 24);
        }

        rc = check(f, f->size);
        assert_true(rc == RFL_OK || rc == RFL_DAMAGED || rc == RFL_NOT_FOUND);

        memcpy(f->data, sound, f->size);
    }

    free(sound);
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(a_whole_file_is_sound),
        test(a_snapshot_without_a_meta_page_is_not_found),
        test(a_file_is_damaged_from_the_first_missing_page_on),
        test(a_large_value_needs_all_its_pages),
        test(another_format_is_damaged),
        test(a_loop_of_pages_ends),
        test(node_offsets_are_checked_at_the_page_end),
        test(no_bytes_make_it_crash)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
