
/*
 * The status location: GET and HEAD over core's view.
 *
 * One step of the view, one turn of the event loop.  One buffer, rendered
 * again only when the client has taken what was in it: memory does not depend
 * on the answer's length, and a slow client costs nothing but the buffer.
 */


#include "ngx_http_referral.h"

#include "rfl_feed.h"


typedef struct {
    ngx_http_request_t              *request;
    rfl_view_t                      *view;
    rfl_buf_t                        text;

    ngx_event_t                      next;       /* posted: the next step */
    ngx_chain_t                     *free;
    ngx_chain_t                     *busy;

    unsigned                         header_sent:1;
} ngx_http_referral_status_ctx_t;


static void ngx_http_referral_status_request(ngx_http_request_t *r,
    rfl_view_request_t *request);
static rfl_str_t ngx_http_referral_status_accept(ngx_http_request_t *r);
static ngx_int_t ngx_http_referral_status_page(ngx_http_request_t *r);
static ngx_int_t ngx_http_referral_status_begin(ngx_http_request_t *r,
    ngx_http_referral_status_ctx_t *ctx);
static ngx_http_referral_status_ctx_t *ngx_http_referral_status_create_ctx(
    ngx_http_request_t *r);
static void ngx_http_referral_status_cleanup(void *data);
static void ngx_http_referral_status_next(ngx_event_t *ev);
static void ngx_http_referral_status_write(ngx_http_request_t *r);
static ngx_int_t ngx_http_referral_status_step(ngx_http_request_t *r,
    ngx_http_referral_status_ctx_t *ctx);
static ngx_int_t ngx_http_referral_status_send(ngx_http_request_t *r,
    ngx_http_referral_status_ctx_t *ctx, ngx_uint_t last);
static ngx_int_t ngx_http_referral_status_wait(ngx_http_request_t *r);


ngx_int_t
ngx_http_referral_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    rfl_view_error_t                 error;
    rfl_view_request_t               request;
    ngx_http_referral_status_ctx_t  *ctx;

    ngx_http_referral_status_request(r, &request);

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_referral_api_handler(r, &request);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (rfl_feed_is_asked(&request)) {
        return ngx_http_referral_events_handler(r, &request);
    }

    ctx = ngx_http_referral_status_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rfl_view_open(&ctx->view, &request, &error) != RFL_OK) {
        return ngx_http_referral_status_error(r, &error);
    }

    if (rfl_view_format(ctx->view) == RFL_FORMAT_HTML) {
        return ngx_http_referral_status_page(r);
    }

    if (r->method == NGX_HTTP_HEAD) {
        return ngx_http_referral_status_begin(r, ctx);
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_referral_status_write;

    r->main->count++;

    ngx_post_event(&ctx->next, &ngx_posted_events);

    return NGX_DONE;
}


static void
ngx_http_referral_status_request(ngx_http_request_t *r,
    rfl_view_request_t *request)
{
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_referral_loc_conf_t   *rlcf;
    ngx_http_referral_main_conf_t  *rmcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_referral_module);
    rmcf = ngx_http_get_module_main_conf(r, ngx_http_referral_module);

    ngx_memzero(request, sizeof(rfl_view_request_t));

    if (rlcf->status_all) {
        request->runtimes = rmcf->runtimes;
        request->n = rmcf->registries.nelts;
        request->all = 1;

    } else {
        request->runtimes = &rlcf->status_runtime;
        request->n = 1;
    }

    if (r->uri.len > clcf->name.len) {
        request->path = rfl_str(r->uri.data + clcf->name.len,
                                r->uri.len - clcf->name.len);

        /* "/status" is a prefix of "/statuslinks" */

        if (request->path.data[0] != '/'
            && clcf->name.data[clcf->name.len - 1] != '/')
        {
            request->path = ngx_http_referral_str(&r->uri);
        }
    }

    request->args = ngx_http_referral_str(&r->args);
    request->accept = ngx_http_referral_status_accept(r);
    request->html = 1;
    request->write = rlcf->status_write;
}


/* The first of them; nginx itself keeps it for some builds only. */

static rfl_str_t
ngx_http_referral_status_accept(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == 6
                && ngx_strncasecmp(h[i].key.data, (u_char *) "accept", 6)
                   == 0)
            {
                return ngx_http_referral_str(&h[i].value);
            }
        }
    }

    return rfl_str(NULL, 0);
}


/* The dashboard: static, and asks for the rest itself. */

