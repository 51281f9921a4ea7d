/*
 * What was decided lately: the table alone, and random requests over registries
 * that change all the time, each decided with the table and without it.  Not
 * one answer may differ.
 */

#include "rfl_attribution.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


#define MAP_SIZE  ((size_t) 64 << 20)

#define ROUNDS    3000
#define ASKED     20             /* requests between two changes */
#define SITES     2


typedef struct {
    char             path[64];
    rfl_registry_t  *reader;
    rfl_registry_t  *writer;     /* another handle, as the API's thread has */
    rfl_patterns_t  *patterns;
    rfl_recent_t    *recent;
    uint64_t         keys[64];
    size_t           nkeys;
} site_t;


static void make_question(rfl_recent_question_t *q, const char *referer,
    const char *landing);
static rfl_recent_answer_t answer_of(uint32_t id);
static rfl_rc_t ask(const rfl_recent_t *r, const rfl_recent_question_t *q,
    uint64_t snapshot, rfl_recent_place_t *place, rfl_recent_answer_t *answer);
static rfl_rc_t ask_for(const rfl_recent_t *r, const char *name, unsigned i,
    uint64_t snapshot, rfl_recent_place_t *place, rfl_recent_answer_t *answer);
static void keep(rfl_recent_t *r, const char *name, unsigned i,
    uint64_t snapshot);
static int is_kept(const rfl_recent_t *r, const char *name, unsigned i,
    uint64_t snapshot);

static void site_open(site_t *site);
static void site_close(site_t *site);
static void site_replace(site_t *site, const site_t *by);
static void site_change(site_t *site);
static void site_ask(site_t *site);
static void make_request(rfl_request_t *request, site_t *site);
static void assert_same(const rfl_request_t *request,
    const rfl_attribution_t *a, const rfl_attribution_t *b);
static void remove_dir(const char *path);
static unsigned roll(unsigned n);
static const char *pick(const char *const *texts, size_t n);

#define PICK(texts)  pick(texts, sizeof(texts) / sizeof(texts[0]))


static uint32_t  seed = 1;


static void
test_an_answer_is_of_one_snapshot(void **state)
{
    rfl_recent_t           *r;
    rfl_recent_place_t      place;
    rfl_recent_answer_t     answer, kept;
    rfl_recent_question_t   q;

    (void) state;

    r = rfl_recent_create();
    assert_non_null(r);

    make_question(&q, "https://blog.example/a", "/x");
    kept = answer_of(7);

    assert_int_equal(ask(r, &q, 0, &place, &answer),
                     RFL_NOT_FOUND);

    rfl_recent_keep(r, &place, 10, kept);

    assert_int_equal(ask(r, &q, 10, &place, &answer), RFL_OK);
    assert_memory_equal(&answer, &kept, sizeof(answer));
    assert_int_equal(ask(r, &q, 9, &place, &answer),
                     RFL_NOT_FOUND);
    assert_int_equal(ask(r, &q, 11, &place, &answer),
                     RFL_NOT_FOUND);

    /* the same number in another environment */

    rfl_recent_forget(r);
    assert_int_equal(ask(r, &q, 10, &place, &answer),
                     RFL_NOT_FOUND);

    rfl_recent_keep(r, &place, 10, kept);
    assert_int_equal(ask(r, &q, 10, &place, &answer), RFL_OK);

    rfl_recent_free(r);
    rfl_recent_free(NULL);
}


/* So many are forgotten that the count of them begins anew. */

static void
test_what_was_forgotten_does_not_come_back(void **state)
{
    unsigned                i;
    rfl_recent_t           *r;
    rfl_recent_place_t      place;
    rfl_recent_answer_t     answer;
    rfl_recent_question_t   q;

    (void) state;

    r = rfl_recent_create();
    assert_non_null(r);

    make_question(&q, "https://blog.example/a", "/x");
    assert_int_equal(ask(r, &q, 10, &place, &answer),
                     RFL_NOT_FOUND);
    rfl_recent_keep(r, &place, 10, answer_of(7));

    for (i = 0; i < 70000; i++) {
        rfl_recent_forget(r);
        assert_int_equal(ask(r, &q, 10, &place, &answer),
                         RFL_NOT_FOUND);
    }

    rfl_recent_free(r);
}


