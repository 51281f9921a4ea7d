/*
 * What the parts of a view share: rfl_view.c opens and steps it, the other
 * files have the stages of its answers.
 */

#ifndef RFL_VIEW_PARTS_H
#define RFL_VIEW_PARTS_H

#include "rfl_identity.h"
#include "rfl_ignored.h"
#include "rfl_source_report.h"
#include "rfl_top.h"
#include "rfl_view.h"


/* A row of a period: the link's counters, the period's before, its groups'. */

typedef struct {
    unsigned          planned:1;
    uint32_t          id;
    uint64_t          key;
    size_t            next;              /* of the sums below */
    rfl_report_row_t  report;
} rfl_view_row_t;


/* The next rows by key, read together; of one step. */

typedef struct {
    size_t               n;
    size_t               next;
    unsigned             has_totals:1;
    rfl_link_t           links[RFL_PAGES_MANY];
    rfl_cell_t           cells[RFL_PAGES_MANY];
    rfl_state_verdict_t  verdicts[RFL_PAGES_MANY];
} rfl_view_ahead_t;


/* All ids of a registry, by blocks of RFL_HISTORY_BLOCK. */

typedef struct {
    uint32_t          next;              /* to be looked at; 0: not begun */
    uint32_t          end;               /* behind the last */
    unsigned          occupied:1;        /* something is in this block */
} rfl_view_pass_t;


typedef struct rfl_view_tally_s  rfl_view_tally_t;
typedef struct rfl_view_metrics_s  rfl_view_metrics_t;


/* RFL_OK: the next stage; RFL_BUSY: this one again. */

typedef rfl_rc_t (*rfl_view_stage_pt)(rfl_view_t *v, rfl_buf_t *b);


struct rfl_view_s {
    rfl_query_t               query;
    rfl_runtime_t            *rt;
    rfl_runtime_t           **runtimes;
    size_t                    nruntimes;
    unsigned                  write:1;           /* as requested */

    const rfl_view_stage_pt  *stage;
    const char               *file;              /* in its file's name */
    rfl_view_error_t          fault;

    rfl_period_t              period;            /* no ranges: totals */
    rfl_period_t              previous;          /* no ranges: none */

    /* of this step */

    rfl_totals_t              totals;
    rfl_history_t             history;
    uint32_t                  buckets;           /* may be looked at */
    uint32_t                  work;              /* ids, likewise */

    rfl_merge_t               merge;
    unsigned                  merging:1;

    unsigned                  ledger_failed:1;   /* the summary goes on
                                                    without it */

    uint32_t                  group_id;          /* a filter's */
    rfl_registry_place_t      place;             /* in the sources */
    rfl_identity_t            identity;          /* scratch: it is large */

    uint32_t                 *found;             /* ids an index had */
    size_t                    nfound;
    size_t                    next_found;        /* of the scan */
    uint32_t                  next_member;
    unsigned                  has_index:1;
    unsigned                  indexed:1;         /* found has them all */

    rfl_view_tally_t         *tally;             /* of /hosts and its like */

    rfl_runtime_t            *only;              /* metrics: of one registry */
    rfl_view_metrics_t       *metrics;

    rfl_view_pass_t           pass;
    uint32_t                  next_source;       /* its number */
    uint64_t                  active;
    uint64_t                  previous_active;
    rfl_top_t                 top;

    rfl_zone_t                zone;              /* the period's */
    rfl_zone_t                previous_zone;

    rfl_view_ahead_t          ahead;
    rfl_view_row_t            row;
    uint64_t                  rows;              /* rendered */
    size_t                    next_row;          /* of top's */
    uint64_t                  last_key;          /* looked at */
    uint64_t                  shown_key;
    unsigned                  has_next:1;

    rfl_ledger_sources_t      sources;           /* before the first row */
    rfl_ignored_place_t       ignored;           /* shown last */

    uint32_t                  link_id;           /* of a history */
    uint32_t                  bucket;
    uint32_t                  end_bucket;
};


/*
 * Sums a period as far as this step may; RFL_OK: the sums are in v->merge.
 * Call it again with the same arguments until then.
 */

rfl_rc_t rfl_view_merge(rfl_view_t *v, rfl_merge_kind_t kind,
    const rfl_period_t *period, uint32_t id);


/* So much of this step's work is done. */

static inline void
rfl_view_spend(rfl_view_t *v, size_t work)
{
    v->work = v->work > work ? v->work - (uint32_t) work : 0;
}


static inline int
rfl_view_is_csv(const rfl_view_t *v)
{
    return v->query.format == RFL_FORMAT_CSV;
}


/*
 * The summary says what cannot be read, and shows what else there is.  Its CSV
 * has no place for that.
 */

static inline int
rfl_view_says_faults(const rfl_view_t *v)
{
    return v->query.kind == RFL_QUERY_SUMMARY && !rfl_view_is_csv(v);
}


/*
 * To the next id; behind a block in which nothing was found, to the next one
 * that there may be anything of, or the end.
 */

rfl_rc_t rfl_view_next_id(rfl_view_pass_t *pass, const rfl_totals_t *totals,
    rfl_registry_t *registry);


/* A cell as it is now. */

rfl_rc_t rfl_view_cell(rfl_view_t *v, uint32_t id, rfl_cell_t *cell);


/* Members of an object. */

void rfl_view_period(rfl_buf_t *b, const char *name,
    const rfl_period_t *period);
void rfl_view_member_u64(rfl_buf_t *b, const char *name, uint64_t n);


void rfl_view_periods(rfl_view_t *v, rfl_buf_t *b);
void rfl_view_cursor(rfl_buf_t *b, const rfl_top_row_t *last);


/* Stages of rfl_view_rows.c. */

rfl_rc_t rfl_view_find(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_scan(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_scan_previous(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_links(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_rows(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_links_end(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_link(rfl_view_t *v, rfl_buf_t *b);


/* Stages of rfl_view_tally.c, and what it keeps. */

rfl_rc_t rfl_view_tally_open(rfl_view_t *v);
void rfl_view_tally_close(rfl_view_t *v);

rfl_rc_t rfl_view_tally_ids(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_tally_sort(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_tally_head(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_tally_rows(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_tally_end(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_hosts_rank(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_hosts_rows(rfl_view_t *v, rfl_buf_t *b);


/* Stages of rfl_view_metrics.c, and what it keeps. */

rfl_rc_t rfl_view_metrics_open(rfl_view_t *v);
void rfl_view_metrics_close(rfl_view_t *v);

rfl_rc_t rfl_view_metrics_start(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_metrics(rfl_view_t *v, rfl_buf_t *b);


/* Stages of rfl_view_sources.c. */

rfl_rc_t rfl_view_sources_find(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_sources(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_ignored(rfl_view_t *v, rfl_buf_t *b);


/* Stages of rfl_view_summary.c. */

rfl_rc_t rfl_view_zone(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_zone_previous(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_summary(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_summary_end(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_summary_csv(rfl_view_t *v, rfl_buf_t *b);


/* Stages of rfl_view_history.c. */

rfl_rc_t rfl_view_history(rfl_view_t *v, rfl_buf_t *b);
rfl_rc_t rfl_view_buckets(rfl_view_t *v, rfl_buf_t *b);


#endif /* RFL_VIEW_PARTS_H */
