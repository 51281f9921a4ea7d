/*
 * URL to key.  The rules stand in rfl_surt.h; comments here give their
 * numbers.
 *
 * The order of the steps is what makes the transform idempotent: bytes are
 * decoded first, then judged.  "%2e%2e" is a dot segment and "utm%5Fid" is a
 * tracking parameter because both are judged in the form they are kept in.
 *
 * This runs for each external Referer that is not cached, so plain bytes, the
 * most of any URL, are copied by runs.
 */

#include "rfl_surt.h"

#include <arpa/inet.h>

/* Every x86-64 has them; elsewhere bytes are looked at one by one. */

#if defined(__SSE2__)
#include <emmintrin.h>
#define RFL_SURT_VECTORS  1
#else
#define RFL_SURT_VECTORS  0
#endif


static u_char *rfl_surt_write_name(u_char *out, rfl_str_t name);
static u_char *rfl_surt_write_ipv6(u_char *out, rfl_str_t host);
static u_char *rfl_surt_write_lower(u_char *out, const u_char *p,
    const u_char *end);
static u_char *rfl_surt_write_path(u_char *out, rfl_str_t path);
static int rfl_surt_may_have_dots(const u_char *path, const u_char *end);
static u_char *rfl_surt_remove_dots(u_char *path, u_char *end);
static u_char *rfl_surt_write_query(u_char *out, rfl_str_t query,
    const rfl_names_t *without);
static int rfl_surt_is_dropped(rfl_str_t param, const rfl_names_t *without);
static u_char *rfl_surt_write_encoded(u_char *out, rfl_str_t text);
static size_t rfl_surt_plain_run(const u_char *p, const u_char *end);
#if (RFL_SURT_VECTORS)
static inline int rfl_surt_any(__m128i a, __m128i b);
static inline __m128i rfl_surt_suspect16(const u_char *p);
static inline __m128i rfl_surt_special16(const u_char *p);
#endif


/* 1: bytes that cannot be copied as they are, by rule 5. */

static const u_char  rfl_surt_special[256] = {
    [0x00 ... 0x20] = 1,
    ['"'] = 1, ['%'] = 1, ['<'] = 1, ['>'] = 1, ['\\'] = 1, ['^'] = 1,
    ['`'] = 1, ['{'] = 1, ['|'] = 1, ['}'] = 1,
    [0x7f ... 0xff] = 1
};


/* RFC 3986, 2.3. */

static const u_char  rfl_surt_unreserved[256] = {
    ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
    ['-'] = 1, ['.'] = 1, ['_'] = 1, ['~'] = 1
};


#define RFL_SURT_NO_HEX  16

static const u_char  rfl_surt_hex[256] = {
    [0x00 ... '/'] = RFL_SURT_NO_HEX,
    ['0'] = 0, ['1'] = 1, ['2'] = 2, ['3'] = 3, ['4'] = 4,
    ['5'] = 5, ['6'] = 6, ['7'] = 7, ['8'] = 8, ['9'] = 9,
    [':' ... '@'] = RFL_SURT_NO_HEX,
    ['A'] = 10, ['B'] = 11, ['C'] = 12, ['D'] = 13, ['E'] = 14, ['F'] = 15,
    ['G' ... '`'] = RFL_SURT_NO_HEX,
    ['a'] = 10, ['b'] = 11, ['c'] = 12, ['d'] = 13, ['e'] = 14, ['f'] = 15,
    ['g' ... 0xff] = RFL_SURT_NO_HEX
};


static const u_char  rfl_surt_hex_digits[] = "0123456789ABCDEF";

static const rfl_str_t  rfl_surt_app = rfl_string("android-app:");


/*
 * Rule 9: the arguments that advertisers, mailers and social networks add to
 * links they carry, as their documentation names them.  By first byte, lower
 * case; a name that begins otherwise costs one load.
 */

