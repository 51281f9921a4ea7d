/*
 * The thread that reads the rings: each record once, whoever is stopped, killed
 * or kept from storing; by one of all that share PATH; and never over what
 * another version has stored.
 */

#include "rfl_gather.h"
#include "rfl_ledger_parts.h"
#include "rfl_view.h"
#include "site.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <cmocka.h>


typedef struct {
    site_t         site;
    rfl_ledger_t  *ledger;
    uint64_t       written;              /* records */
} fixture_t;


static int
setup(void **state)
{
    fixture_t  *f;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    site_init(&f->site, "main");
    site_open(&f->site);

    assert_int_equal(rfl_ledger_open(&f->ledger, f->site.dir, f->site.rt.uuid,
                                     RFL_STORE_CREATE, 64 << 20, NULL),
                     RFL_OK);
    assert_int_equal(rfl_ring_open(f->site.rt.counters, 0, NULL), RFL_OK);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    fixture_t *f = *state;

    rfl_ledger_close(f->ledger);
    site_remove(&f->site);
    free(f);

    return 0;
}


static void
leave(fixture_t *f, const char *host, unsigned n)
{
    rfl_event_t  event;

    for ( /* void */ ; n > 0; n--) {
        memset(&event, 0, sizeof(event));
        event.outcome = RFL_OUTCOME_UNREGISTERED;
        event.class = RFL_CLASS_CLICK;
        event.status = 200;
        event.time_ms = 1000;
        rfl_ring_write(f->site.rt.counters, 0, &event, rfl_cstr(host),
                       rfl_cstr("/a"));
        f->written++;
    }
}


static rfl_rc_t
attend(fixture_t *f, rfl_gather_t *g)
{
    return rfl_gather_attend(g, &f->site.rt, f->ledger, NULL);
}


static rfl_gather_t *
start(fixture_t *f)
{
    rfl_gather_t  *g;

    g = rfl_gather_start(&f->site.conf);
    assert_non_null(g);
    assert_int_equal(attend(f, g), RFL_OK);

    return g;
}


/* Stores what there is; RFL_ERROR: as if that had failed. */

static void
store(fixture_t *f, rfl_gather_t *g, rfl_rc_t rc)
{
    rfl_store_t         *s;
    rfl_ledger_batch_t  *batch;

    batch = rfl_gather_take(g);

    if (batch == NULL) {
        return;
    }

    s = rfl_ledger_store(f->ledger);

    assert_int_equal(rfl_store_begin(s, 1, NULL), RFL_OK);
    assert_int_equal(rfl_ledger_put_sources(f->ledger, batch, NULL), RFL_OK);

    if (rc == RFL_OK) {
        assert_int_equal(rfl_store_commit(s, NULL), RFL_OK);
    }

    rfl_store_end(s);

    rfl_gather_give_back(g, rc);
}


static rfl_ledger_sources_t
head_of(fixture_t *f)
{
    rfl_ledger_sources_t  head;

    memset(&head, 0, sizeof(head));

    assert_int_equal(rfl_ledger_begin(f->ledger, NULL), RFL_OK);
    (void) rfl_ledger_get_sources(f->ledger, &head);
    rfl_ledger_end(f->ledger);

    return head;
}


static uint64_t
clicks_of(fixture_t *f, const char *host)
{
    uint32_t      number;
    uint64_t      clicks;
    rfl_sources_entry_t  source;

    assert_int_equal(rfl_ledger_begin(f->ledger, NULL), RFL_OK);

    for (number = 0, clicks = 0;
         rfl_ledger_next_source(f->ledger, &number, &source) == RFL_OK
         && number < RFL_SOURCES_ROWS;
         number++)
    {
        if (rfl_str_eq(rfl_source_host(&source), rfl_cstr(host))) {
            clicks += rfl_source_clicks(&source);
        }
    }

    rfl_ledger_end(f->ledger);

    return clicks;
}


/* Until all that was written is stored, as read or as missed. */

