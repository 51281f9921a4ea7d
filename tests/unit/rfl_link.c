/*
 * Fields of a link: what is taken, what is refused and with which words;
 * records: what was encoded decodes, what was damaged is refused.
 */

#include "rfl_link.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "guard.h"


typedef struct {
    const char  *field;
    const char  *input;
    const char  *wanted;
} accept_row_t;

typedef struct {
    const char  *field;
    const char  *input;
    const char  *message;
} refuse_row_t;

typedef struct {
    const char  *field;
    size_t       max;
} limit_row_t;

typedef struct {
    const char  *channel;
    const char  *origin;
    const char  *wanted;
} origin_row_t;

typedef struct {
    const char  *name;
    const char  *bytes;
    size_t       len;
    rfl_rc_t     rc;
} record_row_t;


static const accept_row_t  accept_rows[] = {

    { "source", " https://blog.example/a \r\n", "https://blog.example/a" },
    { "source", "https://b\xc3\xbc" "cher.example/",
      "https://b\xc3\xbc" "cher.example/" },
    { "source", "https://blog.example/a\xc2\xa0", "https://blog.example/a" },
    { "source", "\xef\xbb\xbf\xe2\x80\xaahttps://blog.example/a"
      "\xe2\x80\xac \xe2\x80\x8b\xc2\xa0\xe3\x80\x80",
      "https://blog.example/a" },
    { "source", "https://blog.example/\xc2\xa0" "a\xe2\x80\xa6",
      "https://blog.example/\xc2\xa0" "a\xe2\x80\xa6" },
    { "target", "\xe2\x81\xa0/pricing\xe2\x80\xaf", "/pricing" },
    { "target", "\xc2\xa0 \xe2\x80\x8b", "" },
    { "target", "/\xa0\x80\x8b", "/\xa0\x80\x8b" },
    { "name", "Launch\xe2\x80\x8f", "Launch\xe2\x80\x8f" },
    { "target", "/pricing?plan=1", "/pricing?plan=1" },
    { "tag", "partner42", "partner42" },
    { "tag", "a+b%20c;d", "a+b%20c;d" },
    { "name", "  Launch post\t", "Launch post" },
    { "name", "\xff\xfe no UTF-8", "\xff\xfe no UTF-8" },
    { "name", "   ", "" },
    { "note", "one\n\ttwo", "one\n\ttwo" },

    { "channel", "natural", "natural" },
    { "channel", "guest-post", "guest-post" },
    { "channel", "guest posting", "guest-post" },
    { "channel", "Guest Post", "guest-post" },
    { "channel", "GUEST_POST", "guest-post" },
    { "channel", "guest - posting", "guest-post" },
    { "channel", "social shares", "social" },
    { "channel", "Social media", "social" },
    { "channel", "Broken link building", "broken-link" },
    { "channel", "resource page", "resource" },
    { "channel", "resource pages", "resource" },
    { "channel", "Influencer Marketing", "influencer" },
    { "channel", "PR", "press" },
    { "channel", "digital PR", "press" },
    { "channel", "e-mail", "email" },
    { "channel", "Newsletter", "email" },
    { "channel", "Word of mouth", "word-of-mouth" },
    { "channel", "AI", "ai" },
    { "channel", "Unassigned", "" },
    { "channel", "podcast", "podcast" },
    { "channel", "my-own-2", "my-own-2" },
    { "channel", "", "" },

    { "origin", "Earned", "earned" },
    { "origin", "built", "built" },
    { "origin", "created", "created" },
    { "origin", "paid", "paid" },
    { "origin", "other", "other" },
    { "placement", "Content", "content" },
    { "placement", "header", "header" },
    { "placement", "footer", "footer" },
    { "placement", "sidebar", "sidebar" },
    { "placement", "comment", "comment" },
    { "placement", "bio", "bio" },
    { "placement", "other", "other" },
    { "rel", "follow", "follow" },
    { "rel", "DoFollow", "follow" },
    { "rel", "nofollow", "nofollow" },
    { "rel", "no-follow", "nofollow" },
    { "rel", "sponsored", "sponsored" },
    { "rel", "UGC", "ugc" },

    { "authority", "0", "0" },
    { "authority", " 55 ", "55" },
    { "authority", "100", "100" },
    { "cost", "0", "0" },
    { "cost", "0.50", "0.50" },
    { "cost", "120", "120" },
    { "cost", "120.50", "120.50" },
    { "cost", "120.5", "120.5" },
    { "cost", "999999999999.9999", "999999999999.9999" },

    { "listed_first", "2026-11-20", "2026-11-20" },
    { "listed_first", "2024-02-29", "2024-02-29" },
    { "listed_first", "2000-02-29", "2000-02-29" },
    { "listed_first", "2026-11-20T22:48:00Z", "2026-11-20T22:48:00Z" },
    { "listed_last", "2026-11-20t22:48:00.123456z",
      "2026-11-20t22:48:00.123456z" },
    { "listed_last", "2026-11-20T22:48:00+05:30",
      "2026-11-20T22:48:00+05:30" },
    { "listed_last", "1990-12-31T23:59:60Z", "1990-12-31T23:59:60Z" },
    { "listed_last", "1990-12-31T15:59:60-08:00",
      "1990-12-31T15:59:60-08:00" },
    { "listed_last", "2026-11-20T22:48:00.12345678901234-08:00",
      "2026-11-20T22:48:00.12345678901234-08:00" },

    { "labels", "q4", "q4" },
    { "labels", "a,b,c", "a,b,c" },
    { "labels", " b , a ", "a,b" },
    { "labels", "b,a,b,,a,", "a,b" },
    { "labels", "B,a,C", "B,C,a" },
    { "labels", "ab,a,b,abc", "a,ab,abc,b" },
    { "labels", "two words,\xc3\xa4", "two words,\xc3\xa4" },
    { "labels", " , ,", "" }
};


