#!/usr/bin/perl

# No memory inside nginx: each allocation that the module asks of nginx's pools
# or of libc while it serves a request fails once (tests/preload/pool.c).  A
# visitor's request never fails for it and is counted; the status tree answers
# with an error, or breaks off so that it shows, or with all there is.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(sum);
use Referral::Test;


my $root = Referral::Test::root_dir();
my $preload = ($ENV{TEST_PRELOAD} // "$root/build/plain/preload") . '/pool.so';
my $json = JSON::PP->new->utf8;

plan skip_all => 'the module is no file of its own here'
    if ($ENV{TEST_NGINX_MODULE} // 'x') eq '';

-e $preload or BAIL_OUT("$preload is not there: make build/plain/helpers");

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        location / {
            referral main;
            add_header X-Link $referral_link;
            add_header X-Name $referral_name;
            return 200 "all of it\n";
        }
        location /gone { referral main; return 404; }
        location /status { referral_status main write=on; }
    }
CONF

my $pool = $t->write_file('pool', "\0" x 24);

chmod 0666, $pool;

$t->ctl_ok('init');
$t->ctl_ok('add', "https://blog.example/$_", '--target', '/a', '--name', "n$_",
           '--label', 'x') for 1 .. 5;
$t->ctl_ok('add', 'blog.example/[a-z]+$', '--match-type', 'regex');

{
    local $ENV{LD_PRELOAD} = $preload;
    local $ENV{REFERRAL_POOL} = $pool;

    $t->start;
}

my ($worker) = $t->worker_pids;

# What is asked for, and whether a visitor asks.

my @requests = (
    [ 'a click', 1, "GET /a HTTP/1.1\r\nReferer: https://blog.example/1\r\n" ],
    [ 'a regex', 1, "GET /a HTTP/1.1\r\nReferer: https://blog.example/xyz\r\n" ],
    [ 'a tag', 1, "GET /a?ref=q HTTP/1.1\r\nReferer: https://a.test/\r\n" ],
    [ 'a 404', 1, "GET /gone HTTP/1.1\r\nReferer: https://blog.example/\r\n" ],
    [ 'summary', 0, "GET /status HTTP/1.1\r\n" ],
    [ 'page', 0, "GET /status?format=html HTTP/1.1\r\n" ],
    [ 'links', 0, "GET /status/links?limit=all HTTP/1.1\r\n" ],
    [ 'CSV', 0, "GET /status/links?format=csv HTTP/1.1\r\n" ],
    [ 'labels', 0, "GET /status/labels HTTP/1.1\r\n" ],
    [ 'metrics', 0, "GET /status/metrics HTTP/1.1\r\n" ],
    [ 'unknown', 0, "GET /status/nothing HTTP/1.1\r\n" ],
    [ 'HEAD', 0, "HEAD /status/links HTTP/1.1\r\n" ],
    [ 'a write', 0, "POST /status/links HTTP/1.1\r\n"
                    . "Content-Type: application/json\r\n",
      '{"tag":"t%d"}' ],
);

my ($total, $visits) = (0, 0);

for my $request (@requests) {
    my ($name, $is_visit, $head, $body) = @$request;
    my ($n, @faults);

    for ($n = 1; $n < 2000; $n++) {
        my $text = defined $body ? sprintf $body, $n : '';

        fail_at($n);
        my $answer = $t->raw($head . "Host: 127.0.0.1\r\nConnection: close\r\n"
                             . ($text ne '' ? 'Content-Length: '
                                              . length($text) . "\r\n" : '')
                             . "\r\n$text");
        my $failed = failed();

        fail_at(0);

        $visits += $is_visit;

        my $fault = $is_visit ? visitor_fault($name, $answer)
                              : answer_fault($name, $answer, $failed);

        push @faults, "$n: $fault" if defined $fault;
        last if !$failed || @faults;
    }

    is_deeply(\@faults, [], "$name: " . ($n - 1) . ' allocations failed');
    $total += $n - 1;
}

is_deeply([ $t->worker_pids ], [ $worker ], 'the worker is the same still');
cmp_ok($total, '>', 20, "$total allocations failed, one by one");

is(sum($t->get_json('/status')->{outcomes}), $visits,
   "all $visits visits were counted");

$t->finish;

configuration();
done_testing;


# nginx -t without memory says no; it does not die, nor say yes.

sub configuration {
    my $other = Referral::Test->new(http => <<'CONF');
        %%REGISTRY%%
        referral_own_hosts a.example *.b.example;
        referral_tag ref from;

        server {
            listen 127.0.0.1:%%PORT%%;
            referral main if=$arg_x;
            referral_host $http_x_host;
            referral_bot $arg_bot;
            location /status { referral_status all write=on; }
        }
CONF

    $pool = $other->write_file('pool', "\0" x 24);

    local $ENV{LD_PRELOAD} = $preload;
    local $ENV{REFERRAL_POOL} = $pool;

    my ($n, @faults);

    for ($n = 1; $n < 500; $n++) {
        fail_at($n);

        my ($exit, $said) = $other->configtest;
        my $failed = (unpack 'q<3', $other->read_file('pool'))[2];

        push @faults, "$n: exit $exit: $said"
            if $exit != ($failed ? 1 : 0);
        last if !$failed || @faults;
    }

    is_deeply(\@faults, [], 'nginx -t: ' . ($n - 1) . ' allocations failed');
    cmp_ok($n, '>', 5, 'so many that they were the module\'s');

    $other->finish;
}


sub fail_at {
    my ($n) = @_;

    open my $f, '+<', $pool or die "$pool: $!\n";
    syswrite $f, pack('q<3', $n, 0, 0) or die "$pool: $!\n";
}


sub failed {
    return (unpack 'q<3', $t->read_file('pool'))[2];
}


sub visitor_fault {
    my ($name, $answer) = @_;

    my $wanted = $name eq 'a 404' ? 404 : 200;

    return "a visitor got: $answer" if $answer !~ m{^HTTP/1.1 $wanted };
    return;
}


# Nothing; an error; what breaks off; or all of it.

sub answer_fault {
    my ($name, $answer, $failed) = @_;

    my ($head, $body) = split /\r\n\r\n/, $answer, 2;

    return $failed ? undef : 'no answer' if !defined $body;

    my ($status) = $head =~ m{^HTTP/1.1 (\d+)};

    if ($status >= 500) {
        return $failed ? undef : "without cause: $answer";
    }

    return if $name eq 'HEAD';

    if ($head =~ /^Transfer-Encoding: chunked/mi) {
        my $ended = $body =~ s/0\r\n\r\n$//;

        return $failed ? undef : "it breaks off: $answer" if !$ended;

        my $whole = '';
        $whole .= substr $body, 0, hex $1, ''
            while $body =~ s/^\r?\n?([0-9a-f]+)\r\n//;
        $body = $whole;

    } elsif ($head =~ /^Content-Length: (\d+)/mi && length $body != $1) {
        return $failed ? undef : "it breaks off: $answer";
    }

    if ($head =~ m{^Content-Type: application/json}mi
        && !eval { $json->decode($body); 1 })
    {
        return "half an answer: $answer";
    }

    return;
}
