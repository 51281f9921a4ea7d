/*
 * A file that is imported: opened, and refused where it is an archive.
 */

#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>


static const char *archive(rfl_str_t bytes);
static int contains(rfl_str_t bytes, const char *text);


int
import_file_open(const char *name, import_file_t *file)
{
    struct stat  *st;

    st = &file->stat;
    file->name = name;
    file->shown = name;

    if (strcmp(name, IMPORT_STDIN) == 0) {
        file->shown = "standard input";
        file->fd = STDIN_FILENO;
        (void) fstat(file->fd, st);
        return CLI_OK;
    }

    file->fd = open(name, O_RDONLY|O_CLOEXEC);

    if (file->fd == -1 || fstat(file->fd, st) == -1) {
        return cli_fail(name, "%s", strerror(errno));
    }

    if (S_ISDIR(st->st_mode)) {
        return cli_fail(name, "%s", strerror(EISDIR));
    }

    if (S_ISREG(st->st_mode)) {
        file->regular = 1;
        file->size = (uint64_t) st->st_size;
    }

    return CLI_OK;
}


void
import_file_close(import_file_t *file)
{
    if (file->fd > STDIN_FILENO) {
        (void) close(file->fd);
    }

    free(file->bad_path);
}


void
import_file_wait(import_file_t *file)
{
    if (!file->begun) {
        rfl_input_begin(&file->input, file->fd);
        file->begun = 1;
    }
}


rfl_rc_t
import_file_begin(import_file_t *file, rfl_error_t *err)
{
    const char  *hint;

    import_file_wait(file);

    hint = archive(rfl_input_bytes(&file->input));

    return hint != NULL ? rfl_fail(err, RFL_INVALID, "%s", hint) : RFL_OK;
}


/* Since it was opened; a pipe has no size and no times. */

int
import_file_has_changed(const import_file_t *file)
{
    struct stat  st;

    if (!S_ISREG(file->stat.st_mode)) {
        return 0;
    }

    return fstat(file->fd, &st) == -1
           || st.st_size != file->stat.st_size
           || st.st_mtim.tv_sec != file->stat.st_mtim.tv_sec
           || st.st_mtim.tv_nsec != file->stat.st_mtim.tv_nsec;
}


/* Half a JSON is known by itself. */

int
import_file_may_be_cut(const import_file_t *file)
{
    return file->format != IMPORT_JSON && file->input.last != '\n';
}


/* By their first bytes (file(1), magic/Magdir/archive and /compress). */

static const char *
archive(rfl_str_t bytes)
{
    static const struct {
        rfl_str_t    magic;
        const char  *hint;
    } archives[] = {
        { rfl_string("PK\003\004"), "it is a ZIP archive: unpack it (unzip "
          "FILE) and import the CSV files that are in it" },
        { rfl_string("PK\005\006"), "it is an empty ZIP archive" },
        { rfl_string("\x1f\x8b"), "it is compressed: gunzip -c FILE | "
          "referralctl import -" },
        { rfl_string("BZh"), "it is compressed: bunzip2 -c FILE | "
          "referralctl import -" },
        { rfl_string("\xfd" "7zXZ"), "it is compressed: xz -dc FILE | "
          "referralctl import -" },
        { rfl_string("\x28\xb5\x2f\xfd"), "it is compressed: zstd -dc FILE | "
          "referralctl import -" },
        { rfl_string("7z\xbc\xaf\x27\x1c"), "it is a 7z archive: unpack it "
          "and import the CSV files that are in it" },
        { rfl_string("\xd0\xcf\x11\xe0"), "it is an Excel workbook: export "
          "it, or save it, as CSV" }
    };

    size_t     i;
    rfl_str_t  magic;

    for (i = 0; i < sizeof(archives) / sizeof(archives[0]); i++) {
        magic = archives[i].magic;

        if (bytes.len < magic.len
            || memcmp(bytes.data, magic.data, magic.len) != 0)
        {
            continue;
        }

        if (i == 0 && (contains(bytes, "xl/")
                       || contains(bytes, "[Content_Types].xml")))
        {
            return "it is an Excel workbook: export it, or save it, as CSV";
        }

        if (i == 0 && contains(bytes, "opendocument.spreadsheet")) {
            return "it is an OpenDocument workbook: save it as CSV";
        }

        return archives[i].hint;
    }

    return NULL;
}


static int
contains(rfl_str_t bytes, const char *text)
{
    return memmem(bytes.data, bytes.len, text, strlen(text)) != NULL;
}
