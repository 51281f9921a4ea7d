/*
 * history: what a link or the whole registry got, minute by minute, hour by
 * hour or day by day.
 *
 * All of it is in the ledger, so it is the same whether nginx runs or not;
 * what waits for the next flush is in no bucket yet.
 */

#include "history.h"

#include <stdlib.h>
#include <time.h>


#define OPTION_UNIT  (CLI_OPTION_FIRST + 0)
#define OPTION_FROM  (CLI_OPTION_FIRST + 1)
#define OPTION_TO    (CLI_OPTION_FIRST + 2)

/* Buckets looked at in one transaction. */
#define BATCH        1000

#define ROWS_FIRST   128


typedef struct {
    const char  *unit;
    const char  *from;
    const char  *to;
} when_t;


/* Called for each bucket that has counts; zone is NULL for a link's. */

typedef rfl_rc_t (*bucket_pt)(history_t *history, uint32_t bucket,
    const rfl_cell_t *counters, const rfl_zone_t *zone, rfl_buf_t *out);


static int run(cli_t *cli, int argc, char **argv);
static int choose_range(cli_t *cli, const when_t *when, rfl_range_t *range);
static int parse_time(cli_t *cli, const char *option, const char *text,
    uint64_t *seconds);
static int show(cli_t *cli, cli_env_t *env, history_t *history,
    const char *which);
static int find_link(cli_t *cli, cli_env_t *env, history_t *history,
    rfl_link_copy_t *link, const char *prefix);
static int show_json(cli_t *cli, cli_env_t *env, history_t *history,
    uint32_t id);
static int show_table(cli_t *cli, cli_env_t *env, history_t *history,
    uint32_t id);
static int read_buckets(cli_t *cli, cli_env_t *env, history_t *history,
    uint32_t id, bucket_pt handler, rfl_buf_t *out);
static rfl_rc_t read_batch(cli_env_t *env, history_t *history, uint32_t id,
    uint32_t *next, bucket_pt handler, rfl_buf_t *out, rfl_error_t *err);
static rfl_rc_t bounds(rfl_history_t *h, const rfl_range_t *range,
    uint32_t *next, uint32_t *end);
static rfl_rc_t read_bucket(rfl_history_t *h, history_t *history, uint32_t id,
    uint32_t bucket, bucket_pt handler, rfl_buf_t *out);
static int is_zero(const uint64_t *n, size_t fields);
static rfl_rc_t keep_row(history_t *history, uint32_t bucket,
    const rfl_cell_t *counters, const rfl_zone_t *zone, rfl_buf_t *out);
static rfl_rc_t print_json(history_t *history, uint32_t bucket,
    const rfl_cell_t *counters, const rfl_zone_t *zone, rfl_buf_t *out);


/* How many buckets are shown unless asked: a day, a week, 90 days. */

static const uint32_t  default_buckets[RFL_UNITS] = {
    [RFL_UNIT_MINUTE] = 24 * 60,
    [RFL_UNIT_HOUR]   = 7 * 24,
    [RFL_UNIT_DAY]    = 90
};


