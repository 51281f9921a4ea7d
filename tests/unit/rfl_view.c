/* The status tree: what is refused, what is shown, in steps of what size. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "rfl_diagnosis.h"
#include "rfl_view.h"
#include "site.h"


#define LINKS  250

/* The history of the second half: links, hours from START on, flushes. */

#define TRACKED  140
#define HOURS    (12 * 24)
#define FLUSHES  150
#define START    (1795132800 - 12 * 86400)       /* 2026-11-08 */


typedef struct {
    const char  *path;
    const char  *args;
    unsigned     status;                 /* 200: accepted */
    const char  *code;
} row_t;


static const row_t  rows[] = {
    { "",                        "",                       200, NULL },
    { "/",                       "",                       200, NULL },
    { "/",                       "format=json",            200, NULL },
    { "/",                       "&&",                     200, NULL },
    { "/",                       "format=csv",             200, NULL },
    { "/",                       "format=xml",             406,
      "FormatUnavailable" },
    { "/",                       "limit=3",                400,
      "ParameterUnknown" },
    { "/nothing",                "",                       404,
      "PathUnknown" },
    { "/links/0123456789abcdef/x", "",                     404,
      "PathUnknown" },
    { "/links",                  "",                       200, NULL },
    { "/links/",                 "",                       200, NULL },
    { "links",                   "",                       200, NULL },
    { "/links",                  "limit=1",                200, NULL },
    { "/links",                  "limit=10000",            200, NULL },
    { "/links",                  "limit=10001",            400,
      "ParameterInvalid" },
    { "/links",                  "limit=0",                400,
      "ParameterInvalid" },
    { "/links",                  "limit=",                 400,
      "ParameterInvalid" },
    { "/links",                  "limit=-1",               400,
      "ParameterInvalid" },
    { "/links",                  "limit=99999999999999999999", 400,
      "ParameterInvalid" },
    { "/links",                  "limit=all",              200, NULL },
    { "/links",                  "sort=clicks&order=asc",  200, NULL },
    { "/links",                  "sort=bytes",             200, NULL },
    { "/links",                  "sort=last_seen",         200, NULL },
    { "/links",                  "sort=key",               200, NULL },
    { "/links",                  "sort=name",              400,
      "ParameterInvalid" },
    { "/links",                  "order=up",               400,
      "ParameterInvalid" },
    { "/links",                  "after=",                 200, NULL },
    { "/links",                  "after=5-0123456789abcdef", 200, NULL },
    { "/links",                  "sort=key&after=0123456789ABCDEF", 200,
      NULL },
    { "/links",                  "limit=all&after=0123456789abcdef", 200,
      NULL },
    { "/links",                  "after=0123456789abcdef", 400,
      "ParameterInvalid" },
    { "/links",                  "sort=key&after=5-0123456789abcdef", 400,
      "ParameterInvalid" },
    { "/links",                  "after=0123456789abcde",  400,
      "ParameterInvalid" },
    { "/links",                  "after=x-0123456789abcdef", 400,
      "ParameterInvalid" },
    { "/links",                  "after=-0123456789abcdef", 400,
      "ParameterInvalid" },
    { "/links",                  "colour=red",             400,
      "ParameterUnknown" },
    { "/links/0123456789abcdef", "",                       404,
      "LinkUnknown" },
    { "/links/0123456789abcdeg", "",                       404,
      "LinkUnknown" },
    { "/links/0123",             "",                       404,
      "LinkUnknown" },
    { "/links/0123456789abcdef", "limit=3",                400,
      "ParameterUnknown" },
};


static site_t          site;
static uint64_t        keys[LINKS];
static uint32_t        ids[LINKS];
static rfl_runtime_t  *runtimes[1];
static unsigned        steps;                   /* of the last answer */


/*
 * What was counted, by hour and link; two more are what a group got and a
 * link that was removed.
 */

enum {
    GROUP = TRACKED,
    RETIRED,
    ROWS
};

static unsigned  clicks[HOURS][ROWS];
static uint64_t  group_key;




static int
setup(void **state)
{
    char      source[64];
    unsigned  i;

    site_init(&site, "main");
    site_open(&site);
    runtimes[0] = &site.rt;

    for (i = 0; i < LINKS; i++) {
        (void) snprintf(source, sizeof(source), "https://h%u.example/p", i);
        ids[i] = site_add(&site, source, "/pricing", &keys[i]);
        site_click(&site, ids[i], i % 10);
    }

    return 0;
}


static int
teardown(void **state)
{
    site_remove(&site);

    return 0;
}


static rfl_rc_t
open_view(rfl_view_t **v, const char *path, const char *args,
    rfl_view_error_t *error)
{
    rfl_view_request_t  request;

    memset(&request, 0, sizeof(rfl_view_request_t));
    request.runtimes = runtimes;
    request.n = 1;
    request.path = rfl_cstr(path);
    request.args = rfl_cstr(args);

    return rfl_view_open(v, &request, error);
}


/* The whole answer, terminated by a zero; each step within its bound. */

