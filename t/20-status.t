#!/usr/bin/perl

# The status tree: every path of it, every field, every way to be refused.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(link_of settled);
use Referral::Test;


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%
    referral_registry second %%DIR%%/second counters=%%SHM%%/second.counters
                      flush=1s;

    server {
        listen 127.0.0.1:%%PORT%%;
        location / { referral main; return 200; }
        location /status { referral_status main; }
        location /tree/ { referral_status main; }
        location = /exact { referral_status main; }
        location ^~ /all { referral_status all; }
    }
CONF

my $page = 'https://blog.example/2024/launch';

$t->ctl_ok('init');
$t->run_command(undef, $t->{ctl}, '-d', $t->dir . '/second', 'init',
                defined $t->{user} ? ('--owner', $t->{user}) : ());

my $key = $t->ctl_ok('add', $page, '--target', '/pricing',
    '--name', 'Launch post', '--channel', 'guest posting', '--partner', 'Acme',
    '--placement', 'content', '--rel', 'follow', '--authority', 55,
    '--anchor', 'pricing', '--label', 'q4', '--label', 'eu',
    '--note', 'a note', '--cost', '12.50', '--listed-first', '2026-01-02',
    '--tag', 'spring');
my $bare = $t->ctl_ok('add', 'news.example', '--match-type', 'host');

$t->start;
$t->get('/pricing', Referer => $page) for 1 .. 3;
$t->get('/other', Referer => $page);

# The answer as a whole.

my $answer = $t->get('/status', Accept => 'application/json');

is($answer->{status}, 200, 'the summary');
like($answer->{headers}{'content-type'}, qr{^application/json}, 'is JSON');
is($answer->{headers}{'cache-control'}, 'no-store', 'that is not cached');

my $summary = settled($t, 4);
my $time = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

is_deeply([ sort keys %$summary ],
          [ qw(classes clicks evidence health links now outcomes registry
               states top version write) ], 'members of the summary');
is($summary->{registry}, 'main', 'the name of the registry');
like($summary->{version}, qr/^\d+\.\d+\.\d+$/, 'the version');
like($summary->{now}, $time, 'the time');
is_deeply($summary->{links}, { registered => 2, active => 1 }, 'links');
is_deeply($summary->{outcomes},
          { direct => 0, hidden => 0, internal => 0, malformed => 0,
            matched => 4, ambiguous => 0, unregistered => 0, skipped => 0 },
          'outcomes');
is_deeply($summary->{clicks},
          { direct => 0, hidden => 0, matched => 4, ambiguous => 0,
            unregistered => 0 }, 'clicks');
is_deeply($summary->{evidence},
          { tag => 0, exact => 4, regex => 0, prefix => 0, landing => 0,
            host => 0, domain => 0 }, 'evidence');

my $bytes = delete $summary->{classes}{bytes};

cmp_ok($bytes, '>', 400, 'bytes');
is_deeply($summary->{classes},
          { clicks => 4, reloads => 0, redirects => 0, errors_4xx => 0,
            errors_5xx => 0, embeds => 0, prefetches => 0, bots => 0,
            other => 0, clicks_by_tag => 0, clicks_by_page => 4,
            other_landing => 1 }, 'classes');

my $health = $summary->{health};

is($health->{$_}, 'ok', "health: $_") for qw(registry ledger counters);
is($health->{$_}, 0, "health: no $_")
    for qw(flush_errors overflow lookup_errors);
cmp_ok($health->{$_}, '>', 0, "health: $_") for qw(capacity readers);

Referral::Test::wait_until(sub {
    defined $t->get_json('/status')->{health}{flush_age_ms}
}, 5);
like($t->get_json('/status')->{health}{flush_age_ms}, qr/^\d+$/,
     'health: the age of the last flush');

is_deeply([ map { $_->{key} } @{ $summary->{top} } ], [ $key, $bare ],
          'the links with most clicks first');

# A link.

my $link = link_of($t, $key);

like(delete $link->{$_}, $time, "$_ is a time")
    for qw(created first_seen last_seen);
like(delete $link->{state_since} // '', qr/^(?:\d{4}-\d\d-\d\dT00:00:00Z)?$/,
     'since when it is in its state: a day, if it was judged already');
cmp_ok(delete $link->{counters}{bytes}, '==', $bytes, 'its bytes');

is_deeply($link, {
    key => $key, source => $page, match_type => 'exact',
    target => '/pricing', tag => 'spring', name => 'Launch post',
    channel => 'guest-post', origin => 'created', partner => 'Acme',
    placement => 'content', rel => 'follow', authority => 55,
    anchor => 'pricing', labels => [ 'eu', 'q4' ], note => 'a note',
    cost => 12.5, listed_first => '2026-01-02', listed_last => undef,
    state => 'active', groups => [], counters => $summary->{classes},
}, 'a link with all its fields') or diag(explain($link));

