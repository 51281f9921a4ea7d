/*
 * The counter file's protocol under stress: writers that add and mark, a
 * flusher that takes marks, reads, and now and then fails, one who makes it
 * larger, readers of the rings.  First processes with maps of their own, where
 * the flusher is killed again and again, at any instruction; then threads of
 * this process, which ThreadSanitizer watches.  tests/model/ has the same
 * protocols in all orders, but neither this code nor this processor.
 *
 * What must hold, without any lock:
 *
 *   - what was added before the end is in what the flusher has read by marks
 *     alone, but for a full scan at its start: no mark is lost
 *   - whoever is killed, nothing is stored twice
 *   - no counter, no capacity is ever seen to go down
 *   - an event is read whole, or not at all; read and missed are all there were
 */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rfl_ring.h"


#define WRITERS   3
#define IDS       600
#define MAX       60000
#define ROUNDS    40000
#define KILLS     20                     /* of the flusher, at least */

#define must(holds)                                                           \
    do {                                                                      \
        if (!(holds)) {                                                       \
            (void) fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__,    \
                           __LINE__, #holds);                                 \
            abort();                                                          \
        }                                                                     \
    } while (0)


/* What a flush stores, in one transaction. */

typedef struct {
    uint64_t  cells[IDS];
    uint64_t  history[IDS];                      /* the sum of what they grew */
} stored_t;


/* Shared by all, processes too: what the counters are compared with. */

typedef struct {
    unsigned  running;                           /* writers; atomic */
    unsigned  kills;                             /* still to come; atomic */
    uint64_t  added[WRITERS][IDS];               /* each by its writer alone */

    unsigned  commits;                           /* atomic */
    stored_t  ledger[2];                         /* the last one, and the next:
                                                    as LMDB has them */
} truth_t;


typedef struct {
    rfl_counters_t  *c;
    truth_t         *truth;
    unsigned         number;
} task_t;


/* ThreadSanitizer's own, of which it has no header. */

void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

static void threads_count(truth_t *truth);
static void processes_count(truth_t *truth);
static void start(truth_t *truth, char *path);
static void kill_flushers(truth_t *truth, const char *path);
static void end(truth_t *truth, rfl_counters_t *c, const char *path);
static rfl_counters_t *open_file(const char *path, unsigned flags);
static void *write_counts(void *arg);
static void write_event(rfl_counters_t *c, unsigned number, uint32_t id);
static void *flush_counts(void *arg);
static void flush(rfl_counters_t *c, truth_t *truth, int all, int fails);
static void flush_word(rfl_counters_t *c, stored_t *next, uint32_t word,
    uint64_t bits);
static void *grow_file(void *arg);
static void *read_events(void *arg);
static void check_event(const rfl_event_t *event);
static int is_running(const truth_t *truth);
static int must_go_on(const truth_t *truth);


static const u_char  uuid[16] = "a race of cells";


