/*
 * The counter file: shared cells on tmpfs that outlive every process.
 *
 *     0          header: magic, layout, registry uuid, file id, capacity
 *     2 KiB      hosts that requests asked for, a sample
 *     4 KiB      64 stripes of 64 zone-wide counters
 *     40 KiB     heads of the event rings, see rfl_ring.h
 *     16 MiB     dirty bits, one per cell (room for 2^26)
 *     24 MiB     slots of the event rings
 *     32 MiB     cells, 128 bytes each, indexed by link or group id
 *
 * The file is sparse; [0, capacity) of dirty bits and cells is allocated
 * with fallocate() before capacity is published: touching unallocated
 * tmpfs when it is full is SIGBUS.  Processes map the address range of
 * max_ids once; capacity only grows, so nothing is ever remapped.
 *
 * Writers add atomically and set the cell's dirty bit; there is no lock.  The
 * flusher clears a bit, fences, then reads the cell, so an add is either in
 * what it read or has set the bit again.
 *
 * The file is made under a temporary name and published with link(), mode
 * 0600.  Whoever counts holds a shared flock() on it; a process that leaves
 * drops it and tries the exclusive one: only the last one out gets it.
 *
 * Cost in the log phase: a few atomic adds, 10 ns each, 14 when contended.
 */

#ifndef RFL_COUNTERS_H
#define RFL_COUNTERS_H

#include "rfl_terms.h"


/* A cell: 16 numbers.  Reports know them through rfl_report.h's table. */

typedef enum {
    RFL_CELL_CLICKS = 0,
    RFL_CELL_RELOADS,
    RFL_CELL_REDIRECTS,
    RFL_CELL_ERRORS_4XX,
    RFL_CELL_ERRORS_5XX,
    RFL_CELL_EMBEDS,
    RFL_CELL_PREFETCHES,
    RFL_CELL_BOTS,
    RFL_CELL_OTHER,
    RFL_CELL_CLICKS_BY_TAG,
    RFL_CELL_CLICKS_BY_PAGE,
    RFL_CELL_OTHER_LANDING,
    RFL_CELL_BYTES,
    RFL_CELL_SUMS,               /* the fields above add up */
    RFL_CELL_SPARE = RFL_CELL_SUMS,          /* the next counter */
    RFL_CELL_FIRST_SEEN,                     /* seconds; 0: never; minimum */
    RFL_CELL_LAST_SEEN,                      /* seconds; maximum */
    RFL_CELL_FIELDS
} rfl_cell_field_t;

_Static_assert(RFL_CELL_FIELDS == 16, "a cell is 128 bytes");


/* Zone-wide counters: a stripe. */

#define RFL_ZONE_OUTCOMES       0        /* by rfl_outcome_t */
#define RFL_ZONE_CLICKS         8        /* by rfl_outcome_t */
#define RFL_ZONE_EVIDENCE       16       /* by rfl_evidence_t */
#define RFL_ZONE_CLASSES        24       /* by rfl_cell_field_t, matched */
#define RFL_ZONE_LOOKUP_ERRORS  40
#define RFL_ZONE_OVERFLOW       41
#define RFL_ZONE_REGEX_LIMITS   42
#define RFL_ZONE_INTERNAL_BARE  43       /* internal, without a Referer */
#define RFL_ZONE_EDGE_CLICKS    44       /* clicks through a shared cache that
                                            may keep the answer */
#define RFL_ZONE_FIELDS         64

typedef struct {
    uint64_t  n[RFL_CELL_FIELDS];
} rfl_cell_t;

typedef struct {
    uint64_t  n[RFL_ZONE_FIELDS];
} rfl_zone_t;


/* dst += src: sums are added, first and last seen are combined. */

void rfl_cell_merge(rfl_cell_t *dst, const rfl_cell_t *src);
void rfl_zone_merge(rfl_zone_t *dst, const rfl_zone_t *src);

/* All requests a cell has counted: its classes summed. */

uint64_t rfl_cell_requests(const rfl_cell_t *cell);


