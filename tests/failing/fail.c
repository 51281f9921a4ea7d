/*
 * See fail.h.  A function that is added here is added to the list "failing" in
 * the Makefile: what is listed there and is not here does not link.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "fail.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <idn2.h>
#include <jansson.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>


#define SITES_MAX  4096

/* Of a path: callers that are looked at, behind two of fail.c's own. */

#define FRAMES_OWN  2
#define FRAMES_MAX  (FRAMES_OWN + 8)

/* glibc's, of FILE. */

#define FILE_ERROR  0x20

/* pcre2_compile()'s "failed to allocate heap memory". */

#define PCRE2_NO_MEMORY  121


static const char *fail_stand_in(const char *path);
static int fail_now(const void *site, const char *name);
static uint64_t fail_path(void);
static void fail_note(const void *site);


static unsigned long   fail_at;          /* 0: not armed */
static const void     *fail_site;        /* it alone is counted; or NULL */
static fail_call_t    *fail_record_to;   /* or NULL */
static size_t          fail_record_max;
static unsigned long   fail_calls;
static int             fail_lasting;
static int             fail_done;
static const char     *fail_last;
static const char     *fail_lacking;     /* or NULL */
static const char     *fail_away;        /* or NULL */
static const char     *fail_instead;

static pthread_mutex_t  fail_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t           fail_nsites;
static const void      *fail_noted[SITES_MAX];


#define FAILS(name)  fail_now(__builtin_return_address(0), name)

/* TYPE NAME(PARAMETERS), called with ARGS, that fails with VALUE and errno. */

#define WRAP(type, name, parameters, args, value, error)                      \
                                                                              \
type __real_##name parameters;                                                \
type __wrap_##name parameters;                                                \
                                                                              \
type                                                                          \
__wrap_##name parameters                                                      \
{                                                                             \
    if (FAILS(#name)) {                                                       \
        errno = error;                                                        \
        return value;                                                         \
    }                                                                         \
                                                                              \
    return __real_##name args;                                                \
}


void
fail_arm(unsigned long n, int lasting)
{
    fail_calls = 0;
    fail_lasting = lasting;
    fail_done = 0;
    fail_last = "none";
    fail_site = NULL;

    __atomic_store_n(&fail_at, n, __ATOMIC_RELEASE);
}


void
fail_arm_site(const void *site, unsigned long n)
{
    fail_arm(ULONG_MAX, 0);
    fail_site = site;

    __atomic_store_n(&fail_at, n, __ATOMIC_RELEASE);
}


void
fail_lack(const char *name)
{
    fail_lacking = name;
}


void
fail_replace_dir(const char *path, const char *by)
{
    fail_away = path;
    fail_instead = by;
}


static const char *
fail_stand_in(const char *path)
{
    return fail_away != NULL && strcmp(path, fail_away) == 0 ? fail_instead
                                                             : path;
}


void
fail_record(fail_call_t *calls, size_t n)
{
    fail_record_to = calls;
    fail_record_max = n;

    fail_arm(ULONG_MAX, 0);
}


size_t
fail_recorded(void)
{
    (void) fail_disarm();
    fail_record_to = NULL;

    return fail_calls;
}


int
fail_disarm(void)
{
    __atomic_store_n(&fail_at, 0, __ATOMIC_RELEASE);

    return __atomic_load_n(&fail_done, __ATOMIC_ACQUIRE);
}


const char *
fail_name(void)
{
    return fail_last;
}


size_t
fail_sites(const void **sites, size_t size)
{
    size_t  n;

    n = fail_nsites < size ? fail_nsites : size;

    memcpy(sites, fail_noted, n * sizeof(const void *));

    return fail_nsites;
}


static int
fail_now(const void *site, const char *name)
{
    unsigned long  at, n;

    at = __atomic_load_n(&fail_at, __ATOMIC_ACQUIRE);

    if (at == 0) {
        return 0;
    }

    if (fail_lacking != NULL && strcmp(name, fail_lacking) == 0) {
        return 1;
    }

    if (fail_site != NULL && site != fail_site) {
        return 0;
    }

    n = __atomic_add_fetch(&fail_calls, 1, __ATOMIC_RELAXED);

    if (fail_record_to != NULL && n <= fail_record_max) {
        fail_record_to[n - 1].site = site;
        fail_record_to[n - 1].path = fail_path();
    }

    if (n != at && !(fail_lasting && n > at)) {
        return 0;
    }

    fail_last = name;
    fail_note(site);

    __atomic_store_n(&fail_done, 1, __ATOMIC_RELEASE);

    return 1;
}


/* FNV-1a over the return addresses. */

static uint64_t
fail_path(void)
{
    int        i, n;
    void      *frames[FRAMES_MAX];
    uint64_t   hash;

    n = backtrace(frames, FRAMES_MAX);
    hash = UINT64_C(14695981039346656037);

    for (i = FRAMES_OWN; i < n; i++) {
        hash = (hash ^ (uintptr_t) frames[i]) * UINT64_C(1099511628211);
    }

    return hash;
}


static void
fail_note(const void *site)
{
    size_t  i;

    (void) pthread_mutex_lock(&fail_lock);

    for (i = 0; i < fail_nsites; i++) {
        if (fail_noted[i] == site) {
            break;
        }
    }

    if (i == fail_nsites && i < SITES_MAX) {
        fail_noted[fail_nsites++] = site;
    }

    (void) pthread_mutex_unlock(&fail_lock);
}


/* Memory */

WRAP(void *, malloc, (size_t size), (size), NULL, ENOMEM)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), NULL, ENOMEM)
WRAP(void *, realloc, (void *p, size_t size), (p, size), NULL, ENOMEM)
WRAP(char *, strdup, (const char *s), (s), NULL, ENOMEM)
WRAP(void *, mmap, (void *at, size_t len, int prot, int flags, int fd,
     off_t offset), (at, len, prot, flags, fd, offset), MAP_FAILED, ENOMEM)


