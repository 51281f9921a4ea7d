/*
 * The URL parser.  It runs on each external Referer, over bytes a stranger
 * chose: it reads each byte at most a few times, copies nothing, and refuses
 * what two readers could understand differently.
 *
 *     https :// user:pw @ WWW.Blog.Example. : 443 /2024/post ?a=b #c
 *     scheme    userinfo  host               port path        query fragment
 */

#include "rfl_url.h"

#include <arpa/inet.h>


#define RFL_PORT_MAX     65535
#define RFL_URL_SHORT    64      /* of more, memchr() twice is quicker */
#define RFL_IPV4_PARTS   4
#define RFL_IPV4_DIGITS  3       /* of one part, "255" */


/* The messages below name these limits. */

_Static_assert(RFL_URL_MAX == 4096 && RFL_HOST_MAX == 253
               && RFL_LABEL_MAX == 63, "change the messages too");


typedef struct {
    rfl_str_t     name;
    rfl_scheme_t  scheme;
} rfl_url_scheme_t;


static rfl_str_t rfl_url_odd_target_path(rfl_str_t target);
static rfl_rc_t rfl_url_scheme(rfl_str_t *text, rfl_url_t *url,
    const char **why);
static int rfl_url_plain_host(rfl_str_t *text, rfl_url_t *url);
static const u_char *rfl_url_host_end(rfl_str_t text, const u_char **label);
#if (RFL_VECTORS)
static size_t rfl_url_short_host(rfl_str_t text, uint64_t *dots);
#endif
static rfl_rc_t rfl_url_authority(rfl_str_t *text, rfl_str_t *host_port,
    const char **why);
static void rfl_url_rest(rfl_str_t text, rfl_url_t *url);
static rfl_rc_t rfl_url_host_port(rfl_str_t text, rfl_url_t *url,
    const char **why);
static rfl_rc_t rfl_url_ipv6(rfl_str_t host, const char **why);
static rfl_rc_t rfl_url_name(rfl_str_t host, rfl_url_t *url, const char **why);
static rfl_rc_t rfl_url_labels(rfl_str_t name, rfl_str_t *last,
    const char **why);
static int rfl_url_is_number(rfl_str_t label);
static int rfl_url_is_ipv4(rfl_str_t name);
static rfl_rc_t rfl_url_port(rfl_str_t port, const char **why);
static rfl_rc_t rfl_url_invalid(const char **why, const char *text);


static const rfl_url_scheme_t  rfl_url_schemes[] = {
    { rfl_string("https:"),       RFL_SCHEME_HTTPS },
    { rfl_string("http:"),        RFL_SCHEME_HTTP },
    { rfl_string("android-app:"), RFL_SCHEME_ANDROID_APP }
};


/*
 * Bytes of hosts.  Labels are of letters, digits, "-" and, seen in the wild,
 * "_": these are 0.
 */

#define RFL_URL_DOT    1
#define RFL_URL_OTHER  2

static const u_char  rfl_url_host_byte[256] = {
    [0x00 ... ','] = RFL_URL_OTHER,
    ['.'] = RFL_URL_DOT,
    ['/'] = RFL_URL_OTHER,
    [':' ... '@'] = RFL_URL_OTHER,
    ['[' ... '^'] = RFL_URL_OTHER,
    ['`'] = RFL_URL_OTHER,
    ['{' ... 0xff] = RFL_URL_OTHER
};


rfl_rc_t
rfl_url_parse(rfl_str_t text, rfl_url_t *url, const char **why)
{
    rfl_rc_t   rc;
    rfl_str_t  host_port;

    if (text.len > RFL_URL_MAX) {
        return rfl_url_invalid(why, "the URL is longer than 4096 bytes");
    }

    rc = rfl_url_scheme(&text, url, why);
    if (rc != RFL_OK) {
        return rc;
    }

    if (url->scheme != RFL_SCHEME_ANDROID_APP
        && rfl_url_plain_host(&text, url))
    {
        rfl_url_rest(text, url);
        return RFL_OK;
    }

    url->dots = 0;

    rc = rfl_url_authority(&text, &host_port, why);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_url_host_port(host_port, url, why);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_url_rest(text, url);

    return RFL_OK;
}


rfl_rc_t
rfl_url_parse_host(rfl_str_t text, rfl_url_t *url, const char **why)
{
    memset(url, 0, sizeof(rfl_url_t));

    return rfl_url_host_port(text, url, why);
}


/*
 * Anything but a path is skipped: "http://host" of the absolute form,
 * "host:443" of CONNECT, "*" of OPTIONS.
 */

