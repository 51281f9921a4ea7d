/*
 * From rows to links of the registry: added, merged with an earlier row of
 * this import, updated, or left as they are; and what a list no longer has is
 * removed.  For "referralctl import", and for a file the keeper follows
 * (rfl_source.h): the same rows make the same registry.
 *
 * All rows that name a link say together what it is: the first one that fills
 * a field decides it.  Nothing is written for what is registered already.
 */

#ifndef RFL_IMPORT_H
#define RFL_IMPORT_H

#include "rfl_registry.h"
#include "rfl_rows.h"


/*
 * What a tool says of a link beside its fields.  A link is labelled "lost"
 * when a row says so and none says that it lives.
 */

#define RFL_IMPORT_LOST       0x01
#define RFL_IMPORT_LIVE       0x02
#define RFL_IMPORT_DISAVOWED  0x04

#define RFL_IMPORT_MARKS_ROOM  32        /* bytes the labels may take */


typedef struct {
    uint64_t  links;                     /* that the rows name */
    uint64_t  added;
    uint64_t  merged;                    /* rows equal to an earlier one */
    uint64_t  registered;                /* were there, and stay as they are */
    uint64_t  updated;
    uint64_t  removed;
} rfl_import_counts_t;


/*
 * Fields, by bit of their number, that are set in the registry and that no row
 * has filled yet; cleared: a row that has the column left them empty.
 */

typedef struct {
    uint32_t  empty;
    uint32_t  cleared;
} rfl_import_gap_t;

_Static_assert(RFL_ROW_FIELDS_MAX <= 32, "a bit for each field");


/* Zeroes are a beginning; the first part is the caller's to set. */

typedef struct {
    rfl_registry_t       *registry;      /* in a write transaction */
    uint64_t              now;           /* seconds */
    unsigned              update:1;      /* change what is registered */
    unsigned              utf8:1;        /* text must be UTF-8 */
    uint32_t              max_links;     /* the rows may name; 0: any number */
    rfl_str_t             defaults[RFL_ROW_FIELDS_MAX];

    /* A link the rows have not named before, and what it is.  Or NULL. */

    rfl_rc_t            (*named)(void *data, const rfl_identity_t *identity,
                                 rfl_error_t *err);
    void                 *data;

    /* Asked before each link that is removed or cleared: it may take minutes.
     * Or NULL. */

    rfl_rc_t            (*may_go_on)(void *data, rfl_error_t *err);

    rfl_import_counts_t   counts;

    /* its own */
    unsigned              changed:1;
    u_char               *seen;          /* a byte of bits per id */
    size_t                seen_size;
    rfl_import_gap_t     *gaps;          /* by id; NULL: there are none */
    size_t                gaps_size;
    rfl_link_copy_t       kept;
    u_char                labels[RFL_LABELS_TEXT_MAX];   /* of kept */
} rfl_import_t;


/*
 * One row to one link.  RFL_OK, RFL_INVALID (a bad row, and why: nothing of it
 * was written), or an error that ends the import.
 */

rfl_rc_t rfl_import_row(rfl_import_t *im, const rfl_row_t *row,
    rfl_error_t *err);

/*
 * Behind the last row, before settle: clears the fields that the rows of a
 * registered link leave empty, all of them.  Not before: a later row may fill
 * such a field, with what is registered perhaps, and nothing is to be written.
 */

rfl_rc_t rfl_import_clear(rfl_import_t *im, rfl_error_t *err);

/* Removes every registered link no row has named; settle before. */

rfl_rc_t rfl_import_remove_others(rfl_import_t *im, rfl_error_t *err);

/* Whether anything was written: else there is nothing to commit. */

static inline int
rfl_import_changed(const rfl_import_t *im)
{
    return im->changed;
}

/*
 * Whether a row has named the link of this id.  first: also that this was not
 * asked before.
 */

int rfl_import_has_named(const rfl_import_t *im, uint32_t id);
int rfl_import_has_named_first(rfl_import_t *im, uint32_t id);

void rfl_import_free(rfl_import_t *im);


#endif /* RFL_IMPORT_H */
