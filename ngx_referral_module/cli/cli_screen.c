/*
 * The terminal as a screen: for commands that show what changes.
 *
 * Frames go to the alternate screen, so that what stood there before is back
 * when the command ends, however it ends.  A frame is one write(): lines are
 * written over, and what is left of the old one is erased behind each of
 * them, never the screen before.
 */

#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>


/* ECMA-48, and DEC's private modes as xterm has them. */

#define ENTER       "\033[?1049h\033[?25l"
#define LEAVE       "\033[?25h\033[?1049l"
#define HOME        "\033[H"
#define ERASE_LINE  "\033[K"
#define ERASE_REST  "\033[J"

#define LINES       24               /* of a terminal that does not say */
#define LINES_MIN   5


static void enter(void);
static void leave(void);
static void stop(void);
static void note(int signo);
static void catch(int signo);
static rfl_rc_t write_all(const void *data, size_t len);


static struct {
    struct termios   saved;
    sigset_t         mask;               /* while waiting */
    unsigned         is_open:1;
    unsigned         has_keys:1;         /* standard input is a terminal */
} screen;


static volatile sig_atomic_t  quit, resized, stopped;


rfl_rc_t
cli_screen_open(void)
{
    size_t       i;
    sigset_t     set;
    const char  *term;

    static const int  signals[] = {
        SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH
    };

    term = getenv("TERM");

    if (!isatty(STDOUT_FILENO) || term == NULL || term[0] == '\0'
        || strcmp(term, "dumb") == 0)
    {
        return RFL_INVALID;
    }

    /* they are let in while waiting alone: no frame is cut in two */

    (void) sigemptyset(&set);

    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        catch(signals[i]);
        (void) sigaddset(&set, signals[i]);
    }

    (void) sigprocmask(SIG_BLOCK, &set, &screen.mask);

    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void) sigdelset(&screen.mask, signals[i]);
    }

    screen.has_keys = tcgetattr(STDIN_FILENO, &screen.saved) == 0;

    (void) fflush(stdout);
    enter();
    (void) atexit(cli_screen_close);

    return RFL_OK;
}


void
cli_screen_close(void)
{
    if (screen.is_open) {
        leave();
    }
}


/* Keys come one by one, unseen; those that send signals still do. */

static void
enter(void)
{
    struct termios  raw;

    if (screen.has_keys) {
        raw = screen.saved;
        raw.c_lflag &= ~(tcflag_t) (ICANON|ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;

        (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    }

    (void) write_all(ENTER, sizeof(ENTER) - 1);
    screen.is_open = 1;
}


static void
leave(void)
{
    (void) write_all(LEAVE, sizeof(LEAVE) - 1);

    if (screen.has_keys) {
        (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen.saved);
    }

    screen.is_open = 0;
}


/* Ctrl-Z: the shell gets its screen back, and gives it again. */

static void
stop(void)
{
    stopped = 0;

    leave();
    (void) raise(SIGSTOP);
    enter();
}


static void
note(int signo)
{
    switch (signo) {

    case SIGWINCH:
        resized = 1;
        break;

    case SIGTSTP:
        stopped = 1;
        break;

    default:
        quit = 1;
        break;
    }
}


static void
catch(int signo)
{
    struct sigaction  action;

    memset(&action, 0, sizeof(struct sigaction));
    action.sa_handler = note;
    (void) sigemptyset(&action.sa_mask);

    (void) sigaction(signo, &action, NULL);
}


void
cli_screen_size(size_t *columns, size_t *lines)
{
    uint64_t        n;
    const char     *text;
    struct winsize  size;

    *columns = cli_screen_width();
    *lines = LINES;

    text = getenv("LINES");

    if (text != NULL && cli_number(text, LINES_MIN, 10000, &n) == RFL_OK) {
        *lines = (size_t) n;

    } else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0
               && size.ws_row >= LINES_MIN)
    {
        *lines = size.ws_row;
    }
}


/* A terminal that is gone is no reason to go on. */

int
cli_screen_wait(unsigned ms)
{
    int              n;
    u_char           key;
    ssize_t          got;
    struct pollfd    in;
    struct timespec  timeout;

    in.fd = screen.has_keys ? STDIN_FILENO : -1;
    in.events = POLLIN;
    in.revents = 0;

    timeout.tv_sec = ms / 1000;
    timeout.tv_nsec = (long) (ms % 1000) * 1000000;

    n = ppoll(&in, 1, &timeout, &screen.mask);

    if (quit) {
        return CLI_SCREEN_QUIT;
    }

    if (stopped) {
        stop();
        return CLI_SCREEN_RESIZED;
    }

    if (resized) {
        resized = 0;
        return CLI_SCREEN_RESIZED;
    }

    if (n <= 0) {
        return n == 0 || errno == EINTR ? CLI_SCREEN_TIMEOUT
                                        : CLI_SCREEN_QUIT;
    }

    got = read(STDIN_FILENO, &key, 1);

    return got == 1 && key != 0 ? key : CLI_SCREEN_QUIT;
}


int
cli_screen_show(rfl_buf_t *frame)
{
    size_t     start, end;
    rfl_rc_t   rc;
    rfl_buf_t  out = rfl_buf_init;

    rfl_buf_text(&out, HOME);

    for (start = 0; start < frame->len; start = end + 1) {

        for (end = start; end < frame->len && frame->data[end] != '\n'; end++)
        {
            /* void */
        }

        rfl_buf_add(&out, frame->data + start, end - start);
        rfl_buf_text(&out, ERASE_LINE);

        if (end + 1 < frame->len) {      /* the last line must not scroll */
            rfl_buf_text(&out, "\r\n");
        }
    }

    rfl_buf_text(&out, ERASE_REST);

    rc = out.failed || frame->failed ? RFL_NO_MEMORY
                                     : write_all(out.data, out.len);

    rfl_buf_free(&out);
    frame->len = 0;

    return rc == RFL_OK ? CLI_OK : CLI_FAILED;
}


static rfl_rc_t
write_all(const void *data, size_t len)
{
    ssize_t        n;
    const u_char  *p = data;

    while (len > 0) {
        n = write(STDOUT_FILENO, p, len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return RFL_ERROR;
        }

        p += n;
        len -= (size_t) n;
    }

    return RFL_OK;
}


/* https://no-color.org: whoever sets it to anything wants none. */

int
cli_has_colours(void)
{
    const char  *none, *term;

    none = getenv("NO_COLOR");
    term = getenv("TERM");

    return (none == NULL || none[0] == '\0')
           && term != NULL && strcmp(term, "dumb") != 0;
}
