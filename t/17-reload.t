#!/usr/bin/perl

# Reloads under load: each request is counted once, no number is ever seen to
# go back, and what the new configuration says is so from then on.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted counters_of flat link_of links_of settled sum
                        summary);
use Referral::Test qw(wait_until);


my $http = <<'CONF';
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;
        referral main;
        location / { return 200; }
        location = /gone { return 410; }
        location /status { referral_status main; }
    }
CONF

my $t = Referral::Test->new(workers => 2, daemon => 1, http => $http);

$t->ctl_ok('init');

my @pages = map { "https://blog.example/$_" } 1 .. 5;
my @keys = map { $t->ctl_ok('add', $_) } @pages;

$t->ctl_ok('add', 'https://twins.example/1', '--target', '/');
my $twin = $t->ctl_ok('add', 'https://twins.example/2', '--target', '/');

my @requests = (
    (map { [ '/', Referer => $_ ] } @pages),
    [ '/', Referer => 'https://twins.example/' ],
    [ '/' ],
    [ '/', Referer => 'https://x.example/' ],
    [ '/gone', Referer => $pages[0] ],
    [ '/', Referer => 'http://localhost/' ],
);

$t->start;

# The sums of all clients so far, by request.

my @sent = (0) x @requests;
my ($total, $backwards) = (0, 0);
my $last = flat(summary($t));

# Runs the function while requests are sent; watches all numbers.

sub under_load {
    my ($name, $function) = @_;

    my $load = Referral::Load::start(port => $t->port, count => 30_000,
                                     requests => \@requests,
                                     connections => 3, lost => 'resend');

    $function->();
    watch() for 1 .. 5;

    my $result = Referral::Load::finish($load);

    $sent[$_] += $result->{answered}[$_] for 0 .. $#requests;
    $total += $result->{total};

    check($name);
}

sub watch {
    my $now = flat(summary($t));

    $backwards++ for grep { $now->{$_} < $last->{$_} } keys %$now;
    $last = $now;
}

sub check {
    my ($name) = @_;

    my $summary = settled($t, $total);
    my @clicks = map { counters_of($t, $_)->{clicks} } @keys;

    is_deeply(\@clicks, [ @sent[0 .. 4] ], "$name: the clicks of each link");
    is_deeply({ map { $_ => $summary->{outcomes}{$_} }
                qw(ambiguous direct unregistered internal) },
              { ambiguous => $sent[5], direct => $sent[6],
                unregistered => $sent[7], internal => $sent[9] },
              "$name: the other outcomes");
    is(counters_of($t, $keys[0])->{errors_4xx}, $sent[8],
       "$name: the errors");
    is(sum($summary->{outcomes}), $total, "$name: nothing more");
    is(link_of($t, $twin)->{groups}[0]{clicks}, $sent[5],
       "$name: the group");
    watch();
}

under_load('one reload', sub { $t->reload });

under_load('three reloads', sub {
    for (1 .. 3) {
        watch();
        $t->reload;
        watch();
    }
});

$t->set_conf(workers => 4);
under_load('more workers', sub { $t->reload });
is(scalar $t->worker_pids, 4, 'there are more');

$t->set_conf(workers => 1);
under_load('fewer workers', sub { $t->reload });
is(scalar $t->worker_pids, 1, 'there are fewer');

under_load('a binary upgrade', sub {
    my $old = $t->upgrade;
    watch();
    $t->signal('QUIT', $old);
    wait_until(sub { !-e $t->dir . '/nginx.pid.oldbin' }, 20);
});

is($backwards, 0, 'no number was seen to go back');

# A new configuration is in force.

(my $changed = $http) =~ s/referral main;/referral main;
        referral_own_hosts x.example;/;

$t->set_conf(http => $changed);
$t->reload;
is_deeply(counted($t, sub { $t->get('/', Referer => 'https://x.example/') }),
          { internal => 1 }, 'own hosts that were added');

($changed = $http) =~ s/(%%REGISTRY%%)/$1
    referral_registry second %%DIR%%\/second
                      counters=%%SHM%%\/second.counters flush=1s;/;
$changed =~ s{location / .*}{location / { referral second; return 200; }
        location /second { referral_status second; }};

$t->set_conf(http => $changed);
$t->reload;
ok(wait_until(sub { summary($t, '/second')->{health}{registry} eq 'ok' }, 20),
   'a registry that was added is made');
is_deeply(counted($t, sub {
              $t->get('/', Referer => $pages[0]);
          }, 1, '/second'), { unregistered => 1, 'clicks.unregistered' => 1 },
          'and counts');

$t->set_conf(http => $http);
$t->reload;

my $alone = counted($t, sub { $t->get('/', Referer => $pages[0]) });

is($alone->{exact}, 1, 'a registry that was removed takes nothing along');

# A configuration nginx refuses changes nothing.

$t->expect_log(qr/unknown referral registry "nowhere"/);
$t->write_file('nginx.conf', do {
    (my $text = $t->conf_text) =~ s/referral main/referral nowhere/;
    $text;
});
$t->signal('HUP');
ok(wait_until(sub { $t->error_log =~ /unknown referral registry/ }, 10),
   'a configuration that is wrong is refused');
is(counted($t, sub { $t->get('/', Referer => $pages[0]) })->{exact}, 1,
   'and nginx goes on counting');

$t->finish;

done_testing;
