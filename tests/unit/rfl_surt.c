/*
 * SURT: a test for each rule of rfl_surt.h, by its number, then the
 * properties that follow from all of them.
 */

#include "rfl_surt.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <ctype.h>
#include <stdlib.h>
#include <cmocka.h>

#include "guard.h"

/* The same once more, as machines without vectors have it. */

#define RFL_SURT_VECTORS      0
#define rfl_surt              bytes_surt
#define rfl_surt_begin        bytes_surt_begin
#define rfl_surt_finish       bytes_surt_finish
#define rfl_surt_host         bytes_surt_host
#define rfl_surt_landing      bytes_surt_landing
#define rfl_surt_is_tracking  bytes_surt_is_tracking

void bytes_surt(const rfl_url_t *url, rfl_surt_t *surt);
void bytes_surt_begin(const rfl_url_t *url, rfl_surt_t *surt);
void bytes_surt_finish(const rfl_url_t *url, size_t limit, rfl_surt_t *surt);
size_t bytes_surt_host(const rfl_url_t *url, u_char *out);
rfl_rc_t bytes_surt_landing(const rfl_url_t *url, const rfl_names_t *without,
    size_t limit, u_char *out, size_t *path_len, size_t *len);
int bytes_surt_is_tracking(rfl_str_t name);

#include "../../ngx_referral_module/core/rfl_surt.c"

#undef rfl_surt
#undef rfl_surt_begin
#undef rfl_surt_finish
#undef rfl_surt_host
#undef rfl_surt_landing
#undef rfl_surt_is_tracking


#define LABEL_63  "abcdefghijklmnopqrstuvwxyz0123456789-"                     \
                  "abcdefghijklmnopqrstuvwxyz"
#define HOST_253  LABEL_63 "." LABEL_63 "." LABEL_63 "."                      \
                  "abcdefghijklmnopqrstuvwxyz0123456789-"                     \
                  "abcdefghijklmnopqrstuvwx"

#define RANDOM_URLS  100000
#define TEXT         512
#define PLAIN_RUN    70          /* two blocks of 32, and some */
#define CANARY       0xa5


typedef struct {
    const char  *input;
    const char  *wanted;
} row_t;


static const row_t  rule_1[] = {
    { "http://blog.example/p",              "example,blog)/p" },
    { "https://blog.example/p",             "example,blog)/p" },
    { "HTTPS://blog.example/p",             "example,blog)/p" },
    { "http://u:p@blog.example/p",          "example,blog)/p" },
    { "http://other.example@blog.example/", "example,blog)/" },
    { "http://blog.example:80/p",           "example,blog)/p" },
    { "https://blog.example:443/p",         "example,blog)/p" },
    { "https://blog.example:8443/p",        "example,blog)/p" },
    { "https://blog.example:/p",            "example,blog)/p" },
    { "https://blog.example/p#c",           "example,blog)/p" },
    { "https://blog.example/#/p?q",         "example,blog)/" },
    { "https://blog.example/p?q=1#c?r",     "example,blog)/p?q=1" },
    { "https://WWW.Blog.Example:443/2024/post/?utm_source=x#c",
                                            "example,blog)/2024/post" }
};


static const row_t  rule_2[] = {
    { "http://BLOG.Example/",        "example,blog)/" },
    { "http://blog.example./",       "example,blog)/" },
    { "http://www.blog.example/",    "example,blog)/" },
    { "http://WwW.Blog.Example./",   "example,blog)/" },
    { "http://www.www.example/",     "example,www)/" },
    { "http://www2.blog.example/",   "example,blog,www2)/" },
    { "http://blog.www.example/",    "example,www,blog)/" },
    { "http://wwwblog.example/",     "example,wwwblog)/" },
    { "http://www/",                 "www)/" },
    { "http://m.blog.example/",      "example,blog,m)/" }
};


static const row_t  rule_3[] = {
    { "http://localhost/",              "localhost)/" },
    { "http://a.b.c.d.example/",        "example,d,c,b,a)/" },
    { "http://xn--mnchen-3ya.Example/", "example,xn--mnchen-3ya)/" },
    { "http://a_b-c.example/",          "example,a_b-c)/" },
    { "http://192.0.2.1/",              "192.0.2.1)/" },
    { "http://192.0.2.1.:8080/",        "192.0.2.1)/" },
    { "http://[::1]/",                  "[::1])/" },
    { "http://[0:0:0:0:0:0:0:1]:80/p",  "[::1])/p" },
    { "http://[2001:DB8::00A0]/",       "[2001:db8::a0])/" },
    { "http://[2001:db8:0:0:1:0:0:1]/", "[2001:db8::1:0:0:1])/" },
    { "http://[2001:db8:0:1:1:1:1:1]/", "[2001:db8:0:1:1:1:1:1])/" },
    { "http://[2001:0:0:1:0:0:0:1]/",   "[2001:0:0:1::1])/" },
    { "http://[::FFFF:c000:201]/",      "[::ffff:192.0.2.1])/" }
};


static const row_t  rule_4[] = {
    { "android-app://com.google.android.gm/",
      "android-app:com.google.android.gm)/" },
    { "android-app://com.google.android.gm",
      "android-app:com.google.android.gm)/" },
    { "android-app://com.google.android.gm/https/www.example.com/p?q#f",
      "android-app:com.google.android.gm)/" },
    { "android-app://com.google.android.gm?q=1",
      "android-app:com.google.android.gm)/" },
    { "ANDROID-APP://com.Slack./",       "android-app:com.slack)/" },
    { "android-app://www.app/",          "android-app:www.app)/" },
    { "android-app://com.app.2/",        "android-app:com.app.2)/" }
};


