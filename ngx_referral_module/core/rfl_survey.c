/*
 * See rfl_survey.h.
 */

#include "rfl_survey.h"
#include "rfl_ledger_parts.h"

#include <stdlib.h>
#include <time.h>


#define RFL_SURVEY_BLOCK  RFL_HISTORY_BLOCK


struct rfl_survey_s {
    unsigned              running:1;
    unsigned              all:1;         /* each link is judged */
    unsigned              damaged:1;     /* the sums are to be found anew */
    uint32_t              today;
    uint32_t              next_block;
    uint64_t              spent_us;      /* by this survey so far */
    uint64_t              rest_ms;       /* until then */
    uint64_t              back_ms;       /* since when the clock is back; 0 */

    /* what the last one had seen, or made */
    uint64_t              registry_txn;
    uint64_t              ledger_txn;

    uint64_t              found[RFL_STATES];     /* by one of all links */

    size_t                ndays;
    size_t                days_size;
    uint32_t             *days;          /* of traffic */
    uint32_t             *clicks;        /* on them, of 64 ids, id by id */

    rfl_history_block_t   block;
};


/* One turn. */

typedef struct {
    rfl_survey_t             *s;
    const rfl_survey_turn_t  *asked;
    rfl_history_t             history;
    rfl_states_t              sums;
    uint32_t                  end;       /* behind the last id */
    uint32_t                  work;
    int                       changed;
    rfl_error_t              *err;

    /* of the block that is looked at */
    uint64_t                  links;     /* bit i: it is a link */
    uint64_t                  known;     /* bit i: there is a verdict */
    uint32_t                  created[RFL_SURVEY_BLOCK];
    rfl_state_verdict_t       verdicts[RFL_SURVEY_BLOCK];
} rfl_survey_step_t;


static rfl_rc_t rfl_survey_begin(rfl_survey_step_t *step);
static int rfl_survey_is_back(rfl_survey_step_t *step);
static rfl_rc_t rfl_survey_days(rfl_survey_step_t *step);
static rfl_rc_t rfl_survey_add_day(rfl_survey_t *s, uint32_t day);
static rfl_rc_t rfl_survey_go_on(rfl_survey_step_t *step);
static rfl_rc_t rfl_survey_block(rfl_survey_step_t *step, uint32_t block);
static rfl_rc_t rfl_survey_look(rfl_survey_step_t *step, uint32_t block);
static rfl_rc_t rfl_survey_must_judge(rfl_survey_step_t *step,
    uint32_t block, int *must);
static rfl_rc_t rfl_survey_clicks(rfl_survey_step_t *step, uint32_t block);
static rfl_rc_t rfl_survey_read(rfl_survey_step_t *step, uint32_t day,
    uint32_t block);
static rfl_rc_t rfl_survey_judge(rfl_survey_step_t *step, uint32_t block);
static rfl_rc_t rfl_survey_verdict(rfl_survey_step_t *step, uint32_t id,
    rfl_state_input_t *in, rfl_state_verdict_t *verdict);
static rfl_rc_t rfl_survey_store(rfl_survey_step_t *step);
static uint64_t rfl_survey_clock_us(void);


rfl_survey_t *
rfl_survey_create(void)
{
    return calloc(1, sizeof(rfl_survey_t));
}


void
rfl_survey_free(rfl_survey_t *s)
{
    if (s == NULL) {
        return;
    }

    free(s->days);
    free(s->clicks);
    free(s);
}


void
rfl_survey_reset(rfl_survey_t *s)
{
    s->running = 0;
    s->rest_ms = 0;
    s->back_ms = 0;
    s->registry_txn = 0;
    s->ledger_txn = 0;
}


