#!/usr/bin/perl

# Links registered, changed and removed over HTTP: what is written, what is
# refused and how, and that nobody waits for a writer: neither nginx, nor one
# who comes for something else.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of settled summary);
use Referral::Hold;
use Referral::Test qw(nginx_has wait_until SLOWER);


use constant {
    DELAY => SLOWER,             # seconds a held lock may cost others
    EXIT => 2.5 * SLOWER,        # seconds; nginx kills after about 3.15
    QUEUE => 16,
};

my $t = Referral::Test->new(workers => 1, http => <<'CONF');
    %%REGISTRY%%
    referral_registry other %%DIR%%/other counters=%%SHM%%/other.counters;

    client_max_body_size 9m;

    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT2%%%%HTTP2%%;
        server_name localhost *.shop.example;
        keepalive_requests 100000;
        referral main;
        location / { return 200; }
        location /status { referral_status main write=on; }
        location /read { referral_status main write=off; }
        location /silent { referral_status main; }
        location /all { referral_status all write=on; }

        location /small {
            client_max_body_size 1k;
            referral_status main write=on;
        }
    }
CONF

my $json = JSON::PP->new->utf8->canonical;
my ($writer, $clicks) = (undef, 0);

$t->ctl_ok('init');
$t->start;
wait_until(sub { summary($t)->{health}{ledger} eq 'ok' }, 20)
    or die "no ledger\n";

ok(summary($t)->{write}, 'the summary says that writes are on');
ok(!$t->get_json($_)->{write}, "$_: or off") for qw(/read /silent);

# One link.

my $source = 'https://blog.example/2024/launch';

my $answer = write_json('POST', '/status/links', {
    source => $source, target => '/pricing', name => "J\x{e9} \x{1f600}</b>\"",
    channel => 'guest posting', partner => 'Acme', authority => 55,
    labels => [ 'q4', 'a', 'q4' ], cost => 12.5, note => undef,
    listed_first => '2026-01-02',
});

is($answer->{status}, 201, 'a link is added');
like($answer->{headers}{'content-type'}, qr{^application/json}, 'as JSON');
is($answer->{headers}{'cache-control'}, 'no-store', 'that is not cached');

my $link = $answer->{json};

is_deeply({ map { $_ => $link->{$_} }
            qw(source match_type target channel origin partner authority
               labels cost note listed_first first_seen) },
          { source => $source, match_type => 'exact', target => '/pricing',
            channel => 'guest-post', origin => 'created', partner => 'Acme',
            authority => 55, labels => [ 'a', 'q4' ], cost => 12.5,
            note => '', listed_first => '2026-01-02', first_seen => undef },
          'with what was sent, and what follows from it');
is($link->{name}, "J\x{e9} \x{1f600}</b>\"", 'and its name');

# The keeper says since when, a moment later.

is(delete $link->{state_since}, undef, 'of its state nothing is known yet');

my $got = $t->get_json("/status/links/$link->{key}");
my $shown = $json->decode($t->ctl_ok('--json', 'show', $link->{key}));

delete $_->{state_since} for $got, $shown;
is_deeply($got, $link, 'it is what GET shows');
is_deeply($shown, $link, 'and the command');

# It counts from the very next request on.

click($source) for 1 .. 3;
is(counters_of($t, $link->{key})->{clicks}, 3, 'it counts at once');
is(settled($t, $clicks)->{health}{overflow}, 0, 'in a cell of its own');

# Once more.

$answer = write_json('POST', '/status/links', { source => "$source/",
                                                target => '/pricing/' });
refused($answer, 409, 'LinkExists', 'the same link');
like($answer->{json}{error}{text}, qr/\b$link->{key}\b/, 'its key is named');

# Sent back as it was shown, once it was removed.

is(write_json('DELETE', "/status/links/$link->{key}")->{status}, 204,
   'it is removed');
is($t->get("/status/links/$link->{key}")->{status}, 404, 'it is gone');
refused(write_json('DELETE', "/status/links/$link->{key}"), 404,
        'LinkUnknown', 'it cannot be removed twice');
refused(write_json('PATCH', "/status/links/$link->{key}", {}), 404,
        'LinkUnknown', 'nor changed');
click($source);
is(summary($t)->{outcomes}{unregistered}, 1, 'it matches nothing now');

$answer = write_json('POST', '/status/links', $link);
is($answer->{status}, 201, 'it is added as it was shown');
is($answer->{json}{counters}{clicks}, 3, 'with its old totals');
is($answer->{json}{key}, $link->{key}, 'under its old key');

