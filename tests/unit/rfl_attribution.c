/*
 * Which link a request is attributed to: a list of links, then rows of
 * request and wanted answer, each reasoned from the design's rules.
 */

#include <ctype.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "rfl_attribution.h"
#include "guard.h"


typedef struct {
    rfl_match_type_t  match_type;
    const char       *source;
    const char       *target;
    const char       *tag;
} entry_t;

typedef struct {
    const char       *referer;
    const char       *landing;
    rfl_outcome_t     outcome;
    rfl_evidence_t    evidence;
    int               link;          /* index in entries; -1: none; -2: group */
    int               other_landing;
    rfl_slot_kind_t   group;         /* its kind; 0: any */
} row_t;

typedef struct {
    const char       *site;          /* Sec-Fetch-Site */
    row_t             row;
} site_row_t;

typedef struct {
    const char       *referer;
    const char       *landing;
    const char       *location;
    int               follows;
} follow_row_t;


#define EXACT     RFL_MATCH_EXACT
#define PREFIX    RFL_MATCH_PREFIX
#define HOST      RFL_MATCH_HOST
#define DOMAIN    RFL_MATCH_DOMAIN
#define REGEX     RFL_MATCH_REGEX
#define TAG       RFL_MATCH_TAG

#define MATCHED(evidence, link)                                               \
    RFL_OUTCOME_MATCHED, RFL_EVIDENCE_##evidence, link, 0, 0
#define ELSEWHERE(evidence, link)                                             \
    RFL_OUTCOME_MATCHED, RFL_EVIDENCE_##evidence, link, 1, 0
#define GROUP                                                                 \
    RFL_OUTCOME_AMBIGUOUS, RFL_EVIDENCE_NONE, -2, 0, 0
#define GROUP_OF(kind)                                                        \
    RFL_OUTCOME_AMBIGUOUS, RFL_EVIDENCE_NONE, -2, 0, RFL_SLOT_##kind
#define NOTHING(outcome)                                                      \
    RFL_OUTCOME_##outcome, RFL_EVIDENCE_NONE, -1, 0, 0


#define DOTS_4   "/./././."
#define DOTS_16  DOTS_4 DOTS_4 DOTS_4 DOTS_4
#define AMPS_16  "&&&&&&&&" "&&&&&&&&"


static const entry_t  entries[] = {
    /*  0 */ { EXACT, "https://blog.example/2024/launch", "/pricing", NULL },
    /*  1 */ { EXACT, "https://blog.example/2024/other", "/features", NULL },
    /*  2 */ { EXACT, "https://blog.example/2024/both", "/a", NULL },
    /*  3 */ { EXACT, "https://blog.example/2024/both", "/b", NULL },
    /*  4 */ { EXACT, "https://blog.example/2024/both2", "/a", NULL },
    /*  5 */ { HOST, "news.example", "", NULL },
    /*  6 */ { DOMAIN, "example.org", "", NULL },
    /*  7 */ { DOMAIN, "deep.example.org", "", NULL },
    /*  8 */ { PREFIX, "https://forum.example/topics", "", NULL },
    /*  9 */ { PREFIX, "https://forum.example/topics/42", "/pricing", NULL },
    /* 10 */ { EXACT, "https://forum.example/topics/42/reply", "", NULL },
    /* 11 */ { EXACT, "https://one.example/page", "", NULL },
    /* 12 */ { EXACT, "https://two.example/page1", "", NULL },
    /* 13 */ { EXACT, "https://two.example/page2", "", NULL },
    /* 14 */ { EXACT, "https://home.example/", "/pricing", NULL },
    /* 15 */ { EXACT, "https://q.example/p", "/item?id=5", NULL },
    /* 16 */ { EXACT, "https://q.example/p2", "/item", NULL },
    /* 17 */ { EXACT, "https://q.example/p3", "https://shop.site/item", NULL },
    /* 18 */ { HOST, "multi.example", "/a", NULL },
    /* 19 */ { HOST, "multi.example", "/b", NULL },
    /* 20 */ { HOST, "multi.example", "", NULL },
    /* 21 */ { HOST, "pair.example", "/a", NULL },
    /* 22 */ { HOST, "pair.example", "/b", NULL },
    /* 23 */ { PREFIX, "https://root.example/", "", NULL },
    /* 24 */ { EXACT, "https://mixed.example/page", "/pricing", NULL },
    /* 25 */ { HOST, "mixed.example", "", NULL },
    /* 26 */ { EXACT, "http://192.0.2.7/x", "", NULL },
    /* 27 */ { EXACT, "https://three.example/p", "/a", NULL },
    /* 28 */ { EXACT, "https://three.example/p", "", NULL },

    /* tags: of one link, of several by page, by target, by nothing */

    /* 29 */ { TAG, "", "", "mail" },
    /* 30 */ { EXACT, "https://t1.example/p", "/a", "solo" },
    /* 31 */ { EXACT, "https://t2.example/p", "/a", "pair" },
    /* 32 */ { EXACT, "https://t3.example/p", "/b", "pair" },
    /* 33 */ { EXACT, "https://t3.example/q", "/b", NULL },
    /* 34 */ { TAG, "", "/t", "print" },
    /* 35 */ { TAG, "", "/u", "print" },
    /* 36 */ { TAG, "", "", "print" },
    /* 37 */ { HOST, "t4.example", "/a", "same" },
    /* 38 */ { HOST, "t5.example", "/a", "same" },
    /* 39 */ { HOST, "t6.example", "/b", "same" },
    /* 40 */ { DOMAIN, "t7.example", "", "bare" },
    /* 41 */ { PREFIX, "https://t8.example/x", "", "bare" },
    /* 42 */ { TAG, "", "/p?id=5", "query" },
    /* 43 */ { TAG, "", "/p", "query" },
    /* 44 */ { TAG, "", "https://shop.site/h", "hosted" },
    /* 45 */ { TAG, "", "https://other.site/h", "hosted" },
    /* 46 */ { TAG, "", "", "a%b+c" },

    /* regexes */

    /* 47 */ { REGEX, "https://r1.example/20\\d\\d/", "/a", NULL },
    /* 48 */ { REGEX, "r1.example/2024/", "/b", NULL },
    /* 49 */ { REGEX, "r1.example/20\\d\\d/", "/c", NULL },
    /* 50 */ { EXACT, "https://r1.example/2024/exact", "", NULL },
    /* 51 */ { PREFIX, "https://r1.example/", "/x", NULL },
    /* 52 */ { HOST, "r1.example", "", NULL },
    /* 53 */ { REGEX, "r2.example/[?&]id=\\d+$", "/r2", NULL },
    /* 54 */ { REGEX, "r2.example/(?i)FORUM/", "", NULL },
    /* 55 */ { REGEX, "[2001:db8::7]/x+$", "", NULL },
    /* 56 */ { REGEX, "r3.example/(a+)+$", "", NULL },
    /* 57 */ { REGEX, "r3.example/aaaa", "", NULL },
    /* 58 */ { REGEX, "r4.example/p\\.php\\?", "/a", "regextag" },

    /* apps */

    /* 59 */ { HOST, "android-app://com.example.reader", "", NULL },
    /* 60 */ { EXACT, "android-app://com.example.mail/", "/a", NULL },
    /* 61 */ { EXACT, "android-app://com.example.mail/", "/b", NULL },

    /* a target that is longer than those of the pages */

    /* 62 */ { TAG, "", "/a-longer-one/than-the-pages-have", "wide" },
    /* 63 */ { TAG, "", "/u", "wide" },
};