/* Each number at its limit, and none writes into another. */

static void
test_an_answer_has_room(void **state)
{
    unsigned                bit;
    uint64_t                word, kept;
    rfl_recent_t           *r;
    rfl_recent_place_t      place;
    rfl_recent_answer_t     answer;
    rfl_recent_question_t   q;

    (void) state;

    memset(&answer, 0, sizeof(answer));
    answer.id = RFL_RECENT_ID_MAX;
    answer.source_at = RFL_RECENT_TEXT;
    answer.source_len = UINT8_MAX;
    answer.path_len = RFL_RECENT_TEXT;
    answer.outcome = RFL_OUTCOMES - 1;
    answer.evidence = RFL_EVIDENCE_NONE;

    assert_int_equal(answer.id, RFL_RECENT_ID_MAX);
    assert_int_equal(answer.source_at, RFL_RECENT_TEXT);
    assert_int_equal(answer.source_len, UINT8_MAX);
    assert_int_equal(answer.path_len, RFL_RECENT_TEXT);
    assert_int_equal(answer.outcome, RFL_OUTCOMES - 1);
    assert_int_equal(answer.evidence, RFL_EVIDENCE_NONE);

    r = rfl_recent_create();
    assert_non_null(r);
    make_question(&q, "https://blog.example/a", "/x");

    for (bit = 0; bit < 64; bit++) {
        word = (uint64_t) 1 << bit;
        memcpy(&answer, &word, sizeof(word));

        (void) ask(r, &q, bit, &place, &answer);
        memcpy(&answer, &word, sizeof(word));
        rfl_recent_keep(r, &place, bit, answer);

        assert_int_equal(ask(r, &q, bit, &place, &answer), RFL_OK);
        memcpy(&kept, &answer, sizeof(kept));
        assert_true(kept == word);
    }

    rfl_recent_free(r);
}


/* Each part of the question, and where one ends and the next begins. */

static void
test_other_questions_have_other_keys(void **state)
{
    size_t                  i, k;
    rfl_recent_t           *r, *other;
    rfl_recent_place_t      places[9], place;
    rfl_recent_answer_t     answer;
    rfl_recent_question_t   q[9];

    (void) state;

    r = rfl_recent_create();
    other = rfl_recent_create();
    assert_non_null(r);
    assert_non_null(other);

    for (i = 0; i < 9; i++) {
        make_question(&q[i], "https://blog.example/a", "/x");
    }

    q[1].referer = rfl_cstr("https://blog.example/b");
    q[2].landing = rfl_cstr("/y");
    q[3].host = rfl_cstr("other.example");
    q[4].own_hosts = &q[0];
    q[5].tag_names = &q[0];
    q[6].unmatched = 1;
    q[7].referer = rfl_cstr("https://blog.example/");
    q[7].landing = rfl_cstr("a/x");
    q[8].landing = rfl_cstr("/xs");
    q[8].host = rfl_cstr("hop.example");

    for (i = 0; i < 9; i++) {
        assert_int_equal(ask(r, &q[i], 1, &places[i], &answer),
                         RFL_NOT_FOUND);

        for (k = 0; k < i; k++) {
            assert_true(places[i].key[0] != places[k].key[0]
                        && places[i].key[1] != places[k].key[1]);
        }
    }

    /* the keys are each process's own: places cannot be known beforehand */

    assert_int_equal(ask(other, &q[0], 1, &place, &answer),
                     RFL_NOT_FOUND);
    assert_true(place.key[0] != places[0].key[0]);

    rfl_recent_free(r);
    rfl_recent_free(other);
}


