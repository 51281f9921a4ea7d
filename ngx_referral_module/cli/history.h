/*
 * What referralctl history reads, and its two forms of showing it.
 */

#ifndef HISTORY_H
#define HISTORY_H

#include "cli.h"


/*
 * A bucket that has counts: of a link, or those of all.  A click that came by
 * one of several links is one of the counters' clicks, too.
 */

typedef struct {
    uint32_t    bucket;
    rfl_cell_t  counters;
    uint64_t    one_of;              /* clicks */
} history_row_t;


typedef struct {
    rfl_range_t     range;           /* what is shown, in whole buckets */
    rfl_str_t       title;           /* the link's source or tag */
    u_char          key[RFL_KEY_LEN];
    unsigned        is_all:1;        /* the whole registry: no key */
    history_row_t  *rows;            /* in the order of time */
    size_t          nrows;
    size_t          size;
} history_t;


/*
 * The table.  On a terminal it fits the screen, and a line of clicks stands
 * below it; elsewhere it has every column that is not all zero.
 */

void history_text(rfl_buf_t *out, const history_t *history);


#endif /* HISTORY_H */
