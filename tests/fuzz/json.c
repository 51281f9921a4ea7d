/*
 * Bodies of writes: read, checked, and carried out on a registry of a few
 * links and an ignored host.  A write that is refused has an answer that says
 * why and has changed nothing; one that is done answers in JSON and what it
 * answered is there.
 *
 * Input: a byte for the kind of write, then the body; for a host that is to be
 * heeded again, the host.
 */

#include "fuzz.h"
#include "fuzz_json.h"
#include "rfl_counters.h"
#include "rfl_edit.h"

#include <stdio.h>
#include <unistd.h>


#define KEPT  3


static void open_registry(void);
static void check_reader(rfl_str_t body);
static void check_edit(rfl_edit_kind_t kind, rfl_str_t body);
static void check_ignored(const rfl_edit_t *edit);
static void check_answer(const rfl_edit_t *edit, rfl_rc_t rc,
    rfl_edit_answer_t *answer);
static void check_links(void);
static void empty_registry(void);


static const rfl_edit_kind_t  kinds[8] = {
    RFL_EDIT_ADD, RFL_EDIT_CHANGE, RFL_EDIT_ADD, RFL_EDIT_CHANGE,
    RFL_EDIT_ADD, RFL_EDIT_IGNORE, RFL_EDIT_HEED, RFL_EDIT_REMOVE
};

static rfl_registry_t  *registry;
static rfl_totals_t     totals;
static uint64_t         keys[KEPT];
static u_char           records[KEPT][RFL_LINK_RECORD_MAX];
static size_t           record_len[KEPT];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t       kind;
    rfl_str_t     body;
    fuzz_input_t  in;

    if (registry == NULL) {
        open_registry();
    }

    in = fuzz_input(data, size);
    kind = fuzz_byte(&in);
    body = fuzz_rest(&in);

    check_reader(body);
    check_edit(kinds[kind % 8], body);

    fuzz_free();

    return 0;
}


static void
open_registry(void)
{
    size_t       i;
    rfl_link_t   link;
    rfl_error_t  err;

    static const char *const  sources[KEPT] = {
        "https://blog.example/1", "https://blog.example/2", "news.example"
    };

    if (rfl_registry_open(&registry, fuzz_dir(), RFL_STORE_CREATE,
                          (size_t) 64 << 20, &err)
        != RFL_OK
        || rfl_registry_begin(registry, 1, &err) != RFL_OK)
    {
        fuzz_finding(__FILE__, __LINE__, err.text);
    }

    for (i = 0; i < KEPT; i++) {
        memset(&link, 0, sizeof(rfl_link_t));
        link.match_type = RFL_MATCH_EXACT;
        link.source = rfl_cstr(sources[i]);
        link.tag = rfl_cstr("spring");

        fuzz_check(rfl_registry_add(registry, &link, 1, &err) == RFL_OK);
        keys[i] = link.key;
    }

    fuzz_check(rfl_ignored_add(registry, rfl_cstr("spam.example"), 1, &err)
               == RFL_OK);
    fuzz_check(rfl_registry_commit(registry, &err) == RFL_OK);
    fuzz_check(rfl_registry_begin(registry, 0, &err) == RFL_OK);

    for (i = 0; i < KEPT; i++) {
        fuzz_check(rfl_registry_by_key(registry, keys[i], &link) == RFL_OK);
        record_len[i] = rfl_link_encode(&link, records[i],
                                        RFL_LINK_RECORD_MAX);
    }

    rfl_registry_end(registry);
}


static void
check_reader(rfl_str_t body)
{
    size_t                i, n;
    rfl_rc_t              rc;
    rfl_error_t           err;
    static rfl_json_in_t  in;

    rfl_json_in_open(&in, body);
    in.shown = body.len % 2;

    for (n = 0; /* void */ ; n++) {
        err.text[0] = '\0';
        rc = rfl_json_in_next(&in, &err);

        if (rc != RFL_OK) {
            break;
        }

        fuzz_check(in.n == n + 1 && n < RFL_JSON_IN_LINKS);
        fuzz_check(in.nchanges <= RFL_JSON_IN_FIELDS);

        for (i = 0; i < in.nchanges; i++) {
            fuzz_check(in.changes[i].field != NULL);
            fuzz_check(i == 0
                       || in.changes[i - 1].field < in.changes[i].field);
        }
    }

    fuzz_check(rc == RFL_NOT_FOUND || err.text[0] != '\0');
    fuzz_check(rc == RFL_NOT_FOUND || rc == RFL_DAMAGED || rc == RFL_INVALID
               || rc == RFL_FULL);

    rfl_json_in_close(&in);
}


