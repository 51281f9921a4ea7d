/*
 * The counter file, with real files and real processes.
 *
 * flock(), link() and fallocate() are replaced here, in this program, so that
 * another process can come at the worst moment and a disk be full at a chosen
 * byte.
 */

#include "rfl_counters.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>


#define MAX_IDS  (1u << 20)

/* of who ends with the file mapped: valgrind then looks at every page */
#define FEW_IDS  RFL_COUNTERS_STEP
#define NOW      1795215480

#define FOREIGN_UID  64123
#define OTHER_UID    64124


typedef struct {
    char         dir[64];
    char         path[128];
    char         old[136];
    rfl_error_t  err;
} fixture_t;


typedef struct {
    const char  *name;
    void       (*make)(const char *path);
    rfl_rc_t     rc;
    const char  *text;                   /* part of the message */
} refused_row_t;


typedef struct {
    rfl_cell_t  dst;
    rfl_cell_t  src;
    rfl_cell_t  wanted;
} merge_row_t;


/* What children write into: shared anonymous memory. */

typedef struct {
    uint32_t  ready;
    uint32_t  go;
    uint32_t  done;
    uint32_t  winners;
    uint64_t  seen[8];
    uint64_t  file_id[8];
} board_t;


typedef int (*child_pt)(fixture_t *f, board_t *board, unsigned n);


static const u_char  uuid[16] = "0123456789abcde";
static const u_char  other_uuid[16] = "other registry.";

static const char  *flock_removes;       /* this path, just before it locks */
static const char  *link_comes_second;   /* another process made this path */
static off_t        disk_end;            /* 0: the real one */
static int          fallocate_errno;
static unsigned     fallocate_interrupts;
static uint32_t     fallocate_rival_ids; /* another handle reserves so many */
static rfl_counters_t  *fallocate_rival;


static void make_good(const char *path);


int
flock(int fd, int operation)
{
    const char  *path;

    if (flock_removes != NULL) {
        path = flock_removes;
        flock_removes = NULL;

        (void) unlink(path);
    }

    return (int) syscall(SYS_flock, fd, operation);
}


int
link(const char *from, const char *to)
{
    const char  *path;

    if (link_comes_second != NULL) {
        path = link_comes_second;
        link_comes_second = NULL;

        make_good(path);
    }

    return (int) syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}


int
fallocate(int fd, int mode, off_t offset, off_t len)
{
    rfl_counters_t  *rival;

    if (fallocate_rival != NULL) {
        rival = fallocate_rival;
        fallocate_rival = NULL;

        assert_int_equal(rfl_counters_reserve(rival, fallocate_rival_ids,
                                              NULL), RFL_OK);
    }

    if (fallocate_interrupts > 0) {
        fallocate_interrupts--;
        errno = EINTR;
        return -1;
    }

    if (fallocate_errno != 0) {
        errno = fallocate_errno;
        return -1;
    }

    if (disk_end != 0 && offset + len > disk_end) {
        errno = ENOSPC;
        return -1;
    }

    return (int) syscall(SYS_fallocate, fd, mode, offset, len);
}


static int
setup(void **state)
{
    fixture_t  *f;

    f = calloc(1, sizeof(fixture_t));
    assert_non_null(f);

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/rfl-XXXXXX");
    assert_non_null(mkdtemp(f->dir));

    (void) snprintf(f->path, sizeof(f->path), "%s/counters", f->dir);
    (void) snprintf(f->old, sizeof(f->old), "%s.old", f->path);

    flock_removes = NULL;
    link_comes_second = NULL;
    disk_end = 0;
    fallocate_rival = NULL;
    fallocate_errno = 0;
    fallocate_interrupts = 0;

    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    char        command[96];
    fixture_t  *f = *state;

    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);

    free(f);

    return 0;
}


static rfl_rc_t
open_as(fixture_t *f, rfl_counters_t **c, const u_char *id, unsigned flags)
{
    f->err.text[0] = '\0';

    return rfl_counters_open(c, f->path, id, 1, MAX_IDS, flags, NOW, &f->err);
}


static rfl_counters_t *
opened(fixture_t *f, unsigned flags)
{
    rfl_counters_t  *c;

    if (open_as(f, &c, uuid, flags) != RFL_OK) {
        fail_msg("%s", f->err.text);
    }

    return c;
}


static unsigned
files_in(const char *dir)
{
    DIR            *d;
    unsigned        n;
    struct dirent  *entry;

    d = opendir(dir);
    assert_non_null(d);

    n = 0;

    for (entry = readdir(d); entry != NULL; entry = readdir(d)) {
        n += entry->d_name[0] != '.';
    }

    (void) closedir(d);

    return n;
}


static void
write_header(const char *path, off_t offset, const void *data, size_t len)
{
    int  fd;

    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, len, offset), len);
    (void) close(fd);
}


static void
count(rfl_counters_t *c, uint32_t id, uint64_t n)
{
    rfl_counters_add(&c->cells[id].n[RFL_CELL_CLICKS], n);
    rfl_counters_mark_dirty(c, id);
}


static uint64_t
clicks(const rfl_counters_t *c, uint32_t id)
{
    rfl_cell_t  cell;

    rfl_counters_read_cell(c, id, &cell);

    return cell.n[RFL_CELL_CLICKS];
}


static board_t *
board_new(void)
{
    board_t  *board;

    board = mmap(NULL, sizeof(board_t), PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    assert_true(board != MAP_FAILED);

    return board;
}


/* Children start together; each returns 0 or the number of what is wrong. */

static void
run_children(fixture_t *f, board_t *board, unsigned n, child_pt child)
{
    int       status;
    pid_t     pids[8];
    unsigned  i;

    memset(board, 0, sizeof(board_t));

    for (i = 0; i < n; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);

        if (pids[i] == 0) {
            (void) alarm(60);
            _exit(child(f, board, i));
        }
    }

    while (__atomic_load_n(&board->ready, __ATOMIC_ACQUIRE) < n) {
        (void) sched_yield();
    }

    __atomic_store_n(&board->go, 1, __ATOMIC_RELEASE);

    for (i = 0; i < n; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);

        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fail_msg("child %u: status %x", i, status);
        }
    }
}


static void
wait_for_go(board_t *board)
{
    (void) __atomic_fetch_add(&board->ready, 1, __ATOMIC_ACQ_REL);

    while (__atomic_load_n(&board->go, __ATOMIC_ACQUIRE) == 0) {
        (void) sched_yield();
    }
}