static const refuse_row_t  refuse_rows[] = {

    { "source", "https://a.example/\x01", "source \"https://a.example/?\": "
      "holds a control character" },
    { "target", "/a\nb", "target \"/a?b\": holds a control character" },
    { "name", "a\tb", "name \"a?b\": holds a control character" },
    { "anchor", "a\x1b[31m", "anchor \"a?[31m\": holds a control character" },
    { "partner", "a\rb", "partner \"a?b\"" },
    { "note", "a\rb", "note \"a?b\": holds a control character other than "
      "tab and newline" },
    { "note", "a\x1f" "b", "note" },

    { "tag", "a b", "tag \"a b\": holds a space or a control character" },
    { "tag", "a\x7f", "tag \"a?\": holds a space" },
    { "tag", "a&b", "tag \"a&b\": holds \"&\", \"=\" or \"#\"" },
    { "tag", "a=b", "tag \"a=b\"" },
    { "tag", "a#b", "tag \"a#b\"" },

    { "channel", "My Own", "channel \"My Own\": must be one of natural, "
      "outreach" },
    { "channel", "-x", "channel \"-x\"" },
    { "channel", "caf\xc3\xa9", "channel \"caf\xc3\xa9\"" },
    { "channel", "caf\xc3", "channel \"caf?\"" },
    { "channel", "a_b", "a word of a-z, 0-9 and \"-\"" },
    { "origin", "stolen", "origin \"stolen\": must be one of earned, built, "
      "created, paid, other" },
    { "placement", "roof", "placement \"roof\": must be one of content, " },
    { "rel", "me", "rel \"me\": must be one of follow, nofollow, sponsored, "
      "ugc" },
    { "match_type", "fuzzy", "match_type \"fuzzy\"" },

    { "authority", "101", "authority \"101\": must be a whole number from 0 "
      "to 100" },
    { "authority", "-1", "authority \"-1\"" },
    { "authority", "5.5", "authority \"5.5\"" },
    { "authority", "055", "authority \"055\"" },
    { "authority", "1000", "authority \"1000\": must be a whole number from "
      "0 to 100" },
    { "authority", "99999999999999999999", "authority \"9999" },
    { "authority", "x", "authority \"x\"" },

    { "cost", "-1", "cost \"-1\": must be a number such as 120 or 120.50" },
    { "cost", "1,50", "cost \"1,50\"" },
    { "cost", "01", "cost \"01\"" },
    { "cost", ".5", "cost \".5\"" },
    { "cost", "5.", "cost \"5.\"" },
    { "cost", "1.2.3", "cost \"1.2.3\"" },
    { "cost", "1e3", "cost \"1e3\"" },
    { "cost", "12 EUR", "cost \"12 EUR\"" },
    { "cost", "1000000000000", "at most 12 digits before the point" },
    { "cost", "1.00001", "and 4 behind it" },

    { "listed_first", "20.11.2026", "listed_first \"20.11.2026\": must be a "
      "date, YYYY-MM-DD" },
    { "listed_first", "2026-1-2", "must be a date" },
    { "listed_first", "2026-11-2x", "must be a date" },
    { "listed_first", "2026-00-01", "there is no such month" },
    { "listed_first", "2026-13-01", "there is no such month" },
    { "listed_first", "2026-11-00", "there is no such day" },
    { "listed_first", "2026-11-31", "there is no such day" },
    { "listed_first", "2026-02-29", "there is no such day" },
    { "listed_first", "1900-02-29", "there is no such day" },
    { "listed_first", "2024-02-30", "there is no such day" },
    { "listed_first", "2026-11-20T", "the time is not as in RFC 3339" },
    { "listed_first", "2026-11-20 22:48:00Z", "the time is not" },
    { "listed_first", "2026-11-20T22:48:00", "the time is not" },
    { "listed_first", "2026-11-20T22:48Z", "the time is not" },
    { "listed_first", "2026-11-20T24:00:00Z", "the time is not" },
    { "listed_first", "2026-11-20T22:60:00Z", "the time is not" },
    { "listed_first", "2026-11-20T22:48:61Z", "the time is not" },
    { "listed_first", "2026-11-20T22:48:60Z", "the time is not" },
    { "listed_first", "2026-11-20T22:48:00.Z", "the time is not" },
    { "listed_first", "2026-11-20T22:48:00+24:00", "the time is not" },
    { "listed_first", "2026-11-20T22:48:00+0100", "the time is not" },
    { "listed_first", "2026-11-20T22:48:00+01:60", "the time is not" },
    { "listed_first", "2026-11-20T22:48:00Zx", "the time is not" },
    { "listed_last", "2026-11-20T22:48:00.123456789012345-08:00",
      "is longer than 40 bytes" },

    { "labels", "ok,a\x01" "b", "labels \"a?b\": holds a control character" }
};


