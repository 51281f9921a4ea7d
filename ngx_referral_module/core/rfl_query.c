/*
 * See rfl_query.h.  Two tables: the paths, and for each its arguments with
 * who reads them; a row adds one.
 */

#include "rfl_query.h"
#include "rfl_report.h"

#include <stdarg.h>
#include <stdio.h>


/* How far back history goes unless asked. */

#define RFL_QUERY_MINUTES_BACK  (24 * 3600)
#define RFL_QUERY_HOURS_BACK    (7 * 24 * 3600)
#define RFL_QUERY_DAYS_BACK     (90 * 24 * 3600)


/*
 * RFL_OK, RFL_INVALID (the row says what is wanted) or RFL_NOT_FOUND (a path
 * without formats).  Which filter it is, where it is one, the row says.
 */

typedef rfl_rc_t (*rfl_query_arg_pt)(rfl_query_t *q, unsigned filter,
    rfl_str_t value);

typedef struct {
    rfl_str_t          name;
    rfl_query_arg_pt   handler;
    const char        *wanted;
    unsigned           filter;
} rfl_query_arg_t;

typedef struct {
    const char             *pattern;     /* "*": a link's key */
    rfl_query_kind_t        kind;
    const rfl_query_arg_t  *args;
    unsigned                formats;     /* bits by rfl_format_t */
} rfl_query_path_t;

typedef struct {
    rfl_str_t     name;                  /* format= */
    rfl_format_t  format;
    rfl_str_t     type;                  /* Accept */
    rfl_str_t     subtype;
} rfl_query_format_t;


/* How well a media range of Accept fits, and how much it is liked. */

typedef struct {
    unsigned  quality;                   /* thousandths */
    unsigned  precision;                 /* 1: any type, 3: this one */
} rfl_query_liking_t;


static const rfl_query_path_t *rfl_query_path(rfl_str_t path,
    rfl_str_t *key);
static int rfl_query_path_is(const char *pattern, rfl_str_t path,
    rfl_str_t *key);
static rfl_str_t rfl_query_segment(rfl_str_t *path);
static rfl_rc_t rfl_query_args(rfl_query_t *q, const rfl_query_arg_t *table,
    rfl_str_t args, rfl_query_error_t *error);
static rfl_rc_t rfl_query_arg(rfl_query_t *q, const rfl_query_arg_t *table,
    rfl_str_t name, rfl_str_t value, unsigned *seen,
    rfl_query_error_t *error);
