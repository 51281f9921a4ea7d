/*
 * See rfl_writer.h.  The mutex guards the two lists and is held for some
 * instructions only: the event loop takes it.  All the thread uses is on the
 * heap, so that a process which does not wait for it any longer may free the
 * rest.
 */

#include "rfl_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rfl_issue.h"


typedef struct {
    rfl_write_t   *first;
    rfl_write_t  **last;
} rfl_writer_list_t;


struct rfl_writer_s {
    rfl_runtime_conf_t  conf;            /* path and numbers alone */
    char               *path;
    int                 fd;
    pthread_t           thread;

    pthread_mutex_t     mutex;
    pthread_cond_t      wake;
    unsigned            stop:1;
    unsigned            waiting;         /* in the queue */
    rfl_writer_list_t   queue;
    rfl_writer_list_t   done;
};


static rfl_writer_t *rfl_writer_create(const rfl_runtime_conf_t *conf);
static void rfl_writer_free(rfl_writer_t *w);
static void *rfl_writer_main(void *data);
static rfl_write_t *rfl_writer_next(rfl_writer_t *w);
static void rfl_writer_finish(rfl_writer_t *w, rfl_write_t *write);
static void rfl_writer_do(rfl_writer_t *w, rfl_write_t *write);
static rfl_rc_t rfl_writer_read_body(rfl_write_t *write);
static void rfl_writer_edit(rfl_writer_t *w, rfl_write_t *write,
    rfl_registry_t *registry);
static void rfl_writer_list_add(rfl_writer_list_t *list, rfl_write_t *write);
static rfl_write_t *rfl_writer_list_take(rfl_writer_list_t *list);


rfl_write_t *
rfl_write_create(void)
{
    rfl_write_t  *write;

    write = calloc(1, sizeof(rfl_write_t));

    if (write != NULL) {
        write->fd = -1;
    }

    return write;
}


void
rfl_write_free(rfl_write_t *write)
{
    if (write == NULL) {
        return;
    }

    if (write->fd != -1) {
        (void) close(write->fd);
    }

    rfl_buf_free(&write->answer.text);
    free(write->counters);
    free(write->body);
    free(write);
}


rfl_rc_t
rfl_writer_start(rfl_writer_t **wp, const rfl_runtime_conf_t *conf,
    rfl_error_t *err)
{
    rfl_writer_t  *w;

    *wp = NULL;

    w = rfl_writer_create(conf);
    if (w == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "writer of %s: out of memory",
                        conf->path);
    }

    w->fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (w->fd == -1) {
        rfl_writer_free(w);
        return rfl_fail(err, RFL_ERROR, "writer of %s: eventfd() failed",
                        conf->path);
    }

    if (rfl_thread_start(&w->thread, rfl_writer_main, w) != RFL_OK) {
        rfl_writer_free(w);
        return rfl_fail(err, RFL_ERROR, "writer of %s: no thread can be "
                        "started", conf->path);
    }

    *wp = w;

    return RFL_OK;
}


static rfl_writer_t *
rfl_writer_create(const rfl_runtime_conf_t *conf)
{
    rfl_writer_t  *w;

    w = calloc(1, sizeof(rfl_writer_t));
    if (w == NULL) {
        return NULL;
    }

    w->path = strdup(conf->path);

    if (w->path == NULL) {
        free(w);
        return NULL;
    }

    w->conf.path = w->path;
    w->conf.map_size = conf->map_size;
    w->conf.max_ids = conf->max_ids;
    w->conf.volatile_fd = conf->volatile_fd;
    w->fd = -1;
    w->queue.last = &w->queue.first;
    w->done.last = &w->done.first;

    (void) pthread_cond_init(&w->wake, NULL);
    (void) pthread_mutex_init(&w->mutex, NULL);

    return w;
}


static void
rfl_writer_free(rfl_writer_t *w)
{
    rfl_write_t  *write;

    while ((write = rfl_writer_list_take(&w->queue)) != NULL) {
        rfl_write_free(write);
    }

    while ((write = rfl_writer_list_take(&w->done)) != NULL) {
        rfl_write_free(write);
    }

    (void) pthread_cond_destroy(&w->wake);
    (void) pthread_mutex_destroy(&w->mutex);

    if (w->fd != -1) {
        (void) close(w->fd);
    }

    free(w->path);
    free(w);
}


int
rfl_writer_fd(const rfl_writer_t *w)
{
    return w->fd;
}


rfl_rc_t
rfl_writer_put(rfl_writer_t *w, rfl_write_t *write)
{
    rfl_rc_t  rc;

    (void) pthread_mutex_lock(&w->mutex);

    if (w->waiting < RFL_WRITER_QUEUE && !w->stop) {
        w->waiting++;
        rfl_writer_list_add(&w->queue, write);
        (void) pthread_cond_signal(&w->wake);
        rc = RFL_OK;

    } else {
        rc = RFL_BUSY;
    }

    (void) pthread_mutex_unlock(&w->mutex);

    return rc;
}


