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


/* Of the click before. */

typedef struct {
    size_t  len;
    size_t  surt_len;
    u_char  text[RFL_RECORD_HOST];
    u_char  surt[RFL_HOST_MAX + 16];
} rfl_record_last_host_t;


static rfl_record_last_host_t  rfl_record_last;

static const rfl_str_t         rfl_record_app = rfl_string("android-app:");


/* Sums of a click by its evidence; 0: of none. */

static const u_char  rfl_record_by_evidence[RFL_EVIDENCES + 1] = {
    [RFL_EVIDENCE_TAG]    = RFL_CELL_CLICKS_BY_TAG,
    [RFL_EVIDENCE_EXACT]  = RFL_CELL_CLICKS_BY_PAGE,
    [RFL_EVIDENCE_REGEX]  = RFL_CELL_CLICKS_BY_PAGE,
    [RFL_EVIDENCE_PREFIX] = RFL_CELL_CLICKS_BY_PAGE
};

_Static_assert(RFL_CELL_CLICKS_BY_TAG != 0 && RFL_CELL_CLICKS_BY_PAGE != 0,
               "0 is none of them");


static void rfl_record_fault(rfl_zone_t *zone, const rfl_attribution_t *a)
    __attribute__((noinline));
static inline void rfl_record_click(rfl_zone_t *zone, rfl_counters_t *counters,
    const rfl_record_t *record);
static inline void rfl_record_host(rfl_counters_t *counters, rfl_str_t host,
    int is_due);
static void rfl_record_note_host(rfl_counters_t *counters, rfl_str_t host);
static void rfl_record_cell(rfl_zone_t *zone, rfl_counters_t *counters,
    const rfl_record_t *record, rfl_cell_field_t field);
static inline void rfl_record_sums(uint64_t *sums, const rfl_record_t *record,
    rfl_cell_field_t field);
static inline rfl_cell_field_t rfl_record_field(rfl_class_t class,
    unsigned status);
static rfl_cell_field_t rfl_record_odd_field(rfl_class_t class,
    unsigned status);
static inline void rfl_record_seen(rfl_cell_t *cell, uint64_t now);
static inline void rfl_record_event(rfl_counters_t *counters,
    const rfl_record_t *record, rfl_str_t source)
    __attribute__((always_inline));
static void rfl_record_app_event(rfl_counters_t *counters,
    const rfl_record_t *record);


