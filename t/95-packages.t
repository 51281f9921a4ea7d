#!/usr/bin/perl

# The packages in an empty Debian: a newcomer's five commands to a click that
# is counted, an upgrade under load, removal, and purge.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Root;
use Referral::Test qw(root_dir wait_until);


use constant {
    PAGE   => 'https://blog.example/2024/launch',
    MODULE => '/usr/lib/nginx/modules/ngx_http_referral_module.so',
    LINK   => '/etc/nginx/modules-enabled/50-mod-http-referral.conf',
    PATH   => '/var/lib/nginx/referral',
};

my @packages = qw(libnginx-mod-http-referral referralctl);
my @debs = map { glob root_dir() . "/build/deb/${_}_*.deb" } @packages;

if (@debs != @packages) {
    die "there are no packages: make deb\n" if $ENV{CI};
    plan skip_all => 'there are no packages: make deb';
}

my $r = Referral::Root->new;

newcomer();
upgrade();
broken();
removed();
purged();

$r->finish;

done_testing;


# What README says, to the letter, with the answer "yes" to apt's question.

sub newcomer {
    $r->put($_, '/root/' . (split m{/})[-1]) for @debs;
    $r->write_file('/etc/apt/apt.conf.d/yes',
                   qq{APT::Get::Assume-Yes "true";\n});
    $r->write_file('/usr/local/bin/sudo', qq{#!/bin/sh\nexec "\$@"\n}, 0755);

    my ($commands, $visit) = blocks_of('README.md');

    is(scalar(split /\n/, $commands), 5, 'five commands');

    # as if they were pasted at once
    my ($exit, $said) = $r->run("set -e\n$commands\n$visit");

    is($exit, 0, 'all of them succeed') or diag($said);

    like($said, qr/Welcome to nginx/, 'then a visit');
    counted(1, 'that is counted');
    is($r->run_ok('stat -c "%U %a" ' . PATH), 'www-data 700',
       'the registry belongs to the workers');
    is($r->run_ok('stat -c %U /run/ngx-referral'), 'www-data',
       'the counter file is where it should be');

    like($r->run_ok('curl -s http://127.0.0.1:8089/'),
         qr/"matched":1\b/, 'the status page says so');
    like($r->run_ok("dpkg -s $packages[0]"), qr/^Depends: .*\bnginx-abi-/m,
         'the module depends on the nginx it was built for');
}


# The block of the file with "apt install" in it, and the next one.

sub blocks_of {
    my ($file) = @_;

    open my $f, '<', root_dir() . "/$file" or die "$file: $!\n";
    my $text = do { local $/; <$f> };
    my @blocks = grep { /^    / } split /\n\n+/, $text;

    shift @blocks while @blocks && $blocks[0] !~ /\bapt install /;
    die "$file installs no packages\n" unless @blocks >= 2;

    return map { s/\\\n *//gr } @blocks[0, 1];
}


# A new module must be the one that runs, without a request being lost.

sub upgrade {
    my $old = master();

    $r->run_ok('mkdir -p next');
    $r->run_ok("for deb in ./*.deb; do dpkg-deb -R \$deb tree"
               . " && sed -i '/^Version:/s/\$/+next/' tree/DEBIAN/control"
               . ' && dpkg-deb -b tree next/ && rm -r tree; done');

    my $pid = $r->spawn(visits('until [ -e /tmp/upgraded ]'), '/tmp/visits');
    my $said = $r->run_ok('apt-get -q install ./next/*.deb');

    $r->write_file('/tmp/upgraded', '');
    waitpid $pid, 0;

    like($said, qr/0 newly installed/, 'it is an upgrade');
    like($r->run_ok("dpkg -s $packages[0]"), qr/^Version: .*\+next$/m,
         'to a higher version');

    my @answers = split /\n/, $r->read_file('/tmp/visits');

    cmp_ok(scalar @answers, '>', 10, 'there are visitors meanwhile');
    is_deeply([ grep { $_ ne '200' } @answers ], [], 'all are served');
    isnt(master(), $old, 'a new nginx runs');
    ok(wait_until(sub { mapped(master()) eq file_of(MODULE) }, 30),
       'with the new module');
    ok(wait_until(sub { !alive($old) }, 60),
       'the old one is gone');
    counted(1 + @answers, 'and every visit is counted');
}


# dpkg-reconfigure does what an upgrade does at its end.

sub broken {
    my $old = master();

    $r->write_file('/etc/nginx/conf.d/broken.conf', "nonsense;\n");

    my $said = $r->run_ok("dpkg-reconfigure $packages[0]");

    like($said, qr/still has the old module: restart it/,
         'a configuration that does not work is said');
    is(master(), $old, 'the nginx that runs is left as it is');
    like($r->run_ok('curl -s http://127.0.0.1/'), qr/Welcome to nginx/,
         'and serves');
    unlink $r->dir . '/etc/nginx/conf.d/broken.conf';
}


# The module is gone, its configuration is not: nginx serves on, and what was
# counted is there when the module is back.

sub removed {
    my $before = clicks();

    $r->run_ok("apt-get -q remove @packages");

    ok(!-e $r->dir . MODULE, 'the module is removed');
    ok(!-l $r->dir . LINK, 'and not enabled');
    like($r->run_ok('curl -s http://127.0.0.1/'), qr/Welcome to nginx/,
         'nginx serves on');
    ok(-s $r->dir . PATH . "/$_/data.mdb", "the $_ is kept")
        for qw(registry ledger);

    $r->run_ok('apt-get -q install ./next/*.deb');
    ok(-l $r->dir . LINK, 'installed again, it is enabled');
    $r->run_ok('service nginx restart');
    counted($before, 'and all clicks are there');
    is(visit(), '200', 'a further visit');
    counted($before + 1, 'is counted, too');
}


# Links and counts are the user's, and no package's.

sub purged {
    $r->run_ok('rm /etc/nginx/conf.d/referral.conf');

    my $said = $r->run_ok("apt-get -q purge @packages");

    like($said, qr/\Q${\PATH}\E/, 'purge says what it leaves');
    ok(-s $r->dir . PATH . "/$_/data.mdb", "the $_ is kept")
        for qw(registry ledger);
    is($r->run_ok('find /etc /usr /lib /var/lib/dpkg/info'
                  . ' -name "*referral*" -o -name "*referralctl*"'), '',
       'nothing else is');
    is($r->run_ok('dpkg -l | grep -c referral || true'), 0,
       'dpkg knows nothing of them');
    like($r->run_ok('curl -s http://127.0.0.1/'), qr/Welcome to nginx/,
         'nginx serves on');
    $r->run_ok('nginx -t -q && service nginx restart');

    # what the documentation warns of
    $r->run_ok('apt-get -q purge nginx nginx-common');
    ok(!-e $r->dir . PATH, "nginx's own purge takes all below its directory");
}


# A request is counted a moment after it was answered.

sub counted {
    my ($wanted, $name) = @_;

    wait_until(sub { clicks() >= $wanted }, 30);
    is(clicks(), $wanted, $name);
}


sub clicks {
    my ($exit, $said) = $r->run('referralctl --json list');

    die "referralctl: exit $exit: $said\n" if $exit != 0;

    my $links = JSON::PP->new->utf8->decode($said)->{links};

    return $links->[0]{counters}{clicks};
}


# Status after status of a click, as a browser would be answered.

sub visits {
    my ($loop) = @_;

    return "$loop; do curl -s -o /dev/null -w '%{http_code}\\n' --max-time 30"
           . " -A 'Mozilla/5.0 (demo)' -H 'Accept: text/html' -e ${\PAGE}"
           . ' http://127.0.0.1/; done';
}


sub visit {
    return $r->run_ok(visits('for i in once'));
}


sub master {
    chomp(my $pid = $r->read_file('/run/nginx.pid'));

    return $pid;
}


sub alive {
    my ($pid) = @_;

    my ($exit) = $r->run("kill -0 $pid");

    return $exit == 0;
}


# Inode numbers: of the module that a process has mapped, and of a file.

sub mapped {
    my ($pid) = @_;

    my (undef, $said) = $r->run("awk '\$6 == \"${\MODULE}\" { print \$5 }'"
                                . " /proc/$pid/maps | sort -u");
    chomp $said;

    return $said;
}


sub file_of {
    my ($path) = @_;

    return (stat $r->dir . $path)[1];
}
