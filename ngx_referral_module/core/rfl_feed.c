/*
 * See rfl_feed.h.
 *
 * A counter file may be replaced while others count in the old one for another
 * moment: both are read, the older first, each from its own place, as long as
 * the runtime has them mapped.
 */

#include "rfl_feed.h"
#include "rfl_class.h"

#include <stdlib.h>


/* The file that counts, the volatile one, those that were lost. */

#define RFL_FEED_FILES   (RFL_RUNTIME_LOST + 2)

/* Places of files that have gone are kept a while: a file may come back. */

#define RFL_FEED_PLACES  (2 * RFL_FEED_FILES)


typedef struct {
    uint64_t               file_id;      /* 0: free */
    uint64_t               used;         /* the step it was used in last */
    rfl_ring_reader_t      reader;
} rfl_feed_place_t;


struct rfl_feed_s {
    rfl_runtime_t         *rt;
    uint64_t               started;      /* seconds */
    uint64_t               steps;
    uint64_t               summary_ms;   /* when the next is due */
    uint64_t               missed;       /* at places that were given up */
    uint64_t               told;         /* of those missed */
    uint64_t               change;       /* of a state, told last */
    unsigned               has_change:1; /* that is known */
    unsigned               look:1;       /* there may be more */
    rfl_feed_place_t       places[RFL_FEED_PLACES];
};


/* One step. */

typedef struct {
    rfl_feed_t            *feed;
    rfl_buf_t             *b;
    uint64_t               now;
    uint64_t               now_ms;
    unsigned               records;      /* that it may still look at */
    size_t                 bytes;        /* to which b may grow */
    rfl_registry_t        *registry;     /* a transaction has begun; or NULL */
    unsigned               looked_up:1;  /* it has tried to begin */
} rfl_feed_turn_t;


static rfl_str_t rfl_feed_segment(rfl_str_t *path);
static rfl_rc_t rfl_feed_find_runtime(rfl_feed_t *feed,
    const rfl_view_request_t *request, rfl_str_t name,
    rfl_view_error_t *error);
static size_t rfl_feed_files(rfl_feed_t *feed,
    const rfl_counters_t *files[RFL_FEED_FILES]);
static rfl_feed_place_t *rfl_feed_place(rfl_feed_t *feed,
    const rfl_counters_t *file);
static rfl_feed_place_t *rfl_feed_new_place(rfl_feed_t *feed);
static rfl_rc_t rfl_feed_records(rfl_feed_turn_t *turn);
static rfl_rc_t rfl_feed_file(rfl_feed_turn_t *turn,
    const rfl_counters_t *file, rfl_feed_place_t *place);
static void rfl_feed_missed(rfl_feed_turn_t *turn);
static void rfl_feed_match(rfl_feed_turn_t *turn, const rfl_event_t *event);
static void rfl_feed_names(rfl_feed_turn_t *turn, const rfl_event_t *event);
static void rfl_feed_key(rfl_buf_t *b, const char *name, const uint64_t *key);
static void rfl_feed_time(rfl_buf_t *b, uint64_t time_ms);
static rfl_rc_t rfl_feed_states(rfl_feed_turn_t *turn);
static rfl_rc_t rfl_feed_changes(rfl_feed_turn_t *turn, rfl_ledger_t *ledger);
static void rfl_feed_change(rfl_feed_turn_t *turn,
    const rfl_states_change_t *change);
static void rfl_feed_begin(rfl_feed_turn_t *turn);
static void rfl_feed_summary(rfl_feed_turn_t *turn);
static rfl_rc_t rfl_feed_zone(rfl_runtime_t *rt, rfl_zone_t *zone);


int
rfl_feed_is_asked(const rfl_view_request_t *request)
{
    rfl_str_t  path;

    path = request->path;

    if (request->all) {
        (void) rfl_feed_segment(&path);
    }

    return rfl_str_eq(rfl_feed_segment(&path), rfl_cstr("events"))
           && rfl_feed_segment(&path).len == 0;
}


