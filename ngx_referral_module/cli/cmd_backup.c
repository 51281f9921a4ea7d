/*
 * backup: a copy of registry and ledger to restore from.
 */

#include "copy.h"


static int run(cli_t *cli, int argc, char **argv);


const cli_command_t  cli_backup = {
    "backup",
    "DIR",
    "copy registry and ledger while nginx runs",
    "Writes a consistent copy of both to DIR, which must not exist or be\n"
    "empty, with the owner and the modes of PATH.  What nginx has counted\n"
    "since the last flush is not in it.\n",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    return copy_run(cli, argc, argv, 0);
}
