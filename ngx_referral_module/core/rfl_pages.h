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
 * lies in the map, which tells where that begins.  Where that is not to be used
 * (pages larger than the system's, or nothing that is known), find() says
 * RFL_ERROR of each key: ask LMDB.
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

void rfl_pages_table(rfl_str_t tree, size_t page_size, uint64_t last_page,
    rfl_pages_table_t *table);

/*
 * RFL_OK, RFL_NOT_FOUND, or RFL_ERROR: what is there is for LMDB to read (a
 * large value), or to stumble over.
 *
 * A branch says between which keys the page below it lies.  The leaf that was
 * searched last is kept with these bounds: a key within them is looked for
 * there and nowhere else, without a walk from the root.
 */

static inline rfl_rc_t rfl_pages_find(rfl_pages_table_t *table, uint64_t key,
    rfl_str_t *value) __attribute__((always_inline));

/* The walk to the leaf of a key. */

rfl_rc_t rfl_pages_descend(rfl_pages_table_t *table, uint64_t key);


/* This is asked several times in a request: it is one with what asks it. */

#define RFL_PAGES_HEAD    16             /* of a page: see rfl_pages.c */
#define RFL_PAGES_FLAGS   10
#define RFL_PAGES_LOWER   12
#define RFL_PAGES_BRANCH  0x01
#define RFL_PAGES_LEAF    0x02
#define RFL_PAGES_NODE    8              /* head of a node */
#define RFL_PAGES_NUMBER  0xffffffffffffu        /* of a branch's node */

/* How far from where a key should be it is looked for one by one. */

#define RFL_PAGES_NEAR  16


static inline uint16_t
rfl_pages_u16(const u_char *data)
{
    uint16_t  n;

    memcpy(&n, data, sizeof(n));

    return n;
}


static inline uint32_t
rfl_pages_u32(const u_char *data)
{
    uint32_t  n;

    memcpy(&n, data, sizeof(n));

    return n;
}


static inline uint64_t
rfl_pages_u64(const u_char *data)
{
    uint64_t  n;

    memcpy(&n, data, sizeof(n));

    return n;
}


/* Of a page that has these flags; 0: it is no such page. */

static inline size_t
rfl_pages_nodes(const rfl_pages_table_t *table, const u_char *page,
    uint16_t flags)
{
    size_t  n;

    n = (size_t) (rfl_pages_u16(page + RFL_PAGES_LOWER) - RFL_PAGES_HEAD) / 2;

    return n <= table->page_size / 2
           && rfl_pages_u16(page + RFL_PAGES_FLAGS) == flags ? n : 0;
}


static inline const u_char *
rfl_pages_node_of(const u_char *page, size_t i)
{
    return page + rfl_pages_u16(page + RFL_PAGES_HEAD + 2 * i);
}


/* Whether its value lies in the node, and is no longer than a page can have. */

static inline int
rfl_pages_is_small(const u_char *node, size_t page_size)
{
    return rfl_pages_u16(node + 4) == 0 && rfl_pages_u32(node) <= page_size;
}


/* key_size: 4 or 8. */

static inline uint64_t
rfl_pages_key_of(const u_char *page, size_t key_size, size_t i)
{
    const u_char  *key;

    key = rfl_pages_node_of(page, i) + RFL_PAGES_NODE;

    return key_size == sizeof(uint64_t) ? rfl_pages_u64(key)
                                        : rfl_pages_u32(key);
}


/*
 * Of the nodes first to n, one at least, the first whose key is greater, or n.
 * i: where it should be, as keys that are hashes lie evenly.  It is looked for
 * there, then a few to either side, then, for keys that are none, by halves.
 */

static inline __attribute__((always_inline)) size_t
rfl_pages_behind(const u_char *page, size_t key_size, size_t first, size_t n,
    uint64_t key, size_t i)
{
    size_t  begin, end;

    /* beyond either end: a negative one is a large one */

    if (i >= n) {
        i = (ssize_t) i < 0 ? first : n - 1;
    }

    if (rfl_pages_key_of(page, key_size, i) <= key) {

        end = i + RFL_PAGES_NEAR < n ? i + RFL_PAGES_NEAR : n;

        for (i++; i < end; i++) {
            if (rfl_pages_key_of(page, key_size, i) > key) {
                return i;
            }
        }

        begin = end;
        end = n;

    } else {

        begin = i > first + RFL_PAGES_NEAR ? i - RFL_PAGES_NEAR : first;

        for ( /* void */ ; i > begin; i--) {
            if (rfl_pages_key_of(page, key_size, i - 1) <= key) {
                return i;
            }
        }

        end = begin;
        begin = first;
    }

    while (begin < end) {
        i = begin + (end - begin) / 2;

        if (rfl_pages_key_of(page, key_size, i) <= key) {
            begin = i + 1;

        } else {
            end = i;
        }
    }

    return begin;
}


static inline rfl_rc_t
rfl_pages_find(rfl_pages_table_t *table, uint64_t key, rfl_str_t *value)
{
    size_t         i;
    int64_t        away;
    rfl_rc_t       rc;
    const u_char  *node;

    if (key - table->low >= table->span) {
        rc = rfl_pages_descend(table, key);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    /* as far from the last one as its keys are apart; it may be behind it */

    away = (int64_t) (key >> 1) - (int64_t) (table->last >> 1);
    i = table->at + (size_t) (int64_t) ((double) away * table->density);

    i = rfl_pages_behind(table->leaf, sizeof(key), 0, table->nodes, key, i);

    table->last = key;
    table->at = i;

    if (i == 0) {
        return RFL_NOT_FOUND;
    }

    node = rfl_pages_node_of(table->leaf, i - 1);

    if (rfl_pages_u64(node + RFL_PAGES_NODE) != key) {
        return RFL_NOT_FOUND;
    }

    value->len = rfl_pages_u32(node);
    value->data = node + RFL_PAGES_NODE + sizeof(uint64_t);

    return rfl_pages_is_small(node, table->page_size) ? RFL_OK : RFL_ERROR;
}


#endif /* RFL_PAGES_H */
