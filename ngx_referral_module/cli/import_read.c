/*
 * From a file to rows: which format it has, which field each column is, and
 * what becomes of the rows that are refused.
 *
 * A file is CSV when one of the columns of its first line is known, else a
 * list of URLs, one a line, where empty lines and those that begin with "#"
 * are passed over.
 *
 * Cells are read as our own export writes them: rfl_csv_plain() takes back
 * what it did against spreadsheet formulas.
 */

#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>


#define COLUMN_IGNORED  -1
#define COLUMN_REASON   -2               /* of a list of refused rows */

#define SHOWN_MAX       300              /* of a header, in a message */
#define PLACE_MAX       4200             /* a path and a line number */
#define PROGRESS_WIDTH  40


/* The columns of a CSV file. */

typedef struct {
    size_t  n;
    int     field[RFL_CSV_FIELDS_MAX];   /* number of the field table */
} columns_t;


typedef struct {
    import_file_t  *file;
    uint64_t        line;
    size_t          len;
    size_t          pos;
    u_char          chunk[RFL_CSV_CHUNK];
} lines_t;


static rfl_rc_t detect(import_t *im, import_file_t *file,
    import_format_t *format, u_char *delimiter, rfl_error_t *err);
static void peek(import_file_t *file);
static rfl_str_t first_line(const import_file_t *file, int *complete);
static int is_header(import_t *im, rfl_str_t line, u_char delimiter);
static int is_url(import_t *im, rfl_str_t line);
static ssize_t read_text(void *data, u_char *buf, size_t size);
static ssize_t read_bytes(void *data, u_char *buf, size_t size);
static ssize_t read_file(import_file_t *file, u_char *buf, size_t size);

static rfl_rc_t read_csv(import_t *im, import_file_t *file, u_char delimiter,
    rfl_error_t *err);
static rfl_rc_t read_header(import_t *im, columns_t *columns,
    rfl_error_t *err);
static rfl_rc_t check_columns(import_t *im, const rfl_str_t *names,
    columns_t *columns, rfl_error_t *err);
static rfl_rc_t check_twice(const columns_t *columns, rfl_error_t *err);
static rfl_rc_t check_needed(import_t *im, const rfl_str_t *names,
    const columns_t *columns, rfl_error_t *err);
static int has_column(const columns_t *columns, size_t offset);
static rfl_rc_t find_column(import_t *im, rfl_str_t name, int *field);
static int is_own_column(rfl_str_t name);
static rfl_rc_t csv_row(import_t *im, import_file_t *file,
    const columns_t *columns, const rfl_str_t *fields, size_t n, uint64_t line,
    rfl_error_t *err);

static rfl_str_t cell(rfl_str_t field);

static rfl_rc_t read_urls(import_t *im, import_file_t *file,
    rfl_error_t *err);
static rfl_rc_t next_line(import_t *im, lines_t *lines, rfl_str_t *line,
    int *too_long);
static rfl_rc_t url_row(import_t *im, lines_t *lines, rfl_str_t line,
    int too_long, rfl_error_t *err);

static void refuse(import_t *im, import_file_t *file, uint64_t line,
    const rfl_str_t *fields, size_t n, const char *why);
static void open_bad(import_t *im, const import_file_t *file);
static void write_bad(import_t *im, rfl_buf_t *b);
static void close_bad(import_t *im, const import_file_t *file);
static void progress(const import_t *im, const import_file_t *file, int end);


/*
 * Columns of our exports and lists that say nothing about what a link is,
 * beside those of the counters.
 */

static const rfl_str_t  own_columns[] = {
    rfl_string("key"),
    rfl_string("created"),
    rfl_string("group"),
    rfl_string("groups"),
    rfl_string("first_seen"),
    rfl_string("last_seen"),
    rfl_string("errors")
};


