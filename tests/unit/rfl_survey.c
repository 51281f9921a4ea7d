/*
 * The survey: a year of traffic in compressed time, day by day, against each
 * link's own definition; then steps, restarts, clocks, damage.
 */

#include "rfl_survey.h"
#include "rfl_ledger_parts.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


#define DAY0    20000
#define DAYS    365
#define LINKS   150
#define CLICKS  RFL_CELL_CLICKS


static const u_char  uuid[16] = "0123456789abcde";


typedef struct {
    char              dir[64];
    rfl_registry_t   *registry;
    rfl_ledger_t     *ledger;
    rfl_survey_t     *survey;
    uint64_t          clock_ms;
} fixture_t;


/* In memory: a year has more commits than a disk has patience. */

static int
setup(void **state)
{
    fixture_t    *f;
    rfl_error_t   err;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    (void) snprintf(f->dir, sizeof(f->dir), "%s/rfl-XXXXXX",
                    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(f->dir));

    if (rfl_registry_open(&f->registry, f->dir, RFL_STORE_CREATE, 64 << 20,
                          &err)
        != RFL_OK
        || rfl_ledger_open(&f->ledger, f->dir, uuid, RFL_STORE_CREATE,
                           64 << 20, &err)
           != RFL_OK)
    {
        fail_msg("%s", err.text);
    }

    f->survey = rfl_survey_create();
    assert_non_null(f->survey);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    char        command[96];
    fixture_t  *f = *state;

    rfl_survey_free(f->survey);
    rfl_ledger_close(f->ledger);
    rfl_registry_close(f->registry);

    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);

    free(f);

    return 0;
}


/* Registers n links, or those again that were removed; returns the last id. */

static uint32_t
add(fixture_t *f, unsigned from, unsigned n, unsigned day)
{
    char         source[64];
    unsigned     i;
    rfl_link_t   link;
    rfl_error_t  err;

    link.id = 0;

    assert_int_equal(rfl_registry_begin(f->registry, 1, &err), RFL_OK);

    for (i = from; i < from + n; i++) {
        memset(&link, 0, sizeof(rfl_link_t));

        /* on hosts of their own: no group takes an id */

        (void) snprintf(source, sizeof(source), "https://h%u.example/", i);

        link.match_type = RFL_MATCH_EXACT;
        link.source = rfl_cstr(source);
        link.target = rfl_cstr("/");
        link.created = (uint64_t) day * RFL_STATE_DAY + 3600;

        if (rfl_registry_add(f->registry, &link, 0, &err) != RFL_OK) {
            fail_msg("%s", err.text);
        }
    }

    assert_int_equal(rfl_registry_commit(f->registry, &err), RFL_OK);

    return link.id;
}


static void
drop(fixture_t *f, uint32_t id)
{
    uint64_t     key;
    rfl_link_t   link;
    rfl_error_t  err;

    assert_int_equal(rfl_registry_begin(f->registry, 1, &err), RFL_OK);
    assert_int_equal(rfl_registry_link(f->registry, id, &link), RFL_OK);

    key = link.key;

    assert_int_equal(rfl_registry_remove(f->registry, key, &err), RFL_OK);
    assert_int_equal(rfl_registry_commit(f->registry, &err), RFL_OK);
}


/* A flush of one day: requests of the registry, clicks of ids. */

static void
flush(fixture_t *f, unsigned day, unsigned outcome, uint64_t requests,
    const uint32_t *clicks, uint32_t end)
{
    uint32_t              id;
    rfl_zone_t            zone;
    rfl_history_t         history;
    rfl_history_block_t   block;

    history = rfl_ledger_history(f->ledger);

    assert_int_equal(rfl_store_begin(history.store, 1, NULL), RFL_OK);

    memset(&zone, 0, sizeof(rfl_zone_t));
    zone.n[RFL_ZONE_OUTCOMES + outcome] = requests;

    assert_int_equal(rfl_history_add_zone(&history,
                                          (uint64_t) day * RFL_STATE_DAY,
                                          &zone, NULL),
                     RFL_OK);

    for (id = 0; id < end; id++) {

        if (id % RFL_HISTORY_BLOCK == 0) {
            memset(&block, 0, sizeof(rfl_history_block_t));
        }

        if (clicks[id] != 0) {
            block.present |= (uint64_t) 1 << id % RFL_HISTORY_BLOCK;
            block.cells[id % RFL_HISTORY_BLOCK].n[CLICKS] = clicks[id];
        }

        if ((id + 1 == end || id % RFL_HISTORY_BLOCK == RFL_HISTORY_BLOCK - 1)
            && block.present != 0)
        {
            assert_int_equal(rfl_history_add(&history, (uint64_t) day
                                                       * RFL_STATE_DAY,
                                             id / RFL_HISTORY_BLOCK, &block,
                                             NULL),
                             RFL_OK);
        }
    }

    assert_int_equal(rfl_store_commit(history.store, NULL), RFL_OK);
    rfl_store_end(history.store);
}


