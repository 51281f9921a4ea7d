
/*
 * Writes below the status location: POST, PATCH and DELETE.
 *
 *     request -> may it? -> body -> rfl_writer.h's thread -> eventfd -> answer
 *
 * A page of another site may make a browser send what it likes, but not with a
 * JSON content type, not without Fetch Metadata that says so, and, having
 * turned its own name to our address (DNS rebinding), not with a Host that is
 * ours.  Who may write beyond that is for allow, auth_basic and the like.
 *
 * A request that waits is blocked: nginx must not free it, whatever becomes of
 * its client.  A write that was accepted is done.
 */


#include "ngx_http_referral.h"

#include <sys/eventfd.h>


#define NGX_HTTP_REFERRAL_BODY_MAX   (8 * 1024 * 1024)

/* How often a worker looks whether it may leave. */
#define NGX_HTTP_REFERRAL_API_WAIT   1000


typedef struct {
    ngx_queue_t                      queue;      /* while it waits */
    ngx_http_request_t              *request;
    ngx_http_referral_registry_t    *registry;
    rfl_edit_t                       edit;
    rfl_write_t                     *put;        /* the writer's meanwhile */
    rfl_write_t                     *write;      /* NULL: not answered yet */
    unsigned                         abandoned:1;
} ngx_http_referral_api_ctx_t;


static rfl_rc_t ngx_http_referral_api_open(ngx_http_request_t *r,
    const rfl_view_request_t *request, ngx_http_referral_api_ctx_t *ctx,
    rfl_view_error_t *error);
static rfl_rc_t ngx_http_referral_api_method(ngx_http_request_t *r,
    const rfl_query_t *query, rfl_edit_t *edit, rfl_view_error_t *error);
static ngx_http_referral_registry_t *ngx_http_referral_api_registry(
    ngx_http_request_t *r, const rfl_query_t *query);
static rfl_rc_t ngx_http_referral_api_may(ngx_http_request_t *r,
    ngx_http_referral_api_ctx_t *ctx, rfl_view_error_t *error);
static ngx_uint_t ngx_http_referral_api_host(ngx_http_request_t *r,
    ngx_http_referral_registry_t *reg);
static ngx_uint_t ngx_http_referral_api_same_site(ngx_http_request_t *r);
static ngx_uint_t ngx_http_referral_api_holds(ngx_http_request_t *r);
static ngx_uint_t ngx_http_referral_api_is_json(ngx_http_request_t *r);
static ngx_int_t ngx_http_referral_api_refuse(ngx_http_request_t *r,
    rfl_view_error_t *error);
static void ngx_http_referral_api_cleanup(void *data);
static void ngx_http_referral_api_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_referral_api_put(ngx_http_request_t *r,
    ngx_http_referral_api_ctx_t *ctx);
static rfl_write_t *ngx_http_referral_api_write(ngx_http_request_t *r,
    ngx_http_referral_api_ctx_t *ctx);
static ngx_int_t ngx_http_referral_api_copy_body(ngx_http_request_t *r,
    rfl_write_t *write);
static ngx_int_t ngx_http_referral_api_copy_counters(rfl_runtime_t *rt,
    rfl_write_t *write);
static void ngx_http_referral_api_done(ngx_event_t *ev);
static void ngx_http_referral_api_abandon(ngx_http_referral_registry_t *reg);
static void ngx_http_referral_api_release(ngx_http_referral_api_ctx_t *ctx);
static void ngx_http_referral_api_answer(ngx_http_request_t *r);
static ngx_int_t ngx_http_referral_api_send(ngx_http_request_t *r,
    rfl_write_t *write);


