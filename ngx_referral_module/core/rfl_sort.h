/*
 * Sorting more than should be in memory: items of bytes, in the order of
 * memcmp(), a shorter one before those it begins.  What fills the memory is
 * put in order and written to a file without a name, as a run; reading merges
 * the runs.  What fits into memory never sees the disk.
 */

#ifndef RFL_SORT_H
#define RFL_SORT_H

#include "rfl_base.h"


#define RFL_SORT_ITEM_MAX  1024          /* bytes */

typedef struct rfl_sort_s  rfl_sort_t;


/*
 * dir is where the file is made, once there is need; it must live as long.
 * Items take memory bytes at most, each two more than it has; their order
 * takes 16 bytes each, twice, for n items.  NULL: no memory.
 */

rfl_sort_t *rfl_sort_create(const char *dir, size_t memory, size_t n);
void rfl_sort_free(rfl_sort_t *s);       /* NULL is allowed */

/*
 * At most RFL_SORT_ITEM_MAX bytes.  RFL_FULL: the disk is full, or there are
 * more runs than memory can read at once.
 */

rfl_rc_t rfl_sort_add(rfl_sort_t *s, rfl_str_t item, rfl_error_t *err);

/*
 * begin: all are added.  next: the items in order; a slice lives until the
 * next call.  RFL_NOT_FOUND is the end.
 */

rfl_rc_t rfl_sort_begin(rfl_sort_t *s, rfl_error_t *err);
rfl_rc_t rfl_sort_next(rfl_sort_t *s, rfl_str_t *item, rfl_error_t *err);

/* Forgets all items. */

void rfl_sort_reset(rfl_sort_t *s);


#endif /* RFL_SORT_H */
