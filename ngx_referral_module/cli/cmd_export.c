/*
 * export: the registry with its totals, in a form import reads back.
 *
 * Fields are written as they are stored: an origin that follows from the
 * channel stays empty, so that an import does not fix it.
 */

#include "cli.h"

#include "rfl_csv.h"
#include "rfl_identity.h"
#include "rfl_utf8.h"


#define OPTION_FORMAT  CLI_OPTION_FIRST

#define LABEL  "disavowed"

#define APP    "android-app://"

#define FIELDS  (RFL_SHOW_ALL & ~RFL_SHOW_GROUPS)


static int run(cli_t *cli, int argc, char **argv);
static int export_csv(cli_t *cli, cli_env_t *env, cli_walk_t *walk);
static int export_disavow(cli_t *cli, cli_env_t *env, cli_walk_t *walk);
static rfl_rc_t disavow_row(void *data, cli_env_t *env, rfl_link_t *link,
    rfl_buf_t *out);
static void write_page(rfl_buf_t *out, rfl_str_t source, size_t scheme_len);
static size_t before_host(rfl_str_t source);
static int has_label(rfl_str_t labels, rfl_str_t label);
static rfl_rc_t csv_row(void *data, cli_env_t *env, rfl_link_t *link,
    rfl_buf_t *out);


const cli_command_t  cli_export = {
    "export",
    "[--format csv|json|disavow]",
    "write all links with their totals",
    "Writes the links in the order of their sources: key, fields, created,\n"
    "counters, first_seen, last_seen, state and since when it is in that.\n"
    "\"import\" reads it back.\n"
    "\n"
    "      --format F        csv or json; default csv.  disavow: for Google's\n"
    "                        disavow tool, the links labelled \"disavowed\"",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int          opt, json, disavow, status;
    cli_env_t    env;
    cli_walk_t   walk;
    const char  *format;

    static const struct option  options[] = {
        cli_common_options,
        { "format", required_argument, NULL, OPTION_FORMAT },
        { NULL, 0, NULL, 0 }
    };

    format = NULL;

    while ((opt = cli_option(cli, argc, argv, options)) != -1) {

        if (opt == CLI_OPTION_STOP) {
            return cli->status;
        }

        format = optarg;
    }

    if (optind != argc) {
        return cli_wrong_usage(cli, "unexpected argument \"%s\"",
                               argv[optind]);
    }

    json = cli->json;
    disavow = 0;

    if (format != NULL) {
        json = strcmp(format, "json") == 0;
        disavow = strcmp(format, "disavow") == 0;

        if (!json && !disavow && strcmp(format, "csv") != 0) {
            return cli_wrong_usage(cli, "--format \"%s\" is not csv, json or "
                                   "disavow", format);
        }

        if (cli->json && !json) {
            return cli_wrong_usage(cli, "--json and --format \"%s\" exclude "
                                   "each other", format);
        }
    }

    status = cli_open(cli, &env, CLI_OPEN_READ|CLI_OPEN_TOTALS);
    if (status != CLI_OK) {
        return status;
    }

    memset(&walk, 0, sizeof(cli_walk_t));
    walk.limit = UINT64_MAX;
    walk.state = RFL_STATES;

    if (disavow) {
        status = export_disavow(cli, &env, &walk);

    } else {
        status = json ? cli_walk_json(cli, &env, &walk)
                      : export_csv(cli, &env, &walk);
    }

    cli_close(&env);

    return status;
}


static int
export_csv(cli_t *cli, cli_env_t *env, cli_walk_t *walk)
{
    int        status;
    rfl_buf_t  head = rfl_buf_init;

    rfl_report_csv_head(&head, FIELDS, 0);

    status = cli_write(cli, &head);
    rfl_buf_free(&head);

    if (status != CLI_OK) {
        return status;
    }

    walk->handler = csv_row;

    return cli_walk(cli, env, walk);
}


static rfl_rc_t
csv_row(void *data, cli_env_t *env, rfl_link_t *link, rfl_buf_t *out)
{
    rfl_rc_t          rc;
    rfl_report_row_t  row;

    (void) data;

    memset(&row, 0, sizeof(rfl_report_row_t));
    row.fields = FIELDS;

    rc = rfl_report_totals(&row, env->registry, &env->totals, link);

    return rc == RFL_OK ? rfl_report_csv_row(out, &env->totals, link, &row)
                        : rc;
}


/*
 * What Google's tool takes: pages, and domains with all below them.  Links
 * that are neither are counted on standard error.
 */

static int
export_disavow(cli_t *cli, cli_env_t *env, cli_walk_t *walk)
{
    int       status;
    uint64_t  left_out;

    left_out = 0;

    walk->handler = disavow_row;
    walk->data = &left_out;

    status = cli_walk(cli, env, walk);

    if (left_out != 0) {
        cli_warn("export", "left out: %llu labelled \"" LABEL "\" that are "
                 "neither a page nor a domain",
                 (unsigned long long) left_out);
    }

    return status;
}


static rfl_rc_t
disavow_row(void *data, cli_env_t *env, rfl_link_t *link, rfl_buf_t *out)
{
    uint64_t *left_out = data;

    size_t     len;
    rfl_str_t  source;

    (void) env;

    if (!has_label(link->labels, rfl_cstr(LABEL))) {
        return RFL_OK;
    }

    source = link->source;
    len = before_host(source);

    if (rfl_str_caseeq(rfl_str(source.data, len), rfl_cstr(APP))) {
        (*left_out)++;
        return RFL_OK;
    }

    switch (link->match_type) {

    case RFL_MATCH_EXACT:
    case RFL_MATCH_PREFIX:
        write_page(out, source, len);
        break;

    case RFL_MATCH_HOST:
    case RFL_MATCH_DOMAIN:
        rfl_buf_text(out, "domain:");
        rfl_buf_str(out, rfl_identity_host(rfl_str(source.data + len,
                                                   source.len - len)));
        break;

    default:
        (*left_out)++;
        return RFL_OK;
    }

    rfl_buf_char(out, '\n');

    return RFL_OK;
}


/*
 * In one line of UTF-8, and without the space that a comment begins behind: as
 * escapes such bytes mean the same.
 */

static void
write_page(rfl_buf_t *out, rfl_str_t source, size_t scheme_len)
{
    int     valid;
    size_t  pos, len;

    if (scheme_len <= 2) {
        rfl_buf_text(out, scheme_len == 2 ? "https:" : "https://");
    }

    for (pos = 0; pos < source.len; pos += len) {
        len = rfl_utf8_sequence(source, pos, &valid);

        if (valid && source.data[pos] > ' ' && source.data[pos] != 0x7f) {
            rfl_buf_add(out, source.data + pos, len);
            continue;
        }

        len = 1;
        rfl_buf_fmt(out, "%%%02X", source.data[pos]);
    }
}


/* What stands before the host: "SCHEME://", "//" or nothing. */

static size_t
before_host(rfl_str_t source)
{
    size_t  len;

    len = rfl_identity_scheme(source);

    if (len == 0 && source.len >= 2 && memcmp(source.data, "//", 2) == 0) {
        len = 2;
    }

    return len;
}


/* Labels are joined by commas. */

static int
has_label(rfl_str_t labels, rfl_str_t label)
{
    while (labels.len != 0) {
        if (rfl_str_eq(rfl_str_item(&labels), label)) {
            return 1;
        }
    }

    return 0;
}
