/*
 * Filters, fields, sums by host, channel, partner and label, JSON and CSV:
 * random links with all fields, random requests, against a list.
 */

#define _GNU_SOURCE

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "rfl_csv.h"
#include "rfl_ledger_parts.h"
#include "rfl_view.h"
#include "site.h"


#define LINKS   420
#define IDS     2000
#define HOURS   72
#define START   (1795132800 - 3 * 86400)
#define NAMES   600
#define MANY    40000
#define FAR     60000013                 /* an id that nobody comes near */
#define GAP     8


/* What the model knows of a link; removed ones stay in the list. */

typedef struct {
    unsigned    removed:1;
    uint32_t    id;
    uint64_t    key;
    unsigned    match;
    const char *host;                    /* as rows show it */
    const char *channel;
    const char *origin;
    const char *partner;
    char        labels[64];
    char        source[128];
    char        tag[16];
    char        name[64];
    char        note[64];
    const char *target;
} model_t;

enum { CLICKS = 0, BOTS, ERRORS, COUNTS };

typedef struct {
    char      name[128];
    unsigned  links;
    unsigned  n[COUNTS];
} sum_t;

typedef struct {
    const char  *source;                 /* of its URLs */
    const char  *host;
} place_t;


static const place_t  places[] = {
    { "https://blog.example", "blog.example" },
    { "http://WWW.Blog.Example:8080", "blog.example" },
    { "https://eu.blog.example", "eu.blog.example" },
    { "https://blog-two.example", "blog-two.example" },
    { "https://example.org", "example.org" },
    { "https://a.b.example.org", "a.b.example.org" },
    { "http://192.0.2.7", "192.0.2.7" },
    { "https://[2001:db8::1]", "[2001:db8::1]" },
    { "android-app://com.Reader.app", "android-app:com.reader.app" },
};

static const char *const  channels[] = { "unassigned", "outreach", "paid",
                                         "press", "my-own" };
static const char *const  origins[] = { "other", "built", "paid", "built",
                                        "other" };
static const char *const  partners[] = { "", "Acme", "acme", "=1+1",
                                         "B, \"and\" sons" };
static const char *const  labels[] = { "a", "b", "q4", "=x" };
static const char *const  targets[] = { "", "/pricing", "/about" };
static const char *const  fields[] = { "clicks", "bots", "errors_4xx" };
static const char *const  paths[] = { "/hosts", "/channels", "/partners",
                                      "/labels" };
static const char *const  members[] = { "hosts", "channels", "partners",
                                        "labels" };

static site_t          site;
static rfl_runtime_t  *runtimes[1];
static model_t         links[LINKS];
static unsigned        counts[IDS][HOURS][COUNTS];
static uint32_t        next_id;
static unsigned        steps;


static unsigned
any(unsigned n)
{
    return (unsigned) random() % n;
}


static void ask_groups(void);


static void
add(unsigned i)
{
    u_char           scratch[RFL_LABELS_TEXT_MAX];
    size_t           k;
    rfl_rc_t         rc;
    unsigned         channel;
    model_t         *m;
    rfl_link_t       link;
    rfl_error_t      err;
    const place_t   *place;

    m = &links[i];
    memset(m, 0, sizeof(model_t));
    memset(&link, 0, sizeof(rfl_link_t));

    place = &places[any(9)];
    channel = any(5);

    m->match = any(8) == 0 ? RFL_MATCH_TAG : any(3) == 0 ? RFL_MATCH_PREFIX
                                                         : RFL_MATCH_EXACT;
    m->target = targets[any(3)];
    m->channel = channels[channel];
    m->origin = any(5) == 0 ? "earned" : origins[channel];
    m->partner = partners[any(5)];
    m->host = m->match == RFL_MATCH_TAG ? "" : place->host;

    if (m->match != RFL_MATCH_TAG) {
        (void) snprintf(m->source, sizeof(m->source), "%s/p%u", place->source,
                        any(40));
    }

    if (m->match == RFL_MATCH_TAG || any(4) == 0) {
        (void) snprintf(m->tag, sizeof(m->tag), "t%u", any(12));
    }

    for (k = 0; k < 4; k++) {
        if (any(3) == 0) {
            (void) strcat(strcat(m->labels, m->labels[0] ? "," : ""),
                          labels[k]);
        }
    }

    (void) snprintf(m->name, sizeof(m->name), "Name%u %s", any(50),
                    any(5) == 0 ? "\xff\"<Ring>" : "");
    (void) snprintf(m->note, sizeof(m->note), "%s",
                    any(3) == 0 ? "neEdle in Hay" : "");

    link.match_type = m->match;
    link.source = rfl_cstr(m->source);
    link.target = rfl_cstr(m->target);
    link.tag = rfl_cstr(m->tag);
    link.name = rfl_cstr(m->name);
    link.note = rfl_cstr(m->note);
    link.partner = rfl_cstr(m->partner);

    assert_int_equal(rfl_link_set(&link, rfl_link_field(rfl_cstr("channel")),
                                  rfl_cstr(m->channel), scratch, &err),
                     RFL_OK);
    assert_int_equal(rfl_link_set(&link, rfl_link_field(rfl_cstr("labels")),
                                  rfl_cstr(m->labels), scratch, &err),
                     RFL_OK);

    if (strcmp(m->origin, origins[channel]) != 0) {
        link.origin = rfl_cstr(m->origin);
    }

    rc = rfl_registry_add(site.rt.registry, &link, 1, &err);

    if (rc == RFL_EXISTS) {
        add(i);
        return;
    }

    if (rc != RFL_OK) {
        fail_msg("%s", err.text);
    }

    m->id = link.id;
    m->key = link.key;
}


static void
count(uint32_t id, unsigned hour, unsigned what)
{
    rfl_group_t   group;
    rfl_record_t  record;

    static const rfl_class_t  classes[] = { RFL_CLASS_CLICK, RFL_CLASS_BOT,
                                            RFL_CLASS_ERROR };

    assert_int_equal(rfl_registry_begin(site.rt.registry, 0, NULL), RFL_OK);

    memset(&record, 0, sizeof(rfl_record_t));
    record.attribution.outcome =
        rfl_registry_group(site.rt.registry, id, &group) == RFL_OK
        ? RFL_OUTCOME_AMBIGUOUS : RFL_OUTCOME_MATCHED;
    record.attribution.evidence = RFL_EVIDENCE_EXACT;
    record.attribution.id = id;
    record.class = classes[what];
    record.status = what == ERRORS ? 404 : 200;
    record.now = START + hour * 3600;

    rfl_registry_end(site.rt.registry);

    rfl_record(site.rt.zone, site.rt.counters, &record);
    counts[id][hour][what]++;
}


