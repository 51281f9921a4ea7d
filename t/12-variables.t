#!/usr/bin/perl

# The variables: in the log, in headers to the client and to a backend, in a
# map, in a subrequest; empty where they do not apply.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted summary);
use Referral::Test;


my @names = qw(outcome class evidence link name channel partner);
my $header = join '|', map { "\$referral_$_" } @names;

my $t = Referral::Test->new(http => <<"CONF");
    %%REGISTRY%%

    log_format decision '\$uri [$header]';

    map \$referral_channel \$landing_kind {
        default       ordinary;
        guest-post    guest;
    }

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;
        access_log %%DIR%%/decision.log decision;

        referral main;

        add_header X-Decision "$header" always;
        add_header X-Channel \$referral_channel;

        location / { return 200; }
        location = /moved { return 301 /; }
        location = /gone { return 410; }
        location = /mapped { return 200 \$landing_kind; }
        location = /off { referral off; return 200; }

        location = /inner {
            error_page 418 = \@other_site;
            set \$early \$referral_outcome;
            return 418;
        }
        location \@other_site {
            referral other;
            add_header X-Early \$early;
            add_header X-Decision "$header" always;
            return 200;
        }

        location = /proxied {
            proxy_set_header X-Decision "$header";
            proxy_set_header X-Partner \$referral_partner;
            proxy_pass http://127.0.0.1:%%PORT2%%;
        }

        location = /ssi.html {
            root %%DIR%%/html;
            ssi on;
        }
        location = /part {
            return 200 "$header";
        }

        location /status { referral_status main; }
        location /other { referral_status other; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        return 200 "\$http_x_decision,\$http_x_partner";
    }

    referral_registry other %%DIR%%/other counters=%%SHM%%/other.counters
                      flush=1s;
CONF

$t->ctl_ok('init');
$t->run_command(undef, $t->{ctl}, '-d', $t->dir . '/other', 'init',
                defined $t->{user} ? ('--owner', $t->{user}) : ());

my $page = 'https://blog.example/2024/launch';
my $key = $t->ctl_ok('add', $page, '--name', 'Launch "post"',
                     '--channel', 'guest-post', '--partner', 'Acme & Söhne');
my $bare = $t->ctl_ok('add', 'news.example', '--match-type', 'host');

$t->ctl_ok('add', 'https://twins.example/page', '--target', '/a');
$t->ctl_ok('add', 'https://twins.example/page', '--target', '/b');

$t->write_file('html/ssi.html', '<!--#include virtual="/part" -->');
$t->start;

sub decision {
    my ($uri, @header) = @_;

    return $t->get($uri, Host => 'shop.example', @header)
             ->{headers}{'x-decision'};
}

my $fields = "$key|Launch \"post\"|guest-post|Acme & Söhne";

is(decision('/', Referer => $page), "matched|click|exact|$fields",
   'a match with all there is');
is(decision('/', Referer => 'https://news.example/a'),
   "matched|click|host|$bare||unassigned|",
   'fields the link does not have are empty');
is(decision('/moved', Referer => $page), "matched|redirect|exact|$fields",
   'a redirect');
is(decision('/gone', Referer => $page), "matched|error|exact|$fields",
   'an error');
is($t->request('HEAD', '/', Referer => $page)->{headers}{'x-decision'},
   "matched|other|exact|$fields", 'another method');
is(decision('/', Referer => 'https://twins.example/page'),
   'ambiguous|click|||||', 'an ambiguous request names no link');
is(decision('/', Referer => 'https://x.example/'), 'unregistered|click|||||',
   'unregistered');
is(decision('/'), 'direct|click|||||', 'direct');
is(decision('/', Referer => 'https://shop.example/'), 'internal||||||',
   'an internal request has no class');
is(decision('/', Referer => 'nonsense'), 'malformed||||||',
   'a malformed Referer neither');
is(decision('/off', Referer => $page), '||||||',
   'all are empty where nothing counts');
is($t->get('/off', Referer => $page)->{headers}{'x-channel'}, undef,
   'an empty value adds no header');
is($t->get('/', Referer => $page)->{headers}{'x-channel'}, 'guest-post',
   'one that is not empty does');

is($t->get('/mapped', Referer => $page)->{body}, 'guest', 'in a map');
is($t->get('/mapped')->{body}, 'ordinary', 'in a map, when empty');

like($t->get('/proxied', Referer => $page)->{body},
     qr/^matched\|[a-z]*\|exact\|\Q$fields\E,Acme & Söhne$/,
     'to a backend, before there is a status');
like($t->get('/proxied')->{body}, qr/^direct\|[a-z]*\|\|\|\|\|,$/,
     'to a backend, when empty');

like($t->get('/ssi.html', Referer => $page)->{body},
     qr/^matched\|[a-z]*\|exact\|\Q$fields\E$/,
     'a subrequest tells of the visit');

my $answer;

is_deeply(counted($t, sub {
              $answer = $t->get('/inner', Referer => $page);
          }, 1, '/other'), { unregistered => 1, 'clicks.unregistered' => 1 },
          'the registry of the last location counts');
is($answer->{headers}{'x-early'}, 'matched',
   'a variable asked for before tells of the location it was asked in');
is($answer->{headers}{'x-decision'}, 'unregistered|click|||||',
   'and after the redirect of the new one');

my @log = grep { !m{^/(?:status|other)} } split /\n/,
          $t->read_file('decision.log');

# nginx writes bytes a log may not hold as \xXX, and "-" where nothing is
my $logged = $fields;
$logged =~ s/(["\x80-\xff])/sprintf '\x%02X', ord $1/ge;

is($log[0], "/ [matched|click|exact|$logged]", 'in the log');
is((grep { m{^/gone} } @log)[0], "/gone [matched|error|exact|$logged]",
   'in the log the class is final');
is((grep { m{^/off} } @log)[0], '/off [-|-|-|-|-|-|-]',
   'in the log, where nothing counts');

$t->ctl_ok('set', $key, 'name=New name', 'partner=');

Referral::Test::wait_until(sub { decision('/', Referer => $page) =~ /New/ },
                           5);
is(decision('/', Referer => $page),
   "matched|click|exact|$key|New name|guest-post|", 'fields that changed');

$t->finish;

done_testing;
