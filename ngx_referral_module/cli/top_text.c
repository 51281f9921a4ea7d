/*
 * The forms of a sample: a screen, plain lines, JSON.
 */

#include "top.h"

#include <time.h>


#define NUMBER       24              /* bytes of a number, at most */
#define GAP          2

#define STYLE_BOLD   "\033[1m"
#define STYLE_GREEN  "\033[32m"
#define STYLE_RED    "\033[31m"
#define STYLE_NONE   "\033[0m"


typedef enum {
    COLUMN_KEY = 0,
    COLUMN_RATE,
    COLUMN_CLICKS,
    COLUMN_ERRORS,
    COLUMN_BOTS,
    COLUMN_SEEN,
    COLUMN_LINK,
    COLUMNS
} column_t;


typedef struct {
    rfl_buf_t    *out;
    const top_t  *top;
    size_t        columns;               /* 0: nothing is cut */
    size_t        width[COLUMNS];        /* 0: not shown */
    uint64_t      now;                   /* seconds */
    unsigned      colours:1;
} frame_t;


static void print_state(frame_t *f);
static void print_outcomes(frame_t *f, int rates);
static void print_number(const frame_t *f, rfl_buf_t *line, uint64_t n,
    int rates);
static void print_line(frame_t *f, rfl_buf_t *line, const char *style);
static void measure(frame_t *f, size_t nrows);
static void print_headings(frame_t *f);
static void print_row(frame_t *f, const top_row_t *row);
static void print_link(frame_t *f, rfl_buf_t *line, const top_row_t *row);
static void cell_text(const frame_t *f, unsigned column, const top_row_t *row,
    char *text);
static void pad(rfl_buf_t *out, size_t n);
static void rate_text(uint64_t n, uint64_t ms, char *text);
static void age_text(uint64_t seen, uint64_t now, char *text);
static uint64_t zone_grown(const top_t *top, unsigned i);
static void json_row(rfl_buf_t *out, const top_t *top, const top_row_t *row);


static const rfl_str_t  headings[COLUMNS] = {
    [COLUMN_KEY]    = rfl_string("KEY"),
    [COLUMN_RATE]   = rfl_string("REQ/S"),
    [COLUMN_CLICKS] = rfl_string("CLICKS"),
    [COLUMN_ERRORS] = rfl_string("ERRORS"),
    [COLUMN_BOTS]   = rfl_string("BOTS"),
    [COLUMN_SEEN]   = rfl_string("SEEN"),
    [COLUMN_LINK]   = rfl_string("LINK")
};


static const column_t  sorted[TOP_SORTS] = {
    [TOP_RATE]   = COLUMN_RATE,
    [TOP_CLICKS] = COLUMN_CLICKS,
    [TOP_ERRORS] = COLUMN_ERRORS,
    [TOP_BOTS]   = COLUMN_BOTS,
    [TOP_SEEN]   = COLUMN_SEEN
};


/* What a narrow screen gives up, in this order. */

static const column_t  dropped[] = {
    COLUMN_BOTS, COLUMN_SEEN, COLUMN_ERRORS, COLUMN_KEY
};


void
top_text(rfl_buf_t *out, const top_t *top, size_t columns, size_t lines,
    int colours, rfl_str_t message)
{
    size_t     i, nrows;
    frame_t    f;
    rfl_buf_t  line = rfl_buf_init;

    memset(&f, 0, sizeof(frame_t));

    f.out = out;
    f.top = top;
    f.columns = columns;
    f.colours = (unsigned) colours;
    f.now = (uint64_t) time(NULL);

    nrows = top->nrows;

    if (lines != 0) {
        nrows = lines > TOP_HEAD && nrows > lines - TOP_HEAD
                ? lines - TOP_HEAD : nrows;
    }

    print_state(&f);
    print_outcomes(&f, 1);
    print_outcomes(&f, 0);

    if (lines != 0) {
        (void) cli_safe(&line, message);
        print_line(&f, &line, NULL);
    }

    measure(&f, nrows);
    print_headings(&f);

    for (i = 0; i < nrows; i++) {
        print_row(&f, &top->rows[i]);
    }

    if (line.failed) {
        out->failed = 1;
    }

    rfl_buf_free(&line);
}


