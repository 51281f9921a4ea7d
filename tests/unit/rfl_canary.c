/*
 * The canary, with real processes that die inside and outside.
 */

#include "rfl_canary.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>


#define CHILDREN  40
#define THREADS   8
#define ROUNDS    20000


static int
setup(void **state)
{
    *state = rfl_canary_create();

    return *state == NULL;
}


static int
teardown(void **state)
{
    rfl_canary_free(*state);

    return 0;
}


/* A child that joined and is inside so often; it lives until it is killed. */

static pid_t
start_child(rfl_canary_t *canary, unsigned enters, unsigned leaves)
{
    int    ready[2];
    char   c;
    pid_t  pid;

    assert_int_equal(pipe(ready), 0);

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        rfl_canary_join(canary);

        while (enters-- > 0) {
            rfl_canary_enter();
        }

        while (leaves-- > 0) {
            rfl_canary_leave();
        }

        if (write(ready[1], "x", 1) != 1) {
            _exit(1);
        }

        for ( ;; ) {
            (void) pause();
        }
    }

    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);

    return pid;
}


static void
end_child(pid_t pid)
{
    int  status;

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}


static unsigned
slots_in_use(const rfl_canary_t *canary)
{
    unsigned  i, n;

    for (i = 0, n = 0; i < RFL_CANARY_SLOTS; i++) {
        n += canary->slots[i].pid != 0;
    }

    return n;
}


static void
it_fits_a_page(void **state)
{
    assert_true(sizeof(rfl_canary_t) <= 4096);
}


static void
without_one_nothing_is_marked(void **state)
{
    rfl_canary_join(NULL);
    assert_null(rfl_canary_slot);

    rfl_canary_enter();
    rfl_canary_leave();
    rfl_canary_look(NULL);
    rfl_canary_free(NULL);

    assert_int_equal(rfl_canary_deaths(NULL), 0);
}


static void
a_process_takes_one_slot(void **state)
{
    rfl_canary_t       *canary;
    rfl_canary_slot_t  *slot;

    canary = *state;

    rfl_canary_join(canary);
    slot = rfl_canary_slot;
    assert_non_null(slot);
    assert_int_equal(slot->pid, getpid());

    rfl_canary_enter();
    rfl_canary_enter();
    assert_int_equal(slot->inside, 2);
    rfl_canary_leave();

    /* joined again, it is the same process still, and inside */

    rfl_canary_join(canary);
    assert_ptr_equal(rfl_canary_slot, slot);
    assert_int_equal(slot->inside, 1);
    assert_int_equal(slots_in_use(canary), 1);
    assert_int_equal(rfl_canary_deaths(canary), 0);

    rfl_canary_look(canary);
    assert_int_equal(slot->pid, getpid());
    assert_int_equal(slot->inside, 1);

    rfl_canary_leave();
    assert_int_equal(slot->inside, 0);
}


static void
a_death_inside_is_counted_once(void **state)
{
    pid_t          pid;
    rfl_canary_t  *canary;

    canary = *state;

    rfl_canary_join(canary);
    pid = start_child(canary, 3, 1);
    assert_int_equal(slots_in_use(canary), 2);

    rfl_canary_look(canary);
    assert_int_equal(rfl_canary_deaths(canary), 0);

    end_child(pid);

    rfl_canary_look(canary);
    assert_int_equal(rfl_canary_deaths(canary), 1);
    assert_int_equal(slots_in_use(canary), 1);

    rfl_canary_look(canary);
    assert_int_equal(rfl_canary_deaths(canary), 1);
}


static void
a_death_outside_frees_the_slot_only(void **state)
{
    pid_t          pid;
    rfl_canary_t  *canary;

    canary = *state;

    rfl_canary_join(canary);
    pid = start_child(canary, 2, 2);
    end_child(pid);

    rfl_canary_look(canary);
    assert_int_equal(rfl_canary_deaths(canary), 0);
    assert_int_equal(slots_in_use(canary), 1);
}


