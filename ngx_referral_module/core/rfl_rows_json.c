/*
 * Our JSON: what "export --format json" and the status API's /links answer, an
 * array of links, or links one after the other (a line each, say).
 *
 * The file is read through a window: the items are found here, by their
 * brackets and strings, and each is given to rfl_json_in.h alone.  So memory
 * is for one link, whatever the file's size.
 */

#include "rfl_rows.h"

#include <stdlib.h>

#include "rfl_json_in.h"


#define WINDOW      (2 * RFL_JSON_IN_SIZE)
#define HEAD_MAX    RFL_JSON_IN_SIZE /* before the array of links, which a
                                        longer link would be, too */
#define TAIL_MAX    1024             /* behind it */


typedef struct {
    rfl_input_t               *input;
    const rfl_rows_handler_t  *handler;
    void                      *data;
    uint64_t                   line;         /* of pos */
    size_t                     pos;
    size_t                     len;
    unsigned                   ended:1;
    unsigned                   is_array:1;
    unsigned                   is_list:1;    /* {"links":[ came before */
    size_t                     head;         /* in frame */
    u_char                     buf[WINDOW];
    u_char                     frame[HEAD_MAX + 1 + TAIL_MAX];
    rfl_json_in_t              in;
} json_t;


static rfl_rc_t read_items(json_t *json, rfl_error_t *err);
static rfl_rc_t begin(json_t *json, rfl_error_t *err);
static size_t list_head(json_t *json);
static rfl_rc_t check_frame(json_t *json, rfl_str_t tail, const char *where,
    rfl_error_t *err);
static rfl_rc_t next_item(json_t *json, rfl_str_t *item, uint64_t *line,
    rfl_error_t *err);
static rfl_rc_t item_end(json_t *json, rfl_error_t *err);
static rfl_rc_t list_end(json_t *json, rfl_error_t *err);
static rfl_rc_t find_end(json_t *json, size_t *end, rfl_error_t *err);
static int fill(json_t *json);
static int white(json_t *json);
static void take(json_t *json, size_t n);
static rfl_rc_t json_row(json_t *json, rfl_str_t item, uint64_t line,
    rfl_error_t *err);
static void set_row(json_t *json, rfl_str_t item, rfl_row_t *row);
static void drop_origin(rfl_row_t *row);
static rfl_str_t raw_number(rfl_str_t item, rfl_str_t name);
static size_t member_at(rfl_str_t s, rfl_str_t name);
static size_t string_end(rfl_str_t s, size_t pos);
static size_t skip_white(rfl_str_t s, size_t pos);
static int is_white(u_char c);
static size_t number_of(const char *name);


rfl_rc_t
rfl_rows_json(rfl_input_t *in, const rfl_rows_handler_t *handler, void *data,
    rfl_error_t *err)
{
    json_t    *json;
    rfl_rc_t   rc;

    json = malloc(sizeof(json_t));
    if (json == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "no memory");
    }

    memset(json, 0, offsetof(json_t, buf));
    json->input = in;
    json->handler = handler;
    json->data = data;
    json->line = 1;

    rfl_json_in_open(&json->in, rfl_str("", 0));

    rc = begin(json, err);

    if (rc == RFL_OK) {
        rc = read_items(json, err);
    }

    rfl_json_in_close(&json->in);
    free(json);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


static rfl_rc_t
read_items(json_t *json, rfl_error_t *err)
{
    rfl_rc_t   rc;
    uint64_t   line;
    rfl_str_t  item;

    line = 0;

    do {
        rc = next_item(json, &item, &line, err);

        if (rc == RFL_OK) {
            rc = json_row(json, item, line, err);
        }

        if (rc == RFL_OK && json->handler->step != NULL) {
            rc = json->handler->step(json->data, err);
        }

        if (rc == RFL_OK) {
            take(json, item.len);
            rc = item_end(json, err);
        }

    } while (rc == RFL_OK);

    return rc;
}


