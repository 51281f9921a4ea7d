/* Which links pass: each filter at its edges, and what none can be. */

#include "rfl_filter.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "guard.h"


typedef struct {
    rfl_filter_field_t   field;
    const char          *value;
    const char          *channel;
    const char          *origin;
    const char          *partner;
    const char          *labels;
    const char          *name;
    int                  passes;
} row_t;


static const row_t  rows[] = {
    { RFL_FILTER_CHANNEL, "paid", "paid", "", "", "", "", 1 },
    { RFL_FILTER_CHANNEL, "paid", "press", "", "", "", "", 0 },
    { RFL_FILTER_CHANNEL, "Guest Posting", "guest-post", "", "", "", "", 1 },
    { RFL_FILTER_CHANNEL, "", "", "", "", "", "", 1 },
    { RFL_FILTER_CHANNEL, "unassigned", "", "", "", "", "", 1 },
    { RFL_FILTER_CHANNEL, "", "paid", "", "", "", "", 0 },

    { RFL_FILTER_ORIGIN, "paid", "paid", "", "", "", "", 1 },
    { RFL_FILTER_ORIGIN, "paid", "paid", "earned", "", "", "", 0 },
    { RFL_FILTER_ORIGIN, "earned", "paid", "earned", "", "", "", 1 },
    { RFL_FILTER_ORIGIN, "other", "", "", "", "", "", 1 },

    { RFL_FILTER_PARTNER, "Acme", "", "", "Acme", "", "", 1 },
    { RFL_FILTER_PARTNER, "Acme", "", "", "acme", "", "", 0 },
    { RFL_FILTER_PARTNER, "Acme", "", "", "Acme 2", "", "", 0 },
    { RFL_FILTER_PARTNER, "", "", "", "", "", "", 1 },
    { RFL_FILTER_PARTNER, "", "", "", "Acme", "", "", 0 },

    { RFL_FILTER_LABEL, "q4", "", "", "", "q4", "", 1 },
    { RFL_FILTER_LABEL, "q4", "", "", "", "eu,q4", "", 1 },
    { RFL_FILTER_LABEL, "q4", "", "", "", "eu,q4,x", "", 1 },
    { RFL_FILTER_LABEL, "q4", "", "", "", "q4,x", "", 1 },
    { RFL_FILTER_LABEL, "q4", "", "", "", "q44,aq4,Q4", "", 0 },
    { RFL_FILTER_LABEL, "q4", "", "", "", "", "", 0 },
    { RFL_FILTER_LABEL, "", "", "", "", "", "", 1 },
    { RFL_FILTER_LABEL, "", "", "", "", "q4", "", 0 },

    { RFL_FILTER_TEXT, "launch", "", "", "", "", "Launch post", 1 },
    { RFL_FILTER_TEXT, "POST", "", "", "", "", "Launch post", 1 },
    { RFL_FILTER_TEXT, "post!", "", "", "", "", "Launch post", 0 },
    { RFL_FILTER_TEXT, "\xc3\x96", "", "", "", "", "S\xc3\xb6hne", 0 },
    { RFL_FILTER_TEXT, "\xff", "", "", "", "", "a\xff", 1 },
    { RFL_FILTER_TEXT, "", "", "", "", "", "", 1 },
    { RFL_FILTER_TEXT, "acm", "", "", "Acme", "", "", 1 },
    { RFL_FILTER_TEXT, "q4", "", "", "", "q4", "", 0 }
};


static rfl_str_t
text(const char *s)
{
    return rfl_str(guard_copy(s, strlen(s)), strlen(s));
}


static void
test_filters(void **state)
{
    size_t            i, searched;
    rfl_link_t        link;
    rfl_filter_t      f;
    const row_t      *row;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        row = &rows[i];

        memset(&link, 0, sizeof(rfl_link_t));
        link.channel = text(row->channel);
        link.origin = text(row->origin);
        link.partner = text(row->partner);
        link.labels = text(row->labels);
        link.name = text(row->name);

        memset(&f, 0, sizeof(rfl_filter_t));
        searched = 0;

        assert_int_equal(rfl_filter_link(&f, &link, &searched), 1);
        assert_int_equal(rfl_filter_set(&f, row->field, text(row->value)),
                         RFL_OK);

        if (rfl_filter_link(&f, &link, &searched) != row->passes) {
            fail_msg("row %zu, \"%s\"", i, row->value);
        }

        guard_free_all();
    }
}


