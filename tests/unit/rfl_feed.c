/*
 * What a client of /events is told: each match once and in order, what it
 * missed, the sums each second; in small steps, whatever the rings hold.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "rfl_feed.h"
#include "site.h"


#define NOW  1795215600                  /* 2026-11-20T23:00:00Z */


typedef struct {
    const char  *path;
    const char  *args;
    unsigned     all;
    int          asked;
    unsigned     status;                 /* 200: accepted */
    const char  *code;
} row_t;


static const row_t  rows[] = {
    { "/events",          "",            0, 1, 200, NULL },
    { "/events/",         "",            0, 1, 200, NULL },
    { "events",           "&",           0, 1, 200, NULL },
    { "/events",          "format=json", 0, 1, 406, "FormatUnavailable" },
    { "/events",          "format=",     0, 1, 406, "FormatUnavailable" },
    { "/events",          "limit=3",     0, 1, 400, "ParameterUnknown" },
    { "/main/events",     "",            1, 1, 200, NULL },
    { "//main//events//", "",            1, 1, 200, NULL },
    { "/other/events",    "",            1, 1, 404, "RegistryUnknown" },
    { "/events",          "",            1, 0, 0,   NULL },
    { "/main/events",     "",            0, 0, 0,   NULL },
    { "",                 "",            0, 0, 0,   NULL },
    { "/",                "",            1, 0, 0,   NULL },
    { "/event",           "",            0, 0, 0,   NULL },
    { "/eventss",         "",            0, 0, 0,   NULL },
    { "/links",           "",            0, 0, 0,   NULL },
    { "/events/links",    "",            0, 0, 0,   NULL }
};


static site_t          site;
static rfl_runtime_t  *runtimes[1];
static rfl_feed_t     *feed;
static rfl_buf_t       text;
static uint64_t        now_ms;
static int             memory_is_out;
static rfl_ledger_t   *ledger;           /* open for writing */


void *
rfl_buf_realloc(void *data, size_t size)
{
    return memory_is_out ? NULL : realloc(data, size);
}


static int
setup(void **state)
{
    site_init(&site, "main");
    site_open(&site);
    runtimes[0] = &site.rt;
    now_ms = 5000;

    /* from here on as a worker's: it has a ring */

    site.rt.keeps = 0;
    rfl_runtime_tick(&site.rt, NOW);

    assert_int_equal(site.rt.counters->header->rings, 1);

    return 0;
}


static int
teardown(void **state)
{
    rfl_feed_close(feed);
    feed = NULL;

    rfl_ledger_close(ledger);
    ledger = NULL;

    rfl_buf_free(&text);
    memset(&text, 0, sizeof(rfl_buf_t));

    site_remove(&site);

    return 0;
}


static void
open_feed(void)
{
    rfl_view_error_t    error;
    rfl_view_request_t  request;

    memset(&request, 0, sizeof(rfl_view_request_t));

    request.runtimes = runtimes;
    request.n = 1;
    request.path = rfl_cstr("/events");

    assert_int_equal(rfl_feed_open(&feed, &request, NOW, now_ms, &error),
                     RFL_OK);
}


/* One step; what it rendered is in text, with a zero behind it. */

static rfl_rc_t
step(void)
{
    rfl_rc_t  rc;

    text.len = 0;

    rc = rfl_feed_step(feed, NOW, now_ms, &text);

    rfl_buf_char(&text, '\0');

    return rc;
}


static const char *
told(void)
{
    assert_int_equal(step(), RFL_OK);

    return (const char *) text.data;
}


/* The first step also says how long to wait, and the sums. */

static void
begin(void)
{
    open_feed();
    assert_int_equal(step(), RFL_OK);
}


