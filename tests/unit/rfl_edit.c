/* Writes: what is registered, what is refused and how, all of it or nothing. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rfl_edit.h"
#include "site.h"


#define NOW  1795215480                  /* 2026-11-20T22:58:00Z */


typedef struct {
    rfl_edit_kind_t  kind;
    const char      *body;
    unsigned         status;
    const char      *code;
    const char      *text;               /* of the error, its beginning */
} refused_t;


static int  buffers_left = -1;           /* -1: there is memory */


/* What the body alone tells. */

static const refused_t  refused_early[] = {
    { RFL_EDIT_ADD, "", 400, "BodyInvalid", "the body is empty" },
    { RFL_EDIT_ADD, "[]", 400, "BodyInvalid", "there are no links" },
    { RFL_EDIT_ADD, "{", 400, "BodyInvalid", "no JSON at byte" },
    { RFL_EDIT_ADD, "[[[[[[[[[[", 413, "BodyTooLarge", "links[0]: deeper" },
    { RFL_EDIT_ADD, "{}", 400, "FieldInvalid", "source" },
    { RFL_EDIT_ADD, "[{\"tag\":\"a\"},{}]", 400, "FieldInvalid",
      "links[1].source" },
    { RFL_EDIT_ADD, "{\"tag\":\"a\",\"colour\":1}", 400, "FieldInvalid",
      "colour: " },
    { RFL_EDIT_ADD, "[{\"tag\":\"a\",\"name\":1}]", 400, "FieldInvalid",
      "links[0].name: a string" },
    { RFL_EDIT_ADD, "[{\"tag\":\"a\",\"authority\":101}]", 400,
      "FieldInvalid", "links[0].authority \"101\": " },
    { RFL_EDIT_ADD, "{\"source\":\"https://a.example/\",\"match_type\":"
      "\"page\"}", 400, "FieldInvalid", "match_type" },
    { RFL_EDIT_ADD, "{\"source\":\"https://a.example/\",\"target\":"
      "\"ftp://x/\"}", 400, "FieldInvalid", "target \"ftp://x/\": " },
    { RFL_EDIT_ADD, "{\"source\":\"https://a.example/?q\",\"match_type\":"
      "\"prefix\"}", 400, "FieldInvalid", "source" },

    { RFL_EDIT_CHANGE, "", 400, "BodyInvalid", "the body is empty" },
    { RFL_EDIT_CHANGE, "[{}]", 400, "BodyInvalid", "one link is changed" },
    { RFL_EDIT_CHANGE, "{} {}", 400, "BodyInvalid", "no JSON" },
    { RFL_EDIT_CHANGE, "{\"source\":\"https://a.example/\"}", 400,
      "FieldInvalid", "source: it says which link this is" },
    { RFL_EDIT_CHANGE, "{\"match_type\":null}", 400, "FieldInvalid",
      "match_type: " },
    { RFL_EDIT_CHANGE, "{\"target\":\"\"}", 400, "FieldInvalid", "target: " },
    { RFL_EDIT_CHANGE, "{\"counters\":{}}", 400, "FieldInvalid",
      "counters: it is only shown" },
    { RFL_EDIT_CHANGE, "{\"rel\":\"maybe\"}", 400, "FieldInvalid",
      "rel \"maybe\": must be one of" }
};


/* Beside a link at https://known.example/ and a tag link "known". */

static const refused_t  refused_late[] = {
    { RFL_EDIT_ADD, "{\"source\":\"https://known.example\"}", 409,
      "LinkExists", "already registered as " },
    { RFL_EDIT_ADD, "[{\"tag\":\"new\"},{\"tag\":\"known\"}]", 409,
      "LinkExists", "links[1]: already registered as " },
    { RFL_EDIT_ADD, "[{\"tag\":\"new\"},{\"tag\":\"x\"},{\"tag\":\"new\"}]",
      409, "LinkExists", "links[2]: it is the same link as links[0], " },
    { RFL_EDIT_ADD, "[{\"tag\":\"new\"},{\"source\":\"a.example/(\","
      "\"match_type\":\"regex\"}]", 400, "FieldInvalid", "links[1].source" },
    { RFL_EDIT_CHANGE, "{\"tag\":\"other\"}", 400, "FieldInvalid",
      "tag: it says which link this is" }
};


void *
rfl_buf_realloc(void *data, size_t size)
{
    if (buffers_left == 0) {
        return NULL;
    }

    if (buffers_left > 0) {
        buffers_left--;
    }

    return realloc(data, size);
}


