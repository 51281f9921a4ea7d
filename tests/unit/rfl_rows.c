/*
 * Rows of CSV and JSON: which field each column is, what becomes of cells, and
 * that whoever reads is told of each row once, in order.
 */

#include "rfl_rows.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>


#define SEEN_MAX  4096


/* Wanted: "[values of given fields]" of a row, "(line: why)" of a bad one,
 * "." of a step; and the end: "ok" or the error. */

typedef struct {
    const char  *text;
    const char  *wanted;
} row_t;


static const row_t  csv_rows[] = {
    { "source,name\na,b\n", "[source=a;name=b;]. ok" },
    { "source;name\na,b;c", "[source=a,b;name=c;]. ok" },
    { "NAME\tSource\n b \ta\n", "[source=a;name=b;]. ok" },
    { "source,key,clicks,error,created\na,k,5,why,2026-01-02\n",
      "[source=a;created=2026-01-02]. ok" },
    { "source,name\n", " ok" },
    { "source,name\na\nb,c,d\ne,f\n",
      "(2: the row has 1 field, the header 2)."
      "(3: the row has 3 fields, the header 2).[source=e;name=f;]. ok" },
    { "source,error\nbad,x\n", "[source=bad;](2: no bad)bad. ok" },
    { "source,name\na,\"b\"c\nd,e\n",
      "(2: text follows a closing quote).[source=d;name=e;]. ok" },
    { "source,name\na,b\nc,\"d\ne,f\ng,h\n", "[source=a;name=b;]. "
      "line 3: a quote is not closed: the file ends within it" },
    { "source,name\n\"a\nb\",\"c\nd,e\n",
      " line 3: a quote is not closed: the file ends within it" },
    { "source,\"name\na,b\n",
      " line 1: a quote is not closed: the file ends within it" },
    { "source,name\n'=1+1,''=2\n", "[source==1+1;name='=2;]. ok" },
    { "source,name\na,\"b\r\nc\rd\"\n", "[source=a;name=b\nc\rd;]. ok" },
    { "source,, \na,b,c\n", "[source=a;]. ok" },
    { "source,previous_clicks,previous_bots\na,1,2\n", "[source=a;]. ok" },
    { "source,previous_\n", " no field for the column \"previous_\"" },
    { "source,previous_key\n", " no field for the column \"previous_key\"" },
    { "source,name\n,\na,b\n, \n", "[source=a;name=b;]. ok" },
    { "source,x,y\n", " no field for the column \"x\", \"y\"" },
    { "source,Source\n", " two columns are the field \"source\"" },
    { "name\n", " there is no column \"source\"" },
    { "tag\nx\n", "[tag=x;]. ok" },
    { "", " the file is empty, a header is missing" },
    { "source\nstop\nb\n", "[source=stop;] stopped" }
};


