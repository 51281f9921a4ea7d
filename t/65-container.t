#!/usr/bin/perl

# As in a container: uid 101 from the beginning, no capabilities, a read-only
# root, and volumes like emptyDir, which belong to root and are open to all.

use strict;
use warnings;

use File::Spec ();
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of settled sum summary);
use Referral::Test qw(wait_until);
use Referral::Trouble qw(healthy);


use constant UID => 101;

# Mounts are this test's alone, and end with it.

if (!$ENV{REFERRAL_TEST_MOUNTS}) {
    plan skip_all => 'only root can mount' if $> != 0;

    my @unshare = qw(unshare --mount --propagation private);
    my $try = 'mount -t tmpfs none /mnt && mount --bind / /mnt';

    if (system("@unshare sh -c '$try' 2>/dev/null") != 0) {
        plan skip_all => 'mounts of its own are not allowed here';
    }

    $ENV{REFERRAL_TEST_MOUNTS} = 1;
    exec @unshare, $^X, $0;
}

my $page = 'https://blog.example/2024/launch';
my @read_only;
my $t;

# The harness removes its directories there.

END {
    my $status = $?;
    writable();
    $? = $status;
}


# Two volumes: one for registry and ledger, one in memory for all that is
# made anew at each start.

container(volumes => [ 'data', 'run' ],
          registry => 'referral_registry main %%DIR%%/data flush=1s'
                      . ' counters=%%DIR%%/run/main.counters;');
lives('two volumes');
is_deeply([ complaints() ], [], 'there is nothing to complain of');
is(counter_files('run'), 1, 'the counter file is in memory');
$t->finish;

# One volume.

container(volumes => [ 'data' ], run => 'data',
          registry => 'referral_registry main %%DIR%%/data flush=1s;');
lives('nothing but PATH');
is(counter_files('data'), 1, 'the counter file is beside the links');
$t->finish;

# One that is on a disk: the kernel may stop who counts to write pages back.

SKIP: {
    skip 'the temporary directory is on tmpfs', 1
        if is_tmpfs(File::Spec->tmpdir);

    container(volumes => [ 'run' ], disk => 'data',
              registry => 'referral_registry main %%DIR%%/data flush=1s;');
    lives('a counter file on a disk');
    like($t->error_log, qr/\[warn\].*counter.*tmpfs/,
         'the log advises against it');
    $t->finish;
}

# None at all: nothing can be kept, and nginx says so and serves.

container(volumes => [ 'run' ],
          registry => 'referral_registry main %%DIR%%/data flush=1s'
                      . ' counters=%%DIR%%/run/main.counters;');
$t->start;
is($t->get('/', Referer => $page)->{status}, 200, 'no volume: nginx serves');

# each worker then counts for itself, and the other may answer
ok(wait_until(sub { summary($t)->{outcomes}{unregistered} == 1 }, 30),
   'and counts');
like(summary($t)->{health}{registry}, qr/\Q@{[ $t->dir ]}\E\/data/,
     'health says what is missing');
like($t->error_log, qr/\[warn\].*\/data" of referral registry/,
     'so did the log at the start');
is($t->stop('TERM'), 0, 'and it ends');
writable();
$t->finish;

done_testing;


# A site in it, with one link registered from inside.

sub container {
    my (%arg) = @_;

    writable();

    my $run = $arg{run} // 'run';
    my $temp = join '', map { "${_}_temp_path %%DIR%%/$run/$_;\n" }
                        qw(client_body proxy fastcgi uwsgi scgi);

    $t = Referral::Test->new(user => undef, workers => 2, conf => <<"CONF");
@{[ globals() ]}
pid %%DIR%%/$run/nginx.pid;
error_log %%DIR%%/error.log info;
daemon off;
worker_processes 2;

events {
    worker_connections 1024;
}

http {
    access_log off;
    root %%DIR%%/html;
    $temp
    $arg{registry}

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { return 200 "page"; }
        location /status { referral_status main; }
    }
}
CONF

    $t->{nginx} = as_user('nginx', $t->{nginx});
    $t->{ctl} = as_user('referralctl', $t->{ctl});

    # stands for the container's standard error
    $t->write_file('error.log', '');
    chown UID, UID, $t->dir . '/error.log';

    mount_or_die('--bind', $t->dir, $t->dir);
    push @{ $t->{mounts} }, $t->dir;

    mkdir $t->dir . "/$_" for qw(data run);
    read_only($t->dir);
    mount_or_die('-o', 'remount,bind,rw', $t->dir);

    for my $name (@{ $arg{volumes} }) {
        chmod 0777, $t->dir . "/$name";

        my $why = $t->mount_tmpfs($t->dir . "/$name", '64m');

        die $why if defined $why;
    }

    chown UID, UID, $t->dir . "/$arg{disk}" if defined $arg{disk};
}


