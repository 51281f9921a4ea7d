/*
 * The byte buffer everything is rendered into.  It doubles as it grows, so a
 * long answer costs few allocations; once one of them failed it takes nothing
 * more, and what it holds is not to be used.
 */

#include "rfl_buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>


#define RFL_BUF_FIRST    1024
#define RFL_TIME_LAST    253402300799u   /* 9999-12-31T23:59:59Z */
#define RFL_U64_DIGITS   20


static inline const char *rfl_buf_pair(uint64_t n);
static inline u_char *rfl_buf_two(u_char *p, unsigned n, u_char next);
static void rfl_buf_date(uint64_t days, unsigned *year, unsigned *month,
    unsigned *day);


__attribute__((weak)) void *
rfl_buf_realloc(void *data, size_t size)
{
    return realloc(data, size);
}


void
rfl_buf_free(rfl_buf_t *b)
{
    free(b->data);
    memset(b, 0, sizeof(rfl_buf_t));
}


void
rfl_buf_str(rfl_buf_t *b, rfl_str_t s)
{
    rfl_buf_add(b, s.data, s.len);
}


void
rfl_buf_text(rfl_buf_t *b, const char *text)
{
    rfl_buf_add(b, text, strlen(text));
}


void
rfl_buf_digits(rfl_buf_t *b, uint64_t n)
{
    u_char  digits[RFL_U64_DIGITS], *p;

    p = digits + RFL_U64_DIGITS;

    if (n > INT64_MAX) {
        n = INT64_MAX;
    }

    while (n >= 100) {
        p -= 2;
        memcpy(p, rfl_buf_pair(n % 100), 2);
        n /= 100;
    }

    if (n >= 10) {
        p -= 2;
        memcpy(p, rfl_buf_pair(n), 2);

    } else {
        *--p = (u_char) ('0' + n);
    }

    rfl_buf_add(b, p, (size_t) (digits + RFL_U64_DIGITS - p));
}


void
rfl_buf_fmt(rfl_buf_t *b, const char *fmt, ...)
{
    int      n;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    if (n < 0) {
        b->failed = 1;
        return;
    }

    /* vsnprintf() always writes a terminating zero */

    if (!rfl_buf_reserve(b, (size_t) n + 1)) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf((char *) b->data + b->len, (size_t) n + 1, fmt, args);
    va_end(args);

    b->len += (size_t) n;
}


void
rfl_buf_time(rfl_buf_t *b, uint64_t seconds)
{
    u_char   *p;
    unsigned  year, month, day, second;

    if (!rfl_buf_reserve(b, RFL_TIME_LEN)) {
        return;
    }

    if (seconds > RFL_TIME_LAST) {
        seconds = RFL_TIME_LAST;
    }

    rfl_buf_date(seconds / 86400, &year, &month, &day);

    second = (unsigned) (seconds % 86400);

    p = b->data + b->len;

    memcpy(p, rfl_buf_pair(year / 100), 2);
    p = rfl_buf_two(p + 2, year % 100, '-');
    p = rfl_buf_two(p, month, '-');
    p = rfl_buf_two(p, day, 'T');
    p = rfl_buf_two(p, second / 3600, ':');
    p = rfl_buf_two(p, second / 60 % 60, ':');
    p = rfl_buf_two(p, second % 60, 'Z');

    b->len = (size_t) (p - b->data);
}


/* The two digits of a number below 100. */

static inline const char *
rfl_buf_pair(uint64_t n)
{
    static const char  pairs[] = "00010203040506070809101112131415161718192021"
                                 "22232425262728293031323334353637383940414243"
                                 "44454647484950515253545556575859606162636465"
                                 "66676869707172737475767778798081828384858687"
                                 "888990919293949596979899";

    return pairs + 2 * n;
}


/* Two digits and what follows them. */

static inline u_char *
rfl_buf_two(u_char *p, unsigned n, u_char next)
{
    memcpy(p, rfl_buf_pair(n), 2);
    p[2] = next;

    return p + 3;
}


int
rfl_buf_grow(rfl_buf_t *b, size_t len)
{
    size_t   size;
    u_char  *data;

    if (b->failed) {
        return 0;
    }

    if (len <= b->size - b->len) {
        return 1;
    }

    if (len > RFL_BUF_MAX - b->len) {
        b->failed = 1;
        return 0;
    }

    size = b->size != 0 ? b->size : RFL_BUF_FIRST;

    while (size - b->len < len) {
        size *= 2;
    }

    data = rfl_buf_realloc(b->data, size);

    if (data == NULL) {
        b->failed = 1;
        return 0;
    }

    b->data = data;
    b->size = size;

    return 1;
}


/*
 * The Gregorian date of a day since 1970-01-01.  Not gmtime_r(): it takes a
 * lock and may read the time zone's file.  Years begin in March here, so
 * that the leap day is the last one ("days" algorithms of H. Hinnant,
 * civil_from_days, after Reingold and Dershowitz).
 */

static void
rfl_buf_date(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    unsigned  z, era, day_of_era, year_of_era, day_of_year, m;

    z = (unsigned) days + 719468;                /* since 0000-03-01 */
    era = z / 146097;                            /* 400 years */
    day_of_era = z % 146097;

    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524
                   - day_of_era / 146096) / 365;

    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4
                                - year_of_era / 100);

    m = (5 * day_of_year + 2) / 153;             /* 0: March */

    *day = day_of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = era * 400 + year_of_era + (*month <= 2);
}
