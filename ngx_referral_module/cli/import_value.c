/*
 * What other tools write, as our fields have it.
 *
 * Their exports are data about links nobody has typed: a rating, a date or an
 * anchor that makes no value of ours is no reason to refuse a row, it is left
 * out.  What people write (labels, notes, what a link cost) is judged as in a
 * CSV of ours.
 */

#include "import.h"

#include "rfl_period.h"
#include "rfl_utf8.h"

#include <stdio.h>


#define DATE_LEN    10               /* YYYY-MM-DD */
#define RATING_MAX  100
#define MONTH_LEN   3
#define NUMBER_MAX  64               /* bytes of a cost */


static rfl_str_t date(import_cells_t *cells, rfl_str_t value);
static rfl_str_t keep(import_cells_t *cells, rfl_str_t value);
static int date_in_words(rfl_str_t value, unsigned *year, unsigned *month,
    unsigned *day);
static unsigned month_of(rfl_str_t word);
static rfl_str_t rating(rfl_str_t value);
static rfl_str_t text(import_cells_t *cells, rfl_str_t value, size_t max);
static int is_control(u_char c);
static rfl_str_t cost(import_cells_t *cells, rfl_str_t value);
static int is_number(rfl_str_t value);
static size_t digits(rfl_str_t s);
static int take_currency(rfl_str_t *rest);
static int is_currency(rfl_str_t word);
static int is_sign(uint32_t c);
static size_t take_number(rfl_str_t *rest, u_char *number);
static int are_thousands(const u_char *number, const size_t *ends,
    const uint32_t *separators, size_t n);
static uint32_t separator(rfl_str_t s, size_t *len);
static void take_spaces(rfl_str_t *rest);
static int is_space(uint32_t c);
static uint32_t character(rfl_str_t s, size_t *len);
static void take(rfl_str_t *rest, size_t len);
static int is_set(rfl_str_t value);
static unsigned rel_word(rfl_str_t value);


/*
 * What may stand beside an amount, in lower case, a "$" for any sign: codes of
 * ISO 4217 in use, signs with a country, and what people write.
 */

static const char  currencies[] =
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd "
    "bnd bob brl bsd btn bwp byn bzd cad cdf chf clp cny cop crc cup cve "
    "czk djf dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gnf "
    "gtq gyd hkd hnl htg huf idr ils inr iqd irr isk jmd jod jpy kes kgs "
    "khr kmf kpw krw kwd kyd kzt lak lbp lkr lrd lsl lyd mad mdl mga mkd "
    "mmk mnt mop mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr "
    "pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sdg sek "
    "sgd shp sle sos srd ssp stn svc syp szl thb tjs tmt tnd top try ttd "
    "twd tzs uah ugx usd uyu uzs ved ves vnd vuv wst xaf xcd xcg xof xpf "
    "yer zar zmw zwg "

    "$ us$ a$ au$ c$ ca$ hk$ mx$ nt$ nz$ r$ s$ $us $ca "

    "dollar dollars euro euros fr fr. ft kc kr kr. lei pound pounds rm rmb rp "
    "rp. rs rs. tl zl "
    "k\xc4\x8d z\xc5\x82 "                                  /* koruna, zloty */
    "\xd1\x80\xd1\x83\xd0\xb1 \xd1\x80\xd1\x83\xd0\xb1. "   /* ruble */
    "\xd0\xb3\xd1\x80\xd0\xbd \xd0\xb3\xd1\x80\xd0\xbd. "   /* hryvnia */
    "\xd0\xbb\xd0\xb2 \xd0\xbb\xd0\xb2. "                   /* lev */
    "\xe5\x85\x83 \xe5\x86\x86 \xec\x9b\x90 ";              /* yuan, yen, won */


void
import_value_begin(import_cells_t *cells)
{
    memset(cells, 0, offsetof(import_cells_t, bytes));
}


