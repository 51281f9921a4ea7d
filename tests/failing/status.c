/* Scenarios of failing.h: what the status location answers, and writes. */

#include "failing.h"

#include <stdio.h>
#include <unistd.h>

#include "rfl_edit.h"
#include "rfl_feed.h"


static void
start(scene_t *s)
{
    rfl_runtime_init(&s->rt, &s->conf, 0);
    s->running = 1;

    rfl_runtime_tick(&s->rt, NOW);
}


/* What is not open says why. */

static rfl_rc_t
start_runtime(scene_t *s)
{
    const rfl_runtime_t  *rt;

    start(s);
    rt = &s->rt;

    if (rt->registry != NULL && rt->ledger != NULL && rt->counters != NULL) {
        return RFL_OK;
    }

    must(rt->registry_error.rc != RFL_OK || rt->ledger_error.rc != RFL_OK
         || rt->counters_error.rc != RFL_OK);

    return named(s, RFL_ERROR, "opening one of the three");
}


static rfl_view_request_t
ask(rfl_runtime_t **rt, const char *path, const char *args)
{
    rfl_view_request_t  request;

    memset(&request, 0, sizeof(rfl_view_request_t));
    request.runtimes = rt;
    request.n = 1;
    request.path = rfl_cstr(path);
    request.args = rfl_cstr(args);

    return request;
}


/* An error is an answer, and nothing else is rendered then. */

static rfl_rc_t
view(scene_t *s, const char *path, const char *args, rfl_buf_t *out)
{
    rfl_rc_t            rc;
    rfl_buf_t           b = rfl_buf_init;
    rfl_view_t         *v;
    rfl_runtime_t      *rt;
    rfl_view_error_t    error;
    rfl_view_request_t  request;

    rt = &s->rt;
    request = ask(&rt, path, args);

    memset(&error, 0, sizeof(rfl_view_error_t));

    rc = rfl_view_open(&v, &request, &error);

    if (rc != RFL_OK) {
        must(error.status >= 400 && error.code != NULL);
        return named(s, rc, path);
    }

    do {
        rc = rfl_view_step(v, &b);
    } while (rc == RFL_BUSY);

    if (rc != RFL_OK) {
        must(rfl_view_fault(v)->status >= 500);

    } else if (out != NULL) {
        rfl_buf_add(out, b.data, b.len);
    }

    rfl_view_close(v);
    rfl_buf_free(&b);

    return named(s, rc, path);
}


/* One that failed does not keep the next ones from being right. */

static rfl_rc_t
render(scene_t *s)
{
    size_t    i;
    rfl_rc_t  rc;

    static const char *const  views[][2] = {
        { "/links", "limit=all" },
        { "/links", "sort=clicks&limit=2" },
        { "/links", "sort=clicks&from=2026-11-01&compare=previous&limit=2" },
        { "/links", "host=blog.example&q=launch&format=csv" },
        { "/links", "state=new" },
        { "/history", "unit=hour&from=2026-11-19&to=2026-11-21" },
        { "/hosts", "sort=name" },
        { "/labels", "from=2026-11-19&to=2026-11-21" },
        { "/sources", "" }
    };

    for (i = 0, rc = RFL_OK; i < COUNT(views); i++) {
        if (view(s, views[i][0], views[i][1], s->out) != RFL_OK) {
            rc = RFL_ERROR;
        }
    }

    return rc;
}


static const step_pt  views_steps[] = { start_runtime, render, NULL };


/* These tell the time, so they never say the same twice. */

static rfl_rc_t
render_clocks(scene_t *s)
{
    rfl_rc_t  rc;

    rc = view(s, "/", "", NULL);

    return rc == RFL_OK ? view(s, "/metrics", "links=all", NULL) : rc;
}


static rfl_rc_t
feed(scene_t *s)
{
    unsigned             i;
    rfl_rc_t             rc;
    rfl_buf_t            b = rfl_buf_init;
    rfl_feed_t          *feed;
    rfl_runtime_t       *rt;
    rfl_view_error_t     error;
    rfl_view_request_t   request;

    rt = &s->rt;
    request = ask(&rt, "/events", "");

    if (rfl_feed_open(&feed, &request, NOW, 1, &error) != RFL_OK) {
        must(error.status >= 400);
        return named(s, RFL_ERROR, "a feed");
    }

    for (i = 0, rc = RFL_OK; i < 2; i++) {
        if (rfl_feed_step(feed, NOW + i, 1 + 1000 * i, &b) < 0 || b.failed) {
            rc = RFL_ERROR;
        }
    }

    rfl_feed_close(feed);
    rfl_buf_free(&b);

    return named(s, rc, "a step of the feed");
}


