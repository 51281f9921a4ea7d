#!/usr/bin/perl

# referral_host: which host is the site's own, where a CDN rewrites Host.  Own
# Referers, targets with a host, and redirects all go by it.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted);
use Referral::Test;


my $t = Referral::Test->new(http => '');

$t->expect_log(qr/\[emerg\]/);

sub configtest {
    my ($http, $server, $location) = @_;

    $t->set_conf(http => "%%REGISTRY%%\n$http\nserver {\n"
                         . "listen 127.0.0.1:%%PORT%%;\n" . ($server // '')
                         . "\nlocation /x {\n" . ($location // '')
                         . "\n}\n}\n");

    return $t->configtest;
}

for my $value ('shop.example', 'off', '""') {
    my ($exit, $said) = configtest("referral_host $value;");

    isnt($exit, 0, "referral_host $value is refused");
    like($said, qr/\[emerg\] .*invalid value ".*" in "referral_host", a var/,
         'and why is said');
    like($said, qr/nginx\.conf:\d+/, 'and where');
}

like((configtest($_->[0], $_->[1], $_->[2]))[1], $_->[3],
     "$_->[0]$_->[1]$_->[2]: refused") for (
    [ 'referral_host;', '', '', qr/invalid number of arguments/ ],
    [ 'referral_host $host $uri;', '', '', qr/invalid number of arguments/ ],
    [ 'referral_host $host; referral_host $host;', '', '',
      qr/"referral_host" directive is duplicate/ ],
    [ 'referral_host $nothing_at_all;', '', '',
      qr/unknown "nothing_at_all" variable/ ],
    [ '', '', 'referral_host $host;',
      qr/"referral_host" directive is not allowed here/ ],
);

is((configtest($_, $_))[0], 0, "$_ is accepted")
    for 'referral_host $http_x_site;', 'referral_host "${http_x_site}";',
        'referral_host www.$http_x_site;';

$t->set_conf(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name origin.example;

        referral main;
        referral_host $http_x_site;

        add_header X-Outcome $referral_outcome always;

        location / { return 200; }
        location /moved { return 301 /pricing; }
        location /away { return 301 https://shop.example/pricing; }
        location /origin { return 301 http://origin.example/pricing; }
        location /elsewhere { return 301 http://pay.example/pricing; }
        location /status { referral_status main; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        server_name shop.example;
        referral main;
        location / { return 200; }
    }

    server {
        listen 127.0.0.1:%%PORT3%%;
        server_name _;
        referral main;
        referral_host $referral_outcome;
        location / { return 200; }
    }
CONF

$t->ctl_ok('init');
$t->ctl_ok('add', 'https://blog.example/launch',
           '--target', 'https://shop.example/pricing');
$t->ctl_ok('add', 'news.example');
$t->start;

sub outcome_is {
    my ($outcome, $name, $uri, $port, %header) = @_;

    my $changes = counted($t, sub {
        my $c = $t->connection($t->port($port));
        $c->request('GET', $uri, Connection => 'close', %header);
        $c->close;
    });

    is($changes->{$outcome}, 1, "$name: $outcome");

    return $changes;
}

my @site = ('X-Site' => 'shop.example', Host => 'origin.example');
my $own = 'https://shop.example/cart';

# Whose Referers are internal.

outcome_is('internal', 'the variable', '/', 1, @site, Referer => $own);
outcome_is('unregistered', 'the Host', '/', 1, @site,
           Referer => 'https://origin.example/');
outcome_is('internal', 'without the variable the Host', '/', 1,
           Host => 'origin.example', Referer => 'https://origin.example/');
outcome_is('unregistered', 'then the variable says nothing', '/', 1,
           Host => 'origin.example', Referer => $own);
outcome_is('internal', "another server's Host", '/', 2,
           Host => 'shop.example', 'X-Site' => 'x.example', Referer => $own);
outcome_is('internal', "$_", '/', 1, Host => 'origin.example',
           'X-Site' => $_, Referer => $own)
    for 'SHOP.example', 'www.shop.example', 'shop.example.',
        'shop.example:8443';
outcome_is('unregistered', "no host: '$_'", '/', 1, Host => 'origin.example',
           'X-Site' => $_, Referer => $own)
    for '/', 'a b', 'x' x 3000, '[::';

# X-Forwarded-Host is a stranger's word.

outcome_is('unregistered', 'X-Forwarded-Host', '/', 1,
           Host => 'origin.example', 'X-Forwarded-Host' => 'shop.example',
           Referer => $own);

# A target that names a host.

outcome_is('matched', 'the target is the variable', '/pricing', 1, @site,
           Referer => 'https://blog.example/');
outcome_is('unregistered', 'and not the Host', '/pricing', 1,
           Host => 'origin.example', Referer => 'https://blog.example/');

# A redirect to the variable's host is one of ours, and so is the server's.

my $news = 'https://news.example/';

is(outcome_is('matched', $_, $_, 1, @site, Referer => $news)->{redirects}, 1,
   "$_ is a redirect") for qw(/moved /away /origin);
is(outcome_is('matched', '/elsewhere', '/elsewhere', 1, @site,
              Referer => $news)->{clicks}, 1, '/elsewhere is a click');

# Known before the response.

is($t->get('/', @site, Referer => $own)->{headers}{'x-outcome'}, 'internal',
   'in a header');

# A variable that asks for itself is no endless loop.

my ($worker) = $t->worker_pids;

outcome_is('matched', 'a variable that asks for itself', '/', 3,
           Referer => $news);
is(($t->worker_pids)[0], $worker, 'the worker lives');

$t->finish;

done_testing;
