#!/usr/bin/perl

# What can be wrong with registry, ledger and counter file: nginx serves on,
# says it in the log and in the status, and takes up its work when the fault
# is gone.

use strict;
use warnings;

use File::Path qw(remove_tree);
use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

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
    is($t->get('/status')->{status}, 200, "$name: the status is there");
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
    }, 5), "$name: the link counts");
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

    chmod 0700, $registry;
    recovers('an unreadable directory');
    is(summary($t)->{outcomes}{unregistered}, 5,
       'what was counted meanwhile is there');
    like($t->error_log, qr/\[notice\].*"main": working again/,
         'the log says that it is over');
}

$t->finish;

# A registry of another version, from before the start and while nginx runs.

site($default);
$registry = $t->registry_dir . '/registry';

my $set_version = $t->program('set_version');

is((as_owner($set_version, $t->registry_dir, 99))[0], 0, 'version 99');

my ($exit, undef, $err) = $t->ctl('add', 'https://x.example/1');

is($exit, 1, 'the command refuses another version');
like($err, qr/^referralctl: .*version 99.*version 1/, 'and says both');

$t->start;
says('another version', 'registry', qr/version 99, this program knows/);
serves('another version');
as_owner($set_version, $t->registry_dir, 1);
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
        serves("$name ($bad->[0])");
        $t->stop;
    }

    overwrite($file, $good);
    $t->start;
    recovers($name);
    $t->finish;
}

# A registry that goes while nginx runs, and comes back.

site($default);
$registry = $t->registry_dir . '/registry';
$t->start;
recovers('at first');
sleep 2.5;
rename $registry, "$registry.away" or die;
serves('a registry moved away');
sleep 2;
serves('a registry moved away for two seconds');
remove_tree($registry);
rename "$registry.away", $registry or die;
recovers('a registry moved back');
cmp_ok(counters_of($t, $key)->{clicks}, '>=', 10,
       'what was flushed before is there');
$t->finish;

# No counter file.

{
    site('referral_registry main %%DIR%%/referral flush=1s'
         . ' counters=%%DIR%%/none/main.counters;');
    $t->start;
    says('no place for the counter file', 'counters', qr/counters/);
    serves('no place for the counter file');
    is(summary($t)->{outcomes}{matched}, 5, 'links are found');
    mkdir $t->dir . '/none';
    $t->give_to_worker($t->dir . '/none');
    recovers('a place for the counter file');
    is(summary($t)->{outcomes}{matched}, 10,
       'what was counted before is there');
    $t->finish;
}

# A file in its place that is none: it is not ours to remove.

site($default);
overwrite($t->shm . '/main.counters', 'garbage' x 1000);
$t->start;
says('no counter file', 'counters', qr{main\.counters: this is no counter});
serves('no counter file');
unlink $t->shm . '/main.counters' or die;
recovers('no counter file');
$t->finish;

# A counter file removed while nginx runs.

site($default);
$t->start;
recovers('at first');

my $clicks = counters_of($t, $key)->{clicks};

sleep 2.5;
unlink $t->shm . '/main.counters' or die;
serves('the counter file is removed');
recovers('the counter file is removed');
cmp_ok(counters_of($t, $key)->{clicks}, '>=', $clicks + 5,
       'what was flushed is there');
$t->finish;

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
