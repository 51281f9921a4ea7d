/*
 * Periods: from a date to a date, as reports are asked for, and the units of
 * time in which the ledger keeps history.
 *
 * Times are RFC 3339 ("2026-11-20T22:48:00Z", also with an offset) or a date
 * ("2026-11-20": midnight UTC); all days are UTC's.
 */

#ifndef RFL_PERIOD_H
#define RFL_PERIOD_H

#include "rfl_base.h"


typedef enum {
    RFL_UNIT_MINUTE = 0,
    RFL_UNIT_HOUR,
    RFL_UNIT_DAY,
    RFL_UNITS
} rfl_unit_t;

extern const rfl_str_t  rfl_unit_names[RFL_UNITS];   /* "minute", ... */
extern const uint32_t   rfl_unit_seconds[RFL_UNITS];

rfl_rc_t rfl_unit_parse(rfl_str_t text, rfl_unit_t *unit);  /* or INVALID */


/* Seconds since 1970.  RFL_INVALID: no such form, day or time, or not from
 * 1970 to 9999. */

rfl_rc_t rfl_time_parse(rfl_str_t text, uint64_t *seconds);


/* Buckets [from, to) of a unit: from 1970 counted, in minutes, hours, days. */

typedef struct {
    rfl_unit_t  unit;
    uint32_t    from;
    uint32_t    to;
} rfl_range_t;


/*
 * [from, to), whole hours: what a period asks for is widened to them.  Its
 * buckets are the whole days in it and the hours before and behind.
 */

#define RFL_PERIOD_RANGES  3

typedef struct {
    uint64_t     from;           /* seconds */
    uint64_t     to;
    rfl_range_t  ranges[RFL_PERIOD_RANGES];
    unsigned     nranges;        /* none of them is empty */
} rfl_period_t;


/*
 * from < to, or RFL_INVALID.  hours_from: the first hour (seconds) of which
 * the ledger still has hours, 0 if it has all: an edge before it is widened
 * to midnight.
 */

rfl_rc_t rfl_period_init(rfl_period_t *period, uint64_t from, uint64_t to,
    uint64_t hours_from);

/*
 * The period of the same length that ends where this one begins, widened
 * likewise.  RFL_INVALID: it would begin before 1970.
 */

rfl_rc_t rfl_period_previous(rfl_period_t *previous,
    const rfl_period_t *period, uint64_t hours_from);


#endif /* RFL_PERIOD_H */
