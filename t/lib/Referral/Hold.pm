package Referral::Hold;

# A foreign writer of one environment, a bulk import say: it has LMDB's
# writer's lock until release(), or until the test ends.
#
#     my $hold = Referral::Hold->new($t, 'registry');
#     ...
#     $hold->release;          # or release('KILL'): a lock without an owner

use strict;
use warnings;

use POSIX ();


sub new {
    my ($class, $t, $part) = @_;

    my $program = $t->program('hold');

    pipe my $stdin, my $in or die "pipe: $!\n";
    pipe my $out, my $stdout or die "pipe: $!\n";

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<&', $stdin;
        open STDOUT, '>&', $stdout;
        exec $program, 'writer', $t->registry_dir . "/$part"
            or POSIX::_exit(127);
    }

    close $stdin;
    close $stdout;

    my $said = <$out> // '';
    die "hold: $said\n" if $said !~ /^ready/;

    return bless { pid => $pid, in => $in, owner => $$ }, $class;
}


sub release {
    my ($self, $signal) = @_;

    return unless defined $self->{pid} && $self->{owner} == $$;

    local $?;

    kill $signal, $self->{pid} if defined $signal;
    close $self->{in};
    waitpid $self->{pid}, 0;
    undef $self->{pid};
}


sub DESTROY {
    my ($self) = @_;

    $self->release;
}


1;
