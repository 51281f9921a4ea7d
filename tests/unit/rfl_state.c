/*
 * The definition of rfl_state.h: rows for each rule, at its limit and one
 * before, then random links through a year and a half against a second
 * reading of the rules, which walks days one by one.
 */

#include "rfl_state.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>


#define DAY0     20000                   /* the first day of all tests */
#define YEAR     560
#define MAX      (YEAR + 64)
#define LINKS    300


/* Traffic and clicks by day, from DAY0 on. */

typedef struct {
    unsigned  traffic[MAX];
    uint32_t  clicks[MAX];
} past_t;


static void
judge(const past_t *past, uint32_t today, uint32_t created,
    rfl_state_verdict_t *v)
{
    size_t             i;
    uint32_t           days[MAX], clicks[MAX];
    rfl_state_input_t  in;

    memset(&in, 0, sizeof(rfl_state_input_t));

    in.today = today;
    in.created = created;
    in.days = days;
    in.clicks = clicks;

    for (i = 0; i < MAX; i++) {
        if (past->traffic[i]) {
            days[in.ndays] = (uint32_t) (DAY0 + i);
            clicks[in.ndays++] = past->clicks[i];
        }
    }

    rfl_state_judge(&in, v);
}


static void
every_day(past_t *past, unsigned days)
{
    unsigned  i;

    memset(past, 0, sizeof(past_t));

    for (i = 0; i < days; i++) {
        past->traffic[i] = 1;
    }
}


/*
 * Clicks on days "at" to "until", so many a day; registered on day 0, traffic
 * on each day but those from "dark" to "light"; the state on day "today", and
 * on the day before.
 */

static void
rules_hold_at_their_limits(void **state)
{
    past_t               past;
    size_t               i;
    unsigned             day;
    rfl_state_verdict_t  v;

    static const struct {
        const char   *what;
        unsigned      at, until;
        uint32_t      clicks;
        unsigned      dark, light;
        unsigned      today;
        rfl_state_t   before, wanted;
        unsigned      since;
    } rows[] = {

        { "no click in 14 days", 0, 0, 0, 0, 0,
          15, RFL_STATE_NEW, RFL_STATE_NEVER, 15 },

        { "no click, but the site was away for 20 of the days",
          0, 0, 0, 5, 25, 35, RFL_STATE_NEW, RFL_STATE_NEVER, 35 },

        { "a first click is at once an active link",
          9, 10, 1, 0, 0, 9, RFL_STATE_NEW, RFL_STATE_ACTIVE, 9 },

        { "after the first 14 days, too",
          20, 21, 1, 0, 0, 20, RFL_STATE_NEVER, RFL_STATE_ACTIVE, 20 },

        { "1 a day: silent when 5 days are over",
          0, 30, 1, 0, 0, 35, RFL_STATE_ACTIVE, RFL_STATE_SILENT, 35 },

        { "5 a day: when one day is over",
          0, 30, 5, 0, 0, 31, RFL_STATE_ACTIVE, RFL_STATE_SILENT, 31 },

        { "1,000 a day: no sooner",
          0, 30, 1000, 0, 0, 31, RFL_STATE_ACTIVE, RFL_STATE_SILENT, 31 },

        { "one click on the day of registration is 1 a day",
          0, 1, 1, 0, 0, 6, RFL_STATE_ACTIVE, RFL_STATE_SILENT, 6 },

        { "one click on day 19 is 1 in 20 days",
          19, 20, 1, 0, 0, 120, RFL_STATE_ACTIVE, RFL_STATE_SILENT, 120 },

        { "one click on day 89 is 1 in 90 days",
          89, 90, 1, 0, 0, 540, RFL_STATE_ACTIVE, RFL_STATE_SILENT, 540 },

        { "one click on day 200 is 1 in 90 days, not in 201",
          100, 101, 1, 0, 0, 551, RFL_STATE_ACTIVE, RFL_STATE_SILENT, 551 },

        { "days without traffic are no silence",
          0, 30, 1, 31, 61, 65, RFL_STATE_ACTIVE, RFL_STATE_SILENT, 65 },

        { "nor do they lower the rate: 30 clicks in 30 days",
          5, 35, 1, 0, 5, 40, RFL_STATE_ACTIVE, RFL_STATE_SILENT, 40 },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        every_day(&past, MAX);

        for (day = rows[i].at; day < rows[i].until; day++) {
            past.clicks[day] = rows[i].clicks;
        }

        for (day = rows[i].dark; day < rows[i].light; day++) {
            past.traffic[day] = 0;
        }

        judge(&past, DAY0 + rows[i].today - 1, DAY0, &v);

        if (v.state != rows[i].before) {
            fail_msg("%s: the day before it is %s", rows[i].what,
                     rfl_state_names[v.state].data);
        }

        judge(&past, DAY0 + rows[i].today, DAY0, &v);

        if (v.state != rows[i].wanted || v.since != DAY0 + rows[i].since) {
            fail_msg("%s: it is %s since day %d", rows[i].what,
                     rfl_state_names[v.state].data, (int) v.since - DAY0);
        }
    }
}


