/* See scene.h. */

#include "scene.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rfl_check.h"
#include "rfl_ledger.h"
#include "rfl_thread.h"


#define DEPTH  16                        /* of directories */


static void wait_for_threads(void);
static int copy_file(const char *path, const struct stat *st, int type,
    struct FTW *ftw);
static void copy_bytes(const char *from, const char *to, off_t size);
static int remove_file(const char *path, const struct stat *st, int type,
    struct FTW *ftw);
static void remove_dir(const char *path);
static void open_counts(const char *dir, const u_char id[16],
    rfl_totals_t *totals, rfl_flush_t *flush);
static void close_counts(rfl_totals_t *totals);
static void count(rfl_counters_t *c, uint32_t id, uint64_t clicks);
static void verify_totals(const char *dir, const u_char id[16]);
static rfl_rc_t tell_link(scene_t *s, const rfl_link_t *link);
static void tell_id(rfl_buf_t *out, uint32_t id);


const entry_t  entries[LINKS] = {
    { "https://blog.example/2024/launch", "exact", "/pricing", "" },
    { "https://blog.example/2024/launch", "exact", "/other", "pair" },
    { "https://\xe2\x98\x83.example/a", "exact", "/pricing", "pair" },
    { "https://blog.example/2024", "prefix", "", "" },
    { "blog.example/20\\d\\d/x", "regex", "/r", "" },
    { "example", "domain", "", "" },
    { "", "tag", "/t", "mail" }
};

const u_char  uuid[16] = "failing calls..";


static char  root[64];
static char  prepared[80];
static char  dir[80];


void
scene_begin(void)
{
    (void) snprintf(root, sizeof(root), "/dev/shm/rfl-failing-XXXXXX");
    must(mkdtemp(root) != NULL);

    (void) snprintf(prepared, sizeof(prepared), "%s/prepared", root);
    (void) snprintf(dir, sizeof(dir), "%s/site", root);
}


void
scene_end(void)
{
    remove_dir(root);
}


const char *
scene_dir(void)
{
    return dir;
}


void
scene_prepare(void (*prepare)(const char *dir))
{
    remove_dir(prepared);
    remove_dir(dir);

    must(mkdir(dir, 0700) == 0);

    if (prepare != NULL) {
        prepare(dir);
    }

    must(rename(dir, prepared) == 0);
}


void
scene_restore(void)
{
    wait_for_threads();
    remove_dir(dir);
    must(nftw(prepared, copy_file, DEPTH, FTW_PHYS) == 0);
}


/*
 * Keepers leave the thread alone that writes what the directive says: it may
 * open the registry still.  A directory of threads has a link for each.
 */

static void
wait_for_threads(void)
{
    uint64_t     until;
    struct stat  st;

    until = rfl_clock_ms() + PATIENCE_MS;

    for ( ;; ) {
        must(stat("/proc/self/task", &st) == 0);

        if (st.st_nlink == 3) {
            return;
        }

        must(rfl_clock_ms() < until);
        (void) usleep(200);
    }
}


static int
copy_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    char  to[300];

    (void) snprintf(to, sizeof(to), "%s%s", dir, path + strlen(prepared));

    if (type == FTW_D) {
        must(mkdir(to, st->st_mode & 0777) == 0);

    } else {
        must(type == FTW_F);
        copy_bytes(path, to, st->st_size);
    }

    return 0;
}


/* Holes stay holes: of a counter file a few pages have been written. */

static void
copy_bytes(const char *from, const char *to, off_t size)
{
    int      in, out;
    off_t    at, end;
    ssize_t  n;

    static u_char  bytes[65536];

    in = open(from, O_RDONLY|O_CLOEXEC);
    out = open(to, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (in == -1 || out == -1) {
        perror(in == -1 ? from : to);
    }

    must(in != -1 && out != -1);
    must(ftruncate(out, size) == 0);

    at = lseek(in, 0, SEEK_DATA);

    while (at != -1) {
        end = lseek(in, at, SEEK_HOLE);

        while (at < end) {
            n = end - at < (off_t) sizeof(bytes) ? end - at
                                                 : (off_t) sizeof(bytes);

            must(pread(in, bytes, (size_t) n, at) == n);
            must(pwrite(out, bytes, (size_t) n, at) == n);
            at += n;
        }

        at = lseek(in, end, SEEK_DATA);
    }

    (void) close(in);
    (void) close(out);
}


static void
remove_dir(const char *path)
{
    if (access(path, F_OK) == 0) {
        must(nftw(path, remove_file, DEPTH, FTW_DEPTH|FTW_PHYS) == 0);
    }
}


static int
remove_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}


void
scene_open(scene_t *s, rfl_buf_t *out)
{
    memset(s, 0, sizeof(scene_t));

    s->dir = dir;
    s->out = out;

    (void) snprintf(s->cells, sizeof(s->cells), "%s/cells", dir);
    (void) snprintf(s->file, sizeof(s->file), "%s/file", dir);

    s->conf.name = "main";
    s->conf.path = dir;
    s->conf.counters = s->cells;
    s->conf.counters_dir = "";
    s->conf.source = "";
    s->conf.map_size = MAP;
    s->conf.max_ids = MAX;
    s->conf.max_links = 1000;
    s->conf.flush_ms = 10;
    s->conf.volatile_fd = -1;
}