static const row_t  rows[] = {

    /* no Referer, no URL, our own */

    { "", "/pricing", NOTHING(DIRECT) },
    { "   ", "/pricing", NOTHING(DIRECT) },
    { "-", "/pricing", NOTHING(MALFORMED) },
    { "about:blank", "/pricing", NOTHING(MALFORMED) },
    { "ftp://blog.example/2024/launch", "/pricing", NOTHING(MALFORMED) },
    { "https://", "/pricing", NOTHING(MALFORMED) },
    { "https://shop.site/a", "/pricing", NOTHING(INTERNAL) },
    { "http://WWW.Shop.Site:8080/a", "/pricing", NOTHING(INTERNAL) },
    { "https://my.site/a", "/pricing", NOTHING(INTERNAL) },
    { "https://x.wild.site/a", "/pricing", NOTHING(INTERNAL) },
    { "https://wild.site/a", "/pricing", NOTHING(UNREGISTERED) },
    { "https://shop.site.evil.example/", "/", NOTHING(UNREGISTERED) },

    /* the registered page itself */

    { "https://blog.example/2024/launch", "/pricing", MATCHED(EXACT, 0) },
    { "http://WWW.blog.EXAMPLE./2024/launch/#c", "/pricing",
      MATCHED(EXACT, 0) },
    { "https://blog.example/2024/launch?utm_source=x", "/pricing",
      MATCHED(EXACT, 0) },
    { "https://blog.example/2024/launch", "/pricing?utm_source=x",
      MATCHED(EXACT, 0) },
    { "https://blog.example/2024/launch", "/pricing/", MATCHED(EXACT, 0) },
    { "https://blog.example/2024/launch", "/elsewhere", ELSEWHERE(EXACT, 0) },
    { "https://one.example/page", "/anything", MATCHED(EXACT, 11) },

    /* another page of a host with page links is another page's link */

    { "https://blog.example/2024/unknown", "/pricing",
      NOTHING(UNREGISTERED) },
    { "https://blog.example/2024/Launch", "/pricing",
      NOTHING(UNREGISTERED) },
    { "https://blog.example/2024/launch?page=2", "/pricing",
      NOTHING(UNREGISTERED) },

    /* several links at one page: the landing, else the group */

    { "https://blog.example/2024/both", "/a", MATCHED(EXACT, 2) },
    { "https://blog.example/2024/both", "/b", MATCHED(EXACT, 3) },
    { "https://blog.example/2024/both", "/c", GROUP },
    { "https://three.example/p", "/a", MATCHED(EXACT, 27) },
    { "https://three.example/p", "/b", MATCHED(EXACT, 28) },

    /* the origin only: host and landing */

    { "https://blog.example/", "/pricing", MATCHED(LANDING, 0) },
    { "https://blog.example", "/pricing", MATCHED(LANDING, 0) },
    { "https://blog.example/", "/features", MATCHED(LANDING, 1) },
    { "https://blog.example/", "/b", MATCHED(LANDING, 3) },
    { "https://blog.example/", "/a", GROUP },
    { "https://blog.example/", "/none", NOTHING(UNREGISTERED) },
    { "https://one.example/", "/anything", MATCHED(LANDING, 11) },
    { "https://two.example/", "/anything", GROUP },
    { "https://home.example/", "/pricing", MATCHED(LANDING, 14) },
    { "https://home.example/", "/other", NOTHING(UNREGISTERED) },
    { "https://home.example/?x=1", "/pricing", NOTHING(UNREGISTERED) },
    { "https://three.example/", "/b", MATCHED(LANDING, 28) },

    /* a target's query and host are needed; tracking and tags are not */

    { "https://q.example/", "/item?id=5", MATCHED(LANDING, 15) },
    { "https://q.example/", "/item?id=5&utm_medium=m", MATCHED(LANDING, 15) },
    { "https://q.example/", "/item?id=5&ref=p", MATCHED(LANDING, 15) },
    { "https://q.example/", "/item?ref=p&id=5", MATCHED(LANDING, 15) },
    { "https://q.example/", "/item?id=6", MATCHED(LANDING, 17) },
    { "https://q.example/", "/item", MATCHED(LANDING, 17) },
    { "https://q.example/", "/item/x", NOTHING(UNREGISTERED) },

    /* prefixes end at a segment */

    { "https://forum.example/topics", "/x", MATCHED(PREFIX, 8) },
    { "https://forum.example/topics/7", "/x", MATCHED(PREFIX, 8) },
    { "https://forum.example/topics?sort=new", "/x", MATCHED(PREFIX, 8) },
    { "https://forum.example/topicsx", "/x", NOTHING(UNREGISTERED) },
    { "https://forum.example/topics/42", "/pricing", MATCHED(PREFIX, 9) },
    { "https://forum.example/topics/42/7", "/pricing", MATCHED(PREFIX, 9) },
    { "https://forum.example/topics/42/7", "/x", ELSEWHERE(PREFIX, 9) },
    { "https://forum.example/topics/42/reply", "/x", MATCHED(EXACT, 10) },
    { "https://forum.example/topics/421", "/x", MATCHED(PREFIX, 8) },
    { "https://forum.example/", "/pricing", MATCHED(LANDING, 9) },
    { "https://forum.example/", "/x", GROUP },
    { "https://forum.example/topics/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
      "/x", MATCHED(PREFIX, 8) },
    { "https://root.example/any/page", "/x", MATCHED(PREFIX, 23) },
    { "https://root.example/", "/x", MATCHED(LANDING, 23) },

    /* longer than what is registered, until it is shorter again */

    { "https://forum.example/longer-than-any-of-it/../topics/42/reply", "/x",
      MATCHED(EXACT, 10) },
    { "https://forum.example/topics/42/reply/a-longer-one/..", "/x",
      MATCHED(EXACT, 10) },
    { "https://forum.example/topics/42/reply/a-longer-one/../..", "/x",
      ELSEWHERE(PREFIX, 9) },
    { "https://forum.example/topics/42/replys////", "/x",
      ELSEWHERE(PREFIX, 9) },
    { "https://forum.example/topics/42/reply////////////////", "/x",
      MATCHED(EXACT, 10) },
    { "https://forum.example/topics/42/reply?utm_source=x&gclid=y", "/x",
      MATCHED(EXACT, 10) },
    { "https://blog.example/", "/longer-than-any-target/../pricing",
      MATCHED(LANDING, 0) },
    { "https://q.example/", "/a-longer-one/than-the-pages-have?ref=wide",
      MATCHED(TAG, 62) },

    /* of more dots and empty parameters than are dropped nobody has a link */

    { "https://home.example" DOTS_16, "/pricing", MATCHED(EXACT, 14) },
    { "https://home.example" DOTS_16 "/.", "/pricing", NOTHING(UNREGISTERED) },
    { "https://root.example" DOTS_16 "/./x", "/x", MATCHED(PREFIX, 23) },
    { "https://q.example/", "/item?" AMPS_16 "id=5", MATCHED(LANDING, 15) },
    { "https://q.example/", "/item?" AMPS_16 "&id=5", MATCHED(LANDING, 17) },
    { "https://q.example/", "/item" DOTS_16 "/.?id=5", NOTHING(UNREGISTERED) },

    /* whole hosts and domains */

    { "https://news.example/", "/x", MATCHED(HOST, 5) },
    { "https://news.example/story?id=1", "/x", MATCHED(HOST, 5) },
    { "https://sub.news.example/", "/x", NOTHING(UNREGISTERED) },
    { "https://example.org/", "/x", MATCHED(DOMAIN, 6) },
    { "https://a.example.org/p", "/x", MATCHED(DOMAIN, 6) },
    { "https://deep.example.org/p", "/x", MATCHED(DOMAIN, 7) },
    { "https://a.b.deep.example.org/", "/x", MATCHED(DOMAIN, 7) },
    { "https://notexample.org/", "/x", NOTHING(UNREGISTERED) },
    { "https://org/", "/x", NOTHING(UNREGISTERED) },
    { "https://a.b.c.d.e.f.g.h.i.j.example.org/", "/x", MATCHED(DOMAIN, 6) },

    /* the host's page links come before the host */

    { "https://mixed.example/page", "/x", ELSEWHERE(EXACT, 24) },
    { "https://mixed.example/", "/pricing", MATCHED(LANDING, 24) },
    { "https://mixed.example/", "/x", MATCHED(HOST, 25) },
    { "https://mixed.example/unknown", "/pricing", MATCHED(HOST, 25) },

    /* several links at one host */

    { "https://multi.example/p", "/a", MATCHED(HOST, 18) },
    { "https://multi.example/", "/b", MATCHED(HOST, 19) },
    { "https://multi.example/", "/c", MATCHED(HOST, 20) },
    { "https://pair.example/", "/a", MATCHED(HOST, 21) },
    { "https://pair.example/", "/c", GROUP },

    /* addresses have no domains and are not reversed */

    { "http://192.0.2.7/x", "/x", MATCHED(EXACT, 26) },
    { "http://7.2.0.192/x", "/x", NOTHING(UNREGISTERED) },

    { "https://unknown.example/page", "/x", NOTHING(UNREGISTERED) },

    /* a tag needs no Referer, and no good one; our own pages come first */

    { "", "/x?ref=mail", MATCHED(TAG, 29) },
    { "-", "/x?ref=mail", MATCHED(TAG, 29) },
    { "https://unknown.example/", "/x?ref=mail", MATCHED(TAG, 29) },
    { "https://news.example/", "/x?ref=mail", MATCHED(TAG, 29) },
    { "https://blog.example/2024/launch", "/pricing?ref=mail",
      MATCHED(TAG, 29) },
    { "https://shop.site/", "/x?ref=mail", NOTHING(INTERNAL) },
    { "", "http://shop.site/x?ref=mail", MATCHED(TAG, 29) },
    { "", "?ref=mail", MATCHED(TAG, 29) },

    /* which argument, which value */

    { "", "/x?a=1&ref=mail&b=2", MATCHED(TAG, 29) },
    { "", "/x?via=mail", MATCHED(TAG, 29) },
    { "", "/x?r%65f=mail", MATCHED(TAG, 29) },
    { "", "/x?ref=%6d%61il", MATCHED(TAG, 29) },
    { "", "/x?&&ref=mail&", MATCHED(TAG, 29) },
    { "", "/x?ref=mail#frag", MATCHED(TAG, 29) },
    { "", "/x?ref=none&ref=mail", MATCHED(TAG, 29) },
    { "", "/x?ref=&ref=mail", MATCHED(TAG, 29) },
    { "", "/x?ref&ref=mail", MATCHED(TAG, 29) },
    { "", "/x?ref=mail&ref=solo", MATCHED(TAG, 29) },
    { "", "/x?ref=solo&ref=mail", MATCHED(TAG, 30) },
    { "", "/x?via=solo&ref=mail", MATCHED(TAG, 30) },
    { "", "/x?ref=Mail", NOTHING(DIRECT) },
    { "", "/x?REF=mail", NOTHING(DIRECT) },
    { "", "/x?refs=mail", NOTHING(DIRECT) },
    { "", "/x?re=mail", NOTHING(DIRECT) },
    { "", "/x?xref=mail", NOTHING(DIRECT) },
    { "", "/x?ref=mails", NOTHING(DIRECT) },
    { "", "/x?ref=mail%20", NOTHING(DIRECT) },
    { "", "/x?ref=mail%00", NOTHING(DIRECT) },
    { "", "/x?ref=mail;b=2", NOTHING(DIRECT) },
    { "", "/x/ref=mail", NOTHING(DIRECT) },
    { "", "/x?ref=", NOTHING(DIRECT) },
    { "", "/x?ref", NOTHING(DIRECT) },
    { "", "/x?", NOTHING(DIRECT) },
    { "-", "/x?ref=unknown", NOTHING(MALFORMED) },
    { "https://news.example/", "/x?ref=unknown", MATCHED(HOST, 5) },
    { "", "/x?ref=a%b+c", MATCHED(TAG, 46) },
    { "", "/x?ref=a%25b%2Bc", MATCHED(TAG, 46) },
    { "", "/x?ref=a%25b%2bc", MATCHED(TAG, 46) },
    { "", "/x?ref=a%25b%20c", NOTHING(DIRECT) },
    { "", "/x?ref=a%25b c", NOTHING(DIRECT) },

    /* a link of another type is found by its tag, too */

    { "", "/x?ref=solo", MATCHED(TAG, 30) },
    { "https://t1.example/p", "/a", MATCHED(EXACT, 30) },
    { "https://t1.example/p", "/x?ref=solo", MATCHED(TAG, 30) },
    { "https://r4.example/p.php?x", "/a?ref=regextag", MATCHED(TAG, 58) },
    { "https://r4.example/p.php?x", "/a", MATCHED(REGEX, 58) },

    /* several links: the Referer, if its link has the tag */

    { "https://t2.example/p", "/a?ref=pair", MATCHED(TAG, 31) },
    { "https://t2.example/p", "/b?ref=pair", MATCHED(TAG, 31) },
    { "https://t3.example/p", "/a?ref=pair", MATCHED(TAG, 32) },
    { "https://t2.example/", "/a?ref=pair", MATCHED(TAG, 31) },
    { "https://t7.example/", "/a?ref=bare", MATCHED(TAG, 40) },
    { "https://www.sub.t7.example/q", "/?ref=bare", MATCHED(TAG, 40) },
    { "https://t8.example/x/y", "/?ref=bare", MATCHED(TAG, 41) },
    { "https://t5.example/", "/b?ref=same", MATCHED(TAG, 38) },

    /* else the landing */

    { "", "/a?ref=pair", MATCHED(TAG, 31) },
    { "", "/b?ref=pair", MATCHED(TAG, 32) },
    { "-", "/b?ref=pair", MATCHED(TAG, 32) },
    { "https://unknown.example/", "/b?ref=pair", MATCHED(TAG, 32) },
    { "https://t3.example/q", "/b?ref=pair", MATCHED(TAG, 32) },
    { "https://t3.example/", "/b?ref=pair", MATCHED(TAG, 32) },
    { "https://news.example/", "/a?ref=pair", MATCHED(TAG, 31) },
    { "", "/t?ref=print", MATCHED(TAG, 34) },
    { "", "/u?ref=print&utm_source=x", MATCHED(TAG, 35) },
    { "", "/v?ref=print", MATCHED(TAG, 36) },
    { "", "/p?id=5&ref=query", MATCHED(TAG, 42) },
    { "", "/p?id=6&ref=query", MATCHED(TAG, 43) },
    { "", "/h?ref=hosted", MATCHED(TAG, 44) },

    /* else a group: of those with this target, with none, with this tag */

    { "", "/c?ref=pair", GROUP_OF(TAG) },
    { "https://unknown.example/p", "/c?ref=pair", GROUP_OF(TAG) },
    { "https://t3.example/q", "/c?ref=pair", GROUP_OF(TAG) },
    { "", "/a?ref=same", GROUP_OF(TAG_TARGET) },
    { "", "/c?ref=same", GROUP_OF(TAG) },
    { "", "/b?ref=same", MATCHED(TAG, 39) },
    { "", "/b?ref=bare", GROUP_OF(TAG_TARGET) },
    { "", "/i?ref=hosted", GROUP_OF(TAG) },

    /* patterns: behind exact, before prefix; the one registered first */

    { "https://r1.example/2023/x", "/a", MATCHED(REGEX, 47) },
    { "http://WWW.R1.example:8080/2023/x?q#f", "/a", MATCHED(REGEX, 47) },
    { "https://r1.example/a/2023/x", "/a", MATCHED(REGEX, 47) },
    { "https://r1.example/?next=/2023/x", "/a", MATCHED(REGEX, 47) },
    { "  https://r1.example/2023/x ", "/a", MATCHED(REGEX, 47) },
    { "https://r1.example/2023", "/a", ELSEWHERE(PREFIX, 51) },
    { "https://r1.example/2024/exact", "/a", MATCHED(EXACT, 50) },
    { "https://r1.example/202x/", "/x", MATCHED(PREFIX, 51) },
    { "https://r2.example/?id=5", "/r2", MATCHED(REGEX, 53) },
    { "https://r2.example/?id=5&x", "/r2", NOTHING(UNREGISTERED) },
    { "https://r2.example/?id=5", "/x", ELSEWHERE(REGEX, 53) },
    { "https://r2.example/Forum/", "/x", MATCHED(REGEX, 54) },
    { "https://sub.r2.example/forum/", "/x", NOTHING(UNREGISTERED) },
    { "http://[2001:DB8:0::7]/xx", "/x", MATCHED(REGEX, 55) },

    /* one pattern, several targets: as links at one page */

    { "https://r1.example/2023/x", "/c", MATCHED(REGEX, 49) },
    { "https://r1.example/2024/x", "/c", MATCHED(REGEX, 49) },
    { "https://r1.example/2024/x", "/b", GROUP_OF(PATTERN) },

    /* regex links are page links: an origin finds them by their target */

    { "https://r1.example/", "/a", MATCHED(LANDING, 47) },
    { "https://r1.example/", "/b", MATCHED(LANDING, 48) },
    { "https://r1.example/", "/nowhere", MATCHED(LANDING, 50) },
    { "https://r2.example/", "/r2", MATCHED(LANDING, 53) },
    { "https://r2.example/", "/x", MATCHED(LANDING, 54) },

    /* apps: their path says nothing */

    { "android-app://com.example.reader/", "/x", MATCHED(HOST, 59) },
    { "android-app://COM.Example.Reader/https/blog.example/p", "/x",
      MATCHED(HOST, 59) },
    { "android-app://com.example.reader", "/x?ref=mail", MATCHED(TAG, 29) },
    { "android-app://com.example.mail/", "/a", MATCHED(EXACT, 60) },
    { "android-app://com.example.mail/x?y", "/b", MATCHED(EXACT, 61) },
    { "android-app://com.example.mail", "/c", GROUP_OF(PAGE) },
    { "android-app://com.example", "/a", NOTHING(UNREGISTERED) },
    { "android-app://shop.site/", "/a", NOTHING(UNREGISTERED) },
    { "https://com.example.reader/", "/a", NOTHING(UNREGISTERED) },
};


