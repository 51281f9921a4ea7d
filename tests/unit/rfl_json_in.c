/* Bodies of writes: what they set, and each way to get one wrong. */

#include "rfl_json_in.h"
#include "guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>


#define TEXT_MAX  (4 << 20)


/* wanted: "name=value;" for each change, "|" behind each link. */

typedef struct {
    const char  *body;
    const char  *wanted;
} good_t;


typedef struct {
    const char  *body;
    unsigned     shown;
    rfl_rc_t     rc;
    const char  *text;                   /* the whole of it, or NULL */
} bad_t;


static const good_t  good[] = {
    { "{}", "|" },
    { " \t\r\n{ } \n", "|" },
    { "{\"source\":\"https://a.example/\"}", "source=https://a.example/;|" },

    /* in the order of the table, not of the body */
    { "{\"name\":\"x\",\"source\":\"a.example\",\"match_type\":\"host\"}",
      "source=a.example;match_type=host;name=x;|" },

    { "[{\"source\":\"a\"}]", "source=a;|" },
    { " [ {\"source\":\"a\"} , {\"source\":\"b\"}\n,{}] ",
      "source=a;|source=b;||" },

    /* brackets and quotes in strings */
    { "[{\"name\":\"]}\\\"[{,\\\\\"},{\"name\":\"\\u0022]\"}]",
      "name=]}\"[{,\\;|name=\"];|" },

    { "{\"name\":\"\\u00e9\\ud83d\\ude00\\n\"}",
      "name=\xc3\xa9\xf0\x9f\x98\x80\n;|" },

    /* null clears, as "" does */
    { "{\"tag\":null,\"note\":\"\",\"cost\":null,\"labels\":null,"
      "\"authority\":null,\"listed_last\":null}",
      "tag=;authority=;labels=;note=;cost=;listed_last=;|" },

    { "{\"labels\":[]}", "labels=;|" },
    { "{\"labels\":[\"q4\",\"a b\"]}", "labels=q4,a b,;|" },

    { "{\"authority\":55,\"cost\":12.5}", "authority=55;cost=12.5;|" },
    { "{\"authority\":0,\"cost\":1200}", "authority=0;cost=1200;|" },
    { "{\"cost\":0.1}", "cost=0.1;|" },
    { "{\"cost\":1e3}", "cost=1000;|" },
    { "{\"cost\":123456789012.25}", "cost=123456789012.25;|" },
    { "{\"cost\":\"12.50\",\"authority\":\"7\"}",
      "authority=7;cost=12.50;|" },

    /* others judge the value: here it only has to be a number */
    { "{\"authority\":-1,\"cost\":1e300}", "authority=-1;cost=1e+300;|" },
    { "{\"authority\":9223372036854775807}",
      "authority=9223372036854775807;|" },

    /* a link as it was shown */
    { "{\"key\":\"9f2c41d07be3a658\",\"source\":\"https://blog.example/\","
      "\"created\":\"2026-11-20T22:48:00Z\",\"first_seen\":null,"
      "\"last_seen\":null,\"groups\":[{\"key\":\"0\",\"links\":3,"
      "\"clicks\":12}],\"counters\":{\"clicks\":0},\"state\":\"up\"}",
      "source=https://blog.example/;|" }
};


