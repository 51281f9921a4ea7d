/*
 * What of a landing is kept and shown: its path with what looks like a secret
 * folded away, and the rule for nginx.conf made of it.  A folded path has
 * room, keeps its segments, and has no "@" and no long number; folded again it
 * is the same.  A rule, read as nginx reads it, names the
 * landing and nothing else.
 *
 * Input: a byte of flags, a byte for the room, a landing, and on a second line
 * a target.
 */

#include "fuzz.h"
#include "rfl_fold.h"
#include "rfl_rule.h"
#include "rfl_utf8.h"


#define TEXT  5000


static void check_fold(rfl_str_t path, int is_cut, size_t room);
static void check_segments(rfl_str_t folded, rfl_str_t path);
static void check_plain(rfl_str_t segment);
static rfl_str_t next_segment(rfl_str_t *rest);
static void check_rule(rfl_str_t landing, rfl_str_t target);
static size_t unquote(rfl_str_t *text, u_char *out);
static size_t decode(rfl_str_t s, u_char *out);
static int hex(u_char c);
static void expect(rfl_str_t *text, const char *word);


static const rfl_str_t  mark = rfl_string(RFL_FOLD_MARK);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t       flags;
    size_t        room;
    rfl_str_t     path, target;
    fuzz_input_t  in;

    in = fuzz_input(data, size);
    flags = fuzz_byte(&in);
    room = RFL_FOLD_MARK_LEN + fuzz_byte(&in);

    path = fuzz_line(&in);
    target = fuzz_line(&in);

    check_fold(path, flags & 1, room);
    check_fold(path, flags & 1, TEXT + RFL_FOLD_MARK_LEN);
    check_rule(path, target);

    fuzz_free();

    return 0;
}


static void
check_fold(rfl_str_t path, int is_cut, size_t room)
{
    int        folded, again;
    size_t     len;
    u_char    *out;
    rfl_str_t  text;
    static u_char  nothing[TEXT + RFL_FOLD_MARK_LEN];
    static u_char  twice[TEXT + RFL_FOLD_MARK_LEN];

    if (path.len > TEXT) {
        return;
    }

    out = (u_char *) fuzz_copy(rfl_str(nothing, room)).data;

    len = rfl_fold_path(path, is_cut, out, room, &folded);
    text = rfl_str(out, len);

    fuzz_check(len <= room);
    fuzz_check(folded || rfl_str_eq(text, path));

    if (room == sizeof(twice)) {
        fuzz_check(rfl_fold_path(text, 0, twice, room, &again) == len);
        fuzz_check(memcmp(twice, out, len) == 0);
    }

    check_segments(text, path);
}


/* Each is what it was, or an ellipsis.  One behind it stands for the rest. */

static void
check_segments(rfl_str_t folded, rfl_str_t path)
{
    rfl_str_t  segment, was;

    while (folded.len != 0) {
        segment = next_segment(&folded);
        was = next_segment(&path);

        if (rfl_str_eq(segment, was)) {
            check_plain(segment);
            continue;
        }

        fuzz_check(was.len != 0);

        if (!rfl_str_eq(segment, mark) || was.data[0] == '/') {
            fuzz_check(folded.len == 0 && segment.len >= mark.len);

            segment.len -= mark.len;
            fuzz_check(rfl_str_eq(rfl_str(segment.data + segment.len, mark.len),
                                  mark));
            fuzz_check(rfl_str_eq(segment, mark)
                       || (segment.len <= was.len
                           && memcmp(segment.data, was.data, segment.len)
                              == 0));
        }
    }
}


static void
check_plain(rfl_str_t segment)
{
    u_char    c;
    size_t    i, len, digits, phone;
    u_char    text[TEXT];

    len = decode(segment, text);
    fuzz_check(len <= RFL_FOLD_SEGMENT);

    digits = 0;
    phone = 0;

    for (i = 0; i <= len; i++) {

        c = i < len ? text[i] : 0;

        if (c >= '0' && c <= '9') {
            digits++;
            fuzz_check(++phone < RFL_FOLD_PHONE);
            continue;
        }

        /* a word of nothing but digits ends here, if it began as one */

        if (digits >= RFL_FOLD_DIGITS && c < 0x80
            && !(rfl_lower(c) >= 'a' && rfl_lower(c) <= 'z'))
        {
            fuzz_check(i > digits);
            c = text[i - digits - 1];
            fuzz_check(c >= 0x80
                       || (rfl_lower(c) >= 'a' && rfl_lower(c) <= 'z'));
        }

        c = i < len ? text[i] : 0;
        fuzz_check(c != '@');

        if (c >= 0x80 || (rfl_lower(c) >= 'a' && rfl_lower(c) <= 'z')) {
            phone = 0;
        }

        digits = 0;
    }
}