/* Up to the first item; RFL_NOT_FOUND: there is none. */

static rfl_rc_t
begin(json_t *json, rfl_error_t *err)
{
    size_t    head;
    rfl_rc_t  rc;

    if (!white(json)) {
        return rfl_fail(err, RFL_INVALID, "the file is empty, JSON is "
                        "wanted");
    }

    head = list_head(json);

    if (head != 0) {
        json->is_list = 1;
        json->is_array = 1;
        json->head = head;
        memcpy(json->frame, json->buf + json->pos, head);

        rc = check_frame(json, rfl_cstr("}"), "before", err);
        if (rc != RFL_OK) {
            return rc;
        }

        take(json, head);

    } else if (json->buf[json->pos] == '[') {
        json->is_array = 1;
        take(json, 1);
    }

    if (json->is_array && white(json) && json->buf[json->pos] == ']') {
        take(json, 1);
        return list_end(json, err);
    }

    return RFL_OK;
}


/*
 * The length of {"links":[ with the members that an answer has before it; 0: it
 * is no such list.
 */

static size_t
list_head(json_t *json)
{
    size_t     at;
    rfl_str_t  s;

    if (json->buf[json->pos] != '{') {
        return 0;
    }

    while (json->len - json->pos < HEAD_MAX && fill(json)) {
        /* void */
    }

    s = rfl_str(json->buf + json->pos, json->len - json->pos);
    s.len = s.len < HEAD_MAX ? s.len : HEAD_MAX;

    at = member_at(s, rfl_cstr("links"));

    return at < s.len && s.data[at] == '[' ? at + 1 : 0;
}


/*
 * The list without its links is JSON.  One of the API may be a page of a longer
 * one: with --sync the links of the others would be removed.
 */

static rfl_rc_t
check_frame(json_t *json, rfl_str_t tail, const char *where, rfl_error_t *err)
{
    int       is_page;
    rfl_rc_t  rc;

    json->frame[json->head] = ']';
    memcpy(json->frame + json->head + 1, tail.data, tail.len);

    rc = rfl_json_in_frame(rfl_str(json->frame, json->head + 1 + tail.len),
                           &is_page, err);

    if (rc == RFL_OK && is_page) {
        return rfl_fail(err, RFL_INVALID, "it is a page of a longer list: ask "
                        "for /links?limit=all, or use \"referralctl export\"");
    }

    if (rc == RFL_DAMAGED) {
        return rfl_fail(err, RFL_INVALID, "line %llu: no JSON of ours: what "
                        "stands %s the links is written wrongly",
                        (unsigned long long) json->line, where);
    }

    return rc;
}


static rfl_rc_t
next_item(json_t *json, rfl_str_t *item, uint64_t *line, rfl_error_t *err)
{
    size_t    end;
    rfl_rc_t  rc;

    (void) white(json);
    *line = json->line;

    if (json->pos == json->len) {
        return json->is_array ? rfl_fail(err, RFL_INVALID, "the JSON ends "
                                         "within the links")
                              : RFL_NOT_FOUND;
    }

    if (json->buf[json->pos] != '{') {
        return rfl_fail(err, RFL_INVALID, "no JSON of ours: line %llu: a link "
                        "is wanted, an object",
                        (unsigned long long) json->line);
    }

    end = json->pos;

    rc = find_end(json, &end, err);
    if (rc != RFL_OK) {
        return rc;
    }

    *item = rfl_str(json->buf + json->pos, end - json->pos);

    return RFL_OK;
}


/* Behind the bracket that closes the object at pos. */

