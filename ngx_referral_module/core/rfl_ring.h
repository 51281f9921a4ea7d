/*
 * Event rings in the counter file: each counted request leaves one record,
 * for /events and for whoever else wants to know what came.
 *
 * One ring for each worker, 16 of them; with more workers some share one.  A
 * writer takes the next number with fetch-add and writes the slot of that
 * number: no lock, no wait, whatever readers do.  A slot's sequence is odd
 * while it is written, then 2 * (number + 1): a reader knows from it whether
 * it has the record it wants, an unfinished one, or that it was overtaken,
 * and after copying looks again.  Who falls behind is told how many records
 * it has missed.
 *
 * Writers of one ring may meet in a slot: one stood still there while others
 * went round.  The slot is left to it, and the later record is missed; else a
 * reader would get half of each.  A writer that is killed there leaves a slot
 * that stays odd for as long as the file: a reader passes over it after
 * RFL_RING_PATIENCE_MS, and one record of each round is missed.  So long it
 * waits, too, for a record that was left out before it came to that slot.
 *
 * tests/model/ring.pml has spin try all orders of these steps.
 */

#ifndef RFL_RING_H
#define RFL_RING_H

#include "rfl_counters.h"


#define RFL_RINGS           16
#define RFL_RING_SLOTS      2048         /* 100 ms at 20,000 a second */
#define RFL_RING_TEXT       216
#define RFL_RING_PATIENCE_MS  1000

/* Where they are in the file: heads behind the stripes, slots between the
 * dirty bits and the cells. */

#define RFL_RING_HEADS_AT   (40 * 1024)
#define RFL_RING_SLOTS_AT   (24 * 1024 * 1024)


/* Bits of an event's flags. */

#define RFL_EVENT_GROUP        0x01      /* id is a group's */
#define RFL_EVENT_SOURCE_CUT   0x02
#define RFL_EVENT_LANDING_CUT  0x04


/* 256 bytes.  text: the source's host, then the landing's path, no query. */

typedef struct {
    uint64_t  sequence;
    uint64_t  time_ms;                   /* since 1970 */
    uint64_t  visitor;                   /* room for a visitor's hash; 0 */
    uint32_t  id;                        /* link or group; 0: none */
    uint16_t  status;
    uint8_t   outcome;                   /* rfl_outcome_t */
    uint8_t   class;                     /* rfl_class_t */
    uint8_t   evidence;                  /* rfl_evidence_t */
    uint8_t   flags;
    uint8_t   source_len;
    uint8_t   landing_len;
    uint8_t   reserved[4];
    u_char    text[RFL_RING_TEXT];
} rfl_event_t;

_Static_assert(sizeof(rfl_event_t) == 256, "a slot is 256 bytes");


/* Of such a request the id is a link's or a group's. */

static inline int
rfl_outcome_is_match(unsigned outcome)
{
    return outcome == RFL_OUTCOME_MATCHED || outcome == RFL_OUTCOME_AMBIGUOUS;
}


static inline rfl_str_t
rfl_event_source(const rfl_event_t *event)
{
    return rfl_str(event->text, event->source_len);
}

static inline rfl_str_t
rfl_event_landing(const rfl_event_t *event)
{
    return rfl_str(event->text + event->source_len, event->landing_len);
}


/*
 * Allocates the ring of this number (modulo RFL_RINGS) in the file, half a
 * megabyte, once: a worker does that when it opens the file.  RFL_FULL: there
 * is no room, its requests leave no records then; RFL_DENIED: opened for
 * reading.
 */

rfl_rc_t rfl_ring_open(rfl_counters_t *c, unsigned number, rfl_error_t *err);

/* Whether it takes records. */

static inline int
rfl_ring_is_open(const rfl_counters_t *c, unsigned number)
{
    return (__atomic_load_n(&c->header->rings, __ATOMIC_ACQUIRE)
            >> number % RFL_RINGS)
           & 1;
}


/* A cache line of its own: every worker adds to its head. */

typedef struct {
    uint64_t  head;                      /* the next number */
    uint64_t  reserved[7];
} rfl_ring_head_t;

#define RFL_RING_SIZE  (RFL_RING_SLOTS * sizeof(rfl_event_t))

