/*
 * The wall around LMDB, with real files and real other processes.
 *
 * statfs(), statvfs(), pwrite(), writev() and fdatasync() are replaced here,
 * in this program, so that a test can be on NFS or on a full disk without
 * being there.
 */

#include "rfl_canary.h"
#include "rfl_store.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>


#define MIB  ((size_t) 1024 * 1024)

enum { BYTES = 0, U32, U64, NDBIS };


typedef struct {
    char          root[64];
    char          dir[128];
    char          file[192];
    rfl_store_t  *store;
    rfl_error_t   err;
} fixture_t;


typedef struct {
    long          type;
    const char   *name;                  /* NULL: accepted */
} fs_row_t;


typedef enum {
    WRITES_PASS = 0,
    WRITES_NO_SPACE,
    WRITES_SHORT,
    WRITES_NO_META,                      /* the next one to a meta page */
    WRITES_META_LAST,                    /* behind that the process dies */
    WRITES_META_WAIT,                    /* behind that it waits in hold_at() */
    WRITES_NO_SYNC
} writes_t;


typedef int (*child_pt)(fixture_t *f, int in, int out);


/* A thread of a chosen id that writes until it is told to end. */

typedef struct {
    fixture_t    *fixture;
    int           in;
    int           out;
    pid_t         id;
} writer_t;


static void hold_at(int in, int out);
static void send_byte(int fd);
static void wait_byte(int fd);
static int next_pid(pid_t id);
static int may_have_namespaces(pid_t pid, int in, int out);
static void *thread_that_writes(void *data);


static const rfl_store_dbi_t  dbis[NDBIS] = {
    { "bytes", RFL_KEY_BYTES },
    { "u32",   RFL_KEY_U32 },
    { "u64",   RFL_KEY_U64 }
};


static const fs_row_t  fs_rows[] = {
    { 0x6969,     "NFS" },
    { 0x517b,     "SMB" },
    { 0xff534d42, "CIFS" },
    { 0xfe534d42, "SMB2" },
    { 0x65735546, "FUSE" },
    { 0x01021994, NULL },                /* tmpfs */
    { 0xef53,     NULL },                /* ext4 */
    { 0x58465342, NULL },                /* XFS */
    { 0x9123683e, NULL }                 /* btrfs */
};


static u_char    large_value[3 * 4096];
static uint64_t  random_seed;
static long      fs_type;                /* 0: the real one */
static int       disk_full;
static writes_t  writes;
static int       held_in = -1, held_out = -1;
static int       overtaker_in = -1, overtaker_out = -1;


int
statfs(const char *path, struct statfs *fs)
{
    int  rc;

    rc = (int) syscall(SYS_statfs, path, fs);

    if (rc == 0 && fs_type != 0) {
        fs->f_type = fs_type;
    }

    return rc;
}


int
statvfs(const char *path, struct statvfs *fs)
{
    memset(fs, 0, sizeof(struct statvfs));

    fs->f_frsize = 4096;
    fs->f_bavail = disk_full ? 0 : 1000000;

    return 0;
}


ssize_t
pwrite(int fd, const void *data, size_t len, off_t offset)
{
    ssize_t  n;

    if (writes == WRITES_NO_SPACE) {
        errno = ENOSPC;
        return -1;
    }

    if (writes == WRITES_SHORT) {
        return (ssize_t) len / 2;
    }

    if (writes == WRITES_NO_META && len < 4096) {
        writes = WRITES_PASS;
        errno = EIO;
        return -1;
    }

    n = syscall(SYS_pwrite64, fd, data, len, offset);

    if (writes == WRITES_META_LAST && len < 4096) {
        _exit(0);
    }

    if (writes == WRITES_META_WAIT && len < 4096) {
        hold_at(held_in, held_out);
    }

    return n;
}


int
fdatasync(int fd)
{
    if (writes == WRITES_NO_SYNC) {
        errno = EIO;
        return -1;
    }

    return (int) syscall(SYS_fdatasync, fd);
}


ssize_t
writev(int fd, const struct iovec *iov, int n)
{
    if (writes == WRITES_NO_SPACE) {
        errno = ENOSPC;
        return -1;
    }

    if (writes == WRITES_SHORT) {
        return (ssize_t) iov[0].iov_len / 2;
    }

    return syscall(SYS_writev, fd, iov, n);
}


/* Of LMDB: one commit overtakes a snapshot that is being begun. */

int mdb_txn_renew(void *txn);

int
mdb_txn_renew(void *txn)
{
    int   rc, out;
    void  *symbol;
    int  (*renew)(void *txn);

    symbol = dlsym(RTLD_NEXT, "mdb_txn_renew");
    memcpy(&renew, &symbol, sizeof(renew));

    rc = renew(txn);

    if (overtaker_out != -1) {
        out = overtaker_out;
        overtaker_out = -1;

        send_byte(out);
        wait_byte(overtaker_in);
    }

    return rc;
}


static int
setup(void **state)
{
    fixture_t  *f;

    f = calloc(1, sizeof(fixture_t));
    if (f == NULL) {
        return -1;
    }

    strcpy(f->root, "/tmp/rfl-XXXXXX");

    if (mkdtemp(f->root) == NULL) {
        return -1;
    }

    snprintf(f->dir, sizeof(f->dir), "%s/path/store", f->root);
    *state = f;

    return 0;
}


static int
teardown(void **state)
{
    int         rc;
    char        command[128];
    fixture_t  *f;

    f = *state;

    fs_type = 0;
    disk_full = 0;
    writes = WRITES_PASS;

    rfl_store_close(f->store);

    snprintf(command, sizeof(command), "rm -rf %s", f->root);
    rc = system(command);

    free(f);

    return rc;
}


static rfl_rc_t
open_store(fixture_t *f, unsigned flags, size_t map_size)
{
    return rfl_store_open(&f->store, f->dir, dbis, NDBIS, flags, map_size,
                          &f->err);
}


static void
close_store(fixture_t *f)
{
    rfl_store_close(f->store);
    f->store = NULL;
}


static void
create_store(fixture_t *f)
{
    assert_int_equal(open_store(f, RFL_STORE_CREATE, 64 * MIB), RFL_OK);
}


static const char *
path_of(fixture_t *f, const char *name)
{
    snprintf(f->file, sizeof(f->file), "%s/%s", f->dir, name);

    return f->file;
}


static rfl_rc_t
put_one(fixture_t *f, uint64_t key, const void *data, size_t len)
{
    rfl_rc_t  rc;

    rc = rfl_store_begin(f->store, 1, &f->err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_store_put_u64(f->store, U64, key, rfl_str(data, len), 0, &f->err);
    if (rc != RFL_OK) {
        rfl_store_end(f->store);
        return rc;
    }

    return rfl_store_commit(f->store, &f->err);
}


static rfl_rc_t
has_key(fixture_t *f, uint64_t key)
{
    rfl_rc_t   rc;
    rfl_str_t  value;

    rc = rfl_store_begin(f->store, 0, NULL);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_store_get_u64(f->store, U64, key, &value);
    rfl_store_end(f->store);

    return rc;
}


/* A child process, with a pipe each way. */

static pid_t
start_child(fixture_t *f, child_pt child, int *in, int *out)
{
    int    to[2], from[2];
    pid_t  pid;

    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        close(to[1]);
        close(from[0]);
        _exit(child(f, to[0], from[1]));
    }

    close(to[0]);
    close(from[1]);

    *in = from[0];
    *out = to[1];

    return pid;
}


static void
stop_child(pid_t pid, int in, int out)
{
    int  status;

    close(out);
    close(in);

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}


static void
wait_byte(int fd)
{
    char  c;

    assert_int_equal(read(fd, &c, 1), 1);
}


static void
send_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}