static void
click(fixture_t *f, unsigned day, uint32_t id, uint32_t n)
{
    uint32_t  *clicks;

    clicks = calloc(id + 1, sizeof(uint32_t));
    assert_non_null(clicks);

    clicks[id] = n;
    flush(f, day, RFL_OUTCOME_MATCHED, n, clicks, id + 1);

    free(clicks);
}


static void
traffic(fixture_t *f, unsigned from, unsigned to)
{
    unsigned  day;

    for (day = from; day < to; day++) {
        flush(f, day, RFL_OUTCOME_DIRECT, 1, NULL, 0);
    }
}


/* Turns until it has nothing to do; returns how many. */

static unsigned
survey(fixture_t *f, unsigned day)
{
    rfl_rc_t           rc;
    unsigned           turns;
    rfl_error_t        err;
    rfl_survey_turn_t  turn;

    turn.registry = f->registry;
    turn.ledger = f->ledger;
    turn.now = (uint64_t) day * RFL_STATE_DAY + 7200;

    turns = 0;

    do {
        f->clock_ms += 600000;           /* any rest is over */
        turn.clock_ms = f->clock_ms;
        turns++;

        rc = rfl_survey_turn(f->survey, &turn, &err);

        if (rc != RFL_OK && rc != RFL_BUSY) {
            fail_msg("%s", err.text);
        }

    } while (rc == RFL_BUSY);

    return turns;
}


static void
sums(fixture_t *f, rfl_states_t *s)
{
    assert_int_equal(rfl_ledger_begin(f->ledger, NULL), RFL_OK);
    assert_int_equal(rfl_states_sums(f->ledger, s), RFL_OK);
    rfl_ledger_end(f->ledger);
}


/* RFL_STATES: none. */

static rfl_state_t
state_of(fixture_t *f, uint32_t id)
{
    rfl_rc_t             rc;
    rfl_state_verdict_t  v;

    assert_int_equal(rfl_ledger_begin(f->ledger, NULL), RFL_OK);
    rc = rfl_states_get(f->ledger, id, &v);
    rfl_ledger_end(f->ledger);

    return rc == RFL_OK ? v.state : RFL_STATES;
}


static uint64_t
txn_id(fixture_t *f)
{
    uint64_t  id;

    assert_int_equal(rfl_ledger_begin(f->ledger, NULL), RFL_OK);
    id = rfl_store_txn_id(rfl_ledger_store(f->ledger));
    rfl_ledger_end(f->ledger);

    return id;
}


/* What the year has so far, for the definition itself. */

typedef struct {
    uint32_t   days[DAYS];
    size_t     ndays;
    uint32_t   clicks[LINKS + 1][DAYS];
    unsigned   rates[LINKS + 1];             /* hundredths of a click a day */
    unsigned   created[LINKS + 1];           /* a day; 0: it is no link */
    rfl_state_t  states[LINKS + 1];          /* of the day before */
} year_t;


static uint32_t
clicks_of(year_t *y, uint32_t id, unsigned day)
{
    unsigned  rate;

    rate = y->rates[id];

    switch (id % 5) {
    case 0:                                  /* a season of two months */
        rate = day % 182 < 60 ? rate : 0;
        break;
    case 1:                                  /* a newsletter */
        return day % 30 == id % 30;
    case 2:                                  /* it comes and goes */
        if (rand() % 50 == 0) {
            y->rates[id] = rand() % 2 ? 0 : 1u << rand() % 10;
        }

        break;
    default:
        break;
    }

    return rate / 100 + ((unsigned) rand() % 100 < rate % 100);
}


