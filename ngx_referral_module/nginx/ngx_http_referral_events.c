
/*
 * /events: a stream for each client, over core's feed.
 *
 * Nothing tells a worker that another one has logged a request: while there
 * are clients one timer looks at the rings for all of them, and then each is
 * served in a turn of the event loop of its own, a step of its feed at a time.
 * A client that is slow is passed over until it has taken what it was sent.
 *
 * The timer is not cancelable: a worker that shuts down stays until it fires
 * once more, so that each stream ends with its last chunk.  Who has not taken
 * that a second later is left.
 */


#include "ngx_http_referral.h"

#include "rfl_feed.h"


#define NGX_HTTP_REFERRAL_EVENTS_CLIENTS  64
#define NGX_HTTP_REFERRAL_EVENTS_POLL     100
#define NGX_HTTP_REFERRAL_EVENTS_LEAVE    1000
#define NGX_HTTP_REFERRAL_EVENTS_RETRY    "5"


typedef struct {
    ngx_queue_t                      queue;
    ngx_http_request_t              *request;
    rfl_feed_t                      *feed;
    rfl_buf_t                        text;

    ngx_chain_t                     *free;
    ngx_chain_t                     *busy;

    unsigned                         queued:1;
    unsigned                         due:1;      /* there may be news */
    unsigned                         ended:1;    /* the last chunk was sent */
} ngx_http_referral_events_ctx_t;


static ngx_int_t ngx_http_referral_events_open(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx, const rfl_view_request_t *request);
static ngx_http_referral_events_ctx_t *ngx_http_referral_events_create_ctx(
    ngx_http_request_t *r);
static void ngx_http_referral_events_cleanup(void *data);
static void ngx_http_referral_events_leave(
    ngx_http_referral_events_ctx_t *ctx);
static void ngx_http_referral_events_finalize(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx, ngx_int_t rc);
static ngx_uint_t ngx_http_referral_events_is_ours(
    ngx_http_referral_events_ctx_t *ctx);
static ngx_int_t ngx_http_referral_events_header(ngx_http_request_t *r);
static void ngx_http_referral_events_enter(
    ngx_http_referral_events_ctx_t *ctx);
static void ngx_http_referral_events_poll(ngx_event_t *ev);
static void ngx_http_referral_events_turn(ngx_event_t *ev);
static ngx_http_referral_events_ctx_t *ngx_http_referral_events_due(void);
static void ngx_http_referral_events_step(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx);
static void ngx_http_referral_events_end(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx);
static void ngx_http_referral_events_write(ngx_http_request_t *r);
static ngx_int_t ngx_http_referral_events_send(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx);
static ngx_int_t ngx_http_referral_events_wait(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx);


/* Of this process. */

static ngx_queue_t       ngx_http_referral_events_clients;
static ngx_uint_t        ngx_http_referral_events_nclients;
static ngx_event_t       ngx_http_referral_events_timer;
static ngx_event_t       ngx_http_referral_events_next;
static ngx_connection_t  ngx_http_referral_events_connection;
static ngx_msec_t        ngx_http_referral_events_leaving;   /* 0: it stays */


/* GET or HEAD, without a body: the status handler has seen to that. */

ngx_int_t
ngx_http_referral_events_handler(ngx_http_request_t *r,
    const rfl_view_request_t *request)
{
    ngx_int_t                        rc;
    ngx_http_referral_events_ctx_t  *ctx;

    ctx = ngx_http_referral_events_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_referral_events_open(r, ctx, request);
    if (rc != NGX_OK || ctx->feed == NULL) {
        return rc;
    }

    rc = ngx_http_referral_events_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_referral_events_write;

    r->main->count++;

    ngx_http_referral_events_enter(ctx);

    return NGX_DONE;
}


/* NGX_OK without a feed: the answer is an error, and was sent. */

