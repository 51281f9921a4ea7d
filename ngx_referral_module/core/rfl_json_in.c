/*
 * See rfl_json_in.h.  The items of an array are found by their brackets and
 * strings alone; whether an item is JSON, jansson decides: it is given all of
 * it and nothing else.
 */

#include "rfl_json_in.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>


/* jansson's flags: a \u0000 is refused without being asked for. */

#define RFL_JSON_IN_FLAGS  JSON_REJECT_DUPLICATES


static rfl_rc_t rfl_json_in_item(rfl_json_in_t *in, rfl_str_t *item,
    rfl_error_t *err);
static rfl_rc_t rfl_json_in_begin(rfl_json_in_t *in, rfl_error_t *err);
static rfl_rc_t rfl_json_in_end(rfl_json_in_t *in, rfl_error_t *err);
static rfl_rc_t rfl_json_in_skip(rfl_json_in_t *in, rfl_str_t *item,
    rfl_error_t *err);
static size_t rfl_json_in_string(rfl_str_t body, size_t pos);
static void rfl_json_in_white(rfl_json_in_t *in);
static int rfl_json_in_is_white(u_char c);
static rfl_rc_t rfl_json_in_load(rfl_json_in_t *in, rfl_str_t item,
    rfl_error_t *err);
static json_t *rfl_json_in_parse(rfl_str_t text, json_error_t *error);
static rfl_rc_t rfl_json_in_members(rfl_json_in_t *in, rfl_error_t *err);
static rfl_rc_t rfl_json_in_known(rfl_json_in_t *in, rfl_error_t *err);
static int rfl_json_in_is_shown(rfl_str_t name);
static rfl_rc_t rfl_json_in_value(rfl_json_in_t *in,
    const rfl_link_field_t *field, json_t *value, rfl_str_t *text,
    rfl_error_t *err);
static rfl_rc_t rfl_json_in_number(rfl_json_in_t *in,
    const rfl_link_field_t *field, json_t *value, rfl_str_t *text);
static rfl_rc_t rfl_json_in_labels(rfl_json_in_t *in, json_t *value,
    rfl_str_t *text, rfl_error_t *err);
static rfl_rc_t rfl_json_in_wanted(rfl_json_in_t *in, rfl_str_t name,
    const char *what, rfl_error_t *err);


/* Members of a link that answers show and nobody sets. */

static const rfl_str_t  rfl_json_in_shown[] = {
    rfl_string("key"),
    rfl_string("created"),
    rfl_string("first_seen"),
    rfl_string("last_seen"),
    rfl_string("state"),
    rfl_string("state_since"),
    rfl_string("groups"),
    rfl_string("period"),
    rfl_string("counters"),
    rfl_string("previous"),
    rfl_string("from"),
    rfl_string("to")
};


void
rfl_json_in_open(rfl_json_in_t *in, rfl_str_t body)
{
    memset(in, 0, sizeof(rfl_json_in_t));

    in->body = body;
}


void
rfl_json_in_close(rfl_json_in_t *in)
{
    json_decref(in->value);
    in->value = NULL;
}


rfl_rc_t
rfl_json_in_next(rfl_json_in_t *in, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  item;

    rfl_json_in_close(in);
    in->nchanges = 0;

    rc = rfl_json_in_item(in, &item, err);
    if (rc != RFL_OK) {
        return rc;
    }

    in->n++;

    rc = rfl_json_in_load(in, item, err);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_json_in_members(in, err);
}


const char *
rfl_json_in_where(const rfl_json_in_t *in)
{
    return in->where;
}


/* RFL_NOT_FOUND: there is no other one. */

