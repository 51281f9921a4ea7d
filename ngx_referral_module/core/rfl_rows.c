/*
 * Which field each column is, and CSV: from cells to rows.
 *
 * Cells of our own files are read as our export writes them: rfl_csv_plain()
 * takes back what it did against spreadsheet formulas.  In exports of other
 * tools an apostrophe is an apostrophe.
 */

#include "rfl_rows.h"

#include <stdio.h>

#include "rfl_report.h"


#define RFL_ROWS_WHY    64
#define RFL_ROWS_SHOWN  300              /* bytes of a header, in a message */


/* Of a file that is read. */

typedef struct {
    const rfl_rows_handler_t  *handler;
    void                      *data;
    rfl_columns_t              columns;
} rows_t;


static int is_own_column(rfl_str_t name);
static rfl_rc_t csv_header(rows_t *rows, rfl_csv_reader_t *reader,
    rfl_error_t *err);
static rfl_rc_t csv_row(rows_t *rows, const rfl_str_t *fields, size_t n,
    uint64_t line, rfl_error_t *err);
static rfl_rc_t csv_bad(rows_t *rows, const rfl_str_t *cells, size_t n,
    uint64_t line, const char *why, rfl_error_t *err);
static rfl_str_t csv_cell(rfl_str_t field, int is_ours);


const u_char  rfl_rows_delimiters[RFL_ROWS_DELIMITERS] = { ',', ';', '\t' };


/*
 * Columns of our exports and lists that say nothing about what a link is,
 * beside those of the counters.
 */

static const rfl_str_t  own_columns[] = {
    rfl_string("key"),
    rfl_string("group"),
    rfl_string("groups"),
    rfl_string("first_seen"),
    rfl_string("last_seen"),
    rfl_string("state"),
    rfl_string("state_since"),
    rfl_string("errors")
};


int
rfl_column_find(rfl_str_t name, rfl_column_t *column)
{
    size_t  i;

    column->role = RFL_COLUMN_IGNORED;
    column->field = -1;
    column->known = 1;

    for (i = 0; i < rfl_link_nfields; i++) {
        if (rfl_str_caseeq(name, rfl_link_fields[i].name)) {
            column->role = RFL_COLUMN_FIELD;
            column->field = (int) i;
            return 1;
        }
    }

    if (rfl_str_caseeq(name, rfl_cstr(RFL_COLUMN_REASON_NAME))) {
        column->role = RFL_COLUMN_REASON;
        return 1;
    }

    if (rfl_str_caseeq(name, rfl_cstr("created"))) {
        column->role = RFL_COLUMN_CREATED;
        return 1;
    }

    if (name.len == 0) {
        return 0;                        /* known: nobody misspelt it */
    }

    column->known = (unsigned) is_own_column(name);

    return (int) column->known;
}


static int
is_own_column(rfl_str_t name)
{
    size_t  i;

    static const rfl_str_t  previous = rfl_string("previous_");

    for (i = 0; i < sizeof(own_columns) / sizeof(own_columns[0]); i++) {
        if (rfl_str_caseeq(name, own_columns[i])) {
            return 1;
        }
    }

    if (name.len > previous.len
        && rfl_str_caseeq(rfl_str(name.data, previous.len), previous))
    {
        name = rfl_str(name.data + previous.len, name.len - previous.len);
    }

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        if (rfl_str_caseeq(name, rfl_counter_table[i].name)) {
            return 1;
        }
    }

    return 0;
}


rfl_rc_t
rfl_columns_ours(const rfl_str_t *names, rfl_columns_t *columns,
    rfl_error_t *err)
{
    size_t    i;
    rfl_rc_t  rc;

    columns->is_ours = 1;

    for (i = 0; i < columns->n; i++) {
        (void) rfl_column_find(rfl_str_trim(names[i]), &columns->columns[i]);
    }

    rc = rfl_columns_check_known(names, columns, err);

    return rc == RFL_OK ? rfl_columns_check(columns, err) : rc;
}


/* All that is wrong at once: unknown columns are many. */

