/*
 * What the parts of core cost, without nginx around them:
 *
 *     core list N                   a list of N links, as CSV
 *     core pure                     what reads no registry
 *     core probes PATH N            look-ups in that list's registry
 *     core flush PATH COUNTERS N    flushes of that many cells, and history
 *     core time COMMAND...          how long it takes, and how much memory
 *
 * Prints a line for each figure: its name, a tab, a number; times are
 * nanoseconds of this thread's processor time.  Of several rounds the median
 * is printed.  COUNTERS is made.
 *
 * "cold" is: each time another link, chosen at random of all of them; the
 * pages are in memory, the processor's caches have others.  "warm": one of ten.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rfl_agent.h"
#include "rfl_attribution.h"
#include "rfl_class.h"
#include "rfl_hash.h"
#include "rfl_ledger.h"
#include "rfl_pattern.h"
#include "rfl_record.h"
#include "rfl_registry.h"


#define MAP_SIZE      ((size_t) 16 << 30)

#define ROUNDS        5
#define ROUND_NS      (100 * 1000 * 1000)
#define CALLS_MIN     256
#define TEXTS         (1 << 18)          /* a power of two */
#define WARM          10
#define RECENT        1024               /* a power of two */

#define TEXT_MAX      96
#define LANDING       "/landing/7?utm_source=blog"

/* Steps of a merge as the status tree makes them. */

#define MERGE_BUDGET  1000


typedef struct {
    char    text[TEXT_MAX];
    size_t  len;
} text_t;


typedef struct {
    text_t               *texts;         /* of TEXTS */
    size_t                mask;          /* how many of them are used */
    rfl_registry_t       *registry;
    rfl_patterns_t       *patterns;
    rfl_agent_cache_t    *agents;
    rfl_recent_t         *recent;
    rfl_counters_t       *counters;
    int                   fd;            /* of counters */
    rfl_pattern_t        *pattern;
    rfl_class_input_t     class_input;
    rfl_surt_t            surt;
    rfl_error_t           err;
    uint64_t              found;         /* what the calls came to */
} bench_t;


typedef struct {
    const char  *name;
    void       (*call)(bench_t *b, size_t i);
    const char  *text;                   /* what it is called with */
} pure_t;


static void put_list(uint32_t n);
static void page_of(uint32_t i, char *text, const char *fmt);
static int measure_pure(bench_t *b);
static int measure_probes(bench_t *b, const char *path, uint32_t n);
static int measure_recent(bench_t *b, uint32_t n);
static void fill_texts(bench_t *b, uint32_t n, const char *fmt);
static void measure(bench_t *b, const char *name,
    void (*call)(bench_t *b, size_t i));
static int compare_ns(const void *a, const void *b);
static int measure_flush(bench_t *b, const char *path, const char *counters,
    uint32_t n);
static int flush_cells(bench_t *b, rfl_ledger_t *l, rfl_counters_t *c,
    const char *name, uint32_t n, uint32_t every, uint64_t now);
static int measure_history(bench_t *b, rfl_ledger_t *l, uint32_t n,
    uint64_t now);
static int measure_command(char **argv);
static double seconds_queued(pid_t pid);
static void put_file_size(const char *name, const char *path, uint32_t n);
static int failed(bench_t *b, const char *what);
static uint64_t now_ns(clockid_t clock);

static void call_hash(bench_t *b, size_t i);
static void call_surt(bench_t *b, size_t i);
static void call_classify(bench_t *b, size_t i);
static void call_agent(bench_t *b, size_t i);
static void call_agent_seen(bench_t *b, size_t i);
static void call_regex(bench_t *b, size_t i);
static void call_probe(bench_t *b, size_t i);
static void call_decide(bench_t *b, size_t i);
static void call_request(bench_t *b, size_t i);


#define BROWSER  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, " \
                 "like Gecko) Chrome/141.0.0.0 Safari/537.36"

