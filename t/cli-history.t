#!/usr/bin/perl

# history shows what the ledger has by minute, hour and day: exactly what was
# counted, in the range that was asked for, while nginx runs and afterwards;
# as plain columns for programs, fitted to the screen for people.

use strict;
use warnings;
use utf8;

use FindBin;
use JSON::PP ();
use List::Util qw(max);
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(nonzero settled sum);
use Referral::Test qw(wait_until);


my $page = 'https://blog.example/2024/launch';

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;

        location / { return 200 "page\n"; }
        location /gone { return 410; }
        location /status { referral_status main; }
    }
CONF

my $json = JSON::PP->new->utf8;

# What is known of the past: {time, link or "all", counter, count}.  Counters
# are numbered as in a cell.

my %field = (clicks => 0, errors_4xx => 3, errors_5xx => 4, embeds => 5,
             bots => 7, clicks_by_page => 10, bytes => 12);
my %zone = (direct => 0, matched => 4, 'clicks.matched' => 12,
            'clicks.ambiguous' => 13, exact => 17, clicks => 24);

my $dir = $t->dir . '/past';
history_ctl_ok('init', defined $t->{user} ? ('--owner', $t->{user}) : ());

my $key = history_ctl_ok('add', $page, '--target', '/pricing');
my $other = history_ctl_ok('add', 'news.example');

my ($exit, $out, $err) = history_ctl('history', $key);

is("$exit|$err", '0|', 'nothing was counted yet: that is no error');
is($out, "START       CLICKS  ERRORS  BOTS\n", 'an empty table');
is_deeply(history_json($key, '--from', '2026-03-01', '--to', '2026-03-02'),
          { unit => 'day', from => '2026-03-01T00:00:00Z',
            to => '2026-03-02T00:00:00Z', buckets => [] }, 'no buckets');

my $march = 1772323200;              # 2026-03-01T00:00:00Z

add_history(
    [ $march - 1, $key, 'clicks', 1 ],
    [ $march, $key, 'clicks', 2 ],
    [ $march + 59, $key, 'clicks', 3 ],
    [ $march + 60, $key, 'clicks', 4 ],
    [ $march + 3600, $key, 'errors_4xx', 5 ],
    [ $march + 3600, $key, 'errors_5xx', 6 ],
    [ $march + 3600, $key, 'bots', 7 ],
    [ $march + 86399, $key, 'clicks', 8 ],
    [ $march + 86399, $key, 'bytes', 123456 ],
    [ $march + 3 * 86400, $key, 'clicks', 9 ],
    [ $march + 3 * 86400, $other, 'clicks', 1000 ],
    [ $march, 'all', 'direct', 20 ],
    [ $march, 'all', 'matched', 5 ],
    [ $march, 'all', 'clicks.matched', 4 ],
    [ $march, 'all', 'exact', 5 ],
    [ $march, 'all', 'clicks', 4 ],
);

my @range = ('--from', '2026-02-28', '--to', '2026-03-05');

# Buckets: {arguments, start => {counters that are not 0}, ...}.

