/*
 * Event rings: what a reader gets is what writers wrote, in order, once; and
 * who is overtaken, or waits for the dead, is told how many it missed.
 */

#include "rfl_ring.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


#define WRITERS  4
#define EVENTS   50000


typedef struct {
    char             dir[64];
    char             path[128];
    rfl_counters_t  *counters;
} fixture_t;


typedef struct {
    rfl_counters_t  *counters;
    unsigned         number;
    unsigned         ring;
} writer_t;


static int setup(void **state);
static int teardown(void **state);
static void write_event(rfl_counters_t *c, unsigned ring, uint32_t id);
static void *write_many(void *data);


static const u_char  uuid[16] = { 1, 2, 3 };


/* Texts that fit, that just fit, and that do not; in whatever case. */

static void
test_text(void **state)
{
    fixture_t          *f = *state;
    u_char              bytes[400];
    unsigned            i;
    rfl_event_t         event;
    rfl_ring_reader_t   reader;

    static const struct {
        size_t    source;
        size_t    landing;
        size_t    source_kept;
        size_t    landing_kept;
        unsigned  flags;
    } rows[] = {
        { 12, 8, 12, 8, 0 },
        { 0, 1, 0, 1, 0 },
        { 3, 0, 3, 0, 0 },
        { 0, RFL_RING_TEXT, 0, RFL_RING_TEXT, 0 },
        { 0, RFL_RING_TEXT + 1, 0, RFL_RING_TEXT, RFL_EVENT_LANDING_CUT },
        { RFL_RING_TEXT / 2, RFL_RING_TEXT / 2, RFL_RING_TEXT / 2,
          RFL_RING_TEXT / 2, 0 },
        { 300, 300, RFL_RING_TEXT / 2, RFL_RING_TEXT / 2,
          RFL_EVENT_SOURCE_CUT | RFL_EVENT_LANDING_CUT }
    };

    assert_int_equal(rfl_ring_open(f->counters, 5, NULL), RFL_OK);
    rfl_ring_start(&reader, f->counters);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {

        memset(bytes, 'A', sizeof(bytes));
        memset(&event, 0, sizeof(event));

        rfl_ring_write(f->counters, 5, &event,
                       rfl_str(bytes, rows[i].source),
                       rfl_str(bytes, rows[i].landing));

        assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event),
                         RFL_OK);
        assert_int_equal(event.flags, rows[i].flags);

        memset(bytes, 'a', sizeof(bytes));
        assert_true(rfl_str_eq(rfl_event_source(&event),
                               rfl_str(bytes, rows[i].source_kept)));

        memset(bytes, 'A', sizeof(bytes));
        assert_true(rfl_str_eq(rfl_event_landing(&event),
                               rfl_str(bytes, rows[i].landing_kept)));
    }
}


static void
test_order(void **state)
{
    fixture_t          *f = *state;
    uint32_t            id;
    rfl_event_t         event;
    rfl_ring_reader_t   reader;

    write_event(f->counters, 0, 1);      /* not allocated: goes nowhere */

    assert_int_equal(rfl_ring_open(f->counters, 0, NULL), RFL_OK);
    assert_int_equal(rfl_ring_open(f->counters, RFL_RINGS, NULL), RFL_OK);

    write_event(f->counters, 0, 2);      /* before the reader came */

    rfl_ring_start(&reader, f->counters);
    assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event),
                     RFL_NOT_FOUND);

    for (id = 3; id < 100; id++) {
        write_event(f->counters, id % 2 ? 0 : RFL_RINGS, id);
    }

    for (id = 3; id < 100; id++) {
        assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event),
                         RFL_OK);
        assert_int_equal(event.id, id);
        assert_true(rfl_str_eq(rfl_event_landing(&event), rfl_cstr("/page")));
    }

    assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event),
                     RFL_NOT_FOUND);
    assert_int_equal(reader.missed, 0);
}


static void
test_overtaken(void **state)
{
    fixture_t          *f = *state;
    uint32_t            id, seen, last;
    rfl_event_t         event;
    rfl_ring_reader_t   reader;

    assert_int_equal(rfl_ring_open(f->counters, 3, NULL), RFL_OK);
    rfl_ring_start(&reader, f->counters);

    for (id = 1; id <= 3 * RFL_RING_SLOTS; id++) {
        write_event(f->counters, 3, id);
    }

    for (seen = 0, last = 0;
         rfl_ring_next(&reader, f->counters, 1, &event) == RFL_OK;
         seen++)
    {
        assert_true(event.id > last);
        last = event.id;
    }

    assert_int_equal(last, 3 * RFL_RING_SLOTS);
    assert_true(seen > RFL_RING_SLOTS / 2 && seen <= RFL_RING_SLOTS);
    assert_int_equal(seen + reader.missed, 3 * RFL_RING_SLOTS);
}


/* A writer that was killed in a slot: the record is missed, not the rest. */

static void
test_unfinished(void **state)
{
    fixture_t          *f = *state;
    uint64_t           *slot;
    rfl_event_t         event;
    rfl_ring_reader_t   reader;

    assert_int_equal(rfl_ring_open(f->counters, 0, NULL), RFL_OK);
    rfl_ring_start(&reader, f->counters);

    write_event(f->counters, 0, 1);
    write_event(f->counters, 0, 2);

    slot = (uint64_t *) (void *) ((u_char *) f->counters->header
                                  + RFL_RING_SLOTS_AT);
    slot[0]--;

    assert_int_equal(rfl_ring_next(&reader, f->counters, 5000, &event),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_ring_next(&reader, f->counters,
                                   5000 + RFL_RING_PATIENCE_MS - 1, &event),
                     RFL_NOT_FOUND);
    assert_int_equal(reader.missed, 0);
    assert_int_equal(rfl_ring_next(&reader, f->counters,
                                   5000 + RFL_RING_PATIENCE_MS, &event),
                     RFL_OK);
    assert_int_equal(event.id, 2);
    assert_int_equal(reader.missed, 1);
}


