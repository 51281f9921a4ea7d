/*
 * The buffer: what goes in comes out, and a failure sticks.
 */

#include "rfl_buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "guard.h"


typedef struct {
    uint64_t     number;
    const char  *wanted;
} number_row_t;


static const number_row_t  number_rows[] = {
    { 0,                                "0" },
    { 9,                                "9" },
    { 10,                               "10" },
    { UINT64_C(4294967296),             "4294967296" },
    { UINT64_C(1000000000000000000),    "1000000000000000000" },
    { INT64_MAX,                        "9223372036854775807" },
    { UINT64_C(9223372036854775808),    "9223372036854775807" },
    { UINT64_MAX,                       "9223372036854775807" }
};


static const number_row_t  time_rows[] = {
    { 0,                        "1970-01-01T00:00:00Z" },
    { 59,                       "1970-01-01T00:00:59Z" },
    { 86399,                    "1970-01-01T23:59:59Z" },
    { 86400,                    "1970-01-02T00:00:00Z" },
    { 951782399,                "2000-02-28T23:59:59Z" },
    { 951782400,                "2000-02-29T00:00:00Z" },
    { 951868800,                "2000-03-01T00:00:00Z" },
    { 1795214880,               "2026-11-20T22:48:00Z" },
    { UINT64_C(4107542399),     "2100-02-28T23:59:59Z" },
    { UINT64_C(4107542400),     "2100-03-01T00:00:00Z" },
    { UINT64_C(253402300799),   "9999-12-31T23:59:59Z" },
    { UINT64_C(253402300800),   "9999-12-31T23:59:59Z" },
    { UINT64_MAX,               "9999-12-31T23:59:59Z" }
};


/* How many more allocations succeed; -1: all. */

static int  allocations_left = -1;


static void assert_holds(rfl_buf_t *b, const char *wanted);


/* Takes the place of the buffer's own. */

void *
rfl_buf_realloc(void *data, size_t size)
{
    if (allocations_left == 0) {
        return NULL;
    }

    if (allocations_left > 0) {
        allocations_left--;
    }

    return realloc(data, size);
}


static void
what_is_added_is_held_in_order(void **state)
{
    rfl_buf_t  b = rfl_buf_init;

    rfl_buf_text(&b, "ab");
    rfl_buf_char(&b, 'c');
    rfl_buf_str(&b, rfl_str(guard_copy("de", 2), 2));
    rfl_buf_add(&b, "f\0g", 3);
    rfl_buf_u64(&b, 7);
    rfl_buf_fmt(&b, "<%s %d>", "x", -1);

    assert_int_equal(b.failed, 0);
    assert_int_equal(b.len, 15);
    assert_memory_equal(b.data, "abcdef\0g7<x -1>", 15);

    rfl_buf_free(&b);
    guard_free_all();
}


static void
nothing_can_be_added(void **state)
{
    rfl_buf_t  b = rfl_buf_init;

    rfl_buf_add(&b, NULL, 0);
    rfl_buf_str(&b, rfl_str(NULL, 0));
    rfl_buf_text(&b, "");
    rfl_buf_fmt(&b, "%s", "");

    assert_int_equal(b.len, 0);
    assert_int_equal(b.failed, 0);

    rfl_buf_free(&b);
}


static void
a_freed_buffer_can_be_used_again(void **state)
{
    rfl_buf_t  b = rfl_buf_init;

    rfl_buf_text(&b, "a");
    rfl_buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len + b.size, 0);

    rfl_buf_text(&b, "b");
    assert_holds(&b, "b");

    rfl_buf_free(&b);
}


static void
it_grows_byte_by_byte_without_loss(void **state)
{
    size_t     i;
    rfl_buf_t  b = rfl_buf_init;

    for (i = 0; i < 100000; i++) {
        rfl_buf_char(&b, (u_char) (i * 7));
        assert_true(b.len <= b.size);
    }

    assert_int_equal(b.len, 100000);

    for (i = 0; i < b.len; i++) {
        assert_int_equal(b.data[i], (u_char) (i * 7));
    }

    rfl_buf_free(&b);
}


/* Around the sizes at which it has to grow. */

static void
formatted_text_of_every_length_is_whole(void **state)
{
    int        n;
    char       text[2200];
    rfl_buf_t  b;

    memset(text, 'x', sizeof(text));

    for (n = 0; n < (int) sizeof(text); n++) {
        memset(&b, 0, sizeof(b));

        rfl_buf_fmt(&b, "%.*s", n, text);
        rfl_buf_fmt(&b, "%s", "end");

        assert_int_equal(b.failed, 0);
        assert_int_equal(b.len, (size_t) n + 3);
        assert_memory_equal(b.data, text, (size_t) n);
        assert_memory_equal(b.data + n, "end", 3);

        rfl_buf_free(&b);
    }
}