ngx_int_t
ngx_http_referral_api_handler(ngx_http_request_t *r,
    const rfl_view_request_t *request)
{
    ngx_int_t                     rc;
    rfl_view_error_t              error;
    ngx_pool_cleanup_t           *cln;
    ngx_http_referral_api_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_referral_api_ctx_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_referral_api_ctx_t));

    ctx->request = r;
    ctx->edit.now = ngx_time();

    cln->handler = ngx_http_referral_api_cleanup;

    if (ngx_http_referral_api_open(r, request, ctx, &error) != RFL_OK) {
        return ngx_http_referral_api_refuse(r, &error);
    }

    ngx_http_set_ctx(r, ctx, ngx_http_referral_module);

    rc = ngx_http_read_client_request_body(r, ngx_http_referral_api_body);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


/* RFL_OK, or what to answer instead, before any of the body is read. */

static rfl_rc_t
ngx_http_referral_api_open(ngx_http_request_t *r,
    const rfl_view_request_t *request, ngx_http_referral_api_ctx_t *ctx,
    rfl_view_error_t *error)
{
    rfl_rc_t                       rc;
    rfl_query_t                    query;
    ngx_http_referral_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_referral_module);

    ngx_memzero(&query, sizeof(rfl_query_t));

    if (rlcf->status_write && r == r->main) {
        rc = rfl_query_parse(&query, request->path, rfl_str(NULL, 0),
                             request->all, ctx->edit.now, error);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    rc = ngx_http_referral_api_method(r, &query, &ctx->edit, error);
    if (rc != RFL_OK) {
        return rc;
    }

    ctx->registry = ngx_http_referral_api_registry(r, &query);

    if (ctx->registry == NULL) {
        return rfl_query_refuse(error, NGX_HTTP_NOT_FOUND, "RegistryUnknown",
                                "there is no registry of this name");
    }

    if (request->args.len != 0) {
        return rfl_query_refuse(error, NGX_HTTP_BAD_REQUEST,
                                "ParameterUnknown", "a write has no "
                                "parameters");
    }

    return ngx_http_referral_api_may(r, ctx, error);
}


static rfl_rc_t
ngx_http_referral_api_method(ngx_http_request_t *r, const rfl_query_t *query,
    rfl_edit_t *edit, rfl_view_error_t *error)
{
    char  *allow;

    if (query->kind == RFL_QUERY_LINKS) {

        if (r->method == NGX_HTTP_POST) {
            edit->kind = RFL_EDIT_ADD;
            return RFL_OK;
        }

        allow = "GET, HEAD, POST";

    } else if (query->kind == RFL_QUERY_LINK) {

        edit->key = query->link_key;

        if (r->method == NGX_HTTP_PATCH) {
            edit->kind = RFL_EDIT_CHANGE;
            return RFL_OK;
        }

        if (r->method == NGX_HTTP_DELETE) {
            edit->kind = RFL_EDIT_REMOVE;
            return RFL_OK;
        }

        allow = "GET, HEAD, PATCH, DELETE";

    } else if (query->kind == RFL_QUERY_IGNORED) {

        if (r->method == NGX_HTTP_POST) {
            edit->kind = RFL_EDIT_IGNORE;
            return RFL_OK;
        }

        allow = "GET, HEAD, POST";

    } else if (query->kind == RFL_QUERY_IGNORED_HOST) {

        if (r->method == NGX_HTTP_DELETE) {
            edit->kind = RFL_EDIT_HEED;

            if (rfl_ignored_parse(query->host, edit->host, &edit->host_len,
                                  NULL)
                != RFL_OK)
            {
                edit->host_len = 0;
            }

            return RFL_OK;
        }

        allow = "DELETE";

    } else {
        allow = "GET, HEAD";
    }

    if (ngx_http_referral_status_push(r, "Allow", allow) == NULL) {
        return rfl_query_refuse(error, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                "NoMemory", "out of memory");
    }

    return rfl_query_refuse(error, NGX_HTTP_NOT_ALLOWED, "MethodNotAllowed",
                            "what is here allows %s", allow);
}


