/*
 * See rfl_states.h.
 *
 * What is damaged counts as not there: the keeper writes it anew.  Sums may be
 * wrong by it then, until the next look at all links.
 */

#include "rfl_states.h"
#include "rfl_ledger_parts.h"
#include "rfl_varint.h"


#define RFL_STATES_VERSION  1

#define RFL_STATES_KEY      "states"

#define RFL_STATES_MAX      (2 + 4 * RFL_VARINT_MAX)
#define RFL_STATES_SUMS_MAX (1 + (2 + RFL_STATES) * RFL_VARINT_MAX)


static int rfl_states_same(const rfl_state_verdict_t *one,
    const rfl_state_verdict_t *two);
static rfl_rc_t rfl_states_note(rfl_ledger_t *l, rfl_states_t *sums,
    const rfl_states_change_t *change, rfl_error_t *err);
static rfl_rc_t rfl_states_version(rfl_str_t *value);
static rfl_rc_t rfl_states_byte(rfl_str_t *value, rfl_state_t *state);
static rfl_rc_t rfl_states_numbers(rfl_str_t value, uint64_t *n, size_t count);
static rfl_rc_t rfl_states_fail(rfl_rc_t rc, rfl_error_t *err);


rfl_rc_t
rfl_states_get(rfl_ledger_t *l, uint32_t id, rfl_state_verdict_t *v)
{
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_get_u32(rfl_ledger_store(l), RFL_LEDGER_STATES, id,
                           &value);

    return rc == RFL_OK ? rfl_states_decode(value, v) : rc;
}


void
rfl_states_get_many(rfl_ledger_t *l, const uint32_t *ids, size_t n,
    rfl_state_verdict_t *v, rfl_rc_t *rcs)
{
    size_t     i;
    rfl_rc_t   rc;
    uint64_t   keys[RFL_PAGES_MANY];
    rfl_str_t  values[RFL_PAGES_MANY];

    for (i = 0; i < n; i++) {
        keys[i] = ids[i];
    }

    rc = rfl_store_get_many(rfl_ledger_store(l), RFL_LEDGER_STATES, keys, n,
                            values);

    for (i = 0; i < n; i++) {
        rcs[i] = rc != RFL_OK ? rc
                 : values[i].data == NULL ? RFL_NOT_FOUND
                                          : rfl_states_decode(values[i], &v[i]);
    }
}


