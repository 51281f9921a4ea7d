package Referral::Chaos;

# A site under load to which things happen, and what must hold then:
#
#     my $chaos = Referral::Chaos->new;
#
#     $chaos->under_load('20 reloads', exact => 1, sub {
#         $chaos->reload for 1 .. 20;
#     });
#     $chaos->finish;
#
# The clients know what they sent and what was answered.  After each part every
# counter is compared with that: with exact it is what was answered; else it
# may lack one for each worker that was killed (an answer leaves before it is
# counted), and have what was sent and never answered.  A watcher sees to it
# that no number goes back meanwhile, and the history must have the same sums.
#
# What can happen: reload, kill_worker, kill_keeper, kill_keeper_inside (of a
# flush), kill_all, upgrade, roll_back, slow_disk, bad_disk.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use Referral::Counts qw(flat links_of settled sum summary);
use Referral::Load;
use Referral::Test qw(wait_until SLOWER);

use constant {
    PATIENCE => 30,
    WORKERS => 2,
    CONNECTIONS => 3,
    PAUSE => 0.001,              # the machine is not ours alone
    LOAD => exists $ENV{ASAN_OPTIONS} ? 50 : 500,       # answers at least
};


my $http = <<'CONF';
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 1000000;
        referral main;
        location / { return 200; }
        location = /gone { return 410; }
        location /status { referral_status main; }
    }
CONF


sub new {
    my ($class, %arg) = @_;

    my $t = Referral::Test->new(workers => WORKERS, daemon => 1, preload => 1,
                                keep_ports => 1, http => $http, %arg);
    my $self = bless { t => $t, rows => [], keys => [], killed => 0 }, $class;

    $t->ctl_ok('init');
    $self->register;
    $t->start;

    return $self;
}


# Rows of [ request, counters that grow by one ].

sub register {
    my ($self) = @_;

    my $t = $self->{t};
    my @rows;

    for my $n (1 .. 8) {
        my $page = "https://blog.example/$n";
        my $key = $t->ctl_ok('add', $page);

        push @{ $self->{keys} }, $key;
        push @rows, [ [ '/', Referer => $page ], 'matched', 'exact', 'clicks',
                      'clicks.matched', "$key.clicks" ];
    }

    my $first = $self->{keys}[0];

    $t->ctl_ok('add', 'https://twins.example/1', '--target', '/');
    my $twin = $t->ctl_ok('add', 'https://twins.example/2', '--target', '/');

    my $host = $t->ctl_ok('add', 'news.example', '--match-type', 'host');
    my $tag = $t->ctl_ok('add', '--tag', 'mail');

    push @{ $self->{keys} }, $twin, $host, $tag;
    push @rows,
        [ [ '/gone', Referer => 'https://blog.example/1' ], 'matched', 'exact',
          'errors_4xx', "$first.errors_4xx" ],
        [ [ '/', Referer => 'https://twins.example/' ], 'ambiguous',
          'clicks.ambiguous', "$twin.group" ],
        [ [ '/', Referer => 'https://news.example/a/b' ], 'matched', 'host',
          'clicks', 'clicks.matched', "$host.clicks" ],
        [ [ '/?ref=mail' ], 'matched', 'tag', 'clicks', 'clicks.matched',
          "$tag.clicks" ],
        [ [ '/' ], 'direct', 'clicks.direct' ],
        [ [ '/', Referer => 'https://x.example/' ], 'unregistered',
          'clicks.unregistered' ],
        [ [ '/', Referer => 'nonsense' ], 'malformed' ],
        [ [ '/', Referer => 'http://localhost/' ], 'internal' ];

    $self->{rows} = \@rows;
}


sub test { return $_[0]{t} }


# -- what happens ----------------------------------------------------------

sub reload {
    my ($self) = @_;

    $self->{t}->reload;
}


sub kill_worker {
    my ($self) = @_;

    my @pids = $self->{t}->worker_pids;

    $self->{killed}++;
    $self->{t}->kill_worker($pids[rand @pids]);
}


