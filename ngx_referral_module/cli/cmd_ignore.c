/*
 * ignore: hosts that are not shown among the sources, by name or from a list;
 * without any, which they are.  All of it or nothing, in one transaction.
 */

#include "cli.h"

#include "rfl_csv.h"
#include "rfl_ignored.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>


#define OPTION_FILE    (CLI_OPTION_FIRST + 0)
#define OPTION_REMOVE  (CLI_OPTION_FIRST + 1)


typedef struct {
    cli_env_t         env;
    const char       *path;              /* of a list, or NULL */
    FILE             *file;
    int               error;             /* errno of its reading, or 0 */
    int               remove;
    int               nhosts;
    char            **hosts;
    uint64_t          changed;
    uint64_t          unchanged;         /* were ignored before */
    rfl_csv_reader_t  reader;
} ignore_t;


static int run(cli_t *cli, int argc, char **argv);
static int write_hosts(cli_t *cli, ignore_t *g);
static void wait_for_list(FILE *file);
static rfl_rc_t put_hosts(ignore_t *g, rfl_error_t *err);
static rfl_rc_t put_file(ignore_t *g, rfl_error_t *err);
static rfl_rc_t unread(const ignore_t *g, rfl_rc_t rc, const rfl_error_t *why,
    rfl_error_t *err);
static rfl_rc_t put_host(ignore_t *g, rfl_str_t text, rfl_error_t *err);
static ssize_t read_file(void *data, u_char *buf, size_t size);
static void print_counts(const ignore_t *g);
static int list_hosts(cli_t *cli, ignore_t *g);


const cli_command_t  cli_ignore = {
    "ignore",
    "[--remove] [--file FILE] [HOST...]",
    "keep hosts off the list of sources",
    "Keeps these hosts, and all below them, off the list of sources and of\n"
    "what is broken; they are read and counted as before.  Without a host it\n"
    "lists those that are ignored.  If one cannot be, none is.\n"
    "\n"
    "      --file FILE       a list, a host a line, or the first column of\n"
    "                        a CSV; # begins a comment; - is standard input\n"
    "      --remove          they are shown again\n",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int        opt, status;
    ignore_t  *g;

    static const struct option  options[] = {
        cli_common_options,
        { "file", required_argument, NULL, OPTION_FILE },
        { "remove", no_argument, NULL, OPTION_REMOVE },
        { NULL, 0, NULL, 0 }
    };

    g = calloc(1, sizeof(ignore_t));
    if (g == NULL) {
        return cli_fail("ignore", "no memory");
    }

    status = CLI_OK;

    while (status == CLI_OK
           && (opt = cli_option(cli, argc, argv, options)) != -1)
    {
        switch (opt) {

        case OPTION_FILE:
            g->path = optarg;
            break;

        case OPTION_REMOVE:
            g->remove = 1;
            break;

        default:
            free(g);
            return cli->status;
        }
    }

    g->hosts = argv + optind;
    g->nhosts = argc - optind;

    if (g->remove && g->nhosts == 0 && g->path == NULL) {
        status = cli_wrong_usage(cli, "which host?  It is missing");

    } else {
        status = g->nhosts != 0 || g->path != NULL ? write_hosts(cli, g)
                                                   : list_hosts(cli, g);
    }

    free(g);

    return status;
}


/* The list is opened as who called, before the owner's identity is taken. */

static int
write_hosts(cli_t *cli, ignore_t *g)
{
    int          status;
    rfl_rc_t     rc;
    rfl_error_t  err;

    if (g->path != NULL) {
        g->file = strcmp(g->path, "-") == 0 ? stdin : fopen(g->path, "r");

        if (g->file == NULL) {
            return cli_fail(g->path, "%s", strerror(errno));
        }
    }

    status = cli_open(cli, &g->env, CLI_OPEN_WRITE);

    if (status == CLI_OK) {
        wait_for_list(g->file);

        rc = rfl_registry_begin(g->env.registry, 1, &err);

        if (rc == RFL_OK) {
            rc = put_hosts(g, &err);

            if (rc == RFL_OK) {
                rc = rfl_registry_commit(g->env.registry, &err);

            } else {
                rfl_registry_end(g->env.registry);
            }
        }

        if (rc != RFL_OK) {
            status = cli_fail("ignore", "%s", err.text);

        } else if (cli->json) {
            printf("{\"changed\":%llu}\n", (unsigned long long) g->changed);

        } else {
            print_counts(g);
        }

        cli_close(&g->env);
    }

    if (g->file != NULL && g->file != stdin) {
        (void) fclose(g->file);
    }

    return status;
}


/* While the lock is not held yet, which others wait for. */

static void
wait_for_list(FILE *file)
{
    int  c;

    c = file != NULL ? getc(file) : EOF;

    if (c != EOF) {
        (void) ungetc(c, file);
    }
}


