/*
 * Values of registry and ledger that somebody has written: the pages are sound,
 * what is in them is not what this version would have stored.  Whoever reads
 * it finds fault or an answer, and ends.
 *
 * Input: patches: a byte for the table, one for which row, one for what is done
 * with it, one for the length, and the bytes.
 */

#include "fuzz.h"
#include "fuzz_json.h"
#include "fuzz_sources.h"
#include "rfl_check.h"
#include "rfl_ignored.h"
#include "rfl_ledger_parts.h"
#include "rfl_registry_parts.h"
#include "rfl_view.h"

#include <stdio.h>
#include <unistd.h>


#define NOW    1795132800
#define MAP    ((size_t) 64 << 20)
#define STEPS  20000


static void make_sound_files(void);
static void add_links(rfl_registry_t *registry);
static void count(void);
static void restore(void);
static void patch(fuzz_input_t *in);
static void patch_row(rfl_store_t *s, fuzz_input_t *in, unsigned dbi);
static void read_registry(void);
static void ask(rfl_registry_t *r);
static void change(rfl_registry_t *r);
static void read_ledger(void);
static void load_sources(rfl_ledger_t *l);
static void flush_ledger(rfl_ledger_t *l);
static void view_all(void);
static void view(rfl_runtime_t *rt, const char *path, const char *args);
static void note_fault(void *data, const char *table, rfl_str_t text);


static const char *const  sources[][4] = {
    { "https://blog.example/2024/launch", "/pricing", "exact", "" },
    { "https://blog.example/2024/launch", "/other", "exact", "pair" },
    { "https://blog.example/2024/other", "/pricing", "exact", "pair" },
    { "https://blog.example/2024", "", "prefix", "" },
    { "blog.example/20\\d\\d/x", "/r", "regex", "" },
    { "news.example", "", "host", "" },
    { "example", "", "domain", "" },
    { "", "/t", "tag", "mail" }
};

#define LINKS  (sizeof(sources) / sizeof(sources[0]))


static char       registry_file[300], ledger_file[300], counters[300];
static rfl_str_t  sound_registry, sound_ledger, sound_counters;
static uint64_t   first_key;
static u_char     uuid[16];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t  in;

    if (sound_ledger.len == 0) {
        make_sound_files();
    }

    restore();

    in = fuzz_input(data, size);

    patch(&in);
    view_all();
    read_ledger();
    read_registry();

    fuzz_free();

    return 0;
}


static void
make_sound_files(void)
{
    rfl_error_t           err;
    rfl_registry_t       *registry;
    rfl_registry_meta_t   meta;

    (void) snprintf(registry_file, sizeof(registry_file),
                    "%s/registry/data.mdb", fuzz_dir());
    (void) snprintf(ledger_file, sizeof(ledger_file), "%s/ledger/data.mdb",
                    fuzz_dir());
    (void) snprintf(counters, sizeof(counters), "%s/cells", fuzz_dir());

    if (rfl_registry_open(&registry, fuzz_dir(), RFL_STORE_CREATE, MAP, &err)
        != RFL_OK)
    {
        fuzz_finding(__FILE__, __LINE__, err.text);
    }

    add_links(registry);

    fuzz_check(rfl_registry_begin(registry, 0, &err) == RFL_OK);
    fuzz_check(rfl_registry_meta(registry, &meta) == RFL_OK);
    memcpy(uuid, meta.uuid, 16);
    rfl_registry_end(registry);
    rfl_registry_close(registry);

    count();

    sound_registry = fuzz_read_file(registry_file);
    sound_ledger = fuzz_read_file(ledger_file);
    sound_counters = fuzz_read_file(counters);
}


static void
add_links(rfl_registry_t *registry)
{
    size_t       i;
    rfl_link_t   link;
    rfl_error_t  err;

    fuzz_check(rfl_registry_begin(registry, 1, &err) == RFL_OK);

    for (i = 0; i < LINKS; i++) {
        memset(&link, 0, sizeof(rfl_link_t));
        link.source = rfl_cstr(sources[i][0]);
        link.target = rfl_cstr(sources[i][1]);
        link.tag = rfl_cstr(sources[i][3]);
        link.labels = rfl_cstr("a,b");

        fuzz_check(rfl_match_type_parse(rfl_cstr(sources[i][2]),
                                        &link.match_type, &err)
                   == RFL_OK);
        fuzz_check(rfl_registry_add(registry, &link, NOW, &err) == RFL_OK);

        if (i == 0) {
            first_key = link.key;
        }
    }

    fuzz_check(rfl_ignored_add(registry, rfl_cstr("spam.example"), NOW, &err)
               == RFL_OK);
    fuzz_check(rfl_registry_commit(registry, &err) == RFL_OK);
}