/* Without a Referer, Fetch Metadata tell where it came from. */

static const site_row_t  site_rows[] = {
    { "cross-site", { "", "/a", NOTHING(HIDDEN) } },
    { " cross-site ", { " ", "/a", NOTHING(HIDDEN) } },
    { "same-origin", { "", "/a", NOTHING(INTERNAL) } },
    { "same-site", { "", "/a", NOTHING(INTERNAL) } },
    { "none", { "", "/a", NOTHING(DIRECT) } },
    { "", { "", "/a", NOTHING(DIRECT) } },
    { "cross-sites", { "", "/a", NOTHING(DIRECT) } },
    { "same-origin", { "-", "/a", NOTHING(MALFORMED) } },
    { "same-origin", { "https://unknown.example/", "/a",
                       NOTHING(UNREGISTERED) } },
    { "same-site", { "https://news.example/", "/a", MATCHED(HOST, 5) } },
    { "cross-site", { "https://shop.site/", "/a", NOTHING(INTERNAL) } },
    { "cross-site", { "", "/x?ref=mail", MATCHED(TAG, 29) } },
    { "none", { "", "/x?ref=mail", MATCHED(TAG, 29) } },
    { "same-origin", { "", "/x?ref=mail", NOTHING(INTERNAL) } },
    { "same-site", { "", "/x?ref=mail", NOTHING(INTERNAL) } },
    { "cross-site", { "", "/x?none=1", NOTHING(HIDDEN) } },
};


