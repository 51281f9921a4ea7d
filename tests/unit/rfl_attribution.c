/*
 * Which link a request is attributed to: a list of links, then rows of
 * request and wanted answer, each reasoned from the design's rules.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "rfl_attribution.h"
#include "guard.h"


typedef struct {
    rfl_match_type_t  match_type;
    const char       *source;
    const char       *target;
} entry_t;

typedef struct {
    const char       *referer;
    const char       *landing;
    rfl_outcome_t     outcome;
    rfl_evidence_t    evidence;
    int               link;          /* index in entries; -1: none; -2: group */
    int               other_landing;
} row_t;


#define EXACT     RFL_MATCH_EXACT
#define PREFIX    RFL_MATCH_PREFIX
#define HOST      RFL_MATCH_HOST
#define DOMAIN    RFL_MATCH_DOMAIN

#define MATCHED(evidence, link)                                               \
    RFL_OUTCOME_MATCHED, RFL_EVIDENCE_##evidence, link, 0
#define ELSEWHERE(evidence, link)                                             \
    RFL_OUTCOME_MATCHED, RFL_EVIDENCE_##evidence, link, 1
#define GROUP                                                                 \
    RFL_OUTCOME_AMBIGUOUS, RFL_EVIDENCE_NONE, -2, 0
#define NOTHING(outcome)                                                      \
    RFL_OUTCOME_##outcome, RFL_EVIDENCE_NONE, -1, 0


static const entry_t  entries[] = {
    /*  0 */ { EXACT, "https://blog.example/2024/launch", "/pricing" },
    /*  1 */ { EXACT, "https://blog.example/2024/other", "/features" },
    /*  2 */ { EXACT, "https://blog.example/2024/both", "/a" },
    /*  3 */ { EXACT, "https://blog.example/2024/both", "/b" },
    /*  4 */ { EXACT, "https://blog.example/2024/both2", "/a" },
    /*  5 */ { HOST, "news.example", "" },
    /*  6 */ { DOMAIN, "example.org", "" },
    /*  7 */ { DOMAIN, "deep.example.org", "" },
    /*  8 */ { PREFIX, "https://forum.example/topics", "" },
    /*  9 */ { PREFIX, "https://forum.example/topics/42", "/pricing" },
    /* 10 */ { EXACT, "https://forum.example/topics/42/reply", "" },
    /* 11 */ { EXACT, "https://one.example/page", "" },
    /* 12 */ { EXACT, "https://two.example/page1", "" },
    /* 13 */ { EXACT, "https://two.example/page2", "" },
    /* 14 */ { EXACT, "https://home.example/", "/pricing" },
    /* 15 */ { EXACT, "https://q.example/p", "/item?id=5" },
    /* 16 */ { EXACT, "https://q.example/p2", "/item" },
    /* 17 */ { EXACT, "https://q.example/p3", "https://shop.site/item" },
    /* 18 */ { HOST, "multi.example", "/a" },
    /* 19 */ { HOST, "multi.example", "/b" },
    /* 20 */ { HOST, "multi.example", "" },
    /* 21 */ { HOST, "pair.example", "/a" },
    /* 22 */ { HOST, "pair.example", "/b" },
    /* 23 */ { PREFIX, "https://root.example/", "" },
    /* 24 */ { EXACT, "https://mixed.example/page", "/pricing" },
    /* 25 */ { HOST, "mixed.example", "" },
    /* 26 */ { EXACT, "http://192.0.2.7/x", "" },
    /* 27 */ { EXACT, "https://three.example/p", "/a" },
    /* 28 */ { EXACT, "https://three.example/p", "" },
};


