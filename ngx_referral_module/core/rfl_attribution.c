/*
 * From a request to the link that brought it.
 *
 *     own host, same site: internal
 *     tag --> referrer --> page --> regex --> prefix --> host --> domain
 *                      +--> landing on that host --------^
 *
 * The upper way from the referrer is a full URL's, the lower one an origin's.
 * Each arrow is at most a few probes of the registry's slots; the host's own
 * entry says which of them can succeed.  A slot holds one link or a group.
 * In a group the landing decides: the link whose target it is, else the
 * one without a target, else nobody can tell and the group is the answer.
 *
 * A target may be a path, a path with a query, and either with a host.  So
 * a landing has up to six forms; the most specific one that is registered
 * wins: a query before none, a host before none.
 *
 * Tags.  The first argument of the query that carries a registered tag counts,
 * whatever the Referer says.  One link has the tag: it is that link.  Several:
 *
 *   1. if what the Referer alone would answer is one of them, it is that one
 *   2. else the landing decides as in any group.  Several links may share tag
 *      and target (or tag and no target): then the answer is their group
 *   3. else the group of all that have the tag
 *
 * The evidence is "tag" in each case: it is the strongest the request shows.
 *
 * Regexes.  Patterns share no index key and form no group: of a host's
 * patterns the one registered first wins, in the order of ids.  Links with one
 * and the same pattern are like links at one page: the landing decides.
 */

#include "rfl_attribution.h"

#include <stdarg.h>
#include <stdio.h>


#define RFL_LANDING_FORMS  6
#define RFL_STEP_TEXT      1024

#define RFL_HOST_TEXT_MAX  (RFL_HOST_MAX + 16)   /* rfl_surt_host() asks it */


/* A macro: where nobody wants to know, its arguments are not evaluated. */

#define rfl_explain(trace, ...)                                               \
    do {                                                                      \
        if (__builtin_expect((trace) != NULL, 0)) {                           \
            rfl_explain_step(trace, __VA_ARGS__);                             \
        }                                                                     \
    } while (0)


/* The landing in one buffer, "host)path?query"; its forms are parts of it. */

typedef struct {
    u_char     full[RFL_HOST_MAX + 16 + RFL_SURT_MAX];
    u_char     bare[RFL_HOST_MAX + 16 + RFL_SURT_MAX];  /* without tags */
    rfl_str_t  with_host[3];     /* query, query without tags, no query */
    rfl_str_t  without_host[3];  /* an empty slice: there is no such form */
    size_t     limit;            /* of a form without host; longer ones are
                                    left out */
    unsigned   ready:1;
    unsigned   has_host:1;       /* with_host was asked for */
} rfl_landing_t;


/* What a slot is asked for by; each text is hashed once. */

typedef struct {
    rfl_str_t             text;
    rfl_hash_t            hash;
} rfl_lookup_text_t;


typedef struct {
    rfl_registry_t       *registry;
    const rfl_request_t  *request;
    rfl_attribution_t    *attribution;
    const rfl_trace_t    *trace;
    const rfl_url_t      *referer;       /* NULL: none that is external */
    rfl_surt_t            surt;          /* of it */
    rfl_lookup_text_t     host;          /* of it */
    rfl_landing_t         landing;
    uint32_t              host_flags;
    rfl_bounds_t          bounds;        /* of what stands under the host */
    unsigned              has_path:1;    /* surt has it, beside the host */
    unsigned              origin_only:1;
} rfl_lookup_t;


static rfl_outcome_t rfl_unmatched(const rfl_request_t *request,
    rfl_referrer_kind_t kind, const rfl_trace_t *trace);
static rfl_outcome_t rfl_without_referer(rfl_str_t site,
    const rfl_trace_t *trace);
static rfl_rc_t rfl_attribute_place(const rfl_request_t *request,
    rfl_recent_place_t *place);
static void rfl_attribute_keep(const rfl_request_t *request, uint64_t snapshot,
    const rfl_attribution_t *a);
static uint64_t rfl_attribute_anew(rfl_registry_t *registry,
    const rfl_request_t *request, rfl_attribution_t *attribution,
    const rfl_trace_t *trace);
static uint64_t rfl_match(rfl_registry_t *registry,
    const rfl_request_t *request, rfl_attribution_t *attribution,
    const rfl_trace_t *trace, const rfl_url_t *referer, int origin_only);

static rfl_rc_t rfl_lookup_any(rfl_lookup_t *lk);
static rfl_rc_t rfl_lookup_tag(rfl_lookup_t *lk);
static rfl_rc_t rfl_lookup_tagged(rfl_lookup_t *lk,
    const rfl_lookup_text_t *tag, const rfl_slot_t *slot);
static rfl_rc_t rfl_lookup_narrow(rfl_lookup_t *lk, rfl_str_t tag);
static rfl_rc_t rfl_lookup(rfl_lookup_t *lk);
static inline rfl_rc_t rfl_lookup_host(rfl_lookup_t *lk, rfl_slot_t *slot);
static void rfl_lookup_need_path(rfl_lookup_t *lk);
static inline rfl_lookup_text_t rfl_lookup_text(rfl_str_t text);
static inline rfl_lookup_text_t rfl_lookup_on_host(const rfl_lookup_t *lk,
    rfl_str_t text);
static rfl_rc_t rfl_lookup_page(rfl_lookup_t *lk);
static rfl_rc_t rfl_lookup_regex(rfl_lookup_t *lk);
static rfl_rc_t rfl_lookup_pattern(rfl_lookup_t *lk, uint32_t id);
static rfl_rc_t rfl_lookup_compile(rfl_lookup_t *lk, uint32_t id,
    rfl_pattern_t **pattern);
static rfl_rc_t rfl_lookup_pattern_links(rfl_lookup_t *lk, uint32_t id);
static rfl_rc_t rfl_lookup_prefix(rfl_lookup_t *lk);
static size_t rfl_lookup_boundaries(const rfl_surt_t *surt, size_t *ends);
static rfl_rc_t rfl_lookup_landing(rfl_lookup_t *lk);
static rfl_rc_t rfl_lookup_domain(rfl_lookup_t *lk);
static rfl_rc_t rfl_lookup_resolve(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    rfl_evidence_t evidence, const rfl_lookup_text_t *source,
    const rfl_slot_t *slot);
