package Referral::Clock;

# nginx by a wall clock that the test sets, while it runs, too.
#
#     main => "env LD_PRELOAD;\nenv REFERRAL_CLOCK;\n",
#     ...
#     set_clock($file, 3 * 86400);     # seconds ahead
#     start_by_clock($t, $file);

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT_OK = qw(set_clock start_by_clock);


sub start_by_clock {
    my ($t, $file) = @_;

    my $dir = $ENV{TEST_PRELOAD} // "$t->{root}/build/plain/preload";
    my @asan = exists $ENV{ASAN_OPTIONS} ? 'verify_asan_link_order=0' : ();

    die "$dir/clock.so is not there: make build/plain/helpers\n"
        unless -e "$dir/clock.so";

    local $ENV{ASAN_OPTIONS} = join ':', $ENV{ASAN_OPTIONS}, @asan if @asan;
    local $ENV{LD_PRELOAD} = "$dir/clock.so";
    local $ENV{REFERRAL_CLOCK} = $file;

    $t->start;
}


# Not to be truncated: it is mapped.

sub set_clock {
    my ($file, $offset) = @_;

    open my $f, -e $file ? '+<' : '>', $file or die "$file: $!\n";
    binmode $f;
    syswrite $f, pack 'q', $offset or die "$file: $!\n";
    close $f;
    chmod 0644, $file;
}


1;
