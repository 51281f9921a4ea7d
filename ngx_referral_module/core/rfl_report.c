/*
 * Totals and their JSON.  The names of counters are in one table, so that
 * every format and every tool says the same words; the names of outcomes and
 * evidence are those of rfl_terms.h.
 */

#include "rfl_report.h"
#include "rfl_class.h"
#include "rfl_csv.h"

#include <stdio.h>


/* What is no period's. */

typedef struct {
    rfl_cell_t           totals;
    rfl_state_verdict_t  verdict;
} rfl_report_life_t;


static rfl_rc_t rfl_totals_is_folded(const rfl_totals_t *t,
    const rfl_counters_t *c, int *folded);
static rfl_rc_t rfl_totals_lost_cell(const rfl_totals_t *t,
    const rfl_counters_t *lost, uint32_t id, rfl_cell_t *cell);
static rfl_rc_t rfl_totals_lost_zone(const rfl_totals_t *t,
    const rfl_counters_t *lost, rfl_zone_t *zone);
static rfl_rc_t rfl_report_group_clicks(const rfl_totals_t *t,
    const rfl_membership_t *member, uint64_t *clicks);
static rfl_rc_t rfl_report_life(const rfl_totals_t *t,
    const rfl_link_t *link, const rfl_report_row_t *row,
    rfl_report_life_t *life);
static void rfl_report_row(rfl_buf_t *b, const rfl_link_t *link,
    const rfl_report_life_t *life, const rfl_report_row_t *row);
static void rfl_report_previous(rfl_buf_t *b, const rfl_report_row_t *row);
static void rfl_report_group(rfl_buf_t *b, const rfl_group_t *group,
    uint64_t clicks);
static void rfl_report_field(rfl_buf_t *b, const rfl_link_t *link,
    const rfl_link_field_t *field);
static int rfl_report_is_url(const rfl_link_t *link,
    const rfl_link_field_t *field);
static void rfl_report_number(rfl_buf_t *b, rfl_str_t value);
static int rfl_report_is_number(rfl_str_t value);
static size_t rfl_report_digits(rfl_str_t value, size_t pos);
static void rfl_report_labels(rfl_buf_t *b, rfl_str_t labels);
static void rfl_report_time(rfl_buf_t *b, uint64_t seconds);
static void rfl_report_key(rfl_buf_t *b, uint64_t key);
static void rfl_report_named(rfl_buf_t *b, rfl_str_t name, uint64_t n);
static void rfl_report_outcomes(rfl_buf_t *b, const rfl_zone_t *zone);
static void rfl_report_clicks(rfl_buf_t *b, const rfl_zone_t *zone);
static void rfl_report_evidence(rfl_buf_t *b, const rfl_zone_t *zone);
static void rfl_report_start(rfl_buf_t *b, uint64_t start);
static void rfl_report_object(rfl_buf_t *b, const uint64_t *sums);
static void rfl_report_named_sums(rfl_buf_t *b, const uint64_t *sums,
    uint64_t fields);
static void rfl_report_csv_start(rfl_buf_t *b, uint64_t start);
static void rfl_report_csv_names(rfl_buf_t *b, const char *prefix,
    uint64_t fields);
static void rfl_report_csv_name(rfl_buf_t *b, const char *prefix,
    rfl_str_t name);
static void rfl_report_csv_counters(rfl_buf_t *b, const uint64_t *sums,
    uint64_t fields);
static void rfl_report_csv_cell(rfl_buf_t *b, const rfl_link_t *link,
    const rfl_link_field_t *field);


#define rfl_report_name(name)  rfl_string(name), rfl_json_member(name)

const rfl_counter_t  rfl_counter_table[RFL_CELL_SUMS] = {

    { rfl_report_name("clicks"), RFL_CELL_CLICKS,
      "Visitors who followed the link and got a page." },

    { rfl_report_name("reloads"), RFL_CELL_RELOADS,
      "Pages asked for again by a reload." },

    { rfl_report_name("redirects"), RFL_CELL_REDIRECTS,
      "Answers that sent the visitor on to another page." },

    { rfl_report_name("errors_4xx"), RFL_CELL_ERRORS_4XX,
      "Broken landings: answers with a status of 400 to 499." },

    { rfl_report_name("errors_5xx"), RFL_CELL_ERRORS_5XX,
      "Broken landings: answers with a status of 500 or more." },

    { rfl_report_name("embeds"), RFL_CELL_EMBEDS,
      "Pictures, frames and other parts shown in the linking page." },

    { rfl_report_name("prefetches"), RFL_CELL_PREFETCHES,
      "Pages loaded in advance, before any click." },

    { rfl_report_name("bots"), RFL_CELL_BOTS,
      "Requests of programs." },

    { rfl_report_name("other"), RFL_CELL_OTHER,
      "Other methods, aborted requests and requests by scripts." },

    { rfl_report_name("clicks_by_tag"), RFL_CELL_CLICKS_BY_TAG,
      "Clicks whose landing carried the link's tag." },

    { rfl_report_name("clicks_by_page"), RFL_CELL_CLICKS_BY_PAGE,
      "Clicks whose Referer named the registered page." },

    { rfl_report_name("other_landing"), RFL_CELL_OTHER_LANDING,
      "Clicks that landed elsewhere than at the link's target." },

    { rfl_report_name("bytes"), RFL_CELL_BYTES,
      "Bytes sent in answer." }
};