static void
answer(const char *path, const char *args, rfl_buf_t *whole)
{
    rfl_rc_t          rc;
    rfl_buf_t         step = rfl_buf_init;
    rfl_view_t       *v;
    rfl_view_error_t  error;

    if (open_view(&v, path, args, &error) != RFL_OK) {
        fail_msg("%s?%s: %s", path, args, error.text);
    }

    steps = 0;

    do {
        step.len = 0;
        rc = rfl_view_step(v, &step);
        steps++;

        assert_true(rc == RFL_OK || rc == RFL_BUSY);
        assert_true(step.len < RFL_VIEW_STEP_BYTES + 32768);
        rfl_buf_add(whole, step.data, step.len);
    } while (rc == RFL_BUSY);

    rfl_buf_char(whole, '\0');
    assert_false(whole->failed);

    rfl_buf_free(&step);
    rfl_view_close(v);
}


static void
test_table_of_requests(void **state)
{
    size_t             i;
    rfl_rc_t           rc;
    rfl_view_t        *v;
    rfl_view_error_t   error;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rc = open_view(&v, rows[i].path, rows[i].args, &error);

        if (rows[i].status == 200) {
            if (rc != RFL_OK) {
                fail_msg("%s?%s: %s", rows[i].path, rows[i].args, error.text);
            }

            rfl_view_close(v);
            continue;
        }

        if (rc == RFL_OK || error.status != rows[i].status
            || strcmp(error.code, rows[i].code) != 0)
        {
            fail_msg("%s?%s: %d, wanted %u %s", rows[i].path, rows[i].args,
                     rc, rows[i].status, rows[i].code);
        }

        assert_null(v);
    }
}


/* Follows the cursor; each link must come once, in the order asked for. */

static void
check_paging(const char *sort, const char *counter, int ascending,
    unsigned limit)
{
    int          seen[LINKS];
    char         args[128], next[64], *p, *end;
    long long    value, before;
    unsigned     i, rows_seen;
    uint64_t     key;
    rfl_buf_t    whole;

    memset(seen, 0, sizeof(seen));
    next[0] = '\0';
    rows_seen = 0;
    before = ascending ? -1 : INT64_MAX;

    do {
        memset(&whole, 0, sizeof(rfl_buf_t));
        (void) snprintf(args, sizeof(args), "sort=%s&order=%s&limit=%u%s%s",
                        sort, ascending ? "asc" : "desc", limit,
                        next[0] ? "&after=" : "", next);
        answer("/links", args, &whole);

        p = (char *) whole.data;

        while ((p = strstr(p, "{\"key\":\"")) != NULL) {
            key = strtoull(p + 8, &end, 16);
            p = end;

            /* a group's key is no row's */

            if (strncmp(p, "\",\"source\"", 10) != 0) {
                continue;
            }

            for (i = 0; i < LINKS && keys[i] != key; i++) { /* void */ }
            assert_in_range(i, 0, LINKS - 1);
            seen[i]++;
            rows_seen++;

            if (counter != NULL) {
                end = strstr(p, counter);
                assert_non_null(end);
                value = strtoll(end + strlen(counter), NULL, 10);
                assert_true(ascending ? value >= before : value <= before);
                before = value;
            }
        }

        p = strstr((char *) whole.data, "],\"next\":");
        assert_non_null(p);
        p += 9;
        next[0] = '\0';

        if (*p == '"') {
            (void) snprintf(next, sizeof(next), "%.*s",
                            (int) strcspn(p + 1, "\""), p + 1);
        }

        rfl_buf_free(&whole);

    } while (next[0] != '\0');

    assert_int_equal(rows_seen, LINKS);

    for (i = 0; i < LINKS; i++) {
        assert_int_equal(seen[i], 1);
    }
}


static void
test_paging_shows_each_link_once(void **state)
{
    check_paging("clicks", "\"clicks\":", 0, 7);
    check_paging("clicks", "\"clicks\":", 1, 7);
    check_paging("bytes", "\"bytes\":", 0, 100);
    check_paging("key", NULL, 1, 10);
    check_paging("key", NULL, 0, 10);
    check_paging("clicks", "\"clicks\":", 0, 250);
    check_paging("clicks", "\"clicks\":", 0, 249);
}


static void
test_all_in_one_answer(void **state)
{
    char       *p;
    unsigned    n;
    rfl_buf_t   whole = rfl_buf_init;

    answer("/links", "limit=all", &whole);

    for (n = 0, p = (char *) whole.data;
         (p = strstr(p, "\"match_type\"")) != NULL;
         p++)
    {
        n++;
    }

    assert_int_equal(n, LINKS);
    assert_non_null(strstr((char *) whole.data, "],\"next\":null}\n"));

    rfl_buf_free(&whole);

    /* as many as there are: no empty page follows */

    answer("/links", "limit=250", &whole);
    assert_non_null(strstr((char *) whole.data, "],\"next\":null}\n"));

    rfl_buf_free(&whole);
}


