/*
 * See rfl_sync.h.  The file is read while the writer's lock is held: another
 * order would need either all of it in memory, or to read it twice.
 */

#include "rfl_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>


typedef struct {
    rfl_sync_t        *sync;
    int                fd;
    rfl_import_t       import;
    rfl_input_t        input;
    rfl_csv_reader_t   csv;
} run_t;


static rfl_rc_t sync_fd(rfl_sync_t *sync, int fd, rfl_error_t *err);
static rfl_rc_t sync_links(run_t *run, rfl_error_t *err);
static rfl_rc_t look_again(run_t *run, rfl_error_t *err);
static rfl_rc_t read_file(run_t *run, rfl_error_t *err);
static rfl_rc_t read_csv(run_t *run, rfl_str_t line, rfl_error_t *err);
static rfl_rc_t header(void *data, const rfl_str_t *names,
    rfl_columns_t *columns, rfl_error_t *err);
static rfl_rc_t take_row(void *data, const rfl_row_t *row, rfl_error_t *err);
static rfl_rc_t bad_row(void *data, uint64_t line, const rfl_str_t *cells,
    size_t n, const char *why, rfl_error_t *err);
static rfl_rc_t may_go_on(void *data, rfl_error_t *err);
static rfl_rc_t look_at(const struct stat *st, rfl_file_look_t *look,
    rfl_error_t *err);
static rfl_rc_t file_failed(int error, rfl_error_t *err);
static rfl_rc_t name_file(const char *path, rfl_rc_t rc, rfl_error_t *err);


static const rfl_rows_handler_t  handler = {
    header, NULL, take_row, bad_row, may_go_on
};


rfl_rc_t
rfl_sync_run(rfl_sync_t *sync, rfl_error_t *err)
{
    int       fd;
    rfl_rc_t  rc;

    sync->changed = 0;
    memset(&sync->counts, 0, sizeof(rfl_import_counts_t));

    /* a pipe or a device must not hold the thread for ever */

    fd = open(sync->path, O_RDONLY|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);

    if (fd == -1) {
        rc = file_failed(errno, err);

    } else {
        rc = sync_fd(sync, fd, err);
        (void) close(fd);
    }

    return name_file(sync->path, rc, err);
}


static rfl_rc_t
sync_fd(rfl_sync_t *sync, int fd, rfl_error_t *err)
{
    run_t        *run;
    rfl_rc_t      rc;
    struct stat   st;

    if (fstat(fd, &st) == -1) {
        return file_failed(errno, err);
    }

    rc = look_at(&st, &sync->look, err);
    if (rc != RFL_OK) {
        return rc;
    }

    run = malloc(sizeof(run_t));
    if (run == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "no memory");
    }

    memset(run, 0, offsetof(run_t, input));

    run->sync = sync;
    run->fd = fd;

    rc = rfl_issue_begin(sync->registry, sync->totals, err);

    if (rc == RFL_OK) {
        rc = sync_links(run, err);
    }

    rfl_import_free(&run->import);
    free(run);

    return rc;
}


/* Ends the transaction, one way or the other. */

static rfl_rc_t
sync_links(run_t *run, rfl_error_t *err)
{
    rfl_rc_t         rc;
    rfl_sync_t      *sync;
    rfl_error_t      why;
    rfl_import_t    *import;
    rfl_registry_t  *registry;

    sync = run->sync;
    import = &run->import;
    registry = sync->registry;

    import->registry = registry;
    import->now = (uint64_t) time(NULL);
    import->update = 1;
    import->utf8 = 1;
    import->max_links = sync->max_links;
    import->may_go_on = may_go_on;
    import->data = run;

    rfl_registry_pass_max_links(registry);

    /* it may have been long until the lock was ours */

    rc = look_again(run, err);

    if (rc == RFL_OK) {
        rc = rfl_registry_bulk(registry, err);
    }

    if (rc == RFL_OK) {
        rc = read_file(run, err);
    }

    if (rc == RFL_OK) {
        rc = rfl_import_clear(import, err);
    }

    if (rc == RFL_OK) {
        rc = rfl_registry_settle(registry, err);
    }

    if (rc == RFL_OK) {
        rc = rfl_import_remove_others(import, err);
    }

    /* what seems to be at fault may be half of what is being written */

    if (rc == RFL_OK) {
        rc = look_again(run, err);

    } else if (rc == RFL_INVALID && look_again(run, &why) == RFL_BUSY) {
        rc = RFL_BUSY;
    }

    sync->counts = import->counts;

    if (rc != RFL_OK || !rfl_import_changed(import)) {
        rfl_registry_end(registry);
        return rc;
    }

    rc = rfl_issue_commit(registry, sync->totals, NULL, err);
    sync->changed = (rc == RFL_OK);

    return rc;
}


/* Whether it is the file that is to be read, as it was. */

static rfl_rc_t
look_again(run_t *run, rfl_error_t *err)
{
    rfl_rc_t         rc;
    struct stat      st;
    rfl_file_look_t  look;

    if (fstat(run->fd, &st) == -1) {
        return file_failed(errno, err);
    }

    rc = look_at(&st, &look, err);

    if (rc == RFL_OK && !rfl_file_looks_same(&look, &run->sync->look)) {
        rc = rfl_fail(err, RFL_BUSY, "it is being written");
    }

    return rc == RFL_OK ? may_go_on(run, err) : rc;
}


