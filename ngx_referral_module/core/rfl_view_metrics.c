/*
 * /metrics: the counters as Prometheus text, one registry's or all.
 *
 * The format wants the samples of a family in one place, so each family is one
 * pass over the registries, and those of single links are two passes over the
 * same rows: ids that a scan has chosen before, or with links=all the range of
 * ids as it was at the beginning.
 *
 * Prometheus takes a counter that falls for one that was started again, and
 * adds all of it to its rates.  So a registry's counters are shown whole or not
 * at all: without a counter file, or a ledger that can be read, there are none
 * of it in the answer, and a fault on the way cuts the answer.  For the same
 * reason a channel keeps what links brought that have been removed.
 */

#include "rfl_view_parts.h"
#include "rfl_class.h"
#include "rfl_diagnosis.h"
#include "rfl_hash.h"
#include "rfl_prometheus.h"
#include "rfl_source_report.h"

#include <stdlib.h>
#include <time.h>


#define RFL_METRICS_STEP_IDS  256
#define RFL_METRICS_CHANNELS  512        /* beyond: counted as shared */

/* A row of the table of sources takes as many look-ups as so many ids. */

#define RFL_METRICS_SOURCE_IDS  8

/* No channel: words have no parentheses. */

#define RFL_METRICS_SHARED    "(shared)"


typedef struct {
    u_char    len;
    u_char    name[RFL_WORD_MAX];
    uint64_t  clicks;
} rfl_metrics_channel_t;


typedef struct {
    rfl_runtime_t  *rt;
    unsigned        is_whole:1;          /* its counters can be shown */
    unsigned        has_links:1;         /* its registry can be read */
    unsigned        has_file:1;          /* there is a counter file */
    unsigned        has_states:1;        /* the keeper has judged links */
    uint32_t        links;
    uint32_t        end_id;
    rfl_zone_t      zone;
    rfl_states_t    states;
    uint32_t        diagnosis;           /* bits of rfl_diagnosis.h */
    uint64_t        flush_errors;
    uint64_t        flush_ms;            /* 0: never */
    uint64_t        now_ms;
    uint64_t        sources;             /* rows of /sources, */
    uint64_t        source_hosts;        /* their hosts, each once */
    uint64_t        broken;              /* rows of /broken */
    rfl_top_t       top;
} rfl_metrics_registry_t;


/* A group: its links so far are all of one channel. */

typedef struct {
    uint32_t   id;                       /* 0: none is being looked at */
    uint32_t   next_member;
    uint64_t   clicks;
    unsigned   has_channel:1;
    u_char     len;
    u_char     channel[RFL_WORD_MAX];
} rfl_metrics_group_t;


struct rfl_view_metrics_s {
    size_t                   family;
    unsigned                 titled:1;   /* the family has its HELP */
    size_t                   registry;
    rfl_view_pass_t          pass;
    uint32_t                 next_source;        /* its number and 1 */
    size_t                   next_row;
    uint32_t                 ids;        /* may be looked at in this step */
    rfl_totals_t             totals;     /* of this step */
    rfl_metrics_group_t      group;
    uint64_t                 shared;
    size_t                   nchannels;
    rfl_metrics_channel_t    channels[RFL_METRICS_CHANNELS];
    size_t                   nhosts;
    uint64_t                 hosts[RFL_SOURCES_ROWS];  /* their hashes */
    size_t                   n;
    rfl_metrics_registry_t   registries[];
};


/* RFL_OK: that was all of this registry, RFL_BUSY: there is more. */

typedef rfl_rc_t (*rfl_metrics_samples_pt)(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);

typedef struct {
    const char              *name;
    const char              *type;
    const char              *help;
    rfl_metrics_samples_pt   samples;
} rfl_metrics_family_t;


