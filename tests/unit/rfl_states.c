/*
 * What is stored of states: values there and back, the sums that go along with
 * them, changes up to their limit, and bytes that nobody wrote.
 */

#include "rfl_states.h"
#include "rfl_ledger_parts.h"

#include "guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>


static const u_char  uuid[16] = "0123456789abcde";


typedef struct {
    char            dir[64];
    rfl_ledger_t   *ledger;
    rfl_store_t    *store;
    rfl_states_t    sums;
    int             changed;
} fixture_t;


static int
setup(void **state)
{
    fixture_t    *f;
    rfl_error_t   err;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(f->dir));

    if (rfl_ledger_open(&f->ledger, f->dir, uuid, RFL_STORE_CREATE, 64 << 20,
                        &err)
        != RFL_OK)
    {
        fail_msg("%s", err.text);
    }

    f->store = rfl_ledger_store(f->ledger);

    assert_int_equal(rfl_store_begin(f->store, 1, NULL), RFL_OK);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    char        command[96];
    fixture_t  *f = *state;

    rfl_store_end(f->store);
    rfl_ledger_close(f->ledger);

    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);

    free(f);

    return 0;
}


static void
put(fixture_t *f, uint32_t id, rfl_state_t s, uint32_t last, uint64_t now)
{
    rfl_state_verdict_t  v;

    memset(&v, 0, sizeof(rfl_state_verdict_t));

    v.state = s;
    v.since = 20000;
    v.last = last;
    v.clicks = UINT64_MAX;
    v.days = RFL_STATE_WINDOW;

    f->changed = 0;

    assert_int_equal(rfl_states_put(f->ledger, &f->sums, id, &v, now,
                                    &f->changed, NULL),
                     RFL_OK);
}


static void
a_verdict_is_read_back(void **state)
{
    fixture_t *f = *state;

    rfl_state_verdict_t  v;

    assert_int_equal(rfl_states_get(f->ledger, 7, &v), RFL_NOT_FOUND);

    put(f, 7, RFL_STATE_REVIVED, UINT32_MAX, 1);
    assert_true(f->changed);

    assert_int_equal(rfl_states_get(f->ledger, 7, &v), RFL_OK);
    assert_int_equal(v.state, RFL_STATE_REVIVED);
    assert_int_equal(v.since, 20000);
    assert_int_equal(v.last, UINT32_MAX);
    assert_true(v.clicks == UINT64_MAX);
    assert_int_equal(v.days, RFL_STATE_WINDOW);

    put(f, 7, RFL_STATE_REVIVED, UINT32_MAX, 2);
    assert_false(f->changed);
}


static void
verdicts_of_many_are_those_of_each(void **state)
{
    size_t      i;
    uint32_t    ids[RFL_PAGES_MANY];
    rfl_rc_t    rcs[RFL_PAGES_MANY];
    fixture_t  *f = *state;

    rfl_state_verdict_t  v, found[RFL_PAGES_MANY];

    for (i = 0; i < RFL_PAGES_MANY; i++) {
        ids[i] = (uint32_t) (RFL_PAGES_MANY - i);

        if (i % 3 != 0) {
            put(f, ids[i], i % 2 == 0 ? RFL_STATE_REVIVED : RFL_STATE_ACTIVE,
                (uint32_t) (20000 + i), 1);
        }
    }

    memset(found, 0, sizeof(found));
    rfl_states_get_many(f->ledger, ids, RFL_PAGES_MANY, found, rcs);

    for (i = 0; i < RFL_PAGES_MANY; i++) {
        memset(&v, 0, sizeof(rfl_state_verdict_t));

        assert_int_equal(rcs[i], rfl_states_get(f->ledger, ids[i], &v));
        assert_int_equal(rcs[i], i % 3 != 0 ? RFL_OK : RFL_NOT_FOUND);
        assert_memory_equal(&v, &found[i], sizeof(rfl_state_verdict_t));
    }
}


