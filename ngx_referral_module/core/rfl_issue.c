/*
 * See rfl_issue.h.
 */

#include "rfl_issue.h"

#include <time.h>


static rfl_rc_t rfl_issue_open_counters(const rfl_runtime_conf_t *conf,
    const char *path, const u_char *uuid, rfl_totals_t *totals,
    rfl_error_t *err);
static uint64_t rfl_issue_clicks(void *data, uint32_t id);


/*
 * The ledger is only read.  It is opened for writing all the same, since so
 * this process has it open: the last process out writes it.
 */

rfl_rc_t
rfl_issue_open(const rfl_runtime_conf_t *conf, const char *counters,
    rfl_registry_t *registry, rfl_totals_t *totals, rfl_error_t *err)
{
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    totals->ledger = NULL;
    totals->counters = NULL;

    rc = rfl_registry_begin(registry, 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_meta(registry, &meta);
    rfl_registry_end(registry);

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "the registry's meta data cannot be read");
    }

    rc = rfl_ledger_open(&totals->ledger, conf->path, meta.uuid,
                         RFL_STORE_WRITE, conf->map_size, err);

    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        totals->ledger = NULL;
        return rc;
    }

    rc = rfl_issue_open_counters(conf, counters, meta.uuid, totals, err);

    if (rc != RFL_OK) {
        rfl_ledger_close(totals->ledger);
        totals->ledger = NULL;
    }

    return rc;
}


/*
 * Mapped without a lock: it is not by this that the process counts.  One that
 * is gone, or another's, has no cells of ours, and the links count as overflow
 * until the keeper has made some.  But one that may be there says which ids it
 * has counted: without memory or descriptors nothing is issued.
 */

static rfl_rc_t
rfl_issue_open_counters(const rfl_runtime_conf_t *conf, const char *path,
    const u_char *uuid, rfl_totals_t *totals, rfl_error_t *err)
{
    rfl_rc_t         rc;
    uint64_t         now;
    rfl_counters_t  *counters;

    if (path == NULL) {
        return RFL_OK;
    }

    now = (uint64_t) time(NULL);

    if (path[0] == '\0') {
        rc = rfl_counters_volatile_open(&counters, conf->volatile_fd, uuid,
                                        0, conf->max_ids, RFL_COUNTERS_GROW,
                                        now, err);

    } else {
        rc = rfl_counters_open(&counters, path, uuid, 0,
                               conf->max_ids, RFL_COUNTERS_GROW, now, err);
    }

    if (rc == RFL_OK) {
        totals->counters = counters;
    }

    return rfl_issue_is_blind(rc) ? rc : RFL_OK;
}


void
rfl_issue_close(rfl_totals_t *totals)
{
    rfl_counters_close(totals->counters);
    rfl_ledger_close(totals->ledger);
}


/* The lock first: what was counted and issued is read when it is ours. */

rfl_rc_t
rfl_issue_begin(rfl_registry_t *registry, rfl_totals_t *totals,
    rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint32_t  floor;

    rc = rfl_registry_begin(registry, 1, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_issue_floor(totals, &floor, err);
    if (rc != RFL_OK) {
        rfl_registry_end(registry);
        return rc;
    }

    rfl_registry_set_floor(registry, floor);
    rfl_registry_set_clicks(registry, rfl_issue_clicks, totals);

    return RFL_OK;
}


rfl_rc_t
rfl_issue_floor(rfl_totals_t *totals, uint32_t *floor, rfl_error_t *err)
{
    rfl_rc_t  rc;
    uint32_t  id;

    *floor = 0;

    if (totals->ledger != NULL) {
        rc = rfl_ledger_begin(totals->ledger, err);
        if (rc != RFL_OK) {
            return rc;
        }

        rc = rfl_ledger_max_id(totals->ledger, &id);
        rfl_ledger_end(totals->ledger);

        if (rc != RFL_OK) {
            return rfl_fail(err, RFL_ERROR, "the ledger cannot be read");
        }

        *floor = id < UINT32_MAX ? id + 1 : id;
    }

    if (totals->counters != NULL) {
        id = __atomic_load_n(&totals->counters->header->next_id,
                             __ATOMIC_ACQUIRE);

        if (*floor < id) {
            *floor = id;
        }
    }

    return RFL_OK;
}


static uint64_t
rfl_issue_clicks(void *data, uint32_t id)
{
    rfl_totals_t *totals = data;

    rfl_rc_t    rc;
    rfl_cell_t  cell;

    memset(&cell, 0, sizeof(rfl_cell_t));

    if (totals->ledger != NULL
        && rfl_ledger_begin(totals->ledger, NULL) != RFL_OK)
    {
        return RFL_CLICKS_UNKNOWN;
    }

    rc = rfl_totals_cell(totals, id, &cell);

    if (totals->ledger != NULL) {
        rfl_ledger_end(totals->ledger);
    }

    return rc == RFL_OK ? cell.n[RFL_CELL_CLICKS] : RFL_CLICKS_UNKNOWN;
}


rfl_rc_t
rfl_issue_commit(rfl_registry_t *registry, rfl_totals_t *totals,
    rfl_error_t *room, rfl_error_t *err)
{
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    if (room != NULL) {
        room->rc = RFL_OK;
    }

    /* what bulk has still to write may issue ids of groups */

    rc = rfl_registry_settle(registry, err);
    if (rc != RFL_OK) {
        rfl_registry_end(registry);
        return rc;
    }

    if (totals->counters != NULL && totals->counters->writable
        && rfl_registry_meta(registry, &meta) == RFL_OK)
    {
        (void) rfl_counters_reserve(totals->counters, meta.next_id, room);
    }

    return rfl_registry_commit(registry, err);
}
