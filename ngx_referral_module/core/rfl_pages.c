/*
 * A walk over the pages of an LMDB data file, for files that are too short.
 *
 * The format is that of LMDB 0.9 (MDB_DATA_VERSION 1, mdb.c) on 64-bit
 * machines, little-endian:
 *
 *     page    number (8), pad (2), flags (2), lower (2), upper (2),
 *             offsets of its nodes (2 each) up to lower
 *     node    low (2), high (2), flags (2), key size (2), key, data
 *             in a branch: the page below, low | high << 16 | flags << 32
 *             in a leaf: the size of data, low | high << 16
 *     meta    behind the page header: magic (4), version (4), address (8),
 *             map size (8), two trees (48 each: freed pages, names of
 *             tables), last page (8), transaction id (8)
 *     tree    ..., root page (8) at 40; a table is a node with one as data
 */

#include "rfl_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


#define PAGE_HEAD        16
#define PAGE_FLAGS       10
#define PAGE_LOWER       12
#define PAGE_BRANCH      0x01
#define PAGE_LEAF        0x02

#define NODE_HEAD        8
#define NODE_BIG_DATA    0x01            /* data is the first page of many */
#define NODE_TREE        0x02            /* data is a tree */

#define TREE_SIZE        48
#define TREE_ROOT        40
#define NO_PAGE          UINT64_MAX      /* root of an empty tree */

#define META_MAGIC       0xbeefc0deu
#define META_VERSION     1
#define META_TREES       (PAGE_HEAD + 24)
#define META_TXN_ID      (PAGE_HEAD + 128)
#define META_SIZE        (PAGE_HEAD + 136)

/* LMDB's CURSOR_STACK, for the tree of names and a table's. */

#define PAGES_DEPTH_MAX  64


typedef struct {
    int        fd;
    size_t     page_size;
    uint64_t   file_pages;
    uint64_t   visited;                  /* more than there are: a loop */
    u_char    *pages;                    /* one for each level */
} rfl_pages_t;


static rfl_rc_t pages_meta(rfl_pages_t *p, uint64_t txn_id,
    uint64_t roots[2]);
static rfl_rc_t pages_walk(rfl_pages_t *p, uint64_t number, unsigned level);
static rfl_rc_t pages_walk_node(rfl_pages_t *p, const u_char *page,
    size_t offset, unsigned level);
static rfl_rc_t pages_walk_leaf(rfl_pages_t *p, const u_char *page,
    size_t offset, unsigned level);
static rfl_rc_t pages_read(rfl_pages_t *p, uint64_t number, u_char *page,
    size_t size);
static uint16_t pages_u16(const u_char *data);
static uint32_t pages_u32(const u_char *data);
static uint64_t pages_u64(const u_char *data);


rfl_rc_t
rfl_pages_check(int fd, size_t page_size, uint64_t txn_id)
{
    unsigned     i;
    uint64_t     roots[2];
    rfl_rc_t     rc;
    rfl_pages_t  p;
    struct stat  st;

    if (fstat(fd, &st) != 0) {
        return RFL_ERROR;
    }

    p.fd = fd;
    p.page_size = page_size;
    p.file_pages = (uint64_t) st.st_size / page_size;
    p.visited = 0;

    p.pages = malloc(PAGES_DEPTH_MAX * page_size);
    if (p.pages == NULL) {
        return RFL_NO_MEMORY;
    }

    rc = pages_meta(&p, txn_id, roots);

    for (i = 0; i < 2 && rc == RFL_OK; i++) {
        if (roots[i] != NO_PAGE) {
            rc = pages_walk(&p, roots[i], 0);
        }
    }

    free(p.pages);

    return rc;
}


