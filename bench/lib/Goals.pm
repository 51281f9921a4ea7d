package Goals;

# What each figure should be: the one table of it.
#
#     my @judged = Goals::judge(\%parts);
#
# parts has, by name, { mode => 'full', rows => [ ... ] }, of a part that
# failed also { failed => 'why' }.  Each goal becomes { case, goal, figure,
# unit, row, met, verdict }; one without a figure is not met, and its verdict
# says why there is none.  Of several rows the worst counts.

use strict;
use warnings;

use Bench qw(commas);

use Exporter qw(import);

our @EXPORT_OK = qw(judge verdict);


# case; most or least; unit; part; its rows; and of those whose ratio to
# another row is meant, that row.  {medium} and its like are the sizes of the
# lists in the run that is judged.

my @goals = (
    [ 'no Referer', most => 600, 'instr', 'instructions', 'none' ],
    [ 'internal Referer', most => 150, 'instr', 'instructions',
      'internal(-own-host)?' ],

    [ 'seen recently', most => 700, 'instr', 'instructions',
      '(un)?registered(-by-landing)?' ],
    [ 'registered, seen recently: core', most => 150, 'ns', 'scale',
      'registered, seen recently, {large} links' ],
    [ 'registered, seen recently: CPU of a worker', most => 150, 'ns',
      'compare', '{repeated}, uniform: module, CPU more' ],

    [ 'registered, cold', most => 2000, 'instr', 'instructions',
      'cold-(registered(-no-target)?|by-landing|host)' ],
    [ 'registered, cold, {large} links: core', most => 1000, 'ns', 'scale',
      'registered, cold, {large} links' ],
    [ 'registered, cold, {large} links: CPU of a worker', most => 1000, 'ns',
      'compare', '{large}, cold: large, CPU more' ],

    [ 'unregistered, cold', most => 2000, 'instr', 'instructions',
      'cold-unregistered' ],
    [ 'unregistered, cold, {large} links: core', most => 1000, 'ns', 'scale',
      'unregistered, cold, {large} links' ],
    [ 'unregistered, cold, {large} links: CPU of a worker', most => 1000, 'ns',
      'compare', '{large}, unregistered: large, CPU more' ],

    [ 'registered, growth {small} to {huge} links: instr', most => 1.5,
      'instr', 'growth', 'registered, {huge} links',
      'registered, {small} links' ],
    [ 'unregistered, growth {small} to {huge} links: instr', most => 1.5,
      'instr', 'growth', 'unregistered, {huge} links',
      'unregistered, {small} links' ],
    [ 'registered, growth {small} to {huge} links: time', most => 3, 'ns',
      'scale', 'registered, cold, {huge} links',
      'registered, cold, {small} links' ],
    [ 'unregistered, growth {small} to {huge} links: time', most => 3, 'ns',
      'scale', 'unregistered, cold, {huge} links',
      'unregistered, cold, {small} links' ],

    [ 'requests a second, the same Referers again', least => 0.97, '',
      'compare', '(1 Referer|{repeated}, (uniform|Zipf)): module, requests a '
                 . 'second, ratio' ],
    [ 'requests a second, {medium} Referers, uniform', least => 0.90, '',
      'compare', '{medium}, uniform: module, requests a second, ratio' ],

    [ 'status, {medium} links: longest stall of another request', most => 2,
      'ms', 'status', '.*, {medium} links, longest stall of others' ],
    [ 'status, {large} links: longest stall of another request', most => 2,
      'ms', 'status', '.*, {large} links, longest stall of others' ],
    [ 'status row, {medium} links', most => 1, 'us', 'scale',
      'links\?limit=all, {medium} links' ],
    [ 'status row, {large} links', most => 1, 'us', 'scale',
      'links\?limit=all, {large} links' ],
    [ 'status: memory it needs', most => 2048, 'KB', 'status', '.*, memory' ],

    [ 'import, {large} links', most => 4, 's', 'scale',
      'import, {large} links' ],
    [ 'import, {huge} links', most => 60, 's', 'scale',
      'import, {huge} links' ],
    [ 'disk a link', most => 400, 'B', 'scale',
      'registry, ({medium}|{large}|{huge}) links, disk' ],

    [ 'ambiguous, against a match', most => 1.1, 'instr', 'instructions',
      'ambiguous-.*', 'registered' ],
    [ 'ambiguous and cold, against a match', most => 1.1, 'instr',
      'instructions', 'cold-ambiguous-.*', 'cold-registered' ],

    [ 'hostile Referers, against cold', most => 3, 'instr', 'instructions',
      'hostile-.*', 'cold-registered' ],
    [ 'hostile Referers, memory', most => 512, 'KB', 'hostile',
      'memory of the worker' ],

    [ 'shared memory, a link with traffic', most => 160, 'B', 'scale',
      'counter file, ({medium}|{large}|{huge}) links' ],

    [ 'all at once: requests whose count is wrong', most => 0, '', 'soak',
      'requests whose count is wrong' ],
    [ 'all at once: flushes that failed', most => 0, '', 'soak',
      'flushes that failed' ],
);


