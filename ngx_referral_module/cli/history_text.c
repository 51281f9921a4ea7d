/*
 * A history for people: a table, and on a terminal a line that shows the
 * clicks as heights ("spark line", Edward Tufte).
 *
 * Other programs get plain columns with whole numbers, none of them cut.
 */

#include "history.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>


#define GAP          2               /* between columns */
#define NUMBER       24              /* bytes of a number, at most */
#define LEVELS       8
#define SPARK_MAX    200             /* characters of the line */

#define STYLE_BOLD   "\033[1m"
#define STYLE_RED    "\033[31m"
#define STYLE_GREEN  "\033[32m"
#define STYLE_NONE   "\033[0m"


typedef enum {
    COLUMN_START = 0,
    COLUMN_CLICKS,
    COLUMN_ERRORS,
    COLUMN_BOTS,
    COLUMN_OTHERS,                   /* from here on: if they are not zero */
    COLUMN_ONE_OF = COLUMN_OTHERS,
    COLUMN_BYTES = COLUMN_OTHERS + 9,
    COLUMNS
} column_id_t;


/* Two counters summed, or the same twice: one of them. */

typedef struct {
    rfl_str_t         heading;
    rfl_cell_field_t  field;
    rfl_cell_field_t  plus;
} column_t;


typedef struct {
    rfl_buf_t        *out;
    const history_t  *history;
    size_t            width[COLUMNS];    /* 0: not shown */
    uint64_t          total[COLUMNS];
    size_t            screen;
    unsigned          terminal:1;
    unsigned          colours:1;
} table_t;


static void prepare(table_t *t);
static void measure(table_t *t);
static void fit(table_t *t);
static size_t line_width(const table_t *t);
static void print_headings(table_t *t);
static void print_row(table_t *t, const history_row_t *row);
static void print_total(table_t *t);
static void print_dropped(table_t *t, const uint64_t *totals);
static void print_cell(table_t *t, unsigned column, rfl_str_t text,
    const char *style);
static void pad(rfl_buf_t *out, size_t n);
static uint64_t value_of(unsigned column, const history_row_t *row);
static rfl_str_t number_text(const table_t *t, unsigned column, uint64_t n,
    char *buf);
static rfl_str_t bytes_text(uint64_t n, char *buf);
static void print_start(rfl_buf_t *out, const table_t *t, uint32_t bucket);
static void print_summary(table_t *t);
static void print_spark(table_t *t);
static size_t spark_sums(const table_t *t, uint64_t *sums, uint32_t *each);
static unsigned spark_level(uint64_t n, uint64_t max);
static int is_utf8(void);


/* In the order in which a narrow screen keeps them, bytes before the others. */

static const column_t  columns[COLUMNS] = {

    [COLUMN_START] = { rfl_string("START"), RFL_CELL_SUMS, RFL_CELL_SUMS },

    [COLUMN_CLICKS] = { rfl_string("CLICKS"),
                        RFL_CELL_CLICKS, RFL_CELL_CLICKS },

    [COLUMN_ERRORS] = { rfl_string("ERRORS"),
                        RFL_CELL_ERRORS_4XX, RFL_CELL_ERRORS_5XX },

    [COLUMN_BOTS] = { rfl_string("BOTS"), RFL_CELL_BOTS, RFL_CELL_BOTS },

    [COLUMN_ONE_OF] = { rfl_string("ONE_OF"), RFL_CELL_SUMS, RFL_CELL_SUMS },

    { rfl_string("EMBEDS"), RFL_CELL_EMBEDS, RFL_CELL_EMBEDS },

    { rfl_string("RELOADS"), RFL_CELL_RELOADS, RFL_CELL_RELOADS },

    { rfl_string("REDIRECTS"), RFL_CELL_REDIRECTS, RFL_CELL_REDIRECTS },

    { rfl_string("PREFETCHES"), RFL_CELL_PREFETCHES, RFL_CELL_PREFETCHES },

    { rfl_string("OTHER"), RFL_CELL_OTHER, RFL_CELL_OTHER },

    { rfl_string("BY_TAG"), RFL_CELL_CLICKS_BY_TAG, RFL_CELL_CLICKS_BY_TAG },

    { rfl_string("BY_PAGE"),
      RFL_CELL_CLICKS_BY_PAGE, RFL_CELL_CLICKS_BY_PAGE },

    { rfl_string("OTHER_LANDING"),
      RFL_CELL_OTHER_LANDING, RFL_CELL_OTHER_LANDING },

    [COLUMN_BYTES] = { rfl_string("BYTES"), RFL_CELL_BYTES, RFL_CELL_BYTES }
};


