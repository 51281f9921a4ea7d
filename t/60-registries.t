#!/usr/bin/perl

# Several registries in one nginx: each has files and counts of its own, what
# befalls one is nothing to the others, and no two share a directory or a
# counter file.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(flat nonzero settled sum);
use Referral::Test qw(wait_until);


my $page = 'https://blog.example/2024/launch';
my $other = 'https://other.example/';

# shop and blog are servers of their own, docs and forum locations of one.

my %registry = map {
    $_ => "referral_registry $_ %%DIR%%/$_ counters=%%SHM%%/$_.counters"
          . ' flush=1s;'
} qw(shop blog docs forum);

my @always = qw(shop blog docs);

my $t = Referral::Test->new(workers => 2, http => http(qw(shop blog docs
                                                          forum)));
my $json = JSON::PP->new->utf8;

# The same link in each: it has the same key everywhere.

my %key = map { $_ => make_registry($_) } keys %registry;

is(scalar keys %{{ reverse %key }}, 1, 'a link has one key in all registries');

$t->start;

# Which requests each registry got: outcomes by name.  The client's own count.

my %sent;
my %links_clicks = map { $_ => 0 } keys %registry;

visit('shop', $page) for 1 .. 5;
visit('blog', $page) for 1 .. 3;
visit('docs', $page) for 1 .. 7;
visit('forum', $page) for 1 .. 2;
visit('blog', $other) for 1 .. 4;
visit('forum', undef) for 1 .. 6;

counts_are('several registries', sort keys %registry);

is_deeply($t->get_json('/all'),
          { registries => [ qw(shop blog docs forum) ] },
          'all: the list, in the order of the configuration');

for my $name (sort keys %registry) {
    my $summary = $t->get_json("/all/$name");

    is($summary->{registry}, $name, "all: the tree of $name has its name");
    is_deeply($summary->{outcomes}, $t->get_json("/$name")->{outcomes},
              "all: the counts of $name are those of its own tree");
    is($t->get_json("/all/$name/links/$key{$name}")->{counters}{clicks},
       $links_clicks{$name}, "all: the link of $name");
}

# Files.

for my $name (sort keys %registry) {
    my $dir = $t->dir . "/$name";

    ok(-s "$dir/registry/data.mdb" && wait_until(sub {
        -s "$dir/ledger/data.mdb"
    }, 10), "$name has a registry and a ledger of its own");
    ok(-s $t->shm . "/$name.counters", "$name has its counter file");
}

# Many at once, by several processes: nothing goes astray between the two.

my $load = $t->load(requests => [ [ '/docs/', Referer => $page ],
                                  [ '/forum/', Referer => $page ],
                                  [ '/docs/', Referer => $other ] ],
                    count => 6000, connections => 4, depth => 16);

is($load->{total}, 6000, 'all requests are answered');

$sent{docs}{matched} += $load->{answered}[0];
$sent{forum}{matched} += $load->{answered}[1];
$sent{docs}{unregistered} += $load->{answered}[2];
$links_clicks{docs} += $load->{answered}[0];
$links_clicks{forum} += $load->{answered}[1];

counts_are('under load', sort keys %registry);

# One that is gone, and comes back.

my $hidden = $t->dir . '/hidden';
my $registry_dir = $t->dir . '/forum/registry';

rename $registry_dir, $hidden or die "$registry_dir: $!\n";

ok(wait_until(sub { health('forum') ne 'ok' }, 10),
   'a registry that is gone is seen');
is(health($_), 'ok', "$_ is as it was") for @always;

for (1 .. 4) {
    visit($_, $page) for @always;
    is(get('forum', $page)->{status}, 200, 'its requests are served');
}

counts_are('while another registry is gone', @always);

rename $hidden, $registry_dir or die "$hidden: $!\n";

ok(wait_until(sub { health('forum') eq 'ok' }, 10), 'it comes back');