rfl_rc_t
rfl_survey_turn(rfl_survey_t *s, const rfl_survey_turn_t *turn,
    rfl_error_t *err)
{
    rfl_rc_t            rc;
    uint64_t            start;
    rfl_store_t        *store;
    rfl_survey_step_t   step;

    if (!s->running && turn->clock_ms < s->rest_ms) {
        return RFL_OK;
    }

    store = rfl_ledger_store(turn->ledger);

    memset(&step, 0, sizeof(rfl_survey_step_t));

    step.s = s;
    step.asked = turn;
    step.history = rfl_ledger_history(turn->ledger);
    step.work = RFL_SURVEY_WORK;
    step.err = err;

    /* it may wait for another writer: no reader of the registry waits along */

    rc = rfl_store_begin(store, 1, err);
    if (rc != RFL_OK) {
        return rc;
    }

    start = rfl_survey_clock_us();

    rc = rfl_registry_begin(turn->registry, 0, err);

    if (rc == RFL_OK) {
        rc = rfl_survey_begin(&step);

        if (rc == RFL_OK && s->running) {
            rc = rfl_survey_go_on(&step);
        }

        rfl_registry_end(turn->registry);
    }

    if ((rc == RFL_OK || rc == RFL_BUSY) && step.changed
        && rfl_survey_store(&step) != RFL_OK)
    {
        rc = RFL_ERROR;
    }

    rfl_store_end(store);

    s->spent_us += rfl_survey_clock_us() - start;

    if (rc != RFL_BUSY) {
        s->running = 0;
        s->rest_ms = turn->clock_ms + s->spent_us * RFL_SURVEY_REST / 1000;
        s->spent_us = 0;
    }

    return rc;
}


/* Is there one to begin?  One that goes on into another day begins anew. */

static rfl_rc_t
rfl_survey_begin(rfl_survey_step_t *step)
{
    rfl_rc_t              rc;
    uint64_t              registry_txn, ledger_txn;
    rfl_survey_t         *s;
    rfl_registry_meta_t   meta;

    s = step->s;

    rc = rfl_registry_meta(step->asked->registry, &meta);
    if (rc != RFL_OK) {
        return rfl_fail(step->err, rc, "states of links: the registry cannot "
                        "be read");
    }

    step->end = meta.next_id < RFL_COUNTERS_MAX_IDS ? meta.next_id
                                                    : RFL_COUNTERS_MAX_IDS;

    rc = rfl_states_begin_sums(step->asked->ledger, &step->sums, step->err);
    if (rc != RFL_OK) {
        return rc;
    }

    s->damaged |= step->sums.damaged;

    if (rfl_survey_is_back(step)) {
        s->running = 0;
        return RFL_OK;
    }

    if (s->running && s->today == step->asked->now / RFL_STATE_DAY) {
        return RFL_OK;
    }

    registry_txn = rfl_store_txn_id(
                       rfl_registry_store(step->asked->registry));
    ledger_txn = rfl_store_txn_id(rfl_ledger_store(step->asked->ledger));

    s->today = (uint32_t) (step->asked->now / RFL_STATE_DAY);
    s->all = (step->sums.day != s->today);

    /* a write transaction's id is the next one */

    if (!s->all && registry_txn == s->registry_txn
        && ledger_txn == s->ledger_txn + 1)
    {
        s->running = 0;
        return RFL_OK;
    }

    s->registry_txn = registry_txn;
    s->ledger_txn = ledger_txn - 1;

    s->running = 1;
    s->next_block = 0;
    memset(s->found, 0, sizeof(s->found));

    return rfl_survey_days(step);
}


static int
rfl_survey_is_back(rfl_survey_step_t *step)
{
    rfl_survey_t  *s;

    s = step->s;

    if (step->asked->now / RFL_STATE_DAY >= step->sums.day) {
        s->back_ms = 0;
        return 0;
    }

    if (s->back_ms == 0) {
        s->back_ms = step->asked->clock_ms + 1;
    }

    return step->asked->clock_ms < s->back_ms + RFL_SURVEY_BACK_MS;
}


/* Those before the last RFL_SURVEY_DAYS are forgotten. */

