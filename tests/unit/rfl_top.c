/* The heap against sorting everything. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rfl_top.h"


static unsigned  sorting_ascending;


static int
compare_rows(const void *one, const void *two)
{
    rfl_top_t             order;
    const rfl_top_row_t  *a = one, *b = two;

    if (a->value == b->value && a->key == b->key) {
        return 0;
    }

    order.ascending = sorting_ascending;

    return rfl_top_before(&order, a, b) ? -1 : 1;
}


static void
check_against_sort(size_t n, size_t max, unsigned ascending, unsigned seed)
{
    size_t          i, kept;
    rfl_top_t       top;
    rfl_top_row_t  *rows;

    rows = calloc(n + 1, sizeof(rfl_top_row_t));
    assert_non_null(rows);
    assert_int_equal(rfl_top_init(&top, max, ascending), RFL_OK);

    srand(seed);

    for (i = 0; i < n; i++) {
        rows[i].value = (uint64_t) (rand() % 50);
        rows[i].key = ((uint64_t) rand() << 20) + i;
        rows[i].id = (uint32_t) i;

        if (rfl_top_wants(&top, rows[i].value)) {
            rfl_top_add(&top, &rows[i]);
        }
    }

    sorting_ascending = ascending;
    qsort(rows, n, sizeof(rfl_top_row_t), compare_rows);
    rfl_top_sort(&top);

    kept = n < max ? n : max;
    assert_int_equal(top.n, kept);

    for (i = 0; i < kept; i++) {
        assert_int_equal(top.rows[i].id, rows[i].id);
    }

    rfl_top_free(&top);
    free(rows);
}


static void
test_equals_a_full_sort(void **state)
{
    size_t    i, j;
    unsigned  seed;

    static const size_t  sizes[] = { 0, 1, 2, 3, 19, 20, 21, 1000 };
    static const size_t  limits[] = { 1, 2, 20, 500 };

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (j = 0; j < sizeof(limits) / sizeof(limits[0]); j++) {
            for (seed = 1; seed < 5; seed++) {
                check_against_sort(sizes[i], limits[j], 0, seed);
                check_against_sort(sizes[i], limits[j], 1, seed);
            }
        }
    }
}


static void
test_turns_away_what_cannot_be_kept(void **state)
{
    rfl_top_t      top;
    rfl_top_row_t  row = { 10, 1, 1 };

    assert_int_equal(rfl_top_init(&top, 1, 0), RFL_OK);
    assert_true(rfl_top_wants(&top, 0));

    rfl_top_add(&top, &row);

    assert_false(rfl_top_wants(&top, 9));
    assert_true(rfl_top_wants(&top, 10));
    assert_true(rfl_top_wants(&top, 11));

    rfl_top_free(&top);
}


static void
test_equal_values_are_ordered_by_key(void **state)
{
    rfl_top_t      top;
    rfl_top_row_t  a = { 5, 100, 1 }, b = { 5, 99, 2 };

    assert_int_equal(rfl_top_init(&top, 2, 0), RFL_OK);

    rfl_top_add(&top, &a);
    rfl_top_add(&top, &b);
    rfl_top_sort(&top);

    assert_int_equal(top.rows[0].id, 2);
    assert_int_equal(top.rows[1].id, 1);

    rfl_top_free(&top);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_equals_a_full_sort),
        cmocka_unit_test(test_turns_away_what_cannot_be_kept),
        cmocka_unit_test(test_equal_values_are_ordered_by_key),
    };

    return cmocka_run_group_tests_name("rfl_top", tests, NULL, NULL);
}
