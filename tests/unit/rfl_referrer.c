/*
 * What a Referer is taken for.  The short way by which own pages are found
 * must agree with parsing, whatever the bytes.
 */

#include "rfl_referrer.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "guard.h"


#define NONE       RFL_REFERRER_NONE
#define MALFORMED  RFL_REFERRER_MALFORMED
#define INTERNAL   RFL_REFERRER_INTERNAL
#define ORIGIN     RFL_REFERRER_ORIGIN
#define FULL       RFL_REFERRER_FULL

#define LABEL_63  "abcdefghijklmnopqrstuvwxyz0123456789-"                     \
                  "abcdefghijklmnopqrstuvwxyz"
#define HOST_251  LABEL_63 "." LABEL_63 "." LABEL_63 "."                      \
                  "abcdefghijklmnopqrstuvwxyz0123456789-"                     \
                  "abcdefghijklmnopqrstuv"

#define RANDOM_REFERERS  300000


typedef struct {
    const char           *referer;
    const char           *host;
    rfl_referrer_kind_t   kind;
} row_t;

typedef struct {
    const char  *input;
    const char  *name;           /* NULL: invalid */
    unsigned     wildcard;
    const char  *why;            /* a part of the message */
} own_row_t;


static const row_t  kind_rows[] = {

    { "",                                 "own.example", NONE },
    { " ",                                "own.example", NONE },
    { " \t ",                             "own.example", NONE },

    { "-",                                "own.example", MALFORMED },
    { "own.example",                      "own.example", MALFORMED },
    { "about:blank",                      "own.example", MALFORMED },
    { "ftp://blog.example/",              "own.example", MALFORMED },
    { "https://",                         "own.example", MALFORMED },
    { "https://blog..example/",           "own.example", MALFORMED },
    { "https://blog.example:x/",          "own.example", MALFORMED },
    { "https://1.2.3/",                   "own.example", MALFORMED },

    { "https://blog.example/",            "own.example", ORIGIN },
    { "https://blog.example",             "own.example", ORIGIN },
    { "http://blog.example:8080/",        "own.example", ORIGIN },
    { "https://blog.example/#part",       "own.example", ORIGIN },
    { " https://blog.example/ ",          "own.example", ORIGIN },
    { "https://192.0.2.1/",               "own.example", ORIGIN },
    { "https://[2001:db8::1]/",           "own.example", ORIGIN },
    { "android-app://com.app/",           "own.example", ORIGIN },

    { "https://blog.example/p",           "own.example", FULL },
    { "https://blog.example//",           "own.example", FULL },
    { "https://blog.example/?",           "own.example", FULL },
    { "https://blog.example?q",           "own.example", FULL },
    { "https://blog.example/.",           "own.example", FULL },
    { "https://blog.example/\xff\x01",    "own.example", FULL },
    { "android-app://com.app/https/a.example", "own.example", FULL }
};