static int rfl_query_decode(rfl_str_t value, u_char *out, size_t *len);
static rfl_rc_t rfl_query_format(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_stream(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_sort(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_order(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_limit(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_rows(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_per_link(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_registered(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_after(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_from(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_to(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_compare(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_unit(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_sort_rows(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_after_row(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_filter(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_group(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_fields(rfl_query_t *q, unsigned filter,
    rfl_str_t value);
static rfl_rc_t rfl_query_metrics(rfl_query_t *q,
    rfl_query_error_t *error);
static rfl_rc_t rfl_query_negotiate(rfl_query_t *q, unsigned formats,
    rfl_str_t accept, rfl_query_error_t *error);
static rfl_query_liking_t rfl_query_liking(
    const rfl_query_format_t *format, rfl_str_t accept);
static void rfl_query_range(const rfl_query_format_t *format,
    rfl_str_t range, rfl_query_liking_t *liking);
static unsigned rfl_query_quality(rfl_str_t parameters);
static rfl_str_t rfl_query_until(rfl_str_t *text, u_char end);
static rfl_rc_t rfl_query_no_format(const rfl_query_t *q, unsigned formats,
    rfl_query_error_t *error);
static rfl_rc_t rfl_query_finish_page(rfl_query_t *q,
    rfl_query_error_t *error);
static rfl_rc_t rfl_query_finish_period(rfl_query_period_t *period,
    uint64_t now, rfl_query_error_t *error);
static rfl_rc_t rfl_query_finish_history(rfl_query_t *q, uint64_t now,
    rfl_query_error_t *error);
static int rfl_query_decimal(rfl_str_t text, uint64_t *n);
static int rfl_query_key(rfl_str_t text, uint64_t *n);
static int rfl_query_hex(u_char c);


#define RFL_QUERY_ARG_FORMAT                                                  \
    { rfl_string("format"), rfl_query_format, "the name of a format", 0 }

#define RFL_QUERY_ARGS_SPAN                                                   \
    { rfl_string("from"), rfl_query_from,                                     \
      "a date or a time, 2026-11-20 or 2026-11-20T22:48:00Z,", 0 },           \
    { rfl_string("to"), rfl_query_to,                                         \
      "a date or a time, 2026-11-20 or 2026-11-20T22:48:00Z,", 0 }

#define RFL_QUERY_ARGS_PERIOD                                                 \
    RFL_QUERY_ARGS_SPAN,                                                      \
    { rfl_string("compare"), rfl_query_compare, "\"previous\"", 0 }

#define RFL_QUERY_ARGS_PAGE                                                   \
    { rfl_string("order"), rfl_query_order, "\"asc\" or \"desc\"", 0 },       \
    { rfl_string("limit"), rfl_query_limit,                                   \
      "a number from 1 to 10000 or \"all\"", 0 }

#define RFL_QUERY_ARGS_ROWS                                                   \
    { rfl_string("limit"), rfl_query_rows, "a number from 1 to 10000", 0 },   \
    { rfl_string("after"), rfl_query_after,                                   \
      "a cursor, the \"next\" of another page,", 0 }

#define RFL_QUERY_ARG_FIELDS                                                  \
    { rfl_string("fields"), rfl_query_fields,                                 \
      "a list of a link's members and counters, joined by commas,", 0 }

#define RFL_QUERY_ARGS_END  { rfl_string(""), NULL, NULL, 0 }


static const rfl_query_arg_t  rfl_query_registries_args[] = {
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_counters_args[] = {
    RFL_QUERY_ARGS_PERIOD,
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_link_args[] = {
    RFL_QUERY_ARG_FIELDS,
    RFL_QUERY_ARGS_PERIOD,
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


_Static_assert(RFL_FILTER_MAX == 512, "change the message too");

static const rfl_query_arg_t  rfl_query_links_args[] = {

    { rfl_string("sort"), rfl_query_sort,
      "a counter's name, \"key\" or \"last_seen\"", 0 },

    RFL_QUERY_ARGS_PAGE,

    { rfl_string("after"), rfl_query_after,
      "a cursor, the \"next\" of another page,", 0 },

    { rfl_string("channel"), rfl_query_filter, "a channel, or nothing,",
      RFL_FILTER_CHANNEL },
    { rfl_string("origin"), rfl_query_filter, "an origin",
      RFL_FILTER_ORIGIN },
    { rfl_string("partner"), rfl_query_filter, "a partner, or nothing,",
      RFL_FILTER_PARTNER },
    { rfl_string("host"), rfl_query_filter,
      "a host, \"blog.example\" or \".blog.example\"," , RFL_FILTER_HOST },
    { rfl_string("label"), rfl_query_filter, "a label, or nothing,",
      RFL_FILTER_LABEL },
    { rfl_string("state"), rfl_query_filter,
      "\"new\", \"active\", \"silent\", \"never\" or \"revived\"",
      RFL_FILTER_STATE },
    { rfl_string("q"), rfl_query_filter, "text of at most 512 bytes",
      RFL_FILTER_TEXT },
    { rfl_string("group"), rfl_query_group, "a group's key", 0 },

    RFL_QUERY_ARG_FIELDS,
    RFL_QUERY_ARGS_PERIOD,
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_rows_args[] = {

    { rfl_string("sort"), rfl_query_sort_rows, "a counter's name or \"name\"",
      0 },

    RFL_QUERY_ARGS_PAGE,

    { rfl_string("after"), rfl_query_after_row,
      "a cursor, the \"next\" of another page,", 0 },

    RFL_QUERY_ARGS_PERIOD,
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_sources_args[] = {

    { rfl_string("registered"), rfl_query_registered,
      "\"no\", the sources that no link explains,", 0 },

    RFL_QUERY_ARGS_ROWS,
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_broken_args[] = {
    RFL_QUERY_ARGS_ROWS,
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_history_args[] = {

    { rfl_string("unit"), rfl_query_unit, "\"minute\", \"hour\" or \"day\"",
      0 },

    RFL_QUERY_ARGS_SPAN,
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_events_args[] = {

    { rfl_string("format"), rfl_query_stream,
      "a stream of events, and no format,", 0 },

    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_metrics_args[] = {

    { rfl_string("links"), rfl_query_per_link,
      "\"clicks\", \"all\" or \"off\"", 0 },

    { rfl_string("limit"), rfl_query_rows, "a number from 1 to 10000", 0 },

    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


#define RFL_QUERY_JSON  (1u << RFL_FORMAT_JSON)
#define RFL_QUERY_HTML  (1u << RFL_FORMAT_HTML)
#define RFL_QUERY_CSV   (1u << RFL_FORMAT_CSV)
#define RFL_QUERY_PROM  (1u << RFL_FORMAT_PROMETHEUS)


static const rfl_query_format_t  rfl_query_formats[] = {
    { rfl_string("json"), RFL_FORMAT_JSON,
      rfl_string("application"), rfl_string("json") },
    { rfl_string("html"), RFL_FORMAT_HTML,
      rfl_string("text"), rfl_string("html") },
    { rfl_string("csv"), RFL_FORMAT_CSV,
      rfl_string("text"), rfl_string("csv") },
    { rfl_string("prometheus"), RFL_FORMAT_PROMETHEUS,
      rfl_string("text"), rfl_string("plain") }
};

#define RFL_QUERY_NFORMATS                                                    \
    (sizeof(rfl_query_formats) / sizeof(rfl_query_formats[0]))


static const rfl_query_path_t  rfl_query_paths[] = {

    { "", RFL_QUERY_SUMMARY, rfl_query_counters_args,
      RFL_QUERY_JSON|RFL_QUERY_HTML|RFL_QUERY_CSV },

    { "links", RFL_QUERY_LINKS, rfl_query_links_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "links/*", RFL_QUERY_LINK, rfl_query_link_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "links/*/history", RFL_QUERY_LINK_HISTORY, rfl_query_history_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "history", RFL_QUERY_HISTORY, rfl_query_history_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "hosts", RFL_QUERY_HOSTS, rfl_query_rows_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "channels", RFL_QUERY_CHANNELS, rfl_query_rows_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "partners", RFL_QUERY_PARTNERS, rfl_query_rows_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "labels", RFL_QUERY_LABELS, rfl_query_rows_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "sources", RFL_QUERY_SOURCES, rfl_query_sources_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "broken", RFL_QUERY_BROKEN, rfl_query_broken_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "ignored", RFL_QUERY_IGNORED, rfl_query_registries_args,
      RFL_QUERY_JSON|RFL_QUERY_CSV },

    { "ignored/*", RFL_QUERY_IGNORED_HOST, rfl_query_registries_args,
      RFL_QUERY_JSON },

    { "metrics", RFL_QUERY_METRICS, rfl_query_metrics_args,
      RFL_QUERY_PROM },

    { "events", RFL_QUERY_EVENTS, rfl_query_events_args, 0 }
};


rfl_rc_t
rfl_query_parse(rfl_query_t *q, rfl_str_t path, rfl_str_t args, unsigned all,
    uint64_t now, rfl_query_error_t *error)
{
    rfl_query_request_t  request;

    memset(&request, 0, sizeof(rfl_query_request_t));

    request.path = path;
    request.args = args;
    request.all = all;
    request.now = now;

    return rfl_query_read(q, &request, error);
}


rfl_rc_t
rfl_query_read(rfl_query_t *q, const rfl_query_request_t *request,
    rfl_query_error_t *error)
{
    rfl_rc_t                 rc;
    unsigned                 formats;
    rfl_str_t                path, key;
    const rfl_query_path_t  *row;

    memset(q, 0, sizeof(rfl_query_t));

    q->unit = RFL_UNIT_DAY;
    q->fields = UINT64_MAX;
    q->page.field = RFL_CELL_CLICKS;
    q->page.limit = RFL_QUERY_LIMIT;

    path = request->path;

    if (request->all && !rfl_query_path_is("metrics", path, &key)) {
        q->registry = rfl_query_segment(&path);

        if (q->registry.len == 0) {
            q->kind = RFL_QUERY_REGISTRIES;
            rc = rfl_query_args(q, rfl_query_registries_args, request->args,
                                error);

            if (rc == RFL_OK && q->format == RFL_FORMAT_PROMETHEUS) {
                return rfl_query_metrics(q, error);
            }

            formats = request->html ? RFL_QUERY_JSON|RFL_QUERY_HTML
                                    : RFL_QUERY_JSON;

            return rc != RFL_OK ? rc
                   : rfl_query_negotiate(q, formats, request->accept, error);
        }
    }

    row = rfl_query_path(path, &key);

    if (row == NULL) {
        return rfl_query_refuse(error, 404, "PathUnknown",
                                "there is nothing under this path");
    }

    q->kind = row->kind;

    rc = rfl_query_args(q, row->args, request->args, error);

    if (rc == RFL_OK && (q->kind == RFL_QUERY_METRICS
                         || (q->kind == RFL_QUERY_SUMMARY
                             && q->format == RFL_FORMAT_PROMETHEUS)))
    {
        return rfl_query_metrics(q, error);
    }

    if (rc == RFL_OK) {
        formats = request->html ? row->formats
                                : row->formats & ~RFL_QUERY_HTML;

        rc = rfl_query_negotiate(q, formats, request->accept, error);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (q->kind == RFL_QUERY_IGNORED_HOST) {
        q->host = key;
        return RFL_OK;
    }

    if (key.len != 0 && !rfl_query_key(key, &q->link_key)) {
        return rfl_query_refuse(error, 404, "LinkUnknown",
                                "no link is registered under this key");
    }

    if (row->args == rfl_query_history_args) {
        return rfl_query_finish_history(q, request->now, error);
    }

    rc = rfl_query_finish_page(q, error);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_query_finish_period(&q->period, request->now, error);
}


static const rfl_query_path_t *
rfl_query_path(rfl_str_t path, rfl_str_t *key)
{
    size_t  i;

    for (i = 0; i < sizeof(rfl_query_paths) / sizeof(rfl_query_paths[0]); i++)
    {
        if (rfl_query_path_is(rfl_query_paths[i].pattern, path, key)) {
            return &rfl_query_paths[i];
        }
    }

    return NULL;
}


static int
rfl_query_path_is(const char *pattern, rfl_str_t path, rfl_str_t *key)
{
    rfl_str_t  left, wanted, segment;

    *key = rfl_str(NULL, 0);
    left = rfl_cstr(pattern);

    do {
        wanted = rfl_query_segment(&left);
        segment = rfl_query_segment(&path);

        if (segment.len != 0 && rfl_str_eq(wanted, rfl_cstr("*"))) {
            *key = segment;

        } else if (!rfl_str_eq(wanted, segment)) {
            return 0;
        }

    } while (left.len != 0 || path.len != 0);

    return 1;
}


/* Takes the first segment, and slashes around it, off the path. */

static rfl_str_t
rfl_query_segment(rfl_str_t *path)
{
    rfl_str_t  segment;

    while (path->len != 0 && path->data[0] == '/') {
        path->data++;
        path->len--;
    }

    segment = rfl_str(path->data, 0);

    while (path->len != 0 && path->data[0] != '/') {
        segment.len++;
        path->data++;
        path->len--;
    }

    while (path->len != 0 && path->data[0] == '/') {
        path->data++;
        path->len--;
    }

    return segment;
}


static rfl_rc_t
rfl_query_args(rfl_query_t *q, const rfl_query_arg_t *table, rfl_str_t args,
    rfl_query_error_t *error)
{
    rfl_rc_t       rc;
    unsigned       seen;
    rfl_str_t      name, value;
    const u_char  *p, *last, *end, *equals;

    p = args.data;
    last = args.data + args.len;
    seen = 0;

    while (p < last) {
        end = memchr(p, '&', (size_t) (last - p));
        if (end == NULL) {
            end = last;
        }

        equals = memchr(p, '=', (size_t) (end - p));

        name = rfl_str(p, (size_t) ((equals != NULL ? equals : end) - p));
        value = equals != NULL
                ? rfl_str(equals + 1, (size_t) (end - equals - 1))
                : rfl_str(end, 0);

        if (name.len != 0) {
            rc = rfl_query_arg(q, table, name, value, &seen, error);
            if (rc != RFL_OK) {
                return rc;
            }
        }

        p = end + 1;
    }

    return RFL_OK;
}


/* *seen: bit i, row i of the table was given. */

static rfl_rc_t
rfl_query_arg(rfl_query_t *q, const rfl_query_arg_t *table, rfl_str_t name,
    rfl_str_t value, unsigned *seen, rfl_query_error_t *error)
{
    size_t                  len;
    u_char                  text[RFL_QUERY_VALUE_MAX];
    rfl_rc_t                rc;
    const rfl_query_arg_t  *arg;

    for (arg = table; arg->handler != NULL; arg++) {
        if (rfl_str_eq(arg->name, name)) {
            break;
        }
    }

    if (arg->handler == NULL) {
        return rfl_query_refuse(error, 400, "ParameterUnknown",
                                "this path has no parameter \"%.*s\"",
                                (int) (name.len < 64 ? name.len : 64),
                                name.data);
    }

    if (*seen & (1u << (arg - table))) {
        return rfl_query_refuse(error, 400, "ParameterInvalid",
                                "%s: it is given twice", arg->name.data);
    }

    *seen |= 1u << (arg - table);

    if (!rfl_query_decode(value, text, &len)) {
        return rfl_query_refuse(error, 400, "ParameterInvalid",
                                "%s: it has a \"%%\" without two hex digits, "
                                "\"%%25\" is one, or more than %d bytes",
                                arg->name.data, RFL_QUERY_VALUE_MAX);
    }

    rc = arg->handler(q, arg->filter, rfl_str(text, len));

    if (rc == RFL_NOT_FOUND) {
        return rfl_query_refuse(error, 406, "FormatUnavailable",
                                "%s: %s is what there is", arg->name.data,
                                arg->wanted);
    }

    if (rc != RFL_OK) {
        return rfl_query_refuse(error, 400, "ParameterInvalid",
                                "%s: %s is wanted", arg->name.data,
                                arg->wanted);
    }

    return RFL_OK;
}


/* 0: it is too long, or has a "%" without two hex digits. */

static int
rfl_query_decode(rfl_str_t value, u_char *out, size_t *len)
{
    int     high, low;
    size_t  i;
    u_char  c;

    *len = 0;

    if (value.len > RFL_QUERY_VALUE_MAX) {
        return 0;
    }

    for (i = 0; i < value.len; i++) {
        c = value.data[i];

        if (c == '%') {
            if (value.len - i < 3) {
                return 0;
            }

            high = rfl_query_hex(value.data[i + 1]);
            low = rfl_query_hex(value.data[i + 2]);

            if (high < 0 || low < 0) {
                return 0;
            }

            c = (u_char) (high << 4 | low);
            i += 2;
        }

        out[(*len)++] = c;
    }

    return 1;
}


static rfl_rc_t
rfl_query_format(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    size_t  i;

    q->has_format = 1;
    q->format = RFL_FORMATS;

    for (i = 0; i < RFL_QUERY_NFORMATS; i++) {
        if (rfl_str_eq(value, rfl_query_formats[i].name)) {
            q->format = rfl_query_formats[i].format;
        }
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_query_stream(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    return RFL_NOT_FOUND;
}


/*
 * Whatever Accept says: there is one format, and scrapers ask for newer ones
 * that they can do without.
 */

static rfl_rc_t
rfl_query_metrics(rfl_query_t *q, rfl_query_error_t *error)
{
    rfl_rc_t  rc;

    q->kind = RFL_QUERY_METRICS;

    if (!q->page.has_limit) {
        q->page.limit = RFL_QUERY_SERIES;
    }

    rc = rfl_query_negotiate(q, RFL_QUERY_PROM, rfl_str(NULL, 0), error);

    if (rc == RFL_OK
        && (q->period.has_from || q->period.has_to || q->period.compare))
    {
        return rfl_query_refuse(error, 400, "ParameterInvalid",
                                "format: prometheus has no periods");
    }

    return rc;
}


/* Of those liked alike, the one that was named most precisely. */

static rfl_rc_t
rfl_query_negotiate(rfl_query_t *q, unsigned formats, rfl_str_t accept,
    rfl_query_error_t *error)
{
    size_t              i;
    unsigned            offered;
    rfl_query_liking_t  liking, best;

    if (formats == 0) {
        return RFL_OK;
    }

    if (q->has_format) {
        return q->format != RFL_FORMATS && (formats & (1u << q->format))
               ? RFL_OK : rfl_query_no_format(q, formats, error);
    }

    if (rfl_str_trim(accept).len == 0) {
        accept = rfl_cstr("*/*");
    }

    memset(&best, 0, sizeof(rfl_query_liking_t));

    for (i = 0; i < RFL_QUERY_NFORMATS; i++) {
        offered = formats & (1u << rfl_query_formats[i].format);

        if (!offered) {
            continue;
        }

        liking = rfl_query_liking(&rfl_query_formats[i], accept);

        if (liking.quality > best.quality
            || (liking.quality == best.quality && liking.quality != 0
                && liking.precision > best.precision))
        {
            best = liking;
            q->format = rfl_query_formats[i].format;
        }
    }

    return best.quality != 0 ? RFL_OK : rfl_query_no_format(q, formats, error);
}


/* The most precise range that names the format decides. */

static rfl_query_liking_t
rfl_query_liking(const rfl_query_format_t *format, rfl_str_t accept)
{
    rfl_query_liking_t  liking;

    memset(&liking, 0, sizeof(rfl_query_liking_t));

    while (accept.len != 0) {
        rfl_query_range(format, rfl_query_until(&accept, ','), &liking);
    }

    return liking;
}


static void
rfl_query_range(const rfl_query_format_t *format, rfl_str_t range,
    rfl_query_liking_t *liking)
{
    unsigned   precision;
    rfl_str_t  type, subtype;

    subtype = rfl_str_trim(rfl_query_until(&range, ';'));
    type = rfl_query_until(&subtype, '/');

    if (rfl_str_eq(type, rfl_cstr("*")) && rfl_str_eq(subtype, rfl_cstr("*")))
    {
        precision = 1;

    } else if (!rfl_str_caseeq(type, format->type)) {
        return;

    } else if (rfl_str_eq(subtype, rfl_cstr("*"))) {
        precision = 2;

    } else if (rfl_str_caseeq(subtype, format->subtype)) {
        precision = 3;

    } else {
        return;
    }

    if (precision > liking->precision) {
        liking->precision = precision;
        liking->quality = rfl_query_quality(range);
    }
}


/* "q=0.5" among ";"; RFC 9110, 12.4.2.  What makes no sense likes nothing. */

static unsigned
rfl_query_quality(rfl_str_t parameters)
{
    size_t     i;
    unsigned   quality, unit;
    rfl_str_t  name, value;

    while (parameters.len != 0) {
        value = rfl_query_until(&parameters, ';');
        name = rfl_str_trim(rfl_query_until(&value, '='));
        value = rfl_str_trim(value);

        if (!rfl_str_caseeq(name, rfl_cstr("q"))) {
            continue;
        }

        if (value.len == 0 || value.len > 5
            || (value.data[0] != '0' && value.data[0] != '1')
            || (value.len > 1 && value.data[1] != '.'))
        {
            return 0;
        }

        quality = value.data[0] == '1' ? 1000 : 0;

        for (i = 2, unit = 100; i < value.len; i++, unit /= 10) {
            if (value.data[i] < '0' || value.data[i] > '9') {
                return 0;
            }

            quality += (unsigned) (value.data[i] - '0') * unit;
        }

        return quality < 1000 ? quality : 1000;
    }

    return 1000;
}


/* Takes what stands before the first such byte, and that byte, off. */

static rfl_str_t
rfl_query_until(rfl_str_t *text, u_char end)
{
    rfl_str_t      first;
    const u_char  *p;

    p = text->len != 0 ? memchr(text->data, end, text->len) : NULL;

    if (p == NULL) {
        first = *text;
        *text = rfl_str(text->data, 0);
        return first;
    }

    first = rfl_str(text->data, (size_t) (p - text->data));
    *text = rfl_str(p + 1, text->len - first.len - 1);

    return first;
}


/* The summary is Prometheus text by format= alone: Accept is not asked. */

static rfl_rc_t
rfl_query_no_format(const rfl_query_t *q, unsigned formats,
    rfl_query_error_t *error)
{
    int     n;
    char    names[64];
    size_t  i, len;

    if (q->kind == RFL_QUERY_SUMMARY) {
        formats |= RFL_QUERY_PROM;
    }

    for (i = 0, len = 0, names[0] = '\0'; i < RFL_QUERY_NFORMATS; i++) {

        if (!(formats & (1u << rfl_query_formats[i].format))) {
            continue;
        }

        n = snprintf(names + len, sizeof(names) - len, "%s%s",
                     len != 0 ? ", " : "",
                     (const char *) rfl_query_formats[i].name.data);

        len += n > 0 && (size_t) n < sizeof(names) - len ? (size_t) n : 0;
    }

    return rfl_query_refuse(error, 406, "FormatUnavailable",
                            "this path has the format %s", names);
}


static rfl_rc_t
rfl_query_sort(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    const rfl_counter_t  *counter;

    q->page.has_sort = 1;

    if (rfl_str_eq(value, rfl_cstr("key"))) {
        q->page.key_sort = 1;
        return RFL_OK;
    }

    if (rfl_str_eq(value, rfl_cstr("last_seen"))) {
        q->page.field = RFL_CELL_LAST_SEEN;
        return RFL_OK;
    }

    counter = rfl_counter_find(value);

    if (counter == NULL) {
        return RFL_INVALID;
    }

    q->page.field = counter->field;

    return RFL_OK;
}


static rfl_rc_t
rfl_query_sort_rows(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    const rfl_counter_t  *counter;

    q->page.has_sort = 1;

    if (rfl_str_eq(value, rfl_cstr("name"))) {
        q->page.name_sort = 1;
        return RFL_OK;
    }

    counter = rfl_counter_find(value);

    if (counter == NULL) {
        return RFL_INVALID;
    }

    q->page.field = counter->field;

    return RFL_OK;
}


static rfl_rc_t
rfl_query_order(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    q->page.has_order = 1;
    q->page.ascending = rfl_str_eq(value, rfl_cstr("asc"));

    return q->page.ascending || rfl_str_eq(value, rfl_cstr("desc"))
           ? RFL_OK : RFL_INVALID;
}


static rfl_rc_t
rfl_query_limit(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    q->page.has_limit = 1;

    if (rfl_str_eq(value, rfl_cstr("all"))) {
        q->page.unlimited = 1;
        q->page.limit = UINT64_MAX;
        return RFL_OK;
    }

    return rfl_query_rows(q, filter, value);
}


static rfl_rc_t
rfl_query_rows(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    q->page.has_limit = 1;

    if (!rfl_query_decimal(value, &q->page.limit) || q->page.limit == 0
        || q->page.limit > RFL_QUERY_LIMIT_MAX)
    {
        return RFL_INVALID;
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_query_per_link(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    if (rfl_str_eq(value, rfl_cstr("clicks"))) {
        q->per_link = RFL_METRICS_CLICKS;

    } else if (rfl_str_eq(value, rfl_cstr("all"))) {
        q->per_link = RFL_METRICS_ALL;

    } else if (rfl_str_eq(value, rfl_cstr("off"))) {
        q->per_link = RFL_METRICS_OFF;

    } else {
        return RFL_INVALID;
    }

    return RFL_OK;
}


/* Others are links: /links has them. */

static rfl_rc_t
rfl_query_registered(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    return rfl_str_eq(value, rfl_cstr("no")) ? RFL_OK : RFL_INVALID;
}


/* "KEY" in key order, else "VALUE-KEY". */

static rfl_rc_t
rfl_query_after(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    size_t             len;
    const u_char      *dash;
    rfl_query_page_t  *page;

    page = &q->page;

    if (value.len == 0) {
        return RFL_OK;
    }

    dash = memchr(value.data, '-', value.len);

    if (dash != NULL) {
        len = (size_t) (dash - value.data);

        if (!rfl_query_decimal(rfl_str(value.data, len), &page->after_value))
        {
            return RFL_INVALID;
        }

        value.data += len + 1;
        value.len -= len + 1;
    }

    if (!rfl_query_key(value, &page->after_key)) {
        return RFL_INVALID;
    }

    page->has_after = 1;
    page->after_has_value = (dash != NULL);

    return RFL_OK;
}


/* "nHEX", the name's bytes, in the order of names, else "VALUE-HASH". */

static rfl_rc_t
rfl_query_after_row(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    int                high, low;
    size_t             i;
    rfl_query_page_t  *page;

    page = &q->page;

    if (value.len == 0 || value.data[0] != 'n') {
        return rfl_query_after(q, filter, value);
    }

    if (value.len % 2 == 0 || value.len / 2 > RFL_QUERY_NAME_MAX) {
        return RFL_INVALID;
    }

    for (i = 1; i < value.len; i += 2) {
        high = rfl_query_hex(value.data[i]);
        low = rfl_query_hex(value.data[i + 1]);

        if (high < 0 || low < 0) {
            return RFL_INVALID;
        }

        page->after_name[i / 2] = (u_char) (high << 4 | low);
    }

    page->after_name_len = value.len / 2;
    page->after_is_name = 1;
    page->has_after = 1;

    return RFL_OK;
}


static rfl_rc_t
rfl_query_filter(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    return rfl_filter_set(&q->filter, (rfl_filter_field_t) filter, value);
}


static rfl_rc_t
rfl_query_group(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    q->has_group = 1;

    return rfl_query_key(value, &q->group_key) ? RFL_OK : RFL_INVALID;
}


static rfl_rc_t
rfl_query_fields(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    uint64_t  bits;

    q->fields = 0;

    do {
        bits = rfl_report_fields(rfl_query_until(&value, ','));

        if (bits == 0) {
            return RFL_INVALID;
        }

        q->fields |= bits;

    } while (value.len != 0);

    return RFL_OK;
}


static rfl_rc_t
rfl_query_from(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    q->period.has_from = 1;

    return rfl_time_parse(value, &q->period.from);
}


static rfl_rc_t
rfl_query_to(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    q->period.has_to = 1;

    return rfl_time_parse(value, &q->period.to);
}


static rfl_rc_t
rfl_query_compare(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    q->period.compare = 1;

    return rfl_str_eq(value, rfl_cstr("previous")) ? RFL_OK : RFL_INVALID;
}


static rfl_rc_t
rfl_query_unit(rfl_query_t *q, unsigned filter, rfl_str_t value)
{
    return rfl_unit_parse(value, &q->unit);
}


/* CSV has no cursor: where no limit is given, it has all rows it can have. */

static rfl_rc_t
rfl_query_finish_page(rfl_query_t *q, rfl_query_error_t *error)
{
    int                by_name, by_clicks;
    rfl_query_page_t  *page;

    page = &q->page;
    by_name = (q->kind != RFL_QUERY_LINKS);
    by_clicks = (q->kind == RFL_QUERY_SOURCES || q->kind == RFL_QUERY_BROKEN);

    if (q->format == RFL_FORMAT_CSV && !page->has_limit) {
        page->limit = RFL_QUERY_LIMIT_MAX;

        if (!page->has_sort && !page->has_after && !by_clicks) {
            page->limit = UINT64_MAX;
            page->unlimited = 1;
        }
    }

    if (page->unlimited) {
        page->key_sort = !by_name;
        page->name_sort = by_name;
        page->ascending = 1;

    } else if (page->name_sort && !page->has_order) {
        page->ascending = 1;
    }

    if (page->has_after
        && (page->after_is_name != page->name_sort
            || (!page->name_sort
                && page->after_has_value == page->key_sort)))
    {
        return rfl_query_refuse(error, 400, "ParameterInvalid",
                                "after: this cursor is of a page that is "
                                "sorted otherwise");
    }

    page->by_key = (page->key_sort && page->ascending);

    return RFL_OK;
}


/* Until now: what was flushed in this second belongs to it. */

static rfl_rc_t
rfl_query_finish_period(rfl_query_period_t *period, uint64_t now,
    rfl_query_error_t *error)
{
    if (!period->has_from && (period->has_to || period->compare)) {
        return rfl_query_refuse(error, 400, "ParameterInvalid",
                                "%s: from=, where the period begins, is "
                                "wanted too", period->has_to ? "to"
                                                             : "compare");
    }

    if (!period->has_from) {
        return RFL_OK;
    }

    if (!period->has_to) {
        period->to = now + 1;
    }

    if (period->from >= period->to) {
        return rfl_query_refuse(error, 400, "ParameterInvalid",
                                "from: a time before %s is wanted",
                                period->has_to ? "to" : "now");
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_query_finish_history(rfl_query_t *q, uint64_t now,
    rfl_query_error_t *error)
{
    uint64_t               back, seconds;
    rfl_query_period_t    *period;
    static const uint32_t  spans[RFL_UNITS] = { RFL_QUERY_MINUTES_BACK,
                                                RFL_QUERY_HOURS_BACK,
                                                RFL_QUERY_DAYS_BACK };

    period = &q->period;
    seconds = rfl_unit_seconds[q->unit];
    back = spans[q->unit];

    if (!period->has_to) {
        period->to = now + 1;
    }

    if (period->from >= period->to) {
        return rfl_query_refuse(error, 400, "ParameterInvalid",
                                "from: a time before %s is wanted",
                                period->has_to ? "to" : "now");
    }

    period->to = (period->to + seconds - 1) / seconds * seconds;

    if (!period->has_from) {
        period->has_from = 1;
        period->from = period->to > back ? period->to - back : 0;
    }

    period->from -= period->from % seconds;

    return RFL_OK;
}


rfl_rc_t
rfl_query_refuse(rfl_query_error_t *error, unsigned status, const char *code,
    const char *fmt, ...)
{
    va_list  args;

    error->status = status;
    error->code = code;

    va_start(args, fmt);
    (void) vsnprintf(error->text, sizeof(error->text), fmt, args);
    va_end(args);

    return RFL_INVALID;
}


static int
rfl_query_decimal(rfl_str_t text, uint64_t *n)
{
    size_t    i;
    uint64_t  value;

    if (text.len == 0 || text.len > 19) {
        return 0;
    }

    for (i = 0, value = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }

        value = value * 10 + (uint64_t) (text.data[i] - '0');
    }

    *n = value;

    return 1;
}


static int
rfl_query_key(rfl_str_t text, uint64_t *n)
{
    int       digit;
    size_t    i;
    uint64_t  value;

    if (text.len != RFL_KEY_LEN) {
        return 0;
    }

    for (i = 0, value = 0; i < text.len; i++) {
        digit = rfl_query_hex(text.data[i]);

        if (digit < 0) {
            return 0;
        }

        value = value << 4 | (uint64_t) digit;
    }

    *n = value;

    return 1;
}


/* -1: none. */

static int
rfl_query_hex(u_char c)
{
    c = rfl_lower(c);

    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
