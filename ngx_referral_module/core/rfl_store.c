/*
 * The wall around LMDB.  It holds what LMDB leaves to its users: one handle
 * for a directory in a process, a map that another process enlarged, files
 * that are shorter than their pages, file systems without reliable locks.
 *
 * LMDB 0.9.24 is the oldest version supported (Debian 12).  Not used because
 * of it: MDB_WRITEMAP (a full disk is SIGBUS), MDB_NOLOCK, MDB_DUPSORT.
 */

#include "rfl_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lmdb.h>

#include "rfl_canary.h"
#include "rfl_pages.h"


#define RFL_STORE_DIR_MODE   0700
#define RFL_STORE_FILE_MODE  0600

/* LMDB's names of its files. */

#define RFL_STORE_DATA  "/data.mdb"
#define RFL_STORE_LOCK  "/lock.mdb"

/* LMDB's own tables, before ours: freed pages, and the names of tables. */

#define RFL_STORE_MAIN  1
#define RFL_STORE_OWN   2

/* An EIO with less free space than this is taken for a full disk. */

#define RFL_STORE_DISK_FULL  (1024 * 1024)

/* How often a snapshot may be overtaken by commits while it is checked. */

#define RFL_STORE_CHECK_TRIES  8

/*
 * Where in data.mdb, far behind its end, a writer locks the byte of its
 * thread id.  LMDB has its own locks in lock.mdb.
 */

#define RFL_STORE_WRITER_IDS  ((off_t) 1 << 40)

/* A data file up to this size is checked whenever it is opened. */

#define RFL_STORE_CHECK_SIZE  (32 * 1024 * 1024)

/* No snapshot has this id, and no table says it is of it. */

#define STORE_NOT_READING  UINT64_MAX

/* Tries to begin a snapshot before the next commit. */

#define STORE_SNAPSHOTS  8

/* The handle of a table that is not there yet. */

#define STORE_NO_TABLE  ((MDB_dbi) -1)


typedef struct {
    dev_t  dev;
    ino_t  ino;
} rfl_store_file_t;


/* A table as the snapshot has it that was read last. */

typedef struct {
    uint64_t           txn_id;           /* 0: none */
    rfl_pages_table_t  table;
} rfl_store_table_t;


struct rfl_store_s {
    MDB_env           *env;
    MDB_txn           *txn;              /* the current one, or NULL */
    MDB_txn           *read_txn;         /* kept to be renewed, or NULL */
    MDB_dbi            dbis[RFL_STORE_DBIS_MAX];
    const rfl_store_dbi_t
                      *names;            /* the caller's */
    MDB_dbi            names_dbi;        /* where LMDB has their records */
    rfl_store_table_t  tables[RFL_STORE_DBIS_MAX];
    unsigned           ndbis;
    const char        *table;            /* the name of one, the first */
    unsigned           flags;            /* RFL_STORE_... */
    unsigned           depth;            /* of nested begins */
    unsigned           writing;
    unsigned           broken;           /* of no use until opened again */
    uint64_t           reading;          /* the current transaction's snapshot,
                                            or STORE_NOT_READING */
    size_t             page_size;
    off_t              size;             /* of data.mdb; it never shrinks */
    off_t              lock_size;        /* nor does lock.mdb */
    uint64_t           txn_id;           /* the newest one seen */
    rfl_store_file_t   dir_file;
    rfl_store_file_t   data_file;
    rfl_store_file_t   lock_file;
    rfl_store_t       *next;             /* open in this process */
    pid_t              pid;
    char               dir[PATH_MAX];
    char               data_path[PATH_MAX];
    char               lock_path[PATH_MAX];
};


struct rfl_cursor_s {
    MDB_cursor        *cursor;
    rfl_store_t       *store;
};


typedef struct {
    unsigned long      type;
    const char        *name;
} rfl_store_fs_t;


static rfl_rc_t store_open(rfl_store_t *s, const char *dir,
    const rfl_store_dbi_t *dbis, size_t n, size_t map_size, rfl_error_t *err);
static rfl_store_t *store_other(rfl_store_t *s);
static rfl_rc_t store_share(rfl_store_t *s, rfl_store_t *other,
    const rfl_store_dbi_t *dbis, size_t n, rfl_error_t *err);
static int store_is_shared(const rfl_store_t *s);
static void store_close(rfl_store_t *s);
static rfl_rc_t store_paths(rfl_store_t *s, const char *dir,
    rfl_error_t *err);
static rfl_rc_t store_prepare_dir(rfl_store_t *s, rfl_error_t *err);
static rfl_rc_t store_make_dir(rfl_store_t *s, rfl_error_t *err);
static rfl_rc_t store_check_fs(rfl_store_t *s, rfl_error_t *err);
static rfl_rc_t store_check_data(rfl_store_t *s, rfl_error_t *err);
static rfl_rc_t store_check_head(rfl_store_t *s, rfl_error_t *err);
static rfl_rc_t store_head_fail(rfl_store_t *s, rfl_error_t *err, rfl_rc_t rc,
    uint32_t version);
static rfl_rc_t store_check_lock(rfl_store_t *s, rfl_error_t *err);
static rfl_rc_t store_open_env(rfl_store_t *s, size_t map_size,
    rfl_error_t *err);
static rfl_rc_t store_identify(rfl_store_t *s, rfl_error_t *err);
static rfl_rc_t store_check_size(rfl_store_t *s, rfl_error_t *err);
static rfl_rc_t store_check_pages(rfl_store_t *s, off_t wanted,
    rfl_error_t *err);
static rfl_rc_t store_check_lineage(rfl_store_t *s, rfl_error_t *err);
static int store_is_committing(mdb_filehandle_t fd);
static int store_catch_up(rfl_store_t *s);
static int store_is_sound(const rfl_store_t *s, uint32_t deaths);
static void store_found_sound(const rfl_store_t *s, uint32_t deaths);
static int store_begin_own(rfl_store_t *s, unsigned flags, MDB_txn **txn);
static int store_begin_txn(rfl_store_t *s, unsigned flags, MDB_txn **txn);
static int store_claim_id(rfl_store_t *s);
static void store_release_id(rfl_store_t *s);
static int store_lock_id(rfl_store_t *s, short type);
static rfl_rc_t store_open_dbis(rfl_store_t *s, const rfl_store_dbi_t *dbis,
    size_t n, rfl_error_t *err);
static int store_try_dbis(rfl_store_t *s, const rfl_store_dbi_t *dbis,
    size_t n, unsigned txn_flags, const char **name);
static int store_begin(rfl_store_t *s, int write);
static int store_txn(rfl_store_t *s, int write);
static int store_snapshot(rfl_store_t *s);
static int store_is_overtaken(rfl_store_t *s);
static void store_note_panic(rfl_store_t *s);
static int store_remap(rfl_store_t *s);
static void store_extend(rfl_store_t *s);
static int store_is_short(rfl_store_t *s, off_t *wanted);
static int store_has_shrunk(rfl_store_t *s);
static rfl_rc_t store_check_copy(rfl_store_t *s, int fd, rfl_error_t *err);
static rfl_rc_t store_check_files(rfl_store_t *s);
static rfl_rc_t store_check_names(rfl_store_t *s);
static rfl_rc_t store_check_now(rfl_store_t *s);
static rfl_rc_t store_check_after_deaths(rfl_store_t *s);
static rfl_rc_t store_get_u64(rfl_store_t *s, unsigned dbi, uint64_t key,
    rfl_str_t *value);
static void store_find_table(rfl_store_t *s, unsigned dbi,
    rfl_pages_table_t *table);
static rfl_rc_t store_get_integer(rfl_store_t *s, unsigned dbi, uint64_t key,
    rfl_str_t *value);
static size_t store_key_size(rfl_store_t *s, unsigned dbi);
static unsigned store_put_flags(unsigned flags);
static MDB_val store_val(rfl_str_t bytes);
static rfl_rc_t cursor_get(rfl_cursor_t *c, MDB_cursor_op op, MDB_val *key,
    rfl_str_t *found, rfl_str_t *value);
static rfl_rc_t store_fail(rfl_store_t *s, rfl_error_t *err, int rc,
    const char *what);
static rfl_rc_t store_fail_denied(rfl_store_t *s, rfl_error_t *err, int rc,
    const char *what);
static rfl_rc_t store_rc(rfl_store_t *s, int rc);
static int store_disk_is_full(rfl_store_t *s);
static rfl_store_file_t store_file(const struct stat *st);
static int store_file_eq(rfl_store_file_t a, rfl_store_file_t b);