static const row_t  internal_rows[] = {

    { "https://own.example/",             "own.example",  INTERNAL },
    { "http://own.example/",              "own.example",  INTERNAL },
    { "https://own.example",              "own.example",  INTERNAL },
    { "https://own.example/p?q#f",        "own.example",  INTERNAL },
    { "https://own.example?q",            "own.example",  INTERNAL },
    { "https://own.example#f",            "own.example",  INTERNAL },
    { "HTTPS://OWN.Example/",             "own.example",  INTERNAL },
    { "https://own.example/",             "OWN.Example",  INTERNAL },
    { " https://own.example/",            "own.example",  INTERNAL },
    { "https://own.example \t",           "own.example",  INTERNAL },
    { "https://user:pw@own.example/",     "own.example",  INTERNAL },
    { "http://a/",                        "a",            INTERNAL },
    { "http://a",                         "a",            INTERNAL },

    /* ports, www. and the trailing dot do not matter on either side */

    { "https://own.example:8443/",        "own.example",  INTERNAL },
    { "https://own.example:8443",         "own.example:80", INTERNAL },
    { "https://own.example:/",            "own.example",  INTERNAL },
    { "https://own.example:65535/",       "own.example",  INTERNAL },
    { "https://own.example:000080/",      "own.example",  INTERNAL },
    { "https://own.example/",             "own.example:8080", INTERNAL },
    { "https://own.example/",             "own.example:", INTERNAL },
    { "https://own.example./",            "own.example",  INTERNAL },
    { "https://own.example.:80/p",        "own.example",  INTERNAL },
    { "https://own.example/",             "own.example.", INTERNAL },
    { "https://own.example/",             "own.example.:80", INTERNAL },
    { "https://www.own.example/",         "own.example",  INTERNAL },
    { "https://WWW.own.example/",         "own.example",  INTERNAL },
    { "https://own.example/",             "www.own.example", INTERNAL },
    { "https://own.example/",             "WWW.own.example:1", INTERNAL },
    { "https://www.own.example./",        "www.own.example.", INTERNAL },
    { "https://www./",                    "www",          INTERNAL },

    { "https://www.own1/",                "www.own1",     INTERNAL },
    { "https://own1/",                    "www.own1",     INTERNAL },
    { "https://www.own1/",                "own1",         INTERNAL },

    /* addresses */

    { "http://192.0.2.1/",                "192.0.2.1",    INTERNAL },
    { "http://192.0.2.1:8080/p",          "192.0.2.1:80", INTERNAL },
    { "http://[::1]/",                    "[::1]:8080",   INTERNAL },
    { "http://[::1]:8080/",               "[::1]",        INTERNAL },
    { "http://[0:0::0:1]/",               "[::1]",        INTERNAL },
    { "http://[2001:DB8::A]/",            "[2001:db8:0::a]:1", INTERNAL },

    /* hosts that only look like the own one */

    { "https://own.example.evil.example/", "own.example", ORIGIN },
    { "https://own.example@evil.example/", "own.example", ORIGIN },
    { "https://own.example:80@evil.example/", "own.example", ORIGIN },
    { "https://own.example:@evil.example/p", "own.example", FULL },
    { "https://evil.example/own.example",  "own.example", FULL },
    { "https://evil.example?own.example",  "own.example", FULL },
    { "https://evilown.example/",          "own.example", ORIGIN },
    { "https://own.example2/",             "own.example", ORIGIN },
    { "https://own.exampl/",               "own.example", ORIGIN },
    { "https://own.example-x/",            "own.example", ORIGIN },
    { "https://sub.own.example/",          "own.example", ORIGIN },
    { "https://www.www.own.example/",      "own.example", ORIGIN },
    { "https://example/",                  "own.example", ORIGIN },
    { "http://[::2]/",                     "[::1]",       ORIGIN },
    { "http://192.0.2.10/",                "192.0.2.1",   ORIGIN },
    { "android-app://own.example/",        "own.example", ORIGIN },
    { "https://blog.example/",             "",            ORIGIN },
    { "https://blog.example/",             ":80",         ORIGIN },

    /* the own host in a URL that is none */

    { "https://own.example:x/",           "own.example",  MALFORMED },
    { "https://own.example:80x/",         "own.example",  MALFORMED },
    { "https://own.example:65536/",       "own.example",  MALFORMED },
    { "https://own.example:80:80/",       "own.example",  MALFORMED },
    { "https://own.example../",           "own.example",  MALFORMED },
    { "https://own.example\\@evil.example/", "own.example", MALFORMED },
    { "https://own.example\\p",           "own.example",  MALFORMED },
    { "https://own.example x/",           "own.example",  MALFORMED },
    { "https://own.example%2f/",          "own.example",  MALFORMED },
    { "https://www.192.0.2.1/",           "192.0.2.1",    MALFORMED },
    { "https://[::1]./",                  "[::1]",        MALFORMED },
    { "https:/own.example/",              "own.example",  MALFORMED },
    { "https:own.example/",               "own.example",  MALFORMED },
    { "//own.example/",                   "own.example",  MALFORMED },
    { "ftp://own.example/",               "own.example",  MALFORMED },

    /* a Host that is none: the client is taken at its word, but only then */

    { "https://a@blog.example/",          "a@blog.example", INTERNAL },
    { "https://a..b/p",                   "a..b",         INTERNAL },
    { "https://a@blog.example/",          "b@blog.example", ORIGIN },
    { "https://blog.example/p",           "a@blog.example", FULL },
    { "https://a..b/",                    "a.b",          MALFORMED }
};


