/*
 * History: what every link, group and the whole registry got, minute by
 * minute, hour by hour, day by day.  Three tables of the ledger's environment,
 * written in the flush's transaction, so that they agree with the totals:
 *
 *     minutes, hours, days    bucket << 32 | block -> counts
 *
 * A bucket is a minute, an hour or a day since 1970 (UTC).  A block is 64 ids
 * side by side, like a word of dirty bits; RFL_HISTORY_ZONE holds the
 * registry's own counters.  Keys grow with time: buckets are appended at the
 * end and pruned at the front.
 *
 * A block's value is a version byte, which ids it holds (8 bytes) and, for
 * each of them, which counters are not zero (a varint of bits) and these as
 * varints.  A link with some clicks takes 5 to 8 bytes a bucket.
 *
 * A count belongs to the time of its flush: a few seconds after the request.
 */

#ifndef RFL_HISTORY_H
#define RFL_HISTORY_H

#include "rfl_counters.h"
#include "rfl_period.h"
#include "rfl_store.h"


#define RFL_HISTORY_BLOCK  64
#define RFL_HISTORY_ZONE   UINT32_MAX    /* no block of ids has this number */


/* The cells' sums alone; first and last seen are no history. */

typedef struct {
    uint64_t    present;                 /* bit i: cells[i] is not zero */
    rfl_cell_t  cells[RFL_HISTORY_BLOCK];
} rfl_history_block_t;


/* The three tables in a store: numbers first_dbi, + 1, + 2 in unit's order. */

typedef struct {
    rfl_store_t  *store;
    unsigned      first_dbi;
} rfl_history_t;


/* How long buckets are kept, in seconds, by unit; 0: for ever. */

typedef struct {
    uint64_t  seconds[RFL_UNITS];
} rfl_retention_t;


/*
 * Writing, in a begun write transaction: adds the counts of now (seconds) to
 * the bucket of each unit.  An empty block changes nothing.  A stored value
 * that is damaged is replaced, which loses that bucket of 64 ids; one of
 * another version is RFL_BAD_VERSION.
 */

rfl_rc_t rfl_history_add(rfl_history_t *h, uint64_t now, uint32_t block,
    const rfl_history_block_t *counts, rfl_error_t *err);
rfl_rc_t rfl_history_add_zone(rfl_history_t *h, uint64_t now,
    const rfl_zone_t *counts, rfl_error_t *err);

/*
 * Removes what is older than keep says, the oldest first, at most limit values
 * a unit; *pruned is raised by how many.
 */

rfl_rc_t rfl_history_prune(rfl_history_t *h, const rfl_retention_t *keep,
    uint64_t now, uint32_t limit, uint32_t *pruned, rfl_error_t *err);


/*
 * Reading, in a begun transaction.  Each adds what the bucket has to *sum; one
 * that has nothing is RFL_OK.  RFL_DAMAGED, RFL_BAD_VERSION, RFL_ERROR: then
 * *sum is of no use.
 */

rfl_rc_t rfl_history_block(rfl_history_t *h, rfl_unit_t unit, uint32_t bucket,
    uint32_t block, rfl_history_block_t *sum);
rfl_rc_t rfl_history_cell(rfl_history_t *h, rfl_unit_t unit, uint32_t bucket,
    uint32_t id, rfl_cell_t *sum);
rfl_rc_t rfl_history_zone(rfl_history_t *h, rfl_unit_t unit, uint32_t bucket,
    rfl_zone_t *sum);

/* The same for a stored value. */

rfl_rc_t rfl_history_decode_block(rfl_str_t value, rfl_history_block_t *sum);
rfl_rc_t rfl_history_decode_zone(rfl_str_t value, rfl_zone_t *sum);

/* The oldest and the newest bucket there is; RFL_NOT_FOUND: none. */

rfl_rc_t rfl_history_first(rfl_history_t *h, rfl_unit_t unit,
    uint32_t *bucket);
rfl_rc_t rfl_history_last(rfl_history_t *h, rfl_unit_t unit,
    uint32_t *bucket);


/*
 * The sums of a period, in bounded steps; what was summed so far survives the
 * transaction.  RFL_OK: complete, RFL_BUSY: *budget, which each bucket looked
 * at lowers by one, is used up; go on later with a new one.  Time without
 * traffic is passed in one look.  Errors as above.
 */

typedef enum {
    RFL_MERGE_BLOCK = 0,                 /* 64 ids, in sum.block */
    RFL_MERGE_CELL,                      /* one id, in sum.cell */
    RFL_MERGE_ZONE                       /* in sum.zone */
} rfl_merge_kind_t;

typedef struct {
    rfl_merge_kind_t  kind;
    rfl_period_t      period;
    uint32_t          id;                /* or the block's number */
    unsigned          range;             /* where it goes on */
    uint32_t          bucket;
    union {
        rfl_history_block_t  block;
        rfl_cell_t           cell;
        rfl_zone_t           zone;
    } sum;
} rfl_merge_t;

void rfl_merge_start(rfl_merge_t *m, rfl_merge_kind_t kind,
    const rfl_period_t *period, uint32_t id);
rfl_rc_t rfl_merge_step(rfl_merge_t *m, rfl_history_t *h, uint32_t *budget);


#endif /* RFL_HISTORY_H */
