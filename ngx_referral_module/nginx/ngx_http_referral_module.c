
/*
 * The directives of ngx_http_referral_module, and how they are wired.
 */


#include "ngx_http_referral.h"

#include <dirent.h>


static void *ngx_http_referral_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_referral_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_referral_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_referral_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_referral_check(ngx_conf_t *cf,
    ngx_http_referral_main_conf_t *rmcf);
static ngx_uint_t ngx_http_referral_has_all(
    ngx_http_referral_main_conf_t *rmcf);
static ngx_int_t ngx_http_referral_add_server(ngx_conf_t *cf,
    ngx_array_t *list);
static ngx_int_t ngx_http_referral_server_names(ngx_conf_t *cf,
    ngx_array_t *of, rfl_own_hosts_t *names);
static ngx_int_t ngx_http_referral_server_name(ngx_conf_t *cf,
    ngx_array_t *hosts, ngx_http_server_name_t *name);
static ngx_int_t ngx_http_referral_add_host(ngx_conf_t *cf,
    ngx_array_t *hosts, rfl_str_t text, rfl_error_t *err);

static char *ngx_http_referral_registry(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_uint_t ngx_http_referral_is_name(ngx_str_t *name);
static char *ngx_http_referral_registry_option(ngx_conf_t *cf,
    ngx_http_referral_registry_t *reg, ngx_str_t *option);
static char *ngx_http_referral_invalid(ngx_conf_t *cf, ngx_str_t *option);
static char *ngx_http_referral_counters(ngx_conf_t *cf,
    ngx_http_referral_registry_t *reg, ngx_str_t *option);
static char *ngx_http_referral_source(ngx_conf_t *cf,
    ngx_http_referral_registry_t *reg, ngx_str_t *option);
static char *ngx_http_referral_number(ngx_conf_t *cf, ngx_str_t *option,
    ngx_int_t value, ngx_int_t min, ngx_int_t max);
static char *ngx_http_referral_keep(ngx_conf_t *cf, ngx_str_t *option,
    ngx_str_t *text, uint64_t min, const char *min_text, uint64_t *seconds);
static char *ngx_http_referral_path(ngx_conf_t *cf,
    ngx_http_referral_registry_t *reg);
static ngx_uint_t ngx_http_referral_shares_path(ngx_conf_t *cf,
    ngx_http_referral_registry_t *reg);
static char *ngx_http_referral_add_path(ngx_conf_t *cf,
    ngx_http_referral_registry_t *reg);
static ngx_uint_t ngx_http_referral_same_path(
    ngx_http_referral_registry_t *one, ngx_http_referral_registry_t *two);
static ngx_int_t ngx_http_referral_path_usable(ngx_str_t *path);
static ngx_uint_t ngx_http_referral_is_systems(ngx_str_t *path);
static char *ngx_http_referral(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_referral_own_hosts(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_referral_tag(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_referral_host(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_referral_bot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_referral_complex_value(ngx_conf_t *cf,
    ngx_str_t *text, ngx_http_complex_value_t **value);
static char *ngx_http_referral_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_referral_status_option(ngx_conf_t *cf,
    ngx_http_referral_loc_conf_t *rlcf, ngx_str_t *option);
static ngx_http_referral_registry_t *ngx_http_referral_get_registry(
    ngx_conf_t *cf, ngx_str_t *name);


static ngx_command_t  ngx_http_referral_commands[] = {

    { ngx_string("referral_registry"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_referral_registry,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("referral"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_referral,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("referral_tag"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_referral_tag,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("referral_own_hosts"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_referral_own_hosts,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("referral_host"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_referral_host,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("referral_bot"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_referral_bot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("referral_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_referral_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static const rfl_str_t  ngx_http_referral_default_tag = rfl_string("ref");


static ngx_http_module_t  ngx_http_referral_module_ctx = {
    ngx_http_referral_add_variables,       /* preconfiguration */
    ngx_http_referral_init,                /* postconfiguration */

    ngx_http_referral_create_main_conf,    /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_referral_create_loc_conf,     /* create location configuration */
    ngx_http_referral_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_referral_module = {
    NGX_MODULE_V1,
    &ngx_http_referral_module_ctx,         /* module context */
    ngx_http_referral_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_referral_init_module,         /* init module */
    ngx_http_referral_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_referral_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_referral_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_referral_main_conf_t  *rmcf;

    rmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_referral_main_conf_t));
    if (rmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&rmcf->registries, cf->pool, 1,
                       sizeof(ngx_http_referral_registry_t *))
        != NGX_OK
        || ngx_array_init(&rmcf->write_servers, cf->pool, 1,
                          sizeof(ngx_http_core_srv_conf_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return rmcf;
}


static void *
ngx_http_referral_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_referral_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_referral_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->own_hosts = { NULL, 0 };
     *     conf->tags = { NULL, 0 };
     *     conf->bot_value = NULL;
     *     conf->status = NULL;
     *     conf->status_runtime = NULL;
     *     conf->status_all = 0;
     *     conf->status_write = 0;
     */

    conf->registry = NGX_CONF_UNSET_PTR;
    conf->filter = NGX_CONF_UNSET_PTR;
    conf->own_hosts_array = NGX_CONF_UNSET_PTR;
    conf->tags_array = NGX_CONF_UNSET_PTR;
    conf->host = NGX_CONF_UNSET_PTR;
    conf->bot = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_referral_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_referral_loc_conf_t  *prev = parent;
    ngx_http_referral_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_referral_main_conf_t  *rmcf;

    /* readers of the status are no visitors */

    if (conf->registry == NGX_CONF_UNSET_PTR
        && (conf->status != NULL || conf->status_all))
    {
        conf->registry = NULL;
        conf->filter = NULL;
    }

    /* if= belongs to the registry it was written beside */

    if (conf->registry == NGX_CONF_UNSET_PTR) {
        conf->filter = prev->filter;
    }

    ngx_conf_merge_ptr_value(conf->registry, prev->registry, NULL);
    ngx_conf_merge_ptr_value(conf->filter, NULL, NULL);
    ngx_conf_merge_ptr_value(conf->own_hosts_array, prev->own_hosts_array,
                             NULL);

    ngx_conf_merge_ptr_value(conf->tags_array, prev->tags_array, NULL);

    ngx_conf_merge_ptr_value(conf->host, prev->host, NULL);

    if (conf->bot == NGX_CONF_UNSET_UINT) {
        conf->bot_value = prev->bot_value;
    }

    ngx_conf_merge_uint_value(conf->bot, prev->bot, NGX_HTTP_REFERRAL_BOT_ON);

    if (conf->own_hosts_array != NULL) {
        conf->own_hosts.hosts = conf->own_hosts_array->elts;
        conf->own_hosts.n = conf->own_hosts_array->nelts;
    }

    if (conf->tags_array != NULL) {
        conf->tags.names = conf->tags_array->elts;
        conf->tags.n = conf->tags_array->nelts;

    } else {
        conf->tags.names = &ngx_http_referral_default_tag;
        conf->tags.n = 1;
    }

    if (conf->registry != NULL
        && ngx_http_referral_add_server(cf, &conf->registry->servers)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->status_write) {
        rmcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_referral_module);

        if (ngx_http_referral_add_server(cf, &rmcf->write_servers)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    /*
     * "if" and "limit_except" in a status location are that location, unless
     * they have a handler of their own.
     */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && clcf->handler == NULL
        && (prev->status != NULL || prev->status_all))
    {
        conf->status = prev->status;
        conf->status_runtime = prev->status_runtime;
        conf->status_all = prev->status_all;
        conf->status_write = prev->status_write;

        clcf->handler = ngx_http_referral_status_handler;
    }

    return NGX_CONF_OK;
}


/* Each location of a server comes here: the server is noted once. */

static ngx_int_t
ngx_http_referral_add_server(ngx_conf_t *cf, ngx_array_t *list)
{
    ngx_http_core_srv_conf_t  *cscf, **servers;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    servers = list->elts;

    if (list->nelts != 0 && servers[list->nelts - 1] == cscf) {
        return NGX_OK;
    }

    servers = ngx_array_push(list);
    if (servers == NULL) {
        return NGX_ERROR;
    }

    *servers = cscf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_referral_init(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_handler_pt             *h;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_referral_registry_t   **regs;
    ngx_http_referral_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_referral_module);

    if (rmcf->registries.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_http_referral_check(cf, rmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    rmcf->runtimes = ngx_palloc(cf->pool, rmcf->registries.nelts
                                          * sizeof(rfl_runtime_t *));
    if (rmcf->runtimes == NULL) {
        return NGX_ERROR;
    }

    regs = rmcf->registries.elts;

    for (i = 0; i < rmcf->registries.nelts; i++) {
        rmcf->runtimes[i] = &regs[i]->runtime;

        if (ngx_http_referral_server_names(cf, &regs[i]->servers,
                                           &regs[i]->server_names)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_referral_server_names(cf, &rmcf->write_servers,
                                       &rmcf->write_names)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_referral_log_handler;

    /* where all registries are made it would cost each request something */

    if (!ngx_http_referral_has_all(rmcf)) {

        h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_http_referral_look_handler;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_referral_has_all(ngx_http_referral_main_conf_t *rmcf)
{
    ngx_uint_t                       i;
    ngx_http_referral_registry_t   **regs;

    regs = rmcf->registries.elts;

    for (i = 0; i < rmcf->registries.nelts; i++) {

        if (!rfl_runtime_is_made(regs[i]->conf.path)) {
            return 0;
        }
    }

    return 1;
}


/* A registry may be used before the line that defines it. */

static ngx_int_t
ngx_http_referral_check(ngx_conf_t *cf, ngx_http_referral_main_conf_t *rmcf)
{
    ngx_uint_t                       i;
    ngx_http_referral_registry_t   **regs;

    regs = rmcf->registries.elts;

    for (i = 0; i < rmcf->registries.nelts; i++) {

        if (!regs[i]->defined && !ngx_http_referral_is_name(&regs[i]->name)) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "invalid referral registry \"%V\" of \"%V\" in "
                          "%s:%ui, the name of a \"referral_registry\" is "
                          "wanted", &regs[i]->name, &regs[i]->directive,
                          regs[i]->file, regs[i]->line);
            return NGX_ERROR;
        }

        if (!regs[i]->defined) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown referral registry \"%V\" of \"%V\" in "
                          "%s:%ui, define it by \"referral_registry %V PATH\"",
                          &regs[i]->name, &regs[i]->directive, regs[i]->file,
                          regs[i]->line, &regs[i]->name);
            return NGX_ERROR;
        }

        if (rmcf->status_all && ngx_strcmp(regs[i]->name.data, "metrics") == 0)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"referral_status all\" has /metrics for all "
                          "registries, call the one in %s:%ui by another name",
                          regs[i]->file, regs[i]->line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The names of servers: hosts a redirect may lead to that still counts, and
 * those a write may be sent to.
 */

static ngx_int_t
ngx_http_referral_server_names(ngx_conf_t *cf, ngx_array_t *of,
    rfl_own_hosts_t *names)
{
    ngx_uint_t                  i, k;
    ngx_array_t                 hosts;
    ngx_http_server_name_t     *name;
    ngx_http_core_srv_conf_t  **servers;

    if (ngx_array_init(&hosts, cf->pool, 4, sizeof(rfl_own_host_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    servers = of->elts;

    for (i = 0; i < of->nelts; i++) {

        name = servers[i]->server_names.elts;

        for (k = 0; k < servers[i]->server_names.nelts; k++) {
            if (ngx_http_referral_server_name(cf, &hosts, &name[k])
                == NGX_ERROR)
            {
                return NGX_ERROR;
            }
        }
    }

    names->hosts = hosts.elts;
    names->n = hosts.nelts;

    return NGX_OK;
}


/* A name that is a regex, ends in "*" or is no host ("_") is passed over. */

static ngx_int_t
ngx_http_referral_server_name(ngx_conf_t *cf, ngx_array_t *hosts,
    ngx_http_server_name_t *name)
{
    u_char  *p;

#if (NGX_PCRE)
    if (name->regex != NULL) {
        return NGX_OK;
    }
#endif

    if (name->name.len == 0) {
        return NGX_OK;
    }

    if (name->name.data[0] != '.') {
        return ngx_http_referral_add_host(cf, hosts,
                                          ngx_http_referral_str(&name->name),
                                          NULL);
    }

    /* ".example.com" is "example.com" and "*.example.com" */

    p = ngx_pnalloc(cf->pool, name->name.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = '*';
    ngx_memcpy(p + 1, name->name.data, name->name.len);

    if (ngx_http_referral_add_host(cf, hosts, rfl_str(p, name->name.len + 1),
                                   NULL)
        == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return ngx_http_referral_add_host(cf, hosts,
                                      rfl_str(p + 2, name->name.len - 1),
                                      NULL);
}


/* NGX_DECLINED: the text is no host; err says why.  NGX_ERROR: no memory. */

static ngx_int_t
ngx_http_referral_add_host(ngx_conf_t *cf, ngx_array_t *hosts, rfl_str_t text,
    rfl_error_t *err)
{
    u_char          *buf;
    rfl_own_host_t  *host;

    host = ngx_array_push(hosts);
    buf = ngx_pnalloc(cf->pool, RFL_HOST_MAX + 1);

    if (host == NULL || buf == NULL) {
        return NGX_ERROR;
    }

    if (rfl_own_host_parse(text, buf, host, err) != RFL_OK) {
        hosts->nelts--;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static char *
ngx_http_referral_registry(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_referral_registry_t  *reg;

    value = cf->args->elts;

    if (!ngx_http_referral_is_name(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" in \"referral_registry\", "
                           "1 to 64 letters, digits, \"-\" and \"_\" are "
                           "allowed, \"off\" and \"all\" are not", &value[1]);
        return NGX_CONF_ERROR;
    }

    reg = ngx_http_referral_get_registry(cf, &value[1]);
    if (reg == NULL) {
        return NGX_CONF_ERROR;
    }

    if (reg->defined) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate referral registry \"%V\" in "
                           "\"referral_registry\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    reg->defined = 1;
    reg->path = value[2];

    for (i = 3; i < cf->args->nelts; i++) {
        rv = ngx_http_referral_registry_option(cf, reg, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    /* each link may be in a group of its own, and in another one */

    reg->conf.max_ids = ngx_min(2 * reg->conf.max_links + RFL_COUNTERS_STEP,
                                RFL_COUNTERS_MAX_IDS);

    return ngx_http_referral_path(cf, reg);
}


/* It becomes part of a file's name and of a path in a URL. */

static ngx_uint_t
ngx_http_referral_is_name(ngx_str_t *name)
{
    u_char      c;
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if ((c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'z')
            && c != '_' && c != '-')
        {
            return 0;
        }
    }

    return i != 0 && i <= 64
           && ngx_strcmp(name->data, "off") != 0
           && ngx_strcmp(name->data, "all") != 0;
}


static char *
ngx_http_referral_registry_option(ngx_conf_t *cf,
    ngx_http_referral_registry_t *reg, ngx_str_t *option)
{
    char       *rv;
    off_t       size;
    ngx_int_t   n;
    ngx_str_t   s;

    if (ngx_strncmp(option->data, "counters=", 9) == 0) {
        return ngx_http_referral_counters(cf, reg, option);
    }

    if (ngx_strncmp(option->data, "source=", 7) == 0) {
        return ngx_http_referral_source(cf, reg, option);
    }

    if (ngx_strncmp(option->data, "flush=", 6) == 0) {
        s.data = option->data + 6;
        s.len = option->len - 6;

        n = ngx_parse_time(&s, 0);

        rv = ngx_http_referral_number(cf, option, n, 100, 3600000);
        reg->conf.flush_ms = n;

        return rv;
    }

    if (ngx_strncmp(option->data, "minutes=", 8) == 0) {
        s.data = option->data + 8;
        s.len = option->len - 8;

        return ngx_http_referral_keep(cf, option, &s, 3600, "1h",
                                      &reg->conf.keep.seconds[RFL_UNIT_MINUTE]);
    }

    if (ngx_strncmp(option->data, "hours=", 6) == 0) {
        s.data = option->data + 6;
        s.len = option->len - 6;

        return ngx_http_referral_keep(cf, option, &s, 86400, "1d",
                                      &reg->conf.keep.seconds[RFL_UNIT_HOUR]);
    }

    if (ngx_strncmp(option->data, "days=", 5) == 0) {
        s.data = option->data + 5;
        s.len = option->len - 5;

        return ngx_http_referral_keep(cf, option, &s, 86400, "1d",
                                      &reg->conf.keep.seconds[RFL_UNIT_DAY]);
    }

    if (ngx_strncmp(option->data, "max_links=", 10) == 0) {
        n = ngx_atoi(option->data + 10, option->len - 10);

        rv = ngx_http_referral_number(cf, option, n, 1,
                                      RFL_COUNTERS_MAX_IDS / 2);
        reg->conf.max_links = n;

        return rv;
    }

    if (ngx_strncmp(option->data, "map_size=", 9) == 0) {
        s.data = option->data + 9;
        s.len = option->len - 9;

        size = ngx_parse_offset(&s);

        rv = ngx_http_referral_number(cf, option, size, 1048576,
                                      NGX_MAX_SIZE_T_VALUE / 2);
        reg->conf.map_size = size;

        return rv;
    }

    return ngx_http_referral_invalid(cf, option);
}


static char *
ngx_http_referral_invalid(ngx_conf_t *cf, ngx_str_t *option)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"referral_registry\"",
                       option);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_referral_counters(ngx_conf_t *cf, ngx_http_referral_registry_t *reg,
    ngx_str_t *option)
{
    ngx_str_t  file;

    file.data = option->data + 9;
    file.len = option->len - 9;

    if (file.len == 0
        || ngx_conf_full_name(cf->cycle, &file, 0) != NGX_OK)
    {
        return ngx_http_referral_invalid(cf, option);
    }

    reg->conf.counters = (char *) file.data;
    reg->default_counters = 0;

    return NGX_CONF_OK;
}


/*
 * Whether the workers may read it is theirs to find out; it may come later,
 * and nginx serves without it.
 */

static char *
ngx_http_referral_source(ngx_conf_t *cf, ngx_http_referral_registry_t *reg,
    ngx_str_t *option)
{
    ngx_int_t    rc;
    ngx_str_t    file;
    struct stat  st;

    file.data = option->data + 7;
    file.len = option->len - 7;

    if (file.len == 0
        || ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK)
    {
        return ngx_http_referral_invalid(cf, option);
    }

    reg->conf.source = (char *) file.data;

    rc = stat((char *) file.data, &st);

    if (rc == 0 && !S_ISREG(st.st_mode)) {
        ngx_set_errno(S_ISDIR(st.st_mode) ? NGX_EISDIR : EINVAL);
        rc = -1;
    }

    if (rc == 0) {
        rc = access((char *) file.data, R_OK);
    }

    if (rc == -1) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, ngx_errno,
                           "the source \"%V\" of referral registry \"%V\" "
                           "cannot be read; the links stay as they are until "
                           "it can be", &file, &reg->name);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_referral_number(ngx_conf_t *cf, ngx_str_t *option, ngx_int_t value,
    ngx_int_t min, ngx_int_t max)
{
    if (value == NGX_ERROR || value < min || value > max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"referral_registry\", "
                           "the value must be from %i to %i (bytes, "
                           "milliseconds or links)", option, min, max);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* How long history is kept, in units of which one at least must be whole. */

static char *
ngx_http_referral_keep(ngx_conf_t *cf, ngx_str_t *option, ngx_str_t *text,
    uint64_t min, const char *min_text, uint64_t *seconds)
{
    ngx_int_t  n;

    n = ngx_parse_time(text, 1);

    if (n == NGX_ERROR || (n != 0 && (uint64_t) n < min)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in "
                           "\"referral_registry\", the value must be a time "
                           "of %s at least, or 0: for ever", option, min_text);
        return NGX_CONF_ERROR;
    }

    *seconds = (uint64_t) n;

    return NGX_CONF_OK;
}


static char *
ngx_http_referral_path(ngx_conf_t *cf, ngx_http_referral_registry_t *reg)
{
    if (reg->path.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty path of referral registry \"%V\" in "
                           "\"referral_registry\"", &reg->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &reg->path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /* nginx compares paths by their text */

    while (reg->path.len > 0 && reg->path.data[reg->path.len - 1] == '/') {
        reg->path.data[--reg->path.len] = '\0';
    }

    /* what nginx makes a path of it gives to the worker user */

    if (reg->path.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the path of referral registry \"%V\" is \"/\", "
                           "name a directory of its own in "
                           "\"referral_registry\"", &reg->name);
        return NGX_CONF_ERROR;
    }

    reg->conf.path = (char *) reg->path.data;

    if (ngx_http_referral_shares_path(cf, reg)) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_referral_add_path(cf, reg);
}


/* Whether another registry has its path or its counter file, which is told. */

static ngx_uint_t
ngx_http_referral_shares_path(ngx_conf_t *cf,
    ngx_http_referral_registry_t *reg)
{
    ngx_uint_t                       i;
    ngx_http_referral_registry_t   **regs;
    ngx_http_referral_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_referral_module);
    regs = rmcf->registries.elts;

    for (i = 0; i < rmcf->registries.nelts; i++) {
        if (regs[i] == reg) {
            continue;
        }

        if (reg->conf.counters[0] != '\0'
            && ngx_strcmp(regs[i]->conf.counters, reg->conf.counters) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the counter file \"%s\" of referral registry "
                               "\"%V\" is used by registry \"%V\" already, "
                               "name another one in \"referral_registry\"",
                               reg->conf.counters, &reg->name,
                               &regs[i]->name);
            return 1;
        }

        if (ngx_http_referral_same_path(regs[i], reg)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the path \"%V\" of referral registry \"%V\" "
                               "is used by registry \"%V\" already, name "
                               "another one in \"referral_registry\"",
                               &reg->path, &reg->name, &regs[i]->name);
            return 1;
        }
    }

    return 0;
}


/*
 * nginx makes PATH for the worker user, under -t too, and runs the cache
 * manager process for its sake: that is the keeper.  nginx would refuse to
 * start over a path it cannot make, so such a path is not given to it.
 */

static char *
ngx_http_referral_add_path(ngx_conf_t *cf, ngx_http_referral_registry_t *reg)
{
    ngx_path_t       *path;
    ngx_core_conf_t  *ccf;

    if (ngx_http_referral_path_usable(&reg->path) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, ngx_errno,
                           "the path \"%V\" of referral registry \"%V\" "
                           "cannot be used; make it writable and reload, "
                           "nothing is kept until then",
                           &reg->path, &reg->name);
        return NGX_CONF_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    if (geteuid() == 0 && ccf->user != 0
        && ngx_http_referral_is_systems(&reg->path))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the path \"%V\" of referral registry \"%V\" "
                           "cannot be used: it is root's and holds other "
                           "directories of root's; name one of its own, "
                           "nothing is kept until then",
                           &reg->path, &reg->name);
        return NGX_CONF_OK;
    }

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_CONF_ERROR;
    }

    path->name = reg->path;
    path->manager = ngx_http_referral_manager;
    path->data = reg;
    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    return ngx_add_path(cf, &path) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* By name, and where both are there, by what the names lead to. */

static ngx_uint_t
ngx_http_referral_same_path(ngx_http_referral_registry_t *one,
    ngx_http_referral_registry_t *two)
{
    struct stat  a, b;

    if (one->path.data == NULL) {
        return 0;
    }

    if (ngx_strcmp(one->path.data, two->path.data) == 0) {
        return 1;
    }

    return stat((char *) one->path.data, &a) == 0
           && stat((char *) two->path.data, &b) == 0
           && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}


/*
 * Either it is there and writable, or it can be made.  Whether it can is only
 * known when it is: a disk may be full, /proc takes no directory of root's.
 */

static ngx_int_t
ngx_http_referral_path_usable(ngx_str_t *path)
{
    struct stat  st;

    if (stat((char *) path->data, &st) == 0) {

        if (!S_ISDIR(st.st_mode)) {
            ngx_set_errno(NGX_ENOTDIR);
            return NGX_ERROR;
        }

        return access((char *) path->data, W_OK) == 0 ? NGX_OK : NGX_ERROR;
    }

    if (ngx_errno != NGX_ENOENT) {
        return NGX_ERROR;
    }

    return ngx_create_dir(path->data, 0700) != NGX_FILE_ERROR ? NGX_OK
                                                              : NGX_ERROR;
}


/*
 * nginx gives PATH to the worker user, under -t too: /etc or /var/lib would be
 * gone with one slip.  They hold directories of root's; a new PATH may hold
 * files, such as that of source=, and one that is in use anything.
 */

static ngx_uint_t
ngx_http_referral_is_systems(ngx_str_t *path)
{
    DIR            *dir;
    ngx_uint_t      found;
    struct stat     st;
    struct dirent  *de;

    if (stat((char *) path->data, &st) == -1 || st.st_uid != 0) {
        return 0;
    }

    dir = opendir((char *) path->data);
    if (dir == NULL) {
        return 0;
    }

    found = 0;

    if (fstatat(dirfd(dir), "registry/data.mdb", &st, 0) == 0
        || fstatat(dirfd(dir), "ledger/data.mdb", &st, 0) == 0)
    {
        (void) closedir(dir);
        return 0;
    }

    while (!found && (de = readdir(dir)) != NULL) {

        found = (ngx_strcmp(de->d_name, ".") != 0
                 && ngx_strcmp(de->d_name, "..") != 0
                 && ngx_strcmp(de->d_name, "lost+found") != 0
                 && fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW)
                    == 0
                 && S_ISDIR(st.st_mode) && st.st_uid == 0);
    }

    (void) closedir(dir);

    return found;
}


static char *
ngx_http_referral(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_referral_loc_conf_t  *rlcf = conf;

    ngx_str_t  *value, s;

    if (rlcf->registry != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rlcf->filter = NULL;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->registry = NULL;

        if (cf->args->nelts == 3) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"referral off\" takes no parameter \"%V\"",
                               &value[2]);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    rlcf->registry = ngx_http_referral_get_registry(cf, &value[1]);
    if (rlcf->registry == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "if=", 3) != 0 || value[2].len == 3) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"referral\", "
                           "if=CONDITION is allowed", &value[2]);
        return NGX_CONF_ERROR;
    }

    s.data = value[2].data + 3;
    s.len = value[2].len - 3;

    if (ngx_http_referral_complex_value(cf, &s, &rlcf->filter) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_referral_complex_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value)
{
    ngx_http_compile_complex_value_t  ccv;

    *value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*value == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = *value;

    return ngx_http_compile_complex_value(&ccv);
}


static char *
ngx_http_referral_own_hosts(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_referral_loc_conf_t  *rlcf = conf;

    ngx_str_t    *value;
    ngx_int_t     rc;
    ngx_uint_t    i;
    rfl_error_t   err;

    value = cf->args->elts;

    if (rlcf->own_hosts_array == NGX_CONF_UNSET_PTR) {
        rlcf->own_hosts_array = ngx_array_create(cf->pool, 4,
                                                 sizeof(rfl_own_host_t));
        if (rlcf->own_hosts_array == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_referral_add_host(cf, rlcf->own_hosts_array,
                                        ngx_http_referral_str(&value[i]),
                                        &err);

        if (rc == NGX_DECLINED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid host in \"referral_own_hosts\": %s",
                               err.text);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* "off" is an empty list. */

static char *
ngx_http_referral_tag(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_referral_loc_conf_t  *rlcf = conf;

    rfl_str_t   *name;
    ngx_str_t   *value;
    ngx_uint_t   i, off;

    if (rlcf->tags_array != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    off = (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0);

    rlcf->tags_array = ngx_array_create(cf->pool, cf->args->nelts,
                                        sizeof(rfl_str_t));
    if (rlcf->tags_array == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts && !off; i++) {

        if (!rfl_tag_name_is_valid(ngx_http_referral_str(&value[i]))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid name \"%V\" in \"referral_tag\", "
                               "a query argument's name of 1 to %d bytes "
                               "without %s is wanted, several are separated "
                               "by spaces; or \"off\" alone",
                               &value[i], RFL_TAG_MAX, RFL_TAG_NAME_NOT);
            return NGX_CONF_ERROR;
        }

        name = ngx_array_push(rlcf->tags_array);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = ngx_http_referral_str(&value[i]);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_referral_host(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_referral_loc_conf_t  *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->host != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_script_variables_count(&value[1]) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"referral_host\", "
                           "a variable is wanted", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_referral_complex_value(cf, &value[1], &rlcf->host)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_referral_bot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_referral_loc_conf_t  *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->bot != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        rlcf->bot = NGX_HTTP_REFERRAL_BOT_ON;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->bot = NGX_HTTP_REFERRAL_BOT_OFF;
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(&value[1]) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"referral_bot\", "
                           "\"on\", \"off\" or a variable is wanted",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    rlcf->bot = NGX_HTTP_REFERRAL_BOT_VALUE;

    if (ngx_http_referral_complex_value(cf, &value[1], &rlcf->bot_value)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_referral_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_referral_loc_conf_t  *rlcf = conf;

    ngx_str_t                      *value;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_referral_main_conf_t  *rmcf;

    if (rlcf->status != NULL || rlcf->status_all) {
        return "is duplicate";
    }

    value = cf->args->elts;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* the tree's paths are what follows the location's own */

    if (clcf->name.len == 0 || clcf->name.data[0] != '/'
#if (NGX_PCRE)
        || clcf->regex != NULL
#endif
       )
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"referral_status\" needs a location given by "
                           "a prefix, not \"%V\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value[1].data, "all") == 0) {
        rlcf->status_all = 1;

        rmcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_referral_module);
        rmcf->status_all = 1;

    } else {
        rlcf->status = ngx_http_referral_get_registry(cf, &value[1]);
        if (rlcf->status == NULL) {
            return NGX_CONF_ERROR;
        }

        rlcf->status_runtime = &rlcf->status->runtime;
    }

    clcf->handler = ngx_http_referral_status_handler;

    return cf->args->nelts == 3
           ? ngx_http_referral_status_option(cf, rlcf, &value[2])
           : NGX_CONF_OK;
}


/* Workers open a registry for writing only if there is a location for that. */

static char *
ngx_http_referral_status_option(ngx_conf_t *cf,
    ngx_http_referral_loc_conf_t *rlcf, ngx_str_t *option)
{
    ngx_http_referral_main_conf_t  *rmcf;

    if (ngx_strcmp(option->data, "write=off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(option->data, "write=on") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"referral_status\", "
                           "\"write=on\" or \"write=off\" is allowed",
                           option);
        return NGX_CONF_ERROR;
    }

    rlcf->status_write = 1;

    if (rlcf->status_all) {
        rmcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_referral_module);
        rmcf->write_all = 1;

    } else {
        rlcf->status->write = 1;
    }

    return NGX_CONF_OK;
}


static ngx_http_referral_registry_t *
ngx_http_referral_get_registry(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_http_referral_registry_t    *reg, **regs;
    ngx_http_referral_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_referral_module);
    regs = rmcf->registries.elts;

    for (i = 0; i < rmcf->registries.nelts; i++) {
        if (regs[i]->name.len == name->len
            && ngx_strncmp(regs[i]->name.data, name->data, name->len) == 0)
        {
            return regs[i];
        }
    }

    reg = ngx_pcalloc(cf->pool, sizeof(ngx_http_referral_registry_t));
    regs = ngx_array_push(&rmcf->registries);

    if (reg == NULL || regs == NULL
        || ngx_array_init(&reg->servers, cf->pool, 4,
                          sizeof(ngx_http_core_srv_conf_t *))
           != NGX_OK)
    {
        return NULL;
    }

    *regs = reg;
    value = cf->args->elts;

    reg->name = *name;
    reg->directive = value[0];
    reg->file = cf->conf_file->file.name.data;
    reg->line = cf->conf_file->line;

    reg->conf.name = (char *) name->data;
    reg->conf.path = "";
    reg->conf.counters = "";
    reg->conf.counters_dir = "";
    reg->conf.source = "";
    reg->conf.flush_ms = 5000;
    reg->conf.max_links = 10000000;
    reg->conf.keep.seconds[RFL_UNIT_MINUTE] = 24 * 3600;
    reg->conf.keep.seconds[RFL_UNIT_HOUR] = 400 * 24 * 3600;
    reg->conf.volatile_fd = -1;
    reg->default_counters = 1;

    return reg;
}
