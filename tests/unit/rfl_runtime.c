/* A process's view of a registry that comes, goes and grows. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/stat.h>
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
test_a_new_registry_is_opened_before_a_request(void **state)
{
    site_t         site;
    uint32_t       id;
    rfl_runtime_t  reader;

    site_init(&site, "main");
    assert_false(rfl_runtime_is_made(site.dir));

    rfl_runtime_init(&reader, &site.conf, 3);
    rfl_runtime_tick(&reader, 1);
    rfl_runtime_look(&reader, 2);
    assert_null(reader.registry);
    assert_int_equal(reader.now, 1);     /* there was nothing to try */

    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_close(&site);
    assert_true(rfl_runtime_is_made(site.dir));

    rfl_runtime_look(&reader, 2);
    assert_non_null(reader.registry);
    assert_non_null(reader.counters);
    assert_true(rfl_counters_capacity(reader.counters) > id);

    rfl_runtime_look(&reader, 3);
    assert_int_equal(reader.now, 2);     /* it is open: nothing to do */

    rfl_runtime_close(&reader);
    site_remove(&site);
}


/* What is no registry; modified: the time its contents say they are of. */

#define OLD     1000000000               /* 2001 */
#define FUTURE  4102444800               /* 2100 */

static void
write_registry(const site_t *site, const char *text, time_t modified)
{
    int              fd;
    char             path[128];
    struct timespec  times[2];

    (void) snprintf(path, sizeof(path), "%s/registry", site->dir);
    (void) mkdir(path, 0700);
    (void) snprintf(path, sizeof(path), "%s/registry/data.mdb", site->dir);

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC, 0600);
    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));

    memset(times, 0, sizeof(times));
    times[0].tv_sec = modified;
    times[1].tv_sec = modified;
    assert_int_equal(futimens(fd, times), 0);

    assert_int_equal(close(fd), 0);
}


/* Of the clock that the kernel dates files by: what follows is later. */

static void
pass_a_tick(void)
{
    (void) usleep(50000);
}


static void
test_a_bad_registry_is_tried_before_a_request_when_it_changes(void **state)
{
    site_t         site;
    rfl_runtime_t  rt;

    site_init(&site, "main");
    write_registry(&site, "bad", OLD);
    pass_a_tick();

    rfl_runtime_init(&rt, &site.conf, 3);
    rfl_runtime_tick(&rt, 1);
    assert_null(rt.registry);

    rfl_runtime_look(&rt, 2);
    assert_int_equal(rt.now, 1);         /* as it was */

    write_registry(&site, "bad", OLD);
    pass_a_tick();
    rfl_runtime_look(&rt, 3);
    assert_int_equal(rt.now, 3);         /* another change */

    rfl_runtime_look(&rt, 4);
    assert_int_equal(rt.now, 3);

    /* a copy may bring the time of a machine whose clock is ahead */

    write_registry(&site, "worse", FUTURE);
    pass_a_tick();
    rfl_runtime_look(&rt, 5);
    assert_int_equal(rt.now, 5);

    rfl_runtime_look(&rt, 6);
    assert_int_equal(rt.now, 5);

    /* a try in the very tick of the change may have been before it */

    rt.tried.time = rt.tried.changed;
    rfl_runtime_look(&rt, 7);
    assert_int_equal(rt.now, 7);

    rfl_runtime_close(&rt);
    site_remove(&site);
}


static void
test_a_process_begins_with_a_cell_for_each_id(void **state)
{
    site_t         site;
    rfl_link_t     link;
    rfl_error_t    err;
    rfl_runtime_t  worker;

    site_init(&site, "main");
    site.conf.max_ids = 4 * RFL_RUNTIME_GROW_IDS;
    site_open(&site);

    memset(&link, 0, sizeof(rfl_link_t));
    link.source = rfl_cstr("https://blog.example/a");

    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, &err), RFL_OK);
    rfl_registry_set_floor(site.rt.registry, 3 * RFL_RUNTIME_GROW_IDS);
    assert_int_equal(rfl_registry_add(site.rt.registry, &link, 1, &err),
                     RFL_OK);
    assert_int_equal(rfl_registry_commit(site.rt.registry, &err), RFL_OK);
    assert_true(link.id >= 3 * RFL_RUNTIME_GROW_IDS);
    site_close(&site);

    /* the machine was started anew */

    assert_int_equal(unlink(site.counters), 0);

    rfl_runtime_init(&worker, &site.conf, 1);
    rfl_runtime_tick(&worker, 1);
    assert_true(rfl_counters_capacity(worker.counters) > link.id);

    rfl_runtime_close(&worker);
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


