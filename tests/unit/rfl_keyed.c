/*
 * The keyed hash: the sum its definition gives, at every length; no byte that
 * does not count; and no byte read or key used behind the end.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rfl_keyed.h"
#include "guard.h"


#define LENGTHS  200


static rfl_keyed_sum_t naive(const uint64_t *key, const u_char *p, size_t len);
static uint64_t number(const u_char *p, size_t n);
static int is_same(rfl_keyed_sum_t a, rfl_keyed_sum_t b);


static void
test_the_sum_is_as_defined(void **state)
{
    size_t            i, len;
    u_char            bytes[LENGTHS];
    rfl_keyed_t       keys;
    const uint64_t   *key;
    rfl_keyed_sum_t   sum;

    (void) state;

    assert_int_equal(rfl_keyed_init(&keys), RFL_OK);

    for (i = 0; i < LENGTHS; i++) {
        bytes[i] = (u_char) (i * 37 + 200);
    }

    for (len = 0; len < LENGTHS; len++) {
        key = keys.words;
        sum = rfl_keyed_text(5, &key, rfl_str(guard_copy(bytes, len), len));

        if (!is_same(sum, naive(keys.words, bytes, len) + 5)) {
            fail_msg("of %zu bytes", len);
        }

        assert_int_equal(key - keys.words, (len + 15) / 16 * 2);
        guard_free_all();
    }
}


/* By the proof a change goes unseen once in 2^64. */

static void
test_every_byte_counts(void **state)
{
    size_t            i, len;
    u_char            bytes[LENGTHS];
    rfl_keyed_t       keys;
    const uint64_t   *key;
    rfl_keyed_sum_t   sum, other;

    (void) state;

    assert_int_equal(rfl_keyed_init(&keys), RFL_OK);
    memset(bytes, 'a', sizeof(bytes));

    for (len = 1; len < LENGTHS; len++) {
        key = keys.words;
        sum = rfl_keyed_text(0, &key, rfl_str(bytes, len));

        for (i = 0; i < len; i++) {
            bytes[i] ^= 1;
            key = keys.words;
            other = rfl_keyed_text(0, &key, rfl_str(bytes, len));
            bytes[i] ^= 1;

            if (is_same(sum, other)
                || rfl_keyed_spread(sum) == rfl_keyed_spread(other))
            {
                fail_msg("byte %zu of %zu", i, len);
            }
        }
    }
}


static void
test_keys_are_of_one_table(void **state)
{
    size_t       i;
    rfl_keyed_t  one, other;

    (void) state;

    assert_int_equal(rfl_keyed_init(&one), RFL_OK);
    assert_int_equal(rfl_keyed_init(&other), RFL_OK);

    for (i = 0; i < RFL_KEYED_WORDS; i++) {
        assert_true(one.words[i] != other.words[i]);
        assert_true(i == 0 || one.words[i] != one.words[i - 1]);
    }
}


/* Pairs of words as they stand there; the last 16 bytes come once more. */

static rfl_keyed_sum_t
naive(const uint64_t *key, const u_char *p, size_t len)
{
    size_t           i, at;
    uint64_t         a, b;
    rfl_keyed_sum_t  sum;

    sum = 0;

    for (i = 0; i < len; i += 16, key += 2) {

        if (len >= 16) {
            at = i + 16 <= len ? i : len - 16;
            a = number(p + at, 8);
            b = number(p + at + 8, 8);

        } else if (len >= 4) {
            at = len >= 8 ? 8 : 4;
            a = number(p, at);
            b = number(p + len - at, at);

        } else {
            a = p[0];
            b = p[len / 2] * 256u + p[len - 1];
        }

        sum += (rfl_keyed_sum_t) (a + key[0]) * (b + key[1]);
    }

    return sum;
}


static uint64_t
number(const u_char *p, size_t n)
{
    uint64_t  value;

    for (value = 0; n > 0; n--) {
        value = value << 8 | p[n - 1];
    }

    return value;
}


static int
is_same(rfl_keyed_sum_t a, rfl_keyed_sum_t b)
{
    return a == b;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_the_sum_is_as_defined),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_keys_are_of_one_table),
    };

    return cmocka_run_group_tests_name("rfl_keyed", tests, NULL, NULL);
}