static void
a_revived_link_is_active_when_14_days_are_over(void **state)
{
    past_t               past;
    unsigned             day;
    rfl_state_verdict_t  v;

    every_day(&past, MAX);

    for (day = 0; day < 30; day++) {
        past.clicks[day] = 2;
    }

    for (day = 60; day < 100; day++) {
        past.clicks[day] = 2;
    }

    judge(&past, DAY0 + 59, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_SILENT);
    assert_int_equal(v.since, DAY0 + 33);
    assert_int_equal(v.last, DAY0 + 29);
    assert_int_equal(v.clicks, 60);
    assert_int_equal(v.days, 30);

    judge(&past, DAY0 + 60, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_REVIVED);
    assert_int_equal(v.since, DAY0 + 60);

    judge(&past, DAY0 + 74, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_REVIVED);

    judge(&past, DAY0 + 75, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_ACTIVE);
    assert_int_equal(v.since, DAY0 + 75);
}


/* One click each 30 days is not silent before its 150 days are over. */

static void
a_click_a_month_is_no_silence(void **state)
{
    past_t               past;
    unsigned             day;
    rfl_state_verdict_t  v;

    every_day(&past, MAX);

    for (day = 29; day < 360; day += 30) {
        past.clicks[day] = 1;
    }

    for (day = 29; day < 359 + 151; day++) {
        judge(&past, DAY0 + day, DAY0, &v);
        assert_int_equal(v.state, RFL_STATE_ACTIVE);
    }

    judge(&past, DAY0 + 359 + 151, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_SILENT);
}


/* 3 clicks a day for two months of summer: silent, and back a year later. */

static void
a_seasonal_link_is_silent_out_of_season(void **state)
{
    past_t               past;
    unsigned             day;
    rfl_state_verdict_t  v;

    every_day(&past, MAX);

    for (day = 100; day < 160; day++) {
        past.clicks[day] = 3;
        past.clicks[day + 365] = 3;
    }

    judge(&past, DAY0 + 150, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_ACTIVE);

    judge(&past, DAY0 + 162, DAY0, &v);      /* 180 in 90 days: 3 more */
    assert_int_equal(v.state, RFL_STATE_ACTIVE);

    judge(&past, DAY0 + 163, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_SILENT);

    judge(&past, DAY0 + 464, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_SILENT);

    judge(&past, DAY0 + 465, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_REVIVED);
}


static void
a_link_that_was_added_again_has_its_old_rate_at_first(void **state)
{
    past_t               past;
    unsigned             day;
    rfl_state_verdict_t  v;

    every_day(&past, MAX);

    for (day = 0; day < 90; day++) {
        past.clicks[day] = 1;
    }

    /* away from day 90 to 199: nobody could count */

    judge(&past, DAY0 + 200, DAY0 + 200, &v);
    assert_int_equal(v.state, RFL_STATE_ACTIVE);
    assert_int_equal(v.since, DAY0 + 200);

    judge(&past, DAY0 + 205, DAY0 + 200, &v);
    assert_int_equal(v.state, RFL_STATE_ACTIVE);

    judge(&past, DAY0 + 206, DAY0 + 200, &v);
    assert_int_equal(v.state, RFL_STATE_SILENT);

    past.clicks[203] = 1;                    /* 1 in 4 days, of its own */

    judge(&past, DAY0 + 203, DAY0 + 200, &v);
    assert_int_equal(v.state, RFL_STATE_ACTIVE);
    assert_int_equal(v.since, DAY0 + 200);
    assert_int_equal(v.clicks, 1);
    assert_int_equal(v.days, 4);

    judge(&past, DAY0 + 223, DAY0 + 200, &v);
    assert_int_equal(v.state, RFL_STATE_ACTIVE);

    judge(&past, DAY0 + 224, DAY0 + 200, &v);
    assert_int_equal(v.state, RFL_STATE_SILENT);

    past.clicks[230] = 1;

    judge(&past, DAY0 + 230, DAY0 + 200, &v);
    assert_int_equal(v.state, RFL_STATE_REVIVED);
}


