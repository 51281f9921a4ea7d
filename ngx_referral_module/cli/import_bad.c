/*
 * Rows that are refused: said, counted, and written to FILE.bad.csv under the
 * header of FILE, so that they can be mended there and imported alone.
 */

#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>


#define PLACE_MAX  4200              /* a path and a line number */


static void open_bad(import_t *im, import_file_t *file);
static void write_bad(import_t *im, rfl_buf_t *b);


void
import_bad_begin(import_t *im)
{
    im->bad = NULL;
    im->bad_denied = 0;
    im->bad_header.len = 0;
    im->bad_columns = 0;
}


/* A row that could not be read has no fields: its reason is kept alone. */

void
import_bad(import_t *im, import_file_t *file, uint64_t line,
    const rfl_str_t *fields, size_t n, const char *why)
{
    char       place[PLACE_MAX];
    size_t     i;
    rfl_buf_t  b = rfl_buf_init;

    im->counts.bad++;

    if (im->counts.bad <= IMPORT_BAD_SHOWN) {
        import_progress(im, file, 1);

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
open_bad(import_t *im, import_file_t *file)
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

    file->has_bad = 1;
    im->bad_files++;

    rfl_csv_field(&im->bad_header, rfl_cstr(RFL_COLUMN_REASON_NAME));
    rfl_csv_end_row(&im->bad_header);

    write_bad(im, &im->bad_header);
}


/* A failure sticks to the stream; import_bad_end() tells. */

static void
write_bad(import_t *im, rfl_buf_t *b)
{
    if (b->failed) {
        im->bad_denied = 1;
        return;
    }

    (void) fwrite(b->data, 1, b->len, im->bad);
}


void
import_bad_end(import_t *im, const import_file_t *file)
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
