/*
 * The best n of any number of rows, in memory for n: a binary heap whose root
 * is the worst row kept.
 */

#ifndef RFL_TOP_H
#define RFL_TOP_H

#include "rfl_base.h"


/* Rows are ordered by value, then by key, so that no two are equal. */

typedef struct {
    uint64_t   value;
    uint64_t   key;
    uint32_t   id;
} rfl_top_row_t;

typedef struct {
    rfl_top_row_t  *rows;
    size_t          n;
    size_t          max;
    unsigned        ascending:1;         /* the smallest values are the best */
} rfl_top_t;


/* max > 0; RFL_NO_MEMORY. */

rfl_rc_t rfl_top_init(rfl_top_t *top, size_t max, unsigned ascending);
void rfl_top_free(rfl_top_t *top);

/* Whether a row stands before another in the final order. */

int rfl_top_before(const rfl_top_t *top, const rfl_top_row_t *a,
    const rfl_top_row_t *b);

/* Whether a row of this value may be kept; spares finding out its key. */

int rfl_top_wants(const rfl_top_t *top, uint64_t value);

void rfl_top_add(rfl_top_t *top, const rfl_top_row_t *row);

/* Puts the rows into their final order, the best first; ends adding. */

void rfl_top_sort(rfl_top_t *top);


#endif /* RFL_TOP_H */
