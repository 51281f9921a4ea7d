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


/* A row here adds a counter everywhere. */

typedef struct {
    rfl_str_t          name;             /* "clicks" */
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


/* The 13 counters of a cell as a JSON object. */

void rfl_report_counters(rfl_buf_t *b, const rfl_cell_t *cell);

/*
 * One link as in interface.md: fields, times, groups, counters.  registry and
 * t->ledger have begun transactions.
 */

rfl_rc_t rfl_report_link(rfl_buf_t *b, rfl_registry_t *registry,
    const rfl_totals_t *t, const rfl_link_t *link);


/* The same link with counters of a period, which the caller has summed. */

typedef struct {
    rfl_cell_t           cell;
    size_t               ngroups;
    rfl_membership_t     groups[RFL_LINK_GROUPS_MAX];
    uint64_t             clicks[RFL_LINK_GROUPS_MAX];    /* of each group */
    unsigned             has_previous:1;
    rfl_cell_t           previous;       /* counters of the period before */
    const rfl_period_t  *period;         /* shown in the link; or NULL */
    const rfl_period_t  *previous_period;
} rfl_report_row_t;

rfl_rc_t rfl_report_link_row(rfl_buf_t *b, const rfl_totals_t *t,
    const rfl_link_t *link, const rfl_report_row_t *row);


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


#endif /* RFL_REPORT_H */