static void
count(void)
{
    uint32_t         id;
    rfl_error_t      err;
    rfl_ledger_t    *ledger;
    rfl_counters_t  *c;

    fuzz_check(rfl_counters_open(&c, counters, uuid, 20, 5000,
                                 RFL_COUNTERS_CREATE, NOW, &err)
               == RFL_OK);
    fuzz_check(rfl_ledger_open(&ledger, fuzz_dir(), uuid, RFL_STORE_CREATE,
                               MAP, &err)
               == RFL_OK);

    for (id = 1; id < 15; id++) {
        rfl_counters_add(&c->cells[id].n[RFL_CELL_CLICKS], id);
        rfl_counters_mark_dirty(c, id);
    }

    rfl_counters_add(&c->stripes[0].n[RFL_ZONE_OUTCOMES], 3);
    rfl_counters_close(c);

    flush_ledger(ledger);
    fuzz_put_sources(ledger, NOW);
    fuzz_put_states(ledger, NOW);
    rfl_ledger_close(ledger);
}


/* A registry of another uuid had our counter file set aside. */

static void
restore(void)
{
    char  lock[320];

    (void) snprintf(lock, sizeof(lock), "%s.old", counters);
    (void) unlink(lock);

    fuzz_write_file(counters, sound_counters);
    fuzz_write_file(registry_file, sound_registry);
    fuzz_write_file(ledger_file, sound_ledger);

    (void) snprintf(lock, sizeof(lock), "%s/registry/lock.mdb", fuzz_dir());
    (void) unlink(lock);
    (void) snprintf(lock, sizeof(lock), "%s/ledger/lock.mdb", fuzz_dir());
    (void) unlink(lock);
}


static void
patch(fuzz_input_t *in)
{
    unsigned         dbi;
    rfl_error_t      err;
    rfl_ledger_t    *l;
    rfl_registry_t  *r;

    fuzz_check(rfl_registry_open(&r, fuzz_dir(), RFL_STORE_WRITE, MAP, &err)
               == RFL_OK);
    fuzz_check(rfl_ledger_open(&l, fuzz_dir(), NULL, RFL_STORE_WRITE, MAP,
                               &err)
               == RFL_OK);
    fuzz_check(rfl_store_begin(rfl_registry_store(r), 1, &err) == RFL_OK);
    fuzz_check(rfl_store_begin(rfl_ledger_store(l), 1, &err) == RFL_OK);

    while (in->p < in->end) {
        dbi = fuzz_byte(in) % ((unsigned) RFL_DBIS + RFL_LEDGER_DBIS);

        if (dbi < RFL_DBIS) {
            patch_row(rfl_registry_store(r), in, dbi);

        } else {
            patch_row(rfl_ledger_store(l), in, dbi - RFL_DBIS);
        }
    }

    fuzz_check(rfl_store_commit(rfl_ledger_store(l), &err) == RFL_OK);
    fuzz_check(rfl_store_commit(rfl_registry_store(r), &err) == RFL_OK);

    rfl_ledger_close(l);
    rfl_registry_close(r);
}


/* A row's value is changed in part or replaced, or a row is added or goes. */

static void
patch_row(rfl_store_t *s, fuzz_input_t *in, unsigned dbi)
{
    size_t         at, len;
    u_char         value[4096];
    uint8_t        row, how;
    rfl_str_t      key, old, bytes;
    rfl_error_t    err;
    rfl_cursor_t  *cursor;

    row = fuzz_byte(in);
    how = fuzz_byte(in);
    bytes = fuzz_bytes(in, fuzz_byte(in) % 100);

    if (rfl_cursor_open(s, dbi, &cursor) != RFL_OK) {
        return;
    }

    if (rfl_cursor_seek(cursor, rfl_str(NULL, 0), &key, &old) != RFL_OK) {
        rfl_cursor_close(cursor);
        return;
    }

    while (row-- > 0 && rfl_cursor_next(cursor, &key, &old) == RFL_OK) {
        /* to the row */
    }

    key = fuzz_copy(key);
    len = old.len < sizeof(value) ? old.len : sizeof(value);
    memcpy(value, old.data, len);

    rfl_cursor_close(cursor);

    switch (how % 4) {

    case 0:
        (void) rfl_store_del(s, dbi, key, &err);
        return;

    case 1:
        len = bytes.len;
        memcpy(value, bytes.data, len);
        break;

    case 2:                              /* a row of another key */
        if (bytes.len >= key.len) {
            memcpy((u_char *) key.data, bytes.data, key.len);
        }

        break;

    default:
        at = how / 4;

        if (at + bytes.len <= len) {
            memcpy(value + at, bytes.data, bytes.len);
        }
    }

    (void) rfl_store_put(s, dbi, key, rfl_str(value, len), 0, &err);
}


