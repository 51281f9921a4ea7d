/*
 * top: what comes in right now, as top(1) shows processes.
 *
 * On a terminal it takes the screen and listens to keys; elsewhere it writes
 * one sample after the other, plain.
 */

#include "top.h"

#include <stdlib.h>
#include <time.h>


#define INTERVAL_MS      2000
#define INTERVAL_MIN_MS  100
#define INTERVAL_MAX_MS  3600000
#define PLAIN_ROWS       20

#define OPTION_INTERVAL  (CLI_OPTION_FIRST + 0)
#define OPTION_COUNT     (CLI_OPTION_FIRST + 1)
#define OPTION_LIMIT     (CLI_OPTION_FIRST + 2)
#define OPTION_SORT      (CLI_OPTION_FIRST + 3)

#define KEYS  "q quit  r rate  c clicks  e errors  b bots  s seen  space now"


typedef struct {
    unsigned     interval_ms;
    uint64_t     count;                  /* samples; 0: no end */
    uint64_t     limit;                  /* rows; 0: as many as fit */
} options_t;


static int run(cli_t *cli, int argc, char **argv);
static int read_options(cli_t *cli, int argc, char **argv, options_t *o,
    top_sort_t *sort);
static rfl_rc_t interval_value(const char *text, unsigned *ms);
static int run_screen(top_t *top, const options_t *o);
static int show_screen(top_t *top, const options_t *o, int is_new,
    rfl_buf_t *frame, rfl_buf_t *said);
static int wait_for_key(top_t *top, uint64_t due_ms, int *is_new);
static int run_plain(top_t *top, const options_t *o);
static uint64_t steady_ms(void);


const cli_command_t  cli_top = {
    "top",
    "[--interval S] [--count N] [--limit N] [--sort WHAT]",
    "show live which links are followed",
    "Shows the links and groups with most requests, from nginx's counter\n"
    "file, again and again; in a pipe, one plain table after the other, with\n"
    "--json a line each.  Keys: q quits; r, c, e, b, s sort by requests a\n"
    "second, clicks, errors, bots, last seen; space shows it anew.\n"
    "\n"
    "      --interval S      seconds between two samples, 0.1 to 3600;\n"
    "                        default 2\n"
    "      --count N         ends after N samples\n"
    "      --limit N         no more than N rows; default what fits, in a\n"
    "                        pipe 20\n"
    "      --sort WHAT       rate, clicks, errors, bots or seen; default\n"
    "                        rate",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    int         status;
    top_t      *top;
    options_t   o;
    top_sort_t  sort;

    status = read_options(cli, argc, argv, &o, &sort);
    if (status != CLI_OK) {
        return cli->status;
    }

    top = calloc(1, sizeof(top_t));
    if (top == NULL) {
        return cli_fail("top", "no memory");
    }

    top->cli = cli;
    top->sort = sort;

    status = cli_open(cli, &top->env, CLI_OPEN_READ|CLI_OPEN_TOTALS);

    if (status == CLI_OK) {
        status = !cli->json && cli_screen_open() == RFL_OK
                 ? run_screen(top, &o) : run_plain(top, &o);
    }

    top_close(top);
    free(top);

    return status;
}


/* Not CLI_OK: cli->status is the exit code. */

static int
read_options(cli_t *cli, int argc, char **argv, options_t *o,
    top_sort_t *sort)
{
    int       opt;
    unsigned  i;

    static const struct option  options[] = {
        cli_common_options,
        { "interval", required_argument, NULL, OPTION_INTERVAL },
        { "count", required_argument, NULL, OPTION_COUNT },
        { "limit", required_argument, NULL, OPTION_LIMIT },
        { "sort", required_argument, NULL, OPTION_SORT },
        { NULL, 0, NULL, 0 }
    };

    o->interval_ms = INTERVAL_MS;
    o->count = 0;
    o->limit = 0;
    *sort = TOP_RATE;

    while ((opt = cli_option(cli, argc, argv, options)) != -1) {

        switch (opt) {

        case CLI_OPTION_STOP:
            return CLI_STOPPED;

        case OPTION_INTERVAL:
            if (interval_value(optarg, &o->interval_ms) != RFL_OK) {
                cli->status = cli_wrong_usage(cli, "--interval \"%s\" is not "
                                              "0.1 to 3600 seconds", optarg);
                return CLI_STOPPED;
            }

            break;

        case OPTION_COUNT:
            if (cli_number(optarg, 1, UINT32_MAX, &o->count) != RFL_OK) {
                cli->status = cli_wrong_usage(cli, "--count \"%s\" is no "
                                              "number above 0", optarg);
                return CLI_STOPPED;
            }

            break;

        case OPTION_LIMIT:
            if (cli_number(optarg, 1, TOP_ROWS_MAX, &o->limit) != RFL_OK) {
                cli->status = cli_wrong_usage(cli, "--limit \"%s\" is not 1 "
                                              "to %d", optarg, TOP_ROWS_MAX);
                return CLI_STOPPED;
            }

            break;

        case OPTION_SORT:
            for (i = 0; i < TOP_SORTS; i++) {
                if (rfl_str_eq(rfl_cstr(optarg), top_sort_names[i])) {
                    *sort = (top_sort_t) i;
                    break;
                }
            }

            if (i == TOP_SORTS) {
                cli->status = cli_wrong_usage(cli, "--sort \"%s\" is not "
                                              "rate, clicks, errors, bots or "
                                              "seen", optarg);
                return CLI_STOPPED;
            }

            break;
        }
    }

    if (optind != argc) {
        cli->status = cli_wrong_usage(cli, "unexpected argument \"%s\"",
                                      argv[optind]);
        return CLI_STOPPED;
    }

    return CLI_OK;
}


