#!/usr/bin/perl

# Random URLs, read by our parser and by WHATWG's, as Node implements it: both
# have the same canonical form, or the difference is one that is listed.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $root = Referral::Test::root_dir();
my $programs = $ENV{TEST_PROGRAMS} // "$root/build/plain/programs";
my $urls = $ENV{WHATWG_URLS} // 20000;

plan skip_all => 'node is not installed'
    if system('node --version > /dev/null 2>&1') != 0;

for my $seed (1, $ENV{WHATWG_SEED} // 2) {
    my $said = qx{node $root/tests/fuzz/whatwg.mjs $programs/canonical \\
                  $urls $seed 2>&1};

    is($?, 0, "$urls URLs, seed $seed") or diag($said);
    note($said);
}

done_testing;