static void rfl_metrics_snapshot(rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_begin(rfl_view_metrics_t *m,
    rfl_metrics_registry_t *reg);
static void rfl_metrics_end(rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_family(rfl_view_t *v, rfl_buf_t *b);

static rfl_rc_t rfl_metrics_requests(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_clicks(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_evidence(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_overflow(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_lookup_errors(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_links(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_link_states(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_diagnosis(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_sources(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_source_hosts(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_broken(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_flush_age(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_flush_errors(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_channels(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_link_requests(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_link_info(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg);

static rfl_rc_t rfl_metrics_scan_sources(rfl_view_metrics_t *m,
    rfl_metrics_registry_t *reg);
static void rfl_metrics_scan_source(rfl_view_metrics_t *m,
    rfl_metrics_registry_t *reg, const rfl_sources_entry_t *source);
static uint64_t rfl_metrics_distinct(uint64_t *numbers, size_t n);
static int rfl_metrics_compare_u64(const void *one, const void *two);
static rfl_rc_t rfl_metrics_scan(rfl_view_t *v, rfl_metrics_registry_t *reg);
static int rfl_metrics_pass(rfl_view_metrics_t *m,
    const rfl_metrics_registry_t *reg);
static rfl_rc_t rfl_metrics_scan_id(rfl_view_t *v,
    rfl_metrics_registry_t *reg);
static void rfl_metrics_scan_link(rfl_view_t *v, rfl_metrics_registry_t *reg,
    const rfl_link_t *link, const rfl_cell_t *cell);
static rfl_rc_t rfl_metrics_scan_other(rfl_view_metrics_t *m,
    rfl_metrics_registry_t *reg, const rfl_cell_t *cell);
static rfl_rc_t rfl_metrics_group(rfl_view_metrics_t *m,
    rfl_metrics_registry_t *reg);
static int rfl_metrics_group_goes_on(rfl_metrics_group_t *group,
    rfl_str_t channel);
static void rfl_metrics_add_channel(rfl_view_metrics_t *m, rfl_str_t name,
    uint64_t clicks);
static int rfl_metrics_compare(const rfl_metrics_channel_t *channel,
    rfl_str_t name);

static rfl_rc_t rfl_metrics_next_link(rfl_view_t *v,
    rfl_metrics_registry_t *reg, rfl_link_t *link);
static rfl_rc_t rfl_metrics_next_id(rfl_view_metrics_t *m,
    rfl_metrics_registry_t *reg, rfl_link_t *link);
static rfl_rc_t rfl_metrics_next_row(rfl_view_t *v,
    rfl_metrics_registry_t *reg, rfl_link_t *link);
static int rfl_metrics_has_class(const rfl_view_t *v, const rfl_cell_t *cell,
    rfl_cell_field_t field);
static void rfl_metrics_sample(rfl_view_t *v, rfl_buf_t *b,
    const rfl_metrics_registry_t *reg);
static void rfl_metrics_label_key(rfl_buf_t *b, uint64_t key);


/*
 * The channels come before the links: their scan chooses the rows.  Likewise
 * the sources' scan counts what the two families behind it show.
 */

static const rfl_metrics_family_t  rfl_metrics_families[] = {

    { "referral_requests_total", "counter",
      "Requests by outcome; the outcomes sum to all requests.",
      rfl_metrics_requests },

    { "referral_clicks_total", "counter",
      "Clicks by outcome.",
      rfl_metrics_clicks },

    { "referral_evidence_total", "counter",
      "Matched requests by how their links were found.",
      rfl_metrics_evidence },

    { "referral_overflow_total", "counter",
      "Matches for which the counter file had no cell.",
      rfl_metrics_overflow },

    { "referral_lookup_errors_total", "counter",
      "Requests for which the registry could not be read.",
      rfl_metrics_lookup_errors },

    { "referral_links", "gauge",
      "Registered links.",
      rfl_metrics_links },

    { "referral_link_states", "gauge",
      "Registered links by state.",
      rfl_metrics_link_states },

    { "referral_diagnosis", "gauge",
      "1 while the requests themselves show this to be wrong.",
      rfl_metrics_diagnosis },

    { "referral_sources", "gauge",
      "Sources (host and landing) that no registered link explains.",
      rfl_metrics_sources },

    { "referral_source_hosts", "gauge",
      "Hosts of these sources.",
      rfl_metrics_source_hosts },

    { "referral_broken_landings", "gauge",
      "Links or sources whose clicks met an error, by landing and status.",
      rfl_metrics_broken },

    { "referral_flush_age_seconds", "gauge",
      "Time since the counters were last stored in the ledger.",
      rfl_metrics_flush_age },

    { "referral_flush_errors_total", "counter",
      "Flushes that failed.",
      rfl_metrics_flush_errors },

    { "referral_channel_clicks_total", "counter",
      "Clicks by channel; (shared) are clicks of groups whose links are of "
      "several channels.",
      rfl_metrics_channels },

    { "referral_link_requests_total", "counter",
      "Requests of single links by class.",
      rfl_metrics_link_requests },

    { "referral_link_info", "gauge",
      "1 for each link that has requests here, with what describes it.",
      rfl_metrics_link_info }
};

#define RFL_METRICS_FAMILIES                                                  \
    (sizeof(rfl_metrics_families) / sizeof(rfl_metrics_families[0]))


rfl_rc_t
rfl_view_metrics_open(rfl_view_t *v)
{
    size_t               i;
    rfl_rc_t             rc;
    rfl_view_metrics_t  *m;

    m = calloc(1, sizeof(rfl_view_metrics_t)
                  + v->nruntimes * sizeof(rfl_metrics_registry_t));
    if (m == NULL) {
        return RFL_NO_MEMORY;
    }

    v->metrics = m;

    for (i = 0; i < v->nruntimes; i++) {
        m->registries[i].rt = v->runtimes[i];
        m->n++;

        if (v->query.per_link == RFL_METRICS_CLICKS) {
            rc = rfl_top_init(&m->registries[i].top, v->query.page.limit, 0);
            if (rc != RFL_OK) {
                return rc;
            }
        }
    }

    return RFL_OK;
}


void
rfl_view_metrics_close(rfl_view_t *v)
{
    size_t               i;
    rfl_view_metrics_t  *m;

    m = v->metrics;

    if (m == NULL) {
        return;
    }

    for (i = 0; i < m->n; i++) {
        rfl_top_free(&m->registries[i].top);
    }

    free(m);
}


/* One registry a step: all families show the same moment of it. */

rfl_rc_t
rfl_view_metrics_start(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t                 rc;
    rfl_view_metrics_t      *m;
    rfl_metrics_registry_t  *reg;

    m = v->metrics;

    if (m->registry < m->n) {
        reg = &m->registries[m->registry++];

        rfl_metrics_snapshot(reg);

        return RFL_BUSY;
    }

    rc = RFL_OK;
    m->registry = 0;

    return rc;
}


static void
rfl_metrics_snapshot(rfl_metrics_registry_t *reg)
{
    rfl_rc_t                      rc;
    rfl_totals_t                  totals;
    rfl_runtime_t                *rt;
    struct timespec               now;
    rfl_registry_meta_t           meta;
    const rfl_counters_header_t  *header;

    rt = reg->rt;

    if (rt->registry != NULL
        && rfl_registry_begin(rt->registry, 0, NULL) == RFL_OK)
    {
        rc = rfl_registry_meta(rt->registry, &meta);

        if (rc == RFL_OK) {
            reg->has_links = 1;
            reg->links = meta.links;
            reg->end_id = meta.next_id;
        }

        rfl_registry_end(rt->registry);
    }

    if (rt->counters == NULL) {
        return;
    }

    if (rt->ledger != NULL && rfl_ledger_begin(rt->ledger, NULL) == RFL_OK) {
        totals = rfl_runtime_totals(rt);

        rc = rfl_totals_zone(&totals, &reg->zone);
        reg->is_whole = (rc == RFL_OK);

        rc = rfl_states_sums(rt->ledger, &reg->states);
        reg->has_states = (rc == RFL_OK);

        rfl_ledger_end(rt->ledger);
    }

    header = rt->counters->header;

    (void) clock_gettime(CLOCK_REALTIME, &now);

    reg->has_file = 1;
    reg->now_ms = (uint64_t) now.tv_sec * 1000
                  + (uint64_t) now.tv_nsec / 1000000;
    reg->flush_ms = __atomic_load_n(&header->flush_ms, __ATOMIC_RELAXED);
    reg->flush_errors = __atomic_load_n(&header->flush_errors,
                                        __ATOMIC_RELAXED);
    reg->diagnosis = __atomic_load_n(&header->diagnosis, __ATOMIC_RELAXED);
}


/* Families, and in each the registries, as far as this step may. */

rfl_rc_t
rfl_view_metrics(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t             rc;
    rfl_view_metrics_t  *m;

    m = v->metrics;
    m->ids = RFL_METRICS_STEP_IDS;

    while (m->family < RFL_METRICS_FAMILIES) {
        rc = rfl_metrics_family(v, b);
        if (rc != RFL_OK) {
            return rc;
        }

        m->family++;
        m->registry = 0;
        m->titled = 0;
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_family(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t                     rc;
    rfl_view_metrics_t          *m;
    rfl_metrics_registry_t      *reg;
    const rfl_metrics_family_t  *family;

    m = v->metrics;
    family = &rfl_metrics_families[m->family];

    if (!m->titled) {
        rfl_prometheus_family(b, family->name, family->type, family->help);
        m->titled = 1;
    }

    for ( /* void */ ; m->registry < m->n; m->registry++) {
        reg = &m->registries[m->registry];

        if (b->len > RFL_VIEW_STEP_BYTES || m->ids == 0) {
            return RFL_BUSY;
        }

        rc = rfl_metrics_begin(m, reg);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = family->samples(v, b, reg);

        rfl_metrics_end(reg);

        if (rc != RFL_OK) {
            return rc;
        }

        m->pass.next = 0;
        m->next_source = 0;
        m->next_row = 0;
    }

    return RFL_OK;
}


/* What was there at the start must still be. */

static rfl_rc_t
rfl_metrics_begin(rfl_view_metrics_t *m, rfl_metrics_registry_t *reg)
{
    rfl_rc_t        rc;
    rfl_runtime_t  *rt;

    rt = reg->rt;

    if ((reg->has_links && rt->registry == NULL)
        || (reg->is_whole && (rt->ledger == NULL || rt->counters == NULL)))
    {
        return RFL_NOT_FOUND;
    }

    if (reg->has_links) {
        rc = rfl_registry_begin(rt->registry, 0, NULL);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (!reg->is_whole) {
        memset(&m->totals, 0, sizeof(rfl_totals_t));
        return RFL_OK;
    }

    rc = rfl_ledger_begin(rt->ledger, NULL);

    if (rc != RFL_OK) {
        if (reg->has_links) {
            rfl_registry_end(rt->registry);
        }

        return rc;
    }

    m->totals = rfl_runtime_totals(rt);

    return RFL_OK;
}


static void
rfl_metrics_end(rfl_metrics_registry_t *reg)
{
    if (reg->is_whole) {
        rfl_ledger_end(reg->rt->ledger);
    }

    if (reg->has_links) {
        rfl_registry_end(reg->rt->registry);
    }
}


static rfl_rc_t
rfl_metrics_requests(rfl_view_t *v, rfl_buf_t *b, rfl_metrics_registry_t *reg)
{
    unsigned  i;

    for (i = 0; reg->is_whole && i < RFL_OUTCOMES; i++) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_label(b, "outcome", rfl_outcome_names[i]);
        rfl_prometheus_u64(b, reg->zone.n[RFL_ZONE_OUTCOMES + i]);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_clicks(rfl_view_t *v, rfl_buf_t *b, rfl_metrics_registry_t *reg)
{
    unsigned  i;

    for (i = 0; reg->is_whole && i < RFL_OUTCOMES; i++) {

        if (!rfl_outcome_has_class((rfl_outcome_t) i)) {
            continue;
        }

        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_label(b, "outcome", rfl_outcome_names[i]);
        rfl_prometheus_u64(b, reg->zone.n[RFL_ZONE_CLICKS + i]);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_evidence(rfl_view_t *v, rfl_buf_t *b, rfl_metrics_registry_t *reg)
{
    unsigned  i;

    for (i = 0; reg->is_whole && i < RFL_EVIDENCES; i++) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_label(b, "evidence", rfl_evidence_names[i]);
        rfl_prometheus_u64(b, reg->zone.n[RFL_ZONE_EVIDENCE + i]);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_overflow(rfl_view_t *v, rfl_buf_t *b, rfl_metrics_registry_t *reg)
{
    if (reg->is_whole) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_u64(b, reg->zone.n[RFL_ZONE_OVERFLOW]);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_lookup_errors(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg)
{
    if (reg->is_whole) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_u64(b, reg->zone.n[RFL_ZONE_LOOKUP_ERRORS]);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_links(rfl_view_t *v, rfl_buf_t *b, rfl_metrics_registry_t *reg)
{
    if (reg->has_links) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_u64(b, reg->links);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_flush_age(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg)
{
    if (reg->flush_ms != 0) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_ms(b, reg->now_ms > reg->flush_ms
                             ? reg->now_ms - reg->flush_ms : 0);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_link_states(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg)
{
    unsigned  i;

    for (i = 0; reg->has_states && i < RFL_STATES; i++) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_label(b, "state", rfl_state_names[i]);
        rfl_prometheus_u64(b, reg->states.links[i]);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_diagnosis(rfl_view_t *v, rfl_buf_t *b, rfl_metrics_registry_t *reg)
{
    unsigned  i;

    for (i = 0; reg->has_file && i < RFL_DIAGNOSIS_BITS; i++) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_label(b, "problem", rfl_diagnosis_names[i]);
        rfl_prometheus_u64(b, reg->diagnosis >> i & 1);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_sources(rfl_view_t *v, rfl_buf_t *b, rfl_metrics_registry_t *reg)
{
    rfl_rc_t  rc;

    if (!reg->is_whole || !reg->has_links) {
        return RFL_OK;
    }

    rc = rfl_metrics_scan_sources(v->metrics, reg);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_metrics_sample(v, b, reg);
    rfl_prometheus_u64(b, reg->sources);

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_source_hosts(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg)
{
    if (reg->is_whole && reg->has_links) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_u64(b, reg->source_hosts);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_broken(rfl_view_t *v, rfl_buf_t *b, rfl_metrics_registry_t *reg)
{
    if (reg->is_whole && reg->has_links) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_u64(b, reg->broken);
    }

    return RFL_OK;
}


/* All rows of the table, as /sources and /broken look at them. */

static rfl_rc_t
rfl_metrics_scan_sources(rfl_view_metrics_t *m, rfl_metrics_registry_t *reg)
{
    rfl_rc_t             rc;
    uint32_t             number;
    rfl_sources_entry_t  source;

    if (m->next_source == 0) {
        m->next_source = 1;
        m->nhosts = 0;
        reg->sources = 0;
        reg->broken = 0;
    }

    for ( ;; ) {

        if (m->ids < RFL_METRICS_SOURCE_IDS) {
            m->ids = 0;
            return RFL_BUSY;
        }

        m->ids -= RFL_METRICS_SOURCE_IDS;

        number = m->next_source - 1;

        rc = rfl_ledger_next_source(reg->rt->ledger, &number, &source);

        if (rc == RFL_NOT_FOUND || number >= RFL_SOURCES_ROWS) {
            break;
        }

        if (rc == RFL_OK) {
            rfl_metrics_scan_source(m, reg, &source);

        } else if (rc != RFL_DAMAGED && rc != RFL_BAD_VERSION) {
            return rc;
        }

        m->next_source = number + 2;
    }

    reg->source_hosts = rfl_metrics_distinct(m->hosts, m->nhosts);

    return RFL_OK;
}


static void
rfl_metrics_scan_source(rfl_view_metrics_t *m, rfl_metrics_registry_t *reg,
    const rfl_sources_entry_t *source)
{
    size_t             n;
    rfl_source_row_t   rows[RFL_ENDS];
    rfl_source_site_t  site;

    site.registry = reg->rt->registry;
    site.patterns = reg->rt->patterns;
    site.counters = reg->rt->counters;

    n = rfl_source_rows(&site, RFL_SOURCES_UNKNOWN, source, rows);

    if (n != 0 && m->nhosts < RFL_SOURCES_ROWS) {
        m->hosts[m->nhosts++] = rfl_hash(rfl_source_host(source).data,
                                         rfl_source_host(source).len).low;
    }

    reg->sources += n;
    reg->broken += rfl_source_rows(&site, RFL_SOURCES_BROKEN, source, rows);
}


static uint64_t
rfl_metrics_distinct(uint64_t *numbers, size_t n)
{
    size_t    i;
    uint64_t  distinct;

    qsort(numbers, n, sizeof(uint64_t), rfl_metrics_compare_u64);

    for (i = 0, distinct = 0; i < n; i++) {
        distinct += i == 0 || numbers[i] != numbers[i - 1];
    }

    return distinct;
}


static int
rfl_metrics_compare_u64(const void *one, const void *two)
{
    uint64_t  a, b;

    a = *(const uint64_t *) one;
    b = *(const uint64_t *) two;

    return a < b ? -1 : a > b;
}


static rfl_rc_t
rfl_metrics_flush_errors(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg)
{
    if (reg->has_file) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_u64(b, reg->flush_errors);
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_metrics_channels(rfl_view_t *v, rfl_buf_t *b, rfl_metrics_registry_t *reg)
{
    size_t               i;
    rfl_rc_t             rc;
    rfl_view_metrics_t  *m;

    if (!reg->is_whole || !reg->has_links) {
        return RFL_OK;
    }

    m = v->metrics;

    rc = rfl_metrics_scan(v, reg);
    if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0; i < m->nchannels; i++) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_label(b, "channel", rfl_str(m->channels[i].name,
                                                   m->channels[i].len));
        rfl_prometheus_u64(b, m->channels[i].clicks);
    }

    if (m->shared != 0) {
        rfl_metrics_sample(v, b, reg);
        rfl_prometheus_label(b, "channel", rfl_cstr(RFL_METRICS_SHARED));
        rfl_prometheus_u64(b, m->shared);
    }

    return RFL_OK;
}


/* All ids of a registry: clicks by channel, and the rows of the links. */

static rfl_rc_t
rfl_metrics_scan(rfl_view_t *v, rfl_metrics_registry_t *reg)
{
    rfl_rc_t             rc;
    rfl_view_metrics_t  *m;

    m = v->metrics;

    if (rfl_metrics_pass(m, reg)) {
        m->shared = 0;
        m->nchannels = 0;
    }

    while (m->pass.next < m->pass.end) {

        if (m->ids == 0) {
            return RFL_BUSY;
        }

        m->ids--;

        rc = m->group.id != 0 ? rfl_metrics_group(m, reg)
                              : rfl_metrics_scan_id(v, reg);
        if (rc != RFL_OK) {
            return rc;
        }

        if (m->group.id != 0) {
            continue;
        }

        rc = rfl_view_next_id(&m->pass, &m->totals, reg->rt->registry);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (v->query.per_link == RFL_METRICS_CLICKS) {
        rfl_top_sort(&reg->top);
    }

    return RFL_OK;
}


/* Whether it has just begun. */

static int
rfl_metrics_pass(rfl_view_metrics_t *m, const rfl_metrics_registry_t *reg)
{
    if (m->pass.next != 0) {
        return 0;
    }

    m->pass.next = 1;
    m->pass.end = reg->end_id;
    m->pass.occupied = 0;

    return 1;
}


/* Most cells of a long list are empty: that is seen before the record. */

static rfl_rc_t
rfl_metrics_scan_id(rfl_view_t *v, rfl_metrics_registry_t *reg)
{
    rfl_rc_t             rc;
    rfl_cell_t           cell;
    rfl_link_t           link;
    rfl_view_metrics_t  *m;

    m = v->metrics;

    rc = rfl_totals_cell(&m->totals, m->pass.next, &cell);
    if (rc != RFL_OK) {
        return rc;
    }

    if (cell.n[RFL_CELL_CLICKS] == 0 && cell.n[RFL_CELL_ERRORS_4XX] == 0
        && cell.n[RFL_CELL_ERRORS_5XX] == 0)
    {
        return RFL_OK;
    }

    m->pass.occupied = 1;

    rc = rfl_registry_link(reg->rt->registry, m->pass.next, &link);

    if (rc == RFL_NOT_FOUND) {
        return rfl_metrics_scan_other(m, reg, &cell);
    }

    if (rc == RFL_OK) {
        rfl_metrics_scan_link(v, reg, &link, &cell);
    }

    return rc;
}


static void
rfl_metrics_scan_link(rfl_view_t *v, rfl_metrics_registry_t *reg,
    const rfl_link_t *link, const rfl_cell_t *cell)
{
    rfl_top_row_t  row;

    rfl_metrics_add_channel(v->metrics, rfl_link_channel(link),
                            cell->n[RFL_CELL_CLICKS]);

    if (v->query.per_link == RFL_METRICS_CLICKS) {
        row.value = cell->n[RFL_CELL_CLICKS];
        row.key = link->key;
        row.id = link->id;

        rfl_top_add(&reg->top, &row);
    }
}


/* A link that was removed, or a group. */

static rfl_rc_t
rfl_metrics_scan_other(rfl_view_metrics_t *m, rfl_metrics_registry_t *reg,
    const rfl_cell_t *cell)
{
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_group_t  group;

    rc = rfl_registry_retired(reg->rt->registry, m->pass.next, &link);

    if (rc == RFL_OK) {
        rfl_metrics_add_channel(m, rfl_link_channel(&link),
                                cell->n[RFL_CELL_CLICKS]);
        return RFL_OK;
    }

    if (rc != RFL_NOT_FOUND) {
        return rc;
    }

    rc = rfl_registry_group(reg->rt->registry, m->pass.next, &group);

    if (rc == RFL_OK && cell->n[RFL_CELL_CLICKS] != 0) {
        memset(&m->group, 0, sizeof(rfl_metrics_group_t));

        m->group.id = group.id;
        m->group.clicks = cell->n[RFL_CELL_CLICKS];
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


/* One link of it. */

static rfl_rc_t
rfl_metrics_group(rfl_view_metrics_t *m, rfl_metrics_registry_t *reg)
{
    rfl_rc_t              rc;
    rfl_link_t            link;
    rfl_metrics_group_t  *group;

    group = &m->group;

    rc = rfl_registry_next_member(reg->rt->registry, group->id,
                                  &group->next_member);

    if (rc == RFL_OK) {
        rc = rfl_registry_link(reg->rt->registry, group->next_member, &link);

        if (rc != RFL_OK) {
            return rc == RFL_NOT_FOUND ? RFL_DAMAGED : rc;
        }

        group->next_member++;

        if (rfl_metrics_group_goes_on(group, rfl_link_channel(&link))) {
            return RFL_OK;
        }

        m->shared += group->clicks;

    } else if (rc != RFL_NOT_FOUND) {
        return rc;

    } else if (group->has_channel) {
        rfl_metrics_add_channel(m, rfl_str(group->channel, group->len),
                                group->clicks);

    } else {
        m->shared += group->clicks;
    }

    group->id = 0;

    return RFL_OK;
}


static int
rfl_metrics_group_goes_on(rfl_metrics_group_t *group, rfl_str_t channel)
{
    if (!group->has_channel) {
        group->has_channel = 1;
        group->len = (u_char) channel.len;
        memcpy(group->channel, channel.data, channel.len);

        return 1;
    }

    return rfl_str_eq(channel, rfl_str(group->channel, group->len));
}


/* They are kept in order: found by bisection, and shown so. */

static void
rfl_metrics_add_channel(rfl_view_metrics_t *m, rfl_str_t name,
    uint64_t clicks)
{
    int                     order;
    size_t                  low, high, middle;
    rfl_metrics_channel_t  *channel;

    low = 0;
    high = m->nchannels;

    while (low < high) {
        middle = (low + high) / 2;
        order = rfl_metrics_compare(&m->channels[middle], name);

        if (order == 0) {
            m->channels[middle].clicks += clicks;
            return;
        }

        if (order < 0) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    if (m->nchannels == RFL_METRICS_CHANNELS) {
        m->shared += clicks;
        return;
    }

    channel = &m->channels[low];

    memmove(channel + 1, channel,
            (m->nchannels - low) * sizeof(rfl_metrics_channel_t));

    channel->len = (u_char) name.len;
    memcpy(channel->name, name.data, name.len);
    channel->clicks = clicks;

    m->nchannels++;
}


static int
rfl_metrics_compare(const rfl_metrics_channel_t *channel, rfl_str_t name)
{
    int  order;

    order = memcmp(channel->name, name.data,
                   channel->len < name.len ? channel->len : name.len);

    return order != 0 ? order : (int) channel->len - (int) name.len;
}


static rfl_rc_t
rfl_metrics_link_requests(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg)
{
    size_t                i;
    rfl_rc_t              rc;
    rfl_cell_t            cell;
    rfl_link_t            link;
    const rfl_counter_t  *counter;

    for ( ;; ) {
        rc = b->len > RFL_VIEW_STEP_BYTES
             ? RFL_BUSY : rfl_metrics_next_link(v, reg, &link);

        if (rc != RFL_OK) {
            return rc == RFL_NOT_FOUND ? RFL_OK : rc;
        }

        rc = rfl_totals_cell(&v->metrics->totals, link.id, &cell);
        if (rc != RFL_OK) {
            return rc;
        }

        for (i = 0; i < RFL_CELL_SUMS; i++) {
            counter = &rfl_counter_table[i];

            if (!rfl_metrics_has_class(v, &cell, counter->field)) {
                continue;
            }

            rfl_metrics_sample(v, b, reg);
            rfl_metrics_label_key(b, link.key);
            rfl_prometheus_label(b, "class", counter->name);
            rfl_prometheus_u64(b, cell.n[counter->field]);
        }
    }
}


static rfl_rc_t
rfl_metrics_link_info(rfl_view_t *v, rfl_buf_t *b,
    rfl_metrics_registry_t *reg)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    for ( ;; ) {
        rc = b->len > RFL_VIEW_STEP_BYTES
             ? RFL_BUSY : rfl_metrics_next_link(v, reg, &link);

        if (rc != RFL_OK) {
            return rc == RFL_NOT_FOUND ? RFL_OK : rc;
        }

        rfl_metrics_sample(v, b, reg);
        rfl_metrics_label_key(b, link.key);
        rfl_prometheus_label(b, "name", link.name);
        rfl_prometheus_label(b, "channel", rfl_link_channel(&link));
        rfl_prometheus_label(b, "partner", link.partner);
        rfl_prometheus_u64(b, 1);
    }
}


/* RFL_NOT_FOUND: that was the last. */

static rfl_rc_t
rfl_metrics_next_link(rfl_view_t *v, rfl_metrics_registry_t *reg,
    rfl_link_t *link)
{
    if (!reg->is_whole || !reg->has_links
        || v->query.per_link == RFL_METRICS_OFF)
    {
        return RFL_NOT_FOUND;
    }

    return v->query.per_link == RFL_METRICS_ALL
           ? rfl_metrics_next_id(v->metrics, reg, link)
           : rfl_metrics_next_row(v, reg, link);
}


static rfl_rc_t
rfl_metrics_next_id(rfl_view_metrics_t *m, rfl_metrics_registry_t *reg,
    rfl_link_t *link)
{
    rfl_rc_t  rc, found;

    (void) rfl_metrics_pass(m, reg);

    do {
        if (m->pass.next >= m->pass.end) {
            return RFL_NOT_FOUND;
        }

        if (m->ids == 0) {
            return RFL_BUSY;
        }

        m->ids--;

        found = rfl_registry_link(reg->rt->registry, m->pass.next, link);

        m->pass.occupied |= (found == RFL_OK);

        rc = rfl_view_next_id(&m->pass, &m->totals, reg->rt->registry);
        if (rc != RFL_OK) {
            return rc;
        }

    } while (found == RFL_NOT_FOUND);

    return found;
}


static rfl_rc_t
rfl_metrics_next_row(rfl_view_t *v, rfl_metrics_registry_t *reg,
    rfl_link_t *link)
{
    rfl_rc_t             rc;
    rfl_view_metrics_t  *m;

    m = v->metrics;

    do {
        if (m->next_row == reg->top.n) {
            return RFL_NOT_FOUND;
        }

        if (m->ids == 0) {
            return RFL_BUSY;
        }

        m->ids--;

        rc = rfl_registry_link(reg->rt->registry,
                               reg->top.rows[m->next_row++].id, link);

    } while (rc == RFL_NOT_FOUND);

    return rc;
}


/* The classes of a request, by the counters' names: they sum to all of them. */

static int
rfl_metrics_has_class(const rfl_view_t *v, const rfl_cell_t *cell,
    rfl_cell_field_t field)
{
    if (field > RFL_CELL_OTHER) {
        return 0;
    }

    if (v->query.per_link == RFL_METRICS_ALL) {
        return 1;
    }

    return cell->n[field] != 0
           && (field == RFL_CELL_CLICKS || field == RFL_CELL_ERRORS_4XX
               || field == RFL_CELL_ERRORS_5XX);
}


/* All samples begin so. */

static void
rfl_metrics_sample(rfl_view_t *v, rfl_buf_t *b,
    const rfl_metrics_registry_t *reg)
{
    rfl_prometheus_sample(b, rfl_metrics_families[v->metrics->family].name);
    rfl_prometheus_label(b, "registry", rfl_cstr(reg->rt->conf->name));
}


static void
rfl_metrics_label_key(rfl_buf_t *b, uint64_t key)
{
    u_char  text[RFL_KEY_LEN];

    rfl_key_text(key, text);
    rfl_prometheus_label(b, "link", rfl_str(text, RFL_KEY_LEN));
}
