#!/usr/bin/perl

# What nginx makes of a status location: nameless locations inside it, and
# subrequests to it.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(summary);
use Referral::Test qw(wait_until);


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { ssi on; root %%DIR%%/html; default_type text/html; }
        location /if {
            referral_status main write=on;
            if ($http_x) { set $y 1; }
        }
        location /limited {
            referral_status main write=on;
            limit_except GET { allow 127.0.0.1; deny all; }
        }
        location /status { referral_status main; }
    }
CONF

$t->ctl_ok('init');
$t->ctl_ok('add', 'https://blog.example/1');
$t->write_file('html/page.html', 'A<!--#include virtual="/status/links" -->B'
               . '<!--#include virtual="/status/nothing" -->C');
$t->start;
ok(wait_until(sub { summary($t)->{health}{registry} eq 'ok' }, 10), 'ready');

for my $path ('/if', '/if/links') {
    is($t->get($path, X => 1, Accept => '*/*')->{status}, 200,
       "$path inside an if");
}

my $body = '{"source":"https://new.example/%d"}';
my $n = 0;

for my $path ('/if/links', '/limited/links') {
    my $c = $t->connection;
    my $text = sprintf $body, ++$n;

    $c->send("POST $path HTTP/1.1\r\nHost: 127.0.0.1\r\nX: 1\r\n"
             . "Content-Type: application/json\r\nConnection: close\r\n"
             . 'Content-Length: ' . length($text) . "\r\n\r\n$text");
    is($c->read_response->{status}, 201, "a write to $path");
    $c->close;
}

my $page = $t->get('/page.html')->{body};

like($page, qr/^A\{.*\}\s*B\{.*"PathUnknown".*\}\s*C$/s,
     'a subrequest does not end the page');

my ($links) = $page =~ /^A(.*?)\s*B\{/s;

is(scalar @{ JSON::PP->new->decode($links)->{links} }, 3, 'and has it all');

$t->finish;

done_testing;
