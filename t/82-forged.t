#!/usr/bin/perl

# Strangers send what they like, a hundred thousand different Referers, tags
# and landings of it: registered links have what they brought and no more, and
# neither a worker nor a file grows.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of settled summary sum);
use Referral::Load;
use Referral::Stall;
use Referral::Test qw(wait_until);

use constant {
    FLOOD => exists $ENV{ASAN_OPTIONS} ? 10_000 : 100_000,
    EVERY => 100,                # one request in so many is a visitor's
    MEMORY => 1024,              # KB
    GROWTH => 64 * 1024,         # bytes a file may grow by
    SOURCES => 2 * 1024 * 1024,  # and the ledger: who links here is a table of
                                 # fixed size, which the flood fills
};

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 10000000;
        large_client_header_buffers 4 16k;
        location / { referral main; return 204; }
        location /status { referral_status main; }
    }
CONF

my $page = 'https://blog.example/2024/launch';

$t->ctl_ok('init');
my $link = $t->ctl_ok('add', $page, '--target', '/pricing');
my $tag = $t->ctl_ok('add', '--tag', 'spring');
my $domain = $t->ctl_ok('add', 'friends.example', '--match-type', 'domain');
$t->start;

my ($worker) = $t->worker_pids;

# A stranger's: each another one, some as long as nginx takes them.

my @forged = (
    sub { [ "/$_[0]", "https://h$_[0].example/$_[0]/page" ] },
    sub { [ "/$_[0]", "https://h$_[0].blog.example/2024/launch" ] },
    sub { [ "/pricing?ref=t$_[0]", "https://blog.example.h$_[0].example/" ] },
    sub { [ "/pricing?ref=spring$_[0]", "https://friends.example.$_[0]/" ] },
    sub { [ "/", "https://x.example/" . "a$_[0]/" x 16 ] },
    sub { [ "/", "https://" . "l$_[0]." x 8 . 'example/' ] },
    sub { [ "/?" . "ref=$_[0]&" x 16, "" ] },
    sub { [ "/" . "%$_[0]" x 20, "http://[::$_[0]]:99999/%zz" ] },
    sub { [ "/", "data:text/html,$_[0]" ] },
    sub { [ "/", "https://x.example/" . 'y' x 3000 . $_[0] ] },
);

flood(1, FLOOD / 10);            # buffers of the worker's are made

my $memory = Referral::Stall::private_memory($worker);
my %size = sizes();
my $before = summary($t);

flood(2, FLOOD);

my $after = settled($t, sum($before->{outcomes}) + FLOOD);

is(sum($after->{outcomes}) - sum($before->{outcomes}), FLOOD,
   'each request has an outcome');

my $visits = FLOOD / EVERY + FLOOD / 10 / EVERY;

is(counters_of($t, $link)->{clicks}, $visits, 'the page has its own visitors');
is(counters_of($t, $tag)->{clicks} // 0, 0, 'nobody guessed the tag');
is(counters_of($t, $domain)->{clicks} // 0, 0, 'nobody is under the domain');
is($after->{outcomes}{matched}, $visits, 'and that is all of them');
is($after->{links}{registered}, 3, 'no link was added');
is($after->{health}{overflow}, 0, 'none lacked a cell');

SKIP: {
    skip 'a sanitizer keeps what was freed', 1 if exists $ENV{ASAN_OPTIONS};

    cmp_ok(Referral::Stall::private_memory($worker) - $memory, '<', MEMORY,
           'the worker has not grown');
}

my %now = sizes();

cmp_ok($now{$_}, '<=', $size{$_} + (/^ledger/ ? SOURCES : GROWTH),
       "nor has $_") for sort keys %size;

is($t->get('/pricing', Referer => $page)->{status}, 204, 'it serves on');

$t->finish;

done_testing;


sub flood {
    my ($salt, $n) = @_;

    my @texts = map {
        my ($uri, $referer) = $_ % EVERY == 0
            ? ('/pricing', $page)
            : @{ $forged[$_ % @forged]->($salt * 10_000_000 + $_) };

        "GET $uri HTTP/1.1\r\nHost: shop.example\r\nAccept: text/html\r\n"
        . "User-Agent: Mozilla/5.0 (X11) Firefox/140.0\r\n"
        . ($referer ne '' ? "Referer: $referer\r\n" : '') . "\r\n"
    } 1 .. $n;

    Referral::Load::burst($t->port, \@texts);
}


# Blocks on disk: the counter file has holes.

sub sizes {
    my %size;

    for my $file ($t->shm . '/main.counters',
                  map { $t->registry_dir . "/$_/data.mdb" } qw(registry ledger))
    {
        my ($name) = $file =~ m{([^/]+/[^/]+)$};
        $name =~ s{^referral-test-\w+/}{};
        $size{$name} = (stat $file)[12] * 512;
    }

    return %size;
}