static void
test_long_texts_are_not_kept(void **state)
{
    size_t                  i, n;
    u_char                  bytes[RFL_RECENT_TEXT + 1];
    rfl_recent_t           *r;
    rfl_recent_place_t      place;
    rfl_recent_answer_t     answer;
    rfl_recent_question_t   q;

    (void) state;

    r = rfl_recent_create();
    assert_non_null(r);
    memset(bytes, 'a', sizeof(bytes));

    for (n = RFL_RECENT_TEXT; n <= RFL_RECENT_TEXT + 1; n++) {
        for (i = 0; i < 3; i++) {
            make_question(&q, "https://blog.example/", "/");

            *(i == 0 ? &q.referer : i == 1 ? &q.landing : &q.host)
                = rfl_str(bytes, n);

            assert_int_equal(ask(r, &q, 1, &place, &answer),
                             n == RFL_RECENT_TEXT ? RFL_NOT_FOUND : RFL_FULL);
        }
    }

    /* all three as long as can be: there are keys for them */

    q.referer = q.landing = q.host = rfl_str(bytes, RFL_RECENT_TEXT);
    assert_int_equal(ask(r, &q, 1, &place, &answer),
                     RFL_NOT_FOUND);

    make_question(&q, "", "");
    assert_int_equal(ask(r, &q, 1, &place, &answer),
                     RFL_NOT_FOUND);

    rfl_recent_free(r);
}


/*
 * Thousands of questions stay side by side, and a flood of others, each asked
 * once, takes the place of old ones: the table does not grow, and the latest
 * are found.
 */

static void
test_a_flood_is_bounded(void **state)
{
    unsigned       i, found;
    rfl_recent_t  *r;

    (void) state;

    r = rfl_recent_create();
    assert_non_null(r);

    /* of 10,000 keys, one would have five of 1,000 questions meet in a set */

    for (i = 0; i < RFL_KEYED_WORDS; i++) {
        r->keys.words[i] = (uint64_t) roll(1 << 24) << 40
                           | (uint64_t) roll(1 << 24) << 16 | roll(1 << 16);
    }

    for (i = 0; i < 10000; i++) {
        keep(r, "h", i, 3);
    }

    for (i = 0, found = 0; i < 10000; i++) {
        found += is_kept(r, "h", i, 3);
    }

    assert_true(found > 9900);

    for ( /* void */ ; i < 500000; i++) {
        keep(r, "h", i, 3);
        assert_true(is_kept(r, "h", i, 3));
    }

    /* a commit: whoever is of no use goes first */

    for (i = 0; i < 1000; i++) {
        keep(r, "new", i, 4);
    }

    for (i = 0; i < 1000; i++) {
        assert_true(is_kept(r, "new", i, 4));
    }

    rfl_recent_free(r);
}


static rfl_rc_t
ask(const rfl_recent_t *r, const rfl_recent_question_t *q, uint64_t snapshot,
    rfl_recent_place_t *place, rfl_recent_answer_t *answer)
{
    rfl_rc_t  rc;

    rc = rfl_recent_place(r, q, place);

    return rc == RFL_OK ? rfl_recent_find(r, place, snapshot, answer) : rc;
}


static void
keep(rfl_recent_t *r, const char *name, unsigned i, uint64_t snapshot)
{
    rfl_recent_place_t   place;
    rfl_recent_answer_t  answer;

    assert_int_equal(ask_for(r, name, i, snapshot, &place, &answer),
                     RFL_NOT_FOUND);
    rfl_recent_keep(r, &place, snapshot, answer_of(i));
}


static int
is_kept(const rfl_recent_t *r, const char *name, unsigned i, uint64_t snapshot)
{
    rfl_recent_place_t   place;
    rfl_recent_answer_t  answer;

    if (ask_for(r, name, i, snapshot, &place, &answer) != RFL_OK) {
        return 0;
    }

    assert_int_equal(answer.id, i);

    return 1;
}


static rfl_rc_t
ask_for(const rfl_recent_t *r, const char *name, unsigned i, uint64_t snapshot,
    rfl_recent_place_t *place, rfl_recent_answer_t *answer)
{
    char                   text[64];
    rfl_recent_question_t  q;

    (void) snprintf(text, sizeof(text), "https://%s%u.example/", name, i);
    make_question(&q, text, "/");

    return ask(r, &q, snapshot, place, answer);
}


/* Or the test below would prove nothing: a false answer is given as it is. */

