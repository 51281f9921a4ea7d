/*
 * match: what nginx would decide about a request, and why.
 *
 * It calls the same functions as nginx, so the two cannot differ.
 */

#include "cli.h"

#include "rfl_attribution.h"
#include "rfl_class.h"

#include <stdlib.h>


#define OPTION_LANDING   (CLI_OPTION_FIRST + 0)
#define OPTION_OWN_HOST  (CLI_OPTION_FIRST + 1)
#define OPTION_TAG_NAME  (CLI_OPTION_FIRST + 2)
#define OPTION_HOST      (CLI_OPTION_FIRST + 3)
#define OPTION_METHOD    (CLI_OPTION_FIRST + 4)
#define OPTION_STATUS    (CLI_OPTION_FIRST + 5)

#define NAMES_MAX  64            /* own hosts; tag names */

/* As the directive referral_tag. */

#define DEFAULT_TAG_NAME  "ref"
#define NO_TAG_NAME       "off"


typedef struct {
    rfl_request_t      request;
    rfl_class_input_t  class_input;
    rfl_own_host_t     own_hosts[NAMES_MAX];
    u_char             own_host_names[NAMES_MAX][RFL_HOST_MAX];
    rfl_own_hosts_t    own;
    rfl_str_t          tag_names[NAMES_MAX];
    rfl_names_t        tags;
    const char        *host;             /* as given, or NULL */
} match_t;


typedef struct {
    rfl_buf_t  out;
    unsigned   steps;
    unsigned   json:1;
} explanation_t;


static int run(cli_t *cli, int argc, char **argv);
static int read_options(cli_t *cli, match_t *match, int argc, char **argv);
static int read_own_host(cli_t *cli, match_t *match, const char *text);
static int read_tag_name(cli_t *cli, match_t *match, const char *text);
static int read_status(cli_t *cli, match_t *match, const char *text);
static int complete(cli_t *cli, match_t *match);
static int decide(cli_t *cli, cli_env_t *env, const match_t *match);
static void explain(void *data, const char *text);
static int print_answer(cli_t *cli, cli_env_t *env, explanation_t *why,
    const rfl_attribution_t *attribution, rfl_class_t class);
static rfl_rc_t print_json(cli_env_t *env, rfl_buf_t *b, const rfl_buf_t *steps,
    const rfl_attribution_t *attribution, rfl_class_t class);
static rfl_rc_t print_text(cli_env_t *env, rfl_buf_t *b,
    const rfl_attribution_t *attribution, rfl_class_t class);
static void json_word(rfl_buf_t *b, const char *name, rfl_str_t word);
static void text_line(rfl_buf_t *b, const char *label, rfl_str_t text);


const cli_command_t  cli_match = {
    "match",
    "REFERER [OPTION]...",
    "explain what nginx would decide",
    "Says which link a request would be counted for, and why, step by step.\n"
    "REFERER is the value of the header; \"\" or - for none.\n"
    "\n"
    "      --landing URL     what was asked for, a path or a URL; default /\n"
    "      --host HOST       the site's host; default: that of the landing\n"
    "                        if it is a URL, else none\n"
    "      --own-host HOST   as in referral_own_hosts; several times\n"
    "      --tag-name NAME   as in referral_tag; several times; default ref,\n"
    "                        off: none\n"
    "      --method M        the request's method; default GET\n"
    "      --status N        the response's status; default 200, 0: none",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int        status;
    match_t   *match;
    cli_env_t  env;

    match = calloc(1, sizeof(match_t));
    if (match == NULL) {
        return cli_fail("match", "no memory");
    }

    status = read_options(cli, match, argc, argv);

    if (status == CLI_OK) {
        status = complete(cli, match);
    }

    if (status == CLI_OK) {
        status = cli_open(cli, &env, CLI_OPEN_READ);

        if (status == CLI_OK) {
            status = decide(cli, &env, match);
            cli_close(&env);
        }
    }

    free(match);

    return status == CLI_STOPPED ? cli->status : status;
}


