/*
 * One record, and exactly the numbers it may change: all others are compared
 * with what they were.
 */

#include "rfl_record.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>


#define ID   77
#define NOW  1000

#define ZONE_CLASS(field)  (RFL_ZONE_CLASSES + (field))


typedef struct {
    unsigned  field;
    uint64_t  n;
} delta_t;


typedef struct {
    const char      *name;
    rfl_outcome_t    outcome;
    rfl_evidence_t   evidence;
    rfl_class_t      class;
    unsigned         status;
    uint64_t         bytes;
    unsigned         other_landing:1;
    unsigned         lookup_failed:1;
    delta_t          zone[8];            /* beside the outcome */
    delta_t          cell[6];
    unsigned         dirty:1;
} row_t;


typedef struct {
    char             dir[64];
    char             path[128];
    rfl_counters_t  *counters;
    rfl_zone_t      *zone;
} fixture_t;


static const row_t  rows[] = {

    { "direct click", RFL_OUTCOME_DIRECT, RFL_EVIDENCE_NONE, RFL_CLASS_CLICK,
      200, 10, 0, 0, { { RFL_ZONE_CLICKS + RFL_OUTCOME_DIRECT, 1 } }, { { 0 } },
      0 },

    { "direct error", RFL_OUTCOME_DIRECT, RFL_EVIDENCE_NONE, RFL_CLASS_ERROR,
      404, 10, 0, 0, { { 0 } }, { { 0 } }, 0 },

    { "hidden click", RFL_OUTCOME_HIDDEN, RFL_EVIDENCE_NONE, RFL_CLASS_CLICK,
      200, 10, 0, 0, { { RFL_ZONE_CLICKS + RFL_OUTCOME_HIDDEN, 1 } }, { { 0 } },
      0 },

    { "internal", RFL_OUTCOME_INTERNAL, RFL_EVIDENCE_NONE, RFL_CLASS_NONE,
      200, 10, 0, 0, { { 0 } }, { { 0 } }, 0 },

    { "malformed", RFL_OUTCOME_MALFORMED, RFL_EVIDENCE_NONE, RFL_CLASS_NONE,
      200, 10, 0, 0, { { 0 } }, { { 0 } }, 0 },

    { "skipped", RFL_OUTCOME_SKIPPED, RFL_EVIDENCE_NONE, RFL_CLASS_NONE,
      200, 10, 0, 0, { { 0 } }, { { 0 } }, 0 },

    { "an outcome without class has no clicks", RFL_OUTCOME_INTERNAL,
      RFL_EVIDENCE_NONE, RFL_CLASS_CLICK, 200, 10, 0, 0, { { 0 } }, { { 0 } },
      0 },

    { "unregistered click", RFL_OUTCOME_UNREGISTERED, RFL_EVIDENCE_NONE,
      RFL_CLASS_CLICK, 200, 10, 0, 0,
      { { RFL_ZONE_CLICKS + RFL_OUTCOME_UNREGISTERED, 1 } }, { { 0 } }, 0 },

    { "failed lookup", RFL_OUTCOME_UNREGISTERED, RFL_EVIDENCE_NONE,
      RFL_CLASS_OTHER, 200, 10, 0, 1, { { RFL_ZONE_LOOKUP_ERRORS, 1 } },
      { { 0 } }, 0 },

    { "click by tag", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_TAG, RFL_CLASS_CLICK,
      200, 10, 0, 0,
      { { RFL_ZONE_CLICKS + RFL_OUTCOME_MATCHED, 1 },
        { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_TAG, 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS), 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS_BY_TAG), 1 },
        { ZONE_CLASS(RFL_CELL_BYTES), 10 } },
      { { RFL_CELL_CLICKS, 1 }, { RFL_CELL_CLICKS_BY_TAG, 1 },
        { RFL_CELL_BYTES, 10 } },
      1 },

    { "click by exact page at another landing", RFL_OUTCOME_MATCHED,
      RFL_EVIDENCE_EXACT, RFL_CLASS_CLICK, 200, 10, 1, 0,
      { { RFL_ZONE_CLICKS + RFL_OUTCOME_MATCHED, 1 },
        { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_EXACT, 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS), 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS_BY_PAGE), 1 },
        { ZONE_CLASS(RFL_CELL_OTHER_LANDING), 1 },
        { ZONE_CLASS(RFL_CELL_BYTES), 10 } },
      { { RFL_CELL_CLICKS, 1 }, { RFL_CELL_CLICKS_BY_PAGE, 1 },
        { RFL_CELL_OTHER_LANDING, 1 }, { RFL_CELL_BYTES, 10 } },
      1 },

    { "click by regex", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_REGEX,
      RFL_CLASS_CLICK, 304, 0, 0, 0,
      { { RFL_ZONE_CLICKS + RFL_OUTCOME_MATCHED, 1 },
        { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_REGEX, 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS), 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS_BY_PAGE), 1 } },
      { { RFL_CELL_CLICKS, 1 }, { RFL_CELL_CLICKS_BY_PAGE, 1 } },
      1 },

    { "click by prefix", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_PREFIX,
      RFL_CLASS_CLICK, 200, 0, 0, 0,
      { { RFL_ZONE_CLICKS + RFL_OUTCOME_MATCHED, 1 },
        { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_PREFIX, 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS), 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS_BY_PAGE), 1 } },
      { { RFL_CELL_CLICKS, 1 }, { RFL_CELL_CLICKS_BY_PAGE, 1 } },
      1 },

    { "click by landing is neither by tag nor by page", RFL_OUTCOME_MATCHED,
      RFL_EVIDENCE_LANDING, RFL_CLASS_CLICK, 200, 0, 0, 0,
      { { RFL_ZONE_CLICKS + RFL_OUTCOME_MATCHED, 1 },
        { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_LANDING, 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS), 1 } },
      { { RFL_CELL_CLICKS, 1 } },
      1 },

    { "click by host", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_HOST,
      RFL_CLASS_CLICK, 200, 0, 0, 0,
      { { RFL_ZONE_CLICKS + RFL_OUTCOME_MATCHED, 1 },
        { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_HOST, 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS), 1 } },
      { { RFL_CELL_CLICKS, 1 } },
      1 },

    { "click by domain", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_DOMAIN,
      RFL_CLASS_CLICK, 200, 0, 0, 0,
      { { RFL_ZONE_CLICKS + RFL_OUTCOME_MATCHED, 1 },
        { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_DOMAIN, 1 },
        { ZONE_CLASS(RFL_CELL_CLICKS), 1 } },
      { { RFL_CELL_CLICKS, 1 } },
      1 },

    { "error 499 and below is 4xx", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_EXACT,
      RFL_CLASS_ERROR, 499, 5, 1, 0,
      { { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_EXACT, 1 },
        { ZONE_CLASS(RFL_CELL_ERRORS_4XX), 1 },
        { ZONE_CLASS(RFL_CELL_BYTES), 5 } },
      { { RFL_CELL_ERRORS_4XX, 1 }, { RFL_CELL_BYTES, 5 } },
      1 },

    { "error 500 is 5xx", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_TAG,
      RFL_CLASS_ERROR, 500, 0, 0, 0,
      { { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_TAG, 1 },
        { ZONE_CLASS(RFL_CELL_ERRORS_5XX), 1 } },
      { { RFL_CELL_ERRORS_5XX, 1 } },
      1 },

    { "redirect", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_EXACT, RFL_CLASS_REDIRECT,
      301, 0, 1, 0,
      { { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_EXACT, 1 },
        { ZONE_CLASS(RFL_CELL_REDIRECTS), 1 } },
      { { RFL_CELL_REDIRECTS, 1 } },
      1 },

    { "reload", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_HOST, RFL_CLASS_RELOAD,
      200, 0, 0, 0,
      { { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_HOST, 1 },
        { ZONE_CLASS(RFL_CELL_RELOADS), 1 } },
      { { RFL_CELL_RELOADS, 1 } },
      1 },

    { "embed", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_HOST, RFL_CLASS_EMBED,
      200, 0, 0, 0,
      { { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_HOST, 1 },
        { ZONE_CLASS(RFL_CELL_EMBEDS), 1 } },
      { { RFL_CELL_EMBEDS, 1 } },
      1 },

    { "prefetch", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_HOST, RFL_CLASS_PREFETCH,
      200, 0, 0, 0,
      { { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_HOST, 1 },
        { ZONE_CLASS(RFL_CELL_PREFETCHES), 1 } },
      { { RFL_CELL_PREFETCHES, 1 } },
      1 },

    { "bot", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_HOST, RFL_CLASS_BOT,
      200, 0, 0, 0,
      { { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_HOST, 1 },
        { ZONE_CLASS(RFL_CELL_BOTS), 1 } },
      { { RFL_CELL_BOTS, 1 } },
      1 },

    { "other", RFL_OUTCOME_MATCHED, RFL_EVIDENCE_HOST, RFL_CLASS_OTHER,
      200, 0, 0, 0,
      { { RFL_ZONE_EVIDENCE + RFL_EVIDENCE_HOST, 1 },
        { ZONE_CLASS(RFL_CELL_OTHER), 1 } },
      { { RFL_CELL_OTHER, 1 } },
      1 },

    { "ambiguous click: a cell, no sums by class", RFL_OUTCOME_AMBIGUOUS,
      RFL_EVIDENCE_NONE, RFL_CLASS_CLICK, 200, 10, 0, 0,
      { { RFL_ZONE_CLICKS + RFL_OUTCOME_AMBIGUOUS, 1 } },
      { { RFL_CELL_CLICKS, 1 }, { RFL_CELL_BYTES, 10 } },
      1 },

    { "ambiguous error", RFL_OUTCOME_AMBIGUOUS, RFL_EVIDENCE_NONE,
      RFL_CLASS_ERROR, 404, 0, 0, 0, { { 0 } },
      { { RFL_CELL_ERRORS_4XX, 1 } },
      1 }
};


