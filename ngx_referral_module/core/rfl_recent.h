/*
 * What was decided lately, in one process, about one registry: the same Referer
 * for the same landing has the same answer as long as nothing was committed.
 *
 * 65,536 answers in 2 MB, in sets of four (a table without sets lost an eighth
 * of 1,000 keys to each other).  A key is a hash with a secret of the process:
 * strangers cannot choose keys that meet in a set.  An answer is kept with the
 * id of the snapshot it was read from and is of use while that is the newest
 * one; "no link" is an answer like the others.
 *
 * Who floods it with Referers that never come again makes others be looked up
 * anew, and takes no memory.
 */

#ifndef RFL_RECENT_H
#define RFL_RECENT_H

#include "rfl_base.h"


/* Longer texts are not kept: their hash would cost more than it spares. */

#define RFL_RECENT_TEXT  1024


typedef struct rfl_recent_s  rfl_recent_t;


/* All the answer depends on beside the snapshot. */

typedef struct {
    rfl_str_t    referer;
    rfl_str_t    landing;
    rfl_str_t    host;
    const void  *own_hosts;      /* tables that do not change as long as the
                                    process keeps its answers */
    const void  *tag_names;
    unsigned     unmatched;      /* what the request is if no link explains
                                    it, where the Referer does not say */
} rfl_recent_question_t;


typedef struct {
    uint32_t  id;
    uint16_t  source_at;         /* in the Referer; at most RFL_RECENT_TEXT */
    uint8_t   source_len;
    uint8_t   outcome;
    uint8_t   evidence;
    uint8_t   flags;             /* the caller's */
} rfl_recent_answer_t;


/* A question's place in the table. */

typedef struct {
    uint64_t  key;
    size_t    set;               /* the first of its entries */
    unsigned  victim;            /* who goes if all four are of use */
} rfl_recent_place_t;


/* NULL: there is no memory, or the system has no random bytes (yet). */

rfl_recent_t *rfl_recent_create(void);
void rfl_recent_free(rfl_recent_t *r);           /* NULL is allowed */

/* The registry is another one from now on, or was opened anew. */

void rfl_recent_forget(rfl_recent_t *r);


/*
 * place: RFL_OK, or RFL_FULL: too long to be kept.  find: RFL_OK and *answer,
 * or RFL_NOT_FOUND.  snapshot: the newest one's id; for keep the id of the one
 * the answer was read from.
 */

rfl_rc_t rfl_recent_place(rfl_recent_t *r,
    const rfl_recent_question_t *question, rfl_recent_place_t *place);
rfl_rc_t rfl_recent_find(const rfl_recent_t *r,
    const rfl_recent_place_t *place, uint64_t snapshot,
    rfl_recent_answer_t *answer);
void rfl_recent_keep(rfl_recent_t *r, const rfl_recent_place_t *place,
    uint64_t snapshot, const rfl_recent_answer_t *answer);


#endif /* RFL_RECENT_H */