/* With a byte that each of these fields allows. */

static const limit_row_t  limit_rows[] = {
    { "source", RFL_URL_MAX },
    { "target", RFL_URL_MAX },
    { "tag", RFL_TAG_MAX },
    { "name", RFL_NAME_MAX },
    { "channel", RFL_WORD_MAX },
    { "partner", RFL_PARTNER_MAX },
    { "anchor", RFL_ANCHOR_MAX },
    { "labels", RFL_WORD_MAX },
    { "note", RFL_NOTE_MAX }
};


static const origin_row_t  origin_rows[] = {
    { "natural",       "",       "earned" },
    { "outreach",      "",       "built" },
    { "resource",      "",       "built" },
    { "broken-link",   "",       "built" },
    { "influencer",    "",       "built" },
    { "press",         "",       "built" },
    { "guest-post",    "",       "created" },
    { "directory",     "",       "created" },
    { "partner",       "",       "paid" },
    { "paid",          "",       "paid" },
    { "artificial",    "",       "paid" },
    { "social",        "",       "other" },
    { "email",         "",       "other" },
    { "search",        "",       "other" },
    { "word-of-mouth", "",       "other" },
    { "ai",            "",       "other" },
    { "other",         "",       "other" },
    { "podcast",       "",       "other" },
    { "",              "",       "other" },
    { "paid",          "earned", "earned" }
};


/* version, key, id 5, revision 1, created 300, match type "host" */

#define HEAD  "\x01" "KEYKEYKE" "\x05" "\x01" "\xac\x02" "\x02"

#define record(bytes)  bytes, sizeof(bytes) - 1

