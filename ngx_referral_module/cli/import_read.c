/*
 * A file of any format, and CSV: from cells to rows.
 *
 * Cells of our own files are read as our export writes them: rfl_csv_plain()
 * takes back what it did against spreadsheet formulas.  In exports of other
 * tools an apostrophe is an apostrophe.
 */

#include "import.h"


#define WHY_MAX  64


static rfl_rc_t read_format(import_t *im, import_file_t *file,
    u_char delimiter, rfl_error_t *err);
static rfl_rc_t read_csv(import_t *im, import_file_t *file, u_char delimiter,
    rfl_error_t *err);
static rfl_rc_t read_header(import_t *im, import_file_t *file,
    import_columns_t *columns, rfl_error_t *err);
static rfl_rc_t csv_row(import_t *im, import_file_t *file,
    const import_columns_t *columns, const rfl_str_t *fields, size_t n,
    uint64_t line, rfl_error_t *err);
static rfl_str_t cell(rfl_str_t field, int is_ours);


rfl_rc_t
import_read(import_t *im, import_file_t *file, rfl_error_t *err)
{
    u_char    delimiter;
    rfl_rc_t  rc;

    rc = import_file_begin(file, err);

    if (rc == RFL_OK) {
        rc = import_detect(im, file, &delimiter, err);
    }

    if (rc == RFL_OK) {
        import_bad_begin(im);

        rc = read_format(im, file, delimiter, err);

        import_progress(im, file, 1);
        import_bad_end(im, file);
    }

    if (file->error != 0) {
        return rfl_fail(err, RFL_ERROR, "%s", strerror(file->error));
    }

    return rc;
}


static rfl_rc_t
read_format(import_t *im, import_file_t *file, u_char delimiter,
    rfl_error_t *err)
{
    switch (file->format) {

    case IMPORT_URLS:
    case IMPORT_DISAVOW:
        return import_read_list(im, file, err);

    case IMPORT_JSON:
        return import_read_json(im, file, err);

    default:
        return read_csv(im, file, delimiter, err);
    }
}


static rfl_rc_t
read_csv(import_t *im, import_file_t *file, u_char delimiter, rfl_error_t *err)
{
    size_t             n;
    rfl_rc_t           rc;
    uint64_t           line;
    const rfl_str_t   *fields;
    import_columns_t   columns;

    rfl_csv_init(&im->reader, delimiter, import_file_read, file);

    rc = read_header(im, file, &columns, err);

    while (rc == RFL_OK) {
        rc = rfl_csv_next(&im->reader, &fields, &n, &line, err);

        if (rc == RFL_OK) {
            rc = csv_row(im, file, &columns, fields, n, line, err);

        } else if (rc == RFL_INVALID) {
            im->counts.rows++;
            import_bad(im, file, line, NULL, 0, im->reader.fault);
            rc = RFL_OK;
        }

        import_progress(im, file, 0);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


/* The header of a list of refused rows is made here too. */

static rfl_rc_t
read_header(import_t *im, import_file_t *file, import_columns_t *columns,
    rfl_error_t *err)
{
    size_t            i;
    rfl_rc_t          rc;
    uint64_t          line;
    const rfl_str_t  *names;

    columns->format = file->format;

    rc = rfl_csv_next(&im->reader, &names, &columns->n, &line, err);

    if (rc == RFL_NOT_FOUND) {
        return rfl_fail(err, RFL_INVALID, "the file is empty, a header is "
                        "missing");
    }

    if (rc != RFL_OK) {
        return rc;
    }

    rc = import_columns(im, names, columns, err);
    if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0; i < columns->n; i++) {
        if (columns->columns[i].role != IMPORT_REASON) {
            rfl_csv_field(&im->bad_header, rfl_str_trim(names[i]));
            im->bad_columns++;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
csv_row(import_t *im, import_file_t *file, const import_columns_t *columns,
    const rfl_str_t *fields, size_t n, uint64_t line, rfl_error_t *err)
{
    char          why[WHY_MAX];
    size_t        i, nkept;
    rfl_rc_t      rc;
    rfl_str_t     kept[RFL_CSV_FIELDS_MAX];
    import_row_t  row;

    im->counts.rows++;

    nkept = 0;

    for (i = 0; i < n && i < columns->n; i++) {
        if (columns->columns[i].role != IMPORT_REASON) {
            kept[nkept++] = cell(fields[i], columns->is_ours);
        }
    }

    if (n != columns->n) {
        (void) snprintf(why, sizeof(why), "the row has %zu fields, the header "
                        "%zu", n, columns->n);
        import_bad(im, file, line, kept, nkept, why);
        return RFL_OK;
    }

    nkept = 0;
    import_value_begin(&im->cells, &row);

    for (i = 0; i < n; i++) {
        if (columns->columns[i].role != IMPORT_REASON) {
            import_value(&im->cells, &row, &columns->columns[i],
                         kept[nkept++]);
        }
    }

    import_value_end(&im->cells, &row);

    rc = import_row(im, &row, err);

    if (rc == RFL_INVALID) {
        import_bad(im, file, line, kept, nkept, err->text);
        return RFL_OK;
    }

    return rc;
}


/*
 * The lines of a text end in LF: files with CR LF have it in their cells too.
 * The bytes are im->reader's own.
 */

static rfl_str_t
cell(rfl_str_t field, int is_ours)
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