static int
setup(void **state)
{
    fixture_t  *f;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void) snprintf(f->path, sizeof(f->path), "%s/counters", f->dir);

    assert_int_equal(rfl_counters_open(&f->counters, f->path,
                                       (const u_char *) "0123456789abcde", 1,
                                       100000, RFL_COUNTERS_CREATE, 1, NULL),
                     RFL_OK);
    f->zone = &f->counters->stripes[5];

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    char        command[96];
    fixture_t  *f = *state;

    rfl_counters_close(f->counters);

    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);

    free(f);

    return 0;
}


static rfl_record_t
record_of(const row_t *row)
{
    rfl_record_t  record;

    memset(&record, 0, sizeof(rfl_record_t));

    record.attribution.outcome = row->outcome;
    record.attribution.evidence = row->evidence;
    record.attribution.id = ID;
    record.attribution.other_landing = row->other_landing;
    record.attribution.lookup_failed = row->lookup_failed;
    record.class = row->class;
    record.status = row->status;
    record.bytes = row->bytes;
    record.now = NOW;

    return record;
}


static void
apply(uint64_t *n, const delta_t *deltas, size_t count)
{
    size_t  i;

    for (i = 0; i < count && deltas[i].n != 0; i++) {
        n[deltas[i].field] += deltas[i].n;
    }
}


