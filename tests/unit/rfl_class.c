/*
 * The class table, row by row: what browsers send for clicks, reloads,
 * pictures and prefetches, and what only looks like it.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rfl_class.h"
#include "guard.h"


#define ROUNDS  200000


typedef struct {
    const char   *method;
    unsigned      status;
    rfl_class_t   wanted;
} status_row_t;

typedef struct {
    const char   *value;
    int           holds;
} value_row_t;

typedef struct {
    const char   *sec_purpose;
    const char   *purpose;
    const char   *x_purpose;
    const char   *x_moz;
    const char   *dest;
    const char   *accept;
    const char   *cache_control;
    const char   *range;
    int           upgrade;
    int           bot;
    int           follow_up;
    const char   *method;
    unsigned      status;
    rfl_class_t   wanted;
} row_t;


#define HTML    "text/html,application/xhtml+xml,application/xml;q=0.9,"       \
                "image/avif,image/webp,*/*;q=0.8"
#define IMAGES  "image/avif,image/webp,image/apng,image/*,*/*;q=0.8"


/* A page that was opened, but for its status and method. */

static const status_row_t  status_rows[] = {
    { "GET",     200, RFL_CLASS_CLICK },
    { "GET",     204, RFL_CLASS_CLICK },
    { "GET",     206, RFL_CLASS_CLICK },
    { "GET",     299, RFL_CLASS_CLICK },
    { "GET",     300, RFL_CLASS_CLICK },
    { "GET",     301, RFL_CLASS_CLICK },
    { "GET",     304, RFL_CLASS_CLICK },
    { "GET",     308, RFL_CLASS_CLICK },
    { "GET",     399, RFL_CLASS_CLICK },
    { "GET",     400, RFL_CLASS_ERROR },
    { "GET",     404, RFL_CLASS_ERROR },
    { "GET",     410, RFL_CLASS_ERROR },
    { "GET",     494, RFL_CLASS_ERROR },
    { "GET",     500, RFL_CLASS_ERROR },
    { "GET",     503, RFL_CLASS_ERROR },
    { "GET",       0, RFL_CLASS_OTHER },
    { "GET",     101, RFL_CLASS_OTHER },
    { "GET",     408, RFL_CLASS_OTHER },
    { "GET",     444, RFL_CLASS_OTHER },
    { "GET",     499, RFL_CLASS_OTHER },
    { "HEAD",    200, RFL_CLASS_OTHER },
    { "POST",    200, RFL_CLASS_OTHER },
    { "POST",    301, RFL_CLASS_OTHER },
    { "POST",    404, RFL_CLASS_OTHER },
    { "OPTIONS", 200, RFL_CLASS_OTHER },
    { "get",     200, RFL_CLASS_OTHER },
    { "GETX",    200, RFL_CLASS_OTHER },
    { "",        400, RFL_CLASS_OTHER }
};


static const value_row_t  purposes[] = {
    { "prefetch", 1 },
    { "prefetch;prerender", 1 },
    { "prefetch;anonymous-client-ip", 1 },
    { "prerender", 1 },
    { "preview", 1 },
    { "Prefetch", 1 },
    { "PREVIEW", 1 },
    { " prefetch ", 1 },
    { "prefetch ; prerender", 1 },
    { "other, prefetch", 1 },
    { "other;prerender", 1 },
    { ",,prefetch", 1 },
    { "", 0 },
    { " ", 0 },
    { ",", 0 },
    { ";", 0 },
    { "prefetched", 0 },
    { "no-prefetch", 0 },
    { "prefetch-src", 0 },
    { "\"prefetch\"", 0 },
    { "instant", 0 },
    { "navigate", 0 }
};


