/*
 * The summary: a registry's sums, those of a period and of the one before it,
 * and what is wrong.
 */

#include "rfl_view_parts.h"
#include "rfl_csv.h"
#include "rfl_diagnosis.h"

#include <time.h>


static void rfl_view_csv_span(rfl_buf_t *b, const rfl_period_t *period);
static rfl_rc_t rfl_view_summary_read(rfl_view_t *v, rfl_zone_t *now,
    uint64_t *registered);
static rfl_rc_t rfl_view_zone_now(rfl_view_t *v, rfl_zone_t *zone);
static void rfl_view_summary_links(rfl_view_t *v, rfl_buf_t *b,
    uint64_t registered);
static void rfl_view_summary_states(rfl_view_t *v, rfl_buf_t *b);
static void rfl_view_summary_previous(rfl_view_t *v, rfl_buf_t *b);
static void rfl_view_health(rfl_view_t *v, rfl_buf_t *b,
    const rfl_zone_t *zone);
static void rfl_view_health_ledger(rfl_view_t *v, rfl_buf_t *b);
static void rfl_view_health_counters(rfl_view_t *v, rfl_buf_t *b);
static void rfl_view_health_source(rfl_view_t *v, rfl_buf_t *b);
static void rfl_view_health_of(rfl_buf_t *b, const char *name, int is_open,
    const rfl_error_t *err);
static void rfl_view_diagnosis(rfl_view_t *v, rfl_buf_t *b);
static void rfl_view_flush(rfl_buf_t *b, const rfl_counters_header_t *header);


rfl_rc_t
rfl_view_zone(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t  rc;

    if (v->period.nranges == 0) {
        return RFL_OK;
    }

    rc = rfl_view_merge(v, RFL_MERGE_ZONE, &v->period, 0);

    if (rc == RFL_OK) {
        v->zone = v->merge.sum.zone;
    }

    return rc;
}


rfl_rc_t
rfl_view_zone_previous(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t  rc;

    if (v->previous.nranges == 0) {
        return RFL_OK;
    }

    rc = rfl_view_merge(v, RFL_MERGE_ZONE, &v->previous, 0);

    if (rc == RFL_OK) {
        v->previous_zone = v->merge.sum.zone;
    }

    return rc;
}


/* Its health is that of now, whatever period is asked for. */

