#!/usr/bin/perl

# Browsers send the origin only: then the landing tells which of a host's
# links was followed.  Rows of Referer and landing, and the link or group
# that nginx must find for them.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted links_of nonzero settled sum);
use Referral::Test;


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;

        referral main;

        location / { return 200; }
        location = /short { rewrite ^ /pricing last; }
        location = /gone { return 410; }
        location /status { referral_status main; }
    }
CONF

$t->ctl_ok('init');

my (%key, %name);

sub register {
    my ($name, @args) = @_;

    $key{$name} = $t->ctl_ok('add', @args);
    $name{ $key{$name} } = $name;
}

register('launch', 'https://blog.example/2024/launch',
         '--target', '/pricing');
register('other', 'https://blog.example/2024/other', '--target', '/features');
register('both a', 'https://blog.example/both', '--target', '/a');
register('both b', 'https://blog.example/both', '--target', '/b');
register('too a', 'https://blog.example/too', '--target', '/a');
register('gone', 'https://blog.example/gone', '--target', '/gone');
register('topics', 'https://forum.example/topics', '--match-type', 'prefix',
         '--target', '/pricing');
register('open', 'https://forum.example/open');
register('forum', 'forum.example', '--match-type', 'host');
register('home', 'https://home.example/', '--target', '/pricing');
register('blank 1', 'https://blanks.example/1');
register('blank 2', 'https://blanks.example/2');
register('item', 'https://query.example/item', '--target', '/item');
register('item 5', 'https://query.example/five', '--target', '/item?id=5');
register('elsewhere', 'https://query.example/site',
         '--target', 'https://shop2.example/item');
register('host a', 'hosts.example', '--match-type', 'host',
         '--target', '/a');
register('host b', 'hosts.example', '--match-type', 'host',
         '--target', '/b');
register('domain', 'below.example', '--match-type', 'domain');
register('page below', 'https://www.below.example/page',
         '--target', '/pricing');

# [ Referer, landing, evidence or "", link or group, other landing ]

my $both = 'both a, both b';
my $same = 'both a, too a';

my @rows = (
    # the origin, and the landing
    [ 'https://blog.example/', '/pricing', 'landing', 'launch' ],
    [ 'https://blog.example', '/pricing', 'landing', 'launch' ],
    [ 'http://www.blog.example:8080/#x', '/pricing', 'landing', 'launch' ],
    [ 'https://blog.example/', '/pricing/', 'landing', 'launch' ],
    [ 'https://blog.example/', '/pricing?', 'landing', 'launch' ],
    [ 'https://blog.example/', '/pricing?utm_source=blog&x=1', 'landing',
      'launch' ],
    [ 'https://blog.example/', '/%70ricing', 'landing', 'launch' ],
    [ 'https://blog.example/', '/x/../pricing', 'landing', 'launch' ],
    [ 'https://blog.example/', '//pricing', '' ],
    [ 'https://blog.example/', 'http://shop.example/pricing', 'landing',
      'launch' ],
    [ 'https://blog.example/', '/Pricing', '' ],
    [ 'https://blog.example/', '/pricing/x', '' ],
    [ 'https://blog.example/', '/features', 'landing', 'other' ],
    [ 'https://blog.example/', '/b', 'landing', 'both b' ],
    [ 'https://blog.example/', '/none', '' ],
    [ 'https://blog.example/', '/a', 'ambiguous', $same ],
    [ 'https://blog.example/', '/short', '' ],

    # the page, and the landing
    [ 'https://blog.example/2024/launch', '/pricing', 'exact', 'launch' ],
    [ 'https://blog.example/2024/launch', '/else', 'exact', 'launch', 1 ],
    [ 'https://blog.example/both', '/a', 'exact', 'both a' ],
    [ 'https://blog.example/both', '/b', 'exact', 'both b' ],
    [ 'https://blog.example/both', '/c', 'ambiguous', $both ],
    [ 'https://blog.example/unknown', '/pricing', '' ],
    [ 'https://blog.example/?x', '/pricing', '' ],

    # prefix, links without target, the host itself
    [ 'https://forum.example/topics/1', '/pricing', 'prefix', 'topics' ],
    [ 'https://forum.example/topics/1', '/x', 'prefix', 'topics', 1 ],
    [ 'https://forum.example/', '/pricing', 'landing', 'topics' ],
    [ 'https://forum.example/', '/x', 'landing', 'open' ],
    [ 'https://forum.example/about', '/x', 'host', 'forum' ],
    [ 'https://home.example/', '/pricing', 'landing', 'home' ],
    [ 'https://home.example/', '/else', '' ],
    [ 'https://blanks.example/', '/x', 'ambiguous', 'blank 1, blank 2' ],
    [ 'https://blanks.example/2', '/x', 'exact', 'blank 2' ],

    # targets with a query, with a host
    [ 'https://query.example/', '/item', 'landing', 'item' ],
    [ 'https://query.example/', '/item?id=5', 'landing', 'item 5' ],
    [ 'https://query.example/', '/item?id=5&gclid=x', 'landing', 'item 5' ],
    [ 'https://query.example/', '/item?id=5&ref=partner', 'landing',
      'item 5' ],
    [ 'https://query.example/', '/item?id=6', 'landing', 'item' ],
    [ 'https://query.example/five', '/item', 'exact', 'item 5', 1 ],
    [ 'https://query.example/', 'http://shop2.example/item', 'landing',
      'elsewhere' ],

    # hosts and domains
    [ 'https://hosts.example/x', '/a', 'host', 'host a' ],
    [ 'https://hosts.example/', '/b', 'host', 'host b' ],
    [ 'https://hosts.example/', '/c', 'ambiguous', 'host a, host b' ],
    [ 'https://sub.below.example/', '/pricing', 'domain', 'domain' ],
    [ 'https://below.example/', '/pricing', 'landing', 'page below' ],
    [ 'https://below.example/', '/x', 'domain', 'domain' ],
    [ 'https://below.example/other', '/pricing', 'domain', 'domain' ],
);

