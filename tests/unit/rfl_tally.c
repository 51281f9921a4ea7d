/* The table of sums: rows by name, its limits, its order in steps. */

#include "rfl_tally.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>


static int
before(const rfl_tally_order_t *order, const rfl_tally_row_t *a,
    const rfl_tally_row_t *b)
{
    int        rc;
    rfl_str_t  m, n;

    if (order->by_name) {
        m = a->name;
        n = b->name;
        rc = memcmp(m.data, n.data, m.len < n.len ? m.len : n.len);
        rc = rc != 0 ? rc : (int) m.len - (int) n.len;

        return order->ascending ? rc < 0 : rc > 0;
    }

    if (a->sums[order->field] != b->sums[order->field]) {
        return order->ascending
               ? a->sums[order->field] < b->sums[order->field]
               : a->sums[order->field] > b->sums[order->field];
    }

    return a->hash < b->hash;
}


static void
check_order(size_t n, rfl_tally_order_t order, uint32_t budget)
{
    char              name[32];
    size_t            i, k, row;
    rfl_rc_t          rc;
    uint32_t          work;
    unsigned          turns;
    rfl_tally_t       t;
    rfl_tally_row_t  *r;

    assert_int_equal(rfl_tally_init(&t, RFL_TALLY_MAX, 3, 1), RFL_OK);

    for (i = 0; i < n; i++) {
        (void) snprintf(name, sizeof(name), i % 7 ? "row%zu" : "%zu", i);
        assert_int_equal(rfl_tally_add(&t, rfl_cstr(name), &row), RFL_OK);
        assert_int_equal(row, i);
        rfl_tally_row(&t, row)->sums[1] = (uint64_t) random() % (n / 3 + 1);
    }

    turns = 0;

    do {
        work = budget;
        rc = rfl_tally_sort(&t, &order, &work);
        turns++;
    } while (rc == RFL_BUSY);

    assert_int_equal(rc, RFL_OK);
    assert_true(turns >= n / budget);

    for (i = 1; i < n; i++) {
        assert_true(before(&order, rfl_tally_row(&t, t.order[i - 1]),
                           rfl_tally_row(&t, t.order[i])));
    }

    /* behind each row the next one, also where the row itself is gone */

    for (i = 0; i < n; i += 1 + n / 50) {
        r = rfl_tally_row(&t, t.order[i]);
        k = rfl_tally_after(&t, &order, r->sums[1], r->hash, r->name);
        assert_int_equal(k, i + 1);
    }

    rfl_tally_free(&t);
}


static void
test_orders(void **state)
{
    size_t             i;
    rfl_tally_order_t  order;

    static const size_t  sizes[] = { 0, 1, 2, 3, 10, 1023, 1024, 1025, 5000 };

    srandom(3);

    for (i = 0; i < 4 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        order.by_name = i & 1;
        order.ascending = (i >> 1) & 1;
        order.field = 1;

        check_order(sizes[i / 4], order, 1);
        check_order(sizes[i / 4], order, 1000);
    }
}


static void
test_rows_are_found_and_full_is_full(void **state)
{
    char         name[32];
    size_t       i, row;
    rfl_tally_t  t;

    assert_int_equal(rfl_tally_init(&t, RFL_TALLY_MAX, 1, 1), RFL_OK);

    for (i = 0; i < RFL_TALLY_MAX; i++) {
        (void) snprintf(name, sizeof(name), "%zu", i);
        assert_int_equal(rfl_tally_find(&t, rfl_tally_hash(rfl_cstr(name)),
                                        &row), RFL_NOT_FOUND);
        assert_int_equal(rfl_tally_add(&t, rfl_cstr(name), &row), RFL_OK);
        rfl_tally_row(&t, row)->sums[0] += i;
    }

    assert_int_equal(rfl_tally_add(&t, rfl_cstr("one more"), &row), RFL_FULL);

    for (i = 0; i < RFL_TALLY_MAX; i++) {
        (void) snprintf(name, sizeof(name), "%zu", i);
        assert_int_equal(rfl_tally_add(&t, rfl_cstr(name), &row), RFL_OK);
        assert_int_equal(rfl_tally_row(&t, row)->sums[0], i);
        assert_true(rfl_str_eq(rfl_tally_row(&t, row)->name, rfl_cstr(name)));
    }

    rfl_tally_free(&t);
}


