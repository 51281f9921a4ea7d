/* See site.h. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "site.h"


void
site_init(site_t *site, const char *name)
{
    memset(site, 0, sizeof(site_t));

    (void) snprintf(site->dir, sizeof(site->dir), "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(site->dir));
    (void) snprintf(site->counters, sizeof(site->counters), "%s/cells",
                    site->dir);

    site->conf.name = name;
    site->conf.path = site->dir;
    site->conf.counters = site->counters;
    site->conf.counters_dir = "";
    site->conf.source = "";
    site->conf.map_size = 64 << 20;
    site->conf.max_ids = 100000;
    site->conf.max_links = 50000;
    site->conf.flush_ms = 100;
    site->conf.volatile_fd = -1;
}


void
site_open(site_t *site)
{
    rfl_runtime_init(&site->rt, &site->conf, 0);

    site->rt.keeps = 1;
    rfl_runtime_tick(&site->rt, 1);

    if (site->rt.counters == NULL) {
        fail_msg("%s, %s", site->rt.registry_error.text,
                 site->rt.counters_error.text);
    }
}


uint32_t
site_add(site_t *site, const char *source, const char *target, uint64_t *key)
{
    rfl_link_t   link;
    rfl_error_t  err;

    memset(&link, 0, sizeof(rfl_link_t));
    link.match_type = RFL_MATCH_EXACT;
    link.source = rfl_cstr(source);
    link.target = rfl_cstr(target);

    assert_int_equal(rfl_registry_begin(site->rt.registry, 1, &err), RFL_OK);

    if (rfl_registry_add(site->rt.registry, &link, 1, &err) != RFL_OK) {
        fail_msg("%s: %s", source, err.text);
    }

    assert_int_equal(rfl_registry_commit(site->rt.registry, &err), RFL_OK);

    rfl_runtime_tick(&site->rt, 1);

    if (key != NULL) {
        *key = link.key;
    }

    return link.id;
}


void
site_click(site_t *site, uint32_t id, unsigned n)
{
    rfl_record_t  record;

    memset(&record, 0, sizeof(rfl_record_t));
    record.attribution.outcome = RFL_OUTCOME_MATCHED;
    record.attribution.evidence = RFL_EVIDENCE_EXACT;
    record.attribution.id = id;
    record.class = RFL_CLASS_CLICK;
    record.status = 200;
    record.bytes = 10;
    record.now = 1000;

    while (n-- > 0) {
        rfl_record(site->rt.zone, site->rt.counters, &record);
    }
}


void
site_close(site_t *site)
{
    rfl_runtime_close(&site->rt);
}


void
site_remove(site_t *site)
{
    char  command[80];

    site_close(site);

    (void) snprintf(command, sizeof(command), "rm -rf %s", site->dir);
    assert_int_equal(system(command), 0);
}
