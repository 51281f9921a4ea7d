#!/usr/bin/perl

# top: what nginx counts, as it counts it; plain in a pipe, a screen with keys
# on a terminal.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled sum);
use Referral::Test qw(wait_until);


my $json = JSON::PP->new->utf8;

# A flush that is far: what top shows then is the counter file's.

my $t = Referral::Test->new(http => <<'CONF');
    referral_registry main %%DIR%%/referral counters=%%SHM%%/main.counters
                           flush=1h;

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;

        location / { return 200 "page\n"; }
        location /gone { return 404; }
        location /status { referral_status main; }
    }
CONF

$t->ctl_ok('init');

my %key = map { $_ => $t->ctl_ok('add', "https://$_.example/p") }
          qw(often seldom broken removed silent);
my @group = map { $t->ctl_ok('add', "https://many.example/$_", '--target',
                             '/t') } 1, 2;
my $hostile = $t->ctl_ok('add', 'https://host.example/a%1b%5b2Jb');

# Wrong usage: {options, what is said}.

for my $row ([ [ '--interval', '0' ], qr/--interval "0"/ ],
             [ [ '--interval', '1x' ], qr/--interval "1x"/ ],
             [ [ '--interval', '1.2.3' ], qr/--interval "1\.2\.3"/ ],
             [ [ '--interval', '' ], qr/--interval ""/ ],
             [ [ '--interval', '3601' ], qr/--interval "3601"/ ],
             [ [ '--interval', 'inf' ], qr/--interval "inf"/ ],
             [ [ '--count', '0' ], qr/--count "0"/ ],
             [ [ '--limit', '1001' ], qr/--limit "1001"/ ],
             [ [ '--sort', 'name' ], qr/--sort "name" is not rate, / ],
             [ [ 'x' ], qr/unexpected argument "x"/ ])
{
    my ($args, $said) = @$row;
    my ($exit, $out, $err) = $t->ctl('top', @$args);

    is("$exit|$out", '2|', "wrong usage: @$args");
    like($err, qr/^referralctl: top: .*$said/, "and why: @$args");
}

# Before nginx runs.

my ($sample) = samples('--count', 1);
is($sample->{live} ? 1 : 0, 0, 'without nginx nothing is live');
is_deeply($sample->{links}, [], 'and nothing is shown');
is($sample->{registered}, 8, 'but how many links there are');

my ($exit, $out) = $t->ctl('top', '--count', 1);
like($out, qr/no counter file: nginx does not count here/, 'people are told');

$t->start;

# The keeper notes the counter file when it flushes first.

ok(wait_until(sub { (samples('--count', 1))[0]{live} }, 20),
   'a counter file is found');

my $sent = 0;

visit('/', 'often') for 1 .. 40;
visit('/', 'seldom') for 1 .. 7;
visit('/gone', 'broken') for 1 .. 9;
visit('/', 'removed') for 1 .. 50;
get('/t', 'https://many.example/') for 1 .. 11;
get('/', 'https://host.example/a%1b%5b2Jb');
get('/', undef) for 1 .. 4;

$t->ctl_ok('rm', $key{removed});
settled($t, $sent);

($sample) = samples('--count', 1, '--sort', 'clicks');

is($sample->{live} ? 1 : 0, 1, 'it is live');
is($sample->{interval_ms}, 0, 'one sample has no rates');
is($sample->{requests_per_second}, undef, 'none at all');
is(sum($sample->{outcomes}), $sent, 'every request is in its outcomes');
is_deeply([ map { $_->{counters}{clicks} } @{ $sample->{links} } ],
          [ 40, 11, 7, 1 ], 'those with most clicks come first');
is($sample->{links}[0]{key}, $key{often}, 'by their keys');
is($sample->{links}[1]{links}, 2, 'a group is told by its links');
is((grep { $_->{key} eq $key{removed} } @{ $sample->{links} }), 0,
   'a removed link is not shown');

($sample) = samples('--count', 1, '--sort', 'errors');
is_deeply([ map { $_->{key} } @{ $sample->{links} } ], [ $key{broken} ],
          'by errors');
is($sample->{links}[0]{counters}{errors_4xx}, 9, 'all of them');

($sample) = samples('--count', 1, '--sort', 'clicks', '--limit', 2);
is(scalar @{ $sample->{links} }, 2, '--limit is a limit');

($sample) = samples('--count', 1);
is($sample->{links}[-1]{key}, $key{broken},
   'a link without a click is shown behind those that have some');

# What it shows is what show does.

for my $link (@{ (samples('--count', 1))[0]{links} }) {
    next if $link->{links} > 1;

    is_deeply($link->{counters},
              $json->decode($t->ctl_ok('show', $link->{key}, '--json'))
                  ->{counters}, "$link->{source}: as show has it");
}

