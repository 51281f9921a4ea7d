
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


/*
 * What the request's headers say, found in one pass over their list when first
 * needed, and written to where it is read.
 */

typedef struct {
    rfl_class_input_t                class;
    rfl_edge_request_t               edge;
    rfl_str_t                        sec_fetch_site;

    ngx_uint_t                       ready;
    ngx_uint_t                       is_foreign;  /* the Referer is known not
                                                     to be the host's */
} ngx_http_referral_headers_t;


typedef struct {
    ngx_str_t                        name;        /* lower case */
    size_t                           offset;      /* where its value goes, in
                                                     the struct above */
    ngx_uint_t                       hash;        /* set at the start */
} ngx_http_referral_header_t;


/*
 * By the highest bits of a hash times an odd factor: one with which all names
 * have places of their own is looked for at the start, from 2^64 divided by the
 * golden ratio on (Knuth, volume 3, 6.4).
 */

#define NGX_HTTP_REFERRAL_HASH_BITS  6
#define NGX_HTTP_REFERRAL_FACTOR     0x9e3779b97f4a7c15u


typedef enum {
    NGX_HTTP_REFERRAL_LINK = 0,
    NGX_HTTP_REFERRAL_NAME,
    NGX_HTTP_REFERRAL_CHANNEL,
    NGX_HTTP_REFERRAL_PARTNER
} ngx_http_referral_link_variable_e;


static void ngx_http_referral_count(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_uint_t is_foreign);
static const rfl_attribution_t *ngx_http_referral_decide(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_attribution_t *buf);
static void ngx_http_referral_event(ngx_http_request_t *r, rfl_runtime_t *rt,
    rfl_record_t *record);
static void ngx_http_referral_request(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_request_t *request);
static ngx_inline rfl_str_t ngx_http_referral_host(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf);
static rfl_str_t ngx_http_referral_other_host(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf);
static ngx_uint_t ngx_http_referral_skipped(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf);
static ngx_uint_t ngx_http_referral_is_logging(ngx_http_request_t *r);
static rfl_class_t ngx_http_referral_classify(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_outcome_t outcome);
static rfl_str_t ngx_http_referral_method(ngx_http_request_t *r);
static ngx_uint_t ngx_http_referral_is_bot(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf);
static ngx_uint_t ngx_http_referral_follow_up(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers);
static ngx_table_elt_t *ngx_http_referral_location(ngx_http_request_t *r);
static rfl_str_t ngx_http_referral_own_location(ngx_http_request_t *r,
    ngx_str_t *location);
static ngx_uint_t ngx_http_referral_is_bare(ngx_http_request_t *r);
static ngx_uint_t ngx_http_referral_through_edge(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers);
static ngx_uint_t ngx_http_referral_is_true(ngx_str_t *value);
static ngx_uint_t ngx_http_referral_status_code(ngx_http_request_t *r);
static void ngx_http_referral_find_headers(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers);
static ngx_inline void ngx_http_referral_no_headers(
    ngx_http_referral_headers_t *headers);
static ngx_inline rfl_str_t ngx_http_referral_known(ngx_table_elt_t *h);
static ngx_uint_t ngx_http_referral_hash_names(void);
static ngx_inline ngx_http_referral_header_t **ngx_http_referral_place(
    ngx_uint_t hash);

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


/* Those that nginx keeps no pointer to. */

#define ngx_http_referral_header(name, field)                                 \
    { ngx_string(name), offsetof(ngx_http_referral_headers_t, field), 0 }

static ngx_http_referral_header_t  ngx_http_referral_headers[] = {
    ngx_http_referral_header("accept", class.accept),
    ngx_http_referral_header("cache-control", class.cache_control),
    ngx_http_referral_header("cdn-loop", edge.cdn_loop),
    ngx_http_referral_header("cookie", edge.cookie),
    ngx_http_referral_header("purpose", class.purpose),
    ngx_http_referral_header("sec-fetch-dest", class.sec_fetch_dest),
    ngx_http_referral_header("sec-fetch-site", sec_fetch_site),
    ngx_http_referral_header("sec-purpose", class.sec_purpose),
    ngx_http_referral_header("via", edge.via),
    ngx_http_referral_header("x-moz", class.x_moz),
    ngx_http_referral_header("x-purpose", class.x_purpose),
    ngx_http_referral_header("x-varnish", edge.x_varnish)
};


/* Of this process, made when it begins.  No place is NULL. */

static ngx_http_referral_header_t   ngx_http_referral_no_header;
static ngx_http_referral_header_t  *ngx_http_referral_places[
                                        1 << NGX_HTTP_REFERRAL_HASH_BITS];
static ngx_uint_t                   ngx_http_referral_factor;
static rfl_agent_cache_t           *ngx_http_referral_agents;


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
    ngx_http_referral_factor = NGX_HTTP_REFERRAL_FACTOR;

    while (!ngx_http_referral_hash_names()) {
        ngx_http_referral_factor += 2;
    }

    ngx_http_referral_agents = rfl_agent_cache_create();
}


/* 0: with this factor two names want one place. */

