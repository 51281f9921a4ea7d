/* Rows to links: added, merged, updated, left alone, removed. */

#include "rfl_import.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "site.h"


typedef struct {
    site_t        site;
    rfl_import_t  import;
    rfl_error_t   err;
    unsigned      named;
} fixture_t;


static int
setup(void **state)
{
    fixture_t  *f;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    site_init(&f->site, "main");
    site_open(&f->site);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    fixture_t  *f;

    f = *state;

    rfl_import_free(&f->import);
    site_remove(&f->site);
    free(f);

    return 0;
}


static rfl_rc_t
named(void *data, const rfl_identity_t *identity, rfl_error_t *err)
{
    fixture_t *f = data;

    f->named++;
    assert_int_not_equal(identity->source.len, 0);

    return RFL_OK;
}


static void
begin(fixture_t *f, unsigned update)
{
    rfl_import_free(&f->import);
    memset(&f->import, 0, sizeof(rfl_import_t));

    f->named = 0;
    f->import.registry = f->site.rt.registry;
    f->import.now = 1000;
    f->import.update = update;
    f->import.named = named;
    f->import.data = f;

    assert_int_equal(rfl_registry_begin(f->import.registry, 1, &f->err),
                     RFL_OK);
}


static void
end(fixture_t *f)
{
    assert_int_equal(rfl_registry_commit(f->import.registry, &f->err),
                     RFL_OK);
}


static void
set(rfl_row_t *row, const char *name, const char *value)
{
    size_t  i;

    i = (size_t) (rfl_link_field(rfl_cstr(name)) - rfl_link_fields);

    row->values[i] = rfl_cstr(value);
    row->given[i] = 1;
}


/* name NULL: the file has no such column. */

static rfl_rc_t
import(fixture_t *f, const char *source, const char *name, unsigned marks)
{
    rfl_row_t  row;

    memset(&row, 0, sizeof(rfl_row_t));

    set(&row, "source", source);
    row.marks = marks;

    if (name != NULL) {
        set(&row, "name", name);
    }

    return rfl_import_row(&f->import, &row, &f->err);
}


static void
must(fixture_t *f, const char *source, const char *name, unsigned marks)
{
    if (import(f, source, name, marks) != RFL_OK) {
        fail_msg("%s: %s", source, f->err.text);
    }
}


/* "name|labels" of the link at this source; "" if there is none. */

static const char *
shown(fixture_t *f, const char *source)
{
    rfl_link_t            link;
    rfl_registry_place_t  place;

    static char  out[256];

    place.len = 0;
    out[0] = '\0';

    while (rfl_registry_next_source(f->import.registry, &place, &link)
           == RFL_OK)
    {
        if (rfl_str_eq(link.source, rfl_cstr(source))) {
            (void) snprintf(out, sizeof(out), "%.*s|%.*s",
                            (int) link.name.len,
                            (const char *) link.name.data,
                            (int) link.labels.len,
                            (const char *) link.labels.data);
        }
    }

    return out;
}


static void
counts_what_became_of_rows(void **state)
{
    fixture_t            *f;
    rfl_import_counts_t  *n;

    f = *state;
    n = &f->import.counts;

    begin(f, 0);
    must(f, "a.example", "A", 0);
    must(f, "b.example", "B", 0);
    must(f, "A.example", "again", 0);
    assert_int_equal(n->links, 2);
    assert_int_equal(n->added, 2);
    assert_int_equal(n->merged, 1);
    assert_int_equal(f->named, 2);
    assert_string_equal(shown(f, "a.example"), "A|");
    end(f);

    begin(f, 0);
    must(f, "a.example", "New", 0);
    assert_int_equal(n->registered, 1);
    assert_false(rfl_import_changed(&f->import));
    assert_string_equal(shown(f, "a.example"), "A|");
    end(f);

    begin(f, 1);
    must(f, "a.example", "New", 0);
    must(f, "b.example", NULL, 0);
    assert_int_equal(n->updated, 1);
    assert_int_equal(n->registered, 1);
    assert_true(rfl_import_changed(&f->import));
    assert_string_equal(shown(f, "a.example"), "New|");
    assert_string_equal(shown(f, "b.example"), "B|");
    end(f);

    begin(f, 1);
    must(f, "b.example", "", 0);
    assert_int_equal(rfl_import_clear(&f->import, &f->err), RFL_OK);
    assert_int_equal(n->updated, 1);
    assert_int_equal(rfl_import_remove_others(&f->import, &f->err), RFL_OK);
    assert_int_equal(n->removed, 1);
    assert_string_equal(shown(f, "a.example"), "");
    assert_string_equal(shown(f, "b.example"), "|");
    end(f);
}


