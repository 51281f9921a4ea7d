/*
 * The one escaper for JSON.  Values come from strangers (a Referer's host, an
 * imported file), so it takes any bytes: what would not be valid JSON, or
 * would mean something in a page the JSON is embedded in, does not pass.
 */

#include "rfl_json.h"
#include "rfl_utf8.h"
#include "rfl_vector.h"


#define RFL_JSON_BLOCK  16


static void rfl_json_text(rfl_buf_t *b, rfl_str_t s, int is_url);
static size_t rfl_json_plain(rfl_buf_t *b, rfl_str_t s, size_t pos);
static size_t rfl_json_escape(rfl_buf_t *b, rfl_str_t s, size_t pos,
    int is_url);
static void rfl_json_percent(rfl_buf_t *b, const u_char *p, size_t len);
static void rfl_json_ascii(rfl_buf_t *b, u_char c);


#if RFL_VECTORS

static inline size_t rfl_json_block(u_char *out, const u_char *data,
    size_t left);

#else

/* Bytes that are not copied as they are: 1. */

static const u_char  rfl_json_special[256] = {
    [0x00 ... 0x1f] = 1,
    ['"'] = 1, ['\\'] = 1, ['<'] = 1, ['>'] = 1, ['&'] = 1,
    [0x7f ... 0xff] = 1
};

#endif


void
rfl_json_string(rfl_buf_t *b, rfl_str_t s)
{
    rfl_json_text(b, s, 0);
}


void
rfl_json_url(rfl_buf_t *b, rfl_str_t s)
{
    rfl_json_text(b, s, 1);
}


static void
rfl_json_text(rfl_buf_t *b, rfl_str_t s, int is_url)
{
    size_t  pos;

    rfl_buf_char(b, '"');

    for (pos = 0; pos < s.len; /* void */ ) {

        pos += rfl_json_plain(b, s, pos);

        if (pos < s.len) {
            pos += rfl_json_escape(b, s, pos, is_url);
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


/* Copies the run of plain bytes from pos on, and returns its length. */

static size_t
rfl_json_plain(rfl_buf_t *b, rfl_str_t s, size_t pos)
{
    size_t   n, end;
    u_char  *p;

    if (!rfl_buf_reserve(b, s.len - pos + RFL_JSON_BLOCK)) {
        return s.len - pos;
    }

    p = b->data + b->len;
    end = pos;

#if RFL_VECTORS
    while (end < s.len) {
        n = rfl_json_block(p, s.data + end, s.len - end);

        p += n;
        end += n;

        if (n < RFL_JSON_BLOCK) {
            break;
        }
    }
#else
    for (n = 0; end < s.len && !rfl_json_special[s.data[end]]; end++) {
        p[n++] = s.data[end];
    }
#endif

    b->len += end - pos;

    return end - pos;
}


#if RFL_VECTORS

/* The same of one block: left is what there is of it, out has room for all. */

static inline size_t
rfl_json_block(u_char *out, const u_char *data, size_t left)
{
    u_char    last[RFL_JSON_BLOCK];
    __m128i   block, special;
    unsigned  mask;

    if (left >= RFL_JSON_BLOCK) {
        block = rfl_vector_load(data);

    } else {
        memset(last, '"', sizeof(last));         /* no plain byte */
        memcpy(last, data, left);
        block = rfl_vector_load(last);
    }

    rfl_vector_store(out, block);

    /* bytes from 0x80 on are negative ones */

    special = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
    special = _mm_or_si128(special, rfl_vector_equal(block, 0x7f));
    special = _mm_or_si128(special, rfl_vector_equal(block, '\\'));
    special = _mm_or_si128(special,
                  rfl_vector_equal(_mm_or_si128(block, _mm_set1_epi8(0x04)),
                                   '"' | 0x04));             /* and "&" */
    special = _mm_or_si128(special,
                  rfl_vector_equal(_mm_or_si128(block, _mm_set1_epi8(0x02)),
                                   '<' | 0x02));             /* and ">" */

    mask = rfl_vector_mask(special);

    return mask != 0 ? (size_t) __builtin_ctz(mask) : RFL_JSON_BLOCK;
}

#endif


/* Returns how many bytes of s it took. */

static size_t
rfl_json_escape(rfl_buf_t *b, rfl_str_t s, size_t pos, int is_url)
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

    if (!valid && is_url) {
        rfl_json_percent(b, p, len);

    } else if (!valid) {
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
rfl_json_percent(rfl_buf_t *b, const u_char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        rfl_buf_fmt(b, "%%%02X", p[i]);
    }
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
