/*
 * Faults for a process that knows nothing of them: preloaded, this stands
 * between the program and libc's writes and syncs, and between it and LMDB's
 * puts and commits, of files named data.mdb alone.
 *
 * The rules are in a small file that REFERRAL_FAULTS names; it is mapped
 * before main() runs, and shared by all that is forked from there.  A test
 * writes rules into it and reads how often they held.  A file is a table of
 * RFL_FAULTS rules of 16 64-bit numbers in the machine's own order:
 *
 *     0  armed      0: the rule is not looked at; written last
 *     1  calls      bits of rfl_fault_call_t
 *     2  who        a pid, 0: any process, RFL_FAULT_KEEPER: cache managers
 *     3  where      0: any, 1: the registry, 2: the ledger
 *     4  skip       calls that pass before it holds
 *     5  times      calls it holds for; 0: all that come
 *     6  delay      milliseconds to wait
 *     7  error      errno to fail with; 0: none
 *     8  kill       1: kill -9 of the process
 *     9  after      1: act when the call is done, else before it
 *     10 seen       calls that matched
 *     11 done       calls that were acted upon
 *
 * A call that fails has done nothing, or with "after" all, as a disk may.  A
 * write to a file opened with O_DSYNC, which is how LMDB writes its meta page,
 * is a call of its own.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


#define RFL_FAULTS        8

#define RFL_FAULT_KEEPER  (-1)
#define RFL_FAULT_TITLE   "nginx: cache manager process"
#define RFL_FAULT_WORKER  "nginx: worker process"


typedef enum {
    RFL_FAULT_PUT = 1,
    RFL_FAULT_COMMIT = 2,
    RFL_FAULT_WRITE = 4,
    RFL_FAULT_META = 8,                  /* a write with O_DSYNC */
    RFL_FAULT_SYNC = 16
} rfl_fault_call_t;


typedef struct {
    int64_t  armed;
    int64_t  calls;
    int64_t  who;
    int64_t  where;
    int64_t  skip;
    int64_t  times;
    int64_t  delay;
    int64_t  error;
    int64_t  kill;
    int64_t  after;
    int64_t  seen;
    int64_t  done;
    int64_t  spare[4];
} rfl_fault_t;

_Static_assert(sizeof(rfl_fault_t) == 128, "tests write it byte by byte");


/* The functions this stands in front of. */

typedef struct {
    int      (*fsync)(int fd);
    int      (*fdatasync)(int fd);
    ssize_t  (*write)(int fd, const void *data, size_t size);
    ssize_t  (*pwrite)(int fd, const void *data, size_t size, off_t at);
    ssize_t  (*writev)(int fd, const struct iovec *iov, int count);
    ssize_t  (*pwritev)(int fd, const struct iovec *iov, int count, off_t at);
    int      (*commit)(MDB_txn *txn);
    int      (*put)(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data,
                    unsigned flags);
    int      (*cursor_put)(MDB_cursor *cursor, MDB_val *key, MDB_val *data,
                           unsigned flags);
} rfl_fault_next_t;


/* What is to be done about one call: bit i is for rule i. */

typedef struct {
    unsigned  before;
    unsigned  after;
} rfl_fault_hits_t;


static void rfl_faults_map(void) __attribute__((constructor));

static int rfl_faults_armed(void);
static rfl_fault_hits_t rfl_faults_on_fd(int fd, rfl_fault_call_t call);
static rfl_fault_hits_t rfl_faults_on_txn(MDB_txn *txn,
    rfl_fault_call_t call);
static rfl_fault_hits_t rfl_faults_match(rfl_fault_call_t call,
    const char *path);
static int rfl_fault_is_meant(const rfl_fault_t *f, rfl_fault_call_t call,
    const char *path);
