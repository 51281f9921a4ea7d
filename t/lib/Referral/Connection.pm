package Referral::Connection;

# One HTTP/1.1 connection over a raw socket: keepalive, pipelining and bytes
# no well-behaved client would send.
#
# A response is { status, reason, headers, body }: headers maps lower-case
# names to the value (several are joined by ", "), body is bytes.  A
# connection closed before a response is undef.
#
# A request looks like a browser's that opens a page over plain http; a
# test that gives a header itself, or undef for none, has its own way.

use strict;
use warnings;

use Errno qw(EINTR);
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER TCP_NODELAY);
use Time::HiRes qw(time);

use constant TIMEOUT => 30;

use constant BROWSER => (
    'Accept' => 'text/html,application/xhtml+xml,application/xml;q=0.9,'
                . 'image/avif,image/webp,image/apng,*/*;q=0.8',
    'Host' => 'localhost',
    'User-Agent' => 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'
                    . ' (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
);


sub new {
    my ($class, $port) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $port)
        or die "connect to port $port: $!\n";

    binmode $socket;
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

    return bless { socket => $socket, port => $port, buffer => '',
                   methods => [] }, $class;
}


# The same for requests made by hand, without the Host.

sub browser_lines {
    my %header = BROWSER;

    return join '', map { "$_: $header{$_}\r\n" } qw(Accept User-Agent);
}


# A header whose value is an array is sent once for each.

sub format_request {
    my ($self, $method, $uri, %header) = @_;

    my $body = delete $header{Body};
    my %given = map { lc $_ => 1 } keys %header;
    my %default = BROWSER;

    delete @default{ grep { $given{lc $_} } keys %default };
    %header = (%default, %header);
    $header{'Content-Length'} //= length $body if defined $body;

    my $text = "$method $uri HTTP/1.1\r\n";

    for my $name (sort keys %header) {
        my $value = $header{$name} // next;
        $text .= "$name: $_\r\n" for ref $value ? @$value : $value;
    }

    return "$text\r\n" . ($body // '');
}


sub request {
    my ($self, $method, $uri, %header) = @_;

    $self->send_request($method, $uri, %header);

    return $self->read_response;
}


# For pipelining: send several, then read as many responses.

sub send_request {
    my ($self, $method, $uri, %header) = @_;

    push @{ $self->{methods} }, $method;

    return $self->send($self->format_request($method, $uri, %header));
}


# 1, or 0 when the other side has closed.

sub send {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $at = 0;

    while ($at < length $bytes) {
        my $n = syswrite $self->{socket}, $bytes, length($bytes) - $at, $at;

        if (!defined $n) {
            next if $! == EINTR;
            return 0;
        }

        $at += $n;
    }

    return 1;
}


# Appends what has come to the buffer: 1, or 0 at the end of the stream.

sub fill {
    my ($self, $deadline) = @_;

    my $left = $deadline - time;

    die "no answer from port $self->{port} within " . TIMEOUT . " seconds\n"
        if $left <= 0;

    return 1 unless IO::Select->new($self->{socket})->can_read($left);

    my $n = sysread $self->{socket}, $self->{buffer}, 65536,
                    length $self->{buffer};

    return 1 if !defined $n && $! == EINTR;

    return $n ? 1 : 0;
}


sub read_response {
    my ($self) = @_;

    my $deadline = time + TIMEOUT;
    my $method = shift @{ $self->{methods} } // 'GET';
    my $response;

    do {
        $response = $self->read_head($deadline);
        return undef unless defined $response;
    } while ($response->{status} =~ /^1/ && $response->{status} != 101);

    my $headers = $response->{headers};

    if ($method eq 'HEAD' || $response->{status} =~ /^(?:101|204|304)$/) {
        $response->{body} = '';

    } elsif (($headers->{'transfer-encoding'} // '') =~ /chunked/i) {
        $response->{body} = $self->read_chunks($deadline);

    } elsif (defined $headers->{'content-length'}) {
        $response->{body} = $self->read_bytes($headers->{'content-length'},
                                              $deadline);
    } else {
        $response->{body} = $self->read_all;
    }

    return defined $response->{body} ? $response : undef;
}


sub read_head {
    my ($self, $deadline) = @_;

    my $end;

    while (($end = index $self->{buffer}, "\r\n\r\n") < 0) {
        return undef unless $self->fill($deadline);
    }

    my ($first, @lines) = split /\r\n/, substr $self->{buffer}, 0, $end + 4,
                                               '';
    my (undef, $status, $reason) = split / /, $first, 3;
    my %headers;

    for my $line (@lines) {
        my ($name, $value) = split /:\s*/, $line, 2;
        $name = lc $name;
        $headers{$name} = defined $headers{$name} ? "$headers{$name}, $value"
                                                  : $value;
    }

    return { status => $status, reason => $reason // '',
             headers => \%headers };
}


sub read_bytes {
    my ($self, $length, $deadline) = @_;

    while (length $self->{buffer} < $length) {
        return undef unless $self->fill($deadline);
    }

    return substr $self->{buffer}, 0, $length, '';
}


sub read_chunks {
    my ($self, $deadline) = @_;

    my $body = '';

    for (;;) {
        my $end;

        while (($end = index $self->{buffer}, "\r\n") < 0) {
            return undef unless $self->fill($deadline);
        }

        my ($digits) = substr($self->{buffer}, 0, $end + 2, '')
                       =~ /^([0-9a-f]+)/i or return undef;
        my $size = hex $digits;

        my $chunk = $self->read_bytes($size + 2, $deadline);
        return undef unless defined $chunk;

        return $body if $size == 0;
        $body .= substr $chunk, 0, $size;
    }
}


# Until the other side closes.

sub read_all {
    my ($self) = @_;

    my $deadline = time + TIMEOUT;

    1 while $self->fill($deadline);

    return substr $self->{buffer}, 0, length $self->{buffer}, '';
}


# Until this has come, or the other side closes.

sub read_until {
    my ($self, $wanted) = @_;

    my $deadline = time + TIMEOUT;

    while ($self->{buffer} !~ $wanted) {
        $self->fill($deadline) or last;
    }

    return substr $self->{buffer}, 0, length $self->{buffer}, '';
}


# Returns when nginx has closed, too: it logs and counts a request before that,
# but after the client has all of the response.

sub close {
    my ($self) = @_;

    if (shutdown $self->{socket}, 1) {
        my $deadline = time + 5;

        eval { 1 while $self->fill($deadline) };
    }

    CORE::close $self->{socket};
}


# Without a word to the other side or a wait for it.

sub abort {
    my ($self) = @_;

    setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    CORE::close $self->{socket};
}


1;
