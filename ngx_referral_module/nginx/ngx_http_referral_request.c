
/*
 * One request: headers into core's input structs, the decision into
 * variables and counters.
 *
 * The decision is made where a variable asks for it, else in the log phase.
 * It is kept in a cleanup of the request's pool, because an internal redirect
 * clears r->ctx; realip keeps its address in the same place.
 */


#include "ngx_http_referral.h"

#include "rfl_diagnosis.h"


typedef struct {
    rfl_attribution_t                attribution;

    /* the rules it was made under */
    ngx_http_referral_registry_t    *registry;
    rfl_own_hosts_t                  own_hosts;
    rfl_names_t                      tags;
    ngx_http_complex_value_t        *host;
} ngx_http_referral_ctx_t;


/* Headers that nginx keeps no pointer to; 0 is none. */

typedef enum {
    NGX_HTTP_REFERRAL_ACCEPT = 1,
    NGX_HTTP_REFERRAL_CACHE_CONTROL,
    NGX_HTTP_REFERRAL_CDN_LOOP,
    NGX_HTTP_REFERRAL_PURPOSE,
    NGX_HTTP_REFERRAL_SEC_FETCH_DEST,
    NGX_HTTP_REFERRAL_SEC_FETCH_SITE,
    NGX_HTTP_REFERRAL_SEC_PURPOSE,
    NGX_HTTP_REFERRAL_VIA,
    NGX_HTTP_REFERRAL_X_MOZ,
    NGX_HTTP_REFERRAL_X_PURPOSE,
    NGX_HTTP_REFERRAL_X_VARNISH,
    NGX_HTTP_REFERRAL_HEADERS
} ngx_http_referral_header_e;

#define ngx_http_referral_bit(n)  ((ngx_uint_t) 1 << (n))

/* Where none of these is there, the class is nearly always plain. */

#define NGX_HTTP_REFERRAL_ODD                                                 \
    (ngx_http_referral_bit(NGX_HTTP_REFERRAL_CACHE_CONTROL)                   \
     | ngx_http_referral_bit(NGX_HTTP_REFERRAL_PURPOSE)                       \
     | ngx_http_referral_bit(NGX_HTTP_REFERRAL_SEC_PURPOSE)                   \
     | ngx_http_referral_bit(NGX_HTTP_REFERRAL_X_MOZ)                         \
     | ngx_http_referral_bit(NGX_HTTP_REFERRAL_X_PURPOSE))

#define NGX_HTTP_REFERRAL_EDGE                                                \
    (ngx_http_referral_bit(NGX_HTTP_REFERRAL_CDN_LOOP)                        \
     | ngx_http_referral_bit(NGX_HTTP_REFERRAL_VIA)                           \
     | ngx_http_referral_bit(NGX_HTTP_REFERRAL_X_VARNISH))


/*
 * Which of them the request has, found in one pass over its list when first
 * needed.
 */

typedef struct {
    ngx_uint_t                       ready;
    ngx_uint_t                       is_foreign;  /* the Referer is known not
                                                     to be the host's */
    ngx_uint_t                       class_follows;  /* after the decision */
    ngx_int_t                        is_bot;      /* NGX_CONF_UNSET: it was not
                                                     asked yet */
    ngx_uint_t                       seen;        /* bits */
    ngx_table_elt_t                 *lines[NGX_HTTP_REFERRAL_HEADERS];
                                                  /* of those that were seen */
} ngx_http_referral_headers_t;


/*
 * Known by length and hash: who makes up another name that has both might as
 * well send the header itself.
 */

typedef struct {
    ngx_uint_t                       hash;
    size_t                           len;
    ngx_uint_t                       bit;
    ngx_uint_t                       next;        /* with the same last byte of
                                                     the hash */
} ngx_http_referral_known_header_t;


typedef enum {
    NGX_HTTP_REFERRAL_LINK = 0,
    NGX_HTTP_REFERRAL_NAME,
    NGX_HTTP_REFERRAL_CHANNEL,
    NGX_HTTP_REFERRAL_PARTNER
} ngx_http_referral_link_variable_e;


static void ngx_http_referral_count(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_uint_t is_foreign);
static ngx_inline const rfl_attribution_t *ngx_http_referral_decide(
    ngx_http_request_t *r, ngx_http_referral_loc_conf_t *rlcf,
    ngx_http_referral_headers_t *headers, rfl_str_t host,
    rfl_attribution_t *buf) __attribute__((always_inline));