/* A slash is one of its own. */

static rfl_str_t
next_segment(rfl_str_t *rest)
{
    size_t     n;
    rfl_str_t  segment;

    for (n = 0; n < rest->len && rest->data[n] != '/'; n++) {
        /* to the segment's end */
    }

    n += (n == 0 && rest->len != 0);

    segment = rfl_str(rest->data, n);
    *rest = rfl_str(rest->data + n, rest->len - n);

    return segment;
}


static void
check_rule(rfl_str_t landing, rfl_str_t target)
{
    int        valid;
    size_t     len, wanted_len, i, n;
    u_char    *out, named[RFL_RULE_MAX], leads[RFL_RULE_MAX];
    rfl_str_t  text, rest;
    static u_char  nothing[RFL_RULE_MAX], wanted[TEXT];

    out = (u_char *) fuzz_copy(rfl_str(nothing, RFL_RULE_MAX)).data;
    len = rfl_rule_redirect(landing, target, out);

    if (len == 0) {
        return;
    }

    fuzz_check(len < RFL_RULE_MAX);
    text = rfl_str(out, len);

    for (i = 0; i < len; i += n) {
        n = rfl_utf8_sequence(text, i, &valid);
        fuzz_check(valid && out[i] >= 0x20 && out[i] != 0x7f);
    }

    rest = text;
    expect(&rest, "location = \"");
    len = unquote(&rest, named);
    expect(&rest, " { return 301 \"");
    n = unquote(&rest, leads);
    expect(&rest, "; }");
    fuzz_check(rest.len == 0);

    /* the landing, as nginx compares it */

    wanted_len = 0;
    n = 0;

    for (i = decode(landing, wanted); n < i; n++) {
        if (wanted_len == 0 || wanted[n] != '/'
            || wanted[wanted_len - 1] != '/')
        {
            wanted[wanted_len++] = wanted[n];
        }
    }

    fuzz_check(rfl_str_eq(rfl_str(named, len), rfl_str(wanted, wanted_len)));
    fuzz_check(leads[0] == '/' && leads[1] != '/');
    fuzz_check(memchr(leads, '$', RFL_RULE_MAX) == NULL);
}


/* Up to the quote, as ngx_conf_read_token() does. */

static size_t
unquote(rfl_str_t *text, u_char *out)
{
    size_t  n;
    u_char  c;

    memset(out, 0, RFL_RULE_MAX);

    for (n = 0; text->len != 0; n++) {
        c = text->data[0];
        text->data++;
        text->len--;

        if (c == '"') {
            return n;
        }

        if (c == '\\' && text->len != 0) {
            c = text->data[0];

            switch (c) {

            case '"':
            case '\'':
            case '\\':
                break;
            case 't':
                c = '\t';
                break;
            case 'r':
                c = '\r';
                break;
            case 'n':
                c = '\n';
                break;
            default:
                out[n] = '\\';
                continue;
            }

            text->data++;
            text->len--;
        }

        out[n] = c;
    }

    fuzz_finding(__FILE__, __LINE__, "the quote ends");
}


/* A "%" that begins no triplet stays. */

static size_t
decode(rfl_str_t s, u_char *out)
{
    size_t  i, n;

    for (i = 0, n = 0; i < s.len; n++) {

        if (s.data[i] == '%' && s.len - i >= 3 && hex(s.data[i + 1]) >= 0
            && hex(s.data[i + 2]) >= 0)
        {
            out[n] = (u_char) (hex(s.data[i + 1]) * 16 + hex(s.data[i + 2]));
            i += 3;

        } else {
            out[n] = s.data[i++];
        }
    }

    return n;
}


static int
hex(u_char c)
{
    const char  *at;

    static const char  digits[] = "0123456789abcdef";

    at = c != '\0' ? strchr(digits, rfl_lower(c)) : NULL;

    return at != NULL ? (int) (at - digits) : -1;
}


static void
expect(rfl_str_t *text, const char *word)
{
    size_t  len;

    len = strlen(word);

    fuzz_check(text->len >= len && memcmp(text->data, word, len) == 0);

    text->data += len;
    text->len -= len;
}