static void
read_registry(void)
{
    rfl_error_t           err;
    rfl_check_t           check;
    rfl_registry_t       *r;
    rfl_link_t            link;
    rfl_registry_place_t  place;

    if (rfl_registry_open(&r, fuzz_dir(), RFL_STORE_WRITE, MAP, &err)
        != RFL_OK)
    {
        return;
    }

    memset(&check, 0, sizeof(rfl_check_t));
    check.fault = note_fault;
    (void) rfl_check_registry(&check, r, &err);

    ask(r);

    if (rfl_registry_begin(r, 0, &err) == RFL_OK) {
        place.len = 0;

        while (rfl_registry_next_source(r, &place, &link) == RFL_OK) {
            /* all */
        }

        (void) rfl_registry_by_prefix(r, rfl_cstr("1"), &link, &err);
        rfl_registry_end(r);
    }

    change(r);
    rfl_registry_close(r);
}


static void
ask(rfl_registry_t *r)
{
    size_t             i;
    rfl_names_t        names;
    rfl_request_t      request;
    rfl_attribution_t  a;

    static const rfl_str_t    ref = rfl_string("ref");
    static const char *const  requests[][2] = {
        { "https://blog.example/", "/pricing" },
        { "https://blog.example/2024/launch", "/pricing" },
        { "https://blog.example/2024/launch", "/none" },
        { "https://blog.example/2024/x", "/r" },
        { "https://www.news.example/a", "/" },
        { "https://a.b.example/", "/" },
        { "", "/t?ref=mail" },
        { "https://blog.example/2024/other", "/?ref=pair" }
    };

    names.names = &ref;
    names.n = 1;

    for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        memset(&request, 0, sizeof(rfl_request_t));
        request.referer = rfl_cstr(requests[i][0]);
        request.landing = rfl_cstr(requests[i][1]);
        request.host = rfl_cstr("shop.example");
        request.tag_names = &names;

        rfl_attribute(r, &request, &a, NULL);
        fuzz_check((unsigned) a.outcome < RFL_OUTCOMES);
    }
}


/* What cannot be stored is refused; what is said to be stored commits. */

static void
change(rfl_registry_t *r)
{
    size_t       i;
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_error_t  err;

    for (i = 0; i < LINKS; i++) {

        if (rfl_registry_begin(r, 1, &err) != RFL_OK) {
            return;
        }

        memset(&link, 0, sizeof(rfl_link_t));
        link.source = rfl_cstr(sources[i][0]);
        link.target = rfl_cstr(i % 2 ? sources[i][1] : "/more");
        link.tag = rfl_cstr(i % 2 ? "pair" : sources[i][3]);

        (void) rfl_match_type_parse(rfl_cstr(sources[i][2]), &link.match_type,
                                    &err);
        rc = rfl_registry_add(r, &link, NOW, &err);

        if (rc == RFL_EXISTS) {
            rc = rfl_registry_remove(r, link.key, &err);
        }

        if (rc == RFL_OK) {
            (void) rfl_registry_commit(r, &err);

        } else {
            rfl_registry_end(r);
        }
    }
}


static void
read_ledger(void)
{
    uint32_t            id, folded, n;
    rfl_cell_t          cell;
    rfl_zone_t          zone;
    rfl_error_t         err;
    rfl_check_t         check;
    rfl_ledger_t       *l;
    rfl_ledger_file_t   file;

    if (rfl_ledger_open(&l, fuzz_dir(), NULL, RFL_STORE_WRITE, MAP, &err)
        != RFL_OK)
    {
        return;
    }

    memset(&check, 0, sizeof(rfl_check_t));
    check.fault = note_fault;
    (void) rfl_check_ledger(&check, l, &err);

    if (rfl_ledger_begin(l, &err) == RFL_OK) {

        for (id = 0; id < 70; id++) {
            memset(&cell, 0, sizeof(rfl_cell_t));
            (void) rfl_ledger_cell(l, id % 2, id, &cell);
        }

        memset(&zone, 0, sizeof(rfl_zone_t));
        (void) rfl_ledger_zone(l, 0, &zone);
        (void) rfl_ledger_max_id(l, &id);
        (void) rfl_ledger_last_file(l, &file);

        file.file_id = 0;

        for (n = 0; n < 1000; n++) {
            if (rfl_ledger_next_file(l, file.file_id, &file) != RFL_OK) {
                break;
            }
        }

        load_sources(l);
        rfl_ledger_end(l);
    }

    flush_ledger(l);

    for (n = 1; n < 4; n++) {
        folded = 0;
        (void) rfl_ledger_fold(l, 1, (NOW + n * UINT64_C(90000)) * 1000,
                               &folded, &err);
    }

    rfl_ledger_close(l);
}


/* As the keeper does; the memory is always the same. */

