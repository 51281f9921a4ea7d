/*
 * The canonical form against two others: core's own without vectors, and one
 * written from the rules of rfl_surt.h, a byte and a segment at a time, which
 * shares nothing with it but the list of tracking parameters.
 *
 * Input: a URL, which is taken for a host and for a request's target, too; on a
 * second line the name of an argument that is left out; then bytes, each a
 * limit, eight at most.
 */

#include "fuzz.h"
#include "fuzz_bytes.h"

#include <stdlib.h>


/* More segments than this: it is not compared. */

#define SEGMENTS  1024
#define HOST_OUT  (RFL_HOST_MAX + 16)

/* More would try the same, and take long. */

#define LIMITS    8


typedef struct {
    u_char  data[RFL_SURT_MAX];
    size_t  len;
} text_t;


/* What the rules make of a path and a query. */

typedef struct {
    text_t    text;
    size_t    path_len;
    unsigned  path_cut:1;                /* rule 10 */
    unsigned  query_cut:1;
} landing_t;


static void check_url(rfl_str_t text, const rfl_names_t *without,
    rfl_str_t limits);
static void check_host(rfl_str_t text);
static void check_target(rfl_str_t text, const rfl_names_t *without,
    rfl_str_t limits);
static void check_surt(const rfl_url_t *url, const rfl_url_t *slow,
    size_t limit);
static void check_landings(const rfl_url_t *url, const rfl_url_t *slow,
    const rfl_names_t *without, rfl_str_t limits);
static void check_landing(const rfl_url_t *url, const rfl_url_t *slow,
    const rfl_names_t *without, size_t limit);
static void check_same_url(const rfl_url_t *url, const rfl_url_t *slow);
static void check_same(const char *of, rfl_str_t text, rfl_str_t wanted);
static void naive_host(rfl_str_t host, text_t *t);
static int naive_landing(const rfl_url_t *url, const rfl_names_t *without,
    landing_t *landing);
static int naive_path(rfl_str_t path, landing_t *landing);
static void naive_query(rfl_str_t query, const rfl_names_t *without,
    landing_t *landing);
static size_t naive_cut(const landing_t *landing, size_t limit);
static void naive_encode(rfl_str_t text, text_t *t);
static int hex(rfl_str_t text, size_t at);
static int is_unreserved(unsigned c);
static void add(text_t *t, u_char c);
static void add_escape(text_t *t, unsigned c);


static rfl_surt_t  surt, slow_surt;
static u_char     *out, *slow_out, *host_out;
static text_t      encoded, naive;
static landing_t   rules;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rfl_str_t     text, name, limits;
    rfl_names_t   without;
    fuzz_input_t  in;

    /* in blocks of their own: who writes a byte too many is seen */

    if (out == NULL) {
        out = malloc(RFL_SURT_MAX);
        slow_out = malloc(RFL_SURT_MAX);
        host_out = malloc(HOST_OUT);
        fuzz_check(out != NULL && slow_out != NULL && host_out != NULL);
    }

    in = fuzz_input(data, size);
    text = fuzz_line(&in);
    name = fuzz_line(&in);
    limits = fuzz_bytes(&in, LIMITS);

    without.names = &name;
    without.n = 1;

    check_url(text, name.len != 0 ? &without : NULL, limits);
    check_host(text);
    check_target(text, name.len != 0 ? &without : NULL, limits);

    fuzz_free();

    return 0;
}


static void
check_url(rfl_str_t text, const rfl_names_t *without, rfl_str_t limits)
{
    size_t       i;
    rfl_rc_t     rc;
    rfl_url_t    url, slow;
    const char  *why, *slow_why;

    why = NULL;
    slow_why = NULL;

    rc = rfl_url_parse(text, &url, &why);
    fuzz_check(bytes_url_parse(text, &slow, &slow_why) == rc);

    if (rc != RFL_OK) {
        fuzz_check(strcmp(why, slow_why) == 0);
        return;
    }

    check_same_url(&url, &slow);
    check_surt(&url, &slow, SIZE_MAX);

    for (i = 0; i < limits.len; i++) {
        check_surt(&url, &slow, limits.data[i]);
    }

    if (url.scheme != RFL_SCHEME_ANDROID_APP) {
        check_landings(&url, &slow, without, limits);
    }
}