static ngx_http_referral_registry_t *
ngx_http_referral_api_registry(ngx_http_request_t *r, const rfl_query_t *query)
{
    ngx_uint_t                       i;
    ngx_http_referral_registry_t   **regs;
    ngx_http_referral_loc_conf_t    *rlcf;
    ngx_http_referral_main_conf_t   *rmcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_referral_module);

    if (!rlcf->status_all) {
        return rlcf->status;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_referral_module);
    regs = rmcf->registries.elts;

    for (i = 0; i < rmcf->registries.nelts; i++) {
        if (rfl_str_eq(ngx_http_referral_str(&regs[i]->name),
                       query->registry))
        {
            return regs[i];
        }
    }

    return NULL;
}


static rfl_rc_t
ngx_http_referral_api_may(ngx_http_request_t *r,
    ngx_http_referral_api_ctx_t *ctx, rfl_view_error_t *error)
{
    if (!ngx_http_referral_api_host(r, ctx->registry)) {
        return rfl_query_refuse(error, NGX_HTTP_FORBIDDEN, "HostUnknown",
                                "the Host is no address, no server_name of "
                                "this server and none that counts into the "
                                "registry: give the server one, and write to "
                                "that");
    }

    if (!ngx_http_referral_api_same_site(r)) {
        return rfl_query_refuse(error, NGX_HTTP_FORBIDDEN, "CrossSite",
                                "Sec-Fetch-Site says that another site's page "
                                "sent this");
    }

    if (!ngx_http_referral_api_holds(r)) {
        return rfl_query_refuse(error, NGX_HTTP_PRECONDITION_FAILED,
                                "PreconditionFailed", "what is here has "
                                "neither an entity tag nor a time of change");
    }

    if (ctx->registry->conf.source[0] != '\0'
        && rfl_edit_is_of_links(ctx->edit.kind))
    {
        return rfl_query_refuse(error, NGX_HTTP_CONFLICT, "ReadOnly",
                                "nginx keeps these links equal to %s: change "
                                "them there", ctx->registry->conf.source);
    }

    if (ctx->edit.kind != RFL_EDIT_REMOVE
        && ctx->edit.kind != RFL_EDIT_HEED
        && !ngx_http_referral_api_is_json(r))
    {
        return rfl_query_refuse(error, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                "TypeUnsupported", "the Content-Type must be "
                                "application/json");
    }

    if (r->headers_in.content_length_n > NGX_HTTP_REFERRAL_BODY_MAX) {
        return rfl_query_refuse(error, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                "BodyTooLarge", "the body is larger than %d "
                                "bytes", NGX_HTTP_REFERRAL_BODY_MAX);
    }

    if (ctx->registry->runtime.registry == NULL) {
        return rfl_query_refuse(error, NGX_HTTP_SERVICE_UNAVAILABLE,
                                "RegistryUnavailable", "%s",
                                ctx->registry->runtime.registry_error.text);
    }

    if (ctx->registry->writer == NULL) {
        return rfl_query_refuse(error, NGX_HTTP_SERVICE_UNAVAILABLE,
                                "WriterUnavailable", "this process could not "
                                "begin to write, see the error log");
    }

    return RFL_OK;
}


/*
 * A page of a stranger can be made to name our address by its own host name
 * (DNS rebinding): such a name is no server_name of ours.  An address cannot
 * be bound to another one, nor can "localhost".
 */

static ngx_uint_t
ngx_http_referral_api_host(ngx_http_request_t *r,
    ngx_http_referral_registry_t *reg)
{
    rfl_url_t                       url;
    ngx_http_referral_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_referral_module);

    if (rfl_url_parse_host(ngx_http_referral_str(&r->headers_in.server), &url,
                           NULL)
        != RFL_OK)
    {
        return 0;
    }

    return url.host_kind != RFL_HOST_NAME
           || rfl_str_caseeq(url.host, rfl_cstr("localhost"))
           || rfl_is_own_host(&url, rfl_str(NULL, 0), &reg->server_names)
           || rfl_is_own_host(&url, rfl_str(NULL, 0), &rmcf->write_names);
}