static const row_t  own_host_rows[] = {
    { "https://shop.example/",            "x.example",    INTERNAL },
    { "https://WWW.Shop.Example.:80/p",   "x.example",    INTERNAL },
    { "https://a.shop.example/",          "x.example",    ORIGIN },
    { "https://shop.example.org/",        "x.example",    ORIGIN },
    { "https://shop.example:x/",          "x.example",    MALFORMED },
    { "android-app://shop.example/",      "x.example",    ORIGIN },

    { "https://a.wild.example/",          "x.example",    INTERNAL },
    { "https://a.b.WILD.example./p",      "x.example",    INTERNAL },
    { "https://www.wild.example/",        "x.example",    INTERNAL },
    { "https://wild.example/",            "x.example",    ORIGIN },
    { "https://awild.example/",           "x.example",    ORIGIN },
    { "https://a.wild.example.org/",      "x.example",    ORIGIN },

    { "http://192.0.2.7:81/",             "x.example",    INTERNAL },
    { "http://192.0.2.77/",               "x.example",    ORIGIN },
    { "http://[2001:db8:0:0::7]/",        "x.example",    INTERNAL },
    { "http://[2001:db8::8]/",            "x.example",    ORIGIN },

    { "https://x.example/",               "x.example",    INTERNAL },
    { "https://shop.example/",            "",             INTERNAL }
};


static const char *const  own_texts[] = {
    "Shop.Example.", "*.Wild.example", "192.0.2.7", "[2001:DB8::0:7]"
};


static const own_row_t  own_rows[] = {
    { "shop.example",          "shop.example",     0, NULL },
    { " WWW.Shop.Example. ",   "shop.example",     0, NULL },
    { "localhost",             "localhost",        0, NULL },
    { "192.0.2.1",             "192.0.2.1",        0, NULL },
    { "[2001:DB8:0::A]",       "[2001:db8::a]",    0, NULL },
    { "*.a.b",                 ".a.b",             1, NULL },
    { "*.A.B.",                ".a.b",             1, NULL },
    { "*.www.a",               ".www.a",           1, NULL },
    { "*." HOST_251,           "." HOST_251,       1, NULL },
    { "x." HOST_251,           "x." HOST_251,      0, NULL },

    { "*." HOST_251 "x",       NULL, 0, "longer than 253 bytes" },
    { "xy." HOST_251,          NULL, 0, "longer than 253 bytes" },
    { "",                      NULL, 0, "the host is missing" },
    { "*",                     NULL, 0, "no letter" },
    { "*.",                    NULL, 0, "no letter" },
    { "*..",                   NULL, 0, "the host is missing" },
    { "*..a",                  NULL, 0, "empty label" },
    { "*.*.a",                 NULL, 0, "no letter" },
    { "a.*",                   NULL, 0, "no letter" },
    { ".a.b",                  NULL, 0, "empty label" },
    { "*.192.0.2.1",           NULL, 0, "no host is below an address" },
    { "*.[::1]",               NULL, 0, "no host is below an address" },
    { "https://a.example",     NULL, 0, "without \"https://\"" },
    { "http://a.example:80/",  NULL, 0, "without \"https://\"" },
    { "a.example:80",          NULL, 0, "own hosts have no port" },
    { "a.example:",            NULL, 0, "own hosts have no port" },
    { "[::1]:80",              NULL, 0, "own hosts have no port" },
    { "*.a.example:80",        NULL, 0, "own hosts have no port" },
    { "a.example/",            NULL, 0, "no letter" },
    { "1.2.3",                 NULL, 0, "IPv4" },
    { "m\xc3\xbcnchen.example", NULL, 0, "no letter" }
};


static rfl_str_t
guarded(const char *text)
{
    size_t  len;

    len = strlen(text);

    return rfl_str(guard_copy(text, len), len);
}


static void
assert_rows(const row_t *rows, size_t n, const rfl_own_hosts_t *own)
{
    size_t               i;
    rfl_url_t            url;
    rfl_referrer_kind_t  kind;

    for (i = 0; i < n; i++) {

        kind = rfl_referrer(guarded(rows[i].referer), guarded(rows[i].host),
                            own, &url);

        if (kind != rows[i].kind) {
            fail_msg("\"%s\" at \"%s\": %d is not %d", rows[i].referer,
                     rows[i].host, kind, rows[i].kind);
        }
    }

    guard_free_all();
}