static const pure_t  pure[] = {
    { "hash of 54 bytes", call_hash,
      "https://www.site-0123.example/2024/10/a-launch-of-ours" },
    { "SURT of 54 bytes", call_surt,
      "https://www.site-0123.example/2024/10/a-launch-of-ours" },
    { "SURT with a query", call_surt,
      "https://www.site-0123.example/2024/10/post?id=5&utm_source=x&b=%e4" },
    { "regex, a match", call_regex,
      "https://blog.example/2024/10/a-launch-of-ours" },
    { "classify, a click", call_classify, "" },
    { "User-Agent, matched", call_agent, BROWSER },
    { "User-Agent, seen recently", call_agent_seen, BROWSER }
};


int
main(int argc, char **argv)
{
    int       rc;
    bench_t   b;
    uint32_t  n;

    memset(&b, 0, sizeof(bench_t));
    b.fd = -1;

    if (argc > 2 && strcmp(argv[1], "time") == 0) {
        return measure_command(argv + 2);
    }

    n = argc > 2 ? (uint32_t) strtoul(argv[argc - 1], NULL, 10) : 0;

    if (argc == 3 && strcmp(argv[1], "list") == 0 && n != 0) {
        put_list(n);
        return ferror(stdout) != 0;
    }

    b.texts = malloc(TEXTS * sizeof(text_t));
    if (b.texts == NULL) {
        return 1;
    }

    rc = 2;

    if (argc == 2 && strcmp(argv[1], "pure") == 0) {
        rc = measure_pure(&b);

    } else if (argc == 4 && strcmp(argv[1], "probes") == 0 && n != 0) {
        rc = measure_probes(&b, argv[2], n);

    } else if (argc == 5 && strcmp(argv[1], "flush") == 0 && n != 0) {
        rc = measure_flush(&b, argv[2], argv[3], n);

    } else {
        fprintf(stderr, "usage: core list N | pure | probes PATH N"
                " | flush PATH COUNTERS N | time COMMAND...\n");
    }

    rfl_counters_close(b.counters);

    if (b.fd != -1) {
        (void) close(b.fd);
    }

    rfl_registry_close(b.registry);
    rfl_recent_free(b.recent);
    rfl_patterns_free(b.patterns);
    rfl_agent_cache_free(b.agents);
    rfl_pattern_free(b.pattern);
    free(b.texts);

    return rc;
}


/* One host each, in no order, as exports of backlink tools have them. */

static void
put_list(uint32_t n)
{
    char      page[TEXT_MAX];
    uint32_t  i;

    static const char *const  channels[] = { "natural", "outreach", "partner",
                                             "guest-post", "press" };

    puts("source,target,name,channel,partner,labels");

    for (i = 0; i < n; i++) {
        page_of(i, page, "https://site-%08x.example/2024/post-%u");
        printf("%s,/landing/%u,Link %u,%s,Partner %u,label%u\n", page, i % 1000,
               i, channels[i % 5], i % 100, i % 10);
    }
}


/* An odd factor: no two of them are alike. */

static void
page_of(uint32_t i, char *text, const char *fmt)
{
    (void) snprintf(text, TEXT_MAX, fmt, i * 2654435761u, i);
}


static int
measure_pure(bench_t *b)
{
    size_t  i, k;

    b->agents = rfl_agent_cache_create();

    if (b->agents == NULL
        || rfl_pattern_compile(&b->pattern, rfl_cstr("/20\\d\\d/\\d+/[a-z-]+$"),
                               &b->err) != RFL_OK)
    {
        return failed(b, "pattern");
    }

    b->class_input.method = rfl_cstr("GET");
    b->class_input.sec_fetch_dest = rfl_cstr("document");
    b->class_input.accept = rfl_cstr("text/html,application/xhtml+xml");
    b->class_input.status = 200;

    for (i = 0; i < sizeof(pure) / sizeof(pure[0]); i++) {
        b->mask = 0;

        k = strlen(pure[i].text);
        b->texts[0].len = k < TEXT_MAX ? k : TEXT_MAX - 1;
        memcpy(b->texts[0].text, pure[i].text, b->texts[0].len);

        measure(b, pure[i].name, pure[i].call);
    }

    return 0;
}


