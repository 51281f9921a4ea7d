/*
 * Sums of links: /hosts, /channels, /partners, /labels.
 *
 * Every count is somewhere once: in the rows, in "shared" (groups whose members
 * are not all of one row) or in "removed" (links that are registered no more,
 * groups of which fewer than two are left).  One pass over the ids, by blocks
 * of 64 where it is of a period, finds the last two, and where the names are
 * few enough for a table in memory, the rows.
 *
 * Of hosts there may be as many as links.  The registry has the links in the
 * order of their hosts, so they are read as windows of that order: some hosts
 * with the ids of their links and groups, summed in the order of ids, so that
 * a block is read once for many.  A page in the order of names is one window
 * after the other; one that is sorted by a counter ranks all windows first
 * and then reads the hosts it shows.
 */

#include "rfl_view_parts.h"
#include "rfl_tally.h"

#include <stdlib.h>


#define RFL_VIEW_WINDOW       16384      /* hosts that are ranked */
#define RFL_VIEW_SHOWN        2048       /* hosts that are shown */
#define RFL_VIEW_REFS         32768      /* ids */
#define RFL_VIEW_SORT_BITS    13         /* two digits of an id */
#define RFL_VIEW_SORT_FEW     32

/* Answers of this kind that a process may have at a time: tables are large. */

#define RFL_VIEW_TALLIES      8

/* What costs more than a look at an id, in ids. */

#define RFL_VIEW_MEMBER_WORK  2
#define RFL_VIEW_HOST_WORK    4
#define RFL_VIEW_GROUPS_WORK  6

_Static_assert(RFL_COUNTERS_MAX_IDS <= 1u << 2 * RFL_VIEW_SORT_BITS,
               "an id has two digits");


/* An id whose counts are a row's. */

typedef struct {
    uint32_t  id;
    uint32_t  row;
} rfl_view_ref_t;


/* The rows that all members of a group are in; none: it is shared. */

typedef struct {
    uint32_t   group;
    uint32_t   next_member;
    unsigned   started:1;
    unsigned   done:1;
    size_t     n;
    uint64_t   hashes[RFL_TALLY_NAMES_MAX];
} rfl_view_walk_t;


struct rfl_view_tally_s {
    rfl_tally_by_t        by;
    rfl_tally_t           rows;
    rfl_tally_order_t     order;
    unsigned              compare:1;
    unsigned              opened:1;      /* rows are being shown */
    size_t                next_row;

    /* the pass over the ids */

    unsigned              before:1;      /* it is that of the period before */
    unsigned              merged:1;      /* this block is summed */
    uint64_t              shared_groups;
    uint64_t              shared[2][RFL_CELL_SUMS];
    uint64_t              removed[2][RFL_CELL_SUMS];
    rfl_view_walk_t       walk;

    /* the window of hosts */

    rfl_registry_place_t  place;
    unsigned              one:1;         /* host only */
    unsigned              rank:1;
    unsigned              closed:1;
    unsigned              ended:1;       /* there are no more hosts */
    unsigned              summing:1;
    unsigned              ordered:1;
    uint32_t              link;          /* whose groups are looked at */
    size_t                next_group;
    size_t                next_ref;
    unsigned              sum_before:1;
    size_t                nrefs;
    rfl_view_ref_t       *refs;
    rfl_view_ref_t       *spare;
    uint64_t              ordinal;
    rfl_top_row_t         last_row;      /* shown last */
    size_t                host_len;
    u_char                host[RFL_QUERY_NAME_MAX];
    size_t                last_len;      /* its name */
    u_char                last[RFL_QUERY_NAME_MAX];
    uint32_t              digits[2][1 << RFL_VIEW_SORT_BITS];
};


static rfl_rc_t rfl_view_hosts_open(rfl_view_t *v);
static rfl_rc_t rfl_view_tally_pass(rfl_view_t *v);
static rfl_rc_t rfl_view_tally_start(rfl_view_t *v);
static rfl_rc_t rfl_view_tally_cell(rfl_view_t *v, uint32_t id,
    rfl_cell_t *cell);
static rfl_rc_t rfl_view_tally_id(rfl_view_t *v, uint32_t id,
    const rfl_cell_t *cell);
static rfl_rc_t rfl_view_tally_link(rfl_view_t *v, const rfl_link_t *link,
    const rfl_cell_t *cell);
static rfl_rc_t rfl_view_tally_group(rfl_view_t *v,
    const rfl_group_t *group, const rfl_cell_t *cell);
static void rfl_view_tally_add(uint64_t *sums, const rfl_cell_t *cell);
static rfl_rc_t rfl_view_tally_full(rfl_view_t *v, rfl_rc_t rc);
static rfl_rc_t rfl_view_walk(rfl_view_t *v, uint32_t group);
static rfl_rc_t rfl_view_walk_member(rfl_view_t *v, const rfl_link_t *link);
static rfl_rc_t rfl_view_hashes(rfl_view_t *v, const rfl_link_t *link,
    uint64_t *hashes, size_t *n);
static rfl_rc_t rfl_view_host(rfl_view_t *v, const rfl_link_t *link,
    rfl_str_t *host);
static int rfl_view_spans_hosts(const rfl_group_t *group);
static void rfl_view_window_start(rfl_view_t *v);
static rfl_rc_t rfl_view_window(rfl_view_t *v);
static rfl_rc_t rfl_view_gather(rfl_view_t *v);
static rfl_rc_t rfl_view_gather_host(rfl_view_t *v,
    const rfl_registry_place_t *place, const rfl_link_t *link, size_t *row);
