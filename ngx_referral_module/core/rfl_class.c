/*
 * The class of a request: the table of the design, one function a row, the
 * first that holds wins.
 *
 * The headers are read as their standards have them, never as texts to search
 * in: "s-maxage=0" is no max-age=0, "text/html-sandboxed" is no text/html.
 */

#include "rfl_class.h"


static const char *rfl_class_prefetch(const rfl_class_input_t *in);
static int rfl_class_is_ahead(rfl_str_t value);
static int rfl_class_is_get(rfl_str_t method);
static const char *rfl_class_other(const rfl_class_input_t *in);
static int rfl_class_range_is_inside(rfl_str_t range);
static int rfl_class_range(rfl_str_t spec, int *from_start);
static const char *rfl_class_embed(const rfl_class_input_t *in);
static const char *rfl_class_reload(rfl_str_t cache_control);
static int rfl_class_is_redirect(const rfl_class_input_t *in);
static const char *rfl_class_click(const rfl_class_input_t *in);

static int rfl_class_next(rfl_str_t *list, rfl_str_t *item);
static rfl_str_t rfl_class_cut(rfl_str_t *text, u_char c);
static rfl_str_t rfl_class_digits(rfl_str_t text);
static int rfl_class_is(rfl_str_t text, const char *wanted);


rfl_class_t
rfl_classify(const rfl_class_input_t *in, const char **why)
{
    const char  *none;

    if (why == NULL) {
        why = &none;
    }

    *why = rfl_class_prefetch(in);

    if (*why != NULL) {
        return RFL_CLASS_PREFETCH;
    }

    if (in->is_bot) {
        *why = "referral_bot says it is a robot";
        return RFL_CLASS_BOT;
    }

    *why = rfl_class_other(in);

    if (*why != NULL) {
        return RFL_CLASS_OTHER;
    }

    *why = rfl_class_embed(in);

    if (*why != NULL) {
        return RFL_CLASS_EMBED;
    }

    *why = in->cache_control.len == 0 ? NULL
           : rfl_class_reload(in->cache_control);

    if (*why != NULL) {
        return RFL_CLASS_RELOAD;
    }

    if (rfl_class_is_redirect(in) && in->follow_up_matches) {
        *why = "a redirect whose follow-up will be counted here";
        return RFL_CLASS_REDIRECT;
    }

    if (in->status >= 400) {
        *why = in->status < 500 ? "the status is 4xx" : "the status is 5xx";
        return RFL_CLASS_ERROR;
    }

    if (why != &none) {
        *why = rfl_class_click(in);
    }

    return RFL_CLASS_CLICK;
}


int
rfl_class_is_handed_on(rfl_str_t dest, rfl_str_t mode)
{
    return rfl_class_is(dest, "empty") && rfl_class_is(mode, "navigate");
}


rfl_str_t
rfl_class_site(rfl_str_t site, rfl_str_t dest, rfl_str_t mode)
{
    return rfl_class_is(site, "same-origin")
           && rfl_class_is_handed_on(dest, mode) ? rfl_str(NULL, 0) : site;
}


/*
 * Sec-Purpose: Fetch standard; Purpose: Chromium and Safari before it;
 * X-Purpose: Safari's previews; X-Moz: Firefox before 115.
 */

static const char *
rfl_class_prefetch(const rfl_class_input_t *in)
{
    if ((in->sec_purpose.len | in->purpose.len | in->x_purpose.len
         | in->x_moz.len)
        == 0)
    {
        return NULL;
    }

    if (rfl_class_is_ahead(in->sec_purpose)) {
        return "Sec-Purpose says it is fetched ahead";
    }

    if (rfl_class_is_ahead(in->purpose)) {
        return "Purpose says it is fetched ahead";
    }

    if (rfl_class_is_ahead(in->x_purpose)) {
        return "X-Purpose says it is fetched ahead";
    }

    if (rfl_class_is_ahead(in->x_moz)) {
        return "X-Moz says it is fetched ahead";
    }

    return NULL;
}


/* Tokens and their parameters, "prefetch;prerender": any of them counts. */