static void
test_what_is_kept_is_used(void **state)
{
    site_t                  site;
    uint64_t                newest;
    rfl_request_t           request;
    rfl_attribution_t       a;
    rfl_recent_place_t      place;
    rfl_recent_answer_t     answer;
    rfl_recent_question_t   q;

    (void) state;

    memset(&site, 0, sizeof(site));
    (void) snprintf(site.path, sizeof(site.path), "/tmp/rfl_recent-%d",
                    (int) getpid());
    site.recent = rfl_recent_create();
    assert_non_null(site.recent);
    site_open(&site);

    memset(&request, 0, sizeof(request));
    request.referer = rfl_cstr("https://blog.example/a");
    request.landing = rfl_cstr("/x");
    request.host = rfl_cstr("shop.example");
    request.recent = site.recent;
    rfl_attribute_soon(&request);

    rfl_attribute(site.reader, &request, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_UNREGISTERED);

    make_question(&q, "https://blog.example/a", "/x");
    q.unmatched = RFL_OUTCOME_DIRECT;
    newest = rfl_registry_newest(site.reader);

    assert_int_equal(ask(site.recent, &q, newest, &place, &answer),
                     RFL_OK);
    assert_int_equal(ask(site.recent, &q, newest + 1, &place,
                                     &answer), RFL_NOT_FOUND);

    rfl_recent_keep(site.recent, &place, newest, answer_of(123));

    rfl_attribute(site.reader, &request, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_MATCHED);
    assert_int_equal(a.id, 123);
    assert_true(rfl_str_eq(a.source, rfl_cstr("blog.example")));
    assert_true(rfl_str_eq(a.path, rfl_cstr("/x")));

    while (rfl_registry_newest(site.reader) == newest) {
        site_change(&site);
    }

    rfl_attribute(site.reader, &request, &a, NULL);
    assert_int_not_equal(a.id, 123);

    site_close(&site);
    rfl_recent_free(site.recent);
    remove_dir(site.path);
}


/*
 * Two registries, each written through another handle, opened anew, and put in
 * the other's place, while requests of few kinds come again and again.
 */

static void
test_no_answer_depends_on_what_was_decided_lately(void **state)
{
    site_t    sites[SITES];
    unsigned  i, k, n;

    (void) state;

    memset(sites, 0, sizeof(sites));

    for (i = 0; i < SITES; i++) {
        (void) snprintf(sites[i].path, sizeof(sites[i].path),
                        "/tmp/rfl_recent-%d-%u", (int) getpid(), i);
        sites[i].recent = rfl_recent_create();
        assert_non_null(sites[i].recent);
        site_open(&sites[i]);
    }

    for (n = 0; n < ROUNDS; n++) {
        i = roll(SITES);

        if (roll(100) == 0) {
            site_close(&sites[i]);
            site_open(&sites[i]);

        } else if (roll(200) == 0) {
            site_replace(&sites[i], &sites[1 - i]);

        } else if (roll(3) == 0) {
            site_change(&sites[i]);
        }

        for (k = 0; k < ASKED; k++) {
            site_ask(&sites[roll(SITES)]);
        }
    }

    for (i = 0; i < SITES; i++) {
        site_close(&sites[i]);
        rfl_recent_free(sites[i].recent);
        remove_dir(sites[i].path);
    }
}


static void
site_open(site_t *site)
{
    rfl_error_t  err;

    if (rfl_registry_open(&site->writer, site->path, RFL_STORE_CREATE,
                          MAP_SIZE, &err)
        != RFL_OK
        || rfl_registry_open(&site->reader, site->path, RFL_STORE_WRITE,
                             MAP_SIZE, &err)
           != RFL_OK)
    {
        fail_msg("%s", err.text);
    }

    site->patterns = rfl_patterns_create(16);
    assert_non_null(site->patterns);
}


/* As rfl_runtime.c does it. */

static void
site_close(site_t *site)
{
    rfl_patterns_free(site->patterns);
    rfl_recent_forget(site->recent);
    rfl_registry_close(site->reader);
    rfl_registry_close(site->writer);
}


/* A backup of another registry: the ids of its snapshots say nothing here. */

static void
site_replace(site_t *site, const site_t *by)
{
    char  command[256];

    site_close(site);

    (void) snprintf(command, sizeof(command),
                    "rm -f %.64s/registry/*.mdb && cp %.64s/registry/data.mdb "
                    "%.64s/registry/", site->path, by->path, site->path);
    assert_int_equal(system(command), 0);

    memcpy(site->keys, by->keys, sizeof(site->keys));
    site->nkeys = by->nkeys;

    site_open(site);
}


