#!/usr/bin/perl

# Each request has one outcome: rows of a Referer and what nginx must count
# for it, in the summary and in the link's own cell.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled counted counters_of sum);
use Referral::Test;


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;
        large_client_header_buffers 4 32k;

        referral main;

        location / {
            return 200 "page\n";
        }

        location /status {
            referral_status main;
        }
    }
CONF

$t->ctl_ok('init');

my %key = (
    launch => $t->ctl_ok('add', 'https://blog.example/2024/launch'),
    query  => $t->ctl_ok('add', 'https://blog.example/list?page=2'),
    topics => $t->ctl_ok('add', 'https://forum.example/topics',
                         '--match-type', 'prefix'),
    news   => $t->ctl_ok('add', 'news.example', '--match-type', 'host'),
    org    => $t->ctl_ok('add', 'example.org', '--match-type', 'domain'),
    deep   => $t->ctl_ok('add', 'deep.example.org', '--match-type', 'domain'),
    v4     => $t->ctl_ok('add', 'http://192.0.2.7/page'),
    v6     => $t->ctl_ok('add', 'http://[2001:db8::7]/page'),
    idn    => $t->ctl_ok('add', 'https://bücher.example/neu'),
);

my $launch = 'https://blog.example/2024/launch';
my $long = 'https://blog.example/2024/launch?x=' . 'a' x 20_000;

# [ Referer (undef: none), outcome, evidence, link ]

my @rows = (
    [ undef, 'direct' ],
    [ '', 'direct' ],
    [ ' ', 'direct' ],

    [ 'https://shop.example/cart', 'internal' ],
    [ 'http://SHOP.example:8080/', 'internal' ],

    [ 'nonsense', 'malformed' ],
    [ '-', 'malformed' ],
    [ 'about:blank', 'malformed' ],
    [ 'javascript:alert(1)', 'malformed' ],
    [ 'ftp://blog.example/2024/launch', 'malformed' ],
    [ 'blog.example/2024/launch', 'malformed' ],
    [ '//blog.example/2024/launch', 'malformed' ],
    [ 'https:blog.example/2024/launch', 'malformed' ],
    [ 'https://', 'malformed' ],
    [ 'https:///2024/launch', 'malformed' ],
    [ 'https://blog.example:x/2024/launch', 'malformed' ],
    [ 'https://blog .example/2024/launch', 'malformed' ],
    [ "https://blog\x01.example/", 'malformed' ],
    [ $long, 'malformed' ],

    [ $launch, 'matched', 'exact', 'launch' ],
    [ 'http://blog.example/2024/launch', 'matched', 'exact', 'launch' ],
    [ 'HTTPS://WWW.Blog.EXAMPLE./2024/launch', 'matched', 'exact', 'launch' ],
    [ 'https://blog.example:443/2024/launch', 'matched', 'exact', 'launch' ],
    [ 'https://blog.example:8443/2024/launch', 'matched', 'exact', 'launch' ],
    [ 'https://me:pw@blog.example/2024/launch', 'matched', 'exact', 'launch' ],
    [ "$launch/", 'matched', 'exact', 'launch' ],
    [ "$launch#part", 'matched', 'exact', 'launch' ],
    [ "$launch?", 'matched', 'exact', 'launch' ],
    [ "$launch?utm_source=x&gclid=1&fbclid=2", 'matched', 'exact', 'launch' ],
    [ "https://blog.example/2024/%6Caunch", 'matched', 'exact', 'launch' ],
    [ "https://blog.example/a/../2024/./launch", 'matched', 'exact',
      'launch' ],
    [ "  $launch  ", 'matched', 'exact', 'launch' ],
    [ 'https://blog.example/list?page=2', 'matched', 'exact', 'query' ],
    [ 'https://blog.example/list?utm_medium=y&page=2', 'matched', 'exact',
      'query' ],
    [ 'http://192.0.2.7/page', 'matched', 'exact', 'v4' ],
    [ 'http://192.0.2.7:8080/page', 'matched', 'exact', 'v4' ],
    [ 'http://[2001:DB8:0:0::7]/page', 'matched', 'exact', 'v6' ],
    [ 'https://xn--bcher-kva.example/neu', 'matched', 'exact', 'idn' ],

    [ 'https://forum.example/topics', 'matched', 'prefix', 'topics' ],
    [ 'https://forum.example/topics/', 'matched', 'prefix', 'topics' ],
    [ 'https://forum.example/topics/1/reply?x=y', 'matched', 'prefix',
      'topics' ],
    [ 'https://forum.example/topics?page=3', 'matched', 'prefix', 'topics' ],

    [ 'https://news.example/any/page', 'matched', 'host', 'news' ],
    [ 'https://news.example/', 'matched', 'host', 'news' ],
    [ 'https://news.example', 'matched', 'host', 'news' ],
    [ 'https://www.news.example/any', 'matched', 'host', 'news' ],

    [ 'https://example.org/page', 'matched', 'domain', 'org' ],
    [ 'https://a.b.example.org/page', 'matched', 'domain', 'org' ],
    [ 'https://deep.example.org/', 'matched', 'domain', 'deep' ],
    [ 'https://very.deep.example.org/', 'matched', 'domain', 'deep' ],

    [ 'https://blog.example/2024/other', 'unregistered' ],
    [ 'https://blog.example/2024/Launch', 'unregistered' ],
    [ 'https://blog.example/2024', 'unregistered' ],
    [ "$launch?page=2", 'unregistered' ],
    [ 'https://blog.example/list', 'unregistered' ],
    [ 'https://blog.example/list?page=2&x=1', 'unregistered' ],
    [ 'https://forum.example/topics2', 'unregistered' ],
    [ 'https://forum.example/about', 'unregistered' ],
    [ 'https://sub.news.example/', 'unregistered' ],
    [ 'https://notexample.org/', 'unregistered' ],
    [ 'https://org/', 'unregistered' ],
    [ 'http://192.0.2.8/page', 'unregistered' ],
    [ 'https://shop.example.evil.example/', 'unregistered' ],
    [ 'android-app://com.example.app/https/blog.example', 'unregistered' ],
    [ "https://other.example/\xff\xfe\"<>", 'unregistered' ],
);

