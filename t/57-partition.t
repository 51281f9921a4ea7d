#!/usr/bin/perl

# Random requests, and the client's own count of them: the outcomes partition
# the requests, the classes partition the matches, the clicks are those of the
# classes, link by link, group by group.
#
#     REFERRAL_SEED    the numbers of another run
#     REFERRAL_COUNT   requests, 6000

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(links_of nonzero settled sum);
use Referral::Test;


my $seed = $ENV{REFERRAL_SEED} // int rand 2 ** 31;
my $count = $ENV{REFERRAL_COUNT} // 6000;

srand $seed;
note("REFERRAL_SEED=$seed");

my @classes = qw(clicks reloads redirects errors_4xx errors_5xx embeds
                 prefetches bots other);
my @classed = qw(matched ambiguous unregistered hidden direct);
my %counter = (click => 'clicks', reload => 'reloads', embed => 'embeds',
               redirect => 'redirects', prefetch => 'prefetches',
               bot => 'bots', other => 'other');

my $t = Referral::Test->new(workers => 2, http => <<'CONF');
    %%REGISTRY%%

    map $arg_skip $counts { default 1; yes 0; }

    log_format row '$status|$referral_outcome|$referral_evidence|'
                   '$referral_class|$referral_link';

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example help.example;
        keepalive_requests 100000;
        access_log %%DIR%%/row.log row;
        error_page 418 = @named;

        referral main if=$counts;

        location / { return 200 page; }
        location /moved { return 301 /pricing; }
        location /away { return 302 https://pay.example/; }
        location /help { return 307 http://help.example/; }
        location /gone { return 410; }
        location /broken { return 503; }
        location /closed { return 444; }
        location /named { return 418; }
        location @named { return 204; }
        location /two { referral_tag via; return 200; }
        location /any { referral_bot off; return 200; }

        location /status { referral off; access_log off;
                           referral_status main; }
    }
CONF

$t->ctl_ok('init');

# Links of every kind, few hosts and few landings, so that they meet.

my @landings = qw(/ /pricing /docs /moved /away /gone /broken /two);
my @paths = ('', '/', '/a', '/a/b', '/a/b/c', '/2024/x', '/b?q=1', '/a?q=1');
my @hosts = map { ("$_.example", "www.$_.example", "m.$_.example") }
            qw(blog news wiki);

push @hosts, 'shop.example', 'nobody.example', 'xn--mller-kva.example',
     '192.0.2.7', '[2001:db8::1]';

sub one_of { return $_[rand @_] }

my $csv = "source,match_type,target,tag\n";

for (1 .. 120) {
    my $type = one_of(qw(exact exact prefix host domain regex tag));
    my $host = one_of(grep { !/shop|nobody/ } @hosts);

    next if $type eq 'domain' && $host =~ /^[\[\d]/;

    my $source = $type eq 'tag' ? ''
                 : $type =~ /host|domain/ ? $host
                 : $type eq 'regex' ? $host . one_of('/a.*', '/\d+/', '/(a+)+$')
                 : "https://$host" . one_of($type eq 'prefix'
                                            ? grep { !/\?/ } @paths : @paths);
    my $tag = $type eq 'tag' ? one_of(qw(t1 t2 t3 t4))
              : rand() < 0.2 ? one_of(qw(t1 t2 t3)) : '';

    $csv .= join(',', $source, $type,
                 rand() < 0.5 || $type eq 'tag' ? '' : one_of(@landings),
                 $tag) . "\n";
}

my ($exit, $out, $err) = $t->ctl_with($csv, 'import', '-');

is($exit, 0, 'links of every kind') or diag("$err$out");
$t->start;

my @agents = ('Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', 'curl/8.5.0',
              'Mozilla/5.0 (compatible; bingbot/2.0)', '', undef);
my @accepts = ('text/html,*/*;q=0.8', 'text/html', '*/*', 'image/*', undef);
my @referers = ((map { my $host = $_; map { "https://$host$_" } @paths }
                 @hosts), ('https://blog.example/' . 'a' x 60 . '!') x 3,
                'nonsense', 'about:blank', 'https://', '-',
                "https://bad\xff.example/", (undef) x 40);

# A request, and whether nginx must have counted and answered it.

sub random_request {
    my %header = (Host => one_of('shop.example', 'SHOP.example:80',
                                 'help.example'),
                  Referer => one_of(@referers), 'User-Agent' => $agents[0],
                  Accept => $accepts[0]);
    my @odd = (
        [ 'User-Agent' => @agents ],
        [ 'Accept' => @accepts ],
        [ 'Sec-Fetch-Dest' => qw(document image iframe empty report) ],
        [ 'Sec-Fetch-Site' => qw(cross-site same-origin same-site none) ],
        [ 'Sec-Purpose' => 'prefetch', 'prefetch;prerender' ],
        [ 'X-Moz' => 'prefetch' ],
        [ 'Cache-Control' => 'max-age=0', 'no-cache', 'max-age=60' ],
        [ 'Range' => 'bytes=0-', 'bytes=9-', 'x' ],
        [ 'Upgrade' => 'websocket' ],
    );

    for my $odd (@odd) {
        my ($name, @values) = @$odd;
        $header{$name} = one_of(@values) if rand() < 0.12;
    }

    my $uri = one_of(@landings, qw(/help /closed /named /any /docs/));
    my @args;

    push @args, one_of('ref=t1', 'ref=t2', 'ref=t3', 'ref=t4', 'ref=none',
                       'via=t1', 'ref=%74%31', 'ref=') if rand() < 0.25;
    push @args, 'x=' . int rand 3 if rand() < 0.1;
    push @args, 'skip=yes' if rand() < 0.05;

    my $method = rand() < 0.06 ? one_of(qw(HEAD POST PUT OPTIONS)) : 'GET';

    return ($method, @args ? "$uri?" . join '&', @args : $uri, %header);
}

my (%status, $c);

for (1 .. $count) {
    $c //= $t->connection;
    my $answer = $c->request(random_request());

    $status{ $answer ? $answer->{status} : 444 }++;

    if (!$answer || ($answer->{headers}{connection} // '') eq 'close') {
        $c->close;
        undef $c;
    }
}

$c->close if $c;

my $summary = settled($t, $count);
my $outcomes = $summary->{outcomes};

is(sum(\%status), $count, "$count requests");
is(sum($outcomes), $count, 'the outcomes sum to the requests the client made');
is(scalar(grep { !$_ } values %$outcomes), 0, 'none of the outcomes is empty');
is(sum($summary->{evidence}), $outcomes->{matched},
   'the evidence sums to the matches');
cmp_ok(scalar(grep { $_ } values %{ $summary->{evidence} }), '>=', 5,
       'by most kinds of evidence');

my $classes = sum({ map { $_ => $summary->{classes}{$_} } @classes });

is($classes, $outcomes->{matched}, 'the classes sum to the matches');
is(scalar(grep { !$summary->{classes}{$_} } @classes), 0,
   'none of the classes is empty');
is($summary->{clicks}{matched}, $summary->{classes}{clicks},
   'the clicks of matched requests are the class');
cmp_ok($summary->{clicks}{$_}, '<=', $outcomes->{$_}, "no more clicks: $_")
    for @classed;
is(scalar keys %{ $summary->{clicks} }, scalar @classed,
   'the other outcomes have no clicks');

# The log tells the same of each request.

my (%log, %log_status);

for my $line (split /\n/, $t->read_file('row.log')) {
    my ($status, $outcome, $evidence, $class, $link) =
        map { $_ eq '-' ? '' : $_ } split /\|/, $line, -1;

    $log_status{$status}++;
    $log{outcome}{$outcome}++;
    $log{clicks}{$outcome}++ if $class eq 'click';
    $log{odd}{$line}++
        if ($class eq '') != ($outcome =~ /^(?:skipped|internal|malformed)$/)
           || ($evidence eq '') != ($outcome ne 'matched')
           || ($link eq '') != ($outcome ne 'matched');

    next if $outcome ne 'matched';

    my $counter = $counter{$class}
                  // ($status < 500 ? 'errors_4xx' : 'errors_5xx');

    $log{evidence}{$evidence}++;
    $log{link}{$link}{$counter}++;
}

is_deeply(\%log_status, \%status, 'each status the client saw');
is_deeply($log{outcome}, $outcomes, 'the log and the counters: outcomes');
is_deeply($log{clicks}, $summary->{clicks}, 'the log and the counters: clicks');
is_deeply($log{evidence}, nonzero($summary->{evidence}),
          'the log and the counters: evidence');
is_deeply($log{odd} // {}, {}, 'a class, and a link, where there must be one');

my $links = links_of($t);
my ($ambiguous, %seen, %got, @more);

for my $key (keys %$links) {
    my $counters = $links->{$key}{counters};
    my %own = map { $_ => $counters->{$_} } grep { $counters->{$_} } @classes;

    $got{$key} = \%own if %own;
    push @more, $key
        if $counters->{clicks_by_tag} + $counters->{clicks_by_page}
               > $counters->{clicks}
           || $counters->{other_landing} > $counters->{clicks_by_page};

    for my $group (@{ $links->{$key}{groups} }) {
        $ambiguous += $group->{clicks} unless $seen{ $group->{key} }++;
    }
}

is_deeply(\%got, $log{link}, "the log and the counters: each link's classes");
is_deeply(\@more, [], 'parts of the clicks are no more than the clicks');
is($ambiguous, $summary->{clicks}{ambiguous},
   "the groups' clicks sum to the ambiguous ones");

my %sums;

for my $link (values %$links) {
    $sums{$_} += $link->{counters}{$_} for keys %{ $link->{counters} };
}

is_deeply(\%sums, $summary->{classes}, "the links' counters sum to the zone's");
is($summary->{health}{$_}, 0, "no $_") for qw(lookup_errors overflow);

diag("REFERRAL_SEED=$seed") if !Test::More->builder->is_passing;

$t->finish;

done_testing;