static void
flush_at(uint64_t now)
{
    rfl_error_t       err;
    rfl_flush_t       flush;
    rfl_flush_stat_t  stat;

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = site.counters;
    flush.now_ms = now * 1000;

    assert_int_equal(rfl_ledger_flush(site.rt.ledger, site.rt.counters,
                                      &flush, &stat, &err), RFL_OK);
}


static void
remove_some(void)
{
    unsigned     i;
    rfl_error_t  err;

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, &err), RFL_OK);

    for (i = 0; i < LINKS; i++) {
        if (any(6) == 0) {
            links[i].removed = 1;
            assert_int_equal(rfl_registry_remove(site.rt.registry,
                                                 links[i].key, &err), RFL_OK);
        }
    }

    assert_int_equal(rfl_registry_commit(site.rt.registry, &err), RFL_OK);
}


static int
setup(void **state)
{
    unsigned             i, hour;
    rfl_error_t          err;
    rfl_registry_meta_t  meta;

    srandom(11);

    site_init(&site, "main");
    site_open(&site);
    runtimes[0] = &site.rt;

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, &err), RFL_OK);

    for (i = 0; i < LINKS; i++) {
        add(i);
    }

    assert_int_equal(rfl_registry_meta(site.rt.registry, &meta), RFL_OK);
    assert_int_equal(rfl_registry_commit(site.rt.registry, &err), RFL_OK);
    rfl_runtime_tick(&site.rt, 1);

    next_id = meta.next_id;
    assert_true(next_id < IDS);
    assert_true(meta.groups > 20);

    assert_int_equal(rfl_ledger_open(&site.rt.ledger, site.dir, meta.uuid,
                                     RFL_STORE_CREATE, site.conf.map_size,
                                     &err), RFL_OK);
    site.rt.ledger_error.rc = RFL_OK;

    for (hour = 0; hour < HOURS; hour += 1 + any(3)) {
        for (i = 0; i < 300; i++) {
            count(1 + any(next_id - 1), hour, any(5) < 3 ? 0 : 1 + any(2));
        }

        flush_at(START + hour * 3600 + 60);
    }

    remove_some();
    ask_groups();

    return 0;
}


static int
teardown(void **state)
{
    site_remove(&site);

    return 0;
}


static void
answer(const char *path, const char *args, rfl_buf_t *whole)
{
    rfl_rc_t            rc;
    rfl_buf_t           step = rfl_buf_init;
    rfl_view_t         *v;
    rfl_view_error_t    error;
    rfl_view_request_t  request;

    memset(&request, 0, sizeof(rfl_view_request_t));
    request.runtimes = runtimes;
    request.n = 1;
    request.path = rfl_cstr(path);
    request.args = rfl_cstr(args);

    if (rfl_view_open(&v, &request, &error) != RFL_OK) {
        fail_msg("%s?%s: %s", path, args, error.text);
    }

    whole->len = 0;
    steps = 0;

    do {
        step.len = 0;
        rc = rfl_view_step(v, &step);
        steps++;

        if (rc != RFL_OK && rc != RFL_BUSY) {
            fail_msg("%s?%s: %d", path, args, rc);
        }

        assert_true(step.len < RFL_VIEW_STEP_BYTES + 32768);
        rfl_buf_add(whole, step.data, step.len);
    } while (rc == RFL_BUSY);

    assert_false(whole->failed);

    rfl_buf_free(&step);
    rfl_view_close(v);
}


static json_t *
json_of(const char *path, const char *args)
{
    json_t        *json;
    rfl_buf_t      whole = rfl_buf_init;
    json_error_t   error;

    answer(path, args, &whole);

    json = json_loadb((char *) whole.data, whole.len,
                      JSON_REJECT_DUPLICATES, &error);

    if (json == NULL) {
        fail_msg("%s?%s: %s\n%.*s", path, args, error.text, (int) whole.len,
                 (char *) whole.data);
    }

    rfl_buf_free(&whole);

    return json;
}


/* "&from=...&to=..." of hours, or "". */

static const char *
span(unsigned from, unsigned to)
{
    static char  text[128];
    rfl_buf_t    b = rfl_buf_init;

    if (from == to) {
        return "";
    }

    rfl_buf_text(&b, "&from=");
    rfl_buf_time(&b, START + from * 3600);
    rfl_buf_text(&b, "&to=");
    rfl_buf_time(&b, START + to * 3600);
    rfl_buf_char(&b, '\0');

    (void) snprintf(text, sizeof(text), "%s", (char *) b.data);
    rfl_buf_free(&b);

    return text;
}


/* from == to: all of it. */

static unsigned
counted(uint32_t id, unsigned from, unsigned to, unsigned what)
{
    unsigned  hour, n;

    if (from == to) {
        from = 0;
        to = HOURS;
    }

    for (hour = from, n = 0; hour < to; hour++) {
        n += counts[id][hour][what];
    }

    return n;
}


/* The model of sums. */

static sum_t     rows[NAMES], shared, removed;
static unsigned  nrows;


static sum_t *
row_of(const char *name)
{
    unsigned  i;

    for (i = 0; i < nrows; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }

    assert_true(nrows < NAMES);
    memset(&rows[nrows], 0, sizeof(sum_t));
    (void) snprintf(rows[nrows].name, sizeof(rows[nrows].name), "%s", name);

    return &rows[nrows++];
}


static unsigned
names_of(unsigned by, const model_t *m, char names[4][64])
{
    char      text[64], *p;
    unsigned  n;

    (void) snprintf(text, sizeof(text), "%s",
                    by == 0 ? m->host : by == 1 ? m->channel
                    : by == 2 ? m->partner : m->labels);

    if (by != 3 || text[0] == '\0') {
        (void) snprintf(names[0], 64, "%s", text);
        return 1;
    }

    for (n = 0, p = strtok(text, ","); p != NULL; p = strtok(NULL, ",")) {
        (void) snprintf(names[n++], 64, "%s", p);
    }

    return n;
}


/* Registered links that say they are of a group; they do not change. */

static uint32_t  groups_of[LINKS][RFL_LINK_GROUPS_MAX];


static void
ask_groups(void)
{
    size_t            k, n;
    unsigned          i;
    rfl_link_t        link;
    rfl_membership_t  groups[RFL_LINK_GROUPS_MAX];

    assert_int_equal(rfl_registry_begin(site.rt.registry, 0, NULL), RFL_OK);

    for (i = 0; i < LINKS; i++) {
        if (links[i].removed) {
            continue;
        }

        assert_int_equal(rfl_registry_link(site.rt.registry, links[i].id,
                                           &link), RFL_OK);
        assert_int_equal(rfl_registry_groups(site.rt.registry, &link, groups,
                                             &n), RFL_OK);

        for (k = 0; k < n; k++) {
            groups_of[i][k] = groups[k].group.id;
        }
    }

    rfl_registry_end(site.rt.registry);
}


