/*
 * Identity: every spelling of a link has one key, what differs has another,
 * and what cannot be a link is refused with a reason.
 */

#include "rfl_identity.h"
#include "rfl_hash.h"
#include "rfl_pattern.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "guard.h"


typedef struct {
    rfl_match_type_t  type;
    const char       *source;
    const char       *target;
    const char       *text;          /* that the key is the hash of */
} identity_row_t;

typedef struct {
    rfl_match_type_t  type;
    const char       *source;
    const char       *target;
    const char       *message;
} refuse_row_t;

typedef struct {
    const char       *source;
    const char       *tag;
    rfl_match_type_t  wanted;
} guess_row_t;

typedef struct {
    rfl_match_type_t  type;
    const char       *source;
    const char       *target;
    const char       *tag;
    const char       *text;
} tag_row_t;

typedef struct {
    const char       *source;
    const char       *pattern;
} pattern_row_t;


#define EXACT   RFL_MATCH_EXACT
#define PREFIX  RFL_MATCH_PREFIX
#define HOST    RFL_MATCH_HOST
#define DOMAIN  RFL_MATCH_DOMAIN
#define REGEX   RFL_MATCH_REGEX
#define TAG     RFL_MATCH_TAG

/* b, u with diaeresis, cher */

#define BUECHER  "b\xc3\xbc" "cher"


/* Rows with the same text are spellings of one link. */

