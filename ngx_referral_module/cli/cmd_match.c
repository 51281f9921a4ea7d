/*
 * match: what nginx would decide about a request, and why.
 *
 * It calls the same functions as nginx, so the two cannot differ.
 */

#include "cli.h"

#include "rfl_agent.h"
#include "rfl_attribution.h"
#include "rfl_class.h"
#include "rfl_identity.h"
#include "rfl_ignored.h"

#include <stdlib.h>


#define OPTION_LANDING   (CLI_OPTION_FIRST + 0)
#define OPTION_OWN_HOST  (CLI_OPTION_FIRST + 1)
#define OPTION_TAG_NAME  (CLI_OPTION_FIRST + 2)
#define OPTION_HOST      (CLI_OPTION_FIRST + 3)
#define OPTION_METHOD    (CLI_OPTION_FIRST + 4)
#define OPTION_STATUS    (CLI_OPTION_FIRST + 5)
#define OPTION_HEADER    (CLI_OPTION_FIRST + 6)
#define OPTION_LOCATION  (CLI_OPTION_FIRST + 7)
#define OPTION_SERVER    (CLI_OPTION_FIRST + 8)
#define OPTION_BOT       (CLI_OPTION_FIRST + 9)
#define OPTION_POLICY    (CLI_OPTION_FIRST + 10)

#define NAMES_MAX  64            /* own hosts; server names; tag names */

/* As the directive referral_tag. */

#define DEFAULT_TAG_NAME  "ref"
#define NO_TAG_NAME       "off"


typedef struct {
    rfl_own_host_t     hosts[NAMES_MAX];
    u_char             names[NAMES_MAX][RFL_HOST_MAX];
    rfl_own_hosts_t    list;
} hosts_t;


typedef struct {
    rfl_request_t      request;
    rfl_class_input_t  class_input;
    hosts_t            own;
    hosts_t            servers;
    rfl_str_t          tag_names[NAMES_MAX];
    rfl_names_t        tags;
    rfl_str_t          user_agent;
    rfl_str_t          location;
    rfl_str_t          host;             /* as given, or empty */
    rfl_policy_t       policy;
    rfl_identity_t     identity;         /* of a malformed Referer */
    unsigned           has_user_agent:1;
    unsigned           has_location:1;
    unsigned           bot_off:1;
} match_t;


/* A header the decision looks at; its slice in match_t. */

typedef struct {
    const char        *name;
    size_t             offset;
} header_t;


typedef struct {
    rfl_attribution_t  attribution;
    rfl_class_t        class;
    const char        *class_why;        /* NULL: it has no class */
    rfl_buf_t          sent;             /* what a browser sends of a malformed
                                            Referer, or empty */
} answer_t;


typedef struct {
    rfl_buf_t  out;
    unsigned   steps;
    unsigned   json:1;
} explanation_t;


static int run(cli_t *cli, int argc, char **argv);
static int read_options(cli_t *cli, match_t *match, int argc, char **argv);
static int read_referer(cli_t *cli, match_t *match, int argc, char **argv);
static int read_host(cli_t *cli, hosts_t *hosts, const char *option,
    const char *text);
static int read_header(cli_t *cli, match_t *match, const char *text);
static int set_header(cli_t *cli, match_t *match, rfl_str_t name,
    rfl_str_t value);
static int read_bot(cli_t *cli, match_t *match, const char *text);
static int read_tag_name(cli_t *cli, match_t *match, const char *text);
static int read_status(cli_t *cli, match_t *match, const char *text);
static int complete(cli_t *cli, match_t *match);
static int decide(cli_t *cli, cli_env_t *env, match_t *match);
static void read_site(match_t *match, const rfl_trace_t *trace);
static void classify(cli_env_t *env, match_t *match, answer_t *answer,
    const rfl_trace_t *trace);
static rfl_rc_t as_sent(match_t *match, rfl_buf_t *sent);
static void explain(void *data, const char *text);
static int print_answer(cli_t *cli, cli_env_t *env, explanation_t *why,
    const answer_t *answer);
static rfl_rc_t print_json(cli_env_t *env, rfl_buf_t *b, const rfl_buf_t *steps,
    const answer_t *answer);