static const row_t  json_rows[] = {
    { "{\"source\":\"a\",\"name\":\"b\"}", "[source=a;name=b;]. ok" },
    { "[{\"source\":\"a\"},{\"source\":\"b\"}]",
      "[source=a;].[source=b;]. ok" },
    { "{\"source\":\"a\"}\n{\"source\":\"b\"}\n",
      "[source=a;].[source=b;]. ok" },
    { "{\"links\":[{\"source\":\"a\",\"key\":\"k\"}],\"next\":null}",
      "[source=a;]. ok" },
    { "{ \"links\" : [ ] }", " ok" },
    { "{\"next\":null,\"links\":[{\"source\":\"a\"}]}", "[source=a;]. ok" },
    { "{\"period\":{\"links\":[1],\"from\":\"2026-01-02\"},\n"
      "\"x\":\"links\",\"links\" : [ {\"source\":\"a\"}],\"next\":null}",
      "[source=a;]. ok" },
    { "{\"links\":[],\"next\":\"0-aa\",\"shown\":null}",
      " it is a page of a longer list: ask for /links?limit=all, or use "
      "\"referralctl export\"" },
    { "{\"next\":\"0-aa\",\"links\":[{\"source\":\"a\"}]}",
      " it is a page of a longer list: ask for /links?limit=all, or use "
      "\"referralctl export\"" },
    { "\n{\"x\":,\"links\":[{\"source\":\"a\"}]}", " line 2: no JSON of ours: "
      "what stands before the links is written wrongly" },
    { "{\"links\":[{\"source\":\"a\"}]\n", "[source=a;]. line 2: no JSON of "
      "ours: what stands behind the links is written wrongly" },
    { "{\"links\":[],\"links\":[]}", " line 1: no JSON of ours: what stands "
      "behind the links is written wrongly" },
    { "{\"links\":[]},{\"source\":\"a\"}", " line 1: no JSON of ours: what "
      "stands behind the links is written wrongly" },
    { "{\"source\":\"a\",\"previous\":{\"links\":[]}}{\"source\":\"b\"}",
      "[source=a;].[source=b;]. ok" },
    { "[]", " ok" },
    { "[{\"source\":\"a\",\"cost\":12.50,\"authority\":7}]",
      "[source=a;authority=7;cost=12.50;]. ok" },
    { "[{\"source\":\"a\",\"channel\":\"guest-post\",\"origin\":\"created\"}]",
      "[source=a;channel=guest-post;origin=;]. ok" },
    { "[{\"source\":\"a\",\"created\":\"2026-01-02\"}]",
      "[source=a;created=2026-01-02]. ok" },
    { "[\n{\"source\":\"bad\"},\n{\"colour\":1}, {\"source\":\"b\"}]",
      "[source=bad;](2: no bad)source=bad.(3: colour).[source=b;]. ok" },
    { "[{\"source\":\"bad\",\"created\":\"2026-01-02\"}]",
      "[source=bad;created=2026-01-02](1: no bad)source=badsource=2026-01-02. "
      "ok" },
    { "[{\"source\":\"}]{\\\"\"}]", "[source=}]{\";]. ok" },
    { "[{\"source\":\"stop\"},{\"source\":\"b\"}]", "[source=stop;] stopped" },
    { "", " the file is empty, JSON is wanted" },
    { "[1]", " no JSON of ours: line 1: a link is wanted, an object" },
    { "[{\"source\":\"a\"}\n{\"source\":\"b\"}]",
      "[source=a;]. line 2: no JSON: \",\" or \"]\" is wanted behind a link" },
    { "[{\"source\":\"a\"}", "[source=a;]. the JSON ends within the links" },
    { "\n{\"source\":\"a", " line 2: the JSON ends within a link" },
    { "{\"source\":\"a\",\"source\":\"b\"}",
      " line 1: no JSON: a link is written wrongly" }
};


typedef struct {
    size_t  len;
    char    text[SEEN_MAX];
} seen_t;


static void
put(seen_t *seen, const char *text, rfl_str_t value)
{
    seen->len += (size_t) snprintf(seen->text + seen->len,
                                   sizeof(seen->text) - seen->len, "%s%.*s",
                                   text, (int) value.len,
                                   (const char *) value.data);
}


static rfl_rc_t
header(void *data, const rfl_str_t *names, rfl_columns_t *columns,
    rfl_error_t *err)
{
    return rfl_columns_ours(names, columns, err);
}


static rfl_rc_t
take_row(void *data, const rfl_row_t *row, rfl_error_t *err)
{
    size_t     i;
    rfl_str_t  source;

    source = row->values[0];

    put(data, "[", rfl_cstr(""));

    for (i = 0; i < rfl_link_nfields; i++) {
        if (row->given[i]) {
            put(data, "", rfl_link_fields[i].name);
            put(data, "=", row->values[i]);
            put(data, ";", rfl_cstr(""));
        }
    }

    if (row->created.len != 0) {
        put(data, "created=", row->created);
    }

    put(data, "]", rfl_cstr(""));

    if (rfl_str_eq(source, rfl_cstr("bad"))) {
        return rfl_fail(err, RFL_INVALID, "no bad");
    }

    return rfl_str_eq(source, rfl_cstr("stop"))
           ? rfl_fail(err, RFL_FULL, "stopped") : RFL_OK;
}


/* Only what an error begins with, of those that others write. */