# Changed.

$answer = write_json('PATCH', "/status/links/$link->{key}",
                     { name => 'New', cost => undef, labels => [],
                       tag => 'spring', authority => '7' });
is($answer->{status}, 200, 'it is changed');
is_deeply({ map { $_ => $answer->{json}{$_} }
            qw(name cost labels tag authority partner source) },
          { name => 'New', cost => undef, labels => [], tag => 'spring',
            authority => 7, partner => 'Acme', source => $source },
          'what was sent, and nothing else');
$got = $t->get_json("/status/links/$link->{key}");
delete $_->{state_since} for $got, $answer->{json};
is_deeply($got, $answer->{json}, 'it is what GET shows');
$t->get('/pricing?ref=spring');
$clicks++;
settled($t, $clicks);
is(counters_of($t, $link->{key})->{clicks_by_tag}, 1, 'its new tag counts');

for ([ { source => 'https://x.example/' }, 'source' ],
     [ { match_type => undef }, 'match_type' ],
     [ { target => '/' }, 'target' ], [ { key => 'x' }, 'key' ],
     [ { counters => {} }, 'counters' ], [ { color => 1 }, 'color' ],
     [ { name => 'x', authority => 101 }, 'authority' ])
{
    my ($body, $field) = @$_;

    $answer = write_json('PATCH', "/status/links/$link->{key}", $body);
    refused($answer, 400, 'FieldInvalid', "a change of $field");
    like($answer->{json}{error}{text}, qr/^$field\b/, 'and it is named');
}

is($t->get_json("/status/links/$link->{key}")->{name}, 'New',
   'of a change that is refused nothing is done');
refused(write_json('PATCH', "/status/links/$link->{key}", [ {} ]), 400,
        'BodyInvalid', 'a change by an array');

# Several, which share their host and target: groups.

$answer = write_json('POST', '/status/links', [
    map { { source => "https://group.example/$_", target => '/pricing' } }
    1 .. 3 ]);
is($answer->{status}, 201, 'three are added');
is_deeply([ map { $_->{source} } @{ $answer->{json}{links} } ],
          [ map { "https://group.example/$_" } 1 .. 3 ], 'in their order');
is_deeply([ map { $_->{groups}[0]{links} } @{ $answer->{json}{links} } ],
          [ 3, 3, 3 ], 'each with the group it is in when all are there');

# All or nothing.

my $before = registered();

$answer = write_json('POST', '/status/links', [
    { source => 'https://new.example/1' }, { source => 'new.example' },
    { source => $source, target => '/pricing' } ]);
refused($answer, 409, 'LinkExists', 'one of three that exists');
like($answer->{json}{error}{text}, qr/^links\[2\].*\b$link->{key}\b/,
     'it says which one');

$answer = write_json('POST', '/status/links', [
    { source => 'https://new.example/1' }, { source => 'new.example' },
    { source => 'https://NEW.example:443/1' } ]);
refused($answer, 409, 'LinkExists', 'one that is sent twice');
like($answer->{json}{error}{text}, qr/^links\[2\].*links\[0\]/, 'it says so');

$answer = write_json('POST', '/status/links', [
    { source => 'https://new.example/1' }, {}, {},
    { source => 'https://new.example/2', target => 'ftp://x' } ]);
refused($answer, 400, 'FieldInvalid', 'one that is no link');
like($answer->{json}{error}{text}, qr/^links\[1\]\./, 'the first is named');

$answer = write_json('POST', '/status/links', [
    { source => 'https://new.example/1' },
    { source => 'a.example/(', match_type => 'regex' } ]);
refused($answer, 400, 'FieldInvalid', 'a pattern that does not compile');

is(registered(), $before, 'of none of these anything is registered');

# The command says the same of the same link.

for my $bad ({ source => 'https://a b/' }, { source => '' },
             { source => 'https://a.example/', authority => 'x' },
             { source => 'https://a.example/', channel => 'Guest!' },
             { source => 'https://a.example/', rel => 'maybe' },
             { source => 'https://a.example/', listed_last => '2026-02-30' },
             { source => 'https://a.example/', name => 'x' x 257 },
             { source => 'https://a.example/' . 'x' x 4096 },
             { source => 'https://a.example/?x', match_type => 'prefix' })
{
    my %option = %$bad;
    my $url = delete $option{source};
    my (undef, undef, $said) = $t->ctl('add', $url, map {
        my $name = $_;
        $name =~ tr/_/-/;
        ("--$name", $option{$_})
    } sort keys %option);

    $answer = write_json('POST', '/status/links', $bad);
    refused($answer, 400, 'FieldInvalid', 'a bad ' . join ' ', sort keys %$bad);

    (my $text = $answer->{json}{error}{text}) =~ s/\s+\z//;
    $said =~ s/^referralctl: add: //;
    chomp $said;
    is($text, substr($said, 0, 255), 'in the words of the command');
}

