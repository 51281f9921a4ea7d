/*
 * See rfl_sources.h.
 *
 * To choose whom to forget takes no pass over the rows: the young ones are a
 * list by their last clicks, the proven ones a heap by how many they have, and
 * each owner's are counted.  All are looked at only where an owner has its
 * share, or another one more than that; what it takes lies side by side, apart
 * from the rows themselves.
 *
 * Rows are found by a hash of their source and landing with a secret: who
 * chooses them must not be able to make them meet.  Equal hashes of 128 bits
 * are taken for equal rows.
 *
 * Why the bound holds.  Let "most" be a row's clicks when it is forgotten, and
 * those before: all its source and landing ever had.  floor is raised to it;
 * each of its four numbers to what it is above start, the floor when the filter
 * began; neither is ever lowered.  As whoever comes gets a row at once, no
 * click happens outside of a row.  So of what is in no row, floor is a bound
 * still, and so is start plus the least of its numbers: either it was forgotten
 * since the filter began, and they were raised, or before, and start bounds it.
 */

#include "rfl_fold.h"
#include "rfl_hash.h"
#include "rfl_sources.h"
#include "rfl_varint.h"

#include <stdlib.h>


#define RFL_SOURCE_VERSION   1

#define RFL_SOURCES_ROWS_MIN 16
#define RFL_SOURCES_CELL_MAX UINT16_MAX  /* and above: it does not know */

#define RFL_SOURCES_NONE     UINT32_MAX

/* A chunk's first byte: cells that are not 0, as pairs of distance and number;
 * or a half byte for each, and numbers of 15 and above behind them. */

#define RFL_SOURCES_SPARSE   1
#define RFL_SOURCES_DENSE    2

#define RFL_SOURCES_NIBBLES  (RFL_SOURCES_CHUNK / 2)
#define RFL_SOURCES_NIBBLE   15


enum {
    RFL_SOURCES_FREE = 0,
    RFL_SOURCES_YOUNG,
    RFL_SOURCES_PROVEN
};


/* Whose rows they are; neither: the place is free. */

typedef struct {
    uint64_t           owner;
    uint32_t           young;
    uint32_t           proven;
} rfl_sources_owner_t;


struct rfl_sources_s {
    uint32_t           max;
    uint32_t           proven_max;
    uint32_t           owner_young;      /* one owner's, if all are taken */
    uint32_t           owner_proven;
    uint32_t           used;             /* rows below it were ever used */
    uint32_t           nrows;
    uint32_t           nproven;
    uint64_t           floor;
    uint64_t           start;            /* the floor when the filter began */

    /* by row */

    uint8_t           *state;
    uint8_t           *dirty;
    uint64_t          *owner;
    uint64_t          *rank;
    rfl_hash_t        *hash;
    rfl_sources_entry_t      *rows;

    /* the young ones, the last that was clicked first */

    uint32_t          *next;
    uint32_t          *prev;
    uint32_t           head;
    uint32_t           tail;

    /* the proven ones, the one with the lowest rank first */

    uint32_t          *heap;
    uint32_t          *heap_at;          /* by row */

    uint32_t          *index;            /* row + 1, open addressing */
    rfl_sources_owner_t  *owners;        /* likewise, as large */
    uint32_t           index_mask;
    uint32_t           ngreedy;          /* owners with more than their share */

    uint16_t          *filter;
    int                filtered;         /* it is not all zeroes */
    rfl_hash_secret_t  secret;
};


static rfl_hash_t rfl_sources_hash(const rfl_sources_t *t,
    const rfl_sources_entry_t *source);
static uint64_t rfl_sources_owner(const rfl_sources_t *t,
    const rfl_sources_entry_t *source);
static uint32_t rfl_sources_lookup(const rfl_sources_t *t, rfl_hash_t hash);
static void rfl_sources_bump(rfl_sources_t *t, uint32_t i,
    const rfl_sources_entry_t *source);
static void rfl_sources_enter(rfl_sources_t *t, rfl_hash_t hash,
    const rfl_sources_entry_t *source);
static uint32_t rfl_sources_room(rfl_sources_t *t,
    const rfl_sources_entry_t *source);
static void rfl_sources_place(rfl_sources_t *t, uint32_t i, rfl_hash_t hash,
    const rfl_sources_entry_t *source);
static uint32_t rfl_sources_victim(const rfl_sources_t *t, uint64_t owner);
static void rfl_sources_promote(rfl_sources_t *t, uint32_t i);
static void rfl_sources_prove(rfl_sources_t *t, uint32_t i);
static void rfl_sources_demote(rfl_sources_t *t, uint32_t i);
static uint32_t rfl_sources_rival(const rfl_sources_t *t, uint32_t i);
static void rfl_sources_less(const rfl_sources_t *t, uint32_t k,
    uint32_t *least);
static void rfl_sources_forget(rfl_sources_t *t, uint32_t i);
static uint64_t rfl_sources_filter_get(const rfl_sources_t *t,
    rfl_hash_t hash);