/*
 * W3C Fetch Metadata: "same-origin" is our own page, "none" the user; what is
 * sent without it is no browser, or one on plain http, which asks before it
 * sends JSON elsewhere, and is told no.
 */

static ngx_uint_t
ngx_http_referral_api_same_site(ngx_http_request_t *r)
{
    rfl_str_t         value;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static const rfl_str_t  name = rfl_string("Sec-Fetch-Site");

    part = &r->headers_in.headers.part;

    for ( /* void */ ; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!rfl_str_caseeq(ngx_http_referral_str(&h[i].key), name)) {
                continue;
            }

            value = ngx_http_referral_str(&h[i].value);

            if (!rfl_str_eq(value, rfl_cstr("same-origin"))
                && !rfl_str_eq(value, rfl_cstr("none")))
            {
                return 0;
            }
        }
    }

    return 1;
}


/*
 * Who asks for one version is told no before anything is done (RFC 9110, 13).
 * nginx looks at these too, when it sends a 200: the write would be done then.
 * As it does, and the RFC does not, a time is a condition where there is none
 * to compare.
 */

static ngx_uint_t
ngx_http_referral_api_holds(ngx_http_request_t *r)
{
    static const rfl_str_t  any = rfl_string("*");

    return (r->headers_in.if_match == NULL
            || rfl_str_eq(ngx_http_referral_str(
                              &r->headers_in.if_match->value), any))
           && (r->headers_in.if_none_match == NULL
               || !rfl_str_eq(ngx_http_referral_str(
                                  &r->headers_in.if_none_match->value), any))
           && r->headers_in.if_unmodified_since == NULL;
}


/* What follows ";" is not looked at: JSON is UTF-8, whatever it says. */

static ngx_uint_t
ngx_http_referral_api_is_json(ngx_http_request_t *r)
{
    u_char     *end;
    rfl_str_t   type;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = ngx_http_referral_str(&r->headers_in.content_type->value);

    end = ngx_strlchr((u_char *) type.data, (u_char *) type.data + type.len,
                      ';');
    if (end != NULL) {
        type.len = end - type.data;
    }

    return rfl_str_caseeq(rfl_str_trim(type), rfl_cstr("application/json"));
}


/* A client that waits for a "100 Continue" is told no, and sends no body. */

