/*
 * Text for people.  What a link holds was written by strangers: an import
 * carries any bytes, and a terminal obeys some of them.
 */

#include "cli.h"


typedef struct {
    uint32_t  first;
    uint32_t  last;
    unsigned  columns;
} range_t;


static size_t safe_piece(rfl_buf_t *b, rfl_str_t s, size_t *pos);
static size_t character(rfl_str_t s, size_t pos, uint32_t *code);
static int is_dangerous(uint32_t code);
static size_t columns(uint32_t code);


/*
 * Characters that do not take one column, in the order of their codes: marks
 * on the character before and those that are not seen take none; those that
 * UAX #11 calls wide or fullwidth take two.  Blocks are taken as a whole.
 */

static const range_t  ranges[] = {
    { 0x00300, 0x0036f, 0 },         /* combining marks */
    { 0x00483, 0x00489, 0 },
    { 0x00591, 0x005bd, 0 },         /* Hebrew */
    { 0x00610, 0x0061a, 0 },         /* Arabic */
    { 0x0064b, 0x0065f, 0 },
    { 0x006d6, 0x006dc, 0 },
    { 0x0093c, 0x0093c, 0 },         /* Devanagari */
    { 0x00941, 0x00948, 0 },
    { 0x0094d, 0x0094d, 0 },
    { 0x00e31, 0x00e31, 0 },         /* Thai */
    { 0x00e34, 0x00e3a, 0 },
    { 0x00e47, 0x00e4e, 0 },
    { 0x01100, 0x0115f, 2 },         /* Hangul */
    { 0x01160, 0x011ff, 0 },
    { 0x01ab0, 0x01aff, 0 },
    { 0x01dc0, 0x01dff, 0 },
    { 0x0200b, 0x0200d, 0 },
    { 0x02060, 0x02064, 0 },
    { 0x020d0, 0x020f0, 0 },
    { 0x0231a, 0x0231b, 2 },
    { 0x023e9, 0x023ec, 2 },
    { 0x02614, 0x02615, 2 },
    { 0x02648, 0x02653, 2 },
    { 0x026aa, 0x026ab, 2 },
    { 0x026bd, 0x026be, 2 },
    { 0x02705, 0x02705, 2 },
    { 0x0270a, 0x0270b, 2 },
    { 0x02728, 0x02728, 2 },
    { 0x0274c, 0x0274c, 2 },
    { 0x02753, 0x02755, 2 },
    { 0x02795, 0x02797, 2 },
    { 0x02b1b, 0x02b1c, 2 },
    { 0x02b50, 0x02b50, 2 },
    { 0x02e80, 0x03029, 2 },         /* CJK */
    { 0x0302a, 0x0302d, 0 },
    { 0x0302e, 0x0303e, 2 },
    { 0x03041, 0x03098, 2 },         /* kana */
    { 0x03099, 0x0309a, 0 },
    { 0x0309b, 0x0a4cf, 2 },         /* CJK, Yi */
    { 0x0a960, 0x0a97f, 2 },
    { 0x0ac00, 0x0d7a3, 2 },         /* Hangul */
    { 0x0f900, 0x0faff, 2 },
    { 0x0fe00, 0x0fe0f, 0 },         /* variation selectors */
    { 0x0fe10, 0x0fe19, 2 },
    { 0x0fe20, 0x0fe2f, 0 },
    { 0x0fe30, 0x0fe6f, 2 },
    { 0x0feff, 0x0feff, 0 },
    { 0x0ff01, 0x0ff60, 2 },         /* fullwidth forms */
    { 0x0ffe0, 0x0ffe6, 2 },
    { 0x16fe0, 0x18cff, 2 },         /* Tangut */
    { 0x1b000, 0x1b2ff, 2 },
    { 0x1f004, 0x1f004, 2 },
    { 0x1f18e, 0x1f18e, 2 },
    { 0x1f191, 0x1f19a, 2 },
    { 0x1f200, 0x1f320, 2 },
    { 0x1f32d, 0x1f64f, 2 },         /* emoji */
    { 0x1f680, 0x1f6ff, 2 },
    { 0x1f7e0, 0x1f7eb, 2 },
    { 0x1f90c, 0x1f9ff, 2 },
    { 0x1fa70, 0x1faff, 2 },
    { 0x20000, 0x3fffd, 2 },         /* CJK */
    { 0xe0001, 0xe01ef, 0 }
};


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

    return len != 0 && !is_dangerous(code) ? columns(code)
                                           : 4 * (len != 0 ? len : 1);
}


rfl_str_t
cli_link_name(const rfl_link_t *link)
{
    return link->match_type == RFL_MATCH_TAG ? link->tag : link->source;
}


void
cli_group_name(const rfl_group_t *group, rfl_buf_t *name, rfl_buf_t *target)
{
    size_t         i, end, label;
    rfl_str_t      text;
    const u_char  *newline;

    text = group->text;
    newline = memchr(text.data, '\n', text.len);

    if (newline != NULL) {
        i = (size_t) (newline - text.data);
        rfl_buf_str(target, rfl_str(newline + 1, text.len - i - 1));
        text.len = i;
    }

    if (group->kind == RFL_SLOT_TAG || group->kind == RFL_SLOT_TAG_TARGET) {
        rfl_buf_text(name, "tag ");
        rfl_buf_str(name, text);
        return;
    }

    for (end = 0; end < text.len && text.data[end] != ')'; end++) {
        /* void */
    }

    for (i = end, label = end; i > 0; i--) {
        if (text.data[i - 1] == ',') {
            rfl_buf_add(name, text.data + i, label - i);
            rfl_buf_char(name, '.');
            label = i - 1;
        }
    }

    rfl_buf_add(name, text.data, label);

    if (end < text.len) {
        rfl_buf_add(name, text.data + end + 1, text.len - end - 1);
    }
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
        return columns(code);
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


/* Most are ASCII. */

static size_t
columns(uint32_t code)
{
    size_t  low, high, middle;

    low = 0;
    high = code < ranges[0].first ? 0 : sizeof(ranges) / sizeof(ranges[0]);

    while (low < high) {
        middle = (low + high) / 2;

        if (code < ranges[middle].first) {
            high = middle;

        } else if (code > ranges[middle].last) {
            low = middle + 1;

        } else {
            return ranges[middle].columns;
        }
    }

    return 1;
}
