/*
 * What a request was: a click, a broken landing, an image, a robot.  Pure: all
 * it needs is in the input struct, which the glue fills from the headers.
 *
 * Sources: Fetch Metadata (W3C: Sec-Fetch-Dest), RFC 9110 (Accept, Range,
 * Upgrade, status codes), RFC 9111 (Cache-Control), the Sec-Purpose header of
 * the Fetch standard and its forerunners Purpose, X-Purpose and X-Moz.
 */

#ifndef RFL_CLASS_H
#define RFL_CLASS_H

#include "rfl_terms.h"


/* A header that is absent is an empty slice. */

typedef struct {
    rfl_str_t  method;           /* "GET" */
    rfl_str_t  sec_purpose;
    rfl_str_t  purpose;
    rfl_str_t  x_purpose;
    rfl_str_t  x_moz;
    rfl_str_t  sec_fetch_dest;
    rfl_str_t  accept;
    rfl_str_t  cache_control;
    rfl_str_t  range;
    unsigned   status;           /* of the response; 0: none was sent */
    unsigned   has_upgrade:1;    /* an Upgrade header is there */
    unsigned   is_bot:1;         /* referral_bot's verdict */
    unsigned   follow_up_matches:1;
                                 /* a 3xx whose Location is ours, where the
                                    same Referer will match (or be ambiguous)
                                    again: rfl_follow_up() */
} rfl_class_input_t;


/* Whether requests of this outcome have a class at all. */

static inline int
rfl_outcome_has_class(rfl_outcome_t outcome)
{
    return outcome != RFL_OUTCOME_INTERNAL && outcome != RFL_OUTCOME_MALFORMED
           && outcome != RFL_OUTCOME_SKIPPED;
}


/*
 * The table of the design, the first row that holds wins:
 *
 *   prefetch   a purpose header says prefetch, prerender or preview
 *   bot        is_bot
 *   other      not GET; status 0, 101, 408, 444, 499; an Upgrade header;
 *              Sec-Fetch-Dest empty, websocket or report; a Range not from 0
 *   embed      another Sec-Fetch-Dest than document, or without it an Accept
 *              that names no text/html (no Accept at all is no embed)
 *   reload     Cache-Control has the directive max-age=0 or no-cache
 *   redirect   3xx but 304, and follow_up_matches
 *   error      status >= 400
 *   click      the rest
 *
 * why (may be NULL) is set to a static text that names the row's reason.
 */

rfl_class_t rfl_classify(const rfl_class_input_t *in, const char **why);


#endif /* RFL_CLASS_H */
