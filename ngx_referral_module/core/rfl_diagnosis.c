/*
 * See rfl_diagnosis.h.
 *
 * The keeper compares the zone-wide counters with what they were when the
 * window began; workers only add.  A number that was read a moment before
 * another may lack a request that is being counted: differences are signed,
 * and a window that a Referer in flight has spoiled is followed by another.
 *
 * The hosts of the targets are read from the registry in turns, each with a
 * read transaction of its own, because a reader that stays makes the file
 * grow.  What changes meanwhile is seen by the look that follows.
 */

#include "rfl_diagnosis.h"

#include <stdlib.h>


#define RFL_DIAGNOSIS_NAME  sizeof(((rfl_counters_host_t *) 0)->name)


typedef struct {
    size_t  len;
    u_char  name[RFL_DIAGNOSIS_NAME];    /* SURT */
} rfl_target_host_t;


typedef struct {
    size_t             n;
    unsigned           open:1;           /* any host may be right, or there
                                            are too many to tell */
    rfl_target_host_t  hosts[RFL_DIAGNOSIS_HOSTS];
} rfl_targets_t;


struct rfl_diagnosis_s {
    uint64_t         file_id;            /* of the window's counter file */
    unsigned         begun:1;
    unsigned         known:1;            /* targets were read through */
    rfl_zone_t       base;               /* when the window began */

    rfl_registry_t  *registry;
    uint64_t         txn_id;             /* when the look began */
    uint32_t         next_id;            /* where it goes on; 0: it is over */
    unsigned         rest;               /* turns until another may begin */
    rfl_targets_t    targets;
    rfl_targets_t    reading;
    rfl_identity_t   identity;           /* scratch: too large for a stack */
};


typedef enum {
    RFL_HOSTS_UNKNOWN = 0,
    RFL_HOSTS_FINE,
    RFL_HOSTS_OTHER
} rfl_hosts_verdict_t;


static void rfl_diagnosis_look(rfl_diagnosis_t *d, rfl_registry_t *registry);
static rfl_rc_t rfl_diagnosis_begin(rfl_diagnosis_t *d);
static rfl_rc_t rfl_diagnosis_read(rfl_diagnosis_t *d);
static void rfl_diagnosis_target(rfl_diagnosis_t *d, const rfl_link_t *link);
static void rfl_targets_add(rfl_targets_t *targets, rfl_str_t host);
static int rfl_targets_have(const rfl_targets_t *targets, rfl_str_t host);

static void rfl_diagnosis_window(rfl_diagnosis_t *d, rfl_counters_t *c);
static void rfl_diagnosis_next_window(rfl_diagnosis_t *d, rfl_counters_t *c,
    const rfl_zone_t *zone);
static uint32_t rfl_diagnosis_judge(rfl_diagnosis_t *d, rfl_counters_t *c,
    const rfl_zone_t *zone, int64_t pages);
static int64_t rfl_diagnosis_grown(const rfl_diagnosis_t *d,
    const rfl_zone_t *zone, unsigned field);
static int64_t rfl_diagnosis_pages(const rfl_diagnosis_t *d,
    const rfl_zone_t *zone);
static int64_t rfl_diagnosis_referers(const rfl_diagnosis_t *d,
    const rfl_zone_t *zone);
static rfl_hosts_verdict_t rfl_diagnosis_hosts(const rfl_diagnosis_t *d,
    rfl_counters_t *c);

static int rfl_edge_names(rfl_str_t field, rfl_str_t name);
static void rfl_cache_control(rfl_cache_control_t *cc, rfl_str_t line);
static void rfl_cache_directive(rfl_cache_control_t *cc, rfl_str_t text);