static const record_row_t  record_rows[] = {
    { "no fields",       record(HEAD), RFL_OK },
    { "one field",       record(HEAD "\x01\x01" "s"), RFL_OK },
    { "two fields",      record(HEAD "\x01\x01" "s" "\x04\x02" "ta"), RFL_OK },
    { "greatest numbers",
      record("\x01" "KEYKEYKE" "\xff\xff\xff\xff\x0f" "\xff\xff\xff\xff\x0f"
             "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" "\x00"), RFL_OK },
    { "empty",           record(""), RFL_DAMAGED },
    { "version 0",       record("\x00"), RFL_BAD_VERSION },
    { "version 2",       record("\x02"), RFL_BAD_VERSION },
    { "new match type",
      record("\x01" "KEYKEYKE" "\x05\x01\x02\x7f"), RFL_BAD_VERSION },
    { "field 0",         record(HEAD "\x00\x01" "s"), RFL_BAD_VERSION },
    { "field match_type", record(HEAD "\x02\x01" "s"), RFL_BAD_VERSION },
    { "field 18",        record(HEAD "\x12\x01" "s"), RFL_BAD_VERSION },
    { "field 2^63",      record(HEAD "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"
                                "\x01" "s"), RFL_BAD_VERSION },
    { "head ends",       record("\x01" "KEYKEYK"), RFL_DAMAGED },
    { "id ends",         record("\x01" "KEYKEYKE" "\x80"), RFL_DAMAGED },
    { "id too great",    record("\x01" "KEYKEYKE" "\x80\x80\x80\x80\x10"
                                "\x01\x02\x02"), RFL_DAMAGED },
    { "created beyond 64 bits",
      record("\x01" "KEYKEYKE" "\x05\x01"
             "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02" "\x02"),
      RFL_DAMAGED },
    { "varint of 11 bytes",
      record("\x01" "KEYKEYKE" "\x05\x01"
             "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00" "\x02"),
      RFL_DAMAGED },
    { "varint not in shortest form",
      record("\x01" "KEYKEYKE" "\x85\x00" "\x01\x02\x02"), RFL_DAMAGED },
    { "no match type",   record("\x01" "KEYKEYKE" "\x05\x01\x02"),
      RFL_DAMAGED },
    { "number alone",    record(HEAD "\x01"), RFL_DAMAGED },
    { "length 0",        record(HEAD "\x01\x00"), RFL_DAMAGED },
    { "bytes end",       record(HEAD "\x01\x02" "s"), RFL_DAMAGED },
    { "length beyond the record",
      record(HEAD "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" "s"),
      RFL_DAMAGED },
    { "length over the limit", record(HEAD "\x0b\x04" "1000"), RFL_DAMAGED },
    { "field twice",     record(HEAD "\x01\x01" "s" "\x01\x01" "s"),
      RFL_DAMAGED },
    { "fields out of order", record(HEAD "\x04\x01" "t" "\x01\x01" "s"),
      RFL_DAMAGED }
};


static rfl_rc_t set(rfl_link_t *link, const char *name, rfl_str_t value,
    u_char *scratch, rfl_error_t *err);
static void assert_slice(rfl_str_t s, const char *wanted);
static void fill(rfl_link_t *link, u_char *bytes, size_t divisor);
static void assert_same(rfl_link_t *a, rfl_link_t *b);


static void
fields_stand_in_the_documented_order(void **state)
{
    size_t             i;
    static const char  *const names[] = {
        "source", "match_type", "target", "tag", "name", "channel", "origin",
        "partner", "placement", "rel", "authority", "anchor", "labels",
        "note", "cost", "listed_first", "listed_last"
    };

    assert_int_equal(rfl_link_nfields, sizeof(names) / sizeof(names[0]));

    for (i = 0; i < rfl_link_nfields; i++) {
        assert_slice(rfl_link_fields[i].name, names[i]);
        assert_ptr_equal(rfl_link_field(rfl_cstr(names[i])),
                         &rfl_link_fields[i]);
        assert_int_equal(rfl_link_fields[i].identity, i < 3);
        assert_true(strlen(rfl_link_fields[i].doc) > 0);
    }

    assert_null(rfl_link_field(rfl_cstr("Source")));
    assert_null(rfl_link_field(rfl_cstr("sourc")));
    assert_null(rfl_link_field(rfl_str(NULL, 0)));
}


static void
valid_values_are_taken_in_their_plain_form(void **state)
{
    size_t               i;
    u_char               scratch[RFL_LABELS_TEXT_MAX];
    rfl_link_t           link;
    rfl_error_t          err;
    const accept_row_t  *row;

    for (i = 0; i < sizeof(accept_rows) / sizeof(accept_rows[0]); i++) {
        row = &accept_rows[i];

        memset(&link, 0, sizeof(link));
        err.text[0] = '\0';

        if (set(&link, row->field, rfl_cstr(row->input), scratch, &err)
            != RFL_OK)
        {
            fail_msg("%s \"%s\": %s", row->field, row->input, err.text);
        }

        assert_slice(*rfl_link_slice(&link,
                                     rfl_link_field(rfl_cstr(row->field))),
                     row->wanted);
    }

    /* a text that has no bytes at all */

    assert_int_equal(rfl_link_set(&link, rfl_link_field(rfl_cstr("target")),
                                  rfl_str(NULL, 0), scratch, &err), RFL_OK);

    guard_free_all();
}