/* A day of it: some are removed, some added again; then the flush. */

static void
live_a_day(fixture_t *f, year_t *y, unsigned day, unsigned away)
{
    uint32_t  id, clicks[LINKS + 1];

    memset(clicks, 0, sizeof(clicks));

    for (id = 1; id <= LINKS; id++) {

        if (y->created[id] != 0 && rand() % 400 == 0) {
            drop(f, id);
            y->created[id] = 0;

        } else if (y->created[id] == 0 && rand() % 40 == 0) {
            assert_int_equal(add(f, id, 1, DAY0 + day), id);
            y->created[id] = DAY0 + day;
        }

        if (!away && y->created[id] != 0) {
            clicks[id] = clicks_of(y, id, day);
        }

        y->clicks[id][y->ndays] = clicks[id];
    }

    if (away) {
        return;
    }

    flush(f, DAY0 + day, RFL_OUTCOME_DIRECT, 10, clicks, LINKS + 1);
    y->days[y->ndays++] = DAY0 + day;
}


/* Each link's verdict is the definition's; returns how many changed. */

static unsigned
all_are_right(fixture_t *f, year_t *y, unsigned day)
{
    uint32_t             id;
    unsigned             changes, links[RFL_STATES];
    rfl_states_t         s;
    rfl_state_input_t    in;
    rfl_state_verdict_t  wanted, found;

    changes = 0;
    memset(links, 0, sizeof(links));

    assert_int_equal(rfl_ledger_begin(f->ledger, NULL), RFL_OK);

    for (id = 1; id <= LINKS; id++) {

        if (y->created[id] == 0) {
            assert_int_equal(rfl_states_get(f->ledger, id, &found),
                             RFL_NOT_FOUND);
            y->states[id] = RFL_STATES;
            continue;
        }

        memset(&in, 0, sizeof(rfl_state_input_t));

        in.today = DAY0 + day;
        in.created = y->created[id];
        in.days = y->days;
        in.ndays = y->ndays;
        in.clicks = y->clicks[id];

        rfl_state_judge(&in, &wanted);

        assert_int_equal(rfl_states_get(f->ledger, id, &found), RFL_OK);

        if (found.state != wanted.state || found.since != wanted.since) {
            fail_msg("link %u, day %u: %s, and is to be %s", id, day,
                     rfl_state_names[found.state].data,
                     rfl_state_names[wanted.state].data);
        }

        links[wanted.state]++;
        changes += y->states[id] != RFL_STATES
                   && y->states[id] != wanted.state;
        y->states[id] = wanted.state;
    }

    assert_int_equal(rfl_states_sums(f->ledger, &s), RFL_OK);

    for (id = 0; id < RFL_STATES; id++) {
        assert_int_equal(s.links[id], links[id]);
    }

    rfl_ledger_end(f->ledger);

    return changes;
}


static void
a_year_day_by_day_is_as_the_definition_says(void **state)
{
    fixture_t *f = *state;

    year_t        *y;
    unsigned       day, away, changes;
    uint32_t       id;
    rfl_states_t   s;

    y = calloc(1, sizeof(year_t));
    assert_non_null(y);

    srand(2);
    assert_int_equal(add(f, 1, LINKS, DAY0), LINKS);

    for (id = 1; id <= LINKS; id++) {
        y->created[id] = DAY0;
        y->rates[id] = 1u << rand() % 10;
        y->states[id] = RFL_STATES;
    }

    changes = 0;
    away = 0;

    for (day = 0; day < DAYS; day++) {

        /* the whole site is away: 20 days at once, and now and then one */

        away = (day >= 150 && day < 170) || rand() % 60 == 0;

        /* the keeper looks before the first flush of a day, and after it */

        (void) survey(f, DAY0 + day);

        if (day % 3 == 0) {
            changes += all_are_right(f, y, day);
        }

        live_a_day(f, y, day, away);

        if (day % 7 == 0) {
            rfl_survey_reset(f->survey);     /* nginx was started anew */
        }

        (void) survey(f, DAY0 + day);
        changes += all_are_right(f, y, day);
    }

    /* each change was noted once; some were made and seen between two looks */

    sums(f, &s);
    assert_true(s.changes >= changes && changes > 200);

    free(y);
}


