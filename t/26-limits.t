#!/usr/bin/perl

# max_links is reached: no more links are registered, and what has no cell is
# counted as overflow.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of settled summary);
use Referral::Test qw(wait_until);


my $t = Referral::Test->new(http => conf('max_links=3'));

$t->ctl_ok('init');

my @keys = map { $t->ctl_ok('add', "https://blog.example/$_") } 1, 2;

$t->start;

wait_for_flush();
$t->ctl_ok('add', 'https://blog.example/3');

my ($exit, $out, $err) = $t->ctl('add', 'https://blog.example/4');

is($exit, 1, 'the fourth link is refused');
is($out, '', 'it has no key');
like($err, qr/^referralctl: .*3 links .*max_links is 3/, 'which says why');

($exit, $out, $err) = $t->ctl_with("https://blog.example/5\n", 'import', '-');
is($exit, 1, 'an import is refused, too');
like($err, qr/max_links is 3/, 'and says why');
is(registered(), 3, 'there are three');

($exit) = $t->ctl_with("https://blog.example/1\n", 'import', '-');
is($exit, 0, 'what is registered already may be imported');

$t->ctl_ok('rm', $keys[0]);
$t->ctl_ok('add', 'https://blog.example/4');
is(registered(), 3, 'a removed link makes room for another');

# The limit is lowered below what is there, then raised.

$t->set_conf(http => conf('max_links=1'));
$t->reload;
ok(wait_until(sub {
    ($exit, undef, $err) = $t->ctl('add', 'https://blog.example/5');
    return $err =~ /max_links is 1/;
}, 10), 'lowered, it is the limit');
is($exit, 1, 'no more links are registered');
is(registered(), 3, 'and none is removed');

$t->set_conf(http => conf('max_links=10000'));
$t->reload;
ok(wait_until(sub { ($t->ctl('add', 'https://blog.example/5'))[0] == 0 }, 10),
   'raised, there is room');

# Links without a cell: the counter file ends before them.

my $rows = join '', map { "https://many.example/$_\n" } 1 .. 6000;

($exit, undef, $err) = $t->ctl_with($rows, 'import', '-');
is($exit, 0, 'thousands fit') or diag($err);

$t->stop;
unlink $t->shm . '/main.counters';
$t->set_conf(http => conf('max_links=1'));
$t->start;

wait_until(sub { summary($t)->{health}{registry} eq 'ok' }, 10);

my $before = summary($t);

$t->get('/', Referer => 'https://many.example/6000') for 1 .. 5;
$t->get('/', Referer => "https://blog.example/$_") for 2 .. 4;

my $after = settled($t, 8);

is($after->{outcomes}{matched} - $before->{outcomes}{matched}, 8,
   'all are matched');
is($after->{health}{overflow} - $before->{health}{overflow}, 5,
   'those without a cell are overflow');
is($after->{classes}{clicks} - $before->{classes}{clicks}, 8,
   'and in the sums');
ok(wait_until(sub { summary($t)->{health}{counters} =~ /max_links/ }, 10),
   'the status says why');
is_deeply(counters_of($t, $keys[1]), { clicks => 1, clicks_by_page => 1 },
          'those with a cell have their counters');

$t->finish;

done_testing;


sub conf {
    my ($option) = @_;

    return <<"CONF";
    referral_registry main %%DIR%%/referral counters=%%SHM%%/main.counters
                      flush=1s $option;

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { return 200; }
        location /status { referral_status main; }
    }
CONF
}


# The keeper tells the registry its limit before it flushes.

sub wait_for_flush {
    wait_until(sub { defined summary($t)->{health}{flush_age_ms} }, 10)
        or die "there is no flush\n";
}


sub registered {
    return scalar(() = $t->ctl_ok('list', '--format', 'csv')
                       =~ m{https://}g);
}