rfl_rc_t
rfl_view_summary(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t    rc;
    uint64_t    registered;
    rfl_zone_t  now;

    rc = rfl_view_summary_read(v, &now, &registered);
    if (rc != RFL_OK) {
        return rc;
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
    rfl_json_name(b, "write");
    rfl_buf_text(b, v->write && v->rt->conf->source[0] == '\0' ? "true"
                                                               : "false");

    if (v->period.nranges != 0) {
        rfl_view_period(b, "period", &v->period);
    }

    rfl_view_summary_links(v, b, registered);
    rfl_view_summary_states(v, b);
    rfl_report_zone(b, v->period.nranges != 0 ? &v->zone : &now);

    if (v->previous.nranges != 0) {
        rfl_view_summary_previous(v, b);
    }

    rfl_view_health(v, b, &now);

    rfl_json_name(b, "top");
    rfl_buf_text(b, "[");

    return RFL_OK;
}


/* Its numbers, one row; health and the links at the top are not in it. */

rfl_rc_t
rfl_view_summary_csv(rfl_view_t *v, rfl_buf_t *b)
{
    int         has_previous;
    rfl_rc_t    rc;
    uint64_t    registered;
    rfl_zone_t  now;

    rc = rfl_view_summary_read(v, &now, &registered);
    if (rc != RFL_OK) {
        return rc;
    }

    has_previous = (v->previous.nranges != 0);

    rfl_csv_field(b, rfl_cstr("registry"));
    rfl_csv_field(b, rfl_cstr("from"));
    rfl_csv_field(b, rfl_cstr("to"));
    rfl_csv_field(b, rfl_cstr("links_registered"));
    rfl_csv_field(b, rfl_cstr("links_active"));
    rfl_report_csv_zone_names(b, "");

    if (has_previous) {
        rfl_csv_field(b, rfl_cstr("previous_links_active"));
        rfl_report_csv_zone_names(b, "previous_");
    }

    rfl_csv_end_row(b);

    rfl_csv_field(b, rfl_cstr(v->rt->conf->name));
    rfl_view_csv_span(b, &v->period);
    rfl_report_csv_number(b, registered);
    rfl_report_csv_number(b, v->active);
    rfl_report_csv_zone(b, v->period.nranges != 0 ? &v->zone : &now);

    if (has_previous) {
        rfl_report_csv_number(b, v->previous_active);
        rfl_report_csv_zone(b, &v->previous_zone);
    }

    rfl_csv_end_row(b);

    return RFL_OK;
}


/* Empty: of all time.  1970 is a time here. */

static void
rfl_view_csv_span(rfl_buf_t *b, const rfl_period_t *period)
{
    if (period->nranges == 0) {
        rfl_buf_text(b, ",,");
        return;
    }

    rfl_buf_char(b, ',');
    rfl_buf_time(b, period->from);
    rfl_buf_char(b, ',');
    rfl_buf_time(b, period->to);
}


/* now: the sums of all time. */

static rfl_rc_t
rfl_view_summary_read(rfl_view_t *v, rfl_zone_t *now, uint64_t *registered)
{
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    *registered = 0;

    rc = rfl_view_zone_now(v, now);

    if (rc != RFL_OK || v->rt->registry == NULL) {
        return rc;
    }

    rc = rfl_registry_meta(v->rt->registry, &meta);

    if (rc == RFL_OK) {
        *registered = meta.links;
    }

    return rc;
}


static rfl_rc_t
rfl_view_zone_now(rfl_view_t *v, rfl_zone_t *zone)
{
    rfl_rc_t  rc;

    rc = rfl_totals_zone(&v->totals, zone);

    if (rc != RFL_OK && v->totals.ledger != NULL
        && v->period.nranges == 0 && rfl_view_says_faults(v))
    {
        v->ledger_failed = 1;
        v->totals.ledger = NULL;

        rc = rfl_totals_zone(&v->totals, zone);
    }

    /* what this process has counted before there was a counter file */

    if (rc == RFL_OK) {
        rfl_zone_merge(zone, &v->rt->pending);
    }

    return rc;
}


static void
rfl_view_summary_links(rfl_view_t *v, rfl_buf_t *b, uint64_t registered)
{
    rfl_json_name(b, "links");
    rfl_buf_text(b, "{");
    rfl_view_member_u64(b, "registered", registered);
    rfl_view_member_u64(b, "active", v->active);
    rfl_buf_text(b, "}");
}


/*
 * How many links are in each, and the last day on which all were judged; null:
 * nobody has yet.
 */

static void
rfl_view_summary_states(rfl_view_t *v, rfl_buf_t *b)
{
    unsigned      i;
    rfl_states_t  sums;

    rfl_json_name(b, "states");

    if (v->totals.ledger == NULL
        || rfl_states_sums(v->totals.ledger, &sums) != RFL_OK)
    {
        rfl_buf_text(b, "null");
        return;
    }

    rfl_buf_text(b, "{");

    for (i = 0; i < RFL_STATES; i++) {
        rfl_view_member_u64(b, (const char *) rfl_state_names[i].data,
                            sums.links[i]);
    }

    rfl_json_name(b, "judged");

    if (sums.day == 0) {
        rfl_buf_text(b, "null}");
        return;
    }

    rfl_buf_text(b, "\"");
    rfl_buf_time(b, (uint64_t) sums.day * RFL_STATE_DAY);
    rfl_buf_text(b, "\"}");
}


static void
rfl_view_summary_previous(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_json_name(b, "previous");
    rfl_buf_text(b, "{");
    rfl_report_span(b, v->previous.from, v->previous.to);

    rfl_json_name(b, "links");
    rfl_buf_text(b, "{");
    rfl_view_member_u64(b, "active", v->previous_active);
    rfl_buf_text(b, "}");

    rfl_report_zone(b, &v->previous_zone);
    rfl_buf_text(b, "}");
}


rfl_rc_t
rfl_view_summary_end(rfl_view_t *v, rfl_buf_t *b)
{
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
    rfl_view_health_ledger(v, b);
    rfl_view_health_counters(v, b);
    rfl_view_health_source(v, b);

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

    rfl_view_diagnosis(v, b);

    rfl_buf_text(b, "}");
}


static void
rfl_view_health_ledger(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_runtime_t  *rt;

    rt = v->rt;

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
}


/* The runtime says why it counts in memory, if it knows. */

static void
rfl_view_health_counters(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_runtime_t  *rt;

    rt = v->rt;

    if (rt->counters == NULL || !rt->counters->is_volatile
        || rt->counters_error.rc != RFL_OK)
    {
        rfl_view_health_of(b, "counters", rt->counters != NULL,
                           &rt->counters_error);
        return;
    }

    rfl_json_name(b, "counters");
    rfl_json_string(b, rfl_cstr("volatile: there is no counter file, what is "
                                "not flushed is lost when nginx ends"));
}


/* Without source= there is nothing to say. */

static void
rfl_view_health_source(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_error_t                state;
    const rfl_runtime_conf_t  *conf;

    conf = v->rt->conf;

    if (conf->source[0] == '\0') {
        return;
    }

    if (conf->source_state != NULL) {
        rfl_shared_text_get(conf->source_state, &state);

    } else {
        (void) rfl_fail(&state, RFL_NO_MEMORY, "not known: nginx had no "
                        "memory for it when it began, see the error log");
    }

    rfl_view_health_of(b, "source", 1, &state);
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
rfl_view_diagnosis(rfl_view_t *v, rfl_buf_t *b)
{
    uint32_t  bits;
    unsigned  i;

    bits = v->rt->counters != NULL
           ? __atomic_load_n(&v->rt->counters->header->diagnosis,
                             __ATOMIC_RELAXED)
           : 0;

    rfl_json_name(b, "diagnosis");
    rfl_buf_text(b, "[");

    for (i = 0; i < RFL_DIAGNOSIS_BITS; i++) {
        if (bits & (1u << i)) {
            rfl_json_item(b);
            rfl_json_string(b, rfl_cstr(rfl_diagnosis_texts[i]));
        }
    }

    rfl_buf_text(b, "]");
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