static int rfl_fault_is_due(rfl_fault_t *f);
static int rfl_faults_is_keeper(void);
static int rfl_faults_act(unsigned rules);
static int rfl_faults_fail(unsigned rules);
static void rfl_faults_find(void);
static const rfl_fault_next_t *rfl_faults_next(void);


static rfl_fault_t      *rfl_faults;
static rfl_fault_next_t  rfl_next;

static __thread int      rfl_faults_inside;


static void
rfl_faults_map(void)
{
    int          fd;
    void        *p;
    const char  *path;

    path = getenv("REFERRAL_FAULTS");
    if (path == NULL) {
        return;
    }

    fd = open(path, O_RDWR|O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, RFL_FAULTS * sizeof(rfl_fault_t), PROT_READ|PROT_WRITE,
             MAP_SHARED, fd, 0);

    (void) close(fd);

    if (p != MAP_FAILED) {
        rfl_faults = p;
    }
}


/* Writes to clients come this way as well: they are to cost nothing. */

static int
rfl_faults_armed(void)
{
    unsigned  i;

    if (rfl_faults == NULL) {
        return 0;
    }

    for (i = 0; i < RFL_FAULTS; i++) {
        if (__atomic_load_n(&rfl_faults[i].armed, __ATOMIC_ACQUIRE)) {
            return 1;
        }
    }

    return 0;
}


static rfl_fault_hits_t
rfl_faults_on_fd(int fd, rfl_fault_call_t call)
{
    int               flags, saved;
    char              link[64], path[4096];
    ssize_t           n;
    struct stat       st;
    rfl_fault_hits_t  hits;

    hits.before = 0;
    hits.after = 0;

    if (!rfl_faults_armed()) {
        return hits;
    }

    saved = errno;

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        errno = saved;
        return hits;
    }

    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);

    if (n > 0) {
        path[n] = '\0';

        flags = fcntl(fd, F_GETFL);

        if (call == RFL_FAULT_WRITE && (flags & O_DSYNC)) {
            call = RFL_FAULT_META;
        }

        hits = rfl_faults_match(call, path);
    }

    errno = saved;

    return hits;
}


static rfl_fault_hits_t
rfl_faults_on_txn(MDB_txn *txn, rfl_fault_call_t call)
{
    char              path[4096];
    const char       *dir;
    rfl_fault_hits_t  hits;

    hits.before = 0;
    hits.after = 0;

    if (!rfl_faults_armed() || mdb_env_get_path(mdb_txn_env(txn), &dir) != 0) {
        return hits;
    }

    (void) snprintf(path, sizeof(path), "%s/data.mdb", dir);

    return rfl_faults_match(call, path);
}


static rfl_fault_hits_t
rfl_faults_match(rfl_fault_call_t call, const char *path)
{
    unsigned          i;
    rfl_fault_t      *f;
    rfl_fault_hits_t  hits;

    hits.before = 0;
    hits.after = 0;

    for (i = 0; i < RFL_FAULTS; i++) {
        f = &rfl_faults[i];

        if (!__atomic_load_n(&f->armed, __ATOMIC_ACQUIRE)
            || !rfl_fault_is_meant(f, call, path)
            || !rfl_fault_is_due(f))
        {
            continue;
        }

        if (f->after) {
            hits.after |= 1u << i;

        } else {
            hits.before |= 1u << i;
        }
    }

    return hits;
}


static int
rfl_fault_is_meant(const rfl_fault_t *f, rfl_fault_call_t call,
    const char *path)
{
    if (!(f->calls & call)) {
        return 0;
    }

    if (strstr(path, f->where == 1 ? "/registry/data.mdb"
                     : f->where == 2 ? "/ledger/data.mdb"
                     : "/data.mdb")
        == NULL)
    {
        return 0;
    }

    return f->who == 0 || f->who == getpid()
           || (f->who == RFL_FAULT_KEEPER && rfl_faults_is_keeper());
}