static const identity_row_t  identity_rows[] = {

    { EXACT, "https://blog.example/2024/launch", "/pricing",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "http://blog.example/2024/launch", "/pricing",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "blog.example/2024/launch", "/pricing",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "//blog.example/2024/launch", "/pricing",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "\t blog.example/2024/launch \r\n", " /pricing\n",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "HTTPS://WWW.Blog.Example./2024/launch", "/pricing",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "https://me:pw@blog.example:8443/2024/launch", "/pricing",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "blog.example:8443/2024/launch", "/pricing",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "https://blog.example/2024/launch/", "/pricing/",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "https://blog.example/2024/./x/../launch", "/a/../pricing",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "https://blog.example/2024/launch#top", "/pricing#plans",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "https://blog.example/2024/launch?utm_source=x&fbclid=1",
      "/pricing?utm_medium=y",
      "exact\nexample,blog)/2024/launch\n/pricing" },
    { EXACT, "https://blog.example/2024/%6caunch?", "/pric%69ng?",
      "exact\nexample,blog)/2024/launch\n/pricing" },

    { EXACT, "https://blog.example/2024/launch", "",
      "exact\nexample,blog)/2024/launch\n" },
    { EXACT, "https://blog.example/2024/launch", " \t",
      "exact\nexample,blog)/2024/launch\n" },
    { EXACT, "https://blog.example/2024/Launch", "",
      "exact\nexample,blog)/2024/Launch\n" },
    { EXACT, "https://blog.example", "/", "exact\nexample,blog)/\n/" },
    { EXACT, "blog.example/p?id=5&utm_source=x", "/p?id=5&ref=tag",
      "exact\nexample,blog)/p?id=5\n/p?id=5&ref=tag" },
    { EXACT, "blog.example/go?to=https://shop.example/", "",
      "exact\nexample,blog)/go?to=https://shop.example/\n" },
    { EXACT, "blog.example?to=https://shop.example/", "",
      "exact\nexample,blog)/?to=https://shop.example/\n" },
    { EXACT, "blog.example/caf\xc3\xa9", "/gr\xc3\xb6\xc3\x9f" "e",
      "exact\nexample,blog)/caf%C3%A9\n/gr%C3%B6%C3%9Fe" },
    { EXACT, "blog.example/a b", "", "exact\nexample,blog)/a%20b\n" },
    { EXACT, "https://n/a", "", "exact\nn)/a\n" },
    { HOST, "https://-/", "", "host\n-\n" },
    { EXACT, "ab/x", "", "exact\nab)/x\n" },
    { EXACT, "https/x", "", "exact\nhttps)/x\n" },
    { EXACT, "web.example/2020/https://blog.example/", "/AC / DC",
      "exact\nexample,web)/2020/https://blog.example\n/AC%20/%20DC" },
    { EXACT, "blog.example/go?a=1,https://shop.example", "",
      "exact\nexample,blog)/go?a=1,https://shop.example\n" },
    { EXACT, "https://web.example/web/*/blog.example/*", "/q?q=a /b",
      "exact\nexample,web)/web/*/blog.example/*\n/q?q=a%20/b" },
    { EXACT, "blog.example/a*", "", "exact\nexample,blog)/a*\n" },
    { EXACT, "blog.example/%2a", "", "exact\nexample,blog)/%2A\n" },
    { EXACT, "http://192.0.2.7:8080/x", "", "exact\n192.0.2.7)/x\n" },
    { EXACT, "http://[2001:DB8:0::1]/x", "", "exact\n[2001:db8::1])/x\n" },
    { EXACT, "http://[2001:db8::1]:80/x", "", "exact\n[2001:db8::1])/x\n" },
    { EXACT, "localhost:8080/x", "", "exact\nlocalhost)/x\n" },
    { EXACT, "android-app://com.example.reader/", "",
      "exact\nandroid-app:com.example.reader)/\n" },
    { EXACT, "android-app://com.example.reader/https/x", "",
      "exact\nandroid-app:com.example.reader)/\n" },

    /* hosts beyond ASCII */

    { EXACT, "https://" BUECHER ".example/x", "",
      "exact\nexample,xn--bcher-kva)/x\n" },
    { EXACT, "https://xn--bcher-kva.example/x", "",
      "exact\nexample,xn--bcher-kva)/x\n" },
    { EXACT, "XN--BCHER-KVA.example/x", "",
      "exact\nexample,xn--bcher-kva)/x\n" },
    { EXACT, "https://me@www.B\xc3\x9c" "CHER.Example.:443/x", "",
      "exact\nexample,xn--bcher-kva)/x\n" },
    { EXACT, "bu\xcc\x88" "cher.example/x", "",      /* not normalised */
      "exact\nexample,xn--bcher-kva)/x\n" },
    { EXACT, BUECHER "\xe3\x80\x82" "example/x", "", /* ideographic stop */
      "exact\nexample,xn--bcher-kva)/x\n" },
    { EXACT, "https://stra\xc3\x9f" "e.example/", "",  /* not "strasse" */
      "exact\nexample,xn--strae-oqa)/\n" },
    { EXACT, "\xe2\x98\x83.example/", "",              /* a snowman */
      "exact\nexample,xn--n3h)/\n" },
    { EXACT, "https://blog.example/x", "https://" BUECHER ".example/p",
      "exact\nexample,blog)/x\nexample,xn--bcher-kva)/p" },

    /* targets with a host */

    { EXACT, "blog.example/x", "https://WWW.Shop.Example:443/p/?utm_id=1#a",
      "exact\nexample,blog)/x\nexample,shop)/p" },
    { EXACT, "blog.example/x", "http://shop.example",
      "exact\nexample,blog)/x\nexample,shop)/" },
    { EXACT, "blog.example/x", "http://shop.example?a=b",
      "exact\nexample,blog)/x\nexample,shop)/?a=b" },
    { EXACT, "blog.example/x", "/go?to=https://shop.example/",
      "exact\nexample,blog)/x\n/go?to=https://shop.example/" },
    { EXACT, "blog.example/x", "http://[::1]/p",
      "exact\nexample,blog)/x\n[::1])/p" },

    { PREFIX, "https://blog.example/2024/", "",
      "prefix\nexample,blog)/2024\n" },
    { PREFIX, "blog.example/2024?utm_source=x", "",
      "prefix\nexample,blog)/2024\n" },
    { PREFIX, "blog.example", "/p", "prefix\nexample,blog)/\n/p" },

    { HOST, "news.example", "", "host\nexample,news\n" },
    { HOST, "www.news.example.", "", "host\nexample,news\n" },
    { HOST, "NEWS.example:8080", "", "host\nexample,news\n" },
    { HOST, "https://news.example/", "", "host\nexample,news\n" },
    { HOST, "https://news.example?utm_source=x#y", "",
      "host\nexample,news\n" },
    { HOST, "news.example", "/p", "host\nexample,news\n/p" },
    { HOST, "[2001:db8::1]", "", "host\n[2001:db8::1]\n" },
    { HOST, "192.0.2.7", "", "host\n192.0.2.7\n" },
    { HOST, "android-app://com.example.reader", "",
      "host\nandroid-app:com.example.reader\n" },
    { HOST, BUECHER ".example", "", "host\nexample,xn--bcher-kva\n" },

    { DOMAIN, "example", "", "domain\nexample\n" },
    { DOMAIN, "https://www.blog.example/", "", "domain\nexample,blog\n" },
    { DOMAIN, "a.b.c.d.e.f.g.h", "", "domain\nh,g,f,e,d,c,b,a\n" },

    /* of a regex link the host is levelled, the pattern never */

    { REGEX, "https://WWW.Blog.Example.:443/20\\d\\d/", "",
      "regex\nexample,blog)/20\\d\\d/\n" },
    { REGEX, "blog.example/20\\d\\d/", "",
      "regex\nexample,blog)/20\\d\\d/\n" },
    { REGEX, " //blog.example/20\\d\\d/ ", "",
      "regex\nexample,blog)/20\\d\\d/\n" },
    { REGEX, "blog.example/20\\d\\d", "/pricing/",
      "regex\nexample,blog)/20\\d\\d\n/pricing" },
    { REGEX, "blog.example/./a/../%6c?utm_source=x#y@z://", "",
      "regex\nexample,blog)/./a/../%6c?utm_source=x#y@z://\n" },
    { REGEX, "blog.example/", "", "regex\nexample,blog)/\n" },
    { REGEX, "blog.example//", "", "regex\nexample,blog)//\n" },
    { REGEX, "blog.example/caf\xc3\xa9", "",
      "regex\nexample,blog)/caf\xc3\xa9\n" },
    { REGEX, BUECHER ".example/x", "",
      "regex\nexample,xn--bcher-kva)/x\n" },
    { REGEX, "http://[2001:DB8:0::1]:80/x", "",
      "regex\n[2001:db8::1])/x\n" },
    { REGEX, "192.0.2.7/x", "", "regex\n192.0.2.7)/x\n" },
};