static int
measure_probes(bench_t *b, const char *path, uint32_t n)
{
    if (rfl_registry_open(&b->registry, path, RFL_STORE_READ, MAP_SIZE,
                          &b->err) != RFL_OK)
    {
        return failed(b, "registry");
    }

    b->patterns = rfl_patterns_create(64);
    if (b->patterns == NULL) {
        return failed(b, "patterns");
    }

    fill_texts(b, n, "example,site-%08x)/2024/post-%u");
    measure(b, "probe, cold", call_probe);

    fill_texts(b, WARM, "example,site-%08x)/2024/post-%u");
    measure(b, "probe, warm", call_probe);

    fill_texts(b, n, "example,none-%08x)/2024/post-%u");
    measure(b, "probe that finds nothing, cold", call_probe);

    fill_texts(b, n, "https://site-%08x.example/2024/post-%u");
    measure(b, "registered, cold", call_decide);

    fill_texts(b, n, "https://none-%08x.example/2024/post-%u");
    measure(b, "unregistered, cold", call_decide);

    return measure_recent(b, n);
}


/* All that core does for a request, counting included. */

static int
measure_recent(bench_t *b, uint32_t n)
{
    rfl_registry_meta_t  meta;

    b->agents = rfl_agent_cache_create();
    b->recent = rfl_recent_create();

    if (b->agents == NULL || b->recent == NULL
        || rfl_registry_begin(b->registry, 0, &b->err) != RFL_OK)
    {
        return failed(b, "tables");
    }

    (void) rfl_registry_meta(b->registry, &meta);
    rfl_registry_end(b->registry);

    b->fd = rfl_counters_volatile_create("bench", getuid());

    if (b->fd == -1
        || rfl_counters_volatile_open(&b->counters, b->fd, meta.uuid,
                                      meta.next_id, meta.next_id,
                                      RFL_COUNTERS_WRITE|RFL_COUNTERS_CREATE,
                                      (uint64_t) time(NULL), &b->err)
           != RFL_OK
        || rfl_counters_reserve(b->counters, meta.next_id, &b->err) != RFL_OK
        || rfl_ring_open(b->counters, 0, &b->err) != RFL_OK)
    {
        return failed(b, "counters");
    }

    fill_texts(b, n, "https://site-%08x.example/2024/post-%u");
    b->mask = RECENT - 1;

    measure(b, "registered, seen recently", call_request);

    return 0;
}


static void
fill_texts(bench_t *b, uint32_t n, const char *fmt)
{
    size_t  i;

    b->mask = TEXTS - 1;
    srandom(1);

    for (i = 0; i < TEXTS; i++) {
        page_of((uint32_t) random() % n, b->texts[i].text, fmt);
        b->texts[i].len = strlen(b->texts[i].text);
    }
}


/* The first round finds out how many calls fill one, and warms up. */

static void
measure(bench_t *b, const char *name, void (*call)(bench_t *b, size_t i))
{
    size_t    i, k, n;
    double    ns[ROUNDS];
    uint64_t  from, took;

    n = CALLS_MIN;

    do {
        n *= 2;
        from = now_ns(CLOCK_THREAD_CPUTIME_ID);

        for (i = 0; i < n; i++) {
            call(b, i);
        }

        took = now_ns(CLOCK_THREAD_CPUTIME_ID) - from;
    } while (took < ROUND_NS / 2);

    for (k = 0; k < ROUNDS; k++) {
        from = now_ns(CLOCK_THREAD_CPUTIME_ID);

        for (i = 0; i < n; i++) {
            call(b, i);
        }

        ns[k] = (double) (now_ns(CLOCK_THREAD_CPUTIME_ID) - from) / (double) n;
    }

    qsort(ns, ROUNDS, sizeof(double), compare_ns);

    printf("%s\t%.1f\n", name, ns[ROUNDS / 2]);
    fflush(stdout);
}


static int
compare_ns(const void *a, const void *b)
{
    return (*(const double *) a > *(const double *) b)
           - (*(const double *) a < *(const double *) b);
}


