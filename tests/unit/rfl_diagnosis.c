/*
 * Windows of page requests and what is said about them.  Requests are numbers
 * added to a stripe, as rfl_record() adds them.
 */

#include "rfl_diagnosis.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>


#define PAGES  RFL_DIAGNOSIS_PAGES

#define CLICK(outcome)    (RFL_ZONE_CLICKS + RFL_OUTCOME_##outcome)
#define OUTCOME(outcome)  (RFL_ZONE_OUTCOMES + RFL_OUTCOME_##outcome)
#define TAG               (RFL_ZONE_EVIDENCE + RFL_EVIDENCE_TAG)
#define EXACT             (RFL_ZONE_EVIDENCE + RFL_EVIDENCE_EXACT)

static const u_char  uuid[16] = "0123456789abcde";


typedef struct {
    char              dir[64];
    rfl_registry_t   *registry;
    rfl_counters_t   *counters;
    rfl_diagnosis_t  *d;
} fixture_t;


static rfl_counters_t *
open_counters(fixture_t *f, const char *name)
{
    char             path[128];
    rfl_counters_t  *c;

    (void) snprintf(path, sizeof(path), "%s/%s", f->dir, name);

    assert_int_equal(rfl_counters_open(&c, path, uuid, 1, 100000,
                                       RFL_COUNTERS_CREATE, 1, NULL),
                     RFL_OK);

    return c;
}


static int
setup(void **state)
{
    fixture_t    *f;
    rfl_error_t   err;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(f->dir));

    if (rfl_registry_open(&f->registry, f->dir, RFL_STORE_CREATE, 64 << 20,
                          &err)
        != RFL_OK)
    {
        fail_msg("%s", err.text);
    }

    f->counters = open_counters(f, "counters");

    f->d = rfl_diagnosis_create();
    assert_non_null(f->d);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    char        command[96];
    fixture_t  *f = *state;

    rfl_diagnosis_free(f->d);
    rfl_counters_close(f->counters);
    rfl_registry_close(f->registry);

    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);

    free(f);

    return 0;
}


static void
begin(fixture_t *f)
{
    rfl_error_t  err;

    if (rfl_registry_begin(f->registry, 1, &err) != RFL_OK) {
        fail_msg("%s", err.text);
    }
}


/* In a begun transaction: an exact link of its own at target. */

static uint64_t
add(fixture_t *f, const char *target)
{
    char             source[64];
    rfl_link_t       link;
    rfl_error_t      err;
    static unsigned  n;

    (void) snprintf(source, sizeof(source), "https://blog.example/%u", n++);

    memset(&link, 0, sizeof(rfl_link_t));
    link.match_type = RFL_MATCH_EXACT;
    link.source = rfl_cstr(source);
    link.target = rfl_cstr(target);

    if (rfl_registry_add(f->registry, &link, 1, &err) != RFL_OK) {
        fail_msg("%s: %s", target, err.text);
    }

    return link.key;
}


static void
commit(fixture_t *f)
{
    rfl_error_t  err;

    if (rfl_registry_commit(f->registry, &err) != RFL_OK) {
        fail_msg("%s", err.text);
    }
}


static void
grow(fixture_t *f, unsigned field, uint64_t n)
{
    rfl_counters_add(&f->counters->stripes[7].n[field], n);
}


static void
note(fixture_t *f, const char *surt)
{
    rfl_counters_note_host(f->counters, rfl_cstr(surt));
}


static uint32_t
turn(fixture_t *f)
{
    rfl_diagnosis_turn(f->d, f->registry, f->counters);

    return f->counters->header->diagnosis;
}


/* n direct visits; two links' clicks of each ten are left to the caller. */

static void
visits(fixture_t *f, uint64_t n)
{
    grow(f, OUTCOME(DIRECT), n);
    grow(f, CLICK(DIRECT), n);
}


/* So healthy that there is nothing to say. */

static void
healthy(fixture_t *f)
{
    visits(f, PAGES - 1);
    grow(f, OUTCOME(MATCHED), 1);
    grow(f, CLICK(MATCHED), 1);
    grow(f, EXACT, 1);
}


