/* Bytes to text: encodings, what is cut off, and a look that takes nothing. */

#include "rfl_input.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "guard.h"


#define TEXT_MAX  65536
#define STEP_MAX  1000


typedef struct {
    const char  *bytes;
    size_t       len;
    const char  *text;
} row_t;

#define bytes(text)  text, sizeof(text) - 1

static const row_t  rows[] = {
    { bytes(""),                                  "" },
    { bytes("a"),                                 "a" },
    { bytes("source\r\na\n"),                     "source\r\na\n" },
    { bytes("\xef\xbb\xbf" "a"),                  "a" },
    { bytes("\xef\xbb"),                          "\xef\xbb" },
    { bytes("J\xe9"),                             "J\xe9" },
    { bytes("\xff\xfe" "a\0b\0"),                 "ab" },
    { bytes("\xfe\xff" "\0a\0b"),                 "ab" },
    { bytes("a\0b\0"),                            "ab" },
    { bytes("\0a\0b"),                            "ab" },
    { bytes("\xff\xfe"),                          "" },
    { bytes("\xff\xfe\xe9\0"),                    "\xc3\xa9" },
    { bytes("\xff\xfe\xac\x20"),                  "\xe2\x82\xac" },
    { bytes("\xff\xfe\x3d\xd8\x00\xde"),          "\xf0\x9f\x98\x80" },
    { bytes("\xfe\xff\xd8\x3d\xde\x00"),          "\xf0\x9f\x98\x80" },
    { bytes("\xff\xfe\x3d\xd8" "a\0"),            "\xef\xbf\xbd" "a" },
    { bytes("\xff\xfe\x00\xde" "a\0"),            "\xef\xbf\xbd" "a" },
    { bytes("\xff\xfe\x3d\xd8"),                  "\xef\xbf\xbd" },
    { bytes("\xff\xfe" "a\0b"),                   "a\xef\xbf\xbd" }
};


/* A pipe's end that gives these bytes; at most what a pipe holds. */

static int
pipe_of(const char *data, size_t len)
{
    int  fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], data, len), len);
    (void) close(fds[1]);

    return fds[0];
}


static size_t
read_all(rfl_input_t *in, size_t step, char *out)
{
    size_t    len;
    ssize_t   n;
    u_char   *p;

    static const u_char  zeroes[STEP_MAX];

    len = 0;

    for ( ;; ) {
        p = guard_copy(zeroes, step);
        n = rfl_input_read(in, p, step);

        assert_in_range(n, 0, step);

        if (n == 0) {
            out[len] = '\0';
            return len;
        }

        memcpy(out + len, p, (size_t) n);
        len += (size_t) n;
    }
}


static void
text_is_utf8(void **state)
{
    char          text[TEXT_MAX];
    size_t        i, step, len;
    rfl_input_t   in;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (step = 4; step < 9; step++) {
            rfl_input_begin(&in, pipe_of(rows[i].bytes, rows[i].len));

            len = read_all(&in, step, text);
            (void) close(in.fd);

            if (len != strlen(rows[i].text)
                || memcmp(text, rows[i].text, len) != 0)
            {
                fail_msg("row %zu, %zu bytes at a time: \"%s\"", i, step,
                         text);
            }

            assert_int_equal(in.done, rows[i].len);
            assert_int_equal(in.error, 0);

            if (len != 0) {
                assert_int_equal((char) in.last, text[len - 1]);
            }
        }

        guard_free_all();
    }
}


/* A character may stand across the end of what was read at once. */

static void
long_texts_are_whole(void **state)
{
    char         *data, text[TEXT_MAX];
    size_t        i, k, len;
    rfl_input_t   in;

    data = malloc(TEXT_MAX);
    assert_non_null(data);

    for (k = 0; k < 3; k++) {
        memcpy(data, "\xff\xfe" "a\0", 2 + 2 * k % 4);
        len = 2 + 2 * k % 4;

        for (i = 0; i < 10000; i++) {
            memcpy(data + len, "\x3d\xd8\x00\xde", 4);
            len += 4;
        }

        rfl_input_begin(&in, pipe_of(data, len));
        assert_int_equal(read_all(&in, STEP_MAX, text), (k == 1) + 40000);
        (void) close(in.fd);
        guard_free_all();

        for (i = (k == 1); i < 40000; i += 4) {
            assert_memory_equal(text + i, "\xf0\x9f\x98\x80", 4);
        }
    }

    free(data);
}


static const struct {
    const char  *text;
    const char  *comments;
    const char  *line;
} peeks[] = {
    { "",                    "",  "" },
    { "a\nb",                "",  "a" },
    { "\n \r\n  a \r\nb",    "",  "a" },
    { "# x\n\n#y\na\n",      "#", "a" },
    { "# x\n",               "#", "" },
    { "# x",                 "#", "" },
    { "a",                   "#", "a" }
};


static void
a_look_takes_nothing(void **state)
{
    char         text[TEXT_MAX];
    size_t       i;
    rfl_str_t    line;
    rfl_input_t  in;

    for (i = 0; i < sizeof(peeks) / sizeof(peeks[0]); i++) {
        rfl_input_begin(&in, pipe_of(peeks[i].text, strlen(peeks[i].text)));

        assert_true(rfl_str_eq(rfl_input_bytes(&in),
                               rfl_cstr(peeks[i].text)));

        line = rfl_input_peek(&in, peeks[i].comments);
        assert_true(rfl_str_eq(line, rfl_cstr(peeks[i].line)));
        line = rfl_input_peek(&in, peeks[i].comments);
        assert_true(rfl_str_eq(line, rfl_cstr(peeks[i].line)));

        (void) read_all(&in, 5, text);
        assert_string_equal(text, peeks[i].text);

        (void) close(in.fd);
        guard_free_all();
    }
}


static void
a_failure_is_told(void **state)
{
    u_char       buf[16];
    rfl_input_t  in;

    rfl_input_begin(&in, -1);

    assert_int_equal(in.error, EBADF);
    assert_int_equal(rfl_input_read(&in, buf, sizeof(buf)), -1);
}


static void
a_slice_is_read(void **state)
{
    u_char     buf[4];
    rfl_str_t  text;

    text = rfl_cstr("abcde");

    assert_int_equal(rfl_input_slice(&text, buf, sizeof(buf)), 4);
    assert_int_equal(rfl_input_slice(&text, buf, sizeof(buf)), 1);
    assert_int_equal(buf[0], 'e');
    assert_int_equal(rfl_input_slice(&text, buf, sizeof(buf)), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(text_is_utf8),
        cmocka_unit_test(long_texts_are_whole),
        cmocka_unit_test(a_look_takes_nothing),
        cmocka_unit_test(a_failure_is_told),
        cmocka_unit_test(a_slice_is_read)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