static const follow_row_t  follow_rows[] = {

    /* where Location leads: the landing's own host, or a server's */

    { "https://blog.example/", "/old", "/pricing", 1 },
    { "https://blog.example/", "/old", " /pricing\t", 1 },
    { "https://blog.example/", "/old", "/pricing/", 1 },
    { "https://blog.example/", "/old", "/pric%69ng", 1 },
    { "https://blog.example/", "/old", "/x/../pricing", 1 },
    { "https://blog.example/", "/old", "/pricing?utm_source=x#plans", 1 },
    { "https://blog.example/", "/old", "/none", 0 },
    { "https://blog.example/", "/old", "https://shop.site/pricing", 1 },
    { "https://blog.example/", "/old", "http://SHOP.site:8080/pricing", 1 },
    { "https://blog.example/", "/old", "HTTPS://www.shop.site./pricing", 1 },
    { "https://blog.example/", "/old", "https://me:pw@shop.site/pricing", 1 },
    { "https://blog.example/", "/old", "//shop.site/pricing", 1 },
    { "https://blog.example/", "/old", "//shop.site:8443/pricing", 1 },
    { "https://blog.example/", "/old", "//server.site/pricing", 1 },
    { "https://blog.example/", "/old", "//a.wild.server.site/pricing", 1 },
    { "https://blog.example/", "/old", "//wild.server.site/pricing", 0 },
    { "https://blog.example/", "/old", "//other.site/pricing", 0 },
    { "https://blog.example/", "/old", "https://shop.site.evil/pricing", 0 },
    { "https://blog.example/", "/old", "https://shop.site@evil/pricing", 0 },
    { "https://blog.example/", "/old", "https:///pricing", 0 },
    { "https://blog.example/", "/old", "https://", 0 },
    { "https://blog.example/", "/old", "//", 0 },
    { "https://blog.example/", "/old", "https:/pricing", 0 },
    { "https://blog.example/", "/old", "/\\shop.site/pricing", 0 },
    { "https://blog.example/", "/old", "\\\\shop.site/pricing", 0 },
    { "https://blog.example/", "/old", "/x\\..\\pricing", 0 },
    { "https://blog.example/", "/old", "/pri\tcing", 0 },
    { "https://blog.example/", "/old", "https://sh\top.site/pricing", 0 },
    { "https://blog.example/", "/old", "https:\\\\shop.site/pricing", 0 },
    { "https://blog.example/", "/old", "ftp://shop.site/pricing", 0 },
    { "https://blog.example/", "/old", "mailto:pricing", 0 },
    { "https://blog.example/", "/old", "android-app://shop.site/", 0 },
    { "https://blog.example/", "/old", "", 0 },
    { "https://blog.example/", "/old", "  ", 0 },

    /* relative to the landing */

    { "https://blog.example/", "/old", "pricing", 1 },
    { "https://blog.example/", "/", "pricing", 1 },
    { "https://blog.example/", "/a/old", "pricing", 0 },
    { "https://blog.example/", "/a/old", "../pricing", 1 },
    { "https://blog.example/", "/a/b/old?x=/y/z", "../../pricing", 1 },
    { "https://blog.example/", "/a/b/", "../../pricing", 1 },
    { "https://blog.example/", "/a/", "./../../../pricing", 1 },
    { "https://blog.example/", "http://shop.site/a/old", "../pricing", 1 },
    { "https://blog.example/", "*", "pricing", 1 },
    { "https://blog.example/", "/old", "pricing?a:b", 1 },
    { "https://blog.example/", "/old", "./pricing", 1 },
    { "https://blog.example/", "/pricing", "?lang=de", 1 },
    { "https://blog.example/", "/pricing?x=1", "?lang=de", 1 },
    { "https://blog.example/", "/old", "?lang=de", 0 },
    { "https://blog.example/", "/pricing?x", "#top", 1 },
    { "https://blog.example/", "/old", "#pricing", 0 },
    { "https://q.example/", "/item?x=1", "?id=5", 1 },

    /* what the next request brings: the same Referer, another landing */

    { "https://news.example/", "/old", "/anything", 1 },
    { "https://news.example/", "/old", "/pri\tcing", 1 },
    { "https://news.example/", "/old", "/x\\y", 1 },
    { "https://news.example/", "/old", "\\pricing", 0 },
    { "https://news.example/", "/old", "/\\pricing", 0 },
    { "https://news.example/", "/old", "https:\\\\shop.site/pricing", 0 },
    { "https://news.example/", "/old", "https://shop.site\\pricing", 0 },
    { "https://news.example/", "/old", "https://sh\top.site/pricing", 0 },
    { "https://blog.example/", "/old", "/a", 1 },        /* ambiguous */
    { "https://unknown.example/", "/old", "/pricing", 0 },
    { "", "/old", "/pricing", 0 },
    { "", "/old?ref=mail", "/new", 0 },
    { "", "/old?ref=mail", "/new?ref=mail", 1 },
    { "", "/old", "https://shop.site?ref=mail", 1 },
    { "-", "/old", "/pricing", 0 },
    { "https://shop.site/", "/old", "/pricing", 0 },
    { "https://server.site/", "/old", "//server.site/x?ref=mail", 0 },
    { "https://q.example/", "/old", "//server.site/item", 1 },
    { "https://q.example/", "/old", "//server.site/item?id=5", 1 },
    { "https://r2.example/?id=5", "/old", "/new", 1 },
};


