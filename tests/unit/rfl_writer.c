/* The writing thread: order, a full queue, a lock that is another's, ends. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "rfl_writer.h"
#include "site.h"


#define PATIENCE_MS  20000


static rfl_write_t *
add_link(const site_t *site, const char *body)
{
    rfl_write_t  *write;

    write = rfl_write_create();
    assert_non_null(write);

    write->edit.kind = RFL_EDIT_ADD;
    write->edit.now = 1000;
    write->body_len = strlen(body);
    write->body = (u_char *) strdup(body);
    write->counters = strdup(site->counters);

    return write;
}


static rfl_writer_t *
start(const site_t *site)
{
    rfl_error_t    err;
    rfl_writer_t  *w;

    if (rfl_writer_start(&w, &site->conf, &err) != RFL_OK) {
        fail_msg("%s", err.text);
    }

    return w;
}


static void
end(rfl_writer_t *w)
{
    rfl_writer_ask(w);
    rfl_writer_join(w, rfl_clock_ms() + PATIENCE_MS);
}


/* As the event loop does it. */

static rfl_write_t *
wait_for(rfl_writer_t *w)
{
    eventfd_t       n;
    rfl_write_t    *write;
    struct pollfd   fd;

    fd.fd = rfl_writer_fd(w);
    fd.events = POLLIN;

    while ((write = rfl_writer_take(w)) == NULL) {
        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
        (void) eventfd_read(fd.fd, &n);
    }

    return write;
}


static void
test_writes_in_order(void **state)
{
    int            i;
    char           body[64];
    site_t         site;
    rfl_write_t   *write;
    rfl_writer_t  *w;

    site_init(&site, "main");
    site_open(&site);
    w = start(&site);

    for (i = 0; i < 10; i++) {
        (void) snprintf(body, sizeof(body), "{\"tag\":\"%d\"}", i % 9);
        write = add_link(&site, body);
        write->data = (void *) (intptr_t) i;
        assert_int_equal(rfl_writer_put(w, write), RFL_OK);
    }

    for (i = 0; i < 10; i++) {
        write = wait_for(w);
        assert_int_equal((intptr_t) write->data, i);
        assert_int_equal(write->answer.result.status, i < 9 ? 201 : 409);
        rfl_write_free(write);
    }

    assert_null(rfl_writer_take(w));

    end(w);
    site_remove(&site);
}


/* Any thread of the process may read meanwhile, by a handle of its own. */

static void
test_is_seen_by_the_other_handle(void **state)
{
    site_t                site;
    rfl_link_t            link;
    rfl_error_t           err;
    rfl_write_t          *write;
    rfl_writer_t         *w;
    rfl_registry_meta_t   meta;

    site_init(&site, "main");
    site_open(&site);
    w = start(&site);

    assert_int_equal(rfl_writer_put(w, add_link(&site, "{\"tag\":\"a\"}")),
                     RFL_OK);
    write = wait_for(w);
    assert_int_equal(write->answer.result.status, 201);
    rfl_write_free(write);

    assert_int_equal(rfl_registry_begin(site.rt.registry, 0, &err), RFL_OK);
    assert_int_equal(rfl_registry_next_key(site.rt.registry, 0, &link),
                     RFL_OK);
    assert_int_equal(rfl_registry_meta(site.rt.registry, &meta), RFL_OK);
    rfl_registry_end(site.rt.registry);
    assert_int_equal(meta.links, 1);

    /* where this process counts, too */

    site_click(&site, link.id, 1);
    assert_int_equal(site.rt.zone->n[RFL_ZONE_OVERFLOW], 0);
    assert_true(rfl_counters_capacity(site.rt.counters) > link.id);

    end(w);
    site_remove(&site);
}


static void
test_body_in_a_file(void **state)
{
    int            fd;
    char           path[] = "/tmp/rfl-body-XXXXXX";
    site_t         site;
    rfl_write_t   *write;
    rfl_writer_t  *w;

    static const char  body[] = "###{\"tag\":\"file\"}###";

    site_init(&site, "main");
    site_open(&site);
    w = start(&site);

    fd = mkstemp(path);
    assert_true(fd != -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pwrite(fd, body, sizeof(body) - 1, 0), sizeof(body) - 1);

    write = rfl_write_create();
    assert_non_null(write);
    write->edit.kind = RFL_EDIT_ADD;
    write->fd = fd;
    write->offset = 3;
    write->body_len = sizeof(body) - 1 - 6;
    assert_int_equal(rfl_writer_put(w, write), RFL_OK);

    write = wait_for(w);
    assert_int_equal(write->answer.result.status, 201);

    /* cut short behind our back */

    assert_int_equal(ftruncate(write->fd, 5), 0);
    rfl_buf_free(&write->answer.text);
    free(write->body);
    write->body = NULL;
    assert_int_equal(rfl_writer_put(w, write), RFL_OK);

    write = wait_for(w);
    assert_int_equal(write->answer.result.status, 503);
    rfl_write_free(write);

    end(w);
    site_remove(&site);
}


