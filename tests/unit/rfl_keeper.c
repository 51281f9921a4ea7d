/* The flushing thread: what was counted stands in the ledger. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "rfl_keeper.h"
#include "rfl_states.h"
#include "site.h"


/* What the ledger alone knows of a link, as after a reboot. */

static uint64_t
ledger_clicks(site_t *site, uint32_t id)
{
    rfl_cell_t     cell;
    rfl_error_t    err;
    rfl_ledger_t  *ledger;

    memset(&cell, 0, sizeof(rfl_cell_t));

    if (rfl_ledger_open(&ledger, site->dir, NULL, RFL_STORE_READ, 64 << 20,
                        &err)
        != RFL_OK)
    {
        return 0;
    }

    assert_int_equal(rfl_ledger_begin(ledger, &err), RFL_OK);
    assert_int_equal(rfl_ledger_cell(ledger, 0, id, &cell), RFL_OK);
    rfl_ledger_end(ledger);
    rfl_ledger_close(ledger);

    return cell.n[RFL_CELL_CLICKS];
}


/*
 * Runs a keeper in a process of its own, as nginx does.  To be forked before
 * this process opens anything: an environment does not survive a fork.
 */

static pid_t
keeper_process(site_t *site, int until, int other)
{
    char           byte;
    pid_t          pid;
    rfl_keeper_t  *keeper;

    pid = fork();
    assert_true(pid >= 0);

    if (pid != 0) {
        return pid;
    }

    (void) close(other);

    if (rfl_keeper_start(&keeper, &site->conf, NULL) != RFL_OK) {
        _exit(1);
    }

    (void) !read(until, &byte, 1);

    rfl_keeper_ask(keeper);
    rfl_keeper_join(keeper, rfl_clock_ms() + RFL_KEEPER_EXIT_MS);
    _exit(0);
}


static int
wait_for(pid_t pid)
{
    int  status;

    assert_int_equal(waitpid(pid, &status, 0), pid);

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}


static void
test_flushes_every_interval(void **state)
{
    int       fds[2], tries;
    pid_t     pid;
    site_t    site;
    uint32_t  id;

    site_init(&site, "main");

    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);

    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 5);

    for (tries = 0; tries < 100 && ledger_clicks(&site, id) != 5; tries++) {
        usleep(50000);
    }

    assert_int_equal(ledger_clicks(&site, id), 5);

    site_click(&site, id, 2);

    for (tries = 0; tries < 100 && ledger_clicks(&site, id) != 7; tries++) {
        usleep(50000);
    }

    assert_int_equal(ledger_clicks(&site, id), 7);

    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    (void) close(fds[0]);

    site_remove(&site);
}


static void
test_goes_on_with_the_ledger_of_the_keeper_before(void **state)
{
    int       fds[2], tries, round;
    pid_t     pid;
    site_t    site;
    uint32_t  id;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_close(&site);

    for (round = 1; round <= 3; round++) {
        assert_int_equal(pipe(fds), 0);
        pid = keeper_process(&site, fds[0], fds[1]);

        site_open(&site);
        site_click(&site, id, 5);

        for (tries = 0;
             tries < 100 && ledger_clicks(&site, id) != 5 * (uint64_t) round;
             tries++)
        {
            usleep(50000);
        }

        assert_int_equal(ledger_clicks(&site, id), 5 * round);
        site_close(&site);

        (void) close(fds[1]);
        assert_int_equal(wait_for(pid), 0);
        (void) close(fds[0]);
    }

    site_remove(&site);
}


static void
test_the_keeper_flushes_when_it_leaves_last(void **state)
{
    int       fds[2], tries;
    pid_t     pid;
    site_t    site;
    uint32_t  id;

    site_init(&site, "main");
    site.conf.flush_ms = 3600000;
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 1);
    site_close(&site);

    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);

    /* the first flush is at once: wait for it, then count */

    for (tries = 0; tries < 100 && ledger_clicks(&site, id) == 0; tries++) {
        usleep(50000);
    }

    site_open(&site);
    site_click(&site, id, 8);
    site_close(&site);

    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    (void) close(fds[0]);

    assert_int_equal(ledger_clicks(&site, id), 9);

    site_remove(&site);
}