/* What the status page of this process would say of a link. */

static uint64_t
total(rfl_runtime_t *rt, uint32_t id)
{
    rfl_cell_t    cell;
    rfl_error_t   err;
    rfl_totals_t  totals;

    if (rt->ledger != NULL) {
        assert_int_equal(rfl_ledger_begin(rt->ledger, &err), RFL_OK);
    }

    totals = rfl_runtime_totals(rt);
    assert_int_equal(rfl_totals_cell(&totals, id, &cell), RFL_OK);

    if (rt->ledger != NULL) {
        rfl_ledger_end(rt->ledger);
    }

    return cell.n[RFL_CELL_CLICKS];
}


static uint64_t
total_of_zone(rfl_runtime_t *rt)
{
    rfl_zone_t    zone;
    rfl_error_t   err;
    rfl_totals_t  totals;

    if (rt->ledger != NULL) {
        assert_int_equal(rfl_ledger_begin(rt->ledger, &err), RFL_OK);
    }

    totals = rfl_runtime_totals(rt);
    assert_int_equal(rfl_totals_zone(&totals, &zone), RFL_OK);

    if (rt->ledger != NULL) {
        rfl_ledger_end(rt->ledger);
    }

    return zone.n[RFL_ZONE_OUTCOMES + RFL_OUTCOME_MATCHED];
}


/* As the keeper does; last: nobody counts there any more. */

static void
flush(site_t *site, rfl_counters_t *c, int last)
{
    rfl_error_t        err;
    rfl_flush_t        flush;
    rfl_ledger_t      *ledger;
    rfl_flush_stat_t   stat;

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = c->path;
    flush.now_ms = 1800000000000;
    flush.full = 1;

    assert_int_equal(rfl_ledger_open(&ledger, site->dir, c->header->uuid,
                                     RFL_STORE_CREATE, 64 << 20, &err),
                     RFL_OK);
    assert_int_equal(rfl_ledger_flush(ledger, c, &flush, &stat, &err),
                     RFL_OK);
    rfl_ledger_close(ledger);

    if (last) {
        assert_int_equal(rfl_counters_last_out(c), RFL_OK);
        rfl_counters_retire(c);
        rfl_counters_leave(c);
    }
}


static void
click(rfl_runtime_t *rt, uint32_t id, unsigned n)
{
    site_t  site;

    site.rt = *rt;
    site.rt.zone = rt->zone;
    site_click(&site, id, n);
}


/* A worker: writes, as the ledger's environment is shared in this process. */

static void
worker_init(rfl_runtime_t *rt, site_t *site, unsigned stripe)
{
    rfl_runtime_init(rt, &site->conf, stripe);
    rt->writes = 1;
    rfl_runtime_tick(rt, 1);
}


static void
test_no_reader_sees_a_removed_files_counts_missing(void **state)
{
    site_t           site;
    uint32_t         id;
    rfl_runtime_t    one, two;
    rfl_counters_t  *lost;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    flush(&site, site.rt.counters, 0);
    site_close(&site);

    worker_init(&one, &site, 1);
    worker_init(&two, &site, 2);
    click(&one, id, 3);
    click(&two, id, 4);
    flush(&site, one.counters, 0);
    click(&one, id, 10);
    assert_int_equal(total(&two, id), 17);

    assert_int_equal(unlink(site.counters), 0);

    /* the first one notices; the other one still counts in the old file */

    lost = one.counters;
    rfl_runtime_tick(&one, 2);
    assert_ptr_not_equal(one.counters, lost);
    assert_int_equal(one.nlost, 1);
    assert_int_equal(total(&one, id), 17);
    assert_int_equal(total_of_zone(&one), 17);

    click(&one, id, 100);
    click(&two, id, 1000);
    assert_int_equal(total(&one, id), 1117);

    /* it follows as soon as it is asked, before its tick */

    assert_int_equal(total(&two, id), 1117);
    assert_int_equal(total_of_zone(&two), 1117);
    assert_int_equal(two.nlost, 1);
    assert_int_equal(two.counters->header->file_id,
                     one.counters->header->file_id);

    /* the last flush: readers may go on adding it, or not */

    flush(&site, one.lost[0], 1);
    assert_int_equal(total(&one, id), 1117);

    rfl_runtime_tick(&one, 3);
    assert_int_equal(one.nlost, 0);
    assert_int_equal(total(&one, id), 1117);
    assert_int_equal(total(&two, id), 1117);
    assert_int_equal(total_of_zone(&one), 1117);

    rfl_runtime_close(&one);
    rfl_runtime_close(&two);
    site_remove(&site);
}