static void rfl_sources_filter_raise(rfl_sources_t *t, rfl_hash_t hash,
    uint64_t n);
static uint16_t *rfl_sources_cell(const rfl_sources_t *t, rfl_hash_t hash,
    unsigned row);
static void rfl_sources_put_sparse(const uint16_t *cells, rfl_buf_t *b);
static void rfl_sources_put_dense(const uint16_t *cells, rfl_buf_t *b);
static rfl_rc_t rfl_sources_get_sparse(uint16_t *cells, rfl_str_t rest);
static rfl_rc_t rfl_sources_get_dense(uint16_t *cells, rfl_str_t rest);
static void rfl_sources_clear_filter(rfl_sources_t *t);
static void rfl_sources_link_young(rfl_sources_t *t, uint32_t i);
static void rfl_sources_unlink_young(rfl_sources_t *t, uint32_t i);
static void rfl_sources_index_add(rfl_sources_t *t, uint32_t i);
static void rfl_sources_index_remove(rfl_sources_t *t, uint32_t i);
static rfl_sources_owner_t *rfl_sources_owner_of(const rfl_sources_t *t,
    uint64_t owner);
static void rfl_sources_owner_gone(rfl_sources_t *t,
    rfl_sources_owner_t *gone);
static uint32_t rfl_sources_owner_home(const rfl_sources_t *t,
    uint64_t owner);
static void rfl_sources_heap_up(rfl_sources_t *t, uint32_t i);
static void rfl_sources_heap_down(rfl_sources_t *t, uint32_t i);
static void rfl_sources_heap_put(rfl_sources_t *t, uint32_t at, uint32_t i);
static int rfl_sources_is_less(const rfl_sources_t *t, uint32_t i,
    uint32_t k);
static rfl_ended_t rfl_source_ended(unsigned class, unsigned status);
static void rfl_source_set_host(rfl_sources_entry_t *source, rfl_str_t host,
    int is_cut);


const rfl_str_t  rfl_ended_names[RFL_ENDS] = {
    [RFL_ENDED_OK]  = rfl_string("ok"),
    [RFL_ENDED_404] = rfl_string("404"),
    [RFL_ENDED_410] = rfl_string("410"),
    [RFL_ENDED_4XX] = rfl_string("4xx"),
    [RFL_ENDED_5XX] = rfl_string("5xx")
};


rfl_sources_t *
rfl_sources_create(uint32_t rows)
{
    uint32_t        size;
    rfl_sources_t  *t;

    if (rows < RFL_SOURCES_ROWS_MIN) {
        return NULL;
    }

    t = calloc(1, sizeof(rfl_sources_t));
    if (t == NULL) {
        return NULL;
    }

    for (size = 4; size < 2 * rows; size *= 2) { /* void */ }

    t->max = rows;
    t->proven_max = rows - rows / 4;
    t->owner_young = rows / 4 / 8 + 1;
    t->owner_proven = t->proven_max / 8;
    t->index_mask = size - 1;

    t->state = calloc(rows, sizeof(uint8_t));
    t->dirty = calloc(rows, sizeof(uint8_t));
    t->owner = calloc(rows, sizeof(uint64_t));
    t->rank = calloc(rows, sizeof(uint64_t));
    t->hash = calloc(rows, sizeof(rfl_hash_t));
    t->rows = calloc(rows, sizeof(rfl_sources_entry_t));
    t->next = calloc(rows, sizeof(uint32_t));
    t->prev = calloc(rows, sizeof(uint32_t));
    t->heap = calloc(rows, sizeof(uint32_t));
    t->heap_at = calloc(rows, sizeof(uint32_t));
    t->index = calloc(size, sizeof(uint32_t));
    t->owners = calloc(size, sizeof(rfl_sources_owner_t));
    t->filter = calloc((size_t) RFL_SOURCES_DEPTH * RFL_SOURCES_CELLS,
                       sizeof(uint16_t));

    if (t->state == NULL || t->dirty == NULL || t->owner == NULL
        || t->rank == NULL || t->hash == NULL || t->rows == NULL
        || t->next == NULL || t->prev == NULL || t->heap == NULL
        || t->heap_at == NULL || t->index == NULL || t->owners == NULL
        || t->filter == NULL
        || rfl_hash_secret(&t->secret) != RFL_OK)
    {
        rfl_sources_free(t);
        return NULL;
    }

    rfl_sources_clear(t);

    return t;
}


void
rfl_sources_free(rfl_sources_t *t)
{
    if (t == NULL) {
        return;
    }

    free(t->state);
    free(t->dirty);
    free(t->owner);
    free(t->rank);
    free(t->hash);
    free(t->rows);
    free(t->next);
    free(t->prev);
    free(t->heap);
    free(t->heap_at);
    free(t->index);
    free(t->owners);
    free(t->filter);
    free(t);
}


