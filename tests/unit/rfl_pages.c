/*
 * The walk over a data file: what LMDB writes passes, and no bytes make it or
 * those who open what passed crash or run for ever.
 */

#include "rfl_pages.h"
#include "rfl_store.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>


#define PAGE       4096
#define VALUES     2000
#define MUTATIONS  3000
#define DAMAGES    900
#define MODEL_TXNS 150
#define MODEL_KEYS 4000


typedef struct {
    int                fd;               /* a copy in memory */
    u_char            *data;
    size_t             size;
    uint64_t           txn_id;
    rfl_pages_fault_t  fault;
    char               root[64];         /* a directory */
    char               path[80];         /* of data.mdb in it */
} fixture_t;


typedef void (*damage_pt)(fixture_t *f, size_t *size);


static const rfl_store_dbi_t  dbis[2] = {
    { "bytes", RFL_KEY_BYTES },
    { "u64",   RFL_KEY_U64 }
};


static uint64_t  random_state;


static uint64_t
random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;

    return random_state;
}


static size_t
random_below(size_t n)
{
    return (size_t) (random_next() >> 11) % n;
}


static void
fill_store(const char *dir)
{
    char          large[20000], key[64];
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

    for (i = 0; i < VALUES / 4; i++) {
        snprintf(key, sizeof(key), "k%.*s%llu", (int) (i % 40), large,
                 (unsigned long long) i);
        assert_int_equal(rfl_store_put(store, 0, rfl_cstr(key),
                                       rfl_str(large, i % 41), 0, NULL),
                         RFL_OK);
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
    fixture_t   *f;
    struct stat  st;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    strcpy(f->root, "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    snprintf(f->path, sizeof(f->path), "%s/data.mdb", f->root);

    random_state = 88172645463325252u;
    fill_store(f->root);

    fd = open(f->path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);

    f->size = (size_t) st.st_size;
    f->data = malloc(f->size);
    assert_non_null(f->data);
    assert_int_equal(read(fd, f->data, f->size), f->size);
    close(fd);

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
    int         rc;
    char        command[128];
    fixture_t  *f;

    f = *state;

    snprintf(command, sizeof(command), "rm -rf %s", f->root);
    rc = system(command);

    close(f->fd);
    free(f->data);
    free(f);

    return rc;
}


static rfl_rc_t
check(fixture_t *f, size_t size)
{
    assert_int_equal(ftruncate(f->fd, (off_t) size), 0);
    assert_int_equal(pwrite(f->fd, f->data, size, 0), size);

    return rfl_pages_check(f->fd, PAGE, f->txn_id, &f->fault);
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
    assert_int_equal(rfl_pages_check(f->fd, PAGE, f->txn_id - 1, &f->fault),
                     RFL_OK);
}


static void
a_snapshot_without_a_meta_page_is_not_found(void **state)
{
    fixture_t  *f;

    f = *state;

    assert_int_equal(check(f, f->size), RFL_OK);
    assert_int_equal(rfl_pages_check(f->fd, PAGE, f->txn_id + 1, &f->fault),
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


/* The large value's head and its pages' count. */

static void
a_large_value_needs_all_its_pages(void **state)
{
    u_char     *page;
    uint32_t    n;
    fixture_t  *f;

    f = *state;

    page = used_page(f, 0x04);

    /* 20,000 bytes and a page's header are five pages */

    memcpy(&n, page + 12, 4);
    assert_int_equal(n, 5);

    n = 4;
    memcpy(page + 12, &n, 4);
    assert_int_equal(check(f, f->size), RFL_DAMAGED);

    n = UINT32_MAX;
    memcpy(page + 12, &n, 4);
    assert_int_equal(check(f, f->size), RFL_DAMAGED);

    n = 5;
    memcpy(page + 12, &n, 4);
    assert_int_equal(check(f, f->size), RFL_OK);

    page[0] ^= 1;
    assert_int_equal(check(f, f->size), RFL_DAMAGED);
    assert_non_null(strstr(f->fault.what, "large value"));
}


static void
a_header_is_described(void **state)
{
    fixture_t         *f;
    rfl_pages_head_t   head;

    f = *state;

    assert_int_equal(check(f, f->size), RFL_OK);
    assert_int_equal(rfl_pages_head(f->fd, &head), RFL_OK);
    assert_int_equal(head.page_size, PAGE);
    assert_int_equal(head.version, 1);
    assert_int_equal(head.txn_id, f->txn_id);
    assert_int_equal(head.txn_ids[f->txn_id & 1], f->txn_id);
    assert_int_equal(head.last_page, f->size / PAGE - 1);

    assert_int_equal(check(f, 0), RFL_DAMAGED);
    assert_int_equal(rfl_pages_head(f->fd, &head), RFL_NOT_FOUND);

    /* the next format, and the one with a longer page header */

    f->data[20] = 2;
    assert_int_equal(check(f, f->size), RFL_DAMAGED);
    assert_int_equal(rfl_pages_head(f->fd, &head), RFL_BAD_VERSION);
    assert_int_equal(head.version, 2);

    f->data[20] = 3;
    memmove(f->data + 24, f->data + 16, 8);
    assert_int_equal(check(f, f->size), RFL_DAMAGED);
    assert_int_equal(rfl_pages_head(f->fd, &head), RFL_BAD_VERSION);
    assert_int_equal(head.version, 3);
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

    /* two snapshots that no commit lies between */

    f->data[144 + 1] ^= 1;
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
    size_t      i;
    u_char     *page;
    uint16_t    offset, wrong[7];
    fixture_t  *f;

    f = *state;

    page = used_page(f, 0x02);
    memcpy(&offset, page + 16, 2);

    wrong[0] = PAGE - 8;
    wrong[1] = PAGE - 7;
    wrong[2] = PAGE;
    wrong[3] = 15;
    wrong[4] = offset + 1;
    wrong[5] = offset + 2;
    wrong[6] = UINT16_MAX;

    for (i = 0; i < 7; i++) {
        memcpy(page + 16, &wrong[i], 2);
        assert_int_equal(check(f, f->size), RFL_DAMAGED);
    }

    memcpy(page + 16, &offset, 2);
    assert_int_equal(check(f, f->size), RFL_OK);
}


static void
keys_out_of_order_are_damaged(void **state)
{
    u_char     *page, kept[2];
    fixture_t  *f;

    f = *state;

    page = used_page(f, 0x02);

    memcpy(kept, page + 16, 2);
    memcpy(page + 16, page + 18, 2);
    memcpy(page + 18, kept, 2);
    assert_int_equal(check(f, f->size), RFL_DAMAGED);
    assert_non_null(strstr(f->fault.what, "out of order"));
    assert_int_equal(f->fault.page, (page - f->data) / PAGE);
}


static void
no_bytes_make_it_crash(void **state)
{
    size_t      i, j, at;
    u_char     *sound;
    rfl_rc_t    rc;
    fixture_t  *f;

    f = *state;

    sound = malloc(f->size);
    assert_non_null(sound);
    memcpy(sound, f->data, f->size);

    for (i = 0; i < MUTATIONS; i++) {

        for (j = 0; j < 1 + i % 40; j++) {

            /* headers and offsets of pages mostly, anything at times */

            at = random_below(f->size / PAGE) * PAGE;
            at += random_below(16) < 12 ? random_below(64)
                                        : random_below(PAGE);

            f->data[at] = (u_char) random_next();
        }

        rc = check(f, f->size);
        assert_true(rc == RFL_OK || rc == RFL_DAMAGED || rc == RFL_NOT_FOUND);

        memcpy(f->data, sound, f->size);
    }

    free(sound);
}


static void
noise(u_char *data, size_t size)
{
    size_t  i;

    for (i = 0; i < size; i++) {
        data[i] = (u_char) (random_next() >> 32);
    }
}


static void
damage_whole(fixture_t *f, size_t *size)
{
    noise(f->data, f->size);
}


static void
damage_header(fixture_t *f, size_t *size)
{
    noise(f->data + random_below(2) * PAGE, PAGE);
}


/* One field of a meta page; most lead LMDB astray. */

static void
damage_field(fixture_t *f, size_t *size)
{
    noise(f->data + random_below(2) * PAGE + random_below(19) * 8,
          1 + random_below(8));
}


static void
damage_page(fixture_t *f, size_t *size)
{
    noise(f->data + (2 + random_below(f->size / PAGE - 2)) * PAGE, PAGE);
}


static void
damage_bytes(fixture_t *f, size_t *size)
{
    size_t  i;

    for (i = 1 + random_below(20); i > 0; i--) {
        noise(f->data + random_below(f->size), 1);
    }
}


/* Where pages say what they are and where their nodes begin. */

static void
damage_page_head(fixture_t *f, size_t *size)
{
    noise(f->data + random_below(f->size / PAGE) * PAGE + random_below(48),
          1 + random_below(2));
}


/* Nodes: the last bytes of a page are the first ones' heads and keys. */

static void
damage_nodes(fixture_t *f, size_t *size)
{
    size_t  i;

    for (i = 1 + random_below(4); i > 0; i--) {
        noise(f->data + (1 + random_below(f->size / PAGE)) * PAGE - 1
              - random_below(400), 1);
    }
}


static void
damage_bit(fixture_t *f, size_t *size)
{
    f->data[random_below(f->size)] ^= (u_char) (1 << random_below(8));
}


static void
damage_place(fixture_t *f, size_t *size)
{
    memcpy(f->data + random_below(f->size / PAGE) * PAGE,
           f->data + random_below(f->size / PAGE) * PAGE, PAGE);
}


static void
damage_zeros(fixture_t *f, size_t *size)
{
    size_t  at;

    at = random_below(f->size);
    memset(f->data + at, 0, random_below(f->size - at));
}


static void
damage_length(fixture_t *f, size_t *size)
{
    *size = random_below(f->size);
}


static void
damage_end(fixture_t *f, size_t *size)
{
    *size = f->size - 1 - random_below(3 * PAGE);
}


static const damage_pt  damages[] = {
    damage_whole,
    damage_header,
    damage_field,
    damage_page,
    damage_bytes,
    damage_page_head,
    damage_nodes,
    damage_bit,
    damage_place,
    damage_zeros,
    damage_length,
    damage_end
};


static unsigned
read_all(rfl_store_t *store)
{
    size_t         i;
    unsigned       dbi, sum;
    rfl_rc_t       rc;
    rfl_str_t      key, value;
    rfl_cursor_t  *cursor;

    sum = 0;

    if (rfl_store_begin(store, 0, NULL) != RFL_OK) {
        return 0;
    }

    for (dbi = 0; dbi < 2; dbi++) {

        if (rfl_cursor_open(store, dbi, &cursor) != RFL_OK) {
            continue;
        }

        rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &key, &value);

        while (rc == RFL_OK) {
            for (i = 0; i < value.len; i++) {
                sum += value.data[i];
            }

            for (i = 0; i < key.len; i++) {
                sum += key.data[i];
            }

            rc = rfl_cursor_next(cursor, &key, &value);
        }

        rfl_cursor_close(cursor);
    }

    rfl_store_end(store);

    return sum;
}


static void
write_some(rfl_store_t *store)
{
    char      data[6000];
    unsigned  i, j;
    uint64_t  key;
    rfl_rc_t  rc;

    memset(data, 'w', sizeof(data));

    for (i = 0; i < 6; i++) {

        if (rfl_store_begin(store, 1, NULL) != RFL_OK) {
            return;
        }

        rc = RFL_OK;

        for (j = 0; j < 80 && (rc == RFL_OK || rc == RFL_NOT_FOUND); j++) {
            key = random_below(VALUES + 100);

            rc = random_below(3) == 0
                 ? rfl_store_del_u64(store, 1, key, NULL)
                 : rfl_store_put_u64(store, 1, key,
                                     rfl_str(data, random_below(j % 8 == 0
                                             ? sizeof(data) : 90)), 0, NULL);
        }

        if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
            rfl_store_end(store);
            return;
        }

        if (rfl_store_commit(store, NULL) != RFL_OK) {
            return;
        }
    }
}


/* 0: refused, 1: opened. */

static int
use_file(fixture_t *f, unsigned flags)
{
    volatile unsigned  sum;
    rfl_store_t       *store;

    (void) alarm(20);

    if (rfl_store_open(&store, f->root, dbis, 2, flags, 64 << 20, NULL)
        != RFL_OK)
    {
        return 0;
    }

    sum = read_all(store);

    if (flags != RFL_STORE_READ) {
        write_some(store);
        sum += read_all(store);
    }

    (void) sum;

    rfl_store_close(store);

    return 1;
}


static int
use_damaged(fixture_t *f, size_t size, unsigned flags)
{
    int    fd, status;
    pid_t  pid;

    fd = open(f->path, O_WRONLY|O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, f->data, size), size);
    close(fd);

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        (void) signal(SIGSEGV, SIG_DFL);     /* cmocka would catch them */
        (void) signal(SIGBUS, SIG_DFL);
        (void) signal(SIGFPE, SIG_DFL);

        _exit(use_file(f, flags));
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);

    return WIFEXITED(status) && WEXITSTATUS(status) < 2 ? WEXITSTATUS(status)
                                                        : -1;
}


