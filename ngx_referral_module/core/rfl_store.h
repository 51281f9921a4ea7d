/*
 * A small wall around LMDB: the registry and the ledger speak to this file
 * and no other file includes lmdb.h.
 *
 * Caveats, each learned by experiment (docs/architecture.md):
 *
 * - One process opens a directory once (a second environment closed would
 *   drop the first one's POSIX locks), and only after its last fork.  A
 *   second store on it shares the first one's environment.
 * - A store serves one thread at a time and has one current transaction;
 *   two stores on one directory may serve two threads.
 *   A read transaction is renewed at begin and reset at end: never keep one
 *   across events, a held reader makes the file grow without bound.
 * - Slices returned by reads point into the map: they are valid until the
 *   transaction ends, in a write transaction until the next write.
 * - Network and FUSE file systems are refused: POSIX locks and mmap are not
 *   reliable there.  So is a lock file that cannot be written: LMDB would
 *   read without locks.
 * - LMDB tells processes and threads apart by their ids.  Processes of several
 *   PID namespaces (containers) may use one directory, since their locks on
 *   files are apart all the same; but not two that have the same id: the second
 *   one gets RFL_BUSY (store_claim_id() says why).
 * - LMDB trusts its file: reading or writing a damaged one is SIGSEGV, SIGBUS
 *   or abort().  So its header is looked at before LMDB opens it, and all its
 *   pages before anything is read (rfl_pages.h) if it has 32 MiB at most, if
 *   it is shorter than its pages, or if a process of this nginx died inside
 *   LMDB since this one found it sound (rfl_canary.h).
 */

#ifndef RFL_STORE_H
#define RFL_STORE_H

#include "rfl_pages_many.h"


typedef struct rfl_store_s   rfl_store_t;
typedef struct rfl_cursor_s  rfl_cursor_t;


typedef enum {
    RFL_KEY_BYTES = 0,           /* any bytes, up to 511, memcmp order */
    RFL_KEY_U32,                 /* native integers, numeric order */
    RFL_KEY_U64
} rfl_key_kind_t;


/*
 * With RFL_KEY_LATER added to its kind a table may be missing: in a store from
 * before it there is nothing to be found in it.  CREATE makes it.
 */

#define RFL_KEY_LATER  0x10

typedef struct {
    const char      *name;
    unsigned         key_kind;
} rfl_store_dbi_t;


#define RFL_STORE_DBIS_MAX  16
#define RFL_STORE_KEY_MAX   511
#define RFL_STORE_READERS   1024

/* Address space, not memory: LMDB's file grows as it fills. */
#define RFL_STORE_MAP_SIZE  ((size_t) 16 << 30)


#define RFL_STORE_READ    0
#define RFL_STORE_WRITE   1              /* may begin write transactions */
#define RFL_STORE_CREATE  2              /* makes directory and dbis; WRITE */
#define RFL_STORE_WAIT    4              /* with WRITE: opening may take long,
                                            as it may with CREATE: for a writer,
                                            and to look at all pages */


/*
 * Opens dir with the listed dbis (numbered in their order).  Errors:
 * RFL_NOT_FOUND (no such directory, no data file or a dbi not made yet),
 * RFL_DENIED, RFL_BUSY (this process has it open for reading, and writing is
 * asked for; or data.mdb was replaced and another process has the old one
 * open still: try again; or a process of another PID namespace has the same
 * id), RFL_DAMAGED (restore a backup), RFL_BAD_VERSION (of
 * LMDB's format), RFL_INVALID (file system), RFL_FULL (readers), RFL_ERROR.
 * map_size 0 means RFL_STORE_MAP_SIZE.  *sp is NULL on failure.  Names of dbis
 * live as long as the store.
 */

rfl_rc_t rfl_store_open(rfl_store_t **sp, const char *dir,
    const rfl_store_dbi_t *dbis, size_t n, unsigned flags, size_t map_size,
    rfl_error_t *err);

void rfl_store_close(rfl_store_t *s);            /* NULL is allowed */