static int
rfl_fault_is_due(rfl_fault_t *f)
{
    int64_t  n;

    n = __atomic_fetch_add(&f->seen, 1, __ATOMIC_RELAXED);

    return n >= f->skip && (f->times == 0 || n < f->skip + f->times);
}


/* A process takes its title some time after the fork, and keeps it then. */

static int
rfl_faults_is_keeper(void)
{
    static pid_t  keeper, worker;

    int           fd;
    char          title[128];
    ssize_t       n;

    if (keeper == getpid() || worker == getpid()) {
        return keeper == getpid();
    }

    fd = open("/proc/self/cmdline", O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return 0;
    }

    n = read(fd, title, sizeof(title) - 1);
    (void) close(fd);

    title[n > 0 ? n : 0] = '\0';

    if (strncmp(title, RFL_FAULT_TITLE, strlen(RFL_FAULT_TITLE)) == 0) {
        keeper = getpid();

    } else if (strncmp(title, RFL_FAULT_WORKER, strlen(RFL_FAULT_WORKER))
               == 0)
    {
        worker = getpid();
    }

    return keeper == getpid();
}


/* Returns the errno the call is to fail with, or 0. */

static int
rfl_faults_act(unsigned rules)
{
    int              error, saved;
    unsigned         i;
    rfl_fault_t     *f;
    struct timespec  wait;

    error = 0;
    saved = errno;

    for (i = 0; i < RFL_FAULTS; i++) {

        if (!(rules & (1u << i))) {
            continue;
        }

        f = &rfl_faults[i];

        (void) __atomic_fetch_add(&f->done, 1, __ATOMIC_RELAXED);

        if (f->delay != 0) {
            wait.tv_sec = f->delay / 1000;
            wait.tv_nsec = f->delay % 1000 * 1000000;

            while (nanosleep(&wait, &wait) == -1 && errno == EINTR) {
                /* the whole of it */
            }
        }

        if (f->kill) {
            (void) kill(getpid(), SIGKILL);
            (void) pause();
        }

        if (f->error != 0) {
            error = (int) f->error;
        }
    }

    errno = saved;

    return error;
}


/* LMDB is among the libraries of this one: it is there before the module. */

static void
rfl_faults_find(void)
{
    size_t  i;

    static const struct {
        const char   *name;
        void        **address;
    } functions[] = {
        { "fsync",          (void **) &rfl_next.fsync },
        { "fdatasync",      (void **) &rfl_next.fdatasync },
        { "write",          (void **) &rfl_next.write },
        { "pwrite",         (void **) &rfl_next.pwrite },
        { "writev",         (void **) &rfl_next.writev },
        { "pwritev",        (void **) &rfl_next.pwritev },
        { "mdb_txn_commit", (void **) &rfl_next.commit },
        { "mdb_put",        (void **) &rfl_next.put },
        { "mdb_cursor_put", (void **) &rfl_next.cursor_put }
    };

    for (i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        *functions[i].address = dlsym(RTLD_NEXT, functions[i].name);

        if (*functions[i].address == NULL) {
            abort();
        }
    }
}


/* Others of the libraries may write before our turn to begin comes. */

static const rfl_fault_next_t *
rfl_faults_next(void)
{
    if (rfl_next.cursor_put == NULL) {
        rfl_faults_find();
    }

    return &rfl_next;
}


/* True when the call is to fail, with errno set. */

static int
rfl_faults_fail(unsigned rules)
{
    int  error;

    error = rfl_faults_act(rules);

    if (error != 0) {
        errno = error;
    }

    return error != 0;
}


int
fsync(int fd)
{
    int               rc;
    rfl_fault_hits_t  hits;

    hits = rfl_faults_on_fd(fd, RFL_FAULT_SYNC);

    if (rfl_faults_fail(hits.before)) {
        return -1;
    }

    rc = rfl_faults_next()->fsync(fd);

    return rfl_faults_fail(hits.after) ? -1 : rc;
}


