#!/usr/bin/perl

# Twenty reloads under load: each request is counted once, no number goes
# back, and the history has it all.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Chaos;


my $chaos = Referral::Chaos->new;

$chaos->under_load('20 reloads', exact => 1, sub {
    $chaos->reload for 1 .. 20;
});

$chaos->finish;

done_testing;
