#!/usr/bin/perl

# What can be wrong with registry, ledger and counter file: nginx serves on,
# says it in the log and in the status, and takes up its work when the fault
# is gone.

use strict;
use warnings;

use File::Path qw(remove_tree);
use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of settled sum summary);
use Referral::Test qw(wait_until);


my $page = 'https://blog.example/2024/launch';
my ($t, $key);
my $log_from = 0;         # what the log said before is no answer

# A site with one link; the fault comes before the start.

sub site {
    my ($registry, %arg) = @_;

    $t = Referral::Test->new(http => <<"CONF", %arg);
    $registry

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { return 200 "page"; }
        location /status { referral_status main; }
    }
CONF

    $log_from = 0;
    $t->ctl_ok('init');
    $key = $t->ctl_ok('add', $page);
}

sub new_log {
    return substr $t->error_log, $log_from;
}

# Whatever is wrong: visitors are served and counted.

sub serves {
    my ($name) = @_;

    my $before = sum(summary($t)->{outcomes});
    my @status = map { $t->get('/', Referer => $page)->{status} } 1 .. 5;

    is_deeply(\@status, [ (200) x 5 ], "$name: nginx serves");
    is(sum(settled($t, $before + 5)->{outcomes}), $before + 5,
       "$name: requests are counted");
    is($t->get('/status?format=json')->{status}, 200,
       "$name: the status is there");
}

sub says {
    my ($name, $part, $like) = @_;

    ok(wait_until(sub { summary($t)->{health}{$part} =~ $like }, 10),
       "$name: health says so of the $part")
        or diag(summary($t)->{health}{$part});
    ok(wait_until(sub { new_log() =~ /\[error\].*referral.*$like/ }, 10),
       "$name: the log says so")
        or diag($t->log_tail);
}

# The summary as CSV cannot say what is missing.

sub no_csv {
    my ($code) = @_;

    my $answer = $t->get('/status?format=csv');

    is($answer->{status}, 503, 'there is no CSV of it');
    is(eval { JSON::PP->new->decode($answer->{body})->{error}{code} }, $code,
       'for this reason');
}

