/* Paths as they are kept: each rule of rfl_fold.h, and what it leaves alone. */

#include "rfl_fold.h"
#include "guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>


#define M  RFL_FOLD_MARK


typedef struct {
    const char  *in;
    const char  *wanted;
} row_t;


static const row_t  rows[] = {

    /* 1: an address */
    { "/u/jane@mail.example/x", "/u/" M "/x" },
    { "/u/jane%40mail.example", "/u/" M },
    { "/@jane", "/" M },

    /* 3: a number */
    { "/item/4711", "/item/4711" },
    { "/item/47110", "/item/" M },
    { "/orders/4711004/invoice", "/orders/" M "/invoice" },
    { "/2024/11/20/post", "/2024/11/20/post" },
    { "/order-12345", "/" M },
    { "/%34%37%31%31%30", "/" M },

    /* 4: a number in parts */
    { "/call/0170-123-456", "/call/" M },
    { "/0170-x-123-456", "/0170-x-123-456" },
    { "/2024-11-20", "/2024-11-20" },

    /* 5: hex */
    { "/c/8f14e45fceea167a5a36dedd4bea2543", "/c/" M },
    { "/c/8f14e45f", "/c/" M },
    { "/c/8f14e45", "/c/8f14e45" },
    { "/deadbeef", "/deadbeef" },
    { "/deadbeefdeadbeef", "/" M },
    { "/123e4567-e89b-12d3-a456-426614174000", "/" M },

    /* 6: base64 and its like */
    { "/t/dGhpc0lzQVRva2Vu", "/t/" M },
    { "/t/V1StGXR8_Z5jdHi6B-myT", "/t/" M },
    { "/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x", "/" M },
    { "/a;jsessionid=A1B2C3D4E5F6", "/" M },
    { "/my-post-about-nginx-part2", "/my-post-about-nginx-part2" },
    { "/WordPressPlugins", "/WordPressPlugins" },
    { "/iphone15pro", "/iphone15pro" },
    { "/covid19vaccines", "/covid19vaccines" },

    /* 7: what is no word */
    { "/xkqzjwplmnvbtrhs", "/" M },
    { "/internationalization", "/internationalization" },
    { "/donaudampfschifffahrtsgesellschaftskapitaen", "/" M },

    /* another alphabet, and no text at all */
    { "/%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8",
      "/%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8" },
    { "/\xff\xfe/\x01", "/\xff\xfe/\x01" },
    { "/100%/x%4", "/100%/x%4" },
    { "//a//", "//a//" },
    { "/", "/" },
    { "*", "*" },
    { "", "" }
};


static void
test_rules(void **state)
{
    int     folded;
    size_t  i, len, wanted;
    u_char  out[256];

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        len = strlen(rows[i].in);
        wanted = strlen(rows[i].wanted);

        len = rfl_fold_path(rfl_str(guard_copy(rows[i].in, len), len), 0, out,
                            sizeof(out), &folded);

        if (len != wanted || memcmp(out, rows[i].wanted, len) != 0) {
            fail_msg("%s: %.*s", rows[i].in, (int) len, (char *) out);
        }

        assert_int_equal(folded, strcmp(rows[i].in, rows[i].wanted) != 0);
    }

    guard_free_all();
}


/* 2: the limit of a segment, and one more. */

static void
test_long_segment(void **state)
{
    int     folded;
    size_t  i;
    u_char  in[RFL_FOLD_SEGMENT + 2], out[256];

    (void) state;

    for (i = 0; i < sizeof(in); i++) {
        in[i] = i % 2 ? '-' : 'a';
    }

    in[0] = '/';

    assert_int_equal(rfl_fold_path(rfl_str(in, RFL_FOLD_SEGMENT + 1), 0, out,
                                   sizeof(out), &folded),
                     RFL_FOLD_SEGMENT + 1);
    assert_false(folded);

    assert_int_equal(rfl_fold_path(rfl_str(in, RFL_FOLD_SEGMENT + 2), 0, out,
                                   sizeof(out), &folded),
                     1 + RFL_FOLD_MARK_LEN);
    assert_true(folded);
}


static void
test_cut(void **state)
{
    int     folded;
    size_t  len;
    u_char  out[64];

    (void) state;

    len = rfl_fold_path(rfl_cstr("/a/bcd"), 1, out, sizeof(out), &folded);
    assert_true(rfl_str_eq(rfl_str(out, len), rfl_cstr("/a/" M)));
    assert_true(folded);

    /* a segment that was cut at its end is one of which nothing is known */

    len = rfl_fold_path(rfl_cstr("/a/"), 1, out, sizeof(out), &folded);
    assert_int_equal(len, 3);
}


/* Each size of room, with guard pages behind: it is filled, never exceeded. */

static void
test_room(void **state)
{
    int        folded;
    size_t     size, len;
    u_char    *out;
    rfl_str_t  in;

    (void) state;

    in = rfl_cstr("/@/@/@/abc/@/@/defghi/@/@@/x");

    for (size = RFL_FOLD_MARK_LEN; size < 80; size++) {
        out = malloc(size);
        assert_non_null(out);

        len = rfl_fold_path(in, 0, out, size, &folded);

        assert_true(len <= size);
        assert_true(folded);

        free(out);
    }
}


static void
test_any_bytes(void **state)
{
    int       folded;
    size_t    i, n, len;
    u_char    in[216], out[216];
    unsigned  seed;

    (void) state;

    seed = 1;

    for (n = 0; n < 20000; n++) {
        len = (size_t) rand_r(&seed) % (sizeof(in) + 1);

        for (i = 0; i < len; i++) {
            in[i] = n % 2 ? (u_char) rand_r(&seed)
                          : (u_char) "/%4a@1.Z-"[rand_r(&seed) % 9];
        }

        assert_true(rfl_fold_path(rfl_str(guard_copy(in, len), len),
                                  (int) (n % 3 == 0), out, sizeof(out),
                                  &folded)
                    <= sizeof(out));

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
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_long_segment),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_any_bytes)
    };

    return cmocka_run_group_tests_name("rfl_fold", tests, NULL, NULL);
}