static uint32_t
add_link(const char *source, const char *target, const char *name,
    uint64_t *key)
{
    rfl_link_t   link;
    rfl_error_t  err;

    memset(&link, 0, sizeof(rfl_link_t));

    link.match_type = RFL_MATCH_EXACT;
    link.source = rfl_cstr(source);
    link.target = rfl_cstr(target);
    link.name = rfl_cstr(name);

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, &err), RFL_OK);
    assert_int_equal(rfl_registry_add(site.rt.registry, &link, 1, &err),
                     RFL_OK);
    assert_int_equal(rfl_registry_commit(site.rt.registry, &err), RFL_OK);

    rfl_runtime_tick(&site.rt, NOW);

    *key = link.key;

    return link.id;
}


static rfl_record_t
match(uint32_t id, const char *landing)
{
    rfl_record_t  record;

    memset(&record, 0, sizeof(rfl_record_t));

    record.attribution.outcome = RFL_OUTCOME_MATCHED;
    record.attribution.evidence = RFL_EVIDENCE_EXACT;
    record.attribution.id = id;
    record.class = RFL_CLASS_CLICK;
    record.status = 200;
    record.now = NOW;
    record.now_ms = (uint64_t) NOW * 1000 + 7;
    record.attribution.source = rfl_cstr("Blog.Example");
    record.attribution.path = rfl_url_target_path(rfl_cstr(landing));

    return record;
}


static void
log_request(const rfl_record_t *record)
{
    rfl_record(site.rt.zone, site.rt.counters, record);
}


/* So many matches, numbered by their landings from "/from" on. */

static void
log_matches(unsigned from, unsigned n)
{
    char          landing[16];
    rfl_record_t  record;

    for ( ; n > 0; n--, from++) {
        (void) snprintf(landing, sizeof(landing), "/%u", from);
        record = match(1, landing);
        log_request(&record);
    }
}


/*
 * Reads on where *p stands: the number of the next match, or UINT_MAX at the
 * end.  missed: what is said to be missing before it is added.
 */

static unsigned
next_match(const char **p, uint64_t *missed)
{
    unsigned     n;
    const char  *event, *end;

    for ( ;; ) {
        event = strstr(*p, "event: ");

        if (event == NULL) {
            return UINT32_MAX;
        }

        end = strstr(event, "\n\n");
        assert_non_null(end);
        *p = end;

        if (strncmp(event, "event: match\n", 13) == 0) {
            event = strstr(event, "\"landing\":\"/");
            assert_true(event != NULL && event < end);
            assert_int_equal(sscanf(event, "\"landing\":\"/%u\"", &n), 1);
            return n;
        }

        if (strncmp(event, "event: missed\n", 14) == 0) {
            assert_int_equal(sscanf(event, "event: missed\ndata: "
                                    "{\"missed\":%u}", &n), 1);
            *missed += n;
        }
    }
}


static void
a_request_for_events_is_told_from_others(void **state)
{
    size_t               i;
    rfl_rc_t             rc;
    const row_t         *row;
    rfl_view_error_t     error;
    rfl_view_request_t   request;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        row = &rows[i];

        memset(&request, 0, sizeof(rfl_view_request_t));

        request.runtimes = runtimes;
        request.n = 1;
        request.all = row->all;
        request.path = rfl_cstr(row->path);
        request.args = rfl_cstr(row->args);

        if (rfl_feed_is_asked(&request) != row->asked) {
            fail_msg("%s", row->path);
        }

        if (!row->asked) {
            continue;
        }

        rc = rfl_feed_open(&feed, &request, NOW, now_ms, &error);

        if ((rc == RFL_OK) != (row->status == 200)) {
            fail_msg("%s?%s", row->path, row->args);
        }

        if (rc != RFL_OK) {
            assert_null(feed);
            assert_int_equal(error.status, row->status);
            assert_string_equal(error.code, row->code);
        }

        rfl_feed_close(feed);
        feed = NULL;
    }
}


