/*
 * SURT, the Sort-friendly URI Reordering Transform of the web archives:
 *
 *     https://WWW.Blog.Example:443/2024/post/?utm_source=x#c
 *     example,blog)/2024/post
 *
 * The rules, each with a test of the same number (tests/unit/rfl_surt.c):
 *
 *   1. scheme, userinfo, port and fragment are dropped (hosts are compared
 *      without port)
 *   2. the host is in lower case, without trailing dot, without one leading
 *      "www."
 *   3. host labels are reversed and joined by commas, closed by ")";
 *      addresses are never reversed or split; IPv6 is in its shortest form
 *      (RFC 5952) and keeps its brackets
 *   4. an android-app URL is "android-app:PACKAGE)/", its path is ignored;
 *      a package is in lower case, but is not reversed and keeps "www."
 *   5. percent-encoding: unreserved bytes (RFC 3986, 2.3) are decoded, hex
 *      digits are upper case, a "%" that starts no triplet becomes %25, and
 *      bytes no URL may hold raw (controls, space, " < > \ ^ ` { | }, DEL and
 *      above) are encoded
 *   6. dot segments are removed (RFC 3986, 5.2.4), also encoded ones (%2e)
 *   7. the trailing slash is dropped (of several, all: dropping one at a time
 *      would not be idempotent), the root stays "/"; an empty path is the root
 *   8. the case of path and query is kept
 *   9. known tracking parameters are dropped (rfl_surt_is_tracking), the
 *      other parameters stay in order; empty ones ("&&") are dropped; no
 *      parameter left drops the "?".  Names are compared after rule 5.
 *  10. what is dropped has a limit.  Of a path in which more segments than
 *      RFL_SURT_DROPPED_MAX begin with a dot only the root is written; of a
 *      query from which more parameters than that are dropped (empty ones are
 *      such) nothing.  The SURT is cut, nothing can be registered under it
 *  11. a caller who knows that nothing longer than a limit is registered gets
 *      no more than that.  A SURT that would be longer is cut: of a path that
 *      is not within the limit the whole segments that are, the root at least;
 *      of a query that is not, nothing
 *
 * The transform is idempotent on its path and query, and equal for URLs that
 * differ only in what the rules level.
 *
 * Rules 10 and 11 are what makes it cheap for any bytes a stranger sends: what
 * is written is as long as the limit at most, what is taken away again has a
 * number, and the rest is looked at once, for dots that take back what is
 * before them.  No browser sends a dot segment.
 */

#ifndef RFL_SURT_H
#define RFL_SURT_H

#include "rfl_url.h"


/*
 * Every byte may become three; the host gains a bracket and a prefix; 16 bytes
 * behind the end are written and read while one is made.
 */

#define RFL_SURT_MAX  (3 * RFL_URL_MAX + 32)

/* Segments that begin with a dot, and parameters that are dropped. */

#define RFL_SURT_DROPPED_MAX  16


typedef struct {
    u_char    buf[RFL_SURT_MAX];
    size_t    len;           /* of the whole SURT */
    size_t    host_len;      /* "example,blog", without ")" */
    size_t    path_start;    /* just behind ")" */
    size_t    path_len;      /* of the path, without "?" */
    unsigned  is_address:1;  /* IPv4 or IPv6: has no parent domains */
    unsigned  is_app:1;      /* android-app: has no parent domains */
    unsigned  is_cut:1;      /* by rule 10 or 11: what is there is its
                                beginning, and the path's segments are whole */
} rfl_surt_t;


/*
 * Query arguments to leave out beside the tracking ones (the argument names
 * that carry tags).  Names are compared by bytes, after rule 5.
 */

typedef struct {
    const rfl_str_t  *names;
    size_t            n;
} rfl_names_t;


/*
 * The URL came from rfl_url_parse(): path and query together are at most
 * RFL_URL_MAX.  This cannot fail.  Without a limit.
 */

void rfl_surt(const rfl_url_t *url, rfl_surt_t *surt);

/*
 * The same in two steps: up to ")", and the rest of the same URL.  Most
 * Referers are of hosts nobody registered, and their paths do not matter.
 * limit: of the whole SURT in bytes (rule 11); SIZE_MAX: none.
 */

void rfl_surt_begin(const rfl_url_t *url, rfl_surt_t *surt);
void rfl_surt_finish(const rfl_url_t *url, size_t limit, rfl_surt_t *surt);

/*
 * The host alone, by rules 2 to 4, without ")"; size of out: RFL_HOST_MAX +
 * 16; up to 15 bytes behind the host may become lower case.  Returns its
 * length.
 */

size_t rfl_surt_host(const rfl_url_t *url, u_char *out);


/*
 * A landing by rules 5 to 11: "path" or "path?query", of at most limit bytes
 * (SIZE_MAX: any).  out holds at least RFL_SURT_MAX bytes; path and query
 * together are at most RFL_URL_MAX (of a longer one nothing is written).
 * *path_len is the length of the path alone; *len that of the whole.  without
 * may be NULL.
 *
 * RFL_FULL: it is longer, or cut by rule 10.  *path_len is then that of the
 * path if that is whole and no longer, else 0.
 */

rfl_rc_t rfl_surt_landing(const rfl_url_t *url, const rfl_names_t *without,
    size_t limit, u_char *out, size_t *path_len, size_t *len);


/*
 * Whether a query argument of this name is a known tracking parameter; case
 * does not matter.
 */

int rfl_surt_is_tracking(rfl_str_t name);


#endif /* RFL_SURT_H */
