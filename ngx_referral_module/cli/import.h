/*
 * import in three parts: import_read.c makes rows of files, import_store.c
 * makes links of rows, cmd_import.c has the options, the one transaction and
 * the summary.
 *
 * Files are streamed.  What grows with the list is two bits per link and eight
 * bytes or so per host (and what LMDB keeps of its transaction).
 */

#ifndef IMPORT_H
#define IMPORT_H

#include "cli.h"

#include "rfl_csv.h"


#define IMPORT_FIELDS_MAX  32
#define IMPORT_MAPS_MAX    64
#define IMPORT_PEEK        16384     /* the first line is looked for in */
#define IMPORT_LINE_MAX    (2 * RFL_URL_MAX)

#define IMPORT_BAD_SHOWN   20
#define IMPORT_BAD_SUFFIX  ".bad.csv"
#define IMPORT_BAD_COLUMN  "error"   /* why: ignored when it is read again */

#define IMPORT_PROGRESS_ROWS  4096   /* between two looks at the bar */


typedef enum {
    IMPORT_AUTO = 0,
    IMPORT_CSV,
    IMPORT_URLS
} import_format_t;


/* A column of the user's: its field, NULL to ignore it. */

typedef struct {
    rfl_str_t                column;
    const rfl_link_field_t  *field;
} import_map_t;


/* A row by number of the field table.  given: the file has the column. */

typedef struct {
    rfl_str_t  values[IMPORT_FIELDS_MAX];
    unsigned   given[IMPORT_FIELDS_MAX];
} import_row_t;


typedef struct {
    const char  *name;
    const char  *shown;              /* in messages */
    int          fd;
    int          error;              /* errno of a read that failed */
    uint64_t     size;               /* 0: not known */
    uint64_t     done;
    unsigned     regular:1;
    size_t       peek_len;
    size_t       peek_pos;
    u_char       peek[IMPORT_PEEK];
} import_file_t;


typedef struct {
    uint64_t  rows;
    uint64_t  added;
    uint64_t  hosts;                 /* of the added links */
    uint64_t  merged;                /* rows equal to an earlier one */
    uint64_t  registered;            /* were there, and stay as they are */
    uint64_t  updated;
    uint64_t  retired;
    uint64_t  bad;
} import_counts_t;


/* Numbers in an open hash table; 0 is an empty place. */

typedef struct {
    uint64_t  *places;
    size_t     size;                 /* a power of two */
    size_t     n;
} import_set_t;


typedef struct {
    cli_t            *cli;
    cli_env_t         env;

    import_format_t   format;
    import_map_t      maps[IMPORT_MAPS_MAX];
    size_t            nmaps;
    rfl_str_t         defaults[IMPORT_FIELDS_MAX];
    unsigned          update:1;
    unsigned          sync:1;
    unsigned          dry_run:1;
    unsigned          skip_bad:1;

    import_counts_t   counts;
    uint64_t          now;
    u_char           *seen;          /* two bits per id */
    size_t            seen_size;
    import_set_t      hosts;
    rfl_identity_t    identity;      /* scratch: they are large */
    cli_link_t        kept;
    rfl_csv_reader_t  reader;
    u_char            line[IMPORT_LINE_MAX];

    FILE             *bad;           /* FILE.bad.csv of the file being read */
    rfl_buf_t         bad_header;
    size_t            bad_columns;
    unsigned          bad_files;     /* written so far, of any file */
    unsigned          bad_denied:1;
    unsigned          progress:1;    /* show a bar */
} import_t;


/*
 * Reads one file, row by row, into import_row().  RFL_OK, or why it had to
 * stop; what it says of bad rows it has said by then.
 */

rfl_rc_t import_read(import_t *im, import_file_t *file, rfl_error_t *err);

/*
 * One row to one link.  RFL_OK, RFL_INVALID (a bad row, and why), or an error
 * that ends the import.
 */

rfl_rc_t import_row(import_t *im, const import_row_t *row, rfl_error_t *err);

/* Removes every registered link no row has named. */

rfl_rc_t import_retire(import_t *im, rfl_error_t *err);

void import_free(import_t *im);


#endif /* IMPORT_H */