static void
edit_init(rfl_edit_t *edit, rfl_edit_kind_t kind, uint64_t key,
    const char *body)
{
    memset(edit, 0, sizeof(rfl_edit_t));

    edit->kind = kind;
    edit->key = key;
    edit->body = rfl_cstr(body);
    edit->now = NOW;
}


/* Checks, then runs: the status.  *answer is the caller's to free. */

static unsigned
write_to(site_t *site, rfl_totals_t *totals, rfl_edit_kind_t kind,
    uint64_t key, const char *body, rfl_edit_answer_t *answer)
{
    rfl_edit_t    edit;
    rfl_totals_t  live;

    live.ledger = NULL;
    live.counters = site->rt.counters;

    memset(answer, 0, sizeof(rfl_edit_answer_t));
    edit_init(&edit, kind, key, body);

    if (rfl_edit_check(&edit, answer) == RFL_OK) {
        (void) rfl_edit_run(&edit, site->rt.registry,
                            totals != NULL ? totals : &live, answer);
    }

    if (answer->result.status >= 400) {
        assert_int_equal(answer->text.len, 0);
    }

    return answer->result.status;
}


/* The same where the answer's text does not matter. */

static unsigned
status_of(site_t *site, rfl_edit_kind_t kind, uint64_t key, const char *body)
{
    unsigned           status;
    rfl_edit_answer_t  answer;

    status = write_to(site, NULL, kind, key, body, &answer);
    rfl_buf_free(&answer.text);

    return status;
}


static void
has(rfl_edit_answer_t *answer, const char *wanted)
{
    rfl_buf_char(&answer->text, '\0');

    if (strstr((char *) answer->text.data, wanted) == NULL) {
        fail_msg("no %s in %s", wanted, answer->text.data);
    }

    answer->text.len--;
}


static void
check_refused(const refused_t *row, const rfl_edit_answer_t *answer)
{
    if (answer->result.status != row->status
        || strcmp(answer->result.code, row->code) != 0
        || strncmp(answer->result.text, row->text, strlen(row->text)) != 0)
    {
        fail_msg("%s: %u %s \"%s\"", row->body, answer->result.status,
                 answer->result.code, answer->result.text);
    }
}


static uint32_t
registered(site_t *site, uint32_t *next_id)
{
    rfl_error_t          err;
    rfl_registry_meta_t  meta;

    assert_int_equal(rfl_registry_begin(site->rt.registry, 0, &err), RFL_OK);
    assert_int_equal(rfl_registry_meta(site->rt.registry, &meta), RFL_OK);
    rfl_registry_end(site->rt.registry);

    if (next_id != NULL) {
        *next_id = meta.next_id;
    }

    return meta.links;
}


static uint64_t
key_of(const char *source)
{
    rfl_link_t      link;
    rfl_error_t     err;
    rfl_identity_t  identity;

    memset(&link, 0, sizeof(rfl_link_t));
    link.source = rfl_cstr(source);

    assert_int_equal(rfl_identity(&link, &identity, &err), RFL_OK);

    return identity.key;
}


static uint32_t
id_of(site_t *site, uint64_t key)
{
    rfl_link_t   link;
    rfl_error_t  err;

    assert_int_equal(rfl_registry_begin(site->rt.registry, 0, &err), RFL_OK);
    assert_int_equal(rfl_registry_by_key(site->rt.registry, key, &link),
                     RFL_OK);
    rfl_registry_end(site->rt.registry);

    return link.id;
}


static void
test_refused_by_the_body_alone(void **state)
{
    size_t             i;
    rfl_edit_t         edit;
    rfl_edit_answer_t  answer;

    for (i = 0; i < sizeof(refused_early) / sizeof(refused_early[0]); i++) {
        memset(&answer, 0, sizeof(rfl_edit_answer_t));
        edit_init(&edit, refused_early[i].kind, 1, refused_early[i].body);

        assert_int_not_equal(rfl_edit_check(&edit, &answer), RFL_OK);
        check_refused(&refused_early[i], &answer);
    }

    edit_init(&edit, RFL_EDIT_REMOVE, 1, "");
    assert_int_equal(rfl_edit_check(&edit, &answer), RFL_OK);
}