static void
test_summary_counts_and_ranks(void **state)
{
    char       *top;
    unsigned    i, clicks;
    rfl_buf_t   whole = rfl_buf_init;

    for (i = 0, clicks = 0; i < LINKS; i++) {
        clicks += i % 10;
    }

    answer("/", "", &whole);

    assert_non_null(strstr((char *) whole.data,
                           "\"links\":{\"registered\":250,\"active\":225}"));
    assert_non_null(strstr((char *) whole.data, "\"registry\":\"main\""));
    assert_int_equal(clicks, 1125);
    assert_non_null(strstr((char *) whole.data, "\"matched\":1125"));
    assert_non_null(strstr((char *) whole.data, "\"regex_limits\":0"));

    top = strstr((char *) whole.data, "\"top\":[");
    assert_non_null(top);

    for (i = 0; (top = strstr(top, "\"counters\":{\"clicks\":9,")) != NULL; i++)
    {
        top++;
    }

    assert_int_equal(i, RFL_VIEW_TOP);

    rfl_buf_free(&whole);
}


static void
test_one_link(void **state)
{
    char       path[64];
    rfl_buf_t  whole = rfl_buf_init;

    (void) snprintf(path, sizeof(path), "/links/%016llx",
                    (unsigned long long) keys[9]);
    answer(path, "", &whole);

    assert_non_null(strstr((char *) whole.data, "\"clicks\":9"));
    assert_non_null(strstr((char *) whole.data,
                           "\"source\":\"https://h9.example/p\""));

    rfl_buf_free(&whole);
}


static void
test_a_registry_that_goes_midway_is_no_answer(void **state)
{
    rfl_rc_t          rc;
    rfl_buf_t         step = rfl_buf_init;
    rfl_view_t       *v;
    rfl_view_error_t  error;

    assert_int_equal(open_view(&v, "/links", "limit=all", &error), RFL_OK);
    assert_int_equal(rfl_view_step(v, &step), RFL_BUSY);

    rfl_runtime_close(&site.rt);

    step.len = 0;
    rc = rfl_view_step(v, &step);
    assert_true(rc != RFL_OK && rc != RFL_BUSY);
    rfl_view_close(v);

    assert_int_not_equal(open_view(&v, "/links", "", &error), RFL_OK);
    assert_int_equal(error.status, 503);

    /* the summary does without, and says why */

    step.len = 0;
    assert_int_equal(open_view(&v, "/", "", &error), RFL_OK);

    do {
        rc = rfl_view_step(v, &step);
    } while (rc == RFL_BUSY);

    assert_int_equal(rc, RFL_OK);
    rfl_view_close(v);
    rfl_buf_free(&step);

    site_open(&site);
}


static void
test_error_body(void **state)
{
    rfl_buf_t         b = rfl_buf_init;
    rfl_view_error_t  error = { 404, "LinkUnknown", "no \"such\" link" };

    static const char  wanted[] =
        "{\"error\":{\"status\":404,\"code\":\"LinkUnknown\","
        "\"text\":\"no \\\"such\\\" link\"},\"request_id\":\"id\"}\n";

    rfl_view_error(&b, &error, rfl_cstr("id"));

    assert_int_equal(b.len, sizeof(wanted) - 1);
    assert_memory_equal(b.data, wanted, b.len);

    rfl_buf_free(&b);
}


/* Links that were counted for twelve days, with a flush here and there. */

static void
flush_at(uint64_t now)
{
    rfl_error_t       err;
    rfl_flush_t       flush;
    rfl_flush_stat_t  stat;

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = site.counters;
    flush.now_ms = now * 1000;

    if (rfl_ledger_flush(site.rt.ledger, site.rt.counters, &flush, &stat, &err)
        != RFL_OK)
    {
        fail_msg("%s", err.text);
    }
}


static uint32_t
id_of_group(uint32_t link_id)
{
    size_t            n;
    uint32_t          id;
    rfl_link_t        link;
    rfl_registry_t   *registry;
    rfl_membership_t  members[RFL_LINK_GROUPS_MAX];

    registry = site.rt.registry;

    assert_int_equal(rfl_registry_begin(registry, 0, NULL), RFL_OK);
    assert_int_equal(rfl_registry_link(registry, link_id, &link), RFL_OK);
    assert_int_equal(rfl_registry_groups(registry, &link, members, &n),
                     RFL_OK);
    assert_int_equal(n, 1);

    id = members[0].group.id;
    group_key = members[0].group.key;

    rfl_registry_end(registry);

    return id;
}


static void
click_and_flush(const uint32_t *all)
{
    unsigned  i, k, hour, n, row;

    for (i = 0; i < FLUSHES; i++) {
        hour = (unsigned) random() % HOURS;

        for (k = 0; k < 40; k++) {
            row = (unsigned) random() % ROWS;
            n = 1 + (unsigned) random() % 3;

            site_click(&site, all[row], n);
            clicks[hour][row] += n;
        }

        flush_at(START + hour * 3600 + (uint64_t) random() % 3600);
    }
}


