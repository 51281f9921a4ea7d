/*
 * A keyed hash of short texts, for tables in one process's memory that are
 * asked in each request: NH (J. Black, S. Halevi, H. Krawczyk, T. Krovetz,
 * P. Rogaway, "UMAC: Fast and Secure Message Authentication", CRYPTO '99) with
 * words of 64 bits.  Each 16 bytes are two words a and b; the sum of all
 *
 *     (a + k[i] mod 2^64) * (b + k[i + 1] mod 2^64)    mod 2^128
 *
 * with keys of their own for each pair is the hash.  Two questions that are
 * parted alike and are not the same have one sum with a chance of 2^-64 at
 * most, whoever chose them without knowing the keys: that is proven, and costs
 * seven instructions for 16 bytes.
 *
 * What the proof asks of the caller: the lengths of all texts are hashed first,
 * in words of their own, and all 128 bits are compared.
 */

#ifndef RFL_KEYED_H
#define RFL_KEYED_H

#include "rfl_base.h"


/* So many bytes, each text rounded up to 16, are hashed at most. */

#define RFL_KEYED_MAX    4096
#define RFL_KEYED_WORDS  (RFL_KEYED_MAX / sizeof(uint64_t))


__extension__ typedef unsigned __int128  rfl_keyed_sum_t;

typedef struct {
    uint64_t  words[RFL_KEYED_WORDS];
} rfl_keyed_t;


/* RFL_ERROR: the system has no random bytes (yet). */

rfl_rc_t rfl_keyed_init(rfl_keyed_t *keys);


/* Both return the sum; *key goes on to the keys that are not used yet. */

static inline rfl_keyed_sum_t
rfl_keyed_pair(rfl_keyed_sum_t sum, const uint64_t **key, uint64_t a,
    uint64_t b)
{
    a += (*key)[0];
    b += (*key)[1];
    *key += 2;

    return sum + (rfl_keyed_sum_t) a * b;
}


static inline rfl_keyed_sum_t
rfl_keyed_16(rfl_keyed_sum_t sum, const uint64_t **key, const u_char *p)
{
    uint64_t  a, b;

    memcpy(&a, p, 8);
    memcpy(&b, p + 8, 8);

    return rfl_keyed_pair(sum, key, a, b);
}


/* The last 16 bytes, or 8, or 4, may have some of those before once more. */

static inline __attribute__((always_inline)) rfl_keyed_sum_t
rfl_keyed_text(rfl_keyed_sum_t sum, const uint64_t **key, rfl_str_t text)
{
    uint32_t       first, last;
    uint64_t       a, b;
    const u_char  *p, *end;

    p = text.data;

    if (text.len >= 16) {
        end = p + text.len - 16;

        for ( /* void */ ; end - p > 16; p += 32) {
            sum = rfl_keyed_16(sum, key, p);
            sum = rfl_keyed_16(sum, key, p + 16);
        }

        if (p < end) {
            sum = rfl_keyed_16(sum, key, p);
        }

        return rfl_keyed_16(sum, key, end);
    }

    if (text.len >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + text.len - 8, 8);

    } else if (text.len >= 4) {
        memcpy(&first, p, 4);
        memcpy(&last, p + text.len - 4, 4);
        a = first;
        b = last;

    } else if (text.len != 0) {
        a = p[0];
        b = (uint64_t) p[text.len / 2] << 8 | p[text.len - 1];

    } else {
        return sum;
    }

    return rfl_keyed_pair(sum, key, a, b);
}


/*
 * For the place in a table: its upper bits are the ones to take, which depend
 * on all of the sum (Knuth, volume 3, 6.4).
 */

static inline uint64_t
rfl_keyed_spread(rfl_keyed_sum_t sum)
{
    return ((uint64_t) sum ^ (uint64_t) (sum >> 64)) * 0x9e3779b97f4a7c15u;
}


#endif /* RFL_KEYED_H */