/* When it looks does not matter: one who looks once a month says the same. */

static void
who_looks_seldom_finds_the_same(void **state)
{
    fixture_t *f = *state;

    year_t    *y;
    unsigned   day;
    uint32_t   id;

    y = calloc(1, sizeof(year_t));
    assert_non_null(y);

    srand(3);
    assert_int_equal(add(f, 1, LINKS, DAY0), LINKS);

    for (id = 1; id <= LINKS; id++) {
        y->created[id] = DAY0;
        y->rates[id] = 1u << rand() % 10;
    }

    for (day = 0; day < DAYS; day++) {
        live_a_day(f, y, day, rand() % 40 == 0);

        if (day % 31 == 30) {
            (void) survey(f, DAY0 + day);
            (void) all_are_right(f, y, day);
        }
    }

    free(y);
}


static void
a_day_of_refused_requests_is_no_day_of_traffic(void **state)
{
    fixture_t *f = *state;

    uint32_t  id;
    unsigned  day;

    id = add(f, 1, 1, DAY0);
    click(f, DAY0, id, 10);

    for (day = DAY0 + 1; day < DAY0 + 50; day++) {
        flush(f, day, RFL_OUTCOME_SKIPPED, 100, NULL, 0);
    }

    (void) survey(f, DAY0 + 50);
    assert_int_equal(state_of(f, id), RFL_STATE_ACTIVE);

    flush(f, DAY0 + 50, RFL_OUTCOME_INTERNAL, 1, NULL, 0);

    (void) survey(f, DAY0 + 51);
    assert_int_equal(state_of(f, id), RFL_STATE_SILENT);
}


static void
a_click_shows_on_the_same_day(void **state)
{
    fixture_t *f = *state;

    uint32_t      id;
    rfl_states_t  s;

    id = add(f, 1, 3, DAY0);
    traffic(f, DAY0, DAY0 + 30);
    click(f, DAY0, id, 10);

    (void) survey(f, DAY0 + 30);
    assert_int_equal(state_of(f, id - 1), RFL_STATE_NEVER);
    assert_int_equal(state_of(f, id), RFL_STATE_SILENT);

    sums(f, &s);
    assert_int_equal(s.changes, 0);

    click(f, DAY0 + 30, id, 1);
    click(f, DAY0 + 30, id - 1, 1);
    (void) survey(f, DAY0 + 30);

    assert_int_equal(state_of(f, id), RFL_STATE_REVIVED);
    assert_int_equal(state_of(f, id - 1), RFL_STATE_ACTIVE);

    sums(f, &s);
    assert_int_equal(s.changes, 2);
    assert_int_equal(s.links[RFL_STATE_NEVER], 1);
}


static void
with_nothing_new_it_writes_nothing(void **state)
{
    fixture_t *f = *state;

    uint64_t  id;

    (void) add(f, 1, 200, DAY0);
    traffic(f, DAY0, DAY0 + 3);
    (void) survey(f, DAY0 + 3);

    id = txn_id(f);

    assert_int_equal(survey(f, DAY0 + 3), 1);
    assert_int_equal(survey(f, DAY0 + 3), 1);
    assert_int_equal(txn_id(f), id);

    /* nor does another one, on the same day, find anything to write */

    rfl_survey_reset(f->survey);
    (void) survey(f, DAY0 + 3);
    assert_int_equal(txn_id(f), id);
}


/* So many ids and days a turn, and each turn stores what it has. */