static void
each_record_changes_exactly_its_numbers(void **state)
{
    size_t         i;
    fixture_t     *f = *state;
    rfl_cell_t     cell;
    rfl_zone_t     zone;
    const row_t   *row;
    rfl_record_t   record;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        row = &rows[i];

        zone = *f->zone;
        zone.n[RFL_ZONE_OUTCOMES + row->outcome]++;
        apply(zone.n, row->zone, 8);

        cell = f->counters->cells[ID];
        apply(cell.n, row->cell, 6);

        if (row->dirty) {
            cell.n[RFL_CELL_FIRST_SEEN] = NOW;
            cell.n[RFL_CELL_LAST_SEEN] = NOW;
        }

        record = record_of(row);
        rfl_record(f->zone, f->counters, &record);

        if (memcmp(&zone, f->zone, sizeof(zone)) != 0
            || memcmp(&cell, &f->counters->cells[ID], sizeof(cell)) != 0
            || rfl_counters_take_dirty(f->counters, ID / 64)
               != (uint64_t) row->dirty << ID % 64)
        {
            fail_msg("%s", row->name);
        }
    }
}


static void
the_zones_classes_sum_to_the_matched_requests(void **state)
{
    size_t         i;
    uint64_t       sum, matched;
    fixture_t     *f = *state;
    rfl_cell_t     classes;
    rfl_record_t   record;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        record = record_of(&rows[i]);
        rfl_record(f->zone, f->counters, &record);
    }

    /* also one that no class fits */
    record.attribution.outcome = RFL_OUTCOME_MATCHED;
    record.attribution.evidence = RFL_EVIDENCE_HOST;
    record.class = RFL_CLASS_NONE;
    rfl_record(f->zone, f->counters, &record);

    for (i = 0, sum = 0; i < RFL_OUTCOMES; i++) {
        sum += f->zone->n[RFL_ZONE_OUTCOMES + i];
    }

    assert_int_equal(sum, sizeof(rows) / sizeof(rows[0]) + 1);

    memcpy(classes.n, &f->zone->n[RFL_ZONE_CLASSES], sizeof(classes.n));
    matched = f->zone->n[RFL_ZONE_OUTCOMES + RFL_OUTCOME_MATCHED];

    assert_int_equal(rfl_cell_requests(&classes), matched);
    assert_int_equal(rfl_cell_requests(&f->counters->cells[ID]),
                     matched + f->zone->n[RFL_ZONE_OUTCOMES
                                          + RFL_OUTCOME_AMBIGUOUS]);
}