void
rfl_url_parse_target(rfl_str_t target, rfl_url_t *url)
{
    const u_char  *p, *end;

    static const rfl_str_t  root = rfl_string("/");

    memset(url, 0, sizeof(rfl_url_t));
    url->path = root;

    if (target.len == 0) {
        return;
    }

    p = target.data;
    end = p + target.len;

    while (p < end && *p != '/' && *p != '?' && *p != '#') {

        if (*p == ':' && end - p >= 3 && p[1] == '/' && p[2] == '/') {
            p += 3;
            continue;
        }

        p++;
    }

    rfl_url_rest(rfl_str(p, (size_t) (end - p)), url);

    if (url->path.len == 0) {
        url->path = root;
    }
}


rfl_str_t
rfl_url_target_path(rfl_str_t target)
{
    if (target.len != 0 && target.len <= RFL_URL_SHORT
        && target.data[0] == '/')
    {
        return rfl_str(target.data, rfl_str_find2(target, '?', '#'));
    }

    return rfl_url_odd_target_path(target);
}


static __attribute__((noinline)) rfl_str_t
rfl_url_odd_target_path(rfl_str_t target)
{
    rfl_url_t  url;

    rfl_url_parse_target(target, &url);

    return url.path;
}


/* Cuts "scheme://" off text. */

static rfl_rc_t
rfl_url_scheme(rfl_str_t *text, rfl_url_t *url, const char **why)
{
    size_t     i;
    rfl_str_t  name;

    if (text->len >= 8 && memcmp(text->data, "https://", 8) == 0) {
        text->data += 8;
        text->len -= 8;
        url->scheme = RFL_SCHEME_HTTPS;
        return RFL_OK;
    }

    for (i = 0; i < sizeof(rfl_url_schemes) / sizeof(rfl_url_schemes[0]); i++) {

        name = rfl_url_schemes[i].name;

        if (text->len < name.len
            || !rfl_str_caseeq(rfl_str(text->data, name.len), name))
        {
            continue;
        }

        text->data += name.len;
        text->len -= name.len;

        if (text->len < 2 || text->data[0] != '/' || text->data[1] != '/') {
            return rfl_url_invalid(why, "the scheme is not followed by \"//\"");
        }

        text->data += 2;
        text->len -= 2;

        url->scheme = rfl_url_schemes[i].scheme;

        return RFL_OK;
    }

    return rfl_url_invalid(why,
                           "the scheme is not http, https or android-app");
}


/*
 * Most authorities are a plain name.  Cuts it off text in one pass; 0: it is
 * another one, or not valid, and is left to the functions below.
 */

static int
rfl_url_plain_host(rfl_str_t *text, rfl_url_t *url)
{
    const u_char  *p, *end, *label;

    p = text->data;
    end = p + text->len;

    url->dots = 0;

#if (RFL_VECTORS)

    if (text->len >= 16) {
        p += rfl_url_short_host(*text, &url->dots);
    }

#endif

    if (url->dots != 0) {
        label = text->data + 64 - __builtin_clzll(url->dots);

    } else {
        p = rfl_url_host_end(*text, &label);

        if (p == NULL) {
            return 0;
        }
    }

    /* a number begins with a digit */

    if ((p < end && *p != '/' && *p != '?' && *p != '#')
        || (*label >= '0' && *label <= '9')
        || p - text->data > RFL_HOST_MAX)
    {
        return 0;
    }

    url->host_kind = RFL_HOST_NAME;
    url->host = rfl_str(text->data, (size_t) (p - text->data));
    url->port = rfl_str(NULL, 0);

    *text = rfl_str(p, (size_t) (end - p));

    return 1;
}


/* NULL: a label is empty, or too long.  *label is the last one. */

static const u_char *
rfl_url_host_end(rfl_str_t text, const u_char **label)
{
    const u_char  *p, *end;

    p = text.data;
    end = p + text.len;

    for ( ;; ) {

        *label = p;

        while (p < end && rfl_url_host_byte[*p] == 0) {
            p++;
        }

        if (p == *label || p - *label > RFL_LABEL_MAX) {
            return NULL;
        }

        if (p == end || *p != '.') {
            return p;
        }

        p++;
    }
}


#if (RFL_VECTORS)

/*
 * A name of at most 63 bytes at the beginning of a text of at least 16, which
 * has no empty label then, and none that is too long.  Returns its length; 0,
 * and no dots: it is another one, or has no dot.
 */