static void
call_hash(bench_t *b, size_t i)
{
    b->found += rfl_hash(b->texts[0].text, b->texts[0].len).low;
}


static void
call_surt(bench_t *b, size_t i)
{
    rfl_url_t  url;

    if (rfl_url_parse(rfl_str(b->texts[0].text, b->texts[0].len), &url, NULL)
        == RFL_OK)
    {
        rfl_surt(&url, &b->surt);
        b->found += b->surt.len;
    }
}


static void
call_classify(bench_t *b, size_t i)
{
    b->found += rfl_classify(&b->class_input, NULL);
}


static void
call_agent(bench_t *b, size_t i)
{
    b->found += rfl_agent_is_bot(NULL, rfl_str(b->texts[0].text,
                                               b->texts[0].len));
}


static void
call_agent_seen(bench_t *b, size_t i)
{
    b->found += rfl_agent_is_bot(b->agents, rfl_str(b->texts[0].text,
                                                    b->texts[0].len));
}


static void
call_regex(bench_t *b, size_t i)
{
    b->found += rfl_pattern_match(b->pattern, rfl_str(b->texts[0].text,
                                                      b->texts[0].len))
                == RFL_OK;
}


static void
call_probe(bench_t *b, size_t i)
{
    text_t      *t;
    rfl_slot_t   slot;

    t = &b->texts[i & b->mask];

    if (rfl_registry_begin(b->registry, 0, NULL) == RFL_OK) {
        b->found += rfl_registry_slot(b->registry, RFL_SLOT_PAGE,
                                      rfl_str(t->text, t->len),
                                      rfl_str(NULL, 0), &slot) == RFL_OK;
        rfl_registry_end(b->registry);
    }
}


/* Attribution and class, as a request has them that nobody asked before. */

static void
call_decide(bench_t *b, size_t i)
{
    text_t             *t;
    rfl_request_t       request;
    rfl_attribution_t   attribution;

    t = &b->texts[i & b->mask];

    memset(&request, 0, sizeof(rfl_request_t));
    memset(&attribution, 0, sizeof(rfl_attribution_t));

    request.referer = rfl_str(t->text, t->len);
    request.landing = rfl_cstr(LANDING);
    request.host = rfl_cstr("shop.example");
    request.patterns = b->patterns;

    rfl_attribute(b->registry, &request, &attribution, NULL);

    b->found += attribution.id + rfl_classify(&b->class_input, NULL);
}


/* A click, as nginx has one counted: attribution, class, counters, event. */

static void
call_request(bench_t *b, size_t i)
{
    int             is_bot;
    text_t         *t;
    rfl_record_t    record;
    rfl_request_t   request;

    t = &b->texts[i & b->mask];

    memset(&request, 0, sizeof(rfl_request_t));
    memset(&record, 0, sizeof(rfl_record_t));

    request.referer = rfl_str(t->text, t->len);
    request.landing = rfl_cstr(LANDING);
    request.host = rfl_cstr("shop.example");
    request.patterns = b->patterns;
    request.recent = b->recent;

    rfl_attribute_soon(&request);

    is_bot = rfl_agent_is_bot(b->agents, rfl_cstr(BROWSER));

    rfl_attribute(b->registry, &request, &record.attribution, NULL);
    rfl_counters_soon(b->counters, record.attribution.id);

    record.status = 200;

    if (rfl_class_is_page(rfl_cstr("GET"), record.status,
                          rfl_cstr("document"),
                          rfl_cstr("text/html,application/xhtml+xml")))
    {
        record.class = is_bot ? RFL_CLASS_BOT : RFL_CLASS_CLICK;
    }

    record.bytes = 1000;
    record.host = request.host;
    record.now = 1700000000;
    record.now_ms = record.now * 1000;

    rfl_record(&b->counters->stripes[0], b->counters, &record);

    b->found += record.attribution.id;
}


