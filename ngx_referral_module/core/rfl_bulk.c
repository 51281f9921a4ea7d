/*
 * See rfl_bulk.h.  Everything has its size from the beginning: an add that
 * has begun does not run out of memory half-way.
 */

#include "rfl_bulk.h"

#include <stdlib.h>

#include "rfl_store.h"


#define RFL_BULK_PLACES  (4 * (size_t) RFL_BULK_LINKS)  /* a power of two */


static int rfl_bulk_slot_cmp(const void *a, const void *b);
static int rfl_bulk_key_cmp(const void *a, const void *b);
static int rfl_bulk_source_cmp(const void *a, const void *b, void *texts);


rfl_bulk_t *
rfl_bulk_create(void)
{
    rfl_bulk_t  *b;

    b = calloc(1, sizeof(rfl_bulk_t));
    if (b == NULL) {
        return NULL;
    }

    b->slots = malloc(RFL_BULK_LINKS * RFL_BULK_SLOTS
                      * sizeof(rfl_bulk_slot_t));
    b->sources = malloc(RFL_BULK_LINKS * sizeof(rfl_bulk_source_t));
    b->keys = malloc(RFL_BULK_LINKS * sizeof(rfl_bulk_key_t));
    b->texts = malloc(RFL_BULK_SOURCES);
    b->places = calloc(RFL_BULK_PLACES, sizeof(rfl_bulk_key_t));

    if (b->slots == NULL || b->sources == NULL || b->keys == NULL
        || b->texts == NULL || b->places == NULL)
    {
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

    free(b->slots);
    free(b->sources);
    free(b->keys);
    free(b->texts);
    free(b->places);
    free(b);
}


int
rfl_bulk_is_full(const rfl_bulk_t *b)
{
    return b->nkeys == RFL_BULK_LINKS
           || b->nsources == RFL_BULK_LINKS
           || b->nslots > RFL_BULK_LINKS * RFL_BULK_SLOTS - RFL_BULK_SLOTS
           || b->texts_len > RFL_BULK_SOURCES - RFL_STORE_KEY_MAX;
}


/* Keys are hashes: their low bits are as good as any. */

void
rfl_bulk_key(rfl_bulk_t *b, uint64_t key, uint32_t id)
{
    size_t  i;

    b->keys[b->nkeys].key = key;
    b->keys[b->nkeys].id = id;
    b->nkeys++;

    for (i = key & (RFL_BULK_PLACES - 1); b->places[i].id != 0;
         i = (i + 1) & (RFL_BULK_PLACES - 1))
    {
        /* void */
    }

    b->places[i].key = key;
    b->places[i].id = id;
}


void
rfl_bulk_source(rfl_bulk_t *b, rfl_str_t source)
{
    b->sources[b->nsources].pos = (uint32_t) b->texts_len;
    b->sources[b->nsources].len = (uint32_t) source.len;
    b->nsources++;

    memcpy(b->texts + b->texts_len, source.data, source.len);
    b->texts_len += source.len;
}


void
rfl_bulk_slot(rfl_bulk_t *b, const rfl_bulk_slot_t *slot)
{
    b->slots[b->nslots++] = *slot;
}


uint32_t
rfl_bulk_find(const rfl_bulk_t *b, uint64_t key)
{
    size_t  i;

    for (i = key & (RFL_BULK_PLACES - 1); b->places[i].id != 0;
         i = (i + 1) & (RFL_BULK_PLACES - 1))
    {
        if (b->places[i].key == key) {
            return b->places[i].id;
        }
    }

    return 0;
}


void
rfl_bulk_sort(rfl_bulk_t *b)
{
    qsort(b->keys, b->nkeys, sizeof(rfl_bulk_key_t), rfl_bulk_key_cmp);
    qsort(b->slots, b->nslots, sizeof(rfl_bulk_slot_t), rfl_bulk_slot_cmp);
    qsort_r(b->sources, b->nsources, sizeof(rfl_bulk_source_t),
            rfl_bulk_source_cmp, b->texts);
}


static int
rfl_bulk_slot_cmp(const void *a, const void *b)
{
    const rfl_bulk_slot_t *one = a;
    const rfl_bulk_slot_t *two = b;

    if (one->low != two->low) {
        return one->low < two->low ? -1 : 1;
    }

    return one->id < two->id ? -1 : one->id > two->id;
}


static int
rfl_bulk_key_cmp(const void *a, const void *b)
{
    const rfl_bulk_key_t *one = a;
    const rfl_bulk_key_t *two = b;

    return one->key < two->key ? -1 : one->key > two->key;
}


static int
rfl_bulk_source_cmp(const void *a, const void *b, void *texts)
{
    const rfl_bulk_source_t *one = a;
    const rfl_bulk_source_t *two = b;

    int      order;
    u_char  *p;

    p = texts;

    order = memcmp(p + one->pos, p + two->pos,
                   one->len < two->len ? one->len : two->len);

    return order != 0 ? order : (one->len > two->len) - (one->len < two->len);
}


/*
 * Of few keys the places are emptied one by one.  Each goes on to the next
 * empty place: what a hole would cut off from its key is emptied with it.
 */

void
rfl_bulk_reset(rfl_bulk_t *b)
{
    size_t  i, k;

    if (b->nkeys > RFL_BULK_LINKS / 16) {
        memset(b->places, 0, RFL_BULK_PLACES * sizeof(rfl_bulk_key_t));
        b->nkeys = 0;
    }

    for (k = 0; k < b->nkeys; k++) {
        for (i = b->keys[k].key & (RFL_BULK_PLACES - 1); b->places[i].id != 0;
             i = (i + 1) & (RFL_BULK_PLACES - 1))
        {
            b->places[i].id = 0;
        }
    }

    b->nslots = 0;
    b->nsources = 0;
    b->nkeys = 0;
    b->texts_len = 0;
}
