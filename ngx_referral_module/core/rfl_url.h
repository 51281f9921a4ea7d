/*
 * A URL as offsets into the caller's bytes.  Nothing is copied or allocated.
 *
 * Accepted: http, https and android-app URLs with an authority, as browsers
 * send them in Referer (RFC 3986 generic syntax; WHATWG URL where the two
 * differ: the last "@" ends the userinfo, a host whose last label is a
 * number must be an IPv4 address).  White space, control bytes and "\" before
 * the path are refused; bytes of the path, query and fragment are not judged.
 */

#ifndef RFL_URL_H
#define RFL_URL_H

#include "rfl_base.h"


typedef enum {
    RFL_SCHEME_HTTP = 0,
    RFL_SCHEME_HTTPS,
    RFL_SCHEME_ANDROID_APP
} rfl_scheme_t;


typedef enum {
    RFL_HOST_NAME = 0,
    RFL_HOST_IPV4,
    RFL_HOST_IPV6                /* the slice includes the brackets */
} rfl_host_kind_t;


typedef struct {
    rfl_scheme_t     scheme;
    rfl_host_kind_t  host_kind;
    rfl_str_t        host;       /* as sent: case, trailing dot, www. kept */
    rfl_str_t        port;       /* digits, or empty */
    rfl_str_t        path;       /* from "/", or empty */
    rfl_str_t        query;      /* without "?", or empty */
    uint64_t         dots;       /* those of host by a bit each, or 0: they
                                    are to be looked for */
    unsigned         has_query:1;
    unsigned         has_fragment:1;
} rfl_url_t;


/*
 * RFL_OK, or RFL_INVALID with a static text in *why (why may be NULL) such
 * as "the scheme is not http, https or android-app".  A text longer than
 * RFL_URL_MAX is invalid.  On failure *url is undefined.
 */

rfl_rc_t rfl_url_parse(rfl_str_t text, rfl_url_t *url, const char **why);


/*
 * The host of a Host header, of a server_name or of a directive: a name or
 * an address, optional port.  Fills host, host_kind and port of *url and
 * empties the rest.
 */

rfl_rc_t rfl_url_parse_host(rfl_str_t text, rfl_url_t *url, const char **why);


/*
 * The host as hosts are compared: trailing dot and leading "www." cut off.
 * Still in the case it was sent in.
 */

static inline rfl_str_t
rfl_url_bare_host(rfl_str_t host)
{
    uint32_t  first;

    if (host.len > 0 && host.data[host.len - 1] == '.') {
        host.len--;
    }

    if (host.len > 4) {
        memcpy(&first, host.data, 4);

        /* "www.", in any case: only "W" and "w" become 0x77 */

        if ((first | 0x00202020) == 0x2e777777) {
            host.data += 4;
            host.len -= 4;
        }
    }

    return host;
}


/*
 * What a landing is: the path and query of the request target a client
 * sent ("/p?q", "http://host/p?q" in absolute form, "*").  Fills path, query,
 * has_query; a target without a path gets the path "/".
 */

void rfl_url_parse_target(rfl_str_t target, rfl_url_t *url);

/* Its path alone. */

rfl_str_t rfl_url_target_path(rfl_str_t target);


#endif /* RFL_URL_H */
