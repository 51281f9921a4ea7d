/*
 * The table of sources against an exact tally of the same clicks: what is
 * shown lies within its stated bound, whatever strangers send; and what brings
 * visitors stays, in order.
 */

#include "rfl_fold.h"
#include "rfl_sources.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>


#define MILLION  1000000
#define REAL     200


static void set_text(rfl_event_t *event, rfl_str_t source,
    rfl_str_t landing);


static void load_filter(rfl_sources_t *copy, const rfl_sources_t *t);


static uint64_t  seed = 88172645463325252;


static uint64_t
random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed;
}


static void
make_event(rfl_event_t *event, const char *host, const char *landing,
    unsigned status, uint64_t time)
{
    memset(event, 0, sizeof(rfl_event_t));

    event->outcome = RFL_OUTCOME_UNREGISTERED;
    event->class = status >= 400 ? RFL_CLASS_ERROR : RFL_CLASS_CLICK;
    event->status = (uint16_t) status;
    event->time_ms = time * 1000;

    set_text(event, rfl_cstr(host), rfl_cstr(landing));
}


/* As rfl_ring_write() leaves it: what does not fit is cut. */

static void
set_text(rfl_event_t *event, rfl_str_t source, rfl_str_t landing)
{
    if (source.len > RFL_RING_TEXT / 2) {
        source.len = RFL_RING_TEXT / 2;
        event->flags |= RFL_EVENT_SOURCE_CUT;
    }

    if (landing.len > RFL_RING_TEXT - source.len) {
        landing.len = RFL_RING_TEXT - source.len;
        event->flags |= RFL_EVENT_LANDING_CUT;
    }

    event->source_len = (uint8_t) source.len;
    event->landing_len = (uint8_t) landing.len;

    memcpy(event->text, source.data, source.len);
    memcpy(event->text + source.len, landing.data, landing.len);
}


static void
make_source(rfl_sources_entry_t *source, const char *host, const char *landing,
    unsigned status, uint64_t time)
{
    rfl_event_t  event;

    make_event(&event, host, landing, status, time);
    assert_true(rfl_source_of_event(&event, source));
}


static void
add(rfl_sources_t *t, const char *host, const char *landing, unsigned status,
    uint64_t time)
{
    rfl_sources_entry_t  source;

    make_source(&source, host, landing, status, time);
    rfl_sources_add(t, &source);
}


static const rfl_sources_entry_t *
find(rfl_sources_t *t, const char *host, const char *landing)
{
    rfl_sources_entry_t  source;

    make_source(&source, host, landing, 200, 1);

    return rfl_sources_find(t, &source);
}


static void
test_counts(void **state)
{
    rfl_sources_t       *t;
    const rfl_sources_entry_t  *row;

    (void) state;

    t = rfl_sources_create(RFL_SOURCES_ROWS);
    assert_non_null(t);

    add(t, "blog.example", "/a", 200, 100);
    add(t, "blog.example", "/a", 304, 300);
    add(t, "blog.example", "/a", 404, 200);
    add(t, "blog.example", "/a", 410, 200);
    add(t, "blog.example", "/a", 403, 200);
    add(t, "blog.example", "/a", 503, 90);
    add(t, "blog.example", "/b", 200, 100);
    add(t, "other.example", "/a", 200, 100);

    row = find(t, "blog.example", "/a");
    assert_non_null(row);
    assert_int_equal(row->n[RFL_ENDED_OK], 2);
    assert_int_equal(row->n[RFL_ENDED_404], 1);
    assert_int_equal(row->n[RFL_ENDED_410], 1);
    assert_int_equal(row->n[RFL_ENDED_4XX], 1);
    assert_int_equal(row->n[RFL_ENDED_5XX], 1);
    assert_int_equal(rfl_source_lost(row), 4);
    assert_int_equal(rfl_source_clicks(row), 6);
    assert_int_equal(row->before, 0);
    assert_int_equal(row->first, 90);
    assert_int_equal(row->last, 300);

    assert_int_equal(rfl_source_clicks(find(t, "blog.example", "/b")), 1);
    assert_null(find(t, "blog.example", "/c"));

    rfl_sources_free(t);
}


/* Which requests are clicks that say something here. */

