/*
 * add: registers one link.  Its options are the link's fields, taken from
 * the field table.
 */

#include "cli.h"

#include <time.h>


#define OPTION_LABEL   CLI_OPTION_FIRST
#define OPTION_FIELDS  (CLI_OPTION_FIRST + 1)

#define FIELDS_MAX  32


typedef struct {
    struct option  options[FIELDS_MAX + 5];
    char           names[FIELDS_MAX][CLI_OPTION_NAME];
    const char    *values[FIELDS_MAX];   /* by field; NULL: not given */
    rfl_buf_t      labels;
} add_t;


static int run(cli_t *cli, int argc, char **argv);
static void make_options(add_t *add);
static int read_options(cli_t *cli, add_t *add, int argc, char **argv);
static int has_tag(const add_t *add);
static int make_link(const add_t *add, const char *source, rfl_link_t *link,
    u_char *scratch);
static int register_link(cli_t *cli, rfl_link_t *link);
static int print_link(cli_t *cli, cli_env_t *env, uint64_t key);


const cli_command_t  cli_add = {
    "add",
    "[URL] [OPTION]...",
    "register a link, print its key",
    "Without URL, --tag T makes a tag link, found by its tag alone.\n"
    "\n"
    "      --match-type M    exact, prefix, host, domain, regex or tag;\n"
    "                        default: host for a bare host name, tag without\n"
    "                        URL, else exact.  regex: URL is a host and, from\n"
    "                        the first \"/\" on, a pattern that is searched\n"
    "                        for in the full Referer: 'a.example/20\\d\\d/'\n"
    "      --target T        the landing it points at, a path or a URL\n"
    "      --tag T           value of the landing's tag argument\n"
    "      --name N          what to call it\n"
    "      --channel C       how it was obtained (guest-post, natural, ...)\n"
    "      --origin O        earned, built, created, paid or other; default:\n"
    "                        follows from the channel\n"
    "      --partner P       who it was obtained from\n"
    "      --placement P     content, header, footer, sidebar, comment, bio\n"
    "                        or other\n"
    "      --rel R           follow, nofollow, sponsored or ugc\n"
    "      --authority N     0 to 100\n"
    "      --anchor TEXT     the link's text\n"
    "      --label L         may be given several times\n"
    "      --note TEXT       anything else\n"
    "      --cost N          what it cost\n"
    "      --listed-first D  when a crawler saw it first, a date\n"
    "                        (2026-11-20) or a time (2026-11-20T22:48:00Z)\n"
    "      --listed-last D   when one saw it last",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int         status;
    add_t       add;
    u_char      scratch[RFL_LABELS_TEXT_MAX];
    rfl_link_t  link;

    memset(&add, 0, sizeof(add_t));
    make_options(&add);

    status = read_options(cli, &add, argc, argv);

    if (status == CLI_OK) {
        status = make_link(&add, optind < argc ? argv[optind] : "", &link,
                           scratch);
    }

    if (status == CLI_OK) {
        status = register_link(cli, &link);
    }

    rfl_buf_free(&add.labels);

    return status == CLI_STOPPED ? cli->status : status;
}


static void
make_options(add_t *add)
{
    size_t  i, n;

    static const struct option  common[] = {
        cli_common_options,
        { "label", required_argument, NULL, OPTION_LABEL },
    };

    n = sizeof(common) / sizeof(common[0]);
    memcpy(add->options, common, sizeof(common));

    for (i = 0; i < rfl_link_nfields && i < FIELDS_MAX; i++) {

        if (rfl_link_fields[i].offset == offsetof(rfl_link_t, source)) {
            continue;
        }

        cli_option_name(&rfl_link_fields[i], add->names[i]);

        add->options[n].name = add->names[i];
        add->options[n].has_arg = required_argument;
        add->options[n].val = OPTION_FIELDS + (int) i;
        n++;
    }
}