static const row_t  rule_5[] = {
    { "http://a/%41%7a%30%2D%5f%7E%2e_", "a)/Az0-_~._" },
    { "http://a/%2f%3f%23%26%3d%25",     "a)/%2F%3F%23%26%3D%25" },
    { "http://a/%e2%82%ac",              "a)/%E2%82%AC" },
    { "http://a/\xe2\x82\xac",           "a)/%E2%82%AC" },
    { "http://a/%c3%a9\xc3\xa9",         "a)/%C3%A9%C3%A9" },
    { "http://a/%",                      "a)/%25" },
    { "http://a/%2",                     "a)/%252" },
    { "http://a/%zz",                    "a)/%25zz" },
    { "http://a/%4g",                    "a)/%254g" },
    { "http://a/%%41",                   "a)/%25A" },
    { "http://a/%%34%31",                "a)/%2541" },
    { "http://a/%25%34%31",              "a)/%2541" },
    { "http://a/%2541",                  "a)/%2541" },
    { "http://a/100%",                   "a)/100%25" },
    { "http://a/x y\ty",                 "a)/x%20y%09y" },
    { "http://a/\"<>\\^`{|}\x7f",        "a)/%22%3C%3E%5C%5E%60%7B%7C%7D%7F" },
    { "http://a/!$&'()*+,;=:@[]",        "a)/!$&'()*+,;=:@[]" },
    { "http://a/p?x=%41%2b+%2B&y= ",     "a)/p?x=A%2B+%2B&y=%20" },
    { "http://a/p?%",                    "a)/p?%25" },
    { "http://a/p?x=1%26y=2",            "a)/p?x=1%26y=2" },
    { "http://a/p?x=a/b?c",              "a)/p?x=a/b?c" }
};


static const row_t  rule_6[] = {
    { "http://a/./b",              "a)/b" },
    { "http://a/b/.",              "a)/b" },
    { "http://a/b/./",             "a)/b" },
    { "http://a/b/../c",           "a)/c" },
    { "http://a/b/..",             "a)/" },
    { "http://a/b/c/..",           "a)/b" },
    { "http://a/b/c/../",          "a)/b" },
    { "http://a/..",               "a)/" },
    { "http://a/../../b",          "a)/b" },
    { "http://a/.",                "a)/" },
    { "http://a/a/b/c/./../../g",  "a)/a/g" },     /* RFC 3986, 5.2.4 */
    { "http://a/%2e/b",            "a)/b" },
    { "http://a/b/%2E%2e/c",       "a)/c" },
    { "http://a/b/.%2e/c",         "a)/c" },
    { "http://a/b/%2e./c",         "a)/c" },
    { "http://a/b//../c",          "a)/b/c" },
    { "http://a/b/..//c",          "a)//c" },
    { "http://a/.../b",            "a)/.../b" },
    { "http://a/.b/..c/d../e.",    "a)/.b/..c/d../e." },
    { "http://a/b/%252e%252e/c",   "a)/b/%252e%252e/c" },
    { "http://a/b/..%2fc",         "a)/b/..%2Fc" },
    { "http://a/p?x=/../y",        "a)/p?x=/../y" }
};


static const row_t  rule_7[] = {
    { "http://a",          "a)/" },
    { "http://a/",         "a)/" },
    { "http://a?q=1",      "a)/?q=1" },
    { "http://a/p/",       "a)/p" },
    { "http://a/p/q/",     "a)/p/q" },
    { "http://a/p/?q=1",   "a)/p?q=1" },
    { "http://a/p//",      "a)/p" },
    { "http://a//",        "a)/" },
    { "http://a//p//q",    "a)//p//q" },
    { "http://a/p%2F",     "a)/p%2F" },
    { "http://a/p?q=1/",   "a)/p?q=1/" }
};


static const row_t  rule_8[] = {
    { "http://A/Path/To/PAGE",      "a)/Path/To/PAGE" },
    { "http://A/p?Name=Value",      "a)/p?Name=Value" },
    { "http://A/%50%61th",          "a)/Path" }
};


static const row_t  rule_9[] = {
    { "http://a/p?utm_source=x",                "a)/p" },
    { "http://a/p?utm_source=x&utm_medium=y",   "a)/p" },
    { "http://a/p?UTM_Source=x",                "a)/p" },
    { "http://a/p?utm_whatever",                "a)/p" },
    { "http://a/p?utm%5Fsource=x",              "a)/p" },
    { "http://a/p?%75tm_source=x",              "a)/p" },
    { "http://a/?fbclid=1",                     "a)/" },
    { "http://a/p?id=5&gclid=1",                "a)/p?id=5" },
    { "http://a/p?gclid=1&id=5",                "a)/p?id=5" },
    { "http://a/p?b=2&msclkid=1&a=1",           "a)/p?b=2&a=1" },
    { "http://a/p?FbClId=1&a",                  "a)/p?a" },
    { "http://a/p?a=1&a=2&a=1",                 "a)/p?a=1&a=2&a=1" },
    { "http://a/p?",                            "a)/p" },
    { "http://a/p?&",                           "a)/p" },
    { "http://a/p?&&a&&b&&",                    "a)/p?a&b" },
    { "http://a/p?gclid&&fbclid",               "a)/p" },
    { "http://a/p?a=&=b&=",                     "a)/p?a=&=b&=" },
    { "http://a/p?a=utm_source=x",              "a)/p?a=utm_source=x" },
    { "http://a/p?a=1;gclid=2",                 "a)/p?a=1;gclid=2" },
    { "http://a/p?a=1%26gclid=2",               "a)/p?a=1%26gclid=2" },
    { "http://a/p?ref=x&source=y",              "a)/p?ref=x&source=y" },
    { "http://a/utm_source=x",                  "a)/utm_source=x" }
};


#define DOTS_15    "/./.a/../%2e/.b/./.a/../%2E/.b/./.a/../%2e/.b"
#define PARAMS_15  "&&&gclid=1&utm_a&&&&gclid=1&utm_a&&&&gclid=1&utm_a&"

/* Sixteen is the most, whatever of it stays in the end. */

static const row_t  rule_10[] = {
    { "http://a/x" DOTS_15 "/.c/a..b?q=1",     "a)/x/.b/.b/.b/.c/a..b?q=1" },
    { "http://a/x" DOTS_15 "/.c/.d?q=1",       "a)/" },
    { "http://a/x" DOTS_15 "/./..?q=1",        "a)/" },
    { "http://a" DOTS_15 "/../../../../..",    "a)/" },
    { "http://a/x?" PARAMS_15 "q=1&_ga",       "a)/x?q=1" },
    { "http://a/x?" PARAMS_15 "q=1&_ga&",      "a)/x" },
    { "http://a/x?q=1&" PARAMS_15,             "a)/x?q=1" },
    { "http://a/x?q=1&" PARAMS_15 "&",         "a)/x" }
};


/* Host "a": of 20 bytes the path may have 18. */