static void
no_damage_kills_whoever_opens_the_file(void **state)
{
    int         used;
    size_t      i, size, kind, ndamages;
    u_char     *sound;
    unsigned    opened, dead;
    fixture_t  *f;

    f = *state;
    opened = 0;
    dead = 0;
    ndamages = sizeof(damages) / sizeof(damages[0]);

    sound = malloc(f->size);
    assert_non_null(sound);
    memcpy(sound, f->data, f->size);

    assert_int_equal(use_damaged(f, f->size, RFL_STORE_READ), 1);
    assert_int_equal(use_damaged(f, f->size, RFL_STORE_WRITE), 1);

    for (i = 0; i < DAMAGES; i++) {
        kind = i % ndamages;
        size = f->size;

        damages[kind](f, &size);

        used = use_damaged(f, size, i / ndamages % 3 == 0 ? RFL_STORE_READ
                                                          : RFL_STORE_CREATE);

        if (used == -1) {
            print_message("damage %zu, of kind %zu, was fatal\n", i, kind);
            dead++;
        }

        opened += used == 1;

        memcpy(f->data, sound, f->size);
    }

    free(sound);

    assert_int_equal(dead, 0);

    /* some fall on bytes that nobody reads, most do not */

    assert_in_range(opened, 1, DAMAGES / 2);
}