void
rfl_record(rfl_zone_t *zone, rfl_counters_t *counters,
    const rfl_record_t *record)
{
    rfl_cell_field_t          field;
    const rfl_attribution_t  *a;

    a = &record->attribution;

    rfl_counters_add(&zone->n[RFL_ZONE_OUTCOMES + a->outcome], 1);

    if ((a->lookup_failed | a->regex_limit) != 0) {
        rfl_record_fault(zone, a);
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

    if (rfl_outcome_is_match(a->outcome)) {
        field = rfl_record_field(record->class, record->status);

        if (a->outcome == RFL_OUTCOME_MATCHED) {

            if (a->evidence < RFL_EVIDENCES) {
                rfl_counters_add(&zone->n[RFL_ZONE_EVIDENCE + a->evidence], 1);
            }

            rfl_record_sums(&zone->n[RFL_ZONE_CLASSES], record, field);
        }

        rfl_record_cell(zone, counters, record, field);
    }

    /* last: who hears of a request finds it counted */

    if (counters == NULL) {
        return;
    }

    if (a->is_app) {
        rfl_record_app_event(counters, record);
        return;
    }

    rfl_record_event(counters, record, a->source);
}


static void
rfl_record_fault(rfl_zone_t *zone, const rfl_attribution_t *a)
{
    if (a->lookup_failed) {
        rfl_counters_add(&zone->n[RFL_ZONE_LOOKUP_ERRORS], 1);
    }

    if (a->regex_limit) {
        rfl_counters_add(&zone->n[RFL_ZONE_REGEX_LIMITS], 1);
    }
}


static inline void
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

static inline void
rfl_record_host(rfl_counters_t *counters, rfl_str_t host, int is_due)
{
    if (is_due || host.len != rfl_record_last.len
        || !rfl_str_same(host.data, rfl_record_last.text, host.len))
    {
        rfl_record_note_host(counters, host);
    }
}


static __attribute__((noinline)) void
rfl_record_note_host(rfl_counters_t *counters, rfl_str_t host)
{
    rfl_url_t                url;
    rfl_record_last_host_t  *last;

    if (host.len == 0 || host.len > RFL_RECORD_HOST) {
        return;
    }

    last = &rfl_record_last;

    if (host.len != last->len || memcmp(host.data, last->text, host.len) != 0)
    {
        memcpy(last->text, host.data, host.len);
        last->len = host.len;

        last->surt_len = rfl_url_parse_host(host, &url, NULL) == RFL_OK
                         ? rfl_surt_host(&url, last->surt) : 0;
    }

    rfl_counters_note_host(counters, rfl_str(last->surt, last->surt_len));
}


static void
rfl_record_cell(rfl_zone_t *zone, rfl_counters_t *counters,
    const rfl_record_t *record, rfl_cell_field_t field)
{
    uint32_t     id;
    rfl_cell_t  *cell;

    id = record->attribution.id;

    if (counters == NULL || id >= rfl_counters_capacity(counters)) {
        rfl_counters_add(&zone->n[RFL_ZONE_OVERFLOW], 1);
        return;
    }

    cell = &counters->cells[id];

    rfl_record_sums(cell->n, record, field);
    rfl_record_seen(cell, record->now);

    /* Last: the bit promises that the adds can be seen. */

    rfl_counters_mark_dirty(counters, id);
}


/* sums: RFL_CELL_SUMS numbers, by rfl_cell_field_t. */

static inline void
rfl_record_sums(uint64_t *sums, const rfl_record_t *record,
    rfl_cell_field_t field)
{
    unsigned                  by;
    const rfl_attribution_t  *a;

    a = &record->attribution;

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

    by = rfl_record_by_evidence[a->evidence];

    if (by != 0) {
        rfl_counters_add(&sums[by], 1);
    }
}


static inline rfl_cell_field_t
rfl_record_field(rfl_class_t class, unsigned status)
{
    return class == RFL_CLASS_CLICK ? RFL_CELL_CLICKS
                                    : rfl_record_odd_field(class, status);
}


/* A request of no known class is "other": the classes sum to the requests. */

static rfl_cell_field_t
rfl_record_odd_field(rfl_class_t class, unsigned status)
{
    switch (class) {

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


static inline void
rfl_record_seen(rfl_cell_t *cell, uint64_t now)
{
    uint64_t  seen;

    seen = __atomic_load_n(&cell->n[RFL_CELL_FIRST_SEEN], __ATOMIC_RELAXED);

    if (seen == 0) {
        (void) __atomic_compare_exchange_n(&cell->n[RFL_CELL_FIRST_SEEN],
                                           &seen, now, 0, __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED);
    }

    rfl_counters_seen(cell, now);
}


/* What is read of the event: not its text. */

static inline void
rfl_record_event(rfl_counters_t *counters, const rfl_record_t *record,
    rfl_str_t source)
{
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

    rfl_ring_write(counters, record->ring, &event, source, a->path);
}


static __attribute__((noinline)) void
rfl_record_app_event(rfl_counters_t *counters, const rfl_record_t *record)
{
    size_t     len;
    u_char     text[RFL_RECORD_SOURCE];
    rfl_str_t  package;

    package = record->attribution.source;
    len = RFL_RECORD_SOURCE - rfl_record_app.len;

    if (package.len < len) {
        len = package.len;
    }

    memcpy(text, rfl_record_app.data, rfl_record_app.len);
    memcpy(text + rfl_record_app.len, package.data, len);

    rfl_record_event(counters, record,
                     rfl_str(text, rfl_record_app.len + len));
}