static const row_t  rule_11[] = {
    { "http://a/bcd/fghi/klm?q=",              "a)/bcd/fghi/klm?q=" },
    { "http://a/bcd/fghi/klm/mn?qr",           "a)/bcd/fghi/klm/mn" },
    { "http://a/bcd/fghi/klm/mno///",          "a)/bcd/fghi/klm/mno" },
    { "http://a/bcd/fghi/klm/mnop",            "a)/bcd/fghi/klm/mnop" },
    { "http://a/bcd/fghi/klm/mnop?gclid=1",    "a)/bcd/fghi/klm/mnop" },
    { "http://a/bcd/fghi/klm/mnop?q",          "a)/bcd/fghi/klm/mnop" },
    { "http://a/bcd/fghi/klm/mnop/r",          "a)/bcd/fghi/klm/mnop" },
    { "http://a/bcd/fghi/klm/mnopq",           "a)/bcd/fghi/klm" },
    { "http://a/bcd/fghi/klm/mnopq/../r/s",    "a)/bcd/fghi/klm/r/s" },
    { "http://a/bcdefghijklmnopqrst",          "a)/" },
    { "http://a/bcdefghijklmnopqrst/%2e%2e",   "a)/" }
};

static const u_char  rule_11_is_cut[] = { 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0 };


/* The parameters of design and documentation; more may be known. */

static const char *const  tracking[] = {
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "utm_id", "utm_", "gclid", "dclid", "gclsrc", "gbraid", "wbraid",
    "gad_source", "gad_campaignid", "srsltid", "_ga", "_gac", "_gl", "fbclid",
    "igsh", "igshid", "msclkid", "yclid", "ymclid", "ysclid", "_openstat",
    "twclid", "ttclid", "li_fat_id", "epik", "ScCid", "rdt_cid", "qclid",
    "mc_cid", "mc_eid", "_hsenc", "_hsmi", "__hstc", "__hssc", "__hsfp",
    "hsCtaTracking", "mkt_tok", "_kx", "vero_id", "vero_conv", "oly_enc_id",
    "oly_anon_id", "ml_subscriber", "ml_subscriber_hash", "wickedid",
    "rb_clickid", "s_kwcid", "ef_id", "irclickid", "cjevent", "dicbo",
    "tblci", "_branch_match_id", "_branch_referrer", "mtm_campaign",
    "mtm_source", "mtm_medium", "mtm_content", "mtm_cid", "mtm_group",
    "mtm_keyword", "mtm_kwd", "mtm_placement", "pk_campaign", "pk_cid",
    "pk_content", "pk_keyword", "pk_kwd", "pk_medium", "pk_source",
    "FBCLID", "Gclid", "UTM_SOURCE"
};

static const char *const  not_tracking[] = {
    "", "u", "utm", "utmsource", "autm_source", "gcli", "gclidx", "fbclid ",
    "_", "_g", "_gaa", "id", "ref", "source", "q", "page", "p", "lang", "mc",
    "mtm_", "pk_", "\xff", "zz", "0", "UTM", "_GA_"
};


static rfl_str_t
guarded(const char *text)
{
    size_t  len;

    len = strlen(text);

    return rfl_str(guard_copy(text, len), len);
}


static void
transform(const char *text, rfl_surt_t *surt)
{
    rfl_url_t    url;
    const char  *why;

    if (rfl_url_parse(guarded(text), &url, &why) != RFL_OK) {
        fail_msg("%s: %s", text, why);
    }

    memset(surt, CANARY, sizeof(rfl_surt_t));
    rfl_surt(&url, surt);

    guard_free_all();
}


static void
assert_surt(const rfl_surt_t *surt, const char *wanted, const char *input)
{
    if (!rfl_str_eq(rfl_str(surt->buf, surt->len), rfl_cstr(wanted))) {
        fail_msg("%s: \"%.*s\" is not \"%s\"", input, (int) surt->len,
                 surt->buf, wanted);
    }
}


static void
assert_rows(const row_t *rows, size_t n)
{
    size_t      i;
    rfl_surt_t  surt;

    for (i = 0; i < n; i++) {
        transform(rows[i].input, &surt);
        assert_surt(&surt, rows[i].wanted, rows[i].input);
    }
}


static void
rule_1_scheme_userinfo_port_and_fragment_are_dropped(void **state)
{
    assert_rows(rule_1, sizeof(rule_1) / sizeof(rule_1[0]));
}


static void
rule_2_the_host_is_lower_case_without_dot_and_www(void **state)
{
    assert_rows(rule_2, sizeof(rule_2) / sizeof(rule_2[0]));
}


static void
rule_3_labels_are_reversed_addresses_are_not(void **state)
{
    assert_rows(rule_3, sizeof(rule_3) / sizeof(rule_3[0]));
}


static void
rule_4_an_android_app_is_its_package(void **state)
{
    assert_rows(rule_4, sizeof(rule_4) / sizeof(rule_4[0]));
}


static void
rule_5_percent_encoding_has_one_form(void **state)
{
    assert_rows(rule_5, sizeof(rule_5) / sizeof(rule_5[0]));
}


static void
rule_6_dot_segments_are_removed(void **state)
{
    assert_rows(rule_6, sizeof(rule_6) / sizeof(rule_6[0]));
}


static void
rule_7_trailing_slashes_are_dropped_the_root_stays(void **state)
{
    assert_rows(rule_7, sizeof(rule_7) / sizeof(rule_7[0]));
}


static void
rule_8_the_case_of_path_and_query_is_kept(void **state)
{
    assert_rows(rule_8, sizeof(rule_8) / sizeof(rule_8[0]));
}


static void
rule_9_tracking_parameters_are_dropped_the_rest_stays_in_order(void **state)
{
    assert_rows(rule_9, sizeof(rule_9) / sizeof(rule_9[0]));
}


static void
rule_10_what_is_dropped_has_a_limit(void **state)
{
    size_t      i;
    rfl_surt_t  surt;

    assert_int_equal(RFL_SURT_DROPPED_MAX, 16);
    assert_rows(rule_10, sizeof(rule_10) / sizeof(rule_10[0]));

    for (i = 0; i < sizeof(rule_10) / sizeof(rule_10[0]); i++) {
        transform(rule_10[i].input, &surt);
        assert_int_equal(surt.is_cut, strstr(rule_10[i].wanted, "q=1") == NULL);
    }
}


static void
rule_11_a_surt_that_would_be_longer_than_its_limit_is_cut(void **state)
{
    size_t      i;
    rfl_url_t   url;
    rfl_surt_t  surt;

    for (i = 0; i < sizeof(rule_11) / sizeof(rule_11[0]); i++) {

        assert_int_equal(rfl_url_parse(guarded(rule_11[i].input), &url, NULL),
                         RFL_OK);

        rfl_surt_begin(&url, &surt);
        rfl_surt_finish(&url, 20, &surt);

        assert_surt(&surt, rule_11[i].wanted, rule_11[i].input);
        assert_int_equal(surt.is_cut, rule_11_is_cut[i]);
    }

    guard_free_all();
}