static void
a_match_is_told_with_all_that_is_known(void **state)
{
    char          wanted[512];
    uint64_t      key;
    uint32_t      id;
    rfl_record_t  record;

    id = add_link("https://blog.example/post", "", "A \"post\"\n</script>",
                  &key);
    begin();

    record = match(id, "/pricing\"\xff?secret=1");
    log_request(&record);

    (void) snprintf(wanted, sizeof(wanted), "event: match\ndata: {"
                    "\"time\":\"2026-11-20T23:00:00.007Z\","
                    "\"outcome\":\"matched\",\"link\":\"%016lx\","
                    "\"group\":null,"
                    "\"name\":\"A \\\"post\\\"\\n\\u003c/script\\u003e\","
                    "\"class\":\"click\",\"evidence\":\"exact\","
                    "\"source\":\"blog.example\","
                    "\"landing\":\"/pricing\\\"\xef\xbf\xbd\",\"status\":200}"
                    "\n\n", (unsigned long) key);

    assert_string_equal(told(), wanted);
    assert_string_equal(told(), "");
}


static void
an_ambiguous_one_has_its_group(void **state)
{
    uint64_t             keys[2];
    rfl_link_t           link;
    const char          *answer;
    rfl_record_t         record;
    char                 wanted[64];
    size_t               n;
    rfl_membership_t     groups[RFL_LINK_GROUPS_MAX];

    (void) add_link("https://blog.example/a", "/t", "", &keys[0]);
    (void) add_link("https://blog.example/b", "/t", "", &keys[1]);

    assert_int_equal(rfl_registry_begin(site.rt.registry, 0, NULL), RFL_OK);
    assert_int_equal(rfl_registry_by_key(site.rt.registry, keys[0], &link),
                     RFL_OK);
    assert_int_equal(rfl_registry_groups(site.rt.registry, &link, groups, &n),
                     RFL_OK);
    rfl_registry_end(site.rt.registry);

    assert_int_equal(n, 1);

    begin();

    record = match(groups[0].group.id, "/t");
    record.attribution.outcome = RFL_OUTCOME_AMBIGUOUS;
    record.attribution.evidence = RFL_EVIDENCE_NONE;
    record.class = RFL_CLASS_ERROR;
    record.status = 404;
    log_request(&record);

    answer = told();

    (void) snprintf(wanted, sizeof(wanted), "\"link\":null,\"group\":"
                    "\"%016lx\",\"name\":\"\",",
                    (unsigned long) groups[0].group.key);

    assert_non_null(strstr(answer, "\"outcome\":\"ambiguous\""));
    assert_non_null(strstr(answer, wanted));
    assert_non_null(strstr(answer, "\"class\":\"error\",\"evidence\":null,"));
    assert_non_null(strstr(answer, "\"status\":404}"));
}


static void
a_link_that_is_gone_has_no_name(void **state)
{
    uint32_t      id;
    uint64_t      key;
    rfl_record_t  record;

    id = add_link("https://blog.example/post", "", "gone", &key);
    begin();

    record = match(id, "/");
    log_request(&record);

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, NULL), RFL_OK);
    assert_int_equal(rfl_registry_remove(site.rt.registry, key, NULL),
                     RFL_OK);
    assert_int_equal(rfl_registry_commit(site.rt.registry, NULL), RFL_OK);

    assert_non_null(strstr(told(), "\"link\":null,\"group\":null,"
                                   "\"name\":\"\",\"class\":\"click\""));
}


/* They are in the ring, for others. */

static void
what_matched_nothing_is_not_told(void **state)
{
    unsigned      outcome;
    rfl_event_t   event;
    rfl_record_t  record;

    rfl_ring_reader_t  reader;

    rfl_ring_start(&reader, site.rt.counters);
    begin();

    for (outcome = 0; outcome < RFL_OUTCOMES; outcome++) {

        if (!rfl_outcome_is_match(outcome)) {
            record = match(0, "/");
            record.attribution.outcome = (rfl_outcome_t) outcome;
            log_request(&record);
        }
    }

    assert_string_equal(told(), "");

    for (outcome = 0;
         rfl_ring_next(&reader, site.rt.counters, 1, &event) == RFL_OK;
         outcome++)
    {
        assert_true(event.outcome == RFL_OUTCOME_DIRECT
                    || event.outcome == RFL_OUTCOME_HIDDEN
                    || event.outcome == RFL_OUTCOME_UNREGISTERED);
    }

    assert_int_equal(outcome, 3);
}


