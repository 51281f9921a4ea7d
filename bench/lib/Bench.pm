package Bench;

# What a benchmark found, row by row.
#
#     my $bench = Bench->new('scale', 'keep=s' => \my $keep);
#     $bench->row('import, 1,000,000 links', $s, 's');
#
# new() reads --full, --tiny and --rows FILE, and what else it is given.  A row
# is printed as it comes, unless $bench->{quiet} is set.  With --rows FILE it is
# also added to that file, a line of JSON each: bench/run makes one table of
# them, and Goals says what they should be.

use strict;
use warnings;

use FindBin;
use Getopt::Long qw(:config require_order);
use JSON::PP;

use lib "$FindBin::Bin/../t/lib";

use Exporter qw(import);

our @EXPORT_OK = qw(commas median spread);


# Lists, by how long they are: "tiny" has all that --full has, so that each
# step of it can be tried in two minutes.  repeated: Referers that come again.

my %sizes = (
    full => { repeated => 1000, small => 1000, medium => 100_000,
              large => 1_000_000, huge => 10_000_000 },
    quick => { repeated => 1000, small => 1000, medium => 100_000 },
    tiny => { repeated => 100, small => 300, medium => 1000, large => 2000,
              huge => 4000 },
);


sub new {
    my ($class, $part, %option) = @_;

    my $self = bless { part => $part }, $class;

    GetOptions('full' => \$self->{full}, 'tiny' => \$self->{tiny},
               'rows=s' => \$self->{rows}, %option)
        or die "usage: see the top of bench/$part\n";

    $| = 1;

    # who interrupts it finds no nginx and no list left behind

    $SIG{INT} = $SIG{TERM} = sub { exit 1 };

    return $self;
}


# All that --full has is done.

sub full { return $_[0]{full} || $_[0]{tiny} }

sub tiny { return $_[0]{tiny} }

sub mode {
    my ($self) = @_;

    return $self->{tiny} ? 'tiny' : $self->{full} ? 'full' : 'quick';
}


# undef: the quick run has no such list.

sub size {
    my ($self, $name) = @_;

    return size_of($self->mode, $name);
}


sub size_of {
    my ($mode, $name) = @_;

    return $sizes{$mode}{$name};
}


sub row {
    my ($self, $name, $figure, $unit) = @_;

    my $row = { part => $self->{part}, name => $name, figure => $figure + 0,
                unit => $unit };

    print format_row($row), "\n" unless $self->{quiet};

    return if !defined $self->{rows};

    open my $f, '>>', $self->{rows} or die "$self->{rows}: $!\n";
    print $f JSON::PP->new->canonical->encode($row), "\n";
    close $f or die "$self->{rows}: $!\n";
}


sub format_row {
    my ($row) = @_;

    return sprintf '%-68s %11s %s', $row->{name}, number($row->{figure}),
                   $row->{unit};
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
