/*
 * Copies of registry and ledger.
 *
 * The ledger is copied first: so the registry's copy has every link that the
 * ledger's has counts of.  Each is written under another name and gets its
 * own when it is on the disk and was looked at: a copy that was interrupted
 * cannot be taken for one.
 *
 * Root makes and gives away the directory alone; what is inside is made by its
 * owner, so that no link planted there is followed with root's rights.
 */

#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>


#define DATA     "data.mdb"
#define PARTIAL  "data.mdb.partial"


typedef struct {
    const char  *name;                   /* of the environment */
    uint64_t     from;                   /* bytes */
    uint64_t     to;
    unsigned     made_dir:1;
    unsigned     made_file:1;
    unsigned     done:1;
} part_t;


typedef struct {
    cli_t        *cli;
    const char   *dir;
    int           fd;                    /* of the directory */
    int           compact;
    unsigned      made_dir:1;
    unsigned      new_owner:1;
    unsigned      new_mode:1;
    struct stat   from;                  /* PATH */
    struct stat   was;                   /* dir, if it was there */
    part_t        ledger;
    part_t        registry;
} copy_t;


static const char *without_slashes(char *path);
static int open_dir(copy_t *copy);
static int check_dir(copy_t *copy);
static int copy_both(copy_t *copy, cli_env_t *env);
static int copy_one(copy_t *copy, part_t *part, rfl_store_t *store);
static int copy_into(copy_t *copy, part_t *part, int dir_fd,
    const struct stat *data, rfl_store_t *store);
static int sync_dirs(copy_t *copy);
static void give_back(copy_t *copy);
static void undo(copy_t *copy);
static int report(const copy_t *copy);
static void report_json(rfl_buf_t *b, const part_t *part);
static void report_text(rfl_buf_t *b, const part_t *part);


int
copy_run(cli_t *cli, int argc, char **argv, int compact)
{
    int        opt, status;
    copy_t     copy;
    cli_env_t  env;

    static const struct option  options[] = {
        cli_common_options,
        { NULL, 0, NULL, 0 }
    };

    while ((opt = cli_option(cli, argc, argv, options)) != -1) {
        if (opt == CLI_OPTION_STOP) {
            return cli->status;
        }
    }

    if (optind == argc) {
        return cli_wrong_usage(cli, "where to?  DIR is missing");
    }

    if (optind + 1 != argc) {
        return cli_wrong_usage(cli, "unexpected argument \"%s\"",
                               argv[optind + 1]);
    }

    memset(&copy, 0, sizeof(copy_t));

    copy.cli = cli;
    copy.dir = without_slashes(argv[optind]);
    copy.fd = -1;
    copy.compact = compact;
    copy.ledger.name = "ledger";
    copy.registry.name = "registry";

    cli->keep_caller = 1;

    status = cli_open(cli, &env, CLI_OPEN_READ|CLI_OPEN_LEDGER);
    if (status != CLI_OK) {
        return status;
    }

    cli_as_caller(cli);
    status = open_dir(&copy);
    cli_as_owner(cli);

    if (status == CLI_OK) {
        status = copy_both(&copy, &env);
    }

    cli_close(&env);

    if (status == CLI_OK) {
        status = report(&copy);

    } else {
        undo(&copy);
    }

    if (copy.fd != -1) {
        (void) close(copy.fd);
    }

    return status;
}


/* With one behind it a symbolic link is what it points to. */

static const char *
without_slashes(char *path)
{
    size_t  len;

    for (len = strlen(path); len > 1 && path[len - 1] == '/'; len--) {
        path[len - 1] = '\0';
    }

    return path;
}


/* As the caller: where it is to be is perhaps not the owner's. */

static int
open_dir(copy_t *copy)
{
    if (stat(copy->cli->dir, &copy->from) == -1) {
        return cli_fail(copy->cli->dir, "%s", strerror(errno));
    }

    if (mkdir(copy->dir, 0700) == 0) {
        copy->made_dir = 1;

    } else if (errno != EEXIST) {
        return cli_fail(copy->dir, "cannot be made: %s", strerror(errno));
    }

    copy->fd = open(copy->dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC|O_NOFOLLOW);

    if (copy->fd == -1) {
        return cli_fail(copy->dir, "%s", errno == ELOOP || errno == ENOTDIR
                        ? "it is no directory" : strerror(errno));
    }

    return check_dir(copy);
}