/* Files */

WRAP(int, fstat, (int fd, struct stat *st), (fd, st), -1, EIO)
WRAP(int, stat, (const char *path, struct stat *st), (path, st), -1, EIO)
WRAP(int, lstat, (const char *path, struct stat *st), (path, st), -1, EIO)
WRAP(int, statfs, (const char *path, struct statfs *st), (path, st), -1, EIO)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, ENOSPC)
WRAP(int, mkostemp, (char *path, int flags), (path, flags), -1, ENOSPC)
WRAP(int, link, (const char *from, const char *to), (from, to), -1, ENOSPC)
WRAP(int, unlink, (const char *path), (path), -1, EIO)
WRAP(int, rename, (const char *from, const char *to), (from, to), -1, EIO)
WRAP(int, renameat2, (int fd, const char *from, int to_fd, const char *to,
     unsigned flags), (fd, from, to_fd, to, flags), -1, EINVAL)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, EPERM)
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), -1, EPERM)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), -1, ENOSPC)
WRAP(int, fallocate, (int fd, int mode, off_t at, off_t len),
     (fd, mode, at, len), -1, ENOSPC)
WRAP(int, posix_fallocate, (int fd, off_t at, off_t len), (fd, at, len),
     ENOSPC, 0)
WRAP(int, flock, (int fd, int operation), (fd, operation), -1, ENOLCK)
WRAP(int, fsync, (int fd), (fd), -1, EIO)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1,
     ENFILE)
WRAP(int, faccessat, (int fd, const char *path, int mode, int flags),
     (fd, path, mode, flags), -1, EACCES)
WRAP(int, statvfs, (const char *path, struct statvfs *st), (path, st), -1, EIO)
WRAP(int, eventfd, (unsigned n, int flags), (n, flags), -1, ENFILE)
WRAP(ssize_t, read, (int fd, void *data, size_t n), (fd, data, n), -1, EIO)
WRAP(ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n), -1,
     ENOSPC)
WRAP(ssize_t, pread, (int fd, void *data, size_t n, off_t at),
     (fd, data, n, at), -1, EIO)
WRAP(ssize_t, pwrite, (int fd, const void *data, size_t n, off_t at),
     (fd, data, n, at), -1, ENOSPC)
WRAP(ssize_t, getrandom, (void *data, size_t n, unsigned flags),
     (data, n, flags), -1, ENOSYS)


/* A mode, or a lock, is passed on whether there is one or not. */

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);

int
__wrap_open(const char *path, int flags, mode_t mode)
{
    if (FAILS("open")) {
        errno = EMFILE;
        return -1;
    }

    return __real_open(path, flags, mode);
}

WRAP(int, fcntl, (int fd, int command, void *lock), (fd, command, lock), -1,
     ENOLCK)


/* Files of the command, which are libc's, too. */

WRAP(int, access, (const char *path, int mode), (path, mode), -1, EACCES)
WRAP(int, dup, (int fd), (fd), -1, EMFILE)
WRAP(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode),
     -1, ENOSPC)