my $text = $t->get("/status/links/$key")->{body};

like($text, qr/"authority":55[,}]/, 'a number is a number');
like($text, qr/"cost":12\.50[,}]/, 'so are costs');

$link = link_of($t, $bare);
is($link->{$_}, undef, "$_ is null where there is none")
    for qw(authority cost listed_first first_seen last_seen);
is_deeply($link->{labels}, [], 'no labels');
is($link->{channel}, 'unassigned', 'the channel has a default');
is($link->{origin}, 'other', 'and the origin');

is($t->get_json('/status/links/' . uc $key)->{key}, $key,
   'a key in upper case');

# Paths: slashes do not matter.

for my $path (qw(/status /status/ /status// /status? /status?format=json
                 /tree/ /tree// /exact))
{
    is($t->get_json($path)->{registry}, 'main', $path);
}

for my $path (qw(/status/links /status/links/ /status//links /tree/links
                 /status/links?format=json /status/links?
                 /status/links?limit=10&sort=clicks&order=desc&after=
                 /status/%6Cinks))
{
    is(scalar @{ $t->get_json($path)->{links} }, 2, $path);
}

is($t->get_json("/tree/links/$key")->{key}, $key, 'a link below /tree/');
is($t->get_json("/status/links/$key/?format=json")->{key}, $key,
   'a link with a slash behind it');

# All registries.

is_deeply($t->get_json('/all'), { registries => [ 'main', 'second' ] },
          'all: the list');
is_deeply($t->get_json('/all/'), { registries => [ 'main', 'second' ] },
          'all: with a slash');
is($t->get_json('/all/main')->{outcomes}{matched}, 4, 'all: a registry');
is($t->get_json('/all/second')->{outcomes}{matched}, 0, 'all: another');
is($t->get_json('/all/second/')->{registry}, 'second', 'all: its name');
is(scalar @{ $t->get_json('/all/main/links')->{links} }, 2, 'all: links');
is($t->get_json("/all/main/links/$key")->{key}, $key, 'all: a link');

# HEAD answers as GET does, without the body.

for my $path ('/status?format=json', '/status/links', "/status/links/$key",
              '/all?format=json')
{
    my $head = $t->request('HEAD', $path);

    is($head->{status}, 200, "HEAD $path");
    like($head->{headers}{'content-type'}, qr{^application/json},
         'the same type');

    # Were there a body after all, the next answer would begin with it.

    my $c = $t->connection;

    $c->request('HEAD', $path);

    my $get = $c->request('GET', $path);

    is($get->{status}, 200, 'GET on the same connection');
    ok(defined eval { JSON::PP->new->utf8->decode($get->{body}) },
       'has its own answer') or diag($get->{body});
    $c->close;
}

is($t->request('HEAD', '/status/none')->{status}, 404, 'HEAD of nothing');

# HTTP/1.0 has no chunks; keepalive goes on after each answer.

my $old = $t->raw("GET /status/links HTTP/1.0\r\n\r\n");

like($old, qr/^HTTP\S+ 200 /, 'HTTP/1.0');
unlike($old, qr/^Transfer-Encoding/mi, 'without chunks');
$old =~ s/.*?\r\n\r\n//s;
is(scalar @{ JSON::PP->new->decode($old)->{links} }, 2, 'and whole');

my $c = $t->connection;
my @paths = ('/status', '/status/none', '/status/links', '/all');

$c->send_request('GET', $_) for (@paths) x 3;
is_deeply([ map { $c->read_response->{status} } (@paths) x 3 ],
          [ (200, 404, 200, 200) x 3 ], 'pipelined');
$c->close;

# Errors: [ path, status, code ].

my @errors = (
    [ '/status/none', 404, 'PathUnknown' ],
    [ '/status/linksx', 404, 'PathUnknown' ],
    [ '/status/Links', 404, 'PathUnknown' ],
    [ "/status/links/$key/none", 404, 'PathUnknown' ],
    [ "/status/links/$key/history/x", 404, 'PathUnknown' ],
    [ "/status/none/$key", 404, 'PathUnknown' ],
    [ '/statusx', 404, 'PathUnknown' ],
    [ '/all/none', 404, 'RegistryUnknown' ],
    [ '/all/mai', 404, 'RegistryUnknown' ],
    [ '/all/maine/links', 404, 'RegistryUnknown' ],
    [ '/all/main/none', 404, 'PathUnknown' ],
    [ '/status/links/0000000000000000', 404, 'LinkUnknown' ],
    [ '/status/links/ffffffffffffffff', 404, 'LinkUnknown' ],
    [ '/status/links/' . substr($key, 0, 15), 404, 'LinkUnknown' ],
    [ "/status/links/${key}0", 404, 'LinkUnknown' ],
    [ '/status/links/nonsense', 404, 'LinkUnknown' ],
    [ '/status/links/%00', 400, undef ],
    [ '/status?sort=clicks', 400, 'ParameterUnknown' ],
    [ '/status?x', 400, 'ParameterUnknown' ],
    [ "/status/links/$key?limit=1", 400, 'ParameterUnknown' ],
    [ '/all?limit=1', 400, 'ParameterUnknown' ],
    [ '/status/links?state=broken', 400, 'ParameterInvalid' ],
    [ '/status/links?Sort=clicks', 400, 'ParameterUnknown' ],
    [ '/status/links?' . 'x' x 500, 400, 'ParameterUnknown' ],
    [ '/status/links?%ff%22=1', 400, 'ParameterUnknown' ],
    [ "/status/links?\x80\"\\=1", 400, 'ParameterUnknown' ],
    (map { [ "/status/links?$_", 400, 'ParameterInvalid' ] }
     qw(sort= sort=name sort=CLICKS order= order=up limit= limit=0 limit=-1
        limit=10001 limit=1x limit=99999999999999999999 limit=ALL
        after=x after=1 after=-1 after=1-2 after=g000000000000000
        after=00000000000000000 after=x-0000000000000000
        after=99999999999999999999-0000000000000000)),
    [ '/status?format=xml', 406, 'FormatUnavailable' ],
    [ '/all?format=csv', 406, 'FormatUnavailable' ],
    [ '/status/links?format=html', 406, 'FormatUnavailable' ],
    [ "/status/links/$key?format=prometheus", 406, 'FormatUnavailable' ],
    [ '/all?format=xml', 406, 'FormatUnavailable' ],
    [ '/status?format=', 406, 'FormatUnavailable' ],
);

for my $row (@errors) {
    my ($path, $status, $code) = @$row;
    (my $name = length $path > 60 ? substr($path, 0, 60) : $path)
        =~ s/([^ -~])/sprintf '\x%02x', ord $1/ge;

    my $answer = $t->get($path);

    is($answer->{status}, $status, "$name: $status");
    next unless defined $code;

    my $json = eval { JSON::PP->new->utf8->decode($answer->{body}) };

    is_deeply([ sort keys %{ $json // {} } ], [ 'error', 'request_id' ],
              'with an error body') or diag($answer->{body});
    is($json->{error}{status}, $status, 'that has the status');
    is($json->{error}{code}, $code, "and the code $code");
    isnt($json->{error}{text}, '', 'and says why');
    like($json->{request_id}, qr/^[0-9a-f]{32}$/, 'and which request it was');
}

for my $method (qw(POST PUT DELETE PATCH OPTIONS)) {
    for my $path ('/status', '/status/links', "/status/links/$key", '/all') {
        my $answer = $t->request($method, $path, Body => '{}');

        is($answer->{status}, 405, "$method $path: 405");
        is($answer->{headers}{allow}, 'GET, HEAD', 'Allow says what is');
        is(JSON::PP->new->decode($answer->{body})->{error}{code},
           'MethodNotAllowed', 'with its code');
    }
}

# A body nobody asked for is read over.

$c = $t->connection;
is($c->request('GET', '/status', Body => 'x' x 100_000)->{status}, 200,
   'GET with a body');
is($c->request('POST', '/status', Body => 'x' x 100_000)->{status}, 405,
   'POST with a large one');
is($c->request('GET', '/status')->{status}, 200, 'and the next request');
$c->close;

is(settled($t, 4)->{outcomes}{direct}, 0, 'readers are no visitors');

# Lists are read back by import, links of a period as well; a page is not.

my @second = ($t->{ctl}, '-d', $t->dir . '/second');
my $period = 'from=2020-01-01&compare=previous';

for my $path ("/links/$key", "/links/$key?$period", '/links',
              '/links?limit=all', "/links?$period",
              "/links?limit=all&$period")
{
    my ($exit, $out, $err) = $t->run_command($t->get("/status$path")->{body},
                                             @second, 'import', '-', '--sync');
    my $wanted = $path =~ /$key/ ? 1 : 2;

    is("$exit|$err", '0|', "import reads $path");
    like($out, qr/ → $wanted links? /, 'all of it');
}

my $first = $t->get("/status/links?limit=1&$period")->{body};
my ($exit, $out, $err) = $t->run_command($first, @second, 'import', '-',
                                         '--sync');
is($exit, 1, 'a page of links is refused');
like($err, qr/it is a page of a longer list/, 'and why');

($exit, $out) = $t->run_command(undef, @second, 'export');
is($out =~ tr/\n//, 3, 'so --sync with it removes none');

$t->finish;

done_testing;
