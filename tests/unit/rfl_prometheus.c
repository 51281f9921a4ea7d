/*
 * Prometheus text out.  What is made of arbitrary bytes is judged by a reader
 * of its own, which knows the format by its three escapes, and UTF-8 through
 * the C library.
 */

#include "rfl_prometheus.h"
#include "rfl_utf8.h"

#include <locale.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <cmocka.h>

#include "guard.h"


#define input(bytes)  bytes, sizeof(bytes) - 1

#define R  RFL_UTF8_REPLACEMENT


typedef struct {
    const char  *input;
    size_t       len;
    const char  *wanted;
} label_row_t;


static const label_row_t  label_rows[] = {
    { input(""),                "" },
    { input("plain text 1"),    "plain text 1" },
    { input("\\"),              "\\\\" },
    { input("\""),              "\\\"" },
    { input("\n"),              "\\n" },
    { input("\\n\"\n"),         "\\\\n\\\"\\n" },
    { input("\r\t\x01\x7f"),    "\r\t\x01\x7f" },
    { input("a\0b"),            "a" R "b" },
    { input("{},=#"),           "{},=#" },
    { input("S\xc3\xb6hne \xe2\x82\xac \xf0\x9f\x94\x97"),
      "S\xc3\xb6hne \xe2\x82\xac \xf0\x9f\x94\x97" },
    { input("\xc2\x85\xe2\x80\xa8"), "\xc2\x85\xe2\x80\xa8" },  /* NEL, LS */
    { input("\xff"),            R },
    { input("a\x80" "b"),       "a" R "b" },
    { input("\xc0\xaf"),        R R },
    { input("\xed\xa0\x80"),    R R R },                 /* a surrogate */
    { input("\xf4\x90\x80\x80"), R R R R },
    { input("\xe2\x82"),        R },                     /* cut */
    { input("\xe2\x82\""),      R "\\\"" },
    { input("\xc3\n"),          R "\\n" }
};


static void assert_text(const rfl_buf_t *b, const char *wanted);
static void assert_valid_label(rfl_buf_t *b, const u_char *bytes, size_t len);


static void
labels_are_escaped_by_the_table(void **state)
{
    char                wanted[256];
    size_t              i;
    rfl_buf_t           b = rfl_buf_init;
    const label_row_t  *row;

    for (i = 0; i < sizeof(label_rows) / sizeof(label_rows[0]); i++) {
        row = &label_rows[i];

        b.len = 0;
        rfl_prometheus_label(&b, "l",
                             rfl_str(guard_copy(row->input, row->len),
                                     row->len));

        snprintf(wanted, sizeof(wanted), "{l=\"%s\"", row->wanted);
        assert_text(&b, wanted);
    }

    rfl_buf_free(&b);
    guard_free_all();
}


static void
a_family_has_its_help_and_type_and_lines(void **state)
{
    rfl_buf_t  b = rfl_buf_init;

    rfl_prometheus_family(&b, "a_total", "counter", "What \\ \"a\"\nis.");
    rfl_prometheus_sample(&b, "a_total");
    rfl_prometheus_u64(&b, 0);
    rfl_prometheus_sample(&b, "a_total");
    rfl_prometheus_label(&b, "one", rfl_cstr("\""));
    rfl_prometheus_u64(&b, UINT64_MAX);
    rfl_prometheus_sample(&b, "a_total");
    rfl_prometheus_label(&b, "one", rfl_cstr("1"));
    rfl_prometheus_label(&b, "two", rfl_cstr("{"));
    rfl_prometheus_label(&b, "three", rfl_cstr(""));
    rfl_prometheus_u64(&b, 7);

    assert_text(&b, "# HELP a_total What \\\\ \"a\"\\nis.\n"
                    "# TYPE a_total counter\n"
                    "a_total 0\n"
                    "a_total{one=\"\\\"\"} 9223372036854775807\n"
                    "a_total{one=\"1\",two=\"{\",three=\"\"} 7\n");

    rfl_buf_free(&b);
}


static void
milliseconds_are_shown_as_seconds(void **state)
{
    rfl_buf_t  b = rfl_buf_init;

    rfl_prometheus_ms(&b, 0);
    rfl_prometheus_ms(&b, 5);
    rfl_prometheus_ms(&b, 1050);
    rfl_prometheus_ms(&b, 86400000);

    assert_text(&b, " 0.000\n 0.005\n 1.050\n 86400.000\n");

    rfl_buf_free(&b);
}


