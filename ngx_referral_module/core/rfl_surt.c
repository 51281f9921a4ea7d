/*
 * URL to key.  The rules stand in rfl_surt.h; comments here give their
 * numbers.
 *
 * The order of the steps is what makes the transform idempotent: bytes are
 * decoded first, then judged.  "%2e%2e" is a dot segment and "utm%5Fid" is a
 * tracking parameter because both are judged in the form they are kept in.
 *
 * This runs for each external Referer that is not cached, so plain bytes, the
 * most of any URL, are copied by blocks.
 */

#include "rfl_surt.h"

#include <arpa/inet.h>

/* The tests compile it without vectors too, and compare the two. */

#if !defined(RFL_SURT_VECTORS)
#define RFL_SURT_VECTORS  RFL_VECTORS
#endif


static u_char *rfl_surt_write_name(u_char *out, rfl_str_t name,
    uint64_t dots);
static u_char *rfl_surt_write_labels(u_char *out, rfl_str_t name);
static u_char *rfl_surt_write_ipv6(u_char *out, rfl_str_t host);
static u_char *rfl_surt_write_lower(u_char *out, const u_char *p,
    const u_char *end);
static u_char *rfl_surt_write_path(u_char *out, rfl_str_t path);
static u_char *rfl_surt_find_dots(u_char *path, u_char *end);
static u_char *rfl_surt_remove_dots(u_char *path, u_char *dots, u_char *end);
static u_char *rfl_surt_write_query(u_char *out, rfl_str_t query,
    const rfl_names_t *without);
static inline uint32_t rfl_surt_amps(const u_char *block);
static u_char *rfl_surt_keep(u_char *out, const u_char *start,
    const u_char *run, const u_char *p);
static int rfl_surt_is_dropped(const u_char *param, size_t len,
    const rfl_names_t *without);
static inline size_t rfl_surt_name_len(const u_char *param, size_t len);
static u_char *rfl_surt_write_encoded(u_char *out, rfl_str_t text);
static u_char *rfl_surt_encode_bytes(u_char *out, const u_char **text,
    const u_char *until, const u_char *end);
static inline u_char *rfl_surt_put(u_char *out, uint32_t form);
#if (RFL_SURT_VECTORS)
static u_char *rfl_surt_encode_blocks(u_char *out, const u_char **text,
    const u_char *end);
static inline u_char *rfl_surt_encode_odd(u_char *out, const u_char **text,
    const u_char *end, unsigned odd, size_t *slow);
static u_char *rfl_surt_encode_raw(u_char *out, const u_char *p, size_t n);
static inline size_t rfl_surt_encode_escapes(u_char *out, const u_char *p,
    __m128i block, __m128i letter, unsigned begin);
static size_t rfl_surt_encode_script(u_char *out, const u_char *p,
    const u_char *end);
static inline unsigned rfl_surt_not_script16(u_char *out, const u_char *p,
    unsigned begin, unsigned high);
static inline int rfl_surt_copy_plain(u_char *out, const u_char *p,
    size_t len);
static inline __m128i rfl_surt_odd16(__m128i block);
static inline __m128i rfl_surt_dots16(const u_char *p);
#endif


/*
 * Rule 5, a byte at a time: what is written for a byte that stands for
 * itself, and for one that an escape stands for.  The text, its first byte
 * lowest, and above it how long it is.
 */

#define RFL_SURT_DIGIT(n)  ((n) + ((n) < 10 ? '0' : 'A' - 10))

#define RFL_SURT_ESCAPE(c)                                                    \
    ('%' | RFL_SURT_DIGIT((c) >> 4) << 8 | RFL_SURT_DIGIT((c) & 15) << 16     \
     | 3u << 24)

#define RFL_SURT_ITSELF(c)  ((c) | 1u << 24)

/* Bytes that no URL may hold raw, and the sign that starts an escape. */

#define RFL_SURT_RAW(c)                                                       \
    ((c) <= ' ' || (c) == '"' || (c) == '%' || (c) == '<' || (c) == '>'       \
     || (c) == '\\' || (c) == '^' || (c) == '`' || (c) == '{'                 \
     || (c) == '|' || (c) == '}' || (c) >= 0x7f                               \
     ? RFL_SURT_ESCAPE(c) : RFL_SURT_ITSELF(c))

/* RFC 3986, 2.3: those that need no escape. */