/* The same paths as of rfl_query.h: any number of slashes is one. */

static rfl_str_t
rfl_feed_segment(rfl_str_t *path)
{
    rfl_str_t  segment;

    while (path->len != 0 && path->data[0] == '/') {
        path->data++;
        path->len--;
    }

    segment = rfl_str(path->data, 0);

    while (path->len != 0 && path->data[0] != '/') {
        segment.len++;
        path->data++;
        path->len--;
    }

    return segment;
}


rfl_rc_t
rfl_feed_open(rfl_feed_t **fp, const rfl_view_request_t *request,
    uint64_t now, uint64_t now_ms, rfl_view_error_t *error)
{
    size_t                 i, n;
    rfl_rc_t               rc;
    rfl_feed_t            *feed;
    rfl_query_t            query;
    const rfl_counters_t  *files[RFL_FEED_FILES];

    *fp = NULL;

    rc = rfl_query_parse(&query, request->path, request->args, request->all,
                         now, error);
    if (rc != RFL_OK) {
        return rc;
    }

    feed = calloc(1, sizeof(rfl_feed_t));
    if (feed == NULL) {
        return rfl_query_refuse(error, 500, "NoMemory", "out of memory");
    }

    rc = rfl_feed_find_runtime(feed, request, query.registry, error);

    if (rc != RFL_OK) {
        rfl_feed_close(feed);
        return rc;
    }

    /* what is in these files is older; files that come later it reads whole */

    n = rfl_feed_files(feed, files);

    for (i = 0; i < n; i++) {
        feed->places[i].file_id = files[i]->header->file_id;
        rfl_ring_start(&feed->places[i].reader, files[i]);
    }

    feed->started = now;
    feed->summary_ms = now_ms;
    feed->look = 1;

    *fp = feed;

    return RFL_OK;
}


static rfl_rc_t
rfl_feed_find_runtime(rfl_feed_t *feed, const rfl_view_request_t *request,
    rfl_str_t name, rfl_view_error_t *error)
{
    size_t  i;

    for (i = 0; i < request->n; i++) {
        if (!request->all
            || rfl_str_eq(name, rfl_cstr(request->runtimes[i]->conf->name)))
        {
            feed->rt = request->runtimes[i];
            return RFL_OK;
        }
    }

    return rfl_query_refuse(error, 404, "RegistryUnknown",
                            "there is no registry of this name");
}


void
rfl_feed_close(rfl_feed_t *feed)
{
    free(feed);
}


/* The youngest first; it looks for a new file where others have one. */

static size_t
rfl_feed_files(rfl_feed_t *feed, const rfl_counters_t *files[RFL_FEED_FILES])
{
    size_t                 n;
    const rfl_counters_t  *file;

    file = rfl_runtime_totals(feed->rt).counters;

    for (n = 0; file != NULL && n < RFL_FEED_FILES; file = file->lost) {
        files[n++] = file;
    }

    return n;
}


rfl_rc_t
rfl_feed_step(rfl_feed_t *feed, uint64_t now, uint64_t now_ms, rfl_buf_t *b)
{
    rfl_rc_t         rc;
    rfl_feed_turn_t  turn;

    memset(&turn, 0, sizeof(rfl_feed_turn_t));

    turn.feed = feed;
    turn.b = b;
    turn.now = now;
    turn.now_ms = now_ms;
    turn.records = RFL_FEED_STEP_RECORDS;
    turn.bytes = b->len + RFL_FEED_STEP_BYTES;

    if (feed->steps++ == 0) {
        rfl_buf_fmt(b, "retry: %d\n\n", RFL_FEED_RETRY_MS);
    }

    if (now_ms >= feed->summary_ms) {
        rfl_feed_summary(&turn);
        feed->look = 1;
        feed->summary_ms += RFL_FEED_SUMMARY_MS;

        if (feed->summary_ms <= now_ms) {
            feed->summary_ms = now_ms + RFL_FEED_SUMMARY_MS;
        }
    }

    rc = rfl_feed_states(&turn);

    if (rc == RFL_OK) {
        rc = rfl_feed_records(&turn);
    }

    if (turn.registry != NULL) {
        rfl_registry_end(turn.registry);
    }

    return b->failed ? RFL_NO_MEMORY : rc;
}


