/*
 * Totals and their JSON, byte by byte: people's tools read it.
 */

#include "rfl_report.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>


#define MAP_SIZE  ((size_t) 64 << 20)
#define NOW       1795215480             /* 2026-11-20T22:58:00Z */


typedef struct {
    char             dir[64];
    char             path[128];
    rfl_error_t      err;
    rfl_registry_t  *registry;
    rfl_totals_t     totals;
} fixture_t;


typedef struct {
    const char  *value;
    const char  *json;
} number_row_t;


static int
setup(void **state)
{
    fixture_t            *f;
    rfl_registry_meta_t   meta;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void) snprintf(f->path, sizeof(f->path), "%s/counters", f->dir);

    assert_int_equal(rfl_registry_open(&f->registry, f->dir, RFL_STORE_CREATE,
                                       MAP_SIZE, &f->err), RFL_OK);
    assert_int_equal(rfl_registry_begin(f->registry, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_registry_meta(f->registry, &meta), RFL_OK);
    rfl_registry_end(f->registry);

    assert_int_equal(rfl_counters_open(&f->totals.counters, f->path,
                                       meta.uuid, 1, 10000,
                                       RFL_COUNTERS_CREATE, NOW, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_ledger_open(&f->totals.ledger, f->dir, meta.uuid,
                                     RFL_STORE_CREATE, MAP_SIZE, &f->err),
                     RFL_OK);

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    char        command[96];
    fixture_t  *f = *state;

    rfl_ledger_close(f->totals.ledger);
    rfl_counters_close(f->totals.counters);
    rfl_registry_close(f->registry);

    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);

    free(f);

    return 0;
}


static void
begin(fixture_t *f)
{
    assert_int_equal(rfl_registry_begin(f->registry, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_ledger_begin(f->totals.ledger, &f->err), RFL_OK);
}


static void
end(fixture_t *f)
{
    rfl_ledger_end(f->totals.ledger);
    rfl_registry_end(f->registry);
}


static uint64_t
hundred_clicks(void *data, uint32_t id)
{
    return 100;
}


/* Group clicks are taken to be 100 when a link joins. */

static void
add(fixture_t *f, rfl_link_t *link)
{
    assert_int_equal(rfl_registry_begin(f->registry, 1, &f->err), RFL_OK);
    rfl_registry_set_clicks(f->registry, hundred_clicks, NULL);

    if (rfl_registry_add(f->registry, link, NOW, &f->err) != RFL_OK) {
        fail_msg("%s", f->err.text);
    }

    assert_int_equal(rfl_registry_commit(f->registry, &f->err), RFL_OK);
}


static rfl_link_t
link_of(rfl_match_type_t type, const char *source, const char *target)
{
    rfl_link_t  link;

    memset(&link, 0, sizeof(rfl_link_t));

    link.match_type = type;
    link.source = rfl_cstr(source);
    link.target = rfl_cstr(target);

    return link;
}


static void
assert_text(rfl_buf_t *b, const char *wanted)
{
    rfl_buf_char(b, '\0');
    assert_false(b->failed);
    assert_string_equal((char *) b->data, wanted);
    rfl_buf_free(b);
}


static void
every_field_of_a_cell_has_one_counter(void **state)
{
    size_t               i;
    const rfl_counter_t *row;

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        row = &rfl_counter_table[i];

        assert_int_equal(row->field, i);
        assert_int_equal(strlen((char *) row->name.data), row->name.len);
        assert_true(row->help[0] != '\0');
        assert_null(strchr(row->help, '\n'));
        assert_ptr_equal(rfl_counter_find(row->name), row);
    }

    assert_null(rfl_counter_find(rfl_cstr("")));
    assert_null(rfl_counter_find(rfl_cstr("click")));
    assert_null(rfl_counter_find(rfl_cstr("clicks ")));
    assert_null(rfl_counter_find(rfl_cstr("first_seen")));
}


