/*
 * show: one link with all that is known of it.
 */

#include "cli.h"

#include <unistd.h>


#define LABEL_WIDTH  15


static int run(cli_t *cli, int argc, char **argv);
static rfl_rc_t show(cli_t *cli, cli_env_t *env, const char *key,
    rfl_buf_t *out, rfl_error_t *err);
static rfl_rc_t show_text(cli_env_t *env, const rfl_link_t *link,
    rfl_buf_t *out);
static void show_fields(rfl_link_t *link, rfl_buf_t *out);
static void show_state(const rfl_state_verdict_t *v, rfl_buf_t *out);
static void show_day(rfl_buf_t *out, uint32_t day);
static void show_counters(const rfl_cell_t *cell, rfl_buf_t *out);
static rfl_rc_t show_groups(cli_env_t *env, const rfl_link_t *link,
    rfl_buf_t *out);
static void show_line(rfl_buf_t *out, rfl_str_t label, rfl_str_t value);
static void show_time(rfl_buf_t *out, rfl_str_t label, uint64_t seconds);
static void show_label(rfl_buf_t *out, rfl_str_t label);


const cli_command_t  cli_show = {
    "show",
    "KEY",
    "show one link",
    "Shows the link with this key; its beginning is enough if no other key\n"
    "begins so.\n",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int          opt, status;
    rfl_rc_t     rc;
    cli_env_t    env;
    rfl_buf_t    out = rfl_buf_init;
    rfl_error_t  err;

    static const struct option  options[] = {
        cli_common_options,
        { NULL, 0, NULL, 0 }
    };

    while ((opt = cli_option(cli, argc, argv, options)) != -1) {
        if (opt == CLI_OPTION_STOP) {
            return cli->status;
        }
    }

    if (optind == argc) {
        return cli_wrong_usage(cli, "which link?  Its key is missing");
    }

    if (optind + 1 != argc) {
        return cli_wrong_usage(cli, "unexpected argument \"%s\"",
                               argv[optind + 1]);
    }

    status = cli_open(cli, &env, CLI_OPEN_READ|CLI_OPEN_TOTALS);
    if (status != CLI_OK) {
        return status;
    }

    rc = cli_begin_read(&env, &err);

    if (rc == RFL_OK) {
        rc = show(cli, &env, argv[optind], &out, &err);
        cli_end_read(&env);
    }

    status = rc == RFL_OK ? cli_write(cli, &out)
                          : cli_fail("show", "%s", err.text);

    rfl_buf_free(&out);
    cli_close(&env);

    return status;
}


static rfl_rc_t
show(cli_t *cli, cli_env_t *env, const char *key, rfl_buf_t *out,
    rfl_error_t *err)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = rfl_registry_by_prefix(env->registry, rfl_cstr(key), &link, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (cli->json) {
        rc = rfl_report_link(out, env->registry, &env->totals, &link);
        rfl_buf_char(out, '\n');

    } else {
        rc = show_text(env, &link, out);
    }

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, "the totals of %s cannot be read", key);
    }

    return RFL_OK;
}


