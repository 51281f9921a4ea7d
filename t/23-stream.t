#!/usr/bin/perl

# A long answer costs others nothing: a reader who takes his time, one who
# leaves, and links that go meanwhile.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled summary);
use Referral::Test qw(wait_until);


use constant LINKS => 8_000;

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%% sndbuf=16k;
        keepalive_requests 1000000;
        location / { referral main; return 200; }
        location /status { referral_status main; }
        location /limited { limit_rate 8m; referral_status main; }
        location /hasty { send_timeout 1s; referral_status main; }
    }
CONF

$t->ctl_ok('init');

my $csv = "source,match_type,name\n"
          . join '', map { "https://h$_.example/page,exact,A link $_\n" }
                     1 .. LINKS;
my ($exit, undef, $err) = $t->ctl_with($csv, 'import', '-');

is($exit, 0, 'the links are registered') or diag($err);
$t->start;

my ($worker) = $t->worker_pids;


# Private memory: pages of the mapped files come and go with the kernel.

sub private_memory {
    my ($kb) = $t->read_file("/proc/$worker/status") =~ /^RssAnon:\s+(\d+)/m;

    return $kb;
}

sub slow_reader {
    my ($uri) = @_;

    my $c = $t->connection;

    $c->send_request('GET', $uri, Connection => 'close');

    return $c;
}


# JSON::PP is thorough, and slow.

sub links_in {
    my ($answer) = @_;

    return 0 if !defined $answer || $answer->{body} !~ /"next":null}\n\z/;

    my $n = () = $answer->{body} =~ /"source":/g;

    return $n;
}

$t->get('/status/links?limit=all');

my $before = private_memory();
my @readers = map { slow_reader('/status/links?limit=all') } 1 .. 20;

sleep 0.3;

# All stand still; the worker serves on.

my $start = time;
my $load = $t->load(requests => [ [ '/' ] ], count => 3000, connections => 1);
my $seconds = time - $start;

is($load->{total}, 3000, 'others are served while readers stand still');
cmp_ok($seconds, '<', 10, 'and soon');

SKIP: {
    skip 'a sanitizer keeps what was freed', 1 if ($ENV{ASAN_OPTIONS} // '');

    cmp_ok(private_memory() - $before, '<', 20 * 300,
           'a reader takes less than 300 kB, however long the list');
}

is(settled($t, 3000)->{outcomes}{direct}, 3000, 'and counted');

# They read on in small pieces, and get all.

my $reader = shift @readers;
my $text = '';

for (1 .. 50) {
    sysread $reader->{socket}, my $piece, 2000;
    $text .= $piece;
    sleep 0.005;
}

$reader->{buffer} = $text;

my $answer = $reader->read_response;
my $json = JSON::PP->new->utf8->decode($answer->{body});

is(scalar @{ $json->{links} }, LINKS, 'a slow reader gets all links');
is($json->{next}, undef, 'to the end');
$reader->close;

# Some leave midway, politely or not.

for my $i (0 .. $#readers) {
    if ($i % 2) {
        setsockopt $readers[$i]{socket}, SOL_SOCKET, SO_LINGER,
                   pack 'ii', 1, 0;
    }

    $readers[$i]->close;
}

for (1 .. 20) {
    my $c = $t->connection;
    $c->send_request('GET', '/status/links?sort=clicks&limit=10000');
    $c->close;
}

ok(wait_until(sub {
       my $fds = () = glob "/proc/$worker/fd/*";
       return $fds < 20;
   }, 10), 'who left is forgotten');
is_deeply([ $t->worker_pids ], [ $worker ], 'the worker lives');

# A client that stops reading for longer than send_timeout is let go.

$reader = slow_reader('/hasty/links?limit=all');
ok(wait_until(sub { $t->error_log =~ /client timed out/ }, 10),
   'a reader who stands still for too long is let go');

my $cut = $reader->read_all;

unlike($cut, qr/\r\n0\r\n\r\n\z/, 'a cut answer does not end as a whole one');
$reader->close;

# No transaction is held between steps: the registry's file does not grow
# while somebody reads and others write.

$reader = slow_reader('/status/links?limit=all');
sleep 0.1;

my $size = -s $t->registry_dir . '/registry/data.mdb';

for my $i (1 .. 30) {
    my $key = $t->ctl_ok('add', "https://new.example/$i");
    $t->ctl_ok('rm', $key);
}

cmp_ok(-s $t->registry_dir . '/registry/data.mdb', '<', $size + 1_000_000,
       'a reader does not make the registry grow');

# Removed links leave a gap, no damage.

my @keys = map { $_->{key} } @{ $json->{links} };

$t->ctl_ok('rm', @keys[LINKS - 500 .. LINKS - 1]);

is(links_in($reader->read_response), LINKS - 500,
   'links that are removed meanwhile are left out');
$reader->close;

# Sorting many links goes on in steps, too.

is(links_in($t->get("/status/links?sort=clicks&limit=10000")), LINKS - 500,
   "the largest page");
is(summary($t)->{links}{registered}, LINKS - 500, 'the summary');

is(links_in($t->get("/limited/links?limit=all")), LINKS - 500,
   "with limit_rate");

# A reload while somebody reads: the old worker finishes the answer.

$reader = slow_reader('/status/links?limit=all');
sleep 0.1;
$t->signal('HUP');
ok(wait_until(sub {
       my ($now) = $t->worker_pids;
       return defined $now && $now != $worker;
   }, 10), 'a reload');
$answer = $reader->read_response;
is(links_in($answer), LINKS - 500,
   'the old worker finishes its answer');
$reader->close;

ok(wait_until(sub { !-d "/proc/$worker" }, 10), 'and leaves');

$t->finish;

done_testing;