static void
test_a_file_moved_away_and_back_counts_once(void **state)
{
    char           away[128];
    site_t         site;
    uint32_t       id;
    rfl_runtime_t  rt;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_close(&site);

    worker_init(&rt, &site, 1);
    click(&rt, id, 3);
    (void) snprintf(away, sizeof(away), "%s.away", site.counters);

    assert_int_equal(rename(site.counters, away), 0);
    rfl_runtime_tick(&rt, 2);
    click(&rt, id, 4);
    assert_int_equal(total(&rt, id), 7);

    assert_int_equal(rename(away, site.counters), 0);
    rfl_runtime_tick(&rt, 3);
    assert_int_equal(total(&rt, id), 7);
    click(&rt, id, 5);
    assert_int_equal(total(&rt, id), 12);
    assert_int_equal(rt.nlost, 1);

    rfl_runtime_close(&rt);
    site_remove(&site);
}


static void
test_more_lost_files_than_are_kept(void **state)
{
    site_t           site;
    unsigned         i;
    rfl_runtime_t    worker;
    rfl_counters_t  *before;

    site_init(&site, "main");
    site_open(&site);
    worker_init(&worker, &site, 1);

    for (i = 0; i < RFL_RUNTIME_LOST; i++) {
        assert_int_equal(unlink(site.counters), 0);
        rfl_runtime_tick(&site.rt, 2);
        rfl_runtime_tick(&worker, 2);
    }

    assert_int_equal(site.rt.nlost, RFL_RUNTIME_LOST);
    assert_int_equal(worker.nlost, RFL_RUNTIME_LOST);

    /* the keeper, which has not flushed them, keeps what it has; so it waits */

    before = site.rt.counters;
    assert_int_equal(unlink(site.counters), 0);
    rfl_runtime_tick(&site.rt, 2);
    assert_ptr_equal(site.rt.counters, before);
    assert_int_equal(site.rt.counters_error.rc, RFL_BUSY);

    rfl_runtime_drop_lost(&site.rt, 0);
    rfl_runtime_tick(&site.rt, 2);
    assert_ptr_not_equal(site.rt.counters, before);
    assert_int_equal(site.rt.counters_error.rc, RFL_OK);

    rfl_runtime_tick(&worker, 2);
    assert_int_equal(worker.nlost, RFL_RUNTIME_LOST);

    rfl_runtime_close(&worker);
    site_remove(&site);
}


