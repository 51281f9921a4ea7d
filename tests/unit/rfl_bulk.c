/* What is put in order, and keys that are found until then. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rfl_bulk.h"
#include "rfl_store.h"


#define KEYS_MAX  300000


static rfl_error_t  err;


static rfl_bulk_t *
new_bulk(void)
{
    rfl_bulk_t  *b;

    b = rfl_bulk_create("/tmp");
    assert_non_null(b);

    return b;
}


static void
fill(rfl_bulk_t *b, unsigned n, unsigned seed)
{
    char             text[32];
    unsigned         i;
    rfl_bulk_slot_t  slot;

    srand(seed);
    memset(&slot, 0, sizeof(rfl_bulk_slot_t));

    for (i = 0; i < n; i++) {
        assert_int_equal(rfl_bulk_key(b, (uint64_t) rand() << 33 | i, i + 1,
                                      &err), RFL_OK);

        (void) snprintf(text, sizeof(text), "example,h%d)/%u", rand() % 9, i);
        assert_int_equal(rfl_bulk_source(b, rfl_cstr(text), &err), RFL_OK);

        slot.low = (uint64_t) (rand() % 50) << 58 | (uint64_t) rand() % 50;
        slot.high = (uint64_t) i << 33;
        slot.id = i + 1;
        slot.info = 0x80000000u | i;
        assert_int_equal(rfl_bulk_slot(b, &slot, &err), RFL_OK);
    }
}


static void
check_slots(rfl_bulk_t *b, unsigned n)
{
    unsigned         i;
    rfl_bulk_slot_t  last;

    memset(&last, 0, sizeof(last));

    for (i = 0; i < n; i++) {
        assert_int_equal(rfl_bulk_next_slot(b, &err), RFL_OK);
        assert_false(b->at_end);

        assert_true(b->slot.low > last.low
                    || (b->slot.low == last.low
                        && b->slot.high >= last.high));
        assert_int_equal(b->slot.high, (uint64_t) (b->slot.id - 1) << 33);
        assert_int_equal(b->slot.info, 0x80000000u | (b->slot.id - 1));

        last = b->slot;
    }

    assert_int_equal(rfl_bulk_next_slot(b, &err), RFL_OK);
    assert_true(b->at_end);
}


static void
check_sources(rfl_bulk_t *b, unsigned n)
{
    char       last[32];
    unsigned   i;
    rfl_str_t  source, before;

    before = rfl_cstr("");

    for (i = 0; i < n; i++) {
        assert_int_equal(rfl_bulk_next_source(b, &source, &err), RFL_OK);
        assert_true(rfl_str_cmp(before, source) < 0);

        memcpy(last, source.data, source.len);
        before = rfl_str(last, source.len);
    }

    assert_int_equal(rfl_bulk_next_source(b, &source, &err), RFL_NOT_FOUND);
}


static void
all_is_put_in_order(void **state)
{
    size_t       i;
    unsigned     round;
    rfl_bulk_t  *b;

    b = new_bulk();

    for (round = 0; round < 5; round++) {
        fill(b, 3000 * round, round);

        assert_int_equal(rfl_bulk_begin(b, &err), RFL_OK);
        check_slots(b, 3000 * round);
        check_sources(b, 3000 * round);

        rfl_bulk_sort_keys(b);
        assert_int_equal(b->nkeys, 3000 * round);

        for (i = 1; i < b->nkeys; i++) {
            assert_true(rfl_bulk_key_of(&b->keys[i - 1])
                        < rfl_bulk_key_of(&b->keys[i]));
        }

        rfl_bulk_reset(b);
    }

    rfl_bulk_free(b);
}


typedef struct {
    const char  *what;
    unsigned     n;
    uint64_t   (*key)(unsigned i);
} keys_row_t;


static uint64_t
a_hash(unsigned i)
{
    return (uint64_t) (i + 1) * 0x9e3779b97f4a7c15u;
}


/* All begin at one place, in falling order; or behind the last one. */

static uint64_t
one_place(unsigned i)
{
    return (uint64_t) 1 << 60 | (1000000 - (uint64_t) i) << 8;
}


static uint64_t
the_last_place(unsigned i)
{
    return UINT64_MAX - ((uint64_t) i << 24);
}


static const keys_row_t  keys_rows[] = {
    { "one",            1,        a_hash },
    { "few",            100,      a_hash },
    { "many",           KEYS_MAX, a_hash },
    { "one place",      3000,     one_place },
    { "the last place", 3000,     the_last_place },
    { "a crowd",        KEYS_MAX, one_place },
    { "a crowd at the end", KEYS_MAX, the_last_place },
    { "few again",      100,      a_hash }
};


static void
keys_are_found_until_they_are_reset(void **state)
{
    size_t             row, k;
    unsigned           i;
    rfl_bulk_t        *b;
    const keys_row_t  *keys;

    b = new_bulk();
    assert_int_equal(rfl_bulk_find(b, 0), 0);

    for (row = 0; row < sizeof(keys_rows) / sizeof(keys_rows[0]); row++) {
        keys = &keys_rows[row];

        for (i = 0; i < keys->n; i++) {
            assert_int_equal(rfl_bulk_find(b, keys->key(i)), 0);
            assert_int_equal(rfl_bulk_key(b, keys->key(i), i + 1, &err),
                             RFL_OK);
        }

        for (i = 0; i < keys->n; i++) {
            if (rfl_bulk_find(b, keys->key(i)) != i + 1) {
                fail_msg("%s: key %u is not found", keys->what, i);
            }
        }

        /* memory is for the keys there are, whatever they are */

        assert_true(b->places <= 4096 || b->places / 8 * 3 <= b->nkeys);

        rfl_bulk_sort_keys(b);
        assert_int_equal(b->nkeys, keys->n);

        for (k = 0; k < b->nkeys; k++) {
            assert_int_equal(rfl_bulk_key_of(&b->keys[k]),
                             keys->key(b->keys[k].id - 1));
            assert_true(k == 0 || rfl_bulk_key_of(&b->keys[k - 1])
                                  < rfl_bulk_key_of(&b->keys[k]));
        }

        rfl_bulk_reset(b);

        for (i = 0; i < keys->n; i++) {
            assert_int_equal(rfl_bulk_find(b, keys->key(i)), 0);
        }
    }

    rfl_bulk_free(b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(all_is_put_in_order),
        cmocka_unit_test(keys_are_found_until_they_are_reset)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
