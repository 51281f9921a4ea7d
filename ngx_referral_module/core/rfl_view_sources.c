/*
 * Stages of a view: who else links here, what is broken, who is not to be heard
 * of.  The table is the ledger's, so what is shown is as old as the last flush.
 *
 * A row that is chosen in one step and written in another may be another one
 * by then: it is compared, and passed over.
 */

#include "rfl_csv.h"
#include "rfl_view_parts.h"


/*
 * v->rows is 1 when the head is written: a comma stands from 2 on.
 *
 * What was read is said as it was before the first row was looked at, though it
 * stands behind the last one: a flush may come between two steps, and a row
 * must not lack what the answer says was read.
 */

/* To ask whether a link explains a source costs some look-ups. */

#define RFL_VIEW_SOURCE_WORK  8


static rfl_rc_t rfl_view_source_row(rfl_view_t *v, rfl_buf_t *b,
    const rfl_top_row_t *row);
static rfl_source_list_t rfl_view_source_list(const rfl_view_t *v);
static rfl_source_site_t rfl_view_source_site(rfl_view_t *v);
static void rfl_view_source_end(rfl_view_t *v, rfl_buf_t *b);


rfl_rc_t
rfl_view_sources_find(rfl_view_t *v, rfl_buf_t *b)
{
    size_t             i, n;
    rfl_rc_t           rc;
    rfl_sources_entry_t       source;
    rfl_top_row_t      row, after;
    rfl_source_row_t   rows[RFL_ENDS];
    rfl_source_site_t  site;

    site = rfl_view_source_site(v);

    after.value = v->query.page.after_value;
    after.key = v->query.page.after_key;

    if (v->next_source == 0 && v->rt->ledger != NULL) {
        (void) rfl_ledger_get_sources(v->rt->ledger, &v->sources);
    }

    while (v->rt->ledger != NULL) {

        if (v->work == 0) {
            return RFL_BUSY;
        }

        rfl_view_spend(v, RFL_VIEW_SOURCE_WORK);

        rc = rfl_ledger_next_source(v->rt->ledger, &v->next_source, &source);

        if (rc == RFL_NOT_FOUND || v->next_source >= RFL_SOURCES_ROWS) {
            break;
        }

        n = 0;

        if (rc == RFL_OK) {
            n = rfl_source_rows(&site, rfl_view_source_list(v), &source,
                                rows);

        } else if (rc != RFL_DAMAGED && rc != RFL_BAD_VERSION) {
            return rc;
        }

        for (i = 0; i < n; i++) {
            row.value = rows[i].value;
            row.key = rows[i].key;
            row.id = v->next_source * RFL_ENDS + rows[i].ended;

            if (!v->query.page.has_after
                || rfl_top_before(&v->top, &after, &row))
            {
                rfl_top_add(&v->top, &row);
            }
        }

        v->next_source++;
    }

    rfl_top_sort(&v->top);

    return RFL_OK;
}