static void
check_surt(const rfl_url_t *url, const rfl_url_t *slow, size_t limit)
{
    size_t     len;
    rfl_str_t  host;

    rfl_surt_begin(url, &surt);
    rfl_surt_finish(url, limit, &surt);

    bytes_surt_begin(slow, &slow_surt);
    bytes_surt_finish(slow, limit, &slow_surt);

    check_same("a URL", rfl_str(surt.buf, surt.len),
               rfl_str(slow_surt.buf, slow_surt.len));
    fuzz_check(surt.host_len == slow_surt.host_len);
    fuzz_check(surt.path_start == slow_surt.path_start);
    fuzz_check(surt.path_len == slow_surt.path_len);
    fuzz_check(surt.is_cut == slow_surt.is_cut);

    if (url->scheme == RFL_SCHEME_ANDROID_APP) {
        return;
    }

    host = rfl_str(surt.buf, surt.host_len);

    if (url->host_kind == RFL_HOST_NAME) {
        naive_host(url->host, &naive);
        check_same("a host", host, rfl_str(naive.data, naive.len));
    }

    if (!naive_landing(url, NULL, &rules)) {
        return;
    }

    /* of the whole, or no more than its path's first slash */

    limit = limit == SIZE_MAX ? SIZE_MAX
            : limit > host.len + 1 ? limit - host.len - 1 : 0;
    len = naive_cut(&rules, limit);

    check_same("a SURT", rfl_str(surt.buf + surt.path_start,
                                 surt.len - surt.path_start),
               rfl_str(rules.text.data, len));
    fuzz_check(surt.is_cut == (rules.path_cut || rules.query_cut
                               || rules.text.len > limit));
    fuzz_check(surt.path_len == (len < rules.path_len ? len
                                                      : rules.path_len));
}


static void
check_host(rfl_str_t text)
{
    size_t     len;
    rfl_rc_t   rc;
    u_char     slow_host[HOST_OUT];
    rfl_url_t  url, slow;

    rc = rfl_url_parse_host(text, &url, NULL);
    fuzz_check(bytes_url_parse_host(text, &slow, NULL) == rc);

    if (rc != RFL_OK) {
        return;
    }

    check_same_url(&url, &slow);

    len = rfl_surt_host(&url, host_out);

    check_same("a Host", rfl_str(host_out, len),
               rfl_str(slow_host, bytes_surt_host(&slow, slow_host)));
}


static void
check_target(rfl_str_t text, const rfl_names_t *without, rfl_str_t limits)
{
    rfl_url_t  url, slow;

    rfl_url_parse_target(text, &url);
    bytes_url_parse_target(text, &slow);

    check_same("a target's path", url.path, slow.path);
    check_same("a target's query", url.query, slow.query);
    check_same("the path alone", rfl_url_target_path(text), url.path);
    check_same("the path alone", bytes_url_target_path(text), url.path);

    check_landings(&url, &slow, without, limits);
}


/* Path and query, by rules 5 to 11, and where the limit is met exactly. */

static void
check_landings(const rfl_url_t *url, const rfl_url_t *slow,
    const rfl_names_t *without, rfl_str_t limits)
{
    size_t  i, path_len, len;

    check_landing(url, slow, without, SIZE_MAX);

    for (i = 0; i < limits.len; i++) {
        check_landing(url, slow, without, limits.data[i]);
    }

    if (rfl_surt_landing(url, without, SIZE_MAX, out, &path_len, &len)
        != RFL_OK)
    {
        return;
    }

    check_landing(url, slow, without, len);
    check_landing(url, slow, without, len - 1);
    check_landing(url, slow, without, path_len);
    check_landing(url, slow, without, path_len - 1);
}


