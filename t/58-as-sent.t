#!/usr/bin/perl

# nginx changes requests on their way: an internal redirect turns POST into GET,
# a Location gets the host that was asked.  Classes are of what was sent.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted);
use Referral::Test;


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name _;

        referral main;
        referral_host $http_x_host;

        error_page 404 /404.html;

        location / { return 200; }
        location = /404.html { internal; return 404 "nothing here"; }
        location = /missing { return 404; }
        location = /old { return 301 /pricing; }
        location = /away { return 301 http://elsewhere.example/pricing; }
        location = /accel { proxy_pass http://127.0.0.1:%%PORT2%%; }
        location /inside/ { internal; return 200; }
        location /status { referral_status main; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        location / { add_header X-Accel-Redirect /inside/page; return 200; }
    }
CONF

$t->ctl_ok('init');
$t->ctl_ok('add', 'https://blog.example/2024/launch', '--target', '/pricing');
$t->ctl_ok('add', 'news.example');
$t->start;


sub class_of {
    my ($method, $uri, %headers) = @_;

    my $counts = counted($t, sub {
        $t->request($method, $uri, Host => 'origin.internal',
                    'X-Host' => 'shop.example',
                    Referer => 'https://news.example/', %headers);
    });

    return join ' ', grep { $counts->{$_} }
           qw(clicks redirects errors_4xx errors_5xx other embeds bots);
}

is(class_of('GET', '/missing'), 'errors_4xx', 'GET and error_page');
is(class_of('POST', '/missing', 'Content-Length' => 0), 'other',
   'POST and error_page');
is(class_of('GET', '/accel'), 'clicks', 'GET and X-Accel-Redirect');
is(class_of('POST', '/accel', 'Content-Length' => 0), 'other',
   'POST and X-Accel-Redirect');

is(class_of('GET', '/old'), 'redirects',
   'a Location with the host that was asked, where the site is another');
is(class_of('GET', '/pricing'), 'clicks', 'and the click that follows');
is(class_of('GET', '/away'), 'clicks', 'a Location elsewhere');

$t->finish;

done_testing;
