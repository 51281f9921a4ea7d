#!/usr/bin/perl

# Without a master process, one process is worker and keeper at once.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes ();

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of counted settled summary);
use Referral::Test qw(wait_until);


my $t = Referral::Test->new(user => undef, single => 1,
                            main => "master_process off;\n",
                            http => <<'CONF');
    %%REGISTRY%%
    referral_registry other %%DIR%%/other counters=%%SHM%%/other.counters
                      source=links.csv;

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { return 200; }
        location /status { referral_status main; }
        location /other { referral_status other; }
    }
CONF

my $page = 'https://blog.example/2024/launch';

sub visit {
    $t->get('/', Referer => $page) for 1 .. 10;
}

$t->write_file('links.csv', "source\nnews.example\n");
$t->start;
ok(wait_until(sub { summary($t)->{health}{registry} eq 'ok' }, 10),
   'it makes the registry');
ok(wait_until(sub {
    my $summary = summary($t, '/other');
    return $summary->{links}{registered} == 1
           && $summary->{health}{source} eq 'ok';
}, 30), 'and follows a file');

my $key = $t->ctl_ok('add', $page);

visit();
is(counters_of($t, $key)->{clicks}, 10, 'it counts');

for my $part (qw(registry ledger counters)) {
    ok(wait_until(sub { summary($t)->{health}{$part} eq 'ok' }, 20),
       "$part: ok")
        or diag(summary($t)->{health}{$part});
}

ok(wait_until(sub { (summary($t)->{health}{flush_age_ms} // 1e9) < 2000 }, 10),
   'it flushes');

$t->restart;
is(counters_of($t, $key)->{clicks}, 10, 'totals come back');
visit();
$t->stop;
unlink $t->shm . '/main.counters' or die;
$t->start;
ok(wait_until(sub { summary($t)->{health}{ledger} eq 'ok' }, 10),
   'the ledger is opened');
is(counters_of($t, $key)->{clicks}, 20, 'also without the counter file');

# nginx itself serves no longer after a reload without a master (1.22 does
# not put its sockets to the new configuration); the totals have to survive.

visit();
$t->signal('HUP');
ok(wait_until(sub { $t->error_log =~ /reconfiguring/ }, 10), 'a reload');
Time::HiRes::sleep(1.5);
is($t->stop, 0, 'it leaves in order');
$t->start;
is(counters_of($t, $key)->{clicks}, 30, 'with all totals');

my @lines = grep { /\[error\]/ } split /\n/, $t->error_log;

is_deeply(\@lines, [], 'and the log has no error');

$t->finish;

done_testing;
