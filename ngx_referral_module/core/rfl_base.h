/*
 * What every part of the core shares: slices, return codes, error texts and
 * the limits that bound each input.
 *
 * The core knows no nginx.  The module, the command and the tests compile the
 * same files, so all three decide alike.  Strings are slices, pointer and
 * length; nothing here relies on a terminating zero.
 */

#ifndef RFL_BASE_H
#define RFL_BASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "rfl_vector.h"


/* Cells and records are stored as the machine holds them. */

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a little-endian machine is needed"
#endif

_Static_assert(sizeof(void *) == 8, "64 bits are needed");


#define RFL_VERSION  "0.1.0"


typedef struct {
    size_t         len;
    const u_char  *data;
} rfl_str_t;


#define rfl_string(text)  { sizeof(text) - 1, (const u_char *) text }


/*
 * Functions that can fail return RFL_OK or one of these; those that take an
 * rfl_error_t also say what failed, on which object, at which limit.
 */

typedef enum {
    RFL_OK        = 0,
    RFL_ERROR     = -1,      /* the system or a library said no */
    RFL_INVALID   = -2,      /* the caller's input is not valid */
    RFL_NOT_FOUND = -3,
    RFL_EXISTS    = -4,
    RFL_FULL      = -5,      /* a limit, a map or a disk is full */
    RFL_NO_MEMORY = -6,
    RFL_BAD_VERSION = -7,    /* written by another version */
    RFL_DAMAGED   = -8,      /* stored bytes make no sense */
    RFL_DENIED    = -9,      /* permissions */
    RFL_BUSY      = -10      /* in use by another process */
} rfl_rc_t;


#define RFL_ERROR_TEXT  768

typedef struct {
    rfl_rc_t  rc;
    char      text[RFL_ERROR_TEXT];      /* always terminated by a zero */
} rfl_error_t;


/*
 * Limits.  A Referer of a browser never exceeds 4,096 bytes: the Referrer
 * Policy strips a longer one to its origin (section 8.4, "Determine
 * request's Referrer").  253 and 63 are DNS limits (RFC 1035, 2.3.4).
 */

#define RFL_URL_MAX        4096
#define RFL_HOST_MAX       253
#define RFL_LABEL_MAX      63
#define RFL_SEGMENTS_MAX   16        /* path segments of a prefix link */
#define RFL_LABELS_MAX     8         /* host labels of a domain link */

#define RFL_TAG_MAX        128
#define RFL_NAME_MAX       256
#define RFL_WORD_MAX       64        /* channel, placement, rel, one label */
#define RFL_PARTNER_MAX    128
#define RFL_ANCHOR_MAX     1024
#define RFL_NOTE_MAX       4096
#define RFL_LABELS_TEXT_MAX  1024    /* all labels of a link, commas included */


/* Fills err (which may be NULL) and returns rc, for "return rfl_fail(...)". */