static void
site_change(site_t *site)
{
    size_t           i;
    rfl_rc_t         rc;
    rfl_link_t       link;
    rfl_error_t      err;
    const char      *source;

    static const char *const  sources[] = {
        "https://blog.example/a", "https://blog.example/a/b",
        "https://blog.example/", "https://news.example/a",
        "https://shop.blog.example/x?y=1"
    };
    static const char *const  patterns[] = {
        "https://blog.example/a/[a-z]$", "https://news.example/(x|a)"
    };
    static const char *const  targets[] = {
        "", "", "/x", "/y?id=1", "shop.site/x"
    };
    static const char *const  tags[] = { "", "", "", "spring", "mail" };

    static const rfl_match_type_t  types[] = {
        RFL_MATCH_EXACT, RFL_MATCH_EXACT, RFL_MATCH_PREFIX, RFL_MATCH_HOST,
        RFL_MATCH_DOMAIN, RFL_MATCH_REGEX, RFL_MATCH_TAG
    };

    assert_int_equal(rfl_registry_begin(site->writer, 1, &err), RFL_OK);

    if (site->nkeys == 64 || (site->nkeys > 0 && roll(2) == 0)) {
        i = roll((unsigned) site->nkeys);
        rc = rfl_registry_remove(site->writer, site->keys[i], &err);
        assert_int_equal(rc, RFL_OK);
        site->keys[i] = site->keys[--site->nkeys];

    } else {
        memset(&link, 0, sizeof(rfl_link_t));

        link.match_type = types[roll(sizeof(types) / sizeof(types[0]))];
        source = link.match_type == RFL_MATCH_REGEX ? PICK(patterns)
                 : link.match_type == RFL_MATCH_TAG ? "" : PICK(sources);
        link.source = rfl_cstr(source);
        link.target = rfl_cstr(PICK(targets));
        link.tag = rfl_cstr(link.match_type == RFL_MATCH_TAG ? "mail"
                                                             : PICK(tags));

        rc = rfl_registry_add(site->writer, &link, 1, &err);

        if (rc == RFL_OK) {
            site->keys[site->nkeys++] = link.key;
        }
    }

    /* also one that changes nothing, and one that is given up */

    if (roll(10) == 0 && rc == RFL_EXISTS) {
        rfl_registry_end(site->writer);

    } else {
        assert_int_equal(rfl_registry_commit(site->writer, &err), RFL_OK);
    }
}


static void
site_ask(site_t *site)
{
    rfl_request_t         request, plain;
    rfl_attribution_t     with, without;
    rfl_recent_t         *recent;

    make_request(&request, site);

    recent = request.recent;
    request.recent = NULL;
    rfl_attribute(site->reader, &request, &without, NULL);

    request.recent = recent;

    if (roll(10) != 0) {
        rfl_attribute_soon(&request);
    }

    /* or in between: what is written meanwhile must be seen */

    if (roll(10) == 0) {
        site_change(site);

        plain = request;
        plain.recent = NULL;
        plain.has_place = 0;
        rfl_attribute(site->reader, &plain, &without, NULL);
    }

    rfl_attribute(site->reader, &request, &with, NULL);
    assert_same(&request, &with, &without);

    /* at once again: nothing was committed, so this is what was kept */

    rfl_attribute(site->reader, &request, &with, NULL);
    assert_same(&request, &with, &without);
}