# Rates: of what comes between two samples.

my $reader = spawn('top', '--json', '--interval', '0.5', '--count', 4);
like($reader->{out}->(1), qr/"requests_per_second":null/, 'a first sample');

visit('/', 'seldom') for 1 .. 30;
my $lines = $reader->{end}->();
my @later = map { $json->decode($_) } split /\n/, $lines;

is(scalar @later, 4, 'as many samples as asked for');

my $counted = 0;

for my $one (@later[1 .. 3]) {
    my ($link) = grep { $_->{key} eq $key{seldom} } @{ $one->{links} };
    $counted += $link->{requests_per_second} * $one->{interval_ms} / 1000;
}

cmp_ok(abs($counted - 30), '<', 1.5, 'the rates add up to what was sent');
is($later[3]{links}[0]{key} ne '' && $later[3]{interval_ms} >= 400, 1,
   'the interval is told');

# Plain text: lines alone, no sequence that drives a terminal.

($exit, $out) = $t->ctl('top', '--count', 2, '--interval', '0.1');
is($exit, 0, 'plain samples');
is(() = $out =~ /^referralctl top /mg, 2, 'one after the other');
like($out, qr/^KEY +\*REQ\/S +CLICKS +ERRORS +BOTS +SEEN +LINK$/m,
     'with headings');
like($out, qr/^$key{often} +- +40 +0 +0 +\d+s +https:\/\/often\.example\/p$/m,
     'a row');
like($out, qr{one of 2: many\.example > /t$}m, 'a group');
unlike($out, qr/\e/, 'plain indeed');

# Who reads no more ends it.

my $started = time;
system("'$t->{ctl}' -d '" . $t->registry_dir
       . "' top --interval 0.1 | head -1 > /dev/null");
cmp_ok(time - $started, '<', 10, 'it ends with its pipe');

# On a terminal.

