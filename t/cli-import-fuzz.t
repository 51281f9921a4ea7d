#!/usr/bin/perl

# Files as they must not be: mutated exports of every format.  The command
# ends by itself, says why it refused one, and never imports a half.
#
# IMPORT_FUZZ is how many files, IMPORT_SEED which.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(stat);

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $files = $ENV{IMPORT_FUZZ} // 10000;
my $seed = $ENV{IMPORT_SEED} // 20261120;

my $t = Referral::Test->new;
my $json = JSON::PP->new->utf8;

my @samples = map { $t->read_file($_) }
              sort glob Referral::Test::root_dir() . '/tests/data/import/*';
my @dictionary = (',', ';', "\t", '"', '""', "\r\n", "\n", "\0", "\xff\xfe",
                  "\xef\xbb\xbf", "\xfe\xff", '{', '}', '[', ']', '\\',
                  'domain:', 'source', 'Lost', '://', "'=", 'x' x 9000,
                  "\xd8\x00", "\xf0\x9f\x98\x80", '{"links":[', 'PK');

# On tmpfs no commit waits for a disk.
my $dir = $t->shm . '/registry';
my $data = "$dir/registry/data.mdb";
my @ways = ([], [], [ '--skip-bad' ], [ '--skip-bad' ], [ '--update' ],
            [ '--sync' ], [ '--dry-run' ]);

use constant PATIENCE => 120;            # for one file
use constant ALL_LOOKED_AT => 500;       # files

srand $seed;
run('init');
run('add', 'https://kept.example/');

my ($links, $imported, $refused, @faults) = (1, 0, 0);

for my $n (1 .. $files) {
    my $file = write_file($t->shm . '/fuzz', mutated());
    my @options = $ways[rand @ways]->@*;

    my $before = stamp();
    my ($exit, $out, $err) = run('--json', 'import', $file, @options);

    push @faults, map { "$n (@options): $_" }
                  $exit == 0 ? wrong_success($out, @options)
                             : wrong_refusal($exit, $out, $err);
    push @faults, "$n (@options): the registry was written to"
        if ($exit != 0 || "@options" eq '--dry-run') && stamp() ne $before;

    push @faults, map { "$n: $_" } looked_at() if $n % ALL_LOOKED_AT == 0;

    unlink "$file.bad.csv";

    if (@faults) {
        rename $file, "$file.$n";
        last;
    }
}

is_deeply([ @faults, looked_at() ], [], "$files mutated files (seed $seed)");
cmp_ok($imported, '>', 0, "some are imported: $imported");
cmp_ok($refused, '>', 0, "some are refused: $refused");

$t->finish;
done_testing;


# Files of output on tmpfs, too.  A command that hangs is ended by its alarm.

sub run {
    my @args = @_;

    my @to = map { $t->shm . "/$_" } qw(out err);
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        $t->sanitizer_environment;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $to[0];
        open STDERR, '>', $to[1];
        alarm PATIENCE;
        exec $t->{ctl}, '-d', $dir, @args or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    my $exit = $? & 127 ? 128 + ($? & 127) : $? >> 8;

    return ($exit, map { $t->read_file($_) } @to);
}


# When the file was written to last, and what it was then.

sub stamp {
    my @stat = stat $data or die "$data: $!\n";

    return join ' ', @stat[1, 7, 9];
}


sub wrong_success {
    my ($out, @options) = @_;

    my $report = eval { $json->decode($out) };

    return "no report: $out" if !$report;

    $imported++;

    my @wrong;

    push @wrong, "the rows do not add up: $out"
        if $report->{rows} != $report->{links} + $report->{merged}
                              + $report->{bad};
    push @wrong, "bad rows were passed over: $out"
        if $report->{bad} != 0 && "@options" ne '--skip-bad';

    if ("@options" eq '--dry-run') {
        push @wrong, "a dry run imports: $out" if $report->{imported};

    } else {
        push @wrong, "nothing was imported: $out" if !$report->{imported};
        $links += $report->{added} - $report->{removed};
    }

    return @wrong;
}


sub wrong_refusal {
    my ($exit, $out, $err) = @_;

    $refused++;

    return ($exit != 1 ? "exit $exit: $err" : (),
            $err !~ /^referralctl: /m ? 'no reason' : (),
            $out ne '' && eval { $json->decode($out) }->{imported}
                ? "refused, and yet imported: $out" : ());
}


# All of it: sound, and as many links as the reports said.

sub looked_at {
    my ($exit, $out) = run('--json', 'check');
    my $found = eval { $json->decode($out) } // {};

    return ($exit != 0 ? "check: exit $exit: $out" : (),
            ($found->{links} // -1) != $links
                ? "there are $found->{links} links, not $links" : ());
}


sub write_file {
    my ($path, $text) = @_;

    open my $f, '>', $path or die "$path: $!\n";
    binmode $f;
    print $f $text;
    close $f or die "$path: $!\n";

    return $path;
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
