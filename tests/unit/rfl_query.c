/* What is asked for: paths, arguments, and each way to get them wrong. */

#include "rfl_query.h"
#include "rfl_counters.h"
#include "guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>


#define NOW   1795215480                 /* 2026-11-20T22:58:00Z */
#define HOUR  3600
#define DAY   86400


typedef struct {
    const char  *path;
    const char  *args;
    unsigned     status;
    const char  *code;
    const char  *text;                   /* the whole of it, or NULL */
} refused_t;


static const refused_t  refused[] = {
    { "/nothing", "", 404, "PathUnknown", NULL },
    { "/links/0123456789abcdef/x", "", 404, "PathUnknown", NULL },
    { "/links/0123456789abcdef/history/x", "", 404, "PathUnknown", NULL },
    { "/history/x", "", 404, "PathUnknown", NULL },
    { "/links/*", "", 404, "LinkUnknown", NULL },
    { "/links/history", "", 404, "LinkUnknown", NULL },
    { "/links/0123", "", 404, "LinkUnknown", NULL },
    { "/links/0123456789abcdeg", "", 404, "LinkUnknown", NULL },
    { "/links/0123/history", "", 404, "LinkUnknown", NULL },

    { "/", "limit=3", 400, "ParameterUnknown",
      "this path has no parameter \"limit\"" },
    { "/", "From=2026-01-01", 400, "ParameterUnknown", NULL },
    { "/", "unit=day", 400, "ParameterUnknown", NULL },
    { "/", "=3&%66rom=2026-01-01", 400, "ParameterUnknown", NULL },
    { "/links", "colour=red", 400, "ParameterUnknown", NULL },
    { "/links/0123456789abcdef", "limit=3", 400, "ParameterUnknown", NULL },
    { "/history", "sort=key", 400, "ParameterUnknown", NULL },
    { "/history", "compare=previous", 400, "ParameterUnknown", NULL },

    { "/", "format=xml", 406, "FormatUnavailable",
      "this path has the format json, csv, prometheus" },
    { "/links", "format=xml", 406, "FormatUnavailable",
      "this path has the format json, csv" },
    { "/hosts", "sort=key", 400, "ParameterInvalid",
      "sort: a counter's name or \"name\" is wanted" },
    { "/hosts", "sort=last_seen", 400, "ParameterInvalid", NULL },
    { "/hosts", "host=a.example", 400, "ParameterUnknown", NULL },
    { "/hosts", "after=n616", 400, "ParameterInvalid", NULL },
    { "/hosts", "sort=name&after=n6g", 400, "ParameterInvalid", NULL },
    { "/hosts", "after=n61", 400, "ParameterInvalid",
      "after: this cursor is of a page that is sorted otherwise" },
    { "/hosts", "sort=name&after=5-0123456789abcdef", 400,
      "ParameterInvalid", NULL },
    { "/links", "state=broken", 400, "ParameterInvalid",
      "state: \"new\", \"active\", \"silent\", \"never\" or \"revived\" is "
      "wanted" },
    { "/links", "state=", 400, "ParameterInvalid", NULL },
    { "/links", "state=new&state=never", 400, "ParameterInvalid", NULL },
    { "/hosts", "state=new", 400, "ParameterUnknown", NULL },
    { "/links", "group=", 400, "ParameterInvalid",
      "group: a group's key is wanted" },
    { "/links", "origin=", 400, "ParameterInvalid", NULL },
    { "/links", "q=100%", 400, "ParameterInvalid",
      "q: it has a \"%\" without two hex digits, \"%25\" is one, or more than "
      "1024 bytes" },
    { "/links", "partner=%zz", 400, "ParameterInvalid", NULL },
    { "/links", "host=..a", 400, "ParameterInvalid", NULL },
    { "/links", "fields=", 400, "ParameterInvalid", NULL },
    { "/links", "fields=name,colour", 400, "ParameterInvalid", NULL },

    { "/history", "format=", 406, "FormatUnavailable", NULL },

    { "/links", "limit=5&limit=6", 400, "ParameterInvalid",
      "limit: it is given twice" },
    { "/links", "limit=all&limit=6", 400, "ParameterInvalid", NULL },
    { "/", "format=json&format=json", 400, "ParameterInvalid", NULL },

    { "/links", "limit=10001", 400, "ParameterInvalid",
      "limit: a number from 1 to 10000 or \"all\" is wanted" },
    { "/links", "limit=0", 400, "ParameterInvalid", NULL },
    { "/links", "limit=", 400, "ParameterInvalid", NULL },
    { "/links", "limit", 400, "ParameterInvalid", NULL },
    { "/links", "limit=-1", 400, "ParameterInvalid", NULL },
    { "/links", "limit=%", 400, "ParameterInvalid", NULL },
    { "/links", "limit=1%", 400, "ParameterInvalid", NULL },
    { "/links", "limit=%3", 400, "ParameterInvalid", NULL },
    { "/links", "limit=%3g", 400, "ParameterInvalid", NULL },
    { "/links", "limit=%00", 400, "ParameterInvalid", NULL },
    { "/links", "limit=1%00", 400, "ParameterInvalid", NULL },
    { "/links", "limit=99999999999999999999", 400, "ParameterInvalid", NULL },
    { "/links", "sort=name", 400, "ParameterInvalid",
      "sort: a counter's name, \"key\" or \"last_seen\" is wanted" },
    { "/links", "order=up", 400, "ParameterInvalid",
      "order: \"asc\" or \"desc\" is wanted" },
    { "/links", "after=0123456789abcdef", 400, "ParameterInvalid",
      "after: this cursor is of a page that is sorted otherwise" },
    { "/links", "sort=key&after=5-0123456789abcdef", 400,
      "ParameterInvalid", NULL },
    { "/links", "after=0123456789abcde", 400, "ParameterInvalid",
      "after: a cursor, the \"next\" of another page, is wanted" },
    { "/links", "after=x-0123456789abcdef", 400, "ParameterInvalid", NULL },
    { "/links", "after=-0123456789abcdef", 400, "ParameterInvalid", NULL },

    { "/", "from=yesterday", 400, "ParameterInvalid",
      "from: a date or a time, 2026-11-20 or 2026-11-20T22:48:00Z, is wanted" },
    { "/", "from=", 400, "ParameterInvalid", NULL },
    { "/", "from=2026-02-29", 400, "ParameterInvalid", NULL },
    { "/links", "from=2026-01-01&to=2026-01-32", 400, "ParameterInvalid",
      "to: a date or a time, 2026-11-20 or 2026-11-20T22:48:00Z, is wanted" },
    { "/", "to=2026-01-01", 400, "ParameterInvalid",
      "to: from=, where the period begins, is wanted too" },
    { "/", "compare=previous", 400, "ParameterInvalid",
      "compare: from=, where the period begins, is wanted too" },
    { "/", "from=2026-01-01&compare=last", 400, "ParameterInvalid",
      "compare: \"previous\" is wanted" },
    { "/", "from=2026-01-02&to=2026-01-02", 400, "ParameterInvalid",
      "from: a time before to is wanted" },
    { "/links", "from=2026-01-02&to=2026-01-01", 400, "ParameterInvalid",
      NULL },
    { "/", "from=2026-11-21", 400, "ParameterInvalid",
      "from: a time before now is wanted" },
    { "/history", "unit=week", 400, "ParameterInvalid",
      "unit: \"minute\", \"hour\" or \"day\" is wanted" },
    { "/history", "from=2026-01-02&to=2026-01-02", 400, "ParameterInvalid",
      NULL },
    { "/history", "from=2026-11-21", 400, "ParameterInvalid", NULL },
    { "/history", "to=1970-01-01", 400, "ParameterInvalid", NULL },
};


