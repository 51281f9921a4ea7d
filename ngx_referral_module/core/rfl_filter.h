/*
 * Which links a list is to have: does a link pass?  Pure, so that the status
 * tree, whatever index it reads, and the tests decide alike.
 */

#ifndef RFL_FILTER_H
#define RFL_FILTER_H

#include "rfl_link.h"
#include "rfl_state.h"


#define RFL_FILTER_MAX  512              /* bytes of a value */


typedef enum {
    RFL_FILTER_CHANNEL = 0,
    RFL_FILTER_ORIGIN,
    RFL_FILTER_PARTNER,
    RFL_FILTER_LABEL,
    RFL_FILTER_TEXT,
    RFL_FILTER_HOST,
    RFL_FILTER_STATE,
    RFL_FILTERS
} rfl_filter_field_t;


typedef struct {
    size_t   len;
    u_char   data[RFL_FILTER_MAX];
} rfl_filter_value_t;


/* All zeroes: every link passes. */

typedef struct {
    unsigned            given;           /* bit i: values[i] is wanted */
    unsigned            below:1;         /* and hosts below the host */
    rfl_filter_value_t  values[RFL_FILTERS];
} rfl_filter_t;


/*
 * RFL_INVALID: too long, or no value that a link could have.  An empty value
 * wants links that have none; of the text it wants nothing.
 *
 *   channel  in any form that import understands; empty: unassigned
 *   origin   the one set, or the one that follows from the channel
 *   partner  compared by bytes; empty: none
 *   label    one of the link's, by bytes; empty: none
 *   text     within source, target, name, partner, tag, anchor or note, ASCII
 *            letters without case
 *   host     of the source, canonical (rfl_surt.h); ".example.com": also those
 *            below; empty: links without a source
 *   state    one of rfl_state_names
 */

rfl_rc_t rfl_filter_set(rfl_filter_t *f, rfl_filter_field_t field,
    rfl_str_t value);

static inline int
rfl_filter_has(const rfl_filter_t *f, rfl_filter_field_t field)
{
    return (f->given >> field & 1) != 0;
}

/* As rfl_filter_set() has stored it: of a host its SURT, without ")". */

static inline rfl_str_t
rfl_filter_value(const rfl_filter_t *f, rfl_filter_field_t field)
{
    return rfl_str(f->values[field].data, f->values[field].len);
}


/* All but host and state.  *searched is raised by the bytes looked through. */

int rfl_filter_link(const rfl_filter_t *f, const rfl_link_t *link,
    size_t *searched);

/*
 * surt: "example,blog" and whatever follows from its ")" on; also a key of the
 * registry's sources.
 */

int rfl_filter_host(const rfl_filter_t *f, rfl_str_t surt);


static inline int
rfl_filter_state(const rfl_filter_t *f, rfl_state_t state)
{
    return rfl_str_eq(rfl_filter_value(f, RFL_FILTER_STATE),
                      rfl_state_names[state]);
}


#endif /* RFL_FILTER_H */