static int
check_dir(copy_t *copy)
{
    int          empty;
    struct stat  st;

    empty = cli_is_empty(copy->fd);

    if (empty == -1) {
        return cli_fail(copy->dir, "%s", strerror(errno));
    }

    if (!empty) {
        return cli_fail(copy->dir, "it is not empty: name a directory that "
                        "is new, so that no other copy is mixed with this "
                        "one");
    }

    if (fstat(copy->fd, &st) == -1) {
        return cli_fail(copy->dir, "%s", strerror(errno));
    }

    copy->was = st;

    if ((st.st_uid != copy->from.st_uid || st.st_gid != copy->from.st_gid)
        && geteuid() == 0)
    {
        if (fchown(copy->fd, copy->from.st_uid, copy->from.st_gid) == -1) {
            return cli_fail(copy->dir, "cannot be given to the owner of %s "
                            "(uid %u): %s", copy->cli->dir,
                            (unsigned) copy->from.st_uid, strerror(errno));
        }

        copy->new_owner = 1;
    }

    if ((st.st_mode & 0777) != (copy->from.st_mode & 0777)) {

        if (fchmod(copy->fd, copy->from.st_mode & 0777) == -1) {
            return cli_fail(copy->dir, "its mode cannot be changed: %s",
                            strerror(errno));
        }

        copy->new_mode = 1;
    }

    return CLI_OK;
}


/* No ledger: nothing was ever counted. */

static int
copy_both(copy_t *copy, cli_env_t *env)
{
    int  status;

    if (env->totals.ledger != NULL) {
        status = copy_one(copy, &copy->ledger,
                          rfl_ledger_store(env->totals.ledger));
        if (status != CLI_OK) {
            return status;
        }

    } else if (cli_has_data(copy->cli, "ledger")) {
        return cli_fail(copy->cli->dir, "the ledger is not ready to be "
                        "copied: try again when nginx has made it");
    }

    status = copy_one(copy, &copy->registry,
                      rfl_registry_store(env->registry));

    return status == CLI_OK ? sync_dirs(copy) : status;
}


static int
copy_one(copy_t *copy, part_t *part, rfl_store_t *store)
{
    int          fd, status;
    char         path[PATH_MAX];
    struct stat  dir, data;

    if (snprintf(path, sizeof(path), "%s/%s/" DATA, copy->cli->dir, part->name)
        >= (int) sizeof(path) || stat(path, &data) == -1)
    {
        return cli_fail(copy->cli->dir, "%s/" DATA ": %s", part->name,
                        strerror(errno));
    }

    (void) snprintf(path, sizeof(path), "%s/%s", copy->cli->dir, part->name);

    if (stat(path, &dir) == -1) {
        return cli_fail(path, "%s", strerror(errno));
    }

    part->from = (uint64_t) data.st_size;

    if (mkdirat(copy->fd, part->name, 0700) == -1) {
        return cli_fail(copy->dir, "%s cannot be made in it: %s", part->name,
                        strerror(errno));
    }

    part->made_dir = 1;

    fd = openat(copy->fd, part->name,
                O_RDONLY|O_DIRECTORY|O_CLOEXEC|O_NOFOLLOW);

    if (fd == -1 || fchmod(fd, dir.st_mode & 0777) == -1) {
        status = cli_fail(copy->dir, "%s: %s", part->name, strerror(errno));

    } else {
        status = copy_into(copy, part, fd, &data, store);
    }

    if (fd != -1) {
        (void) close(fd);
    }

    return status;
}