static void
a_verdict_takes_all_page_requests_of_a_window(void **state)
{
    fixture_t  *f = *state;

    /* what was counted before the window began says nothing */

    visits(f, PAGES);
    assert_int_equal(turn(f), 0);

    visits(f, PAGES - 1);
    assert_int_equal(turn(f), 0);

    /* requests that are no clicks are none of them */

    grow(f, OUTCOME(DIRECT), PAGES);
    grow(f, OUTCOME(INTERNAL), PAGES);
    grow(f, RFL_ZONE_INTERNAL_BARE, PAGES);
    assert_int_equal(turn(f), 0);

    visits(f, 1);
    assert_int_equal(turn(f), RFL_DIAGNOSIS_NO_REFERER);
}


static void
a_verdict_lasts_until_a_window_says_otherwise(void **state)
{
    fixture_t  *f = *state;

    (void) turn(f);

    visits(f, PAGES);
    assert_int_equal(turn(f), RFL_DIAGNOSIS_NO_REFERER);
    assert_int_equal(turn(f), RFL_DIAGNOSIS_NO_REFERER);

    visits(f, PAGES - 2);
    grow(f, OUTCOME(UNREGISTERED), 1);
    grow(f, CLICK(UNREGISTERED), 1);
    assert_int_equal(turn(f), RFL_DIAGNOSIS_NO_REFERER);

    visits(f, 1);
    assert_int_equal(turn(f), 0);

    /* the window behind it begins anew */

    visits(f, PAGES - 1);
    assert_int_equal(turn(f), 0);
    visits(f, 1);
    assert_int_equal(turn(f), RFL_DIAGNOSIS_NO_REFERER);
}


typedef struct {
    const char  *name;
    unsigned     fields[4];              /* each grows by one; 99: none */
    unsigned     has_referer;
} referer_t;


static void
one_request_with_a_referer_is_enough(void **state)
{
    size_t                  i, k;
    uint32_t                wanted;
    fixture_t              *f = *state;
    static const referer_t  rows[] = {
        { "direct", { OUTCOME(DIRECT), CLICK(DIRECT), 99, 99 }, 0 },
        { "hidden", { OUTCOME(HIDDEN), CLICK(HIDDEN), 99, 99 }, 0 },
        { "skipped", { OUTCOME(SKIPPED), 99, 99, 99 }, 0 },
        { "internal", { OUTCOME(INTERNAL), 99, 99, 99 }, 1 },
        { "internal by Fetch Metadata",
          { OUTCOME(INTERNAL), RFL_ZONE_INTERNAL_BARE, 99, 99 }, 0 },
        { "malformed", { OUTCOME(MALFORMED), 99, 99, 99 }, 1 },
        { "an unregistered image", { OUTCOME(UNREGISTERED), 99, 99, 99 }, 1 },
        { "ambiguous", { OUTCOME(AMBIGUOUS), CLICK(AMBIGUOUS), 99, 99 }, 1 },
        { "by page", { OUTCOME(MATCHED), CLICK(MATCHED), EXACT, 99 }, 1 },
        { "by tag", { OUTCOME(MATCHED), CLICK(MATCHED), TAG, 99 }, 0 }
    };

    (void) turn(f);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {

        visits(f, PAGES);

        for (k = 0; k < 4 && rows[i].fields[k] != 99; k++) {
            grow(f, rows[i].fields[k], 1);
        }

        wanted = rows[i].has_referer ? 0 : RFL_DIAGNOSIS_NO_REFERER;

        if (turn(f) != wanted) {
            fail_msg("%s", rows[i].name);
        }
    }
}


static void
a_cache_is_named_when_nearly_all_clicks_come_to_fill_it(void **state)
{
    size_t                 i;
    uint32_t               wanted;
    fixture_t             *f = *state;
    static const unsigned  rows[][2] = {
        /* of 1,000 clicks: to fill a cache; the verdict */
        { PAGES, 1 },
        { PAGES - PAGES / RFL_DIAGNOSIS_STRAY, 1 },
        { PAGES - PAGES / RFL_DIAGNOSIS_STRAY - 1, 0 },
        { PAGES / 2, 0 },
        { PAGES, 1 },
        { 0, 0 }
    };

    (void) turn(f);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        healthy(f);
        grow(f, RFL_ZONE_EDGE_CLICKS, rows[i][0]);

        wanted = rows[i][1] ? RFL_DIAGNOSIS_EDGE_CACHE : 0;

        if (turn(f) != wanted) {
            fail_msg("%u of %u", rows[i][0], PAGES);
        }
    }
}