static rfl_rc_t rfl_view_gather_groups(rfl_view_t *v,
    const rfl_link_t *link, size_t row);
static void rfl_view_refer(rfl_view_t *v, uint32_t id, size_t row);
static rfl_rc_t rfl_view_sum(rfl_view_t *v);
static rfl_rc_t rfl_view_sum_totals(rfl_view_t *v);
static rfl_rc_t rfl_view_sum_period(rfl_view_t *v,
    const rfl_period_t *period);
static void rfl_view_sum_ref(rfl_view_t *v, const rfl_view_ref_t *ref,
    const rfl_cell_t *cell);
static void rfl_view_sort_refs(rfl_view_tally_t *t);
static void rfl_view_rank(rfl_view_t *v, const rfl_tally_row_t *row);
static int rfl_view_ranks_names(const rfl_view_t *v);
static int rfl_view_is_behind(const rfl_view_t *v,
    const rfl_registry_place_t *place);
static rfl_rc_t rfl_view_hosts_show(rfl_view_t *v);
static void rfl_view_seek_host(rfl_view_tally_t *t, rfl_str_t host,
    u_char next);
static rfl_rc_t rfl_view_hosts_by_name(rfl_view_t *v, rfl_buf_t *b);
static rfl_rc_t rfl_view_hosts_sorted(rfl_view_t *v, rfl_buf_t *b);
static rfl_rc_t rfl_view_hosts_seek_top(rfl_view_t *v);
static void rfl_view_tally_row(rfl_view_t *v, rfl_buf_t *b,
    const rfl_tally_row_t *row);
static void rfl_view_tally_cursor(rfl_view_t *v, rfl_buf_t *b);
static void rfl_view_name_cursor(rfl_buf_t *b, rfl_str_t name);


/* Of the event loop's thread, as the views are. */

static unsigned  rfl_view_tallies;


rfl_rc_t
rfl_view_tally_open(rfl_view_t *v)
{
    size_t             width;
    rfl_view_tally_t  *t;

    if (rfl_view_tallies == RFL_VIEW_TALLIES) {
        return RFL_BUSY;
    }

    t = calloc(1, sizeof(rfl_view_tally_t));
    if (t == NULL) {
        return RFL_NO_MEMORY;
    }

    v->tally = t;
    rfl_view_tallies++;

    t->by = v->query.kind == RFL_QUERY_HOSTS ? RFL_TALLY_HOST
            : v->query.kind == RFL_QUERY_CHANNELS ? RFL_TALLY_CHANNEL
            : v->query.kind == RFL_QUERY_PARTNERS ? RFL_TALLY_PARTNER
            : RFL_TALLY_LABEL;
    t->compare = (v->previous.nranges != 0);
    t->order.by_name = v->query.page.name_sort;
    t->order.ascending = v->query.page.ascending;
    t->order.field = v->query.page.field;

    if (t->by == RFL_TALLY_HOST) {
        return rfl_view_hosts_open(v);
    }

    width = t->compare ? 2 * RFL_CELL_SUMS : RFL_CELL_SUMS;

    return rfl_tally_init(&t->rows, RFL_TALLY_MAX, width, 1);
}


static rfl_rc_t
rfl_view_hosts_open(rfl_view_t *v)
{
    rfl_rc_t           rc;
    rfl_query_page_t  *page;
    rfl_view_tally_t  *t;

    t = v->tally;
    page = &v->query.page;

    t->rank = (!page->name_sort || !page->ascending);

    t->refs = malloc(RFL_VIEW_REFS * sizeof(rfl_view_ref_t));
    t->spare = malloc(RFL_VIEW_REFS * sizeof(rfl_view_ref_t));

    if (t->refs == NULL || t->spare == NULL) {
        return RFL_NO_MEMORY;
    }

    rc = rfl_tally_init(&t->rows, RFL_VIEW_WINDOW, 1, 0);

    if (rc == RFL_OK && t->rank) {
        rc = rfl_top_init(&v->top, page->limit + 1, page->ascending);
    }

    return rc;
}


void
rfl_view_tally_close(rfl_view_t *v)
{
    if (v->tally == NULL) {
        return;
    }

    rfl_tally_free(&v->tally->rows);
    free(v->tally->refs);
    free(v->tally->spare);
    free(v->tally);

    rfl_view_tallies--;
}


rfl_rc_t
rfl_view_tally_ids(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t  rc;

    rc = rfl_view_tally_pass(v);

    if (rc == RFL_OK && v->tally->compare && !v->tally->before) {
        v->tally->before = 1;
        v->pass.next = 0;
        rc = rfl_view_tally_pass(v);
    }

    return rfl_view_tally_full(v, rc);
}