static void
a_new_file_is_complete_private_and_alone(void **state)
{
    struct stat      st;
    rfl_zone_t       zone;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    (void) umask(0777);
    c = opened(f, RFL_COUNTERS_CREATE);
    (void) umask(022);

    assert_int_equal(lstat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(files_in(f->dir), 1);

    assert_memory_equal(c->header->magic, "RFLCOUNT", 8);
    assert_int_equal(c->header->layout, RFL_COUNTERS_LAYOUT);
    assert_memory_equal(c->header->uuid, uuid, 16);
    assert_int_equal(c->header->created, NOW);
    assert_int_not_equal(c->header->file_id, 0);
    assert_int_equal(c->header->next_id, 1);
    assert_true(rfl_counters_capacity(c) >= 1 + RFL_COUNTERS_STEP);
    assert_true(st.st_size >= RFL_COUNTERS_CELLS_AT
                + (off_t) rfl_counters_capacity(c) * 128);

    /* sparse: far less is allocated than the cells' offset */
    assert_true(st.st_blocks * 512 < 4 * 1024 * 1024);

    rfl_counters_read_zone(c, &zone);
    assert_int_equal(zone.n[0], 0);
    assert_int_equal(clicks(c, 0), 0);

    rfl_counters_close(c);
}


static void
numbers_are_where_the_layout_says(void **state)
{
    int              fd;
    uint64_t         n;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    c = opened(f, RFL_COUNTERS_CREATE);

    rfl_counters_add(&c->stripes[3].n[RFL_ZONE_OVERFLOW], 7);
    rfl_counters_add(&c->cells[65].n[RFL_CELL_BYTES], 99);
    rfl_counters_mark_dirty(c, 65);

    fd = open(f->path, O_RDONLY);
    assert_true(fd >= 0);

    assert_int_equal(pread(fd, &n, 8, 4096 + 3 * 512 + 41 * 8), 8);
    assert_int_equal(n, 7);
    assert_int_equal(pread(fd, &n, 8, (16 << 20) + 8), 8);
    assert_int_equal(n, 2);
    assert_int_equal(pread(fd, &n, 8, (32 << 20) + 65 * 128 + 12 * 8), 8);
    assert_int_equal(n, 99);

    (void) close(fd);
    rfl_counters_close(c);
}


static void
counts_outlive_the_process(void **state)
{
    uint64_t         file_id;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    c = opened(f, RFL_COUNTERS_CREATE);
    file_id = c->header->file_id;
    count(c, 5, 3);
    rfl_counters_close(c);

    c = opened(f, RFL_COUNTERS_CREATE);
    assert_int_equal(c->header->file_id, file_id);
    assert_int_equal(clicks(c, 5), 3);
    rfl_counters_close(c);

    assert_int_equal(files_in(f->dir), 1);
}


static void
a_missing_file_is_made_only_when_asked(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    assert_int_equal(open_as(f, &c, uuid, RFL_COUNTERS_READ), RFL_NOT_FOUND);
    assert_null(c);
    assert_int_equal(open_as(f, &c, uuid, RFL_COUNTERS_WRITE), RFL_NOT_FOUND);
    assert_null(c);
    assert_int_equal(files_in(f->dir), 0);

    rfl_counters_close(NULL);
}


static void
a_missing_directory_is_said(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    (void) snprintf(f->path, sizeof(f->path), "%s/no/counters", f->dir);

    assert_int_equal(open_as(f, &c, uuid, RFL_COUNTERS_CREATE),
                     RFL_NOT_FOUND);
    assert_non_null(strstr(f->err.text, f->path));
}


static void
a_reader_takes_no_lock_and_writes_nothing(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c, *reader;

    c = opened(f, RFL_COUNTERS_CREATE);
    count(c, 1, 4);

    reader = opened(f, RFL_COUNTERS_READ);
    assert_int_equal(clicks(reader, 1), 4);
    assert_int_equal(rfl_counters_reserve(reader, 9999, &f->err), RFL_DENIED);
    assert_int_equal(rfl_counters_last_out(reader), RFL_BUSY);

    assert_int_equal(rfl_counters_last_out(c), RFL_OK);

    rfl_counters_close(reader);
    rfl_counters_close(c);
}


static void
make_link(const char *path)
{
    char  target[160];

    (void) snprintf(target, sizeof(target), "%s.target", path);
    (void) close(open(target, O_CREAT|O_WRONLY, 0600));
    assert_int_equal(symlink(target, path), 0);
}


static void
make_dangling_link(const char *path)
{
    char  target[160];

    (void) snprintf(target, sizeof(target), "%s.target", path);
    assert_int_equal(symlink(target, path), 0);
}


static void
make_fifo(const char *path)
{
    assert_int_equal(mkfifo(path, 0600), 0);
}


static void
make_directory(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}


static void
make_good(const char *path)
{
    rfl_counters_t  *c;

    assert_int_equal(rfl_counters_open(&c, path, uuid, 1, MAX_IDS,
                                       RFL_COUNTERS_CREATE, NOW, NULL),
                     RFL_OK);
    rfl_counters_close(c);
}


static void
make_group_readable(const char *path)
{
    make_good(path);
    assert_int_equal(chmod(path, 0640), 0);
}


static void
make_world_writable(const char *path)
{
    make_good(path);
    assert_int_equal(chmod(path, 0602), 0);
}


static void
make_three_names(const char *path)
{
    char  name[160];

    make_good(path);

    (void) snprintf(name, sizeof(name), "%s.2", path);
    assert_int_equal(link(path, name), 0);
    (void) snprintf(name, sizeof(name), "%s.3", path);
    assert_int_equal(link(path, name), 0);
}


static void
make_empty(const char *path)
{
    (void) close(open(path, O_CREAT|O_WRONLY, 0600));
}


static void
make_foreign(const char *path)
{
    make_good(path);
    write_header(path, 0, "X", 1);
}


static void
make_short_header(const char *path)
{
    make_good(path);
    assert_int_equal(truncate(path, sizeof(rfl_counters_header_t) - 1), 0);
}


static void
make_short_cells(const char *path)
{
    struct stat  st;

    make_good(path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 1), 0);
}


static void
make_huge(const char *path)
{
    uint32_t  capacity;

    make_good(path);
    capacity = RFL_COUNTERS_MAX_IDS + 1;
    write_header(path, offsetof(rfl_counters_header_t, capacity), &capacity,
                 sizeof(capacity));
    assert_int_equal(truncate(path, RFL_COUNTERS_CELLS_AT
                              + (off_t) capacity * 128), 0);
}


