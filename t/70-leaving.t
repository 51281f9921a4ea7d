#!/usr/bin/perl

# Who asks for the status tree and then leaves, or does not: no old worker stays
# for it, and nothing is answered twice.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(summary);
use Referral::Test qw(wait_until);


my $slower = $ENV{TEST_SLOWER} // (($ENV{ASAN_OPTIONS} // '') ne '' ? 5 : 1);

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        location / { referral main; return 200 "page"; }
        location /status { referral_status main; }
        location /lingering { lingering_close always; referral_status main; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        post_action /after;
        location = /after {
            internal;
            proxy_pass http://127.0.0.1:%%PORT3%%/;
            proxy_read_timeout 60s;
        }
        location /status { referral_status main write=on; }
    }

    server {
        listen 127.0.0.1:%%PORT3%%;
        location / { return 200; }
    }
CONF

$t->ctl_ok('init');
$t->ctl_ok('add', "https://blog.example/$_") for 1 .. 3;
$t->write_file('many.csv', join '', map { "https://many.example/$_\n" }
                                        1 .. 20000);
$t->ctl_ok('import', $t->dir . '/many.csv');
$t->start;
ok(wait_until(sub { summary($t)->{health}{registry} eq 'ok' }, 10), 'ready');

# -- who stays ----------------------------------------------------------------

# nginx waits lingering_timeout, 5 s, for what such a client may send still.

for my $row (
    [ 'a stream', '/status/events', '', '' ],
    [ 'a byte behind the request', '/status/events', '', 'X' ],
    [ 'another request behind it', '/status/events', '',
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n" ],
    [ 'a body that never comes', '/status/events', "Content-Length: 5\r\n",
      '' ],
    [ 'lingering_close always', '/lingering/events', '', '' ])
{
    my ($name, $uri, $headers, $behind) = @$row;

    my ($old) = $t->worker_pids;
    my $client = ask($t->port, $uri, $headers, $behind);

    like(read_some($client), qr{^HTTP/1.1 200 .*event: summary}s,
         "$name: it is begun");

    $t->signal('HUP');
    ok(wait_until(sub { !-d "/proc/$old" }, 6 + 2 * $slower),
       "$name: the old worker leaves, though the client does not");
    close $client;
}

# -- who leaves, and nginx goes on with the request -----------------------------

my $worker = ($t->worker_pids)[0];

for my $n (1 .. 60) {
    my $client = ask($t->port(2), (qw(/status/links?sort=clicks /status/hosts
                                      /status/labels))[$n % 3], '', '');

    sleep(0.0004 * ($n % 20));
    close $client;
}

is($t->get('/')->{status}, 200, 'nginx serves');
is(($t->worker_pids)[0], $worker, 'post_action: the worker is the same');

my @clients = map { ask($t->port(2), '/status/events', '', '') } 1 .. 6;

like(read_some($_), qr/event: summary/, 'a stream where post_action is')
    for @clients;

close $_ for splice @clients, 0, 3;
sleep 0.5;
$t->signal('HUP');
ok(wait_until(sub { !-d "/proc/$worker" }, 6 + 2 * $slower),
   'the old worker leaves');
close $_ for @clients;

$t->finish;

done_testing;


sub ask {
    my ($port, $uri, $headers, $behind) = @_;

    my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $port)
        or die "127.0.0.1:$port: $!\n";

    # in one segment

    $client->autoflush(1);
    print $client "GET $uri HTTP/1.1\r\nHost: x\r\n$headers\r\n$behind";

    return $client;
}


# What there is until the first event has come.

sub read_some {
    my ($client) = @_;

    my $text = '';
    my $until = time + 10 * $slower;

    $client->blocking(0);

    while ($text !~ /event: summary/ && time < $until) {
        sysread $client, $text, 65536, length $text;
        sleep 0.01;
    }

    return $text;
}