static rfl_rc_t
read_file(run_t *run, rfl_error_t *err)
{
    rfl_rc_t   rc;
    rfl_str_t  line;

    rfl_input_begin(&run->input, run->fd);

    line = rfl_input_peek(&run->input, "");

    rc = line.len != 0 && (line.data[0] == '{' || line.data[0] == '[')
         ? rfl_rows_json(&run->input, &handler, run, err)
         : read_csv(run, line, err);

    return run->input.error == 0 ? rc : file_failed(run->input.error, err);
}


static rfl_rc_t
read_csv(run_t *run, rfl_str_t line, rfl_error_t *err)
{
    u_char    delimiter;
    rfl_rc_t  rc;

    (void) rfl_rows_delimiter(&run->csv, line, rfl_columns_known, NULL,
                              &delimiter);

    rc = rfl_rows_csv(&run->csv, delimiter, &run->input, &handler, run, err);

    if (rc == RFL_OK && run->sync->in_place && run->input.last != '\n') {
        return rfl_fail(err, RFL_INVALID, "line %llu: the last line has no "
                        "end, so the file may be cut off: end it by a "
                        "newline, or put a whole file in its place",
                        (unsigned long long) run->csv.line);
    }

    return rc;
}


static rfl_rc_t
header(void *data, const rfl_str_t *names, rfl_columns_t *columns,
    rfl_error_t *err)
{
    return rfl_columns_ours(names, columns, err);
}


/* More links than are allowed are the file's fault. */

static rfl_rc_t
take_row(void *data, const rfl_row_t *row, rfl_error_t *err)
{
    run_t *run = data;

    rfl_rc_t  rc;

    rc = rfl_import_row(&run->import, row, err);

    if (rc == RFL_FULL && run->import.max_links != 0
        && run->import.counts.links > run->import.max_links)
    {
        return RFL_INVALID;
    }

    return rc;
}


/* One is enough: why may be err's own text. */

static rfl_rc_t
bad_row(void *data, uint64_t line, const rfl_str_t *cells, size_t n,
    const char *why, rfl_error_t *err)
{
    char  text[RFL_ERROR_TEXT];

    memcpy(text, why, strnlen(why, sizeof(text) - 1) + 1);
    text[sizeof(text) - 1] = '\0';

    return rfl_fail(err, RFL_INVALID, "line %llu: %s",
                    (unsigned long long) line, text);
}


static rfl_rc_t
may_go_on(void *data, rfl_error_t *err)
{
    run_t *run = data;

    const unsigned  *stop;

    stop = run->sync->stop;

    return stop != NULL && __atomic_load_n(stop, __ATOMIC_RELAXED)
           ? rfl_fail(err, RFL_BUSY, "nginx ends") : RFL_OK;
}


rfl_rc_t
rfl_file_look(const char *path, rfl_file_look_t *look, rfl_error_t *err)
{
    rfl_rc_t     rc;
    struct stat  st;

    rc = stat(path, &st) == 0 ? look_at(&st, look, err)
                              : file_failed(errno, err);

    return name_file(path, rc, err);
}


static rfl_rc_t
look_at(const struct stat *st, rfl_file_look_t *look, rfl_error_t *err)
{
    memset(look, 0, sizeof(rfl_file_look_t));

    if (!S_ISREG(st->st_mode)) {
        return rfl_fail(err, RFL_INVALID, "it is no regular file");
    }

    look->dev = st->st_dev;
    look->ino = st->st_ino;
    look->size = st->st_size;
    look->modified = st->st_mtim;
    look->changed = st->st_ctim;

    return RFL_OK;
}


int
rfl_file_looks_same(const rfl_file_look_t *a, const rfl_file_look_t *b)
{
    return rfl_file_is_same(a, b)
           && a->size == b->size
           && a->modified.tv_sec == b->modified.tv_sec
           && a->modified.tv_nsec == b->modified.tv_nsec
           && a->changed.tv_sec == b->changed.tv_sec
           && a->changed.tv_nsec == b->changed.tv_nsec;
}


int
rfl_file_is_same(const rfl_file_look_t *a, const rfl_file_look_t *b)
{
    return a->dev == b->dev && a->ino == b->ino;
}


static rfl_rc_t
file_failed(int error, rfl_error_t *err)
{
    switch (error) {

    case ENOENT:
    case ENOTDIR:
        return rfl_fail(err, RFL_NOT_FOUND, "%s", strerror(error));

    case EACCES:
    case EPERM:
        return rfl_fail(err, RFL_DENIED, "%s: user %u, as whom the workers "
                        "run, must be able to read it", strerror(error),
                        (unsigned) geteuid());

    default:
        return rfl_fail(err, RFL_ERROR, "%s", strerror(error));
    }
}


/* A file may hold anything, a log takes no controls. */

static rfl_rc_t
name_file(const char *path, rfl_rc_t rc, rfl_error_t *err)
{
    char    text[RFL_ERROR_TEXT];
    size_t  i;

    if (rc == RFL_OK || err == NULL) {
        return rc;
    }

    memcpy(text, err->text, sizeof(text));

    for (i = 0; i < sizeof(text) && text[i] != '\0'; i++) {
        if ((u_char) text[i] < ' ' || text[i] == 0x7f) {
            text[i] = '?';
        }
    }

    return rfl_fail(err, rc, "%s: %s", path, text);
}