static void
rule_9_knows_tracking_parameters_by_name_without_case(void **state)
{
    size_t  i;

    for (i = 0; i < sizeof(tracking) / sizeof(tracking[0]); i++) {
        if (!rfl_surt_is_tracking(guarded(tracking[i]))) {
            fail_msg("%s", tracking[i]);
        }
    }

    for (i = 0; i < sizeof(not_tracking) / sizeof(not_tracking[0]); i++) {
        if (rfl_surt_is_tracking(guarded(not_tracking[i]))) {
            fail_msg("%s", not_tracking[i]);
        }
    }

    assert_false(rfl_surt_is_tracking(rfl_str(NULL, 0)));

    guard_free_all();
}


static void
the_parts_of_a_surt_are_where_it_says(void **state)
{
    rfl_surt_t  surt;

    transform("https://blog.example/2024/post/?id=5", &surt);
    assert_int_equal(surt.host_len, strlen("example,blog"));
    assert_int_equal(surt.path_start, strlen("example,blog)"));
    assert_int_equal(surt.path_len, strlen("/2024/post"));
    assert_int_equal(surt.len, strlen("example,blog)/2024/post?id=5"));
    assert_int_equal(surt.is_address, 0);
    assert_int_equal(surt.is_app, 0);

    transform("https://192.0.2.1", &surt);
    assert_int_equal(surt.host_len, strlen("192.0.2.1"));
    assert_int_equal(surt.path_len, 1);
    assert_int_equal(surt.is_address, 1);
    assert_int_equal(surt.is_app, 0);

    transform("https://[0::1]/?a", &surt);
    assert_int_equal(surt.host_len, strlen("[::1]"));
    assert_int_equal(surt.path_len, 1);
    assert_int_equal(surt.is_address, 1);

    transform("android-app://com.app/x", &surt);
    assert_int_equal(surt.host_len, strlen("android-app:com.app"));
    assert_int_equal(surt.path_start, strlen("android-app:com.app)"));
    assert_int_equal(surt.path_len, 1);
    assert_int_equal(surt.len, strlen("android-app:com.app)/"));
    assert_int_equal(surt.is_address, 0);
    assert_int_equal(surt.is_app, 1);
}


static void
a_host_alone_is_written_as_in_the_surt(void **state)
{
    u_char      out[RFL_HOST_MAX + 16];
    size_t      i, len;
    rfl_url_t   url;
    rfl_surt_t  surt;

    static const char *const  urls[] = {
        "http://WWW.Blog.Example.:80/", "http://192.0.2.1/", "http://[0::1]/",
        "http://[1111:2222:3333:4444:5555:6666:255.255.255.255]/",
        "http://" HOST_253 "/", "android-app://" HOST_253 "/"
    };

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_int_equal(rfl_url_parse(rfl_cstr(urls[i]), &url, NULL), RFL_OK);

        memset(out, CANARY, sizeof(out));
        len = rfl_surt_host(&url, out);
        rfl_surt(&url, &surt);

        assert_int_equal(len, surt.host_len);
        assert_memory_equal(out, surt.buf, len);
        assert_int_equal(surt.buf[len], ')');
        assert_true(len == sizeof(out) || out[len] == CANARY);
    }

    assert_int_equal(rfl_url_parse_host(rfl_cstr("WWW.Blog.Example:80"), &url,
                                        NULL),
                     RFL_OK);
    assert_int_equal(rfl_surt_host(&url, out), strlen("example,blog"));
    assert_memory_equal(out, "example,blog", strlen("example,blog"));
}


static void
landings_are_paths_by_rules_5_to_9(void **state)
{
    size_t     i, path_len, len;
    u_char     out[RFL_SURT_MAX];
    rfl_url_t  url;

    static const row_t  rows[] = {
        { "/",                              "/" },
        { "",                               "/" },
        { "*",                              "/" },
        { "/pricing/",                      "/pricing" },
        { "/a/../b/?x=1&utm_source=y#f",    "/b?x=1" },
        { "http://shop.example/p%41/?%7e",  "/pA?~" },
        { "/p?gclid=1",                     "/p" },
        { "/P?A",                           "/P?A" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rfl_url_parse_target(guarded(rows[i].input), &url);

        assert_int_equal(rfl_surt_landing(&url, NULL, SIZE_MAX, out,
                                          &path_len, &len),
                         RFL_OK);

        assert_int_equal(len, strlen(rows[i].wanted));
        assert_memory_equal(out, rows[i].wanted, len);
        assert_int_equal(path_len, strcspn(rows[i].wanted, "?"));
    }

    guard_free_all();
}


static void
landings_leave_out_the_named_arguments(void **state)
{
    size_t       i, path_len, len;
    u_char       out[RFL_SURT_MAX];
    rfl_url_t    url;
    rfl_names_t  without;

    static const rfl_str_t  names[] = {
        rfl_string("ref"), rfl_string("partner"), rfl_string("")
    };

    static const row_t  rows[] = {
        { "/p?ref=partner42",          "/p" },
        { "/p?id=5&ref=x&utm_id=1&z",  "/p?id=5&z" },
        { "/p?ref",                    "/p" },
        { "/p?%72ef=x&a",              "/p?a" },
        { "/p?Ref=x&refs=y&re=z",      "/p?Ref=x&refs=y&re=z" },
        { "/p?partner=a&ref=b",        "/p" },
        { "/p?=x&a",                   "/p?a" },
        { "/p?a=ref",                  "/p?a=ref" }
    };

    without.names = names;
    without.n = sizeof(names) / sizeof(names[0]);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rfl_url_parse_target(guarded(rows[i].input), &url);

        assert_int_equal(rfl_surt_landing(&url, &without, SIZE_MAX, out,
                                          &path_len, &len),
                         RFL_OK);

        assert_int_equal(len, strlen(rows[i].wanted));
        assert_memory_equal(out, rows[i].wanted, len);
        assert_int_equal(path_len, 2);
    }

    guard_free_all();
}


