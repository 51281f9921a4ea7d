/* The flushing thread: what was counted stands in the ledger. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "rfl_keeper.h"
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
    rfl_keeper_join(keeper, rfl_keeper_clock_ms() + RFL_KEEPER_EXIT_MS);
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

        rfl_keeper_join(keeper, rfl_keeper_clock_ms() + RFL_KEEPER_EXIT_MS);
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
    rfl_keeper_join(keeper, rfl_keeper_clock_ms() + RFL_KEEPER_EXIT_MS);

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
        cmocka_unit_test(test_a_fault_is_told_once),
    };

    return cmocka_run_group_tests_name("rfl_keeper", tests, NULL, NULL);
}
