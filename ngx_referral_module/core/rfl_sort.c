/*
 * See rfl_sort.h.
 *
 * An item lies in memory, and in a run, as its length and its bytes.  What is
 * moved while sorting is its place and a prefix of eight bytes, which decide
 * nearly always.  Items are dealt out by the first bits of the prefix first:
 * hashes are then in order but for a few neighbours.
 */

#include "rfl_sort.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


#define RFL_SORT_HEAD      2             /* bytes of an item's length */
#define RFL_SORT_PREFIX    8

#define RFL_SORT_BITS      16            /* by which items are dealt out */
#define RFL_SORT_HANDS     ((size_t) 1 << RFL_SORT_BITS)
#define RFL_SORT_DEAL_MIN  4096          /* items; fewer are just sorted */

#define RFL_SORT_INSERT    24            /* so many are sorted by insertion */

/* A run is read so much at a time, at least. */

#define RFL_SORT_READ_MIN  (4 * (RFL_SORT_HEAD + RFL_SORT_ITEM_MAX))


typedef struct {
    uint64_t  prefix;                    /* in the order of numbers */
    size_t    pos;                       /* in memory */
} rfl_sort_item_t;


typedef struct {
    off_t     pos;                       /* what is to be read next */
    off_t     end;
    u_char   *start;                     /* of its part of memory */
    u_char   *p;                         /* the item */
    u_char   *last;                      /* of what has been read */
    size_t    size;
    uint64_t  prefix;                    /* of the item */
} rfl_sort_run_t;


struct rfl_sort_s {
    const char       *dir;
    int               fd;                /* of the runs, or -1 */
    off_t             file_size;

    u_char           *memory;
    size_t            size;
    size_t            used;

    rfl_sort_item_t  *items;
    rfl_sort_item_t  *other;             /* as many, for dealing out */
    size_t            n;
    size_t            max;
    uint32_t         *hands;

    rfl_sort_run_t   *runs;
    size_t            nruns;
    size_t            runs_size;
    size_t           *heap;              /* of runs, the least item first */
    size_t            heap_len;

    size_t            next;              /* without runs: of the items */
    unsigned          read:1;            /* the heap's first was returned */
};


static rfl_rc_t sort_write_run(rfl_sort_t *s, rfl_error_t *err);
static rfl_rc_t sort_grow_runs(rfl_sort_t *s, rfl_error_t *err);
static rfl_rc_t sort_open(rfl_sort_t *s, rfl_error_t *err);
static rfl_rc_t sort_write(rfl_sort_t *s, const u_char *data, size_t len,
    rfl_error_t *err);
static void sort_items(rfl_sort_t *s);
static void sort_deal(rfl_sort_t *s);
static void sort_part(rfl_sort_t *s, rfl_sort_item_t *items, size_t n);
static int sort_item_cmp(const void *a, const void *b, void *memory);
static rfl_rc_t sort_next_of_runs(rfl_sort_t *s, rfl_str_t *item,
    rfl_error_t *err);
static rfl_rc_t sort_run_item(rfl_sort_t *s, rfl_sort_run_t *run,
    rfl_error_t *err);
static rfl_rc_t sort_fill(rfl_sort_t *s, rfl_sort_run_t *run,
    rfl_error_t *err);
static void sort_sink(rfl_sort_t *s, size_t i);
static int sort_run_is_less(const rfl_sort_run_t *a, const rfl_sort_run_t *b);
static rfl_str_t sort_text(const u_char *p);
static uint64_t sort_prefix(const u_char *data, size_t len);


rfl_sort_t *
rfl_sort_create(const char *dir, size_t memory, size_t n)
{
    rfl_sort_t  *s;

    s = calloc(1, sizeof(rfl_sort_t));
    if (s == NULL) {
        return NULL;
    }

    s->dir = dir;
    s->fd = -1;
    s->size = memory;
    s->max = n;

    s->memory = malloc(memory);
    s->items = malloc(n * sizeof(rfl_sort_item_t));
    s->other = malloc(n * sizeof(rfl_sort_item_t));
    s->hands = malloc((RFL_SORT_HANDS + 1) * sizeof(uint32_t));

    if (s->memory == NULL || s->items == NULL || s->other == NULL
        || s->hands == NULL)
    {
        rfl_sort_free(s);
        return NULL;
    }

    return s;
}


