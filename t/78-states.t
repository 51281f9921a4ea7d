#!/usr/bin/perl

# The state of links, from a past of 200 days and a clock that is set from day
# to day: what the status tree, its stream, /metrics and the command say.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Referral::Clock qw(set_clock start_by_clock);
use Referral::Counts qw(settled sum summary);
use Referral::Events qw(read_streams);
use Referral::Metrics qw(promtool_faults read_metrics value);
use Referral::Test qw(wait_until);


use constant {
    DAY => 86400,
    PATIENCE => 60,
    PAST => 200,             # days

    # numbers of counters, for add_history
    CLICKS => 0,
    DIRECT => 0,
};

my $t = Referral::Test->new(workers => 2,
                            main => "env LD_PRELOAD;\nenv REFERRAL_CLOCK;\n",
                            http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { return 200; }
        location /status { referral_status main write=on; }
    }
CONF

my $clock = $t->dir . '/clock';
my $json = JSON::PP->new->utf8;
my $today = int(time / DAY);
my ($offset, $requests) = (0, 0);

# A click at midnight must not belong to either day.

if (time - $today * DAY > DAY - 900) {
    plan(skip_all => 'a new day is about to begin');
}

# [ clicks by days ago ]

my %past = (
    daily => sub { return 2 },
    quiet => sub { return $_[0] >= 50 ? 2 : 0 },
    monthly => sub { return $_[0] % 30 == 20 ? 1 : 0 },
    season => sub { return $_[0] > 120 ? 3 : 0 },
    never => sub { return 0 },
);

my %key = (register('fresh', 0), map { register($_, PAST) } sort keys %past);
my %name = reverse %key;

set_clock($clock, 0);
start_by_clock($t, $clock);

ok(wait_until(sub { -e $t->registry_dir . '/ledger/data.mdb' }, PATIENCE),
   'there is a ledger');
