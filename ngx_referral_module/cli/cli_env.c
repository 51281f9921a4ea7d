/*
 * The registry a command works on: who it works as, what is opened, and how
 * its links are walked.
 */

#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


#define WALK_BATCH  256


static int is_shut(const cli_t *cli);
static int not_owner(const cli_t *cli, uid_t uid);
static rfl_rc_t open_registry(cli_t *cli, cli_env_t *env, unsigned flags,
    rfl_registry_meta_t *meta, rfl_error_t *err);
static rfl_rc_t check_not_lost(const cli_t *cli, rfl_error_t *err);
static int open_failed(const cli_t *cli, const char *what,
    const rfl_error_t *err);
static rfl_rc_t open_totals(cli_t *cli, cli_env_t *env, unsigned flags,
    const rfl_registry_meta_t *meta, rfl_error_t *err);
static rfl_rc_t counter_file(cli_env_t *env, char **path, rfl_error_t *err);
static rfl_rc_t unnamed_counter_file(const cli_t *cli, unsigned flags,
    const u_char uuid[16], char best[PATH_MAX], rfl_error_t *err);
static rfl_rc_t look_for_more_ids(const char *dir, const char *name,
    const u_char uuid[16], uint32_t *most, char best[PATH_MAX],
    rfl_error_t *err);
static rfl_rc_t open_counters(cli_env_t *env, unsigned flags,
    const char *path, const rfl_registry_meta_t *meta, rfl_error_t *err);
static void make_room(cli_env_t *env, rfl_error_t *room);
static rfl_rc_t walk_batch(cli_env_t *env, const cli_walk_t *walk,
    rfl_registry_place_t *place, uint64_t *left, rfl_buf_t *out,
    rfl_error_t *err);
static void start_at(rfl_registry_place_t *place,
    const rfl_filter_t *filter);
static rfl_rc_t is_in_state(cli_env_t *env, rfl_state_t state,
    const rfl_link_t *link, int *wanted);
static rfl_rc_t json_item(void *data, cli_env_t *env, rfl_link_t *link,
    rfl_buf_t *out);


int
cli_open(cli_t *cli, cli_env_t *env, unsigned flags)
{
    int                  status;
    rfl_rc_t             rc;
    rfl_error_t          err;
    rfl_registry_meta_t  meta;

    memset(env, 0, sizeof(cli_env_t));
    memset(&err, 0, sizeof(rfl_error_t));

    status = cli_use_dir(cli);
    if (status != CLI_OK) {
        return status;
    }

    rc = open_registry(cli, env, flags, &meta, &err);
    if (rc != RFL_OK) {
        status = open_failed(cli, "registry", &err);
        goto failed;
    }

    if (!(flags & (CLI_OPEN_TOTALS|CLI_OPEN_LEDGER|CLI_OPEN_CREATE))) {
        return CLI_OK;
    }

    rc = open_totals(cli, env, flags, &meta, &err);
    if (rc != RFL_OK) {
        status = open_failed(cli, "ledger", &err);
        goto failed;
    }

    return CLI_OK;

failed:

    cli_close(env);

    return status;
}


void
cli_close(cli_env_t *env)
{
    rfl_counters_close(env->totals.counters);
    rfl_ledger_close(env->totals.ledger);
    rfl_registry_close(env->registry);

    memset(env, 0, sizeof(cli_env_t));
}


int
cli_use_dir(cli_t *cli)
{
    struct stat  st;

    if (stat(cli->dir, &st) == -1) {

        if (errno == ENOENT) {
            return cli_fail(cli->dir, "no such directory: run \"referralctl "
                            "-d %s init\", or start nginx with this path; if "
                            "nginx's referral_registry names another one, say "
                            "-d PATH or set REFERRALCTL_DIR", cli->dir);
        }

        return cli_fail(cli->dir, "%s%s", strerror(errno),
                        errno == EACCES ? ": run this as root (sudo "
                                          "referralctl ...)" : "");
    }

    if (!S_ISDIR(st.st_mode)) {
        return cli_fail(cli->dir, "not a directory");
    }

    if (geteuid() != 0 && geteuid() != st.st_uid && is_shut(cli)) {
        return not_owner(cli, st.st_uid);
    }

    return cli_take_identity(cli, st.st_uid, st.st_gid);
}


