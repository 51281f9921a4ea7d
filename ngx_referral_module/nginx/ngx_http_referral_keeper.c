
/*
 * How processes begin, tick and end.
 *
 *     master          makes the counter directory, and what its processes
 *                     share without a name; opens nothing
 *     worker          opens the registry, for reading unless a status location
 *                     writes; counts, ticks
 *     cache manager   the keeper: a thread that flushes
 *     single process  both
 *
 * Nothing here stops nginx: what cannot be opened is logged, once and then
 * once a minute, and tried again a second later.
 */


#include "ngx_http_referral.h"

#include <sys/vfs.h>


#define NGX_HTTP_REFERRAL_TICK      1000
#define NGX_HTTP_REFERRAL_REMIND    60
#define NGX_HTTP_REFERRAL_GRACE     3

/* Numbers of linux/magic.h: file systems that are memory. */
#define NGX_HTTP_REFERRAL_TMPFS      0x01021994
#define NGX_HTTP_REFERRAL_RAMFS      0x858458f6
#define NGX_HTTP_REFERRAL_HUGETLBFS  0x958458f6


/*
 * What outlives the cycle in the master, for all generations of its processes:
 * known by PATH, kept until the master ends.
 */

typedef struct ngx_http_referral_shared_s  ngx_http_referral_shared_t;

struct ngx_http_referral_shared_s {
    ngx_http_referral_shared_t      *next;
    int                              volatile_fd;
    rfl_shared_text_t               *source_state;  /* NULL: no source yet */
    char                             path[1];     /* all of it */
};


static ngx_http_referral_main_conf_t *ngx_http_referral_conf(
    ngx_cycle_t *cycle);
static void ngx_http_referral_own_path(ngx_cycle_t *cycle,
    ngx_http_referral_registry_t *reg);
static void ngx_http_referral_counters_dir(ngx_cycle_t *cycle,
    ngx_http_referral_main_conf_t *rmcf);
static void ngx_http_referral_share(ngx_cycle_t *cycle,
    ngx_http_referral_registry_t *reg);
static ngx_http_referral_shared_t *ngx_http_referral_shared(
    ngx_http_referral_registry_t *reg);
static void ngx_http_referral_check_memory(ngx_cycle_t *cycle,
    ngx_http_referral_registry_t *reg);
static void ngx_http_referral_tick(ngx_event_t *ev);
static void ngx_http_referral_look(ngx_http_referral_main_conf_t *rmcf);
static void ngx_http_referral_tell(ngx_http_referral_registry_t *reg,
    ngx_http_referral_told_t *told, rfl_error_t *err);
static void ngx_http_referral_tell_keeper(ngx_http_referral_registry_t *reg);
static void ngx_http_referral_start_keeper(ngx_http_referral_registry_t *reg);
static void ngx_http_referral_manager_exit(void);
static void ngx_http_referral_close(void *data);


/* Set in the cache manager. */
static ngx_http_referral_main_conf_t  *ngx_http_referral_managed;

/* This process has not all registries open: requests look for them. */
static ngx_uint_t                      ngx_http_referral_missing;

/* The master's, inherited by all. */
static ngx_http_referral_shared_t     *ngx_http_referral_list;
static rfl_canary_t                   *ngx_http_referral_canary;


static ngx_http_referral_main_conf_t *
ngx_http_referral_conf(ngx_cycle_t *cycle)
{
    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NULL;
    }

    return ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_referral_module);
}


/* Runs in the master (or the single process), after nginx made its paths. */

ngx_int_t
ngx_http_referral_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    ngx_http_referral_registry_t   **regs;
    ngx_http_referral_main_conf_t   *rmcf;

    rmcf = ngx_http_referral_conf(cycle);

    if (rmcf == NULL || rmcf->registries.nelts == 0 || ngx_test_config) {
        return NGX_OK;
    }

    regs = rmcf->registries.elts;

    if (geteuid() == 0) {

        for (i = 0; i < rmcf->registries.nelts; i++) {
            ngx_http_referral_own_path(cycle, regs[i]);

            if (regs[i]->default_counters) {
                regs[i]->conf.counters_dir = RFL_COUNTERS_DIR;
            }
        }

        ngx_http_referral_counters_dir(cycle, rmcf);
    }

    for (i = 0; i < rmcf->registries.nelts; i++) {
        ngx_http_referral_share(cycle, regs[i]);
    }

    return NGX_OK;
}


/*
 * nginx has just given PATH to the worker user.  A single process is its own
 * worker and does not change its user: PATH is its own, or the command, which
 * acts as PATH's owner, could not open what it makes.
 */

static void
ngx_http_referral_own_path(ngx_cycle_t *cycle,
    ngx_http_referral_registry_t *reg)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->master) {
        return;
    }

    if (lchown((char *) reg->path.data, geteuid(), -1) == -1
        && ngx_errno != NGX_ENOENT)
    {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "referral: lchown(\"%V\") failed", &reg->path);
    }
}


