/*
 * URLs and their canonical form.  What the parser accepts consists of slices
 * of the input; the SURT of a SURT's parts is the same again; and two URLs
 * that differ only in what the rules level have one SURT.
 *
 * Input: a URL, and on a second line how its equals are made.
 */

#include "fuzz.h"
#include "rfl_referrer.h"


/* An equal of a URL is at most so much longer. */

#define MORE  64

/* So many ways to make one, at most: more take long. */

#define WAYS  16


typedef struct {
    u_char  data[3 * RFL_URL_MAX + MORE];
    size_t  len;
} text_t;


static void check_url(rfl_str_t text, rfl_str_t how);
static void check_slices(rfl_str_t text, const rfl_url_t *url);
static void check_surt(const rfl_url_t *url, const rfl_surt_t *surt);
static void check_again(const rfl_url_t *url, const rfl_surt_t *surt);
static void check_landing(const rfl_url_t *url, const rfl_surt_t *surt);
static void check_limit(const rfl_url_t *url, const rfl_surt_t *surt,
    size_t limit);
static void check_equal(const rfl_url_t *url, const rfl_surt_t *surt,
    uint8_t how);
static void make_path(text_t *t, rfl_str_t path, uint8_t how);
static void make_query(text_t *t, const rfl_url_t *url, uint8_t how);
static void check_host(rfl_str_t text);
static void check_target(rfl_str_t text);
static int is_within(rfl_str_t part, rfl_str_t whole);
static int is_unreserved(u_char c);
static void add(text_t *t, rfl_str_t s);
static void add_char(text_t *t, u_char c);


static rfl_surt_t  surt, again;
static text_t      made;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rfl_str_t     text, how;
    fuzz_input_t  in;

    in = fuzz_input(data, size);
    text = fuzz_line(&in);
    how = fuzz_line(&in);
    how.len = how.len < WAYS ? how.len : WAYS;

    check_url(text, how);
    check_host(text);
    check_target(text);

    fuzz_free();

    return 0;
}


static void
check_url(rfl_str_t text, rfl_str_t how)
{
    size_t       i;
    rfl_url_t    url;
    const char  *why;

    why = NULL;

    if (rfl_url_parse(text, &url, &why) != RFL_OK) {
        fuzz_check(why != NULL);
        return;
    }

    fuzz_check(text.len <= RFL_URL_MAX);

    check_slices(text, &url);

    rfl_surt(&url, &surt);

    check_surt(&url, &surt);
    check_again(&url, &surt);
    check_landing(&url, &surt);

    for (i = surt.len < 2 ? 0 : surt.len - 2; i < surt.len + 2; i++) {
        check_limit(&url, &surt, i);
    }

    for (i = 0; i < how.len; i++) {
        check_limit(&url, &surt, how.data[i]);
        check_equal(&url, &surt, how.data[i]);
    }
}


static void
check_slices(rfl_str_t text, const rfl_url_t *url)
{
    fuzz_check(is_within(url->host, text) && url->host.len != 0);
    fuzz_check(is_within(url->port, text));
    fuzz_check(is_within(url->path, text));
    fuzz_check(is_within(url->query, text));
    fuzz_check(url->path.len == 0 || url->path.data[0] == '/');
    fuzz_check(url->has_query || url->query.len == 0);
    fuzz_check(url->host_kind == RFL_HOST_IPV6
               || url->host.len <= RFL_HOST_MAX + 1);
}


/* No byte that a URL may not hold raw, and of the form that is promised. */

static void
check_surt(const rfl_url_t *url, const rfl_surt_t *s)
{
    size_t     i;
    rfl_str_t  path;

    fuzz_check(s->len <= RFL_SURT_MAX);
    fuzz_check(s->host_len > 0 && s->host_len <= RFL_HOST_MAX + 16);
    fuzz_check(s->buf[s->host_len] == ')');
    fuzz_check(s->path_start == s->host_len + 1);
    fuzz_check(s->path_start + s->path_len <= s->len);

    path = rfl_str(s->buf + s->path_start, s->path_len);

    fuzz_check(path.len != 0 && path.data[0] == '/');
    fuzz_check(path.len == 1 || path.data[path.len - 1] != '/');
    fuzz_check(s->len == s->path_start + s->path_len
               || (s->buf[s->path_start + s->path_len] == '?'
                   && s->len > s->path_start + s->path_len + 1));
    fuzz_check(!s->is_app == (url->scheme != RFL_SCHEME_ANDROID_APP));

    for (i = s->path_start; i < s->len; i++) {
        fuzz_check(s->buf[i] > ' ' && s->buf[i] < 0x7f && s->buf[i] != '#');
    }
}


/* A SURT's path and query are canonical already; encoded, they may be longer
   than a URL can be. */

