#!/usr/bin/perl

# kill -9 of the keeper under load, forty times, half of them inside a flush:
# it stores absolute values, so not one request is lost or doubled.  And some
# more, when nobody comes afterwards.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Chaos;


my $chaos = Referral::Chaos->new;
my %points;

$chaos->under_load('20 keepers killed', exact => 1, sub {
    for (1 .. 20) {
        $chaos->kill_keeper;
        sleep 0.2 * rand;
    }
});

$chaos->under_load('20 keepers killed inside a flush', exact => 1, sub {
    for (1 .. 20) {
        $points{ $chaos->kill_keeper_inside // 'nowhere' }++;
    }
});

for (1 .. 5) {
    $points{ $chaos->kill_keeper_at_last_visit // 'nowhere' }++;
    $chaos->check_history('killed at the last visit');
}

note(join ', ', map { "$_: $points{$_}" } sort keys %points);
ok(!$points{nowhere}, 'each died where it was to');

$chaos->under_load('undisturbed', exact => 1, sub { sleep 1 });

$chaos->finish;

done_testing;