static const row_t  rows[] = {

    /* no Referer, no URL, our own */

    { "", "/pricing", NOTHING(DIRECT) },
    { "   ", "/pricing", NOTHING(DIRECT) },
    { "-", "/pricing", NOTHING(MALFORMED) },
    { "about:blank", "/pricing", NOTHING(MALFORMED) },
    { "ftp://blog.example/2024/launch", "/pricing", NOTHING(MALFORMED) },
    { "https://", "/pricing", NOTHING(MALFORMED) },
    { "https://shop.site/a", "/pricing", NOTHING(INTERNAL) },
    { "http://WWW.Shop.Site:8080/a", "/pricing", NOTHING(INTERNAL) },
    { "https://my.site/a", "/pricing", NOTHING(INTERNAL) },
    { "https://x.wild.site/a", "/pricing", NOTHING(INTERNAL) },
    { "https://wild.site/a", "/pricing", NOTHING(UNREGISTERED) },
    { "https://shop.site.evil.example/", "/", NOTHING(UNREGISTERED) },

    /* the registered page itself */

    { "https://blog.example/2024/launch", "/pricing", MATCHED(EXACT, 0) },
    { "http://WWW.blog.EXAMPLE./2024/launch/#c", "/pricing",
      MATCHED(EXACT, 0) },
    { "https://blog.example/2024/launch?utm_source=x", "/pricing",
      MATCHED(EXACT, 0) },
    { "https://blog.example/2024/launch", "/pricing?utm_source=x",
      MATCHED(EXACT, 0) },
    { "https://blog.example/2024/launch", "/pricing/", MATCHED(EXACT, 0) },
    { "https://blog.example/2024/launch", "/elsewhere", ELSEWHERE(EXACT, 0) },
    { "https://one.example/page", "/anything", MATCHED(EXACT, 11) },

    /* another page of a host with page links is another page's link */

    { "https://blog.example/2024/unknown", "/pricing",
      NOTHING(UNREGISTERED) },
    { "https://blog.example/2024/Launch", "/pricing",
      NOTHING(UNREGISTERED) },
    { "https://blog.example/2024/launch?page=2", "/pricing",
      NOTHING(UNREGISTERED) },

    /* several links at one page: the landing, else the group */

    { "https://blog.example/2024/both", "/a", MATCHED(EXACT, 2) },
    { "https://blog.example/2024/both", "/b", MATCHED(EXACT, 3) },
    { "https://blog.example/2024/both", "/c", GROUP },
    { "https://three.example/p", "/a", MATCHED(EXACT, 27) },
    { "https://three.example/p", "/b", MATCHED(EXACT, 28) },

    /* the origin only: host and landing */

    { "https://blog.example/", "/pricing", MATCHED(LANDING, 0) },
    { "https://blog.example", "/pricing", MATCHED(LANDING, 0) },
    { "https://blog.example/", "/features", MATCHED(LANDING, 1) },
    { "https://blog.example/", "/b", MATCHED(LANDING, 3) },
    { "https://blog.example/", "/a", GROUP },
    { "https://blog.example/", "/none", NOTHING(UNREGISTERED) },
    { "https://one.example/", "/anything", MATCHED(LANDING, 11) },
    { "https://two.example/", "/anything", GROUP },
    { "https://home.example/", "/pricing", MATCHED(LANDING, 14) },
    { "https://home.example/", "/other", NOTHING(UNREGISTERED) },
    { "https://home.example/?x=1", "/pricing", NOTHING(UNREGISTERED) },
    { "https://three.example/", "/b", MATCHED(LANDING, 28) },

    /* a target's query and host are needed; tracking and tags are not */

    { "https://q.example/", "/item?id=5", MATCHED(LANDING, 15) },
    { "https://q.example/", "/item?id=5&utm_medium=m", MATCHED(LANDING, 15) },
    { "https://q.example/", "/item?id=5&ref=p", MATCHED(LANDING, 15) },
    { "https://q.example/", "/item?ref=p&id=5", MATCHED(LANDING, 15) },
    { "https://q.example/", "/item?id=6", MATCHED(LANDING, 17) },
    { "https://q.example/", "/item", MATCHED(LANDING, 17) },
    { "https://q.example/", "/item/x", NOTHING(UNREGISTERED) },

    /* prefixes end at a segment */

    { "https://forum.example/topics", "/x", MATCHED(PREFIX, 8) },
    { "https://forum.example/topics/7", "/x", MATCHED(PREFIX, 8) },
    { "https://forum.example/topics?sort=new", "/x", MATCHED(PREFIX, 8) },
    { "https://forum.example/topicsx", "/x", NOTHING(UNREGISTERED) },
    { "https://forum.example/topics/42", "/pricing", MATCHED(PREFIX, 9) },
    { "https://forum.example/topics/42/7", "/pricing", MATCHED(PREFIX, 9) },
    { "https://forum.example/topics/42/7", "/x", ELSEWHERE(PREFIX, 9) },
    { "https://forum.example/topics/42/reply", "/x", MATCHED(EXACT, 10) },
    { "https://forum.example/topics/421", "/x", MATCHED(PREFIX, 8) },
    { "https://forum.example/", "/pricing", MATCHED(LANDING, 9) },
    { "https://forum.example/", "/x", GROUP },
    { "https://forum.example/topics/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
      "/x", MATCHED(PREFIX, 8) },
    { "https://root.example/any/page", "/x", MATCHED(PREFIX, 23) },
    { "https://root.example/", "/x", MATCHED(LANDING, 23) },

    /* whole hosts and domains */

    { "https://news.example/", "/x", MATCHED(HOST, 5) },
    { "https://news.example/story?id=1", "/x", MATCHED(HOST, 5) },
    { "https://sub.news.example/", "/x", NOTHING(UNREGISTERED) },
    { "https://example.org/", "/x", MATCHED(DOMAIN, 6) },
    { "https://a.example.org/p", "/x", MATCHED(DOMAIN, 6) },
    { "https://deep.example.org/p", "/x", MATCHED(DOMAIN, 7) },
    { "https://a.b.deep.example.org/", "/x", MATCHED(DOMAIN, 7) },
    { "https://notexample.org/", "/x", NOTHING(UNREGISTERED) },
    { "https://org/", "/x", NOTHING(UNREGISTERED) },
    { "https://a.b.c.d.e.f.g.h.i.j.example.org/", "/x", MATCHED(DOMAIN, 6) },

    /* the host's page links come before the host */

    { "https://mixed.example/page", "/x", ELSEWHERE(EXACT, 24) },
    { "https://mixed.example/", "/pricing", MATCHED(LANDING, 24) },
    { "https://mixed.example/", "/x", MATCHED(HOST, 25) },
    { "https://mixed.example/unknown", "/pricing", MATCHED(HOST, 25) },

    /* several links at one host */

    { "https://multi.example/p", "/a", MATCHED(HOST, 18) },
    { "https://multi.example/", "/b", MATCHED(HOST, 19) },
    { "https://multi.example/", "/c", MATCHED(HOST, 20) },
    { "https://pair.example/", "/a", MATCHED(HOST, 21) },
    { "https://pair.example/", "/c", GROUP },

    /* addresses have no domains and are not reversed */

    { "http://192.0.2.7/x", "/x", MATCHED(EXACT, 26) },
    { "http://7.2.0.192/x", "/x", NOTHING(UNREGISTERED) },

    { "https://unknown.example/page", "/x", NOTHING(UNREGISTERED) },
};