static void
test_without_a_registry(void **state)
{
    site_t         site;
    rfl_write_t   *write;
    rfl_writer_t  *w;

    site_init(&site, "main");
    w = start(&site);

    assert_int_equal(rfl_writer_put(w, add_link(&site, "{\"tag\":\"a\"}")),
                     RFL_OK);
    write = wait_for(w);
    assert_int_equal(write->answer.result.status, 503);
    assert_string_equal(write->answer.result.code, "RegistryUnavailable");
    rfl_write_free(write);

    /* nothing is made for a write: not by it is a registry begun */

    site_open(&site);
    assert_int_equal(rfl_writer_put(w, add_link(&site, "{\"tag\":\"a\"}")),
                     RFL_OK);
    write = wait_for(w);
    assert_int_equal(write->answer.result.status, 201);
    rfl_write_free(write);

    end(w);
    site_remove(&site);
}


static void
test_queue_is_bounded(void **state)
{
    int            i, done;
    char           body[64];
    site_t         site;
    uint64_t       until;
    rfl_error_t    err;
    rfl_write_t   *write;
    rfl_writer_t  *w;

    site_init(&site, "main");
    site_open(&site);
    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, &err), RFL_OK);
    w = start(&site);

    /* one more than the queue holds, as soon as the thread has taken one */

    until = rfl_clock_ms() + PATIENCE_MS;

    for (i = 0; i < RFL_WRITER_QUEUE + 1; i++) {
        (void) snprintf(body, sizeof(body), "{\"tag\":\"%d\"}", i);
        write = add_link(&site, body);

        while (rfl_writer_put(w, write) != RFL_OK) {
            assert_true(rfl_clock_ms() < until);
            usleep(1000);
        }
    }

    usleep(100000);
    write = add_link(&site, "{\"tag\":\"x\"}");
    assert_int_equal(rfl_writer_put(w, write), RFL_BUSY);
    rfl_write_free(write);
    assert_null(rfl_writer_take(w));

    rfl_registry_end(site.rt.registry);

    for (done = 0; done < RFL_WRITER_QUEUE + 1; done++) {
        write = wait_for(w);
        assert_int_equal(write->answer.result.status, 201);
        rfl_write_free(write);
    }

    end(w);
    site_remove(&site);
}


/* What waits is not begun any more, what is done is not asked for. */

static void
test_ends_with_writes_in_its_queue(void **state)
{
    int                   i;
    char                  body[64];
    site_t                site;
    rfl_error_t           err;
    rfl_writer_t         *w;
    rfl_registry_meta_t   meta;

    site_init(&site, "main");
    site_open(&site);
    assert_int_equal(rfl_registry_begin(site.rt.registry, 1, &err), RFL_OK);
    w = start(&site);

    for (i = 0; i < RFL_WRITER_QUEUE; i++) {
        (void) snprintf(body, sizeof(body), "{\"tag\":\"%d\"}", i);
        assert_int_equal(rfl_writer_put(w, add_link(&site, body)), RFL_OK);
    }

    usleep(100000);
    rfl_writer_ask(w);
    assert_int_equal(rfl_writer_put(w, NULL), RFL_BUSY);
    rfl_registry_end(site.rt.registry);
    rfl_writer_join(w, rfl_clock_ms() + PATIENCE_MS);

    assert_int_equal(rfl_registry_begin(site.rt.registry, 0, &err), RFL_OK);
    assert_int_equal(rfl_registry_meta(site.rt.registry, &meta), RFL_OK);
    rfl_registry_end(site.rt.registry);
    assert_int_equal(meta.links, 1);

    site_remove(&site);
}


/*
 * The lock stays another's: the process goes on, and ends.  In a child: the
 * thread is left to its end.
 */

static void
test_leaves_the_lock_to_who_has_it(void **state)
{
    int            status;
    pid_t          pid;
    site_t         site;
    uint64_t       now;
    rfl_error_t    err;
    rfl_writer_t  *w;

    site_init(&site, "main");

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        site_open(&site);

        if (rfl_registry_begin(site.rt.registry, 1, &err) != RFL_OK
            || rfl_writer_start(&w, &site.conf, &err) != RFL_OK
            || rfl_writer_put(w, add_link(&site, "{\"tag\":\"a\"}"))
               != RFL_OK)
        {
            _exit(1);
        }

        usleep(200000);
        now = rfl_clock_ms();
        rfl_writer_ask(w);
        rfl_writer_join(w, now + 300);
        now = rfl_clock_ms() - now;

        _exit(now >= 250 && now < 5000 ? 0 : 2);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);

    site_open(&site);
    site_remove(&site);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_leaves_the_lock_to_who_has_it),
        cmocka_unit_test(test_writes_in_order),
        cmocka_unit_test(test_is_seen_by_the_other_handle),
        cmocka_unit_test(test_body_in_a_file),
        cmocka_unit_test(test_without_a_registry),
        cmocka_unit_test(test_queue_is_bounded),
        cmocka_unit_test(test_ends_with_writes_in_its_queue)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
