/*
 * What kind of Referer a request carries.
 *
 * Most Referers of a busy site are those of its own pages.  They are found by
 * comparing bytes, before anything is parsed.  What the comparison does not
 * settle (upper case, IPv6, user names) takes the long way, which parses.
 */

#include "rfl_referrer.h"


#define RFL_REFERRER_HOST  (RFL_HOST_MAX + 16)   /* rfl_surt_host() asks it */
#define RFL_SHOWN_MAX      64                    /* of a text, in a message */


static rfl_str_t rfl_referrer_without_port(rfl_str_t host);
static inline const u_char *rfl_referrer_authority(rfl_str_t referer);
static inline int rfl_referrer_host_ends(const u_char *p, const u_char *end);
static int rfl_referrer_is_digit(u_char c);
static int rfl_referrer_is_letter(u_char c);
static int rfl_referrer_is_name_of(rfl_str_t name, rfl_str_t host);
static int rfl_referrer_is_below(rfl_str_t host, rfl_str_t parent);
static rfl_str_t rfl_referrer_canonical(const rfl_url_t *url, u_char *buf);


/*
 * "strict" and "downgrade" speak of the way from https to http, which is not
 * looked at.
 */

static const struct {
    rfl_str_t     token;
    rfl_policy_t  policy;
} rfl_policies[] = {
    { rfl_string("no-referrer"), RFL_POLICY_NOTHING },
    { rfl_string("same-origin"), RFL_POLICY_NOTHING },
    { rfl_string("origin"), RFL_POLICY_ORIGIN },
    { rfl_string("strict-origin"), RFL_POLICY_ORIGIN },
    { rfl_string("origin-when-cross-origin"), RFL_POLICY_ORIGIN },
    { rfl_string("strict-origin-when-cross-origin"), RFL_POLICY_ORIGIN },
    { rfl_string("no-referrer-when-downgrade"), RFL_POLICY_KEEPS },
    { rfl_string("unsafe-url"), RFL_POLICY_KEEPS }
};


rfl_referrer_kind_t
rfl_referrer(rfl_str_t referer, rfl_str_t host, const rfl_own_hosts_t *own,
    rfl_url_t *url)
{
    if (rfl_referrer_is_site(referer, host)) {
        return RFL_REFERRER_INTERNAL;
    }

    return rfl_referrer_parse(referer, host, own, url);
}


/*
 * Not inlined: what the caller is spared should not cost it saved registers
 * and stack.
 */

__attribute__((noinline)) rfl_referrer_kind_t
rfl_referrer_parse(rfl_str_t referer, rfl_str_t host,
    const rfl_own_hosts_t *own, rfl_url_t *url)
{
    rfl_rc_t  rc;

    referer = rfl_str_trim(referer);

    if (referer.len == 0) {
        return RFL_REFERRER_NONE;
    }

    rc = rfl_url_parse(referer, url, NULL);
    if (rc != RFL_OK) {
        return RFL_REFERRER_MALFORMED;
    }

    if (url->scheme != RFL_SCHEME_ANDROID_APP
        && rfl_is_own_host(url, host, own))
    {
        return RFL_REFERRER_INTERNAL;
    }

    if (!url->has_query
        && (url->path.len == 0
            || (url->path.len == 1 && url->path.data[0] == '/')))
    {
        return RFL_REFERRER_ORIGIN;
    }

    return RFL_REFERRER_FULL;
}


rfl_rc_t
rfl_own_host_parse(rfl_str_t text, u_char *buf, rfl_own_host_t *out,
    rfl_error_t *err)
{
    int          shown;
    size_t       i;
    u_char       canonical[RFL_REFERRER_HOST];
    rfl_rc_t     rc;
    rfl_str_t    host;
    rfl_url_t    url;
    const char  *why;

    text = rfl_str_trim(text);
    host = text;

    out->wildcard = (host.len > 2 && host.data[0] == '*'
                     && host.data[1] == '.');

    if (out->wildcard) {
        host.data += 2;
        host.len -= 2;
    }

    if (host.len > 3 && memmem(host.data, host.len, "://", 3) != NULL) {
        why = "own hosts are written without \"https://\"";
        goto invalid;
    }

    rc = rfl_url_parse_host(host, &url, &why);

    if (rc != RFL_OK) {
        goto invalid;
    }

    if (url.host.len != host.len) {
        why = "own hosts have no port, all ports count as the same host";
        goto invalid;
    }

    if (!out->wildcard) {
        host = rfl_referrer_canonical(&url, canonical);

    } else {

        if (url.host_kind != RFL_HOST_NAME) {
            why = "no host is below an address";
            goto invalid;
        }

        if (host.data[host.len - 1] == '.') {
            host.len--;
        }

        /* one byte and a dot before it, at least */

        if (host.len > RFL_HOST_MAX - 2) {
            why = "a host below it would be longer than 253 bytes";
            goto invalid;
        }

        host.data--;
        host.len++;
    }

    for (i = 0; i < host.len; i++) {
        buf[i] = rfl_lower(host.data[i]);
    }

    out->name = rfl_str(buf, host.len);

    return RFL_OK;

invalid:

    shown = text.len > RFL_SHOWN_MAX ? RFL_SHOWN_MAX : (int) text.len;

    return rfl_fail(err, RFL_INVALID, "own host \"%.*s\" is not valid: %s",
                    shown, shown == 0 ? "" : (const char *) text.data, why);
}