/*
 * The directory belongs to the worker user, who makes the files: root opens,
 * creates and chowns nothing inside.
 */

static void
ngx_http_referral_counters_dir(ngx_cycle_t *cycle,
    ngx_http_referral_main_conf_t *rmcf)
{
    int                              fd;
    ngx_uint_t                       i, made;
    struct stat                      st;
    ngx_core_conf_t                 *ccf;
    ngx_http_referral_registry_t   **regs;

    regs = rmcf->registries.elts;

    for (i = 0; i < rmcf->registries.nelts; i++) {
        if (regs[i]->default_counters) {
            break;
        }
    }

    if (i == rmcf->registries.nelts) {
        return;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    made = (mkdir(RFL_COUNTERS_DIR, 0700) == 0);

    if (!made && ngx_errno != NGX_EEXIST) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "referral: mkdir(\"" RFL_COUNTERS_DIR "\") "
                      "failed, name another place by counters=");
        return;
    }

    fd = open(RFL_COUNTERS_DIR,
              O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    /* what another nginx made for its own user is not taken from it */

    if (fd == -1 || fstat(fd, &st) == -1
        || (made && fchown(fd, ccf->user, -1) == -1))
    {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "referral: \"" RFL_COUNTERS_DIR "\" cannot be "
                      "given to user %d, name another place by counters=",
                      (int) ccf->user);

    } else if (!made && st.st_uid != (uid_t) ccf->user && ccf->master) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "referral: \"" RFL_COUNTERS_DIR "\" belongs "
                      "to user %d, the workers run as user %d: name another "
                      "place by counters=", (int) st.st_uid, (int) ccf->user);
    }

    if (fd != -1) {
        (void) close(fd);
    }
}


/* Without either the module works on, with a little less safety. */

static void
ngx_http_referral_share(ngx_cycle_t *cycle, ngx_http_referral_registry_t *reg)
{
    ngx_core_conf_t             *ccf;
    ngx_http_referral_shared_t  *shared;

    if (ngx_http_referral_canary == NULL) {
        ngx_http_referral_canary = rfl_canary_create();
    }

    reg->conf.canary = ngx_http_referral_canary;

    shared = ngx_http_referral_shared(reg);

    if (shared == NULL) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "referral registry \"%V\": out of memory, a counter "
                      "file that cannot be made will have no substitute",
                      &reg->name);
        return;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (shared->volatile_fd == -1) {
        shared->volatile_fd = rfl_counters_volatile_create(reg->conf.name,
                                  ccf->master && geteuid() == 0 ? ccf->user
                                                                : geteuid());
        ngx_http_referral_check_memory(cycle, reg);

    } else if (ccf->master && geteuid() == 0) {

        /* the workers of this generation may have another user */

        (void) !fchown(shared->volatile_fd, ccf->user, -1);
    }

    reg->conf.volatile_fd = shared->volatile_fd;

    if (reg->conf.source[0] != '\0') {

        if (shared->source_state == NULL) {
            shared->source_state = rfl_shared_text_create("not read yet");
        }

        reg->conf.source_state = shared->source_state;
    }
}


static ngx_http_referral_shared_t *
ngx_http_referral_shared(ngx_http_referral_registry_t *reg)
{
    size_t                       len;
    ngx_http_referral_shared_t  *shared;

    for (shared = ngx_http_referral_list;
         shared != NULL;
         shared = shared->next)
    {
        if (ngx_strcmp(shared->path, reg->conf.path) == 0) {
            return shared;
        }
    }

    len = ngx_strlen(reg->conf.path);

    shared = malloc(sizeof(ngx_http_referral_shared_t) + len);
    if (shared == NULL) {
        return NULL;
    }

    ngx_memcpy(shared->path, reg->conf.path, len + 1);

    shared->volatile_fd = -1;
    shared->source_state = NULL;
    shared->next = ngx_http_referral_list;
    ngx_http_referral_list = shared;

    return shared;
}


/* What the kernel writes back to a disk may be locked while a worker adds. */

