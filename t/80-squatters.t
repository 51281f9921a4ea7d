#!/usr/bin/perl

# Another user of the machine, where he may make files: in a directory for
# everybody, under the name that nginx will want.  nginx does not write into
# what is his, follows no link of his and waits for nothing; it counts in memory
# that its processes share until the name is free.  It is the same while he
# changes what lies there as fast as he can, in a directory like /tmp.

use strict;
use warnings;

use FindBin;
use POSIX qw(_exit mkfifo);
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled summary);
use Referral::Test qw(wait_until);

plan skip_all => 'only root can be another user' if $> != 0;
plan skip_all => 'there is no user "nobody"' if !defined getpwnam 'nobody';

use constant {
    SLOW => exists $ENV{ASAN_OPTIONS} ? 60 : 20,     # seconds
    RACE => 3,                                       # seconds
};

my $page = 'https://blog.example/1';

# What he puts there.  The first argument is the name, the second a counter file
# of this registry, the third another one, which is the worker's.

my @squats = (
    [ 'an empty file', sub { touch($_[0], 0600) } ],
    [ 'a file for everybody', sub { touch($_[0], 0666) } ],
    [ 'a counter file of this registry', sub { copy($_[1], $_[0], 0600) } ],
    [ 'and one for everybody', sub { copy($_[1], $_[0], 0666) } ],
    [ 'a link to what is the worker\'s', sub { symlink $_[2], $_[0] } ],
    [ 'a link to what is not there', sub { symlink "$_[0].new", $_[0] } ],
    [ 'a pipe', sub { mkfifo $_[0], 0666 } ],
    [ 'a directory', sub { mkdir $_[0], 0777 } ],
);

my $t = Referral::Test->new(http => <<'CONF');
    referral_registry main %%DIR%%/referral flush=1s
                      counters=%%SHM%%/shared/main.counters;

    server {
        listen 127.0.0.1:%%PORT%%;
        location / { referral main; return 200; }
        location /status { referral_status main; }
    }
CONF

# The kernel may protect links in directories like /tmp; here it does not.

my $shared = $t->shm . '/shared';
my $path = "$shared/main.counters";

chmod 0711, $t->shm, $t->dir;
mkdir $shared or die "$shared: $!\n";
chmod 0777, $shared;

$t->ctl_ok('init');
$t->ctl_ok('add', $page);

# A counter file such as he would want the worker to use.

$t->start;
ok(wait_until(sub { -s $path }, SLOW), 'there is a counter file');
$t->stop;

my $copy = $t->shm . '/copy';
my $worker_s = $t->shm . '/worker';

copy($path, $copy, 0644);
rename $path, $worker_s or die "$worker_s: $!\n";

$t->expect_log(qr/counter file .*(?:belongs to user|symbolic link
                  |no regular file|gives other users access)/x);

my $clicks = 0;

squat(@$_) for @squats;
race();

$t->finish;

done_testing;


sub squat {
    my ($name, $make) = @_;

    as_nobody(sub { $make->($path, $copy, $worker_s) or die "$path: $!\n" });

    my @before = lstat $path;

    $t->start;
    visit();
    is(health(), 'volatile', "$name: counted in memory");
    $t->reload;
    visit();

    my @after = lstat $path;

    is("@after[1, 2, 3, 4, 7, 9]", "@before[1, 2, 3, 4, 7, 9]",
       'what lies there is as it was');
    ok(!-e "$path.new", 'and no link was followed');

    as_nobody(sub { rmdir $path or unlink $path });

    ok(wait_until(sub { health() eq 'ok' }, SLOW), 'then there is a file');
    is_worker_s('which is the worker\'s');
    visit();

    is($t->stop, 0, 'it stops');
    unlink $path;

    $t->start;
    is(summary($t)->{outcomes}{matched}, $clicks, 'nothing was lost');
    $t->stop;
    unlink $path;
}


sub race {
    chmod 01777, $shared;

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        become_nobody();
        open STDERR, '>', '/dev/null' or _exit(1);

        for (my ($n, $end) = (0, time + RACE); time < $end; $n++) {
            $squats[$n % @squats][1]->($path, $copy, $worker_s);
            rmdir $path or unlink $path;
        }

        _exit(0);
    }

    $t->start;

    for (1 .. 3) {
        visit();
        $t->reload;
    }

    waitpid $pid, 0;

    ok(wait_until(sub { health() eq 'ok' }, SLOW),
       'a race: it has its file in the end');
    is_worker_s('which is the worker\'s');
    visit();
    is(settled($t, $clicks)->{outcomes}{matched}, $clicks,
       'and nothing was lost');
}


sub is_worker_s {
    my ($name) = @_;

    my @stat = lstat $path;

    is("$stat[4] " . sprintf('%o', $stat[2]),
       getpwnam($t->{user}) . ' 100600', $name);
}


sub visit {
    is($t->get('/', Referer => $page)->{status}, 200, 'nginx serves');
    $clicks++;
}


# "ok", "volatile", or what else it says first.

sub health {
    my ($word) = summary($t)->{health}{counters} =~ /^(\w+)/;

    return $word;
}


sub touch {
    my ($name, $mode) = @_;

    open my $f, '>', $name or return 0;
    return chmod $mode, $name;
}


sub copy {
    my ($from, $to, $mode) = @_;

    return system('cp', '--sparse=always', $from, $to) == 0
        && chmod $mode, $to;
}


sub as_nobody {
    my ($function) = @_;

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        become_nobody();

        eval { $function->(); 1 } or print STDERR $@;
        _exit($@ ? 1 : 0);
    }

    waitpid $pid, 0;
    die "nobody's part failed\n" if $?;
}


sub become_nobody {
    my (undef, undef, $uid, $gid) = getpwnam 'nobody';

    $) = "$gid $gid";
    $( = $gid;
    ($<, $>) = ($uid, $uid);
}
