/*
 * CSV out for reports and exports, CSV in for imports: rfl_csv.h tells the
 * dialect and how formulas are defused and restored.
 */

#include "rfl_csv.h"


#define RFL_CSV_EOF  -1                  /* no byte */


static int rfl_csv_is_defused(rfl_str_t s, size_t apostrophes);
static int rfl_csv_is_empty(const rfl_csv_reader_t *r);
static int rfl_csv_needs_quotes(rfl_str_t s);

static void rfl_csv_skip_mark(rfl_csv_reader_t *r);
static void rfl_csv_read_row(rfl_csv_reader_t *r);
static int rfl_csv_read_field(rfl_csv_reader_t *r);
static int rfl_csv_read_plain(rfl_csv_reader_t *r);
static int rfl_csv_read_quoted(rfl_csv_reader_t *r);
static int rfl_csv_is_row_end(rfl_csv_reader_t *r, int c);
static void rfl_csv_put(rfl_csv_reader_t *r, int c);
static int rfl_csv_get(rfl_csv_reader_t *r);
static int rfl_csv_peek(rfl_csv_reader_t *r);
static int rfl_csv_fill(rfl_csv_reader_t *r);


/* The messages name these limits. */

_Static_assert(RFL_CSV_ROW_MAX == 65536 && RFL_CSV_FIELDS_MAX == 256,
               "change the messages too");

static const char  rfl_csv_too_large[] = "the row is larger than 65536 bytes";
static const char  rfl_csv_too_many[] = "the row has more than 256 fields";
static const char  rfl_csv_trailing[] = "text follows a closing quote";
static const char  rfl_csv_unclosed[] =
    "a quote is not closed: the file ends within it";


void
rfl_csv_field(rfl_buf_t *b, rfl_str_t s)
{
    int            first, quotes;
    const u_char  *quote;

    first = (b->len == 0 || b->data[b->len - 1] == '\n');

    if (!first) {
        rfl_buf_char(b, ',');
    }

    quotes = (s.len == 0) ? first : rfl_csv_needs_quotes(s);

    if (quotes) {
        rfl_buf_char(b, '"');
    }

    if (rfl_csv_is_defused(s, 0)) {
        rfl_buf_char(b, '\'');
    }

    while (s.len != 0) {
        quote = memchr(s.data, '"', s.len);

        if (quote == NULL) {
            rfl_buf_str(b, s);
            break;
        }

        quote++;
        rfl_buf_add(b, s.data, (size_t) (quote - s.data));
        rfl_buf_char(b, '"');

        s.len -= (size_t) (quote - s.data);
        s.data = quote;
    }

    if (quotes) {
        rfl_buf_char(b, '"');
    }
}


void
rfl_csv_end_row(rfl_buf_t *b)
{
    rfl_buf_text(b, "\r\n");
}


rfl_str_t
rfl_csv_plain(rfl_str_t field)
{
    if (rfl_csv_is_defused(field, 1)) {
        field.data++;
        field.len--;
    }

    return field;
}


/* At least so many apostrophes, then a byte a formula begins with. */

static int
rfl_csv_is_defused(rfl_str_t s, size_t apostrophes)
{
    size_t  i;

    i = 0;

    while (i < s.len && s.data[i] == '\'') {
        i++;
    }

    if (i < apostrophes || i == s.len) {
        return 0;
    }

    switch (s.data[i]) {

    case '=':
    case '+':
    case '-':
    case '@':
    case '\t':
    case '\r':
        return 1;

    default:
        return 0;
    }
}


/*
 * Some readers cut white space off fields that are not quoted, and all of them
 * a byte order mark, which begins with 0xef, off the first one.
 */

static int
rfl_csv_needs_quotes(rfl_str_t s)
{
    size_t  i;
    u_char  c;

    if (s.data[0] <= ' ' || s.data[s.len - 1] <= ' ' || s.data[0] == 0xef) {
        return 1;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c == ',' || c == '"' || c == '\r' || c == '\n') {
            return 1;
        }
    }

    return 0;
}


void
rfl_csv_init(rfl_csv_reader_t *r, u_char delimiter, rfl_csv_read_pt read,
    void *data)
{
    memset(r, 0, offsetof(rfl_csv_reader_t, fields));

    r->read = read;
    r->data = data;
    r->delimiter = delimiter;
    r->line = 1;
}


rfl_rc_t
rfl_csv_next(rfl_csv_reader_t *r, const rfl_str_t **fields, size_t *n,
    uint64_t *line, rfl_error_t *err)
{
    if (!r->started) {
        r->started = 1;
        rfl_csv_skip_mark(r);
    }

    do {
        *line = r->line;

        if (rfl_csv_peek(r) == RFL_CSV_EOF && !r->failed) {
            return RFL_NOT_FOUND;
        }

        rfl_csv_read_row(r);

        if (r->failed) {
            return rfl_fail(err, RFL_ERROR, "line %llu: cannot be read",
                            (unsigned long long) r->line);
        }

        if (r->fault != NULL) {
            return rfl_fail(err, RFL_INVALID, "line %llu: %s",
                            (unsigned long long)
                            (r->fault == rfl_csv_unclosed ? r->quote_line
                                                          : *line),
                            r->fault);
        }

    } while (rfl_csv_is_empty(r));

    *fields = r->fields;
    *n = r->n;

    return RFL_OK;
}


