/*
 * list: the links with the counters people ask for first.
 *
 * On a terminal the table fits the screen; elsewhere nothing is cut, so that
 * other programs get all of it.
 */

#include "cli.h"

#include "rfl_csv.h"

#include <unistd.h>


#define OPTION_FORMAT  (CLI_OPTION_FIRST + 0)
#define OPTION_HOST    (CLI_OPTION_FIRST + 1)
#define OPTION_LIMIT   (CLI_OPTION_FIRST + 2)
#define OPTION_STATE   (CLI_OPTION_FIRST + 3)

#define GAP            2             /* between columns */
#define ALIGN_MAX      100           /* what is longer is not aligned */
#define TEXT_MIN       10            /* a text that is cut more says nothing */
#define SOURCE_MIN     22            /* "https://" says nothing as well */


typedef enum {
    COLUMN_KEY = 0,
    COLUMN_CLICKS,
    COLUMN_ERRORS,
    COLUMN_MATCH,
    COLUMN_SOURCE,
    COLUMN_TARGET,
    COLUMN_NAME,
    COLUMNS
} column_t;


typedef struct {
    rfl_str_t  text[COLUMNS];
    u_char     key[RFL_KEY_LEN];
    char       clicks[24];
    char       errors[24];
} row_t;


typedef struct {
    size_t    width[COLUMNS];
    unsigned  cut:1;
} table_t;


static int run(cli_t *cli, int argc, char **argv);
static int list(cli_t *cli, cli_walk_t *walk, const char *format);
static int list_table(cli_t *cli, cli_env_t *env, cli_walk_t *walk);
static int list_csv(cli_t *cli, cli_env_t *env, cli_walk_t *walk);
static rfl_rc_t make_row(cli_env_t *env, const rfl_link_t *link, row_t *row);
static rfl_rc_t measure(void *data, cli_env_t *env, rfl_link_t *link,
    rfl_buf_t *out);
static rfl_rc_t print_row(void *data, cli_env_t *env, rfl_link_t *link,
    rfl_buf_t *out);
static rfl_rc_t print_csv(void *data, cli_env_t *env, rfl_link_t *link,
    rfl_buf_t *out);
static void print_cells(rfl_buf_t *out, const table_t *table,
    const rfl_str_t *cells);
static void fit(table_t *table, size_t screen);
static void shrink(table_t *table, size_t screen);
static size_t used_width(const table_t *table);


static const rfl_str_t  headings[COLUMNS] = {
    [COLUMN_KEY]    = rfl_string("KEY"),
    [COLUMN_CLICKS] = rfl_string("CLICKS"),
    [COLUMN_ERRORS] = rfl_string("ERRORS"),
    [COLUMN_MATCH]  = rfl_string("MATCH"),
    [COLUMN_SOURCE] = rfl_string("SOURCE"),
    [COLUMN_TARGET] = rfl_string("TARGET"),
    [COLUMN_NAME]   = rfl_string("NAME")
};


static const rfl_str_t  csv_names[COLUMNS] = {
    [COLUMN_KEY]    = rfl_string("key"),
    [COLUMN_CLICKS] = rfl_string("clicks"),
    [COLUMN_ERRORS] = rfl_string("errors"),
    [COLUMN_MATCH]  = rfl_string("match_type"),
    [COLUMN_SOURCE] = rfl_string("source"),
    [COLUMN_TARGET] = rfl_string("target"),
    [COLUMN_NAME]   = rfl_string("name")
};