static const rfl_str_t *const  rfl_surt_tracking[256] = {

    ['_'] = (const rfl_str_t[]) {
        rfl_string("_ga"),               /* Google Analytics, cross-domain */
        rfl_string("_gac"),              /* Google Analytics, cross-domain */
        rfl_string("_gl"),               /* Google tag, cross-domain */
        rfl_string("_hsenc"),            /* HubSpot, mail */
        rfl_string("_hsmi"),             /* HubSpot, mail */
        rfl_string("__hsfp"),            /* HubSpot, cross-domain */
        rfl_string("__hssc"),            /* HubSpot, cross-domain */
        rfl_string("__hstc"),            /* HubSpot, cross-domain */
        rfl_string("_branch_match_id"),  /* Branch */
        rfl_string("_branch_referrer"),  /* Branch */
        rfl_string("_kx"),               /* Klaviyo */
        rfl_string("_openstat"),         /* Openstat, Yandex Direct */
        rfl_string("")
    },

    ['c'] = (const rfl_str_t[]) {
        rfl_string("cjevent"),           /* CJ Affiliate */
        rfl_string("")
    },

    ['d'] = (const rfl_str_t[]) {
        rfl_string("dclid"),             /* Google Display & Video 360 */
        rfl_string("dicbo"),             /* Outbrain */
        rfl_string("")
    },

    ['e'] = (const rfl_str_t[]) {
        rfl_string("ef_id"),             /* Adobe Advertising */
        rfl_string("epik"),              /* Pinterest */
        rfl_string("")
    },

    ['f'] = (const rfl_str_t[]) {
        rfl_string("fbclid"),            /* Meta */
        rfl_string("")
    },

    ['g'] = (const rfl_str_t[]) {
        rfl_string("gclid"),             /* Google Ads */
        rfl_string("gclsrc"),            /* Google Ads, Search Ads 360 */
        rfl_string("gbraid"),            /* Google Ads, web to app */
        rfl_string("gad_source"),        /* Google Ads */
        rfl_string("gad_campaignid"),    /* Google Ads */
        rfl_string("")
    },

    ['h'] = (const rfl_str_t[]) {
        rfl_string("hsctatracking"),     /* HubSpot, call to action */
        rfl_string("")
    },

    ['i'] = (const rfl_str_t[]) {
        rfl_string("igsh"),              /* Instagram */
        rfl_string("igshid"),            /* Instagram */
        rfl_string("irclickid"),         /* Impact */
        rfl_string("")
    },

    ['l'] = (const rfl_str_t[]) {
        rfl_string("li_fat_id"),         /* LinkedIn */
        rfl_string("")
    },

    ['m'] = (const rfl_str_t[]) {
        rfl_string("mc_cid"),            /* Mailchimp */
        rfl_string("mc_eid"),            /* Mailchimp */
        rfl_string("mkt_tok"),           /* Adobe Marketo */
        rfl_string("ml_subscriber"),     /* MailerLite */
        rfl_string("ml_subscriber_hash"),  /* MailerLite */
        rfl_string("msclkid"),           /* Microsoft Advertising */
        rfl_string("mtm_campaign"),      /* Matomo */
        rfl_string("mtm_cid"),           /* Matomo */
        rfl_string("mtm_content"),       /* Matomo */
        rfl_string("mtm_group"),         /* Matomo */
        rfl_string("mtm_keyword"),       /* Matomo */
        rfl_string("mtm_kwd"),           /* Matomo */
        rfl_string("mtm_medium"),        /* Matomo */
        rfl_string("mtm_placement"),     /* Matomo */
        rfl_string("mtm_source"),        /* Matomo */
        rfl_string("")
    },

    ['o'] = (const rfl_str_t[]) {
        rfl_string("oly_anon_id"),       /* Olytics */
        rfl_string("oly_enc_id"),        /* Olytics */
        rfl_string("")
    },

    ['p'] = (const rfl_str_t[]) {
        rfl_string("pk_campaign"),       /* Matomo, as Piwik */
        rfl_string("pk_cid"),            /* Matomo, as Piwik */
        rfl_string("pk_content"),        /* Matomo, as Piwik */
        rfl_string("pk_keyword"),        /* Matomo, as Piwik */
        rfl_string("pk_kwd"),            /* Matomo, as Piwik */
        rfl_string("pk_medium"),         /* Matomo, as Piwik */
        rfl_string("pk_source"),         /* Matomo, as Piwik */
        rfl_string("")
    },

    ['q'] = (const rfl_str_t[]) {
        rfl_string("qclid"),             /* Quora */
        rfl_string("")
    },

    ['r'] = (const rfl_str_t[]) {
        rfl_string("rb_clickid"),        /* Rebrandly */
        rfl_string("rdt_cid"),           /* Reddit */
        rfl_string("")
    },

    ['s'] = (const rfl_str_t[]) {
        rfl_string("s_kwcid"),           /* Adobe Advertising */
        rfl_string("sccid"),             /* Snapchat */
        rfl_string("srsltid"),           /* Google Merchant Center */
        rfl_string("")
    },

    ['t'] = (const rfl_str_t[]) {
        rfl_string("tblci"),             /* Taboola */
        rfl_string("ttclid"),            /* TikTok */
        rfl_string("twclid"),            /* X (Twitter) */
        rfl_string("")
    },

    ['v'] = (const rfl_str_t[]) {
        rfl_string("vero_conv"),         /* Vero */
        rfl_string("vero_id"),           /* Vero */
        rfl_string("")
    },

    ['w'] = (const rfl_str_t[]) {
        rfl_string("wbraid"),            /* Google Ads, app to web */
        rfl_string("wickedid"),          /* Wicked Reports */
        rfl_string("")
    },

    ['y'] = (const rfl_str_t[]) {
        rfl_string("yclid"),             /* Yandex Direct */
        rfl_string("ymclid"),            /* Yandex Market */
        rfl_string("ysclid"),            /* Yandex Search */
        rfl_string("")
    }
};

