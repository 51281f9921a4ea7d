/*
 * The last stage of a request: one decision becomes a few atomic adds, and an
 * event.
 */

#ifndef RFL_RECORD_H
#define RFL_RECORD_H

#include "rfl_attribution.h"
#include "rfl_class.h"
#include "rfl_ring.h"


typedef struct {
    rfl_attribution_t  attribution;
    rfl_class_t        class;            /* NONE where the outcome has none */
    unsigned           status;
    uint64_t           bytes;            /* sent to the client */
    uint64_t           now;              /* seconds */
    rfl_str_t          host;             /* the site's, as the request says
                                            it; of clicks; may be empty */
    uint8_t            bare;             /* there was no Referer */
    uint8_t            edge;             /* through a shared cache that may
                                            keep the answer; of clicks */

    /* for the event: read where the outcome has a class, and there alone */

    unsigned           ring;             /* this process's number */
    uint64_t           now_ms;           /* milliseconds */
} rfl_record_t;


/*
 * zone: this process's stripe.  counters may be NULL (there is no counter
 * file yet): then a link's or group's share counts as overflow in zone.
 *
 * Requests whose outcome has a class leave an event: its source is the
 * attribution's in lower case, with "android-app:" before an app's name; its
 * landing is the path.
 *
 * Of the clicks' hosts it notes, for the diagnosis, the first, each that is
 * another one than the click before had, and one in RFL_COUNTERS_SAMPLE.
 */

void rfl_record(rfl_zone_t *zone, rfl_counters_t *counters,
    const rfl_record_t *record);


/*
 * The same for an internal request, which has a Referer: nothing else of it
 * is counted.
 */

static inline void
rfl_record_internal(rfl_zone_t *zone)
{
    rfl_counters_add(&zone->n[RFL_ZONE_OUTCOMES + RFL_OUTCOME_INTERNAL], 1);
}


#endif /* RFL_RECORD_H */