static rfl_rc_t
find_end(json_t *json, size_t *end, rfl_error_t *err)
{
    u_char    c;
    size_t    i;
    unsigned  depth, in_string, escaped;

    depth = 0;
    in_string = 0;
    escaped = 0;

    for (i = 0; /* void */ ; i++) {

        if (i > RFL_JSON_IN_SIZE) {
            return rfl_fail(err, RFL_INVALID, "line %llu: a link is longer "
                            "than %d bytes", (unsigned long long) json->line,
                            RFL_JSON_IN_SIZE);
        }

        if (json->pos + i == json->len && !fill(json)) {
            return rfl_fail(err, RFL_INVALID, "line %llu: the JSON ends "
                            "within a link", (unsigned long long) json->line);
        }

        c = json->buf[json->pos + i];

        if (in_string) {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }

        if (c == '"') {
            in_string = 1;

        } else if (c == '{' || c == '[') {
            depth++;

        } else if (c == '}' || c == ']') {
            depth--;

            if (depth == 0) {
                *end = json->pos + i + 1;
                return RFL_OK;
            }
        }
    }
}


/* RFL_NOT_FOUND: it was the last one. */

static rfl_rc_t
item_end(json_t *json, rfl_error_t *err)
{
    if (!json->is_array) {
        return RFL_OK;
    }

    if (white(json) && json->buf[json->pos] == ',') {
        take(json, 1);
        return RFL_OK;
    }

    if (json->pos == json->len) {
        return rfl_fail(err, RFL_INVALID, "the JSON ends within the links");
    }

    if (json->buf[json->pos] != ']') {
        return rfl_fail(err, RFL_INVALID, "line %llu: no JSON: \",\" or \"]\" "
                        "is wanted behind a link",
                        (unsigned long long) json->line);
    }

    take(json, 1);

    return list_end(json, err);
}


/* Behind the array. */

static rfl_rc_t
list_end(json_t *json, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  rest;

    (void) white(json);

    while (json->len - json->pos <= TAIL_MAX && fill(json)) {
        /* void */
    }

    rest = rfl_str_trim(rfl_str(json->buf + json->pos,
                                json->len - json->pos));

    if (json->is_list ? rest.len > TAIL_MAX : rest.len != 0) {
        return rfl_fail(err, RFL_INVALID, "line %llu: no JSON of ours: the "
                        "list of links has ended already",
                        (unsigned long long) json->line);
    }

    rc = json->is_list ? check_frame(json, rest, "behind", err) : RFL_OK;

    return rc == RFL_OK ? RFL_NOT_FOUND : rc;
}


/* More bytes behind those that are there; what was taken makes room. */

static int
fill(json_t *json)
{
    ssize_t  n;

    if (json->pos != 0 && json->len == sizeof(json->buf)) {
        memmove(json->buf, json->buf + json->pos, json->len - json->pos);
        json->len -= json->pos;
        json->pos = 0;
    }

    if (json->ended || json->len == sizeof(json->buf)) {
        return 0;
    }

    n = rfl_input_read(json->input, json->buf + json->len,
                         sizeof(json->buf) - json->len);

    if (n <= 0) {
        json->ended = 1;
        return 0;
    }

    json->len += (size_t) n;

    return 1;
}


/* Passes over white space; 0: the file has ended. */

static int
white(json_t *json)
{
    for ( ;; ) {

        if (json->pos == json->len && !fill(json)) {
            return 0;
        }

        if (!is_white(json->buf[json->pos])) {
            return 1;
        }

        take(json, 1);
    }
}


static void
take(json_t *json, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        json->line += json->buf[json->pos++] == '\n';
    }
}


static rfl_rc_t
json_row(json_t *json, rfl_str_t item, uint64_t line, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_row_t  row;

    rfl_json_in_close(&json->in);
    rfl_json_in_open(&json->in, item);
    json->in.shown = 1;

    rc = rfl_json_in_next(&json->in, err);

    if (rc == RFL_DAMAGED) {
        return rfl_fail(err, RFL_INVALID, "line %llu: no JSON: a link is "
                        "written wrongly", (unsigned long long) line);
    }

    if (rc != RFL_OK && rc != RFL_INVALID && rc != RFL_FULL) {
        return rc;
    }

    set_row(json, item, &row);

    rc = rc == RFL_OK ? json->handler->row(json->data, &row, err)
                      : RFL_INVALID;

    if (rc != RFL_INVALID) {
        return rc;
    }

    row.values[rfl_link_nfields] = row.created;

    return json->handler->bad(json->data, line, row.values,
                              rfl_link_nfields + 1, err->text, err);
}


