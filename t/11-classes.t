#!/usr/bin/perl

# What a request was: click, error, redirect or other, whatever way nginx
# came to its answer; and each request once, however many requests nginx made
# of it inside.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled counted counters_of flat nonzero sum summary);
use Referral::Test qw(nginx_has wait_until);


my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
    or die "no free port: $!\n";
my $silent_port = $silent->sockport;

my $t = Referral::Test->new(http => <<"CONF");
    %%REGISTRY%%

    referral main;
    log_subrequest on;

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;

        location / { return 200 "page\\n"; }
        location /files/ { alias %%DIR%%/html/; }
        location /status { referral_status main; }

        location ~ ^/status-code/(2\\d\\d) { return 200; }
        location = /204 { return 204; }
        location = /301 { return 301 /; }
        location = /302 { return 302 /; }
        location = /303 { return 303 /; }
        location = /307 { return 307 /; }
        location = /308 { return 308 /; }
        location = /400 { return 400; }
        location = /403 { deny all; }
        location = /410 { return 410; }
        location = /429 { return 429; }
        location = /444 { return 444; }
        location = /500 { return 500; }
        location = /503 { return 503; }
        location = /502 { proxy_pass http://127.0.0.1:1; }
        location = /silent { proxy_pass http://127.0.0.1:$silent_port; }

        location = /lost { error_page 404 /lost.html; return 404; }
        location = /lost.html { return 200 "lost"; }
        location = /saved { error_page 404 =200 /lost.html; return 404; }
        location = /named { error_page 404 = \@named; return 404; }
        location = /tried { try_files /none \@named; }
        location \@named { return 200 "named"; }
        location = /uncounted { try_files /none \@uncounted; }
        location \@uncounted { referral off; return 404; }
        location = /rewritten { rewrite ^ /pricing last; }

        location = /ssi.html {
            root %%DIR%%/html;
            ssi on;
        }
        location = /added {
            add_before_body /part;
            add_after_body /part;
            default_type text/html;
            alias %%DIR%%/html/page.html;
        }
        location = /checked { auth_request /part; try_files /none /pricing; }
        location = /refused { auth_request /no; try_files /none /pricing; }
        location = /part { return 200 "part"; }
        location = /no { return 403; }
        location = /passed-on { proxy_pass http://127.0.0.1:%%PORT2%%/; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        client_header_timeout 300ms;
        large_client_header_buffers 2 1k;
        client_header_buffer_size 1k;
    }

    server {
        listen 127.0.0.1:%%PORT3%%%%HTTP2%%;
    }
CONF

my $page = 'https://blog.example/2024/launch';

$t->ctl_ok('init');
my $key = $t->ctl_ok('add', $page);

$t->write_file('html/page.html', '<p>page</p>');
$t->write_file('html/sub/x.html', 'x');
$t->write_file('html/ssi.html', '<!--#include virtual="/part" -->' x 2);
$t->start;

# The counters of one request from the page, by the class it must have.

my %wanted = (
    click => { clicks => 1, clicks_by_page => 1, 'clicks.matched' => 1 },
    redirect => { redirects => 1 },
    4 => { errors_4xx => 1 },
    5 => { errors_5xx => 1 },
    other => { other => 1 },
);
my %sent;

sub request_is {
    my ($class, $name, $function) = @_;

    $sent{$class}++;
    is_deeply(counted($t, $function),
              { matched => 1, exact => 1, %{ $wanted{$class} } }, $name);
}

sub answer_is {
    my ($class, $method, $uri, $status, %header) = @_;

    request_is($class, "$method $uri: $status is $class", sub {
        my $answer = $t->request($method, $uri, Referer => $page, %header);
        my $got = defined $answer ? $answer->{status} : 'nothing';
        $got eq $status or diag("$method $uri: $got");
    });
}

answer_is('click', 'GET', '/', 200);
answer_is('click', 'GET', '/204', 204);
answer_is('click', 'GET', '/files/page.html', 200);

my $tag = $t->get('/files/page.html', Host => 'x')->{headers}{etag};

answer_is('click', 'GET', '/files/page.html', 304, 'If-None-Match' => $tag);
answer_is('redirect', 'GET', "/$_", $_) for 301, 302, 303, 307, 308;
answer_is('redirect', 'GET', '/files/sub', 301);
answer_is(4, 'GET', "/$_", $_) for 400, 403, 410, 429;
answer_is(4, 'GET', '/files/none', 404);
answer_is(5, 'GET', "/$_", $_) for 500, 502, 503;
answer_is('other', 'GET', '/444', 'nothing');

answer_is('other', 'HEAD', '/', 200);
answer_is('other', 'HEAD', '/410', 410);
answer_is('other', 'POST', '/', 200, Body => 'a=b');
answer_is('other', 'POST', '/files/page.html', 405, Body => 'a=b');
answer_is('other', 'POST', '/301', 301, Body => 'a=b');
answer_is('other', $_, '/', 200) for qw(PUT DELETE OPTIONS PATCH PROPFIND);

# Ways inside nginx.

answer_is(4, 'GET', '/lost', 404);
answer_is('click', 'GET', '/saved', 200);
answer_is('click', 'GET', '/named', 200);
answer_is('click', 'GET', '/tried', 200);
answer_is('click', 'GET', '/rewritten', 200);
answer_is('click', 'GET', '/ssi.html', 200);
answer_is('click', 'GET', '/added', 200);
answer_is('click', 'GET', '/checked', 200);
answer_is(4, 'GET', '/refused', 403);

like($t->get('/ssi.html')->{body}, qr/^partpart$/, 'there are subrequests');
like($t->get('/added')->{body}, qr/^part.*part$/, 'and others');

my $answer;

is_deeply(counted($t, sub {
              $answer = $t->get('/uncounted', Referer => $page);
              $t->get('/', Referer => 'https://x.example/');
          }), { unregistered => 1, 'clicks.unregistered' => 1 },
          'the last location decides whether a request counts');
is($answer->{status}, 404, 'and it was asked');

# Requests as no browser makes them, but for two headers.

my $browser = Referral::Connection::browser_lines();

sub raw_is {
    my ($class, $name, $bytes, $like) = @_;

    request_is($class, $name, sub {
        my $got = $t->raw($bytes);
        $got =~ $like or diag("$name: $got");
    });
}

raw_is('click', 'HTTP/1.0', "GET / HTTP/1.0\r\n${browser}Referer: $page\r\n\r\n",
       qr/^HTTP\S+ 200 /);
raw_is('click', 'HTTP/1.0 with a Host',
       "GET / HTTP/1.0\r\nHost: x\r\n${browser}Referer: $page\r\n\r\n",
       qr/^HTTP\S+ 200 /);
raw_is('click', 'an absolute URL as the target',
       "GET http://x/ HTTP/1.1\r\nHost: x\r\n${browser}Referer: $page\r\n"
       . "Connection: close\r\n\r\n", qr/^HTTP\S+ 200 /);
raw_is(4, 'HTTP/1.1 without a Host',
       "GET / HTTP/1.1\r\n${browser}Referer: $page\r\n\r\n",
       qr/^HTTP\S+ 400 /);
raw_is(4, 'two Hosts',
       "GET / HTTP/1.1\r\n${browser}Referer: $page\r\nHost: a\r\nHost: b\r\n"
       . "\r\n",
       qr/^HTTP\S+ 400 /);

is_deeply(counted($t, sub { $t->raw("GET /\r\n") }),
          { direct => 1 }, 'HTTP/0.9 names no User-Agent: a robot');
is_deeply(counted($t, sub { $t->raw("nonsense\r\n\r\n") }),
          { direct => 1 }, 'a line that is no request is no click');
is_deeply(counted($t, sub { $t->raw("GET / HTTP/9.9\r\n\r\n") }),
          { direct => 1 }, 'nor is a version that does not exist');
is_deeply(counted($t, sub {
              my $c = $t->connection;
              $c->close;
              $t->get('/');
          }), { direct => 1, 'clicks.direct' => 1 },
          'a connection without a request is none');

my $asked;                           # if it closed, that would be an answer

request_is('other', 'a client that leaves (499)', sub {
    my $c = $t->connection;
    $c->send_request('GET', '/silent', Referer => $page);
    $asked = $silent->accept;
    $c->close;
});

is_deeply(counted($t, sub {
              my $c = $t->connection($t->port(2));
              $c->send("GET / HTTP/1.1\r\nHost: x\r\n${browser}"
                       . "Referer: $page\r\nX:");
              $c->read_all;
          }), { matched => 1, exact => 1, other => 1 },
          'a client that never ends its request (408)');
$sent{other}++;

is_deeply(counted($t, sub {
              my $c = $t->connection($t->port(2));
              $c->send("GET / HTTP/1.1\r\nHost: x\r\n${browser}"
                       . "Referer: $page\r\nX: " . 'x' x 3000 . "\r\n\r\n");
              $c->read_all;
          }), { matched => 1, exact => 1, errors_4xx => 1 },
          'a request of too long a header is an error');
$sent{4}++;

# What is passed to another server that counts is a request there, too.

is_deeply(counted($t, sub { $t->get('/passed-on', Referer => $page) }, 2),
          { matched => 2, exact => 2, errors_4xx => 2 },
          'in both servers: twice');
$sent{4} += 2;

# Many requests on one connection.

is_deeply(counted($t, sub {
              my $c = $t->connection;
              $c->request('GET', '/', Referer => $page) for 1 .. 50;
              $c->close;
          }, 50), { matched => 50, exact => 50, clicks => 50,
                    clicks_by_page => 50, 'clicks.matched' => 50 },
          'one connection, one request after the other');
$sent{click} += 50;

is_deeply(counted($t, sub {
              my $c = $t->connection;
              my @uri = map { ('/', '/301', '/410', '/503') } 1 .. 10;
              my @texts = map {
                  $c->format_request('GET', $_, Referer => $page)
              } @uri;
              $c->send(join '', @texts);
              $c->read_response for @uri;
              $c->close;
          }, 40), { matched => 40, exact => 40, clicks => 10,
                    clicks_by_page => 10, redirects => 10, errors_4xx => 10,
                    errors_5xx => 10, 'clicks.matched' => 10 },
          'pipelined requests');
$sent{$_} += 10 for qw(click redirect 4 5);

SKIP: {
    my $port = $t->port(3);
    my $curl = `curl --version 2>/dev/null`;

    skip 'no HTTP/2 in nginx or curl', 1
        if !nginx_has('http_v2_module') || $curl !~ /HTTP2/;

    is_deeply(counted($t, sub {
                  my ($exit, $out, $err) = $t->run_command(undef, 'curl', '-s',
                      '--http2-prior-knowledge', '--noproxy', '*', '-o',
                      '/dev/null', '-A', 'Mozilla/5.0 (X11) Firefox/140.0',
                      '-H', 'Accept: text/html', '-e', $page,
                      "http://127.0.0.1:$port/none");
                  $exit == 0 or diag("curl: $exit $err");
              }), { matched => 1, exact => 1, errors_4xx => 1 }, 'HTTP/2');
    $sent{4}++;
}

# Bytes, and the sums.

my $bytes = summary($t)->{classes}{bytes};
my $wire = length $t->raw(join "", map {
    "GET /files/page.html HTTP/1.1\r\nHost: x\r\n${browser}"
    . "Referer: $page\r\nConnection: $_\r\n\r\n"
} qw(keep-alive keep-alive close));
$sent{click} += 3;

my $summary = summary($t);

is($summary->{classes}{bytes} - $bytes, $wire,
   "bytes are those on the wire, each request its own");

is_deeply(counters_of($t, $key), nonzero({
              clicks => $sent{click}, clicks_by_page => $sent{click},
              redirects => $sent{redirect}, errors_4xx => $sent{4},
              errors_5xx => $sent{5}, other => $sent{other} }),
          "the link's own counters");
is(sum(\%sent), $summary->{outcomes}{matched},
   "a link's classes sum to its matches");
is($summary->{evidence}{exact}, $summary->{outcomes}{matched},
   'so does the evidence');

$t->finish;

done_testing;