void
scene_close(scene_t *s)
{
    if (s->running) {
        rfl_runtime_close(&s->rt);
    }

    if (s->begun) {
        rfl_registry_end(s->registry);
    }

    if (s->registry != NULL) {
        rfl_registry_close(s->registry);
    }

    close_counts(&s->totals);
}


rfl_rc_t
named(scene_t *s, rfl_rc_t rc, const char *what)
{
    return rc == RFL_OK ? RFL_OK : rfl_fail(&s->err, rc, "%s failed", what);
}


rfl_rc_t
open_registry(scene_t *s)
{
    return rfl_registry_open(&s->registry, s->dir, RFL_STORE_WRITE, MAP,
                             &s->err);
}


rfl_rc_t
make_registry(scene_t *s)
{
    return rfl_registry_open(&s->registry, s->dir, RFL_STORE_CREATE, MAP,
                             &s->err);
}


rfl_rc_t
begin_write(scene_t *s)
{
    rfl_rc_t  rc;

    rc = rfl_registry_begin(s->registry, 1, &s->err);
    s->begun = (rc == RFL_OK);

    return rc;
}


rfl_rc_t
commit(scene_t *s)
{
    s->begun = 0;

    return rfl_registry_commit(s->registry, &s->err);
}


rfl_rc_t
open_totals(scene_t *s)
{
    rfl_rc_t  rc;

    rc = rfl_ledger_open(&s->totals.ledger, s->dir, NULL, RFL_STORE_WRITE, MAP,
                         &s->err);
    if (rc != RFL_OK) {
        return rc;
    }

    return rfl_counters_open(&s->totals.counters, s->cells,
                             rfl_ledger_uuid(s->totals.ledger), 1, MAX,
                             RFL_COUNTERS_WRITE, NOW, &s->err);
}


/* All there is, in words. */

rfl_rc_t
tell_links(scene_t *s)
{
    rfl_rc_t              rc;
    rfl_link_t            link;
    rfl_registry_meta_t   meta;
    rfl_registry_place_t  place;

    rc = rfl_registry_begin(s->registry, 0, &s->err);
    if (rc != RFL_OK) {
        return rc;
    }

    place.len = 0;
    rc = rfl_registry_meta(s->registry, &meta);

    if (rc == RFL_OK) {
        rfl_buf_fmt(s->out, "%u links, %u groups\n", meta.links, meta.groups);
    }

    while (rc == RFL_OK) {
        rc = rfl_registry_next_source(s->registry, &place, &link);

        if (rc == RFL_OK) {
            rc = tell_link(s, &link);
        }
    }

    rfl_registry_end(s->registry);

    return named(s, rc == RFL_NOT_FOUND ? RFL_OK : rc, "telling the links");
}


