/*
 * The counter file: making it, opening it safely, growing it, leaving it.
 * See rfl_counters.h for its layout and the rules of counting.
 *
 * Dangers this file deals with:
 *
 * - Memory of a full tmpfs that was never allocated is SIGBUS, in whoever
 *   touches it.  So everything is allocated before capacity names it, with
 *   fallocate(2) itself: where a file system cannot do that, glibc's
 *   posix_fallocate() writes zeroes instead, over what others count.
 * - A path in a shared directory may name anything: it is opened without
 *   following links and without waiting, and used only if it is a file of
 *   ours that nobody else can write.
 * - The file may be set aside between its opening and its locking: the path
 *   is compared with what was opened once the lock is held.
 */

#include "rfl_counters.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


/* How often a file that is replaced under us is opened again. */
#define RFL_COUNTERS_TRIES  8

/*
 * Milliseconds to wait while another process makes the memory: all begin at
 * once, and who gave up would lack cells until its next tick.
 */

#define RFL_COUNTERS_WAIT_MS  50

/* Ids by which capacity grows: 128 KiB of cells, whole words of bits. */
#define RFL_COUNTERS_CHUNK  1024


/* What helps where RLIMIT_FSIZE is in the way. */
#define RFL_COUNTERS_RAISE_LIMIT                                              \
    "raise the limit of a file's size (ulimit -f, LimitFSIZE=)"

/* What messages call the file that has no path. */
#define RFL_COUNTERS_VOLATILE  "in memory"


static rfl_rc_t rfl_counters_try(rfl_counters_t *c, const char *path,
    const u_char uuid[16], unsigned flags, uint64_t now, rfl_error_t *err);
static rfl_rc_t rfl_counters_open_file(rfl_counters_t *c, const char *path,
    rfl_error_t *err);
static rfl_rc_t rfl_counters_check_file(rfl_counters_t *c, const char *path,
    rfl_error_t *err);
static rfl_rc_t rfl_counters_identify(rfl_counters_t *c, const char *path,
    const u_char uuid[16], rfl_error_t *err);
static rfl_rc_t rfl_counters_set_aside(rfl_counters_t *c, const char *path,
    const u_char uuid[16], rfl_error_t *err);
static int rfl_counters_is_of(const char *path, const u_char uuid[16]);
static rfl_rc_t rfl_counters_lock(rfl_counters_t *c, const char *path,
    rfl_error_t *err);
static rfl_rc_t rfl_counters_map(rfl_counters_t *c, const char *path,
    uint32_t max_ids, rfl_error_t *err);
static rfl_rc_t rfl_counters_make(const char *path, const u_char uuid[16],
    uint64_t now, rfl_error_t *err);
static int rfl_counters_wait(int *tries);
static rfl_rc_t rfl_counters_volatile_try(rfl_counters_t *c, int fd,
    const u_char uuid[16], unsigned flags, uint64_t now, rfl_error_t *err);
static rfl_rc_t rfl_counters_volatile_make(rfl_counters_t *c,
    const u_char uuid[16], uint64_t now, rfl_error_t *err);
static int rfl_counters_is_made(rfl_counters_t *c);
static void rfl_counters_host_write(rfl_counters_host_t *slot, uint32_t hash,
    rfl_str_t host);
static uint32_t rfl_counters_host_hash(rfl_str_t host);
static int rfl_counters_fill(int fd, const u_char uuid[16], uint64_t now);
static int rfl_counters_grow(rfl_counters_t *c, uint32_t wanted);
static int rfl_counters_allocate(int fd, uint32_t from, uint32_t to);
static int rfl_counters_fallocate(int fd, off_t from, off_t to);
static void rfl_counters_raise(uint32_t *number, uint32_t to);
static rfl_rc_t rfl_counters_fail(rfl_error_t *err, int error,
    const char *path, const char *what);


static const u_char  rfl_counters_magic[8] = {
    'R', 'F', 'L', 'C', 'O', 'U', 'N', 'T'
};


_Static_assert(sizeof(rfl_counters_header_t) <= RFL_COUNTERS_HOSTS_AT,
               "the header ends before the hosts");
_Static_assert(RFL_COUNTERS_HOSTS_AT
               + RFL_COUNTERS_HOSTS * sizeof(rfl_counters_host_t)
               <= RFL_COUNTERS_STRIPES_AT, "the hosts end before the stripes");
_Static_assert(RFL_COUNTERS_STRIPES_AT
               + RFL_COUNTERS_STRIPES * sizeof(rfl_zone_t)
               <= RFL_COUNTERS_DIRTY_AT, "the stripes end before the bits");
_Static_assert(RFL_COUNTERS_DIRTY_AT + RFL_COUNTERS_MAX_IDS / 8
               <= RFL_COUNTERS_CELLS_AT, "the bits end before the cells");
_Static_assert(sizeof(rfl_cell_t) == 128, "a cell is 128 bytes");