static char             dir[] = "/tmp/rfl-XXXXXX";
static rfl_registry_t  *registry;
static rfl_patterns_t  *patterns;
static uint32_t         ids[sizeof(entries) / sizeof(entries[0])];


static int
setup(void **state)
{
    size_t       i;
    rfl_link_t   link;
    rfl_error_t  err;

    assert_non_null(mkdtemp(dir));
    assert_int_equal(rfl_registry_open(&registry, dir, RFL_STORE_CREATE,
                                       64 << 20, &err), RFL_OK);
    assert_int_equal(rfl_registry_begin(registry, 1, &err), RFL_OK);

    for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        memset(&link, 0, sizeof(rfl_link_t));
        link.match_type = entries[i].match_type;
        link.source = rfl_cstr(entries[i].source);
        link.target = rfl_cstr(entries[i].target);

        if (entries[i].tag != NULL) {
            link.tag = rfl_cstr(entries[i].tag);
        }

        if (rfl_registry_add(registry, &link, 1, &err) != RFL_OK) {
            fail_msg("%s: %s", entries[i].source, err.text);
        }

        ids[i] = link.id;
    }

    assert_int_equal(rfl_registry_commit(registry, &err), RFL_OK);

    patterns = rfl_patterns_create(16);
    assert_non_null(patterns);

    return 0;
}


