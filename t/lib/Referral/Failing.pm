package Referral::Failing;

# Runs scenarios of tests/failing/ and sees that each call site had its turn.
#
#     Referral::Failing::run('core', [ 'stores' ], [ 'status', 'threads' ]);
#
# What tools/failing-sites is to count, then groups of scenarios: a process for
# each list.

use strict;
use warnings;

use Test::More;

use Referral::Test;


sub run {
    my ($room, @parts) = @_;

    my $root = Referral::Test::root_dir();
    my $program = "$root/build/failing/failing";

    -x $program
        or BAIL_OUT("$program is not there: make build/failing/failing");

    my @runs = map { start($root, $program, @$_) } @parts;
    my $said = '';

    for my $run (@runs) {
        my ($name, $f) = @$run;
        my @lines = <$f>;

        $said .= join '', @lines;
        ok(close $f, "$name: no crash, no leak, nothing half done")
            or diag(grep { !/^site / } @lines);
        note(grep { !/^site / } @lines);
    }

    count($root, $room, $program, $said);
}


sub start {
    my ($root, $program, @names) = @_;

    open my $f, '-|', "$root/tools/sanitized $program @names 2>&1"
        or die "$program: $!\n";

    return [ join(', ', @names), $f ];
}


sub count {
    my ($root, $room, $program, $said) = @_;

    my $file = "$root/build/failing/$room";

    open my $out, '>', $file or die "$file: $!\n";
    print $out $said;
    close $out or die "$file: $!\n";

    my $sites = `$root/tools/failing-sites $room $program < $file`;

    is($?, 0, 'each call site had its turn, or an excuse') or diag($sites);

    my ($count) = $sites =~ /^($room: \d+ of \d+ call sites .*)$/m;
    diag($count // 'no count');
}


1;