static void
a_long_list_takes_many_turns(void **state)
{
    fixture_t *f = *state;

    uint32_t      last;
    unsigned      turns;
    rfl_error_t   err;
    rfl_states_t  s;

    last = add(f, 1, 20000, DAY0);
    traffic(f, DAY0, DAY0 + 300);
    click(f, DAY0 + 300, last, 1);

    turns = survey(f, DAY0 + 300);

    /* 313 blocks of 64 ids, at 64 + 301 each */

    assert_in_range(turns, 313 * 365 / RFL_SURVEY_WORK,
                    313 * 365 / RFL_SURVEY_WORK + 2);

    sums(f, &s);
    assert_int_equal(s.links[RFL_STATE_NEVER], 19999);
    assert_int_equal(s.links[RFL_STATE_ACTIVE], 1);
    assert_int_equal(s.day, DAY0 + 300);

    /* midnight comes in the middle of the next one: it begins anew */

    {
        rfl_survey_turn_t  turn = {
            f->registry, f->ledger, (uint64_t) (DAY0 + 301) * RFL_STATE_DAY,
            f->clock_ms += 6000000
        };

        assert_int_equal(rfl_survey_turn(f->survey, &turn, &err), RFL_BUSY);
    }

    assert_true(survey(f, DAY0 + 302) >= 313 * 365 / RFL_SURVEY_WORK);

    sums(f, &s);
    assert_int_equal(s.day, DAY0 + 302);
    assert_int_equal(s.links[RFL_STATE_NEVER], 19999);
}


static void
after_a_long_one_it_rests(void **state)
{
    fixture_t *f = *state;

    unsigned           n;
    uint64_t           id;
    rfl_error_t        err;
    rfl_survey_turn_t  turn;

    (void) add(f, 1, 20000, DAY0);
    traffic(f, DAY0, DAY0 + 100);
    (void) survey(f, DAY0 + 100);

    turn.registry = f->registry;
    turn.ledger = f->ledger;
    turn.now = (uint64_t) (DAY0 + 100) * RFL_STATE_DAY;
    turn.clock_ms = f->clock_ms;             /* it has just ended */

    (void) add(f, 30000, 1, DAY0 + 100);
    id = txn_id(f);

    for (n = 0; n < 3; n++) {
        assert_int_equal(rfl_survey_turn(f->survey, &turn, &err), RFL_OK);
    }

    assert_int_equal(txn_id(f), id);

    (void) survey(f, DAY0 + 100);
    assert_true(txn_id(f) > id);
}


static void
a_clock_that_was_set_back_is_believed_after_an_hour(void **state)
{
    fixture_t *f = *state;

    uint32_t           id;
    uint64_t           begun;
    rfl_error_t        err;
    rfl_survey_turn_t  turn;

    id = add(f, 1, 1, DAY0);
    click(f, DAY0, id, 10);
    traffic(f, DAY0, DAY0 + 10);

    (void) survey(f, DAY0 + 10);
    assert_int_equal(state_of(f, id), RFL_STATE_SILENT);

    turn.registry = f->registry;
    turn.ledger = f->ledger;
    turn.now = (uint64_t) (DAY0 + 1) * RFL_STATE_DAY;

    begun = f->clock_ms + 1000000;

    for (turn.clock_ms = begun; turn.clock_ms < begun + RFL_SURVEY_BACK_MS;
         turn.clock_ms += 60000)
    {
        assert_int_equal(rfl_survey_turn(f->survey, &turn, &err), RFL_OK);
        assert_int_equal(state_of(f, id), RFL_STATE_SILENT);
    }

    turn.clock_ms += 60000;
    assert_int_equal(rfl_survey_turn(f->survey, &turn, &err), RFL_OK);
    assert_int_equal(state_of(f, id), RFL_STATE_ACTIVE);

    f->clock_ms = turn.clock_ms;
    (void) survey(f, DAY0 + 10);
    assert_int_equal(state_of(f, id), RFL_STATE_SILENT);
}


/* A year ahead for a moment: no link is silent, nor never clicked, by it. */

static void
a_clock_that_jumps_ahead_silences_nothing(void **state)
{
    fixture_t *f = *state;

    uint32_t      id;
    rfl_states_t  s;

    id = add(f, 1, 2, DAY0);
    traffic(f, DAY0, DAY0 + 10);
    click(f, DAY0 + 9, id, 1);

    (void) survey(f, DAY0 + 10);
    assert_int_equal(state_of(f, id), RFL_STATE_ACTIVE);

    flush(f, DAY0 + 375, RFL_OUTCOME_DIRECT, 5, NULL, 0);
    (void) survey(f, DAY0 + 375);

    sums(f, &s);
    assert_int_equal(s.changes, 0);
    assert_int_equal(state_of(f, id), RFL_STATE_ACTIVE);
    assert_int_equal(state_of(f, id - 1), RFL_STATE_NEW);
}