static void
directories_are_0700_and_files_0600(void **state)
{
    mode_t       mask;
    fixture_t   *f;
    struct stat  st;

    f = *state;

    mask = umask(0);
    create_store(f);
    umask(mask);

    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);

    assert_int_equal(stat(path_of(f, ".."), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);

    assert_int_equal(stat(path_of(f, "data.mdb"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    assert_int_equal(stat(path_of(f, "lock.mdb"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}


static void
what_is_not_there_is_not_found(void **state)
{
    fixture_t  *f;

    f = *state;

    assert_int_equal(open_store(f, RFL_STORE_READ, 0), RFL_NOT_FOUND);
    assert_null(f->store);
    assert_non_null(strstr(f->err.text, f->dir));

    snprintf(f->dir, sizeof(f->dir), "%s/a", f->root);
    assert_int_equal(mkdir(f->dir, 0700), 0);

    assert_int_equal(open_store(f, RFL_STORE_READ, 0), RFL_NOT_FOUND);
    assert_int_equal(open_store(f, RFL_STORE_WRITE, 0), RFL_NOT_FOUND);
    assert_int_equal(access(path_of(f, "data.mdb"), F_OK), -1);

    /* two missing levels are made, three are a mistake */

    snprintf(f->dir, sizeof(f->dir), "%s/x/y/z", f->root);
    assert_int_equal(open_store(f, RFL_STORE_CREATE, 0), RFL_NOT_FOUND);
}


static void
an_empty_data_file_is_not_found_until_a_creator_fills_it(void **state)
{
    int         fd;
    fixture_t  *f;

    f = *state;

    snprintf(f->dir, sizeof(f->dir), "%s/a", f->root);
    assert_int_equal(mkdir(f->dir, 0700), 0);

    fd = open(path_of(f, "data.mdb"), O_CREAT|O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);

    assert_int_equal(open_store(f, RFL_STORE_READ, 0), RFL_NOT_FOUND);
    create_store(f);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
}


static void
a_table_not_made_yet_is_not_found(void **state)
{
    fixture_t  *f;

    f = *state;

    assert_int_equal(rfl_store_open(&f->store, f->dir, dbis, 1,
                                    RFL_STORE_CREATE, MIB, &f->err), RFL_OK);
    close_store(f);

    assert_int_equal(open_store(f, RFL_STORE_READ, MIB), RFL_NOT_FOUND);
    assert_non_null(strstr(f->err.text, "\"u32\""));

    assert_int_equal(open_store(f, RFL_STORE_WRITE, MIB), RFL_NOT_FOUND);
    assert_int_equal(open_store(f, RFL_STORE_CREATE, MIB), RFL_OK);
    close_store(f);
    assert_int_equal(open_store(f, RFL_STORE_READ, MIB), RFL_OK);
}


/* In a store from before it, and in one that others have open as it was. */

static void
a_table_that_comes_later_is_empty_until_a_creator_makes_it(void **state)
{
    size_t           i;
    rfl_str_t        value;
    fixture_t       *f;
    rfl_store_t     *old, *made;
    rfl_cursor_t    *cursor;
    rfl_store_dbi_t  later[NDBIS + 1];

    static const unsigned  flags[] = { RFL_STORE_READ, RFL_STORE_WRITE };

    f = *state;

    create_store(f);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
    close_store(f);

    memcpy(later, dbis, sizeof(dbis));
    later[NDBIS].name = "later";
    later[NDBIS].key_kind = RFL_KEY_U32|RFL_KEY_LATER;

    for (i = 0; i < 2; i++) {
        assert_int_equal(rfl_store_open(&old, f->dir, later, NDBIS + 1,
                                        flags[i], MIB, &f->err), RFL_OK);
        assert_true(rfl_store_lacks_table(old));

        assert_int_equal(rfl_store_begin(old, 0, &f->err), RFL_OK);
        assert_int_equal(rfl_store_get_u64(old, U64, 1, &value), RFL_OK);
        assert_int_equal(rfl_store_get_u32(old, NDBIS, 1, &value),
                         RFL_NOT_FOUND);
        assert_int_equal(rfl_cursor_open(old, NDBIS, &cursor),
                         RFL_NOT_FOUND);
        rfl_store_end(old);

        rfl_store_stat(old, &(rfl_store_stat_t) { 0, 0, 0 });

        if (i == 0) {
            rfl_store_close(old);
        }
    }

    assert_int_equal(rfl_store_open(&made, f->dir, later, NDBIS + 1,
                                    RFL_STORE_CREATE, MIB, &f->err), RFL_OK);
    assert_false(rfl_store_lacks_table(made));

    assert_int_equal(rfl_store_begin(made, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u32(made, NDBIS, 1, rfl_cstr("x"), 0,
                                       &f->err), RFL_OK);
    assert_int_equal(rfl_store_commit(made, &f->err), RFL_OK);

    assert_int_equal(rfl_store_begin(old, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_get_u32(old, NDBIS, 1, &value), RFL_NOT_FOUND);
    assert_int_equal(rfl_store_get_u64(old, U64, 1, &value), RFL_OK);
    rfl_store_end(old);

    rfl_store_close(old);

    assert_int_equal(rfl_store_open(&old, f->dir, later, NDBIS + 1,
                                    RFL_STORE_WRITE, MIB, &f->err), RFL_OK);
    assert_false(rfl_store_lacks_table(old));

    assert_int_equal(rfl_store_begin(old, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_get_u32(old, NDBIS, 1, &value), RFL_OK);
    rfl_store_end(old);

    rfl_store_close(made);
    rfl_store_close(old);
}


static void
a_table_of_another_key_kind_is_refused(void **state)
{
    fixture_t        *f;
    rfl_store_dbi_t   other;

    f = *state;

    create_store(f);
    close_store(f);

    other.name = "u32";
    other.key_kind = RFL_KEY_BYTES;

    assert_int_equal(rfl_store_open(&f->store, f->dir, &other, 1,
                                    RFL_STORE_READ, MIB, &f->err),
                     RFL_DAMAGED);
    assert_non_null(strstr(f->err.text, "\"u32\""));
}


static void
tables_are_limited(void **state)
{
    size_t           i;
    char             names[RFL_STORE_DBIS_MAX + 1][8];
    fixture_t       *f;
    rfl_store_dbi_t  many[RFL_STORE_DBIS_MAX + 1];

    f = *state;

    for (i = 0; i <= RFL_STORE_DBIS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "t%zu", i);
        many[i].name = names[i];
        many[i].key_kind = RFL_KEY_BYTES;
    }

    assert_int_equal(rfl_store_open(&f->store, f->dir, many,
                                    RFL_STORE_DBIS_MAX + 1, RFL_STORE_CREATE,
                                    MIB, &f->err), RFL_INVALID);

    assert_int_equal(rfl_store_open(&f->store, f->dir, many,
                                    RFL_STORE_DBIS_MAX, RFL_STORE_CREATE,
                                    MIB, &f->err), RFL_OK);
}


static void
stores_on_one_directory_share_its_environment(void **state)
{
    char          link[128];
    rfl_str_t     value;
    fixture_t    *f;
    rfl_store_t  *second, *third;

    f = *state;

    create_store(f);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);

    snprintf(link, sizeof(link), "%s/link", f->root);
    assert_int_equal(symlink(f->dir, link), 0);

    assert_int_equal(rfl_store_open(&second, link, dbis, NDBIS,
                                    RFL_STORE_READ, MIB, &f->err), RFL_OK);

    /* the second reads its snapshot while the first writes */

    assert_int_equal(rfl_store_begin(second, 0, &f->err), RFL_OK);
    assert_int_equal(put_one(f, 2, "b", 1), RFL_OK);
    assert_int_equal(rfl_store_get_u64(second, U64, 1, &value), RFL_OK);
    assert_int_equal(rfl_store_get_u64(second, U64, 2, &value),
                     RFL_NOT_FOUND);
    rfl_store_end(second);

    /* whoever is closed first takes nothing from the other */

    close_store(f);

    assert_int_equal(rfl_store_begin(second, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_get_u64(second, U64, 2, &value), RFL_OK);
    rfl_store_end(second);

    assert_int_equal(rfl_store_open(&third, link, dbis, NDBIS,
                                    RFL_STORE_READ, MIB, &f->err), RFL_OK);
    rfl_store_close(second);
    rfl_store_close(third);

    assert_int_equal(rfl_store_open(&f->store, link, dbis, NDBIS,
                                    RFL_STORE_READ, MIB, &f->err), RFL_OK);
}


static void
a_directory_open_for_reading_is_not_written(void **state)
{
    fixture_t    *f;
    rfl_store_t  *second;

    f = *state;

    create_store(f);
    close_store(f);

    assert_int_equal(rfl_store_open(&f->store, f->dir, dbis, NDBIS,
                                    RFL_STORE_READ, MIB, &f->err), RFL_OK);
    assert_int_equal(rfl_store_open(&second, f->dir, dbis, NDBIS,
                                    RFL_STORE_WRITE, MIB, &f->err), RFL_BUSY);
    assert_null(second);
    assert_non_null(strstr(f->err.text, f->dir));
}


static void
a_file_that_is_no_store_is_damaged(void **state)
{
    int         fd;
    char        junk[16384];
    fixture_t  *f;

    f = *state;

    snprintf(f->dir, sizeof(f->dir), "%s/a", f->root);
    assert_int_equal(mkdir(f->dir, 0700), 0);

    memset(junk, 'x', sizeof(junk));

    fd = open(path_of(f, "data.mdb"), O_CREAT|O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
    close(fd);

    assert_int_equal(open_store(f, RFL_STORE_READ, MIB), RFL_DAMAGED);
    assert_int_equal(open_store(f, RFL_STORE_CREATE, MIB), RFL_DAMAGED);

    snprintf(f->dir, sizeof(f->dir), "%s/a/data.mdb", f->root);
    assert_int_equal(open_store(f, RFL_STORE_READ, MIB), RFL_INVALID);
}


static void
a_truncated_file_is_refused_before_it_is_read(void **state)
{
    char         big[20000];
    off_t        size;
    fixture_t   *f;
    struct stat  st;

    f = *state;

    memset(big, 'x', sizeof(big));

    create_store(f);
    assert_int_equal(put_one(f, 1, big, sizeof(big)), RFL_OK);
    close_store(f);

    assert_int_equal(stat(path_of(f, "data.mdb"), &st), 0);

    for (size = st.st_size - 4096; size > 0; size /= 2) {
        assert_int_equal(truncate(f->file, size), 0);
        assert_int_equal(open_store(f, RFL_STORE_READ, MIB), RFL_DAMAGED);
        assert_int_equal(open_store(f, RFL_STORE_WRITE, MIB), RFL_DAMAGED);
    }
}


static void
file_systems_without_reliable_locks_are_refused(void **state)
{
    size_t       i;
    rfl_rc_t     rc;
    fixture_t   *f;

    f = *state;

    for (i = 0; i < sizeof(fs_rows) / sizeof(fs_rows[0]); i++) {

        fs_type = fs_rows[i].type;
        rc = open_store(f, RFL_STORE_CREATE, MIB);

        if (fs_rows[i].name == NULL) {
            assert_int_equal(rc, RFL_OK);
            close_store(f);
            continue;
        }

        assert_int_equal(rc, RFL_INVALID);
        assert_non_null(strstr(f->err.text, fs_rows[i].name));
    }
}


static int
child_without_rights(fixture_t *f, int in, int out)
{
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
        return 1;
    }

    if (open_store(f, RFL_STORE_READ, MIB) != RFL_DENIED) {
        return 2;
    }

    return strstr(f->err.text, "lock.mdb") != NULL ? 0 : 3;
}


static void
a_reader_that_cannot_lock_is_refused(void **state)
{
    int         in, out;
    pid_t       pid;
    fixture_t  *f;

    f = *state;

    create_store(f);
    close_store(f);

    assert_int_equal(chmod(f->root, 0755), 0);
    assert_int_equal(chmod(path_of(f, ".."), 0755), 0);
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(chmod(path_of(f, "data.mdb"), 0644), 0);
    assert_int_equal(chmod(path_of(f, "lock.mdb"), 0444), 0);

    pid = start_child(f, child_without_rights, &in, &out);
    stop_child(pid, in, out);

    /* nor one that would have to make the lock file */

    assert_int_equal(unlink(path_of(f, "lock.mdb")), 0);
    assert_int_equal(chmod(f->dir, 0555), 0);

    pid = start_child(f, child_without_rights, &in, &out);
    stop_child(pid, in, out);

    assert_int_equal(chmod(f->dir, 0700), 0);
}


static int
child_of_another_user(fixture_t *f, int in, int out)
{
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
        return 1;
    }

    if (open_store(f, RFL_STORE_WRITE, MIB) != RFL_DENIED) {
        return 2;
    }

    if (strstr(f->err.text, "Permission denied") == NULL) {
        return 3;
    }

    return geteuid() != 65534
           || strstr(f->err.text, "belongs to user 0, this process is user "
                     "65534; change its owner") != NULL ? 0 : 4;
}


static void
a_writer_that_may_not_write_is_told_whose_file_it_is(void **state)
{
    size_t      i;
    int         in, out;
    pid_t       pid;
    fixture_t  *f;

    static const mode_t  modes[] = { 0444, 0400 };

    f = *state;

    create_store(f);
    close_store(f);

    assert_int_equal(chmod(f->root, 0755), 0);
    assert_int_equal(chmod(path_of(f, ".."), 0755), 0);
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(chmod(path_of(f, "lock.mdb"), 0666), 0);

    for (i = 0; i < 2; i++) {
        assert_int_equal(chmod(path_of(f, "data.mdb"), modes[i]), 0);
        pid = start_child(f, child_of_another_user, &in, &out);
        stop_child(pid, in, out);
    }
}


static int
child_on_a_read_only_file_system(fixture_t *f, int in, int out)
{
    if (unshare(CLONE_NEWNS) != 0
        || mount("none", "/", "", MS_REC|MS_PRIVATE, NULL) != 0
        || mount(f->root, f->root, "", MS_BIND, NULL) != 0
        || mount("none", f->root, "", MS_REMOUNT|MS_BIND|MS_RDONLY, NULL)
           != 0)
    {
        return write(out, "-", 1) == 1 ? 0 : 1;
    }

    if (open_store(f, RFL_STORE_READ, MIB) != RFL_DENIED
        || strstr(f->err.text, "Read-only file system") == NULL)
    {
        return 2;
    }

    if (open_store(f, RFL_STORE_WRITE, MIB) != RFL_DENIED
        || strstr(f->err.text, "read-only file system") == NULL)
    {
        return 3;
    }

    return write(out, "+", 1) == 1 ? 0 : 4;
}


static void
a_read_only_file_system_is_named(void **state)
{
    int         in, out;
    char        c;
    pid_t       pid;
    fixture_t  *f;

    f = *state;

    create_store(f);
    close_store(f);

    pid = start_child(f, child_on_a_read_only_file_system, &in, &out);
    c = '!';
    (void) !read(in, &c, 1);
    stop_child(pid, in, out);

    if (c == '-') {
        print_message("not allowed to mount\n");
        skip();
    }

    assert_int_equal(c, '+');
}


static void
values_come_back_by_all_kinds_of_keys(void **state)
{
    fixture_t  *f;
    rfl_str_t   value;

    f = *state;

    create_store(f);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put(f->store, BYTES, rfl_cstr("k"),
                                   rfl_cstr("one"), 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u32(f->store, U32, UINT32_MAX,
                                       rfl_cstr("two"), 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, UINT64_MAX,
                                       rfl_cstr(""), 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);

    assert_int_equal(rfl_store_get(f->store, BYTES, rfl_cstr("k"), &value),
                     RFL_OK);
    assert_true(rfl_str_eq(value, rfl_cstr("one")));

    assert_int_equal(rfl_store_get_u32(f->store, U32, UINT32_MAX, &value),
                     RFL_OK);
    assert_true(rfl_str_eq(value, rfl_cstr("two")));

    assert_int_equal(rfl_store_get_u64(f->store, U64, UINT64_MAX, &value),
                     RFL_OK);
    assert_int_equal(value.len, 0);

    assert_int_equal(rfl_store_get(f->store, BYTES, rfl_cstr("K"), &value),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_store_get_u32(f->store, U32, 0, &value),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_store_get_u64(f->store, U64, 0, &value),
                     RFL_NOT_FOUND);

    rfl_store_end(f->store);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_del(f->store, BYTES, rfl_cstr("k"), &f->err),
                     RFL_OK);
    assert_int_equal(rfl_store_del_u32(f->store, U32, UINT32_MAX, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_store_del_u64(f->store, U64, UINT64_MAX, &f->err),
                     RFL_OK);
    assert_int_equal(rfl_store_del_u64(f->store, U64, UINT64_MAX, &f->err),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_store_get(f->store, BYTES, rfl_cstr("k"), &value),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);
}


static void
put_flags_protect_and_append(void **state)
{
    fixture_t  *f;
    rfl_str_t   value;

    f = *state;

    create_store(f);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);

    assert_int_equal(rfl_store_put_u64(f->store, U64, 5, rfl_cstr("a"),
                                       RFL_PUT_NEW, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 5, rfl_cstr("b"),
                                       RFL_PUT_NEW, &f->err), RFL_EXISTS);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 6, rfl_cstr("c"),
                                       RFL_PUT_APPEND, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 4, rfl_cstr("d"),
                                       RFL_PUT_APPEND, &f->err), RFL_EXISTS);

    assert_int_equal(rfl_store_get_u64(f->store, U64, 5, &value), RFL_OK);
    assert_true(rfl_str_eq(value, rfl_cstr("a")));

    assert_int_equal(rfl_store_put_u64(f->store, U64, 5, rfl_cstr("b"), 0,
                                       &f->err), RFL_OK);
    assert_int_equal(rfl_store_get_u64(f->store, U64, 5, &value), RFL_OK);
    assert_true(rfl_str_eq(value, rfl_cstr("b")));

    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);
    assert_int_equal(has_key(f, 4), RFL_NOT_FOUND);
}


static void
keys_are_limited(void **state)
{
    u_char         key[RFL_STORE_KEY_MAX + 1];
    fixture_t     *f;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    f = *state;

    memset(key, 'k', sizeof(key));
    create_store(f);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);

    assert_int_equal(rfl_store_put(f->store, BYTES,
                                   rfl_str(key, RFL_STORE_KEY_MAX),
                                   rfl_cstr("v"), 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put(f->store, BYTES,
                                   rfl_str(key, RFL_STORE_KEY_MAX + 1),
                                   rfl_cstr("v"), 0, &f->err), RFL_INVALID);
    assert_non_null(strstr(f->err.text, "511"));

    assert_int_equal(rfl_cursor_open(f->store, BYTES, &cursor), RFL_OK);
    assert_int_equal(rfl_cursor_seek(cursor, rfl_str(key, RFL_STORE_KEY_MAX),
                                     &found, &value), RFL_OK);
    assert_int_equal(rfl_cursor_seek(cursor,
                                     rfl_str(key, RFL_STORE_KEY_MAX + 1),
                                     &found, &value), RFL_INVALID);
    rfl_cursor_close(cursor);

    rfl_store_end(f->store);
}


static void
cursors_walk_in_key_order(void **state)
{
    size_t         i;
    u_char         unaligned[9];
    uint64_t       key;
    fixture_t     *f;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    static const uint64_t  keys[] = { 1, 255, 256, 65536, (uint64_t) 1 << 40 };

    f = *state;

    create_store(f);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);

    assert_int_equal(rfl_cursor_open(f->store, U64, &cursor), RFL_OK);
    assert_int_equal(rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value),
                     RFL_NOT_FOUND);
    assert_int_equal(rfl_cursor_last(cursor, &found, &value), RFL_NOT_FOUND);
    rfl_cursor_close(cursor);

    for (i = 5; i > 0; i--) {
        assert_int_equal(rfl_store_put_u64(f->store, U64, keys[i - 1],
                                           rfl_str(&keys[i - 1], 8), 0,
                                           &f->err), RFL_OK);
    }

    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);
    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_cursor_open(f->store, U64, &cursor), RFL_OK);

    assert_int_equal(rfl_cursor_seek(cursor, rfl_str(NULL, 0), &found, &value),
                     RFL_OK);

    for (i = 0; i < 5; i++) {
        memcpy(&key, found.data, sizeof(key));
        assert_int_equal(key, keys[i]);
        assert_int_equal(value.len, 8);
        assert_memory_equal(value.data, &keys[i], 8);

        assert_int_equal(rfl_cursor_next(cursor, &found, &value),
                         i == 4 ? RFL_NOT_FOUND : RFL_OK);
    }

    key = 257;
    memcpy(unaligned + 1, &key, sizeof(key));

    assert_int_equal(rfl_cursor_seek(cursor, rfl_str(unaligned + 1, 8), &found,
                                     &value), RFL_OK);
    memcpy(&key, found.data, sizeof(key));
    assert_int_equal(key, 65536);

    assert_int_equal(rfl_cursor_last(cursor, &found, &value), RFL_OK);
    memcpy(&key, found.data, sizeof(key));
    assert_int_equal(key, keys[4]);

    key = keys[4] + 1;
    assert_int_equal(rfl_cursor_seek(cursor, rfl_str(&key, 8), &found, &value),
                     RFL_NOT_FOUND);

    rfl_cursor_close(cursor);
    rfl_store_end(f->store);
}


