#!/usr/bin/perl

# The benchmarks work, and what they measured is counted right.  Their figures
# are not judged here: the machine is busy.

use strict;
use warnings;

use File::Temp;
use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../bench/lib";
use Bench qw(median verdict);
use Referral::Test qw(root_dir);

plan skip_all => 'a sanitizer is no benchmark' if exists $ENV{ASAN_OPTIONS};


is(median(3, 1, 2), 2, 'the median of three');
is(median(4, 1, 2, 3), 2.5, 'and of four');

for my $row ([ 4, { most => 4 }, 'ok' ],
             [ 5, { most => 4 }, 'missed by 25 %' ],
             [ 0.9, { least => 0.9 }, 'ok' ],
             [ 0.45, { least => 0.9 }, 'missed by 50 %' ],
             [ 1, { most => 0 }, 'missed' ],
             [ 7, {}, '' ])
{
    my ($figure, $goal, $wanted) = @$row;

    is(verdict({ figure => $figure, %$goal }), $wanted,
       "$figure, " . (%$goal ? join(' ', %$goal) : 'no goal'));
}


sub rows_of {
    my ($part, @args) = @_;

    my $file = File::Temp->new;
    my $program = root_dir() . "/bench/$part";
    my $said = `$program --rows $file @args 2>&1`;

    is($?, 0, "bench/$part ends well") or diag($said);

    open my $f, '<', "$file" or die "$file: $!\n";
    my @rows = map { JSON::PP->new->decode($_) } <$f>;

    return map { $_->{name} => $_->{figure} } @rows;
}


my %scale = rows_of('scale', 300);

for my $name ('import, 300 links', 'registry, 300 links, disk',
              'registered, cold, 300 links', 'SURT of 54 bytes',
              'links?limit=all, 300 links')
{
    cmp_ok($scale{$name} // 0, '>', 0, "scale has a figure: $name");
}

# three cells: less than is shown

cmp_ok($scale{'flush, one of 100, 300 links'} // -1, '>=', 0,
       'and one of a flush');

my %soak = rows_of('soak', 2);

cmp_ok($soak{requests}, '>', 0, 'requests were sent');
cmp_ok($soak{'links registered meanwhile'}, '>', 0, 'links were registered');
is($soak{'requests whose count is wrong'}, 0, 'and every request was counted');
is($soak{'flushes that failed'}, 0, 'no flush failed');

done_testing;
