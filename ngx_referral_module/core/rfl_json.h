/*
 * JSON out (RFC 8259).  Any bytes in, valid JSON out: what is not UTF-8
 * becomes U+FFFD, controls, quotes, "<", ">", "&", U+2028 and U+2029 are
 * escaped (a value may end up inside a page).
 */

#ifndef RFL_JSON_H
#define RFL_JSON_H

#include "rfl_buf.h"


/* A quoted string. */

void rfl_json_string(rfl_buf_t *b, rfl_str_t s);

/*
 * Likewise of a URL, whose path and query alone may have other bytes than
 * ASCII: those that are not UTF-8 are written as %XX, which means the same
 * there (RFC 3986, 2.5; rule 5 of rfl_surt.h).
 */

void rfl_json_url(rfl_buf_t *b, rfl_str_t s);

/*
 * "name": and, before every member but the first, a comma: it looks at the
 * last byte of the buffer.  A name is a constant of the program, and has
 * nothing that is to be escaped.  Likewise rfl_json_item() before an array's
 * item.
 */

void rfl_json_name(rfl_buf_t *b, const char *name);
void rfl_json_item(rfl_buf_t *b);


/*
 * The same of a name that tables have in this form: RFL_JSON_MEMBER bytes are
 * copied, whatever its length, which may be 28.
 */

#define RFL_JSON_MEMBER  32

typedef struct {
    size_t  len;
    u_char  text[RFL_JSON_MEMBER + 1];   /* from the comma on */
} rfl_json_member_t;

#define rfl_json_member(name)                                                 \
    { sizeof(",\"" name "\":") - 1, ",\"" name "\":" }


static inline void
rfl_json_put(rfl_buf_t *b, const rfl_json_member_t *member)
{
    size_t   first;
    u_char  *p;

    if (!rfl_buf_reserve(b, RFL_JSON_MEMBER)) {
        return;
    }

    p = b->data + b->len;
    first = (b->len == 0 || p[-1] == '{');

    memcpy(p, member->text + first, RFL_JSON_MEMBER);

    b->len += member->len - first;
}


#endif /* RFL_JSON_H */