rfl_rc_t
rfl_states_decode(rfl_str_t value, rfl_state_verdict_t *v)
{
    rfl_rc_t  rc;
    uint64_t  n[4];

    memset(v, 0, sizeof(rfl_state_verdict_t));

    rc = rfl_states_version(&value);

    if (rc == RFL_OK) {
        rc = rfl_states_byte(&value, &v->state);
    }

    if (rc == RFL_OK) {
        rc = rfl_states_numbers(value, n, 4);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (n[0] > UINT32_MAX || n[1] > UINT32_MAX || n[3] > RFL_STATE_WINDOW) {
        return RFL_DAMAGED;
    }

    v->since = (uint32_t) n[0];
    v->last = (uint32_t) n[1];
    v->clicks = n[2];
    v->days = (uint32_t) n[3];

    return RFL_OK;
}


rfl_rc_t
rfl_states_sums(rfl_ledger_t *l, rfl_states_t *sums)
{
    rfl_rc_t   rc;
    uint64_t   n[2 + RFL_STATES];
    rfl_str_t  value;

    memset(sums, 0, sizeof(rfl_states_t));

    rc = rfl_store_get(rfl_ledger_store(l), RFL_LEDGER_META,
                       rfl_cstr(RFL_STATES_KEY), &value);

    if (rc == RFL_OK) {
        rc = rfl_states_version(&value);
    }

    if (rc == RFL_OK) {
        rc = rfl_states_numbers(value, n, 2 + RFL_STATES);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (n[1] > UINT32_MAX) {
        return RFL_DAMAGED;
    }

    sums->changes = n[0];
    sums->day = (uint32_t) n[1];
    memcpy(sums->links, n + 2, sizeof(sums->links));

    return RFL_OK;
}


rfl_rc_t
rfl_states_begin_sums(rfl_ledger_t *l, rfl_states_t *sums, rfl_error_t *err)
{
    rfl_rc_t       rc;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    rc = rfl_states_sums(l, sums);

    if (rc == RFL_OK) {
        return RFL_OK;
    }

    if (rc != RFL_NOT_FOUND && rc != RFL_DAMAGED) {
        return rfl_states_fail(rc, err);
    }

    memset(sums, 0, sizeof(rfl_states_t));
    sums->damaged = 1;

    rc = rfl_cursor_open(rfl_ledger_store(l), RFL_LEDGER_CHANGES, &cursor);

    if (rc == RFL_OK) {
        rc = rfl_cursor_last(cursor, &found, &value);

        if (rc == RFL_OK && found.len == sizeof(sums->changes)) {
            memcpy(&sums->changes, found.data, sizeof(sums->changes));
        }

        rfl_cursor_close(cursor);
    }

    return rc == RFL_OK || rc == RFL_NOT_FOUND ? RFL_OK
                                               : rfl_states_fail(rc, err);
}


rfl_rc_t
rfl_states_put_sums(rfl_ledger_t *l, const rfl_states_t *sums,
    rfl_error_t *err)
{
    u_char    value[RFL_STATES_SUMS_MAX], *p;
    unsigned  i;

    p = value;
    *p++ = RFL_STATES_VERSION;

    p = rfl_varint_put(p, sums->changes);
    p = rfl_varint_put(p, sums->day);

    for (i = 0; i < RFL_STATES; i++) {
        p = rfl_varint_put(p, sums->links[i]);
    }

    return rfl_store_put(rfl_ledger_store(l), RFL_LEDGER_META,
                         rfl_cstr(RFL_STATES_KEY),
                         rfl_str(value, (size_t) (p - value)), 0, err);
}


rfl_rc_t
rfl_states_put(rfl_ledger_t *l, rfl_states_t *sums, uint32_t id,
    const rfl_state_verdict_t *v, uint64_t now, int *changed,
    rfl_error_t *err)
{
    u_char                value[RFL_STATES_MAX], *p;
    rfl_rc_t              rc;
    rfl_state_verdict_t   old;
    rfl_states_change_t   change;

    rc = rfl_states_get(l, id, &old);

    if (rc == RFL_OK && rfl_states_same(&old, v)) {
        return RFL_OK;
    }

    if (rc != RFL_OK && rc != RFL_NOT_FOUND && rc != RFL_DAMAGED) {
        return rfl_states_fail(rc, err);
    }

    if (rc == RFL_OK && old.state != v->state) {
        change.time = now;
        change.id = id;
        change.from = old.state;
        change.to = v->state;

        sums->links[old.state] -= (sums->links[old.state] != 0);
        sums->links[v->state]++;

        rc = rfl_states_note(l, sums, &change, err);
        if (rc != RFL_OK) {
            return rc;
        }

    } else if (rc != RFL_OK) {
        sums->links[v->state]++;
        sums->damaged |= (rc == RFL_DAMAGED);
    }

    *changed = 1;

    p = value;
    *p++ = RFL_STATES_VERSION;
    *p++ = (u_char) v->state;

    p = rfl_varint_put(p, v->since);
    p = rfl_varint_put(p, v->last);
    p = rfl_varint_put(p, v->clicks);
    p = rfl_varint_put(p, v->days);

    return rfl_store_put_u32(rfl_ledger_store(l), RFL_LEDGER_STATES, id,
                             rfl_str(value, (size_t) (p - value)), 0, err);
}


static int
rfl_states_same(const rfl_state_verdict_t *one, const rfl_state_verdict_t *two)
{
    return one->state == two->state && one->since == two->since
           && one->last == two->last && one->clicks == two->clicks
           && one->days == two->days;
}


/* As many as there is room for: who reads them seldom has missed the rest. */

static rfl_rc_t
rfl_states_note(rfl_ledger_t *l, rfl_states_t *sums,
    const rfl_states_change_t *change, rfl_error_t *err)
{
    u_char        value[3 + 2 * RFL_VARINT_MAX], *p;
    rfl_rc_t      rc;
    rfl_store_t  *store;

    store = rfl_ledger_store(l);

    sums->changes++;

    p = value;
    *p++ = RFL_STATES_VERSION;
    *p++ = (u_char) change->from;
    *p++ = (u_char) change->to;

    p = rfl_varint_put(p, change->time);
    p = rfl_varint_put(p, change->id);

    rc = rfl_store_put_u64(store, RFL_LEDGER_CHANGES, sums->changes,
                           rfl_str(value, (size_t) (p - value)), 0, err);

    if (rc != RFL_OK || sums->changes <= RFL_STATES_CHANGES) {
        return rc;
    }

    rc = rfl_store_del_u64(store, RFL_LEDGER_CHANGES,
                           sums->changes - RFL_STATES_CHANGES, err);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


rfl_rc_t
rfl_states_remove(rfl_ledger_t *l, rfl_states_t *sums, uint32_t id,
    int *changed, rfl_error_t *err)
{
    rfl_rc_t             rc;
    rfl_state_verdict_t  old;

    rc = rfl_states_get(l, id, &old);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc == RFL_OK) {
        sums->links[old.state] -= (sums->links[old.state] != 0);

    } else if (rc == RFL_DAMAGED) {
        sums->damaged = 1;

    } else {
        return rfl_states_fail(rc, err);
    }

    *changed = 1;

    return rfl_store_del_u32(rfl_ledger_store(l), RFL_LEDGER_STATES, id, err);
}


rfl_rc_t
rfl_states_next_change(rfl_ledger_t *l, uint64_t number,
    rfl_states_change_t *change)
{
    rfl_rc_t       rc;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    number++;

    rc = rfl_cursor_open(rfl_ledger_store(l), RFL_LEDGER_CHANGES, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_cursor_seek(cursor, rfl_str(&number, sizeof(number)), &found,
                         &value);

    if (rc == RFL_OK && found.len != sizeof(number)) {
        rc = RFL_DAMAGED;
    }

    if (rc == RFL_OK) {
        rc = rfl_states_decode_change(value, change);
        memcpy(&change->number, found.data, sizeof(number));
    }

    rfl_cursor_close(cursor);

    return rc;
}


rfl_rc_t
rfl_states_decode_change(rfl_str_t value, rfl_states_change_t *change)
{
    rfl_rc_t  rc;
    uint64_t  n[2];

    memset(change, 0, sizeof(rfl_states_change_t));

    rc = rfl_states_version(&value);

    if (rc == RFL_OK) {
        rc = rfl_states_byte(&value, &change->from);
    }

    if (rc == RFL_OK) {
        rc = rfl_states_byte(&value, &change->to);
    }

    if (rc == RFL_OK) {
        rc = rfl_states_numbers(value, n, 2);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (n[1] > UINT32_MAX) {
        return RFL_DAMAGED;
    }

    change->time = n[0];
    change->id = (uint32_t) n[1];

    return RFL_OK;
}


/* Checks the version byte and moves behind it. */

static rfl_rc_t
rfl_states_version(rfl_str_t *value)
{
    if (value->len == 0) {
        return RFL_DAMAGED;
    }

    if (value->data[0] != RFL_STATES_VERSION) {
        return RFL_BAD_VERSION;
    }

    value->data++;
    value->len--;

    return RFL_OK;
}


static rfl_rc_t
rfl_states_byte(rfl_str_t *value, rfl_state_t *state)
{
    if (value->len == 0 || value->data[0] >= RFL_STATES) {
        return RFL_DAMAGED;
    }

    *state = (rfl_state_t) value->data[0];

    value->data++;
    value->len--;

    return RFL_OK;
}


/* So many, and nothing behind them. */

static rfl_rc_t
rfl_states_numbers(rfl_str_t value, uint64_t *n, size_t count)
{
    size_t    i;
    rfl_rc_t  rc;

    for (i = 0; i < count; i++) {
        rc = rfl_varint_get(&value, &n[i]);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return value.len == 0 ? RFL_OK : RFL_DAMAGED;
}


static rfl_rc_t
rfl_states_fail(rfl_rc_t rc, rfl_error_t *err)
{
    if (rc == RFL_BAD_VERSION) {
        return rfl_fail(err, rc, "ledger: states of links: written by another "
                        "version, this one knows %d", RFL_STATES_VERSION);
    }

    return rfl_fail(err, rc, "ledger: states of links: reading failed");
}
