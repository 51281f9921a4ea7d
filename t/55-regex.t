#!/usr/bin/perl

# Patterns: registered while nginx runs, refused when they are wrong, and
# unable to stall a worker.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted counters_of summary);
use Referral::Test qw(wait_until);


my $t = Referral::Test->new(workers => 2, http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;
        keepalive_requests 100000;

        referral main;
        add_header X-Decision
            "$referral_outcome $referral_evidence $referral_name";

        location / { return 200; }
        location /status { referral_status main; }
    }
CONF

$t->ctl_ok('init');
$t->ctl_ok('add', 'https://daily.example/2024/best', '--name', 'best');
$t->ctl_ok('add', 'https://daily.example/2024', '--match-type', 'prefix',
           '--name', 'year');
$t->ctl_ok('add', 'other.example', '--name', 'other');
$t->start;

sub decision {
    my ($referer) = @_;

    my %seen = map {
        $t->get('/', Referer => $referer)->{headers}{'x-decision'} => 1
    } 1 .. 10;

    return join ', ', sort keys %seen;
}

# Live.

is(decision('https://daily.example/2024/05/x'), 'matched prefix year',
   'before the pattern');

my $months = $t->ctl_ok('add', 'daily.example/20\d\d/(?i)0[1-9]/',
                        '--match-type', 'regex', '--name', 'months');

ok(wait_until(sub {
    decision('https://daily.example/2024/05/x') eq 'matched regex months'
}, 20), 'added: every worker knows it');
is(decision('https://daily.example/2024/best'), 'matched exact best',
   'the page comes before it');
is(decision('https://daily.example/2024/13/x'), 'matched prefix year',
   'the prefix after it');
is(decision('https://daily.example/2023/07/'), 'matched regex months',
   'another year');
is(decision('https://daily.example/'), 'ambiguous  ',
   'an origin matches no pattern');
is(decision('https://other.example/2024/05/'), 'matched host other',
   'only its own host');
is(decision('https://x.example/2024/05/'), 'unregistered  ',
   'and no host at all');

my $show = $t->get_json("/status/links/$months");

is($show->{match_type}, 'regex', 'it is shown as what it is');

is_deeply(counted($t, sub {
              $t->get('/', Referer => 'https://daily.example/2024/05/x');
          }), { matched => 1, regex => 1, clicks => 1, clicks_by_page => 1,
                'clicks.matched' => 1 }, 'a click by a pattern');

$t->ctl_ok('rm', $months);
ok(wait_until(sub {
    decision('https://daily.example/2024/05/x') eq 'matched prefix year'
}, 20), 'removed: it is gone from every worker');

# Another pattern in place of the removed one: nothing compiled is left over.

$t->ctl_ok('add', 'daily.example/2024/05/x$', '--match-type', 'regex',
           '--name', 'day');
ok(wait_until(sub {
    decision('https://daily.example/2024/05/x') eq 'matched regex day'
}, 20), 'another one');
is(decision('https://daily.example/2024/05/y'), 'matched prefix year',
   'is not the one before');

# Refused at registration, with position and reason.

for my $row (
    [ 'a.example/(', qr/missing closing parenthesis/, 'open' ],
    [ 'a.example/[a', qr/missing terminating \]/, 'a class' ],
    [ 'a.example/x{2,1}', qr/numbers out of order/, 'a quantifier' ],
    [ 'a.example/x(?<n', qr/./, 'a name' ],
    [ 'a.example/\\', qr/\\ at end of pattern/, 'a backslash' ],
    [ 'a.example/(*UTF)x', qr/./, 'UTF' ],
    [ 'a.example/' . 'x' x 1025, qr/./, 'too long' ],
) {
    my ($source, $like, $name) = @$row;
    my ($exit, undef, $err) = $t->ctl('add', $source, '--match-type',
                                      'regex');

    is($exit, 1, "$name: refused");
    like($err, $like, "$name: and why is said");
    like($err, qr/\d/, "$name: with a number: where, or how long");
}

my $csv = "source,match_type\na.example/ok,regex\na.example/(x,regex\n";
my ($exit, undef, $err) = $t->ctl_with($csv, 'import', '-');

is($exit, 1, 'an import with a wrong pattern is refused');
like($err, qr/3\b.*parenthesis/s, 'naming the line and the reason');

# A pattern that backtracks for ever.

my $slow = $t->ctl_ok('add', 'slow.example/(a+)+$', '--match-type', 'regex',
                      '--name', 'slow');
$t->ctl_ok('add', 'slow.example/.*!b$', '--match-type', 'regex');

ok(wait_until(sub {
    decision('https://slow.example/aaaa') eq 'matched regex slow'
}, 20), 'it matches what it can');

my $evil = 'https://slow.example/' . 'a' x 900 . '!';
my $before = summary($t)->{health}{regex_limits};

is_deeply(counted($t, sub { $t->get('/', Referer => $evil) }),
          { unregistered => 1, 'clicks.unregistered' => 1 },
          'what it cannot is a miss');
is(summary($t)->{health}{regex_limits} - $before, 1, 'that is counted');

is_deeply(counted($t, sub { $t->get('/', Referer => "${evil}b") }),
          { matched => 1, regex => 1, clicks => 1, clicks_by_page => 1,
            'clicks.matched' => 1 },
          "the host's other patterns are tried");
is(summary($t)->{health}{regex_limits} - $before, 2, 'and it is counted');

# Its cost beside that of a Referer of the same length: under 1 ms a request.

sub seconds {
    my ($referer) = @_;

    my $c = $t->connection;
    my @times = map {
        my $start = time;
        $c->request('GET', '/', Referer => $referer) for 1 .. 100;
        (time - $start) / 100
    } 1 .. 5;
    $c->close;

    return (sort { $a <=> $b } @times)[0];
}

my $plain = seconds('https://plain.example/' . 'a' x 900 . '!');
my $cost = seconds($evil) - $plain;

cmp_ok($cost, '<', $ENV{ASAN_OPTIONS} ? 0.02 : 0.001,
       sprintf 'a request of it costs %.0f us more', 1e6 * $cost);

# Many of them on one host.

$t->ctl_ok('add', "many.example/$_(a+)+\$", '--match-type', 'regex')
    for map { "(?:x$_)?" } 1 .. 40;
$t->ctl_ok('add', 'many.example/ok', '--match-type', 'regex',
           '--name', 'ok');
ok(wait_until(sub { decision('https://many.example/ok') =~ / ok$/ }, 20),
   'forty patterns, and one that matches');

$cost = seconds('https://many.example/' . 'a' x 900 . '!') - $plain;
cmp_ok($cost, '<', $ENV{ASAN_OPTIONS} ? 0.04 : 0.002,
       sprintf 'forty bad ones cost %.0f us more', 1e6 * $cost);

is(summary($t)->{health}{$_}, 0, "no $_") for qw(lookup_errors overflow);

$t->finish;

done_testing;
