/*
 * Slices and error texts.
 */

#include "rfl_base.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "guard.h"


typedef struct {
    const char  *a;
    const char  *b;
    int          eq;
    int          caseeq;
} compare_row_t;

typedef struct {
    const char  *input;
    const char  *wanted;
} trim_row_t;

typedef struct {
    uint64_t     key;
    const char  *wanted;
} key_row_t;


static const compare_row_t  compare_rows[] = {
    { "",        "",        1, 1 },
    { "a",       "",        0, 0 },
    { "a",       "a",       1, 1 },
    { "a",       "A",       0, 1 },
    { "Example", "eXAMPLE", 0, 1 },
    { "example", "example.", 0, 0 },
    { "@",       "`",       0, 0 },      /* 0x40 and 0x60: no letters */
    { "[",       "{",       0, 0 },      /* 0x5b and 0x7b */
    { "\xc4",    "\xe4",    0, 0 },      /* letters beyond ASCII */
    { "a-1",     "A-1",     0, 1 }
};


static const trim_row_t  trim_rows[] = {
    { "",             "" },
    { " ",            "" },
    { " \t\r\n",      "" },
    { "a",            "a" },
    { "  a",          "a" },
    { "a\r\n",        "a" },
    { "\t a b \t",    "a b" },
    { "\va\f",        "\va\f" },
    { "\xc2\xa0" "a", "\xc2\xa0" "a" }
};


static const key_row_t  key_rows[] = {
    { 0,                     "0000000000000000" },
    { 1,                     "0000000000000001" },
    { 0x9f2c41d07be3a658ull, "9f2c41d07be3a658" },
    { UINT64_MAX,            "ffffffffffffffff" }
};


static rfl_str_t
guarded(const char *text)
{
    size_t  len;

    len = strlen(text);

    return rfl_str(guard_copy(text, len), len);
}


static void
slices_compare_by_bytes_or_without_case(void **state)
{
    size_t     i;
    rfl_str_t  a, b;

    for (i = 0; i < sizeof(compare_rows) / sizeof(compare_rows[0]); i++) {
        a = guarded(compare_rows[i].a);
        b = guarded(compare_rows[i].b);

        assert_int_equal(rfl_str_eq(a, b), compare_rows[i].eq);
        assert_int_equal(rfl_str_caseeq(a, b), compare_rows[i].caseeq);
        assert_int_equal(rfl_str_caseeq(b, a), compare_rows[i].caseeq);
    }

    guard_free_all();
}


static void
a_slice_without_bytes_may_have_no_address(void **state)
{
    rfl_str_t  none;

    none = rfl_str(NULL, 0);

    assert_true(rfl_str_eq(none, rfl_cstr("")));
    assert_true(rfl_str_caseeq(none, rfl_cstr("")));
    assert_false(rfl_str_eq(none, rfl_cstr("a")));
    assert_int_equal(rfl_str_trim(none).len, 0);
}


static void
white_space_is_cut_from_both_ends(void **state)
{
    size_t     i;
    rfl_str_t  s;

    for (i = 0; i < sizeof(trim_rows) / sizeof(trim_rows[0]); i++) {
        s = rfl_str_trim(guarded(trim_rows[i].input));

        assert_int_equal(s.len, strlen(trim_rows[i].wanted));
        assert_memory_equal(s.data, trim_rows[i].wanted, s.len);
    }

    guard_free_all();
}


static void
keys_are_16_lower_case_hex_digits_and_nothing_more(void **state)
{
    size_t  i;
    u_char  text[RFL_KEY_LEN + 1];

    for (i = 0; i < sizeof(key_rows) / sizeof(key_rows[0]); i++) {
        text[RFL_KEY_LEN] = 'X';

        rfl_key_text(key_rows[i].key, text);

        assert_memory_equal(text, key_rows[i].wanted, RFL_KEY_LEN);
        assert_int_equal(text[RFL_KEY_LEN], 'X');
    }
}


static void
a_failure_returns_its_code_and_says_why(void **state)
{
    rfl_error_t  err;

    assert_int_equal(rfl_fail(&err, RFL_FULL, "%s has %d links", "main", 7),
                     RFL_FULL);
    assert_int_equal(err.rc, RFL_FULL);
    assert_string_equal(err.text, "main has 7 links");
}


static void
a_failure_nobody_wants_explained_keeps_its_code(void **state)
{
    assert_int_equal(rfl_fail(NULL, RFL_DENIED, "%s", "unseen"), RFL_DENIED);
}


static void
an_error_text_is_cut_at_its_limit_and_terminated(void **state)
{
    char         text[RFL_ERROR_TEXT + 1];
    rfl_error_t  err;

    memset(text, 'a', sizeof(text));

    text[RFL_ERROR_TEXT - 1] = '\0';
    (void) rfl_fail(&err, RFL_ERROR, "%s", text);
    assert_string_equal(err.text, text);

    text[RFL_ERROR_TEXT - 1] = 'a';
    text[RFL_ERROR_TEXT] = '\0';
    (void) rfl_fail(&err, RFL_ERROR, "%s", text);
    assert_int_equal(strlen(err.text), RFL_ERROR_TEXT - 1);
}


static void
an_error_text_holds_no_control_bytes(void **state)
{
    rfl_error_t  err;

    (void) rfl_fail(&err, RFL_INVALID, "\"%s\" is bad", "a\x1b[2J\r\n\x7f\xc3");

    assert_string_equal(err.text, "\"a?[2J???\xc3\" is bad");
}


static void
a_guarded_copy_ends_where_memory_ends(void **state)
{
    u_char  *copy;

    copy = guard_copy("abc", 3);

    assert_memory_equal(copy, "abc", 3);
    assert_int_equal(((uintptr_t) copy + 3) % 4096, 0);

    assert_int_equal((uintptr_t) guard_copy(NULL, 0) % 4096, 0);

    guard_free_all();
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(slices_compare_by_bytes_or_without_case),
        cmocka_unit_test(a_slice_without_bytes_may_have_no_address),
        cmocka_unit_test(white_space_is_cut_from_both_ends),
        cmocka_unit_test(keys_are_16_lower_case_hex_digits_and_nothing_more),
        cmocka_unit_test(a_failure_returns_its_code_and_says_why),
        cmocka_unit_test(a_failure_nobody_wants_explained_keeps_its_code),
        cmocka_unit_test(an_error_text_is_cut_at_its_limit_and_terminated),
        cmocka_unit_test(an_error_text_holds_no_control_bytes),
        cmocka_unit_test(a_guarded_copy_ends_where_memory_ends)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
