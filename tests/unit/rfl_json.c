/*
 * JSON out.  Every result is judged by a strict checker of its own, which
 * knows JSON strings (RFC 8259, 7) and UTF-8 by the values of characters
 * (RFC 3629), not by the byte ranges the writer uses.
 */

#include "rfl_json.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "guard.h"


#define CHARS_MAX  256


typedef struct {
    const char  *input;
    size_t       len;
    const char  *wanted;
} string_row_t;


#define input(bytes)  bytes, sizeof(bytes) - 1

/* U+FFFD: one for each maximal subpart, by the Unicode standard, 3.9. */

#define R  "\xef\xbf\xbd"

static const string_row_t  string_rows[] = {
    { input(""),                    "\"\"" },
    { input("plain / text"),        "\"plain / text\"" },
    { input("\"\\"),                "\"\\\"\\\\\"" },
    { input("\n\r\t"),              "\"\\n\\r\\t\"" },
    { input("\0\x01\x1f\x7f"),      "\"\\u0000\\u0001\\u001f\\u007f\"" },
    { input("</script>&"),          "\"\\u003c/script\\u003e\\u0026\"" },
    { input("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
      "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
    { input("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"),
      "\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\"" },
    { input("\xef\xbf\xbd\xef\xbf\xbf"), "\"" R "\xef\xbf\xbf\"" },

    { input("a\x80" "b"),           "\"a" R "b\"" },
    { input("\xc0\xaf"),            "\"" R R "\"" },
    { input("\xc1\xbf"),            "\"" R R "\"" },
    { input("\xe0\x80\xaf"),        "\"" R R R "\"" },
    { input("\xe0\x9f\xbf"),        "\"" R R R "\"" },
    { input("\xf0\x8f\xbf\xbf"),    "\"" R R R R "\"" },
    { input("\xed\xa0\x80"),        "\"" R R R "\"" },   /* surrogates */
    { input("\xed\xbf\xbf"),        "\"" R R R "\"" },
    { input("\xed\x9f\xbf"),        "\"\xed\x9f\xbf\"" },
    { input("\xee\x80\x80"),        "\"\xee\x80\x80\"" },
    { input("\xf4\x8f\xbf\xbf"),    "\"\xf4\x8f\xbf\xbf\"" },
    { input("\xf4\x90\x80\x80"),    "\"" R R R R "\"" },
    { input("\xf5\x80\x80\x80"),    "\"" R R R R "\"" },
    { input("\xff\xfe"),            "\"" R R "\"" },

    { input("\xc3"),                "\"" R "\"" },       /* cut */
    { input("\xe2\x82"),            "\"" R "\"" },
    { input("\xf0\x9f\x98"),        "\"" R "\"" },
    { input("\xc3\""),              "\"" R "\\\"\"" },
    { input("\xe2\x82<"),           "\"" R "\\u003c\"" },
    { input("\xf0\x9f\x98\xc3\xa4"), "\"" R "\xc3\xa4\"" },
    { input("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"),
      "\"" R R R R "A\"" }                               /* Table 3-11 */
};


static void assert_valid(rfl_buf_t *b, const u_char *bytes, size_t len);
static size_t parse_string(const u_char *p, size_t len, uint32_t *chars);
static size_t parse_escape(const u_char *p, size_t len, uint32_t *c);
static size_t parse_char(const u_char *p, size_t len, uint32_t *c);
static int is_dangerous(const u_char *p, size_t len);


static void
strings_are_escaped_by_the_table(void **state)
{
    size_t               i;
    rfl_buf_t            b = rfl_buf_init;
    const string_row_t  *row;

    for (i = 0; i < sizeof(string_rows) / sizeof(string_rows[0]); i++) {
        row = &string_rows[i];

        assert_valid(&b, (const u_char *) row->input, row->len);

        if (!rfl_str_eq(rfl_str(b.data, b.len), rfl_cstr(row->wanted))) {
            fail_msg("row %zu: %.*s is not %s", i, (int) b.len,
                     (const char *) b.data, row->wanted);
        }
    }

    rfl_buf_free(&b);
}


static const string_row_t  url_rows[] = {
    { input("https://a.example/?x=1&y=<"),
      "\"https://a.example/?x=1\\u0026y=\\u003c\"" },
    { input("/\xc3\xa4\xff" "a\xe9"), "\"/\xc3\xa4%FFa%E9\"" },
    { input("/\xe2\x82?\xf0\x9f\x98"), "\"/%E2%82?%F0%9F%98\"" },
    { input("/%\xff" "41%4\xff" "1"), "\"/%%FF41%4%FF1\"" },
    { input("\xed\xa0\x80\xe2\x80\xa8"), "\"%ED%A0%80\\u2028\"" }
};


static void
of_a_url_bytes_that_are_no_utf_8_are_escapes(void **state)
{
    size_t               i;
    rfl_buf_t            b = rfl_buf_init;
    const string_row_t  *row;

    for (i = 0; i < sizeof(url_rows) / sizeof(url_rows[0]); i++) {
        row = &url_rows[i];

        b.len = 0;
        rfl_json_url(&b, rfl_str(guard_copy(row->input, row->len), row->len));

        if (!rfl_str_eq(rfl_str(b.data, b.len), rfl_cstr(row->wanted))) {
            fail_msg("row %zu: %.*s is not %s", i, (int) b.len,
                     (const char *) b.data, row->wanted);
        }
    }

    rfl_buf_free(&b);
    guard_free_all();
}


static void
every_byte_gives_valid_json(void **state)
{
    int        c;
    u_char     byte;
    rfl_buf_t  b = rfl_buf_init;

    for (c = 0; c < 256; c++) {
        byte = (u_char) c;
        assert_valid(&b, &byte, 1);
    }

    rfl_buf_free(&b);
}


static void
every_pair_of_bytes_gives_valid_json(void **state)
{
    int        i;
    u_char     pair[2];
    rfl_buf_t  b = rfl_buf_init;

    for (i = 0; i < 65536; i++) {
        pair[0] = (u_char) (i >> 8);
        pair[1] = (u_char) i;
        assert_valid(&b, pair, 2);
    }

    rfl_buf_free(&b);
}


/* All sequences of four bytes at which UTF-8's rules change. */

static void
bytes_at_the_boundaries_of_utf_8_give_valid_json(void **state)
{
    size_t               i, j, n, total;
    u_char               bytes[4];
    rfl_buf_t            b = rfl_buf_init;
    static const u_char  edges[] = {
        0x00, 0x22, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xa8, 0xbf,
        0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xe2, 0xec, 0xed, 0xee, 0xef,
        0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff
    };

    total = 1;

    for (n = 0; n < sizeof(bytes); n++) {
        total *= sizeof(edges);
    }

    for (i = 0; i < total; i++) {
        n = i;

        for (j = 0; j < sizeof(bytes); j++) {
            bytes[j] = edges[n % sizeof(edges)];
            n /= sizeof(edges);
        }

        assert_valid(&b, bytes, sizeof(bytes));
    }

    rfl_buf_free(&b);
}


/* The first plane and the last whole, those between in steps. */

static void
every_character_comes_through(void **state)
{
    size_t     len;
    u_char     bytes[4];
    uint32_t   c, chars[CHARS_MAX];
    rfl_buf_t  b = rfl_buf_init;

    for (c = 0; c <= 0x10ffff; c += (c >= 0x11000 && c < 0x10f000) ? 251 : 1) {

        if (c < 0x80) {
            len = 1;
            bytes[0] = (u_char) c;

        } else if (c < 0x800) {
            len = 2;
            bytes[0] = (u_char) (0xc0 | c >> 6);

        } else if (c < 0x10000) {
            len = 3;
            bytes[0] = (u_char) (0xe0 | c >> 12);
            bytes[1] = (u_char) (0x80 | (c >> 6 & 0x3f));

        } else {
            len = 4;
            bytes[0] = (u_char) (0xf0 | c >> 18);
            bytes[1] = (u_char) (0x80 | (c >> 12 & 0x3f));
            bytes[2] = (u_char) (0x80 | (c >> 6 & 0x3f));
        }

        if (len > 1) {
            bytes[len - 1] = (u_char) (0x80 | (c & 0x3f));
        }

        b.len = 0;
        rfl_json_string(&b, rfl_str(bytes, len));

        if (c >= 0xd800 && c <= 0xdfff) {
            assert_int_equal(parse_string(b.data, b.len, chars), 3);
            assert_int_equal(chars[0], 0xfffd);

        } else {
            assert_int_equal(parse_string(b.data, b.len, chars), 1);
            assert_int_equal(chars[0], c);
        }
    }

    rfl_buf_free(&b);
}


static void
random_bytes_give_valid_json(void **state)
{
    int        i;
    size_t     j, len;
    u_char     bytes[64], *copy;
    rfl_buf_t  b = rfl_buf_init;

    srandom(2);

    for (i = 0; i < 2000; i++) {
        len = (size_t) random() % (sizeof(bytes) + 1);

        for (j = 0; j < len; j++) {
            bytes[j] = (u_char) random();
        }

        copy = guard_copy(bytes, len);
        assert_valid(&b, copy, len);

        if (i % 100 == 99) {
            guard_free_all();
        }
    }

    rfl_buf_free(&b);
    guard_free_all();
}


static void
a_sequence_cut_by_the_end_is_not_read_beyond_it(void **state)
{
    size_t                    i, cut;
    rfl_buf_t                 b = rfl_buf_init;
    static const char *const  sequences[] = {
        "a\xc3\xa4", "a\xe2\x80\xa8", "a\xed\x9f\xbf", "a\xf0\x9f\x98\x80",
        "a\xf4\x8f\xbf\xbf"
    };

    for (i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        for (cut = 0; cut <= strlen(sequences[i]); cut++) {
            assert_valid(&b, guard_copy(sequences[i], cut), cut);
        }
    }

    rfl_buf_free(&b);
    guard_free_all();
}


static void
commas_stand_between_members_and_items(void **state)
{
    rfl_buf_t          b = rfl_buf_init;
    static const char  wanted[] = "[{\"a\":\"[\",\"b\":{\"c\":[1,2],\"d\":[]},"
                                  "\"e\":{}},\"{\",[]]";

    rfl_json_item(&b);
    rfl_buf_char(&b, '[');
    rfl_json_item(&b);
    rfl_buf_char(&b, '{');
    rfl_json_name(&b, "a");
    rfl_json_string(&b, rfl_cstr("["));
    rfl_json_name(&b, "b");
    rfl_buf_char(&b, '{');
    rfl_json_name(&b, "c");
    rfl_buf_char(&b, '[');
    rfl_json_item(&b);
    rfl_buf_u64(&b, 1);
    rfl_json_item(&b);
    rfl_buf_u64(&b, 2);
    rfl_buf_char(&b, ']');
    rfl_json_name(&b, "d");
    rfl_buf_text(&b, "[]}");
    rfl_json_name(&b, "e");
    rfl_buf_text(&b, "{}}");
    rfl_json_item(&b);
    rfl_json_string(&b, rfl_cstr("{"));
    rfl_json_item(&b);
    rfl_buf_text(&b, "[]]");

    assert_int_equal(b.len, sizeof(wanted) - 1);
    assert_memory_equal(b.data, wanted, b.len);

    rfl_buf_free(&b);
}


/* Blocks of bytes are looked at: each byte at each place of some of them. */

static void
a_byte_is_escaped_wherever_it_stands(void **state)
{
    char       wanted[128], escaped[8];
    size_t     len, pos;
    u_char     bytes[40];
    unsigned   c;
    rfl_buf_t  b = rfl_buf_init;

    for (len = 1; len <= sizeof(bytes); len++) {
        for (pos = 0; pos < len; pos++) {
            for (c = 0; c < 256; c += c == 0x80 ? 0x7f : 1) {

                memset(bytes, 'x', len);
                bytes[pos] = (u_char) c;

                (void) snprintf(escaped, sizeof(escaped),
                                c == '"' || c == '\\' ? "\\%c"
                                : c == '\n' ? "\\n" : c == '\r' ? "\\r"
                                : c == '\t' ? "\\t"
                                : c >= 0x80 ? R
                                : c < 0x20 || c == 0x7f || c == '<' || c == '>'
                                  || c == '&' ? "\\u%04x" : "%c", c);

                (void) snprintf(wanted, sizeof(wanted), "\"%.*s%s%.*s\"",
                                (int) pos, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                "xxxxxx", escaped, (int) (len - pos - 1),
                                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");

                b.len = 0;
                rfl_json_string(&b, rfl_str(guard_copy(bytes, len), len));

                assert_int_equal(b.len, strlen(wanted));
                assert_memory_equal(b.data, wanted, b.len);
            }

            guard_free_all();
        }
    }

    rfl_buf_free(&b);
}


/* At the end of what was allocated, too. */

static void
members_of_tables_are_names(void **state)
{
    size_t     i, n;
    rfl_buf_t  a = rfl_buf_init, b = rfl_buf_init;

    static const rfl_json_member_t  members[] = {
        rfl_json_member("a"), rfl_json_member("clicks"),
        rfl_json_member("a_name_of_28_bytes_and_no_m")
    };

    static const char *const  names[] = {
        "a", "clicks", "a_name_of_28_bytes_and_no_m"
    };

    for (n = 0; n < 3000; n++) {
        i = n % 3;

        if (n % 7 == 0) {
            rfl_buf_char(&a, '{');
            rfl_buf_char(&b, '{');
        }

        rfl_json_name(&a, names[i]);
        rfl_json_put(&b, &members[i]);

        assert_int_equal(a.len, b.len);
    }

    assert_memory_equal(a.data, b.data, a.len);

    b.failed = 1;
    rfl_json_put(&b, &members[0]);
    assert_int_equal(a.len, b.len);

    rfl_buf_free(&a);
    rfl_buf_free(&b);
}


static void
a_buffer_that_failed_is_left_alone(void **state)
{
    rfl_buf_t  b = rfl_buf_init;

    b.failed = 1;

    rfl_json_name(&b, "a");
    rfl_json_item(&b);
    rfl_json_string(&b, rfl_cstr("b"));

    assert_int_equal(b.len, 0);
    assert_null(b.data);
}


/*
 * The result is one valid string, means nothing in a page, and holds the
 * characters of the input if that is UTF-8.
 */

static void
assert_valid(rfl_buf_t *b, const u_char *bytes, size_t len)
{
    size_t    i, n, taken, pos;
    uint32_t  c, chars[CHARS_MAX];

    b->len = 0;
    rfl_json_string(b, rfl_str(bytes, len));
    assert_int_equal(b->failed, 0);

    n = parse_string(b->data, b->len, chars);

    if (n == SIZE_MAX || is_dangerous(b->data + 1, b->len - 2)) {
        fail_msg("%02x %02x ...: %.*s", len > 0 ? bytes[0] : 0,
                 len > 1 ? bytes[1] : 0, (int) b->len,
                 (const char *) b->data);
    }

    pos = 0;

    for (i = 0; pos < len; i++) {
        taken = parse_char(bytes + pos, len - pos, &c);

        if (taken == 0) {
            assert_true(i < n);
            assert_int_equal(chars[i], 0xfffd);
            return;
        }

        assert_true(i < n);
        assert_int_equal(chars[i], c);
        pos += taken;
    }

    assert_int_equal(n, i);
}


/* How many characters the JSON string holds, or SIZE_MAX: it is none. */

static size_t
parse_string(const u_char *p, size_t len, uint32_t *chars)
{
    size_t  n, taken;

    if (len < 2 || p[0] != '"' || p[len - 1] != '"') {
        return SIZE_MAX;
    }

    p++;
    len -= 2;

    for (n = 0; len != 0; n++) {

        if (n == CHARS_MAX || *p < 0x20 || *p == '"') {
            return SIZE_MAX;
        }

        taken = (*p == '\\') ? parse_escape(p, len, &chars[n])
                             : parse_char(p, len, &chars[n]);

        if (taken == 0) {
            return SIZE_MAX;
        }

        p += taken;
        len -= taken;
    }

    return n;
}


static size_t
parse_escape(const u_char *p, size_t len, uint32_t *c)
{
    char         hex[5];
    const char  *at;
    static const char  names[] = "\"\\/bfnrt";
    static const char  meanings[] = "\"\\/\b\f\n\r\t";

    if (len < 2) {
        return 0;
    }

    at = p[1] != '\0' ? strchr(names, p[1]) : NULL;

    if (at != NULL) {
        *c = (u_char) meanings[at - names];
        return 2;
    }

    if (p[1] != 'u' || len < 6) {
        return 0;
    }

    memcpy(hex, p + 2, 4);
    hex[4] = '\0';

    if (strspn(hex, "0123456789abcdefABCDEF") != 4) {
        return 0;
    }

    *c = (uint32_t) strtoul(hex, NULL, 16);

    return (*c >= 0xd800 && *c <= 0xdfff) ? 0 : 6;
}


/* The bytes one character takes, or 0: they are no UTF-8. */

static size_t
parse_char(const u_char *p, size_t len, uint32_t *c)
{
    size_t                 i, n;
    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (p[0] < 0x80) {
        *c = p[0];
        return 1;
    }

    if ((p[0] & 0xe0) == 0xc0) {
        n = 2;
        *c = p[0] & 0x1f;

    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        *c = p[0] & 0x0f;

    } else if ((p[0] & 0xf8) == 0xf0) {
        n = 4;
        *c = p[0] & 0x07;

    } else {
        return 0;
    }

    if (n > len) {
        return 0;
    }

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        *c = *c << 6 | (p[i] & 0x3f);
    }

    if (*c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff)) {
        return 0;
    }

    return n;
}


static int
is_dangerous(const u_char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (p[i] == '<' || p[i] == '>' || p[i] == '&' || p[i] == 0x7f) {
            return 1;
        }
    }

    return memmem(p, len, "\xe2\x80\xa8", 3) != NULL
           || memmem(p, len, "\xe2\x80\xa9", 3) != NULL;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(strings_are_escaped_by_the_table),
        cmocka_unit_test(of_a_url_bytes_that_are_no_utf_8_are_escapes),
        cmocka_unit_test(every_byte_gives_valid_json),
        cmocka_unit_test(every_pair_of_bytes_gives_valid_json),
        cmocka_unit_test(bytes_at_the_boundaries_of_utf_8_give_valid_json),
        cmocka_unit_test(every_character_comes_through),
        cmocka_unit_test(random_bytes_give_valid_json),
        cmocka_unit_test(a_sequence_cut_by_the_end_is_not_read_beyond_it),
        cmocka_unit_test(commas_stand_between_members_and_items),
        cmocka_unit_test(a_byte_is_escaped_wherever_it_stands),
        cmocka_unit_test(members_of_tables_are_names),
        cmocka_unit_test(a_buffer_that_failed_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
