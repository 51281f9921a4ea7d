#!/usr/bin/perl

# health says what is wrong with the requests themselves: each verdict after
# 1,000 page requests and not before, gone after the next 1,000 that are well,
# and none on a site with nothing wrong.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled sum summary);
use Referral::Test qw(wait_until);


use constant PAGES => 1000;

my $t = Referral::Test->new(workers => 2, http => <<'CONF');
    %%REGISTRY%%
    referral_registry paths %%DIR%%/paths counters=%%SHM%%/paths.counters
                      flush=1s;

    proxy_http_version 1.1;

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;

        referral main;

        location / { return 200; }
        location /paths { referral paths; return 200; }

        location /max-age {
            add_header Cache-Control max-age=60;
            return 200;
        }
        location /private {
            add_header Cache-Control "private, max-age=60";
            return 200;
        }
        location /expires { expires 1m; return 200; }
        location /epoch { expires epoch; return 200; }
        location /shared {
            add_header Cache-Control max-age=0;
            add_header Cache-Control s-maxage=60;
            return 200;
        }

        location /upstream { proxy_pass http://127.0.0.1:%%PORT2%%/; }

        location /status { referral off; referral_status main; }
        location /status-paths { referral off; referral_status paths; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        keepalive_requests 100000;

        location / {
            add_header Expires "Fri, 31 Dec 2100 23:59:59 GMT";
            return 200;
        }
        location /no-store {
            add_header Cache-Control "no-store, max-age=60";
            return 200;
        }
    }
CONF

mkdir $t->dir . '/paths' or die;
$t->give_to_worker($t->dir . '/paths');

$t->ctl_ok('init');
$t->ctl_ok('add', 'https://blog.example/launch',
           '--target', 'https://www.shop.example/pricing');
$t->ctl_ok('-d', $t->dir . '/paths', 'init');
$t->ctl_ok('-d', $t->dir . '/paths', 'add', 'https://blog.example/launch',
           '--target', '/paths');
$t->start;

# A window begins with the keeper's first turn, which ends with a flush.

for my $path ('/status', '/status-paths') {
    ok(wait_until(sub { defined summary($t, $path)->{health}{flush_age_ms} },
                  30),
       "$path: the keeper is at work");
}

sleep 2;

my %sent = ('/status' => 0, '/status-paths' => 0);
my @shop = (Host => 'shop.example');

# Each request's number of times, to both workers; all are page requests.

sub send_pages {
    my ($path, @requests) = @_;

    for my $r (@requests) {
        my ($count, $uri, %header) = @$r;
        next unless $count;

        my $result = $t->load(requests => [ [ $uri, %header ] ],
                              count => $count, connections => 2, depth => 16);

        is($result->{status}{200}, $count, "$count times $uri");
        $sent{$path} += $count;
    }

    is(sum(settled($t, $sent{$path}, $path)->{outcomes}), $sent{$path},
       'all are counted');
}

# The facts that health tells, without what to do about them.

sub facts {
    my ($path) = @_;

    my $texts = summary($t, $path)->{health}{diagnosis};

    return join ', ', map { /^([^:]+): .*docs\/cdn\.md$/ ? $1 : "<$_>" }
                      @$texts;
}

# The keeper has looked: each second it flushes, and then it does.

sub keeper_looked {
    my ($path) = @_;

    for (1 .. 2) {
        my $from = time;

        wait_until(sub {
            my $asked = time;
            my $age = summary($t, $path)->{health}{flush_age_ms};
            return $age < ($asked - $from) * 1000;
        }, 30) or die "the keeper does not flush\n";
    }
}

sub facts_stay {
    my ($path, $facts, $name) = @_;

    keeper_looked($path);
    is(facts($path), $facts, $name);
}

sub facts_become {
    my ($path, $facts, $name) = @_;

    wait_until(sub { facts($path) eq $facts }, 30);
    is(facts($path), $facts, $name);
}

# A window: one page request less, and then the one that makes it full.

sub window {
    my ($path, $before, $facts, $name, @requests) = @_;

    my ($count, @one) = @{ $requests[0] };

    send_pages($path, [ $count - 1, @one ], @requests[1 .. $#requests]);
    facts_stay($path, $before, "$name: not after " . (PAGES - 1) . ' pages');

    send_pages($path, [ 1, @one ]);
    facts_become($path, $facts, "$name: after " . PAGES . " '$facts'");

    # the window is over, and what comes now counts for the next
    keeper_looked($path) if $before eq $facts;
}

my $news = 'https://news.example/';

my @well = ([ PAGES - 20, '/', @shop ], [ 20, '/', @shop, Referer => $news ]);

my $no_referer = 'no Referer arrives';
my $other_host = "the host of the requests is never a target's host";
my $edge = 'only requests that fill a cache arrive';

facts_stay('/status', '', 'nothing is said at first');

window('/status', '', '', 'healthy', @well);

# No Referer.

window('/status', '', $no_referer, 'without Referer', [ PAGES, '/', @shop ]);

sub one_referer {
    my ($name, $uri, %header) = @_;

    # no page request, yet it shows that Referers arrive
    is($t->get($uri, @shop, %header)->{status}, 200, $name);
    $sent{'/status'}++;

    window('/status', $no_referer, '', $name, [ PAGES, '/', @shop ]);
    window('/status', '', $no_referer, 'again none', [ PAGES, '/', @shop ]);
}

one_referer('one internal Referer', '/', Referer => 'https://shop.example/a');
one_referer("an image's Referer", '/', Referer => $news,
            Accept => 'image/webp,*/*');

# Fetch Metadata makes it internal, but there is no Referer.

is($t->get('/', @shop, 'Sec-Fetch-Site' => 'same-origin')->{status}, 200,
   'internal without a Referer');
$sent{'/status'}++;
window('/status', $no_referer, $no_referer, 'internal without Referer',
       [ PAGES, '/', @shop ]);

window('/status', $no_referer, '', 'healthy again', @well);

# Another host, as a CDN may send it.

window('/status', '', $other_host, 'the origin is asked by its own name',
       [ PAGES - 20, '/', Host => 'origin.example' ],
       [ 20, '/', Host => 'origin.example', Referer => $news ]);
window('/status', $other_host, '', 'one of the hosts is the target\'s',
       [ PAGES - 21, '/', Host => 'origin.example' ],
       [ 1, '/', Host => 'WWW.shop.example:8080' ],
       [ 20, '/', Host => 'origin.example', Referer => $news ]);

# A target without a host fits any host.

window('/status-paths', '', '', 'targets that are paths',
       [ PAGES - 20, '/paths', Host => 'origin.example' ],
       [ 20, '/paths', Host => 'origin.example', Referer => $news ]);

# A cache in front that may keep the answers.

my @via = (@shop, Via => '1.1 cache.example', Referer => $news);
my @fastly = (@shop, 'CDN-Loop' => 'Fastly', Referer => $news);
my @cloudfront = (@shop, 'User-Agent' => 'Amazon CloudFront',
                  Referer => $news);
my @varnish = (@shop, 'X-Varnish' => '32770', Referer => $news);
my @cloudflare = (@shop, 'CDN-Loop' => 'cloudflare; loops=1',
                  Referer => $news);

window('/status', '', '', 'a cache that may keep nothing',
       [ 250, '/', @via ], [ 250, '/private', @fastly ],
       [ 250, '/epoch', @via ], [ 200, '/upstream/no-store', @cloudfront ],
       [ 50, '/max-age', @varnish, Cookie => 'id=1' ]);
window('/status', '', $edge, 'a cache that may keep all',
       [ 250, '/max-age', @via ], [ 250, '/expires', @fastly ],
       [ 200, '/upstream', @cloudfront ], [ 200, '/shared', @cloudflare ],
       [ 100, '/max-age', @varnish ]);
window('/status', $edge, '', 'one in fifty is passed',
       [ PAGES - 20, '/max-age', @via ], [ 20, '/private', @via ]);
window('/status', '', '', 'max-age without a cache',
       [ PAGES, '/max-age', @shop, Referer => $news ]);
window('/status', '', '', 'Cloudflare, which keeps no HTML by itself',
       [ PAGES, '/max-age', @cloudflare ]);

# What was found outlives the processes that found it.

window('/status', '', "$no_referer, $edge", 'both',
       [ PAGES, '/max-age', @shop, Via => '1.1 cache.example' ]);

$t->reload;
facts_stay('/status', "$no_referer, $edge", 'it stays through a reload');

$t->finish;

done_testing;