static void
counters_are_shown_in_the_order_of_the_interface(void **state)
{
    size_t      i;
    rfl_buf_t   b = rfl_buf_init;
    rfl_cell_t  cell;

    for (i = 0; i < RFL_CELL_FIELDS; i++) {
        cell.n[i] = i + 1;
    }

    cell.n[RFL_CELL_BYTES] = UINT64_MAX;

    rfl_report_counters(&b, &cell);
    assert_text(&b,
        "{\"clicks\":1,\"reloads\":2,\"redirects\":3,\"errors_4xx\":4,"
        "\"errors_5xx\":5,\"embeds\":6,\"prefetches\":7,\"bots\":8,"
        "\"other\":9,\"clicks_by_tag\":10,\"clicks_by_page\":11,"
        "\"other_landing\":12,\"bytes\":9223372036854775807}");
}


static void
the_zone_is_shown_as_members_of_the_summary(void **state)
{
    size_t      i;
    rfl_buf_t   b = rfl_buf_init;
    rfl_zone_t  zone;

    for (i = 0; i < RFL_ZONE_FIELDS; i++) {
        zone.n[i] = i;
    }

    rfl_buf_char(&b, '{');
    rfl_report_zone(&b, &zone);
    rfl_buf_char(&b, '}');

    assert_text(&b,
        "{\"outcomes\":{\"direct\":0,\"hidden\":1,\"internal\":2,"
        "\"malformed\":3,\"matched\":4,\"ambiguous\":5,\"unregistered\":6,"
        "\"skipped\":7},"
        "\"clicks\":{\"direct\":8,\"hidden\":9,\"matched\":12,"
        "\"ambiguous\":13,\"unregistered\":14},"
        "\"classes\":{\"clicks\":24,\"reloads\":25,\"redirects\":26,"
        "\"errors_4xx\":27,\"errors_5xx\":28,\"embeds\":29,"
        "\"prefetches\":30,\"bots\":31,\"other\":32,\"clicks_by_tag\":33,"
        "\"clicks_by_page\":34,\"other_landing\":35,\"bytes\":36},"
        "\"evidence\":{\"tag\":16,\"exact\":17,\"regex\":18,\"prefix\":19,"
        "\"landing\":20,\"host\":21,\"domain\":22}}");
}


