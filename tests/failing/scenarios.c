/* What core is asked to do while calls fail: see failing.h. */

#include "failing.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "rfl_agent.h"
#include "rfl_check.h"
#include "rfl_feed.h"
#include "rfl_keeper.h"
#include "rfl_writer.h"


#define NOW    1795132800                /* 2026-11-20 */
#define MAP    ((size_t) 64 << 20)
#define IDS    64
#define MAX    20000
#define STEPS  5000

#define PATIENCE_MS  30000

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    const char  *source;
    const char  *type;
    const char  *target;
    const char  *tag;
} entry_t;


static const entry_t  entries[] = {
    { "https://blog.example/2024/launch", "exact", "/pricing", "" },
    { "https://blog.example/2024/launch", "exact", "/other", "pair" },
    { "https://\xe2\x98\x83.example/a", "exact", "/pricing", "pair" },
    { "https://blog.example/2024", "prefix", "", "" },
    { "blog.example/20\\d\\d/x", "regex", "/r", "" },
    { "example", "domain", "", "" },
    { "", "tag", "/t", "mail" }
};

#define LINKS  COUNT(entries)

static const u_char  uuid[16] = "failing calls..";


static const char *
below(const char *dir, const char *name)
{
    static char  path[4][300];
    static int   i;

    i = (i + 1) % 4;
    (void) snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);

    return path[i];
}


static void
set_link(rfl_link_t *link, const entry_t *e)
{
    memset(link, 0, sizeof(rfl_link_t));

    link->source = rfl_cstr(e->source);
    link->target = rfl_cstr(e->target);
    link->tag = rfl_cstr(e->tag);
    link->labels = rfl_cstr("a,b");

    must(rfl_match_type_parse(rfl_cstr(e->type), &link->match_type, NULL)
         == RFL_OK);
}


