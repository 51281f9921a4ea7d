#!/usr/bin/perl

# One click, one "click", whatever redirects lie between: each redirect is
# followed as a browser does, with the same Referer, and what nginx counted is
# compared with the one click that was made.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted counters_of);
use Referral::Test;


my $t = Referral::Test->new(nports => 5, http => <<'CONF');
    %%REGISTRY%%
    referral_registry other %%DIR%%/other counters=%%SHM%%/other.counters
                      flush=1s;

    log_format class '$uri $status $referral_outcome $referral_class';

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example alias.example *.wild.example .dot.example
                    ~^re\d\.example$ _ "";
        access_log %%DIR%%/class.log class;
        root %%DIR%%/html;

        referral main;
        add_header X-Class $referral_class always;

        location / { return 200 page; }

        location /to/path { return 301 /pricing; }
        location /to/query { return 301 /pricing?from=old; }
        location /to/absolute { return 302 http://shop.example/pricing; }
        location /to/https { return 301 https://$host/pricing; }
        location /to/port { return 301 http://shop.example:8080/pricing; }
        location /to/www { return 301 http://www.shop.example/pricing; }
        location /to/alias { return 301 http://alias.example/pricing; }
        location /to/wild { return 301 http://a.wild.example/pricing; }
        location /to/dot { return 301 http://dot.example/pricing; }
        location /to/under-dot { return 301 http://a.dot.example/pricing; }
        location /to/help { return 301 http://help.example/pricing; }
        location /to/location { return 301 http://half.example/pricing; }
        location /to/nothing { return 301 /contact; }
        location /to/elsewhere { return 301 https://pay.example/pricing; }
        location /to/uncounted { return 301 http://plain.example/pricing; }
        location /to/other { return 301 http://books.example/pricing; }
        location /to/regex { return 301 http://re1.example/pricing; }
        location /to/mail { return 301 mailto:sales@shop.example; }
        location /to/off { return 301 /uncounted; }
        location /uncounted { referral off; return 200 page; }
        location /to/slashes { return 301 //pay.example/pricing; }
        location /to/tab { return 301 "/pri\tcing"; }
        location /to/backslash { return 301 '\\pricing'; }

        location /off/ {
            absolute_redirect off;
            location /off/path { return 301 /pricing; }
            location /off/relative { return 301 ../pricing; }
            location /off/sideways { return 301 pricing; }
            location /off/pricing { return 200 page; }
            location /off/slashes { return 301 //help.example/pricing; }
            location /off/away { return 301 //pay.example/pricing; }
        }

        location /name/ {
            server_name_in_redirect on;
            port_in_redirect off;
            return 301 /pricing;
        }

        location /rewrite/permanent { rewrite ^ /pricing permanent; }
        location /rewrite/redirect { rewrite ^ /pricing redirect; }
        location /rewrite/named { error_page 404 =301 @moved; return 404; }
        location /rewrite/error { error_page 404 =302 /pricing; return 404; }
        location /rewrite/page { error_page 404 http://shop.example/pricing;
                                 return 404; }
        location @moved { return 301 /pricing; }
        location /rewrite/chain { return 302 /to/path; }

        location /proxy/ { proxy_pass http://127.0.0.1:%%PORT5%%/; }
        location /proxy-off/ {
            proxy_pass http://127.0.0.1:%%PORT5%%/;
            proxy_redirect off;
        }
        location /proxy-own/ {
            proxy_pass http://127.0.0.1:%%PORT5%%/;
            proxy_redirect http://backend.example/ http://shop.example/;
        }

        location /docs { }
        location /pricing/plans { }

        location /policy/ {
            add_header Referrer-Policy no-referrer;
            location /policy/none { return 301 /pricing; }
            location /policy/tag { return 301 /pricing?ref=mail; }
            location /policy/ours { return 301 /pricing?ref=spring; }
            location /policy/same {
                add_header Referrer-Policy same-origin always;
                return 302 https://shop.example/pricing;
            }
            location /policy/later {
                add_header Referrer-Policy unsafe-url;
                add_header Referrer-Policy no-referrer;
                return 301 /pricing;
            }
            location /policy/earlier {
                add_header Referrer-Policy "no-referrer, unsafe-url";
                return 301 /pricing;
            }
            location /policy/origin {
                add_header Referrer-Policy strict-origin;
                return 301 /pricing;
            }
            location /policy/origin-else {
                add_header Referrer-Policy strict-origin;
                return 301 /contact;
            }
            location /policy/proxy {
                add_header X-None none;
                proxy_pass http://127.0.0.1:%%PORT5%%;
            }
        }

        location /status { referral_status main; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        server_name help.example;
        access_log %%DIR%%/class.log class;
        referral main;
        location / { return 200 page; }
        location /back { return 301 http://shop.example/pricing; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        server_name half.example;
        access_log %%DIR%%/class.log class;
        location / { return 200 page; }
        location /pricing { referral main; return 200 page; }
    }

    server {
        listen 127.0.0.1:%%PORT3%%;
        server_name plain.example;
    }

    server {
        listen 127.0.0.1:%%PORT4%%;
        server_name books.example;
        referral other;
    }

    server {
        listen 127.0.0.1:%%PORT5%%;
        absolute_redirect off;

        location / { return 200 page; }
        location /path { return 301 /pricing; }
        location /own { return 301 http://127.0.0.1:%%PORT5%%/pricing; }
        location /backend { return 301 http://backend.example/pricing; }
        location /shop { return 301 http://shop.example/pricing; }
        location /away { return 301 http://pay.example/pricing; }
        location /policy/proxy {
            add_header Referrer-Policy Same-Origin;
            return 301 /pricing;
        }
        location /found { add_header Location /pricing; return 200; }
    }
CONF

$t->ctl_ok('init');
$t->run_command(undef, $t->{ctl}, '-d', $t->dir . '/other', 'init',
                defined $t->{user} ? ('--owner', $t->{user}) : ());

my $page = $t->ctl_ok('add', 'https://blog.example/2024/launch',
                      '--target', '/pricing');
my $docs = $t->ctl_ok('add', 'https://blog.example/2024/docs',
                      '--target', '/docs/');
my $news = $t->ctl_ok('add', 'news.example');
my $tag = $t->ctl_ok('add', '--tag', 'mail');
$t->ctl_ok('add', '--tag', 'spring');

$t->write_file('html/docs/index.html', 'docs');
$t->start;

my %port = ('shop.example' => 1, 'help.example' => 2, 'half.example' => 2,
            'alias.example' => 1, 'a.wild.example' => 1, 'dot.example' => 1,
            'a.dot.example' => 1);

# As a browser: (redirects followed, where it led).

sub follow {
    my ($host, $uri, @header) = @_;

    my $n = 0;

    for (;;) {
        my $c = $t->connection($t->port($port{$host}));
        my $answer = $c->request('GET', $uri, Host => $host,
                                 Connection => 'close', @header);
        $c->close;
        $n++;

        my $location = $answer->{headers}{location};

        $location =~ tr{\\\t}{/}d if defined $location;

        return ($n, $host . $uri)
            if $answer->{status} !~ /^30[12378]$/ || $n == 5;

        if ($location =~ s{^(?:https?:)?//([^/:]+)(:\d+)?}{}) {
            $host = $1 =~ s/^www\.//r;

        } elsif ($location =~ /^[a-z]+:/) {
            return ($n, $location);
        }

        $location =~ s{^\.\./}{/};
        $uri = $location =~ m{^/} ? $location
               : $uri =~ s{[^/]*$}{$location}r;

        return ($n, $host . $uri) if !exists $port{$host};
    }
}

# One click on a link of a host that matches on any landing: one click, and a
# redirect for each hop that leads to what counts here.

sub one_click {
    my ($uri, $redirects, $end, $host) = @_;

    my ($n, $led);
    my $referer = 'https://news.example/';

    my $changes = counted($t, sub {
        ($n, $led) = follow($host // 'shop.example', $uri,
                            Referer => $referer);
    }, $redirects + 1);

    is($led, $end, "$uri leads to $end");
    is_deeply($changes, { matched => $redirects + 1, host => $redirects + 1,
                          clicks => 1, 'clicks.matched' => 1,
                          $redirects ? (redirects => $redirects) : () },
              "$uri: one click, $redirects redirects");
}

my $pricing = 'shop.example/pricing';

one_click('/pricing', 0, $pricing);
one_click("/to/$_", 1, $pricing) for qw(path absolute https port www);
one_click('/to/query', 1, 'shop.example/pricing?from=old');
one_click('/to/alias', 1, 'alias.example/pricing');
one_click('/to/wild', 1, 'a.wild.example/pricing');
one_click('/to/dot', 1, 'dot.example/pricing');
one_click('/to/under-dot', 1, 'a.dot.example/pricing');
one_click('/to/help', 1, 'help.example/pricing');
one_click('/to/location', 1, 'half.example/pricing');
one_click('/back', 1, $pricing, 'help.example');
one_click('/to/nothing', 1, 'shop.example/contact');
one_click('/to/tab', 1, $pricing);
one_click('/to/elsewhere', 0, 'pay.example/pricing');
one_click('/to/uncounted', 0, 'plain.example/pricing');
one_click('/to/other', 0, 'books.example/pricing');
one_click('/to/mail', 0, 'mailto:sales@shop.example');

# absolute_redirect makes a path of what looks like a host.

one_click('/to/slashes', 1, 'shop.example//pay.example/pricing');

one_click("/off/$_", 1, $pricing) for qw(path relative);
one_click('/off/sideways', 1, 'shop.example/off/pricing');
one_click('/off/slashes', 1, 'help.example/pricing');
one_click('/off/away', 0, 'pay.example/pricing');
one_click('/name/', 1, $pricing);
one_click('/name/', 1, $pricing, 'alias.example');

one_click("/rewrite/$_", 1, $pricing) for qw(permanent redirect named page);
one_click('/rewrite/chain', 2, $pricing);

# Rewritten by proxy_redirect, or left.

one_click('/proxy/path', 1, $pricing);
one_click('/proxy/own', 1, 'shop.example/proxy/pricing');
one_click('/proxy/shop', 1, $pricing);
one_click('/proxy/away', 0, 'pay.example/pricing');
one_click('/proxy/backend', 0, 'backend.example/pricing');
one_click('/proxy-own/backend', 1, $pricing);
one_click('/proxy-off/own', 0, '127.0.0.1/pricing');
one_click('/proxy/found', 0, 'shop.example/proxy/found');

# nginx's own redirect of a directory.

one_click('/docs', 1, 'shop.example/docs/');

# A server that a regex names is not known as one of ours.

one_click('/to/regex', 0, 're1.example/pricing');

# The landing decides: the redirect's own, and the follow-up's.

sub hops_are {
    my ($uri, $referer, $wanted, $name) = @_;

    my $changes = counted($t, sub {
        follow('shop.example', $uri, $referer ? (Referer => $referer) : ());
    }, 2);

    is_deeply($changes, $wanted, $name);
}

my %landing = (matched => 1, landing => 1, clicks => 1, 'clicks.matched' => 1);

hops_are('/to/path', 'https://blog.example/',
         { unregistered => 1, %landing },
         'to a landing with a link: counted there');
hops_are('/docs', 'https://blog.example/',
         { matched => 2, landing => 2, clicks => 1, redirects => 1,
           'clicks.matched' => 1 },
         'a trailing slash is the same landing');
hops_are('/to/tab', 'https://blog.example/',
         { unregistered => 1, 'clicks.unregistered' => 1,
           %landing },
         'a landing that browsers mend: two clicks');
hops_are('/to/backslash', 'https://news.example/',
         { matched => 2, host => 2, clicks => 2, 'clicks.matched' => 2 },
         'a Location with a backslash first: two clicks');
hops_are('/to/path', 'https://blog.example/2024/launch',
         { matched => 2, exact => 2, clicks => 1, redirects => 1,
           clicks_by_page => 1, 'clicks.matched' => 1 },
         'the page is known: it matches at both');
hops_are('/to/nothing', 'https://blog.example/',
         { unregistered => 2, 'clicks.unregistered' => 2 },
         'neither landing has a link');
hops_are('/to/path', '', { direct => 2, 'clicks.direct' => 2 },
         'without a Referer');
hops_are('/to/path?ref=mail', '',
         { matched => 1, direct => 1, tag => 1, clicks => 1,
           clicks_by_tag => 1, 'clicks.matched' => 1, 'clicks.direct' => 1 },
         'a tag the redirect drops: the click is counted before');

# A redirect with a Referrer-Policy: what follows has no Referer of another
# site, or its origin alone.

my $host_page = 'https://news.example/';
my $exact_page = 'https://blog.example/2024/launch';

for my $row ([ $host_page, none => 'clicks' ], [ $host_page, same => 'clicks' ],
             [ $host_page, later => 'clicks' ],
             [ $host_page, earlier => 'redirects' ],
             [ $host_page, origin => 'redirects' ],
             [ $host_page, proxy => 'clicks' ],
             [ $exact_page, origin => 'redirects' ],
             [ $exact_page, 'origin-else' => 'clicks' ],
             [ $host_page, 'tag?ref=mail' => 'redirects' ])     # needs no Referer
{
    my ($referer, $uri, $counter) = @$row;

    is(counted($t, sub {
        $t->get("/policy/$uri", Host => 'shop.example', Referer => $referer);
    })->{$counter}, 1, "Referrer-Policy, $referer, $uri: $counter");
}

# Without a Referer Sec-Fetch-Site may say that another host of ours led there:
# then a tag does not count.

my @same_site = (Host => 'shop.example', 'Sec-Fetch-Dest' => 'document',
                 'Sec-Fetch-Site' => 'same-site');

is_deeply(counted($t, sub {
              $t->get('/policy/ours?ref=spring', @same_site,
                      Referer => 'https://blog.shop.example/');
              $t->get('/pricing?ref=spring', @same_site);
          }, 2), { matched => 1, tag => 1, internal => 1, clicks => 1,
                clicks_by_tag => 1, 'clicks.matched' => 1 },
          'a tag does not count where the site itself led to');

# What no request can tell of the next: docs/operations.md says so.

is_deeply(counted($t, sub {
              follow('shop.example', '/to/off',
                     Referer => 'https://news.example/');
          }), { matched => 1, host => 1, redirects => 1 },
          'to a location that does not count: no click');
hops_are('/to/path?ref=mail', 'https://news.example/',
         { matched => 2, tag => 1, host => 1, redirects => 1, clicks => 1,
           'clicks.matched' => 1 },
         'a tag the redirect drops, and another link explains the Referer');
my $tagged = counters_of($t, $tag);

is_deeply([ $tagged->{redirects}, $tagged->{clicks} ],
          [ 2, 1 ], 'its click is that of the other link');

# A redirect is one for who asks for a page; not for a picture of it.

is_deeply(counted($t, sub {
              $t->get('/to/path', Host => 'shop.example', Accept => 'image/*',
                      Referer => 'https://news.example/');
          }), { matched => 1, host => 1, embeds => 1 }, 'an image that moved');
is_deeply(counted($t, sub {
              $t->get('/to/path', Host => 'shop.example',
                      'Cache-Control' => 'max-age=0',
                      Referer => 'https://news.example/');
          }), { matched => 1, host => 1, reloads => 1 }, 'a reload');

# Before the response a variable has the same answer.

is($t->get('/to/path', Host => 'shop.example',
           Referer => 'https://news.example/')->{headers}{'x-class'},
   'redirect', 'in a header of the redirect itself');
is($t->get('/to/elsewhere', Host => 'shop.example',
           Referer => 'https://news.example/')->{headers}{'x-class'},
   'click', 'and of one that leads away');

# A page nginx shows in place of an error has no Location to follow.

is_deeply(counted($t, sub {
              $t->get('/rewrite/error', Host => 'shop.example',
                      Referer => 'https://news.example/');
          }), { matched => 1, host => 1, clicks => 1,
                'clicks.matched' => 1 }, 'a 302 without Location');

# From https to http, over TLS.

SKIP: {
    my $dir = $t->dir;

    skip 'no openssl or no curl', 3
        if system("command -v openssl curl > /dev/null 2>&1") != 0
           || system("openssl req -x509 -newkey rsa:2048 -nodes -days 2"
                     . " -subj /CN=shop.example -keyout $dir/key.pem"
                     . " -out $dir/cert.pem > /dev/null 2>&1") != 0;

    $t->set_conf(http => $t->{http} =~ s{(location /docs \{ \})}{
        $1
        location /tls/up \{ return 301 https://\$host\$request_uri; \}
    }r =~ s{listen 127\.0\.0\.1:%%PORT3%%;\s+server_name plain\.example;}{
        listen 127.0.0.1:%%PORT3%% ssl%%HTTP2%%;
        server_name shop.example;
        ssl_certificate $dir/cert.pem;
        ssl_certificate_key $dir/key.pem;
        referral main;
        location / \{ return 200 secure; \}
        location /down \{ return 302 http://shop.example/pricing; \}
        location /docs \{ root $dir/html; \}
    }r);
    $t->reload;

    for my $row ([ '/docs', 'clicks', 301 ], [ '/', 'clicks', 200 ],
                 [ '/down', 'redirects', 302 ])
    {
        my ($uri, $counter, $status) = @$row;
        my $port = $t->port(3);
        my $out;

        $counter = 'redirects' if $status == 301;

        my $changes = counted($t, sub {
            (undef, $out) = $t->run_command(undef, 'curl', '-ks', '--noproxy',
                '*', '-o', '/dev/null', '-w', '%{http_code} %{redirect_url}',
                '--resolve', "shop.example:$port:127.0.0.1",
                '-A', 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
                '-H', 'Accept: text/html', '-H', 'Sec-Fetch-Dest: document',
                '-e', 'https://news.example/',
                "https://shop.example:$port$uri");
        });

        is($changes->{$counter}, 1, "https, $uri: $counter ($out)");
    }
}

my $launch = counters_of($t, $page);

is($launch->{clicks}, 4, 'the page link has the clicks made on it');
is(counters_of($t, $docs)->{clicks}, 1, 'so has the other');
is(counters_of($t, $tag)->{clicks}, 1, 'and the tag');

$t->finish;

done_testing;