ok(wait_until(sub { defined(judged() // undef) }, PATIENCE),
   'all links were judged');
is_deeply(states(), { (map { $_ => 'new' } qw(daily fresh monthly)),
                      (map { $_ => 'new' } qw(quiet season never)) },
          'without a day of traffic all are new');

write_past();
next_day();

is_deeply(states(), { daily => 'active', monthly => 'active',
                      quiet => 'silent', season => 'silent',
                      never => 'never', fresh => 'new' },
          'each link is as its past says');

# All who say so.

my %wanted = (active => [ qw(daily monthly) ], silent => [ qw(quiet season) ],
              never => [ 'never' ], new => [ 'fresh' ], revived => []);

for my $state (sort keys %wanted) {
    my @all = sort @{ $wanted{$state} };

    for my $args ('', '&sort=key', '&limit=all', '&host=.example',
                  '&from=2026-01-01', '&sort=last_seen&order=asc')
    {
        is_deeply(names($t->get_json("/status/links?state=$state$args")),
                  \@all, "$state: the list, with \"$args\"");
    }

    is_deeply([ paged($state) ], \@all, "$state: the list, link by link");
    is_deeply([ sort map { $name{ substr $_, 0, 16 } }
                     grep { !/^KEY/ } split /\n/,
                     $t->ctl_ok('list', '--state', $state) ],
              \@all, "$state: referralctl list");
    is_deeply(names($json->decode($t->ctl_ok('--json', 'list', '--state',
                                             $state))),
              \@all, "$state: referralctl --json list");
    is(summary($t)->{states}{$state}, scalar @all, "$state: the summary");
    is(value(metrics(), 'referral_link_states', state => $state),
       scalar @all, "$state: /metrics");
}

is(promtool_faults($t, $t->get('/status/metrics')->{body}), '',
   'promtool has nothing to say');

is($t->get("/status/links?state=$_")->{status}, 400, "state=$_ is refused")
    for '', 'lost', 'Silent', 'new,never';
is(($t->ctl('list', '--state', 'lost'))[0], 2, 'the command refuses it too');

my %since = (quiet => date($today - 50 + 4), season => date($today - 121 + 3),
             never => date($today - PAST + 15), fresh => date($today));

for my $name (sort keys %since) {
    my $link = $t->get_json("/status/links/$key{$name}");

    is($link->{state_since}, "$since{$name}T00:00:00Z", "$name: since when");
}

like($t->ctl_ok('show', $key{quiet}),
     qr/^state +silent since $since{quiet}; the last click came on /m,
     'show says since when');
like($t->get("/status/links?format=csv&fields=state,name")->{body},
     qr/^key,name,state\r?\n(?:.*\n)*[0-9a-f]{16},quiet,silent\r?$/m, 'CSV');
like($t->ctl_ok('export'), qr/last_seen,state,state_since\r?\n/,
     'the export has them');

# A click is seen on the same day, and told.

my $stream = Referral::Events->open($t);

read_streams([ $stream ], sub { @{ $stream->{summary} } >= 2 }, PATIENCE);

visit($_) for qw(quiet fresh never);

ok(read_streams([ $stream ], sub { @{ $stream->{state} // [] } >= 3 },
                PATIENCE), 'changes are told');
is_deeply([ sort map { "$name{$_->{link}}: $_->{name}: $_->{from}, $_->{to}" }
                 map { $json->decode($_) } @{ $stream->{state} } ],
          [ 'fresh: fresh: new, active', 'never: never: never, active',
            'quiet: quiet: silent, revived' ], 'which, from what, to what');
$stream->close;

is_deeply(states(), { daily => 'active', monthly => 'active',
                      quiet => 'revived', season => 'silent',
                      never => 'active', fresh => 'active' },
          'and are in the list');

# 30 days without a request are nobody's silence.

next_day(30);
is_deeply(states(), { daily => 'active', monthly => 'active',
                      quiet => 'revived', season => 'silent',
                      never => 'active', fresh => 'active' },
          'the whole site was away: no state has changed');

# "daily" had 2 a day: silent when 3 days with traffic are over.  One is.

for my $days (2, 3) {
    visit();
    next_day();
    is(states()->{daily}, $days < 3 ? 'active' : 'silent',
       "$days days of traffic after the last click");
}

is(states()->{fresh}, 'active', 'one click on its first day');

# Away, and back: it has its totals, and its rate.

is($t->request('DELETE', "/status/links/$key{fresh}",
               'Content-Type' => 'application/json')->{status}, 204,
   'a link is removed');
ok(wait_until(sub { sum_states() == 5 }, PATIENCE),
   'and is in no state any more');
register('fresh', undef);
ok(wait_until(sub { sum_states() == 6 }, PATIENCE), 'it is added again');
is(states()->{fresh}, 'active', 'with the rate it had');

# They are kept, and judged by who comes next.

my $before = states();

$t->stop;
is_deeply([ sort map { $name{ substr $_, 0, 16 } } grep { !/^KEY/ }
                 split /\n/, $t->ctl_ok('list', '--state', 'silent') ],
          [ qw(daily season) ], 'states are there without nginx');

start_by_clock($t, $clock);
is_deeply(states(), $before, 'and after a restart');

visit();
next_day();
is(states()->{fresh}, 'active', 'the next day');

# All of a link's life was one day.

my (undef, $once) = register('once', -$offset);
ok(wait_until(sub { sum_states() == 7 }, PATIENCE), 'one more link');
visit('once');
next_day();
like($t->ctl_ok('show', $once), qr/^state .*, and in the 1 day up to then 1$/m,
     'one day is told so');

$t->finish;

done_testing;


sub register {
    my ($name, $age) = @_;

    my @created = defined $age && $age != 0
                  ? date($today - $age) . 'T00:00:00Z' : '';
    my $csv = $t->write_file("$name.csv",
        "source,match_type,target,name,created\n"
        . "https://$name.example/,exact,/,$name,@created\n");

    $t->ctl_ok('init') if !-d $t->registry_dir . '/registry';
    $t->ctl_ok('import', $csv);

    my ($key) = $t->ctl_ok('list', '--host', "$name.example")
                =~ /^([0-9a-f]{16}) /m;

    return $name => $key;
}


sub write_past {
    my @rows;

    for my $ago (1 .. PAST) {
        my $time = ($today - $ago) * DAY + 3600;

        push @rows, "$time all " . DIRECT . " 10\n";

        for my $name (sort keys %past) {
            my $clicks = $past{$name}->($ago);
            push @rows, "$time $key{$name} " . CLICKS . " $clicks\n"
                if $clicks;
        }
    }

    # today, as it was before the clock was set to tomorrow
    push @rows, $today * DAY . ' all ' . DIRECT . " 1\n";
    push @rows, $today * DAY . " $key{daily} " . CLICKS . " 2\n";

    my ($exit, undef, $err) = $t->run_command(join('', @rows),
                                              $t->program('add_history'),
                                              $t->registry_dir);
    die "add_history: $err\n" if $exit != 0;
}


# A link's visitor, or one without a Referer.

sub visit {
    my ($name) = @_;

    my $counted = sum(summary($t)->{outcomes});

    $t->get('/', defined $name ? (Referer => "https://$name.example/") : ());
    settled($t, $counted + 1);
    flushed($counted + 1);
}


# It belongs to the day of its flush.

sub flushed {
    my ($wanted) = @_;

    ok(wait_until(sub {
        my $history = $t->get_json('/status/history?unit=day&from='
                                   . date($today + $offset) . '&to='
                                   . date($today + $offset + 1));
        my $sum = 0;

        $sum += sum($_->{outcomes}) for @{ $history->{buckets} };

        return sum(summary($t)->{outcomes}) == $wanted && $sum > 0;
    }, PATIENCE), 'it was flushed');
}


sub next_day {
    my ($days) = @_;

    $offset += $days // 1;
    set_clock($clock, $offset * DAY);

    ok(wait_until(sub { (judged() // '') eq date($today + $offset) },
                  PATIENCE), 'day ' . $offset);
}


sub judged {
    my $judged = (summary($t)->{states} // {})->{judged};

    return defined $judged ? substr $judged, 0, 10 : undef;
}


sub sum_states {
    my %states = %{ summary($t)->{states} };

    delete $states{judged};

    return sum(\%states);
}


sub states {
    my $links = $t->get_json('/status/links?fields=name,state')->{links};

    return { map { $_->{name} => $_->{state} } @$links };
}


sub names {
    my ($answer) = @_;

    return [ sort map { $_->{name} } @{ $answer->{links} } ];
}


sub paged {
    my ($state) = @_;

    my (@names, $next);

    do {
        my $page = $t->get_json("/status/links?state=$state&limit=1"
                                . (defined $next ? "&after=$next" : ''));

        push @names, map { $_->{name} } @{ $page->{links} };
        $next = $page->{next};
    } while (defined $next);

    return sort @names;
}


sub metrics {
    return read_metrics($t->get('/status/metrics')->{body});
}


sub date {
    my ($day) = @_;

    return strftime('%Y-%m-%d', gmtime $day * DAY);
}