static void
totals_are_the_ledgers_and_the_live_files(void **state)
{
    fixture_t         *f = *state;
    rfl_cell_t         cell;
    rfl_zone_t         zone;
    rfl_totals_t       t;
    rfl_counters_t    *c;
    rfl_flush_t        flush;
    rfl_flush_stat_t   stat;
    u_char             uuid[16];

    c = f->totals.counters;
    memcpy(uuid, c->header->uuid, 16);

    rfl_counters_add(&c->cells[4].n[RFL_CELL_CLICKS], 3);
    rfl_counters_add(&c->cells[4].n[RFL_CELL_FIRST_SEEN], 50);
    rfl_counters_add(&c->cells[4].n[RFL_CELL_LAST_SEEN], 60);
    rfl_counters_mark_dirty(c, 4);
    rfl_counters_add(&c->stripes[1].n[RFL_ZONE_OVERFLOW], 2);

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = f->path;
    flush.now_ms = 1;

    assert_int_equal(rfl_ledger_flush(f->totals.ledger, c, &flush, &stat,
                                      &f->err), RFL_OK);

    /* after a reboot: a new file, and what it counts now */

    rfl_counters_close(c);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(rfl_counters_open(&f->totals.counters, f->path, uuid, 1,
                                       10000, RFL_COUNTERS_CREATE, NOW,
                                       &f->err), RFL_OK);
    c = f->totals.counters;

    rfl_counters_add(&c->cells[4].n[RFL_CELL_CLICKS], 4);
    rfl_counters_add(&c->cells[4].n[RFL_CELL_FIRST_SEEN], 70);
    rfl_counters_add(&c->cells[4].n[RFL_CELL_LAST_SEEN], 80);
    rfl_counters_add(&c->stripes[2].n[RFL_ZONE_OVERFLOW], 5);

    begin(f);

    assert_int_equal(rfl_totals_cell(&f->totals, 4, &cell), RFL_OK);
    assert_int_equal(cell.n[RFL_CELL_CLICKS], 7);
    assert_int_equal(cell.n[RFL_CELL_FIRST_SEEN], 50);
    assert_int_equal(cell.n[RFL_CELL_LAST_SEEN], 80);
    assert_int_equal(rfl_totals_zone(&f->totals, &zone), RFL_OK);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], 7);

    t.ledger = f->totals.ledger;
    t.counters = NULL;
    assert_int_equal(rfl_totals_cell(&t, 4, &cell), RFL_OK);
    assert_int_equal(cell.n[RFL_CELL_CLICKS], 3);
    assert_int_equal(rfl_totals_zone(&t, &zone), RFL_OK);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], 2);

    t.ledger = NULL;
    t.counters = c;
    assert_int_equal(rfl_totals_cell(&t, 4, &cell), RFL_OK);
    assert_int_equal(cell.n[RFL_CELL_CLICKS], 4);
    assert_int_equal(rfl_totals_zone(&t, &zone), RFL_OK);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], 5);

    t.counters = NULL;
    assert_int_equal(rfl_totals_cell(&t, 4, &cell), RFL_OK);
    assert_int_equal(cell.n[RFL_CELL_CLICKS], 0);
    assert_int_equal(rfl_totals_zone(&t, &zone), RFL_OK);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], 0);

    end(f);

    /* outside of a transaction there is no answer, not half of one */
    assert_int_not_equal(rfl_totals_cell(&f->totals, 4, &cell), RFL_OK);
    assert_int_not_equal(rfl_totals_zone(&f->totals, &zone), RFL_OK);
}


#define NO_COUNTERS  "\"counters\":{\"clicks\":0,\"reloads\":0,"              \
    "\"redirects\":0,\"errors_4xx\":0,\"errors_5xx\":0,\"embeds\":0,"         \
    "\"prefetches\":0,\"bots\":0,\"other\":0,\"clicks_by_tag\":0,"            \
    "\"clicks_by_page\":0,\"other_landing\":0,\"bytes\":0}}"


static void
check_totals(fixture_t *f, uint64_t clicks, uint64_t overflow)
{
    rfl_cell_t  cell;
    rfl_zone_t  zone;

    assert_int_equal(rfl_ledger_begin(f->totals.ledger, &f->err), RFL_OK);

    assert_int_equal(rfl_totals_cell(&f->totals, 4, &cell), RFL_OK);
    assert_int_equal(cell.n[RFL_CELL_CLICKS], clicks);
    assert_int_equal(rfl_totals_zone(&f->totals, &zone), RFL_OK);
    assert_int_equal(zone.n[RFL_ZONE_OVERFLOW], overflow);

    rfl_ledger_end(f->totals.ledger);
}


/* It is still mapped, as a process that slept for days has it. */

static void
a_file_that_was_folded_counts_once(void **state)
{
    int                folded;
    uint32_t           ids;
    uint64_t           now_ms;
    fixture_t         *f = *state;
    rfl_flush_t        flush;
    rfl_counters_t    *c, next;
    rfl_flush_stat_t   stat;

    c = f->totals.counters;

    rfl_counters_add(&c->cells[4].n[RFL_CELL_CLICKS], 3);
    rfl_counters_mark_dirty(c, 4);
    rfl_counters_add(&c->stripes[1].n[RFL_ZONE_OVERFLOW], 2);

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = f->path;
    flush.now_ms = 1;

    assert_int_equal(rfl_ledger_flush(f->totals.ledger, c, &flush, &stat,
                                      &f->err), RFL_OK);
    check_totals(f, 3, 2);

    assert_int_equal(unlink(f->path), 0);

    now_ms = 2 * RFL_LEDGER_DEAD_MS;
    folded = 0;

    while (!folded && now_ms < 4 * (uint64_t) RFL_LEDGER_DEAD_MS) {
        assert_int_equal(rfl_ledger_fold(f->totals.ledger, 1, now_ms, &ids,
                                         &f->err), RFL_OK);
        check_totals(f, 3, 2);

        assert_int_equal(rfl_ledger_begin(f->totals.ledger, &f->err), RFL_OK);
        assert_int_equal(rfl_ledger_is_folded(f->totals.ledger,
                                              c->header->file_id, &folded),
                         RFL_OK);
        rfl_ledger_end(f->totals.ledger);

        now_ms += RFL_LEDGER_WAIT_MS / 2;
    }

    assert_true(folded);

    /* as the one that was counted in before */

    next = *c;
    next.lost = c;
    f->totals.counters = &next;
    check_totals(f, 3, 2);

    f->totals.counters = c;
}


