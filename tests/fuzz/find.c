/*
 * One key of a table of 64-bit keys, as the request path finds it in the map,
 * against LMDB's own way; and many keys at once.  On sound files all say the
 * same of every key, its neighbours and keys that nobody put there; over pages
 * of noise it ends, and what it calls a value begins where a page could have
 * it.
 *
 * Input: a byte; an even one, then operations on a table, four bytes each:
 * what, how many, and two that say where; else a table and pages of noise.
 */

#include "fuzz.h"
#include "rfl_pages.h"
#include "rfl_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


#define MAP       ((size_t) 64 << 20)
#define KEYS_MAX  4096
#define SOME      64                     /* keys looked at in between */
#define COMMIT    600                    /* keys of one transaction */

#define PAGE      4096
#define PAGES     4

/* An offset in a page has 16 bits, wherever the page is. */

#define BEHIND    (UINT16_MAX + PAGE)


typedef enum {
    EVEN = 0,                            /* hashes, as the registry's are */
    DENSE,
    STEPS,                               /* far apart, low bits alike */
    CLUSTER,                             /* next to a power of two */
    ENDS,                                /* 0, 1, the two highest */
    ONE,
    LARGE,                               /* values with pages of their own */
    REMOVED,
    OPERATIONS
} operation_t;


static void check_sound(fuzz_input_t *in);
static void make_store(void);
static void change(fuzz_input_t *in);
static uint64_t make_key(operation_t what, uint64_t seed, size_t i);
static void check_keys(const uint64_t *some, size_t n, size_t step);
static void check_key(uint64_t key);
static void check_many(const uint64_t *wanted, size_t n);
static void check_noise(fuzz_input_t *in);
static void check_value(rfl_rc_t rc, rfl_str_t value);
static uint64_t mix(uint64_t n);


static const rfl_store_dbi_t  dbi = { "large", RFL_KEY_U64 };

static char          dir[280], file[300], lock[300];
static rfl_store_t  *s;
static uint64_t      keys[KEYS_MAX];
static size_t        nkeys;
static uint64_t      removed[256];       /* by the last operation */
static size_t        nremoved;
static u_char       *map;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t  in;

    in = fuzz_input(data, size);

    if (fuzz_byte(&in) % 2 == 0) {
        check_sound(&in);

    } else {
        check_noise(&in);
    }

    fuzz_free();

    return 0;
}


static void
check_sound(fuzz_input_t *in)
{
    size_t       before;
    rfl_error_t  err;

    make_store();
    nkeys = 0;

    /* what came before is there still, and its pages are others */

    while (in->p < in->end) {
        before = nkeys;
        change(in);
        check_keys(keys + before, nkeys - before, 1);
        check_keys(removed, nremoved, 1);
        check_keys(keys, nkeys, 1 + nkeys / SOME);
    }

    check_keys(keys, nkeys, 1);

    fuzz_check(rfl_store_begin(s, 0, &err) == RFL_OK);
    check_key(mix(nkeys));
    rfl_store_end(s);

    rfl_store_close(s);
}


static void
make_store(void)
{
    rfl_error_t  err;

    (void) snprintf(dir, sizeof(dir), "%s/store", fuzz_dir());
    (void) snprintf(file, sizeof(file), "%s/data.mdb", dir);
    (void) snprintf(lock, sizeof(lock), "%s/lock.mdb", dir);

    (void) unlink(file);
    (void) unlink(lock);

    if (rfl_store_open(&s, dir, &dbi, 1, RFL_STORE_CREATE, MAP, &err)
        != RFL_OK)
    {
        fuzz_finding(__FILE__, __LINE__, err.text);
    }
}


static void
change(fuzz_input_t *in)
{
    size_t       i, n, len;
    uint64_t     seed, key;
    rfl_rc_t     rc;
    operation_t  what;
    rfl_error_t  err;

    static const u_char  value[3000];

    what = fuzz_byte(in) % OPERATIONS;
    n = 1 + fuzz_byte(in);
    nremoved = 0;
    seed = fuzz_byte(in);
    seed |= (uint64_t) fuzz_byte(in) << 8;

    if (what == ONE) {
        n = 1;
        seed |= mix(seed) & ~(uint64_t) 0xffff;

    } else if (what <= STEPS) {
        n *= 8;
    }

    fuzz_check(rfl_store_begin(s, 1, &err) == RFL_OK);

    for (i = 0; i < n && nkeys < KEYS_MAX; i++) {

        if (i % COMMIT == COMMIT - 1) {
            fuzz_check(rfl_store_commit(s, &err) == RFL_OK);
            fuzz_check(rfl_store_begin(s, 1, &err) == RFL_OK);
        }

        if (what == REMOVED) {

            if (nkeys == 0) {
                break;
            }

            key = keys[(seed + i) % nkeys];
            removed[nremoved++] = key;
            rc = rfl_store_del_u64(s, 0, key, &err);
            fuzz_check(rc == RFL_OK || rc == RFL_NOT_FOUND);
            continue;
        }

        key = make_key(what, seed, i);
        keys[nkeys++] = key;

        len = what == LARGE ? 1500 + key % 1500 : 16 + key % 48;

        fuzz_check(rfl_store_put_u64(s, 0, key, rfl_str(value, len), 0, &err)
                   == RFL_OK);
    }

    fuzz_check(rfl_store_commit(s, &err) == RFL_OK);
}