$t->start;

my (%outcomes, %clicks);

for my $row (@rows) {
    my ($referer, $outcome, $evidence, $link) = @$row;
    my @header = defined $referer ? (Referer => $referer) : ();

    my %wanted = ($outcome => 1);
    $wanted{"clicks.$outcome"} = 1 if $outcome !~ /internal|malformed/;
    $outcomes{$outcome}++;

    if (defined $link) {
        $wanted{$evidence} = 1;
        $wanted{clicks} = 1;
        $wanted{clicks_by_page} = 1 if $evidence =~ /exact|prefix/;
        $clicks{$link}++;
    }

    my $name = $referer // 'no Referer';
    $name = substr($name, 0, 50) . '...' if length $name > 60;
    $name =~ s/([^ -~])/sprintf '\x%02x', ord $1/ge;

    is_deeply(counted($t, sub {
                  $t->get('/pricing', Host => 'shop.example', @header);
              }), \%wanted, "\"$name\": $outcome");
}

my $summary = settled($t, scalar @rows);

is(sum($summary->{outcomes}), scalar @rows,
   'the outcomes sum to the requests');

for my $outcome (sort keys %outcomes) {
    is($summary->{outcomes}{$outcome}, $outcomes{$outcome},
       "all that are $outcome");
}

for my $link (sort keys %key) {
    my $counters = counters_of($t, $key{$link});
    delete $counters->{clicks_by_page};
    is_deeply($counters, { clicks => $clicks{$link} }, "clicks of $link");
}

is($summary->{links}{registered}, scalar keys %key, 'links registered');
is($summary->{links}{active}, scalar keys %clicks, 'links that brought any');

is_deeply(counted($t, sub {
              $t->get('/', Referer => [ 'https://x.example/', $launch ]);
          }), { unregistered => 1, 'clicks.unregistered' => 1 },
          'of two Referers the first counts');

$t->finish;

done_testing;