static ngx_inline void ngx_http_referral_request(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_str_t host, rfl_request_t *request) __attribute__((always_inline));
static ngx_inline rfl_str_t ngx_http_referral_host(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf);
static rfl_str_t ngx_http_referral_other_host(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf);
static ngx_uint_t ngx_http_referral_skipped(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf);
static ngx_uint_t ngx_http_referral_is_logging(ngx_http_request_t *r);
static ngx_inline rfl_class_t ngx_http_referral_classify(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_outcome_t outcome, ngx_uint_t status) __attribute__((always_inline));
static rfl_class_t ngx_http_referral_odd_class(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    ngx_uint_t status, ngx_uint_t is_bot);
static ngx_inline rfl_str_t ngx_http_referral_method(ngx_http_request_t *r);
static rfl_str_t ngx_http_referral_odd_method(ngx_http_request_t *r);
static ngx_inline ngx_uint_t ngx_http_referral_is_bot(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers);
static ngx_inline ngx_uint_t ngx_http_referral_is_robot(ngx_http_request_t *r);
static ngx_uint_t ngx_http_referral_is_true_value(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv);
static ngx_uint_t ngx_http_referral_follow_up(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers);
static ngx_table_elt_t *ngx_http_referral_location(ngx_http_request_t *r);
static rfl_policy_t ngx_http_referral_policy(ngx_http_request_t *r);
static rfl_str_t ngx_http_referral_own_location(ngx_http_request_t *r,
    ngx_str_t *location);
static ngx_uint_t ngx_http_referral_is_bare(ngx_http_request_t *r);
static ngx_inline ngx_uint_t ngx_http_referral_through_edge(
    ngx_http_request_t *r, ngx_http_referral_headers_t *headers);
static rfl_edge_t ngx_http_referral_edge(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers);
static ngx_uint_t ngx_http_referral_edge_may_keep(ngx_http_request_t *r,
    rfl_edge_t edge);
static rfl_str_t ngx_http_referral_line(ngx_http_request_t *r, const char *name,
    size_t len);
static ngx_uint_t ngx_http_referral_is_true(ngx_str_t *value);
static ngx_uint_t ngx_http_referral_status_code(ngx_http_request_t *r);
static ngx_inline void ngx_http_referral_init_headers(
    ngx_http_referral_headers_t *headers, ngx_uint_t class_follows);
static ngx_inline void ngx_http_referral_find_headers(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers);
static void ngx_http_referral_look_for_headers(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers);
static ngx_inline rfl_str_t ngx_http_referral_header(
    ngx_http_referral_headers_t *headers, ngx_uint_t n);
static ngx_inline rfl_str_t ngx_http_referral_site(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers);
static rfl_str_t ngx_http_referral_mode(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers);
static ngx_inline rfl_str_t ngx_http_referral_known(ngx_table_elt_t *h);

static ngx_http_referral_ctx_t *ngx_http_referral_get_ctx(
    ngx_http_request_t *r);
static ngx_http_referral_ctx_t *ngx_http_referral_create_ctx(
    ngx_http_request_t *r);
static void ngx_http_referral_cleanup(void *data);

static const rfl_attribution_t *ngx_http_referral_variable_decision(
    ngx_http_request_t *r, ngx_http_referral_headers_t *headers);
static ngx_int_t ngx_http_referral_outcome_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_referral_class_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_referral_evidence_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_referral_link_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_referral_link_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, rfl_link_t *link, uintptr_t data);
static void ngx_http_referral_constant(ngx_http_variable_value_t *v,
    const rfl_str_t *text);


static ngx_str_t  ngx_http_referral_headers[NGX_HTTP_REFERRAL_HEADERS] = {
    ngx_null_string,
    ngx_string("accept"),
    ngx_string("cache-control"),
    ngx_string("cdn-loop"),
    ngx_string("purpose"),
    ngx_string("sec-fetch-dest"),
    ngx_string("sec-fetch-site"),
    ngx_string("sec-purpose"),
    ngx_string("via"),
    ngx_string("x-moz"),
    ngx_string("x-purpose"),
    ngx_string("x-varnish")
};


/*
 * Of this process, made when it begins.  places: by the last byte of a hash,
 * which depends on all of a name, the first header that has it.
 */

static u_char                            ngx_http_referral_places[256];
static ngx_http_referral_known_header_t  ngx_http_referral_known_headers[
                                             NGX_HTTP_REFERRAL_HEADERS];
static rfl_agent_cache_t                *ngx_http_referral_agents;


/*
 * Not cacheable: the location, and with it the rules, may change between two
 * uses; the decision itself is kept and reused while they are the same.
 */

