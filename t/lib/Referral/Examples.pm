package Referral::Examples;

# The examples of the documents: indented blocks of Markdown, and whether what
# a command answers has the shape that is shown.
#
#     for my $block (blocks($text)) { ... }       # {line, text}
#     my @runs = runs($block->{text});            # {command, shown}
#     my @faults = differences($shown, $answer);
#
# What is shown leaves things out by "...", in JSON also between members; other
# numbers and times than those shown are no difference.

use strict;
use warnings;

use JSON::PP ();

use Exporter qw(import);

our @EXPORT_OK = qw(blocks runs differences);


sub blocks {
    my ($text) = @_;

    my (@blocks, $block);
    my ($number, $before, $empty) = (0, '', 1);

    for my $line (split /\n/, $text) {
        $number++;

        if ($line =~ /^    / && ($block || $empty)) {
            $block //= { line => $number, text => '' };
            $block->{text} .= $before . substr($line, 4) . "\n";
            $before = '';

        } elsif ($line eq '' && $block) {
            $before .= "\n";

        } elsif ($block) {
            push @blocks, $block;
            ($block, $before) = (undef, '');
        }

        $empty = $line eq '' || $line =~ /^#/;
    }

    push @blocks, $block if $block;

    return @blocks;
}


# Behind "$ " stands a command, on several lines if they end in "\" or inside a
# quoted text, and then what it answers.  Without any "$ " all lines are one
# command, of which no answer is shown.

