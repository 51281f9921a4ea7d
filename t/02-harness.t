#!/usr/bin/perl

# The harness itself: what it says of requests and processes must be true
# before any test of counters can be.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test qw(wait_until);


my $t = Referral::Test->new(workers => 2, daemon => 1, http => <<'CONF');
    keepalive_requests 100;
    log_format uri $uri;

    server {
        listen 127.0.0.1:%%PORT%%;
        access_log %%DIR%%/access.log uri;

        location /a { return 200 "a"; }
        location /b { return 204; }
        location /moved { return 301 /a; }
    }
CONF

$t->write_file('html/page.html', "page\n");
$t->start;

my $response = $t->get('/a');

is($response->{status}, 200, 'the status');
is($response->{body}, 'a', 'the body');
is($t->get('/page.html')->{body}, "page\n", 'a file as the body');
like($t->get('/moved')->{headers}{location}, qr{/a$}, 'a header');
is($t->request('HEAD', '/a')->{body}, '', 'HEAD has no body');
like($t->raw("nonsense\r\n\r\n"), qr/400 Bad Request/, 'raw bytes');

my $c = $t->connection;

$c->send_request('GET', $_) for qw(/a /b /missing);

is_deeply([ map { $c->read_response->{status} } 1 .. 3 ], [ 200, 204, 404 ],
          'pipelined requests are answered in order');
$c->close;


my @requests = ([ '/a' ], [ '/b' ], [ '/missing' ]);

sub logged {
    my %count;
    $count{$_}++ for split /\n/, $t->read_file('access.log');
    return map { $count{$_->[0]} // 0 } @requests;
}

sub sum {
    my $sum = 0;
    $sum += $_ for @_;
    return $sum;
}

sub check_load {
    my ($name, @options) = @_;

    my @before = logged();
    my $load = $t->load(requests => \@requests, count => 3001, @options);
    my @after;

    # nginx may log the last request of a connection after closing it
    wait_until(sub { @after = logged(); sum(@after) >= sum(@before) + 3001 },
               10);

    my @seen = map { $after[$_] - $before[$_] } 0 .. $#requests;

    is($load->{total}, 3001, "$name: each request is answered");
    is_deeply(\@seen, $load->{answered}, "$name: nginx saw as many of each");
    is_deeply($load->{lost}, [ 0, 0, 0 ], "$name: none is lost");
    is($load->{status}{204}, $load->{answered}[1], "$name: by status");
}

check_load('one by one', connections => 3);
check_load('pipelined', connections => 3, depth => 50);


my @workers = $t->worker_pids;

is(scalar @workers, 2, 'the workers are found');

my $load = Referral::Load::start(port => $t->port, requests => \@requests,
                                 count => 20000, lost => 'resend');
my @before = logged();

$t->reload;
is(scalar(grep { my $pid = $_; grep { $_ == $pid } @workers }
          $t->worker_pids), 0, 'a reload makes new workers');
is(Referral::Load::finish($load)->{total}, 20000,
   'load across a reload is answered in full');

my $killed = $t->kill_worker;

ok(!grep({ $_ == $killed } $t->worker_pids), 'a killed worker is replaced');

my $old = $t->upgrade;

isnt($t->master_pid, $old, 'a binary upgrade has a new master');
$t->signal('QUIT', $old);
ok(wait_until(sub { !-e $t->dir . '/nginx.pid.oldbin' }, 10),
   'the old master leaves');
is($t->get('/a')->{status}, 200, 'the new one serves');

$t->restart;
is($t->get('/a')->{status}, 200, 'it serves after a restart');

$t->finish;

done_testing;