$sent{forum} = undef;                # some of these had no registry
my $before = link_clicks('forum');
visit('forum', $page) for 1 .. 3;
ok(wait_until(sub { link_clicks('forum') == $before + 3 }, 10),
   'and counts on where it was');

# One that is damaged: another file takes its place.

my $data = "$registry_dir/data.mdb";
my $good = "$registry_dir/good.mdb";
my $noise = "$registry_dir/noise.mdb";
my ($uid, $gid) = (stat $data)[4, 5];

$t->write_file('forum/registry/noise.mdb',
               pack 'C*', map { ($_ * 167 + 13) % 256 } 1 .. 65536);
chown $uid, $gid, $noise;
rename $data, $good or die;
rename $noise, $data or die;

ok(wait_until(sub { health('forum') ne 'ok' }, 10),
   'a registry that is damaged is seen');

for (1 .. 4) {
    visit($_, $page) for @always;
    is(get('forum', $page)->{status}, 200, 'its requests are served');
}

counts_are('while another registry is damaged', @always);

# nginx starts with it, too.

$t->restart;

is(get('forum', $page)->{status}, 200, 'nginx starts with a damaged registry');
isnt(health('forum'), 'ok', 'and shows it');

visit($_, $page) for @always;
counts_are('started beside a damaged registry', @always);

rename $good, $data or die;

ok(wait_until(sub { health('forum') eq 'ok' }, 10), 'it is restored');

# Reload: one goes, one comes, the others count on.

$registry{wiki} = "referral_registry wiki %%DIR%%/wiki"
                  . ' counters=%%SHM%%/wiki.counters flush=1s;';
$key{wiki} = make_registry('wiki');
$links_clicks{wiki} = 0;

$t->set_conf(http => http(qw(shop blog wiki)));
$t->reload;

is_deeply($t->get_json('/all'), { registries => [ qw(shop blog wiki) ] },
          'a reload adds and removes registries');

visit('shop', $page) for 1 .. 2;
visit('wiki', $page) for 1 .. 5;
is(get('docs', $page)->{status}, 200, 'a location that counts no more');

counts_are('after that reload', qw(shop blog wiki));

is($json->decode(ctl_ok('docs', 'show', $key{docs}, '--json'))
       ->{counters}{clicks},
   $links_clicks{docs}, 'the removed one keeps its totals');

$t->set_conf(http => http(qw(docs shop blog wiki)));
$t->reload;

visit('docs', $page) for 1 .. 3;
counts_are('when it is there again', qw(docs shop blog wiki));

$t->stop;

for my $name (qw(docs shop blog wiki)) {
    is($json->decode(ctl_ok($name, 'show', $key{$name}, '--json'))
           ->{counters}{clicks},
       $links_clicks{$name}, "the ledger of $name has its clicks alone");
}

# What two registries may not share: {what, the second one, what is said}.

symlink $t->dir . '/shop', $t->dir . '/way' or die;
symlink $t->shm, $t->dir . '/shm' or die;

my $shop = $registry{shop};
my $path_used = qr/the path ".+" of referral registry "second" is used by /;

my @refused = (
    [ 'a path', '%%DIR%%/shop', $path_used ],
    [ 'a path with a slash', '%%DIR%%/shop/', $path_used ],
    [ 'a path with dots', '%%DIR%%/temp/../shop', $path_used ],
    [ 'a directory by a symlink', '%%DIR%%/way', $path_used ],
    [ 'a counter file', '%%DIR%%/second counters=%%SHM%%/shop.counters',
      qr/the counter file ".+" of referral registry "second" is used by / ],
);

$t->expect_log(qr/\[emerg\] .* of referral registry "second" is used by /);

for my $row (@refused) {
    my ($what, $second, $said) = @$row;

    $t->set_conf(http => "$shop\nreferral_registry second $second;\n"
                         . "server { listen 127.0.0.1:%%PORT%%; }\n");
    my ($exit, $text) = $t->configtest;

    isnt($exit, 0, "$what used twice is refused");
    like($text, $said, 'and said which');
}