static void
settle(fixture_t *f, rfl_gather_t *g)
{
    unsigned              tries;
    rfl_ledger_sources_t  head;

    for (tries = 0; tries < 2000; tries++) {
        store(f, g, RFL_OK);
        head = head_of(f);

        if (head.read + head.missed >= f->written) {
            break;
        }

        usleep(5000);
    }

    assert_int_equal(head.read + head.missed, f->written);
}


static void
test_each_record_once(void **state)
{
    fixture_t *f = *state;

    unsigned       round;
    rfl_gather_t  *g;

    for (round = 1; round <= 5; round++) {
        leave(f, "blog.example", 100);

        g = start(f);
        leave(f, "blog.example", 100);
        settle(f, g);
        rfl_gather_free(g);

        assert_int_equal(clicks_of(f, "blog.example"), 200 * round);
    }

    assert_int_equal(head_of(f).missed, 0);
}


/* The last number there is, which somebody has written: loading ends. */

static void
test_a_row_beyond_all(void **state)
{
    fixture_t *f = *state;

    u_char                record[RFL_SOURCE_RECORD_MAX];
    size_t                len;
    uint32_t              number;
    rfl_store_t          *s;
    rfl_gather_t         *g;
    rfl_ledger_batch_t    batch;
    rfl_sources_entry_t   source;

    memset(&source, 0, sizeof(source));
    source.n[RFL_ENDED_OK] = 3;
    source.rank = 3;
    source.host_len = 1;
    source.landing_len = 1;
    memcpy(source.text, "x/", 2);

    number = UINT32_MAX;
    len = rfl_source_encode(&source, record);

    memset(&batch, 0, sizeof(batch));
    batch.head.began = 1;
    batch.numbers = &number;
    batch.lengths = &len;
    batch.nrows = 1;
    rfl_buf_add(&batch.records, record, len);

    s = rfl_ledger_store(f->ledger);

    assert_int_equal(rfl_store_begin(s, 1, NULL), RFL_OK);
    assert_int_equal(rfl_ledger_put_sources(f->ledger, &batch, NULL), RFL_OK);
    assert_int_equal(rfl_store_commit(s, NULL), RFL_OK);
    rfl_buf_free(&batch.records);

    (void) alarm(30);

    g = start(f);
    leave(f, "a.example", 7);
    settle(f, g);
    rfl_gather_free(g);

    (void) alarm(0);

    assert_int_equal(clicks_of(f, "a.example"), 7);
}


/* A table that is not stored is one that was killed: it is read again. */

static void
test_killed(void **state)
{
    fixture_t *f = *state;

    rfl_gather_t  *g;

    leave(f, "a.example", 10);
    g = start(f);
    settle(f, g);

    leave(f, "a.example", 20);
    leave(f, "b.example", 5);
    rfl_gather_stop(g);                  /* it has read them */
    rfl_gather_free(g);

    assert_int_equal(clicks_of(f, "a.example"), 10);

    g = start(f);
    settle(f, g);
    rfl_gather_free(g);

    assert_int_equal(clicks_of(f, "a.example"), 30);
    assert_int_equal(clicks_of(f, "b.example"), 5);
}


static void
test_failed_flush(void **state)
{
    fixture_t *f = *state;

    unsigned       n;
    rfl_gather_t  *g;

    g = start(f);

    for (n = 0; n < 20; n++) {
        leave(f, "a.example", 3);
        usleep(5000);
        store(f, g, RFL_ERROR);
    }

    assert_int_equal(clicks_of(f, "a.example"), 0);

    settle(f, g);
    rfl_gather_free(g);

    assert_int_equal(clicks_of(f, "a.example"), 60);
}


/* More hosts than the table has rows, each once. */

#define STRANGERS  3000

static void
flood(fixture_t *f, rfl_gather_t *g)
{
    char      host[32];
    unsigned  n;

    for (n = 0; n < STRANGERS; n++) {
        (void) snprintf(host, sizeof(host), "f%u.example", n);
        leave(f, host, 1);

        if (n % 500 == 499) {
            settle(f, g);
        }
    }
}


/* As the keeper does when it leaves. */

