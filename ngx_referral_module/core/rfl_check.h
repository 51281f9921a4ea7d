/*
 * Whether the tables of registry and ledger agree: each row of each table is
 * looked at, and what it says is looked for in the others.
 *
 *     registry  records <-> keys, sources, slots, members, patterns; a group's
 *               number of links; the numbers in meta
 *     ledger    cells, zones <-> files; history: every value decodes, a
 *               total is the sum of its days, a day that of its hours, an hour
 *               that of its minutes, as far as nothing was pruned; states
 *               of links, and their sums
 *
 * The registry is read in one snapshot: what is added between two would look
 * like a fault, and it is only written to when somebody changes links.  The
 * ledger is read in pieces, each a snapshot of its own (the cells of 64 ids
 * and their days, a day and its hours): a flush writes to it every few
 * seconds, and a reader that stays keeps LMDB from using freed pages again
 * (the file grew from 17 to 467 MB by one).
 *
 * For the command alone.  Memory: 8 bytes for each host with page links, and
 * what the faults take.
 */

#ifndef RFL_CHECK_H
#define RFL_CHECK_H

#include "rfl_ledger.h"
#include "rfl_registry.h"


/* Called inside a read transaction: it is to keep the text, not to print it. */

typedef void (*rfl_check_pt)(void *data, const char *table, rfl_str_t text);


typedef struct {
    rfl_check_pt   fault;                /* set by the caller */
    void          *data;

    uint64_t       faults;
    uint64_t       rows;                 /* looked at, in all tables */
    uint64_t       links;
    uint64_t       retired;
    uint64_t       groups;
    uint64_t       cells;
    uint64_t       files;                /* counter files, also folded ones */
    uint64_t       buckets;              /* values of history */
} rfl_check_t;


/*
 * They begin and end their own transactions.  RFL_OK: all was looked at, and
 * faults says what was found; else err says what kept it from that.  All pages
 * are looked at first: RFL_DAMAGED, and nothing else is read.
 */

rfl_rc_t rfl_check_registry(rfl_check_t *c, rfl_registry_t *r,
    rfl_error_t *err);
rfl_rc_t rfl_check_ledger(rfl_check_t *c, rfl_ledger_t *l, rfl_error_t *err);


/* Tells of a fault in a table. */

void rfl_check_fault(rfl_check_t *c, const char *table, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));


#endif /* RFL_CHECK_H */