static const refused_row_t  refused[] = {
    { "symlink", make_link, RFL_DENIED, "symbolic link" },
    { "dangling symlink", make_dangling_link, RFL_DENIED, "symbolic link" },
    { "fifo", make_fifo, RFL_DENIED, "no regular file" },
    { "directory", make_directory, RFL_DENIED, "no regular file" },
    { "group may read", make_group_readable, RFL_DENIED, "mode 0640" },
    { "world may write", make_world_writable, RFL_DENIED, "mode 0602" },
    { "three names", make_three_names, RFL_DENIED, "3 names" },
    { "empty", make_empty, RFL_DAMAGED, "no counter file" },
    { "magic", make_foreign, RFL_DAMAGED, "no counter file" },
    { "short header", make_short_header, RFL_DAMAGED, "no counter file" },
    { "short cells", make_short_cells, RFL_DAMAGED, "remove it" },
    { "capacity", make_huge, RFL_DAMAGED, "remove it" }
};


static void
what_is_not_ours_is_refused_and_left_alone(void **state)
{
    size_t           i;
    unsigned         before;
    rfl_rc_t         rc;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {

        (void) snprintf(f->path, sizeof(f->path), "%s/%zu", f->dir, i);
        refused[i].make(f->path);
        before = files_in(f->dir);

        rc = open_as(f, &c, uuid, RFL_COUNTERS_CREATE);

        if (rc != refused[i].rc || strstr(f->err.text, refused[i].text) == NULL)
        {
            fail_msg("%s: %d, %s", refused[i].name, rc, f->err.text);
        }

        assert_int_equal(files_in(f->dir), before);

        assert_int_not_equal(open_as(f, &c, uuid, RFL_COUNTERS_READ), RFL_OK);
    }
}


static void
a_file_whose_maker_was_killed_while_publishing_is_good(void **state)
{
    char             name[160];
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    make_good(f->path);
    (void) snprintf(name, sizeof(name), "%s.abcdef", f->path);
    assert_int_equal(link(f->path, name), 0);

    c = opened(f, RFL_COUNTERS_CREATE);
    rfl_counters_close(c);
}


static int
open_as_other_user(fixture_t *f, board_t *board, unsigned n)
{
    rfl_counters_t  *c;

    wait_for_go(board);

    if (setuid(OTHER_UID) != 0) {
        return 1;
    }

    if (open_as(f, &c, uuid, RFL_COUNTERS_WRITE) != RFL_DENIED) {
        return 2;
    }

    return strstr(f->err.text, "belongs to user 64123") == NULL ? 3 : 0;
}


static void
another_users_file_is_refused_but_root_may_open_it(void **state)
{
    board_t         *board;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    if (geteuid() != 0) {
        print_message("needs root to own files as another user\n");
        skip();
    }

    make_good(f->path);
    assert_int_equal(chown(f->path, FOREIGN_UID, (gid_t) -1), 0);

    c = opened(f, RFL_COUNTERS_WRITE);
    rfl_counters_close(c);

    /* so that open() itself does not refuse it */
    assert_int_equal(chmod(f->path, 0666), 0);
    assert_int_equal(chmod(f->dir, 0755), 0);

    board = board_new();
    run_children(f, board, 1, open_as_other_user);
    (void) munmap(board, sizeof(board_t));
}


static void
another_registrys_file_is_set_aside_when_unused(void **state)
{
    uint64_t         file_id;
    struct stat      st;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    make_good(f->path);
    make_empty(f->old);

    assert_int_equal(open_as(f, &c, other_uuid, RFL_COUNTERS_READ),
                     RFL_INVALID);
    assert_int_equal(open_as(f, &c, other_uuid, RFL_COUNTERS_WRITE),
                     RFL_INVALID);
    assert_non_null(strstr(f->err.text, "another registry"));

    assert_int_equal(open_as(f, &c, other_uuid, RFL_COUNTERS_CREATE), RFL_OK);
    assert_memory_equal(c->header->uuid, other_uuid, 16);
    file_id = c->header->file_id;
    rfl_counters_close(c);

    assert_int_equal(stat(f->old, &st), 0);
    assert_true(st.st_size > 0);
    assert_int_equal(files_in(f->dir), 2);

    /* what was set aside is whole */
    assert_int_equal(rfl_counters_open(&c, f->old, uuid, 1, MAX_IDS,
                                       RFL_COUNTERS_READ, NOW, &f->err),
                     RFL_OK);
    assert_int_not_equal(c->header->file_id, file_id);
    rfl_counters_close(c);
}


static void
another_layouts_file_is_set_aside_when_unused(void **state)
{
    char             text[32];
    uint32_t         layout;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    make_good(f->path);
    layout = RFL_COUNTERS_LAYOUT + 1;
    write_header(f->path, offsetof(rfl_counters_header_t, layout), &layout,
                 sizeof(layout));

    assert_int_equal(open_as(f, &c, uuid, RFL_COUNTERS_WRITE),
                     RFL_BAD_VERSION);
    (void) snprintf(text, sizeof(text), "layout %u", layout);
    assert_non_null(strstr(f->err.text, text));

    assert_int_equal(open_as(f, &c, uuid, RFL_COUNTERS_CREATE), RFL_OK);
    assert_int_equal(c->header->layout, RFL_COUNTERS_LAYOUT);
    rfl_counters_close(c);

    assert_int_equal(access(f->old, F_OK), 0);
}


static void
a_file_in_use_is_never_set_aside(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *user, *c;

    user = opened(f, RFL_COUNTERS_CREATE);

    assert_int_equal(open_as(f, &c, other_uuid, RFL_COUNTERS_CREATE),
                     RFL_BUSY);
    assert_null(c);
    assert_non_null(strstr(f->err.text, f->path));
    assert_int_equal(rfl_counters_check_path(user, f->path), RFL_OK);
    assert_int_equal(access(f->old, F_OK), -1);

    rfl_counters_close(user);

    assert_int_equal(open_as(f, &c, other_uuid, RFL_COUNTERS_CREATE), RFL_OK);
    rfl_counters_close(c);
}


static void
a_file_removed_between_opening_and_locking_is_not_used(void **state)
{
    uint64_t         file_id;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    c = opened(f, RFL_COUNTERS_CREATE);
    file_id = c->header->file_id;
    rfl_counters_close(c);

    flock_removes = f->path;
    assert_int_equal(open_as(f, &c, uuid, RFL_COUNTERS_WRITE), RFL_NOT_FOUND);

    c = opened(f, RFL_COUNTERS_CREATE);
    rfl_counters_close(c);

    flock_removes = f->path;
    c = opened(f, RFL_COUNTERS_CREATE);
    assert_int_not_equal(c->header->file_id, file_id);
    assert_int_equal(rfl_counters_check_path(c, f->path), RFL_OK);
    rfl_counters_close(c);
}