sub judge {
    my ($parts) = @_;

    return map { judge_one($_, $parts) } @goals;
}


sub judge_one {
    my ($goal, $parts) = @_;

    my ($case, $bound, $limit, $unit, $part, $rows, $over) = @$goal;
    my $mode = $parts->{$part} ? $parts->{$part}{mode} : 'full';

    my %judged = (case => sized($case, $mode) // sized($case, 'full'),
                  $bound => $limit, part => $part,
                  unit => defined $over ? 'times' : $unit, of => $unit);

    my ($row, $figure, $why) = figure($bound, $parts, $part, $rows, $over);

    if (!defined $figure) {
        return { %judged, met => 0, verdict => "not measured: $why" };
    }

    $judged{row} = $row->{name};
    $judged{figure} = $figure;
    $judged{verdict} = verdict(\%judged);
    $judged{met} = $judged{verdict} eq 'met' ? 1 : 0;

    return \%judged;
}


sub figure {
    my ($bound, $parts, $name, $rows, $over) = @_;

    my $part = $parts->{$name}
        or return (undef, undef, "bench/run $name was not run");
    my $failed = defined $part->{failed} ? $part->{failed} : undef;

    my ($wanted, $below) = map { defined $_ ? sized($_, $part->{mode}) : undef }
                               $rows, $over;

    return (undef, undef, 'the quick run has no list of this size')
        if !defined $wanted || defined $over && !defined $below;

    my @found = grep { $_->{name} =~ /^(?:$wanted)$/ } @{ $part->{rows} };

    return (undef, undef, $failed // "bench/$name printed no such row")
        if !@found;

    @found = sort { $a->{figure} <=> $b->{figure} } @found;

    my $worst = $bound eq 'most' ? $found[-1] : $found[0];

    return ($worst, $worst->{figure}) if !defined $over;

    my ($other) = grep { $_->{name} =~ /^(?:$below)$/ } @{ $part->{rows} };

    return (undef, undef, $failed // "bench/$name printed no \"$below\"")
        if !defined $other || $other->{figure} == 0;

    return ($worst, $worst->{figure} / $other->{figure});
}


# With the sizes of a run; undef: it has no such list.

sub sized {
    my ($text, $mode) = @_;

    my $has_all = 1;

    $text =~ s<\{(\w+)\}>
              <my $n = Bench::size_of($mode, $1); $has_all &&= defined $n;
               defined $n ? commas($n) : ''>gex;

    return $has_all ? $text : undef;
}


# By how much, of the goal.

sub verdict {
    my ($row) = @_;

    my $goal = $row->{most} // $row->{least};
    my $over = defined $row->{most} ? $row->{figure} - $goal
                                    : $goal - $row->{figure};

    return 'met' if $over <= 0;
    return sprintf 'missed by %.*f %%', $over / $goal < 0.1 ? 1 : 0,
                   100 * $over / $goal if $goal != 0;
    return 'missed';
}


sub format {
    my ($judged) = @_;

    my $goal = defined $judged->{most}
               ? '<= ' . Bench::number($judged->{most})
               : '>= ' . Bench::number($judged->{least});

    # of several rows, which one is the worst

    my $row = defined $judged->{row} ? $judged->{row} : '';

    return sprintf "%-58s %9s %9s %-5s %s", $judged->{case}, $goal,
                   defined $judged->{figure} ? Bench::number($judged->{figure})
                                             : '-',
                   $judged->{unit},
                   $judged->{verdict}
                   . ($judged->{met} || $row eq '' ? '' : " ($row)");
}


1;