/* Spreadsheets write a row that is empty as delimiters alone. */

static int
rfl_csv_is_empty(const rfl_csv_reader_t *r)
{
    size_t  i;

    if (r->quoted) {
        return 0;
    }

    for (i = 0; i < r->n; i++) {
        if (rfl_str_trim(r->fields[i]).len != 0) {
            return 0;
        }
    }

    return 1;
}


/* A first read() may return a part of the mark. */

static void
rfl_csv_skip_mark(rfl_csv_reader_t *r)
{
    static const u_char  mark[] = { 0xef, 0xbb, 0xbf };

    while (r->chunk_len < sizeof(mark)) {
        if (!rfl_csv_fill(r)) {
            return;
        }
    }

    if (memcmp(r->chunk, mark, sizeof(mark)) == 0) {
        r->pos = sizeof(mark);
    }
}


/* A row at fault is read to its end, so that the next one can be read. */

static void
rfl_csv_read_row(rfl_csv_reader_t *r)
{
    int     ended;
    size_t  start;

    r->n = 0;
    r->row_len = 0;
    r->fault = NULL;
    r->quoted = 0;

    do {
        start = r->row_len;
        ended = rfl_csv_read_field(r);

        if (r->n < RFL_CSV_FIELDS_MAX) {
            r->fields[r->n++] = rfl_str(r->row + start, r->row_len - start);

        } else if (r->fault == NULL) {
            r->fault = rfl_csv_too_many;
        }

    } while (!ended);
}


/* This and the next two: whether the row ended with the field. */

static int
rfl_csv_read_field(rfl_csv_reader_t *r)
{
    if (rfl_csv_peek(r) == '"') {
        return rfl_csv_read_quoted(r);
    }

    return rfl_csv_read_plain(r);
}


static int
rfl_csv_read_plain(rfl_csv_reader_t *r)
{
    int  c;

    for ( ;; ) {
        c = rfl_csv_get(r);

        if (c == r->delimiter) {
            return 0;
        }

        if (rfl_csv_is_row_end(r, c)) {
            return 1;
        }

        rfl_csv_put(r, c);
    }
}


static int
rfl_csv_read_quoted(rfl_csv_reader_t *r)
{
    int  c;

    r->quoted = 1;
    r->quote_line = r->line;

    (void) rfl_csv_get(r);

    for ( ;; ) {
        c = rfl_csv_get(r);

        if (c == RFL_CSV_EOF) {
            r->fault = rfl_csv_unclosed;
            r->unclosed = 1;
            return 1;
        }

        if (c == '"') {
            if (rfl_csv_peek(r) != '"') {
                break;
            }

            (void) rfl_csv_get(r);
        }

        rfl_csv_put(r, c);
    }

    c = rfl_csv_get(r);

    if (c == r->delimiter) {
        return 0;
    }

    if (rfl_csv_is_row_end(r, c)) {
        return 1;
    }

    if (r->fault == NULL) {
        r->fault = rfl_csv_trailing;
    }

    return rfl_csv_read_plain(r);
}


/* c was taken.  A CR ends a row before an LF and before the end only. */

static int
rfl_csv_is_row_end(rfl_csv_reader_t *r, int c)
{
    int  next;

    if (c == '\n' || c == RFL_CSV_EOF) {
        return 1;
    }

    if (c != '\r') {
        return 0;
    }

    next = rfl_csv_peek(r);

    if (next == '\n') {
        (void) rfl_csv_get(r);
    }

    return next == '\n' || next == RFL_CSV_EOF;
}


static void
rfl_csv_put(rfl_csv_reader_t *r, int c)
{
    if (r->row_len < RFL_CSV_ROW_MAX) {
        r->row[r->row_len++] = (u_char) c;

    } else if (r->fault == NULL) {
        r->fault = rfl_csv_too_large;
    }
}


static int
rfl_csv_get(rfl_csv_reader_t *r)
{
    int  c;

    c = rfl_csv_peek(r);

    if (c != RFL_CSV_EOF) {
        r->pos++;
        r->line += (c == '\n');
    }

    return c;
}


static int
rfl_csv_peek(rfl_csv_reader_t *r)
{
    if (r->pos == r->chunk_len) {
        r->pos = 0;
        r->chunk_len = 0;

        if (!rfl_csv_fill(r)) {
            return RFL_CSV_EOF;
        }
    }

    return r->chunk[r->pos];
}


static int
rfl_csv_fill(rfl_csv_reader_t *r)
{
    ssize_t  n;

    if (r->ended || r->failed) {
        return 0;
    }

    n = r->read(r->data, r->chunk + r->chunk_len,
                RFL_CSV_CHUNK - r->chunk_len);

    if (n > 0) {
        r->chunk_len += (size_t) n;
        return 1;
    }

    if (n == 0) {
        r->ended = 1;

    } else {
        r->failed = 1;
    }

    return 0;
}
