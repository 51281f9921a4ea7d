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


#endif /* RFL_HASH_H */
