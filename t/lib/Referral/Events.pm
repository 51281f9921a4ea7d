package Referral::Events;

# Clients of /events: each takes what comes, when it comes.
#
#     my $stream = Referral::Events->open($t);
#     read_streams([ $stream ], sub { @{ $stream->{match} } >= 3 }, 10);
#
#     $stream->{head}       status and headers; body for what is no stream
#     $stream->{match}      the data of these events, as text
#     $stream->{summary}
#     $stream->{missed}     their sum
#     $stream->{ended}      1: by a last chunk; 0: cut; undef: it goes on

use strict;
use warnings;

use IO::Select;
use JSON::PP ();
use Time::HiRes qw(time);

use Referral::Connection;

use Exporter qw(import);

our @EXPORT_OK = qw(read_streams landings);


# connection: one that is open, instead of another; path, port.

sub open {
    my ($class, $t, %arg) = @_;

    my $path = delete $arg{path} // '/status/events';
    my $port = delete $arg{port};
    my $c = delete $arg{connection} // $t->connection($port);

    $c->send_request('GET', $path, Accept => 'text/event-stream', %arg);

    my $head = $c->read_head(time + 30);

    $head->{body} = $c->read_bytes($head->{headers}{'content-length'},
                                   time + 30)
        if defined $head && $head->{status} != 200;

    return bless { connection => $c, head => $head, match => [],
                   summary => [], missed => 0, text => '', ended => undef },
                 $class;
}


sub close { return $_[0]{connection}->close }
sub abort { return $_[0]{connection}->abort }


# Reads all of them until the condition is true (1), or time is up (0).

sub read_streams {
    my ($streams, $condition, $seconds) = @_;

    my $end = time + $seconds;

    $_->take for @$streams;

    until ($condition->()) {
        my %of = map { fileno($_->{connection}{socket}) => $_ }
                 grep { !defined $_->{ended} } @$streams;
        my $left = $end - time;

        return 0 if $left <= 0 || !%of;

        my $select = IO::Select->new(map { $_->{connection}{socket} }
                                     values %of);

        for my $socket ($select->can_read($left < 0.1 ? $left : 0.1)) {
            my $stream = $of{fileno $socket};

            $stream->{ended} = 0 unless $stream->fill;
            $stream->take;
        }
    }

    return 1;
}


sub fill {
    my ($self) = @_;

    my $c = $self->{connection};

    return sysread $c->{socket}, $c->{buffer}, 262144, length $c->{buffer};
}


# Chunks to text, text to events.

sub take {
    my ($self) = @_;

    my $c = $self->{connection};

    while ($c->{buffer} =~ /\A([0-9a-f]+)\r\n/) {
        my ($head, $size) = (length $&, hex $1);

        last if length $c->{buffer} < $head + $size + 2;

        $self->{ended} = 1 if $size == 0;
        $self->take_text(substr $c->{buffer}, $head, $size);
        substr $c->{buffer}, 0, $head + $size + 2, '';
    }
}


sub take_text {
    my ($self, $text) = @_;

    $text = $self->{inflate}->($text) if defined $self->{inflate};
    $self->{text} .= $text;

    while ($self->{text} =~ /\G(.*?)\n\n/gcs) {
        my ($event, $data) = $1 =~ /\Aevent: (\w+)\ndata: ([^\n]+)\z/
            or next;

        if ($event eq 'missed') {
            $self->{missed} += JSON::PP->new->decode($data)->{missed};
            next;
        }

        push @{ $self->{$event} }, $data;
    }

    substr $self->{text}, 0, pos($self->{text}) // 0, '';
}


# The landings of its matches, in the order in which they came.

sub landings {
    my ($stream) = @_;

    return map { /"landing":"([^"]*)"/ } @{ $stream->{match} };
}


1;