/* U+2581 to U+2588; what has no clicks is the lowest. */

static const char *const  blocks[LEVELS] = {
    "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
    "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"
};

static const char *const  ascii[LEVELS] = {
    "_", ".", ":", "-", "=", "+", "*", "#"
};


void
history_text(rfl_buf_t *out, const history_t *history)
{
    size_t    i;
    table_t   table;
    uint64_t  totals[COLUMNS];

    memset(&table, 0, sizeof(table_t));
    table.out = out;
    table.history = history;

    prepare(&table);
    measure(&table);
    memcpy(totals, table.total, sizeof(totals));

    if (table.terminal) {
        fit(&table);
    }

    print_headings(&table);

    for (i = 0; i < history->nrows; i++) {
        print_row(&table, &history->rows[i]);
    }

    if (table.terminal) {
        print_total(&table);
        print_dropped(&table, totals);
        print_summary(&table);
    }
}


static void
prepare(table_t *t)
{
    if (isatty(STDOUT_FILENO)) {
        t->terminal = 1;
        t->screen = cli_screen_width();
        t->colours = cli_has_colours();
    }
}


/* The sums are the widest numbers of their columns, but for cut bytes. */

static void
measure(table_t *t)
{
    char      buf[NUMBER];
    size_t    i, len;
    uint64_t  n;
    unsigned  c;

    for (i = 0; i < t->history->nrows; i++) {
        for (c = COLUMN_CLICKS; c < COLUMNS; c++) {
            n = value_of(c, &t->history->rows[i]);
            t->total[c] += n;

            len = number_text(t, c, n, buf).len;
            t->width[c] = len > t->width[c] ? len : t->width[c];
        }
    }

    t->width[COLUMN_START] = t->history->range.unit == RFL_UNIT_DAY ? 10
                             : t->terminal ? 16 : RFL_TIME_LEN;

    for (c = COLUMN_CLICKS; c < COLUMNS; c++) {

        if (c >= COLUMN_OTHERS && t->total[c] == 0) {
            t->width[c] = 0;
            continue;
        }

        len = t->terminal ? number_text(t, c, t->total[c], buf).len : 0;
        t->width[c] = len > t->width[c] ? len : t->width[c];

        len = columns[c].heading.len;
        t->width[c] = len > t->width[c] ? len : t->width[c];
    }
}


static void
fit(table_t *t)
{
    unsigned  c;

    for (c = COLUMN_BYTES - 1; c >= COLUMN_OTHERS; c--) {

        if (line_width(t) <= t->screen) {
            return;
        }

        t->width[c] = 0;
    }

    if (line_width(t) > t->screen) {
        t->width[COLUMN_BYTES] = 0;
    }
}


static size_t
line_width(const table_t *t)
{
    size_t    width;
    unsigned  c;

    width = t->width[COLUMN_START];

    for (c = COLUMN_CLICKS; c < COLUMNS; c++) {
        width += t->width[c] != 0 ? t->width[c] + GAP : 0;
    }

    return width;
}


static void
print_headings(table_t *t)
{
    unsigned  c;

    if (t->colours) {
        rfl_buf_text(t->out, STYLE_BOLD);
    }

    rfl_buf_str(t->out, columns[COLUMN_START].heading);
    pad(t->out, t->width[COLUMN_START] - columns[COLUMN_START].heading.len);

    for (c = COLUMN_CLICKS; c < COLUMNS; c++) {
        print_cell(t, c, columns[c].heading, NULL);
    }

    rfl_buf_text(t->out, t->colours ? STYLE_NONE "\n" : "\n");
}