static int
read_options(cli_t *cli, match_t *match, int argc, char **argv)
{
    int  opt, status;

    static const struct option  options[] = {
        cli_common_options,
        { "landing", required_argument, NULL, OPTION_LANDING },
        { "own-host", required_argument, NULL, OPTION_OWN_HOST },
        { "tag-name", required_argument, NULL, OPTION_TAG_NAME },
        { "host", required_argument, NULL, OPTION_HOST },
        { "method", required_argument, NULL, OPTION_METHOD },
        { "status", required_argument, NULL, OPTION_STATUS },
        { NULL, 0, NULL, 0 }
    };

    match->request.landing = rfl_cstr("/");
    match->class_input.method = rfl_cstr("GET");
    match->class_input.status = 200;

    status = CLI_OK;

    while (status == CLI_OK
           && (opt = cli_option(cli, argc, argv, options)) != -1)
    {
        switch (opt) {

        case OPTION_LANDING:
            match->request.landing = rfl_cstr(optarg);
            break;

        case OPTION_OWN_HOST:
            status = read_own_host(cli, match, optarg);
            break;

        case OPTION_TAG_NAME:
            status = read_tag_name(cli, match, optarg);
            break;

        case OPTION_HOST:
            match->host = optarg;
            break;

        case OPTION_METHOD:
            match->class_input.method = rfl_cstr(optarg);
            break;

        case OPTION_STATUS:
            status = read_status(cli, match, optarg);
            break;

        default:
            return CLI_STOPPED;
        }
    }

    if (status != CLI_OK) {
        return status;
    }

    if (optind == argc) {
        return cli_wrong_usage(cli, "the Referer is missing; \"-\" is none");
    }

    if (optind + 1 != argc) {
        return cli_wrong_usage(cli, "unexpected argument \"%s\"",
                               argv[optind + 1]);
    }

    if (strcmp(argv[optind], "-") != 0) {
        match->request.referer = rfl_cstr(argv[optind]);
    }

    return CLI_OK;
}


static int
read_own_host(cli_t *cli, match_t *match, const char *text)
{
    size_t       n;
    rfl_rc_t     rc;
    rfl_error_t  err;

    n = match->own.n;

    if (n == NAMES_MAX) {
        return cli_wrong_usage(cli, "more than %d own hosts", NAMES_MAX);
    }

    rc = rfl_own_host_parse(rfl_cstr(text), match->own_host_names[n],
                            &match->own_hosts[n], &err);
    if (rc != RFL_OK) {
        return cli_wrong_usage(cli, "--own-host: %s", err.text);
    }

    match->own.n++;

    return CLI_OK;
}


static int
read_tag_name(cli_t *cli, match_t *match, const char *text)
{
    if (match->tags.n == NAMES_MAX) {
        return cli_wrong_usage(cli, "more than %d tag names", NAMES_MAX);
    }

    match->tag_names[match->tags.n++] = rfl_cstr(text);

    return CLI_OK;
}


static int
read_status(cli_t *cli, match_t *match, const char *text)
{
    uint64_t  n;

    if (cli_number(text, 0, 599, &n) != RFL_OK || (n != 0 && n < 100)) {
        return cli_wrong_usage(cli, "--status \"%s\" is no HTTP status", text);
    }

    match->class_input.status = (unsigned) n;

    return CLI_OK;
}


/* What was not given: the site's host, the tag names. */

static int
complete(cli_t *cli, match_t *match)
{
    rfl_url_t    url;
    const char  *why;

    if (match->tags.n == 0) {
        match->tag_names[match->tags.n++] = rfl_cstr(DEFAULT_TAG_NAME);

    } else if (match->tags.n == 1
               && rfl_str_eq(match->tag_names[0], rfl_cstr(NO_TAG_NAME)))
    {
        match->tags.n = 0;
    }

    match->own.hosts = match->own_hosts;
    match->tags.names = match->tag_names;
    match->request.own_hosts = &match->own;
    match->request.tag_names = &match->tags;

    if (match->host != NULL) {

        if (rfl_url_parse_host(rfl_cstr(match->host), &url, &why) != RFL_OK) {
            return cli_wrong_usage(cli, "--host \"%s\": %s", match->host, why);
        }

        match->request.host = rfl_cstr(match->host);

    } else if (rfl_url_parse(match->request.landing, &url, NULL) == RFL_OK) {
        match->request.host = url.host;
    }

    return CLI_OK;
}


static int
decide(cli_t *cli, cli_env_t *env, const match_t *match)
{
    int                status;
    rfl_class_t        class;
    rfl_trace_t        trace;
    explanation_t      why;
    rfl_attribution_t  attribution;

    memset(&why, 0, sizeof(explanation_t));
    why.json = cli->json;

    trace.step = explain;
    trace.data = &why;

    rfl_attribute(env->registry, &match->request, &attribution, &trace);

    if (attribution.lookup_failed) {
        rfl_buf_free(&why.out);
        return cli_fail(cli->dir, "the registry cannot be read");
    }

    class = RFL_CLASS_NONE;

    if (rfl_outcome_has_class(attribution.outcome)) {
        class = rfl_classify(&match->class_input);
    }

    status = print_answer(cli, env, &why, &attribution, class);

    rfl_buf_free(&why.out);

    return status;
}


static void
explain(void *data, const char *text)
{
    explanation_t *why = data;

    why->steps++;

    if (why->json) {

        if (why->steps > 1) {
            rfl_buf_char(&why->out, ',');
        }

        rfl_json_string(&why->out, rfl_cstr(text));
        return;
    }

    rfl_buf_fmt(&why->out, "%3u. ", why->steps);
    (void) cli_safe(&why->out, rfl_cstr(text));
    rfl_buf_char(&why->out, '\n');
}