static rfl_rc_t
show_text(cli_env_t *env, const rfl_link_t *link, rfl_buf_t *out)
{
    u_char               key[RFL_KEY_LEN];
    rfl_rc_t             rc;
    rfl_cell_t           cell;
    rfl_link_t           copy;
    rfl_state_verdict_t  verdict;

    copy = *link;

    memset(&cell, 0, sizeof(rfl_cell_t));

    rc = rfl_totals_cell(&env->totals, link->id, &cell);

    if (rc == RFL_OK) {
        rc = rfl_totals_state(&env->totals, link, &cell, &verdict);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    rfl_key_text(link->key, key);
    show_line(out, rfl_cstr("key"), rfl_str(key, RFL_KEY_LEN));

    show_fields(&copy, out);

    show_time(out, rfl_cstr("created"), link->created);
    show_time(out, rfl_cstr("first_seen"), cell.n[RFL_CELL_FIRST_SEEN]);
    show_time(out, rfl_cstr("last_seen"), cell.n[RFL_CELL_LAST_SEEN]);
    show_state(&verdict, out);

    show_counters(&cell, out);

    return show_groups(env, link, out);
}


/* Channel and origin always have a value, the rest only where it is set. */

static void
show_fields(rfl_link_t *link, rfl_buf_t *out)
{
    size_t                   i;
    rfl_str_t                value;
    const rfl_link_field_t  *field;

    for (i = 0; i < rfl_link_nfields; i++) {
        field = &rfl_link_fields[i];

        if (field->type == RFL_FIELD_MATCH_TYPE) {
            value = rfl_match_type_names[link->match_type];

        } else if (field->offset == offsetof(rfl_link_t, channel)) {
            value = rfl_link_channel(link);

        } else if (field->offset == offsetof(rfl_link_t, origin)) {
            value = rfl_link_origin(link);

        } else {
            value = *rfl_link_slice(link, field);
        }

        if (value.len != 0) {
            show_line(out, field->name, value);
        }
    }
}


/* The rate it is judged by stands beside it. */

static void
show_state(const rfl_state_verdict_t *v, rfl_buf_t *out)
{
    show_label(out, rfl_cstr("state"));
    rfl_buf_str(out, rfl_state_names[v->state]);

    if (v->since != 0) {
        rfl_buf_text(out, " since ");
        show_day(out, v->since);
    }

    if (v->days != 0) {
        rfl_buf_text(out, "; the last click came on ");
        show_day(out, v->last);
        rfl_buf_fmt(out, ", and in the %u day%s up to then %llu",
                    (unsigned) v->days, v->days == 1 ? "" : "s",
                    (unsigned long long) v->clicks);
    }

    rfl_buf_char(out, '\n');
}


/* "2026-11-20" of "2026-11-20T00:00:00Z". */

static void
show_day(rfl_buf_t *out, uint32_t day)
{
    rfl_buf_time(out, (uint64_t) day * RFL_STATE_DAY);

    if (!out->failed) {
        out->len -= sizeof("T00:00:00Z") - 1;
    }
}


static void
show_counters(const rfl_cell_t *cell, rfl_buf_t *out)
{
    size_t                i;
    const rfl_counter_t  *counter;

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        counter = &rfl_counter_table[i];

        show_label(out, counter->name);
        rfl_buf_u64(out, cell->n[counter->field]);
        rfl_buf_char(out, '\n');
    }
}


static rfl_rc_t
show_groups(cli_env_t *env, const rfl_link_t *link, rfl_buf_t *out)
{
    size_t             i, n;
    u_char             key[RFL_KEY_LEN];
    rfl_rc_t           rc;
    uint64_t           clicks;
    rfl_cell_t         cell;
    rfl_membership_t  *member, members[RFL_LINK_GROUPS_MAX];

    rc = rfl_registry_groups(env->registry, link, members, &n);
    if (rc != RFL_OK) {
        return rc;
    }

    for (i = 0; i < n; i++) {
        member = &members[i];

        memset(&cell, 0, sizeof(rfl_cell_t));

        rc = rfl_totals_cell(&env->totals, member->group.id, &cell);
        if (rc != RFL_OK) {
            return rc;
        }

        clicks = cell.n[RFL_CELL_CLICKS];
        clicks = clicks > member->clicks_at_join
                 ? clicks - member->clicks_at_join : 0;

        rfl_key_text(member->group.key, key);
        show_label(out, rfl_cstr("group"));
        rfl_buf_fmt(out, "%.*s: %llu clicks came by one of its %u links\n",
                    RFL_KEY_LEN, (const char *) key,
                    (unsigned long long) clicks, member->group.links);
    }

    return RFL_OK;
}


/* On a terminal a long text goes on below itself, else it is one line. */

static void
show_line(rfl_buf_t *out, rfl_str_t label, rfl_str_t value)
{
    size_t     room, used;
    rfl_str_t  piece;

    show_label(out, label);

    room = isatty(STDOUT_FILENO) ? cli_screen_width() - LABEL_WIDTH - 1
                                 : SIZE_MAX;

    for (used = 0; value.len != 0; /* void */ ) {
        piece = cli_safe_first(value);

        if (used != 0 && used + cli_safe_width(piece) > room) {
            rfl_buf_fmt(out, "\n%*s", LABEL_WIDTH + 1, "");
            used = 0;
        }

        used += cli_safe(out, piece);

        value.data += piece.len;
        value.len -= piece.len;
    }

    rfl_buf_char(out, '\n');
}


static void
show_time(rfl_buf_t *out, rfl_str_t label, uint64_t seconds)
{
    show_label(out, label);

    if (seconds != 0) {
        rfl_buf_time(out, seconds);

    } else {
        rfl_buf_text(out, "never");
    }

    rfl_buf_char(out, '\n');
}


static void
show_label(rfl_buf_t *out, rfl_str_t label)
{
    rfl_buf_fmt(out, "%-*.*s ", LABEL_WIDTH, (int) label.len,
                (const char *) label.data);
}