static void
first_seen_stays_and_last_seen_only_advances(void **state)
{
    size_t                 i;
    fixture_t             *f = *state;
    rfl_cell_t            *cell;
    rfl_record_t           record;
    static const uint64_t  times[][3] = {
        /* now, first, last */
        { 1000, 1000, 1000 },
        { 1002, 1000, 1002 },
        { 1001, 1000, 1002 },
        {  900, 1000, 1002 },
        { 1003, 1000, 1003 }
    };

    record = record_of(&rows[9]);
    cell = &f->counters->cells[ID];

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        record.now = times[i][0];
        rfl_record(f->zone, f->counters, &record);

        assert_int_equal(cell->n[RFL_CELL_FIRST_SEEN], times[i][1]);
        assert_int_equal(cell->n[RFL_CELL_LAST_SEEN], times[i][2]);
    }
}


static void
an_id_without_a_cell_is_overflow(void **state)
{
    rfl_zone_t     zone;
    fixture_t     *f = *state;
    rfl_record_t   record;

    memset(&zone, 0, sizeof(rfl_zone_t));
    record = record_of(&rows[9]);

    record.attribution.id = rfl_counters_capacity(f->counters) - 1;
    rfl_record(&zone, f->counters, &record);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], 0);

    record.attribution.id++;
    rfl_record(&zone, f->counters, &record);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], 1);

    record.attribution.id = UINT32_MAX;
    rfl_record(&zone, f->counters, &record);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], 2);

    record.attribution.id = ID;
    rfl_record(&zone, NULL, &record);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], 3);

    record.attribution.outcome = RFL_OUTCOME_AMBIGUOUS;
    rfl_record(&zone, NULL, &record);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], 4);

    /* it lacks a cell, not its place in the sums */

    assert_int_equal(zone.n[RFL_ZONE_OUTCOMES + RFL_OUTCOME_MATCHED], 4);
    assert_int_equal(zone.n[ZONE_CLASS(RFL_CELL_CLICKS)], 4);

    record.attribution.outcome = RFL_OUTCOME_DIRECT;
    rfl_record(&zone, NULL, &record);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], 4);
}