const char *const  rfl_diagnosis_texts[RFL_DIAGNOSIS_BITS] = {

    "no Referer arrives: of the last 1,000 page requests none had one, so "
    "links without a tag cannot be counted; let the CDN or proxy in front "
    "forward Referer and Sec-Fetch-*, and see that the site's own pages send "
    "one; see docs/cdn.md",

    "the host of the requests is never a target's host: links whose target "
    "names a host cannot match; let the CDN or proxy in front forward Host, "
    "or name the site's host with referral_host, or register targets as "
    "paths; see docs/cdn.md",

    "only requests that fill a cache arrive: they came through a shared cache "
    "that may keep the answers, and visits it answers by itself are not "
    "counted; send pages with \"Cache-Control: private\", or let the CDN pass "
    "them; see docs/cdn.md"
};

const rfl_str_t  rfl_diagnosis_names[RFL_DIAGNOSIS_BITS] = {
    rfl_string("no_referer"),
    rfl_string("other_host"),
    rfl_string("edge_cache")
};

_Static_assert(RFL_DIAGNOSIS_NO_REFERER == 1 << 0
               && RFL_DIAGNOSIS_OTHER_HOST == 1 << 1
               && RFL_DIAGNOSIS_EDGE_CACHE == 1 << 2
               && RFL_DIAGNOSIS_PAGES == 1000,
               "the texts are in the order of the bits, and say 1,000");


rfl_diagnosis_t *
rfl_diagnosis_create(void)
{
    return calloc(1, sizeof(rfl_diagnosis_t));
}


void
rfl_diagnosis_free(rfl_diagnosis_t *d)
{
    free(d);
}


void
rfl_diagnosis_turn(rfl_diagnosis_t *d, rfl_registry_t *registry,
    rfl_counters_t *counters)
{
    rfl_diagnosis_look(d, registry);

    if (counters != NULL) {
        rfl_diagnosis_window(d, counters);
    }
}


/* A part of the look at the targets, if one is due. */

static void
rfl_diagnosis_look(rfl_diagnosis_t *d, rfl_registry_t *registry)
{
    rfl_rc_t  rc;

    if (registry != d->registry) {
        d->registry = registry;
        d->known = 0;
        d->next_id = 0;
        d->rest = 0;
    }

    if (d->rest > 0) {
        d->rest--;
    }

    if (registry == NULL || (d->next_id == 0 && d->rest > 0)) {
        return;
    }

    if (rfl_registry_begin(registry, 0, NULL) != RFL_OK) {
        return;
    }

    rc = rfl_diagnosis_begin(d);

    if (rc == RFL_OK) {
        rc = rfl_diagnosis_read(d);
    }

    rfl_registry_end(registry);

    /* what cannot be read is not known; it is tried again after the rest */

    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        d->known = 0;
        d->next_id = 0;
    }
}


/* RFL_NOT_FOUND: nothing has changed. */

static rfl_rc_t
rfl_diagnosis_begin(rfl_diagnosis_t *d)
{
    uint64_t  txn_id;

    if (d->next_id != 0) {
        return RFL_OK;
    }

    txn_id = rfl_store_txn_id(rfl_registry_store(d->registry));

    if (d->known && txn_id == d->txn_id) {
        return RFL_NOT_FOUND;
    }

    d->txn_id = txn_id;
    d->next_id = 1;
    d->rest = RFL_DIAGNOSIS_REST;

    d->reading.n = 0;
    d->reading.open = 0;

    return RFL_OK;
}


