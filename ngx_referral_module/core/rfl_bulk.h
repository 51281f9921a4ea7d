/*
 * What a bulk registration has still to write: keys, sources and slots of
 * many links, put into the order of their tables before they are written.
 *
 * Keys and slots are hashes, so links come to their B-trees at random, and a
 * random put costs four times one in order (1,400 ns and 340, at three
 * million entries of 24 bytes in one transaction).
 *
 * About 200 bytes a link, RFL_BULK_LINKS links at a time; pages that are not
 * used cost nothing.
 */

#ifndef RFL_BULK_H
#define RFL_BULK_H

#include "rfl_base.h"


#define RFL_BULK_LINKS    131072
#define RFL_BULK_SLOTS    6              /* of a link */
#define RFL_BULK_SOURCES  ((size_t) 16 << 20)            /* bytes */


typedef struct {
    uint64_t  low;                       /* of the slot's hash */
    uint64_t  high;
    uint32_t  id;                        /* 0: a host's flags alone */
    uint32_t  info;
} rfl_bulk_slot_t;


typedef struct {
    uint64_t  key;
    uint32_t  id;                        /* 0: an empty place */
} rfl_bulk_key_t;


typedef struct {
    uint32_t  pos;                       /* in texts */
    uint32_t  len;
} rfl_bulk_source_t;


/* Read what is there after rfl_bulk_sort(). */

typedef struct {
    rfl_bulk_slot_t    *slots;
    size_t              nslots;
    rfl_bulk_source_t  *sources;
    size_t              nsources;
    rfl_bulk_key_t     *keys;            /* the first nkeys, once sorted */
    size_t              nkeys;
    u_char             *texts;
    size_t              texts_len;
    rfl_bulk_key_t     *places;          /* an open hash table */
} rfl_bulk_t;


rfl_bulk_t *rfl_bulk_create(void);       /* NULL: no memory */
void rfl_bulk_free(rfl_bulk_t *b);       /* NULL is allowed */

/* Whether another link, whose source has at most RFL_STORE_KEY_MAX bytes,
 * may not fit. */

int rfl_bulk_is_full(const rfl_bulk_t *b);

/* The caller has asked rfl_bulk_is_full() for the link. */

void rfl_bulk_key(rfl_bulk_t *b, uint64_t key, uint32_t id);
void rfl_bulk_source(rfl_bulk_t *b, rfl_str_t source);
void rfl_bulk_slot(rfl_bulk_t *b, const rfl_bulk_slot_t *slot);

/* The link of a key; 0: it is not here. */

uint32_t rfl_bulk_find(const rfl_bulk_t *b, uint64_t key);

/* Slots by hash, then id; sources as memcmp() has it; keys. */

void rfl_bulk_sort(rfl_bulk_t *b);

static inline rfl_str_t
rfl_bulk_text(const rfl_bulk_t *b, size_t i)
{
    return rfl_str(b->texts + b->sources[i].pos, b->sources[i].len);
}

void rfl_bulk_reset(rfl_bulk_t *b);


#endif /* RFL_BULK_H */