static void
a_file_made_first_by_another_process_is_used(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c, *other;

    link_comes_second = f->path;

    c = opened(f, RFL_COUNTERS_CREATE);
    assert_null(link_comes_second);
    assert_int_equal(files_in(f->dir), 1);

    other = opened(f, RFL_COUNTERS_WRITE);
    assert_int_equal(other->header->file_id, c->header->file_id);

    rfl_counters_close(other);
    rfl_counters_close(c);
}


static void
a_slower_reservation_takes_nothing_back(void **state)
{
    uint32_t         capacity;
    fixture_t       *f = *state;
    rfl_counters_t  *c, *rival;

    c = opened(f, RFL_COUNTERS_CREATE);
    rival = opened(f, RFL_COUNTERS_WRITE);

    fallocate_rival = rival;
    fallocate_rival_ids = 50000;

    assert_int_equal(rfl_counters_reserve(c, 20000, &f->err), RFL_OK);
    assert_null(fallocate_rival);

    capacity = rfl_counters_capacity(c);
    assert_true(capacity >= 50000 + 50000 / 8);
    assert_int_equal(c->header->next_id, 50000);

    count(c, capacity - 1, 1);
    assert_int_equal(clicks(rival, capacity - 1), 1);

    rfl_counters_close(rival);
    rfl_counters_close(c);
}


static void
the_path_is_told_from_a_file_that_was_there(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    c = opened(f, RFL_COUNTERS_CREATE);
    assert_int_equal(rfl_counters_check_path(c, f->path), RFL_OK);

    assert_int_equal(rename(f->path, f->old), 0);
    assert_int_equal(rfl_counters_check_path(c, f->path), RFL_NOT_FOUND);

    make_empty(f->path);
    assert_int_equal(rfl_counters_check_path(c, f->path), RFL_DAMAGED);

    rfl_counters_close(c);
}


static void
capacity_grows_ahead_and_never_shrinks(void **state)
{
    uint32_t         before;
    struct stat      st;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    c = opened(f, RFL_COUNTERS_CREATE);
    count(c, 4000, 1);

    assert_int_equal(rfl_counters_reserve(c, 10000, &f->err), RFL_OK);
    assert_true(rfl_counters_capacity(c) >= 10000 + RFL_COUNTERS_STEP);
    assert_int_equal(c->header->next_id, 10000);

    assert_int_equal(rfl_counters_reserve(c, 80000, &f->err), RFL_OK);
    assert_true(rfl_counters_capacity(c) >= 90000);
    assert_true(rfl_counters_capacity(c) < 92000);

    /* a damaged registry's number gives no ids away */

    assert_int_equal(rfl_counters_reserve(c, RFL_COUNTERS_MAX_IDS + 1,
                                          &f->err), RFL_FULL);
    assert_int_equal(c->header->next_id, 80000);

    before = rfl_counters_capacity(c);
    assert_int_equal(rfl_counters_reserve(c, 5, &f->err), RFL_OK);
    assert_int_equal(rfl_counters_capacity(c), before);
    assert_int_equal(c->header->next_id, 80000);

    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_size,
                     RFL_COUNTERS_CELLS_AT + (off_t) before * 128);
    assert_int_equal(clicks(c, 4000), 1);

    count(c, before - 1, 2);
    assert_int_equal(clicks(c, before - 1), 2);
    assert_int_equal(clicks(c, before), 0);

    rfl_counters_close(c);
}


