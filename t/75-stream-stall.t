#!/usr/bin/perl

# A long answer costs the others nothing: while all of 100,000 links are
# streamed, requests to the same worker take as long as they do while another
# nginx streams them, and the worker's memory stays as it was.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled);
use Referral::Load;
use Referral::Stall qw(quantile steps stream);
use Referral::Test qw(SLOWER);


my $sanitized = exists $ENV{ASAN_OPTIONS};

use constant {
    ROUNDS => 3,
    ATTEMPTS => 4,
    WINDOW => 0.8,               # seconds
    SAMPLES => 500 / SLOWER,     # at least, of all rounds
    NEVER => 1e6,                # milliseconds
    MEMORY => 2048,              # KB
    REQUEST => 256,              # bytes
};

# Sanitizers make all of it slower, and their memory is not ours.

my $links = $sanitized ? 5_000 : 100_000;
my $limit = $sanitized ? 20 : 2 * SLOWER;        # milliseconds

my @paths = qw(links?limit=all links?limit=all&format=csv
               links?limit=10000&sort=clicks metrics metrics?links=all
               hosts?limit=10000 hosts?limit=all&format=csv channels);

my $t = nginx('%%DIR%%/referral');
my $other = nginx($t->registry_dir);

my @channels = qw(natural outreach guest-post press partner);
my $csv = "source,name,channel\n" . join '', map {
    "https://h$_.example/page,A link $_,$channels[$_ % @channels]\n"
} 1 .. $links;

$t->ctl_ok('init');
is(($t->ctl_with($csv, 'import', '-'))[0], 0, "$links links");

$_->start for $t, $other;

# Of one size, so that none is cut in two by the end of nginx's buffer.

my @visits = map {
    my $text = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n"
               . "User-Agent: Mozilla/5.0 (X11) Firefox/140.0\r\n"
               . "Referer: https://h$_.example/page\r\nPadding: ";
    $text . 'x' x (REQUEST - 4 - length $text) . "\r\n\r\n"
} 1 .. $links;

Referral::Load::burst($t->port, \@visits);
is(settled($t, $links)->{clicks}{matched}, $links, 'each was clicked');

my ($worker) = $t->worker_pids;

steps_are_short();

# Buffers a worker keeps are made by the first answers.

stream($_->port, "/status/$paths[0]") for $t, $other;

my $before = Referral::Stall::private_memory($worker);

for my $path (@paths) {
    my $attempt = 0;
    my ($more, $memory);

    do {
        $attempt++;
        ($more, $memory) = attempt($path);
        note(sprintf '%s: attempt %d: %+.2f ms', $path, $attempt, $more);
    } until $more <= $limit || $attempt == ATTEMPTS;

    cmp_ok($more, '<=', $limit, "$path: others wait no longer");

    next if $sanitized;
    cmp_ok($memory - $before, '<', MEMORY, "$path: and it needs no memory");
    note("$path: $before KB before, $memory KB at most");
}

$_->finish for $other, $t;

done_testing;


sub nginx {
    my ($path) = @_;

    return Referral::Test->new(http => <<"CONF");
    referral_registry main $path counters=%%SHM%%/main.counters flush=5s;

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000000;
        client_header_buffer_size 8k;
        location / { referral main; return 204; }
        location /probe { return 204; }
        location /status { referral_status main; }
    }
CONF
}


sub steps_are_short {
    my %steps = steps($t, $limit, @paths);

    is_deeply([ sort keys %steps ], [ sort @paths ], 'steps of all answers');

    for my $path (sort keys %steps) {
        note("$path: $steps{$path}{count} steps");
        cmp_ok($steps{$path}{ms}, '<=', $limit, "$path: no step is long");
    }
}


# How many ms longer the p99.9 is than with the other nginx, and the most
# memory.

sub attempt {
    my ($path) = @_;

    my $probe = Referral::Stall->start($t->port, $worker, '/probe');
    my (@idle, @busy);

    for (1 .. ROUNDS) {
        push @idle, window($other, $path);
        push @busy, window($t, $path);
    }

    my $found = $probe->finish;
    my @without = map { $found->between(@$_) } @idle;
    my @with = map { $found->between(@$_) } @busy;

    for my $list (\@without, \@with) {
        note(sprintf '%s: %d requests, median %.2f, p99 %.2f, p99.9 %.2f,'
             . ' max %.2f ms', $path, scalar @$list,
             map { quantile($_, @$list) } 0.5, 0.99, 0.999, 1);
    }

    my ($memory) = sort { $b <=> $a } map { $found->memory(@$_) } @busy;

    # of few requests there is no p99.9, and they are few because they waited

    return (NEVER, $memory) if @with < SAMPLES || @without < SAMPLES;

    return (quantile(0.999, @with) - quantile(0.999, @without), $memory);
}


# Answer after answer, and the last one is left.

sub window {
    my ($nginx, $path) = @_;

    my $from = time;
    my $end = $from + WINDOW;

    while (time < $end) {
        stream($nginx->port, "/status/$path", $end - time);
    }

    return [ $from, time ];
}
