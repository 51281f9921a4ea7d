/* Scenarios of failing.h: files, tables and what reads them. */

#include "failing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "rfl_agent.h"
#include "rfl_attribution.h"
#include "rfl_check.h"
#include "rfl_ignored.h"
#include "rfl_ring.h"
#include "rfl_shared_text.h"
#include "rfl_sort.h"
#include "rfl_sync.h"


#define SORT_MEMORY  65536
#define SORT_ITEMS   15000


/* A registry, from nothing: its directory is not there either. */

static rfl_rc_t
go_below(scene_t *s)
{
    s->dir = below(s->dir, "new");

    return RFL_OK;
}


static rfl_rc_t
add_all(scene_t *s)
{
    return add_links(s->registry, &s->err);
}


static const step_pt  make_steps[] = {
    go_below, make_registry, begin_write, add_all, commit, tell_links, NULL
};


static void
verify_below(const char *dir, uint32_t before, uint32_t after)
{
    verify_registry(below(dir, "new"), before, after);
}


/* One link changes and another one goes, in one transaction. */

static rfl_rc_t
set_directive(scene_t *s)
{
    return rfl_registry_set_directive(s->registry, 100, rfl_cstr(""),
                                      &s->err);
}


static rfl_rc_t
find(scene_t *s, const entry_t *entry, rfl_link_t *link)
{
    rfl_rc_t  rc;

    set_link(link, entry);
    rc = rfl_registry_add(s->registry, link, NOW, &s->err);

    return rc == RFL_EXISTS ? RFL_OK : rc;
}


static rfl_rc_t
change_one(scene_t *s)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = find(s, &entries[0], &link);
    if (rc != RFL_OK) {
        return rc;
    }

    link.tag = rfl_cstr("pair");
    link.name = rfl_cstr("changed");

    return rfl_registry_update(s->registry, &link, &s->err);
}


static rfl_rc_t
remove_one(scene_t *s)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = find(s, &entries[1], &link);

    return rc == RFL_OK ? rfl_registry_remove(s->registry, link.key, &s->err)
                        : rc;
}


static const step_pt  change_steps[] = {
    open_registry, set_directive, begin_write, change_one, remove_one, commit,
    tell_links, NULL
};


/* More links in one go: of them all or none. */

static rfl_rc_t
add_many(scene_t *s)
{
    size_t      i;
    char        source[64];
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = rfl_registry_bulk(s->registry, &s->err);

    for (i = 0; i < 5 && rc == RFL_OK; i++) {
        (void) snprintf(source, sizeof(source), "https://blog.example/%zu",
                        i % 4);

        set_link(&link, &entries[0]);
        link.source = rfl_cstr(source);

        rc = rfl_registry_add(s->registry, &link, NOW, &s->err);

        if (rc == RFL_EXISTS) {
            rc = RFL_OK;
        }
    }

    return rc == RFL_OK ? rfl_registry_settle(s->registry, &s->err) : rc;
}


static rfl_rc_t
spill(scene_t *s)
{
    return rfl_store_spill(rfl_registry_store(s->registry), &s->err);
}


static const step_pt  bulk_steps[] = {
    open_registry, begin_write, add_many, spill, commit, tell_links, NULL
};


/* All are removed but the first one, or none. */

static int
is_first(void *data, uint32_t id)
{
    (void) data;

    return id == 1;
}


static rfl_rc_t
remove_others(scene_t *s)
{
    uint64_t                     removed;
    const rfl_registry_others_t  others = { is_first, NULL, NULL };

    return rfl_registry_remove_others(s->registry, &others, &removed, &s->err);
}


static const step_pt  others_steps[] = {
    open_registry, begin_write, remove_others, commit, tell_links, NULL
};


/* More than fits into memory: runs in a file, which are merged. */