static const bad_t  bad[] = {

    { "", 1, RFL_DAMAGED, "the body is empty" },
    { " \n ", 1, RFL_DAMAGED, "the body is empty" },
    { "[]", 1, RFL_DAMAGED, "there are no links in the array" },
    { " [ ] ", 1, RFL_DAMAGED, "there are no links in the array" },
    { "null", 1, RFL_DAMAGED,
      "the body is neither an object nor an array of objects" },
    { "\"x\"", 1, RFL_DAMAGED, NULL },
    { "1", 1, RFL_DAMAGED, NULL },
    { "\xef\xbb\xbf{}", 1, RFL_DAMAGED, NULL },

    { "{", 1, RFL_DAMAGED, NULL },
    { "[", 1, RFL_DAMAGED, NULL },
    { "[{", 1, RFL_DAMAGED, NULL },
    { "[{}", 1, RFL_DAMAGED, "no JSON at byte 3: \",\" or \"]\" is wanted "
      "behind links[0]" },
    { "[{},", 1, RFL_DAMAGED, NULL },
    { "[{},]", 1, RFL_DAMAGED, NULL },
    { "[,{}]", 1, RFL_DAMAGED, NULL },
    { "[{}{}]", 1, RFL_DAMAGED, NULL },
    { "[{}}]", 1, RFL_DAMAGED, NULL },
    { "[{]}]", 1, RFL_DAMAGED, NULL },
    { "[}", 1, RFL_DAMAGED, NULL },
    { "[{}] x", 1, RFL_DAMAGED,
      "no JSON at byte 5: the array has ended already" },
    { "[{}],{}", 1, RFL_DAMAGED, NULL },
    { "[{}][]", 1, RFL_DAMAGED, NULL },
    { "{} x", 1, RFL_DAMAGED, NULL },
    { "{},{}", 1, RFL_DAMAGED, NULL },
    { "{}{}", 1, RFL_DAMAGED, NULL },
    { "{}]", 1, RFL_DAMAGED, NULL },
    { "{\"name\":\"x}", 1, RFL_DAMAGED, NULL },
    { "{\"name\":\"x\\", 1, RFL_DAMAGED, NULL },
    { "{\"name\":'x'}", 1, RFL_DAMAGED, NULL },
    { "{name:\"x\"}", 1, RFL_DAMAGED, NULL },
    { "{\"name\":\"x\",}", 1, RFL_DAMAGED, NULL },
    { "{\"name\":NaN}", 1, RFL_DAMAGED, NULL },
    { "{\"cost\":01}", 1, RFL_DAMAGED, NULL },
    { "{\"cost\":1.}", 1, RFL_DAMAGED, NULL },
    { "{\"authority\":9223372036854775808}", 1, RFL_DAMAGED, NULL },
    { "{\"cost\":1e400}", 1, RFL_DAMAGED, NULL },
    { "{\"name\":\"a\nb\"}", 1, RFL_DAMAGED, NULL },
    { "{\"name\":\"\xff\"}", 1, RFL_DAMAGED, NULL },
    { "{\"name\":\"\xc0\x80\"}", 1, RFL_DAMAGED, NULL },
    { "{\"name\":\"\\ud800\"}", 1, RFL_DAMAGED, NULL },
    { "{\"name\":\"\\u0000\"}", 1, RFL_DAMAGED, NULL },
    { "{\"name\\u0000\":\"\"}", 1, RFL_DAMAGED, NULL },
    { "{\"name\":\"a\",\"name\":\"a\"}", 1, RFL_DAMAGED, NULL },
    { "[{\"counters\":{\"a\":1,\"a\":2}}]", 1, RFL_DAMAGED, NULL },

    { "[1]", 1, RFL_DAMAGED, "links[0]: an object is wanted" },
    { "[{},[]]", 1, RFL_DAMAGED, "links[1]: an object is wanted" },
    { "[{},null]", 1, RFL_DAMAGED, NULL },

    { "{\"colour\":\"red\"}", 1, RFL_INVALID,
      "colour: a link has no such member" },
    { "[{},{},{},{\"\":1}]", 1, RFL_INVALID,
      "links[3].: a link has no such member" },
    { "{\"Name\":\"x\"}", 1, RFL_INVALID, NULL },
    { "{\"key\":\"0\"}", 0, RFL_INVALID,
      "key: it is only shown, and cannot be set" },
    { "{\"counters\":{}}", 0, RFL_INVALID, NULL },
    { "{\"period\":{}}", 0, RFL_INVALID,
      "period: it is only shown, and cannot be set" },

    { "{\"name\":1}", 1, RFL_INVALID, "name: a string or null is wanted" },
    { "{\"name\":true}", 1, RFL_INVALID, NULL },
    { "{\"source\":{}}", 1, RFL_INVALID, NULL },
    { "{\"match_type\":0}", 1, RFL_INVALID, NULL },
    { "{\"listed_first\":2026}", 1, RFL_INVALID, NULL },
    { "[{},{\"target\":[]}]", 1, RFL_INVALID,
      "links[1].target: a string or null is wanted" },
    { "{\"authority\":true}", 1, RFL_INVALID,
      "authority: a number or null is wanted" },
    { "{\"cost\":[1]}", 1, RFL_INVALID, NULL },
    { "{\"labels\":\"a\"}", 1, RFL_INVALID,
      "labels: an array of strings or null is wanted" },
    { "{\"labels\":[1]}", 1, RFL_INVALID, NULL },
    { "{\"labels\":[\"a\",null]}", 1, RFL_INVALID, NULL },
    { "{\"labels\":[\"a,b\"]}", 1, RFL_INVALID,
      "labels: a label has no comma in it" }
};


static void
add(char *out, rfl_str_t s)
{
    strncat(out, (const char *) s.data, s.len);
}