/*
 * Two rows of a link that is registered, and what they make of its name; NULL:
 * their file has no such column.
 */

typedef struct {
    const char  *registered;
    const char  *first;
    const char  *second;
    const char  *wanted;
} rows_t;

static const rows_t  rows[] = {
    { "A", "",   "A",  "A" },
    { "A", "A",  "",   "A" },
    { "A", "A",  "B",  "A" },
    { "A", "B",  "A",  "B" },
    { "A", "",   "B",  "B" },
    { "A", NULL, "B",  "B" },
    { "A", NULL, "A",  "A" },
    { "A", NULL, NULL, "A" },
    { "A", NULL, "",   "" },
    { "A", "",   NULL, "" },
    { "A", "",   "",   "" },
    { "",  "",   "B",  "B" },
    { "",  "B",  "C",  "B" },
    { "",  NULL, "",   "" },
};


static void
rows_of_one_link_are_decided_once(void **state)
{
    char        wanted[8];
    size_t      i;
    unsigned    turn;
    fixture_t  *f;

    f = *state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {

        begin(f, 1);
        must(f, "a.example", rows[i].registered, 0);
        assert_int_equal(rfl_import_clear(&f->import, &f->err), RFL_OK);
        end(f);

        (void) snprintf(wanted, sizeof(wanted), "%s|", rows[i].wanted);

        for (turn = 0; turn < 2; turn++) {
            begin(f, 1);
            must(f, "a.example", rows[i].first, 0);
            must(f, "A.example", rows[i].second, 0);
            assert_int_equal(rfl_import_clear(&f->import, &f->err), RFL_OK);

            if (strcmp(shown(f, "a.example"), wanted) != 0) {
                fail_msg("row %zu: \"%s\" is not \"%s\"", i,
                         shown(f, "a.example"), wanted);
            }

            /* the second time, or if it was so, nothing is written */

            if (rfl_import_changed(&f->import)
                != (turn == 0
                    && strcmp(rows[i].registered, rows[i].wanted) != 0))
            {
                fail_msg("row %zu: written in turn %u", i, turn);
            }

            assert_int_equal(f->import.counts.updated,
                             rfl_import_changed(&f->import));
            assert_int_equal(f->import.counts.registered,
                             !rfl_import_changed(&f->import));
            end(f);
        }
    }
}


/*
 * Rows of a few links at random, and a model that looks at all of them at once:
 * the first value stands; where none has one, an empty cell clears.
 */

#define MODEL_LINKS   4
#define MODEL_FIELDS  3
#define MODEL_TURNS   3000

static const char *const  model_names[MODEL_FIELDS] = { "name", "partner",
                                                        "labels" };
static const char *const  model_values[] = { "", "x", "y" };


static void
model_compare(fixture_t *f, int links[MODEL_LINKS][MODEL_FIELDS])
{
    int          i, k;
    char         source[32];
    rfl_str_t    have;
    rfl_link_t   link;
    rfl_registry_place_t  place;

    place.len = 0;

    while (rfl_registry_next_source(f->import.registry, &place, &link)
           == RFL_OK)
    {
        for (i = 0; i < MODEL_LINKS; i++) {
            (void) snprintf(source, sizeof(source), "h%d.example", i);

            if (!rfl_str_eq(link.source, rfl_cstr(source))) {
                continue;
            }

            for (k = 0; k < MODEL_FIELDS; k++) {
                have = *rfl_link_slice(&link, rfl_link_field(
                                                rfl_cstr(model_names[k])));
                assert_true(rfl_str_eq(have,
                                       rfl_cstr(model_values[links[i][k]])));
            }
        }
    }
}


