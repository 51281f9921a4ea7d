/*
 * A registry made equal to a file: what is written, what is not, and that a
 * file with any fault leaves it as it was.
 */

#include "rfl_sync.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "site.h"


#define TEXT_MAX  8192
#define LISTED    4096

#define GOOD  "source,target,name\n"                                          \
              "https://a.example/1,/x,One\n"                                  \
              "b.example,,Two\n"


typedef struct {
    site_t        site;
    char          file[128];
    rfl_totals_t  totals;
    rfl_sync_t    sync;
    rfl_error_t   err;
} fixture_t;


/* Wanted: rc, and what the error says behind the path. */

typedef struct {
    const char  *text;
    size_t       len;            /* 0: strlen(text) */
    const char  *says;
} fault_t;


#define bytes(text)  text, sizeof(text) - 1

static const fault_t  faults[] = {
    { "", 0, "the file is empty, a header is missing" },
    { "\n\r\n", 0, "the file is empty, a header is missing" },
    { "source,colour,target,shape\n", 0,
      "no field for the column \"colour\", \"shape\"" },
    { "source,SOURCE\n", 0, "two columns are the field \"source\"" },
    { "name,partner\n", 0, "there is no column \"source\"" },
    { "https://a.example/\n", 0, "no field for the column \"https:" },
    { "source\nhttps://a.example/\nftp://b/\n", 0, "line 3: source \"ftp:" },
    { "source,authority\nc.example,1\n\nd.example,101\n", 0,
      "line 4: authority \"101\"" },
    { "source,note\nc.example,\"a\nb\"\nd.example\n", 0,
      "line 4: the row has 1 field, the header 2" },
    { "source,name\nc.example,\"a\nb", 0, "line 2: a quote is not closed" },
    { "source,name\nc.example,a\nd.example,\"b\ne.example,c\n", 0,
      "line 3: a quote is not closed: the file ends within it" },
    { "source,name\nc.example,\"a\"b\n", 0, "line 2: text follows a closing" },
    { "source,name\n,x\n", 0, "line 2: source is empty" },
    { "source,created\nc.example,soon\n", 0, "line 2: created \"soon\"" },
    { "source,match_type\nc.example,regex\n", 0, "line 2: " },
    { "source,match_type\nc.example/(,regex\n", 0, "line 2: source" },
    { bytes("source,name\nc.example,J\xe9\n"), "line 2: name \"J?\": it is "
      "not UTF-8" },
    { bytes("source,name\nc.example,\xed\xa0\x80\n"), "line 2: name" },
    { bytes("source,name\nc.example,a\0b\n"), "line 2: name" },
    { bytes("\x1f\x8b\x08\0\0\0"), "no field for the column" },
    { bytes("\xff\xfes\0o\0u\0"), "no field for the column \"sou\"" },
    { "{", 0, "line 1: the JSON ends within a link" },
    { "[", 0, "the JSON ends within the links" },
    { "[{\"source\":\"c.example\"}", 0, "the JSON ends within the links" },
    { "[{\"source\":\"c.example\"},\n{\"source\":1}]", 0, "line 2: source" },
    { "[{\"source\":\"c.example\"},\n{\"source\":\"d.example\",\"x\":1}]", 0,
      "line 2: x" },
    { "[{\"source\":\"c.example\"}]]", 0, "line 1: no JSON of ours" },
    { "{\"links\":[{\"source\":\"c.example\"}],\"next\":\"abc\"}", 0,
      "it is a page of a longer list" },
    { bytes("[{\"source\":\"c.example\",\"name\":\"\xff\"}]"), "line 1: " },
    { "source\nc.example\nd.example\ne.example\nf.example\n", 0,
      "line 5: more than 3 links, which is max_links" }
};


static int
setup(void **state)
{
    fixture_t  *f;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    site_init(&f->site, "main");
    site_open(&f->site);

    (void) snprintf(f->file, sizeof(f->file), "%s/links", f->site.dir);

    f->totals.counters = f->site.rt.counters;

    f->sync.path = f->file;
    f->sync.registry = f->site.rt.registry;
    f->sync.totals = &f->totals;
    f->sync.max_links = 3;

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    fixture_t  *f;

    f = *state;

    site_remove(&f->site);
    free(f);

    return 0;
}