static void
a_landing_over_the_limit_is_refused_and_nothing_written(void **state)
{
    size_t     i, n, path_len, len;
    u_char     text[RFL_URL_MAX + 2], buf[RFL_SURT_MAX];
    u_char    *out;
    rfl_url_t  url;

    /* the "?" is not counted; the longest output has three bytes for each */

    static const size_t  queries[] = { 0, 1, RFL_URL_MAX - 1 };

    for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {

        n = RFL_URL_MAX - queries[i];

        memset(text, '"', sizeof(text));
        text[0] = '/';

        if (queries[i] != 0) {
            text[n++] = '?';
            n += queries[i];
        }

        out = guard_copy(NULL, 0);
        rfl_url_parse_target(rfl_str(text, n), &url);
        assert_int_equal(url.path.len + url.query.len, RFL_URL_MAX);

        assert_int_equal(rfl_surt_landing(&url, NULL, SIZE_MAX, buf,
                                          &path_len, &len),
                         RFL_OK);
        assert_in_range(len, 3 * RFL_URL_MAX - 8, 3 * RFL_URL_MAX + 1);

        /* one more: out is the guard page itself */

        if (queries[i] == 0) {
            rfl_url_parse_target(rfl_str(text, n + 1), &url);

        } else {
            url.query.len++;
        }

        assert_int_equal(rfl_surt_landing(&url, NULL, SIZE_MAX, out,
                                          &path_len, &len),
                         RFL_FULL);
    }

    guard_free_all();
}


static void
the_longest_surt_fits(void **state)
{
    size_t       i;
    u_char       text[RFL_URL_MAX];
    rfl_url_t    url;
    rfl_surt_t  *surt;

    static const char *const  hosts[] = {
        "http://a/", "http://" HOST_253 "/", "http://a/?",
        "http://[1:2:3:4:5:6:ffff:ffff]/", "http://[::ffff:ffff:ffff]/"
    };

    surt = malloc(sizeof(rfl_surt_t));
    assert_non_null(surt);

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        memset(text, 0xff, sizeof(text));
        memcpy(text, hosts[i], strlen(hosts[i]));

        assert_int_equal(rfl_url_parse(rfl_str(text, sizeof(text)), &url, NULL),
                         RFL_OK);

        rfl_surt(&url, surt);

        assert_in_range(surt->len, 3 * (RFL_URL_MAX - 280), RFL_SURT_MAX);
        assert_memory_equal(surt->buf + surt->len - 3, "%FF", 3);
    }

    free(surt);
}


/* Copying by runs must not change what rule 5 does to any byte anywhere. */

static void
every_byte_is_treated_alike_at_every_place_of_a_run(void **state)
{
    int         c;
    char        text[TEXT], wanted[TEXT], byte[4], run[PLAIN_RUN];
    size_t      at;
    rfl_surt_t  surt;

    memset(run, 'x', sizeof(run));

    for (c = 1; c < 256; c++) {

        /* these end the path or are a segment of their own */

        if (strchr("?#/", c) != NULL) {
            continue;
        }

        (void) snprintf(byte, sizeof(byte),
                        c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}%", c)
                        ? "%%%02X" : "%c", c);

        for (at = 0; at < PLAIN_RUN; at++) {

            (void) snprintf(text, sizeof(text), "http://a/%.*s%c%.*s",
                            (int) at, run, c,
                            (int) (PLAIN_RUN - at), run);

            (void) snprintf(wanted, sizeof(wanted), "a)/%.*s%s%.*s",
                            (int) at, run, byte,
                            (int) (PLAIN_RUN - at), run);

            transform(text, &surt);
            assert_surt(&surt, wanted, text);
        }
    }
}


static void
every_triplet_is_decoded_if_unreserved_else_upper_case(void **state)
{
    int         c;
    char        text[TEXT], wanted[TEXT];
    rfl_surt_t  surt;

    static const char  unreserved[] = "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

    for (c = 0; c < 256; c++) {
        (void) snprintf(text, sizeof(text), "http://a/x%%%02xx?y%%%02xy", c, c);

        (void) snprintf(wanted, sizeof(wanted),
                        c != 0 && strchr(unreserved, c) != NULL
                        ? "a)/x%cx?y%cy" : "a)/x%%%02Xx?y%%%02Xy", c, c);

        transform(text, &surt);
        assert_surt(&surt, wanted, text);
    }
}


/* Also where the text ends with the host, or within sixteen bytes. */

static void
hosts_of_every_length_are_reversed(void **state)
{
    char          text[TEXT], host[TEXT / 2], wanted[TEXT];
    size_t        i, n, at, len;
    rfl_surt_t    surt;
    unsigned int  seed;

    static const char  bytes[] = "abcXYZ019-_";

    seed = 6;

    for (i = 0; i < RANDOM_URLS; i++) {

        n = 1 + (size_t) rand_r(&seed) % 80;

        for (at = 0; at < n; at++) {
            host[at] = bytes[(size_t) rand_r(&seed) % (sizeof(bytes) - 1)];

            if (at != 0 && at != n - 1 && host[at - 1] != '.'
                && (at % 60 == 0 || rand_r(&seed) % 6 == 0))
            {
                host[at] = '.';
            }
        }

        host[n - 1] = 'q';
        host[n] = '\0';

        (void) snprintf(text, sizeof(text), "http://%s%s", host,
                        i % 3 == 0 ? "" : i % 3 == 1 ? "/" : "?a");

        /* from the last label to the first */

        len = 0;

        for (at = n; at > 0; at--) {
            if (at == 1 || host[at - 2] == '.') {
                len += (size_t) sprintf(wanted + len, "%s%.*s",
                                        len == 0 ? "" : ",",
                                        (int) strcspn(host + at - 1, "."),
                                        host + at - 1);
            }
        }

        for (at = 0; at < len; at++) {
            wanted[at] = (char) tolower((u_char) wanted[at]);
        }

        (void) strcpy(wanted + len, i % 3 == 2 ? ")/?a" : ")/");

        transform(text, &surt);
        assert_surt(&surt, wanted, text);
        assert_int_equal(surt.host_len, len);
    }
}


/* Rule 5 as it is written down. */

static size_t
encode_plainly(const u_char *text, size_t len, char *out)
{
    char    triplet[3];
    size_t  i, n;
    u_char  c;

    n = 0;

    for (i = 0; i < len; i++) {

        c = text[i];

        if (c == '%' && i + 2 < len && isxdigit(text[i + 1])
            && isxdigit(text[i + 2]))
        {
            memcpy(triplet, text + i + 1, 2);
            triplet[2] = '\0';
            c = (u_char) strtoul(triplet, NULL, 16);
            i += 2;

            n += (size_t) sprintf(out + n,
                                  isalnum(c) || (c != 0 && strchr("-._~", c))
                                  ? "%c" : "%%%02X", c);
            continue;
        }

        n += (size_t) sprintf(out + n,
                              c <= ' ' || c >= 0x7f
                              || strchr("\"<>\\^`{|}%", c)
                              ? "%%%02X" : "%c", c);
    }

    return n;
}


