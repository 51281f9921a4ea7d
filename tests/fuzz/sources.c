/*
 * The table of sources that strangers fill, against one that forgets nothing:
 * no row has clicks of another, what is told of its earlier ones bounds them,
 * and so does the floor of what is in no row; all that still after it was
 * stored and loaded, with its filter or without.  Records that somebody has
 * written are damaged, or read and written again as they were; and so is a
 * chunk of the filter.
 *
 * Input: a byte; an odd one, then a record; else one for the room, and visits
 * of three bytes each: who, where, how often.
 */

#include "fuzz.h"
#include "fuzz_sources.h"

#include <stdio.h>


#define OWNERS    48
#define LANDINGS  6
#define NAMES     (OWNERS * LANDINGS)
#define ROWS_MAX  48
#define NOW       UINT64_C(1795132800)


static void check_record(rfl_str_t record);
static void check_chunk(rfl_str_t chunk);
static void check_table(fuzz_input_t *in);
static void visit(unsigned name, unsigned often, unsigned how);
static int make(unsigned name, unsigned how, rfl_sources_entry_t *source);
static void check_rows(void);
static void store_and_load(int in_order);
static void put_filter(rfl_buf_t *b, size_t *lengths);
static void load_filter(const rfl_buf_t *b, const size_t *lengths);
static void use_table(uint32_t rows);


static rfl_sources_t  *tables[ROWS_MAX + 1], *table;
static uint64_t        exact[NAMES];
static uint64_t        now;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t  in;

    in = fuzz_input(data, size);

    if (fuzz_byte(&in) & 1) {
        check_record(fuzz_rest(&in));
        check_chunk(fuzz_rest(&in));

    } else {
        check_table(&in);
    }

    fuzz_free();

    return 0;
}


static void
check_record(rfl_str_t record)
{
    size_t               len;
    u_char               again[RFL_SOURCE_RECORD_MAX];
    rfl_rc_t             rc;
    rfl_event_t          event;
    rfl_sources_entry_t  source, twice;

    /* a ring's slot: who reads it has looked at its lengths */

    if (record.len == sizeof(rfl_event_t)) {
        memcpy(&event, record.data, sizeof(rfl_event_t));

        if (event.source_len + event.landing_len <= RFL_RING_TEXT
            && rfl_source_of_event(&event, &source))
        {
            fuzz_check(source.host_len + source.landing_len
                       <= RFL_SOURCES_TEXT);
            fuzz_check(rfl_source_clicks(&source) == 1);
        }
    }

    rc = rfl_source_decode(record, &source);
    fuzz_check(rc == RFL_OK || rc == RFL_DAMAGED || rc == RFL_BAD_VERSION);

    if (rc != RFL_OK) {
        return;
    }

    fuzz_check(source.host_len + source.landing_len <= RFL_SOURCES_TEXT);

    len = rfl_source_encode(&source, again);

    fuzz_check(len <= RFL_SOURCE_RECORD_MAX);
    fuzz_check(rfl_source_decode(rfl_str(again, len), &twice) == RFL_OK);
    fuzz_check(memcmp(&source, &twice, offsetof(rfl_sources_entry_t, text))
               == 0);
    fuzz_check(rfl_str_eq(rfl_source_host(&source), rfl_source_host(&twice)));
    fuzz_check(rfl_str_eq(rfl_source_landing(&source),
                          rfl_source_landing(&twice)));
}


static void
use_table(uint32_t rows)
{
    if (tables[rows] == NULL) {
        tables[rows] = rfl_sources_create(rows);
        fuzz_check(tables[rows] != NULL);
    }

    table = tables[rows];
    rfl_sources_clear(table);
}


/* What is read is written so that it reads the same. */

static void
check_chunk(rfl_str_t chunk)
{
    rfl_rc_t   rc;
    rfl_buf_t  once = rfl_buf_init, twice = rfl_buf_init;

    use_table(16);

    rc = rfl_sources_load_chunk(table, 1, chunk);
    fuzz_check(rc == RFL_OK || rc == RFL_DAMAGED || rc == RFL_BAD_VERSION);

    if (rc == RFL_OK) {
        rfl_sources_put_chunk(table, 1, &once);
        rfl_sources_drop_filter(table);

        fuzz_check(rfl_sources_load_chunk(table, 1,
                                          rfl_str(once.data, once.len))
                   == RFL_OK);
        rfl_sources_put_chunk(table, 1, &twice);

        fuzz_check(once.len == twice.len
                   && memcmp(once.data, twice.data, once.len) == 0);
    }

    rfl_sources_drop_filter(table);
    rfl_buf_free(&once);
    rfl_buf_free(&twice);
}


static void
check_table(fuzz_input_t *in)
{
    unsigned  who, where, how;
    uint32_t  rows;

    rows = 16 + fuzz_byte(in) % 3 * 16;
    use_table(rows);

    memset(exact, 0, sizeof(exact));
    now = NOW;

    while (in->p < in->end) {
        who = fuzz_byte(in);
        where = fuzz_byte(in);
        how = fuzz_byte(in);

        if (who == 0xff) {
            store_and_load(where & 1);

        } else if (who == 0xfe) {        /* a crowd that comes once each */

            for (who = where; who < where + 40; who++) {
                visit(who % NAMES, 1, how);
            }

        } else {
            visit(who % OWNERS * LANDINGS + where % LANDINGS, 1 + how / 8,
                  how);
        }

        check_rows();
    }
}