static int
rfl_class_is_ahead(rfl_str_t value)
{
    rfl_str_t  item, token;

    while (rfl_class_next(&value, &item)) {

        while (item.len != 0) {
            token = rfl_str_trim(rfl_class_cut(&item, ';'));

            if (rfl_class_is(token, "prefetch")
                || rfl_class_is(token, "prerender")
                || rfl_class_is(token, "preview"))
            {
                return 1;
            }
        }
    }

    return 0;
}


/* Not a page asked for as a whole, or nobody was there to read it. */

static const char *
rfl_class_other(const rfl_class_input_t *in)
{
    if (!rfl_class_is_get(in->method)) {
        return "the method is not GET";
    }

    switch (in->status) {

    case 0:
        return "no response was sent";

    case 101:
        return "the protocol was switched (101)";

    case 408:
        return "the client sent no whole request in time (408)";

    case 444:
        return "the connection was closed without a response (444)";

    case 499:
        return "the client did not wait for the response (499)";

    default:
        break;
    }

    if (in->has_upgrade) {
        return "an Upgrade header asks for another protocol";
    }

    if (in->sec_fetch_dest.len != 0
        && !rfl_class_is_document(in->sec_fetch_dest))
    {
        if (rfl_class_is(in->sec_fetch_dest, "empty")
            && !rfl_class_is_handed_on(in->sec_fetch_dest, in->sec_fetch_mode))
        {
            return "Sec-Fetch-Dest is empty: a script asks";
        }

        if (rfl_class_is(in->sec_fetch_dest, "websocket")) {
            return "Sec-Fetch-Dest is websocket";
        }

        if (rfl_class_is(in->sec_fetch_dest, "report")) {
            return "Sec-Fetch-Dest is report";
        }
    }

    if (in->range.len != 0 && rfl_class_range_is_inside(in->range)) {
        return "the Range does not begin at 0";
    }

    return NULL;
}


static int
rfl_class_is_get(rfl_str_t method)
{
    return method.len == 3 && method.data[0] == 'G' && method.data[1] == 'E'
           && method.data[2] == 'T';
}


/*
 * RFC 9110, 14.1 and 14.2: a Range of another unit, or one that is not valid,
 * is ignored as a whole.  Of several ranges the first decides.
 */

static int
rfl_class_range_is_inside(rfl_str_t range)
{
    int        from_start, first, n;
    rfl_str_t  unit, spec;

    range = rfl_str_trim(range);

    if (memchr(range.data, '=', range.len) == NULL) {
        return 0;
    }

    unit = rfl_class_cut(&range, '=');

    if (!rfl_class_is(unit, "bytes")) {
        return 0;
    }

    first = 1;
    n = 0;

    while (rfl_class_next(&range, &spec)) {

        if (!rfl_class_range(spec, &from_start)) {
            return 0;
        }

        if (n++ == 0) {
            first = from_start;
        }
    }

    return !first;
}


/* "FIRST-LAST", "FIRST-" or "-COUNT"; whether it is valid. */

static int
rfl_class_range(rfl_str_t spec, int *from_start)
{
    rfl_str_t  first, last;

    if (memchr(spec.data, '-', spec.len) == NULL) {
        return 0;
    }

    first = rfl_class_cut(&spec, '-');
    last = spec;

    *from_start = 0;

    if (first.len == 0) {
        return last.len != 0 && rfl_class_digits(last).data != NULL;
    }

    first = rfl_class_digits(first);

    if (first.data == NULL) {
        return 0;
    }

    *from_start = (first.len == 0);

    if (last.len == 0) {
        return 1;
    }

    last = rfl_class_digits(last);

    if (last.data == NULL) {
        return 0;
    }

    if (last.len != first.len) {
        return last.len > first.len;
    }

    return first.len == 0 || memcmp(first.data, last.data, first.len) <= 0;
}


/*
 * Fetch Metadata is sent to trustworthy origins only.  On plain http all
 * browsers name text/html when they navigate, and no longer when they load a
 * picture or a script; a frame looks like a click there.
 */