static void
test_events(void **state)
{
    unsigned      class;
    rfl_event_t   event;
    rfl_sources_entry_t  source;

    (void) state;

    for (class = 0; class <= RFL_CLASS_NONE; class++) {
        make_event(&event, "a.example", "/x", 200, 1);
        event.class = (uint8_t) class;

        assert_int_equal(rfl_source_of_event(&event, &source),
                         class == RFL_CLASS_CLICK || class == RFL_CLASS_ERROR);
    }

    make_event(&event, "", "/x", 404, 1);
    assert_false(rfl_source_of_event(&event, &source));

    make_event(&event, "a.example", "/x", 404, 1);
    event.outcome = RFL_OUTCOME_HIDDEN;
    assert_false(rfl_source_of_event(&event, &source));

    event.outcome = RFL_OUTCOME_MATCHED;
    assert_false(rfl_source_of_event(&event, &source));

    event.id = 7;
    assert_true(rfl_source_of_event(&event, &source));
    assert_int_equal(source.kind, RFL_SOURCE_LINK);
    assert_int_equal(source.id, 7);
    assert_int_equal(source.host_len, 0);

    event.outcome = RFL_OUTCOME_AMBIGUOUS;
    event.flags = RFL_EVENT_GROUP;
    assert_true(rfl_source_of_event(&event, &source));
    assert_int_equal(source.kind, RFL_SOURCE_GROUP);

    /* a link's clicks that met no error are the link's own counters */

    event.class = RFL_CLASS_CLICK;
    event.status = 200;
    assert_false(rfl_source_of_event(&event, &source));
}


/* Texts at their limits, cut ones too, fit. */

static void
test_long_texts(void **state)
{
    size_t        i;
    char          host[300], landing[300];
    rfl_event_t   event;
    rfl_sources_entry_t  source;

    (void) state;

    memset(host, 'h', sizeof(host));
    host[sizeof(host) - 1] = '\0';

    for (i = 0; i < sizeof(landing); i++) {
        landing[i] = "/@a"[i % 3];
    }

    landing[sizeof(landing) - 1] = '\0';

    make_event(&event, host, landing, 200, 1);
    assert_true(rfl_source_of_event(&event, &source));
    assert_true(source.host_len + source.landing_len <= RFL_SOURCES_TEXT);
    assert_true(source.folded);

    make_event(&event, "a", landing, 200, 1);
    assert_true(rfl_source_of_event(&event, &source));
    assert_true(source.host_len + source.landing_len <= RFL_SOURCES_TEXT);
}


typedef struct {
    char      host[32];
    uint64_t  clicks;
} tally_t;


/* For qsort(): the most first. */

static int
compare_rows(const void *one, const void *two)
{
    const rfl_sources_entry_t *a = *(const rfl_sources_entry_t *const *) one;
    const rfl_sources_entry_t *b = *(const rfl_sources_entry_t *const *) two;

    return a->rank < b->rank ? 1 : a->rank > b->rank ? -1 : 0;
}


static void
check_bound(const rfl_sources_entry_t *row, uint64_t clicks)
{
    assert_true(rfl_source_clicks(row) <= clicks);
    assert_true(rfl_source_clicks(row) + row->before >= clicks);
}


static uint64_t
real_clicks(uint64_t i)
{
    return 10 + 3 * i;
}


/*
 * A million sources that come once, and 200 real ones, of which the least
 * comes 10 times, each three times more often than the one before.  Where a
 * source stands can be wrong by what the filter takes for it: one, seldom two.
 */

static void
flood(rfl_sources_t *t, tally_t *real)
{
    char      host[64];
    uint64_t  i, n, left;

    for (i = 0, left = 0; i < REAL; i++) {
        (void) snprintf(real[i].host, sizeof(real[i].host),
                        "real%llu.example", (unsigned long long) i);
        left += real_clicks(i);
    }

    for (n = 0; n < MILLION; n++) {
        (void) snprintf(host, sizeof(host), "%llx.hostile.example",
                        (unsigned long long) random_number());
        add(t, host, "/", 200, n);

        if (random_number() % (MILLION - n) >= left) {
            continue;
        }

        for (i = random_number() % REAL;
             real[i].clicks == real_clicks(i);
             i = (i + 1) % REAL)
        {
            /* void */
        }

        real[i].clicks++;
        left--;
        add(t, real[i].host, "/", 200, n);
    }

    assert_int_equal(left, 0);
}


