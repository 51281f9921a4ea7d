/*
 * The one escaper for JSON.  Values come from strangers (a Referer's host, an
 * imported file), so it takes any bytes: what would not be valid JSON, or
 * would mean something in a page the JSON is embedded in, does not pass.
 */

#include "rfl_json.h"
#include "rfl_utf8.h"


static size_t rfl_json_plain(rfl_str_t s, size_t pos);
static size_t rfl_json_escape(rfl_buf_t *b, rfl_str_t s, size_t pos);
static void rfl_json_ascii(rfl_buf_t *b, u_char c);


/* Bytes that are not copied as they are: 1. */

static const u_char  rfl_json_special[256] = {
    [0x00 ... 0x1f] = 1,
    ['"'] = 1, ['\\'] = 1, ['<'] = 1, ['>'] = 1, ['&'] = 1,
    [0x7f ... 0xff] = 1
};


void
rfl_json_string(rfl_buf_t *b, rfl_str_t s)
{
    size_t  pos, end;

    rfl_buf_char(b, '"');

    pos = 0;

    while (pos < s.len) {
        end = rfl_json_plain(s, pos);
        rfl_buf_add(b, s.data + pos, end - pos);
        pos = end;

        if (pos < s.len) {
            pos += rfl_json_escape(b, s, pos);
        }
    }

    rfl_buf_char(b, '"');
}


void
rfl_json_name(rfl_buf_t *b, const char *name)
{
    size_t   len;
    u_char  *p;

    len = strlen(name);

    if (!rfl_buf_reserve(b, len + sizeof(",\"\":") - 1)) {
        return;
    }

    p = b->data + b->len;

    if (b->len != 0 && p[-1] != '{') {
        *p++ = ',';
    }

    *p++ = '"';
    memcpy(p, name, len);
    p += len;
    *p++ = '"';
    *p++ = ':';

    b->len = (size_t) (p - b->data);
}


void
rfl_json_item(rfl_buf_t *b)
{
    if (b->len != 0 && b->data[b->len - 1] != '[') {
        rfl_buf_char(b, ',');
    }
}


/* Where the run of plain bytes from pos on ends. */

static size_t
rfl_json_plain(rfl_str_t s, size_t pos)
{
    while (pos < s.len && !rfl_json_special[s.data[pos]]) {
        pos++;
    }

    return pos;
}


/* Returns how many bytes of s it took. */

static size_t
rfl_json_escape(rfl_buf_t *b, rfl_str_t s, size_t pos)
{
    int            valid;
    size_t         len;
    const u_char  *p;

    p = s.data + pos;

    if (*p < 0x80) {
        rfl_json_ascii(b, *p);
        return 1;
    }

    len = rfl_utf8_sequence(s, pos, &valid);

    if (!valid) {
        rfl_buf_text(b, RFL_UTF8_REPLACEMENT);

    } else if (len == 3 && p[0] == 0xe2 && p[1] == 0x80
               && (p[2] == 0xa8 || p[2] == 0xa9))
    {
        rfl_buf_text(b, p[2] == 0xa8 ? "\\u2028" : "\\u2029");

    } else {
        rfl_buf_add(b, p, len);
    }

    return len;
}


static void
rfl_json_ascii(rfl_buf_t *b, u_char c)
{
    switch (c) {

    case '"':
        rfl_buf_text(b, "\\\"");
        return;

    case '\\':
        rfl_buf_text(b, "\\\\");
        return;

    case '\n':
        rfl_buf_text(b, "\\n");
        return;

    case '\r':
        rfl_buf_text(b, "\\r");
        return;

    case '\t':
        rfl_buf_text(b, "\\t");
        return;

    default:
        rfl_buf_fmt(b, "\\u%04x", c);
        return;
    }
}