rfl_rc_t
rfl_view_sources(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t  rc;

    if (v->rows == 0) {
        v->rows = 1;

        if (rfl_view_is_csv(v)) {
            rfl_source_csv_head(b, rfl_view_source_list(v));

        } else {
            rfl_buf_text(b, v->query.kind == RFL_QUERY_BROKEN
                            ? "{\"broken\":[" : "{\"sources\":[");
        }
    }

    v->has_next = v->top.n > v->query.page.limit;

    while (v->next_row < v->top.n && v->next_row < v->query.page.limit) {

        if (b->len > RFL_VIEW_STEP_BYTES || v->work == 0) {
            return RFL_BUSY;
        }

        rfl_view_spend(v, RFL_VIEW_SOURCE_WORK);

        rc = rfl_view_source_row(v, b, &v->top.rows[v->next_row]);
        if (rc != RFL_OK) {
            return rc;
        }

        v->next_row++;
    }

    if (!rfl_view_is_csv(v)) {
        rfl_view_source_end(v, b);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_source_row(rfl_view_t *v, rfl_buf_t *b, const rfl_top_row_t *row)
{
    rfl_rc_t           rc;
    rfl_ended_t        ended;
    rfl_sources_entry_t       source;
    rfl_source_list_t  list;
    rfl_source_site_t  site;

    ended = row->id % RFL_ENDS;
    site = rfl_view_source_site(v);
    list = rfl_view_source_list(v);

    if (v->rt->ledger == NULL) {
        return RFL_OK;
    }

    rc = rfl_ledger_source(v->rt->ledger, row->id / RFL_ENDS, &source);

    if (rc == RFL_NOT_FOUND || rc == RFL_DAMAGED || rc == RFL_BAD_VERSION
        || (rc == RFL_OK && rfl_source_key(&source, ended) != row->key))
    {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (rfl_view_is_csv(v)) {
        return rfl_source_csv(b, &site, list, &source, ended);
    }

    if (v->rows++ > 1) {
        rfl_buf_text(b, ",");
    }

    return rfl_source_json(b, &site, list, &source, ended);
}


static void
rfl_view_source_end(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_ledger_sources_t  about;

    rfl_buf_text(b, "]");
    rfl_json_name(b, "next");

    if (v->has_next) {
        rfl_view_cursor(b, &v->top.rows[v->query.page.limit - 1]);

    } else {
        rfl_buf_text(b, "null");
    }

    memset(&about, 0, sizeof(rfl_ledger_sources_t));

    if (v->rt->ledger != NULL
        && rfl_ledger_get_sources(v->rt->ledger, &about) == RFL_OK)
    {
        about.read = v->sources.read;
        about.missed = v->sources.missed;
    }

    rfl_source_json_about(b, &about);
    rfl_buf_text(b, "}\n");
}


static rfl_source_list_t
rfl_view_source_list(const rfl_view_t *v)
{
    return v->query.kind == RFL_QUERY_BROKEN ? RFL_SOURCES_BROKEN
                                             : RFL_SOURCES_UNKNOWN;
}


static rfl_source_site_t
rfl_view_source_site(rfl_view_t *v)
{
    rfl_source_site_t  site;

    site.registry = v->rt->registry;
    site.patterns = v->rt->patterns;
    site.counters = v->totals.counters;

    return site;
}


/* All of them, in the order of their SURTs: the answer is streamed. */

rfl_rc_t
rfl_view_ignored(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t              rc;
    rfl_str_t             host;
    rfl_ignored_place_t  *place;

    place = &v->ignored;

    if (v->rows == 0) {
        v->rows = 1;

        if (rfl_view_is_csv(v)) {
            rfl_csv_field(b, rfl_cstr("host"));
            rfl_csv_end_row(b);

        } else {
            rfl_buf_text(b, "{\"ignored\":[");
        }
    }

    for ( ;; ) {

        if (b->len > RFL_VIEW_STEP_BYTES || v->work == 0) {
            return RFL_BUSY;
        }

        rfl_view_spend(v, 1);

        rc = rfl_ignored_next(v->rt->registry, place);

        if (rc == RFL_NOT_FOUND) {
            break;
        }

        if (rc != RFL_OK) {
            return rc;
        }

        host = rfl_str(place->host, place->len);

        if (rfl_view_is_csv(v)) {
            rfl_csv_field(b, host);
            rfl_csv_end_row(b);
            continue;
        }

        rfl_buf_text(b, v->rows++ > 1 ? ",{" : "{");
        rfl_json_name(b, "host");
        rfl_json_string(b, host);
        rfl_json_name(b, "since");
        rfl_buf_char(b, '"');
        rfl_buf_time(b, place->since);
        rfl_buf_text(b, "\"}");
    }

    if (!rfl_view_is_csv(v)) {
        rfl_buf_text(b, "]}\n");
    }

    return RFL_OK;
}
