/* See rfl_rule.h.  The numbers are those of the rules there. */

#include "rfl_fold.h"
#include "rfl_rule.h"
#include "rfl_utf8.h"

#include <stdio.h>


#define RFL_RULE_LANDING  255


static int rfl_rule_decode(rfl_str_t landing, u_char *out, size_t *len);
static int rfl_rule_hex(u_char c);
static int rfl_rule_has_dots(rfl_str_t path);
static int rfl_rule_is_text(rfl_str_t path);
static int rfl_rule_turns(const u_char *p, size_t len);
static int rfl_rule_is_target(rfl_str_t target, rfl_str_t landing);


size_t
rfl_rule_redirect(rfl_str_t landing, rfl_str_t target, u_char *out)
{
    int        n;
    size_t     i, len, quoted_len;
    u_char     path[RFL_RULE_LANDING], quoted[2 * RFL_RULE_LANDING];
    rfl_str_t  decoded;

    if (landing.len > sizeof(path) || !rfl_rule_decode(landing, path, &len)) {
        return 0;
    }

    decoded = rfl_str(path, len);

    if (len == 0 || path[0] != '/' || rfl_rule_has_dots(decoded)
        || !rfl_rule_is_text(decoded))
    {
        return 0;
    }

    if (!rfl_rule_is_target(target, decoded)) {
        target = rfl_cstr("/");
    }

    if (rfl_str_eq(target, decoded)) {
        return 0;
    }

    for (i = 0, quoted_len = 0; i < len; i++) {
        if (path[i] == '"' || path[i] == '\\') {
            quoted[quoted_len++] = '\\';
        }

        quoted[quoted_len++] = path[i];
    }

    n = snprintf((char *) out, RFL_RULE_MAX,
                 "location = \"%.*s\" { return 301 \"%.*s\"; }",
                 (int) quoted_len, (const char *) quoted, (int) target.len,
                 (const char *) target.data);

    return n > 0 && n < RFL_RULE_MAX ? (size_t) n : 0;
}


/* A "%" without its two digits is none that nginx would serve. */

static int
rfl_rule_decode(rfl_str_t landing, u_char *out, size_t *len)
{
    int     high, low;
    u_char  c;
    size_t  i;

    *len = 0;

    for (i = 0; i < landing.len; i++) {
        c = landing.data[i];

        if (c == '%') {
            if (landing.len - i < 3) {
                return 0;
            }

            high = rfl_rule_hex(landing.data[i + 1]);
            low = rfl_rule_hex(landing.data[i + 2]);

            if (high < 0 || low < 0) {
                return 0;
            }

            c = (u_char) (high << 4 | low);
            i += 2;
        }

        if (c == '/' && *len != 0 && out[*len - 1] == '/') {
            continue;
        }

        out[(*len)++] = c;
    }

    return 1;
}


static int
rfl_rule_hex(u_char c)
{
    c = rfl_lower(c);

    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static int
rfl_rule_has_dots(rfl_str_t path)
{
    size_t  start, end;

    for (start = 0; start < path.len; start = end + 1) {

        for (end = start; end < path.len && path.data[end] != '/'; end++) {
            /* void */
        }

        if ((end - start == 1 && path.data[start] == '.')
            || (end - start == 2 && path.data[start] == '.'
                && path.data[start + 1] == '.'))
        {
            return 1;
        }
    }

    return 0;
}


static int
rfl_rule_is_text(rfl_str_t path)
{
    int     valid;
    size_t  pos, len;

    for (pos = 0; pos < path.len; pos += len) {
        len = rfl_utf8_sequence(path, pos, &valid);

        if (!valid || path.data[pos] < 0x20 || path.data[pos] == 0x7f
            || rfl_rule_turns(path.data + pos, len))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * U+0080 to U+009F, U+200B to U+200F, U+2028 to U+202E, U+2066 to U+2069,
 * U+FEFF and the ellipsis: controls, marks, and what stands for something else.
 */

static int
rfl_rule_turns(const u_char *p, size_t len)
{
    if (len == 2) {
        return p[0] == 0xc2 && p[1] < 0xa0;
    }

    if (len != 3) {
        return 0;
    }

    return memcmp(p, RFL_FOLD_MARK, RFL_FOLD_MARK_LEN) == 0
           || memcmp(p, "\xef\xbb\xbf", 3) == 0
           || (p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae)
           || (p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0x8b && p[2] <= 0x8f)
           || (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}


static int
rfl_rule_is_target(rfl_str_t target, rfl_str_t landing)
{
    size_t  i;
    u_char  c;

    if (target.len == 0 || target.len > RFL_RULE_TARGET
        || target.data[0] != '/'
        || (target.len > 1 && target.data[1] == '/')
        || rfl_str_eq(target, landing))
    {
        return 0;
    }

    for (i = 0; i < target.len; i++) {
        c = target.data[i];

        if (!(rfl_lower(c) >= 'a' && rfl_lower(c) <= 'z')
            && !(c >= '0' && c <= '9')
            && (c == '\0' || strchr("/._~%?&=+,:@!-", c) == NULL))
        {
            return 0;
        }
    }

    return 1;
}