static void
stop_in_order(fixture_t *f, rfl_gather_t *g)
{
    rfl_store_t  *s;

    rfl_gather_stop(g);
    store(f, g, RFL_OK);

    assert_true(rfl_gather_has_filter(g, f->ledger));

    s = rfl_ledger_store(f->ledger);

    assert_int_equal(rfl_store_begin(s, 1, NULL), RFL_OK);
    assert_int_equal(rfl_gather_put_filter(g, f->ledger, NULL), RFL_OK);
    assert_int_equal(rfl_store_commit(s, NULL), RFL_OK);
    rfl_store_end(s);

    rfl_gather_free(g);
}


static uint64_t
before_of(fixture_t *f, const char *host)
{
    uint32_t      number;
    uint64_t      before;
    rfl_sources_entry_t  source;

    assert_int_equal(rfl_ledger_begin(f->ledger, NULL), RFL_OK);

    for (number = 0, before = UINT64_MAX;
         rfl_ledger_next_source(f->ledger, &number, &source) == RFL_OK;
         number++)
    {
        if (rfl_str_eq(rfl_source_host(&source), rfl_cstr(host))) {
            before = source.before;
        }
    }

    rfl_ledger_end(f->ledger);

    assert_true(before != UINT64_MAX);

    return before;
}


/* One click on a new host, in a process that goes on from what is stored. */

static rfl_gather_t *
go_on(fixture_t *f, const char *host)
{
    rfl_gather_t  *g;

    g = start(f);
    leave(f, host, 1);
    settle(f, g);

    return g;
}


static void
put(fixture_t *f, const char *name, uint32_t number, rfl_str_t value)
{
    size_t        len;
    u_char        key[32];
    rfl_store_t  *s;

    len = strlen(name);
    memcpy(key, name, len);
    key[len++] = 0;
    key[len++] = 0;
    key[len++] = (u_char) (number >> 8);
    key[len++] = (u_char) number;

    s = rfl_ledger_store(f->ledger);

    assert_int_equal(rfl_store_begin(s, 1, NULL), RFL_OK);
    assert_int_equal(rfl_store_put(s, RFL_LEDGER_META, rfl_str(key, len),
                                   value, 0, NULL), RFL_OK);
    assert_int_equal(rfl_store_commit(s, NULL), RFL_OK);
    rfl_store_end(s);
}


static void
test_filter_is_carried_over(void **state)
{
    fixture_t *f = *state;

    uint64_t              floor;
    rfl_gather_t         *g;
    rfl_ledger_filter_t   filter;

    g = start(f);
    flood(f, g);
    assert_true(head_of(f).floor >= 1);
    assert_false(head_of(f).missed);
    stop_in_order(f, g);

    /* what is new is known to be new, what was forgotten to have been there */

    g = go_on(f, "new.example");
    leave(f, "f0.example", 1);
    settle(f, g);
    assert_int_equal(before_of(f, "new.example"), 0);
    assert_int_equal(before_of(f, "f0.example"), 1);
    stop_in_order(f, g);

    /* once more, and then it is killed: the filter was that of a time before */

    g = go_on(f, "newer.example");
    assert_int_equal(before_of(f, "newer.example"), 0);

    assert_int_equal(rfl_ledger_begin(f->ledger, NULL), RFL_OK);
    assert_int_equal(rfl_ledger_get_filter(f->ledger, &filter),
                     RFL_NOT_FOUND);
    rfl_ledger_end(f->ledger);

    rfl_gather_free(g);
    floor = head_of(f).floor;

    g = go_on(f, "newest.example");
    assert_int_equal(before_of(f, "newest.example"), floor);
    rfl_gather_free(g);
}


static void
test_damaged_filter(void **state)
{
    fixture_t *f = *state;

    uint64_t       floor;
    rfl_gather_t  *g;

    g = start(f);
    flood(f, g);
    stop_in_order(f, g);

    put(f, "source-filter/", 7, rfl_str("\1\0", 2));
    floor = head_of(f).floor;
    assert_true(floor >= 1);

    g = go_on(f, "new.example");
    assert_int_equal(before_of(f, "new.example"), floor);
    flood(f, g);
    stop_in_order(f, g);

    put(f, "source-filter/", RFL_SOURCES_CHUNKS, rfl_str("\1\0\1", 3));
    floor = head_of(f).floor;

    g = go_on(f, "newer.example");
    assert_int_equal(before_of(f, "newer.example"), floor);
    rfl_gather_free(g);
}