static rfl_rc_t rfl_lookup_targets(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    const rfl_lookup_text_t *source, uint32_t flags, rfl_slot_t *slot);
static rfl_rc_t rfl_lookup_target(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    const rfl_lookup_text_t *source, rfl_str_t text, rfl_slot_t *slot);
static inline rfl_rc_t rfl_lookup_slot(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    const rfl_lookup_text_t *source, const rfl_lookup_text_t *target,
    rfl_slot_t *slot);
static inline int rfl_lookup_is_bounded(rfl_slot_kind_t kind);
static void rfl_lookup_explain(const rfl_lookup_t *lk, rfl_slot_kind_t kind,
    const rfl_lookup_text_t *source, const rfl_lookup_text_t *target,
    rfl_rc_t rc, const rfl_slot_t *slot);
static void rfl_lookup_found(rfl_lookup_t *lk, rfl_evidence_t evidence,
    const rfl_slot_t *slot);
static void rfl_lookup_matched(rfl_lookup_t *lk, rfl_evidence_t evidence,
    uint32_t id);
static void rfl_lookup_ambiguous(rfl_lookup_t *lk, uint32_t id);

static void rfl_landing_init(rfl_lookup_t *lk, int with_host, size_t limit);
static void rfl_landing_forms(rfl_landing_t *l, unsigned form, u_char *buf,
    size_t host_len, size_t len);

static int rfl_has_tag(const rfl_request_t *request);
static rfl_str_t rfl_tags_of(const rfl_request_t *request);
static int rfl_tag_next(const rfl_names_t *names, rfl_str_t *query,
    u_char *buf, rfl_str_t *tag);
static int rfl_tag_is_named(const rfl_names_t *names, rfl_str_t name);
static int rfl_tag_value(rfl_str_t value, u_char *buf, rfl_str_t *tag);
static u_char rfl_decode(const u_char **p, const u_char *end);
static int rfl_hex(u_char c);

static int rfl_follow_resolve(rfl_request_t *next, rfl_str_t location,
    const rfl_own_hosts_t *server_names, u_char *buf);
static int rfl_follow_url(rfl_request_t *next, rfl_str_t rest,
    const rfl_own_hosts_t *server_names);
static int rfl_follow_relative(rfl_request_t *next, rfl_str_t location,
    u_char *buf);
static int rfl_follow_has_scheme(rfl_str_t location);

static void rfl_explain_malformed(rfl_str_t referer, const rfl_trace_t *trace);
static void rfl_explain_step(const rfl_trace_t *trace, const char *fmt, ...)
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
    "prefix and target",
    "tag",
    "tag and target",
    "pattern",
    "pattern and target"
};

_Static_assert(sizeof(rfl_slot_texts) / sizeof(char *) == RFL_SLOT_KINDS,
               "each slot kind has a text");


/* Where the links of a slot stand by their targets. */

static const rfl_slot_kind_t  rfl_target_kinds[RFL_SLOT_KINDS] = {
    [RFL_SLOT_HOST]    = RFL_SLOT_HOST_TARGET,
    [RFL_SLOT_DOMAIN]  = RFL_SLOT_DOMAIN_TARGET,
    [RFL_SLOT_PAGE]    = RFL_SLOT_PAGE_TARGET,
    [RFL_SLOT_PREFIX]  = RFL_SLOT_PREFIX_TARGET,
    [RFL_SLOT_TAG]     = RFL_SLOT_TAG_TARGET,
    [RFL_SLOT_PATTERN] = RFL_SLOT_PATTERN_TARGET
};


void
rfl_attribute_bare(rfl_str_t sec_fetch_site, rfl_str_t path,
    rfl_attribution_t *attribution)
{
    static const rfl_str_t  none = rfl_string("none");

    /* what browsers send with nearly all of them */

    attribution->outcome = rfl_str_eq(sec_fetch_site, none)
                           ? RFL_OUTCOME_DIRECT
                           : rfl_without_referer(sec_fetch_site, NULL);
    attribution->evidence = RFL_EVIDENCE_NONE;
    attribution->id = 0;
    attribution->other_landing = 0;
    attribution->lookup_failed = 0;
    attribution->regex_limit = 0;
    attribution->is_app = 0;
    attribution->source = rfl_str(NULL, 0);
    attribution->path = path;
}


/*
 * By what was decided lately.  The snapshot an answer was read from may be
 * newer than the one that was the newest when it was looked for.
 */

void
rfl_attribute(rfl_registry_t *registry, const rfl_request_t *request,
    rfl_attribution_t *a, const rfl_trace_t *trace)
{
    uint64_t             snapshot, read;
    rfl_recent_answer_t  answer;

    if (!request->has_place || registry == NULL || trace != NULL) {
        (void) rfl_attribute_anew(registry, request, a, trace);
        return;
    }

    snapshot = rfl_registry_newest(registry);

    if (rfl_recent_find(request->recent, &request->place, snapshot, &answer)
        == RFL_OK)
    {
        a->outcome = answer.outcome;
        a->evidence = answer.evidence;
        a->id = answer.id;
        a->other_landing = answer.other_landing;
        a->lookup_failed = 0;
        a->regex_limit = answer.regex_limit;
        a->is_app = answer.is_app;
        a->source = rfl_str(request->referer.data + answer.source_at,
                            answer.source_len);
        a->path = rfl_str(request->landing.data, answer.path_len);
        return;
    }

    read = rfl_attribute_anew(registry, request, a, NULL);

    if (read != 0) {
        snapshot = read;
    }

    if (snapshot != 0 && !a->lookup_failed) {
        rfl_attribute_keep(request, snapshot, a);
    }
}


void
rfl_attribute_soon(rfl_request_t *request)
{
    request->has_place = request->recent != NULL
                         && rfl_attribute_place(request, &request->place)
                            == RFL_OK;
}


/* RFL_FULL: it is not worth to be kept. */

