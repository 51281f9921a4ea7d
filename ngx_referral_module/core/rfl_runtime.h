/*
 * One registry as one process uses it: the open environments, the counter
 * file and what is wrong with them.  A worker has one, the keeper's thread
 * has one, so has the thread of the last process out.
 *
 * Nothing here stops the process: what cannot be opened is tried again at the
 * next tick.  Meanwhile the zone-wide counts wait in memory, and the share of
 * a link or group, which has no cell yet, is overflow.
 */

#ifndef RFL_RUNTIME_H
#define RFL_RUNTIME_H

#include "rfl_pattern.h"
#include "rfl_record.h"
#include "rfl_report.h"


/* Compiled patterns a process keeps; the least recently used one goes. */

#define RFL_RUNTIME_PATTERNS  16384


/* Strings are terminated by a zero and outlive the runtime. */

typedef struct {
    const char  *name;
    const char  *path;           /* the registry's PATH */
    const char  *counters;       /* counter file; empty: in counters_dir */
    const char  *counters_dir;   /* empty: the file is PATH/counters */
    size_t       map_size;
    uint32_t     max_ids;        /* cells to map: links and groups */
    uint32_t     max_links;
    unsigned     flush_ms;
} rfl_runtime_conf_t;


typedef struct {
    const rfl_runtime_conf_t  *conf;
    unsigned                   stripe;
    unsigned                   keeps:1;          /* the keeper's: makes the
                                                    registry, and has the
                                                    ledger elsewhere */
    unsigned                   writes:1;         /* the keeper is a thread of
                                                    this process: they share
                                                    writable environments */

    rfl_registry_t            *registry;         /* NULL: not available */
    rfl_patterns_t            *patterns;         /* of this registry, compiled;
                                                    NULL in the keeper */
    rfl_ledger_t              *ledger;           /* read only */
    rfl_counters_t            *counters;
    rfl_counters_t            *orphan;           /* the keeper's: a file that
                                                    lost its name, until all
                                                    of it is flushed */
    char                       counters_path[RFL_URL_MAX];

    rfl_zone_t                *zone;             /* counts go here: pending,
                                                    or a stripe of the file */
    rfl_zone_t                 pending;

    /* why it is not available; rc is RFL_OK when it is */
    rfl_error_t                registry_error;
    rfl_error_t                ledger_error;
    rfl_error_t                counters_error;
} rfl_runtime_t;


/* stripe: any number; processes with different ones seldom share a stripe. */

void rfl_runtime_init(rfl_runtime_t *rt, const rfl_runtime_conf_t *conf,
    unsigned stripe);

/*
 * Once a second: opens what is not open, closes what another file has taken
 * the place of, extends the counter file ahead of the registry.  now: seconds.
 *
 * Allocating cells writes them, 128 bytes each: a worker makes at most
 * RFL_RUNTIME_GROW_IDS a tick, the keeper's thread and the command the rest.
 */

#define RFL_RUNTIME_GROW_IDS  65536

void rfl_runtime_tick(rfl_runtime_t *rt, uint64_t now);

void rfl_runtime_close(rfl_runtime_t *rt);

/* Once nobody counts in it any more and it is flushed. */

void rfl_runtime_drop_orphan(rfl_runtime_t *rt);

/* Where totals come from, for rfl_totals_*(). */

rfl_totals_t rfl_runtime_totals(rfl_runtime_t *rt);


#endif /* RFL_RUNTIME_H */
