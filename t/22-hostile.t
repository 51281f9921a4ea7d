#!/usr/bin/perl

# Any bytes in, valid JSON out: names, Referers and paths nobody should use.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted settled sum summary);
use Referral::Test;


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        keepalive_requests 100000;
        large_client_header_buffers 8 64k;
        location / {
            add_header X-Name $referral_name;
            return 200;
        }
        location /status { referral_status main; }
    }
CONF

$t->ctl_ok('init');

# Valid UTF-8 as it is, other bytes in whatever way, but as valid JSON.  The
# command refuses control characters and says so.

my %bytes = map { sprintf('byte %02x', $_) => 'a' . chr($_) . 'z' } 1 .. 255;
my %texts = (
    'all bytes' => join('', map { chr } 1 .. 255),
    'quotes' => '"\\"\\\\"/\\u0000</script>',
    'two bytes' => "S\xc3\xb6hne",
    'three bytes' => "\xe2\x82\xac",
    'four bytes' => "\xf0\x9f\x94\x97",
    'the last code point' => "\xf4\x8f\xbf\xbf",
    'beyond the last' => "\xf4\x90\x80\x80",
    'a surrogate' => "\xed\xa0\x80",
    'overlong slash' => "\xc0\xaf",
    'overlong three' => "\xe0\x80\xaf",
    'a cut sequence' => "abc\xe2\x82",
    'a lone continuation' => "\x80\x80abc",
    'line separators' => "\xe2\x80\xa8\xe2\x80\xa9",
    'a byte order mark' => "\xef\xbb\xbfname",
    'long' => "\xff" x 200,
    %bytes,
);

my %valid = map { $_ => 1 } ('quotes', 'two bytes', 'three bytes',
                             'four bytes', 'the last code point');
my @wanted = ('all bytes', map { sprintf 'byte %02x', $_ } 1 .. 31);
my (%key, @refused);
my $i = 0;

for my $name (sort keys %texts) {
    $i++;

    my ($exit, $out, $err) = $t->ctl('add', "https://blog.example/$i",
                                     '--name', $texts{$name});

    if ($exit == 0) {
        ($key{$name}) = $out =~ /^([0-9a-f]{16})$/m;

    } else {
        push @refused, $name;
        like($err, qr/^referralctl: .*name/, "$name: refused by name")
            or diag($err);
    }
}

is_deeply(\@refused, [ sort @wanted ],
          'those with control characters are refused, no others');

$t->start;

my $strict = JSON::PP->new->utf8;

sub json_of {
    my ($path) = @_;

    my $body = $t->get($path, Accept => 'application/json')->{body};
    my $json = eval { $strict->decode($body) };

    ok(defined $json, "$path: valid JSON") or diag("$@\n$body");
    unlike($body, qr/[\x00-\x09\x0b-\x1f]/, "$path: no raw control byte");

    return $json;
}

my %found = map { $_->{key} => $_ }
            @{ json_of('/status/links?limit=all')->{links} };

is(scalar keys %found, scalar keys %key, 'all links are shown');

for my $name (sort keys %key) {
    my $link = json_of("/status/links/$key{$name}");

    is($link->{name}, $found{ $key{$name} }{name}, "$name: the same in both");

    if ($valid{$name}) {
        my $text = $texts{$name};
        utf8::decode($text);
        is($link->{name}, $text, "$name: as it was given");
    }
}

json_of('/status');

# Names in a response header.

for my $name ('quotes', 'two bytes') {
    my ($path) = $found{ $key{$name} }{source};

    is($t->get('/', Referer => $path)->{headers}{'x-name'}, $texts{$name},
       "$name: in a header");
}

# Referers of any bytes: each request is counted, and all stays JSON.

my @referers = (
    (map { 'https://x' . chr($_) . '.example/' } 1 .. 9, 11, 12, 14 .. 255),
    (map { 'https://x.example/' . chr($_) } 1 .. 9, 11, 12, 14 .. 255),
    (map { chr($_) x 3 } 1 .. 9, 11, 12, 14 .. 255),
    (map { 'https://' . 'a.' x $_ . 'example/' } 1, 50, 126, 127, 500),
    (map { 'https://blog.example/' . '/' x $_ } 1, 100, 8000),
    (map { 'https://blog.example/' . 'a/' x $_ } 15, 16, 17, 4000),
    (map { 'https://blog.example/' . '%' x $_ } 1, 3, 8000),
    (map { 'https://blog.example/?' . 'a&' x $_ } 1, 4000),
    (map { 'https://blog.example/' . '../' x $_ } 1, 2000),
    (map { 'https://[' . ':' x $_ . ']/' } 1 .. 10),
    (map { 'https://' . '1.' x $_ . '1/' } 1 .. 8),
    'https://[::1', 'https://]/', 'https://@/', 'https://:80/',
    'https://a:99999/', 'https://a:0/', 'https://./', 'https://../',
    'https://www./', 'https://www.www./', 'https://%00/', 'https://a%2eb/',
    'https://xn--/', 'https://xn--a/', 'http:///', 'http:', 'h', '://',
    'android-app:', 'android-app://', 'android-app:///', 'android-app://a',
    'android-app://' . 'a' x 8000,
    'https://blog.example/' . 'a' x 16_000,
);

my $c = $t->connection;
my $before = sum(summary($t)->{outcomes});
my $bad = 0;

for my $referer (@referers) {
    my $answer = $c->request('GET', '/', Referer => $referer);

    # nginx itself refuses a header with a control byte
    $bad++ if !defined $answer || $answer->{status} !~ /^(?:200|400)$/;

    if (!defined $answer
        || ($answer->{headers}{connection} // '') eq 'close')
    {
        $c->close;
        $c = $t->connection;
    }
}

is($bad, 0, 'each hostile Referer is answered');

my @paths = (
    (map { '/' . chr($_) } 33 .. 34, 36 .. 62, 64 .. 126, 128 .. 255),
    '/%', '/%zz', '/?' . '%' x 1000, '/' . 'a/' x 5000, '/?' . '&' x 5000,
    '/' . '../' x 3, '//', '/./', '/#x',
);

for my $path (@paths) {
    my $answer = $c->request('GET', $path,
                             Referer => 'https://blog.example/');

    $bad++ if !defined $answer || $answer->{status} !~ /^[2345]\d\d$/;

    if (!defined $answer
        || ($answer->{headers}{connection} // '') eq 'close')
    {
        $c->close;
        $c = $t->connection;
    }
}

is($bad, 0, 'each hostile path is answered');
$c->close;

my $after = settled($t, $before + @referers + @paths);

is(sum($after->{outcomes}), $before + @referers + @paths,
   'and counted once');
is($after->{health}{lookup_errors}, 0, 'no lookup failed');
json_of('/status');

# Hostile sources: what is registered is shown as JSON, the rest is refused.

for my $source ("https://blog.example/\x01\x02", "https://blog.example/\xff",
                'https://blog.example/"\\', 'https://blog.example/<script>',
                "https://blog.example/\xe2\x82\xac", 'https://b"log.example/')
{
    $t->ctl('add', $source, '--note', $source, '--anchor', "\xff$source",
            '--partner', '"', '--label', "a\xffb\"");
}

my $links = json_of('/status/links?limit=all')->{links};

cmp_ok(scalar @$links, '>', scalar keys %key, 'some of them are registered');

$t->finish;

done_testing;