typedef struct {
    const char  *name;
    const char  *targets[4];
    const char  *hosts[4];
    unsigned     verdict;
} hosts_t;


static void
hosts_are_compared_with_those_of_the_targets(void **state)
{
    size_t                i, k;
    uint64_t              keys[4];
    uint32_t              wanted;
    fixture_t            *f = *state;
    static const hosts_t  rows[] = {

        { "another host", { "https://shop.example/a" },
          { "example,origin" }, 1 },

        { "the same host", { "https://www.SHOP.example:8443/a" },
          { "example,shop" }, 0 },

        { "one of several is a target's",
          { "https://a.example/", "https://shop.example/" },
          { "example,origin", "example,shop", "192.0.2.1" }, 0 },

        { "none of several",
          { "https://a.example/", "https://shop.example/" },
          { "example,origin", "192.0.2.1" }, 1 },

        { "a host below is another one", { "https://shop.example/" },
          { "example,shop,m" }, 1 },

        { "a target that is a path fits any host",
          { "https://shop.example/", "/pricing" }, { "example,origin" }, 0 },

        { "links without a target say nothing",
          { "https://shop.example/", "" }, { "example,origin" }, 1 },

        { "no target at all", { "", "" }, { "example,origin" }, 0 },

        { "no links", { NULL }, { "example,origin" }, 0 },

        { "IDN", { "https://b\xc3\xbc" "cher.example/" },
          { "example,xn--bcher-kva" }, 0 },

        { "an address", { "https://[2001:DB8::0:1]/" },
          { "[2001:db8::1]" }, 0 }
    };

    (void) turn(f);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {

        begin(f);

        for (k = 0; k < 4 && rows[i].targets[k] != NULL; k++) {
            keys[k] = add(f, rows[i].targets[k]);
        }

        commit(f);

        for (k = 0; k < RFL_DIAGNOSIS_REST; k++) {
            (void) turn(f);
        }

        healthy(f);

        for (k = 0; k < 4 && rows[i].hosts[k] != NULL; k++) {
            note(f, rows[i].hosts[k]);
        }

        wanted = rows[i].verdict ? RFL_DIAGNOSIS_OTHER_HOST : 0;

        if (turn(f) != wanted) {
            fail_msg("%s", rows[i].name);
        }

        begin(f);

        for (k = 0; k < 4 && rows[i].targets[k] != NULL; k++) {
            assert_int_equal(rfl_registry_remove(f->registry, keys[k], NULL),
                             RFL_OK);
        }

        commit(f);
    }
}


/* The window's hosts, not those of the one before. */

static void
hosts_are_forgotten_when_a_window_ends(void **state)
{
    fixture_t  *f = *state;

    begin(f);
    (void) add(f, "https://shop.example/");
    commit(f);

    note(f, "example,shop");
    (void) turn(f);

    healthy(f);
    note(f, "example,origin");
    assert_int_equal(turn(f), RFL_DIAGNOSIS_OTHER_HOST);

    healthy(f);
    note(f, "example,shop");
    assert_int_equal(turn(f), 0);

    healthy(f);
    note(f, "example,origin");
    assert_int_equal(turn(f), RFL_DIAGNOSIS_OTHER_HOST);

    /* nothing sampled is nothing known */

    healthy(f);
    assert_int_equal(turn(f), RFL_DIAGNOSIS_OTHER_HOST);
}


static void
too_many_hosts_make_no_verdict(void **state)
{
    char        text[RFL_HOST_MAX + 16];
    unsigned    i;
    fixture_t  *f = *state;

    begin(f);

    for (i = 0; i < RFL_DIAGNOSIS_HOSTS; i++) {
        (void) snprintf(text, sizeof(text), "https://h%u.example/", i);
        (void) add(f, text);
        (void) add(f, text);
    }

    commit(f);

    (void) turn(f);
    healthy(f);
    note(f, "example,origin");
    assert_int_equal(turn(f), RFL_DIAGNOSIS_OTHER_HOST);

    begin(f);
    (void) add(f, "https://one-more.example/");
    commit(f);

    for (i = 0; i < RFL_DIAGNOSIS_REST; i++) {
        (void) turn(f);
    }

    healthy(f);
    note(f, "example,origin");
    assert_int_equal(turn(f), 0);
}