static void
damaged_verdicts_are_made_anew(void **state)
{
    fixture_t *f = *state;

    uint32_t      id;
    rfl_store_t  *store;
    rfl_states_t  s;

    id = add(f, 1, 1, DAY0);
    traffic(f, DAY0, DAY0 + 20);
    (void) survey(f, DAY0 + 20);

    store = rfl_ledger_store(f->ledger);

    assert_int_equal(rfl_store_begin(store, 1, NULL), RFL_OK);
    assert_int_equal(rfl_store_put_u32(store, RFL_LEDGER_STATES, id,
                                       rfl_str("\1\7", 2), 0, NULL),
                     RFL_OK);
    assert_int_equal(rfl_store_put(store, RFL_LEDGER_META, rfl_cstr("states"),
                                   rfl_str("\1", 1), 0, NULL),
                     RFL_OK);
    assert_int_equal(rfl_store_commit(store, NULL), RFL_OK);
    rfl_store_end(store);

    assert_int_equal(state_of(f, id), RFL_STATES);

    (void) survey(f, DAY0 + 20);

    assert_int_equal(state_of(f, id), RFL_STATE_NEVER);
    sums(f, &s);
    assert_int_equal(s.links[RFL_STATE_NEVER], 1);
}


/* Its days were pruned, its total is not. */

static void
a_total_without_days_is_no_link_that_was_never_clicked(void **state)
{
    fixture_t *f = *state;

    uint32_t      id;
    uint64_t      key;
    rfl_store_t  *store;

    id = add(f, 1, 2, DAY0);
    traffic(f, DAY0 + 100, DAY0 + 120);

    store = rfl_ledger_store(f->ledger);
    key = (uint64_t) id << 32;

    assert_int_equal(rfl_store_begin(store, 1, NULL), RFL_OK);
    assert_int_equal(rfl_store_put_u64(store, RFL_LEDGER_CELLS, key,
                                       rfl_str("\1\7", 2), 0, NULL),
                     RFL_OK);
    assert_int_equal(rfl_store_commit(store, NULL), RFL_OK);
    rfl_store_end(store);

    (void) survey(f, DAY0 + 120);

    assert_int_equal(state_of(f, id), RFL_STATE_ACTIVE);
    assert_int_equal(state_of(f, id - 1), RFL_STATE_NEVER);
}


static void
another_version_is_left_alone(void **state)
{
    fixture_t *f = *state;

    rfl_error_t        err;
    rfl_store_t       *store;
    rfl_survey_turn_t  turn;

    (void) add(f, 1, 1, DAY0);
    traffic(f, DAY0, DAY0 + 20);

    store = rfl_ledger_store(f->ledger);

    assert_int_equal(rfl_store_begin(store, 1, NULL), RFL_OK);
    assert_int_equal(rfl_store_put(store, RFL_LEDGER_META, rfl_cstr("states"),
                                   rfl_str("\2abc", 4), 0, NULL),
                     RFL_OK);
    assert_int_equal(rfl_store_commit(store, NULL), RFL_OK);
    rfl_store_end(store);

    turn.registry = f->registry;
    turn.ledger = f->ledger;
    turn.now = (uint64_t) (DAY0 + 20) * RFL_STATE_DAY;
    turn.clock_ms = 1;

    assert_int_equal(rfl_survey_turn(f->survey, &turn, &err),
                     RFL_BAD_VERSION);
    assert_non_null(strstr(err.text, "another version"));
}


#define test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(a_year_day_by_day_is_as_the_definition_says),
        test(who_looks_seldom_finds_the_same),
        test(a_day_of_refused_requests_is_no_day_of_traffic),
        test(a_click_shows_on_the_same_day),
        test(with_nothing_new_it_writes_nothing),
        test(a_long_list_takes_many_turns),
        test(after_a_long_one_it_rests),
        test(a_clock_that_was_set_back_is_believed_after_an_hour),
        test(a_clock_that_jumps_ahead_silences_nothing),
        test(damaged_verdicts_are_made_anew),
        test(a_total_without_days_is_no_link_that_was_never_clicked),
        test(another_version_is_left_alone)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