static ngx_http_variable_t  ngx_http_referral_variables[] = {

    { ngx_string("referral_outcome"), NULL,
      ngx_http_referral_outcome_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("referral_class"), NULL,
      ngx_http_referral_class_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("referral_evidence"), NULL,
      ngx_http_referral_evidence_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("referral_link"), NULL,
      ngx_http_referral_link_variable, NGX_HTTP_REFERRAL_LINK,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("referral_name"), NULL,
      ngx_http_referral_link_variable, NGX_HTTP_REFERRAL_NAME,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("referral_channel"), NULL,
      ngx_http_referral_link_variable, NGX_HTTP_REFERRAL_CHANNEL,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("referral_partner"), NULL,
      ngx_http_referral_link_variable, NGX_HTTP_REFERRAL_PARTNER,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static const rfl_attribution_t  ngx_http_referral_skipped_decision = {
    .outcome = RFL_OUTCOME_SKIPPED,
    .evidence = RFL_EVIDENCE_NONE
};


ngx_int_t
ngx_http_referral_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_referral_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/* Without memory for the cache each agent is matched anew. */

void
ngx_http_referral_init_requests(void)
{
    u_char                            *place;
    ngx_str_t                         *name;
    ngx_uint_t                         i;
    ngx_http_referral_known_header_t  *known;

    ngx_memzero(ngx_http_referral_places, sizeof(ngx_http_referral_places));

    for (i = 1; i < NGX_HTTP_REFERRAL_HEADERS; i++) {
        name = &ngx_http_referral_headers[i];

        known = &ngx_http_referral_known_headers[i];
        known->hash = ngx_hash_key(name->data, name->len);
        known->len = name->len;
        known->bit = ngx_http_referral_bit(i);

        place = &ngx_http_referral_places[known->hash & 0xff];
        known->next = *place;
        *place = (u_char) i;
    }

    ngx_http_referral_agents = rfl_agent_cache_create();
}


/*
 * nginx ignores what a log handler returns: whatever fails is counted.
 *
 * Most requests of a busy site come from its own pages.  They are known by
 * their bytes and cost next to nothing, saved registers and stack included.
 */

ngx_int_t
ngx_http_referral_log_handler(ngx_http_request_t *r)
{
    rfl_str_t                      referer, host;
    ngx_http_referral_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_referral_module);

    if (rlcf->registry == NULL || r != r->main) {
        return NGX_OK;
    }

    if (r->headers_in.referer != NULL && rlcf->host == NULL
        && rlcf->filter == NULL)
    {
        referer = ngx_http_referral_str(&r->headers_in.referer->value);
        host = ngx_http_referral_str(&r->headers_in.server);

        if (rfl_referrer_is_site(referer, host)
            || (rlcf->own_hosts.n != 0
                && rfl_referrer_is_own(referer, &rlcf->own_hosts)))
        {
            rfl_record_internal(rlcf->registry->runtime.zone);
            return NGX_OK;
        }

        ngx_http_referral_count(r, rlcf, host.len != 0);
        return NGX_OK;
    }

    ngx_http_referral_count(r, rlcf, 0);

    return NGX_OK;
}


/* is_foreign: the Referer is not of the request's host. */

static __attribute__((noinline)) void
ngx_http_referral_count(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_uint_t is_foreign)
{
    rfl_str_t                     host;
    ngx_time_t                   *tp;
    rfl_record_t                  record;
    rfl_runtime_t                *rt;
    const rfl_attribution_t      *decision;
    ngx_http_referral_headers_t   headers;

    ngx_http_referral_init_headers(&headers, 1);
    headers.is_foreign = is_foreign;
    host = ngx_http_referral_host(r, rlcf);

    decision = ngx_http_referral_decide(r, rlcf, &headers, host,
                                        &record.attribution);

    if (decision != &record.attribution) {
        record.attribution = *decision;
    }

    rt = &rlcf->registry->runtime;

    if (rt->counters != NULL) {
        rfl_counters_soon(rt->counters, record.attribution.id);
    }

    record.status = ngx_http_referral_status_code(r);
    record.class = ngx_http_referral_classify(r, rlcf, &headers,
                                              record.attribution.outcome,
                                              record.status);
    record.host = host;
    record.bytes = r->connection->sent;
    record.bare = record.class == RFL_CLASS_NONE
                  && ngx_http_referral_is_bare(r);
    record.edge = record.class == RFL_CLASS_CLICK
                  && ngx_http_referral_through_edge(r, &headers);

    tp = ngx_timeofday();

    record.now = tp->sec;
    record.now_ms = (uint64_t) tp->sec * 1000 + tp->msec;

    record.ring = rt->stripe;

    rfl_record(rt->zone, rt->counters, &record);
}


static ngx_inline const rfl_attribution_t *
ngx_http_referral_decide(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_str_t host, rfl_attribution_t *buf)
{
    rfl_str_t                 landing, path;
    rfl_request_t             request;
    ngx_http_referral_ctx_t  *ctx;

    if (rlcf->filter != NULL && ngx_http_referral_skipped(r, rlcf)) {
        return &ngx_http_referral_skipped_decision;
    }

    ctx = ngx_http_referral_get_ctx(r);

    if (ctx != NULL
        && ctx->registry == rlcf->registry
        && ctx->own_hosts.hosts == rlcf->own_hosts.hosts
        && ctx->tags.names == rlcf->tags.names
        && ctx->host == rlcf->host)
    {
        return &ctx->attribution;
    }

    if (r->headers_in.referer == NULL) {
        landing = ngx_http_referral_str(&r->unparsed_uri);
        path = rfl_url_target_path(landing);

        if (path.len == landing.len || landing.len == 0) {
            ngx_http_referral_find_headers(r, headers);
            rfl_attribute_bare(ngx_http_referral_site(r, headers), path, buf);
            return buf;
        }
    }

    ngx_http_referral_request(r, rlcf, headers, host, &request);

    rfl_attribute_soon(&request);

    if (headers->class_follows) {
        ngx_http_referral_find_headers(r, headers);

        if (rlcf->bot == NGX_HTTP_REFERRAL_BOT_ON) {
            headers->is_bot = ngx_http_referral_is_robot(r);
        }
    }

    rfl_attribute(rlcf->registry->runtime.registry, &request, buf, NULL);

    return buf;
}


/* Fetch Metadata is asked for only where there is no Referer. */

static ngx_inline void
ngx_http_referral_request(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_str_t host, rfl_request_t *request)
{
    request->referer = rfl_str(NULL, 0);
    request->sec_fetch_site = rfl_str(NULL, 0);

    if (r->headers_in.referer != NULL) {
        request->referer = ngx_http_referral_str(
                                             &r->headers_in.referer->value);
    }

    if (request->referer.len == 0 || rfl_is_space(request->referer.data[0])) {

        if (rfl_str_trim(request->referer).len == 0) {
            ngx_http_referral_find_headers(r, headers);
            request->sec_fetch_site = ngx_http_referral_site(r, headers);
        }
    }

    request->landing = ngx_http_referral_str(&r->unparsed_uri);
    request->host = host;
    request->own_hosts = &rlcf->own_hosts;
    request->tag_names = &rlcf->tags;
    request->patterns = rlcf->registry->runtime.patterns;
    request->recent = rlcf->registry->runtime.recent;
    request->has_place = 0;
    request->is_foreign = (unsigned) headers->is_foreign;
}


static ngx_inline rfl_str_t
ngx_http_referral_host(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf)
{
    if (rlcf->host == NULL && r->headers_in.server.len != 0) {
        return ngx_http_referral_str(&r->headers_in.server);
    }

    return ngx_http_referral_other_host(r, rlcf);
}


static rfl_str_t
ngx_http_referral_other_host(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf)
{
    ngx_str_t                  value;
    ngx_http_core_srv_conf_t  *cscf;

    if (rlcf->host != NULL
        && ngx_http_complex_value(r, rlcf->host, &value) == NGX_OK
        && value.len != 0)
    {
        return ngx_http_referral_str(&value);
    }

    if (r->headers_in.server.len != 0) {
        return ngx_http_referral_str(&r->headers_in.server);
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    return ngx_http_referral_str(&cscf->server_name);
}


/*
 * if= may look at what is known only at the end ($status), so it is asked in
 * the log phase alone.  The condition may ask for our own variables: what it
 * is told is the decision it is asked about.
 */

static ngx_uint_t
ngx_http_referral_skipped(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf)
{
    ngx_int_t  rc;
    ngx_str_t  value;

    static ngx_uint_t  asking;

    if (!ngx_http_referral_is_logging(r) || asking) {
        return 0;
    }

    asking = 1;
    rc = ngx_http_complex_value(r, rlcf->filter, &value);
    asking = 0;

    return rc == NGX_OK && !ngx_http_referral_is_true(&value);
}


/*
 * r->done is set before a connection is kept alive, and where a request is
 * closed otherwise nobody refers to it any more.
 */

static ngx_uint_t
ngx_http_referral_is_logging(ngx_http_request_t *r)
{
    return r->done || r->count == 0;
}


static ngx_inline rfl_class_t
ngx_http_referral_classify(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_outcome_t outcome, ngx_uint_t status)
{
    ngx_uint_t  is_bot;

    if (!rfl_outcome_has_class(outcome)) {
        return RFL_CLASS_NONE;
    }

    ngx_http_referral_find_headers(r, headers);

    is_bot = ngx_http_referral_is_bot(r, rlcf, headers);

    if ((headers->seen & NGX_HTTP_REFERRAL_ODD) == 0
        && r->headers_in.range == NULL
        && r->headers_in.upgrade == NULL
        && rfl_class_is_page(ngx_http_referral_method(r), status,
                    ngx_http_referral_header(headers,
                                             NGX_HTTP_REFERRAL_SEC_FETCH_DEST),
                    ngx_http_referral_header(headers,
                                             NGX_HTTP_REFERRAL_ACCEPT)))
    {
        return is_bot ? RFL_CLASS_BOT : RFL_CLASS_CLICK;
    }

    return ngx_http_referral_odd_class(r, rlcf, headers, status, is_bot);
}


static __attribute__((noinline)) rfl_class_t
ngx_http_referral_odd_class(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    ngx_uint_t status, ngx_uint_t is_bot)
{
    rfl_class_input_t  in;

    in.method = ngx_http_referral_method(r);
    in.range = ngx_http_referral_known(r->headers_in.range);
    in.has_upgrade = (r->headers_in.upgrade != NULL);
    in.is_bot = is_bot;
    in.status = status;
    in.follow_up_matches = 0;

    in.accept = ngx_http_referral_header(headers, NGX_HTTP_REFERRAL_ACCEPT);
    in.cache_control = ngx_http_referral_header(headers,
                                              NGX_HTTP_REFERRAL_CACHE_CONTROL);
    in.purpose = ngx_http_referral_header(headers, NGX_HTTP_REFERRAL_PURPOSE);
    in.sec_fetch_dest = ngx_http_referral_header(headers,
                                             NGX_HTTP_REFERRAL_SEC_FETCH_DEST);
    in.sec_fetch_mode = ngx_http_referral_mode(r, headers);
    in.sec_purpose = ngx_http_referral_header(headers,
                                              NGX_HTTP_REFERRAL_SEC_PURPOSE);
    in.x_moz = ngx_http_referral_header(headers, NGX_HTTP_REFERRAL_X_MOZ);
    in.x_purpose = ngx_http_referral_header(headers,
                                            NGX_HTTP_REFERRAL_X_PURPOSE);

    /* asked before the response: what it will be if all goes well */

    if (in.status == 0 && !ngx_http_referral_is_logging(r)) {
        in.status = NGX_HTTP_OK;
    }

    if (in.status >= 300 && in.status < 400 && in.status != 304) {
        in.follow_up_matches = ngx_http_referral_follow_up(r, rlcf, headers);
    }

    return rfl_classify(&in, NULL);
}


/* error_page and X-Accel-Redirect turn method_name into GET: as it was sent. */

static ngx_inline rfl_str_t
ngx_http_referral_method(ngx_http_request_t *r)
{
    if (r->request_line.len > 4
        && ngx_memcmp(r->request_line.data, "GET ", 4) == 0)
    {
        return rfl_str("GET", 3);
    }

    return ngx_http_referral_odd_method(r);
}


static __attribute__((noinline)) rfl_str_t
ngx_http_referral_odd_method(ngx_http_request_t *r)
{
    u_char  *space;

    space = ngx_strlchr(r->request_line.data,
                        r->request_line.data + r->request_line.len, ' ');

    if (space == NULL) {
        return ngx_http_referral_str(&r->method_name);
    }

    return rfl_str(r->request_line.data, space - r->request_line.data);
}


static ngx_inline ngx_uint_t
ngx_http_referral_is_bot(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers)
{
    if (headers->is_bot != NGX_CONF_UNSET) {
        return headers->is_bot;
    }

    if (rlcf->bot == NGX_HTTP_REFERRAL_BOT_ON) {
        return ngx_http_referral_is_robot(r);
    }

    return rlcf->bot == NGX_HTTP_REFERRAL_BOT_VALUE
           && ngx_http_referral_is_true_value(r, rlcf->bot_value);
}


static ngx_inline ngx_uint_t
ngx_http_referral_is_robot(ngx_http_request_t *r)
{
    return rfl_agent_is_bot(ngx_http_referral_agents,
                            ngx_http_referral_known(r->headers_in.user_agent));
}


static ngx_uint_t
ngx_http_referral_is_true_value(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv)
{
    ngx_str_t  value;

    return ngx_http_complex_value(r, cv, &value) == NGX_OK
           && ngx_http_referral_is_true(&value);
}


/*
 * In the log phase Location is as the client got it, absolute_redirect's scheme
 * and host included; before the response it is as it was given.
 */

static ngx_uint_t
ngx_http_referral_follow_up(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers)
{
    rfl_str_t                      text, referer;
    rfl_request_t                  request;
    ngx_table_elt_t               *location;
    ngx_http_referral_registry_t  *reg;

    location = ngx_http_referral_location(r);

    if (location == NULL || location->value.len == 0) {
        return 0;
    }

    reg = rlcf->registry;

    ngx_http_referral_request(r, rlcf, headers,
                              ngx_http_referral_host(r, rlcf), &request);

    referer = rfl_referrer_after(request.referer, ngx_http_referral_policy(r));

    if (referer.len == 0 && request.referer.len != 0) {
        ngx_http_referral_find_headers(r, headers);
        request.sec_fetch_site = ngx_http_referral_site(r, headers);
    }

    request.referer = referer;

    text = ngx_http_referral_own_location(r, &location->value);

    return rfl_follow_up(reg->runtime.registry, &request, text,
                         &reg->server_names);
}


/*
 * A Location of the host that nginx itself would write there, the one that was
 * asked or the address of the socket: the path alone.  referral_host may say
 * that the site is called otherwise.
 */

static rfl_str_t
ngx_http_referral_own_location(ngx_http_request_t *r, ngx_str_t *location)
{
    u_char      addr[NGX_SOCKADDR_STRLEN];
    ngx_str_t   host;
    rfl_str_t   text;
    rfl_url_t   url;

    text = ngx_http_referral_str(location);

    if (rfl_url_parse(text, &url, NULL) != RFL_OK || url.path.len == 0) {
        return text;
    }

    host = r->headers_in.server;

    if (host.len == 0) {
        host.data = addr;
        host.len = NGX_SOCKADDR_STRLEN;

        if (ngx_connection_local_sockaddr(r->connection, &host, 0) != NGX_OK) {
            return text;
        }
    }

    if (!rfl_str_caseeq(url.host, ngx_http_referral_str(&host))) {
        return text;
    }

    /* alone it would name a host */

    if (url.path.len > 1
        && (url.path.data[1] == '/' || url.path.data[1] == '\\'))
    {
        return text;
    }

    return rfl_str(url.path.data, text.data + text.len - url.path.data);
}


/*
 * An upstream's Location that was not rewritten is in the list of headers
 * alone, and so is one of add_header.
 */

static ngx_table_elt_t *
ngx_http_referral_location(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (r->headers_out.location != NULL) {
        return r->headers_out.location;
    }

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash != 0 && h[i].key.len == sizeof("Location") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Location",
                                   sizeof("Location") - 1)
                   == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


/* Browsers heed a redirect's when they follow it; the last line counts. */

static rfl_policy_t
ngx_http_referral_policy(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    rfl_policy_t      policy;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    policy = RFL_POLICY_KEEPS;

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash != 0
                && h[i].key.len == sizeof("Referrer-Policy") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Referrer-Policy",
                                   sizeof("Referrer-Policy") - 1)
                   == 0)
            {
                rfl_referrer_policy(ngx_http_referral_str(&h[i].value),
                                    &policy);
            }
        }
    }

    return policy;
}