static rfl_rc_t
bad_row(void *data, uint64_t line, const rfl_str_t *cells, size_t n,
    const char *why, rfl_error_t *err)
{
    char    text[96];
    size_t  i, len;

    len = strncmp(why, "colour", 6) == 0 ? 6 : strlen(why);

    (void) snprintf(text, sizeof(text), "(%llu: %.*s)",
                    (unsigned long long) line, (int) len, why);
    put(data, text, rfl_cstr(""));

    if (strcmp(why, "no bad") == 0) {
        for (i = 0; i < n; i++) {
            put(data, n > 1 && cells[i].len != 0 ? "source=" : "", cells[i]);
        }
    }

    return RFL_OK;
}


static rfl_rc_t
step(void *data, rfl_error_t *err)
{
    put(data, ".", rfl_cstr(""));

    return RFL_OK;
}


static const rfl_rows_handler_t  handler = {
    header, NULL, take_row, bad_row, step
};


static void
reads(const row_t *row, int is_json)
{
    int                fds[2];
    u_char             delimiter;
    seen_t             seen;
    rfl_rc_t           rc;
    rfl_str_t          line;
    rfl_input_t        in;
    rfl_error_t        err;
    rfl_csv_reader_t  *reader;

    reader = malloc(sizeof(rfl_csv_reader_t));
    assert_non_null(reader);

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], row->text, strlen(row->text)),
                     strlen(row->text));
    (void) close(fds[1]);

    seen.len = 0;
    seen.text[0] = '\0';

    rfl_input_begin(&in, fds[0]);

    if (is_json) {
        rc = rfl_rows_json(&in, &handler, &seen, &err);

    } else {
        line = rfl_input_peek(&in, "");
        (void) rfl_rows_delimiter(reader, line, rfl_columns_known, NULL,
                                  &delimiter);
        rc = rfl_rows_csv(reader, delimiter, &in, &handler, &seen, &err);
    }

    put(&seen, " ", rfl_cstr(rc == RFL_OK ? "ok" : err.text));
    assert_string_equal(seen.text, row->wanted);

    (void) close(fds[0]);
    free(reader);
}


static void
csv_is_read(void **state)
{
    size_t  i;

    for (i = 0; i < sizeof(csv_rows) / sizeof(csv_rows[0]); i++) {
        reads(&csv_rows[i], 0);
    }
}


static void
json_is_read(void **state)
{
    size_t  i;

    for (i = 0; i < sizeof(json_rows) / sizeof(json_rows[0]); i++) {
        reads(&json_rows[i], 1);
    }
}


static const struct {
    const char  *name;
    int          found;
    unsigned     role;
    unsigned     known;
} names[] = {
    { "source",       1, RFL_COLUMN_FIELD, 1 },
    { "Match_Type",   1, RFL_COLUMN_FIELD, 1 },
    { "listed_last",  1, RFL_COLUMN_FIELD, 1 },
    { "error",        1, RFL_COLUMN_REASON, 1 },
    { "CREATED",      1, RFL_COLUMN_CREATED, 1 },
    { "key",          1, RFL_COLUMN_IGNORED, 1 },
    { "clicks",       1, RFL_COLUMN_IGNORED, 1 },
    { "last_seen",    1, RFL_COLUMN_IGNORED, 1 },
    { "previous_bots", 1, RFL_COLUMN_IGNORED, 1 },
    { "previous_key", 0, RFL_COLUMN_IGNORED, 0 },
    { "",             0, RFL_COLUMN_IGNORED, 1 },
    { "sources",      0, RFL_COLUMN_IGNORED, 0 },
    { "anchor text",  0, RFL_COLUMN_IGNORED, 0 }
};


static void
columns_have_names(void **state)
{
    size_t        i;
    rfl_column_t  column;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(rfl_column_find(rfl_cstr(names[i].name), &column),
                         names[i].found);
        assert_int_equal(column.role, names[i].role);
        assert_int_equal(column.known, names[i].known);
        assert_int_equal(column.field != -1,
                         names[i].role == RFL_COLUMN_FIELD);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(csv_is_read),
        cmocka_unit_test(json_is_read),
        cmocka_unit_test(columns_have_names)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