static rfl_rc_t
tell_order(scene_t *s, rfl_sort_t *sort)
{
    size_t     n;
    rfl_rc_t   rc;
    rfl_str_t  item;
    uint32_t   value, last;

    rc = rfl_sort_begin(sort, &s->err);
    last = 0;

    for (n = 0; rc == RFL_OK; n++) {
        rc = rfl_sort_next(sort, &item, &s->err);

        if (rc == RFL_OK) {
            must(item.len == sizeof(uint32_t));
            memcpy(&value, item.data, sizeof(uint32_t));
            must(be32toh(value) >= last);
            last = be32toh(value);
        }
    }

    rfl_buf_fmt(s->out, "%zu in order\n", n - 1);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


static rfl_rc_t
sort_items(scene_t *s)
{
    size_t       i;
    rfl_rc_t     rc;
    uint32_t     value;
    rfl_sort_t  *sort;

    sort = rfl_sort_create(s->dir, SORT_MEMORY, SORT_MEMORY / 6);
    if (sort == NULL) {
        return named(s, RFL_NO_MEMORY, "making a sort");
    }

    for (i = 0, rc = RFL_OK; i < SORT_ITEMS && rc == RFL_OK; i++) {
        value = htobe32((uint32_t) i * 2654435761u);
        rc = rfl_sort_add(sort, rfl_str(&value, sizeof(value)), &s->err);
    }

    if (rc == RFL_OK) {
        rc = tell_order(s, sort);
    }

    rfl_sort_free(sort);

    return rc;
}


static const step_pt  sort_steps[] = { sort_items, NULL };


/* The file it was made under is gone, whatever failed. */

static void
verify_no_file(const char *dir, uint32_t before, uint32_t after)
{
    must(rmdir(dir) == 0);
    must(mkdir(dir, 0700) == 0);
}


static rfl_rc_t
ignore_host(scene_t *s)
{
    size_t    len;
    u_char    host[RFL_IGNORED_HOST];
    rfl_rc_t  rc;

    rc = rfl_ignored_parse(rfl_cstr("https://WWW.Spam.Example/"), host, &len,
                           &s->err);

    if (rc == RFL_OK) {
        rc = rfl_ignored_add(s->registry, rfl_str(host, len), NOW, &s->err);
    }

    return rc == RFL_EXISTS ? RFL_OK : rc;
}


static rfl_rc_t
tell_ignored(scene_t *s)
{
    rfl_rc_t             rc;
    rfl_ignored_place_t  place;

    rc = rfl_registry_begin(s->registry, 0, &s->err);
    if (rc != RFL_OK) {
        return rc;
    }

    place.len = 0;

    do {
        rc = rfl_ignored_next(s->registry, &place);

        if (rc == RFL_OK) {
            rfl_buf_add(s->out, place.host, place.len);
        }
    } while (rc == RFL_OK);

    rfl_registry_end(s->registry);

    return named(s, rc == RFL_NOT_FOUND ? RFL_OK : rc, "telling the hosts");
}


static const step_pt  ignore_steps[] = {
    open_registry, begin_write, ignore_host, commit, tell_ignored, NULL
};


/* A lookup that fails says so; what it does not say is right. */

static rfl_rc_t
read_registry(scene_t *s)
{
    return rfl_registry_open(&s->registry, s->dir, RFL_STORE_READ, MAP,
                             &s->err);
}


static rfl_rc_t
attribute(scene_t *s)
{
    size_t              i;
    rfl_rc_t            rc;
    rfl_names_t         names;
    rfl_request_t       request;
    rfl_attribution_t   a;

    static const rfl_str_t    ref = rfl_string("ref");
    static const char *const  requests[][2] = {
        { "https://blog.example/", "/pricing" },
        { "https://blog.example/2024/launch", "/none" },
        { "https://blog.example/2024/x", "/r" },
        { "https://blog.example/2024/x", "/r" },
        { "https://blog.example/2024/y", "/" },
        { "https://a.b.example/", "/" },
        { "", "/t?ref=mail" },
        { "https://x.test/", "/?ref=pair" }
    };

    names.names = &ref;
    names.n = 1;
    rc = RFL_OK;

    memset(&request, 0, sizeof(rfl_request_t));
    request.host = rfl_cstr("shop.example");
    request.tag_names = &names;

    /* without them each is looked up, and compiled: good enough */

    request.patterns = rfl_patterns_create(2);
    request.recent = rfl_recent_create();

    for (i = 0; i < COUNT(requests); i++) {
        request.referer = rfl_cstr(requests[i][0]);
        request.landing = rfl_cstr(requests[i][1]);
        request.has_place = 0;

        if (request.recent != NULL) {
            rfl_attribute_soon(&request);
        }

        rfl_attribute(s->registry, &request, &a, NULL);

        if (a.lookup_failed || a.regex_limit) {
            rc = RFL_ERROR;
        }

        rfl_buf_fmt(s->out, "%u %u %u %u\n", a.outcome, a.evidence, a.id,
                    a.other_landing);

        (void) rfl_follow_up(s->registry, &request, rfl_cstr("/pricing"),
                             NULL);
    }

    rfl_recent_free(request.recent);
    rfl_patterns_free(request.patterns);

    return named(s, rc, "a lookup");
}


static const step_pt  attribute_steps[] = { read_registry, attribute, NULL };


/* Compiled code has no room for this one: the interpreter is asked. */

static rfl_rc_t
match_deep(scene_t *s)
{
    rfl_rc_t        rc;
    u_char          subject[900];
    rfl_pattern_t  *p;

    memset(subject, 'a', sizeof(subject));

    rc = rfl_pattern_compile(&p, rfl_cstr("^((a)|b)*c?$"), &s->err);

    if (rc == RFL_OK) {
        rc = rfl_pattern_match(p, rfl_str(subject, sizeof(subject)));
        rc = named(s, rc, "a match");
        rfl_pattern_free(p);
    }

    return rc;
}


static const step_pt  pattern_steps[] = { match_deep, NULL };


/* A counter file grows, is set aside for another registry's, and comes back. */

static rfl_rc_t
open_cells(scene_t *s, const u_char *id, uint32_t ids)
{
    return rfl_counters_open(&s->totals.counters, s->cells, id, ids, MAX,
                             RFL_COUNTERS_CREATE, NOW, &s->err);
}


static void
close_cells(scene_t *s)
{
    rfl_counters_close(s->totals.counters);
    s->totals.counters = NULL;
}


static rfl_rc_t
grow_counters(scene_t *s)
{
    rfl_rc_t         rc;
    rfl_cell_t       cell;
    rfl_event_t      event;
    rfl_counters_t  *c;

    rc = open_cells(s, uuid, IDS);
    if (rc != RFL_OK) {
        return rc;
    }

    c = s->totals.counters;
    memset(&event, 0, sizeof(rfl_event_t));

    rc = rfl_ring_open(c, 0, &s->err);
    rfl_ring_write(c, 0, &event, rfl_cstr("blog.example"), rfl_cstr("/a"));

    if (rfl_counters_reserve(c, 9000, &s->err) != RFL_OK) {
        rc = RFL_FULL;
    }

    must(rfl_counters_capacity(c) >= (rc == RFL_OK ? 9000 : IDS));

    rfl_counters_read_cell(c, 3, &cell);

    if (cell.n[0] == 0) {
        rfl_counters_add(&c->cells[3].n[0], 5);
        rfl_counters_mark_dirty(c, 3);
        rfl_counters_read_cell(c, 3, &cell);
    }

    rfl_buf_fmt(s->out, "%llu\n", (unsigned long long) cell.n[0]);

    if (rfl_counters_check_path(c, s->cells) != RFL_OK
        || rfl_counters_last_out(c) != RFL_OK)
    {
        rc = named(s, RFL_ERROR, "looking at the path");
    }

    close_cells(s);

    return rc;
}


static rfl_rc_t
set_counters_aside(scene_t *s)
{
    rfl_rc_t    rc;
    rfl_cell_t  cell;

    rc = open_cells(s, (const u_char *) "another registry", 1);
    close_cells(s);

    if (rc == RFL_OK) {
        rc = open_cells(s, uuid, 1);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    /* not found to be ours, it is left beside and a new one is made */

    rfl_counters_read_cell(s->totals.counters, 3, &cell);
    must(cell.n[0] == 5 || cell.n[0] == 0);

    return named(s, cell.n[0] == 5 ? RFL_OK : RFL_ERROR, "coming back");
}


static const step_pt  counters_steps[] = {
    grow_counters, set_counters_aside, NULL
};


static void
verify_counters(const char *dir, uint32_t before, uint32_t after)
{
    rfl_error_t      err;
    rfl_counters_t  *c;

    must(rfl_counters_open(&c, below(dir, "cells"), uuid, IDS, MAX,
                           RFL_COUNTERS_CREATE, NOW, &err)
         == RFL_OK);
    must(rfl_counters_capacity(c) >= IDS);
    rfl_counters_close(c);
}


static rfl_rc_t
count_in_memory(scene_t *s)
{
    int              fd;
    rfl_rc_t         rc;
    rfl_counters_t  *c;

    fd = rfl_counters_volatile_create("failing", geteuid());
    if (fd == -1) {
        return named(s, RFL_ERROR, "making the memory");
    }

    rc = rfl_counters_volatile_open(&c, fd, uuid, IDS, MAX,
                                    RFL_COUNTERS_CREATE, NOW, &s->err);
    if (rc == RFL_OK) {
        rfl_counters_leave(c);
        rc = rfl_counters_join(c, &s->err);
        must(rfl_counters_capacity(c) >= IDS);
        rfl_counters_close(c);
    }

    (void) close(fd);

    return rc;
}


static const step_pt  volatile_steps[] = { count_in_memory, NULL };


/* A flush, and a period's sums, in steps. */

static rfl_rc_t
flush(scene_t *s)
{
    rfl_flush_t       flush;
    rfl_retention_t   keep;
    rfl_flush_stat_t  stat;

    memset(&keep, 0, sizeof(rfl_retention_t));

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = s->cells;
    flush.now_ms = NOW * UINT64_C(1000);
    flush.keep = &keep;

    return rfl_ledger_flush(s->totals.ledger, s->totals.counters, &flush,
                            &stat, &s->err);
}


static rfl_rc_t
tell_history(rfl_ledger_t *l, rfl_buf_t *out)
{
    uint32_t       budget;
    rfl_rc_t       rc;
    rfl_merge_t    merge;
    rfl_period_t   period;
    rfl_history_t  history;

    must(rfl_period_init(&period, NOW - 86400, NOW + 3600, 0) == RFL_OK);

    history = rfl_ledger_history(l);
    rfl_merge_start(&merge, RFL_MERGE_CELL, &period, 3);

    do {
        budget = 10;
        rc = rfl_merge_step(&merge, &history, &budget);
    } while (rc == RFL_BUSY);

    rfl_buf_fmt(out, "history %llu\n",
                (unsigned long long) merge.sum.cell.n[RFL_CELL_CLICKS]);

    return rc;
}


static rfl_rc_t
tell_sums(rfl_ledger_t *l, rfl_buf_t *out)
{
    int                folded;
    rfl_rc_t           rc;
    uint32_t           id;
    rfl_cell_t         cell;
    rfl_zone_t         zone;
    rfl_ledger_file_t  file;

    memset(&cell, 0, sizeof(rfl_cell_t));
    memset(&zone, 0, sizeof(rfl_zone_t));

    rc = rfl_ledger_cell(l, 0, 5, &cell);

    if (rc == RFL_OK) {
        rc = rfl_ledger_zone(l, 0, &zone);
    }

    if (rc == RFL_OK) {
        rc = rfl_ledger_max_id(l, &id);
    }

    if (rc == RFL_OK) {
        rc = rfl_ledger_last_file(l, &file);
    }

    if (rc == RFL_OK) {
        rc = rfl_ledger_is_folded(l, file.file_id, &folded);
    }

    if (rc == RFL_OK) {
        rfl_buf_fmt(out, "%llu %u %d\n", (unsigned long long) cell.n[0], id,
                    folded);
        rc = tell_history(l, out);
    }

    return rc;
}


static rfl_rc_t
tell_ledger(scene_t *s)
{
    rfl_rc_t  rc;

    rc = rfl_ledger_begin(s->totals.ledger, &s->err);

    if (rc == RFL_OK) {
        rc = named(s, tell_sums(s->totals.ledger, s->out), "telling sums");
        rfl_ledger_end(s->totals.ledger);
    }

    return rc;
}


static const step_pt  ledger_steps[] = {
    open_totals, flush, tell_ledger, NULL
};


/* Another file has the path of the one that is gone, which is folded. */

static void
prepare_fold(const char *dir)
{
    rfl_error_t      err;
    rfl_counters_t  *c;

    prepare_site(dir);

    must(remove(below(dir, "cells")) == 0);
    must(rfl_counters_open(&c, below(dir, "cells"), uuid, 1, MAX,
                           RFL_COUNTERS_CREATE, NOW, &err)
         == RFL_OK);
    rfl_counters_close(c);
}


static rfl_rc_t
open_ledger(scene_t *s)
{
    return rfl_ledger_open(&s->totals.ledger, s->dir, NULL, RFL_STORE_WRITE,
                           MAP, &s->err);
}


static rfl_rc_t
fold(scene_t *s)
{
    unsigned  i;
    rfl_rc_t  rc;
    uint32_t  folded;
    uint64_t  now_ms;

    now_ms = NOW * UINT64_C(1000) + RFL_LEDGER_DEAD_MS + 1000;

    for (i = 0, rc = RFL_OK; i < 8 && rc == RFL_OK; i++) {
        rc = rfl_ledger_fold(s->totals.ledger, 1, now_ms, &folded, &s->err);
        now_ms += RFL_LEDGER_WAIT_MS + 1000;
    }

    return rc;
}


static const step_pt  fold_steps[] = { open_ledger, fold, NULL };


/* What the ledger had it still has, once, folded or not. */

static void
verify_fold(const char *dir, uint32_t before, uint32_t after)
{
    uint32_t       id;
    rfl_cell_t     cell;
    rfl_error_t    err;
    rfl_check_t    check;
    rfl_ledger_t  *l;

    must(rfl_ledger_open(&l, dir, NULL, RFL_STORE_WRITE, MAP, &err) == RFL_OK);

    memset(&check, 0, sizeof(rfl_check_t));
    check.fault = note_fault;
    must(rfl_check_ledger(&check, l, &err) == RFL_OK && check.faults == 0);

    must(rfl_ledger_begin(l, &err) == RFL_OK);

    for (id = 1; id < 12; id++) {
        memset(&cell, 0, sizeof(rfl_cell_t));
        must(rfl_ledger_cell(l, 0, id, &cell) == RFL_OK);
        must(cell.n[RFL_CELL_CLICKS] == id);
    }

    rfl_ledger_end(l);
    rfl_ledger_close(l);
}


/* The links become those of a file: one stays, one is changed, two are new. */

static void
prepare_csv(const char *dir)
{
    prepare_site(dir);
    write_file(below(dir, "file"),
               "source,match_type,target,tag,name\n"
               "https://blog.example/2024/launch,exact,/pricing,,changed\n"
               "example,domain,,,\n"
               "https://new.example/a,exact,/a,,\n"
               "\"https://new.example/b\",exact,/b,,\"two,words\"\n");
}


static void
prepare_json(const char *dir)
{
    prepare_site(dir);
    write_file(below(dir, "file"),
               "{\"links\":[{\"source\":\"https://blog.example/2024/launch\","
               "\"match_type\":\"exact\",\"target\":\"/pricing\","
               "\"name\":\"changed\",\"cost\":12.50},"
               "{\"source\":\"example\",\"match_type\":\"domain\"},"
               "{\"source\":\"https://new.example/a\",\"target\":\"/a\"},"
               "{\"source\":\"https://new.example/b\",\"labels\":[\"x\"]}],"
               "\"next\":null}\n");
}


static rfl_rc_t
sync_file(scene_t *s)
{
    rfl_rc_t    rc;
    rfl_sync_t  sync;

    memset(&sync, 0, sizeof(rfl_sync_t));

    sync.path = s->file;
    sync.registry = s->registry;
    sync.totals = &s->totals;
    sync.max_links = 100;

    rc = rfl_file_look(s->file, &sync.look, &s->err);

    if (rc == RFL_OK) {
        rc = rfl_issue_open(&s->conf, s->cells, s->registry, &s->totals,
                            &s->err);
    }

    return rc == RFL_OK ? rfl_sync_run(&sync, &s->err) : rc;
}


static const step_pt  sync_steps[] = {
    open_registry, sync_file, tell_links, NULL
};


/* What cannot be read is a fault of the table; a copy is whole. */

static void
ignore_fault(void *data, const char *table, rfl_str_t text)
{
}


static rfl_rc_t
check(scene_t *s)
{
    rfl_rc_t     rc;
    rfl_check_t  check;

    memset(&check, 0, sizeof(rfl_check_t));
    check.fault = ignore_fault;

    rc = rfl_check_registry(&check, s->registry, &s->err);

    if (rc == RFL_OK) {
        rc = rfl_check_ledger(&check, s->totals.ledger, &s->err);
    }

    if (rc == RFL_OK && check.faults != 0) {
        rc = named(s, RFL_DAMAGED, "reading a table");
    }

    rfl_buf_fmt(s->out, "%llu rows\n", (unsigned long long) check.rows);

    return rc;
}


static rfl_rc_t
copy(scene_t *s)
{
    int       fd;
    rfl_rc_t  rc;

    fd = open(s->file, O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);
    if (fd == -1) {
        return named(s, RFL_ERROR, "making the copy");
    }

    rc = rfl_store_copy(rfl_ledger_store(s->totals.ledger), fd, 1, &s->err);
    (void) close(fd);

    (void) rfl_store_check_path(rfl_registry_store(s->registry));
    (void) rfl_store_reader_check(rfl_registry_store(s->registry));

    return rc;
}


static const step_pt  check_steps[] = {
    open_registry, open_ledger, check, copy, NULL
};


/* Another process makes the file larger than this one's map of it. */

static const rfl_store_dbi_t  only_dbi[] = {
    { "only", RFL_KEY_BYTES }
};


static rfl_store_t *
open_only(const char *dir, unsigned flags)
{
    rfl_error_t   err;
    rfl_store_t  *store;

    must(rfl_store_open(&store, below(dir, "store"), only_dbi, 1, flags, MAP,
                        &err)
         == RFL_OK);

    return store;
}


static void
prepare_only(const char *dir)
{
    rfl_store_close(open_only(dir, RFL_STORE_CREATE));
}


/* Pages that are taken and given back stay behind the last one in use. */

static void
put(rfl_store_t *store, const char *key, size_t len, int again)
{
    rfl_error_t  err;

    static u_char  bytes[1 << 20];

    must(rfl_store_begin(store, 1, &err) == RFL_OK);
    must(rfl_store_put(store, 0, rfl_cstr(key), rfl_str(bytes, len), 0, &err)
         == RFL_OK);

    if (again) {
        must(rfl_store_del(store, 0, rfl_cstr(key), &err) == RFL_OK);
        must(rfl_store_put(store, 0, rfl_cstr("small"), rfl_str(bytes, 1), 0,
                           &err)
             == RFL_OK);
    }

    must(rfl_store_commit(store, &err) == RFL_OK);
}


static void
enlarge(const char *dir)
{
    rfl_store_t  *store;

    store = open_only(dir, RFL_STORE_WRITE);
    put(store, "key", 1 << 20, 0);
    rfl_store_close(store);
}


static rfl_rc_t
read_enlarged(scene_t *s)
{
    int           fds[2], status;
    pid_t         pid;
    u_char        byte;
    rfl_rc_t      rc;
    rfl_str_t     value;
    rfl_store_t  *store;

    must(pipe(fds) == 0);

    pid = fork();
    must(pid != -1);

    if (pid == 0) {
        (void) fail_disarm();
        (void) close(fds[1]);

        (void) !read(fds[0], &byte, 1);      /* the other one has opened it */

        enlarge(s->dir);
        _exit(0);
    }

    (void) close(fds[0]);

    rc = rfl_store_open(&store, below(s->dir, "store"), only_dbi, 1,
                        RFL_STORE_READ, (size_t) 64 << 10, &s->err);

    (void) close(fds[1]);
    must(waitpid(pid, &status, 0) == pid && status == 0);

    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_store_begin(store, 0, &s->err);

    if (rc == RFL_OK) {
        rc = named(s, rfl_store_get(store, 0, rfl_cstr("key"), &value), "get");
        rfl_buf_fmt(s->out, "%zu bytes\n", rc == RFL_OK ? value.len : 0);
        rfl_store_end(store);
    }

    rfl_store_close(store);

    return rc;
}


static const step_pt  resized_steps[] = { read_enlarged, NULL };


/* LMDB leaves the file short of pages nobody uses: a writer makes it longer. */

static void
prepare_short(const char *dir)
{
    unsigned      i;
    struct stat   st;
    rfl_store_t  *store;

    store = open_only(dir, RFL_STORE_CREATE);

    for (i = 0; i < 10; i++) {
        put(store, "freed", 100 + i, 0);
    }

    put(store, "key", 1 << 20, 1);
    rfl_store_close(store);

    must(stat(below(dir, "store/data.mdb"), &st) == 0);
    must(truncate(below(dir, "store/data.mdb"), st.st_size - 100 * 4096) == 0);
}


static rfl_rc_t
write_short(scene_t *s)
{
    rfl_rc_t      rc;
    rfl_store_t  *store;

    rc = rfl_store_open(&store, below(s->dir, "store"), only_dbi, 1,
                        RFL_STORE_WRITE, MAP, &s->err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_store_begin(store, 1, &s->err);

    if (rc == RFL_OK) {
        rc = rfl_store_put(store, 0, rfl_cstr("one"), rfl_cstr("more"), 0,
                           &s->err);

        if (rc == RFL_OK) {
            rc = rfl_store_commit(store, &s->err);

        } else {
            rfl_store_end(store);
        }
    }

    rfl_store_close(store);

    return rc;
}


static const step_pt  short_steps[] = { write_short, NULL };


static void
verify_only(const char *dir, uint32_t before, uint32_t after)
{
    rfl_error_t   err;
    rfl_str_t     value;
    rfl_store_t  *store;

    store = open_only(dir, RFL_STORE_READ);

    must(rfl_store_begin(store, 0, &err) == RFL_OK);
    must(rfl_store_get(store, 0, rfl_cstr("small"), &value) == RFL_OK);

    rfl_store_end(store);
    rfl_store_close(store);
}


/* NULL is good enough. */

static rfl_rc_t
judge_agents(scene_t *s)
{
    rfl_agent_cache_t  *cache;

    cache = rfl_agent_cache_create();

    rfl_buf_fmt(s->out, "%d%d\n",
                rfl_agent_is_bot(cache, rfl_cstr("curl/8.0")),
                rfl_agent_is_bot(cache, rfl_cstr("curl/8.0")));
    rfl_agent_cache_free(cache);

    return RFL_OK;
}


static rfl_rc_t
share_text(scene_t *s)
{
    rfl_error_t         err;
    rfl_shared_text_t  *text;

    text = rfl_shared_text_create("not yet");
    if (text == NULL) {
        return named(s, RFL_NO_MEMORY, "sharing a text");
    }

    rfl_shared_text_get(text, &err);
    rfl_buf_text(s->out, err.text);
    rfl_shared_text_free(text);

    return RFL_OK;
}


static const step_pt  small_steps[] = { judge_agents, share_text, NULL };


const scenario_t  store_scenarios[] = {
    { .name = "make", .steps = make_steps, .verify = verify_below,
      .after = LINKS },
    { .name = "change", .prepare = prepare_site, .steps = change_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS - 1 },
    { .name = "bulk", .prepare = prepare_site, .steps = bulk_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS + 4 },
    { .name = "others", .prepare = prepare_site, .steps = others_steps,
      .verify = verify_site, .before = LINKS, .after = 1 },
    { .name = "sort", .steps = sort_steps, .verify = verify_no_file },
    { .name = "named", .steps = sort_steps, .lacks = "open" },
    { .name = "ignore", .prepare = prepare_site, .steps = ignore_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS },
    { .name = "attribute", .prepare = prepare_site, .steps = attribute_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS },
    { .name = "pattern", .steps = pattern_steps },
    { .name = "counters", .steps = counters_steps, .verify = verify_counters },
    { .name = "volatile", .steps = volatile_steps },
    { .name = "ledger", .prepare = prepare_site, .steps = ledger_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS },
    { .name = "fold", .prepare = prepare_fold, .steps = fold_steps,
      .verify = verify_fold },
    { .name = "csv", .prepare = prepare_csv, .steps = sync_steps,
      .verify = verify_site, .before = LINKS, .after = 4 },
    { .name = "json", .prepare = prepare_json, .steps = sync_steps,
      .verify = verify_site, .before = LINKS, .after = 4 },
    { .name = "check", .prepare = prepare_site, .steps = check_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS },
    { .name = "resized", .prepare = prepare_only, .steps = resized_steps },
    { .name = "short", .prepare = prepare_short, .steps = short_steps,
      .verify = verify_only },
    { .name = "small", .steps = small_steps },
    { .name = NULL }
};
