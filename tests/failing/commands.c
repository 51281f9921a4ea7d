/*
 * Scenarios of failing.h: referralctl, its main() run as it is.  It exits with
 * 0, has said what it always says and warned of nothing; or with 1, and named
 * what failed.
 */

#include "failing.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"


#define ARGUMENTS_MAX  16
#define PATH_LEN       128


/* main() of ngx_referral_module/cli/main.c: see the Makefile. */

int referralctl_main(int argc, char **argv);


typedef struct {
    int     status;
    char   *out;
    char   *err;
    size_t  out_len;
    size_t  err_len;
} said_t;


/* What of an answer is the same each time. */

typedef enum {
    TELL_ALL = 0,
    TELL_BEHIND_TIME,
    TELL_NOTHING,
    TELL_BAD                             /* and of a bad row it may warn */
} tell_t;


static void
run_main(int argc, char **argv, said_t *said)
{
    int   failed;
    FILE  *out, *err;

    memset(said, 0, sizeof(said_t));

    out = stdout;
    err = stderr;

    stdout = open_memstream(&said->out, &said->out_len);
    stderr = open_memstream(&said->err, &said->err_len);
    failed = stdout == NULL || stderr == NULL;

    if (!failed) {
        optind = 0;                      /* getopt_long() begins anew */
        said->status = referralctl_main(argc, argv);

        /* what failed may have been standard output */

        (void) __real_fclose(stdout);
        (void) __real_fclose(stderr);
    }

    stdout = out;
    stderr = err;

    must(!failed);
}


/* That warning, and no other one behind it. */

static int
is_bad_row(const char *err)
{
    const char  *eol;

    eol = strchr(err, '\n');

    return strstr(err, "/file:3: match_type \"unheard-of\"") != NULL
           && eol != NULL && eol[1] == '\0';
}


/* "referralctl: WHAT: WHY", perhaps behind a warning. */

static rfl_rc_t
judge(scene_t *s, tell_t tell, const said_t *said)
{
    const char  *text;

    static const char  name[] = "referralctl: ";

    must(said->status == 0 || said->status == 1);

    if (said->status == 0
        && (said->err_len == 0
            || (tell == TELL_BAD && is_bad_row(said->err))))
    {
        text = said->out;

        if (tell == TELL_BEHIND_TIME) {
            text = strchr(text, ',');
            must(text != NULL);
        }

        rfl_buf_text(s->out, tell == TELL_NOTHING ? "done" : text);
        return RFL_OK;
    }

    must(strncmp(said->err, name, sizeof(name) - 1) == 0);
    must(said->err[said->err_len - 1] == '\n');

    return rfl_fail(&s->err, RFL_ERROR, "%.200s", said->err);
}


/* The arguments end with NULL; "@" is the directory. */

static rfl_rc_t
command(scene_t *s, tell_t tell, ...)
{
    int          argc;
    char         paths[ARGUMENTS_MAX][PATH_LEN], *argv[ARGUMENTS_MAX];
    said_t       said;
    va_list      args;
    rfl_rc_t     rc;
    const char  *arg;

    argc = 0;
    va_start(args, tell);

    for (arg = "referralctl"; arg != NULL; arg = va_arg(args, const char *)) {
        must(argc < ARGUMENTS_MAX - 1);

        (void) snprintf(paths[argc], PATH_LEN, "%s%s",
                        arg[0] == '@' ? s->dir : arg,
                        arg[0] == '@' ? arg + 1 : "");
        argv[argc] = paths[argc];
        argc++;
    }

    va_end(args);
    argv[argc] = NULL;

    /* what this machine has there is none of the tests' */

    fail_replace_dir(RFL_COUNTERS_DIR, s->dir);

    run_main(argc, argv, &said);
    rc = judge(s, tell, &said);

    free(said.out);
    free(said.err);

    return rc;
}


#define COMMAND(name, tell, ...)                                              \
                                                                              \
static rfl_rc_t                                                               \
run_##name(scene_t *s)                                                        \
{                                                                             \
    return command(s, tell, "-d", "@", __VA_ARGS__, NULL);                    \
}                                                                             \
                                                                              \
static const step_pt  name##_steps[] = { run_##name, NULL };


COMMAND(add, TELL_ALL, "add", "https://new.example/c", "--label", "x")
COMMAND(backup, TELL_NOTHING, "backup", "@/copy")
COMMAND(check, TELL_NOTHING, "check")
COMMAND(compact, TELL_NOTHING, "compact", "@/copy")
COMMAND(export, TELL_ALL, "export")
COMMAND(export_json, TELL_ALL, "export", "--format", "json")
COMMAND(history, TELL_ALL, "history", "all", "--unit", "hour", "--from",
        "2026-11-19", "--to", "2026-11-21")