static const value_row_t  cache_controls[] = {
    { "max-age=0", 1 },
    { "no-cache", 1 },
    { "Max-Age=0", 1 },
    { "NO-CACHE", 1 },
    { "max-age=\"0\"", 1 },
    { "max-age=00", 1 },
    { "max-age = 0", 1 },
    { " max-age=0 ", 1 },
    { "private, max-age=0", 1 },
    { "private,no-cache", 1 },
    { ", ,no-cache", 1 },
    { "no-cache=\"set-cookie\"", 1 },
    { "x=\"a, b\", max-age=0", 1 },
    { "x=\"a\\\", b\", no-cache", 1 },
    { "", 0 },
    { "max-age=1", 0 },
    { "max-age=01", 0 },
    { "max-age=10", 0 },
    { "max-age=0x", 0 },
    { "max-age=0.0", 0 },
    { "max-age=-0", 0 },
    { "max-age=\"0", 0 },
    { "max-age=\"", 0 },
    { "max-age=\"\"", 0 },
    { "max-age", 0 },
    { "max-age=", 0 },
    { "max-age:0", 0 },
    { "s-maxage=0", 0 },
    { "stale-max-age=0", 0 },
    { "max-age=0-1", 0 },
    { "min-fresh=0", 0 },
    { "no-cached", 0 },
    { "xno-cache", 0 },
    { "no-store", 0 },
    { "x=\"max-age=0\"", 0 },
    { "x=\", no-cache\"", 0 },
    { "x=\", no-cache", 0 }
};


/* holds: it is a part of a page. */

static const value_row_t  accepts[] = {
    { "", 0 },
    { "   ", 0 },
    { "text/html", 0 },
    { HTML, 0 },
    { "TEXT/HTML", 0 },
    { "image/png, text/html", 0 },
    { "text/html;level=1", 0 },
    { "text/html ; q=0.1", 0 },
    { "*/*;q=0.1,\ttext/html", 0 },
    { "a/b;x=\",\", text/html", 0 },
    { "*/*", 1 },
    { IMAGES, 1 },
    { "text/*", 1 },
    { "application/xhtml+xml", 1 },
    { "text/html5", 1 },
    { "xtext/html", 1 },
    { "text/html/x", 1 },
    { "text /html", 1 },
    { "application/json", 1 },
    { "a/b;x=\", text/html\"", 1 },
    { "a/b;x=text/html", 1 },
    { ",", 1 }
};


/* holds: it is embed; the rest is tested with other. */

static const value_row_t  dests[] = {
    { "document", 0 },
    { "Document", 0 },
    { " document", 0 },
    { "iframe", 1 },
    { "frame", 1 },
    { "image", 1 },
    { "script", 1 },
    { "style", 1 },
    { "font", 1 },
    { "video", 1 },
    { "audio", 1 },
    { "object", 1 },
    { "embed", 1 },
    { "fencedframe", 1 },
    { "serviceworker", 1 },
    { "documents", 1 },
    { "doc", 1 }
};


/* holds: other. */

static const value_row_t  ranges[] = {
    { "", 0 },
    { "bytes=0-", 0 },
    { "bytes=0-99", 0 },
    { "bytes=0-0", 0 },
    { "bytes=00-", 0 },
    { "bytes=000-5", 0 },
    { "Bytes=0-", 0 },
    { " bytes=0- ", 0 },
    { "bytes = 0-", 0 },
    { "bytes=0-5,10-20", 0 },
    { "bytes=,0-", 0 },
    { "bytes=5-", 1 },
    { "bytes=5-9", 1 },
    { "bytes=5-5", 1 },
    { "bytes=-5", 1 },
    { "bytes=-0", 1 },
    { "BYTES=1-", 1 },
    { "bytes=9-10", 1 },
    { "bytes=5-9,0-1", 1 },
    { "bytes=, 5-", 1 },
    { "bytes=18446744073709551616-18446744073709551617", 1 },

    /* not valid, or of another unit: as if it were not there */

    { "bytes=", 0 },
    { "bytes", 0 },
    { "bytes 5-9", 0 },
    { "bytes=-", 0 },
    { "bytes=5", 0 },
    { "bytes=9-5", 0 },
    { "bytes=10-9", 0 },
    { "bytes=1-0", 0 },
    { "bytes=a-", 0 },
    { "bytes=5-b", 0 },
    { "bytes=5--9", 0 },
    { "bytes=5 -9", 0 },
    { "bytes=-5-", 0 },
    { "bytes=5-,x", 0 },
    { "items=5-9", 0 },
    { "xbytes=5-", 0 },
    { "=5-", 0 }
};


/* Which row of the table wins when several hold. */

