#!/usr/bin/perl

# The variables on every way a request can take inside nginx: they agree with
# what is counted, each request is counted once, and what was decided before
# the response stays decided unless the location that counts has other rules.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted links_of settled sum summary);
use Referral::Http2 qw(asked taken_back);
use Referral::Test qw(nginx_has wait_until);


my $backend = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
    or die "no free port: $!\n";
my $backend_port = $backend->sockport;

my $v = '$referral_outcome,$referral_class,$referral_evidence,$referral_name';

my $t = Referral::Test->new(http => <<"CONF");
    %%REGISTRY%%
    referral_registry other %%DIR%%/other counters=%%SHM%%/other.counters
                      flush=1s;

    log_format v '\$request_id \$request_method \$uri \$status $v';

    log_format mirror '\$http_x_v';

    map \$referral_name \$backend {
        default  plain;
        ~^Launch special;
    }

    map \$referral_class \$is_click { default no; click yes; }

    referral main;
    log_subrequest on;

    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT2%%%%HTTP2%%;
        server_name shop.example;
        access_log %%DIR%%/v.log v;

        add_header X-V "$v" always;
        add_header X-Click \$is_click always;
        add_header X-Id \$request_id always;

        location / { return 200 page; }
        location /gone { return 410; }
        location /mapped { return 200 "\$backend \$is_click"; }
        location /if { if (\$referral_name) { return 200 known; }
                       return 200 unknown; }
        location /set { set \$name \$referral_name; return 200 \$name; }

        location /proxied {
            proxy_set_header X-V "$v";
            proxy_pass http://127.0.0.1:%%PORT3%%;
        }
        location /slow {
            proxy_set_header X-V "$v";
            proxy_pass http://127.0.0.1:$backend_port;
        }
        location /late { proxy_pass http://127.0.0.1:$backend_port; }
        location /moves {
            proxy_set_header X-V "$v";
            proxy_pass http://127.0.0.1:$backend_port;
            proxy_intercept_errors on;
            error_page 404 = \@same;
            error_page 403 = \@tags;
        }
        location \@same { return 200 "same $v"; }
        location \@tags { referral_tag via; return 200 "tags $v"; }

        location /rewritten { rewrite ^ /gone last; }
        location /error { error_page 404 /shown; return 404; }
        location /error200 { error_page 404 =200 /shown; return 404; }
        location /shown { return 200 shown; }
        location /named { try_files /none \@named; }
        location \@named { return 200 "$v"; }
        location /other {
            set \$early \$referral_outcome;
            try_files /none \@other;
        }
        location \@other { referral other; return 200 "\$early $v"; }
        location /uncounted { set \$early \$referral_outcome;
                              try_files /none \@uncounted; }
        location \@uncounted { referral off; return 200 "\$early [$v]"; }

        location /checked { auth_request /auth; try_files /none \@named; }
        location /refused { auth_request /no; try_files /none \@named; }
        location /auth { return 200; }
        location /no { if (\$referral_name) { return 403; } return 200; }

        location /mirrored { mirror /mirror;
                             proxy_pass http://127.0.0.1:%%PORT3%%; }
        location /mirror {
            internal;
            proxy_set_header X-V "$v";
            proxy_pass http://127.0.0.1:%%PORT3%%/mirror;
        }

        location /ssi { ssi on; root %%DIR%%/html; }
        location /part { return 200 "<$v>"; }
        location /part/off { referral off; return 200 "<$v>"; }
        location /part/other { referral other; return 200 "<$v>"; }

        location /status { referral off; access_log off;
                           referral_status main; }
        location /status-other { referral off; access_log off;
                                 referral_status other; }
    }

    server {
        listen 127.0.0.1:%%PORT3%%;
        referral off;
        access_log %%DIR%%/backend.log v;
        location / { return 200 \$http_x_v; }
        location = /mirror { access_log %%DIR%%/mirror.log mirror;
                             return 200; }
    }
CONF

my $page = 'https://blog.example/2024/launch';

$t->ctl_ok('init');
$t->run_command(undef, $t->{ctl}, '-d', $t->dir . '/other', 'init',
                defined $t->{user} ? ('--owner', $t->{user}) : ());
my $key = $t->ctl_ok('add', $page, '--name', 'Launch');
$t->ctl_ok('add', '--tag', 'mail', '--name', 'Mail');
$t->write_file('html/ssi/page.html', join ' ', map {
    "<!--#include virtual=\"$_\" -->"
} '/part', '/part/off', '/part/other');
$t->start;

# A request; its answer, what was counted, its line in the log.

sub get {
    my ($uri, %header) = @_;

    my $method = delete $header{Method} // 'GET';
    my $answer;

    my $changes = counted($t, sub {
        $answer = $t->request($method, $uri, Host => 'shop.example',
                              Referer => $page, %header);
    });

    return ($answer, $changes, logged($answer));
}

sub logged {
    my ($answer) = @_;

    my ($id) = ($answer->{headers}{'x-id'} // 'none') =~ /^(\w+)/;
    my ($line) = grep { !m{ /(?:auth|no|part\S*|mirror) } && s/^$id // }
                 split /\n/, $t->read_file('v.log');

    return $line;
}

sub click_is {
    my ($name, $changes) = @_;

    is_deeply($changes, { matched => 1, exact => 1, clicks => 1,
                          clicks_by_page => 1, 'clicks.matched' => 1 },
              "$name: one click");
}

my $match = 'matched,click,exact,Launch';
my ($answer, $changes, $line) = get('/');

click_is('/', $changes);
is($answer->{headers}{'x-v'}, $match, 'in a header');
is($line, "GET / 200 $match", 'in the log');
is($answer->{headers}{'x-click'}, 'yes', 'in a map of the class');

($answer, $changes, $line) = get('/gone');
is_deeply($changes, { matched => 1, exact => 1, errors_4xx => 1 }, 'an error');
is($answer->{headers}{'x-v'}, 'matched,error,exact,Launch',
   'the class of an error in its headers');
is($line, 'GET /gone 410 matched,error,exact,Launch', 'and in the log');

is((get('/mapped'))[0]{body}, 'special yes', 'in maps');
is((get('/mapped', Referer => undef))[0]{body}, 'plain yes',
   'in maps, without a Referer');
is((get('/if'))[0]{body}, 'known', 'in if');
is((get('/if', Referer => undef))[0]{body}, 'unknown', 'in if, empty');
is((get('/set'))[0]{body}, 'Launch', 'in set');
is((get('/proxied'))[0]{body}, $match, 'in proxy_set_header');
is((get('/proxied', 'User-Agent' => 'curl/8.5.0'))[0]{body},
   'matched,bot,exact,Launch', 'a robot is known before there is a status');
is((get('/proxied', 'Sec-Purpose' => 'prefetch'))[0]{body},
   'matched,prefetch,exact,Launch', 'so is a prefetch');

# Ways inside nginx.

for my $row ([ '/rewritten', 410, '/gone', 'error' ],
             [ '/error', 404, '/shown', 'error' ],
             [ '/error200', 200, '/shown', 'click' ],
             [ '/named', 200, '/named', 'click' ],
             [ '/checked', 200, '/checked', 'click' ],
             [ '/refused', 403, '/refused', 'error' ],
             [ '/mirrored', 200, '/mirrored', 'click' ],
             [ '/ssi/page.html', 200, '/ssi/page.html', 'click' ])
{
    my ($uri, $status, $logged, $class) = @$row;

    ($answer, $changes, $line) = get($uri);

    is($answer->{status}, $status, "$uri: $status");
    is($line, "GET $logged $status matched,$class,exact,Launch",
       "$uri: the log");
    is_deeply($changes, { matched => 1, exact => 1,
                          $class eq 'error' ? (errors_4xx => 1)
                          : (clicks => 1, clicks_by_page => 1,
                             'clicks.matched' => 1) }, "$uri: counted once");
}

ok(wait_until(sub { $t->read_file('mirror.log') eq "$match\n" }, 5),
   'the mirror was told')
    or diag($t->read_file('mirror.log'));
is((get('/ssi/page.html'))[0]{body}, "<$match> <$match> <$match>",
   'parts of a page tell of the visit, whatever counts there');
is(scalar(grep { m{ /part} } split /\n/, $t->read_file('v.log')), 6,
   'log_subrequest is on');

# Another registry, or none, at the last location.

is_deeply(counted($t, sub {
              ($answer) = $t->get('/other', Host => 'shop.example',
                                  Referer => $page);
          }, 1, '/status-other'),
          { unregistered => 1, 'clicks.unregistered' => 1 },
          'the last registry counts');
is($answer->{body}, 'matched unregistered,click,,',
   'and what was decided before is not kept');

is_deeply(counted($t, sub {
              $answer = $t->get('/uncounted', Referer => $page);
              $t->get('/');
          }), { direct => 1, 'clicks.direct' => 1 }, 'where nothing counts');
is($answer->{body}, 'matched [,,,]', 'and the variables are empty');

# Methods and protocols.

($answer, $changes, $line) = get('/', Method => 'HEAD');
is_deeply($changes, { matched => 1, exact => 1, other => 1 }, 'HEAD');
is($answer->{headers}{'x-v'}, 'matched,other,exact,Launch', 'HEAD: a header');
is($line, 'HEAD / 200 matched,other,exact,Launch', 'HEAD: the log');

my @referers = ($page, 'https://x.example/', 'nonsense', $page,
                'https://shop.example/');
my @answers;

$changes = counted($t, sub {
    my $c = $t->connection;
    $c->send(join '', map {
        $c->format_request('GET', '/', Host => 'shop.example', Referer => $_)
    } @referers);
    @answers = map { $c->read_response->{headers}{'x-v'} } @referers;
    $c->close;
}, scalar @referers);

is_deeply(\@answers, [ $match, 'unregistered,click,,', 'malformed,,,', $match,
                       'internal,,,' ], 'pipelined: each its own');
is_deeply($changes, { matched => 2, exact => 2, clicks => 2, internal => 1,
                      clicks_by_page => 2, unregistered => 1, malformed => 1,
                      'clicks.matched' => 2, 'clicks.unregistered' => 1 },
          'pipelined: each counts');

# HTTP/2: several streams at once, one of them cancelled.

SKIP: {
    skip 'no HTTP/2 in nginx', 4 unless nginx_has('http_v2_module');

    click_is('HTTP/2', counted($t, sub { http2('/') }));
    is_deeply(counted($t, sub { http2(qw(/ /gone /ssi/page.html /part)) }, 4),
              { matched => 4, exact => 4, clicks => 3, clicks_by_page => 3,
                errors_4xx => 1, 'clicks.matched' => 3 },
              'HTTP/2: streams of one connection');
    is_deeply(counted($t, sub {
                  my $c = Referral::Http2->new($t->port(2));

                  $c->send(asked(1, '/slow', referer => $page));
                  my $asked = $backend->accept;

                  $c->send(taken_back(1));

                  # not before: a backend that is gone would be a 502
                  wait_until(sub { $t->read_file('v.log') =~ m{/slow 499} },
                             30);
                  close $asked;
                  $c->close;
              }), { matched => 1, exact => 1, other => 1 },
              'HTTP/2: a stream that is cancelled (499)');
    like($t->read_file('v.log'), qr{GET /slow 499 matched,other,exact,Launch\n},
         'HTTP/2: the log');
}

# A client that leaves.

is_deeply(counted($t, sub {
              my $c = $t->connection;
              $c->send_request('GET', '/slow', Host => 'shop.example',
                               Referer => $page);
              my $asked = $backend->accept;
              $c->close;
          }), { matched => 1, exact => 1, other => 1 },
          'a client that leaves (499)');
is((grep { / 499 / } split /\n/, $t->read_file('v.log'))[-1]
       =~ s/^\w+ //r, 'GET /slow 499 matched,other,exact,Launch',
   'which the log has, too');

# What was decided before the response stays, though the link is gone meanwhile.

sub removed_meanwhile {
    my ($uri, $status) = @_;

    my ($c, $answer);

    my $changes = counted($t, sub {
        $c = $t->connection;
        $c->send_request('GET', $uri, Host => 'shop.example',
                         Referer => $page, Connection => 'close');

        my $asked = $backend->accept;
        my $text = '';

        sysread $asked, $text, 8192, length $text
            while $text !~ /\r\n\r\n/;

        $t->ctl_ok('rm', $key);
        wait_until(sub { !links_of($t)->{$key} }, 5);

        syswrite $asked, "HTTP/1.0 $status x\r\nContent-Length: 2\r\n\r\nok";
        close $asked;

        $answer = $c->read_response;
        $c->close;
    });

    $t->ctl_ok('add', $page, '--name', 'Launch');
    wait_until(sub { links_of($t)->{$key} }, 5);

    return ($answer, $changes);
}

my %gone = (unregistered => 1, 'clicks.unregistered' => 1);
my %kept = (matched => 1, exact => 1, clicks => 1, clicks_by_page => 1,
            'clicks.matched' => 1);

($answer, $changes) = removed_meanwhile('/slow', 200);
is_deeply($changes, \%kept, 'asked for before: what was said is counted');

($answer, $changes) = removed_meanwhile('/late', 200);
is_deeply($changes, \%gone, 'not asked for: decided at the end');

($answer, $changes) = removed_meanwhile('/moves', 404);
is($answer->{body} =~ s/,.*//r, 'same matched',
   'a location of the same rules says the same');
is_deeply($changes, \%kept, 'and it is counted');

($answer, $changes) = removed_meanwhile('/moves', 403);
is($answer->{body} =~ s/,.*//r, 'tags unregistered',
   'a location of other rules decides anew');
is_deeply($changes, \%gone, 'and that is counted');

my $summary = summary($t);

is($summary->{health}{$_}, 0, "no $_") for qw(lookup_errors overflow);
is(sum($summary->{evidence}), $summary->{outcomes}{matched},
   'each match has its evidence');

$t->finish;

done_testing;


# Requests for the paths in streams 1, 3, ... of one connection; waits for the
# answers.

sub http2 {
    my (@paths) = @_;

    my $c = Referral::Http2->new($t->port(2));
    my $stream = -1;

    $c->send(join '', map { asked($stream += 2, $_, referer => $page) } @paths);
    $c->answers(scalar @paths);
    $c->close;
}