static void
test_million(void **state)
{
    size_t               k;
    uint32_t             i;
    uint64_t             before;
    tally_t              real[REAL];
    unsigned             shown;
    rfl_sources_t       *t;
    const rfl_sources_entry_t  *row, *rows[RFL_SOURCES_ROWS];

    (void) state;

    memset(real, 0, sizeof(real));

    t = rfl_sources_create(RFL_SOURCES_ROWS);
    assert_non_null(t);

    flood(t, real);

    for (k = 0, before = 0; k < REAL; k++) {
        row = find(t, real[k].host, "/");

        if (row == NULL) {
            fail_msg("%s, %llu clicks, is not there", real[k].host,
                     (unsigned long long) real[k].clicks);
        }

        check_bound(row, real[k].clicks);
        before = row->before > before ? row->before : before;
    }

    for (i = 0, k = 0, shown = 0; i < rfl_sources_max(t); i++) {
        row = rfl_sources_get(t, i);

        if (row != NULL && rfl_source_clicks(row) >= RFL_SOURCES_SHOWN) {
            rows[k++] = row;
            shown += memcmp(row->text, "real", 4) != 0;
        }
    }

    assert_int_equal(k, REAL);
    assert_int_equal(shown, 0);

    qsort(rows, k, sizeof(rows[0]), compare_rows);

    for (i = 0; i < REAL; i++) {
        assert_true(rfl_str_eq(rfl_source_host(rows[i]),
                               rfl_cstr(real[REAL - 1 - i].host)));
    }

    printf("before: %llu at most; floor: %llu\n", (unsigned long long) before,
           (unsigned long long) rfl_sources_floor(t));

    rfl_sources_free(t);
}


/* All come three times, in a row and later again: they prove themselves. */

static void
test_persistent(void **state)
{
    char            host[64];
    uint64_t        i, n;
    rfl_sources_t  *t;

    (void) state;

    t = rfl_sources_create(RFL_SOURCES_ROWS);
    assert_non_null(t);

    for (i = 0; i < 100; i++) {
        (void) snprintf(host, sizeof(host), "real%llu.example",
                        (unsigned long long) i);

        for (n = 0; n < 50; n++) {
            add(t, host, "/", 200, 1);
        }
    }

    for (i = 0; i < 100000; i++) {
        (void) snprintf(host, sizeof(host), "h%llu.example",
                        (unsigned long long) i % 50000);

        for (n = 0; n < 3; n++) {
            add(t, host, "/", 200, 1);
        }
    }

    for (i = 0; i < 100; i++) {
        (void) snprintf(host, sizeof(host), "real%llu.example",
                        (unsigned long long) i);
        assert_non_null(find(t, host, "/"));
        assert_int_equal(rfl_source_clicks(find(t, host, "/")), 50);
    }

    rfl_sources_free(t);
}


/* One host with landings without end leaves the others their rows. */

static void
test_greedy_owner(void **state)
{
    char            landing[64], host[64];
    uint64_t        i, n, kept;
    rfl_sources_t  *t;

    (void) state;

    t = rfl_sources_create(RFL_SOURCES_ROWS);
    assert_non_null(t);

    for (i = 0; i < 5000; i++) {
        (void) snprintf(landing, sizeof(landing), "/page-%llu",
                        (unsigned long long) i);

        for (n = 0; n < 20; n++) {
            add(t, "search.example", landing, 200, 1);
        }
    }

    for (i = 0; i < 1000; i++) {
        (void) snprintf(host, sizeof(host), "small%llu.example",
                        (unsigned long long) i);

        for (n = 0; n < 4; n++) {
            add(t, host, "/", 200, 2);
        }
    }

    for (i = 0, kept = 0; i < 1000; i++) {
        (void) snprintf(host, sizeof(host), "small%llu.example",
                        (unsigned long long) i);
        kept += find(t, host, "/") != NULL;
    }

    assert_int_equal(kept, 1000);

    rfl_sources_free(t);
}


/*
 * Small tables, many sources, often loaded anew: the bound of each row, and
 * that of what is in none, against the exact tally, all the time.
 */

#define NAMES  400