static void
print_row(table_t *t, const history_row_t *row)
{
    char      buf[NUMBER];
    uint64_t  n;
    unsigned  c;

    print_start(t->out, t, row->bucket);

    for (c = COLUMN_CLICKS; c < COLUMNS; c++) {
        n = value_of(c, row);

        print_cell(t, c, number_text(t, c, n, buf),
                   c == COLUMN_ERRORS && n != 0 ? STYLE_RED : NULL);
    }

    rfl_buf_char(t->out, '\n');
}


static void
print_total(table_t *t)
{
    char      buf[NUMBER];
    unsigned  c;

    if (t->colours) {
        rfl_buf_text(t->out, STYLE_BOLD);
    }

    rfl_buf_text(t->out, "total");
    pad(t->out, t->width[COLUMN_START] - 5);

    for (c = COLUMN_CLICKS; c < COLUMNS; c++) {
        print_cell(t, c, number_text(t, c, t->total[c], buf), NULL);
    }

    rfl_buf_text(t->out, t->colours ? STYLE_NONE "\n" : "\n");
}


/* What a narrow screen had no room for is not zero, and must not look so. */

static void
print_dropped(table_t *t, const uint64_t *totals)
{
    unsigned     c;
    const char  *separator;

    separator = "no room for: ";

    for (c = COLUMN_OTHERS; c < COLUMNS; c++) {
        if (totals[c] != 0 && t->width[c] == 0) {
            rfl_buf_text(t->out, separator);
            rfl_buf_str(t->out, columns[c].heading);
            rfl_buf_char(t->out, ' ');
            rfl_buf_u64(t->out, totals[c]);
            separator = ", ";
        }
    }

    if (separator[0] == ',') {
        rfl_buf_char(t->out, '\n');
    }
}


static void
print_cell(table_t *t, unsigned column, rfl_str_t text, const char *style)
{
    if (t->width[column] == 0) {
        return;
    }

    pad(t->out, t->width[column] + GAP - text.len);

    if (style != NULL && t->colours) {
        rfl_buf_text(t->out, style);
        rfl_buf_str(t->out, text);
        rfl_buf_text(t->out, STYLE_NONE);

    } else {
        rfl_buf_str(t->out, text);
    }
}


static void
pad(rfl_buf_t *out, size_t n)
{
    while (n-- != 0) {
        rfl_buf_char(out, ' ');
    }
}


static uint64_t
value_of(unsigned column, const history_row_t *row)
{
    const column_t  *c;

    if (column == COLUMN_ONE_OF) {
        return row->one_of;
    }

    c = &columns[column];

    return row->counters.n[c->field]
           + (c->plus != c->field ? row->counters.n[c->plus] : 0);
}


static rfl_str_t
number_text(const table_t *t, unsigned column, uint64_t n, char *buf)
{
    int  len;

    if (column == COLUMN_BYTES && t->terminal) {
        return bytes_text(n, buf);
    }

    len = snprintf(buf, NUMBER, "%llu", (unsigned long long) n);

    return rfl_str(buf, (size_t) len);
}


/* 999, 1.2k, 57.0M: the units of the SI, cut to a tenth. */

static rfl_str_t
bytes_text(uint64_t n, char *buf)
{
    int          len;
    uint64_t     unit;
    const char  *name;

    if (n < 1000) {
        len = snprintf(buf, NUMBER, "%u", (unsigned) n);
        return rfl_str(buf, (size_t) len);
    }

    unit = 1000;

    for (name = "kMGTPE"; n / unit >= 1000 && name[1] != '\0'; name++) {
        unit *= 1000;
    }

    len = snprintf(buf, NUMBER, "%u.%u%c", (unsigned) (n / unit),
                   (unsigned) (n % unit / (unit / 10)), name[0]);

    return rfl_str(buf, (size_t) len);
}


/* Elsewhere than on a terminal, in a form that --from understands. */

