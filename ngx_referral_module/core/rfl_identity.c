/*
 * From what people type to what a link is.
 *
 *     Blog.Example/2024/launch/?utm_source=x      as given
 *     https://Blog.Example/2024/launch/?utm_...   with a scheme, host in ASCII
 *     example,blog)/2024/launch                   canonical: the SURT
 *     "exact\nexample,blog)/2024/launch\n"        hashed: the key
 *     "tag\n\n/pricing\npartner42"                for match type tag
 *
 * What the canonical form levels, one link may be written in many ways and
 * has one key.  The scheme and the port are no part of it: a site that moved
 * to https still carries the same link.
 */

#include "rfl_identity.h"
#include "rfl_hash.h"
#include "rfl_pattern.h"

#include <idn2.h>


/* The text the key is the hash of; a match type's name is a short word. */

#define RFL_IDENTITY_TEXT_MAX                                                 \
    (RFL_WORD_MAX + 3 + RFL_SURT_MAX + RFL_TAG_MAX                            \
     + sizeof(((rfl_identity_t *) 0)->target))


static const char *rfl_identity_source_slip(rfl_str_t source,
    rfl_match_type_t type);
static int rfl_identity_is_list(rfl_str_t value);
static int rfl_identity_begins(rfl_str_t value, size_t pos, rfl_str_t what);
static rfl_rc_t rfl_identity_source(const rfl_link_t *link,
    rfl_identity_t *id, rfl_error_t *err);
static rfl_rc_t rfl_identity_address(rfl_str_t value, rfl_match_type_t type,
    rfl_identity_t *id, rfl_error_t *err);
static rfl_rc_t rfl_identity_regex(rfl_str_t value, rfl_identity_t *id,
    rfl_error_t *err);
static rfl_rc_t rfl_identity_tag(const rfl_link_t *link, rfl_identity_t *id,
    rfl_error_t *err);
static const char *rfl_identity_judge(const rfl_identity_t *id,
    rfl_match_type_t type);
static rfl_rc_t rfl_identity_target(const rfl_link_t *link,
    rfl_identity_t *id, rfl_error_t *err);
static uint64_t rfl_identity_key(rfl_match_type_t type,
    const rfl_identity_t *id);

static rfl_rc_t rfl_identity_url(rfl_str_t field, rfl_str_t value,
    u_char *buf, rfl_url_t *url, rfl_error_t *err);
static rfl_rc_t rfl_identity_ascii(rfl_str_t *host, u_char *buf,
    const char **why);
static rfl_rc_t rfl_identity_ascii_host(rfl_str_t host, u_char *buf,
    rfl_str_t *ascii, const char **why);
static unsigned rfl_identity_count(const u_char *data, size_t len, u_char c);


_Static_assert(RFL_SURT_DROPPED_MAX == 16, "change the message too");

static const char  rfl_identity_cut[] =
    "more than 16 segments of the path begin with a dot, or the query has more "
    "than 16 tracking and empty parameters";