static void
a_bare_link_is_shown_with_empty_and_null_fields(void **state)
{
    char         wanted[2048];
    u_char       key[RFL_KEY_LEN];
    rfl_buf_t    b = rfl_buf_init;
    fixture_t   *f = *state;
    rfl_link_t   link;

    link = link_of(RFL_MATCH_HOST, "news.example", "");
    add(f, &link);
    rfl_key_text(link.key, key);

    begin(f);
    assert_int_equal(rfl_report_link(&b, f->registry, &f->totals, &link),
                     RFL_OK);
    end(f);

    (void) snprintf(wanted, sizeof(wanted),
        "{\"key\":\"%.16s\",\"source\":\"news.example\","
        "\"match_type\":\"host\",\"target\":\"\",\"tag\":\"\",\"name\":\"\","
        "\"channel\":\"unassigned\",\"origin\":\"other\",\"partner\":\"\","
        "\"placement\":\"\",\"rel\":\"\",\"authority\":null,\"anchor\":\"\","
        "\"labels\":[],\"note\":\"\",\"cost\":null,\"listed_first\":null,"
        "\"listed_last\":null,\"created\":\"2026-11-20T22:58:00Z\","
        "\"first_seen\":null,\"last_seen\":null,"
        "\"state\":\"new\",\"state_since\":null,\"groups\":[],"
        NO_COUNTERS, (char *) key);

    assert_text(&b, wanted);
}


static void
a_full_link_is_shown_as_in_the_interface(void **state)
{
    char             wanted[2048];
    u_char           key[RFL_KEY_LEN];
    rfl_buf_t        b = rfl_buf_init;
    fixture_t       *f = *state;
    rfl_link_t       link;
    rfl_counters_t  *c;

    c = f->totals.counters;

    link = link_of(RFL_MATCH_EXACT, "https://blog.example/2024/launch",
                   "/pricing");
    link.tag = rfl_cstr("spring");
    link.name = rfl_cstr("Launch \"post\" </script>");
    link.channel = rfl_cstr("guest-post");
    link.partner = rfl_cstr("Acme");
    link.placement = rfl_cstr("content");
    link.rel = rfl_cstr("follow");
    link.authority = rfl_cstr("55");
    link.anchor = rfl_cstr("pricing");
    link.labels = rfl_cstr("q3,q4");
    link.note = rfl_cstr("a\nb");
    link.cost = rfl_cstr("120.50");
    link.listed_first = rfl_cstr("2024-01-02");
    link.listed_last = rfl_cstr("2026-01-02T03:04:05Z");
    link.created = NOW - 60;
    add(f, &link);
    rfl_key_text(link.key, key);

    rfl_counters_add(&c->cells[link.id].n[RFL_CELL_CLICKS], 1);
    rfl_counters_add(&c->cells[link.id].n[RFL_CELL_FIRST_SEEN], NOW);
    rfl_counters_add(&c->cells[link.id].n[RFL_CELL_LAST_SEEN], NOW + 1);

    begin(f);
    assert_int_equal(rfl_report_link(&b, f->registry, &f->totals, &link),
                     RFL_OK);
    end(f);

    (void) snprintf(wanted, sizeof(wanted),
        "{\"key\":\"%.16s\",\"source\":\"https://blog.example/2024/launch\","
        "\"match_type\":\"exact\",\"target\":\"/pricing\",\"tag\":\"spring\","
        "\"name\":\"Launch \\\"post\\\" \\u003c/script\\u003e\","
        "\"channel\":\"guest-post\",\"origin\":\"created\","
        "\"partner\":\"Acme\",\"placement\":\"content\",\"rel\":\"follow\","
        "\"authority\":55,\"anchor\":\"pricing\",\"labels\":[\"q3\",\"q4\"],"
        "\"note\":\"a\\nb\",\"cost\":120.50,\"listed_first\":\"2024-01-02\","
        "\"listed_last\":\"2026-01-02T03:04:05Z\","
        "\"created\":\"2026-11-20T22:57:00Z\","
        "\"first_seen\":\"2026-11-20T22:58:00Z\","
        "\"last_seen\":\"2026-11-20T22:58:01Z\","
        "\"state\":\"active\",\"state_since\":null,\"groups\":[],"
        "\"counters\":{\"clicks\":1,\"reloads\":0,"
        "\"redirects\":0,\"errors_4xx\":0,\"errors_5xx\":0,\"embeds\":0,"
        "\"prefetches\":0,\"bots\":0,\"other\":0,\"clicks_by_tag\":0,"
        "\"clicks_by_page\":0,\"other_landing\":0,\"bytes\":0}}",
        (char *) key);

    assert_text(&b, wanted);
}