static int
read_options(cli_t *cli, add_t *add, int argc, char **argv)
{
    int  opt;

    while ((opt = cli_option(cli, argc, argv, add->options)) != -1) {

        if (opt == CLI_OPTION_STOP) {
            return CLI_STOPPED;
        }

        if (opt == OPTION_LABEL) {
            rfl_buf_text(&add->labels, optarg);
            rfl_buf_char(&add->labels, ',');
            continue;
        }

        add->values[opt - OPTION_FIELDS] = optarg;
    }

    if (optind == argc && !has_tag(add)) {
        return cli_wrong_usage(cli, "the link's URL is missing; a link "
                               "without URL needs --tag");
    }

    if (optind + 1 < argc) {
        return cli_wrong_usage(cli, "unexpected argument \"%s\"",
                               argv[optind + 1]);
    }

    if (add->labels.failed) {
        return cli_fail("add", "no memory");
    }

    return CLI_OK;
}


static int
has_tag(const add_t *add)
{
    size_t  i;

    for (i = 0; i < rfl_link_nfields && i < FIELDS_MAX; i++) {
        if (rfl_link_fields[i].offset == offsetof(rfl_link_t, tag)) {
            return add->values[i] != NULL;
        }
    }

    return 0;
}


static int
make_link(const add_t *add, const char *source, rfl_link_t *link,
    u_char *scratch)
{
    int                      guess;
    size_t                   i;
    rfl_rc_t                 rc;
    rfl_str_t                value;
    rfl_error_t              err;
    const rfl_link_field_t  *field;

    memset(link, 0, sizeof(rfl_link_t));

    guess = 1;

    for (i = 0; i < rfl_link_nfields && i < FIELDS_MAX; i++) {
        field = &rfl_link_fields[i];

        if (field->offset == offsetof(rfl_link_t, source)) {
            value = rfl_cstr(source);

        } else if (add->values[i] != NULL) {
            value = rfl_cstr(add->values[i]);

            if (field->type == RFL_FIELD_MATCH_TYPE) {
                guess = 0;
            }

        } else if (field->type == RFL_FIELD_LABELS) {
            value = rfl_str(add->labels.data, add->labels.len);

        } else {
            continue;
        }

        rc = rfl_link_set(link, field, value, scratch, &err);
        if (rc != RFL_OK) {
            return cli_fail("add", "%s", err.text);
        }
    }

    if (guess) {
        link->match_type = rfl_identity_guess(link->source, link->tag);
    }

    return CLI_OK;
}


static int
register_link(cli_t *cli, rfl_link_t *link)
{
    int          status;
    u_char       key[RFL_KEY_LEN];
    rfl_rc_t     rc;
    cli_env_t    env;
    rfl_error_t  err;

    status = cli_open(cli, &env, CLI_OPEN_CREATE|CLI_OPEN_TOTALS);
    if (status != CLI_OK) {
        return status;
    }

    rc = cli_begin_write(&env, &err);

    if (rc == RFL_OK) {
        rc = rfl_registry_add(env.registry, link, (uint64_t) time(NULL), &err);

        if (rc == RFL_OK) {
            rc = cli_commit(&env, &err);

        } else {
            rfl_registry_end(env.registry);
        }
    }

    if (rc == RFL_OK) {
        status = print_link(cli, &env, link->key);

    } else if (rc == RFL_EXISTS) {
        rfl_key_text(link->key, key);
        status = cli_fail("add", "already registered as %.*s", RFL_KEY_LEN,
                          (const char *) key);

    } else {
        status = cli_fail("add", "%s", err.text);
    }

    cli_close(&env);

    return status;
}


static int
print_link(cli_t *cli, cli_env_t *env, uint64_t key)
{
    int        status;
    u_char     text[RFL_KEY_LEN];
    rfl_buf_t  b = rfl_buf_init;

    if (cli->json) {
        return cli_print_link(cli, env, key);
    }

    rfl_key_text(key, text);
    rfl_buf_add(&b, text, RFL_KEY_LEN);
    rfl_buf_char(&b, '\n');

    status = cli_write(cli, &b);
    rfl_buf_free(&b);

    return status;
}