static void
rows_at_random_are_what_a_model_says(void **state)
{
    int         i, k, n, turn, value, differs;
    int         links[MODEL_LINKS][MODEL_FIELDS];
    int         said[MODEL_LINKS][MODEL_FIELDS];
    char        source[32];
    unsigned    again;
    fixture_t  *f;
    rfl_row_t   made[8];

    static char  sources[MODEL_LINKS][32];

    f = *state;
    srand(7);

    memset(links, 0, sizeof(links));

    begin(f, 1);

    for (i = 0; i < MODEL_LINKS; i++) {
        (void) snprintf(source, sizeof(source), "h%d.example", i);
        (void) snprintf(sources[i], sizeof(sources[i]), "H%d.example", i);
        must(f, source, NULL, 0);
    }

    end(f);

    for (turn = 0; turn < MODEL_TURNS; turn++) {
        memset(said, 0xff, sizeof(said));            /* -1: no row had it */
        memset(made, 0, sizeof(made));

        for (n = 0; n < 8; n++) {
            i = rand() % MODEL_LINKS;
            set(&made[n], "source", sources[i]);

            for (k = 0; k < MODEL_FIELDS; k++) {
                value = rand() % 4 - 1;

                if (value >= 0) {
                    set(&made[n], model_names[k], model_values[value]);

                    if (said[i][k] <= 0) {
                        said[i][k] = value;
                    }
                }
            }
        }

        differs = 0;

        for (i = 0; i < MODEL_LINKS; i++) {
            for (k = 0; k < MODEL_FIELDS; k++) {
                if (said[i][k] >= 0 && said[i][k] != links[i][k]) {
                    links[i][k] = said[i][k];
                    differs = 1;
                }
            }
        }

        for (again = 0; again < 2; again++) {
            begin(f, 1);

            for (n = 0; n < 8; n++) {
                assert_int_equal(rfl_import_row(&f->import, &made[n],
                                                &f->err), RFL_OK);
            }

            assert_int_equal(rfl_import_clear(&f->import, &f->err), RFL_OK);
            assert_int_equal(rfl_import_changed(&f->import),
                             differs && !again);
            model_compare(f, links);
            end(f);
        }
    }
}


static void
labels_of_marks_and_of_cells(void **state)
{
    fixture_t  *f;
    rfl_row_t   row;

    f = *state;

    begin(f, 1);
    memset(&row, 0, sizeof(rfl_row_t));
    set(&row, "source", "a.example");
    set(&row, "labels", "x");
    assert_int_equal(rfl_import_row(&f->import, &row, &f->err), RFL_OK);
    end(f);

    /* an empty cell, then a mark: the mark alone */

    begin(f, 1);
    set(&row, "labels", "");
    assert_int_equal(rfl_import_row(&f->import, &row, &f->err), RFL_OK);
    must(f, "a.example", NULL, RFL_IMPORT_DISAVOWED);
    assert_int_equal(rfl_import_clear(&f->import, &f->err), RFL_OK);
    assert_string_equal(shown(f, "a.example"), "|disavowed");
    end(f);

    /* no such column, then a mark: beside what is there, and it stays */

    begin(f, 1);
    must(f, "a.example", "A", 0);
    must(f, "a.example", NULL, RFL_IMPORT_LOST);
    set(&row, "labels", "y");
    assert_int_equal(rfl_import_row(&f->import, &row, &f->err), RFL_OK);
    assert_int_equal(rfl_import_clear(&f->import, &f->err), RFL_OK);
    assert_string_equal(shown(f, "a.example"), "A|disavowed,lost");
    end(f);
}