static void
check_all(rfl_sources_t *t, const uint64_t *exact)
{
    char                 host[32];
    unsigned             k;
    const rfl_sources_entry_t  *row;

    for (k = 0; k < NAMES; k++) {
        (void) snprintf(host, sizeof(host), "h%u.example", k);
        row = find(t, host, "/");

        if (row != NULL) {
            check_bound(row, exact[k]);

        } else {
            assert_true(exact[k] <= rfl_sources_floor(t));
        }
    }
}


/* As a process leaves it to the next one: with the filter, or killed. */

static rfl_sources_t *
reload(rfl_sources_t *t, uint32_t rows, int in_order)
{
    u_char               record[RFL_SOURCE_RECORD_MAX];
    size_t               len;
    uint32_t             i;
    rfl_sources_entry_t         source;
    rfl_sources_t       *copy;
    const rfl_sources_entry_t  *row;

    copy = rfl_sources_create(rows);
    assert_non_null(copy);

    if (in_order) {
        rfl_sources_set_secret(copy, rfl_sources_secret(t));
    }

    for (i = 0; i < rfl_sources_max(t); i++) {
        row = rfl_sources_get(t, i);

        if (row == NULL) {
            continue;
        }

        len = rfl_source_encode(row, record);
        assert_true(len <= sizeof(record));
        assert_int_equal(rfl_source_decode(rfl_str(record, len), &source),
                         RFL_OK);
        assert_int_equal(rfl_sources_load(copy, i, &source), RFL_OK);
        assert_int_equal(rfl_sources_load(copy, i, &source), RFL_INVALID);
    }

    rfl_sources_loaded(copy, rfl_sources_floor(t));

    if (in_order) {
        load_filter(copy, t);
    }

    rfl_sources_free(t);

    return copy;
}


static void
load_filter(rfl_sources_t *copy, const rfl_sources_t *t)
{
    uint32_t   i;
    rfl_buf_t  b = rfl_buf_init;

    for (i = 0; i < RFL_SOURCES_CHUNKS; i++) {
        b.len = 0;
        rfl_sources_put_chunk(t, i, &b);
        assert_false(b.failed);

        if (b.len != 0) {
            assert_int_equal(rfl_sources_load_chunk(copy, i,
                                                    rfl_str(b.data, b.len)),
                             RFL_OK);
        }
    }

    rfl_sources_set_start(copy, rfl_sources_start(t));
    assert_int_equal(rfl_sources_has_filter(copy),
                     rfl_sources_has_filter(t));

    rfl_buf_free(&b);
}


static void
test_bounds(void **state)
{
    char            host[32];
    unsigned        k, n, round;
    uint64_t        exact[NAMES], x;
    rfl_sources_t  *t;

    (void) state;

    for (round = 0; round < 20; round++) {
        memset(exact, 0, sizeof(exact));

        t = rfl_sources_create(16 + 8 * round);
        assert_non_null(t);

        for (n = 0; n < 20000; n++) {

            /* a few come often, most seldom */

            x = random_number() % NAMES;
            k = (unsigned) (x * (random_number() % (x + 1)) / NAMES);

            (void) snprintf(host, sizeof(host), "h%u.example", k);
            add(t, host, "/", n % 7 ? 200 : 404, n);
            exact[k]++;

            if (n % 4000 == 3999) {
                check_all(t, exact);

                if (round % 3) {
                    t = reload(t, 16 + 8 * round, round % 3 == 1);
                    check_all(t, exact);
                }
            }
        }

        rfl_sources_free(t);
    }
}


/*
 * A site with more sources than rows, and a restart a day: who comes anew is
 * known to have come never before, as without restarts, and who was forgotten
 * is known to have come.  With processes that are killed less is known each
 * time.
 */

#define DAYS     12
#define STRANGERS  3000

static uint64_t
days(int in_order, unsigned *doubted)
{
    char            host[32];
    unsigned        day, n;
    uint64_t        floor;
    rfl_sources_t  *t;
    const rfl_sources_entry_t  *row;

    t = rfl_sources_create(RFL_SOURCES_ROWS);
    assert_non_null(t);

    *doubted = 0;

    for (day = 0; day < DAYS; day++) {

        for (n = 0; n < STRANGERS; n++) {
            (void) snprintf(host, sizeof(host), "d%u-h%u.example", day, n);
            add(t, host, "/", 200, day * STRANGERS + n);
            *doubted += find(t, host, "/")->before != 0;
        }

        t = reload(t, RFL_SOURCES_ROWS, in_order);
    }

    add(t, "d0-h0.example", "/", 200, DAYS * STRANGERS);

    row = find(t, "d0-h0.example", "/");
    assert_int_equal(rfl_source_clicks(row), 1);
    assert_true(row->before >= 1);

    floor = rfl_sources_floor(t);

    rfl_sources_free(t);

    return floor;
}


