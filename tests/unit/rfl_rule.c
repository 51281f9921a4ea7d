/*
 * Redirects for nginx.conf: what a stranger asked for names a location, and
 * does nothing else.  t/36-sources.t has nginx read them.
 */

#include "rfl_fold.h"
#include "rfl_rule.h"
#include "guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>


typedef struct {
    const char  *landing;
    const char  *target;
    const char  *wanted;                 /* NULL: no rule */
} row_t;


static const row_t  rows[] = {
    { "/old", "/pricing", "location = \"/old\" { return 301 \"/pricing\"; }" },
    { "/old", "", "location = \"/old\" { return 301 \"/\"; }" },

    /* 1 */
    { "/a%20b", "", "location = \"/a b\" { return 301 \"/\"; }" },
    { "/a//b/", "", "location = \"/a/b/\" { return 301 \"/\"; }" },
    { "/%d0%bf", "", "location = \"/\xd0\xbf\" { return 301 \"/\"; }" },
    { "old", "", NULL },
    { "*", "", NULL },
    { "", "", NULL },
    { "/%4", "", NULL },
    { "/%zz", "", NULL },

    /* 2 */
    { "/a/../b", "", NULL },
    { "/./b", "", NULL },
    { "/%2e%2e/b", "", NULL },
    { "/a/..", "", NULL },
    { "/...", "", "location = \"/...\" { return 301 \"/\"; }" },
    { "/" RFL_FOLD_MARK, "", NULL },

    /* 3 */
    { "/\xff", "", NULL },
    { "/%ff", "", NULL },
    { "/%0a", "", NULL },
    { "/%00", "", NULL },
    { "/\x7f", "", NULL },
    { "/%c2%85", "", NULL },
    { "/%e2%80%ae", "", NULL },
    { "/%e2%80%8b", "", NULL },
    { "/%e2%81%a6", "", NULL },
    { "/%ef%bb%bf", "", NULL },

    /* 4 */
    { "/%22; } evil {", "", "location = \"/\\\"; } evil {\" { return 301 "
                            "\"/\"; }" },
    { "/a\\n", "", "location = \"/a\\\\n\" { return 301 \"/\"; }" },
    { "/$uri#x;{}", "", "location = \"/$uri#x;{}\" { return 301 \"/\"; }" },

    /* 5 */
    { "/a", "/$uri", "location = \"/a\" { return 301 \"/\"; }" },
    { "/a", "//evil.example", "location = \"/a\" { return 301 \"/\"; }" },
    { "/a", "https://x.example/", "location = \"/a\" { return 301 \"/\"; }" },
    { "/a", "/b\"; }", "location = \"/a\" { return 301 \"/\"; }" },
    { "/a", "/a", "location = \"/a\" { return 301 \"/\"; }" },
    { "/a", "/b?c=d&e=%20", "location = \"/a\" { return 301 "
                            "\"/b?c=d&e=%20\"; }" },
    { "/", "", NULL },
    { "/", "/b", "location = \"/\" { return 301 \"/b\"; }" }
};


static void
test_rows(void **state)
{
    size_t  i, len;
    u_char  out[RFL_RULE_MAX];

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        len = strlen(rows[i].landing);
        len = rfl_rule_redirect(rfl_str(guard_copy(rows[i].landing, len), len),
                                rfl_cstr(rows[i].target), out);

        if (rows[i].wanted == NULL ? len != 0
            : !rfl_str_eq(rfl_str(out, len), rfl_cstr(rows[i].wanted)))
        {
            fail_msg("%s: %.*s", rows[i].landing, (int) len, (char *) out);
        }
    }

    guard_free_all();
}


/* At the limits: nothing is cut. */

static void
test_limits(void **state)
{
    size_t  i, len;
    u_char  landing[300], target[300], out[RFL_RULE_MAX];

    (void) state;

    for (i = 1; i < sizeof(landing); i++) {
        landing[i] = '\\';
        target[i] = 'a';
    }

    landing[0] = '/';
    target[0] = '/';

    len = rfl_rule_redirect(rfl_str(landing, 255),
                            rfl_str(target, RFL_RULE_TARGET), out);
    assert_int_equal(len, 32 + 1 + 2 * 254 + RFL_RULE_TARGET);
    assert_int_equal(out[len - 1], '}');

    assert_int_equal(rfl_rule_redirect(rfl_str(landing, 256),
                                       rfl_str(target, 2), out), 0);

    len = rfl_rule_redirect(rfl_str("/x", 2),
                            rfl_str(target, RFL_RULE_TARGET + 1), out);
    assert_true(rfl_str_eq(rfl_str(out, len), rfl_cstr("location = \"/x\" "
                           "{ return 301 \"/\"; }")));
}


/* Of any bytes comes one line, with as many quotes as it has strings. */

static void
test_any_bytes(void **state)
{
    size_t    i, n, len, quotes;
    u_char    landing[224], out[RFL_RULE_MAX];
    unsigned  seed;

    (void) state;

    seed = 7;

    for (n = 0; n < 50000; n++) {
        len = (size_t) rand_r(&seed) % sizeof(landing) + 1;
        landing[0] = '/';

        for (i = 1; i < len; i++) {
            landing[i] = n % 2 ? (u_char) rand_r(&seed)
                               : (u_char) "\"\\;{}$ %2aA/n"[rand_r(&seed)
                                                            % 14];
        }

        len = rfl_rule_redirect(rfl_str(guard_copy(landing, len), len),
                                rfl_str("", 0), out);

        for (i = 0, quotes = 0; i < len; i++) {
            assert_true(out[i] >= 0x20 && out[i] != 0x7f);

            if (out[i] == '\\') {
                i++;
                assert_true(out[i] == '"' || out[i] == '\\');

            } else {
                quotes += (out[i] == '"');
            }
        }

        assert_true(len == 0 || quotes == 4);

        if (n % 1000 == 0) {
            guard_free_all();
        }
    }

    guard_free_all();
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_any_bytes)
    };

    return cmocka_run_group_tests_name("rfl_rule", tests, NULL, NULL);
}