void
rfl_sources_clear(rfl_sources_t *t)
{
    t->used = 0;
    t->nrows = 0;
    t->nproven = 0;
    t->ngreedy = 0;
    t->floor = 0;
    t->start = 0;
    t->head = RFL_SOURCES_NONE;
    t->tail = RFL_SOURCES_NONE;

    memset(t->state, RFL_SOURCES_FREE, t->max);
    memset(t->dirty, 0, t->max);
    memset(t->index, 0, ((size_t) t->index_mask + 1) * sizeof(uint32_t));
    memset(t->owners, 0, ((size_t) t->index_mask + 1)
                         * sizeof(rfl_sources_owner_t));

    rfl_sources_clear_filter(t);
}


/* Memory that was never touched takes none. */

static void
rfl_sources_clear_filter(rfl_sources_t *t)
{
    if (t->filtered) {
        memset(t->filter, 0, (size_t) RFL_SOURCES_DEPTH * RFL_SOURCES_CELLS
                             * sizeof(uint16_t));
        t->filtered = 0;
    }
}


int
rfl_source_of_event(const rfl_event_t *event, rfl_sources_entry_t *source)
{
    int          is_cut, folded;
    size_t       room;
    rfl_ended_t  ended;

    if (event->class != RFL_CLASS_CLICK && event->class != RFL_CLASS_ERROR) {
        return 0;
    }

    ended = rfl_source_ended(event->class, event->status);

    memset(source, 0, offsetof(rfl_sources_entry_t, text));

    if (event->outcome == RFL_OUTCOME_UNREGISTERED) {

        if (event->source_len == 0) {
            return 0;
        }

        rfl_source_set_host(source, rfl_event_source(event),
                            event->flags & RFL_EVENT_SOURCE_CUT);

    } else if (rfl_outcome_is_match(event->outcome)
               && ended != RFL_ENDED_OK && event->id != 0)
    {
        source->kind = event->flags & RFL_EVENT_GROUP ? RFL_SOURCE_GROUP
                                                      : RFL_SOURCE_LINK;
        source->id = event->id;

    } else {
        return 0;
    }

    is_cut = (event->flags & RFL_EVENT_LANDING_CUT) != 0;
    room = RFL_SOURCES_TEXT - source->host_len;

    source->landing_len = (uint8_t)
        rfl_fold_path(rfl_event_landing(event), is_cut,
                      source->text + source->host_len, room, &folded);

    source->folded = (unsigned) folded;
    source->n[ended] = 1;
    source->rank = 1;
    source->first = event->time_ms / 1000;
    source->last = source->first;

    return 1;
}


static rfl_ended_t
rfl_source_ended(unsigned class, unsigned status)
{
    if (class == RFL_CLASS_CLICK) {
        return RFL_ENDED_OK;
    }

    switch (status) {

    case 404:
        return RFL_ENDED_404;
    case 410:
        return RFL_ENDED_410;
    default:
        return status >= 500 ? RFL_ENDED_5XX : RFL_ENDED_4XX;
    }
}


static void
rfl_source_set_host(rfl_sources_entry_t *source, rfl_str_t host, int is_cut)
{
    memcpy(source->text, host.data, host.len);

    if (is_cut) {
        memcpy(source->text + host.len, RFL_FOLD_MARK, RFL_FOLD_MARK_LEN);
        host.len += RFL_FOLD_MARK_LEN;
    }

    source->host_len = (uint8_t) host.len;
}


void
rfl_sources_add(rfl_sources_t *t, const rfl_sources_entry_t *source)
{
    uint32_t    i;
    rfl_hash_t  hash;

    hash = rfl_sources_hash(t, source);
    i = rfl_sources_lookup(t, hash);

    if (i != RFL_SOURCES_NONE) {
        rfl_sources_bump(t, i, source);

    } else {
        rfl_sources_enter(t, hash, source);
    }
}


static rfl_hash_t
rfl_sources_hash(const rfl_sources_t *t, const rfl_sources_entry_t *source)
{
    size_t  len;
    u_char  bytes[6 + RFL_SOURCES_TEXT];

    bytes[0] = (u_char) source->kind;
    bytes[1] = source->host_len;
    memcpy(bytes + 2, &source->id, 4);

    len = (size_t) source->host_len + source->landing_len;
    memcpy(bytes + 6, source->text, len);

    return rfl_hash_seeded(bytes, 6 + len, &t->secret);
}


static uint64_t
rfl_sources_owner(const rfl_sources_t *t, const rfl_sources_entry_t *source)
{
    if (source->kind != RFL_SOURCE_STRANGER) {
        return (uint64_t) source->kind << 32 | source->id;
    }

    return rfl_hash_seeded(source->text, source->host_len, &t->secret).low;
}


static uint32_t
rfl_sources_lookup(const rfl_sources_t *t, rfl_hash_t hash)
{
    uint32_t  at, i;

    for (at = (uint32_t) hash.low & t->index_mask;
         t->index[at] != 0;
         at = (at + 1) & t->index_mask)
    {
        i = t->index[at] - 1;

        if (t->hash[i].low == hash.low && t->hash[i].high == hash.high) {
            return i;
        }
    }

    return RFL_SOURCES_NONE;
}