/*
 * A writer stands still in its slot while others go round: what comes to that
 * slot is missed, at once and in each round, and nothing is written under its
 * hands.  When it goes on, its own record is long past.
 */

static void
test_occupied(void **state)
{
    fixture_t          *f = *state;
    uint32_t            id, n;
    uint64_t           *slot;
    rfl_event_t         event, before;
    rfl_ring_reader_t   reader;

    assert_int_equal(rfl_ring_open(f->counters, 0, NULL), RFL_OK);

    write_event(f->counters, 0, 1);
    write_event(f->counters, 0, 2);

    slot = rfl_ring_slot(f->counters, 0, 1);
    slot[0] = 2 * 1 + 1;
    memcpy(&before, slot, sizeof(rfl_event_t));

    rfl_ring_start(&reader, f->counters);

    for (id = 3, n = 0; id <= 2 * RFL_RING_SLOTS + 2; id++) {
        write_event(f->counters, 0, id);

        if (rfl_ring_next(&reader, f->counters, 1, &event) == RFL_OK) {
            assert_int_equal(event.id, id);
            n++;
        }
    }

    assert_int_equal(n, 2 * RFL_RING_SLOTS - 2);
    assert_int_equal(reader.missed, 2);
    assert_memory_equal(&before, slot, sizeof(rfl_event_t));

    /* it has finished: the slot is whose turn it is */

    slot[0] = 2 * (1 + 1);

    for (id = 0; id < RFL_RING_SLOTS; id++) {
        write_event(f->counters, 0, 9000 + id);
        assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event),
                         RFL_OK);
        assert_int_equal(event.id, 9000 + id);
    }

    assert_int_equal(reader.missed, 2);
}


/* One that stood still before it came to its slot finds a later record. */

static void
test_late(void **state)
{
    fixture_t          *f = *state;
    uint32_t            id;
    rfl_event_t         event, before;
    rfl_ring_reader_t   reader;

    assert_int_equal(rfl_ring_open(f->counters, 0, NULL), RFL_OK);

    for (id = 0; id < RFL_RING_SLOTS + 10; id++) {
        write_event(f->counters, 0, id);
    }

    memcpy(&before, rfl_ring_slot(f->counters, 0, 4), sizeof(rfl_event_t));
    assert_int_equal(before.id, RFL_RING_SLOTS + 4);

    assert_false(rfl_ring_claim(rfl_ring_slot(f->counters, 0, 4), 4));
    assert_memory_equal(&before, rfl_ring_slot(f->counters, 0, 4),
                        sizeof(rfl_event_t));

    rfl_ring_start(&reader, f->counters);
    write_event(f->counters, 0, 7);
    assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event), RFL_OK);
    assert_int_equal(event.id, 7);
}


/* Each writer's events come in its order; what came and what was missed are
 * all that was written. */

static void
test_writers(void **state)
{
    fixture_t          *f = *state;
    unsigned            i, n, idle;
    writer_t            writers[WRITERS];
    uint32_t            last[WRITERS], seen;
    pthread_t           threads[WRITERS];
    rfl_event_t         event;
    rfl_ring_reader_t   reader;

    for (i = 0; i < WRITERS; i++) {

        /* two of them share a ring */

        writers[i].counters = f->counters;
        writers[i].number = i;
        writers[i].ring = i == 3 ? 2 : i;
        last[i] = 0;

        assert_int_equal(rfl_ring_open(f->counters, writers[i].ring, NULL),
                         RFL_OK);
    }

    rfl_ring_start(&reader, f->counters);

    for (i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_many,
                                        &writers[i]), 0);
    }

    seen = 0;
    idle = 0;

    while (seen + reader.missed < WRITERS * EVENTS && idle < 100000) {

        if (rfl_ring_next(&reader, f->counters, 1, &event) != RFL_OK) {
            (void) usleep(10);
            idle++;
            continue;
        }

        n = event.id >> 24;
        assert_true(n < WRITERS);
        assert_true((event.id & 0xffffff) > last[n]);
        last[n] = event.id & 0xffffff;
        assert_int_equal(event.time_ms, event.id);
        seen++;
    }

    for (i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }

    assert_int_equal(seen + reader.missed, WRITERS * EVENTS);
    assert_true(seen > 0);
}


static void *
write_many(void *data)
{
    uint32_t   i;
    writer_t  *w = data;

    for (i = 1; i <= EVENTS; i++) {
        write_event(w->counters, w->ring, w->number << 24 | i);
    }

    return NULL;
}


static void
write_event(rfl_counters_t *c, unsigned ring, uint32_t id)
{
    rfl_event_t  event;

    memset(&event, 0, sizeof(event));

    event.id = id;
    event.time_ms = id;

    rfl_ring_write(c, ring, &event, rfl_cstr("blog.example"),
                   rfl_cstr("/page"));
}


static int
setup(void **state)
{
    fixture_t  *f;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/rfl_ring.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void) snprintf(f->path, sizeof(f->path), "%s/counters", f->dir);

    assert_int_equal(rfl_counters_open(&f->counters, f->path, uuid, 100, 1000,
                                       RFL_COUNTERS_CREATE, 1, NULL), RFL_OK);
    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    fixture_t  *f = *state;

    rfl_counters_close(f->counters);
    (void) unlink(f->path);
    (void) rmdir(f->dir);
    free(f);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overtaken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unfinished, setup, teardown),
        cmocka_unit_test_setup_teardown(test_occupied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writers, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
