/*
 * The ledger's tables against each other, in pieces: see rfl_check.h.
 *
 * Of what was pruned nothing can be said.  Pruning takes the lowest keys of a
 * table, so what lies at its first key or behind is all there: a day is
 * compared with its hours if the first of them would be, a total with its
 * days if the day would be on which its link was first seen.  Parts that are
 * more than their sum are a fault either way.
 */

#include "rfl_check.h"

#include <stdlib.h>

#include "rfl_ledger_parts.h"
#include "rfl_ledger_sources.h"
#include "rfl_states.h"


/* Blocks of ids, and their days, in one snapshot. */

#define PIECE_BLOCKS   64

/* Hours in a day, minutes in an hour. */

#define CHILDREN_MAX   60

#define fault          rfl_check_fault


typedef struct {
    uint32_t            number;
    rfl_ledger_state_t  state;
} file_t;


/* A row of history that a walk stands at. */

typedef struct {
    rfl_cursor_t  *cursor;
    uint32_t       bucket;
    uint32_t       block;
    rfl_str_t      value;
    int            at_end;               /* of its bucket */
} place_t;


typedef struct {
    rfl_check_t          *check;
    rfl_ledger_t         *ledger;
    rfl_store_t          *store;
    rfl_history_t         history;

    file_t               *files;
    size_t                nfiles;
    size_t                files_size;
    uint64_t              oldest;        /* seconds, when a file was made */
    rfl_ledger_meta_t     meta;

    uint64_t              first[RFL_UNITS];  /* keys; UINT64_MAX: none */
    rfl_cell_t            totals[RFL_HISTORY_BLOCK];     /* of a block */

    place_t               parent;
    place_t               children[CHILDREN_MAX];
    rfl_history_block_t   sum;
    rfl_history_block_t   whole;
} walk_t;


static rfl_rc_t check_ledger(walk_t *w, rfl_error_t *err);
static rfl_rc_t check_files(walk_t *w);
static rfl_rc_t load_files(walk_t *w, int tell);
static rfl_rc_t add_file(walk_t *w, uint64_t file_id,
    const rfl_ledger_record_t *record, int tell);
static int compare_files(const void *one, const void *two);
static int has_file(const walk_t *w, uint32_t number);
static rfl_rc_t load_edges(walk_t *w);

static rfl_rc_t check_sources(walk_t *w);
static rfl_rc_t source_rows(walk_t *w, const rfl_ledger_sources_t *head,
    rfl_sources_t *table);
static rfl_rc_t source_filter(walk_t *w, const rfl_ledger_sources_t *head,
    rfl_sources_t *table);
static rfl_rc_t check_zones(walk_t *w);
static rfl_rc_t zone_rows(walk_t *w, rfl_cursor_t *cursor, rfl_zone_t *total,
    int *damaged);
static rfl_rc_t zone_days(walk_t *w, const rfl_zone_t *total);

static rfl_rc_t check_states(walk_t *w);
static rfl_rc_t count_states(walk_t *w, uint64_t links[RFL_STATES]);
static rfl_rc_t check_changes(walk_t *w, const rfl_states_t *sums);

static rfl_rc_t check_cells(walk_t *w, uint32_t *block);
static rfl_rc_t next_block(walk_t *w, uint64_t from, uint32_t *block);
static rfl_rc_t sum_cells(walk_t *w, uint32_t block, int *damaged);
static rfl_rc_t cell_row(walk_t *w, uint64_t key, rfl_str_t value,
    int *damaged);
static rfl_rc_t cell_days(walk_t *w, uint32_t block);
static void compare_cell(walk_t *w, uint32_t id, const rfl_cell_t *total,
    const rfl_cell_t *days);

static rfl_rc_t check_bucket(walk_t *w, rfl_unit_t unit, uint64_t *from);
static rfl_rc_t next_bucket(walk_t *w, rfl_unit_t unit, uint64_t from,
    uint32_t *bucket);
static rfl_rc_t compare_bucket(walk_t *w, rfl_unit_t unit, uint32_t bucket,
    unsigned n);
static rfl_rc_t compare_block(walk_t *w, rfl_unit_t unit, uint32_t bucket,
    uint32_t block, unsigned n);
static uint32_t first_child(const walk_t *w, rfl_unit_t unit, uint32_t bucket,
    unsigned n);
static rfl_rc_t block_has_cells(walk_t *w, uint32_t day, uint32_t block);
static rfl_rc_t add_row(walk_t *w, rfl_unit_t unit, const place_t *place,
    rfl_history_block_t *sum, int *damaged);
static void compare_sums(walk_t *w, rfl_unit_t unit, uint32_t bucket,
    uint32_t block, int complete);
static rfl_rc_t place_open(walk_t *w, rfl_unit_t unit, uint32_t bucket,
    place_t *place);
static rfl_rc_t place_next(place_t *place, rfl_rc_t rc, rfl_str_t found,
    rfl_str_t value);