/* Nobody knows what it had: not more than was read. */

static void
test_damaged_row(void **state)
{
    fixture_t *f = *state;

    rfl_gather_t  *g;

    g = start(f);
    leave(f, "a.example", 30);
    settle(f, g);
    rfl_gather_free(g);

    put(f, "source/", 0, rfl_str("\1", 1));

    g = go_on(f, "a.example");
    assert_int_equal(clicks_of(f, "a.example"), 1);
    assert_int_equal(before_of(f, "a.example"), 30);
    rfl_gather_free(g);
}


/* flock() is the description's: two in one process are like two processes. */

static void
test_one_reads(void **state)
{
    fixture_t *f = *state;

    rfl_gather_t  *first, *second;

    first = start(f);
    second = start(f);

    assert_true(rfl_gather_owns(first));
    assert_false(rfl_gather_owns(second));

    leave(f, "a.example", 7);
    settle(f, first);
    assert_null(rfl_gather_take(second));

    leave(f, "a.example", 7);            /* after the first one's last flush */
    rfl_gather_free(first);

    assert_true(rfl_gather_owns(second));
    assert_int_equal(attend(f, second), RFL_OK);
    settle(f, second);
    rfl_gather_free(second);

    assert_int_equal(clicks_of(f, "a.example"), 14);
}


/*
 * Who has the lock and reads nothing is told of when what is there has waited
 * for a minute; a reader is not.
 */

static void
test_lock_of_a_stranger(void **state)
{
    fixture_t *f = *state;

    int            fd;
    unsigned       minute;
    rfl_error_t    err;
    rfl_gather_t  *g, *reader;

    minute = RFL_GATHER_WATCH + f->site.conf.flush_ms / 500;

    fd = open(f->site.dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX|LOCK_NB), 0);

    g = start(f);
    leave(f, "a.example", 1);

    f->site.rt.now += minute - 1;
    assert_int_equal(attend(f, g), RFL_OK);
    f->site.rt.now++;
    assert_int_equal(attend(f, g), RFL_OK);      /* it sees the record */
    f->site.rt.now += minute - 1;
    assert_int_equal(attend(f, g), RFL_OK);
    f->site.rt.now++;
    assert_int_equal(rfl_gather_attend(g, &f->site.rt, f->ledger, &err),
                     RFL_BUSY);
    assert_non_null(strstr(err.text, "flock()"));
    assert_non_null(strstr(err.text, f->site.dir));

    assert_int_equal(close(fd), 0);

    assert_true(rfl_gather_owns(g));
    assert_int_equal(attend(f, g), RFL_OK);
    settle(f, g);
    assert_int_equal(clicks_of(f, "a.example"), 1);

    /* who waits for a reader has nothing to say, also when nothing comes */

    reader = g;
    g = start(f);

    for (fd = 0; fd < 5; fd++) {
        if (fd < 3) {
            leave(f, "a.example", 1);
            settle(f, reader);
        }

        f->site.rt.now += minute;
        assert_int_equal(attend(f, g), RFL_OK);
    }

    rfl_gather_free(g);
    rfl_gather_free(reader);
}


static void
test_overtaken(void **state)
{
    fixture_t *f = *state;

    rfl_gather_t          *g;
    rfl_ledger_sources_t   head;

    g = start(f);
    leave(f, "a.example", 1);
    settle(f, g);
    rfl_gather_free(g);

    leave(f, "a.example", 3 * RFL_RING_SLOTS);

    g = start(f);
    settle(f, g);
    rfl_gather_free(g);

    head = head_of(f);

    assert_true(head.missed >= 2 * RFL_RING_SLOTS);
    assert_int_equal(clicks_of(f, "a.example"), head.read);
}