rfl_rc_t
rfl_identity(const rfl_link_t *link, rfl_identity_t *id, rfl_error_t *err)
{
    rfl_rc_t  rc;

    if ((unsigned) link->match_type >= RFL_MATCH_TYPES) {
        return rfl_fail(err, RFL_INVALID, "match_type %d is unknown",
                        (int) link->match_type);
    }

    rc = rfl_identity_source(link, id, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_identity_target(link, id, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_identity_tag(link, id, err);
    if (rc != RFL_OK) {
        return rc;
    }

    id->key = rfl_identity_key(link->match_type, id);

    return RFL_OK;
}


rfl_rc_t
rfl_identity_shown(rfl_str_t text, rfl_identity_t *id, rfl_error_t *err)
{
    u_char      app[RFL_HOST_MAX + 16];
    rfl_link_t  link;

    static const rfl_str_t  shown = rfl_string("android-app:");

    memset(&link, 0, sizeof(rfl_link_t));

    link.match_type = RFL_MATCH_HOST;
    link.source = text;

    if (text.len > shown.len && text.len + 2 <= sizeof(app)
        && memcmp(text.data, shown.data, shown.len) == 0
        && text.data[shown.len] != '/')
    {
        memcpy(app, "android-app://", shown.len + 2);
        memcpy(app + shown.len + 2, text.data + shown.len,
               text.len - shown.len);

        link.source = rfl_str(app, text.len + 2);
    }

    return rfl_identity(&link, id, err);
}


rfl_rc_t
rfl_identity_slip(const rfl_link_t *link, rfl_error_t *err)
{
    rfl_str_t    source, target;
    const char  *fault;

    source = rfl_str_trim(link->source);
    target = rfl_str_trim(link->target);

    fault = rfl_identity_source_slip(source, link->match_type);

    if (fault != NULL) {
        return rfl_link_invalid(err, rfl_cstr("source"), source, "%s", fault);
    }

    if (rfl_identity_is_list(target)) {
        return rfl_link_invalid(err, rfl_cstr("target"), target,
                                "is more than one page; a space is written "
                                "%%20");
    }

    return RFL_OK;
}


static const char *
rfl_identity_source_slip(rfl_str_t source, rfl_match_type_t type)
{
    size_t     i;
    rfl_str_t  host, path;

    if (source.len == 0 || type == RFL_MATCH_TAG || type == RFL_MATCH_REGEX) {
        return NULL;
    }

    if (rfl_identity_is_list(source)) {
        return "is more than one URL; a space is written %20";
    }

    if (source.len > 2 && source.data[source.len - 2] == '/'
        && memchr(source.data, '*', source.len)
           == source.data + source.len - 1
        && (type == RFL_MATCH_EXACT || type == RFL_MATCH_PREFIX))
    {
        return "ends in \"*\"; a link from all pages below is of match type "
               "prefix, without the \"*\"";
    }

    if (rfl_identity_scheme(source) != 0) {
        return NULL;
    }

    host = rfl_identity_host(source);

    if (host.data != source.data) {
        return NULL;
    }

    path = rfl_str(source.data + host.len, source.len - host.len);

    if (path.len != 0 && path.data[0] != '/') {
        return NULL;
    }

    if (path.len >= 2 && path.data[1] == '/'
        && (rfl_str_caseeq(host, rfl_cstr("http"))
            || rfl_str_caseeq(host, rfl_cstr("https"))))
    {
        return "lacks the \":\" behind \"http\" or \"https\"";
    }

    for (i = 0; i < host.len && host.data[i] == '-'; i++) { /* void */ }

    if (type != RFL_MATCH_DOMAIN
        && (host.len == 1 || (host.len != 0 && i == host.len)))
    {
        return "is no URL; a host of that name is written with a scheme";
    }

    return NULL;
}


/* A URL behind another one or a path behind another one. */

static int
rfl_identity_is_list(rfl_str_t value)
{
    int     has_query, space, separator;
    u_char  c;
    size_t  i;

    has_query = 0;

    for (i = 1; i < value.len; i++) {

        c = value.data[i - 1];
        space = rfl_is_space(c);

        has_query |= (c == '?' || c == '#');
        separator = space || (!has_query && (c == ',' || c == ';'));

        if (separator
            && (rfl_identity_begins(value, i, rfl_cstr("http://"))
                || rfl_identity_begins(value, i, rfl_cstr("https://"))))
        {
            return 1;
        }

        if (space && !has_query && value.data[i] == '/' && i + 1 < value.len
            && !rfl_is_space(value.data[i + 1]))
        {
            return 1;
        }
    }

    return 0;
}


static int
rfl_identity_begins(rfl_str_t value, size_t pos, rfl_str_t what)
{
    return value.len - pos >= what.len
           && rfl_str_caseeq(rfl_str(value.data + pos, what.len), what);
}


rfl_str_t
rfl_identity_pattern(rfl_str_t source)
{
    size_t         start;
    const u_char  *slash;

    source = rfl_str_trim(source);
    start = rfl_identity_scheme(source);

    if (start == 0 && source.len >= 2
        && source.data[0] == '/' && source.data[1] == '/')
    {
        start = 2;
    }

    if (start == source.len) {
        return rfl_str(NULL, 0);
    }

    slash = memchr(source.data + start, '/', source.len - start);

    if (slash == NULL) {
        return rfl_str(NULL, 0);
    }

    return rfl_str(slash, source.len - (size_t) (slash - source.data));
}


rfl_match_type_t
rfl_identity_guess(rfl_str_t source, rfl_str_t tag)
{
    size_t  i;

    source = rfl_str_trim(source);

    if (source.len == 0) {
        return rfl_str_trim(tag).len != 0 ? RFL_MATCH_TAG : RFL_MATCH_EXACT;
    }

    for (i = 0; i < source.len; i++) {
        if (source.data[i] == '/' || source.data[i] == '?'
            || source.data[i] == '#')
        {
            return RFL_MATCH_EXACT;
        }
    }

    return RFL_MATCH_HOST;
}


static rfl_rc_t
rfl_identity_source(const rfl_link_t *link, rfl_identity_t *id,
    rfl_error_t *err)
{
    rfl_str_t  value;

    id->segments = 0;

    value = rfl_str_trim(link->source);

    if (link->match_type == RFL_MATCH_TAG) {
        id->source.len = 0;
        id->source.host_len = 0;
        id->source.path_start = 0;
        id->source.path_len = 0;
        id->source.is_address = 0;
        id->source.is_app = 0;
        id->source.is_cut = 0;

        return value.len == 0 ? RFL_OK
                              : rfl_link_invalid(err, rfl_cstr("source"), value,
                                                 "a tag link has no source, "
                                                 "its tag is enough");
    }

    if (value.len == 0) {
        return rfl_link_invalid(err, rfl_cstr("source"), value,
                                "a link needs a source");
    }

    if (link->match_type == RFL_MATCH_REGEX) {
        return rfl_identity_regex(value, id, err);
    }

    return rfl_identity_address(value, link->match_type, id, err);
}


static rfl_rc_t
rfl_identity_address(rfl_str_t value, rfl_match_type_t type,
    rfl_identity_t *id, rfl_error_t *err)
{
    u_char       buf[RFL_URL_MAX];
    rfl_rc_t     rc;
    rfl_str_t    field;
    rfl_url_t    url;
    const char  *fault;

    field = rfl_cstr("source");

    rc = rfl_identity_url(field, value, buf, &url, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_surt(&url, &id->source);

    if (type == RFL_MATCH_PREFIX && id->source.path_len > 1) {
        id->segments = rfl_identity_count(id->source.buf
                                          + id->source.path_start,
                                          id->source.path_len, '/');
    }

    fault = id->source.is_cut ? rfl_identity_cut
                              : rfl_identity_judge(id, type);

    if (fault != NULL) {
        return rfl_link_invalid(err, field, value, "%s", fault);
    }

    return RFL_OK;
}


/*
 * The pattern is kept as it is: no rule of URLs applies to it.  An anchor
 * right behind the "/" it begins with is taken for a misunderstanding.
 */

_Static_assert(RFL_PATTERN_MAX == 1024, "change the message too");
_Static_assert(RFL_HOST_MAX + 16 + 1 + RFL_PATTERN_MAX <= RFL_SURT_MAX,
               "a host and a pattern fit into a SURT");

static rfl_rc_t
rfl_identity_regex(rfl_str_t value, rfl_identity_t *id, rfl_error_t *err)
{
    u_char       buf[RFL_URL_MAX], *p;
    rfl_rc_t     rc;
    rfl_str_t    field, pattern;
    rfl_url_t    url;
    const char  *fault;

    field = rfl_cstr("source");
    pattern = rfl_identity_pattern(value);

    rc = rfl_identity_url(field, rfl_str(value.data, value.len - pattern.len),
                          buf, &url, err);
    if (rc != RFL_OK) {
        return rc;
    }

    fault = NULL;

    if (pattern.len == 0 || url.has_query || url.has_fragment) {
        fault = "the source of a regex link is a host and a pattern that "
                "begins with \"/\": blog.example/20\\d\\d/";

    } else if (url.scheme == RFL_SCHEME_ANDROID_APP) {
        fault = "the source of a regex link is a site, no app";

    } else if (pattern.len > RFL_PATTERN_MAX) {
        fault = "the pattern is longer than 1024 bytes";

    } else if (pattern.len > 1 && pattern.data[1] == '^') {
        fault = "the pattern begins with the \"/\" behind the host and is "
                "searched for in the full Referer, so \"^\" cannot match";
    }

    if (fault != NULL) {
        return rfl_link_invalid(err, field, value, "%s", fault);
    }

    id->source.is_app = 0;
    id->source.is_cut = 0;
    id->source.is_address = (url.host_kind != RFL_HOST_NAME);
    id->source.host_len = rfl_surt_host(&url, id->source.buf);

    p = id->source.buf + id->source.host_len;
    *p++ = ')';

    memcpy(p, pattern.data, pattern.len);

    id->source.path_start = id->source.host_len + 1;
    id->source.path_len = pattern.len;
    id->source.len = id->source.path_start + pattern.len;

    return RFL_OK;
}


/*
 * What a match type asks of a source; the fault, or NULL.  It is asked of the
 * canonical form: a query of tracking parameters is none.
 */

_Static_assert(RFL_SEGMENTS_MAX == 16 && RFL_LABELS_MAX == 8,
               "change the messages too");

static const char *
rfl_identity_judge(const rfl_identity_t *id, rfl_match_type_t type)
{
    int                has_query;
    const rfl_surt_t  *source;

    source = &id->source;
    has_query = source->len != source->path_start + source->path_len;

    switch (type) {

    case RFL_MATCH_PREFIX:
        if (has_query) {
            return "the source of a prefix link has no query";
        }

        if (id->segments > RFL_SEGMENTS_MAX) {
            return "the source of a prefix link has at most 16 path segments";
        }

        return NULL;

    case RFL_MATCH_DOMAIN:
        if (source->is_address || source->is_app) {
            return "the source of a domain link is a host name, no address "
                   "and no app";
        }

        if (rfl_identity_count(source->buf, source->host_len, ',') + 1
            > RFL_LABELS_MAX)
        {
            return "the source of a domain link has at most 8 labels";
        }

        /* fall through */

    case RFL_MATCH_HOST:
        if (has_query || source->path_len != 1) {
            return "the source of a host or domain link has no path and no "
                   "query";
        }

        return NULL;

    default:
        return NULL;
    }
}


static rfl_rc_t
rfl_identity_target(const rfl_link_t *link, rfl_identity_t *id,
    rfl_error_t *err)
{
    size_t     host_len, path_len, len;
    u_char     buf[RFL_URL_MAX];
    rfl_rc_t   rc;
    rfl_str_t  field, value;
    rfl_url_t  url;

    id->target_len = 0;
    id->target_has_host = 0;
    id->target_has_query = 0;

    field = rfl_cstr("target");
    value = rfl_str_trim(link->target);

    if (value.len == 0) {
        return RFL_OK;
    }

    host_len = 0;

    if (value.data[0] == '/') {
        rfl_url_parse_target(value, &url);

    } else if (rfl_identity_scheme(value) != 0) {
        rc = rfl_identity_url(field, value, buf, &url, err);
        if (rc != RFL_OK) {
            return rc;
        }

        if (url.scheme == RFL_SCHEME_ANDROID_APP) {
            return rfl_link_invalid(err, field, value,
                                    "is a page of a site, no app");
        }

        host_len = rfl_surt_host(&url, id->target);
        id->target[host_len++] = ')';
        id->target_has_host = 1;

    } else {
        return rfl_link_invalid(err, field, value,
                                "a path begins with \"/\", a URL with "
                                "\"https://\"");
    }

    if (url.path.len + url.query.len > RFL_URL_MAX) {
        return rfl_link_invalid(err, field, value, "is longer than %d bytes",
                                RFL_URL_MAX);
    }

    rc = rfl_surt_landing(&url, NULL, SIZE_MAX, id->target + host_len,
                          &path_len, &len);
    if (rc != RFL_OK) {
        return rfl_link_invalid(err, field, value, "%s", rfl_identity_cut);
    }

    id->target_len = host_len + len;
    id->target_has_query = (len != path_len);

    return RFL_OK;
}


static rfl_rc_t
rfl_identity_tag(const rfl_link_t *link, rfl_identity_t *id, rfl_error_t *err)
{
    rfl_str_t                value;
    const char              *fault;
    const rfl_link_field_t  *field;

    value = rfl_str_trim(link->tag);
    id->tag_len = value.len;

    if (value.len == 0) {
        return link->match_type != RFL_MATCH_TAG
               ? RFL_OK
               : rfl_link_invalid(err, rfl_cstr("tag"), value,
                                  "a tag link needs a tag");
    }

    if (value.len > RFL_TAG_MAX) {
        return rfl_link_invalid(err, rfl_cstr("tag"), value,
                                "is longer than %d bytes", RFL_TAG_MAX);
    }

    field = rfl_link_field(rfl_cstr("tag"));
    fault = field->check(value);

    if (fault != NULL) {
        return rfl_link_invalid(err, field->name, value, "%s", fault);
    }

    memcpy(id->tag, value.data, value.len);

    return RFL_OK;
}


/* Public and permanent: keys are in scripts, dashboards and other servers. */

static uint64_t
rfl_identity_key(rfl_match_type_t type, const rfl_identity_t *id)
{
    u_char      text[RFL_IDENTITY_TEXT_MAX], *p;
    size_t      source_len;
    uint64_t    key;
    rfl_str_t   name;

    name = rfl_match_type_names[type];

    source_len = (type == RFL_MATCH_HOST || type == RFL_MATCH_DOMAIN)
                 ? id->source.host_len : id->source.len;

    p = text;

    memcpy(p, name.data, name.len);
    p += name.len;
    *p++ = '\n';

    memcpy(p, id->source.buf, source_len);
    p += source_len;
    *p++ = '\n';

    memcpy(p, id->target, id->target_len);
    p += id->target_len;

    if (type == RFL_MATCH_TAG) {
        *p++ = '\n';

        memcpy(p, id->tag, id->tag_len);
        p += id->tag_len;
    }

    key = rfl_hash(text, (size_t) (p - text)).low;

    return key != 0 ? key : 1;           /* 0 means "no key yet" elsewhere */
}


/*
 * The URL people meant, in buf of RFL_URL_MAX bytes: with a scheme and with
 * a host in ASCII.  *url is made of slices of buf.
 */

static rfl_rc_t
rfl_identity_url(rfl_str_t field, rfl_str_t value, u_char *buf,
    rfl_url_t *url, rfl_error_t *err)
{
    u_char         ascii[RFL_HOST_MAX + 1];
    size_t         i, len, host_at;
    rfl_rc_t       rc;
    rfl_str_t      host, parts[4];
    const char    *why;
    const u_char  *behind;

    len = rfl_identity_scheme(value);

    parts[0] = rfl_cstr("");

    if (len == 0) {
        if (value.len >= 2 && value.data[0] == '/' && value.data[1] == '/') {
            len = 2;
        }

        parts[0] = rfl_cstr(len == 2 ? "https:" : "https://");
    }

    host = rfl_identity_host(rfl_str(value.data + len, value.len - len));
    host_at = (size_t) (host.data - value.data);

    if (len == 0 && host_at != 0) {
        return rfl_link_invalid(err, field, value, "is a mail address, or a "
                                "URL that lacks \"https://\"");
    }

    parts[1] = rfl_str(value.data, host_at);
    parts[3] = rfl_str(host.data + host.len, value.len - host_at - host.len);

    rc = rfl_identity_ascii(&host, ascii, &why);
    if (rc == RFL_NO_MEMORY) {
        return rfl_fail(err, rc, "out of memory");
    }

    if (rc != RFL_OK) {
        return rfl_link_invalid(err, field, value, "%s", why);
    }

    parts[2] = host;
    len = 0;

    for (i = 0; i < 4; i++) {
        if (parts[i].len > RFL_URL_MAX - len) {
            return rfl_link_invalid(err, field, value,
                                    "is longer than %d bytes", RFL_URL_MAX);
        }

        memcpy(buf + len, parts[i].data, parts[i].len);
        len += parts[i].len;
    }

    rc = rfl_url_parse(rfl_str(buf, len), url, &why);
    if (rc != RFL_OK) {
        return rfl_link_invalid(err, field, value, "%s", why);
    }

    /* "htp:/blog.example" is no host "htp" with an empty port */

    behind = url->host.data + url->host.len;

    if (parts[0].len != 0 && url->port.len == 0 && behind < buf + len
        && *behind == ':')
    {
        return rfl_link_invalid(err, field, value, "has a \":\" without "
                                "a port; a URL begins with \"https://\"");
    }

    return RFL_OK;
}


size_t
rfl_identity_scheme(rfl_str_t value)
{
    size_t  i;

    for (i = 0; i < value.len; i++) {

        if (value.data[i] == '/' || value.data[i] == '?'
            || value.data[i] == '#')
        {
            return 0;
        }

        if (value.data[i] == ':' && value.len - i >= 3
            && value.data[i + 1] == '/' && value.data[i + 2] == '/')
        {
            return i + 3;
        }
    }

    return 0;
}


rfl_str_t
rfl_identity_host(rfl_str_t text)
{
    size_t  i, start, colon;

    start = 0;
    colon = text.len;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] == '/' || text.data[i] == '?'
            || text.data[i] == '#')
        {
            break;
        }

        if (text.data[i] == '@') {
            start = i + 1;
            colon = text.len;

        } else if (text.data[i] == ']') {    /* those before are IPv6's */
            colon = text.len;

        } else if (text.data[i] == ':' && colon == text.len) {
            colon = i;
        }
    }

    if (colon < i) {
        i = colon;
    }

    return rfl_str(text.data + start, i - start);
}