const cli_command_t  cli_history = {
    "history",
    "KEY|all [OPTION]...",
    "show what a link got, day by day",
    "Shows the counts of a link, or of all registered links, in the minutes,\n"
    "hours or days (UTC) in which they were flushed; those without any are\n"
    "left out.  On a terminal a line of the clicks follows.  What was not\n"
    "flushed yet, that is, a few seconds, is not in it.  The beginning of a\n"
    "key is enough if no other key begins so.\n"
    "\n"
    "      --unit U          minute, hour or day; default day\n"
    "      --from TIME       a date (2026-11-20) or a time\n"
    "                        (2026-11-20T22:48:00Z); default 24 hours, 7\n"
    "                        days or 90 days before --to\n"
    "      --to TIME         not included; default now",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int         opt, status;
    when_t      when;
    cli_env_t   env;
    history_t   history;

    static const struct option  options[] = {
        cli_common_options,
        { "unit", required_argument, NULL, OPTION_UNIT },
        { "from", required_argument, NULL, OPTION_FROM },
        { "to", required_argument, NULL, OPTION_TO },
        { NULL, 0, NULL, 0 }
    };

    memset(&when, 0, sizeof(when_t));
    memset(&history, 0, sizeof(history_t));

    while ((opt = cli_option(cli, argc, argv, options)) != -1) {

        switch (opt) {

        case OPTION_UNIT:
            when.unit = optarg;
            break;

        case OPTION_FROM:
            when.from = optarg;
            break;

        case OPTION_TO:
            when.to = optarg;
            break;

        default:
            return cli->status;
        }
    }

    if (optind == argc) {
        return cli_wrong_usage(cli, "which link?  Its key is missing, or "
                               "\"all\"");
    }

    if (optind + 1 != argc) {
        return cli_wrong_usage(cli, "unexpected argument \"%s\"",
                               argv[optind + 1]);
    }

    status = choose_range(cli, &when, &history.range);
    if (status != CLI_OK) {
        return status;
    }

    status = cli_open(cli, &env, CLI_OPEN_READ|CLI_OPEN_LEDGER);
    if (status != CLI_OK) {
        return status;
    }

    status = show(cli, &env, &history, argv[optind]);

    free(history.rows);
    cli_close(&env);

    return status;
}


/* A bucket that the range has a part of is shown as a whole. */

static int
choose_range(cli_t *cli, const when_t *when, rfl_range_t *range)
{
    int       status;
    uint32_t  span, unit;
    uint64_t  from, to;

    range->unit = RFL_UNIT_DAY;

    if (when->unit != NULL
        && rfl_unit_parse(rfl_cstr(when->unit), &range->unit) != RFL_OK)
    {
        return cli_wrong_usage(cli, "--unit \"%s\" is not minute, hour or "
                               "day", when->unit);
    }

    unit = rfl_unit_seconds[range->unit];
    span = default_buckets[range->unit];
    from = 0;
    to = (uint64_t) time(NULL) + 1;          /* now's bucket is part of it */

    if (when->to != NULL) {
        status = parse_time(cli, "--to", when->to, &to);
        if (status != CLI_OK) {
            return status;
        }
    }

    range->to = (uint32_t) ((to + unit - 1) / unit);

    if (when->from == NULL) {
        range->from = range->to > span ? range->to - span : 0;

    } else {
        status = parse_time(cli, "--from", when->from, &from);
        if (status != CLI_OK) {
            return status;
        }

        range->from = (uint32_t) (from / unit);
    }

    if (range->from >= range->to || (when->from != NULL && from >= to)) {
        return cli_wrong_usage(cli, "--from \"%s\" is not before %s%s%s",
                               when->from != NULL ? when->from : "1970-01-01",
                               when->to != NULL ? "--to \"" : "now",
                               when->to != NULL ? when->to : "",
                               when->to != NULL ? "\"" : "");
    }

    return CLI_OK;
}


static int
parse_time(cli_t *cli, const char *option, const char *text,
    uint64_t *seconds)
{
    if (rfl_time_parse(rfl_cstr(text), seconds) == RFL_OK) {
        return CLI_OK;
    }

    return cli_wrong_usage(cli, "%s \"%s\" is no date (2026-11-20) or time "
                           "(2026-11-20T22:48:00Z) from 1970 to 9999", option,
                           text);
}


static int
show(cli_t *cli, cli_env_t *env, history_t *history, const char *which)
{
    int              status;
    rfl_link_copy_t  link;

    link.link.id = 0;

    if (strcmp(which, "all") == 0) {
        history->is_all = 1;
        history->title = rfl_cstr("all registered links");

    } else {
        status = find_link(cli, env, history, &link, which);
        if (status != CLI_OK) {
            return status;
        }
    }

    if (cli->json) {
        return show_json(cli, env, history, link.link.id);
    }

    return show_table(cli, env, history, link.link.id);
}