/* One of white space alone does not matter here. */

static ngx_uint_t
ngx_http_referral_is_bare(ngx_http_request_t *r)
{
    return r->headers_in.referer == NULL
           || r->headers_in.referer->value.len == 0;
}


/*
 * Through a shared cache that may keep the answer.  The list of headers has all
 * that is sent of Cache-Control and Expires, an upstream's and expires' too, in
 * every version of nginx; headers_out.cache_control is another type since
 * 1.23.0.
 */

static ngx_inline ngx_uint_t
ngx_http_referral_through_edge(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers)
{
    rfl_edge_t  edge;

    edge = (headers->seen & NGX_HTTP_REFERRAL_EDGE) != 0
           ? ngx_http_referral_edge(r, headers)
           : rfl_edge_unnamed(
                            ngx_http_referral_known(r->headers_in.user_agent));

    return edge != RFL_EDGE_NONE && ngx_http_referral_edge_may_keep(r, edge);
}


static __attribute__((noinline)) rfl_edge_t
ngx_http_referral_edge(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers)
{
    rfl_edge_request_t  request;

    request.via = ngx_http_referral_header(headers, NGX_HTTP_REFERRAL_VIA);
    request.cdn_loop = ngx_http_referral_header(headers,
                                                NGX_HTTP_REFERRAL_CDN_LOOP);
    request.x_varnish = ngx_http_referral_header(headers,
                                                 NGX_HTTP_REFERRAL_X_VARNISH);
    request.user_agent = ngx_http_referral_known(r->headers_in.user_agent);
    request.cookie = ngx_http_referral_line(r, "cookie",
                                            sizeof("cookie") - 1);

    return rfl_edge(&request);
}