static void
model_put(rfl_store_t *store, uint64_t key, const char *data)
{
    char    text[RFL_STORE_KEY_MAX + 1];
    size_t  n;

    n = random_below(100);
    n = n == 0 ? random_below(300000) : n < 20 ? random_below(6000)
                                                : random_below(200);

    assert_int_equal(rfl_store_put_u64(store, 1, key, rfl_str(data, n), 0,
                                       NULL), RFL_OK);

    snprintf(text, sizeof(text), "%llu%.*s", (unsigned long long) key * key,
             (int) (key % 480), data);
    assert_int_equal(rfl_store_put(store, 0, rfl_cstr(text),
                                   rfl_str(data, n / 3), 0, NULL), RFL_OK);
}


static void
model_del(rfl_store_t *store, uint64_t key, const char *data)
{
    char      text[RFL_STORE_KEY_MAX + 1];
    rfl_rc_t  rc;

    rc = rfl_store_del_u64(store, 1, key, NULL);
    assert_true(rc == RFL_OK || rc == RFL_NOT_FOUND);

    snprintf(text, sizeof(text), "%llu%.*s", (unsigned long long) key * key,
             (int) (key % 480), data);
    rc = rfl_store_del(store, 0, rfl_cstr(text), NULL);
    assert_true(rc == RFL_OK || rc == RFL_NOT_FOUND);
}