void
import_value(import_cells_t *cells, rfl_row_t *row,
    const rfl_column_t *column, rfl_str_t value)
{
    value = rfl_str_trim(value);

    switch (column->role) {

    case RFL_COLUMN_IGNORED:
    case RFL_COLUMN_REASON:
        return;

    case RFL_COLUMN_CREATED:
        row->created = value;
        return;

    case IMPORT_DATE:
        value = date(cells, value);
        break;

    case IMPORT_RATING:
        value = rating(value);
        break;

    case IMPORT_TEXT:
        value = text(cells, value, rfl_link_fields[column->field].max);
        break;

    case IMPORT_COST:
        value = cost(cells, value);
        break;

    case IMPORT_LOST:
        row->marks |= is_set(value) ? RFL_IMPORT_LOST : RFL_IMPORT_LIVE;
        return;

    case IMPORT_FOLLOW:
    case IMPORT_NOFOLLOW:
    case IMPORT_UGC:
    case IMPORT_SPONSORED:
        cells->rel_columns = 1;
        cells->rel_given |= value.len != 0 ? 1u << column->role : 0;
        cells->rel_flags |= is_set(value) ? 1u << column->role : 0;
        return;

    case IMPORT_REL:
        cells->rel_given |= rel_word(value);
        cells->rel_flags |= rel_word(value);
        return;

    case RFL_COLUMN_FIELD:
        break;
    }

    row->values[column->field] = value;
    row->given[column->field] = 1;
}


/*
 * A link is of one kind for us, the most telling one.  Tools that have flags
 * write all of them: none that is set means "follow".
 */

void
import_value_end(const import_cells_t *cells, rfl_row_t *row)
{
    size_t     i;
    rfl_str_t  value;

    if (cells->rel_given == 0 && !cells->rel_columns) {
        return;
    }

    if (cells->rel_flags & 1u << IMPORT_SPONSORED) {
        value = rfl_cstr("sponsored");

    } else if (cells->rel_flags & 1u << IMPORT_UGC) {
        value = rfl_cstr("ugc");

    } else if (cells->rel_flags & 1u << IMPORT_NOFOLLOW) {
        value = rfl_cstr("nofollow");

    } else if (cells->rel_given == 1u << IMPORT_FOLLOW
               && cells->rel_flags == 0)
    {
        value = rfl_cstr("nofollow");

    } else if (cells->rel_given != 0) {
        value = rfl_cstr("follow");

    } else {
        value = rfl_str("", 0);
    }

    i = (size_t) (rfl_link_field(rfl_cstr("rel")) - rfl_link_fields);

    if (row->values[i].len == 0) {
        row->values[i] = value;
        row->given[i] = 1;
    }
}


/*
 * The day: 2024-05-06, 2024/05/06 12:01, 2024-05-06T12:01:02Z, 6 May 2024,
 * May 6, 2024.  All-numeric ones in another order mean two days; they are
 * left out.
 */

static rfl_str_t
date(import_cells_t *cells, rfl_str_t value)
{
    char       text[DATE_LEN + 1];
    unsigned   i, year, month, day;
    uint64_t   seconds;

    if (value.len < DATE_LEN) {
        return rfl_str("", 0);
    }

    if (date_in_words(value, &year, &month, &day)) {
        (void) snprintf(text, sizeof(text), "%04u-%02u-%02u", year % 10000,
                        month % 100, day % 100);

    } else {
        memcpy(text, value.data, DATE_LEN);

        for (i = 4; i < DATE_LEN; i += 3) {
            if (text[i] == '/' || text[i] == '.') {
                text[i] = '-';
            }
        }
    }

    value = rfl_str(text, DATE_LEN);

    return rfl_time_parse(value, &seconds) == RFL_OK ? keep(cells, value)
                                                     : rfl_str("", 0);
}


/* A copy that lives as long as the row.  None if there is no room. */

static rfl_str_t
keep(import_cells_t *cells, rfl_str_t value)
{
    u_char  *p;

    if (value.len > sizeof(cells->bytes) - cells->used) {
        return rfl_str("", 0);
    }

    p = cells->bytes + cells->used;
    cells->used += value.len;

    memcpy(p, value.data, value.len);

    return rfl_str(p, value.len);
}


/* A word, and two numbers: of these the one of four digits is the year. */

static int
date_in_words(rfl_str_t value, unsigned *year, unsigned *month, unsigned *day)
{
    size_t    i, start;
    unsigned  number;

    *year = 0;
    *month = 0;
    *day = 0;

    for (i = 0; i < value.len && *year == 0; /* void */ ) {

        if (value.data[i] >= '0' && value.data[i] <= '9') {
            number = 0;
            start = i;

            while (i < value.len && value.data[i] >= '0'
                   && value.data[i] <= '9' && i - start < 4)
            {
                number = 10 * number + (unsigned) (value.data[i++] - '0');
            }

            if (i - start == 4) {
                *year = number;

            } else {
                *day = number;
            }

            continue;
        }

        start = i;

        while (i < value.len && rfl_lower(value.data[i]) >= 'a'
               && rfl_lower(value.data[i]) <= 'z')
        {
            i++;
        }

        if (i == start) {
            i++;
            continue;
        }

        *month = month_of(rfl_str(value.data + start, i - start));

        if (*month == 0) {
            return 0;
        }
    }

    return *year != 0 && *month != 0 && *day != 0;
}


