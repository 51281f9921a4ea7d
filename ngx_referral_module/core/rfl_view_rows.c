/*
 * Lists of links: the scan that finds a page's rows, and the rows.
 *
 * A page sorted by a counter is one stepped scan of all ids into a heap of as
 * many rows as the page has; a page in key order reads the index where the
 * cursor points.  Counters move meanwhile: a cursor is the (value, key) of the
 * last row shown, so paging ends and shows no link twice at one value.
 *
 * The counters of a period are summed a block of ids at a time for the scan,
 * and again for each row that is shown.
 */

#include "rfl_view_parts.h"


static rfl_rc_t rfl_view_scan_totals(rfl_view_t *v);
static rfl_rc_t rfl_view_scan_period(rfl_view_t *v,
    const rfl_period_t *period);
static rfl_rc_t rfl_view_scan_start(rfl_view_t *v);
static rfl_rc_t rfl_view_scan_cell(rfl_view_t *v, uint32_t id,
    const rfl_cell_t *cell);
static rfl_rc_t rfl_view_count_previous(rfl_view_t *v, uint32_t id,
    const rfl_cell_t *cell);
static rfl_rc_t rfl_view_cell(rfl_view_t *v, uint32_t id, rfl_cell_t *cell);
static int rfl_view_is_after(const rfl_view_t *v, const rfl_top_row_t *row);
static rfl_rc_t rfl_view_next_link(rfl_view_t *v, rfl_link_t *link);
static void rfl_view_cursor(rfl_view_t *v, rfl_buf_t *b);
static rfl_rc_t rfl_view_row(rfl_view_t *v, rfl_buf_t *b,
    const rfl_link_t *link);
static rfl_rc_t rfl_view_row_plan(rfl_view_t *v, const rfl_link_t *link);
static rfl_rc_t rfl_view_row_sum(rfl_view_t *v);
static void rfl_view_row_drop(rfl_view_t *v);


/* What the rows are sorted by decides where it is read. */

rfl_rc_t
rfl_view_scan(rfl_view_t *v, rfl_buf_t *b)
{
    int                by_sums;
    rfl_rc_t           rc;
    rfl_query_page_t  *page;

    page = &v->query.page;
    by_sums = (!page->key_sort && page->field < RFL_CELL_SUMS);

    if (v->rt->registry == NULL) {
        rc = RFL_OK;

    } else {
        rc = v->period.nranges != 0 && by_sums
             ? rfl_view_scan_period(v, &v->period) : rfl_view_scan_totals(v);
    }

    if (rc == RFL_OK) {
        rfl_top_sort(&v->top);
        v->next_id = 0;
    }

    return rc;
}