/* A tag is part of the key where it is all there is. */

static const tag_row_t  tag_rows[] = {
    { TAG, "", "", "partner42", "tag\n\n\npartner42" },
    { TAG, " ", " ", " partner42\n", "tag\n\n\npartner42" },
    { TAG, "", "/pricing/", "partner42", "tag\n\n/pricing\npartner42" },
    { TAG, "", "https://WWW.shop.example/p", "x",
      "tag\n\nexample,shop)/p\nx" },
    { TAG, "", "", "Partner%20+42", "tag\n\n\nPartner%20+42" },
    { EXACT, "blog.example/x", "/p", "partner42",
      "exact\nexample,blog)/x\n/p" },
    { REGEX, "blog.example/x", "", "partner42", "regex\nexample,blog)/x\n" },
};


static const pattern_row_t  pattern_rows[] = {
    { "blog.example/20\\d\\d/",       "/20\\d\\d/" },
    { " https://blog.example/x/y ",   "/x/y" },
    { "//blog.example/x",             "/x" },
    { "blog.example/a://b",           "/a://b" },
    { "[::1]/x",                      "/x" },
    { "blog.example/",                "/" },
    { "blog.example",                 "" },
    { "https://blog.example",         "" },
    { "https://",                     "" },
    { "//",                           "" },
    { "",                             "" },
};


static const refuse_row_t  slip_rows[] = {
    { HOST, "-", "", "source \"-\": is no URL; a host of that name" },
    { HOST, "--", "", "is no URL" },
    { EXACT, "N/A", "", "source \"N/A\": is no URL" },
    { EXACT, "https//blog.example/x", "", "lacks the \":\"" },
    { PREFIX, "HTTP//blog.example/", "", "lacks the \":\"" },
    { EXACT, "https://blog.example/a https://blog.example/b", "",
      "is more than one URL" },
    { EXACT, "https://blog.example/a, HTTP://blog.example/b", "",
      "is more than one URL" },
    { EXACT, "https://blog.example/a;https://blog.example/b", "",
      "is more than one URL" },
    { EXACT, "blog.example/a,https://blog.example/b", "",
      "is more than one URL" },
    { EXACT, "blog.example/x", "/a /b", "target \"/a /b\": is more than one" },
    { EXACT, "blog.example/x", "/a, /b", "is more than one page" },
    { EXACT, "blog.example/x", "https://shop.example/a,https://shop.example/b",
      "is more than one page" },
    { TAG, "", "/a /b", "is more than one page" },
    { EXACT, "blog.example/*", "", "a link from all pages below" },
    { PREFIX, "https://blog.example/2024/*", "", "without the \"*\"" }
};