sub kill_keeper {
    my ($self) = @_;

    $self->{t}->kill_keeper;
}


# At a random point of a flush; returns its name if the keeper died there.

sub kill_keeper_inside {
    my ($self) = @_;

    return $self->kill_keeper_at((qw(put put put commit write meta sync))
                                 [rand 7], int rand 2);
}


# The same before anything is stored.  Nobody comes after those whose visits
# the flush was about to store: what it had taken up is not taken up again by
# chance.

sub kill_keeper_at_last_visit {
    my ($self) = @_;

    return $self->kill_keeper_at((qw(put put commit write sync))[rand 5], 0,
                                 sub { $self->visit });
}


sub kill_keeper_at {
    my ($self, $call, $after, $then) = @_;

    my $t = $self->{t};
    my $skip = $call eq 'put' ? int rand 12 : 0;
    my ($pid) = $t->keeper_pids;

    $t->expect_log(qr/process \d+ exited on signal 9/);

    my $fault = $t->fault(calls => $call, who => 'keeper', where => 'ledger',
                          skip => $skip, times => 1, kill => 1,
                          after => $after);

    $then->() if defined $then;

    my $died = wait_until(sub { $fault->done }, PATIENCE);

    $fault->clear;

    wait_until(sub {
        my ($now) = $t->keeper_pids;
        return defined $now && $now != ($pid // 0);
    }, PATIENCE) or die "no keeper took the place of another\n";

    return $died ? ($after ? 'after ' : 'before ') . "$call " . ($skip + 1)
                 : undef;
}


sub visit {
    my ($self) = @_;

    my @requests = map { $_->[0] } @{ $self->{rows} };

    $self->{t}->load(requests => \@requests, count => 2 * @requests,
                     connections => 1);
}


# Every process, inside a flush or not, and a new start.  Clients that are in
# the middle of something wait.

sub kill_all {
    my ($self, $inside) = @_;

    my $t = $self->{t};

    if ($inside) {
        my $slow = $t->fault(calls => 'commit sync meta', where => 'ledger',
                             delay => 300);

        wait_until(sub { $slow->done }, PATIENCE)
            or die "there is no flush\n";
        sleep 0.9 * rand;
        $slow->clear;
    }

    $self->{killed} += $t->worker_pids;
    $t->kill_all;
    $t->start;
}


sub slow_disk {
    my ($self) = @_;

    my $slow = $self->{t}->fault(calls => 'sync meta', delay => 250);

    sleep 2;
    $slow->clear;
}


# EIO or ENOSPC, of a call that has done its work or has not.

sub bad_disk {
    my ($self) = @_;

    my $call = (qw(commit write meta sync))[rand 4];
    my $error = (qw(EIO ENOSPC))[rand 2];
    my $bad = $self->{t}->fault(calls => $call, where => 'ledger',
                                error => $error, after => int rand 2);

    wait_until(sub { $bad->done }, PATIENCE) or die "there is no flush\n";
    sleep rand;
    $bad->clear;
}


sub upgrade {
    my ($self) = @_;

    my $t = $self->{t};
    my $old = $t->upgrade;

    sleep 0.1;
    $t->signal('WINCH', $old);
    $self->wait_for_workers_of($old, 0);
    sleep 0.1;
    $t->signal('QUIT', $old);

    wait_until(sub { !-e $t->dir . '/nginx.pid.oldbin' && !-e "/proc/$old" },
               PATIENCE) or die "the old master has not left\n";
}


# The new binary is no good: the old one takes over again.

sub roll_back {
    my ($self) = @_;

    my $t = $self->{t};
    my $old = $t->upgrade;
    my $new = $t->master_pid;

    sleep 0.1;
    $t->signal('WINCH', $old);
    $self->wait_for_workers_of($old, 0);

    sleep 0.1;
    $t->signal('HUP', $old);
    $self->wait_for_workers_of($old, WORKERS);
    sleep 0.1;
    $t->signal('QUIT', $new);
    $t->{master} = $old;

    wait_until(sub { !-e $t->dir . '/nginx.pid.oldbin' && !-e "/proc/$new" },
               PATIENCE) or die "the new master has not left\n";
}


sub wait_for_workers_of {
    my ($self, $master, $count) = @_;

    wait_until(sub {
        my @workers = grep { $_->[1] == $master
                             && $_->[3] =~ /^nginx: worker process/ }
                      $self->{t}->processes;
        return @workers == $count;
    }, PATIENCE) or die "$master has not $count workers\n";
}


# -- what must hold --------------------------------------------------------

sub under_load {
    my $function = pop;
    my ($self, $name, %arg) = @_;

    my $t = $self->{t};
    my @how = $arg{exact} ? (depth => 1, lost => 'resend')
                          : (depth => 8, patient => 1);
    my $before = $self->counters;

    $self->{killed} = 0;

    my $watcher = $t->watch_counters(links => [ @{ $self->{keys} }[0, -3] ]);
    my $load = Referral::Load::start(
        port => $t->port, requests => [ map { $_->[0] } @{ $self->{rows} } ],
        connections => CONNECTIONS, pause => PAUSE, @how);

    $function->();
    sleep 0.5;

    # a machine that is busy with other things takes its time
    my $enough = sum({ map { $_ => $before->{$_} } outcomes() })
                 + LOAD * 1.2;

    settled($t, $enough);

    my $result = Referral::Load::finish($load);

    $self->check_counters($name, $before, $result, $arg{exact});
    $self->check_watch($name, $watcher->stop, $arg{down});
    $self->check_history($name);
}


# All there is, by name.

sub counters {
    my ($self, $summary) = @_;

    my $t = $self->{t};
    my %counters = %{ flat($summary // summary($t)) };
    my $links = links_of($t);

    for my $key (@{ $self->{keys} }) {
        my $link = $links->{$key};

        $counters{"$key.$_"} = $link->{counters}{$_}
            for keys %{ $link->{counters} };
        $counters{"$key.group"} = $_->{clicks} for @{ $link->{groups} };
        delete $counters{"$key.bytes"};
    }

    return \%counters;
}


sub tally {
    my ($self, $requests) = @_;

    my %tally;

    for my $i (0 .. $#$requests) {
        my (undef, @names) = @{ $self->{rows}[$i] };
        $tally{$_} += $requests->[$i] for @names;
    }

    # what a page by its own URL is beside
    for my $key (@{ $self->{keys} }[0 .. 7]) {
        $tally{"$key.clicks_by_page"} = $tally{"$key.clicks"};
        $tally{clicks_by_page} += $tally{"$key.clicks"};
    }

    $tally{"$self->{keys}[-1].clicks_by_tag"} = $tally{clicks_by_tag}
        = $tally{"$self->{keys}[-1].clicks"};

    return \%tally;
}


sub check_counters {
    my ($self, $name, $before, $result, $exact) = @_;

    my $t = $self->{t};
    my $lost = $result->{lost};
    my $answered = $result->{answered};
    my $least = $self->tally($answered);
    my $most = $self->tally([ map { $answered->[$_] + ($lost->[$_] // 0) }
                              0 .. $#$answered ]);
    my $total = sum({ map { $_ => $before->{$_} } outcomes() })
                + $result->{total};

    my $summary = settled($t, $total - $self->{killed});
    my $now = $self->counters($summary);
    my (@short, @over);

    for my $counter (sort keys %$now) {
        my $n = $now->{$counter} - ($before->{$counter} // 0);
        my ($from, $to) = map { $_->{$counter} // 0 } $least, $most;

        $from -= $self->{killed} if $from > 0;
        push @short, "$counter: $n, sent $from" if $n < $from;
        push @over, "$counter: $n, sent $to" if $n > $to;
    }

    my $in_flight = sum({ map { $_ => $lost->[$_] } 0 .. $#$lost });

    if ($exact) {
        is($in_flight, 0, "$name: no answer is missing");
    } else {
        note("$name: $result->{total} answers, $in_flight without,"
             . " $self->{killed} workers were killed, "
             . ($total - sum($summary->{outcomes})) . ' lack in the sum');
    }

    cmp_ok($result->{total}, '>', LOAD, "$name: there was load");
    is_deeply(\@short, [], "$name: no counter lacks what was answered");
    is_deeply(\@over, [], "$name: none has more than was sent");
    cmp_ok(sum($summary->{outcomes}), '<=', $total + $in_flight,
           "$name: nor has the sum");
    cmp_ok(sum($summary->{outcomes}), '>=', $total - $self->{killed},
           "$name: and it lacks one for each that was killed at most");
}


sub outcomes {
    return qw(direct hidden internal malformed matched ambiguous unregistered
              skipped);
}


sub check_watch {
    my ($self, $name, $seen, $down) = @_;

    note(sprintf '%s: %d looks at the status, %d in vain, at most %.2f s'
         . ' apart', $name, @$seen{qw(answers broken gap)});

    is_deeply($seen->{backwards}, [], "$name: no counter goes back");
    cmp_ok($seen->{answers}, '>', 10 / SLOWER,
           "$name: and that was looked at");
    cmp_ok($seen->{gap}, '<', ($down ? 5 : 1) * SLOWER,
           "$name: all the while");
    cmp_ok($seen->{numbers}, '>', 150, "$name: with all of the links");
    is_deeply($seen->{status}, {}, "$name: the status is there")
        unless $down;
}


# What was counted must be in the ledger within a flush or two.

sub wait_for_flush {
    my ($self) = @_;

    my $start = time;

    # a flush that begins after now
    wait_until(sub {
        my $since = (time - $start) * 1000;
        my $age = summary($self->{t})->{health}{flush_age_ms};
        return defined $age && $age + 50 < $since;
    }, PATIENCE) or die "there is no flush\n";
}


# Days sum to the total, and the hours of a day to the day.

sub check_history {
    my ($self, $name) = @_;

    my $t = $self->{t};

    $self->wait_for_flush;

    my $summary = summary($t);
    my $links = links_of($t);
    my @faults = history_faults('the registry', {
        %{ $summary->{classes} },
        map { ("outcome $_" => $summary->{outcomes}{$_}) } outcomes(),
    }, map { buckets($t, "/status/history?unit=$_") } qw(day hour));

    for my $key (@{ $self->{keys} }) {
        push @faults, history_faults($key, $links->{$key}{counters},
            map { buckets($t, "/status/links/$key/history?unit=$_") }
            qw(day hour));
    }

    is_deeply(\@faults, [],
              "$name: days sum to the totals, hours to their days");
}


# By the start: counters, the registry's outcomes among them.

sub buckets {
    my ($t, $uri) = @_;

    my $answer = eval { $t->get_json($uri) } // {};
    my %buckets;

    for my $bucket (@{ $answer->{buckets} // [] }) {
        my $outcomes = $bucket->{outcomes} // {};

        $buckets{ $bucket->{start} } = {
            %{ $bucket->{counters} },
            map { ("outcome $_" => $outcomes->{$_}) } keys %$outcomes,
        };
    }

    return \%buckets;
}


sub history_faults {
    my ($what, $total, $days, $hours) = @_;

    my %of_hours;
    my @faults;

    push @{ $of_hours{ substr $_, 0, 10 } }, $hours->{$_} for keys %$hours;

    push @faults, differences("$what, days", $total, [ values %$days ]);
    push @faults, differences("$what, hours of $_", $days->{$_},
                              $of_hours{ substr $_, 0, 10 } // [])
        for sort keys %$days;

    return @faults;
}


sub differences {
    my ($what, $want, $parts) = @_;

    my %sum;

    for my $part (@$parts) {
        $sum{$_} += $part->{$_} for keys %$part;
    }

    return map { "$what: $_ " . ($sum{$_} // 0) . ", not $want->{$_}" }
           grep { ($sum{$_} // 0) != $want->{$_} } sort keys %$want;
}


sub finish {
    my ($self) = @_;

    $self->{t}->finish;
}


1;
