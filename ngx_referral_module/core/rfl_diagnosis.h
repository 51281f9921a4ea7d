/*
 * What is wrong with the requests themselves: no Referer ever arrives, the
 * host is none that a link's target names, a cache in front answers instead
 * of us.  The keeper looks once a second; a verdict takes 1,000 page requests,
 * and lasts until the next 1,000 say otherwise.
 *
 * A page request is a request of class "click", whatever its outcome.
 * Internal requests have no class, and many of them are no pages: they count
 * for "a Referer arrives" alone.
 *
 * A verdict is given on what is known.  Where the links' targets are not known
 * (the registry is not to be had, or has not been read through yet) the one
 * about hosts stays as it is.
 */

#ifndef RFL_DIAGNOSIS_H
#define RFL_DIAGNOSIS_H

#include "rfl_counters.h"
#include "rfl_registry.h"


#define RFL_DIAGNOSIS_PAGES   1000

/* Hosts of targets that are compared; with more there is no verdict. */
#define RFL_DIAGNOSIS_HOSTS   64

/*
 * Ids looked at in a turn of the keeper, when the registry has changed, and
 * turns between the beginnings of two such looks.
 */

#define RFL_DIAGNOSIS_LINKS   5000
#define RFL_DIAGNOSIS_REST    60

/*
 * Of so many page requests one may have come past the cache: a health check,
 * somebody who tries the origin.
 */

#define RFL_DIAGNOSIS_STRAY   100


/* Bits of the counter file's header->diagnosis. */

#define RFL_DIAGNOSIS_NO_REFERER   0x1
#define RFL_DIAGNOSIS_OTHER_HOST   0x2
#define RFL_DIAGNOSIS_EDGE_CACHE   0x4
#define RFL_DIAGNOSIS_BITS         3

/* One sentence for people, by bit number; what to do, and where it stands. */

extern const char *const  rfl_diagnosis_texts[RFL_DIAGNOSIS_BITS];

/* And one word for programs. */

extern const rfl_str_t  rfl_diagnosis_names[RFL_DIAGNOSIS_BITS];


typedef struct rfl_diagnosis_s  rfl_diagnosis_t;

rfl_diagnosis_t *rfl_diagnosis_create(void);         /* NULL: no memory */
void rfl_diagnosis_free(rfl_diagnosis_t *d);         /* NULL is allowed */

/*
 * One turn, in the keeper's thread: reads links in a transaction of its own,
 * writes header->diagnosis.  registry may be NULL.
 */

void rfl_diagnosis_turn(rfl_diagnosis_t *d, rfl_registry_t *registry,
    rfl_counters_t *counters);


/*
 * The shared cache a request came through: Via (RFC 9110, 7.6.3) or CDN-Loop
 * (RFC 8586) says so, X-Varnish, which Varnish sends in place of Via, or
 * CloudFront's User-Agent.  Varnish passes what has a cookie, unless it was
 * told to drop that (its builtin.vcl): such a request fills nothing.
 */

typedef enum {
    RFL_EDGE_NONE = 0,
    RFL_EDGE_CACHE,
    RFL_EDGE_CLOUDFLARE
} rfl_edge_t;

typedef struct {
    rfl_str_t  via;
    rfl_str_t  cdn_loop;
    rfl_str_t  x_varnish;
    rfl_str_t  user_agent;
    rfl_str_t  cookie;
} rfl_edge_request_t;                    /* empty: there is no such field */

rfl_edge_t rfl_edge_named(const rfl_edge_request_t *request);

/* The same where the first three are not there. */

static inline rfl_edge_t
rfl_edge_unnamed(rfl_str_t user_agent)
{
    static const rfl_str_t  cloudfront = rfl_string("Amazon CloudFront");

    return rfl_str_eq(user_agent, cloudfront) ? RFL_EDGE_CACHE
                                              : RFL_EDGE_NONE;
}


static inline rfl_edge_t
rfl_edge(const rfl_edge_request_t *request)
{
    if ((request->via.len | request->cdn_loop.len | request->x_varnish.len)
        != 0)
    {
        return rfl_edge_named(request);
    }

    return rfl_edge_unnamed(request->user_agent);
}


/*
 * What a response tells shared caches.  Begin with zeroes, add each of its
 * header fields (those that say nothing here are ignored), then ask.
 */

typedef struct {
    unsigned  seen:1;                    /* there was such a field */
    unsigned  never:1;                   /* private, no-store, or no-cache:
                                            then it asks us each time */
    unsigned  is_public:1;
    unsigned  has_max_age:1;
    unsigned  max_age:1;                 /* more than 0 */
    unsigned  has_s_maxage:1;
    unsigned  s_maxage:1;                /* more than 0 */
} rfl_cache_control_t;

typedef struct {
    rfl_cache_control_t  general;        /* Cache-Control */
    rfl_cache_control_t  targeted;       /* CDN-Cache-Control (RFC 9213),
                                            Surrogate-Control */
    rfl_str_t            expires;        /* empty: none */
    unsigned             sets_cookie:1;
} rfl_edge_answer_t;

void rfl_edge_field(rfl_edge_answer_t *answer, rfl_str_t name,
    rfl_str_t value);

/*
 * Whether the cache may answer others with it without asking us (RFC 9111,
 * 4.2.1).  expires: seconds, 0 for what is no date.  Without any word of the
 * response it may, by a default of its own; that is not judged.
 *
 * Cloudflare keeps no HTML unless a rule says so, and then mostly with an age
 * meant for caches: a max-age for browsers alone tells nothing there.
 */

int rfl_edge_may_keep(rfl_edge_t edge, const rfl_edge_answer_t *answer,
    uint64_t expires, uint64_t now);


#endif /* RFL_DIAGNOSIS_H */
