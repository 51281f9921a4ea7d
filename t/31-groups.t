#!/usr/bin/perl

# 50,000 links that nothing tells apart: an ambiguous request is one count in
# one cell, and costs what it costs with two.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(links_of settled sum);
use Referral::Test;


use constant LINKS => 50_000;

my $t = Referral::Test->new(workers => 2, http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;
        location / { referral main; return 200; }
        location = /gone { referral main; return 410; }
        location /status { referral_status main; }
    }
CONF

my $origin = 'https://many.example/';

sub import_links {
    my ($dir, $n) = @_;

    my $csv = "source,match_type,target\n"
              . join '', map { "https://many.example/$_,exact,/pricing\n" }
                         1 .. $n;
    my ($exit, undef, $err) =
        $t->run_command($csv, $t->{ctl}, '-d', $dir, 'import', '-');

    is($exit, 0, "$n links of one host with one target") or diag($err);
}

$t->ctl_ok('init');
import_links($t->registry_dir, LINKS);
$t->start;

my $load = $t->load(requests => [ [ '/pricing', Referer => $origin ],
                                  [ '/gone', Referer => $origin ] ],
                    count => 1000, depth => 10, connections => 2);
my $summary = settled($t, 1000);

is($summary->{outcomes}{ambiguous}, $load->{answered}[0],
   'an ambiguous request counts once');
is($summary->{clicks}{ambiguous}, $load->{answered}[0], 'as a click');
is($summary->{outcomes}{unregistered}, $load->{answered}[1],
   'at another landing it is none of them');
is(sum($summary->{outcomes}), 1000, 'the outcomes sum to the requests');
is($summary->{outcomes}{matched}, 0, 'no link is guessed');
is($summary->{links}{active}, 0, 'so no link is active');
is($summary->{health}{overflow}, 0, 'the group has a cell');

# What the links say of it.

my $body = $t->get('/status/links?limit=all')->{body};
my %groups;

$groups{$1}++ while $body =~ /"groups":\[(.*?)\]/g;

my ($group) = keys %groups;

is_deeply([ values %groups ], [ LINKS ], 'all links are in the same group');
like($group, qr/^\{"key":"[0-9a-f]{16}","links":${\LINKS},
                "clicks":$load->{answered}[0]\}$/x,
     'which has all clicks');
unlike($body, qr/"counters":\{"clicks":[1-9]/, 'no link has one of its own');

# Pages tell them apart, when they are sent.

$t->get('/pricing', Referer => 'https://many.example/77') for 1 .. 3;
is(settled($t, 1003)->{outcomes}{matched}, 3, 'a page is one of them');

# The group shrinks to one link: it is that one.

my $links = links_of($t);
my ($last) = grep { $links->{$_}{source} eq 'https://many.example/77' }
             keys %$links;
my $cost_many = cost($t->registry_dir);
my @rest = grep { $_ ne $last } keys %$links;

while (my @some = splice @rest, 0, 2000) {
    $t->ctl_ok('rm', @some);
}

$t->get('/pricing', Referer => $origin) for 1 .. 5;
$summary = settled($t, 1008);
is($summary->{outcomes}{matched}, 3 + 5, 'when one is left, it is that one');
is($summary->{outcomes}{ambiguous}, $load->{answered}[0],
   'what was ambiguous stays so');

$t->finish;

# Instructions of one decision, beyond those of starting.

SKIP: {
    skip 'valgrind is not installed', 2 unless defined $cost_many;

    $t = Referral::Test->new(http => '');
    $t->ctl_ok('init');
    import_links($t->registry_dir, 2);

    my $cost_two = cost($t->registry_dir);

    cmp_ok($cost_many, '<=', 1.1 * $cost_two,
           "${\LINKS} links cost at most 1.1 times what two cost")
        or diag("$cost_many and $cost_two instructions");
    note("$cost_two instructions with 2 links, $cost_many with ${\LINKS}");

    $t->finish;
}

done_testing;


sub cost {
    my ($dir) = @_;

    my ($few, $many) = map { instructions($dir, $_) } 100, 2100;

    return defined $few ? ($many - $few) / 2000 : undef;
}


sub instructions {
    my ($dir, $times) = @_;

    my ($exit, $out, $err) = $t->run_command(undef, 'valgrind',
        '--tool=cachegrind', '--cache-sim=no',
        '--cachegrind-out-file=/dev/null', $t->program('attribute'), $dir,
        $origin, '/pricing', $times);

    return undef if $exit == 127;

    like($out, qr/^ambiguous /, 'the decision') or diag($err);
    my ($n) = $err =~ /I\s+refs:\s+([\d,]+)/ or die "valgrind: $err\n";
    $n =~ tr/,//d;

    return $n;
}