static void
sums_follow_each_change(void **state)
{
    fixture_t *f = *state;

    rfl_states_t         read;
    rfl_states_change_t  change;

    assert_int_equal(rfl_states_sums(f->ledger, &read), RFL_NOT_FOUND);
    assert_int_equal(rfl_states_begin_sums(f->ledger, &f->sums, NULL),
                     RFL_OK);

    put(f, 1, RFL_STATE_NEW, 0, 100);
    put(f, 2, RFL_STATE_NEW, 0, 100);
    assert_int_equal(f->sums.links[RFL_STATE_NEW], 2);
    assert_int_equal(f->sums.changes, 0);            /* the first verdict */
    assert_int_equal(rfl_states_next_change(f->ledger, 0, &change),
                     RFL_NOT_FOUND);

    put(f, 2, RFL_STATE_ACTIVE, 20001, 200);
    put(f, 2, RFL_STATE_ACTIVE, 20002, 300);         /* no other state */

    assert_int_equal(f->sums.links[RFL_STATE_NEW], 1);
    assert_int_equal(f->sums.links[RFL_STATE_ACTIVE], 1);
    assert_int_equal(f->sums.changes, 1);

    assert_int_equal(rfl_states_next_change(f->ledger, 0, &change), RFL_OK);
    assert_int_equal(change.number, 1);
    assert_int_equal(change.time, 200);
    assert_int_equal(change.id, 2);
    assert_int_equal(change.from, RFL_STATE_NEW);
    assert_int_equal(change.to, RFL_STATE_ACTIVE);
    assert_int_equal(rfl_states_next_change(f->ledger, 1, &change),
                     RFL_NOT_FOUND);

    f->changed = 0;
    assert_int_equal(rfl_states_remove(f->ledger, &f->sums, 2, &f->changed,
                                       NULL),
                     RFL_OK);
    assert_true(f->changed);
    assert_int_equal(f->sums.links[RFL_STATE_ACTIVE], 0);

    f->changed = 0;
    assert_int_equal(rfl_states_remove(f->ledger, &f->sums, 2, &f->changed,
                                       NULL),
                     RFL_OK);
    assert_false(f->changed);

    f->sums.day = 20003;
    assert_int_equal(rfl_states_put_sums(f->ledger, &f->sums, NULL), RFL_OK);
    assert_int_equal(rfl_states_sums(f->ledger, &read), RFL_OK);
    assert_memory_equal(read.links, f->sums.links, sizeof(read.links));
    assert_int_equal(read.changes, 1);
    assert_int_equal(read.day, 20003);
}


static void
the_last_changes_are_kept(void **state)
{
    fixture_t *f = *state;

    unsigned              i;
    rfl_states_change_t   change;

    put(f, 1, RFL_STATE_NEW, 0, 0);

    for (i = 1; i <= RFL_STATES_CHANGES; i++) {
        put(f, 1, i % 2 ? RFL_STATE_ACTIVE : RFL_STATE_SILENT, 20000, i);
    }

    assert_int_equal(rfl_states_next_change(f->ledger, 0, &change), RFL_OK);
    assert_int_equal(change.number, 1);

    put(f, 1, RFL_STATE_REVIVED, 20000, i);

    assert_int_equal(rfl_states_next_change(f->ledger, 0, &change), RFL_OK);
    assert_int_equal(change.number, 2);
    assert_int_equal(change.time, 2);

    assert_int_equal(rfl_states_next_change(f->ledger, RFL_STATES_CHANGES,
                                            &change), RFL_OK);
    assert_int_equal(change.number, RFL_STATES_CHANGES + 1);

    /* sums that are lost go on behind the last change */

    assert_int_equal(rfl_states_begin_sums(f->ledger, &f->sums, NULL),
                     RFL_OK);
    assert_int_equal(f->sums.changes, RFL_STATES_CHANGES + 1);
}


static void
other_bytes_are_refused(void **state)
{
    size_t                i;
    rfl_str_t             value;
    rfl_state_verdict_t   v;
    rfl_states_change_t   change;

    static const struct {
        const char  *bytes;
        size_t       len;
        rfl_rc_t     verdict;
        rfl_rc_t     change;
    } rows[] = {
        { "",                      0, RFL_DAMAGED,     RFL_DAMAGED },
        { "\1",                    1, RFL_DAMAGED,     RFL_DAMAGED },
        { "\2\0\0\0\0\0",          6, RFL_BAD_VERSION, RFL_BAD_VERSION },
        { "\1\0\0\0\0\0",          6, RFL_OK,          RFL_DAMAGED },
        { "\1\4\1\1\1\x5a",        6, RFL_OK,          RFL_DAMAGED },
        { "\1\4\1\1\1\x5b",        6, RFL_DAMAGED,     RFL_DAMAGED },
        { "\1\5\0\0\0\0",          6, RFL_DAMAGED,     RFL_DAMAGED },
        { "\1\0\0\0\0",            5, RFL_DAMAGED,     RFL_OK },
        { "\1\0\5\0\0",            5, RFL_DAMAGED,     RFL_DAMAGED },
        { "\1\0\0\0\0\0\0",        7, RFL_DAMAGED,     RFL_DAMAGED },
        { "\1\0\xff\xff\xff\xff\xff\0\0\0", 10, RFL_DAMAGED, RFL_DAMAGED },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        value = rfl_str(guard_copy(rows[i].bytes, rows[i].len), rows[i].len);

        if (rfl_states_decode(value, &v) != rows[i].verdict
            || rfl_states_decode_change(value, &change) != rows[i].change)
        {
            fail_msg("row %zu", i);
        }
    }

    guard_free_all();
}


#define test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(a_verdict_is_read_back),
        test(verdicts_of_many_are_those_of_each),
        test(sums_follow_each_change),
        test(the_last_changes_are_kept),
        cmocka_unit_test(other_bytes_are_refused)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