/* 0: it is none. */

static unsigned
month_of(rfl_str_t word)
{
    unsigned  i;

    static const char  months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    for (i = 0; i < 12 && word.len >= MONTH_LEN; i++) {
        if (rfl_str_caseeq(rfl_str(word.data, MONTH_LEN),
                           rfl_str(months + MONTH_LEN * i, MONTH_LEN)))
        {
            return i + 1;
        }
    }

    return 0;
}


/* Without its fraction. */

static rfl_str_t
rating(rfl_str_t value)
{
    size_t    len;
    unsigned  number;

    number = 0;

    for (len = 0; len < value.len && value.data[len] >= '0'
         && value.data[len] <= '9' && number <= RATING_MAX; len++)
    {
        number = 10 * number + (unsigned) (value.data[len] - '0');
    }

    if (number > RATING_MAX
        || (len < value.len && value.data[len] != '.'
            && value.data[len] != ','))
    {
        return rfl_str("", 0);
    }

    return rfl_str(value.data, len);
}


/* In one line, cut to what the field holds at a character's end. */

static rfl_str_t
text(import_cells_t *cells, rfl_str_t value, size_t max)
{
    size_t   i;
    u_char  *p;

    if (value.len > max) {
        value.len = max;

        while (value.len != 0 && (value.data[value.len] & 0xc0) == 0x80) {
            value.len--;
        }
    }

    for (i = 0; i < value.len && !is_control(value.data[i]); i++) {
        /* void */
    }

    if (i == value.len) {
        return value;
    }

    value = keep(cells, value);
    p = (u_char *) value.data;

    for (i = 0; i < value.len; i++) {
        p[i] = is_control(p[i]) ? ' ' : p[i];
    }

    return value;
}


static int
is_control(u_char c)
{
    return c < ' ' || c == 0x7f;
}


/*
 * Without currency and thousands: "$1,200.50", "1.200,50 EUR", "1 200 000".
 * What is no such amount, or may be two ("1.200 EUR"), stays as it is and is
 * refused by the field; a number of ours stays, too.
 */

static rfl_str_t
cost(import_cells_t *cells, rfl_str_t value)
{
    size_t     len;
    u_char     number[NUMBER_MAX + 1];
    rfl_str_t  rest;

    rest = value;

    if (value.len > NUMBER_MAX || is_number(value) || !take_currency(&rest)) {
        return value;
    }

    take_spaces(&rest);

    len = take_number(&rest, number);
    if (len == 0) {
        return value;
    }

    take_spaces(&rest);

    if (!take_currency(&rest) || rest.len != 0) {
        return value;
    }

    return keep(cells, rfl_str(number, len));
}


/* Digits, and a point and digits if there is one. */

static int
is_number(rfl_str_t value)
{
    size_t     whole;
    rfl_str_t  part;

    whole = digits(value);

    if (whole == value.len || value.data[whole] != '.') {
        return whole == value.len;
    }

    part = rfl_str(value.data + whole + 1, value.len - whole - 1);

    return whole != 0 && part.len != 0 && digits(part) == part.len;
}


static size_t
digits(rfl_str_t s)
{
    size_t  n;

    for (n = 0; n < s.len && s.data[n] >= '0' && s.data[n] <= '9'; n++) {
        /* void */
    }

    return n;
}


/* A word, or nothing.  0: it is no currency ("k", "Mio", "-"). */

static int
take_currency(rfl_str_t *rest)
{
    size_t    len, n;
    u_char    word[NUMBER_MAX];
    uint32_t  c;

    n = 0;

    for ( ;; ) {
        c = character(*rest, &len);

        if (len == 0 || is_space(c) || (c >= '0' && c <= '9')
            || (c == '.' && n == 0) || c == ',')
        {
            break;
        }

        if (is_sign(c)) {
            word[n++] = '$';

        } else {
            rfl_lower_copy(word + n, rest->data, len);
            n += len;
        }

        take(rest, len);
    }

    return n == 0 || is_currency(rfl_str(word, n));
}


static int
is_currency(rfl_str_t word)
{
    const char  *p, *end;

    for (p = currencies; *p != '\0'; p = end + 1) {
        end = strchr(p, ' ');

        if (rfl_str_eq(word, rfl_str(p, (size_t) (end - p)))) {
            return 1;
        }
    }

    return 0;
}