static void
write_bytes(const fixture_t *f, const char *text, size_t len)
{
    FILE  *file;

    file = fopen(f->file, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}


static rfl_rc_t
run(fixture_t *f)
{
    if (rfl_file_look(f->file, &f->sync.look, &f->err) != RFL_OK) {
        return f->err.rc;
    }

    return rfl_sync_run(&f->sync, &f->err);
}


static void
must_take(fixture_t *f, const char *text)
{
    write_bytes(f, text, strlen(text));

    if (run(f) != RFL_OK) {
        fail_msg("%s: %s", text, f->err.text);
    }
}


static uint64_t
txn_id(fixture_t *f)
{
    uint64_t  id;

    assert_int_equal(rfl_registry_begin(f->sync.registry, 0, NULL), RFL_OK);
    id = rfl_store_txn_id(rfl_registry_store(f->sync.registry));
    rfl_registry_end(f->sync.registry);

    return id;
}


/* "source>target=name " of each link. */

static const char *
listed(fixture_t *f)
{
    size_t                len;
    rfl_link_t            link;
    rfl_registry_place_t  place;

    static char  out[LISTED];

    len = 0;
    place.len = 0;
    out[0] = '\0';

    assert_int_equal(rfl_registry_begin(f->sync.registry, 0, NULL), RFL_OK);

    while (rfl_registry_next_source(f->sync.registry, &place, &link)
           == RFL_OK)
    {
        len += (size_t) snprintf(out + len, sizeof(out) - len,
                                 "%.*s>%.*s=%.*s ", (int) link.source.len,
                                 (const char *) link.source.data,
                                 (int) link.target.len,
                                 (const char *) link.target.data,
                                 (int) link.name.len,
                                 (const char *) link.name.data);
    }

    rfl_registry_end(f->sync.registry);

    return out;
}


static void
links_are_those_of_the_file(void **state)
{
    fixture_t  *f;

    f = *state;

    must_take(f, GOOD);
    assert_true(f->sync.changed);
    assert_int_equal(f->sync.counts.added, 2);
    assert_string_equal(listed(f), "https://a.example/1>/x=One "
                        "b.example>=Two ");

    must_take(f, "NAME;Source;Target\n"
                 "New;HTTPS://A.example/1/;/x\n"
                 "Three;c.example;\n");
    assert_int_equal(f->sync.counts.added, 1);
    assert_int_equal(f->sync.counts.updated, 1);
    assert_int_equal(f->sync.counts.removed, 1);
    assert_string_equal(listed(f), "https://a.example/1>/x=New "
                        "c.example>=Three ");

    /* a field without a column stays, an empty cell clears */

    must_take(f, "source\tmatch_type\ttarget\nhttps://a.example/1\t\t/x\n");
    assert_string_equal(listed(f), "https://a.example/1>/x=New ");
    must_take(f, "source\tname\ttarget\nhttps://a.example/1\t\t/x\n");
    assert_string_equal(listed(f), "https://a.example/1>/x= ");
}


static void
json_is_read_likewise(void **state)
{
    fixture_t  *f;

    f = *state;

    must_take(f, "{\"links\":[\n{\"key\":\"5fabaef8b5fd5129\","
                 "\"source\":\"https://a.example/1\",\"target\":\"/x\","
                 "\"name\":\"One\",\"counters\":{\"clicks\":5}},"
                 "{\"source\":\"b.example\",\"name\":\"Two\"}]}");
    assert_string_equal(listed(f), "https://a.example/1>/x=One "
                        "b.example>=Two ");

    must_take(f, "{\"source\":\"b.example\",\"name\":\"\"}\n"
                 "{\"source\":\"c.example\"}");
    assert_string_equal(listed(f), "b.example>= c.example>= ");

    must_take(f, " [ ] ");
    assert_string_equal(listed(f), "");
}


static void
a_link_has_its_id_again(void **state)
{
    uint32_t    id;
    uint64_t    key;
    fixture_t  *f;
    rfl_cell_t  cell;
    rfl_link_t  link;

    f = *state;

    id = site_add(&f->site, "https://a.example/1", "/x", &key);
    site_click(&f->site, id, 3);

    must_take(f, "source\nb.example\n");
    assert_string_equal(listed(f), "b.example>= ");
    must_take(f, GOOD);

    assert_int_equal(rfl_registry_begin(f->sync.registry, 0, NULL), RFL_OK);
    assert_int_equal(rfl_registry_by_key(f->sync.registry, key, &link),
                     RFL_OK);
    assert_int_equal(link.id, id);
    rfl_registry_end(f->sync.registry);

    rfl_counters_read_cell(f->site.rt.counters, id, &cell);
    assert_int_equal(cell.n[RFL_CELL_CLICKS], 3);
}


static void
cells_are_there_before_links(void **state)
{
    int         i;
    char        text[TEXT_MAX];
    size_t      len;
    fixture_t  *f;

    f = *state;
    f->sync.max_links = 0;

    len = (size_t) snprintf(text, sizeof(text), "source\n");

    for (i = 0; i < 300; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len,
                                 "h%d.example\n", i);
    }

    must_take(f, text);

    assert_in_range(f->site.rt.counters->header->next_id, 301, UINT32_MAX);
    assert_in_range(rfl_counters_capacity(f->site.rt.counters), 301,
                    UINT32_MAX);
}