WRAP(int, renameat, (int fd, const char *from, int to_fd, const char *to),
     (fd, from, to_fd, to), -1, EIO)
WRAP(DIR *, fdopendir, (int fd), (fd), NULL, ENOMEM)
WRAP(DIR *, opendir, (const char *path), (fail_stand_in(path)), NULL, EMFILE)
WRAP(struct dirent *, readdir, (DIR *dir), (dir), NULL, EIO)
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL,
     EMFILE)
WRAP(FILE *, fdopen, (int fd, const char *mode), (fd, mode), NULL, ENOMEM)
WRAP(char *, strndup, (const char *s, size_t n), (s, n), NULL, ENOMEM)
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size),
     NULL, ENOMEM)

int __real_openat(int fd, const char *path, int flags, mode_t mode);
int __wrap_openat(int fd, const char *path, int flags, mode_t mode);

int
__wrap_openat(int fd, const char *path, int flags, mode_t mode)
{
    if (FAILS("openat")) {
        errno = EMFILE;
        return -1;
    }

    return __real_openat(fd, path, flags, mode);
}

/* ferror() is true after these two. */

size_t __real_fread(void *data, size_t size, size_t n, FILE *file);
size_t __wrap_fread(void *data, size_t size, size_t n, FILE *file);

size_t
__wrap_fread(void *data, size_t size, size_t n, FILE *file)
{
    if (FAILS("fread")) {
        file->_flags |= FILE_ERROR;
        errno = EIO;
        return 0;
    }

    return __real_fread(data, size, n, file);
}

int __real_fflush(FILE *file);
int __wrap_fflush(FILE *file);

int
__wrap_fflush(FILE *file)
{
    if (FAILS("fflush")) {
        file->_flags |= FILE_ERROR;
        errno = ENOSPC;
        return EOF;
    }

    return __real_fflush(file);
}

/* It is closed whatever it says. */

int __real_fclose(FILE *file);
int __wrap_fclose(FILE *file);

int
__wrap_fclose(FILE *file)
{
    int  rc;

    rc = __real_fclose(file);

    if (FAILS("fclose")) {
        errno = ENOSPC;
        return EOF;
    }

    return rc;
}


/* Threads */

WRAP(int, pthread_create, (pthread_t *thread, const pthread_attr_t *attr,
     void *(*run)(void *), void *arg), (thread, attr, run, arg), EAGAIN, 0)


/* LMDB: what fails has done nothing, but a commit has ended its transaction. */

WRAP(int, mdb_env_create, (MDB_env **env), (env), ENOMEM, 0)
WRAP(int, mdb_env_set_maxreaders, (MDB_env *env, unsigned n), (env, n), EINVAL,
     0)
WRAP(int, mdb_env_set_maxdbs, (MDB_env *env, MDB_dbi n), (env, n), EINVAL, 0)
WRAP(int, mdb_env_set_mapsize, (MDB_env *env, size_t size), (env, size),
     ENOMEM, 0)
WRAP(int, mdb_env_open, (MDB_env *env, const char *path, unsigned flags,
     mdb_mode_t mode), (env, path, flags, mode),
     fail_lasting ? EACCES : ENOMEM, 0)
WRAP(int, mdb_env_get_fd, (MDB_env *env, mdb_filehandle_t *fd), (env, fd),
     EINVAL, 0)
WRAP(int, mdb_env_stat, (MDB_env *env, MDB_stat *st), (env, st), EINVAL, 0)
WRAP(int, mdb_env_info, (MDB_env *env, MDB_envinfo *info), (env, info), EINVAL,
     0)
WRAP(int, mdb_env_copyfd2, (MDB_env *env, mdb_filehandle_t fd, unsigned flags),
     (env, fd, flags), ENOSPC, 0)
WRAP(int, mdb_reader_check, (MDB_env *env, int *dead), (env, dead), EIO, 0)
WRAP(int, mdb_txn_begin, (MDB_env *env, MDB_txn *parent, unsigned flags,
     MDB_txn **txn), (env, parent, flags, txn), ENOMEM, 0)
WRAP(int, mdb_txn_renew, (MDB_txn *txn), (txn), MDB_READERS_FULL, 0)
WRAP(int, mdb_dbi_open, (MDB_txn *txn, const char *name, unsigned flags,
     MDB_dbi *dbi), (txn, name, flags, dbi), ENOMEM, 0)
WRAP(int, mdb_dbi_flags, (MDB_txn *txn, MDB_dbi dbi, unsigned *flags),
     (txn, dbi, flags), EINVAL, 0)