static ngx_uint_t
ngx_http_referral_hash_names(void)
{
    ngx_uint_t                    i;
    ngx_http_referral_header_t   *h, **place;

    for (i = 0; i < 1 << NGX_HTTP_REFERRAL_HASH_BITS; i++) {
        ngx_http_referral_places[i] = &ngx_http_referral_no_header;
    }

    for (i = 0; i < sizeof(ngx_http_referral_headers)
                    / sizeof(ngx_http_referral_headers[0]); i++)
    {
        h = &ngx_http_referral_headers[i];
        h->hash = ngx_hash_key(h->name.data, h->name.len);

        place = ngx_http_referral_place(h->hash);

        if (*place != &ngx_http_referral_no_header) {
            return 0;
        }

        *place = h;
    }

    return 1;
}


static ngx_inline ngx_http_referral_header_t **
ngx_http_referral_place(ngx_uint_t hash)
{
    return &ngx_http_referral_places[hash * ngx_http_referral_factor
                                     >> (64 - NGX_HTTP_REFERRAL_HASH_BITS)];
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
    rfl_record_t                  record;
    rfl_runtime_t                *rt;
    const rfl_attribution_t      *decision;
    ngx_http_referral_headers_t   headers;

    rt = &rlcf->registry->runtime;
    headers.ready = 0;
    headers.is_foreign = is_foreign;

    decision = ngx_http_referral_decide(r, rlcf, &headers,
                                        &record.attribution);

    if (decision != &record.attribution) {
        record.attribution = *decision;
    }

    record.class = ngx_http_referral_classify(r, rlcf, &headers,
                                              record.attribution.outcome);
    record.status = ngx_http_referral_status_code(r);
    record.bytes = r->connection->sent;
    record.now = ngx_time();
    record.host = rfl_str(NULL, 0);
    record.bare = ngx_http_referral_is_bare(r);
    record.edge = 0;

    /* an internal request has no class, and next to nothing to do */

    if (record.class != RFL_CLASS_NONE) {
        ngx_http_referral_event(r, rt, &record);

        if (record.class == RFL_CLASS_CLICK) {
            record.host = ngx_http_referral_host(r, rlcf);
            record.edge = ngx_http_referral_through_edge(r, &headers);
        }
    }

    rfl_record(rt->zone, rt->counters, &record);
}


/* What its event says beside the decision. */

static void
ngx_http_referral_event(ngx_http_request_t *r, rfl_runtime_t *rt,
    rfl_record_t *record)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    record->ring = rt->stripe;
    record->now_ms = (uint64_t) tp->sec * 1000 + tp->msec;
    record->landing = ngx_http_referral_str(&r->unparsed_uri);
}


static const rfl_attribution_t *
ngx_http_referral_decide(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_attribution_t *buf)
{
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

    if (r->headers_in.referer == NULL
        && (r->unparsed_uri.len == 0
            || memchr(r->unparsed_uri.data, '?', r->unparsed_uri.len) == NULL))
    {
        ngx_http_referral_find_headers(r, headers);
        rfl_attribute_bare(headers->sec_fetch_site, buf);
        return buf;
    }

    ngx_http_referral_request(r, rlcf, headers, &request);

    rfl_attribute(rlcf->registry->runtime.registry, &request, buf, NULL);

    return buf;
}


/* Fetch Metadata is asked for only where there is no Referer. */

