/*
 * check: whether registry and ledger agree with themselves.
 *
 * Each environment is opened for itself: that one cannot be is a fault too,
 * and no reason to leave the other one out.
 */

#include "cli.h"

#include "rfl_check.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>


/* What is beyond is counted, and not named. */

#define FAULTS_MAX  10000


typedef struct {
    rfl_buf_t    text;                   /* lines, or elements of a list */
    uint64_t     named;
    unsigned     json:1;
} faults_t;


typedef struct {
    cli_t            *cli;
    rfl_registry_t   *registry;
    rfl_ledger_t     *ledger;
    rfl_check_t       check;
    faults_t          faults;
    unsigned          has_ledger:1;
    unsigned          is_empty:1;        /* there is neither */
} check_t;


static int run(cli_t *cli, int argc, char **argv);
static void check_registry(check_t *c);
static void check_uuid(check_t *c);
static void check_ledger(check_t *c);
static void check_counters(check_t *c);
static rfl_rc_t counters_path(check_t *c, char **path, rfl_error_t *err);
static void add_fault(void *data, const char *table, rfl_str_t text);
static int report(check_t *c);
static void report_json(check_t *c, rfl_buf_t *out);
static void report_text(check_t *c, rfl_buf_t *out);
static const char *plural(uint64_t n);


const cli_command_t  cli_check = {
    "check",
    "",
    "look whether registry and ledger are sound",
    "Looks at every page and every row of both, also while nginx runs: each\n"
    "link has to stand in every index, each row of an index has to be a\n"
    "link's, totals are to be the sums of their history.  Each fault is named\n"
    "with its table; the exit code is 1 then.  Nothing is changed: restore a\n"
    "backup.\n",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int      opt, status;
    check_t  c;

    static const struct option  options[] = {
        cli_common_options,
        { NULL, 0, NULL, 0 }
    };

    while ((opt = cli_option(cli, argc, argv, options)) != -1) {
        if (opt == CLI_OPTION_STOP) {
            return cli->status;
        }
    }

    if (optind != argc) {
        return cli_wrong_usage(cli, "unexpected argument \"%s\"",
                               argv[optind]);
    }

    status = cli_use_dir(cli);
    if (status != CLI_OK) {
        return status;
    }

    memset(&c, 0, sizeof(check_t));

    c.cli = cli;
    c.check.fault = add_fault;
    c.check.data = &c.faults;
    c.faults.json = cli->json;

    check_ledger(&c);
    check_registry(&c);

    if (c.ledger != NULL) {
        check_counters(&c);
    }

    if (c.is_empty) {
        status = cli_fail(cli->dir, "there is no registry yet: run "
                          "\"referralctl -d %s init\", or start nginx with "
                          "this path", cli->dir);

    } else {
        status = report(&c);
    }

    rfl_buf_free(&c.faults.text);
    rfl_ledger_close(c.ledger);
    rfl_registry_close(c.registry);

    return status;
}


static void
check_registry(check_t *c)
{
    rfl_rc_t     rc;
    rfl_error_t  err;

    rc = rfl_registry_open(&c->registry, c->cli->dir, RFL_STORE_READ, 0, &err);

    if (rc == RFL_NOT_FOUND && !c->has_ledger) {
        c->is_empty = 1;
        return;
    }

    if (rc == RFL_OK) {
        rc = rfl_check_registry(&c->check, c->registry, &err);
    }

    if (rc != RFL_OK) {
        rfl_check_fault(&c->check, "registry", "%s", err.text);
        return;
    }

    if (c->ledger != NULL) {
        check_uuid(c);
    }
}


static void
check_uuid(check_t *c)
{
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    if (rfl_registry_begin(c->registry, 0, NULL) != RFL_OK) {
        return;
    }

    rc = rfl_registry_meta(c->registry, &meta);
    rfl_registry_end(c->registry);

    if (rc == RFL_OK && memcmp(meta.uuid, rfl_ledger_uuid(c->ledger), 16) != 0)
    {
        rfl_check_fault(&c->check, "ledger/meta", "it is the ledger of "
                        "another registry");
    }
}


/* No ledger: nothing was ever counted.  One that is hidden is no such. */

static void
check_ledger(check_t *c)
{
    rfl_rc_t     rc;
    rfl_error_t  err;

    errno = 0;

    if (!cli_has_data(c->cli, "ledger") && (errno == ENOENT || errno == 0)) {
        return;
    }

    c->has_ledger = 1;

    rc = rfl_ledger_open(&c->ledger, c->cli->dir, NULL, RFL_STORE_READ, 0,
                         &err);

    if (rc == RFL_OK) {
        rc = rfl_check_ledger(&c->check, c->ledger, &err);
    }

    if (rc != RFL_OK) {
        rfl_check_fault(&c->check, "ledger", "%s", err.text);
    }
}