static void
test_the_last_worker_flushes(void **state)
{
    pid_t          pid;
    site_t         site;
    uint32_t       id;
    rfl_keeper_t  *keeper;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 3);
    site_close(&site);

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        rfl_runtime_init(&site.rt, &site.conf, 1);
        rfl_runtime_tick(&site.rt, 2);
        site_click(&site, id, 4);
        keeper = rfl_keeper_last_out(&site.rt);

        if (keeper == NULL) {
            _exit(1);
        }

        rfl_keeper_join(keeper, rfl_clock_ms() + RFL_KEEPER_EXIT_MS);
        _exit(0);
    }

    assert_int_equal(wait_for(pid), 0);
    assert_int_equal(ledger_clicks(&site, id), 7);

    site_remove(&site);
}


static void
test_a_worker_that_is_not_the_last_leaves_at_once(void **state)
{
    int       fds[2];
    char      byte;
    pid_t     pid;
    site_t    site;
    uint32_t  id;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 3);
    site_close(&site);

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        (void) close(fds[1]);
        (void) !read(fds[0], &byte, 1);

        rfl_runtime_init(&site.rt, &site.conf, 1);
        rfl_runtime_tick(&site.rt, 2);
        _exit(rfl_keeper_last_out(&site.rt) == NULL ? 0 : 1);
    }

    site_open(&site);
    (void) close(fds[1]);

    assert_int_equal(wait_for(pid), 0);
    (void) close(fds[0]);

    assert_int_equal(ledger_clicks(&site, id), 0);

    site_remove(&site);
}


static void
test_a_file_removed_while_in_use_loses_nothing(void **state)
{
    int            fds[2], tries;
    pid_t          pid;
    site_t         site;
    uint32_t       id;
    rfl_runtime_t  worker;

    site_init(&site, "main");
    site.conf.flush_ms = 3600000;
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 1);
    site_close(&site);

    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);

    for (tries = 0; tries < 100 && ledger_clicks(&site, id) == 0; tries++) {
        usleep(50000);
    }

    site_open(&site);
    site_click(&site, id, 10);

    /* gone; this worker counts on in the old file until its next tick */

    worker = site.rt;
    assert_int_equal(unlink(site.counters), 0);
    usleep(1200000);
    site_click(&site, id, 5);
    rfl_runtime_tick(&site.rt, 2);
    assert_ptr_not_equal(site.rt.counters, worker.counters);
    site_click(&site, id, 3);

    for (tries = 0; tries < 100 && ledger_clicks(&site, id) != 16; tries++) {
        usleep(50000);
    }

    assert_int_equal(ledger_clicks(&site, id), 16);
    site_close(&site);

    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    (void) close(fds[0]);

    assert_int_equal(ledger_clicks(&site, id), 19);

    site_remove(&site);
}


typedef struct {
    const char  *name;
    uint64_t     flushed_ms;             /* before the start; 0: never */
    uint64_t     wall_ms;                /* at the start */
    int          trusted;
} start_row_t;