static unsigned
members_of(uint32_t group, const model_t **list)
{
    size_t    k;
    unsigned  i, found;

    for (i = 0, found = 0; i < LINKS; i++) {
        for (k = 0; k < RFL_LINK_GROUPS_MAX; k++) {
            if (groups_of[i][k] == group) {
                list[found++] = &links[i];
            }
        }
    }

    return found;
}


static void
sum(sum_t *row, uint32_t id, unsigned from, unsigned to)
{
    unsigned  i;

    for (i = 0; i < COUNTS; i++) {
        row->n[i] += counted(id, from, to, i);
    }
}


static void
sum_group(unsigned by, uint32_t id, unsigned from, unsigned to)
{
    char            names[4][64], others[4][64];
    unsigned        i, k, n, m, all, rows_n;
    const model_t  *list[LINKS];

    n = members_of(id, list);

    if (n < 2) {
        sum(&removed, id, from, to);
        return;
    }

    m = names_of(by, list[0], names);

    for (i = 0, rows_n = 0; i < m; i++) {
        for (k = 1, all = 1; k < n; k++) {
            unsigned  j, count, has;

            count = names_of(by, list[k], others);

            for (j = 0, has = 0; j < count; j++) {
                has |= (strcmp(others[j], names[i]) == 0);
            }

            all &= has;
        }

        if (all) {
            sum(row_of(names[i]), id, from, to);
            rows_n++;
        }
    }

    if (rows_n == 0) {
        shared.links += counted(id, from, to, CLICKS) != 0
                        || counted(id, from, to, BOTS) != 0
                        || counted(id, from, to, ERRORS) != 0;
        sum(&shared, id, from, to);
    }
}


static void
make_model(unsigned by, unsigned from, unsigned to)
{
    char      names[4][64];
    unsigned  i, k, n;
    uint32_t  id;

    nrows = 0;
    memset(&shared, 0, sizeof(sum_t));
    memset(&removed, 0, sizeof(sum_t));

    for (id = 1; id < next_id; id++) {

        for (i = 0; i < LINKS && links[i].id != id; i++) { /* void */ }

        if (i == LINKS) {
            sum_group(by, id, from, to);

        } else if (links[i].removed) {
            sum(&removed, id, from, to);

        } else {
            n = names_of(by, &links[i], names);

            for (k = 0; k < n; k++) {
                row_of(names[k])->links++;
                sum(row_of(names[k]), id, from, to);
            }
        }
    }
}


static void
check_counts(const json_t *counters, const sum_t *row)
{
    unsigned  i;

    assert_int_equal(json_object_size(counters), RFL_CELL_SUMS);

    for (i = 0; i < COUNTS; i++) {
        assert_int_equal(json_integer_value(json_object_get(counters,
                                                            fields[i])),
                         row->n[i]);
    }
}


static const char *
name_of(const json_t *row)
{
    return json_string_value(json_object_get(row, "name"));
}


static unsigned
count_of(const json_t *row, unsigned field)
{
    return (unsigned) json_integer_value(
        json_object_get(json_object_get(row, "counters"), fields[field]));
}


/* The order of names: of hosts that of their SURTs. */

static int
in_order(unsigned by, const char *a, const char *b)
{
    rfl_url_t  url;
    u_char     surt[2][RFL_HOST_MAX + 16];
    size_t     len[2], i;

    if (by != 0) {
        return strcmp(a, b) < 0;
    }

    for (i = 0; i < 2; i++) {
        const char  *name = i == 0 ? a : b;

        if (strncmp(name, "android-app:", 12) == 0 || name[0] == '\0') {
            len[i] = strlen(name);
            memcpy(surt[i], name, len[i]);

        } else {
            assert_int_equal(rfl_url_parse_host(rfl_cstr(name), &url, NULL),
                             RFL_OK);
            len[i] = rfl_surt_host(&url, surt[i]);
        }

        surt[i][len[i]++] = ')';
    }

    return memcmp(surt[0], surt[1], len[0] < len[1] ? len[0] : len[1]) < 0;
}


/* All pages, by their cursors: every row once, its sums, the order. */

static void
check_pages(unsigned by, int field, int ascending, unsigned limit,
    unsigned from, unsigned to, int compare)
{
    char        args[512], next[256], before[128];
    json_t     *json, *page, *row;
    size_t      i;
    unsigned    seen, last, n;
    const char *cursor;
    sum_t       now[NAMES], shared_now, removed_now;
    unsigned    nnow;

    make_model(by, from, to);
    memcpy(now, rows, sizeof(rows));
    nnow = nrows;
    shared_now = shared;
    removed_now = removed;

    if (compare) {
        make_model(by, 2 * from - to, from);
    }

    next[0] = '\0';
    before[0] = '\0';
    seen = 0;
    last = 0;

    do {
        (void) snprintf(args, sizeof(args), "limit=%u&sort=%s&order=%s%s%s"
                        "&after=%s", limit, field < 0 ? "name"
                                                      : fields[field],
                        ascending ? "asc" : "desc", span(from, to),
                        compare ? "&compare=previous" : "", next);

        json = json_of(paths[by], args);
        page = json_object_get(json, members[by]);
        assert_true(json_array_size(page) <= limit);

        json_array_foreach(page, i, row) {

            for (n = 0; n < nnow; n++) {
                if (strcmp(now[n].name, name_of(row)) == 0) {
                    break;
                }
            }

            if (n == nnow || now[n].links == 0) {
                fail_msg("%s?%s: \"%s\"", paths[by], args, name_of(row));
            }

            assert_int_equal(json_integer_value(json_object_get(row,
                                                                "links")),
                             now[n].links);
            check_counts(json_object_get(row, "counters"), &now[n]);

            if (compare) {
                check_counts(json_object_get(row, "previous"),
                             row_of(now[n].name));
            } else {
                assert_null(json_object_get(row, "previous"));
            }

            now[n].links = 0;

            if (seen++ != 0) {
                if (field < 0) {
                    assert_int_equal(in_order(by, before, name_of(row)),
                                     ascending);
                } else if (ascending) {
                    assert_true(last <= count_of(row, (unsigned) field));
                } else {
                    assert_true(last >= count_of(row, (unsigned) field));
                }
            }

            last = count_of(row, field < 0 ? 0 : (unsigned) field);
            (void) snprintf(before, sizeof(before), "%s", name_of(row));
        }

        row = json_object_get(json, "shared");
        assert_int_equal(json_integer_value(json_object_get(row, "groups")),
                         shared_now.links);
        check_counts(json_object_get(row, "counters"), &shared_now);
        row = json_object_get(json, "removed");
        check_counts(json_object_get(row, "counters"), &removed_now);

        if (compare) {
            check_counts(json_object_get(row, "previous"), &removed);
        }

        cursor = json_string_value(json_object_get(json, "next"));
        (void) snprintf(next, sizeof(next), "%s",
                        cursor != NULL ? cursor : "");
        json_decref(json);

    } while (next[0] != '\0');

    assert_int_equal(seen, nnow);
}


