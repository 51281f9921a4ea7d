/*
 * The one place that knows xxHash.  Its code is compiled into this file, so
 * that no library has to be there at run time.  XXH3's output is stable
 * since xxHash 0.8.0, which stored keys rely on.
 */

#include "rfl_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#if XXH_VERSION_NUMBER < 800
#error "xxHash 0.8.0 or newer is needed: older ones compute another XXH3"
#endif


rfl_hash_t
rfl_hash(const void *data, size_t len)
{
    rfl_hash_t     hash;
    XXH128_hash_t  h;

    h = XXH3_128bits(data, len);

    hash.low = h.low64;
    hash.high = h.high64;

    return hash;
}
