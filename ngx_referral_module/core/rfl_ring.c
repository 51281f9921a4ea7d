/*
 * See rfl_ring.h.  Reader and writer may meet in a slot: the sequence, written
 * first and last, tells afterwards.
 *
 * A writer is in a request's log phase: it writes each byte once, and is in the
 * header.  What is left to do, lower case, is the readers'.
 */

#include "rfl_ring.h"

#include <errno.h>
#include <fcntl.h>


#define RING_SIZE    ((off_t) RFL_RING_SIZE)
#define EVENT_WORDS  (sizeof(rfl_event_t) / sizeof(uint64_t))


static int ring_allocate(int fd, off_t from, off_t size);
static rfl_rc_t ring_read(rfl_ring_reader_t *r, const rfl_counters_t *c,
    unsigned ring, uint64_t now_ms, rfl_event_t *event);
static uint64_t ring_copy(const uint64_t *slot, uint64_t wanted,
    rfl_event_t *event);
static void ring_lower(u_char *p, size_t len);
static void ring_overtaken(rfl_ring_reader_t *r, unsigned ring,
    uint64_t head);


_Static_assert(RFL_COUNTERS_STRIPES_AT
               + RFL_COUNTERS_STRIPES * sizeof(rfl_zone_t)
               <= RFL_RING_HEADS_AT, "the stripes end before the heads");
_Static_assert(RFL_COUNTERS_DIRTY_AT + RFL_COUNTERS_MAX_IDS / 8
               <= RFL_RING_SLOTS_AT, "the dirty bits end before the slots");
_Static_assert(RFL_RING_SLOTS_AT
               + RFL_RINGS * RFL_RING_SLOTS * sizeof(rfl_event_t)
               <= RFL_COUNTERS_CELLS_AT, "the slots end before the cells");
_Static_assert(offsetof(rfl_event_t, text) % sizeof(uint64_t) == 0,
               "the text begins with a word");
_Static_assert((RFL_RING_SLOTS & (RFL_RING_SLOTS - 1)) == 0,
               "slots are a power of two");


/* Two processes may allocate one ring: that changes nothing in it. */

rfl_rc_t
rfl_ring_open(rfl_counters_t *c, unsigned number, rfl_error_t *err)
{
    int       rc;
    unsigned  ring;

    if (!c->writable) {
        return rfl_fail(err, RFL_DENIED, "event ring: the counter file was "
                        "opened for reading");
    }

    ring = number % RFL_RINGS;

    if (rfl_ring_is_open(c, ring)) {
        return RFL_OK;
    }

    rc = ring_allocate(c->fd, RFL_RING_HEADS_AT,
                       RFL_RINGS * (off_t) sizeof(rfl_ring_head_t));

    if (rc == 0) {
        rc = ring_allocate(c->fd, RFL_RING_SLOTS_AT + ring * RING_SIZE,
                           RING_SIZE);
    }

    if (rc != 0) {
        return rfl_fail(err, rc == ENOSPC || rc == EDQUOT ? RFL_FULL
                                                          : RFL_ERROR,
                        "event ring: the counter file cannot grow: %s; "
                        "enlarge its file system", strerror(rc));
    }

    (void) __atomic_fetch_or(&c->header->rings, (uint32_t) 1 << ring,
                             __ATOMIC_RELEASE);

    return RFL_OK;
}


/* Returns 0 or an errno. */

static int
ring_allocate(int fd, off_t from, off_t size)
{
    int  rc;

    do {
        rc = fallocate(fd, 0, from, size);
    } while (rc != 0 && errno == EINTR);

    return rc == 0 ? 0 : errno;
}


void
rfl_ring_start(rfl_ring_reader_t *r, const rfl_counters_t *c)
{
    unsigned  ring;

    memset(r, 0, sizeof(rfl_ring_reader_t));

    for (ring = 0; ring < RFL_RINGS; ring++) {

        /* what is not allocated must not be touched: tmpfs may be full */

        if (rfl_ring_is_open(c, ring)) {
            r->next[ring] = __atomic_load_n(&rfl_ring_head(c, ring)->head,
                                            __ATOMIC_ACQUIRE);
        }
    }
}


