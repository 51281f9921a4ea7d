#!/usr/bin/perl

# Which requests count at all: if=, "referral off", and how both are
# inherited.  A refused request is "skipped", and still in the sum.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted settled sum);
use Referral::Test;


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%
    referral_registry other %%DIR%%/other counters=%%SHM%%/other.counters
                      flush=1s;

    map $status $is_fine {
        ~^[23]     1;
        default    0;
    }

    map $http_user_agent $is_human {
        default    1;
        ~Robot     "";
    }

    map $referral_outcome $is_external {
        default    1;
        internal   0;
        direct     0;
    }

    map $referral_class $is_no_click {
        default    1;
        click      0;
    }

    log_format outcome '$uri $referral_outcome $referral_class';

    referral main;

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;
        access_log %%DIR%%/outcome.log outcome;

        location / { return 200; }

        location = /fine/yes { referral main if=$is_fine; return 200; }
        location = /fine/no { referral main if=$is_fine; return 404; }
        location /fine/late { referral main if=$is_fine; try_files /x @late; }
        location @late { referral main if=$is_fine; return 503; }

        location /human { referral main if=$is_human; return 200;
            location /human/all { referral main; return 200; }
            location /human/inherits { return 200; }
        }
        location /external { referral main if=$is_external; return 200; }
        location /no-click { referral main if=$is_no_click; return 200; }
        location /self { referral main if=$referral_outcome; return 200; }

        location = /if/1 { referral main if=1; return 200; }
        location = /if/0 { referral main if=0; return 200; }
        location = /if/00 { referral main if=00; return 200; }
        location = /if/arg { referral main if=$arg_count; return 200; }
        location = /if/args { referral main if=$arg_a$arg_b; return 200; }

        location /off { referral off; return 200;
            location /off/on { referral main; return 200; }
            location /off/inherits { return 200; }
        }
        location /other { referral other; return 200; }

        location /status { referral_status main; }
        location /status-other { referral_status other; }
        location /status-counted { referral main; referral_status main; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        referral off;
        location / { return 200; }
        location /on { referral main; return 200; }
    }

    server {
        listen 127.0.0.1:%%PORT3%%;
        referral main if=$is_human;
        location / { return 200; }
        location /all { referral main; return 200; }
    }
CONF

my $page = 'https://blog.example/2024/launch';

$t->ctl_ok('init');
$t->run_command(undef, $t->{ctl}, '-d', $t->dir . '/other', 'init',
                defined $t->{user} ? ('--owner', $t->{user}) : ());
$t->ctl_ok('add', $page);
$t->start;

my $sent = 0;

sub request_is {
    my ($outcome, $uri, %arg) = @_;

    my $port = delete $arg{port} // 1;
    my $name = "port $port, $uri" . ($arg{'User-Agent'} ? ', a robot' : '')
               . ": $outcome";

    my $changes = counted($t, sub {
        for my $connection ('close', 'keep-alive') {
            my $c = $t->connection($t->port($port));
            $c->request('GET', $uri, Host => 'shop.example',
                        Referer => $page, Connection => $connection, %arg);
            $c->request('GET', $uri, Host => 'shop.example',
                        Referer => $page, %arg)
                if $connection eq 'keep-alive';
            $c->close;
        }
    }, $outcome eq 'nothing' ? 0 : 3);

    $sent += 3 if $outcome ne 'nothing';

    my %wanted = $outcome eq 'nothing' ? () : ($outcome => 3);

    $wanted{bots} = 3 if $outcome eq 'matched' && $arg{'User-Agent'};

    delete @$changes{ grep { $_ !~ /^[a-z]+$/ } keys %$changes };
    delete @$changes{qw(exact clicks)};
    is_deeply($changes, \%wanted, $name);
}

my @robot = ('User-Agent' => 'Robot/1.0');

request_is('matched', '/');
request_is('matched', '/fine/yes');

is_deeply(counted($t, sub { $t->get('/fine/no', Referer => $page) }),
          { skipped => 1 }, 'by the status');
is_deeply(counted($t, sub { $t->get('/fine/late', Referer => $page) }),
          { skipped => 1 }, 'by the status of a named location');
is_deeply(counted($t, sub { $t->request('HEAD', '/if/0') }),
          { skipped => 1 }, 'whatever the method');
$sent += 3;

request_is('skipped', '/fine/no');
request_is('matched', '/human');
request_is('skipped', '/human', @robot);
request_is('matched', '/human/all', @robot);
request_is('skipped', '/human/inherits', @robot);
request_is('matched', '/human/inherits');
request_is('matched', '/if/1');
request_is('skipped', '/if/0');
request_is('matched', '/if/00');
request_is('skipped', '/if/arg');
request_is('skipped', '/if/arg?count=');
request_is('skipped', '/if/arg?count=0');
request_is('matched', '/if/arg?count=no');
request_is('skipped', '/if/args');
request_is('matched', '/if/args?b=2');

# A condition may ask for the decision itself.

request_is('matched', '/external');
request_is('skipped', '/external', Referer => 'https://shop.example/');
request_is('skipped', '/no-click');
request_is('matched', '/self');

request_is('nothing', '/off');
request_is('matched', '/off/on');
request_is('nothing', '/off/inherits');
request_is('nothing', '/other');
request_is('nothing', '/', port => 2);
request_is('matched', '/on', port => 2);
request_is('skipped', '/', port => 3, @robot);
request_is('matched', '/all', port => 3, @robot);
request_is('matched', '/', port => 3);

request_is('nothing', '/status/links');
request_is('nothing', '/status/no-such-thing');
request_is('matched', '/status-counted');

my $summary = settled($t, $sent);

is(sum($summary->{outcomes}), $sent, 'the outcomes sum to the requests sent');
is(settled($t, 3, '/status-other')->{outcomes}{unregistered}, 3,
   'another registry counts its own');

my @log = split /\n/, $t->read_file('outcome.log');

is((grep { m{^/if/0 } } @log)[0], '/if/0 skipped -',
   'the log says what was skipped');
is((grep { m{^/fine/no } } @log)[0], '/fine/no skipped -',
   'also by the status');

$t->finish;

done_testing;