static __attribute__((noinline)) ngx_uint_t
ngx_http_referral_edge_may_keep(ngx_http_request_t *r, rfl_edge_t edge)
{
    time_t              expires;
    ngx_uint_t          i;
    ngx_list_part_t    *part;
    ngx_table_elt_t    *h;
    rfl_edge_answer_t   answer;

    ngx_memzero(&answer, sizeof(rfl_edge_answer_t));

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash != 0) {
                rfl_edge_field(&answer, ngx_http_referral_str(&h[i].key),
                               ngx_http_referral_str(&h[i].value));
            }
        }
    }

    expires = NGX_ERROR;

    if (answer.expires.len != 0) {
        expires = ngx_parse_http_time((u_char *) answer.expires.data,
                                      answer.expires.len);
    }

    return rfl_edge_may_keep(edge, &answer,
                             expires == NGX_ERROR ? 0 : (uint64_t) expires,
                             ngx_time());
}


static ngx_uint_t
ngx_http_referral_is_true(ngx_str_t *value)
{
    return value->len != 0 && (value->len != 1 || value->data[0] != '0');
}


static ngx_uint_t
ngx_http_referral_status_code(ngx_http_request_t *r)
{
    return r->err_status ? r->err_status : r->headers_out.status;
}


/*
 * A header that most requests have, and few are asked for: it is looked for
 * then.  name is in lower case.
 */