rfl_rc_t
import_read(import_t *im, import_file_t *file, rfl_error_t *err)
{
    u_char           delimiter;
    rfl_rc_t         rc;
    import_format_t  format;

    im->bad = NULL;
    im->bad_denied = 0;
    im->bad_header.len = 0;
    im->bad_columns = 0;

    rc = detect(im, file, &format, &delimiter, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = format == IMPORT_CSV ? read_csv(im, file, delimiter, err)
                              : read_urls(im, file, err);

    progress(im, file, 1);

    close_bad(im, file);

    return rc;
}


static rfl_rc_t
detect(import_t *im, import_file_t *file, import_format_t *format,
    u_char *delimiter, rfl_error_t *err)
{
    int        complete;
    size_t     i;
    rfl_str_t  line;

    static const u_char  delimiters[] = { ',', ';', '\t' };

    peek(file);
    line = first_line(file, &complete);

    *format = im->format;
    *delimiter = ',';

    if (*format == IMPORT_URLS) {
        return RFL_OK;
    }

    for (i = 0; i < sizeof(delimiters); i++) {
        if (is_header(im, line, delimiters[i])) {
            *format = IMPORT_CSV;
            *delimiter = delimiters[i];
            return RFL_OK;
        }
    }

    if (*format == IMPORT_CSV) {
        return RFL_OK;
    }

    if (line.len == 0 || line.data[0] == '#' || is_url(im, line)) {
        *format = IMPORT_URLS;
        return RFL_OK;
    }

    return rfl_fail(err, RFL_INVALID, "its first line is neither a URL nor "
                    "names columns that are known: see \"referralctl import "
                    "--help\" about --format and --map");
}


/* The beginning of the file; reading goes on from its first byte. */

static void
peek(import_file_t *file)
{
    int      complete;
    ssize_t  n;

    file->peek_pos = 0;
    file->peek_len = 0;

    do {
        n = read_file(file, file->peek + file->peek_len,
                      sizeof(file->peek) - file->peek_len);
        if (n <= 0) {
            break;
        }

        file->peek_len += (size_t) n;

        (void) first_line(file, &complete);

    } while (!complete && file->peek_len < sizeof(file->peek));
}


/* The first line that is not empty, without what surrounds it. */

static rfl_str_t
first_line(const import_file_t *file, int *complete)
{
    const u_char  *p, *end, *eol;

    p = file->peek;
    end = p + file->peek_len;

    if (end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        p += 3;
    }

    while (p < end && (*p == '\n' || *p == '\r')) {
        p++;
    }

    eol = memchr(p, '\n', end - p);

    *complete = (eol != NULL);

    if (eol == NULL) {
        eol = end;
    }

    return rfl_str_trim(rfl_str(p, eol - p));
}


static int
is_header(import_t *im, rfl_str_t line, u_char delimiter)
{
    int               field;
    size_t            i, n;
    uint64_t          number;
    const rfl_str_t  *names;

    rfl_csv_init(&im->reader, delimiter, read_text, &line);

    if (rfl_csv_next(&im->reader, &names, &n, &number, NULL) != RFL_OK) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (find_column(im, names[i], &field) == RFL_OK) {
            return 1;
        }
    }

    return 0;
}


static int
is_url(import_t *im, rfl_str_t line)
{
    rfl_link_t  link;

    memset(&link, 0, sizeof(rfl_link_t));
    link.match_type = rfl_identity_guess(line, link.tag);
    link.source = line;

    return rfl_identity(&link, &im->identity, NULL) == RFL_OK;
}


/* For rfl_csv_init(): a text, what was peeked at and then the file, a file. */

static ssize_t
read_text(void *data, u_char *buf, size_t size)
{
    rfl_str_t *text = data;

    size_t  n;

    n = text->len < size ? text->len : size;

    if (n != 0) {
        memcpy(buf, text->data, n);
        text->data += n;
        text->len -= n;
    }

    return (ssize_t) n;
}