static void
set_row(json_t *json, rfl_str_t item, rfl_row_t *row)
{
    size_t              i, number;
    rfl_str_t           raw;
    rfl_json_change_t  *change;

    memset(row, 0, sizeof(rfl_row_t));

    for (i = 0; i < json->in.nchanges; i++) {
        change = &json->in.changes[i];
        number = (size_t) (change->field - rfl_link_fields);

        row->values[number] = change->value;
        row->given[number] = 1;

        if (change->field->type == RFL_FIELD_NUMBER) {
            raw = raw_number(item, change->field->name);

            if (raw.len != 0) {
                row->values[number] = raw;
            }
        }
    }

    row->created = json->in.created;

    drop_origin(row);
}


/* Answers show the origin that follows from the channel: it is not set. */

static void
drop_origin(rfl_row_t *row)
{
    size_t      origin, channel;
    u_char      scratch[RFL_LABELS_TEXT_MAX];
    rfl_link_t  link;

    origin = number_of("origin");
    channel = number_of("channel");

    memset(&link, 0, sizeof(rfl_link_t));

    if (rfl_link_set(&link, &rfl_link_fields[channel], row->values[channel],
                     scratch, NULL) == RFL_OK
        && rfl_str_eq(rfl_link_origin(&link), row->values[origin]))
    {
        row->values[origin] = rfl_str("", 0);
    }
}


/*
 * The digits of a number as they stand in the object: a cost of 12.50 is not
 * to become 12.5.  Empty: it is no member, or not of this form.
 */

static rfl_str_t
raw_number(rfl_str_t item, rfl_str_t name)
{
    size_t  end, start;

    start = member_at(item, name);

    for (end = start; end < item.len
         && ((item.data[end] >= '0' && item.data[end] <= '9')
             || item.data[end] == '.'); end++)
    {
        /* void */
    }

    if (end == item.len
        || (item.data[end] != ',' && item.data[end] != '}'
            && !is_white(item.data[end])))
    {
        end = start;
    }

    return rfl_str(item.data + start, end - start);
}


/* Where the value of a member begins; the end: there is no such member. */

static size_t
member_at(rfl_str_t s, rfl_str_t name)
{
    u_char    c;
    size_t    pos, end, start;
    unsigned  depth;

    depth = 0;

    for (pos = 0; pos < s.len; pos++) {
        c = s.data[pos];

        if (c == '{' || c == '[') {
            depth++;

        } else if (c == '}' || c == ']') {
            depth--;

            if (depth == 0) {
                break;
            }
        }

        if (c != '"') {
            continue;
        }

        start = pos + 1;
        end = string_end(s, pos);
        pos = end;

        if (depth != 1
            || !rfl_str_eq(rfl_str(s.data + start, end - start), name))
        {
            continue;
        }

        end = skip_white(s, end + 1);

        if (end < s.len && s.data[end] == ':') {
            return skip_white(s, end + 1);
        }
    }

    return s.len;
}


/* Of the closing quote, or the end. */

static size_t
string_end(rfl_str_t s, size_t pos)
{
    for (pos++; pos < s.len && s.data[pos] != '"'; pos++) {
        pos += s.data[pos] == '\\';
    }

    return pos < s.len ? pos : s.len;
}


static size_t
skip_white(rfl_str_t s, size_t pos)
{
    while (pos < s.len && is_white(s.data[pos])) {
        pos++;
    }

    return pos < s.len ? pos : s.len;
}


static int
is_white(u_char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


static size_t
number_of(const char *name)
{
    return (size_t) (rfl_link_field(rfl_cstr(name)) - rfl_link_fields);
}