static rfl_rc_t
rfl_survey_days(rfl_survey_step_t *step)
{
    rfl_rc_t       rc;
    unsigned       i;
    uint64_t       key, requests;
    uint32_t       day;
    rfl_str_t      found, value;
    rfl_zone_t     zone;
    rfl_cursor_t  *cursor;

    step->s->ndays = 0;

    rc = rfl_cursor_open(step->history.store,
                         step->history.first_dbi + RFL_UNIT_DAY, &cursor);

    for (day = 0; rc == RFL_OK && day <= step->s->today; day++) {

        /* a day's own counters stand behind those of its blocks */

        key = (uint64_t) day << 32 | RFL_HISTORY_ZONE;

        rc = rfl_cursor_seek(cursor, rfl_str(&key, sizeof(key)), &found,
                             &value);

        if (rc == RFL_NOT_FOUND) {
            rc = RFL_OK;
            break;
        }

        if (rc != RFL_OK || found.len != sizeof(key)) {
            rc = rc != RFL_OK ? rc : RFL_DAMAGED;
            break;
        }

        memcpy(&key, found.data, sizeof(key));

        if ((uint32_t) key != RFL_HISTORY_ZONE) {
            day = (uint32_t) (key >> 32) - 1;    /* of the next one a block */
            continue;
        }

        day = (uint32_t) (key >> 32);
        memset(&zone, 0, sizeof(rfl_zone_t));

        if (day > step->s->today
            || rfl_history_decode_zone(value, &zone) != RFL_OK)
        {
            continue;
        }

        for (i = 0, requests = 0; i < RFL_OUTCOMES; i++) {
            requests += i != RFL_OUTCOME_SKIPPED
                        ? zone.n[RFL_ZONE_OUTCOMES + i] : 0;
        }

        if (requests != 0) {
            rc = rfl_survey_add_day(step->s, day);
        }
    }

    rfl_cursor_close(cursor);

    return rc == RFL_OK ? RFL_OK
                        : rfl_fail(step->err, rc, "states of links: the days "
                                   "of the ledger cannot be read");
}


static rfl_rc_t
rfl_survey_add_day(rfl_survey_t *s, uint32_t day)
{
    size_t     size;
    uint32_t  *days, *clicks;

    if (s->ndays == RFL_SURVEY_DAYS) {
        memmove(s->days, s->days + 1, (s->ndays - 1) * sizeof(uint32_t));
        s->ndays--;
    }

    if (s->ndays == s->days_size) {
        size = s->days_size != 0 ? 2 * s->days_size : 128;

        days = realloc(s->days, size * sizeof(uint32_t));
        if (days == NULL) {
            return RFL_NO_MEMORY;
        }

        s->days = days;

        clicks = realloc(s->clicks,
                         size * RFL_SURVEY_BLOCK * sizeof(uint32_t));
        if (clicks == NULL) {
            return RFL_NO_MEMORY;
        }

        s->clicks = clicks;
        s->days_size = size;
    }

    s->days[s->ndays++] = day;

    return RFL_OK;
}