static void
what_was_cut_says_so(void **state)
{
    char          landing[300];
    const char   *answer;
    rfl_record_t  record;

    memset(landing, 'x', sizeof(landing));
    landing[0] = '/';
    landing[299] = '\0';

    begin();

    record = match(1, landing);
    log_request(&record);

    answer = told();
    assert_null(strstr(answer, "source_cut"));
    assert_non_null(strstr(answer, "xx\",\"landing_cut\":true,\"status\":"));
}


static void
a_step_is_small_and_none_is_told_twice(void **state)
{
    unsigned     n, seen, steps;
    uint64_t     missed;
    rfl_rc_t     rc;
    const char  *p;

    begin();
    log_matches(0, 1500);

    seen = 0;
    missed = 0;
    steps = 0;

    do {
        rc = step();
        assert_true(rc == RFL_OK || rc == RFL_BUSY);
        assert_true(text.len < RFL_FEED_STEP_BYTES + 2048);

        p = (const char *) text.data;
        steps++;

        for (n = seen; ; n++) {
            if (next_match(&p, &missed) == UINT32_MAX) {
                break;
            }

            seen++;
        }

        assert_true(seen - n <= RFL_FEED_STEP_RECORDS);

    } while (rc == RFL_BUSY);

    assert_int_equal(seen, 1500);
    assert_int_equal(missed, 0);
    assert_true(steps >= 1500 / RFL_FEED_STEP_RECORDS);
    assert_string_equal(told(), "");
}


static void
who_falls_behind_is_told_where_and_how_many(void **state)
{
    unsigned     n, seen, wanted;
    uint64_t     missed;
    rfl_rc_t     rc;
    const char  *p;

    begin();
    log_matches(0, 10000);

    seen = 0;
    wanted = 0;
    missed = 0;

    do {
        rc = step();
        p = (const char *) text.data;

        for ( ;; ) {
            n = next_match(&p, &missed);

            if (n == UINT32_MAX) {
                break;
            }

            assert_int_equal(n, seen + missed);
            wanted = n + 1;
            seen++;
        }

    } while (rc == RFL_BUSY);

    assert_int_equal(wanted, 10000);
    assert_int_equal(seen + missed, 10000);
    assert_true(seen > RFL_RING_SLOTS / 2);
    assert_true(missed > 0);
}


static void
the_sums_come_each_second(void **state)
{
    unsigned     i, n;
    const char  *answer;

    open_feed();
    answer = told();

    assert_ptr_equal(strstr(answer, "retry: 1000\n\nevent: summary\n"
                                    "data: {\"outcomes\":{\"direct\":0,"),
                     answer);
    assert_non_null(strstr(answer, ",\"now\":\"2026-11-20T23:00:00Z\"}\n\n"));

    log_matches(0, 3);
    (void) told();

    for (i = 0, n = 0; i < 50; i++) {
        now_ms += 100;
        answer = told();

        if (strstr(answer, "event: summary\n") != NULL) {
            n++;
            assert_non_null(strstr(answer, "\"matched\":3,"));
            assert_non_null(strstr(answer, "\"clicks\":{\"direct\":0,"));
            assert_null(strstr(answer, "retry"));
        }
    }

    assert_int_equal(n, 5);

    /* one is enough after a pause */

    now_ms += 60000;
    assert_non_null(strstr(told(), "event: summary\n"));
    assert_string_equal(told(), "");
}


/*
 * While this process already counts in a new file another one still counts in
 * the old.
 */