rfl_rc_t
rfl_counters_open(rfl_counters_t **cp, const char *path,
    const u_char uuid[16], uint32_t ids, uint32_t max_ids, unsigned flags,
    uint64_t now, rfl_error_t *err)
{
    int              tries;
    rfl_rc_t         rc;
    rfl_counters_t  *c;

    *cp = NULL;

    if (max_ids > RFL_COUNTERS_MAX_IDS) {
        max_ids = RFL_COUNTERS_MAX_IDS;
    }

    c = calloc(1, sizeof(rfl_counters_t));
    if (c == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "counter file %s: out of memory",
                        path);
    }

    c->fd = -1;
    c->writable = (flags != RFL_COUNTERS_READ);

    c->path = strdup(path);
    if (c->path == NULL) {
        rfl_counters_close(c);
        return rfl_fail(err, RFL_NO_MEMORY, "counter file %s: out of memory",
                        path);
    }

    rc = RFL_EXISTS;

    for (tries = 0; tries < RFL_COUNTERS_TRIES; tries++) {
        rc = rfl_counters_try(c, path, uuid, flags, now, err);
        if (rc != RFL_EXISTS) {
            break;
        }

        if (c->fd != -1) {
            (void) close(c->fd);
            c->fd = -1;
        }
    }

    if (rc == RFL_EXISTS) {
        rc = rfl_fail(err, RFL_BUSY, "counter file %s: it is being replaced "
                      "all the time; try again", path);
    }

    if (rc == RFL_OK) {
        rc = rfl_counters_map(c, path, max_ids, err);
    }

    if (rc != RFL_OK) {
        rfl_counters_close(c);
        return rc;
    }

    if (c->writable) {

        /* A file that cannot grow counts what it has cells for. */

        (void) rfl_counters_reserve(c, ids, NULL);
    }

    *cp = c;

    return RFL_OK;
}


void
rfl_counters_close(rfl_counters_t *c)
{
    if (c == NULL) {
        return;
    }

    if (c->header != NULL) {
        (void) munmap(c->header, c->map_len);
    }

    if (c->fd != -1) {
        (void) close(c->fd);
    }

    free(c->path);
    free(c);
}


int
rfl_counters_volatile_create(const char *name, uid_t owner)
{
    int   fd;
    char  label[128];

    (void) snprintf(label, sizeof(label), "referral-%s", name);

#ifdef MFD_NOEXEC_SEAL
    fd = memfd_create(label, MFD_CLOEXEC|MFD_NOEXEC_SEAL);
    if (fd == -1)
#endif
    {
        fd = memfd_create(label, MFD_CLOEXEC);
    }

    if (fd == -1) {
        return -1;
    }

    /* the mode first: who is not root cannot change another's */

    if (fchmod(fd, S_IRUSR|S_IWUSR) != 0 || fchown(fd, owner, -1) != 0) {
        (void) close(fd);
        return -1;
    }

    return fd;
}


rfl_rc_t
rfl_counters_volatile_open(rfl_counters_t **cp, int fd, const u_char uuid[16],
    uint32_t ids, uint32_t max_ids, unsigned flags, uint64_t now,
    rfl_error_t *err)
{
    int              tries;
    rfl_rc_t         rc;
    rfl_counters_t  *c;

    *cp = NULL;

    if (max_ids > RFL_COUNTERS_MAX_IDS) {
        max_ids = RFL_COUNTERS_MAX_IDS;
    }

    c = calloc(1, sizeof(rfl_counters_t));
    if (c == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "counter file %s: out of memory",
                        RFL_COUNTERS_VOLATILE);
    }

    c->fd = -1;
    c->writable = 1;
    c->is_volatile = 1;

    c->path = strdup("");
    if (c->path == NULL) {
        rfl_counters_close(c);
        return rfl_fail(err, RFL_NO_MEMORY, "counter file %s: out of memory",
                        RFL_COUNTERS_VOLATILE);
    }

    tries = 0;

    do {
        rc = rfl_counters_volatile_try(c, fd, uuid, flags, now, err);
    } while (rc == RFL_BUSY && rfl_counters_wait(&tries));

    if (rc == RFL_OK) {
        rc = rfl_counters_map(c, RFL_COUNTERS_VOLATILE, max_ids, err);
    }

    if (rc == RFL_OK && (flags & RFL_COUNTERS_CREATE)) {

        do {
            rc = rfl_counters_join(c, err);
        } while (rc == RFL_BUSY && rfl_counters_wait(&tries));
    }

    if (rc != RFL_OK) {
        rfl_counters_close(c);
        return rc;
    }

    (void) rfl_counters_reserve(c, ids, NULL);

    *cp = c;

    return RFL_OK;
}


static int
rfl_counters_wait(int *tries)
{
    struct timespec  pause = { 0, 1000000 };

    if (++*tries > RFL_COUNTERS_WAIT_MS) {
        return 0;
    }

    (void) nanosleep(&pause, NULL);

    return 1;
}


/*
 * The inherited descriptor is the master's open file description, which all
 * would share: so would they its flock().  Opened anew it is this process's.
 */

