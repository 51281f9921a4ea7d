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
 * RFL_OK, RFL_INVALID (the row says what is wanted) or RFL_NOT_FOUND (a format
 * that there is not).
 */

typedef rfl_rc_t (*rfl_query_arg_pt)(rfl_query_t *q, rfl_str_t value);

typedef struct {
    rfl_str_t          name;
    rfl_query_arg_pt   handler;
    const char        *wanted;
} rfl_query_arg_t;

typedef struct {
    const char             *pattern;     /* "*": a link's key */
    rfl_query_kind_t        kind;
    const rfl_query_arg_t  *args;
} rfl_query_path_t;


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
static rfl_rc_t rfl_query_format(rfl_query_t *q, rfl_str_t value);
static rfl_rc_t rfl_query_sort(rfl_query_t *q, rfl_str_t value);
static rfl_rc_t rfl_query_order(rfl_query_t *q, rfl_str_t value);
static rfl_rc_t rfl_query_limit(rfl_query_t *q, rfl_str_t value);
static rfl_rc_t rfl_query_after(rfl_query_t *q, rfl_str_t value);
static rfl_rc_t rfl_query_from(rfl_query_t *q, rfl_str_t value);
static rfl_rc_t rfl_query_to(rfl_query_t *q, rfl_str_t value);
static rfl_rc_t rfl_query_compare(rfl_query_t *q, rfl_str_t value);
static rfl_rc_t rfl_query_unit(rfl_query_t *q, rfl_str_t value);
static rfl_rc_t rfl_query_finish_page(rfl_query_page_t *page,
    rfl_query_error_t *error);
static rfl_rc_t rfl_query_finish_period(rfl_query_period_t *period,
    uint64_t now, rfl_query_error_t *error);
static rfl_rc_t rfl_query_finish_history(rfl_query_t *q, uint64_t now,
    rfl_query_error_t *error);
static int rfl_query_decimal(rfl_str_t text, uint64_t *n);
static int rfl_query_key(rfl_str_t text, uint64_t *n);
static int rfl_query_hex(u_char c);


#define RFL_QUERY_ARG_FORMAT                                                  \
    { rfl_string("format"), rfl_query_format, "\"json\"" }

#define RFL_QUERY_ARGS_SPAN                                                   \
    { rfl_string("from"), rfl_query_from,                                     \
      "a date or a time, 2026-11-20 or 2026-11-20T22:48:00Z," },              \
    { rfl_string("to"), rfl_query_to,                                         \
      "a date or a time, 2026-11-20 or 2026-11-20T22:48:00Z," }

#define RFL_QUERY_ARGS_PERIOD                                                 \
    RFL_QUERY_ARGS_SPAN,                                                      \
    { rfl_string("compare"), rfl_query_compare, "\"previous\"" }

#define RFL_QUERY_ARGS_END  { rfl_string(""), NULL, NULL }


