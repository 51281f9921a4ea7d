/*
 * Makes a registry or a ledger one of another version of this program, and
 * prints the version it had:
 *
 *     set_version PATH VERSION [ledger]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rfl_store.h"


static int set_version(rfl_store_t *store, int is_ledger, uint32_t version,
    rfl_error_t *err);
static int set_registry(rfl_store_t *store, uint32_t version,
    rfl_error_t *err);
static int set_ledger(rfl_store_t *store, uint32_t version, rfl_error_t *err);


int
main(int argc, char **argv)
{
    int           failed, is_ledger;
    char          dir[4096];
    rfl_error_t   err;
    rfl_store_t  *store;

    static const rfl_store_dbi_t  meta = { "meta", RFL_KEY_BYTES };

    is_ledger = argc == 4 && strcmp(argv[3], "ledger") == 0;

    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: set_version PATH VERSION [ledger]\n");
        return 2;
    }

    (void) snprintf(dir, sizeof(dir), "%s/%s", argv[1],
                    is_ledger ? "ledger" : "registry");

    if (rfl_store_open(&store, dir, &meta, 1, RFL_STORE_WRITE, 0, &err)
        != RFL_OK)
    {
        fprintf(stderr, "set_version: %s\n", err.text);
        return 1;
    }

    failed = set_version(store, is_ledger,
                         (uint32_t) strtoul(argv[2], NULL, 10), &err);

    if (failed) {
        fprintf(stderr, "set_version: %s\n", err.text);
    }

    rfl_store_close(store);

    return failed;
}


static int
set_version(rfl_store_t *store, int is_ledger, uint32_t version,
    rfl_error_t *err)
{
    int       failed;
    rfl_rc_t  rc;

    rc = rfl_store_begin(store, 1, err);
    if (rc != RFL_OK) {
        return 1;
    }

    failed = is_ledger ? set_ledger(store, version, err)
                       : set_registry(store, version, err);
    if (failed) {
        rfl_store_end(store);
        return 1;
    }

    return rfl_store_commit(store, err) != RFL_OK;
}


static int
set_registry(rfl_store_t *store, uint32_t version, rfl_error_t *err)
{
    uint32_t   old;
    rfl_str_t  key, value;

    key = rfl_cstr("version");

    if (rfl_store_get(store, 0, key, &value) != RFL_OK
        || value.len != sizeof(old))
    {
        (void) rfl_fail(err, RFL_ERROR, "this registry has no version");
        return 1;
    }

    memcpy(&old, value.data, sizeof(old));
    printf("%u\n", old);

    return rfl_store_put(store, 0, key, rfl_str(&version, sizeof(version)), 0,
                         err) != RFL_OK;
}


/* It is the first byte of what the ledger knows of itself. */

static int
set_ledger(rfl_store_t *store, uint32_t version, rfl_error_t *err)
{
    u_char     meta[256];
    rfl_str_t  key, value;

    key = rfl_cstr("ledger");

    if (rfl_store_get(store, 0, key, &value) != RFL_OK
        || value.len == 0 || value.len > sizeof(meta))
    {
        (void) rfl_fail(err, RFL_ERROR, "this ledger has no version");
        return 1;
    }

    memcpy(meta, value.data, value.len);
    printf("%u\n", meta[0]);

    meta[0] = (u_char) version;

    return rfl_store_put(store, 0, key, rfl_str(meta, value.len), 0, err)
           != RFL_OK;
}