static void
the_same_writes_nothing(void **state)
{
    uint64_t    before;
    fixture_t  *f;

    f = *state;

    must_take(f, GOOD);
    before = txn_id(f);

    must_take(f, GOOD);
    assert_false(f->sync.changed);
    assert_int_equal(f->sync.counts.registered, 2);

    must_take(f, "name,target,source\nTwo,,b.example\n"
                 "One,/x,https://a.example/1\nOne,/x,a.example/1");
    assert_false(f->sync.changed);
    assert_int_equal(txn_id(f), before);
}


/* The second row of a link fills a field that the registry had empty. */

static void
what_a_later_row_adds_is_kept(void **state)
{
    fixture_t  *f;

    f = *state;

    must_take(f, "source,name\nb.example,\n");
    must_take(f, "source,name\nb.example,\nb.example,Two\n");
    assert_true(f->sync.changed);
    assert_string_equal(listed(f), "b.example>=Two ");
}


/* Two rows of one link, the first of which lacks what the second one has. */

static void
the_same_twice_in_a_file_writes_nothing(void **state)
{
    size_t      i;
    uint64_t    before;
    fixture_t  *f;

    static const char *const  texts[] = {
        "source,name,partner\nb.example,,P\nB.example,Two,\n",
        "source,name,partner\nb.example,One,\nb.example,Two,P\n",
        "source,name,tag\nb.example,,t\nb.example,Two,\nb.example,x,u\n",
        "[{\"source\":\"b.example\"},{\"source\":\"b.example\",\"name\":\"3\"}]"
    };

    f = *state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        must_take(f, texts[i]);
        assert_true(f->sync.changed);
        before = txn_id(f);

        must_take(f, texts[i]);

        if (f->sync.changed || txn_id(f) != before) {
            fail_msg("%s: it is written again", texts[i]);
        }

        assert_int_equal(f->sync.counts.registered, 1);
    }

    assert_string_equal(listed(f), "b.example>=3 ");
}


/* What another file said of the link does not stand against this one. */

static void
an_empty_cell_clears_behind_the_last_row(void **state)
{
    fixture_t  *f;

    f = *state;

    must_take(f, "source,name\nb.example,Old\n");
    must_take(f, "source,name\nb.example,\nb.example,New\n");
    assert_string_equal(listed(f), "b.example>=New ");
    assert_int_equal(f->sync.counts.updated, 1);

    must_take(f, "source,name\nb.example,\nb.example,\n");
    assert_string_equal(listed(f), "b.example>= ");
    assert_int_equal(f->sync.counts.updated, 1);
    assert_int_equal(f->sync.counts.registered, 0);
}


static void
as_many_links_as_are_allowed(void **state)
{
    fixture_t  *f;

    f = *state;

    assert_int_equal(rfl_registry_set_directive(f->sync.registry, 3,
                                                rfl_cstr(""), &f->err),
                     RFL_OK);

    must_take(f, "source\na.example\nb.example\nc.example\n");
    must_take(f, "source\nd.example\ne.example\nf.example\nf.example\n");
    assert_string_equal(listed(f), "d.example>= e.example>= f.example>= ");

    /* the next transaction is bound by the limit again */

    assert_int_equal(rfl_registry_begin(f->sync.registry, 1, NULL), RFL_OK);
    {
        rfl_link_t  link;

        memset(&link, 0, sizeof(rfl_link_t));
        link.match_type = RFL_MATCH_HOST;
        link.source = rfl_cstr("g.example");

        assert_int_equal(rfl_registry_add(f->sync.registry, &link, 1, NULL),
                         RFL_FULL);
    }
    rfl_registry_end(f->sync.registry);
}