static void
test_cleared_rows_begin_with_zero(void **state)
{
    size_t       i, row;
    rfl_tally_t  t;

    assert_int_equal(rfl_tally_init(&t, 2000, 2, 0), RFL_OK);

    for (i = 0; i < 6000; i++) {
        if (i % 2000 == 0) {
            rfl_tally_clear(&t);
        }

        assert_int_equal(rfl_tally_append(&t, rfl_cstr("x"), &row), RFL_OK);
        assert_int_equal(row, i % 2000);
        assert_int_equal(rfl_tally_row(&t, row)->sums[1], 0);
        assert_int_equal(rfl_tally_row(&t, row)->links, 0);
        rfl_tally_row(&t, row)->sums[1] = 7;
        rfl_tally_row(&t, row)->links = 7;
    }

    assert_int_equal(rfl_tally_append(&t, rfl_cstr("x"), &row), RFL_FULL);

    rfl_tally_free(&t);
}


static void
test_names(void **state)
{
    char         labels[RFL_LABELS_TEXT_MAX];
    size_t       i, n;
    rfl_str_t    names[RFL_TALLY_NAMES_MAX];
    rfl_link_t   link;

    memset(&link, 0, sizeof(rfl_link_t));

    assert_int_equal(rfl_tally_names(RFL_TALLY_CHANNEL, &link, names), 1);
    assert_true(rfl_str_eq(names[0], rfl_cstr("unassigned")));
    assert_int_equal(rfl_tally_names(RFL_TALLY_PARTNER, &link, names), 1);
    assert_int_equal(names[0].len, 0);
    assert_int_equal(rfl_tally_names(RFL_TALLY_LABEL, &link, names), 1);
    assert_int_equal(names[0].len, 0);

    link.labels = rfl_cstr("a,bb,c");
    assert_int_equal(rfl_tally_names(RFL_TALLY_LABEL, &link, names), 3);
    assert_true(rfl_str_eq(names[0], rfl_cstr("a")));
    assert_true(rfl_str_eq(names[1], rfl_cstr("bb")));
    assert_true(rfl_str_eq(names[2], rfl_cstr("c")));

    /* as many as there can be */

    for (i = 0; i < sizeof(labels); i++) {
        labels[i] = i % 2 ? ',' : 'a';
    }

    link.labels = rfl_str(labels, sizeof(labels) - 1);
    n = rfl_tally_names(RFL_TALLY_LABEL, &link, names);
    assert_int_equal(n, sizeof(labels) / 2);
    assert_int_equal(names[n - 1].len, 1);
}


static void
test_hosts(void **state)
{
    size_t     i;
    u_char     out[RFL_HOST_MAX + 16];
    rfl_str_t  host;

    static const char *const  hosts[][2] = {
        { "example,blog", "blog.example" },
        { "example,blog)/2024", "blog.example" },
        { "example", "example" },
        { "example,a,b,c)", "c.b.a.example" },
        { "192.0.2.1)/", "192.0.2.1" },
        { "[2001:db8::1])/", "[2001:db8::1]" },
        { "android-app:com.reader)/", "android-app:com.reader" },
        { ")tag", "" },
        { "", "" }
    };

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        host = rfl_tally_host(rfl_cstr(hosts[i][0]), out);

        if (!rfl_str_eq(host, rfl_cstr(hosts[i][1]))) {
            fail_msg("%s: %.*s", hosts[i][0], (int) host.len, host.data);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_rows_are_found_and_full_is_full),
        cmocka_unit_test(test_cleared_rows_begin_with_zero),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_hosts),
    };

    return cmocka_run_group_tests_name("rfl_tally", tests, NULL, NULL);
}
