/*
 * CSV: what is written reads back, whatever the bytes and however they
 * arrive; foreign dialects, limits and faults of the reader.
 */

#include "rfl_csv.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "guard.h"


#define TEXT_MAX  4096

#define UNCLOSED  "a quote is not closed: the file ends within it"


typedef struct {
    const char  *field;
    size_t       len;
    const char  *wanted;
} write_row_t;

typedef struct {
    const char  *written;
    const char  *plain;
} plain_row_t;

/* "[1:a|b]" is a row of line 1; "(2: ...)" the message of a refused one. */

typedef struct {
    const char  *input;
    size_t       len;
    u_char       delimiter;
    const char  *wanted;
} read_row_t;

typedef struct {
    const u_char  *data;
    size_t         len;
    size_t         step;         /* bytes per read() */
    int            fails;        /* at the end */
} source_t;


#define bytes(text)  text, sizeof(text) - 1

static const write_row_t  write_rows[] = {
    { bytes("plain"),          "plain" },
    { bytes(""),               "" },
    { bytes("two words"),      "two words" },
    { bytes("a,b"),            "\"a,b\"" },
    { bytes("a;b"),            "a;b" },
    { bytes("say \"hi\""),     "\"say \"\"hi\"\"\"" },
    { bytes("\""),             "\"\"\"\"" },
    { bytes("a\nb"),           "\"a\nb\"" },
    { bytes("a\rb"),           "\"a\rb\"" },
    { bytes(" a"),             "\" a\"" },
    { bytes("a "),             "\"a \"" },
    { bytes("caf\xc3\xa9"),    "caf\xc3\xa9" },
    { bytes("\xff\xfe"),       "\xff\xfe" },
    { bytes("\xef\xbb\xbf" "a"), "\"\xef\xbb\xbf" "a\"" },
    { bytes("=1+1"),           "'=1+1" },
    { bytes("+49 30"),         "'+49 30" },
    { bytes("-1"),             "'-1" },
    { bytes("@SUM(A1)"),       "'@SUM(A1)" },
    { bytes("\tx"),            "\"'\tx\"" },
    { bytes("\rx"),            "\"'\rx\"" },
    { bytes("=\"a\",b"),       "\"'=\"\"a\"\",b\"" },
    { bytes("'=1"),            "''=1" },
    { bytes("''=1"),           "'''=1" },
    { bytes("'tis"),           "'tis" },
    { bytes("'"),              "'" },
    { bytes("''"),             "''" },
    { bytes("a=1"),            "a=1" }
};


static const plain_row_t  plain_rows[] = {
    { "",        "" },
    { "a",       "a" },
    { "'",       "'" },
    { "''",      "''" },
    { "'a",      "'a" },
    { "'=1",     "=1" },
    { "'+1",     "+1" },
    { "'-1",     "-1" },
    { "'@a",     "@a" },
    { "'\ta",    "\ta" },
    { "'\ra",    "\ra" },
    { "''=1",    "'=1" },
    { "'''=1",   "''=1" },
    { "=1",      "=1" },
    { "'a=1",    "'a=1" }
};