static rfl_rc_t
rfl_counters_volatile_try(rfl_counters_t *c, int fd, const u_char uuid[16],
    unsigned flags, uint64_t now, rfl_error_t *err)
{
    char         name[64];
    rfl_rc_t     rc;
    struct stat  st;

    (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);

    if (c->fd != -1) {
        (void) close(c->fd);
    }

    c->fd = open(name, O_RDWR|O_CLOEXEC);

    if (c->fd == -1 || fstat(c->fd, &st) != 0) {
        return rfl_counters_fail(err, errno, RFL_COUNTERS_VOLATILE,
                                 "opening it");
    }

    c->dev = st.st_dev;
    c->ino = st.st_ino;

    if (!rfl_counters_is_made(c)) {

        if (!(flags & RFL_COUNTERS_CREATE)) {
            return rfl_fail(err, RFL_NOT_FOUND, "counter file %s: it is not "
                            "made yet", RFL_COUNTERS_VOLATILE);
        }

        rc = rfl_counters_volatile_make(c, uuid, now, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return rfl_counters_identify(c, RFL_COUNTERS_VOLATILE, uuid, err);
}


/* A maker that was killed left no header: then it is made anew. */

static rfl_rc_t
rfl_counters_volatile_make(rfl_counters_t *c, const u_char uuid[16],
    uint64_t now, rfl_error_t *err)
{
    int  error;

    if (flock(c->fd, LOCK_EX|LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return rfl_counters_fail(err, errno, RFL_COUNTERS_VOLATILE,
                                     "flock");
        }

        return rfl_fail(err, RFL_BUSY, "counter file %s: another process is "
                        "making it; try again", RFL_COUNTERS_VOLATILE);
    }

    error = rfl_counters_is_made(c) ? 0
                                    : rfl_counters_fill(c->fd, uuid, now);

    (void) flock(c->fd, LOCK_UN);

    return error == 0 ? RFL_OK
           : rfl_counters_fail(err, error, RFL_COUNTERS_VOLATILE,
                               "allocating it");
}


static int
rfl_counters_is_made(rfl_counters_t *c)
{
    u_char  magic[8];

    return pread(c->fd, magic, 8, 0) == 8
           && memcmp(magic, rfl_counters_magic, 8) == 0;
}


void
rfl_counters_leave(rfl_counters_t *c)
{
    if (c->locked) {
        rfl_counters_alert(c);
    }

    (void) flock(c->fd, LOCK_UN);

    c->locked = 0;
    c->exclusive = 0;
}


rfl_rc_t
rfl_counters_join(rfl_counters_t *c, rfl_error_t *err)
{
    if (flock(c->fd, LOCK_SH|LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return rfl_counters_fail(err, errno, RFL_COUNTERS_VOLATILE,
                                     "flock");
        }

        return rfl_fail(err, RFL_BUSY, "counter file %s: it is being flushed; "
                        "try again", RFL_COUNTERS_VOLATILE);
    }

    c->locked = 1;
    c->exclusive = 0;

    __atomic_store_n(&c->header->retired, 0, __ATOMIC_RELEASE);

    return RFL_OK;
}


void
rfl_counters_retire(rfl_counters_t *c)
{
    __atomic_store_n(&c->header->retired, 1, __ATOMIC_RELEASE);
}


/*
 * One attempt.  RFL_EXISTS: the path names another file by now, or one was
 * just made; try again.
 */

static rfl_rc_t
rfl_counters_try(rfl_counters_t *c, const char *path, const u_char uuid[16],
    unsigned flags, uint64_t now, rfl_error_t *err)
{
    rfl_rc_t  rc;

    rc = rfl_counters_open_file(c, path, err);

    if (rc == RFL_NOT_FOUND && (flags & RFL_COUNTERS_CREATE)) {
        rc = rfl_counters_make(path, uuid, now, err);
        return rc == RFL_OK ? RFL_EXISTS : rc;
    }

    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_counters_check_file(c, path, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = rfl_counters_identify(c, path, uuid, err);

    if ((rc == RFL_BAD_VERSION || rc == RFL_INVALID)
        && (flags & RFL_COUNTERS_CREATE))
    {
        rc = rfl_counters_set_aside(c, path, uuid, err);
        return rc == RFL_OK ? RFL_EXISTS : rc;
    }

    if (rc != RFL_OK || !(flags & (RFL_COUNTERS_WRITE|RFL_COUNTERS_CREATE))) {
        return rc;
    }

    return rfl_counters_lock(c, path, err);
}


/* O_NONBLOCK: opening a FIFO somebody put there would wait for ever. */

static rfl_rc_t
rfl_counters_open_file(rfl_counters_t *c, const char *path, rfl_error_t *err)
{
    int  flags;

    flags = c->writable ? O_RDWR : O_RDONLY;

    c->fd = open(path, flags|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK|O_NOCTTY);
    if (c->fd != -1) {
        return RFL_OK;
    }

    switch (errno) {

    case ELOOP:
        return rfl_fail(err, RFL_DENIED, "counter file %s: it is a symbolic "
                        "link, which is not followed; remove it", path);
    case EISDIR:
    case ENXIO:
        return rfl_fail(err, RFL_DENIED, "counter file %s: it is no regular "
                        "file; remove it or name another one", path);
    default:
        return rfl_counters_fail(err, errno, path, "opening it");
    }
}


static rfl_rc_t
rfl_counters_check_file(rfl_counters_t *c, const char *path, rfl_error_t *err)
{
    uid_t        uid;
    struct stat  st;

    if (fstat(c->fd, &st) != 0) {
        return rfl_counters_fail(err, errno, path, "fstat");
    }

    if (!S_ISREG(st.st_mode)) {
        return rfl_fail(err, RFL_DENIED, "counter file %s: it is no regular "
                        "file; remove it or name another one", path);
    }

    if (st.st_nlink == 0) {
        return RFL_EXISTS;
    }

    /* Two while it is published, or if its maker was killed then. */

    if (st.st_nlink > 2) {
        return rfl_fail(err, RFL_DENIED, "counter file %s: it has %lu names; "
                        "remove this one", path, (unsigned long) st.st_nlink);
    }

    uid = geteuid();

    if (st.st_uid != uid && uid != 0) {
        return rfl_fail(err, RFL_DENIED, "counter file %s: it belongs to user "
                        "%lu, this process runs as user %lu; remove it or "
                        "name another one", path, (unsigned long) st.st_uid,
                        (unsigned long) uid);
    }

    if (st.st_mode & (S_IRWXG|S_IRWXO)) {
        return rfl_fail(err, RFL_DENIED, "counter file %s: its mode %04o "
                        "gives other users access; make it 0600 or remove it",
                        path, (unsigned) (st.st_mode & 07777));
    }

    c->dev = st.st_dev;
    c->ino = st.st_ino;

    return RFL_OK;
}


/*
 * The header is read, not mapped: a file shorter than a header must not
 * become SIGBUS.  The size is asked for after capacity was read; the other
 * way round, a file that grows meanwhile would look too short.
 */

static rfl_rc_t
rfl_counters_identify(rfl_counters_t *c, const char *path,
    const u_char uuid[16], rfl_error_t *err)
{
    off_t                  wanted;
    ssize_t                n;
    struct stat            st;
    rfl_counters_header_t  header;

    n = pread(c->fd, &header, sizeof(header), 0);
    if (n == -1) {
        return rfl_counters_fail(err, errno, path, "reading its header");
    }

    if ((size_t) n < sizeof(header)
        || memcmp(header.magic, rfl_counters_magic, 8) != 0)
    {
        return rfl_fail(err, RFL_DAMAGED, "counter file %s: this is no "
                        "counter file; remove it or name another one", path);
    }

    if (header.layout != RFL_COUNTERS_LAYOUT
        || header.header_size != sizeof(header))
    {
        return rfl_fail(err, RFL_BAD_VERSION, "counter file %s: it has layout "
                        "%u, this version knows %u", path,
                        (unsigned) header.layout, RFL_COUNTERS_LAYOUT);
    }

    if (memcmp(header.uuid, uuid, 16) != 0) {
        return rfl_fail(err, RFL_INVALID, "counter file %s: it belongs to "
                        "another registry", path);
    }

    if (fstat(c->fd, &st) != 0) {
        return rfl_counters_fail(err, errno, path, "fstat");
    }

    wanted = RFL_COUNTERS_CELLS_AT
             + (off_t) header.capacity * (off_t) sizeof(rfl_cell_t);

    if (header.capacity > RFL_COUNTERS_MAX_IDS || st.st_size < wanted) {
        return rfl_fail(err, RFL_DAMAGED, "counter file %s: it has %lld bytes "
                        "and says it holds %u cells, which need %lld; "
                        "remove it", path, (long long) st.st_size,
                        (unsigned) header.capacity, (long long) wanted);
    }

    /* a limit that was lowered takes no cell from an id that has one */

    c->max_ids = header.next_id < header.capacity ? header.next_id
                                                  : header.capacity;

    return RFL_OK;
}


/*
 * Whoever renames the file holds its exclusive lock, so while this process
 * holds it, a path that names the file goes on naming it.  Where this
 * registry's own file was set aside before, the two change places: it has
 * what its ledger may lack.
 */

static rfl_rc_t
rfl_counters_set_aside(rfl_counters_t *c, const char *path,
    const u_char uuid[16], rfl_error_t *err)
{
    int       n;
    char      old[PATH_MAX];
    unsigned  flags;

    n = snprintf(old, sizeof(old), "%s.old", path);
    if (n < 0 || (size_t) n >= sizeof(old)) {
        return rfl_counters_fail(err, ENAMETOOLONG, path, "setting it aside");
    }

    if (flock(c->fd, LOCK_EX|LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return rfl_counters_fail(err, errno, path, "flock");
        }

        return rfl_fail(err, RFL_BUSY, "counter file %s: it belongs to "
                        "another registry or version, and a process is using "
                        "it; stop that one or name another file", path);
    }

    if (rfl_counters_check_path(c, path) != RFL_OK) {
        return RFL_EXISTS;
    }

    flags = rfl_counters_is_of(old, uuid) ? RENAME_EXCHANGE : 0;

    if (renameat2(AT_FDCWD, path, AT_FDCWD, old, flags) != 0
        && (flags == 0 || rename(path, old) != 0))
    {
        return rfl_counters_fail(err, errno, path, "renaming it to .old");
    }

    return RFL_OK;
}


static int
rfl_counters_is_of(const char *path, const u_char uuid[16])
{
    ssize_t                n;
    rfl_counters_t         c;
    rfl_counters_header_t  header;

    memset(&c, 0, sizeof(rfl_counters_t));
    c.writable = 1;

    if (rfl_counters_open_file(&c, path, NULL) != RFL_OK) {
        return 0;
    }

    n = rfl_counters_check_file(&c, path, NULL) == RFL_OK
        ? pread(c.fd, &header, sizeof(header), 0) : 0;

    (void) close(c.fd);

    return n == (ssize_t) sizeof(header)
           && memcmp(header.magic, rfl_counters_magic, 8) == 0
           && header.layout == RFL_COUNTERS_LAYOUT
           && memcmp(header.uuid, uuid, 16) == 0;
}


/* It does not wait: this runs in an event loop, and the caller comes again. */

static rfl_rc_t
rfl_counters_lock(rfl_counters_t *c, const char *path, rfl_error_t *err)
{
    if (flock(c->fd, LOCK_SH|LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return rfl_counters_fail(err, errno, path, "flock");
        }

        return rfl_fail(err, RFL_BUSY, "counter file %s: a process that "
                        "leaves is flushing it; try again", path);
    }

    if (rfl_counters_check_path(c, path) != RFL_OK) {
        return RFL_EXISTS;
    }

    c->locked = 1;

    return RFL_OK;
}


rfl_rc_t
rfl_counters_check_path(rfl_counters_t *c, const char *path)
{
    struct stat  st;

    if (lstat(path, &st) != 0) {
        return (errno == ENOENT || errno == ENOTDIR) ? RFL_NOT_FOUND
                                                     : RFL_ERROR;
    }

    return (st.st_dev == c->dev && st.st_ino == c->ino) ? RFL_OK
                                                        : RFL_DAMAGED;
}


/* The range reaches beyond the file's end; nobody goes there. */

static rfl_rc_t
rfl_counters_map(rfl_counters_t *c, const char *path, uint32_t max_ids,
    rfl_error_t *err)
{
    int      prot;
    size_t   page;
    u_char  *p;

    page = (size_t) sysconf(_SC_PAGESIZE);

    if (c->max_ids < max_ids) {
        c->max_ids = max_ids;
    }

    c->map_len = RFL_COUNTERS_CELLS_AT
                 + (size_t) c->max_ids * sizeof(rfl_cell_t);
    c->map_len = (c->map_len + page - 1) & ~(page - 1);

    prot = c->writable ? PROT_READ|PROT_WRITE : PROT_READ;

    p = mmap(NULL, c->map_len, prot, MAP_SHARED|MAP_NORESERVE, c->fd, 0);
    if (p == MAP_FAILED) {
        return rfl_counters_fail(err, errno, path, "mapping it");
    }

    c->header = (rfl_counters_header_t *) p;
    c->hosts = (rfl_counters_host_t *) (p + RFL_COUNTERS_HOSTS_AT);
    c->stripes = (rfl_zone_t *) (p + RFL_COUNTERS_STRIPES_AT);
    c->dirty = (uint64_t *) (p + RFL_COUNTERS_DIRTY_AT);
    c->cells = (rfl_cell_t *) (p + RFL_COUNTERS_CELLS_AT);

    c->moves_seen = __atomic_load_n(&c->header->moves, __ATOMIC_ACQUIRE);

    /* whoever retires it holds the exclusive lock */

    if (c->locked) {
        __atomic_store_n(&c->header->retired, 0, __ATOMIC_RELEASE);
    }

    return RFL_OK;
}


/*
 * The file is complete before it has its name.  If another process was
 * first, its file is as good.
 */

static rfl_rc_t
rfl_counters_make(const char *path, const u_char uuid[16], uint64_t now,
    rfl_error_t *err)
{
    int       n, fd, error;
    char      temporary[PATH_MAX];
    rfl_rc_t  rc;

    n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (n < 0 || (size_t) n >= sizeof(temporary)) {
        return rfl_counters_fail(err, ENAMETOOLONG, path, "making it");
    }

    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd == -1) {
        return rfl_counters_fail(err, errno, path, "making it");
    }

    rc = RFL_OK;

    error = rfl_counters_fill(fd, uuid, now);
    if (error != 0) {
        rc = rfl_counters_fail(err, error, path, "allocating it");

    } else if (link(temporary, path) != 0 && errno != EEXIST) {
        rc = rfl_counters_fail(err, errno, path, "giving it its name");
    }

    (void) unlink(temporary);
    (void) close(fd);

    return rc;
}


/* Returns 0 or an errno. */

static int
rfl_counters_fill(int fd, const u_char uuid[16], uint64_t now)
{
    int                    error;
    ssize_t                n;
    rfl_counters_header_t  header;

    /* mkostemp() obeys the umask, which may take the owner's bits away. */

    if (fchmod(fd, S_IRUSR|S_IWUSR) != 0
        || ftruncate(fd, RFL_COUNTERS_CELLS_AT) != 0)
    {
        return errno;
    }

    error = rfl_counters_fallocate(fd, 0, RFL_COUNTERS_STRIPES_AT
                                   + RFL_COUNTERS_STRIPES
                                     * (off_t) sizeof(rfl_zone_t));
    if (error != 0) {
        return error;
    }

    error = rfl_counters_allocate(fd, 0, RFL_COUNTERS_STEP);
    if (error != 0) {
        return error;
    }

    memset(&header, 0, sizeof(header));
    memcpy(header.magic, rfl_counters_magic, 8);
    memcpy(header.uuid, uuid, 16);

    header.layout = RFL_COUNTERS_LAYOUT;
    header.header_size = sizeof(header);
    header.created = now;
    header.capacity = RFL_COUNTERS_STEP;

    do {                                 /* 0 means "no file" */
        n = getrandom(&header.file_id, sizeof(header.file_id), 0);
        if (n == -1 && errno != EINTR) {
            return errno;
        }
    } while (n != sizeof(header.file_id) || header.file_id == 0);

    n = pwrite(fd, &header, sizeof(header), 0);
    if (n == -1) {
        return errno;
    }

    return n == sizeof(header) ? 0 : EIO;
}


/*
 * No lock is needed between processes that reserve at the same time:
 * allocating a range again changes nothing in it, a file is never made
 * shorter, and capacity and next_id are only ever raised, capacity after
 * all below it was allocated.
 */

rfl_rc_t
rfl_counters_reserve(rfl_counters_t *c, uint32_t ids, rfl_error_t *err)
{
    int       error;
    uint32_t  capacity;
    uint64_t  wanted;

    if (!c->writable) {
        return rfl_fail(err, RFL_DENIED, "the counter file was opened for "
                        "reading");
    }

    /* a number that cannot be would use up all ids, for ever */

    if (ids <= RFL_COUNTERS_MAX_IDS) {
        rfl_counters_raise(&c->header->next_id, ids);
    }

    wanted = ids < 8 * (uint64_t) RFL_COUNTERS_STEP ? RFL_COUNTERS_STEP
                                                    : ids / 8;
    wanted += (uint64_t) ids + RFL_COUNTERS_CHUNK - 1;
    wanted -= wanted % RFL_COUNTERS_CHUNK;

    if (wanted > c->max_ids) {
        wanted = c->max_ids;
    }

    error = rfl_counters_grow(c, (uint32_t) wanted);

    capacity = rfl_counters_capacity(c);

    if (ids <= capacity) {
        return RFL_OK;
    }

    if (error == 0) {
        return rfl_fail(err, RFL_FULL, "%u links and groups have an id, the "
                        "counter file holds at most %u; raise max_links",
                        (unsigned) ids, (unsigned) c->max_ids);
    }

    return rfl_fail(err, error == ENOSPC || error == EDQUOT || error == EFBIG
                         ? RFL_FULL : RFL_ERROR,
                    "the counter file has %u cells and cannot grow to %llu: "
                    "%s; %s",
                    (unsigned) capacity, (unsigned long long) wanted,
                    strerror(error),
                    error == EFBIG ? RFL_COUNTERS_RAISE_LIMIT
                                   : "enlarge its file system");
}


/*
 * Where not all of it fits, smaller steps take what does.  Returns 0, or
 * the errno of what could not be allocated.
 */

static int
rfl_counters_grow(rfl_counters_t *c, uint32_t wanted)
{
    int       rc, error;
    uint32_t  capacity, step;

    error = 0;

    capacity = __atomic_load_n(&c->header->capacity, __ATOMIC_ACQUIRE);
    step = capacity < wanted ? wanted - capacity : 0;

    while (step > 0 && capacity < wanted) {

        if (step <= wanted - capacity) {
            rc = rfl_counters_allocate(c->fd, capacity, capacity + step);

            if (rc == 0) {
                capacity += step;
                rfl_counters_raise(&c->header->capacity, capacity);
                continue;
            }

            error = rc;

            if (error != ENOSPC && error != EDQUOT) {
                return error;
            }
        }

        step = step / 2;
        step -= step % RFL_COUNTERS_CHUNK;
    }

    return error;
}


/* Dirty bits and cells of the ids from .. to - 1.  Returns 0 or an errno. */

static int
rfl_counters_allocate(int fd, uint32_t from, uint32_t to)
{
    int    error;
    off_t  first, last;

    first = from / RFL_COUNTERS_WORD;
    last = (to + RFL_COUNTERS_WORD - 1) / RFL_COUNTERS_WORD;

    error = rfl_counters_fallocate(fd,
                                   RFL_COUNTERS_DIRTY_AT
                                   + first * (off_t) sizeof(uint64_t),
                                   RFL_COUNTERS_DIRTY_AT
                                   + last * (off_t) sizeof(uint64_t));
    if (error != 0) {
        return error;
    }

    return rfl_counters_fallocate(fd,
                                  RFL_COUNTERS_CELLS_AT
                                  + from * (off_t) sizeof(rfl_cell_t),
                                  RFL_COUNTERS_CELLS_AT
                                  + to * (off_t) sizeof(rfl_cell_t));
}


static int
rfl_counters_fallocate(int fd, off_t from, off_t to)
{
    int  rc;

    do {
        rc = fallocate(fd, 0, from, to - from);
    } while (rc != 0 && errno == EINTR);

    return rc == 0 ? 0 : errno;
}


static void
rfl_counters_raise(uint32_t *number, uint32_t to)
{
    uint32_t  seen;

    seen = __atomic_load_n(number, __ATOMIC_RELAXED);

    while (seen < to
           && !__atomic_compare_exchange_n(number, &seen, to, 0,
                                           __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    {
        /* seen was reloaded */
    }
}


/*
 * A slot is claimed, filled and then published; whoever dies in between leaves
 * one slot less.  A name that is forgotten and replaced while it is compared
 * compares unequal, which costs a slot, or equal, which costs a note: the
 * sample bears both.
 */

void
rfl_counters_note_host(rfl_counters_t *c, rfl_str_t host)
{
    unsigned              i;
    uint32_t              hash, state;
    rfl_counters_host_t  *slot, copy;

    if (host.len == 0 || host.len > sizeof(c->hosts[0].name)) {
        return;
    }

    hash = rfl_counters_host_hash(host);

    for (i = 0; i < RFL_COUNTERS_HOSTS; i++) {
        slot = &c->hosts[i];
        state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);

        if (state == 0
            && __atomic_compare_exchange_n(&slot->state, &state, 1, 0,
                                           __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
        {
            rfl_counters_host_write(slot, hash, host);

            __atomic_store_n(&slot->state, 2, __ATOMIC_RELEASE);
            return;
        }

        if (state == 2
            && __atomic_load_n(&slot->hash, __ATOMIC_RELAXED) == hash)
        {
            rfl_counters_read_host(slot, &copy);

            if (copy.len == host.len
                && memcmp(copy.name, host.data, host.len) == 0)
            {
                return;
            }
        }
    }
}


/* Others may read it meanwhile, word by word: rfl_counters_read_host(). */

static void
rfl_counters_host_write(rfl_counters_host_t *slot, uint32_t hash,
    rfl_str_t host)
{
    size_t               i;
    uint64_t             words[RFL_COUNTERS_HOST_WORDS], *to;
    rfl_counters_host_t  copy;

    memset(&copy, 0, sizeof(rfl_counters_host_t));
    copy.len = (uint8_t) host.len;
    memcpy(copy.name, host.data, host.len);
    memcpy(words, &copy, sizeof(words));

    to = (uint64_t *) (void *) slot;

    __atomic_store_n(&slot->hash, hash, __ATOMIC_RELAXED);

    for (i = 1; i < RFL_COUNTERS_HOST_WORDS; i++) {
        __atomic_store_n(&to[i], words[i], __ATOMIC_RELAXED);
    }
}


void
rfl_counters_read_host(const rfl_counters_host_t *slot,
    rfl_counters_host_t *copy)
{
    size_t           i;
    uint64_t         words[RFL_COUNTERS_HOST_WORDS];
    const uint64_t  *from;

    from = (const uint64_t *) (const void *) slot;

    for (i = 0; i < RFL_COUNTERS_HOST_WORDS; i++) {
        words[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    }

    memcpy(copy, words, sizeof(words));
}


/* Slots that are being written stay: they are their writers'. */

void
rfl_counters_forget_hosts(rfl_counters_t *c)
{
    unsigned  i;
    uint32_t  state;

    for (i = 0; i < RFL_COUNTERS_HOSTS; i++) {
        state = 2;

        (void) __atomic_compare_exchange_n(&c->hosts[i].state, &state, 0, 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
}


/* FNV-1a, 32 bits: it spares comparisons, nothing depends on it. */

static uint32_t
rfl_counters_host_hash(rfl_str_t host)
{
    size_t    i;
    uint32_t  hash;

    hash = 2166136261u;

    for (i = 0; i < host.len; i++) {
        hash = (hash ^ host.data[i]) * 16777619u;
    }

    return hash;
}


uint64_t
rfl_counters_take_dirty(rfl_counters_t *c, uint32_t word)
{
    uint64_t  bits;

    /* Beyond capacity there may be no memory. */

    if ((uint64_t) word * RFL_COUNTERS_WORD >= rfl_counters_capacity(c)) {
        return 0;
    }

    if (__atomic_load_n(&c->dirty[word], __ATOMIC_RELAXED) == 0) {
        return 0;
    }

    bits = __atomic_exchange_n(&c->dirty[word], 0, __ATOMIC_SEQ_CST);

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    return bits;
}


void
rfl_counters_give_back(rfl_counters_t *c, uint32_t word, uint64_t bits)
{
    if ((uint64_t) word * RFL_COUNTERS_WORD < rfl_counters_capacity(c)) {
        (void) __atomic_fetch_or(&c->dirty[word], bits, __ATOMIC_SEQ_CST);
    }
}


void
rfl_counters_read_cell(const rfl_counters_t *c, uint32_t id, rfl_cell_t *cell)
{
    size_t             i;
    const rfl_cell_t  *live;

    if (id >= rfl_counters_capacity(c)) {
        memset(cell, 0, sizeof(rfl_cell_t));
        return;
    }

    live = &c->cells[id];

    for (i = 0; i < RFL_CELL_FIELDS; i++) {
        cell->n[i] = __atomic_load_n(&live->n[i], __ATOMIC_RELAXED);
    }
}


void
rfl_counters_read_zone(const rfl_counters_t *c, rfl_zone_t *zone)
{
    size_t             i, stripe;
    const rfl_zone_t  *live;

    memset(zone, 0, sizeof(rfl_zone_t));

    for (stripe = 0; stripe < RFL_COUNTERS_STRIPES; stripe++) {
        live = &c->stripes[stripe];

        for (i = 0; i < RFL_ZONE_FIELDS; i++) {
            zone->n[i] += __atomic_load_n(&live->n[i], __ATOMIC_RELAXED);
        }
    }
}


/*
 * First the shared lock is dropped, then the exclusive one tried: of several
 * that leave at once, the one that drops last finds no shared lock left.
 * Linux converts a lock that way by itself, but promises it to nobody.
 */

rfl_rc_t
rfl_counters_last_out(rfl_counters_t *c)
{
    if (!c->writable) {
        return RFL_BUSY;
    }

    if (c->exclusive) {
        return RFL_OK;
    }

    (void) flock(c->fd, LOCK_UN);
    c->locked = 0;

    if (flock(c->fd, LOCK_EX|LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? RFL_BUSY : RFL_ERROR;
    }

    c->exclusive = 1;

    return RFL_OK;
}


void
rfl_cell_merge(rfl_cell_t *dst, const rfl_cell_t *src)
{
    size_t    i;
    uint64_t  first, last;

    for (i = 0; i < RFL_CELL_SUMS; i++) {
        dst->n[i] += src->n[i];
    }

    first = src->n[RFL_CELL_FIRST_SEEN];
    last = src->n[RFL_CELL_LAST_SEEN];

    if (first != 0 && (dst->n[RFL_CELL_FIRST_SEEN] == 0
                       || first < dst->n[RFL_CELL_FIRST_SEEN]))
    {
        dst->n[RFL_CELL_FIRST_SEEN] = first;
    }

    if (last > dst->n[RFL_CELL_LAST_SEEN]) {
        dst->n[RFL_CELL_LAST_SEEN] = last;
    }
}


void
rfl_zone_merge(rfl_zone_t *dst, const rfl_zone_t *src)
{
    size_t  i;

    for (i = 0; i < RFL_ZONE_FIELDS; i++) {
        dst->n[i] += src->n[i];
    }
}


/* The classes come first in a cell; the rest counts within them. */

uint64_t
rfl_cell_requests(const rfl_cell_t *cell)
{
    size_t    i;
    uint64_t  sum;

    sum = 0;

    for (i = RFL_CELL_CLICKS; i <= RFL_CELL_OTHER; i++) {
        sum += cell->n[i];
    }

    return sum;
}


static rfl_rc_t
rfl_counters_fail(rfl_error_t *err, int error, const char *path,
    const char *what)
{
    rfl_rc_t     rc;
    const char  *advice;

    advice = "";

    switch (error) {

    case ENOENT:
    case ENOTDIR:
        rc = RFL_NOT_FOUND;
        advice = "; make its directory, for the worker user";
        break;

    case EACCES:
    case EPERM:
    case EROFS:
        rc = RFL_DENIED;
        advice = "; its directory and it must be the worker user's";
        break;

    case ENOSPC:
    case EDQUOT:
        rc = RFL_FULL;
        advice = "; make room";
        break;

    case EFBIG:
        rc = RFL_FULL;
        advice = "; " RFL_COUNTERS_RAISE_LIMIT;
        break;

    case ENOMEM:
        rc = RFL_NO_MEMORY;
        break;

    case ENAMETOOLONG:
        rc = RFL_INVALID;
        break;

    default:
        rc = RFL_ERROR;
    }

    return rfl_fail(err, rc, "counter file %s: %s: %s%s", path, what,
                    strerror(error), advice);
}
