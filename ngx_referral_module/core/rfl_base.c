/*
 * Error texts and the few operations on slices that all rooms share.
 */

#include "rfl_base.h"

#include <stdarg.h>
#include <stdio.h>

#undef rfl_fail              /* see the header */


/*
 * Parts of a text come from outside (a URL, a file name).  Control bytes
 * among them become "?": a text is one line and moves no terminal's cursor.
 */

rfl_rc_t
rfl_fail(rfl_error_t *err, rfl_rc_t rc, const char *fmt, ...)
{
    char     *p;
    va_list   args;

    if (err == NULL) {
        return rc;
    }

    err->rc = rc;
    err->text[0] = '\0';

    va_start(args, fmt);
    (void) vsnprintf(err->text, RFL_ERROR_TEXT, fmt, args);
    va_end(args);

    for (p = err->text; *p != '\0'; p++) {
        if ((u_char) *p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }

    return rc;
}


int
rfl_str_caseeq(rfl_str_t a, rfl_str_t b)
{
    size_t  i;

    if (a.len != b.len) {
        return 0;
    }

    for (i = 0; i < a.len; i++) {
        if (a.data[i] != b.data[i]
            && rfl_lower(a.data[i]) != rfl_lower(b.data[i]))
        {
            return 0;
        }
    }

    return 1;
}


void
rfl_key_text(uint64_t key, u_char out[RFL_KEY_LEN])
{
    int  i;

    static const u_char  hex[] = "0123456789abcdef";

    for (i = RFL_KEY_LEN - 1; i >= 0; i--) {
        out[i] = hex[key & 0xf];
        key >>= 4;
    }
}