static const read_row_t  read_rows[] = {

    { bytes(""), ',', "" },
    { bytes("\n\n\r\n"), ',', "" },
    { bytes("a,b\nc,d\n"), ',', "[1:a|b][2:c|d]" },
    { bytes("a,b\r\nc,d\r\n"), ',', "[1:a|b][2:c|d]" },
    { bytes("a,b\r\nc,d"), ',', "[1:a|b][2:c|d]" },
    { bytes("a,b\r\nc,d\r"), ',', "[1:a|b][2:c|d]" },
    { bytes("a\n\n\r\nb\n"), ',', "[1:a][4:b]" },
    { bytes(",\n,,\n"), ',', "" },
    { bytes("a,b\n,\n \t, ,\nc,d\n,"), ',', "[1:a|b][4:c|d]" },
    { bytes(";;\na;\n"), ';', "[2:a|]" },
    { bytes("\"\",\n"), ',', "[1:|]" },
    { bytes("a,"), ',', "[1:a|]" },
    { bytes("\"\"\n"), ',', "[1:]" },
    { bytes("\"\""), ',', "[1:]" },
    { bytes("\"a,b\",c\n"), ',', "[1:a,b|c]" },
    { bytes("\"a\"\"b\"\"\",\"\"\"\"\n"), ',', "[1:a\"b\"|\"]" },
    { bytes("\"a\r\nb\n\"\nc\n"), ',', "[1:a\r\nb\n][4:c]" },
    { bytes("\"a\"\r\n\"b\"\r"), ',', "[1:a][2:b]" },
    { bytes("a\rb,\rc\n"), ',', "[1:a\rb|\rc]" },
    { bytes("a\"b,c\"\n"), ',', "[1:a\"b|c\"]" },
    { bytes(" \"a\" \n"), ',', "[1: \"a\" ]" },
    { bytes("a;b,c;\"d;e\"\n"), ';', "[1:a|b,c|d;e]" },
    { bytes("a\tb,c\t\"d\te\"\n"), '\t', "[1:a|b,c|d\te]" },
    { bytes("'=1,''=1\n"), ',', "[1:'=1|''=1]" },
    { bytes("\xff,\xc3\n"), ',', "[1:\xff|\xc3]" },

    /* byte order mark */

    { bytes("\xef\xbb\xbf" "a,b\n"), ',', "[1:a|b]" },
    { bytes("\xef\xbb\xbf\"a\",b\n"), ',', "[1:a|b]" },
    { bytes("\xef\xbb\xbf"), ',', "" },
    { bytes("\xef\xbb"), ',', "[1:\xef\xbb]" },
    { bytes("a\n\xef\xbb\xbf" "b\n"), ',', "[1:a][2:\xef\xbb\xbf" "b]" },

    /* faults: the rows around them are read */

    { bytes("a\n\"b\"c,d\ne\n"), ',',
      "[1:a](line 2: text follows a closing quote)[3:e]" },
    { bytes("\"a\" ,b\nc\n"), ',',
      "(line 1: text follows a closing quote)[2:c]" },
    { bytes("\"a\"\rb\nc\n"), ',',
      "(line 1: text follows a closing quote)[2:c]" },
    { bytes("\"a\"b,\"c\nd\"\ne\n"), ',',
      "(line 1: text follows a closing quote)[3:e]" },
    { bytes("a\n\"b\nc\nd"), ',', "[1:a](line 2: " UNCLOSED ")" },
    { bytes("\"a\nb\",\"c\nd\n"), ',', "(line 2: " UNCLOSED ")" },
    { bytes("\""), ',', "(line 1: " UNCLOSED ")" },
    { bytes("\"a\"\""), ',', "(line 1: " UNCLOSED ")" }
};


static const char *transcript(rfl_csv_reader_t *r);
static void start(rfl_csv_reader_t *r, u_char delimiter, source_t *source,
    const void *data, size_t len, size_t step);
static ssize_t read_source(void *data, u_char *buf, size_t size);
static size_t random_field(u_char *out);


static rfl_csv_reader_t  reader;


static void
fields_are_quoted_and_defused_where_needed(void **state)
{
    size_t              i;
    rfl_buf_t           b = rfl_buf_init;
    const write_row_t  *row;

    for (i = 0; i < sizeof(write_rows) / sizeof(write_rows[0]); i++) {
        row = &write_rows[i];

        b.len = 0;
        rfl_buf_text(&b, "x");
        rfl_csv_field(&b, rfl_str(guard_copy(row->field, row->len),
                                  row->len));

        if (!rfl_str_eq(rfl_str(b.data + 2, b.len - 2),
                        rfl_cstr(row->wanted)))
        {
            fail_msg("row %zu: %.*s is not %s", i, (int) (b.len - 2),
                     (const char *) b.data + 2, row->wanted);
        }
    }

    rfl_buf_free(&b);
    guard_free_all();
}


static void
rows_are_separated_by_crlf_and_fields_by_commas(void **state)
{
    rfl_buf_t          b = rfl_buf_init;
    static const char  wanted[] = "a,,b\r\n\"\",,\r\n\"\"\r\n\"x\n\",y\r\n";

    rfl_csv_field(&b, rfl_cstr("a"));
    rfl_csv_field(&b, rfl_cstr(""));
    rfl_csv_field(&b, rfl_cstr("b"));
    rfl_csv_end_row(&b);
    rfl_csv_field(&b, rfl_cstr(""));
    rfl_csv_field(&b, rfl_cstr(""));
    rfl_csv_field(&b, rfl_str(NULL, 0));
    rfl_csv_end_row(&b);
    rfl_csv_field(&b, rfl_str(NULL, 0));
    rfl_csv_end_row(&b);
    rfl_csv_field(&b, rfl_cstr("x\n"));
    rfl_csv_field(&b, rfl_cstr("y"));
    rfl_csv_end_row(&b);

    assert_int_equal(b.len, sizeof(wanted) - 1);
    assert_memory_equal(b.data, wanted, b.len);

    rfl_buf_free(&b);
}