static void
a_referer_is_none_malformed_an_origin_or_a_full_url(void **state)
{
    rfl_url_t  url;

    assert_rows(kind_rows, sizeof(kind_rows) / sizeof(kind_rows[0]), NULL);

    assert_int_equal(rfl_referrer(rfl_str(NULL, 0), rfl_str(NULL, 0), NULL,
                                  &url),
                     NONE);
    assert_int_equal(rfl_referrer(rfl_cstr("http://a.example/"),
                                  rfl_str(NULL, 0), NULL, &url),
                     ORIGIN);
}


static void
a_referer_of_the_site_is_internal_and_nothing_that_looks_like_it(void **state)
{
    assert_rows(internal_rows, sizeof(internal_rows) / sizeof(internal_rows[0]),
                NULL);
}


static void
a_referer_of_an_own_host_is_internal(void **state)
{
    size_t           i;
    u_char           buf[4][RFL_HOST_MAX];
    rfl_own_host_t   hosts[4];
    rfl_own_hosts_t  own;

    for (i = 0; i < 4; i++) {
        assert_int_equal(rfl_own_host_parse(rfl_cstr(own_texts[i]), buf[i],
                                            &hosts[i], NULL),
                         RFL_OK);
    }

    own.hosts = hosts;
    own.n = 4;

    assert_rows(own_host_rows, sizeof(own_host_rows) / sizeof(own_host_rows[0]),
                &own);
}


static void
the_url_of_an_external_referer_is_handed_out(void **state)
{
    rfl_url_t  url;

    assert_int_equal(rfl_referrer(rfl_cstr(" https://Blog.Example:81/p?q\t"),
                                  rfl_cstr("own.example"), NULL, &url),
                     FULL);

    assert_int_equal(url.scheme, RFL_SCHEME_HTTPS);
    assert_true(rfl_str_eq(url.host, rfl_cstr("Blog.Example")));
    assert_true(rfl_str_eq(url.port, rfl_cstr("81")));
    assert_true(rfl_str_eq(url.path, rfl_cstr("/p")));
    assert_true(rfl_str_eq(url.query, rfl_cstr("q")));
}


static void
a_referer_over_4096_bytes_is_malformed_also_an_own_one(void **state)
{
    u_char     text[RFL_URL_MAX + 1];
    rfl_str_t  host;
    rfl_url_t  url;

    memset(text, 'x', sizeof(text));
    memcpy(text, "https://own.example/", 20);
    host = rfl_cstr("own.example");

    assert_int_equal(rfl_referrer(rfl_str(text, RFL_URL_MAX), host, NULL, &url),
                     INTERNAL);
    assert_int_equal(rfl_referrer(rfl_str(text, RFL_URL_MAX + 1), host, NULL,
                                  &url),
                     MALFORMED);

    host = rfl_cstr("other.example");

    assert_int_equal(rfl_referrer(rfl_str(text, RFL_URL_MAX), host, NULL, &url),
                     FULL);
    assert_int_equal(rfl_referrer(rfl_str(text, RFL_URL_MAX + 1), host, NULL,
                                  &url),
                     MALFORMED);
}


static void
own_hosts_are_names_addresses_or_what_is_below_a_name(void **state)
{
    size_t            i;
    u_char            buf[RFL_HOST_MAX + 1];
    rfl_rc_t          rc;
    rfl_error_t       err;
    rfl_own_host_t    host;
    const own_row_t  *row;

    for (i = 0; i < sizeof(own_rows) / sizeof(own_rows[0]); i++) {
        row = &own_rows[i];
        buf[RFL_HOST_MAX] = 0xa5;

        rc = rfl_own_host_parse(guarded(row->input), buf, &host, &err);

        assert_int_equal(buf[RFL_HOST_MAX], 0xa5);

        if (row->name == NULL) {
            assert_int_equal(rc, RFL_INVALID);

            if (strstr(err.text, row->why) == NULL) {
                fail_msg("%s: %s", row->input, err.text);
            }

            continue;
        }

        assert_int_equal(rc, RFL_OK);
        assert_int_equal(host.wildcard, row->wildcard);
        assert_ptr_equal(host.name.data, buf);
        assert_true(rfl_str_eq(host.name, rfl_cstr(row->name)));
    }

    (void) rfl_own_host_parse(rfl_cstr("a b"), buf, &host, &err);
    assert_string_equal(err.text, "own host \"a b\" is not valid: the host "
                        "holds a byte that is no letter, digit, \"-\", \"_\" "
                        "or \".\"");

    guard_free_all();
}


