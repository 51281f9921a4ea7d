#!/usr/bin/perl

# The wall clock jumps back and forth under load: each request is counted once,
# the history has all of it, under whatever day the clock said, and nothing
# that was kept is pruned for a day that never was.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Clock qw(set_clock start_by_clock);
use Referral::Counts qw(counters_of settled sum summary);
use Referral::Load;
use Referral::Test qw(wait_until);


use constant {
    HOUR => 3600,
    DAY => 86400,
    PATIENCE => 20,

    # hours go after 400 days, minutes after one
    AGES => 500 * 86400,
};

my $t = Referral::Test->new(workers => 2,
                            main => "env LD_PRELOAD;\nenv REFERRAL_CLOCK;\n",
                            http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 1000000;
        referral main;
        location / { return 200; }
        location /status { referral_status main; }
    }
CONF

my $page = 'https://blog.example/2024/launch';
my ($clock, $sent, $total) = ($t->dir . '/clock', 0, 0);

$t->ctl_ok('init');

my $key = $t->ctl_ok('add', $page);

set_clock($clock, 0);
start_by_clock($t, $clock);
balance('at first');

# [ what happens, where the clock is then ]

for my $jump ([ 'an hour on', HOUR ], [ 'and three days', 3 * DAY ],
              [ 'back again', 0 ], [ 'to the week before', -7 * DAY ],
              [ 'to a far day', AGES ], [ 'and home', 0 ])
{
    my ($name, $offset) = @$jump;

    under_load($name, sub {
        set_clock($clock, $offset);
        sleep 2.5;               # two flushes
    });
}

# A machine that boots with a wrong clock, once without its counter file.

for my $offset (AGES, -AGES, 0) {
    my $name = sprintf 'a start at %+d days', $offset / DAY;

    $t->stop;
    unlink $t->shm . '/main.counters' if $offset < 0;
    set_clock($clock, $offset);
    start_by_clock($t, $clock);
    under_load($name, sub { sleep 2.5 });
}

# Then the ledger alone has it all.

$t->stop;
unlink $t->shm . '/main.counters' or die;
start_by_clock($t, $clock);
balance('a reboot');

# today, three days on, a week ago, the far day and the one as far back
cmp_ok(scalar keys %{ buckets('day') }, '>=', 5, 'under the days it was told');

$t->finish;

done_testing;


sub under_load {
    my ($name, $function) = @_;

    my $watcher = $t->watch_counters(links => [ $key ]);
    my $load = Referral::Load::start(port => $t->port, connections => 2,
                                     pause => 0.002, requests => [
                                         [ '/', Referer => $page ], [ '/' ] ]);

    sleep 0.5;
    $function->();

    my $result = Referral::Load::finish($load);
    my $seen = $watcher->stop;

    $sent += $result->{answered}[0];
    $total += $result->{total};

    # when it was first seen is what the clock said
    is_deeply([ grep { !/\.(?:first|last)_seen/ } @{ $seen->{backwards} } ],
              [], "$name: no counter goes back");
    cmp_ok($seen->{answers}, '>', 10, "$name: and that was looked at");
    is_deeply($seen->{status}, {}, "$name: the status is there");
    cmp_ok($result->{total}, '>', 200, "$name: there was load");

    balance($name);
}


sub balance {
    my ($name) = @_;

    is(sum(settled($t, $total)->{outcomes}), $total,
       "$name: all are counted, once");
    is(counters_of($t, $key)->{clicks} // 0, $sent,
       "$name: the link has its clicks");
    ok(wait_until(sub {
        my $health = summary($t)->{health};
        return !grep { $health->{$_} ne 'ok' } qw(registry ledger counters);
    }, PATIENCE), "$name: all is well");

    # also by history, a flush later
    my ($days, $of_link);

    wait_until(sub {
        $days = buckets('day');
        $of_link = buckets('day', $key);
        return clicks($days) == $sent && clicks($of_link) == $sent;
    }, PATIENCE);

    is(clicks($days), $sent, "$name: so have the days");
    is(clicks($of_link), $sent, "$name: so have the days of the link");
    is_deeply(by_day(buckets('hour')), by_day($days),
              "$name: hours sum to their days");
    is_deeply(by_day(buckets('hour', $key)), by_day($of_link),
              "$name: hours of the link, too");
}


# All there is, whatever the clock says now.

sub buckets {
    my ($unit, $link) = @_;

    my $of = defined $link ? "/links/$link" : '';
    my $answer = $t->get_json("/status$of/history?unit=$unit"
                              . '&from=2020-01-01&to=2040-01-01');

    return { map { $_->{start} => $_->{counters} } @{ $answer->{buckets} } };
}


sub clicks {
    my ($buckets) = @_;

    return sum({ map { $_ => $buckets->{$_}{clicks} } keys %$buckets });
}


sub by_day {
    my ($buckets) = @_;

    my %sum;

    for my $start (keys %$buckets) {
        my $counters = $buckets->{$start};

        $sum{ substr $start, 0, 10 }{$_} += $counters->{$_}
            for keys %$counters;
    }

    return \%sum;
}

