#!/usr/bin/perl

# What the command changes is live in every worker at once, with no reload,
# also while traffic flows.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted counters_of link_of links_of settled sum
                        summary);
use Referral::Test qw(wait_until SLOWER);


my $t = Referral::Test->new(workers => 2, http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;
        referral main;
        location / {
            add_header X-Decision "$referral_outcome $referral_name";
            return 200;
        }
        location /status { referral_status main; }
    }
CONF

my $total = 0;

sub decision {
    my ($referer, $landing) = @_;

    $total++;

    return $t->get($landing // '/', Referer => $referer)
             ->{headers}{'x-decision'};
}

# Whichever worker answers: 20 requests, each on its own connection.

sub decisions {
    my %seen;

    $seen{ decision(@_) }++ for 1 .. 20;

    return join ', ', sort keys %seen;
}

my $page = 'https://blog.example/2024/launch';

$t->start;
# The keeper makes it; each worker looks for it once a second.

sub is_ready {
    my $health = summary($t)->{health};

    return $health->{registry} eq 'ok' && $health->{counters} eq 'ok';
}

ok(wait_until(sub { !grep { !is_ready() } 1 .. 20 }, 20),
   'nginx alone makes the registry, and all workers find it');

is(decisions($page), 'unregistered ', 'nothing is registered yet');

my $key = $t->ctl_ok('add', $page, '--name', 'One');

is(decisions($page), 'matched One', 'a link is live when add returns');

$t->ctl_ok('set', $key, 'name=Two');
is(decisions($page), 'matched Two', 'so is a change');
is(link_of($t, $key)->{name}, 'Two', 'also in the status');

my $twin = $t->ctl_ok('add', $page, '--target', '/x');

is(decisions($page, '/x'), 'matched ', 'a second link of the page');
is(decisions($page, '/y'), 'matched Two', 'the first one stays');

$t->ctl_ok('rm', $key);
is(decisions($page), 'matched ', 'a removed link leaves the other one alone');
$t->ctl_ok('rm', $twin);
is(decisions($page), 'unregistered ', 'when both are removed, none is there');
is($t->get("/status/links/$key")->{status}, 404, 'nor in the status');

is($t->ctl_ok('add', $page, '--name', 'Three'), $key, 'it has its old key');
is(decisions($page), 'matched Three', 'added again it is live');
settled($t, $total);
is(counters_of($t, $key)->{clicks}, 80, 'with its old totals');

$t->ctl_ok('add', 'domain.example', '--match-type', 'domain',
           '--name', 'Domain');
is(decisions('https://a.b.domain.example/x'), 'matched Domain',
   'the first domain link');
$t->ctl_ok('add', 'https://sub.domain.example/a/b', '--match-type', 'prefix',
           '--name', 'Prefix');
is(decisions('https://sub.domain.example/a/b/c'), 'matched Prefix',
   'the first link of a host under it');
is(decisions('https://sub.domain.example/a/c'), 'matched Domain',
   'beside it the domain is there');

my $before = settled($t, $total);

is(sum($before->{outcomes}), $total, 'all requests are in the sum');
is($before->{links}{registered}, 3, 'and all links');

# A large import while traffic flows.

my $links = 10_000;
my $csv = "source,match_type,target,name\n"
          . join '', map { "https://h$_.example/page,exact,,Link $_\n" }
                     1 .. $links;

my @requests = ([ '/', Referer => $page ],
                map { [ '/', Referer => "https://h$_.example/page" ] }
                map { $_ * 100 } 1 .. 100);
my $load = Referral::Load::start(port => $t->port, requests => \@requests,
                                 count => 60_000, connections => 2,
                                 depth => 20);

my ($exit, $out, $err) = $t->ctl_with($csv, 'import', '-');

is($exit, 0, 'an import under load') or diag($err);

my $result = Referral::Load::finish($load);

is(sum({ map { $_ => $result->{lost}[$_] } 0 .. $#requests }), 0,
   'no connection breaks meanwhile');
$total += $result->{total};

my $after = settled($t, $total);

is(sum($after->{outcomes}), $total, 'each request is counted');
is($after->{health}{$_}, 0, "no $_") for qw(overflow lookup_errors);
is(counters_of($t, $key)->{clicks}, 80 + $result->{answered}[0],
   'a link registered before misses no click');

# Every imported link counts.

my @all = map { [ '/', Referer => "https://h$_.example/page" ] } 1 .. $links;

$result = $t->load(requests => \@all, count => $links, depth => 50,
                   connections => 1);
$total += $result->{total};
$before = $after;
$after = settled($t, $total);

is($after->{outcomes}{matched} - $before->{outcomes}{matched}, $links,
   'each imported link matches');
is($after->{health}{overflow}, 0, 'and has a cell');
is($after->{links}{registered}, $links + 3, 'they are registered');
is($after->{links}{active}, $links + 3, 'and active');

my $found = links_of($t);
my @without = grep { $_->{counters}{clicks} == 0 } values %$found;
my $clicks = 0;
$clicks += $_->{counters}{clicks} for values %$found;

is(scalar keys %$found, $links + 3, 'all are in the status');
is(scalar @without, 0, 'each has a click');
is($clicks, $after->{outcomes}{matched} - 40,
   'their clicks sum to the matches, a removed link\'s apart');

# How long until the other worker knows?

my $late = 0;

for my $i (1 .. 10) {
    $t->ctl_ok('add', "https://late.example/$i", '--name', "Late $i");

    my $start = time;
    my $asked;
    my $seen = wait_until(sub {
        $asked = time;
        decisions("https://late.example/$i") eq "matched Late $i"
    }, 5);
    $late++ if !$seen || $asked - $start > 1 || time - $asked > 3 * SLOWER;
}

is($late, 0, 'a link is live within a second, under whichever worker');

$t->finish;

done_testing;