static void
report(fixture_t *f, rfl_link_t *link, char *out, size_t size)
{
    rfl_buf_t  b = rfl_buf_init;

    begin(f);
    assert_int_equal(rfl_report_link(&b, f->registry, &f->totals, link),
                     RFL_OK);
    end(f);

    assert_true(b.len < size);
    memcpy(out, b.data, b.len);
    out[b.len] = '\0';
    rfl_buf_free(&b);
}


/* The group's id is told by the registry; its clicks are set by hand. */

static void
group_clicks_are_those_since_the_link_joined(void **state)
{
    char              out[4096], wanted[256];
    size_t            i, n;
    u_char            key[RFL_KEY_LEN];
    uint32_t          id;
    fixture_t        *f = *state;
    rfl_link_t        first, second;
    rfl_cell_t       *cell;
    rfl_membership_t  members[RFL_LINK_GROUPS_MAX];

    static const struct {
        uint64_t    clicks;
        unsigned    shown;
    } rows[] = {
        { 0, 0 },
        { 99, 0 },
        { 100, 0 },
        { 101, 1 },
        { 142, 42 }
    };

    first = link_of(RFL_MATCH_EXACT, "https://blog.example/a", "/pricing");
    second = link_of(RFL_MATCH_EXACT, "https://blog.example/b", "/pricing");
    add(f, &first);
    add(f, &second);

    begin(f);
    assert_int_equal(rfl_registry_groups(f->registry, &second, members, &n),
                     RFL_OK);
    assert_int_equal(n, 1);
    assert_int_equal(members[0].clicks_at_join, 100);
    id = members[0].group.id;
    rfl_key_text(members[0].group.key, key);
    end(f);

    cell = &f->totals.counters->cells[id];

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cell->n[RFL_CELL_CLICKS] = rows[i].clicks;

        report(f, &second, out, sizeof(out));
        (void) snprintf(wanted, sizeof(wanted), "\"groups\":[{\"key\":"
                        "\"%.16s\",\"links\":2,\"clicks\":%u}],",
                        (char *) key, rows[i].shown);

        if (strstr(out, wanted) == NULL) {
            fail_msg("%s not in %s", wanted, out);
        }
    }
}


