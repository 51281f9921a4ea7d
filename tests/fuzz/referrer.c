/*
 * What a request's headers make of it: the Referer's kind, the class, whether
 * it is a robot.  The short way to an internal Referer agrees with the long
 * one, a remembered verdict with a fresh one.
 *
 * Input, a line each: Referer, Host, an own host, method, Sec-Purpose, Purpose,
 * X-Purpose, X-Moz, Sec-Fetch-Dest, Accept, Cache-Control, Range, User-Agent,
 * and two bytes: the status / 2, flags.
 */

#include "fuzz.h"
#include "rfl_agent.h"
#include "rfl_class.h"
#include "rfl_referrer.h"


static void check_referrer(rfl_str_t referer, rfl_str_t host, rfl_str_t own);
static void check_site(rfl_str_t host);
static void check_class(fuzz_input_t *in);
static void check_agent(rfl_str_t agent);


static rfl_agent_cache_t  *agents;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rfl_str_t     referer, host, own;
    fuzz_input_t  in;

    in = fuzz_input(data, size);
    referer = fuzz_line(&in);
    host = fuzz_line(&in);
    own = fuzz_line(&in);

    check_referrer(referer, host, own);
    check_class(&in);

    fuzz_free();

    return 0;
}


static void
check_referrer(rfl_str_t referer, rfl_str_t host, rfl_str_t own)
{
    u_char               buf[RFL_HOST_MAX + 16];
    rfl_str_t            trimmed;
    rfl_url_t            url, parsed;
    rfl_own_host_t       own_host;
    rfl_own_hosts_t      hosts;
    rfl_referrer_kind_t  kind;

    hosts.hosts = &own_host;
    hosts.n = (rfl_own_host_parse(own, buf, &own_host, NULL) == RFL_OK);

    kind = rfl_referrer(referer, host, &hosts, &url);
    trimmed = rfl_str_trim(referer);

    fuzz_check((unsigned) kind <= RFL_REFERRER_FULL);
    fuzz_check((kind == RFL_REFERRER_NONE) == (trimmed.len == 0));

    if (kind == RFL_REFERRER_NONE) {
        return;
    }

    if (rfl_url_parse(trimmed, &parsed, NULL) != RFL_OK) {

        if (kind == RFL_REFERRER_INTERNAL) {
            check_site(host);

        } else {
            fuzz_check(kind == RFL_REFERRER_MALFORMED);
        }

        return;
    }

    if (parsed.scheme == RFL_SCHEME_ANDROID_APP) {
        fuzz_check(kind == RFL_REFERRER_ORIGIN || kind == RFL_REFERRER_FULL);
        return;
    }

    if (kind != RFL_REFERRER_INTERNAL) {
        fuzz_check(kind == RFL_REFERRER_ORIGIN || kind == RFL_REFERRER_FULL);
        fuzz_check(!rfl_is_own_host(&parsed, host, &hosts));
        fuzz_check(rfl_str_eq(parsed.path, url.path));
        fuzz_check((kind == RFL_REFERRER_ORIGIN)
                   == (!parsed.has_query && parsed.path.len <= 1));
        return;
    }

    if (!rfl_is_own_host(&parsed, host, &hosts)) {
        check_site(host);
    }
}


/*
 * The short way does not judge the host: a client that gives a site a name
 * that is none, in Host and Referer alike, is taken at its word.
 */

static void
check_site(rfl_str_t host)
{
    rfl_url_t  url;

    fuzz_check(host.len != 0);
    fuzz_check(rfl_url_parse_host(host, &url, NULL) != RFL_OK);
}


static void
check_class(fuzz_input_t *in)
{
    uint8_t            flags;
    rfl_str_t          agent;
    const char        *why;
    rfl_class_t        class;
    rfl_class_input_t  input;

    memset(&input, 0, sizeof(rfl_class_input_t));

    input.method = fuzz_line(in);
    input.sec_purpose = fuzz_line(in);
    input.purpose = fuzz_line(in);
    input.x_purpose = fuzz_line(in);
    input.x_moz = fuzz_line(in);
    input.sec_fetch_dest = fuzz_line(in);
    input.accept = fuzz_line(in);
    input.cache_control = fuzz_line(in);
    input.range = fuzz_line(in);

    agent = fuzz_line(in);

    input.status = 2 * fuzz_byte(in);
    flags = fuzz_byte(in);
    input.has_upgrade = flags & 1;
    input.follow_up_matches = flags >> 1 & 1;
    input.sec_fetch_mode = fuzz_line(in);

    check_agent(agent);

    input.is_bot = rfl_agent_match(agent) != NULL;

    why = NULL;
    class = rfl_classify(&input, &why);

    fuzz_check((unsigned) class < RFL_CLASSES);
    fuzz_check(why != NULL);
    fuzz_check(rfl_classify(&input, NULL) == class);

    /* what the rows before it exclude */

    if (class == RFL_CLASS_CLICK) {
        fuzz_check(!input.is_bot && !input.has_upgrade && input.status < 400);
        fuzz_check(input.status != 0 && input.status != 101);
        fuzz_check(rfl_str_eq(input.method, rfl_cstr("GET")));
    }

    if (class == RFL_CLASS_REDIRECT) {
        fuzz_check(input.follow_up_matches);
        fuzz_check(input.status / 100 == 3 && input.status != 304);
    }
}


static void
check_agent(rfl_str_t agent)
{
    int  is_bot;

    if (agents == NULL) {
        agents = rfl_agent_cache_create();
        fuzz_check(agents != NULL);
    }

    is_bot = rfl_agent_match(agent) != NULL;

    fuzz_check(rfl_agent_is_bot(NULL, agent) == is_bot);
    fuzz_check(rfl_agent_is_bot(agents, agent) == is_bot);
    fuzz_check(rfl_agent_is_bot(agents, agent) == is_bot);
}