/* The keeper finds n changes of a link's state, at the second now. */

static void
states_change(uint32_t id, unsigned n, uint64_t now)
{
    int                   changed;
    unsigned              i;
    rfl_store_t          *store;
    rfl_states_t          sums;
    rfl_state_verdict_t   v;

    if (ledger == NULL) {
        assert_int_equal(rfl_ledger_open(&ledger, site.dir, site.rt.uuid,
                                         RFL_STORE_CREATE, 64 << 20, NULL),
                         RFL_OK);
    }

    store = rfl_ledger_store(ledger);

    assert_int_equal(rfl_store_begin(store, 1, NULL), RFL_OK);
    assert_int_equal(rfl_states_begin_sums(ledger, &sums, NULL), RFL_OK);

    for (i = 0; i < n; i++) {
        if (rfl_states_get(ledger, id, &v) != RFL_OK) {
            memset(&v, 0, sizeof(rfl_state_verdict_t));
            v.state = RFL_STATE_SILENT;
            assert_int_equal(rfl_states_put(ledger, &sums, id, &v, now,
                                            &changed, NULL), RFL_OK);
        }

        v.state = v.state == RFL_STATE_SILENT ? RFL_STATE_REVIVED
                                              : RFL_STATE_SILENT;
        assert_int_equal(rfl_states_put(ledger, &sums, id, &v, now, &changed,
                                        NULL), RFL_OK);
    }

    assert_int_equal(rfl_states_put_sums(ledger, &sums, NULL), RFL_OK);
    assert_int_equal(rfl_store_commit(store, NULL), RFL_OK);
    rfl_store_end(store);
}


/* How often it is told in what is left of this second. */

static unsigned
told_states(void)
{
    rfl_rc_t     rc;
    unsigned     n;
    const char  *p;

    n = 0;

    do {
        rc = step();
        assert_true(rc == RFL_OK || rc == RFL_BUSY);
        assert_true(text.len <= RFL_FEED_STEP_BYTES + 2048);

        for (p = strstr((char *) text.data, "event: state\n"); p != NULL;
             p = strstr(p + 1, "event: state\n"))
        {
            n++;
        }

    } while (rc == RFL_BUSY);

    return n;
}


static void
a_change_of_state_is_told_once_within_a_second(void **state)
{
    char      wanted[256];
    uint32_t  id;
    uint64_t  key;

    id = site_add(&site, "https://blog.example/a", "/", &key);
    states_change(id, 3, NOW);               /* before it looked */
    site.rt.ledger = ledger;

    open_feed();
    assert_int_equal(told_states(), 0);

    states_change(id, 1, NOW + 1);
    assert_int_equal(told_states(), 0);      /* it looks once a second */

    now_ms += 1000;
    assert_int_equal(step(), RFL_OK);

    (void) snprintf(wanted, sizeof(wanted),
                    "event: state\n"
                    "data: {\"time\":\"2026-11-20T23:00:01.000Z\","
                    "\"link\":\"%016llx\",\"name\":\"\",\"from\":\"revived\","
                    "\"to\":\"silent\"}\n\n", (unsigned long long) key);
    assert_non_null(strstr((char *) text.data, wanted));

    now_ms += 1000;
    assert_int_equal(told_states(), 0);

    site.rt.ledger = NULL;
}


/* Of a flood the last ones; how many it missed is told. */

static void
many_changes_are_told_in_steps_and_the_first_are_missed(void **state)
{
    uint32_t  id;

    id = site_add(&site, "https://blog.example/a", "/", NULL);
    states_change(id, 1, NOW);
    site.rt.ledger = ledger;

    open_feed();
    assert_int_equal(told_states(), 0);

    states_change(id, RFL_STATES_CHANGES + 7, NOW + 1);

    now_ms += 1000;
    assert_int_equal(step(), RFL_BUSY);
    assert_non_null(strstr((char *) text.data, "{\"missed\":0,\"states\":7}"));

    assert_int_equal(told_states(), RFL_STATES_CHANGES
                                    - RFL_FEED_STEP_RECORDS);

    site.rt.ledger = NULL;
}


