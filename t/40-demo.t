#!/usr/bin/perl

# "make run" and "make stop" without the building: tools/demo on a copy of the
# tree, which a port that is taken does not hurt and which leaves nothing.

use strict;
use warnings;

use File::Copy qw(copy);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Connection;
use Referral::Test qw(wait_until);


my $t = Referral::Test->new;             # its directory, ports and programs
my $root = $t->dir . '/clone';
my $demo = "$root/tools/demo";
my $page = 'https://blog.example/2024/launch';
my ($port, $other, $taken) = map { $t->port($_) } 1 .. 3;

copy_tree();

my $uid = (stat $root)[4];

END {
    my $status = $?;
    system $demo, 'stop' if -e $demo;
    $? = $status;
}

# What is no port.

for my $text ('abc', '0', '65536', '-1', '8088x', '') {
    my ($exit, undef, $err) = $t->run_command(undef, $demo, 'start', $text);

    is($exit, 1, "PORT=$text is refused");
    is($err, "demo: PORT=$text is no port number\n", 'and why is said');
}

ok(!-e "$root/run", 'nothing was made');

# A port that is taken.

my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$taken",
                                     Listen => 5)
    or die "port $taken: $!\n";

refused('another program has it');
ok(!-e "$root/run", 'nothing was made');

# The demo, and what it says.

my @lines = started($port);

is(scalar @lines, 3, 'three lines are printed');
has_clicks($port, 0, 'there are no clicks yet');
is(shell($lines[0]), "<h1>Pricing</h1>\n", 'the first is a click');
has_clicks($port, 1, 'that is counted');
like(shell($lines[1]), qr/^\{"registry":"demo",/, 'the second the status');
is($lines[2], 'make stop', 'the third how to stop');

is_deeply([ map { get($port, $_)->{status} } qw(/ /pricing /old /none) ],
          [ 200, 200, 301, 404 ], 'the pages of the demo');

{
    local $ENV{http_proxy} = "http://127.0.0.1:$taken";
    local $ENV{no_proxy} = '';

    @lines = started($port);
    is(shell($lines[0]), "<h1>Pricing</h1>\n",
       'a proxy in the environment is passed by');
}

has_clicks($port, 2, 'started again, it kept its counts');

my $master = master();

refused('a port that is taken');
is(master(), $master, 'then the running demo stays');
has_clicks($port, 2, 'with its counts');

started($other);
isnt(master(), $master, 'on another port it is started anew');
has_clicks($other, 2, 'with its counts');
ok(!answers($port), 'and the old port is free');

$master = master();
cmp_ok(scalar session($master), '>=', 4, 'master, workers and keeper run');
ok(-e counters($other), 'it has a counter file');

my ($exit, undef, $err) = $t->run_command(undef, $demo, 'stop');

is($exit, 0, 'it is stopped') or diag($err);
is_deeply([ session($master) ], [], 'no process is left');
is_deeply([ map { glob counters($_) . '*' } $port, $other, $taken ], [],
          'no counter file is left');

($exit) = $t->run_command(undef, $demo, 'stop');
is($exit, 0, 'it may be stopped twice');

$t->finish;

done_testing;


# The owner of a clone need not be who starts the demo.

sub copy_tree {
    my $from = Referral::Test::root_dir();

    mkdir "$root" or die "$root: $!\n";

    for my $dir (qw(tools share build)) {
        mkdir "$root/$dir" or die "$root/$dir: $!\n";
    }

    for my $file (qw(tools/demo share/demo.conf.in share/demo.csv
                     build/referralctl build/ngx_http_referral_module.so))
    {
        copy("$from/$file", "$root/$file") or die "$from/$file: $!\n";
        chmod 0755, "$root/$file";
    }

    $t->give_to_worker($root, map { glob "$root/$_" } qw(* */*));
}


sub started {
    my ($at) = @_;

    my ($code, $out, $said) = $t->run_command(undef, $demo, 'start', $at);

    is($code, 0, "the demo starts on port $at") or diag($said);

    return split /\n/, $out;
}


sub refused {
    my ($name) = @_;

    my ($code, $out, $said) = $t->run_command(undef, $demo, 'start', $taken);

    is($code, 1, "$name: it does not start");
    is($out, '', "$name: nothing is printed to try");
    like($said, qr/^demo: port $taken is taken .*make run PORT=\d+$/,
         "$name: another one is proposed");
}


sub shell {
    my ($line) = @_;

    my (undef, $out) = $t->run_command(undef, 'bash', '-c', $line);

    return $out;
}


sub get {
    my ($at, $path, %header) = @_;

    my $c = Referral::Connection->new($at);
    my $answer = $c->request('GET', $path, Connection => 'close', %header);
    $c->close;

    return $answer;
}


# Another worker may count a moment after the answer.

sub has_clicks {
    my ($at, $count, $name) = @_;

    wait_until(sub { clicks($at) >= $count }, 20);
    Time::HiRes::sleep(0.2);
    is(clicks($at), $count, $name);
}


sub clicks {
    my ($at) = @_;

    my $body = get($at, '/referral_status',
                   Accept => 'application/json')->{body};

    return JSON::PP->new->utf8->decode($body)->{clicks}{matched};
}


sub answers {
    my ($at) = @_;

    return defined IO::Socket::INET->new(PeerAddr => "127.0.0.1:$at");
}


sub master {
    my ($pid) = $t->read_file("$root/run/nginx.pid") =~ /^(\d+)$/
        or die "the demo has no pid file\n";

    return $pid;
}


sub counters {
    my ($at) = @_;

    return "/dev/shm/ngx-referral-$uid-$at.counters";
}


# The processes of a session, which nginx's master leads.

sub session {
    my ($leader) = @_;

    my @pids = map { $_->[0] } grep { $_->[2] == $leader }
               Referral::Test::processes();

    return @pids;
}
