#!/usr/bin/perl

# Binary upgrades under load, and one that is taken back: old and new share
# the counter file, and each request is counted once.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Chaos;


my $chaos = Referral::Chaos->new;

$chaos->under_load('3 binary upgrades', exact => 1, sub {
    $chaos->upgrade for 1 .. 3;
});

$chaos->under_load('an upgrade taken back', exact => 1, sub {
    $chaos->roll_back;
});

$chaos->under_load('and an upgrade', exact => 1, sub {
    $chaos->upgrade;
});

$chaos->finish;

done_testing;