/* Blocks meet in every way: many short pieces, of all lengths. */

static void
random_encodings_are_those_of_the_rule_at_every_length(void **state)
{
    char          wanted[3 * TEXT];
    size_t        i, n, len, piece;
    u_char        text[TEXT];
    rfl_url_t     url;
    rfl_surt_t    surt;
    unsigned int  seed;

    static const char *const  pieces[] = {
        "%e4", "%E4", "%aF", "%2f", "%41", "%7e", "%", "%4", "%g1", "%1g",
        "\xe4", "\xc3\xa9", " ", "~", "!", "a", "bC", "<", "^", "`", "\x7f",
        "abcdefghijklmnopqrstuvwxyz01234", "%C3%a4%C3%b6%C3%bc",
        "\xe4\xe5\xe6\xe7\xe8\xe9\xea\xeb\xec\xed\xee\xef"
    };

    seed = 5;

    for (i = 0; i < RANDOM_URLS; i++) {

        memcpy(text, "http://a/x", 10);
        n = 10 + (size_t) rand_r(&seed) % 120;

        for (len = 10; len < n; len += strlen(pieces[piece])) {
            piece = (size_t) rand_r(&seed)
                    % (i % 2 == 0 ? sizeof(pieces) / sizeof(pieces[0])
                       : i % 4 == 1 && len < n - 20 ? 3 : 4);
            memcpy(text + len, pieces[piece], strlen(pieces[piece]));
        }

        /* cut, so that it may end within an escape */

        memcpy(wanted, "a)/x", 4);
        len = 4 + encode_plainly(text + 10, n - 10, wanted + 4);

        assert_int_equal(rfl_url_parse(rfl_str(guard_copy(text, n), n), &url,
                                       NULL),
                         RFL_OK);

        rfl_surt(&url, &surt);
        assert_int_equal(surt.len, len);
        assert_memory_equal(surt.buf, wanted, len);

        bytes_surt(&url, &surt);
        assert_int_equal(surt.len, len);
        assert_memory_equal(surt.buf, wanted, len);

        guard_free_all();
    }
}


static void
random_path_and_query(char *text, unsigned int *seed)
{
    size_t  n;

    static const char *const  pieces[] = {
        "/", "/", ".", "..", "/./", "/../", "%2e", "%2E", "%", "%2", "%25",
        "%32%65", "%5F", "%7e", "%2f", "%3F", "%zz", "a", "B", "abcdefghijkl",
        "?", "&", "&&", "=", "id=5", "utm_", "utm%5fa=1", "&gclid=1",
        "%67clid", "&", "&fbclid", " ", "\xc3\xa9", "\"", "+", ";", "~"
    };

    strcpy(text, "/");

    for (n = (size_t) rand_r(seed) % 14; n > 0; n--) {
        strcat(text, pieces[(size_t) rand_r(seed)
                            % (sizeof(pieces) / sizeof(pieces[0]))]);
    }
}


static void
random_surts_transform_to_themselves(void **state)
{
    char          text[TEXT], again[TEXT];
    size_t        i;
    rfl_surt_t    first, second;
    rfl_url_t     url;
    unsigned int  seed;

    seed = 2;

    for (i = 0; i < RANDOM_URLS; i++) {

        strcpy(text, "http://blog.example");
        random_path_and_query(text + strlen(text), &seed);

        assert_int_equal(rfl_url_parse(rfl_cstr(text), &url, NULL), RFL_OK);
        rfl_surt(&url, &first);

        (void) snprintf(again, sizeof(again), "http://blog.example%.*s",
                        (int) (first.len - first.path_start),
                        first.buf + first.path_start);

        assert_int_equal(rfl_url_parse(rfl_cstr(again), &url, NULL), RFL_OK);
        rfl_surt(&url, &second);

        if (first.len != second.len
            || memcmp(first.buf, second.buf, first.len) != 0
            || first.path_len != second.path_len)
        {
            fail_msg("%s: \"%.*s\", then \"%.*s\"", text, (int) first.len,
                     first.buf, (int) second.len, second.buf);
        }
    }
}


/* No parser lets it through, and it must not be written past the end. */

static void
a_path_longer_than_a_url_with_dots_is_cut(void **state)
{
    size_t      len;
    u_char      path[RFL_URL_MAX + 1];
    rfl_url_t   url;
    rfl_surt_t  surt;

    assert_int_equal(rfl_url_parse(rfl_cstr("http://a.example/"), &url, NULL),
                     RFL_OK);

    memset(path, 'a', sizeof(path));
    memcpy(path, "/b/.c", 5);

    for (len = RFL_URL_MAX; len <= RFL_URL_MAX + 1; len++) {
        url.path = rfl_str(path, len);
        rfl_surt(&url, &surt);

        assert_int_equal(surt.is_cut, len > RFL_URL_MAX);
        assert_int_equal(surt.path_len, surt.is_cut ? 1 : len);
    }
}


static void
random_landings_equal_the_path_of_their_surt(void **state)
{
    char          text[TEXT];
    size_t        i, path_len, len;
    u_char        out[RFL_SURT_MAX];
    rfl_url_t     url, target;
    rfl_surt_t    surt, bytes;
    unsigned int  seed;

    seed = 3;

    for (i = 0; i < RANDOM_URLS; i++) {

        strcpy(text, "http://a.example");
        random_path_and_query(text + strlen(text), &seed);

        assert_int_equal(rfl_url_parse(guarded(text), &url, NULL), RFL_OK);
        rfl_surt(&url, &surt);
        bytes_surt(&url, &bytes);
        guard_free_all();

        assert_int_equal(bytes.path_len, surt.path_len);
        assert_int_equal(bytes.len, surt.len);
        assert_memory_equal(bytes.buf, surt.buf, surt.len);

        rfl_url_parse_target(rfl_cstr(text + (i & 1 ? 0 : 16)), &target);
        assert_int_equal(rfl_surt_landing(&target, NULL, SIZE_MAX, out,
                                          &path_len, &len),
                         RFL_OK);

        assert_int_equal(path_len, surt.path_len);
        assert_int_equal(len, surt.len - surt.path_start);
        assert_memory_equal(out, surt.buf + surt.path_start, len);
    }
}


