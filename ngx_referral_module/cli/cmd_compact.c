/*
 * compact: a copy without the room that LMDB keeps for pages to come.  A file
 * in use never shrinks; a new one can take its place.
 */

#include "copy.h"


static int run(cli_t *cli, int argc, char **argv);


const cli_command_t  cli_compact = {
    "compact",
    "DIR",
    "copy both without the pages that are free",
    "Writes to DIR, which must not exist or be empty, what \"backup\" does,\n"
    "but as small as it gets.  PATH stays as it is: to win the room put the\n"
    "copy into its place, as a backup is restored.\n",
    run
};


static int
run(cli_t *cli, int argc, char **argv)
{
    return copy_run(cli, argc, argv, 1);
}
