/* Threads without signals, joined in time; faults that are told once. */

#include "rfl_thread.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>


#define PATIENCE_MS  20000


static void *
ask_signals(void *data)
{
    (void) pthread_sigmask(SIG_SETMASK, NULL, data);

    return NULL;
}


static void
has_all_signals_blocked(void **state)
{
    sigset_t   before, after, of_thread;
    pthread_t  thread;

    (void) pthread_sigmask(SIG_SETMASK, NULL, &before);

    assert_int_equal(rfl_thread_start(&thread, ask_signals, &of_thread),
                     RFL_OK);
    assert_true(rfl_thread_join(thread, rfl_clock_ms() + PATIENCE_MS));

    (void) pthread_sigmask(SIG_SETMASK, NULL, &after);

    assert_int_equal(sigismember(&of_thread, SIGTERM), 1);
    assert_int_equal(sigismember(&of_thread, SIGHUP), 1);
    assert_int_equal(sigismember(&after, SIGTERM),
                     sigismember(&before, SIGTERM));
}


static void *
wait_for_byte(void *data)
{
    char  c;

    (void) !read(*(int *) data, &c, 1);

    return NULL;
}


static void
is_not_waited_for_beyond_the_deadline(void **state)
{
    int        fds[2];
    pthread_t  thread;

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(rfl_thread_start(&thread, wait_for_byte, &fds[0]),
                     RFL_OK);

    assert_false(rfl_thread_join(thread, rfl_clock_ms() + 20));

    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_true(rfl_thread_join(thread, rfl_clock_ms() + PATIENCE_MS));

    (void) close(fds[0]);
    (void) close(fds[1]);
}


static void
waits_until_its_time(void **state)
{
    uint64_t         until;
    pthread_cond_t   cond;
    pthread_mutex_t  mutex;

    rfl_thread_cond_init(&cond);
    (void) pthread_mutex_init(&mutex, NULL);

    until = rfl_clock_ms() + 30;

    (void) pthread_mutex_lock(&mutex);

    while (rfl_clock_ms() < until) {
        rfl_thread_cond_wait(&cond, &mutex, until);
    }

    (void) pthread_mutex_unlock(&mutex);
    (void) pthread_cond_destroy(&cond);
    (void) pthread_mutex_destroy(&mutex);
}


/* At a time; whether it is told. */

static const struct {
    uint64_t  ms;
    rfl_rc_t  rc;
    int       told;
} tellings[] = {
    { 0,                             RFL_OK,      0 },
    { 1000,                          RFL_INVALID, 1 },
    { 2000,                          RFL_INVALID, 0 },
    { 3000,                          RFL_FULL,    1 },
    { 4000,                          RFL_OK,      1 },
    { 5000,                          RFL_OK,      0 },
    { 6000,                          RFL_FULL,    0 },
    { 7000,                          RFL_OK,      0 },
    { 3000 + RFL_NOTICE_REMIND_MS,   RFL_FULL,    1 },
    { 3000 + 2 * RFL_NOTICE_REMIND_MS - 1, RFL_FULL, 0 },
    { 3000 + 2 * RFL_NOTICE_REMIND_MS, RFL_FULL,  1 }
};


static void
tells_once_and_each_minute(void **state)
{
    size_t         i;
    rfl_error_t    err, message;
    rfl_notices_t  notices;

    rfl_notices_init(&notices);

    for (i = 0; i < sizeof(tellings) / sizeof(tellings[0]); i++) {
        (void) rfl_fail(&err, tellings[i].rc, "at %zu", i);

        rfl_notices_tell(&notices, &err, tellings[i].ms);

        if (rfl_notices_take(&notices, &message) != tellings[i].told) {
            fail_msg("row %zu", i);
        }

        if (tellings[i].told) {
            assert_int_equal(message.rc, tellings[i].rc);
            assert_string_equal(message.text, err.text);
        }
    }

    rfl_notices_destroy(&notices);
}


static void
keeps_the_last_message(void **state)
{
    unsigned       i;
    rfl_error_t    err, message;
    rfl_notices_t  notices;

    rfl_notices_init(&notices);

    for (i = 0; i < 2 * RFL_NOTICES; i++) {
        (void) rfl_fail(&err, RFL_ERROR, "%u", i);
        rfl_notices_add(&notices, &err);
    }

    for (i = 0; i < RFL_NOTICES; i++) {
        assert_int_equal(rfl_notices_take(&notices, &message), 1);
    }

    assert_string_equal(message.text, err.text);
    assert_int_equal(rfl_notices_take(&notices, &message), 0);

    rfl_notices_destroy(&notices);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(has_all_signals_blocked),
        cmocka_unit_test(is_not_waited_for_beyond_the_deadline),
        cmocka_unit_test(waits_until_its_time),
        cmocka_unit_test(tells_once_and_each_minute),
        cmocka_unit_test(keeps_the_last_message)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
