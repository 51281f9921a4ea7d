/* Hosts that are not shown: their forms, what lies below them, their list. */

#include "rfl_ignored.h"
#include "site.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>


static void
test_forms(void **state)
{
    size_t  i, len;
    u_char  out[RFL_IGNORED_HOST], surt[RFL_IGNORED_HOST];

    static const struct {
        const char  *in;
        const char  *wanted;             /* NULL: refused */
    } rows[] = {
        { "spam.example", "spam.example" },
        { " WWW.Spam.Example. ", "spam.example" },
        { "www.WWW.spam.example", "spam.example" },
        { "https://www.spam.example:8080/", "spam.example" },
        { "b\xc3\xbc" "cher.example", "xn--bcher-kva.example" },
        { "192.0.2.1", "192.0.2.1" },
        { "[2001:DB8::1]", "[2001:db8::1]" },
        { "android-app://Com.Example/", "android-app:com.example" },
        { "android-app:com.example", "android-app:com.example" },
        { "localhost", "localhost" },
        { "https://spam.example/page", NULL },
        { "a b", NULL },
        { "", NULL },
        { "android-app:", NULL }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].wanted == NULL) {
            assert_int_equal(rfl_ignored_parse(rfl_cstr(rows[i].in), out, &len,
                                               NULL), RFL_INVALID);
            continue;
        }

        assert_int_equal(rfl_ignored_parse(rfl_cstr(rows[i].in), out, &len,
                                           NULL), RFL_OK);

        if (!rfl_str_eq(rfl_str(out, len), rfl_cstr(rows[i].wanted))) {
            fail_msg("%s: %.*s", rows[i].in, (int) len, (char *) out);
        }

        /* there and back */

        assert_int_equal(rfl_ignored_surt(rfl_str(out, len), surt, &len),
                         RFL_OK);
        rfl_ignored_turn(rfl_str(surt, len), out);
        assert_true(rfl_str_eq(rfl_str(out, len), rfl_cstr(rows[i].wanted)));
    }
}


static void
test_list(void **state)
{
    site_t                site;
    rfl_registry_t       *r;
    rfl_ignored_place_t   place;

    (void) state;

    site_init(&site, "main");
    site.rt.keeps = 1;
    site_open(&site);

    assert_int_equal(rfl_registry_open(&r, site.dir, RFL_STORE_CREATE,
                                       64 << 20, NULL), RFL_OK);
    assert_int_equal(rfl_registry_begin(r, 1, NULL), RFL_OK);

    place.len = 0;
    assert_int_equal(rfl_ignored_next(r, &place), RFL_NOT_FOUND);
    assert_false(rfl_ignored_has(r, rfl_cstr("spam.example")));

    assert_int_equal(rfl_ignored_add(r, rfl_cstr("spam.example"), 5, NULL),
                     RFL_OK);
    assert_int_equal(rfl_ignored_add(r, rfl_cstr("spam.example"), 6, NULL),
                     RFL_EXISTS);
    assert_int_equal(rfl_ignored_add(r, rfl_cstr("example"), 7, NULL),
                     RFL_OK);
    assert_int_equal(rfl_ignored_add(r, rfl_cstr("192.0.2.1"), 8, NULL),
                     RFL_OK);

    assert_true(rfl_ignored_has(r, rfl_cstr("spam.example")));
    assert_true(rfl_ignored_has(r, rfl_cstr("a.b.spam.example")));
    assert_false(rfl_ignored_has(r, rfl_cstr("notspam.example")));
    assert_false(rfl_ignored_has(r, rfl_cstr("other.example")));
    assert_true(rfl_ignored_has(r, rfl_cstr("example")));
    assert_true(rfl_ignored_has(r, rfl_cstr("192.0.2.1")));
    assert_false(rfl_ignored_has(r, rfl_cstr("192.0.2.2")));
    assert_false(rfl_ignored_has(r, rfl_cstr("")));
    assert_false(rfl_ignored_has(r, rfl_cstr("\xff..")));

    assert_int_equal(rfl_ignored_next(r, &place), RFL_OK);
    assert_true(rfl_str_eq(rfl_str(place.host, place.len),
                           rfl_cstr("192.0.2.1")));
    assert_int_equal(rfl_ignored_next(r, &place), RFL_OK);
    assert_int_equal(place.since, 7);
    assert_int_equal(rfl_ignored_next(r, &place), RFL_OK);
    assert_true(rfl_str_eq(rfl_str(place.host, place.len),
                           rfl_cstr("spam.example")));
    assert_int_equal(place.since, 5);
    assert_int_equal(rfl_ignored_next(r, &place), RFL_NOT_FOUND);

    assert_int_equal(rfl_ignored_remove(r, rfl_cstr("spam.example"), NULL),
                     RFL_OK);
    assert_int_equal(rfl_ignored_remove(r, rfl_cstr("spam.example"), NULL),
                     RFL_NOT_FOUND);
    assert_false(rfl_ignored_has(r, rfl_cstr("spam.example")));

    rfl_registry_end(r);
    rfl_registry_close(r);
    site_remove(&site);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_list)
    };

    return cmocka_run_group_tests_name("rfl_ignored", tests, NULL, NULL);
}