static ngx_int_t
ngx_http_referral_events_open(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx, const rfl_view_request_t *request)
{
    rfl_rc_t          rc;
    rfl_view_error_t  error;

    rc = rfl_feed_open(&ctx->feed, request, ngx_time(), ngx_current_msec,
                       &error);

    if (rc == RFL_OK
        && ngx_http_referral_events_nclients
           < NGX_HTTP_REFERRAL_EVENTS_CLIENTS)
    {
        return NGX_OK;
    }

    if (rc == RFL_OK) {
        rfl_feed_close(ctx->feed);
        ctx->feed = NULL;

        (void) rfl_query_refuse(&error, NGX_HTTP_SERVICE_UNAVAILABLE,
                                "EventsBusy",
                                "this worker has %d clients of /events, and "
                                "takes no more",
                                NGX_HTTP_REFERRAL_EVENTS_CLIENTS);

        if (ngx_http_referral_status_push(r, "Retry-After",
                                          NGX_HTTP_REFERRAL_EVENTS_RETRY)
            == NULL)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_referral_status_error(r, &error);
}


static ngx_http_referral_events_ctx_t *
ngx_http_referral_events_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t              *cln;
    ngx_http_referral_events_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool,
                               sizeof(ngx_http_referral_events_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_referral_events_ctx_t));

    ctx->request = r;

    cln->handler = ngx_http_referral_events_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_referral_module);

    return ctx;
}


static void
ngx_http_referral_events_cleanup(void *data)
{
    ngx_http_referral_events_ctx_t  *ctx = data;

    ngx_http_referral_events_leave(ctx);

    rfl_feed_close(ctx->feed);
    rfl_buf_free(&ctx->text);
}


/* Whoever leaves last takes the timer along. */

static void
ngx_http_referral_events_leave(ngx_http_referral_events_ctx_t *ctx)
{
    if (!ctx->queued) {
        return;
    }

    ctx->queued = 0;
    ngx_queue_remove(&ctx->queue);
    ngx_http_referral_events_nclients--;

    if (ngx_http_referral_events_nclients != 0) {
        return;
    }

    if (ngx_http_referral_events_timer.timer_set) {
        ngx_del_timer(&ngx_http_referral_events_timer);
    }

    if (ngx_http_referral_events_next.posted) {
        ngx_delete_posted_event(&ngx_http_referral_events_next);
    }
}


/*
 * Once: nginx may keep the request for long, for what the client may send still
 * (lingering_close), or because others hold it.
 */

static void
ngx_http_referral_events_finalize(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx, ngx_int_t rc)
{
    ngx_http_referral_events_leave(ctx);
    ngx_http_finalize_request(r, rc);
}


/* nginx may have ended it, or sent it elsewhere (post_action), without us. */

static ngx_uint_t
ngx_http_referral_events_is_ours(ngx_http_referral_events_ctx_t *ctx)
{
    return ctx->request->write_event_handler == ngx_http_referral_events_write;
}


/* Another nginx in front of this one would keep events until it has a page. */

static ngx_int_t
ngx_http_referral_events_header(ngx_http_request_t *r)
{
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;

    ngx_str_set(&r->headers_out.content_type, "text/event-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_referral_status_push(r, "Cache-Control", "no-store") == NULL
        || ngx_http_referral_status_push(r, "X-Content-Type-Options",
                                         "nosniff")
           == NULL
        || ngx_http_referral_status_push(r, "X-Accel-Buffering", "no")
           == NULL)
    {
        return NGX_ERROR;
    }

    return ngx_http_send_header(r);
}


