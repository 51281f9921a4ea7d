/*
 * The URL parser, row by row.  Each input ends at a guard page.
 */

#include "rfl_url.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "guard.h"


#define HTTP   RFL_SCHEME_HTTP
#define HTTPS  RFL_SCHEME_HTTPS
#define APP    RFL_SCHEME_ANDROID_APP

#define NAME   RFL_HOST_NAME
#define IPV4   RFL_HOST_IPV4
#define IPV6   RFL_HOST_IPV6

#define LABEL_63  "abcdefghijklmnopqrstuvwxyz0123456789-"                     \
                  "abcdefghijklmnopqrstuvwxyz"
#define HOST_253  LABEL_63 "." LABEL_63 "." LABEL_63 "."                      \
                  "abcdefghijklmnopqrstuvwxyz0123456789-"                     \
                  "abcdefghijklmnopqrstuvwx"

#define RANDOM_URLS  200000


/* query NULL: has_query is not set.  fragment: has_fragment. */

typedef struct {
    const char       *input;
    rfl_scheme_t      scheme;
    rfl_host_kind_t   kind;
    const char       *host;
    const char       *port;
    const char       *path;
    const char       *query;
    unsigned          fragment;
} url_row_t;

typedef struct {
    const char  *input;
    const char  *why;        /* a part of the text */
} bad_row_t;

typedef struct {
    const char  *input;
    const char  *wanted;
} text_row_t;


