/*
 * The decision: which link, if any, brought this request.  One function over
 * one input struct; nginx, "referralctl match" and the tests all call it.
 *
 * The answer depends on the request, the registry and the directives alone.
 */

#ifndef RFL_ATTRIBUTION_H
#define RFL_ATTRIBUTION_H

#include "rfl_referrer.h"
#include "rfl_registry.h"


typedef struct {
    rfl_str_t               referer;     /* empty: none */
    rfl_str_t               landing;     /* request target, as sent */
    rfl_str_t               host;        /* the site's host */
    const rfl_own_hosts_t  *own_hosts;   /* or NULL */
    const rfl_names_t      *tag_names;   /* or NULL */
} rfl_request_t;


typedef struct {
    rfl_outcome_t   outcome;
    rfl_evidence_t  evidence;            /* MATCHED only, else NONE */
    uint32_t        id;                  /* MATCHED: link, AMBIGUOUS: group */
    unsigned        other_landing:1;     /* evidence exact or prefix, and the
                                            landing is not the link's target */
    unsigned        lookup_failed:1;     /* UNREGISTERED for lack of data */
} rfl_attribution_t;


/*
 * Called for each step of a decision that is to be explained.  text is
 * terminated by a zero.  NULL where nobody wants to know: it costs nothing.
 */

typedef struct {
    void  (*step)(void *data, const char *text);
    void   *data;
} rfl_trace_t;


/*
 * registry NULL: it is not available, lookup_failed is set.  The function
 * begins and ends its own read transaction.  It allocates nothing.
 */

void rfl_attribute(rfl_registry_t *registry, const rfl_request_t *request,
    rfl_attribution_t *attribution, const rfl_trace_t *trace);


#endif /* RFL_ATTRIBUTION_H */