static rfl_rc_t
rfl_feed_records(rfl_feed_turn_t *turn)
{
    size_t                 n;
    rfl_rc_t               rc;
    const rfl_counters_t  *files[RFL_FEED_FILES];

    n = rfl_feed_files(turn->feed, files);

    while (n-- > 0) {
        rc = rfl_feed_file(turn, files[n],
                           rfl_feed_place(turn->feed, files[n]));
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


/*
 * A file that is younger than the feed has nothing the feed should not tell;
 * of an older one, which took a place again, what it had before is history.
 */

static rfl_feed_place_t *
rfl_feed_place(rfl_feed_t *feed, const rfl_counters_t *file)
{
    size_t             i;
    rfl_feed_place_t  *place;

    for (i = 0; i < RFL_FEED_PLACES; i++) {
        place = &feed->places[i];

        if (place->file_id == file->header->file_id) {
            place->used = feed->steps;
            return place;
        }
    }

    place = rfl_feed_new_place(feed);

    feed->missed += place->reader.missed;

    place->file_id = file->header->file_id;
    place->used = feed->steps;

    if (file->header->created >= feed->started) {
        rfl_ring_rewind(&place->reader);

    } else {
        rfl_ring_start(&place->reader, file);
    }

    return place;
}


/* A free one is one that was not used for the longest time, too. */

static rfl_feed_place_t *
rfl_feed_new_place(rfl_feed_t *feed)
{
    size_t             i;
    rfl_feed_place_t  *place;

    place = &feed->places[0];

    for (i = 1; i < RFL_FEED_PLACES; i++) {
        if (feed->places[i].used < place->used) {
            place = &feed->places[i];
        }
    }

    return place;
}


static rfl_rc_t
rfl_feed_file(rfl_feed_turn_t *turn, const rfl_counters_t *file,
    rfl_feed_place_t *place)
{
    rfl_rc_t     rc;
    rfl_event_t  event;

    for ( ;; ) {

        if (turn->records == 0 || turn->b->len >= turn->bytes) {
            return RFL_BUSY;
        }

        rc = rfl_ring_next(&place->reader, file, turn->now_ms, &event);

        rfl_feed_missed(turn);

        if (rc != RFL_OK) {
            return RFL_OK;
        }

        turn->records--;

        if (rfl_outcome_is_match(event.outcome)) {
            rfl_feed_match(turn, &event);
        }
    }
}


/* Where the gap is: before the record that was found behind it. */

static void
rfl_feed_missed(rfl_feed_turn_t *turn)
{
    size_t       i;
    uint64_t     missed;
    rfl_feed_t  *feed;

    feed = turn->feed;
    missed = feed->missed;

    for (i = 0; i < RFL_FEED_PLACES; i++) {
        missed += feed->places[i].reader.missed;
    }

    if (missed == feed->told) {
        return;
    }

    rfl_buf_text(turn->b, "event: missed\ndata: {");
    rfl_json_name(turn->b, "missed");
    rfl_buf_u64(turn->b, missed - feed->told);
    rfl_buf_text(turn->b, "}\n\n");

    feed->told = missed;
}


static void
rfl_feed_match(rfl_feed_turn_t *turn, const rfl_event_t *event)
{
    rfl_buf_t  *b;

    b = turn->b;

    rfl_buf_text(b, "event: match\ndata: {");
    rfl_json_name(b, "time");
    rfl_feed_time(b, event->time_ms);
    rfl_json_name(b, "outcome");
    rfl_json_string(b, rfl_outcome_names[event->outcome]);

    rfl_feed_names(turn, event);

    rfl_json_name(b, "class");
    rfl_json_string(b, rfl_class_names[event->class < RFL_CLASSES
                                       ? event->class : RFL_CLASS_NONE]);
    rfl_json_name(b, "evidence");

    if (event->evidence < RFL_EVIDENCES) {
        rfl_json_string(b, rfl_evidence_names[event->evidence]);

    } else {
        rfl_buf_text(b, "null");
    }

    rfl_json_name(b, "source");
    rfl_json_string(b, rfl_event_source(event));

    if (event->flags & RFL_EVENT_SOURCE_CUT) {
        rfl_json_name(b, "source_cut");
        rfl_buf_text(b, "true");
    }

    rfl_json_name(b, "landing");
    rfl_json_string(b, rfl_event_landing(event));

    if (event->flags & RFL_EVENT_LANDING_CUT) {
        rfl_json_name(b, "landing_cut");
        rfl_buf_text(b, "true");
    }

    rfl_json_name(b, "status");
    rfl_buf_u64(b, event->status);
    rfl_buf_text(b, "}\n\n");
}


/* A link that is registered no more has no name; nor has a group. */

static void
rfl_feed_names(rfl_feed_turn_t *turn, const rfl_event_t *event)
{
    int              is_group, found;
    rfl_link_t       link;
    rfl_group_t      group;
    rfl_registry_t  *registry;

    rfl_feed_begin(turn);

    registry = turn->registry;
    is_group = (event->flags & RFL_EVENT_GROUP) != 0;

    found = registry != NULL
            && (is_group
                ? rfl_registry_group(registry, event->id, &group)
                : rfl_registry_link(registry, event->id, &link)) == RFL_OK;

    rfl_feed_key(turn->b, "link", found && !is_group ? &link.key : NULL);
    rfl_feed_key(turn->b, "group", found && is_group ? &group.key : NULL);

    rfl_json_name(turn->b, "name");
    rfl_json_string(turn->b, found && !is_group ? link.name : rfl_str("", 0));
}


static void
rfl_feed_begin(rfl_feed_turn_t *turn)
{
    rfl_registry_t  *registry;

    if (turn->looked_up) {
        return;
    }

    turn->looked_up = 1;
    registry = turn->feed->rt->registry;

    if (registry != NULL && rfl_registry_begin(registry, 0, NULL) == RFL_OK) {
        turn->registry = registry;
    }
}


/* Without a ledger that can be read there is nothing to tell. */

static rfl_rc_t
rfl_feed_states(rfl_feed_turn_t *turn)
{
    rfl_rc_t       rc;
    rfl_ledger_t  *ledger;

    ledger = turn->feed->rt->ledger;

    if (!turn->feed->look || ledger == NULL
        || rfl_ledger_begin(ledger, NULL) != RFL_OK)
    {
        return RFL_OK;
    }

    rc = rfl_feed_changes(turn, ledger);

    rfl_ledger_end(ledger);

    turn->feed->look = (rc == RFL_BUSY);

    return rc;
}


static rfl_rc_t
rfl_feed_changes(rfl_feed_turn_t *turn, rfl_ledger_t *ledger)
{
    rfl_rc_t              rc;
    rfl_feed_t           *feed;
    rfl_states_t          sums;
    rfl_states_change_t   change;

    feed = turn->feed;

    rc = rfl_states_sums(ledger, &sums);

    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        return RFL_OK;
    }

    /* it begins with what is found from now on; so it does in another ledger */

    if (!feed->has_change || sums.changes < feed->change) {
        feed->has_change = 1;
        feed->change = sums.changes;
    }

    while (feed->change < sums.changes) {

        if (turn->records == 0 || turn->b->len >= turn->bytes) {
            return RFL_BUSY;
        }

        if (rfl_states_next_change(ledger, feed->change, &change) != RFL_OK) {
            feed->change = sums.changes;
            return RFL_OK;
        }

        turn->records--;

        if (change.number != feed->change + 1) {
            rfl_buf_text(turn->b, "event: missed\ndata: {");
            rfl_json_name(turn->b, "missed");
            rfl_buf_u64(turn->b, 0);
            rfl_json_name(turn->b, "states");
            rfl_buf_u64(turn->b, change.number - feed->change - 1);
            rfl_buf_text(turn->b, "}\n\n");
        }

        feed->change = change.number;

        rfl_feed_change(turn, &change);
    }

    return RFL_OK;
}


static void
rfl_feed_change(rfl_feed_turn_t *turn, const rfl_states_change_t *change)
{
    int          found;
    rfl_buf_t   *b;
    rfl_link_t   link;

    b = turn->b;

    rfl_feed_begin(turn);

    found = turn->registry != NULL
            && rfl_registry_link(turn->registry, change->id, &link) == RFL_OK;

    rfl_buf_text(b, "event: state\ndata: {");
    rfl_json_name(b, "time");
    rfl_feed_time(b, change->time * 1000);
    rfl_feed_key(b, "link", found ? &link.key : NULL);
    rfl_json_name(b, "name");
    rfl_json_string(b, found ? link.name : rfl_str("", 0));
    rfl_json_name(b, "from");
    rfl_json_string(b, rfl_state_names[change->from]);
    rfl_json_name(b, "to");
    rfl_json_string(b, rfl_state_names[change->to]);
    rfl_buf_text(b, "}\n\n");
}


static void
rfl_feed_key(rfl_buf_t *b, const char *name, const uint64_t *key)
{
    u_char  text[RFL_KEY_LEN];

    rfl_json_name(b, name);

    if (key == NULL) {
        rfl_buf_text(b, "null");
        return;
    }

    rfl_key_text(*key, text);
    rfl_json_string(b, rfl_str(text, RFL_KEY_LEN));
}


/* RFC 3339 with milliseconds. */

static void
rfl_feed_time(rfl_buf_t *b, uint64_t time_ms)
{
    rfl_buf_char(b, '"');
    rfl_buf_time(b, time_ms / 1000);

    if (!b->failed) {
        b->len--;
    }

    rfl_buf_fmt(b, ".%03uZ\"", (unsigned) (time_ms % 1000));
}


/* Where the sums cannot be read, a comment keeps the connection alive. */

static void
rfl_feed_summary(rfl_feed_turn_t *turn)
{
    rfl_buf_t   *b;
    rfl_zone_t   zone;

    b = turn->b;

    if (rfl_feed_zone(turn->feed->rt, &zone) != RFL_OK) {
        rfl_buf_text(b, ": the sums cannot be read\n\n");
        return;
    }

    rfl_buf_text(b, "event: summary\ndata: {");
    rfl_report_zone(b, &zone);
    rfl_json_name(b, "now");
    rfl_buf_char(b, '"');
    rfl_buf_time(b, turn->now);
    rfl_buf_text(b, "\"}\n\n");
}


static rfl_rc_t
rfl_feed_zone(rfl_runtime_t *rt, rfl_zone_t *zone)
{
    rfl_rc_t      rc;
    rfl_totals_t  totals;

    if (rt->ledger != NULL) {
        rc = rfl_ledger_begin(rt->ledger, NULL);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    totals = rfl_runtime_totals(rt);

    rc = rfl_totals_zone(&totals, zone);

    if (rt->ledger != NULL) {
        rfl_ledger_end(rt->ledger);
    }

    /* what this process has counted before there was a counter file */

    if (rc == RFL_OK) {
        rfl_zone_merge(zone, &rt->pending);
    }

    return rc;
}