/* Urchin, now Google Analytics, and nearly everybody: any name begun so. */

static const rfl_str_t  rfl_surt_utm = rfl_string("utm_");


void
rfl_surt(const rfl_url_t *url, rfl_surt_t *surt)
{
    rfl_surt_begin(url, surt);
    rfl_surt_finish(url, surt);
}


void
rfl_surt_begin(const rfl_url_t *url, rfl_surt_t *surt)
{
    surt->is_app = (url->scheme == RFL_SCHEME_ANDROID_APP);
    surt->is_address = (url->host_kind != RFL_HOST_NAME);

    surt->host_len = rfl_surt_host(url, surt->buf);
    surt->buf[surt->host_len] = ')';

    surt->path_start = surt->host_len + 1;
    surt->path_len = 0;
    surt->len = surt->path_start;
}


void
rfl_surt_finish(const rfl_url_t *url, rfl_surt_t *surt)
{
    u_char  *out, *path;

    path = surt->buf + surt->path_start;
    out = path;

    if (surt->is_app) {
        *out++ = '/';
        surt->path_len = 1;

    } else {
        out = rfl_surt_write_path(out, url->path);
        surt->path_len = (size_t) (out - path);

        out = rfl_surt_write_query(out, url->query, NULL);
    }

    surt->len = (size_t) (out - surt->buf);
}


/* Rules 2, 3 and 4. */

size_t
rfl_surt_host(const rfl_url_t *url, u_char *out)
{
    u_char     *p;
    rfl_str_t   host;

    if (url->scheme == RFL_SCHEME_ANDROID_APP) {
        host = url->host;

        if (host.data[host.len - 1] == '.') {
            host.len--;
        }

        memcpy(out, rfl_surt_app.data, rfl_surt_app.len);

        p = rfl_surt_write_lower(out + rfl_surt_app.len, host.data,
                                 host.data + host.len);

        return (size_t) (p - out);
    }

    if (url->host_kind == RFL_HOST_IPV6) {
        p = rfl_surt_write_ipv6(out, url->host);

        return (size_t) (p - out);
    }

    host = rfl_url_bare_host(url->host);

    if (url->host_kind == RFL_HOST_IPV4) {
        memcpy(out, host.data, host.len);

        return host.len;
    }

    p = rfl_surt_write_name(out, host);

    return (size_t) (p - out);
}


rfl_rc_t
rfl_surt_landing(const rfl_url_t *url, const rfl_names_t *without,
    u_char *out, size_t *path_len, size_t *len)
{
    u_char  *end;

    if (url->path.len > RFL_URL_MAX
        || url->query.len > RFL_URL_MAX - url->path.len)
    {
        return RFL_FULL;
    }

    end = rfl_surt_write_path(out, url->path);
    *path_len = (size_t) (end - out);

    end = rfl_surt_write_query(end, url->query, without);
    *len = (size_t) (end - out);

    return RFL_OK;
}


int
rfl_surt_is_tracking(rfl_str_t name)
{
    const rfl_str_t  *known;

    if (name.len == 0) {
        return 0;
    }

    if (name.len >= rfl_surt_utm.len && rfl_lower(name.data[0]) == 'u') {
        return rfl_str_caseeq(rfl_str(name.data, rfl_surt_utm.len),
                              rfl_surt_utm);
    }

    known = rfl_surt_tracking[rfl_lower(name.data[0])];

    if (known == NULL) {
        return 0;
    }

    for ( /* void */ ; known->len != 0; known++) {
        if (known->len == name.len && rfl_str_caseeq(*known, name)) {
            return 1;
        }
    }

    return 0;
}


