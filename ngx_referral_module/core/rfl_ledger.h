/*
 * The ledger: totals that outlive the counter file, in an LMDB environment of
 * their own (PATH/ledger), written by the keeper.
 *
 *     meta    name               -> version, registry uuid, next file number;
 *                                   sources: see rfl_ledger_sources.h
 *     files   file id (u64)      -> file number, path, times
 *     cells   id << 32 | number  -> the cell as last flushed
 *     zones   number             -> the zone-wide counters as last flushed
 *     minutes, hours, days       -> history, see rfl_history.h
 *     states, changes            -> states of links, see rfl_states.h
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

#include "rfl_history.h"


typedef struct rfl_ledger_s  rfl_ledger_t;


/*
 * path is the registry's PATH.  uuid: with CREATE the ledger is made for this
 * registry; a ledger of another one is RFL_INVALID.  uuid NULL: any.
 */

rfl_rc_t rfl_ledger_open(rfl_ledger_t **lp, const char *path,
    const u_char *uuid, unsigned flags, size_t map_size, rfl_error_t *err);
void rfl_ledger_close(rfl_ledger_t *l);

rfl_store_t *rfl_ledger_store(rfl_ledger_t *l);

/* The registry's it belongs to. */

const u_char *rfl_ledger_uuid(rfl_ledger_t *l);


/* The tables of history, for reading between begin and end. */

rfl_history_t rfl_ledger_history(rfl_ledger_t *l);


/*
 * Flushes the counter file: in one transaction writes each dirty cell (full:
 * each cell that is not zero and differs from what is stored; what the file
 * has less than is stored it gets back) and the zone-wide counters as absolute
 * values, adds what they have grown by to the history, and prunes it, some
 * values a flush.  Pruning goes by a clock of the ledger's own, at most twice
 * as fast as the wall clock: one that is set years ahead takes nothing with
 * it.  counters_path is noted so that the command finds the file.  A full flush
 * notes the file also when nothing has changed.
 *
 * On failure nothing is stored and the dirty bits are set again.  Updates the
 * header's flush_ms and flush_errors.  RFL_EXISTS: the file was folded
 * (below), what it has counts already: it must not be used any more.
 *
 * It needs no begun transaction and may block on another writer and on fsync:
 * never call it in an event loop.
 */

typedef struct {
    const char             *counters_path;
    uint64_t                now_ms;      /* wall clock: names the buckets */
    const rfl_retention_t  *keep;        /* NULL: nothing is pruned now */
    unsigned                full:1;

    /* what else is to stand or fall with it; or NULL */
    rfl_rc_t              (*more)(void *data, rfl_ledger_t *l,
                                  rfl_error_t *err);
    void                   *data;
} rfl_flush_t;

typedef struct {
    uint32_t  cells;             /* written */
    uint32_t  pruned;            /* values of history */
    unsigned  full:1;
} rfl_flush_stat_t;

rfl_rc_t rfl_ledger_flush(rfl_ledger_t *l, rfl_counters_t *c,
    const rfl_flush_t *flush, rfl_flush_stat_t *stat, rfl_error_t *err);


/*
 * Folds counter files that are gone into number 0, some ids a call, in a
 * write transaction of its own: totals then cost one value, however many
 * boots there were.  A file is gone when live_file_id is another, nobody has
 * flushed it for RFL_LEDGER_DEAD_MS, and its path names no counter file of that
 * id.  Since a clock that jumps makes all files look so, that is noted first:
 * folding begins when RFL_LEDGER_WAIT_MS later there was no flush still.  Its
 * record stays, marked as folded.  *folded: ids looked at; 0: nothing is left
 * to do now.
 */

#define RFL_LEDGER_DEAD_MS   (24 * 3600 * 1000)
#define RFL_LEDGER_WAIT_MS   (3600 * 1000)
#define RFL_LEDGER_FOLD_IDS  2000

rfl_rc_t rfl_ledger_fold(rfl_ledger_t *l, uint64_t live_file_id,
    uint64_t now_ms, uint32_t *folded, rfl_error_t *err);


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

/* The same for several, RFL_PAGES_MANY at most. */

rfl_rc_t rfl_ledger_cells(rfl_ledger_t *l, uint64_t live_file_id,
    const uint32_t *ids, size_t n, rfl_cell_t *cells);

/*
 * Whether what this counter file has is, or is being, folded into number 0:
 * then the above leave nothing out and its live cells must not be added.
 */

rfl_rc_t rfl_ledger_is_folded(rfl_ledger_t *l, uint64_t file_id, int *folded);

/* The highest id with a stored cell, 0 if none. */

rfl_rc_t rfl_ledger_max_id(rfl_ledger_t *l, uint32_t *id);

/* The first id at or behind *id with a stored cell; RFL_NOT_FOUND. */

rfl_rc_t rfl_ledger_next_id(rfl_ledger_t *l, uint32_t *id);


/*
 * The counter file that was flushed last: its path, RFL_NOT_FOUND if none.
 * Folded ones do not count.
 */

typedef struct {
    uint64_t   file_id;
    uint32_t   number;
    uint64_t   flushed_ms;
    rfl_str_t  path;
} rfl_ledger_file_t;

rfl_rc_t rfl_ledger_last_file(rfl_ledger_t *l, rfl_ledger_file_t *file);

/* The first one whose id is above after, in no other order; likewise. */

rfl_rc_t rfl_ledger_next_file(rfl_ledger_t *l, uint64_t after,
    rfl_ledger_file_t *file);


#endif /* RFL_LEDGER_H */
