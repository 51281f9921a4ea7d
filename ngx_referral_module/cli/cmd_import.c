/*
 * import: registers many links in one transaction, all or nothing.
 */

#include "import.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>


#define OPTION_FORMAT    (CLI_OPTION_FIRST + 0)
#define OPTION_MAP       (CLI_OPTION_FIRST + 1)
#define OPTION_SET       (CLI_OPTION_FIRST + 2)
#define OPTION_UPDATE    (CLI_OPTION_FIRST + 3)
#define OPTION_SYNC      (CLI_OPTION_FIRST + 4)
#define OPTION_DRY_RUN   (CLI_OPTION_FIRST + 5)
#define OPTION_SKIP_BAD  (CLI_OPTION_FIRST + 6)

static int run(cli_t *cli, int argc, char **argv);
static int read_options(import_t *im, int argc, char **argv);
static int read_option(import_t *im, int opt);
static int read_format(import_t *im, const char *text);
static int read_map(import_t *im, const char *text);
static int add_map(import_t *im, const char *text, rfl_str_t column);
static int read_set(import_t *im, const char *text);
static int open_files(import_t *im, char **names, size_t n,
    import_file_t *files);
static void close_files(import_file_t *files, size_t n);
static int import_files(import_t *im, import_file_t *files, size_t n);
static void wait_for_pipe(import_file_t *files, size_t n);
static rfl_rc_t begin(import_t *im, rfl_error_t *err);
static int read_files(import_t *im, import_file_t *files, size_t n);
static int finish(import_t *im);


const cli_command_t  cli_import = {
    "import",
    "FILE... [OPTION]...",
    "register many links from an export or a list",
    "Registers the links of all files (-: standard input) in one transaction:\n"
    "if a row is bad, nothing is imported.  Rows that name the same link are\n"
    "merged, the first value of a field stands; links that are registered\n"
    "already are left as they are.  Bad rows are shown and written to\n"
    "FILE.bad.csv.\n"
    "\n"
    "Known by their headers, in any order, case and encoding: exports of\n"
    "Ahrefs, Semrush, Majestic, Google Search Console, Bing, Linkody, CSV and\n"
    "JSON of ours; also Google disavow lists and plain lists of URLs.\n"
    "\n"
    "      --format F        csv, json, urls, disavow, ahrefs, semrush,\n"
    "                        majestic, search-console, bing or linkody;\n"
    "                        default auto\n"
    "      --map COLUMN=FIELD\n"
    "                        the field a column holds; without FIELD the\n"
    "                        column is ignored; several times\n"
    "      --set FIELD=VALUE\n"
    "                        what the field is where a row leaves it empty;\n"
    "                        several times\n"
    "      --update          change links that are registered: a column of\n"
    "                        the file replaces the field, empty clears it\n"
    "      --sync            remove registered links the files do not have\n"
    "      --dry-run         say what would be done, change nothing\n"
    "      --skip-bad        import the other rows when some are bad\n"
    "\n"
    "Fields: source match_type target tag name channel origin partner\n"
    "placement rel authority anchor labels note cost listed_first\n"
    "listed_last.  Columns of \"export\" that are no fields (key, groups,\n"
    "counters, first_seen, last_seen, state, state_since) and the column\n"
    "error of FILE.bad.csv are ignored; created is taken over.\n",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int             status;
    size_t          n;
    import_t       *im;
    import_file_t  *files;

    im = calloc(1, sizeof(import_t));
    if (im == NULL) {
        return cli_fail("import", "no memory");
    }

    im->cli = cli;
    files = NULL;
    n = 0;

    status = read_options(im, argc, argv);

    if (status == CLI_OK) {
        n = (size_t) (argc - optind);
        files = calloc(n, sizeof(import_file_t));
        im->files = files;
        im->nfiles = n;

        status = files != NULL ? open_files(im, argv + optind, n, files)
                               : cli_fail("import", "no memory");
    }

    if (status == CLI_OK) {
        status = import_files(im, files, n);
    }

    cli_as_caller(cli);

    close_files(files, n);
    rfl_import_free(&im->import);
    rfl_buf_free(&im->bad_header);
    free(im->hosts.places);
    free(im);

    return status == CLI_STOPPED ? cli->status : status;
}


static int
read_options(import_t *im, int argc, char **argv)
{
    int  opt, status;

    static const struct option  options[] = {
        cli_common_options,
        { "format", required_argument, NULL, OPTION_FORMAT },
        { "map", required_argument, NULL, OPTION_MAP },
        { "set", required_argument, NULL, OPTION_SET },
        { "update", no_argument, NULL, OPTION_UPDATE },
        { "sync", no_argument, NULL, OPTION_SYNC },
        { "dry-run", no_argument, NULL, OPTION_DRY_RUN },
        { "skip-bad", no_argument, NULL, OPTION_SKIP_BAD },
        { NULL, 0, NULL, 0 }
    };

    while ((opt = cli_option(im->cli, argc, argv, options)) != -1) {

        if (opt == CLI_OPTION_STOP) {
            return CLI_STOPPED;
        }

        status = read_option(im, opt);
        if (status != CLI_OK) {
            return status;
        }
    }

    if (optind == argc) {
        return cli_wrong_usage(im->cli, "which file?  \"-\" is standard "
                               "input");
    }

    if (im->sync && im->skip_bad) {
        return cli_wrong_usage(im->cli, "--sync and --skip-bad exclude each "
                               "other: the link of a bad row would be "
                               "removed");
    }

    return CLI_OK;
}


