/* Times as RFC 3339 writes them, and periods against hours one by one. */

#include "rfl_buf.h"
#include "rfl_period.h"
#include "guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>


#define HOUR    3600
#define DAY     86400
#define DAYS    6                        /* of the hour by hour model */
#define INVALID UINT64_MAX


typedef struct {
    const char  *text;
    uint64_t     seconds;
} row_t;


static const row_t  rows[] = {
    { "1970-01-01",                     0 },
    { "1970-01-01T00:00:00Z",           0 },
    { "1970-01-01t00:00:01z",           1 },
    { "2026-11-20",                     1795132800 },
    { "2026-11-20T22:48:00Z",           1795214880 },
    { "2026-11-20T22:48:00.5Z",         1795214880 },
    { "2026-11-20T22:48:00.999999999Z", 1795214880 },
    { "2026-11-20T23:48:00+01:00",      1795214880 },
    { "2026-11-20T17:18:00-05:30",      1795214880 },
    { "2026-11-20T22:48:00-00:00",      1795214880 },
    { "2026-11-21T00:18:00.1+01:30",    1795214880 },
    { "2000-02-29",                     951782400 },
    { "2024-02-29",                     1709164800 },
    { "2100-03-01",                     4107542400 },
    { "9999-12-31T23:59:59Z",           253402300799 },
    { "2016-12-31T23:59:60Z",           1483228800 },
    { "2017-01-01T00:59:60+01:00",      1483228800 },

    { "",                               INVALID },
    { "2026",                           INVALID },
    { "2026-11",                        INVALID },
    { "2026-11-2",                      INVALID },
    { "2026-1-20",                      INVALID },
    { "20261120",                       INVALID },
    { "2026-11-20 ",                    INVALID },
    { " 2026-11-20",                    INVALID },
    { "2026/11/20",                     INVALID },
    { "2026-00-20",                     INVALID },
    { "2026-13-20",                     INVALID },
    { "2026-11-00",                     INVALID },
    { "2026-11-31",                     INVALID },
    { "2026-02-29",                     INVALID },
    { "1900-02-29",                     INVALID },
    { "2100-02-29",                     INVALID },
    { "1969-12-31",                     INVALID },
    { "1969-12-31T23:59:59Z",           INVALID },
    { "1970-01-01T00:30:00+01:00",      INVALID },
    { "0000-01-01",                     INVALID },
    { "10000-01-01",                    INVALID },
    { "9999-12-31T23:59:59-00:01",      INVALID },
    { "9999-12-31T23:59:60Z",           INVALID },
    { "2026-11-20T",                    INVALID },
    { "2026-11-20T22",                  INVALID },
    { "2026-11-20T22:48",               INVALID },
    { "2026-11-20T22:48Z",              INVALID },
    { "2026-11-20T22:48:00",            INVALID },
    { "2026-11-20 22:48:00Z",           INVALID },
    { "2026-11-20T24:00:00Z",           INVALID },
    { "2026-11-20T22:60:00Z",           INVALID },
    { "2026-11-20T22:48:60Z",           INVALID },
    { "2026-11-20T22:48:61Z",           INVALID },
    { "2016-12-31T23:59:60+01:00",      INVALID },
    { "2026-11-20T22:48:00.Z",          INVALID },
    { "2026-11-20T22:48:00,5Z",         INVALID },
    { "2026-11-20T22:48:00.5",          INVALID },
    { "2026-11-20T22:48:00ZZ",          INVALID },
    { "2026-11-20T22:48:00+1:00",       INVALID },
    { "2026-11-20T22:48:00+0100",       INVALID },
    { "2026-11-20T22:48:00+01",         INVALID },
    { "2026-11-20T22:48:00+24:00",      INVALID },
    { "2026-11-20T22:48:00+01:60",      INVALID },
    { "2026-11-20T22:48:00 01:00",      INVALID },
    { "2026-11-20T+2:48:00Z",           INVALID },
    { "2026-11-20T22:48:0xZ",           INVALID },
    { "yesterday!",                     INVALID },
};


static void
test_table_of_times(void **state)
{
    size_t    i, len;
    u_char   *text;
    rfl_rc_t  rc;
    uint64_t  seconds;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        len = strlen(rows[i].text);
        text = guard_copy(rows[i].text, len);

        seconds = 42;
        rc = rfl_time_parse(rfl_str(text, len), &seconds);

        if (rows[i].seconds == INVALID) {
            if (rc != RFL_INVALID || seconds != 42) {
                fail_msg("\"%s\" was taken", rows[i].text);
            }

        } else if (rc != RFL_OK || seconds != rows[i].seconds) {
            fail_msg("\"%s\": %d, %llu", rows[i].text, rc,
                     (unsigned long long) seconds);
        }

        guard_free_all();
    }
}