static void
max_ids_is_the_limit(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    assert_int_equal(rfl_counters_open(&c, f->path, uuid, 1, 5000,
                                       RFL_COUNTERS_CREATE, NOW, &f->err),
                     RFL_OK);

    assert_int_equal(rfl_counters_reserve(c, 5000, &f->err), RFL_OK);
    assert_int_equal(rfl_counters_capacity(c), 5000);

    assert_int_equal(rfl_counters_reserve(c, 5001, &f->err), RFL_FULL);
    assert_non_null(strstr(f->err.text, "5000"));
    assert_int_equal(rfl_counters_capacity(c), 5000);
    assert_int_equal(c->header->next_id, 5001);

    count(c, 4999, 1);
    assert_int_equal(clicks(c, 4999), 1);

    rfl_counters_close(c);

    /* a lower one takes no cell away */

    assert_int_equal(rfl_counters_open(&c, f->path, uuid, 1, 100,
                                       RFL_COUNTERS_WRITE, NOW, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_counters_capacity(c), 5000);
    assert_int_equal(clicks(c, 4999), 1);
    rfl_counters_close(c);
}


static void
less_may_be_mapped_than_the_file_holds(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    c = opened(f, RFL_COUNTERS_CREATE);
    count(c, 4000, 1);
    assert_int_equal(rfl_counters_reserve(c, 90, &f->err), RFL_OK);
    rfl_counters_close(c);

    assert_int_equal(rfl_counters_open(&c, f->path, uuid, 1, 100,
                                       RFL_COUNTERS_WRITE, NOW, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_counters_capacity(c), 100);
    assert_int_equal(clicks(c, 4000), 0);
    rfl_counters_close(c);
}


static void
a_full_disk_leaves_no_file_behind(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    disk_end = RFL_COUNTERS_CELLS_AT + RFL_COUNTERS_STEP * 128 - 1;

    assert_int_equal(open_as(f, &c, uuid, RFL_COUNTERS_CREATE), RFL_FULL);
    assert_null(c);
    assert_int_equal(files_in(f->dir), 0);

    disk_end++;
    assert_int_equal(open_as(f, &c, uuid, RFL_COUNTERS_CREATE), RFL_OK);
    assert_int_equal(rfl_counters_capacity(c), RFL_COUNTERS_STEP);

    assert_int_equal(rfl_counters_reserve(c, RFL_COUNTERS_STEP, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_counters_reserve(c, RFL_COUNTERS_STEP + 1, &f->err),
                     RFL_FULL);
    rfl_counters_close(c);
}


static void
what_fits_on_a_full_disk_is_there(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    disk_end = RFL_COUNTERS_CELLS_AT + 20000 * 128;

    assert_int_equal(rfl_counters_open(&c, f->path, uuid, 100000, MAX_IDS,
                                       RFL_COUNTERS_CREATE, NOW, &f->err),
                     RFL_OK);
    assert_true(rfl_counters_capacity(c) > 20000 - 1024);
    assert_true(rfl_counters_capacity(c) <= 20000);

    assert_int_equal(rfl_counters_reserve(c, 100000, &f->err), RFL_FULL);
    assert_non_null(strstr(f->err.text, "enlarge"));

    disk_end = 0;
    assert_int_equal(rfl_counters_reserve(c, 100000, &f->err), RFL_OK);
    assert_true(rfl_counters_capacity(c) >= 112500);

    rfl_counters_close(c);
}


static void
interrupted_allocation_goes_on(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    fallocate_interrupts = 5;
    c = opened(f, RFL_COUNTERS_CREATE);
    assert_int_equal(fallocate_interrupts, 0);
    rfl_counters_close(c);
}


static void
a_file_system_that_cannot_allocate_is_refused(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    fallocate_errno = EOPNOTSUPP;
    assert_int_equal(open_as(f, &c, uuid, RFL_COUNTERS_CREATE), RFL_ERROR);
    assert_int_equal(files_in(f->dir), 0);
}


/* A tmpfs of this process alone: it goes when the process goes. */

static int
mount_small(const char *dir, const char *size)
{
    if (unshare(CLONE_NEWNS) != 0
        || mount("none", "/", "", MS_REC|MS_PRIVATE, "") != 0)
    {
        return 77;
    }

    return mount("tmpfs", dir, "tmpfs", 0, size) == 0 ? 0 : 77;
}


/* 512 KiB hold no file, 2 MiB hold one that cannot grow to 100,000 cells. */

static int
on_small_tmpfs(fixture_t *f)
{
    uint32_t         id;
    rfl_counters_t  *c;

    if (mount_small(f->dir, "size=512k") != 0) {
        return 77;
    }

    if (open_as(f, &c, uuid, RFL_COUNTERS_CREATE) != RFL_FULL
        || files_in(f->dir) != 0)
    {
        return 1;
    }

    if (mount("tmpfs", f->dir, "tmpfs", MS_REMOUNT, "size=2m") != 0) {
        return 2;
    }

    if (rfl_counters_open(&c, f->path, uuid, 100000, MAX_IDS,
                          RFL_COUNTERS_CREATE, NOW, &f->err) != RFL_OK)
    {
        return 3;
    }

    if (rfl_counters_capacity(c) < 8192 || rfl_counters_capacity(c) > 16384
        || rfl_counters_reserve(c, 100000, &f->err) != RFL_FULL)
    {
        return 4;
    }

    /* unallocated memory here would be SIGBUS */

    for (id = 0; id < rfl_counters_capacity(c); id++) {
        count(c, id, 1);
    }

    rfl_counters_add(&c->stripes[RFL_COUNTERS_STRIPES - 1].n[63], 1);
    rfl_counters_close(c);

    return 0;
}


static void
a_full_tmpfs_is_never_sigbus(void **state)
{
    int         status;
    pid_t       pid;
    fixture_t  *f = *state;

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        _exit(on_small_tmpfs(f));
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("needs the right to mount a tmpfs\n");
        skip();
    }

    assert_int_equal(status, 0);
}


static void
dirty_bits_are_taken_once_and_given_back(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    c = opened(f, RFL_COUNTERS_CREATE);

    rfl_counters_mark_dirty(c, 0);
    rfl_counters_mark_dirty(c, 63);
    rfl_counters_mark_dirty(c, 63);
    rfl_counters_mark_dirty(c, 64);

    assert_int_equal(rfl_counters_take_dirty(c, 0),
                     (uint64_t) 1 << 63 | 1);
    assert_int_equal(rfl_counters_take_dirty(c, 0), 0);
    assert_int_equal(rfl_counters_take_dirty(c, 1), 1);

    rfl_counters_mark_dirty(c, 1);
    rfl_counters_give_back(c, 0, (uint64_t) 1 << 63);
    assert_int_equal(rfl_counters_take_dirty(c, 0),
                     (uint64_t) 1 << 63 | 2);

    rfl_counters_give_back(c, c->max_ids / 64, 1);
    assert_int_equal(rfl_counters_take_dirty(c, c->max_ids / 64), 0);

    rfl_counters_close(c);
}


static int
count_many(fixture_t *f, board_t *board, unsigned n)
{
    unsigned         i;
    rfl_counters_t  *c;

    if (open_as(f, &c, uuid, RFL_COUNTERS_WRITE) != RFL_OK) {
        return 1;
    }

    wait_for_go(board);

    for (i = 0; i < 100000; i++) {
        count(c, (i * 7 + n) % 100, 1);
        rfl_counters_add(&c->stripes[n].n[0], 1);
    }

    rfl_counters_close(c);
    (void) __atomic_fetch_add(&board->done, 1, __ATOMIC_ACQ_REL);

    return 0;
}


/*
 * The last child is a flusher that keeps a copy of each cell it found dirty.
 * After the last pass its copies are the cells, or a bit was lost.
 */

static int
count_or_copy(fixture_t *f, board_t *board, unsigned n)
{
    int              last;
    uint32_t         word, id;
    uint64_t         bits, copies[128];
    rfl_counters_t  *c;

    if (n < 4) {
        return count_many(f, board, n);
    }

    if (open_as(f, &c, uuid, RFL_COUNTERS_WRITE) != RFL_OK) {
        return 1;
    }

    memset(copies, 0, sizeof(copies));
    wait_for_go(board);

    do {
        last = __atomic_load_n(&board->done, __ATOMIC_ACQUIRE) == 4;

        for (word = 0; word < 2; word++) {
            bits = rfl_counters_take_dirty(c, word);

            for ( ; bits != 0; bits &= bits - 1) {
                id = 64 * word + (uint32_t) __builtin_ctzll(bits);
                copies[id] = clicks(c, id);
            }
        }
    } while (!last);

    for (id = 0; id < 100; id++) {
        if (copies[id] != clicks(c, id) || copies[id] != 4000) {
            return 2;
        }
    }

    rfl_counters_close(c);

    return 0;
}


static void
a_flusher_misses_no_add_of_four_processes(void **state)
{
    board_t         *board;
    rfl_zone_t       zone;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    make_good(f->path);
    board = board_new();

    run_children(f, board, 5, count_or_copy);

    c = opened(f, RFL_COUNTERS_READ);
    rfl_counters_read_zone(c, &zone);
    assert_int_equal(zone.n[0], 400000);
    rfl_counters_close(c);

    (void) munmap(board, sizeof(board_t));
}


static int
count_or_grow(fixture_t *f, board_t *board, unsigned n)
{
    uint32_t         ids;
    rfl_counters_t  *c;

    if (n < 4) {
        return count_many(f, board, n);
    }

    if (open_as(f, &c, uuid, RFL_COUNTERS_WRITE) != RFL_OK) {
        return 1;
    }

    wait_for_go(board);

    for (ids = 1000 * n; ids < 150000; ids += 5003) {
        if (rfl_counters_reserve(c, ids, NULL) != RFL_OK
            || rfl_counters_capacity(c) < ids + RFL_COUNTERS_STEP)
        {
            return 2;
        }

        count(c, ids, 1);
    }

    rfl_counters_close(c);

    return 0;
}


static void
growth_by_two_processes_disturbs_no_count(void **state)
{
    uint32_t         ids;
    uint64_t         sum;
    unsigned         n;
    board_t         *board;
    struct stat      st;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    make_good(f->path);
    board = board_new();

    run_children(f, board, 6, count_or_grow);

    c = opened(f, RFL_COUNTERS_READ);

    for (ids = 0, sum = 0; ids < 100; ids++) {
        sum += clicks(c, ids);
    }

    assert_int_equal(sum, 400000);

    for (n = 4; n < 6; n++) {
        for (ids = 1000 * n; ids < 150000; ids += 5003) {
            assert_int_equal(clicks(c, ids), 1);
        }
    }

    assert_int_equal(stat(f->path, &st), 0);
    assert_true(st.st_size >= RFL_COUNTERS_CELLS_AT
                + (off_t) rfl_counters_capacity(c) * 128);

    rfl_counters_close(c);
    (void) munmap(board, sizeof(board_t));
}


static int
create_at_once(fixture_t *f, board_t *board, unsigned n)
{
    rfl_counters_t  *c;

    wait_for_go(board);

    if (open_as(f, &c, uuid, RFL_COUNTERS_CREATE) != RFL_OK) {
        return 1;
    }

    board->file_id[n] = c->header->file_id;
    count(c, 1, 1);
    rfl_counters_close(c);

    return 0;
}


static void
processes_that_make_it_at_once_share_one_file(void **state)
{
    unsigned         i;
    board_t         *board;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    board = board_new();
    run_children(f, board, 8, create_at_once);

    for (i = 1; i < 8; i++) {
        assert_int_equal(board->file_id[i], board->file_id[0]);
    }

    c = opened(f, RFL_COUNTERS_READ);
    assert_int_equal(clicks(c, 1), 8);
    assert_int_equal(files_in(f->dir), 1);
    rfl_counters_close(c);
    (void) munmap(board, sizeof(board_t));
}


static int
count_and_leave(fixture_t *f, board_t *board, unsigned n)
{
    unsigned         i;
    rfl_rc_t         rc;
    rfl_counters_t  *c;

    if (open_as(f, &c, uuid, RFL_COUNTERS_WRITE) != RFL_OK) {
        return 1;
    }

    wait_for_go(board);

    for (i = 0; i < 100 * (n + 1); i++) {
        count(c, 2, 1);
    }

    rc = rfl_counters_last_out(c);

    if (rc == RFL_OK) {
        board->seen[n] = clicks(c, 2);
        (void) __atomic_fetch_add(&board->winners, 1, __ATOMIC_ACQ_REL);
    }

    rfl_counters_close(c);

    return rc == RFL_OK || rc == RFL_BUSY ? 0 : 2;
}


static void
of_five_that_leave_one_is_the_last_and_sees_all(void **state)
{
    unsigned    round, i;
    board_t    *board;
    fixture_t  *f = *state;

    board = board_new();

    for (round = 1; round <= 20; round++) {
        make_good(f->path);
        run_children(f, board, 5, count_and_leave);

        assert_true(board->winners >= 1);

        for (i = 0; i < 5; i++) {
            assert_true(board->seen[i] == 0 || board->seen[i] == round * 1500);
        }
    }

    (void) munmap(board, sizeof(board_t));
}


static void
nobody_counts_while_the_last_one_flushes(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *first, *second, *c;

    first = opened(f, RFL_COUNTERS_CREATE);
    second = opened(f, RFL_COUNTERS_WRITE);

    assert_int_equal(rfl_counters_last_out(first), RFL_BUSY);
    assert_int_equal(first->locked, 0);
    assert_int_equal(rfl_counters_last_out(second), RFL_OK);

    assert_int_equal(open_as(f, &c, uuid, RFL_COUNTERS_CREATE), RFL_BUSY);
    assert_non_null(strstr(f->err.text, "try again"));

    rfl_counters_close(second);

    c = opened(f, RFL_COUNTERS_CREATE);
    assert_int_equal(c->locked, 1);
    rfl_counters_close(c);
    rfl_counters_close(first);
}


static const merge_row_t  merges[] = {
    { { .n = { 0 } }, { .n = { 0 } }, { .n = { 0 } } },

    { { .n = { [RFL_CELL_CLICKS] = 1, [RFL_CELL_BYTES] = 5 } },
      { .n = { [RFL_CELL_CLICKS] = 2, [RFL_CELL_OTHER] = 3 } },
      { .n = { [RFL_CELL_CLICKS] = 3, [RFL_CELL_BYTES] = 5,
               [RFL_CELL_OTHER] = 3 } } },

    { { .n = { [RFL_CELL_FIRST_SEEN] = 0, [RFL_CELL_LAST_SEEN] = 0 } },
      { .n = { [RFL_CELL_FIRST_SEEN] = 7, [RFL_CELL_LAST_SEEN] = 9 } },
      { .n = { [RFL_CELL_FIRST_SEEN] = 7, [RFL_CELL_LAST_SEEN] = 9 } } },

    { { .n = { [RFL_CELL_FIRST_SEEN] = 7, [RFL_CELL_LAST_SEEN] = 9 } },
      { .n = { [RFL_CELL_FIRST_SEEN] = 0, [RFL_CELL_LAST_SEEN] = 0 } },
      { .n = { [RFL_CELL_FIRST_SEEN] = 7, [RFL_CELL_LAST_SEEN] = 9 } } },

    { { .n = { [RFL_CELL_FIRST_SEEN] = 7, [RFL_CELL_LAST_SEEN] = 9 } },
      { .n = { [RFL_CELL_FIRST_SEEN] = 3, [RFL_CELL_LAST_SEEN] = 8 } },
      { .n = { [RFL_CELL_FIRST_SEEN] = 3, [RFL_CELL_LAST_SEEN] = 9 } } },

    { { .n = { [RFL_CELL_FIRST_SEEN] = 3, [RFL_CELL_LAST_SEEN] = 8 } },
      { .n = { [RFL_CELL_FIRST_SEEN] = 7, [RFL_CELL_LAST_SEEN] = 9 } },
      { .n = { [RFL_CELL_FIRST_SEEN] = 3, [RFL_CELL_LAST_SEEN] = 9 } } }
};


/* The file without a name, by the descriptor that a master's children have. */

static void
the_volatile_file_is_shared_by_processes(void **state)
{
    int              fd, status;
    pid_t            pid;
    fixture_t       *f = *state;
    rfl_counters_t  *c, *other;

    fd = rfl_counters_volatile_create("main", geteuid());
    assert_true(fd >= 0);

    assert_int_equal(rfl_counters_volatile_open(&c, fd, uuid, 1, FEW_IDS,
                                                RFL_COUNTERS_GROW, NOW,
                                                &f->err), RFL_NOT_FOUND);
    assert_null(c);

    assert_int_equal(rfl_counters_volatile_open(&c, fd, uuid, 1, FEW_IDS,
                                                RFL_COUNTERS_CREATE, NOW,
                                                &f->err), RFL_OK);
    assert_true(c->is_volatile);
    assert_true(rfl_counters_capacity(c) >= RFL_COUNTERS_STEP);
    assert_int_not_equal(c->header->file_id, 0);
    count(c, 7, 2);

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        if (rfl_counters_volatile_open(&other, fd, uuid, 1, FEW_IDS,
                                       RFL_COUNTERS_CREATE, NOW, NULL)
            != RFL_OK)
        {
            _exit(1);
        }

        /* its lock is its own: the parent counts, too */

        count(other, 7, 3);
        _exit(rfl_counters_last_out(other) == RFL_BUSY ? 0 : 2);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(clicks(c, 7), 5);

    assert_int_equal(rfl_counters_volatile_open(&other, fd, other_uuid, 1,
                                                FEW_IDS, RFL_COUNTERS_CREATE,
                                                NOW, &f->err), RFL_INVALID);
    assert_null(other);

    /* the last one out keeps others from counting until it is done */

    assert_int_equal(rfl_counters_last_out(c), RFL_OK);
    assert_int_equal(rfl_counters_volatile_open(&other, fd, uuid, 1, FEW_IDS,
                                                RFL_COUNTERS_CREATE, NOW,
                                                &f->err), RFL_BUSY);
    rfl_counters_retire(c);
    rfl_counters_leave(c);
    assert_true(rfl_counters_retired(c));

    assert_int_equal(rfl_counters_join(c, &f->err), RFL_OK);
    assert_false(rfl_counters_retired(c));
    assert_int_equal(clicks(c, 7), 5);
    rfl_counters_close(c);

    /* it lives as long as the descriptor */

    assert_int_equal(rfl_counters_volatile_open(&c, fd, uuid, 1, FEW_IDS,
                                                RFL_COUNTERS_GROW, NOW,
                                                &f->err), RFL_OK);
    assert_int_equal(clicks(c, 7), 5);
    assert_false(c->locked);
    rfl_counters_close(c);

    (void) close(fd);
}


/* All processes begin at once: none is to count without cells for that. */

static void
who_comes_while_the_memory_is_made_waits(void **state)
{
    int              fd, own, ready[2], status;
    char             name[64];
    pid_t            pid;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    fd = rfl_counters_volatile_create("main", geteuid());
    assert_true(fd >= 0);
    assert_int_equal(pipe(ready), 0);

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        own = open(name, O_RDWR);

        if (own == -1 || flock(own, LOCK_EX) != 0
            || write(ready[1], "", 1) != 1)
        {
            _exit(1);
        }

        (void) usleep(10000);
        _exit(0);
    }

    assert_int_equal(read(ready[0], name, 1), 1);
    assert_int_equal(rfl_counters_volatile_open(&c, fd, uuid, 1, MAX_IDS,
                                                RFL_COUNTERS_CREATE, NOW,
                                                &f->err), RFL_OK);
    count(c, 1, 1);
    rfl_counters_close(c);

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void) close(ready[0]);
    (void) close(ready[1]);
    (void) close(fd);
}