static void
rfl_sources_bump(rfl_sources_t *t, uint32_t i,
    const rfl_sources_entry_t *source)
{
    unsigned       ended;
    rfl_sources_entry_t  *row;

    row = &t->rows[i];

    for (ended = 0; ended < RFL_ENDS; ended++) {
        row->n[ended] += source->n[ended];
    }

    row->rank += source->rank;
    t->rank[i] = row->rank;

    if (row->first > source->first) {
        row->first = source->first;      /* rings are read one by one */
    }

    if (row->last < source->last) {
        row->last = source->last;
    }

    t->dirty[i] = 1;

    if (t->state[i] == RFL_SOURCES_YOUNG) {
        rfl_sources_unlink_young(t, i);
        rfl_sources_link_young(t, i);
        rfl_sources_promote(t, i);

    } else {
        rfl_sources_heap_down(t, i);
    }
}


static void
rfl_sources_enter(rfl_sources_t *t, rfl_hash_t hash,
    const rfl_sources_entry_t *source)
{
    uint32_t       i;
    uint64_t       seen;
    rfl_sources_entry_t  *row;

    i = rfl_sources_room(t, source);
    seen = rfl_sources_filter_get(t, hash);

    rfl_sources_place(t, i, hash, source);

    row = &t->rows[i];

    row->rank += seen;
    row->before = t->start + seen < t->floor ? t->start + seen : t->floor;
    t->rank[i] = row->rank;
    t->dirty[i] = 1;

    rfl_sources_promote(t, i);
}


static uint32_t
rfl_sources_room(rfl_sources_t *t, const rfl_sources_entry_t *source)
{
    uint32_t  i;

    if (t->nrows == t->max) {
        i = rfl_sources_victim(t, rfl_sources_owner(t, source));
        rfl_sources_forget(t, i);

        return i;
    }

    if (t->used < t->max) {
        return t->used++;
    }

    /* of a table that was loaded, and had a row that made no sense */

    for (i = 0; t->state[i] != RFL_SOURCES_FREE; i++) { /* void */ }

    return i;
}


static void
rfl_sources_place(rfl_sources_t *t, uint32_t i, rfl_hash_t hash,
    const rfl_sources_entry_t *source)
{
    rfl_sources_owner_t  *owner;

    memcpy(&t->rows[i], source, offsetof(rfl_sources_entry_t, text)
                                + source->host_len + source->landing_len);

    t->state[i] = RFL_SOURCES_YOUNG;
    t->owner[i] = rfl_sources_owner(t, source);
    t->rank[i] = source->rank;
    t->hash[i] = hash;
    t->nrows++;

    owner = rfl_sources_owner_of(t, t->owner[i]);
    owner->owner = t->owner[i];
    owner->young++;

    rfl_sources_index_add(t, i);
    rfl_sources_link_young(t, i);
}


/*
 * A young row: there is always one, as the proven ones are bounded.  Who has
 * many of them forgets one of its own.
 */

static uint32_t
rfl_sources_victim(const rfl_sources_t *t, uint64_t owner)
{
    uint32_t  i;

    if (rfl_sources_owner_of(t, owner)->young < t->owner_young) {
        return t->tail;
    }

    for (i = t->tail; t->owner[i] != owner; i = t->prev[i]) { /* void */ }

    return i;
}


/* A young row that has clicks enough, and room or more than another one. */

static void
rfl_sources_promote(rfl_sources_t *t, uint32_t i)
{
    uint32_t  other;

    if (t->rank[i] < RFL_SOURCES_SHOWN) {
        return;
    }

    if (t->nproven == t->proven_max) {
        other = rfl_sources_rival(t, i);

        if (other == RFL_SOURCES_NONE) {
            return;
        }

        rfl_sources_demote(t, other);
    }

    rfl_sources_prove(t, i);
}


static void
rfl_sources_prove(rfl_sources_t *t, uint32_t i)
{
    rfl_sources_owner_t  *owner;

    rfl_sources_unlink_young(t, i);
    t->state[i] = RFL_SOURCES_PROVEN;

    owner = rfl_sources_owner_of(t, t->owner[i]);
    owner->young--;
    owner->proven++;
    t->ngreedy += (owner->proven == t->owner_proven + 1);

    rfl_sources_heap_put(t, t->nproven++, i);
    rfl_sources_heap_up(t, i);
}


static void
rfl_sources_demote(rfl_sources_t *t, uint32_t i)
{
    uint32_t              last;
    rfl_sources_owner_t  *owner;

    t->state[i] = RFL_SOURCES_YOUNG;

    owner = rfl_sources_owner_of(t, t->owner[i]);
    t->ngreedy -= (owner->proven == t->owner_proven + 1);
    owner->proven--;
    owner->young++;

    last = t->heap[--t->nproven];

    if (last != i) {
        rfl_sources_heap_put(t, t->heap_at[i], last);
        rfl_sources_heap_up(t, last);
        rfl_sources_heap_down(t, last);
    }

    rfl_sources_link_young(t, i);
}


