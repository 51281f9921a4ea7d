/*
 * init: makes the directory with its two environments, for the user the
 * workers run as.
 *
 * Root makes and gives away the directory alone; what is inside is made by
 * its owner, so that no link planted there is followed with root's rights.
 */

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>


/* As nginx makes its own paths. */

#define DIR_MODE  0700

#define OPTION_OWNER  CLI_OPTION_FIRST


typedef struct {
    uid_t  uid;
    gid_t  gid;
} owner_t;


static int run(cli_t *cli, int argc, char **argv);
static int choose_owner(cli_t *cli, const char *name, owner_t *owner);
static int make_dir(cli_t *cli, int owner_given, owner_t *owner);
static int give_dir(cli_t *cli, int fd, int is_new, int owner_given,
    owner_t *owner);
static int make_environments(cli_t *cli);
static int print_result(cli_t *cli, const owner_t *owner);


/* Users that packages of nginx run the workers as. */

static const char *const  worker_users[] = { "www-data", "nginx" };


const cli_command_t  cli_init = {
    "init",
    "[--owner USER]",
    "make the registry's directory",
    "Makes PATH with an empty registry and an empty ledger.  What is there\n"
    "already is left as it is; a ledger without its registry is an error:\n"
    "restore PATH/registry from a backup, or move PATH/ledger away.\n"
    "\n"
    "      --owner USER      whom it is to belong to: the user nginx's\n"
    "                        workers run as.  Default: the owner of PATH if\n"
    "                        it exists; else, run by root, www-data or nginx\n"
    "                        if there is such a user; else the caller",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int          opt, status;
    owner_t      owner;
    const char  *name;

    static const struct option  options[] = {
        cli_common_options,
        { "owner", required_argument, NULL, OPTION_OWNER },
        { NULL, 0, NULL, 0 }
    };

    name = NULL;

    while ((opt = cli_option(cli, argc, argv, options)) != -1) {

        if (opt == CLI_OPTION_STOP) {
            return cli->status;
        }

        name = optarg;
    }

    if (optind != argc) {
        return cli_wrong_usage(cli, "unexpected argument \"%s\"",
                               argv[optind]);
    }

    status = choose_owner(cli, name, &owner);

    if (status == CLI_OK) {
        status = make_dir(cli, name != NULL, &owner);
    }

    if (status == CLI_OK) {
        status = make_environments(cli);
    }

    if (status == CLI_OK) {
        status = print_result(cli, &owner);
    }

    return status;
}


static int
choose_owner(cli_t *cli, const char *name, owner_t *owner)
{
    size_t          i;
    struct passwd  *pw;

    owner->uid = geteuid();
    owner->gid = getegid();

    if (name != NULL) {
        pw = getpwnam(name);

        if (pw == NULL) {
            return cli_fail("init", "there is no user \"%s\"", name);
        }

        if (geteuid() != 0 && geteuid() != pw->pw_uid) {
            return cli_fail("init", "only root can make a directory for the "
                            "user \"%s\"", name);
        }

        owner->uid = pw->pw_uid;
        owner->gid = pw->pw_gid;

        return CLI_OK;
    }

    if (geteuid() != 0) {
        return CLI_OK;
    }

    for (i = 0; i < sizeof(worker_users) / sizeof(worker_users[0]); i++) {
        pw = getpwnam(worker_users[i]);

        if (pw != NULL) {
            owner->uid = pw->pw_uid;
            owner->gid = pw->pw_gid;
            break;
        }
    }

    return CLI_OK;
}


/* The directory is held open while it is looked at and given away. */

static int
make_dir(cli_t *cli, int owner_given, owner_t *owner)
{
    int  fd, is_new, status;

    is_new = 0;

    if (mkdir(cli->dir, DIR_MODE) == 0) {
        is_new = 1;

    } else if (errno != EEXIST) {
        return cli_fail(cli->dir, "cannot be made: %s", strerror(errno));
    }

    fd = open(cli->dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC
                        |(is_new ? O_NOFOLLOW : 0));
    if (fd == -1) {
        return cli_fail(cli->dir, "%s", strerror(errno));
    }

    status = give_dir(cli, fd, is_new, owner_given, owner);

    (void) close(fd);

    return status;
}


static int
give_dir(cli_t *cli, int fd, int is_new, int owner_given, owner_t *owner)
{
    int          empty;
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        return cli_fail(cli->dir, "%s", strerror(errno));
    }

    if (!is_new && !owner_given) {
        owner->uid = st.st_uid;
        owner->gid = st.st_gid;
        return CLI_OK;
    }

    if (st.st_uid == owner->uid) {
        return CLI_OK;
    }

    empty = is_new ? 1 : cli_is_empty(fd);

    if (empty == -1) {
        return cli_fail(cli->dir, "%s", strerror(errno));
    }

    if (!empty) {
        return cli_fail(cli->dir, "it belongs to uid %u and is not empty",
                        (unsigned) st.st_uid);
    }

    if (fchown(fd, owner->uid, owner->gid) == -1) {
        return cli_fail(cli->dir, "cannot be given to uid %u: %s",
                        (unsigned) owner->uid, strerror(errno));
    }

    return CLI_OK;
}


static int
make_environments(cli_t *cli)
{
    int        status;
    cli_env_t  env;

    status = cli_open(cli, &env, CLI_OPEN_CREATE);

    if (status == CLI_OK) {
        cli_close(&env);
    }

    return status;
}


static int
print_result(cli_t *cli, const owner_t *owner)
{
    int             status;
    rfl_buf_t       b = rfl_buf_init;
    struct passwd  *pw;

    pw = getpwuid(owner->uid);

    if (cli->json) {
        rfl_buf_text(&b, "{\"path\":");
        rfl_json_string(&b, rfl_cstr(cli->dir));
        rfl_buf_text(&b, ",\"owner\":");

        if (pw != NULL) {
            rfl_json_string(&b, rfl_cstr(pw->pw_name));

        } else {
            rfl_buf_fmt(&b, "\"%u\"", (unsigned) owner->uid);
        }

        rfl_buf_text(&b, "}\n");

    } else {
        (void) cli_safe(&b, rfl_cstr(cli->dir));

        if (pw != NULL) {
            rfl_buf_fmt(&b, " is ready for the user %s\n", pw->pw_name);

        } else {
            rfl_buf_fmt(&b, " is ready for uid %u\n", (unsigned) owner->uid);
        }
    }

    status = cli_write(cli, &b);
    rfl_buf_free(&b);

    return status;
}