static ngx_int_t
ngx_http_referral_api_refuse(ngx_http_request_t *r, rfl_view_error_t *error)
{
    if (r->headers_in.expect != NULL && !r->expect_tested) {
        r->expect_tested = 1;
        r->keepalive = 0;
    }

    if (error->status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_referral_status_push(r, "Retry-After", "1") == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_referral_status_error(r, error);
}


static void
ngx_http_referral_api_cleanup(void *data)
{
    ngx_http_referral_api_ctx_t  *ctx = data;

    rfl_write_free(ctx->write);
}


static void
ngx_http_referral_api_body(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_referral_api_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_referral_module);

    rc = ngx_http_referral_api_put(r, ctx);

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


/* NGX_DONE: it waits.  Else what to end the request with. */

static ngx_int_t
ngx_http_referral_api_put(ngx_http_request_t *r,
    ngx_http_referral_api_ctx_t *ctx)
{
    rfl_write_t                   *write;
    rfl_view_error_t               error;
    ngx_connection_t              *c;
    ngx_http_referral_registry_t  *reg;

    reg = ctx->registry;

    write = ngx_http_referral_api_write(r, ctx);
    if (write == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (write->body_len > NGX_HTTP_REFERRAL_BODY_MAX) {
        rfl_write_free(write);

        (void) rfl_query_refuse(&error, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                "BodyTooLarge", "the body is larger than %d "
                                "bytes", NGX_HTTP_REFERRAL_BODY_MAX);

        return ngx_http_referral_api_refuse(r, &error);
    }

    if (rfl_writer_put(reg->writer, write) != RFL_OK) {
        rfl_write_free(write);

        (void) rfl_query_refuse(&error, NGX_HTTP_SERVICE_UNAVAILABLE,
                                "WriterBusy", "%d writes wait already: try "
                                "again", RFL_WRITER_QUEUE);

        return ngx_http_referral_api_refuse(r, &error);
    }

    r->main->blocked++;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_referral_api_answer;

    ctx->put = write;
    ngx_queue_insert_tail(&reg->writes, &ctx->queue);

    /* a worker that shuts down leaves as soon as it has no timer */

    c = reg->writer_connection;

    if (!c->read->timer_set) {
        ngx_add_timer(c->read, NGX_HTTP_REFERRAL_API_WAIT);
    }

    return NGX_DONE;
}


static rfl_write_t *
ngx_http_referral_api_write(ngx_http_request_t *r,
    ngx_http_referral_api_ctx_t *ctx)
{
    rfl_write_t  *write;

    write = rfl_write_create();
    if (write == NULL) {
        return NULL;
    }

    write->edit = ctx->edit;
    write->data = ctx;

    if (ngx_http_referral_api_copy_body(r, write) != NGX_OK
        || ngx_http_referral_api_copy_counters(&ctx->registry->runtime, write)
           != NGX_OK)
    {
        rfl_write_free(write);
        return NULL;
    }

    return write;
}


/*
 * nginx keeps a body in memory, or all of it in a temporary file.  That is the
 * thread's to read, by a descriptor of its own.
 */

static ngx_int_t
ngx_http_referral_api_copy_body(ngx_http_request_t *r, rfl_write_t *write)
{
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *bufs;

    bufs = r->request_body != NULL ? r->request_body->bufs : NULL;

    for (cl = bufs; cl != NULL; cl = cl->next) {
        write->body_len += ngx_buf_size(cl->buf);
    }

    if (bufs == NULL || write->body_len == 0
        || write->body_len > NGX_HTTP_REFERRAL_BODY_MAX)
    {
        return NGX_OK;
    }

    b = bufs->buf;

    if (bufs->next == NULL && !ngx_buf_in_memory(b)) {
        write->fd = fcntl(b->file->fd, F_DUPFD_CLOEXEC, 0);
        write->offset = b->file_pos;

        return write->fd != -1 ? NGX_OK : NGX_ERROR;
    }

    p = malloc(write->body_len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    write->body = p;

    for (cl = bufs; cl != NULL; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);

        } else if (ngx_buf_size(b) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Where this process counts now: new links get their cells there. */

static ngx_int_t
ngx_http_referral_api_copy_counters(rfl_runtime_t *rt, rfl_write_t *write)
{
    if (rt->counters == NULL) {
        return NGX_OK;
    }

    write->counters = strdup(rt->counters == rt->memory ? ""
                             : rt->counters->path);

    return write->counters != NULL ? NGX_OK : NGX_ERROR;
}


void
ngx_http_referral_api_start(ngx_cycle_t *cycle,
    ngx_http_referral_registry_t *reg)
{
    int                fd;
    rfl_error_t        err;
    ngx_connection_t  *c;

    ngx_queue_init(&reg->writes);

    if (rfl_writer_start(&reg->writer, &reg->conf, &err) != RFL_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "referral registry \"%V\": %s", &reg->name, err.text);
        return;
    }

    /* the writer's own descriptor may be in use longer than ours */

    fd = fcntl(rfl_writer_fd(reg->writer), F_DUPFD_CLOEXEC, 0);
    c = fd != -1 ? ngx_get_connection(fd, cycle->log) : NULL;

    if (c == NULL) {
        if (fd != -1) {
            (void) close(fd);
        }

        goto failed;
    }

    c->data = reg;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_http_referral_api_done;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_close_connection(c);
        goto failed;
    }

    reg->writer_connection = c;

    return;

failed:

    ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                  "referral registry \"%V\": no connection for its writer, "
                  "nothing can be written", &reg->name);

    rfl_writer_ask(reg->writer);
    rfl_writer_join(reg->writer, rfl_clock_ms() + RFL_KEEPER_EXIT_MS);
    reg->writer = NULL;
}


/* See rfl_keeper_ask() and rfl_keeper_join(). */

void
ngx_http_referral_api_ask(ngx_http_referral_registry_t *reg)
{
    if (reg->writer_connection != NULL) {
        ngx_close_connection(reg->writer_connection);
        reg->writer_connection = NULL;
    }

    if (reg->writer != NULL) {
        rfl_writer_ask(reg->writer);
    }
}


void
ngx_http_referral_api_join(ngx_http_referral_registry_t *reg,
    uint64_t deadline_ms)
{
    if (reg->writer != NULL) {
        rfl_writer_join(reg->writer, deadline_ms);
        reg->writer = NULL;
    }
}


/* Writes are done, or it is time to look whether some wait still. */

static void
ngx_http_referral_api_done(ngx_event_t *ev)
{
    eventfd_t                      n;
    rfl_write_t                   *write;
    ngx_connection_t              *c;
    ngx_http_referral_api_ctx_t   *ctx;
    ngx_http_referral_registry_t  *reg;

    c = ev->data;
    reg = c->data;

    ev->timedout = 0;

    (void) eventfd_read(c->fd, &n);
    ev->ready = 0;

    while ((write = rfl_writer_take(reg->writer)) != NULL) {
        ctx = write->data;

        if (ctx == NULL) {
            rfl_write_free(write);
            continue;
        }

        ctx->write = write;
        ngx_http_referral_api_release(ctx);
    }

    if (c->close) {
        ngx_http_referral_api_abandon(reg);
    }

    if (ngx_queue_empty(&reg->writes)) {

        if (ev->timer_set) {
            ngx_del_timer(ev);
        }

    } else if (!ev->timer_set) {
        ngx_add_timer(ev, NGX_HTTP_REFERRAL_API_WAIT);
    }

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "referral registry \"%V\": its writer cannot be heard",
                      &reg->name);
    }
}