static rfl_rc_t
rfl_view_tally_pass(rfl_view_t *v)
{
    rfl_rc_t    rc;
    uint32_t    block;
    rfl_cell_t  cell;

    rc = rfl_view_tally_start(v);
    if (rc != RFL_OK) {
        return rc;
    }

    block = v->pass.next / RFL_HISTORY_BLOCK;

    while (v->pass.next < v->pass.end) {

        if (v->work == 0) {
            return RFL_BUSY;
        }

        rc = rfl_view_tally_cell(v, v->pass.next, &cell);

        if (rc == RFL_OK) {
            rfl_view_spend(v, 1);
            rc = rfl_view_tally_id(v, v->pass.next, &cell);
        }

        if (rc == RFL_OK) {
            rc = rfl_view_next_id(&v->pass, &v->totals, v->rt->registry);
        }

        if (rc != RFL_OK) {
            return rc;
        }

        if (v->pass.next / RFL_HISTORY_BLOCK != block) {
            block = v->pass.next / RFL_HISTORY_BLOCK;
            v->tally->merged = 0;
        }
    }

    return RFL_OK;
}


/*
 * Also ids that this registry does not know, of one that was restored from a
 * backup, may have counts.
 */

static rfl_rc_t
rfl_view_tally_start(rfl_view_t *v)
{
    uint32_t             next_id, max_id;
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    if (v->pass.next != 0) {
        return RFL_OK;
    }

    rc = rfl_registry_meta(v->rt->registry, &meta);
    if (rc != RFL_OK) {
        return rc;
    }

    v->pass.next = 1;
    v->pass.end = meta.next_id;
    v->pass.occupied = 0;
    v->tally->merged = 0;

    if (v->totals.counters != NULL) {
        next_id = rfl_counters_issued(v->totals.counters);
        v->pass.end = v->pass.end > next_id ? v->pass.end : next_id;
    }

    if (v->totals.ledger != NULL) {
        rc = rfl_ledger_max_id(v->totals.ledger, &max_id);

        if (rc == RFL_OK && max_id >= v->pass.end) {
            v->pass.end = max_id < RFL_COUNTERS_MAX_IDS ? max_id + 1
                                                        : RFL_COUNTERS_MAX_IDS;
        }

        rc = rc == RFL_NOT_FOUND ? RFL_OK : rc;
    }

    if (v->pass.end > RFL_COUNTERS_MAX_IDS) {
        v->pass.end = RFL_COUNTERS_MAX_IDS;
    }

    return rc;
}


static rfl_rc_t
rfl_view_tally_cell(rfl_view_t *v, uint32_t id, rfl_cell_t *cell)
{
    rfl_rc_t             rc;
    const rfl_period_t  *period;

    if (v->period.nranges == 0) {
        return rfl_view_cell(v, id, cell);
    }

    if (!v->tally->merged) {
        period = v->tally->before ? &v->previous : &v->period;

        rc = rfl_view_merge(v, RFL_MERGE_BLOCK, period,
                            id / RFL_HISTORY_BLOCK);
        if (rc != RFL_OK) {
            return rc;
        }

        v->tally->merged = 1;
    }

    *cell = v->merge.sum.block.cells[id % RFL_HISTORY_BLOCK];

    return RFL_OK;
}


/* RFL_BUSY: nothing of it was counted. */

static rfl_rc_t
rfl_view_tally_id(rfl_view_t *v, uint32_t id, const rfl_cell_t *cell)
{
    int                 is_zero;
    rfl_rc_t            rc;
    rfl_link_t          link;
    rfl_group_t         group;
    rfl_view_tally_t   *t;

    t = v->tally;
    is_zero = (rfl_cell_requests(cell) == 0);

    /* rows say how many links they have */

    if (is_zero && (t->before || t->by == RFL_TALLY_HOST)) {
        return RFL_OK;
    }

    rc = rfl_registry_link(v->rt->registry, id, &link);

    v->pass.occupied |= (!is_zero || rc == RFL_OK);

    if (rc == RFL_OK) {
        return rfl_view_tally_link(v, &link, cell);
    }

    if (is_zero) {
        return rc == RFL_NOT_FOUND ? RFL_OK : rc;
    }

    if (rc == RFL_NOT_FOUND) {
        rc = rfl_registry_group(v->rt->registry, id, &group);
    }

    if (rc == RFL_OK && group.links > 1) {
        return rfl_view_tally_group(v, &group, cell);
    }

    if (rc == RFL_OK || rc == RFL_NOT_FOUND) {
        rfl_view_tally_add(t->removed[t->before], cell);
        return RFL_OK;
    }

    return rc;
}


static rfl_rc_t
rfl_view_tally_link(rfl_view_t *v, const rfl_link_t *link,
    const rfl_cell_t *cell)
{
    size_t             i, n, row;
    rfl_rc_t           rc;
    rfl_str_t          names[RFL_TALLY_NAMES_MAX];
    rfl_tally_row_t   *r;
    rfl_view_tally_t  *t;

    t = v->tally;

    n = rfl_tally_names(t->by, link, names);

    for (i = 0; i < n; i++) {
        rc = rfl_tally_add(&t->rows, names[i], &row);
        if (rc != RFL_OK) {
            return rc;
        }

        r = rfl_tally_row(&t->rows, row);
        r->links += !t->before;
        rfl_view_tally_add(r->sums + t->before * RFL_CELL_SUMS, cell);
    }

    rfl_view_spend(v, n / 2);

    return RFL_OK;
}


/* Rows that a member has brought since the pass went by are not there yet. */