static rfl_rc_t
parse(rfl_query_t *q, const char *path, const char *args, unsigned all,
    rfl_query_error_t *error)
{
    size_t     len;
    rfl_rc_t   rc;
    rfl_str_t  text;

    len = strlen(args);
    text = rfl_str(guard_copy(args, len), len);

    rc = rfl_query_parse(q, rfl_cstr(path), text, all, NOW, error);

    guard_free_all();

    return rc;
}


static rfl_query_t
query(const char *path, const char *args)
{
    rfl_query_t        q;
    rfl_query_error_t  error;

    if (parse(&q, path, args, 0, &error) != RFL_OK) {
        fail_msg("%s?%s: %s", path, args, error.text);
    }

    return q;
}


static void
test_what_is_refused(void **state)
{
    size_t              i;
    rfl_rc_t            rc;
    rfl_query_t         q;
    rfl_query_error_t   error;
    const refused_t    *row;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        row = &refused[i];
        rc = parse(&q, row->path, row->args, 0, &error);

        if (rc != RFL_INVALID || error.status != row->status
            || strcmp(error.code, row->code) != 0
            || (row->text != NULL && strcmp(error.text, row->text) != 0))
        {
            fail_msg("%s?%s: %d, %u %s, \"%s\"", row->path, row->args, rc,
                     error.status, error.code, error.text);
        }
    }
}