static void
faulty_values_are_refused_with_field_value_and_fault(void **state)
{
    size_t               i;
    u_char               scratch[RFL_LABELS_TEXT_MAX];
    rfl_link_t           link, before;
    rfl_error_t          err;
    const refuse_row_t  *row;

    for (i = 0; i < sizeof(refuse_rows) / sizeof(refuse_rows[0]); i++) {
        row = &refuse_rows[i];

        memset(&link, 'x', sizeof(link));
        before = link;

        assert_int_equal(set(&link, row->field, rfl_cstr(row->input),
                             scratch, &err),
                         RFL_INVALID);

        assert_int_equal(err.rc, RFL_INVALID);

        if (strstr(err.text, row->message) == NULL) {
            fail_msg("%s \"%s\" says: %s", row->field, row->input, err.text);
        }

        assert_memory_equal(&link, &before, sizeof(link));
        assert_int_equal(set(&link, row->field, rfl_cstr(row->input),
                             scratch, NULL),
                         RFL_INVALID);
    }

    guard_free_all();
}


static void
values_are_taken_up_to_their_limit_and_no_further(void **state)
{
    char                wanted[64];
    size_t              i;
    u_char              scratch[RFL_LABELS_TEXT_MAX], bytes[RFL_URL_MAX + 1];
    rfl_str_t           value;
    rfl_link_t          link;
    rfl_error_t         err;
    const limit_row_t  *row;

    memset(bytes, 'a', sizeof(bytes));

    for (i = 0; i < sizeof(limit_rows) / sizeof(limit_rows[0]); i++) {
        row = &limit_rows[i];
        memset(&link, 0, sizeof(link));

        value = rfl_str(bytes, row->max);
        assert_int_equal(set(&link, row->field, value, scratch, &err), RFL_OK);

        value.len++;
        assert_int_equal(set(&link, row->field, value, scratch, &err),
                         RFL_INVALID);

        (void) snprintf(wanted, sizeof(wanted), "is longer than %zu bytes",
                        row->max);
        assert_non_null(strstr(err.text, wanted));
    }

    guard_free_all();
}


static void
nul_is_refused_in_every_field(void **state)
{
    size_t       i;
    u_char       scratch[RFL_LABELS_TEXT_MAX];
    rfl_link_t   link;
    rfl_error_t  err;

    for (i = 0; i < rfl_link_nfields; i++) {
        assert_int_equal(rfl_link_set(&link, &rfl_link_fields[i],
                                      rfl_str("a\0b", 3), scratch, &err),
                         RFL_INVALID);
    }
}


static void
a_message_shows_60_bytes_of_a_value(void **state)
{
    char         value[62], shown[128];
    rfl_link_t   link;
    rfl_error_t  err;

    memset(value, 'A', sizeof(value));
    value[61] = '\0';

    assert_int_equal(set(&link, "rel", rfl_str(value, 60), NULL, &err),
                     RFL_INVALID);
    (void) snprintf(shown, sizeof(shown), "rel \"%.60s\":", value);
    assert_non_null(strstr(err.text, shown));

    assert_int_equal(set(&link, "rel", rfl_str(value, 61), NULL, &err),
                     RFL_INVALID);
    (void) snprintf(shown, sizeof(shown), "rel \"%.60s...\":", value);
    assert_non_null(strstr(err.text, shown));

    guard_free_all();
}


static void
an_empty_value_clears_a_field(void **state)
{
    size_t      i;
    u_char      scratch[RFL_LABELS_TEXT_MAX];
    rfl_link_t  link;

    memset(&link, 'x', sizeof(link));

    for (i = 0; i < rfl_link_nfields; i++) {
        assert_int_equal(rfl_link_set(&link, &rfl_link_fields[i],
                                      rfl_str(" \t", 2), scratch, NULL),
                         RFL_OK);

        if (rfl_link_fields[i].type != RFL_FIELD_MATCH_TYPE) {
            assert_int_equal(rfl_link_slice(&link, &rfl_link_fields[i])->len,
                             0);
        }
    }

    assert_int_equal(link.match_type, RFL_MATCH_EXACT);
}


static void
a_match_type_is_taken_by_its_name(void **state)
{
    size_t      i;
    rfl_link_t  link;

    memset(&link, 0, sizeof(link));

    for (i = 0; i < RFL_MATCH_TYPES; i++) {
        assert_int_equal(set(&link, "match_type", rfl_match_type_names[i],
                             NULL, NULL),
                         RFL_OK);
        assert_int_equal(link.match_type, i);
    }

    guard_free_all();
}