static const url_row_t  url_rows[] = {

    /* schemes */

    { "http://a.example",         HTTP,  NAME, "a.example", "", "", NULL, 0 },
    { "https://a.example",        HTTPS, NAME, "a.example", "", "", NULL, 0 },
    { "HTTP://a.example/",        HTTP,  NAME, "a.example", "", "/", NULL, 0 },
    { "hTTpS://a.example/",       HTTPS, NAME, "a.example", "", "/", NULL, 0 },
    { "android-app://com.google.android.gm/", APP, NAME,
      "com.google.android.gm", "", "/", NULL, 0 },
    { "Android-App://com.Slack",  APP,   NAME, "com.Slack", "", "", NULL, 0 },
    { "android-app://com.app/https/www.example.com/p?q#f", APP, NAME,
      "com.app", "", "/https/www.example.com/p", "q", 1 },
    { "android-app://com.app.2/", APP,   NAME, "com.app.2", "", "/", NULL, 0 },

    /* path, query, fragment */

    { "https://a.example/p",      HTTPS, NAME, "a.example", "", "/p", NULL, 0 },
    { "https://a.example?q",      HTTPS, NAME, "a.example", "", "", "q", 0 },
    { "https://a.example?",       HTTPS, NAME, "a.example", "", "", "", 0 },
    { "https://a.example/?",      HTTPS, NAME, "a.example", "", "/", "", 0 },
    { "https://a.example#f",      HTTPS, NAME, "a.example", "", "", NULL, 1 },
    { "https://a.example/#",      HTTPS, NAME, "a.example", "", "/", NULL, 1 },
    { "https://a.example/p?q=1&r#f", HTTPS, NAME, "a.example", "", "/p",
      "q=1&r", 1 },
    { "https://a.example/p#f?q",  HTTPS, NAME, "a.example", "", "/p", NULL, 1 },
    { "https://a.example/p?q?r",  HTTPS, NAME, "a.example", "", "/p", "q?r",
      0 },
    { "https://a.example/p?q#f#g", HTTPS, NAME, "a.example", "", "/p", "q", 1 },
    { "https://a.example//x//",   HTTPS, NAME, "a.example", "", "//x//", NULL,
      0 },
    { "https://a.example/a/../b", HTTPS, NAME, "a.example", "", "/a/../b", NULL,
      0 },
    { "https://a.example/%zz%",   HTTPS, NAME, "a.example", "", "/%zz%", NULL,
      0 },
    { "https://a.example/ \t\x01\xff<", HTTPS, NAME, "a.example", "",
      "/ \t\x01\xff<", NULL, 0 },
    { "https://a.example/x@b:80/y", HTTPS, NAME, "a.example", "", "/x@b:80/y",
      NULL, 0 },
    { "https://a.example?x@b/y",  HTTPS, NAME, "a.example", "", "", "x@b/y",
      0 },
    { "https://a.example#x@b/y",  HTTPS, NAME, "a.example", "", "", NULL, 1 },
    { "https://a.example/\\b",    HTTPS, NAME, "a.example", "", "/\\b", NULL,
      0 },

    /* ports */

    { "http://a.example:80/",     HTTP,  NAME, "a.example", "80", "/", NULL,
      0 },
    { "http://a.example:8080",    HTTP,  NAME, "a.example", "8080", "", NULL,
      0 },
    { "http://a.example:/",       HTTP,  NAME, "a.example", "", "/", NULL, 0 },
    { "http://a.example:",        HTTP,  NAME, "a.example", "", "", NULL, 0 },
    { "http://a.example:0/",      HTTP,  NAME, "a.example", "0", "/", NULL,
      0 },
    { "http://a.example:65535/",  HTTP,  NAME, "a.example", "65535", "/", NULL,
      0 },
    { "http://a.example:000080?q", HTTP, NAME, "a.example", "000080", "", "q",
      0 },
    { "http://a.example:80#f",    HTTP,  NAME, "a.example", "80", "", NULL,
      1 },

    /* userinfo */

    { "http://u@a.example/",      HTTP,  NAME, "a.example", "", "/", NULL, 0 },
    { "http://u:p@a.example:81/", HTTP,  NAME, "a.example", "81", "/", NULL,
      0 },
    { "http://@a.example/",       HTTP,  NAME, "a.example", "", "/", NULL, 0 },
    { "http://own.example@evil.example/", HTTP, NAME, "evil.example", "", "/",
      NULL, 0 },
    { "http://u@v@a.example/",    HTTP,  NAME, "a.example", "", "/", NULL, 0 },
    { "http://a:b:c@d@a.example/", HTTP, NAME, "a.example", "", "/", NULL, 0 },
    { "http://[::1]@a.example/",  HTTP,  NAME, "a.example", "", "/", NULL, 0 },
    { "http://\xc3\xa4%zz!$&'()*+,;=~@a.example/", HTTP, NAME, "a.example",
      "", "/", NULL, 0 },

    /* names */

    { "http://localhost/",        HTTP,  NAME, "localhost", "", "/", NULL, 0 },
    { "http://a/",                HTTP,  NAME, "a", "", "/", NULL, 0 },
    { "http://WWW.A.Example./",   HTTP,  NAME, "WWW.A.Example.", "", "/", NULL,
      0 },
    { "http://a.:80/",            HTTP,  NAME, "a.", "80", "/", NULL, 0 },
    { "http://a_b.-c.d-.example/", HTTP, NAME, "a_b.-c.d-.example", "", "/",
      NULL, 0 },
    { "http://xn--mnchen-3ya.example/", HTTP, NAME, "xn--mnchen-3ya.example",
      "", "/", NULL, 0 },
    { "http://1.example/",        HTTP,  NAME, "1.example", "", "/", NULL, 0 },
    { "http://1.2.3.4.example/",  HTTP,  NAME, "1.2.3.4.example", "", "/", NULL,
      0 },
    { "http://a.1x/",             HTTP,  NAME, "a.1x", "", "/", NULL, 0 },
    { "http://a.0xg/",            HTTP,  NAME, "a.0xg", "", "/", NULL, 0 },
    { "http://a.x0/",             HTTP,  NAME, "a.x0", "", "/", NULL, 0 },
    { "http://" LABEL_63 ".example/", HTTP, NAME, LABEL_63 ".example", "", "/",
      NULL, 0 },
    { "http://" HOST_253 "/",     HTTP,  NAME, HOST_253, "", "/", NULL, 0 },
    { "http://" HOST_253 "./",    HTTP,  NAME, HOST_253 ".", "", "/", NULL, 0 },

    /* addresses */

    { "http://192.0.2.1/",        HTTP,  IPV4, "192.0.2.1", "", "/", NULL, 0 },
    { "http://192.0.2.1./",       HTTP,  IPV4, "192.0.2.1.", "", "/", NULL,
      0 },
    { "http://0.0.0.0:1",         HTTP,  IPV4, "0.0.0.0", "1", "", NULL, 0 },
    { "http://255.255.255.255?",  HTTP,  IPV4, "255.255.255.255", "", "", "",
      0 },
    { "http://[::1]/",            HTTP,  IPV6, "[::1]", "", "/", NULL, 0 },
    { "http://[::]",              HTTP,  IPV6, "[::]", "", "", NULL, 0 },
    { "http://[2001:DB8::A]:8080/", HTTP, IPV6, "[2001:DB8::A]", "8080", "/",
      NULL, 0 },
    { "http://u:p@[::1]:80/",     HTTP,  IPV6, "[::1]", "80", "/", NULL, 0 },
    { "http://[::1]:?q",          HTTP,  IPV6, "[::1]", "", "", "q", 0 },
    { "http://[::ffff:192.0.2.1]/", HTTP, IPV6, "[::ffff:192.0.2.1]", "", "/",
      NULL, 0 },
    { "http://[0001:0002:0003:0004:0005:0006:255.255.255.255]/", HTTP, IPV6,
      "[0001:0002:0003:0004:0005:0006:255.255.255.255]", "", "/", NULL, 0 }
};


