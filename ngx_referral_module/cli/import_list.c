/*
 * Lists, a line a link: plain URLs, and what Google's disavow tool takes:
 *
 *     # comment
 *     https://spam.example/page  # comment
 *     domain:spam.example
 */

#include "import.h"


#define DOMAIN      "domain:"
#define DOMAIN_LEN  (sizeof(DOMAIN) - 1)


typedef struct {
    import_file_t  *file;
    uint64_t        line;
    size_t          len;
    size_t          pos;
    u_char          chunk[RFL_CSV_CHUNK];
} lines_t;


static rfl_rc_t next_line(import_t *im, lines_t *lines, rfl_str_t *line,
    int *too_long);
static rfl_rc_t list_row(import_t *im, lines_t *lines, rfl_str_t line,
    int too_long, rfl_error_t *err);
static rfl_rc_t make_row(import_t *im, lines_t *lines, rfl_str_t line,
    rfl_row_t *row, rfl_error_t *err);
static int has_space(rfl_str_t line);
static int is_space(u_char c);
static int is_domain(rfl_str_t line);
static void set(rfl_row_t *row, const char *name, rfl_str_t value);
static void refuse(import_t *im, lines_t *lines, const rfl_row_t *row,
    const char *why);
static rfl_str_t get(const rfl_row_t *row, const char *name);


rfl_rc_t
import_read_list(import_t *im, import_file_t *file, rfl_error_t *err)
{
    int        too_long;
    rfl_rc_t   rc;
    rfl_str_t  line;
    lines_t    lines;

    rfl_csv_field(&im->bad_header, rfl_cstr("source"));
    im->bad_columns = 1;

    if (file->format == IMPORT_DISAVOW) {
        rfl_csv_field(&im->bad_header, rfl_cstr("match_type"));
        rfl_csv_field(&im->bad_header, rfl_cstr("labels"));
        im->bad_columns = 3;
    }

    memset(&lines, 0, offsetof(lines_t, chunk));
    lines.file = file;

    do {
        rc = next_line(im, &lines, &line, &too_long);

        if (rc == RFL_OK) {
            rc = list_row(im, &lines, line, too_long, err);
        }

        import_progress(im, file, 0);

    } while (rc == RFL_OK);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
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
            got = rfl_input_read(&lines->file->input, lines->chunk,
                                   sizeof(lines->chunk));

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
list_row(import_t *im, lines_t *lines, rfl_str_t line, int too_long,
    rfl_error_t *err)
{
    rfl_rc_t      rc;
    rfl_row_t  row;

    line = import_list_line(line);

    if (line.len == 0) {
        return RFL_OK;
    }

    im->counts.rows++;

    memset(&row, 0, sizeof(rfl_row_t));

    rc = make_row(im, lines, line, &row, err);

    if (rc == RFL_OK) {
        rc = too_long ? rfl_fail(err, RFL_INVALID, "the line is longer than "
                                 "%d bytes", IMPORT_LINE_MAX)
                      : rfl_import_row(&im->import, &row, err);
    }

    if (rc == RFL_INVALID) {
        refuse(im, lines, &row, err->text);
        return RFL_OK;
    }

    return rc;
}


rfl_str_t
import_list_line(rfl_str_t line)
{
    size_t  i;

    line = rfl_str_trim(line);

    for (i = 0; i < line.len; i++) {
        if (line.data[i] == '#' && (i == 0 || is_space(line.data[i - 1]))) {
            return rfl_str_trim(rfl_str(line.data, i));
        }
    }

    return line;
}


/*
 * "domain:" takes the domain and all below it; an address has nothing below.
 * In a list that was taken for plain URLs it means that the lines before
 * should have been labelled: it ends the import.
 */

static rfl_rc_t
make_row(import_t *im, lines_t *lines, rfl_str_t line, rfl_row_t *row,
    rfl_error_t *err)
{
    const char  *type;

    if (lines->file->format == IMPORT_URLS) {

        if (is_domain(line) && im->format == IMPORT_AUTO) {
            return rfl_fail(err, RFL_ERROR, "line %llu is of a disavow list: "
                            "use --format disavow",
                            (unsigned long long) lines->line);
        }

        set(row, "source", line);

        return has_space(line)
               ? rfl_link_invalid(err, rfl_cstr("source"), line,
                                  "holds white space: a line of a list is "
                                  "one URL")
               : RFL_OK;
    }

    row->marks = RFL_IMPORT_DISAVOWED;

    if (!is_domain(line)) {
        set(row, "source", line);
        set(row, "match_type", rfl_cstr("exact"));
        return RFL_OK;
    }

    line = rfl_str_trim(rfl_str(line.data + DOMAIN_LEN,
                                line.len - DOMAIN_LEN));

    type = line.len != 0 && (line.data[0] == '['
                             || (line.data[line.len - 1] >= '0'
                                 && line.data[line.len - 1] <= '9'))
           ? "host" : "domain";

    set(row, "source", line);
    set(row, "match_type", rfl_cstr(type));

    return RFL_OK;
}


/* As a part of the URL it would be "%20", and the link found by nobody. */

static int
has_space(rfl_str_t line)
{
    size_t  i;

    for (i = 0; i < line.len; i++) {
        if (is_space(line.data[i])) {
            return 1;
        }
    }

    return 0;
}


static int
is_space(u_char c)
{
    return c == ' ' || c == '\t';
}


static int
is_domain(rfl_str_t line)
{
    return line.len >= DOMAIN_LEN
           && rfl_str_caseeq(rfl_str(line.data, DOMAIN_LEN), rfl_cstr(DOMAIN));
}


static void
set(rfl_row_t *row, const char *name, rfl_str_t value)
{
    size_t  i;

    i = (size_t) (rfl_link_field(rfl_cstr(name)) - rfl_link_fields);

    row->values[i] = value;
    row->given[i] = 1;
}


static void
refuse(import_t *im, lines_t *lines, const rfl_row_t *row, const char *why)
{
    rfl_str_t  fields[3];

    fields[0] = get(row, "source");
    fields[1] = get(row, "match_type");
    fields[2] = rfl_cstr("disavowed");

    import_bad(im, lines->file, lines->line, fields, im->bad_columns, why);
}


static rfl_str_t
get(const rfl_row_t *row, const char *name)
{
    return row->values[rfl_link_field(rfl_cstr(name)) - rfl_link_fields];
}
