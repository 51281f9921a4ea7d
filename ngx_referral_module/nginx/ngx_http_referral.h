
/*
 * The glue's own header: three structs, three lifetimes.
 *
 *     ngx_http_referral_registry_t    one configuration cycle; its runtime
 *                                     lives in each process
 *     ngx_http_referral_loc_conf_t    one location
 *     rfl_attribution_t               one request
 *
 * What outlives the cycle is in the counter file and in LMDB, behind core.
 */


#ifndef _NGX_HTTP_REFERRAL_H_INCLUDED_
#define _NGX_HTTP_REFERRAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "rfl_agent.h"
#include "rfl_keeper.h"
#include "rfl_view.h"
#include "rfl_writer.h"


#define NGX_HTTP_REFERRAL_BOT_OFF    0
#define NGX_HTTP_REFERRAL_BOT_ON     1
#define NGX_HTTP_REFERRAL_BOT_VALUE  2


/* What the log was told last. */

typedef struct {
    rfl_rc_t                         rc;
    time_t                           time;
    unsigned                         logged:1;    /* a fault, not yet over */
} ngx_http_referral_told_t;


typedef struct {
    ngx_str_t                        name;
    ngx_str_t                        path;

    ngx_array_t                      servers;     /* that count into it */
    rfl_own_hosts_t                  server_names;

    rfl_runtime_conf_t               conf;
    rfl_runtime_t                    runtime;     /* of this process */
    rfl_keeper_t                    *keeper;      /* of this process */
    ngx_event_t                      tick;
    ngx_connection_t                 tick_connection;

    rfl_keeper_t                    *last_flush;  /* while it leaves */

    rfl_writer_t                    *writer;      /* of this process */
    ngx_connection_t                *writer_connection;
    ngx_queue_t                      writes;      /* requests that wait */

    ngx_http_referral_told_t         told;        /* of the worker's part */
    ngx_http_referral_told_t         keeper_told;
    ngx_http_referral_told_t         source_told;

    /* where it is named first: what an error message points at */
    ngx_str_t                        directive;
    u_char                          *file;
    ngx_uint_t                       line;
    unsigned                         defined:1;
    unsigned                         default_counters:1;
    unsigned                         write:1;     /* by a status location */
} ngx_http_referral_registry_t;


typedef struct {
    ngx_array_t                      registries;  /* of pointers */
    rfl_runtime_t                  **runtimes;    /* for "all" */
    ngx_array_t                      write_servers;  /* with write=on */
    rfl_own_hosts_t                  write_names;
    unsigned                         write_all:1;
    unsigned                         status_all:1;
} ngx_http_referral_main_conf_t;


typedef struct {
    ngx_http_referral_registry_t    *registry;    /* NULL: off */
    ngx_http_complex_value_t        *filter;      /* if= */

    ngx_array_t                     *own_hosts_array;
    rfl_own_hosts_t                  own_hosts;

    ngx_array_t                     *tags_array;  /* of rfl_str_t */
    rfl_names_t                      tags;

    ngx_http_complex_value_t        *host;        /* NULL: the request's */

    ngx_uint_t                       bot;
    ngx_http_complex_value_t        *bot_value;

    ngx_http_referral_registry_t    *status;
    rfl_runtime_t                   *status_runtime;
    unsigned                         status_all:1;
    unsigned                         status_write:1;
} ngx_http_referral_loc_conf_t;


extern ngx_module_t  ngx_http_referral_module;


/* ngx_http_referral_request.c */

ngx_int_t ngx_http_referral_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_http_referral_log_handler(ngx_http_request_t *r);
void ngx_http_referral_init_requests(void);      /* in each process */


/* ngx_http_referral_keeper.c: how processes begin, tick and end */

ngx_int_t ngx_http_referral_init_module(ngx_cycle_t *cycle);
ngx_int_t ngx_http_referral_init_process(ngx_cycle_t *cycle);
void ngx_http_referral_exit_process(ngx_cycle_t *cycle);
ngx_msec_t ngx_http_referral_manager(void *data);
ngx_int_t ngx_http_referral_look_handler(ngx_http_request_t *r);


/* ngx_http_referral_status.c */

ngx_int_t ngx_http_referral_status_handler(ngx_http_request_t *r);
ngx_table_elt_t *ngx_http_referral_status_push(ngx_http_request_t *r,
    char *name, char *value);
ngx_int_t ngx_http_referral_status_error(ngx_http_request_t *r,
    rfl_view_error_t *error);
ngx_int_t ngx_http_referral_status_header(ngx_http_request_t *r,
    ngx_uint_t status, off_t length);


/* ngx_http_referral_api.c */

ngx_int_t ngx_http_referral_api_handler(ngx_http_request_t *r,
    const rfl_view_request_t *request);
void ngx_http_referral_api_start(ngx_cycle_t *cycle,
    ngx_http_referral_registry_t *reg);
void ngx_http_referral_api_ask(ngx_http_referral_registry_t *reg);
void ngx_http_referral_api_join(ngx_http_referral_registry_t *reg,
    uint64_t deadline_ms);


/* ngx_http_referral_events.c */

ngx_int_t ngx_http_referral_events_handler(ngx_http_request_t *r,
    const rfl_view_request_t *request);
void ngx_http_referral_events_close(void);


/* Made of dashboard/ by tools/embed-dashboard. */

extern ngx_str_t  ngx_http_referral_page;
extern ngx_str_t  ngx_http_referral_page_csp;


static ngx_inline rfl_str_t
ngx_http_referral_str(ngx_str_t *s)
{
    return rfl_str(s->data, s->len);
}


#endif /* _NGX_HTTP_REFERRAL_H_INCLUDED_ */
