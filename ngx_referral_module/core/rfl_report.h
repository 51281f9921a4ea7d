/*
 * What is shown: totals, and the one table of counters from which JSON, CSV,
 * Prometheus text, the dashboard and the docs are made.
 */

#ifndef RFL_REPORT_H
#define RFL_REPORT_H

#include "rfl_json.h"
#include "rfl_ledger.h"
#include "rfl_period.h"
#include "rfl_registry.h"
#include "rfl_states.h"


/* A row here adds a counter everywhere. */

typedef struct {
    rfl_str_t          name;             /* "clicks" */
    rfl_json_member_t  member;
    rfl_cell_field_t   field;
    const char        *help;             /* one line */
} rfl_counter_t;

extern const rfl_counter_t  rfl_counter_table[RFL_CELL_SUMS];

const rfl_counter_t *rfl_counter_find(rfl_str_t name);       /* or NULL */


/*
 * Where totals come from.  Either may be NULL: without counters (nginx does
 * not run) the ledger has it all, without a ledger the live file has what
 * it has.
 */

typedef struct {
    rfl_ledger_t    *ledger;
    rfl_counters_t  *counters;
} rfl_totals_t;

/* Between rfl_ledger_begin() and _end() of t->ledger, if there is one. */

rfl_rc_t rfl_totals_cell(const rfl_totals_t *t, uint32_t id, rfl_cell_t *cell);
rfl_rc_t rfl_totals_zone(const rfl_totals_t *t, rfl_zone_t *zone);

/*
 * The first id at or behind *id that the registry knows or that may have
 * counts; RFL_NOT_FOUND behind the last one.  What a registry says of its
 * number of ids may be far from what it has.
 */

rfl_rc_t rfl_totals_next_id(const rfl_totals_t *t, rfl_registry_t *registry,
    uint32_t *id);

/* Cells of several ids, RFL_PAGES_MANY at most, which memory is asked for
 * together. */

rfl_rc_t rfl_totals_cells(const rfl_totals_t *t, const uint32_t *ids, size_t n,
    rfl_cell_t *cells);


/*
 * A link's state, as the keeper found it last.  One it has not judged yet, or
 * called new or never before there was a click, is new or active by its total;
 * of that all else is 0.  total: the link's, if it is known already, or NULL.
 */

rfl_rc_t rfl_totals_state(const rfl_totals_t *t, const rfl_link_t *link,
    const rfl_cell_t *total, rfl_state_verdict_t *v);

/* The same where it is known what the keeper found (found is RFL_OK: it is in
 * *v), and the total. */

void rfl_totals_judge(rfl_rc_t found, const rfl_cell_t *total,
    rfl_state_verdict_t *v);


/* The 13 counters of a cell as a JSON object. */

void rfl_report_counters(rfl_buf_t *b, const rfl_cell_t *cell);

/*
 * Which members of a link are shown: a bit for each.  The key always is.
 */

#define RFL_SHOW_FIELD(i)     (UINT64_C(1) << (i))   /* of rfl_link_fields */
#define RFL_SHOW_CREATED      (UINT64_C(1) << 24)
#define RFL_SHOW_FIRST_SEEN   (UINT64_C(1) << 25)
#define RFL_SHOW_LAST_SEEN    (UINT64_C(1) << 26)
#define RFL_SHOW_GROUPS       (UINT64_C(1) << 27)
#define RFL_SHOW_STATE        (UINT64_C(1) << 28)
#define RFL_SHOW_STATE_SINCE  (UINT64_C(1) << 29)
#define RFL_SHOW_COUNTER(i)   (UINT64_C(1) << (32 + (i)))
#define RFL_SHOW_COUNTERS     (RFL_SHOW_COUNTER(RFL_CELL_SUMS)                \
                               - RFL_SHOW_COUNTER(0))
#define RFL_SHOW_SEEN         (RFL_SHOW_FIRST_SEEN|RFL_SHOW_LAST_SEEN)
#define RFL_SHOW_STATES       (RFL_SHOW_STATE|RFL_SHOW_STATE_SINCE)
#define RFL_SHOW_KEY          (UINT64_C(1) << 63)
#define RFL_SHOW_ALL          UINT64_MAX

/* The bits of a member's, or a counter's, name; 0: there is none such. */

uint64_t rfl_report_fields(rfl_str_t name);


/*
 * One link as in interface.md: fields, times, groups, counters.  registry and
 * t->ledger have begun transactions.
 */