#define RFL_COUNTERS_LAYOUT    2
#define RFL_COUNTERS_STRIPES   64
#define RFL_COUNTERS_MAX_IDS   (1u << 26)
#define RFL_COUNTERS_WORD      64        /* cells of one dirty word */
#define RFL_COUNTERS_STEP      4096      /* ids; or an eighth, if more */

/* Where things begin in the file; see above. */

#define RFL_COUNTERS_HOSTS_AT    2048
#define RFL_COUNTERS_STRIPES_AT  4096
#define RFL_COUNTERS_DIRTY_AT    (16 * 1024 * 1024)
#define RFL_COUNTERS_CELLS_AT    (32 * 1024 * 1024)


typedef struct {
    u_char    magic[8];          /* "RFLCOUNT" */
    uint32_t  layout;
    uint32_t  header_size;
    u_char    uuid[16];          /* the registry's */
    uint64_t  file_id;           /* random: identity in the ledger */
    uint64_t  created;           /* seconds */
    uint32_t  capacity;          /* cells allocated; atomic, only grows */
    uint32_t  next_id;           /* ids below it were issued; atomic */
    uint64_t  flush_ms;          /* end of the last good flush; atomic */
    uint64_t  flush_errors;      /* atomic */
    uint32_t  flush_failing;     /* 1: the last try failed; atomic */
    uint32_t  diagnosis;         /* bits of rfl_diagnosis.h; atomic */
    uint32_t  moves;             /* how often somebody began to count in another
                                    file instead; atomic */
    uint32_t  retired;           /* 1: nobody counts here and the ledger has
                                    it all; atomic */
    uint32_t  rings;             /* bit i: event ring i is allocated; atomic */
} rfl_counters_header_t;


/*
 * Hosts of the pages that were clicked, one in RFL_COUNTERS_SAMPLE of each
 * process, for the diagnosis alone; who comes when all are taken is not noted.
 */

#define RFL_COUNTERS_HOSTS   24
#define RFL_COUNTERS_SAMPLE  16

typedef struct {
    uint32_t  state;             /* 0: free, 1: being written, 2: valid */
    uint32_t  hash;
    uint8_t   len;
    u_char    name[71];
} __attribute__((aligned(8))) rfl_counters_host_t;

#define RFL_COUNTERS_HOST_WORDS  (sizeof(rfl_counters_host_t) / 8)

_Static_assert(sizeof(rfl_counters_host_t) == 80, "it is read by words");


typedef struct rfl_counters_s  rfl_counters_t;

struct rfl_counters_s {
    rfl_counters_header_t  *header;
    rfl_counters_host_t    *hosts;
    rfl_zone_t             *stripes;
    uint64_t               *dirty;
    rfl_cell_t             *cells;
    uint32_t                max_ids;     /* mapped */
    int                     fd;
    unsigned                writable:1;
    unsigned                locked:1;    /* holds the shared flock */
    unsigned                exclusive:1; /* holds the exclusive one */
    unsigned                is_volatile:1;
    uint32_t                moves_seen;  /* of the header's */
    size_t                  map_len;
    dev_t                   dev;
    ino_t                   ino;
    char                   *path;        /* "": it has none */
    rfl_counters_t         *lost;        /* a file of the same registry where
                                            nobody shall count any more: it may
                                            have what the ledger has not */
};


/*
 * Where the counter file is if root started nginx and counters= names none.
 * Its parent is root's: nobody can put a link in its place.
 */

#define RFL_COUNTERS_DIR     "/run/ngx-referral"

#define RFL_COUNTERS_READ    0   /* map for reading, take no lock */
#define RFL_COUNTERS_WRITE   1   /* map for counting, hold the shared lock */
#define RFL_COUNTERS_CREATE  2   /* make it if missing; implies WRITE */
#define RFL_COUNTERS_GROW    4   /* map for reserving cells, take no lock: the
                                    command must not look like a process that
                                    goes on counting */


