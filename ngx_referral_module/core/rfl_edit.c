/*
 * See rfl_edit.h.  The answer is rendered inside the transaction: if there is
 * no memory for it, nothing was written.
 */

#include "rfl_edit.h"

#include <stdio.h>
#include <stdlib.h>

#include "rfl_issue.h"


/* All there is to one edit while it runs. */

typedef struct {
    const rfl_edit_t   *edit;
    rfl_registry_t     *registry;        /* NULL: the body is only checked */
    rfl_totals_t       *totals;
    rfl_edit_answer_t  *answer;
    rfl_json_in_t       in;
    uint32_t           *ids;             /* of the links added so far */
    rfl_identity_t      identity;
    u_char              scratch[RFL_LABELS_TEXT_MAX];
    rfl_link_copy_t     kept;            /* the link that is changed */
    rfl_error_t         err;
} rfl_edit_run_t;


typedef struct {
    rfl_rc_t            rc;
    unsigned            status;
    const char         *code;
} rfl_edit_status_t;


static rfl_edit_run_t *rfl_edit_create(const rfl_edit_t *edit,
    rfl_edit_answer_t *answer);
static void rfl_edit_free(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_begin(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_apply(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_add(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_check_link(rfl_edit_run_t *run,
    const rfl_link_t *link);
static rfl_rc_t rfl_edit_new_link(rfl_edit_run_t *run, rfl_link_t *link);
static rfl_rc_t rfl_edit_add_link(rfl_edit_run_t *run, rfl_link_t *link);
static rfl_rc_t rfl_edit_exists(rfl_edit_run_t *run, const rfl_link_t *link);
static rfl_rc_t rfl_edit_change(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_read_change(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_find(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_set_fields(rfl_edit_run_t *run, rfl_link_t *link);
static rfl_rc_t rfl_edit_set(rfl_edit_run_t *run, rfl_link_t *link,
    const rfl_json_change_t *change);
static rfl_rc_t rfl_edit_remove(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_ignore(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_ignore_one(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_heed(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_render(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_render_links(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_render_link(rfl_edit_run_t *run, uint32_t id);
static rfl_rc_t rfl_edit_commit(rfl_edit_run_t *run);
static rfl_rc_t rfl_edit_field_failed(rfl_edit_run_t *run, rfl_rc_t rc);
static rfl_rc_t rfl_edit_body_failed(rfl_edit_run_t *run, rfl_rc_t rc);
static rfl_rc_t rfl_edit_failed(rfl_edit_run_t *run, rfl_rc_t rc);


/* What is not listed is the last row's. */

static const rfl_edit_status_t  rfl_edit_statuses[] = {
    { RFL_INVALID,    400, "FieldInvalid" },
    { RFL_NOT_FOUND,  404, "LinkUnknown" },
    { RFL_EXISTS,     409, "LinkExists" },
    { RFL_DENIED,     409, "ReadOnly" },
    { RFL_FULL,       507, "RegistryFull" },
    { RFL_NO_MEMORY,  500, "NoMemory" },
    { RFL_ERROR,      503, "RegistryUnavailable" }
};


rfl_rc_t
rfl_edit_check(const rfl_edit_t *edit, rfl_edit_answer_t *answer)
{
    rfl_rc_t         rc;
    rfl_edit_run_t  *run;

    if (edit->kind == RFL_EDIT_REMOVE || edit->kind == RFL_EDIT_HEED) {
        return RFL_OK;
    }

    run = rfl_edit_create(edit, answer);
    if (run == NULL) {
        return rfl_edit_fail(answer, RFL_NO_MEMORY, "", NULL);
    }

    rc = edit->kind == RFL_EDIT_ADD ? rfl_edit_add(run)
         : edit->kind == RFL_EDIT_IGNORE ? rfl_edit_ignore(run)
         : rfl_edit_read_change(run);

    rfl_edit_free(run);

    return rc;
}


rfl_rc_t
rfl_edit_run(const rfl_edit_t *edit, rfl_registry_t *registry,
    rfl_totals_t *totals, rfl_edit_answer_t *answer)
{
    rfl_rc_t         rc;
    rfl_edit_run_t  *run;

    run = rfl_edit_create(edit, answer);
    if (run == NULL) {
        return rfl_edit_fail(answer, RFL_NO_MEMORY, "", NULL);
    }

    run->registry = registry;
    run->totals = totals;

    rc = rfl_edit_begin(run);

    if (rc == RFL_OK) {
        rc = rfl_edit_apply(run);
    }

    if (rc != RFL_OK) {
        rfl_buf_free(&answer->text);
    }

    rfl_edit_free(run);

    return rc;
}


static rfl_edit_run_t *
rfl_edit_create(const rfl_edit_t *edit, rfl_edit_answer_t *answer)
{
    rfl_edit_run_t  *run;

    run = calloc(1, sizeof(rfl_edit_run_t));
    if (run == NULL) {
        return NULL;
    }

    run->edit = edit;
    run->answer = answer;

    rfl_json_in_open(&run->in, edit->body);

    run->in.shown = (edit->kind == RFL_EDIT_ADD);

    if (edit->kind == RFL_EDIT_ADD) {
        run->ids = malloc(RFL_JSON_IN_LINKS * sizeof(uint32_t));

        if (run->ids == NULL) {
            free(run);
            return NULL;
        }
    }

    return run;
}


static void
rfl_edit_free(rfl_edit_run_t *run)
{
    rfl_json_in_close(&run->in);

    free(run->ids);
    free(run);
}


static rfl_rc_t
rfl_edit_begin(rfl_edit_run_t *run)
{
    rfl_rc_t  rc;

    rc = rfl_issue_begin(run->registry, run->totals, &run->err);
    if (rc != RFL_OK) {
        return rfl_edit_failed(run, rc == RFL_DENIED ? RFL_ERROR : rc);
    }

    rc = rfl_edit_is_of_links(run->edit->kind)
         ? rfl_registry_may_edit(run->registry, &run->err) : RFL_OK;

    if (rc != RFL_OK) {
        rfl_registry_end(run->registry);
        return rfl_edit_failed(run, rc);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_edit_apply(rfl_edit_run_t *run)
{
    rfl_rc_t  rc;

    switch (run->edit->kind) {

    case RFL_EDIT_ADD:
        rc = rfl_edit_add(run);
        break;

    case RFL_EDIT_CHANGE:
        rc = rfl_edit_change(run);
        break;

    case RFL_EDIT_IGNORE:
        rc = rfl_edit_ignore(run);
        break;

    case RFL_EDIT_HEED:
        rc = rfl_edit_heed(run);
        break;

    default:
        rc = rfl_edit_remove(run);
        break;
    }

    if (rc == RFL_OK) {
        rc = rfl_edit_render(run);
    }

    if (rc != RFL_OK) {
        rfl_registry_end(run->registry);
        return rc;
    }

    return rfl_edit_commit(run);
}


/* Without a registry: whether all could be added, as far as they tell. */

static rfl_rc_t
rfl_edit_add(rfl_edit_run_t *run)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    for ( ;; ) {
        rc = rfl_json_in_next(&run->in, &run->err);

        if (rc == RFL_NOT_FOUND) {
            return RFL_OK;
        }

        if (rc != RFL_OK) {
            return rfl_edit_body_failed(run, rc);
        }

        rc = rfl_edit_new_link(run, &link);

        if (rc == RFL_OK) {
            rc = run->registry != NULL ? rfl_edit_add_link(run, &link)
                                       : rfl_edit_check_link(run, &link);
        }

        if (rc == RFL_EXISTS) {
            return rfl_edit_exists(run, &link);
        }

        if (rc != RFL_OK) {
            return rfl_edit_field_failed(run, rc);
        }
    }
}


static rfl_rc_t
rfl_edit_check_link(rfl_edit_run_t *run, const rfl_link_t *link)
{
    rfl_rc_t  rc;

    rc = rfl_identity(link, &run->identity, &run->err);

    return rc == RFL_OK ? rfl_identity_slip(link, &run->err) : rc;
}


static rfl_rc_t
rfl_edit_new_link(rfl_edit_run_t *run, rfl_link_t *link)
{
    int                       guess;
    size_t                    i;
    rfl_rc_t                  rc;
    const rfl_json_change_t  *change;

    memset(link, 0, sizeof(rfl_link_t));

    guess = 1;

    for (i = 0; i < run->in.nchanges; i++) {
        change = &run->in.changes[i];

        if (change->value.len == 0) {
            continue;
        }

        if (change->field->type == RFL_FIELD_MATCH_TYPE) {
            guess = 0;
        }

        rc = rfl_link_set(link, change->field, change->value, run->scratch,
                          &run->err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (guess) {
        link->match_type = rfl_identity_guess(link->source, link->tag);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_edit_add_link(rfl_edit_run_t *run, rfl_link_t *link)
{
    rfl_rc_t  rc;

    rc = rfl_registry_add(run->registry, link, run->edit->now, &run->err);

    if (rc == RFL_OK) {
        run->ids[run->in.n - 1] = link->id;
    }

    return rc;
}


static rfl_rc_t
rfl_edit_exists(rfl_edit_run_t *run, const rfl_link_t *link)
{
    size_t  i;
    u_char  key[RFL_KEY_LEN];

    rfl_key_text(link->key, key);

    for (i = 0; i + 1 < run->in.n; i++) {
        if (run->ids[i] == link->id) {
            return rfl_edit_fail(run->answer,
                                 rfl_fail(&run->err, RFL_EXISTS, ": it is the "
                                          "same link as links[%zu], %.*s", i,
                                          RFL_KEY_LEN, (const char *) key),
                                 rfl_json_in_where(&run->in), &run->err);
        }
    }

    return rfl_edit_fail(run->answer,
                         rfl_fail(&run->err, RFL_EXISTS,
                                  "%salready registered as %.*s",
                                  run->in.is_array ? ": " : "",
                                  RFL_KEY_LEN, (const char *) key),
                         rfl_json_in_where(&run->in), &run->err);
}


static rfl_rc_t
rfl_edit_change(rfl_edit_run_t *run)
{
    rfl_rc_t  rc;

    rc = rfl_edit_read_change(run);

    if (rc == RFL_OK) {
        rc = rfl_edit_find(run);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_edit_set_fields(run, &run->kept.link);

    if (rc == RFL_OK) {
        rc = rfl_registry_update(run->registry, &run->kept.link, &run->err);
    }

    if (rc != RFL_OK) {
        return rfl_edit_field_failed(run, rc);
    }

    return RFL_OK;
}


/* The body of a change; its fields are also judged, by a link of no name. */

static rfl_rc_t
rfl_edit_read_change(rfl_edit_run_t *run)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = rfl_json_in_next(&run->in, &run->err);

    if (rc == RFL_OK && run->in.is_array) {
        rc = rfl_fail(&run->err, RFL_DAMAGED, "one link is changed by an "
                      "object, not by an array");
    }

    if (rc != RFL_OK) {
        return rfl_edit_body_failed(run, rc);
    }

    memset(&link, 0, sizeof(rfl_link_t));

    rc = rfl_edit_set_fields(run, &link);

    return rc == RFL_OK ? RFL_OK : rfl_edit_field_failed(run, rc);
}


/* A copy: the next write ends the slices of what was read. */

static rfl_rc_t
rfl_edit_find(rfl_edit_run_t *run)
{
    u_char      key[RFL_KEY_LEN];
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = rfl_registry_by_key(run->registry, run->edit->key, &link);

    if (rc == RFL_NOT_FOUND) {
        rfl_key_text(run->edit->key, key);
        (void) rfl_fail(&run->err, rc, "no link is registered with the key "
                        "%.*s", RFL_KEY_LEN, (const char *) key);

        return rfl_edit_failed(run, rc);
    }

    if (rc == RFL_OK) {
        rc = rfl_link_copy(&run->kept, &link);
    }

    if (rc != RFL_OK) {
        (void) rfl_fail(&run->err, rc, "the link's record cannot be read");
        return rfl_edit_failed(run, rc);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_edit_set_fields(rfl_edit_run_t *run, rfl_link_t *link)
{
    size_t    i;
    rfl_rc_t  rc;

    for (i = 0; i < run->in.nchanges; i++) {
        rc = rfl_edit_set(run, link, &run->in.changes[i]);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_edit_set(rfl_edit_run_t *run, rfl_link_t *link,
    const rfl_json_change_t *change)
{
    if (change->field->identity
        || (change->field->offset == offsetof(rfl_link_t, tag)
            && link->match_type == RFL_MATCH_TAG))
    {
        return rfl_fail(&run->err, RFL_INVALID, "%.*s: it says which link this "
                        "is and never changes: add another one, and keep "
                        "this one as long as its clicks are to be reported",
                        (int) change->field->name.len,
                        (const char *) change->field->name.data);
    }

    return rfl_link_set(link, change->field, change->value, run->scratch,
                        &run->err);
}


static rfl_rc_t
rfl_edit_remove(rfl_edit_run_t *run)
{
    rfl_rc_t  rc;

    rc = rfl_registry_remove(run->registry, run->edit->key, &run->err);

    return rc == RFL_OK ? RFL_OK : rfl_edit_failed(run, rc);
}


/*
 * The body is read as links of which nothing but the source is said.  What is
 * ignored already stays so.
 */

static rfl_rc_t
rfl_edit_ignore(rfl_edit_run_t *run)
{
    rfl_rc_t    rc;
    rfl_buf_t  *b;

    b = &run->answer->text;

    if (run->registry != NULL) {
        rfl_buf_text(b, "{\"ignored\":[");
    }

    for ( ;; ) {
        rc = rfl_json_in_next(&run->in, &run->err);

        if (rc == RFL_NOT_FOUND) {
            break;
        }

        if (rc != RFL_OK) {
            return rfl_edit_body_failed(run, rc);
        }

        rc = rfl_edit_ignore_one(run);

        if (rc != RFL_OK) {
            return rfl_edit_field_failed(run, rc);
        }
    }

    if (run->registry != NULL) {
        rfl_buf_text(b, "]}\n");
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_edit_ignore_one(rfl_edit_run_t *run)
{
    size_t              len;
    u_char              host[RFL_IGNORED_HOST];
    rfl_rc_t            rc;
    rfl_json_change_t  *change;

    change = run->in.changes;

    if (run->in.nchanges != 1
        || change->field->offset != offsetof(rfl_link_t, source))
    {
        return rfl_fail(&run->err, RFL_INVALID, "source: a host is wanted, and "
                        "nothing else");
    }

    rc = rfl_ignored_parse(change->value, host, &len, &run->err);

    if (rc != RFL_OK || run->registry == NULL) {
        return rc;
    }

    rfl_json_item(&run->answer->text);
    rfl_json_string(&run->answer->text, rfl_str(host, len));

    rc = rfl_ignored_add(run->registry, rfl_str(host, len), run->edit->now,
                         &run->err);

    return rc == RFL_EXISTS ? RFL_OK : rc;
}


static rfl_rc_t
rfl_edit_heed(rfl_edit_run_t *run)
{
    rfl_rc_t   rc;
    rfl_str_t  host;

    host = rfl_str(run->edit->host, run->edit->host_len);

    rc = rfl_ignored_remove(run->registry, host, &run->err);

    if (rc == RFL_NOT_FOUND) {
        (void) rfl_query_refuse(&run->answer->result, 404, "HostUnknown",
                                "this host is not ignored");
        return rc;
    }

    return rc == RFL_OK ? RFL_OK : rfl_edit_failed(run, rc);
}


static rfl_rc_t
rfl_edit_render(rfl_edit_run_t *run)
{
    rfl_rc_t       rc;
    rfl_ledger_t  *ledger;

    ledger = run->totals->ledger;

    if (run->edit->kind == RFL_EDIT_REMOVE
        || run->edit->kind == RFL_EDIT_HEED)
    {
        run->answer->result.status = 204;
        return RFL_OK;
    }

    if (run->edit->kind == RFL_EDIT_IGNORE) {
        run->answer->result.status = 201;
        return run->answer->text.failed ? rfl_edit_failed(run, RFL_NO_MEMORY)
                                        : RFL_OK;
    }

    if (ledger != NULL) {
        rc = rfl_ledger_begin(ledger, &run->err);
        if (rc != RFL_OK) {
            return rfl_edit_failed(run, rc);
        }
    }

    rc = rfl_edit_render_links(run);

    if (ledger != NULL) {
        rfl_ledger_end(ledger);
    }

    if (run->answer->text.failed) {
        rc = RFL_NO_MEMORY;
    }

    if (rc != RFL_OK) {
        (void) rfl_fail(&run->err, rc, "the links cannot be read");
        return rfl_edit_failed(run, rc == RFL_NO_MEMORY ? rc : RFL_ERROR);
    }

    return RFL_OK;
}


/* When all are added: a link may be in a group with one that came later. */

static rfl_rc_t
rfl_edit_render_links(rfl_edit_run_t *run)
{
    size_t       i;
    rfl_rc_t     rc;
    rfl_buf_t   *b;
    rfl_link_t   link;

    b = &run->answer->text;

    if (run->edit->kind == RFL_EDIT_CHANGE) {
        run->answer->result.status = 200;

        rc = rfl_registry_by_key(run->registry, run->edit->key, &link);

        if (rc == RFL_OK) {
            rc = rfl_report_link(b, run->registry, run->totals, &link);
        }

        rfl_buf_text(b, "\n");

        return rc;
    }

    run->answer->result.status = 201;

    if (!run->in.is_array) {
        rc = rfl_edit_render_link(run, run->ids[0]);
        rfl_buf_text(b, "\n");

        return rc;
    }

    rfl_buf_text(b, "{\"links\":[");

    for (i = 0, rc = RFL_OK; rc == RFL_OK && i < run->in.n; i++) {
        rfl_buf_text(b, i == 0 ? "\n" : ",\n");
        rc = rfl_edit_render_link(run, run->ids[i]);
    }

    rfl_buf_text(b, "\n]}\n");

    return rc;
}


static rfl_rc_t
rfl_edit_render_link(rfl_edit_run_t *run, uint32_t id)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = rfl_registry_link(run->registry, id, &link);

    return rc == RFL_OK
           ? rfl_report_link(&run->answer->text, run->registry, run->totals,
                             &link)
           : rc;
}


/*
 * Cells first: a link that has none counts as overflow.  Where there is no
 * room for them the link is registered all the same, as the command does it;
 * health says so.
 */

static rfl_rc_t
rfl_edit_commit(rfl_edit_run_t *run)
{
    rfl_rc_t  rc;

    rc = rfl_issue_commit(run->registry, run->totals, NULL, &run->err);

    return rc == RFL_OK ? RFL_OK : rfl_edit_failed(run, rc);
}


/* err begins with the field's name, or speaks of the link. */

static rfl_rc_t
rfl_edit_field_failed(rfl_edit_run_t *run, rfl_rc_t rc)
{
    char  where[40];

    where[0] = '\0';

    if (run->in.is_array) {
        (void) snprintf(where, sizeof(where), "%s%s",
                        rfl_json_in_where(&run->in),
                        rc == RFL_INVALID ? "." : ": ");
    }

    return rfl_edit_fail(run->answer, rc, where, &run->err);
}


static rfl_rc_t
rfl_edit_body_failed(rfl_edit_run_t *run, rfl_rc_t rc)
{
    rfl_query_error_t  *result;

    result = &run->answer->result;

    switch (rc) {

    case RFL_DAMAGED:
        (void) rfl_query_refuse(result, 400, "BodyInvalid", "%s",
                                run->err.text);
        return rc;

    case RFL_FULL:
        (void) rfl_query_refuse(result, 413, "BodyTooLarge", "%s",
                                run->err.text);
        return rc;

    default:
        return rfl_edit_failed(run, rc);
    }
}


static rfl_rc_t
rfl_edit_failed(rfl_edit_run_t *run, rfl_rc_t rc)
{
    return rfl_edit_fail(run->answer, rc, "", &run->err);
}


rfl_rc_t
rfl_edit_fail(rfl_edit_answer_t *answer, rfl_rc_t rc, const char *where,
    const rfl_error_t *err)
{
    size_t                    i, last;
    const rfl_edit_status_t  *row;

    last = sizeof(rfl_edit_statuses) / sizeof(rfl_edit_statuses[0]) - 1;

    for (i = 0; i < last && rfl_edit_statuses[i].rc != rc; i++) {
        /* void */
    }

    row = &rfl_edit_statuses[i];

    (void) rfl_query_refuse(&answer->result, row->status, row->code, "%s%s",
                            where, err != NULL ? err->text : "out of memory");

    return rc;
}
