/*
 * See rfl_filter.h.
 */

#include "rfl_filter.h"
#include "rfl_identity.h"


/* The longest of the fields that are searched. */

#define RFL_FILTER_TEXT_MAX  (RFL_NOTE_MAX > RFL_URL_MAX ? RFL_NOTE_MAX       \
                                                         : RFL_URL_MAX)


static rfl_rc_t rfl_filter_word(rfl_str_t name, rfl_str_t *value);
static rfl_rc_t rfl_filter_surt(rfl_filter_t *f, rfl_str_t *value,
    rfl_identity_t *identity);
static int rfl_filter_is_label(rfl_str_t labels, rfl_str_t wanted);
static int rfl_filter_text(rfl_str_t wanted, const rfl_link_t *link,
    size_t *searched);
static int rfl_filter_contains(rfl_str_t text, rfl_str_t wanted);


rfl_rc_t
rfl_filter_set(rfl_filter_t *f, rfl_filter_field_t field, rfl_str_t value)
{
    size_t           i;
    rfl_rc_t         rc;
    rfl_state_t      state;
    rfl_identity_t   identity;

    switch (field) {

    case RFL_FILTER_CHANNEL:
        rc = rfl_filter_word(rfl_cstr("channel"), &value);
        break;

    case RFL_FILTER_ORIGIN:

        /* no link has none */

        rc = value.len != 0 ? rfl_filter_word(rfl_cstr("origin"), &value)
                            : RFL_INVALID;
        break;

    case RFL_FILTER_HOST:
        rc = rfl_filter_surt(f, &value, &identity);
        break;

    case RFL_FILTER_STATE:
        rc = rfl_state_parse(value, &state);
        break;

    default:
        rc = RFL_OK;
    }

    if (rc != RFL_OK || value.len > RFL_FILTER_MAX) {
        return RFL_INVALID;
    }

    if (field == RFL_FILTER_TEXT && value.len == 0) {
        return RFL_OK;
    }

    for (i = 0; i < value.len; i++) {
        f->values[field].data[i] = field == RFL_FILTER_TEXT
                                   ? rfl_lower(value.data[i])
                                   : value.data[i];
    }

    f->values[field].len = value.len;
    f->given |= 1u << field;

    return RFL_OK;
}


/* As it would be stored. */

static rfl_rc_t
rfl_filter_word(rfl_str_t name, rfl_str_t *value)
{
    rfl_rc_t                 rc;
    rfl_link_t               link;
    const rfl_link_field_t  *field;

    memset(&link, 0, sizeof(rfl_link_t));

    field = rfl_link_field(name);

    rc = rfl_link_set(&link, field, *value, NULL, NULL);

    if (rc == RFL_OK) {
        *value = *rfl_link_slice(&link, field);
    }

    return rc;
}


static rfl_rc_t
rfl_filter_surt(rfl_filter_t *f, rfl_str_t *value, rfl_identity_t *identity)
{
    rfl_rc_t   rc;
    rfl_str_t  host;

    if (value->len == 0) {
        return RFL_OK;
    }

    host = *value;

    if (host.data[0] == '.') {
        host.data++;
        host.len--;
        f->below = 1;
    }

    rc = rfl_identity_shown(host, identity, NULL);

    if (rc == RFL_OK) {
        *value = rfl_str(identity->source.buf, identity->source.host_len);
    }

    return rc;
}


int
rfl_filter_link(const rfl_filter_t *f, const rfl_link_t *link,
    size_t *searched)
{
    if (rfl_filter_has(f, RFL_FILTER_CHANNEL)
        && !rfl_str_eq(rfl_filter_value(f, RFL_FILTER_CHANNEL),
                       link->channel))
    {
        return 0;
    }

    if (rfl_filter_has(f, RFL_FILTER_ORIGIN)
        && !rfl_str_eq(rfl_filter_value(f, RFL_FILTER_ORIGIN),
                       rfl_link_origin(link)))
    {
        return 0;
    }

    if (rfl_filter_has(f, RFL_FILTER_PARTNER)
        && !rfl_str_eq(rfl_filter_value(f, RFL_FILTER_PARTNER),
                       link->partner))
    {
        return 0;
    }

    if (rfl_filter_has(f, RFL_FILTER_LABEL)
        && !rfl_filter_is_label(link->labels,
                                rfl_filter_value(f, RFL_FILTER_LABEL)))
    {
        return 0;
    }

    return !rfl_filter_has(f, RFL_FILTER_TEXT)
           || rfl_filter_text(rfl_filter_value(f, RFL_FILTER_TEXT), link,
                              searched);
}


static int
rfl_filter_is_label(rfl_str_t labels, rfl_str_t wanted)
{
    if (wanted.len == 0) {
        return labels.len == 0;
    }

    while (labels.len >= wanted.len) {
        if (rfl_str_eq(rfl_str_item(&labels), wanted)) {
            return 1;
        }
    }

    return 0;
}


static int
rfl_filter_text(rfl_str_t wanted, const rfl_link_t *link, size_t *searched)
{
    size_t     i;
    rfl_str_t  texts[] = { link->source, link->target, link->name,
                           link->partner, link->tag, link->anchor,
                           link->note };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *searched += texts[i].len;

        if (rfl_filter_contains(texts[i], wanted)) {
            return 1;
        }
    }

    return 0;
}


/*
 * wanted is in lower case and not empty.  memmem() is linear: what people
 * search for and what links say may be made to cost the product.
 */

static int
rfl_filter_contains(rfl_str_t text, rfl_str_t wanted)
{
    size_t  i;
    u_char  lower[RFL_FILTER_TEXT_MAX];

    if (text.len < wanted.len || text.len > sizeof(lower)) {
        return 0;
    }

    for (i = 0; i < text.len; i++) {
        lower[i] = rfl_lower(text.data[i]);
    }

    return memmem(lower, text.len, wanted.data, wanted.len) != NULL;
}


int
rfl_filter_host(const rfl_filter_t *f, rfl_str_t surt)
{
    u_char     c;
    rfl_str_t  host;

    host = rfl_filter_value(f, RFL_FILTER_HOST);

    if (surt.len <= host.len
        || !rfl_str_eq(rfl_str(surt.data, host.len), host))
    {
        return 0;
    }

    c = surt.data[host.len];

    return c == ')' || (f->below && c == ',');
}