static void
any_two_bytes_give_a_valid_label(void **state)
{
    int        i;
    u_char     bytes[3];
    rfl_buf_t  b = rfl_buf_init;

    bytes[2] = 'z';

    for (i = 0; i < 65536; i++) {
        bytes[0] = (u_char) (i >> 8);
        bytes[1] = (u_char) i;

        assert_valid_label(&b, bytes, 2);
        assert_valid_label(&b, bytes, 3);
    }

    rfl_buf_free(&b);
}


static void
random_bytes_give_a_valid_label(void **state)
{
    int        i;
    size_t     j, len;
    u_char     bytes[64];
    rfl_buf_t  b = rfl_buf_init;

    srandom(3);

    for (i = 0; i < 20000; i++) {
        len = (size_t) random() % (sizeof(bytes) + 1);

        for (j = 0; j < len; j++) {
            bytes[j] = (u_char) random();

            /* so that longer sequences come about */

            if (random() % 2) {
                bytes[j] = (u_char) (0x80 | (bytes[j] & 0x3f));
            }
        }

        assert_valid_label(&b, bytes, len);
    }

    rfl_buf_free(&b);
}


static void
sequences_are_as_long_as_they_could_be_valid(void **state)
{
    int     valid;
    size_t  i;

    static const struct {
        const char  *bytes;
        size_t       len;
        int          valid;
    } rows[] = {
        { "a",                1, 1 },
        { "\x7f\x80",         1, 1 },
        { "\x80",             1, 0 },
        { "\xc3\xa4\x80",     2, 1 },
        { "\xc3",             1, 0 },
        { "\xc1\xbf",         1, 0 },
        { "\xe2\x82\xac",     3, 1 },
        { "\xe2\x82" "a",     2, 0 },
        { "\xe0\x9f\xbf",     1, 0 },
        { "\xed\xa0\x80",     1, 0 },
        { "\xf0\x9f\x94\x97", 4, 1 },
        { "\xf0\x9f\x94",     3, 0 },
        { "\xf4\x90\x80\x80", 1, 0 },
        { "\xf5\x80\x80\x80", 1, 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(rfl_utf8_sequence(rfl_cstr(rows[i].bytes), 0, &valid),
                         rows[i].len);
        assert_int_equal(valid, rows[i].valid);
    }
}


static void
a_buffer_that_failed_is_left_alone(void **state)
{
    rfl_buf_t  b = rfl_buf_init;

    b.failed = 1;

    rfl_prometheus_family(&b, "a", "gauge", "a");
    rfl_prometheus_sample(&b, "a");
    rfl_prometheus_label(&b, "a", rfl_cstr("\xff"));
    rfl_prometheus_u64(&b, 1);

    assert_int_equal(b.len, 0);
    assert_null(b.data);
}


static void
assert_text(const rfl_buf_t *b, const char *wanted)
{
    if (!rfl_str_eq(rfl_str(b->data, b->len), rfl_cstr(wanted))) {
        fail_msg("%.*s is not %s", (int) b->len, (const char *) b->data,
                 wanted);
    }
}


/* One line of characters, whose quotes are where they belong. */

static void
assert_valid_label(rfl_buf_t *b, const u_char *bytes, size_t len)
{
    char        *p, *end;
    size_t       n;
    wchar_t      c;
    mbstate_t    state;

    b->len = 0;
    rfl_prometheus_label(b, "l", rfl_str(bytes, len));
    rfl_buf_char(b, '\0');

    assert_memory_equal(b->data, "{l=\"", 4);
    assert_null(memchr(b->data, '\0', b->len - 1));
    assert_null(memchr(b->data, '\n', b->len));

    p = (char *) b->data + 4;
    end = (char *) b->data + b->len - 2;

    assert_int_equal(*end, '"');
    memset(&state, 0, sizeof(mbstate_t));

    while (p < end) {

        if (*p == '\\') {
            assert_true(p[1] == '\\' || p[1] == '"' || p[1] == 'n');
            p += 2;
            continue;
        }

        assert_int_not_equal(*p, '"');

        n = mbrtowc(&c, p, (size_t) (end - p), &state);
        assert_true(n >= 1 && n <= 4);
        p += n;
    }

    assert_ptr_equal(p, end);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(labels_are_escaped_by_the_table),
        cmocka_unit_test(a_family_has_its_help_and_type_and_lines),
        cmocka_unit_test(milliseconds_are_shown_as_seconds),
        cmocka_unit_test(any_two_bytes_give_a_valid_label),
        cmocka_unit_test(random_bytes_give_a_valid_label),
        cmocka_unit_test(sequences_are_as_long_as_they_could_be_valid),
        cmocka_unit_test(a_buffer_that_failed_is_left_alone)
    };

    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        return 1;
    }

    return cmocka_run_group_tests(tests, NULL, NULL);
}