static ngx_int_t
ngx_http_referral_status_page(ngx_http_request_t *r)
{
    ngx_int_t         rc;
    ngx_buf_t        *b;
    ngx_chain_t       out;
    ngx_table_elt_t  *policy;

    ngx_str_set(&r->headers_out.content_type, "text/html; charset=utf-8");

    policy = ngx_http_referral_status_push(r, "Content-Security-Policy", "");

    if (policy == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    policy->value = ngx_http_referral_page_csp;

    if (ngx_http_referral_status_push(r, "Referrer-Policy", "no-referrer")
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_referral_status_header(r, NGX_HTTP_OK,
                                         ngx_http_referral_page.len);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = ngx_http_referral_page.data;
    b->last = b->pos + ngx_http_referral_page.len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/*
 * Not before there is something to send: until then a view that fails is an
 * error to the client, too.
 */

static ngx_int_t
ngx_http_referral_status_begin(ngx_http_request_t *r,
    ngx_http_referral_status_ctx_t *ctx)
{
    char        name[RFL_VIEW_FILE_MAX];
    u_char     *p;
    rfl_str_t   type;

    ctx->header_sent = 1;

    type = rfl_view_content_type(ctx->view);

    r->headers_out.content_type.data = (u_char *) type.data;
    r->headers_out.content_type.len = type.len;

    rfl_view_file_name(ctx->view, name);

    if (name[0] != '\0') {
        p = ngx_pnalloc(r->pool, sizeof(name)
                                 + sizeof("attachment; filename=\"\""));
        if (p == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(p, "attachment; filename=\"%s\"%Z", name);

        if (ngx_http_referral_status_push(r, "Content-Disposition",
                                          (char *) p)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_referral_status_header(r, NGX_HTTP_OK, -1);
}


static ngx_http_referral_status_ctx_t *
ngx_http_referral_status_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t              *cln;
    ngx_http_referral_status_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool,
                               sizeof(ngx_http_referral_status_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_referral_status_ctx_t));

    ctx->request = r;
    ctx->next.data = ctx;
    ctx->next.handler = ngx_http_referral_status_next;
    ctx->next.log = r->connection->log;

    cln->handler = ngx_http_referral_status_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_referral_module);

    return ctx;
}


static void
ngx_http_referral_status_cleanup(void *data)
{
    ngx_http_referral_status_ctx_t  *ctx = data;

    if (ctx->next.posted) {
        ngx_delete_posted_event(&ctx->next);
    }

    if (ctx->view != NULL) {
        rfl_view_close(ctx->view);
    }

    rfl_buf_free(&ctx->text);
}


ngx_int_t
ngx_http_referral_status_header(ngx_http_request_t *r, ngx_uint_t status,
    off_t length)
{
    u_char     *end;
    ngx_str_t  *type;

    r->headers_out.status = status;
    r->headers_out.content_length_n = length;

    type = &r->headers_out.content_type;

    if (type->len == 0) {
        ngx_str_set(type, "application/json");
    }

    /* gzip_types and its like look at the type without its parameters */

    end = ngx_strlchr(type->data, type->data + type->len, ';');

    r->headers_out.content_type_len = end != NULL ? (size_t) (end - type->data)
                                                  : type->len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_referral_status_push(r, "Cache-Control", "no-store")
        == NULL
        || ngx_http_referral_status_push(r, "Vary", "Accept") == NULL
        || ngx_http_referral_status_push(r, "X-Content-Type-Options",
                                         "nosniff")
           == NULL)
    {
        return NGX_ERROR;
    }

    return ngx_http_send_header(r);
}


/* In the list of headers alone: no other module asks for these here. */

ngx_table_elt_t *
ngx_http_referral_status_push(ngx_http_request_t *r, char *name, char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = ngx_strlen(value);
    h->value.data = (u_char *) value;

    return h;
}


static void
ngx_http_referral_status_next(ngx_event_t *ev)
{
    ngx_connection_t                *c;
    ngx_http_request_t              *r;
    ngx_http_referral_status_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    /* a client that leaves may have a request that goes on: post_action */

    if (r->write_event_handler != ngx_http_referral_status_write
        || ngx_http_get_module_ctx(r, ngx_http_referral_module) != ctx)
    {
        return;
    }

    ngx_http_referral_status_write(r);

    ngx_http_run_posted_requests(c);
}


/* The client can take more, or a turn of the event loop has passed. */

static void
ngx_http_referral_status_write(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_event_t                     *wev;
    ngx_http_referral_status_ctx_t  *ctx;

    wev = r->connection->write;
    ctx = ngx_http_get_module_ctx(r, ngx_http_referral_module);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "client timed out");
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (ctx->busy != NULL) {

        rc = ngx_http_referral_status_send(r, ctx, 0);

        if (rc == NGX_ERROR) {
            ngx_http_finalize_request(r, NGX_ERROR);
            return;
        }

        if (ctx->busy != NULL) {
            if (ngx_http_referral_status_wait(r) != NGX_OK) {
                ngx_http_finalize_request(r, NGX_ERROR);
            }

            return;
        }
    }

    rc = ngx_http_referral_status_step(r, ctx);

    if (rc == NGX_AGAIN) {

        if (ngx_http_referral_status_wait(r) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
            return;
        }

        if (ctx->busy == NULL && !ctx->next.posted) {
            ngx_post_event(&ctx->next, &ngx_posted_next_events);
        }

        return;
    }

    ngx_http_finalize_request(r, rc);
}


/*
 * NGX_AGAIN: there is more.  A view that fails midway ends the connection: a
 * cut answer must not look like a whole one.
 */

static ngx_int_t
ngx_http_referral_status_step(ngx_http_request_t *r,
    ngx_http_referral_status_ctx_t *ctx)
{
    rfl_rc_t          rc;
    ngx_int_t         begun;
    rfl_view_error_t  error;

    ctx->text.len = 0;

    rc = rfl_view_step(ctx->view, &ctx->text);

    if (!ctx->header_sent
        && (rc == RFL_OK || (rc == RFL_BUSY && ctx->text.len != 0)))
    {
        begun = ngx_http_referral_status_begin(r, ctx);

        if (begun == NGX_ERROR || begun > NGX_OK || r->header_only) {
            return begun;
        }
    }

    switch (rc) {

    case RFL_OK:

        /*
         * The view is at its end, sent or not: nginx's own writer sends what
         * a slow client has not taken yet.
         */

        return ngx_http_referral_status_send(r, ctx, 1) == NGX_ERROR
               ? NGX_ERROR : NGX_OK;

    case RFL_BUSY:

        if (ctx->text.len != 0
            && ngx_http_referral_status_send(r, ctx, 0) == NGX_ERROR)
        {
            return NGX_ERROR;
        }

        return NGX_AGAIN;

    default:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "referral status: reading failed (%d), "
                      "the answer is %s", (int) rc,
                      ctx->header_sent ? "cut" : "an error");

        if (ctx->header_sent) {
            return NGX_ERROR;
        }

        error = *rfl_view_fault(ctx->view);

        return ngx_http_referral_status_error(r, &error);
    }
}


