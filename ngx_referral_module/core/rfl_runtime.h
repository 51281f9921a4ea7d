/*
 * One registry as one process uses it: the open environments, the counter
 * file and what is wrong with them.  A worker has one, the keeper's thread
 * has one, so has the thread of the last process out.
 *
 * Nothing here stops the process: what cannot be opened is tried again at the
 * next tick.  Without the registry counting goes on under the uuid that was
 * known; without a counter file in memory all processes share (volatile).
 * Where neither can be had the zone-wide counts wait in this process, and the
 * share of a link or group, which has no cell yet, is overflow.
 */

#ifndef RFL_RUNTIME_H
#define RFL_RUNTIME_H

#include "rfl_canary.h"
#include "rfl_pattern.h"
#include "rfl_record.h"
#include "rfl_report.h"
#include "rfl_shared_text.h"


/* Compiled patterns a process keeps; the least recently used one goes. */

#define RFL_RUNTIME_PATTERNS  16384


/* Strings are terminated by a zero and outlive the runtime. */

typedef struct {
    const char  *name;
    const char  *path;           /* the registry's PATH */
    const char  *counters;       /* counter file; empty: in counters_dir */
    const char  *counters_dir;   /* empty: the file is PATH/counters */
    const char  *source;         /* file the links are those of; empty: none */
    size_t       map_size;
    uint32_t     max_ids;        /* cells to map: links and groups */
    uint32_t     max_links;
    unsigned     flush_ms;
    rfl_retention_t  keep;       /* of history */
    int          volatile_fd;    /* rfl_counters_volatile_create()'s, or -1 */
    rfl_canary_t    *canary;     /* the master's; NULL: none */
    rfl_shared_text_t  *source_state;    /* likewise: what is wrong with the
                                            source */
} rfl_runtime_conf_t;


/*
 * Files that lost their name, or their registry, while they were counted in.
 * They stay mapped until the ledger has all of them: a worker's for its totals,
 * which must not dip, the keeper's to be flushed.
 */

#define RFL_RUNTIME_LOST  4


/* The file that was there then; time is of the clock that dates files. */

typedef struct {
    ino_t                      ino;              /* 0: none */
    off_t                      size;
    struct timespec            changed;
    struct timespec            time;
} rfl_runtime_try_t;


typedef struct {
    const rfl_runtime_conf_t  *conf;
    unsigned                   stripe;           /* and its ring, modulo */
    unsigned                   keeps:1;          /* the keeper's: makes the
                                                    registry, and has the
                                                    ledger elsewhere */
    unsigned                   writes:1;         /* a keeper or a writer is a
                                                    thread of this process:
                                                    they share writable
                                                    environments */
    unsigned                   has_uuid:1;       /* known, by the registry or
                                                    the ledger */
    unsigned                   adopted:1;        /* with this ledger */
    unsigned                   memory_done:1;    /* the ledger had all of it at
                                                    the last tick */
    unsigned                   ticked:1;         /* there was a tick before */
    u_char                     uuid[16];
    uint32_t                   next_id;          /* of the registry, as it was
                                                    read last */
    uint32_t                   max_links;
    uint64_t                   source;           /* of the file it follows */
    unsigned                   opened;           /* how often the registry was
                                                    opened */
    rfl_runtime_try_t          tried;            /* to open the registry */
    uint32_t                   deaths;           /* the canary's, when the
                                                    environments were opened */
    uint64_t                   now;              /* seconds; of the last tick */

    rfl_registry_t            *registry;         /* NULL: not available */
    rfl_patterns_t            *patterns;         /* of this registry, compiled;
                                                    NULL in the keeper */
    rfl_recent_t              *recent;           /* decided lately; NULL: in
                                                    the keeper, or out of
                                                    memory */
    rfl_ledger_t              *ledger;           /* read only */

    rfl_counters_t            *counters;         /* counts go there; its "lost"
                                                    leads to the next two */
    rfl_counters_t            *memory;           /* the volatile one, if it has
                                                    been made; counters itself
                                                    while there is no file */
    rfl_counters_t            *lost[RFL_RUNTIME_LOST];
    unsigned                   nlost;
    char                       counters_path[RFL_URL_MAX];

    rfl_zone_t                *zone;             /* counts go here: pending,
                                                    or a stripe of the file */
    rfl_zone_t                 pending;

    /* why it is not available; rc is RFL_OK when it is */
    rfl_error_t                registry_error;
    rfl_error_t                ledger_error;
    rfl_error_t                counters_error;   /* also while it is volatile */
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
 * At the first tick a worker serves nobody yet, and makes all of them.
 */

#define RFL_RUNTIME_GROW_IDS  65536

void rfl_runtime_tick(rfl_runtime_t *rt, uint64_t now);

/*
 * Before a request, while there is no registry: it may have been made since
 * the last tick, with the link that this request came by.  If so it is opened,
 * as by a tick.  Costs a stat(), and a try for each change of the file.
 */

void rfl_runtime_look(rfl_runtime_t *rt, uint64_t now);

/* Whether there is a registry below PATH, sound or not. */

int rfl_runtime_is_made(const char *path);

void rfl_runtime_close(rfl_runtime_t *rt);

/*
 * Counter files of other names, which a configuration before this one used:
 * old workers may count there still, and the ledger may lack some of it.  They
 * become lost ones.  Workers do so by themselves when they open the ledger.
 */

#define RFL_RUNTIME_ADOPTED  2           /* the rest of "lost" stays free */

void rfl_runtime_adopt(rfl_runtime_t *rt, rfl_ledger_t *ledger);

/* Closes lost[i]: the ledger has all of it, or will never have it. */

void rfl_runtime_drop_lost(rfl_runtime_t *rt, unsigned i);

/*
 * The counter file must not be used any more (it was folded): it becomes
 * PATH.old, and all go on to a new one at their next tick.
 */

void rfl_runtime_give_up_counters(rfl_runtime_t *rt);

/*
 * Where totals come from, for rfl_totals_*().  If another process has moved
 * on to a new counter file this one follows at once: its readers must not see
 * less than the other's.
 */

rfl_totals_t rfl_runtime_totals(rfl_runtime_t *rt);


#endif /* RFL_RUNTIME_H */