static rfl_rc_t
put_hosts(ignore_t *g, rfl_error_t *err)
{
    int       i;
    rfl_rc_t  rc;

    rc = RFL_OK;

    for (i = 0; rc == RFL_OK && i < g->nhosts; i++) {
        rc = put_host(g, rfl_cstr(g->hosts[i]), err);
    }

    return rc == RFL_OK && g->file != NULL ? put_file(g, err) : rc;
}


static rfl_rc_t
put_file(ignore_t *g, rfl_error_t *err)
{
    size_t            n;
    rfl_rc_t          rc;
    uint64_t          line;
    unsigned          rows;
    rfl_str_t         host;
    rfl_error_t       why;
    const rfl_str_t  *fields;

    rfl_csv_init(&g->reader, ',', read_file, g);

    for (rows = 0; /* void */ ; rows++) {
        rc = rfl_csv_next(&g->reader, &fields, &n, &line, &why);

        if (rc == RFL_NOT_FOUND) {
            return RFL_OK;
        }

        if (rc != RFL_OK) {
            return unread(g, rc, &why, err);
        }

        host = rfl_str_trim(rfl_csv_plain(fields[0]));

        if (host.len == 0 || host.data[0] == '#') {
            rows--;
            continue;
        }

        if (rows == 0 && rfl_str_caseeq(host, rfl_cstr("host"))) {
            continue;
        }

        rc = put_host(g, host, &why);

        if (rc != RFL_OK) {
            return rfl_fail(err, rc, "%s, line %llu: %s", g->path,
                            (unsigned long long) line, why.text);
        }
    }
}


/* What the reader says of a row names its line. */

static rfl_rc_t
unread(const ignore_t *g, rfl_rc_t rc, const rfl_error_t *why,
    rfl_error_t *err)
{
    if (g->error != 0) {
        return rfl_fail(err, rc, "%s: %s", g->path, strerror(g->error));
    }

    return rfl_fail(err, rc, "%s, %s", g->path, why->text);
}


/* What is so already stays so; who asks to remove is told what is not there. */

static rfl_rc_t
put_host(ignore_t *g, rfl_str_t text, rfl_error_t *err)
{
    size_t     len;
    u_char     host[RFL_IGNORED_HOST];
    rfl_rc_t   rc;

    rc = rfl_ignored_parse(text, host, &len, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (g->remove) {
        rc = rfl_ignored_remove(g->env.registry, rfl_str(host, len), err);

    } else {
        rc = rfl_ignored_add(g->env.registry, rfl_str(host, len),
                             (uint64_t) time(NULL), err);

        if (rc == RFL_EXISTS) {
            g->unchanged++;
            return RFL_OK;
        }
    }

    g->changed += (rc == RFL_OK);

    return rc;
}


static ssize_t
read_file(void *data, u_char *buf, size_t size)
{
    ignore_t *g = data;

    size_t  n;

    errno = 0;
    n = fread(buf, 1, size, g->file);

    if (n != 0 || !ferror(g->file)) {
        return (ssize_t) n;
    }

    g->error = errno != 0 ? errno : EIO;

    return -1;
}


static void
print_counts(const ignore_t *g)
{
    const char  *plural;

    plural = g->changed == 1 ? "" : "s";

    if (g->unchanged == 0) {
        printf("%s %llu host%s\n", g->remove ? "no longer ignored:" : "ignored",
               (unsigned long long) g->changed, plural);
        return;
    }

    printf("ignored %llu host%s, %llu already %s\n",
           (unsigned long long) g->changed, plural,
           (unsigned long long) g->unchanged,
           g->unchanged == 1 ? "was" : "were");
}


static int
list_hosts(cli_t *cli, ignore_t *g)
{
    int                  status;
    rfl_rc_t             rc;
    rfl_buf_t            out = rfl_buf_init;
    rfl_error_t          err;
    rfl_ignored_place_t  place;

    status = cli_open(cli, &g->env, CLI_OPEN_READ);
    if (status != CLI_OK) {
        return status;
    }

    place.len = 0;

    rc = rfl_registry_begin(g->env.registry, 0, &err);

    if (rc == RFL_OK) {
        rfl_buf_text(&out, cli->json ? "{\"ignored\":[" : "");

        while ((rc = rfl_ignored_next(g->env.registry, &place)) == RFL_OK) {

            if (cli->json) {
                rfl_json_item(&out);
                rfl_json_string(&out, rfl_str(place.host, place.len));
                continue;
            }

            rfl_buf_add(&out, place.host, place.len);
            rfl_buf_char(&out, '\n');
        }

        rfl_buf_text(&out, cli->json ? "]}\n" : "");
        rfl_registry_end(g->env.registry);

        (void) rfl_fail(&err, rc, "the list cannot be read");
    }

    status = rc == RFL_NOT_FOUND ? cli_write(cli, &out)
                                 : cli_fail(cli->dir, "%s", err.text);

    rfl_buf_free(&out);
    cli_close(&g->env);

    return status;
}