static void
check_landing(const rfl_url_t *url, const rfl_url_t *slow,
    const rfl_names_t *without, size_t limit)
{
    size_t    path_len, len, slow_path_len, slow_len;
    rfl_rc_t  rc;

    path_len = 0;
    slow_path_len = 0;

    rc = rfl_surt_landing(url, without, limit, out, &path_len, &len);

    fuzz_check(bytes_surt_landing(slow, without, limit, slow_out,
                                  &slow_path_len, &slow_len)
               == rc);
    fuzz_check(path_len == slow_path_len);

    if (rc != RFL_OK) {
        len = path_len;
        slow_len = path_len;
    }

    fuzz_check(len <= limit && len <= RFL_SURT_MAX);
    check_same("a landing", rfl_str(out, len), rfl_str(slow_out, slow_len));

    if (url->path.len + url->query.len > RFL_URL_MAX) {
        fuzz_check(rc == RFL_FULL && path_len == 0);
        return;
    }

    if (!naive_landing(url, without, &rules)) {
        return;
    }

    fuzz_check((rc == RFL_FULL) == (rules.path_cut || rules.query_cut
                                    || rules.text.len > limit));
    fuzz_check(path_len == (rules.path_cut || rules.path_len > limit
                            ? 0 : rules.path_len));
    check_same("a landing", rfl_str(out, len), rfl_str(rules.text.data, len));
    fuzz_check(rc != RFL_OK || len == rules.text.len);
}


/* dots is what one of them knows, and the other looks for. */

static void
check_same_url(const rfl_url_t *url, const rfl_url_t *slow)
{
    size_t  i;

    fuzz_check(url->scheme == slow->scheme);
    fuzz_check(url->host_kind == slow->host_kind);
    fuzz_check(url->has_query == slow->has_query);
    fuzz_check(url->has_fragment == slow->has_fragment);

    check_same("host", url->host, slow->host);
    check_same("port", url->port, slow->port);
    check_same("path", url->path, slow->path);
    check_same("query", url->query, slow->query);

    if (url->dots != 0) {
        for (i = 0; i < 64; i++) {
            fuzz_check((url->dots >> i & 1)
                       == (i < url->host.len && url->host.data[i] == '.'));
        }
    }
}


static void
check_same(const char *of, rfl_str_t text, rfl_str_t wanted)
{
    if (!rfl_str_eq(text, wanted)) {
        fuzz_show("this is", text);
        fuzz_show("and not", wanted);
        fuzz_finding(__FILE__, __LINE__, of);
    }
}


/* Rules 2 and 3. */

static void
naive_host(rfl_str_t host, text_t *t)
{
    size_t  i, at, end;

    if (host.data[host.len - 1] == '.') {
        host.len--;
    }

    if (host.len > 4 && rfl_str_caseeq(rfl_str(host.data, 4),
                                       rfl_cstr("www.")))
    {
        host.data += 4;
        host.len -= 4;
    }

    t->len = 0;
    end = host.len;

    do {
        for (i = end; i > 0 && host.data[i - 1] != '.'; i--) { /* void */ }

        if (end != host.len) {
            add(t, ',');
        }

        for (at = i; at < end; at++) {
            add(t, rfl_lower(host.data[at]));
        }

        end = i != 0 ? i - 1 : 0;

    } while (i != 0);
}


static int
naive_landing(const rfl_url_t *url, const rfl_names_t *without,
    landing_t *landing)
{
    landing->text.len = 0;
    landing->path_cut = 0;
    landing->query_cut = 0;

    if (!naive_path(url->path, landing)) {
        return 0;
    }

    landing->path_len = landing->text.len;

    if (!landing->path_cut) {
        naive_query(url->query, without, landing);
    }

    return 1;
}


/* Rules 5 to 7 and 10: RFC 3986, 5.2.4, with segments on a stack. */

