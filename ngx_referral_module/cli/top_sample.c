/*
 * Samples for top.
 *
 * The counter file is read as it is, without a lock: nginx does not notice.
 * Of each id that was ever issued its cell is read (a million: 128 MB of
 * memory, some 50 ms), and what changes rarely is kept: what other counter
 * files had, which the ledger knows, is read now and then.
 */

#include "top.h"

#include <stdlib.h>
#include <time.h>


#define REOPEN_MS     5000           /* while there is no counter file */
#define BASE_MS       30000          /* between readings of the ledger */
#define BASE_FACTOR   50             /* or so many times what one takes */
#define BASE_PIECE    20000          /* ids in one read transaction */
#define SELECT_TRIES  16


static int reopen(top_t *top);
static int is_current(top_t *top);
static int sample(top_t *top);
static rfl_rc_t prepare_ids(top_t *top, rfl_error_t *err);
static rfl_rc_t load_base(top_t *top, rfl_error_t *err);
static rfl_rc_t load_piece(top_t *top, uint32_t from, uint32_t to,
    rfl_error_t *err);
static void sample_cells(top_t *top);
static rfl_rc_t sample_zone(top_t *top);
static rfl_rc_t select_rows(top_t *top, size_t n, int *hidden);
static rfl_rc_t load_row(top_t *top, top_row_t *row, int *hidden);
static uint64_t sort_value(const top_t *top, uint32_t id);
static uint64_t live_value(const rfl_cell_t *cell, top_sort_t sort);
static uint64_t steady_ms(void);


const rfl_str_t  top_sort_names[TOP_SORTS] = {
    [TOP_RATE]   = rfl_string("rate"),
    [TOP_CLICKS] = rfl_string("clicks"),
    [TOP_ERRORS] = rfl_string("errors"),
    [TOP_BOTS]   = rfl_string("bots"),
    [TOP_SEEN]   = rfl_string("seen")
};


int
top_sample(top_t *top, size_t n)
{
    int       status;
    uint64_t  now_ms;

    if (!is_current(top)) {
        status = reopen(top);
        if (status != CLI_OK) {
            return status;
        }
    }

    now_ms = steady_ms();

    top->since_ms = now_ms - top->now_ms;
    top->now_ms = now_ms;

    status = sample(top);

    return status == CLI_OK ? top_select(top, n) : status;
}


void
top_close(top_t *top)
{
    size_t  i;

    for (i = 0; i < TOP_ROWS_MAX; i++) {
        rfl_buf_free(&top->rows[i].name);
        rfl_buf_free(&top->rows[i].target);
    }

    free(top->ids);
    cli_close(&top->env);
}


static int
reopen(top_t *top)
{
    cli_close(&top->env);

    return cli_open(top->cli, &top->env, CLI_OPEN_READ|CLI_OPEN_TOTALS);
}


/* nginx may have made a new counter file, or a backup was restored. */

static int
is_current(top_t *top)
{
    rfl_counters_t  *c;

    if (top->env.registry == NULL
        || rfl_store_check_path(rfl_registry_store(top->env.registry))
           != RFL_OK)
    {
        return 0;
    }

    if (top->env.totals.ledger != NULL
        && rfl_store_check_path(rfl_ledger_store(top->env.totals.ledger))
           != RFL_OK)
    {
        return 0;
    }

    c = top->env.totals.counters;

    if (c == NULL) {
        return steady_ms() < top->base_due;
    }

    return !rfl_counters_retired(c)
           && rfl_counters_check_path(c, c->path) == RFL_OK;
}


static int
sample(top_t *top)
{
    rfl_rc_t              rc;
    rfl_error_t           err;
    rfl_registry_meta_t   meta;

    memset(&err, 0, sizeof(rfl_error_t));

    rc = prepare_ids(top, &err);

    if (rc == RFL_OK) {
        rc = cli_begin_read(&top->env, &err);
    }

    if (rc != RFL_OK) {
        return cli_fail(top->cli->dir, "%s", err.text);
    }

    rc = rfl_registry_meta(top->env.registry, &meta);

    if (rc == RFL_OK) {
        top->links = meta.links;
        rc = sample_zone(top);
    }

    cli_end_read(&top->env);

    if (rc != RFL_OK) {
        return cli_fail(top->cli->dir, "the totals cannot be read");
    }

    sample_cells(top);

    return CLI_OK;
}


/* Another counter file: nothing is known of its cells before. */

