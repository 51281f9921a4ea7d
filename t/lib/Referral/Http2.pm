package Referral::Http2;

# HTTP/2 in bytes, without TLS: streams that are sent, taken back and left as
# no client does it by itself.
#
#     my $c = Referral::Http2->new($t->port(2));
#
#     $c->send(asked(1, '/a', referer => $page) . asked(3, '/b'));
#     $c->answers(2);                          # waits for the ends of two
#     $c->send(taken_back(5));
#     $c->ping;                                # all of it was read
#     $c->close;
#
# RFC 9113 and, for the headers, RFC 7541: literals without Huffman code and
# without indexing.  A value has at most 126 bytes.

use strict;
use warnings;

use Time::HiRes qw(time);

use Referral::Connection;

use Exporter qw(import);

our @ISA = qw(Referral::Connection);
our @EXPORT_OK = qw(asked taken_back);

use constant {
    HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6,
    END_STREAM => 1, ACK => 1, END_HEADERS => 4,
    CANCEL => 8,
    PATIENCE => 10,
};


sub new {
    my ($class, $port) = @_;

    my $self = Referral::Connection::new($class, $port);

    $self->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(SETTINGS, 0, 0, ''));

    return $self;
}


sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return pack('CnCCN', 0, length $payload, $type, $flags, $stream)
           . $payload;
}


# A browser's request, with more headers or instead of its own.

sub asked {
    my ($stream, $uri, @more) = @_;

    my @headers = (':method', 'GET', ':scheme', 'http', ':path', $uri,
                   ':authority', 'shop.example', 'accept', 'text/html',
                   'user-agent',
                   'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', @more);
    my $block = '';

    while (my ($name, $value) = splice @headers, 0, 2) {
        $block .= pack 'C C/a C/a', 0, $name, $value;
    }

    return frame(HEADERS, END_STREAM | END_HEADERS, $stream, $block);
}


sub taken_back {
    my ($stream) = @_;

    return frame(RST_STREAM, 0, $stream, pack 'N', CANCEL);
}


# (type, flags) of the next frame; nothing at the end of the connection.

sub read_frame {
    my ($self) = @_;

    my $deadline = time + PATIENCE;
    my $head = $self->read_bytes(9, $deadline) // return;
    my ($high, $low, $type, $flags) = unpack 'CnCC', $head;

    $self->read_bytes($high << 16 | $low, $deadline) // return;

    return ($type, $flags);
}


# Reads until so many streams have ended.

sub answers {
    my ($self, $left) = @_;

    while ($left > 0) {
        my ($type, $flags) = $self->read_frame or return 0;

        $left-- if $type <= HEADERS && $flags & END_STREAM;
    }

    return 1;
}


# True when nginx answers: it has read all that was sent before.

sub ping {
    my ($self) = @_;

    $self->send(frame(PING, 0, 0, 'referral'));

    while (my ($type, $flags) = $self->read_frame) {
        return 1 if $type == PING && $flags & ACK;
    }

    return 0;
}


1;
