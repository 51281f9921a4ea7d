/*
 * The one place that knows xxHash.  Its code is compiled into this file, so
 * that no library has to be there at run time.  XXH3's output is stable
 * since xxHash 0.8.0, which stored keys rely on.
 */

#include "rfl_hash.h"

#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#if XXH_VERSION_NUMBER < 800
#error "xxHash 0.8.0 or newer is needed: older ones compute another XXH3"
#endif


_Static_assert(RFL_HASH_SECRET >= XXH3_SECRET_SIZE_MIN, "XXH3 needs more");


static rfl_hash_t rfl_hash_of(XXH128_hash_t h);


rfl_hash_t
rfl_hash(const void *data, size_t len)
{
    return rfl_hash_of(XXH3_128bits(data, len));
}


/* Does not wait: a worker that starts early in the boot goes without. */

rfl_rc_t
rfl_hash_secret(rfl_hash_secret_t *secret)
{
    ssize_t  n;

    n = getrandom(secret->bytes, RFL_HASH_SECRET, GRND_NONBLOCK);

    return n == RFL_HASH_SECRET ? RFL_OK : RFL_ERROR;
}


rfl_hash_t
rfl_hash_seeded(const void *data, size_t len, const rfl_hash_secret_t *secret)
{
    return rfl_hash_of(XXH3_128bits_withSecret(data, len, secret->bytes,
                                               RFL_HASH_SECRET));
}


static rfl_hash_t
rfl_hash_of(XXH128_hash_t h)
{
    rfl_hash_t  hash;

    hash.low = h.low64;
    hash.high = h.high64;

    return hash;
}
