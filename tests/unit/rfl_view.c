/* The status tree: what is refused, what is shown, in steps of what size. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rfl_view.h"
#include "site.h"


#define LINKS  250


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
    { "/",                       "format=csv",             406,
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

    do {
        step.len = 0;
        rc = rfl_view_step(v, &step);
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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_table_of_requests),
        cmocka_unit_test(test_paging_shows_each_link_once),
        cmocka_unit_test(test_all_in_one_answer),
        cmocka_unit_test(test_summary_counts_and_ranks),
        cmocka_unit_test(test_one_link),
        cmocka_unit_test(test_a_registry_that_goes_midway_is_no_answer),
        cmocka_unit_test(test_error_body),
    };

    return cmocka_run_group_tests_name("rfl_view", tests, setup, teardown);
}