static void
test_refused_by_the_registry(void **state)
{
    size_t             i;
    site_t             site;
    uint64_t           key;
    rfl_link_t         link;
    rfl_error_t        err;
    rfl_identity_t     identity;
    rfl_edit_answer_t  answer;

    site_init(&site, "main");
    site_open(&site);

    assert_int_equal(status_of(&site, RFL_EDIT_ADD, 0,
                               "[{\"source\":\"https://known.example/\"},"
                               "{\"tag\":\"known\"}]"),
                     201);

    memset(&link, 0, sizeof(rfl_link_t));
    link.match_type = RFL_MATCH_TAG;
    link.tag = rfl_cstr("known");
    assert_int_equal(rfl_identity(&link, &identity, &err), RFL_OK);
    key = identity.key;

    for (i = 0; i < sizeof(refused_late) / sizeof(refused_late[0]); i++) {
        (void) write_to(&site, NULL, refused_late[i].kind, key,
                        refused_late[i].body, &answer);
        check_refused(&refused_late[i], &answer);
        assert_int_equal(registered(&site, NULL), 2);
    }

    assert_int_equal(status_of(&site, RFL_EDIT_CHANGE, key + 1, "{}"), 404);
    assert_int_equal(status_of(&site, RFL_EDIT_REMOVE, key + 1, ""), 404);
    assert_int_equal(registered(&site, NULL), 2);

    site_remove(&site);
}


static void
test_add_shows_what_was_added(void **state)
{
    site_t             site;
    rfl_edit_answer_t  answer;

    site_init(&site, "main");
    site_open(&site);

    assert_int_equal(write_to(&site, NULL, RFL_EDIT_ADD, 0,
                              "{\"source\":\" https://a.example/x \","
                              "\"target\":\"/t\",\"channel\":\"Guest Posts\","
                              "\"authority\":7,\"cost\":1.25,"
                              "\"labels\":[\"b\",\"a\"],\"note\":null,"
                              "\"created\":\"1999-01-01T00:00:00Z\"}",
                              &answer),
                     201);

    has(&answer, "\"source\":\"https://a.example/x\",\"match_type\":\"exact\","
                 "\"target\":\"/t\"");
    has(&answer, "\"channel\":\"guest-post\",\"origin\":\"created\"");
    has(&answer, "\"authority\":7");
    has(&answer, "\"labels\":[\"a\",\"b\"]");
    has(&answer, "\"cost\":1.25");
    has(&answer, "\"created\":\"2026-11-20T22:58:00Z\"");
    assert_int_equal(answer.text.data[0], '{');
    assert_int_equal(answer.text.data[answer.text.len - 1], '\n');
    rfl_buf_free(&answer.text);

    assert_int_equal(write_to(&site, NULL, RFL_EDIT_ADD, 0,
                              "[{\"source\":\"news.example\"},"
                              "{\"tag\":\"t\"}]", &answer),
                     201);
    has(&answer, "{\"links\":[\n{\"key\":\"");
    has(&answer, "\"match_type\":\"host\"");
    has(&answer, "\"match_type\":\"tag\"");
    rfl_buf_free(&answer.text);

    assert_int_equal(registered(&site, NULL), 3);

    site_remove(&site);
}


static void
test_cells_are_there_before_the_links(void **state)
{
    char      *body;
    size_t     len, i;
    site_t     site;
    uint32_t   next_id;

    site_init(&site, "main");
    site_open(&site);

    body = malloc(1 << 20);
    assert_non_null(body);

    for (len = 0, i = 0; i < RFL_JSON_IN_LINKS; i++) {
        len += (size_t) sprintf(body + len, "%s{\"source\":\"https://a.example"
                                "/%zu\"}", i == 0 ? "[" : ",", i);
    }

    strcpy(body + len, "]");

    assert_true(rfl_counters_capacity(site.rt.counters) < RFL_JSON_IN_LINKS);
    assert_int_equal(status_of(&site, RFL_EDIT_ADD, 0, body), 201);

    assert_int_equal(registered(&site, &next_id), RFL_JSON_IN_LINKS);
    assert_true(next_id > RFL_JSON_IN_LINKS);
    assert_true(rfl_counters_capacity(site.rt.counters) >= next_id);

    free(body);
    site_remove(&site);
}