/* Of a link, beside its fields. */

static const rfl_json_member_t  rfl_report_key_member = rfl_json_member("key");
static const rfl_json_member_t  rfl_report_created = rfl_json_member("created");
static const rfl_json_member_t  rfl_report_first_seen =
                                               rfl_json_member("first_seen");
static const rfl_json_member_t  rfl_report_last_seen =
                                               rfl_json_member("last_seen");
static const rfl_json_member_t  rfl_report_state = rfl_json_member("state");
static const rfl_json_member_t  rfl_report_state_since =
                                               rfl_json_member("state_since");
static const rfl_json_member_t  rfl_report_groups = rfl_json_member("groups");
static const rfl_json_member_t  rfl_report_sums_member =
                                               rfl_json_member("counters");


const rfl_counter_t *
rfl_counter_find(rfl_str_t name)
{
    size_t  i;

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        if (rfl_str_eq(rfl_counter_table[i].name, name)) {
            return &rfl_counter_table[i];
        }
    }

    return NULL;
}


uint64_t
rfl_report_fields(rfl_str_t name)
{
    size_t                i;
    const rfl_counter_t  *counter;

    static const struct {
        rfl_str_t  name;
        uint64_t   bits;
    } others[] = {
        { rfl_string("key"),        RFL_SHOW_KEY },
        { rfl_string("created"),    RFL_SHOW_CREATED },
        { rfl_string("first_seen"), RFL_SHOW_FIRST_SEEN },
        { rfl_string("last_seen"),  RFL_SHOW_LAST_SEEN },
        { rfl_string("state"),      RFL_SHOW_STATE },
        { rfl_string("state_since"), RFL_SHOW_STATE_SINCE },
        { rfl_string("groups"),     RFL_SHOW_GROUPS },
        { rfl_string("counters"),   RFL_SHOW_COUNTERS }
    };

    for (i = 0; i < rfl_link_nfields; i++) {
        if (rfl_str_eq(rfl_link_fields[i].name, name)) {
            return RFL_SHOW_FIELD(i);
        }
    }

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (rfl_str_eq(others[i].name, name)) {
            return others[i].bits;
        }
    }

    counter = rfl_counter_find(name);

    return counter != NULL ? RFL_SHOW_COUNTER(counter - rfl_counter_table)
                           : 0;
}


/*
 * The live file's own cells are left out of the ledger's sum: what was
 * flushed of them and what was not are both in the live cell.
 */

