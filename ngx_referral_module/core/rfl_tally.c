/*
 * See rfl_tally.h.
 */

#include "rfl_tally.h"
#include "rfl_hash.h"

#include <stdlib.h>


#define RFL_TALLY_TEXT   65536
#define RFL_TALLY_INDEX  (2 * RFL_TALLY_MAX)


struct rfl_tally_text_s {
    rfl_tally_text_t  *next;
    size_t             len;
    u_char             data[RFL_TALLY_TEXT];
};


static rfl_rc_t rfl_tally_chunk(rfl_tally_t *t, size_t chunk);
static rfl_rc_t rfl_tally_text(rfl_tally_t *t, rfl_str_t *name);
static size_t rfl_tally_place(const rfl_tally_t *t, uint64_t hash);
static int rfl_tally_compare(const rfl_tally_order_t *order,
    const rfl_tally_row_t *a, const rfl_tally_row_t *b);
static void rfl_tally_down(rfl_tally_t *t, const rfl_tally_order_t *order,
    size_t i, size_t n);


rfl_rc_t
rfl_tally_init(rfl_tally_t *t, size_t max, size_t width, int indexed)
{
    memset(t, 0, sizeof(rfl_tally_t));

    t->max = max;
    t->width = width;

    if (!indexed) {
        return RFL_OK;
    }

    t->index = calloc(RFL_TALLY_INDEX, sizeof(uint32_t));

    return t->index != NULL ? RFL_OK : RFL_NO_MEMORY;
}


void
rfl_tally_free(rfl_tally_t *t)
{
    size_t             i;
    rfl_tally_text_t  *text;

    for (i = 0; i < RFL_TALLY_MAX / RFL_TALLY_CHUNK; i++) {
        free(t->rows[i]);
        free(t->sums[i]);
    }

    while (t->texts != NULL) {
        text = t->texts;
        t->texts = text->next;
        free(text);
    }

    free(t->index);
    free(t->order);

    memset(t, 0, sizeof(rfl_tally_t));
}


void
rfl_tally_clear(rfl_tally_t *t)
{
    rfl_tally_text_t  *text;

    t->n = 0;

    while (t->texts != NULL && t->texts->next != NULL) {
        text = t->texts;
        t->texts = text->next;
        free(text);
    }

    if (t->texts != NULL) {
        t->texts->len = 0;
    }
}


uint64_t
rfl_tally_hash(rfl_str_t name)
{
    return rfl_hash(name.data, name.len).low;
}


rfl_rc_t
rfl_tally_find(const rfl_tally_t *t, uint64_t hash, size_t *i)
{
    uint32_t  row;

    row = t->index[rfl_tally_place(t, hash)];

    if (row == 0) {
        return RFL_NOT_FOUND;
    }

    *i = row - 1;

    return RFL_OK;
}


/* Where it is, or would be: the table is never more than half full. */

static size_t
rfl_tally_place(const rfl_tally_t *t, uint64_t hash)
{
    size_t  place;

    place = hash % RFL_TALLY_INDEX;

    while (t->index[place] != 0
           && rfl_tally_row(t, t->index[place] - 1)->hash != hash)
    {
        place = (place + 1) % RFL_TALLY_INDEX;
    }

    return place;
}


rfl_rc_t
rfl_tally_add(rfl_tally_t *t, rfl_str_t name, size_t *i)
{
    size_t    place;
    rfl_rc_t  rc;

    place = rfl_tally_place(t, rfl_tally_hash(name));

    if (t->index[place] != 0) {
        *i = t->index[place] - 1;
        return RFL_OK;
    }

    rc = rfl_tally_append(t, name, i);

    if (rc == RFL_OK) {
        t->index[place] = (uint32_t) *i + 1;
    }

    return rc;
}