static const row_t  rows[] = {

    /* a click, with Fetch Metadata and without */

    { "", "", "", "", "document", HTML, "", "", 0, 0, 0, "GET", 200,
      RFL_CLASS_CLICK },
    { "", "", "", "", "", HTML, "", "", 0, 0, 0, "GET", 200,
      RFL_CLASS_CLICK },
    { "", "", "", "", "", "", "", "", 0, 0, 0, "GET", 200,
      RFL_CLASS_CLICK },

    /* prefetch is before all */

    { "prefetch", "", "", "", "empty", "*/*", "no-cache", "bytes=5-", 1, 1, 1,
      "POST", 404, RFL_CLASS_PREFETCH },
    { "", "prefetch", "", "", "", IMAGES, "max-age=0", "", 0, 0, 1, "GET",
      301, RFL_CLASS_PREFETCH },
    { "", "", "preview", "", "document", HTML, "", "", 0, 0, 0, "GET", 0,
      RFL_CLASS_PREFETCH },
    { "", "", "", "prefetch", "", HTML, "", "", 0, 1, 0, "HEAD", 499,
      RFL_CLASS_PREFETCH },
    { "none", "none", "none", "prefetch", "document", HTML, "", "", 0, 0, 0,
      "GET", 200, RFL_CLASS_PREFETCH },

    /* then bots */

    { "", "", "", "", "empty", "*/*", "no-cache", "bytes=5-", 1, 1, 1,
      "POST", 404, RFL_CLASS_BOT },
    { "", "", "", "", "", "*/*", "", "", 0, 1, 0, "GET", 0,
      RFL_CLASS_BOT },
    { "", "", "", "", "document", HTML, "", "", 0, 1, 1, "GET", 301,
      RFL_CLASS_BOT },

    /* then what is no page */

    { "", "", "", "", "image", IMAGES, "no-cache", "bytes=5-", 0, 0, 1,
      "GET", 404, RFL_CLASS_OTHER },
    { "", "", "", "", "document", HTML, "no-cache", "", 1, 0, 1, "GET", 301,
      RFL_CLASS_OTHER },
    { "", "", "", "", "empty", HTML, "no-cache", "", 0, 0, 1, "GET", 404,
      RFL_CLASS_OTHER },
    { "", "", "", "", "Empty", HTML, "", "", 0, 0, 0, "GET", 200,
      RFL_CLASS_OTHER },
    { "", "", "", "", "websocket", "", "", "", 0, 0, 0, "GET", 200,
      RFL_CLASS_OTHER },
    { "", "", "", "", "report", "*/*", "", "", 0, 0, 0, "GET", 200,
      RFL_CLASS_OTHER },
    { "", "", "", "", "image", IMAGES, "no-cache", "", 0, 0, 0, "GET", 499,
      RFL_CLASS_OTHER },
    { "", "", "", "", "image", IMAGES, "", "", 0, 0, 0, "HEAD", 200,
      RFL_CLASS_OTHER },

    /* then parts of pages */

    { "", "", "", "", "image", HTML, "no-cache", "", 0, 0, 1, "GET", 301,
      RFL_CLASS_EMBED },
    { "", "", "", "", "iframe", HTML, "max-age=0", "", 0, 0, 0, "GET", 404,
      RFL_CLASS_EMBED },
    { "", "", "", "", "", IMAGES, "no-cache", "", 0, 0, 1, "GET", 404,
      RFL_CLASS_EMBED },
    { "", "", "", "", "video", "*/*", "", "bytes=0-", 0, 0, 0, "GET", 206,
      RFL_CLASS_EMBED },

    /* with Sec-Fetch-Dest, Accept is not asked */

    { "", "", "", "", "document", IMAGES, "", "", 0, 0, 0, "GET", 200,
      RFL_CLASS_CLICK },

    /* then reloads, also of what redirects or fails */

    { "", "", "", "", "document", HTML, "max-age=0", "", 0, 0, 1, "GET", 301,
      RFL_CLASS_RELOAD },
    { "", "", "", "", "document", HTML, "no-cache", "", 0, 0, 0, "GET", 404,
      RFL_CLASS_RELOAD },
    { "", "", "", "", "", HTML, "max-age=0", "", 0, 0, 0, "GET", 304,
      RFL_CLASS_RELOAD },

    /* then redirects whose follow-up counts, and no other status */

    { "", "", "", "", "document", HTML, "", "", 0, 0, 1, "GET", 300,
      RFL_CLASS_REDIRECT },
    { "", "", "", "", "document", HTML, "", "", 0, 0, 1, "GET", 301,
      RFL_CLASS_REDIRECT },
    { "", "", "", "", "", HTML, "", "", 0, 0, 1, "GET", 302,
      RFL_CLASS_REDIRECT },
    { "", "", "", "", "", HTML, "", "", 0, 0, 1, "GET", 307,
      RFL_CLASS_REDIRECT },
    { "", "", "", "", "", HTML, "", "", 0, 0, 1, "GET", 399,
      RFL_CLASS_REDIRECT },
    { "", "", "", "", "", HTML, "", "", 0, 0, 1, "GET", 304,
      RFL_CLASS_CLICK },
    { "", "", "", "", "", HTML, "", "", 0, 0, 1, "GET", 299,
      RFL_CLASS_CLICK },
    { "", "", "", "", "", HTML, "", "", 0, 0, 1, "GET", 201,
      RFL_CLASS_CLICK },
    { "", "", "", "", "", HTML, "", "", 0, 0, 1, "GET", 400,
      RFL_CLASS_ERROR },
    { "", "", "", "", "", HTML, "", "", 0, 0, 0, "GET", 302,
      RFL_CLASS_CLICK },

    /* a range from 0 is a page asked for */

    { "", "", "", "", "document", HTML, "", "bytes=0-", 0, 0, 0, "GET", 206,
      RFL_CLASS_CLICK },
    { "", "", "", "", "document", HTML, "", "bytes=0-", 0, 0, 0, "GET", 416,
      RFL_CLASS_ERROR }
};


