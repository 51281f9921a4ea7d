#!/usr/bin/perl

# Totals outlive nginx: a stop, a stop in haste, a reboot that empties tmpfs,
# and the death of all processes at once.  Nothing is lost, nothing doubled.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes ();

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of link_of settled sum summary);
use Referral::Test qw(wait_until);


my @pages = map { "https://blog.example/$_" } 1 .. 3;
my $t = Referral::Test->new(workers => 2, http => conf('1s'));

$t->ctl_ok('init');

my @keys = map { $t->ctl_ok('add', $_) } @pages;

$t->ctl_ok('add', 'https://twins.example/1', '--target', '/');
my $twin = $t->ctl_ok('add', 'https://twins.example/2', '--target', '/');

my $counters = $t->shm . '/main.counters';

my @requests = ((map { [ '/', Referer => $_ ] } @pages),
                [ '/', Referer => 'https://twins.example/' ],
                [ '/' ], [ '/' ]);
my @sent = (0) x @requests;
my $total = 0;
my $first_seen;

sub visit {
    my $result = $t->load(requests => \@requests, count => 1000,
                          connections => 2, depth => 10);

    $sent[$_] += $result->{answered}[$_] for 0 .. $#requests;
    $total += $result->{total};

    return settled($t, $total);
}

# All that nginx says of what was sent so far.

sub check {
    my ($name) = @_;

    # The ledger may be opened a moment after the start.
    my $summary = settled($t, $total);

    is_deeply([ map { counters_of($t, $_)->{clicks} } @keys ],
              [ @sent[0 .. 2] ], "$name: the clicks of each link");
    is_deeply($summary->{outcomes}, {
                  direct => $sent[4] + $sent[5], ambiguous => $sent[3],
                  matched => $sent[0] + $sent[1] + $sent[2],
                  map { $_ => 0 } qw(hidden internal malformed unregistered
                                     skipped) },
              "$name: the outcomes");
    is(link_of($t, $twin)->{groups}[0]{clicks}, $sent[3], "$name: the group");
    is($summary->{classes}{clicks}, $summary->{outcomes}{matched},
       "$name: the classes");
    is(link_of($t, $keys[0])->{first_seen}, $first_seen,
       "$name: when it was first seen");
    is($summary->{health}{ledger}, 'ok', "$name: the ledger is well");
}

# What was counted must be in the ledger within a flush or two.

sub wait_for_flush {
    my $age = summary($t)->{health}{flush_age_ms};
    my $start = Time::HiRes::time();

    wait_until(sub {
        my $age = summary($t)->{health}{flush_age_ms};
        my $since = (Time::HiRes::time() - $start) * 1000;
        return defined $age && $age + 100 < $since;
    }, 20) or die "there is no flush\n";
}

$t->start;
visit();
$first_seen = link_of($t, $keys[0])->{first_seen};
like($first_seen, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'a time');
check('at first');

$t->restart;
check('after a stop');
visit();
check('and more');

$t->stop('TERM');
$t->start;
check('after a stop in haste');

$t->restart for 1 .. 3;
check('after three restarts');

# A reboot.  What was counted since the start, the last process out alone can
# have stored: the next flush would be in an hour.

$t->stop;
$t->set_conf(http => conf('1h'));
$t->start;
visit();
is($t->stop, 0, 'nginx stops');
ok(-e $counters, 'the counter file is there');
unlink $counters or die "$counters: $!\n";
$t->start;
check('after a reboot');
visit();
check('and more');

$t->stop('TERM');
unlink $counters or die "$counters: $!\n";
$t->start;
check('after a reboot in haste');

# Everything is killed.

$t->stop;
$t->set_conf(http => conf('1s'));
$t->start;
visit();
$t->kill_all;
$t->start;
check('after kill -9 of all');
visit();
check('and more');

wait_for_flush();
$t->kill_all;
unlink $counters or die "$counters: $!\n";
$t->start;
check('after a power cut, when all was flushed');

# A counter file on a disk comes back as it was some seconds before.

visit();
system('cp', '-p', '--sparse=always', $counters, "$counters.before") == 0
    or die "cp failed\n";
visit();
wait_for_flush();
$t->kill_all;
rename "$counters.before", $counters or die "$counters: $!\n";
$t->start;
check('after a power cut, with an older counter file');
visit();
check('and more');

for (1 .. 3) {
    visit();
    $t->kill_all;
    $t->start;
}
check('after kill -9 three times');

# The keeper alone is killed, and comes back.

$t->kill_keeper;
visit();
wait_for_flush();
$t->restart;
check('after kill -9 of the keeper');

# The command sees the same.

my ($exit, $out) = $t->ctl('--json', 'show', $keys[0]);

is($exit, 0, 'the command shows the link');
is(JSON::PP->new->decode($out)->{counters}{clicks}, $sent[0],
   'with the same clicks');

$t->finish;

done_testing;


sub conf {
    my ($flush) = @_;

    return <<"CONF";
    referral_registry main %%DIR%%/referral counters=%%SHM%%/main.counters
                      flush=$flush;

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { return 200; }
        location /status { referral_status main; }
    }
CONF
}
