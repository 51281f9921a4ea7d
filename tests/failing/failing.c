/*
 * Lets the calls of a scenario fail, one by one: each is the only one that
 * fails in one run of the scenario, and the first of all that fail from there
 * on in another.
 *
 *     failing [NAME...]
 *
 * What is asked for: no crash, no leak (the sanitizers say so), what was begun
 * stands whole or not at all, an error has a text, and no half answer: a run
 * that says RFL_OK has said the same as one without failures.  Whatever has
 * failed, the same once more without failures succeeds: as if nothing had
 * happened before, or as behind a run that succeeded.  (Not where nothing is
 * said: it would be no more than verified again.)
 *
 * Calls that the same callers led to are alike, and some of them stand for the
 * others.  FAILING_ALL=1 leaves out none.
 *
 * The last line counts; lines "site ADDRESS" before it are the places that
 * called what failed, for tools/failing-sites.
 */

#include "failing.h"

#include <stdio.h>
#include <stdlib.h>

#include "fail.h"


#define CALLS_MAX  100000
#define SITES_MAX  4096
#define PATHS_MAX  16384                 /* a power of two */

/*
 * Of calls that are alike the first one fails alone, the fourth, the sixteenth
 * and so on.  Of calls that are not one in LASTING_STEP fails for good, and the
 * first ones of all and of each place.
 */

#define LASTING_MIN   32
#define LASTING_STEP  4


typedef struct {
    rfl_rc_t   rc;
    rfl_buf_t  out;
} answer_t;


static unsigned long run_scenario(const scenario_t *s);
static unsigned long run_failing(const scenario_t *s, int lasting);
static int is_left_out(unsigned long n, int lasting);
static unsigned long times_from_there(unsigned long n);
static unsigned *times_alike(uint64_t path, int lasting);
static int run_once(const scenario_t *s, unsigned long n, int lasting);
static void run_steps(const scenario_t *s, answer_t *answer);
static int same(const answer_t *a, const answer_t *b);
static void show(const char *name, const answer_t *answer);
static void verify(const scenario_t *s);
static int is_wanted(const group_t *group, const scenario_t *s, int argc,
    char **argv);


static const group_t  groups[] = {
    { "stores",  store_scenarios },
    { "status",  status_scenarios },
    { "threads", thread_scenarios },
    { "command", command_scenarios }
};

#define GROUPS  (sizeof(groups) / sizeof(groups[0]))


static const scenario_t  *current;
static unsigned long      current_n;

static answer_t           got;
static answer_t           wanted;        /* without failures */
static answer_t           again;         /* the same once more after that */

static fail_call_t        calls[CALLS_MAX];
static size_t             ncalls;


/* Memory of ASan's own is written, not mapped anew: that is half the time. */

const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "clear_shadow_mmap_threshold=100000000:max_malloc_fill_size=0";
}


int
main(int argc, char **argv)
{
    size_t                i, n;
    unsigned long         runs;
    const scenario_t     *s;
    static const void    *sites[SITES_MAX];

    if (setvbuf(stdout, NULL, _IOLBF, 0) != 0) {
        return 1;
    }

    scene_begin();
    runs = 0;

    for (i = 0; i < GROUPS; i++) {
        for (s = groups[i].scenarios; s->name != NULL; s++) {
            if (is_wanted(&groups[i], s, argc, argv)) {
                runs += run_scenario(s);
            }
        }
    }

    scene_end();

    n = fail_sites(sites, SITES_MAX);
    must(n <= SITES_MAX);

    for (i = 0; i < n; i++) {
        printf("site %p\n", sites[i]);
    }

    printf("%lu failing runs, %zu call sites failed\n", runs, n);

    return runs == 0;
}


static int
is_wanted(const group_t *group, const scenario_t *s, int argc, char **argv)
{
    int  i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], group->name) == 0 || strcmp(argv[i], s->name) == 0)
        {
            return 1;
        }
    }

    return argc == 1;
}


static unsigned long
run_scenario(const scenario_t *s)
{
    unsigned long  one, lasting;

    current = s;
    current_n = 0;

    scene_prepare(s->prepare);
    scene_restore();

    fail_lack(s->lacks);
    fail_record(calls, CALLS_MAX);
    run_steps(s, &wanted);
    ncalls = fail_recorded();

    must(wanted.rc == RFL_OK);
    must(ncalls < CALLS_MAX);
    verify(s);

    run_steps(s, &again);
    verify(s);

    one = run_failing(s, 0);
    lasting = run_failing(s, 1);

    rfl_buf_free(&wanted.out);
    rfl_buf_free(&again.out);

    printf("%-10s %5zu calls, %4lu failed alone, %4lu for good\n", s->name,
           ncalls, one, lasting);

    return one + lasting;
}


