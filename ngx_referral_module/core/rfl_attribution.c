/*
 * From a request to the link that brought it.
 *
 *     referrer --> page --> prefix ---------> host --> domain     full URL
 *              +--> landing on that host -----^                   origin only
 *
 * Each arrow is at most a few probes of the registry's slots; the host's own
 * entry says which of them can succeed.  A slot holds one link or a group.
 * In a group the landing decides: the link whose target it is, else the
 * one without a target, else nobody can tell and the group is the answer.
 *
 * A target may be a path, a path with a query, and either with a host.  So
 * a landing has up to six forms; the most specific one that is registered
 * wins: a query before none, a host before none.
 */

#include "rfl_attribution.h"

#include <stdarg.h>
#include <stdio.h>


#define RFL_LANDING_FORMS  6
#define RFL_STEP_TEXT      1024


/* The landing in one buffer, "host)path?query"; its forms are parts of it. */

typedef struct {
    u_char     full[RFL_HOST_MAX + 16 + RFL_SURT_MAX];
    u_char     bare[RFL_HOST_MAX + 16 + RFL_SURT_MAX];  /* without tags */
    rfl_str_t  with_host[3];     /* query, query without tags, no query */
    rfl_str_t  without_host[3];  /* an empty slice: there is no such form */
    unsigned   ready:1;
} rfl_landing_t;


typedef struct {
    rfl_registry_t       *registry;
    const rfl_request_t  *request;
    rfl_attribution_t    *attribution;
    const rfl_trace_t    *trace;
    rfl_surt_t            surt;
    rfl_landing_t         landing;
    uint32_t              host_flags;
} rfl_lookup_t;


static rfl_rc_t rfl_lookup(rfl_lookup_t *lk, int origin_only);
static rfl_rc_t rfl_lookup_page(rfl_lookup_t *lk);
static rfl_rc_t rfl_lookup_prefix(rfl_lookup_t *lk);
static size_t rfl_lookup_boundaries(const rfl_surt_t *surt, size_t *ends);
static rfl_rc_t rfl_lookup_landing(rfl_lookup_t *lk);
static rfl_rc_t rfl_lookup_domain(rfl_lookup_t *lk);
static rfl_rc_t rfl_lookup_resolve(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    rfl_evidence_t evidence, rfl_str_t text, const rfl_slot_t *slot);
static rfl_rc_t rfl_lookup_targets(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    rfl_str_t text, uint32_t flags, rfl_slot_t *slot);
static rfl_rc_t rfl_lookup_slot(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    rfl_str_t a, rfl_str_t b, rfl_slot_t *slot);
static void rfl_lookup_matched(rfl_lookup_t *lk, rfl_evidence_t evidence,
    uint32_t id);
static void rfl_lookup_ambiguous(rfl_lookup_t *lk, uint32_t id);

static void rfl_landing_init(rfl_lookup_t *lk);
static void rfl_landing_forms(rfl_landing_t *l, unsigned form, u_char *buf,
    size_t host_len, size_t len);