static void
test_sums_of_all_time(void **state)
{
    unsigned  by;
    int       field;

    for (by = 0; by < 4; by++) {
        for (field = -1; field < COUNTS; field++) {
            check_pages(by, field, 0, 100, 0, 0, 0);
            check_pages(by, field, 1, 100, 0, 0, 0);
            check_pages(by, field, 0, 1, 0, 0, 0);
            check_pages(by, field, 1, 2, 0, 0, 0);
        }
    }
}


static void
test_sums_of_periods(void **state)
{
    unsigned  i, from, to;

    for (i = 0; i < 40; i++) {
        from = any(HOURS - 1);
        to = from + 1 + any(HOURS - from);

        check_pages(i % 4, (int) any(COUNTS + 1) - 1, any(2) != 0,
                    1 + any(12), from, to, 0);

        from = HOURS / 2;
        to = from + 1 + any(HOURS / 2);

        check_pages(i % 4, (int) any(COUNTS + 1) - 1, any(2) != 0,
                    1 + any(12), from, to, 1);
    }
}


/* Rows, what is shared and what was removed are all that was counted. */

static void
check_identity(unsigned by, const char *period)
{
    char      args[160];
    json_t   *json, *summary, *row, *clicks;
    size_t    i;
    long long  total;

    (void) snprintf(args, sizeof(args), "limit=all%s", period);
    json = json_of(paths[by], args);
    summary = json_of("/", period[0] == '&' ? period + 1 : period);

    total = 0;

    json_array_foreach(json_object_get(json, members[by]), i, row) {
        total += count_of(row, CLICKS);
    }

    total += count_of(json_object_get(json, "shared"), CLICKS);
    total += count_of(json_object_get(json, "removed"), CLICKS);

    clicks = json_object_get(summary, "clicks");
    assert_int_equal(total,
                     json_integer_value(json_object_get(clicks, "matched"))
                     + json_integer_value(json_object_get(clicks,
                                                          "ambiguous")));

    json_decref(json);
    json_decref(summary);
}


static void
test_nothing_is_counted_twice_or_lost(void **state)
{
    unsigned  by;

    for (by = 0; by < 3; by++) {
        check_identity(by, "");
        check_identity(by, span(5, 40));
        check_identity(by, span(30, HOURS));
    }
}


/* A random filter, and whether the model's link passes. */

typedef struct {
    char         args[512];
    const char  *channel;
    const char  *origin;
    const char  *partner;
    const char  *host;
    int          below;
    const char  *label;
    const char  *text;
    uint32_t     group;
} filter_t;


static void
encode(filter_t *f, const char *name, const char *value)
{
    char  *p;

    p = f->args + strlen(f->args);
    p += sprintf(p, "&%s=", name);

    for ( /* void */ ; *value != '\0'; value++) {
        p += sprintf(p, "%%%02X", (u_char) *value);
    }
}


static void
random_filter(filter_t *f)
{
    char         text[80];
    uint32_t     id;
    rfl_group_t  group;

    memset(f, 0, sizeof(filter_t));

    if (any(4) == 0) {
        f->channel = channels[any(5)];
        encode(f, "channel", any(2) && strcmp(f->channel, "unassigned") == 0
                             ? "" : f->channel);
    }

    if (any(4) == 0) {
        f->origin = any(2) ? origins[any(5)] : "earned";
        encode(f, "origin", f->origin);
    }

    if (any(4) == 0) {
        f->partner = partners[any(5)];
        encode(f, "partner", f->partner);
    }

    if (any(4) == 0) {
        f->label = any(5) == 0 ? "" : labels[any(4)];
        encode(f, "label", f->label);
    }

    if (any(4) == 0) {
        f->text = any(3) == 0 ? "needle" : any(2) ? "name1" : "\xff\"<RING";
        encode(f, "q", f->text);
    }

    if (any(3) == 0) {
        f->host = any(6) == 0 ? "" : any(4) == 0 ? "example"
                                                 : places[any(9)].host;
        f->below = any(2) && f->host[0] != '\0' && f->host[0] != '['
                   && strncmp(f->host, "android", 7) != 0;
        (void) snprintf(text, sizeof(text), "%s%s%s", f->below ? "." : "",
                        any(2) && strstr(f->host, "blog.") == f->host
                        ? "WWW." : "", f->host);

        if (strncmp(f->host, "android", 7) == 0) {
            (void) snprintf(text, sizeof(text), "android-app://%s",
                            f->host + 12);
        }

        encode(f, "host", text);
    }

    if (any(5) == 0) {
        assert_int_equal(rfl_registry_begin(site.rt.registry, 0, NULL),
                         RFL_OK);

        do {
            id = 1 + any(next_id - 1);
        } while (rfl_registry_group(site.rt.registry, id, &group) != RFL_OK
                 || group.links == 1);

        rfl_registry_end(site.rt.registry);

        (void) snprintf(text, sizeof(text), "%016llx",
                        (unsigned long long) group.key);
        encode(f, "group", text);
        f->group = id;
    }
}


static int
contains(const char *text, const char *wanted)
{
    return strcasestr(text, wanted) != NULL;
}


static int
passes(const filter_t *f, const model_t *m)
{
    char      names[4][64];
    size_t    len, host;
    unsigned  i, n, has;

    if (m->removed
        || (f->channel != NULL && strcmp(f->channel, m->channel) != 0)
        || (f->origin != NULL && strcmp(f->origin, m->origin) != 0)
        || (f->partner != NULL && strcmp(f->partner, m->partner) != 0))
    {
        return 0;
    }

    if (f->label != NULL) {
        n = names_of(3, m, names);

        for (i = 0, has = 0; i < n; i++) {
            has |= (strcmp(names[i], f->label) == 0);
        }

        if (!has) {
            return 0;
        }
    }

    if (f->host != NULL && strcmp(f->host, m->host) != 0) {
        len = strlen(f->host);
        host = strlen(m->host);

        if (!f->below || host <= len + 1 || m->host[host - len - 1] != '.'
            || strcmp(m->host + host - len, f->host) != 0)
        {
            return 0;
        }
    }

    return f->text == NULL || contains(m->source, f->text)
           || contains(m->target, f->text) || contains(m->name, f->text)
           || contains(m->partner, f->text) || contains(m->tag, f->text)
           || contains(m->note, f->text);
}