static const bad_row_t  bad_rows[] = {

    /* schemes */

    { "",                         "scheme is not" },
    { "h",                        "scheme is not" },
    { "http",                     "scheme is not" },
    { "a.example",                "scheme is not" },
    { "/path",                    "scheme is not" },
    { "//a.example/",             "scheme is not" },
    { "ftp://a.example/",         "scheme is not" },
    { "about:blank",              "scheme is not" },
    { "data:text/html,x",         "scheme is not" },
    { "javascript:alert(1)",      "scheme is not" },
    { "httpx://a.example/",       "scheme is not" },
    { " http://a.example/",       "scheme is not" },
    { "ios-app://1/",             "scheme is not" },
    { "http:",                    "not followed by" },
    { "http:/",                   "not followed by" },
    { "http:a.example",           "not followed by" },
    { "https:/a.example",         "not followed by" },
    { "http:\\\\a.example",       "not followed by" },

    /* hosts */

    { "http://",                  "host is missing" },
    { "http:///",                 "host is missing" },
    { "http:///a.example",        "host is missing" },
    { "http://?q",                "host is missing" },
    { "http://#f",                "host is missing" },
    { "http://:80/",              "host is missing" },
    { "http://u@/",               "host is missing" },
    { "http://u@:80/",            "host is missing" },
    { "http://./",                "host is missing" },
    { "android-app://",           "host is missing" },
    { "http://../",               "empty label" },
    { "http://.a.example/",       "empty label" },
    { "http://a..example/",       "empty label" },
    { "http://a.example../",      "empty label" },
    { "http://a b/",              "white space" },
    { "http://a.example /",       "white space" },
    { "http://a\t/",              "white space" },
    { "http://a\r\n/",            "white space" },
    { "http://a\x7f/",            "control byte" },
    { "http://u u@a.example/",    "white space" },
    { "http://a.example\\@b.example/", "backslash" },
    { "http://a.example\\b/",     "backslash" },
    { "http://a%2eexample/",      "no letter" },
    { "http://a!b/",              "no letter" },
    { "http://*.example/",        "no letter" },
    { "http://a,b/",              "no letter" },
    { "http://a<b>/",             "no letter" },
    { "http://m\xc3\xbcnchen.example/", "no letter" },
    { "http://a]/",               "no letter" },
    { "android-app://[::1]/",     "no letter" },
    { "http://" LABEL_63 "x.example/", "label of the host is longer than 63" },
    { "http://a." LABEL_63 "x",   "label of the host is longer than 63" },
    { "http://" HOST_253 "x/",    "longer than 253" },
    { "http://" HOST_253 "x./",   "longer than 253" },

    /* addresses */

    { "http://1/",                "IPv4" },
    { "http://1.2.3/",            "IPv4" },
    { "http://1.2.3.4.5/",        "IPv4" },
    { "http://1.2.3.256/",        "IPv4" },
    { "http://256.2.3.4/",        "IPv4" },
    { "http://1.2.3.04/",         "IPv4" },
    { "http://01.2.3.4/",         "IPv4" },
    { "http://1.2.3.00/",         "IPv4" },
    { "http://1.2.3.1000/",       "IPv4" },
    { "http://a.2.3.4/",          "IPv4" },
    { "http://www.1.2.3.4/",      "IPv4" },
    { "http://a.example.1/",      "IPv4" },
    { "http://1.2.3.4294967297/", "IPv4" },
    { "http://2130706433/",       "IPv4" },
    { "http://0x7f000001/",       "IPv4" },
    { "http://0x/",               "IPv4" },
    { "http://a.0X1F/",           "IPv4" },
    { "http://1.2.3.0x4./",       "IPv4" },
    { "http://[/",                "no closing bracket" },
    { "http://[::1",              "no closing bracket" },
    { "http://[::1/]",            "no closing bracket" },
    { "http://[]/",               "IPv6 address is not valid" },
    { "http://[:]/",              "IPv6 address is not valid" },
    { "http://[1.2.3.4]/",        "IPv6 address is not valid" },
    { "http://[::1::]/",          "IPv6 address is not valid" },
    { "http://[::g]/",            "IPv6 address is not valid" },
    { "http://[12345::]/",        "IPv6 address is not valid" },
    { "http://[fe80::1%25eth0]/", "IPv6 address is not valid" },
    { "http://[fe80::1%eth0]/",   "IPv6 address is not valid" },
    { "http://[0001:0002:0003:0004:0005:0006:255.255.255.2555]/",
                                  "IPv6 address is not valid" },
    { "http://[" HOST_253 "]/",   "IPv6 address is not valid" },
    { "http://[::1].example/",    "not followed by a port" },
    { "http://[::1]80/",          "not followed by a port" },
    { "http://::1/",              "host is missing" },

    /* ports */

    { "http://a.example:65536/",  "greater than 65535" },
    { "http://a.example:99999999999999999999/", "greater than 65535" },
    { "http://[::1]:65536/",      "greater than 65535" },
    { "http://a.example:x/",      "not a number" },
    { "http://a.example:80x/",    "not a number" },
    { "http://a.example:-1/",     "not a number" },
    { "http://a.example:80:80/",  "not a number" },
    { "http://[::1]:x/",          "not a number" }
};


