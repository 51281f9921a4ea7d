#!/usr/bin/perl

# The command in another PID namespace than nginx: on the host or in a sidecar,
# beside a container.  It works, and is refused where a process of nginx has its
# own process id there.  So is a worker of another nginx, as in a second pod on
# the same volume: it serves, says why, and recovers when the first one is gone.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Connection;
use Referral::Counts qw(summary);
use Referral::Test qw(wait_until);


my @unshare = qw(unshare --pid --fork);
my $last = '/proc/sys/kernel/ns_last_pid';

plan skip_all => 'PID namespaces are not allowed here'
    if system("@unshare sh -c 'echo 100 > $last' 2>/dev/null") != 0;

my $page = 'https://blog.example/2024/launch';

my $t = Referral::Test->new(workers => 1, http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;

        location / {
            referral main;
            return 200;
        }

        location /status {
            referral_status main;
        }
    }
CONF

$t->start;
ok(wait_until(sub { summary($t)->{health}{registry} eq 'ok' }, 30),
   'nginx has its registry');

my ($worker) = $t->worker_pids;

# Another id than all of nginx's have.

my ($exit, $out, $err) = elsewhere(free_pid(), 'add', $page);

is("$exit|$err", '0|', 'from another namespace a link is registered');
like($out, qr/^[0-9a-f]{16}$/, 'and its key is told');

ok(wait_until(sub {
    $t->get('/', Referer => $page);
    return summary($t)->{outcomes}{matched} > 0;
}, 30), 'nginx knows it');

for my $command (['list'], ['check'], ['history', 'all']) {
    ($exit, $out, $err) = elsewhere(free_pid(), @$command);
    is("$exit|$err", '0|', "$command->[0] works") or diag($out);
}

# The id of a worker.

for my $command (['list'], ['add', 'b.example'], ['rm', '00'],
                 ['match', $page], ['export'])
{
    ($exit, $out, $err) = elsewhere($worker, @$command);

    is("$exit|$out", '1|', "$command->[0] with a worker's id is refused");
    like($err, qr/^referralctl: \S+: .* another PID namespace/,
         'and why is said');
    like($err, qr/ the same id, $worker, /, 'with the id');
}

($exit, $out) = elsewhere($worker, 'check');
is($exit, 1, 'check is refused');
like($out, qr/PID namespace/, 'and why is a fault of its list');

is($t->get('/', Referer => $page)->{status}, 200, 'nginx serves as it did');
is(summary($t)->{health}{registry}, 'ok', 'its registry is open');

# Another nginx, whose worker has the id of the first one's.

my $second = spawn_second($worker);

END {
    my $status = $?;
    kill 'KILL', $second if defined $second;
    $? = $status;
}

ok(wait_until(sub { (second('/')->{status} // 0) == 200 }, 30),
   'the second nginx serves');
ok(wait_until(sub { health_of_second() =~ /another PID namespace.*$worker/ },
              30),
   'its health says that a process has the same id');

$t->stop;

ok(wait_until(sub { health_of_second() eq 'ok' }, 30),
   'it has the registry as soon as the first one is gone');

my $matched = second_summary()->{outcomes}{matched};

is(second('/', Referer => $page)->{status}, 200, 'and serves');
ok(wait_until(sub { second_summary()->{outcomes}{matched} == $matched + 1 },
              30), 'and counts');

kill 'KILL', $second;
waitpid $second, 0;
undef $second;
wait_until(sub { !defined IO::Socket::INET->new(
                     PeerAddr => '127.0.0.1:' . $t->port(2)) }, 30);

$t->finish;
done_testing;


# In a namespace of its own, which ends with the process that is returned: a
# shell, the master, and then the worker, one id after the other.

sub spawn_second {
    my ($pid) = @_;

    my $dir = $t->dir;
    my $text = $t->conf_text;
    my ($one, $two) = map { $t->port($_) } 1, 2;

    $text =~ s/listen 127\.0\.0\.1:$one/listen 127.0.0.1:$two/;
    $text =~ s{/nginx\.pid}{/second.pid};
    $text =~ s{/error\.log}{/second.log};

    my $conf = $t->write_file('second.conf', $text);
    my $child = fork() // die "fork: $!\n";

    if ($child == 0) {
        $t->sanitizer_environment;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/second.stdout";
        open STDERR, '>>', "$dir/second.stderr";
        exec @unshare, '--kill-child', 'sh', '-c',
             'echo $(($1 - 2)) > "$2"; shift 2; "$@"; exit $?',
             'sh', $pid, $last, $t->{nginx}, '-e', "$dir/second.log",
             '-p', $dir, '-c', $conf or POSIX::_exit(127);
    }

    return $child;
}


sub second {
    my ($path, %header) = @_;

    return eval {
        my $c = Referral::Connection->new($t->port(2));
        my $answer = $c->request('GET', $path, Connection => 'close', %header);
        $c->close;
        $answer;
    } // {};
}


sub second_summary {
    my $answer = second('/status', Accept => 'application/json');

    return JSON::PP->new->utf8->decode($answer->{body} // '{}');
}


sub health_of_second { return second_summary()->{health}{registry} // '' }


# The command, run in a namespace of its own under this process id.

sub elsewhere {
    my ($pid, @args) = @_;

    return $t->run_command(undef, @unshare, 'sh', '-c',
        'echo $(($1 - 1)) > "$2"; shift 2; "$@"; exit $?',
        'sh', $pid, $last, $t->{ctl}, '-d', $t->registry_dir, @args);
}


sub free_pid {
    my %taken = map { $_ => 1 } $t->session_pids;
    my $pid = 1000;

    $pid++ while $taken{$pid};

    return $pid;
}