static int
naive_path(rfl_str_t path, landing_t *landing)
{
    size_t            i, n, start, end, dots;
    rfl_str_t         segment;
    static rfl_str_t  segments[SEGMENTS];

    encoded.len = 0;
    naive_encode(path, &encoded);

    n = 0;
    dots = 0;

    for (start = 1; start <= encoded.len; start = end + 1) {

        for (end = start; end < encoded.len && encoded.data[end] != '/';
             end++)
        {
            /* to the segment's end */
        }

        segment = rfl_str(encoded.data + start, end - start);
        dots += (segment.len != 0 && segment.data[0] == '.');

        if (rfl_str_eq(segment, rfl_cstr(".."))) {
            n -= (n != 0);

        } else if (!rfl_str_eq(segment, rfl_cstr("."))) {

            if (n == SEGMENTS) {
                return 0;
            }

            segments[n++] = segment;
        }
    }

    if (dots > RFL_SURT_DROPPED_MAX) {
        landing->path_cut = 1;
        n = 0;
    }

    /* what is empty at the end is a slash that is dropped */

    while (n > 0 && segments[n - 1].len == 0) {
        n--;
    }

    for (i = 0; i < n; i++) {
        add(&landing->text, '/');

        for (start = 0; start < segments[i].len; start++) {
            add(&landing->text, segments[i].data[start]);
        }
    }

    if (n == 0) {
        add(&landing->text, '/');
    }

    return 1;
}


/* Rules 5 and 8 to 10. */

static void
naive_query(rfl_str_t query, const rfl_names_t *without, landing_t *landing)
{
    size_t     i, start, end, dropped;
    text_t    *t;
    rfl_str_t  name;

    if (query.len == 0) {
        return;
    }

    encoded.len = 0;
    naive_encode(query, &encoded);

    t = &landing->text;
    dropped = 0;

    for (start = 0; start <= encoded.len; start = end + 1) {

        for (end = start; end < encoded.len && encoded.data[end] != '&';
             end++)
        {
            /* to the argument's end */
        }

        for (i = start; i < end && encoded.data[i] != '='; i++) {
            /* to its name's end */
        }

        name = rfl_str(encoded.data + start, i - start);

        if (end == start || rfl_surt_is_tracking(name)
            || (without != NULL && rfl_str_eq(name, without->names[0])))
        {
            dropped++;
            continue;
        }

        add(t, t->len == landing->path_len ? '?' : '&');

        for (i = start; i < end; i++) {
            add(t, encoded.data[i]);
        }
    }

    if (dropped > RFL_SURT_DROPPED_MAX) {
        landing->query_cut = 1;
        t->len = landing->path_len;
    }
}


/* Rule 11: how much of it is within the limit. */

static size_t
naive_cut(const landing_t *landing, size_t limit)
{
    size_t  len;

    if (landing->text.len <= limit) {
        return landing->text.len;
    }

    if (landing->path_len <= limit) {
        return landing->path_len;
    }

    for (len = limit; len > 1 && landing->text.data[len] != '/'; len--) {
        /* to the end of a segment */
    }

    return len > 1 ? len : 1;
}


/* Rule 5. */

static void
naive_encode(rfl_str_t text, text_t *t)
{
    int     value;
    size_t  i;
    u_char  c;

    for (i = 0; i < text.len; i++) {

        c = text.data[i];
        value = c == '%' ? hex(text, i + 1) : -1;

        if (value >= 0) {
            i += 2;

            if (is_unreserved((unsigned) value)) {
                add(t, (u_char) value);

            } else {
                add_escape(t, (unsigned) value);
            }

        } else if (c <= ' ' || c >= 0x7f
                   || strchr("\"%<>\\^`{|}", c) != NULL)
        {
            add_escape(t, c);

        } else {
            add(t, c);
        }
    }
}


/* Of two digits; -1: they are none. */

static int
hex(rfl_str_t text, size_t at)
{
    const char  *high, *low;

    static const char  digits[] = "0123456789abcdef";

    if (at + 2 > text.len || text.data[at] == '\0'
        || text.data[at + 1] == '\0')
    {
        return -1;
    }

    high = strchr(digits, rfl_lower(text.data[at]));
    low = strchr(digits, rfl_lower(text.data[at + 1]));

    return high != NULL && low != NULL
           ? (int) ((high - digits) * 16 + (low - digits)) : -1;
}


static int
is_unreserved(unsigned c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z')
           || c == '-' || c == '.' || c == '_' || c == '~';
}


static void
add(text_t *t, u_char c)
{
    fuzz_check(t->len < sizeof(t->data));
    t->data[t->len++] = c;
}


static void
add_escape(text_t *t, unsigned c)
{
    add(t, '%');
    add(t, (u_char) "0123456789ABCDEF"[c >> 4 & 15]);
    add(t, (u_char) "0123456789ABCDEF"[c & 15]);
}