static void
test_without_a_place_for_a_file_memory_counts(void **state)
{
    char           dir[96], path[128];
    site_t         site;
    uint32_t       id;
    rfl_runtime_t  one, two, three;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    flush(&site, site.rt.counters, 0);
    assert_int_equal(unlink(site.rt.counters->path), 0);
    site_close(&site);

    (void) snprintf(dir, sizeof(dir), "%s/none", site.dir);
    (void) snprintf(path, sizeof(path), "%s/main.counters", dir);
    site.conf.counters = path;
    site.conf.volatile_fd = rfl_counters_volatile_create("main", geteuid());
    assert_true(site.conf.volatile_fd >= 0);

    worker_init(&one, &site, 1);
    worker_init(&two, &site, 2);

    assert_non_null(one.counters);
    assert_ptr_equal(one.counters, one.memory);
    assert_true(strncmp(one.counters_error.text, "volatile: counter file ",
                        23) == 0);
    assert_non_null(strstr(one.counters_error.text, path));
    assert_int_not_equal(one.counters_error.rc, RFL_OK);

    click(&one, id, 3);
    click(&two, id, 4);
    assert_int_equal(total(&one, id), 7);
    assert_int_equal(total(&two, id), 7);

    rfl_runtime_tick(&one, 2);           /* nothing has changed */
    assert_ptr_equal(one.counters, one.memory);
    assert_int_equal(total(&one, id), 7);

    /* there is a place now: one moves, the other follows, a third is new */

    assert_int_equal(mkdir(dir, 0700), 0);
    rfl_runtime_tick(&one, 3);
    assert_ptr_not_equal(one.counters, one.memory);
    assert_int_equal(one.counters_error.rc, RFL_OK);
    assert_int_equal(access(path, F_OK), 0);
    click(&one, id, 10);
    click(&two, id, 20);
    assert_int_equal(total(&one, id), 37);

    worker_init(&three, &site, 3);
    click(&three, id, 100);
    assert_int_equal(total(&three, id), 137);
    assert_int_equal(total(&two, id), 137);
    assert_ptr_not_equal(two.counters, two.memory);
    assert_int_equal(total_of_zone(&two), 137);

    /* flushed for the last time it is no burden any more */

    flush(&site, one.memory, 1);
    assert_int_equal(total(&two, id), 137);
    rfl_runtime_tick(&two, 4);
    assert_null(two.counters->lost);
    assert_int_equal(total(&two, id), 137);

    /* the place is gone again, for one, then for all */

    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    rfl_runtime_tick(&one, 5);
    assert_ptr_equal(one.counters, one.memory);
    click(&one, id, 1000);
    assert_int_equal(total(&one, id), 1137);
    assert_int_equal(total(&two, id), 1137);
    assert_ptr_equal(two.counters, two.memory);
    rfl_runtime_tick(&three, 6);
    click(&three, id, 1);
    assert_int_equal(total(&one, id), 1138);

    rfl_runtime_close(&one);
    rfl_runtime_close(&two);
    rfl_runtime_close(&three);
    (void) close(site.conf.volatile_fd);
    site_remove(&site);
}


static void
test_a_worker_keeps_counting_where_it_can(void **state)
{
    site_t         site;
    uint32_t       id;
    rfl_runtime_t  rt;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_close(&site);

    worker_init(&rt, &site, 1);
    click(&rt, id, 3);

    /* a directory in its place: no file can be had, and there is no memory */

    assert_int_equal(unlink(site.counters), 0);
    assert_int_equal(mkdir(site.counters, 0700), 0);
    rfl_runtime_tick(&rt, 2);
    assert_non_null(rt.counters);
    assert_int_equal(rt.counters_error.rc, RFL_DENIED);
    click(&rt, id, 4);
    assert_int_equal(total(&rt, id), 7);

    assert_int_equal(rmdir(site.counters), 0);
    rfl_runtime_tick(&rt, 3);
    assert_int_equal(rt.counters_error.rc, RFL_OK);
    click(&rt, id, 5);
    assert_int_equal(total(&rt, id), 12);

    rfl_runtime_close(&rt);
    site_remove(&site);
}