static void
test_good(void **state)
{
    char           got[1024];
    size_t         i, k, n;
    rfl_rc_t       rc;
    rfl_error_t    err;
    rfl_json_in_t  in;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        n = strlen(good[i].body);
        got[0] = '\0';
        err.text[0] = '\0';

        rfl_json_in_open(&in, rfl_str(guard_copy(good[i].body, n), n));
        in.shown = 1;

        while ((rc = rfl_json_in_next(&in, &err)) == RFL_OK) {

            for (k = 0; k < in.nchanges; k++) {
                add(got, in.changes[k].field->name);
                strcat(got, "=");
                add(got, in.changes[k].value);
                strcat(got, ";");
            }

            strcat(got, "|");
        }

        if (rc != RFL_NOT_FOUND) {
            fail_msg("%s: %s", good[i].body, err.text);
        }

        assert_string_equal(got, good[i].wanted);
        assert_int_equal(rfl_json_in_next(&in, &err), RFL_NOT_FOUND);

        rfl_json_in_close(&in);
        guard_free_all();
    }
}


/* The error of the first link that has one. */

static rfl_rc_t
read_all(rfl_str_t body, unsigned shown, rfl_error_t *err)
{
    rfl_rc_t       rc;
    rfl_json_in_t  in;

    err->text[0] = '\0';

    rfl_json_in_open(&in, body);
    in.shown = shown ? 1 : 0;

    do {
        rc = rfl_json_in_next(&in, err);
    } while (rc == RFL_OK);

    rfl_json_in_close(&in);

    return rc;
}


static void
test_bad(void **state)
{
    size_t       i, n;
    rfl_rc_t     rc;
    rfl_error_t  err;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        n = strlen(bad[i].body);

        rc = read_all(rfl_str(guard_copy(bad[i].body, n), n), bad[i].shown,
                      &err);

        if (rc != bad[i].rc || err.text[0] == '\0') {
            fail_msg("%s: %d instead of %d, \"%s\"", bad[i].body, rc,
                     bad[i].rc, err.text);
        }

        if (bad[i].text != NULL) {
            assert_string_equal(err.text, bad[i].text);
        }

        guard_free_all();
    }
}


/* Each prefix of a body is refused, and nothing behind it is read. */

static void
test_cut(void **state)
{
    size_t       n;
    rfl_error_t  err;

    static const char  body[] = "[{\"name\":\"a\\\"\\u00e9\",\"labels\":"
                                "[\"x\"],\"authority\":5},{\"cost\":null}]";

    for (n = 0; n < sizeof(body) - 1; n++) {
        assert_int_equal(read_all(rfl_str(guard_copy(body, n), n), 0, &err),
                         RFL_DAMAGED);
        guard_free_all();
    }

    assert_int_equal(read_all(rfl_str(body, n), 0, &err), RFL_NOT_FOUND);
}


static size_t
repeat(char *out, size_t len, const char *text, size_t times)
{
    while (times-- > 0) {
        memcpy(out + len, text, strlen(text));
        len += strlen(text);
    }

    return len;
}


static void
test_number_of_links(void **state)
{
    char        *text;
    size_t       len;
    rfl_error_t  err;

    text = malloc(TEXT_MAX);
    assert_non_null(text);

    text[0] = '[';
    len = repeat(text, 1, "{},", RFL_JSON_IN_LINKS - 1);
    len = repeat(text, len, "{}]", 1);
    assert_int_equal(read_all(rfl_str(text, len), 0, &err), RFL_NOT_FOUND);

    len = repeat(text, len - 1, ",{}]", 1);
    assert_int_equal(read_all(rfl_str(text, len), 0, &err), RFL_FULL);
    assert_string_equal(err.text, "there are more than 10000 links");

    free(text);
}


/* Nesting, of the text that jansson is given and of what it is not. */

static void
test_depth(void **state)
{
    char        *text;
    size_t       len;
    rfl_error_t  err;

    text = malloc(TEXT_MAX);
    assert_non_null(text);

    len = repeat(text, 0, "{\"groups\":", 1);
    len = repeat(text, len, "[", RFL_JSON_IN_DEPTH - 1);
    len = repeat(text, len, "]", RFL_JSON_IN_DEPTH - 1);
    len = repeat(text, len, "}", 1);
    assert_int_equal(read_all(rfl_str(text, len), 1, &err), RFL_NOT_FOUND);

    len = repeat(text, 0, "{\"groups\":", 1);
    len = repeat(text, len, "[", RFL_JSON_IN_DEPTH);
    len = repeat(text, len, "]", RFL_JSON_IN_DEPTH);
    len = repeat(text, len, "}", 1);
    assert_int_equal(read_all(rfl_str(text, len), 1, &err), RFL_FULL);

    len = repeat(text, 0, "[", 1000000);
    assert_int_equal(read_all(rfl_str(text, len), 1, &err), RFL_FULL);

    len = repeat(text, 0, "[{\"groups\":", 1);
    len = repeat(text, len, "[", 1000000);
    assert_int_equal(read_all(rfl_str(text, len), 1, &err), RFL_FULL);

    free(text);
}