static int
setup_history(void **state)
{
    char                  source[64];
    uint32_t              all[ROWS];
    uint64_t              retired;
    unsigned              i;
    rfl_error_t           err;
    rfl_registry_meta_t   meta;

    srandom(7);
    memset(clicks, 0, sizeof(clicks));

    site_init(&site, "main");
    site_open(&site);
    runtimes[0] = &site.rt;

    for (i = 0; i < TRACKED; i++) {
        (void) snprintf(source, sizeof(source), "https://h%u.example/p%u",
                        i < 2 ? 0 : i, i);
        ids[i] = site_add(&site, source, "/pricing", &keys[i]);
        all[i] = ids[i];
    }

    all[GROUP] = id_of_group(ids[0]);
    all[RETIRED] = site_add(&site, "https://gone.example/", "/", &retired);

    assert_int_equal(rfl_registry_begin(site.rt.registry, 0, &err), RFL_OK);
    assert_int_equal(rfl_registry_meta(site.rt.registry, &meta), RFL_OK);
    rfl_registry_end(site.rt.registry);

    assert_int_equal(rfl_ledger_open(&site.rt.ledger, site.dir, meta.uuid,
                                     RFL_STORE_CREATE, site.conf.map_size,
                                     &err), RFL_OK);
    site.rt.ledger_error.rc = RFL_OK;

    click_and_flush(all);

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, &err), RFL_OK);
    assert_int_equal(rfl_registry_remove(site.rt.registry, retired, &err),
                     RFL_OK);
    assert_int_equal(rfl_registry_commit(site.rt.registry, &err), RFL_OK);

    return 0;
}


/* The hours that [from, to) touches, as offsets from START. */

static unsigned
model(unsigned row, uint64_t from, uint64_t to)
{
    unsigned  hour, sum;
    uint64_t  begin;

    for (hour = 0, sum = 0; hour < HOURS; hour++) {
        begin = hour * 3600;

        if (begin < to && begin + 3600 > from) {
            sum += clicks[hour][row];
        }
    }

    return sum;
}


static unsigned
model_sum(uint64_t from, uint64_t to)
{
    unsigned  row, sum;

    for (row = 0, sum = 0; row < ROWS; row++) {
        sum += model(row, from, to);
    }

    return sum;
}


static unsigned
model_active(uint64_t from, uint64_t to)
{
    unsigned  row, n;

    for (row = 0, n = 0; row < TRACKED; row++) {
        n += (model(row, from, to) != 0);
    }

    return n;
}


/* "from=...&to=...", of offsets from START. */

static const char *
span(uint64_t from, uint64_t to)
{
    static char  text[128];
    rfl_buf_t    b = rfl_buf_init;

    rfl_buf_text(&b, "from=");
    rfl_buf_time(&b, START + from);
    rfl_buf_text(&b, "&to=");
    rfl_buf_time(&b, START + to);
    rfl_buf_char(&b, '\0');

    (void) snprintf(text, sizeof(text), "%s", (char *) b.data);
    rfl_buf_free(&b);

    return text;
}


/* The number behind the first member of this name at or behind p. */

static unsigned
number(const char *p, const char *member)
{
    p = strstr(p, member);

    if (p == NULL) {
        fail_msg("there is no %s", member);
    }

    return (unsigned) strtoul(p + strlen(member), NULL, 10);
}


static char *
row_of(rfl_buf_t *whole, unsigned i)
{
    char  name[64], *p;

    (void) snprintf(name, sizeof(name), "{\"key\":\"%016llx\",\"source\"",
                    (unsigned long long) keys[i]);

    p = strstr((char *) whole->data, name);

    if (p == NULL) {
        fail_msg("link %u is missing", i);
    }

    return p;
}


static void
check_rows(rfl_buf_t *whole, uint64_t from, uint64_t to, uint64_t before)
{
    char      *p, member[64];
    unsigned   i;

    for (i = 0; i < TRACKED; i++) {
        p = row_of(whole, i);

        assert_int_equal(number(p, "\"counters\":{\"clicks\":"),
                         model(i, from, to));

        if (before != UINT64_MAX) {
            assert_int_equal(number(p, "\"previous\":{\"clicks\":"),
                             model(i, before, from));
        }
    }

    /* the first two links are a group */

    (void) snprintf(member, sizeof(member),
                    "{\"key\":\"%016llx\",\"links\":2,\"clicks\":",
                    (unsigned long long) group_key);

    assert_int_equal(number(row_of(whole, 1), member),
                     model(GROUP, from, to));

    /* groups and removed links are no rows */

    for (i = 0, p = (char *) whole->data;
         (p = strstr(p, "\"match_type\"")) != NULL;
         p++)
    {
        i++;
    }

    assert_int_equal(i, TRACKED);
}


static void
test_links_of_random_periods(void **state)
{
    char        args[256];
    unsigned    i;
    uint64_t    from, to;
    rfl_buf_t   whole;

    for (i = 0; i < 60; i++) {
        from = (uint64_t) random() % (HOURS * 3600 - 1);
        to = from + 1 + (uint64_t) random() % (HOURS * 3600 - from);

        if (i % 3 == 0) {
            from -= from % 86400;
        }

        memset(&whole, 0, sizeof(rfl_buf_t));

        (void) snprintf(args, sizeof(args), "%s&%s", span(from, to),
                        i % 2 == 0 ? "limit=all" : "limit=200");
        answer("/links", args, &whole);
        check_rows(&whole, from, to, UINT64_MAX);

        rfl_buf_free(&whole);
    }
}


