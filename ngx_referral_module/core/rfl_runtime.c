/*
 * See rfl_runtime.h.  The order matters: the registry's uuid names the
 * counter file, so the registry comes first; counts that arrive before the
 * counter file is open wait in this process and are added to it then.
 */

#include "rfl_runtime.h"

#include <stdio.h>


static void rfl_runtime_registry(rfl_runtime_t *rt);
static void rfl_runtime_ledger(rfl_runtime_t *rt, const u_char *uuid);
static void rfl_runtime_counters(rfl_runtime_t *rt,
    const rfl_registry_meta_t *meta, uint64_t now);
static uint32_t rfl_runtime_wanted_ids(rfl_runtime_t *rt,
    const rfl_registry_meta_t *meta);
static rfl_rc_t rfl_runtime_counters_path(rfl_runtime_t *rt,
    const u_char *uuid);
static void rfl_runtime_drop_registry(rfl_runtime_t *rt);
static void rfl_runtime_drop_counters(rfl_runtime_t *rt);


void
rfl_runtime_init(rfl_runtime_t *rt, const rfl_runtime_conf_t *conf,
    unsigned stripe)
{
    memset(rt, 0, sizeof(rfl_runtime_t));

    rt->conf = conf;
    rt->stripe = stripe % RFL_COUNTERS_STRIPES;
    rt->zone = &rt->pending;

    (void) rfl_fail(&rt->registry_error, RFL_NOT_FOUND, "not opened yet");
    (void) rfl_fail(&rt->ledger_error, RFL_NOT_FOUND, "not opened yet");
    (void) rfl_fail(&rt->counters_error, RFL_NOT_FOUND, "not opened yet");
}


void
rfl_runtime_tick(rfl_runtime_t *rt, uint64_t now)
{
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    rfl_runtime_registry(rt);

    if (rt->registry == NULL) {
        return;
    }

    rc = rfl_registry_begin(rt->registry, 0, &rt->registry_error);
    if (rc != RFL_OK) {
        rfl_runtime_drop_registry(rt);
        return;
    }

    rc = rfl_registry_meta(rt->registry, &meta);

    rfl_registry_end(rt->registry);

    if (rc != RFL_OK) {
        (void) rfl_fail(&rt->registry_error, rc, "%s/registry: its meta data "
                        "cannot be read", rt->conf->path);
        rfl_runtime_drop_registry(rt);
        return;
    }

    rfl_runtime_counters(rt, &meta, now);

    if (!rt->keeps) {
        rfl_runtime_ledger(rt, meta.uuid);
    }
}


static void
rfl_runtime_registry(rfl_runtime_t *rt)
{
    rfl_rc_t  rc;
    unsigned  flags;

    if (rt->registry != NULL) {

        rc = rfl_store_check_path(rfl_registry_store(rt->registry));
        if (rc == RFL_OK) {
            return;
        }

        rfl_runtime_drop_registry(rt);
    }

    flags = rt->keeps ? RFL_STORE_CREATE
            : rt->writes ? RFL_STORE_WRITE : RFL_STORE_READ;

    rc = rfl_registry_open(&rt->registry, rt->conf->path, flags,
                           rt->conf->map_size, &rt->registry_error);
    if (rc != RFL_OK) {
        return;
    }

    rt->registry_error.rc = RFL_OK;
    (void) rfl_store_reader_check(rfl_registry_store(rt->registry));

    if (rt->keeps) {
        (void) rfl_registry_set_max_links(rt->registry, rt->conf->max_links,
                                          &rt->registry_error);
        return;
    }

    /* without memory each pattern is compiled anew */

    rt->patterns = rfl_patterns_create(RFL_RUNTIME_PATTERNS);
}


/* The keeper makes the ledger at its first flush; readers wait for it. */

static void
rfl_runtime_ledger(rfl_runtime_t *rt, const u_char *uuid)
{
    rfl_rc_t  rc;

    if (rt->ledger != NULL) {

        rc = rfl_store_check_path(rfl_ledger_store(rt->ledger));
        if (rc == RFL_OK) {
            return;
        }

        rfl_ledger_close(rt->ledger);
        rt->ledger = NULL;
    }

    rc = rfl_ledger_open(&rt->ledger, rt->conf->path, uuid,
                         rt->writes ? RFL_STORE_WRITE : RFL_STORE_READ,
                         rt->conf->map_size, &rt->ledger_error);
    if (rc == RFL_OK) {
        rt->ledger_error.rc = RFL_OK;
    }
}