static void
print_state(frame_t *f)
{
    rfl_buf_t  line = rfl_buf_init;

    rfl_buf_text(&line, "referralctl top  ");
    rfl_buf_time(&line, f->now);
    rfl_buf_fmt(&line, "  %u link%s  ", f->top->links,
                f->top->links == 1 ? "" : "s");
    rfl_buf_text(&line, f->top->counting
                        ? "live" : f->columns != 0
                        ? "no counter file: the ledger's"
                        : "no counter file: nginx does not count here, "
                          "totals are the ledger's");
    print_line(f, &line, STYLE_BOLD);
    rfl_buf_free(&line);
}


/*
 * All requests, by outcome: each second, and since counting began.  On a screen
 * outcomes without requests give their room to others, and what does not fit
 * is left out: a number that is cut would be another one.
 */

static void
print_outcomes(frame_t *f, int rates)
{
    size_t        len;
    unsigned      i;
    uint64_t      n, sum;
    rfl_buf_t     line = rfl_buf_init;
    const top_t  *top;

    top = f->top;
    sum = 0;

    for (i = 0; i < RFL_OUTCOMES; i++) {
        sum += rates ? zone_grown(top, i) : top->zone.n[i];
    }

    rfl_buf_text(&line, rates ? "requests/s" : "requests");
    print_number(f, &line, sum, rates);

    for (i = 0; i < RFL_OUTCOMES; i++) {

        if (f->columns != 0 && top->zone.n[i] == 0) {
            continue;
        }

        len = line.len;
        n = rates ? zone_grown(top, i) : top->zone.n[i];

        rfl_buf_text(&line, "  ");
        rfl_buf_str(&line, rfl_outcome_names[i]);
        print_number(f, &line, n, rates);

        if (f->columns != 0 && line.len > f->columns) {
            line.len = len;
        }
    }

    print_line(f, &line, NULL);
    rfl_buf_free(&line);
}


static void
print_number(const frame_t *f, rfl_buf_t *line, uint64_t n, int rates)
{
    char  text[NUMBER];

    rfl_buf_char(line, ' ');

    if (!rates) {
        rfl_buf_u64(line, n);

    } else if (f->top->has_rates) {
        rate_text(n, f->top->since_ms, text);
        rfl_buf_text(line, text);

    } else {
        rfl_buf_char(line, '-');
    }
}


/* The line holds one column a byte. */

static void
print_line(frame_t *f, rfl_buf_t *line, const char *style)
{
    if (line->failed) {
        f->out->failed = 1;
        return;
    }

    if (f->columns != 0 && line->len > f->columns) {
        line->len = f->columns;
    }

    if (style != NULL && f->colours) {
        rfl_buf_text(f->out, style);
    }

    rfl_buf_add(f->out, line->data, line->len);

    if (style != NULL && f->colours) {
        rfl_buf_text(f->out, STYLE_NONE);
    }

    rfl_buf_char(f->out, '\n');
}


/* The link takes what the others leave, 20 columns at least. */

static void
measure(frame_t *f, size_t nrows)
{
    char      text[NUMBER];
    size_t    i, len, used;
    unsigned  c, d;

    for (c = 0; c < COLUMN_LINK; c++) {
        f->width[c] = headings[c].len + 1;

        for (i = 0; i < nrows; i++) {
            cell_text(f, c, &f->top->rows[i], text);
            len = strlen(text);
            f->width[c] = len > f->width[c] ? len : f->width[c];
        }
    }

    f->width[COLUMN_LINK] = SIZE_MAX;

    if (f->columns == 0) {
        return;
    }

    for (d = 0; /* void */ ; d++) {
        used = 0;

        for (c = 0; c < COLUMN_LINK; c++) {
            used += f->width[c] != 0 ? f->width[c] + GAP : 0;
        }

        if (used + 20 <= f->columns
            || d == sizeof(dropped) / sizeof(dropped[0]))
        {
            break;
        }

        f->width[dropped[d]] = 0;
    }

    f->width[COLUMN_LINK] = f->columns > used ? f->columns - used : 1;
}


