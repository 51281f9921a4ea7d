/*
 * See rfl_recent.h.  An entry is 32 bytes, a set two cache lines.
 *
 * The id of a snapshot counts commits from the making of the environment, so
 * one that was restored or made anew may have the same.  The upper bits of a
 * tag tell such environments apart: forget() counts them.
 */

#include "rfl_recent.h"

#include <stdlib.h>


#define RECENT_GENERATIONS ((uint64_t) 1 << (64 - RFL_RECENT_SNAPSHOT))

#define RECENT_LINE        64            /* of the processor's cache */
#define RECENT_HEAD        (4 * sizeof(uint64_t))


_Static_assert(sizeof(rfl_recent_entry_t) == 32, "a set is two cache lines");
_Static_assert(RECENT_HEAD + 3 * (RFL_RECENT_TEXT + 1) <= RFL_KEYED_MAX,
               "there are keys for all texts");


rfl_recent_t *
rfl_recent_create(void)
{
    void          *memory;
    uintptr_t      at;
    rfl_recent_t  *r;

    /* pages that are never written cost nothing */

    memory = calloc(1, sizeof(rfl_recent_t) + RECENT_LINE);
    if (memory == NULL) {
        return NULL;
    }

    at = (uintptr_t) memory;
    r = (rfl_recent_t *) (void *) ((u_char *) memory
                                   + (RECENT_LINE - at % RECENT_LINE)
                                     % RECENT_LINE);

    if (rfl_keyed_init(&r->keys) != RFL_OK) {
        free(memory);
        return NULL;
    }

    r->memory = memory;
    r->generation = 1;

    return r;
}


void
rfl_recent_free(rfl_recent_t *r)
{
    if (r != NULL) {
        free(r->memory);
    }
}


void
rfl_recent_forget(rfl_recent_t *r)
{
    if (++r->generation == RECENT_GENERATIONS) {
        r->generation = 1;
        memset(r->entries, 0, sizeof(r->entries));
    }
}


/* In the place of an older answer to the question, else of one out of use. */

void
rfl_recent_keep(rfl_recent_t *r, const rfl_recent_place_t *place,
    uint64_t snapshot, rfl_recent_answer_t answer)
{
    unsigned             i, way;
    uint64_t             tag;
    rfl_recent_entry_t  *set;

    set = &r->entries[place->set];
    tag = rfl_recent_tag(r, snapshot);
    way = place->victim;

    for (i = 0; i < RFL_RECENT_WAYS; i++) {

        if (set[i].key[0] == place->key[0] && set[i].key[1] == place->key[1]) {
            way = i;
            break;
        }

        if (set[i].tag != tag) {
            way = i;
        }
    }

    set[way].key[0] = place->key[0];
    set[way].key[1] = place->key[1];
    set[way].tag = tag;
    set[way].answer = answer;
}