static rfl_rc_t
prepare_ids(top_t *top, rfl_error_t *err)
{
    uint32_t               next;
    rfl_rc_t               rc;
    uint64_t               file_id;
    top_id_t              *ids;
    const rfl_counters_t  *c;

    c = top->env.totals.counters;

    top->counting = c != NULL;
    file_id = c != NULL ? c->header->file_id : 0;

    rc = rfl_issue_floor(&top->env.totals, &next, err);
    if (rc != RFL_OK) {
        return rc;
    }

    next = next < RFL_COUNTERS_MAX_IDS ? next : RFL_COUNTERS_MAX_IDS;

    if (next > top->nids) {
        ids = realloc(top->ids, (next + next / 8) * sizeof(top_id_t));
        if (ids == NULL) {
            return rfl_fail(err, RFL_NO_MEMORY, "no memory for %u ids", next);
        }

        memset(ids + top->nids, 0, (next + next / 8 - top->nids)
                                   * sizeof(top_id_t));
        top->ids = ids;
        top->nids = next + next / 8;
    }

    if (file_id != top->file_id) {
        top->file_id = file_id;
        top->has_rates = 0;
        top->base_due = 0;

    } else {
        top->has_rates = top->counting && top->base_due != 0;
    }

    return top->now_ms >= top->base_due ? load_base(top, err) : RFL_OK;
}


static rfl_rc_t
load_base(top_t *top, rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint32_t  id;
    uint64_t  took;

    rc = RFL_OK;

    for (id = 0; rc == RFL_OK && id < top->nids; id += BASE_PIECE) {
        rc = load_piece(top, id, top->nids - id > BASE_PIECE
                                 ? id + BASE_PIECE : top->nids, err);
    }

    took = steady_ms() - top->now_ms;

    top->base_due = steady_ms() + (!top->counting ? REOPEN_MS
                                   : BASE_FACTOR * took > BASE_MS
                                   ? BASE_FACTOR * took : BASE_MS);

    return rc;
}


static rfl_rc_t
load_piece(top_t *top, uint32_t from, uint32_t to, rfl_error_t *err)
{
    rfl_rc_t       rc;
    uint32_t       id;
    unsigned       sort;
    rfl_cell_t     cell;
    rfl_ledger_t  *ledger;

    ledger = top->env.totals.ledger;

    if (ledger == NULL) {
        return RFL_OK;
    }

    rc = rfl_ledger_begin(ledger, err);
    if (rc != RFL_OK) {
        return rc;
    }

    for (id = from; rc == RFL_OK && id < to; id++) {
        memset(&cell, 0, sizeof(rfl_cell_t));

        rc = rfl_ledger_cell(ledger, top->file_id, id, &cell);

        for (sort = 0; sort < TOP_SORTS; sort++) {
            top->ids[id].base[sort] = live_value(&cell, sort);
        }
    }

    rfl_ledger_end(ledger);

    return rc == RFL_OK ? RFL_OK
                        : rfl_fail(err, rc, "ledger: it cannot be read");
}


/* A rate needs two samples of an id; one that is new began at 0. */

static void
sample_cells(top_t *top)
{
    uint32_t    id;
    uint64_t    requests;
    top_id_t   *one;
    rfl_cell_t  cell;

    for (id = 0; id < top->nids; id++) {
        one = &top->ids[id];
        one->grown = 0;

        if (!top->counting) {
            continue;
        }

        rfl_counters_read_cell(top->env.totals.counters, id, &cell);
        requests = rfl_cell_requests(&cell);

        if (top->has_rates && requests > one->requests) {
            one->grown = requests - one->requests < UINT32_MAX
                         ? (uint32_t) (requests - one->requests) : UINT32_MAX;
        }

        one->requests = requests;
    }
}


static rfl_rc_t
sample_zone(top_t *top)
{
    top->zone_before = top->zone;

    memset(&top->zone, 0, sizeof(rfl_zone_t));

    return rfl_totals_zone(&top->env.totals, &top->zone);
}


int
top_select(top_t *top, size_t n)
{
    int          hidden;
    rfl_rc_t     rc;
    uint32_t     id;
    uint64_t     txn_id;
    unsigned     tries;
    rfl_error_t  err;

    n = n < TOP_ROWS_MAX ? n : TOP_ROWS_MAX;

    rc = cli_begin_read(&top->env, &err);
    if (rc != RFL_OK) {
        return cli_fail(top->cli->dir, "%s", err.text);
    }

    txn_id = rfl_store_txn_id(rfl_registry_store(top->env.registry));

    if (txn_id != top->registry_txn) {
        top->registry_txn = txn_id;

        for (id = 0; id < top->nids; id++) {
            top->ids[id].hidden = 0;
        }
    }

    /* removed links keep their cells: each try knows more of them */

    for (tries = 0; tries < SELECT_TRIES; tries++) {

        rc = select_rows(top, n, &hidden);

        if (rc != RFL_OK || !hidden) {
            break;
        }
    }

    cli_end_read(&top->env);

    return rc == RFL_OK ? CLI_OK
           : cli_fail(top->cli->dir, rc == RFL_NO_MEMORY
                      ? "no memory" : "its links cannot be read");
}


