/*
 * rm: takes links off the registry, all of those named or none.  Their totals
 * stay in the ledger; added again they have them back.
 */

#include "cli.h"

#include <stdlib.h>


static int run(cli_t *cli, int argc, char **argv);
static rfl_rc_t remove_named(cli_env_t *env, int n, char **names, int json,
    rfl_buf_t *out, rfl_error_t *err);
static rfl_rc_t find_keys(cli_env_t *env, int n, char **names, uint64_t *keys,
    rfl_error_t *err);
static rfl_rc_t remove_links(cli_env_t *env, int n, const uint64_t *keys,
    int json, rfl_buf_t *out, rfl_error_t *err);
static rfl_rc_t remove_link(cli_env_t *env, uint64_t key, int json,
    rfl_buf_t *out, rfl_error_t *err);


const cli_command_t  cli_rm = {
    "rm",
    "KEY...",
    "remove links",
    "Removes the links with these keys; the beginning of a key is enough if\n"
    "no other key begins so.  If one cannot be removed, none is.  What the\n"
    "links brought stays in the sums of all, but is no longer their channel's\n"
    "or partner's, and is theirs again when they are added again.\n",
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
        return cli_wrong_usage(cli, "which link?  A key is missing");
    }

    status = cli_open(cli, &env, CLI_OPEN_WRITE);
    if (status != CLI_OK) {
        return status;
    }

    rc = cli_begin_write(&env, &err);

    if (rc == RFL_OK) {
        rc = remove_named(&env, argc - optind, argv + optind, cli->json, &out,
                          &err);
    }

    status = rc == RFL_OK ? cli_write(cli, &out)
                          : cli_fail("rm", "%s", err.text);

    rfl_buf_free(&out);
    cli_close(&env);

    return status;
}


static rfl_rc_t
remove_named(cli_env_t *env, int n, char **names, int json, rfl_buf_t *out,
    rfl_error_t *err)
{
    rfl_rc_t   rc;
    uint64_t  *keys;

    keys = calloc((size_t) n, sizeof(uint64_t));

    rc = keys != NULL ? find_keys(env, n, names, keys, err)
                      : rfl_fail(err, RFL_NO_MEMORY, "no memory");

    if (rc == RFL_OK) {
        rc = remove_links(env, n, keys, json, out, err);
    }

    free(keys);

    if (rc != RFL_OK) {
        rfl_registry_end(env->registry);
        return rc;
    }

    return cli_commit(env, err);
}


/* All before any is removed, which would make other beginnings unique. */

static rfl_rc_t
find_keys(cli_env_t *env, int n, char **names, uint64_t *keys,
    rfl_error_t *err)
{
    int         i;
    rfl_rc_t    rc;
    rfl_link_t  link;

    for (i = 0; i < n; i++) {
        rc = rfl_registry_by_prefix(env->registry, rfl_cstr(names[i]), &link,
                                    err);
        if (rc != RFL_OK) {
            return rc;
        }

        keys[i] = link.key;
    }

    return RFL_OK;
}


static rfl_rc_t
remove_links(cli_env_t *env, int n, const uint64_t *keys, int json,
    rfl_buf_t *out, rfl_error_t *err)
{
    int       i;
    rfl_rc_t  rc;

    if (json) {
        rfl_buf_text(out, "{\"removed\":[");
    }

    for (i = 0; i < n; i++) {
        rc = remove_link(env, keys[i], json, out, err);

        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (json) {
        rfl_buf_text(out, "]}\n");
    }

    return RFL_OK;
}


static rfl_rc_t
remove_link(cli_env_t *env, uint64_t key, int json, rfl_buf_t *out,
    rfl_error_t *err)
{
    u_char      text[RFL_KEY_LEN];
    rfl_rc_t    rc;
    rfl_link_t  link;

    rfl_key_text(key, text);

    rc = rfl_registry_by_key(env->registry, key, &link);

    if (rc != RFL_OK) {
        return rfl_fail(err, rc, rc == RFL_NOT_FOUND
                                 ? "the link %.*s is named twice"
                                 : "the link %.*s cannot be read",
                        RFL_KEY_LEN, (const char *) text);
    }

    if (json) {
        rfl_json_item(out);
        rfl_json_string(out, rfl_str(text, RFL_KEY_LEN));

    } else {
        rfl_buf_text(out, "removed ");
        rfl_buf_add(out, text, RFL_KEY_LEN);
        rfl_buf_char(out, ' ');
        (void) cli_safe(out, cli_link_name(&link));
        rfl_buf_char(out, '\n');
    }

    return rfl_registry_remove(env->registry, key, err);
}