static void
a_clock_that_was_ahead_changes_nothing(void **state)
{
    past_t               past;
    unsigned             day;
    rfl_state_verdict_t  v, ahead;

    every_day(&past, 100);

    for (day = 0; day < 50; day++) {
        past.clicks[day] = day % 7 == 0;
    }

    for (day = 50; day < 100; day++) {
        judge(&past, DAY0 + day, DAY0, &v);

        /* a day of next year, with clicks, in the middle of it */

        past.traffic[600] = 1;
        past.clicks[600] = 1000;

        judge(&past, DAY0 + day, DAY0, &ahead);
        assert_memory_equal(&v, &ahead, sizeof(v));

        past.traffic[600] = 0;
        past.clicks[600] = 0;
    }

    /* while it is ahead: what has passed is one day of traffic at most */

    every_day(&past, 50);

    for (day = 0; day < 50; day++) {
        past.clicks[day] = 1;
    }

    judge(&past, DAY0 + 600, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_ACTIVE);
}


/* A time to come is none to be registered at. */

static void
registered_in_the_future_is_registered_today(void **state)
{
    past_t               past;
    rfl_state_verdict_t  v;

    every_day(&past, 100);

    judge(&past, DAY0 + 50, DAY0 + 500, &v);
    assert_int_equal(v.state, RFL_STATE_NEW);
    assert_int_equal(v.since, DAY0 + 50);

    past.clicks[40] = 1;

    judge(&past, DAY0 + 50, UINT32_MAX, &v);
    assert_int_equal(v.state, RFL_STATE_ACTIVE);
}


static void
without_any_traffic_all_links_are_new(void **state)
{
    past_t               past;
    rfl_state_verdict_t  v;

    every_day(&past, 0);

    judge(&past, DAY0 + 500, DAY0, &v);
    assert_int_equal(v.state, RFL_STATE_NEW);
    assert_int_equal(v.since, DAY0);
}


static void
clicks_whose_days_are_gone_are_clicks(void **state)
{
    rfl_state_input_t    in;
    rfl_state_verdict_t  v;

    static const uint32_t  days[2] = { DAY0 + 100, DAY0 + 101 };
    static const uint32_t  clicks[2] = { 0, 0 };

    memset(&in, 0, sizeof(rfl_state_input_t));

    in.today = DAY0 + 102;
    in.created = DAY0;
    in.ndays = 2;
    in.days = days;
    in.clicks = clicks;
    in.clicked = 1;

    rfl_state_judge(&in, &v);
    assert_int_equal(v.state, RFL_STATE_ACTIVE);
    assert_int_equal(v.since, DAY0);
    assert_int_equal(v.last, 0);
}


/* The rules read again, by someone with more time. */

static unsigned
between(const past_t *past, uint32_t a, uint32_t b)
{
    unsigned  n;
    uint64_t  day;

    for (day = (uint64_t) a + 1, n = 0; day < b; day++) {
        n += day >= DAY0 && day < DAY0 + MAX && past->traffic[day - DAY0];
    }

    return n;
}


static int
last_click(const past_t *past, uint32_t until, uint32_t *last)
{
    uint64_t  day;

    for (day = until; day >= DAY0; day--) {
        if (day < DAY0 + MAX && past->traffic[day - DAY0]
            && past->clicks[day - DAY0] != 0)
        {
            *last = (uint32_t) day;
            return 1;
        }
    }

    return 0;
}


static int
silent_on(const past_t *past, uint32_t today, uint32_t until, uint32_t created)
{
    unsigned  m;
    uint32_t  last;
    uint64_t  n, day;

    if (!last_click(past, until, &last)) {
        return 0;
    }

    for (day = last, n = 0, m = 0; day >= DAY0 && m < 90; day--) {

        if (last >= created && day < created) {
            break;
        }

        n += past->traffic[day - DAY0] ? past->clicks[day - DAY0] : 0;
        m += past->traffic[day - DAY0];
    }

    return n * between(past, last > created ? last : created, today) >= 5 * m;
}


static rfl_state_t
naive(const past_t *past, uint32_t today, uint32_t created)
{
    uint32_t  last, day;

    created = created < today ? created : today;

    if (!last_click(past, today, &last)) {
        return between(past, created, today) < 14 ? RFL_STATE_NEW
                                                  : RFL_STATE_NEVER;
    }

    if (silent_on(past, today, today, created)) {
        return RFL_STATE_SILENT;
    }

    for (day = today; day >= created && day >= DAY0; day--) {

        if (between(past, day, today) >= 14) {
            break;
        }

        if (day < DAY0 + MAX && past->traffic[day - DAY0]
            && past->clicks[day - DAY0] != 0
            && silent_on(past, day, day - 1, created))
        {
            return RFL_STATE_REVIVED;
        }
    }

    return RFL_STATE_ACTIVE;
}


