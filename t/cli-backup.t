#!/usr/bin/perl

# backup and compact: copies made while nginx counts and links are added, that
# can be restored under a running nginx, and then counting goes on.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled sum);
use Referral::Test qw(wait_until);


my $json = JSON::PP->new->utf8;

my $t = Referral::Test->new(http => <<'CONF', workers => 2);
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;

        location / { return 200 "page\n"; }
        location /status { referral_status main; }
    }
CONF

my $dir = $t->dir;
my $path = $t->registry_dir;

# Wrong usage, and places that will not do.

for my $command (qw(backup compact)) {
    my ($exit, $out, $err) = $t->ctl($command);
    is("$exit|$out", '2|', "$command without DIR is wrong usage");
    like($err, qr/^referralctl: $command: where to\?/m, 'and it says so');

    ($exit, $out, $err) = $t->ctl($command, 'a', 'b');
    is("$exit|$out", '2|', "$command to two places is wrong usage");

    ($exit, $out, $err) = $t->ctl($command, "$dir/none/copy");
    is($exit, 1, "$command of no registry fails");
    like($err, qr/there is no registry yet/, 'and it says so');
    ok(!-e "$dir/none", 'nothing is made');
}

$t->ctl_ok('init');
my @keys = map { $t->ctl_ok('add', "https://blog.example/$_") } 1 .. 20;

# Before anything was counted.

is(answer('backup', "$dir/first")->{path}, "$dir/first", 'a first backup');
is_deeply([ sources("$dir/first") ], [ sources($path) ], 'has the links');

my ($exit, $out, $err) = $t->ctl('backup', "$dir/first");
is("$exit|$out", '1|', 'a directory that is not empty is refused');
like($err, qr{^referralctl: \Q$dir\E/first: it is not empty}m, 'by name');

$t->write_file('file', '');
($exit, $out, $err) = $t->ctl('backup', "$dir/file");
is("$exit|$out", '1|', 'a file is refused');
like($err, qr/: it is no directory$/m, 'and it says so');

($exit, $out, $err) = $t->ctl('backup', "$dir/no/where");
is("$exit|$out", '1|', 'a directory in none is refused');
like($err, qr/: cannot be made: No such file or directory$/m,
     'and it says so');

mkdir "$dir/target" or die;
symlink "$dir/target", "$dir/symlink" or die;
($exit, $out, $err) = $t->ctl('backup', "$dir/symlink");
is("$exit|$out", '1|', 'a symbolic link is refused');

($exit, $out, $err) = $t->ctl('backup', "$dir/symlink//");
is("$exit|$out", '1|', 'also with slashes behind it');
is_deeply([ glob "$dir/target/*" ], [], 'and nothing is written there');

# A disk that is full leaves nothing behind.

SKIP: {
    skip 'only root can mount', 7 if $> != 0;

    mkdir "$dir/small" or die;
    skip 'no tmpfs can be mounted', 7
        if !eval { $t->mount_tmpfs("$dir/small", '16k'); 1 };

    ($exit, $out, $err) = $t->ctl('backup', "$dir/small/copy");
    is("$exit|$out", '1|', 'a full disk fails');
    like($err, qr/(?:disk is full|No space left)/, 'and it says so');
    ok(!-e "$dir/small/copy/registry/data.mdb", 'no copy is left');
    ok(!-e "$dir/small/copy", 'nor a directory');

    mkdir "$dir/small/given" or die;
    chmod 0755, "$dir/small/given";
    chown 1, 1, "$dir/small/given";

    is(($t->ctl('backup', "$dir/small/given"))[0], 1, 'nor fits one there');
    is(sprintf('%d %d %o', (stat "$dir/small/given")[4, 5, 2]), '1 1 40755',
       'its owner and mode are what they were');
    is_deeply([ glob "$dir/small/given/*" ], [], 'and it is empty');

    $t->unmount("$dir/small");
}

# While nginx counts, and while others write.

$t->start;
my $sent = 0;

visit($_) for (1 .. 20) x 3;
settled($t, $sent);
ok(wait_until(sub { flushed() >= 60 }, 20), 'what was sent is in the ledger');

my $writer = fork() // die "fork: $!\n";

if ($writer == 0) {
    for my $i (1 .. 60) {
        quiet('add', "https://more.example/$i");
        quiet('rm', $keys[19]) if $i == 30;
    }

    POSIX::_exit(0);
}

for my $i (1 .. 5) {
    for my $command (qw(backup compact)) {
        my $to = "$dir/$command$i";

        visit($_) for 1 .. 20;

        my $answer = answer($command, $to);

        is($answer->{registry}{bytes}, -s "$to/registry/data.mdb",
           "$command $i: its size is told");
        sound($to, "$command $i");
        is_deeply([ modes($to) ], [ modes($path) ],
                  "$command $i: owner and modes are PATH's");
        is(scalar(grep { /^https:\/\/blog/ } sources($to)) >= 19, 1,
           "$command $i: the links are there");
        cmp_ok(clicks($to, $keys[0]), '>=', 3,
               "$command $i: and what was stored");
    }
}

waitpid $writer, 0;
is($?, 0, 'the writer has ended');

# A compact copy has no free pages: as many links again are gone.