rfl_rc_t rfl_report_link(rfl_buf_t *b, rfl_registry_t *registry,
    const rfl_totals_t *t, const rfl_link_t *link);


/* The same link with what the caller has summed and wants to be shown. */

typedef struct {
    uint64_t             fields;
    rfl_cell_t           cell;
    size_t               ngroups;
    rfl_membership_t     groups[RFL_LINK_GROUPS_MAX];
    uint64_t             clicks[RFL_LINK_GROUPS_MAX];    /* of each group */
    unsigned             is_total:1;     /* cell is of all time */
    unsigned             has_verdict:1;  /* the link's, of all time */
    rfl_state_verdict_t  verdict;
    unsigned             has_previous:1;
    rfl_cell_t           previous;       /* counters of the period before */
    const rfl_period_t  *period;         /* shown in the link; or NULL */
    const rfl_period_t  *previous_period;
} rfl_report_row_t;

rfl_rc_t rfl_report_link_row(rfl_buf_t *b, const rfl_totals_t *t,
    const rfl_link_t *link, const rfl_report_row_t *row);

/*
 * Fills row's totals as row->fields says; as rfl_report_link() would.  A cell
 * that is there already (is_total) stays.
 */

rfl_rc_t rfl_report_totals(rfl_report_row_t *row, rfl_registry_t *registry,
    const rfl_totals_t *t, const rfl_link_t *link);


/*
 * As CSV: the columns of "referralctl export", which import reads back, so
 * fields are as they are stored, bytes that are not UTF-8 too; groups are left
 * out.  Counters of the period before are previous_clicks and so on.
 */

void rfl_report_csv_head(rfl_buf_t *b, uint64_t fields, int has_previous);
rfl_rc_t rfl_report_csv_row(rfl_buf_t *b, const rfl_totals_t *t,
    const rfl_link_t *link, const rfl_report_row_t *row);


/* A field of CSV; a time of 0 is empty. */

void rfl_report_csv_number(rfl_buf_t *b, uint64_t n);
void rfl_report_csv_time(rfl_buf_t *b, uint64_t seconds);


/* Sums of several links: a row of /hosts and its like. */

typedef struct {
    rfl_str_t        name;
    uint32_t         links;
    const uint64_t  *sums;               /* by rfl_cell_field_t */
    const uint64_t  *previous;           /* or NULL */
} rfl_report_sums_t;

void rfl_report_sums(rfl_buf_t *b, const rfl_report_sums_t *row);
void rfl_report_csv_sums_head(rfl_buf_t *b, int has_previous);
void rfl_report_csv_sums(rfl_buf_t *b, const rfl_report_sums_t *row);

/* The members "counters" and, unless it is NULL, "previous". */

void rfl_report_sums_members(rfl_buf_t *b, const uint64_t *sums,
    const uint64_t *previous);


/* The members "outcomes", "clicks", "classes", "evidence" of the summary. */

void rfl_report_zone(rfl_buf_t *b, const rfl_zone_t *zone);

/* The members "from" and "to" (seconds). */

void rfl_report_span(rfl_buf_t *b, uint64_t from, uint64_t to);

/*
 * A bucket of history as an object: its start (seconds) and counters; the
 * registry's also has outcomes, clicks and evidence.
 */

void rfl_report_bucket(rfl_buf_t *b, uint64_t start, const rfl_cell_t *cell);
void rfl_report_zone_bucket(rfl_buf_t *b, uint64_t start,
    const rfl_zone_t *zone);

/*
 * What a zone has, some columns of a row: counters, "outcome_direct" and so on,
 * "clicks_direct" ..., "evidence_tag" ...; prefix, of at most 16 bytes, stands
 * before each name.  Not the first of a row.
 */

void rfl_report_csv_zone_names(rfl_buf_t *b, const char *prefix);
void rfl_report_csv_zone(rfl_buf_t *b, const rfl_zone_t *zone);

/* Columns "start" and counters; the registry's are those of its zone. */

void rfl_report_csv_bucket_head(rfl_buf_t *b, int of_zone);
void rfl_report_csv_bucket(rfl_buf_t *b, uint64_t start,
    const rfl_cell_t *cell);
void rfl_report_csv_zone_bucket(rfl_buf_t *b, uint64_t start,
    const rfl_zone_t *zone);


#endif /* RFL_REPORT_H */
