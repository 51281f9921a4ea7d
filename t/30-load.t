#!/usr/bin/perl

# 200,000 requests over four workers, and each is counted: once undisturbed,
# once across a reload, once while a worker is killed.  The clients know how
# many answers to each request they have; the counters must say the same.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(links_of nonzero settled sum summary);
use Referral::Test;


use constant COUNT => $ENV{TEST_LOAD} // 200_000;
use constant CONNECTIONS => 6;

my $t = Referral::Test->new(workers => 4, http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        server_name shop.example;
        keepalive_requests 1000000;

        referral main;

        location / { return 200; }
        location = /moved { return 302 /; }
        location = /gone { return 410; }
        location = /broken { return 503; }
        location /status { referral_status main; }
    }
CONF

$t->ctl_ok('init');

my %key;
my @sources = (
    (map { [ "page $_", "https://blog.example/$_", '--target', "/l$_" ] }
     1 .. 8),
    [ 'twin 1', 'https://twins.example/1', '--target', '/a' ],
    [ 'twin 2', 'https://twins.example/2', '--target', '/a' ],
    [ 'prefix', 'https://forum.example/t', '--match-type', 'prefix' ],
    [ 'host', 'news.example', '--match-type', 'host' ],
    [ 'domain', 'example.org', '--match-type', 'domain' ],
);

for my $source (@sources) {
    my ($name, @args) = @$source;
    $key{$name} = $t->ctl_ok('add', @args);
}

# [ request, outcome, link or group, counters ]

my @rows = (
    (map { [ [ "/l$_", Referer => "https://blog.example/$_" ], 'matched',
             "page $_", 'clicks', 'clicks_by_page' ] } 1 .. 8),
    [ [ '/l3', Referer => 'https://blog.example/' ], 'matched', 'page 3',
      'clicks' ],
    [ [ '/l1', Referer => 'https://blog.example/2' ], 'matched', 'page 2',
      'clicks', 'clicks_by_page', 'other_landing' ],
    [ [ '/moved', Referer => 'https://blog.example/1' ], 'matched', 'page 1',
      'redirects' ],
    [ [ '/gone', Referer => 'https://blog.example/1' ], 'matched', 'page 1',
      'errors_4xx' ],
    [ [ '/broken', Referer => 'https://blog.example/1' ], 'matched', 'page 1',
      'errors_5xx' ],
    [ [ '/a', Referer => 'https://twins.example/' ], 'ambiguous', 'twins' ],
    [ [ '/x', Referer => 'https://forum.example/t/1?x' ], 'matched', 'prefix',
      'clicks', 'clicks_by_page' ],
    [ [ '/x', Referer => 'https://news.example/' ], 'matched', 'host',
      'clicks' ],
    [ [ '/x', Referer => 'https://www.example.org/' ], 'matched', 'domain',
      'clicks' ],
    (map { [ [ '/x', Referer => "https://x$_.example/y" ], 'unregistered' ] }
     1 .. 5),
    [ [ '/x' ], 'direct' ],
    [ [ '/x', Referer => 'https://shop.example/' ], 'internal' ],
    [ [ '/x', Referer => 'nonsense' ], 'malformed' ],
);

my @requests = map {
    my ($uri, @header) = @{ $_->[0] };
    [ $uri, Host => 'shop.example', @header ]
} @rows;

# What the rows, each so many times, must have made of the counters.

sub tally {
    my ($times) = @_;

    my %tally;

    for my $i (0 .. $#rows) {
        my (undef, $outcome, $link, @counters) = @{ $rows[$i] };

        $tally{$outcome} += $times->[$i];
        $tally{"$link $_"} += $times->[$i] for @counters;
        $tally{$link} += $times->[$i] if $outcome eq 'ambiguous';
    }

    return nonzero(\%tally);
}

sub counts {
    my ($summary) = @_;

    my %counts = %{ $summary->{outcomes} };
    my $links = links_of($t);

    for my $name (keys %key) {
        my $link = $links->{ $key{$name} };

        $counts{"$name $_"} = $link->{counters}{$_}
            for grep { $_ ne 'bytes' } keys %{ $link->{counters} };
        $counts{twins} = $_->{clicks} for @{ $link->{groups} };
    }

    return nonzero(\%counts);
}

