/*
 * See rfl_bulk.h.
 *
 * A key's place in the table follows from its first bits, and the next places
 * are taken when it is not free; the table does not begin again at its end,
 * but has some places more.  So keys are in order but within a row of taken
 * places.  A row of RFL_BULK_PLACES_MORE is no chance: then places follow from
 * the first bits of a product.
 */

#include "rfl_bulk.h"

#include <stdlib.h>
#include <sys/auxv.h>

#include "rfl_store.h"


#define RFL_BULK_PLACES_MIN   4096       /* a power of two */
#define RFL_BULK_PLACES_MORE  1024       /* behind the last one */

#define RFL_BULK_SLOT_SIZE    24
#define RFL_BULK_HOST_SIZE    36         /* of one with bounds */

/* What is put in order at a time: 80,000 links, in 32 MB with its order. */

#define RFL_BULK_SLOTS_SIZE    ((size_t) 8 << 20)
#define RFL_BULK_SLOTS_MAX     (RFL_BULK_SLOTS_SIZE / (RFL_BULK_SLOT_SIZE + 2))
#define RFL_BULK_SOURCES_SIZE  ((size_t) 8 << 20)
#define RFL_BULK_SOURCES_MAX   (RFL_BULK_SOURCES_SIZE / 40)

/* Moves of a key while they are put in order: more, and qsort() does it. */

#define RFL_BULK_MOVES  32


static rfl_rc_t bulk_grow(rfl_bulk_t *b, rfl_error_t *err);
static int bulk_is_full(const rfl_bulk_t *b);
static void bulk_scatter(rfl_bulk_t *b);
static size_t bulk_place(const rfl_bulk_t *b, uint64_t key);
static int bulk_put(rfl_bulk_t *b, const rfl_bulk_key_t *key);
static void bulk_write(u_char *p, uint64_t n, size_t size);
static uint64_t bulk_read(const u_char *p, size_t size);
static int bulk_key_cmp(const void *a, const void *b);


rfl_bulk_t *
rfl_bulk_create(const char *dir)
{
    rfl_bulk_t  *b;

    b = calloc(1, sizeof(rfl_bulk_t));
    if (b == NULL) {
        return NULL;
    }

    b->slots = rfl_sort_create(dir, RFL_BULK_SLOTS_SIZE, RFL_BULK_SLOTS_MAX);
    b->sources = rfl_sort_create(dir, RFL_BULK_SOURCES_SIZE,
                                 RFL_BULK_SOURCES_MAX);

    if (b->slots == NULL || b->sources == NULL) {
        rfl_bulk_free(b);
        return NULL;
    }

    return b;
}


void
rfl_bulk_free(rfl_bulk_t *b)
{
    if (b == NULL) {
        return;
    }

    rfl_sort_free(b->slots);
    rfl_sort_free(b->sources);
    free(b->keys);
    free(b);
}


