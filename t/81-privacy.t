#!/usr/bin/perl

# Nothing that tells who a visitor is goes into a file of ours: no address, no
# cookie, no User-Agent, no query, no account in a URL, not the page he came
# from if it is no registered one.  Looked for in every byte on disk and on
# tmpfs, and in what the status tree says.

use strict;
use warnings;

use File::Find ();
use FindBin;
use IO::Socket::INET;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled summary);
use Referral::Test qw(wait_until);

use constant VISITS => 20;

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { return 200; }
        location /status { referral_status main; }
    }
CONF

# The whole of 127.0.0.0/8 is this machine.

my $address = '127.193.211.77';

my %secret = (
    'the address' => $address,
    'the address, packed' => pack('C4', split /\./, $address),
    'a forwarded address' => '198.51.100.183',
    'a cookie' => 'zQ4cookiezQ4',
    'the User-Agent' => 'zQ4agentzQ4',
    'the query of a landing' => 'zQ4queryzQ4',
    'a wrong tag' => 'zQ4tagzQ4',
    'the query of a Referer' => 'zQ4askedzQ4',
    'the page of a Referer' => 'zQ4pagezQ4',
    'a user in a Referer' => 'zQ4userzQ4',
    'a language' => 'zq-ZQ4',
    'a login' => 'zQ4authzQ4',
);

$t->ctl_ok('init');
$t->ctl_ok('add', 'https://blog.example/', '--match-type', 'prefix');
$t->ctl_ok('add', 'news.example');
$t->ctl_ok('add', '--tag', 'spring');
$t->start;

for (1 .. VISITS) {
    visit($_) for
        'https://zQ4userzQ4@blog.example/zQ4pagezQ4?q=zQ4askedzQ4',
        'https://news.example/zQ4pagezQ4?q=zQ4askedzQ4#zQ4pagezQ4',
        'https://other.example/zQ4pagezQ4?q=zQ4askedzQ4',
        'nonsense://zQ4pagezQ4/', '';
}

my $summary = settled($t, 5 * VISITS);

is($summary->{outcomes}{matched}, 2 * VISITS, 'the visits were counted');
is($summary->{clicks}{unregistered}, VISITS, 'strangers, too');

ok(wait_until(sub { flushed() }, 30), 'and stored');

ok(wait_until(sub { $t->get('/status/sources')->{body} =~ /other\.example/ },
              30), 'and who else links here is known');

my @said = map { $t->get("/status/$_")->{body} }
           '', 'links?limit=all', 'hosts', 'history?unit=minute', 'metrics',
           'sources', 'broken';

$t->stop;

my %bytes = ('what the tree says' => "@said",
             'the error log' => $t->error_log);

File::Find::find({ no_chdir => 1, wanted => sub {
    $bytes{$_} = $t->read_file($_) if -f $_;
} }, $t->registry_dir, $t->shm);

cmp_ok(scalar keys %bytes, '>=', 2 + 5, 'all files are there');
like(join('', values %bytes), qr/other\.example/,
     'what is meant to be there is found');

for my $name (sort keys %secret) {
    my @where = grep { index($bytes{$_}, $secret{$name}) >= 0 } keys %bytes;

    is_deeply(\@where, [], "nowhere: $name");
}

$t->finish;

done_testing;


sub visit {
    my ($referer) = @_;

    my $socket = IO::Socket::INET->new(LocalAddr => $address,
                                       PeerAddr => '127.0.0.1',
                                       PeerPort => $t->port)
        or die "connect from $address: $!\n";

    print $socket "GET /landing?x=zQ4queryzQ4&ref=zQ4tagzQ4 HTTP/1.1\r\n"
        . "Host: shop.example\r\nConnection: close\r\n"
        . "User-Agent: Mozilla/5.0 (X11) zQ4agentzQ4 Firefox/140.0\r\n"
        . "Accept: text/html\r\nAccept-Language: zq-ZQ4\r\n"
        . "X-Forwarded-For: 198.51.100.183\r\nForwarded: for=198.51.100.183\r\n"
        . "Cookie: id=zQ4cookiezQ4\r\nAuthorization: Basic zQ4authzQ4\r\n"
        . ($referer ne '' ? "Referer: $referer\r\n" : '') . "\r\n";
    my $answer = join '', <$socket>;

    $answer =~ m{^HTTP/1\.1 200 } or die "not answered: $answer\n";
}


sub flushed {
    my $summary = summary($t);
    my $history = $t->get_json('/status/history?unit=day');
    my $clicks = 0;

    $clicks += $_->{counters}{clicks} // $_->{clicks} // 0
        for @{ $history->{buckets} };

    return $clicks >= $summary->{clicks}{matched};
}