static void
test_paths(void **state)
{
    assert_int_equal(query("", "").kind, RFL_QUERY_SUMMARY);
    assert_int_equal(query("/", "&&").kind, RFL_QUERY_SUMMARY);
    assert_int_equal(query("/links", "").kind, RFL_QUERY_LINKS);
    assert_int_equal(query("links", "").kind, RFL_QUERY_LINKS);
    assert_int_equal(query("//links/", "format=json").kind, RFL_QUERY_LINKS);
    assert_int_equal(query("/history", "").kind, RFL_QUERY_HISTORY);
    assert_int_equal(query("/links/0123456789abcdef", "").kind,
                     RFL_QUERY_LINK);
    assert_int_equal(query("/links/0123456789abcdef/history", "").kind,
                     RFL_QUERY_LINK_HISTORY);
    assert_int_equal(query("/links/0123456789ABCDEF/", "").link_key,
                     0x0123456789abcdef);

    assert_int_equal(query("/sources", "registered=no&limit=3").kind,
                     RFL_QUERY_SOURCES);
    assert_int_equal(query("/sources", "").page.limit, RFL_QUERY_LIMIT);
    assert_int_equal(query("/sources", "format=csv").page.limit,
                     RFL_QUERY_LIMIT_MAX);
    assert_int_equal(query("/broken", "after=5-0123456789abcdef").kind,
                     RFL_QUERY_BROKEN);
    assert_int_equal(query("/ignored", "format=csv").kind, RFL_QUERY_IGNORED);
    assert_int_equal(query("/ignored/a.example", "").kind,
                     RFL_QUERY_IGNORED_HOST);
    assert_true(rfl_str_eq(query("/ignored/a.example", "").host,
                           rfl_cstr("a.example")));
}


/* What the lists of sources do not take. */

