#!/usr/bin/perl

# Totals come from the ledger and from the live counters, so they are right
# while nginx runs, after it stopped, and after its counter file is gone; and
# ids that were counted under are never issued again.

use strict;
use warnings;

use File::Copy qw(copy);
use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test qw(wait_until);


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;

        location / { return 200 "page\n"; }
        location /gone { return 410; }
    }
CONF

my $json = JSON::PP->new->utf8;

$t->ctl_ok('init');

my $first = $t->ctl_ok('add', 'https://a.example/1');
my $early = $t->read_file($t->registry_dir . '/registry/data.mdb');
my $second = $t->ctl_ok('add', 'https://a.example/2', '--target', '/t');

$t->start;

visit('https://a.example/1', '/') for 1 .. 3;
visit('https://a.example/1', '/gone');
visit('https://a.example/2', '/t') for 1 .. 2;

# The log phase comes after the response.

ok(wait_until(sub { clicks($second) == 2 }, 10),
   'clicks are shown at once');
is(clicks($first), 3, 'of each link');

my ($row) = grep { /^$first/ } split /\n/, $t->ctl_ok('list');
is_deeply([ (split ' ', $row)[1, 2] ], [3, 1], 'list has clicks and errors');

($row) = grep { /^$first/ } split /\r\n/, $t->ctl_ok('export');
my $time = qr/\d{4}-[^,]+Z/;

# since when it is active the keeper finds with a flush
like($row, qr/Z,3,0,0,1,0,.*,$time,$time,active,(?:$time)?\r?$/,
     'export has counters and times');
like($t->ctl_ok('show', $first), qr/^errors_4xx +1$/m, 'show has them');

# Links that share their host and target: one of these.

my $twin = $t->ctl_ok('add', 'https://a.example/twin', '--target', '/t');

ok(wait_until(sub { visit('https://a.example/', '/t');
                    group_clicks($twin) }, 10),
   'a link added while nginx runs is live');

my $before = group_clicks($twin);
my $late = $t->ctl_ok('add', 'https://a.example/late', '--target', '/t');

is(group_clicks($late), 0, 'a link has no part in what its group had before');
is(group_clicks($twin), $before, 'the others keep theirs');
like($t->ctl_ok('show', $twin),
     qr/^group +\w+: $before clicks came by one of /m,
     'show tells of the group');

$t->stop;

is(clicks($first), 3, 'the totals stay when nginx stops');
is(group_clicks($twin), $before, 'the group\'s too');

unlink $t->shm . '/main.counters';
is(clicks($first), 3, 'and when the counter file is gone');

# Removed and added again.

$t->ctl_ok('rm', $first);
is($t->ctl_ok('add', 'https://a.example/1'), $first, 'added again');
is(clicks($first), 3, 'a link has its totals');

# A registry restored from an old backup.

$t->write_file('backup', $early);
my $data = $t->registry_dir . '/registry/data.mdb';
copy($t->dir . '/backup', $data) or die "$data: $!\n";

my $new = $t->ctl_ok('add', 'https://new.example/');
is(clicks($new), 0, 'a new link gets no id that was counted under');
is(clicks($first), 3, 'the old ones have theirs');

$t->finish;
done_testing;


sub visit {
    my ($referer, $uri) = @_;

    return $t->get($uri, Referer => $referer);
}


sub link_of {
    my ($key) = @_;

    return $json->decode($t->ctl_ok('show', $key, '--json'));
}


sub clicks {
    my ($key) = @_;

    return link_of($key)->{counters}{clicks};
}


sub group_clicks {
    my ($key) = @_;

    my $sum = 0;
    $sum += $_->{clicks} for @{ link_of($key)->{groups} };

    return $sum;
}
