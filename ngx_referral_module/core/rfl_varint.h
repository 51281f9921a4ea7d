/*
 * Varints: 7 bits a byte, the lowest first, the high bit says that more
 * follow.  The ledger and its history store their numbers so: most are small.
 */

#ifndef RFL_VARINT_H
#define RFL_VARINT_H

#include "rfl_base.h"


#define RFL_VARINT_MAX  10               /* bytes of 64 bits */


/* Returns the end; there is room for RFL_VARINT_MAX bytes at p. */

static inline u_char *
rfl_varint_put(u_char *p, uint64_t n)
{
    while (n >= 0x80) {
        *p++ = (u_char) (n | 0x80);
        n >>= 7;
    }

    *p++ = (u_char) n;

    return p;
}


/* Cuts a number off the front of *rest.  RFL_DAMAGED: there is none. */

static inline rfl_rc_t
rfl_varint_get(rfl_str_t *rest, uint64_t *n)
{
    u_char    c;
    unsigned  shift;

    *n = 0;

    for (shift = 0; shift < 64; shift += 7) {

        if (rest->len == 0) {
            return RFL_DAMAGED;
        }

        c = *rest->data++;
        rest->len--;

        if (shift == 63 && c > 1) {      /* more than 64 bits */
            return RFL_DAMAGED;
        }

        *n |= (uint64_t) (c & 0x7f) << shift;

        if (c < 0x80) {
            return RFL_OK;
        }
    }

    return RFL_DAMAGED;
}


#endif /* RFL_VARINT_H */
