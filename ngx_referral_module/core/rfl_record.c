/*
 * What one decided request adds to the counters.  This runs in the log phase:
 * no lock, no allocation, nothing that can fail.
 *
 * The zone's sums by class and its evidence count matched requests alone; a
 * cell counts what a link or a group of links brought.
 *
 * A host is noted as its SURT: so a target's host is compared with it.  A site
 * with one host pays for a comparison of bytes.
 */

#include "rfl_record.h"


/* Longer hosts, as sent, are not noted. */

#define RFL_RECORD_HOST  128


/* More does not fit into an event; one byte more lets it say so. */

#define RFL_RECORD_SOURCE  (RFL_RING_TEXT / 2 + 1)


static const rfl_str_t  rfl_record_app = rfl_string("android-app:");


static void rfl_record_click(rfl_zone_t *zone, rfl_counters_t *counters,
    const rfl_record_t *record);
static void rfl_record_host(rfl_counters_t *counters, rfl_str_t host,
    int is_due);
static void rfl_record_cell(rfl_zone_t *zone, rfl_counters_t *counters,
    const rfl_record_t *record);
static void rfl_record_sums(uint64_t *sums, const rfl_record_t *record);
static rfl_cell_field_t rfl_record_field(rfl_class_t class, unsigned status);
static void rfl_record_seen(rfl_cell_t *cell, uint64_t now);
static void rfl_record_event(rfl_counters_t *counters,
    const rfl_record_t *record);
static rfl_str_t rfl_record_app_source(rfl_str_t package, u_char *buf);


void
rfl_record(rfl_zone_t *zone, rfl_counters_t *counters,
    const rfl_record_t *record)
{
    const rfl_attribution_t  *a;

    a = &record->attribution;

    rfl_counters_add(&zone->n[RFL_ZONE_OUTCOMES + a->outcome], 1);

    if (a->lookup_failed) {
        rfl_counters_add(&zone->n[RFL_ZONE_LOOKUP_ERRORS], 1);
    }

    if (a->regex_limit) {
        rfl_counters_add(&zone->n[RFL_ZONE_REGEX_LIMITS], 1);
    }

    if (!rfl_outcome_has_class(a->outcome)) {

        if (a->outcome == RFL_OUTCOME_INTERNAL && record->bare) {
            rfl_counters_add(&zone->n[RFL_ZONE_INTERNAL_BARE], 1);
        }

        return;
    }

    if (record->class == RFL_CLASS_CLICK) {
        rfl_record_click(zone, counters, record);
    }

    if (a->outcome == RFL_OUTCOME_MATCHED) {

        if (a->evidence < RFL_EVIDENCES) {
            rfl_counters_add(&zone->n[RFL_ZONE_EVIDENCE + a->evidence], 1);
        }

        rfl_record_sums(&zone->n[RFL_ZONE_CLASSES], record);
    }

    if (rfl_outcome_is_match(a->outcome)) {
        rfl_record_cell(zone, counters, record);
    }

    /* last: who hears of a request finds it counted */

    if (counters != NULL && rfl_ring_is_open(counters, record->ring)) {
        rfl_record_event(counters, record);
    }
}


static void
rfl_record_click(rfl_zone_t *zone, rfl_counters_t *counters,
    const rfl_record_t *record)
{
    uint64_t  *clicks, before;

    clicks = &zone->n[RFL_ZONE_CLICKS + record->attribution.outcome];

    /*
     * By the number itself, not by one of the process: two registries whose
     * requests alternate must both be sampled.
     */

    before = __atomic_load_n(clicks, __ATOMIC_RELAXED);

    rfl_counters_add(clicks, 1);

    if (record->edge) {
        rfl_counters_add(&zone->n[RFL_ZONE_EDGE_CLICKS], 1);
    }

    if (counters != NULL) {
        rfl_record_host(counters, record->host,
                        before % RFL_COUNTERS_SAMPLE == 0);
    }
}


/* What is no host is not noted. */

static void
rfl_record_host(rfl_counters_t *counters, rfl_str_t host, int is_due)
{
    rfl_url_t  url;

    static size_t  last_len, surt_len;
    static u_char  last[RFL_RECORD_HOST], surt[RFL_HOST_MAX + 16];

    if (host.len == 0 || host.len > RFL_RECORD_HOST) {
        return;
    }

    if (host.len != last_len || !rfl_str_same(host.data, last, host.len)) {

        memcpy(last, host.data, host.len);
        last_len = host.len;

        surt_len = rfl_url_parse_host(host, &url, NULL) == RFL_OK
                   ? rfl_surt_host(&url, surt) : 0;

    } else if (!is_due) {
        return;
    }

    rfl_counters_note_host(counters, rfl_str(surt, surt_len));
}