static void
visit(unsigned name, unsigned often, unsigned how)
{
    rfl_sources_entry_t  source;

    while (often-- > 0) {
        fuzz_check(make(name, how, &source));
        rfl_sources_add(table, &source);
        exact[name]++;
        now += how & 1;
    }
}


/* Three in four are hosts, then links, then groups. */

static int
make(unsigned name, unsigned how, rfl_sources_entry_t *source)
{
    char           host[32], landing[32];
    unsigned       owner;
    rfl_event_t    event;
    rfl_outcome_t  outcome;

    owner = name / LANDINGS;

    outcome = owner % 8 == 6 ? RFL_OUTCOME_MATCHED
              : owner % 8 == 7 ? RFL_OUTCOME_AMBIGUOUS
                               : RFL_OUTCOME_UNREGISTERED;

    (void) snprintf(host, sizeof(host), "h%u.example", owner);
    (void) snprintf(landing, sizeof(landing), "/%u", name % LANDINGS);

    fuzz_event(&event, outcome,
               how % 3 == 0 && outcome == RFL_OUTCOME_UNREGISTERED
               ? 200 : 400 + how % 128,
               rfl_cstr(outcome == RFL_OUTCOME_UNREGISTERED ? host : ""),
               rfl_cstr(landing));
    event.time_ms = now * 1000;

    if (event.id != 0) {
        event.id = 1 + owner;
    }

    return rfl_source_of_event(&event, source);
}


static void
check_rows(void)
{
    uint32_t                    i, used;
    unsigned                    name;
    static int                  made;
    const rfl_sources_entry_t  *row;
    static rfl_sources_entry_t  sources[NAMES];

    for ( /* void */ ; made < NAMES; made++) {
        fuzz_check(make((unsigned) made, 0, &sources[made]));
    }

    used = 0;

    for (i = 0; i < rfl_sources_max(table); i++) {
        row = rfl_sources_get(table, i);

        if (row != NULL) {
            used++;
            fuzz_check(rfl_sources_find(table, row) == row);
            fuzz_check(row->first <= row->last && row->last <= now);
            fuzz_check(row->rank >= rfl_source_clicks(row));
        }
    }

    fuzz_check(used == rfl_sources_used(table));

    for (name = 0; name < NAMES; name++) {
        row = rfl_sources_find(table, &sources[name]);

        if (row == NULL) {
            fuzz_check(exact[name] <= rfl_sources_floor(table));
            continue;
        }

        fuzz_check(rfl_source_clicks(row) != 0);
        fuzz_check(rfl_source_clicks(row) <= exact[name]);
        fuzz_check(exact[name] <= rfl_source_clicks(row) + row->before);
    }
}


/* As the ledger would have it; in_order: with what was forgotten. */

static void
store_and_load(int in_order)
{
    size_t                      lengths[ROWS_MAX];
    uint32_t                    i, rows;
    uint64_t                    floor, start;
    rfl_buf_t                   chunks = rfl_buf_init;
    static size_t               of_chunks[RFL_SOURCES_CHUNKS];
    const rfl_sources_entry_t  *row;
    rfl_sources_entry_t         source;
    static u_char               records[ROWS_MAX][RFL_SOURCE_RECORD_MAX];

    rows = rfl_sources_max(table);
    floor = rfl_sources_floor(table);

    for (i = 0; i < rows; i++) {
        row = rfl_sources_get(table, i);
        lengths[i] = row != NULL ? rfl_source_encode(row, records[i]) : 0;
    }

    start = rfl_sources_start(table);
    in_order = in_order && rfl_sources_has_filter(table);

    if (in_order) {
        put_filter(&chunks, of_chunks);
    }

    rfl_sources_clear(table);
    fuzz_check(rfl_sources_used(table) == 0);
    fuzz_check(!rfl_sources_has_filter(table));

    for (i = 0; i < rows; i++) {

        if (lengths[i] != 0) {
            fuzz_check(rfl_source_decode(rfl_str(records[i], lengths[i]),
                                         &source)
                       == RFL_OK);
            fuzz_check(rfl_sources_load(table, i, &source) == RFL_OK);
            fuzz_check(rfl_sources_load(table, i, &source) == RFL_INVALID);
        }
    }

    rfl_sources_loaded(table, floor);

    if (in_order) {
        load_filter(&chunks, of_chunks);
        rfl_sources_set_start(table, start);
    }

    rfl_buf_free(&chunks);
}


static void
put_filter(rfl_buf_t *b, size_t *lengths)
{
    size_t    len;
    uint32_t  i;

    for (i = 0; i < RFL_SOURCES_CHUNKS; i++) {
        len = b->len;
        rfl_sources_put_chunk(table, i, b);
        fuzz_check(!b->failed);
        lengths[i] = b->len - len;
    }
}


static void
load_filter(const rfl_buf_t *b, const size_t *lengths)
{
    size_t    at;
    uint32_t  i;

    for (i = 0, at = 0; i < RFL_SOURCES_CHUNKS; at += lengths[i++]) {
        if (lengths[i] != 0) {
            fuzz_check(rfl_sources_load_chunk(table, i,
                                              rfl_str(b->data + at,
                                                      lengths[i]))
                       == RFL_OK);
        }
    }
}