static void
test_filter_outlives_a_restart(void **state)
{
    unsigned  doubted;
    uint64_t  floor;

    (void) state;

    floor = days(1, &doubted);
    assert_true(floor <= 2);
    assert_true(doubted <= DAYS * STRANGERS / 1000);

    floor = days(0, &doubted);
    assert_true(floor >= DAYS - 1);
    assert_true(doubted > DAYS * STRANGERS / 2);
}


/* Both forms of a chunk, and bytes that are none. */

static void
must_load(rfl_sources_t *t, rfl_str_t chunk, rfl_rc_t wanted)
{
    rfl_rc_t  rc;

    rc = rfl_sources_load_chunk(t, RFL_SOURCES_CHUNKS - 1, chunk);

    if (rc != wanted) {
        fail_msg("%u %u ..., %zu bytes: %d", chunk.data[0], chunk.data[1],
                 chunk.len, rc);
    }

    if (rc != RFL_OK) {
        rfl_sources_drop_filter(t);
        assert_false(rfl_sources_has_filter(t));
    }
}


#define must_refuse(t, bytes, rc)                                             \
    must_load(t, rfl_str(bytes, sizeof(bytes) - 1), rc)

static void
test_chunks(void **state)
{
    size_t          i, len;
    u_char         *sparse;
    unsigned        n, every, k;
    rfl_buf_t       a = rfl_buf_init, b = rfl_buf_init;
    rfl_sources_t  *t, *copy;

    (void) state;

    t = rfl_sources_create(16);
    copy = rfl_sources_create(16);
    sparse = malloc(1 + 4 * RFL_SOURCES_CHUNK);

    assert_non_null(t);
    assert_non_null(copy);
    assert_non_null(sparse);

    /* each so many cells, of all sizes; the last ones are stored densely */

    for (every = 100; every > 0; every = every * 2 / 3) {
        len = 0;
        sparse[len++] = 1;

        for (k = 0, n = 0; k + every <= RFL_SOURCES_CHUNK; k += every, n++) {
            sparse[len++] = (u_char) (every - 1);

            if (n % 3 == 0) {
                sparse[len++] = (u_char) (1 + n % 40);

            } else {
                sparse[len++] = (u_char) (0x80 | n % 0x80);
                sparse[len++] = (u_char) (1 + n % 0x7f);
            }
        }

        rfl_sources_drop_filter(t);
        rfl_sources_drop_filter(copy);

        must_load(t, rfl_str(sparse, len), RFL_OK);

        a.len = 0;
        rfl_sources_put_chunk(t, RFL_SOURCES_CHUNKS - 1, &a);

        if (every > 4) {
            assert_int_equal(a.len, len);
            assert_memory_equal(a.data, sparse, len);

        } else {
            assert_int_equal(a.data[0], 2);
        }

        must_load(copy, rfl_str(a.data, a.len), RFL_OK);

        b.len = 0;
        rfl_sources_put_chunk(copy, RFL_SOURCES_CHUNKS - 1, &b);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.data, b.data, a.len);

        /* its neighbours are not touched */

        b.len = 0;
        rfl_sources_put_chunk(copy, RFL_SOURCES_CHUNKS - 2, &b);
        assert_int_equal(b.len, 0);
    }

    /* cut off */

    for (i = 0; i < a.len; i += 1 + i / 3) {
        must_load(copy, rfl_str(a.data, i), RFL_DAMAGED);
    }

    must_load(copy, rfl_str(a.data, a.len - 1), RFL_DAMAGED);

    assert_int_equal(rfl_sources_load_chunk(copy, RFL_SOURCES_CHUNKS,
                                            rfl_str("\1\0\1", 3)),
                     RFL_DAMAGED);

    must_load(t, rfl_str("\1\0\1", 3), RFL_OK);
    must_load(t, rfl_str("\1\xff\xff\1\1", 5), RFL_OK);     /* the last */
    must_refuse(t, "\1\x80\x80\2\1", RFL_DAMAGED);         /* behind it */
    must_refuse(t, "\1\xff\xff\1\1\0\1", RFL_DAMAGED);
    must_refuse(t, "\1\0", RFL_DAMAGED);
    must_refuse(t, "\1\0\0", RFL_DAMAGED);
    must_refuse(t, "\1\0\x80\x80\4", RFL_DAMAGED);         /* 65536 */
    must_load(t, rfl_str("\1\0\xff\xff\3", 5), RFL_OK);    /* 65535 */
    must_refuse(t, "\0\0\1", RFL_BAD_VERSION);
    must_refuse(t, "\3\0\1", RFL_BAD_VERSION);

    /* of any bytes */

    for (n = 0; n < 2000; n++) {
        len = 2 + random_number() % 30;

        for (i = 0; i < len; i++) {
            sparse[i] = (u_char) random_number();
        }

        sparse[0] = (u_char) (1 + n % 2);
        (void) rfl_sources_load_chunk(t, n % RFL_SOURCES_CHUNKS,
                                      rfl_str(sparse, len));
    }

    rfl_buf_free(&a);
    rfl_buf_free(&b);
    free(sparse);
    rfl_sources_free(t);
    rfl_sources_free(copy);
}