static char             dir[] = "/tmp/rfl-XXXXXX";
static rfl_registry_t  *registry;
static uint32_t         ids[sizeof(entries) / sizeof(entries[0])];


static int
setup(void **state)
{
    size_t       i;
    rfl_link_t   link;
    rfl_error_t  err;

    assert_non_null(mkdtemp(dir));
    assert_int_equal(rfl_registry_open(&registry, dir, RFL_STORE_CREATE,
                                       64 << 20, &err), RFL_OK);
    assert_int_equal(rfl_registry_begin(registry, 1, &err), RFL_OK);

    for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        memset(&link, 0, sizeof(rfl_link_t));
        link.match_type = entries[i].match_type;
        link.source = rfl_cstr(entries[i].source);
        link.target = rfl_cstr(entries[i].target);

        if (rfl_registry_add(registry, &link, 1, &err) != RFL_OK) {
            fail_msg("%s: %s", entries[i].source, err.text);
        }

        ids[i] = link.id;
    }

    assert_int_equal(rfl_registry_commit(registry, &err), RFL_OK);

    return 0;
}


static int
teardown(void **state)
{
    char  command[64];

    rfl_registry_close(registry);
    (void) snprintf(command, sizeof(command), "rm -rf %s", dir);

    return system(command);
}


static void
attribute(rfl_registry_t *from, const row_t *row, rfl_attribution_t *a,
    const rfl_trace_t *trace)
{
    rfl_request_t     request;
    rfl_own_hosts_t   own;

    static const rfl_str_t       tag = rfl_string("ref");
    static const rfl_names_t     tags = { &tag, 1 };
    static const rfl_own_host_t  hosts[] = {
        { rfl_string("my.site"), 0 },
        { rfl_string(".wild.site"), 1 }
    };

    own.hosts = hosts;
    own.n = 2;

    memset(&request, 0, sizeof(rfl_request_t));

    request.referer = rfl_str(guard_copy(row->referer, strlen(row->referer)),
                              strlen(row->referer));
    request.landing = rfl_str(guard_copy(row->landing, strlen(row->landing)),
                              strlen(row->landing));
    request.host = rfl_cstr("shop.site");
    request.own_hosts = &own;
    request.tag_names = &tags;

    rfl_attribute(from, &request, a, trace);

    guard_free_all();
}