static const rfl_query_arg_t  rfl_query_registries_args[] = {
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_counters_args[] = {
    RFL_QUERY_ARGS_PERIOD,
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_links_args[] = {

    { rfl_string("sort"), rfl_query_sort,
      "a counter's name, \"key\" or \"last_seen\"" },

    { rfl_string("order"), rfl_query_order, "\"asc\" or \"desc\"" },

    { rfl_string("limit"), rfl_query_limit,
      "a number from 1 to 10000 or \"all\"" },

    { rfl_string("after"), rfl_query_after,
      "a cursor, the \"next\" of another page," },

    RFL_QUERY_ARGS_PERIOD,
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_arg_t  rfl_query_history_args[] = {

    { rfl_string("unit"), rfl_query_unit, "\"minute\", \"hour\" or \"day\"" },

    RFL_QUERY_ARGS_SPAN,
    RFL_QUERY_ARG_FORMAT,
    RFL_QUERY_ARGS_END
};


static const rfl_query_path_t  rfl_query_paths[] = {
    { "",                RFL_QUERY_SUMMARY,      rfl_query_counters_args },
    { "links",           RFL_QUERY_LINKS,        rfl_query_links_args },
    { "links/*",         RFL_QUERY_LINK,         rfl_query_counters_args },
    { "links/*/history", RFL_QUERY_LINK_HISTORY, rfl_query_history_args },
    { "history",         RFL_QUERY_HISTORY,      rfl_query_history_args }
};


rfl_rc_t
rfl_query_parse(rfl_query_t *q, rfl_str_t path, rfl_str_t args, unsigned all,
    uint64_t now, rfl_query_error_t *error)
{
    rfl_rc_t                 rc;
    rfl_str_t                key;
    const rfl_query_path_t  *row;

    memset(q, 0, sizeof(rfl_query_t));

    q->unit = RFL_UNIT_DAY;
    q->page.field = RFL_CELL_CLICKS;
    q->page.limit = RFL_QUERY_LIMIT;

    if (all) {
        q->registry = rfl_query_segment(&path);

        if (q->registry.len == 0) {
            q->kind = RFL_QUERY_REGISTRIES;
            return rfl_query_args(q, rfl_query_registries_args, args, error);
        }
    }

    row = rfl_query_path(path, &key);

    if (row == NULL) {
        return rfl_query_refuse(error, 404, "PathUnknown",
                                "there is nothing under this path");
    }

    q->kind = row->kind;

    rc = rfl_query_args(q, row->args, args, error);
    if (rc != RFL_OK) {
        return rc;
    }

    if (key.len != 0 && !rfl_query_key(key, &q->link_key)) {
        return rfl_query_refuse(error, 404, "LinkUnknown",
                                "no link is registered under this key");
    }

    if (row->args == rfl_query_history_args) {
        return rfl_query_finish_history(q, now, error);
    }

    rc = rfl_query_finish_page(&q->page, error);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_query_finish_period(&q->period, now, error);
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

    rc = rfl_query_decode(value, text, &len)
         ? arg->handler(q, rfl_str(text, len)) : RFL_INVALID;

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
rfl_query_format(rfl_query_t *q, rfl_str_t value)
{
    q->format = RFL_FORMAT_JSON;

    return rfl_str_eq(value, rfl_cstr("json")) ? RFL_OK : RFL_NOT_FOUND;
}


static rfl_rc_t
rfl_query_sort(rfl_query_t *q, rfl_str_t value)
{
    const rfl_counter_t  *counter;

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
rfl_query_order(rfl_query_t *q, rfl_str_t value)
{
    q->page.ascending = rfl_str_eq(value, rfl_cstr("asc"));

    return q->page.ascending || rfl_str_eq(value, rfl_cstr("desc"))
           ? RFL_OK : RFL_INVALID;
}


static rfl_rc_t
rfl_query_limit(rfl_query_t *q, rfl_str_t value)
{
    if (rfl_str_eq(value, rfl_cstr("all"))) {
        q->page.unlimited = 1;
        q->page.limit = UINT64_MAX;
        return RFL_OK;
    }

    if (!rfl_query_decimal(value, &q->page.limit) || q->page.limit == 0
        || q->page.limit > RFL_QUERY_LIMIT_MAX)
    {
        return RFL_INVALID;
    }

    return RFL_OK;
}


/* "KEY" in key order, else "VALUE-KEY". */

static rfl_rc_t
rfl_query_after(rfl_query_t *q, rfl_str_t value)
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


static rfl_rc_t
rfl_query_from(rfl_query_t *q, rfl_str_t value)
{
    q->period.has_from = 1;

    return rfl_time_parse(value, &q->period.from);
}


static rfl_rc_t
rfl_query_to(rfl_query_t *q, rfl_str_t value)
{
    q->period.has_to = 1;

    return rfl_time_parse(value, &q->period.to);
}


static rfl_rc_t
rfl_query_compare(rfl_query_t *q, rfl_str_t value)
{
    q->period.compare = 1;

    return rfl_str_eq(value, rfl_cstr("previous")) ? RFL_OK : RFL_INVALID;
}


static rfl_rc_t
rfl_query_unit(rfl_query_t *q, rfl_str_t value)
{
    return rfl_unit_parse(value, &q->unit);
}


static rfl_rc_t
rfl_query_finish_page(rfl_query_page_t *page, rfl_query_error_t *error)
{
    if (page->unlimited) {
        page->key_sort = 1;
        page->ascending = 1;
    }

    if (page->has_after && page->after_has_value == page->key_sort) {
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