/* "kind host port" as one text, or the fault. */

static const text_row_t  host_rows[] = {
    { "a.example",              "name a.example []" },
    { "a.example:8080",         "name a.example [8080]" },
    { "a.example:",             "name a.example []" },
    { "WWW.A.Example.:80",      "name WWW.A.Example. [80]" },
    { "localhost",              "name localhost []" },
    { "192.0.2.1:1",            "ipv4 192.0.2.1 [1]" },
    { "[::1]",                  "ipv6 [::1] []" },
    { "[::1]:8080",             "ipv6 [::1] [8080]" },
    { "",                       "the host is missing" },
    { ":80",                    "the host is missing" },
    { "a.example:x",            "the port is not a number" },
    { "a.example:65536",        "the port is greater than 65535" },
    { "::1",                    "the host is missing" },
    { "1.2.3",                  "a host that ends in a number must be an IPv4 "
                                "address such as 192.0.2.1" },
    { "[::1",                   "the IPv6 address has no closing bracket" },
    { "a.example/",             "the host holds a byte that is no letter, "
                                "digit, \"-\", \"_\" or \".\"" },
    { "u@a.example",            "the host holds a byte that is no letter, "
                                "digit, \"-\", \"_\" or \".\"" },
    { "http://a.example",       "the port is not a number" },
    { "*.example",              "the host holds a byte that is no letter, "
                                "digit, \"-\", \"_\" or \".\"" }
};