/* Every link that passes comes once, no other; the sort key falls. */

static unsigned
check_filter(const filter_t *f, int field, unsigned limit, unsigned from,
    unsigned to)
{
    char            args[1024], next[64], text[24];
    int             wanted[LINKS];
    json_t         *json, *row;
    size_t          i;
    unsigned        k, n, seen, total, last, value;
    const char     *cursor, *key;
    const model_t  *list[LINKS];

    n = 0;

    if (f->group != 0) {
        n = members_of(f->group, list);
    }

    for (k = 0, total = 0; k < LINKS; k++) {
        wanted[k] = passes(f, &links[k]);

        if (f->group != 0) {
            for (i = 0; i < n && list[i] != &links[k]; i++) { /* void */ }

            wanted[k] = wanted[k] && i < n;
        }

        total += (unsigned) wanted[k];
    }

    next[0] = '\0';
    seen = 0;
    last = UINT32_MAX;
    text[0] = '\0';

    do {
        (void) snprintf(args, sizeof(args), "limit=%u&sort=%s&order=%s%s%s"
                        "&after=%s", limit, field < 0 ? "key" : fields[field],
                        field < 0 ? "asc" : "desc", f->args, span(from, to),
                        next);

        if (limit == 0) {
            (void) snprintf(args, sizeof(args), "limit=all%s%s", f->args,
                            span(from, to));
        }

        json = json_of("/links", args);

        json_array_foreach(json_object_get(json, "links"), i, row) {
            key = json_string_value(json_object_get(row, "key"));

            for (k = 0; k < LINKS; k++) {
                if (links[k].key == strtoull(key, NULL, 16)) {
                    break;
                }
            }

            if (k == LINKS || wanted[k] != 1) {
                fail_msg("%s: link %u", args, k);
            }

            wanted[k] = 2;
            seen++;

            value = count_of(row, field < 0 ? 0 : (unsigned) field);
            assert_int_equal(value, counted(links[k].id, from, to,
                                            field < 0 ? 0
                                                      : (unsigned) field));

            if (field < 0) {
                assert_true(strcmp(text, key) < 0);
                (void) snprintf(text, sizeof(text), "%s", key);

            } else {
                assert_true(value <= last);
                last = value;
            }
        }

        cursor = json_string_value(json_object_get(json, "next"));
        (void) snprintf(next, sizeof(next), "%s",
                        cursor != NULL ? cursor : "");
        json_decref(json);

    } while (next[0] != '\0');

    if (seen != total) {
        fail_msg("%s: %u links, wanted %u", args, seen, total);
    }

    return total;
}


static void
test_random_filters(void **state)
{
    unsigned  i, from, to, some, rounds;
    filter_t  f;

    rounds = getenv("VALGRIND") == NULL ? 400 : 40;

    for (i = 0, some = 0; i < rounds; i++) {
        random_filter(&f);

        from = i % 2 == 0 ? 0 : any(HOURS - 1);
        to = i % 2 == 0 ? 0 : from + 1 + any(HOURS - from);

        some += check_filter(&f, (int) any(COUNTS + 1) - 1, 1 + any(40), from,
                             to) != 0;
        check_filter(&f, -1, 0, from, to);
    }

    assert_true(some > rounds * 3 / 8);
}


static size_t
rows_in(const char *path, const char *args, const char *member)
{
    size_t   n;
    json_t  *json;

    json = json_of(path, args);
    n = json_array_size(json_object_get(json, member));
    json_decref(json);

    return n;
}


/*
 * Of more links than are remembered, the whole list is looked through; of more
 * ids than are summed at once, a host is still one row.
 */

static void
test_a_host_of_many_links(void **state)
{
    char        source[64];
    json_t     *json, *row;
    size_t      i;
    uint32_t    last;
    rfl_link_t  link;

    memset(&link, 0, sizeof(rfl_link_t));

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, NULL), RFL_OK);

    for (i = 0; i < MANY; i++) {
        (void) snprintf(source, sizeof(source), "https://many.example/%zu", i);
        link.source = rfl_cstr(source);
        link.created = 0;
        assert_int_equal(rfl_registry_add(site.rt.registry, &link, 1, NULL),
                         RFL_OK);
    }

    last = link.id;

    assert_int_equal(rfl_registry_commit(site.rt.registry, NULL), RFL_OK);
    rfl_runtime_tick(&site.rt, 1);

    json = json_of("/links", "host=many.example&limit=1&sort=bots");
    row = json_array_get(json_object_get(json, "links"), 0);
    row = json_array_get(json_object_get(row, "groups"), 0);
    assert_int_equal(json_integer_value(json_object_get(row, "links")), MANY);
    (void) snprintf(source, sizeof(source), "limit=all&fields=key&group=%s",
                    json_string_value(json_object_get(row, "key")));
    json_decref(json);

    assert_int_equal(rows_in("/links", source, "links"), MANY);

    assert_int_equal(rows_in("/links", "host=many.example&limit=all"
                             "&fields=key", "links"), MANY);
    assert_true(steps > MANY / RFL_VIEW_STEP_IDS);
    assert_int_equal(rows_in("/links", "host=many.example&q=/9999"
                             "&fields=source", "links"), 1);
    assert_int_equal(rows_in("/links", "host=many.example&sort=bots"
                             "&limit=10000&fields=key", "links"), 10000);

    /* looked at, not shown */

    assert_int_equal(rows_in("/links", "limit=all&q=is+nowhere", "links"), 0);
    assert_true(steps >= MANY / RFL_VIEW_STEP_IDS);

    /* each is looked at, each with its groups */

    for (i = 0; i < 5; i++) {
        site_click(&site, last - (uint32_t) i * 8000, 3000);
    }

    json = json_of("/hosts", "limit=1");
    assert_true(steps > 7 * MANY / RFL_VIEW_STEP_IDS);
    row = json_array_get(json_object_get(json, "hosts"), 0);
    assert_string_equal(name_of(row), "many.example");
    assert_int_equal(json_integer_value(json_object_get(row, "links")), MANY);
    assert_int_equal(count_of(row, CLICKS), 15000);
    json_decref(json);

    check_identity(0, "");
}


static void
check_members(const char *path, const char *args, const char *wanted)
{
    char        text[512];
    json_t     *json, *row, *value;
    const char *name;

    json = json_of(path, args);
    row = json_object_get(json, "links");
    row = row != NULL ? json_array_get(row, 0) : json;
    text[0] = '\0';

    json_object_foreach(row, name, value) {
        (void) strcat(strcat(text, text[0] ? "," : ""), name);
    }

    row = json_object_get(row, "counters");

    json_object_foreach(row, name, value) {
        (void) strcat(strcat(text, " "), name);
    }

    assert_string_equal(text, wanted);
    json_decref(json);
}


