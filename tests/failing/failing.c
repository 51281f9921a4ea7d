/*
 * Lets each call of a scenario fail, one by one, until it passes without a
 * failure: then every call had its turn.  Then once more with all calls failing
 * from there on; of these FAILING_ALL=1 leaves out none, else there are fewer
 * the further it is from the start.
 *
 *     failing [NAME...]
 *
 * What is asked for: no crash, no leak (the sanitizers say so), what was begun
 * stands whole or not at all, and no half answer: a run that says RFL_OK has
 * said the same as one without failures.
 *
 * The last line counts; lines "site ADDRESS" before it are the places that
 * called what failed, for tools/failing-sites.
 */

#include "failing.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"


#define CALLS_MAX  100000
#define SITES_MAX  4096


static unsigned long run_scenario(const scenario_t *s);
static unsigned long run_failing(const scenario_t *s, const rfl_buf_t *wanted,
    int lasting);
static int run_once(const scenario_t *s, unsigned long n, int lasting,
    const rfl_buf_t *wanted);
static void make_dir(void);
static void remove_dir(void);
static int remove_file(const char *path, const struct stat *st, int type,
    struct FTW *ftw);
static int is_wanted(const char *name, int argc, char **argv);


static char                 dir[64];
static const scenario_t    *current;
static unsigned long        current_n;


int
main(int argc, char **argv)
{
    size_t                i, n;
    unsigned long         runs;
    static const void    *sites[SITES_MAX];

    if (setvbuf(stdout, NULL, _IOLBF, 0) != 0) {
        return 1;
    }

    runs = 0;

    for (i = 0; i < nscenarios; i++) {
        if (is_wanted(scenarios[i].name, argc, argv)) {
            runs += run_scenario(&scenarios[i]);
        }
    }

    n = fail_sites(sites, SITES_MAX);
    must(n <= SITES_MAX);

    for (i = 0; i < n; i++) {
        printf("site %p\n", sites[i]);
    }

    printf("%lu failing runs, %zu call sites failed\n", runs, n);

    return runs == 0;
}


static int
is_wanted(const char *name, int argc, char **argv)
{
    int  i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return 1;
        }
    }

    return argc == 1;
}


static unsigned long
run_scenario(const scenario_t *s)
{
    rfl_buf_t      wanted = rfl_buf_init;
    unsigned long  one, lasting;

    current = s;
    current_n = 0;

    make_dir();

    if (s->prepare != NULL) {
        s->prepare(dir);
    }

    must(s->run(dir, &wanted) == RFL_OK && !wanted.failed);

    if (s->verify != NULL) {
        s->verify(dir);
    }

    remove_dir();

    one = run_failing(s, &wanted, 0);
    lasting = run_failing(s, &wanted, 1);

    rfl_buf_free(&wanted);

    printf("%-10s %5lu calls failed alone, %5lu for good\n", s->name, one,
           lasting);

    return one + lasting;
}


/* Returns how many runs had a call that failed. */

static unsigned long
run_failing(const scenario_t *s, const rfl_buf_t *wanted, int lasting)
{
    unsigned long  n, runs;

    runs = 0;

    for (n = 1; /* void */ ; n++) {
        must(n < CALLS_MAX);

        if (!run_once(s, n, lasting, wanted)) {
            return runs;
        }

        runs++;

        if (lasting && getenv("FAILING_ALL") == NULL) {
            n += n > 200 ? n / 16 : 0;
        }
    }
}


/* Returns whether a call has failed. */

static int
run_once(const scenario_t *s, unsigned long n, int lasting,
    const rfl_buf_t *wanted)
{
    int        failed;
    rfl_rc_t   rc;
    rfl_buf_t  out = rfl_buf_init;

    current_n = n;

    make_dir();

    if (s->prepare != NULL) {
        s->prepare(dir);
    }

    fail_arm(n, lasting);
    rc = s->run(dir, &out);
    failed = fail_disarm();

    if (rc == RFL_OK && !out.failed) {
        must(rfl_str_eq(rfl_str(out.data, out.len),
                        rfl_str(wanted->data, wanted->len)));

    } else {
        must(failed);
    }

    rfl_buf_free(&out);

    if (s->verify != NULL) {
        s->verify(dir);
    }

    remove_dir();

    return failed;
}


static void
make_dir(void)
{
    (void) snprintf(dir, sizeof(dir), "/dev/shm/rfl-failing-XXXXXX");
    must(mkdtemp(dir) != NULL);
}


static void
remove_dir(void)
{
    must(nftw(dir, remove_file, 16, FTW_DEPTH|FTW_PHYS) == 0);
}


static int
remove_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
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
    remove_dir();
    abort();
}
