/*
 * A walk over the pages of an LMDB data file.  It accepts what LMDB itself
 * writes and no more: a flag, a number or an offset that LMDB would not have
 * left there makes it read or write where it must not.
 *
 * The format is that of LMDB 0.9 (MDB_DATA_VERSION 1, mdb.c) on 64-bit
 * machines, little-endian:
 *
 *     page    number (8), pad (2), flags (2), lower (2), upper (2),
 *             offsets of its nodes (2 each) up to lower; the nodes fill it
 *             from upper to its end, each at an even offset
 *     node    low (2), high (2), flags (2), key size (2), key, data
 *             in a branch: the page below, low | high << 16 | flags << 32
 *             in a leaf: the size of data, low | high << 16
 *     large   a page with a count of pages (4) where lower and upper are
 *     meta    behind the page header: magic (4), version (4), address (8),
 *             map size (8), two trees (48 each: freed pages, names of
 *             tables), last page (8), transaction id (8)
 *     tree    pad (4; in a meta's first one the page size), flags (2), depth
 *             (2), branch, leaf and large pages, entries, root page (8 each);
 *             a table is a node in the tree of names with one as data
 *     freed   by the transaction's id: a count (8), so many pages (8 each),
 *             the highest first; room may follow
 */

#include "rfl_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


#define PAGE_HEAD         RFL_PAGES_HEAD
#define PAGE_FLAGS        RFL_PAGES_FLAGS
#define PAGE_LOWER        RFL_PAGES_LOWER
#define PAGE_UPPER        14
#define PAGE_COUNT        12
#define PAGE_BRANCH       RFL_PAGES_BRANCH
#define PAGE_LEAF         RFL_PAGES_LEAF
#define PAGE_LARGE        0x04
#define PAGE_META         0x08
#define PAGE_SIZE_MIN     512
#define PAGE_SIZE_MAX     32768          /* MAX_PAGESIZE */

#define NODE_HEAD         RFL_PAGES_NODE
#define NODE_LARGE        0x01           /* data is the first page of many */
#define NODE_TREE         0x02           /* data is a tree */

#define TREE_SIZE         48
#define TREE_FLAGS        4
#define TREE_DEPTH        6
#define TREE_BRANCHES     8
#define TREE_LEAVES       16
#define TREE_LARGE        24
#define TREE_ENTRIES      32
#define TREE_ROOT         40
#define TREE_INTEGER_KEY  0x08
#define NO_PAGE           UINT64_MAX     /* root of an empty tree */

#define META_MAGIC        0xbeefc0deu
#define META_VERSION      1
#define META_MAP_SIZE     (PAGE_HEAD + 16)
#define META_TREES        (PAGE_HEAD + 24)
#define META_LAST_PAGE    (PAGE_HEAD + 120)
#define META_TXN_ID       (PAGE_HEAD + 128)
#define META_SIZE         (PAGE_HEAD + 136)
#define META_MAP_MAX      ((uint64_t) 1 << 47)

/* LMDB 1.0 has a longer page header; its magic and version follow that. */

#define META_MAGIC_1      24

/* Commits may come between the reading of one meta page and the other. */

#define META_TRIES        8

/* LMDB's CURSOR_STACK and MDB_MAXKEYSIZE. */

#define PAGES_DEPTH_MAX   32

/*
 * So much of a page are offsets: by two bytes for each node of 16 in a branch,
 * of about 36 in a leaf.
 */

#define PAGES_OFFSETS_OF_BRANCH  (2. / 18)
#define PAGES_OFFSETS_OF_LEAF    (2. / 38)
#define PAGES_AROUND             32

#define PAGES_KEY_MAX     511


typedef enum {
    TREE_OF_FREED = 0,
    TREE_OF_NAMES,
    TREE_OF_VALUES
} pages_kind_t;


typedef struct {
    pages_kind_t        kind;
    unsigned            integer:1;       /* its keys are */
    unsigned            bound:1;         /* last may be equalled */
    unsigned            depth;
    u_char             *pages;           /* one for each level */
    uint64_t            branches;        /* counted, as all below */
    uint64_t            leaves;
    uint64_t            large;
    uint64_t            entries;
    size_t              integer_size;
    size_t              last_size;       /* of the last key; 0: none yet */
    u_char              last[PAGES_KEY_MAX];
} pages_tree_t;