/*
 * The short way.  1: an http or https URL of the site's host, as parsing would
 * find; 0: not known.
 *
 * The host is not judged, that would double the cost.  A client that calls the
 * site "a@b" or "a..b", in Host and Referer alike, is taken at its word.
 */

int
rfl_referrer_is_site(rfl_str_t referer, rfl_str_t host)
{
    const u_char  *p, *end;

    p = rfl_referrer_authority(referer);
    if (p == NULL) {
        return 0;
    }

    end = referer.data + referer.len;

    /* nearly every host ends in a letter: no port, no address, no dot */

    if (host.len == 0 || !rfl_referrer_is_letter(host.data[host.len - 1])) {

        host = rfl_referrer_without_port(host);

        if (host.len > 0 && host.data[host.len - 1] == '.') {
            host.len--;
        }

        /* an IPv6 address has many spellings and no trailing dot */

        if (host.len == 0 || host.data[0] == '[') {
            return 0;
        }
    }

    /* "www.192.0.2.1" is neither a name nor that address */

    if (!rfl_referrer_is_digit(host.data[host.len - 1])) {

        if (end - p > 4 && memcmp(p, "www.", 4) == 0) {
            p += 4;
        }

        if (host.len > 4 && memcmp(host.data, "www.", 4) == 0) {
            host.data += 4;
            host.len -= 4;
        }
    }

    return host.len <= (size_t) (end - p)
           && rfl_str_same(p, host.data, host.len)
           && rfl_referrer_host_ends(p + host.len, end);
}


int
rfl_referrer_is_own(rfl_str_t referer, const rfl_own_hosts_t *own)
{
    size_t         i;
    rfl_str_t      name;
    const u_char  *p, *end, *bare, *at;

    p = rfl_referrer_authority(referer);
    end = referer.data + referer.len;

    if (p == NULL || p == end) {
        return 0;
    }

    bare = p;

    if (end - p > 4 && memcmp(p, "www.", 4) == 0) {
        bare += 4;
    }

    for (i = 0; i < own->n; i++) {
        name = own->hosts[i].name;

        /* most begin otherwise, wildcards always do: with a dot */

        if (name.data[0] != *bare && name.data[0] != *p) {
            continue;
        }

        /* an IPv6 address has no trailing dot */

        if (own->hosts[i].wildcard || name.data[0] == '[') {
            continue;
        }

        /* "www.192.0.2.1" is neither a name nor that address */

        at = rfl_referrer_is_digit(name.data[name.len - 1]) ? p : bare;

        if (name.len <= (size_t) (end - at)
            && rfl_str_same(at, name.data, name.len)
            && rfl_referrer_host_ends(at + name.len, end))
        {
            return 1;
        }
    }

    return 0;
}


/* What stands behind "https://" or "http://"; NULL: it begins otherwise. */

static inline const u_char *
rfl_referrer_authority(rfl_str_t referer)
{
    if (referer.len < sizeof("https://") - 1 || referer.len > RFL_URL_MAX) {
        return NULL;
    }

    if (memcmp(referer.data, "https://", 8) == 0) {
        return referer.data + 8;
    }

    return memcmp(referer.data, "http://", 7) == 0 ? referer.data + 7 : NULL;
}


/* Whatever the port, the host is the site's. */

static rfl_str_t
rfl_referrer_without_port(rfl_str_t host)
{
    size_t  len;

    len = host.len;

    while (len > 0 && rfl_referrer_is_digit(host.data[len - 1])) {
        len--;
    }

    if (len > 0 && host.data[len - 1] == ':') {
        host.len = len - 1;
    }

    return host;
}


