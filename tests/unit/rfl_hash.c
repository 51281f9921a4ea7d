/*
 * Stored keys are hashes: another value, after an upgrade of a library or
 * on another machine, would lose every link.  So the values are fixed here.
 */

#include "rfl_hash.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "guard.h"


#define BYTES  4096


typedef struct {
    const char  *input;
    uint64_t     low;
    uint64_t     high;
} text_row_t;

typedef struct {
    size_t    len;
    uint64_t  low;
    uint64_t  high;
} bytes_row_t;


/* As XXH3_128bits() of libxxhash 0.8.1 has them. */

static const text_row_t  text_rows[] = {
    { "",  0x6001c324468d497full, 0x99aa06d3014798d8ull },
    { "a", 0xe6c632b61e964e1full, 0xa96faf705af16834ull },
    { "example,blog)/2024/post",
      0x33748553fded7026ull, 0x27bc5754fa960c94ull },
    { "exact\nexample,blog)/2024/launch\n/pricing",
      0x5fabaef8b5fd5129ull, 0x0d31c91912f01aa3ull }
};


/*
 * Byte i is 7 * i.  The lengths are the limits of XXH3's branches, each of
 * which has code of its own.
 */

static const bytes_row_t  bytes_rows[] = {
    {   16, 0x94eaa17b20756f46ull, 0xddf6c1254d70f767ull },
    {   17, 0x735fe434ded90c3cull, 0x263f67af63088041ull },
    {  128, 0xc6bd21ecc865f29full, 0xdd9e5aa9bd51cc9cull },
    {  129, 0x7f4accb76587485bull, 0x00433635cf8d872eull },
    {  240, 0xd10beb4e0599e4b3ull, 0x89e3a0a2ee355d25ull },
    {  241, 0x541b19226f0052e8ull, 0x75f4da43f23cce5aull },
    { 1024, 0xdc5acf0b043c445bull, 0x8bbb9f7af37f2f52ull },
    { 4096, 0x8fb047a89e810965ull, 0xe0ef0909b1bdd88bull }
};


static void
texts_hash_to_the_values_fixed_for_ever(void **state)
{
    size_t      i, len;
    rfl_hash_t  hash;

    for (i = 0; i < sizeof(text_rows) / sizeof(text_rows[0]); i++) {
        len = strlen(text_rows[i].input);

        hash = rfl_hash(guard_copy(text_rows[i].input, len), len);

        assert_int_equal(hash.low, text_rows[i].low);
        assert_int_equal(hash.high, text_rows[i].high);
    }

    guard_free_all();
}


static void
bytes_of_every_length_class_hash_to_the_values_fixed_for_ever(void **state)
{
    size_t      i, len;
    u_char      bytes[BYTES];
    rfl_hash_t  hash;

    for (i = 0; i < BYTES; i++) {
        bytes[i] = (u_char) (7 * i);
    }

    for (i = 0; i < sizeof(bytes_rows) / sizeof(bytes_rows[0]); i++) {
        len = bytes_rows[i].len;

        hash = rfl_hash(guard_copy(bytes, len), len);

        assert_int_equal(hash.low, bytes_rows[i].low);
        assert_int_equal(hash.high, bytes_rows[i].high);
    }

    guard_free_all();
}


static void
no_bytes_at_no_address_hash_as_the_empty_text(void **state)
{
    rfl_hash_t  hash;

    hash = rfl_hash(NULL, 0);

    assert_int_equal(hash.low, text_rows[0].low);
    assert_int_equal(hash.high, text_rows[0].high);
}


/* Equal secrets agree at every length; another secret gives other values. */

static void
a_secret_changes_the_values(void **state)
{
    size_t             len;
    u_char             bytes[BYTES];
    rfl_hash_t         a, b;
    rfl_hash_secret_t  one, copy, other;

    memset(bytes, 7, sizeof(bytes));

    assert_int_equal(rfl_hash_secret(&one), RFL_OK);
    assert_int_equal(rfl_hash_secret(&other), RFL_OK);
    copy = one;

    for (len = 0; len < 600; len++) {
        a = rfl_hash_seeded(guard_copy(bytes, len), len, &one);
        b = rfl_hash_seeded(guard_copy(bytes, len), len, &copy);
        assert_true(a.low == b.low && a.high == b.high);

        b = rfl_hash_seeded(bytes, len, &other);
        assert_true(a.low != b.low && a.high != b.high);

        b = rfl_hash(bytes, len);
        assert_true(a.low != b.low && a.high != b.high);

        guard_free_all();
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(texts_hash_to_the_values_fixed_for_ever),
        cmocka_unit_test(
                bytes_of_every_length_class_hash_to_the_values_fixed_for_ever),
        cmocka_unit_test(no_bytes_at_no_address_hash_as_the_empty_text),
        cmocka_unit_test(a_secret_changes_the_values)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