static void
ngx_http_referral_check_memory(ngx_cycle_t *cycle,
    ngx_http_referral_registry_t *reg)
{
    char           *slash;
    char            dir[NGX_MAX_PATH];
    struct statfs   fs;

    if (reg->conf.counters[0] != '\0') {
        (void) ngx_cpystrn((u_char *) dir, (u_char *) reg->conf.counters,
                           NGX_MAX_PATH);

        slash = strrchr(dir, '/');

        if (slash != NULL) {
            slash[slash == dir ? 1 : 0] = '\0';
        }

    } else {
        (void) ngx_cpystrn((u_char *) dir,
                           (u_char *) (reg->conf.counters_dir[0] != '\0'
                                       ? reg->conf.counters_dir
                                       : reg->conf.path),
                           NGX_MAX_PATH);
    }

    if (statfs(dir, &fs) == -1) {
        return;                          /* the workers will say so */
    }

    switch ((uint32_t) fs.f_type) {

    case NGX_HTTP_REFERRAL_TMPFS:
    case NGX_HTTP_REFERRAL_RAMFS:
    case NGX_HTTP_REFERRAL_HUGETLBFS:
        return;

    default:
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "referral registry \"%V\": the counter file in \"%s\" "
                      "is on a disk, whose writing may hold up requests; "
                      "name a file on tmpfs by counters=", &reg->name, dir);
    }
}


/*
 * Workers, the cache manager and loader, and the single process all come
 * here.  NGX_ERROR would stop nginx: it is never returned.
 */

ngx_int_t
ngx_http_referral_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i, ends;
    ngx_event_t                     *ev;
    ngx_pool_cleanup_t              *cln;
    ngx_http_referral_registry_t    *reg, **regs;
    ngx_http_referral_main_conf_t   *rmcf;

    rmcf = ngx_http_referral_conf(cycle);

    if (rmcf == NULL || rmcf->registries.nelts == 0
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    ends = 1;

    if (ngx_process == NGX_PROCESS_SINGLE) {

        /*
         * On reload it calls neither exit_process nor init_process: nginx
         * does not serve any more after that, but our thread and timer must
         * not outlive the cycle's memory.  Without an end they do not begin,
         * and requests find registries that are never opened.
         */

        cln = ngx_pool_cleanup_add(cycle->pool, 0);

        if (cln != NULL) {
            cln->handler = ngx_http_referral_close;
            cln->data = rmcf;

        } else {
            ends = 0;
            ngx_log_error(NGX_LOG_CRIT, cycle->log, 0,
                          "referral: out of memory, nothing is looked up or "
                          "kept; restart nginx");
        }
    }

    /* a file that RLIMIT_FSIZE refuses is an error, not the worker's end */

    (void) signal(SIGXFSZ, SIG_IGN);

    ngx_http_referral_init_requests();

    rfl_canary_join(ngx_http_referral_canary);

    regs = rmcf->registries.elts;

    for (i = 0; i < rmcf->registries.nelts; i++) {
        reg = regs[i];

        rfl_runtime_init(&reg->runtime, &reg->conf, ngx_worker);

        if (!ends) {
            continue;
        }

        if (ngx_process == NGX_PROCESS_SINGLE) {
            reg->runtime.writes = 1;
            ngx_http_referral_start_keeper(reg);
        }

        /* who follows a file takes no links, but hosts to ignore */

        if (reg->write || rmcf->write_all) {
            reg->runtime.writes = 1;
            ngx_http_referral_api_start(cycle, reg);
        }

        ev = &reg->tick;
        ev->handler = ngx_http_referral_tick;
        ev->data = &reg->tick_connection;
        ev->log = cycle->log;
        ev->cancelable = 1;

        reg->tick_connection.fd = (ngx_socket_t) -1;
        reg->tick_connection.data = reg;

        ngx_http_referral_tick(ev);
    }

    return NGX_OK;
}


static void
ngx_http_referral_tick(ngx_event_t *ev)
{
    rfl_error_t                   *err;
    rfl_runtime_t                 *rt;
    ngx_connection_t              *c;
    ngx_http_referral_registry_t  *reg;

    c = ev->data;
    reg = c->data;
    rt = &reg->runtime;

    rfl_runtime_tick(rt, ngx_time());

    if (rt->registry == NULL) {
        ngx_http_referral_missing = 1;
    }

    err = rt->registry_error.rc != RFL_OK ? &rt->registry_error
                                          : &rt->counters_error;

    ngx_http_referral_tell(reg, &reg->told, err);

    ngx_http_referral_tell_keeper(reg);

    ngx_add_timer(ev, NGX_HTTP_REFERRAL_TICK);
}


/*
 * A registry that the configuration found missing is about to be made, and
 * links of it are about to be registered.  Their first clicks may come before
 * the next tick.
 *
 * The log phase takes no locks, and opening an environment does: so this comes
 * before all other phases.
 */

ngx_int_t
ngx_http_referral_look_handler(ngx_http_request_t *r)
{
    if (ngx_http_referral_missing) {
        ngx_http_referral_look(ngx_http_get_module_main_conf(r,
                                                   ngx_http_referral_module));
    }

    return NGX_DECLINED;
}


static void
ngx_http_referral_look(ngx_http_referral_main_conf_t *rmcf)
{
    ngx_uint_t                      i;
    ngx_http_referral_registry_t  **regs;

    ngx_http_referral_missing = 0;

    regs = rmcf->registries.elts;

    for (i = 0; i < rmcf->registries.nelts; i++) {
        rfl_runtime_look(&regs[i]->runtime, ngx_time());

        if (regs[i]->runtime.registry == NULL) {
            ngx_http_referral_missing = 1;
        }
    }
}