static rfl_rc_t
rfl_view_tally_group(rfl_view_t *v, const rfl_group_t *group,
    const rfl_cell_t *cell)
{
    size_t             i, row;
    rfl_rc_t           rc;
    rfl_tally_row_t   *r;
    rfl_view_tally_t  *t;

    t = v->tally;

    if (t->by == RFL_TALLY_HOST && !rfl_view_spans_hosts(group)) {
        return RFL_OK;
    }

    rc = rfl_view_walk(v, group->id);
    if (rc != RFL_OK) {
        return rc;
    }

    if (t->walk.n == 0) {
        t->shared_groups += !t->before;
        rfl_view_tally_add(t->shared[t->before], cell);
        return RFL_OK;
    }

    for (i = 0; t->by != RFL_TALLY_HOST && i < t->walk.n; i++) {
        rc = rfl_tally_find(&t->rows, t->walk.hashes[i], &row);

        if (rc == RFL_OK) {
            r = rfl_tally_row(&t->rows, row);
            rfl_view_tally_add(r->sums + t->before * RFL_CELL_SUMS, cell);
        }
    }

    return RFL_OK;
}


static void
rfl_view_tally_add(uint64_t *sums, const rfl_cell_t *cell)
{
    size_t  i;

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        sums[i] += cell->n[i];
    }
}


static rfl_rc_t
rfl_view_tally_full(rfl_view_t *v, rfl_rc_t rc)
{
    if (rc == RFL_FULL) {
        (void) rfl_query_refuse(&v->fault, 503, "RowsTooMany",
                                "there are more than %d rows: ask for /links "
                                "with a filter", RFL_TALLY_MAX);
    }

    return rc;
}


/* RFL_OK: v->tally->walk has the rows. */

static rfl_rc_t
rfl_view_walk(rfl_view_t *v, uint32_t group)
{
    rfl_rc_t          rc;
    rfl_link_t        link;
    rfl_view_walk_t  *walk;

    walk = &v->tally->walk;

    if (walk->group != group) {
        walk->group = group;
        walk->next_member = 0;
        walk->started = 0;
        walk->done = 0;
        walk->n = 0;
    }

    while (!walk->done) {

        if (v->work == 0) {
            return RFL_BUSY;
        }

        rfl_view_spend(v, RFL_VIEW_MEMBER_WORK);

        rc = rfl_registry_next_member(v->rt->registry, group,
                                      &walk->next_member);

        if (rc == RFL_NOT_FOUND) {
            walk->done = 1;
            break;
        }

        if (rc == RFL_OK) {
            rc = rfl_registry_link(v->rt->registry, walk->next_member, &link);
        }

        if (rc == RFL_OK) {
            rc = rfl_view_walk_member(v, &link);
        }

        if (rc != RFL_OK) {
            return rc;
        }

        walk->next_member++;
    }

    return RFL_OK;
}


/* What the members before have, and this one has not, goes. */

static rfl_rc_t
rfl_view_walk_member(rfl_view_t *v, const rfl_link_t *link)
{
    size_t            i, k, n, kept;
    uint64_t          hashes[RFL_TALLY_NAMES_MAX];
    rfl_rc_t          rc;
    rfl_view_walk_t  *walk;

    walk = &v->tally->walk;

    if (!walk->started) {
        rc = rfl_view_hashes(v, link, walk->hashes, &walk->n);
        walk->started = (rc == RFL_OK);

        return rc;
    }

    rc = rfl_view_hashes(v, link, hashes, &n);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_view_spend(v, walk->n * n / 256);

    for (i = 0, kept = 0; i < walk->n; i++) {
        for (k = 0; k < n; k++) {
            if (walk->hashes[i] == hashes[k]) {
                walk->hashes[kept++] = hashes[k];
                break;
            }
        }
    }

    walk->n = kept;
    walk->done = (kept == 0);

    return RFL_OK;
}


static rfl_rc_t
rfl_view_hashes(rfl_view_t *v, const rfl_link_t *link, uint64_t *hashes,
    size_t *n)
{
    size_t     i;
    rfl_rc_t   rc;
    rfl_str_t  names[RFL_TALLY_NAMES_MAX];

    if (v->tally->by == RFL_TALLY_HOST) {
        *n = 1;
        rc = rfl_view_host(v, link, &names[0]);
        if (rc != RFL_OK) {
            return rc;
        }

    } else {
        *n = rfl_tally_names(v->tally->by, link, names);
    }

    for (i = 0; i < *n; i++) {
        hashes[i] = rfl_tally_hash(names[i]);
    }

    return RFL_OK;
}


/* As a SURT.  A tag link has none. */

static rfl_rc_t
rfl_view_host(rfl_view_t *v, const rfl_link_t *link, rfl_str_t *host)
{
    rfl_rc_t  rc;

    if (link->match_type == RFL_MATCH_TAG) {
        *host = rfl_cstr("");
        return RFL_OK;
    }

    rfl_view_spend(v, RFL_VIEW_HOST_WORK);

    rc = rfl_identity(link, &v->identity, NULL);
    if (rc != RFL_OK) {
        return RFL_DAMAGED;
    }

    *host = rfl_str(v->identity.source.buf, v->identity.source.host_len);

    return RFL_OK;
}


/* The others are of one host by what they are. */

static int
rfl_view_spans_hosts(const rfl_group_t *group)
{
    return group->kind == RFL_SLOT_TAG || group->kind == RFL_SLOT_TAG_TARGET;
}


rfl_rc_t
rfl_view_tally_sort(rfl_view_t *v, rfl_buf_t *b)
{
    return rfl_tally_sort(&v->tally->rows, &v->tally->order, &v->work);
}


/* A value, and where it stands, for each host there is. */