static void
check_edit(rfl_edit_kind_t kind, rfl_str_t body)
{
    rfl_rc_t           rc, checked;
    rfl_edit_t         edit;
    rfl_edit_answer_t  answer;

    memset(&edit, 0, sizeof(rfl_edit_t));
    edit.kind = kind;
    edit.key = kind == RFL_EDIT_ADD ? 0 : keys[body.len % KEPT];
    edit.body = body;
    edit.now = 1795132800;

    if (kind == RFL_EDIT_HEED) {

        if (rfl_ignored_parse(body, edit.host, &edit.host_len, NULL)
            != RFL_OK)
        {
            return;
        }

        fuzz_check(edit.host_len <= sizeof(edit.host));
        check_ignored(&edit);
    }

    memset(&answer, 0, sizeof(rfl_edit_answer_t));
    checked = rfl_edit_check(&edit, &answer);

    if (checked != RFL_OK) {
        fuzz_check(answer.result.status >= 400 && answer.text.len == 0);
        fuzz_check(answer.result.code != NULL);
    }

    rfl_buf_free(&answer.text);

    memset(&answer, 0, sizeof(rfl_edit_answer_t));
    rc = rfl_edit_run(&edit, registry, &totals, &answer);

    fuzz_check(checked == RFL_OK || rc != RFL_OK);

    check_answer(&edit, rc, &answer);
    rfl_buf_free(&answer.text);

    if (rc != RFL_OK) {
        check_links();

    } else {
        empty_registry();
    }
}


/* A canonical form is its own; who asks for it knows no other. */

static void
check_ignored(const rfl_edit_t *edit)
{
    size_t     len;
    u_char     again[RFL_IGNORED_HOST];
    rfl_str_t  host;

    host = rfl_str(edit->host, edit->host_len);

    fuzz_check(rfl_ignored_parse(host, again, &len, NULL) == RFL_OK);
    fuzz_check(rfl_str_eq(rfl_str(again, len), host));
    fuzz_check(rfl_ignored_surt(host, again, &len) == RFL_OK);
    fuzz_check(len == host.len);
}


static void
check_answer(const rfl_edit_t *edit, rfl_rc_t rc, rfl_edit_answer_t *answer)
{
    rfl_link_t  link;

    if (rc != RFL_OK) {
        fuzz_check(answer->result.status >= 400 && answer->text.len == 0);
        fuzz_check(memchr(answer->result.text, '\0',
                          sizeof(answer->result.text)) != NULL);
        return;
    }

    fuzz_check(rfl_registry_begin(registry, 0, NULL) == RFL_OK);

    switch (edit->kind) {

    case RFL_EDIT_ADD:
    case RFL_EDIT_IGNORE:
        fuzz_check(answer->result.status == 201 && answer->text.len != 0);
        break;

    case RFL_EDIT_HEED:
        fuzz_check(answer->result.status == 204 && answer->text.len == 0);
        fuzz_check(!rfl_ignored_has(registry, rfl_cstr("spam.example")));
        break;

    case RFL_EDIT_CHANGE:
        fuzz_check(answer->result.status == 200);
        fuzz_check(rfl_registry_by_key(registry, edit->key, &link) == RFL_OK);
        break;

    default:
        fuzz_check(answer->result.status == 204 && answer->text.len == 0);
        fuzz_check(rfl_registry_by_key(registry, edit->key, &link)
                   == RFL_NOT_FOUND);
    }

    rfl_registry_end(registry);

    if (answer->text.len != 0) {
        fuzz_check_json(rfl_str(answer->text.data, answer->text.len));
    }
}


/* All or nothing: what was there is there, and nothing else. */

static void
check_links(void)
{
    size_t               i, len;
    rfl_link_t           link;
    static u_char        record[RFL_LINK_RECORD_MAX];
    rfl_registry_meta_t  meta;

    fuzz_check(rfl_registry_begin(registry, 0, NULL) == RFL_OK);
    fuzz_check(rfl_registry_meta(registry, &meta) == RFL_OK);
    fuzz_check(meta.links == KEPT);
    fuzz_check(rfl_ignored_has(registry, rfl_cstr("spam.example")));

    for (i = 0; i < KEPT; i++) {
        fuzz_check(rfl_registry_by_key(registry, keys[i], &link) == RFL_OK);

        len = rfl_link_encode(&link, record, sizeof(record));

        fuzz_check(rfl_str_eq(rfl_str(record, len),
                              rfl_str(records[i], record_len[i])));
    }

    rfl_registry_end(registry);
}


/* The next run begins with a registry as new. */

static void
empty_registry(void)
{
    char         path[300];
    size_t       i;

    static const char *const  files[] = { "data.mdb", "lock.mdb" };

    rfl_registry_close(registry);

    for (i = 0; i < 2; i++) {
        (void) snprintf(path, sizeof(path), "%s/registry/%s", fuzz_dir(),
                        files[i]);
        fuzz_check(unlink(path) == 0);
    }

    open_registry();
}