static uint64_t
make_key(operation_t what, uint64_t seed, size_t i)
{
    switch (what) {

    case DENSE:
        return (seed << 40) + i;

    case STEPS:
        return (uint64_t) i << (32 + seed % 24) | seed;

    case CLUSTER:
        return ((uint64_t) 1 << seed % 64) + i - 128;

    case ENDS:
        return i % 2 == 0 ? i / 2 : UINT64_MAX - i / 2;

    case ONE:
        return seed;

    default:
        return mix(seed * 1000003 + i);
    }
}


/* Each step-th one. */

static void
check_keys(const uint64_t *some, size_t n, size_t step)
{
    size_t       i;
    rfl_error_t  err;

    fuzz_check(rfl_store_begin(s, 0, &err) == RFL_OK);

    for (i = 0; i < n; i += step) {
        check_key(some[i]);
        check_key(some[i] - 1);
        check_key(some[i] + 1);
        check_key(some[i] ^ (uint64_t) 1 << i % 64);
    }

    check_key(0);
    check_key(UINT64_MAX);

    for (i = 0; i < n; i += step * RFL_PAGES_MANY) {
        check_many(&some[i], n - i < RFL_PAGES_MANY ? n - i
                                                    : RFL_PAGES_MANY);
    }

    rfl_store_end(s);
}


static void
check_key(uint64_t key)
{
    rfl_rc_t   rc;
    rfl_str_t  value, wanted;

    rc = rfl_store_get_u64(s, 0, key, &value);

    fuzz_check(rfl_store_get(s, 0, rfl_str(&key, sizeof(key)), &wanted) == rc);

    if (rc == RFL_OK) {
        fuzz_check(value.data == wanted.data && value.len == wanted.len);

    } else {
        fuzz_check(rc == RFL_NOT_FOUND);
    }
}


/* Half of them are there, or were. */

static void
check_many(const uint64_t *wanted, size_t n)
{
    size_t             i;
    uint64_t           asked[RFL_PAGES_MANY], key;
    rfl_rc_t           rc;
    rfl_str_t          values[RFL_PAGES_MANY], value;
    rfl_pages_place_t  places[RFL_PAGES_MANY];

    for (i = 0; i < n; i++) {
        asked[i] = i % 2 ? wanted[i] : wanted[i] + i - 4;
    }

    fuzz_check(rfl_store_get_many(s, 0, asked, n, values) == RFL_OK);
    rfl_store_places(s, 0, asked, n, places);

    for (i = 0; i < n; i++) {
        rc = rfl_store_get(s, 0, rfl_str(&asked[i], sizeof(key)), &value);
        fuzz_check((rc == RFL_OK) == (values[i].data != NULL));

        if (rc == RFL_OK) {
            fuzz_check(rfl_str_eq(values[i], value));
        }

        if (places[i].leaf == NULL) {
            continue;
        }

        rc = rfl_pages_at(&places[i], &key, &value);
        fuzz_check(rc == RFL_NOT_FOUND || key >= asked[i]);

        if (rc != RFL_NOT_FOUND && places[i].at != 0) {
            places[i].at--;
            fuzz_check(rfl_pages_at(&places[i], &key, &value)
                       != RFL_NOT_FOUND);
            fuzz_check(key < asked[i]);
        }
    }
}


/* The table's record is noise as well. */

static void
check_noise(fuzz_input_t *in)
{
    void               *block;
    size_t              i, n;
    uint64_t            wanted[4], key;
    rfl_str_t           noise, value;
    rfl_pages_table_t   table;
    rfl_pages_place_t   places[4];

    if (map == NULL) {
        fuzz_check(posix_memalign(&block, PAGE, PAGES * PAGE + BEHIND) == 0);
        map = block;
    }

    memset(map, 0, PAGES * PAGE + BEHIND);

    memset(&table, 0, sizeof(rfl_pages_table_t));
    table.map = map;
    table.page_size = PAGE;
    table.pages = 1 + fuzz_byte(in) % PAGES;
    table.root = fuzz_byte(in) % (PAGES + 1);
    table.depth = fuzz_byte(in) % 34;

    for (i = 0; i < 4; i++) {
        noise = fuzz_bytes(in, sizeof(uint64_t));
        wanted[i] = 0;
        memcpy(&wanted[i], noise.data, noise.len);
    }

    /* an offset and what is there, to the end */

    while (in->p < in->end) {
        i = fuzz_byte(in);
        i |= (size_t) fuzz_byte(in) << 8;
        n = 1 + fuzz_byte(in) % 32;
        noise = fuzz_bytes(in, n);
        memcpy(map + i % (PAGES * PAGE), noise.data, noise.len);
    }

    rfl_pages_places(&table, sizeof(uint64_t), wanted, 4, places);

    for (i = 0; i < 4; i++) {
        check_value(rfl_pages_find(&table, wanted[i], &value), value);

        if (places[i].leaf != NULL) {
            check_value(rfl_pages_at(&places[i], &key, &value), value);
        }
    }
}


static void
check_value(rfl_rc_t rc, rfl_str_t value)
{
    fuzz_check(rc == RFL_OK || rc == RFL_NOT_FOUND || rc == RFL_ERROR);

    if (rc == RFL_OK) {
        fuzz_check(value.data >= map);
        fuzz_check(value.data <= map + PAGES * PAGE + BEHIND);
    }
}


/* splitmix64 (Steele, Lea and Flood, 2014) */

static uint64_t
mix(uint64_t n)
{
    n += 0x9e3779b97f4a7c15u;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
    n = (n ^ n >> 27) * 0x94d049bb133111ebu;

    return n ^ n >> 31;
}
