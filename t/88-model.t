#!/usr/bin/perl

# The counter file's protocols in all orders of their steps: see tests/model/.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test qw(root_dir);


plan skip_all => 'spin is not installed'
    unless grep { -x "$_/spin" } split /:/, $ENV{PATH};

my $root = root_dir();
my @said = `$root/tools/model 2>&1`;

is($?, 0, 'each protocol holds, each wrong one is found out')
    or diag(@said);

for my $file (glob "$root/tests/model/*.pml") {
    my ($name) = $file =~ m{(\w+)\.pml$};

    for my $how ('nothing is wrong', 'found out: assertion violated') {
        ok((grep { /^ok: $name, .*: .*\Q$how\E/ } @said), "$name: $how");
    }
}

done_testing;