static rfl_rc_t
interval_value(const char *text, unsigned *ms)
{
    char    *end;
    double   seconds;

    if (text[0] == '\0' || text[strspn(text, "0123456789.")] != '\0') {
        return RFL_INVALID;
    }

    seconds = strtod(text, &end);

    if (*end != '\0' || seconds * 1000 < INTERVAL_MIN_MS
        || seconds * 1000 > INTERVAL_MAX_MS)
    {
        return RFL_INVALID;
    }

    *ms = (unsigned) (seconds * 1000 + 0.5);

    return RFL_OK;
}


static int
run_screen(top_t *top, const options_t *o)
{
    int        key, is_new, status;
    uint64_t   shown, due_ms;
    rfl_buf_t  frame = rfl_buf_init;
    rfl_buf_t  said = rfl_buf_init;

    cli_keep_messages(&said);

    is_new = 1;
    shown = 0;
    due_ms = 0;

    for ( ;; ) {

        if (is_new) {
            due_ms = steady_ms() + o->interval_ms;
            shown++;
        }

        status = show_screen(top, o, is_new, &frame, &said);

        if (status != CLI_OK || (o->count != 0 && shown >= o->count)) {
            break;
        }

        key = wait_for_key(top, due_ms, &is_new);

        if (key == CLI_SCREEN_QUIT) {
            break;
        }
    }

    cli_keep_messages(NULL);
    cli_screen_close();

    if (status != CLI_OK && said.len != 0) {
        (void) fwrite(said.data, 1, said.len, stderr);
    }

    rfl_buf_free(&said);
    rfl_buf_free(&frame);

    return status;
}


static int
show_screen(top_t *top, const options_t *o, int is_new, rfl_buf_t *frame,
    rfl_buf_t *said)
{
    int     status;
    size_t  columns, lines, n;

    cli_screen_size(&columns, &lines);

    n = lines > TOP_HEAD ? lines - TOP_HEAD : 1;

    if (o->limit != 0 && o->limit < n) {
        n = (size_t) o->limit;
    }

    if (is_new) {
        said->len = 0;
        status = top_sample(top, n);

    } else {
        status = top_select(top, n);
    }

    if (status != CLI_OK) {
        return status;
    }

    top_text(frame, top, columns, lines, cli_has_colours(),
             said->len != 0 ? rfl_str(said->data, said->len - 1)
                            : rfl_cstr(KEYS));

    return cli_screen_show(frame);
}


/* Returns when there is something to show. */

static int
wait_for_key(top_t *top, uint64_t due_ms, int *is_new)
{
    int       key;
    uint64_t  now_ms;

    for ( ;; ) {
        now_ms = steady_ms();

        key = cli_screen_wait(due_ms > now_ms ? (unsigned) (due_ms - now_ms)
                                              : 0);
        *is_new = 0;

        switch (key) {

        case CLI_SCREEN_TIMEOUT:
            *is_new = steady_ms() >= due_ms;

            if (*is_new) {
                return key;
            }

            break;

        case ' ':
            *is_new = 1;
            return key;

        case 'q':
        case 'Q':
            return CLI_SCREEN_QUIT;

        case 'r':
            top->sort = TOP_RATE;
            return key;

        case 'c':
            top->sort = TOP_CLICKS;
            return key;

        case 'e':
            top->sort = TOP_ERRORS;
            return key;

        case 'b':
            top->sort = TOP_BOTS;
            return key;

        case 's':
            top->sort = TOP_SEEN;
            return key;

        case CLI_SCREEN_RESIZED:
        case CLI_SCREEN_QUIT:
            return key;

        default:
            break;
        }
    }
}


static int
run_plain(top_t *top, const options_t *o)
{
    int              status;
    size_t           n;
    uint64_t         shown;
    rfl_buf_t        out = rfl_buf_init;
    struct timespec  interval;

    interval.tv_sec = o->interval_ms / 1000;
    interval.tv_nsec = (long) (o->interval_ms % 1000) * 1000000;

    n = o->limit != 0 ? (size_t) o->limit : PLAIN_ROWS;

    for (shown = 0; /* void */ ; /* void */ ) {

        status = top_sample(top, n);
        if (status != CLI_OK) {
            break;
        }

        if (top->cli->json) {
            top_json(&out, top);

        } else {
            if (shown != 0) {
                rfl_buf_char(&out, '\n');
            }

            top_text(&out, top, 0, 0, 0, rfl_str(NULL, 0));
        }

        status = cli_write(top->cli, &out);

        if (status == CLI_OK && fflush(stdout) != 0) {
            status = CLI_FAILED;         /* main() says why */
        }

        shown++;

        if (status != CLI_OK || (o->count != 0 && shown >= o->count)) {
            break;
        }

        (void) clock_nanosleep(CLOCK_MONOTONIC, 0, &interval, NULL);
    }

    rfl_buf_free(&out);

    return status;
}


static uint64_t
steady_ms(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}