static void
whoever_joins_finds_the_dead_too(void **state)
{
    pid_t          dead, next;
    rfl_canary_t  *canary;

    canary = *state;

    dead = start_child(canary, 1, 0);
    end_child(dead);

    next = start_child(canary, 0, 0);
    assert_int_equal(rfl_canary_deaths(canary), 1);
    assert_int_equal(slots_in_use(canary), 1);
    end_child(next);
}


/* The system gives process ids again. */

static void
a_slot_of_our_own_id_is_a_predecessors(void **state)
{
    rfl_canary_t  *canary;

    canary = *state;

    canary->slots[7].pid = (uint32_t) getpid();
    canary->slots[7].inside = 1;

    rfl_canary_join(canary);
    assert_int_equal(rfl_canary_deaths(canary), 1);
    assert_int_equal(slots_in_use(canary), 1);
    assert_int_equal(rfl_canary_slot->inside, 0);
}


static void
a_child_takes_a_slot_of_its_own(void **state)
{
    pid_t          pid;
    rfl_canary_t  *canary;

    canary = *state;

    rfl_canary_join(canary);
    rfl_canary_enter();

    pid = start_child(canary, 1, 1);
    assert_int_equal(slots_in_use(canary), 2);
    assert_int_equal(rfl_canary_slot->inside, 1);
    end_child(pid);

    rfl_canary_look(canary);
    assert_int_equal(rfl_canary_deaths(canary), 0);
    rfl_canary_leave();
}


static void
with_no_slot_free_nothing_is_marked(void **state)
{
    unsigned       i;
    rfl_canary_t  *canary;

    canary = *state;

    for (i = 0; i < RFL_CANARY_SLOTS; i++) {
        canary->slots[i].pid = (uint32_t) getppid();
    }

    rfl_canary_join(canary);
    assert_null(rfl_canary_slot);
    rfl_canary_enter();
    rfl_canary_leave();

    canary->slots[RFL_CANARY_SLOTS - 1].pid = 0;
    rfl_canary_join(canary);
    assert_ptr_equal(rfl_canary_slot, &canary->slots[RFL_CANARY_SLOTS - 1]);
}


static void
many_look_at_once_and_count_each_death_once(void **state)
{
    int            status;
    pid_t          dead[CHILDREN], looking[CHILDREN];
    unsigned       i;
    rfl_canary_t  *canary;

    canary = *state;

    for (i = 0; i < CHILDREN; i++) {
        dead[i] = start_child(canary, i % 2, 0);
    }

    assert_int_equal(slots_in_use(canary), CHILDREN);

    for (i = 0; i < CHILDREN; i++) {
        end_child(dead[i]);
    }

    for (i = 0; i < CHILDREN; i++) {
        looking[i] = fork();
        assert_true(looking[i] >= 0);

        if (looking[i] == 0) {
            rfl_canary_join(canary);
            _exit(rfl_canary_slot == NULL);
        }
    }

    for (i = 0; i < CHILDREN; i++) {
        assert_int_equal(waitpid(looking[i], &status, 0), looking[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }

    rfl_canary_look(canary);
    assert_int_equal(rfl_canary_deaths(canary), CHILDREN / 2);
    assert_int_equal(slots_in_use(canary), 0);
}


static void *
enter_and_leave(void *data)
{
    unsigned  i;

    for (i = 0; i < ROUNDS; i++) {
        rfl_canary_enter();
        rfl_canary_leave();
    }

    return NULL;
}


static void
threads_share_their_process_slot(void **state)
{
    unsigned   i;
    pthread_t  threads[THREADS];

    rfl_canary_join(*state);

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, enter_and_leave,
                                        NULL), 0);
    }

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }

    assert_int_equal(rfl_canary_slot->inside, 0);
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(it_fits_a_page),
        test(without_one_nothing_is_marked),
        test(a_process_takes_one_slot),
        test(a_death_inside_is_counted_once),
        test(a_death_outside_frees_the_slot_only),
        test(whoever_joins_finds_the_dead_too),
        test(a_slot_of_our_own_id_is_a_predecessors),
        test(a_child_takes_a_slot_of_its_own),
        test(with_no_slot_free_nothing_is_marked),
        test(many_look_at_once_and_count_each_death_once),
        test(threads_share_their_process_slot)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
