#!/usr/bin/perl

# Files as they must not be: mutated exports of every format.  The command
# ends by itself, says why it refused one, and never imports a half.
#
# IMPORT_FUZZ is how many files, IMPORT_SEED which.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $files = $ENV{IMPORT_FUZZ} // 1000;
my $seed = $ENV{IMPORT_SEED} // 20261120;

my $t = Referral::Test->new;
my $json = JSON::PP->new->utf8;

my @samples = map { $t->read_file($_) }
              sort glob Referral::Test::root_dir() . '/tests/data/import/*';
my @dictionary = (',', ';', "\t", '"', '""', "\r\n", "\n", "\0", "\xff\xfe",
                  "\xef\xbb\xbf", "\xfe\xff", '{', '}', '[', ']', '\\',
                  'domain:', 'source', 'Lost', '://', "'=", 'x' x 9000,
                  "\xd8\x00", "\xf0\x9f\x98\x80", '{"links":[', 'PK');

srand $seed;
$t->ctl_ok('init');
$t->ctl_ok('add', 'https://kept.example/');

my ($imported, $refused, @faults) = (0, 0);
my $before = state();

for my $n (1 .. $files) {
    my $file = $t->write_file('fuzz', mutated());
    my @options = ([], [ '--skip-bad' ], [ '--update' ])[rand 3]->@*;

    my ($exit, $out, $err) = $t->ctl('--json', 'import', $file, @options);
    my $report = eval { $json->decode($out) };
    my $after = state();

    if ($exit == 0) {
        $imported++;
        push @faults, "$n: $after->[0] links, not what the report says: $out"
            if !$report->{imported}
               || $after->[0] != $before->[0] + $report->{added};
        push @faults, "$n: rows do not add up: $out"
            if $report->{rows} != $report->{links} + $report->{merged}
                                  + $report->{bad};

    } else {
        $refused++;
        push @faults, "$n: exit $exit: $err" if $exit != 1;
        push @faults, "$n: no reason" if $err !~ /^referralctl: /m;
        push @faults, "$n: refused, and yet imported"
            if $after->[1] ne $before->[1];
    }

    $before = $after;
    unlink "$file.bad.csv";

    if (@faults) {
        rename $file, "$file.$n";
        last;
    }
}

is_deeply(\@faults, [], "$files mutated files (seed $seed)");
cmp_ok($imported, '>', 0, "some are imported: $imported");
cmp_ok($refused, '>', 0, "some are refused: $refused");

$t->finish;
done_testing;


# How many links there are, and all of them.

sub state {
    my $export = $t->ctl_ok('export');

    return [ scalar(() = $export =~ /^[0-9a-f]{16},/mg), $export ];
}


sub mutated {
    my $text = $samples[rand @samples];

    for (0 .. rand 8) {
        my $at = int rand(1 + length $text);
        my $what = int rand 6;

        if ($what == 0) {
            substr($text, $at, 1 + rand 4) = '' if $at < length $text;

        } elsif ($what == 1) {
            substr($text, $at, 0) = $dictionary[rand @dictionary];

        } elsif ($what == 2) {
            substr($text, $at, 1) = chr int rand 256 if $at < length $text;

        } elsif ($what == 3) {
            substr($text, $at) = '';

        } elsif ($what == 4) {
            my $other = $samples[rand @samples];
            substr($text, $at, 0) = substr $other, rand length $other,
                                           rand 200;

        } else {
            my $from = int rand(1 + length $text);
            substr($text, $at, 0) = substr $text, $from, rand 100;
        }
    }

    return $text;
}