static void
test_pruning_waits_for_a_clock_that_can_be_believed(void **state)
{
    size_t              i;
    rfl_keeper_trust_t  t;

    static const uint64_t  day = 24 * 3600 * 1000;
    static const uint64_t  hour = 3600 * 1000;
    static const uint64_t  now = 1795215480000;

    static const start_row_t  rows[] = {
        { "a new ledger",           0,                      now, 1 },
        { "flushed just now",       now,                    now, 1 },
        { "a day ago",              now - 24 * 3600 * 1000, now, 1 },
        { "more than a day ago",    now - 24 * 3600 * 1000 - 1, now, 0 },
        { "a clock that was reset", now,                    1000, 0 },
        { "a minute ahead",         now + 60000,            now, 1 },
        { "more than that",         now + 60001,            now, 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].name);

        rfl_keeper_trust_start(&t, rows[i].flushed_ms, rows[i].wall_ms, 5000);
        assert_int_equal(rfl_keeper_trusts(&t, rows[i].wall_ms + 1000, 6000),
                         rows[i].trusted);

        /* an hour later it is what it is */

        assert_int_equal(rfl_keeper_trusts(&t, rows[i].wall_ms + hour - 1,
                                           5000 + hour - 1),
                         rows[i].trusted);
        assert_true(rfl_keeper_trusts(&t, rows[i].wall_ms + hour,
                                      5000 + hour));
    }

    /* while it runs */

    rfl_keeper_trust_start(&t, now, now, 0);
    assert_true(rfl_keeper_trusts(&t, now + 1000, 1000));
    assert_true(rfl_keeper_trusts(&t, now + 62000, 2000));
    assert_true(rfl_keeper_trusts(&t, now + 3000, 3000 - 1000));
    assert_false(rfl_keeper_trusts(&t, now + 3000 + day, 3000));
    assert_false(rfl_keeper_trusts(&t, now + 2999 + day + hour, 2999 + hour));
    assert_true(rfl_keeper_trusts(&t, now + 3000 + day + hour, 3000 + hour));

    /* and back: from then on an hour again */

    assert_false(rfl_keeper_trusts(&t, now + 4000 + hour, 4000 + hour));
    assert_false(rfl_keeper_trusts(&t, now + 3999 + 2 * hour,
                                   3999 + 2 * hour));
    assert_true(rfl_keeper_trusts(&t, now + 4000 + 2 * hour,
                                  4000 + 2 * hour));
}


/* Waits for what the ledger alone has; a sanitized program is slow. */

static void
wait_for_ledger(site_t *site, uint32_t id, uint64_t clicks)
{
    int  tries;

    for (tries = 0; tries < 200 && ledger_clicks(site, id) != clicks; tries++) {
        usleep(50000);
    }

    assert_int_equal(ledger_clicks(site, id), clicks);
}


static void
move(const char *dir, const char *from, const char *to)
{
    char  a[128], b[128];

    (void) snprintf(a, sizeof(a), "%s/%s", dir, from);
    (void) snprintf(b, sizeof(b), "%s/%s", dir, to);
    assert_int_equal(rename(a, b), 0);
}


static void
test_what_memory_counted_is_stored(void **state)
{
    int              fds[2], tries;
    char             dir[96], path[128];
    pid_t            pid;
    site_t           site;
    uint32_t         id;
    rfl_counters_t  *memory;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_close(&site);

    (void) snprintf(dir, sizeof(dir), "%s/none", site.dir);
    (void) snprintf(path, sizeof(path), "%s/main.counters", dir);
    site.conf.counters = path;
    site.conf.volatile_fd = rfl_counters_volatile_create("main", geteuid());
    assert_true(site.conf.volatile_fd >= 0);

    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);

    site_open(&site);
    assert_ptr_equal(site.rt.counters, site.rt.memory);
    site_click(&site, id, 5);
    wait_for_ledger(&site, id, 5);
    assert_false(rfl_counters_retired(site.rt.memory));

    /* others count there until their tick */

    assert_int_equal(mkdir(dir, 0700), 0);
    usleep(1500000);
    site_click(&site, id, 10);
    wait_for_ledger(&site, id, 15);
    memory = site.rt.memory;
    assert_false(rfl_counters_retired(memory));

    rfl_runtime_tick(&site.rt, 2);
    assert_ptr_not_equal(site.rt.counters, memory);
    site_click(&site, id, 20);
    wait_for_ledger(&site, id, 35);

    for (tries = 0; tries < 100 && !rfl_counters_retired(memory); tries++) {
        usleep(50000);
    }

    assert_true(rfl_counters_retired(memory));
    site_close(&site);

    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    (void) close(fds[0]);

    assert_int_equal(ledger_clicks(&site, id), 35);
    (void) close(site.conf.volatile_fd);
    site_remove(&site);
}


/* Without a keeper: the last worker that leaves has both to store. */