static const refuse_row_t  refuse_rows[] = {

    { EXACT, "", "", "source \"\": a link needs a source" },
    { HOST, " \t", "", "source \"\": a link needs a source" },
    { EXACT, "ftp://blog.example/", "", "source \"ftp://blog.example/\": the "
      "scheme is not http, https or android-app" },
    { EXACT, "mailto:me@blog.example", "", "is a mail address" },
    { EXACT, "htp:/blog.example/x", "", "has a \":\" without a port" },
    { EXACT, "http:/blog.example/x", "", "has a \":\" without a port" },
    { EXACT, "blog.example:/x", "", "has a \":\" without a port" },
    { HOST, "me@blog.example", "", "source \"me@blog.example\": is a mail "
      "address" },
    { EXACT, "https://", "", "the host is missing" },
    { EXACT, "https:///path", "", "the host is missing" },
    { EXACT, "/pricing", "", "source \"/pricing\": the host is missing" },
    { EXACT, "?a=b", "", "the host is missing" },
    { EXACT, "blog..example/", "", "the host has an empty label" },
    { EXACT, "*.example/", "", "the host holds a byte" },
    { EXACT, "blog.example:99999/", "", "the port is greater than 65535" },
    { EXACT, "two words/", "", "white space" },
    { EXACT, "http://1.2.3/", "", "IPv4" },
    { EXACT, "http://[::1/", "", "no closing bracket" },

    { EXACT, "https://\xff\xfe.example/", "",
      "the host is no valid internationalized name" },
    { EXACT, "https://" BUECHER "..example/", "", NULL },
    { EXACT, "https://" BUECHER " x.example/", "", NULL },
    { EXACT, "\xe2\x80\xae.example/", "",  /* right-to-left override */
      "the host is no valid internationalized name" },

    /* full-width "/", "?", "#", "@" and ":" must not become ASCII ones */

    { EXACT, "https://shop.example\xef\xbc\x8f.evil.example/", "", NULL },
    { EXACT, "https://shop.example\xef\xbc\x9f.evil.example/", "", NULL },
    { EXACT, "https://shop.example\xef\xbc\x83.evil.example/", "", NULL },
    { EXACT, "https://me\xef\xbc\xa0shop.example/", "", NULL },
    { EXACT, "https://shop.example\xef\xbc\x9a" "80/", "", NULL },

    { PREFIX, "blog.example/p?id=5", "", "source \"blog.example/p?id=5\": the "
      "source of a prefix link has no query" },
    { HOST, "news.example/path", "", "has no path and no query" },
    { HOST, "news.example/?a=b", "", "has no path and no query" },
    { DOMAIN, "news.example/path", "", "has no path and no query" },
    { DOMAIN, "192.0.2.7", "", "the source of a domain link is a host name" },
    { DOMAIN, "[::1]", "", "the source of a domain link is a host name" },
    { DOMAIN, "android-app://com.example.reader/", "",
      "the source of a domain link is a host name" },
    { DOMAIN, "a.b.c.d.e.f.g.h.i", "", "has at most 8 labels" },

    { EXACT, "blog.example/x", "pricing", "target \"pricing\": a path begins "
      "with \"/\", a URL with \"https://\"" },
    { EXACT, "blog.example/x", "shop.example/p", "a path begins with \"/\"" },
    { EXACT, "blog.example/x", "?a=b", "a path begins with \"/\"" },
    { EXACT, "blog.example/x", "#a", "a path begins with \"/\"" },
    { EXACT, "blog.example/x", "*", "a path begins with \"/\"" },
    { EXACT, "blog.example/x", "ftp://shop.example/",
      "target \"ftp://shop.example/\": the scheme is not" },
    { EXACT, "blog.example/x", "https:///p", "target \"https:///p\": the host "
      "is missing" },
    { EXACT, "blog.example/x", "android-app://com.example.reader/",
      "is a page of a site, no app" },
    { EXACT, "blog.example/x", "https://\xff.example/",
      "target \"https://?.example/\": the host is no valid" },

    { REGEX, "", "", "source \"\": a link needs a source" },
    { REGEX, "blog.example", "", "is a host and a pattern" },
    { REGEX, "https://blog.example", "", "is a host and a pattern" },
    { REGEX, "blog.example?x/y", "", "is a host and a pattern" },
    { REGEX, "blog.example#x/y", "", "is a host and a pattern" },
    { REGEX, "/20\\d\\d/", "", "the host is missing" },
    { REGEX, ".*\\.example/x", "", NULL },
    { REGEX, "me@blog.example/x", "", "is a mail address" },
    { REGEX, "ftp://blog.example/x", "", "the scheme is not" },
    { REGEX, "android-app://com.example.reader/x", "", "is a site, no app" },
    { REGEX, "blog.example/^https://blog", "", "\"^\" cannot match" },
    { REGEX, "blog.example/^", "", "\"^\" cannot match" },
    { REGEX, "blog.example/x", "p", "a path begins with" },

    { TAG, "", "", "tag \"\": a tag link needs a tag" },
    { TAG, "blog.example", "", "source \"blog.example\": a tag link has no "
      "source" },

    { RFL_MATCH_TYPES, "blog.example/x", "", "match_type 6 is unknown" },
    { (rfl_match_type_t) -1, "blog.example/x", "", "match_type" }
};


static const guess_row_t  guess_rows[] = {
    { "news.example",           "", HOST },
    { " news.example\n",        "", HOST },
    { "news.example:8080",      "", HOST },
    { "[2001:db8::1]",          "", HOST },
    { BUECHER ".example",       "", HOST },
    { "news.example/",          "", EXACT },
    { "news.example/a",         "", EXACT },
    { "news.example?a",         "", EXACT },
    { "news.example#a",         "", EXACT },
    { "https://news.example",   "", EXACT },
    { "//news.example",         "", EXACT },
    { "",                       "", EXACT },
    { "",                       "partner42", TAG },
    { " ",                      "partner42", TAG },
    { "",                       " ", EXACT },
    { "news.example",           "partner42", HOST },
    { "news.example/a",         "partner42", EXACT }
};


static rfl_rc_t identify(rfl_match_type_t type, rfl_str_t source,
    rfl_str_t target, rfl_identity_t *id, rfl_error_t *err);
