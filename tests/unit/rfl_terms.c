/*
 * The words users meet.  They are written out again here: a name that changes
 * breaks dashboards and files, and must not change unnoticed.
 */

#include "rfl_terms.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard.h"


typedef struct {
    const char        *input;
    rfl_rc_t           rc;
    rfl_match_type_t   type;
} match_type_row_t;


static const char *const  match_types[] = {
    "exact", "prefix", "host", "domain", "regex", "tag"
};

static const char *const  outcomes[] = {
    "direct", "hidden", "internal", "malformed", "matched", "ambiguous",
    "unregistered", "skipped"
};

static const char *const  evidences[] = {
    "tag", "exact", "regex", "prefix", "landing", "host", "domain", ""
};

static const char *const  classes[] = {
    "click", "reload", "redirect", "error", "embed", "prefetch", "bot",
    "other", ""
};


static const match_type_row_t  match_type_rows[] = {
    { "exact",      RFL_OK,      RFL_MATCH_EXACT },
    { "prefix",     RFL_OK,      RFL_MATCH_PREFIX },
    { "host",       RFL_OK,      RFL_MATCH_HOST },
    { "domain",     RFL_OK,      RFL_MATCH_DOMAIN },
    { "regex",      RFL_OK,      RFL_MATCH_REGEX },
    { "tag",        RFL_OK,      RFL_MATCH_TAG },
    { " Domain\r\n", RFL_OK,     RFL_MATCH_DOMAIN },
    { "EXACT",      RFL_OK,      RFL_MATCH_EXACT },
    { "",           RFL_INVALID, 0 },
    { "exac",       RFL_INVALID, 0 },
    { "exactly",    RFL_INVALID, 0 },
    { "exact,host", RFL_INVALID, 0 }
};


static void
assert_names(const rfl_str_t *names, size_t n, const char *const *wanted,
    size_t nwanted)
{
    size_t  i;

    assert_int_equal(n, nwanted);

    for (i = 0; i < n; i++) {
        assert_true(rfl_str_eq(names[i], rfl_cstr(wanted[i])));
    }
}


static void
match_types_have_their_names_in_order(void **state)
{
    assert_names(rfl_match_type_names, RFL_MATCH_TYPES, match_types,
                 sizeof(match_types) / sizeof(match_types[0]));
}


static void
outcomes_have_their_names_in_order(void **state)
{
    assert_names(rfl_outcome_names, RFL_OUTCOMES, outcomes,
                 sizeof(outcomes) / sizeof(outcomes[0]));
}


static void
evidence_has_its_names_strongest_first_and_none_is_empty(void **state)
{
    assert_names(rfl_evidence_names, RFL_EVIDENCES + 1, evidences,
                 sizeof(evidences) / sizeof(evidences[0]));
}


static void
classes_have_their_names_in_order_and_none_is_empty(void **state)
{
    assert_names(rfl_class_names, RFL_CLASSES + 1, classes,
                 sizeof(classes) / sizeof(classes[0]));
}


static void
a_match_type_is_read_by_its_name(void **state)
{
    size_t                   i, len;
    rfl_rc_t                 rc;
    rfl_error_t              err;
    rfl_match_type_t         type;
    const match_type_row_t  *row;

    for (i = 0; i < sizeof(match_type_rows) / sizeof(match_type_rows[0]); i++) {
        row = &match_type_rows[i];
        len = strlen(row->input);

        rc = rfl_match_type_parse(rfl_str(guard_copy(row->input, len), len),
                                  &type, &err);

        assert_int_equal(rc, row->rc);

        if (rc == RFL_OK) {
            assert_int_equal(type, row->type);
        }
    }

    guard_free_all();
}


static void
an_unknown_match_type_is_answered_with_the_known_ones(void **state)
{
    rfl_rc_t          rc;
    rfl_error_t       err;
    rfl_match_type_t  type;

    rc = rfl_match_type_parse(rfl_cstr("regexp"), &type, &err);

    assert_int_equal(rc, RFL_INVALID);
    assert_int_equal(err.rc, RFL_INVALID);
    assert_string_equal(err.text, "match_type \"regexp\" is unknown, it is one "
                        "of: exact, prefix, host, domain, regex, tag");

    rc = rfl_match_type_parse(rfl_str(NULL, 0), &type, NULL);

    assert_int_equal(rc, RFL_INVALID);
}


static void
a_long_unknown_match_type_still_leaves_room_for_the_known_ones(void **state)
{
    u_char            text[2 * RFL_ERROR_TEXT];
    rfl_error_t       err;
    rfl_match_type_t  type;

    memset(text, 'x', sizeof(text));

    (void) rfl_match_type_parse(rfl_str(text, sizeof(text)), &type, &err);

    assert_non_null(strstr(err.text, "exact, prefix, host, domain, regex, "
                                     "tag"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(match_types_have_their_names_in_order),
        cmocka_unit_test(outcomes_have_their_names_in_order),
        cmocka_unit_test(
                    evidence_has_its_names_strongest_first_and_none_is_empty),
        cmocka_unit_test(classes_have_their_names_in_order_and_none_is_empty),
        cmocka_unit_test(a_match_type_is_read_by_its_name),
        cmocka_unit_test(an_unknown_match_type_is_answered_with_the_known_ones),
        cmocka_unit_test(
               a_long_unknown_match_type_still_leaves_room_for_the_known_ones)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