typedef struct {
    int                 fd;
    size_t              page_size;
    uint64_t            file_pages;
    uint64_t            last_page;
    uint64_t            txn_id;
    size_t              node_max;        /* larger ones have pages apart */
    u_char             *pages;           /* room for two trees' levels */
    uint16_t           *sizes;           /* of nodes, by half their offset */
    u_char             *seen;            /* a bit for each page of the file */
    rfl_pages_fault_t  *fault;
} rfl_pages_t;


typedef struct {
    uint64_t            number;
    size_t              lower;
    size_t              upper;
    size_t              nodes;
    const u_char       *data;
} pages_page_t;


static rfl_rc_t head_read(int fd, rfl_pages_head_t *head);
static rfl_rc_t head_read_meta(int fd, unsigned i, size_t page_size,
    u_char *meta);
static int head_is_sane(const u_char *meta, unsigned i, size_t page_size);
static rfl_rc_t pages_init(rfl_pages_t *p);
static rfl_rc_t pages_meta(rfl_pages_t *p, u_char *meta);
static rfl_rc_t pages_tree(rfl_pages_t *p, pages_kind_t kind,
    const u_char *record, u_char *pages);
static rfl_rc_t pages_walk(rfl_pages_t *p, pages_tree_t *tree, uint64_t number,
    unsigned level);
static rfl_rc_t pages_walk_branch(rfl_pages_t *p, pages_tree_t *tree,
    const pages_page_t *page, unsigned level);
static rfl_rc_t pages_walk_leaf(rfl_pages_t *p, pages_tree_t *tree,
    const pages_page_t *page, unsigned level);
static rfl_rc_t pages_node(rfl_pages_t *p, pages_tree_t *tree,
    const pages_page_t *page, const u_char *node, unsigned level);
static rfl_rc_t pages_large(rfl_pages_t *p, pages_tree_t *tree,
    uint64_t first, size_t size);
static rfl_rc_t pages_freed_small(rfl_pages_t *p, uint64_t number,
    const u_char *data, size_t size);
static rfl_rc_t pages_freed_large(rfl_pages_t *p, uint64_t first, size_t size);
static rfl_rc_t pages_freed_one(rfl_pages_t *p, uint64_t at, uint64_t freed,
    uint64_t *above);
static rfl_rc_t pages_page(rfl_pages_t *p, pages_page_t *page,
    uint64_t number, const u_char *data);
static int pages_nodes_fill(rfl_pages_t *p, const pages_page_t *page);
static size_t pages_node_size(const u_char *node, int leaf);
static int pages_key(pages_tree_t *tree, const u_char *node, int leaf);
static int pages_compare(const pages_tree_t *tree, const u_char *key,
    size_t size);
static rfl_rc_t pages_mark(rfl_pages_t *p, uint64_t number);
static rfl_rc_t pages_read(rfl_pages_t *p, uint64_t number, u_char *data,
    size_t size);
static ssize_t pages_pread(int fd, u_char *data, size_t size, off_t offset);
static rfl_rc_t pages_fault(rfl_pages_t *p, uint64_t page, const char *what);
static inline double pages_half(uint64_t n);
static inline double pages_scale(uint64_t span);
static inline double pages_part(uint64_t away, double scale);
static inline void pages_fetch(const u_char *page, size_t page_size,
    double part, double offsets);


rfl_rc_t
rfl_pages_head(int fd, rfl_pages_head_t *head)
{
    unsigned  i;
    rfl_rc_t  rc;

    rc = RFL_DAMAGED;

    for (i = 0; i < META_TRIES && rc == RFL_DAMAGED; i++) {
        rc = head_read(fd, head);
    }

    return rc;
}


