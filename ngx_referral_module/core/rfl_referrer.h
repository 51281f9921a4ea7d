/*
 * What the Referer of a request says (Referrer Policy, W3C; RFC 9110, 10.1.3).
 */

#ifndef RFL_REFERRER_H
#define RFL_REFERRER_H

#include "rfl_surt.h"


typedef enum {
    RFL_REFERRER_NONE = 0,       /* no header, or only white space in it */
    RFL_REFERRER_MALFORMED,      /* no http, https or android-app URL */
    RFL_REFERRER_INTERNAL,       /* of an own host */
    RFL_REFERRER_ORIGIN,         /* path "/" and no query: the path was most
                                    likely cut off by the browser's policy */
    RFL_REFERRER_FULL
} rfl_referrer_kind_t;


/*
 * An own host: a name, or with wildcard set the hosts below it ("*.a.b" is
 * stored as ".a.b", matches "x.a.b" and "www.a.b", not "a.b"), as in
 * server_name.
 */

typedef struct {
    rfl_str_t  name;             /* lower case, bare (rfl_url_bare_host);
                                    an address in canonical form */
    unsigned   wildcard:1;
} rfl_own_host_t;

typedef struct {
    const rfl_own_host_t  *hosts;
    size_t                 n;
} rfl_own_hosts_t;


/*
 * Parses the text of an own host: name, address or "*.name", without port.
 * out's slice points into buf (RFL_HOST_MAX bytes).  RFL_INVALID says why.
 */

rfl_rc_t rfl_own_host_parse(rfl_str_t text, u_char *buf, rfl_own_host_t *out,
    rfl_error_t *err);


/*
 * host: the site's host for this request, any case, port allowed.  *url is
 * filled for ORIGIN and FULL.  A Referer of the site's host is recognised
 * by its bytes, without parsing it, so that it costs next to nothing.
 */

rfl_referrer_kind_t rfl_referrer(rfl_str_t referer, rfl_str_t host,
    const rfl_own_hosts_t *own, rfl_url_t *url);


/*
 * The recognition alone: 1 is what rfl_referrer() finds INTERNAL, 0 is not
 * known.  Most requests of a busy site end here.
 */

int rfl_referrer_is_site(rfl_str_t referer, rfl_str_t host);

/* The same of the names of own that are no wildcards; own is not NULL. */

int rfl_referrer_is_own(rfl_str_t referer, const rfl_own_hosts_t *own);

/* The rest: of one that is not recognised so. */

rfl_referrer_kind_t rfl_referrer_parse(rfl_str_t referer, rfl_str_t host,
    const rfl_own_hosts_t *own, rfl_url_t *url);


/*
 * Whether a host is the site's (as above) or one of own (may be NULL); the
 * scheme must not be android-app.
 */

int rfl_is_own_host(const rfl_url_t *url, rfl_str_t host,
    const rfl_own_hosts_t *own);


/*
 * What a redirect's Referrer-Policy makes of the Referer of another site's
 * page (Referrer Policy, 8.1 to 8.3): the request that follows has it.
 */

typedef enum {
    RFL_POLICY_KEEPS = 0,        /* there is none, or it takes nothing away */
    RFL_POLICY_ORIGIN,           /* the path is cut off */
    RFL_POLICY_NOTHING           /* no-referrer, same-origin */
} rfl_policy_t;


/*
 * value: that of one header line.  The last token that is known counts; where
 * none is, *policy stays as it was.
 */

void rfl_referrer_policy(rfl_str_t value, rfl_policy_t *policy);

/* A slice of referer, or empty. */

rfl_str_t rfl_referrer_after(rfl_str_t referer, rfl_policy_t policy);


#endif /* RFL_REFERRER_H */