$t->start;

# Clicks of each link by name, of each group by the names of its links.

sub clicks {
    my $links = links_of($t);
    my (%members, %clicks);

    for my $link (values %$links) {
        $clicks{ $name{ $link->{key} } } = $link->{counters}{clicks};

        for my $group (@{ $link->{groups} }) {
            push @{ $members{ $group->{key} } }, $link;
        }
    }

    for my $group (keys %members) {
        my @links = @{ $members{$group} };
        my $name = join ', ', sort map { $name{ $_->{key} } } @links;
        my %seen = map { $_->{clicks} => 1 }
                   grep { $_->{key} eq $group }
                   map { @{ $_->{groups} } } @links;

        # all joined before the first request
        is(scalar keys %seen, 1, "\"$name\" agree") if keys %seen != 1;
        ($clicks{$name}) = keys %seen;
    }

    return \%clicks;
}

my $groups = grep { /,/ } keys %{ clicks() };

is($groups, 4, 'groups: links with one page, one landing, or none');

for my $row (@rows) {
    my ($referer, $landing, $evidence, $found, $other) = @$row;
    my $outcome = $evidence eq '' ? 'unregistered'
                  : $evidence eq 'ambiguous' ? $evidence : 'matched';
    my %wanted = ($outcome => 1, "clicks.$outcome" => 1);

    if ($outcome eq 'matched') {
        $wanted{$evidence} = 1;
        $wanted{clicks} = 1;
        $wanted{clicks_by_page} = 1 if $evidence =~ /exact|prefix/;
        $wanted{other_landing} = 1 if $other;
    }

    my $host = $landing =~ m{^http://([^/]+)} ? $1 : 'shop.example';
    my $before = clicks();

    is_deeply(counted($t, sub {
                  $t->get($landing, Host => $host, Referer => $referer);
              }), \%wanted, "$referer to $landing: $outcome $evidence");

    my $after = clicks();
    my $new = nonzero({ map { $_ => $after->{$_} - $before->{$_} }
                        keys %$after });

    is_deeply($new, defined $found ? { $found => 1 } : {},
              'and it is ' . ($found // 'no link'));
}

# A click alone is a landing elsewhere; an error is a broken landing.

is_deeply(counted($t, sub {
              $t->get('/gone', Referer => 'https://blog.example/2024/launch');
          }), { matched => 1, exact => 1, errors_4xx => 1 },
          'an error at another landing');
is_deeply(counted($t, sub {
              $t->get('/gone', Referer => 'https://blog.example/');
          }), { matched => 1, landing => 1, errors_4xx => 1 },
          'an error at the target');

# A link that joins a group later has no part in what came before.

my $joined = $t->ctl_ok('add', 'https://blog.example/late', '--target', '/a');
my $late = 'https://blog.example/';

Referral::Test::wait_until(sub { links_of($t)->{$joined} }, 5);
$t->get('/a', Referer => $late) for 1 .. 3;
settled($t, @rows + 2 + 3);

my $links = links_of($t);
my ($old) = grep { $_->{links} == 3 } @{ $links->{ $key{'too a'} }{groups} };
my ($new) = @{ $links->{$joined}{groups} };

is($new->{key}, $old->{key}, 'a link joins the group');
is($new->{clicks}, 3, 'it has the clicks since');
is($old->{clicks}, 4, 'the others those from before, too');
is(sum($t->get_json('/status')->{outcomes}), @rows + 5,
   'a group counts a request once');

$t->finish;

done_testing;
