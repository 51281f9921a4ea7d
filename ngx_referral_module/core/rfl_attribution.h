/*
 * The decision: which link, if any, brought this request.  One function over
 * one input struct; nginx, "referralctl match" and the tests all call it.
 *
 * The answer depends on the request, the registry and the directives alone.
 */

#ifndef RFL_ATTRIBUTION_H
#define RFL_ATTRIBUTION_H

#include "rfl_pattern.h"
#include "rfl_recent.h"
#include "rfl_referrer.h"
#include "rfl_registry.h"


/* Of a landing's query, so many arguments that may carry a tag are tried. */

#define RFL_TAGS_TRIED   16

/* A redirect's relative Location and the path it is relative to. */

#define RFL_FOLLOW_MAX   (4 * RFL_URL_MAX)


typedef struct {
    rfl_str_t               referer;     /* empty: none */
    rfl_str_t               sec_fetch_site;      /* as rfl_class_site() says;
                                                    empty: none */
    rfl_str_t               landing;     /* request target, as sent */
    rfl_str_t               host;        /* the site's host */
    const rfl_own_hosts_t  *own_hosts;   /* or NULL */
    const rfl_names_t      *tag_names;   /* or NULL */
    rfl_patterns_t         *patterns;    /* of this registry; NULL: a pattern
                                            is compiled each time */
    rfl_recent_t           *recent;      /* of this registry; NULL: nothing is
                                            kept.  own_hosts' and tag_names'
                                            tables stay where and as they
                                            are */
    rfl_recent_place_t      place;       /* rfl_attribute_soon() fills it */
    unsigned                has_place;   /* 0: all is looked up */
    unsigned                is_foreign;          /* rfl_referrer_is_site() was
                                                    asked and said 0 */
} rfl_request_t;


typedef struct {
    rfl_outcome_t   outcome;
    rfl_evidence_t  evidence;            /* MATCHED only, else NONE */
    uint32_t        id;                  /* MATCHED: link, AMBIGUOUS: group */
    uint8_t         other_landing;       /* evidence exact, regex or prefix,
                                            and the landing is not the link's
                                            target */
    uint8_t         lookup_failed;       /* not MATCHED for lack of data */
    uint8_t         regex_limit;         /* a pattern gave up: a miss to be
                                            counted */
    uint8_t         is_app;              /* source is an android-app's name */
    rfl_str_t       source;              /* the host in the Referer, a slice of
                                            it, as hosts are compared but for
                                            case; empty: none.  Like is_app and
                                            path not set where there is no
                                            class */
    rfl_str_t       path;                /* the landing's, without a query */
} rfl_attribution_t;


/* What no name of a query argument with a tag has, as a text says it. */

#define RFL_TAG_NAME_NOT  "& = # % + ? , or white space"


/*
 * Whether a query argument with a tag can be called so: 1 to RFL_TAG_MAX bytes,
 * none of them RFL_TAG_NAME_NOT, and not "off", which stands for no name.
 */

int rfl_tag_name_is_valid(rfl_str_t name);


/*
 * Called for each step of a decision that is to be explained.  text is
 * terminated by a zero.  NULL where nobody wants to know: it costs nothing.
 */

typedef struct {
    void  (*step)(void *data, const char *text);
    void   *data;
} rfl_trace_t;


/*
 * registry NULL: it is not available, lookup_failed is set where it was
 * needed.  What was decided lately is not decided again if the request has a
 * place, unless a trace is asked for.  The function begins and ends its own
 * read transaction.  It allocates nothing but to compile a pattern that is not
 * in the cache.
 */

void rfl_attribute(rfl_registry_t *registry, const rfl_request_t *request,
    rfl_attribution_t *attribution, const rfl_trace_t *trace);


/*
 * Gives the request its place among what was decided lately, which changes no
 * answer.  That place is then on its way from memory: best is some other work
 * between this and rfl_attribute() with the same request.
 */

void rfl_attribute_soon(rfl_request_t *request);


/*
 * The same as rfl_attribute() for a request without a Referer whose landing is
 * a path alone, hence has no tag: nothing has to be looked up.
 */

void rfl_attribute_bare(rfl_str_t sec_fetch_site, rfl_str_t path,
    rfl_attribution_t *attribution);


/*
 * Whether a redirect's follow-up will be counted here: the response's Location
 * leads to the request's host or to one of server_names (NULL: none), ports
 * aside, and the request that follows, with the same Fetch Metadata and what
 * the response leaves of the Referer (rfl_referrer_after()), will match a link
 * or be ambiguous.
 *
 * location: absolute, "//host/path", or relative to the landing (RFC 3986,
 * 5.2); percent-encoded or not.  A relative one that gets longer than
 * RFL_FOLLOW_MAX with the landing's path leads nowhere.
 */

int rfl_follow_up(rfl_registry_t *registry, const rfl_request_t *request,
    rfl_str_t location, const rfl_own_hosts_t *server_names);


#endif /* RFL_ATTRIBUTION_H */
