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
# With start() and wait() the caller does something meanwhile.

use strict;
use warnings;

use POSIX qw(_exit);

use Referral::Connection;


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
        my $count = int($arg{count} / $connections)
                    + ($i < $arg{count} % $connections ? 1 : 0);

        pipe my $read, my $write or die "pipe: $!\n";
        my $pid = fork() // die "fork: $!\n";

        if ($pid == 0) {
            close $read;
            my $state = eval {
                client(\%arg, \@texts, $count, $i * 7919 % @texts)
            };

            print $write defined $state ? report($state) : "error $@";
            close $write;
            _exit(0);
        }

        close $write;
        push @children, [ $pid, $read ];
    }

    return { children => \@children, n => scalar @texts };
}


sub finish {
    my ($load) = @_;

    my $result = { answered => [ (0) x $load->{n} ],
                   lost => [ (0) x $load->{n} ], status => {}, total => 0 };
    my $error;

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
    my ($arg, $texts, $count, $at) = @_;

    my $depth = $arg->{depth} // 1;
    my $resend = ($arg->{lost} // '') eq 'resend';
    my $state = { answered => [ (0) x @$texts ], lost => [ (0) x @$texts ],
                  status => {} };
    my @again;
    my $c;

    while ($count > 0 || @again) {
        my @batch = splice @again, 0, $depth;

        while (@batch < $depth && $count > 0) {
            push @batch, $at;
            $at = ($at + 1) % @$texts;
            $count--;
        }

        $c //= Referral::Connection->new($arg->{port});
        $c->send(join '', @{$texts}[@batch]);

        my $closes;

        while (@batch && !$closes) {
            my $response = $c->read_response or last;
            my $i = shift @batch;

            $state->{answered}[$i]++;
            $state->{status}{ $response->{status} }++;
            $closes = ($response->{headers}{connection} // '') eq 'close';
        }

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


1;