static const step_pt  clocks_steps[] = {
    start_runtime, render_clocks, feed, NULL
};


/* Files come and go under a runtime, and calls fail: it goes on. */

static rfl_rc_t
run_runtime(scene_t *s)
{
    unsigned      i;
    rfl_record_t  record;

    s->conf.volatile_fd = rfl_counters_volatile_create("failing", geteuid());
    s->conf.canary = rfl_canary_create();
    rfl_canary_join(s->conf.canary);

    memset(&record, 0, sizeof(rfl_record_t));
    record.attribution.outcome = RFL_OUTCOME_MATCHED;
    record.attribution.evidence = RFL_EVIDENCE_EXACT;
    record.attribution.id = 1;
    record.class = RFL_CLASS_CLICK;
    record.now = NOW;

    rfl_runtime_init(&s->rt, &s->conf, 0);

    for (i = 0; i < 6; i++) {
        rfl_runtime_tick(&s->rt, NOW + i);
        rfl_record(s->rt.zone, s->rt.counters, &record);
        (void) rfl_runtime_totals(&s->rt);

        if (i == 1) {
            (void) remove(s->cells);
        }

        if (i == 2) {
            rfl_runtime_give_up_counters(&s->rt);
        }

        if (i == 3) {
            s->conf.counters = "/nowhere/cells";
            (void) remove(s->cells);
        }
    }

    rfl_runtime_close(&s->rt);
    rfl_canary_free(s->conf.canary);

    if (s->conf.volatile_fd != -1) {
        (void) close(s->conf.volatile_fd);
    }

    return RFL_OK;
}


static const step_pt  runtime_steps[] = { run_runtime, NULL };


/* A write of the status tree: what it answers, or an error and no text. */

static rfl_rc_t
edit(scene_t *s, rfl_edit_kind_t kind, const char *body)
{
    rfl_rc_t           rc;
    rfl_edit_t         edit;
    rfl_link_t         link;
    rfl_edit_answer_t  answer;

    static rfl_identity_t  id;

    set_link(&link, &entries[1]);

    rc = rfl_identity(&link, &id, &s->err);
    if (rc != RFL_OK) {
        return rc;
    }

    memset(&edit, 0, sizeof(rfl_edit_t));
    edit.kind = kind;
    edit.key = kind == RFL_EDIT_ADD ? 0 : id.key;
    edit.body = rfl_cstr(body);
    edit.now = NOW;

    memset(&answer, 0, sizeof(rfl_edit_answer_t));
    rc = rfl_edit_check(&edit, &answer);

    if (rc == RFL_OK) {
        rc = rfl_edit_run(&edit, s->registry, &s->totals, &answer);
    }

    if (rc != RFL_OK) {
        must(answer.result.status >= 400 && answer.text.len == 0);

    } else {
        rfl_buf_fmt(s->out, "%u ", answer.result.status);
        rfl_buf_add(s->out, answer.text.data, answer.text.len);
    }

    rfl_buf_free(&answer.text);

    return named(s, rc, "an edit");
}


static rfl_rc_t
add_two(scene_t *s)
{
    return edit(s, RFL_EDIT_ADD,
                "[{\"source\":\"https://new.example/a\",\"labels\":"
                "[\"x\",\"a\"],\"cost\":1.5},{\"source\":"
                "\"https://new.example/b\",\"tag\":\"pair\"}]");
}


static rfl_rc_t
change(scene_t *s)
{
    return edit(s, RFL_EDIT_CHANGE, "{\"name\":\"n\",\"tag\":\"mail\"}");
}


static rfl_rc_t
delete(scene_t *s)
{
    return edit(s, RFL_EDIT_REMOVE, "");
}


static const step_pt  add_steps[] = {
    open_registry, open_totals, add_two, tell_links, NULL
};

static const step_pt  patch_steps[] = {
    open_registry, open_totals, change, tell_links, NULL
};

static const step_pt  delete_steps[] = {
    open_registry, open_totals, delete, tell_links, NULL
};


const scenario_t  status_scenarios[] = {
    { .name = "views", .prepare = prepare_site, .steps = views_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS },
    { .name = "clocks", .prepare = prepare_site, .steps = clocks_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS },
    { .name = "runtime", .prepare = prepare_site, .steps = runtime_steps },
    { .name = "add", .prepare = prepare_site, .steps = add_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS + 2 },
    { .name = "patch", .prepare = prepare_site, .steps = patch_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS },
    { .name = "delete", .prepare = prepare_site, .steps = delete_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS - 1 },
    { .name = NULL }
};
