/*
 * See rfl_recent.h.  An entry is 32 bytes, a set two cache lines.
 *
 * The id of a snapshot counts commits from the making of the environment, so
 * one that was restored or made anew may have the same.  The upper bits of a
 * tag tell such environments apart: forget() counts them.
 */

#include "rfl_recent.h"
#include "rfl_hash.h"

#include <stdlib.h>


#define RECENT_SETS        16384
#define RECENT_WAYS        4

#define RECENT_SNAPSHOT    48            /* bits; a commit each microsecond
                                            fills them in 9 years */
#define RECENT_GENERATIONS ((uint64_t) 1 << (64 - RECENT_SNAPSHOT))


typedef struct {
    uint64_t             key;
    uint64_t             tag;            /* 0: empty */
    rfl_recent_answer_t  answer;
} recent_entry_t;

_Static_assert(sizeof(recent_entry_t) == 32, "a set is two cache lines");


/* What is hashed before the texts: where they begin and end, and the rest. */

typedef struct {
    uint16_t             referer_len;
    uint16_t             landing_len;
    uint32_t             unmatched;
    const void          *own_hosts;
    const void          *tag_names;
} recent_head_t;


struct rfl_recent_s {
    rfl_hash_secret_t    secret;
    uint64_t             generation;     /* from 1 on: no tag is 0 */
    recent_entry_t       entries[RECENT_SETS * RECENT_WAYS];
};


static uint64_t recent_tag(const rfl_recent_t *r, uint64_t snapshot);
static u_char *recent_append(u_char *p, rfl_str_t text);


rfl_recent_t *
rfl_recent_create(void)
{
    rfl_recent_t  *r;

    /* pages that are never written cost nothing */

    r = calloc(1, sizeof(rfl_recent_t));
    if (r == NULL) {
        return NULL;
    }

    if (rfl_hash_secret(&r->secret) != RFL_OK) {
        free(r);
        return NULL;
    }

    r->generation = 1;

    return r;
}


void
rfl_recent_free(rfl_recent_t *r)
{
    free(r);
}


void
rfl_recent_forget(rfl_recent_t *r)
{
    if (++r->generation == RECENT_GENERATIONS) {
        r->generation = 1;
        memset(r->entries, 0, sizeof(r->entries));
    }
}


rfl_rc_t
rfl_recent_place(rfl_recent_t *r, const rfl_recent_question_t *question,
    rfl_recent_place_t *place)
{
    u_char         text[sizeof(recent_head_t) + 3 * RFL_RECENT_TEXT], *p;
    rfl_hash_t     hash;
    recent_head_t  head;

    if (question->referer.len > RFL_RECENT_TEXT
        || question->landing.len > RFL_RECENT_TEXT
        || question->host.len > RFL_RECENT_TEXT)
    {
        return RFL_FULL;
    }

    head.referer_len = (uint16_t) question->referer.len;
    head.landing_len = (uint16_t) question->landing.len;
    head.unmatched = question->unmatched;
    head.own_hosts = question->own_hosts;
    head.tag_names = question->tag_names;

    memcpy(text, &head, sizeof(recent_head_t));

    p = text + sizeof(recent_head_t);
    p = recent_append(p, question->referer);
    p = recent_append(p, question->landing);
    p = recent_append(p, question->host);

    hash = rfl_hash_seeded(text, (size_t) (p - text), &r->secret);

    place->key = hash.low;
    place->set = (hash.high % RECENT_SETS) * RECENT_WAYS;
    place->victim = (unsigned) (hash.high >> 32) % RECENT_WAYS;

    return RFL_OK;
}


rfl_rc_t
rfl_recent_find(const rfl_recent_t *r, const rfl_recent_place_t *place,
    uint64_t snapshot, rfl_recent_answer_t *answer)
{
    unsigned               i;
    uint64_t               tag;
    const recent_entry_t  *set;

    set = &r->entries[place->set];
    tag = recent_tag(r, snapshot);

    for (i = 0; i < RECENT_WAYS; i++) {
        if (set[i].key == place->key && set[i].tag == tag) {
            *answer = set[i].answer;
            return RFL_OK;
        }
    }

    return RFL_NOT_FOUND;
}


/* In the place of an older answer to the question, else of one out of use. */

void
rfl_recent_keep(rfl_recent_t *r, const rfl_recent_place_t *place,
    uint64_t snapshot, const rfl_recent_answer_t *answer)
{
    unsigned         i, way;
    uint64_t         tag;
    recent_entry_t  *set;

    set = &r->entries[place->set];
    tag = recent_tag(r, snapshot);
    way = place->victim;

    for (i = 0; i < RECENT_WAYS; i++) {

        if (set[i].key == place->key) {
            way = i;
            break;
        }

        if (set[i].tag != tag) {
            way = i;
        }
    }

    set[way].key = place->key;
    set[way].tag = tag;
    set[way].answer = *answer;
}


static uint64_t
recent_tag(const rfl_recent_t *r, uint64_t snapshot)
{
    return r->generation << RECENT_SNAPSHOT | snapshot;
}


static u_char *
recent_append(u_char *p, rfl_str_t text)
{
    if (text.len != 0) {
        memcpy(p, text.data, text.len);
    }

    return p + text.len;
}
