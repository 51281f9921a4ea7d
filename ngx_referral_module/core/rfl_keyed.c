/*
 * See rfl_keyed.h.  The system gives a short secret; the keys are hashes of
 * their numbers with it.
 */

#include "rfl_keyed.h"


rfl_rc_t
rfl_keyed_init(rfl_keyed_t *keys)
{
    size_t             i;
    rfl_hash_t         hash;
    rfl_hash_secret_t  secret;

    if (rfl_hash_secret(&secret) != RFL_OK) {
        return RFL_ERROR;
    }

    for (i = 0; i < RFL_KEYED_WORDS; i += 2) {
        hash = rfl_hash_seeded(&i, sizeof(size_t), &secret);
        keys->words[i] = hash.low;
        keys->words[i + 1] = hash.high;
    }

    return RFL_OK;
}
