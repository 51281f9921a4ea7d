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
static int is_set(rfl_str_t value);
static unsigned rel_word(rfl_str_t value);


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
 * Without currency and thousands: "$1,200.50", "1.200,50 EUR".  Of two
 * separators the last one is the decimal one, and a single one if one or two
 * digits follow.  What is no number stays, and is refused.
 */

static rfl_str_t
cost(import_cells_t *cells, rfl_str_t value)
{
    size_t         i, first, last, point, separators, len;
    u_char         c, number[NUMBER_MAX];
    const u_char  *p;

    p = value.data;

    for (first = 0; first < value.len; first++) {
        if (p[first] >= '0' && p[first] <= '9') {
            break;
        }
    }

    if (first == value.len || value.len > NUMBER_MAX
        || memchr(p, '-', first) != NULL)
    {
        return value;
    }

    last = first;
    point = value.len;
    separators = 0;

    for (i = first; i < value.len; i++) {
        c = p[i];

        if (c >= '0' && c <= '9') {
            last = i;

        } else if (c != '.' && c != ',' && c != '\'' && c != ' ') {
            break;
        }
    }

    for (i = first; i < last; i++) {
        if (p[i] == '.' || p[i] == ',') {
            separators++;
            point = i;
        }
    }

    if (separators == 1 && last - point > 2) {
        point = p[point] == '.' ? point : value.len;
    }

    len = 0;

    for (i = first; i <= last; i++) {
        if (p[i] >= '0' && p[i] <= '9') {
            number[len++] = p[i];

        } else if (i == point) {
            number[len++] = '.';
        }
    }

    return keep(cells, rfl_str(number, len));
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
