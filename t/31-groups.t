#!/usr/bin/perl

# 50,000 links that nothing tells apart: an ambiguous request is one count in
# one cell, and costs what it costs with a group of two in the same registry.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled sum);
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
my $pair = join '', map { "https://pair.example/$_,exact,/pricing\n" } 1, 2;
my $many = join '', map { "https://many.example/$_,exact,/pricing\n" }
                    1 .. LINKS;

sub import_rows {
    my ($rows, @args) = @_;

    my ($exit, undef, $err) = $t->ctl_with("source,match_type,target\n$rows",
                                           'import', '-', @args);

    is($exit, 0, 'links are imported') or diag($err);
}

$t->ctl_ok('init');
import_rows($pair . $many);
$t->start;

my $load = $t->load(requests => [ [ '/pricing', Referer => $origin ],
                                  [ '/gone', Referer => $origin ] ],
                    count => 1000, depth => 10, connections => 2);
my $clicks = $load->{answered}[0];
my $summary = settled($t, 1000);

is($summary->{outcomes}{ambiguous}, $clicks,
   'an ambiguous request counts once');
is($summary->{clicks}{ambiguous}, $clicks, 'as a click');
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

my ($small, $large) = sort { $groups{$a} <=> $groups{$b} } keys %groups;
my $key = qr/\{"key":"[0-9a-f]{16}",/;

is_deeply([ @groups{$small, $large} ], [ 2, LINKS ],
          'the links are in two groups');
like($small, qr/^$key"links":2,"clicks":0\}$/, 'nobody came by the pair');
like($large, qr/^$key"links":${\LINKS},"clicks":$clicks\}$/,
     'all came by the others');
unlike($body, qr/"counters":\{"clicks":[1-9]/, 'no link has a click');

# Pages tell them apart, when they are sent.

$t->get('/pricing', Referer => 'https://many.example/77') for 1 .. 3;
is(settled($t, 1003)->{outcomes}{matched}, 3, 'a page is one of them');

# Instructions of a decision.

SKIP: {
    my ($exit) = $t->run_command(undef, 'valgrind', '--version');

    skip 'valgrind is not installed', 1 if $exit != 0 && !$ENV{CI};

    my $few = cost('https://pair.example/');
    my $many = cost($origin);

    cmp_ok($many, '<=', 1.1 * $few,
           "${\LINKS} links cost at most 1.1 times what two cost");
    note("$few instructions with 2 links, $many with ${\LINKS}");
}

# The group shrinks to one link: it is that one.

import_rows($pair . "https://many.example/77,exact,/pricing\n", '--sync');

$t->get('/pricing', Referer => $origin) for 1 .. 5;
$summary = settled($t, 1008);
is($summary->{links}{registered}, 3, 'all but one are removed');
is($summary->{outcomes}{matched}, 3 + 5, 'then it is that one');
is($summary->{outcomes}{ambiguous}, $clicks, 'what was ambiguous stays so');

$t->finish;

done_testing;


# What a decision costs beyond the start of a program.

sub cost {
    my ($referer) = @_;

    my ($few, $many) = map { instructions($referer, $_) } 100, 2100;

    return ($many - $few) / 2000;
}


sub instructions {
    my ($referer, $times) = @_;

    my ($exit, $out, $err) = $t->run_command(undef, 'valgrind',
        '--tool=cachegrind', '--cache-sim=no',
        '--cachegrind-out-file=/dev/null', $t->program('attribute'),
        $t->registry_dir, $referer, '/pricing', $times);

    die "valgrind: $err\n" if $out !~ /^ambiguous /;

    my ($n) = $err =~ /I\s+refs:\s+([\d,]+)/ or die "valgrind: $err\n";
    $n =~ tr/,//d;

    return $n;
}
