#!/usr/bin/perl

# What was built is usable at all: the module in this nginx, the command.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;

        location /status {
            referral_status main;
        }
    }
CONF

my ($exit, $said) = $t->configtest;

is($exit, 0, 'nginx accepts the module and its directives') or diag($said);

my @made = glob $t->shm . '/*';

is_deeply(\@made, [], 'a configuration test makes no counter file');

my ($out, $err);

($exit, $out, $err) = $t->ctl('--help');

is($exit, 0, 'referralctl --help exits with 0');
like($out, qr/^\s+import\b/m, 'and lists the commands');

($exit, $out, $err) = $t->ctl('no-such-command');

is($exit, 2, 'an unknown command is wrong usage');
like($err, qr/^referralctl: /, 'and is said on standard error');

$t->start;

is($t->get('/missing')->{status}, 404, 'nginx serves');

$t->finish;

done_testing;
