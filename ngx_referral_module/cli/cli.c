/*
 * Options and messages of all subcommands.
 */

#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>


#define WHAT_WIDTH    200

#define SCREEN_WIDTH  80             /* of a terminal that does not say */
#define SCREEN_MIN    40
#define SCREEN_MAX    10000


static void print_usage(const cli_command_t *command);
static void message(const char *what, const char *fmt, va_list args);


static rfl_buf_t  *kept_messages;


int
cli_option(cli_t *cli, int argc, char **argv, const struct option *options)
{
    int  opt;

    for ( ;; ) {
        opt = getopt_long(argc, argv, ":d:h", options, NULL);

        switch (opt) {

        case CLI_OPTION_DIR:
            if (optarg[0] == '\0') {
                cli->status = cli_wrong_usage(cli, "the path of --dir is "
                                              "empty");
                return CLI_OPTION_STOP;
            }

            cli->dir = optarg;
            break;

        case CLI_OPTION_JSON:
            cli->json = 1;
            break;

        case CLI_OPTION_HELP:
            print_usage(cli->command);
            cli->status = CLI_OK;
            return CLI_OPTION_STOP;

        case '?':
        case ':':
            cli->status = cli_option_refused(cli, opt, argv);
            return CLI_OPTION_STOP;

        default:
            return opt;
        }
    }
}


/*
 * An unknown short option stands in optopt, and the word it is in was perhaps
 * not passed yet.  Else optind has passed the word that is wrong.
 */

int
cli_option_refused(const cli_t *cli, int opt, char **argv)
{
    const char  *word;

    word = argv[optind - 1];

    if (opt == ':') {
        return cli_wrong_usage(cli, "option %s needs a value", word);
    }

    if (optopt > ' ' && optopt < 127 && strchr("dh", optopt) == NULL) {
        return cli_wrong_usage(cli, "unknown option -%c", optopt);
    }

    if (optopt > 0) {
        return cli_wrong_usage(cli, "option %s takes no value", word);
    }

    return cli_wrong_usage(cli, "unknown option %s", word);
}


static void
print_usage(const cli_command_t *command)
{
    printf("usage: referralctl [-d PATH] [--json] %s%s%s\n\n%s\n"
           "  -d, --dir PATH        the registry's directory\n"
           "      --json            answer in JSON\n"
           "  -h, --help            this text\n",
           command->name, command->arguments[0] != '\0' ? " " : "",
           command->arguments, command->help);
}


int
cli_fail(const char *what, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    message(what, fmt, args);
    va_end(args);

    return CLI_FAILED;
}


void
cli_warn(const char *what, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    message(what, fmt, args);
    va_end(args);
}


int
cli_wrong_usage(const cli_t *cli, const char *fmt, ...)
{
    va_list     args;
    const char  *name;

    name = cli->command != NULL ? cli->command->name : NULL;

    va_start(args, fmt);
    message(name != NULL ? name : "usage", fmt, args);
    va_end(args);

    fprintf(stderr, "try \"referralctl %s%s--help\"\n",
            name != NULL ? name : "", name != NULL ? " " : "");

    return CLI_USAGE;
}


void
cli_keep_messages(rfl_buf_t *b)
{
    kept_messages = b;
}


static void
message(const char *what, const char *fmt, va_list args)
{
    char  text[2 * RFL_ERROR_TEXT];

    (void) vsnprintf(text, sizeof(text), fmt, args);

    cli_warn_text(what, rfl_cstr(text));
}


/* What was printed so far comes first where both go to one place. */

void
cli_warn_text(const char *what, rfl_str_t text)
{
    rfl_buf_t  b = rfl_buf_init;

    rfl_buf_text(&b, "referralctl: ");
    (void) cli_safe_cut(&b, rfl_cstr(what), WHAT_WIDTH);
    rfl_buf_text(&b, ": ");
    (void) cli_safe(&b, text);
    rfl_buf_char(&b, '\n');

    if (kept_messages != NULL) {
        kept_messages->len = 0;          /* the last one */
        rfl_buf_add(kept_messages, b.data, b.len);
        rfl_buf_free(&b);
        return;
    }

    (void) fflush(stdout);

    if (b.failed) {
        fputs("referralctl: no memory\n", stderr);

    } else {
        (void) fwrite(b.data, 1, b.len, stderr);
    }

    rfl_buf_free(&b);
}


rfl_rc_t
cli_assignment(const cli_t *cli, const char *text,
    const rfl_link_field_t **field, rfl_str_t *value, int *status)
{
    const char  *equals;

    equals = strchr(text, '=');

    if (equals == NULL) {
        *status = cli_wrong_usage(cli, "\"%s\" is not FIELD=VALUE", text);
        return RFL_INVALID;
    }

    *field = rfl_link_field(rfl_str(text, equals - text));

    if (*field == NULL) {
        *status = cli_wrong_usage(cli, "a link has no field \"%.*s\"",
                                  (int) (equals - text), text);
        return RFL_INVALID;
    }

    *value = rfl_cstr(equals + 1);

    return RFL_OK;
}


rfl_rc_t
cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *n)
{
    char           *end;
    unsigned long   value;

    if (text[0] < '0' || text[0] > '9') {
        return RFL_INVALID;
    }

    errno = 0;
    value = strtoul(text, &end, 10);

    if (errno != 0 || *end != '\0' || value < min || value > max) {
        return RFL_INVALID;
    }

    *n = value;

    return RFL_OK;
}


void
cli_option_name(const rfl_link_field_t *field, char *out)
{
    size_t  i;

    for (i = 0; i < field->name.len && i < CLI_OPTION_NAME - 1; i++) {
        out[i] = field->name.data[i] == '_' ? '-' : (char) field->name.data[i];
    }

    out[i] = '\0';
}


size_t
cli_screen_width(void)
{
    uint64_t         n;
    const char      *columns;
    struct winsize   size;

    columns = getenv("COLUMNS");

    if (columns != NULL
        && cli_number(columns, SCREEN_MIN, SCREEN_MAX, &n) == RFL_OK)
    {
        return (size_t) n;
    }

    if ((ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0
         || ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0)
        && size.ws_col != 0)
    {
        return size.ws_col > SCREEN_MIN ? size.ws_col : SCREEN_MIN;
    }

    return SCREEN_WIDTH;
}