rfl_rc_t
rfl_tally_append(rfl_tally_t *t, rfl_str_t name, size_t *i)
{
    rfl_rc_t          rc;
    rfl_tally_row_t  *row;

    if (t->n == t->max) {
        return RFL_FULL;
    }

    rc = rfl_tally_chunk(t, t->n / RFL_TALLY_CHUNK);

    if (rc == RFL_OK) {
        rc = rfl_tally_text(t, &name);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    *i = t->n++;

    row = rfl_tally_row(t, *i);
    row->hash = rfl_tally_hash(name);
    row->links = 0;
    row->id = 0;
    row->name = name;
    row->sums = t->sums[*i / RFL_TALLY_CHUNK]
                + *i % RFL_TALLY_CHUNK * t->width;

    memset(row->sums, 0, t->width * sizeof(uint64_t));

    return RFL_OK;
}


static rfl_rc_t
rfl_tally_chunk(rfl_tally_t *t, size_t chunk)
{
    if (t->rows[chunk] == NULL) {
        t->rows[chunk] = malloc(RFL_TALLY_CHUNK * sizeof(rfl_tally_row_t));
    }

    if (t->sums[chunk] == NULL) {
        t->sums[chunk] = malloc(RFL_TALLY_CHUNK * t->width
                                * sizeof(uint64_t));
    }

    return t->rows[chunk] != NULL && t->sums[chunk] != NULL ? RFL_OK
                                                            : RFL_NO_MEMORY;
}


static rfl_rc_t
rfl_tally_text(rfl_tally_t *t, rfl_str_t *name)
{
    u_char            *p;
    rfl_tally_text_t  *text;

    text = t->texts;

    if (text == NULL || RFL_TALLY_TEXT - text->len < name->len) {
        text = malloc(sizeof(rfl_tally_text_t));
        if (text == NULL) {
            return RFL_NO_MEMORY;
        }

        text->next = t->texts;
        text->len = 0;
        t->texts = text;
    }

    p = text->data + text->len;

    if (name->len != 0) {
        memcpy(p, name->data, name->len);
    }

    text->len += name->len;
    name->data = p;

    return RFL_OK;
}


/* A heap of the rows' numbers, then the last of them, one by one. */

rfl_rc_t
rfl_tally_sort(rfl_tally_t *t, const rfl_tally_order_t *order, uint32_t *work)
{
    size_t    i;
    uint32_t  last;

    if (t->n == 0) {
        return RFL_OK;
    }

    if (t->order == NULL) {
        t->order = malloc(t->n * sizeof(uint32_t));
        if (t->order == NULL) {
            return RFL_NO_MEMORY;
        }

        for (i = 0; i < t->n; i++) {
            t->order[i] = (uint32_t) i;
        }

        t->heaped = 0;
        t->sorted = t->n / 2;
    }

    for ( /* void */ ; !t->heaped && t->sorted > 0; (*work)--) {
        if (*work == 0) {
            return RFL_BUSY;
        }

        rfl_tally_down(t, order, --t->sorted, t->n);
    }

    if (!t->heaped) {
        t->heaped = 1;
        t->sorted = t->n;
    }

    for ( /* void */ ; t->sorted > 1; (*work)--) {
        if (*work == 0) {
            return RFL_BUSY;
        }

        last = t->order[--t->sorted];
        t->order[t->sorted] = t->order[0];
        t->order[0] = last;

        rfl_tally_down(t, order, 0, t->sorted);
    }

    return RFL_OK;
}


/* The row that stands further back moves up. */

static void
rfl_tally_down(rfl_tally_t *t, const rfl_tally_order_t *order, size_t i,
    size_t n)
{
    size_t    child;
    uint32_t  row;

    row = t->order[i];

    for ( ;; ) {
        child = 2 * i + 1;

        if (child >= n) {
            break;
        }

        if (child + 1 < n
            && rfl_tally_compare(order,
                                 rfl_tally_row(t, t->order[child]),
                                 rfl_tally_row(t, t->order[child + 1])) < 0)
        {
            child++;
        }

        if (rfl_tally_compare(order, rfl_tally_row(t, row),
                              rfl_tally_row(t, t->order[child])) >= 0)
        {
            break;
        }

        t->order[i] = t->order[child];
        i = child;
    }

    t->order[i] = row;
}


/* Below 0: a stands before b. */

static int
rfl_tally_compare(const rfl_tally_order_t *order, const rfl_tally_row_t *a,
    const rfl_tally_row_t *b)
{
    int       rc;
    size_t    len;
    uint64_t  m, n;

    if (!order->by_name) {
        m = a->sums[order->field];
        n = b->sums[order->field];

        if (m != n) {
            return (m < n) == order->ascending ? -1 : 1;
        }

        return a->hash < b->hash ? -1 : a->hash > b->hash;
    }

    len = a->name.len < b->name.len ? a->name.len : b->name.len;
    rc = len != 0 ? memcmp(a->name.data, b->name.data, len) : 0;

    if (rc == 0) {
        rc = a->name.len < b->name.len ? -1 : a->name.len > b->name.len;
    }

    return order->ascending ? rc : -rc;
}


size_t
rfl_tally_after(const rfl_tally_t *t, const rfl_tally_order_t *order,
    uint64_t value, uint64_t hash, rfl_str_t name)
{
    size_t           low, high, middle;
    uint64_t         sums[RFL_CELL_SUMS];
    rfl_tally_row_t  after;

    memset(sums, 0, sizeof(sums));
    sums[order->field] = value;

    after.hash = hash;
    after.name = name;
    after.sums = sums;

    low = 0;
    high = t->n;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (rfl_tally_compare(order, rfl_tally_row(t, t->order[middle]),
                              &after) > 0)
        {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return low;
}


size_t
rfl_tally_names(rfl_tally_by_t by, const rfl_link_t *link,
    rfl_str_t names[RFL_TALLY_NAMES_MAX])
{
    size_t         n;
    rfl_str_t      left;
    const u_char  *comma;

    switch (by) {

    case RFL_TALLY_CHANNEL:
        names[0] = rfl_link_channel(link);
        return 1;

    case RFL_TALLY_PARTNER:
        names[0] = link->partner;
        return 1;

    case RFL_TALLY_LABEL:
        left = link->labels;

        for (n = 0; n < RFL_TALLY_NAMES_MAX; /* void */ ) {
            comma = left.len != 0 ? memchr(left.data, ',', left.len) : NULL;
            names[n] = left;

            if (comma == NULL) {
                return n + 1;
            }

            names[n].len = (size_t) (comma - left.data);
            left.len -= names[n].len + 1;
            left.data = comma + 1;
            n++;
        }

        return n;

    default: /* RFL_TALLY_HOST */
        return 0;
    }
}


/* Addresses and packages have no commas, so they stay as they are. */

rfl_str_t
rfl_tally_host(rfl_str_t surt, u_char *out)
{
    u_char        *p;
    size_t         len;
    const u_char  *end, *label;

    end = surt.len != 0 ? memchr(surt.data, ')', surt.len) : NULL;

    if (end == NULL) {
        end = surt.data + surt.len;
    }

    p = out;

    while (end > surt.data) {

        for (label = end; label > surt.data && label[-1] != ','; label--) {
            /* void */
        }

        len = (size_t) (end - label);

        if (p != out) {
            *p++ = '.';
        }

        memcpy(p, label, len);
        p += len;

        end = label > surt.data ? label - 1 : surt.data;
    }

    return rfl_str(out, (size_t) (p - out));
}
