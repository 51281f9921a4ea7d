/* A process's view of a registry that comes, goes and grows. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "rfl_runtime.h"
#include "site.h"


static void
test_counts_before_the_registry_exists_are_kept(void **state)
{
    site_t         site;
    rfl_zone_t     zone;
    rfl_record_t   record;
    rfl_runtime_t  reader;

    site_init(&site, "main");

    rfl_runtime_init(&reader, &site.conf, 3);
    rfl_runtime_tick(&reader, 1);

    assert_null(reader.registry);
    assert_int_equal(reader.registry_error.rc, RFL_NOT_FOUND);

    memset(&record, 0, sizeof(rfl_record_t));
    record.attribution.outcome = RFL_OUTCOME_DIRECT;
    record.class = RFL_CLASS_CLICK;

    rfl_record(reader.zone, reader.counters, &record);
    rfl_record(reader.zone, reader.counters, &record);

    site_open(&site);                    /* makes it, as the keeper does */
    site_close(&site);

    rfl_runtime_tick(&reader, 2);
    assert_non_null(reader.registry);
    assert_non_null(reader.counters);

    rfl_record(reader.zone, reader.counters, &record);

    rfl_counters_read_zone(reader.counters, &zone);
    assert_int_equal(zone.n[RFL_ZONE_OUTCOMES + RFL_OUTCOME_DIRECT], 3);
    assert_int_equal(zone.n[RFL_ZONE_CLICKS + RFL_OUTCOME_DIRECT], 3);
    assert_int_equal(reader.pending.n[RFL_ZONE_OUTCOMES], 0);

    rfl_runtime_close(&reader);
    site_remove(&site);
}


static void
test_a_deleted_counter_file_is_made_again(void **state)
{
    site_t    site;
    uint32_t  id;
    uint64_t  file_id;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 3);

    file_id = site.rt.counters->header->file_id;

    assert_int_equal(unlink(site.counters), 0);
    rfl_runtime_tick(&site.rt, 2);

    assert_non_null(site.rt.counters);
    assert_int_not_equal(site.rt.counters->header->file_id, file_id);
    site_click(&site, id, 1);

    site_remove(&site);
}


static void
test_a_replaced_registry_is_opened_again(void **state)
{
    char    command[128];
    site_t  site;
    u_char  uuid[16];

    site_init(&site, "main");
    site_open(&site);
    memcpy(uuid, site.rt.counters->header->uuid, 16);

    (void) snprintf(command, sizeof(command), "rm -rf %s/registry", site.dir);
    assert_int_equal(system(command), 0);

    rfl_runtime_tick(&site.rt, 2);

    assert_non_null(site.rt.registry);
    assert_non_null(site.rt.counters);
    assert_memory_not_equal(uuid, site.rt.counters->header->uuid, 16);

    site_remove(&site);
}


static void
test_the_default_file_is_named_after_registry_and_uuid(void **state)
{
    char    wanted[128];
    site_t  site;
    u_char  *uuid;

    site_init(&site, "shop-1");
    site.conf.counters = "";
    site.conf.counters_dir = site.dir;
    site_open(&site);

    uuid = site.rt.counters->header->uuid;
    (void) snprintf(wanted, sizeof(wanted),
                    "%s/shop-1-%02x%02x%02x%02x.counters", site.dir,
                    uuid[0], uuid[1], uuid[2], uuid[3]);
    assert_string_equal(site.rt.counters_path, wanted);
    assert_int_equal(access(wanted, F_OK), 0);
    site_close(&site);

    site.conf.counters_dir = "";
    site_open(&site);
    (void) snprintf(wanted, sizeof(wanted), "%s/counters", site.dir);
    assert_string_equal(site.rt.counters_path, wanted);

    site_remove(&site);
}


static void
test_the_file_grows_ahead_of_the_registry(void **state)
{
    char          source[64];
    site_t        site;
    uint32_t      id;
    unsigned      i;
    rfl_cell_t    cell;
    rfl_link_t    link;
    rfl_error_t   err;

    site_init(&site, "main");
    site_open(&site);

    /* more than there are cells; as from another process, no tick between */

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, &err), RFL_OK);
    id = 0;

    for (i = 0; i < 3 * RFL_COUNTERS_STEP; i++) {
        memset(&link, 0, sizeof(rfl_link_t));
        (void) snprintf(source, sizeof(source), "https://h%u.example/p", i);
        link.source = rfl_cstr(source);
        assert_int_equal(rfl_registry_add(site.rt.registry, &link, 1, &err),
                         RFL_OK);
        id = link.id;
    }

    assert_int_equal(rfl_registry_commit(site.rt.registry, &err), RFL_OK);

    rfl_runtime_tick(&site.rt, 2);
    assert_true(rfl_counters_capacity(site.rt.counters) > id);

    site_click(&site, id, 7);
    rfl_counters_read_cell(site.rt.counters, id, &cell);
    assert_int_equal(cell.n[RFL_CELL_CLICKS], 7);

    site_remove(&site);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_counts_before_the_registry_exists_are_kept),
        cmocka_unit_test(test_a_deleted_counter_file_is_made_again),
        cmocka_unit_test(test_a_replaced_registry_is_opened_again),
        cmocka_unit_test(
            test_the_default_file_is_named_after_registry_and_uuid),
        cmocka_unit_test(test_the_file_grows_ahead_of_the_registry),
    };

    return cmocka_run_group_tests_name("rfl_runtime", tests, NULL, NULL);
}