static rfl_rc_t
pages_meta(rfl_pages_t *p, uint64_t txn_id, uint64_t roots[2])
{
    u_char    meta[META_SIZE];
    unsigned  i;
    rfl_rc_t  rc;

    for (i = 0; i < 2; i++) {

        rc = pages_read(p, i, meta, META_SIZE);
        if (rc != RFL_OK) {
            return rc;
        }

        if (pages_u32(meta + PAGE_HEAD) != META_MAGIC
            || pages_u32(meta + PAGE_HEAD + 4) != META_VERSION)
        {
            return RFL_DAMAGED;
        }

        if (pages_u64(meta + META_TXN_ID) == txn_id) {
            roots[0] = pages_u64(meta + META_TREES + TREE_ROOT);
            roots[1] = pages_u64(meta + META_TREES + TREE_SIZE + TREE_ROOT);
            return RFL_OK;
        }
    }

    return RFL_NOT_FOUND;
}


static rfl_rc_t
pages_walk(rfl_pages_t *p, uint64_t number, unsigned level)
{
    size_t     i, lower;
    u_char    *page;
    rfl_rc_t   rc;

    if (level == PAGES_DEPTH_MAX || p->visited++ == p->file_pages) {
        return RFL_DAMAGED;
    }

    page = p->pages + level * p->page_size;

    rc = pages_read(p, number, page, p->page_size);
    if (rc != RFL_OK) {
        return rc;
    }

    lower = pages_u16(page + PAGE_LOWER);

    if (!(page[PAGE_FLAGS] & (PAGE_BRANCH|PAGE_LEAF)) || lower < PAGE_HEAD
        || lower > p->page_size)
    {
        return RFL_DAMAGED;
    }

    for (i = PAGE_HEAD; i + 2 <= lower; i += 2) {
        rc = pages_walk_node(p, page, pages_u16(page + i), level);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
pages_walk_node(rfl_pages_t *p, const u_char *page, size_t offset,
    unsigned level)
{
    uint64_t       below;
    const u_char  *node;

    if (offset < PAGE_HEAD || offset + NODE_HEAD > p->page_size) {
        return RFL_DAMAGED;
    }

    if (page[PAGE_FLAGS] & PAGE_LEAF) {
        return pages_walk_leaf(p, page, offset, level);
    }

    node = page + offset;
    below = pages_u32(node) | (uint64_t) pages_u16(node + 4) << 32;

    return pages_walk(p, below, level + 1);
}


static rfl_rc_t
pages_walk_leaf(rfl_pages_t *p, const u_char *page, size_t offset,
    unsigned level)
{
    size_t         data;
    uint32_t       flags, size;
    uint64_t       first, n;
    const u_char  *node;

    node = page + offset;

    size = pages_u32(node);
    flags = pages_u16(node + 4);
    data = offset + NODE_HEAD + pages_u16(node + 6);

    if (flags & NODE_BIG_DATA) {

        if (data + 8 > p->page_size) {
            return RFL_DAMAGED;
        }

        first = pages_u64(page + data);
        n = ((uint64_t) size + PAGE_HEAD - 1) / p->page_size + 1;

        return first < p->file_pages && n <= p->file_pages - first
               ? RFL_OK : RFL_DAMAGED;
    }

    if (data + size > p->page_size) {
        return RFL_DAMAGED;
    }

    if (!(flags & NODE_TREE)) {
        return RFL_OK;
    }

    if (size != TREE_SIZE) {
        return RFL_DAMAGED;
    }

    first = pages_u64(page + data + TREE_ROOT);

    return first == NO_PAGE ? RFL_OK : pages_walk(p, first, level + 1);
}


static rfl_rc_t
pages_read(rfl_pages_t *p, uint64_t number, u_char *page, size_t size)
{
    ssize_t  n;

    if (number >= p->file_pages) {
        return RFL_DAMAGED;
    }

    do {
        n = pread(p->fd, page, size, (off_t) (number * p->page_size));
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        return RFL_ERROR;
    }

    return (size_t) n == size ? RFL_OK : RFL_DAMAGED;
}


static uint16_t
pages_u16(const u_char *data)
{
    uint16_t  n;

    memcpy(&n, data, sizeof(n));

    return n;
}


static uint32_t
pages_u32(const u_char *data)
{
    uint32_t  n;

    memcpy(&n, data, sizeof(n));

    return n;
}


static uint64_t
pages_u64(const u_char *data)
{
    uint64_t  n;

    memcpy(&n, data, sizeof(n));

    return n;
}