rfl_rc_t
rfl_columns_check_known(const rfl_str_t *names, const rfl_columns_t *columns,
    rfl_error_t *err)
{
    size_t     i;
    rfl_rc_t   rc;
    rfl_buf_t  unknown = rfl_buf_init;

    for (i = 0; i < columns->n; i++) {
        if (!columns->columns[i].known) {
            rfl_buf_fmt(&unknown, "%s\"%.*s\"", unknown.len != 0 ? ", " : "",
                        (int) names[i].len, (const char *) names[i].data);
        }
    }

    if (unknown.len == 0) {
        return RFL_OK;
    }

    rc = rfl_fail(err, RFL_INVALID, "no field for the column %.*s",
                  (int) (unknown.len < RFL_ROWS_SHOWN ? unknown.len
                                                      : RFL_ROWS_SHOWN),
                  (const char *) unknown.data);

    rfl_buf_free(&unknown);

    return rc;
}


rfl_rc_t
rfl_columns_check(const rfl_columns_t *columns, rfl_error_t *err)
{
    size_t  i, k;

    for (i = 0; i < columns->n; i++) {
        for (k = 0; k < i; k++) {
            if (columns->columns[i].field != -1
                && columns->columns[i].field == columns->columns[k].field)
            {
                return rfl_columns_twice(&columns->columns[i], err);
            }
        }
    }

    if (!rfl_columns_have(columns, offsetof(rfl_link_t, source))
        && !rfl_columns_have(columns, offsetof(rfl_link_t, tag)))
    {
        return rfl_fail(err, RFL_INVALID, "there is no column \"source\"");
    }

    return RFL_OK;
}


rfl_rc_t
rfl_columns_twice(const rfl_column_t *column, rfl_error_t *err)
{
    rfl_str_t  name;

    name = rfl_link_fields[column->field].name;

    return rfl_fail(err, RFL_INVALID, "two columns are the field \"%.*s\"",
                    (int) name.len, (const char *) name.data);
}


int
rfl_columns_have(const rfl_columns_t *columns, size_t offset)
{
    int     field;
    size_t  i;

    for (i = 0; i < columns->n; i++) {
        field = columns->columns[i].field;

        if (field != -1 && rfl_link_fields[field].offset == offset) {
            return 1;
        }
    }

    return 0;
}


size_t
rfl_columns_known(void *data, const rfl_str_t *names, size_t n)
{
    size_t        i, known;
    rfl_column_t  column;

    known = 0;

    for (i = 0; i < n; i++) {
        known += rfl_column_find(rfl_str_trim(names[i]), &column) != 0;
    }

    return known;
}


size_t
rfl_rows_delimiter(rfl_csv_reader_t *reader, rfl_str_t header,
    rfl_rows_rate_pt rate, void *data, u_char *delimiter)
{
    size_t            i, n, rating, most;
    uint64_t          line;
    rfl_str_t         text;
    const rfl_str_t  *names;

    most = 0;
    *delimiter = ',';

    for (i = 0; i < RFL_ROWS_DELIMITERS; i++) {
        text = header;
        rfl_csv_init(reader, rfl_rows_delimiters[i], rfl_input_slice, &text);

        if (rfl_csv_next(reader, &names, &n, &line, NULL) != RFL_OK) {
            continue;
        }

        rating = rate(data, names, n);

        if (rating > most) {
            most = rating;
            *delimiter = rfl_rows_delimiters[i];
        }
    }

    return most;
}


void
rfl_row_fill(const rfl_columns_t *columns, const rfl_str_t *cells,
    rfl_row_t *row)
{
    size_t               i;
    const rfl_column_t  *column;

    for (i = 0; i < columns->n; i++) {
        column = &columns->columns[i];

        if (column->role == RFL_COLUMN_CREATED) {
            row->created = rfl_str_trim(cells[i]);

        } else if (column->role == RFL_COLUMN_FIELD) {
            row->values[column->field] = rfl_str_trim(cells[i]);
            row->given[column->field] = 1;
        }
    }
}


