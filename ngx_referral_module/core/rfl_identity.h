/*
 * What a link is: match type, source and target in canonical form, and the
 * key that follows from them.  The key is the same on every server and after
 * every import.
 *
 * This is registration only (it knows IDN, through libidn2); requests arrive
 * with host names in ASCII already.
 */

#ifndef RFL_IDENTITY_H
#define RFL_IDENTITY_H

#include "rfl_link.h"
#include "rfl_surt.h"


typedef struct {
    rfl_surt_t  source;
    u_char      target[RFL_SURT_MAX + RFL_HOST_MAX + 16];
    size_t      target_len;          /* 0: no target.  "/p?q", "host)/p?q" */
    unsigned    target_has_host:1;
    unsigned    target_has_query:1;
    unsigned    segments;            /* of a prefix link's path, root: 0 */
    u_char      tag[RFL_TAG_MAX];
    size_t      tag_len;             /* 0: no tag */
    uint64_t    key;
} rfl_identity_t;


/*
 * Reads link->match_type, source, target and tag.
 *
 *   exact    a URL; without a scheme https is assumed
 *   prefix   a URL without query, at most RFL_SEGMENTS_MAX path segments
 *   host     a host or a URL of its root
 *   domain   likewise, a name (no address), at most RFL_LABELS_MAX labels
 *   regex    a host, then a pattern, see rfl_identity_pattern(); here only
 *            its length is judged.  id->source is "example,blog)" and the
 *            pattern
 *   tag      none: id->source is empty; the link has a tag
 *
 * A target is a path ("/pricing?plan=1") or a URL.  The tag arguments of a
 * target stay in it: which argument names carry tags is configuration.
 * A tag is compared by its bytes; it is a part of the key for match type tag
 * alone.  RFL_INVALID names the field, the text and the fault.
 *
 * Sets id->key; does not touch link.
 */

rfl_rc_t rfl_identity(const rfl_link_t *link, rfl_identity_t *id,
    rfl_error_t *err);


/*
 * What lists of links have in the place of a URL, or a hand slipped, and what
 * could be read as a page, but one that nobody ever comes from: "N/A", "-", two
 * URLs or paths in one field, "https//blog.example/", and of exact and prefix
 * links a source that ends in "/" and its only "*".  It is asked of links that
 * are new; what is stored is as it is.  RFL_INVALID names the field, the text
 * and the fault.
 */

rfl_rc_t rfl_identity_slip(const rfl_link_t *link, rfl_error_t *err);


/*
 * What rfl_identity() says of a host alone, as it is written or as it is shown:
 * of an app also "android-app:NAME", which is no URL.
 */

rfl_rc_t rfl_identity_shown(rfl_str_t text, rfl_identity_t *id,
    rfl_error_t *err);


/*
 * The pattern in a regex link's source: all from the first "/" behind the
 * host on, that "/" included.  It is searched for in the full Referer, so
 *
 *     blog.example/20\d\d/        or https://blog.example/20\d\d/
 *
 * finds https://blog.example/2024/launch.  Empty: the source has none.
 */

rfl_str_t rfl_identity_pattern(rfl_str_t source);


/*
 * What people write for a URL.  scheme: the length of "SCHEME://", or 0; a
 * "://" behind the first "/", "?" or "#" is part of a path or query, as in
 * "blog.example/go?to=https://shop.example".  host: that of
 * "user:pw@host:port/path", by rfl_url_parse()'s rules, a slice of text.
 */

size_t rfl_identity_scheme(rfl_str_t value);
rfl_str_t rfl_identity_host(rfl_str_t text);


/*
 * The match type people mean when they name none: "host" for a bare host
 * without scheme and path ("news.example"), "tag" for a tag without a source,
 * else "exact".
 */

rfl_match_type_t rfl_identity_guess(rfl_str_t source, rfl_str_t tag);


#endif /* RFL_IDENTITY_H */