/* Whatever came of the request: a match, another link's, or none. */

static void
a_pattern_that_gave_up_is_counted(void **state)
{
    size_t         i, n;
    fixture_t     *f = *state;
    rfl_record_t   record;

    n = sizeof(rows) / sizeof(rows[0]);

    for (i = 0; i < n; i++) {
        record = record_of(&rows[i]);
        rfl_record(f->zone, f->counters, &record);
    }

    assert_int_equal(f->zone->n[RFL_ZONE_REGEX_LIMITS], 0);

    for (i = 0; i < n; i++) {
        record = record_of(&rows[i]);
        record.attribution.regex_limit = 1;
        rfl_record(f->zone, f->counters, &record);
    }

    assert_int_equal(f->zone->n[RFL_ZONE_REGEX_LIMITS], n);
    assert_int_equal(f->zone->n[RFL_ZONE_OVERFLOW], 0);
}


static void
an_internal_request_without_a_referer_is_counted_apart(void **state)
{
    fixture_t     *f = *state;
    rfl_record_t   record;

    record = record_of(&rows[3]);
    assert_int_equal(record.attribution.outcome, RFL_OUTCOME_INTERNAL);

    rfl_record(f->zone, f->counters, &record);
    assert_int_equal(f->zone->n[RFL_ZONE_INTERNAL_BARE], 0);

    record.bare = 1;
    rfl_record(f->zone, f->counters, &record);
    assert_int_equal(f->zone->n[RFL_ZONE_INTERNAL_BARE], 1);

    record = record_of(&rows[0]);
    record.bare = 1;
    rfl_record(f->zone, f->counters, &record);
    assert_int_equal(f->zone->n[RFL_ZONE_INTERNAL_BARE], 1);
}


static void
clicks_through_a_shared_cache_are_counted_whatever_the_outcome(void **state)
{
    size_t         i;
    uint64_t       clicks;
    fixture_t     *f = *state;
    rfl_record_t   record;

    for (i = 0, clicks = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        record = record_of(&rows[i]);
        record.edge = 1;
        rfl_record(f->zone, f->counters, &record);
    }

    for (i = 0; i < RFL_OUTCOMES; i++) {
        clicks += f->zone->n[RFL_ZONE_CLICKS + i];
    }

    assert_true(clicks > 10);
    assert_int_equal(f->zone->n[RFL_ZONE_EDGE_CLICKS], clicks);
}


static unsigned
noted(fixture_t *f, const char *surt)
{
    size_t                i;
    unsigned              n;
    rfl_counters_host_t  *h;

    for (i = 0, n = 0; i < RFL_COUNTERS_HOSTS; i++) {
        h = &f->counters->hosts[i];

        if (h->state == 2
            && (surt == NULL
                || rfl_str_eq(rfl_str(h->name, h->len), rfl_cstr(surt))))
        {
            n++;
        }
    }

    return n;
}


static void
click_at(fixture_t *f, const char *host)
{
    rfl_record_t  record;

    record = record_of(&rows[0]);
    record.host = rfl_cstr(host);

    rfl_record(f->zone, f->counters, &record);
}


static void
the_host_of_a_click_is_noted_as_targets_are_compared(void **state)
{
    size_t              i;
    fixture_t          *f = *state;
    static const char  *const  hosts[][2] = {
        { "shop.example", "example,shop" },
        { "WWW.Shop.Example.:8080", "example,shop" },
        { "192.0.2.1:80", "192.0.2.1" },
        { "[2001:DB8:0::1]:443", "[2001:db8::1]" }
    };

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        click_at(f, hosts[i][0]);

        if (noted(f, hosts[i][1]) != 1) {
            fail_msg("%s is not noted as %s", hosts[i][0], hosts[i][1]);
        }
    }

    assert_int_equal(noted(f, NULL), 3);
}


