/*
 * How long the steps of the status tree's answers take, without nginx and its
 * clients around them:
 *
 *     view_steps PATH COUNTERS REQUEST...       "links?limit=all" and so on
 *
 * Prints for each request: steps, bytes, the processor time of all and of the
 * longest one in microseconds, and the request.  That is time of this thread,
 * so what else the machine does hardly shows.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rfl_runtime.h"
#include "rfl_view.h"


typedef struct {
    uint64_t  steps;
    uint64_t  bytes;
    uint64_t  total_ns;
    uint64_t  longest_ns;
} figures_t;


static int answer(rfl_runtime_t *rt, const char *text);
static rfl_rc_t step_all(rfl_view_t *view, figures_t *figures);
static uint64_t now_ns(void);


int
main(int argc, char **argv)
{
    int                  i, failed;
    rfl_runtime_t        rt;
    rfl_runtime_conf_t   conf;

    if (argc < 4) {
        fprintf(stderr, "usage: view_steps PATH COUNTERS REQUEST...\n");
        return 2;
    }

    memset(&conf, 0, sizeof(rfl_runtime_conf_t));

    conf.name = "main";
    conf.path = argv[1];
    conf.counters = argv[2];
    conf.counters_dir = "";
    conf.map_size = (size_t) 1 << 34;
    conf.max_ids = 1u << 24;
    conf.max_links = 1u << 23;
    conf.flush_ms = 5000;
    conf.volatile_fd = -1;

    rfl_runtime_init(&rt, &conf, 0);
    rfl_runtime_tick(&rt, (uint64_t) time(NULL));

    failed = 0;

    if (rt.registry == NULL || rt.ledger == NULL || rt.counters == NULL) {
        fprintf(stderr, "view_steps: %s%s%s\n", rt.registry_error.text,
                rt.ledger_error.text, rt.counters_error.text);
        failed = 1;
    }

    for (i = 3; !failed && i < argc; i++) {
        failed = answer(&rt, argv[i]);
    }

    rfl_runtime_close(&rt);

    return failed;
}


static int
answer(rfl_runtime_t *rt, const char *text)
{
    rfl_rc_t            rc;
    figures_t           figures;
    const char         *args;
    rfl_view_t         *view;
    rfl_view_error_t    error;
    rfl_view_request_t  request;

    memset(&figures, 0, sizeof(figures_t));
    memset(&request, 0, sizeof(rfl_view_request_t));

    args = strchr(text, '?');

    request.runtimes = &rt;
    request.n = 1;
    request.path = args != NULL ? rfl_str(text, (size_t) (args - text))
                                : rfl_cstr(text);
    request.args = rfl_cstr(args != NULL ? args + 1 : "");

    if (rfl_view_open(&view, &request, &error) != RFL_OK) {
        fprintf(stderr, "view_steps: %s: %s\n", text, error.text);
        return 1;
    }

    rc = step_all(view, &figures);

    rfl_view_close(view);

    if (rc != RFL_OK) {
        fprintf(stderr, "view_steps: %s: error %d\n", text, (int) rc);
        return 1;
    }

    printf("%llu %llu %llu %llu %s\n", (unsigned long long) figures.steps,
           (unsigned long long) figures.bytes,
           (unsigned long long) figures.total_ns / 1000,
           (unsigned long long) figures.longest_ns / 1000, text);

    return 0;
}


static rfl_rc_t
step_all(rfl_view_t *view, figures_t *figures)
{
    rfl_rc_t   rc;
    uint64_t   from, ns;
    rfl_buf_t  b = rfl_buf_init;

    do {
        b.len = 0;
        from = now_ns();

        rc = rfl_view_step(view, &b);

        ns = now_ns() - from;

        figures->steps++;
        figures->bytes += b.len;
        figures->total_ns += ns;
        figures->longest_ns = ns > figures->longest_ns ? ns
                                                       : figures->longest_ns;
    } while (rc == RFL_BUSY);

    rfl_buf_free(&b);

    return rc;
}


static uint64_t
now_ns(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);

    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}