# A counter file by another name is known when it is opened: one registry has
# it, the other says so.

$registry{$_} = "referral_registry $_ %%DIR%%/$_ flush=1s" for qw(shop blog);
$registry{shop} .= ' counters=%%SHM%%/shop.counters;';
$registry{blog} .= ' counters=%%DIR%%/shm/shop.counters;';

$t->set_conf(http => http(qw(shop blog)));
$t->start;

my %counters;

ok(wait_until(sub {
    %counters = map {
        $_ => $t->get_json("/$_")->{health}{counters}
    } qw(shop blog);

    return 1 == grep { $_ eq 'ok' } values %counters;
}, 10), 'a counter file by two names: one registry counts in it');

my ($winner, $loser) = sort { ($counters{$b} eq 'ok') <=>
                              ($counters{$a} eq 'ok') } keys %counters;

like($counters{$loser}, qr/it belongs to another registry/,
     'the other one shows that it cannot');

visit($winner, $page) for 1 .. 3;
is(get($loser, $page)->{status}, 200, 'and serves');
counts_are('in a counter file that another one wants', $winner);

$t->finish;
done_testing;


# A configuration with these registries, each counting where it always does.

sub http {
    my %is = map { $_ => 1 } @_;

    my $registries = join "\n", map { $registry{$_} } @_;
    my %counts = map {
        $_ => $is{$_} ? "referral $_;" : ''
    } qw(shop blog docs forum wiki);
    my $trees = join "\n", map {
        "location = /$_ { referral_status $_; }"
    } @_;

    return <<"CONF";
    $registries

    server {
        listen 127.0.0.1:%%PORT%%;

        location /docs/ { $counts{docs} return 200; }
        location /forum/ { $counts{forum} return 200; }
        location /wiki/ { $counts{wiki} return 200; }

        $trees
        location ^~ /all { referral_status all; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        $counts{shop}
        location / { return 200; }
    }

    server {
        listen 127.0.0.1:%%PORT3%%;
        $counts{blog}
        location / { return 200; }
    }
CONF
}


sub make_registry {
    my ($name) = @_;

    ctl_ok($name, 'init', defined $t->{user} ? ('--owner', $t->{user}) : ());

    return ctl_ok($name, 'add', $page);
}


sub ctl_ok {
    my ($name, @args) = @_;

    my ($exit, $out, $err) = $t->run_command(undef, $t->{ctl}, '-d',
                                             $t->dir . "/$name", @args);

    die "referralctl -d $name @args: exit $exit: $err\n" if $exit != 0;

    chomp $out;
    return $out;
}


# One request that this registry is to count; visit() notes it.

sub get {
    my ($name, $referer) = @_;

    my $port = $name eq 'shop' ? 2 : $name eq 'blog' ? 3 : 1;
    my $c = $t->connection($t->port($port));
    my $response = $c->request('GET', "/$name/", Connection => 'close',
                               defined $referer ? (Referer => $referer) : ());
    $c->close;

    return $response;
}


sub visit {
    my ($name, $referer) = @_;

    my $outcome = !defined $referer ? 'direct'
                  : $referer eq $page ? 'matched' : 'unregistered';

    get($name, $referer);
    $sent{$name}{$outcome}++;
    $links_clicks{$name}++ if $outcome eq 'matched';
}


sub counts_are {
    my ($when, @names) = @_;

    for my $name (@names) {
        my $summary = settled($t, sum($sent{$name} // {}), "/$name");

        is_deeply(nonzero($summary->{outcomes}), $sent{$name} // {},
                  "$when: $name has the client's counts");
        is(link_clicks($name), $links_clicks{$name},
           "$when: the link of $name, too");
    }
}


sub link_clicks {
    my ($name) = @_;

    return $t->get_json("/all/$name/links/$key{$name}")->{counters}{clicks};
}


sub health {
    my ($name) = @_;

    return $t->get_json("/$name")->{health}{registry};
}