static void
reads_nest_and_writes_do_not(void **state)
{
    fixture_t  *f;
    rfl_str_t   value;

    f = *state;

    create_store(f);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_ERROR);
    rfl_store_end(f->store);
    assert_int_equal(rfl_store_get_u64(f->store, U64, 1, &value), RFL_OK);
    rfl_store_end(f->store);
    assert_int_equal(rfl_store_get_u64(f->store, U64, 1, &value), RFL_ERROR);
    rfl_store_end(f->store);             /* one too many does no harm */

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 2, rfl_cstr("b"), 0,
                                       &f->err), RFL_OK);
    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_get_u64(f->store, U64, 2, &value), RFL_OK);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_ERROR);
    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_ERROR);
    rfl_store_end(f->store);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);

    assert_int_equal(has_key(f, 2), RFL_OK);
}


static void
an_ended_write_leaves_nothing(void **state)
{
    fixture_t  *f;

    f = *state;

    create_store(f);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 2, rfl_cstr("b"), 0,
                                       &f->err), RFL_OK);
    rfl_store_end(f->store);
    assert_int_equal(has_key(f, 2), RFL_NOT_FOUND);

    /* closed in the middle: likewise, and the writer's lock is free again */

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 2, rfl_cstr("b"), 0,
                                       &f->err), RFL_OK);
    close_store(f);
    assert_int_equal(open_store(f, RFL_STORE_WRITE, 64 * MIB), RFL_OK);
    assert_int_equal(has_key(f, 2), RFL_NOT_FOUND);
    assert_int_equal(put_one(f, 2, "b", 1), RFL_OK);
}


static void
writes_need_a_write_transaction(void **state)
{
    fixture_t  *f;

    f = *state;

    create_store(f);

    assert_int_equal(rfl_store_put_u64(f->store, U64, 1, rfl_cstr("a"), 0,
                                       &f->err), RFL_ERROR);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_ERROR);

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 1, rfl_cstr("a"), 0,
                                       &f->err), RFL_ERROR);
    assert_int_equal(rfl_store_del_u64(f->store, U64, 1, &f->err), RFL_ERROR);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_ERROR);
    rfl_store_end(f->store);

    close_store(f);
    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_OK);
    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_DENIED);
}


static void
a_transaction_id_names_a_snapshot(void **state)
{
    uint64_t    first, second;
    fixture_t  *f;

    f = *state;

    create_store(f);

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    first = rfl_store_txn_id(f->store);
    rfl_store_end(f->store);

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_txn_id(f->store), first);
    rfl_store_end(f->store);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_txn_id(f->store), first + 1);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 1, rfl_cstr("a"), 0,
                                       &f->err), RFL_OK);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    second = rfl_store_txn_id(f->store);
    rfl_store_end(f->store);

    assert_int_equal(second, first + 1);
}


static int
child_commits(fixture_t *f, int in, int out)
{
    char  c;

    if (open_store(f, RFL_STORE_WRITE, 64 * MIB) != RFL_OK) {
        return 1;
    }

    if (read(in, &c, 1) != 1 || put_one(f, 7, "seven", 5) != RFL_OK
        || write(out, "x", 1) != 1 || read(in, &c, 1) != 0)
    {
        return 2;
    }

    close_store(f);

    return 0;
}


static void
a_reader_keeps_its_snapshot_and_then_sees_the_commit(void **state)
{
    int         in, out;
    pid_t       pid;
    fixture_t  *f;
    rfl_str_t   value;

    f = *state;

    create_store(f);
    close_store(f);

    pid = start_child(f, child_commits, &in, &out);

    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_OK);
    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);

    send_byte(out);
    wait_byte(in);

    assert_int_equal(rfl_store_get_u64(f->store, U64, 7, &value),
                     RFL_NOT_FOUND);
    rfl_store_end(f->store);
    assert_int_equal(has_key(f, 7), RFL_OK);

    stop_child(pid, in, out);
}


/* Its number may be that of the earlier one, by which our tables are known. */

static void
a_snapshot_that_was_overtaken_is_begun_anew(void **state)
{
    int         in, out;
    pid_t       pid;
    uint64_t    before;
    rfl_str_t   value;
    fixture_t  *f;

    f = *state;

    create_store(f);
    close_store(f);

    pid = start_child(f, child_commits, &in, &out);

    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_OK);
    assert_int_equal(has_key(f, 7), RFL_NOT_FOUND);

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    before = rfl_store_txn_id(f->store);
    rfl_store_end(f->store);

    overtaker_in = in;
    overtaker_out = out;

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    assert_int_equal(overtaker_out, -1);
    assert_int_equal(rfl_store_txn_id(f->store), before + 1);
    assert_int_equal(rfl_store_get_u64(f->store, U64, 7, &value), RFL_OK);
    rfl_store_end(f->store);

    stop_child(pid, in, out);
}


static int
child_fills(fixture_t *f, int in, int out)
{
    char      c, *data;
    unsigned  i;

    data = calloc(1, MIB);

    if (data == NULL || open_store(f, RFL_STORE_WRITE, 64 * MIB) != RFL_OK) {
        return 1;
    }

    if (read(in, &c, 1) != 1) {
        return 2;
    }

    for (i = 100; i < 110; i++) {
        if (put_one(f, i, data, MIB) != RFL_OK) {
            return 3;
        }
    }

    free(data);
    close_store(f);

    return write(out, "x", 1) == 1 && read(in, &c, 1) == 0 ? 0 : 4;
}


static void
a_map_enlarged_by_another_process_is_remapped(void **state)
{
    int                in, out;
    pid_t              pid;
    fixture_t         *f;
    unsigned           write;
    rfl_store_stat_t   stat;

    f = *state;

    for (write = 0; write < 2; write++) {

        assert_int_equal(open_store(f, RFL_STORE_CREATE, 2 * MIB), RFL_OK);
        close_store(f);

        pid = start_child(f, child_fills, &in, &out);

        assert_int_equal(open_store(f, write ? RFL_STORE_WRITE
                                             : RFL_STORE_READ, 2 * MIB),
                         RFL_OK);
        assert_int_equal(has_key(f, 100), RFL_NOT_FOUND);

        send_byte(out);
        wait_byte(in);

        if (write) {
            assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
        }

        assert_int_equal(has_key(f, 109), RFL_OK);
        rfl_store_stat(f->store, &stat);
        assert_true(stat.map_size >= 64 * MIB);

        stop_child(pid, in, out);
        close_store(f);

        assert_int_equal(unlink(path_of(f, "data.mdb")), 0);
        assert_int_equal(unlink(path_of(f, "lock.mdb")), 0);
    }
}