static void
test_fields(void **state)
{
    char      path[64];
    unsigned  i;

    check_members("/links", "limit=1&fields=key", "key");
    check_members("/links", "limit=1&fields=name,source", "key,source,name");
    check_members("/links", "limit=1&fields=bots,clicks,groups",
                  "key,groups,counters clicks bots");
    check_members("/links", "limit=1&fields=clicks&from=2026-11-01",
                  "key,counters clicks");
    check_members("/links", "limit=1&fields=last_seen&from=2026-11-01",
                  "key,last_seen");
    check_members("/links", "limit=1&fields=counters,labels%2Ccreated&sort=key",
                  "key,labels,created,counters clicks reloads redirects "
                  "errors_4xx errors_5xx embeds prefetches bots other "
                  "clicks_by_tag clicks_by_page other_landing bytes");

    for (i = 0; links[i].removed; i++) { /* void */ }

    (void) snprintf(path, sizeof(path), "/links/%016llx",
                    (unsigned long long) links[i].key);
    check_members(path, "fields=note,bytes", "key,note,counters bytes");
}


/* CSV says what JSON says. */

typedef struct {
    const u_char  *data;
    size_t         left;
} text_t;


static ssize_t
read_text(void *data, u_char *buf, size_t size)
{
    text_t *text = data;

    size = size < text->left ? size : text->left;
    memcpy(buf, text->data, size);
    text->data += size;
    text->left -= size;

    return (ssize_t) size;
}


static unsigned
check_csv_rows(const char *path, const char *args, const char *head,
    unsigned (*check)(const rfl_str_t *row, const rfl_str_t *head, size_t n))
{
    size_t             n, m, i;
    unsigned           rows_seen;
    uint64_t           line;
    rfl_buf_t          whole = rfl_buf_init;
    rfl_rc_t           rc;
    text_t             text;
    char               first[2048], *p;
    rfl_str_t          names[64];
    const rfl_str_t   *row;
    rfl_csv_reader_t  *reader;

    answer(path, args, &whole);

    text.data = whole.data;
    text.left = whole.len;

    reader = malloc(sizeof(rfl_csv_reader_t));
    rfl_csv_init(reader, ',', read_text, &text);

    assert_int_equal(rfl_csv_next(reader, &row, &n, &line, NULL), RFL_OK);

    for (i = 0, p = first; i < n; i++) {
        p += sprintf(p, "%s%.*s", i != 0 ? "," : "", (int) row[i].len,
                     (const char *) row[i].data);
        names[i] = rfl_str(p - row[i].len, row[i].len);
    }

    assert_string_equal(first, head);
    rows_seen = 0;

    while ((rc = rfl_csv_next(reader, &row, &m, &line, NULL)) == RFL_OK) {
        assert_int_equal(m, n);
        rows_seen += check(row, names, n);
    }

    assert_int_equal(rc, RFL_NOT_FOUND);
    assert_memory_equal(whole.data + whole.len - 2, "\r\n", 2);

    free(reader);
    rfl_buf_free(&whole);
    return rows_seen;
}


static unsigned
number_of(const rfl_str_t *row, const rfl_str_t *head, size_t n,
    const char *name)
{
    char    text[32];
    size_t  i;

    for (i = 0; i < n; i++) {
        if (rfl_str_eq(head[i], rfl_cstr(name))) {
            (void) snprintf(text, sizeof(text), "%.*s", (int) row[i].len,
                            (const char *) row[i].data);
            return (unsigned) strtoul(text, NULL, 10);
        }
    }

    fail_msg("no column %s", name);

    return 0;
}


static unsigned  csv_from, csv_to;


static unsigned
csv_link(const rfl_str_t *row, const rfl_str_t *head, size_t n)
{
    char            key[24];
    size_t          i;
    unsigned        k;
    const model_t  *m;

    (void) snprintf(key, sizeof(key), "%.16s", (const char *) row[0].data);

    for (k = 0; k < LINKS && links[k].key != strtoull(key, NULL, 16); k++) {
        /* void */
    }

    if (k == LINKS) {
        return 0;                        /* of the host of many links */
    }

    m = &links[k];

    assert_int_equal(number_of(row, head, n, "clicks"),
                     counted(m->id, csv_from, csv_to, CLICKS));
    assert_int_equal(number_of(row, head, n, "errors_4xx"),
                     counted(m->id, csv_from, csv_to, ERRORS));

    if (csv_from != csv_to) {
        assert_int_equal(number_of(row, head, n, "previous_bots"),
                         counted(m->id, 2 * csv_from - csv_to, csv_from,
                                 BOTS));
    }

    for (i = 0; i < n; i++) {
        if (rfl_str_eq(head[i], rfl_cstr("partner"))) {
            assert_true(rfl_str_eq(rfl_csv_plain(row[i]),
                                   rfl_cstr(m->partner)));
        }

        if (rfl_str_eq(head[i], rfl_cstr("name"))) {
            assert_true(rfl_str_eq(rfl_csv_plain(row[i]),
                                   rfl_str_trim(rfl_cstr(m->name)))
                        || rfl_str_eq(row[i], rfl_cstr(m->name)));
        }

        assert_true(row[i].len == 0 || strchr("=+-@\t\r", row[i].data[0])
                                       == NULL);
    }

    return 1;
}


static unsigned
csv_sum(const rfl_str_t *row, const rfl_str_t *head, size_t n)
{
    char       name[128];
    sum_t     *wanted;
    rfl_str_t  plain;

    plain = rfl_csv_plain(row[0]);
    (void) snprintf(name, sizeof(name), "%.*s", (int) plain.len,
                    (const char *) plain.data);

    if (strcmp(name, "many.example") == 0) {
        return 0;
    }

    wanted = row_of(name);

    if (wanted->n[0] != number_of(row, head, n, "clicks")
        || wanted->n[1] != number_of(row, head, n, "bots"))
    {
        fail_msg("%s", name);
    }

    return 1;
}


#define CSV_COUNTERS                                                          \
    "clicks,reloads,redirects,errors_4xx,errors_5xx,embeds,prefetches,bots,"  \
    "other,clicks_by_tag,clicks_by_page,other_landing,bytes"

#define CSV_PREVIOUS                                                          \
    "previous_clicks,previous_reloads,previous_redirects,"                    \
    "previous_errors_4xx,previous_errors_5xx,previous_embeds,"                \
    "previous_prefetches,previous_bots,previous_other,"                       \
    "previous_clicks_by_tag,previous_clicks_by_page,"                         \
    "previous_other_landing,previous_bytes"