static const char *
rfl_class_embed(const rfl_class_input_t *in)
{
    rfl_str_t  accept, range;

    if (in->sec_fetch_dest.len != 0) {
        return rfl_class_is_document(in->sec_fetch_dest)
               || rfl_class_is(in->sec_fetch_dest, "document")
               || rfl_class_is_handed_on(in->sec_fetch_dest,
                                         in->sec_fetch_mode) ? NULL
               : "Sec-Fetch-Dest is not document: part of another page";
    }

    if (rfl_class_begins_with_html(in->accept)) {
        return NULL;
    }

    accept = rfl_str_trim(in->accept);

    if (accept.len == 0) {
        return NULL;
    }

    while (rfl_class_next(&accept, &range)) {
        if (rfl_class_is(rfl_class_cut(&range, ';'), "text/html")) {
            return NULL;
        }
    }

    return "Accept names no text/html: part of another page";
}


/* RFC 9111, 5.2.1: what a browser adds on reload and on hard reload. */

static const char *
rfl_class_reload(rfl_str_t cache_control)
{
    rfl_str_t  value, name;

    while (rfl_class_next(&cache_control, &value)) {
        name = rfl_str_trim(rfl_class_cut(&value, '='));

        if (rfl_class_is(name, "no-cache")) {
            return "Cache-Control is no-cache: a hard reload";
        }

        if (!rfl_class_is(name, "max-age")) {
            continue;
        }

        value = rfl_str_trim(value);

        if (value.len >= 2 && value.data[0] == '"'
            && value.data[value.len - 1] == '"')
        {
            value.data++;
            value.len -= 2;
        }

        if (value.len == 0) {
            continue;
        }

        value = rfl_class_digits(value);

        if (value.data != NULL && value.len == 0) {
            return "Cache-Control is max-age=0: a reload";
        }
    }

    return NULL;
}


/* 304 leads nowhere: the client has the page. */

static int
rfl_class_is_redirect(const rfl_class_input_t *in)
{
    return in->status >= 300 && in->status < 400 && in->status != 304;
}


static const char *
rfl_class_click(const rfl_class_input_t *in)
{
    if (rfl_class_is_redirect(in)) {
        return "a redirect, and its follow-up will match nothing here";
    }

    if (rfl_class_is_handed_on(in->sec_fetch_dest, in->sec_fetch_mode)) {
        return "Sec-Fetch-Mode is navigate: a page was opened, a service "
               "worker asks for it";
    }

    if (in->sec_fetch_dest.len != 0) {
        return "Sec-Fetch-Dest is document: a page was opened";
    }

    if (in->accept.len != 0) {
        return "Accept names text/html: a page was opened";
    }

    return "nothing says that it was no click";
}


/*
 * The next item of a comma-separated list, white space cut; a comma in a
 * quoted string separates nothing (RFC 9110, 5.6).  Empty items are skipped.
 */

static int
rfl_class_next(rfl_str_t *list, rfl_str_t *item)
{
    int     quoted;
    size_t  i;

    while (list->len != 0) {
        quoted = 0;

        for (i = 0; i < list->len; i++) {

            if (list->data[i] == '"') {
                quoted = !quoted;

            } else if (list->data[i] == '\\' && quoted) {
                i++;

            } else if (list->data[i] == ',' && !quoted) {
                break;
            }
        }

        if (i > list->len) {
            i = list->len;
        }

        *item = rfl_str_trim(rfl_str(list->data, i));

        if (i < list->len) {
            i++;
        }

        list->data += i;
        list->len -= i;

        if (item->len != 0) {
            return 1;
        }
    }

    return 0;
}


/* Cuts what stands before c, and c, off text; all of it if there is no c. */

static rfl_str_t
rfl_class_cut(rfl_str_t *text, u_char c)
{
    size_t     i;
    rfl_str_t  head;

    for (i = 0; i < text->len && text->data[i] != c; i++) {
        /* void */
    }

    head = rfl_str(text->data, i);

    if (i < text->len) {
        i++;
    }

    text->data += i;
    text->len -= i;

    return head;
}


/*
 * A number of any length without its leading zeros: 0 is empty.  Its data is
 * NULL if there is anything but digits.
 */

static rfl_str_t
rfl_class_digits(rfl_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return rfl_str(NULL, 0);
        }
    }

    while (text.len != 0 && text.data[0] == '0') {
        text.data++;
        text.len--;
    }

    return text;
}


static int
rfl_class_is(rfl_str_t text, const char *wanted)
{
    return rfl_str_caseeq(rfl_str_trim(text), rfl_cstr(wanted));
}
