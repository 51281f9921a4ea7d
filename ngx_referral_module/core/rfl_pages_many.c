/*
 * See rfl_pages_many.h; the format is described in rfl_pages.c.
 *
 * Ids are dense and keys that are hashes lie evenly, so a key is looked for
 * where it should be between the lowest and the highest that its page can have:
 * that brings the right lines near more often than not.  Where it is then
 * settled, which may touch others, nothing has to be right beforehand.
 */

#include "rfl_pages_many.h"


#define PAGE_HEAD     16
#define PAGE_FLAGS    10
#define PAGE_LOWER    12
#define PAGE_BRANCH   0x01
#define PAGE_LEAF     0x02

#define NODE_HEAD     8
#define NODE_FLAGS    4

#define PAGE_NUMBER   0xffffffffffffu    /* of a branch's node */

#define CACHE_LINE    64

/* A link's record has some 150 bytes. */

#define VALUE_LINES   3

/* From where a key should be it is looked for one by one, so far. */

#define NEAR          8


/* One key's way down. */

typedef struct {
    const u_char  *page;                 /* NULL: LMDB is asked */
    uint64_t       number;
    uint64_t       low;
    uint64_t       high;
    size_t         n;
    size_t         first;                /* a branch's first has no key */
    size_t         guess;
} way_t;


static void ways_pages(const rfl_pages_table_t *table, way_t *ways, size_t n);
static void ways_guess(const rfl_pages_table_t *table, way_t *ways,
    const uint64_t *keys, size_t n, int is_leaf);
static size_t guess_of(const way_t *way, uint64_t key);
static void way_down(way_t *way, size_t key_size, uint64_t key);
static size_t behind(const u_char *page, size_t key_size, size_t first,
    size_t n, uint64_t key, size_t guess);
static inline const u_char *node_of(const u_char *page, size_t i);
static inline uint64_t key_of(const u_char *node, size_t key_size);
static inline uint16_t u16_of(const u_char *p);


void
rfl_pages_places(const rfl_pages_table_t *table, size_t key_size,
    const uint64_t *keys, size_t n, rfl_pages_place_t *places)
{
    way_t     ways[RFL_PAGES_MANY];
    size_t    i;
    unsigned  level;

    for (i = 0; i < n; i++) {
        ways[i].number = table->root;
        ways[i].low = 0;
        ways[i].high = key_size == sizeof(uint32_t) ? (uint64_t) 1 << 32
                                                    : UINT64_MAX;
        ways[i].page = table->depth != 0 ? table->map : NULL;
    }

    for (level = 1; level <= table->depth; level++) {
        ways_pages(table, ways, n);
        ways_guess(table, ways, keys, n, level == table->depth);

        for (i = 0; level < table->depth && i < n; i++) {
            if (ways[i].page != NULL) {
                way_down(&ways[i], key_size, keys[i]);
            }
        }
    }

    for (i = 0; i < n; i++) {
        places[i].leaf = ways[i].page;
        places[i].high = ways[i].high;
        places[i].key_size = key_size;

        if (ways[i].page == NULL) {
            continue;
        }

        places[i].n = ways[i].n;
        places[i].at = keys[i] == 0 ? 0
                       : behind(ways[i].page, key_size, 0, ways[i].n,
                                keys[i] - 1, ways[i].guess);
    }
}


/* Asks for the heads of the pages. */

static void
ways_pages(const rfl_pages_table_t *table, way_t *ways, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (ways[i].page == NULL) {
            continue;
        }

        if (ways[i].number >= table->pages) {
            ways[i].page = NULL;
            continue;
        }

        ways[i].page = table->map + ways[i].number * table->page_size;
        __builtin_prefetch(ways[i].page);
    }
}


/* Then for the offset of the node that should be it, then for that. */