static void rfl_explain(const rfl_trace_t *trace, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


static const char *const  rfl_slot_texts[] = {
    "",
    "host",
    "domain",
    "page",
    "prefix",
    "links of the host with this target",
    "links of the host without a target",
    "host and target",
    "domain and target",
    "page and target",
    "prefix and target"
};


void
rfl_attribute(rfl_registry_t *registry, const rfl_request_t *request,
    rfl_attribution_t *attribution, const rfl_trace_t *trace)
{
    rfl_rc_t             rc;
    rfl_url_t            url;
    rfl_lookup_t         lk;
    rfl_referrer_kind_t  kind;

    attribution->evidence = RFL_EVIDENCE_NONE;
    attribution->id = 0;
    attribution->other_landing = 0;
    attribution->lookup_failed = 0;

    kind = rfl_referrer(request->referer, request->host, request->own_hosts,
                        &url);

    switch (kind) {

    case RFL_REFERRER_NONE:
        rfl_explain(trace, "no Referer: nothing says where it came from");
        attribution->outcome = RFL_OUTCOME_DIRECT;
        return;

    case RFL_REFERRER_MALFORMED:
        rfl_explain(trace, "the Referer is no http, https or android-app URL");
        attribution->outcome = RFL_OUTCOME_MALFORMED;
        return;

    case RFL_REFERRER_INTERNAL:
        rfl_explain(trace, "the Referer's host is an own host");
        attribution->outcome = RFL_OUTCOME_INTERNAL;
        return;

    default:
        break;
    }

    attribution->outcome = RFL_OUTCOME_UNREGISTERED;

    if (registry == NULL || rfl_registry_begin(registry, 0, NULL) != RFL_OK) {
        rfl_explain(trace, "the registry cannot be read");
        attribution->lookup_failed = 1;
        return;
    }

    lk.registry = registry;
    lk.request = request;
    lk.attribution = attribution;
    lk.trace = trace;
    lk.landing.ready = 0;

    rfl_surt(&url, &lk.surt);

    rfl_explain(trace, "the Referer is %s: %.*s",
                kind == RFL_REFERRER_ORIGIN ? "an origin only" : "a full URL",
                (int) lk.surt.len, lk.surt.buf);

    rc = rfl_lookup(&lk, kind == RFL_REFERRER_ORIGIN && !lk.surt.is_app);

    rfl_registry_end(registry);

    if (rc == RFL_NOT_FOUND) {
        rfl_explain(trace, "no registered link explains it");

    } else if (rc != RFL_OK) {
        rfl_explain(trace, "reading the registry failed");
        attribution->outcome = RFL_OUTCOME_UNREGISTERED;
        attribution->lookup_failed = 1;
    }
}


/* RFL_OK: decided.  RFL_NOT_FOUND: no link.  Else: the registry failed. */

static rfl_rc_t
rfl_lookup(rfl_lookup_t *lk, int origin_only)
{
    rfl_rc_t    rc;
    rfl_str_t   host, none;
    rfl_slot_t  slot;

    host = rfl_str(lk->surt.buf, lk->surt.host_len);
    none = rfl_str(NULL, 0);

    rc = rfl_lookup_slot(lk, RFL_SLOT_HOST, host, none, &slot);

    if (rc == RFL_NOT_FOUND) {
        return rfl_lookup_domain(lk);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    lk->host_flags = slot.host_flags;

    rc = origin_only ? rfl_lookup_landing(lk) : rfl_lookup_page(lk);
    if (rc != RFL_NOT_FOUND) {
        return rc;
    }

    if (slot.id != 0) {
        return rfl_lookup_resolve(lk, RFL_SLOT_HOST, RFL_EVIDENCE_HOST, host,
                                  &slot);
    }

    return rfl_lookup_domain(lk);
}


static rfl_rc_t
rfl_lookup_page(rfl_lookup_t *lk)
{
    rfl_rc_t    rc;
    rfl_str_t   page, none;
    rfl_slot_t  slot;

    if (lk->host_flags & RFL_HOST_PAGES) {
        page = rfl_str(lk->surt.buf, lk->surt.len);
        none = rfl_str(NULL, 0);

        rc = rfl_lookup_slot(lk, RFL_SLOT_PAGE, page, none, &slot);

        if (rc == RFL_OK) {
            return rfl_lookup_resolve(lk, RFL_SLOT_PAGE, RFL_EVIDENCE_EXACT,
                                      page, &slot);
        }

        if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    return rfl_lookup_prefix(lk);
}


static rfl_rc_t
rfl_lookup_prefix(rfl_lookup_t *lk)
{
    size_t      depth, ends[RFL_SEGMENTS_MAX + 1];
    rfl_rc_t    rc;
    rfl_str_t   prefix, none;
    rfl_slot_t  slot;

    if (lk->host_flags < RFL_HOST_DEPTH(0)) {
        return RFL_NOT_FOUND;
    }

    none = rfl_str(NULL, 0);
    depth = rfl_lookup_boundaries(&lk->surt, ends);

    for ( ;; ) {

        if (lk->host_flags & RFL_HOST_DEPTH(depth)) {
            prefix = rfl_str(lk->surt.buf, ends[depth]);

            rc = rfl_lookup_slot(lk, RFL_SLOT_PREFIX, prefix, none, &slot);

            if (rc == RFL_OK) {
                return rfl_lookup_resolve(lk, RFL_SLOT_PREFIX,
                                          RFL_EVIDENCE_PREFIX, prefix, &slot);
            }

            if (rc != RFL_NOT_FOUND) {
                return rc;
            }
        }

        if (depth == 0) {
            return RFL_NOT_FOUND;
        }

        depth--;
    }
}


/*
 * Where the prefixes of a path end in the SURT: ends[n] is behind n segments,
 * ends[0] behind the root's slash.  Returns the number of segments, at most
 * RFL_SEGMENTS_MAX: no longer prefix can be registered.
 */

static size_t
rfl_lookup_boundaries(const rfl_surt_t *surt, size_t *ends)
{
    size_t  pos, end, n;

    pos = surt->path_start + 1;
    end = surt->path_start + surt->path_len;

    ends[0] = pos;
    n = 0;

    while (pos < end && n < RFL_SEGMENTS_MAX) {

        while (pos < end && surt->buf[pos] != '/') {
            pos++;
        }

        ends[++n] = pos++;
    }

    return n;
}


/* An origin-only Referer: the page links of that host, by their target. */

static rfl_rc_t
rfl_lookup_landing(rfl_lookup_t *lk)
{
    rfl_rc_t    rc;
    rfl_str_t   host, none;
    rfl_slot_t  slot;

    host = rfl_str(lk->surt.buf, lk->surt.host_len);

    if (lk->host_flags & RFL_HOST_TARGETS) {
        rc = rfl_lookup_targets(lk, RFL_SLOT_LANDING, host, lk->host_flags,
                                &slot);
        if (rc == RFL_OK) {
            goto found;
        }

        if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    if (!(lk->host_flags & RFL_HOST_BLANKS)) {
        return RFL_NOT_FOUND;
    }

    none = rfl_str(NULL, 0);

    rc = rfl_lookup_slot(lk, RFL_SLOT_BLANK, host, none, &slot);
    if (rc != RFL_OK) {
        return rc;
    }

found:

    if (slot.is_group) {
        rfl_lookup_ambiguous(lk, slot.id);

    } else {
        rfl_lookup_matched(lk, RFL_EVIDENCE_LANDING, slot.id);
    }

    return RFL_OK;
}


/*
 * The host and the domains above it, the longest first.  In a SURT they are
 * the host's own beginnings.
 */

static rfl_rc_t
rfl_lookup_domain(rfl_lookup_t *lk)
{
    size_t               i, n, ends[RFL_LABELS_MAX];
    rfl_rc_t             rc;
    rfl_str_t            domain, none;
    rfl_slot_t           slot;
    rfl_registry_meta_t  meta;

    if (lk->surt.is_address || lk->surt.is_app) {
        return RFL_NOT_FOUND;
    }

    rc = rfl_registry_meta(lk->registry, &meta);
    if (rc != RFL_OK) {
        return rc;
    }

    if (meta.domain_links == 0) {
        return RFL_NOT_FOUND;
    }

    for (i = 0, n = 0; i <= lk->surt.host_len && n < RFL_LABELS_MAX; i++) {
        if (i == lk->surt.host_len || lk->surt.buf[i] == ',') {
            ends[n++] = i;
        }
    }

    none = rfl_str(NULL, 0);

    while (n > 0) {
        domain = rfl_str(lk->surt.buf, ends[--n]);

        rc = rfl_lookup_slot(lk, RFL_SLOT_DOMAIN, domain, none, &slot);

        if (rc == RFL_OK) {
            return rfl_lookup_resolve(lk, RFL_SLOT_DOMAIN, RFL_EVIDENCE_DOMAIN,
                                      domain, &slot);
        }

        if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    return RFL_NOT_FOUND;
}


/* A slot was found by its source; its links may differ in their target. */

static rfl_rc_t
rfl_lookup_resolve(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    rfl_evidence_t evidence, rfl_str_t text, const rfl_slot_t *slot)
{
    int              is_page;
    rfl_rc_t         rc;
    uint32_t         flags;
    rfl_slot_t       member;
    rfl_slot_kind_t  target_kind;

    is_page = (kind == RFL_SLOT_PAGE || kind == RFL_SLOT_PREFIX);

    if (!slot->is_group && !(slot->has_target && is_page)) {
        rfl_lookup_matched(lk, evidence, slot->id);
        return RFL_OK;
    }

    switch (kind) {

    case RFL_SLOT_PAGE:
        target_kind = RFL_SLOT_PAGE_TARGET;
        break;

    case RFL_SLOT_PREFIX:
        target_kind = RFL_SLOT_PREFIX_TARGET;
        break;

    case RFL_SLOT_HOST:
        target_kind = RFL_SLOT_HOST_TARGET;
        break;

    default:
        target_kind = RFL_SLOT_DOMAIN_TARGET;
        break;
    }

    /* the flags tell of the targets of page links only */

    flags = is_page ? lk->host_flags
                    : RFL_HOST_TARGET_HOSTS | RFL_HOST_TARGET_QUERIES;

    rc = rfl_lookup_targets(lk, target_kind, text, flags, &member);

    if (rc == RFL_OK) {
        rfl_lookup_matched(lk, evidence, member.id);
        return RFL_OK;
    }

    if (rc != RFL_NOT_FOUND) {
        return rc;
    }

    if (!slot->is_group) {
        rfl_explain(lk->trace, "the landing is not the link's target");
        rfl_lookup_matched(lk, evidence, slot->id);
        lk->attribution->other_landing = 1;
        return RFL_OK;
    }

    rc = rfl_lookup_slot(lk, target_kind, text, rfl_str(NULL, 0), &member);

    if (rc == RFL_OK) {
        rfl_explain(lk->trace, "the one without a target is left");
        rfl_lookup_matched(lk, evidence, member.id);
        return RFL_OK;
    }

    if (rc != RFL_NOT_FOUND) {
        return rc;
    }

    rfl_lookup_ambiguous(lk, slot->id);

    return RFL_OK;
}


/* The forms of the landing, the most specific first. */

static rfl_rc_t
rfl_lookup_targets(rfl_lookup_t *lk, rfl_slot_kind_t kind, rfl_str_t text,
    uint32_t flags, rfl_slot_t *slot)
{
    size_t         i, n;
    rfl_rc_t       rc;
    unsigned       form;
    rfl_str_t      forms[RFL_LANDING_FORMS];
    rfl_landing_t  *l;

    l = &lk->landing;

    if (!l->ready) {
        rfl_landing_init(lk);
    }

    n = 0;

    for (form = 0; form < 3; form++) {

        if (form < 2 && !(flags & RFL_HOST_TARGET_QUERIES)) {
            continue;
        }

        if (flags & RFL_HOST_TARGET_HOSTS) {
            forms[n++] = l->with_host[form];
        }

        forms[n++] = l->without_host[form];
    }

    for (i = 0; i < n; i++) {

        if (forms[i].len == 0) {
            continue;
        }

        rc = rfl_lookup_slot(lk, kind, text, forms[i], slot);
        if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    return RFL_NOT_FOUND;
}


static rfl_rc_t
rfl_lookup_slot(rfl_lookup_t *lk, rfl_slot_kind_t kind, rfl_str_t a,
    rfl_str_t b, rfl_slot_t *slot)
{
    rfl_rc_t  rc;

    rc = rfl_registry_slot(lk->registry, kind, a, b, slot);

    if (lk->trace != NULL) {
        rfl_explain(lk->trace, "%s %.*s%s%.*s: %s", rfl_slot_texts[kind],
                    (int) a.len, a.data, b.len != 0 ? " -> " : "",
                    (int) b.len, b.len != 0 ? (const char *) b.data : "",
                    rc == RFL_NOT_FOUND ? "none registered"
                    : rc != RFL_OK ? "cannot be read"
                    : slot->is_group ? "several links"
                    : slot->id != 0 ? "one link"
                    : "has page links only");
    }

    return rc;
}


static void
rfl_lookup_matched(rfl_lookup_t *lk, rfl_evidence_t evidence, uint32_t id)
{
    lk->attribution->outcome = RFL_OUTCOME_MATCHED;
    lk->attribution->evidence = evidence;
    lk->attribution->id = id;
}


static void
rfl_lookup_ambiguous(rfl_lookup_t *lk, uint32_t id)
{
    rfl_explain(lk->trace, "nothing tells these links apart: their group");

    lk->attribution->outcome = RFL_OUTCOME_AMBIGUOUS;
    lk->attribution->id = id;
}


/* Made only when a target has to be compared.  A landing that is longer than
 * any target can be has no forms. */

static void
rfl_landing_init(rfl_lookup_t *lk)
{
    size_t          host_len, path_len, len;
    rfl_rc_t        rc;
    rfl_url_t       url, site;
    rfl_landing_t  *l;

    l = &lk->landing;

    l->ready = 1;
    memset(l->with_host, 0, sizeof(l->with_host));
    memset(l->without_host, 0, sizeof(l->without_host));

    host_len = 0;

    if (rfl_url_parse_host(lk->request->host, &site, NULL) == RFL_OK) {
        host_len = rfl_surt_host(&site, l->full);
        l->full[host_len++] = ')';
        memcpy(l->bare, l->full, host_len);
    }

    rfl_url_parse_target(lk->request->landing, &url);

    rc = rfl_surt_landing(&url, NULL, l->full + host_len, &path_len, &len);
    if (rc != RFL_OK) {
        return;
    }

    rfl_landing_forms(l, 2, l->full, host_len, path_len);

    if (len == path_len) {
        return;
    }

    rfl_landing_forms(l, 0, l->full, host_len, len);

    if (lk->request->tag_names == NULL || lk->request->tag_names->n == 0) {
        return;
    }

    rc = rfl_surt_landing(&url, lk->request->tag_names, l->bare + host_len,
                          &path_len, &len);

    if (rc == RFL_OK && len != path_len && len != l->without_host[0].len) {
        rfl_landing_forms(l, 1, l->bare, host_len, len);
    }
}


static void
rfl_landing_forms(rfl_landing_t *l, unsigned form, u_char *buf,
    size_t host_len, size_t len)
{
    if (host_len != 0) {
        l->with_host[form] = rfl_str(buf, host_len + len);
    }

    l->without_host[form] = rfl_str(buf + host_len, len);
}


static void
rfl_explain(const rfl_trace_t *trace, const char *fmt, ...)
{
    char     text[RFL_STEP_TEXT];
    va_list  args;

    if (trace == NULL) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    trace->step(trace->data, text);
}
