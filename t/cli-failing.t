#!/usr/bin/perl

# The command is told no at each call in which it, or core for it, asks for
# memory, a file or LMDB: it says so and exits with 1, and what it was to write
# is there whole or not at all.  See tests/failing/commands.c.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Failing;


Referral::Failing::run('command', [ 'command' ]);

done_testing;