static rfl_str_t
guarded(const char *text)
{
    size_t  len;

    len = strlen(text);

    if (len == 0) {
        return rfl_str(NULL, 0);
    }

    return rfl_str(guard_copy(text, len), len);
}


static void
init(rfl_class_input_t *in)
{
    memset(in, 0, sizeof(rfl_class_input_t));

    in->method = rfl_cstr("GET");
    in->status = 200;
}


static void
check(const rfl_class_input_t *in, const char *shown, rfl_class_t wanted)
{
    const char   *why;
    rfl_class_t   class;

    why = NULL;
    class = rfl_classify(in, &why);

    if (class != wanted) {
        fail_msg("\"%s\": %s, wanted %s", shown,
                 (const char *) rfl_class_names[class].data,
                 (const char *) rfl_class_names[wanted].data);
    }

    assert_non_null(why);
    assert_true(strlen(why) > 0);
    assert_int_equal(rfl_classify(in, NULL), wanted);

    guard_free_all();
}


static void
test_status_and_method(void **state)
{
    size_t             i;
    rfl_class_input_t  in;

    for (i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++) {
        init(&in);
        in.method = guarded(status_rows[i].method);
        in.status = status_rows[i].status;

        check(&in, status_rows[i].method, status_rows[i].wanted);
    }
}


static void
test_purpose(void **state)
{
    size_t             i, k;
    rfl_str_t         *fields[4];
    rfl_class_input_t  in;

    for (i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++) {

        for (k = 0; k < 4; k++) {
            init(&in);

            fields[0] = &in.sec_purpose;
            fields[1] = &in.purpose;
            fields[2] = &in.x_purpose;
            fields[3] = &in.x_moz;

            *fields[k] = guarded(purposes[i].value);

            check(&in, purposes[i].value, purposes[i].holds
                  ? RFL_CLASS_PREFETCH : RFL_CLASS_CLICK);
        }
    }
}


static void
test_cache_control(void **state)
{
    size_t             i;
    rfl_class_input_t  in;

    for (i = 0; i < sizeof(cache_controls) / sizeof(cache_controls[0]); i++) {
        init(&in);
        in.cache_control = guarded(cache_controls[i].value);

        check(&in, cache_controls[i].value, cache_controls[i].holds
              ? RFL_CLASS_RELOAD : RFL_CLASS_CLICK);
    }
}


