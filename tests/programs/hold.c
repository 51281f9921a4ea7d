/*
 * Holds an LMDB environment of ours until standard input ends, or until it is
 * killed:
 *
 *     hold writer DIR      a write transaction, the writer's lock with it
 *     hold dirty DIR       the same, with entries put and deleted in it
 *     hold reader DIR      a read transaction: a snapshot
 *     hold readers DIR N   N slots of the reader table; if N is 0 all that are
 *                          left, and those that others leave later
 *
 * It says "ready" once it holds them.
 */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lmdb.h>

#include "rfl_store.h"


#define ENTRIES  1000


static MDB_env *open_env(const char *dir);
static int hold_writer(MDB_env *env, int dirty);
static int put_some(MDB_txn *txn);
static int table_of_bytes(MDB_txn *txn, MDB_dbi *dbi);
static int hold_readers(MDB_env *env, unsigned n);
static int has_ended(int ms);
static void wait_for_the_end(void);
static int failed(const char *what, int rc);


int
main(int argc, char **argv)
{
    MDB_env     *env;
    const char  *what;

    what = argc > 2 ? argv[1] : "";

    if (argc != (strcmp(what, "readers") == 0 ? 4 : 3)
        || (strcmp(what, "writer") != 0 && strcmp(what, "dirty") != 0
            && strcmp(what, "reader") != 0 && strcmp(what, "readers") != 0))
    {
        fprintf(stderr, "usage: hold writer|dirty|reader DIR\n"
                        "       hold readers DIR N\n");
        return 2;
    }

    env = open_env(argv[2]);
    if (env == NULL) {
        return 1;
    }

    if (strcmp(what, "reader") == 0) {
        return hold_readers(env, 1);
    }

    if (strcmp(what, "readers") == 0) {
        return hold_readers(env, (unsigned) strtoul(argv[3], NULL, 10));
    }

    return hold_writer(env, strcmp(what, "dirty") == 0);
}


static MDB_env *
open_env(const char *dir)
{
    int       rc;
    MDB_env  *env;

    rc = mdb_env_create(&env);
    if (rc != 0) {
        (void) failed("mdb_env_create", rc);
        return NULL;
    }

    (void) mdb_env_set_maxreaders(env, RFL_STORE_READERS);
    (void) mdb_env_set_maxdbs(env, RFL_STORE_DBIS_MAX);
    (void) mdb_env_set_mapsize(env, RFL_STORE_MAP_SIZE);

    rc = mdb_env_open(env, dir, MDB_NOTLS, 0600);
    if (rc != 0) {
        (void) failed(dir, rc);
        return NULL;
    }

    return env;
}


static int
hold_writer(MDB_env *env, int dirty)
{
    int       rc;
    MDB_txn  *txn;

    rc = mdb_txn_begin(env, NULL, 0, &txn);
    if (rc != 0) {
        return failed("mdb_txn_begin", rc);
    }

    if (dirty) {
        rc = put_some(txn);
        if (rc != 0) {
            return failed("putting entries", rc);
        }
    }

    printf("ready\n");
    wait_for_the_end();

    mdb_txn_abort(txn);
    mdb_env_close(env);

    return 0;
}


static int
put_some(MDB_txn *txn)
{
    int       rc;
    char      key[32], value[2000];
    MDB_dbi   dbi;
    MDB_val   k, v;
    unsigned  i;

    rc = table_of_bytes(txn, &dbi);

    memset(value, 'x', sizeof(value));

    for (i = 0; i < ENTRIES && rc == 0; i++) {
        k.mv_data = key;
        k.mv_size = (size_t) snprintf(key, sizeof(key), "dirty %u", i);
        v.mv_data = value;
        v.mv_size = i % sizeof(value);

        rc = mdb_put(txn, dbi, &k, &v, 0);

        if (rc == 0 && i % 3 == 0) {
            rc = mdb_del(txn, dbi, &k, NULL);
        }
    }

    return rc;
}


/* The first table whose keys are no integers. */

static int
table_of_bytes(MDB_txn *txn, MDB_dbi *dbi)
{
    int          rc;
    char         name[RFL_STORE_KEY_MAX + 1];
    MDB_dbi      names;
    MDB_val      k, v;
    unsigned     flags;
    MDB_cursor  *cursor;

    rc = mdb_dbi_open(txn, NULL, 0, &names);

    if (rc == 0) {
        rc = mdb_cursor_open(txn, names, &cursor);
    }

    if (rc != 0) {
        return rc;
    }

    while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
        memcpy(name, k.mv_data, k.mv_size);
        name[k.mv_size] = '\0';

        rc = mdb_dbi_open(txn, name, 0, dbi);

        if (rc == 0) {
            rc = mdb_dbi_flags(txn, *dbi, &flags);
        }

        if (rc != 0 || !(flags & MDB_INTEGERKEY)) {
            break;
        }
    }

    mdb_cursor_close(cursor);

    return rc;
}


static int
hold_readers(MDB_env *env, unsigned n)
{
    int       rc;
    MDB_txn  *txn;
    unsigned  held;

    rc = 0;

    for (held = 0; (n == 0 || held < n) && rc == 0; held++) {
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    }

    if (rc != 0 && (rc != MDB_READERS_FULL || n > 0)) {
        return failed("mdb_txn_begin", rc);
    }

    printf("ready\n");
    (void) fflush(stdout);

    while (n == 0 && !has_ended(1)) {
        (void) mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    }

    wait_for_the_end();

    return 0;                            /* LMDB frees slots of the dead */
}


/* Nothing is ever written to it. */

static int
has_ended(int ms)
{
    struct pollfd  input = { 0, POLLIN, 0 };

    return poll(&input, 1, ms) > 0;
}


static void
wait_for_the_end(void)
{
    char  c;

    (void) fflush(stdout);

    while (read(0, &c, 1) == 1) {
        /* void */
    }
}


static int
failed(const char *what, int rc)
{
    fprintf(stderr, "hold: %s: %s\n", what, mdb_strerror(rc));

    return 1;
}
