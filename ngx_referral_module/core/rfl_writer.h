/*
 * The writer: a thread that owns a process's writes to one registry.  LMDB has
 * one writer lock per environment, with no timed acquire, and its commit waits
 * for the disk: an event loop can do neither.
 *
 *     event loop      put --> queue --> thread: lock, edit, commit
 *                    take <-- done  <-- (the descriptor becomes readable)
 *
 * One write is in flight, RFL_WRITER_QUEUE wait; who comes then is told to come
 * again.  The thread opens the stores for one write and closes them after it:
 * what is held open would keep this process from opening a restored backup, or
 * from remapping a map that another process enlarged.
 */

#ifndef RFL_WRITER_H
#define RFL_WRITER_H

#include "rfl_edit.h"
#include "rfl_runtime.h"
#include "rfl_thread.h"


#define RFL_WRITER_QUEUE  16


typedef struct rfl_writer_s  rfl_writer_t;
typedef struct rfl_write_s   rfl_write_t;

/*
 * One write, by rfl_write_create(): the caller's until put, and again after
 * take.  Nothing of it belongs to a request, so that it may outlive one.
 */

struct rfl_write_s {
    rfl_edit_t          edit;            /* body is set by the thread */
    u_char             *body;            /* on the C heap, or NULL */
    size_t              body_len;
    int                 fd;              /* or the body is in this file, from
                                            offset on; -1: it is not */
    off_t               offset;
    char               *counters;        /* the counter file in use, on the C
                                            heap; "": the volatile one; NULL:
                                            there is none */
    void               *data;            /* the caller's */

    rfl_edit_answer_t   answer;
    rfl_write_t        *next;
};


/* NULL: no memory.  free closes fd; NULL is allowed. */

rfl_write_t *rfl_write_create(void);
void rfl_write_free(rfl_write_t *write);


/* Starts the thread with all signals blocked; conf is copied.  RFL_ERROR or
 * RFL_NO_MEMORY. */

rfl_rc_t rfl_writer_start(rfl_writer_t **wp, const rfl_runtime_conf_t *conf,
    rfl_error_t *err);

/* An eventfd: readable when there is something to take.  The writer's own. */

int rfl_writer_fd(const rfl_writer_t *w);

/* RFL_BUSY: the queue is full, and the write the caller's still. */

rfl_rc_t rfl_writer_put(rfl_writer_t *w, rfl_write_t *write);

/* The next one that is done, in the order they were put; NULL: none. */

rfl_write_t *rfl_writer_take(rfl_writer_t *w);

/*
 * Ending takes two calls, as rfl_keeper_ask() and _join() do.  The write in
 * flight is done, those that wait are not begun.  A thread that waits for the
 * lock beyond the deadline is left to the process's end.
 */

void rfl_writer_ask(rfl_writer_t *w);
void rfl_writer_join(rfl_writer_t *w, uint64_t deadline_ms);


#endif /* RFL_WRITER_H */
