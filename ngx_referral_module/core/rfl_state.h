/*
 * The state of a link: what its clicks, day by day, say about it.  Pure, so
 * that the keeper, the status tree, the command and the tests say the same.
 * Nobody asks the other site: a link that is silent may be there still.
 *
 * Time is counted in days of traffic.  Such is a day (UTC) on which the
 * registry had a request that if= did not refuse.  What happens to the site as
 * a whole, an outage, a holiday without a visitor, is so no link's silence.
 *
 *     between(a, b)  the number of days of traffic after a and before b
 *     today          a day that is not over: its clicks count, it does not
 *
 *  1. Days after today do not exist: a clock that was wrong made them.
 *  2. C is the day the link was registered, or today if that lies ahead.
 *  3. A link without a click is "new" while between(C, today) < 14, then
 *     "never".
 *  4. L is the day of the last click.  The window are the last 90 days of
 *     traffic up to and including L; without those before C, unless L itself
 *     is before C.  With n clicks in a window of m days the rate is n / m.
 *  5. The link is "silent" when the rate predicts at least 5 clicks since:
 *     n / m * between(max(L, C), today) >= 5.
 *  6. A click on a day D ends a silence if rule 5 held on D for the clicks
 *     before it.  The link is "revived" while between(D, today) < 14.
 *  7. Else it is "active".  So is a link whose clicks were all on days that are
 *     not kept any more: nobody knows its rate.
 *
 * Clicks from before C are those of a link that was removed and registered
 * again (rules 4 and 5): it has its old rate until it has a new one.
 *
 * For clicks that come at random and at one rate, one gap between two of them
 * in 148 (e^5) is so long: that is how often a link is called silent that is
 * not.  The step is a day: what changes, changes with a click, or when a day
 * of traffic is over.
 */

#ifndef RFL_STATE_H
#define RFL_STATE_H

#include "rfl_base.h"


#define RFL_STATE_WINDOW    90           /* rule 4 */
#define RFL_STATE_EXPECTED  5            /* rule 5 */
#define RFL_STATE_LATELY    14           /* rules 3 and 6 */

#define RFL_STATE_DAY       86400        /* seconds */


/* Their numbers are stored. */

typedef enum {
    RFL_STATE_NEW = 0,
    RFL_STATE_ACTIVE,
    RFL_STATE_SILENT,
    RFL_STATE_NEVER,
    RFL_STATE_REVIVED,
    RFL_STATES
} rfl_state_t;

extern const rfl_str_t  rfl_state_names[RFL_STATES];

/* RFL_OK, RFL_INVALID. */

rfl_rc_t rfl_state_parse(rfl_str_t text, rfl_state_t *state);


/* Days since 1970. */

typedef struct {
    uint32_t         today;
    uint32_t         created;
    size_t           ndays;
    const uint32_t  *days;               /* of traffic, ascending */
    const uint32_t  *clicks;             /* the link's on each of them */
    unsigned         clicked:1;          /* or on a day that is not kept */
} rfl_state_input_t;

typedef struct {
    rfl_state_t  state;
    uint32_t     since;                  /* the first day it was in it */
    uint32_t     last;                   /* L; 0: no click */
    uint64_t     clicks;                 /* n; 0: no click */
    uint32_t     days;                   /* m */
} rfl_state_verdict_t;

void rfl_state_judge(const rfl_state_input_t *in, rfl_state_verdict_t *v);


#endif /* RFL_STATE_H */