static inline rfl_ring_head_t *
rfl_ring_head(const rfl_counters_t *c, unsigned ring)
{
    return (rfl_ring_head_t *) (void *)
           ((u_char *) c->header + RFL_RING_HEADS_AT) + ring;
}


static inline uint64_t *
rfl_ring_slot(const rfl_counters_t *c, unsigned ring, uint64_t number)
{
    return (uint64_t *) (void *)
           ((u_char *) c->header + RFL_RING_SLOTS_AT + ring * RFL_RING_SIZE
            + number % RFL_RING_SLOTS * sizeof(rfl_event_t));
}


/* Whether the slot is this writer's; no other one has or gets it then. */

static inline int
rfl_ring_claim(uint64_t *sequence, uint64_t n)
{
    uint64_t  seen;

    seen = __atomic_load_n(sequence, __ATOMIC_RELAXED);

    return seen % 2 == 0 && seen <= 2 * n
           && __atomic_compare_exchange_n(sequence, &seen, 2 * n + 1, 0,
                                          __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}


/*
 * In the log phase, hence here: it is one with what it is told.  A ring that is
 * not allocated takes nothing.  Of the event all is read but sequence, lengths,
 * reserved and text: that is source, in whatever case, and landing.  A source
 * longer than half of it is cut, then a landing that does not fit behind it;
 * its flags say so.  What is left of the text is of an older event, and is not
 * read.
 */

static inline void
rfl_ring_write(rfl_counters_t *c, unsigned number, const rfl_event_t *event,
    rfl_str_t source, rfl_str_t landing)
{
    size_t        room;
    uint8_t       flags;
    uint64_t     *sequence, n;
    unsigned      ring;
    rfl_event_t  *slot;

    ring = number % RFL_RINGS;

    if (!rfl_ring_is_open(c, ring)) {
        return;
    }

    flags = event->flags;

    if (source.len > RFL_RING_TEXT / 2) {
        source.len = RFL_RING_TEXT / 2;
        flags |= RFL_EVENT_SOURCE_CUT;
    }

    room = RFL_RING_TEXT - source.len;

    if (landing.len > room) {
        landing.len = room;
        flags |= RFL_EVENT_LANDING_CUT;
    }

    n = __atomic_fetch_add(&rfl_ring_head(c, ring)->head, 1, __ATOMIC_RELAXED);
    sequence = rfl_ring_slot(c, ring, n);
    slot = (rfl_event_t *) (void *) sequence;

    if (!rfl_ring_claim(sequence, n)) {
        return;
    }

    __atomic_thread_fence(__ATOMIC_RELEASE);

    slot->time_ms = event->time_ms;
    slot->visitor = event->visitor;
    slot->id = event->id;
    slot->status = event->status;
    slot->outcome = event->outcome;
    slot->class = event->class;
    slot->evidence = event->evidence;
    slot->flags = flags;
    slot->source_len = (uint8_t) source.len;
    slot->landing_len = (uint8_t) landing.len;
    memset(slot->reserved, 0, sizeof(slot->reserved));

    rfl_copy(slot->text, source.data, source.len);
    rfl_copy(slot->text + source.len, landing.data, landing.len);

    __atomic_store_n(sequence, 2 * (n + 1), __ATOMIC_RELEASE);
}


/*
 * A reader's place in all rings.  start: from now on; rewind: from the first
 * record of the file.  next: copies the next record of the rings, in order
 * within each ring, its source in lower case; RFL_OK, or RFL_NOT_FOUND when
 * there is none now.  now_ms: any steady clock.  missed: records it was
 * overtaken by, or that were never written or finished, since start.
 */

typedef struct {
    uint64_t  next[RFL_RINGS];
    uint64_t  missed;
    uint64_t  waiting_ms[RFL_RINGS];     /* since when for a slot; 0: not */
    unsigned  ring;                      /* the one it goes on with */
} rfl_ring_reader_t;

void rfl_ring_start(rfl_ring_reader_t *r, const rfl_counters_t *c);
void rfl_ring_rewind(rfl_ring_reader_t *r);
rfl_rc_t rfl_ring_next(rfl_ring_reader_t *r, const rfl_counters_t *c,
    uint64_t now_ms, rfl_event_t *event);


#endif /* RFL_RING_H */