#define CSV_SEEN      ",first_seen,last_seen,state,state_since"
#define CSV_LINK                                                              \
    "key,source,match_type,target,tag,name,channel,origin,partner,"           \
    "placement,rel,authority,anchor,labels,note,cost,listed_first,"           \
    "listed_last,created,"


static void
test_csv(void **state)
{
    char      args[256];
    unsigned  i, by, registered;

    for (i = 0, registered = 0; i < LINKS; i++) {
        registered += !links[i].removed;
    }

    csv_from = csv_to = 0;

    assert_int_equal(check_csv_rows("/links", "format=csv",
                                    CSV_LINK CSV_COUNTERS
                                    CSV_SEEN, csv_link),
                     registered);

    csv_from = 30;
    csv_to = 50;

    (void) snprintf(args, sizeof(args), "format=csv&compare=previous%s",
                    span(30, 50));
    assert_int_equal(check_csv_rows("/links", args,
                                    CSV_LINK CSV_COUNTERS "," CSV_PREVIOUS
                                    CSV_SEEN, csv_link),
                     registered);

    for (by = 0; by < 4; by++) {
        make_model(by, 30, 50);
        assert_int_equal(check_csv_rows(paths[by], args, "name,links,"
                                        CSV_COUNTERS "," CSV_PREVIOUS,
                                        csv_sum), nrows);
    }

    csv_from = csv_to = 0;

    assert_int_equal(check_csv_rows("/links", "format=csv&fields=partner,"
                                    "clicks,errors_4xx&sort=clicks&limit=5",
                                    "key,partner,clicks,errors_4xx",
                                    csv_link), 5);
}


static unsigned  csv_clicks;


static unsigned
csv_bucket(const rfl_str_t *row, const rfl_str_t *head, size_t n)
{
    assert_int_equal(row[0].len, RFL_TIME_LEN);
    csv_clicks += number_of(row, head, n, "clicks");

    return 1;
}


static unsigned
csv_zone_bucket(const rfl_str_t *row, const rfl_str_t *head, size_t n)
{
    assert_int_equal(number_of(row, head, n, "clicks"),
                     number_of(row, head, n, "clicks_matched"));
    csv_clicks += number_of(row, head, n, "clicks_matched")
                  + number_of(row, head, n, "clicks_ambiguous");

    return 1;
}


static void
test_csv_of_history(void **state)
{
    char      path[64], args[160];
    unsigned  i;
    uint32_t  id;
    unsigned  all;

    for (i = 0; links[i].removed; i++) { /* void */ }

    (void) snprintf(path, sizeof(path), "/links/%016llx/history",
                    (unsigned long long) links[i].key);
    (void) snprintf(args, sizeof(args), "format=csv&unit=hour%s",
                    span(0, HOURS));

    csv_clicks = 0;
    check_csv_rows(path, args, "start," CSV_COUNTERS, csv_bucket);
    assert_int_equal(csv_clicks, counted(links[i].id, 0, 0, CLICKS));

    for (id = 1, all = 0; id < next_id; id++) {
        all += counted(id, 0, 0, CLICKS);
    }

    csv_clicks = 0;
    check_csv_rows("/history", args, "start," CSV_COUNTERS
                   ",outcome_direct,outcome_hidden,outcome_internal,"
                   "outcome_malformed,outcome_matched,outcome_ambiguous,"
                   "outcome_unregistered,outcome_skipped,clicks_direct,"
                   "clicks_hidden,clicks_matched,clicks_ambiguous,"
                   "clicks_unregistered,evidence_tag,evidence_exact,"
                   "evidence_regex,evidence_prefix,evidence_landing,"
                   "evidence_host,evidence_domain", csv_zone_bucket);
    assert_int_equal(csv_clicks, all);
}


/*
 * A registry from before the ids of today goes on behind them, and a damaged
 * one has ids anywhere: what lies between costs nothing, and what is there
 * counts.
 */

typedef struct {
    uint64_t  key;
    size_t    len;
    u_char    value[8192];
} copied_row_t;


/*
 * Block 1 of the ids, with all its ledger has, once more at another block; but
 * for some totals, so that what comes next is inside the block.
 */

static void
copy_block(uint32_t to)
{
    unsigned       dbi;
    uint32_t       high, low;
    uint64_t       key;
    rfl_rc_t       rc;
    rfl_str_t      found, value;
    rfl_store_t   *store;
    rfl_cursor_t  *cursor;
    copied_row_t  *row;

    static copied_row_t  rows[4096];

    store = rfl_ledger_store(site.rt.ledger);
    assert_int_equal(rfl_store_begin(store, 1, NULL), RFL_OK);

    for (dbi = RFL_LEDGER_CELLS; dbi < RFL_LEDGER_STATES; dbi++) {

        if (dbi == RFL_LEDGER_ZONES) {
            continue;
        }

        assert_int_equal(rfl_cursor_open(store, dbi, &cursor), RFL_OK);
        rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

        for (row = rows; rc == RFL_OK;
             rc = rfl_cursor_next(cursor, &found, &value))
        {
            memcpy(&key, found.data, sizeof(key));
            high = (uint32_t) (key >> 32);
            low = (uint32_t) key;

            if (dbi == RFL_LEDGER_CELLS && high / 64 == 1
                && high % 64 >= GAP)
            {
                row->key = (uint64_t) (to * 64 + high % 64) << 32
                           | RFL_LEDGER_FOLDED;

            } else if (dbi != RFL_LEDGER_CELLS && low == 1) {
                row->key = (uint64_t) high << 32 | to;

            } else {
                continue;
            }

            assert_true(value.len <= sizeof(row->value));
            row->len = value.len;
            memcpy(row->value, value.data, value.len);
            assert_true(++row < rows + 4096);
        }

        assert_int_equal(rc, RFL_NOT_FOUND);
        rfl_cursor_close(cursor);

        assert_true(row > rows);

        while (row-- > rows) {
            assert_int_equal(rfl_store_put_u64(store, dbi, row->key,
                                               rfl_str(row->value, row->len),
                                               0, NULL), RFL_OK);
        }
    }

    assert_int_equal(rfl_store_commit(store, NULL), RFL_OK);
}


/* Clicks of links that are no more; and of far.example, if it is a row. */

static unsigned
removed_clicks(const char *path, const char *args, unsigned *far)
{
    size_t     i;
    json_t    *json, *row;
    unsigned   n;

    json = json_of(path, args);
    n = count_of(json_object_get(json, "removed"), CLICKS);
    *far = 0;

    json_array_foreach(json_object_get(json, "hosts"), i, row) {
        if (strcmp(name_of(row), "far.example") == 0) {
            *far = count_of(row, CLICKS);
        }
    }

    json_decref(json);

    return n;
}