static ssize_t
read_bytes(void *data, u_char *buf, size_t size)
{
    import_file_t *file = data;

    size_t  n;

    n = file->peek_len - file->peek_pos;

    if (n == 0) {
        return read_file(file, buf, size);
    }

    n = n < size ? n : size;

    memcpy(buf, file->peek + file->peek_pos, n);
    file->peek_pos += n;

    return (ssize_t) n;
}


static ssize_t
read_file(import_file_t *file, u_char *buf, size_t size)
{
    ssize_t  n;

    do {
        n = read(file->fd, buf, size);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        file->error = errno;
        return -1;
    }

    file->done += (uint64_t) n;

    return n;
}


static rfl_rc_t
read_csv(import_t *im, import_file_t *file, u_char delimiter, rfl_error_t *err)
{
    size_t            n;
    rfl_rc_t          rc;
    uint64_t          line;
    columns_t         columns;
    const rfl_str_t  *fields;

    rfl_csv_init(&im->reader, delimiter, read_bytes, file);

    rc = read_header(im, &columns, err);

    while (rc == RFL_OK) {
        rc = rfl_csv_next(&im->reader, &fields, &n, &line, err);

        if (rc == RFL_OK) {
            rc = csv_row(im, file, &columns, fields, n, line, err);

        } else if (rc == RFL_INVALID) {
            im->counts.rows++;
            refuse(im, file, line, NULL, 0, im->reader.fault);
            rc = RFL_OK;
        }

        progress(im, file, 0);
    }

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (im->reader.failed) {
        return rfl_fail(err, RFL_ERROR, "%s", strerror(file->error));
    }

    return rc;
}


/* The header of a list of refused rows is made here too. */

static rfl_rc_t
read_header(import_t *im, columns_t *columns, rfl_error_t *err)
{
    size_t            i;
    rfl_rc_t          rc;
    uint64_t          line;
    const rfl_str_t  *names;

    rc = rfl_csv_next(&im->reader, &names, &columns->n, &line, err);

    if (rc == RFL_NOT_FOUND) {
        return rfl_fail(err, RFL_INVALID, "the file is empty, a header is "
                        "missing");
    }

    if (rc != RFL_OK) {
        return rc;
    }

    rc = check_columns(im, names, columns, err);
    if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0; i < columns->n; i++) {
        if (columns->field[i] != COLUMN_REASON) {
            rfl_csv_field(&im->bad_header, rfl_str_trim(names[i]));
            im->bad_columns++;
        }
    }

    return RFL_OK;
}


/* All that is wrong with the header at once: unknown columns are many. */

static rfl_rc_t
check_columns(import_t *im, const rfl_str_t *names, columns_t *columns,
    rfl_error_t *err)
{
    size_t     i;
    rfl_rc_t   rc;
    rfl_buf_t  unknown = rfl_buf_init;

    for (i = 0; i < columns->n; i++) {

        if (find_column(im, names[i], &columns->field[i]) == RFL_OK) {
            continue;
        }

        rfl_buf_fmt(&unknown, "%s\"%.*s\"", unknown.len != 0 ? ", " : "",
                    (int) names[i].len, (const char *) names[i].data);
    }

    if (unknown.len != 0) {
        rc = rfl_fail(err, RFL_INVALID, "no field for the column %.*s: use "
                      "--map COLUMN=FIELD, or --map COLUMN= to ignore it",
                      (int) (unknown.len < SHOWN_MAX ? unknown.len
                                                     : SHOWN_MAX),
                      (const char *) unknown.data);
        rfl_buf_free(&unknown);
        return rc;
    }

    rc = check_twice(columns, err);
    if (rc != RFL_OK) {
        return rc;
    }

    return check_needed(im, names, columns, err);
}


static rfl_rc_t
check_twice(const columns_t *columns, rfl_error_t *err)
{
    size_t                   i, k;
    const rfl_link_field_t  *field;

    for (i = 0; i < columns->n; i++) {
        for (k = 0; k < i; k++) {

            if (columns->field[i] < 0
                || columns->field[i] != columns->field[k])
            {
                continue;
            }

            field = &rfl_link_fields[columns->field[i]];

            return rfl_fail(err, RFL_INVALID, "two columns are the field "
                            "\"%.*s\"", (int) field->name.len,
                            (const char *) field->name.data);
        }
    }

    return RFL_OK;
}