/*
 * For a worker, not found is how every registry begins: the keeper is about to
 * make it.  That is said only if it lasts for some seconds.
 */

static void
ngx_http_referral_tell(ngx_http_referral_registry_t *reg,
    ngx_http_referral_told_t *told, rfl_error_t *err)
{
    time_t  now;

    now = ngx_time();

    if (told == &reg->told && told->time == 0 && err->rc == RFL_NOT_FOUND) {
        told->rc = err->rc;
        told->time = now - NGX_HTTP_REFERRAL_REMIND + NGX_HTTP_REFERRAL_GRACE;
        return;
    }

    if (err->rc == RFL_OK) {

        if (told->logged) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "referral registry \"%V\": working again",
                          &reg->name);
            told->logged = 0;
        }

        return;
    }

    /* one that comes and goes is told once a minute, too */

    if (err->rc == told->rc && now - told->time < NGX_HTTP_REFERRAL_REMIND) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "referral registry \"%V\": %s", &reg->name, err->text);

    told->logged = 1;
    told->rc = err->rc;
    told->time = now;
}


static void
ngx_http_referral_tell_keeper(ngx_http_referral_registry_t *reg)
{
    rfl_error_t  message;

    while (reg->keeper != NULL
           && rfl_keeper_message(reg->keeper, &message))
    {
        ngx_http_referral_tell(reg, &reg->keeper_told, &message);
    }

    while (reg->keeper != NULL
           && rfl_keeper_source_message(reg->keeper, &message))
    {
        ngx_http_referral_tell(reg, &reg->source_told, &message);
    }
}


/* Called in the cache manager alone, not in the loader. */

ngx_msec_t
ngx_http_referral_manager(void *data)
{
    ngx_http_referral_registry_t  *reg = data;

    /* the cache manager leaves by exit() alone, without exit_process */

    if (ngx_http_referral_managed == NULL) {
        ngx_http_referral_managed =
                           ngx_http_referral_conf((ngx_cycle_t *) ngx_cycle);
        (void) atexit(ngx_http_referral_manager_exit);
        rfl_canary_join(ngx_http_referral_canary);
    }

    if (reg->keeper == NULL) {
        ngx_http_referral_start_keeper(reg);
    }

    ngx_http_referral_tell_keeper(reg);

    return NGX_HTTP_REFERRAL_TICK;
}


static void
ngx_http_referral_start_keeper(ngx_http_referral_registry_t *reg)
{
    rfl_error_t  err;

    if (rfl_keeper_start(&reg->keeper, &reg->conf, &err) != RFL_OK) {
        ngx_http_referral_tell(reg, &reg->keeper_told, &err);
    }
}


static void
ngx_http_referral_manager_exit(void)
{
    ngx_http_referral_close(ngx_http_referral_managed);
}


/* A worker, or the single process: whoever is last flushes. */

void
ngx_http_referral_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_referral_main_conf_t  *rmcf;

    rmcf = ngx_http_referral_conf(cycle);

    if (rmcf != NULL) {
        ngx_http_referral_close(rmcf);
    }
}


/*
 * Leaves what this process has open; a second call finds nothing.  All threads
 * flush at the same time, within one deadline.
 */

static void
ngx_http_referral_close(void *data)
{
    ngx_http_referral_main_conf_t  *rmcf = data;

    uint64_t                         deadline;
    ngx_uint_t                       i;
    ngx_http_referral_registry_t    *reg, **regs;

    ngx_http_referral_events_close();

    regs = rmcf->registries.elts;
    deadline = rfl_clock_ms() + RFL_KEEPER_EXIT_MS;

    for (i = 0; i < rmcf->registries.nelts; i++) {
        reg = regs[i];

        if (reg->tick.timer_set) {
            ngx_del_timer(&reg->tick);
        }

        if (reg->runtime.conf != NULL) {
            reg->last_flush = rfl_keeper_last_out(&reg->runtime);
            reg->runtime.conf = NULL;
        }

        if (reg->keeper != NULL) {
            rfl_keeper_ask(reg->keeper);
        }

        ngx_http_referral_api_ask(reg);
    }

    for (i = 0; i < rmcf->registries.nelts; i++) {
        reg = regs[i];

        if (reg->last_flush != NULL) {
            rfl_keeper_join(reg->last_flush, deadline);
            reg->last_flush = NULL;
        }

        if (reg->keeper != NULL) {
            rfl_keeper_join(reg->keeper, deadline);
            reg->keeper = NULL;
        }

        ngx_http_referral_api_join(reg, deadline);
    }
}
