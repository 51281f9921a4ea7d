#!/usr/bin/perl

# /metrics: what it says, that Prometheus's own tools read it, and that a
# Prometheus which scrapes it answers what the status page says.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled sum summary);
use Referral::Metrics qw(promtool_faults read_metrics samples value);
use Referral::Test qw(root_dir wait_until);


my @classes = qw(clicks reloads redirects errors_4xx errors_5xx embeds
                 prefetches bots other);

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%
    referral_registry second %%DIR%%/second counters=%%SHM%%/second.counters
                      flush=1s;

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;
        referral main;
        location / { return 200; }
        location /gone { return 410; }
        location /broken { return 503; }
        location /second { referral second; return 200; }
        location /status { referral_status main; }
        location /all/ { referral_status all; }
    }
CONF

# What each link is and what it gets.

my @links = (
    { source => 'https://blog.example/a', name => 'Post "a"\\',
      channel => 'guest-post', partner => "S\xc3\xb6hne", clicks => 5 },
    { source => 'https://blog.example/b', channel => 'guest-post',
      clicks => 7, '/gone' => 3, '/broken' => 2 },
    { source => 'https://news.example/c', channel => 'press', clicks => 11 },
    { source => 'https://news.example/d', '/gone' => 4 },
    { source => 'https://news.example/e', partner => 'nobody came' },
    { source => 'https://gone.example/f', channel => 'press', clicks => 13 },
);

# An origin-only Referer is one of two links of one target: of one channel each,
# and of two.

my @groups = (
    { host => 'one.example', channels => [ 'social', 'social' ],
      clicks => 3 },
    { host => 'two.example', channels => [ 'email', 'zzz-own-word' ],
      clicks => 2 },
);

$t->ctl_ok('init');
register($_) for @links;

for my $group (@groups) {
    my $i = 0;
    register({ source => "https://$group->{host}/" . ++$i, target => '/same',
               channel => $_ }) for @{ $group->{channels} };
}

$t->start;

# Both have their links, and their totals: the second one is made meanwhile.

wait_until(sub {
    my $both = metrics('/all/metrics');

    return 2 == grep { defined value($both, $_, registry => 'second',
                                     $_ =~ /_total$/ ? (outcome => 'direct')
                                                     : ()) }
                     qw(referral_links referral_requests_total);
}, 30);
visits();

my $summary = settled($t, my $requests = requests_sent());

# The registry's numbers are the summary's.

my $now = metrics('/status/metrics');

for my $outcome (sort keys %{ $summary->{outcomes} }) {
    is(value($now, 'referral_requests_total', outcome => $outcome),
       $summary->{outcomes}{$outcome}, "$outcome: its requests");
    is(value($now, 'referral_clicks_total', outcome => $outcome),
       $summary->{clicks}{$outcome}, "$outcome: its clicks");
}

is(value($now, 'referral_evidence_total', evidence => $_),
   $summary->{evidence}{$_}, "$_: its requests")
    for sort keys %{ $summary->{evidence} };

is(value($now, 'referral_links'), scalar(@links) + 4, 'links');
is(value($now, 'referral_overflow_total'), 0, 'overflow');
is(value($now, 'referral_lookup_errors_total'), 0, 'lookup errors');
is(value($now, 'referral_flush_errors_total'), 0, 'flush errors');
is(value($now, 'referral_sources'), 0, 'one click is no source yet');
is(value($now, 'referral_source_hosts'), 0, 'nor a host');
cmp_ok(value($now, 'referral_flush_age_seconds'), '<', 30, 'flush age');
is(value($now, 'referral_requests_total', outcome => 'matched'),
   wanted_matched(), "the matched ones are the client's");

# By channel: a group's clicks once, where all its links are.

my %channels = map { $_->[0]{channel} => $_->[1] }
               samples($now, 'referral_channel_clicks_total');

is_deeply(\%channels,
          { 'guest-post' => 12, press => 24, social => 3, unassigned => 0,
            '(shared)' => 2 }, 'clicks by channel');
is(sum(\%channels), $summary->{clicks}{matched} + $summary->{clicks}{ambiguous},
   'they sum to the clicks of links and groups');

# Single links: clicks and errors that there are, described.

is_deeply(requests_of($now), requests_of_links(qw(clicks errors_4xx
                                                  errors_5xx)),
          'each link has its clicks and errors, and nothing that is 0');
is_deeply([ sort map { $_->[0]{link} } samples($now, 'referral_link_info') ],
          [ sort keys %{ requests_of($now) } ], 'each of these is described');