/* Outages, and a link of some kind: its clicks a day, in hundredths. */

static void
random_past(past_t *past, unsigned kind)
{
    unsigned  day, rate, length;

    every_day(past, YEAR);

    for (day = 0; day < YEAR; day++) {

        if (rand() % 100 == 0) {             /* an outage */
            for (length = 1 + (unsigned) rand() % 30; length > 0 && day < YEAR;
                 length--, day++)
            {
                past->traffic[day] = 0;
            }
        }
    }

    rate = 1u << rand() % 11;

    for (day = 0; day < YEAR; day++) {

        if (kind % 4 == 1 && rand() % 60 == 0) {
            rate = rand() % 2 ? 0 : 1u << rand() % 11;
        }

        if (kind % 4 == 2 && day % 365 / 91 != 2) {
            continue;                        /* a season of three months */
        }

        if (kind % 4 == 3 && day % 30 != 7) {
            continue;                        /* a newsletter */
        }

        past->clicks[day] = rate / 100
                            + ((unsigned) rand() % 100 < rate % 100);
    }

    if (rand() % 3 == 0) {
        past->traffic[YEAR + 20] = 1;        /* a clock that was ahead */
        past->clicks[YEAR + 20] = 50;
    }
}


static void
states_change_when_and_only_when_the_rules_say(void **state)
{
    past_t               *past;
    unsigned              i, today, created, seen[RFL_STATES];
    rfl_state_t           wanted;
    rfl_state_verdict_t   v, begin;

    past = malloc(sizeof(past_t));
    assert_non_null(past);

    srand(1);
    memset(seen, 0, sizeof(seen));

    for (i = 0; i < LINKS; i++) {
        random_past(past, i);

        /* some are added, or added again, later than their first clicks */

        created = i % 5 == 0 ? (unsigned) rand() % YEAR
                             : (unsigned) rand() % 3;

        for (today = created; today < YEAR; today++) {
            wanted = naive(past, DAY0 + today, DAY0 + created);
            judge(past, DAY0 + today, DAY0 + created, &v);

            if (v.state != wanted) {
                fail_msg("link %u, day %u: %s, and is to be %s", i, today,
                         rfl_state_names[v.state].data,
                         rfl_state_names[wanted].data);
            }

            seen[wanted]++;

            /* "since" is the first of the days it is in it, and no other */

            judge(past, v.since, DAY0 + created, &begin);
            assert_int_equal(begin.state, v.state);
            assert_true(v.since <= DAY0 + today);

            if (v.since > DAY0 + created) {
                judge(past, v.since - 1, DAY0 + created, &begin);
                assert_true(begin.state != v.state || v.since == begin.since
                            || v.state == RFL_STATE_REVIVED);
            }
        }
    }

    for (i = 0; i < RFL_STATES; i++) {
        assert_true(seen[i] > 100);
    }

    free(past);
}


static void
names_are_read_back_and_nothing_else_is(void **state)
{
    unsigned     i;
    rfl_state_t  found;

    static const char *const  wrong[] = {
        "", "New", "lost", "silen", "silentt", "new,never"
    };

    for (i = 0; i < RFL_STATES; i++) {
        assert_int_equal(rfl_state_parse(rfl_state_names[i], &found), RFL_OK);
        assert_int_equal(found, i);
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(rfl_state_parse(rfl_cstr(wrong[i]), &found),
                         RFL_INVALID);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(rules_hold_at_their_limits),
        cmocka_unit_test(a_revived_link_is_active_when_14_days_are_over),
        cmocka_unit_test(a_click_a_month_is_no_silence),
        cmocka_unit_test(a_seasonal_link_is_silent_out_of_season),
        cmocka_unit_test(
            a_link_that_was_added_again_has_its_old_rate_at_first),
        cmocka_unit_test(a_clock_that_was_ahead_changes_nothing),
        cmocka_unit_test(registered_in_the_future_is_registered_today),
        cmocka_unit_test(without_any_traffic_all_links_are_new),
        cmocka_unit_test(clicks_whose_days_are_gone_are_clicks),
        cmocka_unit_test(states_change_when_and_only_when_the_rules_say),
        cmocka_unit_test(names_are_read_back_and_nothing_else_is)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