rfl_rc_t
rfl_view_hosts_rank(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t           rc;
    rfl_view_tally_t  *t;

    t = v->tally;

    if (!t->rank) {
        return RFL_OK;
    }

    for ( ;; ) {
        rc = rfl_view_window(v);
        if (rc != RFL_OK) {
            return rc;
        }

        for ( /* void */ ; t->next_row < t->rows.n; t->next_row++) {

            if (v->work == 0) {
                return RFL_BUSY;
            }

            rfl_view_spend(v, 1);
            rfl_view_rank(v, rfl_tally_row(&t->rows, t->next_row));
        }

        if (t->ended) {
            rfl_top_sort(&v->top);
            return RFL_OK;
        }

        rfl_view_window_start(v);
    }
}


static void
rfl_view_rank(rfl_view_t *v, const rfl_tally_row_t *row)
{
    rfl_top_row_t      ranked, after;
    rfl_query_page_t  *page;

    page = &v->query.page;

    ranked.key = row->hash;
    ranked.id = row->id;
    ranked.value = page->name_sort ? v->tally->ordinal++ : row->sums[0];

    if (page->has_after && !page->name_sort) {
        after.value = page->after_value;
        after.key = page->after_key;

        if (!rfl_top_before(&v->top, &after, &ranked)) {
            return;
        }
    }

    rfl_top_add(&v->top, &ranked);
}


static void
rfl_view_window_start(rfl_view_t *v)
{
    rfl_view_tally_t  *t;

    t = v->tally;

    rfl_tally_clear(&t->rows);

    t->next_row = 0;
    t->nrefs = 0;
    t->closed = 0;
    t->summing = 0;
    t->link = 0;
}


/* RFL_OK: rows has hosts and their sums; none: there are no more. */

static rfl_rc_t
rfl_view_window(rfl_view_t *v)
{
    rfl_rc_t           rc;
    rfl_view_tally_t  *t;

    t = v->tally;

    while (!t->closed || t->nrefs != 0) {

        if (!t->summing) {
            rc = rfl_view_gather(v);
            if (rc != RFL_OK) {
                return rc;
            }

            t->summing = 1;
            t->ordered = 0;
            t->sum_before = 0;
            t->next_ref = 0;
        }

        rc = rfl_view_sum(v);
        if (rc != RFL_OK) {
            return rc;
        }

        t->summing = 0;
        t->nrefs = 0;
    }

    return RFL_OK;
}


/* RFL_OK: the window is closed, or there is no room for more ids. */

static rfl_rc_t
rfl_view_gather(rfl_view_t *v)
{
    size_t                 row;
    rfl_rc_t               rc;
    rfl_link_t             link;
    rfl_view_tally_t      *t;
    rfl_registry_place_t   place;

    t = v->tally;
    row = 0;

    while (!t->closed
           && t->nrefs + 1 + RFL_LINK_GROUPS_MAX <= RFL_VIEW_REFS)
    {
        if (v->work == 0) {
            return RFL_BUSY;
        }

        rfl_view_spend(v, 1);

        place.len = t->place.len;
        memcpy(place.key, t->place.key, place.len);

        rc = rfl_registry_next_source(v->rt->registry, &place, &link);

        if (rc == RFL_OK) {
            rc = rfl_view_gather_host(v, &place, &link, &row);
        }

        if (rc == RFL_NOT_FOUND) {
            t->closed = 1;
            t->ended = 1;
            break;
        }

        if (rc == RFL_FULL) {
            t->closed = 1;
            break;
        }

        if (rc == RFL_OK) {
            rc = rfl_view_gather_groups(v, &link, row);
        }

        if (rc != RFL_OK) {
            return rc;
        }

        rfl_view_refer(v, link.id, row);
        rfl_tally_row(&t->rows, row)->links++;

        t->link = 0;
        t->place.len = place.len;
        memcpy(t->place.key, place.key, place.len);
    }

    return RFL_OK;
}


/*
 * Its row.  RFL_FULL: it is of a host the window has no room for; NOT_FOUND:
 * of one that is not wanted any more.
 */

static rfl_rc_t
rfl_view_gather_host(rfl_view_t *v, const rfl_registry_place_t *place,
    const rfl_link_t *link, size_t *row)
{
    rfl_rc_t           rc;
    rfl_str_t          host;
    const u_char      *end;
    rfl_view_tally_t  *t;

    t = v->tally;

    end = memchr(place->key, ')', place->len);

    if (end == NULL || end - place->key > RFL_HOST_MAX + 15) {
        return RFL_DAMAGED;
    }

    host = rfl_str(place->key, (size_t) (end - place->key));

    if (t->rows.n != 0) {
        *row = t->rows.n - 1;

        if (rfl_str_eq(rfl_tally_row(&t->rows, *row)->name, host)) {
            return RFL_OK;
        }
    }

    if ((t->one && !rfl_str_eq(host, rfl_str(t->host, t->host_len)))
        || (rfl_view_ranks_names(v) && rfl_view_is_behind(v, place)))
    {
        return RFL_NOT_FOUND;
    }

    rc = rfl_tally_append(&t->rows, host, row);

    if (rc == RFL_OK) {
        rfl_tally_row(&t->rows, *row)->id = link->id;
    }

    return rc;
}


/*
 * A group counts where its first member is met, unless it spans hosts.  What
 * was looked at before the step's work was done, is not looked at again.
 */