static void
sorted_labels_stay_in_the_callers_bytes(void **state)
{
    u_char       scratch[RFL_LABELS_TEXT_MAX];
    rfl_str_t    value;
    rfl_link_t   link;

    memset(scratch, 'z', sizeof(scratch));
    value = rfl_cstr("a,b");

    assert_int_equal(rfl_link_set(&link, rfl_link_field(rfl_cstr("labels")),
                                  value, scratch, NULL),
                     RFL_OK);
    assert_ptr_equal(link.labels.data, value.data);
    assert_int_equal(scratch[0], 'z');
}


static void
labels_may_be_set_from_their_own_scratch(void **state)
{
    u_char       scratch[RFL_LABELS_TEXT_MAX];
    rfl_link_t   link;

    memcpy(scratch, "c,b,a", 5);

    assert_int_equal(rfl_link_set(&link, rfl_link_field(rfl_cstr("labels")),
                                  rfl_str(scratch, 5), scratch, NULL),
                     RFL_OK);
    assert_slice(link.labels, "a,b,c");
}


static void
labels_together_are_taken_up_to_their_limit(void **state)
{
    size_t       i, len;
    u_char       scratch[RFL_LABELS_TEXT_MAX], text[RFL_LABELS_TEXT_MAX + 32];
    rfl_link_t   link;
    rfl_error_t  err;

    /* 15 of 64 bytes, then one of 49: 15 * 65 + 49 == 1024 */

    len = 0;

    for (i = 0; i < 16; i++) {
        memset(text + len, 'a' + (int) (15 - i), 64);
        len += (i < 15) ? 64 : 49;
        text[len++] = ',';
    }

    len--;
    assert_int_equal(len, RFL_LABELS_TEXT_MAX);

    assert_int_equal(set(&link, "labels", rfl_str(text, len), scratch, &err),
                     RFL_OK);
    assert_int_equal(link.labels.len, RFL_LABELS_TEXT_MAX);
    assert_int_equal(link.labels.data[0], 'a');

    text[len++] = 'a';

    assert_int_equal(set(&link, "labels", rfl_str(text, len), scratch, &err),
                     RFL_INVALID);
    assert_non_null(strstr(err.text, "all labels together are longer than "
                           "1024 bytes"));

    guard_free_all();
}


static void
many_labels_that_repeat_count_once(void **state)
{
    size_t      i, len;
    u_char      scratch[RFL_LABELS_TEXT_MAX], text[4096];
    rfl_link_t  link;

    len = 0;

    for (i = 0; i + 1 < sizeof(text); i += 2) {
        text[len++] = (u_char) ('z' - i / 2 % 26);
        text[len++] = ',';
    }

    assert_int_equal(set(&link, "labels", rfl_str(text, len), scratch, NULL),
                     RFL_OK);
    assert_slice(link.labels, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,"
                 "x,y,z");

    guard_free_all();
}


static void
hundreds_of_labels_are_sorted(void **state)
{
    int         c;
    size_t      i, len;
    u_char      scratch[RFL_LABELS_TEXT_MAX], text[2048];
    rfl_link_t  link;

    /* all bytes a label can be made of, the greatest first */

    len = 0;

    for (c = 0xff; c > ' '; c--) {
        if (c != ',') {
            text[len++] = (u_char) c;
            text[len++] = ',';
        }
    }

    for (i = 0; i < 190; i++) {
        text[len++] = 'z';
        text[len++] = (u_char) (0xff - i);
        text[len++] = ',';
    }

    assert_int_equal(set(&link, "labels", rfl_str(text, len), scratch, NULL),
                     RFL_OK);
    assert_int_equal(link.labels.len, len - 1);

    for (i = 2; i < 170; i += 2) {
        assert_true(link.labels.data[i] > link.labels.data[i - 2]);
    }

    guard_free_all();
}


static void
the_origin_follows_from_the_channel_unless_set(void **state)
{
    size_t               i;
    rfl_link_t           link;
    const origin_row_t  *row;

    memset(&link, 0, sizeof(link));

    for (i = 0; i < sizeof(origin_rows) / sizeof(origin_rows[0]); i++) {
        row = &origin_rows[i];
        link.channel = rfl_cstr(row->channel);
        link.origin = rfl_cstr(row->origin);
        assert_slice(rfl_link_origin(&link), row->wanted);
    }
}


static void
a_link_without_a_channel_is_unassigned(void **state)
{
    rfl_link_t  link;

    memset(&link, 0, sizeof(link));
    assert_slice(rfl_link_channel(&link), "unassigned");

    link.channel = rfl_cstr("press");
    assert_slice(rfl_link_channel(&link), "press");
}


