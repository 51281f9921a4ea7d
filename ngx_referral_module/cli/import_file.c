/*
 * A file that is imported: its bytes as UTF-8 text, whatever a tool made of
 * them, and a look at its beginning that takes nothing away.
 *
 * UTF-16 is known by its byte order mark, or by a first character that has a
 * zero beside it: every header and every URL begins with an ASCII one.
 */

#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>


#define REPLACEMENT    0xfffd        /* for what is no character */
#define CHARACTER_MAX  4             /* bytes of UTF-8 */


static void fill(import_file_t *file);
static const char *archive(const import_file_t *file);
static int contains(const u_char *data, size_t len, const char *text);
static import_encoding_t find_encoding(import_file_t *file);
static ssize_t read_text(import_file_t *file, u_char *buf, size_t size);
static size_t decode(import_file_t *file, u_char *buf, size_t size);
static uint32_t unit(const import_file_t *file, size_t pos);
static size_t encode(uint32_t code, u_char *out);
static int first_line(const import_file_t *file, const char *comments,
    rfl_str_t *line);


int
import_file_open(const char *name, import_file_t *file)
{
    struct stat  st;

    file->name = name;
    file->shown = name;

    if (strcmp(name, IMPORT_STDIN) == 0) {
        file->shown = "standard input";
        file->fd = STDIN_FILENO;
        return CLI_OK;
    }

    file->fd = open(name, O_RDONLY|O_CLOEXEC);

    if (file->fd == -1 || fstat(file->fd, &st) == -1) {
        return cli_fail(name, "%s", strerror(errno));
    }

    if (S_ISDIR(st.st_mode)) {
        return cli_fail(name, "%s", strerror(EISDIR));
    }

    if (S_ISREG(st.st_mode)) {
        file->regular = 1;
        file->size = (uint64_t) st.st_size;
    }

    return CLI_OK;
}


void
import_file_close(import_file_t *file)
{
    if (file->fd > STDIN_FILENO) {
        (void) close(file->fd);
    }
}


rfl_rc_t
import_file_begin(import_file_t *file, rfl_error_t *err)
{
    const char  *hint;

    while (file->raw_len < sizeof(file->raw) && !file->ended) {
        fill(file);
    }

    hint = archive(file);

    if (hint != NULL) {
        return rfl_fail(err, RFL_INVALID, "%s", hint);
    }

    file->encoding = find_encoding(file);

    return RFL_OK;
}


/* More bytes behind those that are there; none at the end or on failure. */

static void
fill(import_file_t *file)
{
    ssize_t  n;

    if (file->raw_pos != 0) {
        memmove(file->raw, file->raw + file->raw_pos,
                file->raw_len - file->raw_pos);
        file->raw_len -= file->raw_pos;
        file->raw_pos = 0;
    }

    do {
        n = read(file->fd, file->raw + file->raw_len,
                 sizeof(file->raw) - file->raw_len);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        file->error = errno;
        n = 0;
    }

    file->ended = (n == 0);
    file->raw_len += (size_t) n;
    file->done += (uint64_t) n;
}


/* By their first bytes (file(1), magic/Magdir/archive and /compress). */

static const char *
archive(const import_file_t *file)
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

        if (file->raw_len < magic.len
            || memcmp(file->raw, magic.data, magic.len) != 0)
        {
            continue;
        }

        if (i == 0 && (contains(file->raw, file->raw_len, "xl/")
                       || contains(file->raw, file->raw_len,
                                   "[Content_Types].xml")))
        {
            return "it is an Excel workbook: export it, or save it, as CSV";
        }

        return archives[i].hint;
    }

    return NULL;
}


static int
contains(const u_char *data, size_t len, const char *text)
{
    return memmem(data, len, text, strlen(text)) != NULL;
}


/* Passes over the mark. */

static import_encoding_t
find_encoding(import_file_t *file)
{
    const u_char  *p;

    p = file->raw;

    if (file->raw_len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        file->raw_pos = 3;
        return IMPORT_UTF8;
    }

    if (file->raw_len < 2) {
        return IMPORT_UTF8;
    }

    if (p[0] == 0xff && p[1] == 0xfe) {
        file->raw_pos = 2;
        return IMPORT_UTF16LE;
    }

    if (p[0] == 0xfe && p[1] == 0xff) {
        file->raw_pos = 2;
        return IMPORT_UTF16BE;
    }

    if (p[0] != 0 && p[1] == 0) {
        return IMPORT_UTF16LE;
    }

    if (p[0] == 0 && p[1] != 0) {
        return IMPORT_UTF16BE;
    }

    return IMPORT_UTF8;
}