static void
test_the_last_worker_stores_all_its_files(void **state)
{
    char           dir[96], path[128];
    pid_t          pid;
    site_t         site;
    uint32_t       id;
    rfl_keeper_t  *keeper;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_close(&site);

    (void) snprintf(dir, sizeof(dir), "%s/none", site.dir);
    (void) snprintf(path, sizeof(path), "%s/main.counters", dir);
    site.conf.counters = path;
    site.conf.volatile_fd = rfl_counters_volatile_create("main", geteuid());

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        rfl_runtime_init(&site.rt, &site.conf, 1);
        rfl_runtime_tick(&site.rt, 1);
        site_click(&site, id, 1);
        (void) mkdir(dir, 0700);
        rfl_runtime_tick(&site.rt, 2);
        site_click(&site, id, 20);
        (void) unlink(path);
        rfl_runtime_tick(&site.rt, 3);
        site_click(&site, id, 300);
        keeper = rfl_keeper_last_out(&site.rt);

        if (keeper == NULL) {
            _exit(1);
        }

        rfl_keeper_join(keeper, rfl_clock_ms() + RFL_KEEPER_EXIT_MS);
        _exit(0);
    }

    assert_int_equal(wait_for(pid), 0);
    assert_int_equal(ledger_clicks(&site, id), 321);

    (void) close(site.conf.volatile_fd);
    site_remove(&site);
}


static void
test_flushes_while_the_registry_is_away(void **state)
{
    int       fds[2];
    char      path[128];
    u_char    uuid[16];
    pid_t     pid;
    site_t    site;
    uint32_t  id;

    site_init(&site, "main");

    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);

    site_open(&site);
    site.rt.keeps = 0;
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    memcpy(uuid, site.rt.uuid, 16);
    site_click(&site, id, 5);
    wait_for_ledger(&site, id, 5);

    move(site.dir, "registry", "away");
    site_click(&site, id, 2);
    wait_for_ledger(&site, id, 7);
    usleep(1500000);

    (void) snprintf(path, sizeof(path), "%s/registry", site.dir);
    assert_int_equal(access(path, F_OK), -1);

    site_click(&site, id, 3);
    wait_for_ledger(&site, id, 10);

    move(site.dir, "away", "registry");
    rfl_runtime_tick(&site.rt, 3);
    assert_non_null(site.rt.registry);
    assert_memory_equal(site.rt.uuid, uuid, 16);
    site_click(&site, id, 4);
    wait_for_ledger(&site, id, 14);
    site_close(&site);

    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    (void) close(fds[0]);

    site_remove(&site);
}


static void
test_another_registrys_counts_go_to_its_own_ledger(void **state)
{
    int            tries;
    char           command[256];
    site_t         site, other;
    uint32_t       id;
    rfl_error_t    message;
    rfl_keeper_t  *keeper;
    rfl_runtime_t  worker;

    site_init(&other, "other");
    site_open(&other);
    site_close(&other);

    site_init(&site, "main");
    site.conf.flush_ms = 500;
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_close(&site);

    assert_int_equal(rfl_keeper_start(&keeper, &site.conf, NULL), RFL_OK);

    for (tries = 0; tries < 100; tries++) {
        rfl_runtime_init(&worker, &site.conf, 1);
        worker.writes = 1;
        rfl_runtime_tick(&worker, 1);

        if (worker.ledger != NULL) {
            break;
        }

        rfl_runtime_close(&worker);
        usleep(50000);
    }

    site.rt = worker;
    site.rt.zone = worker.zone;
    site_click(&site, id, 3);

    (void) snprintf(command, sizeof(command), "rm -rf %s/registry && "
                    "mv %s/registry %s/registry", site.dir, other.dir,
                    site.dir);
    assert_int_equal(system(command), 0);

    rfl_runtime_close(&worker);

    /* the old counts are in the old ledger, and the text says what is wrong */

    wait_for_ledger(&site, id, 3);
    message.text[0] = '\0';

    for (tries = 0; tries < 200; tries++) {
        if (rfl_keeper_message(keeper, &message)
            && strstr(message.text, "ledger of another registry") != NULL)
        {
            break;
        }

        usleep(50000);
    }

    assert_non_null(strstr(message.text, "ledger of another registry"));

    rfl_keeper_ask(keeper);
    rfl_keeper_join(keeper, rfl_clock_ms() + 60000);

    memset(&site.rt, 0, sizeof(rfl_runtime_t));
    memset(&other.rt, 0, sizeof(rfl_runtime_t));
    site_remove(&site);
    site_remove(&other);
}