static void
test_without_its_registry_counting_goes_on(void **state)
{
    char            command[512];
    site_t          site;
    u_char          uuid[16];
    uint32_t        id;
    rfl_error_t     err;
    rfl_ledger_t   *ledger;
    rfl_runtime_t   rt, late;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    memcpy(uuid, site.rt.uuid, 16);
    flush(&site, site.rt.counters, 0);
    site_close(&site);

    rfl_runtime_init(&rt, &site.conf, 1);
    rfl_runtime_tick(&rt, 1);
    click(&rt, id, 3);

    (void) snprintf(command, sizeof(command), "mv %s/registry %s/away",
                    site.dir, site.dir);
    assert_int_equal(system(command), 0);

    rfl_runtime_tick(&rt, 2);
    assert_null(rt.registry);
    assert_int_equal(rt.registry_error.rc, RFL_INVALID);
    assert_non_null(strstr(rt.registry_error.text, "restore"));
    assert_non_null(strstr(rt.registry_error.text, "move"));
    assert_non_null(rt.counters);
    assert_non_null(rt.ledger);
    click(&rt, id, 4);
    assert_int_equal(total(&rt, id), 7);

    /* a worker that starts then learns the uuid from the ledger */

    rfl_runtime_init(&late, &site.conf, 2);
    rfl_runtime_tick(&late, 3);
    assert_null(late.registry);
    assert_non_null(late.counters);
    assert_memory_equal(late.uuid, uuid, 16);
    assert_int_equal(total(&late, id), 7);
    rfl_runtime_close(&late);
    rfl_runtime_close(&rt);

    /* the keeper makes no other one, as long as the ledger is there */

    rfl_runtime_init(&site.rt, &site.conf, 0);
    site.rt.keeps = 1;
    rfl_runtime_tick(&site.rt, 4);
    assert_null(site.rt.registry);
    assert_int_equal(site.rt.registry_error.rc, RFL_INVALID);
    assert_non_null(site.rt.counters);
    (void) snprintf(command, sizeof(command), "%s/registry", site.dir);
    assert_int_equal(access(command, F_OK), -1);

    (void) snprintf(command, sizeof(command), "mv %s/away %s/registry",
                    site.dir, site.dir);
    assert_int_equal(system(command), 0);
    rfl_runtime_tick(&site.rt, 5);
    assert_non_null(site.rt.registry);
    assert_int_equal(site.rt.registry_error.rc, RFL_OK);
    assert_memory_equal(site.rt.uuid, uuid, 16);

    assert_int_equal(rfl_ledger_open(&ledger, site.dir, uuid, RFL_STORE_READ,
                                     64 << 20, &err), RFL_OK);
    rfl_ledger_close(ledger);
    site_remove(&site);
}


static void
test_a_registry_restored_from_a_backup_is_opened_again(void **state)
{
    char       command[512];
    site_t     site;
    uint32_t   id;
    uint64_t   file_id;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 3);
    file_id = site.rt.counters->header->file_id;

    (void) snprintf(command, sizeof(command), "cp -r %s/registry %s/backup "
                    "&& rm -rf %s/registry && mv %s/backup %s/registry",
                    site.dir, site.dir, site.dir, site.dir, site.dir);
    assert_int_equal(system(command), 0);

    rfl_runtime_tick(&site.rt, 2);
    assert_non_null(site.rt.registry);
    assert_int_equal(rfl_store_check_path(
                         rfl_registry_store(site.rt.registry)), RFL_OK);
    assert_int_equal(site.rt.counters->header->file_id, file_id);
    assert_int_equal(total(&site.rt, id), 3);

    site_remove(&site);
}


static void
test_another_registry_in_its_place(void **state)
{
    char            command[512];
    site_t          site, other;
    u_char          uuid[16];
    uint32_t        id;
    rfl_runtime_t   worker;

    site_init(&other, "other");
    site_open(&other);
    site_close(&other);

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    memcpy(uuid, site.rt.uuid, 16);
    worker_init(&worker, &site, 1);
    click(&worker, id, 3);

    (void) snprintf(command, sizeof(command), "rm -rf %s/registry && "
                    "mv %s/registry %s/registry", site.dir, other.dir,
                    site.dir);
    assert_int_equal(system(command), 0);

    /* all have to leave the old file before it can be set aside */

    rfl_runtime_tick(&worker, 2);
    assert_null(worker.counters);
    assert_int_equal(worker.counters_error.rc, RFL_BUSY);
    rfl_runtime_tick(&site.rt, 2);
    assert_non_null(site.rt.counters);
    assert_memory_not_equal(site.rt.counters->header->uuid, uuid, 16);

    /* for the keeper, what the old one's file has */

    assert_int_equal(site.rt.nlost, 1);
    assert_memory_equal(site.rt.lost[0]->header->uuid, uuid, 16);
    assert_int_equal(site.rt.lost[0]->cells[id].n[RFL_CELL_CLICKS], 3);

    rfl_runtime_tick(&worker, 3);
    assert_non_null(worker.counters);
    assert_int_equal(worker.nlost, 0);
    assert_int_equal(total(&worker, id), 0);

    (void) snprintf(command, sizeof(command), "%s.old", site.counters);
    assert_int_equal(access(command, F_OK), 0);

    rfl_runtime_close(&worker);
    site_remove(&site);
    site_remove(&other);
}