static rfl_rc_t
check_store(fixture_t *f, rfl_store_t *store)
{
    int       fd;
    rfl_rc_t  rc;

    fd = open(f->path, O_RDONLY);
    assert_true(fd >= 0);

    assert_int_equal(rfl_store_begin(store, 0, NULL), RFL_OK);
    rc = rfl_pages_check(fd, PAGE, rfl_store_txn_id(store), &f->fault);
    rfl_store_end(store);

    close(fd);

    if (rc != RFL_OK) {
        print_message("page %llu: %s\n", (unsigned long long) f->fault.page,
                      f->fault.what);
    }

    return rc;
}


/* Growth, shrinkage, emptied tables, large lists of freed pages. */

static void
whatever_lmdb_writes_is_sound(void **state)
{
    char         *data;
    size_t        i, j, n, puts;
    uint64_t      key;
    fixture_t    *f;
    rfl_store_t  *store;

    f = *state;

    data = malloc(300000);
    assert_non_null(data);
    memset(data, 'm', 300000);

    assert_int_equal(rfl_store_open(&store, f->root, dbis, 2, RFL_STORE_CREATE,
                                    (size_t) 1 << 30, NULL), RFL_OK);

    for (i = 0; i < MODEL_TXNS; i++) {
        assert_int_equal(rfl_store_begin(store, 1, NULL), RFL_OK);

        /* one in forty goes away with everything */

        n = i % 40 == 39 ? MODEL_KEYS : 1 + random_below(300);
        puts = i % 40 == 39 ? 0 : i % 20 < 12 ? 80 : 25;

        for (j = 0; j < n; j++) {
            key = n == MODEL_KEYS ? j : random_below(MODEL_KEYS);

            if (random_below(100) < puts) {
                model_put(store, key, data);

            } else {
                model_del(store, key, data);
            }
        }

        assert_int_equal(rfl_store_commit(store, NULL), RFL_OK);
        assert_int_equal(check_store(f, store), RFL_OK);
    }

    rfl_store_close(store);
    free(data);
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
        test(a_header_is_described),
        test(another_format_is_damaged),
        test(a_loop_of_pages_ends),
        test(node_offsets_are_checked_at_the_page_end),
        test(keys_out_of_order_are_damaged),
        test(no_bytes_make_it_crash),
        test(no_damage_kills_whoever_opens_the_file),
        test(whatever_lmdb_writes_is_sound)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