static rfl_rc_t
rfl_attribute_place(const rfl_request_t *request, rfl_recent_place_t *place)
{
    rfl_recent_question_t  question;

    /* settled without a lookup, by fewer bytes than are hashed */

    if ((!request->is_foreign
         && rfl_referrer_is_site(request->referer, request->host))
        || (request->referer.len == 0 && !rfl_has_tag(request)))
    {
        return RFL_FULL;
    }

    question.referer = request->referer;
    question.landing = request->landing;
    question.host = request->host;
    question.own_hosts = request->own_hosts != NULL
                         ? request->own_hosts->hosts : NULL;
    question.tag_names = request->tag_names != NULL
                         ? request->tag_names->names : NULL;
    question.unmatched = RFL_OUTCOME_DIRECT;

    if (request->sec_fetch_site.len != 0) {
        question.unmatched = (uint16_t)
                             rfl_without_referer(request->sec_fetch_site,
                                                 NULL);
    }

    return rfl_recent_place(request->recent, &question, place);
}


/* The path of a strange request target is no part of it, and not kept. */

static __attribute__((noinline)) void
rfl_attribute_keep(const rfl_request_t *request, uint64_t snapshot,
    const rfl_attribution_t *a)
{
    rfl_recent_answer_t  answer;

    if (a->id > RFL_RECENT_ID_MAX
        || (a->path.len != 0 && a->path.data != request->landing.data))
    {
        return;
    }

    memset(&answer, 0, sizeof(rfl_recent_answer_t));

    answer.id = a->id;
    answer.outcome = a->outcome;
    answer.evidence = a->evidence;
    answer.path_len = a->path.len;
    answer.other_landing = a->other_landing;
    answer.regex_limit = a->regex_limit;
    answer.is_app = a->is_app;

    if (a->source.len != 0) {
        answer.source_at = (size_t) (a->source.data - request->referer.data);
        answer.source_len = a->source.len;
    }

    rfl_recent_keep(request->recent, &request->place, snapshot, answer);
}


/*
 * Returns the id of the snapshot the answer was read from; 0: of none, it does
 * not depend on the registry.
 */

static uint64_t
rfl_attribute_anew(rfl_registry_t *registry, const rfl_request_t *request,
    rfl_attribution_t *attribution, const rfl_trace_t *trace)
{
    int                  is_external;
    rfl_url_t            url;
    rfl_referrer_kind_t  kind;

    attribution->evidence = RFL_EVIDENCE_NONE;
    attribution->id = 0;
    attribution->other_landing = 0;
    attribution->lookup_failed = 0;
    attribution->regex_limit = 0;

    kind = request->is_foreign
           ? rfl_referrer_parse(request->referer, request->host,
                                request->own_hosts, &url)
           : rfl_referrer(request->referer, request->host, request->own_hosts,
                          &url);

    attribution->outcome = rfl_unmatched(request, kind, trace);

    is_external = (kind == RFL_REFERRER_ORIGIN || kind == RFL_REFERRER_FULL);

    attribution->path = attribution->outcome == RFL_OUTCOME_INTERNAL
                        ? rfl_str(NULL, 0)
                        : rfl_url_target_path(request->landing);
    attribution->source = rfl_str(NULL, 0);
    attribution->is_app = 0;

    if (is_external) {
        attribution->is_app = (url.scheme == RFL_SCHEME_ANDROID_APP);
        attribution->source = attribution->is_app
                              ? url.host : rfl_url_bare_host(url.host);
    }

    if (attribution->outcome == RFL_OUTCOME_INTERNAL
        || (!is_external && !rfl_has_tag(request)))
    {
        return 0;
    }

    return rfl_match(registry, request, attribution, trace,
                     is_external ? &url : NULL,
                     kind == RFL_REFERRER_ORIGIN);
}


/* What the request is if no link explains it. */

static rfl_outcome_t
rfl_unmatched(const rfl_request_t *request, rfl_referrer_kind_t kind,
    const rfl_trace_t *trace)
{
    switch (kind) {

    case RFL_REFERRER_INTERNAL:
        rfl_explain(trace, "the Referer's host is an own host");
        return RFL_OUTCOME_INTERNAL;

    case RFL_REFERRER_MALFORMED:
        if (__builtin_expect(trace != NULL, 0)) {
            rfl_explain_malformed(request->referer, trace);
        }

        return RFL_OUTCOME_MALFORMED;

    case RFL_REFERRER_NONE:
        return rfl_without_referer(request->sec_fetch_site, trace);

    default:
        return RFL_OUTCOME_UNREGISTERED;
    }
}


static rfl_outcome_t
rfl_without_referer(rfl_str_t site, const rfl_trace_t *trace)
{
    static const rfl_str_t  same_origin = rfl_string("same-origin");
    static const rfl_str_t  same_site = rfl_string("same-site");
    static const rfl_str_t  cross_site = rfl_string("cross-site");

    site = rfl_str_trim(site);

    if (rfl_str_eq(site, same_origin) || rfl_str_eq(site, same_site)) {
        rfl_explain(trace, "no Referer, but Sec-Fetch-Site says that one of "
                    "our own pages led here");
        return RFL_OUTCOME_INTERNAL;
    }

    if (rfl_str_eq(site, cross_site)) {
        rfl_explain(trace, "no Referer, but Sec-Fetch-Site says that another "
                    "site led here");
        return RFL_OUTCOME_HIDDEN;
    }

    rfl_explain(trace, "no Referer: nothing says where it came from");

    return RFL_OUTCOME_DIRECT;
}


/* referer: NULL if there is none that is external. */

static __attribute__((noinline)) uint64_t
rfl_match(rfl_registry_t *registry, const rfl_request_t *request,
    rfl_attribution_t *attribution, const rfl_trace_t *trace,
    const rfl_url_t *referer, int origin_only)
{
    rfl_rc_t       rc;
    uint64_t       snapshot;
    rfl_lookup_t   lk;
    rfl_outcome_t  unmatched;

    if (registry == NULL || rfl_registry_begin(registry, 0, NULL) != RFL_OK) {
        rfl_explain(trace, "the registry cannot be read");
        attribution->lookup_failed = 1;
        return 0;
    }

    snapshot = rfl_store_txn_id(rfl_registry_store(registry));

    unmatched = attribution->outcome;

    lk.registry = registry;
    lk.request = request;
    lk.attribution = attribution;
    lk.trace = trace;
    lk.landing.ready = 0;
    lk.referer = referer;

    if (referer != NULL) {
        rfl_surt_begin(referer, &lk.surt);

        lk.has_path = 0;
        lk.origin_only = (origin_only && !lk.surt.is_app);

        if (trace != NULL) {
            rfl_lookup_need_path(&lk);
        }

        rfl_explain(trace, "the Referer is %s: %.*s",
                    origin_only ? "an origin only" : "a full URL",
                    (int) lk.surt.len, lk.surt.buf);
    }

    rc = rfl_lookup_any(&lk);

    rfl_registry_end(registry);

    if (rc == RFL_OK) {
        return snapshot;
    }

    attribution->outcome = unmatched;
    attribution->evidence = RFL_EVIDENCE_NONE;
    attribution->id = 0;
    attribution->other_landing = 0;

    if (rc == RFL_NOT_FOUND) {
        rfl_explain(trace, "no registered link explains it");

    } else {
        rfl_explain(trace, "reading the registry failed");
        attribution->lookup_failed = 1;
    }

    return snapshot;
}