void
rfl_sort_free(rfl_sort_t *s)
{
    if (s == NULL) {
        return;
    }

    if (s->fd != -1) {
        (void) close(s->fd);
    }

    free(s->memory);
    free(s->items);
    free(s->other);
    free(s->hands);
    free(s->runs);
    free(s->heap);
    free(s);
}


void
rfl_sort_reset(rfl_sort_t *s)
{
    if (s->fd != -1) {
        (void) close(s->fd);
        s->fd = -1;
    }

    s->file_size = 0;
    s->used = 0;
    s->n = 0;
    s->nruns = 0;
    s->next = 0;
}


rfl_rc_t
rfl_sort_add(rfl_sort_t *s, rfl_str_t item, rfl_error_t *err)
{
    u_char           *p;
    uint16_t          len;
    rfl_rc_t          rc;
    rfl_sort_item_t  *place;

    if (s->n == s->max || s->size - s->used < RFL_SORT_HEAD + item.len) {
        rc = sort_write_run(s, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    p = s->memory + s->used;
    len = (uint16_t) item.len;

    memcpy(p, &len, RFL_SORT_HEAD);
    memcpy(p + RFL_SORT_HEAD, item.data, item.len);

    place = &s->items[s->n++];
    place->prefix = sort_prefix(item.data, item.len);
    place->pos = s->used;

    s->used += RFL_SORT_HEAD + item.len;

    return RFL_OK;
}


/* The second array is not needed then: it is the buffer. */

static rfl_rc_t
sort_write_run(rfl_sort_t *s, rfl_error_t *err)
{
    u_char    *buf, *p;
    size_t     i, len, size, fill;
    rfl_rc_t   rc;

    rc = sort_grow_runs(s, err);

    if (rc == RFL_OK && s->fd == -1) {
        rc = sort_open(s, err);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    sort_items(s);

    s->runs[s->nruns].pos = s->file_size;

    buf = (u_char *) s->other;
    size = s->max * sizeof(rfl_sort_item_t);
    fill = 0;

    for (i = 0; i < s->n; i++) {
        p = s->memory + s->items[i].pos;
        len = RFL_SORT_HEAD + sort_text(p).len;

        if (size - fill < len) {
            rc = sort_write(s, buf, fill, err);
            if (rc != RFL_OK) {
                return rc;
            }

            fill = 0;
        }

        memcpy(buf + fill, p, len);
        fill += len;
    }

    rc = sort_write(s, buf, fill, err);
    if (rc != RFL_OK) {
        return rc;
    }

    s->runs[s->nruns].end = s->file_size;
    s->nruns++;

    s->used = 0;
    s->n = 0;

    return RFL_OK;
}


/* Every run needs a part of memory when they are read. */

static rfl_rc_t
sort_grow_runs(rfl_sort_t *s, rfl_error_t *err)
{
    size_t           size, *heap;
    rfl_sort_run_t  *runs;

    if (s->nruns < s->runs_size) {
        return RFL_OK;
    }

    size = s->runs_size != 0 ? 2 * s->runs_size : 16;

    if (size > s->size / RFL_SORT_READ_MIN) {
        size = s->size / RFL_SORT_READ_MIN;
    }

    if (size == s->nruns) {
        return rfl_fail(err, RFL_FULL, "there is more to be put in order than "
                        "%zu times %zu MB; do it in parts", s->nruns,
                        s->size >> 20);
    }

    runs = realloc(s->runs, size * sizeof(rfl_sort_run_t));
    if (runs == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
    }

    s->runs = runs;

    heap = realloc(s->heap, size * sizeof(size_t));
    if (heap == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
    }

    s->heap = heap;
    s->runs_size = size;

    return RFL_OK;
}


/* No name: nothing is left of it, whatever happens.  Not all systems can. */

static rfl_rc_t
sort_open(rfl_sort_t *s, rfl_error_t *err)
{
    int   len;
    char  path[PATH_MAX];

    s->fd = open(s->dir, O_TMPFILE|O_RDWR|O_CLOEXEC, 0600);

    if (s->fd != -1) {
        return RFL_OK;
    }

    len = snprintf(path, sizeof(path), "%s/sort.XXXXXX", s->dir);

    if (len < 0 || (size_t) len >= sizeof(path)) {
        return rfl_fail(err, RFL_INVALID, "%.64s...: the path is too long",
                        s->dir);
    }

    s->fd = mkostemp(path, O_CLOEXEC);

    if (s->fd == -1) {
        return rfl_fail(err, errno == ENOSPC ? RFL_FULL : RFL_ERROR, "%s: a "
                        "file to sort in cannot be made: %s", s->dir,
                        strerror(errno));
    }

    (void) unlink(path);

    return RFL_OK;
}


static rfl_rc_t
sort_write(rfl_sort_t *s, const u_char *data, size_t len, rfl_error_t *err)
{
    ssize_t  n;

    while (len != 0) {
        n = pwrite(s->fd, data, len, s->file_size);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return rfl_fail(err, n == 0 || errno == ENOSPC || errno == EDQUOT
                                 ? RFL_FULL : RFL_ERROR,
                            "%s: writing what is to be put in order: %s",
                            s->dir, n == 0 ? "no space" : strerror(errno));
        }

        data += n;
        len -= (size_t) n;
        s->file_size += n;
    }

    return RFL_OK;
}


static void
sort_items(rfl_sort_t *s)
{
    size_t            i, begin;
    rfl_sort_item_t  *items;

    if (s->n < RFL_SORT_DEAL_MIN) {
        sort_part(s, s->items, s->n);
        return;
    }

    sort_deal(s);

    begin = 0;

    for (i = 0; i < RFL_SORT_HANDS; i++) {
        sort_part(s, s->other + begin, s->hands[i] - begin);
        begin = s->hands[i];
    }

    items = s->items;
    s->items = s->other;
    s->other = items;
}


/* To s->other; s->hands[i] becomes the end of those with the bits i. */

static void
sort_deal(rfl_sort_t *s)
{
    size_t     i;
    uint32_t  *hands;

    hands = s->hands;
    memset(hands, 0, (RFL_SORT_HANDS + 1) * sizeof(uint32_t));

    for (i = 0; i < s->n; i++) {
        hands[(s->items[i].prefix >> (64 - RFL_SORT_BITS)) + 1]++;
    }

    for (i = 0; i < RFL_SORT_HANDS; i++) {
        hands[i + 1] += hands[i];
    }

    for (i = 0; i < s->n; i++) {
        s->other[hands[s->items[i].prefix >> (64 - RFL_SORT_BITS)]++]
            = s->items[i];
    }
}


static void
sort_part(rfl_sort_t *s, rfl_sort_item_t *items, size_t n)
{
    size_t           i, k;
    rfl_sort_item_t  item;

    if (n > RFL_SORT_INSERT) {
        qsort_r(items, n, sizeof(rfl_sort_item_t), sort_item_cmp, s->memory);
        return;
    }

    for (i = 1; i < n; i++) {
        item = items[i];

        for (k = i; k > 0 && sort_item_cmp(&items[k - 1], &item, s->memory) > 0;
             k--)
        {
            items[k] = items[k - 1];
        }

        items[k] = item;
    }
}


static int
sort_item_cmp(const void *a, const void *b, void *memory)
{
    const rfl_sort_item_t *one = a;
    const rfl_sort_item_t *two = b;

    if (one->prefix != two->prefix) {
        return one->prefix < two->prefix ? -1 : 1;
    }

    return rfl_str_cmp(sort_text((u_char *) memory + one->pos),
                       sort_text((u_char *) memory + two->pos));
}


/* With runs, memory is theirs: what is in it becomes the last one. */

rfl_rc_t
rfl_sort_begin(rfl_sort_t *s, rfl_error_t *err)
{
    size_t           i, size;
    rfl_rc_t         rc;
    rfl_sort_run_t  *run;

    s->next = 0;
    s->read = 0;
    s->heap_len = 0;

    if (s->nruns == 0) {
        sort_items(s);
        return RFL_OK;
    }

    if (s->n != 0) {
        rc = sort_write_run(s, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    size = s->size / s->nruns;

    for (i = 0; i < s->nruns; i++) {
        run = &s->runs[i];

        run->start = s->memory + i * size;
        run->size = size;
        run->p = run->start;
        run->last = run->start;

        rc = sort_run_item(s, run, err);
        if (rc != RFL_OK) {
            return rc;
        }

        s->heap[s->heap_len++] = i;
    }

    for (i = s->heap_len / 2; i-- > 0; /* void */ ) {
        sort_sink(s, i);
    }

    return RFL_OK;
}


rfl_rc_t
rfl_sort_next(rfl_sort_t *s, rfl_str_t *item, rfl_error_t *err)
{
    if (s->nruns != 0) {
        return sort_next_of_runs(s, item, err);
    }

    if (s->next == s->n) {
        return RFL_NOT_FOUND;
    }

    *item = sort_text(s->memory + s->items[s->next++].pos);

    return RFL_OK;
}


static rfl_rc_t
sort_next_of_runs(rfl_sort_t *s, rfl_str_t *item, rfl_error_t *err)
{
    rfl_rc_t         rc;
    rfl_sort_run_t  *run;

    if (s->read) {
        run = &s->runs[s->heap[0]];
        run->p += RFL_SORT_HEAD + sort_text(run->p).len;

        rc = sort_run_item(s, run, err);

        if (rc == RFL_NOT_FOUND) {
            s->heap[0] = s->heap[--s->heap_len];

        } else if (rc != RFL_OK) {
            return rc;
        }

        sort_sink(s, 0);
        s->read = 0;
    }

    if (s->heap_len == 0) {
        return RFL_NOT_FOUND;
    }

    *item = sort_text(s->runs[s->heap[0]].p);
    s->read = 1;

    return RFL_OK;
}


/* Sees to it that all of the run's item at run->p is in memory. */

static rfl_rc_t
sort_run_item(rfl_sort_t *s, rfl_sort_run_t *run, rfl_error_t *err)
{
    size_t     left;
    rfl_rc_t   rc;
    rfl_str_t  item;

    left = (size_t) (run->last - run->p);

    if (left < RFL_SORT_HEAD || left < RFL_SORT_HEAD + sort_text(run->p).len) {

        if (left == 0 && run->pos == run->end) {
            return RFL_NOT_FOUND;
        }

        rc = sort_fill(s, run, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    item = sort_text(run->p);
    run->prefix = sort_prefix(item.data, item.len);

    return RFL_OK;
}


static rfl_rc_t
sort_fill(rfl_sort_t *s, rfl_sort_run_t *run, rfl_error_t *err)
{
    size_t   left, room;
    ssize_t  n;

    left = (size_t) (run->last - run->p);

    memmove(run->start, run->p, left);
    run->p = run->start;
    run->last = run->start + left;

    room = run->size - left;

    if ((off_t) room > run->end - run->pos) {
        room = (size_t) (run->end - run->pos);
    }

    while (room != 0) {
        n = pread(s->fd, run->last, room, run->pos);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return rfl_fail(err, RFL_ERROR, "%s: reading what was put in "
                            "order: %s", s->dir,
                            n == 0 ? "it is cut short" : strerror(errno));
        }

        run->last += n;
        run->pos += n;
        room -= (size_t) n;
    }

    return RFL_OK;
}


static void
sort_sink(rfl_sort_t *s, size_t i)
{
    size_t  least, child, run;

    for ( ;; ) {
        least = i;

        for (child = 2 * i + 1; child <= 2 * i + 2; child++) {
            if (child < s->heap_len
                && sort_run_is_less(&s->runs[s->heap[child]],
                                    &s->runs[s->heap[least]]))
            {
                least = child;
            }
        }

        if (least == i) {
            return;
        }

        run = s->heap[i];
        s->heap[i] = s->heap[least];
        s->heap[least] = run;

        i = least;
    }
}


static int
sort_run_is_less(const rfl_sort_run_t *a, const rfl_sort_run_t *b)
{
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix;
    }

    return rfl_str_cmp(sort_text(a->p), sort_text(b->p)) < 0;
}


static rfl_str_t
sort_text(const u_char *p)
{
    uint16_t  len;

    memcpy(&len, p, RFL_SORT_HEAD);

    return rfl_str(p + RFL_SORT_HEAD, len);
}


/* Of what is shorter the rest is zero: equal prefixes decide nothing. */

static uint64_t
sort_prefix(const u_char *data, size_t len)
{
    u_char    first[RFL_SORT_PREFIX];
    uint64_t  prefix;

    if (len < RFL_SORT_PREFIX) {
        memset(first, 0, sizeof(first));
        memcpy(first, data, len);
        data = first;
    }

    memcpy(&prefix, data, RFL_SORT_PREFIX);

#if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
    prefix = __builtin_bswap64(prefix);
#endif

    return prefix;
}