/* The definition, without the short way. */

static rfl_referrer_kind_t
naive_kind(const char *referer, const char *host)
{
    rfl_url_t  url, site;
    rfl_str_t  a, b;

    if (rfl_url_parse(rfl_str_trim(rfl_cstr(referer)), &url, NULL) != RFL_OK) {
        return MALFORMED;
    }

    assert_int_equal(rfl_url_parse_host(rfl_cstr(host), &site, NULL), RFL_OK);

    a = rfl_url_bare_host(url.host);
    b = rfl_url_bare_host(site.host);

    if (url.scheme != RFL_SCHEME_ANDROID_APP && rfl_str_caseeq(a, b)) {
        return INTERNAL;
    }

    return !url.has_query
           && (url.path.len == 0 || rfl_str_eq(url.path, rfl_cstr("/")))
           ? ORIGIN : FULL;
}


static void
random_referers_are_judged_as_by_parsing(void **state)
{
    char                  text[256];
    size_t                i, n, internal, ours;
    const char           *host;
    rfl_url_t             url;
    unsigned int          seed;
    rfl_referrer_kind_t   kind;

    static const char *const  hosts[] = {
        "own.example", "www.own.example", "OWN.example:80", "own.example.",
        "own", "own:8080", "192.0.2.1", "[::1]", "[::1]:80", "www", "www.own."
    };

    static const char *const  pieces[] = {
        "own", ".example", "own.example", "own.example", "www.", "OWN", ".",
        ":", ":80", ":8080", ":99999", ":65535", "192.0.2.1", "[::1]", "@",
        "/", "/", "?", "#", "\\", " ", "x", "80"
    };

    static const char *const  schemes[] = {
        "http://", "https://", "https://", "HTTP://", "android-app://", "http:"
    };

    static const rfl_own_host_t   own_hosts[] = {
        { rfl_string(".wild.example"), 1 }, { rfl_string("own.example"), 0 },
        { rfl_string("192.0.2.1"), 0 }, { rfl_string("[::1]"), 0 }
    };
    static const rfl_own_hosts_t  own = { own_hosts, 4 };

    seed = 5;
    internal = 0;
    ours = 0;

    for (i = 0; i < RANDOM_REFERERS; i++) {

        host = hosts[(size_t) rand_r(&seed)
                     % (sizeof(hosts) / sizeof(hosts[0]))];

        strcpy(text, schemes[(size_t) rand_r(&seed)
                             % (sizeof(schemes) / sizeof(schemes[0]))]);

        for (n = (size_t) rand_r(&seed) % 6; n > 0; n--) {
            strcat(text, pieces[(size_t) rand_r(&seed)
                                % (sizeof(pieces) / sizeof(pieces[0]))]);
        }

        kind = rfl_referrer(rfl_cstr(text), rfl_cstr(host), NULL, &url);

        /* a glance at own hosts, too, finds nothing that parsing would not */

        if (rfl_referrer_is_own(rfl_cstr(text), &own)) {
            ours++;

            if (rfl_referrer_parse(rfl_cstr(text), rfl_cstr(host), &own, &url)
                != INTERNAL)
            {
                fail_msg("\"%s\" at \"%s\" is not ours", text, host);
            }
        }

        if (kind != naive_kind(text, host)) {
            fail_msg("\"%s\" at \"%s\": %d is not %d", text, host, kind,
                     naive_kind(text, host));
        }

        internal += (kind == INTERNAL);
    }

    assert_in_range(internal, RANDOM_REFERERS / 100, RANDOM_REFERERS);
    assert_in_range(ours, RANDOM_REFERERS / 100, RANDOM_REFERERS);
}


static void
nothing_is_of_no_site(void **state)
{
    assert_false(rfl_referrer_is_site(rfl_str(NULL, 0),
                                      rfl_cstr("shop.example")));
    assert_false(rfl_referrer_is_site(rfl_cstr("https://shop.example/"),
                                      rfl_str(NULL, 0)));
    assert_false(rfl_referrer_is_site(rfl_str(NULL, 0), rfl_str(NULL, 0)));
}


