/* The class table, row by row. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rfl_class.h"


typedef struct {
    const char   *method;
    unsigned      status;
    rfl_class_t   wanted;
} row_t;


static const row_t  rows[] = {
    { "GET",     200, RFL_CLASS_CLICK },
    { "GET",     204, RFL_CLASS_CLICK },
    { "GET",     206, RFL_CLASS_CLICK },
    { "GET",     299, RFL_CLASS_CLICK },
    { "GET",     300, RFL_CLASS_REDIRECT },
    { "GET",     301, RFL_CLASS_REDIRECT },
    { "GET",     302, RFL_CLASS_REDIRECT },
    { "GET",     303, RFL_CLASS_REDIRECT },
    { "GET",     304, RFL_CLASS_CLICK },
    { "GET",     305, RFL_CLASS_REDIRECT },
    { "GET",     307, RFL_CLASS_REDIRECT },
    { "GET",     308, RFL_CLASS_REDIRECT },
    { "GET",     399, RFL_CLASS_REDIRECT },
    { "GET",     400, RFL_CLASS_ERROR },
    { "GET",     404, RFL_CLASS_ERROR },
    { "GET",     410, RFL_CLASS_ERROR },
    { "GET",     499, RFL_CLASS_OTHER },
    { "GET",     500, RFL_CLASS_ERROR },
    { "GET",     503, RFL_CLASS_ERROR },
    { "GET",     101, RFL_CLASS_OTHER },
    { "GET",     408, RFL_CLASS_OTHER },
    { "GET",     444, RFL_CLASS_OTHER },
    { "GET",       0, RFL_CLASS_OTHER },
    { "HEAD",    200, RFL_CLASS_OTHER },
    { "POST",    200, RFL_CLASS_OTHER },
    { "POST",    301, RFL_CLASS_OTHER },
    { "POST",    404, RFL_CLASS_OTHER },
    { "OPTIONS", 200, RFL_CLASS_OTHER },
    { "get",     200, RFL_CLASS_OTHER },
    { "",        400, RFL_CLASS_OTHER },
};


static void
test_table(void **state)
{
    size_t             i;
    rfl_class_t        class;
    rfl_class_input_t  in;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        in.method = rfl_cstr(rows[i].method);
        in.status = rows[i].status;

        class = rfl_classify(&in);

        if (class != rows[i].wanted) {
            fail_msg("%s %u: %d, wanted %d", rows[i].method, rows[i].status,
                     class, rows[i].wanted);
        }
    }
}


static void
test_every_status_has_one_class(void **state)
{
    unsigned           status;
    rfl_class_t        class;
    rfl_class_input_t  in;

    in.method = rfl_cstr("GET");

    for (status = 0; status < 1000; status++) {
        in.status = status;
        class = rfl_classify(&in);
        assert_in_range(class, 0, RFL_CLASSES - 1);
    }
}


static void
test_outcomes_without_a_class(void **state)
{
    assert_false(rfl_outcome_has_class(RFL_OUTCOME_INTERNAL));
    assert_false(rfl_outcome_has_class(RFL_OUTCOME_MALFORMED));
    assert_false(rfl_outcome_has_class(RFL_OUTCOME_SKIPPED));

    assert_true(rfl_outcome_has_class(RFL_OUTCOME_DIRECT));
    assert_true(rfl_outcome_has_class(RFL_OUTCOME_HIDDEN));
    assert_true(rfl_outcome_has_class(RFL_OUTCOME_MATCHED));
    assert_true(rfl_outcome_has_class(RFL_OUTCOME_AMBIGUOUS));
    assert_true(rfl_outcome_has_class(RFL_OUTCOME_UNREGISTERED));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_every_status_has_one_class),
        cmocka_unit_test(test_outcomes_without_a_class),
    };

    return cmocka_run_group_tests_name("rfl_class", tests, NULL, NULL);
}