static void
test_sources_refused(void **state)
{
    size_t             i;
    rfl_query_t        q;
    rfl_query_error_t  error;

    static const char *const  rows[][2] = {
        { "/sources", "registered=yes" },
        { "/sources", "registered=all" },
        { "/sources", "registered=" },
        { "/sources", "limit=0" },
        { "/sources", "limit=all" },
        { "/sources", "limit=10001" },
        { "/sources", "after=0123456789abcdef" },
        { "/sources", "sort=clicks" },
        { "/sources", "from=2026-01-01" },
        { "/broken", "registered=no" },
        { "/ignored", "limit=1" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (parse(&q, rows[i][0], rows[i][1], 0, &error) != RFL_INVALID
            || error.status != 400)
        {
            fail_msg("%s?%s", rows[i][0], rows[i][1]);
        }
    }
}


static void
test_paths_of_several_registries(void **state)
{
    rfl_query_t        q;
    rfl_query_error_t  error;

    assert_int_equal(parse(&q, "/", "", 1, &error), RFL_OK);
    assert_int_equal(q.kind, RFL_QUERY_REGISTRIES);

    assert_int_equal(parse(&q, "/", "from=2026-01-01", 1, &error),
                     RFL_INVALID);
    assert_int_equal(error.status, 400);

    assert_int_equal(parse(&q, "/main", "", 1, &error), RFL_OK);
    assert_int_equal(q.kind, RFL_QUERY_SUMMARY);
    assert_true(rfl_str_eq(q.registry, rfl_cstr("main")));

    assert_int_equal(parse(&q, "/links/links", "", 1, &error), RFL_OK);
    assert_int_equal(q.kind, RFL_QUERY_LINKS);
    assert_true(rfl_str_eq(q.registry, rfl_cstr("links")));
}


static void
test_pages(void **state)
{
    rfl_query_t  q;

    q = query("/links", "");
    assert_int_equal(q.page.field, RFL_CELL_CLICKS);
    assert_int_equal(q.page.limit, RFL_QUERY_LIMIT);
    assert_false(q.page.ascending || q.page.key_sort || q.page.has_after);

    q = query("/links", "sort=last%5fseen&order=%61sc&limit=1%30000");
    assert_int_equal(q.page.field, RFL_CELL_LAST_SEEN);
    assert_int_equal(q.page.limit, RFL_QUERY_LIMIT_MAX);
    assert_true(q.page.ascending);

    q = query("/links", "limit=all&after=0123456789abcdef");
    assert_true(q.page.by_key && q.page.unlimited && q.page.has_after);
    assert_int_equal(q.page.after_key, 0x0123456789abcdef);

    q = query("/links", "sort=bytes&after=7-0123456789ABCDEF");
    assert_int_equal(q.page.after_value, 7);
    assert_false(q.page.by_key);

    q = query("/links", "after=");
    assert_false(q.page.has_after);
}


static void
test_periods(void **state)
{
    rfl_query_t  q;

    q = query("/", "");
    assert_false(q.period.has_from);

    q = query("/links", "from=2026-11-20T22%3A48%3a00%2B01:00"
                        "&to=2026-11-20T23:00:00z&compare=previous");
    assert_int_equal(q.period.from, 1795214880 - HOUR);
    assert_int_equal(q.period.to, 1795215600);
    assert_true(q.period.compare);

    /* a "+" stays one: offsets are typed so */

    q = query("/", "from=2026-11-20T22:48:00+01:00");
    assert_int_equal(q.period.from, 1795214880 - HOUR);
    assert_int_equal(q.period.to, NOW + 1);
}


static void
check_history(const char *args, rfl_unit_t unit, uint64_t from, uint64_t to)
{
    rfl_query_t  q;

    q = query("/history", args);

    assert_int_equal(q.unit, unit);
    assert_true(q.period.has_from);
    assert_int_equal(q.period.from, from);
    assert_int_equal(q.period.to, to);
}


static void
test_histories(void **state)
{
    uint64_t  midnight;

    midnight = NOW - NOW % DAY + DAY;

    check_history("", RFL_UNIT_DAY, midnight - 90 * DAY, midnight);
    check_history("unit=day", RFL_UNIT_DAY, midnight - 90 * DAY, midnight);
    check_history("unit=hour", RFL_UNIT_HOUR, 1795215600 - 7 * DAY,
                  1795215600);
    check_history("unit=minute", RFL_UNIT_MINUTE, NOW + 60 - DAY, NOW + 60);

    check_history("unit=minute&to=1970-01-01T00:00:01Z", RFL_UNIT_MINUTE, 0,
                  60);
    check_history("unit=hour&from=2026-11-20T22:48:00Z"
                  "&to=2026-11-20T22:48:01Z",
                  RFL_UNIT_HOUR, 1795212000, 1795215600);
    check_history("from=1970-01-01&to=9999-12-31T23:59:59Z&unit=minute",
                  RFL_UNIT_MINUTE, 0, 253402300800);
    check_history("from=1970-01-01", RFL_UNIT_DAY, 0, midnight);
}


/* RFC 9110, 12.5.1: path, format=, Accept and what they come to. */

static void
test_negotiation(void **state)
{
    size_t               i;
    rfl_rc_t             rc;
    rfl_query_t          q;
    rfl_query_error_t    error;
    rfl_query_request_t  request;

    static const struct {
        const char  *path;
        const char  *args;
        const char  *accept;
        int          format;             /* -1: 406 */
    } rows[] = {
        { "/", "", "", RFL_FORMAT_JSON },
        { "/", "", " ", RFL_FORMAT_JSON },
        { "/", "", "*/*", RFL_FORMAT_JSON },
        { "/", "", "text/html", RFL_FORMAT_HTML },
        { "/", "", "TEXT/HTML", RFL_FORMAT_HTML },
        { "/", "", "text/html, */*", RFL_FORMAT_HTML },
        { "/", "", "text/html;q=0.8, */*", RFL_FORMAT_JSON },
        { "/", "", "text/html,application/json", RFL_FORMAT_JSON },
        { "/", "", "text/*,application/*", RFL_FORMAT_JSON },
        { "/", "", "text/*", RFL_FORMAT_HTML },
        { "/", "", "text/csv", RFL_FORMAT_CSV },
        { "/", "", "text/csv, */*;q=0.1", RFL_FORMAT_CSV },
        { "/", "", "text/plain", -1 },
        { "/", "", "*/*;q=0", -1 },
        { "/", "", "application/json;q=0,*/*", RFL_FORMAT_HTML },
        { "/", "", "text/html ; level=1 ; q=0.5 , application/json;q=0.4",
          RFL_FORMAT_HTML },
        { "/", "", "text/html;q=0.501,application/json;q=0.5",
          RFL_FORMAT_HTML },
        { "/", "", "text/html;q=1.5,application/json;q=0.5",
          RFL_FORMAT_HTML },
        { "/", "", "text/html;q=2,application/json;q=0.5",
          RFL_FORMAT_JSON },
        { "/", "", "text/html;q=x,application/json;q=0.001",
          RFL_FORMAT_JSON },
        { "/", "", "text/html;Q=0,application/json;q=0.001",
          RFL_FORMAT_JSON },
        { "/", "", ",,;q=1,/,html,text,text/html", RFL_FORMAT_HTML },
        { "/", "", "html", -1 },
        { "/", "format=json", "text/html", RFL_FORMAT_JSON },
        { "/", "format=html", "application/json", RFL_FORMAT_HTML },
        { "/", "format=csv", "*/*", RFL_FORMAT_CSV },
        { "/links", "", "text/html", -1 },
        { "/links", "", "text/html,*/*;q=0.1", RFL_FORMAT_JSON },
        { "/links", "", "text/*", RFL_FORMAT_CSV },
        { "/links", "format=csv", "", RFL_FORMAT_CSV },
        { "/links", "format=html", "", -1 },
        { "/events", "", "text/event-stream", RFL_FORMAT_JSON }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&request, 0, sizeof(rfl_query_request_t));
        request.path = rfl_cstr(rows[i].path);
        request.args = rfl_cstr(rows[i].args);
        request.accept = rfl_str(guard_copy(rows[i].accept,
                                            strlen(rows[i].accept)),
                                 strlen(rows[i].accept));
        request.html = 1;
        request.now = NOW;

        rc = rfl_query_read(&q, &request, &error);

        if (rows[i].format < 0 ? rc == RFL_OK || error.status != 406
                               : rc != RFL_OK
                                 || (int) q.format != rows[i].format)
        {
            fail_msg("%s?%s \"%s\"", rows[i].path, rows[i].args,
                     rows[i].accept);
        }

        /* a server without a page has none to give */

        request.html = 0;

        if (rfl_query_read(&q, &request, &error) == RFL_OK) {
            assert_int_not_equal(q.format, RFL_FORMAT_HTML);
        }

        guard_free_all();
    }
}


