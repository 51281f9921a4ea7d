/*
 * CSV (RFC 4180), out and in.
 *
 * Out: a field is quoted where it has to be.  A spreadsheet takes a field that
 * begins with "=", "+", "-", "@", a tab or a CR for a formula, and links carry
 * what strangers wrote; so such a field gets a leading apostrophe, which
 * spreadsheets read as "this is text".  To stay reversible, a field that
 * already looks defused gets one more:
 *
 *     field            written          read by rfl_csv_plain()
 *     =1+1             '=1+1            =1+1
 *     '=1+1            ''=1+1           '=1+1
 *     'tis             'tis             'tis
 *
 * In general: apostrophes, then one of those bytes, gains one apostrophe and
 * loses one again; no other field is touched either way.  So what was exported
 * and imported exports to the same bytes.
 *
 * In: rows of any dialect, in bounded memory, whatever the file's size.  The
 * reader does not undo the above, since in other tools' files an apostrophe is
 * an apostrophe: whoever knows that a file is ours calls rfl_csv_plain().
 */

#ifndef RFL_CSV_H
#define RFL_CSV_H

#include "rfl_buf.h"


#define RFL_CSV_ROW_MAX     65536        /* bytes of a row's fields together */
#define RFL_CSV_FIELDS_MAX  256
#define RFL_CSV_CHUNK       16384


/*
 * Appends a field, and before it a comma unless it is the first of its row.
 * The buffer's last byte tells: rows begin in an empty buffer or behind
 * rfl_csv_end_row(); flush it between rows only.  An empty first field is
 * written as "".
 */

void rfl_csv_field(rfl_buf_t *b, rfl_str_t s);

/* CR LF, as RFC 4180 has it. */

void rfl_csv_end_row(rfl_buf_t *b);

/* The field that rfl_csv_field() has written as field. */

rfl_str_t rfl_csv_plain(rfl_str_t field);


/* Where bytes come from: how many were read, 0 at the end, -1 on failure. */

typedef ssize_t (*rfl_csv_read_pt)(void *data, u_char *buf, size_t size);


/* Memory of the caller, 90 KiB; nothing is allocated. */

typedef struct {
    rfl_csv_read_pt   read;
    void             *data;
    u_char            delimiter;         /* ',', ';' or '\t' */
    unsigned          started:1;
    unsigned          ended:1;           /* read() said 0 */
    unsigned          failed:1;          /* read() said -1 */
    unsigned          quoted:1;          /* the row has a quoted field */
    unsigned          unclosed:1;        /* the file ended within quotes */
    uint64_t          line;              /* of the next byte, from 1 */
    uint64_t          quote_line;        /* where the last quote opened */
    const char       *fault;             /* of the row being read, or NULL */
    size_t            pos;               /* in chunk */
    size_t            chunk_len;
    size_t            row_len;
    size_t            n;
    rfl_str_t         fields[RFL_CSV_FIELDS_MAX];
    u_char            chunk[RFL_CSV_CHUNK];
    u_char            row[RFL_CSV_ROW_MAX];
} rfl_csv_reader_t;


void rfl_csv_init(rfl_csv_reader_t *r, u_char delimiter, rfl_csv_read_pt read,
    void *data);


/*
 * The next row; *fields is valid until the next call, *line is the line it
 * begins on.  Rows end with LF or CR LF, the last one may end with the file.
 * Passed over are empty lines, rows of delimiters and white space alone, and at
 * the beginning a byte order mark of UTF-8.  A quote inside a field that does
 * not begin with one is a byte like others.
 *
 * RFL_NOT_FOUND: there are no more rows.  RFL_INVALID: this row is refused
 * (a limit, text behind a closing quote, a quote that is never closed), *line
 * is set and the next call reads the row behind it.  There is none behind a
 * quote that is never closed: r->unclosed is set, and what was to be many rows
 * is lost within it.  RFL_ERROR: read() failed.
 */

rfl_rc_t rfl_csv_next(rfl_csv_reader_t *r, const rfl_str_t **fields,
    size_t *n, uint64_t *line, rfl_error_t *err);


#endif /* RFL_CSV_H */
