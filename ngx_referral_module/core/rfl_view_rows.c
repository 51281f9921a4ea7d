/*
 * Lists of links: the scan that finds a page's rows, and the rows.
 *
 * A page sorted by a counter is one stepped scan of all ids into a heap of as
 * many rows as the page has; a page in key order reads the index where the
 * cursor points.  For a host or a group the registry has an index: the ids it
 * gives are scanned, in the order of ids (of more than RFL_VIEW_FOUND_MAX the
 * whole list is, as for other filters).  Counters move meanwhile: a cursor is
 * the (value, key) of the last row shown.  In descending order paging ends and
 * shows no link twice, but may pass over one that rises past the cursor; in
 * ascending order one that rises comes again.  A walk by key has each once.
 *
 * The counters of a period are summed a block of ids at a time for the scan,
 * and again for each row that is shown.
 */

#include "rfl_view_parts.h"

#include <stdlib.h>


/* What costs more than a look at an id, in ids. */

#define RFL_VIEW_TEXT_WORK    256        /* bytes that are searched, one */
#define RFL_VIEW_KEY_WORK     2          /* a link by its key */
#define RFL_VIEW_REMOVED_WORK 32         /* keys that are no link's any more */
#define RFL_VIEW_HOST_WORK    4          /* a link's SURT */
#define RFL_VIEW_STATE_WORK   2          /* a link's state */
#define RFL_VIEW_GROUPS_WORK  6          /* a link's groups */


static rfl_rc_t rfl_view_find_members(rfl_view_t *v);
static rfl_rc_t rfl_view_find_sources(rfl_view_t *v);
static void rfl_view_find_start(rfl_view_t *v);
static rfl_rc_t rfl_view_found(rfl_view_t *v, const rfl_link_t *link);
static int rfl_view_compare_ids(const void *a, const void *b);
static rfl_rc_t rfl_view_wants(rfl_view_t *v, const rfl_link_t *link,
    int *wanted);
static int rfl_view_is_of_host(rfl_view_t *v, const rfl_link_t *link);
static uint32_t rfl_view_candidate(rfl_view_t *v);
static rfl_rc_t rfl_view_scan_totals(rfl_view_t *v);
static rfl_rc_t rfl_view_scan_period(rfl_view_t *v,
    const rfl_period_t *period);
static rfl_rc_t rfl_view_scan_start(rfl_view_t *v);
static rfl_rc_t rfl_view_pass_on(rfl_view_t *v, uint32_t id);
static rfl_rc_t rfl_view_scan_cell(rfl_view_t *v, uint32_t id,
    const rfl_cell_t *cell);
static rfl_rc_t rfl_view_count_previous(rfl_view_t *v, uint32_t id,
    const rfl_cell_t *cell);
static int rfl_view_without_ledger(rfl_view_t *v);
static int rfl_view_is_after(const rfl_view_t *v, const rfl_top_row_t *row);
static rfl_rc_t rfl_view_next_link(rfl_view_t *v, rfl_link_t *planned,
    const rfl_link_t **link);
static rfl_rc_t rfl_view_look_ahead(rfl_view_t *v);
static rfl_rc_t rfl_view_totals_ahead(rfl_view_t *v);
static void rfl_view_row_ahead(rfl_view_t *v, const rfl_link_t *link);
static rfl_rc_t rfl_view_rows_by_key(rfl_view_t *v, rfl_buf_t *b);
static rfl_rc_t rfl_view_rows_sorted(rfl_view_t *v, rfl_buf_t *b);
static void rfl_view_links_cursor(rfl_view_t *v, rfl_buf_t *b);
static rfl_rc_t rfl_view_row(rfl_view_t *v, rfl_buf_t *b,
    const rfl_link_t *link);
static rfl_rc_t rfl_view_row_render(rfl_view_t *v, rfl_buf_t *b,
    const rfl_link_t *link);
static rfl_rc_t rfl_view_row_plan(rfl_view_t *v, const rfl_link_t *link);
static rfl_rc_t rfl_view_row_sum(rfl_view_t *v);
static void rfl_view_row_drop(rfl_view_t *v);


/* What an index has of the links that are wanted. */