rfl_write_t *
rfl_writer_take(rfl_writer_t *w)
{
    rfl_write_t  *write;

    (void) pthread_mutex_lock(&w->mutex);

    write = rfl_writer_list_take(&w->done);

    (void) pthread_mutex_unlock(&w->mutex);

    return write;
}


void
rfl_writer_ask(rfl_writer_t *w)
{
    (void) pthread_mutex_lock(&w->mutex);

    w->stop = 1;
    (void) pthread_cond_signal(&w->wake);

    (void) pthread_mutex_unlock(&w->mutex);
}


void
rfl_writer_join(rfl_writer_t *w, uint64_t deadline_ms)
{
    if (rfl_thread_join(w->thread, deadline_ms)) {
        rfl_writer_free(w);
    }
}


static void *
rfl_writer_main(void *data)
{
    rfl_writer_t  *w = data;

    rfl_write_t  *write;

    while ((write = rfl_writer_next(w)) != NULL) {
        rfl_writer_do(w, write);
        rfl_writer_finish(w, write);
    }

    return NULL;
}


/* Waits for one.  NULL: it is time to leave. */

static rfl_write_t *
rfl_writer_next(rfl_writer_t *w)
{
    rfl_write_t  *write;

    (void) pthread_mutex_lock(&w->mutex);

    while (w->queue.first == NULL && !w->stop) {
        (void) pthread_cond_wait(&w->wake, &w->mutex);
    }

    write = NULL;

    if (!w->stop) {
        write = rfl_writer_list_take(&w->queue);
        w->waiting--;
    }

    (void) pthread_mutex_unlock(&w->mutex);

    return write;
}


static void
rfl_writer_finish(rfl_writer_t *w, rfl_write_t *write)
{
    (void) pthread_mutex_lock(&w->mutex);

    rfl_writer_list_add(&w->done, write);

    (void) pthread_mutex_unlock(&w->mutex);

    /* it can fail only when it is readable anyway */

    (void) eventfd_write(w->fd, 1);
}


static void
rfl_writer_do(rfl_writer_t *w, rfl_write_t *write)
{
    rfl_rc_t         rc;
    rfl_error_t      err;
    rfl_registry_t  *registry;

    rc = rfl_writer_read_body(write);

    if (rc != RFL_OK) {
        (void) rfl_fail(&err, rc, rc == RFL_NO_MEMORY ? "out of memory"
                        : "the body cannot be read");
        (void) rfl_edit_fail(&write->answer, rc, "", &err);
        return;
    }

    if (rfl_edit_check(&write->edit, &write->answer) != RFL_OK) {
        return;
    }

    rc = rfl_registry_open(&registry, w->conf.path, RFL_STORE_WRITE,
                           w->conf.map_size, &err);

    if (rc != RFL_OK) {
        (void) rfl_edit_fail(&write->answer, RFL_ERROR, "", &err);
        return;
    }

    rfl_writer_edit(w, write, registry);

    rfl_registry_close(registry);
}


static rfl_rc_t
rfl_writer_read_body(rfl_write_t *write)
{
    size_t   done;
    ssize_t  n;

    if (write->fd != -1) {
        write->body = malloc(write->body_len);

        if (write->body == NULL) {
            return RFL_NO_MEMORY;
        }

        for (done = 0; done < write->body_len; done += (size_t) n) {

            n = pread(write->fd, write->body + done, write->body_len - done,
                      write->offset + (off_t) done);

            if (n == -1 && errno == EINTR) {
                n = 0;

            } else if (n <= 0) {
                return RFL_ERROR;
            }
        }
    }

    write->edit.body = rfl_str(write->body, write->body_len);

    return RFL_OK;
}


static void
rfl_writer_edit(rfl_writer_t *w, rfl_write_t *write, rfl_registry_t *registry)
{
    rfl_error_t   err;
    rfl_totals_t  totals;

    if (rfl_issue_open(&w->conf, write->counters, registry, &totals, &err)
        != RFL_OK)
    {
        (void) rfl_edit_fail(&write->answer, RFL_ERROR, "", &err);
        return;
    }

    (void) rfl_edit_run(&write->edit, registry, &totals, &write->answer);

    rfl_issue_close(&totals);
}


static void
rfl_writer_list_add(rfl_writer_list_t *list, rfl_write_t *write)
{
    write->next = NULL;
    *list->last = write;
    list->last = &write->next;
}


static rfl_write_t *
rfl_writer_list_take(rfl_writer_list_t *list)
{
    rfl_write_t  *write;

    write = list->first;

    if (write != NULL) {
        list->first = write->next;

        if (list->first == NULL) {
            list->last = &list->first;
        }
    }

    return write;
}