const cli_command_t  cli_list = {
    "list",
    "[--format table|csv|json] [--host HOST] [--state STATE] [--limit N]",
    "list the links with their counters",
    "Lists links in the order of their sources.  On a terminal the table is\n"
    "cut to the screen's width ($COLUMNS), columns without room are left out;\n"
    "elsewhere nothing is cut.  Errors are broken landings, 4xx and 5xx.\n"
    "\n"
    "      --format F        table, csv or json; default table\n"
    "      --host HOST       only links of this host; .HOST: also of those\n"
    "                        below it; \"\": links without a source\n"
    "      --state STATE     only links that are new, active, silent, never\n"
    "                        (without a click) or revived\n"
    "      --limit N         no more than N links",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int          opt;
    rfl_rc_t     rc;
    cli_walk_t   walk;
    const char  *format;

    static const struct option  options[] = {
        cli_common_options,
        { "format", required_argument, NULL, OPTION_FORMAT },
        { "host", required_argument, NULL, OPTION_HOST },
        { "limit", required_argument, NULL, OPTION_LIMIT },
        { "state", required_argument, NULL, OPTION_STATE },
        { NULL, 0, NULL, 0 }
    };

    memset(&walk, 0, sizeof(cli_walk_t));
    walk.limit = UINT64_MAX;
    walk.state = RFL_STATES;
    format = NULL;

    while ((opt = cli_option(cli, argc, argv, options)) != -1) {

        switch (opt) {

        case OPTION_FORMAT:
            format = optarg;
            break;

        case OPTION_HOST:
            walk.filter.below = 0;

            rc = rfl_filter_set(&walk.filter, RFL_FILTER_HOST,
                                rfl_cstr(optarg));
            if (rc != RFL_OK) {
                return cli_wrong_usage(cli, "--host \"%s\" is no host, such as "
                                       "blog.example, or .blog.example for "
                                       "those below it, too", optarg);
            }

            break;

        case OPTION_LIMIT:
            rc = cli_number(optarg, 1, UINT32_MAX, &walk.limit);
            if (rc != RFL_OK) {
                return cli_wrong_usage(cli, "--limit \"%s\" is not 1 to %u",
                                       optarg, UINT32_MAX);
            }

            break;

        case OPTION_STATE:
            if (rfl_state_parse(rfl_cstr(optarg), &walk.state) != RFL_OK) {
                return cli_wrong_usage(cli, "--state \"%s\" is not new, "
                                       "active, silent, never or revived",
                                       optarg);
            }

            break;

        default:
            return cli->status;
        }
    }

    if (optind != argc) {
        return cli_wrong_usage(cli, "unexpected argument \"%s\"",
                               argv[optind]);
    }

    if (format == NULL) {
        format = cli->json ? "json" : "table";

    } else if (cli->json && strcmp(format, "json") != 0) {
        return cli_wrong_usage(cli, "--json and --format \"%s\" exclude each "
                               "other", format);
    }

    return list(cli, &walk, format);
}


static int
list(cli_t *cli, cli_walk_t *walk, const char *format)
{
    int        status;
    int      (*writer)(cli_t *cli, cli_env_t *env, cli_walk_t *walk);
    cli_env_t  env;

    if (strcmp(format, "table") == 0) {
        writer = list_table;

    } else if (strcmp(format, "csv") == 0) {
        writer = list_csv;

    } else if (strcmp(format, "json") == 0) {
        writer = cli_walk_json;

    } else {
        return cli_wrong_usage(cli, "--format \"%s\" is not table, csv or "
                               "json", format);
    }

    status = cli_open(cli, &env, CLI_OPEN_READ|CLI_OPEN_TOTALS);
    if (status != CLI_OK) {
        return status;
    }

    status = writer(cli, &env, walk);

    cli_close(&env);

    return status;
}


/* Twice over the list: the widths first.  What changes meanwhile is cut. */

static int
list_table(cli_t *cli, cli_env_t *env, cli_walk_t *walk)
{
    int        status;
    size_t     i;
    table_t    table;
    rfl_buf_t  head = rfl_buf_init;

    memset(&table, 0, sizeof(table_t));

    for (i = 0; i < COLUMNS; i++) {
        table.width[i] = headings[i].len;
    }

    walk->handler = measure;
    walk->data = &table;

    status = cli_walk(cli, env, walk);
    if (status != CLI_OK) {
        return status;
    }

    if (isatty(STDOUT_FILENO)) {
        table.cut = 1;
        fit(&table, cli_screen_width());
    }

    print_cells(&head, &table, headings);

    status = cli_write(cli, &head);
    rfl_buf_free(&head);

    if (status != CLI_OK) {
        return status;
    }

    walk->handler = print_row;

    return cli_walk(cli, env, walk);
}


static int
list_csv(cli_t *cli, cli_env_t *env, cli_walk_t *walk)
{
    int        status;
    size_t     i;
    rfl_buf_t  head = rfl_buf_init;

    for (i = 0; i < COLUMNS; i++) {
        rfl_csv_field(&head, csv_names[i]);
    }

    rfl_csv_field(&head, rfl_cstr("tag"));
    rfl_csv_end_row(&head);

    status = cli_write(cli, &head);
    rfl_buf_free(&head);

    if (status != CLI_OK) {
        return status;
    }

    walk->handler = print_csv;

    return cli_walk(cli, env, walk);
}


static rfl_rc_t
make_row(cli_env_t *env, const rfl_link_t *link, row_t *row)
{
    rfl_rc_t    rc;
    rfl_cell_t  cell;

    memset(&cell, 0, sizeof(rfl_cell_t));

    rc = rfl_totals_cell(&env->totals, link->id, &cell);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_key_text(link->key, row->key);

    (void) snprintf(row->clicks, sizeof(row->clicks), "%llu",
                    (unsigned long long) cell.n[RFL_CELL_CLICKS]);
    (void) snprintf(row->errors, sizeof(row->errors), "%llu",
                    (unsigned long long) (cell.n[RFL_CELL_ERRORS_4XX]
                                          + cell.n[RFL_CELL_ERRORS_5XX]));

    row->text[COLUMN_KEY] = rfl_str(row->key, RFL_KEY_LEN);
    row->text[COLUMN_CLICKS] = rfl_cstr(row->clicks);
    row->text[COLUMN_ERRORS] = rfl_cstr(row->errors);
    row->text[COLUMN_MATCH] = rfl_match_type_names[link->match_type];
    row->text[COLUMN_SOURCE] = cli_link_name(link);
    row->text[COLUMN_TARGET] = link->target;
    row->text[COLUMN_NAME] = link->name;

    return RFL_OK;
}


