#!/usr/bin/perl

# referral_bot: the built-in rules, none, or what the operator's variable says.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted counters_of);
use Referral::Test;


my $t = Referral::Test->new(http => '');

# What nginx -t says.

$t->expect_log(qr/\[emerg\]/);

sub configtest {
    my ($directives, $server) = @_;

    $t->set_conf(http => "%%REGISTRY%%\nmap \$uri \$bot { default 1; }\n"
                         . "$directives\nserver {\nlisten 127.0.0.1:%%PORT%%;"
                         . "\n" . ($server // '') . "\n}\n");

    return $t->configtest;
}

for my $value ('yes', 'ON', 'Off', '1', '0', '""', 'bot', '/Bot/') {
    my ($exit, $said) = configtest("referral_bot $value;");

    isnt($exit, 0, "referral_bot $value is refused");
    like($said, qr/\[emerg\] .*invalid value ".*" in "referral_bot", "on", /,
         'and why is said');
    like($said, qr/nginx\.conf:\d+/, 'and where');
}

like((configtest($_->[0]))[1], $_->[1], "$_->[0]: refused") for (
    [ 'referral_bot;', qr/invalid number of arguments in "referral_bot"/ ],
    [ 'referral_bot on off;', qr/invalid number of arguments/ ],
    [ 'referral_bot on; referral_bot on;',
      qr/"referral_bot" directive is duplicate/ ],
    [ 'referral_bot $bot; referral_bot off;',
      qr/"referral_bot" directive is duplicate/ ],
    [ 'referral_bot $nothing_at_all;', qr/unknown "nothing_at_all" variable/ ],
);

is((configtest($_, $_))[0], 0, "$_ is accepted")
    for map { "referral_bot $_;" } 'on', 'off', '$bot', '$bot$uri',
                                   '"${bot}"';

# What counts.

$t->set_conf(http => <<'CONF');
    %%REGISTRY%%

    map $http_x_bot $is_bot { default $http_x_bot; none ""; }

    log_format class '$uri $referral_class';

    server {
        listen 127.0.0.1:%%PORT%%;
        access_log %%DIR%%/class.log class;

        referral main;

        location / { return 200; }
        location /on { referral_bot on; return 200; }
        location /off { referral_bot off; return 200; }
        location /own { referral_bot $is_bot; return 200;
            location /own/inherits { return 200; }
            location /own/off { referral_bot off; return 200; }
            location /own/on { referral_bot on; return 200; }
        }
        location /tail { referral_bot x$is_bot; return 200; }
        location /self { referral_bot $referral_class; return 200; }
        location /late { referral_bot $status; return 404; }
        location /status { referral_status main; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        referral main;
        referral_bot off;
        location / { return 200; }
        location /on { referral_bot on; return 200; }
    }
CONF

$t->ctl_ok('init');
my $key = $t->ctl_ok('add', 'news.example');
$t->start;

my %sent;
my $firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101'
              . ' Firefox/140.0';
my $googlebot = 'Mozilla/5.0 (compatible; Googlebot/2.1;'
                . ' +http://www.google.com/bot.html)';

sub class_is {
    my ($class, $uri, $name, %header) = @_;

    my $port = delete $header{port} // 1;
    my $counter = $class eq 'click' ? 'clicks' : $class;

    my $changes = counted($t, sub {
        my $c = $t->connection($t->port($port));
        $c->request('GET', $uri, Referer => 'https://news.example/',
                    Connection => 'close', %header);
        $c->close;
    });

    $sent{$counter}++;
    is_deeply($changes, { matched => 1, host => 1, $counter => 1,
                          $class eq 'click' ? ('clicks.matched' => 1) : () },
              "$uri, $name: $class");
}

# By the built-in rules, which are the default.

class_is('click', '/', 'a browser');
class_is('click', '/on', 'another', 'User-Agent' => $firefox);

for my $uri ('/', '/on') {
    class_is('bots', $uri, $_ // 'no User-Agent', 'User-Agent' => $_)
        for $googlebot, 'curl/8.5.0', 'python-requests/2.31.0', undef, '',
            'Mozilla/5.0', 'Go-http-client/1.1', 'HeadlessChrome/141.0.0.0',
            'UptimeRobot/2.0 (http://www.uptimerobot.com/)', 'x' x 15;
}

class_is('click', '/', 'a phone named like a robot', 'User-Agent' =>
         'Mozilla/5.0 (Linux; Android 13; CUBOT X70) AppleWebKit/537.36'
         . ' (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36');

# The same agent again is the same.

class_is('bots', '/', 'once more', 'User-Agent' => $googlebot) for 1 .. 3;
class_is('click', '/', 'once more', 'User-Agent' => $firefox) for 1 .. 3;

# None.

class_is('click', '/off', $_ // 'no User-Agent', 'User-Agent' => $_)
    for $googlebot, 'curl/8.5.0', undef;
class_is('click', '/', 'off for the server', port => 2,
         'User-Agent' => $googlebot);
class_is('bots', '/on', 'on again in a location', port => 2,
         'User-Agent' => $googlebot);

# The operator's.

for my $uri ('/own', '/own/inherits') {
    class_is('bots', $uri, "variable $_", 'X-Bot' => $_)
        for '1', 'yes', '00', '-', 'no';
    class_is('click', $uri, "variable $_", 'X-Bot' => $_) for '0', 'none';
    class_is('click', $uri, 'an empty variable');
    class_is('click', $uri, 'the built-in rules are out of force',
             'User-Agent' => $googlebot);
}

class_is('click', '/own/off', 'off below', 'X-Bot' => '1');
class_is('bots', '/own/on', 'on below', 'X-Bot' => '0',
         'User-Agent' => $googlebot);
class_is('bots', '/tail', 'text and a variable', 'X-Bot' => '0');

# It is asked when the request ends, too.

class_is('bots', '/late', 'the status is known');

# A prefetch comes before, an embed after.

class_is('prefetches', '/', 'a robot that fetches ahead',
         'User-Agent' => $googlebot, 'Sec-Purpose' => 'prefetch');
class_is('bots', '/', 'a robot that asks for a picture',
         'User-Agent' => $googlebot, 'Accept' => 'image/*');

# A variable that asks for itself is no endless loop: nginx stops it, and what
# it says in between is not empty.

my ($worker) = $t->worker_pids;

is($t->get('/self', Referer => 'https://news.example/')->{status}, 200,
   'a variable that asks for itself');
is(($t->worker_pids)[0], $worker, 'the worker lives');
$sent{bots}++;

is_deeply(counters_of($t, $key), \%sent, "the link's counters");

$t->finish;

done_testing;
