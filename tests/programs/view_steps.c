/*
 * How long the steps of the status tree's answers take, without nginx and its
 * clients around them:
 *
 *     view_steps PATH COUNTERS MICROSECONDS REQUEST...
 *
 * where a request is "links?limit=all" and so on.  Prints for each: steps,
 * bytes, the processor time of all and of the longest one in microseconds, and
 * the request.
 *
 * What else the machine does shows in the time of a thread, too (its caches
 * are shared), but not in the same step again.  So while a step is longer than
 * MICROSECONDS the answer is made anew, ROUNDS times at most, and of each step
 * the shortest time counts.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rfl_runtime.h"
#include "rfl_view.h"


#define ROUNDS  64


typedef struct {
    size_t     n;                /* steps of the last round */
    size_t     room;
    uint64_t  *shortest_ns;      /* by step, of all rounds */
    uint64_t   bytes;            /* of the last round */
    uint64_t   total_ns;
} figures_t;


static int answer(rfl_runtime_t *rt, const char *text, uint64_t limit_ns);
static int answer_once(rfl_runtime_t *rt, const char *text,
    figures_t *figures);
static rfl_rc_t step_all(rfl_view_t *view, figures_t *figures);
static int note_step(figures_t *figures, uint64_t ns);
static uint64_t longest_ns(const figures_t *figures);
static uint64_t now_ns(void);


int
main(int argc, char **argv)
{
    int                  i, failed;
    uint64_t             limit_ns;
    rfl_runtime_t        rt;
    rfl_runtime_conf_t   conf;

    if (argc < 5) {
        fprintf(stderr,
                "usage: view_steps PATH COUNTERS MICROSECONDS REQUEST...\n");
        return 2;
    }

    limit_ns = strtoull(argv[3], NULL, 10) * 1000;

    memset(&conf, 0, sizeof(rfl_runtime_conf_t));

    conf.name = "main";
    conf.path = argv[1];
    conf.counters = argv[2];
    conf.counters_dir = "";
    conf.source = "";
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

    for (i = 4; !failed && i < argc; i++) {
        failed = answer(&rt, argv[i], limit_ns);
    }

    rfl_runtime_close(&rt);

    return failed;
}


static int
answer(rfl_runtime_t *rt, const char *text, uint64_t limit_ns)
{
    int        round, failed;
    figures_t  figures;

    memset(&figures, 0, sizeof(figures_t));

    failed = 0;

    for (round = 0; !failed && round < ROUNDS; round++) {

        if (round != 0 && longest_ns(&figures) <= limit_ns) {
            break;
        }

        failed = answer_once(rt, text, &figures);
    }

    if (!failed) {
        printf("%zu %llu %llu %llu %s\n", figures.n,
               (unsigned long long) figures.bytes,
               (unsigned long long) figures.total_ns / 1000,
               (unsigned long long) longest_ns(&figures) / 1000, text);
    }

    free(figures.shortest_ns);

    return failed;
}


static int
answer_once(rfl_runtime_t *rt, const char *text, figures_t *figures)
{
    rfl_rc_t            rc;
    const char         *args;
    rfl_view_t         *view;
    rfl_view_error_t    error;
    rfl_view_request_t  request;

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

    rc = step_all(view, figures);

    rfl_view_close(view);

    if (rc != RFL_OK) {
        fprintf(stderr, "view_steps: %s: error %d\n", text, (int) rc);
        return 1;
    }

    return 0;
}


static rfl_rc_t
step_all(rfl_view_t *view, figures_t *figures)
{
    rfl_rc_t   rc;
    uint64_t   from, ns;
    rfl_buf_t  b = rfl_buf_init;

    figures->n = 0;
    figures->bytes = 0;
    figures->total_ns = 0;

    do {
        b.len = 0;
        from = now_ns();

        rc = rfl_view_step(view, &b);

        ns = now_ns() - from;

        figures->bytes += b.len;
        figures->total_ns += ns;

        if (note_step(figures, ns) != 0) {
            rc = RFL_NO_MEMORY;
        }

    } while (rc == RFL_BUSY);

    rfl_buf_free(&b);

    return rc;
}


static int
note_step(figures_t *figures, uint64_t ns)
{
    size_t     i, room;
    uint64_t  *shortest;

    if (figures->n == figures->room) {
        room = figures->room != 0 ? 2 * figures->room : 1024;

        shortest = realloc(figures->shortest_ns, room * sizeof(uint64_t));
        if (shortest == NULL) {
            return -1;
        }

        for (i = figures->room; i < room; i++) {
            shortest[i] = UINT64_MAX;
        }

        figures->shortest_ns = shortest;
        figures->room = room;
    }

    shortest = &figures->shortest_ns[figures->n++];

    if (*shortest > ns) {
        *shortest = ns;
    }

    return 0;
}


static uint64_t
longest_ns(const figures_t *figures)
{
    size_t    i;
    uint64_t  longest;

    longest = 0;

    for (i = 0; i < figures->n; i++) {
        if (figures->shortest_ns[i] > longest) {
            longest = figures->shortest_ns[i];
        }
    }

    return longest;
}


static uint64_t
now_ns(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);

    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}