static void
what_is_no_host_is_not_noted(void **state)
{
    size_t         i;
    char           longest[RFL_HOST_MAX + 1];
    fixture_t     *f = *state;
    rfl_record_t   record;

    static const char  *const  texts[] = {
        "", "a b", "..", "[::", "x/y", "a.example:port"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        click_at(f, texts[i]);
    }

    /* nor one that is too long for a look at each click */

    memset(longest, 'a', sizeof(longest));
    longest[63] = longest[127] = longest[191] = '.';
    longest[RFL_HOST_MAX] = '\0';
    click_at(f, longest);

    /* nor that of a request which is no click, nor without a file */

    record = record_of(&rows[1]);
    record.host = rfl_cstr("no-click.example");
    rfl_record(f->zone, f->counters, &record);

    record = record_of(&rows[0]);
    record.host = rfl_cstr("no-file.example");
    rfl_record(f->zone, NULL, &record);

    assert_int_equal(noted(f, NULL), 0);
}


static void
each_other_host_is_noted_and_one_click_in_sixteen(void **state)
{
    unsigned    i;
    fixture_t  *f = *state;

    click_at(f, "a.other.example");
    click_at(f, "b.other.example");
    assert_int_equal(noted(f, NULL), 2);

    /* while the host stays, one in sixteen by the number of clicks */

    rfl_counters_forget_hosts(f->counters);

    for (i = 2; i < RFL_COUNTERS_SAMPLE; i++) {
        click_at(f, "b.other.example");
        assert_int_equal(noted(f, NULL), 0);
    }

    click_at(f, "b.other.example");
    assert_int_equal(noted(f, "example,other,b"), 1);

    /* a rare host is not missed */

    rfl_counters_forget_hosts(f->counters);
    click_at(f, "b.other.example");
    click_at(f, "a.other.example");
    assert_int_equal(noted(f, "example,other,a"), 1);
}


typedef struct {
    const char  *host;                   /* of the Referer */
    int          is_app;
    const char  *path;
    const char  *source;                 /* wanted */
} event_row_t;


static const event_row_t  event_rows[] = {
    { "blog.example", 0, "/pricing", "blog.example" },
    { "Blog.Example", 0, "/", "blog.example" },
    { "[2001:DB8::1]", 0, "/a/b", "[2001:db8::1]" },
    { "Com.Example.App", 1, "/", "android-app:com.example.app" },
    { "", 0, "/tagged", "" },
    { "", 0, "", "" }
};


static rfl_record_t
record_with_event(const event_row_t *row)
{
    rfl_record_t  record;

    record = record_of(&rows[9]);

    record.attribution.source = rfl_cstr(row->host);
    record.attribution.path = rfl_cstr(row->path);
    record.attribution.is_app = (uint8_t) row->is_app;
    record.now_ms = NOW * 1000 + 123;

    return record;
}


static void
the_event_says_who_led_where(void **state)
{
    size_t              i;
    fixture_t          *f = *state;
    rfl_event_t         event;
    rfl_record_t        record;
    const event_row_t  *row;
    rfl_ring_reader_t   reader;

    assert_int_equal(rfl_ring_open(f->counters, 0, NULL), RFL_OK);
    rfl_ring_start(&reader, f->counters);

    for (i = 0; i < sizeof(event_rows) / sizeof(event_rows[0]); i++) {
        row = &event_rows[i];

        record = record_with_event(row);
        rfl_record(f->zone, f->counters, &record);

        assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event),
                         RFL_OK);

        if (!rfl_str_eq(rfl_event_source(&event), rfl_cstr(row->source))
            || !rfl_str_eq(rfl_event_landing(&event), rfl_cstr(row->path)))
        {
            fail_msg("%s, %s", row->host, row->path);
        }

        assert_int_equal(event.time_ms, NOW * 1000 + 123);
        assert_int_equal(event.outcome, record.attribution.outcome);
        assert_int_equal(event.evidence, record.attribution.evidence);
        assert_int_equal(event.class, record.class);
        assert_int_equal(event.status, record.status);
        assert_int_equal(event.id, ID);
        assert_int_equal(event.flags, 0);
    }
}