static rfl_rc_t
head_read(int fd, rfl_pages_head_t *head)
{
    u_char    meta[META_SIZE];
    unsigned  i;
    uint64_t  a, b;
    rfl_rc_t  rc;

    memset(head, 0, sizeof(rfl_pages_head_t));

    for (i = 0; i < 2; i++) {

        rc = head_read_meta(fd, i, head->page_size, meta);
        head->version = rfl_pages_u32(meta + PAGE_HEAD + 4);

        if (rc != RFL_OK) {
            return rc;
        }

        if (i == 0) {
            head->page_size = rfl_pages_u32(meta + META_TREES);
        }

        if (!head_is_sane(meta, i, head->page_size)) {
            return RFL_DAMAGED;
        }

        head->txn_ids[i] = rfl_pages_u64(meta + META_TXN_ID);

        if (i == 0 || head->txn_ids[i] > head->txn_id) {
            head->txn_id = head->txn_ids[i];
            head->last_page = rfl_pages_u64(meta + META_LAST_PAGE);
        }
    }

    /* each commit takes the other meta page; a new file has none yet */

    a = head->txn_ids[0];
    b = head->txn_ids[1];

    if (a == 0 && b == 0) {
        return RFL_OK;
    }

    return (a & 1) == 0 && (a + 1 == b || b + 1 == a) ? RFL_OK : RFL_DAMAGED;
}


/* Magic and version; the rest is of that version. */

static rfl_rc_t
head_read_meta(int fd, unsigned i, size_t page_size, u_char *meta)
{
    ssize_t  n;

    memset(meta, 0, META_SIZE);

    n = pages_pread(fd, meta, META_SIZE, (off_t) (i * page_size));
    if (n == -1) {
        return RFL_ERROR;
    }

    if (n == 0 && i == 0) {
        return RFL_NOT_FOUND;
    }

    if (n < META_SIZE) {
        return RFL_DAMAGED;
    }

    if (rfl_pages_u32(meta + META_MAGIC_1) == META_MAGIC) {
        memmove(meta + PAGE_HEAD, meta + META_MAGIC_1, 8);
        return RFL_BAD_VERSION;
    }

    if (rfl_pages_u32(meta + PAGE_HEAD) != META_MAGIC) {
        return RFL_DAMAGED;
    }

    return rfl_pages_u32(meta + PAGE_HEAD + 4) == META_VERSION ? RFL_OK
                                                           : RFL_BAD_VERSION;
}


static int
head_is_sane(const u_char *meta, unsigned i, size_t page_size)
{
    uint64_t       last_page, map_size;
    const u_char  *freed, *names;

    freed = meta + META_TREES;
    names = freed + TREE_SIZE;

    last_page = rfl_pages_u64(meta + META_LAST_PAGE);
    map_size = rfl_pages_u64(meta + META_MAP_SIZE);

    return rfl_pages_u64(meta) == i
           && rfl_pages_u16(meta + PAGE_FLAGS) == PAGE_META
           && page_size >= PAGE_SIZE_MIN && page_size <= PAGE_SIZE_MAX
           && (page_size & (page_size - 1)) == 0
           && rfl_pages_u32(freed) == page_size
           && (rfl_pages_u16(freed + TREE_FLAGS) & 0xff) == TREE_INTEGER_KEY
           && rfl_pages_u16(names + TREE_FLAGS) == 0
           && map_size <= META_MAP_MAX
           && last_page >= 1 && last_page < map_size / page_size;
}


rfl_rc_t
rfl_pages_check(int fd, size_t page_size, uint64_t txn_id,
    rfl_pages_fault_t *fault)
{
    u_char       meta[META_SIZE];
    rfl_rc_t     rc;
    rfl_pages_t  p;

    memset(&p, 0, sizeof(p));

    p.fd = fd;
    p.page_size = page_size;
    p.node_max = (((page_size - PAGE_HEAD) / 2) & ~(size_t) 1) - 2;
    p.txn_id = txn_id;
    p.fault = fault;

    rc = pages_meta(&p, meta);

    if (rc == RFL_OK) {
        rc = pages_init(&p);
    }

    if (rc == RFL_OK) {
        rc = pages_tree(&p, TREE_OF_FREED, meta + META_TREES, p.pages);
    }

    if (rc == RFL_OK) {
        rc = pages_tree(&p, TREE_OF_NAMES, meta + META_TREES + TREE_SIZE,
                        p.pages);
    }

    free(p.pages);
    free(p.sizes);
    free(p.seen);

    return rc;
}