static rfl_rc_t
rfl_view_gather_groups(rfl_view_t *v, const rfl_link_t *link, size_t row)
{
    size_t             n;
    uint32_t           first;
    rfl_rc_t           rc;
    rfl_view_tally_t  *t;
    rfl_membership_t   groups[RFL_LINK_GROUPS_MAX];

    t = v->tally;

    if (rfl_view_ranks_names(v)) {
        return RFL_OK;
    }

    if (t->link != link->id) {
        t->link = link->id;
        t->next_group = 0;
    }

    rfl_view_spend(v, RFL_VIEW_GROUPS_WORK);

    rc = rfl_registry_groups(v->rt->registry, link, groups, &n);

    for ( /* void */ ; rc == RFL_OK && t->next_group < n; t->next_group++) {
        first = 0;

        rc = rfl_registry_next_member(v->rt->registry,
                                      groups[t->next_group].group.id, &first);

        if (rc != RFL_OK || first != link->id) {
            continue;
        }

        if (rfl_view_spans_hosts(&groups[t->next_group].group)) {
            rc = rfl_view_walk(v, groups[t->next_group].group.id);

            if (rc != RFL_OK) {
                return rc;
            }

            if (t->walk.n == 0) {
                continue;
            }
        }

        rfl_view_refer(v, groups[t->next_group].group.id, row);
    }

    return rc;
}


static void
rfl_view_refer(rfl_view_t *v, uint32_t id, size_t row)
{
    rfl_view_ref_t  *ref;

    if (rfl_view_ranks_names(v)) {
        return;
    }

    ref = &v->tally->refs[v->tally->nrefs++];
    ref->id = id;
    ref->row = (uint32_t) row;
}


/* The last names of all: no sums are wanted to find them. */

static int
rfl_view_ranks_names(const rfl_view_t *v)
{
    return v->tally->rank && !v->tally->opened && v->query.page.name_sort;
}


/* Whether the host does not stand before the cursor's. */

static int
rfl_view_is_behind(const rfl_view_t *v, const rfl_registry_place_t *place)
{
    int                      rc;
    size_t                   len;
    const rfl_query_page_t  *page;

    page = &v->query.page;
    len = page->after_name_len;

    if (!page->has_after) {
        return 0;
    }

    rc = memcmp(place->key, page->after_name,
                len < place->len ? len : place->len);

    return rc > 0 || (rc == 0 && place->len > len && place->key[len] >= ')');
}


static rfl_rc_t
rfl_view_sum(rfl_view_t *v)
{
    rfl_rc_t           rc;
    rfl_view_tally_t  *t;

    t = v->tally;

    if (!t->ordered) {
        rfl_view_sort_refs(t);
        t->ordered = 1;
    }

    if (v->period.nranges == 0) {
        return rfl_view_sum_totals(v);
    }

    if (!t->sum_before) {
        rc = rfl_view_sum_period(v, &v->period);

        if (rc != RFL_OK || !t->compare || !t->opened) {
            return rc;
        }

        t->sum_before = 1;
        t->next_ref = 0;
    }

    return rfl_view_sum_period(v, &v->previous);
}


static rfl_rc_t
rfl_view_sum_totals(rfl_view_t *v)
{
    rfl_rc_t           rc;
    rfl_cell_t         cell;
    rfl_view_ref_t    *ref;
    rfl_view_tally_t  *t;

    t = v->tally;

    for ( /* void */ ; t->next_ref < t->nrefs; t->next_ref++) {

        if (v->work == 0) {
            return RFL_BUSY;
        }

        rfl_view_spend(v, 1);

        ref = &t->refs[t->next_ref];

        rc = rfl_view_cell(v, ref->id, &cell);
        if (rc != RFL_OK) {
            return rc;
        }

        rfl_view_sum_ref(v, ref, &cell);
    }

    return RFL_OK;
}


/* A block is read once for all its ids; for one id, that id alone. */

static rfl_rc_t
rfl_view_sum_period(rfl_view_t *v, const rfl_period_t *period)
{
    size_t             i, end;
    uint32_t           block;
    rfl_rc_t           rc;
    rfl_view_ref_t    *refs;
    rfl_view_tally_t  *t;

    t = v->tally;
    refs = t->refs;

    while (t->next_ref < t->nrefs) {

        if (v->work == 0) {
            return RFL_BUSY;
        }

        block = refs[t->next_ref].id / RFL_HISTORY_BLOCK;

        for (end = t->next_ref + 1;
             end < t->nrefs && refs[end].id / RFL_HISTORY_BLOCK == block;
             end++)
        {
            /* void */
        }

        if (end == t->next_ref + 1) {
            rc = rfl_view_merge(v, RFL_MERGE_CELL, period,
                                refs[t->next_ref].id);

        } else {
            rc = rfl_view_merge(v, RFL_MERGE_BLOCK, period, block);
        }

        if (rc != RFL_OK) {
            return rc;
        }

        rfl_view_spend(v, RFL_HISTORY_BLOCK);

        if (end == t->next_ref + 1) {
            rfl_view_sum_ref(v, &refs[t->next_ref], &v->merge.sum.cell);

        } else {
            for (i = t->next_ref; i < end; i++) {
                rfl_view_sum_ref(v, &refs[i],
                                 &v->merge.sum.block.cells[refs[i].id
                                                      % RFL_HISTORY_BLOCK]);
            }
        }

        t->next_ref = end;
    }

    return RFL_OK;
}