COMMAND(ignore, TELL_ALL, "ignore", "spam.example")
COMMAND(ignore_file, TELL_ALL, "ignore", "--file", "@/file")
COMMAND(import, TELL_ALL, "import", "@/file", "--sync", "--update")
COMMAND(init, TELL_ALL, "init", "--owner", "root")
COMMAND(list, TELL_ALL, "list")
COMMAND(match, TELL_ALL, "match", "https://blog.example/2024/launch",
        "--landing", "https://shop.example/pricing")
COMMAND(remove, TELL_ALL, "rm", "5fabaef8b5fd5129")
COMMAND(set, TELL_ALL, "set", "5fabaef8b5fd5129", "name=changed")
COMMAND(show, TELL_ALL, "show", "5fabaef8b5fd5129")
COMMAND(sources, TELL_ALL, "sources")
COMMAND(top, TELL_BEHIND_TIME, "top", "--count", "1", "--json")


/* The rows it could not take are in a file, all of them. */

static rfl_rc_t
import_bad(scene_t *s)
{
    return command(s, TELL_BAD, "-d", "@", "import", "@/file", "--skip-bad",
                   NULL);
}


static rfl_rc_t
tell_bad(scene_t *s)
{
    int      fd;
    char     text[1000];
    ssize_t  n;

    fd = open(below(s->dir, "file.bad.csv"), O_RDONLY|O_CLOEXEC, 0);
    n = fd != -1 ? read(fd, text, sizeof(text)) : -1;

    if (fd != -1) {
        (void) close(fd);
    }

    if (n == -1) {
        return named(s, RFL_ERROR, "reading bad rows");
    }

    rfl_buf_add(s->out, (u_char *) text, (size_t) n);

    return RFL_OK;
}


static const step_pt  bad_steps[] = { import_bad, tell_bad, NULL };


/* A copy that is there is whole, and no part of one has its name. */

static void
verify_copy(const char *dir, uint32_t before, uint32_t after)
{
    char  copy[PATH_LEN];

    verify_site(dir, before, after);

    (void) snprintf(copy, sizeof(copy), "%s/copy", dir);

    if (access(below(copy, "registry/data.mdb"), F_OK) == 0) {
        must(access(below(copy, "ledger/data.mdb"), F_OK) == 0);
        verify_registry(copy, before, after);
    }
}


/* A directory that is there, of another mode than the one that is copied. */

static void
prepare_copy(const char *dir)
{
    prepare_site(dir);
    must(mkdir(below(dir, "copy"), 0755) == 0);
}


/* The import's file, and a row in it that is none. */

static void
prepare_bad(const char *dir)
{
    prepare_site(dir);
    write_file(below(dir, "file"),
               "source,match_type,target\n"
               "https://new.example/a,exact,/a\n"
               "https://new.example/b,unheard-of,/b\n");
}


static void
prepare_list(const char *dir)
{
    prepare_site(dir);
    write_file(below(dir, "file"),
               "source,match_type,target,name\n"
               "https://blog.example/2024/launch,exact,/pricing,changed\n"
               "https://new.example/a,exact,/a,\n");
}


static void
prepare_hosts(const char *dir)
{
    prepare_site(dir);
    write_file(below(dir, "file"), "# spam\nspam.example\nmore.example\n");
}


#define SCENARIO(text, how, with, check, end)                                 \
    { .name = text, .prepare = with, .steps = how##_steps, .verify = check,   \
      .before = LINKS, .after = end }

const scenario_t  command_scenarios[] = {
    SCENARIO("ctl-add", add, prepare_site, verify_site, LINKS + 1),
    SCENARIO("ctl-backup", backup, prepare_site, verify_copy, LINKS),
    SCENARIO("ctl-bad", bad, prepare_bad, verify_site, LINKS + 1),
    SCENARIO("ctl-check", check, prepare_site, verify_site, LINKS),
    SCENARIO("ctl-compact", compact, prepare_copy, verify_copy, LINKS),
    SCENARIO("ctl-export", export, prepare_site, verify_site, LINKS),
    SCENARIO("ctl-json", export_json, prepare_site, verify_site, LINKS),
    SCENARIO("ctl-history", history, prepare_site, verify_site, LINKS),
    SCENARIO("ctl-ignore", ignore, prepare_site, verify_site, LINKS),
    SCENARIO("ctl-hosts", ignore_file, prepare_hosts, verify_site, LINKS),
    SCENARIO("ctl-import", import, prepare_list, verify_site, 2),
    SCENARIO("ctl-list", list, prepare_site, verify_site, LINKS),
    SCENARIO("ctl-match", match, prepare_site, verify_site, LINKS),
    SCENARIO("ctl-rm", remove, prepare_site, verify_site, LINKS - 1),
    SCENARIO("ctl-set", set, prepare_site, verify_site, LINKS),
    SCENARIO("ctl-show", show, prepare_site, verify_site, LINKS),
    SCENARIO("ctl-sources", sources, prepare_site, verify_site, LINKS),
    SCENARIO("ctl-top", top, prepare_site, verify_site, LINKS),
    { .name = "ctl-init", .steps = init_steps, .verify = verify_registry },
    { .name = NULL }
};