/*
 * POSIX locks or mmap are not reliable there.  Numbers of linux/magic.h and
 * statfs(2).
 */

static const rfl_store_fs_t  store_refused_fs[] = {
    { 0x6969,     "NFS" },
    { 0x517b,     "SMB" },
    { 0xff534d42, "CIFS" },
    { 0xfe534d42, "SMB2" },
    { 0x65735546, "FUSE" }
};


/* Handles of this process; opening and closing change it, in any thread. */

static rfl_store_t       *store_list;
static pthread_mutex_t    store_mutex = PTHREAD_MUTEX_INITIALIZER;


rfl_rc_t
rfl_store_open(rfl_store_t **sp, const char *dir, const rfl_store_dbi_t *dbis,
    size_t n, unsigned flags, size_t map_size, rfl_error_t *err)
{
    rfl_rc_t      rc;
    rfl_store_t  *s;

    *sp = NULL;

    if (n > RFL_STORE_DBIS_MAX) {
        return rfl_fail(err, RFL_INVALID, "%s: %zu tables, the limit is %d",
                        dir, n, RFL_STORE_DBIS_MAX);
    }

    s = calloc(1, sizeof(rfl_store_t));
    if (s == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "%s: out of memory", dir);
    }

    s->flags = flags;
    s->reading = STORE_NOT_READING;
    s->table = n != 0 ? dbis[0].name : "";
    s->pid = getpid();

    (void) pthread_mutex_lock(&store_mutex);

    rc = store_open(s, dir, dbis, n, map_size, err);

    if (rc == RFL_OK) {
        s->next = store_list;
        store_list = s;
        *sp = s;

    } else {
        store_close(s);
    }

    (void) pthread_mutex_unlock(&store_mutex);

    return rc;
}


static rfl_rc_t
store_open(rfl_store_t *s, const char *dir, const rfl_store_dbi_t *dbis,
    size_t n, size_t map_size, rfl_error_t *err)
{
    rfl_rc_t      rc;
    rfl_store_t  *other;

    rc = store_paths(s, dir, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = store_prepare_dir(s, err);
    if (rc != RFL_OK) {
        return rc;
    }

    other = store_other(s);

    if (other != NULL) {
        return store_share(s, other, dbis, n, err);
    }

    rc = store_check_head(s, err);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_canary_enter();

    rc = store_open_env(s, map_size, err);

    if (rc == RFL_OK) {
        rc = store_open_dbis(s, dbis, n, err);
    }

    rfl_canary_leave();

    return rc;
}


/* A store inherited over fork() is not ours, and must not be used. */

static rfl_store_t *
store_other(rfl_store_t *s)
{
    rfl_store_t  *other;

    for (other = store_list; other != NULL; other = other->next) {
        if (other != s && other->pid == s->pid
            && store_file_eq(other->dir_file, s->dir_file))
        {
            return other;
        }
    }

    return NULL;
}


/* The environment of another handle: LMDB wants one for all threads. */

static rfl_rc_t
store_share(rfl_store_t *s, rfl_store_t *other, const rfl_store_dbi_t *dbis,
    size_t n, rfl_error_t *err)
{
    rfl_rc_t  rc;

    if (other->flags == RFL_STORE_READ && s->flags != RFL_STORE_READ) {
        return rfl_fail(err, RFL_BUSY, "%s: this process has it open for "
                        "reading already, as %s", s->dir, other->dir);
    }

    /*
     * With files that were replaced, all handles are to be closed first.  The
     * other one may be in use right now: of it nothing is changed here.
     */

    if (n != other->ndbis || store_check_names(other) != RFL_OK
        || __atomic_load_n(&other->broken, __ATOMIC_RELAXED))
    {
        return rfl_fail(err, RFL_BUSY, "%s: this process has it open "
                        "already, as %s", s->dir, other->dir);
    }

    s->env = other->env;
    s->ndbis = other->ndbis;
    s->names = other->names;
    s->names_dbi = other->names_dbi;
    memcpy(s->dbis, other->dbis, sizeof(s->dbis));
    s->page_size = other->page_size;
    s->data_file = other->data_file;
    s->lock_file = other->lock_file;
    s->lock_size = other->lock_size;

    if (!rfl_store_lacks_table(s) || !(s->flags & RFL_STORE_CREATE)) {
        return RFL_OK;
    }

    rfl_canary_enter();
    rc = store_open_dbis(s, dbis, n, err);
    rfl_canary_leave();

    return rc;
}


void
rfl_store_close(rfl_store_t *s)
{
    rfl_store_t  **link;

    if (s == NULL) {
        return;
    }

    (void) pthread_mutex_lock(&store_mutex);

    for (link = &store_list; *link != NULL; link = &(*link)->next) {
        if (*link == s) {
            *link = s->next;
            break;
        }
    }

    store_close(s);

    (void) pthread_mutex_unlock(&store_mutex);
}


int
rfl_store_lacks_table(const rfl_store_t *s)
{
    unsigned  i;

    for (i = 0; i < s->ndbis; i++) {
        if (s->dbis[i] == STORE_NO_TABLE) {
            return 1;
        }
    }

    return 0;
}


static int
store_is_shared(const rfl_store_t *s)
{
    const rfl_store_t  *other;

    for (other = store_list; other != NULL; other = other->next) {
        if (other != s && other->env == s->env && other->pid == s->pid) {
            return 1;
        }
    }

    return 0;
}


static void
store_close(rfl_store_t *s)
{
    if (s->writing) {
        mdb_txn_abort(s->txn);
        store_release_id(s);
    }

    if (s->txn != NULL) {
        rfl_canary_leave();
    }

    if (s->read_txn != NULL) {
        mdb_txn_abort(s->read_txn);
    }

    if (s->env != NULL && !store_is_shared(s)) {
        mdb_env_close(s->env);
    }

    free(s);
}


static rfl_rc_t
store_paths(rfl_store_t *s, const char *dir, rfl_error_t *err)
{
    size_t  len;

    len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }

    if (len == 0 || len + sizeof(RFL_STORE_DATA) > PATH_MAX) {
        return rfl_fail(err, RFL_INVALID, "%.64s%s: the path has %zu bytes, "
                        "1 to %zu are allowed", dir, len > 64 ? "..." : "",
                        len, PATH_MAX - sizeof(RFL_STORE_DATA));
    }

    memcpy(s->dir, dir, len);

    memcpy(s->data_path, dir, len);
    memcpy(s->data_path + len, RFL_STORE_DATA, sizeof(RFL_STORE_DATA));

    memcpy(s->lock_path, dir, len);
    memcpy(s->lock_path + len, RFL_STORE_LOCK, sizeof(RFL_STORE_LOCK));

    return RFL_OK;
}