rfl_rc_t
rfl_rows_csv(rfl_csv_reader_t *reader, u_char delimiter, rfl_input_t *in,
    const rfl_rows_handler_t *handler, void *data, rfl_error_t *err)
{
    size_t            n;
    rows_t            rows;
    rfl_rc_t          rc;
    uint64_t          line;
    const rfl_str_t  *fields;

    rows.handler = handler;
    rows.data = data;

    rfl_csv_init(reader, delimiter, rfl_input_read, in);

    rc = csv_header(&rows, reader, err);

    while (rc == RFL_OK) {
        rc = rfl_csv_next(reader, &fields, &n, &line, err);

        if (rc == RFL_OK) {
            rc = csv_row(&rows, fields, n, line, err);

        } else if (rc == RFL_INVALID && !reader->unclosed) {
            rc = handler->bad(data, line, NULL, 0, reader->fault, err);
        }

        if (rc == RFL_OK && handler->step != NULL) {
            rc = handler->step(data, err);
        }
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


static rfl_rc_t
csv_header(rows_t *rows, rfl_csv_reader_t *reader, rfl_error_t *err)
{
    rfl_rc_t          rc;
    uint64_t          line;
    const rfl_str_t  *names;

    memset(&rows->columns, 0, sizeof(rfl_columns_t));

    rc = rfl_csv_next(reader, &names, &rows->columns.n, &line, err);

    if (rc == RFL_NOT_FOUND) {
        return rfl_fail(err, RFL_INVALID, "the file is empty, a header is "
                        "missing");
    }

    if (rc != RFL_OK) {
        return rc;
    }

    return rows->handler->header(rows->data, names, &rows->columns, err);
}


static rfl_rc_t
csv_row(rows_t *rows, const rfl_str_t *fields, size_t n, uint64_t line,
    rfl_error_t *err)
{
    char                  why[RFL_ROWS_WHY];
    size_t                i;
    rfl_rc_t              rc;
    rfl_row_t             row;
    rfl_str_t             cells[RFL_CSV_FIELDS_MAX];
    const rfl_columns_t  *columns;

    columns = &rows->columns;

    for (i = 0; i < n && i < columns->n; i++) {
        cells[i] = csv_cell(fields[i], columns->is_ours);
    }

    if (n != columns->n) {
        (void) snprintf(why, sizeof(why), "the row has %zu field%s, the header "
                        "%zu", n, n == 1 ? "" : "s", columns->n);
        return csv_bad(rows, cells, i, line, why, err);
    }

    memset(&row, 0, sizeof(rfl_row_t));

    if (rows->handler->fill != NULL) {
        rows->handler->fill(rows->data, columns, cells, &row);

    } else {
        rfl_row_fill(columns, cells, &row);
    }

    rc = rows->handler->row(rows->data, &row, err);

    return rc == RFL_INVALID ? csv_bad(rows, cells, n, line, err->text, err)
                             : rc;
}


static rfl_rc_t
csv_bad(rows_t *rows, const rfl_str_t *cells, size_t n, uint64_t line,
    const char *why, rfl_error_t *err)
{
    size_t     i, nkept;
    rfl_str_t  kept[RFL_CSV_FIELDS_MAX];

    nkept = 0;

    for (i = 0; i < n; i++) {
        if (rows->columns.columns[i].role != RFL_COLUMN_REASON) {
            kept[nkept++] = cells[i];
        }
    }

    return rows->handler->bad(rows->data, line, kept, nkept, why, err);
}


/*
 * The lines of a text end in LF: files with CR LF have it in their cells too.
 * The bytes are the reader's own.
 */

static rfl_str_t
csv_cell(rfl_str_t field, int is_ours)
{
    size_t   i, len;
    u_char  *p;

    if (is_ours) {
        field = rfl_csv_plain(field);
    }

    if (field.len == 0 || memchr(field.data, '\r', field.len) == NULL) {
        return field;
    }

    p = (u_char *) field.data;
    len = 0;

    for (i = 0; i < field.len; i++) {
        if (p[i] != '\r' || i + 1 == field.len || p[i + 1] != '\n') {
            p[len++] = p[i];
        }
    }

    return rfl_str(p, len);
}