static void
records_are_read_or_refused_by_the_table(void **state)
{
    size_t               i, len;
    u_char               out[RFL_LINK_RECORD_MAX], *copy;
    rfl_rc_t             rc;
    rfl_link_t           link;
    const record_row_t  *row;

    for (i = 0; i < sizeof(record_rows) / sizeof(record_rows[0]); i++) {
        row = &record_rows[i];
        copy = guard_copy(row->bytes, row->len);
        rc = rfl_link_decode(rfl_str(copy, row->len), &link);

        if (rc != row->rc) {
            fail_msg("%s: %d", row->name, (int) rc);
        }

        if (rc == RFL_OK) {
            len = rfl_link_encode(&link, out, sizeof(out));
            assert_int_equal(len, row->len);
            assert_memory_equal(out, row->bytes, len);
        }
    }

    guard_free_all();
}


static void
what_is_encoded_decodes_to_the_same_link(void **state)
{
    size_t             len, divisor;
    u_char             record[RFL_LINK_RECORD_MAX], *bytes;
    rfl_link_t         link, back;
    static const char  text[] = "abc";

    bytes = malloc(RFL_LINK_RECORD_MAX);
    assert_non_null(bytes);

    memset(&link, 0, sizeof(link));
    link.source = rfl_str(text, 3);
    link.id = 1;

    len = rfl_link_encode(&link, record, sizeof(record));
    assert_int_equal(len, 1 + 8 + 3 + 1 + 2 + 3);
    assert_int_equal(rfl_link_decode(rfl_str(guard_copy(record, len), len),
                                     &back),
                     RFL_OK);
    assert_same(&link, &back);

    for (divisor = 1; divisor < 5; divisor++) {
        fill(&link, bytes, divisor);

        len = rfl_link_encode(&link, record, sizeof(record));
        assert_true(len > 0);
        assert_int_equal(rfl_link_decode(rfl_str(guard_copy(record, len), len),
                                         &back),
                         RFL_OK);
        assert_same(&link, &back);
    }

    free(bytes);
    guard_free_all();
}


static void
the_greatest_link_needs_every_byte_of_its_record(void **state)
{
    size_t      len;
    u_char      record[RFL_LINK_RECORD_MAX], *bytes;
    rfl_link_t  link;

    bytes = malloc(RFL_LINK_RECORD_MAX);
    assert_non_null(bytes);

    fill(&link, bytes, 1);
    len = rfl_link_encode(&link, record, sizeof(record));
    assert_true(len > 0);

    assert_int_equal(rfl_link_encode(&link, record, len), len);
    assert_int_equal(rfl_link_encode(&link, record, len - 1), 0);
    assert_int_equal(rfl_link_encode(&link, record, 0), 0);

    link.authority.len++;
    assert_int_equal(rfl_link_encode(&link, record, sizeof(record)), 0);

    free(bytes);
}


static void
a_record_cut_anywhere_is_no_longer_the_same_link(void **state)
{
    size_t      len, cut;
    u_char      record[RFL_LINK_RECORD_MAX], out[RFL_LINK_RECORD_MAX], *bytes;
    rfl_rc_t    rc;
    rfl_link_t  link;

    bytes = malloc(RFL_LINK_RECORD_MAX);
    assert_non_null(bytes);

    fill(&link, bytes, 60);
    len = rfl_link_encode(&link, record, sizeof(record));

    for (cut = 0; cut < len; cut++) {
        rc = rfl_link_decode(rfl_str(guard_copy(record, cut), cut), &link);

        assert_true(rc == RFL_OK || rc == RFL_DAMAGED);

        if (rc == RFL_OK) {
            assert_int_equal(rfl_link_encode(&link, out, sizeof(out)), cut);
        }
    }

    free(bytes);
    guard_free_all();
}


/* Any bytes: safe, and what decodes encodes to the same bytes. */