static rfl_rc_t
rfl_view_scan_totals(rfl_view_t *v)
{
    uint32_t    end;
    rfl_rc_t    rc;
    rfl_cell_t  cell;

    rc = rfl_view_scan_start(v);
    if (rc != RFL_OK) {
        return rc;
    }

    end = v->end_id - v->next_id > RFL_VIEW_STEP_IDS
          ? v->next_id + RFL_VIEW_STEP_IDS : v->end_id;

    for ( /* void */ ; v->next_id < end; v->next_id++) {
        rc = rfl_view_cell(v, v->next_id, &cell);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_view_scan_cell(v, v->next_id, &cell);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return v->next_id < v->end_id ? RFL_BUSY : RFL_OK;
}


/* A block at a time: one look at a bucket gives its counts of 64 ids. */

static rfl_rc_t
rfl_view_scan_period(rfl_view_t *v, const rfl_period_t *period)
{
    uint32_t           i, block, first, ids;
    rfl_rc_t           rc;
    const rfl_cell_t  *cells;

    rc = rfl_view_scan_start(v);
    if (rc != RFL_OK) {
        return rc;
    }

    cells = v->merge.sum.block.cells;
    ids = 0;

    while (v->next_id < v->end_id) {

        if (ids + RFL_HISTORY_BLOCK > RFL_VIEW_STEP_IDS) {
            return RFL_BUSY;
        }

        block = v->next_id / RFL_HISTORY_BLOCK;

        rc = rfl_view_merge(v, RFL_MERGE_BLOCK, period, block);
        if (rc != RFL_OK) {
            return rc;
        }

        first = v->next_id;
        v->next_id = (block + 1) * RFL_HISTORY_BLOCK;
        ids += RFL_HISTORY_BLOCK;

        for (i = first; i < v->next_id && i < v->end_id; i++) {
            rc = period == &v->period
                 ? rfl_view_scan_cell(v, i, &cells[i % RFL_HISTORY_BLOCK])
                 : rfl_view_count_previous(v, i,
                                           &cells[i % RFL_HISTORY_BLOCK]);
            if (rc != RFL_OK) {
                return rc;
            }
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_scan_start(rfl_view_t *v)
{
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    if (v->next_id != 0) {
        return RFL_OK;
    }

    rc = rfl_registry_meta(v->rt->registry, &meta);
    if (rc != RFL_OK) {
        return rc;
    }

    v->next_id = 1;
    v->end_id = meta.next_id;

    return RFL_OK;
}


/* Groups and retired links have cells too, but are no rows. */

static rfl_rc_t
rfl_view_scan_cell(rfl_view_t *v, uint32_t id, const rfl_cell_t *cell)
{
    int                counts;
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

    if (rc != RFL_OK) {
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

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


/* What a ledger that cannot be read costs: older totals, not the answer. */

static rfl_rc_t
rfl_view_cell(rfl_view_t *v, uint32_t id, rfl_cell_t *cell)
{
    rfl_rc_t  rc;

    rc = rfl_totals_cell(&v->totals, id, cell);

    if (rc != RFL_OK && v->query.kind == RFL_QUERY_SUMMARY
        && v->totals.ledger != NULL)
    {
        v->ledger_failed = 1;
        v->totals.ledger = NULL;

        rc = rfl_totals_cell(&v->totals, id, cell);
    }

    return rc;
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
    rfl_buf_text(b, "{");

    if (v->period.nranges != 0) {
        rfl_view_period(b, "period", &v->period);
    }

    if (v->previous.nranges != 0) {
        rfl_view_period(b, "previous", &v->previous);
    }

    rfl_json_name(b, "links");
    rfl_buf_text(b, "[");

    return RFL_OK;
}


rfl_rc_t
rfl_view_rows_by_key(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    for ( ;; ) {
        rc = rfl_view_next_link(v, &link);

        if (rc == RFL_NOT_FOUND) {
            return RFL_OK;
        }

        if (rc != RFL_OK) {
            return rc;
        }

        if (v->rows == v->query.page.limit) {
            v->has_next = 1;
            return RFL_OK;
        }

        if (b->len > RFL_VIEW_STEP_BYTES) {
            return RFL_BUSY;
        }

        rc = rfl_view_row(v, b, &link);
        if (rc != RFL_OK) {
            return rc;
        }

        v->last_key = link.key;
    }
}


/* The one that is being summed, unless it was removed meanwhile. */

static rfl_rc_t
rfl_view_next_link(rfl_view_t *v, rfl_link_t *link)
{
    rfl_rc_t  rc;

    if (v->row.planned) {
        rc = rfl_registry_link(v->rt->registry, v->row.id, link);

        if (rc != RFL_NOT_FOUND) {
            return rc;
        }

        v->last_key = v->row.key;
        rfl_view_row_drop(v);
    }

    if (v->last_key == UINT64_MAX) {
        return RFL_NOT_FOUND;
    }

    return rfl_registry_next_key(v->rt->registry, v->last_key + 1, link);
}


/* A link that was removed since the scan is passed over. */

rfl_rc_t
rfl_view_rows_sorted(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    v->has_next = v->top.n > v->query.page.limit;

    while (v->next_row < v->top.n && v->next_row < v->query.page.limit
           && v->rt->registry != NULL)
    {
        if (b->len > RFL_VIEW_STEP_BYTES) {
            return RFL_BUSY;
        }

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
    rfl_buf_text(b, "]");
    rfl_json_name(b, "next");

    if (v->has_next) {
        rfl_view_cursor(v, b);

    } else {
        rfl_buf_text(b, "null");
    }

    rfl_buf_text(b, "}\n");

    return RFL_OK;
}


static void
rfl_view_cursor(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_top_row_t  *last;

    if (v->query.page.by_key) {
        rfl_buf_fmt(b, "\"%016llx\"", (unsigned long long) v->last_key);
        return;
    }

    last = &v->top.rows[v->query.page.limit - 1];

    if (v->query.page.key_sort) {
        rfl_buf_fmt(b, "\"%016llx\"", (unsigned long long) last->key);

    } else {
        rfl_buf_fmt(b, "\"%llu-%016llx\"", (unsigned long long) last->value,
                    (unsigned long long) last->key);
    }
}


rfl_rc_t
rfl_view_link(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = rfl_registry_link(v->rt->registry, v->link_id, &link);

    if (rc == RFL_OK) {
        rc = rfl_view_row(v, b, &link);
    }

    if (rc == RFL_OK) {
        rfl_buf_text(b, "\n");
    }

    return rc;
}


/* RFL_BUSY: nothing was rendered, its sums take another step. */

static rfl_rc_t
rfl_view_row(rfl_view_t *v, rfl_buf_t *b, const rfl_link_t *link)
{
    rfl_rc_t  rc;

    if (v->period.nranges != 0) {
        rc = rfl_view_row_plan(v, link);

        if (rc == RFL_OK) {
            rc = rfl_view_row_sum(v);
        }

        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (v->rows++ != 0) {
        rfl_buf_text(b, ",");
    }

    if (v->period.nranges == 0) {
        return rfl_report_link(b, v->rt->registry, &v->totals, link);
    }

    rfl_view_row_drop(v);

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
    report->has_previous = (v->previous.nranges != 0);

    if (v->query.kind == RFL_QUERY_LINK) {
        report->period = &v->period;
        report->previous_period = &v->previous;
    }

    rc = rfl_registry_groups(v->rt->registry, link, report->groups,
                             &report->ngroups);
    if (rc != RFL_OK) {
        return rc;
    }

    /* slices end with the transaction, the row may outlive it */

    for (i = 0; i < report->ngroups; i++) {
        report->groups[i].group.text = rfl_str(NULL, 0);
    }

    row->planned = 1;

    return RFL_OK;
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