for my $link (grep { $_->{clicks} } @links) {
    my ($info) = samples($now, 'referral_link_info', link => $link->{key});
    my ($labels, $one) = @$info;

    is_deeply($labels, { registry => 'main', link => $link->{key},
                         name => text($link->{name}),
                         channel => $link->{channel} // 'unassigned',
                         partner => text($link->{partner}) },
              "$link->{source}: how it is described");
    is($one, 1, "$link->{source}: by a 1");
}

my $two = requests_of(metrics('/status/metrics?limit=2'));
is_deeply([ sort keys %$two ], [ sort map { $_->{key} } @links[2, 5] ],
          'limit=2: the two with most clicks');

my $all = metrics('/status/metrics?links=all');
my $requests_of = requests_of($all);

is(scalar keys %$requests_of, @links + 4, 'links=all: every link');
is_deeply([ sort keys %$_ ], [ sort @classes ], 'and every class')
    for $requests_of->{ $links[4]{key} };
is(scalar(samples($all, 'referral_link_info')), @links + 4, 'all described');
is($requests_of->{ $_->{key} }{clicks}, $_->{clicks} // 0,
   "$_->{source}: clicks") for @links;
is(sum($requests_of->{ $links[1]{key} }), 12,
   "a link's classes sum to its requests");

is_deeply([ map { scalar samples(metrics('/status/metrics?links=off'), $_) }
            qw(referral_link_requests_total referral_link_info) ], [ 0, 0 ],
          'links=off: no link');

# Requests about it.

is($t->get('/status/metrics')->{headers}{'content-type'},
   'text/plain; version=0.0.4; charset=utf-8', 'the type of the format');
is($t->request('HEAD', '/status/metrics')->{status}, 200, 'HEAD');

for my $row ([ 'links=some', 400 ], [ 'limit=0', 400 ], [ 'limit=10001', 400 ],
             [ 'limit=all', 400 ], [ 'sort=clicks', 400 ], [ 'format=csv', 406 ],
             [ 'format=json', 406 ], [ 'format=prometheus', 200 ],
             [ 'links=all&links=off', 400 ])
{
    is($t->get("/status/metrics?$row->[0]")->{status}, $row->[1], $row->[0]);
}

