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
    assert_int_equal(rfl_import_remove_others(&f->import, &f->err), RFL_OK);
    assert_int_equal(n->removed, 1);
    assert_string_equal(shown(f, "a.example"), "");
    assert_string_equal(shown(f, "b.example"), "|");
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