static void
a_full_map_is_reported_and_recoverable(void **state)
{
    char       *data;
    unsigned    i;
    rfl_rc_t    rc;
    fixture_t  *f;

    f = *state;

    data = calloc(1, MIB / 4);
    assert_non_null(data);

    assert_int_equal(open_store(f, RFL_STORE_CREATE, MIB), RFL_OK);

    for (i = 1; i < 10; i++) {
        rc = put_one(f, i, data, MIB / 4);
        if (rc != RFL_OK) {
            break;
        }
    }

    assert_int_equal(rc, RFL_FULL);
    assert_true(i > 1);
    assert_non_null(strstr(f->err.text, "map_size is 1048576"));

    /* what was there is there, and there is room again when it goes */

    assert_int_equal(has_key(f, i - 1), RFL_OK);
    assert_int_equal(has_key(f, i), RFL_NOT_FOUND);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_del_u64(f->store, U64, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);
    assert_int_equal(put_one(f, 50, "a", 1), RFL_OK);
    assert_int_equal(put_one(f, i, data, MIB / 8), RFL_OK);

    /* and with a larger map */

    close_store(f);
    assert_int_equal(open_store(f, RFL_STORE_WRITE, 4 * MIB), RFL_OK);
    assert_int_equal(put_one(f, 60, data, MIB / 4), RFL_OK);

    free(data);
}


static void
a_full_map_fails_the_whole_transaction(void **state)
{
    char       *data;
    unsigned    i;
    rfl_rc_t    rc;
    fixture_t  *f;

    f = *state;

    data = calloc(1, MIB / 4);
    assert_non_null(data);

    assert_int_equal(open_store(f, RFL_STORE_CREATE, MIB), RFL_OK);
    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);

    for (i = 1, rc = RFL_OK; i < 10 && rc == RFL_OK; i++) {
        rc = rfl_store_put_u64(f->store, U64, i, rfl_str(data, MIB / 4), 0,
                               &f->err);
    }

    assert_int_equal(rc, RFL_FULL);
    assert_int_not_equal(rfl_store_commit(f->store, &f->err), RFL_OK);
    assert_int_equal(has_key(f, 1), RFL_NOT_FOUND);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);

    free(data);
}


static void
a_full_disk_fails_the_commit_and_nothing_of_it_stands(void **state)
{
    fixture_t  *f;

    f = *state;

    create_store(f);

    writes = WRITES_NO_SPACE;
    assert_int_equal(put_one(f, 1, "a", 1), RFL_FULL);

    /* a write cut short: LMDB says EIO */

    writes = WRITES_SHORT;
    disk_full = 1;
    assert_int_equal(put_one(f, 1, "a", 1), RFL_FULL);
    assert_non_null(strstr(f->err.text, "disk is full"));

    disk_full = 0;
    assert_int_equal(put_one(f, 1, "a", 1), RFL_ERROR);

    writes = WRITES_PASS;
    assert_int_equal(has_key(f, 1), RFL_NOT_FOUND);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);
}


/* What glibc has handed out, in large blocks and small ones: bytes. */

static size_t
heap_used(void)
{
    struct mallinfo2  info;

    info = mallinfo2();

    return info.uordblks + info.hblkhd;
}


#define SPILL_ROWS  20000
#define SPILL_SIZE  1000

/* In order, with a spill now and then, and every other row once more. */

static void
put_and_spill(fixture_t *f)
{
    char           value[SPILL_SIZE];
    uint64_t       key;
    rfl_cursor_t  *cursor;

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_cursor_open(f->store, U64, &cursor), RFL_OK);

    for (key = 1; key <= SPILL_ROWS; key++) {
        memset(value, (int) key, sizeof(value));

        assert_int_equal(rfl_cursor_put(cursor, rfl_str(&key, sizeof(key)),
                                        rfl_str(value, sizeof(value)),
                                        RFL_PUT_APPEND, &f->err), RFL_OK);

        if (key % 1000 == 0) {
            assert_int_equal(rfl_store_spill(f->store, &f->err), RFL_OK);
        }
    }

    key = 7;
    assert_int_equal(rfl_cursor_put(cursor, rfl_str(&key, sizeof(key)),
                                    rfl_str("x", 1), RFL_PUT_APPEND,
                                    &f->err), RFL_EXISTS);
    assert_int_equal(rfl_cursor_put(cursor, rfl_str(&key, sizeof(key)),
                                    rfl_str("x", 1), RFL_PUT_NEW, &f->err),
                     RFL_EXISTS);

    for (key = 2; key <= SPILL_ROWS; key += 2) {
        memset(value, (int) key + 1, sizeof(value));

        assert_int_equal(rfl_cursor_put(cursor, rfl_str(&key, sizeof(key)),
                                        rfl_str(value, sizeof(value)), 0,
                                        &f->err), RFL_OK);

        if (key % 1000 == 0) {
            assert_int_equal(rfl_store_spill(f->store, &f->err), RFL_OK);
        }
    }

    rfl_cursor_close(cursor);
}


static void
check_spilled(fixture_t *f)
{
    char       value[SPILL_SIZE];
    uint64_t   key;
    rfl_str_t  found;

    for (key = 1; key <= SPILL_ROWS; key++) {
        memset(value, (int) (key % 2 == 0 ? key + 1 : key), sizeof(value));

        assert_int_equal(rfl_store_get_u64(f->store, U64, key, &found),
                         RFL_OK);
        assert_true(rfl_str_eq(found, rfl_str(value, sizeof(value))));
    }
}


static void
what_is_spilled_leaves_memory_and_is_committed(void **state)
{
    size_t      before;
    fixture_t  *f;

    f = *state;

    assert_int_equal(open_store(f, RFL_STORE_CREATE, 64 * MIB), RFL_OK);
    assert_int_equal(rfl_store_spill(f->store, &f->err), RFL_ERROR);

    before = heap_used();
    put_and_spill(f);

    /* LMDB's list of what was spilled takes a MiB; 26 MiB were written */

    assert_int_equal(rfl_store_spill(f->store, &f->err), RFL_OK);
    assert_in_range(heap_used(), 0, before + 4 * MIB);

    check_spilled(f);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);

    close_store(f);
    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_OK);
    assert_int_equal(rfl_store_check(f->store, &f->err), RFL_OK);

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    check_spilled(f);
    rfl_store_end(f->store);
}


static void
what_is_spilled_and_not_committed_never_was(void **state)
{
    uint64_t    key;
    fixture_t  *f;

    f = *state;

    assert_int_equal(open_store(f, RFL_STORE_CREATE, 64 * MIB), RFL_OK);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);

    for (key = 2; key < 1000; key++) {
        assert_int_equal(rfl_store_put_u64(f->store, U64, key,
                                           rfl_str("b", 1), 0, &f->err),
                         RFL_OK);
    }

    assert_int_equal(rfl_store_spill(f->store, &f->err), RFL_OK);
    rfl_store_end(f->store);

    assert_int_equal(has_key(f, 1), RFL_OK);
    assert_int_equal(has_key(f, 2), RFL_NOT_FOUND);

    /* nor does a spill that fails leave anything */

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);

    for (key = 2; key < 1000; key++) {
        assert_int_equal(rfl_store_put_u64(f->store, U64, key,
                                           rfl_str("b", 1), 0, &f->err),
                         RFL_OK);
    }

    writes = WRITES_NO_SPACE;
    assert_int_equal(rfl_store_spill(f->store, &f->err), RFL_FULL);
    writes = WRITES_PASS;

    rfl_store_end(f->store);

    assert_int_equal(has_key(f, 2), RFL_NOT_FOUND);
    assert_int_equal(put_one(f, 2, "c", 1), RFL_OK);
}


static int
child_reads_and_waits(fixture_t *f, int in, int out)
{
    char  c;

    if (open_store(f, RFL_STORE_READ, 64 * MIB) != RFL_OK
        || rfl_store_begin(f->store, 0, NULL) != RFL_OK
        || write(out, "x", 1) != 1)
    {
        return 1;
    }

    return (int) read(in, &c, 1);
}


static void
a_failed_sync_fails_the_commit_and_nothing_of_it_stands(void **state)
{
    fixture_t  *f;

    f = *state;

    create_store(f);

    writes = WRITES_NO_SYNC;
    assert_int_equal(put_one(f, 1, "a", 1), RFL_ERROR);
    assert_non_null(strstr(f->err.text, "Input/output error"));

    writes = WRITES_PASS;
    assert_int_equal(has_key(f, 1), RFL_NOT_FOUND);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
}


static void
a_meta_page_that_cannot_be_written_asks_for_opening_again(void **state)
{
    unsigned    i;
    fixture_t  *f;

    f = *state;

    create_store(f);

    for (i = 0; i < 4; i++) {
        assert_int_equal(put_one(f, i, "a", 1), RFL_OK);

        writes = WRITES_NO_META;
        assert_int_equal(put_one(f, 100 + i, "b", 1), RFL_ERROR);
        assert_int_equal(writes, WRITES_PASS);
        assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);

        assert_int_equal(put_one(f, 100 + i, "b", 1), RFL_ERROR);
        assert_non_null(strstr(f->err.text, "opened again"));

        close_store(f);
        assert_int_equal(open_store(f, RFL_STORE_WRITE, 64 * MIB), RFL_OK);
        assert_int_equal(rfl_store_check_path(f->store), RFL_OK);
        assert_int_equal(has_key(f, i), RFL_OK);
    }

    assert_int_equal(put_one(f, 100, "b", 1), RFL_OK);
}


/* A store for each slot, on one environment. */

static int
child_takes_all_readers(fixture_t *f, int in, int out)
{
    int           n;
    char          c;
    rfl_rc_t      rc;
    rfl_store_t  *store;

    for (n = 0; n <= RFL_STORE_READERS; n++) {

        rc = rfl_store_open(&store, f->dir, dbis, NDBIS, RFL_STORE_READ,
                            64 * MIB, &f->err);

        if (rc == RFL_OK) {
            rc = rfl_store_begin(store, 0, &f->err);
        }

        if (rc != RFL_OK) {
            break;
        }
    }

    if (rc != RFL_FULL || n < RFL_STORE_READERS / 2
        || write(out, "x", 1) != 1)
    {
        return 1;
    }

    return (int) read(in, &c, 1);
}


static void
a_full_reader_table_is_reported_and_recovers(void **state)
{
    int         in, out, status;
    pid_t       pid;
    fixture_t  *f;

    f = *state;

    create_store(f);
    close_store(f);

    /* one that has begun nothing yet */

    pid = start_child(f, child_takes_all_readers, &in, &out);
    wait_byte(in);

    assert_int_equal(open_store(f, RFL_STORE_WRITE, 64 * MIB), RFL_FULL);
    assert_non_null(strstr(f->err.text, "1024 reader slots"));

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(in);
    close(out);

    assert_int_equal(open_store(f, RFL_STORE_WRITE, 64 * MIB), RFL_OK);

    /* one that is open, and meets the slots of the dead */

    pid = start_child(f, child_takes_all_readers, &in, &out);
    wait_byte(in);

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_FULL);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(in);
    close(out);

    assert_int_equal(has_key(f, 1), RFL_OK);
}