static void
ngx_http_referral_events_enter(ngx_http_referral_events_ctx_t *ctx)
{
    ngx_event_t  *timer, *next;

    timer = &ngx_http_referral_events_timer;
    next = &ngx_http_referral_events_next;

    if (ngx_http_referral_events_nclients == 0) {
        ngx_queue_init(&ngx_http_referral_events_clients);

        ngx_http_referral_events_connection.fd = (ngx_socket_t) -1;

        timer->handler = ngx_http_referral_events_poll;
        timer->data = &ngx_http_referral_events_connection;
        timer->log = ngx_cycle->log;

        next->handler = ngx_http_referral_events_turn;
        next->data = &ngx_http_referral_events_connection;
        next->log = ngx_cycle->log;

        ngx_add_timer(timer, NGX_HTTP_REFERRAL_EVENTS_POLL);
    }

    ngx_queue_insert_tail(&ngx_http_referral_events_clients, &ctx->queue);
    ngx_http_referral_events_nclients++;

    ctx->queued = 1;
    ctx->due = 1;

    ngx_post_event(next, &ngx_posted_events);
}


static void
ngx_http_referral_events_poll(ngx_event_t *ev)
{
    ngx_queue_t                     *q;
    ngx_http_referral_events_ctx_t  *ctx;

    if (ngx_exiting && ngx_http_referral_events_leaving == 0) {
        ngx_http_referral_events_leaving = ngx_current_msec
                                           + NGX_HTTP_REFERRAL_EVENTS_LEAVE;
    }

    for (q = ngx_queue_head(&ngx_http_referral_events_clients);
         q != ngx_queue_sentinel(&ngx_http_referral_events_clients);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_referral_events_ctx_t, queue);
        ctx->due = 1;
    }

    ngx_add_timer(ev, NGX_HTTP_REFERRAL_EVENTS_POLL);

    ngx_post_event(&ngx_http_referral_events_next, &ngx_posted_events);
}


/* One client, one step. */

static void
ngx_http_referral_events_turn(ngx_event_t *ev)
{
    ngx_connection_t                *c;
    ngx_http_request_t              *r;
    ngx_http_referral_events_ctx_t  *ctx;

    ctx = ngx_http_referral_events_due();

    if (ctx == NULL) {
        return;
    }

    r = ctx->request;
    c = r->connection;

    /* behind the others, whether it has all now or not */

    ctx->due = 0;
    ngx_queue_remove(&ctx->queue);
    ngx_queue_insert_tail(&ngx_http_referral_events_clients, &ctx->queue);

    if (!ngx_http_referral_events_is_ours(ctx)) {
        ngx_http_referral_events_leave(ctx);

    } else if (ngx_exiting) {
        ngx_http_referral_events_end(r, ctx);

    } else if (ctx->busy == NULL) {
        ngx_http_referral_events_step(r, ctx);
    }

    ngx_http_run_posted_requests(c);

    if (ngx_http_referral_events_nclients != 0
        && ngx_http_referral_events_due() != NULL)
    {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


static ngx_http_referral_events_ctx_t *
ngx_http_referral_events_due(void)
{
    ngx_queue_t                     *q;
    ngx_http_referral_events_ctx_t  *ctx;

    for (q = ngx_queue_head(&ngx_http_referral_events_clients);
         q != ngx_queue_sentinel(&ngx_http_referral_events_clients);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_referral_events_ctx_t, queue);

        if (ctx->due) {
            return ctx;
        }
    }

    return NULL;
}


static void
ngx_http_referral_events_step(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx)
{
    rfl_rc_t  rc;

    ctx->text.len = 0;

    rc = rfl_feed_step(ctx->feed, ngx_time(), ngx_current_msec, &ctx->text);

    if (rc != RFL_OK && rc != RFL_BUSY) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "referral events: out of memory, the stream is cut");
        ngx_http_referral_events_finalize(r, ctx, NGX_ERROR);
        return;
    }

    ctx->due = (rc == RFL_BUSY);

    if (ctx->text.len == 0) {
        return;
    }

    if (ngx_http_referral_events_send(r, ctx) == NGX_ERROR
        || ngx_http_referral_events_wait(r, ctx) != NGX_OK)
    {
        ngx_http_referral_events_finalize(r, ctx, NGX_ERROR);
    }
}