static void
a_volatile_file_half_made_is_made_again(void **state)
{
    int              fd;
    fixture_t       *f = *state;
    rfl_counters_t  *c;

    fd = rfl_counters_volatile_create("main", geteuid());
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, RFL_COUNTERS_CELLS_AT), 0);

    assert_int_equal(rfl_counters_volatile_open(&c, fd, uuid, 1, MAX_IDS,
                                                RFL_COUNTERS_GROW, NOW,
                                                &f->err), RFL_NOT_FOUND);

    /* its maker may be alive */

    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(rfl_counters_volatile_open(&c, fd, uuid, 1, MAX_IDS,
                                                RFL_COUNTERS_CREATE, NOW,
                                                &f->err), RFL_BUSY);
    assert_int_equal(flock(fd, LOCK_UN), 0);

    assert_int_equal(rfl_counters_volatile_open(&c, fd, uuid, 1, MAX_IDS,
                                                RFL_COUNTERS_CREATE, NOW,
                                                &f->err), RFL_OK);
    count(c, 1, 1);
    rfl_counters_close(c);
    (void) close(fd);
}


static void
the_volatile_file_is_its_owners_alone(void **state)
{
    int          fd;
    struct stat  st;

    if (geteuid() != 0) {
        skip();
    }

    fd = rfl_counters_volatile_create("main", FOREIGN_UID);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_uid, FOREIGN_UID);
    assert_int_equal(st.st_mode & 07777, 0600);
    (void) close(fd);
}


