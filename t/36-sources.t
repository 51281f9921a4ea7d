#!/usr/bin/perl

# Who else links here, and what is broken, against the client's own count:
# what is shown, and to whom it is not; hostile bytes; rules that nginx takes;
# and that restarts, kills and upgrades neither double nor silently lose.

use strict;
use warnings;

use Encode ();
use FindBin;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Load;
use Referral::Metrics qw(read_metrics value);
use Referral::Test qw(wait_until);


use constant {
    PATIENCE => 30,
    SLOTS => 2048,               # of a ring
    MARK => "\x{2026}",
};

my $server = <<'CONF';
    referral_registry main %%DIR%%/referral counters=%%SHM%%/main.counters
                      flush=200ms;

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name localhost shop.example;
        keepalive_requests 1000000;
        referral main;
        location / { return 200; }
        location /gone { return 404; }
        location /left { return 410; }
        location /no { return 403; }
        location /out { return 503; }
        location /status { referral off; referral_status main write=on; }
        location /all { referral off; referral_status all; }
        location /read { referral off; referral_status main; }
        #RULES
    }
CONF

my $t = Referral::Test->new(daemon => 1, http => $server);
my $json = JSON::PP->new->utf8->canonical;
my $sent = 0;                    # that leave a record

$t->ctl_ok('init');

my $link = $t->ctl_ok('add', 'https://partner.example/x', '--target',
                      '/pricing');
my $twin = $t->ctl_ok('add', 'https://twins.example/1', '--target', '/gone');
$t->ctl_ok('add', 'https://twins.example/2', '--target', '/gone');
chomp $link;

$t->start;

is_deeply(sources(), [], 'nothing came yet');
is_deeply(answer('/broken')->{broken}, [], 'nothing is broken');

# -- what is counted, and shown ----------------------------------------------

visit(5, '/a', 'https://unknown.example/');
visit(3, '/gone/a', 'https://www.Unknown.Example/page?secret=1');
visit(1, '/left', 'https://unknown.example/');
visit(2, '/left?token=2', 'https://unknown.example/');
visit(4, '/no', 'https://unknown.example/');
visit(3, '/out', 'https://unknown.example/');
visit(1, '/a', 'https://unknown.example/', 'Sec-Purpose' => 'prefetch');
visit(2, '/a', 'https://twice.example/');
visit(3, '/reset/8f14e45fceea167a5a36dedd4bea2543', 'https://mail.example/');
visit(3, '/u/jane@mail.example/x', 'https://mail.example/');
visit(6, '/', 'android-app://com.example.reader/');
visit(4, '/gone/link', 'https://partner.example/x');
visit(3, '/gone', 'https://twins.example/');
visit(9, '/pricing', 'https://partner.example/x');
visit(3, '/a', '');

my %unknown = map { $_->[0] => $_ } (
    [ 'unknown.example /a', 5, 0, 0 ],
    [ 'unknown.example /gone/a', 0, 3, 0 ],
    [ 'unknown.example /left', 0, 3, 0 ],
    [ 'unknown.example /no', 0, 4, 0 ],
    [ 'unknown.example /out', 0, 0, 3 ],
    [ 'mail.example /reset/' . MARK, 3, 0, 0 ],
    [ 'mail.example /u/' . MARK . '/x', 3, 0, 0 ],
    [ 'android-app:com.example.reader /', 6, 0, 0 ],
);

my $answer = all_read();

is_deeply(shown($answer), \%unknown, 'sources: counts, folded, from three on');
is($answer->{missed}, 0, 'nothing was missed');
is($answer->{read}, $sent, 'all records were read');
is($answer->{rows}, 2000, 'the table has a size');
is_deeply([ grep { $_->{error} } @{ $answer->{sources} } ], [],
          'no error as long as there is room');
is_deeply([ map { $_->{clicks} + $_->{errors_4xx} + $_->{errors_5xx} }
            @{ $answer->{sources} } ], [ 6, 5, 4, 3, 3, 3, 3, 3 ],
          'the most clicks first');