/* Whether a table was missing when it was opened: open it again to look. */

int rfl_store_lacks_table(const rfl_store_t *s);


/*
 * begin: a transaction, writing if write != 0.  Beginning a read while any
 * transaction is current nests harmlessly (end counts); beginning a write
 * then is RFL_ERROR.  A map another process enlarged is remapped here.
 * end: ends reading, or aborts the write transaction; commit: commits it.
 * After a failed commit all of it stands or nothing, and most often nothing
 * (with an I/O error the outcome is unknown); RFL_FULL says disk or map is
 * full.  If LMDB gave up with it, rfl_store_check_path() says so at once.
 */

rfl_rc_t rfl_store_begin(rfl_store_t *s, int write, rfl_error_t *err);
void rfl_store_end(rfl_store_t *s);
rfl_rc_t rfl_store_commit(rfl_store_t *s, rfl_error_t *err);

/* The id of the current transaction's snapshot. */

uint64_t rfl_store_txn_id(rfl_store_t *s);

/*
 * The id of the newest snapshot, without a transaction; 0: not known.  A
 * commit shows here a moment before a transaction that begins reads it: what a
 * transaction reads has rfl_store_txn_id()'s id, never this one.
 */

uint64_t rfl_store_newest(rfl_store_t *s);


/*
 * get: RFL_OK, RFL_NOT_FOUND or an error.  Tables of integers take their keys
 * as the machine holds them: the functions behind do that.
 */

#define RFL_PUT_NEW     1                /* RFL_EXISTS if the key is there */
#define RFL_PUT_APPEND  2                /* the key is beyond the last one */

rfl_rc_t rfl_store_get(rfl_store_t *s, unsigned dbi, rfl_str_t key,
    rfl_str_t *value);
rfl_rc_t rfl_store_put(rfl_store_t *s, unsigned dbi, rfl_str_t key,
    rfl_str_t value, unsigned flags, rfl_error_t *err);
rfl_rc_t rfl_store_del(rfl_store_t *s, unsigned dbi, rfl_str_t key,
    rfl_error_t *err);


/* Reading does without LMDB's cursor: the request path. */

rfl_rc_t rfl_store_get_u64(rfl_store_t *s, unsigned dbi, uint64_t key,
    rfl_str_t *value);


static inline rfl_rc_t
rfl_store_get_u32(rfl_store_t *s, unsigned dbi, uint32_t key, rfl_str_t *value)
{
    return rfl_store_get(s, dbi, rfl_str(&key, sizeof(key)), value);
}


static inline rfl_rc_t
rfl_store_put_u64(rfl_store_t *s, unsigned dbi, uint64_t key, rfl_str_t value,
    unsigned flags, rfl_error_t *err)
{
    return rfl_store_put(s, dbi, rfl_str(&key, sizeof(key)), value, flags, err);
}


static inline rfl_rc_t
rfl_store_put_u32(rfl_store_t *s, unsigned dbi, uint32_t key, rfl_str_t value,
    unsigned flags, rfl_error_t *err)
{
    return rfl_store_put(s, dbi, rfl_str(&key, sizeof(key)), value, flags, err);
}


static inline rfl_rc_t
rfl_store_del_u64(rfl_store_t *s, unsigned dbi, uint64_t key, rfl_error_t *err)
{
    return rfl_store_del(s, dbi, rfl_str(&key, sizeof(key)), err);
}


static inline rfl_rc_t
rfl_store_del_u32(rfl_store_t *s, unsigned dbi, uint32_t key, rfl_error_t *err)
{
    return rfl_store_del(s, dbi, rfl_str(&key, sizeof(key)), err);
}


/*
 * The first key of a table of integers that is >= *key; RFL_NOT_FOUND behind
 * the last one.  RFL_DAMAGED: *key is of no use.
 */

rfl_rc_t rfl_store_next(rfl_store_t *s, unsigned dbi, uint64_t *key);