static void
who_leaves_tells_those_who_stay(void **state)
{
    fixture_t       *f = *state;
    rfl_counters_t  *one, *two;

    one = opened(f, RFL_COUNTERS_CREATE);
    two = opened(f, RFL_COUNTERS_CREATE);
    assert_false(rfl_counters_moved(one));

    rfl_counters_leave(two);
    assert_true(rfl_counters_moved(one));
    assert_false(rfl_counters_moved(one));

    /* it holds no lock now: whoever stays is the last one out */

    assert_int_equal(rfl_counters_last_out(one), RFL_OK);

    rfl_counters_close(one);
    rfl_counters_close(two);
}


static rfl_str_t
host_name(char *buf, size_t size, unsigned i)
{
    (void) snprintf(buf, size, "host%u.example", i);

    return rfl_cstr(buf);
}


static void
hosts_are_noted_once_and_up_to_the_table(void **state)
{
    char                  name[80];
    unsigned              i, k, valid;
    fixture_t            *f = *state;
    rfl_counters_t       *c;
    rfl_counters_host_t  *host;

    c = opened(f, RFL_COUNTERS_CREATE);

    memset(name, 'a', sizeof(name));
    rfl_counters_note_host(c, rfl_str(name, 72));
    rfl_counters_note_host(c, rfl_str(name, 0));
    assert_int_equal(c->hosts[0].state, 0);

    rfl_counters_note_host(c, rfl_str(name, 71));
    assert_int_equal(c->hosts[0].state, 2);
    assert_int_equal(c->hosts[0].len, 71);
    assert_memory_equal(c->hosts[0].name, name, 71);

    for (k = 0; k < 3; k++) {
        for (i = 0; i < 100; i++) {
            rfl_counters_note_host(c, host_name(name, sizeof(name), i));
        }
    }

    for (i = 1, valid = 1; i < RFL_COUNTERS_HOSTS; i++) {
        host = &c->hosts[i];
        (void) host_name(name, sizeof(name), i - 1);
        assert_int_equal(host->state, 2);
        assert_int_equal(host->len, strlen(name));
        assert_memory_equal(host->name, name, host->len);
        valid++;
    }

    assert_int_equal(valid, RFL_COUNTERS_HOSTS);

    /* behind the table: the first stripe */

    assert_int_equal(c->stripes[0].n[0], 0);

    c->hosts[3].state = 1;               /* its writer was killed */
    rfl_counters_forget_hosts(c);

    for (i = 0; i < RFL_COUNTERS_HOSTS; i++) {
        assert_int_equal(c->hosts[i].state, i == 3 ? 1 : 0);
    }

    for (i = 0; i < 100; i++) {
        rfl_counters_note_host(c, host_name(name, sizeof(name), i));
    }

    assert_int_equal(c->hosts[3].state, 1);
    assert_int_equal(c->hosts[RFL_COUNTERS_HOSTS - 1].state, 2);

    rfl_counters_close(c);
}