my @wanted = (
    [ [ @range ],
      '2026-02-28T00:00:00Z' => { clicks => 1 },
      '2026-03-01T00:00:00Z' => { clicks => 17, errors_4xx => 5,
                                  errors_5xx => 6, bots => 7,
                                  bytes => 123456 },
      '2026-03-04T00:00:00Z' => { clicks => 9 } ],
    [ [ '--unit', 'hour', @range ],
      '2026-02-28T23:00:00Z' => { clicks => 1 },
      '2026-03-01T00:00:00Z' => { clicks => 9 },
      '2026-03-01T01:00:00Z' => { errors_4xx => 5, errors_5xx => 6,
                                  bots => 7 },
      '2026-03-01T23:00:00Z' => { clicks => 8, bytes => 123456 },
      '2026-03-04T00:00:00Z' => { clicks => 9 } ],
    [ [ '--unit', 'minute', @range ],
      '2026-02-28T23:59:00Z' => { clicks => 1 },
      '2026-03-01T00:00:00Z' => { clicks => 5 },
      '2026-03-01T00:01:00Z' => { clicks => 4 },
      '2026-03-01T01:00:00Z' => { errors_4xx => 5, errors_5xx => 6,
                                  bots => 7 },
      '2026-03-01T23:59:00Z' => { clicks => 8, bytes => 123456 },
      '2026-03-04T00:00:00Z' => { clicks => 9 } ],

    # The bucket in which the range begins or ends is shown as a whole.

    [ [ '--from', '2026-03-01T12:00:00Z', '--to', '2026-03-04T00:00:00Z' ],
      '2026-03-01T00:00:00Z' => { clicks => 17, errors_4xx => 5,
                                  errors_5xx => 6, bots => 7,
                                  bytes => 123456 } ],
    [ [ '--from', '2026-03-01T12:00:00Z', '--to', '2026-03-04T00:00:01Z' ],
      '2026-03-01T00:00:00Z' => { clicks => 17, errors_4xx => 5,
                                  errors_5xx => 6, bots => 7,
                                  bytes => 123456 },
      '2026-03-04T00:00:00Z' => { clicks => 9 } ],
    [ [ '--unit', 'minute', '--from', '2026-03-01T02:00:30+02:00',
        '--to', '2026-03-01T00:01:00Z' ],
      '2026-03-01T00:00:00Z' => { clicks => 5 } ],
    [ [ '--unit', 'minute', '--from', '2026-03-01T00:01:59Z',
        '--to', '2026-03-01T00:02:00Z' ],
      '2026-03-01T00:01:00Z' => { clicks => 4 } ],
    [ [ '--from', '2026-03-05', '--to', '2026-03-06' ] ],
    [ [ '--from', '1970-01-01', '--to', '1970-01-02' ] ],
    [ [ '--from', '9999-12-30', '--to', '9999-12-31' ] ],

    # Without --from as many as the default: 90 days, 7 days, 24 hours.

    [ [ '--to', '2026-05-29' ],
      '2026-02-28T00:00:00Z' => { clicks => 1 },
      '2026-03-01T00:00:00Z' => { clicks => 17, errors_4xx => 5,
                                  errors_5xx => 6, bots => 7,
                                  bytes => 123456 },
      '2026-03-04T00:00:00Z' => { clicks => 9 } ],
    [ [ '--to', '2026-05-30' ],
      '2026-03-01T00:00:00Z' => { clicks => 17, errors_4xx => 5,
                                  errors_5xx => 6, bots => 7,
                                  bytes => 123456 },
      '2026-03-04T00:00:00Z' => { clicks => 9 } ],
    [ [ '--unit', 'hour', '--to', '2026-03-11T01:00:00Z' ] ],
    [ [ '--unit', 'hour', '--to', '2026-03-11' ],
      '2026-03-04T00:00:00Z' => { clicks => 9 } ],
    [ [ '--unit', 'minute', '--to', '2026-03-05T00:01:00Z' ] ],
    [ [ '--unit', 'minute', '--to', '2026-03-05' ],
      '2026-03-04T00:00:00Z' => { clicks => 9 } ],
);

for my $row (@wanted) {
    my ($args, @buckets) = @$row;
    my @got = map {
        ($_->{start} => nonzero($_->{counters}))
    } @{ history_json($key, @$args)->{buckets} };

    is_deeply(\@got, \@buckets, "history @$args");
}

my $answer = history_json(substr($key, 0, 8), '--unit', 'hour',
                          '--from', '2026-03-01T00:30:00Z',
                          '--to', '2026-03-01T00:40:00Z');

is_deeply([ @$answer{qw(unit from to)} ],
          [ 'hour', '2026-03-01T00:00:00Z', '2026-03-01T01:00:00Z' ],
          'the range is told in whole buckets; a prefix of a key will do');
is(keys %{ $answer->{buckets}[0]{counters} }, 13, 'every counter is there');

$answer = history_json('all', @range);

is(@{ $answer->{buckets} }, 1, 'all: a bucket');
is_deeply({ map { $_ => nonzero($answer->{buckets}[0]{$_}) }
                qw(counters outcomes clicks evidence) },
          { counters => { clicks => 4 },
            outcomes => { direct => 20, matched => 5 },
            clicks   => { matched => 4 },
            evidence => { exact => 5 } }, 'all: the registry\'s own counts');