static rfl_rc_t
store_prepare_dir(rfl_store_t *s, rfl_error_t *err)
{
    rfl_rc_t     rc;
    struct stat  st;

    if (s->flags & RFL_STORE_CREATE) {
        rc = store_make_dir(s, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (stat(s->dir, &st) != 0) {
        return store_fail(s, err, errno, "stat");
    }

    if (!S_ISDIR(st.st_mode)) {
        return rfl_fail(err, RFL_INVALID, "%s: it is not a directory", s->dir);
    }

    s->dir_file = store_file(&st);

    rc = store_check_fs(s, err);
    if (rc != RFL_OK) {
        return rc;
    }

    if (!(s->flags & RFL_STORE_CREATE)) {
        rc = store_check_data(s, err);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (s->flags == RFL_STORE_READ) {
        return store_check_lock(s, err);
    }

    return RFL_OK;
}


/* The directory, and the one it is in: PATH and PATH/registry. */

static rfl_rc_t
store_make_dir(rfl_store_t *s, rfl_error_t *err)
{
    char  parent[PATH_MAX], *slash;

    if (mkdir(s->dir, RFL_STORE_DIR_MODE) == 0 || errno == EEXIST) {
        return RFL_OK;
    }

    if (errno != ENOENT) {
        return store_fail(s, err, errno, "mkdir");
    }

    memcpy(parent, s->dir, sizeof(parent));

    slash = strrchr(parent, '/');
    if (slash == NULL || slash == parent) {
        return store_fail(s, err, ENOENT, "mkdir");
    }

    *slash = '\0';

    if (mkdir(parent, RFL_STORE_DIR_MODE) != 0 && errno != EEXIST) {
        return store_fail(s, err, errno, "mkdir of its parent directory");
    }

    if (mkdir(s->dir, RFL_STORE_DIR_MODE) != 0 && errno != EEXIST) {
        return store_fail(s, err, errno, "mkdir");
    }

    return RFL_OK;
}


static rfl_rc_t
store_check_fs(rfl_store_t *s, rfl_error_t *err)
{
    size_t         i;
    struct statfs  fs;

    if (statfs(s->dir, &fs) != 0) {
        return store_fail(s, err, errno, "statfs");
    }

    for (i = 0; i < sizeof(store_refused_fs) / sizeof(store_refused_fs[0]);
         i++)
    {
        /* f_type is signed on some machines. */

        if ((uint32_t) fs.f_type == store_refused_fs[i].type) {
            return rfl_fail(err, RFL_INVALID, "%s: it is on %s, where locks "
                            "and mapped files are not reliable; use a local "
                            "file system", s->dir, store_refused_fs[i].name);
        }
    }

    return RFL_OK;
}


/* Opened for writing, LMDB would make a data file that is not there. */

static rfl_rc_t
store_check_data(rfl_store_t *s, rfl_error_t *err)
{
    struct stat  st;

    if (stat(s->data_path, &st) != 0) {
        return store_fail(s, err, errno, "data.mdb");
    }

    if (st.st_size == 0) {
        return rfl_fail(err, RFL_NOT_FOUND, "%s: data.mdb is empty", s->dir);
    }

    return RFL_OK;
}


/*
 * Before LMDB opens it: that divides by the page size it finds there.  LMDB's
 * locks are in lock.mdb, so that closing data.mdb here drops none.
 */

static rfl_rc_t
store_check_head(rfl_store_t *s, rfl_error_t *err)
{
    int               fd, failed;
    rfl_rc_t          rc;
    rfl_pages_head_t  head;

    fd = open(s->data_path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        return errno == ENOENT && (s->flags & RFL_STORE_CREATE)
               ? RFL_OK : store_fail(s, err, errno, "opening data.mdb");
    }

    rc = rfl_pages_head(fd, &head);
    failed = errno;

    (void) close(fd);

    if (rc == RFL_NOT_FOUND && (s->flags & RFL_STORE_CREATE)) {
        return RFL_OK;
    }

    if (rc == RFL_ERROR) {
        return store_fail(s, err, failed, "reading data.mdb");
    }

    return rc == RFL_OK ? RFL_OK : store_head_fail(s, err, rc, head.version);
}


static rfl_rc_t
store_head_fail(rfl_store_t *s, rfl_error_t *err, rfl_rc_t rc,
    uint32_t version)
{
    switch (rc) {

    case RFL_NOT_FOUND:
        return rfl_fail(err, rc, "%s: data.mdb is empty", s->dir);

    case RFL_BAD_VERSION:
        return rfl_fail(err, rc, "%s: data.mdb is in version %u of LMDB's "
                        "format, this program reads version 1; use the "
                        "program that wrote it, or restore a backup", s->dir,
                        version);

    default:
        return rfl_fail(err, RFL_DAMAGED, "%s: data.mdb is no LMDB file, or "
                        "its header is damaged; restore it from a backup",
                        s->dir);
    }
}


/*
 * On a read-only file system LMDB reads without locks, and a writer would
 * reuse the pages being read.
 */

static rfl_rc_t
store_check_lock(rfl_store_t *s, rfl_error_t *err)
{
    const char  *path;

    path = s->lock_path;

    if (faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) != 0 && errno == ENOENT) {
        path = s->dir;                   /* LMDB makes it */
    }

    if (faccessat(AT_FDCWD, path, R_OK|W_OK, AT_EACCESS) != 0) {
        return rfl_fail(err, RFL_DENIED, "%s: lock.mdb is not writable for "
                        "user %u (%s); readers need it too", s->dir,
                        (unsigned) geteuid(), strerror(errno));
    }

    return RFL_OK;
}


static rfl_rc_t
store_open_env(rfl_store_t *s, size_t map_size, rfl_error_t *err)
{
    int       rc;
    size_t    page;
    unsigned  flags;

    page = (size_t) sysconf(_SC_PAGESIZE);

    if (map_size == 0) {
        map_size = RFL_STORE_MAP_SIZE;
    }

    map_size = (map_size + page - 1) & ~(page - 1);

    rc = mdb_env_create(&s->env);
    if (rc != 0) {
        return store_fail(s, err, rc, "mdb_env_create");
    }

    (void) mdb_env_set_maxreaders(s->env, RFL_STORE_READERS);
    (void) mdb_env_set_maxdbs(s->env, RFL_STORE_DBIS_MAX);

    rc = mdb_env_set_mapsize(s->env, map_size);
    if (rc != 0) {
        return store_fail(s, err, rc, "mdb_env_set_mapsize");
    }

    flags = MDB_NOTLS;

    if (s->flags == RFL_STORE_READ) {
        flags |= MDB_RDONLY;
    }

    rc = mdb_env_open(s->env, s->dir, flags, RFL_STORE_FILE_MODE);

    if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH) {

        /* the header of data.mdb was looked at already */

        return rfl_fail(err, store_rc(s, rc), "%s: lock.mdb is damaged or of "
                        "another LMDB (%s); end all processes that have it "
                        "open, and remove it", s->dir, mdb_strerror(rc));
    }

    if (rc == ENOMEM) {
        return rfl_fail(err, RFL_NO_MEMORY, "%s: its map of %zu bytes does not "
                        "fit into the process's address space; raise that "
                        "limit (ulimit -v, LimitAS=), or use a smaller "
                        "map_size", s->dir, map_size);
    }

    if (rc != 0) {
        return store_fail(s, err, rc, "mdb_env_open");
    }

    return store_identify(s, err);
}


static rfl_rc_t
store_identify(rfl_store_t *s, rfl_error_t *err)
{
    int               rc;
    rfl_rc_t          checked;
    MDB_stat          env_stat;
    struct stat       st;
    mdb_filehandle_t  fd;

    rc = mdb_env_get_fd(s->env, &fd);
    if (rc != 0) {
        return store_fail(s, err, rc, "mdb_env_get_fd");
    }

    if (fstat(fd, &st) != 0) {
        return store_fail(s, err, errno, "fstat of data.mdb");
    }

    s->data_file = store_file(&st);

    if (stat(s->lock_path, &st) != 0) {
        return store_fail(s, err, errno, "lock.mdb");
    }

    s->lock_file = store_file(&st);
    s->lock_size = st.st_size;

    rc = mdb_env_stat(s->env, &env_stat);
    if (rc != 0) {
        return store_fail(s, err, rc, "mdb_env_stat");
    }

    s->page_size = env_stat.ms_psize;

    (void) rfl_store_reader_check(s);

    checked = store_check_size(s, err);
    if (checked != RFL_OK) {
        return checked;
    }

    return store_check_lineage(s, err);
}


/*
 * All pages are looked at when the file is small, when it is short, and when
 * a process of this nginx died inside LMDB since it was found sound here.
 */

static rfl_rc_t
store_check_size(rfl_store_t *s, rfl_error_t *err)
{
    off_t     wanted;
    rfl_rc_t  rc;
    uint32_t  deaths;

    deaths = rfl_canary_deaths(rfl_canary_joined);

    if (!store_is_short(s, &wanted) && s->size > RFL_STORE_CHECK_SIZE
        && store_is_sound(s, deaths))
    {
        return RFL_OK;
    }

    /* a walk of a gigabyte takes seconds when the disk is cold */

    if (s->size > RFL_STORE_CHECK_SIZE
        && !(s->flags & (RFL_STORE_CREATE|RFL_STORE_WAIT))
        && !store_is_sound(s, deaths))
    {
        return rfl_fail(err, RFL_BUSY, "%s: a process died while it used it, "
                        "and the keeper is looking at all its pages: wait",
                        s->dir);
    }

    if (s->size < 2 * (off_t) s->page_size) {
        return rfl_fail(err, RFL_DAMAGED, "%s: data.mdb has %lld bytes only; "
                        "restore it from a backup", s->dir,
                        (long long) s->size);
    }

    rc = store_check_pages(s, wanted, err);

    if (rc == RFL_OK) {
        store_found_sound(s, deaths);
    }

    /* without a snapshot the next check, of its lineage, says why */

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


/* RFL_NOT_FOUND: each snapshot's meta page is another one's. */

static rfl_rc_t
store_check_pages(rfl_store_t *s, off_t wanted, rfl_error_t *err)
{
    int                rc;
    MDB_txn           *txn;
    unsigned           i;
    rfl_rc_t           checked;
    mdb_filehandle_t   fd;
    rfl_pages_fault_t  fault;

    rc = mdb_env_get_fd(s->env, &fd);
    checked = RFL_NOT_FOUND;

    for (i = 0; i < RFL_STORE_CHECK_TRIES && rc == 0; i++) {

        rc = store_begin_own(s, MDB_RDONLY, &txn);

        if (rc == 0) {
            checked = rfl_pages_check(fd, s->page_size, mdb_txn_id(txn),
                                      &fault);
            mdb_txn_abort(txn);
        }

        if (checked != RFL_NOT_FOUND) {
            break;
        }
    }

    if (rc != 0) {
        return store_fail(s, err, rc, "checking its pages");
    }

    if (checked == RFL_DAMAGED) {
        return rfl_fail(err, checked, "%s: data.mdb is damaged at page %llu: "
                        "%s; it has %lld bytes, its pages %lld; restore it "
                        "from a backup", s->dir,
                        (unsigned long long) fault.page, fault.what,
                        (long long) s->size, (long long) wanted);
    }

    if (checked != RFL_OK && checked != RFL_NOT_FOUND) {
        return rfl_fail(err, checked, "%s: the pages of data.mdb cannot be "
                        "checked", s->dir);
    }

    return checked;
}


/*
 * The id of the newest snapshot is in lock.mdb as long as anybody has it
 * open.  If data.mdb is another one by then, LMDB takes the snapshot of that
 * id for the newest, may miss the last commit and write over it.
 *
 * A sound file has a newer one than that between two steps of a commit; and
 * after one that was killed there, until the next writer notices.
 */

static rfl_rc_t
store_check_lineage(rfl_store_t *s, rfl_error_t *err)
{
    int                rc, is_known;
    MDB_txn           *txn;
    unsigned           i;
    uint64_t           id;
    rfl_pages_head_t   head;
    mdb_filehandle_t   fd;

    rc = mdb_env_get_fd(s->env, &fd);

    for (i = 0; i < RFL_STORE_CHECK_TRIES && rc == 0; i++) {

        rc = store_begin_own(s, MDB_RDONLY, &txn);
        if (rc != 0) {
            break;
        }

        id = mdb_txn_id(txn);
        mdb_txn_abort(txn);

        is_known = rfl_pages_head(fd, &head) == RFL_OK
                   && head.txn_ids[id & 1] == id;

        if (is_known && (head.txn_id == id || store_is_committing(fd))) {
            s->txn_id = id;
            return RFL_OK;
        }

        if (is_known && (s->flags & (RFL_STORE_CREATE|RFL_STORE_WAIT))) {
            rc = store_catch_up(s);
        }
    }

    if (rc != 0) {
        return store_fail(s, err, rc, "beginning a transaction");
    }

    return rfl_fail(err, RFL_BUSY, "%s: data.mdb was replaced, and a process "
                    "has the old one open still; it is used as soon as all "
                    "have closed that", s->dir);
}


/* Whether another process may be: it has a lock of store_claim_id(). */

static int
store_is_committing(mdb_filehandle_t fd)
{
    struct flock  lock;

    memset(&lock, 0, sizeof(struct flock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = RFL_STORE_WRITER_IDS;

    return fcntl(fd, F_GETLK, &lock) == -1 || lock.l_type != F_UNLCK;
}


/* As the next writer LMDB makes good what one that was killed left undone. */

static int
store_catch_up(rfl_store_t *s)
{
    int       rc;
    MDB_txn  *txn;

    rc = store_begin_own(s, 0, &txn);

    if (rc == 0) {
        mdb_txn_abort(txn);
        store_release_id(s);
    }

    return rc;
}


/* So far as the processes of this nginx know; others look at small files. */

static int
store_is_sound(const rfl_store_t *s, uint32_t deaths)
{
    return rfl_canary_is_sound(rfl_canary_joined, s->data_file.dev,
                               s->data_file.ino, deaths);
}


static void
store_found_sound(const rfl_store_t *s, uint32_t deaths)
{
    rfl_canary_found_sound(rfl_canary_joined, s->data_file.dev,
                           s->data_file.ino, deaths);
}


/* A transaction beside the current one; the caller holds store_mutex. */

static int
store_begin_own(rfl_store_t *s, unsigned flags, MDB_txn **txn)
{
    int  rc;

    rc = store_begin_txn(s, flags, txn);

    if (rc == MDB_MAP_RESIZED) {
        rc = store_remap(s);
        if (rc == 0) {
            rc = store_begin_txn(s, flags, txn);
        }
    }

    return rc;
}


/* Of one that writes store_release_id() is the end. */

static int
store_begin_txn(rfl_store_t *s, unsigned flags, MDB_txn **txn)
{
    int  rc;

    if (flags & MDB_RDONLY) {
        return mdb_txn_begin(s->env, NULL, flags, txn);
    }

    rc = store_claim_id(s);
    if (rc != 0) {
        return rc;
    }

    rc = mdb_txn_begin(s->env, NULL, flags, txn);

    if (rc != 0) {
        store_release_id(s);
    }

    return rc;
}


/*
 * The writer's mutex is "robust": it holds its owner's thread id, by which the
 * kernel frees it when that thread dies.  In two PID namespaces, those of two
 * containers say, two threads have one id.  If one of them waits for the mutex
 * and is killed, the kernel takes it from the other one, which lives: a third
 * writer then began the same transaction (seen with Linux 6 and LMDB 0.9.24).
 * So nobody waits for a writer that has the same id: a lock on a file is the
 * process's whatever it is called.  LMDB has such a lock of its own on the
 * process id of readers.
 */

static int
store_claim_id(rfl_store_t *s)
{
    return store_lock_id(s, F_WRLCK);
}


static void
store_release_id(rfl_store_t *s)
{
    (void) store_lock_id(s, F_UNLCK);
}


/* EAGAIN: another process has it.  Where there are no locks LMDB says so. */

static int
store_lock_id(rfl_store_t *s, short type)
{
    int               rc;
    struct flock      lock;
    mdb_filehandle_t  fd;

    if (mdb_env_get_fd(s->env, &fd) != 0) {
        return 0;
    }

    memset(&lock, 0, sizeof(struct flock));

    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = RFL_STORE_WRITER_IDS + (off_t) syscall(SYS_gettid);
    lock.l_len = 1;

    do {
        rc = fcntl(fd, F_SETLK, &lock);
    } while (rc == -1 && errno == EINTR);

    return rc == -1 && (errno == EAGAIN || errno == EACCES) ? EAGAIN : 0;
}


static rfl_rc_t
store_open_dbis(rfl_store_t *s, const rfl_store_dbi_t *dbis, size_t n,
    rfl_error_t *err)
{
    int          rc;
    const char  *name;

    /*
     * A write transaction waits for other writers, so it is begun only when
     * there is something to make.
     */

    rc = store_try_dbis(s, dbis, n, MDB_RDONLY, &name);

    if (rc == MDB_NOTFOUND && (s->flags & RFL_STORE_CREATE)) {
        rc = store_try_dbis(s, dbis, n, 0, &name);
    }

    if (rc == MDB_NOTFOUND) {
        return rfl_fail(err, RFL_NOT_FOUND, "%s: it has no table \"%s\" yet",
                        s->dir, name);
    }

    if (rc == MDB_INCOMPATIBLE) {
        return rfl_fail(err, RFL_DAMAGED, "%s: its table \"%s\" has keys of "
                        "another kind", s->dir, name);
    }

    if (rc != 0) {
        return store_fail(s, err, rc, "opening its tables");
    }

    s->ndbis = n;
    s->names = dbis;

    return RFL_OK;
}


static int
store_try_dbis(rfl_store_t *s, const rfl_store_dbi_t *dbis, size_t n,
    unsigned txn_flags, const char **name)
{
    int       rc;
    size_t    i;
    MDB_txn  *txn;
    unsigned  flags, wanted;

    *name = "";

    rc = store_begin_own(s, txn_flags, &txn);
    if (rc != 0) {
        return rc;
    }

    rc = mdb_dbi_open(txn, NULL, 0, &s->names_dbi);
    if (rc != 0) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        *name = dbis[i].name;
        wanted = (dbis[i].key_kind & ~RFL_KEY_LATER) == RFL_KEY_BYTES
                 ? 0 : MDB_INTEGERKEY;
        flags = txn_flags & MDB_RDONLY ? 0 : MDB_CREATE;

        rc = mdb_dbi_open(txn, dbis[i].name, flags | wanted, &s->dbis[i]);

        if (rc == MDB_NOTFOUND && (dbis[i].key_kind & RFL_KEY_LATER)
            && !(s->flags & RFL_STORE_CREATE))
        {
            s->dbis[i] = STORE_NO_TABLE;
            continue;
        }

        if (rc != 0) {
            goto failed;
        }

        rc = mdb_dbi_flags(txn, s->dbis[i], &flags);
        if (rc != 0) {
            goto failed;
        }

        if ((flags & (MDB_INTEGERKEY|MDB_DUPSORT)) != wanted) {
            rc = MDB_INCOMPATIBLE;
            goto failed;
        }
    }

    /* Handles of a reading transaction last only if it is committed. */

    rc = mdb_txn_commit(txn);
    txn = NULL;

failed:

    if (txn != NULL) {
        mdb_txn_abort(txn);
    }

    if (!(txn_flags & MDB_RDONLY)) {
        store_release_id(s);
    }

    return rc;
}


rfl_rc_t
rfl_store_begin(rfl_store_t *s, int write, rfl_error_t *err)
{
    int  rc;

    if (s->txn != NULL) {
        if (write) {
            return rfl_fail(err, RFL_ERROR, "%s: a transaction is begun "
                            "already", s->dir);
        }

        s->depth++;

        return RFL_OK;
    }

    if (write && s->flags == RFL_STORE_READ) {
        return rfl_fail(err, RFL_DENIED, "%s: it was opened for reading",
                        s->dir);
    }

    rfl_canary_enter();

    rc = store_begin(s, write);

    if (rc != 0) {
        rfl_canary_leave();
        return store_fail(s, err, rc, "beginning a transaction");
    }

    s->depth = 1;
    s->writing = write ? 1 : 0;

    return RFL_OK;
}


static int
store_begin(rfl_store_t *s, int write)
{
    int  rc;

    rc = store_txn(s, write);

    if (rc == MDB_READERS_FULL && rfl_store_reader_check(s) > 0) {
        rc = store_txn(s, write);
    }

    if (rc == MDB_MAP_RESIZED) {
        (void) pthread_mutex_lock(&store_mutex);
        rc = store_remap(s);
        (void) pthread_mutex_unlock(&store_mutex);

        if (rc == 0) {
            rc = store_txn(s, write);
        }
    }

    return rc;
}


static int
store_txn(rfl_store_t *s, int write)
{
    int       rc;
    unsigned  tries;

    if (write) {
        rc = store_begin_txn(s, 0, &s->txn);
        if (rc != 0) {
            s->txn = NULL;
        }

        return rc;
    }

    for (tries = 1; ; tries++) {

        rc = store_snapshot(s);
        if (rc != 0) {
            return rc;
        }

        if (tries == STORE_SNAPSHOTS || !store_is_overtaken(s)) {
            break;
        }

        mdb_txn_reset(s->read_txn);
    }

    s->txn = s->read_txn;
    s->reading = mdb_txn_id(s->txn);

    return 0;
}


static int
store_snapshot(rfl_store_t *s)
{
    int  rc;

    rc = s->read_txn == NULL
         ? mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->read_txn)
         : mdb_txn_renew(s->read_txn);

    if (rc != 0 && s->read_txn != NULL) {
        mdb_txn_abort(s->read_txn);
        s->read_txn = NULL;
    }

    return rc;
}


/*
 * LMDB takes a snapshot's number from the lock file, then what it is from a
 * meta page, which the next commit but one writes anew: who was made to wait
 * between the two has a later state, or half of it, under the earlier number,
 * by which we know our tables.  That page is as it was as long as there has
 * been no commit at all.
 */

static int
store_is_overtaken(rfl_store_t *s)
{
    MDB_envinfo  info;

    return mdb_env_info(s->env, &info) == 0
           && info.me_last_txnid != mdb_txn_id(s->read_txn);
}


/* Another process made the map larger.  The caller holds store_mutex. */

static int
store_remap(rfl_store_t *s)
{
    int  rc;

    /* no transaction may be live: another handle's thread may have one */

    rc = store_is_shared(s) ? MDB_MAP_RESIZED
                            : mdb_env_set_mapsize(s->env, 0);

    memset(s->tables, 0, sizeof(s->tables));     /* they were in the old one */

    if (rc != 0) {
        return rc;
    }

    return store_has_shrunk(s) ? MDB_CORRUPTED : 0;
}


void
rfl_store_end(rfl_store_t *s)
{
    if (s->depth == 0) {
        return;
    }

    s->depth--;

    if (s->depth > 0) {
        return;
    }

    if (s->writing) {
        mdb_txn_abort(s->txn);
        store_release_id(s);

    } else {
        mdb_txn_reset(s->txn);
    }

    rfl_canary_leave();

    s->txn = NULL;
    s->writing = 0;
    s->reading = STORE_NOT_READING;
}


rfl_rc_t
rfl_store_commit(rfl_store_t *s, rfl_error_t *err)
{
    int  rc;

    if (!s->writing) {
        return rfl_fail(err, RFL_ERROR, "%s: there is no write transaction "
                        "to commit", s->dir);
    }

    if (s->depth != 1) {
        return rfl_fail(err, RFL_ERROR, "%s: a commit inside a nested "
                        "transaction", s->dir);
    }

    rc = mdb_txn_commit(s->txn);

    s->txn = NULL;
    s->depth = 0;
    s->writing = 0;

    if (rc == 0) {
        store_extend(s);

    } else {
        store_note_panic(s);
    }

    store_release_id(s);
    rfl_canary_leave();

    return rc == 0 ? RFL_OK : store_fail(s, err, rc, "commit");
}


/*
 * A meta page that could not be written: LMDB begins no transaction in this
 * environment any more, and tells only whoever tries.
 */

static void
store_note_panic(rfl_store_t *s)
{
    MDB_txn  *txn;

    switch (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn)) {

    case 0:
        mdb_txn_abort(txn);
        break;

    case MDB_PANIC:
        s->broken = 1;
        break;

    default:
        break;
    }
}


/*
 * A sound file may be shorter than its pages (rfl_pages.h).  It is extended,
 * so that openers need not walk over all of it to tell it from a truncated
 * one.  The writer's lock is held because ftruncate() would cut off what
 * another writer just added.
 */

static void
store_extend(rfl_store_t *s)
{
    int               rc;
    off_t             wanted;
    MDB_txn          *txn;
    mdb_filehandle_t  fd;

    if (!store_is_short(s, &wanted)) {
        return;
    }

    if (mdb_txn_begin(s->env, NULL, 0, &txn) != 0) {
        return;
    }

    rc = mdb_env_get_fd(s->env, &fd);

    /* not if it was truncated meanwhile: wanted is then no more than that */

    if (rc == 0 && store_is_short(s, &wanted) && s->size < wanted) {
        rc = ftruncate(fd, wanted);
    }

    /* The data is committed either way; the next commit tries again. */

    (void) rc;

    mdb_txn_abort(txn);
}


/* The meta pages are read through the map: they must be there first. */

static int
store_is_short(rfl_store_t *s, off_t *wanted)
{
    MDB_envinfo  info;

    *wanted = 2 * (off_t) s->page_size;

    if (store_has_shrunk(s) || s->size < *wanted) {
        return 1;
    }

    if (mdb_env_info(s->env, &info) != 0) {
        return 1;
    }

    *wanted = (off_t) (info.me_last_pgno + 1) * (off_t) s->page_size;

    if (s->size >= *wanted) {
        return 0;
    }

    /* A commit that came meanwhile may have added pages. */

    return store_has_shrunk(s) || s->size < *wanted;
}


/* Notes the size too.  LMDB never makes the file smaller. */

static int
store_has_shrunk(rfl_store_t *s)
{
    struct stat       st;
    mdb_filehandle_t  fd;

    if (mdb_env_get_fd(s->env, &fd) != 0 || fstat(fd, &st) != 0
        || st.st_size < s->size)
    {
        return 1;
    }

    s->size = st.st_size;

    return 0;
}


uint64_t
rfl_store_txn_id(rfl_store_t *s)
{
    return mdb_txn_id(s->txn);
}


/*
 * Reads the two meta pages, as beginning a transaction does, but marks nothing
 * in the canary: of them only a file cut to nothing is deadly, and that is seen
 * by its size before it is mapped again.
 */

uint64_t
rfl_store_newest(rfl_store_t *s)
{
    MDB_envinfo  info;

    return mdb_env_info(s->env, &info) == 0 ? info.me_last_txnid : 0;
}


rfl_rc_t
rfl_store_get(rfl_store_t *s, unsigned dbi, rfl_str_t key, rfl_str_t *value)
{
    int      rc;
    MDB_val  k, v;

    if (s->txn == NULL) {
        return RFL_ERROR;
    }

    if (s->dbis[dbi] == STORE_NO_TABLE) {
        return RFL_NOT_FOUND;
    }

    k = store_val(key);

    rc = mdb_get(s->txn, s->dbis[dbi], &k, &v);
    if (rc != 0) {
        return store_rc(s, rc);
    }

    value->len = v.mv_size;
    value->data = v.mv_data;

    return RFL_OK;
}


/* LMDB believes its branches: in damaged ones what it finds may be less. */

rfl_rc_t
rfl_store_next(rfl_store_t *s, unsigned dbi, uint64_t *key)
{
    size_t         size;
    uint64_t       next;
    rfl_rc_t       rc;
    rfl_str_t      found, value;
    rfl_cursor_t  *cursor;

    rc = rfl_cursor_open(s, dbi, &cursor);
    if (cursor == NULL) {
        return rc;
    }

    size = store_key_size(s, dbi);
    found.len = 0;

    rc = rfl_cursor_seek(cursor, rfl_str(key, size), &found, &value);

    if (rc == RFL_OK && found.len != size) {
        rc = RFL_DAMAGED;
    }

    if (rc == RFL_OK) {
        next = 0;
        memcpy(&next, found.data, size);

        if (next < *key) {
            rc = RFL_DAMAGED;
        }

        *key = next;
    }

    rfl_cursor_close(cursor);

    return rc;
}


/* What a transaction writes is not in the map yet. */

rfl_rc_t
rfl_store_get_u64(rfl_store_t *s, unsigned dbi, uint64_t key, rfl_str_t *value)
{
    rfl_rc_t            rc;
    rfl_store_table_t  *t;

    t = &s->tables[dbi];

    if (t->txn_id == s->reading) {
        rc = rfl_pages_find(&t->table, key, value);

        if (rc != RFL_ERROR) {
            return rc;
        }
    }

    return store_get_u64(s, dbi, key, value);
}


/* For the first time in a snapshot, or where it is for LMDB to say. */

static __attribute__((noinline)) rfl_rc_t
store_get_u64(rfl_store_t *s, unsigned dbi, uint64_t key, rfl_str_t *value)
{
    rfl_rc_t            rc;
    rfl_store_table_t  *t;

    t = &s->tables[dbi];

    if (s->reading != STORE_NOT_READING && t->txn_id != s->reading) {
        store_find_table(s, dbi, &t->table);
        t->txn_id = s->reading;

        rc = rfl_pages_find(&t->table, key, value);

        if (rc != RFL_ERROR) {
            return rc;
        }
    }

    return rfl_store_get(s, dbi, rfl_str(&key, sizeof(key)), value);
}


static void
store_find_table(rfl_store_t *s, unsigned dbi, rfl_pages_table_t *table)
{
    MDB_val      k, v;
    MDB_envinfo  info;

    k = store_val(rfl_cstr(s->names[dbi].name));

    if (mdb_get(s->txn, s->names_dbi, &k, &v) != 0
        || mdb_env_info(s->env, &info) != 0)
    {
        v.mv_data = NULL;                /* no table: find() says so */
        v.mv_size = 0;
        info.me_last_pgno = 0;
    }

    rfl_pages_table(rfl_str(v.mv_data, v.mv_size), s->page_size,
                    info.me_last_pgno, table);
}


rfl_rc_t
rfl_store_get_many(rfl_store_t *s, unsigned dbi, const uint64_t *keys,
    size_t n, rfl_str_t *values)
{
    size_t             i;
    rfl_rc_t           rc;
    uint64_t           key;
    rfl_pages_place_t  places[RFL_PAGES_MANY];

    rfl_store_places(s, dbi, keys, n, places);

    key = 0;

    for (i = 0; i < n; i++) {

        rc = places[i].leaf != NULL ? rfl_pages_at(&places[i], &key, &values[i])
                                    : RFL_ERROR;

        if (rc == RFL_OK && key != keys[i]) {
            rc = RFL_NOT_FOUND;

        } else if (rc == RFL_ERROR) {
            rc = store_get_integer(s, dbi, keys[i], &values[i]);
        }

        if (rc == RFL_NOT_FOUND) {
            values[i] = rfl_str(NULL, 0);

        } else if (rc != RFL_OK) {
            return rc;
        }
    }

    return RFL_OK;
}


void
rfl_store_places(rfl_store_t *s, unsigned dbi, const uint64_t *keys, size_t n,
    rfl_pages_place_t *places)
{
    rfl_pages_table_t  table;

    memset(&table, 0, sizeof(rfl_pages_table_t));

    /* what a transaction writes is not in the map yet */

    if (s->txn != NULL && !s->writing && s->dbis[dbi] != STORE_NO_TABLE) {
        store_find_table(s, dbi, &table);
    }

    rfl_pages_places(&table, store_key_size(s, dbi), keys, n, places);
}


static rfl_rc_t
store_get_integer(rfl_store_t *s, unsigned dbi, uint64_t key, rfl_str_t *value)
{
    return store_key_size(s, dbi) == sizeof(uint32_t)
           ? rfl_store_get_u32(s, dbi, (uint32_t) key, value)
           : rfl_store_get(s, dbi, rfl_str(&key, sizeof(key)), value);
}


static size_t
store_key_size(rfl_store_t *s, unsigned dbi)
{
    return (s->names[dbi].key_kind & ~(unsigned) RFL_KEY_LATER) == RFL_KEY_U32
           ? sizeof(uint32_t) : sizeof(uint64_t);
}


static MDB_val
store_val(rfl_str_t bytes)
{
    MDB_val  v;

    v.mv_size = bytes.len;
    v.mv_data = (void *) bytes.data;

    return v;
}


rfl_rc_t
rfl_store_put(rfl_store_t *s, unsigned dbi, rfl_str_t key, rfl_str_t value,
    unsigned flags, rfl_error_t *err)
{
    int      rc;
    MDB_val  k, v;

    if (!s->writing) {
        return rfl_fail(err, RFL_ERROR, "%s: a write outside of a write "
                        "transaction", s->dir);
    }

    k = store_val(key);
    v = store_val(value);

    rc = mdb_put(s->txn, s->dbis[dbi], &k, &v, store_put_flags(flags));

    if (rc == MDB_KEYEXIST) {            /* often no error: no text is made */
        return RFL_EXISTS;
    }

    return rc == 0 ? RFL_OK : store_fail(s, err, rc, "writing");
}


static unsigned
store_put_flags(unsigned flags)
{
    return ((flags & RFL_PUT_NEW) ? MDB_NOOVERWRITE : 0)
           | ((flags & RFL_PUT_APPEND) ? MDB_APPEND : 0);
}


rfl_rc_t
rfl_store_del(rfl_store_t *s, unsigned dbi, rfl_str_t key, rfl_error_t *err)
{
    int      rc;
    MDB_val  k;

    if (!s->writing) {
        return rfl_fail(err, RFL_ERROR, "%s: a deletion outside of a write "
                        "transaction", s->dir);
    }

    k = store_val(key);

    rc = mdb_del(s->txn, s->dbis[dbi], &k, NULL);

    return rc == 0 ? RFL_OK : store_fail(s, err, rc, "deleting");
}


rfl_rc_t
rfl_cursor_open(rfl_store_t *s, unsigned dbi, rfl_cursor_t **cp)
{
    int            rc;
    rfl_cursor_t  *c;

    *cp = NULL;

    if (s->txn == NULL) {
        return RFL_ERROR;
    }

    if (s->dbis[dbi] == STORE_NO_TABLE) {
        return RFL_NOT_FOUND;
    }

    c = malloc(sizeof(rfl_cursor_t));
    if (c == NULL) {
        return RFL_NO_MEMORY;
    }

    c->store = s;

    rc = mdb_cursor_open(s->txn, s->dbis[dbi], &c->cursor);
    if (rc != 0) {
        free(c);
        return store_rc(s, rc);
    }

    *cp = c;

    return RFL_OK;
}


void
rfl_cursor_close(rfl_cursor_t *c)
{
    if (c == NULL) {
        return;
    }

    mdb_cursor_close(c->cursor);
    free(c);
}


rfl_rc_t
rfl_cursor_seek(rfl_cursor_t *c, rfl_str_t key, rfl_str_t *found,
    rfl_str_t *value)
{
    MDB_val   k;
    uint64_t  aligned[(RFL_STORE_KEY_MAX + 8) / 8];

    if (key.len == 0) {
        return cursor_get(c, MDB_FIRST, &k, found, value);
    }

    if (key.len > RFL_STORE_KEY_MAX) {
        return RFL_INVALID;
    }

    /* LMDB reads integer keys as integers: the caller's may be unaligned. */

    memcpy(aligned, key.data, key.len);

    k.mv_size = key.len;
    k.mv_data = aligned;

    return cursor_get(c, MDB_SET_RANGE, &k, found, value);
}


rfl_rc_t
rfl_cursor_next(rfl_cursor_t *c, rfl_str_t *found, rfl_str_t *value)
{
    MDB_val  k;

    return cursor_get(c, MDB_NEXT, &k, found, value);
}


rfl_rc_t
rfl_cursor_last(rfl_cursor_t *c, rfl_str_t *found, rfl_str_t *value)
{
    MDB_val  k;

    return cursor_get(c, MDB_LAST, &k, found, value);
}


rfl_rc_t
rfl_cursor_put(rfl_cursor_t *c, rfl_str_t key, rfl_str_t value,
    unsigned flags, rfl_error_t *err)
{
    int      rc;
    MDB_val  k, v;

    if (!c->store->writing) {
        return rfl_fail(err, RFL_ERROR, "%s: a write outside of a write "
                        "transaction", c->store->dir);
    }

    k = store_val(key);
    v = store_val(value);

    rc = mdb_cursor_put(c->cursor, &k, &v, store_put_flags(flags));

    if (rc == MDB_KEYEXIST) {
        return RFL_EXISTS;
    }

    return rc == 0 ? RFL_OK : store_fail(c->store, err, rc, "writing");
}


rfl_rc_t
rfl_cursor_del(rfl_cursor_t *c, rfl_error_t *err)
{
    int  rc;

    if (!c->store->writing) {
        return rfl_fail(err, RFL_ERROR, "%s: a deletion outside of a write "
                        "transaction", c->store->dir);
    }

    rc = mdb_cursor_del(c->cursor, 0);

    return rc == 0 ? RFL_OK : store_fail(c->store, err, rc, "deleting");
}


/*
 * LMDB has no call for it, but does it before a put it takes for too large for
 * the room that is left.  This one looks as if it wrote 4 GB to the record
 * that describes a table, which LMDB refuses, after that, as incompatible.  A
 * version that refuses it before only leaves the memory as it is.
 */

rfl_rc_t
rfl_store_spill(rfl_store_t *s, rfl_error_t *err)
{
    int      rc;
    MDB_val  k, v;

    if (!s->writing) {
        return rfl_fail(err, RFL_ERROR, "%s: a write outside of a write "
                        "transaction", s->dir);
    }

    k.mv_data = (void *) s->table;
    k.mv_size = strlen(s->table);

    v.mv_data = NULL;
    v.mv_size = UINT32_MAX;              /* LMDB's MAXDATASIZE */

    rc = mdb_put(s->txn, RFL_STORE_MAIN, &k, &v, 0);

    return rc == MDB_INCOMPATIBLE ? RFL_OK
                                  : store_fail(s, err, rc, "writing early");
}


static rfl_rc_t
cursor_get(rfl_cursor_t *c, MDB_cursor_op op, MDB_val *key, rfl_str_t *found,
    rfl_str_t *value)
{
    int      rc;
    MDB_val  v;

    rc = mdb_cursor_get(c->cursor, key, &v, op);
    if (rc != 0) {
        return store_rc(c->store, rc);
    }

    found->len = key->mv_size;
    found->data = key->mv_data;

    value->len = v.mv_size;
    value->data = v.mv_data;

    return RFL_OK;
}


void
rfl_store_stat(rfl_store_t *s, rfl_store_stat_t *stat)
{
    int          rc;
    size_t       pages;
    unsigned     i, own;
    MDB_stat     st;
    MDB_envinfo  info;

    memset(stat, 0, sizeof(rfl_store_stat_t));

    if (store_has_shrunk(s)) {           /* the meta pages may be gone */
        return;
    }

    rfl_canary_enter();
    rc = mdb_env_info(s->env, &info);
    rfl_canary_leave();

    if (rc != 0) {
        return;
    }

    stat->map_size = info.me_mapsize;
    stat->readers = info.me_numreaders;

    if (rfl_store_begin(s, 0, NULL) != RFL_OK) {
        stat->used_bytes = (info.me_last_pgno + 1) * s->page_size;
        return;
    }

    pages = 2;                           /* meta pages */

    for (i = 0; i < s->ndbis + RFL_STORE_OWN; i++) {
        own = i < RFL_STORE_OWN;

        if (!own && s->dbis[i - RFL_STORE_OWN] == STORE_NO_TABLE) {
            continue;
        }

        if (mdb_stat(s->txn, own ? i : s->dbis[i - RFL_STORE_OWN], &st)
            == 0)
        {
            pages += st.ms_branch_pages + st.ms_leaf_pages
                     + st.ms_overflow_pages;
        }
    }

    stat->used_bytes = pages * s->page_size;

    rfl_store_end(s);
}


int
rfl_store_is_large(rfl_store_t *s)
{
    return s->size > RFL_STORE_CHECK_SIZE;
}


int
rfl_store_reader_check(rfl_store_t *s)
{
    int  dead;

    dead = 0;

    if (mdb_reader_check(s->env, &dead) != 0) {
        return 0;
    }

    return dead;
}


rfl_rc_t
rfl_store_check(rfl_store_t *s, rfl_error_t *err)
{
    rfl_rc_t  rc;

    if (s->txn != NULL) {
        return rfl_fail(err, RFL_ERROR, "%s: a transaction is begun already",
                        s->dir);
    }

    if (store_has_shrunk(s)) {
        return rfl_fail(err, RFL_DAMAGED, "%s: data.mdb was cut short; restore "
                        "it from a backup", s->dir);
    }

    (void) pthread_mutex_lock(&store_mutex);
    rfl_canary_enter();

    rc = store_check_pages(s, s->size, err);

    rfl_canary_leave();
    (void) pthread_mutex_unlock(&store_mutex);

    if (rc == RFL_NOT_FOUND) {
        return rfl_fail(err, RFL_BUSY, "%s: it is written to so fast that no "
                        "snapshot can be looked at; try again", s->dir);
    }

    return rc;
}


/* A snapshot the map is too small for is not LMDB's to copy: begin remaps. */

rfl_rc_t
rfl_store_copy(rfl_store_t *s, int fd, int compact, rfl_error_t *err)
{
    int       rc;
    rfl_rc_t  begun;

    begun = rfl_store_begin(s, 0, err);
    if (begun != RFL_OK) {
        return begun;
    }

    rc = mdb_env_copyfd2(s->env, fd, compact ? MDB_CP_COMPACT : 0);

    rfl_store_end(s);

    if (rc != 0) {
        return store_fail(s, err, rc, "copying");
    }

    if (fsync(fd) != 0) {
        return store_fail(s, err, errno, "fsync of its copy");
    }

    return store_check_copy(s, fd, err);
}


static rfl_rc_t
store_check_copy(rfl_store_t *s, int fd, rfl_error_t *err)
{
    rfl_rc_t           rc;
    rfl_pages_head_t   head;
    rfl_pages_fault_t  fault;

    rc = rfl_pages_head(fd, &head);

    if (rc == RFL_OK) {
        rc = rfl_pages_check(fd, head.page_size, head.txn_id, &fault);
    }

    if (rc == RFL_NO_MEMORY) {
        return rfl_fail(err, rc, "%s: out of memory to check its copy",
                        s->dir);
    }

    if (rc != RFL_OK) {
        return rfl_fail(err, RFL_ERROR, "%s: what was written of its copy is "
                        "not what is read of it; see whether the disk is "
                        "sound", s->dir);
    }

    return RFL_OK;
}


rfl_rc_t
rfl_store_check_path(rfl_store_t *s)
{
    rfl_rc_t  rc;

    rc = store_check_files(s);

    return rc == RFL_OK && s->txn == NULL ? store_check_now(s) : rc;
}


/* Another handle's thread may ask, too. */

static rfl_rc_t
store_check_files(rfl_store_t *s)
{
    rfl_rc_t  rc;

    rc = store_check_names(s);
    if (rc != RFL_OK) {
        return rc;
    }

    return s->broken || store_has_shrunk(s) ? RFL_DAMAGED : RFL_OK;
}


static rfl_rc_t
store_check_names(rfl_store_t *s)
{
    struct stat  st;

    if (stat(s->data_path, &st) != 0) {
        return store_rc(s, errno);
    }

    if (!store_file_eq(store_file(&st), s->data_file)) {
        return RFL_DAMAGED;
    }

    if (stat(s->lock_path, &st) != 0) {
        return store_rc(s, errno);
    }

    if (!store_file_eq(store_file(&st), s->lock_file)
        || st.st_size < s->lock_size)
    {
        return RFL_DAMAGED;
    }

    return RFL_OK;
}


/* Whether the header was overwritten: with noise, or by another file's. */

static rfl_rc_t
store_check_now(rfl_store_t *s)
{
    unsigned          i;
    uint64_t          id;
    rfl_rc_t          rc;
    rfl_pages_head_t  head;
    mdb_filehandle_t  fd;

    if (mdb_env_get_fd(s->env, &fd) != 0) {
        return RFL_ERROR;
    }

    for (i = 0; i < RFL_STORE_CHECK_TRIES; i++) {

        rc = rfl_pages_head(fd, &head);
        if (rc == RFL_ERROR) {
            return rc;
        }

        if (rc != RFL_OK || head.page_size != s->page_size
            || head.txn_id < s->txn_id)
        {
            return RFL_DAMAGED;
        }

        if (rfl_store_begin(s, 0, NULL) != RFL_OK) {
            return s->broken ? RFL_DAMAGED : RFL_OK;
        }

        id = rfl_store_txn_id(s);
        rfl_store_end(s);

        /* two commits may have come since the header was read */

        if (head.txn_ids[id & 1] == id) {
            s->txn_id = id;

            if (head.txn_id > id && (s->flags & RFL_STORE_CREATE)
                && !store_is_committing(fd)
                && rfl_store_begin(s, 1, NULL) == RFL_OK)
            {
                rfl_store_end(s);        /* see store_catch_up() */
            }

            return store_check_after_deaths(s);
        }
    }

    return RFL_DAMAGED;
}


/* A large file would hold up the caller: it is checked when it is opened. */

static rfl_rc_t
store_check_after_deaths(rfl_store_t *s)
{
    rfl_rc_t  rc;
    uint32_t  deaths;

    deaths = rfl_canary_deaths(rfl_canary_joined);
    rc = RFL_OK;

    (void) pthread_mutex_lock(&store_mutex);

    if (s->size <= RFL_STORE_CHECK_SIZE && !store_is_sound(s, deaths)) {

        rfl_canary_enter();
        rc = store_check_pages(s, s->size, NULL);
        rfl_canary_leave();

        if (rc == RFL_OK) {
            store_found_sound(s, deaths);
        }
    }

    (void) pthread_mutex_unlock(&store_mutex);

    if (rc == RFL_DAMAGED) {
        s->broken = 1;
    }

    return rc == RFL_DAMAGED ? RFL_DAMAGED : RFL_OK;
}


static rfl_rc_t
store_fail(rfl_store_t *s, rfl_error_t *err, int rc, const char *what)
{
    rfl_rc_t     code;
    MDB_envinfo  info;

    code = store_rc(s, rc);

    if (rc == MDB_MAP_FULL && mdb_env_info(s->env, &info) == 0) {
        return rfl_fail(err, code, "%s: %s: its map is full: map_size is %zu "
                        "bytes; use a larger map_size", s->dir, what,
                        (size_t) info.me_mapsize);
    }

    if (rc == MDB_TXN_FULL) {
        return rfl_fail(err, code, "%s: %s: the transaction has too many "
                        "changes, and a larger map_size does not help; write "
                        "in smaller parts", s->dir, what);
    }

    if (rc == EAGAIN) {
        return rfl_fail(err, code, "%s: a process of another PID namespace "
                        "(of another container) has it open and the same id, "
                        "%d, and LMDB cannot tell them apart; try again, or "
                        "run all that use it in one PID namespace: docker "
                        "exec, kubectl exec, shareProcessNamespace", s->dir,
                        (int) syscall(SYS_gettid));
    }

    if (rc == MDB_READERS_FULL) {
        return rfl_fail(err, code, "%s: %s: all %d reader slots are in use: "
                        "end some of the processes that have it open",
                        s->dir, what, RFL_STORE_READERS);
    }

    if (code == RFL_FULL && (rc == EIO || rc == ENOSPC || rc == EDQUOT)) {
        return rfl_fail(err, code, "%s: %s: the disk is full%s; make room",
                        s->dir, what, rc == EDQUOT ? " (quota)" : "");
    }

    if (code == RFL_DENIED) {
        return store_fail_denied(s, err, rc, what);
    }

    if (code == RFL_DAMAGED) {
        return rfl_fail(err, code, "%s: %s: %s; restore it from a backup",
                        s->dir, what, mdb_strerror(rc));
    }

    if (rc == MDB_PANIC) {
        return rfl_fail(err, code, "%s: %s: a write failed before and its "
                        "outcome is unknown; it is to be opened again",
                        s->dir, what);
    }

    if (rc == MDB_BAD_VALSIZE) {
        return rfl_fail(err, code, "%s: %s: a key is empty, longer than %d "
                        "bytes or of another size than its table's",
                        s->dir, what, RFL_STORE_KEY_MAX);
    }

    return rfl_fail(err, code, "%s: %s: %s", s->dir, what, mdb_strerror(rc));
}


/* Whose file it is, and who asks. */

static rfl_rc_t
store_fail_denied(rfl_store_t *s, rfl_error_t *err, int rc, const char *what)
{
    size_t       i;
    uid_t        uid;
    struct stat  st;

    const char  *paths[] = { s->dir, s->data_path, s->lock_path };

    uid = geteuid();

    if (rc == EROFS) {
        return rfl_fail(err, RFL_DENIED, "%s: %s: it is on a read-only file "
                        "system; mount it for writing", s->dir, what);
    }

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {

        if (stat(paths[i], &st) == 0) {

            if (st.st_uid != uid) {
                return rfl_fail(err, RFL_DENIED, "%s: %s: %s: %s belongs to "
                                "user %u, this process is user %u; change its "
                                "owner", s->dir, what, mdb_strerror(rc),
                                paths[i], (unsigned) st.st_uid,
                                (unsigned) uid);
            }

        } else if (i == 0) {
            return rfl_fail(err, RFL_DENIED, "%s: %s: %s; the directory it is "
                            "in must be readable and writable for user %u",
                            s->dir, what, mdb_strerror(rc), (unsigned) uid);
        }
    }

    return rfl_fail(err, RFL_DENIED, "%s: %s: %s; make data.mdb and lock.mdb "
                    "readable and writable for user %u", s->dir, what,
                    mdb_strerror(rc), (unsigned) uid);
}


static rfl_rc_t
store_rc(rfl_store_t *s, int rc)
{
    switch (rc) {

    case 0:
        return RFL_OK;

    case MDB_NOTFOUND:
    case ENOENT:
    case ENOTDIR:
        return RFL_NOT_FOUND;

    case MDB_KEYEXIST:
        return RFL_EXISTS;

    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_DBS_FULL:
    case MDB_READERS_FULL:
    case ENOSPC:
    case EDQUOT:
        return RFL_FULL;

    /* LMDB says EIO when a write was cut short, as on a full disk. */

    case EIO:
        return store_disk_is_full(s) ? RFL_FULL : RFL_ERROR;

    case ENOMEM:
        return RFL_NO_MEMORY;

    case EACCES:
    case EPERM:
    case EROFS:
        return RFL_DENIED;

    case EAGAIN:
        return RFL_BUSY;

    case MDB_BAD_VALSIZE:
        return RFL_INVALID;

    case MDB_VERSION_MISMATCH:
        return RFL_BAD_VERSION;

    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL:                /* a loop of pages */
        s->broken = 1;
        return RFL_DAMAGED;

    case MDB_BAD_TXN:

        /* what a reader met before; a writer may as well have been full */

        if (s->writing) {
            return RFL_ERROR;
        }

        s->broken = 1;
        return RFL_DAMAGED;

    case MDB_PANIC:
        s->broken = 1;
        return RFL_ERROR;

    default:
        return RFL_ERROR;
    }
}


static int
store_disk_is_full(rfl_store_t *s)
{
    struct statvfs  fs;

    if (statvfs(s->dir, &fs) != 0) {
        return 0;
    }

    return (uint64_t) fs.f_bavail * fs.f_frsize < RFL_STORE_DISK_FULL;
}


static rfl_store_file_t
store_file(const struct stat *st)
{
    rfl_store_file_t  file;

    file.dev = st->st_dev;
    file.ino = st->st_ino;

    return file;
}


static int
store_file_eq(rfl_store_file_t a, rfl_store_file_t b)
{
    return a.dev == b.dev && a.ino == b.ino;
}
