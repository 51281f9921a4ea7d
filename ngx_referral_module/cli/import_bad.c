/*
 * Rows that are refused: said, counted, and written to FILE.bad.csv under the
 * header of FILE, so that they can be mended there and imported alone.  They
 * are written beside it: the file that has this name is read, or looked at,
 * until all of the next one is there.
 */

#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>


#define TEMP_SUFFIX  ".bad.XXXXXX"
#define NAMES_MAX    1000            /* tried before it is given up */


static void open_bad(import_t *im, import_file_t *file);
static void give_to_readers(int fd, const import_file_t *file);
static void write_bad(import_t *im, import_file_t *file, rfl_buf_t *b);
static int name_bad(import_t *im, import_file_t *file);
static void bad_name(char *path, const import_file_t *file, unsigned n);
static int is_input(const import_t *im, const struct stat *st);
static void lose(import_t *im, import_file_t *file, int error);


void
import_bad_begin(import_t *im)
{
    im->bad = NULL;
    im->bad_header.len = 0;
    im->bad_columns = 0;
}


/* A row that could not be read has no fields: its reason is kept alone. */

void
import_bad(import_t *im, import_file_t *file, uint64_t line,
    const rfl_str_t *fields, size_t n, const char *why)
{
    char       place[IMPORT_PATH_MAX];
    size_t     i;
    rfl_buf_t  b = rfl_buf_init;

    im->counts.bad++;

    if (im->counts.bad <= IMPORT_BAD_SHOWN) {
        import_progress(im, file, 1);

        (void) snprintf(place, sizeof(place), "%s:%llu", file->shown,
                        (unsigned long long) line);
        cli_warn(place, "%s", why);
    }

    if (im->dry_run || !file->regular || file->bad_error != 0) {
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

    write_bad(im, file, &b);

    rfl_buf_free(&b);
}


/* The list is the caller's, as FILE is. */

static void
open_bad(import_t *im, import_file_t *file)
{
    int  fd, error;

    (void) snprintf(im->bad_temp, IMPORT_PATH_MAX, "%s" TEMP_SUFFIX,
                    file->name);

    cli_as_caller(im->cli);

    fd = mkostemp(im->bad_temp, O_CLOEXEC);

    if (fd != -1) {
        give_to_readers(fd, file);
        im->bad = fdopen(fd, "w");
    }

    if (im->bad == NULL) {
        error = errno;

        if (fd != -1) {
            (void) close(fd);
            (void) unlink(im->bad_temp);
        }

        lose(im, file, error);
    }

    cli_as_owner(im->cli);

    if (im->bad == NULL) {
        return;
    }

    rfl_csv_field(&im->bad_header, rfl_cstr(RFL_COLUMN_REASON_NAME));
    rfl_csv_end_row(&im->bad_header);

    write_bad(im, file, &im->bad_header);
}


/*
 * It was made for the caller alone.  Who may read FILE may read it, and its
 * owner mends it; a group that FILE does not belong to gets what all others do.
 */

static void
give_to_readers(int fd, const import_file_t *file)
{
    mode_t  mode;

    mode = (file->stat.st_mode & 0666) | 0600;

    if (fchown(fd, file->stat.st_uid, file->stat.st_gid) == -1) {
        mode = (mode & 0606) | ((mode & 0006) << 3);
    }

    (void) fchmod(fd, mode);
}


static void
write_bad(import_t *im, import_file_t *file, rfl_buf_t *b)
{
    if (file->bad_error != 0) {
        return;
    }

    if (b->failed) {
        file->bad_error = ENOMEM;

    } else if (fwrite(b->data, 1, b->len, im->bad) != b->len) {
        file->bad_error = errno;
    }
}


/* All rows get the name of the list, or none does. */

void
import_bad_end(import_t *im, import_file_t *file)
{
    int  error;

    if (im->bad == NULL) {
        return;
    }

    error = file->bad_error;

    if (fclose(im->bad) == EOF && error == 0) {
        error = errno;
    }

    im->bad = NULL;

    cli_as_caller(im->cli);

    if (error == 0) {
        error = name_bad(im, file);
    }

    if (error != 0) {
        (void) unlink(im->bad_temp);
        lose(im, file, error);
    }

    cli_as_owner(im->cli);
}


/*
 * FILE.bad.csv, or the next name that is free: where it is a file of this
 * command its rows are perhaps still to be read, and are kept in any case; what
 * is no file is not ours to replace.  Returns errno, or 0.
 */

static int
name_bad(import_t *im, import_file_t *file)
{
    char         path[IMPORT_PATH_MAX];
    unsigned     n;
    struct stat  st;

    for (n = 1; n <= NAMES_MAX; n++) {
        bad_name(path, file, n);

        if (lstat(path, &st) == 0) {
            if (n != 1 || !S_ISREG(st.st_mode) || is_input(im, &st)) {
                continue;
            }

        } else if (errno != ENOENT) {
            return errno;
        }

        file->bad_path = strdup(path);

        if (file->bad_path == NULL) {
            return ENOMEM;
        }

        if (rename(im->bad_temp, path) == -1) {
            return errno;
        }

        im->bad_files++;

        return 0;
    }

    return EEXIST;
}


static void
bad_name(char *path, const import_file_t *file, unsigned n)
{
    if (n == 1) {
        (void) snprintf(path, IMPORT_PATH_MAX, "%s.bad.csv", file->name);

    } else {
        (void) snprintf(path, IMPORT_PATH_MAX, "%s.bad.%u.csv", file->name, n);
    }
}


static int
is_input(const import_t *im, const struct stat *st)
{
    size_t  i;

    for (i = 0; i < im->nfiles; i++) {
        if (st->st_dev == im->files[i].stat.st_dev
            && st->st_ino == im->files[i].stat.st_ino)
        {
            return 1;
        }
    }

    return 0;
}


static void
lose(import_t *im, import_file_t *file, int error)
{
    char  path[IMPORT_PATH_MAX];

    free(file->bad_path);
    file->bad_path = NULL;
    file->bad_error = error;
    im->bad_lost = 1;

    bad_name(path, file, 1);
    cli_warn(path, "the bad rows cannot be written: %s", strerror(error));
}
