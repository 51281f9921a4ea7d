/*
 * sources: who else links here; with --broken, which landings met an error.  As
 * of the last flush, as the status tree shows it.
 */

#include "cli.h"

#include "rfl_csv.h"
#include "rfl_source_report.h"
#include "rfl_top.h"

#include <stdlib.h>


#define OPTION_BROKEN  (CLI_OPTION_FIRST + 0)
#define OPTION_ALL     (CLI_OPTION_FIRST + 1)
#define OPTION_FORMAT  (CLI_OPTION_FIRST + 2)

#define ROWS           50
#define WIDTH          8             /* of a number's column */


typedef struct {
    rfl_source_list_t  list;
    uint64_t           limit;
    const char        *format;
    rfl_source_site_t  site;
    rfl_ledger_t      *ledger;
    rfl_top_t          top;
} sources_t;


static int run(cli_t *cli, int argc, char **argv);
static int show(cli_t *cli, cli_env_t *env, sources_t *s);
static rfl_rc_t find_rows(sources_t *s);
static rfl_rc_t print_rows(sources_t *s, rfl_buf_t *out);
static rfl_rc_t print_row(sources_t *s, rfl_buf_t *out,
    const rfl_sources_entry_t *source, rfl_ended_t ended);
static void print_head(const sources_t *s, rfl_buf_t *out);
static void print_unknown(rfl_buf_t *out, const rfl_sources_entry_t *source);
static void print_broken(sources_t *s, rfl_buf_t *out,
    const rfl_sources_entry_t *source, rfl_ended_t ended);
static void print_group(rfl_buf_t *out, const rfl_group_t *group);
static void print_number(rfl_buf_t *out, uint64_t n);


const cli_command_t  cli_sources = {
    "sources",
    "[--broken] [--all] [--format table|csv|json]",
    "show who else links here, or what is broken",
    "Shows the sources of clicks that no registered link explains, and where\n"
    "they landed, from three clicks on; those with most clicks first.  ERROR:\n"
    "so many more there may have been at most, before the row began.  What\n"
    "came since the last flush is not in it yet.\n"
    "\n"
    "      --broken          landings that met an error, by link or source;\n"
    "                        as CSV or JSON with a redirect for nginx.conf\n"
    "      --all             all of them, not the first 50\n"
    "      --format F        table, csv or json; default table\n",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int        opt, status;
    sources_t  s;
    cli_env_t  env;

    static const struct option  options[] = {
        cli_common_options,
        { "broken", no_argument, NULL, OPTION_BROKEN },
        { "all", no_argument, NULL, OPTION_ALL },
        { "format", required_argument, NULL, OPTION_FORMAT },
        { NULL, 0, NULL, 0 }
    };

    memset(&s, 0, sizeof(sources_t));
    s.limit = ROWS;

    while ((opt = cli_option(cli, argc, argv, options)) != -1) {

        switch (opt) {

        case OPTION_BROKEN:
            s.list = RFL_SOURCES_BROKEN;
            break;

        case OPTION_ALL:
            s.limit = RFL_SOURCES_ROWS * RFL_ENDS;
            break;

        case OPTION_FORMAT:
            s.format = optarg;
            break;

        default:
            return cli->status;
        }
    }

    if (optind != argc) {
        return cli_wrong_usage(cli, "unexpected argument \"%s\"",
                               argv[optind]);
    }

    if (s.format == NULL) {
        s.format = cli->json ? "json" : "table";
    }

    if (strcmp(s.format, "table") != 0 && strcmp(s.format, "csv") != 0
        && strcmp(s.format, "json") != 0)
    {
        return cli_wrong_usage(cli, "--format \"%s\" is not table, csv or "
                               "json", s.format);
    }

    if (cli->json && s.format[0] != 'j') {
        return cli_wrong_usage(cli, "--json and --format \"%s\" exclude each "
                               "other", s.format);
    }

    status = cli_open(cli, &env, CLI_OPEN_READ|CLI_OPEN_TOTALS);
    if (status != CLI_OK) {
        return status;
    }

    s.site.registry = env.registry;
    s.site.counters = env.totals.counters;
    s.ledger = env.totals.ledger;

    status = show(cli, &env, &s);

    cli_close(&env);

    return status;
}


static int
show(cli_t *cli, cli_env_t *env, sources_t *s)
{
    int          status;
    rfl_rc_t     rc;
    rfl_buf_t    out = rfl_buf_init;
    rfl_error_t  err;

    if (rfl_top_init(&s->top, s->limit, 0) != RFL_OK) {
        return cli_fail("sources", "no memory");
    }

    rc = cli_begin_read(env, &err);

    if (rc == RFL_OK) {
        rc = find_rows(s);

        if (rc == RFL_OK) {
            rc = print_rows(s, &out);
        }

        cli_end_read(env);

        (void) rfl_fail(&err, rc, "the sources cannot be read");
    }

    status = rc == RFL_OK ? cli_write(cli, &out)
                          : cli_fail(cli->dir, "%s", err.text);

    rfl_buf_free(&out);
    rfl_top_free(&s->top);

    return status;
}


