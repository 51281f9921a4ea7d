/*
 * A canary in memory that all processes of one nginx share: who is inside LMDB
 * right now.  A process that dies there leaves its mark; the next one to
 * begin, and those that live on, then look at every page of a data file
 * before they map it again.  Without, a damaged file killed 1,290 workers in 3
 * seconds; with, a few.  A kill -9 leaves the same mark: then the file is
 * found sound, and is used.
 *
 * The master makes it, before it forks; its processes claim a slot each.
 */

#ifndef RFL_CANARY_H
#define RFL_CANARY_H

#include "rfl_base.h"


#define RFL_CANARY_SLOTS  494

/* Data files found sound that are remembered; more are checked more often. */

#define RFL_CANARY_SOUND  16


typedef struct {
    uint32_t  pid;                       /* 0: free */
    uint32_t  inside;                    /* transactions that are open */
} rfl_canary_slot_t;

typedef struct {
    uint32_t           deaths;           /* inside LMDB, found so far; atomic */
    uint32_t           reserved[3];
    uint64_t           sound[RFL_CANARY_SOUND];  /* of a file and a count of
                                                    deaths a hash; atomic */
    rfl_canary_slot_t  slots[RFL_CANARY_SLOTS];
} rfl_canary_t;


/*
 * Anonymous memory shared over fork(); NULL: there is none to be had.  free:
 * NULL is allowed; whoever joined it leaves it.
 */

rfl_canary_t *rfl_canary_create(void);
void rfl_canary_free(rfl_canary_t *c);

/*
 * In each process, after the fork: frees the slots of the dead, counting
 * those that died inside, and takes one for this process, the store's of this
 * process from then on.  canary may be NULL; with no slot free nothing is
 * marked.  Joining the same one again changes nothing.
 */

void rfl_canary_join(rfl_canary_t *canary);

/* The same look at the others' slots, once a second. */

void rfl_canary_look(rfl_canary_t *canary);

static inline uint32_t
rfl_canary_deaths(const rfl_canary_t *canary)
{
    return canary == NULL ? 0
           : __atomic_load_n(&canary->deaths, __ATOMIC_RELAXED);
}


/*
 * Whether a process of this nginx has looked at all pages of a data file since
 * so many had died: those that begin later need not look again.
 */

int rfl_canary_is_sound(const rfl_canary_t *canary, uint64_t dev,
    uint64_t ino, uint32_t deaths);
void rfl_canary_found_sound(rfl_canary_t *canary, uint64_t dev, uint64_t ino,
    uint32_t deaths);


/*
 * For rfl_store.c, around every transaction; several threads may.  A child
 * that forks off marks its parent's slot until it joins itself.
 */

extern rfl_canary_t       *rfl_canary_joined;    /* or NULL */
extern rfl_canary_slot_t  *rfl_canary_slot;      /* of this process, or NULL */

static inline void
rfl_canary_enter(void)
{
    if (rfl_canary_slot != NULL) {
        (void) __atomic_fetch_add(&rfl_canary_slot->inside, 1,
                                  __ATOMIC_RELAXED);
    }
}

static inline void
rfl_canary_leave(void)
{
    if (rfl_canary_slot != NULL) {
        (void) __atomic_fetch_sub(&rfl_canary_slot->inside, 1,
                                  __ATOMIC_RELAXED);
    }
}


#endif /* RFL_CANARY_H */