static rfl_str_t
ngx_http_referral_line(ngx_http_request_t *r, const char *name, size_t len)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_strncmp(h[i].lowcase_key, name, len) == 0)
            {
                return ngx_http_referral_str(&h[i].value);
            }
        }
    }

    return rfl_str(NULL, 0);
}


static ngx_inline void
ngx_http_referral_init_headers(ngx_http_referral_headers_t *headers,
    ngx_uint_t class_follows)
{
    headers->ready = 0;
    headers->is_foreign = 0;
    headers->class_follows = class_follows;
    headers->is_bot = NGX_CONF_UNSET;
}


static ngx_inline void
ngx_http_referral_find_headers(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers)
{
    if (!headers->ready) {
        ngx_http_referral_look_for_headers(r, headers);
    }
}


/* Of a header that is there twice the first line counts. */

static __attribute__((noinline)) void
ngx_http_referral_look_for_headers(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers)
{
    ngx_uint_t                         n, seen;
    ngx_list_part_t                   *part;
    ngx_table_elt_t                   *h, *end;
    ngx_http_referral_known_header_t  *known;

    seen = 0;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {

        h = part->elts;
        end = h + part->nelts;

        for ( /* void */ ; h < end; h++) {

            if (ngx_http_referral_places[(u_char) h->hash] == 0) {
                continue;
            }

            n = ngx_http_referral_places[(u_char) h->hash];

            do {
                known = &ngx_http_referral_known_headers[n];

                if (known->hash == h->hash && known->len == h->key.len) {

                    if ((known->bit & seen) == 0) {
                        seen |= known->bit;
                        headers->lines[n] = h;
                    }

                    break;
                }

                n = known->next;

            } while (n != 0);
        }
    }

    headers->seen = seen;
    headers->ready = 1;
}