static const text_row_t  bare_rows[] = {
    { "a.example",         "a.example" },
    { "a.example.",        "a.example" },
    { "www.a.example",     "a.example" },
    { "WwW.A.Example.",    "A.Example" },
    { "www.www.a.example", "www.a.example" },
    { "wwwa.example",      "wwwa.example" },
    { "a.www.example",     "a.www.example" },
    { "www",               "www" },
    { "www.",              "www" },
    { "www2.a.example",    "www2.a.example" },
    { "192.0.2.1.",        "192.0.2.1" },
    { "[::1]",             "[::1]" },
    { "",                  "" },
    { ".",                 "" }
};


/* "path", "path?query", with "#" where has_fragment is set. */

static const text_row_t  target_rows[] = {
    { "/",                          "/" },
    { "/p",                         "/p" },
    { "/p?q=1",                     "/p?q=1" },
    { "/p?",                        "/p?" },
    { "/p?q?r",                     "/p?q?r" },
    { "/p#f?q",                     "/p#" },
    { "/p?q#f",                     "/p?q#" },
    { "//p",                        "//p" },
    { "//host//p",                  "//host//p" },
    { "/http://a.example/p",        "/http://a.example/p" },
    { "http://a.example/p?q",       "/p?q" },
    { "HTTPS://u@a.example:443/p",  "/p" },
    { "http://a.example",           "/" },
    { "http://a.example?q",         "/?q" },
    { "http://a.example#f",         "/#" },
    { "http://",                    "/" },
    { "http:/p",                    "/p" },
    { "coap+tcp://a.example/p",     "/p" },
    { "a.example:443",              "/" },
    { "a:",                         "/" },
    { "a:/",                        "/" },
    { "*",                          "/" },
    { "",                           "/" },
    { "?q",                         "/?q" },
    { "#",                          "/#" }
};


static rfl_str_t
guarded(const char *text)
{
    size_t  len;

    len = strlen(text);

    return rfl_str(guard_copy(text, len), len);
}


static void
assert_slice(rfl_str_t s, const char *wanted)
{
    if (!rfl_str_eq(s, rfl_cstr(wanted))) {
        fail_msg("\"%.*s\" is not \"%s\"", (int) s.len,
                 s.len == 0 ? "" : (const char *) s.data, wanted);
    }
}


static void
valid_urls_are_cut_into_their_parts(void **state)
{
    size_t            i;
    rfl_rc_t          rc;
    rfl_url_t         url;
    const char       *why;
    const url_row_t  *row;

    for (i = 0; i < sizeof(url_rows) / sizeof(url_rows[0]); i++) {
        row = &url_rows[i];

        memset(&url, 0xa5, sizeof(url));

        rc = rfl_url_parse(guarded(row->input), &url, &why);

        if (rc != RFL_OK) {
            fail_msg("%s: %s", row->input, why);
        }

        assert_int_equal(url.scheme, row->scheme);
        assert_int_equal(url.host_kind, row->kind);
        assert_slice(url.host, row->host);
        assert_slice(url.port, row->port);
        assert_slice(url.path, row->path);
        assert_int_equal(url.has_query, row->query != NULL);
        assert_slice(url.query, row->query != NULL ? row->query : "");
        assert_int_equal(url.has_fragment, row->fragment);
    }

    guard_free_all();
}


static void
invalid_urls_are_refused_with_the_reason(void **state)
{
    size_t            i;
    rfl_rc_t          rc;
    rfl_url_t         url;
    const char       *why;
    const bad_row_t  *row;

    for (i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        row = &bad_rows[i];
        why = "nothing";

        rc = rfl_url_parse(guarded(row->input), &url, &why);

        if (rc != RFL_INVALID || strstr(why, row->why) == NULL) {
            fail_msg("%s: %d, %s, not %s", row->input, rc, why, row->why);
        }

        assert_int_equal(rfl_url_parse(guarded(row->input), &url, NULL),
                         RFL_INVALID);
    }

    guard_free_all();
}


