#!/usr/bin/perl

# kill -9 of every process at once, five times, inside a flush and between
# two: the counter file has what was counted.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Chaos;


my $chaos = Referral::Chaos->new;

for my $n (1 .. 5) {
    my $inside = $n % 2;

    $chaos->under_load("all killed, $n" . ($inside ? ', inside a flush' : ''),
                       down => 1, sub {
        sleep 0.5;
        $chaos->kill_all($inside);
        sleep 0.5;
    });
}

$chaos->under_load('undisturbed', exact => 1, sub { sleep 1 });

$chaos->finish;

done_testing;
