/*
 * What the status tree is asked for: path, arguments and Accept of strangers.
 * A query is refused with a reason or answered, in steps that end, and an
 * answer in JSON is JSON.
 *
 * Input: a byte of flags, then lines: path, arguments, Accept.
 */

#include "fuzz.h"
#include "fuzz_json.h"
#include "fuzz_sources.h"
#include "rfl_feed.h"
#include "rfl_ignored.h"

#include <stdio.h>


#define NOW    1795132800                /* 2026-11-20 */
#define STEPS  2000


static void open_site(void);
static void add_links(void);
static void count_and_flush(void);
static void check_query(const rfl_view_request_t *request);
static void check_view(const rfl_view_request_t *request);
static void check_feed(const rfl_view_request_t *request);
static void leave_events(void);
static void check_error(const rfl_query_error_t *error);


static const char *const  sources[][3] = {
    { "https://blog.example/2024/launch", "/pricing", "guest-post" },
    { "https://blog.example/2024/other", "/pricing", "outreach" },
    { "https://www.news.example/\"<a>", "", "paid" },
    { "news.example/x,y", "/a?b=c", "" },
    { "https://192.0.2.1/", "https://shop.example/", "social" }
};

#define LINKS  (sizeof(sources) / sizeof(sources[0]))


static rfl_runtime_conf_t  conf;
static rfl_runtime_t       rt;
static rfl_runtime_t      *runtimes[] = { &rt };


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t             flags;
    fuzz_input_t        in;
    rfl_view_request_t  request;

    if (runtimes[0]->conf == NULL) {
        open_site();
    }

    in = fuzz_input(data, size);
    flags = fuzz_byte(&in);

    memset(&request, 0, sizeof(rfl_view_request_t));
    request.runtimes = runtimes;
    request.n = 1;
    request.all = flags & 1;
    request.html = flags >> 1 & 1;
    request.write = flags >> 2 & 1;
    request.path = fuzz_line(&in);
    request.args = fuzz_line(&in);
    request.accept = fuzz_line(&in);

    check_query(&request);

    if (rfl_feed_is_asked(&request)) {
        check_feed(&request);

    } else {
        check_view(&request);
    }

    fuzz_free();

    return 0;
}


static void
open_site(void)
{
    static char  counters[300];

    (void) snprintf(counters, sizeof(counters), "%s/cells", fuzz_dir());

    conf.name = "main";
    conf.path = fuzz_dir();
    conf.counters = counters;
    conf.counters_dir = "";
    conf.source = "";
    conf.map_size = (size_t) 64 << 20;
    conf.max_ids = 1000;
    conf.max_links = 1000;
    conf.flush_ms = 1000;
    conf.volatile_fd = -1;

    rfl_runtime_init(&rt, &conf, 0);
    rt.keeps = 1;
    rfl_runtime_tick(&rt, NOW);

    fuzz_check(rt.registry != NULL && rt.counters != NULL);
    fuzz_check(rfl_ring_open(rt.counters, 0, NULL) == RFL_OK);

    add_links();
    count_and_flush();
}


static void
add_links(void)
{
    size_t        i;
    rfl_link_t    link;
    rfl_error_t   err;

    fuzz_check(rfl_registry_begin(rt.registry, 1, &err) == RFL_OK);

    for (i = 0; i < LINKS; i++) {
        memset(&link, 0, sizeof(rfl_link_t));
        link.match_type = RFL_MATCH_EXACT;
        link.source = rfl_cstr(sources[i][0]);
        link.target = rfl_cstr(sources[i][1]);
        link.channel = rfl_cstr(sources[i][2]);
        link.partner = rfl_cstr(i % 2 ? "A\xff,\"b" : "");
        link.labels = rfl_cstr(i % 2 ? "q4,x" : "x");

        fuzz_check(rfl_registry_add(rt.registry, &link, NOW, &err) == RFL_OK);
    }

    fuzz_check(rfl_ignored_add(rt.registry, rfl_cstr("blog.example"), NOW, &err)
               == RFL_OK);
    fuzz_check(rfl_registry_commit(rt.registry, &err) == RFL_OK);
    rfl_runtime_tick(&rt, NOW);
}


/* Some traffic on two days, in the ledger and in the file. */

static void
count_and_flush(void)
{
    size_t            i, day;
    rfl_error_t       err;
    rfl_flush_t       flush;
    rfl_record_t      record;
    rfl_ledger_t     *ledger;
    rfl_flush_stat_t  stat;

    fuzz_check(rfl_ledger_open(&ledger, conf.path, rt.uuid, RFL_STORE_CREATE,
                               conf.map_size, &err)
               == RFL_OK);

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = conf.counters;
    flush.full = 1;

    for (day = 0; day < 3; day++) {
        memset(&record, 0, sizeof(rfl_record_t));
        record.attribution.outcome = RFL_OUTCOME_MATCHED;
        record.attribution.evidence = RFL_EVIDENCE_EXACT;
        record.class = RFL_CLASS_CLICK;
        record.status = 200;
        record.bytes = 100;
        record.now = NOW + day * 86400;

        for (i = 1; i <= LINKS + 1; i++) {
            record.attribution.id = (uint32_t) i;
            rfl_record(rt.zone, rt.counters, &record);
        }

        flush.now_ms = record.now * 1000;

        if (day < 2) {
            fuzz_check(rfl_ledger_flush(ledger, rt.counters, &flush, &stat,
                                        &err)
                       == RFL_OK);
        }
    }

    fuzz_put_sources(ledger, NOW);
    fuzz_put_states(ledger, NOW);
    rfl_ledger_close(ledger);

    rt.keeps = 0;                        /* a worker has the ledger, too */
    rfl_runtime_tick(&rt, NOW + 2 * 86400);

    fuzz_check(rt.ledger != NULL);
}


