#!/usr/bin/perl

# kill -9 of forty random workers under load: what was in flight then may be
# lost, and nothing else; nothing is counted twice.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Chaos;


my $chaos = Referral::Chaos->new;

for my $part (1 .. 2) {
    $chaos->under_load("20 workers killed, $part", sub {
        for (1 .. 20) {
            $chaos->kill_worker;
            sleep 0.1 * rand;
        }
    });
}

$chaos->under_load('undisturbed', exact => 1, sub { sleep 1 });

$chaos->finish;

done_testing;
