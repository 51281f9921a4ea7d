/*
 * Who else links here, and which links land on an error: what requests leave
 * in the event rings, summed in a table of fixed size.  Strangers fill it: a
 * million sources that nobody has heard of must neither grow it nor push out
 * one that brings visitors.
 *
 * A row is a source and a landing, or a link and a landing, with its clicks,
 * by how they ended.  Where no row is free the table forgets one, so it is
 * Filtered Space-Saving (Homem and Carvalho, 2010; after Metwally, Agrawal and
 * El Abbadi, 2005) in two segments (as in W-TinyLFU: Einziger, Friedman and
 * Manes, 2017):
 *
 *     new -> young rows: a quarter at least.  The one that was not clicked for
 *            the longest time is forgotten.  Nobody is kept out.
 *         -> proven rows: from RFL_SOURCES_SHOWN clicks on.  When they are all
 *            taken, a young row takes the place of the one with the fewest
 *            clicks, if it has more.
 *
 * So what comes once can only push out what comes once.  A filter remembers how
 * often what was forgotten had come: RFL_SOURCES_CELLS numbers in each of four
 * rows, of which the least counts (Cormode and Muthukrishnan, 2005); by that
 * a source gets there also if a thousand others come between two of its clicks.
 * An owner, a host or a link, that has more than an eighth of either segment
 * gives way to others: a search engine has a landing for each page of the site.
 *
 * What is certain.  A row's clicks are those since it began (first): none of
 * another is among them.  "before" bounds those of earlier rows of the same
 * source and landing:
 *
 *     clicks <= all of which a record was read <= clicks + before
 *
 * and "before" is 0 as long as nothing was forgotten that shares its four
 * numbers.  The bound: whatever is in no row had floor clicks at most, the most
 * that a row ever had (with its own before) when it was forgotten; and no more
 * than each of its four numbers says, beyond the floor of when the filter
 * began (start).  The filter is stored when its process ends, in chunks, with
 * its secret; a process that could not begins a new one with the floor.
 *
 * Memory: rfl_sources_create() allocates all there will ever be, 9 MiB with
 * 2,000 rows: 8 of it are the filter, which is touched when something is
 * forgotten.  So wide is it that of a million sources which come once hardly
 * one looks as if it had come before.  Cost: of a row that is there 0.1 us; of
 * a new one in a full table 0.4 us, or 2 us if its owner has its share already.
 */

#ifndef RFL_SOURCES_H
#define RFL_SOURCES_H

#include "rfl_buf.h"
#include "rfl_hash.h"
#include "rfl_ring.h"


#define RFL_SOURCES_ROWS   2000
#define RFL_SOURCES_SHOWN  3             /* clicks from which a row is shown */
#define RFL_SOURCES_CELLS  (1u << 20)    /* of a row of the filter */
#define RFL_SOURCES_DEPTH  4             /* rows of the filter */

/* The filter in pieces, as it is stored. */

#define RFL_SOURCES_CHUNK   32768        /* cells */
#define RFL_SOURCES_CHUNKS                                                    \
    (RFL_SOURCES_DEPTH * RFL_SOURCES_CELLS / RFL_SOURCES_CHUNK)

/* Host and landing, and the marks where they were cut. */

#define RFL_SOURCES_TEXT   224


/* How a click ended. */

typedef enum {
    RFL_ENDED_OK = 0,
    RFL_ENDED_404,
    RFL_ENDED_410,
    RFL_ENDED_4XX,                       /* another one */
    RFL_ENDED_5XX,
    RFL_ENDS
} rfl_ended_t;

extern const rfl_str_t  rfl_ended_names[RFL_ENDS];   /* "200", "404", "4xx" */


typedef enum {
    RFL_SOURCE_STRANGER = 0,             /* unregistered: by its host */
    RFL_SOURCE_LINK,                     /* by its id; only what is lost */
    RFL_SOURCE_GROUP,
    RFL_SOURCE_KINDS
} rfl_source_kind_t;


typedef struct {
    rfl_source_kind_t  kind;
    uint32_t           id;               /* of link or group; else 0 */
    uint64_t           n[RFL_ENDS];      /* since first */
    uint64_t           before;           /* at most */
    uint64_t           rank;             /* its order: n and what is likely to
                                            have been before */
    uint64_t           first;            /* seconds */
    uint64_t           last;
    unsigned           folded:1;         /* its landing was, or was cut */
    uint8_t            host_len;
    uint8_t            landing_len;
    u_char             text[RFL_SOURCES_TEXT];
} rfl_sources_entry_t;


