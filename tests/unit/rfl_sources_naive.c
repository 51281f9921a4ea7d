/*
 * The table of sources against a naive one: the same rows, with the same
 * numbers, and the same one forgotten each time, whatever comes.
 */

#include "rfl_sources.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>


#define OWNERS    300
#define LANDINGS  12
#define NONE      UINT32_MAX


enum {
    FREE = 0,
    YOUNG,
    PROVEN
};


typedef struct {
    int       state;
    unsigned  owner;
    unsigned  landing;
    uint64_t  clicks;
    uint64_t  before;
    uint64_t  rank;
    uint64_t  order;                     /* among the young ones */
    uint64_t  last;
} row_t;


/* All is looked for by going through all of it. */

typedef struct {
    uint32_t  max;
    uint32_t  used;                      /* rows below it were ever used */
    uint64_t  floor;
    uint64_t  start;
    uint64_t  order;
    uint64_t  filter[OWNERS][LANDINGS];  /* of two, none meet in the real one */
    row_t     rows[RFL_SOURCES_ROWS];
} naive_t;


static naive_t   naive;
static uint64_t  seed = 88172645463325252;


static uint32_t
roll(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (uint32_t) (seed >> 11) % n;
}


static uint32_t
count(int state, unsigned owner)
{
    uint32_t  i, n;

    for (i = 0, n = 0; i < naive.max; i++) {
        n += naive.rows[i].state == state
             && (owner == OWNERS || naive.rows[i].owner == owner);
    }

    return n;
}


static uint32_t
oldest(unsigned owner)
{
    uint32_t  i, found;

    for (i = 0, found = NONE; i < naive.max; i++) {
        if (naive.rows[i].state == YOUNG
            && (owner == OWNERS || naive.rows[i].owner == owner)
            && (found == NONE
                || naive.rows[i].order < naive.rows[found].order))
        {
            found = i;
        }
    }

    return found;
}


/* more_than: of owners with more proven rows than that. */

static uint32_t
least_proven(unsigned owner, uint32_t more_than)
{
    uint32_t  i, found;

    for (i = 0, found = NONE; i < naive.max; i++) {
        if (naive.rows[i].state == PROVEN
            && (owner == OWNERS || naive.rows[i].owner == owner)
            && (found == NONE || naive.rows[i].rank < naive.rows[found].rank)
            && (more_than == 0
                || count(PROVEN, naive.rows[i].owner) > more_than))
        {
            found = i;
        }
    }

    return found;
}


static uint32_t
rival(uint32_t i)
{
    uint32_t  share, found;

    share = (naive.max - naive.max / 4) / 8;

    if (count(PROVEN, naive.rows[i].owner) >= share) {
        found = least_proven(naive.rows[i].owner, 0);

        if (found == NONE) {
            found = least_proven(OWNERS, 0);
        }

    } else {
        found = least_proven(OWNERS, share);

        if (found != NONE) {
            return found;
        }

        found = least_proven(OWNERS, 0);
    }

    return naive.rows[found].rank < naive.rows[i].rank ? found : NONE;
}


static void
promote(uint32_t i)
{
    uint32_t  other;

    if (naive.rows[i].rank < RFL_SOURCES_SHOWN) {
        return;
    }

    if (count(PROVEN, OWNERS) == naive.max - naive.max / 4) {
        other = rival(i);

        if (other == NONE) {
            return;
        }

        naive.rows[other].state = YOUNG;
        naive.rows[other].order = ++naive.order;
    }

    naive.rows[i].state = PROVEN;
}


static uint32_t
forget_one(unsigned owner)
{
    row_t     *row;
    uint32_t   i;
    uint64_t   most, raised, *seen;

    i = oldest(count(YOUNG, owner) < naive.max / 4 / 8 + 1 ? OWNERS : owner);
    row = &naive.rows[i];

    most = row->clicks + row->before;
    raised = most > naive.start ? most - naive.start : 0;
    raised = raised > row->rank ? raised : row->rank;

    naive.floor = naive.floor > most ? naive.floor : most;

    seen = &naive.filter[row->owner][row->landing];
    *seen = *seen > raised ? *seen : raised;

    row->state = FREE;

    return i;
}


static void
naive_add(unsigned owner, unsigned landing, uint64_t now)
{
    row_t     *row;
    uint32_t   i;
    uint64_t   seen;

    for (i = 0; i < naive.max; i++) {
        row = &naive.rows[i];

        if (row->state == FREE || row->owner != owner
            || row->landing != landing)
        {
            continue;
        }

        row->clicks++;
        row->rank++;
        row->last = now;

        if (row->state == YOUNG) {
            row->order = ++naive.order;
            promote(i);
        }

        return;
    }

    i = naive.used;

    if (i < naive.max) {
        naive.used++;

    } else {
        for (i = 0; i < naive.max && naive.rows[i].state != FREE; i++) {
            /* void */
        }
    }

    if (i == naive.max) {
        i = forget_one(owner);
    }

    seen = naive.filter[owner][landing];

    row = &naive.rows[i];
    memset(row, 0, sizeof(row_t));

    row->state = YOUNG;
    row->owner = owner;
    row->landing = landing;
    row->clicks = 1;
    row->rank = 1 + seen;
    row->before = naive.start + seen < naive.floor ? naive.start + seen
                                                   : naive.floor;
    row->order = ++naive.order;
    row->last = now;

    promote(i);
}