/* What it is sorted by has a mark. */

static void
print_headings(frame_t *f)
{
    size_t     len;
    unsigned   c;
    rfl_buf_t  line = rfl_buf_init;

    for (c = 0; c < COLUMNS; c++) {

        if (f->width[c] == 0) {
            continue;
        }

        len = headings[c].len + (sorted[f->top->sort] == c);

        if (c != COLUMN_KEY && c != COLUMN_LINK) {
            pad(&line, f->width[c] - len);
        }

        if (sorted[f->top->sort] == c) {
            rfl_buf_char(&line, '*');
        }

        rfl_buf_str(&line, headings[c]);

        if (c == COLUMN_KEY) {
            pad(&line, f->width[c] - len);
        }

        if (c != COLUMN_LINK) {
            pad(&line, GAP);
        }
    }

    print_line(f, &line, STYLE_BOLD);
    rfl_buf_free(&line);
}


static void
print_row(frame_t *f, const top_row_t *row)
{
    char         text[NUMBER];
    size_t       len;
    unsigned     c;
    const char  *style;

    for (c = 0; c < COLUMN_LINK; c++) {

        if (f->width[c] == 0) {
            continue;
        }

        cell_text(f, c, row, text);
        len = strlen(text);

        style = !f->colours ? NULL
                : c == COLUMN_RATE && row->grown != 0 ? STYLE_GREEN
                : c == COLUMN_ERRORS && strcmp(text, "0") != 0 ? STYLE_RED
                : NULL;

        if (c != COLUMN_KEY) {
            pad(f->out, f->width[c] - len);
        }

        if (style != NULL) {
            rfl_buf_text(f->out, style);
        }

        rfl_buf_text(f->out, text);

        if (style != NULL) {
            rfl_buf_text(f->out, STYLE_NONE);
        }

        pad(f->out, (c == COLUMN_KEY ? f->width[c] - len : 0) + GAP);
    }

    print_link(f, f->out, row);
    rfl_buf_char(f->out, '\n');
}


static void
print_link(frame_t *f, rfl_buf_t *line, const top_row_t *row)
{
    rfl_buf_t  text = rfl_buf_init;

    if (row->links != 0) {
        rfl_buf_fmt(&text, "one of %u: ", row->links);
    }

    rfl_buf_str(&text, rfl_str(row->name.data, row->name.len));

    if (row->target.len != 0) {
        rfl_buf_text(&text, " > ");
        rfl_buf_str(&text, rfl_str(row->target.data, row->target.len));
    }

    if (text.failed) {
        line->failed = 1;

    } else if (f->columns != 0) {
        (void) cli_safe_cut(line, rfl_str(text.data, text.len),
                            f->width[COLUMN_LINK]);

    } else {
        (void) cli_safe(line, rfl_str(text.data, text.len));
    }

    rfl_buf_free(&text);
}


static void
cell_text(const frame_t *f, unsigned column, const top_row_t *row, char *text)
{
    uint64_t  n;

    n = 0;

    switch (column) {

    case COLUMN_KEY:
        (void) snprintf(text, NUMBER, "%016llx",
                        (unsigned long long) row->key);
        return;

    case COLUMN_RATE:
        if (f->top->has_rates) {
            rate_text(row->grown, f->top->since_ms, text);

        } else {
            (void) snprintf(text, NUMBER, "-");
        }

        return;

    case COLUMN_SEEN:
        age_text(row->cell.n[RFL_CELL_LAST_SEEN], f->now, text);
        return;

    case COLUMN_CLICKS:
        n = row->cell.n[RFL_CELL_CLICKS];
        break;

    case COLUMN_ERRORS:
        n = row->cell.n[RFL_CELL_ERRORS_4XX]
            + row->cell.n[RFL_CELL_ERRORS_5XX];
        break;

    case COLUMN_BOTS:
        n = row->cell.n[RFL_CELL_BOTS];
        break;
    }

    (void) snprintf(text, NUMBER, "%llu", (unsigned long long) n);
}