static void
print_start(rfl_buf_t *out, const table_t *t, uint32_t bucket)
{
    u_char      *text;
    size_t       line;
    rfl_unit_t   unit;

    unit = t->history->range.unit;
    line = out->len;

    rfl_buf_time(out, (uint64_t) bucket * rfl_unit_seconds[unit]);

    if (out->failed) {
        return;
    }

    text = out->data + line;

    if (unit == RFL_UNIT_DAY) {
        out->len = line + 10;

    } else if (t->terminal) {
        text[10] = ' ';
        out->len = line + 16;
    }
}


static void
print_summary(table_t *t)
{
    size_t            used;
    const history_t  *history;

    history = t->history;

    print_spark(t);

    used = cli_safe_cut(t->out, history->title,
                        t->screen - (history->is_all ? 0 : RFL_KEY_LEN + 2));

    if (!history->is_all) {
        pad(t->out, used + RFL_KEY_LEN + 2 <= t->screen ? 2 : 1);
        rfl_buf_str(t->out, rfl_str(history->key, RFL_KEY_LEN));
    }

    rfl_buf_char(t->out, '\n');
}


/* One character is one bucket, or as many as it takes to fit the screen. */

static void
print_spark(table_t *t)
{
    size_t              i, n;
    uint32_t            each;
    uint64_t            max, sums[SPARK_MAX];
    rfl_unit_t          unit;
    const char *const  *marks;

    n = spark_sums(t, sums, &each);
    unit = t->history->range.unit;

    for (i = 0, max = 0; i < n; i++) {
        max = sums[i] > max ? sums[i] : max;
    }

    marks = is_utf8() ? blocks : ascii;

    if (t->colours) {
        rfl_buf_text(t->out, STYLE_GREEN);
    }

    for (i = 0; i < n; i++) {
        rfl_buf_text(t->out, marks[spark_level(sums[i], max)]);
    }

    rfl_buf_text(t->out, t->colours ? STYLE_NONE "\n" : "\n");

    print_start(t->out, t, t->history->range.from);
    rfl_buf_text(t->out, " to ");
    print_start(t->out, t, t->history->range.to - 1);

    if (each == 1) {
        rfl_buf_fmt(t->out, ", at most %llu clicks a %s\n",
                    (unsigned long long) max,
                    (const char *) rfl_unit_names[unit].data);

    } else {
        rfl_buf_fmt(t->out, ", at most %llu clicks in %u %ss\n",
                    (unsigned long long) max, each,
                    (const char *) rfl_unit_names[unit].data);
    }
}


/*
 * Clicks by character.  The last one ends where the range ends; only the
 * first may stand for fewer buckets than the others.
 */

static size_t
spark_sums(const table_t *t, uint64_t *sums, uint32_t *each)
{
    size_t                i, n, room;
    uint32_t              length, back;
    const rfl_range_t    *range;
    const history_row_t  *row;

    range = &t->history->range;
    length = range->to - range->from;
    room = t->screen < SPARK_MAX ? t->screen : SPARK_MAX;

    *each = (uint32_t) ((length - 1) / room + 1);
    n = (length - 1) / *each + 1;

    memset(sums, 0, n * sizeof(uint64_t));

    for (i = 0; i < t->history->nrows; i++) {
        row = &t->history->rows[i];
        back = range->to - 1 - row->bucket;
        sums[n - 1 - back / *each] += row->counters.n[RFL_CELL_CLICKS];
    }

    return n;
}


/* Who has a click stands above who has none, and the most at the top. */

static unsigned
spark_level(uint64_t n, uint64_t max)
{
    if (n == 0) {
        return 0;
    }

    while (max >= UINT64_MAX / LEVELS) {
        n /= 2;
        max /= 2;
    }

    return (unsigned) ((n * (LEVELS - 1) + max - 1) / max);
}


static int
is_utf8(void)
{
    int       yes;
    locale_t  locale;

    locale = newlocale(LC_CTYPE_MASK, "", (locale_t) 0);
    if (locale == (locale_t) 0) {
        return 0;
    }

    yes = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;

    freelocale(locale);

    return yes;
}