static int
read_option(import_t *im, int opt)
{
    switch (opt) {

    case OPTION_FORMAT:
        return read_format(im, optarg);

    case OPTION_MAP:
        return read_map(im, optarg);

    case OPTION_SET:
        return read_set(im, optarg);

    case OPTION_UPDATE:
        im->import.update = 1;
        break;

    case OPTION_SYNC:
        im->sync = 1;
        break;

    case OPTION_DRY_RUN:
        im->dry_run = 1;
        break;

    case OPTION_SKIP_BAD:
        im->skip_bad = 1;
        break;
    }

    return CLI_OK;
}


static int
read_format(import_t *im, const char *text)
{
    size_t  i;

    for (i = 0; i < IMPORT_FORMATS; i++) {
        if (strcmp(text, import_format_names[i]) == 0) {
            im->format = (import_format_t) i;
            return CLI_OK;
        }
    }

    return cli_wrong_usage(im->cli, "--format \"%s\" is none of auto, csv, "
                           "json, urls, disavow, ahrefs, semrush, majestic, "
                           "search-console, bing, linkody", text);
}


/* A field's name holds no "=", a column's may. */

static int
read_map(import_t *im, const char *text)
{
    int            status;
    const char    *equals;
    import_map_t  *map;

    equals = strrchr(text, '=');

    if (equals == NULL || equals == text) {
        return cli_wrong_usage(im->cli, "--map \"%s\" is not COLUMN=FIELD",
                               text);
    }

    status = add_map(im, text, rfl_str_trim(rfl_str(text, equals - text)));

    if (status != CLI_OK || equals[1] == '\0') {
        return status;
    }

    map = &im->maps[im->nmaps - 1];
    map->field = rfl_link_field(rfl_cstr(equals + 1));

    if (map->field == NULL) {
        return cli_wrong_usage(im->cli, "--map: a link has no field \"%s\"",
                               equals + 1);
    }

    return CLI_OK;
}


/* One that is ignored, so far. */

static int
add_map(import_t *im, const char *text, rfl_str_t column)
{
    size_t  i;

    for (i = 0; i < im->nmaps; i++) {
        if (rfl_str_caseeq(column, im->maps[i].column)) {
            return cli_wrong_usage(im->cli, "--map \"%s\" and --map \"%s\" "
                                   "are about one column", im->map_texts[i],
                                   text);
        }
    }

    if (im->nmaps == IMPORT_MAPS_MAX) {
        return cli_wrong_usage(im->cli, "more than %d columns to map",
                               IMPORT_MAPS_MAX);
    }

    im->map_texts[im->nmaps] = text;
    im->maps[im->nmaps].column = column;
    im->maps[im->nmaps].field = NULL;
    im->nmaps++;

    return CLI_OK;
}


/* Judged before any row: a wrong default would make every row a bad one. */

static int
read_set(import_t *im, const char *text)
{
    int                      status;
    u_char                   scratch[RFL_LABELS_TEXT_MAX];
    rfl_rc_t                 rc;
    rfl_str_t                value;
    rfl_link_t               link;
    rfl_error_t              err;
    const rfl_link_field_t  *field;

    rc = cli_assignment(im->cli, text, &field, &value, &status);
    if (rc != RFL_OK) {
        return status;
    }

    if (field->offset == offsetof(rfl_link_t, source)) {
        return cli_wrong_usage(im->cli, "--set: every row has a source of its "
                               "own");
    }

    memset(&link, 0, sizeof(rfl_link_t));

    rc = rfl_link_set(&link, field, value, scratch, &err);
    if (rc != RFL_OK) {
        return cli_wrong_usage(im->cli, "--set: %s", err.text);
    }

    im->import.defaults[field - rfl_link_fields] = rfl_str_trim(value);
    im->set_texts[field - rfl_link_fields] = text;

    return CLI_OK;
}


/* While the command is still the caller, who may read them. */

static int
open_files(import_t *im, char **names, size_t n, import_file_t *files)
{
    int     status;
    size_t  i, k;

    for (i = 0; i < n; i++) {
        files[i].fd = -1;
    }

    for (i = 0; i < n; i++) {

        for (k = 0; k < i; k++) {
            if (strcmp(names[i], names[k]) == 0) {
                return cli_wrong_usage(im->cli, "\"%s\" is named twice",
                                       names[i]);
            }
        }

        status = import_file_open(names[i], &files[i]);
        if (status != CLI_OK) {
            return status;
        }
    }

    im->progress = !im->cli->json && isatty(STDERR_FILENO);

    return CLI_OK;
}