static void
both_files_are_read_where_one_takes_the_others_place(void **state)
{
    unsigned         i;
    uint64_t         missed;
    const char      *p;
    rfl_record_t     record;
    rfl_counters_t  *old;

    begin();
    log_matches(0, 2);

    old = site.rt.counters;
    assert_int_equal(unlink(site.counters), 0);
    rfl_runtime_tick(&site.rt, NOW + 1);
    assert_true(site.rt.counters != old);

    record = match(1, "/2");
    rfl_record(&old->stripes[0], old, &record);

    log_matches(3, 2);

    missed = 0;
    p = told();

    for (i = 0; i < 5; i++) {
        assert_int_equal(next_match(&p, &missed), i);
    }

    assert_int_equal(next_match(&p, &missed), UINT32_MAX);
    assert_int_equal(missed, 0);
    assert_string_equal(told(), "");
}


/* What it had before this feed began is not told; nor twice what it told. */

static void
a_file_that_comes_back_begins_where_it_was(void **state)
{
    char         aside[128];
    unsigned     i;
    uint64_t     missed;
    const char  *p;

    (void) snprintf(aside, sizeof(aside), "%s.aside", site.counters);

    begin();
    log_matches(0, 2);

    missed = 0;
    p = told();
    assert_int_equal(next_match(&p, &missed), 0);
    assert_int_equal(next_match(&p, &missed), 1);

    assert_int_equal(rename(site.counters, aside), 0);
    rfl_runtime_tick(&site.rt, NOW + 1);
    log_matches(2, 1);

    p = told();
    assert_int_equal(next_match(&p, &missed), 2);

    assert_int_equal(rename(aside, site.counters), 0);
    rfl_runtime_tick(&site.rt, NOW + 2);
    log_matches(3, 2);

    p = told();

    for (i = 3; i < 5; i++) {
        assert_int_equal(next_match(&p, &missed), i);
    }

    assert_int_equal(next_match(&p, &missed), UINT32_MAX);
    assert_int_equal(missed, 0);
}


/* Neither registry nor counter file: the sums are what there is. */

static void
without_a_counter_file_there_are_the_sums(void **state)
{
    rfl_runtime_close(&site.rt);
    site.rt.pending.n[RFL_ZONE_OUTCOMES + RFL_OUTCOME_DIRECT] = 4;

    open_feed();

    assert_non_null(strstr(told(), "{\"outcomes\":{\"direct\":4,"));
    assert_string_equal(told(), "");
}


static void
out_of_memory_is_no_half_an_event(void **state)
{
    rfl_buf_t  b;

    open_feed();

    memset(&b, 0, sizeof(rfl_buf_t));

    memory_is_out = 1;
    assert_int_equal(rfl_feed_step(feed, NOW, now_ms, &b), RFL_NO_MEMORY);
    memory_is_out = 0;

    rfl_buf_free(&b);
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(a_request_for_events_is_told_from_others),
        test(a_match_is_told_with_all_that_is_known),
        test(an_ambiguous_one_has_its_group),
        test(a_link_that_is_gone_has_no_name),
        test(what_matched_nothing_is_not_told),
        test(what_was_cut_says_so),
        test(a_step_is_small_and_none_is_told_twice),
        test(who_falls_behind_is_told_where_and_how_many),
        test(the_sums_come_each_second),
        test(a_change_of_state_is_told_once_within_a_second),
        test(many_changes_are_told_in_steps_and_the_first_are_missed),
        test(both_files_are_read_where_one_takes_the_others_place),
        test(a_file_that_comes_back_begins_where_it_was),
        test(without_a_counter_file_there_are_the_sums),
        test(out_of_memory_is_no_half_an_event)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