static void
make_request(rfl_request_t *request, site_t *site)
{
    static const char *const  referers[] = {
        "https://blog.example/a", "https://BLOG.example/a/", "",
        "https://blog.example/a/b", "https://blog.example/a/b/c?utm_id=1",
        "https://blog.example/", "https://news.example/a", "  ",
        "https://news.example/", "https://shop.blog.example/x?y=1",
        "https://other.example/", "https://sub.news.example/x", "-",
        "https://shop.site/x", "https://SHOP.site/x", "https://my.site/",
        "android-app://blog.example/", "https://static.wild.site/",
        "https://blog.example:8443/a"
    };
    static const char *const  landings[] = {
        "/", "/x", "/x?ref=spring", "/x?via=spring", "/y?id=1",
        "/y?id=1&ref=mail", "/x?ref=none", "/x?ref=mail#y", "", "*",
        "http://shop.site/x?ref=mail", "x?ref=mail"
    };
    static const char *const  hosts[] = { "shop.site", "www.shop.site:80",
                                          "other.site" };
    static const char *const  origins[] = { "", "", "cross-site", "same-site",
                                            "none" };

    static const rfl_str_t        names[] = {
        rfl_string("ref"), rfl_string("via")
    };
    static const rfl_names_t      tags[] = {
        { names, 1 }, { names + 1, 1 }, { NULL, 0 }
    };
    static const rfl_own_host_t   own_hosts[] = {
        { rfl_string("my.site"), 0 }, { rfl_string(".wild.site"), 1 }
    };
    static const rfl_own_hosts_t  own[] = {
        { own_hosts, 1 }, { own_hosts + 1, 1 }
    };

    memset(request, 0, sizeof(rfl_request_t));

    request->referer = rfl_cstr(PICK(referers));
    request->landing = rfl_cstr(PICK(landings));
    request->host = rfl_cstr(PICK(hosts));
    request->own_hosts = roll(3) == 0 ? NULL : &own[roll(2)];
    request->tag_names = roll(4) == 0 ? NULL : &tags[roll(3)];
    request->patterns = site->patterns;
    request->recent = site->recent;
    request->is_foreign = roll(2) == 0
                          && !rfl_referrer_is_site(request->referer,
                                                   request->host);

    if (rfl_str_trim(request->referer).len == 0) {
        request->sec_fetch_site = rfl_cstr(PICK(origins));
    }
}


static void
assert_same(const rfl_request_t *request, const rfl_attribution_t *a,
    const rfl_attribution_t *b)
{
    if (a->outcome == b->outcome && a->evidence == b->evidence
        && a->id == b->id && a->other_landing == b->other_landing
        && a->lookup_failed == b->lookup_failed
        && a->regex_limit == b->regex_limit && a->is_app == b->is_app
        && rfl_str_eq(a->source, b->source) && rfl_str_eq(a->path, b->path))
    {
        return;
    }

    fail_msg("\"%.*s\" -> %.*s: outcome %d, %d; evidence %d, %d; id %u, %u",
             (int) request->referer.len, request->referer.data,
             (int) request->landing.len, request->landing.data,
             a->outcome, b->outcome, a->evidence, b->evidence, a->id, b->id);
}


static void
make_question(rfl_recent_question_t *q, const char *referer,
    const char *landing)
{
    memset(q, 0, sizeof(rfl_recent_question_t));

    q->referer = rfl_cstr(referer);
    q->landing = rfl_cstr(landing);
    q->host = rfl_cstr("shop.example");
}


static rfl_recent_answer_t
answer_of(uint32_t id)
{
    rfl_recent_answer_t  answer;

    memset(&answer, 0, sizeof(answer));

    answer.id = id & RFL_RECENT_ID_MAX;
    answer.source_at = 8;
    answer.source_len = 12;
    answer.path_len = 2;
    answer.outcome = RFL_OUTCOME_MATCHED;
    answer.other_landing = 1;
    answer.is_app = 1;

    return answer;
}


static void
remove_dir(const char *path)
{
    char  command[128];

    (void) snprintf(command, sizeof(command), "rm -rf %.64s", path);
    assert_int_equal(system(command), 0);
}


/* Numerical Recipes' linear congruential generator: the same in each run. */

static unsigned
roll(unsigned n)
{
    seed = seed * 1664525u + 1013904223u;

    return (seed >> 8) % n;
}


static const char *
pick(const char *const *texts, size_t n)
{
    return texts[roll((unsigned) n)];
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_an_answer_is_of_one_snapshot),
        cmocka_unit_test(test_what_was_forgotten_does_not_come_back),
        cmocka_unit_test(test_an_answer_has_room),
        cmocka_unit_test(test_other_questions_have_other_keys),
        cmocka_unit_test(test_long_texts_are_not_kept),
        cmocka_unit_test(test_a_flood_is_bounded),
        cmocka_unit_test(test_what_is_kept_is_used),
        cmocka_unit_test(test_no_answer_depends_on_what_was_decided_lately),
    };

    return cmocka_run_group_tests_name("rfl_recent", tests, NULL, NULL);
}