static rfl_rc_t place_step(place_t *place);

static uint64_t history_key(uint32_t bucket, uint32_t block);
static void first_difference(const uint64_t *one, const uint64_t *two,
    size_t n, size_t *i, int *more);


static const char *const  tables[RFL_UNITS] = {
    [RFL_UNIT_MINUTE] = "ledger/minutes",
    [RFL_UNIT_HOUR]   = "ledger/hours",
    [RFL_UNIT_DAY]    = "ledger/days"
};


rfl_rc_t
rfl_check_ledger(rfl_check_t *c, rfl_ledger_t *l, rfl_error_t *err)
{
    walk_t    *w;
    rfl_rc_t   rc;

    rc = rfl_store_check(rfl_ledger_store(l), err);
    if (rc != RFL_OK) {
        return rc;
    }

    w = calloc(1, sizeof(walk_t));
    if (w == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
    }

    w->check = c;
    w->ledger = l;
    w->store = rfl_ledger_store(l);
    w->history = rfl_ledger_history(l);

    rc = check_ledger(w, err);

    free(w->files);
    free(w);

    return rc;
}


static rfl_rc_t
check_ledger(walk_t *w, rfl_error_t *err)
{
    rfl_rc_t    rc;
    uint32_t    block;
    uint64_t    from;
    rfl_unit_t  unit;

    rc = rfl_ledger_begin(w->ledger, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = check_files(w);

    if (rc == RFL_OK) {
        rc = check_zones(w);
    }

    if (rc == RFL_OK) {
        rc = check_states(w);
    }

    if (rc == RFL_OK) {
        rc = check_sources(w);
    }

    rfl_ledger_end(w->ledger);

    for (block = 0; rc == RFL_OK; /* void */ ) {

        rc = rfl_ledger_begin(w->ledger, err);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = check_cells(w, &block);
        rfl_ledger_end(w->ledger);
    }

    for (unit = RFL_UNIT_DAY; unit > RFL_UNIT_MINUTE; unit--) {
        from = 0;

        for (rc = rc == RFL_NOT_FOUND ? RFL_OK : rc; rc == RFL_OK;
             /* void */ )
        {
            rc = rfl_ledger_begin(w->ledger, err);
            if (rc != RFL_OK) {
                return rc;
            }

            rc = check_bucket(w, unit, &from);
            rfl_ledger_end(w->ledger);
        }
    }

    if (rc == RFL_OK || rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc == RFL_DAMAGED) {
        fault(w->check, "ledger", "reading it ended in a damaged page");
        return RFL_OK;
    }

    return rfl_fail(err, rc, "%s", rc == RFL_NO_MEMORY ? "out of memory"
                    : "reading the ledger failed");
}


/* At most as many rows as the table has: one snapshot. */

static rfl_rc_t
check_sources(walk_t *w)
{
    rfl_rc_t               rc;
    rfl_sources_t         *table;
    rfl_ledger_sources_t   head;

    memset(&head, 0, sizeof(rfl_ledger_sources_t));

    rc = rfl_ledger_get_sources(w->ledger, &head);

    if (rc == RFL_DAMAGED || rc == RFL_BAD_VERSION) {
        fault(w->check, "ledger/meta", "sources: what is said of the table %s",
              rc == RFL_BAD_VERSION ? "was written by another version"
                                    : "makes no sense");
        return RFL_OK;
    }

    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        return rc;
    }

    /* it finds a source that has two rows */

    table = rfl_sources_create(RFL_SOURCES_ROWS);
    if (table == NULL) {
        return RFL_NO_MEMORY;
    }

    rc = source_rows(w, &head, table);

    if (rc == RFL_OK) {
        rc = source_filter(w, &head, table);
    }

    rfl_sources_free(table);

    return rc;
}


/* There is one if the process that had the table ended in order. */

static rfl_rc_t
source_filter(walk_t *w, const rfl_ledger_sources_t *head,
    rfl_sources_t *table)
{
    rfl_rc_t             rc;
    rfl_ledger_filter_t  filter;

    rc = rfl_ledger_get_filter(w->ledger, &filter);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc == RFL_OK) {
        w->check->rows++;

        if (filter.read != head->read || filter.start > head->floor) {
            fault(w->check, "ledger/meta", "sources: the filter is not that "
                  "of the rows");
        }

        rc = rfl_ledger_load_filter(w->ledger, &filter, table);
    }

    if (rc == RFL_DAMAGED || rc == RFL_BAD_VERSION) {
        fault(w->check, "ledger/meta", "sources: the filter %s",
              rc == RFL_BAD_VERSION ? "was written by another version"
                                    : "makes no sense");
        return RFL_OK;
    }

    return rc;
}


