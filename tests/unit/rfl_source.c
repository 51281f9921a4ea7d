/*
 * The thread that follows a file: it waits until it is led, sees each way in
 * which a file changes, tells what is wrong, and ends when it is asked.
 */

#include "rfl_source.h"

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

#include "site.h"


#define PATIENCE_MS  20000


typedef struct {
    site_t         site;
    char           file[128];
    rfl_source_t  *source;
} fixture_t;


static void
write_file(const char *path, const char *text)
{
    FILE  *file;

    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}


/* Written long ago, and moved to its place: it may be taken at once. */

static void
move_file(const fixture_t *f, const char *text)
{
    char             new[160];
    struct timespec  times[2];

    (void) snprintf(new, sizeof(new), "%s.new", f->file);
    write_file(new, text);

    memset(times, 0, sizeof(times));
    times[0].tv_sec = 1000;
    times[1].tv_sec = 1000;

    assert_int_equal(utimensat(AT_FDCWD, new, times, 0), 0);
    assert_int_equal(rename(new, f->file), 0);
}


static int
setup(void **state)
{
    fixture_t    *f;
    rfl_error_t   err;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    site_init(&f->site, "main");
    (void) snprintf(f->file, sizeof(f->file), "%s/links", f->site.dir);
    f->site.conf.source = f->file;
    f->site.conf.source_state = rfl_shared_text_create("not read yet");
    assert_non_null(f->site.conf.source_state);
    site_open(&f->site);

    assert_int_equal(rfl_source_create(&f->source, &f->site.conf, &err),
                     RFL_OK);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    fixture_t  *f;

    f = *state;

    rfl_source_ask(f->source);
    assert_true(rfl_source_join(f->source, rfl_clock_ms() + PATIENCE_MS));
    rfl_source_free(f->source);

    rfl_shared_text_free(f->site.conf.source_state);
    site_remove(&f->site);
    free(f);

    return 0;
}


/* Whether health comes to say this, or what begins so. */

static void
comes_to_say(const fixture_t *f, rfl_rc_t rc, const char *text)
{
    uint64_t     until;
    rfl_error_t  err;

    until = rfl_clock_ms() + PATIENCE_MS;

    do {
        (void) usleep(10000);
        rfl_shared_text_get(f->site.conf.source_state, &err);

        if (err.rc == rc && strstr(err.text, text) != NULL) {
            return;
        }

    } while (rfl_clock_ms() < until);

    fail_msg("%d \"%s\" is not %d \"%s\"", err.rc, err.text, rc, text);
}


static uint32_t
links(const fixture_t *f)
{
    rfl_registry_t       *registry;
    rfl_registry_meta_t   meta;

    registry = f->site.rt.registry;

    assert_int_equal(rfl_registry_begin(registry, 0, NULL), RFL_OK);
    assert_int_equal(rfl_registry_meta(registry, &meta), RFL_OK);
    rfl_registry_end(registry);

    return meta.links;
}


static void
come_to_be(const fixture_t *f, uint32_t wanted)
{
    uint64_t  until;

    until = rfl_clock_ms() + PATIENCE_MS;

    while (links(f) != wanted && rfl_clock_ms() < until) {
        (void) usleep(10000);
    }

    assert_int_equal(links(f), wanted);
}


static void
waits_until_it_is_led(void **state)
{
    fixture_t    *f;
    rfl_error_t   err;

    f = *state;

    move_file(f, "source\na.example\n");
    (void) usleep(50000);
    rfl_shared_text_get(f->site.conf.source_state, &err);
    assert_string_equal(err.text, "not read yet");

    rfl_source_lead(f->source, 1, f->site.counters);
    comes_to_say(f, RFL_OK, "");
    assert_int_equal(links(f), 1);
    assert_int_equal(rfl_source_message(f->source, &err), 0);
}


static void
follows_its_file(void **state)
{
    char          other[160];
    fixture_t    *f;
    rfl_error_t   err;

    f = *state;

    rfl_source_lead(f->source, 1, NULL);
    comes_to_say(f, RFL_NOT_FOUND, "No such file");

    move_file(f, "source\na.example\nb.example\n");
    comes_to_say(f, RFL_OK, "");
    come_to_be(f, 2);

    write_file(f->file, "source\na.example\n");
    come_to_be(f, 1);

    (void) snprintf(other, sizeof(other), "%s.other", f->file);
    write_file(other, "[{\"source\":\"a.example\"},{\"tag\":\"b\"},"
               "{\"tag\":\"c\"}]");
    assert_int_equal(unlink(f->file), 0);
    assert_int_equal(symlink(other, f->file), 0);
    come_to_be(f, 3);

    assert_int_equal(rfl_source_message(f->source, &err), 1);
    assert_int_equal(err.rc, RFL_NOT_FOUND);
    assert_non_null(strstr(err.text, "; the links stay as they are"));
    assert_int_equal(rfl_source_message(f->source, &err), 1);
    assert_int_equal(err.rc, RFL_OK);
}


/* Half of a row, in place: the whole came before it, and comes again. */

static void
refuses_what_is_cut_off(void **state)
{
    fixture_t  *f;

    f = *state;

    move_file(f, "source,name\na.example,One\nb.example,Two");
    rfl_source_lead(f->source, 1, f->site.counters);
    comes_to_say(f, RFL_OK, "");
    come_to_be(f, 2);

    write_file(f->file, "source,name\na.example,On");
    comes_to_say(f, RFL_INVALID, "line 2: the last line has no end");
    assert_int_equal(links(f), 2);

    write_file(f->file, "source,name\na.example,One\n");
    comes_to_say(f, RFL_OK, "");
    come_to_be(f, 1);
}


/* Another registry took the place of the one before. */

static void
compares_with_another_registry(void **state)
{
    fixture_t  *f;

    f = *state;

    move_file(f, "source\na.example\n");
    rfl_source_lead(f->source, 1, f->site.counters);
    comes_to_say(f, RFL_OK, "");

    (void) site_add(&f->site, "https://x.example/", "", NULL);
    assert_int_equal(links(f), 2);

    rfl_source_lead(f->source, 2, f->site.counters);
    come_to_be(f, 1);
}


/* It waits for the lock, and leaves only when it has it. */

static void
is_left_where_it_waits_for_a_lock(void **state)
{
    fixture_t  *f;

    f = *state;

    assert_int_equal(rfl_registry_begin(f->site.rt.registry, 1, NULL),
                     RFL_OK);

    move_file(f, "source\na.example\n");
    rfl_source_lead(f->source, 1, f->site.counters);
    (void) usleep(300000);

    rfl_source_ask(f->source);
    assert_false(rfl_source_join(f->source, rfl_clock_ms() + 50));

    rfl_registry_end(f->site.rt.registry);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(waits_until_it_is_led, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(follows_its_file, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_cut_off, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(compares_with_another_registry,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(is_left_where_it_waits_for_a_lock,
                                        setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