static void
test_removed_and_added_again(void **state)
{
    site_t             site;
    uint32_t           id;
    uint64_t           key;
    rfl_edit_answer_t  answer;

    static const char  body[] = "{\"source\":\"https://a.example/x\"}";

    site_init(&site, "main");
    site_open(&site);

    assert_int_equal(status_of(&site, RFL_EDIT_ADD, 0, body), 201);
    key = key_of("https://a.example/x");
    id = id_of(&site, key);
    site_click(&site, id, 4);

    assert_int_equal(write_to(&site, NULL, RFL_EDIT_REMOVE, key, "", &answer),
                     204);
    assert_int_equal(answer.text.len, 0);
    assert_int_equal(registered(&site, NULL), 0);
    assert_int_equal(status_of(&site, RFL_EDIT_REMOVE, key, ""), 404);

    assert_int_equal(write_to(&site, NULL, RFL_EDIT_ADD, 0, body, &answer),
                     201);
    has(&answer, "\"counters\":{\"clicks\":4,");
    rfl_buf_free(&answer.text);
    assert_int_equal(id_of(&site, key), id);

    site_remove(&site);
}


static void
test_change(void **state)
{
    site_t             site;
    uint64_t           key;
    rfl_edit_answer_t  answer;

    site_init(&site, "main");
    site_open(&site);

    assert_int_equal(status_of(&site, RFL_EDIT_ADD, 0,
                               "{\"source\":\"https://a.example/x\","
                               "\"name\":\"Old\",\"partner\":\"P\","
                               "\"labels\":[\"l\"],\"cost\":5}"),
                     201);
    key = key_of("https://a.example/x");

    assert_int_equal(write_to(&site, NULL, RFL_EDIT_CHANGE, key,
                              "{\"name\":\"New\",\"labels\":null,"
                              "\"cost\":\"12.50\",\"tag\":\"t\"}", &answer),
                     200);
    has(&answer, "\"name\":\"New\"");
    has(&answer, "\"partner\":\"P\"");
    has(&answer, "\"labels\":[]");
    has(&answer, "\"cost\":12.50");
    has(&answer, "\"tag\":\"t\"");
    rfl_buf_free(&answer.text);

    /* nothing of what is refused is done */

    assert_int_equal(status_of(&site, RFL_EDIT_CHANGE, key,
                               "{\"name\":\"Newer\",\"authority\":-1}"),
                     400);
    assert_int_equal(write_to(&site, NULL, RFL_EDIT_CHANGE, key, "{}",
                              &answer),
                     200);
    has(&answer, "\"name\":\"New\"");
    rfl_buf_free(&answer.text);

    site_remove(&site);
}


/* Clicks of a group from before a link joined it are none of the link's. */

static void
test_joins_a_group_with_clicks(void **state)
{
    size_t             n;
    site_t             site;
    rfl_link_t         link;
    rfl_error_t        err;
    rfl_membership_t   groups[RFL_LINK_GROUPS_MAX];
    rfl_edit_answer_t  answer;

    site_init(&site, "main");
    site_open(&site);

    assert_int_equal(status_of(&site, RFL_EDIT_ADD, 0,
                               "[{\"source\":\"https://a.example/1\","
                               "\"target\":\"/t\"},"
                               "{\"source\":\"https://a.example/2\","
                               "\"target\":\"/t\"}]"),
                     201);

    assert_int_equal(rfl_registry_begin(site.rt.registry, 0, &err), RFL_OK);
    assert_int_equal(rfl_registry_next_key(site.rt.registry, 0, &link),
                     RFL_OK);
    assert_int_equal(rfl_registry_groups(site.rt.registry, &link, groups, &n),
                     RFL_OK);
    rfl_registry_end(site.rt.registry);

    assert_int_equal(n, 1);
    site_click(&site, groups[0].group.id, 9);

    assert_int_equal(write_to(&site, NULL, RFL_EDIT_ADD, 0,
                              "{\"source\":\"https://a.example/3\","
                              "\"target\":\"/t\"}", &answer),
                     201);
    has(&answer, "\"links\":3,\"clicks\":0}]");
    rfl_buf_free(&answer.text);

    site_remove(&site);
}


/* A registry from a backup must not issue ids that were counted since. */

