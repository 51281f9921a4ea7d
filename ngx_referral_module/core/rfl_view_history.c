/*
 * History as it is kept, bucket by bucket.
 */

#include "rfl_view_parts.h"


static rfl_rc_t rfl_view_history_clamp(rfl_view_t *v);
static rfl_rc_t rfl_view_bucket(rfl_view_t *v, rfl_buf_t *b);
static int rfl_view_is_zero(const uint64_t *n, size_t fields);


rfl_rc_t
rfl_view_history(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t  rc;

    rc = rfl_view_history_clamp(v);
    if (rc != RFL_OK) {
        return rc;
    }

    if (rfl_view_is_csv(v)) {
        rfl_report_csv_bucket_head(b, v->query.kind == RFL_QUERY_HISTORY);
        return RFL_OK;
    }

    rfl_buf_text(b, "{");
    rfl_json_name(b, "unit");
    rfl_json_string(b, rfl_unit_names[v->query.unit]);
    rfl_report_span(b, v->query.period.from, v->query.period.to);
    rfl_json_name(b, "buckets");
    rfl_buf_text(b, "[");

    return RFL_OK;
}


/* What is asked for may be millions of buckets, what there is never is. */

static rfl_rc_t
rfl_view_history_clamp(rfl_view_t *v)
{
    rfl_rc_t  rc;
    uint32_t  first, last, seconds;

    last = 0;

    rc = rfl_history_first(&v->history, v->query.unit, &first);

    if (rc == RFL_OK) {
        rc = rfl_history_last(&v->history, v->query.unit, &last);
    }

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    seconds = rfl_unit_seconds[v->query.unit];

    v->bucket = (uint32_t) (v->query.period.from / seconds);
    v->end_bucket = (uint32_t) (v->query.period.to / seconds);

    if (v->bucket < first) {
        v->bucket = first;
    }

    if (v->end_bucket > last + 1) {
        v->end_bucket = last + 1;
    }

    return RFL_OK;
}


rfl_rc_t
rfl_view_buckets(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t  rc;

    for ( /* void */ ; v->bucket < v->end_bucket; v->bucket++) {

        if (v->buckets == 0 || b->len > RFL_VIEW_STEP_BYTES) {
            return RFL_BUSY;
        }

        v->buckets--;

        rc = rfl_view_bucket(v, b);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (!rfl_view_is_csv(v)) {
        rfl_buf_text(b, "]}\n");
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_bucket(rfl_view_t *v, rfl_buf_t *b)
{
    int         is_zero, of_link;
    rfl_rc_t    rc;
    uint64_t    start;
    rfl_cell_t  cell;
    rfl_zone_t  zone;

    of_link = (v->query.kind == RFL_QUERY_LINK_HISTORY);
    start = (uint64_t) v->bucket * rfl_unit_seconds[v->query.unit];

    memset(&cell, 0, sizeof(rfl_cell_t));
    memset(&zone, 0, sizeof(rfl_zone_t));

    rc = of_link ? rfl_history_cell(&v->history, v->query.unit, v->bucket,
                                    v->link_id, &cell)
                 : rfl_history_zone(&v->history, v->query.unit, v->bucket,
                                    &zone);
    if (rc != RFL_OK) {
        return rc;
    }

    is_zero = of_link ? rfl_view_is_zero(cell.n, RFL_CELL_SUMS)
                      : rfl_view_is_zero(zone.n, RFL_ZONE_FIELDS);

    if (is_zero) {
        return RFL_OK;
    }

    if (rfl_view_is_csv(v)) {

        if (of_link) {
            rfl_report_csv_bucket(b, start, &cell);

        } else {
            rfl_report_csv_zone_bucket(b, start, &zone);
        }

        return RFL_OK;
    }

    if (v->rows++ != 0) {
        rfl_buf_text(b, ",");
    }

    if (of_link) {
        rfl_report_bucket(b, start, &cell);

    } else {
        rfl_report_zone_bucket(b, start, &zone);
    }

    return RFL_OK;
}


static int
rfl_view_is_zero(const uint64_t *n, size_t fields)
{
    size_t  i;

    for (i = 0; i < fields; i++) {
        if (n[i] != 0) {
            return 0;
        }
    }

    return 1;
}