/*
 * Sends what was rendered, or with a buffer still busy, goes on sending it.
 * Each buffer is flushed: it is rendered into again when it has left.
 */

static ngx_int_t
ngx_http_referral_status_send(ngx_http_request_t *r,
    ngx_http_referral_status_ctx_t *ctx, ngx_uint_t last)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *out;

    out = NULL;

    if (ctx->busy == NULL) {

        out = ngx_chain_get_free_buf(r->pool, &ctx->free);
        if (out == NULL) {
            return NGX_ERROR;
        }

        b = out->buf;
        ngx_memzero(b, sizeof(ngx_buf_t));

        b->start = ctx->text.data;
        b->pos = ctx->text.data;
        b->last = ctx->text.data + ctx->text.len;
        b->end = b->last;
        b->memory = (ctx->text.len != 0);    /* or it is no buffer of bytes */
        b->flush = !last;
        b->last_buf = (last && r == r->main);
        b->last_in_chain = last;
        b->sync = (last && ctx->text.len == 0);
        b->tag = (ngx_buf_tag_t) &ngx_http_referral_module;
    }

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_referral_module);

    return rc;
}


/*
 * The timer is set even when the next step is posted already: a worker that
 * shuts down leaves as soon as it has no timer.
 */

static ngx_int_t
ngx_http_referral_status_wait(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    return ngx_handle_write_event(wev, clcf->send_lowat);
}


ngx_int_t
ngx_http_referral_status_error(ngx_http_request_t *r, rfl_view_error_t *error)
{
    rfl_buf_t                   text = rfl_buf_init;

    u_char                     *p;
    ngx_int_t                   rc;
    ngx_buf_t                  *b;
    ngx_chain_t                 out;
    ngx_http_variable_value_t  *id;

    static ngx_str_t  name = ngx_string("request_id");

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_strcmp(error->code, "SumsBusy") == 0
        && ngx_http_referral_status_push(r, "Retry-After", "1") == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    id = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));
    if (id == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rfl_view_error(&text, error, rfl_str(id->data, id->len));

    p = text.failed ? NULL : ngx_pnalloc(r->pool, text.len);

    if (p == NULL) {
        rfl_buf_free(&text);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(p, text.data, text.len);

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        rfl_buf_free(&text);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = p;
    b->last = p + text.len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    rfl_buf_free(&text);

    rc = ngx_http_referral_status_header(r, error->status, b->last - b->pos);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