/*
 * Opens the counter file at path for the registry uuid.  ids: with WRITE, at
 * least so many cells are allocated (and a step ahead).  max_ids bounds the
 * address range mapped, but for ids that were issued and have a cell: there may
 * be counts in it.  Errors: RFL_NOT_FOUND, RFL_DENIED (not ours: owner, mode, a
 * symlink), RFL_BAD_VERSION (another layout), RFL_INVALID (another registry's
 * file), RFL_DAMAGED, RFL_FULL (no room to make it), RFL_BUSY (a last process
 * out is flushing it; nothing waits here, try again), RFL_ERROR.
 * A file that is there but cannot grow to ids is opened all the same:
 * rfl_counters_reserve() tells.
 * With CREATE, a file of another layout or registry that no process uses is
 * renamed to PATH.old and a new one is made; one in use is RFL_BUSY.
 */

rfl_rc_t rfl_counters_open(rfl_counters_t **cp, const char *path,
    const u_char uuid[16], uint32_t ids, uint32_t max_ids, unsigned flags,
    uint64_t now, rfl_error_t *err);

void rfl_counters_close(rfl_counters_t *c);          /* NULL is allowed */


/*
 * Where no counter file can be had: the same in anonymous memory that lives as
 * long as the master.  create: in the master, before it forks, for the
 * worker user; costs a file descriptor and no memory until it is used.
 * open: in each process, by the descriptor; with CREATE whoever comes first
 * makes it the registry's, and all count there; with GROW it is mapped if it
 * has been made, and not locked.  Errors: RFL_INVALID (another registry's),
 * RFL_BUSY (being made, or being flushed; try again), RFL_NOT_FOUND (not made
 * yet; no /proc to open it by), RFL_DENIED, RFL_NO_MEMORY, RFL_ERROR.
 */

int rfl_counters_volatile_create(const char *name, uid_t owner); /* or -1 */
rfl_rc_t rfl_counters_volatile_open(rfl_counters_t **cp, int fd,
    const u_char uuid[16], uint32_t ids, uint32_t max_ids, unsigned flags,
    uint64_t now, rfl_error_t *err);


/*
 * Going on to another file.  leave: this process counts here no more, and
 * tells the others (moves); the file stays mapped for reading and flushing.
 * join: it counts here again; RFL_BUSY while it is being flushed for the last
 * time.  retire: by who holds the exclusive lock, after that flush.
 */

void rfl_counters_leave(rfl_counters_t *c);
rfl_rc_t rfl_counters_join(rfl_counters_t *c, rfl_error_t *err);
void rfl_counters_retire(rfl_counters_t *c);

/* Tells those who count there to look where others do. */

static inline void
rfl_counters_alert(rfl_counters_t *c)
{
    (void) __atomic_fetch_add(&c->header->moves, 1, __ATOMIC_RELEASE);
}


/* Whether somebody has moved on since this process asked last. */

static inline int
rfl_counters_moved(rfl_counters_t *c)
{
    uint32_t  moves;

    moves = __atomic_load_n(&c->header->moves, __ATOMIC_ACQUIRE);

    if (moves == c->moves_seen) {
        return 0;
    }

    c->moves_seen = moves;

    return 1;
}


static inline int
rfl_counters_retired(const rfl_counters_t *c)
{
    return (int) __atomic_load_n(&c->header->retired, __ATOMIC_ACQUIRE);
}


/*
 * Whether path still names this file: RFL_OK, RFL_NOT_FOUND (deleted), or
 * RFL_DAMAGED (another file took its place).
 */

rfl_rc_t rfl_counters_check_path(rfl_counters_t *c, const char *path);


/*
 * Makes cells for ids below ids and RFL_COUNTERS_STEP or an eighth more, and
 * notes that these ids are issued, unless there cannot be so many.  RFL_FULL
 * when tmpfs is full or max_ids is reached: what fits is there, the rest counts
 * as overflow.
 */

rfl_rc_t rfl_counters_reserve(rfl_counters_t *c, uint32_t ids,
    rfl_error_t *err);


static inline uint32_t
rfl_counters_capacity(const rfl_counters_t *c)
{
    uint32_t  capacity;

    capacity = __atomic_load_n(&c->header->capacity, __ATOMIC_ACQUIRE);

    return capacity < c->max_ids ? capacity : c->max_ids;
}


