/*
 * Rows of a file: from CSV or JSON to fields of links that are to be.
 *
 * Ours are the CSV whose columns have the names of our fields, as exports of
 * ours have them, and our JSON: what "export --format json" and the status
 * API's /links answer, an array of links, or links one after the other.  What
 * other tools write is CSV, too; whoever reads that says what its columns are.
 *
 * The file is streamed: memory is for one row, whatever the file's size.
 */

#ifndef RFL_ROWS_H
#define RFL_ROWS_H

#include "rfl_csv.h"
#include "rfl_input.h"
#include "rfl_link.h"


#define RFL_ROW_FIELDS_MAX     32

/* Why a row was refused, in a list of such rows: passed over. */

#define RFL_COLUMN_REASON_NAME "error"


/*
 * A row by number of the field table.  given: the file has the column; where
 * it is empty the field is cleared.  marks: see rfl_import.h.
 */

typedef struct {
    rfl_str_t  values[RFL_ROW_FIELDS_MAX];
    unsigned   given[RFL_ROW_FIELDS_MAX];
    unsigned   marks;
    rfl_str_t  created;                  /* a time, or empty: now */
} rfl_row_t;


/* What a column is.  Numbers behind are the caller's own. */

typedef enum {
    RFL_COLUMN_IGNORED = 0,
    RFL_COLUMN_REASON,
    RFL_COLUMN_CREATED,                  /* of our export */
    RFL_COLUMN_FIELD,
    RFL_COLUMN_ROLES
} rfl_column_role_t;


typedef struct {
    unsigned  role;
    int       field;                     /* number of the field table, or -1 */
    unsigned  known:1;                   /* or it has no name: nothing to
                                            complain of */
} rfl_column_t;


typedef struct {
    size_t        n;
    unsigned      is_ours:1;             /* cells are as rfl_csv_field() wrote
                                            them */
    rfl_column_t  columns[RFL_CSV_FIELDS_MAX];
} rfl_columns_t;


/* By its name, trimmed.  Fills *column; returns whether it is one of ours. */

int rfl_column_find(rfl_str_t name, rfl_column_t *column);

/*
 * What is wrong with a header of ours, once its columns were looked up:
 * RFL_INVALID, and all names nobody knows; or two columns of one field; or
 * that there is neither a source nor a tag.
 */

rfl_rc_t rfl_columns_check_known(const rfl_str_t *names,
    const rfl_columns_t *columns, rfl_error_t *err);
rfl_rc_t rfl_columns_check(const rfl_columns_t *columns, rfl_error_t *err);

/* All of this: the columns of a header of ours.  columns->n is given. */

rfl_rc_t rfl_columns_ours(const rfl_str_t *names, rfl_columns_t *columns,
    rfl_error_t *err);

/* The error of two columns that are one field; returns RFL_INVALID. */

rfl_rc_t rfl_columns_twice(const rfl_column_t *column, rfl_error_t *err);

int rfl_columns_have(const rfl_columns_t *columns, size_t offset);


/*
 * The delimiter of a header: the one of "," ";" and tab that makes names of
 * it which rate() likes best, 0 is not at all.  Returns that number; ',' where
 * none is liked.
 */

typedef size_t (*rfl_rows_rate_pt)(void *data, const rfl_str_t *names,
    size_t n);

/* A rate: how many of the names are columns of ours. */

size_t rfl_columns_known(void *data, const rfl_str_t *names, size_t n);

size_t rfl_rows_delimiter(rfl_csv_reader_t *reader, rfl_str_t header,
    rfl_rows_rate_pt rate, void *data, u_char *delimiter);

#define RFL_ROWS_DELIMITERS  3

extern const u_char  rfl_rows_delimiters[RFL_ROWS_DELIMITERS];


/*
 * What is called while a file is read; anything but RFL_OK ends the reading.
 *
 * header   CSV: the names, and columns->n; fills columns
 * fill     from the cells of a row, one for each column; NULL: rfl_row_fill()
 * row      RFL_INVALID: it is a bad one
 * bad      a bad row, its cells but for the reason's (none where it could not
 *          be read), and why; of JSON all fields of a link, then "created"
 * step     behind each row, good or bad; may be NULL
 */

typedef struct {
    rfl_rc_t  (*header)(void *data, const rfl_str_t *names,
                        rfl_columns_t *columns, rfl_error_t *err);
    void      (*fill)(void *data, const rfl_columns_t *columns,
                      const rfl_str_t *cells, rfl_row_t *row);
    rfl_rc_t  (*row)(void *data, const rfl_row_t *row, rfl_error_t *err);
    rfl_rc_t  (*bad)(void *data, uint64_t line, const rfl_str_t *cells,
                     size_t n, const char *why, rfl_error_t *err);
    rfl_rc_t  (*step)(void *data, rfl_error_t *err);
} rfl_rows_handler_t;


void rfl_row_fill(const rfl_columns_t *columns, const rfl_str_t *cells,
    rfl_row_t *row);

/*
 * All rows of a text.  RFL_OK, or why it had to stop, what handlers said
 * included; RFL_INVALID: the file makes no sense from some place on.  Where
 * the file could not be read on, in->error says so as well.
 */

rfl_rc_t rfl_rows_csv(rfl_csv_reader_t *reader, u_char delimiter,
    rfl_input_t *in, const rfl_rows_handler_t *handler, void *data,
    rfl_error_t *err);
rfl_rc_t rfl_rows_json(rfl_input_t *in, const rfl_rows_handler_t *handler,
    void *data, rfl_error_t *err);


#endif /* RFL_ROWS_H */