void
rfl_ring_rewind(rfl_ring_reader_t *r)
{
    memset(r, 0, sizeof(rfl_ring_reader_t));
}


/* One record of each ring in turn: a busy worker does not hide the others. */

rfl_rc_t
rfl_ring_next(rfl_ring_reader_t *r, const rfl_counters_t *c, uint64_t now_ms,
    rfl_event_t *event)
{
    rfl_rc_t  rc;
    unsigned  i, ring;

    for (i = 0; i < RFL_RINGS; i++) {
        ring = (r->ring + i) % RFL_RINGS;

        if (!rfl_ring_is_open(c, ring)) {
            continue;
        }

        rc = ring_read(r, c, ring, now_ms, event);

        if (rc == RFL_OK) {
            r->ring = (ring + 1) % RFL_RINGS;
            return RFL_OK;
        }
    }

    return RFL_NOT_FOUND;
}


static rfl_rc_t
ring_read(rfl_ring_reader_t *r, const rfl_counters_t *c, unsigned ring,
    uint64_t now_ms, rfl_event_t *event)
{
    uint64_t  head, wanted, seen;

    for ( ;; ) {
        head = __atomic_load_n(&rfl_ring_head(c, ring)->head, __ATOMIC_ACQUIRE);

        if (head <= r->next[ring]) {
            r->next[ring] = head;
            r->waiting_ms[ring] = 0;
            return RFL_NOT_FOUND;
        }

        if (head - r->next[ring] > RFL_RING_SLOTS) {
            ring_overtaken(r, ring, head);
        }

        wanted = 2 * (r->next[ring] + 1);
        seen = ring_copy(rfl_ring_slot(c, ring, r->next[ring]), wanted,
                         event);

        if (seen == wanted) {
            r->next[ring]++;
            r->waiting_ms[ring] = 0;
            ring_lower(event->text, event->source_len);
            return RFL_OK;
        }

        /* an earlier one is in it, odd as well: as a rule nothing else will
           be, and if so after all, it is among those that were missed */

        if (seen == wanted - 1 || (seen < wanted && seen % 2 == 0)) {

            /* its writer is at it, or was killed */

            if (r->waiting_ms[ring] == 0) {
                r->waiting_ms[ring] = now_ms;
            }

            if (now_ms - r->waiting_ms[ring] < RFL_RING_PATIENCE_MS) {
                return RFL_NOT_FOUND;
            }
        }

        r->waiting_ms[ring] = 0;
        r->next[ring]++;
        r->missed++;
    }
}


/* Returns the slot's sequence; *event is the record if that is the wanted. */

static uint64_t
ring_copy(const uint64_t *slot, uint64_t wanted, rfl_event_t *event)
{
    size_t     i;
    uint64_t   seen, *words;

    seen = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

    if (seen != wanted) {
        return seen;
    }

    words = (uint64_t *) (void *) event;
    words[0] = seen;

    for (i = 1; i < EVENT_WORDS; i++) {
        words[i] = __atomic_load_n(&slot[i], __ATOMIC_RELAXED);
    }

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    /* a file that is damaged, or two writers of a version before this one */

    if ((size_t) event->source_len + event->landing_len > RFL_RING_TEXT) {
        event->source_len = 0;
        event->landing_len = 0;
    }

    return __atomic_load_n(slot, __ATOMIC_RELAXED);
}


static void
ring_lower(u_char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        p[i] = rfl_lower(p[i]);
    }
}


/* The slots around the head are being written: it leaves some room. */

static void
ring_overtaken(rfl_ring_reader_t *r, unsigned ring, uint64_t head)
{
    uint64_t  next;

    next = head - RFL_RING_SLOTS + RFL_RING_SLOTS / 8;

    r->missed += next - r->next[ring];
    r->next[ring] = next;
    r->waiting_ms[ring] = 0;
}