static void
a_record_with_any_bytes_is_safe_to_read(void **state)
{
    int         i, j, changes;
    size_t      len, again;
    u_char      record[RFL_LINK_RECORD_MAX], out[RFL_LINK_RECORD_MAX],
                *bytes, *copy;
    unsigned    accepted, refused;
    rfl_rc_t    rc;
    rfl_link_t  link;

    bytes = malloc(RFL_LINK_RECORD_MAX);
    assert_non_null(bytes);

    srandom(1);
    accepted = 0;
    refused = 0;

    for (i = 0; i < 20000; i++) {
        fill(&link, bytes, 100);
        len = rfl_link_encode(&link, record, sizeof(record));
        changes = 1 + (int) (random() % 4);

        for (j = 0; j < changes; j++) {
            record[(size_t) random() % len] = (u_char) random();
        }

        copy = guard_copy(record, len);
        rc = rfl_link_decode(rfl_str(copy, len), &link);

        if (rc == RFL_OK) {
            accepted++;
            again = rfl_link_encode(&link, out, sizeof(out));
            assert_int_equal(again, len);
            assert_memory_equal(out, record, len);

        } else {
            refused++;
            assert_true(rc == RFL_DAMAGED || rc == RFL_BAD_VERSION);
        }

        if (i % 500 == 499) {
            guard_free_all();
        }
    }

    assert_true(accepted > 100);
    assert_true(refused > 100);

    free(bytes);
    guard_free_all();
}


/* Puts the value directly before a guard page. */

static rfl_rc_t
set(rfl_link_t *link, const char *name, rfl_str_t value, u_char *scratch,
    rfl_error_t *err)
{
    const rfl_link_field_t  *field;

    field = rfl_link_field(rfl_cstr(name));
    assert_non_null(field);

    return rfl_link_set(link, field,
                        rfl_str(guard_copy(value.data, value.len), value.len),
                        scratch, err);
}


static void
assert_slice(rfl_str_t s, const char *wanted)
{
    if (!rfl_str_eq(s, rfl_cstr(wanted))) {
        fail_msg("\"%.*s\" is not \"%s\"", (int) s.len, (const char *) s.data,
                 wanted);
    }
}


/* Every field with its greatest length, or a part of it. */

static void
fill(rfl_link_t *link, u_char *bytes, size_t divisor)
{
    size_t                   i, len;
    const rfl_link_field_t  *field;

    memset(link, 0, sizeof(rfl_link_t));

    link->key = UINT64_C(0xfedcba9876543210);
    link->id = UINT32_MAX;
    link->revision = UINT32_MAX;
    link->created = UINT64_MAX;
    link->match_type = RFL_MATCH_DOMAIN;

    for (i = 0; i < rfl_link_nfields; i++) {
        field = &rfl_link_fields[i];

        if (field->type == RFL_FIELD_MATCH_TYPE) {
            continue;
        }

        len = (field->max + divisor - 1) / divisor;
        memset(bytes, 'A' + (int) i, len);
        *rfl_link_slice(link, field) = rfl_str(bytes, len);
        bytes += len;
    }
}


static void
assert_same(rfl_link_t *a, rfl_link_t *b)
{
    size_t                   i;
    const rfl_link_field_t  *field;

    assert_true(a->key == b->key);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->revision, b->revision);
    assert_true(a->created == b->created);
    assert_int_equal(a->match_type, b->match_type);

    for (i = 0; i < rfl_link_nfields; i++) {
        field = &rfl_link_fields[i];

        if (field->type != RFL_FIELD_MATCH_TYPE) {
            assert_true(rfl_str_eq(*rfl_link_slice(a, field),
                                   *rfl_link_slice(b, field)));
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(fields_stand_in_the_documented_order),
        cmocka_unit_test(valid_values_are_taken_in_their_plain_form),
        cmocka_unit_test(faulty_values_are_refused_with_field_value_and_fault),
        cmocka_unit_test(values_are_taken_up_to_their_limit_and_no_further),
        cmocka_unit_test(nul_is_refused_in_every_field),
        cmocka_unit_test(a_message_shows_60_bytes_of_a_value),
        cmocka_unit_test(an_empty_value_clears_a_field),
        cmocka_unit_test(a_match_type_is_taken_by_its_name),
        cmocka_unit_test(sorted_labels_stay_in_the_callers_bytes),
        cmocka_unit_test(labels_may_be_set_from_their_own_scratch),
        cmocka_unit_test(labels_together_are_taken_up_to_their_limit),
        cmocka_unit_test(many_labels_that_repeat_count_once),
        cmocka_unit_test(hundreds_of_labels_are_sorted),
        cmocka_unit_test(the_origin_follows_from_the_channel_unless_set),
        cmocka_unit_test(a_link_without_a_channel_is_unassigned),
        cmocka_unit_test(records_are_read_or_refused_by_the_table),
        cmocka_unit_test(what_is_encoded_decodes_to_the_same_link),
        cmocka_unit_test(the_greatest_link_needs_every_byte_of_its_record),
        cmocka_unit_test(a_record_cut_anywhere_is_no_longer_the_same_link),
        cmocka_unit_test(a_record_with_any_bytes_is_safe_to_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
