/*
 * Lists that people import: the command as it is, reading a file it has never
 * seen.  CSV of other tools, UTF-16, JSON, lists of URLs.  It ends, with an
 * exit code that it has.  A dry run changes nothing; what was imported "check"
 * finds in order, and it can be imported again.
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


static void init(void);
static void remove_file(const char *name);
static int command(char *name);
static int import(rfl_str_t list, uint8_t how, int dry);
static int run(int argc, char **argv);
static void feed(rfl_str_t text);


static FILE  *nowhere;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t       how;
    rfl_str_t     list;
    fuzz_input_t  in;

    if (nowhere == NULL) {
        nowhere = fopen("/dev/null", "we");
        fuzz_check(nowhere != NULL);
        init();
    }

    how = size != 0 ? data[size - 1] : 0;
    in = fuzz_input(data, size != 0 ? size - 1 : 0);
    list = fuzz_rest(&in);

    if (!(how & 128)) {
        (void) import(list, how, 1);

    } else if (import(list, how, 0) == 0) {
        fuzz_check(command("check") == 0);
        fuzz_check(import(list, how, 0) == 0);
        fuzz_check(command("check") == 0);
        init();
    }

    fuzz_free();

    return 0;
}


/* root would go on as the owner of the directory. */

static void
init(void)
{
    int    argc;
    char  *argv[8];

    remove_file("registry/data.mdb");
    remove_file("registry/lock.mdb");
    remove_file("ledger/data.mdb");
    remove_file("ledger/lock.mdb");

    argc = 0;
    argv[argc++] = "referralctl";
    argv[argc++] = "-d";
    argv[argc++] = (char *) fuzz_dir();
    argv[argc++] = "init";

    if (geteuid() == 0) {
        argv[argc++] = "--owner";
        argv[argc++] = "root";
    }

    argv[argc] = NULL;

    fuzz_check(run(argc, argv) == 0);
}


static void
remove_file(const char *name)
{
    char  path[300];

    (void) snprintf(path, sizeof(path), "%s/%s", fuzz_dir(), name);
    (void) unlink(path);
}


static int
command(char *name)
{
    char  *argv[5];

    argv[0] = "referralctl";
    argv[1] = "-d";
    argv[2] = (char *) fuzz_dir();
    argv[3] = name;
    argv[4] = NULL;

    return run(4, argv);
}


static int
import(rfl_str_t list, uint8_t how, int dry)
{
    int    argc, status;
    char  *argv[16];

    static char *const  formats[] = {
        "auto", "csv", "json", "urls", "disavow", "ahrefs", "semrush",
        "search-console"
    };

    argc = 0;
    argv[argc++] = "referralctl";
    argv[argc++] = "-d";
    argv[argc++] = (char *) fuzz_dir();
    argv[argc++] = "import";
    argv[argc++] = "-";
    argv[argc++] = "--format";
    argv[argc++] = (how & 8) ? formats[how >> 4 & 7] : formats[0];

    if (dry) {
        argv[argc++] = "--dry-run";
    }

    if (how & 1) {
        argv[argc++] = "--update";
    }

    if (how & 2) {
        argv[argc++] = "--skip-bad";

    } else if (how & 4) {
        argv[argc++] = "--sync";
    }

    argv[argc] = NULL;

    feed(list);
    status = run(argc, argv);

    fuzz_check(status == 0 || status == 1);

    return status;
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
