/*
 * What a request was: a click, a broken landing, an image, a robot.  Pure: all
 * it needs is in the input struct, which the glue fills from the headers.
 *
 * Sources: Fetch Metadata (W3C: Sec-Fetch-Dest, -Mode, -Site), RFC 9110
 * (Accept, Range, Upgrade, status codes), RFC 9111 (Cache-Control), the
 * Sec-Purpose header of the Fetch standard and its forerunners Purpose,
 * X-Purpose and X-Moz.
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
    rfl_str_t  sec_fetch_mode;   /* may be left out: rfl_class_needs_mode() */
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
 *              Sec-Fetch-Dest empty (but not a service worker's page),
 *              websocket or report; a Range not from 0
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


/*
 * Whether the site's own service worker asks for the page the visitor wants,
 * by fetch(event.request).  The request it hands on is new (Fetch standard,
 * 5.4, Request's constructor): it has no destination any more, but still the
 * mode "navigate", by which no script can ask, and the visitor's Referer.
 */

int rfl_class_is_handed_on(rfl_str_t sec_fetch_dest, rfl_str_t sec_fetch_mode);


/*
 * What Sec-Fetch-Site says of the visitor.  Of a page that was handed on
 * "same-origin" is the service worker, whoever led to it: empty.
 */

rfl_str_t rfl_class_site(rfl_str_t sec_fetch_site, rfl_str_t sec_fetch_dest,
    rfl_str_t sec_fetch_mode);


/*
 * Whether Sec-Fetch-Mode has to be looked for: dest may be "empty", however it
 * is written.
 */

static inline int
rfl_class_needs_mode(rfl_str_t dest)
{
    return dest.len >= 5
           && ((dest.data[0] | 0x20) == 'e' || dest.data[0] <= ' ');
}


/* As every browser writes it; another way is left to the reader of tokens. */

static inline int
rfl_class_is_document(rfl_str_t dest)
{
    return dest.len == 8 && memcmp(dest.data, "document", 8) == 0;
}


/* As all browsers write it when they navigate. */

static inline int
rfl_class_begins_with_html(rfl_str_t accept)
{
    return accept.len >= 10 && memcmp(accept.data, "text/htm", 8) == 0
           && accept.data[8] == 'l'
           && (accept.data[9] == ',' || accept.data[9] == ';');
}


/*
 * Pages that were asked for and given as nearly all are: 1 is what
 * rfl_classify() finds a click, or a bot's request if is_bot, where none of
 * its other headers is there; 0: it has to be asked.
 */

static inline int
rfl_class_is_page(rfl_str_t method, unsigned status, rfl_str_t sec_fetch_dest,
    rfl_str_t accept)
{
    return method.len == 3 && memcmp(method.data, "GET", 3) == 0
           && status >= 200 && status < 300
           && (sec_fetch_dest.len != 0
               ? rfl_class_is_document(sec_fetch_dest)
               : rfl_class_begins_with_html(accept));
}


#endif /* RFL_CLASS_H */