static int
child_writes_and_waits(fixture_t *f, int in, int out)
{
    char      c;
    uint64_t  i;

    if (open_store(f, RFL_STORE_WRITE, 64 * MIB) != RFL_OK
        || rfl_store_begin(f->store, 1, NULL) != RFL_OK)
    {
        return 1;
    }

    for (i = 0; i < 1000; i++) {
        if (rfl_store_put_u64(f->store, U64, i, rfl_cstr("dirty"), 0, NULL)
            != RFL_OK)
        {
            return 2;
        }
    }

    return write(out, "x", 1) == 1 ? (int) read(in, &c, 1) : 3;
}


static void
a_writer_killed_in_its_transaction_leaves_nothing(void **state)
{
    int         in, out, status, i;
    pid_t       pid;
    fixture_t  *f;

    f = *state;

    create_store(f);
    close_store(f);

    for (i = 0; i < 3; i++) {
        pid = start_child(f, child_writes_and_waits, &in, &out);
        wait_byte(in);

        assert_int_equal(open_store(f, RFL_STORE_WRITE, 64 * MIB), RFL_OK);
        assert_int_equal(has_key(f, 5), RFL_NOT_FOUND);

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        close(in);
        close(out);

        assert_int_equal(put_one(f, 2000 + (uint64_t) i, "a", 1), RFL_OK);
        assert_int_equal(has_key(f, 5), RFL_NOT_FOUND);
        assert_int_equal(rfl_store_check_path(f->store), RFL_OK);
        close_store(f);
    }
}


static void
dead_readers_are_cleared(void **state)
{
    int               in, out, status;
    pid_t             pid;
    fixture_t        *f;
    rfl_store_stat_t  stat;

    f = *state;

    create_store(f);
    close_store(f);

    pid = start_child(f, child_reads_and_waits, &in, &out);
    wait_byte(in);

    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_OK);
    assert_int_equal(has_key(f, 1), RFL_NOT_FOUND);

    rfl_store_stat(f->store, &stat);
    assert_int_equal(stat.readers, 2);
    assert_int_equal(rfl_store_reader_check(f->store), 0);

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);

    assert_int_equal(rfl_store_reader_check(f->store), 1);
    assert_int_equal(rfl_store_reader_check(f->store), 0);

    close(in);
    close(out);
}


static int
child_opens_its_own(fixture_t *f, int in, int out)
{
    int        rc;
    fixture_t  own;

    own = *f;
    rc = child_commits(&own, in, out);

    close_store(f);                      /* the parent's goes on */

    return rc;
}


static void
a_store_inherited_over_fork_does_not_block_the_child(void **state)
{
    int         in, out;
    pid_t       pid;
    fixture_t  *f;

    f = *state;

    create_store(f);
    pid = start_child(f, child_opens_its_own, &in, &out);

    send_byte(out);
    wait_byte(in);
    assert_int_equal(has_key(f, 7), RFL_OK);
    stop_child(pid, in, out);

    assert_int_equal(put_one(f, 8, "a", 1), RFL_OK);
}


static void
a_replaced_or_missing_file_is_noticed(void **state)
{
    char         other[128];
    fixture_t   *f;

    f = *state;

    create_store(f);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);

    snprintf(other, sizeof(other), "%s/aside", f->root);
    assert_int_equal(rename(f->dir, other), 0);
    assert_int_equal(rfl_store_check_path(f->store), RFL_NOT_FOUND);

    /* a restored backup, in a new directory: close and open again */

    assert_int_equal(mkdir(f->dir, 0700), 0);
    assert_int_equal(rfl_store_check_path(f->store), RFL_NOT_FOUND);
    assert_int_equal(close(open(path_of(f, "data.mdb"), O_CREAT|O_WRONLY,
                                0600)), 0);
    assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);

    close_store(f);
    create_store(f);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);

    /* with another lock file the next opener would be a second writer */

    assert_int_equal(rename(path_of(f, "lock.mdb"), other), -1);
    snprintf(other, sizeof(other), "%s/lock", f->root);
    assert_int_equal(rename(path_of(f, "lock.mdb"), other), 0);
    assert_int_equal(rfl_store_check_path(f->store), RFL_NOT_FOUND);
    assert_int_equal(close(open(f->file, O_CREAT|O_WRONLY, 0600)), 0);
    assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);
    assert_int_equal(rename(other, f->file), 0);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);
}


static void
a_file_truncated_while_open_is_noticed(void **state)
{
    char        big[20000];
    fixture_t  *f;

    f = *state;

    memset(big, 'x', sizeof(big));

    create_store(f);
    assert_int_equal(put_one(f, 1, big, sizeof(big)), RFL_OK);

    assert_int_equal(truncate(path_of(f, "data.mdb"), 8192), 0);
    assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);

    assert_int_equal(truncate(f->file, 0), 0);
    assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);
}


/* Read from its meta pages: LMDB's last page, and so the size it implies. */

static off_t
size_of_pages(fixture_t *f)
{
    int       fd, i;
    u_char    meta[2][4096];
    uint64_t  last, txn_id, best, pages;

    best = 0;
    pages = 0;

    fd = open(path_of(f, "data.mdb"), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, meta, sizeof(meta)), sizeof(meta));
    close(fd);

    for (i = 0; i < 2; i++) {
        memcpy(&last, meta[i] + 136, 8);
        memcpy(&txn_id, meta[i] + 144, 8);

        if (txn_id >= best) {
            best = txn_id;
            pages = last + 1;
        }
    }

    return (off_t) pages * 4096;
}


static void
copy_over(fixture_t *f, const char *from, const char *to)
{
    char  command[512];

    snprintf(command, sizeof(command), "cat %s > %s", from, to);
    assert_int_equal(system(command), 0);
}


static void
write_at(fixture_t *f, const char *name, off_t at, const void *data,
    size_t size)
{
    int  fd;

    fd = open(path_of(f, name), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, size, at), size);
    close(fd);
}


static void
a_header_overwritten_while_open_is_noticed(void **state)
{
    size_t      i;
    u_char      noise[152];
    fixture_t  *f;

    /* flags, magic, version, page size, last page, transaction */

    static const off_t  places[] = { 10, 16, 20, 40, 142, 149 };

    f = *state;

    memset(noise, 0xa5, sizeof(noise));

    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        create_store(f);
        assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
        assert_int_equal(rfl_store_check_path(f->store), RFL_OK);

        write_at(f, "data.mdb", places[i] + 4096, noise, 1);
        assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);

        close_store(f);
        assert_int_not_equal(open_store(f, RFL_STORE_WRITE, 64 * MIB), RFL_OK);
        assert_int_equal(unlink(path_of(f, "data.mdb")), 0);
    }

    create_store(f);
    assert_int_equal(truncate(path_of(f, "lock.mdb"), 100), 0);
    assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);
}


static void
another_file_copied_over_it_while_open_is_noticed(void **state)
{
    char        older[128], newer[128];
    unsigned    i;
    fixture_t  *f;

    f = *state;

    snprintf(older, sizeof(older), "%s/older", f->root);
    snprintf(newer, sizeof(newer), "%s/newer", f->root);

    create_store(f);
    copy_over(f, path_of(f, "data.mdb"), older);

    for (i = 0; i < 9; i++) {
        assert_int_equal(put_one(f, i, "a", 1), RFL_OK);
    }

    copy_over(f, path_of(f, "data.mdb"), newer);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);

    copy_over(f, older, f->file);
    assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);

    close_store(f);
    create_store(f);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);

    copy_over(f, newer, path_of(f, "data.mdb"));
    assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);

    close_store(f);
    create_store(f);
    assert_int_equal(has_key(f, 8), RFL_OK);
}


/* As one process of several does when a backup is restored. */

/* Refused while the other process has the old one, and opened then. */

static void
restore_under_a_reader(fixture_t *f, const char *backup)
{
    int       in, out;
    pid_t     pid;
    unsigned  i;

    pid = start_child(f, child_reads_and_waits, &in, &out);
    wait_byte(in);

    assert_int_equal(rename(backup, path_of(f, "data.mdb")), 0);

    for (i = 0; i < 2; i++) {
        assert_int_equal(open_store(f, i ? RFL_STORE_WRITE : RFL_STORE_READ,
                                    64 * MIB), RFL_BUSY);
        assert_non_null(strstr(f->err.text, "was replaced"));
    }

    stop_child(pid, in, out);

    assert_int_equal(open_store(f, RFL_STORE_WRITE, 64 * MIB), RFL_OK);
}


static void
a_restored_file_waits_until_nobody_has_the_old_one(void **state)
{
    char        backup[128];
    unsigned    i;
    fixture_t  *f;

    f = *state;

    snprintf(backup, sizeof(backup), "%s/backup", f->root);

    create_store(f);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
    copy_over(f, path_of(f, "data.mdb"), backup);

    for (i = 0; i < 9; i++) {
        assert_int_equal(put_one(f, 100 + i, "a", 1), RFL_OK);
    }

    close_store(f);

    restore_under_a_reader(f, backup);
    assert_int_equal(has_key(f, 1), RFL_OK);
    assert_int_equal(has_key(f, 100), RFL_NOT_FOUND);
    assert_int_equal(put_one(f, 2, "a", 1), RFL_OK);
}


/* The snapshot the other process knows is in both, but not the newest here. */

static void
a_restored_file_that_is_one_commit_ahead_waits_as_well(void **state)
{
    char        backup[128], older[128];
    fixture_t  *f;

    f = *state;

    snprintf(backup, sizeof(backup), "%s/backup", f->root);
    snprintf(older, sizeof(older), "%s/older", f->root);

    create_store(f);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
    copy_over(f, path_of(f, "data.mdb"), older);
    assert_int_equal(put_one(f, 2, "a", 1), RFL_OK);
    copy_over(f, path_of(f, "data.mdb"), backup);
    close_store(f);

    assert_int_equal(rename(older, path_of(f, "data.mdb")), 0);

    restore_under_a_reader(f, backup);
    assert_int_equal(has_key(f, 2), RFL_OK);
}


/* Commits, and waits, or dies, when the new meta page can be read. */

static int
child_is_in_a_commit(fixture_t *f, int in, int out)
{
    held_in = in;
    held_out = out;

    return open_store(f, RFL_STORE_WRITE, 64 * MIB) == RFL_OK
           && put_one(f, 7, "a", 1) == RFL_OK ? 0 : 1;
}


static void
hold_at(int in, int out)
{
    char  byte;

    (void) !write(out, "", 1);
    (void) !read(in, &byte, 1);
}


static void
a_commit_on_its_way_keeps_nobody_out(void **state)
{
    int         in, out;
    pid_t       pid;
    fixture_t  *f;

    f = *state;

    create_store(f);
    close_store(f);

    writes = WRITES_META_WAIT;
    pid = start_child(f, child_is_in_a_commit, &in, &out);
    writes = WRITES_PASS;
    wait_byte(in);

    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_OK);
    assert_int_equal(has_key(f, 7), RFL_NOT_FOUND);
    stop_child(pid, in, out);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);
    assert_int_equal(has_key(f, 7), RFL_OK);
}


/* Until somebody waits for the writer's lock LMDB does not show it. */

static void
a_commit_whose_writer_died_is_made_good(void **state)
{
    int         in, out, in_dead, out_dead;
    pid_t       pid, dead;
    fixture_t  *f;

    f = *state;

    create_store(f);
    close_store(f);

    pid = start_child(f, child_reads_and_waits, &in, &out);
    wait_byte(in);

    writes = WRITES_META_LAST;
    dead = start_child(f, child_is_in_a_commit, &in_dead, &out_dead);
    writes = WRITES_PASS;
    stop_child(dead, in_dead, out_dead);

    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_BUSY);
    assert_int_equal(open_store(f, RFL_STORE_WRITE|RFL_STORE_WAIT, 64 * MIB),
                     RFL_OK);
    assert_int_equal(has_key(f, 7), RFL_OK);

    close_store(f);

    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_OK);
    assert_int_equal(has_key(f, 7), RFL_OK);
    stop_child(pid, in, out);
}