/* worker_shutdown_timeout has passed: all requests are to end. */

static void
ngx_http_referral_api_abandon(ngx_http_referral_registry_t *reg)
{
    ngx_http_referral_api_ctx_t  *ctx;

    while (!ngx_queue_empty(&reg->writes)) {
        ctx = ngx_queue_data(ngx_queue_head(&reg->writes),
                             ngx_http_referral_api_ctx_t, queue);

        ctx->put->data = NULL;
        ctx->abandoned = 1;
        ngx_http_referral_api_release(ctx);
    }
}


/* Its handler answers, or, where nginx has given the request up, ends it. */

static void
ngx_http_referral_api_release(ngx_http_referral_api_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_queue_remove(&ctx->queue);
    r->main->blocked--;

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_referral_api_answer(ngx_http_request_t *r)
{
    ngx_http_referral_api_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_referral_module);

    if (ctx->write != NULL) {
        ngx_http_finalize_request(r, ngx_http_referral_api_send(r,
                                                                ctx->write));
        return;
    }

    /* no other event may come: a stream of HTTP/2 is no connection to nginx */

    if (ctx->abandoned) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


/* The text stays where it is: ctx's cleanup frees it with the request. */

static ngx_int_t
ngx_http_referral_api_send(ngx_http_request_t *r, rfl_write_t *write)
{
    rfl_buf_t         *text;
    ngx_int_t          rc;
    ngx_buf_t         *b;
    ngx_chain_t        out;
    rfl_view_error_t  *result;

    text = &write->answer.text;
    result = &write->answer.result;

    if (result->status >= NGX_HTTP_BAD_REQUEST) {

        if (result->status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "referral write: %s", result->text);
        }

        return ngx_http_referral_api_refuse(r, result);
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_referral_status_header(r, result->status, text->len);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
