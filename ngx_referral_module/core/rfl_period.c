/*
 * Periods and the calendar they are written in.  No mktime(), no strptime():
 * they read the time zone and take its lock, and accept what RFC 3339 does
 * not.
 */

#include "rfl_period.h"


#define RFL_MINUTE_SECONDS  60
#define RFL_HOUR_SECONDS    3600
#define RFL_DAY_SECONDS     86400

/* 10000-01-01T00:00:00Z: the form's four digits of a year end before. */

#define RFL_TIME_END        253402300800


static int rfl_time_date(rfl_str_t text, unsigned *days);
static int rfl_time_of_day(rfl_str_t text, int64_t *seconds);
static int rfl_time_zone(rfl_str_t text, int64_t *seconds);
static int rfl_time_number(rfl_str_t text, size_t pos, size_t len,
    unsigned *n);
static unsigned rfl_time_days(unsigned year, unsigned month, unsigned day);
static void rfl_period_add(rfl_period_t *period, rfl_unit_t unit,
    uint64_t from, uint64_t to);
static uint64_t rfl_period_down(uint64_t seconds, uint64_t unit);
static uint64_t rfl_period_up(uint64_t seconds, uint64_t unit);


const rfl_str_t  rfl_unit_names[RFL_UNITS] = {
    rfl_string("minute"),
    rfl_string("hour"),
    rfl_string("day")
};

const uint32_t  rfl_unit_seconds[RFL_UNITS] = {
    RFL_MINUTE_SECONDS,
    RFL_HOUR_SECONDS,
    RFL_DAY_SECONDS
};


rfl_rc_t
rfl_unit_parse(rfl_str_t text, rfl_unit_t *unit)
{
    unsigned  i;

    for (i = 0; i < RFL_UNITS; i++) {
        if (rfl_str_eq(text, rfl_unit_names[i])) {
            *unit = (rfl_unit_t) i;
            return RFL_OK;
        }
    }

    return RFL_INVALID;
}


rfl_rc_t
rfl_time_parse(rfl_str_t text, uint64_t *seconds)
{
    int64_t   time, of_day;
    unsigned  days;

    if (text.len < 10 || !rfl_time_date(rfl_str(text.data, 10), &days)) {
        return RFL_INVALID;
    }

    of_day = 0;

    if (text.len > 10
        && !rfl_time_of_day(rfl_str(text.data + 10, text.len - 10), &of_day))
    {
        return RFL_INVALID;
    }

    time = (int64_t) days * RFL_DAY_SECONDS + of_day;

    if (time < 0 || time >= RFL_TIME_END) {
        return RFL_INVALID;
    }

    *seconds = (uint64_t) time;

    return RFL_OK;
}


/* "2026-11-20" */