static void
an_open_store_makes_good_what_a_dead_writer_left(void **state)
{
    int         in, out;
    pid_t       dead;
    fixture_t  *f;

    f = *state;

    create_store(f);

    writes = WRITES_META_LAST;
    dead = start_child(f, child_is_in_a_commit, &in, &out);
    writes = WRITES_PASS;
    stop_child(dead, in, out);

    assert_int_equal(has_key(f, 7), RFL_NOT_FOUND);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);
    assert_int_equal(has_key(f, 7), RFL_OK);
}


static void
a_newer_format_is_refused_by_its_number(void **state)
{
    u_char      version;
    fixture_t  *f;

    f = *state;

    create_store(f);
    close_store(f);

    version = 2;
    write_at(f, "data.mdb", 20, &version, 1);
    write_at(f, "data.mdb", 4096 + 20, &version, 1);

    assert_int_equal(open_store(f, RFL_STORE_READ, MIB), RFL_BAD_VERSION);
    assert_non_null(strstr(f->err.text, "version 2 of LMDB's format"));
    assert_int_equal(open_store(f, RFL_STORE_CREATE, MIB), RFL_BAD_VERSION);
}


static void
a_damaged_file_is_refused_with_what_to_do(void **state)
{
    u_char      zeros[4096];
    fixture_t  *f;

    f = *state;

    memset(zeros, 0, sizeof(zeros));

    create_store(f);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
    close_store(f);

    write_at(f, "data.mdb", size_of_pages(f) - 4096, zeros, 4096);
    assert_int_equal(open_store(f, RFL_STORE_READ, MIB), RFL_DAMAGED);
    assert_non_null(strstr(f->err.text, "damaged at page"));
    assert_non_null(strstr(f->err.text, "restore it from a backup"));

    write_at(f, "data.mdb", 0, zeros, 4096);
    assert_int_equal(open_store(f, RFL_STORE_READ, MIB), RFL_DAMAGED);
    assert_non_null(strstr(f->err.text, "header is damaged"));
    assert_non_null(strstr(f->err.text, "restore it from a backup"));
}


static void
a_damaged_lock_file_is_refused_while_it_is_in_use(void **state)
{
    int         in, out;
    pid_t       pid;
    u_char      kept[8], noise[8];
    fixture_t  *f;
    int         fd;

    f = *state;

    create_store(f);
    close_store(f);

    pid = start_child(f, child_reads_and_waits, &in, &out);
    wait_byte(in);

    fd = open(path_of(f, "lock.mdb"), O_RDONLY);
    assert_int_equal(read(fd, kept, sizeof(kept)), sizeof(kept));
    close(fd);

    memset(noise, 0xa5, sizeof(noise));
    write_at(f, "lock.mdb", 0, noise, sizeof(noise));

    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_DAMAGED);
    assert_non_null(strstr(f->err.text, "lock.mdb"));

    stop_child(pid, in, out);

    /* the first one to open it makes it new */

    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_OK);
}


/* A page of the file that has these bytes. */

static off_t
page_with(fixture_t *f, const char *text)
{
    int    fd;
    char   page[4096];
    off_t  at, found;

    found = 0;
    fd = open(path_of(f, "data.mdb"), O_RDONLY);
    assert_true(fd >= 0);

    for (at = 2 * 4096; pread(fd, page, 4096, at) == 4096; at += 4096) {
        if (memmem(page, 4096, text, strlen(text)) != NULL) {
            found = at;
        }
    }

    close(fd);
    assert_true(found > 0);

    return found;
}


static void
a_large_file_is_checked_after_a_death_inside(void **state)
{
    char          *data;
    off_t          at;
    u_char         number, wrong;
    fixture_t     *f;
    rfl_canary_t  *canary;

    f = *state;

    data = calloc(1, 33 * MIB);
    assert_non_null(data);

    create_store(f);
    assert_int_equal(put_one(f, 1, data, 33 * MIB), RFL_OK);
    assert_int_equal(put_one(f, 2, "a needle", 8), RFL_OK);
    close_store(f);
    free(data);

    canary = rfl_canary_create();
    assert_non_null(canary);
    rfl_canary_join(canary);

    at = page_with(f, "a needle");
    number = (u_char) (at / 4096);
    wrong = number + 1;

    /* it is not read as a whole as long as nobody died */

    write_at(f, "data.mdb", at, &wrong, 1);
    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_OK);
    close_store(f);

    /* then it is, by the one that makes it; the others wait for that */

    canary->deaths++;
    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_BUSY);
    assert_int_equal(open_store(f, RFL_STORE_CREATE, 64 * MIB), RFL_DAMAGED);
    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_BUSY);

    write_at(f, "data.mdb", at, &number, 1);
    assert_int_equal(open_store(f, RFL_STORE_CREATE, 64 * MIB), RFL_OK);
    close_store(f);

    /* found sound, it is so until the next death */

    write_at(f, "data.mdb", at, &wrong, 1);
    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_OK);
    close_store(f);

    canary->deaths++;
    assert_int_equal(open_store(f, RFL_STORE_READ, 64 * MIB), RFL_BUSY);
    assert_int_equal(open_store(f, RFL_STORE_CREATE, 64 * MIB), RFL_DAMAGED);

    rfl_canary_free(canary);
}


static void
a_death_inside_has_the_others_look_at_a_small_file(void **state)
{
    u_char         wrong;
    fixture_t     *f;
    rfl_canary_t  *canary;

    f = *state;

    canary = rfl_canary_create();
    assert_non_null(canary);
    rfl_canary_join(canary);

    create_store(f);
    assert_int_equal(put_one(f, 2, "a needle", 8), RFL_OK);

    canary->deaths++;
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);

    wrong = 0xa5;
    write_at(f, "data.mdb", page_with(f, "a needle"), &wrong, 1);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);

    canary->deaths++;
    assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);
    assert_int_equal(rfl_store_check_path(f->store), RFL_DAMAGED);
    assert_int_equal(rfl_canary_slot->inside, 0);

    rfl_canary_free(canary);
}


static void
transactions_are_marked_in_the_canary(void **state)
{
    fixture_t     *f;
    rfl_canary_t  *canary;

    f = *state;

    canary = rfl_canary_create();
    assert_non_null(canary);
    rfl_canary_join(canary);
    assert_non_null(rfl_canary_slot);

    create_store(f);
    assert_int_equal(rfl_canary_slot->inside, 0);

    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_canary_slot->inside, 1);
    assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);
    assert_int_equal(rfl_canary_slot->inside, 1);
    rfl_store_end(f->store);
    rfl_store_end(f->store);
    rfl_store_end(f->store);
    assert_int_equal(rfl_canary_slot->inside, 0);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_canary_slot->inside, 1);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);
    assert_int_equal(rfl_canary_slot->inside, 0);

    writes = WRITES_NO_SYNC;
    assert_int_equal(put_one(f, 1, "a", 1), RFL_ERROR);
    assert_int_equal(rfl_canary_slot->inside, 0);
    writes = WRITES_PASS;

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    close_store(f);
    assert_int_equal(rfl_canary_slot->inside, 0);

    snprintf(f->dir, sizeof(f->dir), "%s/none", f->root);
    assert_int_equal(open_store(f, RFL_STORE_READ, MIB), RFL_NOT_FOUND);
    assert_int_equal(rfl_canary_slot->inside, 0);

    rfl_canary_free(canary);
    assert_null(rfl_canary_slot);
}


/* Pages taken and given back in one transaction, at the end of the file. */

static void
leave_a_loose_tail(fixture_t *f)
{
    char      *big;
    unsigned   i;

    /* freed pages, so that what the commit itself needs is not at the end */

    for (i = 0; i < 10; i++) {
        assert_int_equal(put_one(f, 1002 + i, "a", 1), RFL_OK);
    }

    big = calloc(1, MIB);
    assert_non_null(big);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 1000, rfl_str(big, MIB),
                                       0, &f->err), RFL_OK);
    assert_int_equal(rfl_store_del_u64(f->store, U64, 1000, &f->err), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 1001, rfl_cstr("a"), 0,
                                       &f->err), RFL_OK);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);

    free(big);
}


static void
a_commit_leaves_no_file_shorter_than_its_pages(void **state)
{
    fixture_t    *f;
    struct stat   st;

    f = *state;

    create_store(f);
    leave_a_loose_tail(f);
    assert_int_equal(rfl_store_check_path(f->store), RFL_OK);
    close_store(f);

    assert_int_equal(stat(path_of(f, "data.mdb"), &st), 0);
    assert_true(st.st_size > (off_t) MIB);
    assert_true(st.st_size >= size_of_pages(f));
}


/* As a writer leaves it that was killed right behind its commit. */

static void
a_short_file_opens_as_long_as_no_page_in_use_is_missing(void **state)
{
    char           data[3000];
    off_t          size;
    rfl_rc_t       rc;
    unsigned       i, cut;
    fixture_t     *f;
    rfl_str_t      value;
    struct stat    st;

    f = *state;

    memset(data, 'x', sizeof(data));

    create_store(f);

    for (i = 0; i < 50; i++) {
        assert_int_equal(put_one(f, i, data, i * sizeof(data) / 50), RFL_OK);
    }

    leave_a_loose_tail(f);
    close_store(f);

    assert_int_equal(stat(path_of(f, "data.mdb"), &st), 0);

    cut = 0;

    for (size = st.st_size - 4096; /* void */ ; size -= 4096) {

        assert_int_equal(truncate(path_of(f, "data.mdb"), size), 0);
        assert_true(size < size_of_pages(f));

        rc = open_store(f, RFL_STORE_READ, 64 * MIB);
        if (rc != RFL_OK) {
            break;
        }

        cut++;

        assert_int_equal(rfl_store_begin(f->store, 0, &f->err), RFL_OK);

        for (i = 0; i < 50; i++) {
            assert_int_equal(rfl_store_get_u64(f->store, U64, i, &value),
                             RFL_OK);
            assert_int_equal(value.len, i * sizeof(data) / 50);
            assert_memory_equal(value.data, data, value.len);
        }

        assert_int_equal(rfl_store_check_path(f->store), RFL_OK);
        close_store(f);
    }

    assert_in_range(cut, 250, 300);      /* 1 MiB has 256 pages */
    assert_int_equal(rc, RFL_DAMAGED);
}


static void
a_commit_makes_a_short_file_long_again(void **state)
{
    fixture_t    *f;
    struct stat   st;

    f = *state;

    create_store(f);
    leave_a_loose_tail(f);
    close_store(f);

    assert_int_equal(stat(path_of(f, "data.mdb"), &st), 0);
    assert_int_equal(truncate(f->file, st.st_size - 100 * 4096), 0);

    assert_int_equal(open_store(f, RFL_STORE_WRITE, 64 * MIB), RFL_OK);
    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
    close_store(f);

    assert_int_equal(stat(path_of(f, "data.mdb"), &st), 0);
    assert_true(st.st_size >= size_of_pages(f));
}


static void
random_transactions_leave_a_store_that_opens(void **state)
{
    char        data[9000];
    unsigned    i, j, n;
    uint64_t    random, key;
    rfl_rc_t    rc;
    fixture_t  *f;

    f = *state;

    memset(data, 'x', sizeof(data));
    random = 88172645463325252u;

    create_store(f);

    for (i = 0; i < 300; i++) {

        assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);

        for (j = 0; j < 30; j++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;

            key = random % 60;
            n = (random >> 20) % sizeof(data);

            if (random >> 60 < 7) {
                rc = rfl_store_put_u64(f->store, U64, key, rfl_str(data, n), 0,
                                       &f->err);
                assert_int_equal(rc, RFL_OK);

            } else {
                rc = rfl_store_del_u64(f->store, U64, key, &f->err);
                assert_true(rc == RFL_OK || rc == RFL_NOT_FOUND);
            }
        }

        assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);
        assert_int_equal(rfl_store_check_path(f->store), RFL_OK);

        close_store(f);
        assert_int_equal(open_store(f, RFL_STORE_WRITE, 64 * MIB), RFL_OK);
    }
}


