/*
 * Sums of links by a name they have in common: host, channel, partner, label.
 *
 * A table of rows in memory, found by a hash of the name; what two names that
 * share all 64 bits of it would cost is one row for both.  All work is bounded:
 * adding never moves what is there (rows are kept in chunks), sorting is done
 * in steps.
 */

#ifndef RFL_TALLY_H
#define RFL_TALLY_H

#include "rfl_counters.h"
#include "rfl_link.h"


#define RFL_TALLY_MAX    65536           /* rows */
#define RFL_TALLY_CHUNK  1024

/* A link has one name, or as many as it has labels: "a,b,c". */

#define RFL_TALLY_NAMES_MAX  (RFL_LABELS_TEXT_MAX / 2 + 1)


typedef enum {
    RFL_TALLY_HOST = 0,
    RFL_TALLY_CHANNEL,
    RFL_TALLY_PARTNER,
    RFL_TALLY_LABEL
} rfl_tally_by_t;


typedef struct {
    uint64_t    hash;
    uint32_t    links;
    uint32_t    id;                      /* the caller's */
    rfl_str_t   name;
    uint64_t   *sums;                    /* width numbers */
} rfl_tally_row_t;

typedef struct rfl_tally_text_s  rfl_tally_text_t;

typedef struct {
    size_t             n;
    size_t             max;
    size_t             width;
    rfl_tally_row_t   *rows[RFL_TALLY_MAX / RFL_TALLY_CHUNK];
    uint64_t          *sums[RFL_TALLY_MAX / RFL_TALLY_CHUNK];
    uint32_t          *index;            /* row + 1; NULL: there is none */
    rfl_tally_text_t  *texts;

    uint32_t          *order;            /* of the rows, when sorted */
    size_t             sorted;           /* how far the sort is */
    unsigned           heaped:1;
} rfl_tally_t;


/*
 * max <= RFL_TALLY_MAX rows of width numbers.  indexed: rows can be found by
 * their names.
 */

rfl_rc_t rfl_tally_init(rfl_tally_t *t, size_t max, size_t width,
    int indexed);
void rfl_tally_free(rfl_tally_t *t);     /* all zeroes are allowed */

/* No rows again, in the same memory; of a table that is not indexed. */

void rfl_tally_clear(rfl_tally_t *t);


static inline rfl_tally_row_t *
rfl_tally_row(const rfl_tally_t *t, size_t i)
{
    return &t->rows[i / RFL_TALLY_CHUNK][i % RFL_TALLY_CHUNK];
}


uint64_t rfl_tally_hash(rfl_str_t name);

/*
 * find: RFL_NOT_FOUND.  add: finds it or makes it, with sums of zero; append:
 * makes it.  RFL_FULL, RFL_NO_MEMORY.
 */

rfl_rc_t rfl_tally_find(const rfl_tally_t *t, uint64_t hash, size_t *i);
rfl_rc_t rfl_tally_add(rfl_tally_t *t, rfl_str_t name, size_t *i);
rfl_rc_t rfl_tally_append(rfl_tally_t *t, rfl_str_t name, size_t *i);


/*
 * An order of rows: by one of their sums, rows that are alike by hash; or by
 * name.
 */

typedef struct {
    unsigned  by_name:1;
    unsigned  ascending:1;
    unsigned  field;
} rfl_tally_order_t;

/*
 * Makes t->order.  RFL_BUSY: *work, which each row lowers by one or two, is
 * used up; go on later.  RFL_NO_MEMORY.
 */

rfl_rc_t rfl_tally_sort(rfl_tally_t *t, const rfl_tally_order_t *order,
    uint32_t *work);

/* How many of the sorted rows do not stand behind the row that is given. */

size_t rfl_tally_after(const rfl_tally_t *t, const rfl_tally_order_t *order,
    uint64_t value, uint64_t hash, rfl_str_t name);


/*
 * The names a link has; slices of the link.  One, that may be empty, where it
 * is no label.  Of hosts, which are told from its SURT, none.
 */

size_t rfl_tally_names(rfl_tally_by_t by, const rfl_link_t *link,
    rfl_str_t names[RFL_TALLY_NAMES_MAX]);

/*
 * "blog.example" from "example,blog"; surt may go on behind a ")".  out:
 * RFL_HOST_MAX + 16 bytes.
 */

rfl_str_t rfl_tally_host(rfl_str_t surt, u_char *out);


#endif /* RFL_TALLY_H */
