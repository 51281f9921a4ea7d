/*
 * A growing byte buffer for what is rendered.  Appends never fail one by one:
 * a failed allocation sticks, and the caller asks once, at the end.  A
 * buffer that failed is no half answer; it is an error.
 */

#ifndef RFL_BUF_H
#define RFL_BUF_H

#include "rfl_base.h"


typedef struct {
    u_char    *data;
    size_t     len;
    size_t     size;
    unsigned   failed:1;
} rfl_buf_t;

#define rfl_buf_init  { NULL, 0, 0, 0 }

/* A report of this size is a mistake; a longer buffer fails. */

#define RFL_BUF_MAX  ((size_t) 4 << 30)


/* realloc(); weak, so that a test can run out of memory. */

void *rfl_buf_realloc(void *data, size_t size);

void rfl_buf_free(rfl_buf_t *b);

/* Makes room for len more bytes; 0: b has failed. */

int rfl_buf_grow(rfl_buf_t *b, size_t len);

static inline int
rfl_buf_reserve(rfl_buf_t *b, size_t len)
{
    return (len <= b->size - b->len && !b->failed) || rfl_buf_grow(b, len);
}


static inline void
rfl_buf_add(rfl_buf_t *b, const void *data, size_t len)
{
#ifdef RFL_ANALYZE

    /* what is not empty has bytes, and room is memory: gcc 12 loses sight of
       it where loops end */

    if (data == NULL || (b->data == NULL && !rfl_buf_grow(b, len))) {
        return;
    }

#endif

    if (len != 0 && rfl_buf_reserve(b, len)) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
    }
}


static inline void
rfl_buf_char(rfl_buf_t *b, u_char c)
{
    if (rfl_buf_reserve(b, 1)) {
        b->data[b->len++] = c;
    }
}


void rfl_buf_str(rfl_buf_t *b, rfl_str_t s);
void rfl_buf_text(rfl_buf_t *b, const char *text);
void rfl_buf_digits(rfl_buf_t *b, uint64_t n);

/*
 * Most counters have one digit.  The most is 2^63 - 1, since many readers of
 * JSON hold no more, and refuse all of a text for one number: more is damage.
 */

static inline void
rfl_buf_u64(rfl_buf_t *b, uint64_t n)
{
    if (n < 10) {
        rfl_buf_char(b, (u_char) ('0' + n));

    } else {
        rfl_buf_digits(b, n);
    }
}


void rfl_buf_fmt(rfl_buf_t *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * RFC 3339 in UTC: 2026-11-20T22:48:00Z.  A time beyond the year 9999 is
 * shown as the last second of it: the format ends there.
 */

#define RFL_TIME_LEN  20

void rfl_buf_time(rfl_buf_t *b, uint64_t seconds);


#endif /* RFL_BUF_H */
