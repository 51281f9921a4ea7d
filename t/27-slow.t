#!/usr/bin/perl

# An answer that its client takes slowly ends once, and what follows on the
# connection is the next answer.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%% sndbuf=4k rcvbuf=4k;
        location / { return 200 "the next answer"; }
        location /status { referral_status main; }
        location /limited { limit_rate 20k; referral_status main; }
    }
CONF

$t->ctl_ok('init');

my $csv = "source,match_type\n"
          . join '', map { "https://h$_.example/page,exact\n" } 1 .. 40;

is(($t->ctl_with($csv, 'import', '-'))[0], 0, 'the links are registered');
$t->start;

for my $path (qw(/status/ /status/links /limited/ /limited/links)) {
    my $c = $t->connection;

    # both at once; the first answer waits in nginx before it is read
    $c->send("GET $path HTTP/1.1\r\nHost: x\r\n\r\n"
             . "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    sleep 0.5;

    my $all = $c->read_all;
    my $ends = () = $all =~ /\r\n0\r\n\r\n/g;

    is($ends, 1, "$path: the answer ends once");
    like($all, qr/\r\n0\r\n\r\nHTTP\/1\.1 200 .*\r\n\r\nthe next answer\z/s,
         "$path: the next answer follows it");

    my ($body) = $all =~ /\A.*?\r\n\r\n(.*?)\r\n0\r\n\r\n/s;
    $body =~ s/(?:\A|\r\n)[0-9a-f]+\r\n//g;
    ok(eval { JSON::PP->new->decode($body) }, "$path: it is JSON")
        or diag(substr($body, 0, 300));
}

is($t->get('/statuslinks')->{status}, 404,
   'a path that only begins like the location is nothing here');

$t->finish;

done_testing;