static void
check_query(const rfl_view_request_t *request)
{
    size_t               i;
    rfl_rc_t             rc;
    static rfl_query_t   q;
    rfl_query_error_t    error;
    rfl_query_request_t  asked;

    asked.path = request->path;
    asked.args = request->args;
    asked.accept = request->accept;
    asked.all = request->all;
    asked.html = request->html;
    asked.now = NOW;

    rc = rfl_query_read(&q, &asked, &error);

    if (rc != RFL_OK) {
        fuzz_check(rc == RFL_INVALID);
        check_error(&error);
        return;
    }

    fuzz_check((unsigned) q.kind <= RFL_QUERY_METRICS);
    fuzz_check((unsigned) q.format < RFL_FORMATS);
    fuzz_check(q.page.limit <= RFL_QUERY_LIMIT_MAX || q.page.unlimited);
    fuzz_check(q.page.after_name_len <= RFL_QUERY_NAME_MAX);

    for (i = 0; i < RFL_FILTERS; i++) {
        fuzz_check(q.filter.values[i].len <= RFL_FILTER_MAX);
    }

    if (q.period.has_from) {
        fuzz_check(q.period.from < q.period.to);
    }
}


static void
check_view(const rfl_view_request_t *request)
{
    rfl_rc_t           rc;
    unsigned           steps;
    rfl_buf_t          b = rfl_buf_init;
    rfl_view_t        *v;
    rfl_view_error_t   error;

    rc = rfl_view_open(&v, request, &error);

    if (rc != RFL_OK) {
        check_error(&error);
        return;
    }

    if (rfl_view_format(v) == RFL_FORMAT_HTML) {
        fuzz_check(request->html);
        rfl_view_close(v);
        return;
    }

    rc = RFL_BUSY;

    for (steps = 0; rc == RFL_BUSY; steps++) {
        fuzz_check(steps < STEPS);
        rc = rfl_view_step(v, &b);
    }

    if (rc != RFL_OK) {
        check_error(rfl_view_fault(v));

    } else if (rfl_view_format(v) == RFL_FORMAT_JSON) {
        fuzz_check_json(rfl_str(b.data, b.len));
    }

    rfl_view_close(v);
    rfl_buf_free(&b);
}


static void
check_feed(const rfl_view_request_t *request)
{
    rfl_rc_t           rc;
    unsigned           steps;
    rfl_buf_t          b = rfl_buf_init;
    rfl_feed_t        *feed;
    rfl_view_error_t   error;

    rc = rfl_feed_open(&feed, request, NOW, 1, &error);

    if (rc != RFL_OK) {
        check_error(&error);
        return;
    }

    for (steps = 0; steps < 3; steps++) {
        leave_events();
        rc = rfl_feed_step(feed, NOW + steps, 1 + 1000 * steps, &b);
        fuzz_check(rc == RFL_OK || rc == RFL_BUSY);
    }

    fuzz_check(b.len != 0);

    rfl_feed_close(feed);
    rfl_buf_free(&b);
}


/* What comes while somebody listens. */

static void
leave_events(void)
{
    size_t         i;
    rfl_event_t    event;
    rfl_outcome_t  outcome;

    for (i = 0; i <= LINKS; i++) {
        outcome = i == 0 ? RFL_OUTCOME_UNREGISTERED
                  : i % 2 ? RFL_OUTCOME_MATCHED : RFL_OUTCOME_AMBIGUOUS;

        fuzz_event(&event, outcome, i % 3 ? 200 : 404,
                   rfl_cstr("a\"\xff.example"), rfl_cstr("/\n<a>"));
        event.id = (uint32_t) i;
        event.time_ms = NOW * UINT64_C(1000);

        rfl_ring_write(rt.counters, 0, &event, rfl_event_source(&event),
                       rfl_event_landing(&event));
    }
}


static void
check_error(const rfl_query_error_t *error)
{
    rfl_buf_t  b = rfl_buf_init;

    fuzz_check(error->status >= 400 && error->status < 600);
    fuzz_check(error->code != NULL);
    fuzz_check(memchr(error->text, '\0', sizeof(error->text)) != NULL);

    rfl_view_error(&b, error, rfl_cstr("0123"));
    fuzz_check_json(rfl_str(b.data, b.len));
    rfl_buf_free(&b);
}