/* Each day from 1970 to 9999, as timegm() and the writer of times know it. */

static void
test_each_day_is_read_back(void **state)
{
    char       text[40];
    uint64_t   day, seconds;
    struct tm  tm;
    rfl_buf_t  b = rfl_buf_init;

    for (day = 0; day < 2932897; day++) {
        b.len = 0;
        rfl_buf_time(&b, day * DAY + day % DAY);

        assert_int_equal(rfl_time_parse(rfl_str(b.data, b.len), &seconds),
                         RFL_OK);
        assert_int_equal(seconds, day * DAY + day % DAY);

        if (day % 97 == 0) {
            (void) snprintf(text, sizeof(text), "%.10s", (char *) b.data);
            memset(&tm, 0, sizeof(struct tm));
            assert_non_null(strptime(text, "%Y-%m-%d", &tm));
            assert_int_equal(timegm(&tm), day * DAY);
        }
    }

    rfl_buf_free(&b);
}


static void
test_units(void **state)
{
    rfl_unit_t  unit;

    assert_int_equal(rfl_unit_parse(rfl_cstr("minute"), &unit), RFL_OK);
    assert_int_equal(unit, RFL_UNIT_MINUTE);
    assert_int_equal(rfl_unit_parse(rfl_cstr("hour"), &unit), RFL_OK);
    assert_int_equal(unit, RFL_UNIT_HOUR);
    assert_int_equal(rfl_unit_parse(rfl_cstr("day"), &unit), RFL_OK);
    assert_int_equal(unit, RFL_UNIT_DAY);

    assert_int_equal(rfl_unit_parse(rfl_cstr(""), &unit), RFL_INVALID);
    assert_int_equal(rfl_unit_parse(rfl_cstr("days"), &unit), RFL_INVALID);
    assert_int_equal(rfl_unit_parse(rfl_cstr("Day"), &unit), RFL_INVALID);
    assert_int_equal(rfl_unit_parse(rfl_cstr("week"), &unit), RFL_INVALID);
}


/* Marks each hour that the ranges hold; none may be held twice. */

static void
mark_hours(const rfl_period_t *period, unsigned char *hours, uint64_t start,
    uint64_t hours_from)
{
    unsigned            i;
    uint64_t            second, begin, end;
    const rfl_range_t  *range;

    memset(hours, 0, DAYS * 24);
    assert_in_range(period->nranges, 1, RFL_PERIOD_RANGES);

    for (i = 0; i < period->nranges; i++) {
        range = &period->ranges[i];
        assert_true(range->unit == RFL_UNIT_HOUR
                    || range->unit == RFL_UNIT_DAY);
        assert_true(range->from < range->to);

        begin = (uint64_t) range->from * rfl_unit_seconds[range->unit];
        end = (uint64_t) range->to * rfl_unit_seconds[range->unit];

        if (range->unit == RFL_UNIT_HOUR) {
            assert_true(begin >= hours_from);
            assert_true(end - begin < DAY);
        }

        for (second = begin; second < end; second += HOUR) {
            assert_in_range(second, start, start + DAYS * DAY - 1);
            assert_int_equal(hours[(second - start) / HOUR]++, 0);
        }
    }
}


/*
 * The model knows single hours: each that is touched is wanted; of a day that
 * is partly wanted, and of which the first wanted hour is not kept any more,
 * all are.
 */

static void
want_hours(unsigned char *wanted, uint64_t start, uint64_t from, uint64_t to,
    uint64_t hours_from)
{
    unsigned  day, hour, first, n;
    uint64_t  begin;

    memset(wanted, 0, DAYS * 24);

    for (day = 0; day < DAYS; day++) {
        first = 24;
        n = 0;

        for (hour = 0; hour < 24; hour++) {
            begin = start + day * DAY + hour * HOUR;

            if (begin < to && begin + HOUR > from) {
                wanted[day * 24 + hour] = 1;
                first = first < hour ? first : hour;
                n++;
            }
        }

        if (n != 0 && n != 24
            && start + day * DAY + first * HOUR < hours_from)
        {
            memset(&wanted[day * 24], 1, 24);
        }
    }
}