static void
load_sources(rfl_ledger_t *l)
{
    uint32_t                number;
    rfl_rc_t                rc;
    rfl_sources_entry_t     source;
    rfl_ledger_ring_t       ring;
    rfl_ledger_sources_t    head;
    static rfl_sources_t   *table;

    if (table == NULL) {
        table = rfl_sources_create(RFL_SOURCES_ROWS);
        fuzz_check(table != NULL);
    }

    rfl_sources_clear(table);

    for (number = 0; number < rfl_sources_max(table); number++) {
        rc = rfl_ledger_next_source(l, &number, &source);

        if (rc == RFL_NOT_FOUND || number >= rfl_sources_max(table)) {
            break;
        }

        if (rc == RFL_OK) {
            (void) rfl_sources_load(table, number, &source);
        }
    }

    memset(&head, 0, sizeof(rfl_ledger_sources_t));
    (void) rfl_ledger_get_sources(l, &head);
    (void) rfl_ledger_ring(l, 1, &ring);

    rfl_sources_loaded(table, head.floor);

    memset(&source, 0, sizeof(rfl_sources_entry_t));
    source.n[RFL_ENDED_OK] = 1;
    source.rank = 1;
    rfl_sources_add(table, &source);
    fuzz_check(rfl_sources_find(table, &source) != NULL);
}


static void
flush_ledger(rfl_ledger_t *l)
{
    rfl_error_t       err;
    rfl_flush_t       flush;
    rfl_counters_t   *c;
    rfl_retention_t   keep;
    rfl_flush_stat_t  stat;

    if (rfl_counters_open(&c, counters, uuid, 20, 5000, RFL_COUNTERS_WRITE,
                          NOW, &err)
        != RFL_OK)
    {
        return;
    }

    memset(&keep, 0, sizeof(rfl_retention_t));
    keep.seconds[RFL_UNIT_MINUTE] = 60;

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = counters;
    flush.now_ms = NOW * UINT64_C(1000);
    flush.keep = &keep;

    (void) rfl_ledger_flush(l, c, &flush, &stat, &err);

    rfl_counters_close(c);
}


static void
view_all(void)
{
    char                path[64];
    rfl_runtime_t       rt;
    rfl_runtime_conf_t  conf;

    memset(&conf, 0, sizeof(rfl_runtime_conf_t));
    conf.name = "main";
    conf.path = fuzz_dir();
    conf.counters = counters;
    conf.counters_dir = "";
    conf.source = "";
    conf.map_size = MAP;
    conf.max_ids = 5000;
    conf.max_links = 1000;
    conf.flush_ms = 1000;
    conf.volatile_fd = -1;

    rfl_runtime_init(&rt, &conf, 0);
    rfl_runtime_tick(&rt, NOW);

    view(&rt, "/", "");
    view(&rt, "/links", "limit=all");
    view(&rt, "/links", "sort=clicks&from=2026-11-01&compare=previous");
    view(&rt, "/links", "host=blog.example");
    view(&rt, "/history", "unit=hour");
    view(&rt, "/hosts", "");
    view(&rt, "/labels", "");
    view(&rt, "/sources", "");
    view(&rt, "/broken", "");
    view(&rt, "/ignored", "");
    view(&rt, "/metrics", "format=json");

    (void) snprintf(path, sizeof(path), "/links/%016llx",
                    (unsigned long long) first_key);
    view(&rt, path, "");

    rfl_runtime_close(&rt);
}


static void
view(rfl_runtime_t *rt, const char *path, const char *args)
{
    rfl_rc_t            rc;
    unsigned            steps;
    rfl_buf_t           b = rfl_buf_init;
    rfl_view_t         *v;
    rfl_view_error_t    error;
    rfl_view_request_t  request;

    memset(&request, 0, sizeof(rfl_view_request_t));
    request.runtimes = &rt;
    request.n = 1;
    request.path = rfl_cstr(path);
    request.args = rfl_cstr(args);

    if (rfl_view_open(&v, &request, &error) != RFL_OK) {
        fuzz_check(error.status >= 400);
        return;
    }

    rc = RFL_BUSY;

    for (steps = 0; rc == RFL_BUSY; steps++) {

        if (steps == STEPS) {
            fuzz_show(path, rfl_cstr(args));
        }

        fuzz_check(steps < STEPS);
        rc = rfl_view_step(v, &b);
    }

    if (rc == RFL_OK) {
        fuzz_check_json(rfl_str(b.data, b.len));

    } else {
        fuzz_check(rfl_view_fault(v)->status >= 400);
    }

    rfl_view_close(v);
    rfl_buf_free(&b);
}


static void
note_fault(void *data, const char *table, rfl_str_t text)
{
    fuzz_check(table != NULL && text.len != 0);
}
