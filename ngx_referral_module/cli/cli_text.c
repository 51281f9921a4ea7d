/*
 * Text for people.  What a link holds was written by strangers: an import
 * carries any bytes, and a terminal obeys some of them.
 */

#include "cli.h"


static size_t safe_piece(rfl_buf_t *b, rfl_str_t s, size_t *pos);
static size_t character(rfl_str_t s, size_t pos, uint32_t *code);
static int is_dangerous(uint32_t code);


size_t
cli_safe(rfl_buf_t *b, rfl_str_t s)
{
    size_t  pos, width;

    width = 0;

    for (pos = 0; pos < s.len; /* void */ ) {
        width += safe_piece(b, s, &pos);
    }

    return width;
}


size_t
cli_safe_cut(rfl_buf_t *b, rfl_str_t s, size_t width)
{
    size_t     pos, used, piece, keep_len, keep_width;

    keep_len = b->len;
    keep_width = 0;
    used = 0;

    for (pos = 0; pos < s.len; /* void */ ) {
        piece = safe_piece(b, s, &pos);
        used += piece;

        if (used > width) {
            break;
        }

        if (used + 3 <= width) {
            keep_len = b->len;
            keep_width = used;
        }
    }

    if (used <= width || b->failed) {
        return used;
    }

    b->len = keep_len;

    for (used = keep_width; used < width && used < keep_width + 3; used++) {
        rfl_buf_char(b, '.');
    }

    return used;
}


rfl_str_t
cli_safe_first(rfl_str_t s)
{
    size_t    len;
    uint32_t  code;

    len = character(s, 0, &code);

    return rfl_str(s.data, len != 0 ? len : 1);
}


size_t
cli_safe_width(rfl_str_t s)
{
    size_t    len;
    uint32_t  code;

    len = character(s, 0, &code);

    return len != 0 && !is_dangerous(code) ? 1 : 4 * (len != 0 ? len : 1);
}


rfl_str_t
cli_link_name(const rfl_link_t *link)
{
    return link->match_type == RFL_MATCH_TAG ? link->tag : link->source;
}


/* One character, or one byte that makes none, as it may be shown. */

static size_t
safe_piece(rfl_buf_t *b, rfl_str_t s, size_t *pos)
{
    size_t    i, len;
    uint32_t  code;

    len = character(s, *pos, &code);

    if (len != 0 && !is_dangerous(code)) {
        rfl_buf_add(b, s.data + *pos, len);
        *pos += len;
        return 1;
    }

    if (len == 0) {
        len = 1;
    }

    for (i = 0; i < len; i++) {
        rfl_buf_fmt(b, "\\x%02X", s.data[*pos + i]);
    }

    *pos += len;

    return 4 * len;
}


/*
 * The length of the UTF-8 character at pos, 0 if the bytes are none
 * (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF).
 */

static size_t
character(rfl_str_t s, size_t pos, uint32_t *code)
{
    size_t    i, len;
    u_char    c;
    uint32_t  n;

    static const uint32_t  lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };

    c = s.data[pos];

    if (c < 0x80) {
        *code = c;
        return 1;
    }

    if (c >= 0xc2 && c <= 0xdf) {
        len = 2;
        n = c & 0x1f;

    } else if (c >= 0xe0 && c <= 0xef) {
        len = 3;
        n = c & 0x0f;

    } else if (c >= 0xf0 && c <= 0xf4) {
        len = 4;
        n = c & 0x07;

    } else {
        return 0;
    }

    if (s.len - pos < len) {
        return 0;
    }

    for (i = 1; i < len; i++) {
        c = s.data[pos + i];

        if ((c & 0xc0) != 0x80) {
            return 0;
        }

        n = (n << 6) | (c & 0x3f);
    }

    if (n < lowest[len] || n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff)) {
        return 0;
    }

    *code = n;

    return len;
}


/*
 * C0, DEL and C1 controls; line and paragraph separators; the bidirectional
 * controls, which let a text look like another one (CVE-2021-42574).
 */

static int
is_dangerous(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0)
           || code == 0x200e || code == 0x200f || code == 0x061c
           || (code >= 0x2028 && code <= 0x202e)
           || (code >= 0x2066 && code <= 0x2069);
}
