package Referral::Load;

# Load whose requests are all accounted for.
#
#     my $result = Referral::Load::run(
#         port => $port, requests => [ [ '/', Referer => '...' ], ... ],
#         count => 200_000, connections => 8, depth => 32);
#
# Sends the requests in turn, count in all, from so many processes with a
# connection each; depth is how many are sent ahead of their responses.
#
#     $result->{answered}[$i]   responses to requests->[$i]
#     $result->{lost}[$i]       sent, but the connection broke before the
#                               response: counted by nginx or not
#     $result->{status}{200}    responses by status
#     $result->{total}          responses
#
# lost => 'resend' with depth 1 sends them again: right where nginx closes
# idle connections (a reload), for it has not read what it did not answer.
# With start() and finish() the caller does something meanwhile; without a
# count the load goes on until finish().  pause is how many seconds each
# process waits between batches; patient => 1: while nginx is down, they wait
# for it.
#
#     Referral::Load::burst($port, \@texts);
#
# sends requests as they are, as fast as one connection can; answers are
# counted by their status lines alone, so their bodies are to be empty.

use strict;
use warnings;

use IO::Select;
use POSIX qw(_exit);
use Time::HiRes qw(sleep time);

use Referral::Connection;

use constant PATIENCE => 30;


sub run {
    return finish(start(@_));
}


sub start {
    my (%arg) = @_;

    my $connections = $arg{connections} // 4;
    my $probe = bless { methods => [] }, 'Referral::Connection';
    my @texts = map {
        my ($uri, %header) = @$_;
        $probe->format_request('GET', $uri, %header)
    } @{ $arg{requests} };
    my @children;

    die "requests can only be sent again at depth 1\n"
        if ($arg{lost} // '') eq 'resend' && ($arg{depth} // 1) != 1;

    for my $i (0 .. $connections - 1) {
        my $count = defined $arg{count}
                    ? int($arg{count} / $connections)
                      + ($i < $arg{count} % $connections ? 1 : 0)
                    : 9**9**9;

        pipe my $read, my $write or die "pipe: $!\n";
        my $stop = 0;

        # before there is a child that could be told
        local $SIG{USR1} = sub { $stop = 1 };

        my $pid = fork() // die "fork: $!\n";

        if ($pid == 0) {
            close $read;
            my $state = eval {
                client(\%arg, \@texts, $count, $i * 7919 % @texts,
                       \$stop)
            };

            print $write defined $state ? report($state) : "error $@";
            close $write;
            _exit(0);
        }

        close $write;
        push @children, [ $pid, $read ];
    }

    return { children => \@children, n => scalar @texts,
             endless => !defined $arg{count} };
}


sub finish {
    my ($load) = @_;

    my $result = { answered => [ (0) x $load->{n} ],
                   lost => [ (0) x $load->{n} ], status => {}, total => 0 };
    my $error;

    if ($load->{endless}) {
        kill 'USR1', map { $_->[0] } @{ $load->{children} };
    }

    for my $child (@{ $load->{children} }) {
        my ($pid, $read) = @$child;

        while (my $line = <$read>) {
            my ($what, $key, $value) = split ' ', $line;

            if ($what eq 'status') {
                $result->{status}{$key} += $value;
                $result->{total} += $value;

            } elsif ($what eq 'error') {
                $error = $line;

            } else {
                $result->{$what}[$key] += $value;
            }
        }

        waitpid $pid, 0;
    }

    die "load: $error" if defined $error;

    return $result;
}


sub report {
    my ($state) = @_;

    my $text = '';

    for my $what (qw(answered lost)) {
        my $list = $state->{$what};
        $text .= "$what $_ $list->[$_]\n" for grep { $list->[$_] } 0 .. $#$list;
    }

    $text .= "status $_ $state->{status}{$_}\n" for keys %{ $state->{status} };

    return $text;
}


sub client {
    my ($arg, $texts, $count, $at, $stop) = @_;

    my $depth = $arg->{depth} // 1;
    my $resend = ($arg->{lost} // '') eq 'resend';
    my $state = { answered => [ (0) x @$texts ], lost => [ (0) x @$texts ],
                  status => {} };
    my @again;
    my $c;

    while ($count > 0 || @again) {
        if ($$stop) {
            $count = 0;
            last unless @again;
        }

        my @batch = splice @again, 0, $depth;

        while (@batch < $depth && $count > 0) {
            push @batch, $at;
            $at = ($at + 1) % @$texts;
            $count--;
        }

        $c //= connect_to($arg->{port}, $arg->{patient});
        $c->send(join '', @{$texts}[@batch]);

        my $closes;

        while (@batch && !$closes) {
            my $response = $c->read_response or last;
            my $i = shift @batch;

            $state->{answered}[$i]++;
            $state->{status}{ $response->{status} }++;
            $closes = ($response->{headers}{connection} // '') eq 'close';
        }

        sleep $arg->{pause} if defined $arg->{pause};
        next unless @batch || $closes;

        # After "Connection: close" nginx has read nothing more.

        if ($closes || $resend) {
            push @again, @batch;

        } else {
            $state->{lost}[$_]++ for @batch;
        }

        $c->close;
        undef $c;
    }

    $c->close if defined $c;

    return $state;
}


# Sends and reads at the same time: nginx reads no further while nobody takes
# its answers.

sub burst {
    my ($port, $texts) = @_;

    my $c = Referral::Connection->new($port);
    my $socket = $c->{socket};
    my $select = IO::Select->new($socket);
    my ($at, $out, $in, $answers) = (0, '', '', 0);

    $socket->blocking(0);

    while ($answers < @$texts) {
        if (length $out < 65536 && $at < @$texts) {
            my $to = $at + 999 < $#$texts ? $at + 999 : $#$texts;

            $out .= join '', @$texts[$at .. $to];
            $at = $to + 1;
        }

        my ($can_read, $can_write) =
            IO::Select->select($select, length $out ? $select : undef, undef,
                               PATIENCE) or die "burst: no answers\n";

        if (@$can_write) {
            my $n = syswrite $socket, $out, 65536;
            substr $out, 0, $n // 0, '';
        }

        if (@$can_read) {
            my $n = sysread $socket, $in, 262144, length $in;

            die "burst: the connection was closed\n" if defined $n && !$n;

            # a status line may be in two parts
            $answers++ while $in =~ m{\GHTTP/1\.1 2.*?\r\n\r\n}gcs;
            substr $in, 0, pos($in) // 0, '';
        }
    }

    $c->close;
}


# nginx may be down for a while.

sub connect_to {
    my ($port, $patient) = @_;

    my $end = time + PATIENCE;

    for (;;) {
        my $c = eval { Referral::Connection->new($port) };

        return $c if defined $c;
        die $@ if !$patient || time > $end;
        sleep 0.02;
    }
}


1;