# Who may write, and what is no body.

my $type = 'application/json';
my $body = '{"source":"https://never.example/"}';
my @refused = (
    [ 405, 'MethodNotAllowed', POST => '/read/links' ],
    [ 405, 'MethodNotAllowed', POST => '/silent/links' ],
    [ 405, 'MethodNotAllowed', DELETE => "/read/links/$link->{key}" ],
    [ 405, 'MethodNotAllowed', POST => '/status/' ],
    [ 405, 'MethodNotAllowed', POST => '/status/history' ],
    [ 405, 'MethodNotAllowed', POST => "/status/links/$link->{key}" ],
    [ 405, 'MethodNotAllowed', PUT => "/status/links/$link->{key}" ],
    [ 405, 'MethodNotAllowed', PUT => '/status/links' ],
    [ 405, 'MethodNotAllowed', PATCH => '/status/links' ],
    [ 405, 'MethodNotAllowed', DELETE => '/status/links' ],
    [ 405, 'MethodNotAllowed', OPTIONS => '/status/links' ],
    [ 405, 'MethodNotAllowed', POST => '/all/' ],
    [ 404, 'PathUnknown', POST => '/status/nothing' ],
    [ 404, 'LinkUnknown', PATCH => '/status/links/0123' ],
    [ 404, 'LinkUnknown', DELETE => '/status/links/0123456789abcdef' ],
    [ 404, 'RegistryUnknown', POST => '/all/none/links' ],
    [ 400, 'ParameterUnknown', POST => '/status/links?limit=1' ],
    [ 415, 'TypeUnsupported', POST => '/status/links',
      'Content-Type' => undef ],
    [ 415, 'TypeUnsupported', POST => '/status/links',
      'Content-Type' => 'text/plain' ],
    [ 415, 'TypeUnsupported', POST => '/status/links',
      'Content-Type' => 'application/jsonp' ],
    [ 415, 'TypeUnsupported', POST => '/status/links',
      'Content-Type' => 'application/x-www-form-urlencoded' ],
    [ 415, 'TypeUnsupported', PATCH => "/status/links/$link->{key}",
      'Content-Type' => 'text/plain; application/json' ],
    [ 403, 'CrossSite', POST => '/status/links',
      'Sec-Fetch-Site' => 'cross-site' ],
    [ 403, 'CrossSite', POST => '/status/links',
      'Sec-Fetch-Site' => 'same-site' ],
    [ 403, 'CrossSite', POST => '/status/links', 'Sec-Fetch-Site' => '' ],
    [ 403, 'CrossSite', POST => '/status/links',
      'Sec-Fetch-Site' => [ 'same-origin', 'cross-site' ] ],
    [ 403, 'CrossSite', DELETE => "/status/links/$link->{key}",
      'sec-fetch-site' => 'cross-site' ],
    [ 403, 'HostUnknown', POST => '/status/links', Host => 'evil.example' ],
    [ 403, 'HostUnknown', POST => '/status/links', Host => 'shop.example' ],
    [ 403, 'HostUnknown', POST => '/status/links',
      Host => '127.0.0.1.evil.example' ],
    [ 403, 'HostUnknown', DELETE => "/status/links/$link->{key}",
      Host => 'localhost.evil.example' ],
    [ 412, 'PreconditionFailed', PATCH => "/status/links/$link->{key}",
      'If-Match' => '"x"', Body => '{"name":"never"}' ],
    [ 412, 'PreconditionFailed', PATCH => "/status/links/$link->{key}",
      'If-Unmodified-Since' => 'Sun, 01 Nov 2026 00:00:00 GMT',
      Body => '{"name":"never"}' ],
    [ 412, 'PreconditionFailed', PATCH => "/status/links/$link->{key}",
      'If-None-Match' => '*', Body => '{"name":"never"}' ],
    [ 412, 'PreconditionFailed', DELETE => "/status/links/$link->{key}",
      'If-Match' => '"x"' ],
    [ 412, 'PreconditionFailed', POST => '/status/links',
      'If-None-Match' => '*' ],
    map { [ 400, 'BodyInvalid', POST => '/status/links', Body => $_ ] }
        '', '[]', 'null', '{', "$body x", "$body$body", "[$body", "[$body,]",
        '[1]', "{\"source\":\"\xff\"}", '{"source":"\ud800"}',
        '{"source":"\u0000"}', '{"name":"a","name":"a"}',
        '{"authority":123456789012345678901234567890}', '{"cost":1e999}',
        "\xef\xbb\xbf$body"
);

