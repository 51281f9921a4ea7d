#!/usr/bin/perl

# However a request comes (TLS, early data, HTTP/2, HTTP/3), however it is
# answered (from a file, a part of it, another server, a cache, compressed, by
# nginx itself) and whenever its client leaves: it counts once.  What
# t/11-classes.t has (keepalive, pipelining, ...) is not tried again.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted counters_of nonzero summary sum);
use Referral::Http2 qw(asked taken_back);
use Referral::Test qw(nginx_has nginx_without);


my $has_v2 = nginx_has('http_v2_module');
my $has_v3 = nginx_has('http_v3_module');
my $has_cache = !nginx_without('http-cache');
my $has_gzip = !nginx_without('http_gzip_module');
my $has_slice = nginx_has('http_slice_module');

plan skip_all => 'this nginx has no TLS' unless nginx_has('http_ssl_module');

my $curl = `curl --version 2>/dev/null`;

plan skip_all => 'there is no curl' if $curl eq '' && !$ENV{CI};

my $v3 = $has_v3 ? 'listen 127.0.0.1:%%PORT2%% quic;' : '';

# For each request a new connection, which takes up the session.

my $v3_once = $has_v3 ? <<'CONF' : '';
    server {
        listen 127.0.0.1:%%PORT4%% quic;
        server_name shop.example;
        referral main;

        ssl_certificate %%DIR%%/cert.pem;
        ssl_certificate_key %%DIR%%/key.pem;
        ssl_early_data on;
        keepalive_requests 1;

        location / { return 200 "early: $ssl_early_data "; }
    }
CONF

my $cache = $has_cache ? <<'CONF' : 'location = /cached { return 200; }';
        location = /cached {
            proxy_pass http://127.0.0.1:%%PORT3%%/files/page.html;
            proxy_cache pages;
            proxy_cache_valid 200 1h;
            add_header X-Cache $upstream_cache_status;
        }
        location = /stale {
            proxy_pass http://127.0.0.1:%%PORT3%%/page;
            proxy_cache pages;
            proxy_cache_valid 200 3s;
            proxy_cache_use_stale updating;
            proxy_cache_background_update on;
            add_header X-Cache $upstream_cache_status;
        }
CONF

my $slice = $has_slice ? <<'CONF' : '';
        location = /sliced {
            slice 1k;
            proxy_set_header Range $slice_range;
            proxy_http_version 1.1;
            proxy_pass http://127.0.0.1:%%PORT3%%/files/big.html;
        }
CONF

my $pages = $has_cache ? 'proxy_cache_path %%DIR%%/cache keys_zone=pages:1m;'
                       : '';
my $gzip = $has_gzip ? 'gzip on; gzip_min_length 1; gzip_proxied any;' : '';

# It takes connections, and never answers.

my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
    or die "no free port: $!\n";
my $silent_port = $silent->sockport;

