package Bench;

# What a benchmark found, row by row, beside what it should be.
#
#     my $bench = Bench->new('scale');             reads --full, --rows FILE
#     $bench->row('import of 1,000,000 links', $s, 's', most => 4);
#     $bench->row('requests a second', $ratio, '', least => 0.97);
#     $bench->finish;
#
# A row is printed as it comes, unless quiet => 1 was given.  With --rows FILE
# it is also added to that file, a line of JSON each: bench/run makes one table
# of them.

use strict;
use warnings;

use FindBin;
use Getopt::Long qw(:config require_order);
use JSON::PP;

use lib "$FindBin::Bin/../t/lib";

use Exporter qw(import);

our @EXPORT_OK = qw(commas median spread verdict);


sub new {
    my ($class, $part, %arg) = @_;

    my $self = bless { part => $part, full => 0, %arg }, $class;

    GetOptions('full' => \$self->{full}, 'rows=s' => \$self->{rows})
        or die "usage: bench/$part [--full] [--rows FILE] ...\n";

    $| = 1;

    return $self;
}


sub full { return $_[0]{full} }


sub row {
    my ($self, $name, $figure, $unit, %goal) = @_;

    my $row = { part => $self->{part}, name => $name, figure => $figure + 0,
                unit => $unit, %goal };

    print format_row($row), "\n" unless $self->{quiet};

    return if !defined $self->{rows};

    open my $f, '>>', $self->{rows} or die "$self->{rows}: $!\n";
    print $f JSON::PP->new->canonical->encode($row), "\n";
    close $f or die "$self->{rows}: $!\n";
}


sub format_row {
    my ($row) = @_;

    return sprintf '%-60s %11s %-7s %9s  %s', $row->{name},
                   number($row->{figure}), $row->{unit}, goal($row),
                   verdict($row);
}


sub goal {
    my ($row) = @_;

    return '<= ' . number($row->{most}) if defined $row->{most};
    return '>= ' . number($row->{least}) if defined $row->{least};
    return '';
}


# By how much, of the goal.

sub verdict {
    my ($row) = @_;

    my $goal = $row->{most} // $row->{least};

    return '' if !defined $goal;

    my $over = defined $row->{most} ? $row->{figure} - $goal
                                    : $goal - $row->{figure};

    return 'ok' if $over <= 0;
    return sprintf 'missed by %.0f %%', 100 * $over / $goal if $goal != 0;
    return 'missed';
}


sub number {
    my ($n) = @_;

    return commas($n) if $n == int $n;
    return sprintf '%.3f', $n if abs $n < 10;
    return sprintf '%.1f', $n if abs $n < 1000;
    return commas(sprintf '%.0f', $n);
}


sub commas {
    my ($n) = @_;

    1 while $n =~ s/^(-?\d+)(\d{3})/$1,$2/;

    return $n;
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return @sorted % 2 ? $sorted[@sorted / 2]
                       : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}


# (most - least) / median, in percent: how much of a difference is noise.

sub spread {
    my @sorted = sort { $a <=> $b } @_;

    return 100 * ($sorted[-1] - $sorted[0]) / median(@sorted);
}


1;
