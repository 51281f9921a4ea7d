#!/usr/bin/perl

# However a request comes (TLS, HTTP/2, HTTP/3) and however it is answered
# (from a file, a part of it, another server, a cache, compressed, by nginx
# itself): it counts once.  What t/11-classes.t has is not tried again.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted counters_of nonzero summary sum);
use Referral::Test qw(wait_until);


my $nginx = $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx';
my $build = `$nginx -V 2>&1`;
my ($version) = $build =~ m{nginx/(\d+\.\d+)\.};
my $has_ssl = $build =~ /http_ssl_module/;
my $has_v2 = $build =~ /http_v2_module/;
my $has_v3 = $build =~ /http_v3_module/;
my $has_cache = $build !~ /without-http-cache/;
my $has_gzip = $build !~ /without-http_gzip_module/;
my $has_slice = $build =~ /http_slice_module/;

plan skip_all => 'this nginx has no TLS' unless $has_ssl;

my $curl = `curl --version 2>/dev/null`;

plan skip_all => 'there is no curl' if $curl eq '' && !$ENV{CI};

my $v2 = !$has_v2 ? '' : $version >= 1.25 ? 'http2 on;' : '';
my $listen_v2 = $has_v2 && $version < 1.25 ? ' http2' : '';
my $v3 = $has_v3 ? 'listen 127.0.0.1:%%PORT2%% quic;' : '';

my $cache = $has_cache ? <<'CONF' : 'location = /cached { return 200; }';
        location = /cached {
            proxy_pass http://127.0.0.1:%%PORT3%%/page;
            proxy_cache pages;
            proxy_cache_valid 200 1h;
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

my $t = Referral::Test->new(http => <<"CONF");
    %%REGISTRY%%

    $pages
    log_subrequest on;
    limit_req_zone \$server_name zone=slow:64k rate=1r/m;

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;
        referral main;

        $gzip
        client_max_body_size 1k;

        location /files/ { alias %%DIR%%/html/; }
        location = /proxied { proxy_pass http://127.0.0.1:%%PORT3%%/page; }
        location = /missing { proxy_pass http://127.0.0.1:%%PORT3%%/none; }
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
        listen 127.0.0.1:%%PORT2%% ssl$listen_v2;
        $v3
        $v2
        server_name shop.example;
        referral main;

        ssl_certificate %%DIR%%/cert.pem;
        ssl_certificate_key %%DIR%%/key.pem;

        location / { return 200 "page"; }
        location /none { return 404; }
        location /files/ { alias %%DIR%%/html/; }
    }

    server {
        listen 127.0.0.1:%%PORT3%%;
        location / { return 404; }
        location = /page { return 200 "page"; }
        location /files/ { alias %%DIR%%/html/; }
    }
CONF

my $page = 'https://blog.example/2024/launch';
my $agent = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0';

$t->ctl_ok('init');
my $key = $t->ctl_ok('add', $page);

$t->write_file('html/page.html', '<p>page</p>' x 100);
$t->write_file('html/big.html', 'x' x 10_000);
certificate();
$t->start;

my %sent;


# $wanted: counters of all requests the function makes.

sub counts {
    my ($name, $wanted, $function) = @_;

    my $requests = sum($wanted);
    my $clicks = $wanted->{clicks} // 0;

    $sent{$_} += $wanted->{$_} for keys %$wanted;

    is_deeply(counted($t, $function, $requests),
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

SKIP: {
    skip 'no HTTP/2 in nginx or curl', 2
        if !$has_v2 || $curl !~ /HTTP2/;

    counts('streams of one HTTP/2 connection', { clicks => 20,
           errors_4xx => 10 }, sub {
        my @uris = map { ("/a$_", "/none$_", "/files/page.html?$_") } 1 .. 10;
        my $out = curl('--http2', '--parallel', '--parallel-max', 30,
                       map { ('-o', '/dev/null', "$https$_") } @uris);
        is($out, '2 ' x 30, 'HTTP/2');
    });

    # The client that leaves in the middle of an answer has had a part of it.

    $t->write_file('html/huge.html', 'x' x 50_000_000);

    counts('an HTTP/2 client that leaves', { clicks => 1 }, sub {
        my ($exit) = $t->run_command(undef, 'curl', '-sk', '--http2',
            '--noproxy', '*', '-A', $agent, '-H', 'Accept: text/html', '-e',
            $page, '-m', 1, '--limit-rate', '10k', '-o', '/dev/null',
            "$https/files/huge.html");
        is($exit, 28, 'it was in a hurry');
    });
}

SKIP: {
    skip 'no HTTP/3 in nginx or curl', 1 if !$has_v3 || $curl !~ /HTTP3/;

    counts('HTTP/3', { clicks => 2, errors_4xx => 1 }, sub {
        my $out = curl('--http3-only', map { ('-o', '/dev/null', "$https$_") }
                                           qw(/a /b /none));
        is($out, '3 3 3 ', 'HTTP/3');
    });
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
    skip 'no gzip', 2 unless $has_gzip;

    my $compressed;

    counts('compressed', { clicks => 1 }, sub {
        $compressed = $t->request('GET', '/files/page.html', Referer => $page,
                                  'Accept-Encoding' => 'gzip');
    });
    is($compressed->{headers}{'content-encoding'}, 'gzip', 'it is');
}

one('from another server', 'clicks', 200, 'GET', '/proxied');
one('its error', 'errors_4xx', 404, 'GET', '/missing');
one('too large a body', 'other', 413, 'POST', '/upload', Body => 'x' x 2000);
one('a body', 'other', 200, 'POST', '/upload', Body => 'x' x 500);
one('within a limit', 'clicks', 200, 'GET', '/limited');
one('beyond it', 'errors_5xx', 503, 'GET', '/limited');
one('with a copy for another server', 'clicks', 200, 'GET', '/mirrored');

is_deeply(counted($t, sub {
              is($t->get('/' . 'x' x 40_000, Referer => $page)->{status}, 414,
                 'too long a target');
          }), { direct => 1 }, 'nginx does not read on, to the Referer');

SKIP: {
    skip 'no cache', 6 unless $has_cache;

    for my $status (qw(MISS HIT HIT)) {
        my $r;

        counts("a page of the cache: $status", { clicks => 1 }, sub {
            $r = $t->get('/cached', Referer => $page);
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