static void
test_rows_of_sums(void **state)
{
    rfl_query_t  q;

    q = query("/hosts", "");
    assert_int_equal(q.kind, RFL_QUERY_HOSTS);
    assert_int_equal(q.page.field, RFL_CELL_CLICKS);
    assert_false(q.page.ascending || q.page.name_sort);

    q = query("/labels", "sort=name");
    assert_int_equal(q.kind, RFL_QUERY_LABELS);
    assert_true(q.page.ascending && q.page.name_sort);

    q = query("/channels", "sort=name&order=desc&after=n6162");
    assert_false(q.page.ascending);
    assert_true(rfl_str_eq(rfl_str(q.page.after_name, q.page.after_name_len),
                           rfl_cstr("ab")));

    q = query("/partners", "limit=all&after=n");
    assert_true(q.page.name_sort && q.page.has_after);
    assert_int_equal(q.page.after_name_len, 0);

    /* CSV has no cursor */

    q = query("/partners", "format=csv");
    assert_true(q.page.unlimited && q.page.name_sort);
    q = query("/links", "format=csv");
    assert_true(q.page.unlimited && q.page.by_key);
    q = query("/links", "format=csv&sort=clicks");
    assert_int_equal(q.page.limit, RFL_QUERY_LIMIT_MAX);
    q = query("/links", "format=csv&limit=5");
    assert_int_equal(q.page.limit, 5);
    assert_false(q.page.key_sort);
}


