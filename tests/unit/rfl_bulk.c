/* What is put in order, against the C library's own comparison. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rfl_bulk.h"
#include "rfl_store.h"


static void
fill(rfl_bulk_t *b, unsigned n, unsigned seed)
{
    char             text[32];
    unsigned         i;
    rfl_bulk_slot_t  slot;

    srand(seed);

    for (i = 0; i < n; i++) {
        rfl_bulk_key(b, (uint64_t) rand() << 33 | i, i + 1);

        (void) snprintf(text, sizeof(text), "example,h%d)/%u", rand() % 9, i);
        rfl_bulk_source(b, rfl_cstr(text));

        slot.low = (uint64_t) (rand() % 50) << 60 | (uint64_t) rand() % 50;
        slot.high = i;
        slot.id = i + 1;
        slot.info = 7;
        rfl_bulk_slot(b, &slot);
    }
}


static void
all_is_put_in_order(void **state)
{
    size_t       i;
    unsigned     round;
    rfl_str_t    a, b;
    rfl_bulk_t  *bulk;

    bulk = rfl_bulk_create();
    assert_non_null(bulk);

    for (round = 0; round < 5; round++) {
        fill(bulk, 1000 * round, round);
        rfl_bulk_sort(bulk);

        assert_int_equal(bulk->nkeys, 1000 * round);
        assert_int_equal(bulk->nslots, 1000 * round);
        assert_int_equal(bulk->nsources, 1000 * round);

        for (i = 1; i < bulk->nkeys; i++) {
            assert_true(bulk->keys[i - 1].key < bulk->keys[i].key);
            assert_true(bulk->slots[i - 1].low < bulk->slots[i].low
                        || (bulk->slots[i - 1].low == bulk->slots[i].low
                            && bulk->slots[i - 1].id < bulk->slots[i].id));
            assert_int_equal(bulk->slots[i].high + 1, bulk->slots[i].id);

            a = rfl_bulk_text(bulk, i - 1);
            b = rfl_bulk_text(bulk, i);
            assert_true(memcmp(a.data, b.data,
                               a.len < b.len ? a.len : b.len) < 0
                        || a.len < b.len);
        }

        rfl_bulk_reset(bulk);
    }

    rfl_bulk_free(bulk);
}


/* Hashes, or keys of which eight begin at one place. */

static uint64_t
key_of(unsigned i, int crowd)
{
    return crowd ? (uint64_t) (i + 1) << 32 | i / 8
                 : (uint64_t) (i + 1) * 0x9e3779b97f4a7c15u;
}


static void
keys_are_found_until_they_are_reset(void **state)
{
    int          crowd;
    unsigned     i, n, round;
    rfl_bulk_t  *b;

    static const unsigned  counts[] = { 1, 100, RFL_BULK_LINKS };

    b = rfl_bulk_create();
    assert_non_null(b);

    for (round = 0; round < 6; round++) {
        n = counts[round % 3];
        crowd = n <= 100;

        for (i = 0; i < n; i++) {
            assert_false(rfl_bulk_is_full(b));
            rfl_bulk_key(b, key_of(i, crowd), i + 1);
        }

        for (i = 0; i < n; i++) {
            assert_int_equal(rfl_bulk_find(b, key_of(i, crowd)), i + 1);
            assert_int_equal(rfl_bulk_find(b, ~key_of(i, crowd)), 0);
        }

        assert_int_equal(rfl_bulk_is_full(b), n == RFL_BULK_LINKS);

        rfl_bulk_reset(b);

        for (i = 0; i < n; i++) {
            assert_int_equal(rfl_bulk_find(b, key_of(i, crowd)), 0);
        }
    }

    rfl_bulk_free(b);
}


static void
long_sources_fill_it_too(void **state)
{
    u_char       text[RFL_STORE_KEY_MAX];
    rfl_bulk_t  *b;

    b = rfl_bulk_create();
    assert_non_null(b);

    memset(text, 'x', sizeof(text));

    while (!rfl_bulk_is_full(b)) {
        rfl_bulk_source(b, rfl_str(text, sizeof(text)));
    }

    assert_in_range(b->texts_len, RFL_BULK_SOURCES - 2 * sizeof(text),
                    RFL_BULK_SOURCES);

    rfl_bulk_free(b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(all_is_put_in_order),
        cmocka_unit_test(keys_are_found_until_they_are_reset),
        cmocka_unit_test(long_sources_fill_it_too)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
