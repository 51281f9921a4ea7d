/*
 * Sixteen bytes at once.  Every x86-64 has SSE2; elsewhere RFL_VECTORS is 0
 * and bytes are looked at one by one.
 */

#ifndef RFL_VECTOR_H
#define RFL_VECTOR_H

#if defined(__SSE2__)

#define RFL_VECTORS  1

#include <sys/types.h>
#include <emmintrin.h>


static inline __m128i
rfl_vector_load(const u_char *p)
{
    return _mm_loadu_si128((const __m128i *) (const void *) p);
}


static inline void
rfl_vector_store(u_char *out, __m128i block)
{
    _mm_storeu_si128((__m128i *) (void *) out, block);
}


/* A bit for each byte whose highest one is set, the first byte's lowest. */

static inline unsigned
rfl_vector_mask(__m128i found)
{
    return (unsigned) _mm_movemask_epi8(found);
}


static inline __m128i
rfl_vector_equal(__m128i block, u_char c)
{
    return _mm_cmpeq_epi8(block, _mm_set1_epi8((char) c));
}


/*
 * Of n bytes from first on.  Comparisons are signed: with first moved to -128
 * they are the ones below -128 + n.
 */

static inline __m128i
rfl_vector_within(__m128i block, u_char first, int n)
{
    block = _mm_sub_epi8(block, _mm_set1_epi8((char) (first - 0x80)));

    return _mm_cmplt_epi8(block, _mm_set1_epi8((char) (n - 0x80)));
}


/* A to Z become a to z. */

static inline __m128i
rfl_vector_lower(__m128i block)
{
    __m128i  upper;

    upper = rfl_vector_within(block, 'A', 26);

    return _mm_or_si128(block, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
}

#else

#define RFL_VECTORS  0

#endif


#endif /* RFL_VECTOR_H */