rfl_rc_t
rfl_view_find(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t  rc;

    if (!v->has_index) {
        return RFL_OK;
    }

    rc = v->query.has_group ? rfl_view_find_members(v)
                            : rfl_view_find_sources(v);

    if (rc == RFL_FULL) {
        v->nfound = 0;
        return RFL_OK;
    }

    if (rc == RFL_OK) {
        qsort(v->found, v->nfound, sizeof(uint32_t), rfl_view_compare_ids);
        v->indexed = 1;
    }

    return rc;
}


static rfl_rc_t
rfl_view_find_members(rfl_view_t *v)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    while (v->work != 0) {
        rfl_view_spend(v, 1);

        rc = rfl_registry_next_member(v->rt->registry, v->group_id,
                                      &v->next_member);

        if (rc != RFL_OK) {
            return rc == RFL_NOT_FOUND ? RFL_OK : rc;
        }

        rc = rfl_registry_link(v->rt->registry, v->next_member, &link);

        if (rc == RFL_OK) {
            rc = rfl_view_found(v, &link);
        }

        if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
            return rc;
        }

        v->next_member++;
    }

    return RFL_BUSY;
}


static rfl_rc_t
rfl_view_find_sources(rfl_view_t *v)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    if (v->place.len == 0) {
        rfl_view_find_start(v);
    }

    while (v->work != 0) {
        rfl_view_spend(v, 1);

        rc = rfl_registry_next_source(v->rt->registry, &v->place, &link);

        if (rc != RFL_OK) {
            return rc == RFL_NOT_FOUND ? RFL_OK : rc;
        }

        if (!rfl_filter_host(&v->query.filter,
                             rfl_str(v->place.key, v->place.len)))
        {
            return RFL_OK;
        }

        rc = rfl_view_found(v, &link);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_BUSY;
}


/*
 * A host's sources begin with its SURT and ")", those of hosts below it with
 * a comma instead: between the two no source is.
 */

static void
rfl_view_find_start(rfl_view_t *v)
{
    rfl_str_t  host;

    host = rfl_filter_value(&v->query.filter, RFL_FILTER_HOST);

    if (host.len != 0) {
        memcpy(v->place.key, host.data, host.len);
    }

    v->place.key[host.len] = ')';
    v->place.len = host.len + 1;
}


/* RFL_FULL: there are too many to be remembered. */

static rfl_rc_t
rfl_view_found(rfl_view_t *v, const rfl_link_t *link)
{
    int       wanted;
    rfl_rc_t  rc;

    rc = rfl_view_wants(v, link, &wanted);

    if (rc != RFL_OK || !wanted) {
        return rc;
    }

    if (v->nfound == RFL_VIEW_FOUND_MAX) {
        return RFL_FULL;
    }

    v->found[v->nfound++] = link->id;

    return RFL_OK;
}


static int
rfl_view_compare_ids(const void *a, const void *b)
{
    uint32_t  m, n;

    m = *(const uint32_t *) a;
    n = *(const uint32_t *) b;

    return m < n ? -1 : m > n;
}