static void
check_far(const char *path, const unsigned before[2], uint32_t link)
{
    char      args[2][160];
    unsigned  i, n, far, block;
    uint32_t  id, from, to;

    for (i = 0; i < 2; i++) {
        from = i == 0 ? 0 : 5;
        to = i == 0 ? 0 : 40;

        (void) snprintf(args[i], sizeof(args[i]), "limit=all%s",
                        span(from, to));
        n = removed_clicks(path, args[i], &far);

        for (id = 64 + GAP, block = 0; id < 128; id++) {
            block += counted(id, from, to, CLICKS);
        }

        id = 64 + link % 64;
        assert_int_not_equal(counted(id, from, to, CLICKS), 0);
        assert_int_equal(n, before[i] + 2 * block
                            - counted(id, from, to, CLICKS));

        if (strcmp(path, "/hosts") == 0) {
            assert_int_equal(far, counted(id, from, to, CLICKS));
        }
    }
}


static void
test_ids_far_apart(void **state)
{
    size_t       i;
    char         key[20], args[8][160];
    json_t      *json, *row;
    unsigned     before[8], removed[2][2], far;
    rfl_buf_t    whole = rfl_buf_init;
    rfl_link_t   link;
    rfl_error_t  err;

    static const char *const  asked[][2] = {
        { "/hosts", "" }, { "/channels", "" }, { "/labels", "" },
        { "/links", "sort=clicks" }, { "/metrics", "links=clicks" },
        { "/metrics", "links=all" }, { "/hosts", "PERIOD" },
        { "/links", "sort=clicks&PERIOD" }
    };

    for (i = 0; i < 8; i++) {
        (void) snprintf(args[i], sizeof(args[i]), "%s", asked[i][1]);

        if (strstr(args[i], "PERIOD") != NULL) {
            (void) strcpy(strstr(args[i], "PERIOD"), span(5, 40) + 1);
        }

        answer(asked[i][0], args[i], &whole);
        before[i] = steps;
    }

    for (i = 0; i < 2; i++) {
        removed[i][0] = removed_clicks(paths[i], "", &far);
        removed[i][1] = removed_clicks(paths[i], span(5, 40) + 1, &far);
    }

    memset(&link, 0, sizeof(rfl_link_t));
    link.source = rfl_cstr("https://far.example/");
    link.name = rfl_cstr("far away");

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, &err), RFL_OK);
    rfl_registry_set_floor(site.rt.registry, FAR);
    assert_int_equal(rfl_registry_add(site.rt.registry, &link, 1, &err),
                     RFL_OK);
    assert_true(link.id >= FAR);
    assert_int_equal(rfl_registry_commit(site.rt.registry, &err), RFL_OK);
    rfl_runtime_tick(&site.rt, 1);

    copy_block(link.id / 64);
    copy_block(FAR / 2 / 64);

    for (i = 0; i < 8; i++) {
        answer(asked[i][0], args[i], &whole);

        /* the counter file now has all the cells it has room for */

        if (steps > before[i] + FAR / RFL_VIEW_STEP_IDS / 20) {
            fail_msg("%s?%s: %u steps, before %u", asked[i][0], args[i], steps,
                     before[i]);
        }
    }

    check_far("/hosts", removed[0], link.id);
    check_far("/channels", removed[1], link.id);

    (void) snprintf(key, sizeof(key), "%016llx",
                    (unsigned long long) link.key);

    json = json_of("/links", "limit=1&q=far%20away&sort=clicks");
    row = json_array_get(json_object_get(json, "links"), 0);
    assert_string_equal(json_string_value(json_object_get(row, "key")), key);
    assert_int_equal(count_of(row, CLICKS),
                     counted(64 + link.id % 64, 0, 0, CLICKS));
    json_decref(json);

    answer("/metrics", "links=all", &whole);
    rfl_buf_char(&whole, '\0');
    assert_non_null(strstr((char *) whole.data, key));

    /* where nothing else is, an id that the registry does not know */

    removed[0][0] = removed_clicks("/hosts", "", &far);
    site_click(&site, site.conf.max_ids - 1000, 7);
    assert_int_equal(removed_clicks("/hosts", "", &far), removed[0][0] + 7);

    rfl_buf_free(&whole);
}


static void
test_too_many_labels_are_an_error(void **state)
{
    char                 text[1200], *p;
    unsigned             i, k;
    rfl_rc_t             rc;
    rfl_buf_t            step = rfl_buf_init;
    rfl_link_t           link;
    rfl_view_t          *v;
    rfl_view_error_t     error;
    rfl_view_request_t   request;

    memset(&link, 0, sizeof(rfl_link_t));

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, NULL), RFL_OK);

    for (i = 0; i < 700; i++) {
        for (k = 0, p = text; k < 100; k++) {
            p += sprintf(p, "%s%07u", k != 0 ? "," : "", i * 100 + k);
        }

        link.source = rfl_str(text, 0);
        link.match_type = RFL_MATCH_TAG;
        link.tag = rfl_str(text, 7);
        link.labels = rfl_cstr(text);
        link.created = 0;
        assert_int_equal(rfl_registry_add(site.rt.registry, &link, 1, NULL),
                         RFL_OK);
    }

    assert_int_equal(rfl_registry_commit(site.rt.registry, NULL), RFL_OK);

    memset(&request, 0, sizeof(rfl_view_request_t));
    request.runtimes = runtimes;
    request.n = 1;
    request.path = rfl_cstr("/labels");

    assert_int_equal(rfl_view_open(&v, &request, &error), RFL_OK);

    do {
        rc = rfl_view_step(v, &step);
    } while (rc == RFL_BUSY);

    assert_int_equal(rc, RFL_FULL);
    assert_int_equal(step.len, 0);
    assert_int_equal(rfl_view_fault(v)->status, 503);
    assert_string_equal(rfl_view_fault(v)->code, "RowsTooMany");

    rfl_view_close(v);
    rfl_buf_free(&step);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_sums_of_all_time),
        cmocka_unit_test(test_sums_of_periods),
        cmocka_unit_test(test_nothing_is_counted_twice_or_lost),
        cmocka_unit_test(test_random_filters),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_of_history),
        cmocka_unit_test(test_a_host_of_many_links),
        cmocka_unit_test(test_ids_far_apart),
        cmocka_unit_test(test_too_many_labels_are_an_error),
    };

    return cmocka_run_group_tests_name("rfl_view_tally", tests, setup,
                                       teardown);
}