int
main(void)
{
    truth_t  *truth;

    truth = mmap(NULL, sizeof(truth_t), PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    must(truth != MAP_FAILED);

    processes_count(truth);
    threads_count(truth);

    printf("%d writers, %d rounds, %d flushers killed: all counts are there\n",
           WRITERS, ROUNDS, KILLS);

    return 0;
}


static void
threads_count(truth_t *truth)
{
    char             path[64];
    unsigned         i;
    task_t           tasks[WRITERS];
    pthread_t        writers[WRITERS], flusher, grower, reader;
    rfl_counters_t  *c;

    start(truth, path);
    c = open_file(path, RFL_COUNTERS_CREATE);

    for (i = 0; i < WRITERS; i++) {
        tasks[i].c = c;
        tasks[i].truth = truth;
        tasks[i].number = i;
        must(rfl_ring_open(c, i, NULL) == RFL_OK);
    }

    must(pthread_create(&reader, NULL, read_events, &tasks[0]) == 0);
    must(pthread_create(&flusher, NULL, flush_counts, &tasks[0]) == 0);
    must(pthread_create(&grower, NULL, grow_file, &tasks[0]) == 0);

    for (i = 0; i < WRITERS; i++) {
        must(pthread_create(&writers[i], NULL, write_counts, &tasks[i]) == 0);
    }

    for (i = 0; i < WRITERS; i++) {
        must(pthread_join(writers[i], NULL) == 0);
    }

    must(pthread_join(flusher, NULL) == 0);
    must(pthread_join(grower, NULL) == 0);
    must(pthread_join(reader, NULL) == 0);

    end(truth, c, path);
}


static void
processes_count(truth_t *truth)
{
    int              status;
    char             path[64];
    pid_t            pids[WRITERS + 1];
    task_t           task;
    unsigned         i;
    rfl_counters_t  *c;

    start(truth, path);
    truth->kills = KILLS;
    c = open_file(path, RFL_COUNTERS_CREATE);

    for (i = 0; i < WRITERS; i++) {
        must(rfl_ring_open(c, i, NULL) == RFL_OK);
    }

    for (i = 0; i <= WRITERS; i++) {
        pids[i] = fork();
        must(pids[i] != -1);

        if (pids[i] == 0) {
            task.c = open_file(path, RFL_COUNTERS_WRITE);
            task.truth = truth;
            task.number = i;

            (void) (i < WRITERS ? write_counts(&task) : grow_file(&task));

            rfl_counters_close(task.c);
            _exit(0);
        }
    }

    kill_flushers(truth, path);

    for (i = 0; i <= WRITERS; i++) {
        must(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    }

    /* whoever goes last, and nobody else, may flush without company */

    must(rfl_counters_last_out(c) == RFL_OK);

    end(truth, c, path);
}


/*
 * One flusher after the other, each of them killed once it has stored something
 * and some microseconds more, until all writers are gone.  The last one stores
 * once again, all cells, as each does at its start.
 */

static void
kill_flushers(truth_t *truth, const char *path)
{
    int       status, last;
    pid_t     pid;
    task_t    task;
    unsigned  n, commits;

    n = 0;

    do {
        last = !is_running(truth);
        commits = __atomic_load_n(&truth->commits, __ATOMIC_ACQUIRE);

        pid = fork();
        must(pid != -1);

        if (pid == 0) {
            task.c = open_file(path, RFL_COUNTERS_WRITE);
            task.truth = truth;

            for ( ;; ) {
                (void) flush_counts(&task);
            }
        }

        while (__atomic_load_n(&truth->commits, __ATOMIC_ACQUIRE) == commits) {
            (void) usleep(100);
        }

        (void) usleep(n * 7919 % 1500);

        must(kill(pid, SIGKILL) == 0);
        must(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));

        n++;

        if (n <= KILLS) {
            (void) __atomic_fetch_sub(&truth->kills, 1, __ATOMIC_RELEASE);
        }

    } while (!last);
}


static void
start(truth_t *truth, char *path)
{
    memset(truth, 0, sizeof(truth_t));

    __atomic_store_n(&truth->running, WRITERS, __ATOMIC_RELEASE);

    (void) snprintf(path, 64, "/dev/shm/rfl-race-%d", (int) getpid());
    (void) unlink(path);
}


/* All are gone but this one.  What is marked still is all that is left. */

static void
end(truth_t *truth, rfl_counters_t *c, const char *path)
{
    unsigned         i;
    uint32_t         id;
    uint64_t         sum;
    rfl_cell_t       cell;
    const stored_t  *stored;

    flush(c, truth, 0, 0);

    stored = &truth->ledger[truth->commits % 2];

    for (id = 1; id < IDS; id++) {

        for (sum = 0, i = 0; i < WRITERS; i++) {
            sum += truth->added[i][id];
        }

        rfl_counters_read_cell(c, id, &cell);

        must(cell.n[RFL_CELL_CLICKS] == sum);
        must(stored->cells[id] == sum);
        must(stored->history[id] == sum);
    }

    must(rfl_counters_capacity(c) >= MAX / 2);

    rfl_counters_close(c);
    must(unlink(path) == 0);
}


static rfl_counters_t *
open_file(const char *path, unsigned flags)
{
    rfl_error_t      err;
    rfl_counters_t  *c;

    if (rfl_counters_open(&c, path, uuid, IDS, MAX, flags, 1, &err)
        != RFL_OK)
    {
        (void) fprintf(stderr, "%s\n", err.text);
        abort();
    }

    return c;
}


static void *
write_counts(void *arg)
{
    char      host[32];
    task_t   *task = arg;

    uint32_t  id, seed;
    unsigned  i;

    seed = task->number * 7919 + 1;

    for (i = 0; i < ROUNDS || must_go_on(task->truth); i++) {
        seed = seed * 1103515245 + 12345;

        /* few ids: the same marks are set and taken all the time */

        id = 1 + (seed >> 16) % (i % 2 ? 64 : IDS - 1);

        rfl_counters_add(&task->c->cells[id].n[RFL_CELL_CLICKS], 1);
        rfl_counters_mark_dirty(task->c, id);

        task->truth->added[task->number][id]++;

        /* two of them share a ring */

        write_event(task->c, task->number % 2, id);

        if (i % 64 == 0) {
            (void) snprintf(host, sizeof(host), "h%u.example", id % 40);
            rfl_counters_note_host(task->c, rfl_cstr(host));
        }
    }

    (void) __atomic_fetch_sub(&task->truth->running, 1, __ATOMIC_RELEASE);

    return NULL;
}


/* The text says what the numbers say: one half of another event would show. */

static void
write_event(rfl_counters_t *c, unsigned number, uint32_t id)
{
    char         source[64], landing[64];
    rfl_event_t  event;

    memset(&event, 0, sizeof(rfl_event_t));
    event.id = id;
    event.status = (uint16_t) id;

    (void) snprintf(source, sizeof(source), "s%0*u.example",
                    (int) (id % 20), id);
    (void) snprintf(landing, sizeof(landing), "/%0*u", (int) (id % 30), id);

    /*
     * The bytes of an event are plain stores between two of its sequence, as
     * in any seqlock, and may be overwritten while a reader looks at them: it
     * sees by the sequence that it has nothing then.  ThreadSanitizer knows no
     * seqlock.  (It is silent when the reader's look is too long ago for it,
     * which clang 21's remembers.)  check_event() is what holds that no half of
     * an event is read.
     */

    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    rfl_ring_write(c, number, &event, rfl_cstr(source), rfl_cstr(landing));
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}


static void *
flush_counts(void *arg)
{
    task_t  *task = arg;

    unsigned  i;

    flush(task->c, task->truth, 1, 0);

    for (i = 0; is_running(task->truth); i++) {
        flush(task->c, task->truth, 0, i % 3 == 2);

        if (i % 16 == 0) {
            rfl_counters_forget_hosts(task->c);
        }
    }

    return NULL;
}


/*
 * As rfl_ledger_flush() does it.  all: cells that are not marked, too; fails:
 * what was read is not stored, and the marks are given back.
 */

static void
flush(rfl_counters_t *c, truth_t *truth, int all, int fails)
{
    uint32_t   word, words;
    unsigned   commits;
    stored_t  *next;

    static uint64_t  taken[MAX / RFL_COUNTERS_WORD + 1];

    commits = __atomic_load_n(&truth->commits, __ATOMIC_ACQUIRE);
    next = &truth->ledger[(commits + 1) % 2];
    *next = truth->ledger[commits % 2];

    words = rfl_counters_capacity(c) / RFL_COUNTERS_WORD;

    for (word = 0; word < words; word++) {
        taken[word] = rfl_counters_take_dirty(c, word);
    }

    for (word = 0; word < words; word++) {
        flush_word(c, next, word, all ? UINT64_MAX : taken[word]);
    }

    if (!fails) {
        __atomic_store_n(&truth->commits, commits + 1, __ATOMIC_RELEASE);
        return;
    }

    for (word = 0; word < words; word++) {
        if (taken[word] != 0) {
            rfl_counters_give_back(c, word, taken[word]);
        }
    }
}


static void
flush_word(rfl_counters_t *c, stored_t *next, uint32_t word, uint64_t bits)
{
    uint32_t    id;
    rfl_cell_t  cell;

    for ( /* void */ ; bits != 0; bits &= bits - 1) {
        id = word * RFL_COUNTERS_WORD + (uint32_t) __builtin_ctzll(bits);

        rfl_counters_read_cell(c, id, &cell);

        if (id >= IDS) {
            must(cell.n[RFL_CELL_CLICKS] == 0);
            continue;
        }

        must(cell.n[RFL_CELL_CLICKS] >= next->cells[id]);

        next->history[id] += cell.n[RFL_CELL_CLICKS] - next->cells[id];
        next->cells[id] = cell.n[RFL_CELL_CLICKS];
    }
}


static void *
grow_file(void *arg)
{
    task_t  *task = arg;

    uint32_t  ids, capacity, before;

    before = 0;

    for (ids = IDS; ids < MAX / 2; ids += 997) {
        must(rfl_counters_reserve(task->c, ids, NULL) == RFL_OK);

        capacity = rfl_counters_capacity(task->c);
        must(capacity >= ids && capacity >= before);
        before = capacity;
    }

    must(rfl_counters_reserve(task->c, MAX / 2, NULL) == RFL_OK);

    return NULL;
}


static void *
read_events(void *arg)
{
    task_t  *task = arg;

    int                was_running;
    unsigned           i;
    uint64_t           n, now_ms;
    rfl_event_t        event;
    rfl_ring_reader_t  reader;

    memset(&reader, 0, sizeof(rfl_ring_reader_t));
    rfl_ring_rewind(&reader);

    n = 0;
    now_ms = 1;

    do {
        was_running = is_running(task->truth);

        while (rfl_ring_next(&reader, task->c, now_ms, &event) == RFL_OK) {
            check_event(&event);
            n++;
        }

    } while (was_running);

    /* of two writers that meet one leaves its record out: a reader waits for
       it, and if it was among the last ones none has made it go on */

    for (i = 0; i < RFL_RING_SLOTS * RFL_RINGS; i++) {
        now_ms += RFL_RING_PATIENCE_MS;

        while (rfl_ring_next(&reader, task->c, now_ms, &event) == RFL_OK) {
            check_event(&event);
            n++;
        }
    }

    must(n + reader.missed == (uint64_t) WRITERS * ROUNDS);
    must(n != 0);

    return NULL;
}


static void
check_event(const rfl_event_t *event)
{
    char       source[64], landing[64];
    uint32_t   id;

    id = event->id;

    (void) snprintf(source, sizeof(source), "s%0*u.example",
                    (int) (id % 20), id);
    (void) snprintf(landing, sizeof(landing), "/%0*u", (int) (id % 30), id);

    must(event->status == (uint16_t) id);
    must(rfl_str_eq(rfl_event_source(event), rfl_cstr(source)));
    must(rfl_str_eq(rfl_event_landing(event), rfl_cstr(landing)));
}


static int
is_running(const truth_t *truth)
{
    return __atomic_load_n(&truth->running, __ATOMIC_ACQUIRE) != 0;
}


/* Where flushers are killed, until that was often enough. */

static int
must_go_on(const truth_t *truth)
{
    return __atomic_load_n(&truth->kills, __ATOMIC_ACQUIRE) != 0;
}