static rfl_rc_t
three_times(void *data, rfl_error_t *err)
{
    fixture_t *f = data;

    return f->named++ < 3 ? RFL_OK : rfl_fail(err, RFL_BUSY, "enough");
}


static void
removing_may_be_given_up(void **state)
{
    int         i;
    char        source[32];
    fixture_t  *f;

    f = *state;

    begin(f, 0);

    for (i = 0; i < 9; i++) {
        (void) snprintf(source, sizeof(source), "h%d.example", i);
        must(f, source, NULL, 0);
    }

    end(f);

    begin(f, 0);
    f->import.may_go_on = three_times;
    assert_int_equal(rfl_import_remove_others(&f->import, &f->err), RFL_BUSY);
    assert_int_equal(f->import.counts.removed, 3);
    rfl_registry_end(f->import.registry);
}


static void
labels_tell_what_is_lost(void **state)
{
    fixture_t  *f;

    f = *state;

    begin(f, 1);
    must(f, "a.example", NULL, RFL_IMPORT_LOST);
    must(f, "b.example", NULL, RFL_IMPORT_LOST);
    must(f, "b.example", NULL, RFL_IMPORT_LIVE);
    must(f, "c.example", NULL, RFL_IMPORT_DISAVOWED);
    assert_string_equal(shown(f, "a.example"), "|lost");
    assert_string_equal(shown(f, "b.example"), "|");
    assert_string_equal(shown(f, "c.example"), "|disavowed");
    end(f);

    begin(f, 1);
    must(f, "a.example", NULL, RFL_IMPORT_LIVE);
    assert_string_equal(shown(f, "a.example"), "|");
    end(f);
}


static void
knows_which_links_were_named(void **state)
{
    uint32_t    id;
    fixture_t  *f;

    f = *state;

    id = site_add(&f->site, "https://x.example/", "", NULL);

    begin(f, 0);
    must(f, "https://x.example/", NULL, 0);

    assert_true(rfl_import_has_named(&f->import, id));
    assert_true(rfl_import_has_named_first(&f->import, id));
    assert_false(rfl_import_has_named_first(&f->import, id));
    assert_true(rfl_import_has_named(&f->import, id));
    assert_false(rfl_import_has_named(&f->import, id + 1));
    assert_false(rfl_import_has_named_first(&f->import, 1u << 25));
    end(f);
}


static void
bad_rows_write_nothing(void **state)
{
    fixture_t  *f;
    rfl_row_t   row;

    f = *state;

    begin(f, 1);

    assert_int_equal(import(f, "ftp://a/", NULL, 0), RFL_INVALID);
    assert_int_equal(import(f, "", NULL, 0), RFL_INVALID);
    assert_string_equal(f->err.text, "source is empty");

    must(f, "a.example", "J\xe9", 0);
    f->import.utf8 = 1;
    assert_int_equal(import(f, "b.example", "J\xe9", 0), RFL_INVALID);
    must(f, "b.example", "J\xc3\xa9", 0);

    memset(&row, 0, sizeof(rfl_row_t));
    set(&row, "source", "c.example");
    row.created = rfl_cstr("yesterday");
    assert_int_equal(rfl_import_row(&f->import, &row, &f->err), RFL_INVALID);

    f->import.max_links = 2;
    must(f, "b.example", "again", 0);
    assert_int_equal(import(f, "c.example", NULL, 0), RFL_FULL);
    assert_string_equal(f->err.text, "more than 2 links, which is max_links");

    rfl_registry_end(f->import.registry);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(counts_what_became_of_rows, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rows_of_one_link_are_decided_once,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(rows_at_random_are_what_a_model_says,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(labels_of_marks_and_of_cells, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(removing_may_be_given_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(labels_tell_what_is_lost, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(knows_which_links_were_named, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bad_rows_write_nothing, setup,
                                        teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