/*
 * Another program holds a writer lock: a process of its own, which says when
 * it has it.  other: a pipe's end that it must not keep open.
 */

static pid_t
lock_holder(const char *dir, int ledger, int other)
{
    int              fds[2];
    char             byte;
    pid_t            pid;
    rfl_store_t     *store;
    rfl_ledger_t    *l;
    rfl_registry_t  *r;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        (void) alarm(60);
        (void) close(other);

        if (ledger) {
            if (rfl_ledger_open(&l, dir, NULL, RFL_STORE_WRITE, 64 << 20, NULL)
                != RFL_OK)
            {
                _exit(1);
            }

            store = rfl_ledger_store(l);

        } else {
            if (rfl_registry_open(&r, dir, RFL_STORE_WRITE, 64 << 20, NULL)
                != RFL_OK)
            {
                _exit(1);
            }

            store = rfl_registry_store(r);
        }

        if (rfl_store_begin(store, 1, NULL) != RFL_OK) {
            _exit(1);
        }

        (void) !write(fds[1], "x", 1);

        for ( ;; ) {
            (void) pause();
        }
    }

    (void) close(fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    (void) close(fds[0]);

    return pid;
}


static void
release(pid_t holder)
{
    assert_int_equal(kill(holder, SIGKILL), 0);
    (void) wait_for(holder);
}


static void
test_an_import_holds_up_neither_flush_nor_end(void **state)
{
    int       fds[2], tries;
    pid_t     pid, holder;
    site_t    site;
    uint32_t  id;
    uint64_t  begin;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 5);
    site_close(&site);

    holder = lock_holder(site.dir, 0, -1);

    /* the limit in the registry is another one: it has to be written */

    site.conf.max_links = 4321;
    site.conf.source = "/none/links.csv";
    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);
    wait_for_ledger(&site, id, 5);

    site_open(&site);
    assert_int_not_equal(site.rt.max_links, 4321);
    site_click(&site, id, 2);
    wait_for_ledger(&site, id, 7);
    site_click(&site, id, 1);
    site_close(&site);

    begin = rfl_clock_ms();
    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    assert_true(rfl_clock_ms() - begin < RFL_KEEPER_EXIT_MS);
    assert_int_equal(ledger_clicks(&site, id), 8);
    (void) close(fds[0]);

    release(holder);

    /* and it is written once nobody is in the way */

    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);

    for (tries = 0; tries < 200; tries++) {
        site_open(&site);
        site_close(&site);

        if (site.rt.max_links == 4321) {
            break;
        }

        usleep(50000);
    }

    assert_int_equal(site.rt.max_links, 4321);
    assert_int_equal(site.rt.source,
                     rfl_registry_source_hash(rfl_cstr("/none/links.csv")));
    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    (void) close(fds[0]);

    site_remove(&site);
}


static void
test_a_locked_ledger_holds_up_the_end_for_its_time_only(void **state)
{
    int       fds[2];
    pid_t     pid, holder;
    site_t    site;
    uint32_t  id;
    uint64_t  begin, took;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 5);
    site_close(&site);

    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);
    wait_for_ledger(&site, id, 5);

    holder = lock_holder(site.dir, 1, fds[1]);

    site_open(&site);
    site_click(&site, id, 2);
    site_close(&site);

    begin = rfl_clock_ms();
    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    took = rfl_clock_ms() - begin;
    assert_true(took >= RFL_KEEPER_EXIT_MS);
    assert_true(took < RFL_KEEPER_EXIT_MS
                       + (getenv("VALGRIND") == NULL ? 800 : 20000));
    assert_int_equal(ledger_clicks(&site, id), 5);
    (void) close(fds[0]);

    release(holder);

    /* the counter file has kept everything */

    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);
    wait_for_ledger(&site, id, 7);
    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    (void) close(fds[0]);

    site_remove(&site);
}


