/*
 * See rfl_view.h.
 *
 * A page sorted by a counter is one stepped scan of all ids into a heap of as
 * many rows as the page has; a page in key order reads the index where the
 * cursor points.  Counters move meanwhile: a cursor is the (value, key) of
 * the last row shown, so paging ends and shows no link twice at one value.
 */

#include "rfl_view.h"
#include "rfl_top.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>


typedef enum {
    RFL_VIEW_REGISTRIES = 0,
    RFL_VIEW_SUMMARY,
    RFL_VIEW_LINKS,
    RFL_VIEW_LINK
} rfl_view_kind_t;


typedef struct {
    unsigned   by_key:1;                 /* the index's own order */
    unsigned   key_sort:1;               /* sort=key, either order */
    unsigned   ascending:1;
    unsigned   has_after:1;
    unsigned   after_has_value:1;        /* "VALUE-KEY" */
    unsigned   unlimited:1;
    unsigned   field;                    /* rfl_cell_field_t */
    uint64_t   limit;
    uint64_t   after_value;
    uint64_t   after_key;
} rfl_view_page_t;


struct rfl_view_s {
    rfl_view_kind_t   kind;
    rfl_runtime_t    *rt;
    rfl_runtime_t   **runtimes;
    size_t            nruntimes;

    rfl_view_page_t   page;

    uint32_t          next_id;           /* scan: where it goes on */
    uint32_t          end_id;            /* scan: behind the last id */
    uint64_t          active;
    rfl_top_t         top;

    uint64_t          rows;              /* rendered */
    size_t            next_row;          /* of top's */
    uint64_t          last_key;
    uint64_t          link_key;

    unsigned          scanned:1;
    unsigned          started:1;
    unsigned          ledger_failed:1;   /* the summary goes on without it */
};


typedef rfl_rc_t (*rfl_view_args_pt)(rfl_view_t *v, rfl_str_t name,
    rfl_str_t value, rfl_view_error_t *error);


static rfl_rc_t rfl_view_route(rfl_view_t *v,
    const rfl_view_request_t *request, rfl_view_error_t *error);
static rfl_rc_t rfl_view_find_runtime(rfl_view_t *v,
    const rfl_view_request_t *request, rfl_str_t *path,
    rfl_view_error_t *error);
static rfl_str_t rfl_view_segment(rfl_str_t *path);
static rfl_rc_t rfl_view_args(rfl_view_t *v, rfl_str_t args,
    rfl_view_args_pt handler, rfl_view_error_t *error);
static rfl_rc_t rfl_view_format_arg(rfl_view_t *v, rfl_str_t name,
    rfl_str_t value, rfl_view_error_t *error);
static rfl_rc_t rfl_view_links_arg(rfl_view_t *v, rfl_str_t name,
    rfl_str_t value, rfl_view_error_t *error);
static rfl_rc_t rfl_view_sort_arg(rfl_view_t *v, rfl_str_t value,
    rfl_view_error_t *error);
static rfl_rc_t rfl_view_order_arg(rfl_view_t *v, rfl_str_t value,
    rfl_view_error_t *error);
static rfl_rc_t rfl_view_limit_arg(rfl_view_t *v, rfl_str_t value,
    rfl_view_error_t *error);
static rfl_rc_t rfl_view_after_arg(rfl_view_t *v, rfl_str_t value,
    rfl_view_error_t *error);
static rfl_rc_t rfl_view_links_init(rfl_view_t *v, rfl_view_error_t *error);
static rfl_rc_t rfl_view_link_init(rfl_view_t *v, rfl_str_t key,
    rfl_view_error_t *error);
