/*
 * See rfl_keyed.h.  All keys are the system's random bytes: the proof asks for
 * keys that are independent of each other.
 */

#include "rfl_keyed.h"

#include <sys/random.h>


/* getrandom(2) gives so many whole, or none. */

#define KEYED_PART  256

_Static_assert(RFL_KEYED_MAX % KEYED_PART == 0, "keys are made of whole parts");


/* Does not wait: a worker that starts early in the boot goes without. */

rfl_rc_t
rfl_keyed_init(rfl_keyed_t *keys)
{
    u_char  *p, *end;

    p = (u_char *) keys->words;
    end = p + RFL_KEYED_MAX;

    for ( /* void */ ; p < end; p += KEYED_PART) {
        if (getrandom(p, KEYED_PART, GRND_NONBLOCK) != KEYED_PART) {
            return RFL_ERROR;
        }
    }

    return RFL_OK;
}
