/*
 * CSV of any dialect: rows are the same however the file is cut into chunks,
 * and what is written of them reads back as it was.
 *
 * Input: a byte for the delimiter, one for the size of chunks, the file.
 */

#include "fuzz.h"
#include "rfl_csv.h"


#define ROWS_MAX  4000


typedef struct {
    rfl_str_t  text;
    size_t     pos;
    size_t     chunk;
} source_t;


static ssize_t read_source(void *data, u_char *buf, size_t size);
static int is_same(const rfl_csv_reader_t *a, const rfl_csv_reader_t *b,
    rfl_rc_t rc);
static void check_written(const rfl_str_t *fields, size_t n);


static rfl_csv_reader_t  whole, cut, again;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            n, n2, rows;
    u_char            delimiter;
    rfl_rc_t          rc;
    unsigned          ended;
    source_t          a, b;
    uint64_t          line, line2;
    rfl_error_t       err;
    fuzz_input_t      in;
    const rfl_str_t  *fields, *fields2;

    static const u_char  delimiters[] = { ',', ';', '\t' };

    in = fuzz_input(data, size);
    delimiter = delimiters[fuzz_byte(&in) % 3];

    b.chunk = 1 + fuzz_byte(&in) % 32;
    b.pos = 0;
    b.text = fuzz_rest(&in);

    a = b;
    a.chunk = SIZE_MAX;

    rfl_csv_init(&whole, delimiter, read_source, &a);
    rfl_csv_init(&cut, delimiter, read_source, &b);

    ended = 0;

    for (rows = 0; rows < ROWS_MAX; rows++) {
        err.text[0] = '\0';
        rc = rfl_csv_next(&whole, &fields, &n, &line, &err);

        fuzz_check(rfl_csv_next(&cut, &fields2, &n2, &line2, NULL) == rc);

        if (rc == RFL_NOT_FOUND) {
            break;
        }

        fuzz_check(!ended && line == line2);
        fuzz_check(whole.unclosed == cut.unclosed);

        ended = whole.unclosed;

        if (rc == RFL_INVALID) {
            fuzz_check(err.text[0] != '\0');
            continue;
        }

        fuzz_check(rc == RFL_OK && !ended && n == n2 && n > 0);
        fuzz_check(n <= RFL_CSV_FIELDS_MAX);
        fuzz_check(is_same(&whole, &cut, rc));

        check_written(fields, n);
    }

    fuzz_free();

    return 0;
}


static ssize_t
read_source(void *data, u_char *buf, size_t size)
{
    source_t  *source;

    source = data;

    if (size > source->chunk) {
        size = source->chunk;
    }

    if (size > source->text.len - source->pos) {
        size = source->text.len - source->pos;
    }

    if (size != 0) {
        memcpy(buf, source->text.data + source->pos, size);
        source->pos += size;
    }

    return (ssize_t) size;
}


static int
is_same(const rfl_csv_reader_t *a, const rfl_csv_reader_t *b, rfl_rc_t rc)
{
    size_t  i;

    for (i = 0; i < a->n; i++) {
        if (!rfl_str_eq(a->fields[i], b->fields[i])) {
            return 0;
        }
    }

    return 1;
}


/* No spreadsheet takes what is written for a formula. */

static void
check_written(const rfl_str_t *fields, size_t n)
{
    size_t            i, n2, len;
    uint64_t          line;
    source_t          source;
    rfl_buf_t         b = rfl_buf_init;
    const rfl_str_t  *read;

    len = 0;

    for (i = 0; i < n; i++) {
        rfl_csv_field(&b, fields[i]);
        len += fields[i].len + 1;
    }

    rfl_csv_end_row(&b);

    fuzz_check(!b.failed);

    if (len <= RFL_CSV_ROW_MAX) {
        source.text = rfl_str(b.data, b.len);
        source.pos = 0;
        source.chunk = SIZE_MAX;

        rfl_csv_init(&again, ',', read_source, &source);

        fuzz_check(rfl_csv_next(&again, &read, &n2, &line, NULL) == RFL_OK);
        fuzz_check(n2 == n);

        for (i = 0; i < n; i++) {
            fuzz_check(read[i].len == 0
                       || memchr("=+-@\t\r", read[i].data[0], 6) == NULL);
            fuzz_check(rfl_str_eq(rfl_csv_plain(read[i]), fields[i]));
        }

        fuzz_check(rfl_csv_next(&again, &read, &n2, &line, NULL)
                   == RFL_NOT_FOUND);
    }

    rfl_buf_free(&b);
}