static void
rfl_runtime_counters(rfl_runtime_t *rt, const rfl_registry_meta_t *meta,
    uint64_t now)
{
    size_t    i;
    rfl_rc_t  rc;

    if (rt->counters != NULL) {

        if (memcmp(rt->counters->header->uuid, meta->uuid, 16) == 0
            && rfl_counters_check_path(rt->counters, rt->counters_path)
               == RFL_OK)
        {
            /* nothing to do, most of the time: that is cheap */

            rc = rfl_counters_reserve(rt->counters,
                                      rfl_runtime_wanted_ids(rt, meta),
                                      &rt->counters_error);
            if (rc == RFL_OK) {
                rt->counters_error.rc = RFL_OK;
            }

            return;
        }

        if (rt->keeps && rt->orphan == NULL
            && memcmp(rt->counters->header->uuid, meta->uuid, 16) == 0)
        {
            rt->orphan = rt->counters;
            rt->counters = NULL;
            rt->zone = &rt->pending;

        } else {
            rfl_runtime_drop_counters(rt);
        }
    }

    rc = rfl_runtime_counters_path(rt, meta->uuid);
    if (rc != RFL_OK) {
        return;
    }

    rc = rfl_counters_open(&rt->counters, rt->counters_path, meta->uuid,
                           rfl_runtime_wanted_ids(rt, meta),
                           rt->conf->max_ids, RFL_COUNTERS_CREATE, now,
                           &rt->counters_error);
    if (rc != RFL_OK) {
        return;
    }

    rt->counters_error.rc = RFL_OK;

    rt->zone = &rt->counters->stripes[rt->stripe];

    for (i = 0; i < RFL_ZONE_FIELDS; i++) {
        rfl_counters_add(&rt->zone->n[i], rt->pending.n[i]);
    }

    memset(&rt->pending, 0, sizeof(rfl_zone_t));
}


static uint32_t
rfl_runtime_wanted_ids(rfl_runtime_t *rt, const rfl_registry_meta_t *meta)
{
    uint32_t  ids;

    if (rt->keeps) {
        return meta->next_id;
    }

    ids = RFL_RUNTIME_GROW_IDS;

    if (rt->counters != NULL) {
        ids += rfl_counters_capacity(rt->counters);
    }

    return meta->next_id < ids ? meta->next_id : ids;
}


static rfl_rc_t
rfl_runtime_counters_path(rfl_runtime_t *rt, const u_char *uuid)
{
    int                        n;
    const rfl_runtime_conf_t  *conf;

    conf = rt->conf;

    if (conf->counters[0] != '\0') {
        n = snprintf(rt->counters_path, sizeof(rt->counters_path), "%s",
                     conf->counters);

    } else if (conf->counters_dir[0] != '\0') {
        n = snprintf(rt->counters_path, sizeof(rt->counters_path),
                     "%s/%s-%02x%02x%02x%02x.counters", conf->counters_dir,
                     conf->name, uuid[0], uuid[1], uuid[2], uuid[3]);

    } else {
        n = snprintf(rt->counters_path, sizeof(rt->counters_path),
                     "%s/counters", conf->path);
    }

    if (n < 0 || (size_t) n >= sizeof(rt->counters_path)) {
        return rfl_fail(&rt->counters_error, RFL_INVALID,
                        "the counter file's path is longer than %zu bytes",
                        sizeof(rt->counters_path) - 1);
    }

    return RFL_OK;
}


rfl_totals_t
rfl_runtime_totals(rfl_runtime_t *rt)
{
    rfl_totals_t  totals;

    totals.ledger = rt->ledger;
    totals.counters = rt->counters;

    return totals;
}


void
rfl_runtime_close(rfl_runtime_t *rt)
{
    rfl_runtime_drop_orphan(rt);
    rfl_runtime_drop_counters(rt);
    rfl_runtime_drop_registry(rt);

    if (rt->ledger != NULL) {
        rfl_ledger_close(rt->ledger);
        rt->ledger = NULL;
    }
}


void
rfl_runtime_drop_orphan(rfl_runtime_t *rt)
{
    rfl_counters_close(rt->orphan);
    rt->orphan = NULL;
}


static void
rfl_runtime_drop_registry(rfl_runtime_t *rt)
{
    rfl_patterns_free(rt->patterns);
    rt->patterns = NULL;

    rfl_registry_close(rt->registry);
    rt->registry = NULL;
}


static void
rfl_runtime_drop_counters(rfl_runtime_t *rt)
{
    if (rt->counters == NULL) {
        return;
    }

    rt->zone = &rt->pending;

    rfl_counters_close(rt->counters);
    rt->counters = NULL;
}