static rfl_rc_t
tell_link(scene_t *s, const rfl_link_t *link)
{
    size_t            i, n;
    rfl_rc_t          rc;
    uint32_t          member;
    rfl_link_t        again;
    rfl_membership_t  groups[RFL_LINK_GROUPS_MAX];

    rc = rfl_registry_by_key(s->registry, link->key, &again);

    if (rc == RFL_OK) {
        rc = rfl_registry_groups(s->registry, link, groups, &n);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    tell_id(s->out, again.id);
    rfl_buf_fmt(s->out, "%.*s %.*s:", (int) link->source.len,
                link->source.data, (int) link->name.len, link->name.data);

    for (i = 0; i < n && rc == RFL_OK; i++) {
        member = 0;
        rc = rfl_registry_next_member(s->registry, groups[i].group.id,
                                      &member);
        rfl_buf_fmt(s->out, " %u of ", groups[i].group.links);
        tell_id(s->out, member);
    }

    rfl_buf_char(s->out, '\n');

    return rc;
}


/* Below IDS all ids are taken; which of the others it is, failures decide. */

static void
tell_id(rfl_buf_t *out, uint32_t id)
{
    if (id < IDS) {
        rfl_buf_fmt(out, "%u ", id);

    } else {
        rfl_buf_text(out, "new ");
    }
}


void
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


rfl_rc_t
add_links(rfl_registry_t *r, rfl_error_t *err)
{
    size_t      i;
    rfl_rc_t    rc;
    rfl_link_t  link;

    for (i = 0, rc = RFL_OK; i < LINKS && rc == RFL_OK; i++) {
        set_link(&link, &entries[i]);
        rc = rfl_registry_add(r, &link, NOW, err);
    }

    return rc;
}


static void
open_counts(const char *dir, const u_char id[16], rfl_totals_t *totals,
    rfl_flush_t *flush)
{
    rfl_error_t  err;

    must(rfl_counters_open(&totals->counters, below(dir, "cells"), id, IDS,
                           MAX, RFL_COUNTERS_CREATE, NOW, &err)
         == RFL_OK);
    must(rfl_ledger_open(&totals->ledger, dir, id, RFL_STORE_CREATE, MAP, &err)
         == RFL_OK);

    memset(flush, 0, sizeof(rfl_flush_t));
    flush->counters_path = below(dir, "cells");
    flush->now_ms = NOW * UINT64_C(1000);
}


static void
close_counts(rfl_totals_t *totals)
{
    rfl_counters_close(totals->counters);

    if (totals->ledger != NULL) {
        rfl_ledger_close(totals->ledger);
    }
}


void
prepare_site(const char *dir)
{
    uint32_t              id;
    rfl_error_t           err;
    rfl_flush_t           flush;
    rfl_totals_t          totals;
    rfl_registry_t       *r;
    rfl_flush_stat_t      stat;
    rfl_registry_meta_t   meta;

    must(rfl_registry_open(&r, dir, RFL_STORE_CREATE, MAP, &err) == RFL_OK);
    must(rfl_registry_begin(r, 1, &err) == RFL_OK);
    must(add_links(r, &err) == RFL_OK);
    must(rfl_registry_meta(r, &meta) == RFL_OK);
    must(rfl_registry_commit(r, &err) == RFL_OK);
    rfl_registry_close(r);

    open_counts(dir, meta.uuid, &totals, &flush);

    rfl_counters_add(&totals.counters->stripes[0].n[RFL_ZONE_OUTCOMES
                                                    + RFL_OUTCOME_MATCHED],
                     100);

    for (id = 1; id < 12; id++) {
        count(totals.counters, id, id);
    }

    must(rfl_ledger_flush(totals.ledger, totals.counters, &flush, &stat, &err)
         == RFL_OK);

    for (id = 1; id < 12; id++) {
        count(totals.counters, id, 100);
    }

    close_counts(&totals);
}


static void
count(rfl_counters_t *c, uint32_t id, uint64_t clicks)
{
    rfl_counters_add(&c->cells[id].n[RFL_CELL_CLICKS], clicks);
    rfl_counters_mark_dirty(c, id);
}


/* Shown where a fault must not be. */

void
note_fault(void *data, const char *table, rfl_str_t text)
{
    (void) fprintf(stderr, "%s: %.*s\n", table, (int) text.len, text.data);
}


static void
verify_links(const char *dir, uint32_t before, uint32_t after,
    rfl_registry_meta_t *meta)
{
    rfl_error_t      err;
    rfl_check_t      check;
    rfl_registry_t  *r;

    must(rfl_registry_open(&r, dir, RFL_STORE_CREATE, MAP, &err) == RFL_OK);

    memset(&check, 0, sizeof(rfl_check_t));
    check.fault = note_fault;

    must(rfl_check_registry(&check, r, &err) == RFL_OK);
    must(check.faults == 0);

    must(rfl_registry_begin(r, 0, &err) == RFL_OK);
    must(rfl_registry_meta(r, meta) == RFL_OK);
    must(meta->links == before || meta->links == after);

    rfl_registry_end(r);
    rfl_registry_close(r);
}


void
verify_registry(const char *dir, uint32_t before, uint32_t after)
{
    rfl_registry_meta_t  meta;

    verify_links(dir, before, after, &meta);
}


void
verify_site(const char *dir, uint32_t before, uint32_t after)
{
    rfl_registry_meta_t  meta;

    verify_links(dir, before, after, &meta);
    verify_totals(dir, meta.uuid);
}


static void
verify_totals(const char *dir, const u_char id[16])
{
    uint32_t          i;
    rfl_cell_t        cell;
    rfl_check_t       check;
    rfl_error_t       err;
    rfl_flush_t       flush;
    rfl_totals_t      totals;
    rfl_flush_stat_t  stat;

    open_counts(dir, id, &totals, &flush);
    flush.full = 1;

    must(rfl_ledger_flush(totals.ledger, totals.counters, &flush, &stat, &err)
         == RFL_OK);

    memset(&check, 0, sizeof(rfl_check_t));
    check.fault = note_fault;
    must(rfl_check_ledger(&check, totals.ledger, &err) == RFL_OK);
    must(check.faults == 0);

    must(rfl_ledger_begin(totals.ledger, &err) == RFL_OK);

    for (i = 1; i < 12; i++) {
        must(rfl_totals_cell(&totals, i, &cell) == RFL_OK);
        must(cell.n[RFL_CELL_CLICKS] == i + 100);
    }

    rfl_ledger_end(totals.ledger);
    close_counts(&totals);
}


const char *
below(const char *dir, const char *name)
{
    static char  path[4][300];
    static int   i;

    i = (i + 1) % 4;
    (void) snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);

    return path[i];
}


void
write_file(const char *path, const char *text)
{
    FILE  *file;

    file = fopen(path, "we");

    must(file != NULL);
    must(fputs(text, file) >= 0);
    must(fclose(file) == 0);
}
