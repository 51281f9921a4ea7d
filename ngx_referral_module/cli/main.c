/*
 * referralctl: the command of ngx_referral_module.
 *
 * Options before the command's name are read here, the rest by the command.
 */

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>


#define OPTION_VERSION  CLI_OPTION_FIRST


static int fill_descriptors(void);
static const cli_command_t *find_command(const char *name);
static int close_output(const cli_t *cli, int status);
static void print_help(void);


static const cli_command_t *const  commands[] = {
    &cli_init,
    &cli_add,
    &cli_import,
    &cli_list,
    &cli_show,
    &cli_top,
    &cli_history,
    &cli_sources,
    &cli_ignore,
    &cli_set,
    &cli_rm,
    &cli_match,
    &cli_export,
    &cli_check,
    &cli_backup,
    &cli_compact
};


int
main(int argc, char **argv)
{
    int         opt;
    cli_t       cli;
    const char  *dir;

    static const struct option  options[] = {
        cli_common_options,
        { "version", no_argument, NULL, OPTION_VERSION },
        { NULL, 0, NULL, 0 }
    };

    if (fill_descriptors() != 0) {
        return CLI_FAILED;
    }

    memset(&cli, 0, sizeof(cli_t));

    dir = getenv("REFERRALCTL_DIR");
    cli.dir = (dir != NULL && dir[0] != '\0') ? dir : CLI_DIR;

    opterr = 0;

    while ((opt = getopt_long(argc, argv, "+:d:hV", options, NULL)) != -1) {

        switch (opt) {

        case CLI_OPTION_DIR:
            if (optarg[0] == '\0') {
                return cli_wrong_usage(&cli, "the path of --dir is empty");
            }

            cli.dir = optarg;
            break;

        case CLI_OPTION_JSON:
            cli.json = 1;
            break;

        case CLI_OPTION_HELP:
            print_help();
            return close_output(&cli, CLI_OK);

        case 'V':
        case OPTION_VERSION:
            printf("referralctl %s\n", RFL_VERSION);
            return close_output(&cli, CLI_OK);

        default:
            return cli_option_refused(&cli, opt, argv);
        }
    }

    if (optind == argc) {
        return cli_wrong_usage(&cli, "no command was given");
    }

    cli.command = find_command(argv[optind]);

    if (cli.command == NULL) {
        return cli_wrong_usage(&cli, "unknown command \"%s\"", argv[optind]);
    }

    argc -= optind;
    argv += optind;

    optind = 0;      /* getopt_long() begins anew */

    return close_output(&cli, cli.command->run(&cli, argc, argv));
}


/*
 * A file of ours must not be where the next message goes.  What was closed
 * can still not be read, or written, and says so.
 */

static int
fill_descriptors(void)
{
    int  fd;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {

        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) {
            continue;
        }

        if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) {
            return -1;
        }
    }

    return 0;
}


static const cli_command_t *
find_command(const char *name)
{
    size_t  i;

    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }

    return NULL;
}


/* A full disk behind standard output must not look like success. */

static int
close_output(const cli_t *cli, int status)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && !cli->output_failed) {
        return cli_fail("standard output", "%s", strerror(errno));
    }

    return status;
}


static void
print_help(void)
{
    size_t  i;

    printf("usage: referralctl [-d PATH] [--json] COMMAND ...\n"
           "\n"
           "Registers backlinks and shows what they brought.\n"
           "\n"
           "  -d, --dir PATH  the registry's directory; default "
           "$REFERRALCTL_DIR\n"
           "                  or %s\n"
           "      --json      answer in JSON\n"
           "  -h, --help      this text; after a command, its own\n"
           "  -V, --version   the version\n"
           "\n"
           "commands:\n", CLI_DIR);

    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
    }

    printf("\n"
           "exit codes: 0 done, 1 the request failed, 2 wrong usage\n");
}