/* Empty: it is not there. */

static ngx_inline rfl_str_t
ngx_http_referral_header(ngx_http_referral_headers_t *headers, ngx_uint_t n)
{
    if ((headers->seen & ngx_http_referral_bit(n)) == 0) {
        return rfl_str(NULL, 0);
    }

    return ngx_http_referral_str(&headers->lines[n]->value);
}


static ngx_inline rfl_str_t
ngx_http_referral_site(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers)
{
    rfl_str_t  site, dest;

    site = ngx_http_referral_header(headers, NGX_HTTP_REFERRAL_SEC_FETCH_SITE);
    dest = ngx_http_referral_header(headers, NGX_HTTP_REFERRAL_SEC_FETCH_DEST);

    if (!rfl_class_needs_mode(dest)) {
        return site;
    }

    return rfl_class_site(site, dest, ngx_http_referral_mode(r, headers));
}


/* Empty, too, where it does not matter. */

static __attribute__((noinline)) rfl_str_t
ngx_http_referral_mode(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers)
{
    rfl_str_t  dest;

    dest = ngx_http_referral_header(headers, NGX_HTTP_REFERRAL_SEC_FETCH_DEST);

    if (!rfl_class_needs_mode(dest)) {
        return rfl_str(NULL, 0);
    }

    return ngx_http_referral_line(r, "sec-fetch-mode",
                                  sizeof("sec-fetch-mode") - 1);
}


static ngx_inline rfl_str_t
ngx_http_referral_known(ngx_table_elt_t *h)
{
    return h != NULL ? ngx_http_referral_str(&h->value) : rfl_str(NULL, 0);
}


static ngx_http_referral_ctx_t *
ngx_http_referral_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln != NULL; cln = cln->next) {
        if (cln->handler == ngx_http_referral_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static ngx_http_referral_ctx_t *
ngx_http_referral_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_referral_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_referral_cleanup;

    return cln->data;
}


/* The address marks the cleanup; there is nothing to clean. */

static void
ngx_http_referral_cleanup(void *data)
{
}


/*
 * Of the main request: a subrequest's answer is about the visit, too.  NULL:
 * nothing is counted here, or out of memory.
 */

static const rfl_attribution_t *
ngx_http_referral_variable_decision(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers)
{
    ngx_http_referral_ctx_t       *ctx;
    const rfl_attribution_t       *decision;
    ngx_http_referral_loc_conf_t  *rlcf;

    r = r->main;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_referral_module);

    if (rlcf->registry == NULL) {
        return NULL;
    }

    ctx = ngx_http_referral_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_referral_create_ctx(r);
        if (ctx == NULL) {
            return NULL;
        }

        ctx->registry = NULL;
    }

    decision = ngx_http_referral_decide(r, rlcf, headers,
                                        ngx_http_referral_host(r, rlcf),
                                        &ctx->attribution);

    if (decision == &ctx->attribution) {
        ctx->registry = rlcf->registry;
        ctx->own_hosts = rlcf->own_hosts;
        ctx->tags = rlcf->tags;
        ctx->host = rlcf->host;
    }

    return decision;
}