/*
 * Returns how many runs had a call that failed.  Behind the calls that were
 * recorded there are more where threads are, or what failed is tried again.
 */

static unsigned long
run_failing(const scenario_t *s, int lasting)
{
    int            failed;
    unsigned long  n, runs;

    runs = 0;

    for (n = 1; /* void */ ; n++) {
        must(n < CALLS_MAX);

        if (n <= ncalls && is_left_out(n, lasting)) {
            continue;
        }

        failed = run_once(s, n, lasting);
        runs += (unsigned long) failed;

        if (n > ncalls && !failed) {
            return runs;
        }
    }
}


static int
is_left_out(unsigned long n, int lasting)
{
    int       is_first;
    unsigned  times;

    if (getenv("FAILING_ALL") != NULL) {
        return 0;
    }

    times = ++*times_alike(calls[n - 1].path, lasting);

    if (lasting) {
        is_first = ++*times_alike((uintptr_t) calls[n - 1].site, lasting) == 1;

        return !is_first
               && (times != 1 || (n > LASTING_MIN && n % LASTING_STEP != 0));
    }

    while (times % 4 == 0) {
        times /= 4;
    }

    return times != 1;
}


/*
 * How often a call was alike before, in this scenario or another one: by its
 * path, or its place.
 */

static unsigned *
times_alike(uint64_t path, int lasting)
{
    size_t  i;

    static struct {
        uint64_t  path;
        unsigned  times[2];
    } known[PATHS_MAX];

    i = path % PATHS_MAX;

    while (known[i].path != 0 && known[i].path != path) {
        i = (i + 1) % PATHS_MAX;
    }

    known[i].path = path;

    return &known[i].times[lasting];
}


/* Which call it is of those from the same place. */

static unsigned long
times_from_there(unsigned long n)
{
    unsigned long  i, times;

    for (i = 1, times = 1; i < n; i++) {
        times += calls[i - 1].site == calls[n - 1].site;
    }

    return times;
}


/* Returns whether a call has failed. */

static int
run_once(const scenario_t *s, unsigned long n, int lasting)
{
    int  failed;

    current_n = n;

    scene_restore();

    if (lasting || n > ncalls) {
        fail_arm(n, lasting);

    } else {
        fail_arm_site(calls[n - 1].site, times_from_there(n));
    }

    run_steps(s, &got);
    failed = fail_disarm();

    must(got.rc == RFL_OK ? same(&got, &wanted) : failed);
    verify(s);
    rfl_buf_free(&got.out);

    if (failed && wanted.out.len != 0) {
        run_steps(s, &got);
        must(same(&got, &wanted) || same(&got, &again));
        rfl_buf_free(&got.out);
    }

    return failed;
}


static void
run_steps(const scenario_t *s, answer_t *answer)
{
    scene_t         scene;
    const step_pt  *step;

    memset(answer, 0, sizeof(answer_t));

    scene_open(&scene, &answer->out);

    for (step = s->steps; *step != NULL && answer->rc == RFL_OK; step++) {
        scene.err.text[0] = '\0';
        answer->rc = (*step)(&scene);

        must(answer->rc == RFL_OK || scene.err.text[0] != '\0');
    }

    scene_close(&scene);

    if (answer->out.failed) {
        answer->rc = RFL_NO_MEMORY;
    }
}


static int
same(const answer_t *a, const answer_t *b)
{
    return a->rc == b->rc
           && (a->rc != RFL_OK
               || rfl_str_eq(rfl_str(a->out.data, a->out.len),
                             rfl_str(b->out.data, b->out.len)));
}


static void
show(const char *name, const answer_t *answer)
{
    (void) fprintf(stderr, "%s: %d\n%.*s\n", name, (int) answer->rc,
                   (int) answer->out.len, (const char *) answer->out.data);
}


static void
verify(const scenario_t *s)
{
    if (s->verify != NULL) {
        s->verify(scene_dir(), s->before, s->after);
    }
}


void
must_fail(const char *file, int line, const char *what)
{
    int  failed;

    failed = fail_disarm();

    (void) fflush(stdout);
    (void) fprintf(stderr, "%s:%d: does not hold: %s\n"
                   "scenario %s, call %lu%s%s\n", file, line, what,
                   current != NULL ? current->name : "none", current_n,
                   failed ? ", what failed: " : "",
                   failed ? fail_name() : "");

    show("got", &got);
    show("wanted", &wanted);
    show("or, later", &again);

    scene_end();
    abort();
}
