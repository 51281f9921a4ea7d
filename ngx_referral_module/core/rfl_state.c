/*
 * See rfl_state.h.  One walk over the days of traffic: the window slides along
 * with them, so it costs as much as there are days.
 */

#include "rfl_state.h"


#define RFL_STATE_NO_DAY  SIZE_MAX


/* A walk; days are named by their places among the days of traffic. */

typedef struct {
    const rfl_state_input_t  *in;
    size_t                    n;         /* days that exist: rule 1 */
    size_t                    done;      /* of these, before today */
    uint32_t                  created;   /* C */
    size_t                    at_created;    /* the first day from C on */
    size_t                    behind_created;    /* the first one after C */

    size_t                    from;      /* where the window begins */
    uint64_t                  sum;       /* its clicks so far */
    size_t                    first;     /* day with clicks */
    size_t                    last;      /* day with clicks, so far */
    uint64_t                  clicks;    /* n of that day's window */
    size_t                    days;      /* m of it */
    size_t                    revived;   /* D of rule 6 */
} rfl_state_walk_t;


static void rfl_state_start(rfl_state_walk_t *w,
    const rfl_state_input_t *in);
static size_t rfl_state_before(const rfl_state_input_t *in, uint64_t day);
static void rfl_state_click(rfl_state_walk_t *w, size_t i);
static size_t rfl_state_base(const rfl_state_walk_t *w);
static int rfl_state_is_silent(const rfl_state_walk_t *w, size_t today);
static uint32_t rfl_state_after(const rfl_state_walk_t *w, size_t base,
    uint64_t days);
static void rfl_state_unclicked(const rfl_state_walk_t *w,
    rfl_state_verdict_t *v);


const rfl_str_t  rfl_state_names[RFL_STATES] = {
    [RFL_STATE_NEW]     = rfl_string("new"),
    [RFL_STATE_ACTIVE]  = rfl_string("active"),
    [RFL_STATE_SILENT]  = rfl_string("silent"),
    [RFL_STATE_NEVER]   = rfl_string("never"),
    [RFL_STATE_REVIVED] = rfl_string("revived")
};


rfl_rc_t
rfl_state_parse(rfl_str_t text, rfl_state_t *state)
{
    unsigned  i;

    for (i = 0; i < RFL_STATES; i++) {
        if (rfl_str_eq(text, rfl_state_names[i])) {
            *state = (rfl_state_t) i;
            return RFL_OK;
        }
    }

    return RFL_INVALID;
}


void
rfl_state_judge(const rfl_state_input_t *in, rfl_state_verdict_t *v)
{
    size_t            i;
    uint64_t          silent_after;
    rfl_state_walk_t  w;

    memset(v, 0, sizeof(rfl_state_verdict_t));

    rfl_state_start(&w, in);

    for (i = 0; i < w.n; i++) {
        w.sum += in->clicks[i];

        if (in->clicks[i] != 0) {
            rfl_state_click(&w, i);
        }
    }

    if (w.last == RFL_STATE_NO_DAY) {
        rfl_state_unclicked(&w, v);
        return;
    }

    v->last = in->days[w.last];
    v->clicks = w.clicks;
    v->days = (uint32_t) w.days;

    if (rfl_state_is_silent(&w, w.done)) {
        silent_after = (RFL_STATE_EXPECTED * (uint64_t) w.days + w.clicks - 1)
                       / w.clicks;

        v->state = RFL_STATE_SILENT;
        v->since = rfl_state_after(&w, rfl_state_base(&w), silent_after);
        return;
    }

    if (w.revived != RFL_STATE_NO_DAY) {
        v->state = w.done < w.revived + 1 + RFL_STATE_LATELY
                   ? RFL_STATE_REVIVED : RFL_STATE_ACTIVE;
        v->since = v->state == RFL_STATE_REVIVED
                   ? in->days[w.revived]
                   : rfl_state_after(&w, w.revived + 1, RFL_STATE_LATELY);
        return;
    }

    v->state = RFL_STATE_ACTIVE;
    v->since = w.first >= w.at_created ? in->days[w.first] : w.created;
}


static void
rfl_state_start(rfl_state_walk_t *w, const rfl_state_input_t *in)
{
    memset(w, 0, sizeof(rfl_state_walk_t));

    w->in = in;
    w->created = in->created < in->today ? in->created : in->today;
    w->n = rfl_state_before(in, (uint64_t) in->today + 1);
    w->done = rfl_state_before(in, in->today);
    w->at_created = rfl_state_before(in, w->created);
    w->behind_created = rfl_state_before(in, (uint64_t) w->created + 1);
    w->first = RFL_STATE_NO_DAY;
    w->last = RFL_STATE_NO_DAY;
    w->revived = RFL_STATE_NO_DAY;
}


/* How many days of traffic are before this day. */

static size_t
rfl_state_before(const rfl_state_input_t *in, uint64_t day)
{
    size_t  low, high, middle;

    low = 0;
    high = in->ndays;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (in->days[middle] < day) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}


/* The day's clicks are in the sum already. */

static void
rfl_state_click(rfl_state_walk_t *w, size_t i)
{
    size_t  from;

    from = i + 1 > RFL_STATE_WINDOW ? i + 1 - RFL_STATE_WINDOW : 0;

    if (i >= w->at_created) {

        if (from < w->at_created) {
            from = w->at_created;
        }

        if (w->last != RFL_STATE_NO_DAY && rfl_state_is_silent(w, i)) {
            w->revived = i;
        }
    }

    if (w->first == RFL_STATE_NO_DAY) {
        w->first = i;
    }

    for ( /* void */ ; w->from < from; w->from++) {
        w->sum -= w->in->clicks[w->from];
    }

    w->last = i;
    w->clicks = w->sum;
    w->days = i + 1 - from;
}


/* The first day of traffic after max(L, C). */

static size_t
rfl_state_base(const rfl_state_walk_t *w)
{
    return w->last + 1 > w->behind_created ? w->last + 1 : w->behind_created;
}


/* today: how many days of traffic are before it. */

static int
rfl_state_is_silent(const rfl_state_walk_t *w, size_t today)
{
    size_t  base;

    base = rfl_state_base(w);

    return today > base
           && w->clicks * (today - base)
              >= RFL_STATE_EXPECTED * (uint64_t) w->days;
}


/* The day on which so many days of traffic, from base on, are over. */

static uint32_t
rfl_state_after(const rfl_state_walk_t *w, size_t base, uint64_t days)
{
    return w->in->days[base + days - 1] + 1;
}


static void
rfl_state_unclicked(const rfl_state_walk_t *w, rfl_state_verdict_t *v)
{
    if (w->in->clicked) {
        v->state = RFL_STATE_ACTIVE;
        v->since = w->created;
        return;
    }

    if (w->done < w->behind_created + RFL_STATE_LATELY) {
        v->state = RFL_STATE_NEW;
        v->since = w->created;
        return;
    }

    v->state = RFL_STATE_NEVER;
    v->since = rfl_state_after(w, w->behind_created, RFL_STATE_LATELY);
}