WRAP(int, mdb_stat, (MDB_txn *txn, MDB_dbi dbi, MDB_stat *st), (txn, dbi, st),
     EINVAL, 0)
WRAP(int, mdb_get, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data),
     (txn, dbi, key, data), MDB_PAGE_NOTFOUND, 0)
WRAP(int, mdb_put, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data,
     unsigned flags), (txn, dbi, key, data, flags), MDB_MAP_FULL, 0)
WRAP(int, mdb_del, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data),
     (txn, dbi, key, data), ENOMEM, 0)
WRAP(int, mdb_cursor_del, (MDB_cursor *cursor, unsigned flags), (cursor, flags),
     ENOMEM, 0)
WRAP(int, mdb_cursor_open, (MDB_txn *txn, MDB_dbi dbi, MDB_cursor **cursor),
     (txn, dbi, cursor), ENOMEM, 0)
WRAP(int, mdb_cursor_put, (MDB_cursor *cursor, MDB_val *key, MDB_val *data,
     unsigned flags), (cursor, key, data, flags), MDB_MAP_FULL, 0)
WRAP(int, mdb_cursor_get, (MDB_cursor *cursor, MDB_val *key, MDB_val *data,
     MDB_cursor_op op), (cursor, key, data, op), MDB_PAGE_NOTFOUND, 0)

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);

int
__wrap_mdb_txn_commit(MDB_txn *txn)
{
    if (FAILS("mdb_txn_commit")) {
        mdb_txn_abort(txn);
        return ENOSPC;
    }

    return __real_mdb_txn_commit(txn);
}


/* PCRE2 */

WRAP(pcre2_match_context_8 *, pcre2_match_context_create_8,
     (pcre2_general_context_8 *context), (context), NULL, ENOMEM)
WRAP(pcre2_match_data_8 *, pcre2_match_data_create_8,
     (uint32_t n, pcre2_general_context_8 *context), (n, context), NULL,
     ENOMEM)
WRAP(int, pcre2_jit_compile_8, (pcre2_code_8 *code, uint32_t options),
     (code, options), PCRE2_ERROR_NOMEMORY, 0)
WRAP(int, pcre2_pattern_info_8, (const pcre2_code_8 *code, uint32_t what,
     void *where), (code, what, where), PCRE2_ERROR_BADOPTION, 0)
WRAP(int, pcre2_match_8, (const pcre2_code_8 *code, PCRE2_SPTR8 subject,
     PCRE2_SIZE len, PCRE2_SIZE start, uint32_t options,
     pcre2_match_data_8 *data, pcre2_match_context_8 *context),
     (code, subject, len, start, options, data, context),
     PCRE2_ERROR_NOMEMORY, 0)

pcre2_code_8 *__real_pcre2_compile_8(PCRE2_SPTR8 text, PCRE2_SIZE len,
    uint32_t options, int *error, PCRE2_SIZE *at,
    pcre2_compile_context_8 *context);
pcre2_code_8 *__wrap_pcre2_compile_8(PCRE2_SPTR8 text, PCRE2_SIZE len,
    uint32_t options, int *error, PCRE2_SIZE *at,
    pcre2_compile_context_8 *context);

pcre2_code_8 *
__wrap_pcre2_compile_8(PCRE2_SPTR8 text, PCRE2_SIZE len, uint32_t options,
    int *error, PCRE2_SIZE *at, pcre2_compile_context_8 *context)
{
    if (FAILS("pcre2_compile")) {
        *error = PCRE2_NO_MEMORY;
        *at = 0;
        return NULL;
    }

    return __real_pcre2_compile_8(text, len, options, error, at, context);
}


/* jansson: its last byte of text is the code. */

json_t *__real_json_loadb(const char *data, size_t len, size_t flags,
    json_error_t *error);
json_t *__wrap_json_loadb(const char *data, size_t len, size_t flags,
    json_error_t *error);

json_t *
__wrap_json_loadb(const char *data, size_t len, size_t flags,
    json_error_t *error)
{
    if (FAILS("json_loadb")) {
        memset(error, 0, sizeof(json_error_t));
        error->text[JSON_ERROR_TEXT_LENGTH - 1] = json_error_out_of_memory;
        return NULL;
    }

    return __real_json_loadb(data, len, flags, error);
}


/* libidn2 */

WRAP(int, idn2_to_ascii_8z, (const char *name, char **out, int flags),
     (name, out, flags), IDN2_MALLOC, 0)