$t->ctl_with(join('', map { "https://bulk.example/$_\n" } 1 .. 3000),
             'import', '-');
my @bulk = map { $_->{key} } grep { $_->{source} =~ /bulk/ } links($path);
$t->ctl_ok('rm', @bulk[0 .. 999]);
$t->ctl_ok('rm', @bulk[1000 .. 1999]);
$t->ctl_ok('rm', @bulk[2000 .. 2999]);

my $compact = answer('compact', "$dir/small-copy");
cmp_ok($compact->{registry}{bytes}, '<',
       $compact->{registry}{bytes_before} * 0.8, 'compact is smaller');
is($compact->{registry}{bytes_before}, -s "$path/registry/data.mdb",
   'than what it was made of');
sound("$dir/small-copy", 'the compact copy');
is_deeply([ sources("$dir/small-copy") ], [ sources($path) ],
          'with the same links');

# Restored under a running nginx, both kinds, and counting goes on.

for my $copy (qw(backup compact)) {
    my $to = "$dir/restored-$copy";

    settled($t, $sent);
    answer($copy, $to);

    my $later = $t->ctl_ok('add', "https://later-$copy.example/");
    visit(1);

    settled($t, $sent);
    my $before = clicks_live($keys[0]);

    for my $env (qw(ledger registry)) {
        rename "$to/$env/data.mdb", "$path/$env/data.mdb" or die "$env: $!\n";
    }

    ok(wait_until(sub {
        my ($exit, undef) = $t->ctl('show', $later);
        my $health = $t->get_json('/status')->{health};

        return $exit == 1 && $health->{registry} eq 'ok'
               && $health->{ledger} eq 'ok';
    }, 30), "$copy: nginx has taken it up");

    ok(wait_until(sub {
        return $t->get('/status/links/' . $later)->{status} == 404;
    }, 30), "$copy: a link that was added since is not known");

    # A worker that waits for the other one to leave the old files knows no
    # link meanwhile, and counts what it gets as unregistered.

    my $unknown = unregistered();

    visit(1) for 1 .. 5;
    settled($t, $sent);

    is(clicks_live($keys[0]) + unregistered() - $unknown, $before + 5,
       "$copy: no click was lost, and none counted twice");

    ok(wait_until(sub {
        my $clicks = clicks_live($keys[0]);

        visit(1) for 1 .. 5;
        settled($t, $sent);

        return clicks_live($keys[0]) == $clicks + 5;
    }, 30), "$copy: all workers know the links");

    is(sum($t->get_json('/status')->{outcomes}), $sent,
       "$copy: nor any other request");

    ok(wait_until(sub { flushed() >= $sent }, 20),
       "$copy: it is stored in the new ledger");
    sound($path, "$copy, in its place,");
}

$t->finish;
done_testing;


sub visit {
    my ($i) = @_;

    $t->get('/', Referer => "https://blog.example/$i");
    $sent++;
}


# Beside the other process, whose output has its own files.

sub quiet {
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec $t->{ctl}, '-d', $path, @_ or POSIX::_exit(127);
    }

    waitpid $pid, 0;
}


sub answer {
    my ($command, $to) = @_;

    return $json->decode($t->ctl_ok($command, $to, '--json'));
}


sub on {
    my ($at, @args) = @_;

    my ($exit, $out, $err) = $t->run_command(undef, $t->{ctl}, '-d', $at,
                                             @args);

    die "referralctl -d $at @args: exit $exit: $out$err\n" if $exit != 0;

    return $json->decode($out);
}


sub links { return @{ on($_[0], 'list', '--json')->{links} } }
sub sources { return sort map { $_->{source} } links($_[0]) }


sub sound {
    my ($at, $what) = @_;

    my $answer = eval { on($at, 'check', '--json') };

    is_deeply($answer && $answer->{faults}, [], "$what is sound")
        or diag($@);
}


# In the copy alone: what the counter file has, which PATH's ledger and a
# copy's both name, is left out by what history has.

sub clicks {
    my ($at, $key) = @_;

    my $sum = 0;
    $sum += $_->{counters}{clicks}
        for @{ on($at, 'history', $key, '--json')->{buckets} };

    return $sum;
}


sub unregistered {
    return $t->get_json('/status')->{outcomes}{unregistered};
}


# A worker whose ledger is just being replaced does not answer: 503.

sub clicks_live {
    my ($key) = @_;

    my $answer;

    wait_until(sub {
        $answer = $t->get("/status/links/$key");
        return $answer->{status} == 200;
    }, 20);

    return JSON::PP->new->utf8->decode($answer->{body})->{counters}{clicks};
}


# All requests the history of the ledger has.

sub flushed {
    my $sum = 0;

    $sum += sum($_->{outcomes})
        for @{ on($path, 'history', 'all', '--json')->{buckets} };

    return $sum;
}


# Owner, group and mode of what a copy has.

sub modes {
    my ($at) = @_;

    return map { my @s = stat "$at/$_"; sprintf '%s %d %d %o', $_, @s[4, 5],
                                                $s[2] & 07777 }
           '.', 'registry', 'ledger', 'registry/data.mdb', 'ledger/data.mdb';
}
