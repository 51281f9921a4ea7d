#!/usr/bin/perl

# Without counters=: root's nginx keeps its counter file in /run/ngx-referral,
# anybody else's beside the links.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of settled);
use Referral::Test;


use constant SHARED => '/run/ngx-referral';

my $name = "test-$$";
my $page = 'https://blog.example/2024/launch';
my $made = !-e SHARED;

my $t = Referral::Test->new(workers => 2, http => <<"CONF");
    referral_registry $name %%DIR%%/referral flush=1s;

    server {
        listen 127.0.0.1:%%PORT%%;
        referral $name;
        location / { return 200; }
        location /status { referral_status $name; }
    }
CONF

# nginx gives the directory to its worker user: another nginx may use it.

if (defined $t->{user} && !$made
    && (stat SHARED)[4] != getpwnam($t->{user}))
{
    plan skip_all => SHARED . " does not belong to $t->{user}";
}

END {
    my $status = $?;
    unlink counter_files();
    rmdir SHARED if $made;
    $? = $status;
}

$t->ctl_ok('init');

my $key = $t->ctl_ok('add', $page);

$t->start;
$t->get('/', Referer => $page) for 1 .. 3;

my $summary = settled($t, 3);

is($summary->{outcomes}{matched}, 3, 'requests are counted');
is($summary->{health}{counters}, 'ok', 'in a counter file');
is($summary->{health}{overflow}, 0, 'that has room');

my ($file, @others) = counter_files();

ok(defined $file && !@others, 'there is one');

SKIP: {
    skip 'not root', 4 unless defined $t->{user};

    my $uid = getpwnam($t->{user});
    my @dir = stat SHARED;

    is($dir[4], $uid, SHARED . ' belongs to the worker user');
    is($dir[2] & 07777, 0700, 'who alone may enter it');
    is((stat $file)[4], $uid, 'so does the file');
    like($file, qr{/$name-[0-9a-f]{8}\.counters$},
         'whose name tells the registry');
}

is((stat $file)[2] & 07777, 0600, 'nobody else may read it');

# It is found again, also by the command.

$t->kill_all;
$t->start;
$t->get('/', Referer => $page);
is(settled($t, 4)->{outcomes}{matched}, 4, 'it outlives every process');

my ($exit, $out) = $t->ctl('--json', 'show', $key);

is(JSON::PP->new->decode($out)->{counters}{clicks}, 4,
   'the command finds it');
is_deeply([ counter_files() ], [ $file ], 'there is no other one');

$t->finish;

done_testing;


sub counter_files {
    return defined $t->{user} ? glob SHARED . "/$name-*"
                              : grep { -e } $t->registry_dir . '/counters';
}