static int
rfl_time_date(rfl_str_t text, unsigned *days)
{
    unsigned               year, month, day, last;
    static const unsigned  month_days[] = { 31, 28, 31, 30, 31, 30,
                                            31, 31, 30, 31, 30, 31 };

    if (!rfl_time_number(text, 0, 4, &year) || text.data[4] != '-'
        || !rfl_time_number(text, 5, 2, &month) || text.data[7] != '-'
        || !rfl_time_number(text, 8, 2, &day)
        || year < 1970 || month < 1 || month > 12)
    {
        return 0;
    }

    last = month_days[month - 1];

    if (month == 2
        && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
    {
        last++;
    }

    if (day < 1 || day > last) {
        return 0;
    }

    *days = rfl_time_days(year, month, day);

    return 1;
}


/*
 * "T22:48:00.5+01:00" (RFC 3339, 5.6), in seconds since the date's midnight
 * in UTC; a fraction is cut off.  A leap second ends a day in UTC, and is
 * counted as the first second of the next.
 */

static int
rfl_time_of_day(rfl_str_t text, int64_t *seconds)
{
    size_t    pos;
    int64_t   offset, time;
    unsigned  hour, minute, second;

    if (text.len < 10
        || (text.data[0] != 'T' && text.data[0] != 't')
        || !rfl_time_number(text, 1, 2, &hour) || text.data[3] != ':'
        || !rfl_time_number(text, 4, 2, &minute) || text.data[6] != ':'
        || !rfl_time_number(text, 7, 2, &second)
        || hour > 23 || minute > 59 || second > 60)
    {
        return 0;
    }

    pos = 9;

    if (text.data[pos] == '.') {
        pos++;

        while (pos < text.len
               && text.data[pos] >= '0' && text.data[pos] <= '9')
        {
            pos++;
        }

        if (pos == 10) {
            return 0;
        }
    }

    if (!rfl_time_zone(rfl_str(text.data + pos, text.len - pos), &offset)) {
        return 0;
    }

    time = (int64_t) (hour * RFL_HOUR_SECONDS + minute * RFL_MINUTE_SECONDS
                      + second) - offset;

    /* offsets are whole minutes, below a day */

    if (second == 60 && (time + RFL_DAY_SECONDS) % RFL_DAY_SECONDS != 0) {
        return 0;
    }

    *seconds = time;

    return 1;
}


/* "Z", "z" or "+01:00" */

static int
rfl_time_zone(rfl_str_t text, int64_t *seconds)
{
    unsigned  hour, minute;

    if (text.len == 1 && (text.data[0] == 'Z' || text.data[0] == 'z')) {
        *seconds = 0;
        return 1;
    }

    if (text.len != 6
        || (text.data[0] != '+' && text.data[0] != '-')
        || !rfl_time_number(text, 1, 2, &hour) || text.data[3] != ':'
        || !rfl_time_number(text, 4, 2, &minute)
        || hour > 23 || minute > 59)
    {
        return 0;
    }

    *seconds = (int64_t) (hour * RFL_HOUR_SECONDS
                          + minute * RFL_MINUTE_SECONDS);

    if (text.data[0] == '-') {
        *seconds = -*seconds;
    }

    return 1;
}


/* Exactly len digits, 4 at most: no overflow. */

static int
rfl_time_number(rfl_str_t text, size_t pos, size_t len, unsigned *n)
{
    size_t  i;

    *n = 0;

    for (i = pos; i < pos + len; i++) {
        if (i >= text.len || text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }

        *n = *n * 10 + (unsigned) (text.data[i] - '0');
    }

    return 1;
}


/*
 * Days since 1970-01-01 in the Gregorian calendar.  Years begin in March here,
 * so that the leap day is the last one (days_from_civil of H. Hinnant, "days"
 * algorithms, after Reingold and Dershowitz).
 */

static unsigned
rfl_time_days(unsigned year, unsigned month, unsigned day)
{
    unsigned  era, year_of_era, day_of_year;

    if (month <= 2) {
        year--;
    }

    era = year / 400;
    year_of_era = year % 400;
    day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4
           - year_of_era / 100 + day_of_year - 719468;
}


/*
 * The hours before the first midnight, the days, the hours behind the last
 * midnight.  The hours of an edge must all be there, else its whole day is
 * taken: some hours of a day say less than was asked for, without a hint.
 */

rfl_rc_t
rfl_period_init(rfl_period_t *period, uint64_t from, uint64_t to,
    uint64_t hours_from)
{
    uint64_t  first, last, tail;

    if (from >= to || to > RFL_TIME_END) {
        return RFL_INVALID;
    }

    from = rfl_period_down(from, RFL_HOUR_SECONDS);
    to = rfl_period_up(to, RFL_HOUR_SECONDS);

    if (from < hours_from) {
        from = rfl_period_down(from, RFL_DAY_SECONDS);
    }

    tail = rfl_period_down(to, RFL_DAY_SECONDS);

    if ((tail > from ? tail : from) < hours_from) {
        to = rfl_period_up(to, RFL_DAY_SECONDS);
    }

    period->from = from;
    period->to = to;
    period->nranges = 0;

    first = rfl_period_up(from, RFL_DAY_SECONDS);
    last = rfl_period_down(to, RFL_DAY_SECONDS);

    if (first > last) {
        rfl_period_add(period, RFL_UNIT_HOUR, from, to);
        return RFL_OK;
    }

    rfl_period_add(period, RFL_UNIT_HOUR, from, first);
    rfl_period_add(period, RFL_UNIT_DAY, first, last);
    rfl_period_add(period, RFL_UNIT_HOUR, last, to);

    return RFL_OK;
}


rfl_rc_t
rfl_period_previous(rfl_period_t *previous, const rfl_period_t *period,
    uint64_t hours_from)
{
    uint64_t  length;

    length = period->to - period->from;

    if (length > period->from) {
        return RFL_INVALID;
    }

    return rfl_period_init(previous, period->from - length, period->from,
                           hours_from);
}


static void
rfl_period_add(rfl_period_t *period, rfl_unit_t unit, uint64_t from,
    uint64_t to)
{
    rfl_range_t  *range;

    if (from == to) {
        return;
    }

    range = &period->ranges[period->nranges++];

    range->unit = unit;
    range->from = (uint32_t) (from / rfl_unit_seconds[unit]);
    range->to = (uint32_t) (to / rfl_unit_seconds[unit]);
}


static uint64_t
rfl_period_down(uint64_t seconds, uint64_t unit)
{
    return seconds - seconds % unit;
}


static uint64_t
rfl_period_up(uint64_t seconds, uint64_t unit)
{
    return rfl_period_down(seconds + unit - 1, unit);
}
