/*
 * XXH3-128, the one hash of the project: link keys, index keys.
 * The low half addresses, the high half confirms.
 */

#ifndef RFL_HASH_H
#define RFL_HASH_H

#include "rfl_base.h"


typedef struct {
    uint64_t  low;
    uint64_t  high;
} rfl_hash_t;


rfl_hash_t rfl_hash(const void *data, size_t len);


/*
 * For tables in memory whose keys strangers choose: the values of a secret
 * mean nothing to any other process, and must not be stored, but with the
 * secret and where nobody else reads it.
 */

#define RFL_HASH_SECRET  192

typedef struct {
    u_char  bytes[RFL_HASH_SECRET];
} rfl_hash_secret_t;

/* RFL_ERROR: the system has no random bytes (yet). */

rfl_rc_t rfl_hash_secret(rfl_hash_secret_t *secret);

rfl_hash_t rfl_hash_seeded(const void *data, size_t len,
    const rfl_hash_secret_t *secret);

#endif /* RFL_HASH_H */