static int
teardown(void **state)
{
    char  command[64];

    rfl_patterns_free(patterns);
    rfl_registry_close(registry);
    (void) snprintf(command, sizeof(command), "rm -rf %s", dir);

    return system(command);
}


static rfl_str_t
guarded(const char *text)
{
    return rfl_str(guard_copy(text, strlen(text)), strlen(text));
}


static void
make_request(rfl_request_t *request, const char *referer, const char *landing,
    const char *site)
{
    static const rfl_str_t        names[] = {
        rfl_string("ref"),
        rfl_string("via")
    };
    static const rfl_names_t      tags = { names, 2 };
    static const rfl_own_host_t   hosts[] = {
        { rfl_string("my.site"), 0 },
        { rfl_string(".wild.site"), 1 }
    };
    static const rfl_own_hosts_t  own = { hosts, 2 };

    memset(request, 0, sizeof(rfl_request_t));

    request->referer = guarded(referer);
    request->landing = guarded(landing);
    request->host = rfl_cstr("shop.site");
    request->own_hosts = &own;
    request->tag_names = &tags;
    request->patterns = patterns;

    if (site != NULL) {
        request->sec_fetch_site = guarded(site);
    }
}


static void
attribute(rfl_registry_t *from, const row_t *row, const char *site,
    rfl_attribution_t *a, const rfl_trace_t *trace)
{
    rfl_request_t  request;

    make_request(&request, row->referer, row->landing, site);
    rfl_attribute(from, &request, a, trace);

    guard_free_all();
}


static int
is_group(uint32_t id, rfl_slot_kind_t kind)
{
    rfl_rc_t     rc;
    rfl_group_t  group;

    assert_int_equal(rfl_registry_begin(registry, 0, NULL), RFL_OK);
    rc = rfl_registry_group(registry, id, &group);
    rfl_registry_end(registry);

    return rc == RFL_OK && (kind == 0 || group.kind == kind);
}


static void
assert_row(const row_t *row, const char *site)
{
    uint32_t           id;
    rfl_attribution_t  a;

    attribute(registry, row, site, &a, NULL);

    id = row->link >= 0 ? ids[row->link] : 0;

    if (a.outcome != row->outcome || a.evidence != row->evidence
        || (row->link != -2 && a.id != id)
        || (row->link == -2 && !is_group(a.id, row->group))
        || (int) a.other_landing != row->other_landing
        || a.lookup_failed)
    {
        fail_msg("\"%s\" -> %s: outcome %d evidence %d id %u other %d, wanted "
                 "%d %d %u %d", row->referer, row->landing, a.outcome,
                 a.evidence, a.id, a.other_landing, row->outcome,
                 row->evidence, id, row->other_landing);
    }
}


static void
test_table(void **state)
{
    size_t  i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_row(&rows[i], NULL);
    }

    for (i = 0; i < sizeof(site_rows) / sizeof(site_rows[0]); i++) {
        assert_row(&site_rows[i].row, site_rows[i].site);
    }
}


static void
test_group_is_the_one_the_links_share(void **state)
{
    rfl_group_t        group;
    rfl_attribution_t  a;

    static const row_t  row = { "https://blog.example/", "/a", GROUP };

    attribute(registry, &row, NULL, &a, NULL);

    assert_int_equal(rfl_registry_begin(registry, 0, NULL), RFL_OK);
    assert_int_equal(rfl_registry_group(registry, a.id, &group), RFL_OK);
    assert_int_equal(group.links, 2);
    assert_int_equal(group.kind, RFL_SLOT_LANDING);
    rfl_registry_end(registry);
}


static void
test_without_a_registry_is_a_lookup_error(void **state)
{
    rfl_attribution_t  a;

    static const row_t  external = { "https://blog.example/", "/a", GROUP };
    static const row_t  internal = { "https://shop.site/", "/a", GROUP };

    attribute(NULL, &external, NULL, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_UNREGISTERED);
    assert_true(a.lookup_failed);

    attribute(NULL, &internal, NULL, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_INTERNAL);
    assert_false(a.lookup_failed);
}


static void
count_step(void *data, const char *text)
{
    assert_true(strlen(text) > 0);
    ++*(int *) data;
}


static void
test_explaining_changes_no_answer(void **state)
{
    int                steps;
    size_t             i;
    rfl_trace_t        trace;
    rfl_attribution_t  with, without;

    trace.step = count_step;
    trace.data = &steps;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        steps = 0;
        attribute(registry, &rows[i], NULL, &with, &trace);
        attribute(registry, &rows[i], NULL, &without, NULL);

        assert_true(steps > 0);
        assert_int_equal(with.outcome, without.outcome);
        assert_int_equal(with.evidence, without.evidence);
        assert_int_equal(with.id, without.id);
        assert_int_equal(with.other_landing, without.other_landing);
    }
}