rfl_rc_t rfl_fail(rfl_error_t *err, rfl_rc_t rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Analyzers look at one file at a time: it is rc that comes back. */

#ifdef RFL_ANALYZE
#define rfl_fail(err, rc, ...)  (rfl_fail(err, rc, __VA_ARGS__), (rc))
#endif


static inline rfl_str_t
rfl_str(const void *data, size_t len)
{
    rfl_str_t  s;

    s.len = len;
    s.data = data;

    return s;
}


static inline rfl_str_t
rfl_cstr(const char *text)
{
    return rfl_str(text, strlen(text));
}


static inline int
rfl_str_eq(rfl_str_t a, rfl_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


/*
 * The same for short texts of equal length, without a call: eight bytes at a
 * time, the last eight may be some of those before.
 */

static inline int
rfl_str_same(const u_char *a, const u_char *b, size_t len)
{
    size_t    i;
    uint32_t  u, v;
    uint64_t  x, y;

    if (len < 4) {
        for (i = 0; i < len; i++) {
            if (a[i] != b[i]) {
                return 0;
            }
        }

        return 1;
    }

    if (len < 8) {
        memcpy(&u, a, 4);
        memcpy(&v, b, 4);

        if (u != v) {
            return 0;
        }

        memcpy(&u, a + len - 4, 4);
        memcpy(&v, b + len - 4, 4);

        return u == v;
    }

    for (i = 0; i + 8 < len; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);

        if (x != y) {
            return 0;
        }
    }

    memcpy(&x, a + len - 8, 8);
    memcpy(&y, b + len - 8, 8);

    return x == y;
}


/* As memcmp() has it; what begins a longer one is less. */

static inline int
rfl_str_cmp(rfl_str_t a, rfl_str_t b)
{
    int     order;
    size_t  len;

    len = a.len < b.len ? a.len : b.len;
    order = len != 0 ? memcmp(a.data, b.data, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}


static inline u_char
rfl_lower(u_char c)
{
    return (c >= 'A' && c <= 'Z') ? (u_char) (c | 0x20) : c;
}


/*
 * Eight bytes in lower case: of each byte below 0x80, whether it is at least
 * "A" and not beyond "Z" comes out as its highest bit.
 */

static inline uint64_t
rfl_lower8(uint64_t bytes)
{
    uint64_t  low, from_a, beyond_z, upper;

    low = bytes & 0x7f7f7f7f7f7f7f7fu;
    from_a = low + (0x80 - 'A') * 0x0101010101010101u;
    beyond_z = low + (0x7f - 'Z') * 0x0101010101010101u;
    upper = (from_a ^ beyond_z) & ~bytes & 0x8080808080808080u;

    return bytes | upper >> 2;
}


/* Copies in lower case; the two must not overlap. */

static inline void
rfl_lower_copy(u_char *out, const u_char *p, size_t len)
{
    size_t    i;
    uint32_t  first, last;
    uint64_t  bytes;

    if (len < 4) {
        for (i = 0; i < len; i++) {
            out[i] = rfl_lower(p[i]);
        }

        return;
    }

    if (len < 8) {
        memcpy(&first, p, 4);
        memcpy(&last, p + len - 4, 4);
        bytes = rfl_lower8(first | (uint64_t) last << 32);
        memcpy(out, &bytes, 4);
        bytes >>= 32;
        memcpy(out + len - 4, &bytes, 4);

        return;
    }

    for (i = 0; i + 8 < len; i += 8) {
        memcpy(&bytes, p + i, 8);
        bytes = rfl_lower8(bytes);
        memcpy(out + i, &bytes, 8);
    }

    memcpy(&bytes, p + len - 8, 8);
    bytes = rfl_lower8(bytes);
    memcpy(out + len - 8, &bytes, 8);
}


/*
 * memcpy() for short texts, without a call: pieces of a size the compiler
 * knows, the last one may write some of those before once more.
 */

static inline void
rfl_copy(u_char *out, const u_char *p, size_t len)
{
    size_t  i;

    if (len >= 16) {
        for (i = 0; i + 16 < len; i += 16) {
            memcpy(out + i, p + i, 16);
        }

        memcpy(out + len - 16, p + len - 16, 16);

    } else if (len >= 8) {
        memcpy(out, p, 8);
        memcpy(out + len - 8, p + len - 8, 8);

    } else if (len >= 4) {
        memcpy(out, p, 4);
        memcpy(out + len - 4, p + len - 4, 4);

    } else {
        for (i = 0; i < len; i++) {
            out[i] = p[i];
        }
    }
}


#if (RFL_VECTORS)

/* rfl_str_find2() of 16 bytes or more; the last block may overlap another. */

static inline size_t
rfl_str_find2_of16(rfl_str_t s, u_char a, u_char b)
{
    size_t    i;
    __m128i   block;
    unsigned  found;

    for (i = 0; /* void */ ; i = i + 32 <= s.len ? i + 16 : s.len - 16) {

        block = rfl_vector_load(s.data + i);
        found = rfl_vector_mask(_mm_or_si128(rfl_vector_equal(block, a),
                                             rfl_vector_equal(block, b)));

        if (found != 0) {
            return i + (size_t) __builtin_ctz(found);
        }

        if (i + 16 == s.len) {
            return s.len;
        }
    }
}

#endif


/*
 * Where the first a or b is in a text, or its length.  Eight bytes at a time:
 * a byte that is wanted becomes zero, and borrows when one is subtracted; the
 * lowest one to do so is one (H. S. Warren, Hacker's Delight, 6-1).
 */

static inline size_t
rfl_str_find2(rfl_str_t s, u_char a, u_char b)
{
    size_t          i;
    uint64_t        bytes, x, y, found;

    const uint64_t  ones = 0x0101010101010101u;

#if (RFL_VECTORS)

    if (s.len >= 16) {
        return rfl_str_find2_of16(s, a, b);
    }

#endif

    for (i = 0; i + 8 <= s.len; i += 8) {
        memcpy(&bytes, s.data + i, 8);

        x = bytes ^ a * ones;
        y = bytes ^ b * ones;
        found = (((x - ones) & ~x) | ((y - ones) & ~y)) & 0x80 * ones;

        if (found != 0) {
            return i + (size_t) __builtin_ctzll(found) / 8;
        }
    }

    while (i < s.len && s.data[i] != a && s.data[i] != b) {
        i++;
    }

    return i;
}


/* ASCII letters without case, all other bytes as they are. */

int rfl_str_caseeq(rfl_str_t a, rfl_str_t b);

/* White space (space, tab, CR, LF) cut from both ends. */

static inline int
rfl_is_space(u_char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


static inline rfl_str_t
rfl_str_trim(rfl_str_t s)
{
    while (s.len > 0 && rfl_is_space(s.data[0])) {
        s.data++;
        s.len--;
    }

    while (s.len > 0 && rfl_is_space(s.data[s.len - 1])) {
        s.len--;
    }

    return s;
}


/* Takes the first item off a list that is joined by commas and not empty. */

static inline rfl_str_t
rfl_str_item(rfl_str_t *list)
{
    size_t         len, taken;
    rfl_str_t      item;
    const u_char  *comma;

    comma = memchr(list->data, ',', list->len);

    len = comma != NULL ? (size_t) (comma - list->data) : list->len;
    taken = comma != NULL ? len + 1 : len;

    item = rfl_str(list->data, len);
    *list = rfl_str(list->data + taken, list->len - taken);

    return item;
}


/* 16 lower-case hex digits, no terminating zero. */

#define RFL_KEY_LEN  16

void rfl_key_text(uint64_t key, u_char out[RFL_KEY_LEN]);


#endif /* RFL_BASE_H */