/* A descriptor that is free, below those that are in use, is taken first. */

static void
test_a_death_inside_lmdb_has_files_opened_again(void **state)
{
    int            fd;
    site_t         site;
    rfl_canary_t  *canary;

    canary = rfl_canary_create();
    assert_non_null(canary);

    site_init(&site, "main");
    site_open(&site);
    (void) site_add(&site, "https://blog.example/a", "/", NULL);
    site_close(&site);

    rfl_canary_join(canary);
    site.conf.canary = canary;

    fd = open("/dev/null", O_RDONLY);
    assert_true(fd >= 0);
    site_open(&site);
    (void) close(fd);

    rfl_runtime_tick(&site.rt, 2);
    assert_int_equal(fcntl(fd, F_GETFD), -1);

    (void) __atomic_fetch_add(&canary->deaths, 1, __ATOMIC_RELAXED);
    rfl_runtime_tick(&site.rt, 3);
    assert_int_not_equal(fcntl(fd, F_GETFD), -1);
    assert_non_null(site.rt.registry);
    assert_int_equal(site.rt.deaths, 1);

    site_close(&site);
    rfl_canary_free(canary);
    site_remove(&site);
}


/*
 * A reload names another counter file: an old worker counts on in the first
 * one, and a new process has what is there in its totals.
 */

static void
test_a_file_of_another_configuration(void **state)
{
    char           path[128];
    site_t         site;
    uint32_t       id;
    rfl_runtime_t  old, new;

    (void) state;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);

    worker_init(&old, &site, 1);
    click(&old, id, 5);
    flush(&site, old.counters, 0);
    click(&old, id, 2);

    (void) snprintf(path, sizeof(path), "%s/other.counters", site.dir);
    site.conf.counters = path;

    worker_init(&new, &site, 2);
    rfl_runtime_tick(&new, 2);
    assert_string_equal(new.counters->path, path);
    assert_int_equal(total(&new, id), 7);

    click(&new, id, 10);
    click(&old, id, 1);
    assert_int_equal(total(&new, id), 18);
    assert_int_equal(total_of_zone(&new), 18);

    flush(&site, old.counters, 0);
    assert_int_equal(total(&new, id), 18);

    rfl_counters_retire(new.lost[0]);
    rfl_runtime_tick(&new, 3);
    assert_null(new.counters->lost);
    assert_int_equal(total(&new, id), 18);

    rfl_runtime_close(&old);
    rfl_runtime_close(&new);
    site_remove(&site);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_counts_before_the_registry_exists_are_kept),
        cmocka_unit_test(test_a_new_registry_is_opened_before_a_request),
        cmocka_unit_test(
            test_a_bad_registry_is_tried_before_a_request_when_it_changes),
        cmocka_unit_test(test_a_process_begins_with_a_cell_for_each_id),
        cmocka_unit_test(test_a_deleted_counter_file_is_made_again),
        cmocka_unit_test(test_a_replaced_registry_is_opened_again),
        cmocka_unit_test(
            test_the_default_file_is_named_after_registry_and_uuid),
        cmocka_unit_test(test_the_file_grows_ahead_of_the_registry),
        cmocka_unit_test(test_no_reader_sees_a_removed_files_counts_missing),
        cmocka_unit_test(test_a_file_moved_away_and_back_counts_once),
        cmocka_unit_test(test_more_lost_files_than_are_kept),
        cmocka_unit_test(test_without_a_place_for_a_file_memory_counts),
        cmocka_unit_test(test_a_worker_keeps_counting_where_it_can),
        cmocka_unit_test(test_without_its_registry_counting_goes_on),
        cmocka_unit_test(
            test_a_registry_restored_from_a_backup_is_opened_again),
        cmocka_unit_test(test_another_registry_in_its_place),
        cmocka_unit_test(test_a_file_of_another_configuration),
        cmocka_unit_test(test_a_death_inside_lmdb_has_files_opened_again),
    };

    return cmocka_run_group_tests_name("rfl_runtime", tests, NULL, NULL);
}