/*
 * A file that cannot be opened for a moment, while another is read: its place
 * is kept, and nothing of it is read twice.
 */

static void
test_file_away(void **state)
{
    fixture_t *f = *state;

    char             path[128], away[160];
    rfl_gather_t    *g;
    rfl_counters_t  *own, *other;

    g = start(f);
    leave(f, "a.example", 10);
    settle(f, g);
    rfl_gather_free(g);

    own = f->site.rt.counters;
    (void) snprintf(path, sizeof(path), "%s/other", f->site.dir);
    (void) snprintf(away, sizeof(away), "%s.away", f->site.counters);

    assert_int_equal(rfl_counters_open(&other, path, f->site.rt.uuid, 10,
                                       100000, RFL_COUNTERS_CREATE, 1, NULL),
                     RFL_OK);
    assert_int_equal(rfl_ring_open(other, 0, NULL), RFL_OK);
    assert_int_equal(rename(f->site.counters, away), 0);

    f->site.rt.counters = other;
    g = start(f);
    leave(f, "b.example", 5);
    settle(f, g);
    rfl_gather_free(g);

    f->site.rt.counters = own;
    assert_int_equal(rename(away, f->site.counters), 0);

    g = start(f);
    leave(f, "a.example", 1);
    settle(f, g);
    rfl_gather_free(g);
    rfl_counters_close(other);

    assert_int_equal(clicks_of(f, "a.example"), 11);
    assert_int_equal(clicks_of(f, "b.example"), 5);
}


/* What came before there was a table it does not miss. */

static void
test_first_of_all(void **state)
{
    fixture_t *f = *state;

    rfl_gather_t  *g;
    unsigned       tries;

    leave(f, "a.example", 5 * RFL_RING_SLOTS);

    g = start(f);

    for (tries = 0; tries < 2000 && head_of(f).read == 0; tries++) {
        usleep(5000);
        store(f, g, RFL_OK);
    }

    rfl_gather_free(g);

    assert_int_equal(head_of(f).missed, 0);
    assert_true(head_of(f).read > RFL_RING_SLOTS / 2);
}


/*
 * Another nginx that shares PATH: its counter file is found in the ledger,
 * where its keeper has noted it.
 */

static void
test_other_nginx(void **state)
{
    fixture_t *f = *state;

    char               path[128];
    rfl_event_t        event;
    rfl_flush_t        flush;
    rfl_gather_t      *g;
    rfl_counters_t    *own, *other;
    rfl_flush_stat_t   stat;

    (void) snprintf(path, sizeof(path), "%s/other", f->site.dir);
    assert_int_equal(rfl_counters_open(&other, path, f->site.rt.uuid, 10,
                                       100000, RFL_COUNTERS_CREATE, 1, NULL),
                     RFL_OK);
    assert_int_equal(rfl_ring_open(other, 0, NULL), RFL_OK);

    memset(&flush, 0, sizeof(flush));
    flush.counters_path = path;
    flush.now_ms = 1000;
    flush.full = 1;
    assert_int_equal(rfl_ledger_flush(f->ledger, other, &flush, &stat, NULL),
                     RFL_OK);

    g = start(f);
    f->site.rt.now += RFL_GATHER_OTHERS;
    assert_int_equal(attend(f, g), RFL_OK);

    leave(f, "here.example", 5);

    own = f->site.rt.counters;
    f->site.rt.counters = other;
    leave(f, "there.example", 6);
    f->site.rt.counters = own;

    settle(f, g);

    assert_int_equal(clicks_of(f, "here.example"), 5);
    assert_int_equal(clicks_of(f, "there.example"), 6);

    /* when its last one has left, it is read to its end, and let go */

    memset(&event, 0, sizeof(event));
    rfl_ring_write(other, 0, &event, rfl_cstr(""), rfl_cstr("/"));
    f->written++;
    rfl_counters_retire(other);
    assert_int_equal(attend(f, g), RFL_OK);
    settle(f, g);

    rfl_gather_free(g);
    rfl_counters_close(other);
}


