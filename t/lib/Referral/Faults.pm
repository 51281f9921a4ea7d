package Referral::Faults;

# Faults in a running nginx: what tests/preload/faults.c does, by rules.
#
#     my $t = Referral::Test->new(preload => 1, http => ...);
#
#     my $slow = $t->fault(calls => 'sync meta', where => 'ledger',
#                          delay => 250);
#     ...
#     is($slow->done, 2, 'so it was');
#     $slow->clear;
#
# A rule takes
#
#     calls    some of: put commit write meta sync  ("meta": LMDB's write of
#              its meta page, which is a sync as well)
#     who      'keeper', a pid, or 'any', the default
#     where    'registry', 'ledger' or 'any', the default
#     skip     calls that pass before it holds, 0
#     times    calls it holds for; 0, the default: until it is cleared
#     delay    milliseconds
#     error    'EIO', 'ENOSPC' or another name
#     kill     1: kill -9 of the process that calls
#     after    1: all this when the call is done, not before it
#
# and tells how many calls matched (seen) and were acted upon (done).  A rule
# without delay, error and kill counts calls.

use strict;
use warnings;

use Errno ();

use constant {
    RULES => 8,
    RULE_SIZE => 128,
    SEEN => 10,
    DONE => 11,
};

my %call = (put => 1, commit => 2, write => 4, meta => 8, sync => 16);
my %where = (any => 0, registry => 1, ledger => 2);
my %who = (any => 0, keeper => -1);


# The file without a rule.

sub create {
    my ($path) = @_;

    open my $f, '>', $path or die "$path: $!\n";
    binmode $f;
    print $f "\0" x (RULES * RULE_SIZE);
    close $f or die "$path: $!\n";
    chmod 0666, $path;
}


sub new {
    my ($class, $path, %arg) = @_;

    open my $f, '+<', $path or die "$path: $!\n";
    binmode $f;

    my $self = bless { file => $f }, $class;

    $self->{slot} = $self->free_slot;
    $self->write_rule(%arg);

    return $self;
}


sub free_slot {
    my ($self) = @_;

    for my $slot (0 .. RULES - 1) {
        $self->{slot} = $slot;
        return $slot unless $self->read_number(0);
    }

    die "all " . RULES . " rules are in use\n";
}


# Its first number arms it: that is written when all else is there.

sub write_rule {
    my ($self, %arg) = @_;

    my $calls = 0;

    for my $name (split ' ', delete $arg{calls} // 'sync') {
        $calls |= $call{$name} // die "there is no call $name\n";
    }

    my $who = delete $arg{who} // 'any';
    my $error = delete $arg{error};

    my @rule = ($calls, $who{$who} // $who,
                $where{delete $arg{where} // 'any'} // die,
                (map { delete $arg{$_} // 0 } qw(skip times delay)),
                defined $error ? Errno->can($error)->() : 0,
                (map { delete $arg{$_} // 0 } qw(kill after)), 0, 0);

    die "a fault has no @{[ keys %arg ]}\n" if %arg;

    $self->write_numbers(1, @rule);
    $self->write_numbers(0, 1);
}


sub write_numbers {
    my ($self, $at, @numbers) = @_;

    sysseek $self->{file}, $self->{slot} * RULE_SIZE + 8 * $at, 0 or die $!;
    syswrite $self->{file}, pack('q*', @numbers) or die $!;
}


sub read_number {
    my ($self, $at) = @_;

    sysseek $self->{file}, $self->{slot} * RULE_SIZE + 8 * $at, 0 or die $!;
    sysread($self->{file}, my $bytes, 8) == 8 or die "the file is short\n";

    return unpack 'q', $bytes;
}


sub seen { return $_[0]->read_number(SEEN) }
sub done { return $_[0]->read_number(DONE) }


sub clear {
    my ($self) = @_;

    $self->write_numbers(0, 0);
}


1;