static rfl_rc_t
rfl_json_in_item(rfl_json_in_t *in, rfl_str_t *item, rfl_error_t *err)
{
    rfl_rc_t  rc;

    if (in->ended) {
        return RFL_NOT_FOUND;
    }

    if (in->n == 0) {
        rc = rfl_json_in_begin(in, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (!in->is_array) {

        /* what follows the object is jansson's to refuse */

        rc = rfl_json_in_skip(in, item, err);
        item->len = in->body.len - (size_t) (item->data - in->body.data);
        in->ended = 1;

        return rc;
    }

    if (in->n == RFL_JSON_IN_LINKS) {
        return rfl_fail(err, RFL_FULL, "there are more than %d links",
                        RFL_JSON_IN_LINKS);
    }

    (void) snprintf(in->where, sizeof(in->where), "links[%zu]", in->n);

    rc = rfl_json_in_skip(in, item, err);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_json_in_end(in, err);
}


static rfl_rc_t
rfl_json_in_begin(rfl_json_in_t *in, rfl_error_t *err)
{
    rfl_json_in_white(in);

    if (in->pos == in->body.len) {
        return rfl_fail(err, RFL_DAMAGED, "the body is empty");
    }

    if (in->body.data[in->pos] == '{') {
        return RFL_OK;
    }

    if (in->body.data[in->pos] != '[') {
        return rfl_fail(err, RFL_DAMAGED, "the body is neither an object nor "
                        "an array of objects");
    }

    in->is_array = 1;
    in->pos++;

    rfl_json_in_white(in);

    if (in->pos < in->body.len && in->body.data[in->pos] == ']') {
        return rfl_fail(err, RFL_DAMAGED, "there are no links in the array");
    }

    return RFL_OK;
}


/* Behind an item: a comma and another one, or the end of array and body. */

static rfl_rc_t
rfl_json_in_end(rfl_json_in_t *in, rfl_error_t *err)
{
    u_char  c;

    c = in->pos < in->body.len ? in->body.data[in->pos] : '\0';

    if (c == ',') {
        in->pos++;
        return RFL_OK;
    }

    if (c != ']') {
        return rfl_fail(err, RFL_DAMAGED, "no JSON at byte %zu: \",\" or \"]\" "
                        "is wanted behind %s", in->pos, in->where);
    }

    in->pos++;
    rfl_json_in_white(in);

    if (in->pos != in->body.len) {
        return rfl_fail(err, RFL_DAMAGED, "no JSON at byte %zu: the array has "
                        "ended already", in->pos);
    }

    in->ended = 1;

    return RFL_OK;
}


/* Goes behind one value, up to a "," or a bracket that is not its own. */

static rfl_rc_t
rfl_json_in_skip(rfl_json_in_t *in, rfl_str_t *item, rfl_error_t *err)
{
    u_char    c;
    size_t    start, end;
    unsigned  depth;

    rfl_json_in_white(in);

    start = in->pos;
    end = start;
    depth = 0;

    while (in->pos < in->body.len && end - start <= RFL_JSON_IN_SIZE) {
        c = in->body.data[in->pos];

        if (c == '"') {
            in->pos = rfl_json_in_string(in->body, in->pos);
            end = in->pos;
            continue;
        }

        if (rfl_json_in_is_white(c)) {
            in->pos++;
            continue;
        }

        if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
            break;
        }

        if (c == '{' || c == '[') {
            depth++;

        } else if (c == '}' || c == ']') {
            depth--;
        }

        if (depth > RFL_JSON_IN_DEPTH) {
            return rfl_fail(err, RFL_FULL, "%s%sdeeper than %d levels at byte "
                            "%zu", in->where, in->is_array ? ": " : "",
                            RFL_JSON_IN_DEPTH, in->pos);
        }

        in->pos++;
        end = in->pos;
    }

    *item = rfl_str(in->body.data + start, end - start);

    if (item->len > RFL_JSON_IN_SIZE) {
        return rfl_fail(err, RFL_FULL, "%s%slonger than %d bytes", in->where,
                        in->is_array ? ": " : "", RFL_JSON_IN_SIZE);
    }

    return RFL_OK;
}


/* Behind the closing quote, or at the end of the body. */

static size_t
rfl_json_in_string(rfl_str_t body, size_t pos)
{
    for (pos++; pos < body.len; pos++) {

        if (body.data[pos] == '\\') {
            pos++;

        } else if (body.data[pos] == '"') {
            return pos + 1;
        }
    }

    return body.len;
}


static void
rfl_json_in_white(rfl_json_in_t *in)
{
    while (in->pos < in->body.len
           && rfl_json_in_is_white(in->body.data[in->pos]))
    {
        in->pos++;
    }
}


static int
rfl_json_in_is_white(u_char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


static rfl_rc_t
rfl_json_in_load(rfl_json_in_t *in, rfl_str_t item, rfl_error_t *err)
{
    size_t         at;
    json_error_t   error;

    in->value = rfl_json_in_parse(item, &error);

    if (in->value == NULL) {

        if (json_error_code(&error) == json_error_out_of_memory) {
            return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
        }

        at = (size_t) (item.data - in->body.data)
             + (error.position > 0 ? (size_t) error.position : 0);

        return rfl_fail(err, RFL_DAMAGED, "no JSON at byte %zu%s%s: %s", at,
                        in->is_array ? ", in " : "", in->where, error.text);
    }

    if (!json_is_object((json_t *) in->value)) {
        return rfl_fail(err, RFL_DAMAGED, "%s: an object is wanted",
                        in->where);
    }

    return RFL_OK;
}


static json_t *
rfl_json_in_parse(rfl_str_t text, json_error_t *error)
{
    return json_loadb((const char *) text.data, text.len,
                      RFL_JSON_IN_FLAGS|JSON_DECODE_ANY, error);
}


rfl_rc_t
rfl_json_in_frame(rfl_str_t text, int *is_page, rfl_error_t *err)
{
    json_t        *frame, *next;
    json_error_t   error;

    frame = rfl_json_in_parse(text, &error);

    if (frame == NULL) {
        return json_error_code(&error) == json_error_out_of_memory
               ? rfl_fail(err, RFL_NO_MEMORY, "out of memory")
               : rfl_fail(err, RFL_DAMAGED, "no JSON: %s", error.text);
    }

    next = json_object_get(frame, "next");
    *is_page = (next != NULL && !json_is_null(next));

    json_decref(frame);

    return RFL_OK;
}


static rfl_rc_t
rfl_json_in_members(rfl_json_in_t *in, rfl_error_t *err)
{
    size_t                   i;
    json_t                  *value;
    rfl_rc_t                 rc;
    rfl_str_t                text;
    const rfl_link_field_t  *field;

    rc = rfl_json_in_known(in, err);

    value = json_object_get(in->value, "created");
    in->created = json_is_string(value)
                  ? rfl_str(json_string_value(value),
                            json_string_length(value))
                  : rfl_str("", 0);

    for (i = 0; rc == RFL_OK && i < rfl_link_nfields; i++) {
        field = &rfl_link_fields[i];

        value = json_object_get(in->value, (const char *) field->name.data);

        if (value == NULL) {
            continue;
        }

        rc = rfl_json_in_value(in, field, value, &text, err);

        in->changes[in->nchanges].field = field;
        in->changes[in->nchanges].value = text;
        in->nchanges++;
    }

    return rc;
}


_Static_assert(RFL_JSON_IN_FIELDS >= 17 + 4, "a link has more fields");


/* A member that is misspelt must not look as if it had been set. */

static rfl_rc_t
rfl_json_in_known(rfl_json_in_t *in, rfl_error_t *err)
{
    json_t      *value;
    rfl_str_t    name;
    const char  *member;

    json_object_foreach((json_t *) in->value, member, value) {

        name = rfl_cstr(member);

        if (rfl_link_field(name) != NULL) {
            continue;
        }

        if (!rfl_json_in_is_shown(name)) {
            return rfl_fail(err, RFL_INVALID, "%s%s%.64s: a link has no such "
                            "member", in->where, in->is_array ? "." : "",
                            member);
        }

        if (!in->shown) {
            return rfl_fail(err, RFL_INVALID, "%s%s%s: it is only shown, and "
                            "cannot be set", in->where,
                            in->is_array ? "." : "", member);
        }
    }

    return RFL_OK;
}


static int
rfl_json_in_is_shown(rfl_str_t name)
{
    size_t  i;

    for (i = 0;
         i < sizeof(rfl_json_in_shown) / sizeof(rfl_json_in_shown[0]);
         i++)
    {
        if (rfl_str_eq(rfl_json_in_shown[i], name)) {
            return 1;
        }
    }

    return 0;
}


static rfl_rc_t
rfl_json_in_value(rfl_json_in_t *in, const rfl_link_field_t *field,
    json_t *value, rfl_str_t *text, rfl_error_t *err)
{
    *text = rfl_str("", 0);

    if (json_is_null(value)) {
        return RFL_OK;
    }

    if (field->type == RFL_FIELD_LABELS) {
        return rfl_json_in_labels(in, value, text, err);
    }

    if (json_is_string(value)) {
        *text = rfl_str(json_string_value(value), json_string_length(value));
        return RFL_OK;
    }

    if (field->type != RFL_FIELD_NUMBER) {
        return rfl_json_in_wanted(in, field->name, "a string or null is "
                                  "wanted", err);
    }

    if (rfl_json_in_number(in, field, value, text) != RFL_OK) {
        return rfl_json_in_wanted(in, field->name, "a number or null is "
                                  "wanted", err);
    }

    return RFL_OK;
}


/* A fraction in the fewest digits that mean this number. */

static rfl_rc_t
rfl_json_in_number(rfl_json_in_t *in, const rfl_link_field_t *field,
    json_t *value, rfl_str_t *text)
{
    int     n, digits;
    char   *number;
    size_t  size;

    number = in->numbers[field - rfl_link_fields];
    size = sizeof(in->numbers[0]);
    n = 0;

    if (json_is_integer(value)) {
        n = snprintf(number, size, "%" JSON_INTEGER_FORMAT,
                     json_integer_value(value));

    } else if (json_is_real(value)) {

        for (digits = 15; digits <= 17; digits++) {
            n = snprintf(number, size, "%.*g", digits,
                         json_real_value(value));

            if (strtod(number, NULL) == json_real_value(value)) {
                break;
            }
        }

    } else {
        return RFL_INVALID;
    }

    *text = rfl_str(number, (size_t) n);

    return RFL_OK;
}


static rfl_rc_t
rfl_json_in_labels(rfl_json_in_t *in, json_t *value, rfl_str_t *text,
    rfl_error_t *err)
{
    size_t     i, len;
    json_t    *item;
    rfl_str_t  label, name;

    name = rfl_cstr("labels");

    if (!json_is_array(value)) {
        return rfl_json_in_wanted(in, name, "an array of strings or null is "
                                  "wanted", err);
    }

    len = 0;

    json_array_foreach(value, i, item) {

        if (!json_is_string(item)) {
            return rfl_json_in_wanted(in, name, "an array of strings or null "
                                      "is wanted", err);
        }

        label = rfl_str(json_string_value(item), json_string_length(item));

        if (label.len != 0 && memchr(label.data, ',', label.len) != NULL) {
            return rfl_json_in_wanted(in, name, "a label has no comma in it",
                                      err);
        }

        if (label.len + 1 > sizeof(in->labels) - len) {
            return rfl_json_in_wanted(in, name, "they are too long", err);
        }

        memcpy(in->labels + len, label.data, label.len);
        len += label.len;
        in->labels[len++] = ',';
    }

    *text = rfl_str(in->labels, len);

    return RFL_OK;
}


static rfl_rc_t
rfl_json_in_wanted(rfl_json_in_t *in, rfl_str_t name, const char *what,
    rfl_error_t *err)
{
    return rfl_fail(err, RFL_INVALID, "%s%s%.*s: %s", in->where,
                    in->is_array ? "." : "", (int) name.len,
                    (const char *) name.data, what);
}