static int
print_answer(cli_t *cli, cli_env_t *env, explanation_t *why,
    const rfl_attribution_t *attribution, rfl_class_t class)
{
    int          status;
    rfl_rc_t     rc;
    rfl_buf_t    b = rfl_buf_init;
    rfl_error_t  err;

    rc = rfl_registry_begin(env->registry, 0, &err);
    if (rc != RFL_OK) {
        return cli_fail(cli->dir, "%s", err.text);
    }

    if (cli->json) {
        rc = print_json(env, &b, &why->out, attribution, class);

    } else {
        rfl_buf_add(&b, why->out.data, why->out.len);
        rc = print_text(env, &b, attribution, class);
    }

    rfl_registry_end(env->registry);

    if (why->out.failed) {
        b.failed = 1;
    }

    status = rc == RFL_OK ? cli_write(cli, &b)
                          : cli_fail(cli->dir, "the link that was found cannot "
                                     "be read");

    rfl_buf_free(&b);

    return status;
}


static rfl_rc_t
print_json(cli_env_t *env, rfl_buf_t *b, const rfl_buf_t *steps,
    const rfl_attribution_t *attribution, rfl_class_t class)
{
    u_char       key[RFL_KEY_LEN];
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_group_t  group;

    rfl_buf_char(b, '{');
    json_word(b, "outcome", rfl_outcome_names[attribution->outcome]);
    json_word(b, "class", rfl_class_names[class]);
    json_word(b, "evidence", rfl_evidence_names[attribution->evidence]);
    rfl_json_name(b, "link");

    if (attribution->outcome == RFL_OUTCOME_MATCHED) {
        rc = rfl_registry_link(env->registry, attribution->id, &link);
        if (rc != RFL_OK) {
            return rc;
        }

        rfl_key_text(link.key, key);
        rfl_buf_char(b, '{');
        json_word(b, "key", rfl_str(key, RFL_KEY_LEN));
        json_word(b, "source", link.source);
        rfl_json_name(b, "other_landing");
        rfl_buf_text(b, attribution->other_landing ? "true}" : "false}");

    } else {
        rfl_buf_text(b, "null");
    }

    rfl_json_name(b, "group");

    if (attribution->outcome == RFL_OUTCOME_AMBIGUOUS) {
        rc = rfl_registry_group(env->registry, attribution->id, &group);
        if (rc != RFL_OK) {
            return rc;
        }

        rfl_key_text(group.key, key);
        rfl_buf_char(b, '{');
        json_word(b, "key", rfl_str(key, RFL_KEY_LEN));
        rfl_json_name(b, "links");
        rfl_buf_u64(b, group.links);
        rfl_buf_char(b, '}');

    } else {
        rfl_buf_text(b, "null");
    }

    rfl_json_name(b, "why");
    rfl_buf_char(b, '[');
    rfl_buf_add(b, steps->data, steps->len);
    rfl_buf_text(b, "]}\n");

    return RFL_OK;
}


static rfl_rc_t
print_text(cli_env_t *env, rfl_buf_t *b, const rfl_attribution_t *attribution,
    rfl_class_t class)
{
    u_char       key[RFL_KEY_LEN];
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_group_t  group;

    rfl_buf_char(b, '\n');
    text_line(b, "outcome", rfl_outcome_names[attribution->outcome]);

    if (class != RFL_CLASS_NONE) {
        text_line(b, "class", rfl_class_names[class]);
    }

    if (attribution->outcome == RFL_OUTCOME_MATCHED) {
        rc = rfl_registry_link(env->registry, attribution->id, &link);
        if (rc != RFL_OK) {
            return rc;
        }

        text_line(b, "evidence", rfl_evidence_names[attribution->evidence]);

        rfl_key_text(link.key, key);
        rfl_buf_fmt(b, "%-9s %.*s ", "link", RFL_KEY_LEN, (const char *) key);
        (void) cli_safe(b, link.source);
        rfl_buf_text(b, attribution->other_landing
                        ? " (another landing than its target)\n" : "\n");
    }

    if (attribution->outcome == RFL_OUTCOME_AMBIGUOUS) {
        rc = rfl_registry_group(env->registry, attribution->id, &group);
        if (rc != RFL_OK) {
            return rc;
        }

        rfl_key_text(group.key, key);
        rfl_buf_fmt(b, "%-9s %.*s of %u links\n", "group", RFL_KEY_LEN,
                    (const char *) key, group.links);
    }

    return RFL_OK;
}


/* An empty word is null. */

static void
json_word(rfl_buf_t *b, const char *name, rfl_str_t word)
{
    rfl_json_name(b, name);

    if (word.len == 0) {
        rfl_buf_text(b, "null");

    } else {
        rfl_json_string(b, word);
    }
}


static void
text_line(rfl_buf_t *b, const char *label, rfl_str_t text)
{
    rfl_buf_fmt(b, "%-9s ", label);
    (void) cli_safe(b, text);
    rfl_buf_char(b, '\n');
}
