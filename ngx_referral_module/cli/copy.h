/*
 * What backup and compact share: a consistent copy of both environments in a
 * directory of its own, made while nginx runs.
 */

#ifndef COPY_H
#define COPY_H

#include "cli.h"


/* The rest of a subcommand: it reads the options, copies, and reports. */

int copy_run(cli_t *cli, int argc, char **argv, int compact);


#endif /* COPY_H */