static int
copy_into(copy_t *copy, part_t *part, int dir_fd, const struct stat *data,
    rfl_store_t *store)
{
    int          fd, status;
    rfl_rc_t     rc;
    rfl_error_t  err;
    struct stat  st;

    fd = openat(dir_fd, PARTIAL,
                O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (fd == -1) {
        return cli_fail(copy->dir, "%s/" PARTIAL " cannot be made: %s",
                        part->name, strerror(errno));
    }

    part->made_file = 1;
    status = CLI_OK;

    rc = rfl_store_copy(store, fd, copy->compact, &err);

    if (rc != RFL_OK) {
        status = cli_fail(copy->dir, "%s", err.text);

    } else if (fchmod(fd, data->st_mode & 0777) == -1
               || fstat(fd, &st) == -1
               || renameat(dir_fd, PARTIAL, dir_fd, DATA) == -1
               || fsync(fd) == -1 || fsync(dir_fd) == -1)
    {
        status = cli_fail(copy->dir, "%s: %s", part->name, strerror(errno));

    } else {
        part->to = (uint64_t) st.st_size;
        part->done = 1;
    }

    if (close(fd) == -1 && status == CLI_OK) {
        status = cli_fail(copy->dir, "%s: %s", part->name, strerror(errno));
    }

    return status;
}


/* Also the name of the directory in the one that holds it. */

static int
sync_dirs(copy_t *copy)
{
    int  fd, failed;

    if (fsync(copy->fd) == -1) {
        return cli_fail(copy->dir, "fsync: %s", strerror(errno));
    }

    if (!copy->made_dir) {
        return CLI_OK;
    }

    cli_as_caller(copy->cli);

    fd = openat(copy->fd, "..", O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    /* one that may be written to, but not read, cannot be told to */

    failed = fd != -1 && fsync(fd) == -1;

    if (fd != -1) {
        (void) close(fd);
    }

    cli_as_owner(copy->cli);

    return failed ? cli_fail(copy->dir, "fsync of the directory it is in: %s",
                             strerror(errno))
                  : CLI_OK;
}


/* A directory that was there is as it was. */

static void
give_back(copy_t *copy)
{
    if (copy->new_owner
        && fchown(copy->fd, copy->was.st_uid, copy->was.st_gid) == -1)
    {
        cli_warn(copy->dir, "cannot be given back to its owner: %s",
                 strerror(errno));
    }

    if (copy->new_mode
        && fchmod(copy->fd, copy->was.st_mode & 07777) == -1)
    {
        cli_warn(copy->dir, "its mode cannot be changed back: %s",
                 strerror(errno));
    }
}


/* What was made here, and nothing else. */

static void
undo(copy_t *copy)
{
    char           path[64];
    size_t         i;
    const part_t  *part, *parts[] = { &copy->ledger, &copy->registry };

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        part = parts[i];

        if (part->made_file) {
            (void) snprintf(path, sizeof(path), "%s/" PARTIAL, part->name);
            (void) unlinkat(copy->fd, path, 0);

            (void) snprintf(path, sizeof(path), "%s/" DATA, part->name);
            (void) unlinkat(copy->fd, path, 0);
        }

        if (part->made_dir) {
            (void) unlinkat(copy->fd, part->name, AT_REMOVEDIR);
        }
    }

    cli_as_caller(copy->cli);

    if (copy->made_dir) {
        (void) rmdir(copy->dir);

    } else {
        give_back(copy);
    }

    cli_as_owner(copy->cli);
}


static int
report(const copy_t *copy)
{
    int        status;
    rfl_buf_t  b = rfl_buf_init;

    if (copy->cli->json) {
        rfl_buf_text(&b, "{\"path\":");
        rfl_json_string(&b, rfl_cstr(copy->dir));
        report_json(&b, &copy->registry);
        report_json(&b, &copy->ledger);
        rfl_buf_text(&b, "}\n");

    } else {
        report_text(&b, &copy->registry);
        report_text(&b, &copy->ledger);
        (void) cli_safe(&b, rfl_cstr(copy->dir));
        rfl_buf_text(&b, copy->compact ? " has a compact copy\n"
                                       : " has the backup\n");
    }

    status = cli_write(copy->cli, &b);
    rfl_buf_free(&b);

    return status;
}


static void
report_json(rfl_buf_t *b, const part_t *part)
{
    rfl_buf_fmt(b, ",\"%s\":", part->name);

    if (!part->done) {
        rfl_buf_text(b, "null");
        return;
    }

    rfl_buf_fmt(b, "{\"bytes\":%llu,\"bytes_before\":%llu}",
                (unsigned long long) part->to,
                (unsigned long long) part->from);
}


static void
report_text(rfl_buf_t *b, const part_t *part)
{
    if (!part->done) {
        rfl_buf_fmt(b, "%s: there is none yet, nothing was counted\n",
                    part->name);
        return;
    }

    rfl_buf_fmt(b, "%s: %llu bytes, of %llu\n", part->name,
                (unsigned long long) part->to,
                (unsigned long long) part->from);
}