static rfl_rc_t
rfl_view_wants(rfl_view_t *v, const rfl_link_t *link, int *wanted)
{
    size_t                searched;
    uint32_t              member;
    rfl_rc_t              rc;
    const rfl_filter_t   *filter;
    rfl_state_verdict_t   verdict;

    filter = &v->query.filter;
    searched = 0;

    *wanted = rfl_filter_link(filter, link, &searched);

    rfl_view_spend(v, searched / RFL_VIEW_TEXT_WORK);

    if (*wanted && rfl_filter_has(filter, RFL_FILTER_HOST)) {
        *wanted = rfl_view_is_of_host(v, link);
    }

    if (*wanted && rfl_filter_has(filter, RFL_FILTER_STATE)) {
        rfl_view_spend(v, RFL_VIEW_STATE_WORK);

        rc = rfl_totals_state(&v->totals, link, NULL, &verdict);
        if (rc != RFL_OK) {
            return rc;
        }

        *wanted = rfl_filter_state(filter, verdict.state);
    }

    if (!*wanted || !v->query.has_group) {
        return RFL_OK;
    }

    member = link->id;

    rc = rfl_registry_next_member(v->rt->registry, v->group_id, &member);

    *wanted = (rc == RFL_OK && member == link->id);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


static int
rfl_view_is_of_host(rfl_view_t *v, const rfl_link_t *link)
{
    rfl_surt_t  *surt;

    if (link->match_type == RFL_MATCH_TAG) {
        return rfl_filter_host(&v->query.filter, rfl_cstr(")"));
    }

    rfl_view_spend(v, RFL_VIEW_HOST_WORK);

    if (rfl_identity(link, &v->identity, NULL) != RFL_OK) {
        return 0;
    }

    surt = &v->identity.source;

    return rfl_filter_host(&v->query.filter, rfl_str(surt->buf, surt->len));
}


/* What the rows are sorted by decides where it is read. */

rfl_rc_t
rfl_view_scan(rfl_view_t *v, rfl_buf_t *b)
{
    int                by_sums;
    rfl_rc_t           rc;
    rfl_query_page_t  *page;

    page = &v->query.page;
    by_sums = (!page->key_sort && page->field < RFL_CELL_SUMS);

    if (v->rt->registry == NULL || (page->by_key && !v->indexed)) {
        rc = RFL_OK;

    } else {
        rc = v->period.nranges != 0 && by_sums
             ? rfl_view_scan_period(v, &v->period) : rfl_view_scan_totals(v);
    }

    if (rc == RFL_OK) {
        rfl_top_sort(&v->top);
        v->pass.next = 0;
        v->next_found = 0;
    }

    return rc;
}


/* The next id to look at; v->pass.end: there is none. */

static uint32_t
rfl_view_candidate(rfl_view_t *v)
{
    if (!v->indexed) {
        return v->pass.next < v->pass.end ? v->pass.next : v->pass.end;
    }

    while (v->next_found < v->nfound
           && v->found[v->next_found] < v->pass.next)
    {
        v->next_found++;
    }

    return v->next_found < v->nfound
           && v->found[v->next_found] < v->pass.end
           ? v->found[v->next_found] : v->pass.end;
}


static rfl_rc_t
rfl_view_scan_totals(rfl_view_t *v)
{
    uint32_t    id;
    rfl_rc_t    rc;
    rfl_cell_t  cell;

    rc = rfl_view_scan_start(v);
    if (rc != RFL_OK) {
        return rc;
    }

    for ( ;; ) {
        id = rfl_view_candidate(v);

        if (id == v->pass.end) {
            return RFL_OK;
        }

        if (v->work == 0) {
            return RFL_BUSY;
        }

        rfl_view_spend(v, 1);

        rc = rfl_view_cell(v, id, &cell);

        if (rc == RFL_OK) {
            rc = rfl_view_scan_cell(v, id, &cell);
        }

        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_view_pass_on(v, id);
        if (rc != RFL_OK) {
            return rc;
        }
    }
}


/* A block at a time: one look at a bucket gives its counts of 64 ids. */

static rfl_rc_t
rfl_view_scan_period(rfl_view_t *v, const rfl_period_t *period)
{
    uint32_t           id, block;
    rfl_rc_t           rc;
    const rfl_cell_t  *cell;

    rc = rfl_view_scan_start(v);
    if (rc != RFL_OK) {
        return rc;
    }

    for ( ;; ) {
        id = rfl_view_candidate(v);

        if (id == v->pass.end) {
            return RFL_OK;
        }

        if (v->work < RFL_HISTORY_BLOCK) {
            return RFL_BUSY;
        }

        block = id / RFL_HISTORY_BLOCK;

        rc = rfl_view_merge(v, RFL_MERGE_BLOCK, period, block);
        if (rc != RFL_OK) {
            return rc;
        }

        rfl_view_spend(v, RFL_HISTORY_BLOCK);

        while (id != v->pass.end && id / RFL_HISTORY_BLOCK == block) {
            cell = &v->merge.sum.block.cells[id % RFL_HISTORY_BLOCK];

            rc = period == &v->period ? rfl_view_scan_cell(v, id, cell)
                                      : rfl_view_count_previous(v, id, cell);
            if (rc != RFL_OK) {
                return rc;
            }

            rc = rfl_view_pass_on(v, id);
            if (rc != RFL_OK) {
                return rc;
            }

            id = rfl_view_candidate(v);
        }
    }
}


static rfl_rc_t
rfl_view_scan_start(rfl_view_t *v)
{
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    if (v->pass.next != 0) {
        return RFL_OK;
    }

    rc = rfl_registry_meta(v->rt->registry, &meta);
    if (rc != RFL_OK) {
        return rc;
    }

    v->pass.next = 1;
    v->pass.end = meta.next_id;
    v->pass.occupied = 0;

    return RFL_OK;
}


/* Without the ledger the next id is looked at, whatever it is. */

static rfl_rc_t
rfl_view_pass_on(rfl_view_t *v, uint32_t id)
{
    rfl_rc_t  rc;

    v->pass.next = id;

    rc = rfl_view_next_id(&v->pass, &v->totals, v->rt->registry);

    return rc != RFL_OK && rfl_view_without_ledger(v) ? RFL_OK : rc;
}


/* Groups and retired links have cells too, but are no rows. */

static rfl_rc_t
rfl_view_scan_cell(rfl_view_t *v, uint32_t id, const rfl_cell_t *cell)
{
    int                counts, wanted;
    rfl_rc_t           rc;
    rfl_link_t         link;
    rfl_top_row_t      row;
    rfl_query_page_t  *page;

    page = &v->query.page;

    row.value = cell->n[page->field];
    row.id = id;

    counts = (v->query.kind == RFL_QUERY_SUMMARY
              && rfl_cell_requests(cell) != 0);

    if (!counts && !page->key_sort && !rfl_top_wants(&v->top, row.value)) {
        return RFL_OK;
    }

    rc = rfl_registry_link(v->rt->registry, id, &link);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    v->pass.occupied = 1;
    wanted = 1;

    if (rc == RFL_OK && !v->indexed) {
        rc = rfl_view_wants(v, &link, &wanted);
    }

    if (rc != RFL_OK || !wanted) {
        return rc;
    }

    row.key = link.key;

    if (page->key_sort) {
        row.value = link.key;
    }

    v->active += counts;

    if (page->has_after && !rfl_view_is_after(v, &row)) {
        return RFL_OK;
    }

    rfl_top_add(&v->top, &row);

    return RFL_OK;
}


/* The links that were active in the period before. */

rfl_rc_t
rfl_view_scan_previous(rfl_view_t *v, rfl_buf_t *b)
{
    if (v->previous.nranges == 0 || v->rt->registry == NULL) {
        return RFL_OK;
    }

    return rfl_view_scan_period(v, &v->previous);
}


static rfl_rc_t
rfl_view_count_previous(rfl_view_t *v, uint32_t id, const rfl_cell_t *cell)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    if (rfl_cell_requests(cell) == 0) {
        return RFL_OK;
    }

    rc = rfl_registry_link(v->rt->registry, id, &link);

    v->previous_active += (rc == RFL_OK);
    v->pass.occupied = 1;

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


/* What a ledger that cannot be read costs: older totals, not the answer. */

rfl_rc_t
rfl_view_cell(rfl_view_t *v, uint32_t id, rfl_cell_t *cell)
{
    rfl_rc_t  rc;

    rc = rfl_totals_cell(&v->totals, id, cell);

    if (rc != RFL_OK && rfl_view_without_ledger(v)) {
        rc = rfl_totals_cell(&v->totals, id, cell);
    }

    return rc;
}


/* Whether the answer may, and did not yet, do without. */

static int
rfl_view_without_ledger(rfl_view_t *v)
{
    if (!rfl_view_says_faults(v) || v->totals.ledger == NULL) {
        return 0;
    }

    v->ledger_failed = 1;
    v->totals.ledger = NULL;

    return 1;
}


static int
rfl_view_is_after(const rfl_view_t *v, const rfl_top_row_t *row)
{
    rfl_top_row_t            after;
    const rfl_query_page_t  *page;

    page = &v->query.page;

    after.value = page->key_sort ? page->after_key : page->after_value;
    after.key = page->after_key;

    return rfl_top_before(&v->top, &after, row);
}


rfl_rc_t
rfl_view_links(rfl_view_t *v, rfl_buf_t *b)
{
    if (rfl_view_is_csv(v)) {
        rfl_report_csv_head(b, v->query.fields, v->previous.nranges != 0);
        return RFL_OK;
    }

    rfl_buf_text(b, "{");
    rfl_view_periods(v, b);
    rfl_json_name(b, "links");
    rfl_buf_text(b, "[");

    return RFL_OK;
}


rfl_rc_t
rfl_view_rows(rfl_view_t *v, rfl_buf_t *b)
{
    return v->query.page.by_key && !v->indexed ? rfl_view_rows_by_key(v, b)
                                               : rfl_view_rows_sorted(v, b);
}


static rfl_rc_t
rfl_view_rows_by_key(rfl_view_t *v, rfl_buf_t *b)
{
    int                wanted;
    rfl_rc_t           rc;
    rfl_link_t         planned;
    const rfl_link_t  *link;

    for ( ;; ) {
        if (b->len > RFL_VIEW_STEP_BYTES || v->work == 0) {
            return RFL_BUSY;
        }

        rc = rfl_view_next_link(v, &planned, &link);

        if (rc == RFL_NOT_FOUND) {
            return RFL_OK;
        }

        if (rc == RFL_OK && link == NULL) {
            continue;
        }

        wanted = 1;

        if (rc == RFL_OK && !v->row.planned) {
            rfl_view_spend(v, RFL_VIEW_KEY_WORK);
            rc = rfl_view_wants(v, link, &wanted);
        }

        if (rc == RFL_OK && wanted) {

            if (v->rows == v->query.page.limit) {
                v->has_next = 1;
                return RFL_OK;
            }

            rc = rfl_view_row(v, b, link);

            if (rc == RFL_OK) {
                v->shown_key = link->key;
            }
        }

        if (rc != RFL_OK) {
            return rc;
        }

        v->last_key = link->key;
    }
}


/*
 * The one that is being summed, unless it was removed meanwhile; else the next
 * one.  *link is NULL where some were looked at and none of them is registered
 * any more.
 */

static rfl_rc_t
rfl_view_next_link(rfl_view_t *v, rfl_link_t *planned, const rfl_link_t **link)
{
    rfl_rc_t           rc;
    rfl_view_ahead_t  *ahead;

    *link = NULL;
    ahead = &v->ahead;

    if (v->row.planned) {
        rc = rfl_registry_link(v->rt->registry, v->row.id, planned);

        if (rc != RFL_NOT_FOUND) {
            *link = planned;
            return rc;
        }

        v->last_key = v->row.key;
        ahead->n = 0;
        rfl_view_row_drop(v);
    }

    if (ahead->next >= ahead->n) {
        rc = rfl_view_look_ahead(v);

        if (rc != RFL_OK || ahead->n == 0) {
            return rc;
        }
    }

    *link = &ahead->links[ahead->next++];

    return RFL_OK;
}


/* One more than is shown tells whether there is a next page. */

static rfl_rc_t
rfl_view_look_ahead(rfl_view_t *v)
{
    size_t             max;
    rfl_rc_t           rc;
    uint64_t           key, left;
    rfl_view_ahead_t  *ahead;

    ahead = &v->ahead;
    ahead->n = 0;
    ahead->next = 0;
    ahead->has_totals = 0;

    if (v->last_key == UINT64_MAX) {
        return RFL_NOT_FOUND;
    }

    key = v->last_key + 1;
    left = v->query.page.limit - v->rows;
    max = left < RFL_PAGES_MANY ? (size_t) left + 1 : RFL_PAGES_MANY;

    rc = rfl_registry_next_links(v->rt->registry, &key, ahead->links, max,
                                 &ahead->n);

    if (rc == RFL_OK && ahead->n == 0) {
        rfl_view_spend(v, RFL_VIEW_REMOVED_WORK);
        v->last_key = key - 1;
    }

    if (rc != RFL_OK || ahead->n == 0 || v->period.nranges != 0
        || v->query.filter.given != 0 || v->query.has_group)
    {
        return rc;
    }

    return rfl_view_totals_ahead(v);
}


/* All of them are shown: what they show is read at once. */

static rfl_rc_t
rfl_view_totals_ahead(rfl_view_t *v)
{
    size_t             i;
    rfl_rc_t           rc, found[RFL_PAGES_MANY];
    uint32_t           ids[RFL_PAGES_MANY];
    rfl_view_ahead_t  *ahead;

    ahead = &v->ahead;

    for (i = 0; i < ahead->n; i++) {
        ids[i] = ahead->links[i].id;
        found[i] = RFL_NOT_FOUND;
    }

    rc = rfl_totals_cells(&v->totals, ids, ahead->n, ahead->cells);
    if (rc != RFL_OK) {
        return rc;
    }

    if ((v->query.fields & RFL_SHOW_STATES) && v->totals.ledger != NULL) {
        rfl_states_get_many(v->totals.ledger, ids, ahead->n, ahead->verdicts,
                            found);
    }

    for (i = 0; i < ahead->n; i++) {
        rfl_totals_judge(found[i], &ahead->cells[i], &ahead->verdicts[i]);
    }

    ahead->has_totals = 1;

    return RFL_OK;
}


/* A link that was removed since the scan is passed over. */

static rfl_rc_t
rfl_view_rows_sorted(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    v->has_next = v->top.n > v->query.page.limit;

    while (v->next_row < v->top.n && v->next_row < v->query.page.limit
           && v->rt->registry != NULL)
    {
        if (b->len > RFL_VIEW_STEP_BYTES || v->work == 0) {
            return RFL_BUSY;
        }

        rfl_view_spend(v, 1);

        rc = rfl_registry_link(v->rt->registry, v->top.rows[v->next_row].id,
                               &link);

        if (rc == RFL_NOT_FOUND) {
            rfl_view_row_drop(v);
            v->next_row++;
            continue;
        }

        if (rc == RFL_OK) {
            rc = rfl_view_row(v, b, &link);
        }

        if (rc != RFL_OK) {
            return rc;
        }

        v->next_row++;
    }

    return RFL_OK;
}


rfl_rc_t
rfl_view_links_end(rfl_view_t *v, rfl_buf_t *b)
{
    if (rfl_view_is_csv(v)) {
        return RFL_OK;
    }

    rfl_buf_text(b, "]");
    rfl_json_name(b, "next");

    if (v->has_next) {
        rfl_view_links_cursor(v, b);

    } else {
        rfl_buf_text(b, "null");
    }

    rfl_buf_text(b, "}\n");

    return RFL_OK;
}


static void
rfl_view_links_cursor(rfl_view_t *v, rfl_buf_t *b)
{
    const rfl_query_page_t  *page;

    page = &v->query.page;

    if (!page->key_sort) {
        rfl_view_cursor(b, &v->top.rows[page->limit - 1]);

    } else {
        rfl_buf_fmt(b, "\"%016llx\"", (unsigned long long)
                    (page->by_key && !v->indexed
                     ? v->shown_key : v->top.rows[page->limit - 1].key));
    }
}


rfl_rc_t
rfl_view_link(rfl_view_t *v, rfl_buf_t *b)
{
    size_t      len;
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = rfl_registry_link(v->rt->registry, v->link_id, &link);
    if (rc != RFL_OK) {
        return rc;
    }

    /* what its sums take is no answer yet: the head comes with the row */

    if (!rfl_view_is_csv(v)) {
        rc = rfl_view_row(v, b, &link);

        if (rc == RFL_OK) {
            rfl_buf_text(b, "\n");
        }

        return rc;
    }

    len = b->len;

    rfl_report_csv_head(b, v->query.fields, v->previous.nranges != 0);

    rc = rfl_view_row(v, b, &link);

    if (rc == RFL_BUSY) {
        b->len = len;
    }

    return rc;
}


/* RFL_BUSY: nothing was rendered, its sums take another step. */

static rfl_rc_t
rfl_view_row(rfl_view_t *v, rfl_buf_t *b, const rfl_link_t *link)
{
    rfl_rc_t  rc;

    rc = rfl_view_row_plan(v, link);

    if (rc == RFL_OK && v->period.nranges != 0) {
        rc = rfl_view_row_sum(v);
    }

    if (rc == RFL_OK) {
        rc = rfl_view_row_render(v, b, link);
    }

    if (rc != RFL_BUSY) {
        rfl_view_row_drop(v);
    }

    return rc;
}


static rfl_rc_t
rfl_view_row_render(rfl_view_t *v, rfl_buf_t *b, const rfl_link_t *link)
{
    int  more;

    more = (v->rows++ != 0);

    if (rfl_view_is_csv(v)) {
        return rfl_report_csv_row(b, &v->totals, link, &v->row.report);
    }

    if (more) {
        rfl_buf_text(b, ",");
    }

    return rfl_report_link_row(b, &v->totals, link, &v->row.report);
}


static rfl_rc_t
rfl_view_row_plan(rfl_view_t *v, const rfl_link_t *link)
{
    size_t             i;
    rfl_rc_t           rc;
    rfl_view_row_t    *row;
    rfl_report_row_t  *report;

    row = &v->row;
    report = &row->report;

    if (row->planned) {
        return RFL_OK;
    }

    memset(row, 0, sizeof(rfl_view_row_t));

    row->id = link->id;
    row->key = link->key;
    report->fields = v->query.fields;

    if (rfl_view_is_csv(v)) {
        report->fields &= ~RFL_SHOW_GROUPS;
    }

    if (report->fields & RFL_SHOW_GROUPS) {
        rfl_view_spend(v, RFL_VIEW_GROUPS_WORK);
    }

    if (v->period.nranges == 0) {
        rfl_view_row_ahead(v, link);
        return rfl_report_totals(report, v->rt->registry, &v->totals, link);
    }

    report->has_previous = (v->previous.nranges != 0);

    if (v->query.kind == RFL_QUERY_LINK) {
        report->period = &v->period;
        report->previous_period = &v->previous;
    }

    if (report->fields & RFL_SHOW_GROUPS) {
        rc = rfl_registry_groups(v->rt->registry, link, report->groups,
                                 &report->ngroups);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    /* slices end with the transaction, the row may outlive it */

    for (i = 0; i < report->ngroups; i++) {
        report->groups[i].group.text = rfl_str(NULL, 0);
    }

    row->planned = 1;

    return RFL_OK;
}


/* What was read of it with others; else it is read for it alone. */

static void
rfl_view_row_ahead(rfl_view_t *v, const rfl_link_t *link)
{
    size_t             i;
    rfl_view_ahead_t  *ahead;
    rfl_report_row_t  *report;

    ahead = &v->ahead;
    i = ahead->next - 1;

    if (ahead->next == 0 || ahead->next > ahead->n || !ahead->has_totals
        || link != &ahead->links[i])
    {
        return;
    }

    report = &v->row.report;

    report->cell = ahead->cells[i];
    report->is_total = 1;
    report->verdict = ahead->verdicts[i];
    report->has_verdict = 1;
}


/* The link, the link in the period before, its groups. */

static rfl_rc_t
rfl_view_row_sum(rfl_view_t *v)
{
    size_t             group;
    rfl_rc_t           rc;
    rfl_view_row_t    *row;
    rfl_report_row_t  *report;

    row = &v->row;
    report = &row->report;

    if (row->next == 0) {
        rc = rfl_view_merge(v, RFL_MERGE_CELL, &v->period, row->id);
        if (rc != RFL_OK) {
            return rc;
        }

        report->cell = v->merge.sum.cell;
        row->next++;
    }

    if (row->next == 1 && report->has_previous) {
        rc = rfl_view_merge(v, RFL_MERGE_CELL, &v->previous, row->id);
        if (rc != RFL_OK) {
            return rc;
        }

        report->previous = v->merge.sum.cell;
    }

    if (row->next == 1) {
        row->next++;
    }

    for (group = row->next - 2; group < report->ngroups; group++) {
        rc = rfl_view_merge(v, RFL_MERGE_CELL, &v->period,
                            report->groups[group].group.id);
        if (rc != RFL_OK) {
            return rc;
        }

        report->clicks[group] = v->merge.sum.cell.n[RFL_CELL_CLICKS];
        row->next++;
    }

    return RFL_OK;
}


static void
rfl_view_row_drop(rfl_view_t *v)
{
    v->row.planned = 0;
    v->merging = 0;
}