like($answer->{sources}[0]{first_seen}, qr/^20\d\d-\d\d-\d\dT[\d:]+Z$/,
     'with times');
unlike($json->encode($answer), qr/secret|token|jane|8f14e45f/,
       'no query, no token, no address');

my $broken = answer('/broken')->{broken};

my %broken = map { join(' ', map { $_ // '-' }
                        @$_{qw(link host landing status)})
                   => $_->{clicks} } @$broken;

is_deeply(\%broken, {
    "$link - /gone/link 404" => 4,
    '- - /gone 404' => 3,
    '- unknown.example /gone/a 404' => 3,
    '- unknown.example /left 410' => 3,
    '- unknown.example /no 4xx' => 4,
    '- unknown.example /out 5xx' => 3,
}, 'broken: links, groups and strangers, by landing and status');

is_deeply([ map { $_->{clicks} } @$broken ], [ 4, 4, 3, 3, 3, 3 ],
          'the most lost clicks first');

my ($of_link) = grep { defined $_->{link} } @$broken;
my ($of_group) = grep { defined $_->{group} } @$broken;

is($of_link->{source}, 'https://partner.example/x', "a link's source");
is($of_link->{rule}, 'location = "/gone/link" { return 301 "/pricing"; }',
   "its rule leads to the link's target");
like($of_group->{group}, qr/^[0-9a-f]{16}$/, 'a group has its key');
is((grep { $_->{status} eq '5xx' } @$broken)[0]{rule}, undef,
   'what failed is not to be redirected');

is_deeply(metrics(), [ 8, 3, 6 ], 'metrics: sources, their hosts, broken');

# -- pages, formats, what is refused -----------------------------------------

my @paged;
my $after = '';

for (1 .. 20) {
    my $page = answer("/sources?limit=3$after");

    push @paged, @{ $page->{sources} };
    last unless defined $page->{next};
    $after = "&after=$page->{next}";
}

is_deeply(\@paged, sources(), 'pages of three are the list');
is(scalar @{ answer('/broken?limit=2')->{broken} }, 2, 'a page of broken');

my $csv = $t->get('/status/sources?registered=no&format=csv');

is((split /\r\n/, $csv->{body})[0],
   'host,landing,clicks,errors_4xx,errors_5xx,error,first_seen,last_seen',
   'CSV has the same names');
is(scalar(split /\r\n/, $csv->{body}), 9, 'and the same rows');
like($csv->{headers}{'content-disposition'}, qr/sources/, 'and a name');
like($t->get('/status/broken?format=csv')->{body}, qr/^link,group,source,/,
     'broken as CSV');
is($t->get('/all/main/sources')->{status}, 200, 'below referral_status all');

for (['/status/sources?registered=yes', 400], ['/status/sources?x=1', 400],
     ['/status/sources?limit=0', 400], ['/status/sources?after=x', 400],
     ['/status/broken?registered=no', 400], ['/status/ignored/a.example', 404],
     ['/status/sources?format=prometheus', 406])
{
    is($t->get($_->[0])->{status}, $_->[1], "$_->[0] is $_->[1]");
}

is($t->request('POST', '/status/sources')->{status}, 405, 'nothing to post');

# -- ignored -----------------------------------------------------------------

is(post('/read/ignored', '{"source":"mail.example"}')->{status}, 405,
   'not without write=on');
is(post('/status/ignored', '{"source":"a b"}')->{status}, 400, 'no host');
is(post('/status/ignored', '{"source":"a.example","name":"x"}')->{status},
   400, 'nothing but a host');
is($t->request('POST', '/status/ignored', Body => '{"source":"a.example"}',
               'Content-Type' => 'text/plain')->{status}, 415,
   'JSON, as for every write');
is(post('/status/ignored', '{"source":"a.example"}',
        'Sec-Fetch-Site' => 'cross-site')->{status}, 403, 'of no other site');

my $put = post('/status/ignored',
               '[{"source":"https://www.Mail.example/"},'
               . '{"source":"android-app://com.example.reader"}]');

is($put->{status}, 201, 'two are ignored');
is_deeply($json->decode($put->{body}),
          { ignored => [ 'mail.example', 'android-app:com.example.reader' ] },
          'in canonical form');
ok(wait_until(sub { @{ sources() } == 5 }, PATIENCE), 'they leave the list');
is_deeply(metrics(), [ 5, 1, 6 ], 'and the metrics; broken it is still');
is_deeply([ map { $_->{host} } @{ answer('/ignored')->{ignored} } ],
          [ 'android-app:com.example.reader', 'mail.example' ],
          'and are on that of the ignored');
is($t->get('/status/ignored?format=csv')->{body},
   "host\r\nandroid-app:com.example.reader\r\nmail.example\r\n",
   'which is a list to import');

visit(3, '/a', 'https://sub.mail.example/');
visit(3, '/a', 'https://notmail.example/');
all_read();

ok(!(grep { $_->{host} eq 'sub.mail.example' } @{ sources() }),
   'a host below is ignored, too');
ok((grep { $_->{host} eq 'notmail.example' } @{ sources() }),
   'not one that ends alike');

my $list = $t->write_file('spam.txt',
                          "# spam\nhost\nspam.example\n\nnotmail.example\n");

is($t->ctl_ok('ignore', '--file', $list), 'ignored 2 hosts',
   'ignore says how many it took');
is($t->ctl_ok('ignore', '--file', $list, 'one.example'),
   'ignored 1 host, 2 already were', 'and how many were ignored before');
is($t->ctl_ok('ignore', 'one.example'), 'ignored 0 hosts, 1 already was',
   'or that one was');
is($t->ctl_ok('ignore', '--remove', 'one.example'),
   'no longer ignored: 1 host', 'and how many are shown again');
is($t->ctl_ok('--json', 'ignore', 'spam.example'), '{"changed":0}', 'as JSON');
ok(!(grep { $_->{host} eq 'notmail.example' } @{ sources() }),
   'referralctl ignore --file');
is($t->ctl_ok('ignore'), "android-app:com.example.reader\nmail.example\n"
   . "notmail.example\nspam.example", 'referralctl ignore lists them');

my $gone = $t->request('DELETE', '/status/ignored/mail.example');

is($gone->{status}, 204, 'one is heard again');
ok(wait_until(sub {
    (grep { $_->{host} eq 'mail.example' } @{ sources() }) == 2
}, PATIENCE), 'with all that came meanwhile');
is($t->request('DELETE', '/status/ignored/mail.example')->{status}, 404,
   'not twice');
$t->ctl_ok('ignore', '--remove', 'notmail.example',
           'android-app:com.example.reader');

# -- registered --------------------------------------------------------------

is(post('/status/links', '{"source":"https://unknown.example/p",'
        . '"target":"/a"}')->{status}, 201, 'a link is registered');
ok(wait_until(sub {
    !grep { $_->{host} eq 'unknown.example' && $_->{landing} eq '/a' }
    @{ sources() }
}, PATIENCE), 'what it explains leaves the list');
is(scalar(grep { $_->{host} eq 'unknown.example' } @{ sources() }), 4,
   'the rest stays');
is(metrics()->[0], scalar @{ sources() }, 'the metrics agree');

# A target that names one of the site's hosts.

visit(4, '/b', 'https://hosts.example/', Host => 'www.shop.example');
all_read();
ok((grep { $_->{host} eq 'hosts.example' } @{ sources() }), 'another source');
$t->ctl_ok('add', 'https://hosts.example/p', '--target',
           'https://shop.example/c');
ok((grep { $_->{host} eq 'hosts.example' } @{ sources() }),
   'is not explained by another target');
$t->ctl_ok('add', 'https://hosts.example/p', '--target',
           'https://shop.example/b');
ok(wait_until(sub {
    !grep { $_->{host} eq 'hosts.example' } @{ sources() }
}, PATIENCE), 'but by one on that host');

# -- the command -------------------------------------------------------------

my $text = $t->ctl_ok('sources');

like($text, qr/^ +CLICKS +4XX +5XX +ERROR +HOST +LANDING$/m, 'a table');
like($text, qr/^ +0 +3 +0 +0 +unknown\.example +\/gone\/a$/m, 'with rows');
unlike($text, qr/twice/, 'from three on');
is_deeply($json->decode($t->ctl_ok('--json', 'sources'))->{sources},
          sources(), 'the same as JSON');
unlike($t->ctl_ok('sources', '--all'), qr/twice/, 'so does --all');
is_deeply($json->decode($t->ctl_ok('--json', 'sources', '--broken'))->{broken},
          answer('/broken')->{broken}, '--broken');
like($t->ctl_ok('sources', '--broken'),
     qr{^ +3 +0  404     one of 2: twins\.example > /gone  /gone$}m,
     'a group, by its host and target');
like($t->ctl_ok('check'), qr/\S/, 'check finds no fault');

# -- hostile bytes -----------------------------------------------------------

my @hostile = map { "/gone/$_" } (
    "\xff\xfe", '%22%3B%20%7D%20http%20%7B', '"; } x {', 'a\\b', '$host',
    '%0a', '%E2%80%AE', '%00', '<script>', "=cmd|'x'", '%d0%bf%d1%80', 'a//b',
    '../x', '\\"', "\x{1b}[2J", "'%3Cb%3E", '{a}', '#x', 'a;b', '%7e',
    "c1\xc2\x9b31m", "turned\xe2\x80\xae",
);
my $before = $sent;

for my $path (@hostile) {
    my $c = $t->connection;

    for (1 .. 4) {
        $c->send($c->format_request('GET', $path,
                                    Referer => 'https://hostile.example/'));
        push @{ $c->{methods} }, 'GET';

        my $response = $c->read_response or last;
        $sent++;
        last if ($response->{headers}{connection} // '') eq 'close';
    }

    $c->close;
}

ok($sent > $before + 40, 'hostile landings were sent');

# nginx itself refuses some: what it refuses has a Referer and leaves a record
# or not, so they are waited for by what must be there.

wait_until(sub {
    grep { ($_->{host} // '') eq 'hostile.example' }
         @{ answer('/broken')->{broken} }
}, PATIENCE);
settle();

$answer = $t->get('/status/broken?limit=1000');
ok(defined eval { Encode::decode('UTF-8', my $copy = $answer->{body},
                                 Encode::FB_CROAK) }, 'the answer is UTF-8');

$broken = $json->decode($answer->{body})->{broken};
my @rows = grep { ($_->{host} // '') eq 'hostile.example' } @$broken;

cmp_ok(scalar @rows, '>=', 10, 'and has them: ' . @rows);

my @csv = split /\r\n/, $t->get('/status/broken?format=csv')->{body};
ok(!(grep { /(?:^|,)[=+\@]/ } @csv), 'no formula in CSV');

my $shown = $t->ctl_ok('sources', '--broken');

like($shown, qr{/gone/c1\\xC2\\x9B31m$}m, 'a control is shown as its bytes');
like($shown, qr{/gone/turned\\xE2\\x80\\xAE$}m,
     'so is what turns the direction');
unlike($shown, qr/[\0-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]/,
       'nothing for a terminal to obey');

# Each rule, in a configuration: it is taken, and does what it says.

my %rules = map { $_->{rule} => $_->{landing} }
            grep { defined $_->{rule} } @rows;

cmp_ok(scalar keys %rules, '>=', 6, 'rules: ' . keys %rules);

my $rules = Encode::encode('UTF-8', join "\n", sort keys %rules);

$t->set_conf(http => $server =~ s/#RULES/$rules/r);
$t->reload;

for my $rule (sort keys %rules) {
    my $path = Encode::encode('UTF-8', $rules{$rule});
    my $c = $t->connection;

    $c->send("GET $path HTTP/1.1\r\nHost: localhost\r\n\r\n");
    push @{ $c->{methods} }, 'GET';

    my $response = $c->read_response;
    is($response->{status}, 301, "a rule leads on from $rules{$rule}");
    $c->close;
}

$t->set_conf(http => $server);
$t->reload;

# -- what restarts, kills and upgrades leave ---------------------------------

my $old = settle();

$t->restart;

my $new = settle();

is_deeply($new->{sources}, $old->{sources}, 'a restart keeps the table');
is($new->{read}, $old->{read}, 'and reads nothing twice');

under_load('keepers that are killed', sub {
    for (1 .. 5) {
        $t->kill_keeper;
        sleep 0.3;
    }
});

under_load('reloads', sub {
    for (1 .. 3) {
        $t->reload;
        sleep 0.3;
    }
});

under_load('a binary upgrade', sub {
    my $first = $t->upgrade;

    sleep 0.5;
    kill 'QUIT', $first;
    wait_until(sub { !kill 0, $first }, PATIENCE) or die "the old one stays\n";
});

# -- the rings run over ------------------------------------------------------

$old = settle();

my ($keeper) = $t->keeper_pids;

kill 'STOP', $keeper;
$t->load(requests => [ [ '/over', Referer => 'https://over.example/' ] ],
         count => 3 * SLOTS, connections => 1, depth => 32);
kill 'CONT', $keeper;

wait_until(sub {
    my $now = answer('/sources');
    $now->{read} + $now->{missed} - $old->{read} - $old->{missed} == 3 * SLOTS
}, PATIENCE);

$new = answer('/sources?limit=1000');

is($new->{read} + $new->{missed} - $old->{read} - $old->{missed}, 3 * SLOTS,
   'what was read and what was missed is what was sent');
cmp_ok($new->{missed} - $old->{missed}, '>=', SLOTS, 'some were missed');

my ($over) = grep { $_->{host} eq 'over.example' } @{ $new->{sources} };

is($over->{clicks}, $new->{read} - $old->{read}, 'the rest is counted');

# -- more rows than /metrics looks at in one step ----------------------------

visit(3, $_ % 2 ? '/a' : '/gone/m', "https://m$_.example/") for 1 .. 70;

ok(wait_until(sub {
    (grep { $_->{host} =~ /^m\d+\.example$/ } @{ sources() }) == 70
}, PATIENCE), 'seventy more');

my %hosts = map { $_->{host} => 1 } @{ sources() };

is_deeply(metrics(), [ scalar @{ sources() }, scalar keys %hosts,
                       scalar @{ answer('/broken?limit=1000')->{broken} } ],
          'the metrics agree with the lists');

# -- the bound of what was forgotten, over restarts --------------------------

strangers();

my $bound = answer('/sources')->{forgotten_below};

cmp_ok($bound, '>', 0, "more sources than rows: below $bound are forgotten");
is(error_of('first.example'), 0, 'a new one is known to be new');

$t->restart;

is(error_of('second.example'), 0, 'so it is after a restart');
is(error_of('f1.example'), 1, 'one that was forgotten is known to have come');

$t->reload;

is(error_of('third.example'), 0, 'so it is after a reload');
is(error_of('f2.example'), 1, 'and of one that was forgotten');

$t->kill_keeper;
$bound = answer('/sources')->{forgotten_below};

my $error = error_of('f3.example');

cmp_ok($error, '>=', 1, 'after kill -9 less is known, but nothing untrue');
cmp_ok($error, '<=', $bound, 'no more than was forgotten ever');

$t->restart;

is(error_of('fourth.example'), $error, 'nor is that known after a restart');
like($t->ctl_ok('check'), qr/no fault was found/, 'check finds no fault');

$t->expect_log(qr/exited on signal 9/);
$t->finish;

done_testing;


sub visit {
    my ($n, $path, $referer, %header) = @_;

    $header{Referer} = $referer if $referer ne '';

    for (1 .. $n) {
        $t->get($path, %header);
        $sent++;
    }
}


sub answer {
    my ($path) = @_;

    return $t->get_json("/status$path");
}


# How many rows /sources has, of how many hosts, and /broken.

sub metrics {
    my $now = read_metrics($t->get('/status/metrics')->{body});

    return [ map { value($now, $_) } qw(referral_sources referral_source_hosts
                                        referral_broken_landings) ];
}


sub sources { return answer('/sources?limit=1000')->{sources} }


# As soon as all that was sent is in the ledger.

sub all_read {
    wait_until(sub { answer('/sources')->{read} >= $sent }, PATIENCE);

    return answer('/sources?limit=1000');
}


# Three looks that agree, some flushes apart.

sub settle {
    my ($now, $same) = (answer('/sources?limit=1000'), 0);

    for (1 .. 100) {
        my $before = $now;

        sleep 0.5;
        $now = answer('/sources?limit=1000');
        $same = $now->{read} == $before->{read} ? $same + 1 : 0;
        last if $same == 2;
    }

    return $now;
}


sub shown {
    my ($answer) = @_;

    return { map { my $name = "$_->{host} $_->{landing}";
                   ($name => [ $name, @$_{qw(clicks errors_4xx errors_5xx)} ])
             } @{ $answer->{sources} } };
}


sub post {
    my ($path, $body, %header) = @_;

    return $t->request('POST', $path, Body => $body,
                       'Content-Type' => 'application/json', %header);
}


# More than there are rows, each once, and so few at a time that the ring has
# room for them.

sub strangers {
    for my $from (map { $_ * 500 } 0 .. 5) {
        my $before = answer('/sources')->{read};

        my @requests = map { [ '/f', Referer => "https://f$_.example/" ] }
                       $from .. $from + 499;

        $t->load(requests => \@requests, count => 500, connections => 1,
                 depth => 10);
        wait_until(sub { answer('/sources')->{read} >= $before + 500 },
                   PATIENCE);
    }
}


# Of a source that comes three times now.

sub error_of {
    my ($host) = @_;

    my $row;

    visit(3, '/f', "https://$host/");
    wait_until(sub {
        ($row) = grep { $_->{host} eq $host && $_->{clicks} == 3 }
                 @{ sources() };
        return defined $row;
    }, PATIENCE);

    return $row->{error};
}


# So slowly that no ring runs over: then nothing is missed, nothing doubled.

sub under_load {
    my ($what, $function) = @_;

    my $before = settle();
    my $load = Referral::Load::start(
        port => $t->port, lost => 'resend', patient => 1, connections => 1,
        requests => [ map { [ '/load', Referer => "https://l$_.example/" ] }
                      1 .. 10 ], pause => 0.01);

    $function->();
    sleep 0.3;

    my $result = Referral::Load::finish($load);
    my $now;

    wait_until(sub {
        $now = answer('/sources?limit=1000');
        $now->{read} + $now->{missed} - $before->{read} - $before->{missed}
            >= $result->{total}
    }, PATIENCE);

    $now = settle();

    my %clicks = map { $_->{host} => $_->{clicks} } @{ $now->{sources} };
    my %had = map { $_->{host} => $_->{clicks} } @{ $before->{sources} };
    my ($read, $missed) = map { $now->{$_} - $before->{$_} } qw(read missed);
    my $counted = 0;

    $counted += $clicks{$_} - ($had{$_} // 0)
        for grep { /^l\d+\.example/ } keys %clicks;

    is($read + $missed, $result->{total}, "$what: each record once");
    is($counted, $read, "$what: what was read is counted");
    cmp_ok($missed, '<=', $result->{total} / 2, "$what: missed $missed of "
           . $result->{total});
}