static void
only_what_was_defused_is_restored(void **state)
{
    size_t      i, len;
    rfl_str_t   plain;

    for (i = 0; i < sizeof(plain_rows) / sizeof(plain_rows[0]); i++) {
        len = strlen(plain_rows[i].written);
        plain = rfl_csv_plain(rfl_str(guard_copy(plain_rows[i].written, len),
                                      len));
        assert_true(rfl_str_eq(plain, rfl_cstr(plain_rows[i].plain)));
    }

    guard_free_all();
}


static void
dialects_and_faults_are_read_by_the_table(void **state)
{
    size_t             i, step;
    u_char            *copy;
    source_t           source;
    const char        *got;
    const read_row_t  *row;

    for (i = 0; i < sizeof(read_rows) / sizeof(read_rows[0]); i++) {
        row = &read_rows[i];
        copy = guard_copy(row->input, row->len);

        for (step = 1; step < 12; step++) {
            start(&reader, row->delimiter, &source, copy, row->len, step);
            got = transcript(&reader);

            if (strcmp(got, row->wanted) != 0) {
                fail_msg("row %zu in steps of %zu: %s is not %s", i, step,
                         got, row->wanted);
            }
        }
    }

    guard_free_all();
}


static void
a_nul_is_a_byte_like_others(void **state)
{
    size_t            n;
    source_t          source;
    uint64_t          line;
    const rfl_str_t  *fields;

    start(&reader, ',', &source, "a\0b,\0\n", 6, 100);

    assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, NULL), RFL_OK);
    assert_int_equal(n, 2);
    assert_true(rfl_str_eq(fields[0], rfl_str("a\0b", 3)));
    assert_true(rfl_str_eq(fields[1], rfl_str("\0", 1)));
}


static void
a_row_has_up_to_256_fields(void **state)
{
    char              text[2 * RFL_CSV_FIELDS_MAX + 8];
    size_t            n;
    source_t          source;
    uint64_t          line;
    rfl_error_t       err;
    const rfl_str_t  *fields;

    memset(text, ',', sizeof(text));
    text[0] = 'a';
    strcpy(text + RFL_CSV_FIELDS_MAX, "\nx");

    start(&reader, ',', &source, text, strlen(text), 100);
    assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, &err), RFL_OK);
    assert_int_equal(n, RFL_CSV_FIELDS_MAX);

    memset(text, ',', sizeof(text));
    strcpy(text + RFL_CSV_FIELDS_MAX, "\nx");

    start(&reader, ',', &source, text, strlen(text), 100);
    assert_string_equal(transcript(&reader),
                        "(line 1: the row has more than 256 fields)[2:x]");
}


static void
a_row_has_up_to_65536_bytes(void **state)
{
    char             *text;
    size_t            n, len;
    source_t          source;
    uint64_t          line;
    rfl_error_t       err;
    const rfl_str_t  *fields;

    text = malloc(RFL_CSV_ROW_MAX + 16);
    assert_non_null(text);

    /* two fields, a comma, two quotes */

    memset(text, 'x', RFL_CSV_ROW_MAX + 16);
    memcpy(text, "yy,\"", 4);
    len = RFL_CSV_ROW_MAX - 2 + 4;
    memcpy(text + len, "\"\nz\n", 4);

    start(&reader, ',', &source, text, len + 4, 5000);
    assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, &err), RFL_OK);
    assert_int_equal(n, 2);
    assert_int_equal(fields[0].len, 2);
    assert_int_equal(fields[1].len, RFL_CSV_ROW_MAX - 2);

    memcpy(text + len, "x\"\nz\n", 5);

    start(&reader, ',', &source, text, len + 5, 5000);
    assert_string_equal(transcript(&reader),
                        "(line 1: the row is larger than 65536 bytes)[2:z]");

    /* never closed: that is what has to be mended */

    start(&reader, ',', &source, text, len, 5000);
    assert_string_equal(transcript(&reader),
                        "(line 1: " UNCLOSED ")");

    free(text);
}


