/*
 * Makes a registry one of another version of this program:
 *
 *     set_version PATH VERSION
 */

#include <stdio.h>
#include <stdlib.h>

#include "rfl_store.h"


static int set_version(rfl_store_t *store, uint32_t version,
    rfl_error_t *err);


int
main(int argc, char **argv)
{
    int           failed;
    char          dir[4096];
    rfl_error_t   err;
    rfl_store_t  *store;

    static const rfl_store_dbi_t  meta = { "meta", RFL_KEY_BYTES };

    if (argc != 3) {
        fprintf(stderr, "usage: set_version PATH VERSION\n");
        return 2;
    }

    (void) snprintf(dir, sizeof(dir), "%s/registry", argv[1]);

    if (rfl_store_open(&store, dir, &meta, 1, RFL_STORE_WRITE, 0, &err)
        != RFL_OK)
    {
        fprintf(stderr, "set_version: %s\n", err.text);
        return 1;
    }

    failed = set_version(store, (uint32_t) strtoul(argv[2], NULL, 10), &err);

    if (failed) {
        fprintf(stderr, "set_version: %s\n", err.text);
    }

    rfl_store_close(store);

    return failed;
}


static int
set_version(rfl_store_t *store, uint32_t version, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_store_begin(store, 1, err);
    if (rc != RFL_OK) {
        return 1;
    }

    rc = rfl_store_put(store, 0, rfl_cstr("version"),
                       rfl_str(&version, sizeof(version)), 0, err);
    if (rc != RFL_OK) {
        rfl_store_end(store);
        return 1;
    }

    return rfl_store_commit(store, err) != RFL_OK;
}
