/*
 * A landing's path as strangers may see it: segments that look like a token, an
 * address of mail, or an id become an ellipsis, so that neither a secret in a
 * path nor the number of a customer is kept; and a million pages that differ
 * in an id are one.
 *
 *     /reset/8f14e45fceea167a5a36dedd4bea2543  ->  /reset/...
 *     /orders/4711004/invoice                  ->  /orders/.../invoice
 *     /u/jane%40mail.example                   ->  /u/...
 *     /2024/11/my-first-post-part2             ->  as it is
 *
 * The rules, each with a test of the same number (tests/unit/rfl_fold.c); a
 * segment is judged with its triplets decoded (RFC 3986, 2.1), and is folded if
 *
 *   1. it has an "@"
 *   2. it is longer than RFL_FOLD_SEGMENT bytes
 *   3. one of its words is RFL_FOLD_DIGITS digits or more: words are what lies
 *      between bytes that are no letter and no digit; all above 0x7f is one
 *   4. all digits between which there is no letter, joined, are RFL_FOLD_PHONE
 *      or more: phone numbers, UUIDs without letters, cards
 *   5. one of its words is RFL_FOLD_HEX hex digits or more, some of them
 *      digits; or twice as many, all letters; or has as many digits
 *   6. one of its words is RFL_FOLD_MIXED letters and digits or more that
 *      change, from letter to digit or back, or from lower to upper case, more
 *      often than in each fourth byte: base64, nanoid, a JWT
 *   7. one of its words is RFL_FOLD_WORD letters or more, or RFL_FOLD_VOWEL and
 *      less than one in eight is a vowel: no language's
 *
 * It errs on the side of folding.  What is folded cannot be told apart again.
 */

#ifndef RFL_FOLD_H
#define RFL_FOLD_H

#include "rfl_base.h"


#define RFL_FOLD_SEGMENT  96
#define RFL_FOLD_DIGITS   5
#define RFL_FOLD_PHONE    9
#define RFL_FOLD_HEX      8
#define RFL_FOLD_MIXED    8
#define RFL_FOLD_WORD     32
#define RFL_FOLD_VOWEL    16

#define RFL_FOLD_MARK     "\xe2\x80\xa6"         /* U+2026 */
#define RFL_FOLD_MARK_LEN 3


/*
 * path: any bytes, without a query; is_cut: it goes on, so its last segment is
 * folded.  Writes size bytes at most (size >= RFL_FOLD_MARK_LEN), what does not
 * fit becomes an ellipsis at the end.  Returns the length; *folded: whether
 * anything was.
 */

size_t rfl_fold_path(rfl_str_t path, int is_cut, u_char *out, size_t size,
    int *folded);


#endif /* RFL_FOLD_H */