static void
test_accept_without_fetch_metadata(void **state)
{
    size_t             i;
    rfl_class_input_t  in;

    for (i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
        init(&in);
        in.accept = guarded(accepts[i].value);

        check(&in, accepts[i].value, accepts[i].holds
              ? RFL_CLASS_EMBED : RFL_CLASS_CLICK);
    }
}


static void
test_sec_fetch_dest(void **state)
{
    size_t             i;
    rfl_class_input_t  in;

    for (i = 0; i < sizeof(dests) / sizeof(dests[0]); i++) {
        init(&in);
        in.sec_fetch_dest = guarded(dests[i].value);

        check(&in, dests[i].value, dests[i].holds
              ? RFL_CLASS_EMBED : RFL_CLASS_CLICK);
    }
}


/*
 * What Chromium 156 sends where a service worker answers by
 * fetch(event.request); and what is not that.
 */

static void
test_service_worker(void **state)
{
    size_t             i;
    rfl_str_t          site;
    rfl_class_input_t  in;

    static const struct {
        const char    *dest;
        const char    *mode;
        const char    *site;
        const char    *said;         /* of the visitor, by rfl_class_site() */
        const char    *control;
        unsigned       status;
        unsigned       follow_up;
        rfl_class_t    wanted;
    } requests[] = {
        { "empty", "navigate", "cross-site", "cross-site", "", 200, 0,
          RFL_CLASS_CLICK },
        { "empty", "navigate", "same-site", "same-site", "", 200, 0,
          RFL_CLASS_CLICK },
        { "empty", "navigate", "same-origin", "", "", 200, 0,
          RFL_CLASS_CLICK },
        { "empty", "navigate", "none", "none", "", 304, 0, RFL_CLASS_CLICK },
        { "empty", "navigate", "", "", "", 200, 0, RFL_CLASS_CLICK },
        { " empty ", "Navigate", "same-origin", "", "", 200, 0,
          RFL_CLASS_CLICK },
        { "empty", "navigate", "cross-site", "cross-site", "max-age=0", 200, 0,
          RFL_CLASS_RELOAD },
        { "empty", "navigate", "cross-site", "cross-site", "", 301, 1,
          RFL_CLASS_REDIRECT },
        { "empty", "navigate", "cross-site", "cross-site", "", 404, 0,
          RFL_CLASS_ERROR },
        { "empty", "navigate", "cross-site", "cross-site", "", 499, 0,
          RFL_CLASS_OTHER },
        { "empty", "cors", "same-origin", "same-origin", "", 200, 0,
          RFL_CLASS_OTHER },
        { "empty", "no-cors", "cross-site", "cross-site", "", 200, 0,
          RFL_CLASS_OTHER },
        { "empty", "same-origin", "same-origin", "same-origin", "", 200, 0,
          RFL_CLASS_OTHER },
        { "empty", "", "same-origin", "same-origin", "", 200, 0,
          RFL_CLASS_OTHER },
        { "empty", "navigates", "same-origin", "same-origin", "", 200, 0,
          RFL_CLASS_OTHER },
        { "document", "navigate", "same-origin", "same-origin", "", 200, 0,
          RFL_CLASS_CLICK },
        { "iframe", "navigate", "same-origin", "same-origin", "", 200, 0,
          RFL_CLASS_EMBED },
        { "", "navigate", "same-origin", "same-origin", "", 200, 0,
          RFL_CLASS_CLICK },
    };

    for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        init(&in);
        in.sec_fetch_dest = guarded(requests[i].dest);
        in.sec_fetch_mode = guarded(requests[i].mode);
        in.cache_control = guarded(requests[i].control);
        in.status = requests[i].status;
        in.follow_up_matches = requests[i].follow_up & 1;

        site = rfl_class_site(guarded(requests[i].site), in.sec_fetch_dest,
                              in.sec_fetch_mode);

        assert_true(rfl_str_eq(site, rfl_cstr(requests[i].said)));

        check(&in, requests[i].mode, requests[i].wanted);
    }
}