/* RFL_OK: decided.  RFL_NOT_FOUND: no link.  Else: the registry failed. */

static rfl_rc_t
rfl_lookup_any(rfl_lookup_t *lk)
{
    rfl_rc_t  rc;

    rc = rfl_lookup_tag(lk);

    if (rc == RFL_NOT_FOUND && lk->referer != NULL) {
        return rfl_lookup(lk);
    }

    return rc;
}


static rfl_rc_t
rfl_lookup_tag(rfl_lookup_t *lk)
{
    u_char             buf[RFL_TAG_MAX];
    unsigned           tried;
    rfl_rc_t           rc;
    rfl_str_t          query, text;
    rfl_slot_t         slot;
    rfl_lookup_text_t  tag;

    query = rfl_tags_of(lk->request);

    if (query.len == 0) {
        return RFL_NOT_FOUND;
    }

    for (tried = 0; tried < RFL_TAGS_TRIED; tried++) {

        if (!rfl_tag_next(lk->request->tag_names, &query, buf, &text)) {
            break;
        }

        tag = rfl_lookup_text(text);

        rc = rfl_lookup_slot(lk, RFL_SLOT_TAG, &tag, NULL, &slot);

        if (rc == RFL_OK) {
            return rfl_lookup_tagged(lk, &tag, &slot);
        }

        if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    return RFL_NOT_FOUND;
}


static rfl_rc_t
rfl_lookup_tagged(rfl_lookup_t *lk, const rfl_lookup_text_t *tag,
    const rfl_slot_t *slot)
{
    rfl_rc_t  rc;

    if (slot->is_group && lk->referer != NULL) {
        rc = rfl_lookup_narrow(lk, tag->text);
        if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    return rfl_lookup_resolve(lk, RFL_SLOT_TAG, RFL_EVIDENCE_TAG, tag, slot);
}


/* RFL_OK: what the Referer says is a link with this tag. */

static rfl_rc_t
rfl_lookup_narrow(rfl_lookup_t *lk, rfl_str_t tag)
{
    rfl_rc_t            rc;
    rfl_link_t          link;
    rfl_attribution_t  *a;

    a = lk->attribution;

    rc = rfl_lookup(lk);
    if (rc != RFL_OK) {
        return rc;
    }

    a->other_landing = 0;

    if (a->outcome != RFL_OUTCOME_MATCHED) {
        return RFL_NOT_FOUND;
    }

    rc = rfl_registry_link(lk->registry, a->id, &link);
    if (rc != RFL_OK) {
        return rc == RFL_NOT_FOUND ? RFL_DAMAGED : rc;
    }

    if (!rfl_str_eq(link.tag, tag)) {
        rfl_explain(lk->trace, "the Referer's link has not this tag");
        return RFL_NOT_FOUND;
    }

    rfl_explain(lk->trace, "the Referer's link has this tag");
    a->evidence = RFL_EVIDENCE_TAG;

    return RFL_OK;
}


/* By the Referer alone. */

static rfl_rc_t
rfl_lookup(rfl_lookup_t *lk)
{
    rfl_rc_t    rc;
    rfl_slot_t  slot;

    rc = rfl_lookup_host(lk, &slot);

    if (rc == RFL_NOT_FOUND) {
        return rfl_lookup_domain(lk);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    lk->host_flags = slot.host_flags;

    rc = lk->origin_only ? rfl_lookup_landing(lk) : rfl_lookup_page(lk);
    if (rc != RFL_NOT_FOUND) {
        return rc;
    }

    if (slot.id != 0) {
        return rfl_lookup_resolve(lk, RFL_SLOT_HOST, RFL_EVIDENCE_HOST,
                                  &lk->host, &slot);
    }

    return rfl_lookup_domain(lk);
}


/* Who explains a decision wants to see all that is asked. */

static inline rfl_rc_t
rfl_lookup_host(rfl_lookup_t *lk, rfl_slot_t *slot)
{
    rfl_rc_t    rc;
    rfl_hash_t  key;

    static const rfl_bounds_t  all = { UINT64_MAX, UINT16_MAX, UINT16_MAX };

    lk->host = rfl_lookup_text(rfl_str(lk->surt.buf, lk->surt.host_len));

    key = rfl_slot_key(RFL_SLOT_HOST, lk->host.hash, lk->host.hash, NULL);

    rc = rfl_registry_find_host(lk->registry, key, slot, &lk->bounds);

    if (__builtin_expect(lk->trace != NULL, 0)) {
        lk->bounds = all;
        rfl_lookup_explain(lk, RFL_SLOT_HOST, &lk->host, NULL, rc, slot);
    }

    return rc;
}


/*
 * Of most hosts nothing is registered, or the host as a whole.  A trace shows
 * all of the path, and before the host is known.
 */

static void
rfl_lookup_need_path(rfl_lookup_t *lk)
{
    size_t  limit;

    if (!lk->has_path) {
        limit = (lk->trace == NULL) ? lk->bounds.source : SIZE_MAX;

        rfl_surt_finish(lk->referer, limit, &lk->surt);
        lk->has_path = 1;
    }
}


static inline rfl_lookup_text_t
rfl_lookup_text(rfl_str_t text)
{
    rfl_lookup_text_t  t;

    t.text = text;
    t.hash = rfl_hash(text.data, text.len);

    return t;
}


/* text: that of lk->host, ")" and more. */

static inline rfl_lookup_text_t
rfl_lookup_on_host(const rfl_lookup_t *lk, rfl_str_t text)
{
    size_t             rest;
    rfl_lookup_text_t  t;

    rest = lk->host.text.len + 1;

    t.text = text;
    t.hash = rfl_slot_page(lk->host.hash,
                           rfl_hash(text.data + rest, text.len - rest));

    return t;
}


static rfl_rc_t
rfl_lookup_page(rfl_lookup_t *lk)
{
    rfl_rc_t           rc;
    rfl_slot_t         slot;
    rfl_lookup_text_t  page;

    if (lk->host_flags & RFL_HOST_PAGES) {
        rfl_lookup_need_path(lk);

        rc = RFL_NOT_FOUND;

        if (lk->surt.is_cut) {
            rfl_explain(lk->trace, "too much of it is dropped: no page");

        } else {
            page = rfl_lookup_on_host(lk, rfl_str(lk->surt.buf, lk->surt.len));

            rc = rfl_lookup_slot(lk, RFL_SLOT_PAGE, &page, NULL, &slot);
        }

        if (rc == RFL_OK) {
            return rfl_lookup_resolve(lk, RFL_SLOT_PAGE, RFL_EVIDENCE_EXACT,
                                      &page, &slot);
        }

        if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    if (lk->host_flags & RFL_HOST_REGEX) {
        rc = rfl_lookup_regex(lk);
        if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    return rfl_lookup_prefix(lk);
}


/* The patterns of the host, in the order of their registration. */

static rfl_rc_t
rfl_lookup_regex(rfl_lookup_t *lk)
{
    size_t              i;
    rfl_rc_t            rc;
    uint32_t            id;
    unsigned            faults;
    rfl_registry_ids_t  ids;

    rc = rfl_registry_patterns(lk->registry,
                               rfl_str(lk->surt.buf, lk->surt.host_len), &ids);
    if (rc != RFL_OK) {
        return rc;
    }

    faults = 0;

    for (i = 0; i < ids.n; i++) {
        id = rfl_registry_id(&ids, i);

        rc = rfl_lookup_pattern(lk, id);

        if (rc == RFL_OK) {
            return rfl_lookup_pattern_links(lk, id);
        }

        if (rc == RFL_FULL) {
            lk->attribution->regex_limit = 1;

            if (++faults == RFL_PATTERN_FAULTS_MAX) {
                rfl_explain(lk->trace, "%u patterns gave up: no more are "
                            "tried", faults);
                break;
            }

        } else if (rc != RFL_NOT_FOUND) {
            return rc;
        }
    }

    return RFL_NOT_FOUND;
}


/* RFL_OK: it matches.  RFL_FULL: it gave up.  Else as elsewhere. */

static rfl_rc_t
rfl_lookup_pattern(rfl_lookup_t *lk, uint32_t id)
{
    rfl_rc_t        rc;
    rfl_pattern_t  *pattern;

    pattern = NULL;

    if (lk->request->patterns != NULL) {
        pattern = rfl_patterns_find(lk->request->patterns, id);
    }

    if (pattern == NULL) {
        rc = rfl_lookup_compile(lk, id, &pattern);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    rc = rfl_pattern_match(pattern, rfl_str_trim(lk->request->referer));

    if (lk->request->patterns == NULL) {
        rfl_pattern_free(pattern);
    }

    rfl_explain(lk->trace, "pattern of link %u: %s", id,
                rc == RFL_OK ? "it matches"
                : rc == RFL_NOT_FOUND ? "no match"
                : "it gave up, at the limit of its steps");

    return rc;
}


/*
 * What compiled at registration may not compile here, where PCRE2 is another
 * one: a pattern that gave up.
 */

static rfl_rc_t
rfl_lookup_compile(rfl_lookup_t *lk, uint32_t id, rfl_pattern_t **pattern)
{
    rfl_rc_t     rc;
    rfl_str_t    text;
    rfl_link_t   link;
    rfl_error_t  err;

    rc = rfl_registry_link(lk->registry, id, &link);
    if (rc != RFL_OK) {
        return rc == RFL_NOT_FOUND ? RFL_DAMAGED : rc;
    }

    text = rfl_identity_pattern(link.source);

    rc = lk->request->patterns != NULL
         ? rfl_patterns_add(lk->request->patterns, id, text, pattern, &err)
         : rfl_pattern_compile(pattern, text, &err);

    if (rc == RFL_INVALID) {
        rfl_explain(lk->trace, "pattern of link %u: %s", id, err.text);
        return RFL_FULL;
    }

    return rc;
}


/* The links with this link's pattern. */

static rfl_rc_t
rfl_lookup_pattern_links(rfl_lookup_t *lk, uint32_t id)
{
    u_char             text[RFL_HOST_TEXT_MAX + 1 + RFL_PATTERN_MAX];
    size_t             len;
    rfl_rc_t           rc;
    rfl_str_t          pattern;
    rfl_link_t         link;
    rfl_slot_t         slot;
    rfl_lookup_text_t  source;

    rc = rfl_registry_link(lk->registry, id, &link);

    if (rc != RFL_OK) {
        return rc == RFL_NOT_FOUND ? RFL_DAMAGED : rc;
    }

    pattern = rfl_identity_pattern(link.source);

    if (pattern.len == 0 || pattern.len > RFL_PATTERN_MAX) {
        return RFL_DAMAGED;
    }

    len = lk->surt.host_len;

    memcpy(text, lk->surt.buf, len);
    text[len++] = ')';
    memcpy(text + len, pattern.data, pattern.len);

    source = rfl_lookup_on_host(lk, rfl_str(text, len + pattern.len));

    rc = rfl_lookup_slot(lk, RFL_SLOT_PATTERN, &source, NULL, &slot);

    if (rc != RFL_OK) {
        return rc == RFL_NOT_FOUND ? RFL_DAMAGED : rc;
    }

    return rfl_lookup_resolve(lk, RFL_SLOT_PATTERN, RFL_EVIDENCE_REGEX,
                              &source, &slot);
}


static rfl_rc_t
rfl_lookup_prefix(rfl_lookup_t *lk)
{
    size_t             depth, ends[RFL_SEGMENTS_MAX + 1];
    rfl_rc_t           rc;
    rfl_slot_t         slot;
    rfl_lookup_text_t  prefix;

    if (lk->host_flags < RFL_HOST_DEPTH(0)) {
        return RFL_NOT_FOUND;
    }

    rfl_lookup_need_path(lk);

    depth = rfl_lookup_boundaries(&lk->surt, ends);

    for ( ;; ) {

        if (lk->host_flags & RFL_HOST_DEPTH(depth)) {
            prefix = rfl_lookup_on_host(lk, rfl_str(lk->surt.buf,
                                                    ends[depth]));

            rc = rfl_lookup_slot(lk, RFL_SLOT_PREFIX, &prefix, NULL, &slot);

            if (rc == RFL_OK) {
                return rfl_lookup_resolve(lk, RFL_SLOT_PREFIX,
                                          RFL_EVIDENCE_PREFIX, &prefix, &slot);
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
    size_t         n;
    const u_char  *p, *end, *slash;

    p = surt->buf + surt->path_start + 1;
    end = p + surt->path_len - 1;

    ends[0] = (size_t) (p - surt->buf);
    n = 0;

    while (p < end && n < RFL_SEGMENTS_MAX) {

        slash = memchr(p, '/', (size_t) (end - p));

        if (slash == NULL) {
            slash = end;
        }

        ends[++n] = (size_t) (slash - surt->buf);
        p = slash + 1;
    }

    return n;
}


/* An origin-only Referer: the page links of that host, by their target. */

static rfl_rc_t
rfl_lookup_landing(rfl_lookup_t *lk)
{
    rfl_rc_t    rc;
    rfl_slot_t  slot;

    if (lk->host_flags & RFL_HOST_TARGETS) {
        rc = rfl_lookup_targets(lk, RFL_SLOT_LANDING, &lk->host,
                                lk->host_flags, &slot);
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

    rc = rfl_lookup_slot(lk, RFL_SLOT_BLANK, &lk->host, NULL, &slot);
    if (rc != RFL_OK) {
        return rc;
    }

found:

    rfl_lookup_found(lk, RFL_EVIDENCE_LANDING, &slot);

    return RFL_OK;
}


/*
 * The host and the domains above it, the longest first.  In a SURT they are
 * the host's own beginnings.
 */

static rfl_rc_t
rfl_lookup_domain(rfl_lookup_t *lk)
{
    size_t             i, n, ends[RFL_LABELS_MAX];
    rfl_rc_t           rc;
    rfl_slot_t         slot;
    rfl_lookup_text_t  domain;

    if (lk->surt.is_address || lk->surt.is_app) {
        return RFL_NOT_FOUND;
    }

    rc = rfl_registry_has_domains(lk->registry);
    if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0, n = 0; i <= lk->surt.host_len && n < RFL_LABELS_MAX; i++) {
        if (i == lk->surt.host_len || lk->surt.buf[i] == ',') {
            ends[n++] = i;
        }
    }

    while (n > 0) {
        domain = rfl_lookup_text(rfl_str(lk->surt.buf, ends[--n]));

        rc = rfl_lookup_slot(lk, RFL_SLOT_DOMAIN, &domain, NULL, &slot);

        if (rc == RFL_OK) {
            return rfl_lookup_resolve(lk, RFL_SLOT_DOMAIN, RFL_EVIDENCE_DOMAIN,
                                      &domain, &slot);
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
    rfl_evidence_t evidence, const rfl_lookup_text_t *source,
    const rfl_slot_t *slot)
{
    int              is_page;
    rfl_rc_t         rc;
    uint32_t         flags;
    rfl_slot_t       member;
    rfl_slot_kind_t  target_kind;

    is_page = (kind == RFL_SLOT_PAGE || kind == RFL_SLOT_PREFIX
               || kind == RFL_SLOT_PATTERN);

    if (!slot->is_group && !(slot->has_target && is_page)) {
        rfl_lookup_matched(lk, evidence, slot->id);
        return RFL_OK;
    }

    target_kind = rfl_target_kinds[kind];

    /* the flags tell of the targets of page links only */

    flags = is_page ? lk->host_flags
                    : RFL_HOST_TARGET_HOSTS | RFL_HOST_TARGET_QUERIES;

    rc = rfl_lookup_targets(lk, target_kind, source, flags, &member);

    if (rc == RFL_OK) {
        rfl_lookup_found(lk, evidence, &member);
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

    rc = rfl_lookup_target(lk, target_kind, source, rfl_str("", 0), &member);

    if (rc == RFL_OK) {
        rfl_explain(lk->trace, "what has no target is left");
        rfl_lookup_found(lk, evidence, &member);
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
rfl_lookup_targets(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    const rfl_lookup_text_t *source, uint32_t flags, rfl_slot_t *slot)
{
    size_t          limit;
    rfl_rc_t        rc;
    unsigned        form;
    rfl_landing_t  *l;

    l = &lk->landing;
    limit = rfl_lookup_is_bounded(kind) ? lk->bounds.target : SIZE_MAX;

    if (!l->ready || l->limit < limit
        || (!l->has_host && (flags & RFL_HOST_TARGET_HOSTS)))
    {
        rfl_landing_init(lk, (flags & RFL_HOST_TARGET_HOSTS) != 0, limit);
    }

    for (form = flags & RFL_HOST_TARGET_QUERIES ? 0 : 2; form < 3; form++) {

        if ((flags & RFL_HOST_TARGET_HOSTS) && l->with_host[form].len != 0) {
            rc = rfl_lookup_target(lk, kind, source, l->with_host[form], slot);
            if (rc != RFL_NOT_FOUND) {
                return rc;
            }
        }

        if (l->without_host[form].len != 0) {
            rc = rfl_lookup_target(lk, kind, source, l->without_host[form],
                                   slot);
            if (rc != RFL_NOT_FOUND) {
                return rc;
            }
        }
    }

    return RFL_NOT_FOUND;
}


static rfl_rc_t
rfl_lookup_target(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    const rfl_lookup_text_t *source, rfl_str_t text, rfl_slot_t *slot)
{
    rfl_lookup_text_t  target;

    if (rfl_lookup_is_bounded(kind) && text.len > lk->bounds.target) {
        return RFL_NOT_FOUND;
    }

    target = rfl_lookup_text(text);

    return rfl_lookup_slot(lk, kind, source, &target, slot);
}


/* target: NULL for the kinds that have none. */

static inline rfl_rc_t
rfl_lookup_slot(rfl_lookup_t *lk, rfl_slot_kind_t kind,
    const rfl_lookup_text_t *source, const rfl_lookup_text_t *target,
    rfl_slot_t *slot)
{
    rfl_rc_t    rc;
    rfl_hash_t  host, key;

    /* tags and domains are their own hosts */

    host = kind == RFL_SLOT_TAG || kind == RFL_SLOT_TAG_TARGET
           || kind == RFL_SLOT_DOMAIN || kind == RFL_SLOT_DOMAIN_TARGET
           ? source->hash : lk->host.hash;

    key = rfl_slot_key(kind, host, source->hash,
                       target != NULL ? &target->hash : NULL);

    if (rfl_lookup_is_bounded(kind)
        && (lk->bounds.bits & rfl_slot_bit(key)) == 0)
    {
        return RFL_NOT_FOUND;
    }

    rc = rfl_registry_find(lk->registry, key, slot);

    if (__builtin_expect(lk->trace != NULL, 0)) {
        rfl_lookup_explain(lk, kind, source, target, rc, slot);
    }

    return rc;
}


/* Whether it is the slot of a page link, so that a host's bounds cover it. */

static inline int
rfl_lookup_is_bounded(rfl_slot_kind_t kind)
{
    return ((RFL_SLOT_PAGES | 1u << RFL_SLOT_LANDING | 1u << RFL_SLOT_BLANK)
            >> kind & 1) != 0;
}


static __attribute__((noinline, cold)) void
rfl_lookup_explain(const rfl_lookup_t *lk, rfl_slot_kind_t kind,
    const rfl_lookup_text_t *source, const rfl_lookup_text_t *target,
    rfl_rc_t rc, const rfl_slot_t *slot)
{
    rfl_str_t  a, b;

    a = source->text;
    b = target != NULL ? target->text : rfl_str("", 0);

    rfl_explain(lk->trace, "%s %.*s%s%.*s: %s", rfl_slot_texts[kind],
                (int) a.len, a.data, b.len != 0 ? " -> " : "",
                (int) b.len, (const char *) b.data,
                rc == RFL_NOT_FOUND ? "none registered"
                : rc != RFL_OK ? "cannot be read"
                : slot->is_group ? "several links"
                : slot->id != 0 ? "one link"
                : "has page links only");
}


static void
rfl_lookup_found(rfl_lookup_t *lk, rfl_evidence_t evidence,
    const rfl_slot_t *slot)
{
    if (slot->is_group) {
        rfl_lookup_ambiguous(lk, slot->id);

    } else {
        rfl_lookup_matched(lk, evidence, slot->id);
    }
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
    lk->attribution->evidence = RFL_EVIDENCE_NONE;
    lk->attribution->id = id;
}


/* Made only when a target has to be compared.  A landing that is longer than
 * any target can be has no forms. */

static void
rfl_landing_init(rfl_lookup_t *lk, int with_host, size_t limit)
{
    size_t          host_len, path_len, len;
    rfl_rc_t        rc;
    rfl_url_t       url, site;
    rfl_landing_t  *l;

    l = &lk->landing;

    l->ready = 1;
    l->limit = limit;
    l->has_host = (unsigned) with_host;
    memset(l->with_host, 0, sizeof(l->with_host));
    memset(l->without_host, 0, sizeof(l->without_host));

    host_len = 0;

    if (with_host
        && rfl_url_parse_host(lk->request->host, &site, NULL) == RFL_OK)
    {
        host_len = rfl_surt_host(&site, l->full);
        l->full[host_len++] = ')';
        memcpy(l->bare, l->full, host_len);
    }

    rfl_url_parse_target(lk->request->landing, &url);

    rc = rfl_surt_landing(&url, NULL, limit, l->full + host_len,
                          &path_len, &len);

    if (path_len != 0) {
        rfl_landing_forms(l, 2, l->full, host_len, path_len);
    }

    if (rc == RFL_OK) {

        if (len == path_len) {
            return;
        }

        rfl_landing_forms(l, 0, l->full, host_len, len);
    }

    if (path_len == 0 || lk->request->tag_names == NULL
        || lk->request->tag_names->n == 0)
    {
        return;
    }

    rc = rfl_surt_landing(&url, lk->request->tag_names, limit,
                          l->bare + host_len, &path_len, &len);

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


/* Whether there is an argument that may carry one. */

static __attribute__((noinline)) int
rfl_has_tag(const rfl_request_t *request)
{
    u_char     buf[RFL_TAG_MAX];
    rfl_str_t  query, tag;

    query = rfl_tags_of(request);

    return rfl_tag_next(request->tag_names, &query, buf, &tag);
}


int
rfl_tag_name_is_valid(rfl_str_t name)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {
        if (strchr("&=#%+?, \t\r\n\v\f", name.data[i]) != NULL) {
            return 0;                    /* a zero byte too */
        }
    }

    return name.len != 0 && name.len <= RFL_TAG_MAX
           && !rfl_str_eq(name, rfl_cstr("off"));
}


/* The query in which tags are looked for; empty: none is. */

static rfl_str_t
rfl_tags_of(const rfl_request_t *request)
{
    rfl_url_t  url;

    if (request->tag_names == NULL || request->tag_names->n == 0
        || request->landing.len == 0
        || memchr(request->landing.data, '?', request->landing.len) == NULL)
    {
        return rfl_str(NULL, 0);
    }

    rfl_url_parse_target(request->landing, &url);

    return url.query;
}


/*
 * The next argument that may carry a tag; *query is moved behind it.  *tag is
 * its value, decoded into buf of RFL_TAG_MAX bytes.  0: there is none.
 */

static int
rfl_tag_next(const rfl_names_t *names, rfl_str_t *query, u_char *buf,
    rfl_str_t *tag)
{
    size_t         len;
    rfl_str_t      arg, name;
    const u_char  *mark;

    while (query->len != 0) {
        mark = memchr(query->data, '&', query->len);
        len = mark != NULL ? (size_t) (mark - query->data) : query->len;

        arg = rfl_str(query->data, len);

        if (mark != NULL) {
            len++;
        }

        *query = rfl_str(query->data + len, query->len - len);

        mark = arg.len != 0 ? memchr(arg.data, '=', arg.len) : NULL;

        if (mark == NULL) {
            continue;
        }

        name = rfl_str(arg.data, (size_t) (mark - arg.data));
        mark++;

        if (rfl_tag_is_named(names, name)
            && rfl_tag_value(rfl_str(mark, arg.len - name.len - 1), buf, tag))
        {
            return 1;
        }
    }

    return 0;
}


static int
rfl_tag_is_named(const rfl_names_t *names, rfl_str_t name)
{
    size_t         i, k;
    const u_char  *p, *end;

    end = name.data + name.len;

    for (i = 0; i < names->n; i++) {
        p = name.data;

        for (k = 0; k < names->names[i].len && p < end; k++) {
            if (rfl_decode(&p, end) != names->names[i].data[k]) {
                break;
            }
        }

        if (k == names->names[i].len && p == end) {
            return 1;
        }
    }

    return 0;
}


/* 0: it is empty, or longer than a tag can be. */

static int
rfl_tag_value(rfl_str_t value, u_char *buf, rfl_str_t *tag)
{
    size_t         len;
    const u_char  *p, *end;

    p = value.data;
    end = p + value.len;

    for (len = 0; p < end; len++) {

        if (len == RFL_TAG_MAX) {
            return 0;
        }

        buf[len] = rfl_decode(&p, end);
    }

    *tag = rfl_str(buf, len);

    return len != 0;
}


/* One byte, percent-encoded or not; a "%" that starts no triplet is one. */

static u_char
rfl_decode(const u_char **p, const u_char *end)
{
    int            high, low;
    const u_char  *s;

    s = *p;

    if (*s == '%' && end - s >= 3) {
        high = rfl_hex(s[1]);
        low = rfl_hex(s[2]);

        if (high >= 0 && low >= 0) {
            *p += 3;
            return (u_char) (high << 4 | low);
        }
    }

    *p += 1;

    return *s;
}


static int
rfl_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c = rfl_lower(c);

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


int
rfl_follow_up(rfl_registry_t *registry, const rfl_request_t *request,
    rfl_str_t location, const rfl_own_hosts_t *server_names)
{
    u_char             buf[RFL_FOLLOW_MAX];
    rfl_request_t      next;
    rfl_attribution_t  a;

    next = *request;
    next.is_foreign = 0;

    if (!rfl_follow_resolve(&next, rfl_str_trim(location), server_names, buf)) {
        return 0;
    }

    rfl_attribute_soon(&next);
    rfl_attribute(registry, &next, &a, NULL);

    return a.outcome == RFL_OUTCOME_MATCHED
           || a.outcome == RFL_OUTCOME_AMBIGUOUS;
}


/*
 * Sets next's host and landing.  0: it leads to nothing of ours.  A browser
 * takes "/\" for "//"; that is no way to name our own host.
 */

static int
rfl_follow_resolve(rfl_request_t *next, rfl_str_t location,
    const rfl_own_hosts_t *server_names, u_char *buf)
{
    size_t  skip;

    static const rfl_str_t  http = rfl_string("http://");
    static const rfl_str_t  https = rfl_string("https://");

    if (location.len == 0) {
        return 0;
    }

    skip = 0;

    if (location.len >= http.len
        && rfl_str_caseeq(rfl_str(location.data, http.len), http))
    {
        skip = http.len;

    } else if (location.len >= https.len
               && rfl_str_caseeq(rfl_str(location.data, https.len), https))
    {
        skip = https.len;

    } else if (location.len >= 2
               && location.data[0] == '/' && location.data[1] == '/')
    {
        skip = 2;
    }

    if (skip != 0) {
        return rfl_follow_url(next, rfl_str(location.data + skip,
                                            location.len - skip),
                              server_names);
    }

    if (location.data[0] == '\\'
        || (location.len >= 2 && location.data[1] == '\\')
        || rfl_follow_has_scheme(location))
    {
        return 0;
    }

    if (location.data[0] == '/') {
        next->landing = location;
        return 1;
    }

    return rfl_follow_relative(next, location, buf);
}


/* rest: what follows "//". */

static int
rfl_follow_url(rfl_request_t *next, rfl_str_t rest,
    const rfl_own_hosts_t *server_names)
{
    size_t     i, start;
    rfl_url_t  url;

    static const rfl_str_t  root = rfl_string("/");

    start = 0;

    for (i = 0; i < rest.len; i++) {

        if (rest.data[i] == '/' || rest.data[i] == '?'
            || rest.data[i] == '#')
        {
            break;
        }

        if (rest.data[i] == '@') {
            start = i + 1;
        }
    }

    if (rfl_url_parse_host(rfl_str(rest.data + start, i - start), &url, NULL)
        != RFL_OK
        || !rfl_is_own_host(&url, next->host, server_names))
    {
        return 0;
    }

    next->host = url.host;
    next->landing = i < rest.len ? rfl_str(rest.data + i, rest.len - i) : root;

    return 1;
}


/*
 * RFC 3986, 5.2.2 and 5.2.3; dot segments are removed where landings are
 * compared.  A fragment alone is the same page again.
 */

static int
rfl_follow_relative(rfl_request_t *next, rfl_str_t location, u_char *buf)
{
    size_t     len;
    rfl_url_t  base;

    if (location.data[0] == '#') {
        return 1;
    }

    rfl_url_parse_target(next->landing, &base);

    len = base.path.len;

    if (location.data[0] != '?') {
        while (base.path.data[len - 1] != '/') {
            len--;
        }
    }

    if (len > RFL_FOLLOW_MAX || location.len > RFL_FOLLOW_MAX - len) {
        return 0;
    }

    memcpy(buf, base.path.data, len);
    memcpy(buf + len, location.data, location.len);

    next->landing = rfl_str(buf, len + location.len);

    return 1;
}


/* RFC 3986, 3.1: "mailto:", but not "a/b:c" and not "?x=y:z". */

static int
rfl_follow_has_scheme(rfl_str_t location)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < location.len; i++) {
        c = rfl_lower(location.data[i]);

        if (c == ':') {
            return i != 0;
        }

        if (c >= 'a' && c <= 'z') {
            continue;
        }

        if (i == 0
            || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'))
        {
            return 0;
        }
    }

    return 0;
}


static __attribute__((noinline, cold)) void
rfl_explain_malformed(rfl_str_t referer, const rfl_trace_t *trace)
{
    rfl_url_t    url;
    const char  *why;

    why = "";

    (void) rfl_url_parse(rfl_str_trim(referer), &url, &why);

    rfl_explain_step(trace, "the Referer is malformed: %s", why);
}


static __attribute__((noinline, cold)) void
rfl_explain_step(const rfl_trace_t *trace, const char *fmt, ...)
{
    char     text[RFL_STEP_TEXT];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    trace->step(trace->data, text);
}