/*
 * The proven row that is to give way to i: of who has more than its share, the
 * one with the fewest clicks; else of all, if it has fewer than i.  Who has its
 * share already takes from itself.
 */

static uint32_t
rfl_sources_rival(const rfl_sources_t *t, uint32_t i)
{
    int       is_full;
    uint32_t  k, least, greedy, own;

    is_full = rfl_sources_owner_of(t, t->owner[i])->proven >= t->owner_proven;

    least = t->heap[0];
    greedy = RFL_SOURCES_NONE;
    own = RFL_SOURCES_NONE;

    if (is_full) {
        for (k = 0; k < t->used; k++) {
            if (t->state[k] == RFL_SOURCES_PROVEN
                && t->owner[k] == t->owner[i])
            {
                rfl_sources_less(t, k, &own);
            }
        }

    } else if (t->ngreedy != 0) {
        for (k = 0; k < t->used; k++) {
            if (t->state[k] == RFL_SOURCES_PROVEN
                && rfl_sources_owner_of(t, t->owner[k])->proven
                   > t->owner_proven)
            {
                rfl_sources_less(t, k, &greedy);
            }
        }
    }

    if (greedy != RFL_SOURCES_NONE) {
        return greedy;
    }

    if (own != RFL_SOURCES_NONE) {
        least = own;
    }

    return t->rank[least] < t->rank[i] ? least : RFL_SOURCES_NONE;
}


static void
rfl_sources_less(const rfl_sources_t *t, uint32_t k, uint32_t *least)
{
    if (*least == RFL_SOURCES_NONE || rfl_sources_is_less(t, k, *least)) {
        *least = k;
    }
}


static void
rfl_sources_forget(rfl_sources_t *t, uint32_t i)
{
    uint64_t              most, raised;
    rfl_sources_owner_t  *owner;

    most = rfl_source_clicks(&t->rows[i]) + t->rows[i].before;

    if (t->floor < most) {
        t->floor = most;
    }

    /* not less than its rank: what comes back goes on from there */

    raised = most > t->start ? most - t->start : 0;

    rfl_sources_filter_raise(t, t->hash[i], raised > t->rank[i] ? raised
                                                                : t->rank[i]);
    rfl_sources_index_remove(t, i);
    rfl_sources_unlink_young(t, i);

    t->state[i] = RFL_SOURCES_FREE;
    t->nrows--;

    owner = rfl_sources_owner_of(t, t->owner[i]);
    owner->young--;

    if (owner->young + owner->proven == 0) {
        rfl_sources_owner_gone(t, owner);
    }
}


/* How many clicks, at most, it had since the filter began. */

static uint64_t
rfl_sources_filter_get(const rfl_sources_t *t, rfl_hash_t hash)
{
    uint16_t  n, least;
    unsigned  row;

    least = RFL_SOURCES_CELL_MAX;

    for (row = 0; row < RFL_SOURCES_DEPTH; row++) {
        n = *rfl_sources_cell(t, hash, row);
        least = n < least ? n : least;
    }

    return least < RFL_SOURCES_CELL_MAX ? least : t->floor;
}


static void
rfl_sources_filter_raise(rfl_sources_t *t, rfl_hash_t hash, uint64_t n)
{
    uint16_t  *cell, value;
    unsigned   row;

    value = n < RFL_SOURCES_CELL_MAX ? (uint16_t) n : RFL_SOURCES_CELL_MAX;
    t->filtered = 1;

    for (row = 0; row < RFL_SOURCES_DEPTH; row++) {
        cell = rfl_sources_cell(t, hash, row);

        if (*cell < value) {
            *cell = value;
        }
    }
}


/* Four independent numbers of 20 bits; the index uses the low half's low. */

static uint16_t *
rfl_sources_cell(const rfl_sources_t *t, rfl_hash_t hash, unsigned row)
{
    uint64_t  bits;

    bits = row < 2 ? hash.high >> (row * 24) : hash.low >> (16 + row % 2 * 24);

    return &t->filter[(size_t) row * RFL_SOURCES_CELLS
                      + bits % RFL_SOURCES_CELLS];
}


static void
rfl_sources_link_young(rfl_sources_t *t, uint32_t i)
{
    t->prev[i] = RFL_SOURCES_NONE;
    t->next[i] = t->head;

    if (t->head != RFL_SOURCES_NONE) {
        t->prev[t->head] = i;

    } else {
        t->tail = i;
    }

    t->head = i;
}


static void
rfl_sources_unlink_young(rfl_sources_t *t, uint32_t i)
{
    if (t->prev[i] != RFL_SOURCES_NONE) {
        t->next[t->prev[i]] = t->next[i];

    } else {
        t->head = t->next[i];
    }

    if (t->next[i] != RFL_SOURCES_NONE) {
        t->prev[t->next[i]] = t->prev[i];

    } else {
        t->tail = t->prev[i];
    }
}


static void
rfl_sources_index_add(rfl_sources_t *t, uint32_t i)
{
    uint32_t  at;

    for (at = (uint32_t) t->hash[i].low & t->index_mask;
         t->index[at] != 0;
         at = (at + 1) & t->index_mask)
    {
        /* void */
    }

    t->index[at] = i + 1;
}


