#!/usr/bin/perl

# The counter file's protocol under stress, watched by ThreadSanitizer: see
# tests/race/counters.c.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $root = Referral::Test::root_dir();
my $program = "$root/build/race/counters";

-x $program or BAIL_OUT("$program is not there: make build/race/counters");

my $said = `$root/tools/sanitized $program 2>&1`;

is($?, 0, 'no race, no lost mark, no torn event') or diag($said);
like($said, qr/all counts are there/, 'all was counted');

done_testing;