static rfl_rc_t
rfl_survey_go_on(rfl_survey_step_t *step)
{
    rfl_rc_t       rc;
    rfl_survey_t  *s;

    s = step->s;

    while ((uint64_t) s->next_block * RFL_SURVEY_BLOCK < step->end) {

        if (step->work == 0) {
            return RFL_BUSY;
        }

        rc = rfl_survey_block(step, s->next_block);
        if (rc != RFL_OK) {
            return rc;
        }

        s->next_block++;
    }

    if (s->all) {
        step->sums.day = s->today;
        step->changed = 1;

        if (s->damaged) {
            s->damaged = 0;
            memcpy(step->sums.links, s->found, sizeof(s->found));
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_survey_block(rfl_survey_step_t *step, uint32_t block)
{
    int       must;
    rfl_rc_t  rc;

    rc = rfl_survey_look(step, block);
    if (rc != RFL_OK || step->links == 0) {
        return rc;
    }

    rc = rfl_survey_must_judge(step, block, &must);
    if (rc != RFL_OK || !must) {
        return rc;
    }

    rc = rfl_survey_clicks(step, block);

    return rc == RFL_OK ? rfl_survey_judge(step, block) : rc;
}


/* Which of its ids are links, and what is known of them. */

static rfl_rc_t
rfl_survey_look(rfl_survey_step_t *step, uint32_t block)
{
    rfl_rc_t     rc;
    uint32_t     i, id;
    rfl_link_t   link;

    step->links = 0;
    step->known = 0;
    step->work = step->work > RFL_SURVEY_BLOCK
                 ? step->work - RFL_SURVEY_BLOCK : 0;

    for (i = 0; i < RFL_SURVEY_BLOCK; i++) {
        id = block * RFL_SURVEY_BLOCK + i;

        if (id >= step->end) {
            break;
        }

        rc = rfl_registry_link(step->asked->registry, id, &link);

        if (rc == RFL_NOT_FOUND) {
            rc = rfl_states_remove(step->asked->ledger, &step->sums, id,
                                   &step->changed, step->err);
            if (rc != RFL_OK) {
                return rc;
            }

            continue;
        }

        if (rc != RFL_OK) {
            return rfl_fail(step->err, rc, "states of links: the record of "
                            "id %u cannot be read", id);
        }

        step->links |= (uint64_t) 1 << i;
        step->created[i] = link.created / RFL_STATE_DAY < UINT32_MAX
                           ? (uint32_t) (link.created / RFL_STATE_DAY)
                           : UINT32_MAX;

        if (rfl_states_get(step->asked->ledger, id, &step->verdicts[i])
            == RFL_OK)
        {
            step->known |= (uint64_t) 1 << i;
        }
    }

    return RFL_OK;
}


/*
 * Between two surveys of all links: is there one without a verdict, or one
 * that waits for a click and has one today?
 */

static rfl_rc_t
rfl_survey_must_judge(rfl_survey_step_t *step, uint32_t block, int *must)
{
    rfl_rc_t              rc;
    uint64_t              bits;
    unsigned              i;
    rfl_history_block_t  *today;

    *must = 1;

    if (step->s->all || step->known != step->links) {
        return RFL_OK;
    }

    rc = rfl_survey_read(step, step->s->today, block);
    if (rc != RFL_OK) {
        return rc;
    }

    today = &step->s->block;

    for (bits = today->present & step->links; bits != 0; bits &= bits - 1) {
        i = (unsigned) __builtin_ctzll(bits);

        if (today->cells[i].n[RFL_CELL_CLICKS] != 0
            && step->verdicts[i].state != RFL_STATE_ACTIVE
            && step->verdicts[i].state != RFL_STATE_REVIVED)
        {
            return RFL_OK;
        }
    }

    *must = 0;

    return RFL_OK;
}


/* Into s->clicks: of 64 ids, on each day of traffic. */

static rfl_rc_t
rfl_survey_clicks(rfl_survey_step_t *step, uint32_t block)
{
    size_t         day;
    uint64_t       bits, clicks;
    rfl_rc_t       rc;
    unsigned       i;
    rfl_survey_t  *s;

    s = step->s;

    if (s->ndays == 0) {
        return RFL_OK;
    }

    memset(s->clicks, 0, s->ndays * RFL_SURVEY_BLOCK * sizeof(uint32_t));

    step->work = step->work > s->ndays ? step->work - (uint32_t) s->ndays : 0;

    for (day = 0; day < s->ndays; day++) {

        rc = rfl_survey_read(step, s->days[day], block);
        if (rc != RFL_OK) {
            return rc;
        }

        for (bits = s->block.present; bits != 0; bits &= bits - 1) {
            i = (unsigned) __builtin_ctzll(bits);
            clicks = s->block.cells[i].n[RFL_CELL_CLICKS];

            s->clicks[i * s->ndays + day] = clicks < UINT32_MAX
                                            ? (uint32_t) clicks : UINT32_MAX;
        }
    }

    return RFL_OK;
}


/* The next flush replaces a value that is damaged: it counts as nothing. */

static rfl_rc_t
rfl_survey_read(rfl_survey_step_t *step, uint32_t day, uint32_t block)
{
    rfl_rc_t              rc;
    uint64_t              bits;
    rfl_history_block_t  *b;

    b = &step->s->block;

    for (bits = b->present; bits != 0; bits &= bits - 1) {
        memset(&b->cells[__builtin_ctzll(bits)], 0, sizeof(rfl_cell_t));
    }

    b->present = 0;

    rc = rfl_history_block(&step->history, RFL_UNIT_DAY, day, block, b);

    if (rc != RFL_OK) {
        memset(b, 0, sizeof(rfl_history_block_t));
    }

    return rc == RFL_OK || rc == RFL_DAMAGED ? RFL_OK
                        : rfl_fail(step->err, rc, "states of links: the "
                                   "history of day %u cannot be read", day);
}


static rfl_rc_t
rfl_survey_judge(rfl_survey_step_t *step, uint32_t block)
{
    rfl_rc_t             rc;
    uint32_t             id;
    uint64_t             bits;
    unsigned             i;
    rfl_survey_t        *s;
    rfl_state_input_t    in;
    rfl_state_verdict_t  verdict;

    s = step->s;

    in.today = s->today;
    in.ndays = s->ndays;
    in.days = s->days;

    for (bits = step->links; bits != 0; bits &= bits - 1) {
        i = (unsigned) __builtin_ctzll(bits);

        id = block * RFL_SURVEY_BLOCK + i;

        in.created = step->created[i];
        in.clicks = s->ndays != 0 ? s->clicks + i * s->ndays : NULL;

        rc = rfl_survey_verdict(step, id, &in, &verdict);
        if (rc != RFL_OK) {
            return rc;
        }

        s->found[verdict.state]++;

        rc = rfl_states_put(step->asked->ledger, &step->sums, id, &verdict,
                            step->asked->now, &step->changed, step->err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


/* The total tells of clicks on days that are not kept. */

static rfl_rc_t
rfl_survey_verdict(rfl_survey_step_t *step, uint32_t id,
    rfl_state_input_t *in, rfl_state_verdict_t *verdict)
{
    rfl_rc_t    rc;
    rfl_cell_t  cell;

    in->clicked = 0;

    rfl_state_judge(in, verdict);

    if (verdict->last != 0) {
        return RFL_OK;
    }

    memset(&cell, 0, sizeof(rfl_cell_t));

    rc = rfl_ledger_cell(step->asked->ledger, 0, id, &cell);

    if (rc != RFL_OK && rc != RFL_DAMAGED) {
        return rfl_fail(step->err, rc, "states of links: the total of id %u "
                        "cannot be read", id);
    }

    if (cell.n[RFL_CELL_CLICKS] != 0) {
        in->clicked = 1;
        rfl_state_judge(in, verdict);
    }

    return RFL_OK;
}


/* What it writes itself is no reason to look again. */

static rfl_rc_t
rfl_survey_store(rfl_survey_step_t *step)
{
    rfl_rc_t       rc;
    uint64_t       txn;
    rfl_store_t   *store;
    rfl_survey_t  *s;

    s = step->s;
    store = rfl_ledger_store(step->asked->ledger);
    txn = rfl_store_txn_id(store);

    s->damaged |= step->sums.damaged;

    rc = rfl_states_put_sums(step->asked->ledger, &step->sums, step->err);

    if (rc == RFL_OK) {
        rc = rfl_store_commit(store, step->err);
    }

    if (rc == RFL_OK && txn == s->ledger_txn + 1) {
        s->ledger_txn = txn;
    }

    return rc;
}


static uint64_t
rfl_survey_clock_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}