static size_t
rfl_url_short_host(rfl_str_t text, uint64_t *dots)
{
    size_t    i, at, len;
    __m128i   block, name;
    uint64_t  stops, found;

    found = 0;

    for (i = 0; i < 64; i += 16) {

        /* the last block may overlap the one before */

        at = i + 16 <= text.len ? i : text.len - 16;

        block = rfl_vector_load(text.data + at);

        name = _mm_or_si128(block, _mm_set1_epi8(0x20));
        name = _mm_or_si128(rfl_vector_within(name, 'a', 26),
                            rfl_vector_within(block, '0', 10));
        name = _mm_or_si128(name, rfl_vector_within(block, '-', 2));
        name = _mm_or_si128(name, rfl_vector_equal(block, '_'));

        found |= (uint64_t) rfl_vector_mask(rfl_vector_equal(block, '.')) << at;
        stops = ~rfl_vector_mask(name) & 0xffff;

        if (stops == 0) {
            if (at != i || i + 16 == text.len) {
                break;
            }

            continue;
        }

        len = at + (size_t) __builtin_ctzll(stops);
        found &= ((uint64_t) 1 << len) - 1;

        /* neither the first nor the last one, nor two in a row */

        if (len == 0 || (found & 1) || (found >> (len - 1) & 1)
            || (found & found << 1))
        {
            return 0;
        }

        *dots = found;

        return found == 0 ? 0 : len;
    }

    return 0;
}

#endif


/*
 * Cuts the authority off text and the userinfo off the authority.  A browser
 * takes "\" for "/": of http://a\@b/ it visits a, where RFC 3986 may read b.
 */

static rfl_rc_t
rfl_url_authority(rfl_str_t *text, rfl_str_t *host_port, const char **why)
{
    const u_char  *p, *end, *host;

    host = text->data;
    end = host + text->len;

    for (p = host; p < end; p++) {

        if (rfl_url_host_byte[*p] != RFL_URL_OTHER) {
            continue;
        }

        if (*p == '/' || *p == '?' || *p == '#') {
            break;
        }

        if (*p == '@') {
            host = p + 1;
            continue;
        }

        if (*p <= ' ' || *p == 0x7f || *p == '\\') {
            return rfl_url_invalid(why, "white space, a control byte or a "
                                   "backslash stands before the path");
        }
    }

    *host_port = rfl_str(host, (size_t) (p - host));
    *text = rfl_str(p, (size_t) (end - p));

    return RFL_OK;
}


/* text begins with "/", "?" or "#", or is empty. */

static void
rfl_url_rest(rfl_str_t text, rfl_url_t *url)
{
    size_t         n;
    const u_char  *mark;

    url->query = rfl_str(NULL, 0);
    url->has_query = 0;
    url->has_fragment = 0;

    if (text.len <= RFL_URL_SHORT) {
        n = rfl_str_find2(text, '?', '#');
        url->path = rfl_str(text.data, n);

        if (n == text.len) {
            return;
        }

        if (text.data[n] == '?') {
            text = rfl_str(text.data + n + 1, text.len - n - 1);
            n = rfl_str_find2(text, '#', '#');

            url->query = rfl_str(text.data, n);
            url->has_query = 1;
        }

        url->has_fragment = (n < text.len);

        return;
    }

    mark = memchr(text.data, '#', text.len);

    if (mark != NULL) {
        url->has_fragment = 1;
        text.len = (size_t) (mark - text.data);
    }

    mark = memchr(text.data, '?', text.len);

    if (mark != NULL) {
        url->has_query = 1;
        url->query = rfl_str(mark + 1,
                             text.len - (size_t) (mark + 1 - text.data));
        text.len = (size_t) (mark - text.data);
    }

    url->path = text;
}