rfl_rc_t
rfl_bulk_key(rfl_bulk_t *b, uint64_t key, uint32_t id, rfl_error_t *err)
{
    rfl_rc_t        rc;
    rfl_bulk_key_t  new;

    new.words[0] = (uint32_t) (key >> 32);
    new.words[1] = (uint32_t) key;
    new.id = id;

    while (bulk_is_full(b) || !bulk_put(b, &new)) {
        rc = bulk_grow(b, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    b->nkeys++;

    return RFL_OK;
}


/* Keys that crowd in the larger table, too, are scattered. */

static rfl_rc_t
bulk_grow(rfl_bulk_t *b, rfl_error_t *err)
{
    size_t           i, places;
    uint64_t         scatter;
    unsigned         fits, shift;
    rfl_bulk_key_t  *old;

    old = b->keys;
    places = b->places;
    shift = b->shift;
    scatter = b->scatter;

    do {
        if (bulk_is_full(b)) {
            b->places = b->places != 0 ? 2 * b->places : RFL_BULK_PLACES_MIN;
            b->shift = 64 - (unsigned) __builtin_ctzll(b->places);

        } else {
            bulk_scatter(b);
        }

        b->keys = calloc(b->places + RFL_BULK_PLACES_MORE,
                         sizeof(rfl_bulk_key_t));
        if (b->keys == NULL) {
            b->keys = old;
            b->places = places;
            b->shift = shift;
            b->scatter = scatter;
            return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
        }

        fits = 1;

        for (i = 0; fits && old != NULL && i < places + RFL_BULK_PLACES_MORE;
             i++)
        {
            fits = old[i].id == 0 || bulk_put(b, &old[i]);
        }

        if (!fits) {
            free(b->keys);
        }

    } while (!fits);

    free(old);

    return RFL_OK;
}


static int
bulk_is_full(const rfl_bulk_t *b)
{
    return b->nkeys >= b->places / 4 * 3;
}


/* What the kernel gave this process is random, and nobody else's. */

static void
bulk_scatter(rfl_bulk_t *b)
{
    uint64_t     random;
    const void  *bytes;

    bytes = (const void *) getauxval(AT_RANDOM);     /* NOLINT: an address */

    memcpy(&random, bytes, sizeof(random));

    b->scatter = (b->scatter + random) | 1;
}


static size_t
bulk_place(const rfl_bulk_t *b, uint64_t key)
{
    return (size_t) ((b->scatter != 0 ? b->scatter * key : key) >> b->shift);
}


static int
bulk_put(rfl_bulk_t *b, const rfl_bulk_key_t *key)
{
    size_t  i, end;

    i = bulk_place(b, rfl_bulk_key_of(key));

    for (end = i + RFL_BULK_PLACES_MORE; i < end; i++) {
        if (b->keys[i].id == 0) {
            b->keys[i] = *key;
            return 1;
        }
    }

    return 0;
}


uint32_t
rfl_bulk_find(const rfl_bulk_t *b, uint64_t key)
{
    size_t  i, end;

    if (b->nkeys == 0) {
        return 0;
    }

    i = bulk_place(b, key);

    for (end = i + RFL_BULK_PLACES_MORE;
         i < end && b->keys[i].id != 0; i++)
    {
        if (rfl_bulk_key_of(&b->keys[i]) == key) {
            return b->keys[i].id;
        }
    }

    return 0;
}


rfl_rc_t
rfl_bulk_source(rfl_bulk_t *b, rfl_str_t source, rfl_error_t *err)
{
    return rfl_sort_add(b->sources, source, err);
}


/* Numbers with the highest byte first are in the order of memcmp(). */

rfl_rc_t
rfl_bulk_slot(rfl_bulk_t *b, const rfl_bulk_slot_t *slot, rfl_error_t *err)
{
    size_t  len;
    u_char  item[RFL_BULK_HOST_SIZE];

    bulk_write(item, slot->low, 8);
    bulk_write(item + 8, slot->high, 8);
    bulk_write(item + 16, slot->id, 4);
    bulk_write(item + 20, slot->info, 4);

    len = RFL_BULK_SLOT_SIZE;

    if (slot->bits != 0) {
        bulk_write(item + 24, slot->bits, 8);
        bulk_write(item + 32, slot->longest, 4);
        len = RFL_BULK_HOST_SIZE;
    }

    return rfl_sort_add(b->slots, rfl_str(item, len), err);
}


rfl_rc_t
rfl_bulk_begin(rfl_bulk_t *b, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_bulk_begin_slots(b, err);

    return rc == RFL_OK ? rfl_bulk_begin_sources(b, err) : rc;
}


rfl_rc_t
rfl_bulk_begin_slots(rfl_bulk_t *b, rfl_error_t *err)
{
    b->at_end = 0;

    return rfl_sort_begin(b->slots, err);
}


rfl_rc_t
rfl_bulk_begin_sources(rfl_bulk_t *b, rfl_error_t *err)
{
    return rfl_sort_begin(b->sources, err);
}


rfl_rc_t
rfl_bulk_next_slot(rfl_bulk_t *b, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  item;

    rc = rfl_sort_next(b->slots, &item, err);

    if (rc == RFL_NOT_FOUND) {
        b->at_end = 1;
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    b->slot.low = bulk_read(item.data, 8);
    b->slot.high = bulk_read(item.data + 8, 8);
    b->slot.id = (uint32_t) bulk_read(item.data + 16, 4);
    b->slot.info = (uint32_t) bulk_read(item.data + 20, 4);
    b->slot.bits = 0;
    b->slot.longest = 0;

    if (item.len == RFL_BULK_HOST_SIZE) {
        b->slot.bits = bulk_read(item.data + 24, 8);
        b->slot.longest = (uint32_t) bulk_read(item.data + 32, 4);
    }

    return RFL_OK;
}


rfl_rc_t
rfl_bulk_next_source(rfl_bulk_t *b, rfl_str_t *source, rfl_error_t *err)
{
    return rfl_sort_next(b->sources, source, err);
}


static void
bulk_write(u_char *p, uint64_t n, size_t size)
{
    while (size-- != 0) {
        p[size] = (u_char) n;
        n >>= 8;
    }
}


static uint64_t
bulk_read(const u_char *p, size_t size)
{
    size_t    i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < size; i++) {
        n = n << 8 | p[i];
    }

    return n;
}


void
rfl_bulk_sort_keys(rfl_bulk_t *b)
{
    size_t          i, k, moves;
    rfl_bulk_key_t  key;

    k = 0;

    for (i = 0; k < b->nkeys; i++) {
        if (b->keys[i].id != 0) {
            b->keys[k++] = b->keys[i];
        }
    }

    moves = b->nkeys * RFL_BULK_MOVES;

    for (i = 1; i < b->nkeys; i++) {
        key = b->keys[i];

        for (k = i; k > 0 && bulk_key_cmp(&b->keys[k - 1], &key) > 0; k--) {
            b->keys[k] = b->keys[k - 1];
        }

        b->keys[k] = key;

        if (i - k > moves) {
            qsort(b->keys, b->nkeys, sizeof(rfl_bulk_key_t), bulk_key_cmp);
            return;
        }

        moves -= i - k;
    }
}


static int
bulk_key_cmp(const void *a, const void *b)
{
    uint64_t  one, two;

    one = rfl_bulk_key_of(a);
    two = rfl_bulk_key_of(b);

    return one < two ? -1 : one > two;
}


/* A small table is kept: bulks may be small and many. */

void
rfl_bulk_reset(rfl_bulk_t *b)
{
    b->scatter = 0;

    if (b->places == RFL_BULK_PLACES_MIN) {
        memset(b->keys, 0, (RFL_BULK_PLACES_MIN + RFL_BULK_PLACES_MORE)
                           * sizeof(rfl_bulk_key_t));

    } else {
        free(b->keys);
        b->keys = NULL;
        b->places = 0;
    }

    b->nkeys = 0;

    rfl_sort_reset(b->slots);
    rfl_sort_reset(b->sources);
}