static void
check_again(const rfl_url_t *url, const rfl_surt_t *s)
{
    rfl_url_t  canonical;

    canonical = *url;
    canonical.path = rfl_str(s->buf + s->path_start, s->path_len);
    canonical.has_query = s->len > s->path_start + s->path_len;
    canonical.query = rfl_str(NULL, 0);

    if (canonical.has_query) {
        canonical.query = rfl_str(canonical.path.data + s->path_len + 1,
                                  s->len - s->path_start - s->path_len - 1);
    }

    if (canonical.path.len + canonical.query.len > RFL_URL_MAX) {
        return;
    }

    rfl_surt(&canonical, &again);

    fuzz_check(rfl_str_eq(rfl_str(again.buf, again.len),
                          rfl_str(s->buf, s->len)));
}


/* The same page as a landing. */

static void
check_landing(const rfl_url_t *url, const rfl_surt_t *s)
{
    size_t    path_len, len;
    rfl_rc_t  rc;

    if (url->scheme == RFL_SCHEME_ANDROID_APP) {
        return;
    }

    rc = rfl_surt_landing(url, NULL, SIZE_MAX, again.buf, &path_len, &len);

    fuzz_check(rc == (s->is_cut ? RFL_FULL : RFL_OK));

    if (rc != RFL_OK) {
        fuzz_check(path_len == 0 || path_len == s->path_len);
        return;
    }

    fuzz_check(path_len == s->path_len);
    fuzz_check(rfl_str_eq(rfl_str(again.buf, len),
                          rfl_str(s->buf + s->path_start,
                                  s->len - s->path_start)));
}


/* What has a limit is what has none, cut. */

static void
check_limit(const rfl_url_t *url, const rfl_surt_t *s, size_t limit)
{
    size_t    path_len, len, end;
    rfl_rc_t  rc;

    rfl_surt_begin(url, &again);
    rfl_surt_finish(url, limit, &again);

    end = s->path_start + s->path_len;

    fuzz_check(again.is_cut == (s->is_cut || s->len > limit));
    fuzz_check(again.len <= s->len);
    fuzz_check(memcmp(again.buf, s->buf, again.len) == 0);

    if (!again.is_cut) {
        fuzz_check(again.len == s->len && again.path_len == s->path_len);

    } else {
        fuzz_check(again.len == again.path_start + again.path_len);
        fuzz_check(again.len <= limit || again.path_len == 1);

        if (end <= limit) {
            fuzz_check(again.len == end);

        } else if (again.len < end && again.path_len > 1) {
            fuzz_check(s->buf[again.len] == '/');
        }

        if (end > limit) {
            fuzz_check(again.len + 1 > limit
                       || memchr(s->buf + again.len + 1, '/',
                                 limit - again.len) == NULL);
        }
    }

    if (url->scheme == RFL_SCHEME_ANDROID_APP || limit < s->path_start) {
        return;
    }

    limit -= s->path_start;
    rc = rfl_surt_landing(url, NULL, limit, again.buf, &path_len, &len);

    fuzz_check((rc == RFL_FULL) == (s->is_cut
                                    || s->len - s->path_start > limit));
    fuzz_check(path_len == (s->path_len <= limit ? s->path_len : 0)
               || (s->is_cut && path_len == 0));
    fuzz_check(rc != RFL_OK || len == s->len - s->path_start);
    fuzz_check(memcmp(again.buf, s->buf + s->path_start,
                      rc == RFL_OK ? len : path_len) == 0);
}


static void
check_equal(const rfl_url_t *url, const rfl_surt_t *s, uint8_t how)
{
    size_t     i;
    rfl_url_t  equal;

    if (url->scheme == RFL_SCHEME_ANDROID_APP) {
        return;
    }

    made.len = 0;

    add(&made, rfl_cstr((how & 1) ? "hTTp://" : "https://"));
    add(&made, rfl_cstr((how & 2) ? "user@:x@" : ""));

    if ((how & 4) && url->host_kind == RFL_HOST_NAME
        && rfl_url_bare_host(url->host).len <= RFL_HOST_MAX - 5)
    {
        add(&made, rfl_cstr("WWW."));
        add(&made, rfl_url_bare_host(url->host));
        add_char(&made, '.');

    } else {
        for (i = 0; i < url->host.len; i++) {
            add_char(&made, (u_char) (url->host.data[i]
                     & ~((how & 8) && rfl_lower(url->host.data[i]) >= 'a'
                         && rfl_lower(url->host.data[i]) <= 'z' ? 0x20 : 0)));
        }
    }

    add(&made, rfl_cstr((how & 16) ? ":8080" : ""));

    make_path(&made, url->path, how);
    make_query(&made, url, how);

    add(&made, rfl_cstr((how & 64) ? "#a?b" : ""));

    if (rfl_url_parse(rfl_str(made.data, made.len), &equal, NULL) != RFL_OK) {
        fuzz_check(made.len > RFL_URL_MAX);
        return;
    }

    rfl_surt(&equal, &again);

    /* what it has more may be more than is dropped */

    if (s->is_cut || again.is_cut) {
        return;
    }

    if (!rfl_str_eq(rfl_str(again.buf, again.len), rfl_str(s->buf, s->len))) {
        fuzz_show("the equal", rfl_str(made.data, made.len));
        fuzz_show("has", rfl_str(again.buf, again.len));
        fuzz_show("not", rfl_str(s->buf, s->len));
    }

    fuzz_check(rfl_str_eq(rfl_str(again.buf, again.len),
                          rfl_str(s->buf, s->len)));
}