static void
used_bytes_leave_out_what_was_freed(void **state)
{
    char              *data;
    fixture_t         *f;
    rfl_store_stat_t   before, full, after;

    f = *state;

    data = calloc(1, MIB);
    assert_non_null(data);

    create_store(f);
    rfl_store_stat(f->store, &before);
    assert_int_equal(before.map_size, 64 * MIB);

    assert_int_equal(put_one(f, 1, data, MIB), RFL_OK);
    rfl_store_stat(f->store, &full);
    assert_true(full.used_bytes >= before.used_bytes + MIB);

    assert_int_equal(rfl_store_begin(f->store, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_del_u64(f->store, U64, 1, &f->err), RFL_OK);
    assert_int_equal(rfl_store_commit(f->store, &f->err), RFL_OK);

    rfl_store_stat(f->store, &after);
    assert_true(after.used_bytes < before.used_bytes + MIB / 4);

    free(data);
}


/*
 * A PID namespace of its own, as a container has, and in it a process of a
 * chosen id.  Returns in that process, with its wait status in the others:
 * they are to _exit() with it.  *in_it is 0 in those, and -1 where this is not
 * allowed.
 */

static int
enter_pid_namespace(pid_t id, int *in_it)
{
    int    status;
    pid_t  pid;

    *in_it = -1;

    if (unshare(CLONE_NEWPID) != 0) {
        return 0;
    }

    pid = fork();

    if (pid == 0) {
        if (next_pid(id) != 0) {
            return 0;
        }

        pid = fork();

        if (pid == 0) {
            *in_it = 1;
            return 0;
        }
    }

    *in_it = 0;
    status = 0;

    if (pid == -1 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        return 99;
    }

    return WEXITSTATUS(status);
}


/* The id of the next process or thread in this PID namespace. */

static int
next_pid(pid_t id)
{
    int   fd, n, rc;
    char  text[16];

    fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY|O_CLOEXEC);
    if (fd == -1) {
        return -1;
    }

    n = snprintf(text, sizeof(text), "%d", (int) id - 1);
    rc = write(fd, text, (size_t) n) == n ? 0 : -1;

    close(fd);

    return rc;
}


static int
child_of_the_same_process_id(fixture_t *f, int in, int out)
{
    int  in_it, status;

    status = enter_pid_namespace(getppid(), &in_it);

    if (in_it != 1) {
        return in_it == 0 ? status : write(out, "-", 1) == 1 ? 0 : 1;
    }

    if (write(out, "+", 1) != 1 || read(in, f->file, 1) != 1) {
        return 2;
    }

    if (open_store(f, RFL_STORE_READ, MIB) != RFL_BUSY
        || strstr(f->err.text, "PID namespace") == NULL)
    {
        return 3;
    }

    if (write(out, "+", 1) != 1 || read(in, f->file, 1) != 1) {
        return 4;
    }

    return open_store(f, RFL_STORE_READ, MIB) == RFL_OK ? 0 : 5;
}


/* LMDB knows whose a reader's place is by the process id. */

static void
a_process_of_the_same_id_elsewhere_is_refused(void **state)
{
    int         in, out;
    pid_t       pid;
    fixture_t  *f;

    f = *state;

    pid = start_child(f, child_of_the_same_process_id, &in, &out);

    if (!may_have_namespaces(pid, in, out)) {
        skip();
    }

    create_store(f);
    send_byte(out);
    wait_byte(in);
    close_store(f);
    send_byte(out);

    stop_child(pid, in, out);
}


static int
may_have_namespaces(pid_t pid, int in, int out)
{
    char  c;

    c = '!';
    (void) !read(in, &c, 1);

    if (c == '-') {
        stop_child(pid, in, out);
        print_message("not allowed to make a PID namespace\n");
        return 0;
    }

    assert_int_equal(c, '+');

    return 1;
}


static int
child_with_a_thread_of_the_same_id(fixture_t *f, int in, int out)
{
    int         in_it, status;
    void       *failed;
    pid_t       parent;
    writer_t    writer;
    pthread_t   thread;

    parent = getppid();

    status = enter_pid_namespace(100, &in_it);

    if (in_it != 1) {
        return in_it == 0 ? status : write(out, "-", 1) == 1 ? 0 : 1;
    }

    if (write(out, "+", 1) != 1 || read(in, f->file, 1) != 1) {
        return 2;
    }

    if (open_store(f, RFL_STORE_WRITE, MIB) != RFL_OK) {
        return 3;
    }

    writer.fixture = f;
    writer.in = in;
    writer.out = out;
    writer.id = parent;

    if (next_pid(parent) != 0
        || pthread_create(&thread, NULL, thread_that_writes, &writer) != 0
        || pthread_join(thread, &failed) != 0)
    {
        return 4;
    }

    return failed != NULL ? 5 : 0;
}


static void *
thread_that_writes(void *data)
{
    char        c;
    fixture_t  *f;
    writer_t   *writer = data;

    f = writer->fixture;

    if ((pid_t) syscall(SYS_gettid) != writer->id
        || rfl_store_begin(f->store, 1, &f->err) != RFL_OK
        || write(writer->out, "+", 1) != 1 || read(writer->in, &c, 1) != 1)
    {
        return data;
    }

    return rfl_store_commit(f->store, &f->err) == RFL_OK ? NULL : data;
}


/* Killed while it waited, it would take the mutex from who holds it. */

static void
a_writer_of_the_same_thread_id_elsewhere_is_not_waited_for(void **state)
{
    int         in, out;
    pid_t       pid;
    fixture_t  *f;

    f = *state;

    pid = start_child(f, child_with_a_thread_of_the_same_id, &in, &out);

    if (!may_have_namespaces(pid, in, out)) {
        skip();
    }

    create_store(f);
    send_byte(out);
    wait_byte(in);

    assert_int_equal(rfl_store_reader_check(f->store), 0);

    (void) alarm(60);                    /* or it would wait for ever */
    assert_int_equal(put_one(f, 1, "a", 1), RFL_BUSY);
    (void) alarm(0);

    assert_non_null(strstr(f->err.text, "PID namespace"));
    assert_int_equal(has_key(f, 1), RFL_NOT_FOUND);

    send_byte(out);
    stop_child(pid, in, out);

    assert_int_equal(put_one(f, 1, "a", 1), RFL_OK);
    assert_int_equal(put_one(f, 2, "a", 1), RFL_OK);
}


/* splitmix64 (Steele, Lea, Flood 2014). */

static uint64_t
random_number(void)
{
    uint64_t  z;

    z = random_seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;

    return z ^ (z >> 31);
}


/*
 * Reading finds integer keys by itself: after each of many random commits it
 * must find what LMDB finds, of each key near the last one and far from it, and
 * the same bytes.
 */

static void
integer_keys_are_found_as_lmdb_finds_them(void **state)
{
    fixture_t  *f = *state;
    size_t      i, round;
    u_char      bytes[64], *large;
    unsigned    near;
    uint64_t    key, mask;
    rfl_rc_t    rc, wanted;
    rfl_str_t   value, found;

    create_store(f);

    random_seed = 1;
    memset(bytes, 'x', sizeof(bytes));

    for (round = 0; round < 60; round++) {

        /* few keys at first, then dense ones, then hashes */

        mask = round < 10 ? 7 : round < 30 ? 0xffff : UINT64_MAX;

        assert_int_equal(rfl_store_begin(f->store, 1, NULL), RFL_OK);

        for (i = 0; i < (round < 10 ? 2 : 3000); i++) {
            key = random_number() & mask;

            if (random_number() % 4 == 0) {
                (void) rfl_store_del_u64(f->store, U64, key, NULL);
                continue;
            }

            memcpy(bytes, &key, sizeof(key));
            rc = rfl_store_put_u64(f->store, U64, key,
                                   rfl_str(bytes, 8 + key % 50), 0, NULL);
            assert_int_equal(rc, RFL_OK);
        }

        /* what is being written is found, too */

        assert_int_equal(rfl_store_get_u64(f->store, U64, key, &value),
                         rfl_store_get(f->store, U64, rfl_str(&key, 8),
                                       &found));

        assert_int_equal(rfl_store_commit(f->store, NULL), RFL_OK);
        assert_int_equal(rfl_store_begin(f->store, 0, NULL), RFL_OK);

        random_seed = round + 1;

        for (i = 0; i < 5000; i++) {
            near = random_number() % 4 != 0;
            key = near ? key + (random_number() & mask >> random_number() % 64)
                           - (random_number() & mask >> random_number() % 64)
                       : random_number() & mask;

            wanted = rfl_store_get(f->store, U64, rfl_str(&key, 8), &found);
            rc = rfl_store_get_u64(f->store, U64, key, &value);

            assert_int_equal(rc, wanted);
            assert_true(rc != RFL_OK || (value.data == found.data
                                         && value.len == found.len));
        }

        rfl_store_end(f->store);
    }

    /* the ends, and a value too large for a page */

    key = 5;
    assert_int_equal(rfl_store_begin(f->store, 1, NULL), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 0, rfl_str("a", 1), 0,
                                       NULL), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, UINT64_MAX,
                                       rfl_str("z", 1), 0, NULL), RFL_OK);
    assert_int_equal(rfl_store_put_u64(f->store, U64, key,
                                       rfl_str(f, sizeof(fixture_t)), 0,
                                       NULL), RFL_OK);

    large = calloc(1, MIB);
    assert_non_null(large);
    assert_int_equal(rfl_store_put_u64(f->store, U64, 6, rfl_str(large, MIB),
                                       0, NULL), RFL_OK);
    free(large);
    assert_int_equal(rfl_store_commit(f->store, NULL), RFL_OK);

    assert_int_equal(rfl_store_begin(f->store, 0, NULL), RFL_OK);
    assert_int_equal(rfl_store_get_u64(f->store, U64, 0, &value), RFL_OK);
    assert_int_equal(value.data[0], 'a');
    assert_int_equal(rfl_store_get_u64(f->store, U64, UINT64_MAX, &value),
                     RFL_OK);
    assert_int_equal(value.data[0], 'z');
    assert_int_equal(rfl_store_get_u64(f->store, U64, 6, &value), RFL_OK);
    assert_int_equal(value.len, MIB);
    rfl_store_end(f->store);
}


/* What LMDB says of each of them, one by one, in a table and its places. */

static void
many_are_as_each_of_them(fixture_t *f, unsigned dbi, const uint64_t *keys,
    size_t n)
{
    size_t             i;
    uint32_t           small;
    rfl_rc_t           rc;
    uint64_t           key, at;
    rfl_str_t          text, value, found, values[RFL_PAGES_MANY];
    rfl_cursor_t      *cursor;
    rfl_pages_place_t  places[RFL_PAGES_MANY];

    assert_int_equal(rfl_store_get_many(f->store, dbi, keys, n, values),
                     RFL_OK);
    rfl_store_places(f->store, dbi, keys, n, places);

    assert_int_equal(rfl_cursor_open(f->store, dbi, &cursor), RFL_OK);

    for (i = 0; i < n; i++) {
        small = (uint32_t) keys[i];
        text = dbi == U32 ? rfl_str(&small, 4) : rfl_str(&keys[i], 8);

        rc = rfl_store_get(f->store, dbi, text, &value);
        assert_int_equal(rc, values[i].data != NULL ? RFL_OK : RFL_NOT_FOUND);

        if (rc == RFL_OK) {
            assert_ptr_equal(value.data, values[i].data);
            assert_int_equal(value.len, values[i].len);
        }

        if (places[i].leaf == NULL) {
            continue;
        }

        rc = rfl_cursor_seek(cursor, text, &found, &value);

        if (places[i].at == places[i].n) {

            /* behind the leaf, whose keys are less than high */

            key = places[i].high;

            if (rc == RFL_OK) {
                at = 0;
                memcpy(&at, found.data, found.len);
                assert_true(at >= key);
            }

            continue;
        }

        assert_int_equal(rc, RFL_OK);
        assert_int_not_equal(rfl_pages_at(&places[i], &key, &value),
                             RFL_NOT_FOUND);

        at = 0;
        memcpy(&at, found.data, found.len);
        assert_true(at == key);
    }

    rfl_cursor_close(cursor);
}