static void
close_files(import_file_t *files, size_t n)
{
    size_t  i;

    for (i = 0; files != NULL && i < n; i++) {
        import_file_close(&files[i]);
    }

    free(files);
}


/* Without a registry a dry run has nothing to compare with: it makes none. */

static int
import_files(import_t *im, import_file_t *files, size_t n)
{
    int          status;
    rfl_rc_t     rc;
    rfl_error_t  err;

    im->cli->keep_caller = 1;

    status = cli_open(im->cli, &im->env, im->dry_run ? CLI_OPEN_WRITE
                                                     : CLI_OPEN_CREATE);
    if (status != CLI_OK) {
        return status;
    }

    wait_for_pipe(files, n);

    rc = begin(im, &err);

    if (rc != RFL_OK) {
        status = cli_fail("import", "%s", err.text);
        cli_close(&im->env);
        return status;
    }

    status = read_files(im, files, n);

    if (status == CLI_OK) {
        status = finish(im);

    } else {
        rfl_registry_end(im->env.registry);
    }

    cli_close(&im->env);

    return status;
}


/*
 * While the lock is not held yet, which others wait for.  The first one alone:
 * a program may write to a second pipe once it is done with the first.
 */

static void
wait_for_pipe(import_file_t *files, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {            /* n > 0: files is no NULL */
        if (!files[i].regular) {                     /* NOLINT */
            import_file_wait(&files[i]);
            return;
        }
    }
}


/*
 * A file that nginx follows may be tried before it takes its place.  With
 * --sync the links will be those of the files: more may be there on the way.
 */

static rfl_rc_t
begin(import_t *im, rfl_error_t *err)
{
    rfl_rc_t             rc;
    rfl_registry_meta_t  meta;

    rc = im->dry_run ? rfl_issue_begin(im->env.registry, &im->env.totals, err)
                     : cli_begin_write(&im->env, err);
    if (rc != RFL_OK) {
        return rc;
    }

    im->import.registry = im->env.registry;
    im->import.now = (uint64_t) time(NULL);
    im->import.named = import_named;
    im->import.data = im;

    if (im->sync) {
        rc = rfl_registry_meta(im->env.registry, &meta);
        if (rc != RFL_OK) {
            return rfl_fail(err, rc, "the registry's meta data cannot be "
                            "read");
        }

        im->import.max_links = meta.max_links;
        rfl_registry_pass_max_links(im->env.registry);
    }

    return rfl_registry_bulk(im->env.registry, err);
}


static int
read_files(import_t *im, import_file_t *files, size_t n)
{
    size_t       i;
    rfl_rc_t     rc;
    rfl_error_t  err;

    for (i = 0; i < n; i++) {            /* n > 0: files is no NULL */
        rc = import_read(im, &files[i], &err);

        if (rc != RFL_OK) {
            return cli_fail(files[i].shown,          /* NOLINT */
                            "%s; nothing was imported",
                            err.text);
        }

        if (im->sync && import_file_has_changed(&files[i])) {
            return cli_fail(files[i].shown, "it is being written: put a whole "
                            "file in its place; nothing was imported");
        }

        if (im->cut == NULL && import_file_may_be_cut(&files[i])) {
            im->cut = files[i].shown;
        }
    }

    if (im->counts.bad > IMPORT_BAD_SHOWN) {
        cli_warn("import", "and %llu more bad rows",
                 (unsigned long long) (im->counts.bad - IMPORT_BAD_SHOWN));
    }

    if (im->sync && im->counts.rows == 0) {
        return cli_fail("import", "there are no rows: --sync would remove "
                        "every link");
    }

    return CLI_OK;
}


/* Ends the transaction one way or the other. */

static int
finish(import_t *im)
{
    int          status;
    rfl_rc_t     rc;
    rfl_error_t  err;

    rc = rfl_import_clear(&im->import, &err);

    if (rc == RFL_OK) {
        rc = rfl_registry_settle(im->env.registry, &err);
    }

    if (rc == RFL_OK && im->counts.bad != 0 && !im->skip_bad) {
        (void) import_count_groups(im, NULL);
        rfl_registry_end(im->env.registry);
        return import_refused(im);
    }

    if (rc == RFL_OK && im->sync) {
        rc = rfl_import_remove_others(&im->import, &err);
    }

    if (rc == RFL_OK && im->cut != NULL && im->import.counts.removed != 0) {
        rc = rfl_fail(&err, RFL_INVALID, "the last line of %s has no end, so "
                      "it may be cut off, and links would be removed (%llu): "
                      "end it by a newline", im->cut,
                      (unsigned long long) im->import.counts.removed);
    }

    if (rc == RFL_OK) {
        rc = import_count_groups(im, &err);
    }

    if (rc != RFL_OK || im->dry_run) {
        rfl_registry_end(im->env.registry);

    } else {
        rc = cli_commit(&im->env, &err);
    }

    if (rc != RFL_OK) {
        return cli_fail("import", "%s; nothing was imported", err.text);
    }

    status = import_report(im, !im->dry_run);

    return im->bad_lost ? cli_fail("import", "it is done, but bad rows could "
                                   "not be written") : status;
}
