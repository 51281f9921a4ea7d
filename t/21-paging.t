#!/usr/bin/perl

# Lists of links, a page at a time: by each order and each counter, every link
# is shown once.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled);
use Referral::Test;


use constant LINKS => 250;

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;
        location / { referral main; return 200; }
        location /gone { referral main; return 410; }
        location /status { referral_status main; }
    }
CONF

$t->ctl_ok('init');

my $csv = "source,match_type\n"
          . join '', map { "https://h$_.example/page,exact\n" } 1 .. LINKS;
my ($exit, undef, $err) = $t->ctl_with($csv, 'import', '-');

is($exit, 0, 'the links are registered') or diag($err);

# Some clicks, many alike, some links without any.

my @requests;

for my $i (1 .. LINKS) {
    push @requests, [ '/', Referer => "https://h$i.example/page" ]
        for 1 .. $i % 7;
    push @requests, [ '/gone', Referer => "https://h$i.example/page" ]
        if $i % 5 == 0;
}

$t->start;
$t->load(requests => \@requests, count => scalar @requests, depth => 20,
         connections => 1);
settled($t, scalar @requests);

my $c = $t->connection;

sub page {
    my ($args) = @_;

    my $answer = $c->request('GET', "/status/links?$args");

    die "$args: $answer->{status} $answer->{body}\n"
        if $answer->{status} != 200;

    return JSON::PP->new->utf8->decode($answer->{body});
}

# All pages, by their cursors.

sub pages {
    my ($args, $limit) = @_;

    my (@links, $pages);
    my $cursor = '';

    do {
        my $page = page("$args&limit=$limit&after=$cursor");

        push @links, @{ $page->{links} };
        $cursor = $page->{next};
        $pages++;

    } while (defined $cursor && $pages < 1000);

    return ($pages, @links);
}

my %all = map { $_->{key} => $_ } @{ page('limit=all')->{links} };

is(scalar keys %all, LINKS, 'limit=all shows all');
is(page('limit=all')->{next}, undef, 'and no cursor');

sub value_of {
    my ($link, $sort) = @_;

    return $sort eq 'key' ? $link->{key}
           : $sort eq 'last_seen' ? $link->{last_seen} // ''
           : sprintf '%020d', $link->{counters}{$sort};
}

my @sorts = ('key', 'last_seen', sort keys %{ (values %all)[0]{counters} });

for my $sort (@sorts) {
    for my $order ('asc', 'desc') {
        my $name = "sort=$sort order=$order";
        my ($pages, @links) = pages("sort=$sort&order=$order", 40);
        my %seen;

        $seen{ $_->{key} }++ for @links;

        is($pages, 7, "$name: pages");
        is(scalar @links, LINKS, "$name: as many as there are");
        is(scalar keys %seen, LINKS, "$name: each once");

        my @values = map { value_of($_, $sort) } @links;
        my @sorted = sort @values;

        @sorted = reverse @sorted if $order eq 'desc';
        is_deeply(\@values, \@sorted, "$name: in order");
    }
}

# Sizes of pages.

my ($first) = pages('sort=clicks', 1);

is($first, LINKS, 'a page of one link');

for my $limit (LINKS - 1, LINKS, LINKS + 1, 10_000) {
    my ($pages, @links) = pages('sort=clicks', $limit);

    is(scalar @links, LINKS, "limit=$limit: all");
    is($pages, $limit < LINKS ? 2 : 1, "limit=$limit: pages");

    ($pages, @links) = pages('sort=key&order=asc', $limit);
    is(scalar @links, LINKS, "limit=$limit by key: all");
    is($pages, $limit < LINKS ? 2 : 1, "limit=$limit by key: pages");
}

my $default = page('');

is(scalar @{ $default->{links} }, 100, 'a page has 100 links by default');
is($default->{links}[0]{counters}{clicks}, 6, 'those with most clicks first');
is_deeply([ map { $_->{key} } @{ page('limit=20')->{links} } ],
          [ map { $_->{key} } @{ $t->get_json('/status')->{top} } ],
          'the summary has the first 20');

# limit=all is in the order of keys, whatever else is said.

for my $args ('', '&sort=clicks', '&sort=key&order=desc') {
    my @keys = map { $_->{key} } @{ page("limit=all$args")->{links} };

    is_deeply(\@keys, [ sort @keys ], "limit=all$args: in the order of keys");
}

my @keys = sort keys %all;

is_deeply([ map { $_->{key} } @{ page("limit=all&after=$keys[99]")->{links} } ],
          [ @keys[100 .. LINKS - 1] ], 'limit=all behind a cursor');
is_deeply(page('sort=key&order=asc&after=ffffffffffffffff'),
          { links => [], next => undef }, 'behind the last key is nothing');
is_deeply(page('sort=key&order=desc&after=0000000000000000'),
          { links => [], next => undef }, 'before the first is nothing');

# A link that is removed while one pages takes no other one along.

my $cursor = page('sort=key&order=asc&limit=100')->{next};

$t->ctl_ok('rm', $keys[99]);
is(page("sort=key&order=asc&limit=1&after=$cursor")->{links}[0]{key},
   $keys[100], 'a cursor holds when its link is gone');

$c->close;
$t->finish;

done_testing;