/* A counter file that was away for so long that its counts were folded. */

static void
test_a_file_that_was_folded_is_given_up(void **state)
{
    int             fds[2], tries;
    char            old[128];
    pid_t           pid;
    site_t          site;
    uint32_t        id, folded;
    uint64_t        file_id, now;
    rfl_error_t     err;
    rfl_flush_t     flush;
    rfl_ledger_t   *ledger;
    rfl_flush_stat_t  stat;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 5);
    file_id = site.rt.counters->header->file_id;

    now = 1700000000000;
    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = site.counters;
    flush.now_ms = now;
    flush.full = 1;

    assert_int_equal(rfl_ledger_open(&ledger, site.dir, site.rt.uuid,
                                     RFL_STORE_CREATE, 64 << 20, &err),
                     RFL_OK);
    assert_int_equal(rfl_ledger_flush(ledger, site.rt.counters, &flush, &stat,
                                      &err), RFL_OK);
    site_close(&site);
    move(site.dir, "cells", "away");

    now += RFL_LEDGER_DEAD_MS + 1000;

    for (tries = 0; tries < 20; tries++) {
        assert_int_equal(rfl_ledger_fold(ledger, 1, now, &folded, &err),
                         RFL_OK);
        now += folded == 0 ? RFL_LEDGER_WAIT_MS + 1000 : 1;
    }

    rfl_ledger_close(ledger);
    move(site.dir, "away", "cells");

    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);

    (void) snprintf(old, sizeof(old), "%s.old", site.counters);

    for (tries = 0; tries < 200 && access(old, F_OK) != 0; tries++) {
        usleep(50000);
    }

    assert_int_equal(access(old, F_OK), 0);

    for (tries = 0; tries < 200 && access(site.counters, F_OK) != 0; tries++) {
        usleep(50000);
    }

    site_open(&site);
    assert_int_not_equal(site.rt.counters->header->file_id, file_id);
    site_click(&site, id, 2);
    wait_for_ledger(&site, id, 7);
    site_close(&site);

    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    (void) close(fds[0]);

    site_remove(&site);
}


/* The tables of a version before states, and nothing in them. */

static void
make_old_ledger(site_t *site)
{
    char          dir[96];
    u_char        meta[18];
    rfl_error_t   err;
    rfl_store_t  *store;

    static const rfl_store_dbi_t  old[] = {
        { "meta",    RFL_KEY_BYTES },
        { "files",   RFL_KEY_U64 },
        { "cells",   RFL_KEY_U64 },
        { "zones",   RFL_KEY_U32 },
        { "minutes", RFL_KEY_U64 },
        { "hours",   RFL_KEY_U64 },
        { "days",    RFL_KEY_U64 }
    };

    meta[0] = 1;
    memcpy(meta + 1, site->rt.uuid, 16);
    meta[17] = 1;

    (void) snprintf(dir, sizeof(dir), "%s/ledger", site->dir);

    assert_int_equal(rfl_store_open(&store, dir, old, 7, RFL_STORE_CREATE,
                                    64 << 20, &err), RFL_OK);
    assert_int_equal(rfl_store_begin(store, 1, &err), RFL_OK);
    assert_int_equal(rfl_store_put(store, 0, rfl_cstr("ledger"),
                                   rfl_str(meta, sizeof(meta)), 0, &err),
                     RFL_OK);
    assert_int_equal(rfl_store_commit(store, &err), RFL_OK);
    rfl_store_close(store);
}


/* RFL_STATES: there is none. */

static rfl_state_t
state_in(rfl_ledger_t *ledger, uint32_t id)
{
    rfl_rc_t             rc;
    rfl_state_verdict_t  v;

    assert_int_equal(rfl_ledger_begin(ledger, NULL), RFL_OK);
    rc = rfl_states_get(ledger, id, &v);
    rfl_ledger_end(ledger);

    return rc == RFL_OK ? v.state : RFL_STATES;
}


