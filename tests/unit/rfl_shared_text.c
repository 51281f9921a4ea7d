/* A text of one process for another: whole, whatever its length. */

#include "rfl_shared_text.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>


#define ROUNDS  5000


static void
set(rfl_shared_text_t *shared, rfl_rc_t rc, char c, size_t len)
{
    rfl_error_t  err;

    err.rc = rc;
    memset(err.text, c, len);
    err.text[len] = '\0';

    rfl_shared_text_set(shared, &err);
}


static void
is_what_was_set_last(void **state)
{
    size_t              len;
    rfl_error_t         err;
    rfl_shared_text_t  *shared;

    shared = rfl_shared_text_create("not read yet");
    assert_non_null(shared);

    rfl_shared_text_get(shared, &err);
    assert_int_equal(err.rc, RFL_NOT_FOUND);
    assert_string_equal(err.text, "not read yet");

    for (len = 0; len < RFL_ERROR_TEXT; len++) {
        set(shared, len % 2 ? RFL_OK : RFL_INVALID, 'a' + (char) (len % 26),
            len);
        rfl_shared_text_get(shared, &err);

        assert_int_equal(err.rc, len % 2 ? RFL_OK : RFL_INVALID);
        assert_int_equal(strlen(err.text), len);
        assert_int_equal(strspn(err.text, (char[]) { 'a' + (char) (len % 26),
                                                     '\0' }), len);
    }

    rfl_shared_text_free(shared);
    rfl_shared_text_free(NULL);
}


/*
 * The child's texts are of one letter each.  It pauses between them, if as
 * shortly as it can: whoever reads must once come to the end of a text.
 */

static void
is_never_mixed(void **state)
{
    int                 i, status;
    char                one[2];
    pid_t               pid, done;
    rfl_error_t         err;
    rfl_shared_text_t  *shared;

    shared = rfl_shared_text_create("a");
    assert_non_null(shared);

    pid = fork();
    assert_int_not_equal(pid, -1);

    if (pid == 0) {
        for (i = 0; i < ROUNDS; i++) {
            set(shared, RFL_OK, (char) ('a' + i % 26), 200 + (size_t) i % 500);
            (void) usleep(1);
        }

        _exit(0);
    }

    do {
        rfl_shared_text_get(shared, &err);

        one[0] = err.text[0];
        one[1] = '\0';
        assert_int_equal(strspn(err.text, one), strlen(err.text));

        done = waitpid(pid, &status, WNOHANG);
    } while (done == 0);

    assert_int_equal(done, pid);
    assert_int_equal(status, 0);

    rfl_shared_text_free(shared);
}


/* Who died while it wrote holds up nobody. */

static void
outlives_its_writer(void **state)
{
    rfl_error_t         err;
    rfl_shared_text_t  *shared;

    shared = rfl_shared_text_create("first");
    assert_non_null(shared);

    /* half of a text, by one who did not come to tell of it */

    memset(shared->slots[(shared->sequence + 1) % 2].words, '!', 16);
    rfl_shared_text_get(shared, &err);
    assert_string_equal(err.text, "first");

    set(shared, RFL_OK, 'x', 3);
    rfl_shared_text_get(shared, &err);
    assert_string_equal(err.text, "xxx");

    rfl_shared_text_free(shared);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(is_what_was_set_last),
        cmocka_unit_test(is_never_mixed),
        cmocka_unit_test(outlives_its_writer)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