#define RFL_SURT_ESCAPED(c)                                                   \
    (((c) >= '0' && (c) <= '9') || ((c) >= 'A' && (c) <= 'Z')                 \
     || ((c) >= 'a' && (c) <= 'z')                                            \
     || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~'                  \
     ? RFL_SURT_ITSELF(c) : RFL_SURT_ESCAPE(c))

#define RFL_SURT_4(form, c)                                                   \
    form(c), form((c) + 1), form((c) + 2), form((c) + 3)
#define RFL_SURT_16(form, c)                                                  \
    RFL_SURT_4(form, c), RFL_SURT_4(form, (c) + 4),                           \
    RFL_SURT_4(form, (c) + 8), RFL_SURT_4(form, (c) + 12)
#define RFL_SURT_64(form, c)                                                  \
    RFL_SURT_16(form, c), RFL_SURT_16(form, (c) + 16),                        \
    RFL_SURT_16(form, (c) + 32), RFL_SURT_16(form, (c) + 48)
#define RFL_SURT_256(form)                                                    \
    RFL_SURT_64(form, 0), RFL_SURT_64(form, 64),                              \
    RFL_SURT_64(form, 128), RFL_SURT_64(form, 192)

static const uint32_t  rfl_surt_raw[256] = { RFL_SURT_256(RFL_SURT_RAW) };

static const uint32_t  rfl_surt_escaped[256] = {
    RFL_SURT_256(RFL_SURT_ESCAPED)
};

/* How far a byte at a time goes before blocks are tried again. */

#define RFL_SURT_SLOW_FIRST  16
#define RFL_SURT_SLOW        64

#define RFL_SURT_LONG        128     /* above, memchr() is worth its call */
#define RFL_SURT_THIRDS      0x9249  /* each third byte, of 16 */
#define RFL_SURT_BLOCK       (RFL_SURT_VECTORS ? 16 : 1)
#define RFL_SURT_BEHIND      16      /* written and read behind the end */


#define RFL_SURT_NO_HEX  0x100

static const uint16_t  rfl_surt_hex[256] = {
    [0x00 ... '/'] = RFL_SURT_NO_HEX,
    ['0'] = 0, ['1'] = 1, ['2'] = 2, ['3'] = 3, ['4'] = 4,
    ['5'] = 5, ['6'] = 6, ['7'] = 7, ['8'] = 8, ['9'] = 9,
    [':' ... '@'] = RFL_SURT_NO_HEX,
    ['A'] = 10, ['B'] = 11, ['C'] = 12, ['D'] = 13, ['E'] = 14, ['F'] = 15,
    ['G' ... '`'] = RFL_SURT_NO_HEX,
    ['a'] = 10, ['b'] = 11, ['c'] = 12, ['d'] = 13, ['e'] = 14, ['f'] = 15,
    ['g' ... 0xff] = RFL_SURT_NO_HEX
};


static const rfl_str_t  rfl_surt_app = rfl_string("android-app:");


#define RFL_SURT_NAME_MIN    3       /* of the names below */
#define RFL_SURT_NAME_MAX    18

/*
 * Rule 9: the arguments that advertisers, mailers and social networks add to
 * links they carry, as their documentation names them.  By first byte and
 * length, lower case; a name of another kind costs one load.
 */

#define RFL_SURT_NAMES(first, len)  (((first) & 31) | (len) << 5)

static const char *const *const
    rfl_surt_tracking[RFL_SURT_NAMES(31, RFL_SURT_NAME_MAX) + 1] = {

    [RFL_SURT_NAMES('_', 3)] = (const char *const []) {
        "_ga",                   /* Google Analytics, cross-domain */
        "_gl",                   /* Google tag, cross-domain */
        "_kx",                   /* Klaviyo */
        NULL
    },

    [RFL_SURT_NAMES('_', 4)] = (const char *const []) {
        "_gac",                  /* Google Analytics, cross-domain */
        NULL
    },

    [RFL_SURT_NAMES('_', 5)] = (const char *const []) {
        "_hsmi",                 /* HubSpot, mail */
        NULL
    },

    [RFL_SURT_NAMES('_', 6)] = (const char *const []) {
        "_hsenc",                /* HubSpot, mail */
        "__hsfp",                /* HubSpot, cross-domain */
        "__hssc",                /* HubSpot, cross-domain */
        "__hstc",                /* HubSpot, cross-domain */
        NULL
    },

    [RFL_SURT_NAMES('_', 9)] = (const char *const []) {
        "_openstat",             /* Openstat, Yandex Direct */
        NULL
    },

    [RFL_SURT_NAMES('_', 16)] = (const char *const []) {
        "_branch_match_id",      /* Branch */
        "_branch_referrer",      /* Branch */
        NULL
    },

    [RFL_SURT_NAMES('c', 7)] = (const char *const []) {
        "cjevent",               /* CJ Affiliate */
        NULL
    },

    [RFL_SURT_NAMES('d', 5)] = (const char *const []) {
        "dclid",                 /* Google Display & Video 360 */
        "dicbo",                 /* Outbrain */
        NULL
    },

    [RFL_SURT_NAMES('e', 4)] = (const char *const []) {
        "epik",                  /* Pinterest */
        NULL
    },

    [RFL_SURT_NAMES('e', 5)] = (const char *const []) {
        "ef_id",                 /* Adobe Advertising */
        NULL
    },

    [RFL_SURT_NAMES('f', 6)] = (const char *const []) {
        "fbclid",                /* Meta */
        NULL
    },

    [RFL_SURT_NAMES('g', 5)] = (const char *const []) {
        "gclid",                 /* Google Ads */
        NULL
    },

    [RFL_SURT_NAMES('g', 6)] = (const char *const []) {
        "gclsrc",                /* Google Ads, Search Ads 360 */
        "gbraid",                /* Google Ads, web to app */
        NULL
    },

    [RFL_SURT_NAMES('g', 10)] = (const char *const []) {
        "gad_source",            /* Google Ads */
        NULL
    },

    [RFL_SURT_NAMES('g', 14)] = (const char *const []) {
        "gad_campaignid",        /* Google Ads */
        NULL
    },

    [RFL_SURT_NAMES('h', 13)] = (const char *const []) {
        "hsctatracking",         /* HubSpot, call to action */
        NULL
    },

    [RFL_SURT_NAMES('i', 4)] = (const char *const []) {
        "igsh",                  /* Instagram */
        NULL
    },

    [RFL_SURT_NAMES('i', 6)] = (const char *const []) {
        "igshid",                /* Instagram */
        NULL
    },

    [RFL_SURT_NAMES('i', 9)] = (const char *const []) {
        "irclickid",             /* Impact */
        NULL
    },

    [RFL_SURT_NAMES('l', 9)] = (const char *const []) {
        "li_fat_id",             /* LinkedIn */
        NULL
    },

    [RFL_SURT_NAMES('m', 6)] = (const char *const []) {
        "mc_cid",                /* Mailchimp */
        "mc_eid",                /* Mailchimp */
        NULL
    },

    [RFL_SURT_NAMES('m', 7)] = (const char *const []) {
        "mkt_tok",               /* Adobe Marketo */
        "msclkid",               /* Microsoft Advertising */
        "mtm_cid",               /* Matomo */
        "mtm_kwd",               /* Matomo */
        NULL
    },

    [RFL_SURT_NAMES('m', 9)] = (const char *const []) {
        "mtm_group",             /* Matomo */
        NULL
    },

    [RFL_SURT_NAMES('m', 10)] = (const char *const []) {
        "mtm_medium",            /* Matomo */
        "mtm_source",            /* Matomo */
        NULL
    },

    [RFL_SURT_NAMES('m', 11)] = (const char *const []) {
        "mtm_content",           /* Matomo */
        "mtm_keyword",           /* Matomo */
        NULL
    },

    [RFL_SURT_NAMES('m', 12)] = (const char *const []) {
        "mtm_campaign",          /* Matomo */
        NULL
    },

    [RFL_SURT_NAMES('m', 13)] = (const char *const []) {
        "ml_subscriber",         /* MailerLite */
        "mtm_placement",         /* Matomo */
        NULL
    },

    [RFL_SURT_NAMES('m', 18)] = (const char *const []) {
        "ml_subscriber_hash",    /* MailerLite */
        NULL
    },

    [RFL_SURT_NAMES('o', 10)] = (const char *const []) {
        "oly_enc_id",            /* Olytics */
        NULL
    },

    [RFL_SURT_NAMES('o', 11)] = (const char *const []) {
        "oly_anon_id",           /* Olytics */
        NULL
    },

    [RFL_SURT_NAMES('p', 6)] = (const char *const []) {
        "pk_cid",                /* Matomo, as Piwik */
        "pk_kwd",                /* Matomo, as Piwik */
        NULL
    },

    [RFL_SURT_NAMES('p', 9)] = (const char *const []) {
        "pk_medium",             /* Matomo, as Piwik */
        "pk_source",             /* Matomo, as Piwik */
        NULL
    },

    [RFL_SURT_NAMES('p', 10)] = (const char *const []) {
        "pk_content",            /* Matomo, as Piwik */
        "pk_keyword",            /* Matomo, as Piwik */
        NULL
    },

    [RFL_SURT_NAMES('p', 11)] = (const char *const []) {
        "pk_campaign",           /* Matomo, as Piwik */
        NULL
    },

    [RFL_SURT_NAMES('q', 5)] = (const char *const []) {
        "qclid",                 /* Quora */
        NULL
    },

    [RFL_SURT_NAMES('r', 7)] = (const char *const []) {
        "rdt_cid",               /* Reddit */
        NULL
    },

    [RFL_SURT_NAMES('r', 10)] = (const char *const []) {
        "rb_clickid",            /* Rebrandly */
        NULL
    },

    [RFL_SURT_NAMES('s', 5)] = (const char *const []) {
        "sccid",                 /* Snapchat */
        NULL
    },

    [RFL_SURT_NAMES('s', 7)] = (const char *const []) {
        "s_kwcid",               /* Adobe Advertising */
        "srsltid",               /* Google Merchant Center */
        NULL
    },

    [RFL_SURT_NAMES('t', 5)] = (const char *const []) {
        "tblci",                 /* Taboola */
        NULL
    },

    [RFL_SURT_NAMES('t', 6)] = (const char *const []) {
        "ttclid",                /* TikTok */
        "twclid",                /* X (Twitter) */
        NULL
    },

    [RFL_SURT_NAMES('v', 7)] = (const char *const []) {
        "vero_id",               /* Vero */
        NULL
    },

    [RFL_SURT_NAMES('v', 9)] = (const char *const []) {
        "vero_conv",             /* Vero */
        NULL
    },

    [RFL_SURT_NAMES('w', 6)] = (const char *const []) {
        "wbraid",                /* Google Ads, app to web */
        NULL
    },

    [RFL_SURT_NAMES('w', 8)] = (const char *const []) {
        "wickedid",              /* Wicked Reports */
        NULL
    },

    [RFL_SURT_NAMES('y', 5)] = (const char *const []) {
        "yclid",                 /* Yandex Direct */
        NULL
    },

    [RFL_SURT_NAMES('y', 6)] = (const char *const []) {
        "ymclid",                /* Yandex Market */
        "ysclid",                /* Yandex Search */
        NULL
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
    uint64_t    dots;
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

    dots = url->dots >> (host.data - url->host.data);
    p = rfl_surt_write_name(out, host, dots);

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
    u_char              lower[RFL_SURT_NAME_MAX];
    const char *const  *known;

    if (name.len < RFL_SURT_NAME_MIN) {
        return 0;
    }

    if ((name.data[0] | 0x20) == 'u') {
        rfl_lower_copy(lower, name.data, rfl_surt_utm.len - 1);

        return rfl_str_same(lower, rfl_surt_utm.data, rfl_surt_utm.len - 1)
               && name.len >= rfl_surt_utm.len && name.data[3] == '_';
    }

    if (name.len > RFL_SURT_NAME_MAX) {
        return 0;
    }

    known = rfl_surt_tracking[RFL_SURT_NAMES(name.data[0], name.len)];

    if (known == NULL) {
        return 0;
    }

    rfl_lower_copy(lower, name.data, name.len);

    for ( /* void */ ; *known != NULL; known++) {
        if (rfl_str_same((const u_char *) *known, lower, name.len)) {
            return 1;
        }
    }

    return 0;
}


/* Lower case comes last: that of what is there already is written again. */

static u_char *
rfl_surt_write_name(u_char *out, rfl_str_t name, uint64_t dots)
{
#if (RFL_SURT_VECTORS)
    size_t  at, len, begin;

    if (dots == 0) {
        return rfl_surt_write_labels(out, name);
    }

    at = name.len;
    begin = 0;

    do {
        len = (size_t) __builtin_ctzll(dots) - begin;
        at -= len;
        rfl_copy(out + at, name.data + begin, len);
        out[--at] = ',';
        begin += len + 1;
        dots &= dots - 1;
    } while (dots != 0);

    rfl_copy(out, name.data + begin, name.len - begin);

    /* up to 15 bytes behind it, which become what they are or lower case */

    for (at = 0; at < name.len; at += 16) {
        rfl_vector_store(out + at,
                         rfl_vector_lower(rfl_vector_load(out + at)));
    }

    return out + name.len;
#else
    return rfl_surt_write_labels(out, name);
#endif
}


static u_char *
rfl_surt_write_labels(u_char *out, rfl_str_t name)
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
    u_char  *end, *dots;

    if (path.len == 0) {
        *out++ = '/';
        return out;
    }

    end = rfl_surt_write_encoded(out, path);
    dots = rfl_surt_find_dots(out, end);

    if (dots != NULL) {
        end = rfl_surt_remove_dots(out, dots, end);
    }

    while (end - out > 1 && end[-1] == '/') {
        end--;
    }

    return end;
}


/*
 * The first segment that begins with a dot, or NULL.  Slashes behind the end
 * spare both of these functions from looking for it.
 */

static u_char *
rfl_surt_find_dots(u_char *path, u_char *end)
{
    u_char  *p;

    p = path;

    if (end - p > RFL_SURT_LONG) {
        p = memchr(p, '.', (size_t) (end - p));

        if (p == NULL) {
            return NULL;
        }

        p--;
    }

    memset(end, '/', RFL_SURT_BEHIND);

#if (RFL_SURT_VECTORS)

    for ( /* void */ ; p < end; p += 16) {
        unsigned  found;

        found = rfl_vector_mask(rfl_surt_dots16(p));

        if (found != 0) {
            return p + __builtin_ctz(found);
        }
    }

#else

    for ( /* void */ ; p < end; p++) {
        if (p[0] == '/' && p[1] == '.') {
            return p;
        }
    }

#endif

    return NULL;
}


/*
 * In place: what is kept only moves towards the beginning.  The path begins
 * with "/", so going back to a slash always ends.
 */

static u_char *
rfl_surt_remove_dots(u_char *path, u_char *dots, u_char *end)
{
    size_t   n;
    u_char  *p, *out;

    out = dots;

    for (p = dots; p < end; /* void */ ) {

        if (p[0] == '/' && p[1] == '.') {

            if (p[2] == '/') {
                p += 2;
                continue;
            }

            if (p[2] == '.' && p[3] == '/') {
                p += 3;

                while (out > path && *--out != '/') { /* void */ }

                continue;
            }
        }

#if (RFL_SURT_VECTORS)

        n = rfl_vector_mask(rfl_surt_dots16(p)) & ~1u;

        if (n == 0) {
            rfl_vector_store(out, rfl_vector_load(p));
            out += 16;
            p += 16;
            continue;
        }

        n = (size_t) __builtin_ctzll(n);
#else
        n = 1;
#endif

        do {
            *out++ = *p++;
        } while (--n != 0);
    }

    /* slashes behind the end */

    out -= p - end;

    /* nothing but dot segments; a slash they end with is dropped anyway */

    if (out == path) {
        *out++ = '/';
    }

    return out;
}


/*
 * Rule 9.  Encoding makes no "&" and no "=", so the whole query is encoded at
 * once; parameters that stay then close up over those that are dropped, as
 * many at once as stand together.  An "&" behind the end ends the last one.
 */

static u_char *
rfl_surt_write_query(u_char *out, rfl_str_t query, const rfl_names_t *without)
{
    size_t          len, least;
    u_char         *start, *end;
    uint32_t        amps;
    const u_char   *p, *run, *amp, *block;

    if (query.len == 0) {
        return out;
    }

    start = out;
    block = out + 1;
    p = block;
    run = p;

    end = rfl_surt_write_encoded(out + 1, query);
    memset(end, 0, RFL_SURT_BEHIND);
    *end = '&';

    /* shorter ones have no name that is known; empty ones are less than none */

    least = (without == NULL) ? RFL_SURT_NAME_MIN - 1 : 0;

    for ( /* void */ ; block <= end; block += RFL_SURT_BLOCK) {

        for (amps = rfl_surt_amps(block); amps != 0; amps &= amps - 1) {

            amp = block + __builtin_ctz(amps);
            len = (size_t) (amp - p);

            if (len - 1 >= least
                && (len == 0 || rfl_surt_is_dropped(p, len, without)))
            {
                if (run != p) {
                    out = rfl_surt_keep(out, start, run, p);
                }

                run = amp + 1;
            }

            p = amp + 1;
        }
    }

    return run == p ? out : rfl_surt_keep(out, start, run, p);
}


/* Where "&" is in a block. */

static inline uint32_t
rfl_surt_amps(const u_char *block)
{
#if (RFL_SURT_VECTORS)
    return rfl_vector_mask(rfl_vector_equal(rfl_vector_load(block), '&'));
#else
    return *block == '&';
#endif
}


/*
 * The parameters from run up to p, which is behind their last "&".  out is
 * before them.
 */

static u_char *
rfl_surt_keep(u_char *out, const u_char *start, const u_char *run,
    const u_char *p)
{
    size_t    i, n;
    uint64_t  first, last;

    n = (size_t) (p - 1 - run);
    *out = (out == start) ? '?' : '&';
    out++;

    if (out == run) {
        return out + n;
    }

    if (n > 16) {
        memmove(out, run, n);

    } else if (n >= 8) {
        memcpy(&first, run, 8);
        memcpy(&last, run + n - 8, 8);
        memcpy(out, &first, 8);
        memcpy(out + n - 8, &last, 8);

    } else {
        for (i = 0; i < n; i++) {
            out[i] = run[i];
        }
    }

    return out + n;
}


static int
rfl_surt_is_dropped(const u_char *param, size_t len,
    const rfl_names_t *without)
{
    size_t     i;
    rfl_str_t  name;

    name = rfl_str(param, rfl_surt_name_len(param, len));

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


/* Up to "=".  Most names are short. */

static inline size_t
rfl_surt_name_len(const u_char *param, size_t len)
{
    const u_char  *equals;

#if (RFL_SURT_VECTORS)
    {
        unsigned  found;

        found = rfl_vector_mask(_mm_cmpeq_epi8(rfl_vector_load(param),
                                             _mm_set1_epi8('=')));

        if (found != 0) {
            size_t  n = (size_t) __builtin_ctz(found);

            return n < len ? n : len;
        }

        if (len <= 16) {
            return len;
        }
    }
#endif

    equals = memchr(param, '=', len);

    return equals == NULL ? len : (size_t) (equals - param);
}


/*
 * Rule 5.  What is written takes at most three bytes for each of text, and
 * up to three more are overwritten.
 */

static u_char *
rfl_surt_write_encoded(u_char *out, rfl_str_t text)
{
    const u_char  *p, *end;

    p = text.data;
    end = p + text.len;

#if (RFL_SURT_VECTORS)

    out = rfl_surt_encode_blocks(out, &p, end);

    if (rfl_surt_copy_plain(out, p, (size_t) (end - p))) {
        return out + (end - p);
    }

#endif

    return rfl_surt_encode_bytes(out, &p, end, end);
}


/*
 * A byte at a time, to until or behind the escape there: the way that is
 * always right.
 */

static u_char *
rfl_surt_encode_bytes(u_char *out, const u_char **text, const u_char *until,
    const u_char *end)
{
    u_char         c;
    unsigned       value;
    const u_char  *p, *last;

    /* an escape begins before it */

    last = end - *text > 2 ? end - 2 : *text;

    for (p = *text; p < until; /* void */ ) {

        c = *p;

        if (c == '%' && p < last) {
            value = (unsigned) rfl_surt_hex[p[1]] << 4 | rfl_surt_hex[p[2]];

            if (value < RFL_SURT_NO_HEX) {
                out = rfl_surt_put(out, rfl_surt_escaped[value]);
                p += 3;
                continue;
            }
        }

        out = rfl_surt_put(out, rfl_surt_raw[c]);
        p++;
    }

    *text = p;

    return out;
}


static inline u_char *
rfl_surt_put(u_char *out, uint32_t form)
{
    memcpy(out, &form, sizeof(form));

    return out + (form >> 24);
}


#if (RFL_SURT_VECTORS)

/*
 * Sixteen bytes at a time, as long as there are so many.  Each block is stored
 * as it is before it is known whether it may be: most may.
 */

static u_char *
rfl_surt_encode_blocks(u_char *out, const u_char **text, const u_char *end)
{
    size_t         slow;
    __m128i        a, b, c, any;
    unsigned       odd;
    const u_char  *p;

    slow = RFL_SURT_SLOW_FIRST;

    for (p = *text; end - p >= 16; /* void */ ) {

        a = rfl_vector_load(p);
        rfl_vector_store(out, a);

        odd = rfl_vector_mask(rfl_surt_odd16(a));

        if (odd != 0) {
            out = rfl_surt_encode_odd(out, &p, end, odd, &slow);
            continue;
        }

        out += 16;
        p += 16;

        /* where one is plain the next ones are likely to be */

        while (end - p >= 48) {
            a = rfl_vector_load(p);
            b = rfl_vector_load(p + 16);
            c = rfl_vector_load(p + 32);

            any = _mm_or_si128(rfl_surt_odd16(a), rfl_surt_odd16(b));
            any = _mm_or_si128(rfl_surt_odd16(c), any);

            if (rfl_vector_mask(any) != 0) {
                break;
            }

            rfl_vector_store(out, a);
            rfl_vector_store(out + 16, b);
            rfl_vector_store(out + 32, c);
            out += 48;
            p += 48;
        }
    }

    *text = p;

    return out;
}


/* At least 12 bytes, of a block of 16 with some that are not plain. */

static inline u_char *
rfl_surt_encode_odd(u_char *out, const u_char **text, const u_char *end,
    unsigned odd, size_t *slow)
{
    size_t         n;
    __m128i        block, letter;
    unsigned       begin, hex, escapes;
    const u_char  *p;

    p = *text;

    block = rfl_vector_load(p);
    begin = rfl_vector_mask(rfl_vector_equal(block, '%'));

    if (begin == 0) {
        *text = p + 16;
        return rfl_surt_encode_raw(out, p, 16);
    }

    if (begin == RFL_SURT_THIRDS) {
        n = rfl_surt_encode_script(out, p, end);

        if (n != 0) {
            *text = p + n;
            return out + n;
        }
    }

    letter = rfl_vector_within(_mm_or_si128(block, _mm_set1_epi8(0x20)),
                               'a', 6);
    hex = rfl_vector_mask(_mm_or_si128(letter,
                                       rfl_vector_within(block, '0', 10)));

    /* what is behind the block may be digits */

    hex |= 0x30000;
    escapes = begin & hex >> 1 & hex >> 2;

    if (odd == escapes) {
        n = rfl_surt_encode_escapes(out, p, block, letter, escapes);

        if (n != 0) {
            *text = p + n;
            return out + n;
        }

    } else if ((escapes & 0x0fff) == 0) {
        n = escapes == 0 ? 16 : 12;
        *text = p + n;
        return rfl_surt_encode_raw(out, p, n);
    }

    n = *slow < (size_t) (end - p) ? *slow : (size_t) (end - p);
    *slow = RFL_SURT_SLOW;

    return rfl_surt_encode_bytes(out, text, p + n, end);
}


/* Bytes of which none begins an escape; n is 12 or 16. */

static u_char *
rfl_surt_encode_raw(u_char *out, const u_char *p, size_t n)
{
    size_t   i;
    __m128i  raw;

    /* all are where somebody writes in his alphabet; signed: below a space */

    raw = _mm_cmplt_epi8(rfl_vector_load(p), _mm_set1_epi8('!'));

    if (n == 16 && rfl_vector_mask(raw) == 0xffff) {

        for (i = 0; i < 16; i += 4) {
            (void) rfl_surt_put(out, rfl_surt_raw[p[i]]);
            (void) rfl_surt_put(out + 3, rfl_surt_raw[p[i + 1]]);
            (void) rfl_surt_put(out + 6, rfl_surt_raw[p[i + 2]]);
            (void) rfl_surt_put(out + 9, rfl_surt_raw[p[i + 3]]);
            out += 12;
        }

        return out;
    }

    for (i = 0; i < n; i += 4) {
        out = rfl_surt_put(out, rfl_surt_raw[p[i]]);
        out = rfl_surt_put(out, rfl_surt_raw[p[i + 1]]);
        out = rfl_surt_put(out, rfl_surt_raw[p[i + 2]]);
        out = rfl_surt_put(out, rfl_surt_raw[p[i + 3]]);
    }

    return out;
}


/*
 * Escapes between plain bytes: digits become upper case.  Returns how much is
 * done, up to one that is cut off; 0: one of them is to be decoded.
 */

static inline size_t
rfl_surt_encode_escapes(u_char *out, const u_char *p, __m128i block,
    __m128i letter, unsigned begin)
{
    size_t    at, tried;
    __m128i   percent, digits;
    unsigned  cut, low;

    cut = begin & 0xc000;
    begin &= 0x3fff;

    /* those below 0x20 and from 0x80 on are not */

    low = begin << 1 & rfl_vector_mask(rfl_vector_within(block, '2', 6));

    for (tried = 0; low != 0; tried++) {
        at = (size_t) __builtin_ctz(low);
        low &= low - 1;

        /* of many it is quicker to take the way that always is right */

        if (tried == 2
            || rfl_surt_escaped[rfl_surt_hex[p[at]] << 4
                                | rfl_surt_hex[p[at + 1]]] >> 24 == 1)
        {
            return 0;
        }
    }

    percent = rfl_vector_equal(block, '%');
    digits = _mm_or_si128(_mm_slli_si128(percent, 1),
                          _mm_slli_si128(percent, 2));
    letter = _mm_and_si128(_mm_and_si128(letter, digits), _mm_set1_epi8(0x20));
    rfl_vector_store(out, _mm_andnot_si128(letter, block));

    return cut == 0 ? 16 : (size_t) __builtin_ctz(cut);
}


/*
 * Names in other scripts are nothing but escapes: 16 of them are 48 bytes.
 * Returns how many bytes are of such, with no escape that is decoded.
 */

static size_t
rfl_surt_encode_script(u_char *out, const u_char *p, const u_char *end)
{
    unsigned       wrong;
    const u_char  *start;

    for (start = p; end - p >= 48; p += 48, out += 48) {

        wrong = rfl_surt_not_script16(out, p, RFL_SURT_THIRDS,
                                      RFL_SURT_THIRDS << 1 & 0xffff);

        /* most that are not show it here */

        if (wrong != 0) {
            break;
        }

        wrong = rfl_surt_not_script16(out + 16, p + 16, RFL_SURT_THIRDS >> 1,
                                       RFL_SURT_THIRDS);
        wrong |= rfl_surt_not_script16(out + 32, p + 32, RFL_SURT_THIRDS >> 2,
                                       RFL_SURT_THIRDS >> 1);

        if (wrong != 0) {
            break;
        }
    }

    return (size_t) (p - start);
}


/* begin, high: where "%" and the first digits have to be. */

static inline unsigned
rfl_surt_not_script16(u_char *out, const u_char *p, unsigned begin,
    unsigned high)
{
    __m128i   block, percent, letter, any;
    unsigned  low;

    block = rfl_vector_load(p);
    percent = rfl_vector_equal(block, '%');
    letter = rfl_vector_within(_mm_or_si128(block, _mm_set1_epi8(0x20)),
                               'a', 6);

    any = _mm_or_si128(percent, letter);
    any = _mm_or_si128(any, rfl_vector_within(block, '0', 10));

    letter = _mm_and_si128(letter, _mm_set1_epi8(0x20));
    rfl_vector_store(out, _mm_andnot_si128(letter, block));

    /* those below 0x20 and from 0x80 on are not decoded */

    low = rfl_vector_mask(rfl_vector_within(block, '2', 6));

    return (rfl_vector_mask(percent) ^ begin)
           | (rfl_vector_mask(any) ^ 0xffff)
           | (low & high);
}


/* Less than 16 bytes that can be copied as they are; 0: they cannot. */

static inline int
rfl_surt_copy_plain(u_char *out, const u_char *p, size_t len)
{
    __m128i   both;
    uint32_t  first, last;
    uint64_t  begin, end;

    if (len >= 8) {
        memcpy(&begin, p, 8);
        memcpy(&end, p + len - 8, 8);

    } else if (len >= 4) {
        memcpy(&first, p, 4);
        memcpy(&last, p + len - 4, 4);
        begin = first | (uint64_t) last << 32;
        end = begin;

    } else {
        return len == 0;
    }

    both = _mm_set_epi64x((int64_t) end, (int64_t) begin);

    if (rfl_vector_mask(rfl_surt_odd16(both)) != 0) {
        return 0;
    }

    if (len >= 8) {
        memcpy(out, &begin, 8);
        memcpy(out + len - 8, &end, 8);

    } else {
        memcpy(out, &first, 4);
        memcpy(out + len - 4, &last, 4);
    }

    return 1;
}


/* Slashes that a dot follows. */

static inline __m128i
rfl_surt_dots16(const u_char *p)
{
    return _mm_and_si128(
               rfl_vector_equal(rfl_vector_load(p), '/'),
               rfl_vector_equal(rfl_vector_load(p + 1), '.'));
}


/*
 * Bytes that may not be copied as they are, and "!", "#", "$", "~", which are
 * rare in URLs: in half the time.  Those from "&" to "z" without six; of these
 * "<", ">", "\\", "^" (and "|", "~") are alike but for three bits.
 */

static inline __m128i
rfl_surt_odd16(__m128i block)
{
    __m128i  alike;

    alike = _mm_or_si128(block, _mm_set1_epi8(0x62));

    return _mm_or_si128(
               _mm_cmpgt_epi8(_mm_sub_epi8(block,
                                           _mm_set1_epi8((char) (0x80 + '&'))),
                              _mm_set1_epi8('z' - '&' - 0x80)),
               _mm_or_si128(rfl_vector_equal(alike, '~'),
                            rfl_vector_equal(block, '`')));
}

#endif