static void
test_table(void **state)
{
    size_t             i;
    uint32_t           id;
    rfl_attribution_t  a;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        attribute(registry, &rows[i], &a, NULL);

        id = rows[i].link >= 0 ? ids[rows[i].link] : 0;

        if (a.outcome != rows[i].outcome || a.evidence != rows[i].evidence
            || (rows[i].link != -2 && a.id != id)
            || (rows[i].link == -2 && a.id == 0)
            || (int) a.other_landing != rows[i].other_landing
            || a.lookup_failed)
        {
            fail_msg("\"%s\" -> %s: outcome %d evidence %d id %u other %d, "
                     "wanted %d %d %u %d", rows[i].referer, rows[i].landing,
                     a.outcome, a.evidence, a.id, a.other_landing,
                     rows[i].outcome, rows[i].evidence, id,
                     rows[i].other_landing);
        }
    }
}


static void
test_group_is_the_one_the_links_share(void **state)
{
    rfl_group_t        group;
    rfl_attribution_t  a;

    static const row_t  row = { "https://blog.example/", "/a", GROUP };

    attribute(registry, &row, &a, NULL);

    assert_int_equal(rfl_registry_begin(registry, 0, NULL), RFL_OK);
    assert_int_equal(rfl_registry_group(registry, a.id, &group), RFL_OK);
    assert_int_equal(group.links, 2);
    assert_int_equal(group.kind, RFL_SLOT_LANDING);
    rfl_registry_end(registry);
}


static void
test_without_a_registry_is_a_lookup_error(void **state)
{
    rfl_attribution_t  a;

    static const row_t  external = { "https://blog.example/", "/a", GROUP };
    static const row_t  internal = { "https://shop.site/", "/a", GROUP };

    attribute(NULL, &external, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_UNREGISTERED);
    assert_true(a.lookup_failed);

    attribute(NULL, &internal, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_INTERNAL);
    assert_false(a.lookup_failed);
}


static void
count_step(void *data, const char *text)
{
    assert_true(strlen(text) > 0);
    ++*(int *) data;
}


static void
test_explaining_changes_no_answer(void **state)
{
    int                steps;
    size_t             i;
    rfl_trace_t        trace;
    rfl_attribution_t  with, without;

    trace.step = count_step;
    trace.data = &steps;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        steps = 0;
        attribute(registry, &rows[i], &with, &trace);
        attribute(registry, &rows[i], &without, NULL);

        assert_true(steps > 0);
        assert_int_equal(with.outcome, without.outcome);
        assert_int_equal(with.evidence, without.evidence);
        assert_int_equal(with.id, without.id);
        assert_int_equal(with.other_landing, without.other_landing);
    }
}


static void
test_a_landing_beyond_the_limit_is_no_target(void **state)
{
    row_t              row = { "https://blog.example/2024/launch", NULL,
                               ELSEWHERE(EXACT, 0) };
    char              *landing;
    rfl_attribution_t  a;

    landing = malloc(RFL_URL_MAX + 2);
    assert_non_null(landing);
    memset(landing, 'a', RFL_URL_MAX + 1);
    landing[0] = '/';
    landing[RFL_URL_MAX + 1] = '\0';
    row.landing = landing;

    attribute(registry, &row, &a, NULL);
    assert_int_equal(a.id, ids[0]);
    assert_true(a.other_landing);

    landing[RFL_URL_MAX] = '\0';
    attribute(registry, &row, &a, NULL);
    assert_int_equal(a.id, ids[0]);
    assert_true(a.other_landing);

    free(landing);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_group_is_the_one_the_links_share),
        cmocka_unit_test(test_without_a_registry_is_a_lookup_error),
        cmocka_unit_test(test_explaining_changes_no_answer),
        cmocka_unit_test(test_a_landing_beyond_the_limit_is_no_target),
    };

    return cmocka_run_group_tests_name("rfl_attribution", tests, setup,
                                       teardown);
}