static void
a_zero_byte_ends_neither_host_nor_path(void **state)
{
    rfl_url_t  url;

    static const char  in_host[] = "http://a\0.example/";
    static const char  in_ipv6[] = "http://[::1\0]/";
    static const char  in_path[] = "http://a.example/p\0?q";

    assert_int_equal(rfl_url_parse(rfl_str(in_host, sizeof(in_host) - 1), &url,
                                   NULL),
                     RFL_INVALID);

    assert_int_equal(rfl_url_parse_host(rfl_str(in_ipv6 + 7, 6), &url, NULL),
                     RFL_INVALID);

    assert_int_equal(rfl_url_parse(rfl_str(in_path, sizeof(in_path) - 1), &url,
                                   NULL),
                     RFL_OK);
    assert_int_equal(url.path.len, 3);
    assert_slice(url.query, "q");
}


static void
a_url_of_4096_bytes_is_the_longest(void **state)
{
    u_char       text[RFL_URL_MAX + 1];
    rfl_url_t    url;
    const char  *why;

    memset(text, 'x', sizeof(text));
    memcpy(text, "https://a.example/", 18);

    assert_int_equal(rfl_url_parse(rfl_str(guard_copy(text, RFL_URL_MAX),
                                           RFL_URL_MAX),
                                   &url, NULL),
                     RFL_OK);
    assert_int_equal(url.path.len, RFL_URL_MAX - 17);

    assert_int_equal(rfl_url_parse(rfl_str(text, RFL_URL_MAX + 1), &url, &why),
                     RFL_INVALID);
    assert_string_equal(why, "the URL is longer than 4096 bytes");

    guard_free_all();
}


static void
every_byte_of_a_host_name_is_judged(void **state)
{
    int        c, wanted;
    char       text[] = "http://axb/";
    rfl_url_t  url;

    static const char  allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    for (c = 1; c < 256; c++) {
        text[8] = (char) c;

        /* these end the host or the userinfo, what remains is valid */

        wanted = strchr(allowed, c) != NULL || strchr("/?#@", c) != NULL;

        assert_int_equal(rfl_url_parse(guarded(text), &url, NULL),
                         wanted ? RFL_OK : RFL_INVALID);
    }

    guard_free_all();
}


static void
hosts_are_parsed_with_optional_port_and_nothing_else(void **state)
{
    char         text[256];
    size_t       i;
    rfl_rc_t     rc;
    rfl_url_t    url;
    const char  *why;

    static const char *const  kinds[] = { "name", "ipv4", "ipv6" };

    for (i = 0; i < sizeof(host_rows) / sizeof(host_rows[0]); i++) {

        memset(&url, 0xa5, sizeof(url));

        rc = rfl_url_parse_host(guarded(host_rows[i].input), &url, &why);

        if (rc != RFL_OK) {
            assert_int_equal(rc, RFL_INVALID);
            assert_string_equal(why, host_rows[i].wanted);
            continue;
        }

        (void) snprintf(text, sizeof(text), "%s %.*s [%.*s]",
                        kinds[url.host_kind], (int) url.host.len,
                        url.host.data, (int) url.port.len,
                        url.port.len == 0 ? "" : (const char *) url.port.data);

        assert_string_equal(text, host_rows[i].wanted);

        assert_int_equal(url.path.len, 0);
        assert_int_equal(url.query.len, 0);
        assert_int_equal(url.has_query, 0);
        assert_int_equal(url.has_fragment, 0);
    }

    guard_free_all();
}


static void
a_bare_host_has_neither_trailing_dot_nor_one_leading_www(void **state)
{
    size_t  i;

    for (i = 0; i < sizeof(bare_rows) / sizeof(bare_rows[0]); i++) {
        assert_slice(rfl_url_bare_host(guarded(bare_rows[i].input)),
                     bare_rows[i].wanted);
    }

    guard_free_all();
}


