/*
 * import: registers many links in one transaction, all or nothing.
 */

#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


#define OPTION_FORMAT    (CLI_OPTION_FIRST + 0)
#define OPTION_MAP       (CLI_OPTION_FIRST + 1)
#define OPTION_SET       (CLI_OPTION_FIRST + 2)
#define OPTION_UPDATE    (CLI_OPTION_FIRST + 3)
#define OPTION_SYNC      (CLI_OPTION_FIRST + 4)
#define OPTION_DRY_RUN   (CLI_OPTION_FIRST + 5)
#define OPTION_SKIP_BAD  (CLI_OPTION_FIRST + 6)

#define STDIN_NAME  "-"


static int run(cli_t *cli, int argc, char **argv);
static int read_options(import_t *im, int argc, char **argv);
static int read_option(import_t *im, int opt);
static int read_format(import_t *im, const char *text);
static int read_map(import_t *im, const char *text);
static int read_set(import_t *im, const char *text);
static int open_files(import_t *im, char **names, size_t n,
    import_file_t *files);
static int open_file(const char *name, import_file_t *file);
static void close_files(import_file_t *files, size_t n);
static int import_files(import_t *im, import_file_t *files, size_t n);
static int read_files(import_t *im, import_file_t *files, size_t n);
static int finish(import_t *im);
static int refused(import_t *im);
static int print_summary(import_t *im, int imported);
static void summary_text(const import_t *im, rfl_buf_t *b);
static void summary_json(const import_t *im, int imported, rfl_buf_t *b);
static void count(rfl_buf_t *b, uint64_t n, const char *one, const char *many);


const cli_command_t  cli_import = {
    "import",
    "FILE... [OPTION]...",
    "register many links from CSV or a list of URLs",
    "Registers the links of all files (-: standard input) in one transaction:\n"
    "if a row is bad, nothing is imported.  Rows that name the same link are\n"
    "merged, the first value of a field stands; links that are registered\n"
    "already are left as they are.  Bad rows are shown and written to\n"
    "FILE.bad.csv.\n"
    "\n"
    "      --format F        csv: a header names the fields, in any order and\n"
    "                        case; urls: one URL a line, # begins a comment;\n"
    "                        default auto: what the first line looks like\n"
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
    "listed_last.  Columns of \"export\" that are no fields (key, created,\n"
    "groups, counters, first_seen, last_seen) and the column error of\n"
    "FILE.bad.csv are ignored.\n",
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

        status = files != NULL ? open_files(im, argv + optind, n, files)
                               : cli_fail("import", "no memory");
    }

    if (status == CLI_OK) {
        status = import_files(im, files, n);
    }

    cli_as_caller(cli);

    close_files(files, n);
    import_free(im);
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
        im->update = 1;
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

    static const char *const  formats[] = {
        [IMPORT_AUTO] = "auto",
        [IMPORT_CSV]  = "csv",
        [IMPORT_URLS] = "urls"
    };

    for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(text, formats[i]) == 0) {
            im->format = (import_format_t) i;
            return CLI_OK;
        }
    }

    return cli_wrong_usage(im->cli, "--format \"%s\" is not auto, csv or urls",
                           text);
}


/* A field's name holds no "=", a column's may. */

static int
read_map(import_t *im, const char *text)
{
    const char    *equals;
    import_map_t  *map;

    equals = strrchr(text, '=');

    if (equals == NULL || equals == text) {
        return cli_wrong_usage(im->cli, "--map \"%s\" is not COLUMN=FIELD",
                               text);
    }

    if (im->nmaps == IMPORT_MAPS_MAX) {
        return cli_wrong_usage(im->cli, "more than %d columns to map",
                               IMPORT_MAPS_MAX);
    }

    map = &im->maps[im->nmaps++];
    map->column = rfl_str_trim(rfl_str(text, equals - text));
    map->field = NULL;

    if (equals[1] == '\0') {
        return CLI_OK;
    }

    map->field = rfl_link_field(rfl_cstr(equals + 1));

    if (map->field == NULL) {
        return cli_wrong_usage(im->cli, "--map: a link has no field \"%s\"",
                               equals + 1);
    }

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

    im->defaults[field - rfl_link_fields] = rfl_str_trim(value);

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

        status = open_file(names[i], &files[i]);
        if (status != CLI_OK) {
            return status;
        }
    }

    im->progress = !im->cli->json && isatty(STDERR_FILENO);

    return CLI_OK;
}


static int
open_file(const char *name, import_file_t *file)
{
    struct stat  st;

    file->name = name;
    file->shown = name;

    if (strcmp(name, STDIN_NAME) == 0) {
        file->shown = "standard input";
        file->fd = STDIN_FILENO;
        return CLI_OK;
    }

    file->fd = open(name, O_RDONLY|O_CLOEXEC);

    if (file->fd == -1 || fstat(file->fd, &st) == -1) {
        return cli_fail(name, "%s", strerror(errno));
    }

    if (S_ISDIR(st.st_mode)) {
        return cli_fail(name, "%s", strerror(EISDIR));
    }

    if (S_ISREG(st.st_mode)) {
        file->regular = 1;
        file->size = (uint64_t) st.st_size;
    }

    return CLI_OK;
}


