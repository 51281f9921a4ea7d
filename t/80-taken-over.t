#!/usr/bin/perl

# A worker that was taken over owns registry, ledger and counter file, and may
# put there what it likes: links to files of root's, pipes nobody writes to,
# directories, files that look endless.  root's nginx and root's referralctl
# neither follow, nor wait, nor give anything away; and nginx serves.

use strict;
use warnings;

use File::Find ();
use FindBin;
use POSIX qw(_exit mkfifo);
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(summary);
use Referral::Test qw(wait_until);

plan skip_all => 'only root has something to give away' if $> != 0;

use constant {
    SLOW => exists $ENV{ASAN_OPTIONS} ? 60 : 20,     # seconds, of a command
    ENDLESS => 1 << 40,                              # bytes
};

my $secret = 'https://secret.example/of/root';

# What the worker puts in the place of each of these.

my @places = qw(%D/registry %D/registry/data.mdb %D/registry/lock.mdb
                %D/ledger %D/ledger/data.mdb %D/ledger/lock.mdb
                %S/main.counters);

my @traps = (
    [ 'a link to a file of root\'s', sub { symlink "$_[1]/file", $_[0] } ],
    [ 'a link to a directory of root\'s', sub { symlink $_[1], $_[0] } ],
    [ 'a link to what is not there', sub { symlink "$_[1]/new", $_[0] } ],
    [ 'a pipe', sub { mkfifo $_[0], 0600 } ],
    [ 'a directory', sub { mkdir $_[0] } ],
    [ 'a file without an end', sub {
          touch($_[0]);
          truncate $_[0], ENDLESS;
      } ],
    [ 'nobody\'s to read', sub {
          touch($_[0]);
          chmod 0, $_[0];
      } ],
);

# Every place sees three of them, every trap three places: what differs is who
# opens it and how.

my $n = 0;

for my $place (@places) {
    for my $trap (grep { ($n + $_) % 7 < 3 } 0 .. $#traps) {
        fall_for($place, @{ $traps[$trap] });
    }

    $n += 3;
}

done_testing;


sub fall_for {
    my ($place, $name, $set) = @_;

    my $t = Referral::Test->new(http => <<'CONF');
        %%REGISTRY%%

        server {
            listen 127.0.0.1:%%PORT%%;
            location / { referral main; return 200; }
            location /status { referral_status main; }
        }
CONF

    my $roots = $t->dir . '/roots';
    my $path = $place =~ s/%D/$t->registry_dir/er =~ s/%S/$t->shm/er;

    mkdir $roots, 0700 or die;
    $t->write_file('roots/file', $secret);

    $t->ctl_ok('init');
    $t->ctl_ok('add', 'https://blog.example/1');
    $t->start;
    wait_until(sub { -e $t->shm . '/main.counters' }, SLOW);
    wait_until(sub { -e $t->registry_dir . '/ledger/data.mdb' }, SLOW);
    $t->stop;

    as_worker($t, sub {
        rename $path, "$path.kept" if -e $path;
        $set->($path, $roots) or die "$path: $!\n";
    });

    my @before = look($roots);

    my ($exit, $said) = $t->configtest;
    is($exit, 0, "$place, $name: nginx -t") or diag($said);

    $t->start;
    is($t->get('/', Referer => 'https://blog.example/1')->{status}, 200,
       'nginx serves');
    $t->reload;
    is($t->get('/')->{status}, 200, 'and after a reload');
    like(summary($t)->{health}{$_}, qr/./, "health has a word for $_")
        for qw(registry ledger counters);

    commands($t);

    is($t->stop, 0, 'it stops');
    is_deeply([ look($roots) ], \@before, 'what is root\'s is as it was');
    unlike($t->error_log, qr/\Q$secret\E/, 'and was told nobody');

    as_worker($t, sub { rename $path, "$path.trap" });
    $t->finish;
}


# Each ends by itself, and says nothing of what only root may read.

sub commands {
    my ($t) = @_;

    my @failed;

    for my $command ([ 'list' ], [ 'add', 'https://blog.example/2' ],
                     [ 'check' ], [ 'top', '--count', 1, '--interval', 0.1 ],
                     [ 'history', 'all' ], [ 'backup', $t->dir . '/backup' ],
                     [ 'init' ])
    {
        my ($exit, $out, $err) = $t->run_command('', 'timeout', SLOW, $t->{ctl},
                                    '-d', $t->registry_dir, @$command);

        push @failed, "$command->[0]: $exit $err"
            if $exit > 2 || "$out$err" =~ /\Q$secret\E/;
    }

    is_deeply(\@failed, [], 'every command ends, and in order');
}


sub touch {
    open my $f, '>', $_[0] or die "$_[0]: $!\n";
}


sub as_worker {
    my ($t, $function) = @_;

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        my (undef, undef, $uid, $gid) = getpwnam($t->{user});

        $) = "$gid $gid";
        $( = $gid;
        ($<, $>) = ($uid, $uid);

        eval { $function->(); 1 } or print STDERR $@;
        _exit($@ ? 1 : 0);
    }

    waitpid $pid, 0;
    die "the worker's part failed\n" if $?;
}


# Everything of a directory: name, type, mode, owner, content.

sub look {
    my ($dir) = @_;

    my @found;

    File::Find::find({ no_chdir => 1, wanted => sub {
        my @stat = lstat $_;
        my $text = '';

        if (-f _ && open my $f, '<', $_) {
            $text = join '', <$f>;
        }

        push @found, "$_ $stat[2] $stat[4] $stat[5] $text";
    } }, $dir);

    return sort @found;
}