/* What Chromium 156 does with each, in a redirect. */

static void
of_a_policy_the_last_token_that_is_known_counts(void **state)
{
    size_t        i;
    rfl_policy_t  policy;

    static const struct {
        const char    *value;
        rfl_policy_t   policy;   /* after RFL_POLICY_ORIGIN */
    } rows[] = {
        { "", RFL_POLICY_ORIGIN },
        { " ", RFL_POLICY_ORIGIN },
        { ",", RFL_POLICY_ORIGIN },
        { "bogus", RFL_POLICY_ORIGIN },
        { "no-referrer;", RFL_POLICY_ORIGIN },
        { "no-referre", RFL_POLICY_ORIGIN },
        { "no-referrers", RFL_POLICY_ORIGIN },
        { "no-referrer", RFL_POLICY_NOTHING },
        { "same-origin", RFL_POLICY_NOTHING },
        { "NO-Referrer", RFL_POLICY_NOTHING },
        { " \tsame-origin ", RFL_POLICY_NOTHING },
        { "unsafe-url, no-referrer, ", RFL_POLICY_NOTHING },
        { "no-referrer, bogus", RFL_POLICY_NOTHING },
        { "no-referrer, unsafe-url", RFL_POLICY_KEEPS },
        { "unsafe-url,bogus", RFL_POLICY_KEEPS },
        { "no-referrer-when-downgrade", RFL_POLICY_KEEPS },
        { "no-referrer,origin", RFL_POLICY_ORIGIN },
        { "no-referrer,strict-origin", RFL_POLICY_ORIGIN },
        { "no-referrer,origin-when-cross-origin", RFL_POLICY_ORIGIN },
        { "no-referrer,strict-origin-when-cross-origin", RFL_POLICY_ORIGIN },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        policy = RFL_POLICY_ORIGIN;
        rfl_referrer_policy(guarded(rows[i].value), &policy);
        assert_int_equal(policy, rows[i].policy);

        guard_free_all();
    }
}


static void
a_policy_leaves_a_referer_as_it_says(void **state)
{
    size_t     i;
    rfl_str_t  referer;

    static const char *const  rows[][2] = {
        { "", "" },
        { "https://blog.example", "https://blog.example" },
        { "https://blog.example/", "https://blog.example" },
        { "https://blog.example/a?b#c", "https://blog.example" },
        { " https://blog.example?b ", "https://blog.example" },
        { "https://blog.example#c", "https://blog.example" },
        { "http://blog.example:8080/a", "http://blog.example:8080" },
        { "http://blog.example:/a", "http://blog.example" },
        { "https://[2001:db8::1]:1/a", "https://[2001:db8::1]:1" },
        { "https://u:p@blog.example/a", "https://u:p@blog.example" },
        { "android-app://com.app/https/a", "android-app://com.app/https/a" },
        { "nonsense", "nonsense" },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        referer = guarded(rows[i][0]);

        assert_true(rfl_str_eq(rfl_referrer_after(referer, RFL_POLICY_ORIGIN),
                               rfl_cstr(rows[i][1])));
        assert_true(rfl_str_eq(rfl_referrer_after(referer, RFL_POLICY_KEEPS),
                               rfl_str_trim(referer)));
        assert_int_equal(rfl_referrer_after(referer, RFL_POLICY_NOTHING).len,
                         0);

        guard_free_all();
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_referer_is_none_malformed_an_origin_or_a_full_url),
        cmocka_unit_test(
             a_referer_of_the_site_is_internal_and_nothing_that_looks_like_it),
        cmocka_unit_test(a_referer_of_an_own_host_is_internal),
        cmocka_unit_test(the_url_of_an_external_referer_is_handed_out),
        cmocka_unit_test(
                       a_referer_over_4096_bytes_is_malformed_also_an_own_one),
        cmocka_unit_test(nothing_is_of_no_site),
        cmocka_unit_test(own_hosts_are_names_addresses_or_what_is_below_a_name),
        cmocka_unit_test(random_referers_are_judged_as_by_parsing),
        cmocka_unit_test(of_a_policy_the_last_token_that_is_known_counts),
        cmocka_unit_test(a_policy_leaves_a_referer_as_it_says)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