static void
pad(rfl_buf_t *out, size_t n)
{
    while (n-- > 0) {
        rfl_buf_char(out, ' ');
    }
}


static void
rate_text(uint64_t n, uint64_t ms, char *text)
{
    double  rate;

    rate = ms != 0 ? (double) n * 1000 / (double) ms : 0;

    (void) snprintf(text, NUMBER, rate >= 1000 ? "%.0f" : "%.1f", rate);
}


/* How long ago: "4s", "12m", "3h", "21d". */

static void
age_text(uint64_t seen, uint64_t now, char *text)
{
    uint64_t  age;

    if (seen == 0) {
        (void) snprintf(text, NUMBER, "never");
        return;
    }

    age = now > seen ? now - seen : 0;

    if (age < 60) {
        (void) snprintf(text, NUMBER, "%llus", (unsigned long long) age);

    } else if (age < 3600) {
        (void) snprintf(text, NUMBER, "%llum",
                        (unsigned long long) age / 60);

    } else if (age < 48 * 3600) {
        (void) snprintf(text, NUMBER, "%lluh",
                        (unsigned long long) age / 3600);

    } else {
        (void) snprintf(text, NUMBER, "%llud",
                        (unsigned long long) age / 86400);
    }
}


static uint64_t
zone_grown(const top_t *top, unsigned i)
{
    return top->zone.n[i] > top->zone_before.n[i]
           ? top->zone.n[i] - top->zone_before.n[i] : 0;
}


void
top_json(rfl_buf_t *out, const top_t *top)
{
    size_t    i;
    char      text[NUMBER];
    unsigned  o;

    rfl_buf_text(out, "{\"time\":\"");
    rfl_buf_time(out, (uint64_t) time(NULL));
    rfl_buf_fmt(out, "\",\"live\":%s,\"interval_ms\":%llu,\"registered\":%u",
                top->counting ? "true" : "false",
                (unsigned long long) (top->has_rates ? top->since_ms : 0),
                top->links);

    rfl_report_zone(out, &top->zone);

    rfl_buf_text(out, ",\"requests_per_second\":");

    for (o = 0; top->has_rates && o < RFL_OUTCOMES; o++) {
        rate_text(zone_grown(top, o), top->since_ms, text);
        rfl_buf_fmt(out, "%s\"%.*s\":%s", o == 0 ? "{" : ",",
                    (int) rfl_outcome_names[o].len,
                    (const char *) rfl_outcome_names[o].data, text);
    }

    rfl_buf_text(out, top->has_rates ? "},\"links\":[" : "null,\"links\":[");

    for (i = 0; i < top->nrows; i++) {
        rfl_buf_text(out, i == 0 ? "" : ",");
        json_row(out, top, &top->rows[i]);
    }

    rfl_buf_text(out, "]}\n");
}


static void
json_row(rfl_buf_t *out, const top_t *top, const top_row_t *row)
{
    char  text[NUMBER];

    rfl_buf_fmt(out, "{\"key\":\"%016llx\",\"links\":%u,\"source\":",
                (unsigned long long) row->key,
                row->links != 0 ? row->links : 1);
    rfl_json_string(out, rfl_str(row->name.data, row->name.len));
    rfl_buf_text(out, ",\"target\":");
    rfl_json_string(out, rfl_str(row->target.data, row->target.len));

    if (top->has_rates) {
        rate_text(row->grown, top->since_ms, text);
        rfl_buf_fmt(out, ",\"requests_per_second\":%s", text);

    } else {
        rfl_buf_text(out, ",\"requests_per_second\":null");
    }

    rfl_buf_text(out, ",\"last_seen\":");

    if (row->cell.n[RFL_CELL_LAST_SEEN] != 0) {
        rfl_buf_char(out, '"');
        rfl_buf_time(out, row->cell.n[RFL_CELL_LAST_SEEN]);
        rfl_buf_char(out, '"');

    } else {
        rfl_buf_text(out, "null");
    }

    rfl_buf_text(out, ",\"counters\":");
    rfl_report_counters(out, &row->cell);
    rfl_buf_char(out, '}');
}