static inline rfl_str_t
rfl_source_host(const rfl_sources_entry_t *source)
{
    return rfl_str(source->text, source->host_len);
}

static inline rfl_str_t
rfl_source_landing(const rfl_sources_entry_t *source)
{
    return rfl_str(source->text + source->host_len, source->landing_len);
}

static inline uint64_t
rfl_source_lost(const rfl_sources_entry_t *source)
{
    return source->n[RFL_ENDED_404] + source->n[RFL_ENDED_410]
           + source->n[RFL_ENDED_4XX] + source->n[RFL_ENDED_5XX];
}

static inline uint64_t
rfl_source_clicks(const rfl_sources_entry_t *source)
{
    return source->n[RFL_ENDED_OK] + rfl_source_lost(source);
}


typedef struct rfl_sources_s  rfl_sources_t;

/* rows: from 16 on.  NULL: no memory, or no random bytes. */

rfl_sources_t *rfl_sources_create(uint32_t rows);
void rfl_sources_free(rfl_sources_t *t);         /* NULL is allowed */


/*
 * What a record says, as a row of one click.  0: it is none of a click, or of
 * one that says nothing here: it was matched and met no error, or has no
 * source.
 */

int rfl_source_of_event(const rfl_event_t *event, rfl_sources_entry_t *source);

/* Adds a row's clicks: those of one event, or (load) a stored row's. */

void rfl_sources_add(rfl_sources_t *t, const rfl_sources_entry_t *source);


/*
 * Rows by number: rfl_sources_get() returns NULL where there is none.  Dirty
 * ones differ from what was taken last; take clears the mark.
 */

uint32_t rfl_sources_max(const rfl_sources_t *t);
uint32_t rfl_sources_used(const rfl_sources_t *t);   /* of them */
const rfl_sources_entry_t *rfl_sources_get(const rfl_sources_t *t, uint32_t i);
int rfl_sources_take_dirty(rfl_sources_t *t, uint32_t i);
void rfl_sources_set_dirty(rfl_sources_t *t, uint32_t i);

/* NULL: there is none for this source and landing. */

const rfl_sources_entry_t *rfl_sources_find(const rfl_sources_t *t,
    const rfl_sources_entry_t *source);


/* The bound of what is in no row. */

uint64_t rfl_sources_floor(const rfl_sources_t *t);

/*
 * For who reads a stored table: empties it; then load, once for each row, in
 * any order, at the place the row had (RFL_INVALID: there is none, it is taken,
 * or the row is there already); then the floor that was stored.
 */

void rfl_sources_clear(rfl_sources_t *t);
rfl_rc_t rfl_sources_load(rfl_sources_t *t, uint32_t i,
    const rfl_sources_entry_t *source);
void rfl_sources_loaded(rfl_sources_t *t, uint64_t floor);


/*
 * The filter, for who stores it.  has: something was forgotten, else there is
 * nothing to be stored.  put: a chunk, behind what b has; nothing of one that
 * is all zeroes.
 *
 * Who reads it sets the secret of an empty table, before any row is loaded;
 * then, behind rfl_sources_loaded(), loads the chunks that were stored, and
 * sets start.  A chunk may be RFL_DAMAGED or RFL_BAD_VERSION: without all of
 * them the filter says too little, and is to be dropped.
 */

int rfl_sources_has_filter(const rfl_sources_t *t);
uint64_t rfl_sources_start(const rfl_sources_t *t);
const rfl_hash_secret_t *rfl_sources_secret(const rfl_sources_t *t);
void rfl_sources_put_chunk(const rfl_sources_t *t, uint32_t i, rfl_buf_t *b);

void rfl_sources_set_secret(rfl_sources_t *t, const rfl_hash_secret_t *secret);
rfl_rc_t rfl_sources_load_chunk(rfl_sources_t *t, uint32_t i,
    rfl_str_t chunk);
void rfl_sources_set_start(rfl_sources_t *t, uint64_t start);
void rfl_sources_drop_filter(rfl_sources_t *t);


/*
 * The stored form, field by field.  encode: out holds RFL_SOURCE_RECORD_MAX
 * bytes; returns the length.  decode: RFL_BAD_VERSION, RFL_DAMAGED.
 */

#define RFL_SOURCE_RECORD_MAX  (RFL_SOURCES_TEXT + 160)

size_t rfl_source_encode(const rfl_sources_entry_t *source, u_char *out);
rfl_rc_t rfl_source_decode(rfl_str_t record, rfl_sources_entry_t *source);


#endif /* RFL_SOURCES_H */