static rfl_rc_t identify_text(const identity_row_t *row, rfl_identity_t *id);
static void numbered(char *out, size_t n, const char *separator);


static rfl_identity_t  identity, other;


static void
every_spelling_of_a_link_has_its_key(void **state)
{
    size_t                 i;
    rfl_rc_t               rc;
    rfl_error_t            err;
    const identity_row_t  *row;

    for (i = 0; i < sizeof(identity_rows) / sizeof(identity_rows[0]); i++) {
        row = &identity_rows[i];
        err.text[0] = '\0';

        rc = identify(row->type, rfl_cstr(row->source), rfl_cstr(row->target),
                      &identity, &err);

        if (rc != RFL_OK
            || identity.key != rfl_hash(row->text, strlen(row->text)).low)
        {
            fail_msg("\"%s\" \"%s\": %.*s %.*s %s", row->source, row->target,
                     (int) identity.source.len,
                     (const char *) identity.source.buf,
                     (int) identity.target_len,
                     (const char *) identity.target, err.text);
        }
    }

    guard_free_all();
}


static void
links_that_differ_have_different_keys(void **state)
{
    size_t                 i, j;
    const identity_row_t  *a, *b;

    for (i = 0; i < sizeof(identity_rows) / sizeof(identity_rows[0]); i++) {
        a = &identity_rows[i];
        assert_int_equal(identify_text(a, &identity), RFL_OK);

        for (j = 0; j < i; j++) {
            b = &identity_rows[j];
            assert_int_equal(identify_text(b, &other), RFL_OK);

            if ((identity.key == other.key) != (strcmp(a->text, b->text) == 0))
            {
                fail_msg("\"%s\" and \"%s\"", a->source, b->source);
            }
        }
    }
}


/* It is in scripts and on other servers: this figure must never change. */

static void
a_key_is_the_same_for_ever(void **state)
{
    u_char  key[RFL_KEY_LEN];

    assert_int_equal(identify(EXACT,
                              rfl_cstr("https://blog.example/2024/launch"),
                              rfl_cstr("/pricing"), &identity, NULL),
                     RFL_OK);

    rfl_key_text(identity.key, key);
    assert_memory_equal(key, "5fabaef8b5fd5129", RFL_KEY_LEN);

    guard_free_all();
}


static void
the_parts_of_an_identity_are_told_apart(void **state)
{
    assert_int_equal(identify(EXACT, rfl_cstr("blog.example/a?b"),
                              rfl_cstr("https://shop.example/p?q=1"),
                              &identity, NULL),
                     RFL_OK);
    assert_int_equal(identity.target_has_host, 1);
    assert_int_equal(identity.target_has_query, 1);
    assert_int_equal(identity.segments, 0);
    assert_int_equal(identity.source.path_len, 2);

    assert_int_equal(identify(EXACT, rfl_cstr("blog.example/a"),
                              rfl_cstr("/p?utm_source=x"), &identity, NULL),
                     RFL_OK);
    assert_int_equal(identity.target_has_host, 0);
    assert_int_equal(identity.target_has_query, 0);
    assert_int_equal(identity.target_len, 2);

    assert_int_equal(identify(PREFIX, rfl_cstr("blog.example/a/b/"),
                              rfl_cstr(""), &identity, NULL),
                     RFL_OK);
    assert_int_equal(identity.target_has_host, 0);
    assert_int_equal(identity.target_has_query, 0);
    assert_int_equal(identity.target_len, 0);
    assert_int_equal(identity.segments, 2);

    assert_int_equal(identify(PREFIX, rfl_cstr("blog.example"), rfl_cstr(""),
                              &identity, NULL),
                     RFL_OK);
    assert_int_equal(identity.segments, 0);

    guard_free_all();
}


/* A link that is stored is told by its identity, whatever it was made of. */

static void
slips_are_refused_and_have_an_identity(void **state)
{
    size_t               i;
    rfl_link_t           link;
    rfl_error_t          err;
    const refuse_row_t  *row;

    for (i = 0; i < sizeof(slip_rows) / sizeof(slip_rows[0]); i++) {
        row = &slip_rows[i];

        memset(&link, 0, sizeof(rfl_link_t));
        link.match_type = row->type;
        link.source = rfl_cstr(row->source);
        link.target = rfl_cstr(row->target);
        link.tag = rfl_cstr(row->type == TAG ? "mail" : "");

        assert_int_equal(rfl_identity(&link, &identity, NULL), RFL_OK);
        assert_int_equal(rfl_identity_slip(&link, &err), RFL_INVALID);

        if (strstr(err.text, row->message) == NULL) {
            fail_msg("\"%s\" \"%s\" says: %s", row->source, row->target,
                     err.text);
        }
    }

    for (i = 0; i < sizeof(identity_rows) / sizeof(identity_rows[0]); i++) {
        memset(&link, 0, sizeof(rfl_link_t));
        link.match_type = identity_rows[i].type;
        link.source = rfl_cstr(identity_rows[i].source);
        link.target = rfl_cstr(identity_rows[i].target);

        if (rfl_identity_slip(&link, &err) != RFL_OK) {
            fail_msg("%s", err.text);
        }
    }

    /* what has no source is refused by rfl_identity() */

    memset(&link, 0, sizeof(rfl_link_t));
    link.match_type = EXACT;

    assert_int_equal(rfl_identity_slip(&link, &err), RFL_OK);
}


