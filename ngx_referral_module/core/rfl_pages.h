/*
 * Whether an LMDB data file is sound, read with pread(): a damaged file must
 * not be mapped.  LMDB trusts every byte of it; noise in a page is SIGSEGV,
 * SIGABRT or SIGFPE to whoever reads or writes there.
 *
 * A file may be shorter than its pages and sound.  A page that LMDB takes and
 * gives back in one transaction is never written.  At the end of the file it
 * leaves a file that is shorter than its last page says; a process killed
 * right behind such a commit leaves it so.  A truncated file looks the same
 * and is SIGBUS.  Only the pages in use tell them apart.
 *
 * Not seen: bytes of values, and a key that became another one of the same
 * size and place in the order.
 */

#ifndef RFL_PAGES_H
#define RFL_PAGES_H

#include "rfl_base.h"


typedef struct {
    size_t    page_size;
    uint32_t  version;                   /* also with RFL_BAD_VERSION */
    uint64_t  last_page;                 /* of the newest snapshot */
    uint64_t  txn_id;                    /* the newest one */
    uint64_t  txn_ids[2];                /* a snapshot N is in N & 1 */
} rfl_pages_head_t;

/*
 * The two meta pages.  RFL_OK, RFL_NOT_FOUND (the file is empty), RFL_DAMAGED
 * (no LMDB file, or its header makes no sense), RFL_BAD_VERSION (of LMDB's
 * format), RFL_ERROR (read error, in errno).
 */

rfl_rc_t rfl_pages_head(int fd, rfl_pages_head_t *head);


typedef struct {
    uint64_t     page;
    const char  *what;                   /* is wrong with it */
} rfl_pages_fault_t;

/*
 * All pages of a snapshot.  fd: LMDB's own (mdb_env_get_fd()) or another.
 * txn_id: the snapshot; a reader of the caller's holds it, so that its pages
 * are not reused meanwhile.  Reads all pages in use but large values: about
 * 0.12 ms for each MiB of the file that is in memory.
 *
 * RFL_OK: they are sound, and all in the file.  RFL_DAMAGED: fault says why.
 * RFL_NOT_FOUND: the snapshot's meta page is overwritten already, try a new
 * one.  RFL_NO_MEMORY, RFL_ERROR (read error, in errno).
 */

rfl_rc_t rfl_pages_check(int fd, size_t page_size, uint64_t txn_id,
    rfl_pages_fault_t *fault);


/*
 * One key of a table of 64-bit keys (MDB_INTEGERKEY), in the map of a reader
 * that holds the snapshot.  What mdb_get() finds, for a fourth of its
 * instructions: no cursor, no call for each comparison.
 *
 * tree: the table's record, the value its name has in the tree of names.  It
 * lies in the map, which tells where that begins.  RFL_ERROR: not to be
 * used, ask LMDB (pages larger than the system's, or nothing that is known).
 */

typedef struct {
    const u_char  *map;
    size_t         page_size;
    uint64_t       pages;                /* of the snapshot */
    uint64_t       root;
    unsigned       depth;                /* 0: the table is empty */

    /* The leaf of the last key, to which the next ones come first. */

    const u_char  *leaf;
    size_t         nodes;
    uint64_t       low;                  /* the lowest key it may have */
    uint64_t       span;                 /* so many lie in it; 0: no leaf yet */
    double         density;              /* nodes, by the half of a key */
    uint64_t       last;
    size_t         at;                   /* nodes up to last */
} rfl_pages_table_t;

rfl_rc_t rfl_pages_table(rfl_str_t tree, size_t page_size, uint64_t last_page,
    rfl_pages_table_t *table);

/*
 * RFL_OK, RFL_NOT_FOUND, or RFL_ERROR: what is there is for LMDB to read (a
 * large value), or to stumble over.
 *
 * A branch says between which keys the page below it lies.  The leaf that was
 * searched last is kept with these bounds: a key within them is looked for
 * there and nowhere else, without a walk from the root.
 */

rfl_rc_t rfl_pages_find(rfl_pages_table_t *table, uint64_t key,
    rfl_str_t *value);


#endif /* RFL_PAGES_H */