static rfl_rc_t
pages_meta(rfl_pages_t *p, u_char *meta)
{
    rfl_rc_t          rc;
    unsigned          i;
    rfl_pages_head_t  head;

    rc = rfl_pages_head(p->fd, &head);

    if (rc == RFL_NOT_FOUND || rc == RFL_BAD_VERSION
        || (rc == RFL_OK && head.page_size != p->page_size))
    {
        rc = RFL_DAMAGED;
    }

    if (rc == RFL_DAMAGED) {
        return pages_fault(p, 0, "it is no header");
    }

    if (rc != RFL_OK) {
        return rc;
    }

    i = p->txn_id & 1;

    rc = head_read_meta(p->fd, i, p->page_size, meta);
    if (rc != RFL_OK) {
        return rc == RFL_ERROR ? rc : pages_fault(p, i, "it is no header");
    }

    p->last_page = rfl_pages_u64(meta + META_LAST_PAGE);

    return rfl_pages_u64(meta + META_TXN_ID) == p->txn_id ? RFL_OK
                                                          : RFL_NOT_FOUND;
}


static rfl_rc_t
pages_init(rfl_pages_t *p)
{
    struct stat  st;

    if (fstat(p->fd, &st) != 0) {
        return RFL_ERROR;
    }

    p->file_pages = (uint64_t) st.st_size / p->page_size;

    p->pages = malloc(2 * PAGES_DEPTH_MAX * p->page_size);
    p->sizes = malloc(p->page_size / 2 * sizeof(uint16_t));
    p->seen = calloc(p->file_pages / 8 + 1, 1);

    return p->pages != NULL && p->sizes != NULL && p->seen != NULL
           ? RFL_OK : RFL_NO_MEMORY;
}


/* pages: room for PAGES_DEPTH_MAX levels. */