static void
many_keys_are_found_as_lmdb_finds_them(void **state)
{
    size_t      i, k, n, round;
    u_char      bytes[512];
    uint64_t    key, mask, keys[RFL_PAGES_MANY];
    fixture_t  *f = *state;

    create_store(f);

    random_seed = 3;
    memset(bytes, 'x', sizeof(bytes));

    keys[0] = 0;
    keys[1] = UINT64_MAX;

    assert_int_equal(rfl_store_begin(f->store, 0, NULL), RFL_OK);
    many_are_as_each_of_them(f, U64, keys, 2);           /* of none */
    rfl_store_end(f->store);

    for (round = 0; round < 40; round++) {

        /* few keys, dense ones, which ids are, and hashes */

        mask = round < 5 ? 7 : round < 25 ? 0x7fff : UINT64_MAX;

        assert_int_equal(rfl_store_begin(f->store, 1, NULL), RFL_OK);

        for (i = 0; i < (round < 5 ? 2 : 3000); i++) {
            key = random_number() & mask;

            if (random_number() % 4 == 0) {
                (void) rfl_store_del_u64(f->store, U64, key, NULL);
                (void) rfl_store_del_u32(f->store, U32, (uint32_t) key, NULL);
                continue;
            }

            n = 1 + key % (key % 64 == 0 ? sizeof(bytes) : 50);

            assert_int_equal(rfl_store_put_u64(f->store, U64, key,
                                               rfl_str(bytes, n), 0, NULL),
                             RFL_OK);
            assert_int_equal(rfl_store_put_u32(f->store, U32, (uint32_t) key,
                                               rfl_str(bytes, n), 0, NULL),
                             RFL_OK);
        }

        /* what is being written is found, too */

        many_are_as_each_of_them(f, U64, keys, 2);

        assert_int_equal(rfl_store_commit(f->store, NULL), RFL_OK);
        assert_int_equal(rfl_store_begin(f->store, 0, NULL), RFL_OK);

        random_seed = round + 1;

        for (i = 0; i < 200; i++) {
            n = 1 + random_number() % RFL_PAGES_MANY;

            for (k = 0; k < n; k++) {
                keys[k] = random_number() & mask;
                keys[k] += k % 3 == 0 ? random_number() % 3 - 1 : 0;
            }

            many_are_as_each_of_them(f, U64, keys, n);

            for (k = 0; k < n; k++) {
                keys[k] &= UINT32_MAX;
            }

            many_are_as_each_of_them(f, U32, keys, n);
        }

        rfl_store_end(f->store);
    }

    /* the ends, and values too large for a page */

    keys[0] = 0;
    keys[1] = UINT32_MAX;
    keys[2] = 5;

    assert_int_equal(rfl_store_begin(f->store, 1, NULL), RFL_OK);

    for (i = 0; i < 3; i++) {
        assert_int_equal(rfl_store_put_u32(f->store, U32, (uint32_t) keys[i],
                                           rfl_str(large_value, i == 2
                                                   ? sizeof(large_value) : 1),
                                           0, NULL), RFL_OK);
    }

    assert_int_equal(rfl_store_commit(f->store, NULL), RFL_OK);
    assert_int_equal(rfl_store_begin(f->store, 0, NULL), RFL_OK);
    many_are_as_each_of_them(f, U32, keys, 3);
    rfl_store_end(f->store);
}


/* A transaction that begins now reads it, or, during a commit, one older. */

static void
the_newest_snapshot_is_known_without_a_transaction(void **state)
{
    fixture_t  *f = *state;
    uint64_t    i, id;

    create_store(f);

    for (i = 0; i < 10; i++) {
        assert_int_equal(rfl_store_begin(f->store, 1, NULL), RFL_OK);
        assert_int_equal(rfl_store_put_u64(f->store, U64, i, rfl_str("x", 1),
                                           0, NULL), RFL_OK);
        id = rfl_store_txn_id(f->store);
        assert_int_equal(rfl_store_newest(f->store), id - 1);
        assert_int_equal(rfl_store_commit(f->store, NULL), RFL_OK);
        assert_int_equal(rfl_store_newest(f->store), id);

        assert_int_equal(rfl_store_begin(f->store, 0, NULL), RFL_OK);
        assert_int_equal(rfl_store_txn_id(f->store), id);
        rfl_store_end(f->store);
    }
}


/* What a branch page says of its second child is that much too high. */

static void
raise_separators(fixture_t *f, uint32_t by)
{
    off_t     at, node;
    u_char    page[4096];
    ssize_t   n;
    int       fd, raised;
    uint16_t  flags, pointer;
    uint32_t  key;

    fd = open(path_of(f, "data.mdb"), O_RDONLY);
    assert_true(fd >= 0);

    for (at = 2 * 4096, raised = 0; ; at += 4096) {
        n = pread(fd, page, sizeof(page), at);

        if (n != sizeof(page)) {
            break;
        }

        memcpy(&flags, page + 10, sizeof(flags));

        if (flags != 0x01) {
            continue;
        }

        memcpy(&pointer, page + 16 + 2, sizeof(pointer));
        node = at + pointer;
        memcpy(&key, page + pointer + 8, sizeof(key));
        key += by;

        write_at(f, "data.mdb", node + 8, &key, sizeof(key));
        raised++;
    }

    close(fd);
    assert_true(raised >= 2);
}


static void
the_next_key_is_never_a_lesser_one(void **state)
{
    char        value[100];
    uint32_t    i, damaged[2];
    uint64_t    key, long_key;
    rfl_rc_t    rc, long_rc;
    unsigned    turn;
    fixture_t  *f = *state;

    create_store(f);
    memset(value, 'v', sizeof(value));

    assert_int_equal(rfl_store_begin(f->store, 1, NULL), RFL_OK);

    for (i = 10; i < 1000; i++) {
        assert_int_equal(rfl_store_put_u32(f->store, U32, 3 * i,
                                           rfl_str(value, sizeof(value)), 0,
                                           NULL), RFL_OK);
        assert_int_equal(rfl_store_put_u64(f->store, U64, 3 * i,
                                           rfl_str(value, sizeof(value)), 0,
                                           NULL), RFL_OK);
    }

    assert_int_equal(rfl_store_commit(f->store, NULL), RFL_OK);

    for (turn = 0; turn < 2; turn++) {
        memset(damaged, 0, sizeof(damaged));

        assert_int_equal(rfl_store_begin(f->store, 0, NULL), RFL_OK);

        for (i = 0; i < 3010; i++) {
            key = i;
            rc = rfl_store_next(f->store, U32, &key);

            long_key = i;
            long_rc = rfl_store_next(f->store, U64, &long_key);

            damaged[0] += (rc == RFL_DAMAGED);
            damaged[1] += (long_rc == RFL_DAMAGED);

            if (turn == 0) {
                assert_int_equal(rc, i <= 2997 ? RFL_OK : RFL_NOT_FOUND);
                assert_int_equal(long_rc, rc);
            }

            if (rc == RFL_OK) {
                assert_int_equal(key, i < 30 ? 30 : (i + 2) / 3 * 3);
            }

            if (long_rc == RFL_OK) {
                assert_int_equal(long_key, i < 30 ? 30 : (i + 2) / 3 * 3);
            }
        }

        rfl_store_end(f->store);

        assert_int_equal(damaged[0] != 0, turn);
        assert_int_equal(damaged[1] != 0, turn);

        raise_separators(f, 30);
    }

    close_store(f);
}


#define test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(directories_are_0700_and_files_0600),
        test(what_is_not_there_is_not_found),
        test(an_empty_data_file_is_not_found_until_a_creator_fills_it),
        test(a_table_not_made_yet_is_not_found),
        test(a_table_that_comes_later_is_empty_until_a_creator_makes_it),
        test(a_table_of_another_key_kind_is_refused),
        test(tables_are_limited),
        test(stores_on_one_directory_share_its_environment),
        test(a_directory_open_for_reading_is_not_written),
        test(a_file_that_is_no_store_is_damaged),
        test(a_truncated_file_is_refused_before_it_is_read),
        test(file_systems_without_reliable_locks_are_refused),
        test(a_reader_that_cannot_lock_is_refused),
        test(a_writer_that_may_not_write_is_told_whose_file_it_is),
        test(a_read_only_file_system_is_named),
        test(values_come_back_by_all_kinds_of_keys),
        test(integer_keys_are_found_as_lmdb_finds_them),
        test(many_keys_are_found_as_lmdb_finds_them),
        test(the_newest_snapshot_is_known_without_a_transaction),
        test(put_flags_protect_and_append),
        test(keys_are_limited),
        test(cursors_walk_in_key_order),
        test(the_next_key_is_never_a_lesser_one),
        test(reads_nest_and_writes_do_not),
        test(an_ended_write_leaves_nothing),
        test(writes_need_a_write_transaction),
        test(a_transaction_id_names_a_snapshot),
        test(a_reader_keeps_its_snapshot_and_then_sees_the_commit),
        test(a_snapshot_that_was_overtaken_is_begun_anew),
        test(a_map_enlarged_by_another_process_is_remapped),
        test(a_full_map_is_reported_and_recoverable),
        test(a_full_map_fails_the_whole_transaction),
        test(a_full_disk_fails_the_commit_and_nothing_of_it_stands),
        test(a_failed_sync_fails_the_commit_and_nothing_of_it_stands),
        test(a_meta_page_that_cannot_be_written_asks_for_opening_again),
        test(a_full_reader_table_is_reported_and_recovers),
        test(a_writer_killed_in_its_transaction_leaves_nothing),
        test(a_process_of_the_same_id_elsewhere_is_refused),
        test(a_writer_of_the_same_thread_id_elsewhere_is_not_waited_for),
        test(dead_readers_are_cleared),
        test(a_store_inherited_over_fork_does_not_block_the_child),
        test(a_replaced_or_missing_file_is_noticed),
        test(a_file_truncated_while_open_is_noticed),
        test(a_header_overwritten_while_open_is_noticed),
        test(another_file_copied_over_it_while_open_is_noticed),
        test(a_restored_file_waits_until_nobody_has_the_old_one),
        test(a_restored_file_that_is_one_commit_ahead_waits_as_well),
        test(a_commit_on_its_way_keeps_nobody_out),
        test(a_commit_whose_writer_died_is_made_good),
        test(an_open_store_makes_good_what_a_dead_writer_left),
        test(a_newer_format_is_refused_by_its_number),
        test(a_damaged_file_is_refused_with_what_to_do),
        test(a_damaged_lock_file_is_refused_while_it_is_in_use),
        test(a_large_file_is_checked_after_a_death_inside),
        test(a_death_inside_has_the_others_look_at_a_small_file),
        test(transactions_are_marked_in_the_canary),
        test(a_commit_leaves_no_file_shorter_than_its_pages),
        test(a_short_file_opens_as_long_as_no_page_in_use_is_missing),
        test(a_commit_makes_a_short_file_long_again),
        test(random_transactions_leave_a_store_that_opens),
        test(used_bytes_leave_out_what_was_freed),
        test(what_is_spilled_leaves_memory_and_is_committed),
        test(what_is_spilled_and_not_committed_never_was)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
