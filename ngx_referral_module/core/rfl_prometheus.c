/*
 * See rfl_prometheus.h.  The format knows three escapes in a label's value and
 * two in a help text; other controls stay as they are.  NUL does not: scanners
 * written in C, and the one of Prometheus, take it for the end.
 */

#include "rfl_prometheus.h"
#include "rfl_utf8.h"


static void rfl_prometheus_text(rfl_buf_t *b, rfl_str_t s, int quoted);
static size_t rfl_prometheus_plain(rfl_str_t s, size_t pos);
static size_t rfl_prometheus_escape(rfl_buf_t *b, rfl_str_t s, size_t pos,
    int quoted);
static void rfl_prometheus_value(rfl_buf_t *b);


void
rfl_prometheus_family(rfl_buf_t *b, const char *name, const char *type,
    const char *help)
{
    rfl_buf_text(b, "# HELP ");
    rfl_buf_text(b, name);
    rfl_buf_char(b, ' ');
    rfl_prometheus_text(b, rfl_cstr(help), 0);

    rfl_buf_text(b, "\n# TYPE ");
    rfl_buf_text(b, name);
    rfl_buf_char(b, ' ');
    rfl_buf_text(b, type);
    rfl_buf_char(b, '\n');
}


void
rfl_prometheus_sample(rfl_buf_t *b, const char *name)
{
    rfl_buf_text(b, name);
}


/* A name of a metric ends with no quote, a label does. */

void
rfl_prometheus_label(rfl_buf_t *b, const char *name, rfl_str_t value)
{
    rfl_buf_char(b, b->len != 0 && b->data[b->len - 1] == '"' ? ',' : '{');
    rfl_buf_text(b, name);
    rfl_buf_text(b, "=\"");
    rfl_prometheus_text(b, value, 1);
    rfl_buf_char(b, '"');
}


void
rfl_prometheus_u64(rfl_buf_t *b, uint64_t n)
{
    rfl_prometheus_value(b);
    rfl_buf_u64(b, n);
    rfl_buf_char(b, '\n');
}


void
rfl_prometheus_ms(rfl_buf_t *b, uint64_t ms)
{
    rfl_prometheus_value(b);
    rfl_buf_u64(b, ms / 1000);
    rfl_buf_fmt(b, ".%03u\n", (unsigned) (ms % 1000));
}


static void
rfl_prometheus_value(rfl_buf_t *b)
{
    if (b->len != 0 && b->data[b->len - 1] == '"') {
        rfl_buf_char(b, '}');
    }

    rfl_buf_char(b, ' ');
}


static void
rfl_prometheus_text(rfl_buf_t *b, rfl_str_t s, int quoted)
{
    size_t  pos, end;

    pos = 0;

    while (pos < s.len) {
        end = rfl_prometheus_plain(s, pos);
        rfl_buf_add(b, s.data + pos, end - pos);
        pos = end;

        if (pos < s.len) {
            pos += rfl_prometheus_escape(b, s, pos, quoted);
        }
    }
}


/* Where the run of bytes that are copied as they are ends. */

static size_t
rfl_prometheus_plain(rfl_str_t s, size_t pos)
{
    u_char  c;

    for ( /* void */ ; pos < s.len; pos++) {
        c = s.data[pos];

        if (c == '\\' || c == '"' || c == '\n' || c == '\0' || c >= 0x80) {
            break;
        }
    }

    return pos;
}


/* Returns how many bytes of s it took. */

static size_t
rfl_prometheus_escape(rfl_buf_t *b, rfl_str_t s, size_t pos, int quoted)
{
    int     valid;
    size_t  len;

    switch (s.data[pos]) {

    case '\\':
        rfl_buf_text(b, "\\\\");
        return 1;

    case '"':
        rfl_buf_text(b, quoted ? "\\\"" : "\"");
        return 1;

    case '\n':
        rfl_buf_text(b, "\\n");
        return 1;

    case '\0':
        rfl_buf_text(b, RFL_UTF8_REPLACEMENT);
        return 1;

    default:
        len = rfl_utf8_sequence(s, pos, &valid);

        if (valid) {
            rfl_buf_add(b, s.data + pos, len);

        } else {
            rfl_buf_text(b, RFL_UTF8_REPLACEMENT);
        }

        return len;
    }
}