for my $accept ('application/json', 'text/html', '*/*;q=0.1', undef,
                'application/openmetrics-text;version=1.0.0,text/plain;q=0.5')
{
    is($t->get('/status/metrics', Accept => $accept)->{status}, 200,
       'whatever is accepted: ' . ($accept // 'nothing'));
}

is_deeply(requests_of(metrics('/status?format=prometheus')),
          requests_of($now), 'the summary as Prometheus text is the same');
is($t->get('/status?format=prometheus&from=2026-01-01')->{status}, 400,
   'and has no periods');
is($t->get('/status/links?format=prometheus')->{status}, 406,
   'links have no such format');

# All registries at once, and one of them.

$t->get('/second') for 1 .. 3;
settled($t, 3, '/all/second');

my $both = metrics('/all/metrics');

is(value($both, 'referral_requests_total', registry => 'second',
         outcome => 'direct'), 3, 'all: the second registry');
is(value($both, 'referral_requests_total', registry => 'main',
         outcome => 'matched'), wanted_matched(), 'all: and the first');
is_deeply(requests_of($both), requests_of($now), 'all: and its links');
is_deeply(requests_of(metrics('/all/?format=prometheus')), requests_of($both),
          'all: the list as Prometheus text');
is_deeply([ map { $_->[0]{registry} }
            samples(metrics('/all/second/metrics'), 'referral_links') ],
          [ 'second' ], 'a registry below all');
is($t->get('/all/third/metrics')->{status}, 404, 'one that there is not');

# No counter falls when a link goes.

$t->ctl_ok('rm', $links[5]{key});
wait_until(sub { value(metrics('/status/metrics'), 'referral_links')
                 == @links + 3 }, 30);

my $later = metrics('/status/metrics');

is(value($later, 'referral_channel_clicks_total', channel => 'press'), 24,
   'a channel keeps what a removed link brought');
is(scalar(samples($later, 'referral_link_requests_total',
                  link => $links[5]{key})), 0, 'whose own samples end');

# A real Prometheus.

my $p = Referral::Metrics::prometheus($t, $t->port(2),
            '127.0.0.1:' . $t->port . '/status/metrics');

wait_until(sub { sums_agree() }, 60);
ok(sums_agree(), 'sum(referral_clicks_total) is what the status page says');

visits();
settled($t, requests_sent() * 2);
wait_until(sub { sums_agree() }, 60);
ok(sums_agree(), 'also after more clicks');
cmp_ok(sum(summary($t)->{clicks}), '>', sum($summary->{clicks}),
       'and more they are');

is_deeply([ $p->query('up') ]->[0][1], 1, 'up');
is_deeply([ map { [ $_->[0]{name}, $_->[1] ] }
            $p->query('referral_link_requests_total{class="clicks"}'
                      . ' * on (registry, link) group_left (name)'
                      . qq( referral_link_info{partner="S\x{f6}hne"})) ],
          [ [ 'Post "a"\\', 10 ] ], 'names as they were given');

# The board: each query is one that Prometheus understands, and finds.

my $board = JSON::PP->new->utf8->decode(
                $t->read_file(root_dir() . '/share/grafana-dashboard.json'));
my @queries = map { queries_of($_) } @{ $board->{panels} };

cmp_ok(scalar @queries, '>=', 10, 'the board has queries');
ok(exists $later->{$_}, "$_: the board's metrics are ours")
    for names_in(@queries, map { ref $_->{query} ? $_->{query}{query} : "" }
                           @{ $board->{templating}{list} });

for my $query (@queries) {
    my $real = $query;

    $real =~ s/\$registry/main/g;
    $real =~ s/\$(?:__range|__rate_interval|__interval)/1h/g;

    my @found = eval { $p->query($real) };

    is($@, '', "Prometheus answers: $real");
    ok(@found > 0, 'with something') or diag($query);
}

$p->stop;

# Without the ledger the totals would be too low: none are shown.

$t->stop;
$t->write_file('referral/ledger/data.mdb', 'x' x 65536);
$t->expect_log(qr/ledger/);
$t->start;
wait_until(sub { value(metrics('/status/metrics'), 'referral_links') }, 30);

my $without = metrics('/status/metrics');

is(value($without, 'referral_links'), @links + 3,
   'without a ledger: the links');
is_deeply([ grep { samples($without, $_) }
            grep { /_total$/ && !/flush/ } keys %$without ], [],
          'and no counter that would have fallen');

$t->finish;

done_testing;


sub register {
    my ($link) = @_;

    my @options = map { defined $link->{$_} ? ("--$_", $link->{$_}) : () }
                  qw(name channel partner target);
    my $out = $t->ctl_ok('add', $link->{source}, @options);

    ($link->{key}) = $out =~ /^([0-9a-f]{16})$/m;
}


sub visits {
    my $c = $t->connection;

    for my $link (@links) {
        $c->request('GET', '/', Referer => $link->{source})
            for 1 .. $link->{clicks} // 0;

        for my $path ('/gone', '/broken') {
            $c->request('GET', $path, Referer => $link->{source})
                for 1 .. $link->{$path} // 0;
        }
    }

    for my $group (@groups) {
        $c->request('GET', '/same', Referer => "https://$group->{host}/")
            for 1 .. $group->{clicks};
    }

    $c->request('GET', '/') for 1 .. 2;
    $c->request('GET', '/', Referer => 'https://stranger.example/');
    $c->request('GET', '/', Referer => 'nonsense');
    $c->close;
}


sub wanted_matched {
    my $sum = 0;

    for my $link (@links) {
        $sum += $_ // 0 for @{$link}{qw(clicks /gone /broken)};
    }

    return $sum;
}


sub requests_sent {
    my $sum = wanted_matched() + 4;

    $sum += $_->{clicks} for @groups;

    return $sum;
}


# Read strictly, after promtool has.

sub metrics {
    my ($path) = @_;

    my $body = $t->get($path)->{body};
    my $faults = promtool_faults($t, $body);

    is($faults, '', "promtool: $path") if $faults ne '';

    return read_metrics($body);
}


# { link => { class => number } }

sub requests_of {
    my ($families) = @_;

    my %found;

    for my $sample (samples($families, 'referral_link_requests_total')) {
        my ($labels, $number) = @$sample;
        $found{ $labels->{link} }{ $labels->{class} } = $number;
    }

    return \%found;
}


sub requests_of_links {
    my %found;

    for my $link (@links) {
        my %numbers = (clicks => $link->{clicks},
                       errors_4xx => $link->{'/gone'},
                       errors_5xx => $link->{'/broken'});

        $numbers{$_} and $found{ $link->{key} }{$_} = $numbers{$_} for @_;
    }

    return \%found;
}


sub text {
    my $text = $_[0] // '';

    utf8::decode($text);

    return $text;
}


sub sums_agree {
    my ($sum) = map { $_->[1] } $p->query('sum(referral_clicks_total)');

    return defined $sum && $sum == sum(summary($t)->{clicks});
}


sub queries_of {
    my ($panel) = @_;

    return ((map { $_->{expr} } @{ $panel->{targets} // [] }),
            map { queries_of($_) } @{ $panel->{panels} // [] });
}


sub names_in {
    my %names = map { $_ => 1 } map { /\b(referral_[a-z_]+)\b/g } @_;

    return sort keys %names;
}