static void
a_failure_to_read_is_no_end(void **state)
{
    size_t                    i, n;
    source_t                  source;
    uint64_t                  line;
    rfl_error_t               err;
    const rfl_str_t          *fields;
    static const char *const  texts[] = { "", "a", "abc\n", "\"a", "a\r",
                                          "\xef" };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        start(&reader, ',', &source, texts[i], strlen(texts[i]), 1);
        source.fails = 1;

        if (strcmp(texts[i], "abc\n") == 0) {
            assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, &err),
                             RFL_OK);
        }

        assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, &err),
                         RFL_ERROR);
        assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, &err),
                         RFL_ERROR);
        assert_non_null(strstr(err.text, "cannot be read"));
    }
}


static void
the_end_stays_the_end(void **state)
{
    int               i;
    size_t            n;
    source_t          source;
    uint64_t          line;
    const rfl_str_t  *fields;

    start(&reader, ',', &source, "a", 1, 1);
    assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, NULL), RFL_OK);

    for (i = 0; i < 3; i++) {
        assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, NULL),
                         RFL_NOT_FOUND);
    }
}


/*
 * Random fields, biased towards what means something in CSV: they read back,
 * and what was read writes the same bytes.
 */

static void
what_is_written_reads_back_and_writes_the_same(void **state)
{
    int               i;
    size_t            j, n, len[8];
    u_char            field[8][16];
    source_t          source;
    uint64_t          line;
    rfl_buf_t         out = rfl_buf_init, again = rfl_buf_init;
    rfl_error_t       err;
    const rfl_str_t  *fields;

    srandom(3);

    for (i = 0; i < 20000; i++) {
        out.len = 0;
        again.len = 0;

        for (j = 0; j < 8; j++) {
            len[j] = random_field(field[j]);
        }

        /* a header first, as exports have it */

        rfl_csv_field(&out, rfl_cstr("h"));
        rfl_csv_end_row(&out);

        n = 1 + (size_t) random() % 8;

        for (j = 0; j < n; j++) {
            rfl_csv_field(&out, rfl_str(field[j], len[j]));
        }

        rfl_csv_end_row(&out);

        start(&reader, ',', &source, out.data, out.len,
              1 + (size_t) random() % 40);
        assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, &err),
                         RFL_OK);
        rfl_csv_field(&again, rfl_csv_plain(fields[0]));
        rfl_csv_end_row(&again);

        if (rfl_csv_next(&reader, &fields, &n, &line, &err) != RFL_OK) {
            fail_msg("%.*s", (int) out.len, (const char *) out.data);
        }

        for (j = 0; j < n; j++) {
            assert_true(rfl_str_eq(rfl_csv_plain(fields[j]),
                                   rfl_str(field[j], len[j])));
            rfl_csv_field(&again, rfl_csv_plain(fields[j]));
        }

        rfl_csv_end_row(&again);

        assert_int_equal(again.len, out.len);
        assert_memory_equal(again.data, out.data, out.len);
        assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, &err),
                         RFL_NOT_FOUND);
    }

    rfl_buf_free(&out);
    rfl_buf_free(&again);
}


/* A formula never begins a field that a spreadsheet reads. */

static void
no_field_that_is_written_begins_a_formula(void **state)
{
    int               i;
    size_t            n, len;
    u_char            field[16];
    source_t          source;
    uint64_t          line;
    rfl_buf_t         b = rfl_buf_init;
    const rfl_str_t  *fields;

    srandom(4);

    for (i = 0; i < 20000; i++) {
        len = random_field(field);

        b.len = 0;
        rfl_csv_field(&b, rfl_str(field, len));
        rfl_csv_end_row(&b);

        start(&reader, ',', &source, b.data, b.len, 100);
        assert_int_equal(rfl_csv_next(&reader, &fields, &n, &line, NULL),
                         RFL_OK);

        if (fields[0].len != 0 && fields[0].data[0] != '\0') {
            assert_null(strchr("=+-@\t\r", fields[0].data[0]));
        }
    }

    rfl_buf_free(&b);
}


