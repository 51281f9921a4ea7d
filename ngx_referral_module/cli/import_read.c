/*
 * A file of any format, read row by row.
 */

#include "import.h"


static rfl_rc_t read_format(import_t *im, import_file_t *file,
    u_char delimiter, rfl_error_t *err);
static rfl_rc_t read_json(import_t *im, import_file_t *file,
    rfl_error_t *err);
static rfl_rc_t header(void *data, const rfl_str_t *names,
    rfl_columns_t *columns, rfl_error_t *err);
static void fill(void *data, const rfl_columns_t *columns,
    const rfl_str_t *cells, rfl_row_t *row);
static rfl_rc_t take_row(void *data, const rfl_row_t *row, rfl_error_t *err);
static rfl_rc_t bad_row(void *data, uint64_t line, const rfl_str_t *cells,
    size_t n, const char *why, rfl_error_t *err);
static rfl_rc_t step(void *data, rfl_error_t *err);


static const rfl_rows_handler_t  handler = {
    header, fill, take_row, bad_row, step
};


rfl_rc_t
import_read(import_t *im, import_file_t *file, rfl_error_t *err)
{
    u_char    delimiter;
    rfl_rc_t  rc;

    im->reading = file;

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

    if (file->input.error != 0) {
        return rfl_fail(err, RFL_ERROR, "%s", strerror(file->input.error));
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
        return read_json(im, file, err);

    default:
        return rfl_rows_csv(&im->reader, delimiter, &file->input, &handler,
                            im, err);
    }
}


static rfl_rc_t
read_json(import_t *im, import_file_t *file, rfl_error_t *err)
{
    size_t  i;

    for (i = 0; i < rfl_link_nfields; i++) {
        rfl_csv_field(&im->bad_header, rfl_link_fields[i].name);
    }

    rfl_csv_field(&im->bad_header, rfl_cstr("created"));
    im->bad_columns = rfl_link_nfields + 1;

    return rfl_rows_json(&file->input, &handler, im, err);
}


/* The header of a list of refused rows is made here too. */

static rfl_rc_t
header(void *data, const rfl_str_t *names, rfl_columns_t *columns,
    rfl_error_t *err)
{
    import_t *im = data;

    size_t    i;
    rfl_rc_t  rc;

    rc = import_columns(im, im->reading->format, names, columns, err);
    if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0; i < columns->n; i++) {
        if (columns->columns[i].role != RFL_COLUMN_REASON) {
            rfl_csv_field(&im->bad_header, rfl_str_trim(names[i]));
            im->bad_columns++;
        }
    }

    return RFL_OK;
}


static void
fill(void *data, const rfl_columns_t *columns, const rfl_str_t *cells,
    rfl_row_t *row)
{
    import_t *im = data;

    size_t  i;

    import_value_begin(&im->cells);

    for (i = 0; i < columns->n; i++) {
        import_value(&im->cells, row, &columns->columns[i], cells[i]);
    }

    import_value_end(&im->cells, row);
}


static rfl_rc_t
take_row(void *data, const rfl_row_t *row, rfl_error_t *err)
{
    import_t *im = data;

    return rfl_import_row(&im->import, row, err);
}


static rfl_rc_t
bad_row(void *data, uint64_t line, const rfl_str_t *cells, size_t n,
    const char *why, rfl_error_t *err)
{
    import_t *im = data;

    import_bad(im, im->reading, line, cells, n, why);

    return RFL_OK;
}


static rfl_rc_t
step(void *data, rfl_error_t *err)
{
    import_t *im = data;

    im->counts.rows++;
    import_progress(im, im->reading, 0);

    return RFL_OK;
}
