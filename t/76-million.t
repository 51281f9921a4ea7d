#!/usr/bin/perl

# A million links, of which many had visits, as one answer: it is whole, no
# request to the same worker waits for it, and the worker's memory stays as it
# was.  (Of 100,000 links, all long answers: t/75-stream-stall.t.)

use strict;
use warnings;

use FindBin;
use List::Util qw(max min);
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled);
use Referral::Load;
use Referral::Stall qw(quantile steps stream);
use Referral::Test qw(SLOWER);


my $sanitized = exists $ENV{ASAN_OPTIONS};

use constant {
    VISITED => 10,               # one of so many links
    ATTEMPTS => 4,
    SAMPLES => 500 / SLOWER,     # at least, of all rounds
    ROUNDS => 32,                # at most: few links are told in a moment
    NEVER => 1e6,                # milliseconds
    MEMORY => 2048,              # KB
    LINK => 400,                 # bytes, at least
    REQUEST => 256,              # bytes
};

# Sanitizers make all of it slower, and their memory is not ours.

my $links = $sanitized ? 20_000 : 1_000_000;
my $limit = $sanitized ? 20 : 2;                 # milliseconds

my $all = 'links?limit=all';
my @paths = ($all, "$all&format=csv", 'links?limit=100&sort=clicks',
             'links?q=nowhere', 'links?state=silent',
             'links?state=new&sort=key', 'metrics', 'channels');

my $t = nginx('%%DIR%%/referral');
my $other = nginx($t->registry_dir);

register();
$_->start for $t, $other;
visit();

my ($worker) = $t->worker_pids;

steps_are_short();

# Buffers a worker keeps are made by the first answers.

stream($_->port, '/status/links?limit=10000') for $t, $other;

my $before = Referral::Stall::private_memory($worker);
my $attempt = 0;
my ($more, $memory, $bytes);

do {
    $attempt++;
    ($more, $memory, $bytes) = attempt();
    note(sprintf 'attempt %d: %+.2f ms', $attempt, $more);
} until $more <= $limit || $attempt == ATTEMPTS;

cmp_ok($bytes, '>', LINK * $links, 'every link is streamed');
cmp_ok($more, '<=', $limit, 'others wait no longer meanwhile');

SKIP: {
    skip 'a sanitizer keeps what was freed', 1 if $sanitized;

    cmp_ok($memory - $before, '<', MEMORY, 'and it needs no memory');
    note("$before KB before, $memory KB at most");
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


sub register {
    my @channels = qw(natural outreach guest-post press partner);
    my $file = $t->dir . '/links.csv';

    open my $f, '>', $file or die "$file: $!\n";
    print $f "source,name,channel\n";
    print $f "https://h$_.example/page,A link $_,$channels[$_ % @channels]\n"
        for 1 .. $links;
    close $f or die "$file: $!\n";

    $t->ctl_ok('init');
    like($t->ctl_ok('import', $file) =~ tr/,//dr, qr/ $links links /,
         "$links links");
    unlink $file;
}


# Of one size, so that none is cut in two by the end of nginx's buffer.

sub visit {
    my @visits = map {
        my $text = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n"
                   . "User-Agent: Mozilla/5.0 (X11) Firefox/140.0\r\n"
                   . 'Referer: https://h' . $_ * VISITED . ".example/page\r\n"
                   . 'Padding: ';
        $text . 'x' x (REQUEST - 4 - length $text) . "\r\n\r\n"
    } 1 .. $links / VISITED;

    Referral::Load::burst($t->port, \@visits);
    is(settled($t, scalar @visits)->{clicks}{matched}, scalar @visits,
       'one of ' . VISITED . ' was clicked');
}


sub steps_are_short {
    my %steps = steps($t, $limit, @paths);

    is_deeply([ sort keys %steps ], [ sort @paths ], 'steps of all answers');

    for my $path (sort keys %steps) {
        note("$path: $steps{$path}{count} steps");
        cmp_ok($steps{$path}{ms}, '<=', $limit, "$path: no step is long");
    }
}


# The whole answer from either nginx, in turn: how many ms longer the p99.9 is
# than with the other one, the most memory, and the fewest bytes.

sub attempt {
    my (@without, @with, $most, $least);
    my $round = 0;

    until ((@with >= SAMPLES && @without >= SAMPLES) || $round++ == ROUNDS) {
        my $probe = Referral::Stall->start($t->port, $worker, '/probe');
        my @idle = stream($other->port, "/status/$all");
        my @busy = stream($t->port, "/status/$all");

        $probe->finish;

        push @without, $probe->between(@idle[0, 1]);
        push @with, $probe->between(@busy[0, 1]);

        $most = max($most // 0, $probe->memory(@busy[0, 1]) // 0);
        $least = min($least // $busy[2], $busy[2]);
    }

    for my $list (\@without, \@with) {
        note(sprintf '%d requests, median %.2f, p99 %.2f, p99.9 %.2f,'
             . ' max %.2f ms', scalar @$list,
             map { quantile($_, @$list) } 0.5, 0.99, 0.999, 1) if @$list;
    }

    # of few requests there is no p99.9, and they are few because they waited

    my $enough = @with >= SAMPLES && @without >= SAMPLES;

    return ($enough ? quantile(0.999, @with) - quantile(0.999, @without)
                    : NEVER, $most, $least);
}
