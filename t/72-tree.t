#!/usr/bin/perl

# The whole tree that is read: filters, fields, sums by host, channel, partner
# and label against the client's own count, CSV that import reads back, and
# which format who gets.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use POSIX ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled sum);
use Referral::Test;


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;
        location / { referral main; return 200; }
        location /gone { referral main; return 410; }
        location /status { referral_status main; }
        location /all { referral_status all; }
    }
CONF

$t->ctl_ok('init');

# Links of all kinds; names that a spreadsheet would run, and odd bytes.

my @partners = ('', 'Acme', '=cmd|calc', "Jos\xc3\xa9 \"& sons\"", "\xff,x");
my @channels = ('', 'outreach', 'guest-post', 'paid');
my @labels = ('', 'q4', 'eu,q4', '-1');
my @links;

for my $i (0 .. 59) {
    push @links, {
        source  => 'https://' . ($i % 3 ? '' : 'www.') . 'h' . $i % 7
                   . ".example/p$i",
        host    => 'h' . $i % 7 . '.example',
        target  => $i % 5 ? '/' : '',
        partner => $partners[$i % 5],
        channel => $channels[$i % 4],
        labels  => $labels[$i % 4],
        name    => $i % 6 ? "Link $i" : "+$i",
        note    => $i % 9 ? '' : "line, \"quoted\"",
    };
}

my $i = 0;

for my $link (@links) {
    my @labels = map { ('--label', $_) } split /,/, $link->{labels};

    $link->{key} = $t->ctl_ok('add', $link->{source}, '--match-type', 'exact',
        map({ $link->{$_} ne '' ? ("--$_=$link->{$_}") : () }
            qw(target partner channel name note)), @labels);
    chomp $link->{key};
}

my $gone = $t->ctl_ok('add', 'https://gone.example/x');
chomp $gone;

$t->start;

# Requests the client counts: full Referers are one link's, origins a group's.

my (%by, %total, @requests);

sub request {
    my ($path, $referer, $n, @rows) = @_;

    push @requests, map { [ $path, Referer => $referer ] } 1 .. $n;
    $total{$path eq '/' ? 'clicks' : 'errors_4xx'} += $n;

    for my $row (@rows) {
        $by{ $row->[0] }{ $row->[1] }
           {$path eq '/' ? 'clicks' : 'errors_4xx'} += $n;
    }
}

sub rows_of {
    my ($link) = @_;

    return ([ hosts => $link->{host} ],
            [ channels => $link->{channel} || 'unassigned' ],
            [ partners => $link->{partner} ],
            map { [ labels => $_ ] }
                $link->{labels} eq '' ? '' : split /,/, $link->{labels});
}

for my $link (@links) {
    $i++;
    request('/', $link->{source}, $i % 4 + 1, rows_of($link));
    request('/gone', $link->{source}, 1, rows_of($link)) if $i % 3 == 0;
}

request('/', "https://h$_.example/", 3 + $_, [ hosts => "h$_.example" ])
    for 0 .. 6;
request('/', 'https://gone.example/x', 4);

$t->load(requests => \@requests, count => scalar @requests, depth => 20,
         connections => 1);
settled($t, scalar @requests);
$t->ctl_ok('rm', $gone);

sub json {
    my ($path) = @_;

    my $answer = $t->get("/status$path", Accept => 'application/json');
    is($answer->{status}, 200, $path) or diag($answer->{body});

    return JSON::PP->new->utf8->decode($answer->{body});
}

Referral::Test::wait_until(sub {
    @{ json('/links?limit=all')->{links} } == @links
}, 5);

# Sums: each row is the client's count; what spans rows is shared.