/* The rules as they are written down, for a URL of host "a". */

typedef struct {
    char    text[3 * RFL_URL_MAX + 32];
    size_t  path_len;
    size_t  len;             /* of path and query */
    int     path_is_cut;     /* by rule 10 */
    int     is_cut;
} model_t;


static void
model_path(const u_char *path, size_t n, model_t *m)
{
    char    text[3 * RFL_URL_MAX + 32];
    size_t  i, len, segment, dots;

    len = encode_plainly(path, n, text);
    dots = 0;
    m->len = 0;

    /* a segment at a time, with the slash before it */

    for (i = 0; i < len; i += 1 + segment) {

        segment = 0;

        while (i + 1 + segment < len && text[i + 1 + segment] != '/') {
            segment++;
        }

        dots += (segment != 0 && text[i + 1] == '.');

        if (segment == 1 && text[i + 1] == '.') {
            continue;
        }

        if (segment == 2 && text[i + 1] == '.' && text[i + 2] == '.') {
            while (m->len != 0 && m->text[--m->len] != '/') { /* void */ }
            continue;
        }

        memcpy(m->text + m->len, text + i, 1 + segment);
        m->len += 1 + segment;
    }

    while (m->len != 0 && m->text[m->len - 1] == '/') {
        m->len--;
    }

    m->path_is_cut = (dots > RFL_SURT_DROPPED_MAX);

    if (m->len == 0 || m->path_is_cut) {
        m->text[0] = '/';
        m->len = 1;
    }

    m->path_len = m->len;
    m->is_cut = m->path_is_cut;
}


static void
model_query(const u_char *query, size_t n, model_t *m)
{
    char       text[3 * RFL_URL_MAX + 32];
    size_t     i, end, len, dropped;
    rfl_str_t  param;

    len = encode_plainly(query, n, text);
    dropped = 0;

    for (i = 0; i <= len; i = end + 1) {

        end = i;

        while (end < len && text[end] != '&') {
            end++;
        }

        param = rfl_str(text + i, end - i);

        if (param.len == 0
            || rfl_surt_is_tracking(rfl_str(text + i,
                                            rfl_str_find2(param, '=', '='))))
        {
            dropped++;
            continue;
        }

        m->text[m->len] = (m->len == m->path_len) ? '?' : '&';
        memcpy(m->text + m->len + 1, param.data, param.len);
        m->len += 1 + param.len;
    }

    if (dropped > RFL_SURT_DROPPED_MAX) {
        m->len = m->path_len;
        m->is_cut = 1;
    }
}


static void
model_url(const rfl_url_t *url, model_t *m)
{
    model_path(url->path.data, url->path.len, m);

    if (url->query.len != 0 && !m->is_cut) {
        model_query(url->query.data, url->query.len, m);
    }
}


/* Rule 11: text is "a)", host and all. */

static void
assert_limited(const rfl_surt_t *surt, const model_t *m, size_t limit)
{
    size_t  whole;

    assert_int_equal(surt->path_start, 2);
    assert_int_equal(surt->is_cut, m->is_cut || 2 + m->len > limit);

    if (!surt->is_cut) {
        assert_int_equal(surt->path_len, m->path_len);
        assert_int_equal(surt->len, 2 + m->len);
        assert_memory_equal(surt->buf + 2, m->text, m->len);
        return;
    }

    whole = m->path_len;

    if (!m->path_is_cut && 2 + m->path_len > limit) {
        whole = limit > 2 ? limit - 2 : 0;

        while (m->text[whole] != '/') {
            whole--;
        }

        whole += (whole == 0);
    }

    assert_int_equal(surt->path_len, whole);
    assert_int_equal(surt->len, 2 + whole);
    assert_memory_equal(surt->buf + 2, m->text, whole);
}


static void
assert_limited_landing(const rfl_url_t *url, const model_t *m, size_t limit)
{
    int       path_fits;
    size_t    path_len, len;
    u_char    out[RFL_SURT_MAX];
    rfl_rc_t  rc;

    path_fits = !m->path_is_cut && m->path_len <= limit;

    rc = rfl_surt_landing(url, NULL, limit, out, &path_len, &len);

    assert_int_equal(rc, m->is_cut || m->len > limit ? RFL_FULL : RFL_OK);
    assert_int_equal(path_len, path_fits ? m->path_len : 0);
    assert_memory_equal(out, m->text, path_len);

    if (rc == RFL_OK) {
        assert_int_equal(len, m->len);
        assert_memory_equal(out, m->text, len);
    }
}


static void
assert_model(const char *text, size_t from, size_t to)
{
    size_t              limit;
    rfl_url_t           url;
    static model_t      m;
    static rfl_surt_t   surt;

    assert_int_equal(rfl_url_parse(guarded(text), &url, NULL), RFL_OK);
    model_url(&url, &m);

    rfl_surt(&url, &surt);
    assert_limited(&surt, &m, SIZE_MAX);

    for (limit = from; limit <= to; limit++) {

        memset(surt.buf, CANARY, sizeof(surt.buf));
        rfl_surt_begin(&url, &surt);
        rfl_surt_finish(&url, limit, &surt);
        assert_limited(&surt, &m, limit);

        memset(surt.buf, CANARY, sizeof(surt.buf));
        bytes_surt_begin(&url, &surt);
        bytes_surt_finish(&url, limit, &surt);
        assert_limited(&surt, &m, limit);

        assert_limited_landing(&url, &m, limit);
    }

    guard_free_all();
}


static void
random_urls_are_cut_as_the_rules_say_at_every_limit(void **state)
{
    char          text[2 * TEXT];
    size_t        i;
    unsigned int  seed;

    seed = 7;

    for (i = 0; i < RANDOM_URLS / 20; i++) {

        strcpy(text, "http://a/");
        random_path_and_query(text + 8, &seed);

        if (i % 2 == 0) {
            random_path_and_query(text + strlen(text), &seed);
        }

        assert_model(text, 0, strlen(text) + 20);
    }
}


/* Pieces, and what may take all of it back at the very end. */

