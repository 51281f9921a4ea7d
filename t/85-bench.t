#!/usr/bin/perl

# The benchmarks work, each step of them, and what they measured is counted
# right.  Their figures are not judged here: the lists are tiny and the machine
# is busy.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/../bench/lib";
use Bench qw(median);
use Goals qw(judge verdict);
use Referral::Instructions;
use Referral::Test qw(root_dir);

plan skip_all => 'a sanitizer is no benchmark' if exists $ENV{ASAN_OPTIONS};


is(median(3, 1, 2), 2, 'the median of three');
is(median(4, 1, 2, 3), 2.5, 'and of four');

for my $row ([ 4, { most => 4 }, 'met' ],
             [ 5, { most => 4 }, 'missed by 25 %' ],
             [ 4.01, { most => 4 }, 'missed by 0.2 %' ],
             [ 0.9, { least => 0.9 }, 'met' ],
             [ 0.45, { least => 0.9 }, 'missed by 50 %' ],
             [ 1, { most => 0 }, 'missed' ])
{
    my ($figure, $goal, $wanted) = @$row;

    is(verdict({ figure => $figure, %$goal }), $wanted,
       "$figure, " . join ' ', %$goal);
}


# -- goals of parts that are made up

sub goals_of {
    my (%parts) = @_;

    return map { $_->{case} => $_ } judge(\%parts);
}

sub part {
    my ($mode, %figures) = @_;

    return { mode => $mode,
             rows => [ map { { name => $_, figure => $figures{$_} } }
                           keys %figures ] };
}

my %none = goals_of();

is($none{'no Referer'}{verdict},
   'not measured: bench/run instructions was not run', 'nothing was run');
is((grep { $_->{met} } values %none), 0, 'and no goal is met by that');

my %some = goals_of(
    instructions => part('full', none => 601, internal => 1,
                         'internal-own-host' => 140, registered => 100,
                         'ambiguous-2' => 105, 'ambiguous-many' => 120),
    compare => { %{ part('full') }, failed => 'bench/compare failed: no wrk' },
    soak => part('full', 'flushes that failed' => 0),
    scale => part('quick', 'links?limit=all, 100,000 links' => 2));

is($some{'no Referer'}{verdict}, 'missed by 0.2 %', 'a figure above its goal');
is($some{'internal Referer'}{figure}, 140, 'the worst of two rows');
is($some{'internal Referer'}{met}, 1, 'which is met');
is($some{'ambiguous, against a match'}{figure}, 1.2, 'a ratio of two rows');
is($some{'requests a second, the same Referers again'}{verdict},
   'not measured: bench/compare failed: no wrk', 'a part that failed');
is($some{'all at once: requests whose count is wrong'}{verdict},
   'not measured: bench/soak printed no such row', 'a row that is missing');
is($some{'status row, 100,000 links'}{verdict}, 'missed by 100 %',
   'a list the quick run has');
is($some{'status row, 1,000,000 links'}{verdict},
   'not measured: the quick run has no list of this size', 'and one it lacks');


# -- all parts of them, with next to nothing

my $dir = tempdir('bench-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $said = `@{[root_dir()]}/bench/run --tiny --result $dir/result.json 2>&1`;
my $status = $?;

open my $f, '<', "$dir/result.json" or die "bench/run said:\n$said\n";
my $result = JSON::PP->new->decode(do { local $/; <$f> });

# what has to be installed

my %lacks = (instructions => defined Referral::Instructions::missing(),
             compare => `wrk -v 2>/dev/null` !~ /^wrk /);
$lacks{growth} = $lacks{instructions};

for my $name (sort keys %{ $result->{parts} }) {
    is($result->{parts}{$name}{failed}, undef, "$name ends well")
        or diag($said)
        unless $lacks{$name};
}

for my $goal (@{ $result->{goals} }) {
    ok(defined $goal->{figure}, "there is a figure: $goal->{case}")
        or diag($goal->{verdict})
        unless $lacks{ $goal->{part} };
    like($said, qr/^\Q$goal->{case}\E .* \Q$goal->{verdict}\E/m,
         'and the table has the verdict');
}

is($status, (grep { $lacks{$_} } keys %lacks) ? 256 : 0,
   'bench/run is content if all was measured') or diag($said);
like($said, qr/^\d+ of \d+ goals are met, \d+ missed, of which \d+ not meas/m,
     'and counts them');

my %row = map { $_->{name} => $_->{figure} }
          map { @{ $_->{rows} } } values %{ $result->{parts} };

for my $name ('import, 2,000 links', 'registry, 2,000 links, disk',
              'registered, cold, 2,000 links', 'SURT of 54 bytes',
              'links?limit=all, 2,000 links')
{
    cmp_ok($row{$name} // 0, '>', 0, "a figure: $name");
}

# three cells: less than is shown

cmp_ok($row{'flush, one of 100, 300 links'} // -1, '>=', 0,
       'and one of a flush');

cmp_ok($row{requests}, '>', 0, 'requests were sent');
cmp_ok($row{'links registered meanwhile'}, '>', 0, 'links were registered');
is($row{'requests whose count is wrong'}, 0, 'and every request was counted');
is($row{'flushes that failed'}, 0, 'no flush failed');
cmp_ok($row{'hostile Referers'}, '>', 0, 'hostile ones were sent');

done_testing;
