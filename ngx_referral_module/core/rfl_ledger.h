/*
 * The ledger: totals that outlive the counter file, in an LMDB environment of
 * their own (PATH/ledger), written by the keeper.
 *
 *     meta    name               -> version, registry uuid, next file number
 *     files   file id (u64)      -> file number, path, times
 *     cells   id << 32 | number  -> the cell as last flushed
 *     zones   number             -> the zone-wide counters as last flushed
 *
 * It stores absolute values per counter file.  So a flush that is repeated,
 * or killed at any instruction, changes nothing twice:
 *
 *     total = stored cells of the other files + the live cell
 *
 * and a reader sees no jump while a flush goes on.
 */

#ifndef RFL_LEDGER_H
#define RFL_LEDGER_H

#include "rfl_counters.h"
#include "rfl_store.h"


typedef struct rfl_ledger_s  rfl_ledger_t;


/*
 * path is the registry's PATH.  uuid: with CREATE the ledger is made for this
 * registry; a ledger of another one is RFL_INVALID.  uuid NULL: any.
 */

rfl_rc_t rfl_ledger_open(rfl_ledger_t **lp, const char *path,
    const u_char *uuid, unsigned flags, size_t map_size, rfl_error_t *err);
void rfl_ledger_close(rfl_ledger_t *l);

rfl_store_t *rfl_ledger_store(rfl_ledger_t *l);


/*
 * Flushes the counter file: in one transaction writes each dirty cell (full:
 * each cell that is not zero and differs from what is stored) and the
 * zone-wide counters as absolute values.  counters_path is noted so that
 * the command finds the file.  On failure nothing is stored and the dirty
 * bits are set again.  Updates the header's flush_ms and flush_errors.  It
 * needs no begun transaction and may block on another writer and on fsync:
 * never call it in an event loop.
 */

typedef struct {
    uint32_t  cells;             /* written */
    unsigned  full:1;
} rfl_flush_stat_t;

rfl_rc_t rfl_ledger_flush(rfl_ledger_t *l, rfl_counters_t *c,
    const char *counters_path, int full, uint64_t now_ms,
    rfl_flush_stat_t *stat, rfl_error_t *err);


/* Reading: begin, any of the below, end. */

rfl_rc_t rfl_ledger_begin(rfl_ledger_t *l, rfl_error_t *err);
void rfl_ledger_end(rfl_ledger_t *l);


/*
 * Merges into *cell what the ledger stores for id in other files than the
 * one named by live_file_id (0: all files).
 */

rfl_rc_t rfl_ledger_cell(rfl_ledger_t *l, uint64_t live_file_id, uint32_t id,
    rfl_cell_t *cell);
rfl_rc_t rfl_ledger_zone(rfl_ledger_t *l, uint64_t live_file_id,
    rfl_zone_t *zone);

/* The highest id with a stored cell, 0 if none. */

rfl_rc_t rfl_ledger_max_id(rfl_ledger_t *l, uint32_t *id);


/* The counter file that was flushed last: its path, RFL_NOT_FOUND if none. */

typedef struct {
    uint64_t   file_id;
    uint32_t   number;
    uint64_t   flushed_ms;
    rfl_str_t  path;
} rfl_ledger_file_t;

rfl_rc_t rfl_ledger_last_file(rfl_ledger_t *l, rfl_ledger_file_t *file);


#endif /* RFL_LEDGER_H */