static rfl_rc_t
add_links(rfl_registry_t *r, size_t from, size_t n)
{
    size_t       i;
    rfl_rc_t     rc;
    rfl_link_t   link;
    rfl_error_t  err;

    for (i = from; i < from + n; i++) {
        set_link(&link, &entries[i]);

        rc = rfl_registry_add(r, &link, NOW, &err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


/* All there is, in words. */

static rfl_rc_t
tell_links(rfl_registry_t *r, rfl_buf_t *out)
{
    size_t                 i, n;
    rfl_rc_t               rc;
    uint32_t               member;
    rfl_link_t             link, again;
    rfl_membership_t       groups[RFL_LINK_GROUPS_MAX];
    rfl_registry_meta_t    meta;
    rfl_registry_place_t   place;

    rc = rfl_registry_begin(r, 0, NULL);
    if (rc != RFL_OK) {
        return rc;
    }

    place.len = 0;
    rc = rfl_registry_meta(r, &meta);

    if (rc == RFL_OK) {
        rfl_buf_fmt(out, "%u links, %u groups\n", meta.links, meta.groups);
    }

    while (rc == RFL_OK) {
        rc = rfl_registry_next_source(r, &place, &link);

        if (rc == RFL_OK) {
            rc = rfl_registry_by_key(r, link.key, &again);
        }

        if (rc == RFL_OK) {
            rc = rfl_registry_groups(r, &link, groups, &n);
        }

        if (rc != RFL_OK) {
            break;
        }

        rfl_buf_fmt(out, "%u %.*s:", again.id, (int) link.source.len,
                    link.source.data);

        for (i = 0; i < n && rc == RFL_OK; i++) {
            member = 0;
            rc = rfl_registry_next_member(r, groups[i].group.id, &member);
            rfl_buf_fmt(out, " %u %u", groups[i].group.links, member);
        }

        rfl_buf_char(out, '\n');
    }

    rfl_registry_end(r);

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


/* Shown where a fault must not be. */

static void
note_fault(void *data, const char *table, rfl_str_t text)
{
    (void) fprintf(stderr, "%s: %.*s\n", table, (int) text.len, text.data);
}


static void
ignore_fault(void *data, const char *table, rfl_str_t text)
{
}


/* The tables agree, and the number of links is one of these. */

static void
verify_registry(const char *dir, uint32_t a, uint32_t b, uint32_t c)
{
    rfl_error_t           err;
    rfl_check_t           check;
    rfl_registry_t       *r;
    rfl_registry_meta_t   meta;

    must(rfl_registry_open(&r, dir, RFL_STORE_CREATE, MAP, &err) == RFL_OK);

    memset(&check, 0, sizeof(rfl_check_t));
    check.fault = note_fault;

    must(rfl_check_registry(&check, r, &err) == RFL_OK);
    must(check.faults == 0);

    must(rfl_registry_begin(r, 0, &err) == RFL_OK);
    must(rfl_registry_meta(r, &meta) == RFL_OK);
    must(meta.links == a || meta.links == b || meta.links == c);

    rfl_registry_end(r);
    rfl_registry_close(r);
}


static rfl_rc_t
run_registry(const char *dir, rfl_buf_t *out)
{
    rfl_rc_t         rc;
    rfl_link_t       link;
    rfl_error_t      err;
    rfl_registry_t  *r;

    rc = rfl_registry_open(&r, below(dir, "new"), RFL_STORE_CREATE, MAP, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_begin(r, 1, &err);
    if (rc != RFL_OK) {
        goto done;
    }

    rc = add_links(r, 0, LINKS);
    if (rc != RFL_OK) {
        rfl_registry_end(r);
        goto done;
    }

    rc = rfl_registry_commit(r, &err);

    if (rc == RFL_OK) {
        rc = tell_links(r, out);
    }

    if (rc == RFL_OK) {
        rc = rfl_registry_set_directive(r, 100, rfl_cstr(""), &err);
    }

    if (rc == RFL_OK) {
        rc = rfl_registry_begin(r, 1, &err);
    }

    if (rc != RFL_OK) {
        goto done;
    }

    set_link(&link, &entries[0]);
    rc = rfl_registry_add(r, &link, NOW, &err);

    if (rc == RFL_EXISTS) {
        link.tag = rfl_cstr("pair");
        rc = rfl_registry_update(r, &link, &err);
    }

    if (rc == RFL_OK) {
        set_link(&link, &entries[1]);
        rc = rfl_registry_add(r, &link, NOW, &err);
    }

    if (rc == RFL_EXISTS) {
        rc = rfl_registry_remove(r, link.key, &err);
    }

    if (rc != RFL_OK) {
        rfl_registry_end(r);
        goto done;
    }

    rc = rfl_registry_commit(r, &err);

    if (rc == RFL_OK) {
        rc = tell_links(r, out);
    }

done:

    rfl_registry_close(r);

    return rc;
}


static void
verify_registry_run(const char *dir)
{
    verify_registry(below(dir, "new"), 0, LINKS, LINKS - 1);
}


/* Counter file and ledger of a registry, which is closed, and a flush. */

static void
open_counts(const char *dir, rfl_registry_t *r, rfl_counters_t **c,
    rfl_ledger_t **l, rfl_flush_t *flush)
{
    rfl_error_t           err;
    rfl_registry_meta_t   meta;

    must(rfl_registry_begin(r, 0, &err) == RFL_OK);
    must(rfl_registry_meta(r, &meta) == RFL_OK);
    rfl_registry_end(r);
    rfl_registry_close(r);

    must(rfl_counters_open(c, below(dir, "cells"), meta.uuid, IDS, MAX,
                           RFL_COUNTERS_CREATE, NOW, &err)
         == RFL_OK);
    must(rfl_ledger_open(l, dir, meta.uuid, RFL_STORE_CREATE, MAP, &err)
         == RFL_OK);

    memset(flush, 0, sizeof(rfl_flush_t));
    flush->counters_path = below(dir, "cells");
    flush->now_ms = NOW * UINT64_C(1000);
}


/* Some links, a counter file with counts, half of them in the ledger. */

static void
prepare_site(const char *dir)
{
    uint32_t              id;
    rfl_error_t           err;
    rfl_flush_t           flush;
    rfl_ledger_t         *l;
    rfl_registry_t       *r;
    rfl_counters_t       *c;
    rfl_flush_stat_t      stat;

    must(rfl_registry_open(&r, dir, RFL_STORE_CREATE, MAP, &err) == RFL_OK);
    must(rfl_registry_begin(r, 1, &err) == RFL_OK);
    must(add_links(r, 0, LINKS) == RFL_OK);
    must(rfl_registry_commit(r, &err) == RFL_OK);
    open_counts(dir, r, &c, &l, &flush);

    for (id = 1; id < 12; id++) {
        rfl_counters_add(&c->cells[id].n[RFL_CELL_CLICKS], id);
        rfl_counters_mark_dirty(c, id);
    }

    must(rfl_ledger_flush(l, c, &flush, &stat, &err) == RFL_OK);

    for (id = 1; id < 12; id++) {
        rfl_counters_add(&c->cells[id].n[RFL_CELL_CLICKS], 100);
        rfl_counters_mark_dirty(c, id);
    }

    rfl_counters_close(c);
    rfl_ledger_close(l);
}


/* What was counted is there, once, whatever failed. */

static void
verify_totals(const char *dir)
{
    uint32_t              id;
    rfl_cell_t            cell;
    rfl_check_t           check;
    rfl_error_t           err;
    rfl_flush_t           flush;
    rfl_ledger_t         *l;
    rfl_totals_t          totals;
    rfl_registry_t       *r;
    rfl_counters_t       *c;
    rfl_flush_stat_t      stat;

    must(rfl_registry_open(&r, dir, RFL_STORE_WRITE, MAP, &err) == RFL_OK);
    open_counts(dir, r, &c, &l, &flush);
    flush.full = 1;

    must(rfl_ledger_flush(l, c, &flush, &stat, &err) == RFL_OK);

    memset(&check, 0, sizeof(rfl_check_t));
    check.fault = note_fault;
    must(rfl_check_ledger(&check, l, &err) == RFL_OK);
    must(check.faults == 0);

    totals.ledger = l;
    totals.counters = c;

    must(rfl_ledger_begin(l, &err) == RFL_OK);

    for (id = 1; id < 12; id++) {
        must(rfl_totals_cell(&totals, id, &cell) == RFL_OK);
        must(cell.n[RFL_CELL_CLICKS] == id + 100);
    }

    rfl_ledger_end(l);
    rfl_ledger_close(l);
    rfl_counters_close(c);
}


static void
verify_site(const char *dir)
{
    verify_registry(dir, LINKS, LINKS, LINKS);
    verify_totals(dir);
}


/* More links in one go; of them all or none. */

static rfl_rc_t
run_bulk(const char *dir, rfl_buf_t *out)
{
    size_t           i;
    char             source[64];
    rfl_rc_t         rc;
    rfl_link_t       link;
    rfl_error_t      err;
    rfl_registry_t  *r;

    rc = rfl_registry_open(&r, dir, RFL_STORE_WRITE, MAP, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_registry_begin(r, 1, &err);
    if (rc != RFL_OK) {
        goto done;
    }

    rc = rfl_registry_bulk(r, &err);

    for (i = 0; i < 5 && rc == RFL_OK; i++) {
        (void) snprintf(source, sizeof(source), "https://blog.example/%zu",
                        i % 4);

        set_link(&link, &entries[0]);
        link.source = rfl_cstr(source);

        rc = rfl_registry_add(r, &link, NOW, &err);

        if (rc == RFL_EXISTS && i == 4) {
            rc = RFL_OK;
        }
    }

    if (rc == RFL_OK) {
        rc = rfl_registry_settle(r, &err);
    }

    if (rc != RFL_OK) {
        rfl_registry_end(r);
        goto done;
    }

    rc = rfl_registry_commit(r, &err);

    if (rc == RFL_OK) {
        rc = tell_links(r, out);
    }

done:

    rfl_registry_close(r);

    return rc;
}


static void
verify_bulk(const char *dir)
{
    verify_registry(dir, LINKS, LINKS + 4, LINKS);
}


/* A lookup that fails says so; what it does not say is right. */

static rfl_rc_t
run_attribute(const char *dir, rfl_buf_t *out)
{
    size_t              i;
    rfl_rc_t            rc;
    rfl_error_t         err;
    rfl_names_t         names;
    rfl_request_t       request;
    rfl_patterns_t     *patterns;
    rfl_registry_t     *r;
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

    rc = rfl_registry_open(&r, dir, RFL_STORE_READ, MAP, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    patterns = rfl_patterns_create(2);           /* NULL is good enough */

    names.names = &ref;
    names.n = 1;

    for (i = 0; i < COUNT(requests); i++) {
        memset(&request, 0, sizeof(rfl_request_t));
        request.referer = rfl_cstr(requests[i][0]);
        request.landing = rfl_cstr(requests[i][1]);
        request.host = rfl_cstr("shop.example");
        request.tag_names = &names;
        request.patterns = patterns;

        rfl_attribute(r, &request, &a, NULL);

        if (a.lookup_failed || a.regex_limit) {
            rc = RFL_ERROR;
        }

        rfl_buf_fmt(out, "%u %u %u %u\n", a.outcome, a.evidence, a.id,
                    a.other_landing);

        (void) rfl_follow_up(r, &request, rfl_cstr("/pricing"), NULL);
    }

    rfl_patterns_free(patterns);
    rfl_registry_close(r);

    return rc;
}


static rfl_rc_t
run_counters(const char *dir, rfl_buf_t *out)
{
    rfl_rc_t         rc;
    rfl_cell_t       cell;
    rfl_error_t      err;
    rfl_event_t      event;
    rfl_counters_t  *c;

    rc = rfl_counters_open(&c, below(dir, "cells"), uuid, IDS, MAX,
                           RFL_COUNTERS_CREATE, NOW, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    memset(&event, 0, sizeof(rfl_event_t));

    rc = rfl_ring_open(c, 0, &err);
    rfl_ring_write(c, 0, &event, rfl_cstr("blog.example"), rfl_cstr("/a"));

    if (rfl_counters_reserve(c, 9000, &err) == RFL_OK) {
        must(rfl_counters_capacity(c) >= 9000);

    } else {
        rc = RFL_FULL;
    }

    must(rfl_counters_capacity(c) >= IDS);

    rfl_counters_add(&c->cells[3].n[0], 5);
    rfl_counters_mark_dirty(c, 3);
    rfl_counters_read_cell(c, 3, &cell);
    rfl_buf_fmt(out, "%llu\n", (unsigned long long) cell.n[0]);

    if (rfl_counters_check_path(c, below(dir, "cells")) != RFL_OK) {
        rc = RFL_ERROR;
    }

    if (rfl_counters_last_out(c) != RFL_OK) {
        rc = RFL_ERROR;
    }

    rfl_counters_close(c);

    if (rc != RFL_OK) {
        return rc;
    }

    /* another registry's: it is set aside, and comes back */

    rc = rfl_counters_open(&c, below(dir, "cells"),
                           (const u_char *) "another registry", 1, MAX,
                           RFL_COUNTERS_CREATE, NOW, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_counters_close(c);

    rc = rfl_counters_open(&c, below(dir, "cells"), uuid, 1, MAX,
                           RFL_COUNTERS_CREATE, NOW, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    /* not found to be ours, it is left beside and a new one is made */

    rfl_counters_read_cell(c, 3, &cell);
    must(cell.n[0] == 5 || cell.n[0] == 0);

    if (cell.n[0] == 0) {
        rc = RFL_ERROR;
    }

    rfl_counters_close(c);

    return rc;
}


static void
verify_counters(const char *dir)
{
    rfl_rc_t         rc;
    rfl_error_t      err;
    rfl_counters_t  *c;

    rc = rfl_counters_open(&c, below(dir, "cells"), uuid, IDS, MAX,
                           RFL_COUNTERS_CREATE, NOW, &err);

    must(rc == RFL_OK);
    must(rfl_counters_capacity(c) >= IDS);
    rfl_counters_close(c);
}


static rfl_rc_t
run_volatile(const char *dir, rfl_buf_t *out)
{
    int              fd;
    rfl_rc_t         rc;
    rfl_error_t      err;
    rfl_counters_t  *c;

    fd = rfl_counters_volatile_create("failing", geteuid());
    if (fd == -1) {
        return RFL_ERROR;
    }

    rc = rfl_counters_volatile_open(&c, fd, uuid, IDS, MAX,
                                    RFL_COUNTERS_CREATE, NOW, &err);
    if (rc == RFL_OK) {
        rfl_counters_leave(c);
        rc = rfl_counters_join(c, &err);
        must(rfl_counters_capacity(c) >= IDS);
        rfl_counters_close(c);
    }

    (void) close(fd);

    return rc;
}


/* A period's sums, in steps. */

static rfl_rc_t
tell_history(rfl_ledger_t *l, rfl_buf_t *out)
{
    uint32_t        budget;
    rfl_rc_t        rc;
    rfl_merge_t     merge;
    rfl_period_t    period;
    rfl_history_t   history;

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
tell_ledger(rfl_ledger_t *l, rfl_buf_t *out)
{
    int                 folded;
    rfl_rc_t            rc;
    uint32_t            id;
    rfl_cell_t          cell;
    rfl_zone_t          zone;
    rfl_error_t         err;
    rfl_ledger_file_t   file;

    rc = rfl_ledger_begin(l, &err);
    if (rc != RFL_OK) {
        return rc;
    }

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

    rfl_ledger_end(l);

    return rc;
}


static rfl_rc_t
run_ledger(const char *dir, rfl_buf_t *out)
{
    rfl_rc_t            rc;
    uint32_t            folded;
    rfl_error_t         err;
    rfl_flush_t         flush;
    rfl_ledger_t       *l;
    rfl_counters_t     *c;
    rfl_retention_t     keep;
    rfl_flush_stat_t    stat;

    rc = rfl_ledger_open(&l, dir, NULL, RFL_STORE_WRITE, MAP, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_counters_open(&c, below(dir, "cells"), rfl_ledger_uuid(l), IDS,
                           MAX, RFL_COUNTERS_WRITE, NOW, &err);
    if (rc != RFL_OK) {
        rfl_ledger_close(l);
        return rc;
    }

    memset(&keep, 0, sizeof(rfl_retention_t));

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = below(dir, "cells");
    flush.now_ms = NOW * UINT64_C(1000);
    flush.keep = &keep;

    rc = rfl_ledger_flush(l, c, &flush, &stat, &err);

    if (rc == RFL_OK) {
        rc = tell_ledger(l, out);
    }

    if (rc == RFL_OK) {
        rc = rfl_ledger_fold(l, 1, NOW * UINT64_C(1000), &folded, &err);
    }

    rfl_counters_close(c);
    rfl_ledger_close(l);

    return rc;
}


/* Another file has the path of the one that is gone. */

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


/* In the steps in which it is folded. */

static rfl_rc_t
run_fold(const char *dir, rfl_buf_t *out)
{
    unsigned        i;
    rfl_rc_t        rc;
    uint32_t        folded;
    uint64_t        now_ms;
    rfl_error_t     err;
    rfl_ledger_t   *l;

    rc = rfl_ledger_open(&l, dir, NULL, RFL_STORE_WRITE, MAP, &err);

    if (rc == RFL_OK) {
        now_ms = NOW * UINT64_C(1000) + RFL_LEDGER_DEAD_MS + 1000;

        for (i = 0; i < 8 && rc == RFL_OK; i++) {
            rc = rfl_ledger_fold(l, 1, now_ms, &folded, &err);
            now_ms += RFL_LEDGER_WAIT_MS + 1000;
        }

        rfl_ledger_close(l);
    }

    return rc;
}


/* What the ledger had it still has, once, folded or not. */

static void
verify_fold(const char *dir)
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


static void
set_conf(rfl_runtime_conf_t *conf, const char *dir)
{
    memset(conf, 0, sizeof(rfl_runtime_conf_t));

    conf->name = "main";
    conf->path = dir;
    conf->counters = below(dir, "cells");
    conf->counters_dir = "";
    conf->source = "";
    conf->map_size = MAP;
    conf->max_ids = MAX;
    conf->max_links = 1000;
    conf->flush_ms = 10;
    conf->volatile_fd = -1;
}


/* An error is an answer, and nothing else is rendered then. */

static rfl_rc_t
run_view(rfl_runtime_t *rt, const char *path, const char *args,
    rfl_buf_t *out)
{
    rfl_rc_t            rc;
    rfl_buf_t           b = rfl_buf_init;
    rfl_view_t         *v;
    rfl_view_error_t    error;
    rfl_view_request_t  request;

    memset(&request, 0, sizeof(rfl_view_request_t));
    request.runtimes = &rt;
    request.n = 1;
    request.path = rfl_cstr(path);
    request.args = rfl_cstr(args);

    memset(&error, 0, sizeof(rfl_view_error_t));

    rc = rfl_view_open(&v, &request, &error);

    if (rc != RFL_OK) {
        must(error.status >= 400 && error.code != NULL);
        return rc;
    }

    do {
        rc = rfl_view_step(v, &b);
    } while (rc == RFL_BUSY);

    if (rc != RFL_OK) {
        must(rfl_view_fault(v)->status >= 500);

    } else if (out != NULL) {
        rfl_buf_add(out, b.data, b.len);
    }

    rfl_view_close(v);
    rfl_buf_free(&b);

    return rc;
}


static rfl_rc_t
run_views(const char *dir, rfl_buf_t *out)
{
    size_t              i;
    rfl_rc_t            rc;
    rfl_runtime_t       rt;
    rfl_runtime_conf_t  conf;

    static const char *const  views[][2] = {
        { "/links", "limit=all" },
        { "/links", "sort=clicks&limit=2" },
        { "/links", "sort=clicks&from=2026-11-01&compare=previous&limit=2" },
        { "/links", "host=blog.example&q=launch&format=csv" },
        { "/history", "unit=hour&from=2026-11-19&to=2026-11-21" },
        { "/hosts", "sort=name" },
        { "/labels", "from=2026-11-19&to=2026-11-21" }
    };

    set_conf(&conf, dir);
    rfl_runtime_init(&rt, &conf, 0);
    rfl_runtime_tick(&rt, NOW);

    rc = RFL_OK;

    if (rt.registry == NULL || rt.ledger == NULL || rt.counters == NULL) {
        must(rt.registry_error.rc != RFL_OK || rt.ledger_error.rc != RFL_OK
             || rt.counters_error.rc != RFL_OK);
        rc = RFL_ERROR;
    }

    for (i = 0; i < COUNT(views); i++) {
        if (run_view(&rt, views[i][0], views[i][1], out) != RFL_OK) {
            rc = RFL_ERROR;
        }
    }

    rfl_runtime_close(&rt);

    return rc;
}


/* These tell the time, so they never say the same twice. */

static rfl_rc_t
run_clocks(const char *dir, rfl_buf_t *out)
{
    rfl_rc_t             rc;
    unsigned             i;
    rfl_buf_t            b = rfl_buf_init;
    rfl_feed_t          *feed;
    rfl_runtime_t        rt, *runtimes[1];
    rfl_view_error_t     error;
    rfl_runtime_conf_t   conf;
    rfl_view_request_t   request;

    set_conf(&conf, dir);
    rfl_runtime_init(&rt, &conf, 0);
    rfl_runtime_tick(&rt, NOW);

    rc = run_view(&rt, "/", "", NULL);

    if (rc == RFL_OK) {
        rc = run_view(&rt, "/metrics", "links=all", NULL);
    }

    runtimes[0] = &rt;
    memset(&request, 0, sizeof(rfl_view_request_t));
    request.runtimes = runtimes;
    request.n = 1;
    request.path = rfl_cstr("/events");
    request.args = rfl_cstr("");

    if (rfl_feed_open(&feed, &request, NOW, 1, &error) == RFL_OK) {

        for (i = 0; i < 2; i++) {
            if (rfl_feed_step(feed, NOW + i, 1 + 1000 * i, &b) < 0
                && !b.failed)
            {
                rc = RFL_ERROR;
            }
        }

        rfl_feed_close(feed);

    } else {
        must(error.status >= 400);
        rc = RFL_ERROR;
    }

    rc = b.failed ? RFL_NO_MEMORY : rc;

    rfl_buf_free(&b);
    rfl_runtime_close(&rt);

    return rc;
}


/* Files come and go under a runtime, and calls fail: it goes on. */

static rfl_rc_t
run_runtime(const char *dir, rfl_buf_t *out)
{
    unsigned            i;
    rfl_record_t        record;
    rfl_runtime_t       rt;
    rfl_runtime_conf_t  conf;

    set_conf(&conf, dir);
    conf.volatile_fd = rfl_counters_volatile_create("failing", geteuid());
    conf.canary = rfl_canary_create();
    rfl_canary_join(conf.canary);

    rfl_runtime_init(&rt, &conf, 0);

    memset(&record, 0, sizeof(rfl_record_t));
    record.attribution.outcome = RFL_OUTCOME_MATCHED;
    record.attribution.evidence = RFL_EVIDENCE_EXACT;
    record.attribution.id = 1;
    record.class = RFL_CLASS_CLICK;
    record.now = NOW;

    for (i = 0; i < 6; i++) {
        rfl_runtime_tick(&rt, NOW + i);
        rfl_record(rt.zone, rt.counters, &record);
        (void) rfl_runtime_totals(&rt);

        if (i == 1) {
            (void) remove(below(dir, "cells"));
        }

        if (i == 2) {
            rfl_runtime_give_up_counters(&rt);
        }

        if (i == 3) {
            conf.counters = "/nowhere/cells";
            (void) remove(below(dir, "cells"));
        }
    }

    rfl_runtime_close(&rt);
    rfl_canary_free(conf.canary);

    if (conf.volatile_fd != -1) {
        (void) close(conf.volatile_fd);
    }

    return RFL_OK;
}


static rfl_rc_t
run_edit(const char *dir, rfl_edit_kind_t kind, uint64_t key, const char *body,
    rfl_buf_t *out)
{
    rfl_rc_t           rc;
    rfl_edit_t         edit;
    rfl_error_t        err;
    rfl_totals_t       totals;
    rfl_registry_t    *r;
    rfl_edit_answer_t  answer;

    memset(&totals, 0, sizeof(rfl_totals_t));

    rc = rfl_registry_open(&r, dir, RFL_STORE_WRITE, MAP, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_open(&totals.ledger, dir, NULL, RFL_STORE_READ, MAP, &err);

    if (rc == RFL_OK) {
        rc = rfl_counters_open(&totals.counters, below(dir, "cells"),
                               rfl_ledger_uuid(totals.ledger), 1, MAX,
                               RFL_COUNTERS_GROW, NOW, &err);
    }

    if (rc == RFL_OK) {
        memset(&edit, 0, sizeof(rfl_edit_t));
        edit.kind = kind;
        edit.key = key;
        edit.body = rfl_cstr(body);
        edit.now = NOW;

        memset(&answer, 0, sizeof(rfl_edit_answer_t));
        rc = rfl_edit_check(&edit, &answer);

        if (rc == RFL_OK) {
            rc = rfl_edit_run(&edit, r, &totals, &answer);
        }

        if (rc != RFL_OK) {
            must(answer.result.status >= 400 && answer.text.len == 0);

        } else {
            rfl_buf_fmt(out, "%u ", answer.result.status);
            rfl_buf_add(out, answer.text.data, answer.text.len);
        }

        rfl_buf_free(&answer.text);
    }

    rfl_counters_close(totals.counters);

    if (totals.ledger != NULL) {
        rfl_ledger_close(totals.ledger);
    }

    rfl_registry_close(r);

    return rc;
}


static rfl_rc_t
run_edits(const char *dir, rfl_buf_t *out)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    static rfl_identity_t  id;

    set_link(&link, &entries[1]);

    rc = rfl_identity(&link, &id, NULL);

    if (rc == RFL_OK) {
        rc = run_edit(dir, RFL_EDIT_ADD, 0,
                      "[{\"source\":\"https://new.example/a\",\"labels\":"
                      "[\"x\",\"a\"],\"cost\":1.5},{\"source\":"
                      "\"https://new.example/b\",\"tag\":\"pair\"}]", out);
    }

    if (rc == RFL_OK) {
        rc = run_edit(dir, RFL_EDIT_CHANGE, id.key,
                      "{\"name\":\"n\",\"tag\":\"mail\"}", out);
    }

    if (rc == RFL_OK) {
        rc = run_edit(dir, RFL_EDIT_REMOVE, id.key, "", out);
    }

    return rc;
}


static void
verify_edits(const char *dir)
{
    verify_registry(dir, LINKS, LINKS + 2, LINKS + 1);
    verify_totals(dir);
}


/* Waits for the thread, whatever it met. */

static rfl_rc_t
run_writer(const char *dir, rfl_buf_t *out)
{
    rfl_rc_t             rc;
    rfl_error_t          err;
    rfl_write_t         *write, *done;
    rfl_writer_t        *w;
    struct pollfd        fd;
    rfl_runtime_conf_t   conf;

    static const char  body[] = "{\"source\":\"https://new.example/a\"}";

    set_conf(&conf, dir);

    rc = rfl_writer_start(&w, &conf, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    write = rfl_write_create();

    if (write == NULL) {
        rc = RFL_NO_MEMORY;
        goto done;
    }

    write->edit.kind = RFL_EDIT_ADD;
    write->edit.now = NOW;
    write->fd = memfd_create("body", MFD_CLOEXEC);
    write->body_len = sizeof(body) - 1;
    write->counters = strdup(conf.counters);

    if (write->fd == -1 || write->counters == NULL
        || pwrite(write->fd, body, sizeof(body) - 1, 0) == -1)
    {
        rfl_write_free(write);
        rc = RFL_ERROR;
        goto done;
    }

    must(rfl_writer_put(w, write) == RFL_OK);

    fd.fd = rfl_writer_fd(w);
    fd.events = POLLIN;

    while ((done = rfl_writer_take(w)) == NULL) {
        must(poll(&fd, 1, PATIENCE_MS) == 1);
    }

    must(done == write);

    if (write->answer.result.status == 201) {
        rfl_buf_add(out, write->answer.text.data, write->answer.text.len);

    } else {
        must(write->answer.result.status >= 400);
        must(write->answer.text.len == 0);
        rc = RFL_ERROR;
    }

    rfl_write_free(write);

done:

    rfl_writer_ask(w);
    rfl_writer_join(w, rfl_clock_ms() + PATIENCE_MS);

    return rc;
}


static void
verify_writer(const char *dir)
{
    verify_registry(dir, LINKS, LINKS + 1, LINKS);
    verify_totals(dir);
}


/* A keeper from its start to its end, and the last process out. */

static rfl_rc_t
run_keeper(const char *dir, rfl_buf_t *out)
{
    rfl_rc_t            rc;
    rfl_error_t         err, message;
    rfl_keeper_t       *k;
    rfl_runtime_t       rt;
    rfl_runtime_conf_t  conf;

    set_conf(&conf, dir);

    rc = rfl_keeper_start(&k, &conf, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    (void) usleep(2000);

    rfl_keeper_ask(k);
    rfl_keeper_join(k, rfl_clock_ms() + PATIENCE_MS);

    rfl_runtime_init(&rt, &conf, 0);
    rfl_runtime_tick(&rt, NOW);

    k = rfl_keeper_last_out(&rt);

    if (k != NULL) {
        (void) rfl_keeper_message(k, &message);
        rfl_keeper_ask(k);
        rfl_keeper_join(k, rfl_clock_ms() + PATIENCE_MS);
    }

    return RFL_OK;
}


static rfl_rc_t
run_check(const char *dir, rfl_buf_t *out)
{
    int              fd;
    rfl_rc_t         rc;
    rfl_error_t      err;
    rfl_check_t      check;
    rfl_ledger_t    *l;
    rfl_registry_t  *r;

    rc = rfl_registry_open(&r, dir, RFL_STORE_WRITE, MAP, &err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_ledger_open(&l, dir, NULL, RFL_STORE_WRITE, MAP, &err);
    if (rc != RFL_OK) {
        rfl_registry_close(r);
        return rc;
    }

    memset(&check, 0, sizeof(rfl_check_t));
    check.fault = ignore_fault;

    rc = rfl_check_registry(&check, r, &err);

    if (rc == RFL_OK) {
        rc = rfl_check_ledger(&check, l, &err);
    }

    /* what cannot be read is a fault of the table */

    if (rc == RFL_OK && check.faults != 0) {
        rc = RFL_DAMAGED;
    }

    if (rc == RFL_OK) {
        rfl_buf_fmt(out, "%llu rows\n", (unsigned long long) check.rows);
    }

    if (rc == RFL_OK) {
        fd = open(below(dir, "copy"), O_RDWR|O_CREAT|O_CLOEXEC, 0600);
        rc = RFL_ERROR;

        if (fd != -1) {
            rc = rfl_store_copy(rfl_ledger_store(l), fd, 1, &err);
            (void) close(fd);
        }
    }

    (void) rfl_store_check_path(rfl_registry_store(r));
    (void) rfl_store_reader_check(rfl_registry_store(r));

    rfl_ledger_close(l);
    rfl_registry_close(r);

    return rc;
}


static const rfl_store_dbi_t  resized_dbis[] = {
    { "only", RFL_KEY_BYTES }
};


static void
prepare_resized(const char *dir)
{
    rfl_error_t   err;
    rfl_store_t  *s;

    must(rfl_store_open(&s, below(dir, "store"), resized_dbis, 1,
                        RFL_STORE_CREATE, MAP, &err)
         == RFL_OK);
    rfl_store_close(s);
}


static void
enlarge(const char *dir)
{
    rfl_error_t   err;
    rfl_store_t  *s;

    static u_char  bytes[1 << 20];

    must(rfl_store_open(&s, below(dir, "store"), resized_dbis, 1,
                        RFL_STORE_WRITE, MAP, &err)
         == RFL_OK);
    must(rfl_store_begin(s, 1, &err) == RFL_OK);
    must(rfl_store_put(s, 0, rfl_cstr("key"), rfl_str(bytes, sizeof(bytes)),
                       0, &err)
         == RFL_OK);
    must(rfl_store_commit(s, &err) == RFL_OK);
    rfl_store_close(s);
}


/* Another process makes the file larger than this one's map of it. */

static rfl_rc_t
run_resized(const char *dir, rfl_buf_t *out)
{
    int           fds[2], status;
    pid_t         pid;
    u_char        byte;
    rfl_rc_t      rc;
    rfl_str_t     value;
    rfl_error_t   err;
    rfl_store_t  *s;

    must(pipe(fds) == 0);

    pid = fork();
    must(pid != -1);

    if (pid == 0) {
        (void) fail_disarm();
        (void) close(fds[1]);

        (void) !read(fds[0], &byte, 1);      /* the other one has opened it */

        enlarge(dir);
        _exit(0);
    }

    (void) close(fds[0]);

    rc = rfl_store_open(&s, below(dir, "store"), resized_dbis, 1,
                        RFL_STORE_READ, (size_t) 64 << 10, &err);

    (void) close(fds[1]);
    must(waitpid(pid, &status, 0) == pid && status == 0);

    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_store_begin(s, 0, &err);

    if (rc == RFL_OK) {
        rc = rfl_store_get(s, 0, rfl_cstr("key"), &value);
        rfl_buf_fmt(out, "%zu bytes\n", rc == RFL_OK ? value.len : 0);
        rfl_store_end(s);
    }

    rfl_store_close(s);

    return rc;
}


static rfl_rc_t
run_agent(const char *dir, rfl_buf_t *out)
{
    rfl_agent_cache_t  *cache;

    cache = rfl_agent_cache_create();            /* NULL is good enough */

    rfl_buf_fmt(out, "%d%d\n", rfl_agent_is_bot(cache, rfl_cstr("curl/8.0")),
                rfl_agent_is_bot(cache, rfl_cstr("curl/8.0")));
    rfl_agent_cache_free(cache);

    return RFL_OK;
}


const scenario_t  scenarios[] = {
    { "registry",  NULL,         run_registry,  verify_registry_run },
    { "bulk",      prepare_site, run_bulk,      verify_bulk },
    { "attribute", prepare_site, run_attribute, verify_site },
    { "counters",  NULL,         run_counters,  verify_counters },
    { "volatile",  NULL,         run_volatile,  NULL },
    { "ledger",    prepare_site, run_ledger,    verify_site },
    { "fold",      prepare_fold, run_fold,      verify_fold },
    { "views",     prepare_site, run_views,     verify_site },
    { "clocks",    prepare_site, run_clocks,    verify_site },
    { "runtime",   prepare_site, run_runtime,   NULL },
    { "edits",     prepare_site, run_edits,     verify_edits },
    { "writer",    prepare_site, run_writer,    verify_writer },
    { "keeper",    prepare_site, run_keeper,    verify_site },
    { "check",     prepare_site, run_check,     verify_site },
    { "resized",   prepare_resized, run_resized, NULL },
    { "agent",     NULL,         run_agent,     NULL }
};

const size_t  nscenarios = COUNT(scenarios);