/* The longest value, and one byte more. */

static void
test_length_of_a_value(void **state)
{
    char               args[RFL_QUERY_VALUE_MAX + 32];
    rfl_query_t        q;
    rfl_query_error_t  error;

    (void) snprintf(args, sizeof(args), "limit=%0*d", RFL_QUERY_VALUE_MAX, 1);
    assert_int_equal(parse(&q, "/links", args, 0, &error), RFL_INVALID);

    (void) snprintf(args, sizeof(args), "format=%0*d",
                    RFL_QUERY_VALUE_MAX, 1);
    assert_int_equal(parse(&q, "/links", args, 0, &error), RFL_INVALID);
    assert_int_equal(error.status, 406);

    (void) snprintf(args, sizeof(args), "format=%0*d",
                    RFL_QUERY_VALUE_MAX + 1, 1);
    assert_int_equal(parse(&q, "/links", args, 0, &error), RFL_INVALID);
    assert_int_equal(error.status, 400);

    (void) snprintf(args, sizeof(args), "q=%0*d", RFL_FILTER_MAX, 1);
    assert_int_equal(parse(&q, "/links", args, 0, &error), RFL_OK);

    (void) snprintf(args, sizeof(args), "q=%0*d", RFL_FILTER_MAX + 1, 1);
    assert_int_equal(parse(&q, "/links", args, 0, &error), RFL_INVALID);
    assert_string_equal(error.text, "q: text of at most 512 bytes is wanted");
}


/* Names and values of any bytes: a verdict, and a text that ends. */

static void
test_random_bytes(void **state)
{
    u_char            *text;
    size_t             k, len;
    unsigned           i;
    rfl_rc_t           rc;
    rfl_query_t        q;
    rfl_query_error_t  error;

    static const char  parts[] = "from=to&limit%32sort=key+after-/\x80\xff"
                                 "2026-11-20T22:48:00Z0123456789abcdef";

    srandom(5);

    for (i = 0; i < 20000; i++) {
        len = (size_t) random() % 60;
        text = malloc(len + 1);
        assert_non_null(text);

        for (k = 0; k < len; k++) {
            text[k] = (u_char) parts[(size_t) random() % (sizeof(parts) - 1)];
        }

        rc = rfl_query_parse(&q, rfl_cstr("/links"),
                             rfl_str(guard_copy(text, len), len), 0, NOW,
                             &error);

        assert_true(rc == RFL_OK || (rc == RFL_INVALID
                                     && (error.status == 400
                                         || error.status == 406)));

        guard_free_all();
        free(text);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_sources_refused),
        cmocka_unit_test(test_paths_of_several_registries),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_negotiation),
        cmocka_unit_test(test_rows_of_sums),
        cmocka_unit_test(test_length_of_a_value),
        cmocka_unit_test(test_random_bytes),
    };

    return cmocka_run_group_tests_name("rfl_query", tests, NULL, NULL);
}