static void
rfl_view_sum_ref(rfl_view_t *v, const rfl_view_ref_t *ref,
    const rfl_cell_t *cell)
{
    rfl_tally_row_t   *row;
    rfl_view_tally_t  *t;

    t = v->tally;
    row = rfl_tally_row(&t->rows, ref->row);

    if (t->opened) {
        rfl_view_tally_add(row->sums + t->sum_before * RFL_CELL_SUMS, cell);

    } else {
        row->sums[0] += cell->n[v->query.page.field];
    }
}


/*
 * In the order of ids, by two digits: comparing would take milliseconds.  Few
 * are put where they belong one by one.
 */

static void
rfl_view_sort_refs(rfl_view_tally_t *t)
{
    size_t           i, k;
    uint32_t         pass, shift, n, sum, mask;
    rfl_view_ref_t   ref, *swap;

    if (t->nrefs <= RFL_VIEW_SORT_FEW) {

        for (i = 1; i < t->nrefs; i++) {
            ref = t->refs[i];

            for (k = i; k > 0 && t->refs[k - 1].id > ref.id; k--) {
                t->refs[k] = t->refs[k - 1];
            }

            t->refs[k] = ref;
        }

        return;
    }

    mask = (1u << RFL_VIEW_SORT_BITS) - 1;

    memset(t->digits, 0, sizeof(t->digits));

    for (i = 0; i < t->nrefs; i++) {
        t->digits[0][t->refs[i].id & mask]++;
        t->digits[1][t->refs[i].id >> RFL_VIEW_SORT_BITS]++;
    }

    for (pass = 0; pass < 2; pass++) {

        for (i = 0, sum = 0; i <= mask; i++) {
            n = t->digits[pass][i];
            t->digits[pass][i] = sum;
            sum += n;
        }

        shift = pass * RFL_VIEW_SORT_BITS;

        for (i = 0; i < t->nrefs; i++) {
            k = t->digits[pass][t->refs[i].id >> shift & mask]++;
            t->spare[k] = t->refs[i];
        }

        swap = t->refs;
        t->refs = t->spare;
        t->spare = swap;
    }
}


rfl_rc_t
rfl_view_tally_head(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t           rc;
    rfl_query_page_t  *page;
    rfl_view_tally_t  *t;

    static const char  *const  names[] = { "hosts", "channels", "partners",
                                           "labels" };

    t = v->tally;
    page = &v->query.page;

    rc = t->by == RFL_TALLY_HOST ? rfl_view_hosts_show(v) : RFL_OK;

    if (rc != RFL_OK) {
        return rc;
    }

    if (t->by != RFL_TALLY_HOST && page->has_after) {
        t->next_row = rfl_tally_after(&t->rows, &t->order, page->after_value,
                                      page->after_key,
                                      rfl_str(page->after_name,
                                              page->after_name_len));
    }

    if (rfl_view_is_csv(v)) {
        rfl_report_csv_sums_head(b, t->compare);
        return RFL_OK;
    }

    rfl_buf_text(b, "{");
    rfl_view_periods(v, b);
    rfl_json_name(b, names[t->by]);
    rfl_buf_text(b, "[");

    return RFL_OK;
}


static rfl_rc_t
rfl_view_hosts_show(rfl_view_t *v)
{
    size_t             width;
    rfl_query_page_t  *page;
    rfl_view_tally_t  *t;

    t = v->tally;
    page = &v->query.page;
    width = t->compare ? 2 * RFL_CELL_SUMS : RFL_CELL_SUMS;

    t->opened = 1;
    t->ended = 0;
    t->place.len = 0;

    if (!t->rank && page->has_after) {
        rfl_view_seek_host(t, rfl_str(page->after_name, page->after_name_len),
                           ')' + 1);
    }

    rfl_tally_free(&t->rows);

    (void) rfl_tally_init(&t->rows, RFL_VIEW_SHOWN, width, 0);

    rfl_view_window_start(v);

    return RFL_OK;
}


/* Sources are in the order of host and ")". */

static void
rfl_view_seek_host(rfl_view_tally_t *t, rfl_str_t host, u_char next)
{
    if (host.len != 0) {
        memcpy(t->place.key, host.data, host.len);
    }

    t->place.key[host.len] = next;
    t->place.len = host.len + 1;
}


rfl_rc_t
rfl_view_tally_rows(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_tally_row_t   *row;
    rfl_view_tally_t  *t;

    t = v->tally;

    for ( /* void */ ; t->next_row < t->rows.n; t->next_row++) {

        if (v->rows == v->query.page.limit) {
            v->has_next = 1;
            return RFL_OK;
        }

        if (b->len > RFL_VIEW_STEP_BYTES) {
            return RFL_BUSY;
        }

        row = rfl_tally_row(&t->rows, t->rows.order[t->next_row]);

        t->last_row.value = row->sums[t->order.field];
        t->last_row.key = row->hash;

        rfl_view_tally_row(v, b, row);
    }

    return RFL_OK;
}


rfl_rc_t
rfl_view_hosts_rows(rfl_view_t *v, rfl_buf_t *b)
{
    return v->tally->rank ? rfl_view_hosts_sorted(v, b)
                          : rfl_view_hosts_by_name(v, b);
}


/* A window is no longer than the page: it costs what it has. */

