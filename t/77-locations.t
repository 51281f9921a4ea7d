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
        location /own {
            referral_status main write=on;
            if ($arg_x) { proxy_pass http://127.0.0.1:%%PORT2%%; }
            limit_except GET { proxy_pass http://127.0.0.1:%%PORT2%%; }
        }
        location /zipped {
            gzip on;
            gzip_min_length 0;
            gzip_types text/plain text/csv application/json;
            referral_status main;
        }
        location /status { referral_status main; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        location / { return 200 "elsewhere"; }
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

is($t->get('/own?x=1')->{body}, 'elsewhere',
   'an if with a handler of its own keeps it');
is($t->request('POST', '/own/links')->{body}, 'elsewhere',
   'so does limit_except');
is($t->get('/own/links', Accept => '*/*')->{status}, 200,
   'the others are the status');

# nginx's lists of types have none with parameters

for my $row ([ '/', 'text/html; charset=utf-8', Accept => 'text/html' ],
             [ '/metrics', 'text/plain; version=0.0.4; charset=utf-8' ],
             [ '/links?format=csv', 'text/csv; charset=utf-8; header=present' ],
             [ '/links', 'application/json' ])
{
    my ($path, $type, @headers) = @$row;

    my $answer = $t->get("/zipped$path", 'Accept-Encoding' => 'gzip',
                         @headers);

    is($answer->{headers}{'content-type'}, $type, "$path: its type");
    is($answer->{headers}{'content-encoding'}, 'gzip', "$path: compressed");
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