/* PATH, or PATH/registry below it; the reason is in errno. */

static int
is_shut(const cli_t *cli)
{
    int   n;
    char  path[PATH_MAX];

    n = snprintf(path, sizeof(path), "%s/registry", cli->dir);

    return access(cli->dir, R_OK|X_OK) == -1
           || (n > 0 && (size_t) n < sizeof(path)
               && access(path, R_OK|X_OK) == -1 && errno == EACCES);
}


/* What LMDB says of it names a file, and nobody should change its owner. */

static int
not_owner(const cli_t *cli, uid_t uid)
{
    int             reason;
    struct passwd  *pw;

    reason = errno;
    pw = getpwuid(uid);

    if (pw == NULL) {
        return cli_fail(cli->dir, "%s: it belongs to uid %u: run this as that "
                        "user or as root (sudo referralctl ...)",
                        strerror(reason), (unsigned) uid);
    }

    return cli_fail(cli->dir, "%s: it belongs to %s: run this as that user or "
                    "as root (sudo referralctl ...)", strerror(reason),
                    pw->pw_name);
}


static rfl_rc_t
open_registry(cli_t *cli, cli_env_t *env, unsigned flags,
    rfl_registry_meta_t *meta, rfl_error_t *err)
{
    rfl_rc_t  rc;
    unsigned  store_flags;

    store_flags = (flags & CLI_OPEN_CREATE) ? RFL_STORE_CREATE
                  : (flags & CLI_OPEN_WRITE) ? RFL_STORE_WRITE
                  : RFL_STORE_READ;

    rc = check_not_lost(cli, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_open(&env->registry, cli->dir, store_flags, 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_begin(env->registry, 0, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_meta(env->registry, meta);
    rfl_registry_end(env->registry);

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "its meta data cannot be read");
    }

    return RFL_OK;
}


/*
 * A ledger without its registry: a new one would have another uuid and give
 * the ids out anew, and all that was counted would be lost with the first
 * link.  Whoever makes both makes the registry first, so it is looked for once
 * more.
 */

static rfl_rc_t
check_not_lost(const cli_t *cli, rfl_error_t *err)
{
    if (cli_has_data(cli, "registry") || !cli_has_data(cli, "ledger")
        || cli_has_data(cli, "registry"))
    {
        return RFL_OK;
    }

    return rfl_fail(err, RFL_EXISTS, "it is missing, but %s/ledger has counts "
                    "of its links: restore %s/registry from a backup, or move "
                    "%s/ledger away for a new registry", cli->dir, cli->dir,
                    cli->dir);
}


/* A file of no bytes is one that LMDB would begin anew. */

int
cli_has_data(const cli_t *cli, const char *name)
{
    int          n;
    char         path[PATH_MAX];
    struct stat  st;

    n = snprintf(path, sizeof(path), "%s/%s/data.mdb", cli->dir, name);

    if (n < 0 || (size_t) n >= sizeof(path)) {
        return 0;
    }

    return stat(path, &st) == 0 && st.st_size != 0;
}


int
cli_is_empty(int fd)
{
    int             copy, empty, error;
    DIR            *dir;
    struct dirent  *entry;

    copy = dup(fd);
    if (copy == -1) {
        return -1;
    }

    dir = fdopendir(copy);
    if (dir == NULL) {
        error = errno;
        (void) close(copy);
        errno = error;
        return -1;
    }

    do {
        errno = 0;
        entry = readdir(dir);
        empty = entry == NULL || strcmp(entry->d_name, ".") == 0
                || strcmp(entry->d_name, "..") == 0;
    } while (empty && entry != NULL);

    error = empty ? errno : 0;
    (void) closedir(dir);
    errno = error;

    return error == 0 ? empty : -1;
}


static int
open_failed(const cli_t *cli, const char *what, const rfl_error_t *err)
{
    if (err->rc == RFL_NOT_FOUND) {
        return cli_fail(cli->dir, "there is no %s yet: run \"referralctl "
                        "-d %s init\", or start nginx with this path", what,
                        cli->dir);
    }

    return cli_fail(cli->dir, "%s: %s", what, err->text);
}


/*
 * No ledger: nothing was ever counted; one without its tables is being made,
 * or was by an older version.  No counter file: nginx does not run, or never
 * did, and the ledger has it all.
 */

static rfl_rc_t
open_totals(cli_t *cli, cli_env_t *env, unsigned flags,
    const rfl_registry_meta_t *meta, rfl_error_t *err)
{
    char      *path, found[PATH_MAX];
    rfl_rc_t   rc;
    unsigned   create;

    create = flags & CLI_OPEN_CREATE;

    rc = rfl_ledger_open(&env->totals.ledger, cli->dir, meta->uuid,
                         create ? RFL_STORE_CREATE : RFL_STORE_READ, 0, err);

    if (rc == RFL_NOT_FOUND && !create) {

        if (cli_has_data(cli, "ledger")) {
            cli_warn(cli->dir, "no totals are shown: %s", err->text);
        }

        env->totals.ledger = NULL;
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (flags & CLI_OPEN_LEDGER) {
        return RFL_OK;
    }

    rc = counter_file(env, &path, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (path != NULL) {
        rc = open_counters(env, flags, path, meta, err);
        free(path);
        return rc;
    }

    rc = unnamed_counter_file(cli, flags, meta->uuid, found, err);

    if (rc == RFL_OK && found[0] != '\0') {
        rc = open_counters(env, flags, found, meta, err);
    }

    return rc;
}


/* The path of the live counter file, or NULL. */

static rfl_rc_t
counter_file(cli_env_t *env, char **path, rfl_error_t *err)
{
    rfl_rc_t            rc;
    rfl_ledger_t       *ledger;
    rfl_ledger_file_t   file;

    *path = NULL;
    ledger = env->totals.ledger;

    rc = rfl_ledger_begin(ledger, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_last_file(ledger, &file);

    if (rc == RFL_OK && file.path.len != 0) {
        *path = strndup((const char *) file.path.data, file.path.len);

        if (*path == NULL) {
            rc = RFL_NO_MEMORY;
        }
    }

    rfl_ledger_end(ledger);

    if (rc == RFL_NOT_FOUND) {
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, rc == RFL_NO_MEMORY ? "no memory"
                                 : "it cannot be read");
    }

    return RFL_OK;
}


/*
 * A ledger from a backup of before its first flush names none, and there may
 * be one: it is looked for where nginx has it if nobody names another place.
 * best is empty if there is none; who only reads goes on without what cannot be
 * looked at.
 */

static rfl_rc_t
unnamed_counter_file(const cli_t *cli, unsigned flags, const u_char uuid[16],
    char best[PATH_MAX], rfl_error_t *err)
{
    DIR            *dir;
    rfl_rc_t        rc;
    uint32_t        most;
    struct dirent  *entry;

    dir = NULL;
    most = 0;
    best[0] = '\0';

    rc = look_for_more_ids(cli->dir, "counters", uuid, &most, best, err);

    if (rc == RFL_OK) {
        dir = opendir(RFL_COUNTERS_DIR);

        if (dir == NULL && errno != ENOENT && errno != EACCES) {
            rc = rfl_fail(err, RFL_ERROR, "%s: %s", RFL_COUNTERS_DIR,
                          strerror(errno));
        }
    }

    while (dir != NULL && rc == RFL_OK) {

        errno = 0;
        entry = readdir(dir);

        if (entry == NULL && errno != 0) {
            rc = rfl_fail(err, RFL_ERROR, "%s: %s", RFL_COUNTERS_DIR,
                          strerror(errno));
        }

        if (entry == NULL) {
            break;
        }

        if (entry->d_name[0] != '.') {
            rc = look_for_more_ids(RFL_COUNTERS_DIR, entry->d_name, uuid, &most,
                                   best, err);
        }
    }

    if (dir != NULL) {
        (void) closedir(dir);
    }

    if (rc != RFL_OK && !(flags & (CLI_OPEN_CREATE|CLI_OPEN_WRITE))) {
        cli_warn(cli->dir, "what was counted since the last flush may not be "
                 "shown: %s", err->text);
        return RFL_OK;
    }

    return rc;
}


/* A file that is none of this registry's counters has no ids. */

static rfl_rc_t
look_for_more_ids(const char *dir, const char *name, const u_char uuid[16],
    uint32_t *most, char best[PATH_MAX], rfl_error_t *err)
{
    int              n;
    char             path[PATH_MAX];
    uint32_t         ids;
    rfl_rc_t         rc;
    rfl_counters_t  *counters;

    n = snprintf(path, sizeof(path), "%s/%s", dir, name);

    if (n < 0 || (size_t) n >= sizeof(path)) {
        return RFL_OK;
    }

    rc = rfl_counters_open(&counters, path, uuid, 0, 0, RFL_COUNTERS_READ, 0,
                           err);

    if (rc == RFL_NO_MEMORY || rc == RFL_ERROR) {
        return rc;
    }

    if (rc != RFL_OK) {
        return RFL_OK;
    }

    ids = __atomic_load_n(&counters->header->next_id, __ATOMIC_ACQUIRE);
    rfl_counters_close(counters);

    if (ids > *most) {
        *most = ids;
        memcpy(best, path, (size_t) n + 1);
    }

    return RFL_OK;
}


/* Who is to write must know which ids it has counted: see rfl_issue_open(). */

static rfl_rc_t
open_counters(cli_env_t *env, unsigned flags, const char *path,
    const rfl_registry_meta_t *meta, rfl_error_t *err)
{
    rfl_rc_t         rc;
    unsigned         writes;
    rfl_counters_t  *counters;

    rc = RFL_ERROR;
    counters = NULL;
    writes = flags & (CLI_OPEN_CREATE|CLI_OPEN_WRITE);

    if (writes) {
        rc = rfl_counters_open(&counters, path, meta->uuid, 0,
                               RFL_COUNTERS_MAX_IDS, RFL_COUNTERS_GROW,
                               (uint64_t) time(NULL), err);

        if (rc != RFL_OK && rc != RFL_NOT_FOUND && !rfl_issue_is_blind(rc)) {
            cli_warn(path, "new links may count as overflow until nginx "
                     "makes room: %s", err->text);
        }
    }

    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        rc = rfl_counters_open(&counters, path, meta->uuid, 0,
                               RFL_COUNTERS_MAX_IDS, RFL_COUNTERS_READ,
                               (uint64_t) time(NULL), err);

        if (rc != RFL_OK && rc != RFL_NOT_FOUND && !writes) {
            cli_warn(path, "what was counted since the last flush is not "
                     "shown: %s", err->text);
        }
    }

    if (rc == RFL_OK) {
        env->totals.counters = counters;
    }

    return writes && rfl_issue_is_blind(rc) ? rc : RFL_OK;
}


rfl_rc_t
cli_begin_write(cli_env_t *env, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_issue_begin(env->registry, &env->totals, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_may_edit(env->registry, err);
    if (rc != RFL_OK) {
        rfl_registry_end(env->registry);
    }

    return rc;
}


rfl_rc_t
cli_commit(cli_env_t *env, rfl_error_t *err)
{
    rfl_rc_t     rc;
    rfl_error_t  room;

    rc = rfl_issue_commit(env->registry, &env->totals, &room, err);

    if (rc != RFL_OK) {
        return rc;
    }

    make_room(env, &room);

    if (room.rc != RFL_OK) {
        cli_warn("counters", "some links will count as overflow: %s",
                 room.text);
    }

    return RFL_OK;
}


/*
 * An nginx that was started while this command was at work counts in a file
 * that has no room for what has just been registered.
 */

static void
make_room(cli_env_t *env, rfl_error_t *room)
{
    char                 *path;
    rfl_rc_t              rc;
    rfl_counters_t       *counters;
    rfl_registry_meta_t   meta;

    if (env->totals.ledger == NULL
        || counter_file(env, &path, NULL) != RFL_OK || path == NULL)
    {
        return;
    }

    if (env->totals.counters != NULL
        && rfl_counters_check_path(env->totals.counters, path) == RFL_OK)
    {
        free(path);
        return;
    }

    rc = rfl_registry_begin(env->registry, 0, NULL);

    if (rc == RFL_OK) {
        rc = rfl_registry_meta(env->registry, &meta);
        rfl_registry_end(env->registry);
    }

    if (rc == RFL_OK
        && rfl_counters_open(&counters, path, meta.uuid, 0,
                             RFL_COUNTERS_MAX_IDS, RFL_COUNTERS_GROW,
                             (uint64_t) time(NULL), NULL)
           == RFL_OK)
    {
        room->rc = RFL_OK;
        (void) rfl_counters_reserve(counters, meta.next_id, room);
        rfl_counters_close(counters);
    }

    free(path);
}


rfl_rc_t
cli_begin_read(cli_env_t *env, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_registry_begin(env->registry, 0, err);
    if (rc != RFL_OK || env->totals.ledger == NULL) {
        return rc;
    }

    rc = rfl_ledger_begin(env->totals.ledger, err);
    if (rc != RFL_OK) {
        rfl_registry_end(env->registry);
    }

    return rc;
}


void
cli_end_read(cli_env_t *env)
{
    if (env->totals.ledger != NULL) {
        rfl_ledger_end(env->totals.ledger);
    }

    rfl_registry_end(env->registry);
}


/*
 * LMDB's lock file must belong to the user the workers run as, whoever
 * registers links: a lock file of root's would shut nginx out.
 */

int
cli_take_identity(cli_t *cli, uid_t uid, gid_t gid)
{
    int             rc;
    struct passwd  *pw;

    if (geteuid() != 0 || uid == 0) {
        return CLI_OK;
    }

    pw = getpwuid(uid);

    if (pw != NULL) {
        gid = pw->pw_gid;
        rc = initgroups(pw->pw_name, gid);

    } else {
        rc = setgroups(1, &gid);
    }

    if (rc == 0) {
        rc = cli->keep_caller ? setegid(gid) : setgid(gid);
    }

    if (rc == 0) {
        rc = cli->keep_caller ? seteuid(uid) : setuid(uid);
    }

    if (rc != 0) {
        return cli_fail(cli->dir, "cannot work as its owner (uid %u): %s",
                        (unsigned) uid, strerror(errno));
    }

    cli->owner_uid = uid;
    cli->owner_gid = gid;
    cli->switched = cli->keep_caller;

    return CLI_OK;
}


void
cli_as_caller(const cli_t *cli)
{
    if (cli->switched && (seteuid(getuid()) != 0 || setegid(getgid()) != 0)) {
        abort();
    }
}


void
cli_as_owner(const cli_t *cli)
{
    if (cli->switched
        && (setegid(cli->owner_gid) != 0 || seteuid(cli->owner_uid) != 0))
    {
        abort();
    }
}


int
cli_walk(cli_t *cli, cli_env_t *env, const cli_walk_t *walk)
{
    int                   status;
    uint64_t              left;
    rfl_rc_t              rc;
    rfl_buf_t             out = rfl_buf_init;
    rfl_error_t           err;
    rfl_registry_place_t  place;

    memset(&err, 0, sizeof(rfl_error_t));
    start_at(&place, &walk->filter);
    left = walk->limit;

    do {
        rc = walk_batch(env, walk, &place, &left, &out, &err);

        if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
            status = cli_fail(cli->dir, "%s", err.text[0] != '\0' ? err.text
                              : "reading its links failed");
            break;
        }

        status = cli_write(cli, &out);

    } while (rc == RFL_OK && left != 0 && status == CLI_OK);

    rfl_buf_free(&out);

    return status;
}


/* RFL_OK: there may be more links.  RFL_NOT_FOUND: that was all. */

static rfl_rc_t
walk_batch(cli_env_t *env, const cli_walk_t *walk, rfl_registry_place_t *place,
    uint64_t *left, rfl_buf_t *out, rfl_error_t *err)
{
    int         wanted;
    rfl_rc_t    rc;
    unsigned    n;
    rfl_link_t  link;

    rc = cli_begin_read(env, err);
    if (rc != RFL_OK) {
        return rc;
    }

    for (n = 0; n < WALK_BATCH && *left != 0; n++) {

        rc = rfl_registry_next_source(env->registry, place, &link);
        if (rc != RFL_OK) {
            break;
        }

        if (rfl_filter_has(&walk->filter, RFL_FILTER_HOST)
            && !rfl_filter_host(&walk->filter,
                                rfl_str(place->key, place->len)))
        {
            rc = RFL_NOT_FOUND;
            break;
        }

        rc = is_in_state(env, walk->state, &link, &wanted);

        if (rc == RFL_OK && !wanted) {
            continue;
        }

        if (rc == RFL_OK) {
            rc = walk->handler(walk->data, env, &link, out);
        }

        if (rc != RFL_OK) {
            break;
        }

        (*left)--;
    }

    cli_end_read(env);

    return rc;
}


/*
 * Sources are in the order of their SURTs: those of a host begin alike, and
 * between them and those of the hosts below it there are no others.
 */

static void
start_at(rfl_registry_place_t *place, const rfl_filter_t *filter)
{
    rfl_str_t  host;

    place->len = 0;

    if (!rfl_filter_has(filter, RFL_FILTER_HOST)) {
        return;
    }

    host = rfl_filter_value(filter, RFL_FILTER_HOST);

    if (host.len != 0) {
        memcpy(place->key, host.data, host.len);
    }

    place->key[host.len] = ')';
    place->len = host.len + 1;
}


static rfl_rc_t
is_in_state(cli_env_t *env, rfl_state_t state, const rfl_link_t *link,
    int *wanted)
{
    rfl_rc_t             rc;
    rfl_state_verdict_t  verdict;

    *wanted = 1;

    if (state == RFL_STATES) {
        return RFL_OK;
    }

    rc = rfl_totals_state(&env->totals, link, NULL, &verdict);

    *wanted = (verdict.state == state);

    return rc;
}


int
cli_walk_json(cli_t *cli, cli_env_t *env, cli_walk_t *walk)
{
    int        more, status;
    rfl_buf_t  b = rfl_buf_init;

    more = 0;
    walk->handler = json_item;
    walk->data = &more;

    rfl_buf_text(&b, "{\"links\":[");
    status = cli_write(cli, &b);

    if (status == CLI_OK) {
        status = cli_walk(cli, env, walk);
    }

    if (status == CLI_OK) {
        rfl_buf_text(&b, more ? "\n]}\n" : "]}\n");
        status = cli_write(cli, &b);
    }

    rfl_buf_free(&b);

    return status;
}


/* One link a line. */

static rfl_rc_t
json_item(void *data, cli_env_t *env, rfl_link_t *link, rfl_buf_t *out)
{
    int *more = data;

    rfl_buf_text(out, *more ? ",\n" : "\n");
    *more = 1;

    return rfl_report_link(out, env->registry, &env->totals, link);
}


int
cli_print_link(cli_t *cli, cli_env_t *env, uint64_t key)
{
    int          status;
    rfl_rc_t     rc;
    rfl_buf_t    b = rfl_buf_init;
    rfl_link_t   link;
    rfl_error_t  err;

    rc = cli_begin_read(env, &err);
    if (rc != RFL_OK) {
        return cli_fail(cli->dir, "%s", err.text);
    }

    rc = rfl_registry_by_key(env->registry, key, &link);

    if (rc == RFL_OK) {
        rc = rfl_report_link(&b, env->registry, &env->totals, &link);
    }

    cli_end_read(env);

    if (rc == RFL_OK) {
        rfl_buf_char(&b, '\n');
        status = cli_write(cli, &b);

    } else {
        status = cli_fail(cli->dir, "the link cannot be read");
    }

    rfl_buf_free(&b);

    return status;
}


int
cli_write(cli_t *cli, rfl_buf_t *b)
{
    if (b->failed) {
        return cli_fail(cli->command->name, "no memory");
    }

    if (b->len != 0 && fwrite(b->data, 1, b->len, stdout) != b->len) {
        cli->output_failed = 1;
        return cli_fail("standard output", "%s", strerror(errno));
    }

    b->len = 0;

    return CLI_OK;
}