static void
any_bytes_end_in_bounded_rows(void **state)
{
    int               i;
    size_t            j, n, len, rows, total;
    u_char            text[256];
    rfl_rc_t          rc;
    source_t          source;
    uint64_t          line, last;
    const rfl_str_t  *fields;

    srandom(5);

    for (i = 0; i < 5000; i++) {
        len = (size_t) random() % sizeof(text);

        for (j = 0; j < len; j++) {
            text[j] = (random() % 2) ? (u_char) "\",;\r\n'="[random() % 7]
                                     : (u_char) random();
        }

        start(&reader, ',', &source, guard_copy(text, len), len,
              1 + (size_t) random() % 300);
        last = 0;

        for (rows = 0; /* void */ ; rows++) {
            rc = rfl_csv_next(&reader, &fields, &n, &line, NULL);

            if (rc == RFL_NOT_FOUND) {
                break;
            }

            assert_true(line > last);
            last = line;

            if (rc == RFL_INVALID) {
                continue;
            }

            assert_int_equal(rc, RFL_OK);
            assert_true(n >= 1 && n <= RFL_CSV_FIELDS_MAX);
            total = 0;

            for (j = 0; j < n; j++) {
                total += fields[j].len;
            }

            assert_true(total <= len);
        }

        assert_true(rows <= len + 1);

        if (i % 100 == 99) {
            guard_free_all();
        }
    }

    guard_free_all();
}


/* All that the reader says, as one text. */

static const char *
transcript(rfl_csv_reader_t *r)
{
    size_t            i, n, len;
    rfl_rc_t          rc;
    uint64_t          line;
    rfl_error_t       err;
    static char       text[TEXT_MAX];
    const rfl_str_t  *fields;

    len = 0;
    text[0] = '\0';

    for ( ;; ) {
        rc = rfl_csv_next(r, &fields, &n, &line, &err);

        if (rc == RFL_NOT_FOUND) {
            return text;
        }

        if (rc != RFL_OK) {
            assert_int_equal(rc, RFL_INVALID);
            assert_int_equal(r->unclosed, strstr(err.text, UNCLOSED) != NULL);
            len += (size_t) sprintf(text + len, "(%s)", err.text);
            continue;
        }

        len += (size_t) sprintf(text + len, "[%d:", (int) line);

        for (i = 0; i < n; i++) {
            len += (size_t) sprintf(text + len, "%s%.*s", i == 0 ? "" : "|",
                                    (int) fields[i].len,
                                    (const char *) fields[i].data);
        }

        len += (size_t) sprintf(text + len, "]");
        assert_true(len < TEXT_MAX / 2);
    }
}


static void
start(rfl_csv_reader_t *r, u_char delimiter, source_t *source,
    const void *data, size_t len, size_t step)
{
    source->data = data;
    source->len = len;
    source->step = step;
    source->fails = 0;

    memset(r, 0xa5, sizeof(rfl_csv_reader_t));
    rfl_csv_init(r, delimiter, read_source, source);
}


static ssize_t
read_source(void *data, u_char *buf, size_t size)
{
    size_t     n;
    source_t  *source;

    source = data;

    if (source->len == 0) {
        return source->fails ? -1 : 0;
    }

    n = source->step < source->len ? source->step : source->len;
    n = n < size ? n : size;

    memcpy(buf, source->data, n);
    source->data += n;
    source->len -= n;

    return (ssize_t) n;
}


static size_t
random_field(u_char *out)
{
    size_t             i, len;
    static const char  special[] = "\",\r\n'=+-@\t ;";

    len = (size_t) random() % 7;

    for (i = 0; i < len; i++) {
        out[i] = (random() % 4 != 0)
                 ? (u_char) special[(size_t) random() % (sizeof(special) - 1)]
                 : (u_char) random();
    }

    return len;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(fields_are_quoted_and_defused_where_needed),
        cmocka_unit_test(rows_are_separated_by_crlf_and_fields_by_commas),
        cmocka_unit_test(only_what_was_defused_is_restored),
        cmocka_unit_test(dialects_and_faults_are_read_by_the_table),
        cmocka_unit_test(a_nul_is_a_byte_like_others),
        cmocka_unit_test(a_row_has_up_to_256_fields),
        cmocka_unit_test(a_row_has_up_to_65536_bytes),
        cmocka_unit_test(a_failure_to_read_is_no_end),
        cmocka_unit_test(the_end_stays_the_end),
        cmocka_unit_test(what_is_written_reads_back_and_writes_the_same),
        cmocka_unit_test(no_field_that_is_written_begins_a_formula),
        cmocka_unit_test(any_bytes_end_in_bounded_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