/* Unreserved bytes are encoded, and a path gets segments that mean nothing. */

static void
make_path(text_t *t, rfl_str_t path, uint8_t how)
{
    size_t             i;
    static const char  hex[] = "0123456789abcdef";

    if (how & 32) {
        add(t, rfl_cstr("/x/%2e./."));
    }

    if (path.len == 0) {
        add_char(t, '/');
        return;
    }

    for (i = 0; i < path.len; i++) {

        /* what follows a "%" would become a triplet, or no longer be one */

        if ((how & 32) && i % 3 == 0 && is_unreserved(path.data[i])
            && (i < 1 || path.data[i - 1] != '%')
            && (i < 2 || path.data[i - 2] != '%'))
        {
            add_char(t, '%');
            add_char(t, (u_char) hex[path.data[i] >> 4]);
            add_char(t, (u_char) hex[path.data[i] & 15]);

        } else {
            add_char(t, path.data[i]);
        }
    }
}


static void
make_query(text_t *t, const rfl_url_t *url, uint8_t how)
{
    if (!(how & 128)) {

        if (url->has_query) {
            add_char(t, '?');
            add(t, url->query);
        }

        return;
    }

    add(t, rfl_cstr("?&utm_%73ource=a?b&"));
    add(t, url->query);
    add(t, rfl_cstr("&&GCLID=x"));
}


static void
check_host(rfl_str_t text)
{
    u_char          buf[RFL_HOST_MAX + 16];
    rfl_url_t       url;
    rfl_error_t     err;
    rfl_own_host_t  own;

    if (rfl_url_parse_host(text, &url, NULL) == RFL_OK) {
        fuzz_check(is_within(url.host, text) && url.host.len != 0);
        fuzz_check(is_within(url.port, text));
        fuzz_check(url.path.len == 0 && url.query.len == 0);
        fuzz_check(rfl_surt_host(&url, buf) <= sizeof(buf));
    }

    if (rfl_own_host_parse(text, buf, &own, &err) == RFL_OK) {
        fuzz_check(own.name.data == buf && own.name.len <= RFL_HOST_MAX);
        fuzz_check(own.name.len != 0);

    } else {
        fuzz_check(memchr(err.text, '\0', sizeof(err.text)) != NULL);
    }
}


/* A request target is whatever a client sends. */

static void
check_target(rfl_str_t text)
{
    size_t     path_len, len;
    rfl_rc_t   rc;
    rfl_url_t  url, canonical;

    rfl_url_parse_target(text, &url);

    fuzz_check(url.path.len != 0 && url.path.data[0] == '/');

    rc = rfl_surt_landing(&url, NULL, SIZE_MAX, surt.buf, &path_len, &len);

    fuzz_check(rc == RFL_FULL
               || url.path.len + url.query.len <= RFL_URL_MAX);

    if (rc != RFL_OK || len > RFL_URL_MAX) {
        return;
    }

    rfl_url_parse_target(rfl_str(surt.buf, len), &canonical);

    fuzz_check(rfl_surt_landing(&canonical, NULL, SIZE_MAX, again.buf,
                                &path_len, &len)
               == RFL_OK);
    fuzz_check(memcmp(surt.buf, again.buf, len) == 0);
}


static int
is_within(rfl_str_t part, rfl_str_t whole)
{
    return part.len == 0
           || (part.data >= whole.data
               && part.data + part.len <= whole.data + whole.len);
}


static int
is_unreserved(u_char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
           || c == '~' || (rfl_lower(c) >= 'a' && rfl_lower(c) <= 'z');
}


static void
add(text_t *t, rfl_str_t s)
{
    if (s.len != 0) {
        memcpy(t->data + t->len, s.data, s.len);
        t->len += s.len;
    }
}


static void
add_char(text_t *t, u_char c)
{
    t->data[t->len++] = c;
}