static void
hostile_urls_are_cut_as_the_rules_say(void **state)
{
    char    text[RFL_URL_MAX + 1];
    size_t  i, k, n, len;

    static const char *const  begins[] = {
        "http://a/", "http://a/b/c", "http://a?", "http://a/b?c&",
        "http://a/.x/%2e/"
    };

    static const char *const  pieces[] = {
        "%e4", "%41", "%2e", "\xe4", "/.", "/..", "/a/..", "//..", "/.a",
        "/%2e", "/%2E%2e", "/%2f", "/%e4", "/", "x", "xxxxxxxx/", "&a", "&",
        "&gclid", "&utm_%41%41%41%41%41%41%41%41", "&%67clid=%41%41%41%41",
        "&abc=1", "%", "%2", "."
    };

    static const char *const  ends[] = {
        "", "/", "//////////////////////////////////////", "/..", "/%2e%2E",
        "/../..", "/./", "/.%2e/", "/.x", "&gclid=1", "&a", "%"
    };

    static const size_t  lens[] = { 60, 300, RFL_URL_MAX };

    for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        for (k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
            for (n = 0; n < sizeof(ends) / sizeof(ends[0]) * 3; n++) {

                strcpy(text, begins[i]);
                len = strlen(text);

                while (len + strlen(pieces[k]) + strlen(ends[n / 3])
                       <= lens[n % 3])
                {
                    len += (size_t) sprintf(text + len, "%s", pieces[k]);
                }

                strcpy(text + len, ends[n / 3]);

                assert_model(text, 0, 12);
                assert_model(text, 196, 200);
                assert_model(text, 3 * RFL_URL_MAX, 3 * RFL_URL_MAX);
            }
        }
    }
}


/*
 * Writes the same URL in another way: each rule adds what it levels.  The only
 * triplet in path is %2F.
 */

static void
disguise(const char *path, char *out, unsigned int *seed)
{
    int          in_query;
    const char  *p;

    static const char *const  origins[] = {
        "http://blog.example", "https://WWW.Blog.EXAMPLE.:8443",
        "HTTP://user:pw@www.blog.example:"
    };

    out += sprintf(out, "%s", origins[rand_r(seed) % 3]);
    in_query = 0;

    for (p = path; *p != '\0'; p++) {

        if (*p == '?') {
            in_query = 1;
            out += sprintf(out, "%s?", rand_r(seed) % 2 ? "" : "/");
            out += sprintf(out, "%s", rand_r(seed) % 2 ? "" : "&gclid=a%2&");
            out += sprintf(out, "%s", rand_r(seed) % 2 ? "" : "&");

        } else if (*p == '/' && !in_query && rand_r(seed) % 2) {
            out += sprintf(out, "%s/", rand_r(seed) % 2 ? "/." : "/x/%2e.");

        } else if (*p == '&') {
            out += sprintf(out, "%s", rand_r(seed) % 2 ? "&" : "&utm%5Fx=1&&");

        } else if (*p == '%') {
            out += sprintf(out, "%s", rand_r(seed) % 2 ? "%2F" : "%2f");
            p += 2;

        } else if (rand_r(seed) % 3 == 0
                   && ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')))
        {
            out += sprintf(out, rand_r(seed) % 2 ? "%%%02x" : "%%%02X", *p);

        } else {
            *out++ = *p;
        }
    }

    (void) sprintf(out, "%s%s",
                   !in_query && rand_r(seed) % 2 ? "/" : "",
                   rand_r(seed) % 2 ? "#part" : "");
}


static void
urls_that_differ_only_in_what_the_rules_level_are_equal(void **state)
{
    char          text[2 * TEXT];
    size_t        i, n;
    rfl_url_t     url;
    rfl_surt_t    surt;
    unsigned int  seed;

    static const row_t  rows[] = {
        { "/",                      "example,blog)/" },
        { "/2024/post",             "example,blog)/2024/post" },
        { "/2024/post?id=5&lang=de", "example,blog)/2024/post?id=5&lang=de" },
        { "/a/b/c/d?x=/a/&y",       "example,blog)/a/b/c/d?x=/a/&y" },
        { "/?zig=1&zag=%2F",        "example,blog)/?zig=1&zag=%2F" }
    };

    seed = 4;

    for (i = 0; i < RANDOM_URLS / 10; i++) {

        for (n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {

            disguise(rows[n].input, text, &seed);

            assert_int_equal(rfl_url_parse(rfl_cstr(text), &url, NULL),
                             RFL_OK);
            rfl_surt(&url, &surt);

            assert_surt(&surt, rows[n].wanted, text);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(rule_1_scheme_userinfo_port_and_fragment_are_dropped),
        cmocka_unit_test(rule_2_the_host_is_lower_case_without_dot_and_www),
        cmocka_unit_test(rule_3_labels_are_reversed_addresses_are_not),
        cmocka_unit_test(rule_4_an_android_app_is_its_package),
        cmocka_unit_test(rule_5_percent_encoding_has_one_form),
        cmocka_unit_test(rule_6_dot_segments_are_removed),
        cmocka_unit_test(rule_7_trailing_slashes_are_dropped_the_root_stays),
        cmocka_unit_test(rule_8_the_case_of_path_and_query_is_kept),
        cmocka_unit_test(
               rule_9_tracking_parameters_are_dropped_the_rest_stays_in_order),
        cmocka_unit_test(rule_9_knows_tracking_parameters_by_name_without_case),
        cmocka_unit_test(rule_10_what_is_dropped_has_a_limit),
        cmocka_unit_test(
                    rule_11_a_surt_that_would_be_longer_than_its_limit_is_cut),
        cmocka_unit_test(the_parts_of_a_surt_are_where_it_says),
        cmocka_unit_test(a_host_alone_is_written_as_in_the_surt),
        cmocka_unit_test(landings_are_paths_by_rules_5_to_9),
        cmocka_unit_test(landings_leave_out_the_named_arguments),
        cmocka_unit_test(
                      a_landing_over_the_limit_is_refused_and_nothing_written),
        cmocka_unit_test(the_longest_surt_fits),
        cmocka_unit_test(every_byte_is_treated_alike_at_every_place_of_a_run),
        cmocka_unit_test(
                       every_triplet_is_decoded_if_unreserved_else_upper_case),
        cmocka_unit_test(hosts_of_every_length_are_reversed),
        cmocka_unit_test(
                       random_encodings_are_those_of_the_rule_at_every_length),
        cmocka_unit_test(random_urls_are_cut_as_the_rules_say_at_every_limit),
        cmocka_unit_test(hostile_urls_are_cut_as_the_rules_say),
        cmocka_unit_test(random_surts_transform_to_themselves),
        cmocka_unit_test(a_path_longer_than_a_url_with_dots_is_cut),
        cmocka_unit_test(random_landings_equal_the_path_of_their_surt),
        cmocka_unit_test(
                      urls_that_differ_only_in_what_the_rules_level_are_equal)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