static const number_row_t  numbers[] = {
    { "0", "\"cost\":0," },
    { "7", "\"cost\":7," },
    { "0.5", "\"cost\":0.5," },
    { "120.50", "\"cost\":120.50," },
    { "", "\"cost\":null," },
    { "007", "\"cost\":\"007\"," },
    { ".5", "\"cost\":\".5\"," },
    { "5.", "\"cost\":\"5.\"," },
    { "1e9", "\"cost\":\"1e9\"," },
    { "1.2.3", "\"cost\":\"1.2.3\"," },
    { "-1", "\"cost\":\"-1\"," },
    { "1,\"x\":2", "\"cost\":\"1,\\\"x\\\":2\"," }
};


static void
what_is_no_json_number_is_never_shown_as_one(void **state)
{
    char        out[4096];
    size_t      i;
    fixture_t  *f = *state;
    rfl_link_t  link;

    link = link_of(RFL_MATCH_HOST, "news.example", "");
    add(f, &link);

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        link.cost = rfl_cstr(numbers[i].value);
        report(f, &link, out, sizeof(out));

        if (strstr(out, numbers[i].json) == NULL) {
            fail_msg("%s not in %s", numbers[i].json, out);
        }
    }
}


/* Its own counters are the period's, first and last seen are of all time. */

static void
a_link_of_a_period_is_shown_with_it(void **state)
{
    char               *p;
    rfl_buf_t           b = rfl_buf_init;
    fixture_t          *f = *state;
    rfl_link_t          link;
    rfl_period_t        period, previous;
    rfl_counters_t     *c;
    rfl_report_row_t    row;

    c = f->totals.counters;

    link = link_of(RFL_MATCH_HOST, "news.example", "");
    add(f, &link);

    c->cells[link.id].n[RFL_CELL_CLICKS] = 50;
    c->cells[link.id].n[RFL_CELL_FIRST_SEEN] = NOW;

    assert_int_equal(rfl_period_init(&period, 2 * 86400, 3 * 86400, 0),
                     RFL_OK);
    assert_int_equal(rfl_period_previous(&previous, &period, 0), RFL_OK);

    memset(&row, 0, sizeof(rfl_report_row_t));
    row.fields = RFL_SHOW_ALL;
    row.cell.n[RFL_CELL_CLICKS] = 8;
    row.previous.n[RFL_CELL_CLICKS] = 5;
    row.ngroups = 1;
    row.groups[0].group.key = 0x1234;
    row.groups[0].group.links = 2;
    row.groups[0].clicks_at_join = 100;
    row.clicks[0] = 7;

    begin(f);

    assert_int_equal(rfl_report_link_row(&b, &f->totals, &link, &row),
                     RFL_OK);
    rfl_buf_char(&b, '\0');
    p = strstr((char *) b.data, "\"first_seen\"");
    assert_non_null(p);
    assert_string_equal(p,
        "\"first_seen\":\"2026-11-20T22:58:00Z\",\"last_seen\":null,"
        "\"state\":\"active\",\"state_since\":null,"
        "\"groups\":[{\"key\":\"0000000000001234\",\"links\":2,"
        "\"clicks\":7}],"
        "\"counters\":{\"clicks\":8,\"reloads\":0,\"redirects\":0,"
        "\"errors_4xx\":0,\"errors_5xx\":0,\"embeds\":0,\"prefetches\":0,"
        "\"bots\":0,\"other\":0,\"clicks_by_tag\":0,\"clicks_by_page\":0,"
        "\"other_landing\":0,\"bytes\":0}}");
    rfl_buf_free(&b);

    row.has_previous = 1;
    row.period = &period;
    row.previous_period = &previous;

    assert_int_equal(rfl_report_link_row(&b, &f->totals, &link, &row),
                     RFL_OK);
    rfl_buf_char(&b, '\0');
    assert_non_null(strstr((char *) b.data,
        "}],\"period\":{\"from\":\"1970-01-03T00:00:00Z\","
        "\"to\":\"1970-01-04T00:00:00Z\"},\"counters\":{\"clicks\":8,"));
    assert_non_null(strstr((char *) b.data,
        "\"bytes\":0},\"previous\":{\"from\":\"1970-01-02T00:00:00Z\","
        "\"to\":\"1970-01-03T00:00:00Z\",\"clicks\":5,\"reloads\":0,"));
    rfl_buf_free(&b);

    end(f);
}