static int
note_child(fixture_t *f, board_t *board, unsigned n)
{
    char             name[80];
    unsigned         i;
    rfl_counters_t  *c;

    if (open_as(f, &c, uuid, RFL_COUNTERS_CREATE) != RFL_OK) {
        return 1;
    }

    wait_for_go(board);

    for (i = 0; i < 20000; i++) {
        rfl_counters_note_host(c, host_name(name, sizeof(name),
                                            (i + n) % 12));
        if (i % 5000 == 4999 && i < 15000 && n == 0) {
            rfl_counters_forget_hosts(c);
        }
    }

    rfl_counters_close(c);

    return 0;
}


static void
hosts_noted_by_four_processes_are_whole(void **state)
{
    char                  name[80];
    unsigned              i, k, valid;
    board_t              *board;
    fixture_t            *f = *state;
    rfl_counters_t       *c;

    make_good(f->path);
    board = board_new();
    run_children(f, board, 4, note_child);

    c = opened(f, RFL_COUNTERS_CREATE);
    valid = 0;

    for (i = 0; i < RFL_COUNTERS_HOSTS; i++) {
        if (c->hosts[i].state == 0) {
            continue;
        }

        assert_int_equal(c->hosts[i].state, 2);
        valid++;

        for (k = 0; k < 12; k++) {
            (void) host_name(name, sizeof(name), k);
            if (c->hosts[i].len == strlen(name)
                && memcmp(c->hosts[i].name, name, strlen(name)) == 0)
            {
                break;
            }
        }

        assert_true(k < 12);
    }

    assert_true(valid >= 12);

    rfl_counters_close(c);
    (void) munmap(board, sizeof(board_t));
}


static void
cells_merge_sums_earliest_and_latest(void **state)
{
    size_t      i;
    rfl_cell_t  cell;

    for (i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
        cell = merges[i].dst;
        rfl_cell_merge(&cell, &merges[i].src);
        assert_memory_equal(&cell, &merges[i].wanted, sizeof(cell));
    }
}


static void
zones_merge_every_number(void **state)
{
    size_t      i;
    rfl_zone_t  dst, src;

    for (i = 0; i < RFL_ZONE_FIELDS; i++) {
        dst.n[i] = i;
        src.n[i] = 1000 * i;
    }

    rfl_zone_merge(&dst, &src);

    for (i = 0; i < RFL_ZONE_FIELDS; i++) {
        assert_int_equal(dst.n[i], 1001 * i);
    }
}


static void
requests_are_the_sum_of_the_nine_classes(void **state)
{
    size_t      i;
    rfl_cell_t  cell;

    for (i = 0; i < RFL_CELL_FIELDS; i++) {
        cell.n[i] = (uint64_t) 1 << i;
    }

    assert_int_equal(rfl_cell_requests(&cell), 0x1ff);
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(a_new_file_is_complete_private_and_alone),
        test(numbers_are_where_the_layout_says),
        test(counts_outlive_the_process),
        test(a_missing_file_is_made_only_when_asked),
        test(a_missing_directory_is_said),
        test(a_reader_takes_no_lock_and_writes_nothing),
        test(what_is_not_ours_is_refused_and_left_alone),
        test(a_file_whose_maker_was_killed_while_publishing_is_good),
        test(another_users_file_is_refused_but_root_may_open_it),
        test(another_registrys_file_is_set_aside_when_unused),
        test(another_layouts_file_is_set_aside_when_unused),
        test(a_file_in_use_is_never_set_aside),
        test(a_file_removed_between_opening_and_locking_is_not_used),
        test(a_file_made_first_by_another_process_is_used),
        test(a_slower_reservation_takes_nothing_back),
        test(the_path_is_told_from_a_file_that_was_there),
        test(capacity_grows_ahead_and_never_shrinks),
        test(max_ids_is_the_limit),
        test(less_may_be_mapped_than_the_file_holds),
        test(a_full_disk_leaves_no_file_behind),
        test(what_fits_on_a_full_disk_is_there),
        test(interrupted_allocation_goes_on),
        test(a_file_system_that_cannot_allocate_is_refused),
        test(a_full_tmpfs_is_never_sigbus),
        test(dirty_bits_are_taken_once_and_given_back),
        test(a_flusher_misses_no_add_of_four_processes),
        test(growth_by_two_processes_disturbs_no_count),
        test(processes_that_make_it_at_once_share_one_file),
        test(of_five_that_leave_one_is_the_last_and_sees_all),
        test(nobody_counts_while_the_last_one_flushes),
        test(the_volatile_file_is_shared_by_processes),
        test(who_comes_while_the_memory_is_made_waits),
        test(a_volatile_file_half_made_is_made_again),
        test(the_volatile_file_is_its_owners_alone),
        test(who_leaves_tells_those_who_stay),
        test(hosts_are_noted_once_and_up_to_the_table),
        test(hosts_noted_by_four_processes_are_whole),
        cmocka_unit_test(cells_merge_sums_earliest_and_latest),
        cmocka_unit_test(zones_merge_every_number),
        cmocka_unit_test(requests_are_the_sum_of_the_nine_classes)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