int
fdatasync(int fd)
{
    int               rc;
    rfl_fault_hits_t  hits;

    hits = rfl_faults_on_fd(fd, RFL_FAULT_SYNC);

    if (rfl_faults_fail(hits.before)) {
        return -1;
    }

    rc = rfl_faults_next()->fdatasync(fd);

    return rfl_faults_fail(hits.after) ? -1 : rc;
}


ssize_t
write(int fd, const void *data, size_t size)
{
    ssize_t           n;
    rfl_fault_hits_t  hits;

    hits = rfl_faults_on_fd(fd, RFL_FAULT_WRITE);

    if (rfl_faults_fail(hits.before)) {
        return -1;
    }

    n = rfl_faults_next()->write(fd, data, size);

    return rfl_faults_fail(hits.after) ? -1 : n;
}


ssize_t
pwrite(int fd, const void *data, size_t size, off_t at)
{
    ssize_t           n;
    rfl_fault_hits_t  hits;

    hits = rfl_faults_on_fd(fd, RFL_FAULT_WRITE);

    if (rfl_faults_fail(hits.before)) {
        return -1;
    }

    n = rfl_faults_next()->pwrite(fd, data, size, at);

    return rfl_faults_fail(hits.after) ? -1 : n;
}


ssize_t
pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    return pwrite(fd, data, size, at);
}


ssize_t
writev(int fd, const struct iovec *iov, int count)
{
    ssize_t           n;
    rfl_fault_hits_t  hits;

    hits = rfl_faults_on_fd(fd, RFL_FAULT_WRITE);

    if (rfl_faults_fail(hits.before)) {
        return -1;
    }

    n = rfl_faults_next()->writev(fd, iov, count);

    return rfl_faults_fail(hits.after) ? -1 : n;
}


ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
    ssize_t           n;
    rfl_fault_hits_t  hits;

    hits = rfl_faults_on_fd(fd, RFL_FAULT_WRITE);

    if (rfl_faults_fail(hits.before)) {
        return -1;
    }

    n = rfl_faults_next()->pwritev(fd, iov, count, at);

    return rfl_faults_fail(hits.after) ? -1 : n;
}


/* A commit that failed has freed the transaction; so do we. */

int
mdb_txn_commit(MDB_txn *txn)
{
    int               rc, error;
    rfl_fault_hits_t  hits;

    hits = rfl_faults_on_txn(txn, RFL_FAULT_COMMIT);

    error = rfl_faults_act(hits.before);
    if (error != 0) {
        mdb_txn_abort(txn);
        return error;
    }

    rc = rfl_faults_next()->commit(txn);
    error = rfl_faults_act(hits.after);

    return error != 0 ? error : rc;
}


/* LMDB calls mdb_cursor_put() from here: that is no second call. */

int
mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data,
    unsigned flags)
{
    int               rc, error;
    rfl_fault_hits_t  hits;

    hits = rfl_faults_on_txn(txn, RFL_FAULT_PUT);

    error = rfl_faults_act(hits.before);
    if (error != 0) {
        return error;
    }

    rfl_faults_inside = 1;
    rc = rfl_faults_next()->put(txn, dbi, key, data, flags);
    rfl_faults_inside = 0;

    error = rfl_faults_act(hits.after);

    return error != 0 ? error : rc;
}


int
mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data,
    unsigned flags)
{
    int               rc, error;
    rfl_fault_hits_t  hits;

    if (rfl_faults_inside) {
        return rfl_faults_next()->cursor_put(cursor, key, data, flags);
    }

    hits = rfl_faults_on_txn(mdb_cursor_txn(cursor), RFL_FAULT_PUT);

    error = rfl_faults_act(hits.before);
    if (error != 0) {
        return error;
    }

    rc = rfl_faults_next()->cursor_put(cursor, key, data, flags);
    error = rfl_faults_act(hits.after);

    return error != 0 ? error : rc;
}