/* The source (or the tag, where all are tag links), and what --map names. */

static rfl_rc_t
check_needed(import_t *im, const rfl_str_t *names, const columns_t *columns,
    rfl_error_t *err)
{
    size_t  i, k;

    if (!has_column(columns, offsetof(rfl_link_t, source))
        && !has_column(columns, offsetof(rfl_link_t, tag)))
    {
        return rfl_fail(err, RFL_INVALID, "there is no column \"source\"");
    }

    for (k = 0; k < im->nmaps; k++) {

        for (i = 0; i < columns->n; i++) {
            if (rfl_str_caseeq(rfl_str_trim(names[i]), im->maps[k].column)) {
                break;
            }
        }

        if (i == columns->n) {
            return rfl_fail(err, RFL_INVALID, "there is no column \"%.*s\" "
                            "to map", (int) im->maps[k].column.len,
                            (const char *) im->maps[k].column.data);
        }
    }

    return RFL_OK;
}


static int
has_column(const columns_t *columns, size_t offset)
{
    size_t  i;

    for (i = 0; i < columns->n; i++) {
        if (columns->field[i] >= 0
            && rfl_link_fields[columns->field[i]].offset == offset)
        {
            return 1;
        }
    }

    return 0;
}


/* What --map says comes first. */

static rfl_rc_t
find_column(import_t *im, rfl_str_t name, int *field)
{
    size_t  i;

    name = rfl_str_trim(name);
    *field = COLUMN_IGNORED;

    for (i = 0; i < im->nmaps; i++) {
        if (rfl_str_caseeq(name, im->maps[i].column)) {

            if (im->maps[i].field != NULL) {
                *field = (int) (im->maps[i].field - rfl_link_fields);
            }

            return RFL_OK;
        }
    }

    for (i = 0; i < rfl_link_nfields; i++) {
        if (rfl_str_caseeq(name, rfl_link_fields[i].name)) {
            *field = (int) i;
            return RFL_OK;
        }
    }

    if (rfl_str_caseeq(name, rfl_cstr(IMPORT_BAD_COLUMN))) {
        *field = COLUMN_REASON;
        return RFL_OK;
    }

    return is_own_column(name) ? RFL_OK : RFL_NOT_FOUND;
}


static int
is_own_column(rfl_str_t name)
{
    size_t  i;

    for (i = 0; i < sizeof(own_columns) / sizeof(own_columns[0]); i++) {
        if (rfl_str_caseeq(name, own_columns[i])) {
            return 1;
        }
    }

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        if (rfl_str_caseeq(name, rfl_counter_table[i].name)) {
            return 1;
        }
    }

    return 0;
}


static rfl_rc_t
csv_row(import_t *im, import_file_t *file, const columns_t *columns,
    const rfl_str_t *fields, size_t n, uint64_t line, rfl_error_t *err)
{
    char          why[64];
    size_t        i, nkept;
    rfl_rc_t      rc;
    rfl_str_t     value, kept[RFL_CSV_FIELDS_MAX];
    import_row_t  row;

    im->counts.rows++;

    memset(&row, 0, sizeof(import_row_t));
    nkept = 0;

    for (i = 0; i < n && i < columns->n; i++) {
        value = cell(fields[i]);

        if (columns->field[i] != COLUMN_REASON) {
            kept[nkept++] = value;
        }

        if (columns->field[i] >= 0) {
            row.values[columns->field[i]] = value;
            row.given[columns->field[i]] = 1;
        }
    }

    if (n != columns->n) {
        (void) snprintf(why, sizeof(why), "the row has %zu fields, the header "
                        "%zu", n, columns->n);
        refuse(im, file, line, kept, nkept, why);
        return RFL_OK;
    }

    rc = import_row(im, &row, err);

    if (rc == RFL_INVALID) {
        refuse(im, file, line, kept, nkept, err->text);
        return RFL_OK;
    }

    return rc;
}