static void
a_fault_leaves_all_as_it_was(void **state)
{
    size_t      i, len;
    uint64_t    before;
    fixture_t  *f;

    f = *state;

    must_take(f, GOOD);
    before = txn_id(f);

    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        len = faults[i].len != 0 ? faults[i].len : strlen(faults[i].text);
        write_bytes(f, faults[i].text, len);

        if (run(f) != RFL_INVALID) {
            fail_msg("%s: it was taken", faults[i].text);
        }

        if (strncmp(f->err.text, f->file, strlen(f->file)) != 0
            || strncmp(f->err.text + strlen(f->file) + 2, faults[i].says,
                       strlen(faults[i].says)) != 0)
        {
            fail_msg("\"%s\" is not \"%s\"", f->err.text, faults[i].says);
        }

        assert_int_equal(txn_id(f), before);
    }

    assert_string_equal(listed(f), "https://a.example/1>/x=One "
                        "b.example>=Two ");
    must_take(f, GOOD);
    assert_false(f->sync.changed);
}


/* Cut at each byte: the whole, or one of the rows, or nothing changes. */

static void
a_file_cut_off_in_place(void **state)
{
    size_t      len;
    uint64_t    before;
    fixture_t  *f;

    static const char  text[] = "source,target,name\n"
                                "https://a.example/1,/xyz,New\n"
                                "\"b.example\",,\"Two, and more\"\n";

    f = *state;

    must_take(f, GOOD);
    before = txn_id(f);
    f->sync.in_place = 1;

    for (len = 0; len < sizeof(text) - 1; len++) {
        if (len != 0 && text[len - 1] == '\n') {
            continue;
        }

        write_bytes(f, text, len);
        assert_int_equal(run(f), RFL_INVALID);
        assert_int_equal(txn_id(f), before);
    }

    write_bytes(f, text, len);
    assert_int_equal(run(f), RFL_OK);

    /* a file that took its place is whole */

    f->sync.in_place = 0;
    write_bytes(f, text, len - 1);
    assert_int_equal(run(f), RFL_OK);
}


static void
what_is_no_file(void **state)
{
    char        fifo[160];
    fixture_t  *f;

    f = *state;

    assert_int_equal(run(f), RFL_NOT_FOUND);
    assert_non_null(strstr(f->err.text, "/links: No such file"));
    assert_int_equal(rfl_sync_run(&f->sync, &f->err), RFL_NOT_FOUND);

    f->sync.path = f->site.dir;
    assert_int_equal(rfl_sync_run(&f->sync, &f->err), RFL_INVALID);
    assert_non_null(strstr(f->err.text, "no regular file"));

    (void) snprintf(fifo, sizeof(fifo), "%s.fifo", f->file);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    f->sync.path = fifo;
    assert_int_equal(rfl_sync_run(&f->sync, &f->err), RFL_INVALID);
}


/* What rows call while the file is read: here it is written. */

static void
written_while_it_is_read(void **state)
{
    unsigned    stop;
    fixture_t  *f;

    f = *state;

    must_take(f, GOOD);
    write_bytes(f, "source\nc.example\n", 17);

    stop = 1;
    f->sync.stop = &stop;
    assert_int_equal(run(f), RFL_BUSY);
    assert_string_equal(listed(f), "https://a.example/1>/x=One "
                        "b.example>=Two ");

    stop = 0;
    assert_int_equal(run(f), RFL_OK);
}


static void
looks_differ(void **state)
{
    fixture_t        *f;
    rfl_file_look_t   a, b;

    f = *state;

    write_bytes(f, "x", 1);
    assert_int_equal(rfl_file_look(f->file, &a, NULL), RFL_OK);
    assert_int_equal(rfl_file_look(f->file, &b, NULL), RFL_OK);
    assert_true(rfl_file_looks_same(&a, &b));

    b.changed.tv_nsec ^= 1;
    assert_false(rfl_file_looks_same(&a, &b));
    b = a;
    b.modified.tv_nsec ^= 1;
    assert_false(rfl_file_looks_same(&a, &b));
    b = a;
    b.size++;
    assert_false(rfl_file_looks_same(&a, &b));
    assert_true(rfl_file_is_same(&a, &b));
    b = a;
    b.ino++;
    assert_false(rfl_file_looks_same(&a, &b));
    assert_false(rfl_file_is_same(&a, &b));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(links_are_those_of_the_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(json_is_read_likewise, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_link_has_its_id_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cells_are_there_before_links, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_same_writes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_later_row_adds_is_kept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            the_same_twice_in_a_file_writes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            an_empty_cell_clears_behind_the_last_row, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_links_as_are_allowed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_fault_leaves_all_as_it_was, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_cut_off_in_place, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(written_while_it_is_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(looks_differ, setup, teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