sub recovers {
    my ($name) = @_;

    ok(wait_until(sub { $t->get("/status/links/$key")->{status} == 200 }, 10),
       "$name: the link is there");

    for my $part (qw(registry ledger counters)) {
        ok(wait_until(sub { summary($t)->{health}{$part} eq 'ok' }, 20),
           "$name: the $part is well again")
            or diag(summary($t)->{health}{$part});
    }

    my $before = counters_of($t, $key)->{clicks} // 0;

    $t->get('/', Referer => $page) for 1 .. 5;
    ok(wait_until(sub {
        (counters_of($t, $key)->{clicks} // 0) == $before + 5
    }, 20), "$name: the link counts");
}

my $default = '%%REGISTRY%%';

# A directory the workers may not read.

site($default);

my $registry = $t->registry_dir . '/registry';

{
    chmod 0, $registry;
    $t->start;
    says('an unreadable directory', 'registry',
         qr/registry.*(?:Permission denied|not allowed|denied)/i);
    serves('an unreadable directory');
    cmp_ok(summary($t)->{health}{lookup_errors}, '>=', 5,
           'requests that could not be looked up are counted as such');
    is(summary($t)->{outcomes}{unregistered}, 5, 'they are unregistered');

    my $answer = $t->get('/status/links');

    is($answer->{status}, 503, 'links cannot be listed');
    is(JSON::PP->new->decode($answer->{body})->{error}{code},
       'RegistryUnavailable', 'for this reason');
    is($t->get("/status/links/$key")->{status}, 503, 'nor shown');
    no_csv('RegistryUnavailable');

    chmod 0700, $registry;
    recovers('an unreadable directory');
    is(summary($t)->{outcomes}{unregistered}, 5,
       'what was counted meanwhile is there');
    ok(wait_until(sub {
           $t->error_log =~ /\[notice\].*"main": working again/
       }, 10), 'the log says that it is over');
}

$t->finish;

# A registry of another version, from before the start and while nginx runs.

site($default);
$registry = $t->registry_dir . '/registry';

my $set_version = $t->program('set_version');

my ($exit, $err, $version);

for my $row ([ 0, qr/export its links with the older program/ ],
             [ 99, qr/use the newer program/ ])
{
    my ($number, $advice) = @$row;

    ($exit, my $before) = as_owner($set_version, $t->registry_dir, $number);
    $version //= $before + 0;
    is($exit, 0, "version $number");

    ($exit, undef, $err) = $t->ctl('add', 'https://x.example/1');

    is($exit, 1, 'the command refuses another version');
    like($err, qr/^referralctl: .*version $number.*version $version/,
         'says both');
    like($err, $advice, 'and what to do');
}

$t->start;
says('another version', 'registry', qr/version 99, this program knows/);
serves('another version');
as_owner($set_version, $t->registry_dir, $version);
recovers('another version');
$t->finish;

# Files that are no LMDB files, or parts of them.

for my $fault ([ 'a damaged registry', 'registry' ],
               [ 'a damaged ledger', 'ledger' ])
{
    my ($name, $part) = @$fault;

    site($default);
    $t->start;
    serves("before $name");
    $t->stop;

    my $file = $t->registry_dir . "/$part/data.mdb";
    my $good = $t->read_file($file);

    for my $bad ([ 'garbage', 'x' x 65536 ],
                 [ 'cut', substr $good, 0, 8192 ],
                 [ 'cut to a page and a half', substr $good, 0, 6144 ])
    {
        $log_from = length $t->error_log;
        overwrite($file, $bad->[1]);
        $t->start;
        says("$name ($bad->[0])", $part, qr/\Q$part\E/);
        no_csv(ucfirst $part . 'Unavailable');
        serves("$name ($bad->[0])");
        $t->stop;
    }

    overwrite($file, $good);
    $t->start;
    recovers($name);
    $t->finish;
}

# A registry that goes while nginx runs, and comes back.

{
    site($default, workers => 2);
    $registry = $t->registry_dir . '/registry';
    $t->start;
    recovers('at first');
    is(counters_of($t, $key)->{clicks}, 5, 'five clicks');
    rename $registry, "$registry.away" or die;

    my $missing = qr{registry is missing.*restore.*or move \S+/ledger away};

    says('a registry moved away', 'registry', $missing);
    ok(wait_until(sub {
           !grep { summary($t)->{health}{registry} !~ $missing } 1 .. 20
       }, 20), 'both workers have noticed');
    serves('a registry moved away');
    sleep 2;
    serves('a registry moved away for two seconds');

    my $summary = summary($t);

    is($summary->{health}{ledger}, 'ok', 'the ledger is there');
    my $last;

    for (1 .. 3) {
        my $from = time;

        $last = wait_until(sub {
            my $asked = time;
            summary($t)->{health}{flush_age_ms} < ($asked - $from) * 1000
        }, 4) or last;
    }

    ok($last, 'and is written, time and again');
    ok(!-e $registry, 'no new registry is made');

    # A start without it; then it comes back.

    my $sum = sum($summary->{outcomes});

    $t->restart;
    says('a start without a registry', 'registry', $missing);
    is(sum(summary($t)->{outcomes}), $sum, 'totals are those from before');
    serves('a start without a registry');
    $t->reload;
    serves('a reload without a registry');
    ok(!-e $registry, 'no new registry is made at a start');

    rename "$registry.away", $registry or die;
    recovers('a registry moved back');
    is(counters_of($t, $key)->{clicks}, 10, 'nothing of the link is lost');
    is(sum(summary($t)->{outcomes}), $sum + 15, 'nor of all requests');
    ok(wait_until(sub {
           $t->error_log =~ /\[notice\].*"main": working again/
       }, 10), 'the log says that it is over');
    $t->restart;
    is(sum(settled($t, $sum + 15)->{outcomes}), $sum + 15,
       'nor after a restart');
    $t->finish;
}

# The registry and its ledger removed: that is a new beginning.

{
    site($default);
    $t->start;
    recovers('at first');
    remove_tree($t->registry_dir . '/ledger', $t->registry_dir . '/registry');
    ok(wait_until(sub {
        -e $t->registry_dir . '/registry/data.mdb'
            && summary($t)->{health}{registry} eq 'ok'
            && summary($t)->{health}{counters} eq 'ok'
            && $t->get("/status/links/$key")->{status} == 404
    }, 20), 'a new registry is made where there is no ledger')
        or diag($t->log_tail);
    $key = $t->ctl_ok('add', $page);
    recovers('a new registry');
    is(counters_of($t, $key)->{clicks}, 5, 'it begins with 0');
    $t->finish;
}

# No place for the counter file: memory takes its place, which all processes of
# this nginx share, across reloads and deaths.

for my $place ('missing', 'read-only') {
    site('referral_registry main %%DIR%%/referral flush=1s'
         . ' counters=%%DIR%%/none/main.counters;', workers => 2);

    my $dir = $t->dir . '/none';

    if ($place eq 'read-only') {
        mkdir $dir, 0500 or die;         # and root's, if root runs this
    }

    $t->start;
    says("a $place directory", 'counters',
         qr{volatile: counter file \S+/none/main\.counters});
    serves("a $place directory");
    is(counters_of($t, $key)->{clicks}, 5, 'the link is counted');
    is(summary($t)->{health}{overflow}, 0, 'there are cells');
    $t->reload;
    is(counters_of($t, $key)->{clicks}, 5, 'a reload loses nothing');
    serves("a $place directory, after a reload");
    $t->kill_worker($_) for $t->worker_pids;
    is(counters_of($t, $key)->{clicks}, 10, 'nor does kill -9 of workers');
    serves("a $place directory, after kill -9");

    # There is a place now: under load, seen through every worker.

    my ($sent, $last, $dips) = (15, 15, 0);

    for my $turn (1 .. 80) {
        if ($turn == 20) {
            mkdir $dir;
            chmod 0700, $dir;
            $t->give_to_worker($dir);
        }

        $t->get('/', Referer => $page);
        $sent++;

        my $now = counters_of($t, $key)->{clicks};

        $dips++ if $now < $last;
        $last = $now;
        sleep 0.05;
    }

    is($dips, 0, 'no total goes back while the file takes over');
    ok(wait_until(sub { counters_of($t, $key)->{clicks} == $sent }, 20),
       'and none is lost')
        or diag(counters_of($t, $key)->{clicks} . " of $sent");
    ok(-e "$dir/main.counters", 'there is a file');
    recovers('a place for the counter file');
    $sent += 5;
    is(settled($t, $sent)->{outcomes}{matched}, $sent, 'all are counted once');

    # What memory had is in the ledger.

    $t->restart;
    is(settled($t, $sent)->{outcomes}{matched}, $sent,
       'all of it is there after a restart');
    is(counters_of($t, $key)->{clicks}, $sent, 'also of the link');
    $t->finish;
}

# Memory that never had a file beside it is stored at the end.

site('referral_registry main %%DIR%%/referral flush=1h'
     . ' counters=%%DIR%%/none/main.counters;', workers => 2);
$t->start;
says('memory alone', 'counters', qr/volatile/);
serves('memory alone');
$t->restart;
is(sum(settled($t, 5)->{outcomes}), 5, 'a restart loses nothing of it');
$t->finish;

# A file in its place that is none: it is not ours to remove.

site($default);
overwrite($t->shm . '/main.counters', 'garbage' x 1000);
$t->start;
says('no counter file', 'counters', qr{main\.counters: this is no counter});
serves('no counter file');
unlink $t->shm . '/main.counters' or die;
recovers('no counter file');
$t->finish;

# A counter file removed while nginx runs: no total goes back.

{
    site($default, workers => 3);
    $t->start;
    recovers('at first');

    my ($sent, $last, $dips, $last_sum) = (5, 5, 0, 0);

    for my $turn (1 .. 120) {
        if ($turn % 50 == 20) {
            unlink $t->shm . '/main.counters' or die;
        }

        $t->get('/', Referer => $page);
        $sent++;

        my $now = counters_of($t, $key)->{clicks};
        my $sum = sum(summary($t)->{outcomes});

        $dips++ if $now < $last || $sum < $last_sum;
        ($last, $last_sum) = ($now, $sum);
        sleep 0.05;
    }

    is($dips, 0, 'no total goes back when a counter file is removed');
    ok(wait_until(sub { counters_of($t, $key)->{clicks} == $sent }, 20),
       'nothing is lost, nothing counted twice')
        or diag(counters_of($t, $key)->{clicks} . " of $sent");
    serves('the counter file is removed');
    recovers('the counter file is removed');
    $t->restart;
    is(settled($t, $sent + 10)->{outcomes}{matched}, $sent + 10,
       'and all is there after a restart');
    $t->finish;
}

# More links than cells: counted as such, and no request fails.

site('referral_registry main %%DIR%%/referral flush=1s max_links=1'
     . ' counters=%%SHM%%/main.counters;');

my $csv = "source\n" . join '', map { "https://h$_.example/page\n" } 1 .. 9000;

($exit, undef, $err) = $t->ctl_with($csv, 'import', '-');
is($exit, 0, 'more links than nginx was told of') or diag($err);
$t->start;
serves('more links than cells');
is(counters_of($t, $key)->{clicks}, 5, 'those with a cell count');

my $status = $t->get('/', Referer => 'https://h9000.example/page')->{status};

is($status, 200, 'those without are served');
is(settled($t, 6)->{outcomes}{matched}, 6, 'they are matched');
is(summary($t)->{health}{overflow}, 1, 'and the lack of a cell is counted');
$t->finish;

# A limit that is lowered under links that have cells: they keep these.

site('referral_registry main %%DIR%%/referral flush=1s'
     . ' counters=%%SHM%%/main.counters;');
($exit) = $t->ctl_with($csv, 'import', '-');
is($exit, 0, 'many links');

$key = $t->ctl_ok('add', 'https://last.example/page');

$t->start;
$t->get('/', Referer => 'https://last.example/page') for 1 .. 3;
settled($t, 3);
$t->set_conf(http => $t->{http} =~ s/flush=1s/flush=1s max_links=1/r);
$t->reload;
$t->get('/', Referer => 'https://last.example/page') for 1 .. 2;
is(settled($t, 5)->{health}{overflow}, 0, 'each click has its cell');
is(counters_of($t, $key)->{clicks}, 5, 'none is lost when the limit falls');
$t->finish;

# A limit of the system on how long a file may be: no process dies of it.

site($default, under => [ 'sh', '-c', 'ulimit -f 8192; exec "$@"', 'sh' ]);
$t->start;
says('a limit of files', 'counters', qr/LimitFSIZE=/);
serves('a limit of files');
$t->finish;

# A limit of the address space, which is less than a map takes; a sanitizer
# takes more.

SKIP: {
    skip 'sanitizer', 6 if exists $ENV{ASAN_OPTIONS};

    site($default,
         under => [ 'sh', '-c', 'ulimit -v 8000000; exec "$@"', 'sh' ]);
    $t->start;
    says('a limit of the address space', 'registry', qr/LimitAS=/);
    serves('a limit of the address space');
    $t->finish;
}

# A path that is missing when nginx starts.

site('referral_registry main %%DIR%%/none/referral flush=1s'
     . ' counters=%%SHM%%/main.counters;');
$t->start;
serves('no directory');
like(summary($t)->{health}{registry}, qr/none/, 'health names it');
mkdir $t->dir . '/none' or die;
$t->give_to_worker($t->dir . '/none');
$t->reload;
ok(wait_until(sub { summary($t)->{health}{registry} eq 'ok' }, 10),
   'a reload makes it');
$t->finish;

done_testing;


# LMDB's files must stay their owner's.

sub as_owner {
    my (@command) = @_;

    my @result = $t->run_command(undef, @command);

    $t->give_to_worker(glob $t->registry_dir . '/registry/*');

    return @result;
}


sub overwrite {
    my ($path, $bytes) = @_;

    open my $f, '>', $path or die "$path: $!\n";
    binmode $f;
    print $f $bytes;
    close $f;
    chmod 0600, $path;
    $t->give_to_worker($path);
}