static int
find_link(cli_t *cli, cli_env_t *env, history_t *history,
    rfl_link_copy_t *kept, const char *prefix)
{
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_error_t  err;

    memset(&err, 0, sizeof(rfl_error_t));

    rc = rfl_registry_begin(env->registry, 0, &err);
    if (rc != RFL_OK) {
        return cli_fail(cli->dir, "%s", err.text);
    }

    rc = rfl_registry_by_prefix(env->registry, rfl_cstr(prefix), &link, &err);

    if (rc == RFL_OK) {
        rc = rfl_link_copy(kept, &link);
    }

    rfl_registry_end(env->registry);

    if (rc != RFL_OK) {
        return cli_fail("history", "%s", err.text[0] != '\0' ? err.text
                        : "the link cannot be read");
    }

    history->title = cli_link_name(&kept->link);
    rfl_key_text(kept->link.key, history->key);

    return CLI_OK;
}


/* The status tree's answer to .../history, a bucket a line. */

static int
show_json(cli_t *cli, cli_env_t *env, history_t *history, uint32_t id)
{
    int           status;
    uint64_t      seconds;
    rfl_buf_t     out = rfl_buf_init;
    rfl_range_t  *range;

    range = &history->range;
    seconds = rfl_unit_seconds[range->unit];

    rfl_buf_char(&out, '{');

    rfl_json_name(&out, "unit");
    rfl_json_string(&out, rfl_unit_names[range->unit]);

    rfl_report_span(&out, range->from * seconds, range->to * seconds);

    rfl_json_name(&out, "buckets");
    rfl_buf_char(&out, '[');

    status = read_buckets(cli, env, history, id, print_json, &out);

    if (status == CLI_OK) {
        rfl_buf_text(&out, history->nrows != 0 ? "\n]}\n" : "]}\n");
        status = cli_write(cli, &out);
    }

    rfl_buf_free(&out);

    return status;
}


static int
show_table(cli_t *cli, cli_env_t *env, history_t *history, uint32_t id)
{
    int        status;
    rfl_buf_t  out = rfl_buf_init;

    status = read_buckets(cli, env, history, id, keep_row, &out);

    if (status == CLI_OK) {
        history_text(&out, history);
        status = cli_write(cli, &out);
    }

    rfl_buf_free(&out);

    return status;
}


/* No ledger: nothing was ever flushed. */

static int
read_buckets(cli_t *cli, cli_env_t *env, history_t *history, uint32_t id,
    bucket_pt handler, rfl_buf_t *out)
{
    int          status;
    uint32_t     next;
    rfl_rc_t     rc;
    rfl_error_t  err;

    if (env->totals.ledger == NULL) {
        return CLI_OK;
    }

    memset(&err, 0, sizeof(rfl_error_t));
    next = history->range.from;

    do {
        rc = read_batch(env, history, id, &next, handler, out, &err);

        if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
            return cli_fail(cli->dir, "%s", err.text);
        }

        status = cli_write(cli, out);

    } while (rc == RFL_OK && status == CLI_OK);

    return status;
}


/* RFL_OK: there may be more.  RFL_NOT_FOUND: that was all. */

static rfl_rc_t
read_batch(cli_env_t *env, history_t *history, uint32_t id, uint32_t *next,
    bucket_pt handler, rfl_buf_t *out, rfl_error_t *err)
{
    rfl_rc_t       rc;
    uint32_t       n, end;
    rfl_history_t  h;

    rc = rfl_ledger_begin(env->totals.ledger, err);
    if (rc != RFL_OK) {
        return rc;
    }

    h = rfl_ledger_history(env->totals.ledger);

    rc = bounds(&h, &history->range, next, &end);

    for (n = 0; rc == RFL_OK && n < BATCH; n++) {

        if (*next >= end) {
            rc = RFL_NOT_FOUND;
            break;
        }

        rc = read_bucket(&h, history, id, *next, handler, out);
        (*next)++;
    }

    rfl_ledger_end(env->totals.ledger);

    if (rc != RFL_OK && rc != RFL_NOT_FOUND) {
        return rfl_fail(err, rc, "ledger: the history of this %s %s",
                        (const char *) rfl_unit_names[history->range.unit].data,
                        rc == RFL_NO_MEMORY ? "needs more memory"
                        : rc == RFL_BAD_VERSION
                          ? "was written by another version"
                        : rc == RFL_DAMAGED ? "is damaged"
                        : "cannot be read");
    }

    return rc;
}