static rfl_rc_t
rfl_url_host_port(rfl_str_t text, rfl_url_t *url, const char **why)
{
    rfl_rc_t       rc;
    const u_char  *mark;

    if (text.len > 0 && text.data[0] == '['
        && url->scheme != RFL_SCHEME_ANDROID_APP)
    {
        mark = memchr(text.data, ']', text.len);

        if (mark == NULL) {
            return rfl_url_invalid(why,
                                   "the IPv6 address has no closing bracket");
        }

        url->host = rfl_str(text.data, (size_t) (mark + 1 - text.data));
        url->host_kind = RFL_HOST_IPV6;

        rc = rfl_url_ipv6(url->host, why);

    } else {
        mark = text.len > 0 ? memchr(text.data, ':', text.len) : NULL;

        url->host = (mark == NULL)
                    ? text : rfl_str(text.data, (size_t) (mark - text.data));

        rc = rfl_url_name(url->host, url, why);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    url->port = rfl_str(NULL, 0);

    if (url->host.len == text.len) {
        return RFL_OK;
    }

    if (text.data[url->host.len] != ':') {
        return rfl_url_invalid(why, "the IPv6 address is not followed by a "
                               "port or a path");
    }

    url->port = rfl_str(text.data + url->host.len + 1,
                        text.len - url->host.len - 1);

    return rfl_url_port(url->port, why);
}


/* host is in brackets.  A zone ("%eth0") has no meaning beyond its machine. */

static rfl_rc_t
rfl_url_ipv6(rfl_str_t host, const char **why)
{
    char             text[INET6_ADDRSTRLEN];
    size_t           len;
    struct in6_addr  addr;

    len = host.len - 2;

    if (len < sizeof(text) && memchr(host.data, '\0', host.len) == NULL) {
        memcpy(text, host.data + 1, len);
        text[len] = '\0';

        if (inet_pton(AF_INET6, text, &addr) == 1) {
            return RFL_OK;
        }
    }

    return rfl_url_invalid(why, "the IPv6 address is not valid");
}


static rfl_rc_t
rfl_url_name(rfl_str_t host, rfl_url_t *url, const char **why)
{
    rfl_rc_t   rc;
    rfl_str_t  last;

    url->host_kind = RFL_HOST_NAME;

    if (host.len > 0 && host.data[host.len - 1] == '.') {
        host.len--;
    }

    if (host.len == 0) {
        return rfl_url_invalid(why, "the host is missing");
    }

    if (host.len > RFL_HOST_MAX) {
        return rfl_url_invalid(why, "the host is longer than 253 bytes");
    }

    rc = rfl_url_labels(host, &last, why);
    if (rc != RFL_OK) {
        return rc;
    }

    if (url->scheme == RFL_SCHEME_ANDROID_APP || !rfl_url_is_number(last)) {
        return RFL_OK;
    }

    if (!rfl_url_is_ipv4(host)) {
        return rfl_url_invalid(why, "a host that ends in a number must be an "
                               "IPv4 address such as 192.0.2.1");
    }

    url->host_kind = RFL_HOST_IPV4;

    return RFL_OK;
}


static rfl_rc_t
rfl_url_labels(rfl_str_t name, rfl_str_t *last, const char **why)
{
    size_t         len;
    const u_char  *p, *end, *label;

    p = name.data;
    end = p + name.len;

    for ( ;; ) {

        label = p;

        while (p < end && rfl_url_host_byte[*p] == 0) {
            p++;
        }

        if (p < end && *p != '.') {
            return rfl_url_invalid(why, "the host holds a byte that is no "
                                   "letter, digit, \"-\", \"_\" or \".\"");
        }

        len = (size_t) (p - label);

        if (len == 0) {
            return rfl_url_invalid(why, "the host has an empty label");
        }

        if (len > RFL_LABEL_MAX) {
            return rfl_url_invalid(why, "a label of the host is longer than "
                                   "63 bytes");
        }

        if (p == end) {
            *last = rfl_str(label, len);
            return RFL_OK;
        }

        p++;
    }
}


/* What the WHATWG URL standard's "ends in a number checker" looks for. */

static int
rfl_url_is_number(rfl_str_t label)
{
    int     hex;
    size_t  i;
    u_char  c;

    hex = label.len >= 2 && label.data[0] == '0'
          && rfl_lower(label.data[1]) == 'x';

    for (i = hex ? 2 : 0; i < label.len; i++) {
        c = rfl_lower(label.data[i]);

        if ((c < '0' || c > '9') && !(hex && c >= 'a' && c <= 'f')) {
            return 0;
        }
    }

    return 1;
}


/*
 * Decimal, without leading zeros: 010 is 8 to some readers and 10 to others.
 * The labels are not empty.
 */

static int
rfl_url_is_ipv4(rfl_str_t name)
{
    size_t         digits;
    unsigned       part, parts;
    const u_char  *p, *end;

    p = name.data;
    end = p + name.len;

    for (parts = 1; /* void */ ; parts++) {

        part = 0;

        for (digits = 0; p < end && *p != '.'; digits++, p++) {

            if (*p < '0' || *p > '9' || digits == RFL_IPV4_DIGITS) {
                return 0;
            }

            if (digits == 1 && part == 0) {
                return 0;
            }

            part = part * 10 + (*p - '0');
        }

        if (part > 255) {
            return 0;
        }

        if (p == end) {
            return parts == RFL_IPV4_PARTS;
        }

        p++;
    }
}


static rfl_rc_t
rfl_url_port(rfl_str_t port, const char **why)
{
    size_t    i;
    unsigned  n;

    n = 0;

    for (i = 0; i < port.len; i++) {

        if (port.data[i] < '0' || port.data[i] > '9') {
            return rfl_url_invalid(why, "the port is not a number");
        }

        n = n * 10 + (port.data[i] - '0');

        if (n > RFL_PORT_MAX) {
            return rfl_url_invalid(why, "the port is greater than 65535");
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_url_invalid(const char **why, const char *text)
{
    if (why != NULL) {
        *why = text;
    }

    return RFL_INVALID;
}