/* Days 4 to 7 against days 1 to 4, in whole and in odd hours. */

static void
test_links_beside_the_period_before(void **state)
{
    char       args[256];
    uint64_t   shift, from, to;
    rfl_buf_t  whole;

    for (shift = 0; shift < 20 * 3600; shift += 5 * 3600) {
        from = 4 * 86400 + shift;
        to = 7 * 86400 + shift;

        memset(&whole, 0, sizeof(rfl_buf_t));
        (void) snprintf(args, sizeof(args), "%s&compare=previous&limit=200",
                        span(from, to));
        answer("/links", args, &whole);

        check_rows(&whole, from, to, from - 3 * 86400);

        /* more than one step has looked at this many buckets */

        assert_true(steps > 2 * 3 * TRACKED / RFL_VIEW_STEP_BUCKETS);

        rfl_buf_free(&whole);
    }
}


/* The widened period is named; the members stand where docs/api.md says. */

static void
test_shape_of_answers(void **state)
{
    char       path[64];
    rfl_buf_t  whole = rfl_buf_init;

    static const char  links[] =
        "{\"period\":{\"from\":\"2026-11-12T05:00:00Z\","
        "\"to\":\"2026-11-13T07:00:00Z\"},"
        "\"previous\":{\"from\":\"2026-11-11T03:00:00Z\","
        "\"to\":\"2026-11-12T05:00:00Z\"},"
        "\"links\":[{\"key\":\"";

    answer("/links",
           "from=2026-11-12T05:59:59Z&to=2026-11-13T06:00:01Z"
           "&compare=previous&limit=1", &whole);
    assert_memory_equal(whole.data, links, sizeof(links) - 1);
    rfl_buf_free(&whole);

    (void) snprintf(path, sizeof(path), "/links/%016llx",
                    (unsigned long long) keys[3]);
    answer(path, "from=2026-11-12&to=2026-11-14&compare=previous", &whole);

    assert_non_null(strstr((char *) whole.data,
                           "\"groups\":[],"
                           "\"period\":{\"from\":\"2026-11-12T00:00:00Z\","
                           "\"to\":\"2026-11-14T00:00:00Z\"},"
                           "\"counters\":{\"clicks\":"));
    assert_non_null(strstr((char *) whole.data,
                           ",\"previous\":{\"from\":\"2026-11-10T00:00:00Z\","
                           "\"to\":\"2026-11-12T00:00:00Z\",\"clicks\":"));
    assert_int_equal(number((char *) whole.data, "\"counters\":{\"clicks\":"),
                     model(3, 4 * 86400, 6 * 86400));

    rfl_buf_free(&whole);
}


static void
test_pages_sorted_by_the_periods_counter(void **state)
{
    char      args[256], next[64], *p;
    int       seen[TRACKED];
    unsigned  i, rows_seen, value, before;
    uint64_t  from, to;
    rfl_buf_t whole;

    from = 2 * 86400 + 3600;
    to = 9 * 86400 + 7200;
    before = UINT32_MAX;
    rows_seen = 0;
    next[0] = '\0';
    memset(seen, 0, sizeof(seen));

    do {
        memset(&whole, 0, sizeof(rfl_buf_t));
        (void) snprintf(args, sizeof(args), "%s&sort=clicks&limit=9%s%s",
                        span(from, to), next[0] ? "&after=" : "", next);
        answer("/links", args, &whole);

        p = (char *) whole.data;

        while ((p = strstr(p, "\",\"source\":\"https://h")) != NULL) {
            i = number(p, "/p");
            assert_in_range(i, 0, TRACKED - 1);
            seen[i]++;
            rows_seen++;

            value = number(p, "\"counters\":{\"clicks\":");
            assert_int_equal(value, model(i, from, to));
            assert_true(value <= before);
            before = value;
            p++;
        }

        p = strstr((char *) whole.data, "],\"next\":");
        assert_non_null(p);
        next[0] = '\0';

        if (p[9] == '"') {
            (void) snprintf(next, sizeof(next), "%.*s",
                            (int) strcspn(p + 10, "\""), p + 10);
        }

        rfl_buf_free(&whole);

    } while (next[0] != '\0');

    assert_int_equal(rows_seen, TRACKED);

    for (i = 0; i < TRACKED; i++) {
        assert_int_equal(seen[i], 1);
    }
}


/* Retired links and groups are in the sums, and counted once. */

