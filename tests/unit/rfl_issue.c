/* Ids that were counted are not issued again; new ones have cells first. */

#include "rfl_issue.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "site.h"


#define COUNTED  700


static uint32_t
add(rfl_registry_t *registry, const char *tag)
{
    rfl_link_t   link;
    rfl_error_t  err;

    memset(&link, 0, sizeof(rfl_link_t));
    link.match_type = RFL_MATCH_TAG;
    link.tag = rfl_cstr(tag);

    assert_int_equal(rfl_registry_add(registry, &link, 1, &err), RFL_OK);

    return link.id;
}


static void
ids_of_the_counter_file_are_taken(void **state)
{
    site_t        site;
    uint32_t      id, floor;
    rfl_error_t   err, room;
    rfl_totals_t  totals;

    site_init(&site, "main");
    site_open(&site);

    assert_int_equal(rfl_counters_reserve(site.rt.counters, COUNTED, &err),
                     RFL_OK);

    assert_int_equal(rfl_issue_open(&site.conf, site.counters,
                                    site.rt.registry, &totals, &err),
                     RFL_OK);
    assert_null(totals.ledger);
    assert_non_null(totals.counters);

    assert_int_equal(rfl_issue_floor(&totals, &floor, &err), RFL_OK);
    assert_int_equal(floor, COUNTED);

    assert_int_equal(rfl_issue_begin(site.rt.registry, &totals, &err),
                     RFL_OK);
    id = add(site.rt.registry, "a");
    assert_int_equal(id, COUNTED);
    assert_int_equal(rfl_issue_commit(site.rt.registry, &totals, &room, &err),
                     RFL_OK);
    assert_int_equal(room.rc, RFL_OK);

    assert_int_equal(site.rt.counters->header->next_id, COUNTED + 1);

    rfl_issue_close(&totals);
    site_remove(&site);
}


static void
ids_of_the_ledger_are_taken(void **state)
{
    site_t            site;
    uint32_t          id, floor;
    rfl_flush_t       flush;
    rfl_error_t       err;
    rfl_ledger_t     *ledger;
    rfl_totals_t      totals;
    rfl_flush_stat_t  stat;

    site_init(&site, "main");
    site_open(&site);

    id = site_add(&site, "https://a.example/", "", NULL);
    site_click(&site, id, 1);

    assert_int_equal(rfl_ledger_open(&ledger, site.dir, site.rt.uuid,
                                     RFL_STORE_CREATE, site.conf.map_size,
                                     &err),
                     RFL_OK);

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = site.counters;
    flush.now_ms = 1000000;
    flush.full = 1;

    assert_int_equal(rfl_ledger_flush(ledger, site.rt.counters, &flush, &stat,
                                      &err),
                     RFL_OK);
    rfl_ledger_close(ledger);

    assert_int_equal(rfl_issue_open(&site.conf, NULL, site.rt.registry,
                                    &totals, &err),
                     RFL_OK);
    assert_null(totals.counters);
    assert_non_null(totals.ledger);

    assert_int_equal(rfl_issue_floor(&totals, &floor, &err), RFL_OK);
    assert_int_equal(floor, id + 1);

    rfl_issue_close(&totals);

    memset(&totals, 0, sizeof(rfl_totals_t));
    assert_int_equal(rfl_issue_floor(&totals, &floor, &err), RFL_OK);
    assert_int_equal(floor, 0);

    site_remove(&site);
}


/* Links beyond the counter file's room are registered all the same. */

static void
says_where_cells_are_missing(void **state)
{
    char          tag[16];
    int           i;
    site_t        site;
    rfl_error_t   err, room;
    rfl_totals_t  totals;

    site_init(&site, "main");
    site.conf.max_ids = 10;
    site_open(&site);

    assert_int_equal(rfl_issue_open(&site.conf, site.counters,
                                    site.rt.registry, &totals, &err),
                     RFL_OK);
    assert_int_equal(rfl_issue_begin(site.rt.registry, &totals, &err),
                     RFL_OK);

    for (i = 0; i < 20; i++) {
        (void) snprintf(tag, sizeof(tag), "t%d", i);
        (void) add(site.rt.registry, tag);
    }

    assert_int_equal(rfl_issue_commit(site.rt.registry, &totals, &room, &err),
                     RFL_OK);
    assert_int_equal(room.rc, RFL_FULL);

    rfl_issue_close(&totals);
    site_remove(&site);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(ids_of_the_counter_file_are_taken),
        cmocka_unit_test(ids_of_the_ledger_are_taken),
        cmocka_unit_test(says_where_cells_are_missing)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