static void
numbers_are_written_in_decimal(void **state)
{
    size_t     i;
    rfl_buf_t  b = rfl_buf_init;

    for (i = 0; i < sizeof(number_rows) / sizeof(number_rows[0]); i++) {
        b.len = 0;
        rfl_buf_u64(&b, number_rows[i].number);
        assert_holds(&b, number_rows[i].wanted);
    }

    rfl_buf_free(&b);
}


static void
times_are_written_in_rfc_3339(void **state)
{
    size_t     i;
    rfl_buf_t  b = rfl_buf_init;

    for (i = 0; i < sizeof(time_rows) / sizeof(time_rows[0]); i++) {
        b.len = 0;
        rfl_buf_time(&b, time_rows[i].number);
        assert_int_equal(b.len, RFL_TIME_LEN);
        assert_holds(&b, time_rows[i].wanted);
    }

    rfl_buf_free(&b);
}


/* Each day of 1970 to 2400, then some beyond. */

static void
dates_agree_with_the_c_library(void **state)
{
    char       wanted[32];
    time_t     t;
    uint64_t   day;
    struct tm  tm;
    rfl_buf_t  b = rfl_buf_init;

    for (day = 0; day < 2932896; day += (day < 157054) ? 1 : 97) {
        t = (time_t) (day * 86400 + day % 86400);

        assert_non_null(gmtime_r(&t, &tm));
        (void) strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%SZ", &tm);

        b.len = 0;
        rfl_buf_time(&b, (uint64_t) t);
        assert_holds(&b, wanted);
    }

    rfl_buf_free(&b);
}


static void
a_failed_allocation_sticks(void **state)
{
    rfl_buf_t  b = rfl_buf_init;

    allocations_left = 0;
    rfl_buf_text(&b, "a");
    assert_int_equal(b.failed, 1);

    allocations_left = -1;
    rfl_buf_text(&b, "b");
    rfl_buf_fmt(&b, "%d", 1);
    rfl_buf_u64(&b, 1);
    rfl_buf_time(&b, 1);

    assert_int_equal(b.failed, 1);
    assert_int_equal(b.len, 0);
    assert_null(b.data);

    rfl_buf_free(&b);
    assert_int_equal(b.failed, 0);
}


static void
a_failure_to_grow_leaves_the_bytes_to_be_freed(void **state)
{
    size_t     i;
    rfl_buf_t  b = rfl_buf_init;

    allocations_left = 1;

    for (i = 0; i < 5000; i++) {
        rfl_buf_fmt(&b, "%s", "a");
    }

    assert_int_equal(b.failed, 1);
    assert_true(b.len > 0 && b.len <= b.size && b.len < 5000);

    allocations_left = -1;
    rfl_buf_free(&b);
}


static void
a_length_over_the_limit_fails_without_overflow(void **state)
{
    size_t               i;
    rfl_buf_t            b;
    /* volatile: a compiler that knew them would warn of what is not done */
    static const volatile size_t  lens[] = { RFL_BUF_MAX, RFL_BUF_MAX + 1,
                                             SIZE_MAX / 2, SIZE_MAX - 1,
                                             SIZE_MAX };

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(&b, 0, sizeof(b));
        rfl_buf_char(&b, 'a');
        rfl_buf_add(&b, "x", lens[i]);

        assert_int_equal(b.failed, 1);
        assert_int_equal(b.len, 1);

        rfl_buf_free(&b);
    }
}


static void
assert_holds(rfl_buf_t *b, const char *wanted)
{
    assert_int_equal(b->failed, 0);

    if (!rfl_str_eq(rfl_str(b->data, b->len), rfl_cstr(wanted))) {
        fail_msg("\"%.*s\" is not \"%s\"", (int) b->len,
                 (const char *) b->data, wanted);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(what_is_added_is_held_in_order),
        cmocka_unit_test(nothing_can_be_added),
        cmocka_unit_test(a_freed_buffer_can_be_used_again),
        cmocka_unit_test(it_grows_byte_by_byte_without_loss),
        cmocka_unit_test(formatted_text_of_every_length_is_whole),
        cmocka_unit_test(numbers_are_written_in_decimal),
        cmocka_unit_test(times_are_written_in_rfc_3339),
        cmocka_unit_test(dates_agree_with_the_c_library),
        cmocka_unit_test(a_failed_allocation_sticks),
        cmocka_unit_test(a_failure_to_grow_leaves_the_bytes_to_be_freed),
        cmocka_unit_test(a_length_over_the_limit_fails_without_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
