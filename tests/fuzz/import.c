/*
 * Lists that people import: the command as it is, reading a file it has never
 * seen.  CSV of other tools, UTF-16, JSON, lists of URLs.  It ends, with an
 * exit code that it has, and a dry run changes nothing.
 *
 * Input: the file, and behind it a byte of options.
 */

#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


/* main() of ngx_referral_module/cli/main.c: see the Makefile. */

int referralctl_main(int argc, char **argv);


static int run(int argc, char **argv);
static void feed(rfl_str_t text);


static FILE  *nowhere;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int           argc, status;
    char         *argv[16];
    uint8_t       how;
    fuzz_input_t  in;

    static char *const  formats[] = {
        "auto", "csv", "json", "urls", "disavow", "ahrefs", "semrush",
        "search-console"
    };

    argc = 0;
    argv[argc++] = "referralctl";
    argv[argc++] = "-d";
    argv[argc++] = (char *) fuzz_dir();

    if (nowhere == NULL) {
        nowhere = fopen("/dev/null", "we");
        fuzz_check(nowhere != NULL);

        /* root would go on as the owner of the directory */

        argv[argc] = "init";
        argv[argc + 1] = geteuid() == 0 ? "--owner" : NULL;
        argv[argc + 2] = "root";
        argv[argc + 3] = NULL;

        fuzz_check(run(argv[argc + 1] != NULL ? argc + 3 : argc + 1, argv)
                   == 0);
    }

    how = size != 0 ? data[size - 1] : 0;
    in = fuzz_input(data, size != 0 ? size - 1 : 0);

    argv[argc++] = "import";
    argv[argc++] = "-";
    argv[argc++] = "--dry-run";
    argv[argc++] = "--format";
    argv[argc++] = (how & 8) ? formats[how >> 4 & 7] : formats[0];

    if (how & 1) {
        argv[argc++] = "--update";
    }

    if (how & 2) {
        argv[argc++] = "--skip-bad";

    } else if (how & 4) {
        argv[argc++] = "--sync";
    }

    argv[argc] = NULL;

    feed(fuzz_rest(&in));
    status = run(argc, argv);

    fuzz_check(status == 0 || status == 1);
    fuzz_free();

    return 0;
}


/* What it says goes nowhere; what a sanitizer says does not come this way. */

static int
run(int argc, char **argv)
{
    int   status;
    FILE  *out, *err;

    out = stdout;
    err = stderr;

    stdout = nowhere;
    stderr = nowhere;

    optind = 0;                          /* getopt_long() begins anew */
    status = referralctl_main(argc, argv);

    stdout = out;
    stderr = err;

    return status;
}


static void
feed(rfl_str_t text)
{
    int  fd;

    fd = memfd_create("list", MFD_CLOEXEC);

    fuzz_check(fd != -1);
    fuzz_check(text.len == 0
               || write(fd, text.data, text.len) == (ssize_t) text.len);
    fuzz_check(lseek(fd, 0, SEEK_SET) == 0);
    fuzz_check(dup2(fd, STDIN_FILENO) != -1);

    (void) close(fd);
}
