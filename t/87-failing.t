#!/usr/bin/perl

# Every call of core that may be told no is told so: memory, files, threads,
# LMDB, PCRE2, jansson, libidn2.  tests/failing/ has what is done meanwhile and
# what must hold; here it runs, in two processes, and is counted.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Failing;


Referral::Failing::run('core', [ 'stores' ], [ 'status', 'threads' ]);

done_testing;