sub runs {
    my ($text) = @_;

    return ({ command => $text, shown => undef }) if $text !~ /^\$ /m;

    my @runs;

    for my $part (split /^(?=\$ )/m, $text) {
        my ($command, @lines) = split /\n/, $part =~ s/^\$ //r;

        while (@lines && ($command =~ /\\\z/
                          || ($command =~ tr/'//) % 2 != 0))
        {
            $command .= "\n" . shift @lines;
        }

        push @runs, { command => "$command\n",
                      shown => join('', map { "$_\n" } @lines)
                               =~ s/\A\n+|\n+\z//gr };
    }

    return @runs;
}


sub differences {
    my ($shown, $answer) = @_;

    return json_differences($shown, $answer) if $shown =~ /^[{[]/;
    return http_differences($shown, $answer) if $shown =~ /^HTTP/;
    return event_differences($shown, $answer) if $shown =~ /^retry: /;
    return csv_differences($shown, $answer) if $shown =~ /\A[\w,. "]+,[\w,.]+$/m;

    return line_differences($shown, $answer);
}


# -- JSON -----------------------------------------------------------------------

sub json_differences {
    my ($shown, $answer) = @_;

    my $wanted = eval { shown_json($shown) };
    return "what is shown is no JSON: $@" if $@;

    my $got = eval { JSON::PP->new->utf8->allow_nonref->decode($answer) };
    return "the answer is no JSON: $answer" if $@;

    return compare($wanted, $got, '');
}


# JSON as it is shown: {"...": 1} is an object of which something is left out.

sub shown_json {
    my ($text) = @_;

    my $pos = \$text;
    pos($text) = 0;

    my $value = shown_value($pos);
    $$pos =~ /\G\s*/gc;
    die 'behind the end: ' . substr($$pos, pos $$pos, 40) . "\n"
        if pos $$pos != length $$pos;

    return $value;
}


sub shown_value {
    my ($text) = @_;

    $$text =~ /\G[\s,]*/gc;

    if ($$text =~ /\G\{/gc) {
        my %object;

        until ($$text =~ /\G[\s,]*\}/gc) {
            if ($$text =~ /\G[\s,]*\.\.\./gc) {
                $object{'...'} = 1;

            } else {
                my $name = shown_value($text);
                $$text =~ /\G\s*:/gc
                    or die "no colon behind \"$name\"\n";
                $object{$name} = shown_value($text);
            }
        }

        return \%object;
    }

    if ($$text =~ /\G\[/gc) {
        my @array;

        until ($$text =~ /\G[\s,]*\]/gc) {
            push @array, shown_value($text)
                unless $$text =~ /\G[\s,]*\.\.\./gc;
        }

        return \@array;
    }

    # a string may go on in the next line

    if ($$text =~ /\G"((?:[^"\\]|\\.)*)"/gcs) {
        return JSON::PP->new->allow_nonref->decode(
            '"' . ($1 =~ s/\s*\n\s*/ /gr) . '"');
    }

    if ($$text =~ /\G(-?[\d.]+|true|false|null)/gc) {
        return JSON::PP->new->allow_nonref->decode($1);
    }

    die 'neither value nor end: ' . substr($$text, pos $$text, 40) . "\n";
}


# Members are the same, unless some are left out; elements are like the first.

sub compare {
    my ($wanted, $got, $path) = @_;

    if (ref $wanted eq 'HASH') {
        return "$path is no object" if ref $got ne 'HASH';

        my @faults = map { "$path/$_ is not there" }
                     grep { $_ ne '...' && !exists $got->{$_} }
                     sort keys %$wanted;

        push @faults, map { "$path/$_ is not shown" }
                      grep { !exists $wanted->{$_} } sort keys %$got
            if !$wanted->{'...'};

        return @faults, map { compare($wanted->{$_}, $got->{$_}, "$path/$_") }
                        grep { exists $got->{$_} && $_ ne '...' }
                        sort keys %$wanted;
    }

    if (ref $wanted eq 'ARRAY') {
        return "$path is no array" if ref $got ne 'ARRAY';
        return "$path is empty" if @$wanted && !@$got;
        return @$wanted ? compare($wanted->[0], $got->[0], "$path/0") : ();
    }

    return "$path is no plain value" if ref $got && !JSON::PP::is_bool($got);

    return ();
}


# -- other formats ---------------------------------------------------------------

sub http_differences {
    my ($shown, $answer) = @_;

    my ($head, $body) = split /\n\n/, $shown, 2;
    my ($real, $rest) = split /\r?\n\r?\n/, $answer, 2;
    my ($status, @headers) = grep { !/^\.\.\.$/ } split /\n/, $head;

    my @faults = map { "there is no line \"$_\"" }
                 grep { $real !~ /^\Q$_\E\r?$/m } $status, @headers;

    return @faults, defined $body ? json_differences($body, $rest // '') : ();
}


sub event_differences {
    my ($shown, $answer) = @_;

    my @faults;
    my %data;

    push @{ $data{$1} }, $2 while $answer =~ /^event: (\w+)\ndata: (.*)$/mg;

    while ($shown =~ /^event: (\w+)\ndata: (.*?)(?=\n\n|\z)/msg) {
        push @faults, $data{$1} ? json_differences($2, $data{$1}[0])
                                : "there is no event $1";
    }

    push @faults, 'there is no retry' if $answer !~ /^retry: 1000$/m;

    return @faults;
}


# The columns of the first line, in their order; then as many in each.

sub csv_differences {
    my ($shown, $answer) = @_;

    my ($head) = split /\n/, $shown;
    my ($real, @rows) = split /\n/, $answer =~ tr/\r//dr;

    $head = quotemeta($head) =~ s/\\ \\\.\\\.\\\.\\ ?/.*/r;

    return "the columns are $real" if $real !~ /^$head$/;
    return 'there is no row' if !@rows;

    return ();
}


# Lines, other numbers aside: each that is shown is there.

sub line_differences {
    my ($shown, $answer) = @_;

    my %there = map { plain($_) => 1 } split /\n/, $answer;

    return map { "there is no line \"$_\"" }
           grep { $_ ne '...' && !$there{ plain($_) } } split /\n/, $shown;
}


sub plain {
    my ($line) = @_;

    $line =~ s/\b\d[\d,.]*[kMG]?(?=\b|$)/N/g;
    $line =~ s/ +/ /g;

    return $line;
}


1;