static rfl_rc_t
source_rows(walk_t *w, const rfl_ledger_sources_t *head, rfl_sources_t *table)
{
    rfl_rc_t      rc;
    uint32_t      number, used;
    rfl_sources_entry_t  source;

    for (number = 0, used = 0; /* void */ ; number++, used++) {
        rc = rfl_ledger_next_source(w->ledger, &number, &source);

        if (rc == RFL_NOT_FOUND) {
            break;
        }

        if (rc != RFL_OK && rc != RFL_DAMAGED && rc != RFL_BAD_VERSION) {
            return rc;
        }

        w->check->rows++;

        if (rc != RFL_OK) {
            fault(w->check, "ledger/meta", "source %u: its row %s", number,
                  rc == RFL_BAD_VERSION ? "was written by another version"
                                        : "makes no sense");

            if (number >= UINT16_MAX) {
                break;
            }

            continue;
        }

        if (number >= head->rows) {
            fault(w->check, "ledger/meta", "source %u: the table has room for "
                  "%u rows", number, head->rows);

        } else if (number < RFL_SOURCES_ROWS
                   && rfl_sources_load(table, number, &source) != RFL_OK)
        {
            fault(w->check, "ledger/meta", "source %u: another row is of the "
                  "same source and landing", number);
        }

        if (source.first > source.last
            || source.rank < rfl_source_clicks(&source))
        {
            fault(w->check, "ledger/meta", "source %u: its numbers do not "
                  "agree", number);
        }

        if (number >= UINT16_MAX) {
            break;                       /* it has been told */
        }
    }

    if (used != head->used) {
        fault(w->check, "ledger/meta", "sources: it says %u rows, there are "
              "%u", head->used, used);
    }

    return RFL_OK;
}


static rfl_rc_t
check_files(walk_t *w)
{
    size_t    i;
    rfl_rc_t  rc;

    rc = rfl_ledger_get_meta(w->ledger, &w->meta, NULL);

    if (rc == RFL_DAMAGED || rc == RFL_BAD_VERSION || rc == RFL_NOT_FOUND) {
        fault(w->check, "ledger/meta", "it is missing or makes no sense");
        w->meta.next_file = UINT32_MAX;

    } else if (rc != RFL_OK) {
        return rc;
    }

    w->oldest = UINT64_MAX;

    rc = load_files(w, 1);
    if (rc != RFL_OK) {
        return rc;
    }

    w->check->files = w->nfiles;

    for (i = 1; i < w->nfiles; i++) {
        if (w->files[i].number == w->files[i - 1].number) {
            fault(w->check, "ledger/files", "two counter files have the "
                  "number %u", w->files[i].number);
        }
    }

    return RFL_OK;
}


/* Each piece has the files of its own snapshot: nginx may begin a new one. */

