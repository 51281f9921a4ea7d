#!/usr/bin/perl

# Every call of core that may be told no is told so: memory, files, threads,
# LMDB, PCRE2, jansson, libidn2.  tests/failing/ has what is done meanwhile and
# what must hold; here it runs, in two processes, and is counted.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $root = Referral::Test::root_dir();
my $program = "$root/build/failing/failing";

-x $program or BAIL_OUT("$program is not there: make build/failing/failing");

my @halves = (
    [ qw(registry bulk attribute counters volatile ledger fold views agent) ],
    [ qw(clocks runtime edits writer keeper check resized) ],
);

my @runs = map { start(@$_) } @halves;
my $said = '';

for my $run (@runs) {
    my ($name, $f) = @$run;
    my @lines = <$f>;

    $said .= join '', @lines;
    ok(close $f, "$name: no crash, no leak, nothing half done")
        or diag(grep { !/^site / } @lines);
}

my $file = "$root/build/failing/output";

open my $out, '>', $file or die "$file: $!\n";
print $out $said;
close $out or die "$file: $!\n";

my $sites = `$root/tools/failing-sites $program < $file`;

is($?, 0, 'each call site had its turn, or an excuse') or diag($sites);
note($sites);

my ($count) = $sites =~ /^(core: \d+ of \d+ call sites .*)$/m;
diag($count // 'no count');

done_testing;


sub start {
    my @names = @_;

    open my $f, '-|', "$root/tools/sanitized $program @names 2>&1"
        or die "$program: $!\n";

    return [ join(', ', @names), $f ];
}