static void
test_summary_of_a_period(void **state)
{
    char       args[256], *previous;
    unsigned   i;
    uint64_t   from, to;
    rfl_buf_t  whole;

    for (i = 0; i < 20; i++) {
        from = 6 * 86400 + (uint64_t) random() % 86400 / 3600 * 3600;
        to = from + 3600 + (uint64_t) random() % (5 * 86400) / 3600 * 3600;

        memset(&whole, 0, sizeof(rfl_buf_t));
        (void) snprintf(args, sizeof(args), "%s&compare=previous",
                        span(from, to));
        answer("/", args, &whole);

        previous = strstr((char *) whole.data, "\"previous\":{\"from\":");
        assert_non_null(previous);

        assert_int_equal(number((char *) whole.data, "\"active\":"),
                         model_active(from, to));
        assert_int_equal(number((char *) whole.data, "\"matched\":"),
                         model_sum(from, to));
        assert_int_equal(number((char *) whole.data,
                                "\"classes\":{\"clicks\":"),
                         model_sum(from, to));

        assert_int_equal(number(previous, "\"links\":{\"active\":"),
                         model_active(2 * from - to, from));
        assert_int_equal(number(previous, "\"matched\":"),
                         model_sum(2 * from - to, from));

        rfl_buf_free(&whole);
    }
}


/* The rows of two answers without what names the period. */

static void
test_all_time_is_the_totals(void **state)
{
    char        args[128], *a, *b;
    time_t      now;
    rfl_buf_t   totals = rfl_buf_init, period = rfl_buf_init;

    answer("/links", "limit=all", &totals);

    now = time(NULL) + 3600;

    if (now < START + HOURS * 3600) {
        now = START + HOURS * 3600;
    }

    (void) strftime(args, sizeof(args),
                    "limit=all&from=1970-01-01&to=%Y-%m-%dT%H:%M:%SZ",
                    gmtime(&now));
    answer("/links", args, &period);

    a = strstr((char *) totals.data, "\"links\":[");
    b = strstr((char *) period.data, "\"links\":[");
    assert_non_null(a);
    assert_non_null(b);
    assert_string_equal(a, b);

    rfl_buf_free(&totals);
    rfl_buf_free(&period);

    /* the sums of the registry, likewise */

    answer("/", "", &totals);
    answer("/", strchr(args, '&') + 1, &period);

    a = strstr((char *) totals.data, "\"links\":{");
    b = strstr((char *) period.data, "\"links\":{");
    assert_non_null(a);
    assert_non_null(b);
    assert_memory_equal(a, b, (size_t) (strstr(a, "\"health\"") - a));

    rfl_buf_free(&totals);
    rfl_buf_free(&period);
}


static void
test_adjacent_periods_add_up(void **state)
{
    char       path[64];
    unsigned   i, k, sums[3];
    uint64_t   edges[3];
    rfl_buf_t  whole;

    (void) snprintf(path, sizeof(path), "/links/%016llx",
                    (unsigned long long) keys[5]);

    for (i = 0; i < 40; i++) {
        edges[0] = (uint64_t) (random() % 100) * 3600;
        edges[1] = edges[0] + (uint64_t) (1 + random() % 90) * 3600;
        edges[2] = edges[1] + (uint64_t) (1 + random() % 90) * 3600;

        for (k = 0; k < 3; k++) {
            memset(&whole, 0, sizeof(rfl_buf_t));
            answer(path, span(edges[k == 1 ? 1 : 0], edges[k == 0 ? 1 : 2]),
                   &whole);
            sums[k] = number((char *) whole.data,
                             "\"counters\":{\"clicks\":");
            rfl_buf_free(&whole);
        }

        assert_int_equal(sums[0] + sums[1], sums[2]);
    }
}


/* Each bucket that has counts, once and in order; none that has not. */

static void
check_history(const char *path, const char *unit, unsigned row,
    unsigned seconds)
{
    char        args[160], start[64], *p;
    unsigned    k, sum, n, hour, buckets;
    rfl_buf_t   whole = rfl_buf_init, b = rfl_buf_init;

    (void) snprintf(args, sizeof(args), "unit=%s&%s", unit,
                    span(0, HOURS * 3600));
    answer(path, args, &whole);

    p = (char *) whole.data;

    for (k = 0, buckets = 0; k < HOURS * 3600 / seconds; k++) {

        for (hour = k * seconds / 3600, sum = 0;
             hour < (k + 1) * seconds / 3600;
             hour++)
        {
            for (n = 0; n < ROWS; n++) {
                sum += row == n || row == ROWS ? clicks[hour][n] : 0;
            }
        }

        if (sum == 0) {
            continue;
        }

        b.len = 0;
        rfl_buf_time(&b, START + k * seconds);
        (void) snprintf(start, sizeof(start), "{\"start\":\"%.*s\",",
                        (int) b.len, (char *) b.data);

        p = strstr(p, start);
        assert_non_null(p);
        assert_int_equal(number(p, "\"counters\":{\"clicks\":"), sum);
        buckets++;
    }

    for (k = 0, p = (char *) whole.data;
         (p = strstr(p, "\"start\"")) != NULL;
         p++)
    {
        k++;
    }

    assert_int_equal(k, buckets);
    assert_true(buckets > 1);

    rfl_buf_free(&b);
    rfl_buf_free(&whole);
}