static int
is_sign(uint32_t c)
{
    return c == '$' || (c >= 0xa3 && c <= 0xa5) || (c >= 0x20a0 && c <= 0x20c0)
           || c == 0xfdfc;
}


/*
 * Digits and separators between them; returns the length of the number, 0: it
 * is none.  A last separator that differs from those before is the decimal
 * one.  A single "." or "," is, unless it may be one of thousands: then a ","
 * is taken for that, and a "." for neither.
 */

static size_t
take_number(rfl_str_t *rest, u_char *number)
{
    int        has_point;
    size_t     len, n, size, last;
    size_t     ends[NUMBER_MAX];                 /* of groups, in number */
    uint32_t   c, separators[NUMBER_MAX];
    rfl_str_t  next;

    len = 0;

    for (n = 0; /* void */ ; n++) {
        size = digits(*rest);

        memcpy(number + len, rest->data, size);
        take(rest, size);
        len += size;
        ends[n] = len;

        c = separator(*rest, &size);
        next = rfl_str(rest->data + size, rest->len - size);

        if (c == 0 || digits(next) == 0) {
            break;
        }

        separators[n] = c;
        *rest = next;
    }

    if (n == 0) {
        return len;
    }

    last = len - ends[n - 1];
    c = separators[n - 1];

    has_point = (c == '.' || c == ',')
                && (n == 1 ? last != 3 || ends[0] > 3 || number[0] == '0'
                           : c != separators[0]);

    if ((n == 1 && c == '.' && !has_point)
        || !are_thousands(number, ends, separators, n - (size_t) has_point))
    {
        return 0;
    }

    if (has_point) {
        memmove(number + len - last + 1, number + len - last, last);
        number[len - last] = '.';
        len++;
    }

    return len;
}


/* n separators, all the same, and groups of three behind them. */

static int
are_thousands(const u_char *number, const size_t *ends,
    const uint32_t *separators, size_t n)
{
    size_t  i;

    if (n == 0) {
        return ends[0] != 0;
    }

    if (ends[0] == 0 || ends[0] > 3 || number[0] == '0') {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (separators[i] != separators[0] || ends[i + 1] - ends[i] != 3) {
            return 0;
        }
    }

    return 1;
}


/* 0: none.  All spaces are one, so are both apostrophes. */

static uint32_t
separator(rfl_str_t s, size_t *len)
{
    uint32_t  c;

    c = character(s, len);

    if (is_space(c)) {
        return ' ';
    }

    if (c == '\'' || c == 0x2019) {
        return '\'';
    }

    return c == '.' || c == ',' ? c : 0;
}


static void
take_spaces(rfl_str_t *rest)
{
    size_t  len;

    while (is_space(character(*rest, &len))) {
        take(rest, len);
    }
}


/* No-break, narrow no-break and thin space. */

static int
is_space(uint32_t c)
{
    return c == ' ' || c == 0xa0 || c == 0x202f || c == 0x2009;
}


/* The one a text begins with; 0: none, or no UTF-8. */

static uint32_t
character(rfl_str_t s, size_t *len)
{
    int       valid;
    size_t    i;
    uint32_t  c;

    *len = 0;

    if (s.len == 0) {
        return 0;
    }

    *len = rfl_utf8_sequence(s, 0, &valid);

    if (!valid || *len == 1) {
        return valid ? s.data[0] : 0;
    }

    c = s.data[0] & (0xffu >> (*len + 1));

    for (i = 1; i < *len; i++) {
        c = c << 6 | (s.data[i] & 0x3f);
    }

    return c;
}


static void
take(rfl_str_t *rest, size_t len)
{
    rest->data += len;
    rest->len -= len;
}


static int
is_set(rfl_str_t value)
{
    size_t  i;

    static const char *const  words[] = {
        "", "0", "false", "f", "no", "n", "-", "none", "null"
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (rfl_str_caseeq(value, rfl_cstr(words[i]))) {
            return 0;
        }
    }

    return 1;
}


/* The flag of a role, 0 for a word that says nothing of it ("Text"). */

static unsigned
rel_word(rfl_str_t value)
{
    size_t  i;

    static const struct {
        const char     *word;
        import_role_t   role;
    } words[] = {
        { "nofollow",  IMPORT_NOFOLLOW },
        { "ugc",       IMPORT_UGC },
        { "sponsored", IMPORT_SPONSORED },
        { "dofollow",  IMPORT_FOLLOW },
        { "follow",    IMPORT_FOLLOW }
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (rfl_str_caseeq(value, rfl_cstr(words[i].word))) {
            return 1u << words[i].role;
        }
    }

    return 0;
}
