package Referral::Stall;

# How long requests wait for an nginx worker while it does something else.
#
#     my $probe = Referral::Stall->start($t->port, $worker);
#     my @time = Referral::Stall::stream($port, $uri);      from, to
#     my $found = $probe->finish;
#
#     my @ms = $found->between(@time);      milliseconds of each request
#     $found->memory(@time)                 most private memory, in KB
#
#     my %steps = Referral::Stall::steps($t, 2, @paths);
#     $steps{$path}                         { count, ms: of the longest one }
#
# The probe is a process of its own with one keepalive connection: each
# millisecond it sends a request, or, when that took longer, at once.  Every
# tenth time it reads how much private memory the worker has (pages of mapped
# files come and go with the kernel).
#
# Where the kernel accounts for it, the time is left out during which worker
# and probe were ready to run and had no processor: that is the machine's doing.
# The rest of its noise cannot be told from a worker that was busy: compare with
# the same work done by another worker.

use strict;
use warnings;

use File::Temp ();
use POSIX qw(_exit);
use Time::HiRes qw(sleep time);

use Referral::Connection;

use Exporter qw(import);

our @EXPORT_OK = qw(stream steps quantile);

use constant { EVERY => 0.001, PATIENCE => 300 };


sub start {
    my ($class, $port, $worker, $uri) = @_;

    my $file = File::Temp->new;

    pipe my $ready, my $begun or die "pipe: $!\n";

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        close $ready;

        my $samples = eval { probe($port, $worker, $uri // '/', $begun) };

        if (defined $samples) {
            binmode $file;
            print $file $samples;
            $file->flush;
        }

        _exit(defined $samples ? 0 : 1);
    }

    # before that a signal would end it

    close $begun;

    if (!sysread $ready, my $byte, 1) {
        waitpid $pid, 0;
        die "the probe failed\n";
    }

    return bless { pid => $pid, file => $file }, $class;
}


sub probe {
    my ($port, $worker, $uri, $begun) = @_;

    my $stop = 0;
    my $samples = '';
    my $n = 0;
    my $kb = 0;

    local $SIG{USR1} = sub { $stop = 1 };

    my $c = Referral::Connection->new($port);
    my $socket = $c->{socket};
    my $text = $c->format_request('GET', $uri);

    my @queues = grep { defined } map { queue_of($_) } $worker, $$;

    syswrite $begun, '.';

    until ($stop) {
        my $queued = sum_of(@queues);
        my $from = time;

        syswrite $socket, $text;
        sysread($socket, my $answer, 4096) or last;

        my $to = time;

        $queued = sum_of(@queues) - $queued;
        $kb = private_memory($worker) if $n++ % 10 == 0;

        my $took = $to - $from - $queued;

        $samples .= pack 'ddd', $from, $took > 0 ? $took : 0, $kb;

        my $left = $from + EVERY - time;
        sleep $left if $left > 0;
    }

    return $samples;
}


# How long a process has waited for a processor, in all its life.

sub queue_of {
    my ($pid) = @_;

    open my $f, '<', "/proc/$pid/schedstat" or return undef;

    return $f;
}


sub sum_of {
    my $ns = 0;

    for my $f (@_) {
        sysseek $f, 0, 0;
        sysread $f, my $text, 100;
        $ns += (split ' ', $text)[1];
    }

    return $ns / 1e9;
}


sub private_memory {
    my ($pid) = @_;

    open my $f, '<', "/proc/$pid/status" or return 0;
    local $/;

    my ($kb) = <$f> =~ /^RssAnon:\s+(\d+)/m;

    return $kb;
}


sub finish {
    my ($self) = @_;

    kill 'USR1', $self->{pid};
    waitpid $self->{pid}, 0;
    die "the probe failed\n" if $?;

    open my $f, '<:raw', $self->{file}->filename or die "the probe: $!\n";
    local $/;

    my @numbers = unpack 'd*', scalar <$f>;
    push @{ $self->{samples} }, [ splice @numbers, 0, 3 ] while @numbers;

    return $self;
}


sub during {
    my ($self, $from, $to) = @_;

    return grep { $_->[0] >= $from && $_->[0] <= $to }
           @{ $self->{samples} };
}


sub between {
    my ($self, $from, $to) = @_;

    return map { $_->[1] * 1000 } $self->during($from, $to);
}


sub memory {
    my ($self, $from, $to) = @_;

    return (sort { $b <=> $a } map { $_->[2] } $self->during($from, $to))[0];
}


# Reads an answer as fast as it comes, and throws it away; seconds: no longer
# than that.  Returns when it began and ended, and how many bytes there were;
# an answer that is not whole is an error.

sub stream {
    my ($port, $uri, $seconds) = @_;

    my $c = Referral::Connection->new($port);
    my $socket = $c->{socket};
    my $from = time;
    my $end = $from + ($seconds // PATIENCE);
    my ($bytes, $tail) = (0, '');

    $c->send($c->format_request('GET', $uri, Connection => 'close'));

    while (time < $end) {
        my $n = sysread $socket, my $chunk, 262144;

        die "$uri: $!\n" unless defined $n;

        if ($n == 0) {
            die "$uri: the answer was cut\n" if $tail !~ /\r\n0\r\n\r\n\z/;
            $c->abort;

            return ($from, time, $bytes);
        }

        die "$uri: $chunk\n"
            if $bytes == 0 && $chunk !~ m{^HTTP/1\.1 200 };

        $bytes += $n;
        $tail = substr $tail . substr($chunk, -16), -16;
    }

    die "$uri: it does not end\n" unless defined $seconds;

    $c->abort;

    return ($from, time, $bytes);
}


# Long steps are rare, a probe could miss them: so the answers are made without
# nginx, anew as long as a step takes more than so many milliseconds each time.

sub steps {
    my ($t, $limit, @paths) = @_;

    my ($exit, $out, $err) = $t->run_command('', $t->program('view_steps'),
        $t->registry_dir, $t->shm . '/main.counters', $limit * 1000, @paths);

    die $err if $exit;

    return map { $_->[4] => { count => $_->[0], ms => $_->[3] / 1000 } }
           map { [ split ' ' ] } split /\n/, $out;
}


sub quantile {
    my ($q, @numbers) = @_;

    my @sorted = sort { $a <=> $b } @numbers;

    return $sorted[$q * $#sorted];
}


1;