static void
what_cannot_be_a_link_is_refused_with_a_reason(void **state)
{
    size_t               i;
    rfl_error_t          err;
    const refuse_row_t  *row;

    for (i = 0; i < sizeof(refuse_rows) / sizeof(refuse_rows[0]); i++) {
        row = &refuse_rows[i];
        err.text[0] = '\0';

        if (identify(row->type, rfl_cstr(row->source), rfl_cstr(row->target),
                     &identity, &err)
            != RFL_INVALID)
        {
            fail_msg("\"%s\" \"%s\" was taken: %.*s", row->source, row->target,
                     (int) identity.source.len,
                     (const char *) identity.source.buf);
        }

        if (err.text[0] == '\0'
            || (row->message != NULL
                && strstr(err.text, row->message) == NULL))
        {
            fail_msg("\"%s\" \"%s\" says: %s", row->source, row->target,
                     err.text);
        }
    }

    guard_free_all();
}


static void
a_nul_in_a_host_ends_nothing(void **state)
{
    static const u_char  source[] = BUECHER "\0.example/";

    assert_int_equal(identify(EXACT, rfl_str(source, sizeof(source) - 1),
                              rfl_cstr(""), &identity, NULL),
                     RFL_INVALID);

    guard_free_all();
}


static void
a_prefix_has_up_to_16_segments(void **state)
{
    char         source[256];
    rfl_error_t  err;

    numbered(source, RFL_SEGMENTS_MAX, "/");

    assert_int_equal(identify(PREFIX, rfl_cstr(source), rfl_cstr(""),
                              &identity, NULL),
                     RFL_OK);
    assert_int_equal(identity.segments, RFL_SEGMENTS_MAX);

    numbered(source, RFL_SEGMENTS_MAX + 1, "/");

    assert_int_equal(identify(PREFIX, rfl_cstr(source), rfl_cstr(""),
                              &identity, &err),
                     RFL_INVALID);
    assert_non_null(strstr(err.text, "at most 16 path segments"));

    assert_int_equal(identify(EXACT, rfl_cstr(source), rfl_cstr(""),
                              &identity, NULL),
                     RFL_OK);

    guard_free_all();
}


static void
sources_and_targets_are_taken_up_to_4096_bytes(void **state)
{
    u_char       text[RFL_URL_MAX + 1];
    rfl_str_t    page;
    rfl_error_t  err;

    page = rfl_cstr("blog.example/x");

    /* 0xff: each becomes three bytes */

    memset(text, 0xff, sizeof(text));
    memcpy(text, "https://blog.example/", 21);

    assert_int_equal(identify(EXACT, rfl_str(text, RFL_URL_MAX),
                              rfl_str(text, RFL_URL_MAX), &identity, &err),
                     RFL_OK);
    assert_int_equal(identity.source.len, 14 + 3 * (RFL_URL_MAX - 21));
    assert_int_equal(identity.target_len, identity.source.len);

    assert_int_equal(identify(EXACT, rfl_str(text, RFL_URL_MAX + 1),
                              rfl_str(NULL, 0), &identity, &err),
                     RFL_INVALID);
    assert_non_null(strstr(err.text, "longer than 4096 bytes"));

    assert_int_equal(identify(EXACT, page, rfl_str(text, RFL_URL_MAX + 1),
                              &identity, &err),
                     RFL_INVALID);
    assert_non_null(strstr(err.text, "target"));
    assert_non_null(strstr(err.text, "longer than 4096 bytes"));

    /* a path alone */

    text[0] = '/';

    assert_int_equal(identify(EXACT, page, rfl_str(text + 20, 4077),
                              &identity, &err),
                     RFL_OK);

    memset(text, 0xff, sizeof(text));
    text[0] = '/';

    assert_int_equal(identify(EXACT, page, rfl_str(text, RFL_URL_MAX),
                              &identity, &err),
                     RFL_OK);
    assert_int_equal(identity.target_len, 3 * RFL_URL_MAX - 2);

    assert_int_equal(identify(EXACT, page, rfl_str(text, RFL_URL_MAX + 1),
                              &identity, &err),
                     RFL_INVALID);
    assert_non_null(strstr(err.text, "is longer than 4096 bytes"));

    guard_free_all();
}


