/*
 * Many keys of a table of integers at once, in the map of a reader that holds
 * the snapshot (rfl_pages.h).  Looked up one by one, keys that are far apart
 * wait for memory again and again: page, offset, node, at each level.  Here all
 * of them take each of these steps together, so they wait together.
 */

#ifndef RFL_PAGES_MANY_H
#define RFL_PAGES_MANY_H

#include "rfl_pages.h"


/* So many at a time: what they bring fits into the nearest caches. */

#define RFL_PAGES_MANY  24


/*
 * Where a key is, or would be: in front of the leaf's node number at.  Keys in
 * that leaf are less than high.
 */

typedef struct {
    const u_char  *leaf;                 /* NULL: ask LMDB */
    size_t         at;
    size_t         n;                    /* nodes of the leaf */
    uint64_t       high;
    size_t         key_size;
    size_t         page_size;
} rfl_pages_place_t;


/*
 * key_size: 4 or 8.  n: at most RFL_PAGES_MANY keys, in any order.  A table
 * that is empty has no leaf either.
 */

void rfl_pages_places(const rfl_pages_table_t *table, size_t key_size,
    const uint64_t *keys, size_t n, rfl_pages_place_t *places);

/*
 * The node at the place.  RFL_NOT_FOUND: it is behind the leaf's last one; if
 * what is looked for is not less than high, the next leaf has it.  RFL_ERROR:
 * its value is one that LMDB has to read.
 */

rfl_rc_t rfl_pages_at(const rfl_pages_place_t *place, uint64_t *key,
    rfl_str_t *value);


#endif /* RFL_PAGES_MANY_H */