static void
a_target_that_cannot_be_sampled_makes_no_verdict(void **state)
{
    char        text[128];
    int         len, fits;
    fixture_t  *f = *state;

    /* "example,", then the label: at the size of a noted name, and beyond */

    for (fits = 1; fits >= 0; fits--) {

        len = (int) sizeof(f->counters->hosts[0].name) - 8 - fits;

        begin(f);
        (void) snprintf(text, sizeof(text), "https://%.*s.%.*s.example/",
                        30, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", len - 30,
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        (void) add(f, text);
        commit(f);

        rfl_diagnosis_free(f->d);
        f->d = rfl_diagnosis_create();
        (void) turn(f);

        healthy(f);
        note(f, "example,origin");
        assert_int_equal(turn(f), fits ? RFL_DIAGNOSIS_OTHER_HOST : 0);
    }
}


static void
a_full_sample_makes_no_verdict(void **state)
{
    char        text[32];
    unsigned    i, n;
    fixture_t  *f = *state;

    begin(f);
    (void) add(f, "https://shop.example/");
    commit(f);

    (void) turn(f);

    for (n = RFL_COUNTERS_HOSTS - 1; n <= RFL_COUNTERS_HOSTS; n++) {

        for (i = 0; i < n; i++) {
            (void) snprintf(text, sizeof(text), "example,h%u", i);
            note(f, text);
        }

        healthy(f);
        assert_int_equal(turn(f), n < RFL_COUNTERS_HOSTS
                                  ? RFL_DIAGNOSIS_OTHER_HOST : 0);
    }
}


static void
a_large_registry_is_read_in_turns(void **state)
{
    unsigned    i;
    fixture_t  *f = *state;

    begin(f);

    for (i = 0; i < RFL_DIAGNOSIS_LINKS; i++) {
        (void) add(f, "https://shop.example/");
    }

    (void) add(f, "https://last.example/");
    commit(f);

    /* begins the window, and reads a part */
    (void) turn(f);

    /* the other part, with the last link: what it names is known */

    healthy(f);
    note(f, "example,last");
    f->counters->header->diagnosis = RFL_DIAGNOSIS_OTHER_HOST;
    assert_int_equal(turn(f), 0);

    /* one that has been read in part says nothing */

    rfl_diagnosis_free(f->d);
    f->d = rfl_diagnosis_create();
    f->counters->header->diagnosis = RFL_DIAGNOSIS_OTHER_HOST;
    rfl_diagnosis_turn(f->d, NULL, f->counters);

    healthy(f);
    note(f, "example,shop");
    assert_int_equal(turn(f), RFL_DIAGNOSIS_OTHER_HOST);

    healthy(f);
    note(f, "example,shop");
    assert_int_equal(turn(f), 0);
}


static void
a_registry_that_changes_is_read_again_after_a_rest(void **state)
{
    unsigned    i;
    fixture_t  *f = *state;

    begin(f);
    (void) add(f, "https://shop.example/");
    commit(f);

    (void) turn(f);

    begin(f);
    (void) add(f, "https://origin.example/");
    commit(f);

    for (i = 1; i < RFL_DIAGNOSIS_REST; i++) {
        healthy(f);
        note(f, "example,origin");
        assert_int_equal(turn(f), RFL_DIAGNOSIS_OTHER_HOST);
    }

    healthy(f);
    note(f, "example,origin");
    assert_int_equal(turn(f), 0);
}


static void
without_a_registry_the_verdict_on_hosts_stays(void **state)
{
    fixture_t  *f = *state;

    begin(f);
    (void) add(f, "https://shop.example/");
    commit(f);

    (void) turn(f);
    healthy(f);
    note(f, "example,origin");
    assert_int_equal(turn(f), RFL_DIAGNOSIS_OTHER_HOST);

    visits(f, PAGES);
    note(f, "example,shop");
    rfl_diagnosis_turn(f->d, NULL, f->counters);
    assert_int_equal(f->counters->header->diagnosis,
                     RFL_DIAGNOSIS_OTHER_HOST | RFL_DIAGNOSIS_NO_REFERER);

    /* opened again it is read at once */

    healthy(f);
    note(f, "example,shop");
    assert_int_equal(turn(f), 0);
}


static void
another_counter_file_begins_a_window(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *first;

    (void) turn(f);
    visits(f, PAGES - 1);

    first = f->counters;
    f->counters = open_counters(f, "another");

    visits(f, PAGES);
    assert_int_equal(turn(f), 0);
    visits(f, PAGES);
    assert_int_equal(turn(f), RFL_DIAGNOSIS_NO_REFERER);

    rfl_diagnosis_turn(f->d, f->registry, NULL);

    rfl_counters_close(first);
}


static void
the_texts_begin_with_the_fact_and_name_the_page(void **state)
{
    unsigned                   i;
    static const char  *const  facts[] = {
        "no Referer arrives: ",
        "the host of the requests is never a target's host: ",
        "only requests that fill a cache arrive: "
    };

    for (i = 0; i < RFL_DIAGNOSIS_BITS; i++) {
        assert_int_equal(strncmp(rfl_diagnosis_texts[i], facts[i],
                                 strlen(facts[i])),
                         0);
        assert_non_null(strstr(rfl_diagnosis_texts[i], "docs/cdn.md"));
    }
}


static void
requests_of_a_shared_cache_are_known(void **state)
{
    size_t  i;

    static const struct {
        rfl_edge_t          edge;
        rfl_edge_request_t  request;
    } rows[] = {
        { RFL_EDGE_NONE, { .user_agent = rfl_string("Mozilla/5.0") } },
        { RFL_EDGE_NONE, { .cookie = rfl_string("id=1") } },

        { RFL_EDGE_CACHE, { .user_agent = rfl_string("Amazon CloudFront"),
                            .cookie = rfl_string("id=1") } },
        { RFL_EDGE_NONE, { .user_agent = rfl_string("Amazon CloudFronts") } },

        { RFL_EDGE_CACHE, { .via = rfl_string("1.1 cache.example"),
                            .cookie = rfl_string("id=1") } },
        { RFL_EDGE_CACHE, { .cdn_loop = rfl_string("Fastly, Fastly"),
                            .via = rfl_string("1.1 varnish"),
                            .x_varnish = rfl_string("7"),
                            .cookie = rfl_string("id=1") } },

        { RFL_EDGE_CLOUDFLARE, { .cdn_loop =
                                     rfl_string("cloudflare; loops=1") } },
        { RFL_EDGE_CLOUDFLARE, { .cdn_loop = rfl_string("Fastly, CloudFlare"),
                                 .via = rfl_string("1.1 x") } },
        { RFL_EDGE_CACHE, { .cdn_loop = rfl_string("cloudflar") } },

        { RFL_EDGE_CACHE, { .x_varnish = rfl_string("3") } },
        { RFL_EDGE_NONE, { .x_varnish = rfl_string("3"),
                           .cookie = rfl_string("id=1") } },
        { RFL_EDGE_CACHE, { .via = rfl_string("1.1 edge (Varnish/7.6)") } },
        { RFL_EDGE_NONE, { .via = rfl_string("1.1 edge (Varnish/7.6)"),
                           .cookie = rfl_string("id=1") } }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rfl_edge(&rows[i].request) != rows[i].edge) {
            fail_msg("row %zu", i);
        }
    }
}