static void
test_another_version(void **state)
{
    fixture_t *f = *state;

    rfl_store_t   *s;
    rfl_gather_t  *g;

    s = rfl_ledger_store(f->ledger);

    assert_int_equal(rfl_store_begin(s, 1, NULL), RFL_OK);
    assert_int_equal(rfl_store_put(s, 0, rfl_cstr("sources"),
                                   rfl_cstr("\x02..."), 0, NULL), RFL_OK);
    assert_int_equal(rfl_store_commit(s, NULL), RFL_OK);

    g = rfl_gather_start(&f->site.conf);
    assert_non_null(g);

    assert_int_equal(attend(f, g), RFL_BAD_VERSION);
    assert_int_equal(attend(f, g), RFL_BAD_VERSION);

    leave(f, "a.example", 10);
    usleep(200000);
    assert_null(rfl_gather_take(g));

    rfl_gather_free(g);
}


/* A ledger that is older, or empty: it gets all there is. */

static void
test_another_ledger(void **state)
{
    fixture_t *f = *state;

    char           command[128];
    rfl_gather_t  *g;

    g = start(f);
    leave(f, "a.example", 10);
    settle(f, g);

    rfl_ledger_close(f->ledger);
    (void) snprintf(command, sizeof(command), "rm -r %s/ledger", f->site.dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(rfl_ledger_open(&f->ledger, f->site.dir, f->site.rt.uuid,
                                     RFL_STORE_CREATE, 64 << 20, NULL),
                     RFL_OK);

    rfl_gather_renew(g);
    assert_int_equal(attend(f, g), RFL_OK);
    leave(f, "b.example", 4);
    settle(f, g);
    rfl_gather_free(g);

    assert_int_equal(clicks_of(f, "a.example"), 10);
    assert_int_equal(clicks_of(f, "b.example"), 4);
}


/*
 * What an answer says was read is in its rows: a flush that comes between two
 * of its steps is in neither, or in the rows alone.
 */

static void
test_answer_with_a_flush_midway(void **state)
{
    fixture_t *f = *state;

    char                host[32];
    unsigned            n;
    rfl_rc_t            rc;
    rfl_buf_t           b = rfl_buf_init, whole = rfl_buf_init;
    rfl_view_t         *v;
    rfl_gather_t       *g;
    rfl_runtime_t      *rt;
    rfl_view_error_t    error;
    rfl_view_request_t  request;

    g = start(f);

    for (n = 0; n < 300; n++) {
        (void) snprintf(host, sizeof(host), "h%u.example", n);
        leave(f, host, 3);
    }

    settle(f, g);

    rt = &f->site.rt;
    rfl_runtime_adopt(rt, f->ledger);
    rt->ledger = f->ledger;

    memset(&request, 0, sizeof(rfl_view_request_t));
    request.runtimes = &rt;
    request.n = 1;
    request.path = rfl_cstr("/sources");
    request.args = rfl_cstr("limit=1000");

    assert_int_equal(rfl_view_open(&v, &request, &error), RFL_OK);
    assert_int_equal(rfl_view_step(v, &b), RFL_BUSY);

    leave(f, "h0.example", 50);
    settle(f, g);

    do {
        rc = rfl_view_step(v, &b);
        rfl_buf_add(&whole, b.data, b.len);
        b.len = 0;
    } while (rc == RFL_BUSY);

    assert_int_equal(rc, RFL_OK);
    rfl_buf_char(&whole, '\0');
    assert_non_null(strstr((char *) whole.data,
                           "\"read\":900,\"missed\":0,"));

    rt->ledger = NULL;
    rfl_view_close(v);
    rfl_buf_free(&b);
    rfl_buf_free(&whole);
    rfl_gather_free(g);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_each_record_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_row_beyond_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_flush, setup, teardown),
        cmocka_unit_test_setup_teardown(test_filter_is_carried_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_damaged_filter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock_of_a_stranger, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_overtaken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_of_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_nginx, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_version, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_another_ledger, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer_with_a_flush_midway, setup,
                                        teardown)
    };

    return cmocka_run_group_tests_name("rfl_gather", tests, NULL, NULL);
}