/*
 * Many keys of a table of integers, RFL_PAGES_MANY at most: nothing waits for
 * memory once for each.  What is not there has a value without data.  Only read
 * transactions gain by it.
 *
 * places: where they are, for what has several entries side by side; one
 * without a leaf is for a cursor to find.
 */

rfl_rc_t rfl_store_get_many(rfl_store_t *s, unsigned dbi, const uint64_t *keys,
    size_t n, rfl_str_t *values);
void rfl_store_places(rfl_store_t *s, unsigned dbi, const uint64_t *keys,
    size_t n, rfl_pages_place_t *places);


/*
 * A cursor of the current transaction, on the C heap; close it before the
 * transaction ends.  seek finds the first key >= key; an empty key means the
 * first of all.  RFL_NOT_FOUND is the end.
 */

rfl_rc_t rfl_cursor_open(rfl_store_t *s, unsigned dbi, rfl_cursor_t **cp);
void rfl_cursor_close(rfl_cursor_t *c);
rfl_rc_t rfl_cursor_seek(rfl_cursor_t *c, rfl_str_t key, rfl_str_t *found,
    rfl_str_t *value);
rfl_rc_t rfl_cursor_next(rfl_cursor_t *c, rfl_str_t *found, rfl_str_t *value);
rfl_rc_t rfl_cursor_last(rfl_cursor_t *c, rfl_str_t *found, rfl_str_t *value);

/*
 * As rfl_store_put(); the next key is looked for where this one was put, so
 * what comes in order costs least here.
 */

rfl_rc_t rfl_cursor_put(rfl_cursor_t *c, rfl_str_t key, rfl_str_t value,
    unsigned flags, rfl_error_t *err);

/* The entry that was found last; seek before anything else. */

rfl_rc_t rfl_cursor_del(rfl_cursor_t *c, rfl_error_t *err);


/*
 * Writes what the write transaction has changed so far, but for the pages of
 * open cursors, and frees its memory; else LMDB keeps up to 512 MB of it.
 * Readers see nothing of it before the commit, and it is gone without one; but
 * data.mdb may have become longer.
 */

rfl_rc_t rfl_store_spill(rfl_store_t *s, rfl_error_t *err);


typedef struct {
    uint64_t  map_size;
    uint64_t  used_bytes;                /* pages in use, not freed ones */
    uint32_t  readers;
} rfl_store_stat_t;

void rfl_store_stat(rfl_store_t *s, rfl_store_stat_t *stat);

/*
 * More than 32 MiB: after a death inside LMDB only who opens it with CREATE,
 * the keeper's thread, looks at all pages; the others get RFL_BUSY until that
 * has found it sound.  Who has it open already goes on.
 */

int rfl_store_is_large(rfl_store_t *s);

/* Frees the reader slots of dead processes; returns how many. */

int rfl_store_reader_check(rfl_store_t *s);

/*
 * Looks at all pages now, however large the file is.  RFL_DAMAGED says which
 * one is wrong: read nothing then.  No transaction may be begun.
 */

rfl_rc_t rfl_store_check(rfl_store_t *s, rfl_error_t *err);


/*
 * Writes the newest snapshot to fd, an empty file open for reading and
 * writing; compact: without the pages that are free.  Others write meanwhile,
 * but what they free is not used again until it is done.  The copy's pages
 * are looked at, and it is on the disk when this returns.
 */

rfl_rc_t rfl_store_copy(rfl_store_t *s, int fd, int compact,
    rfl_error_t *err);


/*
 * RFL_OK while the path still names the files this store has open,
 * RFL_NOT_FOUND when they are gone, RFL_DAMAGED when other files took their
 * place (a restored backup), a file was cut short, the header overwritten, or
 * LMDB gave up (MDB_PANIC): close and open again.  After a death inside LMDB
 * it also looks at all pages once, if the file has 32 MiB at most (4 ms).
 * Otherwise it takes 2 us.
 */

rfl_rc_t rfl_store_check_path(rfl_store_t *s);


#endif /* RFL_STORE_H */