/*
 * Ids at or above it have no cell, or the registry alone knows them: another
 * process may have added their links since this was noted.
 */

static inline uint32_t
rfl_counters_issued(const rfl_counters_t *c)
{
    uint32_t  next_id, capacity;

    next_id = __atomic_load_n(&c->header->next_id, __ATOMIC_RELAXED);
    capacity = rfl_counters_capacity(c);

    return next_id < capacity ? next_id : capacity;
}


/* A cell's two lines, which will be added to: on their way while others are. */

static inline void
rfl_counters_soon(const rfl_counters_t *c, uint32_t id)
{
    __builtin_prefetch(&c->cells[id].n[0], 1);
    __builtin_prefetch(&c->cells[id].n[RFL_CELL_FIELDS / 2], 1);
    __builtin_prefetch(&c->dirty[id / RFL_COUNTERS_WORD]);
}


/* Brings a cell near, for who reads it. */

static inline void
rfl_counters_read_soon(const rfl_counters_t *c, uint32_t id)
{
    __builtin_prefetch(&c->cells[id].n[0]);
    __builtin_prefetch(&c->cells[id].n[RFL_CELL_FIELDS / 2]);
}


/* One request's worth of counting; see rfl_record() in rfl_record.h. */

static inline void
rfl_counters_add(uint64_t *field, uint64_t n)
{
    (void) __atomic_fetch_add(field, n, __ATOMIC_RELAXED);
}


/* A time, in seconds: the highest stays. */

static inline void
rfl_counters_seen(rfl_cell_t *cell, uint64_t when)
{
    uint64_t  *last, seen;

    last = &cell->n[RFL_CELL_LAST_SEEN];
    seen = __atomic_load_n(last, __ATOMIC_RELAXED);

    while (seen < when
           && !__atomic_compare_exchange_n(last, &seen, when, 0,
                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    {
        /* seen was reloaded */
    }
}


/*
 * The cell was added to before.  The fence pairs with the one in
 * rfl_counters_take_dirty(): a bit that is seen set here is cleared only
 * after the add can be seen there.  Testing first spares a locked write to a
 * line that all processes share.
 */

static inline void
rfl_counters_mark_dirty(rfl_counters_t *c, uint32_t id)
{
    uint64_t  *word, bit;

    word = &c->dirty[id / RFL_COUNTERS_WORD];
    bit = (uint64_t) 1 << (id % RFL_COUNTERS_WORD);

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    if ((__atomic_load_n(word, __ATOMIC_RELAXED) & bit) == 0) {
        (void) __atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
    }
}


/*
 * Notes the host of a clicked page: lower case, canonical, not empty; longer
 * ones than the table holds are left out.  forget: all, at a window's end.
 * Two processes that note a host at the same moment may note it twice.
 */

void rfl_counters_note_host(rfl_counters_t *c, rfl_str_t host);

/* A copy; of one that is being replaced it may be half of each. */

void rfl_counters_read_host(const rfl_counters_host_t *slot,
    rfl_counters_host_t *copy);

void rfl_counters_forget_hosts(rfl_counters_t *c);


/* Copies; each number is read once, atomically. */

void rfl_counters_read_cell(const rfl_counters_t *c, uint32_t id,
    rfl_cell_t *cell);                   /* zeroes beyond capacity */
void rfl_counters_read_zone(const rfl_counters_t *c, rfl_zone_t *zone);


/*
 * For the flusher.  take: clears dirty word i (64 cells from id 64 * i) and
 * returns it, fenced; give_back: sets bits again after a failed flush.
 */

uint64_t rfl_counters_take_dirty(rfl_counters_t *c, uint32_t word);
void rfl_counters_give_back(rfl_counters_t *c, uint32_t word, uint64_t bits);


/*
 * Drops the shared lock and tries the exclusive one.  RFL_OK: this was the
 * last process out and nobody counts any more until the file is closed or
 * left; RFL_BUSY: others go on.  Either way this process counts no more.
 */

rfl_rc_t rfl_counters_last_out(rfl_counters_t *c);


#endif /* RFL_COUNTERS_H */
