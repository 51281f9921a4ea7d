#!/usr/bin/perl

# A foreign writer holds LMDB's writer lock on registry and ledger, a bulk
# import say.  Nobody waits for it: nginx starts, serves, counts, reloads and
# ends, and when the lock is free again nothing is missing.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of settled sum summary);
use Referral::Hold;
use Referral::Test qw(wait_until SLOWER);


use constant {
    DELAY => SLOWER,             # seconds a writer may cost at the most
    EXIT => 2.5 * SLOWER,        # seconds; nginx kills after about 3.15
};

my $t = Referral::Test->new(workers => 2, keep_ports => 1, http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;
        referral main;
        location / { return 200; }
        location /status { referral_status main; }
    }
CONF

my $page = 'https://blog.example/page';
my @writers;
my ($sent, $total) = (0, 0);

$t->ctl_ok('init');

my $key = $t->ctl_ok('add', $page);

# Undisturbed, to compare with.

my $start = timed(sub { $t->start });

visit();
check('at first');
wait_until(sub { -e $t->registry_dir . '/ledger/data.mdb' }, 20);

my $reload = timed(\&reload);
my $stop = timed(sub { $t->stop });

note(sprintf 'undisturbed: start %.2f s, reload %.2f s, stop %.2f s', $start,
     $reload, $stop);

# A start.

hold();
not_slower('a start', $start, sub { $t->start });
visit();
check('a start');
can_be_read('registry', 'ledger');

# Reloads.

not_slower('a reload', $reload, \&reload);
visit();
check('a reload');
not_slower('another reload', $reload, \&reload);
visit();
check('another reload');
ok(wait_until(sub { !old_processes() }, 10),
   'the old processes leave, though the keeper cannot flush');

# The last process out cannot flush either.

leaves('the end');

# A start without the writer, and without a visitor.

release();
$t->start;
check('the next start');
flushed();

# As long as the counter file is there, nothing depends on the ledger; now it
# does: what was counted under the lock must have got into it.

visit();
flushed();
hold('ledger');
visit();
leaves('the end, with the ledger held');
release();
$t->start;
check('the start after that');
flushed();
$t->stop;
unlink $t->shm . '/main.counters' or die;
$t->start;
check('a reboot');

# In haste: SIGTERM.

hold();
visit();
leaves('a stop in haste', 'TERM');
release();
$t->start;
check('the start after it');

# The lock is freed while nginx runs.

hold();
$t->reload;
visit();
release();
flushed();
check('a writer that ends');

# A writer that is killed leaves a lock without an owner.

hold();
visit();
release('KILL');
flushed();
check('a writer that is killed');

$t->finish;

done_testing;


sub timed {
    my ($function) = @_;

    my $from = time;
    $function->();

    return time - $from;
}


sub not_slower {
    my ($name, $usual, $function) = @_;

    my $took = timed($function);

    note(sprintf '%s: %.2f s', $name, $took);
    cmp_ok($took, '<', $usual + DELAY, "$name: nobody waits for the writer");
    is($t->get('/', Referer => $page)->{status}, 200, "$name: nginx serves");
    $sent++;
    $total++;
}


# Until the new workers serve; the old ones may take their time.

sub reload {
    my %old = map { $_ => 1 } $t->worker_pids;

    $t->signal('HUP');
    wait_until(sub {
        my @workers = $t->worker_pids;
        return @workers == 2 && !grep { $old{$_} } @workers;
    }, 20) or die "nginx did not reload\n";
}


sub old_processes {
    return grep { $_->[3] =~ /shutting down/ && $t->{sessions}{$_->[2]} }
           $t->processes;
}


sub leaves {
    my ($name, $signal) = @_;

    my $took = timed(sub {
        is($t->stop($signal), 0, "$name: nginx ends with 0");
    });

    note(sprintf '%s: %.2f s', $name, $took);
    cmp_ok($took, '<', EXIT, "$name: in time");
}


sub visit {
    my $result = $t->load(requests => [ [ '/', Referer => $page ], [ '/' ] ],
                          count => 500, connections => 2, depth => 10);

    $sent += $result->{answered}[0];
    $total += $result->{total};
}


sub check {
    my ($name) = @_;

    my $summary = settled($t, $total);

    is(sum($summary->{outcomes}), $total, "$name: all requests are counted");
    is($summary->{outcomes}{matched}, $sent, "$name: and matched");
    is(counters_of($t, $key)->{clicks}, $sent,
       "$name: the link has its clicks");
}


# A flush that begins after now.

sub flushed {
    my $from = time;

    ok(wait_until(sub {
        my $asked = time;
        my $age = summary($t)->{health}{flush_age_ms};
        return defined $age && $age < ($asked - $from) * 1000;
    }, 20), 'there is a flush');
}


sub can_be_read {
    my (@parts) = @_;

    my $health = summary($t)->{health};

    is($health->{$_}, 'ok', "health: the $_ can be read meanwhile") for @parts;
}


# Writers of the environments named, or of both, until release().

sub hold {
    my (@parts) = @_ ? @_ : qw(registry ledger);

    push @writers, map { Referral::Hold->new($t, $_) } @parts;
}


sub release {
    my ($signal) = @_;

    $_->release($signal) for splice @writers;
}