static rfl_rc_t
rfl_view_hosts_by_name(rfl_view_t *v, rfl_buf_t *b)
{
    uint64_t           left;
    rfl_rc_t           rc;
    rfl_view_tally_t  *t;

    t = v->tally;

    for ( ;; ) {
        left = v->query.page.limit - v->rows;

        if (t->rows.n == 0 && left < RFL_VIEW_SHOWN) {
            t->rows.max = (size_t) left + 1;
        }

        rc = rfl_view_window(v);
        if (rc != RFL_OK) {
            return rc;
        }

        for ( /* void */ ; t->next_row < t->rows.n; t->next_row++) {

            if (v->rows == v->query.page.limit) {
                v->has_next = 1;
                return RFL_OK;
            }

            if (b->len > RFL_VIEW_STEP_BYTES) {
                return RFL_BUSY;
            }

            rfl_view_tally_row(v, b, rfl_tally_row(&t->rows, t->next_row));
        }

        if (t->ended) {
            return RFL_OK;
        }

        rfl_view_window_start(v);
    }
}


/* Hosts whose first link was removed since the ranking are passed over. */

static rfl_rc_t
rfl_view_hosts_sorted(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t           rc;
    rfl_view_tally_t  *t;

    t = v->tally;
    v->has_next = v->top.n > v->query.page.limit;

    for ( /* void */ ;
          v->next_row < v->top.n && v->next_row < v->query.page.limit;
          v->next_row++)
    {
        if (b->len > RFL_VIEW_STEP_BYTES || v->work == 0) {
            return RFL_BUSY;
        }

        if (!t->one) {
            rc = rfl_view_hosts_seek_top(v);

            if (rc == RFL_NOT_FOUND) {
                continue;
            }

            if (rc != RFL_OK) {
                return rc;
            }
        }

        rc = rfl_view_window(v);
        if (rc != RFL_OK) {
            return rc;
        }

        t->one = 0;
        t->last_row = v->top.rows[v->next_row];

        if (t->rows.n != 0) {
            rfl_view_tally_row(v, b, rfl_tally_row(&t->rows, 0));
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_hosts_seek_top(rfl_view_t *v)
{
    rfl_rc_t           rc;
    rfl_str_t          host;
    rfl_link_t         link;
    rfl_view_tally_t  *t;

    t = v->tally;

    rc = rfl_registry_link(v->rt->registry, v->top.rows[v->next_row].id,
                           &link);

    if (rc == RFL_OK) {
        rc = rfl_view_host(v, &link, &host);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    t->host_len = host.len;

    if (host.len != 0) {
        memcpy(t->host, host.data, host.len);
    }

    t->one = 1;

    rfl_view_window_start(v);
    rfl_view_seek_host(t, host, ')');

    return RFL_OK;
}


static void
rfl_view_tally_row(rfl_view_t *v, rfl_buf_t *b, const rfl_tally_row_t *row)
{
    int                 more;
    u_char              name[RFL_HOST_MAX + 16];
    rfl_view_tally_t   *t;
    rfl_report_sums_t   shown;

    t = v->tally;
    more = (v->rows++ != 0);

    rfl_view_spend(v, 1);

    t->last_len = row->name.len < sizeof(t->last) ? row->name.len
                                                  : sizeof(t->last);
    memcpy(t->last, row->name.data, t->last_len);

    shown.name = t->by == RFL_TALLY_HOST ? rfl_tally_host(row->name, name)
                                         : row->name;
    shown.links = row->links;
    shown.sums = row->sums;
    shown.previous = t->compare ? row->sums + RFL_CELL_SUMS : NULL;

    if (rfl_view_is_csv(v)) {
        rfl_report_csv_sums(b, &shown);
        return;
    }

    if (more) {
        rfl_buf_text(b, ",");
    }

    rfl_report_sums(b, &shown);
}


rfl_rc_t
rfl_view_tally_end(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_view_tally_t  *t;

    t = v->tally;

    if (rfl_view_is_csv(v)) {
        return RFL_OK;
    }

    rfl_buf_text(b, "]");
    rfl_json_name(b, "next");
    rfl_view_tally_cursor(v, b);

    rfl_json_name(b, "shared");
    rfl_buf_text(b, "{");
    rfl_view_member_u64(b, "groups", t->shared_groups);
    rfl_report_sums_members(b, t->shared[0], t->compare ? t->shared[1] : NULL);
    rfl_buf_text(b, "}");

    rfl_json_name(b, "removed");
    rfl_buf_text(b, "{");
    rfl_report_sums_members(b, t->removed[0],
                            t->compare ? t->removed[1] : NULL);
    rfl_buf_text(b, "}}\n");

    return RFL_OK;
}


static void
rfl_view_tally_cursor(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_view_tally_t  *t;

    t = v->tally;

    if (!v->has_next) {
        rfl_buf_text(b, "null");

    } else if (v->query.page.name_sort) {
        rfl_view_name_cursor(b, rfl_str(t->last, t->last_len));

    } else {
        rfl_view_cursor(b, &t->last_row);
    }
}


/* As hex: names may have any bytes, a cursor goes into a URL as it is. */

static void
rfl_view_name_cursor(rfl_buf_t *b, rfl_str_t name)
{
    size_t  i;

    rfl_buf_text(b, "\"n");

    for (i = 0; i < name.len; i++) {
        rfl_buf_fmt(b, "%02x", name.data[i]);
    }

    rfl_buf_text(b, "\"");
}
