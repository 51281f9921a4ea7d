/*
 * See rfl_pages_many.h; the format is described in rfl_pages.c.
 *
 * Ids are dense and keys that are hashes lie evenly, so a key is looked for
 * where it should be between the lowest and the highest that its page can have:
 * that brings the right lines near more often than not.  Where it is then
 * settled, which may touch others, nothing has to be right beforehand.
 */

#include "rfl_pages_many.h"


#define CACHE_LINE    64

/* A link's record has some 150 bytes. */

#define VALUE_LINES   3


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
        places[i].page_size = table->page_size;
        places[i].at = keys[i] == 0 ? 0
                       : rfl_pages_behind(ways[i].page, key_size, 0, ways[i].n,
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

        way->n = rfl_pages_nodes(table, way->page, is_leaf ? RFL_PAGES_LEAF
                                                           : RFL_PAGES_BRANCH);
        way->first = is_leaf ? 0 : 1;

        if (way->n == 0) {
            way->page = NULL;
            continue;
        }

        way->guess = guess_of(way, keys[i]);
        __builtin_prefetch(way->page + RFL_PAGES_HEAD + 2 * way->guess);
    }

    for (i = 0; i < n; i++) {
        if (ways[i].page == NULL) {
            continue;
        }

        node = rfl_pages_node_of(ways[i].page, ways[i].guess);

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
    size_t  i;

    i = way->n;

    if (i > 1) {
        i = rfl_pages_behind(way->page, key_size, 1, way->n, key, way->guess);
    }

    if (i > 1) {
        way->low = rfl_pages_key_of(way->page, key_size, i - 1);
    }

    if (i < way->n) {
        way->high = rfl_pages_key_of(way->page, key_size, i);
    }

    way->number = rfl_pages_u64(rfl_pages_node_of(way->page, i - 1))
                  & RFL_PAGES_NUMBER;
}


rfl_rc_t
rfl_pages_at(const rfl_pages_place_t *place, uint64_t *key, rfl_str_t *value)
{
    const u_char  *node;

    if (place->at >= place->n) {
        return RFL_NOT_FOUND;
    }

    node = rfl_pages_node_of(place->leaf, place->at);

    *key = rfl_pages_key_of(place->leaf, place->key_size, place->at);
    value->len = rfl_pages_u32(node);
    value->data = node + RFL_PAGES_NODE + place->key_size;

    return rfl_pages_is_small(node, place->page_size) ? RFL_OK : RFL_ERROR;
}