/* Expires is given in seconds; now is 1,000. */

typedef struct {
    const char  *fields[3][2];
    uint64_t     expires;
    unsigned     cache;                  /* may keep it */
    unsigned     cloudflare;
} answer_t;


static const answer_t  answers[] = {

    { { { NULL } }, 0, 0, 0 },
    { { { "Content-Type", "text/html" } }, 0, 0, 0 },

    { { { "Cache-Control", "max-age=60" } }, 0, 1, 0 },
    { { { "cache-control", "MAX-AGE=\"60\"" } }, 0, 1, 0 },
    { { { "Cache-Control", "max-age=0" } }, 0, 0, 0 },
    { { { "Cache-Control", "max-age=" } }, 0, 0, 0 },
    { { { "Cache-Control", "max-age" } }, 0, 0, 0 },
    { { { "Cache-Control", "x-max-age=60" } }, 0, 0, 0 },
    { { { "Cache-Control", "public" } }, 0, 1, 0 },
    { { { "Cache-Control", "public, max-age=0, must-revalidate" } }, 0, 0, 0 },
    { { { "Cache-Control", "s-maxage=60" } }, 0, 1, 1 },
    { { { "Cache-Control", "max-age=0 , s-maxage = 60" } }, 0, 1, 1 },
    { { { "Cache-Control", "max-age=60, s-maxage=0" } }, 0, 0, 0 },
    { { { "Cache-Control", "private, max-age=60" } }, 0, 0, 0 },
    { { { "Cache-Control", "max-age=60,no-store" } }, 0, 0, 0 },
    { { { "Cache-Control", "no-cache,,max-age=60," } }, 0, 0, 0 },
    { { { "Cache-Control", "private=\"x, y\", max-age=60" } }, 0, 0, 0 },
    { { { "Cache-Control", "" } }, 0, 0, 0 },

    { { { "Cache-Control", "s-maxage=60" }, { "Cache-Control", "private" } },
      0, 0, 0 },

    { { { "Expires", "later" } }, 1001, 1, 0 },
    { { { "Expires", "now" } }, 1000, 0, 0 },
    { { { "Expires", "-1" } }, 0, 0, 0 },
    { { { "Expires", "later" }, { "Cache-Control", "max-age=0" } }, 1001, 0,
      0 },
    { { { "Expires", "earlier" }, { "Cache-Control", "public" } }, 1, 0, 0 },
    { { { "Expires", "later" }, { "Cache-Control", "must-revalidate" } }, 1001,
      1, 0 },

    { { { "CDN-Cache-Control", "max-age=60" },
        { "Cache-Control", "no-cache" } }, 0, 1, 1 },
    { { { "Surrogate-Control", "max-age=60" },
        { "Cache-Control", "private" } }, 0, 1, 1 },
    { { { "CDN-Cache-Control", "no-store" },
        { "Cache-Control", "s-maxage=60" }, { "Expires", "later" } }, 1001, 0,
      0 },

    { { { "Set-Cookie", "id=1" }, { "Cache-Control", "s-maxage=60" } }, 0, 0,
      0 }
};