for (@refused) {
    my ($status, $code, $method, $uri, %header) = @$_;

    $header{'Content-Type'} = $type unless exists $header{'Content-Type'};
    $header{Body} //= $body;

    my $shown = join ' ', map { "$_=" . (ref $header{$_}
                                         ? "@{ $header{$_} }"
                                         : $header{$_} // '-') }
                          grep { $_ ne 'Content-Type'
                                 || $header{$_} // '' ne $type }
                          sort keys %header;

    $answer = with_json($t->request($method, $uri, %header));
    refused($answer, $status, $code, "$method $uri $shown");

    is($answer->{headers}{allow},
       $uri =~ m{^/status/links$} ? 'GET, HEAD, POST'
       : $uri =~ m{^/status/links/} ? 'GET, HEAD, PATCH, DELETE'
       : 'GET, HEAD', 'Allow') if $status == 405;
}

is(registered(), $before, 'none of them did anything');
is($t->get_json("/status/links/$link->{key}")->{name}, 'New',
   'nor changed the link');

# Who may, in other ways.

for ([ Host => 'www.localhost' ], [ Host => 'LOCALHOST:80' ],
     [ Host => 'a.shop.example' ], [ 'Sec-Fetch-Site' => 'same-origin' ],
     [ 'Sec-Fetch-Site' => 'none' ],
     [ 'Content-Type' => 'Application/JSON; charset=utf-8' ],
     [ 'Content-Type' => 'application/json ;x' ],
     [ 'If-Match' => '*' ], [ 'If-None-Match' => '"x"' ])
{
    $answer = write_json('POST', '/status/links', { tag => 'may' }, @$_);
    is($answer->{status}, 201, "@$_") or diag($answer->{body});
    is($answer->{json}{match_type}, 'tag', 'a tag alone is a tag link');

    is(write_json('DELETE', "/all/main/links/$answer->{json}{key}", undef,
                  @$_)->{status}, 204, "@$_: and removes");
}

refused(write_json('PATCH', '/status/links/'
                   . write_json('POST', '/status/links',
                                { tag => 't' })->{json}{key},
                   { tag => 'u' }),
        400, 'FieldInvalid', 'the tag of a tag link');

# How bodies come.

my $c = $t->connection;
my $chunk = sprintf "%x\r\n%s\r\n", length $body, $body;

$c->send_request('POST', '/status/links', 'Content-Type' => $type,
                 'Transfer-Encoding' => 'chunked');
$c->send(substr $chunk, 0, 9);
sleep 0.2;
$c->send(substr($chunk, 9) . "0\r\n\r\n");
$answer = with_json($c->read_response);
is($answer->{status}, 201, 'chunks, in pieces');

$c->send_request('DELETE', "/status/links/$answer->{json}{key}",
                 'Content-Type' => $type, Body => '{"ignored":1}');
is($c->read_response->{status}, 204, 'on the same connection');

$c->send_request('POST', '/status/links', 'Content-Type' => $type,
                 'Content-Length' => length $body, Expect => '100-continue');
is($c->read_head(time + 20)->{status}, 100, 'who asks is told to continue');
$c->send($body);
$answer = with_json($c->read_response);
is($answer->{status}, 201, 'and may');
write_json('DELETE', "/status/links/$answer->{json}{key}");

$c->send_request('POST', '/status/links', 'Content-Type' => 'text/plain',
                 'Content-Length' => length $body, Expect => '100-continue');
is($c->read_head(time + 20)->{status}, 415, 'or is told no, without a body');
$c->close;

refused(with_json($t->request('POST', '/status/links', Body => ' ' x 8388609,
                              'Content-Type' => $type)),
        413, 'BodyTooLarge', 'more than 8 MiB');
refused(with_json($t->request('POST', '/status/links', Body => ' ' x 8388608,
                              'Content-Type' => $type)),
        400, 'BodyInvalid', '8 MiB');
is($t->request('POST', '/small/links', Body => ' ' x 1025,
               'Content-Type' => $type)->{status}, 413,
   'more than client_max_body_size');
refused(with_json($t->request('POST', '/status/links',
                              'Content-Type' => $type,
                              Body => '[' x 4000000)),
        413, 'BodyTooLarge', 'a million brackets');

# Many.

my @many = map { { source => "https://many.example/$_", target => "/$_",
                   name => "Number $_", labels => [ 'many' ] } } 1 .. 10000;

refused(write_json('POST', '/status/links', [ @many, { tag => 'x' } ]), 413,
        'BodyTooLarge', 'more than 10,000 links');
$before = registered();

my $text = $json->encode(\@many);
my $start = time;

$answer = $t->request('POST', '/status/links', 'Content-Type' => $type,
                      Body => $text);
note(sprintf '10,000 links: %.2f s, %d bytes', time - $start,
     length $answer->{body});
$answer = with_json($answer);
is($answer->{status}, 201, '10,000 links');
is_deeply([ map { $_->{source} } @{ $answer->{json}{links} } ],
          [ map { $_->{source} } @many ], 'come back, all of them');
is(registered(), $before + 10000, 'and are registered');

click('https://many.example/9999');
is(settled($t, $clicks)->{health}{overflow}, 0, 'each has its cell');
is(counters_of($t, $answer->{json}{links}[9998]{key})->{clicks}, 1,
   'and counts');

# The lock is another's: an import, say.

$writer = Referral::Hold->new($t, 'registry');
$start = time;
refused(write_json('POST', '/status/links', {}), 400, 'FieldInvalid',
        'nonsense does not wait for it');

my $waits = ask('https://waits.example/1');

sleep 0.2;
ok(summary($t)->{write}, 'others are served meanwhile');
click('https://many.example/1');
cmp_ok(time - $start, '<', DELAY, 'nobody waits for the lock');
ok(!has_answer($waits), 'but the write does');
sleep 0.5;                           # nor does it wait for its thread

my @others = map { ask("https://waits.example/$_") } 2 .. 30;
my @busy;

wait_until(sub {
    @busy = grep { has_answer($_) } @others;
    return @busy >= 29 - QUEUE;
}, 20);

is(scalar @busy, 29 - QUEUE, 'those that find a full queue do not wait');

for my $client (@busy) {
    $answer = with_json($client->read_response);
    next if $answer->{status} == 503
            && $answer->{json}{error}{code} eq 'WriterBusy'
            && $answer->{headers}{'retry-after'} eq '1';

    fail('503 WriterBusy with Retry-After') or diag($answer->{body});
}

# Some of those that wait leave.

my %is_busy = map { $_ => 1 } @busy;
my @queued = grep { !$is_busy{$_} } @others;

$_->abort for splice @queued, 0, 5;
shutdown($_->{socket}, 1) for splice @queued, 0, 3;
$waits->abort;
sleep 0.3;

$before = registered();
$writer->release;
is(with_json($_->read_response)->{status}, 201, 'who stayed has an answer')
    for @queued;
is(registered(), $before + 1 + QUEUE, 'who left has a link all the same');

# A stream of HTTP/2 that is cancelled while it waits.

SKIP: {
    skip 'no HTTP/2 in nginx', 4 unless nginx_has('http_v2_module');

    $writer = Referral::Hold->new($t, 'registry');
    isnt(http2('{"tag":"gone"}', '--max-time', 1), '201', 'HTTP/2: one leaves');
    ok(summary($t)->{write}, 'nginx serves on');
    $writer->release;
    is(http2('{"tag":"there"}'), '201', 'HTTP/2: one stays');
    ok(wait_until(sub { registered() == $before + 1 + QUEUE + 2 }, 20),
       'both have their links');
}

# A reload while one waits.

$writer = Referral::Hold->new($t, 'registry');
$waits = ask('https://reload.example/');
summary($t);

my ($old) = $t->worker_pids;

$t->signal('HUP');
ok(wait_until(sub { my @now = $t->worker_pids; @now && $now[0] != $old }, 20),
   'a new worker');
ok(summary($t)->{write}, 'that serves');

my $second = ask('https://reload.example/2');

sleep 1.5;
ok(kill(0, $old), 'the old one waits for its write');
$writer->release;
is(with_json($_->read_response)->{status}, 201, 'it is done')
    for $waits, $second;
ok(wait_until(sub { !kill 0, $old }, 20), 'and then leaves');

# Stops.

$writer = Referral::Hold->new($t, 'registry');
$waits = ask('https://stop.example/');
summary($t);
$start = time;
is($t->stop('TERM'), 0, 'a stop in haste');
note(sprintf 'it took %.2f s', time - $start);
cmp_ok(time - $start, '<', EXIT, 'waits for no writer');
$writer->release;

# A start: a worker that may write opens the registry without the lock.

$writer = Referral::Hold->new($t, 'registry');
$start = time;
$t->start;
cmp_ok(time - $start, '<', DELAY + 2, 'a start waits for no writer');
ok(wait_until(sub { summary($t)->{health}{registry} eq 'ok' }, 20),
   'nor does who reads');
$waits = ask('https://quit.example/');
summary($t);
$t->signal('QUIT');
sleep 1.2;
$writer->release;
is(with_json($waits->read_response)->{status}, 201,
   'a graceful one ends its writes');
is($t->stop, 0, 'and is over');

# A graceful one that has a time to end in.

$t->set_conf(main => 'worker_shutdown_timeout 1s;');
$t->start;
$writer = Referral::Hold->new($t, 'registry');
$waits = ask('https://timeout.example/');
summary($t);
$start = time;
is($t->stop, 0, 'with worker_shutdown_timeout a stop');
note(sprintf 'it took %.2f s', time - $start);
cmp_ok(time - $start, '<', 1 + EXIT, 'waits for no writer');
$writer->release;

# Several workers, several clients; each link once.

$t->set_conf(main => '', workers => 3);
$t->start;
wait_until(sub { summary($t)->{health}{registry} eq 'ok' }, 20);
$before = registered();

my @pids = map {
    my $n = $_;
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        my $bad = 0;

        for my $i (1 .. 20) {
            my $status = write_json('POST', '/status/links',
                { source => "https://race.example/$n/$i" })->{status};
            my $shared = write_json('POST', '/status/links',
                { source => "https://race.example/shared/$i" })->{status};

            $bad++ if $status != 201 || $shared !~ /^(?:201|409)$/;
        }

        POSIX::_exit($bad ? 1 : 0);
    }

    $pid
} 1 .. 4;

for my $pid (@pids) {
    waitpid $pid, 0;
    is($?, 0, 'a client among others has its answers');
}

is(registered(), $before + 100, 'each link is registered once');

my @listed = $t->ctl_ok('list', '--host', 'race.example', '--limit', 1000)
             =~ m{https://race\.example/}g;

is(scalar @listed, 100, 'the command sees them');

$t->finish;

done_testing;


sub write_json {
    my ($method, $uri, $data, %header) = @_;

    $header{Body} = $json->encode($data) if defined $data;
    $header{'Content-Type'} //= 'application/json';

    return with_json($t->request($method, $uri, %header));
}


sub with_json {
    my ($response) = @_;

    die "no answer\n" unless defined $response;

    $response->{json} = eval { $json->decode($response->{body}) }
        if $response->{body} ne '';

    return $response;
}


# The status that curl saw.

sub http2 {
    my ($text, @options) = @_;

    my (undef, $said) = $t->run_command(undef, 'curl', '-s', '-o',
        $t->dir . '/answer', '-w', '%{http_code}', '--http2-prior-knowledge',
        '-H', 'Content-Type: application/json', '-d', $text, @options,
        'http://localhost:' . $t->port(2) . '/status/links', '--connect-to',
        '::127.0.0.1:');

    return $said;
}


sub refused {
    my ($response, $status, $code, $name) = @_;

    my $error = $response->{json}{error} // {};

    is("$response->{status} " . ($error->{code} // '-'), "$status $code",
       "$name: refused") or diag($response->{body});

    fail("$name: the body has the status, a text and the request's id")
        unless ($error->{status} // 0) == $status
               && length($error->{text} // '')
               && length($response->{json}{request_id} // '');
}


sub click {
    my ($referer) = @_;

    $t->get('/', Referer => $referer);
    $clicks++;
    settled($t, $clicks);
}


sub registered {
    return summary($t)->{links}{registered};
}


# A client that has sent a write and waits.  What is sent after it by another
# is taken up after it.

sub ask {
    my ($source) = @_;

    my $client = $t->connection;

    $client->send_request('POST', '/status/links', Body =>
                          $json->encode({ source => $source }),
                          'Content-Type' => 'application/json');

    return $client;
}


sub has_answer {
    my ($client) = @_;

    return $client->{buffer} ne ''
           || IO::Select->new($client->{socket})->can_read(0);
}