my $t = Referral::Test->new(nports => 4, http => <<"CONF");
    %%REGISTRY%%

    $pages
    log_subrequest on;
    ssl_protocols TLSv1.2 TLSv1.3;
    limit_req_zone \$server_name zone=slow:64k rate=1r/m;

    upstream one_is_dead {
        server 127.0.0.1:1 max_fails=0;
        server 127.0.0.1:%%PORT3%%;
    }

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;
        referral main;

        $gzip
        client_max_body_size 1k;

        location /files/ { alias %%DIR%%/html/; }
        location = /proxied { proxy_pass http://127.0.0.1:%%PORT3%%/page; }
        location = /missing { proxy_pass http://127.0.0.1:%%PORT3%%/none; }
        location = /silent {
            proxy_pass http://127.0.0.1:$silent_port;
            proxy_read_timeout 200ms;
        }
        location = /second-try { proxy_pass http://one_is_dead/page; }
        location = /sent-on { proxy_pass http://127.0.0.1:%%PORT3%%; }
        location = /cycle { rewrite ^ /cycle last; }
        location = /upload { proxy_pass http://127.0.0.1:%%PORT3%%/page; }
        location = /limited { limit_req zone=slow; try_files /none \@page; }
        location = /mirrored { mirror /copy; try_files /none \@page; }
        location = /copy {
            internal;
            proxy_pass http://127.0.0.1:%%PORT3%%/page;
        }
        location \@page { return 200 "page"; }
        location /status { referral_status main; }
        $cache
        $slice
    }

    server {
        listen 127.0.0.1:%%PORT2%% ssl%%HTTP2%%;
        $v3
        server_name shop.example;
        referral main;

        ssl_certificate %%DIR%%/cert.pem;
        ssl_certificate_key %%DIR%%/key.pem;
        ssl_early_data on;

        location / { return 200 "page"; }
        location = /early { return 200 "early: \$ssl_early_data"; }
        location /none { return 404; }
        location /files/ { alias %%DIR%%/html/; }
        location = /silent { proxy_pass http://127.0.0.1:$silent_port; }
    }

    server {
        listen 127.0.0.1:%%PORT2%% ssl%%HTTP2%%;
        server_name members.example;
        referral main;

        ssl_certificate %%DIR%%/cert.pem;
        ssl_certificate_key %%DIR%%/key.pem;
        ssl_client_certificate %%DIR%%/cert.pem;
        ssl_verify_client on;
    }

    $v3_once
    server {
        listen 127.0.0.1:%%PORT4%%%%HTTP2%%;
        server_name shop.example;
        referral main;

        location / { return 200 "page"; }
        location = /silent { proxy_pass http://127.0.0.1:$silent_port; }
    }

    server {
        listen 127.0.0.1:%%PORT3%%;
        location / { return 404; }
        location = /page { return 200 "page"; }
        location = /sent-on {
            add_header X-Accel-Redirect /files/page.html;
            return 204;
        }
        location /files/ { alias %%DIR%%/html/; }
    }
CONF

my $page = 'https://blog.example/2024/launch';
my $agent = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0';

$t->ctl_ok('init');
my $key = $t->ctl_ok('add', $page);

$t->write_file('html/page.html', '<p>page</p>' x 100);
$t->write_file('html/big.html', 'x' x 10_000);
$t->write_file('html/huge.html', 'x' x 50_000_000);
certificate();
$t->start;

my %sent;

# Connections of the silent upstream: if one closed, that would be an answer.

my @asked;


# $wanted: counters of all requests the function makes, known when it returns.

sub counts {
    my ($name, $wanted, $function) = @_;

    my $counted = counted($t, $function, sub { sum($wanted) });
    my $requests = sum($wanted);
    my $clicks = $wanted->{clicks} // 0;

    $sent{$_} += $wanted->{$_} for keys %$wanted;

    is_deeply($counted,
              nonzero({ matched => $requests, exact => $requests, %$wanted,
                        clicks_by_page => $clicks,
                        'clicks.matched' => $clicks }), $name);
}


sub one {
    my ($name, $counter, $status, $method, $uri, %headers) = @_;

    counts($name, { $counter => 1 }, sub {
        my $r = $t->request($method, $uri, Referer => $page, %headers);
        is($r->{status}, $status, "$name: $status");
    });
}


sub curl {
    my @curl = @_;

    my ($exit, $out, $err) = $t->run_command(undef, 'curl', '-sk', '--noproxy',
        '*', '-A', $agent, '-H', 'Accept: text/html', '-e', $page,
        '-w', '%{http_version} ', @curl);

    $exit == 0 or diag("curl: $exit $err");

    return $out;
}


# What curl does with a client that has no patience, or loses it.

sub curl_leaves {
    my ($name, @curl) = @_;

    my ($exit) = $t->run_command(undef, 'curl', '-sk', '--noproxy', '*', '-A',
        $agent, '-H', 'Accept: text/html', '-e', $page, '-m', 1,
        '-o', '/dev/null', @curl);
    is($exit, 28, $name);
}


# A request for the standard input of openssl s_client.  What is wrong with a
# Host ends the reading of headers.

sub request_text {
    my ($uri, $host) = @_;

    return "GET $uri HTTP/1.1\r\nReferer: $page\r\n"
           . Referral::Connection::browser_lines() . 'Host: '
           . ($host // 'shop.example') . "\r\nConnection: close\r\n\r\n";
}


sub s_client {
    my ($stdin, @args) = @_;

    my ($exit, $out, $err) = $t->run_command($stdin, 'openssl', 's_client',
        '-connect', '127.0.0.1:' . $t->port(2), '-servername', 'shop.example',
        '-ign_eof', @args);

    return $out . $err;
}


sub from_page {
    my ($stream, $uri, @more) = @_;

    return asked($stream, $uri, referer => $page, @more);
}


sub certificate {
    my ($exit, $out, $err) = $t->run_command(undef, qw(openssl req -x509
        -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2
        -subj /CN=shop.example), '-keyout', $t->dir . '/key.pem',
        '-out', $t->dir . '/cert.pem');

    $exit == 0 or die "openssl: $err\n";
}


# -- ways to come ----------------------------------------------------------

my $https = 'https://127.0.0.1:' . $t->port(2);

counts('three requests over one TLS connection', { clicks => 2,
       errors_4xx => 1 }, sub {
    my $out = curl('--http1.1', map { ('-o', '/dev/null', "$https$_") }
                                    qw(/a /b /none));
    is($out, '1.1 1.1 1.1 ', 'HTTP/1.1');
});

counts('plain HTTP to a TLS port (497)', { errors_4xx => 1 }, sub {
    my $c = $t->connection($t->port(2));
    my $r = $c->request('GET', '/', Referer => $page);
    is($r->{status}, 400, 'is refused');
    $c->close;
});

counts('a session that is taken up again', { clicks => 2 }, sub {
    my $file = $t->dir . '/session';

    like(s_client(request_text('/'), '-sess_out', $file), qr/^New, TLS/m,
         'a new one');
    like(s_client(request_text('/'), '-sess_in', $file), qr/^Reused, TLS/m,
         'the same');
});

# Some of it comes when the handshake has ended: nginx had no processor then.

my $early;

sub early_data {
    my $file = $t->dir . '/early';
    my $said = s_client(request_text('/early'), '-tls1_3', '-sess_out', $file);

    like($said, qr/^early: (?!1)/m, 'none with a new session');

    for my $row ([ '/early', qr/^early: 1?/m ], [ '/none', qr{^HTTP/1.1 404}m ])
    {
        my ($uri, $answer) = @$row;
        my $request = $t->write_file('request', request_text($uri));

        s_client(request_text('/'), '-tls1_3', '-sess_out', $file)
            if $uri eq '/none';

        $said = s_client(undef, '-tls1_3', '-sess_in', $file, '-early_data',
                         $request);
        like($said, qr/^Early data was accepted/m, 'the server takes it');
        like($said, $answer, 'and answers');

        $early = 1 if $said =~ /^early: 1/m;
    }
}

for (1 .. 5) {
    counts('early data (0-RTT)', { clicks => 3, errors_4xx => 1 },
           \&early_data);
    last if $early;
}

ok($early, 'before the handshake has ended');

counts('no certificate where one is asked for (496)', { errors_4xx => 1 }, sub {
    my $port = $t->port(2);
    my $out = curl('--http1.1', '--resolve', "members.example:$port:127.0.0.1",
                   '-w', '%{http_code}', '-o', '/dev/null',
                   "https://members.example:$port/");
    is($out, '400', 'is refused');
});

counts('a host the connection is not for (421)', { errors_4xx => 1 }, sub {
    like(s_client(request_text('/', 'members.example')), qr{^HTTP/1.1 421 }m,
         'is misdirected');
});

counts('connections that never become TLS are no requests', { clicks => 1 },
       sub {
    my $c = $t->connection($t->port(2));
    $c->send(pack 'H*', '16030100050100000100');
    $c->close;
    $c = $t->connection($t->port(2));
    $c->close;
    curl('--http1.1', '-o', '/dev/null', "$https/");
});

SKIP: {
    skip 'no HTTP/2 in nginx', 8 unless $has_v2;

    counts('an HTTP/2 client that takes a request back', { other => 1 }, sub {
        my $c = Referral::Http2->new($t->port(4));
        $c->send(from_page(1, '/silent'));
        push @asked, $silent->accept;
        $c->send(taken_back(1));
        ok($c->ping, 'the connection lives on');
        $c->close;
    });

    counts('it asks again, on the same connection', { other => 1, clicks => 1 },
           sub {
        my $c = Referral::Http2->new($t->port(4));
        $c->send(from_page(1, '/silent'));
        push @asked, $silent->accept;
        $c->send(taken_back(1) . from_page(3, '/'));
        ok($c->ping, 'and is answered');
        $c->close;
    });

    counts('it takes each back at once', { clicks => 20 }, sub {
        my $c = Referral::Http2->new($t->port(4));
        $c->send(join '', map { (from_page($_, '/'), taken_back($_)) }
                          map { 2 * $_ + 1 } 0 .. 19);
        ok($c->ping, 'the connection lives on');
        $c->close;
    });

    counts('it leaves without a word', { other => 10 }, sub {
        my $c = Referral::Http2->new($t->port(4));
        $c->send(join '', map { from_page(2 * $_ + 1, '/silent') } 0 .. 9);
        push @asked, map { $silent->accept } 1 .. 10;
        $c->abort;
    });

    counts('a request HTTP/2 does not allow', { errors_4xx => 1 }, sub {
        my $c = Referral::Http2->new($t->port(4));
        $c->send(from_page(1, '/', ':path' => '/'));
        $c->ping;
        $c->close;
    });
}

SKIP: {
    skip 'no HTTP/2 in nginx or curl', 9
        if !$has_v2 || $curl !~ /HTTP2/;

    counts('streams of one HTTP/2 connection', { clicks => 20,
           errors_4xx => 10 }, sub {
        my @uris = map { ("/a$_", "/none$_", "/files/page.html?$_") } 1 .. 10;
        my $out = curl('--http2', '--parallel', '--parallel-max', 30,
                       map { ('-o', '/dev/null', "$https$_") } @uris);
        is($out, '2 ' x 30, 'HTTP/2');
    });

    counts('HEAD and POST', { other => 2 }, sub {
        is(curl('--http2', '-I', '-o', '/dev/null', "$https/"), '2 ', 'HEAD');
        is(curl('--http2', '-d', 'x', '-o', '/dev/null', "$https/"), '2 ',
           'POST');
    });

    # The client that leaves in the middle of an answer has had a part of it.

    counts('an HTTP/2 client that leaves', { clicks => 1 }, sub {
        curl_leaves('it was in a hurry', '--http2', '--limit-rate', '10k',
                    "$https/files/huge.html");
    });

    counts('one that never had an answer', { other => 1 }, sub {
        curl_leaves('it was in a hurry', '--http2', "$https/silent");
        push @asked, $silent->accept;
    });
}

SKIP: {
    skip 'no HTTP/3 in nginx or curl', 14
        if !$has_v3 || $curl !~ /HTTP3/;

    counts('HTTP/3', { clicks => 2, errors_4xx => 1 }, sub {
        my $out = curl('--http3-only', map { ('-o', '/dev/null', "$https$_") }
                                           qw(/a /b /none));
        is($out, '3 3 3 ', 'one request after the other');
    });

    counts('streams of one HTTP/3 connection', { clicks => 20,
           errors_4xx => 10 }, sub {
        my @uris = map { ("/a$_", "/none$_", "/files/page.html?$_") } 1 .. 10;
        my $out = curl('--http3-only', '--parallel', '--parallel-max', 30,
                       map { ('-o', '/dev/null', "$https$_") } @uris);
        is($out, '3 ' x 30, 'at the same time');
    });

    counts('HEAD, POST and a part, over HTTP/3', { other => 2, clicks => 1 },
           sub {
        my @curl = ('--http3-only', '-o', '/dev/null');
        is(curl(@curl, '-I', "$https/"), '3 ', 'HEAD');
        is(curl(@curl, '-d', 'x', "$https/"), '3 ', 'POST');
        is(curl(@curl, '-r', '0-99', "$https/files/page.html"), '3 ', 'a part');
    });

    counts('an HTTP/3 client that leaves', { clicks => 1 }, sub {
        curl_leaves('it was in a hurry', '--http3-only', '--limit-rate', '10k',
                    "$https/files/huge.html");
    });

    counts('one that never had an answer', { other => 1 }, sub {
        curl_leaves('it was in a hurry', '--http3-only', "$https/silent");
        push @asked, $silent->accept;
    });

    SKIP: {
        skip 'no curl that sends early data over HTTP/3', 2
            if $curl !~ /ngtcp2/ || `curl --help all` !~ /--tls-earlydata/;

        my $said = '';

        # curl 8.23 may find the second connection closed, whoever counts: then
        # it has had one answer, and tries again

        for (1 .. 12) {
            my $wanted = { clicks => 2 };

            counts('early data (0-RTT) over HTTP/3', $wanted, sub {
                my $uri = 'https://127.0.0.1:' . $t->port(4) . '/';

                $said = curl('--http3-only', '--tls-earlydata', $uri, $uri);
                $wanted->{clicks} = 1 if $said eq 'early:  3 0 ';
            });

            last if $said ne 'early:  3 0 ';
        }

        skip 'curl found its second connection closed each time', 1
            if $said eq 'early:  3 0 ';

        is($said, 'early:  3 early: 1 3 ', 'the second has some');
    }
}


# -- ways to be answered ---------------------------------------------------

one('a file', 'clicks', 200, 'GET', '/files/page.html');
one('HEAD', 'other', 200, 'HEAD', '/files/page.html');
one('POST to a file', 'other', 405, 'POST', '/files/page.html', Body => 'x');
one('the beginning of it', 'clicks', 206, 'GET', '/files/big.html',
    Range => 'bytes=0-99');
one('its middle', 'other', 206, 'GET', '/files/big.html',
    Range => 'bytes=100-199');
one('several parts', 'clicks', 206, 'GET', '/files/big.html',
    Range => 'bytes=0-9,100-199');
one('no part', 'other', 416, 'GET', '/files/big.html',
    Range => 'bytes=20000-');

my $modified = $t->get('/files/page.html', Referer => $page)
                 ->{headers}{'last-modified'};
$sent{clicks}++;
one('what the browser has still', 'clicks', 304, 'GET', '/files/page.html',
    'If-Modified-Since' => $modified);
one('what it must have and has not', 'errors_4xx', 412, 'GET',
    '/files/page.html', 'If-Match' => '"another"');

SKIP: {
    skip 'no gzip', 4 unless $has_gzip;

    for my $uri (qw(/files/page.html /sent-on)) {
        my $compressed;

        counts("compressed: $uri", { clicks => 1 }, sub {
            $compressed = $t->request('GET', $uri, Referer => $page,
                                      'Accept-Encoding' => 'gzip');
        });
        is($compressed->{headers}{'content-encoding'}, 'gzip', 'it is');
    }
}

one('from another server', 'clicks', 200, 'GET', '/proxied');
one('its header alone', 'other', 200, 'HEAD', '/proxied');
one('its error', 'errors_4xx', 404, 'GET', '/missing');
one('from the second server that was tried', 'clicks', 200, 'GET',
    '/second-try');
one('where another server sends it (X-Accel-Redirect)', 'clicks', 200, 'GET',
    '/sent-on');
one('not in time', 'errors_5xx', 504, 'GET', '/silent');
one('in circles', 'errors_5xx', 500, 'GET', '/cycle');
one('too large a body', 'other', 413, 'POST', '/upload', Body => 'x' x 2000);
one('a body', 'other', 200, 'POST', '/upload', Body => 'x' x 500);
one('a body that waits to be asked for', 'other', 200, 'POST', '/upload',
    Body => 'x' x 500, Expect => '100-continue');
counts('a body in chunks', { other => 1 }, sub {
    my $c = $t->connection;
    $c->send($c->format_request('POST', '/upload', Referer => $page,
                               'Transfer-Encoding' => 'chunked')
             . "3\r\nabc\r\n0\r\n\r\n");
    my $r = $c->read_response;
    is($r->{status}, 200, 'is taken');
    $c->close;
});
one('within a limit', 'clicks', 200, 'GET', '/limited');
one('beyond it', 'errors_5xx', 503, 'GET', '/limited');
one('with a copy for another server', 'clicks', 200, 'GET', '/mirrored');

is_deeply(counted($t, sub {
              is($t->get('/' . 'x' x 40_000, Referer => $page)->{status}, 414,
                 'too long a target');
          }), { direct => 1 }, 'nginx does not read on, to the Referer');

SKIP: {
    skip 'no cache', 17 unless $has_cache;

    for my $status (qw(MISS HIT HIT)) {
        my $r;

        counts("a page of the cache: $status", { clicks => 1 }, sub {
            $r = $t->get('/cached', Referer => $page);
        });
        is($r->{headers}{'x-cache'}, $status, 'it was');
    }

    one('a part of the page of the cache', 'clicks', 206, 'GET', '/cached',
        Range => 'bytes=0-1');
    one('its header alone', 'other', 200, 'HEAD', '/cached');

    # nginx asks for a new page by a request of its own, behind the answer.

    one('a page that will be stale', 'clicks', 200, 'GET', '/stale');
    sleep 4;

    for my $status (qw(STALE HIT)) {
        my $r;

        counts("a page renewed in the background: $status", { clicks => 1 },
               sub {
            $r = $t->get('/stale', Referer => $page);
        });
        is($r->{headers}{'x-cache'}, $status, 'it was');
    }
}

SKIP: {
    skip 'no slices', 2 unless $has_slice;

    my $r;

    counts('put together of slices', { clicks => 1 }, sub {
        $r = $t->get('/sliced', Referer => $page);
    });
    is(length $r->{body}, 10_000, 'of all of them');
}


# -- all of it -------------------------------------------------------------

my $found = counters_of($t, $key);

is($found->{$_} // 0, $sent{$_} // 0, "$_ of the link")
    for qw(clicks errors_4xx errors_5xx other);

my $summary = summary($t);

is($summary->{outcomes}{matched}, sum(\%sent), 'each request once');
is(sum($summary->{outcomes}), sum(\%sent) + 1, 'and nothing else');

$t->finish;

done_testing;