static rfl_rc_t
find_rows(sources_t *s)
{
    size_t            i, n;
    uint32_t          number;
    rfl_rc_t          rc;
    rfl_sources_entry_t      source;
    rfl_top_row_t     row;
    rfl_source_row_t  rows[RFL_ENDS];

    for (number = 0; s->ledger != NULL; number++) {
        rc = rfl_ledger_next_source(s->ledger, &number, &source);

        if (rc == RFL_NOT_FOUND || number >= RFL_SOURCES_ROWS) {
            break;
        }

        if (rc == RFL_DAMAGED || rc == RFL_BAD_VERSION) {
            continue;                    /* "check" names it */
        }

        if (rc != RFL_OK) {
            return rc;
        }

        n = rfl_source_rows(&s->site, s->list, &source, rows);

        for (i = 0; i < n; i++) {
            row.value = rows[i].value;
            row.key = rows[i].key;
            row.id = number * RFL_ENDS + rows[i].ended;
            rfl_top_add(&s->top, &row);
        }
    }

    rfl_top_sort(&s->top);

    return RFL_OK;
}


static rfl_rc_t
print_rows(sources_t *s, rfl_buf_t *out)
{
    size_t        i;
    rfl_rc_t      rc;
    uint32_t      id;
    rfl_sources_entry_t   source;
    rfl_ledger_sources_t  about;

    print_head(s, out);

    for (i = 0; i < s->top.n; i++) {
        id = s->top.rows[i].id;

        rc = rfl_ledger_source(s->ledger, id / RFL_ENDS, &source);

        if (rc == RFL_OK) {
            rc = print_row(s, out, &source, id % RFL_ENDS);
        }

        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (s->format[0] == 'j') {
        rfl_buf_text(out, "]");

        memset(&about, 0, sizeof(rfl_ledger_sources_t));
        (void) rfl_ledger_get_sources(s->ledger, &about);

        rfl_source_json_about(out, &about);
        rfl_buf_text(out, "}\n");
    }

    return RFL_OK;
}


static void
print_head(const sources_t *s, rfl_buf_t *out)
{
    switch (s->format[0]) {

    case 'j':
        rfl_buf_text(out, s->list == RFL_SOURCES_BROKEN ? "{\"broken\":["
                                                        : "{\"sources\":[");
        break;

    case 'c':
        rfl_source_csv_head(out, s->list);
        break;

    default:
        rfl_buf_text(out, s->list == RFL_SOURCES_BROKEN
                     ? "  CLICKS     ERROR  STATUS  FROM  LANDING\n"
                     : "  CLICKS       4XX       5XX     ERROR  HOST  "
                       "LANDING\n");
    }
}


static rfl_rc_t
print_row(sources_t *s, rfl_buf_t *out, const rfl_sources_entry_t *source,
    rfl_ended_t ended)
{
    if (s->format[0] == 'c') {
        return rfl_source_csv(out, &s->site, s->list, source, ended);
    }

    if (s->format[0] == 'j') {
        rfl_json_item(out);
        return rfl_source_json(out, &s->site, s->list, source, ended);
    }

    if (s->list == RFL_SOURCES_BROKEN) {
        print_broken(s, out, source, ended);

    } else {
        print_unknown(out, source);
    }

    return RFL_OK;
}


static void
print_unknown(rfl_buf_t *out, const rfl_sources_entry_t *source)
{
    print_number(out, source->n[RFL_ENDED_OK]);
    print_number(out, rfl_source_lost(source) - source->n[RFL_ENDED_5XX]);
    print_number(out, source->n[RFL_ENDED_5XX]);
    print_number(out, source->before);

    (void) cli_safe(out, rfl_source_host(source));
    rfl_buf_text(out, "  ");
    (void) cli_safe(out, rfl_source_landing(source));
    rfl_buf_char(out, '\n');
}


static void
print_broken(sources_t *s, rfl_buf_t *out, const rfl_sources_entry_t *source,
    rfl_ended_t ended)
{
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_group_t  group;

    print_number(out, source->n[ended]);
    print_number(out, source->before);
    rfl_buf_str(out, rfl_ended_names[ended]);
    rfl_buf_text(out, "     ");

    switch (source->kind) {

    case RFL_SOURCE_LINK:
        rc = rfl_registry_link(s->site.registry, source->id, &link);

        if (rc == RFL_NOT_FOUND) {
            rc = rfl_registry_retired(s->site.registry, source->id, &link);
        }

        (void) cli_safe(out, rc == RFL_OK ? cli_link_name(&link)
                                          : rfl_cstr("(a link)"));
        break;

    case RFL_SOURCE_GROUP:
        rc = rfl_registry_group(s->site.registry, source->id, &group);

        if (rc == RFL_OK) {
            print_group(out, &group);

        } else {
            rfl_buf_text(out, "(one of several links)");
        }

        break;

    default:
        (void) cli_safe(out, rfl_source_host(source));
    }

    rfl_buf_text(out, "  ");
    (void) cli_safe(out, rfl_source_landing(source));
    rfl_buf_char(out, '\n');
}


static void
print_group(rfl_buf_t *out, const rfl_group_t *group)
{
    rfl_buf_t  name = rfl_buf_init;
    rfl_buf_t  target = rfl_buf_init;

    cli_group_name(group, &name, &target);

    if (group->links > 1) {
        rfl_buf_fmt(out, "one of %u: ", group->links);

    } else {
        rfl_buf_text(out, "one of several: ");       /* some were removed */
    }

    (void) cli_safe(out, rfl_str(name.data, name.len));

    if (target.len != 0) {
        rfl_buf_text(out, " > ");
        (void) cli_safe(out, rfl_str(target.data, target.len));
    }

    if (name.failed || target.failed) {
        out->failed = 1;
    }

    rfl_buf_free(&name);
    rfl_buf_free(&target);
}


static void
print_number(rfl_buf_t *out, uint64_t n)
{
    rfl_buf_fmt(out, "%*llu  ", WIDTH, (unsigned long long) n);
}