rfl_rc_t
rfl_totals_cell(const rfl_totals_t *t, uint32_t id, rfl_cell_t *cell)
{
    int                    folded;
    rfl_rc_t               rc;
    uint64_t               live_file_id;
    rfl_cell_t             live;
    const rfl_counters_t  *lost;

    memset(cell, 0, sizeof(rfl_cell_t));

    if (t->ledger != NULL) {
        live_file_id = t->counters != NULL ? t->counters->header->file_id : 0;

        rc = rfl_ledger_cell(t->ledger, live_file_id, id, cell);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (t->counters == NULL) {
        return RFL_OK;
    }

    rc = rfl_totals_is_folded(t, t->counters, &folded);
    if (rc != RFL_OK) {
        return rc;
    }

    if (!folded) {
        rfl_counters_read_cell(t->counters, id, &live);
        rfl_cell_merge(cell, &live);
    }

    for (lost = t->counters->lost; lost != NULL; lost = lost->lost) {
        rc = rfl_totals_lost_cell(t, lost, id, cell);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


rfl_rc_t
rfl_totals_next_id(const rfl_totals_t *t, rfl_registry_t *registry,
    uint32_t *id)
{
    uint32_t               known, stored;
    rfl_rc_t               rc, ledger_rc;
    const rfl_counters_t  *c;

    for (c = t->counters; c != NULL; c = c->lost) {
        if (*id < rfl_counters_issued(c)) {
            return RFL_OK;
        }
    }

    known = *id;
    stored = *id;

    rc = rfl_registry_next_id(registry, &known);
    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        return rc;
    }

    ledger_rc = t->ledger != NULL ? rfl_ledger_next_id(t->ledger, &stored)
                                  : RFL_NOT_FOUND;

    if (ledger_rc == RFL_OK) {
        *id = rc == RFL_OK && known < stored ? known : stored;
        return RFL_OK;
    }

    *id = known;

    return ledger_rc == RFL_NOT_FOUND ? rc : ledger_rc;
}


/* As rfl_totals_cell(): the ledger's first, then what is counted now. */

rfl_rc_t
rfl_totals_cells(const rfl_totals_t *t, const uint32_t *ids, size_t n,
    rfl_cell_t *cells)
{
    int                    folded;
    size_t                 i;
    rfl_rc_t               rc;
    uint64_t               live_file_id;
    rfl_cell_t             live;
    const rfl_counters_t  *lost;

    memset(cells, 0, n * sizeof(rfl_cell_t));

    for (i = 0; t->counters != NULL && i < n; i++) {
        rfl_counters_read_soon(t->counters, ids[i]);
    }

    if (t->ledger != NULL) {
        live_file_id = t->counters != NULL ? t->counters->header->file_id : 0;

        rc = rfl_ledger_cells(t->ledger, live_file_id, ids, n, cells);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (t->counters == NULL) {
        return RFL_OK;
    }

    rc = rfl_totals_is_folded(t, t->counters, &folded);

    for (i = 0; rc == RFL_OK && i < n; i++) {

        if (!folded) {
            rfl_counters_read_cell(t->counters, ids[i], &live);
            rfl_cell_merge(&cells[i], &live);
        }

        for (lost = t->counters->lost; lost != NULL; lost = lost->lost) {
            rc = rfl_totals_lost_cell(t, lost, ids[i], &cells[i]);
            if (rc != RFL_OK) {
                return rc;
            }
        }
    }

    return rc;
}


/* What such a file has is in the ledger's number 0 already. */

static rfl_rc_t
rfl_totals_is_folded(const rfl_totals_t *t, const rfl_counters_t *c,
    int *folded)
{
    *folded = 0;

    if (t->ledger == NULL) {
        return RFL_OK;
    }

    return rfl_ledger_is_folded(t->ledger, c->header->file_id, folded);
}


/*
 * Of a file that was lost the ledger's sum has what was flushed: the rest is
 * added.  Nothing has to be known of when the last of it is flushed.
 */

static rfl_rc_t
rfl_totals_lost_cell(const rfl_totals_t *t, const rfl_counters_t *lost,
    uint32_t id, rfl_cell_t *cell)
{
    int         folded;
    size_t      i;
    rfl_rc_t    rc;
    uint64_t    stored;
    rfl_cell_t  live, all, others;

    rc = rfl_totals_is_folded(t, lost, &folded);
    if (rc != RFL_OK || folded) {
        return rc;
    }

    memset(&all, 0, sizeof(rfl_cell_t));
    memset(&others, 0, sizeof(rfl_cell_t));

    rfl_counters_read_cell(lost, id, &live);

    if (t->ledger != NULL) {
        rc = rfl_ledger_cell(t->ledger, 0, id, &all);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_ledger_cell(t->ledger, lost->header->file_id, id, &others);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        stored = all.n[i] - others.n[i];
        live.n[i] = live.n[i] > stored ? live.n[i] - stored : 0;
    }

    rfl_cell_merge(cell, &live);

    return RFL_OK;
}


rfl_rc_t
rfl_totals_state(const rfl_totals_t *t, const rfl_link_t *link,
    const rfl_cell_t *total, rfl_state_verdict_t *v)
{
    rfl_rc_t    rc, found;
    rfl_cell_t  cell;

    found = t->ledger != NULL ? rfl_states_get(t->ledger, link->id, v)
                              : RFL_NOT_FOUND;

    if (found == RFL_OK && v->state != RFL_STATE_NEW
        && v->state != RFL_STATE_NEVER)
    {
        return RFL_OK;
    }

    if (total == NULL) {
        rc = rfl_totals_cell(t, link->id, &cell);
        if (rc != RFL_OK) {
            return rc;
        }

        total = &cell;
    }

    rfl_totals_judge(found, total, v);

    return RFL_OK;
}


void
rfl_totals_judge(rfl_rc_t found, const rfl_cell_t *total,
    rfl_state_verdict_t *v)
{
    if (found == RFL_OK
        && ((v->state != RFL_STATE_NEW && v->state != RFL_STATE_NEVER)
            || total->n[RFL_CELL_CLICKS] == 0))
    {
        return;
    }

    memset(v, 0, sizeof(rfl_state_verdict_t));

    v->state = total->n[RFL_CELL_CLICKS] != 0 ? RFL_STATE_ACTIVE
                                              : RFL_STATE_NEW;
}


rfl_rc_t
rfl_totals_zone(const rfl_totals_t *t, rfl_zone_t *zone)
{
    int                    folded;
    rfl_rc_t               rc;
    uint64_t               live_file_id;
    rfl_zone_t             live;
    const rfl_counters_t  *lost;

    memset(zone, 0, sizeof(rfl_zone_t));

    if (t->ledger != NULL) {
        live_file_id = t->counters != NULL ? t->counters->header->file_id : 0;

        rc = rfl_ledger_zone(t->ledger, live_file_id, zone);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (t->counters == NULL) {
        return RFL_OK;
    }

    rc = rfl_totals_is_folded(t, t->counters, &folded);
    if (rc != RFL_OK) {
        return rc;
    }

    if (!folded) {
        rfl_counters_read_zone(t->counters, &live);
        rfl_zone_merge(zone, &live);
    }

    for (lost = t->counters->lost; lost != NULL; lost = lost->lost) {
        rc = rfl_totals_lost_zone(t, lost, zone);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_totals_lost_zone(const rfl_totals_t *t, const rfl_counters_t *lost,
    rfl_zone_t *zone)
{
    int         folded;
    size_t      i;
    rfl_rc_t    rc;
    uint64_t    stored;
    rfl_zone_t  live, all, others;

    rc = rfl_totals_is_folded(t, lost, &folded);
    if (rc != RFL_OK || folded) {
        return rc;
    }

    memset(&all, 0, sizeof(rfl_zone_t));
    memset(&others, 0, sizeof(rfl_zone_t));

    rfl_counters_read_zone(lost, &live);

    if (t->ledger != NULL) {
        rc = rfl_ledger_zone(t->ledger, 0, &all);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_ledger_zone(t->ledger, lost->header->file_id, &others);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    for (i = 0; i < RFL_ZONE_FIELDS; i++) {
        stored = all.n[i] - others.n[i];
        live.n[i] = live.n[i] > stored ? live.n[i] - stored : 0;
    }

    rfl_zone_merge(zone, &live);

    return RFL_OK;
}


/* On failure what was appended to b is no answer. */

rfl_rc_t
rfl_report_link(rfl_buf_t *b, rfl_registry_t *registry,
    const rfl_totals_t *t, const rfl_link_t *link)
{
    rfl_rc_t          rc;
    rfl_report_row_t  row;

    memset(&row, 0, sizeof(rfl_report_row_t));
    row.fields = RFL_SHOW_ALL;

    rc = rfl_report_totals(&row, registry, t, link);

    return rc == RFL_OK ? rfl_report_link_row(b, t, link, &row) : rc;
}


rfl_rc_t
rfl_report_totals(rfl_report_row_t *row, rfl_registry_t *registry,
    const rfl_totals_t *t, const rfl_link_t *link)
{
    size_t    i;
    rfl_rc_t  rc;

    rc = RFL_OK;

    if (!row->is_total && (row->fields & (RFL_SHOW_COUNTERS|RFL_SHOW_SEEN))) {
        rc = rfl_totals_cell(t, link->id, &row->cell);
        row->is_total = 1;
    }

    if (rc != RFL_OK || !(row->fields & RFL_SHOW_GROUPS)) {
        return rc;
    }

    rc = rfl_registry_groups(registry, link, row->groups, &row->ngroups);

    for (i = 0; rc == RFL_OK && i < row->ngroups; i++) {
        rc = rfl_report_group_clicks(t, &row->groups[i], &row->clicks[i]);
    }

    return rc;
}


/* "One of these": what the group got since the link is in it. */

static rfl_rc_t
rfl_report_group_clicks(const rfl_totals_t *t, const rfl_membership_t *member,
    uint64_t *clicks)
{
    rfl_rc_t    rc;
    rfl_cell_t  cell;

    rc = rfl_totals_cell(t, member->group.id, &cell);
    if (rc != RFL_OK) {
        return rc;
    }

    /* A ledger restored from a backup may know of fewer than at the join. */

    *clicks = cell.n[RFL_CELL_CLICKS] > member->clicks_at_join
              ? cell.n[RFL_CELL_CLICKS] - member->clicks_at_join : 0;

    return RFL_OK;
}


/* First and last seen are no period's: they are the link's. */

rfl_rc_t
rfl_report_link_row(rfl_buf_t *b, const rfl_totals_t *t,
    const rfl_link_t *link, const rfl_report_row_t *row)
{
    rfl_rc_t            rc;
    rfl_report_life_t   life;

    rc = rfl_report_life(t, link, row, &life);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_report_row(b, link, &life, row);

    return b->failed ? RFL_NO_MEMORY : RFL_OK;
}


static rfl_rc_t
rfl_report_life(const rfl_totals_t *t, const rfl_link_t *link,
    const rfl_report_row_t *row, rfl_report_life_t *life)
{
    rfl_rc_t  rc;

    memset(life, 0, sizeof(rfl_report_life_t));

    if (row->has_verdict) {
        life->verdict = row->verdict;

    } else if (row->fields & RFL_SHOW_STATES) {
        rc = rfl_totals_state(t, link, row->is_total ? &row->cell : NULL,
                              &life->verdict);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (!(row->fields & RFL_SHOW_SEEN)) {
        return RFL_OK;
    }

    if (row->is_total) {
        life->totals = row->cell;
        return RFL_OK;
    }

    return rfl_totals_cell(t, link->id, &life->totals);
}


static void
rfl_report_row(rfl_buf_t *b, const rfl_link_t *link,
    const rfl_report_life_t *life, const rfl_report_row_t *row)
{
    size_t  i;

    rfl_buf_char(b, '{');

    rfl_json_put(b, &rfl_report_key_member);
    rfl_report_key(b, link->key);

    for (i = 0; i < rfl_link_nfields; i++) {
        if (row->fields & RFL_SHOW_FIELD(i)) {
            rfl_report_field(b, link, &rfl_link_fields[i]);
        }
    }

    if (row->fields & RFL_SHOW_CREATED) {
        rfl_json_put(b, &rfl_report_created);
        rfl_report_time(b, link->created);
    }

    if (row->fields & RFL_SHOW_FIRST_SEEN) {
        rfl_json_put(b, &rfl_report_first_seen);
        rfl_report_time(b, life->totals.n[RFL_CELL_FIRST_SEEN]);
    }

    if (row->fields & RFL_SHOW_LAST_SEEN) {
        rfl_json_put(b, &rfl_report_last_seen);
        rfl_report_time(b, life->totals.n[RFL_CELL_LAST_SEEN]);
    }

    if (row->fields & RFL_SHOW_STATE) {
        rfl_json_put(b, &rfl_report_state);
        rfl_json_string(b, rfl_state_names[life->verdict.state]);
    }

    if (row->fields & RFL_SHOW_STATE_SINCE) {
        rfl_json_put(b, &rfl_report_state_since);
        rfl_report_time(b, (uint64_t) life->verdict.since * RFL_STATE_DAY);
    }

    if (row->fields & RFL_SHOW_GROUPS) {
        rfl_json_put(b, &rfl_report_groups);
        rfl_buf_char(b, '[');

        for (i = 0; i < row->ngroups; i++) {
            rfl_report_group(b, &row->groups[i].group, row->clicks[i]);
        }

        rfl_buf_char(b, ']');
    }

    if (row->period != NULL) {
        rfl_json_name(b, "period");
        rfl_buf_char(b, '{');
        rfl_report_span(b, row->period->from, row->period->to);
        rfl_buf_char(b, '}');
    }

    if (row->fields & RFL_SHOW_COUNTERS) {
        rfl_json_put(b, &rfl_report_sums_member);
        rfl_buf_char(b, '{');
        rfl_report_named_sums(b, row->cell.n, row->fields);
        rfl_buf_char(b, '}');

        if (row->has_previous) {
            rfl_report_previous(b, row);
        }
    }

    rfl_buf_char(b, '}');
}


static void
rfl_report_previous(rfl_buf_t *b, const rfl_report_row_t *row)
{
    rfl_json_name(b, "previous");
    rfl_buf_char(b, '{');

    if (row->previous_period != NULL) {
        rfl_report_span(b, row->previous_period->from,
                        row->previous_period->to);
    }

    rfl_report_named_sums(b, row->previous.n, row->fields);

    rfl_buf_char(b, '}');
}


static void
rfl_report_group(rfl_buf_t *b, const rfl_group_t *group, uint64_t clicks)
{
    rfl_json_item(b);
    rfl_buf_char(b, '{');

    rfl_json_name(b, "key");
    rfl_report_key(b, group->key);

    rfl_json_name(b, "links");
    rfl_buf_u64(b, group->links);

    rfl_json_name(b, "clicks");
    rfl_buf_u64(b, clicks);

    rfl_buf_char(b, '}');
}


static void
rfl_report_field(rfl_buf_t *b, const rfl_link_t *link,
    const rfl_link_field_t *field)
{
    rfl_str_t  value;

    rfl_json_put(b, &field->member);

    if (field->type == RFL_FIELD_MATCH_TYPE) {
        rfl_json_string(b, rfl_match_type_names[link->match_type]);
        return;
    }

    value = *rfl_link_slice((rfl_link_t *) link, field);

    switch (field->type) {

    case RFL_FIELD_NUMBER:
        rfl_report_number(b, value);
        return;

    case RFL_FIELD_LABELS:
        rfl_report_labels(b, value);
        return;

    case RFL_FIELD_DATE:
        if (value.len == 0) {
            rfl_buf_text(b, "null");
            return;
        }

        break;

    default:
        break;
    }

    /* These two are never empty: what they follow from is shown. */

    if (field->offset == offsetof(rfl_link_t, channel)) {
        value = rfl_link_channel(link);

    } else if (field->offset == offsetof(rfl_link_t, origin)) {
        value = rfl_link_origin(link);
    }

    if (rfl_report_is_url(link, field)) {
        rfl_json_url(b, value);

    } else {
        rfl_json_string(b, value);
    }
}


/* A pattern is none: an escape means something else there. */

static int
rfl_report_is_url(const rfl_link_t *link, const rfl_link_field_t *field)
{
    return field->offset == offsetof(rfl_link_t, target)
           || (field->offset == offsetof(rfl_link_t, source)
               && link->match_type != RFL_MATCH_REGEX);
}


/* Text that is no number of JSON's (RFC 8259, 6) is shown as text. */

static void
rfl_report_number(rfl_buf_t *b, rfl_str_t value)
{
    if (value.len == 0) {
        rfl_buf_text(b, "null");

    } else if (rfl_report_is_number(value)) {
        rfl_buf_str(b, value);

    } else {
        rfl_json_string(b, value);
    }
}


static int
rfl_report_is_number(rfl_str_t value)
{
    size_t  whole, part;

    whole = rfl_report_digits(value, 0);

    if (whole == 0 || (value.data[0] == '0' && whole > 1)) {
        return 0;
    }

    if (whole == value.len) {
        return 1;
    }

    if (value.data[whole] != '.') {
        return 0;
    }

    part = rfl_report_digits(value, whole + 1);

    return part != 0 && whole + 1 + part == value.len;
}


static size_t
rfl_report_digits(rfl_str_t value, size_t pos)
{
    size_t  i;

    for (i = pos; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            break;
        }
    }

    return i - pos;
}


static void
rfl_report_labels(rfl_buf_t *b, rfl_str_t labels)
{
    rfl_buf_char(b, '[');

    while (labels.len > 0) {
        rfl_json_item(b);
        rfl_json_string(b, rfl_str_item(&labels));
    }

    rfl_buf_char(b, ']');
}


static void
rfl_report_time(rfl_buf_t *b, uint64_t seconds)
{
    if (seconds == 0) {
        rfl_buf_text(b, "null");
        return;
    }

    rfl_buf_char(b, '"');
    rfl_buf_time(b, seconds);
    rfl_buf_char(b, '"');
}


static void
rfl_report_key(rfl_buf_t *b, uint64_t key)
{
    u_char  text[RFL_KEY_LEN];

    rfl_key_text(key, text);
    rfl_json_string(b, rfl_str(text, RFL_KEY_LEN));
}


void
rfl_report_counters(rfl_buf_t *b, const rfl_cell_t *cell)
{
    rfl_report_object(b, cell->n);
}


static void
rfl_report_object(rfl_buf_t *b, const uint64_t *sums)
{
    rfl_buf_char(b, '{');
    rfl_report_named_sums(b, sums, RFL_SHOW_ALL);
    rfl_buf_char(b, '}');
}


static void
rfl_report_named_sums(rfl_buf_t *b, const uint64_t *sums, uint64_t fields)
{
    size_t                i;
    const rfl_counter_t  *counter;

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        if (fields & RFL_SHOW_COUNTER(i)) {
            counter = &rfl_counter_table[i];
            rfl_json_put(b, &counter->member);
            rfl_buf_u64(b, sums[counter->field]);
        }
    }
}


void
rfl_report_sums(rfl_buf_t *b, const rfl_report_sums_t *row)
{
    rfl_buf_char(b, '{');

    rfl_json_name(b, "name");
    rfl_json_string(b, row->name);

    rfl_json_name(b, "links");
    rfl_buf_u64(b, row->links);

    rfl_report_sums_members(b, row->sums, row->previous);

    rfl_buf_char(b, '}');
}


void
rfl_report_sums_members(rfl_buf_t *b, const uint64_t *sums,
    const uint64_t *previous)
{
    rfl_json_name(b, "counters");
    rfl_report_object(b, sums);

    if (previous != NULL) {
        rfl_json_name(b, "previous");
        rfl_report_object(b, previous);
    }
}


void
rfl_report_zone(rfl_buf_t *b, const rfl_zone_t *zone)
{
    rfl_report_outcomes(b, zone);
    rfl_report_clicks(b, zone);

    rfl_json_name(b, "classes");
    rfl_report_object(b, &zone->n[RFL_ZONE_CLASSES]);

    rfl_report_evidence(b, zone);
}


static void
rfl_report_outcomes(rfl_buf_t *b, const rfl_zone_t *zone)
{
    unsigned  i;

    rfl_json_name(b, "outcomes");
    rfl_buf_char(b, '{');

    for (i = 0; i < RFL_OUTCOMES; i++) {
        rfl_report_named(b, rfl_outcome_names[i],
                         zone->n[RFL_ZONE_OUTCOMES + i]);
    }

    rfl_buf_char(b, '}');
}


static void
rfl_report_clicks(rfl_buf_t *b, const rfl_zone_t *zone)
{
    unsigned  i;

    rfl_json_name(b, "clicks");
    rfl_buf_char(b, '{');

    for (i = 0; i < RFL_OUTCOMES; i++) {
        if (rfl_outcome_has_class((rfl_outcome_t) i)) {
            rfl_report_named(b, rfl_outcome_names[i],
                             zone->n[RFL_ZONE_CLICKS + i]);
        }
    }

    rfl_buf_char(b, '}');
}


static void
rfl_report_evidence(rfl_buf_t *b, const rfl_zone_t *zone)
{
    unsigned  i;

    rfl_json_name(b, "evidence");
    rfl_buf_char(b, '{');

    for (i = 0; i < RFL_EVIDENCES; i++) {
        rfl_report_named(b, rfl_evidence_names[i],
                         zone->n[RFL_ZONE_EVIDENCE + i]);
    }

    rfl_buf_char(b, '}');
}


/* 1970 is a time here: null is for what was never seen. */

void
rfl_report_span(rfl_buf_t *b, uint64_t from, uint64_t to)
{
    rfl_json_name(b, "from");
    rfl_buf_char(b, '"');
    rfl_buf_time(b, from);
    rfl_buf_char(b, '"');

    rfl_json_name(b, "to");
    rfl_buf_char(b, '"');
    rfl_buf_time(b, to);
    rfl_buf_char(b, '"');
}


void
rfl_report_bucket(rfl_buf_t *b, uint64_t start, const rfl_cell_t *cell)
{
    rfl_report_start(b, start);

    rfl_json_name(b, "counters");
    rfl_report_counters(b, cell);

    rfl_buf_char(b, '}');
}


void
rfl_report_zone_bucket(rfl_buf_t *b, uint64_t start, const rfl_zone_t *zone)
{
    rfl_report_start(b, start);

    rfl_json_name(b, "counters");
    rfl_report_object(b, &zone->n[RFL_ZONE_CLASSES]);

    rfl_report_outcomes(b, zone);
    rfl_report_clicks(b, zone);
    rfl_report_evidence(b, zone);

    rfl_buf_char(b, '}');
}


static void
rfl_report_start(rfl_buf_t *b, uint64_t start)
{
    rfl_buf_char(b, '{');
    rfl_json_name(b, "start");
    rfl_buf_char(b, '"');
    rfl_buf_time(b, start);
    rfl_buf_char(b, '"');
}


/* The names are the tables' constants: they end with a zero. */

static void
rfl_report_named(rfl_buf_t *b, rfl_str_t name, uint64_t n)
{
    rfl_json_name(b, (const char *) name.data);
    rfl_buf_u64(b, n);
}


void
rfl_report_csv_head(rfl_buf_t *b, uint64_t fields, int has_previous)
{
    size_t  i;

    rfl_csv_field(b, rfl_cstr("key"));

    for (i = 0; i < rfl_link_nfields; i++) {
        if (fields & RFL_SHOW_FIELD(i)) {
            rfl_csv_field(b, rfl_link_fields[i].name);
        }
    }

    if (fields & RFL_SHOW_CREATED) {
        rfl_csv_field(b, rfl_cstr("created"));
    }

    rfl_report_csv_names(b, "", fields);

    if (has_previous) {
        rfl_report_csv_names(b, "previous_", fields);
    }

    if (fields & RFL_SHOW_FIRST_SEEN) {
        rfl_csv_field(b, rfl_cstr("first_seen"));
    }

    if (fields & RFL_SHOW_LAST_SEEN) {
        rfl_csv_field(b, rfl_cstr("last_seen"));
    }

    if (fields & RFL_SHOW_STATE) {
        rfl_csv_field(b, rfl_cstr("state"));
    }

    if (fields & RFL_SHOW_STATE_SINCE) {
        rfl_csv_field(b, rfl_cstr("state_since"));
    }

    rfl_csv_end_row(b);
}


rfl_rc_t
rfl_report_csv_row(rfl_buf_t *b, const rfl_totals_t *t,
    const rfl_link_t *link, const rfl_report_row_t *row)
{
    size_t             i;
    u_char             key[RFL_KEY_LEN];
    rfl_rc_t           rc;
    rfl_report_life_t  life;

    rc = rfl_report_life(t, link, row, &life);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_key_text(link->key, key);
    rfl_csv_field(b, rfl_str(key, RFL_KEY_LEN));

    for (i = 0; i < rfl_link_nfields; i++) {
        if (row->fields & RFL_SHOW_FIELD(i)) {
            rfl_report_csv_cell(b, link, &rfl_link_fields[i]);
        }
    }

    if (row->fields & RFL_SHOW_CREATED) {
        rfl_report_csv_time(b, link->created);
    }

    rfl_report_csv_counters(b, row->cell.n, row->fields);

    if (row->has_previous) {
        rfl_report_csv_counters(b, row->previous.n, row->fields);
    }

    if (row->fields & RFL_SHOW_FIRST_SEEN) {
        rfl_report_csv_time(b, life.totals.n[RFL_CELL_FIRST_SEEN]);
    }

    if (row->fields & RFL_SHOW_LAST_SEEN) {
        rfl_report_csv_time(b, life.totals.n[RFL_CELL_LAST_SEEN]);
    }

    if (row->fields & RFL_SHOW_STATE) {
        rfl_csv_field(b, rfl_state_names[life.verdict.state]);
    }

    if (row->fields & RFL_SHOW_STATE_SINCE) {
        rfl_report_csv_time(b, (uint64_t) life.verdict.since * RFL_STATE_DAY);
    }

    rfl_csv_end_row(b);

    return b->failed ? RFL_NO_MEMORY : RFL_OK;
}


static void
rfl_report_csv_cell(rfl_buf_t *b, const rfl_link_t *link,
    const rfl_link_field_t *field)
{
    if (field->type == RFL_FIELD_MATCH_TYPE) {
        rfl_csv_field(b, rfl_match_type_names[link->match_type]);
        return;
    }

    rfl_csv_field(b, *rfl_link_slice((rfl_link_t *) link, field));
}


void
rfl_report_csv_sums_head(rfl_buf_t *b, int has_previous)
{
    rfl_csv_field(b, rfl_cstr("name"));
    rfl_csv_field(b, rfl_cstr("links"));
    rfl_report_csv_names(b, "", RFL_SHOW_ALL);

    if (has_previous) {
        rfl_report_csv_names(b, "previous_", RFL_SHOW_ALL);
    }

    rfl_csv_end_row(b);
}


void
rfl_report_csv_sums(rfl_buf_t *b, const rfl_report_sums_t *row)
{
    rfl_csv_field(b, row->name);
    rfl_report_csv_number(b, row->links);
    rfl_report_csv_counters(b, row->sums, RFL_SHOW_ALL);

    if (row->previous != NULL) {
        rfl_report_csv_counters(b, row->previous, RFL_SHOW_ALL);
    }

    rfl_csv_end_row(b);
}


void
rfl_report_csv_bucket_head(rfl_buf_t *b, int of_zone)
{
    rfl_csv_field(b, rfl_cstr("start"));

    if (of_zone) {
        rfl_report_csv_zone_names(b, "");

    } else {
        rfl_report_csv_names(b, "", RFL_SHOW_ALL);
    }

    rfl_csv_end_row(b);
}


void
rfl_report_csv_bucket(rfl_buf_t *b, uint64_t start, const rfl_cell_t *cell)
{
    rfl_report_csv_start(b, start);
    rfl_report_csv_counters(b, cell->n, RFL_SHOW_ALL);
    rfl_csv_end_row(b);
}


void
rfl_report_csv_zone_bucket(rfl_buf_t *b, uint64_t start,
    const rfl_zone_t *zone)
{
    rfl_report_csv_start(b, start);
    rfl_report_csv_zone(b, zone);
    rfl_csv_end_row(b);
}


void
rfl_report_csv_zone_names(rfl_buf_t *b, const char *prefix)
{
    char      text[32];
    unsigned  i;

    rfl_report_csv_names(b, prefix, RFL_SHOW_ALL);

    (void) snprintf(text, sizeof(text), "%soutcome_", prefix);

    for (i = 0; i < RFL_OUTCOMES; i++) {
        rfl_report_csv_name(b, text, rfl_outcome_names[i]);
    }

    (void) snprintf(text, sizeof(text), "%sclicks_", prefix);

    for (i = 0; i < RFL_OUTCOMES; i++) {
        if (rfl_outcome_has_class((rfl_outcome_t) i)) {
            rfl_report_csv_name(b, text, rfl_outcome_names[i]);
        }
    }

    (void) snprintf(text, sizeof(text), "%sevidence_", prefix);

    for (i = 0; i < RFL_EVIDENCES; i++) {
        rfl_report_csv_name(b, text, rfl_evidence_names[i]);
    }
}


void
rfl_report_csv_zone(rfl_buf_t *b, const rfl_zone_t *zone)
{
    unsigned  i;

    rfl_report_csv_counters(b, &zone->n[RFL_ZONE_CLASSES], RFL_SHOW_ALL);

    for (i = 0; i < RFL_OUTCOMES; i++) {
        rfl_report_csv_number(b, zone->n[RFL_ZONE_OUTCOMES + i]);
    }

    for (i = 0; i < RFL_OUTCOMES; i++) {
        if (rfl_outcome_has_class((rfl_outcome_t) i)) {
            rfl_report_csv_number(b, zone->n[RFL_ZONE_CLICKS + i]);
        }
    }

    for (i = 0; i < RFL_EVIDENCES; i++) {
        rfl_report_csv_number(b, zone->n[RFL_ZONE_EVIDENCE + i]);
    }
}


static void
rfl_report_csv_names(rfl_buf_t *b, const char *prefix, uint64_t fields)
{
    size_t  i;

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        if (fields & RFL_SHOW_COUNTER(i)) {
            rfl_report_csv_name(b, prefix, rfl_counter_table[i].name);
        }
    }
}


static void
rfl_report_csv_name(rfl_buf_t *b, const char *prefix, rfl_str_t name)
{
    char  text[64];

    (void) snprintf(text, sizeof(text), "%s%s", prefix,
                    (const char *) name.data);

    rfl_csv_field(b, rfl_cstr(text));
}


static void
rfl_report_csv_counters(rfl_buf_t *b, const uint64_t *sums, uint64_t fields)
{
    size_t  i;

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        if (fields & RFL_SHOW_COUNTER(i)) {
            rfl_report_csv_number(b, sums[rfl_counter_table[i].field]);
        }
    }
}


/* Neither it nor a time is ever quoted. */

void
rfl_report_csv_number(rfl_buf_t *b, uint64_t n)
{
    rfl_buf_char(b, ',');
    rfl_buf_u64(b, n);
}


/* Empty: never. */

void
rfl_report_csv_time(rfl_buf_t *b, uint64_t seconds)
{
    rfl_buf_char(b, ',');

    if (seconds != 0) {
        rfl_buf_time(b, seconds);
    }
}


/* The first column; 1970 is a time here. */

static void
rfl_report_csv_start(rfl_buf_t *b, uint64_t start)
{
    rfl_buf_time(b, start);
}