rfl_str_t
import_file_peek(import_file_t *file, const char *comments)
{
    int        found;
    ssize_t    n;
    rfl_str_t  line;

    do {
        found = first_line(file, comments, &line);

        if (found || sizeof(file->peek) - file->peek_len < CHARACTER_MAX) {
            break;
        }

        n = read_text(file, file->peek + file->peek_len,
                      sizeof(file->peek) - file->peek_len);

        if (n > 0) {
            file->peek_len += (size_t) n;
        }

    } while (n > 0);

    return line;
}


/* Whether it is complete. */

static int
first_line(const import_file_t *file, const char *comments, rfl_str_t *line)
{
    const u_char  *p, *end, *eol;

    p = file->peek;
    end = p + file->peek_len;

    do {
        eol = memchr(p, '\n', (size_t) (end - p));

        *line = rfl_str_trim(rfl_str(p, (size_t) ((eol != NULL ? eol : end)
                                                  - p)));
        p = eol != NULL ? eol + 1 : end;

    } while (eol != NULL
             && (line->len == 0 || strchr(comments, line->data[0]) != NULL));

    if (line->len != 0 && strchr(comments, line->data[0]) != NULL) {
        line->len = 0;
    }

    return eol != NULL;
}


ssize_t
import_file_read(void *data, u_char *buf, size_t size)
{
    import_file_t *file = data;

    size_t  n;

    n = file->peek_len - file->peek_pos;

    if (n == 0) {
        return read_text(file, buf, size);
    }

    n = n < size ? n : size;

    memcpy(buf, file->peek + file->peek_pos, n);
    file->peek_pos += n;

    return (ssize_t) n;
}


/* size is CHARACTER_MAX at least. */

static ssize_t
read_text(import_file_t *file, u_char *buf, size_t size)
{
    size_t  n;

    for ( ;; ) {

        if (file->encoding == IMPORT_UTF8) {
            n = file->raw_len - file->raw_pos;
            n = n < size ? n : size;

            memcpy(buf, file->raw + file->raw_pos, n);
            file->raw_pos += n;

        } else {
            n = decode(file, buf, size);
        }

        if (n != 0) {
            return (ssize_t) n;
        }

        if (file->ended) {
            return file->error != 0 ? -1 : 0;
        }

        fill(file);
    }
}


/* A half of a pair, or of a unit, that ends the bytes waits for the rest. */

static size_t
decode(import_file_t *file, u_char *buf, size_t size)
{
    size_t    len, left;
    uint32_t  code, low;

    len = 0;

    while (len + CHARACTER_MAX <= size) {
        left = file->raw_len - file->raw_pos;

        if (left < 2) {
            if (left == 1 && file->ended) {
                file->raw_pos++;
                len += encode(REPLACEMENT, buf + len);
            }

            break;
        }

        code = unit(file, file->raw_pos);

        if (code >= 0xd800 && code <= 0xdbff) {

            if (left < 4 && !file->ended) {
                break;
            }

            low = left >= 4 ? unit(file, file->raw_pos + 2) : 0;

            if (low >= 0xdc00 && low <= 0xdfff) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                file->raw_pos += 2;

            } else {
                code = REPLACEMENT;
            }

        } else if (code >= 0xdc00 && code <= 0xdfff) {
            code = REPLACEMENT;
        }

        file->raw_pos += 2;
        len += encode(code, buf + len);
    }

    return len;
}


static uint32_t
unit(const import_file_t *file, size_t pos)
{
    const u_char  *p;

    p = file->raw + pos;

    return file->encoding == IMPORT_UTF16LE ? (uint32_t) p[1] << 8 | p[0]
                                            : (uint32_t) p[0] << 8 | p[1];
}


/* RFC 3629, 3. */

static size_t
encode(uint32_t code, u_char *out)
{
    if (code < 0x80) {
        out[0] = (u_char) code;
        return 1;
    }

    if (code < 0x800) {
        out[0] = (u_char) (0xc0 | code >> 6);
        out[1] = (u_char) (0x80 | (code & 0x3f));
        return 2;
    }

    if (code < 0x10000) {
        out[0] = (u_char) (0xe0 | code >> 12);
        out[1] = (u_char) (0x80 | (code >> 6 & 0x3f));
        out[2] = (u_char) (0x80 | (code & 0x3f));
        return 3;
    }

    out[0] = (u_char) (0xf0 | code >> 18);
    out[1] = (u_char) (0x80 | (code >> 12 & 0x3f));
    out[2] = (u_char) (0x80 | (code >> 6 & 0x3f));
    out[3] = (u_char) (0x80 | (code & 0x3f));

    return 4;
}


ssize_t
import_text_read(void *data, u_char *buf, size_t size)
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