static void
test_text_is_searched_in_all_these_fields(void **state)
{
    size_t         i, searched;
    rfl_link_t     link;
    rfl_filter_t   f;

    static const char *const  names[] = { "source", "target", "name",
                                          "partner", "tag", "anchor", "note" };

    memset(&f, 0, sizeof(rfl_filter_t));
    assert_int_equal(rfl_filter_set(&f, RFL_FILTER_TEXT, rfl_cstr("/ThiS")),
                     RFL_OK);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        memset(&link, 0, sizeof(rfl_link_t));
        searched = 0;

        assert_false(rfl_filter_link(&f, &link, &searched));
        assert_int_equal(searched, 0);

        *rfl_link_slice(&link, rfl_link_field(rfl_cstr(names[i]))) =
            rfl_cstr("a/tHis");

        if (!rfl_filter_link(&f, &link, &searched)) {
            fail_msg("%s", names[i]);
        }

        assert_int_equal(searched, 6);
    }
}


static void
test_hosts(void **state)
{
    size_t        i;
    rfl_filter_t  f;

    static const struct {
        const char  *value;
        const char  *surt;
        int          passes;
    } hosts[] = {
        { "blog.example", "example,blog)/x", 1 },
        { "WWW.Blog.Example:8080", "example,blog)/x", 1 },
        { "blog.example", "example,blog)", 1 },
        { "blog.example", "example,blog", 0 },
        { "blog.example", "example,blog,eu)/", 0 },
        { "blog.example", "example,blog-two)/", 0 },
        { ".blog.example", "example,blog,eu)/", 1 },
        { ".blog.example", "example,blog)/", 1 },
        { ".blog.example", "example,blog-two)/", 0 },
        { ".blog.example", "example)/", 0 },
        { ".example", "example,blog)/", 1 },
        { "192.0.2.1", "192.0.2.1)/", 1 },
        { "[2001:DB8::1]", "[2001:db8::1])/", 1 },
        { "b\xc3\xbc" "cher.example", "example,xn--bcher-kva)/", 1 },
        { "", ")tag", 1 },
        { "", "example)/", 0 }
    };

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        memset(&f, 0, sizeof(rfl_filter_t));

        assert_int_equal(rfl_filter_set(&f, RFL_FILTER_HOST,
                                        text(hosts[i].value)), RFL_OK);

        if (rfl_filter_host(&f, text(hosts[i].surt)) != hosts[i].passes) {
            fail_msg("%s, %s", hosts[i].value, hosts[i].surt);
        }

        guard_free_all();
    }
}


static void
test_states(void **state)
{
    unsigned      i, other;
    rfl_filter_t  f;

    for (i = 0; i < RFL_STATES; i++) {
        memset(&f, 0, sizeof(rfl_filter_t));

        assert_int_equal(rfl_filter_set(&f, RFL_FILTER_STATE,
                                        rfl_state_names[i]), RFL_OK);

        for (other = 0; other < RFL_STATES; other++) {
            assert_int_equal(rfl_filter_state(&f, (rfl_state_t) other),
                             other == i);
        }
    }
}


static void
test_what_no_link_can_have(void **state)
{
    char          longest[RFL_FILTER_MAX + 1];
    size_t        i;
    rfl_filter_t  f;

    static const struct {
        rfl_filter_field_t  field;
        const char         *value;
    } bad[] = {
        { RFL_FILTER_CHANNEL, "no channel, this" },
        { RFL_FILTER_ORIGIN, "" },
        { RFL_FILTER_ORIGIN, "bought" },
        { RFL_FILTER_STATE, "" },
        { RFL_FILTER_STATE, "lost" },
        { RFL_FILTER_HOST, "." },
        { RFL_FILTER_HOST, "..blog.example" },
        { RFL_FILTER_HOST, "blog example" },
        { RFL_FILTER_HOST, "blog.example/path" }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&f, 0, sizeof(rfl_filter_t));

        if (rfl_filter_set(&f, bad[i].field, rfl_cstr(bad[i].value))
            != RFL_INVALID)
        {
            fail_msg("\"%s\"", bad[i].value);
        }

        assert_int_equal(f.given, 0);
    }

    memset(longest, 'x', sizeof(longest));

    assert_int_equal(rfl_filter_set(&f, RFL_FILTER_TEXT,
                                    rfl_str(longest, RFL_FILTER_MAX)),
                     RFL_OK);
    assert_int_equal(rfl_filter_set(&f, RFL_FILTER_TEXT,
                                    rfl_str(longest, RFL_FILTER_MAX + 1)),
                     RFL_INVALID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_text_is_searched_in_all_these_fields),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_what_no_link_can_have),
    };

    return cmocka_run_group_tests_name("rfl_filter", tests, NULL, NULL);
}