SKIP: {
    my ($script) = grep { -x } map { "$_/script" } split /:/, $ENV{PATH};
    skip 'script(1) is not installed', 24 unless defined $script;

    my $top = terminal({ TERM => 'xterm', COLUMNS => 80, LINES => 12 },
                       '--interval', '0.3');

    my $first = $top->{until}->(qr/often/);

    like($first, qr/\e\[\?1049h/, 'it takes the other screen');
    like($first, qr/q quit/, 'it says its keys');
    like($first, qr/\e\[1m/, 'in bold');

    visit('/', 'silent') for 1 .. 20;
    like($top->{until}->(qr/silent/), qr/silent/, 'what comes in comes up');

    $top->{key}->('e');
    my $errors = $top->{until}->(qr/\*ERRORS.*broken/s);
    like($errors, qr/\*ERRORS/, 'e sorts by errors');

    $top->{key}->('c');
    like($top->{until}->(qr/\*CLICKS/), qr/\*CLICKS/, 'c by clicks');
    $top->{key}->('s');
    like($top->{until}->(qr/\*SEEN/), qr/\*SEEN/, 's by last seen');
    $top->{key}->('b');
    like($top->{until}->(qr/\*BOTS/), qr/\*BOTS/, 'b by bots');
    $top->{key}->('r');
    like($top->{until}->(qr/\*REQ/), qr/\*REQ/, 'r by rate');

    $top->{key}->('q');
    my ($status, $all) = $top->{end}->();

    is($status, 0, 'q quits');
    like($all, qr/\e\[\?25h\e\[\?1049l\z/, 'and gives the screen back');
    unlike($all, qr/\e\[2J/, 'it is never erased: nothing flickers');

    my @frames = frames($all);
    cmp_ok(scalar @frames, '>=', 6, 'there were frames');
    is((grep { split(/\n/, $_) > 12 } @frames), 0, 'none is too long');
    is((grep { length > 80 } map { split /\n/ } @frames), 0,
       'no line is too wide');

    my ($requests, %shown) = $frames[-1] =~ /^requests (\d+)((?:  \w+ \d+)+)$/m
                             ? ($1, split ' ', $2) : ();
    is_deeply([ sort keys %shown ],
              [ sort grep { $sample->{outcomes}{$_} }
                keys %{ $sample->{outcomes} } ], 'outcomes that there are');
    is(sum(\%shown), $requests, 'each with all its digits');

    # A size that changes, no colours, a signal.

    delete local $ENV{COLUMNS};
    delete local $ENV{LINES};

    $top = terminal({ TERM => 'xterm', NO_COLOR => 1, resize => 1 },
                    '--interval', '60');

    $top->{until}->(qr/KEY.*often/s);
    my $resized = $top->{until}->(qr/\e\[H.*\e\[H.*often/s);

    my @sizes = frames($resized);
    is((grep { length > 50 } split /\n/, $sizes[-1]), 0,
       'a smaller screen is filled at once');
    unlike($sizes[-1], qr/BOTS/, 'with the columns that have room');
    unlike($resized, qr/\e\[\d*m/, 'NO_COLOR is heeded');

    $top->{signal}->('TERM');
    ($status, $all) = $top->{end}->();
    like($all, qr/\e\[\?25h\e\[\?1049l/, 'a signal gives the screen back');

    $top = terminal({ TERM => 'dumb' }, '--count', 1);
    ($status, $all) = $top->{end}->();
    is($status, 0, 'a terminal that knows nothing');
    unlike($all, qr/\e/, 'gets plain text');
    like($all, qr/often/, 'all the same');
}

# nginx goes, and comes with another counter file.

$reader = spawn('top', '--json', '--interval', '0.5', '--count', 60);
$reader->{out}->(1);

$t->stop;
unlink $t->shm . '/main.counters' or die;
$t->start;

my $before = sum($t->get_json('/status')->{outcomes});
visit('/', 'often') for 1 .. 3;
settled($t, $before + 3);

ok(wait_until(sub {
    my @now = map { $json->decode($_) } grep { /\}\z/ }
              split /\n/, $reader->{sofar}->();
    my ($link) = grep { $_->{key} eq $key{often} } @{ $now[-1]{links} };

    return $now[-1]{live} && $link && $link->{counters}{clicks} == 43;
}, 30), 'it goes on with another counter file, and the totals with it');

$reader->{kill}->();

$t->finish;
done_testing;


sub visit {
    my ($uri, $host) = @_;

    get($uri, "https://$host.example/p");
}


sub get {
    my ($uri, $referer) = @_;

    $t->get($uri, defined $referer ? (Referer => $referer) : ());
    $sent++;
}


sub samples {
    my $out = $t->ctl_ok('top', '--json', '--interval', '0.1', @_);

    return map { $json->decode($_) } split /\n/, $out;
}


# The command beside this process; its output in a file.

sub spawn {
    my @args = @_;

    my $file = $t->write_file('top.out', '');
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', $file;
        exec $t->{ctl}, '-d', $t->registry_dir, @args or POSIX::_exit(127);
    }

    return {
        sofar => sub { $t->read_file($file) },
        out => sub {
            my ($n) = @_;

            wait_until(sub { (() = $t->read_file($file) =~ /\n/g) >= $n }, 20);
            return $t->read_file($file);
        },
        end => sub {
            waitpid $pid, 0;
            return $t->read_file($file);
        },
        kill => sub {
            kill 'TERM', $pid;
            waitpid $pid, 0;
        },
    };
}


# The command on a terminal of script(1), with keys by its standard input.

sub terminal {
    my ($env, @args) = @_;

    my $resize = delete $env->{resize};
    my $command = join ' ', map { "'$_'" } $t->{ctl}, '-d', $t->registry_dir,
                                           'top', @args;

    # by the shell in the same session, once the first frame is there

    if ($resize) {
        $command = 'stty rows 20 cols 100; '
                   . '(sleep 1; stty cols 50 < /dev/tty) & '
                   . "exec $command";
    }

    pipe my $from_me, my $keys or die "pipe: $!\n";
    pipe my $screen, my $to_me or die "pipe: $!\n";

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        POSIX::dup2(fileno $from_me, 0);
        POSIX::dup2(fileno $to_me, 1);
        $ENV{$_} = $env->{$_} for keys %$env;
        exec 'script', '-qefc', $command, '/dev/null' or POSIX::_exit(127);
    }

    close $from_me;
    close $to_me;
    $screen->blocking(0);
    $keys->autoflush(1);

    my ($all, $seen) = ('', 0);
    my $read = sub {
        while (1) {
            my $n = sysread $screen, my $piece, 65536;
            return defined $n ? 0 : 1 if !$n;
            $all .= $piece;
        }
    };

    return {
        key => sub { print $keys $_[0]; $seen = length $all },
        until => sub {
            my ($pattern) = @_;

            wait_until(sub {
                $read->();
                return substr($all, $seen) =~ $pattern;
            }, 20);

            return substr $all, $seen;
        },
        signal => sub {
            my ($name) = @_;

            my @children = split ' ',
                $t->read_file("/proc/$pid/task/$pid/children");
            kill $name, @children;
        },
        end => sub {
            wait_until(sub { !$read->() }, 20);
            waitpid $pid, 0;
            return ($? >> 8, $all);
        },
    };
}


# Without sequences, as lines.

sub frames {
    my ($text) = @_;

    my (undef, @frames) = split /\e\[H/, $text;

    for (@frames) {
        s/\e\[J.*//s;
        s/\e\[\??\d*[A-Za-z]//g;
        s/\r//g;
    }

    return @frames;
}
