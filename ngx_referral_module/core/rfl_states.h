/*
 * States of links as the keeper found them (rfl_survey.h), in tables of the
 * ledger's environment, and how they changed:
 *
 *     meta     "states"  -> how many links are in each state, when all were
 *                           looked at, the number of the last change
 *     states   id        -> the verdict of rfl_state.h
 *     changes  number    -> when, which link, from which state to which
 *
 * Of changes the last RFL_STATES_CHANGES are kept.  A link that is judged for
 * the first time has not changed.  Values begin with a version byte.
 *
 * A ledger from before these tables has none of this until a keeper has opened
 * it: all is RFL_NOT_FOUND then.
 */

#ifndef RFL_STATES_H
#define RFL_STATES_H

#include "rfl_ledger.h"
#include "rfl_state.h"


#define RFL_STATES_CHANGES  1024


typedef struct {
    uint64_t  links[RFL_STATES];
    uint64_t  changes;                   /* so far; the last one's number */
    uint32_t  day;                       /* all were looked at on it; or 0 */
    unsigned  damaged:1;                 /* links may be wrong: not stored */
} rfl_states_t;

typedef struct {
    uint64_t     number;
    uint64_t     time;                   /* seconds, when it was found */
    uint32_t     id;
    rfl_state_t  from;
    rfl_state_t  to;
} rfl_states_change_t;


/*
 * In a begun transaction: RFL_OK, RFL_NOT_FOUND, RFL_DAMAGED, RFL_BAD_VERSION
 * or RFL_ERROR.  next_change: the first one behind number.
 */

rfl_rc_t rfl_states_get(rfl_ledger_t *l, uint32_t id, rfl_state_verdict_t *v);
rfl_rc_t rfl_states_sums(rfl_ledger_t *l, rfl_states_t *sums);
rfl_rc_t rfl_states_next_change(rfl_ledger_t *l, uint64_t number,
    rfl_states_change_t *change);

/* Of several ids, RFL_PAGES_MANY at most: RFL_OK and so on for each. */

void rfl_states_get_many(rfl_ledger_t *l, const uint32_t *ids, size_t n,
    rfl_state_verdict_t *v, rfl_rc_t *rcs);

/* The same of stored values; a change's number is its key. */

rfl_rc_t rfl_states_decode(rfl_str_t value, rfl_state_verdict_t *v);
rfl_rc_t rfl_states_decode_change(rfl_str_t value,
    rfl_states_change_t *change);


/*
 * In a begun write transaction, the keeper's.  put and remove keep sums, which
 * the caller begins with and stores after all of them; put notes a change at
 * now (seconds).  RFL_OK also when there was nothing to do: *changed is set
 * when there was.  begin_sums: those that are not there, or damaged, begin
 * with zeroes and go on behind the last change.
 */

rfl_rc_t rfl_states_begin_sums(rfl_ledger_t *l, rfl_states_t *sums,
    rfl_error_t *err);
rfl_rc_t rfl_states_put(rfl_ledger_t *l, rfl_states_t *sums, uint32_t id,
    const rfl_state_verdict_t *v, uint64_t now, int *changed,
    rfl_error_t *err);
rfl_rc_t rfl_states_remove(rfl_ledger_t *l, rfl_states_t *sums, uint32_t id,
    int *changed, rfl_error_t *err);
rfl_rc_t rfl_states_put_sums(rfl_ledger_t *l, const rfl_states_t *sums,
    rfl_error_t *err);


#endif /* RFL_STATES_H */