static rfl_rc_t print_text(cli_env_t *env, rfl_buf_t *b,
    const answer_t *answer);
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
    "      --header 'NAME: VALUE'\n"
    "                        a header of the request; several times.  What\n"
    "                        the decision does not look at is ignored.\n"
    "                        Without User-Agent it is taken for a browser's\n"
    "      --bot on|off      as in referral_bot; default on\n"
    "      --status N        the response's status; default 200, 0: none\n"
    "      --location URL    the response's Location\n"
    "      --referrer-policy POLICY\n"
    "                        the response's Referrer-Policy, which is heeded\n"
    "                        where Location leads; several times\n"
    "      --server-name HOST\n"
    "                        another server that counts into this registry,\n"
    "                        to tell where Location leads; several times",
    run
};


#define class_header(name, field)                                             \
    { name, offsetof(match_t, class_input.field) }

static const header_t  headers[] = {
    { "Sec-Fetch-Site",
      offsetof(match_t, request.sec_fetch_site) },
    class_header("Sec-Fetch-Dest", sec_fetch_dest),
    class_header("Sec-Fetch-Mode", sec_fetch_mode),
    class_header("Sec-Purpose", sec_purpose),
    class_header("Purpose", purpose),
    class_header("X-Purpose", x_purpose),
    class_header("X-Moz", x_moz),
    class_header("Accept", accept),
    class_header("Cache-Control", cache_control),
    class_header("Range", range),
    { "User-Agent", offsetof(match_t, user_agent) }
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
        { "header", required_argument, NULL, OPTION_HEADER },
        { "location", required_argument, NULL, OPTION_LOCATION },
        { "referrer-policy", required_argument, NULL, OPTION_POLICY },
        { "server-name", required_argument, NULL, OPTION_SERVER },
        { "bot", required_argument, NULL, OPTION_BOT },
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
            status = read_host(cli, &match->own, "--own-host", optarg);
            break;

        case OPTION_SERVER:
            status = read_host(cli, &match->servers, "--server-name", optarg);
            break;

        case OPTION_HEADER:
            status = read_header(cli, match, optarg);
            break;

        case OPTION_LOCATION:
            match->location = rfl_cstr(optarg);
            match->has_location = 1;
            break;

        case OPTION_POLICY:
            rfl_referrer_policy(rfl_cstr(optarg), &match->policy);
            break;

        case OPTION_BOT:
            status = read_bot(cli, match, optarg);
            break;

        case OPTION_TAG_NAME:
            status = read_tag_name(cli, match, optarg);
            break;

        case OPTION_HOST:
            match->host = rfl_cstr(optarg);
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

    return status == CLI_OK ? read_referer(cli, match, argc, argv) : status;
}