static void
test_size_of_a_link(void **state)
{
    char        *text;
    size_t       len;
    rfl_error_t  err;

    text = malloc(TEXT_MAX);
    assert_non_null(text);

    len = repeat(text, 0, "[{\"note\":\"", 1);
    len = repeat(text, len, "x", RFL_JSON_IN_SIZE - 11);
    len = repeat(text, len, "\"}]", 1);
    assert_int_equal(read_all(rfl_str(text, len), 0, &err), RFL_NOT_FOUND);

    len = repeat(text, len - 3, "x\"}]", 1);
    assert_int_equal(read_all(rfl_str(text, len), 0, &err), RFL_FULL);
    assert_string_equal(err.text, "links[0]: longer than 131072 bytes");

    /* white space around it is none of it */

    len = repeat(text, 0, "{\"note\":\"x\"}", 1);
    len = repeat(text, len, " ", 2 * RFL_JSON_IN_SIZE);
    assert_int_equal(read_all(rfl_str(text, len), 0, &err), RFL_NOT_FOUND);

    /* a string that does not end is read once, not byte for byte */

    len = repeat(text, 0, "[{\"note\":\"", 1);
    len = repeat(text, len, "x", 3 << 20);
    assert_int_equal(read_all(rfl_str(text, len), 0, &err), RFL_FULL);

    free(text);
}


static void
test_labels_fill_the_room(void **state)
{
    char        *text;
    size_t       len;
    rfl_error_t  err;

    text = malloc(TEXT_MAX);
    assert_non_null(text);

    len = repeat(text, 0, "{\"labels\":[\"x\"", 1);
    len = repeat(text, len, ",\"x\"", RFL_LABELS_TEXT_MAX - 1);
    len = repeat(text, len, "]}", 1);
    assert_int_equal(read_all(rfl_str(text, len), 0, &err), RFL_NOT_FOUND);

    len = repeat(text, len - 2, ",\"x\"]}", 1);
    assert_int_equal(read_all(rfl_str(text, len), 0, &err), RFL_INVALID);
    assert_string_equal(err.text, "labels: they are too long");

    free(text);
}


static const struct {
    const char  *text;
    rfl_rc_t     rc;
    int          is_page;
} frames[] = {
    { "{\"links\":[]}", RFL_OK, 0 },
    { "{\"links\":[],\"next\":null}\n", RFL_OK, 0 },
    { "{\"next\":null,\"links\":[]}", RFL_OK, 0 },
    { "{\"links\":[],\"next\":\"0-aa\"}", RFL_OK, 1 },
    { "{\"next\":\"0-aa\",\"links\":[],\"shown\":null}", RFL_OK, 1 },
    { "{\"links\":[],\"next\":false}", RFL_OK, 1 },
    { "{\"period\":{\"next\":\"x\"},\"links\":[]}", RFL_OK, 0 },
    { "{\"links\":[],\"links\":[]}", RFL_DAMAGED, 0 },
    { "{\"links\":[],\"next\":null", RFL_DAMAGED, 0 },
    { "{\"links\":[],}", RFL_DAMAGED, 0 },
    { "{\"links\":[]}}", RFL_DAMAGED, 0 },
    { "{\"links\":[]", RFL_DAMAGED, 0 },
    { "", RFL_DAMAGED, 0 }
};


static void
test_what_is_around_a_list(void **state)
{
    int          is_page;
    size_t       i, n;
    rfl_rc_t     rc;
    rfl_error_t  err;

    for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        n = strlen(frames[i].text);
        is_page = 0;

        rc = rfl_json_in_frame(rfl_str(guard_copy(frames[i].text, n), n),
                               &is_page, &err);

        if (rc != frames[i].rc || is_page != frames[i].is_page) {
            fail_msg("%s: %d, %d", frames[i].text, rc, is_page);
        }

        guard_free_all();
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_number_of_links),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_size_of_a_link),
        cmocka_unit_test(test_labels_fill_the_room),
        cmocka_unit_test(test_what_is_around_a_list)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