static void
buckets_are_shown_with_their_start(void **state)
{
    rfl_buf_t   b = rfl_buf_init;
    rfl_cell_t  cell;
    rfl_zone_t  zone;

    memset(&cell, 0, sizeof(rfl_cell_t));
    memset(&zone, 0, sizeof(rfl_zone_t));

    cell.n[RFL_CELL_BOTS] = 4;
    zone.n[RFL_ZONE_CLASSES + RFL_CELL_BOTS] = 4;
    zone.n[RFL_ZONE_OUTCOMES + RFL_OUTCOME_HIDDEN] = 9;
    zone.n[RFL_ZONE_CLICKS + RFL_OUTCOME_HIDDEN] = 6;
    zone.n[RFL_ZONE_EVIDENCE + RFL_EVIDENCE_TAG] = 3;

    rfl_report_bucket(&b, 0, &cell);
    assert_text(&b,
        "{\"start\":\"1970-01-01T00:00:00Z\",\"counters\":{"
        "\"clicks\":0,\"reloads\":0,\"redirects\":0,\"errors_4xx\":0,"
        "\"errors_5xx\":0,\"embeds\":0,\"prefetches\":0,\"bots\":4,"
        "\"other\":0,\"clicks_by_tag\":0,\"clicks_by_page\":0,"
        "\"other_landing\":0,\"bytes\":0}}");

    rfl_report_zone_bucket(&b, NOW, &zone);
    assert_text(&b,
        "{\"start\":\"2026-11-20T22:58:00Z\",\"counters\":{"
        "\"clicks\":0,\"reloads\":0,\"redirects\":0,\"errors_4xx\":0,"
        "\"errors_5xx\":0,\"embeds\":0,\"prefetches\":0,\"bots\":4,"
        "\"other\":0,\"clicks_by_tag\":0,\"clicks_by_page\":0,"
        "\"other_landing\":0,\"bytes\":0},"
        "\"outcomes\":{\"direct\":0,\"hidden\":9,\"internal\":0,"
        "\"malformed\":0,\"matched\":0,\"ambiguous\":0,\"unregistered\":0,"
        "\"skipped\":0},"
        "\"clicks\":{\"direct\":0,\"hidden\":6,\"matched\":0,"
        "\"ambiguous\":0,\"unregistered\":0},"
        "\"evidence\":{\"tag\":3,\"exact\":0,\"regex\":0,\"prefix\":0,"
        "\"landing\":0,\"host\":0,\"domain\":0}}");
}


static void
a_buffer_that_failed_is_no_answer(void **state)
{
    rfl_buf_t   b = rfl_buf_init;
    fixture_t  *f = *state;
    rfl_link_t  link;

    link = link_of(RFL_MATCH_HOST, "news.example", "");
    add(f, &link);

    b.failed = 1;

    begin(f);
    assert_int_equal(rfl_report_link(&b, f->registry, &f->totals, &link),
                     RFL_NO_MEMORY);
    end(f);

    rfl_buf_free(&b);
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(every_field_of_a_cell_has_one_counter),
        cmocka_unit_test(counters_are_shown_in_the_order_of_the_interface),
        cmocka_unit_test(the_zone_is_shown_as_members_of_the_summary),
        cmocka_unit_test(buckets_are_shown_with_their_start),
        test(totals_are_the_ledgers_and_the_live_files),
        test(a_file_that_was_folded_counts_once),
        test(a_bare_link_is_shown_with_empty_and_null_fields),
        test(a_full_link_is_shown_as_in_the_interface),
        test(group_clicks_are_those_since_the_link_joined),
        test(a_link_of_a_period_is_shown_with_it),
        test(what_is_no_json_number_is_never_shown_as_one),
        test(a_buffer_that_failed_is_no_answer)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
