/*
 * What was decided lately, in one process, about one registry: the same Referer
 * for the same landing has the same answer as long as nothing was committed.
 *
 * 65,536 answers in 2 MB, in sets of four (a table without sets lost an eighth
 * of 1,000 keys to each other).  A key is a hash of 128 bits with keys of the
 * process: strangers cannot choose questions that meet in a set, and two have
 * one key with a chance of 2^-64 (rfl_keyed.h).  An answer is kept with the id
 * of the snapshot it was read from and is of use while that is the newest one;
 * "no link" is an answer like the others.
 *
 * Who floods it with Referers that never come again makes others be looked up
 * anew, and takes no memory.
 */

#ifndef RFL_RECENT_H
#define RFL_RECENT_H

#include "rfl_keyed.h"


/* Longer texts are not kept: their hash would cost more than it spares. */

#define RFL_RECENT_TEXT    1023

#define RFL_RECENT_ID_MAX  ((1u << 26) - 1)


/* All the answer depends on beside the snapshot. */

typedef struct {
    rfl_str_t    referer;
    rfl_str_t    landing;
    rfl_str_t    host;
    const void  *own_hosts;      /* tables that do not change as long as the
                                    process keeps its answers */
    const void  *tag_names;
    uint16_t     unmatched;      /* what the request is if no link explains
                                    it, where the Referer does not say */
} rfl_recent_question_t;


/* One word. */

typedef struct {
    uint64_t  id:26;             /* at most RFL_RECENT_ID_MAX */
    uint64_t  source_at:10;      /* in the Referer */
    uint64_t  source_len:8;
    uint64_t  path_len:10;       /* of the landing, from its first byte on */
    uint64_t  outcome:3;
    uint64_t  evidence:3;
    uint64_t  other_landing:1;
    uint64_t  regex_limit:1;
    uint64_t  is_app:1;
    uint64_t  spare:1;
} rfl_recent_answer_t;

_Static_assert(sizeof(rfl_recent_answer_t) == sizeof(uint64_t),
               "an answer is a word");


/* A question's place in the table. */

typedef struct {
    uint64_t  key[2];
    uint32_t  set;               /* the first of its entries */
    uint32_t  victim;            /* who goes if all four are of use */
} rfl_recent_place_t;


#define RFL_RECENT_BITS      14
#define RFL_RECENT_WAYS      4
#define RFL_RECENT_SNAPSHOT  48          /* bits; a commit each microsecond
                                            fills them in 9 years */

typedef struct {
    uint64_t             key[2];
    uint64_t             tag;            /* 0: empty */
    rfl_recent_answer_t  answer;
} rfl_recent_entry_t;

typedef struct {
    rfl_recent_entry_t   entries[RFL_RECENT_WAYS << RFL_RECENT_BITS];
    rfl_keyed_t          keys;
    uint64_t             generation;     /* from 1 on: no tag is 0 */
    void                *memory;         /* what was allocated */
} rfl_recent_t;


/* NULL: there is no memory, or the system has no random bytes (yet). */

rfl_recent_t *rfl_recent_create(void);
void rfl_recent_free(rfl_recent_t *r);           /* NULL is allowed */

/* The registry is another one from now on, or was opened anew. */

void rfl_recent_forget(rfl_recent_t *r);


/*
 * place: RFL_OK, or RFL_FULL: a text is too long to be kept.  Nobody knows the
 * place beforehand, so nothing has brought it near the processor: who does
 * something else before find() does not wait for it.
 *
 * find: RFL_OK and *answer, or RFL_NOT_FOUND.  snapshot: the newest one's id;
 * for keep the id of the one the answer was read from.
 */

static inline rfl_rc_t rfl_recent_place(const rfl_recent_t *r,
    const rfl_recent_question_t *question, rfl_recent_place_t *place)
    __attribute__((always_inline));
static inline rfl_rc_t rfl_recent_find(const rfl_recent_t *r,
    const rfl_recent_place_t *place, uint64_t snapshot,
    rfl_recent_answer_t *answer);
void rfl_recent_keep(rfl_recent_t *r, const rfl_recent_place_t *place,
    uint64_t snapshot, rfl_recent_answer_t answer);


/* These are asked in each request: they are one with what asks them. */

static inline rfl_rc_t
rfl_recent_place(const rfl_recent_t *r, const rfl_recent_question_t *question,
    rfl_recent_place_t *place)
{
    uint64_t          head, spread;
    const uint64_t   *key;
    rfl_keyed_sum_t   sum;

    if ((question->referer.len | question->landing.len | question->host.len)
        > RFL_RECENT_TEXT)
    {
        return RFL_FULL;
    }

    /* where the texts begin and end comes first: see rfl_keyed.h */

    head = (uint64_t) question->referer.len
           | (uint64_t) question->landing.len << 16
           | (uint64_t) question->host.len << 32
           | (uint64_t) question->unmatched << 48;

    key = r->keys.words;

    sum = rfl_keyed_pair(0, &key, head, (uintptr_t) question->own_hosts);
    sum = rfl_keyed_pair(sum, &key, (uintptr_t) question->tag_names, 0);
    sum = rfl_keyed_text(sum, &key, question->referer);
    sum = rfl_keyed_text(sum, &key, question->landing);
    sum = rfl_keyed_text(sum, &key, question->host);

    spread = rfl_keyed_spread(sum);

    place->key[0] = (uint64_t) sum;
    place->key[1] = (uint64_t) (sum >> 64);
    place->set = (uint32_t) (spread >> (64 - RFL_RECENT_BITS))
                 * RFL_RECENT_WAYS;
    place->victim = (uint32_t) (spread >> 40) % RFL_RECENT_WAYS;

    __builtin_prefetch(&r->entries[place->set]);
    __builtin_prefetch(&r->entries[place->set + RFL_RECENT_WAYS / 2]);

    return RFL_OK;
}


static inline uint64_t
rfl_recent_tag(const rfl_recent_t *r, uint64_t snapshot)
{
    return r->generation << RFL_RECENT_SNAPSHOT | snapshot;
}


static inline rfl_rc_t
rfl_recent_find(const rfl_recent_t *r, const rfl_recent_place_t *place,
    uint64_t snapshot, rfl_recent_answer_t *answer)
{
    unsigned                   i;
    uint64_t                   tag;
    const rfl_recent_entry_t  *set;

    set = &r->entries[place->set];
    tag = rfl_recent_tag(r, snapshot);

    for (i = 0; i < RFL_RECENT_WAYS; i++) {
        if (set[i].key[0] == place->key[0] && set[i].key[1] == place->key[1]
            && set[i].tag == tag)
        {
            *answer = set[i].answer;
            return RFL_OK;
        }
    }

    return RFL_NOT_FOUND;
}


#endif /* RFL_RECENT_H */