static void
ways_guess(const rfl_pages_table_t *table, way_t *ways, const uint64_t *keys,
    size_t n, int is_leaf)
{
    way_t         *way;
    size_t         i, line;
    const u_char  *node;

    for (i = 0; i < n; i++) {
        way = &ways[i];

        if (way->page == NULL) {
            continue;
        }

        way->n = (size_t) (u16_of(way->page + PAGE_LOWER) - PAGE_HEAD) / 2;
        way->first = is_leaf ? 0 : 1;

        if (way->n == 0 || way->n > table->page_size / 2
            || u16_of(way->page + PAGE_FLAGS)
               != (is_leaf ? PAGE_LEAF : PAGE_BRANCH))
        {
            way->page = NULL;
            continue;
        }

        way->guess = guess_of(way, keys[i]);
        __builtin_prefetch(way->page + PAGE_HEAD + 2 * way->guess);
    }

    for (i = 0; i < n; i++) {
        if (ways[i].page == NULL) {
            continue;
        }

        node = node_of(ways[i].page, ways[i].guess);

        for (line = 0; line < (is_leaf ? VALUE_LINES : 1); line++) {
            __builtin_prefetch(node + line * CACHE_LINE);
        }
    }
}


static size_t
guess_of(const way_t *way, uint64_t key)
{
    double  part;
    size_t  n;

    n = way->n - way->first;

    if (n == 0 || key <= way->low) {
        return way->first < way->n ? way->first : way->n - 1;
    }

    part = (double) (key - way->low) / (double) (way->high - way->low);

    if (part >= 1) {
        return way->n - 1;
    }

    return way->first + (size_t) (part * (double) n);
}


static void
way_down(way_t *way, size_t key_size, uint64_t key)
{
    size_t         i;
    uint64_t       number;
    const u_char  *node;

    i = behind(way->page, key_size, 1, way->n, key, way->guess);

    if (i > 1) {
        way->low = key_of(node_of(way->page, i - 1), key_size);
    }

    if (i < way->n) {
        way->high = key_of(node_of(way->page, i), key_size);
    }

    node = node_of(way->page, i - 1);
    memcpy(&number, node, sizeof(number));
    way->number = number & PAGE_NUMBER;
}


/* Of the nodes first to n the first whose key is greater, or n. */

static size_t
behind(const u_char *page, size_t key_size, size_t first, size_t n,
    uint64_t key, size_t guess)
{
    size_t  i, begin, end;

    if (first >= n) {
        return n;
    }

    i = guess < first ? first : guess >= n ? n - 1 : guess;

    if (key_of(node_of(page, i), key_size) <= key) {

        end = i + NEAR < n ? i + NEAR : n;

        for (i++; i < end; i++) {
            if (key_of(node_of(page, i), key_size) > key) {
                return i;
            }
        }

        begin = end;
        end = n;

    } else {

        begin = i > first + NEAR ? i - NEAR : first;

        for ( /* void */ ; i > begin; i--) {
            if (key_of(node_of(page, i - 1), key_size) <= key) {
                return i;
            }
        }

        end = begin;
        begin = first;
    }

    while (begin < end) {
        i = begin + (end - begin) / 2;

        if (key_of(node_of(page, i), key_size) <= key) {
            begin = i + 1;

        } else {
            end = i;
        }
    }

    return begin;
}


rfl_rc_t
rfl_pages_at(const rfl_pages_place_t *place, uint64_t *key, rfl_str_t *value)
{
    uint32_t       len;
    const u_char  *node;

    if (place->at >= place->n) {
        return RFL_NOT_FOUND;
    }

    node = node_of(place->leaf, place->at);
    memcpy(&len, node, sizeof(len));

    *key = key_of(node, place->key_size);
    value->len = len;
    value->data = node + NODE_HEAD + place->key_size;

    return u16_of(node + NODE_FLAGS) == 0 ? RFL_OK : RFL_ERROR;
}


static inline const u_char *
node_of(const u_char *page, size_t i)
{
    return page + u16_of(page + PAGE_HEAD + 2 * i);
}


static inline uint64_t
key_of(const u_char *node, size_t key_size)
{
    uint32_t  small;
    uint64_t  key;

    if (key_size == sizeof(small)) {
        memcpy(&small, node + NODE_HEAD, sizeof(small));
        return small;
    }

    memcpy(&key, node + NODE_HEAD, sizeof(key));

    return key;
}


static inline uint16_t
u16_of(const u_char *p)
{
    uint16_t  n;

    memcpy(&n, p, sizeof(n));

    return n;
}