/* What stands behind it moves up, unless it is nearer to its own place. */

static void
rfl_sources_index_remove(rfl_sources_t *t, uint32_t i)
{
    uint32_t  at, next, home;

    for (at = (uint32_t) t->hash[i].low & t->index_mask;
         t->index[at] != i + 1;
         at = (at + 1) & t->index_mask)
    {
        /* void */
    }

    for (next = (at + 1) & t->index_mask;
         t->index[next] != 0;
         next = (next + 1) & t->index_mask)
    {
        home = (uint32_t) t->hash[t->index[next] - 1].low & t->index_mask;

        if (((next - home) & t->index_mask) >= ((next - at) & t->index_mask))
        {
            t->index[at] = t->index[next];
            at = next;
        }
    }

    t->index[at] = 0;
}


/* Its counts, or the free place where they will be. */

static rfl_sources_owner_t *
rfl_sources_owner_of(const rfl_sources_t *t, uint64_t owner)
{
    uint32_t              at;
    rfl_sources_owner_t  *found;

    for (at = rfl_sources_owner_home(t, owner);
         /* void */ ;
         at = (at + 1) & t->index_mask)
    {
        found = &t->owners[at];

        if (found->owner == owner || found->young + found->proven == 0) {
            return found;
        }
    }
}


/* As rfl_sources_index_remove(). */

static void
rfl_sources_owner_gone(rfl_sources_t *t, rfl_sources_owner_t *gone)
{
    uint32_t  at, next, home;

    at = (uint32_t) (gone - t->owners);

    for (next = (at + 1) & t->index_mask;
         t->owners[next].young + t->owners[next].proven != 0;
         next = (next + 1) & t->index_mask)
    {
        home = rfl_sources_owner_home(t, t->owners[next].owner);

        if (((next - home) & t->index_mask) >= ((next - at) & t->index_mask))
        {
            t->owners[at] = t->owners[next];
            at = next;
        }
    }

    memset(&t->owners[at], 0, sizeof(rfl_sources_owner_t));
}


/* A hash with a secret, or a link's id: who makes such links lost that meet
   here makes each look-up pass no more places than there are rows. */

static uint32_t
rfl_sources_owner_home(const rfl_sources_t *t, uint64_t owner)
{
    return (uint32_t) (owner ^ owner >> 32) & t->index_mask;
}


static void
rfl_sources_heap_up(rfl_sources_t *t, uint32_t i)
{
    uint32_t  at, above;

    for (at = t->heap_at[i]; at != 0; at = above) {
        above = (at - 1) / 2;

        if (!rfl_sources_is_less(t, i, t->heap[above])) {
            break;
        }

        rfl_sources_heap_put(t, at, t->heap[above]);
    }

    rfl_sources_heap_put(t, at, i);
}


static void
rfl_sources_heap_down(rfl_sources_t *t, uint32_t i)
{
    uint32_t  at, below;

    for (at = t->heap_at[i]; 2 * at + 1 < t->nproven; at = below) {
        below = 2 * at + 1;

        if (below + 1 < t->nproven
            && rfl_sources_is_less(t, t->heap[below + 1], t->heap[below]))
        {
            below++;
        }

        if (!rfl_sources_is_less(t, t->heap[below], i)) {
            break;
        }

        rfl_sources_heap_put(t, at, t->heap[below]);
    }

    rfl_sources_heap_put(t, at, i);
}


static void
rfl_sources_heap_put(rfl_sources_t *t, uint32_t at, uint32_t i)
{
    t->heap[at] = i;
    t->heap_at[i] = at;
}


static int
rfl_sources_is_less(const rfl_sources_t *t, uint32_t i, uint32_t k)
{
    return t->rank[i] != t->rank[k] ? t->rank[i] < t->rank[k] : i < k;
}


uint32_t
rfl_sources_max(const rfl_sources_t *t)
{
    return t->max;
}


uint32_t
rfl_sources_used(const rfl_sources_t *t)
{
    return t->nrows;
}


const rfl_sources_entry_t *
rfl_sources_get(const rfl_sources_t *t, uint32_t i)
{
    return i < t->used && t->state[i] != RFL_SOURCES_FREE ? &t->rows[i] : NULL;
}


int
rfl_sources_take_dirty(rfl_sources_t *t, uint32_t i)
{
    int  dirty;

    dirty = t->dirty[i];
    t->dirty[i] = 0;

    return dirty;
}


void
rfl_sources_set_dirty(rfl_sources_t *t, uint32_t i)
{
    t->dirty[i] = 1;
}


const rfl_sources_entry_t *
rfl_sources_find(const rfl_sources_t *t, const rfl_sources_entry_t *source)
{
    uint32_t  i;

    i = rfl_sources_lookup(t, rfl_sources_hash(t, source));

    return i != RFL_SOURCES_NONE ? &t->rows[i] : NULL;
}


uint64_t
rfl_sources_floor(const rfl_sources_t *t)
{
    return t->floor;
}


