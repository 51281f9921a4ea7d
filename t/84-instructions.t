#!/usr/bin/perl

# What a request costs in instructions has not grown, nor shrunk, by a tenth
# unnoticed: a change that means to says so in bench/expected.json
# (bench/instructions --expect).

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Instructions;
use Referral::Test qw(root_dir);

use constant TENTH => 0.1;


# Of another compiler, nginx or library the instructions are others.

sub reason {
    my ($expected) = @_;

    return 'this is another nginx than the one that was measured'
        if defined $ENV{TEST_NGINX_BINARY} || defined $ENV{TEST_NGINX_MODULE};

    my $why = Referral::Instructions::missing();
    if (defined $why) {
        die "$why, and CI is set\n" if $ENV{CI};
        return $why;
    }

    my $here = Referral::Instructions::setting();

    for my $name (sort keys %{ $expected->{setting} }) {
        my ($is, $was) = ($here->{$name}, $expected->{setting}{$name});

        return "$name is $is, the figures are of $was" if $is ne $was;
    }

    return;
}


my $path = root_dir() . '/bench/expected.json';
open my $f, '<', $path or die "$path: $!\n";
my $expected = JSON::PP->new->decode(do { local $/; <$f> });
my $why = reason($expected);

plan skip_all => $why if defined $why;

my $i = Referral::Instructions->new(Referral::Instructions::quick());
my $figures = $i->measure;
my $wanted = $expected->{instructions};

is_deeply([ sort keys %$figures ], [ sort keys %$wanted ],
          'the cases that were measured');

for my $name (sort keys %$figures) {
    my ($is, $was) = ($figures->{$name}, $wanted->{$name} // next);

    ok(abs($is - $was) <= TENTH * $was, "$name: $was instructions")
        or diag(sprintf '%s: %.0f instructions, %d are expected', $name, $is,
                $was);
}

# These hold whatever the compiler.

cmp_ok($figures->{internal}, '<=', 150, 'an internal Referer costs nothing');
cmp_ok($figures->{'ambiguous-many'}, '<=', 1.1 * $figures->{registered},
       'of many links that are alike no more than of one');
cmp_ok($figures->{'cold-ambiguous-many'}, '<=',
       1.1 * $figures->{'cold-ambiguous-2'}, 'nor for the first time');
cmp_ok($figures->{'cold-unregistered'}, '<=',
       1.5 * $figures->{'cold-small-unregistered'},
       'of 20 times as many links not half more');
cmp_ok($figures->{'cold-registered'}, '<=',
       1.5 * $figures->{'cold-small-registered'}, 'nor where one is found');
cmp_ok($figures->{"hostile-$_"}, '<=', 3 * $figures->{'cold-unregistered'},
       "a hostile Referer of an unknown host, $_, no more than three others")
    for qw(short long);

$i->finish;

done_testing;