static void
ngx_http_referral_request(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_request_t *request)
{
    request->referer = rfl_str(NULL, 0);
    request->sec_fetch_site = rfl_str(NULL, 0);

    if (r->headers_in.referer != NULL) {
        request->referer = ngx_http_referral_str(
                                             &r->headers_in.referer->value);
    }

    if (rfl_str_trim(request->referer).len == 0) {
        ngx_http_referral_find_headers(r, headers);
        request->sec_fetch_site = headers->sec_fetch_site;
    }

    request->landing = ngx_http_referral_str(&r->unparsed_uri);
    request->host = ngx_http_referral_host(r, rlcf);
    request->own_hosts = &rlcf->own_hosts;
    request->tag_names = &rlcf->tags;
    request->patterns = rlcf->registry->runtime.patterns;
    request->recent = rlcf->registry->runtime.recent;
    request->is_foreign = (headers->is_foreign != 0);
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


static rfl_class_t
ngx_http_referral_classify(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers,
    rfl_outcome_t outcome)
{
    rfl_class_input_t  *in;

    if (!rfl_outcome_has_class(outcome)) {
        return RFL_CLASS_NONE;
    }

    ngx_http_referral_find_headers(r, headers);

    in = &headers->class;

    in->method = ngx_http_referral_method(r);
    in->range = ngx_http_referral_known(r->headers_in.range);
    in->has_upgrade = (r->headers_in.upgrade != NULL);
    in->is_bot = ngx_http_referral_is_bot(r, rlcf);
    in->status = ngx_http_referral_status_code(r);

    /* asked before the response: what it will be if all goes well */

    if (in->status == 0 && !ngx_http_referral_is_logging(r)) {
        in->status = NGX_HTTP_OK;
    }

    if (in->status >= 300 && in->status < 400 && in->status != 304) {
        in->follow_up_matches = ngx_http_referral_follow_up(r, rlcf, headers);
    }

    return rfl_classify(in, NULL);
}


/* error_page and X-Accel-Redirect turn method_name into GET: as it was sent. */

static rfl_str_t
ngx_http_referral_method(ngx_http_request_t *r)
{
    u_char  *space;

    if (r->request_line.len > 4
        && ngx_memcmp(r->request_line.data, "GET ", 4) == 0)
    {
        return rfl_str(r->request_line.data, 3);
    }

    space = ngx_strlchr(r->request_line.data,
                        r->request_line.data + r->request_line.len, ' ');

    if (space == NULL) {
        return ngx_http_referral_str(&r->method_name);
    }

    return rfl_str(r->request_line.data, space - r->request_line.data);
}


static ngx_uint_t
ngx_http_referral_is_bot(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf)
{
    ngx_str_t  value;

    switch (rlcf->bot) {

    case NGX_HTTP_REFERRAL_BOT_OFF:
        return 0;

    case NGX_HTTP_REFERRAL_BOT_VALUE:
        return ngx_http_complex_value(r, rlcf->bot_value, &value) == NGX_OK
               && ngx_http_referral_is_true(&value);

    default: /* NGX_HTTP_REFERRAL_BOT_ON */
        return rfl_agent_is_bot(ngx_http_referral_agents,
                            ngx_http_referral_known(r->headers_in.user_agent));
    }
}


/*
 * In the log phase Location is as the client got it, absolute_redirect's scheme
 * and host included; before the response it is as it was given.
 */

static ngx_uint_t
ngx_http_referral_follow_up(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, ngx_http_referral_headers_t *headers)
{
    rfl_str_t                      text;
    rfl_request_t                  request;
    ngx_table_elt_t               *location;
    ngx_http_referral_registry_t  *reg;

    location = ngx_http_referral_location(r);

    if (location == NULL || location->value.len == 0) {
        return 0;
    }

    reg = rlcf->registry;

    ngx_http_referral_request(r, rlcf, headers, &request);

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

static ngx_uint_t
ngx_http_referral_through_edge(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers)
{
    time_t               expires;
    rfl_edge_t           edge;
    ngx_uint_t           i;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    rfl_edge_answer_t    answer;
    rfl_edge_request_t  *request;

    ngx_http_referral_find_headers(r, headers);

    request = &headers->edge;
    request->user_agent = ngx_http_referral_known(r->headers_in.user_agent);

    edge = rfl_edge(request);

    if (edge == RFL_EDGE_NONE) {
        return 0;
    }

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


/* Of a header that is there twice the first line counts. */

static void
ngx_http_referral_find_headers(ngx_http_request_t *r,
    ngx_http_referral_headers_t *headers)
{
    rfl_str_t                   *value;
    ngx_list_part_t             *part;
    ngx_table_elt_t             *h, *end;
    ngx_http_referral_header_t  *known;

    if (headers->ready) {
        return;
    }

    ngx_http_referral_no_headers(headers);
    headers->ready = 1;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {

        h = part->elts;
        end = h + part->nelts;

        for ( /* void */ ; h < end; h++) {

            known = *ngx_http_referral_place(h->hash);

            if (known->hash != h->hash || known->name.len != h->key.len) {
                continue;
            }

            value = (rfl_str_t *) ((u_char *) headers + known->offset);

            if (value->data == NULL && h->key.len != 0
                && rfl_str_same(h->lowcase_key, known->name.data, h->key.len))
            {
                *value = ngx_http_referral_str(&h->value);
            }
        }
    }
}


/* One by one: ngx_memzero() of all that is as long as the search behind it. */

static ngx_inline void
ngx_http_referral_no_headers(ngx_http_referral_headers_t *headers)
{
    rfl_str_t           none;
    rfl_class_input_t  *in;

    none = rfl_str(NULL, 0);
    in = &headers->class;

    in->sec_purpose = none;
    in->purpose = none;
    in->x_purpose = none;
    in->x_moz = none;
    in->sec_fetch_dest = none;
    in->accept = none;
    in->cache_control = none;
    in->follow_up_matches = 0;

    headers->edge.via = none;
    headers->edge.cdn_loop = none;
    headers->edge.x_varnish = none;
    headers->edge.cookie = none;

    headers->sec_fetch_site = none;
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

    decision = ngx_http_referral_decide(r, rlcf, headers, &ctx->attribution);

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

    headers.ready = 0;
    headers.is_foreign = 0;
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

    headers.ready = 0;
    headers.is_foreign = 0;
    attribution = ngx_http_referral_variable_decision(r, &headers);
    class = RFL_CLASS_NONE;

    if (attribution != NULL) {
        rlcf = ngx_http_get_module_loc_conf(r->main, ngx_http_referral_module);
        class = ngx_http_referral_classify(r->main, rlcf, &headers,
                                           attribution->outcome);
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

    headers.ready = 0;
    headers.is_foreign = 0;
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

    headers.ready = 0;
    headers.is_foreign = 0;
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