/* The counter file in use: whether it can be read and is this ledger's. */

static void
check_counters(check_t *c)
{
    char            *path;
    rfl_rc_t         rc;
    rfl_error_t      err;
    rfl_counters_t  *counters;

    counters = NULL;

    rc = counters_path(c, &path, &err);

    if (rc == RFL_OK && path != NULL) {
        rc = rfl_counters_open(&counters, path, rfl_ledger_uuid(c->ledger), 0,
                               RFL_COUNTERS_MAX_IDS, RFL_COUNTERS_READ,
                               (uint64_t) time(NULL), &err);
    }

    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        rfl_check_fault(&c->check, "counters", "%s", err.text);
    }

    rfl_counters_close(counters);
    free(path);
}


static rfl_rc_t
counters_path(check_t *c, char **path, rfl_error_t *err)
{
    rfl_rc_t           rc;
    rfl_ledger_file_t  file;

    *path = NULL;

    rc = rfl_ledger_begin(c->ledger, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_last_file(c->ledger, &file);

    if (rc == RFL_OK && file.path.len != 0) {
        *path = strndup((const char *) file.path.data, file.path.len);
    }

    rfl_ledger_end(c->ledger);

    /* a record that makes no sense was named with its table */

    return RFL_OK;
}


static void
add_fault(void *data, const char *table, rfl_str_t text)
{
    faults_t *f = data;

    if (f->named == FAULTS_MAX) {
        return;
    }

    if (f->json) {
        rfl_buf_text(&f->text, f->named == 0 ? "\n" : ",\n");
        rfl_buf_text(&f->text, "{\"table\":");
        rfl_json_string(&f->text, rfl_cstr(table));
        rfl_buf_text(&f->text, ",\"text\":");
        rfl_json_string(&f->text, text);
        rfl_buf_char(&f->text, '}');

    } else {
        rfl_buf_text(&f->text, table);
        rfl_buf_text(&f->text, ": ");
        (void) cli_safe(&f->text, text);
        rfl_buf_char(&f->text, '\n');
    }

    f->named++;
}


static int
report(check_t *c)
{
    int        status;
    rfl_buf_t  out = rfl_buf_init;

    if (c->faults.text.failed) {
        return cli_fail("check", "no memory");
    }

    if (c->cli->json) {
        report_json(c, &out);

    } else {
        report_text(c, &out);
    }

    status = cli_write(c->cli, &out);
    rfl_buf_free(&out);

    if (status == CLI_OK && c->check.faults != 0) {
        return cli_fail(c->cli->dir, "%llu fault%s; restore a backup",
                        (unsigned long long) c->check.faults,
                        c->check.faults == 1 ? "" : "s");
    }

    return status;
}


static void
report_json(check_t *c, rfl_buf_t *out)
{
    const rfl_check_t  *n = &c->check;

    rfl_buf_fmt(out, "{\"links\":%llu,\"retired\":%llu,\"groups\":%llu,"
                "\"counter_files\":%llu,\"cells\":%llu,\"history\":%llu,"
                "\"rows\":%llu,\"fault_count\":%llu,\"faults\":[",
                (unsigned long long) n->links,
                (unsigned long long) n->retired,
                (unsigned long long) n->groups,
                (unsigned long long) n->files,
                (unsigned long long) n->cells,
                (unsigned long long) n->buckets,
                (unsigned long long) n->rows,
                (unsigned long long) n->faults);

    rfl_buf_str(out, rfl_str(c->faults.text.data, c->faults.text.len));
    rfl_buf_text(out, c->faults.named != 0 ? "\n]}\n" : "]}\n");
}


static void
report_text(check_t *c, rfl_buf_t *out)
{
    const rfl_check_t  *n = &c->check;

    rfl_buf_str(out, rfl_str(c->faults.text.data, c->faults.text.len));

    if (n->faults > c->faults.named) {
        rfl_buf_fmt(out, "... and %llu more\n",
                    (unsigned long long) (n->faults - c->faults.named));
    }

    rfl_buf_fmt(out, "registry: %llu link%s, %llu removed, %llu group%s\n",
                (unsigned long long) n->links, plural(n->links),
                (unsigned long long) n->retired,
                (unsigned long long) n->groups, plural(n->groups));

    if (c->has_ledger) {
        rfl_buf_fmt(out, "ledger: %llu cell%s of %llu counter file%s, %llu "
                    "value%s of history\n", (unsigned long long) n->cells,
                    plural(n->cells), (unsigned long long) n->files,
                    plural(n->files), (unsigned long long) n->buckets,
                    plural(n->buckets));

    } else {
        rfl_buf_text(out, "ledger: there is none, nothing was counted\n");
    }

    if (n->faults == 0) {
        rfl_buf_text(out, "no fault was found\n");
    }
}


static const char *
plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}
