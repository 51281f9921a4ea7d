/*
 * URL to key.  The rules stand in rfl_surt.h; comments here give their
 * numbers.
 *
 * "%2e%2e" is a dot segment and "utm%5Fid" is a tracking parameter: both are
 * judged as they would be kept.  That makes the transform idempotent.
 *
 * This runs for each external Referer that is not cached, so plain bytes, the
 * most of any URL, are copied by blocks.  A path is written up to the limit;
 * one that has dots, which nearly none has, is first freed of them and then
 * written again.
 */

#include "rfl_surt.h"

#include <arpa/inet.h>

/* The tests compile it without vectors too, and compare the two. */

#if !defined(RFL_SURT_VECTORS)
#define RFL_SURT_VECTORS  RFL_VECTORS
#endif


static inline int rfl_surt_is_utm(const u_char *name, size_t len);
static u_char *rfl_surt_write_name(u_char *out, rfl_str_t name,
    uint64_t dots);
static u_char *rfl_surt_write_labels(u_char *out, rfl_str_t name);
static u_char *rfl_surt_write_ipv6(u_char *out, rfl_str_t host);
static u_char *rfl_surt_write_lower(u_char *out, const u_char *p,
    const u_char *end);
static u_char *rfl_surt_write_path(u_char *out, rfl_str_t path,
    const u_char *stop);
static u_char *rfl_surt_write_dotted(u_char *out, rfl_str_t path,
    const u_char *stop);
static inline u_char *rfl_surt_close_path(u_char *out, u_char *end,
    rfl_str_t rest);
static size_t rfl_surt_without_slashes(rfl_str_t text);
static size_t rfl_surt_remove_dots(u_char *out, rfl_str_t path);
static inline int rfl_surt_has_dots(u_char *path, u_char *end);
static const u_char *rfl_surt_find_dot(const u_char *p, const u_char *end);
static inline size_t rfl_surt_dot_len(const u_char *p, const u_char *end);
static u_char *rfl_surt_write_query(u_char *out, rfl_str_t query,
    const rfl_names_t *without, const u_char *stop);
static inline int rfl_surt_is_dropped(const u_char *param, size_t len,
    const rfl_names_t *without);
static inline size_t rfl_surt_name_len(const u_char *param, size_t len);
static inline u_char *rfl_surt_encode(u_char *out, const u_char *stop,
    const u_char **text, const u_char *end);
static u_char *rfl_surt_encode_long(u_char *out, const u_char *stop,
    const u_char **text, const u_char *end);
static u_char *rfl_surt_encode_bytes(u_char *out, const u_char **text,
    const u_char *until, const u_char *end);
static inline u_char *rfl_surt_put(u_char *out, uint32_t form);
#if (RFL_SURT_VECTORS)
static inline size_t rfl_surt_encode_escapes(u_char *out, const u_char *p,
    __m128i block, unsigned odd);
static inline int rfl_surt_copy_plain(u_char *out, const u_char *p,
    size_t len);
static inline int rfl_surt_is_plain16(uint64_t first, uint64_t last);
static inline __m128i rfl_surt_odd16(__m128i block);
static inline __m128i rfl_surt_maybe_dots16(const u_char *p);
static inline unsigned rfl_surt_dots16(const u_char *p, __m128i maybe);
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
#define RFL_SURT_SLOW        48

#define RFL_SURT_SLASHES  256    /* looked at behind one, for more */
#define RFL_SURT_BEHIND   16      /* written and read behind the end */


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

void
rfl_surt(const rfl_url_t *url, rfl_surt_t *surt)
{
    rfl_surt_begin(url, surt);
    rfl_surt_finish(url, SIZE_MAX, surt);
}


void
rfl_surt_begin(const rfl_url_t *url, rfl_surt_t *surt)
{
    surt->is_app = (url->scheme == RFL_SCHEME_ANDROID_APP);
    surt->is_address = (url->host_kind != RFL_HOST_NAME);
    surt->is_cut = 0;

    surt->host_len = rfl_surt_host(url, surt->buf);
    surt->buf[surt->host_len] = ')';

    surt->path_start = surt->host_len + 1;
    surt->path_len = 0;
    surt->len = surt->path_start;
}


