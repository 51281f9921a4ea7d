#!/usr/bin/perl

# Referers that never come again, the longest and deepest there are, take no
# memory: a worker has as much behind thousands of them as behind a few.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled sum);
use Referral::Test;

use constant {
    FEW    => 2_000,
    MANY   => 8_000,
    LONG   => 4_000,     # bytes
    PIPE   => 50,
    SPARE  => 512,       # kB
};


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%
    large_client_header_buffers 4 16k;
    keepalive_requests 100000;

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { add_header X-Outcome $referral_outcome; return 200; }
        location /status { referral_status main; }
    }
CONF

$t->ctl_ok('init');
$t->ctl_ok('add', 'https://blog.example/a/b', '--match-type', 'prefix');
$t->ctl_ok('add', 'https://blog.example/page', '--target', '/x');
$t->start;

# What it has asked the system for, used or not.

sub memory {
    my ($pid) = $t->worker_pids;

    $t->read_file("/proc/$pid/status") =~ /^VmData:\s+(\d+) kB/m
        or die "/proc/$pid/status has no VmData\n";

    return $1;
}


my $sent = 0;

sub flood {
    my ($n) = @_;

    my $c = $t->connection;

    while ($n > 0) {
        for (1 .. PIPE) {
            my $path = join '/', map { $sent * 37 + $_ } 1 .. 30;
            my $host = $sent % 2 ? "h$sent.example" : 'blog.example';

            $c->send_request('GET', '/x', Referer =>
                "https://$host/$path/" . '%e4' x (($sent++ * 7) % 1000)
                . 'y' x (LONG - 3000 - length $path));
        }

        $c->read_response // die "no answer\n" for 1 .. PIPE;
        $n -= PIPE;
    }

    $c->close;
}


flood(FEW);
my $before = memory();
flood(MANY);
my $after = memory();

SKIP: {
    skip 'a sanitizer keeps what is freed', 1 if exists $ENV{ASAN_OPTIONS};

    cmp_ok($after, '<=', $before + SPARE,
           'a flood of Referers takes no memory');
}

is(sum(settled($t, $sent)->{outcomes}), $sent, 'and each is counted');

my $c = $t->connection;
my $answer = $c->request('GET', '/x', Referer => 'https://blog.example/page');
$c->close;

is($answer->{headers}{'x-outcome'}, 'matched', 'a link is found as ever');

$t->finish;

done_testing;