static ngx_int_t
ngx_http_referral_outcome_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const rfl_attribution_t      *attribution;
    ngx_http_referral_headers_t   headers;

    ngx_http_referral_init_headers(&headers, 0);
    attribution = ngx_http_referral_variable_decision(r, &headers);

    ngx_http_referral_constant(v, attribution == NULL ? NULL
                               : &rfl_outcome_names[attribution->outcome]);

    return NGX_OK;
}


static ngx_int_t
ngx_http_referral_class_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    rfl_class_t                    class;
    const rfl_attribution_t       *attribution;
    ngx_http_referral_headers_t    headers;
    ngx_http_referral_loc_conf_t  *rlcf;

    ngx_http_referral_init_headers(&headers, 1);
    attribution = ngx_http_referral_variable_decision(r, &headers);
    class = RFL_CLASS_NONE;

    if (attribution != NULL) {
        rlcf = ngx_http_get_module_loc_conf(r->main, ngx_http_referral_module);
        class = ngx_http_referral_classify(r->main, rlcf, &headers,
                                     attribution->outcome,
                                     ngx_http_referral_status_code(r->main));
    }

    ngx_http_referral_constant(v, class == RFL_CLASS_NONE ? NULL
                               : &rfl_class_names[class]);

    return NGX_OK;
}


static ngx_int_t
ngx_http_referral_evidence_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const rfl_attribution_t      *attribution;
    ngx_http_referral_headers_t   headers;

    ngx_http_referral_init_headers(&headers, 0);
    attribution = ngx_http_referral_variable_decision(r, &headers);

    ngx_http_referral_constant(v, attribution == NULL
                               || attribution->evidence == RFL_EVIDENCE_NONE
                               ? NULL
                               : &rfl_evidence_names[attribution->evidence]);

    return NGX_OK;
}


static ngx_int_t
ngx_http_referral_link_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_int_t                      rc;
    rfl_link_t                     link;
    rfl_registry_t                *registry;
    const rfl_attribution_t       *attribution;
    ngx_http_referral_headers_t    headers;
    ngx_http_referral_loc_conf_t  *rlcf;

    ngx_http_referral_constant(v, NULL);

    ngx_http_referral_init_headers(&headers, 0);
    attribution = ngx_http_referral_variable_decision(r, &headers);

    if (attribution == NULL || attribution->outcome != RFL_OUTCOME_MATCHED) {
        return NGX_OK;
    }

    rlcf = ngx_http_get_module_loc_conf(r->main, ngx_http_referral_module);
    registry = rlcf->registry->runtime.registry;

    if (registry == NULL || rfl_registry_begin(registry, 0, NULL) != RFL_OK) {
        return NGX_OK;
    }

    rc = NGX_OK;

    if (rfl_registry_link(registry, attribution->id, &link) == RFL_OK) {
        rc = ngx_http_referral_link_value(r, v, &link, data);
    }

    rfl_registry_end(registry);

    return rc;
}


/* The link's slices end with the transaction: they are copied. */

static ngx_int_t
ngx_http_referral_link_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, rfl_link_t *link, uintptr_t data)
{
    u_char     key[RFL_KEY_LEN], *p;
    rfl_str_t  text;

    switch (data) {

    case NGX_HTTP_REFERRAL_LINK:
        rfl_key_text(link->key, key);
        text = rfl_str(key, RFL_KEY_LEN);
        break;

    case NGX_HTTP_REFERRAL_NAME:
        text = link->name;
        break;

    case NGX_HTTP_REFERRAL_CHANNEL:
        text = rfl_link_channel(link);
        break;

    default: /* NGX_HTTP_REFERRAL_PARTNER */
        text = link->partner;
        break;
    }

    if (text.len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, text.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text.data, text.len);

    v->data = p;
    v->len = text.len;
    v->not_found = 0;

    return NGX_OK;
}


static void
ngx_http_referral_constant(ngx_http_variable_value_t *v, const rfl_str_t *text)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->escape = 0;
    v->not_found = (text == NULL);
    v->len = text != NULL ? text->len : 0;
    v->data = text != NULL ? (u_char *) text->data : NULL;
}