static void
close_files(import_file_t *files, size_t n)
{
    size_t  i;

    for (i = 0; files != NULL && i < n; i++) {
        if (files[i].fd > STDIN_FILENO) {
            (void) close(files[i].fd);
        }
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
    im->now = (uint64_t) time(NULL);

    status = cli_open(im->cli, &im->env, im->dry_run ? CLI_OPEN_WRITE
                                                     : CLI_OPEN_CREATE);
    if (status != CLI_OK) {
        return status;
    }

    rc = cli_begin_write(&im->env, &err);

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


static int
read_files(import_t *im, import_file_t *files, size_t n)
{
    size_t       i;
    rfl_rc_t     rc;
    rfl_error_t  err;

    for (i = 0; i < n; i++) {
        rc = import_read(im, &files[i], &err);

        if (rc != RFL_OK) {
            return cli_fail(files[i].shown, "%s; nothing was imported",
                            err.text);
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
    rfl_rc_t     rc;
    rfl_error_t  err;

    if (im->counts.bad != 0 && !im->skip_bad) {
        rfl_registry_end(im->env.registry);
        return refused(im);
    }

    rc = im->sync ? import_retire(im, &err) : RFL_OK;

    if (rc != RFL_OK || im->dry_run) {
        rfl_registry_end(im->env.registry);

    } else {
        rc = cli_commit(&im->env, &err);
    }

    if (rc != RFL_OK) {
        return cli_fail("import", "%s; nothing was imported", err.text);
    }

    return print_summary(im, !im->dry_run);
}


static int
refused(import_t *im)
{
    int  status;

    status = im->cli->json ? print_summary(im, 0) : CLI_OK;

    if (status != CLI_OK) {
        return status;
    }

    return cli_fail("import", "%llu of %llu rows %s bad, nothing was imported "
                    "(--skip-bad imports the others)%s",
                    (unsigned long long) im->counts.bad,
                    (unsigned long long) im->counts.rows,
                    im->counts.bad == 1 ? "is" : "are",
                    im->bad_files != 0
                    ? "; FILE" IMPORT_BAD_SUFFIX " has the bad ones" : "");
}


static int
print_summary(import_t *im, int imported)
{
    int        status;
    rfl_buf_t  b = rfl_buf_init;

    if (im->cli->json) {
        summary_json(im, imported, &b);

    } else {
        summary_text(im, &b);
    }

    status = cli_write(im->cli, &b);
    rfl_buf_free(&b);

    return status;
}


/* What did not happen is left out, but for what everybody looks for. */

static void
summary_text(const import_t *im, rfl_buf_t *b)
{
    const import_counts_t  *n;

    n = &im->counts;

    if (im->dry_run) {
        rfl_buf_text(b, "dry run: ");
    }

    count(b, n->rows, "row", "rows");
    rfl_buf_text(b, ": ");
    count(b, n->added, "link added on ", "links added on ");
    count(b, n->hosts, "host", "hosts");
    rfl_buf_fmt(b, ", %llu merged", (unsigned long long) n->merged);

    if (n->registered != 0) {
        rfl_buf_fmt(b, ", %llu already registered",
                    (unsigned long long) n->registered);
    }

    if (im->update) {
        rfl_buf_fmt(b, ", %llu updated", (unsigned long long) n->updated);
    }

    if (im->sync) {
        rfl_buf_fmt(b, ", %llu removed", (unsigned long long) n->retired);
    }

    rfl_buf_fmt(b, ", %llu bad", (unsigned long long) n->bad);

    if (im->bad_files != 0) {
        rfl_buf_text(b, " (in FILE" IMPORT_BAD_SUFFIX ")");
    }

    rfl_buf_char(b, '\n');
}


static void
summary_json(const import_t *im, int imported, rfl_buf_t *b)
{
    const import_counts_t  *n;

    n = &im->counts;

    rfl_buf_fmt(b, "{\"imported\":%s,\"dry_run\":%s,\"rows\":%llu,"
                "\"added\":%llu,\"hosts\":%llu,\"merged\":%llu,"
                "\"registered\":%llu,\"updated\":%llu,\"removed\":%llu,"
                "\"bad\":%llu}\n",
                imported ? "true" : "false", im->dry_run ? "true" : "false",
                (unsigned long long) n->rows, (unsigned long long) n->added,
                (unsigned long long) n->hosts, (unsigned long long) n->merged,
                (unsigned long long) n->registered,
                (unsigned long long) n->updated,
                (unsigned long long) n->retired, (unsigned long long) n->bad);
}


static void
count(rfl_buf_t *b, uint64_t n, const char *one, const char *many)
{
    rfl_buf_fmt(b, "%llu %s", (unsigned long long) n, n == 1 ? one : many);
}