static rfl_rc_t rfl_view_refuse(rfl_view_error_t *error, unsigned status,
    const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static int rfl_view_decimal(rfl_str_t text, uint64_t *n);
static int rfl_view_hex(rfl_str_t text, uint64_t *n);

static rfl_rc_t rfl_view_begin(rfl_view_t *v);
static void rfl_view_end(rfl_view_t *v);
static rfl_totals_t rfl_view_totals(rfl_view_t *v);
static rfl_rc_t rfl_view_scan(rfl_view_t *v);
static rfl_rc_t rfl_view_scan_id(rfl_view_t *v, rfl_totals_t *totals,
    uint32_t id);
static rfl_rc_t rfl_view_cell(rfl_view_t *v, rfl_totals_t *totals,
    uint32_t id, rfl_cell_t *cell);
static int rfl_view_is_after(const rfl_view_t *v, const rfl_top_row_t *row);
static void rfl_view_registries(rfl_view_t *v, rfl_buf_t *b);
static rfl_rc_t rfl_view_summary(rfl_view_t *v, rfl_buf_t *b);
static void rfl_view_health(rfl_view_t *v, rfl_buf_t *b,
    const rfl_zone_t *zone);
static void rfl_view_health_of(rfl_buf_t *b, const char *name, int is_open,
    const rfl_error_t *err);
static void rfl_view_flush(rfl_buf_t *b, const rfl_counters_header_t *header);
static rfl_rc_t rfl_view_links(rfl_view_t *v, rfl_buf_t *b);
static rfl_rc_t rfl_view_rows_by_key(rfl_view_t *v, rfl_buf_t *b);
static rfl_rc_t rfl_view_rows_sorted(rfl_view_t *v, rfl_buf_t *b);
static rfl_rc_t rfl_view_top_row(rfl_view_t *v, rfl_buf_t *b,
    const rfl_totals_t *totals);
static rfl_rc_t rfl_view_row(rfl_view_t *v, rfl_buf_t *b,
    const rfl_totals_t *totals, const rfl_link_t *link);
static rfl_rc_t rfl_view_link(rfl_view_t *v, rfl_buf_t *b);
static void rfl_view_member_u64(rfl_buf_t *b, const char *name, uint64_t n);


rfl_rc_t
rfl_view_open(rfl_view_t **vp, const rfl_view_request_t *request,
    rfl_view_error_t *error)
{
    rfl_rc_t     rc;
    rfl_view_t  *v;

    *vp = NULL;

    v = calloc(1, sizeof(rfl_view_t));
    if (v == NULL) {
        return rfl_view_refuse(error, 500, "NoMemory", "out of memory");
    }

    rc = rfl_view_route(v, request, error);
    if (rc != RFL_OK) {
        rfl_view_close(v);
        return rc;
    }

    *vp = v;

    return RFL_OK;
}


void
rfl_view_close(rfl_view_t *v)
{
    rfl_top_free(&v->top);
    free(v);
}


static rfl_rc_t
rfl_view_route(rfl_view_t *v, const rfl_view_request_t *request,
    rfl_view_error_t *error)
{
    rfl_rc_t   rc;
    rfl_str_t  path, first, second;

    path = request->path;

    rc = rfl_view_find_runtime(v, request, &path, error);
    if (rc != RFL_OK) {
        return rc;
    }

    if (v->kind == RFL_VIEW_REGISTRIES) {
        return rfl_view_args(v, request->args, rfl_view_format_arg, error);
    }

    first = rfl_view_segment(&path);
    second = rfl_view_segment(&path);

    if (path.len != 0
        || (first.len != 0 && !rfl_str_eq(first, rfl_cstr("links"))))
    {
        return rfl_view_refuse(error, 404, "PathUnknown",
                               "there is nothing under this path");
    }

    if (first.len == 0) {
        v->kind = RFL_VIEW_SUMMARY;
        v->page.field = RFL_CELL_CLICKS;

        if (rfl_top_init(&v->top, RFL_VIEW_TOP, 0) != RFL_OK) {
            return rfl_view_refuse(error, 500, "NoMemory", "out of memory");
        }

        return rfl_view_args(v, request->args, rfl_view_format_arg, error);
    }

    if (v->rt->registry == NULL) {
        return rfl_view_refuse(error, 503, "RegistryUnavailable", "%s",
                               v->rt->registry_error.text);
    }

    if (second.len != 0) {
        rc = rfl_view_args(v, request->args, rfl_view_format_arg, error);
        if (rc != RFL_OK) {
            return rc;
        }

        return rfl_view_link_init(v, second, error);
    }

    v->kind = RFL_VIEW_LINKS;
    v->page.field = RFL_CELL_CLICKS;
    v->page.limit = RFL_VIEW_LIMIT;

    rc = rfl_view_args(v, request->args, rfl_view_links_arg, error);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_view_links_init(v, error);
}


static rfl_rc_t
rfl_view_find_runtime(rfl_view_t *v, const rfl_view_request_t *request,
    rfl_str_t *path, rfl_view_error_t *error)
{
    size_t     i;
    rfl_str_t  name;

    v->runtimes = request->runtimes;
    v->nruntimes = request->n;

    if (!request->all) {
        v->rt = request->runtimes[0];
        v->kind = RFL_VIEW_SUMMARY;
        return RFL_OK;
    }

    name = rfl_view_segment(path);

    if (name.len == 0) {
        v->kind = RFL_VIEW_REGISTRIES;
        return RFL_OK;
    }

    for (i = 0; i < request->n; i++) {
        if (rfl_str_eq(name, rfl_cstr(request->runtimes[i]->conf->name))) {
            v->rt = request->runtimes[i];
            v->kind = RFL_VIEW_SUMMARY;
            return RFL_OK;
        }
    }

    return rfl_view_refuse(error, 404, "RegistryUnknown",
                           "there is no registry of this name");
}


/* Takes the first segment, and slashes around it, off the path. */

static rfl_str_t
rfl_view_segment(rfl_str_t *path)
{
    rfl_str_t  segment;

    while (path->len != 0 && path->data[0] == '/') {
        path->data++;
        path->len--;
    }

    segment = rfl_str(path->data, 0);

    while (path->len != 0 && path->data[0] != '/') {
        segment.len++;
        path->data++;
        path->len--;
    }

    while (path->len != 0 && path->data[0] == '/') {
        path->data++;
        path->len--;
    }

    return segment;
}


/*
 * An argument that is not known is refused: a filter that is misspelt must
 * not look like an answer.
 */

static rfl_rc_t
rfl_view_args(rfl_view_t *v, rfl_str_t args, rfl_view_args_pt handler,
    rfl_view_error_t *error)
{
    rfl_rc_t       rc;
    rfl_str_t      name, value;
    const u_char  *p, *last, *end, *equals;

    p = args.data;
    last = args.data + args.len;

    while (p < last) {
        end = memchr(p, '&', (size_t) (last - p));
        if (end == NULL) {
            end = last;
        }

        equals = memchr(p, '=', (size_t) (end - p));

        name = rfl_str(p, (size_t) ((equals != NULL ? equals : end) - p));
        value = equals != NULL
                ? rfl_str(equals + 1, (size_t) (end - equals - 1))
                : rfl_str(end, 0);

        if (name.len != 0) {
            rc = handler(v, name, value, error);
            if (rc != RFL_OK) {
                return rc;
            }
        }

        p = end + 1;
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_format_arg(rfl_view_t *v, rfl_str_t name, rfl_str_t value,
    rfl_view_error_t *error)
{
    if (!rfl_str_eq(name, rfl_cstr("format"))) {
        return rfl_view_refuse(error, 400, "ParameterUnknown",
                               "this path has no parameter \"%.*s\"",
                               (int) (name.len < 64 ? name.len : 64),
                               name.data);
    }

    if (!rfl_str_eq(value, rfl_cstr("json"))) {
        return rfl_view_refuse(error, 406, "FormatUnavailable",
                               "format: json is what there is");
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_links_arg(rfl_view_t *v, rfl_str_t name, rfl_str_t value,
    rfl_view_error_t *error)
{
    if (rfl_str_eq(name, rfl_cstr("sort"))) {
        return rfl_view_sort_arg(v, value, error);
    }

    if (rfl_str_eq(name, rfl_cstr("order"))) {
        return rfl_view_order_arg(v, value, error);
    }

    if (rfl_str_eq(name, rfl_cstr("limit"))) {
        return rfl_view_limit_arg(v, value, error);
    }

    if (rfl_str_eq(name, rfl_cstr("after"))) {
        return rfl_view_after_arg(v, value, error);
    }

    return rfl_view_format_arg(v, name, value, error);
}


static rfl_rc_t
rfl_view_sort_arg(rfl_view_t *v, rfl_str_t value, rfl_view_error_t *error)
{
    const rfl_counter_t  *counter;

    v->page.key_sort = rfl_str_eq(value, rfl_cstr("key"));

    if (v->page.key_sort) {
        return RFL_OK;
    }

    if (rfl_str_eq(value, rfl_cstr("last_seen"))) {
        v->page.field = RFL_CELL_LAST_SEEN;
        return RFL_OK;
    }

    counter = rfl_counter_find(value);

    if (counter == NULL) {
        return rfl_view_refuse(error, 400, "ParameterInvalid",
                               "sort: a counter's name, \"key\" or "
                               "\"last_seen\" is wanted");
    }

    v->page.field = counter->field;

    return RFL_OK;
}


static rfl_rc_t
rfl_view_order_arg(rfl_view_t *v, rfl_str_t value, rfl_view_error_t *error)
{
    v->page.ascending = rfl_str_eq(value, rfl_cstr("asc"));

    if (!v->page.ascending && !rfl_str_eq(value, rfl_cstr("desc"))) {
        return rfl_view_refuse(error, 400, "ParameterInvalid",
                               "order: \"asc\" or \"desc\" is wanted");
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_limit_arg(rfl_view_t *v, rfl_str_t value, rfl_view_error_t *error)
{
    if (rfl_str_eq(value, rfl_cstr("all"))) {
        v->page.unlimited = 1;
        v->page.limit = UINT64_MAX;
        return RFL_OK;
    }

    if (!rfl_view_decimal(value, &v->page.limit) || v->page.limit == 0
        || v->page.limit > RFL_VIEW_LIMIT_MAX)
    {
        return rfl_view_refuse(error, 400, "ParameterInvalid",
                               "limit: a number from 1 to %d or \"all\" is "
                               "wanted", RFL_VIEW_LIMIT_MAX);
    }

    return RFL_OK;
}


/* "KEY" in key order, else "VALUE-KEY". */

static rfl_rc_t
rfl_view_after_arg(rfl_view_t *v, rfl_str_t value, rfl_view_error_t *error)
{
    int            valid;
    const u_char  *dash;

    if (value.len == 0) {
        return RFL_OK;
    }

    dash = memchr(value.data, '-', value.len);

    if (dash == NULL) {
        valid = rfl_view_hex(value, &v->page.after_key);

    } else {
        valid = rfl_view_decimal(rfl_str(value.data,
                                         (size_t) (dash - value.data)),
                                 &v->page.after_value)
                && rfl_view_hex(rfl_str(dash + 1,
                                        (size_t) (value.data + value.len
                                                  - dash - 1)),
                                &v->page.after_key);
    }

    if (!valid) {
        return rfl_view_refuse(error, 400, "ParameterInvalid",
                               "after: a cursor is wanted, the \"next\" of "
                               "another page");
    }

    v->page.has_after = 1;
    v->page.after_has_value = (dash != NULL);

    return RFL_OK;
}


static rfl_rc_t
rfl_view_links_init(rfl_view_t *v, rfl_view_error_t *error)
{
    rfl_view_page_t  *page;

    page = &v->page;

    if (page->unlimited) {
        page->key_sort = 1;
        page->ascending = 1;
    }

    if (page->has_after && page->after_has_value == page->key_sort) {
        return rfl_view_refuse(error, 400, "ParameterInvalid",
                               "after: this cursor is of a page that is "
                               "sorted otherwise");
    }

    page->by_key = (page->key_sort && page->ascending);

    if (page->by_key) {
        v->scanned = 1;
        v->last_key = page->has_after ? page->after_key : 0;
        return RFL_OK;
    }

    /* one row more than shown tells whether there is a next page */

    if (rfl_top_init(&v->top, page->limit + 1, page->ascending) != RFL_OK) {
        return rfl_view_refuse(error, 500, "NoMemory", "out of memory");
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_link_init(rfl_view_t *v, rfl_str_t key, rfl_view_error_t *error)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    v->kind = RFL_VIEW_LINK;

    rc = RFL_NOT_FOUND;

    if (key.len == RFL_KEY_LEN && rfl_view_hex(key, &v->link_key)) {

        rc = rfl_registry_begin(v->rt->registry, 0, NULL);

        if (rc == RFL_OK) {
            rc = rfl_registry_by_key(v->rt->registry, v->link_key, &link);
            rfl_registry_end(v->rt->registry);
        }
    }

    if (rc == RFL_NOT_FOUND) {
        return rfl_view_refuse(error, 404, "LinkUnknown",
                               "no link is registered under this key");
    }

    if (rc != RFL_OK) {
        return rfl_view_refuse(error, 503, "RegistryUnavailable",
                               "the registry cannot be read");
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_refuse(rfl_view_error_t *error, unsigned status, const char *code,
    const char *fmt, ...)
{
    va_list  args;

    error->status = status;
    error->code = code;

    va_start(args, fmt);
    (void) vsnprintf(error->text, sizeof(error->text), fmt, args);
    va_end(args);

    return RFL_INVALID;
}


static int
rfl_view_decimal(rfl_str_t text, uint64_t *n)
{
    size_t    i;
    uint64_t  value;

    if (text.len == 0 || text.len > 19) {
        return 0;
    }

    for (i = 0, value = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }

        value = value * 10 + (uint64_t) (text.data[i] - '0');
    }

    *n = value;

    return 1;
}


static int
rfl_view_hex(rfl_str_t text, uint64_t *n)
{
    size_t    i;
    u_char    c;
    uint64_t  value;

    if (text.len != RFL_KEY_LEN) {
        return 0;
    }

    for (i = 0, value = 0; i < text.len; i++) {
        c = rfl_lower(text.data[i]);

        if (c >= '0' && c <= '9') {
            value = (value << 4) | (uint64_t) (c - '0');

        } else if (c >= 'a' && c <= 'f') {
            value = (value << 4) | (uint64_t) (c - 'a' + 10);

        } else {
            return 0;
        }
    }

    *n = value;

    return 1;
}


rfl_rc_t
rfl_view_step(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t  rc;

    if (v->kind == RFL_VIEW_REGISTRIES) {
        rfl_view_registries(v, b);
        return b->failed ? RFL_NO_MEMORY : RFL_OK;
    }

    rc = rfl_view_begin(v);
    if (rc != RFL_OK) {
        return rc;
    }

    if (v->kind == RFL_VIEW_LINK) {
        rc = rfl_view_link(v, b);

    } else if (!v->scanned) {
        rc = rfl_view_scan(v);

    } else if (v->kind == RFL_VIEW_SUMMARY) {
        rc = rfl_view_summary(v, b);

    } else {
        rc = rfl_view_links(v, b);
    }

    rfl_view_end(v);

    return b->failed ? RFL_NO_MEMORY : rc;
}


/*
 * The environments may have been closed since the last step.  A summary does
 * without the registry or the ledger: it says why they are not there.
 */

static rfl_rc_t
rfl_view_begin(rfl_view_t *v)
{
    rfl_rc_t        rc;
    rfl_runtime_t  *rt;

    rt = v->rt;

    if (rt->registry == NULL && v->kind != RFL_VIEW_SUMMARY) {
        return RFL_NOT_FOUND;
    }

    if (rt->registry != NULL) {
        rc = rfl_registry_begin(rt->registry, 0, NULL);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (rt->ledger == NULL) {
        return RFL_OK;
    }

    rc = rfl_ledger_begin(rt->ledger, NULL);

    if (rc != RFL_OK && v->kind == RFL_VIEW_SUMMARY) {
        v->ledger_failed = 1;
        return RFL_OK;
    }

    if (rc != RFL_OK && rt->registry != NULL) {
        rfl_registry_end(rt->registry);
    }

    return rc;
}


static void
rfl_view_end(rfl_view_t *v)
{
    if (v->rt->ledger != NULL) {
        rfl_ledger_end(v->rt->ledger);
    }

    if (v->rt->registry != NULL) {
        rfl_registry_end(v->rt->registry);
    }
}


static rfl_totals_t
rfl_view_totals(rfl_view_t *v)
{
    rfl_totals_t  totals;

    totals = rfl_runtime_totals(v->rt);

    if (v->ledger_failed) {
        totals.ledger = NULL;
    }

    return totals;
}


static rfl_rc_t
rfl_view_scan(rfl_view_t *v)
{
    uint32_t             end;
    rfl_rc_t             rc;
    rfl_totals_t         totals;
    rfl_registry_meta_t  meta;

    if (v->rt->registry == NULL) {
        v->scanned = 1;
        return RFL_BUSY;
    }

    if (v->next_id == 0) {
        rc = rfl_registry_meta(v->rt->registry, &meta);
        if (rc != RFL_OK) {
            return rc;
        }

        v->next_id = 1;
        v->end_id = meta.next_id;
    }

    end = v->end_id - v->next_id > RFL_VIEW_STEP_IDS
          ? v->next_id + RFL_VIEW_STEP_IDS : v->end_id;

    totals = rfl_view_totals(v);

    while (v->next_id < end) {
        rc = rfl_view_scan_id(v, &totals, v->next_id);
        if (rc != RFL_OK) {
            return rc;
        }

        v->next_id++;
    }

    if (v->next_id >= v->end_id) {
        v->scanned = 1;
        rfl_top_sort(&v->top);
    }

    return RFL_BUSY;
}


/* Groups and retired links have cells too, but are no rows. */

static rfl_rc_t
rfl_view_scan_id(rfl_view_t *v, rfl_totals_t *totals, uint32_t id)
{
    int            counts;
    rfl_rc_t       rc;
    rfl_cell_t     cell;
    rfl_link_t     link;
    rfl_top_row_t  row;

    memset(&cell, 0, sizeof(rfl_cell_t));

    rc = rfl_view_cell(v, totals, id, &cell);
    if (rc != RFL_OK) {
        return rc;
    }

    row.value = cell.n[v->page.field];
    row.id = id;

    counts = (v->kind == RFL_VIEW_SUMMARY && rfl_cell_requests(&cell) != 0);

    if (!counts && !v->page.key_sort && !rfl_top_wants(&v->top, row.value)) {
        return RFL_OK;
    }

    rc = rfl_registry_link(v->rt->registry, id, &link);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    row.key = link.key;

    if (v->page.key_sort) {
        row.value = link.key;
    }

    v->active += counts;

    if (v->page.has_after && !rfl_view_is_after(v, &row)) {
        return RFL_OK;
    }

    rfl_top_add(&v->top, &row);

    return RFL_OK;
}


/* What a ledger that cannot be read costs: older totals, not the answer. */

static rfl_rc_t
rfl_view_cell(rfl_view_t *v, rfl_totals_t *totals, uint32_t id,
    rfl_cell_t *cell)
{
    rfl_rc_t  rc;

    rc = rfl_totals_cell(totals, id, cell);

    if (rc != RFL_OK && v->kind == RFL_VIEW_SUMMARY && totals->ledger != NULL)
    {
        v->ledger_failed = 1;
        totals->ledger = NULL;

        rc = rfl_totals_cell(totals, id, cell);
    }

    return rc;
}


static int
rfl_view_is_after(const rfl_view_t *v, const rfl_top_row_t *row)
{
    rfl_top_row_t  after;

    after.value = v->page.key_sort ? v->page.after_key : v->page.after_value;
    after.key = v->page.after_key;

    return rfl_top_before(&v->top, &after, row);
}


static void
rfl_view_registries(rfl_view_t *v, rfl_buf_t *b)
{
    size_t  i;

    rfl_buf_text(b, "{");
    rfl_json_name(b, "registries");
    rfl_buf_text(b, "[");

    for (i = 0; i < v->nruntimes; i++) {
        rfl_json_item(b);
        rfl_json_string(b, rfl_cstr(v->runtimes[i]->conf->name));
    }

    rfl_buf_text(b, "]}\n");
}


static rfl_rc_t
rfl_view_summary(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t             rc;
    rfl_zone_t           zone;
    rfl_totals_t         totals;
    rfl_registry_meta_t  meta;

    memset(&zone, 0, sizeof(rfl_zone_t));
    memset(&meta, 0, sizeof(rfl_registry_meta_t));

    totals = rfl_view_totals(v);

    rc = rfl_totals_zone(&totals, &zone);

    if (rc != RFL_OK && totals.ledger != NULL) {
        v->ledger_failed = 1;
        totals.ledger = NULL;

        rc = rfl_totals_zone(&totals, &zone);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    /* what this process has counted before there was a counter file */

    rfl_zone_merge(&zone, &v->rt->pending);

    if (v->rt->registry != NULL) {
        rc = rfl_registry_meta(v->rt->registry, &meta);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    rfl_buf_text(b, "{");
    rfl_json_name(b, "registry");
    rfl_json_string(b, rfl_cstr(v->rt->conf->name));
    rfl_json_name(b, "version");
    rfl_json_string(b, rfl_cstr(RFL_VERSION));
    rfl_json_name(b, "now");
    rfl_buf_text(b, "\"");
    rfl_buf_time(b, (uint64_t) time(NULL));
    rfl_buf_text(b, "\"");

    rfl_json_name(b, "links");
    rfl_buf_text(b, "{");
    rfl_view_member_u64(b, "registered", meta.links);
    rfl_view_member_u64(b, "active", v->active);
    rfl_buf_text(b, "}");

    rfl_report_zone(b, &zone);
    rfl_view_health(v, b, &zone);

    rfl_json_name(b, "top");
    rfl_buf_text(b, "[");

    while (v->next_row < v->top.n) {
        rc = rfl_view_top_row(v, b, &totals);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    rfl_buf_text(b, "]}\n");

    return RFL_OK;
}


static void
rfl_view_health(rfl_view_t *v, rfl_buf_t *b, const rfl_zone_t *zone)
{
    rfl_runtime_t     *rt;
    rfl_store_stat_t   stat;

    rt = v->rt;

    rfl_json_name(b, "health");
    rfl_buf_text(b, "{");

    rfl_view_health_of(b, "registry", rt->registry != NULL,
                       &rt->registry_error);

    if (v->ledger_failed) {
        rfl_json_name(b, "ledger");
        rfl_json_string(b, rfl_cstr("reading it failed: what was counted "
                                    "before is missing here"));

    } else if (rt->counters != NULL
               && __atomic_load_n(&rt->counters->header->flush_failing,
                                  __ATOMIC_RELAXED))
    {
        rfl_json_name(b, "ledger");
        rfl_json_string(b, rfl_cstr("the last flush failed, the error log "
                                    "says why"));

    } else {
        rfl_view_health_of(b, "ledger", rt->ledger != NULL,
                           &rt->ledger_error);
    }

    rfl_view_health_of(b, "counters", rt->counters != NULL,
                       &rt->counters_error);

    if (rt->counters != NULL) {
        rfl_view_flush(b, rt->counters->header);
    }

    rfl_view_member_u64(b, "overflow", zone->n[RFL_ZONE_OVERFLOW]);
    rfl_view_member_u64(b, "lookup_errors", zone->n[RFL_ZONE_LOOKUP_ERRORS]);
    rfl_view_member_u64(b, "regex_limits", zone->n[RFL_ZONE_REGEX_LIMITS]);

    if (rt->registry != NULL) {
        rfl_store_stat(rfl_registry_store(rt->registry), &stat);
        rfl_view_member_u64(b, "readers", stat.readers);
    }

    rfl_buf_text(b, "}");
}


static void
rfl_view_health_of(rfl_buf_t *b, const char *name, int is_open,
    const rfl_error_t *err)
{
    rfl_json_name(b, name);
    rfl_json_string(b, rfl_cstr(is_open && err->rc == RFL_OK ? "ok"
                                                             : err->text));
}


static void
rfl_view_flush(rfl_buf_t *b, const rfl_counters_header_t *header)
{
    uint64_t         now_ms, flush_ms;
    struct timespec  now;

    (void) clock_gettime(CLOCK_REALTIME, &now);

    now_ms = (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
    flush_ms = __atomic_load_n(&header->flush_ms, __ATOMIC_RELAXED);

    rfl_json_name(b, "flush_age_ms");

    if (flush_ms == 0) {
        rfl_buf_text(b, "null");

    } else {
        rfl_buf_u64(b, now_ms > flush_ms ? now_ms - flush_ms : 0);
    }

    rfl_view_member_u64(b, "flush_errors",
                        __atomic_load_n(&header->flush_errors,
                                        __ATOMIC_RELAXED));
    rfl_view_member_u64(b, "capacity",
                        __atomic_load_n(&header->capacity, __ATOMIC_RELAXED));
}


static rfl_rc_t
rfl_view_links(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t  rc;

    if (!v->started) {
        v->started = 1;
        rfl_buf_text(b, "{");
        rfl_json_name(b, "links");
        rfl_buf_text(b, "[");

    }

    rc = v->page.by_key ? rfl_view_rows_by_key(v, b)
                        : rfl_view_rows_sorted(v, b);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_buf_text(b, "}\n");

    return RFL_OK;
}


static rfl_rc_t
rfl_view_rows_by_key(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t      rc;
    rfl_link_t    link;
    rfl_totals_t  totals;

    totals = rfl_view_totals(v);

    for ( ;; ) {
        if (v->last_key == UINT64_MAX) {
            rc = RFL_NOT_FOUND;

        } else {
            rc = rfl_registry_next_key(v->rt->registry, v->last_key + 1,
                                       &link);
        }

        if (rc == RFL_NOT_FOUND
            || (rc == RFL_OK && v->rows == v->page.limit))
        {
            break;
        }

        if (rc != RFL_OK) {
            return rc;
        }

        if (b->len > RFL_VIEW_STEP_BYTES) {
            return RFL_BUSY;
        }

        rc = rfl_view_row(v, b, &totals, &link);
        if (rc != RFL_OK) {
            return rc;
        }

        v->last_key = link.key;
    }

    rfl_buf_text(b, "]");
    rfl_json_name(b, "next");

    if (rc == RFL_OK) {
        rfl_buf_fmt(b, "\"%016llx\"", (unsigned long long) v->last_key);

    } else {
        rfl_buf_text(b, "null");
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_rows_sorted(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t        rc;
    rfl_totals_t    totals;
    rfl_top_row_t  *last;

    totals = rfl_view_totals(v);

    while (v->next_row < v->top.n && v->next_row < v->page.limit) {

        if (b->len > RFL_VIEW_STEP_BYTES) {
            return RFL_BUSY;
        }

        rc = rfl_view_top_row(v, b, &totals);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    rfl_buf_text(b, "]");
    rfl_json_name(b, "next");

    if (v->top.n <= v->page.limit) {
        rfl_buf_text(b, "null");
        return RFL_OK;
    }

    last = &v->top.rows[v->page.limit - 1];

    if (v->page.key_sort) {
        rfl_buf_fmt(b, "\"%016llx\"", (unsigned long long) last->key);

    } else {
        rfl_buf_fmt(b, "\"%llu-%016llx\"", (unsigned long long) last->value,
                    (unsigned long long) last->key);
    }

    return RFL_OK;
}


/* A link that was removed since the scan is passed over. */

static rfl_rc_t
rfl_view_top_row(rfl_view_t *v, rfl_buf_t *b, const rfl_totals_t *totals)
{
    rfl_rc_t    rc;
    uint32_t    id;
    rfl_link_t  link;

    id = v->top.rows[v->next_row++].id;

    if (v->rt->registry == NULL) {
        return RFL_OK;
    }

    rc = rfl_registry_link(v->rt->registry, id, &link);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    return rc == RFL_OK ? rfl_view_row(v, b, totals, &link) : rc;
}


static rfl_rc_t
rfl_view_row(rfl_view_t *v, rfl_buf_t *b, const rfl_totals_t *totals,
    const rfl_link_t *link)
{
    if (v->rows++ != 0) {
        rfl_buf_text(b, ",");
    }

    return rfl_report_link(b, v->rt->registry, totals, link);
}


static rfl_rc_t
rfl_view_link(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t      rc;
    rfl_link_t    link;
    rfl_totals_t  totals;

    totals = rfl_view_totals(v);

    rc = rfl_registry_by_key(v->rt->registry, v->link_key, &link);

    if (rc == RFL_OK) {
        rc = rfl_report_link(b, v->rt->registry, &totals, &link);
    }

    rfl_buf_text(b, "\n");

    return rc;
}


static void
rfl_view_member_u64(rfl_buf_t *b, const char *name, uint64_t n)
{
    rfl_json_name(b, name);
    rfl_buf_u64(b, n);
}


void
rfl_view_error(rfl_buf_t *b, const rfl_view_error_t *error,
    rfl_str_t request_id)
{
    rfl_buf_text(b, "{");
    rfl_json_name(b, "error");
    rfl_buf_text(b, "{");
    rfl_view_member_u64(b, "status", error->status);
    rfl_json_name(b, "code");
    rfl_json_string(b, rfl_cstr(error->code));
    rfl_json_name(b, "text");
    rfl_json_string(b, rfl_cstr(error->text));
    rfl_buf_text(b, "}");
    rfl_json_name(b, "request_id");
    rfl_json_string(b, request_id);
    rfl_buf_text(b, "}\n");
}