static void
test_histories(void **state)
{
    char        path[64], *p;
    rfl_buf_t   whole = rfl_buf_init;

    static const char  day[] =
        "{\"unit\":\"day\",\"from\":\"2026-11-08T00:00:00Z\","
        "\"to\":\"2026-11-09T00:00:00Z\","
        "\"buckets\":[{\"start\":\"2026-11-08T00:00:00Z\","
        "\"counters\":{\"clicks\":";

    (void) snprintf(path, sizeof(path), "/links/%016llx/history",
                    (unsigned long long) keys[9]);

    check_history(path, "hour", 9, 3600);
    check_history(path, "day", 9, 86400);
    check_history("/history", "hour", ROWS, 3600);
    check_history("/history", "day", ROWS, 86400);

    answer("/history", "unit=day&from=2026-11-08T12:00:00Z&to=2026-11-09",
           &whole);

    p = (char *) whole.data;
    assert_memory_equal(p, day, sizeof(day) - 1);
    assert_non_null(strstr(p, "},\"outcomes\":{\"direct\":0,"));
    assert_non_null(strstr(p, "},\"clicks\":{\"direct\":0,"));
    assert_non_null(strstr(p, "},\"evidence\":{\"tag\":0,"));
    assert_non_null(strstr(p, "}}]}\n"));
    rfl_buf_free(&whole);

    answer("/history", "from=2020-01-01&to=2020-02-01", &whole);
    assert_non_null(strstr((char *) whole.data, "\"buckets\":[]}\n"));
    rfl_buf_free(&whole);
}


/*
 * Millions of minutes are asked for, those there are are looked at: twelve
 * days, no more than RFL_VIEW_STEP_BUCKETS in a step.
 */

static void
test_steps_of_a_long_history(void **state)
{
    rfl_buf_t  whole = rfl_buf_init;

    answer("/history",
           "unit=minute&from=1970-01-01&to=9999-12-31T23:59:59Z", &whole);

    assert_true(steps > (HOURS - 48) * 60 / RFL_VIEW_STEP_BUCKETS);
    assert_true(steps < HOURS * 60 / RFL_VIEW_STEP_BUCKETS + FLUSHES);
    assert_non_null(strstr((char *) whole.data,
                           "\"to\":\"9999-12-31T23:59:59Z\""));

    rfl_buf_free(&whole);
}


static void
prune_hours(uint64_t before)
{
    uint32_t          pruned;
    rfl_error_t       err;
    rfl_store_t      *store;
    rfl_history_t     history;
    rfl_retention_t   keep;

    memset(&keep, 0, sizeof(rfl_retention_t));
    keep.seconds[RFL_UNIT_HOUR] = 3600;
    pruned = 0;

    store = rfl_ledger_store(site.rt.ledger);
    history = rfl_ledger_history(site.rt.ledger);

    assert_int_equal(rfl_store_begin(store, 1, &err), RFL_OK);
    assert_int_equal(rfl_history_prune(&history, &keep, START + before + 3600,
                                       UINT32_MAX, &pruned, &err), RFL_OK);
    assert_int_equal(rfl_store_commit(store, &err), RFL_OK);
    assert_true(pruned > 0);
}


static void
check_edges_of_days(void)
{
    char       *p;
    rfl_buf_t   whole = rfl_buf_init;

    answer("/", span(2 * 86400 + 5 * 3600, 4 * 86400 + 3600), &whole);

    p = (char *) whole.data;
    assert_non_null(strstr(p, "\"period\":{\"from\":\"2026-11-10T00:00:00Z\","
                              "\"to\":\"2026-11-13T00:00:00Z\"}"));
    assert_int_equal(number(p, "\"matched\":"),
                     model_sum(2 * 86400, 5 * 86400));
    rfl_buf_free(&whole);

    answer("/", span(9 * 86400 + 5 * 3600, 11 * 86400 + 3600), &whole);

    p = (char *) whole.data;
    assert_non_null(strstr(p, "\"period\":{\"from\":\"2026-11-17T05:00:00Z\","
                              "\"to\":\"2026-11-19T01:00:00Z\"}"));
    assert_int_equal(number(p, "\"matched\":"),
                     model_sum(9 * 86400 + 5 * 3600, 11 * 86400 + 3600));
    rfl_buf_free(&whole);
}


/* Hours that were pruned: the day they are of is taken, and named. */

static void
test_hours_that_are_gone_become_days(void **state)
{
    rfl_buf_t  whole = rfl_buf_init;

    prune_hours(7 * 86400 + 12 * 3600);
    check_edges_of_days();

    /* the first day of which there are hours has all of them */

    prune_hours(8 * 86400);
    check_edges_of_days();

    /* none is left at all */

    prune_hours(HOURS * 3600);

    answer("/", span(9 * 86400 + 5 * 3600, 11 * 86400 + 3600), &whole);

    assert_int_equal(number((char *) whole.data, "\"matched\":"),
                     model_sum(9 * 86400, 12 * 86400));
    rfl_buf_free(&whole);
}


/* No bucket is looked at, ids are all the same. */