/* The safe text goes to out only to be measured. */

static rfl_rc_t
measure(void *data, cli_env_t *env, rfl_link_t *link, rfl_buf_t *out)
{
    table_t *table = data;

    row_t     row;
    size_t    i, width;
    rfl_rc_t  rc;

    rc = make_row(env, link, &row);
    if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0; i < COLUMNS; i++) {
        width = cli_safe(out, row.text[i]);

        if (table->width[i] < width) {
            table->width[i] = width < ALIGN_MAX ? width : ALIGN_MAX;
        }

        out->len = 0;
    }

    return RFL_OK;
}


static rfl_rc_t
print_row(void *data, cli_env_t *env, rfl_link_t *link, rfl_buf_t *out)
{
    row_t     row;
    rfl_rc_t  rc;

    rc = make_row(env, link, &row);
    if (rc != RFL_OK) {
        return rc;
    }

    print_cells(out, data, row.text);

    return RFL_OK;
}


static rfl_rc_t
print_csv(void *data, cli_env_t *env, rfl_link_t *link, rfl_buf_t *out)
{
    row_t     row;
    size_t    i;
    rfl_rc_t  rc;

    rc = make_row(env, link, &row);
    if (rc != RFL_OK) {
        return rc;
    }

    row.text[COLUMN_SOURCE] = link->source;  /* a tag link has none */

    for (i = 0; i < COLUMNS; i++) {
        rfl_csv_field(out, row.text[i]);
    }

    rfl_csv_field(out, link->tag);
    rfl_csv_end_row(out);

    return RFL_OK;
}


/* Numbers stand to the right; the last column is not padded. */

static void
print_cells(rfl_buf_t *out, const table_t *table, const rfl_str_t *cells)
{
    size_t  i, width, used, line;

    line = out->len;

    for (i = 0; i < COLUMNS; i++) {
        width = table->width[i];

        if (width == 0) {                /* left out */
            continue;
        }

        if (i == COLUMN_CLICKS || i == COLUMN_ERRORS) {
            for (used = cells[i].len; used < width; used++) {
                rfl_buf_char(out, ' ');
            }
        }

        used = table->cut ? cli_safe_cut(out, cells[i], width)
                          : cli_safe(out, cells[i]);

        if (i == COLUMN_CLICKS || i == COLUMN_ERRORS) {
            used = width;
        }

        for ( /* void */ ; used < width + GAP; used++) {
            rfl_buf_char(out, ' ');
        }
    }

    while (out->len > line && out->data[out->len - 1] == ' ') {
        out->len--;
    }

    rfl_buf_char(out, '\n');
}


/*
 * The three texts share what the others leave, the widest gives first.  Where
 * one of them would say nothing then, a column is left out, and its room is
 * theirs; key and source stay.
 */

static void
fit(table_t *table, size_t screen)
{
    size_t  i, whole[COLUMNS];

    static const column_t  dropped[] = {
        COLUMN_MATCH, COLUMN_NAME, COLUMN_ERRORS, COLUMN_TARGET, COLUMN_CLICKS
    };

    memcpy(whole, table->width, sizeof(whole));
    shrink(table, screen);

    for (i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {

        if (used_width(table) <= screen) {
            return;
        }

        whole[dropped[i]] = 0;
        memcpy(table->width, whole, sizeof(whole));
        shrink(table, screen);
    }

    while (used_width(table) > screen && table->width[COLUMN_SOURCE] > 1) {
        table->width[COLUMN_SOURCE]--;
    }
}


static void
shrink(table_t *table, size_t screen)
{
    size_t  i, widest;

    while (used_width(table) > screen) {
        widest = COLUMNS;

        for (i = COLUMN_SOURCE; i < COLUMNS; i++) {
            if (table->width[i] > (i == COLUMN_SOURCE ? SOURCE_MIN : TEXT_MIN)
                && (widest == COLUMNS
                    || table->width[i] > table->width[widest]))
            {
                widest = i;
            }
        }

        if (widest == COLUMNS) {
            return;
        }

        table->width[widest]--;
    }
}


static size_t
used_width(const table_t *table)
{
    size_t  i, used;

    used = 0;

    for (i = 0; i < COLUMNS; i++) {
        if (table->width[i] != 0) {
            used += table->width[i] + (used != 0 ? GAP : 0);
        }
    }

    return used;
}
