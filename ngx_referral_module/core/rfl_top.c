/*
 * See rfl_top.h.  Adding to a full heap replaces its root, O(log n); most rows
 * of a long list are turned away by one comparison with it.
 */

#include "rfl_top.h"

#include <stdlib.h>


static void rfl_top_down(rfl_top_t *top, size_t i, size_t n);
static void rfl_top_swap(rfl_top_t *top, size_t a, size_t b);


rfl_rc_t
rfl_top_init(rfl_top_t *top, size_t max, unsigned ascending)
{
    top->n = 0;
    top->max = max;
    top->ascending = ascending;

    top->rows = calloc(max, sizeof(rfl_top_row_t));

    return top->rows != NULL ? RFL_OK : RFL_NO_MEMORY;
}


void
rfl_top_free(rfl_top_t *top)
{
    free(top->rows);
    top->rows = NULL;
    top->n = 0;
}


int
rfl_top_before(const rfl_top_t *top, const rfl_top_row_t *a,
    const rfl_top_row_t *b)
{
    if (a->value != b->value) {
        return top->ascending ? a->value < b->value : a->value > b->value;
    }

    return a->key < b->key;
}


int
rfl_top_wants(const rfl_top_t *top, uint64_t value)
{
    if (top->n < top->max) {
        return 1;
    }

    return top->ascending ? value <= top->rows[0].value
                          : value >= top->rows[0].value;
}


void
rfl_top_add(rfl_top_t *top, const rfl_top_row_t *row)
{
    size_t  i, parent;

    if (top->n == top->max) {

        if (rfl_top_before(top, row, &top->rows[0])) {
            top->rows[0] = *row;
            rfl_top_down(top, 0, top->n);
        }

        return;
    }

    i = top->n++;
    top->rows[i] = *row;

    while (i > 0) {
        parent = (i - 1) / 2;

        if (!rfl_top_before(top, &top->rows[parent], &top->rows[i])) {
            break;
        }

        rfl_top_swap(top, parent, i);
        i = parent;
    }
}


void
rfl_top_sort(rfl_top_t *top)
{
    size_t  n;

    for (n = top->n; n > 1; n--) {
        rfl_top_swap(top, 0, n - 1);
        rfl_top_down(top, 0, n - 1);
    }
}


/* The worse child moves up. */

static void
rfl_top_down(rfl_top_t *top, size_t i, size_t n)
{
    size_t  child;

    for ( ;; ) {
        child = 2 * i + 1;

        if (child >= n) {
            return;
        }

        if (child + 1 < n
            && rfl_top_before(top, &top->rows[child], &top->rows[child + 1]))
        {
            child++;
        }

        if (!rfl_top_before(top, &top->rows[i], &top->rows[child])) {
            return;
        }

        rfl_top_swap(top, i, child);
        i = child;
    }
}


static void
rfl_top_swap(rfl_top_t *top, size_t a, size_t b)
{
    rfl_top_row_t  row;

    row = top->rows[a];
    top->rows[a] = top->rows[b];
    top->rows[b] = row;
}