static void
test_steps_of_a_period_without_history(void **state)
{
    char         source[64];
    unsigned     i;
    rfl_buf_t    whole = rfl_buf_init;
    rfl_link_t   link;
    rfl_error_t  err;

    memset(&link, 0, sizeof(rfl_link_t));
    link.match_type = RFL_MATCH_EXACT;

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, &err), RFL_OK);

    for (i = 0; i < 2 * RFL_VIEW_STEP_IDS; i++) {
        (void) snprintf(source, sizeof(source), "https://more.example/%u", i);
        link.source = rfl_cstr(source);
        link.created = 0;
        assert_int_equal(rfl_registry_add(site.rt.registry, &link, 1, &err),
                         RFL_OK);
    }

    assert_int_equal(rfl_registry_commit(site.rt.registry, &err), RFL_OK);

    answer("/links", "from=2020-01-01&to=2020-02-01&limit=1", &whole);

    /* three for the ids, the head, the row, the end */

    assert_int_equal(steps, 6);
    assert_non_null(strstr((char *) whole.data, "\"clicks\":0,"));

    rfl_buf_free(&whole);
}


static void
test_health_says_what_is_wrong(void **state)
{
    rfl_buf_t  whole = rfl_buf_init, wanted = rfl_buf_init;

    answer("/", "", &whole);
    assert_non_null(strstr((char *) whole.data, "\"counters\":\"ok\""));
    assert_non_null(strstr((char *) whole.data, "\"diagnosis\":[]}"));
    rfl_buf_free(&whole);

    site.rt.counters->is_volatile = 1;
    site.rt.counters->header->diagnosis = RFL_DIAGNOSIS_NO_REFERER
                                          | RFL_DIAGNOSIS_EDGE_CACHE;

    answer("/", "from=2026-11-08", &whole);
    assert_non_null(strstr((char *) whole.data, "\"counters\":\"volatile: "));
    rfl_buf_text(&wanted, "\"diagnosis\":[");
    rfl_json_string(&wanted, rfl_cstr(rfl_diagnosis_texts[0]));
    rfl_buf_char(&wanted, ',');
    rfl_json_string(&wanted, rfl_cstr(rfl_diagnosis_texts[2]));
    rfl_buf_text(&wanted, "]}");
    rfl_buf_char(&wanted, '\0');

    assert_non_null(strstr((char *) whole.data, (char *) wanted.data));

    rfl_buf_free(&wanted);
    rfl_buf_free(&whole);

    site.rt.counters->is_volatile = 0;
    site.rt.counters->header->diagnosis = 0;
}


static void
test_a_period_needs_the_ledger(void **state)
{
    unsigned          i;
    rfl_view_t       *v;
    rfl_ledger_t     *ledger;
    rfl_view_error_t  error;

    static const char  *const  args[] = { "from=2026-11-08",
                                          "from=2026-11-08",
                                          "from=2026-11-08", "format=csv" };
    static const char  *const  paths[] = { "/", "/links", "/history", "/" };

    ledger = site.rt.ledger;
    site.rt.ledger = NULL;
    (void) rfl_fail(&site.rt.ledger_error, RFL_DAMAGED, "it is broken");

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_not_equal(open_view(&v, paths[i], args[i], &error),
                             RFL_OK);
        assert_int_equal(error.status, 503);
        assert_string_equal(error.code, "LedgerUnavailable");
        assert_string_equal(error.text, "it is broken");
    }

    assert_int_equal(open_view(&v, "/", "", &error), RFL_OK);
    rfl_view_close(v);

    site.rt.ledger = ledger;
    site.rt.ledger_error.rc = RFL_OK;

    /* before 1970 there is nothing to compare with */

    assert_int_not_equal(open_view(&v, "/", "from=1970-01-02&"
                                   "compare=previous", &error), RFL_OK);
    assert_int_equal(error.status, 400);
}


int
main(void)
{
    int  failed;

    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_table_of_requests),
        cmocka_unit_test(test_paging_shows_each_link_once),
        cmocka_unit_test(test_all_in_one_answer),
        cmocka_unit_test(test_summary_counts_and_ranks),
        cmocka_unit_test(test_one_link),
        cmocka_unit_test(test_a_registry_that_goes_midway_is_no_answer),
        cmocka_unit_test(test_error_body),
    };

    const struct CMUnitTest  periods[] = {
        cmocka_unit_test(test_links_of_random_periods),
        cmocka_unit_test(test_links_beside_the_period_before),
        cmocka_unit_test(test_shape_of_answers),
        cmocka_unit_test(test_pages_sorted_by_the_periods_counter),
        cmocka_unit_test(test_summary_of_a_period),
        cmocka_unit_test(test_all_time_is_the_totals),
        cmocka_unit_test(test_adjacent_periods_add_up),
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_steps_of_a_long_history),
        cmocka_unit_test(test_health_says_what_is_wrong),
        cmocka_unit_test(test_a_period_needs_the_ledger),
        cmocka_unit_test(test_hours_that_are_gone_become_days),
        cmocka_unit_test(test_steps_of_a_period_without_history),
    };

    failed = cmocka_run_group_tests_name("rfl_view", tests, setup, teardown);
    failed += cmocka_run_group_tests_name("rfl_view, periods", periods,
                                          setup_history, teardown);

    return failed;
}