static int
measure_flush(bench_t *b, const char *path, const char *counters, uint32_t n)
{
    int                   rc;
    char                  file[4096];
    uint64_t              now;
    rfl_ledger_t         *l;
    rfl_counters_t       *c;
    rfl_registry_meta_t   meta;

    l = NULL;
    c = NULL;
    now = (uint64_t) time(NULL);

    if (rfl_registry_open(&b->registry, path, RFL_STORE_READ, MAP_SIZE,
                          &b->err) != RFL_OK
        || rfl_registry_begin(b->registry, 0, &b->err) != RFL_OK)
    {
        return failed(b, "registry");
    }

    (void) rfl_registry_meta(b->registry, &meta);
    rfl_registry_end(b->registry);

    if (rfl_ledger_open(&l, path, meta.uuid, RFL_STORE_CREATE, MAP_SIZE,
                        &b->err) != RFL_OK
        || rfl_counters_open(&c, counters, meta.uuid, n + 1, n + 1,
                             RFL_COUNTERS_WRITE|RFL_COUNTERS_CREATE, now,
                             &b->err) != RFL_OK
        || rfl_counters_reserve(c, n + 1, &b->err) != RFL_OK)
    {
        rc = failed(b, "counters");
        goto done;
    }

    /* the ids of the list, which are the first */

    now -= now % 86400;

    rc = flush_cells(b, l, c, "flush, all for the first time", n, 1, now)
         || flush_cells(b, l, c, "flush, all again, another minute", n, 1,
                        now + 60)
         || flush_cells(b, l, c, "flush, one of 100", n, 100, now + 120)
         || measure_history(b, l, n, now);

    if (rc == 0) {
        (void) snprintf(file, sizeof(file), "%s/ledger/data.mdb", path);
        put_file_size("ledger, bytes a link", file, n);

        put_file_size("counter file, bytes a link", counters, n);
    }

done:

    rfl_counters_close(c);
    rfl_ledger_close(l);

    return rc;
}


/* A click by page each, of which four counters and a time come. */

static int
flush_cells(bench_t *b, rfl_ledger_t *l, rfl_counters_t *c, const char *name,
    uint32_t n, uint32_t every, uint64_t now)
{
    uint32_t           id, cells;
    uint64_t           cpu, wall;
    rfl_flush_t        flush;
    rfl_flush_stat_t   stat;

    cells = 0;

    for (id = 1; id <= n; id += every) {
        rfl_counters_add(&c->cells[id].n[RFL_CELL_CLICKS], 1);
        rfl_counters_add(&c->cells[id].n[RFL_CELL_CLICKS_BY_PAGE], 1);
        rfl_counters_add(&c->cells[id].n[RFL_CELL_BYTES], 12345);
        c->cells[id].n[RFL_CELL_FIRST_SEEN] = now - now % 86400;
        c->cells[id].n[RFL_CELL_LAST_SEEN] = now;
        rfl_counters_mark_dirty(c, id);
        cells++;
    }

    memset(&flush, 0, sizeof(rfl_flush_t));
    flush.counters_path = "";
    flush.now_ms = now * 1000;

    cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
    wall = now_ns(CLOCK_MONOTONIC);

    if (rfl_ledger_flush(l, c, &flush, &stat, &b->err) != RFL_OK) {
        return failed(b, name);
    }

    cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    wall = now_ns(CLOCK_MONOTONIC) - wall;

    if (stat.cells != cells) {
        fprintf(stderr, "core: %u cells were flushed, and not %u\n",
                stat.cells, cells);
        return 1;
    }

    printf("%s\t%.1f\n", name, (double) cpu / cells);
    printf("%s, s\t%.3f\n", name, (double) wall / 1e9);

    return 0;
}


/* The counters of the day for all links, as a sorted page of it sums them. */