static void
what_does_not_fit_into_an_event_is_cut(void **state)
{
    char                long_text[2048];
    fixture_t          *f = *state;
    rfl_event_t         event;
    rfl_record_t        record;
    rfl_ring_reader_t   reader;

    assert_int_equal(rfl_ring_open(f->counters, 0, NULL), RFL_OK);
    rfl_ring_start(&reader, f->counters);

    (void) snprintf(long_text, sizeof(long_text), "%063d.%063d.x", 1, 2);

    record = record_with_event(&event_rows[0]);
    record.attribution.source = rfl_cstr(long_text);
    rfl_record(f->zone, f->counters, &record);

    assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event), RFL_OK);
    assert_int_equal(event.flags, RFL_EVENT_SOURCE_CUT);
    assert_int_equal(event.source_len, RFL_RING_TEXT / 2);
    assert_true(rfl_str_eq(rfl_event_landing(&event), rfl_cstr("/pricing")));

    memset(long_text, 'x', sizeof(long_text));
    long_text[0] = '/';

    record = record_with_event(&event_rows[0]);
    record.attribution.path = rfl_str(long_text, sizeof(long_text));
    rfl_record(f->zone, f->counters, &record);

    assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event), RFL_OK);
    assert_int_equal(event.flags, RFL_EVENT_LANDING_CUT);
    assert_int_equal(event.source_len + event.landing_len, RFL_RING_TEXT);
}


/* Internal requests, skipped ones and those of no URL leave none. */

static void
each_request_that_has_a_class_leaves_one_event(void **state)
{
    size_t              i;
    fixture_t          *f = *state;
    rfl_event_t         event;
    rfl_record_t        record;
    rfl_ring_reader_t   reader;

    assert_int_equal(rfl_ring_open(f->counters, 2, NULL), RFL_OK);
    rfl_ring_start(&reader, f->counters);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        record = record_of(&rows[i]);
        record.ring = 2 + RFL_RINGS;
        rfl_record(f->zone, f->counters, &record);

        if (!rfl_outcome_has_class(rows[i].outcome)) {
            continue;
        }

        assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event),
                         RFL_OK);
        assert_int_equal(event.outcome, rows[i].outcome);
        assert_int_equal(event.id, rfl_outcome_is_match(rows[i].outcome)
                                   ? ID : 0);
        assert_int_equal(event.flags,
                         rows[i].outcome == RFL_OUTCOME_AMBIGUOUS
                         ? RFL_EVENT_GROUP : 0);
    }

    assert_int_equal(rfl_ring_next(&reader, f->counters, 1, &event),
                     RFL_NOT_FOUND);
    assert_int_equal(reader.missed, 0);
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(each_record_changes_exactly_its_numbers),
        test(the_zones_classes_sum_to_the_matched_requests),
        test(first_seen_stays_and_last_seen_only_advances),
        test(an_id_without_a_cell_is_overflow),
        test(a_pattern_that_gave_up_is_counted),
        test(an_internal_request_without_a_referer_is_counted_apart),
        test(clicks_through_a_shared_cache_are_counted_whatever_the_outcome),
        test(the_host_of_a_click_is_noted_as_targets_are_compared),
        test(what_is_no_host_is_not_noted),
        test(each_other_host_is_noted_and_one_click_in_sixteen),
        test(the_event_says_who_led_where),
        test(what_does_not_fit_into_an_event_is_cut),
        test(each_request_that_has_a_class_leaves_one_event)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
