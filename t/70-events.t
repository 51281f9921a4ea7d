#!/usr/bin/perl

# /events: each client, at any worker, is told of each matched request once,
# soon, in the order of each worker, or how many it has missed; and costs others
# next to nothing.

use strict;
use warnings;

use Compress::Raw::Zlib;
use FindBin;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled summary sum);
use Referral::Events qw(landings read_streams);
use Referral::Load;
use Referral::Test qw(wait_until);


use constant SITE => <<'CONF';
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT2%% sndbuf=16k;
        keepalive_requests 1000000;

        location / { referral main; return 200; }
        location /status { referral_status main; }
        location /all { referral_status all; }
        location /pid { return 200 $pid; }

        location /zipped {
            gzip on;
            gzip_min_length 0;
            gzip_types text/event-stream;
            referral_status main;
        }
    }
CONF

use constant BLOG => 'https://blog.example/post';
use constant PAGE => (Referer => BLOG);

my $sanitized = ($ENV{ASAN_OPTIONS} // '') ne '';
my %key;


sub site {
    my ($workers) = @_;

    my $t = Referral::Test->new(http => SITE, workers => $workers);

    $t->ctl_ok('init');
    $key{post} = $t->ctl_ok('add', BLOG, '--name', "\"Launch\" \xc3\xa9");
    $t->ctl_ok('add', "https://pair.example/$_", '--target', '/both')
        for 1 .. 2;
    $t->start;

    return $t;
}


sub decoded {
    return map { JSON::PP->new->utf8->decode($_) } @_;
}


# Private memory: pages of the mapped files come and go with the kernel.

sub private_memory {
    my ($t, $pid) = @_;

    my ($kb) = $t->read_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;

    return $kb;
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return $sorted[@sorted / 2];
}


# Numbers that rise, none twice: 1.

sub in_order {
    my $last = -1;

    for (@_) {
        return 0 if $_ <= $last;
        $last = $_;
    }

    return 1;
}


# The worker that serves the connection.

sub worker_of {
    my ($c) = @_;

    return $c->request('GET', '/pid')->{body};
}


my $t = site(4);

# -- what is told ------------------------------------------------------------

my $stream = Referral::Events->open($t);

is($stream->{head}{status}, 200, 'a stream');
is($stream->{head}{headers}{'content-type'}, 'text/event-stream',
   'of events');
is($stream->{head}{headers}{'cache-control'}, 'no-store', 'not to be stored');
is($stream->{head}{headers}{'x-content-type-options'}, 'nosniff',
   'nor to be guessed what it is');
is($stream->{head}{headers}{'x-accel-buffering'}, 'no',
   'nor to be kept by a proxy');

$t->get('/pricing?secret=1', PAGE);
$t->get('/both', Referer => 'https://www.pair.example/');
$t->get('/', Referer => 'https://stranger.example/x');
$t->get('/');
$t->get('/', Referer => 'http://localhost/own');
$t->get('/', Referer => 'malformed');
$t->get('/', Referer => BLOG, 'Sec-Purpose' => 'prefetch');
$t->request('HEAD', '/form', PAGE);

ok(read_streams([ $stream ], sub { @{ $stream->{match} } >= 4 }, 10),
   'the matches come');
read_streams([ $stream ], sub { 0 }, 0.3);

my %told = map { ("$_->{landing} $_->{class}" => $_) }
           decoded(@{ $stream->{match} });

is(scalar @{ $stream->{match} }, 4, 'and no other request');
is_deeply([ sort keys %told ],
          [ '/ prefetch', '/both click', '/form other', '/pricing click' ],
          'each with its landing and class');

my $click = $told{'/pricing click'};

like(delete $click->{time}, qr/^2\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$/,
     'with its time');
is_deeply($click, { outcome => 'matched', link => $key{post}, group => undef,
                    name => "\"Launch\" \x{e9}", class => 'click',
                    evidence => 'exact', source => 'blog.example',
                    landing => '/pricing', status => 200 },
          'the event of a click');

my $one_of = $told{'/both click'};

is($one_of->{outcome}, 'ambiguous', 'one of several links');
is($one_of->{link}, undef, 'none of them is named');
like($one_of->{group}, qr/^[0-9a-f]{16}$/, 'their group is');
is($one_of->{source}, 'pair.example', 'and the host');

# one may have been under way

my $sums_read = @{ $stream->{summary} };

ok(read_streams([ $stream ],
                sub { @{ $stream->{summary} } >= $sums_read + 2 }, 10),
   'a summary each second');

my ($sums) = decoded($stream->{summary}[-1]);
my $summary = summary($t);

is_deeply($sums->{outcomes}, $summary->{outcomes}, 'its outcomes');
is_deeply($sums->{clicks}, $summary->{clicks}, 'its clicks');
$stream->close;

# -- what is refused ---------------------------------------------------------

my $answer = $t->request('HEAD', '/status/events');

is($answer->{status}, 200, 'HEAD');
is($answer->{headers}{'content-type'}, 'text/event-stream', 'has the type');
is($t->request('POST', '/status/events', Body => '{}')->{status}, 405,
   'POST is not allowed');
is($t->get('/status/events?format=json')->{status}, 406, 'it has no format');
is($t->get('/status/events?limit=1')->{status}, 400, 'and no parameter');
is($t->get('/status/events/x')->{status}, 404, 'nor is anything below it');
is($t->get('/all/other/events')->{status}, 404, 'no registry of this name');

# -- soon --------------------------------------------------------------------

# Streams at any worker; a busy machine may be late, but not three times.

my @streams = map { Referral::Events->open($t) } 1 .. 3;
my $latency;

for my $try (1 .. 3) {
    my @late;

    for (1 .. 11) {
        my @seen = map { scalar @{ $_->{match} } } @streams;

        $t->get('/soon', PAGE);

        my $logged = time;

        for my $i (0 .. $#streams) {
            read_streams([ $streams[$i] ],
                         sub { @{ $streams[$i]{match} } > $seen[$i] }, 20);
        }

        push @late, time - $logged;
        sleep 0.03 * ($_ % 4);
    }

    $latency = median(@late);
    last if $latency < 0.3;
}

cmp_ok($latency, '<', 0.3, 'within 300 ms of the request at three clients');
diag(sprintf 'median %.0f ms', $latency * 1000) if $ENV{TEST_VERBOSE};
$_->close for @streams;

# -- gzip --------------------------------------------------------------------

$stream = Referral::Events->open($t, path => '/zipped/events',
                                 'Accept-Encoding' => 'gzip');

my $inflater = Compress::Raw::Zlib::Inflate->new(-WindowBits => WANT_GZIP);

$stream->{inflate} = sub {
    my ($in) = @_;
    my $out = '';

    $inflater->inflate($in, $out) if length $in;

    return $out;
};

is($stream->{head}{headers}{'content-encoding'}, 'gzip', 'a stream in gzip');
$t->get('/packed', PAGE);
ok(read_streams([ $stream ], sub { @{ $stream->{match} } >= 1 }, 2),
   'does not hold events back');
$stream->close;

# -- all of them, in order, once ---------------------------------------------

# Each load has a connection, hence a worker, and numbers its requests.

use constant LOADS => 8;
use constant REQUESTS => 500;

my $before = summary($t);

@streams = map { Referral::Events->open($t, path => $_ % 2 ? '/status/events'
                                                   : '/all/main/events') }
           1 .. 10;
read_streams(\@streams, sub { !grep { !@{ $_->{summary} } } @streams }, 10);

my @loads = map {
    my $load = $_;

    Referral::Load::start(
        port => $t->port, connections => 1, pause => 0.005,
        count => 2 * REQUESTS,
        requests => [ map { ([ "/$load/$_", PAGE ],
                             [ "/none/$_",
                               Referer => 'https://stranger.example/' ]) }
                      1 .. REQUESTS ])
} 1 .. LOADS;

my $wanted = LOADS * REQUESTS;

ok(read_streams(\@streams, sub {
       !grep { @{ $_->{match} } + $_->{missed} < $wanted } @streams
   }, 60), 'ten clients and load at four workers');

my @results = map { Referral::Load::finish($_) } @loads;

is(sum({ map { $_ => $results[$_]{total} } 0 .. $#results }), 2 * $wanted,
   'all requests were answered');
read_streams(\@streams, sub { 0 }, 0.3);

for my $i (0 .. $#streams) {
    my %of;

    for (landings($streams[$i])) {
        my ($load, $n) = m{^/(\d+)/(\d+)$} or next;
        push @{ $of{$load} }, $n;
    }

    is(scalar @{ $streams[$i]{match} }, $wanted,
       "client $i: as many events as requests that matched");
    is($streams[$i]{missed}, 0, "client $i: none is missing");
    is_deeply([ map { scalar @{ $of{$_} // [] } } 1 .. LOADS ],
              [ (REQUESTS) x LOADS ], "client $i: those of each load");
    is(scalar(grep { !in_order(@{ $of{$_} // [] }) } 1 .. LOADS), 0,
       "client $i: in order, and none twice");
}

$summary = settled($t, sum($before->{outcomes}) + 2 * $wanted);
is($summary->{outcomes}{matched} - $before->{outcomes}{matched}, $wanted,
   'nginx has counted the same');
$_->close for @streams;

# -- another counter file ----------------------------------------------------

$stream = Referral::Events->open($t);
read_streams([ $stream ], sub { @{ $stream->{summary} } }, 10);

my $load = Referral::Load::start(port => $t->port, connections => 6,
                                 pause => 0.01, requests => [ [ '/', PAGE ] ]);

read_streams([ $stream ], sub { 0 }, 0.3);
unlink $t->shm . '/main.counters' or die;
read_streams([ $stream ], sub { 0 }, 2.5);

my $sent = Referral::Load::finish($load)->{total};

read_streams([ $stream ], sub {
    @{ $stream->{match} } + $stream->{missed} >= $sent
}, 20);
is(scalar @{ $stream->{match} } + $stream->{missed}, $sent,
   'no event is lost where the counter file was removed');
cmp_ok($stream->{missed}, '<', $sent / 2, 'most are told');
$stream->close;

# -- who falls behind --------------------------------------------------------

# A worker that stands still cannot read what others log.

use constant BURST => 6000;

my $c = $t->connection;
my $reader = worker_of($c);

$stream = Referral::Events->open($t, connection => $c);
read_streams([ $stream ], sub { @{ $stream->{summary} } }, 10);

my $writer;

ok(wait_until(sub {
       my $other = $t->connection;
       return $writer = $other if worker_of($other) != $reader;
       $other->close;
       return 0;
   }, 20), 'a connection to another worker');

kill 'STOP', $reader;

$writer->request('GET', "/$_", PAGE) for 1 .. BURST;

kill 'CONT', $reader;

ok(read_streams([ $stream ], sub {
       @{ $stream->{match} } + $stream->{missed} >= BURST
   }, 20), 'a reader that stood still');
is(@{ $stream->{match} } + $stream->{missed}, BURST,
   'is told how many it has missed');
cmp_ok($stream->{missed}, '>', BURST - 2049, 'all that the ring has not');
cmp_ok(@{ $stream->{match} }, '>', 1000, 'and gets the rest');
ok(in_order(map { substr $_, 1 } landings($stream)), 'in order');
is((landings($stream))[-1], '/' . BURST, 'to the last');
$stream->close;
$writer->close;

# -- who does not read -------------------------------------------------------

my $slow_connection = $t->connection($t->port(2));
my $slow_worker = worker_of($slow_connection);
my $slow = Referral::Events->open($t, connection => $slow_connection);

my $memory = private_memory($t, $slow_worker);

for my $round (1 .. 2) {
    is($t->load(requests => [ [ '/slow', PAGE ] ], count => 20_000,
                connections => 4, depth => 16)->{total}, 20_000,
       'others are served while a client does not read');

    SKIP: {
        skip 'a sanitizer keeps what was freed', 1 if $sanitized;

        cmp_ok(private_memory($t, $slow_worker) - $memory, '<', 512,
               'and it costs next to no memory');
    }
}

ok(read_streams([ $slow ], sub {
       @{ $slow->{match} } + $slow->{missed} >= 40_000
   }, 30), 'when it reads again');
is(@{ $slow->{match} } + $slow->{missed}, 40_000,
   'it is told how many it has missed');
cmp_ok($slow->{missed}, '>', 0, 'some');
$slow->close;

# -- how many ----------------------------------------------------------------

$t->finish;
$t = site(1);

my ($worker) = $t->worker_pids;

$_ = Referral::Events->open($t) for @streams = (undef) x 64;

is(scalar(grep { $_->{head}{status} == 200 } @streams), 64,
   'a worker has 64 clients');

my $refused = Referral::Events->open($t);

is($refused->{head}{status}, 503, 'and not one more');
like($refused->{head}{headers}{'retry-after'}, qr/^\d+$/,
     'which is told when to come again');
is(JSON::PP->new->decode($refused->{head}{body})->{error}{code},
   'EventsBusy', 'and why');
$refused->close;

is($t->get('/')->{status}, 200, 'others are served');

# A client that leaves, politely or not, makes room.

(shift @streams)->close;
(shift @streams)->abort;

ok(wait_until(sub {
       my $stream = Referral::Events->open($t);
       push @streams, $stream if $stream->{head}{status} == 200;
       return @streams == 64;
   }, 10), 'who leaves makes room');

read_streams(\@streams, sub { !grep { !@{ $_->{summary} } } @streams }, 10);

my $all = Referral::Load::run(port => $t->port, connections => 2, depth => 4,
                              count => 500,
                              requests => [ map { [ "/$_", PAGE ] }
                                            1 .. 500 ]);

is($all->{total}, 500, 'load with 64 clients');
ok(read_streams(\@streams, sub {
       !grep { @{ $_->{match} } < 500 } @streams
   }, 30), 'each gets all');
is(scalar(grep { @{ $_->{match} } != 500 || $_->{missed} } @streams), 0,
   'and no more');

# Memory stays, however long they listen.

$memory = private_memory($t, $worker);

for (1 .. 4) {
    Referral::Load::run(port => $t->port, connections => 2, depth => 4,
                        count => 500, requests => [ [ '/', PAGE ] ]);
    read_streams(\@streams, sub { 0 }, 0.3);
}

SKIP: {
    skip 'a sanitizer keeps what was freed', 1 if $sanitized;

    cmp_ok(private_memory($t, $worker) - $memory, '<', 512,
           'the worker does not grow');
}

# -- the end -----------------------------------------------------------------

# One of them does not read: it is full when nginx reloads.

$_->close for splice @streams, 8;

ok(wait_until(sub {
       $slow = Referral::Events->open($t, port => $t->port(2));
       return $slow->{head}{status} == 200;
   }, 10), 'one more that will not read');

for (1 .. 4) {
    $t->load(requests => [ [ '/' . 'x' x 150, PAGE ] ], count => 6000,
             connections => 2, depth => 16);
    read_streams(\@streams, sub { 0 }, 0.05);
}

my $hup = time;

$t->signal('HUP');

ok(read_streams(\@streams, sub {
       !grep { !defined $_->{ended} } @streams
   }, 10), 'a reload ends the streams');
is(scalar(grep { $_->{ended} } @streams), scalar @streams,
   'each with its last chunk');
ok(wait_until(sub { !-d "/proc/$worker" }, 10), 'the old worker leaves');
cmp_ok(time - $hup, '<', $sanitized ? 6 : 2,
       'soon, though a client does not read');

read_streams([ $slow ], sub { 0 }, 5);
is($slow->{ended}, 0, 'whose stream is cut');

$_->close for @streams, $slow;

@streams = map { Referral::Events->open($t) } 1 .. 3;
read_streams(\@streams, sub { !grep { !@{ $_->{summary} } } @streams }, 10);

is($t->stop('TERM'), 0, 'nginx ends at once');
read_streams(\@streams, sub { !grep { !defined $_->{ended} } @streams }, 20);
is(scalar(grep { $_->{ended} } @streams), 3,
   'each stream with its last chunk');

$t->start;

@streams = map { Referral::Events->open($t) } 1 .. 3;
read_streams(\@streams, sub { !grep { !@{ $_->{summary} } } @streams }, 10);

my $quit = time;

is($t->stop('QUIT'), 0, 'nginx ends politely');
cmp_ok(time - $quit, '<', $sanitized ? 10 : 4, 'soon');
read_streams(\@streams, sub { !grep { !defined $_->{ended} } @streams }, 20);
is(scalar(grep { $_->{ended} } @streams), 3,
   'each stream with its last chunk');

$t->finish;

done_testing;