/*
 * Replaces a host beyond ASCII by its form in ASCII (RFC 5891), in buf of
 * RFL_HOST_MAX + 1 bytes: there may be a trailing dot.
 */

static rfl_rc_t
rfl_identity_ascii(rfl_str_t *host, u_char *buf, const char **why)
{
    size_t  i;

    for (i = 0; i < host->len; i++) {
        if (host->data[i] >= 0x80) {
            return rfl_identity_ascii_host(*host, buf, host, why);
        }
    }

    return RFL_OK;
}


/*
 * Non-transitional first, as browsers do; what that refuses may still stand
 * in the rules of 2003.  The result is judged again: compatibility mapping
 * makes "/", "@" and ":" out of look-alikes, which would move the host's end.
 */

static rfl_rc_t
rfl_identity_ascii_host(rfl_str_t host, u_char *buf, rfl_str_t *ascii,
    const char **why)
{
    int         rc;
    char        name[RFL_URL_MAX + 1], *out;
    rfl_url_t   url;

    *why = "the host is no valid internationalized name";

    if (host.len > RFL_URL_MAX || memchr(host.data, '\0', host.len) != NULL) {
        return RFL_INVALID;
    }

    memcpy(name, host.data, host.len);
    name[host.len] = '\0';

    rc = idn2_to_ascii_8z(name, &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

    if (rc != IDN2_OK && rc != IDN2_MALLOC) {
        rc = idn2_to_ascii_8z(name, &out, IDN2_TRANSITIONAL);
    }

    if (rc == IDN2_MALLOC) {
        return RFL_NO_MEMORY;
    }

    if (rc != IDN2_OK) {
        return RFL_INVALID;
    }

    *ascii = rfl_str(buf, strlen(out));

    if (ascii->len > RFL_HOST_MAX + 1) {
        idn2_free(out);
        return RFL_INVALID;
    }

    memcpy(buf, out, ascii->len);
    idn2_free(out);

    if (rfl_url_parse_host(*ascii, &url, why) != RFL_OK
        || url.host.len != ascii->len)
    {
        return RFL_INVALID;
    }

    return RFL_OK;
}


static unsigned
rfl_identity_count(const u_char *data, size_t len, u_char c)
{
    size_t    i;
    unsigned  n;

    n = 0;

    for (i = 0; i < len; i++) {
        n += (data[i] == c);
    }

    return n;
}