static void
test_range(void **state)
{
    size_t             i;
    rfl_class_input_t  in;

    for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        init(&in);
        in.range = guarded(ranges[i].value);

        check(&in, ranges[i].value, ranges[i].holds
              ? RFL_CLASS_OTHER : RFL_CLASS_CLICK);
    }
}


static void
test_the_first_row_that_holds_wins(void **state)
{
    char               shown[32];
    size_t             i;
    rfl_class_input_t  in;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&in, 0, sizeof(rfl_class_input_t));

        in.method = guarded(rows[i].method);
        in.sec_purpose = guarded(rows[i].sec_purpose);
        in.purpose = guarded(rows[i].purpose);
        in.x_purpose = guarded(rows[i].x_purpose);
        in.x_moz = guarded(rows[i].x_moz);
        in.sec_fetch_dest = guarded(rows[i].dest);
        in.accept = guarded(rows[i].accept);
        in.cache_control = guarded(rows[i].cache_control);
        in.range = guarded(rows[i].range);
        in.status = rows[i].status;
        in.has_upgrade = rows[i].upgrade & 1;
        in.is_bot = rows[i].bot & 1;
        in.follow_up_matches = rows[i].follow_up & 1;

        (void) snprintf(shown, sizeof(shown), "row %zu", i);
        check(&in, shown, rows[i].wanted);
    }
}


static void
test_every_status_has_one_class(void **state)
{
    unsigned           status;
    rfl_class_t        class;
    rfl_class_input_t  in;

    init(&in);

    for (status = 0; status < 1000; status++) {
        in.status = status;
        class = rfl_classify(&in, NULL);
        assert_in_range(class, 0, RFL_CLASSES - 1);
    }
}


/*
 * Against the table of the design, written down once more without order:
 * each row says whether it holds, and the class is the first that does.
 */

static void
test_random_requests_against_the_table(void **state)
{
    int                is_3xx;
    unsigned           n, d, a, c, p;
    rfl_class_t        wanted;
    rfl_class_input_t  in;

    static const char *const      destinations[] = { "", "document", "empty",
                                                     "image", "websocket" };
    static const char *const      accepted[] = { "", "text/html", "*/*" };
    static const char *const      controls[] = { "", "no-cache", "no-store" };
    static const char *const      named[] = { "", "prefetch", "x" };
    static const unsigned         statuses[] = { 0, 101, 200, 301, 304, 404,
                                                 408, 444, 499, 502 };

    srand(1);

    for (n = 0; n < ROUNDS; n++) {
        d = (unsigned) rand() % 5;
        a = (unsigned) rand() % 3;
        c = (unsigned) rand() % 3;
        p = (unsigned) rand() % 3;

        init(&in);
        in.method = rfl_cstr(rand() % 4 == 0 ? "POST" : "GET");
        in.status = statuses[(unsigned) rand() % 10];
        in.sec_fetch_dest = rfl_cstr(destinations[d]);
        in.accept = rfl_cstr(accepted[a]);
        in.cache_control = rfl_cstr(controls[c]);
        in.sec_purpose = rfl_cstr(named[p]);
        in.has_upgrade = (rand() % 8 == 0);
        in.is_bot = (rand() % 4 == 0);
        in.follow_up_matches = rand() & 1;

        is_3xx = (in.status == 301);

        wanted = p == 1 ? RFL_CLASS_PREFETCH
                 : in.is_bot ? RFL_CLASS_BOT
                 : in.method.len == 4 || in.status <= 101 || in.status == 408
                   || in.status == 444 || in.status == 499 || in.has_upgrade
                   || d == 2 || d == 4 ? RFL_CLASS_OTHER
                 : d == 3 || (d == 0 && a == 2) ? RFL_CLASS_EMBED
                 : c == 1 ? RFL_CLASS_RELOAD
                 : is_3xx && in.follow_up_matches ? RFL_CLASS_REDIRECT
                 : in.status >= 400 ? RFL_CLASS_ERROR
                 : RFL_CLASS_CLICK;

        assert_int_equal(rfl_classify(&in, NULL), wanted);
    }
}


/* Any bytes in any header: one class, and nothing is read behind them. */

