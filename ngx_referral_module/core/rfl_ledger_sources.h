/*
 * The table of sources (rfl_sources.h) as the ledger keeps it.  It stands in
 * the table "meta", under names of its own:
 *
 *     sources               -> when it began, what was read and missed, floor
 *     source/ row           -> a row: rfl_source_encode()
 *     source-ring/ file id  -> how far the rings of this counter file were read
 *     sources-filter        -> the filter: what was read, its start and secret
 *     source-filter/ chunk  -> its cells: rfl_sources_put_chunk()
 *
 * so that a ledger of before, or one that is restored, lacks no table: who
 * reads it need not wait for the keeper, who may not be running.
 *
 * All that a flush writes is written in one transaction: rows and the places in
 * the rings always agree.  Whoever goes on from there after a kill reads each
 * record once; those that were written over meanwhile it counts as missed.
 *
 * The filter is written by a process that ends, for the next one: 2 MB where
 * much was forgotten, too much for each flush.  The first flush of the next one
 * takes it back: who is killed leaves none.
 */

#ifndef RFL_LEDGER_SOURCES_H
#define RFL_LEDGER_SOURCES_H

#include "rfl_buf.h"
#include "rfl_ledger.h"
#include "rfl_sources.h"


#define RFL_LEDGER_RINGS  8              /* counter files read at a time */


typedef struct {
    uint64_t  began;                     /* seconds */
    uint64_t  read;                      /* records */
    uint64_t  missed;                    /* likewise: nobody knows of what */
    uint64_t  floor;                     /* rfl_sources_floor() */
    uint32_t  rows;                      /* places for rows */
    uint32_t  used;                      /* of them */
} rfl_ledger_sources_t;


typedef struct {
    uint64_t  file_id;
    uint64_t  next[RFL_RINGS];
} rfl_ledger_ring_t;


/* What a flush is to write. */

typedef struct {
    rfl_ledger_sources_t  head;
    uint32_t             *numbers;       /* of the rows, by the caller */
    size_t               *lengths;
    size_t                nrows;
    rfl_buf_t             records;       /* one behind the other */
    rfl_ledger_ring_t     rings[RFL_LEDGER_RINGS];
    size_t                nrings;
} rfl_ledger_batch_t;

/*
 * In a write transaction.  Places in files that were folded are removed: others
 * may come back, and must not be read twice.
 */

rfl_rc_t rfl_ledger_put_sources(rfl_ledger_t *l,
    const rfl_ledger_batch_t *batch, rfl_error_t *err);


/* read: rfl_ledger_sources_t's; chunks: so many are stored. */

typedef struct {
    uint64_t           read;
    uint64_t           start;
    uint32_t           chunks;
    rfl_hash_secret_t  secret;
} rfl_ledger_filter_t;

/* In a write transaction, behind the rows.  read: theirs. */

rfl_rc_t rfl_ledger_put_filter(rfl_ledger_t *l, const rfl_sources_t *table,
    uint64_t read, rfl_error_t *err);


/*
 * In a begun transaction.  RFL_NOT_FOUND: there is none; RFL_BAD_VERSION,
 * RFL_DAMAGED.  next_source: the first row from *number on.
 */

rfl_rc_t rfl_ledger_get_sources(rfl_ledger_t *l, rfl_ledger_sources_t *head);
rfl_rc_t rfl_ledger_source(rfl_ledger_t *l, uint32_t number,
    rfl_sources_entry_t *source);
rfl_rc_t rfl_ledger_next_source(rfl_ledger_t *l, uint32_t *number,
    rfl_sources_entry_t *source);
rfl_rc_t rfl_ledger_ring(rfl_ledger_t *l, uint64_t file_id,
    rfl_ledger_ring_t *ring);
rfl_rc_t rfl_ledger_get_filter(rfl_ledger_t *l, rfl_ledger_filter_t *filter);

/* The chunks of a filter that was got, and its start, into a table that has its
 * secret and its rows.  Any error: the table has no filter. */

rfl_rc_t rfl_ledger_load_filter(rfl_ledger_t *l,
    const rfl_ledger_filter_t *filter, rfl_sources_t *table);


#endif /* RFL_LEDGER_SOURCES_H */