static int
read_referer(cli_t *cli, match_t *match, int argc, char **argv)
{
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
read_host(cli_t *cli, hosts_t *hosts, const char *option, const char *text)
{
    size_t       n;
    rfl_rc_t     rc;
    rfl_error_t  err;

    n = hosts->list.n;

    if (n == NAMES_MAX) {
        return cli_wrong_usage(cli, "%s: more than %d hosts", option,
                               NAMES_MAX);
    }

    rc = rfl_own_host_parse(rfl_cstr(text), hosts->names[n], &hosts->hosts[n],
                            &err);
    if (rc != RFL_OK) {
        return cli_wrong_usage(cli, "%s: %s", option, err.text);
    }

    hosts->list.hosts = hosts->hosts;
    hosts->list.n++;

    return CLI_OK;
}


static int
read_header(cli_t *cli, match_t *match, const char *text)
{
    rfl_str_t    name;
    const char  *colon;

    colon = strchr(text, ':');

    if (colon == NULL) {
        return cli_wrong_usage(cli, "--header \"%s\" is not NAME: VALUE",
                               text);
    }

    name = rfl_str_trim(rfl_str(text, (size_t) (colon - text)));

    return set_header(cli, match, name, rfl_str_trim(rfl_cstr(colon + 1)));
}


static int
set_header(cli_t *cli, match_t *match, rfl_str_t name, rfl_str_t value)
{
    size_t  i;

    if (rfl_str_caseeq(name, rfl_cstr("Referer"))) {
        return cli_wrong_usage(cli, "--header: the Referer is an argument");
    }

    if (rfl_str_caseeq(name, rfl_cstr("Host"))) {
        match->host = value;
        return CLI_OK;
    }

    if (rfl_str_caseeq(name, rfl_cstr("Upgrade"))) {
        match->class_input.has_upgrade = 1;
        return CLI_OK;
    }

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {

        if (rfl_str_caseeq(name, rfl_cstr(headers[i].name))) {
            *(rfl_str_t *) ((char *) match + headers[i].offset) = value;
        }
    }

    if (rfl_str_caseeq(name, rfl_cstr("User-Agent"))) {
        match->has_user_agent = 1;
    }

    return CLI_OK;
}


static int
read_bot(cli_t *cli, match_t *match, const char *text)
{
    match->bot_off = (strcmp(text, "off") == 0);

    if (!match->bot_off && strcmp(text, "on") != 0) {
        return cli_wrong_usage(cli, "--bot \"%s\" is neither on nor off", text);
    }

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
    size_t       i;
    rfl_url_t    url;
    const char  *why;

    if (match->tags.n == 0) {
        match->tag_names[match->tags.n++] = rfl_cstr(DEFAULT_TAG_NAME);

    } else if (match->tags.n == 1
               && rfl_str_eq(match->tag_names[0], rfl_cstr(NO_TAG_NAME)))
    {
        match->tags.n = 0;
    }

    for (i = 0; i < match->tags.n; i++) {
        if (!rfl_tag_name_is_valid(match->tag_names[i])) {
            return cli_wrong_usage(cli, "--tag-name \"%.*s\" is no query "
                                   "argument's name of 1 to %d bytes without "
                                   "%s, nor \"off\" alone",
                                   (int) match->tag_names[i].len,
                                   (const char *) match->tag_names[i].data,
                                   RFL_TAG_MAX, RFL_TAG_NAME_NOT);
        }
    }

    match->tags.names = match->tag_names;
    match->request.own_hosts = &match->own.list;
    match->request.tag_names = &match->tags;

    if (match->host.len != 0) {

        if (rfl_url_parse_host(match->host, &url, &why) != RFL_OK) {
            return cli_wrong_usage(cli, "--host \"%.*s\": %s",
                                   (int) match->host.len,
                                   (const char *) match->host.data, why);
        }

        match->request.host = match->host;

    } else if (rfl_url_parse(match->request.landing, &url, NULL) == RFL_OK) {
        match->request.host = url.host;
    }

    return CLI_OK;
}


static int
decide(cli_t *cli, cli_env_t *env, match_t *match)
{
    int            status;
    answer_t       answer;
    rfl_trace_t    trace;
    explanation_t  why;

    memset(&answer, 0, sizeof(answer_t));
    memset(&why, 0, sizeof(explanation_t));
    why.json = cli->json;

    trace.step = explain;
    trace.data = &why;

    read_site(match, &trace);

    rfl_attribute(env->registry, &match->request, &answer.attribution, &trace);

    if (answer.attribution.lookup_failed) {
        rfl_buf_free(&why.out);
        return cli_fail(cli->dir, "the registry cannot be read");
    }

    classify(env, match, &answer, &trace);

    if (answer.attribution.outcome == RFL_OUTCOME_MALFORMED
        && as_sent(match, &answer.sent) != RFL_OK)
    {
        status = cli_fail("match", "no memory");

    } else {
        status = print_answer(cli, env, &why, &answer);
    }

    rfl_buf_free(&answer.sent);
    rfl_buf_free(&why.out);

    return status;
}


static void
read_site(match_t *match, const rfl_trace_t *trace)
{
    rfl_str_t  site;

    site = rfl_class_site(match->request.sec_fetch_site,
                          match->class_input.sec_fetch_dest,
                          match->class_input.sec_fetch_mode);

    if (site.len != match->request.sec_fetch_site.len
        && rfl_str_trim(match->request.referer).len == 0)
    {
        trace->step(trace->data, "Sec-Fetch-Site is that of a service worker, "
                    "which hands on a page: not known whose");
    }

    match->request.sec_fetch_site = site;
}


static void
classify(cli_env_t *env, match_t *match, answer_t *answer,
    const rfl_trace_t *trace)
{
    rfl_request_t       next;
    rfl_class_input_t  *in;

    in = &match->class_input;

    answer->class = RFL_CLASS_NONE;
    answer->class_why = NULL;

    if (!rfl_outcome_has_class(answer->attribution.outcome)) {
        return;
    }

    if (match->has_user_agent && !match->bot_off) {
        in->is_bot = rfl_agent_is_bot(NULL, match->user_agent) != 0;
    }

    if (match->has_location && in->status >= 300 && in->status < 400) {
        next = match->request;
        next.referer = rfl_referrer_after(next.referer, match->policy);

        if (next.referer.len < rfl_str_trim(match->request.referer).len) {
            trace->step(trace->data, next.referer.len == 0
                        ? "Referrer-Policy takes the Referer from the next "
                          "request"
                        : "Referrer-Policy leaves the next request the "
                          "Referer's origin");
        }

        in->follow_up_matches = rfl_follow_up(env->registry, &next,
                                              match->location,
                                              &match->servers.list) != 0;

        trace->step(trace->data, in->follow_up_matches
                    ? "Location leads to us, where the next request matches"
                    : "Location leads elsewhere, or to what matches nothing");
    }

    answer->class = rfl_classify(in, &answer->class_why);
}


/*
 * A link's source is taken as people write it, without a scheme, in any
 * script; a header is not.
 */

static rfl_rc_t
as_sent(match_t *match, rfl_buf_t *sent)
{
    u_char       host[RFL_IGNORED_HOST];
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_surt_t  *source;

    memset(&link, 0, sizeof(rfl_link_t));

    link.match_type = RFL_MATCH_EXACT;
    link.source = match->request.referer;

    rc = rfl_identity(&link, &match->identity, NULL);

    if (rc != RFL_OK) {
        return rc == RFL_NO_MEMORY ? rc : RFL_OK;
    }

    source = &match->identity.source;

    if (source->is_app) {
        return RFL_OK;
    }

    rfl_ignored_turn(rfl_str(source->buf, source->host_len), host);

    rfl_buf_text(sent, "https://");
    rfl_buf_add(sent, host, source->host_len);
    rfl_buf_add(sent, source->buf + source->path_start,
                source->len - source->path_start);

    return sent->failed ? RFL_NO_MEMORY : RFL_OK;
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
    const answer_t *answer)
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
        rc = print_json(env, &b, &why->out, answer);

    } else {
        rfl_buf_add(&b, why->out.data, why->out.len);
        rc = print_text(env, &b, answer);
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
    const answer_t *answer)
{
    u_char                    key[RFL_KEY_LEN];
    rfl_rc_t                  rc;
    rfl_link_t                link;
    rfl_group_t               group;
    const rfl_attribution_t  *attribution;

    attribution = &answer->attribution;

    rfl_buf_char(b, '{');
    json_word(b, "outcome", rfl_outcome_names[attribution->outcome]);
    json_word(b, "class", rfl_class_names[answer->class]);
    json_word(b, "class_why", rfl_cstr(answer->class_why != NULL
                                       ? answer->class_why : ""));
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
        json_word(b, "tag", link.tag);
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
print_text(cli_env_t *env, rfl_buf_t *b, const answer_t *answer)
{
    u_char                    key[RFL_KEY_LEN];
    rfl_rc_t                  rc;
    rfl_link_t                link;
    rfl_group_t               group;
    const rfl_attribution_t  *attribution;

    attribution = &answer->attribution;

    rfl_buf_char(b, '\n');
    text_line(b, "outcome", rfl_outcome_names[attribution->outcome]);

    if (answer->sent.len != 0) {
        rfl_buf_fmt(b, "%-9s ", "try");
        (void) cli_safe(b, rfl_str(answer->sent.data, answer->sent.len));
        rfl_buf_text(b, ", as a browser would send it\n");
    }

    if (answer->class != RFL_CLASS_NONE) {
        rfl_buf_fmt(b, "%-9s %s (%s)\n", "class",
                    (const char *) rfl_class_names[answer->class].data,
                    answer->class_why != NULL ? answer->class_why : "");
    }

    if (attribution->outcome == RFL_OUTCOME_MATCHED) {
        rc = rfl_registry_link(env->registry, attribution->id, &link);
        if (rc != RFL_OK) {
            return rc;
        }

        text_line(b, "evidence", rfl_evidence_names[attribution->evidence]);

        rfl_key_text(link.key, key);
        rfl_buf_fmt(b, "%-9s %.*s ", "link", RFL_KEY_LEN, (const char *) key);
        (void) cli_safe(b, cli_link_name(&link));
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