/*
 * Rows are loaded in the order of their places, not of their last clicks: it is
 * rfl_sources_loaded() that puts the young ones in order.
 */

rfl_rc_t
rfl_sources_load(rfl_sources_t *t, uint32_t i,
    const rfl_sources_entry_t *source)
{
    rfl_hash_t  hash;

    hash = rfl_sources_hash(t, source);

    if (i >= t->max || t->state[i] != RFL_SOURCES_FREE
        || rfl_sources_lookup(t, hash) != RFL_SOURCES_NONE)
    {
        return RFL_INVALID;
    }

    if (t->used <= i) {
        t->used = i + 1;
    }

    rfl_sources_place(t, i, hash, source);

    return RFL_OK;
}


/* The order of the young ones, and who is proven, follow from the rows. */

void
rfl_sources_loaded(rfl_sources_t *t, uint64_t floor)
{
    uint32_t  i, best, n;

    t->floor = floor;
    t->start = floor;
    t->head = RFL_SOURCES_NONE;
    t->tail = RFL_SOURCES_NONE;

    for (n = 0; n < t->nrows; n++) {
        best = RFL_SOURCES_NONE;

        for (i = 0; i < t->used; i++) {
            if (t->state[i] == RFL_SOURCES_YOUNG && !t->dirty[i]
                && (best == RFL_SOURCES_NONE
                    || t->rows[i].last < t->rows[best].last))
            {
                best = i;
            }
        }

        rfl_sources_link_young(t, best);
        t->dirty[best] = 1;              /* done; cleared below */
    }

    memset(t->dirty, 0, t->max);

    for (i = 0; i < t->used; i++) {
        if (t->state[i] == RFL_SOURCES_YOUNG) {
            rfl_sources_promote(t, i);
        }
    }
}


int
rfl_sources_has_filter(const rfl_sources_t *t)
{
    return t->filtered;
}


uint64_t
rfl_sources_start(const rfl_sources_t *t)
{
    return t->start;
}


const rfl_hash_secret_t *
rfl_sources_secret(const rfl_sources_t *t)
{
    return &t->secret;
}


void
rfl_sources_set_secret(rfl_sources_t *t, const rfl_hash_secret_t *secret)
{
    t->secret = *secret;
}


void
rfl_sources_set_start(rfl_sources_t *t, uint64_t start)
{
    t->start = start;
}


void
rfl_sources_drop_filter(rfl_sources_t *t)
{
    rfl_sources_clear_filter(t);
    t->start = t->floor;
}


void
rfl_sources_put_chunk(const rfl_sources_t *t, uint32_t i, rfl_buf_t *b)
{
    size_t           k, used;
    const uint16_t  *cells;

    cells = &t->filter[(size_t) i * RFL_SOURCES_CHUNK];

    for (k = 0, used = 0; k < RFL_SOURCES_CHUNK; k++) {
        used += cells[k] != 0;
    }

    if (used == 0) {
        return;
    }

    /* a pair takes two bytes at least */

    if (used < RFL_SOURCES_NIBBLES / 2) {
        rfl_sources_put_sparse(cells, b);

    } else {
        rfl_sources_put_dense(cells, b);
    }
}


static void
rfl_sources_put_sparse(const uint16_t *cells, rfl_buf_t *b)
{
    size_t   k, next;
    u_char   pair[2 * RFL_VARINT_MAX], *p;

    rfl_buf_char(b, RFL_SOURCES_SPARSE);

    for (k = 0, next = 0; k < RFL_SOURCES_CHUNK; k++) {

        if (cells[k] == 0) {
            continue;
        }

        p = rfl_varint_put(pair, k - next);
        p = rfl_varint_put(p, cells[k]);
        rfl_buf_add(b, pair, (size_t) (p - pair));

        next = k + 1;
    }
}


static void
rfl_sources_put_dense(const uint16_t *cells, rfl_buf_t *b)
{
    size_t    k;
    u_char    number[RFL_VARINT_MAX], pair[2];
    unsigned  half;

    rfl_buf_char(b, RFL_SOURCES_DENSE);

    for (k = 0; k < RFL_SOURCES_CHUNK; k += 2) {

        for (half = 0; half < 2; half++) {
            pair[half] = cells[k + half] < RFL_SOURCES_NIBBLE
                         ? (u_char) cells[k + half] : RFL_SOURCES_NIBBLE;
        }

        rfl_buf_char(b, (u_char) (pair[0] | pair[1] << 4));
    }

    for (k = 0; k < RFL_SOURCES_CHUNK; k++) {
        if (cells[k] >= RFL_SOURCES_NIBBLE) {
            rfl_buf_add(b, number,
                        (size_t) (rfl_varint_put(number, cells[k]) - number));
        }
    }
}


