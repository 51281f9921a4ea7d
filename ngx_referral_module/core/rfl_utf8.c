/*
 * See rfl_utf8.h.
 */

#include "rfl_utf8.h"


size_t
rfl_utf8_sequence(rfl_str_t s, size_t pos, int *valid)
{
    size_t         i, len;
    u_char         low, high;
    const u_char  *p;

    p = s.data + pos;
    low = 0x80;
    high = 0xbf;

    *valid = (p[0] < 0x80);

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        len = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        low = (p[0] == 0xe0) ? 0xa0 : low;
        high = (p[0] == 0xed) ? 0x9f : high;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        low = (p[0] == 0xf0) ? 0x90 : low;
        high = (p[0] == 0xf4) ? 0x8f : high;

    } else {
        return 1;
    }

    for (i = 1; i < len; i++) {
        if (i == s.len - pos || p[i] < low || p[i] > high) {
            return i;
        }

        low = 0x80;
        high = 0xbf;
    }

    *valid = 1;

    return len;
}
