/*
 * See rfl_fold.h.  One pass over a segment, a word at a time: what is read is
 * 216 bytes at most, so nothing here has to be quick.
 */

#include "rfl_fold.h"


/* What a segment has been read of. */

typedef struct {
    unsigned  digits;                    /* rule 4: since the last letter */

    /* of the word that is being read */

    size_t    len;
    size_t    numbers;
    size_t    hex_letters;
    size_t    letters;
    size_t    vowels;
    size_t    changes;
    int       last;                      /* kind of its last byte */
} rfl_fold_state_t;


enum {
    RFL_FOLD_NONE = 0,                   /* between words */
    RFL_FOLD_NUMBER,
    RFL_FOLD_LOWER,
    RFL_FOLD_UPPER,
    RFL_FOLD_OTHER                       /* a letter of another alphabet */
};


static int rfl_fold_segment(rfl_str_t segment);
static u_char rfl_fold_byte(rfl_str_t *rest);
static int rfl_fold_hex(u_char c);
static int rfl_fold_kind(u_char c);
static void rfl_fold_add(rfl_fold_state_t *s, u_char c, int kind);
static int rfl_fold_word(const rfl_fold_state_t *s);
static int rfl_fold_is_vowel(u_char c);


size_t
rfl_fold_path(rfl_str_t path, int is_cut, u_char *out, size_t size,
    int *folded)
{
    int        fold, is_last;
    size_t     len, need, pos, end;
    rfl_str_t  mark, segment;

    *folded = 0;
    len = 0;
    mark = rfl_cstr(RFL_FOLD_MARK);

    for (pos = 0; pos < path.len; pos = end) {

        if (path.data[pos] == '/') {
            end = pos + 1;
            segment = rfl_str(path.data + pos, 1);
            fold = 0;

        } else {
            for (end = pos; end < path.len && path.data[end] != '/'; end++) {
                /* void */
            }

            segment = rfl_str(path.data + pos, end - pos);
            fold = rfl_fold_segment(segment) || (is_cut && end == path.len);
        }

        is_last = (end == path.len);
        need = fold ? mark.len : segment.len;

        /* an ellipsis must still find room behind what is not the last */

        if (len + need + (is_last ? 0 : mark.len) > size) {
            memcpy(out + len, mark.data, mark.len);
            *folded = 1;

            return len + mark.len;
        }

        if (fold) {
            memcpy(out + len, mark.data, mark.len);
            *folded = 1;

        } else {
            memcpy(out + len, segment.data, segment.len);
        }

        len += need;
    }

    return len;
}


static int
rfl_fold_segment(rfl_str_t segment)
{
    int               kind;
    size_t            n;
    u_char            c;
    rfl_fold_state_t  s;

    memset(&s, 0, sizeof(rfl_fold_state_t));

    for (n = 0; segment.len != 0; n++) {
        c = rfl_fold_byte(&segment);

        if (c == '@' || n == RFL_FOLD_SEGMENT) {
            return 1;
        }

        kind = rfl_fold_kind(c);

        if (kind == RFL_FOLD_NUMBER) {
            s.digits++;

            if (s.digits == RFL_FOLD_PHONE) {
                return 1;
            }

        } else if (kind != RFL_FOLD_NONE) {
            s.digits = 0;
        }

        if (kind != RFL_FOLD_NONE) {
            rfl_fold_add(&s, c, kind);
            continue;
        }

        if (rfl_fold_word(&s)) {
            return 1;
        }

        s.len = 0;
    }

    return rfl_fold_word(&s);
}


/* A "%" that begins no triplet is a byte like others. */

static u_char
rfl_fold_byte(rfl_str_t *rest)
{
    int     high, low;
    u_char  c;

    c = rest->data[0];

    if (c == '%' && rest->len >= 3) {
        high = rfl_fold_hex(rest->data[1]);
        low = rfl_fold_hex(rest->data[2]);

        if (high >= 0 && low >= 0) {
            rest->data += 3;
            rest->len -= 3;

            return (u_char) (high << 4 | low);
        }
    }

    rest->data++;
    rest->len--;

    return c;
}


/* -1: none. */

static int
rfl_fold_hex(u_char c)
{
    c = rfl_lower(c);

    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static int
rfl_fold_kind(u_char c)
{
    if (c >= '0' && c <= '9') {
        return RFL_FOLD_NUMBER;
    }

    if (c >= 'a' && c <= 'z') {
        return RFL_FOLD_LOWER;
    }

    if (c >= 'A' && c <= 'Z') {
        return RFL_FOLD_UPPER;
    }

    return c >= 0x80 ? RFL_FOLD_OTHER : RFL_FOLD_NONE;
}


/* "Part2" and "PDF" are ordinary: upper to lower case is no change. */

static void
rfl_fold_add(rfl_fold_state_t *s, u_char c, int kind)
{
    int  last;

    if (s->len == 0) {
        s->numbers = 0;
        s->hex_letters = 0;
        s->letters = 0;
        s->vowels = 0;
        s->changes = 0;
        s->last = kind;
    }

    last = s->last;

    s->len++;
    s->last = kind;

    if (kind == RFL_FOLD_NUMBER) {
        s->numbers++;

    } else if (kind != RFL_FOLD_OTHER) {
        s->letters++;
        s->vowels += (size_t) rfl_fold_is_vowel(c);
        s->hex_letters += rfl_fold_hex(c) >= 0;
    }

    if ((kind == RFL_FOLD_NUMBER) != (last == RFL_FOLD_NUMBER)
        || (kind == RFL_FOLD_UPPER && last == RFL_FOLD_LOWER))
    {
        s->changes++;
    }
}


static int
rfl_fold_word(const rfl_fold_state_t *s)
{
    if (s->len == 0) {
        return 0;
    }

    if (s->numbers == s->len) {
        return s->len >= RFL_FOLD_DIGITS;
    }

    if (s->hex_letters + s->numbers == s->len
        && (s->len >= 2 * RFL_FOLD_HEX
            || (s->len >= RFL_FOLD_HEX && s->numbers != 0)))
    {
        return 1;
    }

    /* a number of many digits stays one with letters around it */

    if (s->numbers >= RFL_FOLD_HEX) {
        return 1;
    }

    if (s->len >= RFL_FOLD_MIXED && 4 * s->changes > s->len) {
        return 1;
    }

    if (s->letters + s->numbers != s->len) {
        return 0;                        /* another alphabet's: not judged */
    }

    return s->len >= RFL_FOLD_WORD
           || (s->len >= RFL_FOLD_VOWEL && 8 * s->vowels < s->letters);
}


static int
rfl_fold_is_vowel(u_char c)
{
    c = rfl_lower(c);

    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'
           || c == 'y';
}