static rfl_rc_t
load_files(walk_t *w, int tell)
{
    rfl_rc_t              rc;
    uint64_t              file_id;
    rfl_str_t             found, value;
    rfl_cursor_t         *cursor;
    rfl_ledger_record_t   record;

    w->nfiles = 0;

    rc = rfl_cursor_open(w->store, RFL_LEDGER_FILES, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    while (rc == RFL_OK) {
        memcpy(&file_id, found.data, sizeof(file_id));

        w->check->rows += (uint64_t) tell;

        rc = rfl_ledger_decode_file(value, &record);

        if (rc == RFL_OK) {
            rc = add_file(w, file_id, &record, tell);
            if (rc != RFL_OK) {
                break;
            }

        } else if (tell) {
            fault(w->check, "ledger/files", "counter file %016llx: its record "
                  "%s", (unsigned long long) file_id, rc == RFL_BAD_VERSION
                  ? "was written by another version" : "makes no sense");
        }

        rc = rfl_cursor_next(cursor, &found, &value);
    }

    rfl_cursor_close(cursor);

    if (w->nfiles != 0) {
        qsort(w->files, w->nfiles, sizeof(file_t), compare_files);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


static rfl_rc_t
add_file(walk_t *w, uint64_t file_id, const rfl_ledger_record_t *record,
    int tell)
{
    size_t   size;
    file_t  *files;

    if (tell && record->file.number >= w->meta.next_file) {
        fault(w->check, "ledger/files", "counter file %016llx has the number "
              "%u, but %u is to be the next one",
              (unsigned long long) file_id, record->file.number,
              w->meta.next_file);
    }

    if (record->created < w->oldest) {
        w->oldest = record->created;
    }

    if (w->nfiles == w->files_size) {
        size = w->files_size != 0 ? 2 * w->files_size : 64;

        files = realloc(w->files, size * sizeof(file_t));
        if (files == NULL) {
            return RFL_NO_MEMORY;
        }

        w->files = files;
        w->files_size = size;
    }

    w->files[w->nfiles].number = record->file.number;
    w->files[w->nfiles].state = record->state;
    w->nfiles++;

    return RFL_OK;
}


static int
compare_files(const void *one, const void *two)
{
    const file_t *a = one;
    const file_t *b = two;

    return a->number < b->number ? -1 : a->number > b->number;
}


/* One that was folded has nothing of its own any more. */

static int
has_file(const walk_t *w, uint32_t number)
{
    file_t         wanted;
    const file_t  *file;

    if (number == RFL_LEDGER_FOLDED) {
        return 1;
    }

    if (w->nfiles == 0) {
        return 0;
    }

    wanted.number = number;

    file = bsearch(&wanted, w->files, w->nfiles, sizeof(file_t),
                   compare_files);

    return file != NULL && file->state != RFL_LEDGER_DONE;
}


static rfl_rc_t
load_edges(walk_t *w)
{
    rfl_rc_t       rc;
    unsigned       unit;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    for (unit = 0; unit < RFL_UNITS; unit++) {

        rc = rfl_cursor_open(w->store, RFL_LEDGER_MINUTES + unit, &cursor);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

        if (rc == RFL_OK) {
            memcpy(&w->first[unit], found.data, sizeof(uint64_t));
        }

        rfl_cursor_close(cursor);

        if (rc == RFL_NOT_FOUND) {
            w->first[unit] = UINT64_MAX;

        } else if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
check_zones(walk_t *w)
{
    int            damaged;
    rfl_rc_t       rc;
    rfl_zone_t     total;
    rfl_cursor_t  *cursor;

    memset(&total, 0, sizeof(rfl_zone_t));
    cursor = NULL;
    damaged = 0;

    rc = load_edges(w);

    if (rc == RFL_OK) {
        rc = rfl_cursor_open(w->store, RFL_LEDGER_ZONES, &cursor);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    rc = zone_rows(w, cursor, &total, &damaged);

    rfl_cursor_close(cursor);

    return rc == RFL_OK && !damaged ? zone_days(w, &total) : rc;
}


static rfl_rc_t
zone_rows(walk_t *w, rfl_cursor_t *cursor, rfl_zone_t *total, int *damaged)
{
    rfl_rc_t    rc;
    uint32_t    number;
    rfl_str_t   found, value;
    rfl_zone_t  zone;

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    while (rc == RFL_OK) {
        w->check->rows++;

        memcpy(&number, found.data, sizeof(number));

        if (!has_file(w, number)) {
            fault(w->check, "ledger/zones", "there is no counter file %u of "
                  "this number", number);
        }

        rc = rfl_ledger_decode(value, zone.n, RFL_ZONE_FIELDS);

        if (rc == RFL_OK) {
            rfl_zone_merge(total, &zone);

        } else {
            *damaged = 1;
            fault(w->check, "ledger/zones", "counter file %u: its sums %s",
                  number, rc == RFL_BAD_VERSION
                  ? "were written by another version" : "make no sense");
        }

        rc = rfl_cursor_next(cursor, &found, &value);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


static rfl_rc_t
zone_days(walk_t *w, const rfl_zone_t *total)
{
    int            more;
    size_t         i;
    rfl_rc_t       rc;
    uint32_t       budget;
    rfl_merge_t    merge;
    rfl_period_t   days;

    memset(&days, 0, sizeof(rfl_period_t));

    days.nranges = 1;
    days.ranges[0].unit = RFL_UNIT_DAY;
    days.ranges[0].to = UINT32_MAX;

    rfl_merge_start(&merge, RFL_MERGE_ZONE, &days, 0);

    do {
        budget = UINT32_MAX;
        rc = rfl_merge_step(&merge, &w->history, &budget);
    } while (rc == RFL_BUSY);

    if (rc == RFL_DAMAGED || rc == RFL_BAD_VERSION) {
        return RFL_OK;                   /* named when days are walked */
    }

    if (rc != RFL_OK) {
        return rc;
    }

    first_difference(merge.sum.zone.n, total->n, RFL_ZONE_FIELDS, &i, &more);

    if (i == RFL_ZONE_FIELDS
        || (!more && (w->oldest == UINT64_MAX
                      || history_key((uint32_t) (w->oldest / 86400),
                                     RFL_HISTORY_ZONE)
                         < w->first[RFL_UNIT_DAY])))
    {
        return RFL_OK;
    }

    fault(w->check, "ledger/days", "the registry's counter %zu: its days sum "
          "to %llu, its total is %llu", i,
          (unsigned long long) merge.sum.zone.n[i],
          (unsigned long long) total->n[i]);

    return RFL_OK;
}


/* The verdicts and how many there are of each, the changes and their limit. */

static rfl_rc_t
check_states(walk_t *w)
{
    rfl_rc_t      rc;
    unsigned      i;
    uint64_t      links[RFL_STATES];
    rfl_states_t  sums;

    rc = rfl_states_sums(w->ledger, &sums);

    if (rc == RFL_NOT_FOUND) {
        rc = RFL_OK;                     /* no keeper has judged them yet */
    }

    if (rc == RFL_BAD_VERSION || rc == RFL_DAMAGED) {
        fault(w->check, "ledger/meta", "the number of links in each state %s",
              rc == RFL_DAMAGED ? "makes no sense"
                                : "was written by another version");
        return RFL_OK;
    }

    if (rc == RFL_OK) {
        rc = count_states(w, links);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0; i < RFL_STATES; i++) {
        if (sums.links[i] != links[i]) {
            fault(w->check, "ledger/states", "%llu links are %s, by their sum "
                  "%llu", (unsigned long long) links[i],
                  (const char *) rfl_state_names[i].data,
                  (unsigned long long) sums.links[i]);
        }
    }

    return check_changes(w, &sums);
}


static rfl_rc_t
count_states(walk_t *w, uint64_t links[RFL_STATES])
{
    rfl_rc_t              rc;
    uint32_t              id;
    rfl_str_t             found, value;
    rfl_cursor_t         *cursor;
    rfl_state_verdict_t   verdict;

    memset(links, 0, RFL_STATES * sizeof(uint64_t));

    rc = rfl_cursor_open(w->store, RFL_LEDGER_STATES, &cursor);
    if (rc != RFL_OK) {
        return rc == RFL_NOT_FOUND ? RFL_OK : rc;
    }

    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    for ( /* void */ ; rc == RFL_OK;
         rc = rfl_cursor_next(cursor, &found, &value))
    {
        w->check->rows++;
        memcpy(&id, found.data, sizeof(id));

        if (rfl_states_decode(value, &verdict) == RFL_OK) {
            links[verdict.state]++;

        } else {
            fault(w->check, "ledger/states", "the state of id %u makes no "
                  "sense, or was written by another version", id);
        }
    }

    rfl_cursor_close(cursor);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


static rfl_rc_t
check_changes(walk_t *w, const rfl_states_t *sums)
{
    rfl_rc_t              rc;
    uint64_t              number, n, wanted;
    rfl_str_t             found, value;
    rfl_cursor_t         *cursor;
    rfl_states_change_t   change;

    rc = rfl_cursor_open(w->store, RFL_LEDGER_CHANGES, &cursor);
    if (rc != RFL_OK) {
        return rc == RFL_NOT_FOUND ? RFL_OK : rc;
    }

    n = 0;
    rc = rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value);

    for ( /* void */ ; rc == RFL_OK;
         rc = rfl_cursor_next(cursor, &found, &value))
    {
        w->check->rows++;
        n++;
        memcpy(&number, found.data, sizeof(number));

        if (number > sums->changes
            || rfl_states_decode_change(value, &change) != RFL_OK)
        {
            fault(w->check, "ledger/changes", "number %llu of %llu makes no "
                  "sense, or was written by another version",
                  (unsigned long long) number,
                  (unsigned long long) sums->changes);
        }
    }

    rfl_cursor_close(cursor);

    wanted = sums->changes < RFL_STATES_CHANGES ? sums->changes
                                                : RFL_STATES_CHANGES;

    if (n != wanted) {
        fault(w->check, "ledger/changes", "there are %llu, of %llu in all %llu "
              "are kept", (unsigned long long) n,
              (unsigned long long) sums->changes,
              (unsigned long long) wanted);
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


/* RFL_NOT_FOUND: no cells are left.  *block is the next one to look at. */

static rfl_rc_t
check_cells(walk_t *w, uint32_t *block)
{
    int       damaged;
    rfl_rc_t  rc;
    unsigned  n;

    rc = load_files(w, 0);

    if (rc == RFL_OK) {
        rc = load_edges(w);
    }

    for (n = 0; rc == RFL_OK && n < PIECE_BLOCKS; n++) {

        rc = next_block(w, (uint64_t) *block * RFL_HISTORY_BLOCK, block);
        if (rc != RFL_OK) {
            break;
        }

        rc = sum_cells(w, *block, &damaged);

        if (rc == RFL_OK && !damaged) {
            rc = cell_days(w, *block);
        }

        (*block)++;
    }

    return rc;
}


static rfl_rc_t
next_block(walk_t *w, uint64_t from, uint32_t *block)
{
    uint64_t       key;
    rfl_rc_t       rc;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    if (from > UINT32_MAX) {
        return RFL_NOT_FOUND;
    }

    rc = rfl_cursor_open(w->store, RFL_LEDGER_CELLS, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    key = from << 32;

    rc = rfl_cursor_seek(cursor, rfl_str(&key, sizeof(key)), &found, &value);

    if (rc == RFL_OK) {
        memcpy(&key, found.data, sizeof(key));
        *block = (uint32_t) (key >> 32) / RFL_HISTORY_BLOCK;
    }

    rfl_cursor_close(cursor);

    return rc;
}


static rfl_rc_t
sum_cells(walk_t *w, uint32_t block, int *damaged)
{
    uint64_t       key;
    rfl_rc_t       rc;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    *damaged = 0;
    memset(w->totals, 0, sizeof(w->totals));

    rc = rfl_cursor_open(w->store, RFL_LEDGER_CELLS, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    key = (uint64_t) block * RFL_HISTORY_BLOCK << 32;

    rc = rfl_cursor_seek(cursor, rfl_str(&key, sizeof(key)), &found, &value);

    while (rc == RFL_OK) {
        memcpy(&key, found.data, sizeof(key));

        if ((key >> 32) / RFL_HISTORY_BLOCK != block) {
            break;
        }

        rc = cell_row(w, key, value, damaged);

        if (rc == RFL_OK) {
            rc = rfl_cursor_next(cursor, &found, &value);
        }
    }

    rfl_cursor_close(cursor);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


static rfl_rc_t
cell_row(walk_t *w, uint64_t key, rfl_str_t value, int *damaged)
{
    rfl_rc_t    rc;
    uint32_t    id, number;
    rfl_cell_t  cell;

    id = (uint32_t) (key >> 32);
    number = (uint32_t) key;

    w->check->rows++;
    w->check->cells++;

    if (!has_file(w, number)) {
        fault(w->check, "ledger/cells", "the cell of id %u is of counter file "
              "%u, which there is not", id, number);
    }

    rc = rfl_ledger_decode(value, cell.n, RFL_CELL_FIELDS);

    if (rc != RFL_OK) {
        *damaged = 1;
        fault(w->check, "ledger/cells", "the cell of id %u in counter file %u "
              "%s", id, number, rc == RFL_BAD_VERSION
              ? "was written by another version" : "makes no sense");
        return RFL_OK;
    }

    if (id == 0) {
        fault(w->check, "ledger/cells", "no link has the id 0");
    }

    rfl_cell_merge(&w->totals[id % RFL_HISTORY_BLOCK], &cell);

    return RFL_OK;
}


static rfl_rc_t
cell_days(walk_t *w, uint32_t block)
{
    unsigned       i;
    rfl_rc_t       rc;
    uint32_t       budget;
    rfl_merge_t    merge;
    rfl_period_t   days;

    memset(&days, 0, sizeof(rfl_period_t));

    days.nranges = 1;
    days.ranges[0].unit = RFL_UNIT_DAY;
    days.ranges[0].to = UINT32_MAX;

    rfl_merge_start(&merge, RFL_MERGE_BLOCK, &days, block);

    do {
        budget = UINT32_MAX;
        rc = rfl_merge_step(&merge, &w->history, &budget);
    } while (rc == RFL_BUSY);

    if (rc == RFL_DAMAGED || rc == RFL_BAD_VERSION) {
        return RFL_OK;                   /* named when days are walked */
    }

    for (i = 0; rc == RFL_OK && i < RFL_HISTORY_BLOCK; i++) {
        compare_cell(w, block * RFL_HISTORY_BLOCK + i, &w->totals[i],
                     &merge.sum.block.cells[i]);
    }

    return rc;
}


static void
compare_cell(walk_t *w, uint32_t id, const rfl_cell_t *total,
    const rfl_cell_t *days)
{
    int       more;
    size_t    i;
    uint64_t  seen;

    first_difference(days->n, total->n, RFL_CELL_SUMS, &i, &more);

    if (i == RFL_CELL_SUMS) {
        return;
    }

    seen = total->n[RFL_CELL_FIRST_SEEN];

    if (!more && (seen == 0
                  || history_key((uint32_t) (seen / 86400),
                                 id / RFL_HISTORY_BLOCK)
                     < w->first[RFL_UNIT_DAY]))
    {
        return;
    }

    fault(w->check, "ledger/days", "id %u, counter %zu: its days sum to %llu, "
          "its total is %llu", id, i, (unsigned long long) days->n[i],
          (unsigned long long) total->n[i]);
}


/* A bucket and those in it.  RFL_NOT_FOUND: that was all. */

static rfl_rc_t
check_bucket(walk_t *w, rfl_unit_t unit, uint64_t *from)
{
    rfl_rc_t  rc;
    unsigned  i, n;
    uint32_t  bucket;

    bucket = 0;

    rc = load_edges(w);

    if (rc == RFL_OK) {
        rc = next_bucket(w, unit, *from, &bucket);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    *from = (uint64_t) bucket + 1;
    n = rfl_unit_seconds[unit] / rfl_unit_seconds[unit - 1];

    rc = place_open(w, unit, bucket, &w->parent);

    for (i = 0; i < n; i++) {
        w->children[i].cursor = NULL;

        if (rc == RFL_OK && (uint64_t) bucket * n + i <= UINT32_MAX) {
            rc = place_open(w, unit - 1, bucket * n + i, &w->children[i]);

        } else {
            w->children[i].at_end = 1;
        }
    }

    if (rc == RFL_OK) {
        rc = compare_bucket(w, unit, bucket, n);
    }

    rfl_cursor_close(w->parent.cursor);

    for (i = 0; i < n; i++) {
        rfl_cursor_close(w->children[i].cursor);
    }

    return rc;
}


/* The next one that has a row, or that a row of the smaller unit is in. */

static rfl_rc_t
next_bucket(walk_t *w, rfl_unit_t unit, uint64_t from, uint32_t *bucket)
{
    rfl_rc_t       rc;
    unsigned       i, n;
    uint64_t       key, first, best;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    best = UINT64_MAX;

    for (i = 0; i < 2; i++) {
        n = i == 0 ? 1 : rfl_unit_seconds[unit] / rfl_unit_seconds[unit - 1];

        first = from * n;

        if (first > UINT32_MAX) {
            continue;
        }

        rc = rfl_cursor_open(w->store, RFL_LEDGER_MINUTES + unit - i, &cursor);
        if (rc != RFL_OK) {
            return rc;
        }

        key = history_key((uint32_t) first, 0);

        rc = rfl_cursor_seek(cursor, rfl_str(&key, sizeof(key)), &found,
                             &value);

        if (rc == RFL_OK) {
            memcpy(&key, found.data, sizeof(key));

            if ((key >> 32) / n < best) {
                best = (key >> 32) / n;
            }
        }

        rfl_cursor_close(cursor);

        if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    *bucket = (uint32_t) best;

    return best != UINT64_MAX ? RFL_OK : RFL_NOT_FOUND;
}


/* All stand at their first block; the lowest is next, until none is left. */

static rfl_rc_t
compare_bucket(walk_t *w, rfl_unit_t unit, uint32_t bucket, unsigned n)
{
    int       any;
    rfl_rc_t  rc;
    unsigned  i;
    uint32_t  block;

    for ( ;; ) {
        any = !w->parent.at_end;
        block = any ? w->parent.block : UINT32_MAX;

        for (i = 0; i < n; i++) {
            if (!w->children[i].at_end
                && (!any || w->children[i].block < block))
            {
                block = w->children[i].block;
                any = 1;
            }
        }

        if (!any) {
            return RFL_OK;
        }

        rc = compare_block(w, unit, bucket, block, n);
        if (rc != RFL_OK) {
            return rc;
        }
    }
}


static rfl_rc_t
compare_block(walk_t *w, rfl_unit_t unit, uint32_t bucket, uint32_t block,
    unsigned n)
{
    int       has_parent, damaged;
    rfl_rc_t  rc;
    unsigned  i;
    uint32_t  first;
    place_t  *child;

    memset(&w->whole, 0, sizeof(rfl_history_block_t));
    memset(&w->sum, 0, sizeof(rfl_history_block_t));

    has_parent = !w->parent.at_end && w->parent.block == block;
    damaged = 0;

    if (has_parent) {

        /* hours are named as parents of minutes, or not at all */

        rc = add_row(w, unit, &w->parent, &w->whole, &damaged);

        if (rc == RFL_OK && unit == RFL_UNIT_DAY && block != RFL_HISTORY_ZONE)
        {
            rc = block_has_cells(w, bucket, block);
        }

        if (rc == RFL_OK) {
            rc = place_step(&w->parent);
        }

        if (rc != RFL_OK) {
            return rc;
        }
    }

    for (i = 0; i < n; i++) {
        child = &w->children[i];

        if (child->at_end || child->block != block) {
            continue;
        }

        rc = add_row(w, unit - 1, child, &w->sum, &damaged);

        if (rc == RFL_OK) {
            rc = place_step(child);
        }

        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (damaged || history_key(bucket, block) < w->first[unit]) {
        return RFL_OK;
    }

    first = first_child(w, unit, bucket, n);

    compare_sums(w, unit, bucket, block,
                 history_key(first, block) >= w->first[unit - 1]);

    return RFL_OK;
}


/* Nothing was counted before there was a counter file. */

static uint32_t
first_child(const walk_t *w, rfl_unit_t unit, uint32_t bucket, unsigned n)
{
    uint64_t  first, began;

    first = (uint64_t) bucket * n;
    began = w->oldest / rfl_unit_seconds[unit - 1];

    return (uint32_t) (began > first && began < first + n ? began : first);
}


/* Of blocks that have cells the sums were compared. */

static rfl_rc_t
block_has_cells(walk_t *w, uint32_t day, uint32_t block)
{
    rfl_rc_t  rc;
    uint32_t  next;

    rc = next_block(w, (uint64_t) block * RFL_HISTORY_BLOCK, &next);

    if (rc == RFL_NOT_FOUND || (rc == RFL_OK && next != block)) {
        fault(w->check, "ledger/cells", "day %u has counts of the ids from "
              "%llu on, but none has a cell", day,
              (unsigned long long) block * RFL_HISTORY_BLOCK);
        return RFL_OK;
    }

    return rc;
}


/* Each row is counted, and a bad one named, where it is read first. */

static rfl_rc_t
add_row(walk_t *w, rfl_unit_t unit, const place_t *place,
    rfl_history_block_t *sum, int *damaged)
{
    int          first;
    rfl_rc_t     rc;
    rfl_zone_t  *zone;

    /* hours are children of days, before they are parents of minutes */

    first = place != &w->parent || unit == RFL_UNIT_DAY;

    w->check->rows += (uint64_t) first;
    w->check->buckets += (uint64_t) first;

    if (place->block == RFL_HISTORY_ZONE) {
        zone = (rfl_zone_t *) (void *) sum->cells;
        rc = rfl_history_decode_zone(place->value, zone);

    } else {
        rc = rfl_history_decode_block(place->value, sum);
    }

    if (rc == RFL_OK) {
        return RFL_OK;
    }

    *damaged = 1;

    if (first && (rc == RFL_DAMAGED || rc == RFL_BAD_VERSION)) {
        fault(w->check, tables[unit], "%.*s %u, block %u: its value %s",
              (int) rfl_unit_names[unit].len,
              (const char *) rfl_unit_names[unit].data, place->bucket,
              place->block, rc == RFL_BAD_VERSION
              ? "was written by another version" : "makes no sense");
    }

    return rc == RFL_DAMAGED || rc == RFL_BAD_VERSION ? RFL_OK : rc;
}


static void
compare_sums(walk_t *w, rfl_unit_t unit, uint32_t bucket, uint32_t block,
    int complete)
{
    int             more;
    size_t          i, j, fields;
    rfl_zone_t     *sum, *whole;
    const uint64_t *a, *b;

    sum = (rfl_zone_t *) (void *) w->sum.cells;
    whole = (rfl_zone_t *) (void *) w->whole.cells;

    if (block == RFL_HISTORY_ZONE) {
        first_difference(sum->n, whole->n, RFL_ZONE_FIELDS, &i, &more);

        if (i < RFL_ZONE_FIELDS && (more || complete)) {
            fault(w->check, tables[unit], "%.*s %u, the registry's counter "
                  "%zu is %llu; its %ss sum to %llu",
                  (int) rfl_unit_names[unit].len,
                  (const char *) rfl_unit_names[unit].data, bucket, i,
                  (unsigned long long) whole->n[i],
                  (const char *) rfl_unit_names[unit - 1].data,
                  (unsigned long long) sum->n[i]);
        }

        return;
    }

    fields = RFL_CELL_SUMS;

    for (j = 0; j < RFL_HISTORY_BLOCK; j++) {
        a = w->sum.cells[j].n;
        b = w->whole.cells[j].n;

        first_difference(a, b, fields, &i, &more);

        if (i < fields && (more || complete)) {
            fault(w->check, tables[unit], "%.*s %u, id %llu: its counter %zu "
                  "is %llu; its %ss sum to %llu",
                  (int) rfl_unit_names[unit].len,
                  (const char *) rfl_unit_names[unit].data, bucket,
                  (unsigned long long) block * RFL_HISTORY_BLOCK + j, i,
                  (unsigned long long) b[i],
                  (const char *) rfl_unit_names[unit - 1].data,
                  (unsigned long long) a[i]);
        }
    }
}


static rfl_rc_t
place_open(walk_t *w, rfl_unit_t unit, uint32_t bucket, place_t *place)
{
    uint64_t   key;
    rfl_rc_t   rc;
    rfl_str_t  found, value;

    place->bucket = bucket;
    place->at_end = 1;

    rc = rfl_cursor_open(w->store, RFL_LEDGER_MINUTES + unit, &place->cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    key = history_key(bucket, 0);

    rc = rfl_cursor_seek(place->cursor, rfl_str(&key, sizeof(key)), &found,
                         &value);

    return place_next(place, rc, found, value);
}


static rfl_rc_t
place_step(place_t *place)
{
    rfl_rc_t   rc;
    rfl_str_t  found, value;

    rc = rfl_cursor_next(place->cursor, &found, &value);

    return place_next(place, rc, found, value);
}


static rfl_rc_t
place_next(place_t *place, rfl_rc_t rc, rfl_str_t found, rfl_str_t value)
{
    uint64_t  key;

    place->at_end = 1;

    if (rc != RFL_OK) {
        return rc == RFL_NOT_FOUND ? RFL_OK : rc;
    }

    memcpy(&key, found.data, sizeof(key));

    if (key >> 32 == place->bucket) {
        place->at_end = 0;
        place->block = (uint32_t) key;
        place->value = value;
    }

    return RFL_OK;
}


static uint64_t
history_key(uint32_t bucket, uint32_t block)
{
    return (uint64_t) bucket << 32 | block;
}


/*
 * *i: the first counter that differs, one where the parts are more than the
 * whole before any other; n: all are equal.
 */

static void
first_difference(const uint64_t *parts, const uint64_t *whole, size_t n,
    size_t *i, int *more)
{
    size_t  j;

    *i = n;
    *more = 0;

    for (j = 0; j < n; j++) {

        if (parts[j] > whole[j]) {
            *i = j;
            *more = 1;
            return;
        }

        if (parts[j] < whole[j] && *i == n) {
            *i = j;
        }
    }
}