static void
a_request_target_always_has_a_path(void **state)
{
    char       text[256];
    size_t     i;
    rfl_url_t  url;

    for (i = 0; i < sizeof(target_rows) / sizeof(target_rows[0]); i++) {

        memset(&url, 0xa5, sizeof(url));

        rfl_url_parse_target(guarded(target_rows[i].input), &url);

        (void) snprintf(text, sizeof(text), "%.*s%s%.*s%s",
                        (int) url.path.len, url.path.data,
                        url.has_query ? "?" : "", (int) url.query.len,
                        url.query.len == 0 ? "" : (const char *) url.query.data,
                        url.has_fragment ? "#" : "");

        assert_string_equal(text, target_rows[i].wanted);
    }

    rfl_url_parse_target(rfl_str(NULL, 0), &url);
    assert_slice(url.path, "/");

    guard_free_all();
}


/*
 * Whatever is accepted can be put together again from its parts, and the
 * parts lie inside the text in order.
 */

static void
random_urls_are_refused_or_put_together_again(void **state)
{
    char           text[128], again[128];
    size_t         i, n, accepted;
    rfl_url_t      url;
    const char    *query;
    unsigned int   seed;
    const u_char  *at;

    static const char *const  pieces[] = {
        "http://", "https://", "android-app://", "a", "b.c", ".", ":", "80",
        "@", "[::1]", "[", "]", "/", "?", "#", "www.", "1.2.3.4", "0x1", "%2e",
        " ", "\xff", "-", "_", "999999", "\\"
    };

    static const char *const  schemes[] = { "http", "https", "android-app" };

    seed = 1;
    accepted = 0;

    for (i = 0; i < RANDOM_URLS; i++) {

        strcpy(text, pieces[rand_r(&seed) % 3]);

        for (n = (size_t) rand_r(&seed) % 8; n > 0; n--) {
            strcat(text, pieces[(size_t) rand_r(&seed)
                                % (sizeof(pieces) / sizeof(pieces[0]))]);
        }

        if (rfl_url_parse(rfl_cstr(text), &url, NULL) != RFL_OK) {
            continue;
        }

        accepted++;

        at = url.host.data;
        query = url.query.len == 0 ? "" : (const char *) url.query.data;

        (void) snprintf(again, sizeof(again), "%s://%.*s%.*s%s%.*s%.*s%s%.*s",
                        schemes[url.scheme],
                        (int) (at - (u_char *) strstr(text, "://") - 3),
                        strstr(text, "://") + 3,
                        (int) url.host.len, url.host.data,
                        at[url.host.len] == ':' ? ":" : "",
                        (int) url.port.len,
                        url.port.len == 0 ? "" : (const char *) url.port.data,
                        (int) url.path.len, url.path.data,
                        url.has_query ? "?" : "", (int) url.query.len, query);

        if (url.has_fragment) {
            assert_non_null(strchr(text, '#'));
            *strchr(text, '#') = '\0';
        }

        assert_string_equal(again, text);
    }

    assert_in_range(accepted, RANDOM_URLS / 20, RANDOM_URLS);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(valid_urls_are_cut_into_their_parts),
        cmocka_unit_test(invalid_urls_are_refused_with_the_reason),
        cmocka_unit_test(a_zero_byte_ends_neither_host_nor_path),
        cmocka_unit_test(a_url_of_4096_bytes_is_the_longest),
        cmocka_unit_test(every_byte_of_a_host_name_is_judged),
        cmocka_unit_test(hosts_are_parsed_with_optional_port_and_nothing_else),
        cmocka_unit_test(
                     a_bare_host_has_neither_trailing_dot_nor_one_leading_www),
        cmocka_unit_test(a_request_target_always_has_a_path),
        cmocka_unit_test(random_urls_are_refused_or_put_together_again)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