sub globals {
    my $text = '';
    my $module = $ENV{TEST_NGINX_MODULE}
                 // Referral::Test::root_dir()
                    . '/build/ngx_http_referral_module.so';

    $text .= "load_module $module;\n" if $module ne '';
    $text .= "env ASAN_OPTIONS;\nenv UBSAN_OPTIONS;\n"
        if exists $ENV{ASAN_OPTIONS};

    return $text . ($ENV{TEST_NGINX_GLOBALS} // '');
}


# The same program without any privilege.

sub as_user {
    my ($name, $program) = @_;

    my $uid = UID;
    my $path = $t->write_file($name, <<"SH");
#!/bin/sh
exec setpriv --reuid=$uid --regid=$uid --clear-groups --bounding-set=-all \\
    --no-new-privs $program "\$@"
SH

    chmod 0755, $path;

    return $path;
}


# All that is mounted, and could be written, but what is mounted later.

sub read_only {
    my ($dir) = @_;

    for my $mount ('/', '/tmp', '/run', '/dev/shm', $dir) {
        next if system('mountpoint', '-q', $mount) != 0;
        mount_or_die('-o', 'remount,bind,ro', $mount);
        push @read_only, $mount if $mount ne $dir;
    }

    ok(!open(my $f, '>', '/tmp/referral-test'), 'the root is read-only');
}


sub writable {
    mount_or_die('-o', 'remount,bind,rw', $_) for splice @read_only;
}


sub mount_or_die {
    system('mount', @_) == 0 or die "mount @_ failed\n";
}


# A life of a container, and of the next one on the same volumes.

sub lives {
    my ($name) = @_;

    my $dir = $t->dir . '/data';
    my @ctl = ($t->{ctl}, '-d', $dir);
    my $sent = 0;

    $t->start;
    healthy($t, "with $name");

    my ($exit, $key, $err) = $t->run_command(undef, @ctl, 'add', $page);

    is($exit, 0, 'a link is added') or diag($err);
    chomp $key;

    for my $signal ('QUIT', 'TERM', undef) {
        is($t->get("/status/links/$key")->{status}, 200, 'the link is there');
        is(counters_of($t, $key)->{clicks} // 0, $sent, 'with its clicks');
        is(sum(settled($t, $sent)->{outcomes}), $sent, 'and the outcomes');

        last unless defined $signal;

        my $load = $t->load(requests => [ [ '/', Referer => $page ] ],
                            count => 500, connections => 2, depth => 8);

        $sent += 500;
        is($load->{status}{200}, 500, 'visitors are served');
        is(sum(settled($t, $sent)->{outcomes}), $sent, 'and counted');
        is(counters_of($t, $key)->{clicks}, $sent, 'as clicks of the link');
        is($t->stop($signal), 0, "SIG$signal ends it");

        # a pod that moves has its data, and nothing of its memory
        unlink glob $t->dir . '/*/*.counters';
        $t->start;
        healthy($t, 'again');
    }

    is($t->stop, 0, 'and QUIT');
    writable();
}


sub complaints {
    return grep { /\[(?:warn|error|crit)\].*referral/ }
           split /\n/, $t->error_log;
}


sub counter_files {
    my ($volume) = @_;

    my $dir = $t->dir . "/$volume";

    return scalar(() = grep { -e } "$dir/counters", "$dir/main.counters");
}


sub is_tmpfs {
    my ($dir) = @_;

    chomp(my $type = `stat -f -c %T $dir`);

    return $type eq 'tmpfs';
}
