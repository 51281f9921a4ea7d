/*
 * What a bulk registration has still to write, or a removal of many to take
 * away: keys, slots and sources of many links, to be put into the order of
 * their tables before that.
 *
 * Keys and slots are hashes, so links come to their B-trees at random.  A
 * random put costs four times one in order (1,400 ns and 340, at three million
 * entries of 24 bytes in one transaction), and leaves pages 69 % full where
 * appending leaves them full.
 *
 * A key is needed before that, to know the link when it comes again: keys are
 * in memory, 12 bytes each in a table that is up to three quarters full, which
 * is nearly in their order.  Slots and sources are on disk (rfl_sort.h).
 *
 * Anybody can work out the keys of sources, and choose such as crowd: then the
 * table scatters them, by a number of this process, and is sorted in the end.
 */

#ifndef RFL_BULK_H
#define RFL_BULK_H

#include "rfl_sort.h"


/* Set in the id of a key that is a group's; ids have 26 bits. */

#define RFL_BULK_GROUP  0x80000000u


typedef struct {
    uint64_t  low;                       /* of the slot's hash */
    uint64_t  high;
    uint32_t  id;                        /* 0: a host's flags alone */
    uint32_t  info;
    uint64_t  bits;                      /* of a host's bounds; 0: none */
    uint32_t  longest;                   /* as its entry has it */
} rfl_bulk_slot_t;


typedef struct {
    uint32_t  words[2];                  /* of the key, first the high one */
    uint32_t  id;                        /* 0: an empty place */
} rfl_bulk_key_t;


typedef struct {
    rfl_bulk_key_t  *keys;               /* an open hash table; once in order,
                                            the first nkeys */
    size_t           nkeys;
    size_t           places;
    unsigned         shift;              /* what a key's place leaves of it */
    uint64_t         scatter;            /* 0: keys are as they come */
    rfl_sort_t      *slots;
    rfl_sort_t      *sources;
    rfl_bulk_slot_t  slot;               /* that was read */
    unsigned         at_end;             /* of the slots */
} rfl_bulk_t;


/* dir: see rfl_sort_create().  NULL: no memory. */

rfl_bulk_t *rfl_bulk_create(const char *dir);
void rfl_bulk_free(rfl_bulk_t *b);       /* NULL is allowed */

/*
 * A key only once, a source of at most RFL_SORT_ITEM_MAX bytes.  Errors are
 * those of rfl_sort_add(), and RFL_NO_MEMORY.
 */

rfl_rc_t rfl_bulk_key(rfl_bulk_t *b, uint64_t key, uint32_t id,
    rfl_error_t *err);
rfl_rc_t rfl_bulk_source(rfl_bulk_t *b, rfl_str_t source, rfl_error_t *err);
rfl_rc_t rfl_bulk_slot(rfl_bulk_t *b, const rfl_bulk_slot_t *slot,
    rfl_error_t *err);

/* The id of a key; 0: it is not here. */

uint32_t rfl_bulk_find(const rfl_bulk_t *b, uint64_t key);

/*
 * begin: no more slots and sources are added (or those alone); keys may be.
 * next: b->slot, by
 * hash, then by id, until b->at_end; a source, as memcmp() has them, until
 * RFL_NOT_FOUND.
 */

rfl_rc_t rfl_bulk_begin(rfl_bulk_t *b, rfl_error_t *err);
rfl_rc_t rfl_bulk_begin_slots(rfl_bulk_t *b, rfl_error_t *err);
rfl_rc_t rfl_bulk_begin_sources(rfl_bulk_t *b, rfl_error_t *err);
rfl_rc_t rfl_bulk_next_slot(rfl_bulk_t *b, rfl_error_t *err);
rfl_rc_t rfl_bulk_next_source(rfl_bulk_t *b, rfl_str_t *source,
    rfl_error_t *err);

/* The end of finding and adding keys: b->keys are in order. */

void rfl_bulk_sort_keys(rfl_bulk_t *b);

static inline uint64_t
rfl_bulk_key_of(const rfl_bulk_key_t *place)
{
    return (uint64_t) place->words[0] << 32 | place->words[1];
}

void rfl_bulk_reset(rfl_bulk_t *b);


#endif /* RFL_BULK_H */