static void
more_dots_and_empty_parameters_than_are_dropped_are_refused(void **state)
{
    char         text[256];
    int          extra;
    rfl_rc_t     rc;
    rfl_error_t  err;

    static const char  dots[] = "/./././." "/./././." "/./././." "/./././.";
    static const char  amps[] = "/p?a&" "&&&&&&&&" "&&&&&&&&" "b";

    for (extra = 0; extra < 2; extra++) {
        rc = extra ? RFL_INVALID : RFL_OK;

        (void) snprintf(text, sizeof(text), "https://blog.example%s%s", dots,
                        extra ? "/.x/p" : "/p");
        assert_int_equal(identify(EXACT, rfl_cstr(text), rfl_str(NULL, 0),
                                  &identity, &err), rc);

        (void) snprintf(text, sizeof(text), "https://blog.example%s%s", amps,
                        extra ? "&&c" : "&c");
        assert_int_equal(identify(EXACT, rfl_cstr(text), rfl_str(NULL, 0),
                                  &identity, &err), rc);

        (void) snprintf(text, sizeof(text), "%s%s", amps, extra ? "&&" : "");
        assert_int_equal(identify(EXACT, rfl_cstr("blog.example/x"),
                                  rfl_cstr(text), &identity, &err), rc);
    }

    assert_non_null(strstr(err.text, "target"));
    assert_non_null(strstr(err.text, "more than 16 segments"));

    guard_free_all();
}


/* The scheme that is assumed counts, since the result is a URL. */

static void
an_assumed_scheme_counts_for_the_limit(void **state)
{
    u_char  text[RFL_URL_MAX];

    memset(text, 'a', sizeof(text));
    memcpy(text, "blog.example/", 13);

    assert_int_equal(identify(EXACT, rfl_str(text, RFL_URL_MAX - 8),
                              rfl_str(NULL, 0), &identity, NULL),
                     RFL_OK);
    assert_int_equal(identify(EXACT, rfl_str(text, RFL_URL_MAX - 7),
                              rfl_str(NULL, 0), &identity, NULL),
                     RFL_INVALID);

    guard_free_all();
}


/* A host of 253 bytes fits with its trailing dot; no result overflows. */

static void
long_hosts_beyond_ascii_are_judged_by_their_ascii_form(void **state)
{
    char    host[1024];
    size_t  n;

    for (n = 1; n < 400; n++) {
        memset(host, 'a', n);
        memcpy(host + n, "\xc3\xbc.example.", 12);

        assert_int_equal(identify(HOST, rfl_cstr(host), rfl_cstr(""),
                                  &identity, NULL),
                         n + sizeof("xn---") - 1 + 3 <= RFL_LABEL_MAX
                         ? RFL_OK : RFL_INVALID);
    }

    guard_free_all();
}


static void
a_tag_is_part_of_the_key_of_a_tag_link_alone(void **state)
{
    size_t            i;
    rfl_link_t        link;
    rfl_error_t       err;
    const tag_row_t  *row;

    for (i = 0; i < sizeof(tag_rows) / sizeof(tag_rows[0]); i++) {
        row = &tag_rows[i];

        memset(&link, 0, sizeof(link));
        link.match_type = row->type;
        link.source = rfl_cstr(row->source);
        link.target = rfl_cstr(row->target);
        link.tag = rfl_str(guard_copy(row->tag, strlen(row->tag)),
                           strlen(row->tag));

        if (rfl_identity(&link, &identity, &err) != RFL_OK) {
            fail_msg("%s: %s", row->tag, err.text);
        }

        assert_int_equal(identity.key,
                         rfl_hash(row->text, strlen(row->text)).low);
        assert_true(rfl_str_eq(rfl_str(identity.tag, identity.tag_len),
                               rfl_str_trim(rfl_cstr(row->tag))));
        assert_int_equal(identity.source.len == 0, row->type == TAG);
    }

    guard_free_all();
}


static void
a_tag_has_up_to_128_bytes_and_survives_in_a_query(void **state)
{
    char         tag[RFL_TAG_MAX + 2];
    size_t       i;
    rfl_link_t   link;
    rfl_error_t  err;

    static const char *const  refused[] = { "a b", "a&b", "a=b", "a#b",
                                            "a\nb", "a\x7f" };

    memset(&link, 0, sizeof(link));
    memset(tag, 'x', sizeof(tag));

    link.match_type = TAG;
    link.tag = rfl_str(tag, RFL_TAG_MAX);
    assert_int_equal(rfl_identity(&link, &identity, &err), RFL_OK);
    assert_int_equal(identity.tag_len, RFL_TAG_MAX);

    link.tag = rfl_str(tag, RFL_TAG_MAX + 1);
    assert_int_equal(rfl_identity(&link, &identity, &err), RFL_INVALID);
    assert_non_null(strstr(err.text, "longer than 128 bytes"));

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        link.match_type = TAG;
        link.source = rfl_cstr("");
        link.tag = rfl_cstr(refused[i]);
        assert_int_equal(rfl_identity(&link, &identity, &err), RFL_INVALID);
        assert_non_null(strstr(err.text, "tag \"a"));

        link.match_type = HOST;
        link.source = rfl_cstr("news.example");
        assert_int_equal(rfl_identity(&link, &identity, &err), RFL_INVALID);
    }
}


