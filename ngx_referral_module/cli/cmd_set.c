/*
 * set: changes fields of one link, all of those named or none.
 */

#include "cli.h"


/* A field given twice: the last value stands. */

#define CHANGES_MAX  32


typedef struct {
    const rfl_link_field_t  *field;
    rfl_str_t                value;
} change_t;


static int run(cli_t *cli, int argc, char **argv);
static int read_changes(const cli_t *cli, int n, char **texts,
    change_t *changes);
static int change_link(cli_t *cli, const char *key, const change_t *changes,
    int n);
static rfl_rc_t store_changes(cli_env_t *env, const char *key,
    const change_t *changes, int n, uint64_t *changed, rfl_error_t *err);
static rfl_rc_t set_field(rfl_link_t *link, const change_t *change,
    u_char *scratch, rfl_error_t *err);


static const char  never_changes[] =
    "never changes, it says which link this is: add another one, and keep "
    "this one as long as its clicks are to be reported";


const cli_command_t  cli_set = {
    "set",
    "KEY FIELD=VALUE...",
    "change a link's fields",
    "Fields: tag name channel origin partner placement rel authority anchor\n"
    "labels note cost listed_first listed_last.  An empty value clears the\n"
    "field.  source, match_type and target say which link it is and never\n"
    "change, nor does the tag of a tag link: add another one, and keep this\n"
    "one as long as its clicks are to be reported.\n",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int       n, opt, status;
    change_t  changes[CHANGES_MAX];

    static const struct option  options[] = {
        cli_common_options,
        { NULL, 0, NULL, 0 }
    };

    while ((opt = cli_option(cli, argc, argv, options)) != -1) {
        if (opt == CLI_OPTION_STOP) {
            return cli->status;
        }
    }

    n = argc - optind - 1;

    if (n < 0) {
        return cli_wrong_usage(cli, "which link?  Its key is missing");
    }

    if (n == 0) {
        return cli_wrong_usage(cli, "what is to change?  FIELD=VALUE is "
                               "missing");
    }

    if (n > CHANGES_MAX) {
        return cli_wrong_usage(cli, "more than %d changes", CHANGES_MAX);
    }

    status = read_changes(cli, n, argv + optind + 1, changes);
    if (status != CLI_OK) {
        return status;
    }

    return change_link(cli, argv[optind], changes, n);
}


static int
read_changes(const cli_t *cli, int n, char **texts, change_t *changes)
{
    int       i, status;
    rfl_rc_t  rc;

    for (i = 0; i < n; i++) {
        rc = cli_assignment(cli, texts[i], &changes[i].field,
                            &changes[i].value, &status);
        if (rc != RFL_OK) {
            return status;
        }

        if (changes[i].field->identity) {
            return cli_fail("set", "%.*s %s",
                            (int) changes[i].field->name.len,
                            (const char *) changes[i].field->name.data,
                            never_changes);
        }
    }

    return CLI_OK;
}


static int
change_link(cli_t *cli, const char *key, const change_t *changes, int n)
{
    int          status;
    u_char       text[RFL_KEY_LEN];
    rfl_rc_t     rc;
    uint64_t     changed;
    cli_env_t    env;
    rfl_error_t  err;

    status = cli_open(cli, &env, CLI_OPEN_WRITE|CLI_OPEN_TOTALS);
    if (status != CLI_OK) {
        return status;
    }

    rc = cli_begin_write(&env, &err);

    if (rc == RFL_OK) {
        rc = store_changes(&env, key, changes, n, &changed, &err);
    }

    if (rc != RFL_OK) {
        status = cli_fail("set", "%s", err.text);

    } else if (cli->json) {
        status = cli_print_link(cli, &env, changed);

    } else {
        rfl_key_text(changed, text);
        printf("changed %.*s\n", RFL_KEY_LEN, (const char *) text);
    }

    cli_close(&env);

    return status;
}


static rfl_rc_t
store_changes(cli_env_t *env, const char *key, const change_t *changes, int n,
    uint64_t *changed, rfl_error_t *err)
{
    int              i;
    u_char           scratch[RFL_LABELS_TEXT_MAX];
    rfl_rc_t         rc;
    rfl_link_t       link;
    rfl_link_copy_t  kept;

    rc = rfl_registry_by_prefix(env->registry, rfl_cstr(key), &link, err);

    if (rc == RFL_OK) {
        rc = rfl_link_copy(&kept, &link);

        if (rc != RFL_OK) {
            rc = rfl_fail(err, rc, "the link's record cannot be read");
        }
    }

    for (i = 0; rc == RFL_OK && i < n; i++) {
        rc = set_field(&kept.link, &changes[i], scratch, err);
    }

    if (rc == RFL_OK) {
        rc = rfl_registry_update(env->registry, &kept.link, err);
    }

    if (rc != RFL_OK) {
        rfl_registry_end(env->registry);
        return rc;
    }

    *changed = kept.link.key;

    return cli_commit(env, err);
}


static rfl_rc_t
set_field(rfl_link_t *link, const change_t *change, u_char *scratch,
    rfl_error_t *err)
{
    if (link->match_type == RFL_MATCH_TAG
        && change->field->offset == offsetof(rfl_link_t, tag))
    {
        return rfl_fail(err, RFL_INVALID, "the tag of a tag link %s",
                        never_changes);
    }

    return rfl_link_set(link, change->field, change->value, scratch, err);
}