static void
test_random_periods_hold_each_hour_once(void **state)
{
    unsigned       i;
    uint64_t       start, from, to, hours_from;
    rfl_period_t   period;
    unsigned char  hours[DAYS * 24], wanted[DAYS * 24];

    srandom(4);

    for (i = 0; i < 50000; i++) {
        start = (uint64_t) (random() % 20000) * DAY;
        from = start + (uint64_t) random() % (DAYS * DAY);
        to = start + (uint64_t) random() % (DAYS * DAY + 1);

        if (random() % 4 == 0) {
            from -= from % HOUR;
        }

        if (random() % 4 == 0) {
            to -= to % DAY;
        }

        hours_from = random() % 2 == 0
                     ? 0 : start + (uint64_t) (random() % (DAYS * 24)) * HOUR;

        if (from >= to) {
            assert_int_equal(rfl_period_init(&period, from, to, hours_from),
                             RFL_INVALID);
            continue;
        }

        assert_int_equal(rfl_period_init(&period, from, to, hours_from),
                         RFL_OK);

        mark_hours(&period, hours, start, hours_from);
        want_hours(wanted, start, from, to, hours_from);
        assert_memory_equal(hours, wanted, sizeof(hours));

        assert_true(period.from <= from && period.to >= to);
        assert_int_equal(hours[(period.from - start) / HOUR], 1);
        assert_int_equal(hours[(period.to - start) / HOUR - 1], 1);
    }
}


static void
test_edges(void **state)
{
    rfl_period_t  period;

    /* one second is an hour */

    assert_int_equal(rfl_period_init(&period, DAY + 3599, DAY + 3600, 0),
                     RFL_OK);
    assert_int_equal(period.nranges, 1);
    assert_int_equal(period.ranges[0].unit, RFL_UNIT_HOUR);
    assert_int_equal(period.ranges[0].from, 24);
    assert_int_equal(period.ranges[0].to, 25);

    /* midnight to midnight: days alone */

    assert_int_equal(rfl_period_init(&period, 0, 253402300800, 0), RFL_OK);
    assert_int_equal(period.nranges, 1);
    assert_int_equal(period.ranges[0].unit, RFL_UNIT_DAY);
    assert_int_equal(period.ranges[0].to, 2932897);

    /* around one midnight: no day */

    assert_int_equal(rfl_period_init(&period, DAY - HOUR, DAY + HOUR, 0),
                     RFL_OK);
    assert_int_equal(period.nranges, 2);
    assert_int_equal(period.ranges[0].unit, RFL_UNIT_HOUR);
    assert_int_equal(period.ranges[1].unit, RFL_UNIT_HOUR);

    assert_int_equal(rfl_period_init(&period, 5, 5, 0), RFL_INVALID);
    assert_int_equal(rfl_period_init(&period, 6, 5, 0), RFL_INVALID);
    assert_int_equal(rfl_period_init(&period, 0, 253402300801, 0),
                     RFL_INVALID);
    assert_int_equal(rfl_period_init(&period, 0, UINT64_MAX, 0), RFL_INVALID);
}


static void
test_previous_ends_where_the_period_begins(void **state)
{
    rfl_period_t  period, previous;

    assert_int_equal(rfl_period_init(&period, 10 * DAY + 5 * HOUR,
                                     12 * DAY + 7 * HOUR, 0), RFL_OK);
    assert_int_equal(rfl_period_previous(&previous, &period, 0), RFL_OK);
    assert_int_equal(previous.to, period.from);
    assert_int_equal(previous.to - previous.from, period.to - period.from);

    /* its hours are gone: it begins at a midnight */

    assert_int_equal(rfl_period_previous(&previous, &period, 9 * DAY),
                     RFL_OK);
    assert_int_equal(previous.from, 8 * DAY);
    assert_int_equal(previous.to, period.from);

    assert_int_equal(rfl_period_init(&period, DAY, 2 * DAY, 0), RFL_OK);
    assert_int_equal(rfl_period_previous(&previous, &period, 0), RFL_OK);
    assert_int_equal(previous.from, 0);

    assert_int_equal(rfl_period_init(&period, DAY, 3 * DAY, 0), RFL_OK);
    assert_int_equal(rfl_period_previous(&previous, &period, 0),
                     RFL_INVALID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_table_of_times),
        cmocka_unit_test(test_each_day_is_read_back),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_random_periods_hold_each_hour_once),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_previous_ends_where_the_period_begins),
    };

    return cmocka_run_group_tests_name("rfl_period", tests, NULL, NULL);
}