static rfl_rc_t
select_rows(top_t *top, size_t n, int *hidden)
{
    size_t         i;
    rfl_rc_t       rc;
    uint32_t       id;
    uint64_t       value;
    rfl_top_t      best;
    rfl_top_row_t  row;

    *hidden = 0;
    top->nrows = 0;

    rc = rfl_top_init(&best, n, 0);
    if (rc != RFL_OK) {
        return rc;
    }

    for (id = 1; id < top->nids; id++) {
        value = top->ids[id].hidden ? 0 : sort_value(top, id);

        if (value != 0 && rfl_top_wants(&best, value)) {
            row.value = value;
            row.key = id;
            row.id = id;
            rfl_top_add(&best, &row);
        }
    }

    rfl_top_sort(&best);

    for (i = 0; rc == RFL_OK && i < best.n; i++) {
        top->rows[top->nrows].id = best.rows[i].id;

        rc = load_row(top, &top->rows[top->nrows], hidden);

        if (rc == RFL_OK) {
            top->nrows++;

        } else if (rc == RFL_NOT_FOUND) {
            rc = RFL_OK;
        }
    }

    rfl_top_free(&best);

    return rc;
}


static rfl_rc_t
load_row(top_t *top, top_row_t *row, int *hidden)
{
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_group_t  group;

    row->name.len = 0;
    row->target.len = 0;
    row->links = 0;
    row->grown = top->ids[row->id].grown;

    rc = rfl_registry_link(top->env.registry, row->id, &link);

    if (rc == RFL_OK) {
        row->key = link.key;
        rfl_buf_str(&row->name, cli_link_name(&link));
        rfl_buf_str(&row->target, link.target);

    } else if (rc == RFL_NOT_FOUND) {
        rc = rfl_registry_group(top->env.registry, row->id, &group);

        if (rc == RFL_OK) {
            row->key = group.key;
            row->links = group.links;
            cli_group_name(&group, &row->name, &row->target);
        }
    }

    if (rc == RFL_NOT_FOUND) {
        top->ids[row->id].hidden = 1;
        *hidden = 1;
        return rc;
    }

    if (rc == RFL_OK && (row->name.failed || row->target.failed)) {
        rc = RFL_NO_MEMORY;
    }

    return rc == RFL_OK
           ? rfl_totals_cell(&top->env.totals, row->id, &row->cell) : rc;
}


/*
 * Of those that rest the ones with most clicks come first, those that had
 * requests of other classes alone last.
 */

static uint64_t
sort_value(const top_t *top, uint32_t id)
{
    uint64_t         n, clicks;
    rfl_cell_t       cell;
    const top_id_t  *one;

    one = &top->ids[id];

    memset(&cell, 0, sizeof(rfl_cell_t));

    if (top->counting) {
        rfl_counters_read_cell(top->env.totals.counters, id, &cell);
    }

    if (top->sort == TOP_SEEN) {
        n = cell.n[RFL_CELL_LAST_SEEN];
        return n > one->base[TOP_SEEN] ? n : one->base[TOP_SEEN];
    }

    if (top->sort != TOP_RATE) {
        return one->base[top->sort] + live_value(&cell, top->sort);
    }

    clicks = one->base[TOP_CLICKS] + cell.n[RFL_CELL_CLICKS];
    n = one->grown < (1u << 24) ? one->grown : (1u << 24) - 1;

    clicks = clicks < (uint64_t) 1 << 39 ? clicks : ((uint64_t) 1 << 39) - 1;

    return n << 40 | clicks << 1
           | (one->base[TOP_RATE] + rfl_cell_requests(&cell) != 0);
}


static uint64_t
live_value(const rfl_cell_t *cell, top_sort_t sort)
{
    switch (sort) {

    case TOP_CLICKS:
        return cell->n[RFL_CELL_CLICKS];

    case TOP_ERRORS:
        return cell->n[RFL_CELL_ERRORS_4XX] + cell->n[RFL_CELL_ERRORS_5XX];

    case TOP_BOTS:
        return cell->n[RFL_CELL_BOTS];

    case TOP_SEEN:
        return cell->n[RFL_CELL_LAST_SEEN];

    default:
        return rfl_cell_requests(cell);
    }
}


static uint64_t
steady_ms(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}