# Plain columns.

is(history_ctl_ok('history', $key, @range), <<'TABLE' =~ s/\n\z//r, 'a table');
START       CLICKS  ERRORS  BOTS   BYTES
2026-02-28       1       0     0       0
2026-03-01      17      11     7  123456
2026-03-04       9       0     0       0
TABLE

is(history_ctl_ok('history', $other, '--unit', 'hour', @range),
   <<'TABLE' =~ s/\n\z//r, 'without columns of zeroes');
START                 CLICKS  ERRORS  BOTS
2026-03-04T00:00:00Z    1000       0     0
TABLE

my ($start) = history_ctl_ok('history', $other, '--unit', 'minute', @range)
                  =~ /^(2026\S+)/m;

is(@{ history_json($other, '--unit', 'minute', '--from', $start)->{buckets} },
   1, 'a time of the table is understood by --from');

# On a terminal.

my @screen = terminal({ LC_ALL => 'C.UTF-8', TERM => 'xterm', COLUMNS => 80 },
                      'history', $key, @range);

is($screen[0], "\e[1mSTART       CLICKS  ERRORS  BOTS   BYTES\e[0m",
   'headings stand out');
is($screen[2], "2026-03-01      17      \e[31m11\e[0m     7  123.4k",
   'errors, too; bytes are cut');
is($screen[4], "\e[1mtotal           27      11     7  123.4k\e[0m",
   'the sums');
is($screen[5], "\e[32m▂█▁▁▅\e[0m", 'a line of the clicks, gaps the lowest');
is($screen[6], '2026-02-28 to 2026-03-04, at most 17 clicks a day',
   'its scale');
is($screen[7], "$page  $key", 'which link it is');

# Who came by one of several links came by a registered one, too.

add_history([ $march + 86400, 'all', 'clicks.ambiguous', 60 ],
            [ $march + 2 * 86400, 'all', 'clicks.matched', 3 ],
            [ $march + 2 * 86400, 'all', 'clicks', 3 ],
            [ $march + 2 * 86400, 'all', 'clicks.ambiguous', 7 ]);

is(history_ctl_ok('history', 'all', @range), <<'TABLE' =~ s/\n\z//r,
START       CLICKS  ERRORS  BOTS  ONE_OF
2026-03-01       4       0     0       0
2026-03-02      60       0     0      60
2026-03-03      10       0     0       7
TABLE
   'all: clicks by one of several links are among the clicks');

@screen = terminal({ LC_ALL => 'C.UTF-8', TERM => 'dumb', COLUMNS => 80 },
                   'history', 'all', @range);
is($screen[6], '2026-02-28 to 2026-03-04, at most 60 clicks a day',
   'and below them');

$answer = history_json('all', @range);
is_deeply([ map { [ nonzero($_->{counters}), nonzero($_->{clicks}) ] }
                @{ $answer->{buckets} }[1, 2] ],
          [ [ {}, { ambiguous => 60 } ],
            [ { clicks => 3 }, { matched => 3, ambiguous => 7 } ] ],
          'JSON has them apart, as the status tree does');

my @plain = terminal({ LC_ALL => 'C.UTF-8', TERM => 'xterm', COLUMNS => 80,
                       NO_COLOR => 1 }, 'history', $key, @range);

unlike("@plain", qr/\e/, 'NO_COLOR: no colours');
is($plain[5], '▂█▁▁▅', 'but the line');

@plain = terminal({ LC_ALL => 'C.UTF-8', TERM => 'dumb', COLUMNS => 80 },
                  'history', $key, @range);
unlike("@plain", qr/\e/, 'none on a terminal that knows none');

@plain = terminal({ LC_ALL => 'C', TERM => 'dumb', COLUMNS => 80 },
                  'history', $key, @range);
is($plain[5], '.#__=', 'ASCII where the locale has no more');

# Everything at once, on screens of several widths.

add_history(map { [ $march + 86400, $key, $_, 10 ** ($_ % 9) ] } 0 .. 12);

for my $columns (50, 60, 80, 132) {
    my @lines = terminal({ LC_ALL => 'C.UTF-8', TERM => 'dumb',
                           COLUMNS => $columns }, 'history', $key,
                         '--unit', 'hour', @range);
    my @table = grep { /^(?:START|2026\S+ \S+ +\d|total)/ && !/ to / } @lines;
    my ($spark) = grep { /^[▁▂▃▄▅▆▇█]+$/ } @lines;

    is(@table, 8, "$columns columns: a table of six hours");
    cmp_ok(max(map { length } @table), '<=', $columns, 'it fits');
    cmp_ok(length $spark, '<=', $columns, 'the line, too');
    cmp_ok(length $spark, '>=', $columns / 2, 'which uses the room');
}

@plain = terminal({ LC_ALL => 'C', TERM => 'dumb', COLUMNS => 60 },
                  'history', $key, @range);
like("@plain", qr/no room for: .*REDIRECTS 100, .*OTHER_LANDING 100/,
     'counts that have no room are told');

my ($head) = history_ctl_ok('history', $key, @range);
like($head, qr/^START .* OTHER_LANDING +BYTES$/m, 'a pipe gets them all');

# A text that would drive the terminal.

my $hostile = history_ctl_ok('add', "https://evil.example/\xe2\x80\xaex");
@plain = terminal({ LC_ALL => 'C', TERM => 'dumb', COLUMNS => 80 }, 'history',
                  $hostile);
like("@plain", qr{evil\.example/\\xE2\\x80\\xAEx  $hostile},
     'a link\'s text is made safe');

# What nginx counts, seen while it runs and when it has stopped.

$t->ctl_ok('init');
my $live = $t->ctl_ok('add', $page);
$t->ctl_ok('add', 'https://other.example/');

$t->start;

$t->get('/', Referer => $page) for 1 .. 5;
$t->get('/gone', Referer => $page) for 1 .. 3;
$t->get('/', Referer => 'https://other.example/') for 1 .. 2;
$t->get('/') for 1 .. 4;

settled($t, 14);

# A flush may come in between the requests.

ok(wait_until(sub {
    return sum(total('all', 'day', 'outcomes')) == 14
           && sum(total($live, 'day', 'counters')) == 5 + 3 + 5;
}, 10), 'the counts are there when they are flushed');

for my $unit (qw(minute hour day)) {
    is_deeply(total($live, $unit, 'counters'),
              { clicks => 5, errors_4xx => 3, clicks_by_page => 5 },
              "$unit: what the client sent, in a history while nginx runs");
    is_deeply(total('all', $unit, 'outcomes'), { matched => 10, direct => 4 },
              "$unit: all outcomes");
    is_deeply(total('all', $unit, 'counters'),
              { clicks => 7, errors_4xx => 3, clicks_by_page => 5 },
              "$unit: all links");
}

# The status tree says the same.

my $now = time;
my @tree = (
    [ "links/$live/history", $live, 'day' ],
    [ "links/$live/history", $live, 'minute' ],
    [ 'history', 'all', 'hour' ],
);

for my $row (@tree) {
    my ($path, $which, $unit) = @$row;
    my ($from, $to) = map { rfc3339($_) } $now - 7200, $now + 3600;
    my $tree = $t->get_json("/status/$path?unit=$unit&from=$from&to=$to");
    my $said = live_json($which, '--unit', $unit, '--from', $from,
                         '--to', $to);

    ok(@{ $said->{buckets} } > 0, "$path: there are buckets");
    is_deeply($said, $tree, "$path, by $unit: as the status tree has it");
}

my $before = live_json($live);
$t->stop;
unlink $t->shm . '/main.counters';

is_deeply(live_json($live), $before, 'without nginx it is the same');

# What is wrong with a ledger is said.

my $data = $t->registry_dir . '/ledger/data.mdb';

($exit) = $t->run_command(undef, $t->program('set_version'),
                          $t->registry_dir, 99, 'ledger');
is($exit, 0, 'a ledger of another version');
($exit, $out, $err) = $t->ctl('history', $live);
is("$exit|$out", '1|', 'it is refused');
like($err, qr{^referralctl: .*ledger: .*version}m, 'and says why');

truncate $data, 8192;
($exit, $out, $err) = $t->ctl('history', $live);
is("$exit|$out", '1|', 'a ledger that was cut short is refused');
like($err, qr{^referralctl: .*ledger}m, 'and named');

# Wrong usage.

my @wrong = (
    [ [], qr/key is missing, or "all"/ ],
    [ [ 'all', 'x' ], qr/unexpected argument "x"/ ],
    [ [ 'all', '--unit', 'week' ], qr/--unit "week" is not minute, hour or / ],
    [ [ 'all', '--from', 'yesterday' ], qr/--from "yesterday" is no date/ ],
    [ [ 'all', '--from', '1900-01-01' ],
      qr/--from "1900-01-01" is no date .* or time .* from 1970 to 9999$/m ],
    [ [ 'all', '--to', '2026-02-29' ], qr/--to "2026-02-29" is no date/ ],
    [ [ 'all', '--from', '2999-01-01' ], qr/"2999-01-01" is not before now/ ],
    [ [ 'all', '--from', '2026-03-02', '--to', '2026-03-02' ],
      qr/--from "2026-03-02" is not before --to "2026-03-02"/ ],
    [ [ 'all', '--to', '1970-01-01' ], qr/is not before --to "1970-01-01"/ ],
);

for my $row (@wrong) {
    my ($args, $said) = @$row;

    ($exit, $out, $err) = history_ctl('history', @$args);
    is("$exit|$out", '2|', "wrong usage: @$args");
    like($err, $said, 'and why');
}

($exit, $out, $err) = history_ctl('history', 'ffffffffffffffff');
is("$exit|$out", '1|', 'an unknown link');
like($err, qr/^referralctl: history: /, 'is an error');

$t->finish;
done_testing;


# -- the registry with a past ----------------------------------------------

sub history_ctl {
    return $t->run_command(undef, $t->{ctl}, '-d', $dir, @_);
}


sub history_ctl_ok {
    my ($exit, $out, $err) = history_ctl(@_);

    die "referralctl @_: exit $exit: $err\n" if $exit != 0;

    chomp $out;
    return $out;
}


sub history_json {
    return $json->decode(history_ctl_ok('history', '--json', @_));
}


sub add_history {
    my @rows = @_;

    my $lines = join '', map {
        my ($time, $which, $name, $count) = @$_;
        my $number = $name =~ /^\d+$/ ? $name
                     : $which eq 'all' ? $zone{$name} : $field{$name};
        "$time $which $number $count\n"
    } @rows;

    my ($exit, undef, $err) = $t->run_command($lines,
                                              $t->program('add_history'),
                                              $dir);
    die "add_history: $err\n" if $exit != 0;
}


# The lines a terminal gets.

sub terminal {
    my ($env, @args) = @_;

    my $command = join ' ', map { "'$_'" } $t->{ctl}, '-d', $dir, @args;

    local %ENV = (PATH => $ENV{PATH}, SHELL => '/bin/sh', %$env);

    my ($exit, $out, $err) = $t->run_command(undef, 'script', '-qec',
                                             $command, '/dev/null');

    die "script: exit $exit: $out$err\n" if $exit != 0;

    utf8::decode($out);

    return split /\r?\n/, $out;
}


# -- the registry nginx counts into ----------------------------------------

sub live_json {
    return $json->decode($t->ctl_ok('history', '--json', @_));
}


# All buckets summed, without the bytes.

sub total {
    my ($which, $unit, $part) = @_;

    my %sum;

    for my $bucket (@{ live_json($which, '--unit', $unit)->{buckets} }) {
        $sum{$_} += $bucket->{$part}{$_} for keys %{ $bucket->{$part} };
    }

    delete $sum{bytes};

    return nonzero(\%sum);
}


sub rfc3339 {
    my ($time) = @_;

    my ($s, $m, $h, $day, $month, $year) = gmtime $time;

    return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $year + 1900, $month + 1,
                   $day, $h, $m, $s;
}
