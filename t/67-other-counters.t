#!/usr/bin/perl

# A reload names another counter file while an old worker goes on: what is in
# the first one is in the totals at once, also when that worker is killed.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of settled sum summary);
use Referral::Test qw(wait_until);


my $page = 'https://blog.example/2024/launch';
my $t = Referral::Test->new(http => conf('main'));

$t->ctl_ok('init');

my $key = $t->ctl_ok('add', $page);

$t->write_file('html/large', 'x' x 20_000_000);
$t->start;
ok(wait_until(sub { (summary($t)->{health}{flush_age_ms} // -1) >= 0 }, 10),
   'the first flush, of nothing; the next one is in an hour');

$t->get('/', Referer => $page) for 1 .. 50;
is(counters_of($t, $key)->{clicks}, 50, 'clicks that are not flushed');

# An old worker that cannot leave.

my ($old) = $t->worker_pids;
my $slow = $t->connection;

$slow->send("GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            . "Referer: $page\r\nAccept: text/html\r\n"
            . "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/156\r\n"
            . "Connection: close\r\n\r\n");
is($slow->read_head(time + 30)->{status}, 200, 'whose answer has begun');

$t->set_conf(http => conf('other'));
$t->signal('HUP');
ok(wait_until(sub { grep { $_ != $old } $t->worker_pids }, 10),
   'a new worker');
ok(wait_until(sub { -e $t->shm . '/other.counters' }, 10),
   'with another counter file');

my @seen = map { sleep 0.05; counters_of($t, $key)->{clicks} // 0 } 1 .. 40;

is_deeply([ grep { $_ < 50 } @seen ], [], 'the clicks are there all the time')
    or diag("@seen");
ok(kill(0, $old), 'while the old worker lives');

$t->get('/', Referer => $page) for 1 .. 7;
is(counters_of($t, $key)->{clicks}, 57, 'and the new ones');

$t->expect_log(qr/worker process $old exited on signal 9/);
kill 'KILL', $old;
ok(wait_until(sub { !kill 0, $old }, 10),
   'the old worker is killed');
is(counters_of($t, $key)->{clicks}, 57, 'nothing is lost with it');

$slow->close;
$t->restart;
is(counters_of($t, $key)->{clicks}, 57, 'nor by a stop');

unlink glob $t->shm . '/*.counters' or die;
$t->restart;
is(sum(settled($t, 57)->{outcomes}), 57, 'the ledger has it all');
is(counters_of($t, $key)->{clicks}, 57, 'of the link, too');

$t->finish;

done_testing;


sub conf {
    my ($name) = @_;

    return <<"CONF";
    referral_registry main %%DIR%%/referral flush=1h
                      counters=%%SHM%%/$name.counters;

    server {
        listen 127.0.0.1:%%PORT%%;
        location / { referral main; return 200; }
        location /large { referral main; limit_rate 20k; root %%DIR%%/html; }
        location /status { referral_status main; }
    }
CONF
}