static u_char *
rfl_surt_write_name(u_char *out, rfl_str_t name)
{
    u_char        *end;
    const u_char  *p, *last, *label;

    /* filled from the end on, so that the name is read once from its start */

    end = out + name.len;
    p = name.data;
    last = p + name.len;
    out = end;

    for (label = p; p < last; p++) {

        if (*p == '.') {
            out -= p - label;
            rfl_lower_copy(out, label, (size_t) (p - label));
            *--out = ',';
            label = p + 1;
        }
    }

    rfl_lower_copy(out - (last - label), label, (size_t) (last - label));

    return end;
}


/* The parser has found the address valid; its text has no zone. */

static u_char *
rfl_surt_write_ipv6(u_char *out, rfl_str_t host)
{
    char             text[INET6_ADDRSTRLEN];
    size_t           len;
    struct in6_addr  addr;

    len = host.len - 2;

    memcpy(text, host.data + 1, len);
    text[len] = '\0';

    if (inet_pton(AF_INET6, text, &addr) != 1
        || inet_ntop(AF_INET6, &addr, text, sizeof(text)) == NULL)
    {
        return rfl_surt_write_lower(out, host.data, host.data + host.len);
    }

    len = strlen(text);

    *out++ = '[';
    memcpy(out, text, len);
    out += len;
    *out++ = ']';

    return out;
}


static u_char *
rfl_surt_write_lower(u_char *out, const u_char *p, const u_char *end)
{
    size_t  len;

    len = (size_t) (end - p);
    rfl_lower_copy(out, p, len);

    return out + len;
}


/* Rules 5, 6 and 7. */

static u_char *
rfl_surt_write_path(u_char *out, rfl_str_t path)
{
    u_char  *end;

    if (path.len == 0) {
        *out++ = '/';
        return out;
    }

    end = rfl_surt_write_encoded(out, path);

    if (rfl_surt_may_have_dots(out, end)) {
        end = rfl_surt_remove_dots(out, end);
    }

    while (end - out > 1 && end[-1] == '/') {
        end--;
    }

    return end;
}


/* Whether a segment begins with a dot; the path begins with "/". */

static int
rfl_surt_may_have_dots(const u_char *path, const u_char *end)
{
    const u_char  *dot;

    dot = path;

    for ( ;; ) {
        dot = memchr(dot + 1, '.', (size_t) (end - dot - 1));

        if (dot == NULL) {
            return 0;
        }

        if (dot[-1] == '/') {
            return 1;
        }
    }
}


/*
 * In place: what is kept only moves towards the beginning.  The path begins
 * with "/", so going back to a slash always ends.
 */

static u_char *
rfl_surt_remove_dots(u_char *path, u_char *end)
{
    u_char  *p, *next, *out;
    size_t   len;

    out = path;

    for (p = path; p < end; p = next) {

        next = memchr(p + 1, '/', (size_t) (end - p - 1));

        if (next == NULL) {
            next = end;
        }

        len = (size_t) (next - p);

        if (len == 2 && p[1] == '.') {
            continue;
        }

        if (len == 3 && p[1] == '.' && p[2] == '.') {

            while (out > path && *--out != '/') { /* void */ }

            continue;
        }

        memmove(out, p, len);
        out += len;
    }

    /* nothing but dot segments; a slash they end with is dropped anyway */

    if (out == path) {
        *out++ = '/';
    }

    return out;
}


/*
 * Rule 9.  Encoding makes no "&" and no "=", so the whole query is encoded at
 * once; parameters that stay then close up over those that are dropped.
 */

static u_char *
rfl_surt_write_query(u_char *out, rfl_str_t query, const rfl_names_t *without)
{
    u_char  *start, *p, *end, *amp;
    size_t   len;

    if (query.len == 0) {
        return out;
    }

    start = out;
    end = rfl_surt_write_encoded(out + 1, query);

    for (p = out + 1; p < end; p = amp + 1) {

        amp = memchr(p, '&', (size_t) (end - p));

        if (amp == NULL) {
            amp = end;
        }

        len = (size_t) (amp - p);

        if (len == 0 || rfl_surt_is_dropped(rfl_str(p, len), without)) {
            continue;
        }

        *out = (out == start) ? '?' : '&';
        out++;

        if (out != p) {
            memmove(out, p, len);
        }

        out += len;
    }

    return out;
}


static int
rfl_surt_is_dropped(rfl_str_t param, const rfl_names_t *without)
{
    size_t         i;
    rfl_str_t      name;
    const u_char  *equals;

    equals = memchr(param.data, '=', param.len);

    name = (equals == NULL)
           ? param : rfl_str(param.data, (size_t) (equals - param.data));

    if (rfl_surt_is_tracking(name)) {
        return 1;
    }

    if (without == NULL) {
        return 0;
    }

    for (i = 0; i < without->n; i++) {
        if (rfl_str_eq(name, without->names[i])) {
            return 1;
        }
    }

    return 0;
}


