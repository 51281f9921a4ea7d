/*
 * Bytes to text: see rfl_input.h.
 */

#include "rfl_input.h"

#include <errno.h>
#include <unistd.h>


#define REPLACEMENT    0xfffd        /* for what is no character */
#define CHARACTER_MAX  4             /* bytes of UTF-8 */


static void fill(rfl_input_t *in);
static rfl_encoding_t find_encoding(rfl_input_t *in);
static ssize_t read_text(rfl_input_t *in, u_char *buf, size_t size);
static size_t decode(rfl_input_t *in, u_char *buf, size_t size);
static uint32_t unit(const rfl_input_t *in, size_t pos);
static size_t encode(uint32_t code, u_char *out);
static int first_line(const rfl_input_t *in, const char *comments,
    rfl_str_t *line);


void
rfl_input_begin(rfl_input_t *in, int fd)
{
    memset(in, 0, offsetof(rfl_input_t, raw));

    in->fd = fd;

    while (in->raw_len < sizeof(in->raw) && !in->ended) {
        fill(in);
    }

    in->encoding = find_encoding(in);
}


rfl_str_t
rfl_input_bytes(const rfl_input_t *in)
{
    return rfl_str(in->raw, in->raw_len);
}


/* More bytes behind those that are there; none at the end or on failure. */

static void
fill(rfl_input_t *in)
{
    ssize_t  n;

    if (in->raw_pos != 0) {
        memmove(in->raw, in->raw + in->raw_pos, in->raw_len - in->raw_pos);
        in->raw_len -= in->raw_pos;
        in->raw_pos = 0;
    }

    do {
        n = read(in->fd, in->raw + in->raw_len,
                 sizeof(in->raw) - in->raw_len);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        in->error = errno;
        n = 0;
    }

    in->ended = (n == 0);
    in->raw_len += (size_t) n;
    in->done += (uint64_t) n;
}


/* Passes over the mark. */

static rfl_encoding_t
find_encoding(rfl_input_t *in)
{
    const u_char  *p;

    p = in->raw;

    if (in->raw_len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        in->raw_pos = 3;
        return RFL_INPUT_UTF8;
    }

    if (in->raw_len < 2) {
        return RFL_INPUT_UTF8;
    }

    if (p[0] == 0xff && p[1] == 0xfe) {
        in->raw_pos = 2;
        return RFL_INPUT_UTF16LE;
    }

    if (p[0] == 0xfe && p[1] == 0xff) {
        in->raw_pos = 2;
        return RFL_INPUT_UTF16BE;
    }

    if (p[0] != 0 && p[1] == 0) {
        return RFL_INPUT_UTF16LE;
    }

    if (p[0] == 0 && p[1] != 0) {
        return RFL_INPUT_UTF16BE;
    }

    return RFL_INPUT_UTF8;
}


rfl_str_t
rfl_input_peek(rfl_input_t *in, const char *comments)
{
    int        found;
    ssize_t    n;
    rfl_str_t  line;

    do {
        found = first_line(in, comments, &line);

        if (found || sizeof(in->peek) - in->peek_len < CHARACTER_MAX) {
            break;
        }

        n = read_text(in, in->peek + in->peek_len,
                      sizeof(in->peek) - in->peek_len);

        if (n > 0) {
            in->peek_len += (size_t) n;
        }

    } while (n > 0);

    return line;
}


/* Whether it is complete. */

static int
first_line(const rfl_input_t *in, const char *comments, rfl_str_t *line)
{
    const u_char  *p, *end, *eol;

    p = in->peek;
    end = p + in->peek_len;

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
rfl_input_read(void *data, u_char *buf, size_t size)
{
    rfl_input_t *in = data;

    size_t  n;

    n = in->peek_len - in->peek_pos;

    if (n == 0) {
        return read_text(in, buf, size);
    }

    n = n < size ? n : size;

    memcpy(buf, in->peek + in->peek_pos, n);
    in->peek_pos += n;

    return (ssize_t) n;
}


/* size is CHARACTER_MAX at least. */

static ssize_t
read_text(rfl_input_t *in, u_char *buf, size_t size)
{
    size_t  n;

    for ( ;; ) {

        if (in->encoding == RFL_INPUT_UTF8) {
            n = in->raw_len - in->raw_pos;
            n = n < size ? n : size;

            memcpy(buf, in->raw + in->raw_pos, n);
            in->raw_pos += n;

        } else {
            n = decode(in, buf, size);
        }

        if (n != 0) {
            in->last = buf[n - 1];
            return (ssize_t) n;
        }

        if (in->ended) {
            return in->error != 0 ? -1 : 0;
        }

        fill(in);
    }
}


/* A half of a pair, or of a unit, that ends the bytes waits for the rest. */

static size_t
decode(rfl_input_t *in, u_char *buf, size_t size)
{
    size_t    len, left;
    uint32_t  code, low;

    len = 0;

    while (len + CHARACTER_MAX <= size) {
        left = in->raw_len - in->raw_pos;

        if (left < 2) {
            if (left == 1 && in->ended) {
                in->raw_pos++;
                len += encode(REPLACEMENT, buf + len);
            }

            break;
        }

        code = unit(in, in->raw_pos);

        if (code >= 0xd800 && code <= 0xdbff) {

            if (left < 4 && !in->ended) {
                break;
            }

            low = left >= 4 ? unit(in, in->raw_pos + 2) : 0;

            if (low >= 0xdc00 && low <= 0xdfff) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                in->raw_pos += 2;

            } else {
                code = REPLACEMENT;
            }

        } else if (code >= 0xdc00 && code <= 0xdfff) {
            code = REPLACEMENT;
        }

        in->raw_pos += 2;
        len += encode(code, buf + len);
    }

    return len;
}


static uint32_t
unit(const rfl_input_t *in, size_t pos)
{
    const u_char  *p;

    p = in->raw + pos;

    return in->encoding == RFL_INPUT_UTF16LE ? (uint32_t) p[1] << 8 | p[0]
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
rfl_input_slice(void *data, u_char *buf, size_t size)
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
