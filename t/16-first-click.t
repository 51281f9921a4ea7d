#!/usr/bin/perl

# A link counts from its first click on: also where nginx has just made the
# registry, and no worker has looked for it since; also where the counter file
# is new, and the link's id is large.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of links_of settled sum summary);
use Referral::Test qw(wait_until);


use constant {
    ROUNDS => 4,
    CLICKS => 20,                # each on a connection of its own
    MANY => 6000,              # more than cells are made ahead
    LARGE => 200_000,            # more than a worker makes in a tick
    PATIENCE => 30,
};

my $page = 'https://blog.example/2024/launch';


for my $round (1 .. ROUNDS) {
    my $t = new_nginx();

    $t->start;

    my $early = 0;
    my %before;

    if ($round % 2 == 0) {
        $early = 8;
        %before = decisions($t, $page, $early);
        is_deeply([ keys %before ], [ 'unregistered ' ],
                  "round $round: nothing is registered yet");
    }

    my $key = $t->ctl_ok('add', $page, '--name', 'One');
    my %after = decisions($t, $page, CLICKS);

    is_deeply(\%after, { 'matched One' => CLICKS },
              "round $round: each click since add returned is the link's");
    exact($t, $early + CLICKS, "round $round");
    is(counters_of($t, $key)->{clicks}, CLICKS, "round $round: in its cell");
    $t->finish;
}

# Each link of a list that is longer than the room there is at first.

my $t = new_nginx();

$t->start;
$t->ctl_ok('import', list($t, MANY));
each_counts($t, MANY, 'a long list, imported at once');
$t->finish;

# nginx begins to count while the import is at work.

$t = new_nginx();
import_around($t, MANY, sub {
    $t->start;
    ok(wait_until(sub { defined summary($t)->{health}{flush_age_ms} },
                  PATIENCE), 'nginx has flushed');
});
each_counts($t, MANY, 'a long list, begun before nginx');
$t->finish;

# The same in a file that is followed.

$t = new_nginx('source=links.csv');
list($t, MANY);
$t->start;
ok(wait_until(sub { summary($t)->{links}{registered} == MANY }, PATIENCE),
   'a long list that is followed is there');
each_counts($t, MANY, 'a long list that is followed');
$t->finish;

# A large registry, and a counter file that is new, as after each boot.

$t = new_nginx();
$t->ctl_ok('init');
$t->ctl_ok('import', list($t, LARGE));
$t->start;

my %last = decisions($t, 'https://h' . LARGE . '.example/page', CLICKS);

is_deeply(\%last, { 'matched Link ' . LARGE() => CLICKS },
          'the last one of a large list');
exact($t, CLICKS, 'a large list');
$t->finish;

done_testing;


sub new_nginx {
    my ($source) = @_;

    return Referral::Test->new(workers => 2, http => <<"CONF");
        referral_registry main %%DIR%%/referral
                          counters=%%SHM%%/main.counters @{[ $source // '' ]};

        server {
            listen 127.0.0.1:%%PORT%% reuseport;
            keepalive_requests 100000;
            referral main;
            location / {
                add_header X-Decision "\$referral_outcome \$referral_name";
                return 200;
            }
            location /status { referral_status main; }
        }
CONF
}


sub list {
    my ($t, $links) = @_;

    return $t->write_file('links.csv', "source,name\n" . join '',
        map { "https://h$_.example/page,Link $_\n" } 1 .. $links);
}


# The command has opened all when it has read the first line.

sub import_around {
    my ($t, $links, $function) = @_;

    my $text = $t->read_file(list($t, $links));

    open my $ctl, '|-', 'sh', '-c', 'exec "$@" >/dev/null', 'sh', $t->{ctl},
        '-d', $t->registry_dir, 'import', '-' or die "referralctl: $!\n";

    print $ctl substr $text, 0, length($text) / 2;
    $ctl->flush;
    sleep 1;
    $function->();
    print $ctl substr $text, length($text) / 2;

    ok(close $ctl, 'the import is done');
}


# What so many clicks were taken for, and how many of them.

sub decisions {
    my ($t, $referer, $clicks) = @_;

    my %seen;

    for (1 .. $clicks) {
        $seen{ $t->get('/', Referer => $referer)->{headers}{'x-decision'} }++;
    }

    return %seen;
}


sub each_counts {
    my ($t, $links, $name) = @_;

    my @requests = map { [ '/', Referer => "https://h$_.example/page" ] }
                   1 .. $links;
    my $result = $t->load(requests => \@requests, count => $links,
                          depth => 50, connections => 4);

    is($result->{total}, $links, "$name: clicks on its links");

    my $summary = exact($t, $links, $name);
    my $clicks = 0;

    $clicks += $_->{counters}{clicks} for values %{ links_of($t) };

    is($summary->{outcomes}{matched}, $links, "$name: each matches");
    is($clicks, $links, "$name: and counts for its link");
}


# The outcomes are the client's requests, and none lacked a cell.

sub exact {
    my ($t, $requests, $name) = @_;

    my $summary = settled($t, $requests);

    is(sum($summary->{outcomes}), $requests, "$name: no request is missing");
    is($summary->{health}{overflow}, 0, "$name: none overflows");

    return $summary;
}
