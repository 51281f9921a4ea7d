/*
 * Write transactions of the registry that may issue ids, whoever begins them:
 * the command, a write of the status tree, a file that is followed.
 *
 * An id that a cell was ever counted under must not be issued again, also by a
 * registry that was restored from a backup; and a new id needs a cell before
 * anyone can see it, or what it counts overflows.
 */

#ifndef RFL_ISSUE_H
#define RFL_ISSUE_H

#include "rfl_runtime.h"


/*
 * In a process of nginx, for a thread that writes: totals that are opened for
 * this and closed after it.  counters: the path of the counter file that is in
 * use, "" for the volatile one, NULL for none.  Of conf the path and numbers
 * are read.  Where there is no ledger yet nothing was ever counted.
 */

rfl_rc_t rfl_issue_open(const rfl_runtime_conf_t *conf, const char *counters,
    rfl_registry_t *registry, rfl_totals_t *totals, rfl_error_t *err);
void rfl_issue_close(rfl_totals_t *totals);

/*
 * Whether this, of opening the counter file, leaves open what it has counted:
 * then no id may be issued.
 */

static inline int
rfl_issue_is_blind(rfl_rc_t rc)
{
    return rc == RFL_NO_MEMORY || rc == RFL_ERROR;
}

/*
 * begin waits for the writer's lock, as long as it takes.  totals outlive the
 * transaction and are not used by another thread meanwhile; with neither
 * ledger nor counters nothing was ever counted.
 */

rfl_rc_t rfl_issue_begin(rfl_registry_t *registry, rfl_totals_t *totals,
    rfl_error_t *err);

/*
 * Cells first, where the counter file is writable.  room: why some ids got
 * none and will overflow, which fails nothing; rc is RFL_OK if all have one.
 * NULL: nobody asks.
 */

rfl_rc_t rfl_issue_commit(rfl_registry_t *registry, rfl_totals_t *totals,
    rfl_error_t *room, rfl_error_t *err);

/* Ids below it were counted, or may be. */

rfl_rc_t rfl_issue_floor(rfl_totals_t *totals, uint32_t *floor,
    rfl_error_t *err);


#endif /* RFL_ISSUE_H */