/* Records of any bytes: refused, or read; never more than they are. */

static void
test_records(void **state)
{
    u_char        record[RFL_SOURCE_RECORD_MAX];
    size_t        len, i;
    unsigned      n;
    rfl_rc_t      rc;
    rfl_sources_entry_t  source, again;

    (void) state;

    make_source(&source, "blog.example", "/a/0123456789", 404, 1234567890);
    source.before = UINT64_MAX;
    len = rfl_source_encode(&source, record);

    assert_int_equal(rfl_source_decode(rfl_str(record, len), &again), RFL_OK);
    assert_int_equal(memcmp(&source, &again,
                            offsetof(rfl_sources_entry_t, text)
                            + source.host_len
                            + source.landing_len), 0);

    for (i = 0; i < len; i++) {
        rc = rfl_source_decode(rfl_str(record, i), &again);
        assert_true(rc == RFL_DAMAGED || rc == RFL_OK);
    }

    record[0] = 2;
    assert_int_equal(rfl_source_decode(rfl_str(record, len), &again),
                     RFL_BAD_VERSION);

    /* counting goes on from a rank, which must not go round */

    for (source.rank = UINT64_MAX / 2; source.rank <= UINT64_MAX / 2 + 1;
         source.rank++)
    {
        len = rfl_source_encode(&source, record);
        assert_int_equal(rfl_source_decode(rfl_str(record, len), &again),
                         source.rank <= UINT64_MAX / 2 ? RFL_OK : RFL_DAMAGED);
    }

    for (n = 0; n < 100000; n++) {
        len = random_number() % sizeof(record);

        for (i = 0; i < len; i++) {
            record[i] = (u_char) random_number();
        }

        if (len > 2 && n % 2) {
            record[0] = 1;
            record[1] %= 3;
            record[2] %= 2;
        }

        (void) rfl_source_decode(rfl_str(record, len), &again);
    }
}


/* What is written of the table is what has changed. */

static void
test_dirty(void **state)
{
    uint32_t        i, n;
    rfl_sources_t  *t;

    (void) state;

    t = rfl_sources_create(RFL_SOURCES_ROWS);
    assert_non_null(t);

    add(t, "a.example", "/", 200, 1);
    add(t, "b.example", "/", 200, 1);

    for (i = 0, n = 0; i < rfl_sources_max(t); i++) {
        n += (uint32_t) rfl_sources_take_dirty(t, i);
    }

    assert_int_equal(n, 2);

    add(t, "b.example", "/", 200, 1);

    assert_false(rfl_sources_take_dirty(t, 0));
    assert_true(rfl_sources_take_dirty(t, 1));
    rfl_sources_set_dirty(t, 0);
    assert_true(rfl_sources_take_dirty(t, 0));

    assert_null(rfl_sources_get(t, 2));
    assert_null(rfl_sources_create(15));

    rfl_sources_free(t);
    rfl_sources_free(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_million),
        cmocka_unit_test(test_persistent),
        cmocka_unit_test(test_greedy_owner),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_filter_outlives_a_restart),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_dirty)
    };

    return cmocka_run_group_tests_name("rfl_sources", tests, NULL, NULL);
}