/* A filter is not taken along here: another test's. */

static void
naive_load(void)
{
    uint32_t  i, k, best;

    memset(naive.filter, 0, sizeof(naive.filter));

    naive.start = naive.floor;
    naive.order = 0;
    naive.used = 0;

    for (i = 0; i < naive.max; i++) {
        naive.rows[i].order = 0;

        if (naive.rows[i].state != FREE) {
            naive.rows[i].state = YOUNG;
            naive.used = i + 1;
        }
    }

    for (k = count(YOUNG, OWNERS); k != 0; k--) {
        for (i = 0, best = NONE; i < naive.max; i++) {
            if (naive.rows[i].state == YOUNG && naive.rows[i].order == 0
                && (best == NONE
                    || naive.rows[i].last < naive.rows[best].last))
            {
                best = i;
            }
        }

        naive.rows[best].order = ++naive.order;
    }

    for (i = 0; i < naive.max; i++) {
        if (naive.rows[i].state == YOUNG) {
            promote(i);
        }
    }
}


static size_t
write_text(u_char *text, unsigned owner, unsigned landing, size_t *host_len)
{
    *host_len = (size_t) sprintf((char *) text, "h%u.example", owner);

    return *host_len
           + (size_t) sprintf((char *) text + *host_len, "/%u", landing);
}


static void
add(rfl_sources_t *t, unsigned owner, unsigned landing, uint64_t now)
{
    size_t               len, host_len;
    rfl_sources_entry_t  source;

    memset(&source, 0, sizeof(rfl_sources_entry_t));

    len = write_text(source.text, owner, landing, &host_len);

    source.host_len = (uint8_t) host_len;
    source.landing_len = (uint8_t) (len - host_len);
    source.n[RFL_ENDED_OK] = 1;
    source.rank = 1;
    source.first = now;
    source.last = now;

    /* a third of them are links, by their ids */

    if (owner % 3 == 0) {
        source.kind = RFL_SOURCE_LINK;
        source.id = 1 + owner;
    }

    rfl_sources_add(t, &source);
    naive_add(owner, landing, now);
}


static void
assert_same(rfl_sources_t *t)
{
    size_t                      len, host_len;
    u_char                      text[RFL_SOURCES_TEXT];
    uint32_t                    i;
    const row_t                *row;
    const rfl_sources_entry_t  *source;

    assert_int_equal(rfl_sources_floor(t), naive.floor);

    for (i = 0; i < naive.max; i++) {
        row = &naive.rows[i];
        source = rfl_sources_get(t, i);

        assert_int_equal(source != NULL, row->state != FREE);

        if (source == NULL) {
            continue;
        }

        len = write_text(text, row->owner, row->landing, &host_len);

        assert_int_equal(source->host_len, host_len);
        assert_memory_equal(source->text, text, len);
        assert_int_equal(rfl_source_clicks(source), row->clicks);
        assert_int_equal(source->before, row->before);
        assert_int_equal(source->rank, row->rank);
    }
}


/* One row in twenty is lost. */

static rfl_sources_t *
load(rfl_sources_t *t)
{
    uint32_t                    i;
    rfl_sources_t              *copy;
    const rfl_sources_entry_t  *source;

    copy = rfl_sources_create(naive.max);
    assert_non_null(copy);

    rfl_sources_set_secret(copy, rfl_sources_secret(t));

    for (i = 0; i < naive.max; i++) {
        source = rfl_sources_get(t, i);

        if (source != NULL && roll(20) != 0) {
            assert_int_equal(rfl_sources_load(copy, i, source), RFL_OK);

        } else {
            naive.rows[i].state = FREE;
        }
    }

    rfl_sources_loaded(copy, rfl_sources_floor(t));
    rfl_sources_free(t);
    naive_load();

    return copy;
}


static void
run(uint32_t rows, unsigned owners, unsigned landings)
{
    unsigned        owner, landing;
    uint64_t        now;
    rfl_sources_t  *t;

    memset(&naive, 0, sizeof(naive_t));
    naive.max = rows;

    t = rfl_sources_create(rows);
    assert_non_null(t);

    for (now = 1; now <= 3000; now++) {

        /* some come often, and one comes in runs */

        owner = roll(3) ? roll(owners) : roll(1 + owners / 20);
        landing = roll(2) ? roll(landings) : 0;

        if (now / 100 % 5 == 0) {
            owner = 1;
            landing = roll(landings);
        }

        add(t, owner, landing, now);

        if (now % 50 == 0) {
            assert_same(t);
        }

        if (now % 1000 == 0) {
            t = load(t);
            assert_same(t);
        }
    }

    rfl_sources_free(t);
}


static void
test_as_a_naive_table(void **state)
{
    unsigned  round;

    static const uint32_t  rows[] = { 16, 24, 40, 96, 200 };

    (void) state;

    for (round = 0; round < 40; round++) {
        run(rows[round % 5], 1 + roll(round % 4 == 0 ? 8 : OWNERS),
            1 + roll(LANDINGS));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_as_a_naive_table)
    };

    return cmocka_run_group_tests_name("rfl_sources_naive", tests, NULL, NULL);
}