/*
 * As our export wrote it, and with the lines of a text ended by LF: files
 * with CR LF have it in their cells too.  The bytes are im->reader's own.
 */

static rfl_str_t
cell(rfl_str_t field)
{
    size_t   i, len;
    u_char  *p;

    field = rfl_csv_plain(field);
    p = (u_char *) field.data;
    len = 0;

    for (i = 0; i < field.len; i++) {
        if (p[i] != '\r' || i + 1 == field.len || p[i + 1] != '\n') {
            p[len++] = p[i];
        }
    }

    return rfl_str(p, len);
}


static rfl_rc_t
read_urls(import_t *im, import_file_t *file, rfl_error_t *err)
{
    int        too_long;
    rfl_rc_t   rc;
    rfl_str_t  line;
    lines_t    lines;

    rfl_csv_field(&im->bad_header, rfl_cstr("source"));
    im->bad_columns = 1;

    memset(&lines, 0, offsetof(lines_t, chunk));
    lines.file = file;

    do {
        rc = next_line(im, &lines, &line, &too_long);

        if (rc == RFL_OK) {
            rc = url_row(im, &lines, line, too_long, err);
        }

        progress(im, file, 0);

    } while (rc == RFL_OK);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (file->error != 0) {
        return rfl_fail(err, RFL_ERROR, "%s", strerror(file->error));
    }

    return rc;
}


/* What does not fit im->line is passed over. */

static rfl_rc_t
next_line(import_t *im, lines_t *lines, rfl_str_t *line, int *too_long)
{
    size_t         n, len, room;
    ssize_t        got;
    const u_char  *start, *eol;

    len = 0;
    *too_long = 0;

    for ( ;; ) {

        if (lines->pos == lines->len) {
            got = read_bytes(lines->file, lines->chunk, sizeof(lines->chunk));

            if (got < 0) {
                return RFL_ERROR;
            }

            if (got == 0 && len == 0) {
                return RFL_NOT_FOUND;
            }

            lines->pos = 0;
            lines->len = (size_t) got;
        }

        start = lines->chunk + lines->pos;
        n = lines->len - lines->pos;
        eol = n != 0 ? memchr(start, '\n', n) : NULL;
        n = eol != NULL ? (size_t) (eol - start) : n;

        room = sizeof(im->line) - len;

        if (n > room) {
            *too_long = 1;
        }

        memcpy(im->line + len, start, n < room ? n : room);
        len += n < room ? n : room;
        lines->pos += n + (eol != NULL);

        if (eol != NULL || lines->len == 0) {
            break;
        }
    }

    lines->line++;
    *line = rfl_str(im->line, len);

    return RFL_OK;
}


static rfl_rc_t
url_row(import_t *im, lines_t *lines, rfl_str_t line, int too_long,
    rfl_error_t *err)
{
    rfl_rc_t      rc;
    import_row_t  row;

    if (lines->line == 1 && line.len >= 3
        && memcmp(line.data, "\xef\xbb\xbf", 3) == 0)
    {
        line.data += 3;
        line.len -= 3;
    }

    line = rfl_str_trim(line);

    if (line.len == 0 || line.data[0] == '#') {
        return RFL_OK;
    }

    im->counts.rows++;

    if (too_long) {
        rc = rfl_fail(err, RFL_INVALID, "the line is longer than %d bytes",
                      IMPORT_LINE_MAX);

    } else {
        memset(&row, 0, sizeof(import_row_t));
        row.values[0] = line;
        row.given[0] = 1;

        rc = import_row(im, &row, err);
    }

    if (rc == RFL_INVALID) {
        refuse(im, lines->file, lines->line, &line, 1, err->text);
        return RFL_OK;
    }

    return rc;
}


