/* Scenarios of failing.h: the keeper, the writer, a file that is followed. */

#include "failing.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rfl_keeper.h"
#include "rfl_source.h"
#include "rfl_writer.h"


static uint64_t
deadline(void)
{
    return rfl_clock_ms() + PATIENCE_MS;
}


/* One write, its body in a file. */

static rfl_write_t *
make_write(const scene_t *s)
{
    rfl_write_t  *write;

    static const char  body[] = "{\"source\":\"https://new.example/a\"}";

    write = rfl_write_create();
    if (write == NULL) {
        return NULL;
    }

    write->edit.kind = RFL_EDIT_ADD;
    write->edit.now = NOW;
    write->fd = memfd_create("body", MFD_CLOEXEC);
    write->body_len = sizeof(body) - 1;
    write->counters = strdup(s->cells);

    if (write->fd == -1 || write->counters == NULL
        || pwrite(write->fd, body, sizeof(body) - 1, 0) == -1)
    {
        rfl_write_free(write);
        return NULL;
    }

    return write;
}


/* The event loop's part: it waits until the descriptor becomes readable. */

static rfl_rc_t
write_one(scene_t *s, rfl_writer_t *w)
{
    rfl_rc_t        rc;
    rfl_write_t    *write, *done;
    struct pollfd   fd;

    write = make_write(s);
    if (write == NULL) {
        return named(s, RFL_NO_MEMORY, "making a write");
    }

    must(rfl_writer_put(w, write) == RFL_OK);

    fd.fd = rfl_writer_fd(w);
    fd.events = POLLIN;

    while ((done = rfl_writer_take(w)) == NULL) {
        must(poll(&fd, 1, PATIENCE_MS) == 1);
    }

    must(done == write);
    rc = RFL_OK;

    if (write->answer.result.status == 201) {
        rfl_buf_add(s->out, write->answer.text.data, write->answer.text.len);

    } else {
        must(write->answer.result.status >= 400);
        must(write->answer.text.len == 0);
        rc = write->answer.result.status == 409 ? RFL_EXISTS : RFL_ERROR;
    }

    rfl_write_free(write);

    return named(s, rc, "a write");
}


static rfl_rc_t
run_writer(scene_t *s)
{
    rfl_rc_t       rc;
    rfl_writer_t  *w;

    rc = rfl_writer_start(&w, &s->conf, &s->err);
    if (rc != RFL_OK) {
        return rc;
    }

    rc = write_one(s, w);

    rfl_writer_ask(w);
    rfl_writer_join(w, deadline());

    return rc;
}


static const step_pt  writer_steps[] = { run_writer, NULL };


/* A keeper from its start to its end, and the last process out. */

static rfl_rc_t
run_keeper(scene_t *s)
{
    rfl_rc_t       rc;
    rfl_error_t    message;
    rfl_keeper_t  *k;

    rc = rfl_keeper_start(&k, &s->conf, &s->err);
    if (rc != RFL_OK) {
        return rc;
    }

    (void) usleep(2000);

    rfl_keeper_ask(k);
    rfl_keeper_join(k, deadline());

    rfl_runtime_init(&s->rt, &s->conf, 0);
    rfl_runtime_tick(&s->rt, NOW);

    k = rfl_keeper_last_out(&s->rt);

    if (k != NULL) {
        (void) rfl_keeper_message(k, &message);
        rfl_keeper_ask(k);
        rfl_keeper_join(k, deadline());
    }

    return RFL_OK;
}


static const step_pt  keeper_steps[] = { run_keeper, NULL };


/*
 * The links become those of a file.  Once it has looked it has told how it
 * went: the links are the file's, or what they were.
 */

#define NOT_READ  "not read yet"


static void
prepare_source(const char *dir)
{
    prepare_site(dir);
    write_file(below(dir, "file"),
               "source,match_type,target\n"
               "https://new.example/a,exact,/a\n");
}


static rfl_rc_t
follow(scene_t *s)
{
    uint64_t       until;
    rfl_rc_t       rc;
    rfl_source_t  *source;

    rc = rfl_source_create(&source, &s->conf, &s->err);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_source_lead(source, 1, s->cells);
    until = deadline();

    do {
        (void) usleep(200);
        rfl_shared_text_get(s->conf.source_state, &s->err);
        must(rfl_clock_ms() < until);
    } while (strcmp(s->err.text, NOT_READ) == 0);

    rfl_source_ask(source);
    must(rfl_source_join(source, deadline()));
    rfl_source_free(source);

    return s->err.rc;
}


/* Written long ago: it may be taken at once. */

static rfl_rc_t
run_source(scene_t *s)
{
    rfl_rc_t         rc;
    struct timespec  times[2];

    memset(times, 0, sizeof(times));
    must(utimensat(AT_FDCWD, s->file, times, 0) == 0);

    s->conf.source = s->file;
    s->conf.source_state = rfl_shared_text_create(NOT_READ);

    if (s->conf.source_state == NULL) {
        return named(s, RFL_NO_MEMORY, "sharing a text");
    }

    rc = follow(s);
    rfl_shared_text_free(s->conf.source_state);

    return rc;
}


static const step_pt  source_steps[] = {
    run_source, open_registry, tell_links, NULL
};


const scenario_t  thread_scenarios[] = {
    { .name = "writer", .prepare = prepare_site, .steps = writer_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS + 1 },
    { .name = "keeper", .prepare = prepare_site, .steps = keeper_steps,
      .verify = verify_site, .before = LINKS, .after = LINKS },
    { .name = "source", .prepare = prepare_source, .steps = source_steps,
      .verify = verify_site, .before = LINKS, .after = 1 },
    { .name = NULL }
};