static void
test_ids_in_use_are_not_issued(void **state)
{
    site_t             site;
    rfl_error_t        err;
    rfl_flush_t        flush;
    rfl_totals_t       totals;
    rfl_flush_stat_t   stat;
    rfl_edit_answer_t  answer;

    site_init(&site, "main");
    site_open(&site);

    __atomic_store_n(&site.rt.counters->header->next_id, 700,
                     __ATOMIC_RELEASE);
    assert_int_equal(status_of(&site, RFL_EDIT_ADD, 0, "{\"source\":"
                               "\"https://a.example/1\"}"),
                     201);
    assert_true(id_of(&site, key_of("https://a.example/1")) >= 700);

    assert_int_equal(rfl_counters_reserve(site.rt.counters, 3001, &err),
                     RFL_OK);
    site_click(&site, 3000, 1);

    assert_int_equal(rfl_ledger_open(&totals.ledger, site.dir, site.rt.uuid,
                                     RFL_STORE_CREATE, 64 << 20, &err),
                     RFL_OK);

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = site.counters;
    flush.now_ms = (uint64_t) NOW * 1000;
    flush.full = 1;
    assert_int_equal(rfl_ledger_flush(totals.ledger, site.rt.counters, &flush,
                                      &stat, &err),
                     RFL_OK);

    totals.counters = NULL;
    assert_int_equal(write_to(&site, &totals, RFL_EDIT_ADD, 0,
                              "{\"source\":\"https://a.example/2\"}",
                              &answer),
                     201);
    rfl_buf_free(&answer.text);
    assert_true(id_of(&site, key_of("https://a.example/2")) > 3000);

    rfl_ledger_close(totals.ledger);
    site_remove(&site);
}


static void
test_no_room_and_no_memory(void **state)
{
    int                n;
    site_t             site;
    rfl_error_t        err;
    rfl_edit_answer_t  answer;

    static const char  body[] = "[{\"tag\":\"a\"},{\"tag\":\"b\"}]";

    site_init(&site, "main");
    site_open(&site);

    /* the answer is all there, or nothing was written */

    for (n = 0; n < 100; n++) {
        buffers_left = n;
        (void) write_to(&site, NULL, RFL_EDIT_ADD, 0, body, &answer);
        buffers_left = -1;

        if (answer.result.status == 201) {
            break;
        }

        assert_int_equal(answer.result.status, 500);
        assert_string_equal(answer.result.code, "NoMemory");
        assert_int_equal(registered(&site, NULL), 0);
    }

    assert_in_range(n, 1, 99);
    rfl_buf_free(&answer.text);

    assert_int_equal(rfl_registry_set_directive(site.rt.registry, 3,
                                                rfl_cstr(""), &err),
                     RFL_OK);
    assert_int_equal(write_to(&site, NULL, RFL_EDIT_ADD, 0,
                              "[{\"tag\":\"c\"},{\"tag\":\"d\"}]", &answer),
                     507);
    assert_string_equal(answer.result.code, "RegistryFull");
    assert_int_equal(registered(&site, NULL), 2);

    site_remove(&site);
}


/* Also where the worker was not told: another nginx follows a file. */

static void
test_a_followed_registry_is_read_only(void **state)
{
    site_t             site;
    uint64_t           key;
    rfl_error_t        err;
    rfl_edit_answer_t  answer;

    site_init(&site, "main");
    site_open(&site);
    (void) site_add(&site, "https://a.example/", "", &key);

    assert_int_equal(rfl_registry_set_directive(site.rt.registry, 0,
                                                rfl_cstr("/etc/links.csv"),
                                                &err),
                     RFL_OK);

    assert_int_equal(write_to(&site, NULL, RFL_EDIT_ADD, 0,
                              "{\"tag\":\"c\"}", &answer), 409);
    assert_string_equal(answer.result.code, "ReadOnly");
    assert_non_null(strstr(answer.result.text, "/etc/links.csv"));
    assert_int_equal(write_to(&site, NULL, RFL_EDIT_CHANGE, key,
                              "{\"name\":\"c\"}", &answer), 409);
    assert_int_equal(write_to(&site, NULL, RFL_EDIT_REMOVE, key, "",
                              &answer), 409);
    assert_int_equal(registered(&site, NULL), 1);

    site_remove(&site);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_refused_by_the_body_alone),
        cmocka_unit_test(test_refused_by_the_registry),
        cmocka_unit_test(test_add_shows_what_was_added),
        cmocka_unit_test(test_cells_are_there_before_the_links),
        cmocka_unit_test(test_removed_and_added_again),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_joins_a_group_with_clicks),
        cmocka_unit_test(test_ids_in_use_are_not_issued),
        cmocka_unit_test(test_no_room_and_no_memory),
        cmocka_unit_test(test_a_followed_registry_is_read_only)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