static rfl_rc_t
rfl_diagnosis_read(rfl_diagnosis_t *d)
{
    rfl_rc_t             rc;
    uint32_t             id, end;
    rfl_link_t           link;
    rfl_registry_meta_t  meta;

    rc = rfl_registry_meta(d->registry, &meta);
    if (rc != RFL_OK) {
        return rc == RFL_NOT_FOUND ? RFL_DAMAGED : rc;
    }

    id = d->next_id;
    end = id < meta.next_id && meta.next_id - id > RFL_DIAGNOSIS_LINKS
          ? id + RFL_DIAGNOSIS_LINKS : meta.next_id;

    for ( /* void */ ; id < end && !d->reading.open; id++) {

        rc = rfl_registry_link(d->registry, id, &link);

        if (rc == RFL_OK) {
            rfl_diagnosis_target(d, &link);

        } else if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    d->next_id = id;

    if (id >= meta.next_id || d->reading.open) {
        d->targets = d->reading;
        d->known = 1;
        d->next_id = 0;
    }

    return RFL_OK;
}


static void
rfl_diagnosis_target(rfl_diagnosis_t *d, const rfl_link_t *link)
{
    rfl_str_t      target;
    const u_char  *end;

    if (link->target.len == 0) {
        return;
    }

    if (rfl_identity(link, &d->identity, NULL) != RFL_OK) {
        d->reading.open = 1;
        return;
    }

    if (!d->identity.target_has_host) {
        d->reading.open = 1;
        return;
    }

    target = rfl_str(d->identity.target, d->identity.target_len);
    end = memchr(target.data, ')', target.len);

    rfl_targets_add(&d->reading, rfl_str(target.data, end - target.data));
}


/* A host that the sample has no room for may be one that is asked for. */

static void
rfl_targets_add(rfl_targets_t *targets, rfl_str_t host)
{
    rfl_target_host_t  *h;

    if (rfl_targets_have(targets, host)) {
        return;
    }

    if (host.len > RFL_DIAGNOSIS_NAME || targets->n == RFL_DIAGNOSIS_HOSTS) {
        targets->open = 1;
        return;
    }

    h = &targets->hosts[targets->n++];
    h->len = host.len;
    memcpy(h->name, host.data, host.len);
}


static int
rfl_targets_have(const rfl_targets_t *targets, rfl_str_t host)
{
    size_t  i;

    for (i = 0; i < targets->n; i++) {
        if (rfl_str_eq(host, rfl_str(targets->hosts[i].name,
                                     targets->hosts[i].len)))
        {
            return 1;
        }
    }

    return 0;
}


static void
rfl_diagnosis_window(rfl_diagnosis_t *d, rfl_counters_t *c)
{
    int64_t     pages;
    uint32_t    bits;
    rfl_zone_t  zone;

    rfl_counters_read_zone(c, &zone);

    if (!d->begun || d->file_id != c->header->file_id) {
        d->begun = 1;
        d->file_id = c->header->file_id;
        rfl_diagnosis_next_window(d, c, &zone);
        return;
    }

    pages = rfl_diagnosis_pages(d, &zone);

    if (pages < RFL_DIAGNOSIS_PAGES) {
        return;
    }

    bits = rfl_diagnosis_judge(d, c, &zone, pages);
    __atomic_store_n(&c->header->diagnosis, bits, __ATOMIC_RELAXED);

    rfl_diagnosis_next_window(d, c, &zone);
}


static void
rfl_diagnosis_next_window(rfl_diagnosis_t *d, rfl_counters_t *c,
    const rfl_zone_t *zone)
{
    d->base = *zone;
    rfl_counters_forget_hosts(c);
}


static uint32_t
rfl_diagnosis_judge(rfl_diagnosis_t *d, rfl_counters_t *c,
    const rfl_zone_t *zone, int64_t pages)
{
    int64_t   edge;
    uint32_t  bits;

    bits = 0;

    if (rfl_diagnosis_referers(d, zone) <= 0) {
        bits |= RFL_DIAGNOSIS_NO_REFERER;
    }

    edge = rfl_diagnosis_grown(d, zone, RFL_ZONE_EDGE_CLICKS);

    if (pages - edge <= pages / RFL_DIAGNOSIS_STRAY) {
        bits |= RFL_DIAGNOSIS_EDGE_CACHE;
    }

    switch (rfl_diagnosis_hosts(d, c)) {

    case RFL_HOSTS_OTHER:
        bits |= RFL_DIAGNOSIS_OTHER_HOST;
        break;

    case RFL_HOSTS_UNKNOWN:
        bits |= __atomic_load_n(&c->header->diagnosis, __ATOMIC_RELAXED)
                & RFL_DIAGNOSIS_OTHER_HOST;
        break;

    default: /* RFL_HOSTS_FINE */
        break;
    }

    return bits;
}


static int64_t
rfl_diagnosis_grown(const rfl_diagnosis_t *d, const rfl_zone_t *zone,
    unsigned field)
{
    return (int64_t) (zone->n[field] - d->base.n[field]);
}


static int64_t
rfl_diagnosis_pages(const rfl_diagnosis_t *d, const rfl_zone_t *zone)
{
    int64_t   pages;
    unsigned  i;

    for (i = 0, pages = 0; i < RFL_OUTCOMES; i++) {
        pages += rfl_diagnosis_grown(d, zone, RFL_ZONE_CLICKS + i);
    }

    return pages;
}


/*
 * Requests of any class that must have had a Referer: what a tag matched may
 * have had none.
 */

static int64_t
rfl_diagnosis_referers(const rfl_diagnosis_t *d, const rfl_zone_t *zone)
{
    size_t   i;
    int64_t  referers;

    static const unsigned  with[] = {
        RFL_ZONE_OUTCOMES + RFL_OUTCOME_INTERNAL,
        RFL_ZONE_OUTCOMES + RFL_OUTCOME_MALFORMED,
        RFL_ZONE_OUTCOMES + RFL_OUTCOME_MATCHED,
        RFL_ZONE_OUTCOMES + RFL_OUTCOME_AMBIGUOUS,
        RFL_ZONE_OUTCOMES + RFL_OUTCOME_UNREGISTERED
    };

    referers = 0;

    for (i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
        referers += rfl_diagnosis_grown(d, zone, with[i]);
    }

    referers -= rfl_diagnosis_grown(d, zone, RFL_ZONE_INTERNAL_BARE);
    referers -= rfl_diagnosis_grown(d, zone,
                                    RFL_ZONE_EVIDENCE + RFL_EVIDENCE_TAG);

    return referers;
}


/*
 * When the sample is full, hosts may be missing in it: then there is nothing
 * to complain of.
 */

static rfl_hosts_verdict_t
rfl_diagnosis_hosts(const rfl_diagnosis_t *d, rfl_counters_t *c)
{
    size_t               i, noted;
    rfl_counters_host_t  h;

    if (!d->known) {
        return RFL_HOSTS_UNKNOWN;
    }

    if (d->targets.open || d->targets.n == 0) {
        return RFL_HOSTS_FINE;
    }

    for (i = 0, noted = 0; i < RFL_COUNTERS_HOSTS; i++) {
        if (__atomic_load_n(&c->hosts[i].state, __ATOMIC_ACQUIRE) != 2) {
            continue;
        }

        rfl_counters_read_host(&c->hosts[i], &h);

        if (h.len > RFL_DIAGNOSIS_NAME) {
            continue;
        }

        if (rfl_targets_have(&d->targets, rfl_str(h.name, h.len))) {
            return RFL_HOSTS_FINE;
        }

        noted++;
    }

    if (noted == 0) {
        return RFL_HOSTS_UNKNOWN;
    }

    return noted < RFL_COUNTERS_HOSTS ? RFL_HOSTS_OTHER : RFL_HOSTS_FINE;
}


/* One of the first three fields is there. */

rfl_edge_t
rfl_edge_named(const rfl_edge_request_t *request)
{
    static const rfl_str_t  cloudflare = rfl_string("cloudflare");
    static const rfl_str_t  varnish = rfl_string("varnish");

    if (request->cdn_loop.len != 0) {
        return rfl_edge_names(request->cdn_loop, cloudflare)
               ? RFL_EDGE_CLOUDFLARE : RFL_EDGE_CACHE;
    }

    if (request->x_varnish.len != 0 || rfl_edge_names(request->via, varnish)) {
        return request->cookie.len != 0 ? RFL_EDGE_NONE : RFL_EDGE_CACHE;
    }

    return RFL_EDGE_CACHE;
}


/* As in "cloudflare; loops=1", perhaps one of several. */

static int
rfl_edge_names(rfl_str_t field, rfl_str_t name)
{
    size_t  i;

    for (i = 0; i + name.len <= field.len; i++) {
        if (rfl_str_caseeq(rfl_str(field.data + i, name.len), name)) {
            return 1;
        }
    }

    return 0;
}


/* Most fields of a response are told apart by their lengths. */

void
rfl_edge_field(rfl_edge_answer_t *answer, rfl_str_t name, rfl_str_t value)
{
    static const rfl_str_t  cache_control = rfl_string("Cache-Control");
    static const rfl_str_t  cdn = rfl_string("CDN-Cache-Control");
    static const rfl_str_t  surrogate = rfl_string("Surrogate-Control");
    static const rfl_str_t  expires = rfl_string("Expires");
    static const rfl_str_t  set_cookie = rfl_string("Set-Cookie");

    if (rfl_str_caseeq(name, cache_control)) {
        rfl_cache_control(&answer->general, value);

    } else if (rfl_str_caseeq(name, cdn) || rfl_str_caseeq(name, surrogate)) {
        rfl_cache_control(&answer->targeted, value);

    } else if (rfl_str_caseeq(name, expires)) {
        answer->expires = value;

    } else if (rfl_str_caseeq(name, set_cookie)) {
        answer->sets_cookie = 1;
    }
}


/* A comma in a quoted string makes two directives of one, both unknown. */

static void
rfl_cache_control(rfl_cache_control_t *cc, rfl_str_t line)
{
    cc->seen = 1;

    while (line.len > 0) {
        rfl_cache_directive(cc, rfl_str_trim(rfl_str_item(&line)));
    }
}


static void
rfl_cache_directive(rfl_cache_control_t *cc, rfl_str_t text)
{
    int        positive;
    size_t     i;
    rfl_str_t  name;

    static const rfl_str_t  is_public = rfl_string("public");
    static const rfl_str_t  max_age = rfl_string("max-age");
    static const rfl_str_t  s_maxage = rfl_string("s-maxage");
    static const rfl_str_t  never[] = {
        rfl_string("private"), rfl_string("no-store"), rfl_string("no-cache")
    };

    for (i = 0; i < text.len && text.data[i] != '='; i++) { /* void */ }

    name = rfl_str_trim(rfl_str(text.data, i));

    for (positive = 0; i < text.len; i++) {
        if (text.data[i] >= '1' && text.data[i] <= '9') {
            positive = 1;
        }
    }

    if (rfl_str_caseeq(name, s_maxage)) {
        cc->has_s_maxage = 1;
        cc->s_maxage = positive;

    } else if (rfl_str_caseeq(name, max_age)) {
        cc->has_max_age = 1;
        cc->max_age = positive;

    } else if (rfl_str_caseeq(name, is_public)) {
        cc->is_public = 1;
    }

    for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        if (rfl_str_caseeq(name, never[i])) {
            cc->never = 1;
        }
    }
}


/*
 * A cookie: only CloudFront among the known ones keeps such an answer unless it
 * is told to.
 */

int
rfl_edge_may_keep(rfl_edge_t edge, const rfl_edge_answer_t *answer,
    uint64_t expires, uint64_t now)
{
    const rfl_cache_control_t  *cc;

    if (edge == RFL_EDGE_NONE || answer->sets_cookie) {
        return 0;
    }

    cc = answer->targeted.seen ? &answer->targeted : &answer->general;

    if (cc->never) {
        return 0;
    }

    if (cc->has_s_maxage) {
        return cc->s_maxage;
    }

    if (edge == RFL_EDGE_CLOUDFLARE && !answer->targeted.seen) {
        return 0;
    }

    if (cc->has_max_age) {
        return cc->max_age;
    }

    if (!answer->targeted.seen && answer->expires.len != 0) {
        return expires > now;
    }

    return cc->is_public;
}