/* Whether a host may end at p: a port of up to four digits is always valid. */

static inline int
rfl_referrer_host_ends(const u_char *p, const u_char *end)
{
    int  digits;

    if (p < end && *p == '/') {
        return 1;
    }

    if (p < end && *p == '.') {
        p++;
    }

    if (p < end && *p == ':') {
        p++;

        for (digits = 0; digits < 4 && p < end; digits++) {
            if (!rfl_referrer_is_digit(*p)) {
                break;
            }

            p++;
        }
    }

    return p == end || *p == '/' || *p == '?' || *p == '#';
}


static int
rfl_referrer_is_digit(u_char c)
{
    return c >= '0' && c <= '9';
}


static int
rfl_referrer_is_letter(u_char c)
{
    return (u_char) ((c | 0x20) - 'a') < 26;
}


/* The long way. */

int
rfl_is_own_host(const rfl_url_t *url, rfl_str_t host,
    const rfl_own_hosts_t *own)
{
    size_t                 i;
    u_char                 buf[RFL_REFERRER_HOST];
    rfl_str_t              name;
    const rfl_own_host_t  *h;

    name = rfl_referrer_canonical(url, buf);

    if (rfl_referrer_is_name_of(name, rfl_referrer_without_port(host))) {
        return 1;
    }

    if (own == NULL) {
        return 0;
    }

    for (i = 0; i < own->n; i++) {
        h = &own->hosts[i];

        if (h->wildcard) {
            if (rfl_referrer_is_below(url->host, h->name)) {
                return 1;
            }

        } else if (h->name.len == name.len && rfl_str_caseeq(h->name, name)) {
            return 1;
        }
    }

    return 0;
}


/* name is canonical.  A host equal to it is as valid as it is. */

static int
rfl_referrer_is_name_of(rfl_str_t name, rfl_str_t host)
{
    u_char     buf[RFL_REFERRER_HOST];
    rfl_rc_t   rc;
    rfl_url_t  url;

    if (host.len == 0 || host.data[0] != '[') {
        host = rfl_url_bare_host(host);

        return name.len == host.len && rfl_str_caseeq(name, host);
    }

    rc = rfl_url_parse_host(host, &url, NULL);

    return rc == RFL_OK
           && rfl_str_eq(name, rfl_referrer_canonical(&url, buf));
}


/* parent begins with a dot. */

static int
rfl_referrer_is_below(rfl_str_t host, rfl_str_t parent)
{
    if (host.data[host.len - 1] == '.') {
        host.len--;
    }

    if (host.len <= parent.len) {
        return 0;
    }

    host = rfl_str(host.data + host.len - parent.len, parent.len);

    /* most have no dot there */

    return host.data[0] == '.' && rfl_str_caseeq(host, parent);
}


void
rfl_referrer_policy(rfl_str_t value, rfl_policy_t *policy)
{
    size_t     i;
    rfl_str_t  token;

    while (value.len != 0) {
        token = rfl_str_trim(rfl_str_item(&value));

        for (i = 0; i < sizeof(rfl_policies) / sizeof(rfl_policies[0]); i++) {
            if (rfl_str_caseeq(token, rfl_policies[i].token)) {
                *policy = rfl_policies[i].policy;
            }
        }
    }
}


rfl_str_t
rfl_referrer_after(rfl_str_t referer, rfl_policy_t policy)
{
    rfl_str_t  last;
    rfl_url_t  url;

    if (policy == RFL_POLICY_NOTHING) {
        return rfl_str(NULL, 0);
    }

    referer = rfl_str_trim(referer);

    if (policy == RFL_POLICY_KEEPS
        || rfl_url_parse(referer, &url, NULL) != RFL_OK
        || url.scheme == RFL_SCHEME_ANDROID_APP)
    {
        return referer;
    }

    last = url.port.len != 0 ? url.port : url.host;

    return rfl_str(referer.data,
                   (size_t) (last.data + last.len - referer.data));
}


/* The bare host; an IPv6 address, which has many spellings, is put into buf. */

static rfl_str_t
rfl_referrer_canonical(const rfl_url_t *url, u_char *buf)
{
    if (url->host_kind == RFL_HOST_IPV6) {
        return rfl_str(buf, rfl_surt_host(url, buf));
    }

    return rfl_url_bare_host(url->host);
}