static void
test_any_bytes(void **state)
{
    size_t             i, len;
    u_char             bytes[24];
    unsigned           n;
    rfl_str_t          s;
    rfl_class_input_t  in;

    static const char  some[] = ",;=\"\\ -0 9bytes=no-cachemax-age=text/html";

    srand(2);

    for (n = 0; n < ROUNDS / 20; n++) {
        len = (size_t) rand() % (sizeof(bytes) + 1);

        for (i = 0; i < len; i++) {
            bytes[i] = (u_char) some[(size_t) rand() % sizeof(some)];
        }

        s = rfl_str(guard_copy(bytes, len), len);

        init(&in);
        in.sec_purpose = s;
        in.accept = s;
        in.cache_control = s;
        in.range = s;

        assert_in_range(rfl_classify(&in, NULL), 0, RFL_CLASSES - 1);

        in.sec_fetch_dest = s;
        in.method = s;

        assert_in_range(rfl_classify(&in, NULL), 0, RFL_CLASSES - 1);

        guard_free_all();
    }
}


/* What is known at a glance is what the table says, and all browsers send. */

static void
test_a_page_at_a_glance(void **state)
{
    size_t             m, d, a, known;
    unsigned           status;
    rfl_class_input_t  in;

    static const char *const  methods[] = { "GET", "GETS", "GE", "POST", "get",
                                            "" };
    static const char *const  destinations[] = {
        "", "document", "Document", "documents", "documen", "image", "empty",
        "websocket", " document", "report"
    };
    static const char *const  accepted[] = {
        "", HTML, IMAGES, "*/*", "text/html", "text/html;q=0", "text/htmlx,a",
        "text/htm", "TEXT/HTML,*/*"
    };

    known = 0;

    for (m = 0; m < sizeof(methods) / sizeof(char *); m++) {
        for (d = 0; d < sizeof(destinations) / sizeof(char *); d++) {
            for (a = 0; a < sizeof(accepted) / sizeof(char *); a++) {
                for (status = 0; status < 600; status++) {

                    init(&in);
                    in.method = rfl_cstr(methods[m]);
                    in.status = status;
                    in.sec_fetch_dest = rfl_cstr(destinations[d]);
                    in.accept = rfl_cstr(accepted[a]);

                    if (!rfl_class_is_page(in.method, in.status,
                                           in.sec_fetch_dest, in.accept))
                    {
                        continue;
                    }

                    known++;

                    in.follow_up_matches = 1;
                    assert_int_equal(rfl_classify(&in, NULL), RFL_CLASS_CLICK);

                    in.is_bot = 1;
                    assert_int_equal(rfl_classify(&in, NULL), RFL_CLASS_BOT);
                }
            }
        }
    }

    /* any Accept beside "document", two without it */

    assert_int_equal(known, 100 * (sizeof(accepted) / sizeof(char *) + 2));
}


static void
test_outcomes_without_a_class(void **state)
{
    assert_false(rfl_outcome_has_class(RFL_OUTCOME_INTERNAL));
    assert_false(rfl_outcome_has_class(RFL_OUTCOME_MALFORMED));
    assert_false(rfl_outcome_has_class(RFL_OUTCOME_SKIPPED));

    assert_true(rfl_outcome_has_class(RFL_OUTCOME_DIRECT));
    assert_true(rfl_outcome_has_class(RFL_OUTCOME_HIDDEN));
    assert_true(rfl_outcome_has_class(RFL_OUTCOME_MATCHED));
    assert_true(rfl_outcome_has_class(RFL_OUTCOME_AMBIGUOUS));
    assert_true(rfl_outcome_has_class(RFL_OUTCOME_UNREGISTERED));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_status_and_method),
        cmocka_unit_test(test_purpose),
        cmocka_unit_test(test_cache_control),
        cmocka_unit_test(test_accept_without_fetch_metadata),
        cmocka_unit_test(test_sec_fetch_dest),
        cmocka_unit_test(test_service_worker),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_the_first_row_that_holds_wins),
        cmocka_unit_test(test_every_status_has_one_class),
        cmocka_unit_test(test_random_requests_against_the_table),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_a_page_at_a_glance),
        cmocka_unit_test(test_outcomes_without_a_class),
    };

    return cmocka_run_group_tests_name("rfl_class", tests, NULL, NULL);
}