rfl_rc_t
rfl_sources_load_chunk(rfl_sources_t *t, uint32_t i, rfl_str_t chunk)
{
    uint16_t  *cells;
    unsigned   form;

    if (i >= RFL_SOURCES_CHUNKS || chunk.len < 2) {
        return RFL_DAMAGED;
    }

    cells = &t->filter[(size_t) i * RFL_SOURCES_CHUNK];
    t->filtered = 1;

    form = *chunk.data++;
    chunk.len--;

    return form == RFL_SOURCES_SPARSE ? rfl_sources_get_sparse(cells, chunk)
           : form == RFL_SOURCES_DENSE ? rfl_sources_get_dense(cells, chunk)
           : RFL_BAD_VERSION;
}


static rfl_rc_t
rfl_sources_get_sparse(uint16_t *cells, rfl_str_t rest)
{
    rfl_rc_t  rc;
    uint64_t  k, skip, n;

    for (k = 0; rest.len != 0; k++) {

        rc = rfl_varint_get(&rest, &skip);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_varint_get(&rest, &n);
        if (rc != RFL_OK) {
            return rc;
        }

        if (skip >= RFL_SOURCES_CHUNK || k + skip >= RFL_SOURCES_CHUNK
            || n == 0 || n > RFL_SOURCES_CELL_MAX)
        {
            return RFL_DAMAGED;
        }

        k += skip;
        cells[k] = (uint16_t) n;
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_sources_get_dense(uint16_t *cells, rfl_str_t rest)
{
    size_t    k;
    rfl_rc_t  rc;
    uint64_t  n;

    if (rest.len < RFL_SOURCES_NIBBLES) {
        return RFL_DAMAGED;
    }

    for (k = 0; k < RFL_SOURCES_CHUNK; k += 2) {
        cells[k] = rest.data[k / 2] & 0x0f;
        cells[k + 1] = rest.data[k / 2] >> 4;
    }

    rest.data += RFL_SOURCES_NIBBLES;
    rest.len -= RFL_SOURCES_NIBBLES;

    for (k = 0; k < RFL_SOURCES_CHUNK; k++) {

        if (cells[k] != RFL_SOURCES_NIBBLE) {
            continue;
        }

        rc = rfl_varint_get(&rest, &n);
        if (rc != RFL_OK) {
            return rc;
        }

        if (n < RFL_SOURCES_NIBBLE || n > RFL_SOURCES_CELL_MAX) {
            return RFL_DAMAGED;
        }

        cells[k] = (uint16_t) n;
    }

    return rest.len == 0 ? RFL_OK : RFL_DAMAGED;
}


size_t
rfl_source_encode(const rfl_sources_entry_t *source, u_char *out)
{
    size_t    len;
    u_char   *p;
    unsigned  ended;

    p = out;

    *p++ = RFL_SOURCE_VERSION;
    *p++ = (u_char) source->kind;
    *p++ = (u_char) source->folded;
    *p++ = source->host_len;

    p = rfl_varint_put(p, source->id);

    for (ended = 0; ended < RFL_ENDS; ended++) {
        p = rfl_varint_put(p, source->n[ended]);
    }

    p = rfl_varint_put(p, source->before);
    p = rfl_varint_put(p, source->rank);
    p = rfl_varint_put(p, source->first);
    p = rfl_varint_put(p, source->last);

    len = (size_t) source->host_len + source->landing_len;
    memcpy(p, source->text, len);

    return (size_t) (p - out) + len;
}


rfl_rc_t
rfl_source_decode(rfl_str_t record, rfl_sources_entry_t *source)
{
    size_t      i;
    rfl_rc_t    rc;
    uint64_t    id;
    uint64_t   *numbers[RFL_ENDS + 5];

    if (record.len < 4) {
        return RFL_DAMAGED;
    }

    if (record.data[0] != RFL_SOURCE_VERSION) {
        return RFL_BAD_VERSION;
    }

    if (record.data[1] >= RFL_SOURCE_KINDS || record.data[2] > 1) {
        return RFL_DAMAGED;
    }

    memset(source, 0, offsetof(rfl_sources_entry_t, text));

    source->kind = record.data[1];
    source->folded = record.data[2];
    source->host_len = record.data[3];

    record.data += 4;
    record.len -= 4;

    numbers[0] = &id;

    for (i = 0; i < RFL_ENDS; i++) {
        numbers[1 + i] = &source->n[i];
    }

    numbers[RFL_ENDS + 1] = &source->before;
    numbers[RFL_ENDS + 2] = &source->rank;
    numbers[RFL_ENDS + 3] = &source->first;
    numbers[RFL_ENDS + 4] = &source->last;

    for (i = 0; i < RFL_ENDS + 5; i++) {
        rc = rfl_varint_get(&record, numbers[i]);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    /* a rank goes on from there */

    if (id > UINT32_MAX || source->rank > UINT64_MAX / 2
        || record.len > RFL_SOURCES_TEXT
        || source->host_len > record.len
        || (id != 0) == (source->kind == RFL_SOURCE_STRANGER))
    {
        return RFL_DAMAGED;
    }

    source->id = (uint32_t) id;
    source->landing_len = (uint8_t) (record.len - source->host_len);
    memcpy(source->text, record.data, record.len);

    return RFL_OK;
}