static void
rfl_record_cell(rfl_zone_t *zone, rfl_counters_t *counters,
    const rfl_record_t *record)
{
    uint32_t     id;
    rfl_cell_t  *cell;

    id = record->attribution.id;

    if (counters == NULL || id >= rfl_counters_capacity(counters)) {
        rfl_counters_add(&zone->n[RFL_ZONE_OVERFLOW], 1);
        return;
    }

    cell = &counters->cells[id];

    rfl_record_sums(cell->n, record);
    rfl_record_seen(cell, record->now);

    /* Last: the bit promises that the adds can be seen. */

    rfl_counters_mark_dirty(counters, id);
}


/* sums: RFL_CELL_SUMS numbers, by rfl_cell_field_t. */

static void
rfl_record_sums(uint64_t *sums, const rfl_record_t *record)
{
    rfl_cell_field_t          field;
    const rfl_attribution_t  *a;

    a = &record->attribution;
    field = rfl_record_field(record->class, record->status);

    rfl_counters_add(&sums[field], 1);

    if (record->bytes != 0) {
        rfl_counters_add(&sums[RFL_CELL_BYTES], record->bytes);
    }

    if (field != RFL_CELL_CLICKS) {
        return;
    }

    if (a->other_landing) {
        rfl_counters_add(&sums[RFL_CELL_OTHER_LANDING], 1);
    }

    switch (a->evidence) {

    case RFL_EVIDENCE_TAG:
        rfl_counters_add(&sums[RFL_CELL_CLICKS_BY_TAG], 1);
        break;

    case RFL_EVIDENCE_EXACT:
    case RFL_EVIDENCE_REGEX:
    case RFL_EVIDENCE_PREFIX:
        rfl_counters_add(&sums[RFL_CELL_CLICKS_BY_PAGE], 1);
        break;

    default:
        break;
    }
}


/* A request of no known class is "other": the classes sum to the requests. */

static rfl_cell_field_t
rfl_record_field(rfl_class_t class, unsigned status)
{
    switch (class) {

    case RFL_CLASS_CLICK:
        return RFL_CELL_CLICKS;
    case RFL_CLASS_RELOAD:
        return RFL_CELL_RELOADS;
    case RFL_CLASS_REDIRECT:
        return RFL_CELL_REDIRECTS;
    case RFL_CLASS_ERROR:
        return status >= 500 ? RFL_CELL_ERRORS_5XX : RFL_CELL_ERRORS_4XX;
    case RFL_CLASS_EMBED:
        return RFL_CELL_EMBEDS;
    case RFL_CLASS_PREFETCH:
        return RFL_CELL_PREFETCHES;
    case RFL_CLASS_BOT:
        return RFL_CELL_BOTS;
    default:
        return RFL_CELL_OTHER;
    }
}


static void
rfl_record_seen(rfl_cell_t *cell, uint64_t now)
{
    uint64_t  *last, seen;

    seen = __atomic_load_n(&cell->n[RFL_CELL_FIRST_SEEN], __ATOMIC_RELAXED);

    if (seen == 0) {
        (void) __atomic_compare_exchange_n(&cell->n[RFL_CELL_FIRST_SEEN],
                                           &seen, now, 0, __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED);
    }

    last = &cell->n[RFL_CELL_LAST_SEEN];
    seen = __atomic_load_n(last, __ATOMIC_RELAXED);

    while (seen < now
           && !__atomic_compare_exchange_n(last, &seen, now, 0,
                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    {
        /* seen was reloaded */
    }
}


/* What is read of the event: not its text. */

static void
rfl_record_event(rfl_counters_t *counters, const rfl_record_t *record)
{
    u_char                    app[RFL_RECORD_SOURCE];
    rfl_str_t                 source;
    rfl_event_t               event;
    const rfl_attribution_t  *a;

    a = &record->attribution;

    event.time_ms = record->now_ms;
    event.visitor = 0;
    event.id = rfl_outcome_is_match(a->outcome) ? a->id : 0;
    event.status = (uint16_t) record->status;
    event.outcome = (uint8_t) a->outcome;
    event.class = (uint8_t) record->class;
    event.evidence = (uint8_t) a->evidence;
    event.flags = a->outcome == RFL_OUTCOME_AMBIGUOUS ? RFL_EVENT_GROUP : 0;
    memset(event.reserved, 0, sizeof(event.reserved));

    source = a->source;

    if (source.len != 0) {
        source = a->is_app ? rfl_record_app_source(source, app)
                           : rfl_url_bare_host(source);
    }

    rfl_ring_write(counters, record->ring, &event, source,
                   rfl_url_target_path(record->landing));
}


/* buf: RFL_RECORD_SOURCE bytes. */

static rfl_str_t
rfl_record_app_source(rfl_str_t package, u_char *buf)
{
    size_t  len;

    len = RFL_RECORD_SOURCE - rfl_record_app.len;

    if (package.len < len) {
        len = package.len;
    }

    memcpy(buf, rfl_record_app.data, rfl_record_app.len);
    memcpy(buf + rfl_record_app.len, package.data, len);

    return rfl_str(buf, rfl_record_app.len + len);
}
