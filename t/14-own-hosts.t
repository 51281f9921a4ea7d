#!/usr/bin/perl

# Which Referers are internal: those of the host the request was for, however
# it is known, and of the own hosts.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted);
use Referral::Test;


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    referral main;
    referral_own_hosts everywhere.example;

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example www.shop.example;

        location / { return 200; }
        location /status { referral_status main; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        server_name second.example;

        referral_own_hosts partner.example *.wild.example 192.0.2.1;
        referral_own_hosts www.Mixed.Example [2001:db8::1]
                           xn--bcher-kva.example;

        location / { return 200; }
        location /deep/ { location /deep/er { return 200; } }
    }
CONF

$t->ctl_ok('init');
$t->ctl_ok('add', 'partner.example', '--match-type', 'host');
$t->start;

sub referer_is {
    my ($outcome, $port, $host, $referer, $uri) = @_;

    $uri //= '/';

    my $name = "at $host, from $referer: $outcome";
    my $changes = counted($t, sub {
        my $c = $t->connection($t->port($port));
        $c->request('GET', $uri, Host => $host, Referer => $referer);
        $c->close;
    });

    is_deeply([ grep { !/\./ } sort keys %$changes ], [ $outcome ], $name);
}

my ($in, $out) = ('internal', 'unregistered');

# The request's own host.

referer_is($in, 1, 'shop.example', 'https://shop.example/');
referer_is($in, 1, 'shop.example', 'http://shop.example/x?y#z');
referer_is($in, 1, 'shop.example', 'https://www.shop.example/x');
referer_is($in, 1, 'www.shop.example', 'https://shop.example/x');
referer_is($in, 1, 'Shop.Example', 'https://SHOP.example/x');
referer_is($in, 1, 'shop.example:8443', 'https://shop.example/x');
referer_is($in, 1, 'shop.example', 'https://shop.example:8443/x');
referer_is($in, 1, 'shop.example.', 'https://shop.example/x');
referer_is($in, 1, 'shop.example', 'https://shop.example./x');
referer_is($in, 1, 'shop.example', 'https://me@shop.example/x');
referer_is($in, 1, 'any.example', 'https://any.example/');
referer_is($in, 1, '127.0.0.1', 'http://127.0.0.1:8080/');
referer_is($in, 1, '[2001:db8::7]', 'http://[2001:DB8:0::7]/');
referer_is($out, 1, 'shop.example', 'https://shop.example.org/');
referer_is($out, 1, 'shop.example', 'https://myshop.example/');
referer_is($out, 1, 'shop.example', 'https://sub.shop.example/');
referer_is($out, 1, 'sub.shop.example', 'https://shop.example/');
referer_is($out, 1, 'shop.example', 'https://shop.example@evil.example/');
referer_is($out, 1, 'shop.example', 'android-app://shop.example/');
referer_is('malformed', 1, 'shop.example', 'ftp://shop.example/');

# Nobody can claim another host by a header.

is_deeply(counted($t, sub {
              $t->get('/', Host => 'shop.example',
                      'X-Forwarded-Host' => 'evil.example',
                      Referer => 'https://evil.example/');
          }), { unregistered => 1, 'clicks.unregistered' => 1 },
          'X-Forwarded-Host is not read');

# Without a Host, the server's name.

sub without_host {
    my ($port, $referer) = @_;

    my $changes = counted($t, sub {
        my $c = $t->connection($t->port($port));
        $c->send("GET / HTTP/1.0\r\nReferer: $referer\r\n\r\n");
        $c->read_all;
        $c->close;
    });

    return join ' ', grep { !/\./ } sort keys %$changes;
}

is(without_host(1, 'https://shop.example/'), $in,
   'HTTP/1.0 without Host: the server name');
is(without_host(1, 'https://www.shop.example/'), $in, 'and with www.');
is(without_host(2, 'https://second.example/'), $in, 'of that server');
is(without_host(2, 'https://shop.example/'), $out, 'of no other');

# Own hosts.

referer_is($in, 1, 'shop.example', 'https://everywhere.example/');
referer_is($out, 1, 'shop.example', 'https://x.everywhere.example/');

my @rows = (
    [ $in, 'https://partner.example/' ],
    [ $in, 'https://www.partner.example:81/x' ],
    [ $in, 'https://PARTNER.example./x' ],
    [ $out, 'https://sub.partner.example/' ],
    [ $in, 'https://a.wild.example/' ],
    [ $in, 'https://a.b.wild.example/' ],
    [ $in, 'https://www.wild.example/' ],
    [ $out, 'https://wild.example/' ],
    [ $out, 'https://notwild.example/' ],
    [ $in, 'http://192.0.2.1/' ],
    [ $out, 'http://192.0.2.10/' ],
    [ $in, 'https://mixed.example/' ],
    [ $in, 'http://[2001:db8:0::1]:8080/' ],
    [ $in, 'https://xn--bcher-kva.example/' ],
    [ $out, 'https://everywhere.example/' ],
);

referer_is($_->[0], 2, 'second.example', $_->[1]) for @rows;
referer_is($in, 2, 'second.example', 'https://partner.example/', '/deep/er/x');

like(join(' ', sort keys %{ counted($t, sub {
         $t->get('/', Host => 'shop.example',
                 Referer => 'https://partner.example/');
     }) }), qr/\bhost matched\b/, 'own hosts of one server are not another\'s');

$t->finish;

done_testing;