/* A row that could not be read has no fields: its reason is kept alone. */

static void
refuse(import_t *im, import_file_t *file, uint64_t line,
    const rfl_str_t *fields, size_t n, const char *why)
{
    char       place[PLACE_MAX];
    size_t     i;
    rfl_buf_t  b = rfl_buf_init;

    im->counts.bad++;

    if (im->counts.bad <= IMPORT_BAD_SHOWN) {
        (void) snprintf(place, sizeof(place), "%s:%llu", file->shown,
                        (unsigned long long) line);
        cli_warn(place, "%s", why);
    }

    if (im->dry_run || !file->regular) {
        return;
    }

    if (im->bad == NULL) {
        open_bad(im, file);
    }

    if (im->bad == NULL) {
        return;
    }

    for (i = 0; i < n; i++) {
        rfl_csv_field(&b, fields[i]);
    }

    for ( /* void */ ; i < im->bad_columns; i++) {
        rfl_csv_field(&b, rfl_str(NULL, 0));
    }

    rfl_csv_field(&b, rfl_cstr(why));
    rfl_csv_end_row(&b);

    write_bad(im, &b);

    rfl_buf_free(&b);
}


/* The list is the caller's, as FILE is; a link is not followed. */

static void
open_bad(import_t *im, const import_file_t *file)
{
    int   fd;
    char  path[PLACE_MAX];

    if (im->bad_denied) {
        return;
    }

    (void) snprintf(path, sizeof(path), "%s" IMPORT_BAD_SUFFIX, file->name);

    cli_as_caller(im->cli);

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW|O_CLOEXEC, 0666);

    cli_as_owner(im->cli);

    if (fd != -1) {
        im->bad = fdopen(fd, "w");
    }

    if (im->bad == NULL) {
        cli_warn(path, "the bad rows cannot be written: %s", strerror(errno));
        im->bad_denied = 1;

        if (fd != -1) {
            (void) close(fd);
        }

        return;
    }

    im->bad_files++;

    rfl_csv_field(&im->bad_header, rfl_cstr(IMPORT_BAD_COLUMN));
    rfl_csv_end_row(&im->bad_header);

    write_bad(im, &im->bad_header);
}


/* A failure sticks to the stream; close_bad() tells. */

static void
write_bad(import_t *im, rfl_buf_t *b)
{
    if (b->failed) {
        im->bad_denied = 1;
        return;
    }

    (void) fwrite(b->data, 1, b->len, im->bad);
}


static void
close_bad(import_t *im, const import_file_t *file)
{
    int   failed;
    char  path[PLACE_MAX];

    if (im->bad == NULL) {
        return;
    }

    failed = ferror(im->bad) | im->bad_denied;
    failed |= fclose(im->bad);
    im->bad = NULL;

    if (failed) {
        (void) snprintf(path, sizeof(path), "%s" IMPORT_BAD_SUFFIX,
                        file->name);
        cli_warn(path, "some bad rows could not be written");
    }
}


/* On a terminal, where the file's size is known. */

static void
progress(const import_t *im, const import_file_t *file, int end)
{
    char      bar[PROGRESS_WIDTH + 1];
    unsigned  done;

    if (!im->progress || file->size == 0) {
        return;
    }

    if (end) {
        fprintf(stderr, "\r%*s\r", PROGRESS_WIDTH + 40, "");
        return;
    }

    if (im->counts.rows % IMPORT_PROGRESS_ROWS != 0 || im->counts.rows == 0) {
        return;
    }

    done = file->done >= file->size
           ? 100 : (unsigned) (file->done * 100 / file->size);

    memset(bar, '.', PROGRESS_WIDTH);
    memset(bar, '#', done * PROGRESS_WIDTH / 100);
    bar[PROGRESS_WIDTH] = '\0';

    fprintf(stderr, "\r[%s] %3u %%  %llu rows", bar, done,
            (unsigned long long) im->counts.rows);
}