/*
 * The last chunk, behind what the client has still to take.  Left to nginx's
 * own writer it could hold up the worker for as long as send_timeout.
 */

static void
ngx_http_referral_events_end(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx)
{
    if (!ctx->ended && ctx->busy == NULL) {
        ctx->ended = 1;

        if (ngx_http_send_special(r, NGX_HTTP_LAST) == NGX_ERROR) {
            ngx_http_referral_events_finalize(r, ctx, NGX_ERROR);
            return;
        }
    }

    if (ctx->ended && !r->buffered && !r->connection->buffered) {
        ngx_http_referral_events_finalize(r, ctx, NGX_OK);
        return;
    }

    if (ngx_http_referral_events_leaving != 0
        && (ngx_msec_int_t) (ngx_current_msec
                             - ngx_http_referral_events_leaving)
           >= 0)
    {
        ngx_http_referral_events_finalize(r, ctx, NGX_ERROR);
    }
}


/* The client can take more; what there is for it then is seen to in turn. */

static void
ngx_http_referral_events_write(ngx_http_request_t *r)
{
    ngx_event_t                     *wev;
    ngx_http_referral_events_ctx_t  *ctx;

    wev = r->connection->write;
    ctx = ngx_http_get_module_ctx(r, ngx_http_referral_module);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "client timed out");
        r->connection->timedout = 1;
        ngx_http_referral_events_finalize(r, ctx, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (ctx->busy != NULL || ctx->ended) {

        if (ngx_http_referral_events_send(r, ctx) == NGX_ERROR) {
            ngx_http_referral_events_finalize(r, ctx, NGX_ERROR);
            return;
        }
    }

    if (ngx_http_referral_events_wait(r, ctx) != NGX_OK) {
        ngx_http_referral_events_finalize(r, ctx, NGX_ERROR);
        return;
    }

    if (ctx->ended) {
        ngx_http_referral_events_end(r, ctx);
    }
}


/*
 * Sends what was rendered, or with a buffer still busy, goes on sending it.
 * Each buffer is flushed, through gzip too: events must not wait for others.
 */

static ngx_int_t
ngx_http_referral_events_send(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *out;

    out = NULL;

    if (ctx->busy == NULL && !ctx->ended) {

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
        b->memory = 1;
        b->flush = 1;
        b->tag = (ngx_buf_tag_t) &ngx_http_referral_module;
    }

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_referral_module);

    return rc;
}


/* A client that takes nothing for send_timeout is let go. */

static ngx_int_t
ngx_http_referral_events_wait(ngx_http_request_t *r,
    ngx_http_referral_events_ctx_t *ctx)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {

        if (ctx->busy != NULL) {
            ngx_add_timer(wev, clcf->send_timeout);

        } else if (wev->timer_set) {
            ngx_del_timer(wev);
        }
    }

    return ngx_handle_write_event(wev, clcf->send_lowat);
}


/* The process ends at once, or leaves what the streams read. */

void
ngx_http_referral_events_close(void)
{
    ngx_queue_t                     *q;
    ngx_http_referral_events_ctx_t  *ctx;

    if (ngx_http_referral_events_nclients == 0) {
        return;
    }

    if (ngx_http_referral_events_timer.timer_set) {
        ngx_del_timer(&ngx_http_referral_events_timer);
    }

    if (ngx_http_referral_events_next.posted) {
        ngx_delete_posted_event(&ngx_http_referral_events_next);
    }

    for (q = ngx_queue_head(&ngx_http_referral_events_clients);
         q != ngx_queue_sentinel(&ngx_http_referral_events_clients);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_referral_events_ctx_t, queue);

        if (ngx_http_referral_events_is_ours(ctx)
            && !ctx->ended && ctx->busy == NULL)
        {
            ctx->ended = 1;
            (void) ngx_http_send_special(ctx->request, NGX_HTTP_LAST);
        }
    }
}
