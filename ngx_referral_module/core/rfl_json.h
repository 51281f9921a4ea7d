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
 * "name": and, before every member but the first, a comma: it looks at the
 * last byte of the buffer.  A name is a constant of the program, and has
 * nothing that is to be escaped.  Likewise rfl_json_item() before an array's
 * item.
 */

void rfl_json_name(rfl_buf_t *b, const char *name);
void rfl_json_item(rfl_buf_t *b);


#endif /* RFL_JSON_H */