void
rfl_surt_finish(const rfl_url_t *url, size_t limit, rfl_surt_t *surt)
{
    u_char        *path, *end, *slash;
    const u_char  *stop;

    path = surt->buf + surt->path_start;

    if (surt->is_app) {
        *path = '/';
        surt->path_len = 1;
        surt->len = surt->path_start + 1;
        surt->is_cut = (surt->len > limit);
        return;
    }

    stop = surt->buf + (limit < RFL_SURT_MAX ? limit : RFL_SURT_MAX);
    stop = (stop < path) ? path : stop;

    end = rfl_surt_write_path(path, url->path, stop);

    if (end == NULL || end > stop) {
        slash = path;

        if (end == NULL) {
            *path = '/';

        } else {
            slash = memrchr(path, '/', (size_t) (stop - path) + 1);
        }

        surt->is_cut = 1;
        surt->path_len = (size_t) (slash - path) + (slash == path);
        surt->len = surt->path_start + surt->path_len;
        return;
    }

    surt->path_len = (size_t) (end - path);
    surt->len = surt->path_start + surt->path_len;

    if (url->query.len == 0) {
        return;
    }

    end = rfl_surt_write_query(end, url->query, NULL, stop);

    if (end == NULL) {
        surt->is_cut = 1;

    } else {
        surt->len = (size_t) (end - surt->buf);
    }
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
    size_t limit, u_char *out, size_t *path_len, size_t *len)
{
    u_char        *end;
    const u_char  *stop;

    *path_len = 0;

    if (url->path.len > RFL_URL_MAX
        || url->query.len > RFL_URL_MAX - url->path.len)
    {
        return RFL_FULL;
    }

    stop = out + (limit < RFL_SURT_MAX ? limit : RFL_SURT_MAX);
    end = rfl_surt_write_path(out, url->path, stop);

    if (end == NULL || end > stop) {
        return RFL_FULL;
    }

    *path_len = (size_t) (end - out);

    if (url->query.len != 0) {
        end = rfl_surt_write_query(end, url->query, without, stop);

        if (end == NULL) {
            return RFL_FULL;
        }
    }

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

    if (rfl_surt_is_utm(name.data, name.len)) {
        return 1;
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


/* Urchin, now Google Analytics, and nearly everybody: any name begun so. */

static inline int
rfl_surt_is_utm(const u_char *name, size_t len)
{
    uint32_t  first;

    if (len < 4) {
        return 0;
    }

    memcpy(&first, name, 4);

    /* "utm_": letters in any case */

    return (first | 0x00202020) == 0x5f6d7475;
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


/*
 * Rules 5, 6, 7, 10 and 11.  Returns the end.  Behind stop: it is longer than
 * the limit, and what is written has one byte more, at least.  NULL: too many
 * dots.
 */

static u_char *
rfl_surt_write_path(u_char *out, rfl_str_t path, const u_char *stop)
{
    u_char        *written;
    rfl_str_t      rest;
    const u_char  *p, *end;

    if (path.len == 0) {
        *out++ = '/';
        return out;
    }

    p = path.data;
    end = p + path.len;

    written = rfl_surt_encode(out, stop, &p, end);
    rest = rfl_str(p, (size_t) (end - p));

    /* of one that was not read to its end, dots may take all of it back */

    if (rest.len == 0 ? rfl_surt_has_dots(out, written)
                      : rfl_surt_find_dot(path.data, end) != end)
    {
        return rfl_surt_write_dotted(out, path, stop);
    }

    return rfl_surt_close_path(out, written, rest);
}


static __attribute__((noinline)) u_char *
rfl_surt_write_dotted(u_char *out, rfl_str_t path, const u_char *stop)
{
    u_char         without[RFL_URL_MAX], *written;
    size_t         len;
    const u_char  *p, *end;

    /* no URL that was parsed has a longer one */

    if (path.len > sizeof(without)) {
        return NULL;
    }

    len = rfl_surt_remove_dots(without, path);

    if (len == 0) {
        return NULL;
    }

    p = without;
    end = p + len;
    written = rfl_surt_encode(out, stop, &p, end);

    return rfl_surt_close_path(out, written, rfl_str(p, (size_t) (end - p)));
}


/* Rule 7: what is written ends at end, rest is what was not read. */

static inline u_char *
rfl_surt_close_path(u_char *out, u_char *end, rfl_str_t rest)
{
    size_t  len;

    if (rest.len != 0 && rfl_surt_without_slashes(rest) != 0) {
        return end;
    }

    if (end[-1] != '/') {
        return end;
    }

    len = rfl_surt_without_slashes(rfl_str(out, (size_t) (end - out)));

    return out + len + (len == 0);
}


/* The length of a text without the slashes at its end. */

static size_t
rfl_surt_without_slashes(rfl_str_t text)
{
    size_t  len;

    len = text.len;

#if (RFL_SURT_VECTORS)

    while (len >= 16
           && rfl_vector_mask(rfl_vector_equal(
                  rfl_vector_load(text.data + len - 16), '/')) == 0xffff)
    {
        len -= 16;
    }

#endif

    while (len != 0 && text.data[len - 1] == '/') {
        len--;
    }

    return len;
}


/*
 * Rules 6 and 10, before anything is encoded.  out is as long as the path.
 * Returns the length; 0: there are more than are looked at.
 */

static size_t
rfl_surt_remove_dots(u_char *out, rfl_str_t path)
{
    size_t         n, first, second;
    u_char        *start, *slash;
    const u_char  *p, *dot, *end;

    start = out;
    p = path.data;
    end = p + path.len;

    for (n = 0; /* void */ ; n++) {

        dot = rfl_surt_find_dot(p, end);

        memcpy(out, p, (size_t) (dot - p));
        out += dot - p;

        if (dot == end) {
            break;
        }

        if (n == RFL_SURT_DROPPED_MAX) {
            return 0;
        }

        first = rfl_surt_dot_len(dot + 1, end);
        p = dot + 1 + first;
        second = rfl_surt_dot_len(p, end);
        p += second;

        if (p != end && *p != '/') {
            memcpy(out, dot, (size_t) (p - dot));
            out += p - dot;

        } else if (second != 0) {
            slash = memrchr(start, '/', (size_t) (out - start));
            out = slash != NULL ? slash : start;
        }
    }

    /* nothing but dot segments */

    if (out == start) {
        *out++ = '/';
    }

    return (size_t) (out - start);
}


/* Zeros behind the end spare it from looking for it. */

static inline int
rfl_surt_has_dots(u_char *path, u_char *end)
{
    u_char  *p;

    memset(end, 0, RFL_SURT_BEHIND);

#if (RFL_SURT_VECTORS)

    for (p = path; p < end; p += 16) {
        if (rfl_vector_mask(_mm_and_si128(
                rfl_vector_equal(rfl_vector_load(p), '/'),
                rfl_vector_equal(rfl_vector_load(p + 1), '.'))) != 0)
        {
            return 1;
        }
    }

#else

    for (p = path; p < end; p++) {
        if (p[0] == '/' && p[1] == '.') {
            return 1;
        }
    }

#endif

    return 0;
}


/*
 * The first "/" that a dot follows, encoded or not; or end.  Blocks where there
 * are slashes, memchr() to the next ones where there are none.
 */

static const u_char *
rfl_surt_find_dot(const u_char *p, const u_char *end)
{
#if (RFL_SURT_VECTORS)
    __m128i        a, b;
    unsigned       found;
    const u_char  *until;

    while (end - p >= RFL_SURT_SLASHES + 3) {

        p = memchr(p, '/', (size_t) (end - p));

        if (p == NULL || end - p < RFL_SURT_SLASHES + 3) {
            break;
        }

        for (until = p + RFL_SURT_SLASHES; p < until; p += 32) {

            a = rfl_surt_maybe_dots16(p);
            b = rfl_surt_maybe_dots16(p + 16);

            if (rfl_vector_mask(_mm_or_si128(a, b)) == 0) {
                continue;
            }

            found = rfl_surt_dots16(p, a) | rfl_surt_dots16(p + 16, b) << 16;

            if (found != 0) {
                return p + __builtin_ctz(found);
            }
        }
    }

    if (p == NULL) {
        return end;
    }

    for ( /* void */ ; end - p >= 16 + 3; p += 16) {
        found = rfl_surt_dots16(p, rfl_surt_maybe_dots16(p));

        if (found != 0) {
            return p + __builtin_ctz(found);
        }
    }

#endif

    for ( /* void */ ; p < end; p++) {
        if (*p == '/' && rfl_surt_dot_len(p + 1, end) != 0) {
            return p;
        }
    }

    return end;
}


/* 0: no dot begins there. */

static inline size_t
rfl_surt_dot_len(const u_char *p, const u_char *end)
{
    if (p < end && *p == '.') {
        return 1;
    }

    return end - p >= 3 && p[0] == '%' && p[1] == '2' && (p[2] | 0x20) == 'e'
           ? 3 : 0;
}


/*
 * Rules 5 and 9 to 11.  Returns the end; NULL: it is cut.  Encoding makes no
 * "&" and no "=".  A parameter is judged when as much of it is written as the
 * longest name that is known has; before one that is dropped the next one is
 * written.
 */

static u_char *
rfl_surt_write_query(u_char *out, rfl_str_t query, const rfl_names_t *without,
    const u_char *stop)
{
    size_t         i, len, least, most;
    u_char        *start, *param, *written;
    unsigned       dropped;
    const u_char  *p, *end, *amp;

    most = RFL_SURT_NAME_MAX;

    for (i = 0; without != NULL && i < without->n; i++) {
        if (without->names[i].len > most) {
            most = without->names[i].len;
        }
    }

    least = (without == NULL) ? RFL_SURT_NAME_MIN - 1 : 0;

    start = out;
    dropped = 0;
    end = query.data + query.len;

    for (p = query.data; /* void */ ; p = amp + 1) {

        amp = p + rfl_str_find2(rfl_str(p, (size_t) (end - p)), '&', '&');

        param = out + 1;
        written = param;

        /* most of those that are dropped are known as they are */

        if (!rfl_surt_is_utm(p, (size_t) (amp - p))) {
            written = rfl_surt_encode(param, param + most, &p, amp);
        }

        len = (size_t) (written - param);

        /* shorter ones have no name that is known; empty ones are none */

        if (len - 1 >= least
            && (len == 0 || rfl_surt_is_dropped(param, len, without)))
        {
            if (dropped++ == RFL_SURT_DROPPED_MAX) {
                return NULL;
            }

        } else {
            if (p != amp) {
                written = rfl_surt_encode(written, stop, &p, amp);
            }

            *out = (out == start) ? '?' : '&';
            out = written;

            if (out > stop) {
                return NULL;
            }
        }

        if (amp == end) {
            return out;
        }
    }
}


/* len: of what is written of it. */

static inline int
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
    unsigned  found;

    found = rfl_vector_mask(rfl_vector_equal(rfl_vector_load(param), '='));
    found &= (1u << (len < 16 ? len : 16)) - 1;

    if (found != 0) {
        return (size_t) __builtin_ctz(found);
    }

    if (len <= 16) {
        return len;
    }
#endif

    equals = memchr(param, '=', len);

    return equals == NULL ? len : (size_t) (equals - param);
}


/*
 * Rule 5, from *text, which is moved, up to end; once more is written than up
 * to stop, the rest is not.  What is written takes at most three bytes for each
 * of text, and up to three more are overwritten.
 *
 * A block is stored before it is known whether it may be copied: most may.
 */

static inline u_char *
rfl_surt_encode(u_char *out, const u_char *stop, const u_char **text,
    const u_char *end)
{
#if (RFL_SURT_VECTORS)
    size_t  n;

    n = (size_t) (end - *text);

    if (n < 16 && rfl_surt_copy_plain(out, *text, n)) {
        *text = end;
        return out + n;
    }

#endif

    return rfl_surt_encode_long(out, stop, text, end);
}


static u_char *
rfl_surt_encode_long(u_char *out, const u_char *stop, const u_char **text,
    const u_char *end)
{
    size_t         n, slow;
    const u_char  *p;

    slow = RFL_SURT_SLOW_FIRST;

    for (p = *text; p < end && out <= stop; /* void */ ) {

        n = (size_t) (end - p);

#if (RFL_SURT_VECTORS)

        if (n >= 16) {
            __m128i   block;
            unsigned  odd;

            block = rfl_vector_load(p);
            odd = rfl_vector_mask(rfl_surt_odd16(block));
            rfl_vector_store(out, block);

            if (odd == 0) {
                out += 16;
                p += 16;
                continue;
            }

            n = rfl_surt_encode_escapes(out, p, block, odd);

            if (n != 0) {
                out += n;
                p += n;
                continue;
            }

            n = (size_t) (end - p);

        } else if (rfl_surt_copy_plain(out, p, n)) {
            out += n;
            p += n;
            break;
        }

#endif

        n = n < slow ? n : slow;
        slow = RFL_SURT_SLOW;

        out = rfl_surt_encode_bytes(out, &p, p + n, end);
    }

    *text = p;

    return out;
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
 * A block in which all that is odd are escapes which stay: names in other
 * scripts are full of them.  Digits become upper case.  Returns how much is
 * done, up to one that is cut off; 0: it is another block, or nothing is.
 */

static inline size_t
rfl_surt_encode_escapes(u_char *out, const u_char *p, __m128i block,
    unsigned odd)
{
    size_t    at;
    __m128i   percent, letter, digits;
    unsigned  hex, whole, low;

    percent = rfl_vector_equal(block, '%');
    letter = rfl_vector_within(_mm_or_si128(block, _mm_set1_epi8(0x20)),
                               'a', 6);
    hex = rfl_vector_mask(_mm_or_si128(letter,
                                       rfl_vector_within(block, '0', 10)));

    whole = 0x3fff & hex >> 1 & hex >> 2;

    if (odd != rfl_vector_mask(percent) || (odd & 0x3fff & ~whole) != 0) {
        return 0;
    }

    /* those below 0x20 and from 0x80 on are not decoded */

    low = (odd & whole) << 1
          & rfl_vector_mask(rfl_vector_within(block, '2', 6));

    for ( /* void */ ; low != 0; low &= low - 1) {
        at = (size_t) __builtin_ctz(low);

        if (rfl_surt_escaped[rfl_surt_hex[p[at]] << 4
                             | rfl_surt_hex[p[at + 1]]] >> 24 == 1)
        {
            return 0;
        }
    }

    digits = _mm_or_si128(_mm_slli_si128(percent, 1),
                          _mm_slli_si128(percent, 2));
    letter = _mm_and_si128(_mm_and_si128(letter, digits), _mm_set1_epi8(0x20));
    rfl_vector_store(out, _mm_andnot_si128(letter, block));

    odd &= 0xc000;

    return odd == 0 ? 16 : (size_t) __builtin_ctz(odd);
}


/* Less than 16 bytes that can be copied as they are; 0: they cannot. */

static inline int
rfl_surt_copy_plain(u_char *out, const u_char *p, size_t len)
{
    size_t    i;
    uint32_t  first, last;
    uint64_t  begin, end;

    if (len >= 8) {
        memcpy(&begin, p, 8);
        memcpy(&end, p + len - 8, 8);

        if (!rfl_surt_is_plain16(begin, end)) {
            return 0;
        }

        memcpy(out, &begin, 8);
        memcpy(out + len - 8, &end, 8);

        return 1;
    }

    if (len >= 4) {
        memcpy(&first, p, 4);
        memcpy(&last, p + len - 4, 4);

        begin = first | (uint64_t) last << 32;

        if (!rfl_surt_is_plain16(begin, begin)) {
            return 0;
        }

        memcpy(out, &first, 4);
        memcpy(out + len - 4, &last, 4);

        return 1;
    }

    for (i = 0; i < len; i++) {
        if (rfl_surt_raw[p[i]] >> 24 != 1) {
            return 0;
        }

        out[i] = p[i];
    }

    return 1;
}


static inline int
rfl_surt_is_plain16(uint64_t first, uint64_t last)
{
    __m128i  both;

    both = _mm_set_epi64x((int64_t) last, (int64_t) first);

    return rfl_vector_mask(rfl_surt_odd16(both)) == 0;
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


/* Slashes that a dot or any escape follows. */

static inline __m128i
rfl_surt_maybe_dots16(const u_char *p)
{
    __m128i  next;

    next = rfl_vector_load(p + 1);

    return _mm_and_si128(rfl_vector_equal(rfl_vector_load(p), '/'),
                         _mm_or_si128(rfl_vector_equal(next, '.'),
                                      rfl_vector_equal(next, '%')));
}


/* Of these, those that a dot follows, encoded or not. */

static inline unsigned
rfl_surt_dots16(const u_char *p, __m128i maybe)
{
    __m128i  escape;

    escape = _mm_or_si128(rfl_vector_load(p + 3), _mm_set1_epi8(0x20));
    escape = _mm_and_si128(rfl_vector_equal(rfl_vector_load(p + 2), '2'),
                           rfl_vector_equal(escape, 'e'));
    escape = _mm_or_si128(rfl_vector_equal(rfl_vector_load(p + 1), '.'),
                          escape);

    return rfl_vector_mask(_mm_and_si128(maybe, escape));
}

#endif