static void
test_a_ledger_from_before_states_gets_them(void **state)
{
    int            fds[2], tries;
    pid_t          pid;
    site_t         site;
    uint64_t       now;
    uint32_t       id;
    rfl_runtime_t  worker;

    site_init(&site, "main");
    site_open(&site);
    id = site_add(&site, "https://blog.example/a", "/", NULL);
    site_click(&site, id, 5);            /* there before links are judged */
    make_old_ledger(&site);
    site_close(&site);

    assert_int_equal(pipe(fds), 0);
    pid = keeper_process(&site, fds[0], fds[1]);

    /* a worker may have it open as it was, and finds the tables some time */

    site_open(&site);
    rfl_runtime_init(&worker, &site.conf, 1);
    rfl_runtime_tick(&worker, 1);

    now = 1000;

    for (tries = 0; tries < 200; tries++) {
        rfl_runtime_tick(&worker, now++);

        if (worker.ledger != NULL
            && state_in(worker.ledger, id) == RFL_STATE_ACTIVE)
        {
            break;
        }

        usleep(50000);
    }

    assert_non_null(worker.ledger);
    assert_int_equal(state_in(worker.ledger, id), RFL_STATE_ACTIVE);
    assert_false(rfl_store_lacks_table(rfl_ledger_store(worker.ledger)));

    rfl_runtime_close(&worker);
    site_close(&site);

    assert_int_equal(ledger_clicks(&site, id), 5);

    (void) close(fds[1]);
    assert_int_equal(wait_for(pid), 0);
    (void) close(fds[0]);

    site_remove(&site);
}


static void
test_a_fault_is_told_once(void **state)
{
    int            tries, told;
    site_t         site;
    rfl_error_t    message;
    rfl_keeper_t  *keeper;

    site_init(&site, "main");
    site.conf.path = "/proc/no-such-place";

    assert_int_equal(rfl_keeper_start(&keeper, &site.conf, NULL), RFL_OK);

    told = 0;

    for (tries = 0; tries < 30; tries++) {
        if (rfl_keeper_message(keeper, &message)) {
            told++;
            assert_int_not_equal(message.rc, RFL_OK);
            assert_non_null(strstr(message.text, "/proc/no-such-place"));
        }

        usleep(20000);
    }

    assert_int_equal(told, 1);
    rfl_keeper_ask(keeper);
    rfl_keeper_join(keeper, rfl_clock_ms() + RFL_KEEPER_EXIT_MS);

    site_remove(&site);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_flushes_every_interval),
        cmocka_unit_test(test_goes_on_with_the_ledger_of_the_keeper_before),
        cmocka_unit_test(test_the_keeper_flushes_when_it_leaves_last),
        cmocka_unit_test(test_the_last_worker_flushes),
        cmocka_unit_test(test_a_worker_that_is_not_the_last_leaves_at_once),
        cmocka_unit_test(test_a_file_removed_while_in_use_loses_nothing),
        cmocka_unit_test(test_a_ledger_from_before_states_gets_them),
        cmocka_unit_test(test_a_fault_is_told_once),
        cmocka_unit_test(test_pruning_waits_for_a_clock_that_can_be_believed),
        cmocka_unit_test(test_what_memory_counted_is_stored),
        cmocka_unit_test(test_the_last_worker_stores_all_its_files),
        cmocka_unit_test(test_flushes_while_the_registry_is_away),
        cmocka_unit_test(test_another_registrys_counts_go_to_its_own_ledger),
        cmocka_unit_test(test_an_import_holds_up_neither_flush_nor_end),
        cmocka_unit_test(
            test_a_locked_ledger_holds_up_the_end_for_its_time_only),
        cmocka_unit_test(test_a_file_that_was_folded_is_given_up),
    };

    return cmocka_run_group_tests_name("rfl_keeper", tests, NULL, NULL);
}