my @sent = (0) x @rows;
my $total = 0;

sub add {
    my ($result) = @_;

    $sent[$_] += $result->{answered}[$_] for 0 .. $#rows;
    $total += $result->{total};
}

my %load = (requests => \@requests, count => COUNT,
            connections => CONNECTIONS);

$t->start;

# Undisturbed.

my $result = $t->load(%load, depth => 32);

add($result);
is($result->{total}, COUNT, 'undisturbed: all requests are answered');

my $summary = settled($t, $total);

is(sum($summary->{outcomes}), COUNT,
   "the outcomes sum to the client's count");
is_deeply(counts($summary), tally(\@sent), 'each counter is what was sent');
is($summary->{health}{$_}, 0, "no $_") for qw(overflow lookup_errors);

# A reload in the middle.

my $running = Referral::Load::start(port => $t->port, %load,
                                    lost => 'resend');
my $before = $total;

Referral::Test::wait_until(sub {
    sum(summary($t)->{outcomes}) > $before + COUNT / 4
}, 60);
$t->reload;

my $at_reload = sum(summary($t)->{outcomes}) - $before;

add(Referral::Load::finish($running));
is($total, 2 * COUNT, 'a reload: all requests are answered');
cmp_ok($at_reload, '<', COUNT, 'it was in the middle')
    or diag("$at_reload were counted then");
$summary = settled($t, $total);
is(sum($summary->{outcomes}), $total,
   "the outcomes sum to the client's count");
is_deeply(counts($summary), tally(\@sent), 'each counter is what was sent');

# kill -9 of a worker in the middle.

my $sent_before = tally(\@sent);

$running = Referral::Load::start(port => $t->port, %load, depth => 16);
$before = $total;
Referral::Test::wait_until(sub {
    sum(summary($t)->{outcomes}) > $before + COUNT / 4
}, 60);
$t->kill_worker(busiest());

$result = Referral::Load::finish($running);

my $lost = 0;

$lost += $_ for @{ $result->{lost} };
add($result);
is($total - $before + $lost, COUNT, 'a kill: all requests are accounted for');
cmp_ok($lost, '>', 0, 'some connections broke');

# What was answered is counted, but for the one the worker was busy with: the
# answer leaves before the count.  What was not may be counted, or not.

$summary = settled($t, $total - 1);

my $counts = counts($summary);
my $least = tally(\@sent);
my $most = tally([ map { $sent[$_] + $result->{lost}[$_] } 0 .. $#rows ]);
my (@short, @over);

for my $name (keys %$most) {
    my $n = $counts->{$name} // 0;

    push @short, "$name: $n of $least->{$name}"
        if $n < ($least->{$name} // 0) - 1;
    push @over, "$name: $n of $most->{$name}" if $n > $most->{$name};
}

is_deeply(\@short, [], 'no counter lacks more than a request in flight');
is_deeply(\@over, [], 'none has more than was sent');

my $sum = sum($summary->{outcomes});

cmp_ok($sum, '>=', $total - 1, 'no answer is missing in the sum');
cmp_ok($sum, '<=', $total + $lost, 'and the sum is not too high');
my $classes = sum({ map { $_ => $summary->{classes}{$_} }
                     qw(clicks redirects errors_4xx errors_5xx) });

cmp_ok(abs($classes - $summary->{outcomes}{matched}), "<=", 1,
       "classes sum to the matches, but for the one in flight");

# And after all that, a restart.

$counts = counts(settled($t, $sum));
$t->restart;
is_deeply(counts(settled($t, $sum)), $counts, 'a restart changes nothing');

$t->finish;

done_testing;


# The worker with most connections.

sub busiest {
    my %sockets;

    for my $pid ($t->worker_pids) {
        $sockets{$pid} = grep { (readlink($_) // '') =~ /^socket:/ }
                         glob "/proc/$pid/fd/*";
    }

    return (sort { $sockets{$b} <=> $sockets{$a} } keys %sockets)[0];
}