static void
a_pattern_has_up_to_1024_bytes(void **state)
{
    u_char       source[12 + RFL_PATTERN_MAX + 1];
    rfl_error_t  err;

    memset(source, 'x', sizeof(source));
    memcpy(source, "blog.example/", 13);

    assert_int_equal(identify(REGEX, rfl_str(source, 12 + RFL_PATTERN_MAX),
                              rfl_str(NULL, 0), &identity, &err), RFL_OK);
    assert_int_equal(identity.source.host_len, 12);
    assert_int_equal(identity.source.path_start, 13);
    assert_int_equal(identity.source.path_len, RFL_PATTERN_MAX);

    assert_int_equal(identify(REGEX, rfl_str(source, sizeof(source)),
                              rfl_str(NULL, 0), &identity, &err),
                     RFL_INVALID);
    assert_non_null(strstr(err.text, "longer than 1024 bytes"));

    guard_free_all();
}


static void
the_pattern_is_cut_out_of_the_source(void **state)
{
    size_t                i, len;
    rfl_str_t             pattern;
    const pattern_row_t  *row;

    for (i = 0; i < sizeof(pattern_rows) / sizeof(pattern_rows[0]); i++) {
        row = &pattern_rows[i];
        len = strlen(row->source);

        pattern = rfl_identity_pattern(rfl_str(guard_copy(row->source, len),
                                               len));
        assert_true(rfl_str_eq(pattern, rfl_cstr(row->pattern)));
    }

    guard_free_all();
}


static void
the_match_type_meant_is_guessed(void **state)
{
    size_t              i;
    const guess_row_t  *row;

    for (i = 0; i < sizeof(guess_rows) / sizeof(guess_rows[0]); i++) {
        row = &guess_rows[i];

        assert_int_equal(rfl_identity_guess(
                             rfl_str(guard_copy(row->source,
                                                strlen(row->source)),
                                     strlen(row->source)),
                             rfl_str(guard_copy(row->tag, strlen(row->tag)),
                                     strlen(row->tag))),
                         row->wanted);
    }

    guard_free_all();
}


static rfl_rc_t
identify(rfl_match_type_t type, rfl_str_t source, rfl_str_t target,
    rfl_identity_t *id, rfl_error_t *err)
{
    rfl_link_t  link;

    memset(&link, 0, sizeof(link));
    link.match_type = type;
    link.source = rfl_str(guard_copy(source.data, source.len), source.len);
    link.target = rfl_str(guard_copy(target.data, target.len), target.len);

    return rfl_identity(&link, id, err);
}


static rfl_rc_t
identify_text(const identity_row_t *row, rfl_identity_t *id)
{
    rfl_link_t  link;

    memset(&link, 0, sizeof(link));
    link.match_type = row->type;
    link.source = rfl_cstr(row->source);
    link.target = rfl_cstr(row->target);

    return rfl_identity(&link, id, NULL);
}


/* "blog.example/1/2/3" */

static void
numbered(char *out, size_t n, const char *separator)
{
    size_t  i, len;

    len = (size_t) sprintf(out, "blog.example");

    for (i = 1; i <= n; i++) {
        len += (size_t) sprintf(out + len, "%s%zu", separator, i);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(every_spelling_of_a_link_has_its_key),
        cmocka_unit_test(links_that_differ_have_different_keys),
        cmocka_unit_test(a_key_is_the_same_for_ever),
        cmocka_unit_test(the_parts_of_an_identity_are_told_apart),
        cmocka_unit_test(slips_are_refused_and_have_an_identity),
        cmocka_unit_test(what_cannot_be_a_link_is_refused_with_a_reason),
        cmocka_unit_test(a_nul_in_a_host_ends_nothing),
        cmocka_unit_test(a_prefix_has_up_to_16_segments),
        cmocka_unit_test(sources_and_targets_are_taken_up_to_4096_bytes),
        cmocka_unit_test(
                  more_dots_and_empty_parameters_than_are_dropped_are_refused),
        cmocka_unit_test(an_assumed_scheme_counts_for_the_limit),
        cmocka_unit_test(
            long_hosts_beyond_ascii_are_judged_by_their_ascii_form),
        cmocka_unit_test(a_tag_is_part_of_the_key_of_a_tag_link_alone),
        cmocka_unit_test(a_tag_has_up_to_128_bytes_and_survives_in_a_query),
        cmocka_unit_test(a_pattern_has_up_to_1024_bytes),
        cmocka_unit_test(the_pattern_is_cut_out_of_the_source),
        cmocka_unit_test(the_match_type_meant_is_guessed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
