/*
 * import, in the order in which a row comes through; what a followed file
 * needs as well is in core:
 *
 *     import_file.c      a file: archives refused; rfl_input.h decodes it
 *     import_format.c    which format it has, which field each column is
 *     import_read.c      a file of any format; rfl_rows.h reads CSV and JSON
 *     import_list.c      lists of URLs, disavow lists
 *     import_value.c     what other tools write, as our fields have it
 *     rfl_import.h       a row to a link of the registry
 *     import_count.c     what the report says of links beside
 *     import_bad.c       rows that are refused, and FILE.bad.csv
 *     import_report.c    what was done, and how to go on; the bar
 *     cmd_import.c       options and the one transaction
 *
 * Files are streamed.  What grows with the list is a byte per link and eight
 * bytes or so per host (and what LMDB keeps of its transaction).
 */

#ifndef IMPORT_H
#define IMPORT_H

#include "cli.h"

#include "rfl_import.h"

#include <sys/stat.h>


#define IMPORT_MAPS_MAX    64
#define IMPORT_LINE_MAX    (2 * RFL_URL_MAX)

#define IMPORT_BAD_SHOWN   20

#define IMPORT_PATH_MAX    4200      /* a path and what is added to it */

#define IMPORT_TARGETS_MAX    64     /* target hosts that are told apart */
#define IMPORT_TARGETS_SHOWN  5

#define IMPORT_STDIN  "-"


typedef enum {
    IMPORT_AUTO = 0,
    IMPORT_CSV,                      /* ours */
    IMPORT_JSON,
    IMPORT_URLS,
    IMPORT_DISAVOW,
    IMPORT_AHREFS,
    IMPORT_SEMRUSH,
    IMPORT_MAJESTIC,
    IMPORT_SEARCH_CONSOLE,
    IMPORT_BING,
    IMPORT_LINKODY,
    IMPORT_FORMATS
} import_format_t;


/* Names as --format takes them. */

extern const char *const  import_format_names[IMPORT_FORMATS];


/* What a column is in exports of other tools, beside a field and the like. */

typedef enum {
    IMPORT_FIELD = RFL_COLUMN_FIELD,
    IMPORT_DATE = RFL_COLUMN_ROLES,  /* a field, however the tool writes it */
    IMPORT_RATING,
    IMPORT_TEXT,
    IMPORT_COST,
    IMPORT_NOFOLLOW,                 /* flags that make the field rel */
    IMPORT_UGC,
    IMPORT_SPONSORED,
    IMPORT_FOLLOW,
    IMPORT_REL,                      /* a word that may be one of these */
    IMPORT_LOST                      /* a date or a flag */
} import_role_t;


/* A column of the user's: its field, NULL to ignore it. */

typedef struct {
    rfl_str_t                column;
    const rfl_link_field_t  *field;
} import_map_t;


/* What becomes of a row's cells on their way to fields. */

typedef struct {
    unsigned  rel_flags;             /* 1 << role, of those that are set */
    unsigned  rel_given;             /* likewise, of those not empty */
    unsigned  rel_columns:1;         /* there are such columns */
    size_t    used;
    u_char    bytes[RFL_ANCHOR_MAX + 256];
} import_cells_t;


typedef struct {
    const char       *name;
    const char       *shown;         /* in messages */
    int               fd;
    uint64_t          size;          /* 0: not known */
    struct stat       stat;          /* zeros: not known */
    import_format_t   format;        /* as it was found to be */
    char             *bad_path;      /* FILE.bad.csv, once it is written */
    int               bad_error;     /* errno: it could not be */
    unsigned          regular:1;
    unsigned          begun:1;       /* its first bytes were read */
    rfl_input_t       input;
} import_file_t;


typedef struct {
    uint64_t  rows;
    uint64_t  hosts;                 /* of the links they name */
    uint64_t  grouped;               /* links that only their group names */
    uint64_t  bad;
} import_counts_t;


