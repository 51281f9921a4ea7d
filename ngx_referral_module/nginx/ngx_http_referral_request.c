
/*
 * One request: headers into core's input structs, the decision into
 * variables and counters.
 *
 * The decision is made where a variable asks for it, else in the log phase.
 * It is kept in a cleanup of the request's pool, because an internal redirect
 * clears r->ctx; realip keeps its address in the same place.
 */


#include "ngx_http_referral.h"


typedef struct {
    rfl_attribution_t                attribution;

    /* the rules it was made under */
    ngx_http_referral_registry_t    *registry;
    rfl_own_hosts_t                  own_hosts;
    rfl_names_t                      tags;
} ngx_http_referral_ctx_t;


typedef enum {
    NGX_HTTP_REFERRAL_LINK = 0,
    NGX_HTTP_REFERRAL_NAME,
    NGX_HTTP_REFERRAL_CHANNEL,
    NGX_HTTP_REFERRAL_PARTNER
} ngx_http_referral_link_variable_e;


static const rfl_attribution_t *ngx_http_referral_decide(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, rfl_attribution_t *buf);
static void ngx_http_referral_attribute(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, rfl_attribution_t *attribution);
static ngx_int_t ngx_http_referral_skipped(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf);
static rfl_class_t ngx_http_referral_classify(ngx_http_request_t *r,
    rfl_outcome_t outcome);
static ngx_uint_t ngx_http_referral_status_code(ngx_http_request_t *r);

static ngx_http_referral_ctx_t *ngx_http_referral_get_ctx(
    ngx_http_request_t *r);
static ngx_http_referral_ctx_t *ngx_http_referral_create_ctx(
    ngx_http_request_t *r);
static void ngx_http_referral_cleanup(void *data);

static const rfl_attribution_t *ngx_http_referral_variable_decision(
    ngx_http_request_t *r);
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


/* nginx ignores what a log handler returns: whatever fails is counted. */

ngx_int_t
ngx_http_referral_log_handler(ngx_http_request_t *r)
{
    rfl_record_t                   record;
    rfl_runtime_t                 *rt;
    rfl_attribution_t              attribution;
    ngx_http_referral_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_referral_module);

    if (rlcf->registry == NULL || r != r->main) {
        return NGX_OK;
    }

    rt = &rlcf->registry->runtime;

    record.attribution = *ngx_http_referral_decide(r, rlcf, &attribution);

    record.class = ngx_http_referral_classify(r, record.attribution.outcome);
    record.status = ngx_http_referral_status_code(r);
    record.bytes = r->connection->sent;
    record.now = ngx_time();

    rfl_record(rt->zone, rt->counters, &record);

    return NGX_OK;
}


static const rfl_attribution_t *
ngx_http_referral_decide(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, rfl_attribution_t *buf)
{
    ngx_http_referral_ctx_t  *ctx;

    if (ngx_http_referral_skipped(r, rlcf)) {
        return &ngx_http_referral_skipped_decision;
    }

    ctx = ngx_http_referral_get_ctx(r);

    if (ctx != NULL
        && ctx->registry == rlcf->registry
        && ctx->own_hosts.hosts == rlcf->own_hosts.hosts
        && ctx->tags.names == rlcf->tags.names)
    {
        return &ctx->attribution;
    }

    ngx_http_referral_attribute(r, rlcf, buf);

    return buf;
}


static void
ngx_http_referral_attribute(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf, rfl_attribution_t *attribution)
{
    rfl_request_t              request;
    ngx_http_core_srv_conf_t  *cscf;

    ngx_memzero(&request, sizeof(rfl_request_t));

    if (r->headers_in.referer != NULL) {
        request.referer = ngx_http_referral_str(&r->headers_in.referer->value);
    }

    request.landing = ngx_http_referral_str(&r->unparsed_uri);
    request.own_hosts = &rlcf->own_hosts;
    request.tag_names = &rlcf->tags;

    if (r->headers_in.server.len != 0) {
        request.host = ngx_http_referral_str(&r->headers_in.server);

    } else {
        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
        request.host = ngx_http_referral_str(&cscf->server_name);
    }

    rfl_attribute(rlcf->registry->runtime.registry, &request, attribution,
                  NULL);
}


/*
 * if= may look at what is known only at the end ($status), so it is asked in
 * the log phase alone: r->done is set before a connection is kept alive, and
 * where a request is closed otherwise nobody refers to it any more.
 *
 * The condition may ask for our own variables: what it is told is the decision
 * it is asked about.
 */

static ngx_int_t
ngx_http_referral_skipped(ngx_http_request_t *r,
    ngx_http_referral_loc_conf_t *rlcf)
{
    ngx_int_t  rc;
    ngx_str_t  value;

    static ngx_uint_t  asking;

    if (rlcf->filter == NULL || (!r->done && r->count != 0) || asking) {
        return 0;
    }

    asking = 1;
    rc = ngx_http_complex_value(r, rlcf->filter, &value);
    asking = 0;

    if (rc != NGX_OK) {
        return 0;
    }

    return value.len == 0 || (value.len == 1 && value.data[0] == '0');
}


static rfl_class_t
ngx_http_referral_classify(ngx_http_request_t *r, rfl_outcome_t outcome)
{
    rfl_class_input_t  in;

    if (!rfl_outcome_has_class(outcome)) {
        return RFL_CLASS_NONE;
    }

    ngx_memzero(&in, sizeof(rfl_class_input_t));

    in.method = ngx_http_referral_str(&r->method_name);
    in.status = ngx_http_referral_status_code(r);

    return rfl_classify(&in);
}


static ngx_uint_t
ngx_http_referral_status_code(ngx_http_request_t *r)
{
    return r->err_status ? r->err_status : r->headers_out.status;
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
ngx_http_referral_variable_decision(ngx_http_request_t *r)
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

    decision = ngx_http_referral_decide(r, rlcf, &ctx->attribution);

    if (decision == &ctx->attribution) {
        ctx->registry = rlcf->registry;
        ctx->own_hosts = rlcf->own_hosts;
        ctx->tags = rlcf->tags;
    }

    return decision;
}


static ngx_int_t
ngx_http_referral_outcome_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const rfl_attribution_t  *attribution;

    attribution = ngx_http_referral_variable_decision(r);

    ngx_http_referral_constant(v, attribution == NULL ? NULL
                               : &rfl_outcome_names[attribution->outcome]);

    return NGX_OK;
}


static ngx_int_t
ngx_http_referral_class_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    rfl_class_t               class;
    const rfl_attribution_t  *attribution;

    attribution = ngx_http_referral_variable_decision(r);
    class = RFL_CLASS_NONE;

    if (attribution != NULL) {
        class = ngx_http_referral_classify(r->main, attribution->outcome);
    }

    ngx_http_referral_constant(v, class == RFL_CLASS_NONE ? NULL
                               : &rfl_class_names[class]);

    return NGX_OK;
}


static ngx_int_t
ngx_http_referral_evidence_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const rfl_attribution_t  *attribution;

    attribution = ngx_http_referral_variable_decision(r);

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
    ngx_http_referral_loc_conf_t  *rlcf;

    ngx_http_referral_constant(v, NULL);

    attribution = ngx_http_referral_variable_decision(r);

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