for my $kind (qw(hosts channels partners labels)) {
    my $answer = json("/$kind?limit=1000");
    my %rows = map { $_->{name} => $_ } @{ $answer->{$kind} };
    my %wanted = map { my $n = $_; utf8::decode($n); $n =~ s/\xff/\x{fffd}/;
                       $n => $by{$kind}{$_} } keys %{ $by{$kind} };

    is_deeply([ sort keys %rows ], [ sort keys %wanted ], "$kind: the rows");

    # origins: every host has links of several channels, partners and labels

    my %counted;

    for my $counter (qw(clicks errors_4xx)) {
        is_deeply({ map { $_ => $rows{$_}{counters}{$counter} } keys %rows },
                  { map { $_ => $wanted{$_}{$counter} // 0 } keys %wanted },
                  "$kind: $counter");

        $counted{$counter} += $_->{counters}{$counter} for values %rows;
    }

    is($answer->{removed}{counters}{clicks}, 4, "$kind: the removed link's");

    my $shared = $kind eq 'hosts' ? 0 : 3 * 7 + 21;

    is($answer->{shared}{counters}{clicks}, $shared, "$kind: shared");
    cmp_ok($answer->{shared}{groups}, $kind eq 'hosts' ? '==' : '>', 0,
           "$kind: groups");

    next if $kind eq 'labels';

    is($counted{clicks} + $shared + 4, $total{clicks},
       "$kind: all that the client did, once");

    my $summary = json('/');

    is($counted{clicks} + $shared + 4,
       $summary->{clicks}{matched} + $summary->{clicks}{ambiguous},
       "$kind: and what the summary says");
}

# Cursors of every order.

for my $args (qw(sort=clicks sort=clicks&order=asc sort=name
                 sort=name&order=desc sort=errors_4xx))
{
    for my $kind (qw(hosts partners)) {
        my (@names, $cursor);

        do {
            my $page = json("/$kind?$args&limit=2&after=" . ($cursor // ''));
            push @names, map { $_->{name} } @{ $page->{$kind} };
            $cursor = $page->{next};
        } while (defined $cursor);

        is(scalar @names, scalar keys %{ $by{$kind} }, "$kind?$args: pages");
        is(scalar(keys %{ { map { $_ => 1 } @names } }), scalar @names,
           'each row once');
    }
}

# Filters.

sub keys_of { return join ' ', sort map { $_->{key} } @_ }

sub encoded { my ($s) = @_; $s =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge;
              return $s }

my @filters = (
    (map { my $p = $_; [ 'partner=' . encoded($p),
                         sub { $_[0]{partner} eq $p } ] } @partners),
    (map { my $c = $_; [ "channel=$c", sub { $_[0]{channel} eq $c } ] }
     @channels),
    [ 'channel=unassigned', sub { $_[0]{channel} eq '' } ],
    [ 'channel=guest%20posting', sub { $_[0]{channel} eq 'guest-post' } ],
    [ 'origin=built', sub { $_[0]{channel} eq 'outreach' } ],
    [ 'label=', sub { $_[0]{labels} eq '' } ],
    [ 'label=q4', sub { $_[0]{labels} =~ /q4/ } ],
    [ 'host=H3.Example:8080', sub { $_[0]{host} eq 'h3.example' } ],
    [ 'host=www.h3.example', sub { $_[0]{host} eq 'h3.example' } ],
    [ 'host=example', sub { 0 } ],
    [ 'host=.example', sub { 1 } ],
    [ 'q=LINK%201', sub { $_[0]{name} =~ /^Link 1/ } ],
    [ 'q=quoted&host=.example', sub { $_[0]{note} ne '' } ],
    [ 'host=h1.example&partner=Acme',
      sub { $_[0]{host} eq 'h1.example' && $_[0]{partner} eq 'Acme' } ],
);

for my $filter (@filters) {
    my ($args, $passes) = @$filter;
    my $wanted = keys_of(grep { $passes->($_) } @links);

    for my $order (qw(limit=all sort=clicks&limit=100 sort=key&limit=1000
                      sort=bytes&limit=60&from=2020-01-01))
    {
        is(keys_of(@{ json("/links?$args&$order&fields=key")->{links} }),
           $wanted, "$args&$order");
    }
}

my $grouped = json("/links/$links[1]{key}?fields=groups,name");
my $group = $grouped->{groups}[0]{key};

is_deeply([ sort keys %$grouped ], [ qw(groups key name) ], 'fields');
is(scalar @{ json("/links?group=$group&limit=all")->{links} },
   $grouped->{groups}[0]{links}, 'the members of a group');
is($t->get('/status/links?group=0123456789abcdef')->{status}, 404,
   'no such group');

# Each name that /hosts shows is one that host= takes; so is an app's.

my $app = $t->ctl_ok('add', 'android-app://com.example.reader/');
chomp $app;

for my $row (@{ json('/hosts?limit=all')->{hosts} }) {
    next if $row->{name} eq '';

    is(scalar @{ json("/links?limit=all&host=$row->{name}")->{links} },
       $row->{links}, "host=$row->{name}");
}

is(keys_of(@{ json('/links?host=android-app:com.example.reader')->{links} }),
   $app, 'an app as it is shown');
like($t->ctl_ok('list', '--host', 'android-app:com.example.reader'),
     qr/^$app /m, 'also to the command');
$t->ctl_ok('rm', $app);

# CSV: the types, the name, formulas, and that import reads it back.

my $csv = $t->get('/status/links?format=csv');

is($csv->{headers}{'content-type'}, 'text/csv; charset=utf-8; header=present',
   'the type of CSV');
is($csv->{headers}{'content-disposition'},
   'attachment; filename="main-links.csv"', 'the name of its file');
is($csv->{headers}{vary}, 'Accept', 'who asks otherwise gets another');
unlike($csv->{body}, qr/(?:^|,|")[=+\-@]/m, 'no formula')
    or diag($csv->{body});
is($t->get('/status/links', Accept => 'text/csv')->{body}, $csv->{body},
   'by Accept');

my (undef, $exported) = $t->ctl('export');

is(join("\n", sort split /\r\n/, $csv->{body}),
   join("\n", sort split /\r\n/, $exported), 'as export writes it');

my $copy = $t->dir . '/copy';

$t->run_command(undef, $t->{ctl}, '-d', $copy, 'init',
                defined $t->{user} ? ('--owner', $t->{user}) : ());

my ($exit, $out, $err) =
    $t->run_command($csv->{body}, $t->{ctl}, '-d', $copy, 'import', '-');

is($exit, 0, 'import reads it') or diag($err);
is($err, '', 'and says nothing');

(undef, my $again) = $t->run_command(undef, $t->{ctl}, '-d', $copy, 'export');

is(identity($again), identity($exported), 'what comes out is what went in');

# Key and fields: the times and the counts are the other registry's.

sub identity {
    my ($text) = @_;

    return join "\n", sort map { s/,\d{4}-\d\d-\d\dT.*//r } split /\r\n/, $text;
}

for my $path ("links/$links[3]{key}", 'hosts', 'channels', 'partners',
              'labels', 'history', "links/$links[3]{key}/history")
{
    my $answer = $t->get("/status/$path?format=csv");

    is($answer->{status}, 200, "$path as CSV");
    like($answer->{body}, qr/\A(?:key|name|start),.*clicks,.*\r\n/,
         'has a head');
    is($t->request('HEAD', "/status/$path?format=csv")
         ->{headers}{'content-type'},
       $answer->{headers}{'content-type'}, 'HEAD says the same');
}

my $period = 'from=2020-01-01&to=2020-02-01&compare=previous';

for my $path (qw(links hosts labels)) {
    like($t->get("/status/$path?format=csv&$period")->{body},
         qr/,bytes,previous_clicks,.*previous_bytes/, "$path: a comparison");
}

# The summary, one row: what the client counted, and its numbers in JSON.

sub summary_row {
    my ($args) = @_;

    my $answer = $t->get("/status?format=csv$args");
    my ($head, @rows) = split /\r\n/, $answer->{body};
    my %row;

    like($answer->{headers}{'content-disposition'}, qr/"main-summary\.csv"/,
         "/?format=csv$args");
    is(scalar @rows, 1, 'has one row');
    @row{split /,/, $head} = split /,/, $rows[0], -1;

    return \%row;
}

sub flat_summary {
    my ($json, $prefix) = @_;

    my ($classes, $links) = @$json{qw(classes links)};
    my %flat = map { ("$prefix$_" => $classes->{$_}) } keys %$classes;

    $flat{"${prefix}links_$_"} = $links->{$_} for keys %$links;

    for my $group (qw(outcomes clicks evidence)) {
        my $name = $group =~ s/outcomes/outcome/r;

        $flat{"$prefix${name}_$_"} = $json->{$group}{$_}
            for keys %{ $json->{$group} };
    }

    return %flat, $json->{previous}
           ? flat_summary($json->{previous}, "${prefix}previous_") : ();
}

my $day = sub { POSIX::strftime('%Y-%m-%d', gmtime time + $_[0] * 86400) };
my ($from, $to) = ($day->(2), $day->(12));

ok(Referral::Test::wait_until(sub {
       sum(json("?from=$from&to=$to&compare=previous")->{previous}{outcomes})
           == @requests
   }, 30), 'all is flushed');

for my $row ([ '', '' ], [ "&from=1970-01-01&to=$to", '' ],
             [ "&from=$from&to=$to&compare=previous", 'previous_' ])
{
    my ($args, $prefix) = @$row;
    my $summary = json('?format=json' . $args);
    my $csv = summary_row($args);

    is_deeply($csv, { flat_summary($summary, ''), registry => 'main',
                      from => $summary->{period}{from} // '',
                      to => $summary->{period}{to} // '' },
              'with the numbers of its JSON');
    is($csv->{"${prefix}clicks_matched"} + $csv->{"${prefix}clicks_ambiguous"},
       $total{clicks}, 'and the clicks of the client');
    is($csv->{"${prefix}errors_4xx"}, $total{errors_4xx}, 'and its errors');
    is(sum({ map { ($_ => $csv->{$_}) } grep { /^${prefix}outcome_/ }
             keys %$csv }), @requests, 'and all requests');
    is($csv->{"${prefix}links_active"}, @links, 'all links are active');
}

# Which format: format=, else Accept with its weights, else JSON.

my $browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,'
              . 'image/avif,image/webp,*/*;q=0.8';

for my $row (
    [ '', '', 'application/json' ],
    [ '', '*/*', 'application/json' ],
    [ '', $browser, 'text/html' ],
    [ '', 'text/html;q=0.4, application/json;q=0.5', 'application/json' ],
    [ '?format=html', 'application/json', 'text/html' ],
    [ '?format=json', $browser, 'application/json' ],
    [ '?format=csv', $browser, 'text/csv' ],
    [ '', 'text/csv', 'text/csv' ],
    [ '?format=xml', $browser, 406 ],
    [ '', 'image/png', 406 ],
    [ '/links', $browser, 'application/json' ],
    [ '/links', 'text/html', 406 ],
    [ '/links', 'text/csv;q=0, */*', 'application/json' ],
    [ '/links', 'application/json;q=0, */*', 'text/csv' ],
    [ '/links', 'Text/*;q=0.9, application/json;q=0.8', 'text/csv' ],
    [ '/links?format=json', 'text/csv', 'application/json' ],
    [ '/links?format=html', '', 406 ],
    [ '/history', 'text/csv', 'text/csv' ],
    [ '/links/' . $links[0]{key}, 'text/csv', 'text/csv' ],
) {
    my ($path, $accept, $wanted) = @$row;
    my $answer = $t->get("/status$path", Accept => $accept);
    my $what = "/status$path, \"$accept\"";

    if ($wanted eq '406') {
        my $error = JSON::PP->new->utf8->decode($answer->{body})->{error};

        is($answer->{status}, 406, $what);
        is($error->{code}, 'FormatUnavailable', 'with its code');
        like($error->{text}, qr/json/, 'and what there is');

    } else {
        like($answer->{headers}{'content-type'}, qr/^\Q$wanted\E/, $what);
    }
}

like($t->get('/all/main', Accept => $browser)->{headers}{'content-type'},
     qr{^text/html}, 'the page of one of several registries');
my $page = $t->get('/status', Accept => $browser)->{headers};

like($page->{'content-security-policy'}, qr/(?:^|; )$_(?:;|$)/,
     "the page's policy: $_")
    for q(default-src 'none'), q(script-src 'sha256-[\w+/=]+'),
        q(connect-src 'self'), q(base-uri 'none'), q(form-action 'none'),
        q(frame-ancestors 'none');

is($page->{'referrer-policy'}, 'no-referrer', 'it tells no site where it is');

# A browser takes nothing for a script or a page that does not say that it is.

for my $what ('/status', '/status/links', '/status/links?format=csv',
              '/status/metrics', '/status/sources?format=csv', '/status/none',
              '/status/links?limit=x', '/all')
{
    for my $accept ($browser, '*/*') {
        is($t->get($what, Accept => $accept)
             ->{headers}{'x-content-type-options'}, 'nosniff',
           "$what, $accept: nosniff");
    }
}

$t->finish;
done_testing;