/* Rule 5. */

static u_char *
rfl_surt_write_encoded(u_char *out, rfl_str_t text)
{
    int            high, low;
    u_char         c;
    size_t         run;
    const u_char  *p, *end;

    p = text.data;
    end = p + text.len;

    while (p < end) {

        c = *p;

        if (!rfl_surt_special[c]) {
            run = rfl_surt_plain_run(p, end);

            memcpy(out, p, run);
            out += run;
            p += run;
            continue;
        }

        if (c == '%' && end - p >= 3) {
            high = rfl_surt_hex[p[1]];
            low = rfl_surt_hex[p[2]];

            if ((high | low) < RFL_SURT_NO_HEX) {
                c = (u_char) (high << 4 | low);
                p += 2;

                if (rfl_surt_unreserved[c]) {
                    *out++ = c;
                    p++;
                    continue;
                }
            }
        }

        *out++ = '%';
        *out++ = rfl_surt_hex_digits[c >> 4];
        *out++ = rfl_surt_hex_digits[c & 0xf];
        p++;
    }

    return out;
}


/* How many bytes from p on can be copied, at least one; 32 at a time. */

static size_t
rfl_surt_plain_run(const u_char *p, const u_char *end)
{
    const u_char  *start;

    start = p;

#if (RFL_SURT_VECTORS)

    while (end - p >= 32
           && (!rfl_surt_any(rfl_surt_suspect16(p), rfl_surt_suspect16(p + 16))
               || !rfl_surt_any(rfl_surt_special16(p),
                                rfl_surt_special16(p + 16))))
    {
        p += 32;
    }

    while (end - p >= 16) {
        int  mask;

        mask = _mm_movemask_epi8(rfl_surt_special16(p));

        if (mask != 0) {
            return (size_t) (p - start) + (size_t) __builtin_ctz(mask);
        }

        p += 16;
    }

#endif

    while (p < end && !rfl_surt_special[*p]) {
        p++;
    }

    return (size_t) (p - start);
}


#if (RFL_SURT_VECTORS)

static inline int
rfl_surt_any(__m128i a, __m128i b)
{
    return _mm_movemask_epi8(_mm_or_si128(a, b)) != 0;
}


/* And "!", "#", "$", "~", which are rare in URLs: in half the time. */

static inline __m128i
rfl_surt_suspect16(const u_char *p)
{
    __m128i  b, pair;

    b = _mm_loadu_si128((const __m128i *) (const void *) p);
    pair = _mm_or_si128(b, _mm_set1_epi8(2));

    return _mm_or_si128(
               _mm_or_si128(
                   _mm_or_si128(_mm_cmplt_epi8(b, _mm_set1_epi8('&')),
                                _mm_cmpgt_epi8(b, _mm_set1_epi8('z'))),
                   _mm_or_si128(_mm_cmpeq_epi8(pair, _mm_set1_epi8('>')),
                                _mm_cmpeq_epi8(pair, _mm_set1_epi8('^')))),
               _mm_cmpeq_epi8(b, _mm_set1_epi8('`')));
}


/*
 * The bytes that rfl_surt_special has are set: by signed comparisons, to which
 * those from 0x80 on are less than a space.
 */

static inline __m128i
rfl_surt_special16(const u_char *p)
{
    __m128i  b, found, braces;

    b = _mm_loadu_si128((const __m128i *) (const void *) p);

    found = _mm_cmplt_epi8(b, _mm_set1_epi8('!'));

    /* "{", "|", "}" and DEL, not "~" */

    braces = _mm_andnot_si128(_mm_cmpeq_epi8(b, _mm_set1_epi8('~')),
                              _mm_cmpgt_epi8(b, _mm_set1_epi8('z')));
    found = _mm_or_si128(found, braces);

    /* two that differ in one bit: "<" and ">", "\\" and "^" with bit 1 set */

    found = _mm_or_si128(found,
                _mm_cmpeq_epi8(_mm_or_si128(b, _mm_set1_epi8(2)),
                               _mm_set1_epi8('>')));
    found = _mm_or_si128(found,
                _mm_cmpeq_epi8(_mm_or_si128(b, _mm_set1_epi8(2)),
                               _mm_set1_epi8('^')));

    found = _mm_or_si128(found, _mm_cmpeq_epi8(b, _mm_set1_epi8('"')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(b, _mm_set1_epi8('%')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(b, _mm_set1_epi8('`')));

    return found;
}

#endif