/* From next on: where buckets begin and where they end. */

static rfl_rc_t
bounds(rfl_history_t *h, const rfl_range_t *range, uint32_t *next,
    uint32_t *end)
{
    rfl_rc_t  rc;
    uint32_t  first, last;

    *end = *next;

    rc = rfl_history_first(h, range->unit, &first);

    if (rc == RFL_OK) {
        rc = rfl_history_last(h, range->unit, &last);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (*next < first) {
        *next = first;
    }

    *end = last < range->to ? last + 1 : range->to;

    return RFL_OK;
}


static rfl_rc_t
read_bucket(rfl_history_t *h, history_t *history, uint32_t id,
    uint32_t bucket, bucket_pt handler, rfl_buf_t *out)
{
    rfl_rc_t    rc;
    rfl_cell_t  cell;
    rfl_zone_t  zone;
    rfl_unit_t  unit;

    unit = history->range.unit;

    memset(&cell, 0, sizeof(rfl_cell_t));

    if (!history->is_all) {
        rc = rfl_history_cell(h, unit, bucket, id, &cell);

        if (rc != RFL_OK || is_zero(cell.n, RFL_CELL_SUMS)) {
            return rc;
        }

        return handler(history, bucket, &cell, NULL, out);
    }

    memset(&zone, 0, sizeof(rfl_zone_t));

    rc = rfl_history_zone(h, unit, bucket, &zone);

    if (rc != RFL_OK || is_zero(zone.n, RFL_ZONE_FIELDS)) {
        return rc;
    }

    memcpy(cell.n, &zone.n[RFL_ZONE_CLASSES],
           RFL_CELL_SUMS * sizeof(uint64_t));

    return handler(history, bucket, &cell, &zone, out);
}


static int
is_zero(const uint64_t *n, size_t fields)
{
    size_t  i;

    for (i = 0; i < fields; i++) {
        if (n[i] != 0) {
            return 0;
        }
    }

    return 1;
}


static rfl_rc_t
keep_row(history_t *history, uint32_t bucket, const rfl_cell_t *counters,
    const rfl_zone_t *zone, rfl_buf_t *out)
{
    size_t          size;
    history_row_t  *row, *rows;

    if (history->nrows == history->size) {
        size = history->size != 0 ? 2 * history->size : ROWS_FIRST;

        rows = reallocarray(history->rows, size, sizeof(history_row_t));
        if (rows == NULL) {
            return RFL_NO_MEMORY;
        }

        history->rows = rows;
        history->size = size;
    }

    row = &history->rows[history->nrows];
    history->nrows++;

    row->bucket = bucket;
    row->counters = *counters;
    row->one_of = zone != NULL
                  ? zone->n[RFL_ZONE_CLICKS + RFL_OUTCOME_AMBIGUOUS] : 0;

    row->counters.n[RFL_CELL_CLICKS] += row->one_of;

    return RFL_OK;
}


static rfl_rc_t
print_json(history_t *history, uint32_t bucket, const rfl_cell_t *counters,
    const rfl_zone_t *zone, rfl_buf_t *out)
{
    uint64_t  start;

    rfl_buf_text(out, history->nrows != 0 ? ",\n" : "\n");
    history->nrows++;

    start = (uint64_t) bucket * rfl_unit_seconds[history->range.unit];

    if (zone != NULL) {
        rfl_report_zone_bucket(out, start, zone);

    } else {
        rfl_report_bucket(out, start, counters);
    }

    return out->failed ? RFL_NO_MEMORY : RFL_OK;
}