typedef struct {
    u_char    host[RFL_HOST_MAX + 16];
    size_t    len;
    uint64_t  links;
} import_target_t;


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
    const char       *map_texts[IMPORT_MAPS_MAX];
    const char       *set_texts[RFL_ROW_FIELDS_MAX];
    unsigned          sync:1;
    unsigned          dry_run:1;
    unsigned          skip_bad:1;

    import_file_t    *files;
    size_t            nfiles;

    import_file_t    *reading;       /* one of them */
    rfl_import_t      import;
    import_counts_t   counts;
    import_target_t   targets[IMPORT_TARGETS_MAX];
    size_t            ntargets;
    uint64_t          other_targets; /* links of target hosts beyond these */
    import_set_t      hosts;
    rfl_identity_t    identity;      /* scratch: it is large */
    rfl_csv_reader_t  reader;
    import_cells_t    cells;
    u_char            line[IMPORT_LINE_MAX];

    FILE             *bad;           /* of the file being read */
    char              bad_temp[IMPORT_PATH_MAX];
    const char       *cut;           /* a file that may be; NULL: none */
    rfl_buf_t         bad_header;
    size_t            bad_columns;
    unsigned          bad_files;     /* written so far, of any file */
    unsigned          bad_lost:1;    /* of a file they could not be written */
    unsigned          progress:1;    /* show a bar */
    unsigned          shown;         /* of it, in percent and one */
} import_t;


/*
 * import_file.c.  open says what is wrong and returns an exit code.  wait
 * returns when the first bytes are there, or the end.  begin looks at them:
 * RFL_INVALID for what is no text, with a hint.
 */

int import_file_open(const char *name, import_file_t *file);
void import_file_close(import_file_t *file);
void import_file_wait(import_file_t *file);
rfl_rc_t import_file_begin(import_file_t *file, rfl_error_t *err);

/* Once it was read: what --sync must not take for all there is. */

int import_file_has_changed(const import_file_t *file);
int import_file_may_be_cut(const import_file_t *file);


/*
 * import_format.c.  detect: what file->format is, and the delimiter of CSV.
 * columns: what the columns of this header are.  RFL_INVALID, and why.
 */

rfl_rc_t import_detect(import_t *im, import_file_t *file, u_char *delimiter,
    rfl_error_t *err);
rfl_rc_t import_columns(import_t *im, import_format_t format,
    const rfl_str_t *names, rfl_columns_t *columns, rfl_error_t *err);

int import_is_url(import_t *im, rfl_str_t text);


/*
 * Reads one file, row by row.  RFL_OK, or why it had to stop; what it says of
 * bad rows it has said by then.
 */

rfl_rc_t import_read(import_t *im, import_file_t *file, rfl_error_t *err);
rfl_rc_t import_read_list(import_t *im, import_file_t *file,
    rfl_error_t *err);

/* What a line of a list holds, without a comment and the space around. */

rfl_str_t import_list_line(rfl_str_t line);

/*
 * import_value.c: a cell into the row, whose values are slices of the cell or
 * of im->cells.  What a tool wrote for its own use and makes no field of ours
 * (a date in words, a rating beyond 100) is left out.
 */

void import_value_begin(import_cells_t *cells);
void import_value(import_cells_t *cells, rfl_row_t *row,
    const rfl_column_t *column, rfl_str_t value);
void import_value_end(const import_cells_t *cells, rfl_row_t *row);

/*
 * import_count.c.  named: rfl_import_t's, counts hosts and target hosts.
 * groups: sets counts.grouped.
 */

rfl_rc_t import_named(void *data, const rfl_identity_t *identity,
    rfl_error_t *err);
rfl_rc_t import_count_groups(import_t *im, rfl_error_t *err);


/*
 * import_bad.c.  begin is followed by im->bad_header and bad_columns of the
 * file, but for the reason's; end gives the list its name.
 */

void import_bad_begin(import_t *im);
void import_bad(import_t *im, import_file_t *file, uint64_t line,
    const rfl_str_t *fields, size_t n, const char *why);
void import_bad_end(import_t *im, import_file_t *file);


/*
 * import_report.c.  refused: rows are bad and nothing was imported.  map_hint
 * prints the command that names the columns of a header nobody knows.
 */

int import_report(import_t *im, int imported);
int import_refused(import_t *im);
void import_map_hint(import_t *im, const import_file_t *file,
    const rfl_str_t *names, size_t n, const rfl_str_t *values, size_t nvalues);
void import_progress(import_t *im, const import_file_t *file, int end);


#endif /* IMPORT_H */