static int
measure_history(bench_t *b, rfl_ledger_t *l, uint32_t n, uint64_t now)
{
    rfl_rc_t       rc;
    uint32_t       block, budget, left;
    uint64_t       from, ns, longest, begin, clicks;
    rfl_merge_t    merge;
    rfl_period_t   period;
    rfl_history_t  h;

    if (rfl_period_init(&period, now, now + 3600, 0) != RFL_OK) {
        return failed(b, "period");
    }

    h = rfl_ledger_history(l);
    longest = 0;
    clicks = 0;
    budget = 0;
    from = now_ns(CLOCK_THREAD_CPUTIME_ID);
    begin = from;

    if (rfl_ledger_begin(l, &b->err) != RFL_OK) {
        return failed(b, "ledger");
    }

    for (block = 0; block <= n / RFL_HISTORY_BLOCK; block++) {

        rfl_merge_start(&merge, RFL_MERGE_BLOCK, &period, block);

        do {
            left = 1;
            rc = rfl_merge_step(&merge, &h, &left);
            budget++;
        } while (rc == RFL_BUSY);

        if (rc != RFL_OK) {
            rfl_ledger_end(l);
            return failed(b, "history");
        }

        for (left = 0; left < RFL_HISTORY_BLOCK; left++) {
            clicks += merge.sum.block.cells[left].n[RFL_CELL_CLICKS];
        }

        if (budget >= MERGE_BUDGET / RFL_HISTORY_BLOCK) {
            rfl_ledger_end(l);

            ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
            longest = ns - begin > longest ? ns - begin : longest;
            begin = ns;
            budget = 0;

            if (rfl_ledger_begin(l, &b->err) != RFL_OK) {
                return failed(b, "ledger");
            }
        }
    }

    rfl_ledger_end(l);

    ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - from;

    printf("history of an hour\t%.1f\n", (double) ns / n);
    printf("history, longest step, ms\t%.3f\n", (double) longest / 1e6);

    if (clicks != 2 * (uint64_t) n + (n + 99) / 100) {
        fprintf(stderr, "core: the history has %llu clicks\n",
                (unsigned long long) clicks);
        return 1;
    }

    return 0;
}


static int
measure_command(char **argv)
{
    int            status;
    pid_t          pid;
    double         waited, took;
    siginfo_t      info;
    uint64_t       from;
    struct rusage  usage;

    from = now_ns(CLOCK_MONOTONIC);
    pid = fork();

    if (pid == 0) {
        if (freopen("/dev/null", "w", stdout) != NULL) {
            (void) execvp(argv[0], argv);
        }

        _exit(127);
    }

    if (pid == -1 || waitid(P_PID, (id_t) pid, &info, WEXITED|WNOWAIT) != 0) {
        return 1;
    }

    took = (double) (now_ns(CLOCK_MONOTONIC) - from) / 1e9;
    waited = seconds_queued(pid);

    if (wait4(pid, &status, 0, &usage) != pid || status != 0) {
        fprintf(stderr, "core: %s failed\n", argv[0]);
        return 1;
    }

    printf("seconds\t%.3f\n", took);
    printf("seconds with a processor\t%.3f\n", took - waited);
    printf("CPU\t%.3f\n", (double) (usage.ru_utime.tv_sec
                                    + usage.ru_stime.tv_sec)
                           + (double) (usage.ru_utime.tv_usec
                                       + usage.ru_stime.tv_usec) / 1e6);
    printf("KB\t%ld\n", usage.ru_maxrss);

    return 0;
}


/* How long it was ready to run and had no processor, as the kernel accounts. */

static double
seconds_queued(pid_t pid)
{
    char                path[64];
    FILE               *f;
    unsigned long long  run, queued;

    (void) snprintf(path, sizeof(path), "/proc/%d/schedstat", (int) pid);

    f = fopen(path, "r");
    if (f == NULL) {
        return 0;
    }

    if (fscanf(f, "%llu %llu", &run, &queued) != 2) {
        queued = 0;
    }

    (void) fclose(f);

    return (double) queued / 1e9;
}


static void
put_file_size(const char *name, const char *path, uint32_t n)
{
    struct stat  st;

    if (stat(path, &st) == 0) {          /* the counter file has holes */
        printf("%s\t%.1f\n", name, (double) st.st_blocks * 512 / n);
    }
}


static int
failed(bench_t *b, const char *what)
{
    fprintf(stderr, "core: %s: %s\n", what, b->err.text);

    return 1;
}


static uint64_t
now_ns(clockid_t clock)
{
    struct timespec  now;

    (void) clock_gettime(clock, &now);

    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}