static void
test_the_cache_of_patterns_changes_no_answer(void **state)
{
    size_t           i, max;
    rfl_patterns_t  *own;

    own = patterns;

    for (max = 0; max < 4; max++) {
        patterns = max != 0 ? rfl_patterns_create(max) : NULL;
        assert_true((patterns != NULL) == (max != 0));

        for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            assert_row(&rows[i], NULL);
            assert_row(&rows[i], NULL);
        }

        rfl_patterns_free(patterns);
    }

    patterns = own;
}


/* The next pattern is tried all the same. */

static void
test_a_pattern_at_its_limit_is_a_miss_that_is_told(void **state)
{
    char               referer[256];
    row_t              row = { referer, "/x", NOTHING(UNREGISTERED) };
    size_t             len;
    rfl_attribution_t  a;

    len = (size_t) snprintf(referer, sizeof(referer), "https://r3.example/");
    memset(referer + len, 'a', sizeof(referer) - len);
    strcpy(referer + sizeof(referer) - 2, "!");

    attribute(registry, &row, NULL, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_MATCHED);
    assert_int_equal(a.id, ids[57]);
    assert_true(a.regex_limit);
    assert_false(a.lookup_failed);

    /* and also where another link is found by its tag */

    strcpy(referer + len + 60, "!");
    row.landing = "/x?ref=pair";
    attribute(registry, &row, NULL, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_AMBIGUOUS);
    assert_true(a.regex_limit);

    row.landing = "/x?ref=mail";
    attribute(registry, &row, NULL, &a, NULL);
    assert_int_equal(a.id, ids[29]);
    assert_false(a.regex_limit);

    strcpy(referer, "https://r3.example/b");
    attribute(registry, &row, NULL, &a, NULL);
    assert_false(a.regex_limit);
}


static void
test_of_many_tag_arguments_the_first_16_are_tried(void **state)
{
    char               landing[512];
    row_t              row = { "", landing, NOTHING(DIRECT) };
    size_t             i, n;
    rfl_attribution_t  a;

    for (n = RFL_TAGS_TRIED - 1; n <= RFL_TAGS_TRIED; n++) {
        strcpy(landing, "/x?");

        for (i = 0; i < n; i++) {
            strcat(landing, "ref=none&other=mail&");
        }

        strcat(landing, "ref=mail");

        attribute(registry, &row, NULL, &a, NULL);
        assert_int_equal(a.outcome, n < RFL_TAGS_TRIED ? RFL_OUTCOME_MATCHED
                                                       : RFL_OUTCOME_DIRECT);
    }
}


static void
test_a_tag_has_up_to_128_bytes(void **state)
{
    char               tag[RFL_TAG_MAX + 2], landing[512];
    row_t              row = { "", landing, NOTHING(DIRECT) };
    size_t             i, n;
    rfl_link_t         link;
    rfl_error_t        err;
    rfl_attribution_t  a;

    memset(tag, 'x', sizeof(tag));
    tag[RFL_TAG_MAX + 1] = '\0';

    memset(&link, 0, sizeof(rfl_link_t));
    link.match_type = TAG;
    link.tag = rfl_str(tag, RFL_TAG_MAX);

    assert_int_equal(rfl_registry_begin(registry, 1, &err), RFL_OK);
    assert_int_equal(rfl_registry_add(registry, &link, 1, &err), RFL_OK);
    assert_int_equal(rfl_registry_commit(registry, &err), RFL_OK);

    for (n = RFL_TAG_MAX; n <= RFL_TAG_MAX + 1; n++) {
        strcpy(landing, "/x?ref=");

        for (i = 0; i < n; i++) {
            strcat(landing, i % 2 ? "x" : "%78");
        }

        attribute(registry, &row, NULL, &a, NULL);
        assert_int_equal(a.outcome, n == RFL_TAG_MAX ? RFL_OUTCOME_MATCHED
                                                     : RFL_OUTCOME_DIRECT);
    }

    assert_int_equal(rfl_registry_begin(registry, 1, &err), RFL_OK);
    assert_int_equal(rfl_registry_remove(registry, link.key, &err), RFL_OK);
    assert_int_equal(rfl_registry_commit(registry, &err), RFL_OK);
}


static void
test_a_tag_without_a_registry_is_a_lookup_error(void **state)
{
    rfl_attribution_t  a;

    static const row_t  tag = { "", "/?ref=x", NOTHING(HIDDEN) };
    static const row_t  malformed = { "-", "/?ref=x", NOTHING(MALFORMED) };
    static const row_t  none = { "", "/?refs=x", NOTHING(DIRECT) };
    static const row_t  no_query = { "", "/", NOTHING(DIRECT) };

    attribute(NULL, &tag, "cross-site", &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_HIDDEN);
    assert_true(a.lookup_failed);

    attribute(NULL, &malformed, NULL, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_MALFORMED);
    assert_true(a.lookup_failed);

    attribute(NULL, &none, NULL, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_DIRECT);
    assert_false(a.lookup_failed);

    attribute(NULL, &no_query, NULL, &a, NULL);
    assert_int_equal(a.outcome, RFL_OUTCOME_DIRECT);
    assert_false(a.lookup_failed);
}


static void
test_a_redirect_is_followed_to_what_is_ours(void **state)
{
    size_t               i;
    rfl_request_t        request;
    const follow_row_t  *row;

    static const rfl_own_host_t   hosts[] = {
        { rfl_string("server.site"), 0 },
        { rfl_string(".wild.server.site"), 1 }
    };
    static const rfl_own_hosts_t  servers = { hosts, 2 };

    for (i = 0; i < sizeof(follow_rows) / sizeof(follow_rows[0]); i++) {
        row = &follow_rows[i];

        make_request(&request, row->referer, row->landing, NULL);

        if (rfl_follow_up(registry, &request, guarded(row->location), &servers)
            != row->follows)
        {
            fail_msg("\"%s\" -> %s -> \"%s\": not %d", row->referer,
                     row->landing, row->location, row->follows);
        }

        guard_free_all();
    }

    /* no list of servers, no registry, no host to be called by */

    make_request(&request, "https://blog.example/", "/old", "cross-site");
    assert_true(rfl_follow_up(registry, &request, rfl_cstr("/pricing"), NULL));
    assert_false(rfl_follow_up(NULL, &request, rfl_cstr("/pricing"), NULL));

    request.host = rfl_str(NULL, 0);
    assert_true(rfl_follow_up(registry, &request, rfl_cstr("/pricing"), NULL));
    assert_false(rfl_follow_up(registry, &request,
                               rfl_cstr("//shop.site/pricing"), NULL));

    guard_free_all();
}


