/* See fuzz_sources.h. */

#include "fuzz_sources.h"

#include "fuzz.h"
#include "rfl_states.h"


typedef struct {
    rfl_outcome_t  outcome;
    unsigned       status;
    const char    *source;
    const char    *landing;
} visit_t;


static const visit_t  visits[] = {
    { RFL_OUTCOME_UNREGISTERED, 200, "forum.example", "/pricing" },
    { RFL_OUTCOME_UNREGISTERED, 404, "forum.example", "/old" },
    { RFL_OUTCOME_UNREGISTERED, 404, "blog.example", "/2023/\"a b\"" },
    { RFL_OUTCOME_UNREGISTERED, 410, "android-app:com.example", "/\xff<a>" },
    { RFL_OUTCOME_UNREGISTERED, 500, "[2001:db8::1]", "/reset/0123456789abc" },
    { RFL_OUTCOME_MATCHED, 404, "", "/gone" },
    { RFL_OUTCOME_AMBIGUOUS, 403, "", "/gone" }
};

#define VISITS  (sizeof(visits) / sizeof(visits[0]))


void
fuzz_event(rfl_event_t *event, rfl_outcome_t outcome, unsigned status,
    rfl_str_t source, rfl_str_t landing)
{
    memset(event, 0, sizeof(rfl_event_t));

    event->outcome = (uint8_t) outcome;
    event->status = (uint16_t) status;
    event->class = status >= 400 ? RFL_CLASS_ERROR : RFL_CLASS_CLICK;
    event->evidence = RFL_EVIDENCE_NONE;

    if (rfl_outcome_is_match(outcome)) {
        event->id = 1 + (outcome == RFL_OUTCOME_AMBIGUOUS);
        event->flags = outcome == RFL_OUTCOME_AMBIGUOUS ? RFL_EVENT_GROUP : 0;
    }

    if (source.len > RFL_RING_TEXT) {
        source.len = RFL_RING_TEXT;
        event->flags |= RFL_EVENT_SOURCE_CUT;
    }

    if (landing.len > RFL_RING_TEXT - source.len) {
        landing.len = RFL_RING_TEXT - source.len;
        event->flags |= RFL_EVENT_LANDING_CUT;
    }

    event->source_len = (uint8_t) source.len;
    event->landing_len = (uint8_t) landing.len;

    rfl_copy(event->text, source.data, source.len);
    rfl_copy(event->text + source.len, landing.data, landing.len);
}


void
fuzz_put_sources(rfl_ledger_t *l, uint64_t now)
{
    size_t               i;
    u_char               record[RFL_SOURCE_RECORD_MAX];
    uint32_t             numbers[VISITS];
    size_t               lengths[VISITS];
    rfl_event_t          event;
    rfl_error_t          err;
    rfl_sources_t       *table;
    rfl_ledger_batch_t   batch;
    rfl_sources_entry_t  source;

    table = rfl_sources_create(16);
    fuzz_check(table != NULL);
    fuzz_check(rfl_sources_load_chunk(table, 9, rfl_str("\1\5\2", 3))
               == RFL_OK);

    memset(&batch, 0, sizeof(rfl_ledger_batch_t));
    batch.numbers = numbers;
    batch.lengths = lengths;
    batch.nrows = VISITS;
    batch.nrings = 1;
    batch.rings[0].file_id = 1;
    batch.head.began = now - 100;
    batch.head.rows = RFL_SOURCES_ROWS;
    batch.head.used = VISITS;

    for (i = 0; i < VISITS; i++) {
        fuzz_event(&event, visits[i].outcome, visits[i].status,
                   rfl_cstr(visits[i].source), rfl_cstr(visits[i].landing));
        event.time_ms = now * 1000;

        fuzz_check(rfl_source_of_event(&event, &source));

        numbers[i] = (uint32_t) i;
        source.before = i % 3;
        source.n[RFL_ENDED_404] += i;
        source.rank = rfl_source_clicks(&source);

        lengths[i] = rfl_source_encode(&source, record);
        rfl_buf_add(&batch.records, record, lengths[i]);
    }

    fuzz_check(rfl_store_begin(rfl_ledger_store(l), 1, &err) == RFL_OK);
    fuzz_check(rfl_ledger_put_sources(l, &batch, &err) == RFL_OK);
    fuzz_check(rfl_ledger_put_filter(l, table, batch.head.read, &err)
               == RFL_OK);
    fuzz_check(rfl_store_commit(rfl_ledger_store(l), &err) == RFL_OK);

    rfl_buf_free(&batch.records);
    rfl_sources_free(table);
}


void
fuzz_put_states(rfl_ledger_t *l, uint64_t now)
{
    int                  changed;
    uint32_t             id;
    rfl_error_t          err;
    rfl_states_t         sums;
    rfl_state_verdict_t  verdict;

    fuzz_check(rfl_store_begin(rfl_ledger_store(l), 1, &err) == RFL_OK);
    fuzz_check(rfl_states_begin_sums(l, &sums, &err) == RFL_OK);

    /* each twice: a first judgement is no change */

    for (id = 2; id < 12; id++) {
        memset(&verdict, 0, sizeof(rfl_state_verdict_t));
        verdict.state = id / 2 % RFL_STATES;
        verdict.state = id % 2 ? RFL_STATE_SILENT : verdict.state;
        verdict.since = (uint32_t) (now / RFL_STATE_DAY - id);

        fuzz_check(rfl_states_put(l, &sums, id / 2, &verdict, now, &changed,
                                  &err)
                   == RFL_OK);
    }

    fuzz_check(rfl_states_put_sums(l, &sums, &err) == RFL_OK);
    fuzz_check(rfl_store_commit(rfl_ledger_store(l), &err) == RFL_OK);
}