static rfl_rc_t
pages_tree(rfl_pages_t *p, pages_kind_t kind, const u_char *record,
    u_char *pages)
{
    uint64_t      root;
    rfl_rc_t      rc;
    pages_tree_t  tree;

    memset(&tree, 0, offsetof(pages_tree_t, last));

    tree.kind = kind;
    tree.pages = pages;
    tree.integer = (rfl_pages_u16(record + TREE_FLAGS) & TREE_INTEGER_KEY) != 0;
    tree.depth = rfl_pages_u16(record + TREE_DEPTH);

    root = rfl_pages_u64(record + TREE_ROOT);

    if (tree.depth > PAGES_DEPTH_MAX
        || (tree.depth == 0) != (root == NO_PAGE))
    {
        return pages_fault(p, root, "its tree has an impossible depth");
    }

    if (tree.depth > 0) {
        rc = pages_walk(p, &tree, root, 0);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (tree.branches != rfl_pages_u64(record + TREE_BRANCHES)
        || tree.leaves != rfl_pages_u64(record + TREE_LEAVES)
        || tree.large != rfl_pages_u64(record + TREE_LARGE)
        || tree.entries != rfl_pages_u64(record + TREE_ENTRIES))
    {
        return pages_fault(p, root, "its tree has other pages or entries than "
                           "its record says");
    }

    return RFL_OK;
}


static rfl_rc_t
pages_walk(rfl_pages_t *p, pages_tree_t *tree, uint64_t number,
    unsigned level)
{
    int            leaf;
    u_char        *data;
    rfl_rc_t       rc;
    pages_page_t   page;

    rc = pages_mark(p, number);
    if (rc != RFL_OK) {
        return rc;
    }

    data = tree->pages + level * p->page_size;

    rc = pages_read(p, number, data, p->page_size);
    if (rc != RFL_OK) {
        return rc;
    }

    leaf = level + 1 == tree->depth;

    if (rfl_pages_u16(data + PAGE_FLAGS) != (leaf ? PAGE_LEAF : PAGE_BRANCH)) {
        return pages_fault(p, number, "it is of another kind");
    }

    rc = pages_page(p, &page, number, data);
    if (rc != RFL_OK) {
        return rc;
    }

    return leaf ? pages_walk_leaf(p, tree, &page, level)
                : pages_walk_branch(p, tree, &page, level);
}


static rfl_rc_t
pages_walk_branch(rfl_pages_t *p, pages_tree_t *tree,
    const pages_page_t *page, unsigned level)
{
    size_t         i;
    uint64_t       below;
    rfl_rc_t       rc;
    const u_char  *node;

    /* LMDB aborts at a branch of one, but lets the freed pages have it */

    if (page->nodes < 2 && tree->kind != TREE_OF_FREED) {
        return pages_fault(p, page->number, "it has one branch only");
    }

    tree->branches++;

    for (i = 0; i < page->nodes; i++) {
        node = page->data + rfl_pages_u16(page->data + PAGE_HEAD + 2 * i);

        /* the first one's key means nothing: it is below all others */

        if (i > 0 && !pages_key(tree, node, 0)) {
            return pages_fault(p, page->number, "its keys are out of order");
        }

        below = rfl_pages_u32(node) | (uint64_t) rfl_pages_u16(node + 4) << 32;

        rc = pages_walk(p, tree, below, level + 1);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
pages_walk_leaf(rfl_pages_t *p, pages_tree_t *tree, const pages_page_t *page,
    unsigned level)
{
    size_t         i;
    rfl_rc_t       rc;
    const u_char  *node;

    tree->leaves++;
    tree->entries += page->nodes;

    for (i = 0; i < page->nodes; i++) {
        node = page->data + rfl_pages_u16(page->data + PAGE_HEAD + 2 * i);

        if (!pages_key(tree, node, 1)) {
            return pages_fault(p, page->number, "its keys are out of order");
        }

        rc = pages_node(p, tree, page, node, level);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
pages_node(rfl_pages_t *p, pages_tree_t *tree, const pages_page_t *page,
    const u_char *node, unsigned level)
{
    size_t         size;
    uint16_t       flags, tree_flags;
    const u_char  *data;

    size = rfl_pages_u32(node);
    flags = rfl_pages_u16(node + 4);
    data = node + NODE_HEAD + rfl_pages_u16(node + 6);

    if (tree->kind == TREE_OF_FREED
        && rfl_pages_u64(node + NODE_HEAD) - 1 >= p->txn_id)
    {
        return pages_fault(p, page->number, "it frees pages in the future");
    }

    if (tree->kind == TREE_OF_NAMES) {

        if (flags != NODE_TREE || size != TREE_SIZE) {
            return pages_fault(p, page->number, "a table's record is none");
        }

        tree_flags = rfl_pages_u16(data + TREE_FLAGS);

        if (tree_flags != 0 && tree_flags != TREE_INTEGER_KEY) {
            return pages_fault(p, page->number, "a table's flags are unknown");
        }

        return pages_tree(p, TREE_OF_VALUES, data,
                          p->pages + PAGES_DEPTH_MAX * p->page_size);
    }

    if (flags == NODE_LARGE) {
        return pages_large(p, tree, rfl_pages_u64(data), size);
    }

    if (flags != 0 || (size_t) (data - node) + size > p->node_max) {
        return pages_fault(p, page->number, "a value is of no known kind");
    }

    return tree->kind == TREE_OF_FREED
           ? pages_freed_small(p, page->number, data, size) : RFL_OK;
}


/* More pages than the size needs are left when a value is overwritten. */

static rfl_rc_t
pages_large(rfl_pages_t *p, pages_tree_t *tree, uint64_t first, size_t size)
{
    u_char    head[PAGE_HEAD];
    uint64_t  i, n;
    rfl_rc_t  rc;

    rc = pages_read(p, first, head, PAGE_HEAD);
    if (rc != RFL_OK) {
        return rc;
    }

    n = rfl_pages_u32(head + PAGE_COUNT);

    if (rfl_pages_u64(head) != first
        || rfl_pages_u16(head + PAGE_FLAGS) != PAGE_LARGE
        || n < (size + PAGE_HEAD - 1) / p->page_size + 1)
    {
        return pages_fault(p, first, "it does not begin a large value");
    }

    for (i = 0; i < n; i++) {
        rc = pages_mark(p, first + i);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    tree->large += n;

    return tree->kind == TREE_OF_FREED ? pages_freed_large(p, first, size)
                                       : RFL_OK;
}


static rfl_rc_t
pages_freed_small(rfl_pages_t *p, uint64_t number, const u_char *data,
    size_t size)
{
    uint64_t  i, n, above;
    rfl_rc_t  rc;

    n = size < 8 ? 0 : rfl_pages_u64(data);

    if (size < 8 || size % 8 != 0 || n > size / 8 - 1) {
        return pages_fault(p, number, "a list of freed pages has no size");
    }

    above = UINT64_MAX;

    for (i = 1; i <= n; i++) {
        rc = pages_freed_one(p, number, rfl_pages_u64(data + 8 * i), &above);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
pages_freed_large(rfl_pages_t *p, uint64_t first, size_t size)
{
    off_t     at, end;
    u_char    part[4096];
    size_t    i, wanted;
    uint64_t  n, above;
    rfl_rc_t  rc;

    at = (off_t) (first * p->page_size + PAGE_HEAD);

    if (size < 8 || size % 8 != 0
        || pages_pread(p->fd, part, 8, at) != 8
        || rfl_pages_u64(part) > size / 8 - 1)
    {
        return pages_fault(p, first, "a list of freed pages has no size");
    }

    n = rfl_pages_u64(part);
    above = UINT64_MAX;
    end = at + 8 + (off_t) (8 * n);

    for (at += 8; at < end; at += (off_t) wanted) {
        wanted = end - at < (off_t) sizeof(part) ? (size_t) (end - at)
                                                 : sizeof(part);

        if (pages_pread(p->fd, part, wanted, at) != (ssize_t) wanted) {
            return pages_fault(p, first, "it cannot be read");
        }

        for (i = 0; i < wanted; i += 8) {
            rc = pages_freed_one(p, first, rfl_pages_u64(part + i), &above);
            if (rc != RFL_OK) {
                return rc;
            }
        }
    }

    return RFL_OK;
}


/* A freed page may be beyond the end of a short file. */

static rfl_rc_t
pages_freed_one(rfl_pages_t *p, uint64_t at, uint64_t freed, uint64_t *above)
{
    if (freed < 2 || freed > p->last_page || freed >= *above) {
        return pages_fault(p, at, "it frees pages that are none");
    }

    *above = freed;

    return freed < p->file_pages ? pages_mark(p, freed) : RFL_OK;
}


static rfl_rc_t
pages_page(rfl_pages_t *p, pages_page_t *page, uint64_t number,
    const u_char *data)
{
    page->number = number;
    page->data = data;
    page->lower = rfl_pages_u16(data + PAGE_LOWER);
    page->upper = rfl_pages_u16(data + PAGE_UPPER);

    if (rfl_pages_u64(data) != number) {
        return pages_fault(p, number, "it bears another number");
    }

    if (page->lower <= PAGE_HEAD || page->lower > page->upper
        || page->upper > p->page_size || (page->lower | page->upper) & 1)
    {
        return pages_fault(p, number, "its bounds are impossible");
    }

    page->nodes = (page->lower - PAGE_HEAD) / 2;

    return pages_nodes_fill(p, page)
           ? RFL_OK : pages_fault(p, number, "its entries do not fill it");
}


/*
 * LMDB moves nodes when one goes, and relies on there being neither gap nor
 * overlap.  A size is never 0, so 0 is where no node begins.
 */

static int
pages_nodes_fill(rfl_pages_t *p, const pages_page_t *page)
{
    int     leaf;
    size_t  i, at, size, used, nodes;

    leaf = page->data[PAGE_FLAGS] == PAGE_LEAF;
    used = p->page_size - page->upper;

    memset(p->sizes, 0, used);           /* two bytes for every other byte */

    for (i = 0; i < page->nodes; i++) {
        at = rfl_pages_u16(page->data + PAGE_HEAD + 2 * i);

        if (at < page->upper || at + NODE_HEAD > p->page_size || at & 1) {
            return 0;
        }

        size = pages_node_size(page->data + at, leaf);

        if (size > p->page_size - at) {
            return 0;
        }

        p->sizes[(at - page->upper) / 2] = (uint16_t) size;
    }

    nodes = 0;

    for (at = 0; at < used; at += size) {
        size = p->sizes[at / 2];

        if (size == 0) {
            return 0;
        }

        nodes++;
    }

    return nodes == page->nodes;
}


static size_t
pages_node_size(const u_char *node, int leaf)
{
    size_t  size;

    size = NODE_HEAD + rfl_pages_u16(node + 6);

    if (leaf) {
        size += rfl_pages_u16(node + 4) & NODE_LARGE ? 8 : rfl_pages_u32(node);
    }

    return (size + 1) & ~(size_t) 1;
}


/*
 * Keys ascend over all leaves.  A branch's key is above all before it and not
 * above the first one below it.
 */

static int
pages_key(pages_tree_t *tree, const u_char *node, int leaf)
{
    int            order;
    size_t         size;
    const u_char  *key;

    key = node + NODE_HEAD;
    size = rfl_pages_u16(node + 6);

    if (size == 0 || size > PAGES_KEY_MAX) {
        return 0;
    }

    if (tree->integer) {

        if (tree->integer_size == 0) {
            tree->integer_size = size;
        }

        if (size != tree->integer_size || (size != 4 && size != 8)
            || (size != 8 && tree->kind == TREE_OF_FREED))
        {
            return 0;
        }
    }

    if (tree->last_size > 0) {
        order = pages_compare(tree, key, size);

        if (order < 0 || (order == 0 && !(leaf && tree->bound))) {
            return 0;
        }
    }

    memcpy(tree->last, key, size);
    tree->last_size = size;
    tree->bound = leaf ? 0 : 1;

    return 1;
}


/* Of key to the last one. */

static int
pages_compare(const pages_tree_t *tree, const u_char *key, size_t size)
{
    int       order;
    size_t    common;
    uint64_t  a, b;

    if (tree->integer) {
        a = size == 8 ? rfl_pages_u64(key) : rfl_pages_u32(key);
        b = size == 8 ? rfl_pages_u64(tree->last) : rfl_pages_u32(tree->last);

        return a < b ? -1 : a > b;
    }

    common = size < tree->last_size ? size : tree->last_size;

    order = memcmp(key, tree->last, common);
    if (order != 0) {
        return order;
    }

    return size < tree->last_size ? -1 : size > tree->last_size;
}


/* No page has two places; so a walk ends, too. */

static rfl_rc_t
pages_mark(rfl_pages_t *p, uint64_t number)
{
    u_char  bit;

    if (number < 2 || number > p->last_page) {
        return pages_fault(p, number, "there is no such page");
    }

    if (number >= p->file_pages) {
        return pages_fault(p, number, "it is missing");
    }

    bit = (u_char) (1 << (number & 7));

    if (p->seen[number / 8] & bit) {
        return pages_fault(p, number, "it is used twice");
    }

    p->seen[number / 8] |= bit;

    return RFL_OK;
}


static rfl_rc_t
pages_read(rfl_pages_t *p, uint64_t number, u_char *data, size_t size)
{
    ssize_t  n;

    if (number >= p->file_pages) {
        return pages_fault(p, number, "it is missing");
    }

    n = pages_pread(p->fd, data, size, (off_t) (number * p->page_size));
    if (n == -1) {
        return RFL_ERROR;
    }

    return (size_t) n == size ? RFL_OK
                              : pages_fault(p, number, "it is missing");
}


static ssize_t
pages_pread(int fd, u_char *data, size_t size, off_t offset)
{
    ssize_t  n;

    do {
        n = pread(fd, data, size, offset);
    } while (n == -1 && errno == EINTR);

    return n;
}


static rfl_rc_t
pages_fault(rfl_pages_t *p, uint64_t page, const char *what)
{
    p->fault->page = page;
    p->fault->what = what;

    return RFL_DAMAGED;
}


/* The page of the record says its number: so far away the map begins. */

void
rfl_pages_table(rfl_str_t tree, size_t page_size, uint64_t last_page,
    rfl_pages_table_t *table)
{
    uint64_t       root;
    unsigned       depth;
    const u_char  *page, *map;

    memset(table, 0, sizeof(rfl_pages_table_t));

    table->depth = 1;                    /* of no pages: all is RFL_ERROR */

    if (tree.len != TREE_SIZE || page_size == 0
        || page_size > (size_t) sysconf(_SC_PAGESIZE)
        || !(rfl_pages_u16(tree.data + TREE_FLAGS) & TREE_INTEGER_KEY))
    {
        return;
    }

    page = tree.data - (uintptr_t) tree.data % page_size;

    if (rfl_pages_u64(page) > last_page) {
        return;
    }

    map = page - rfl_pages_u64(page) * page_size;
    root = rfl_pages_u64(tree.data + TREE_ROOT);
    depth = rfl_pages_u16(tree.data + TREE_DEPTH);

    if (depth > PAGES_DEPTH_MAX
        || rfl_pages_u32(map + PAGE_HEAD) != META_MAGIC)
    {
        return;
    }

    table->map = map;
    table->page_size = page_size;
    table->pages = last_page + 1;
    table->root = root;
    table->depth = depth;
}


/*
 * To the leaf of a key.  The first key of a branch is not there: it is less
 * than all others.
 */

rfl_rc_t
rfl_pages_descend(rfl_pages_table_t *table, uint64_t key)
{
    size_t         n, i;
    double         scale, part;
    uint64_t       number, low, high;
    unsigned       level;
    const u_char  *page;

    table->span = 0;

    if (table->depth == 0) {
        return RFL_NOT_FOUND;
    }

    number = table->root;
    low = 0;
    high = UINT64_MAX;

    for (level = 1; level < table->depth; level++) {

        if (number >= table->pages) {
            return RFL_ERROR;
        }

        page = table->map + number * table->page_size;
        part = pages_part(key - low, pages_scale(high - low));

        pages_fetch(page, table->page_size, part, PAGES_OFFSETS_OF_BRANCH);

        n = rfl_pages_nodes(table, page, PAGE_BRANCH);

        if (n == 0) {
            return RFL_ERROR;
        }

        i = n;

        if (n > 1) {
            i = (size_t) (part * (double) (int64_t) (n - 1));
            i = rfl_pages_behind(page, sizeof(key), 1, n, key, i + 1);
        }

        if (i > 1) {
            low = rfl_pages_key_of(page, sizeof(key), i - 1);
        }

        if (i < n) {
            high = rfl_pages_key_of(page, sizeof(key), i);
        }

        number = rfl_pages_u64(rfl_pages_node_of(page, i - 1))
                 & RFL_PAGES_NUMBER;
    }

    if (number >= table->pages) {
        return RFL_ERROR;
    }

    page = table->map + number * table->page_size;
    scale = pages_scale(high - low);
    part = pages_part(key - low, scale);

    pages_fetch(page, table->page_size, part, PAGES_OFFSETS_OF_LEAF);

    n = rfl_pages_nodes(table, page, PAGE_LEAF);

    if (n == 0 || low >= high) {
        return RFL_ERROR;
    }

    table->leaf = page;
    table->nodes = n;
    table->low = low;
    table->span = high - low;
    table->density = (double) (int64_t) n * scale;
    table->last = low;
    table->at = 0;

    return RFL_OK;
}


/* Signed numbers are converted in one instruction, hence the half. */

static inline double
pages_half(uint64_t n)
{
    return (double) (int64_t) (n >> 1);
}


static inline double
pages_scale(uint64_t span)
{
    return 1 / (pages_half(span) + 1);
}


/* Keys out of order, in a damaged page, may be beyond the end. */

static inline double
pages_part(uint64_t away, double scale)
{
    double  part;

    part = pages_half(away) * scale;

    return part < 1 ? part : 1;
}


/*
 * What will be read of a page may be far away: its head, the offset of the
 * node that lies at this part of it, and that node.  They are asked for at
 * once, not one when the other has come; 15 % of a probe among 1,000,000
 * links.  Nodes that came in order, as those of an import, lie from the end
 * on; where they do not, this was for nothing.
 */

static inline void
pages_fetch(const u_char *page, size_t page_size, double part,
    double offsets)
{
    size_t  at, offset;

    at = (size_t) (int64_t) (part * (double) (int64_t) page_size);
    offset = (size_t) (int64_t) (part * offsets
                                 * (double) (int64_t) page_size);

    __builtin_prefetch(page);
    __builtin_prefetch(page + PAGE_HEAD + offset);
    __builtin_prefetch(page + page_size - PAGES_AROUND - (at - offset));
}