static void
test_fetch_metadata_of_a_redirect_stay(void **state)
{
    rfl_request_t  request;

    make_request(&request, "", "/old", "same-site");
    assert_false(rfl_follow_up(registry, &request, rfl_cstr("/?ref=mail"),
                               NULL));

    make_request(&request, "", "/old", "cross-site");
    assert_true(rfl_follow_up(registry, &request, rfl_cstr("/?ref=mail"),
                              NULL));

    guard_free_all();
}


static void
test_a_relative_location_has_a_limit(void **state)
{
    int            follows;
    char          *location;
    size_t         n;
    rfl_request_t  request;

    location = malloc(RFL_FOLLOW_MAX + 1);
    assert_non_null(location);
    memset(location, 'x', RFL_FOLLOW_MAX + 1);

    make_request(&request, "https://news.example/", "/old", NULL);

    for (n = RFL_FOLLOW_MAX - 1; n <= RFL_FOLLOW_MAX; n++) {
        follows = rfl_follow_up(registry, &request,
                                rfl_str(guard_copy(location, n), n), NULL);
        assert_int_equal(follows, n < RFL_FOLLOW_MAX);
    }

    guard_free_all();
    free(location);
}


static void
test_a_landing_beyond_the_limit_is_no_target(void **state)
{
    row_t              row = { "https://blog.example/2024/launch", NULL,
                               ELSEWHERE(EXACT, 0) };
    char              *landing;
    rfl_attribution_t  a;

    landing = malloc(RFL_URL_MAX + 2);
    assert_non_null(landing);
    memset(landing, 'a', RFL_URL_MAX + 1);
    landing[0] = '/';
    landing[RFL_URL_MAX + 1] = '\0';
    row.landing = landing;

    attribute(registry, &row, NULL, &a, NULL);
    assert_int_equal(a.id, ids[0]);
    assert_true(a.other_landing);

    landing[RFL_URL_MAX] = '\0';
    attribute(registry, &row, NULL, &a, NULL);
    assert_int_equal(a.id, ids[0]);
    assert_true(a.other_landing);

    free(landing);
}


/* What an event shows: also where no link was found, or it was the tag's. */

static void
test_source_and_path(void **state)
{
    size_t              i;
    rfl_request_t       request;
    rfl_attribution_t   a;

    static const struct {
        const char  *referer;
        const char  *landing;
        const char  *source;
        unsigned     is_app;
        const char  *path;
    } rows[] = {
        { "https://WWW.Blog.Example.:8080/x?y", "/?secret=1#x",
          "Blog.Example", 0, "/" },
        { "https://www.example/", "/a/b?c", "example", 0, "/a/b" },
        { " http://user:pw@[2001:db8::1]/ ", "http://shop.example/p?q",
          "[2001:db8::1]", 0, "/p" },
        { "android-app://www.example.app/", "*", "www.example.app", 1, "/" },
        { "", "/tagged?ref=x", "", 0, "/tagged" },
        { "", "/", "", 0, "/" },
        { "-", "/p", "", 0, "/p" }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&request, 0, sizeof(rfl_request_t));
        memset(&a, 0xff, sizeof(rfl_attribution_t));

        request.referer = rfl_cstr(rows[i].referer);
        request.landing = rfl_cstr(rows[i].landing);
        request.host = rfl_cstr("shop.example");

        rfl_attribute(NULL, &request, &a, NULL);

        if (!rfl_str_eq(a.source, rfl_cstr(rows[i].source))
            || !rfl_str_eq(a.path, rfl_cstr(rows[i].path)))
        {
            fail_msg("%s -> %s", rows[i].referer, rows[i].landing);
        }

        assert_int_equal(a.is_app, rows[i].is_app);
    }
}


static void
test_names_of_tags(void **state)
{
    int     c, refused;
    char    name[RFL_TAG_MAX + 2];
    size_t  i;

    static const char  *valid[] = { "ref", "offs", "OFF", "a;b", "\xc3\xbc" };

    for (i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
        assert_true(rfl_tag_name_is_valid(rfl_cstr(valid[i])));
    }

    assert_false(rfl_tag_name_is_valid(rfl_cstr("")));
    assert_false(rfl_tag_name_is_valid(rfl_cstr("off")));
    assert_false(rfl_tag_name_is_valid(rfl_str("re\0f", 4)));

    strcpy(name, "ref");

    for (c = 1; c < 127; c++) {
        name[1] = (char) c;
        refused = strchr(" \t\r\n\v\f", c) != NULL
                  || (ispunct(c) && strchr(RFL_TAG_NAME_NOT, c) != NULL);

        if (rfl_tag_name_is_valid(rfl_cstr(name)) == refused) {
            fail_msg("\\x%02x", (unsigned) c);
        }
    }

    memset(name, 'a', sizeof(name));
    assert_true(rfl_tag_name_is_valid(rfl_str(name, RFL_TAG_MAX)));
    assert_false(rfl_tag_name_is_valid(rfl_str(name, RFL_TAG_MAX + 1)));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_group_is_the_one_the_links_share),
        cmocka_unit_test(test_without_a_registry_is_a_lookup_error),
        cmocka_unit_test(test_explaining_changes_no_answer),
        cmocka_unit_test(test_the_cache_of_patterns_changes_no_answer),
        cmocka_unit_test(test_a_pattern_at_its_limit_is_a_miss_that_is_told),
        cmocka_unit_test(test_of_many_tag_arguments_the_first_16_are_tried),
        cmocka_unit_test(test_a_tag_has_up_to_128_bytes),
        cmocka_unit_test(test_a_tag_without_a_registry_is_a_lookup_error),
        cmocka_unit_test(test_a_redirect_is_followed_to_what_is_ours),
        cmocka_unit_test(test_fetch_metadata_of_a_redirect_stay),
        cmocka_unit_test(test_a_relative_location_has_a_limit),
        cmocka_unit_test(test_a_landing_beyond_the_limit_is_no_target),
        cmocka_unit_test(test_source_and_path),
        cmocka_unit_test(test_names_of_tags),
    };

    return cmocka_run_group_tests_name("rfl_attribution", tests, setup,
                                       teardown);
}