static void
what_an_answer_allows_a_shared_cache(void **state)
{
    size_t             i, k;
    const answer_t    *row;
    rfl_edge_answer_t  answer;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        row = &answers[i];
        memset(&answer, 0, sizeof(rfl_edge_answer_t));

        for (k = 0; k < 3 && row->fields[k][0] != NULL; k++) {
            rfl_edge_field(&answer, rfl_cstr(row->fields[k][0]),
                           rfl_cstr(row->fields[k][1]));
        }

        if (rfl_edge_may_keep(RFL_EDGE_CACHE, &answer, row->expires, 1000)
            != (int) row->cache
            || rfl_edge_may_keep(RFL_EDGE_CLOUDFLARE, &answer, row->expires,
                                 1000)
               != (int) row->cloudflare
            || rfl_edge_may_keep(RFL_EDGE_NONE, &answer, row->expires, 1000))
        {
            fail_msg("row %zu: %s", i, row->fields[0][1]);
        }
    }
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(a_verdict_takes_all_page_requests_of_a_window),
        test(a_verdict_lasts_until_a_window_says_otherwise),
        test(one_request_with_a_referer_is_enough),
        test(a_cache_is_named_when_nearly_all_clicks_come_to_fill_it),
        test(hosts_are_compared_with_those_of_the_targets),
        test(hosts_are_forgotten_when_a_window_ends),
        test(too_many_hosts_make_no_verdict),
        test(a_target_that_cannot_be_sampled_makes_no_verdict),
        test(a_full_sample_makes_no_verdict),
        test(a_large_registry_is_read_in_turns),
        test(a_registry_that_changes_is_read_again_after_a_rest),
        test(without_a_registry_the_verdict_on_hosts_stays),
        test(another_counter_file_begins_a_window),
        cmocka_unit_test(the_texts_begin_with_the_fact_and_name_the_page),
        cmocka_unit_test(requests_of_a_shared_cache_are_known),
        cmocka_unit_test(what_an_answer_allows_a_shared_cache)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
