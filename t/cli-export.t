#!/usr/bin/perl

# What export writes, import reads back: the same links, field by field,
# whatever bytes they hold.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my @fields = qw(source match_type target tag name channel origin partner
                placement rel authority anchor labels note cost listed_first
                listed_last);
my @counters = qw(clicks reloads redirects errors_4xx errors_5xx embeds
                  prefetches bots other clicks_by_tag clicks_by_page
                  other_landing bytes);

my $t = Referral::Test->new;
my $json = JSON::PP->new->utf8;

$t->ctl_ok('init');

my $header = join ',', 'key', @fields, 'created', @counters, 'first_seen',
                       'last_seen', 'state', 'state_since';

is($t->ctl_ok('export'), "$header\r", 'an empty registry has a header');
is($t->ctl_ok('export', '--format', 'json'), '{"links":[]}', 'and no links');

my $key = $t->ctl_ok('add', 'https://a.example/1', '--target', '/p', '--tag',
    'spring', '--name', 'A, "quoted" name', '--channel', 'press', '--partner',
    'Acme', '--placement', 'footer', '--rel', 'ugc', '--authority', '7',
    '--anchor', '=HYPERLINK("x")', '--label', 'y', '--label', 'x', '--note',
    "two\nlines", '--cost', '0.50', '--listed-first', '2026-01-02',
    '--listed-last', '2026-03-04T05:06:07+01:00');

my @lines = split /\r\n?/, $t->ctl_ok('export');

is($lines[0], $header, 'the columns are fields, counters and times');
is($lines[1] =~ s/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ,0,/NOW,0,/r,
   "$key,https://a.example/1,exact,/p,spring,"
   . '"A, ""quoted"" name",press,,Acme,footer,ugc,7,'
   . qq("'=HYPERLINK(""x"")","x,y","two\nlines",0.50,2026-01-02,)
   . '2026-03-04T05:06:07+01:00,NOW,0,0,0,0,0,0,0,0,0,0,0,0,0,,,new,',
   'a link in one row');

# Any bytes a field may hold.

my @names = ("'", "''=x", '=1+1', '+1', '-1', '@x', "'tis", '"', '""', ',',
             "caf\xc3\xa9", "\xff\xfe", "\x{7f}", 'a;b', '#', '\\', "\xc2\x85");
my $n = 0;

for my $name (@names) {
    $n++;
    $t->ctl_ok('add', "https://n.example/$n", '--name', $name, '--note',
               "$name\n$name");
}

$t->ctl_ok('add', 'news.example', '--target', 'https://shop.example/p?id=5');
$t->ctl_ok('add', '192.0.2.7', '--channel', 'my-own');
$t->ctl_ok('add', '[2001:db8::1]');
$t->ctl_ok('add', 'forum.example', '--match-type', 'domain', '--origin',
           'paid');
$t->ctl_ok('add', 'https://docs.example/x', '--match-type', 'prefix');
$t->ctl_ok('add', "b\xc3\xbccher.example");
$t->ctl_ok('add', 'android-app://com.example.reader/');

my $export = $t->ctl_ok('export') . "\n";
my $before = links();

is(scalar @$before, 8 + @names, 'all links are exported');

my ($exit, $out, $err) = $t->ctl_with($export, 'import', '-');
is("$exit|$err", '0|', 'an export is read back');
like($out, qr/^25 rows → 25 links on 9 hosts \(0 new, 25 registered before\)/,
     'it changes nothing');

($exit, $out, $err) = $t->ctl_with($export, 'import', '-', '--update');
like($out, qr/ \(0 new, 0 updated, 25 registered before\), 0 merged, 0 bad;/,
     'not with --update either');

unlink glob $t->registry_dir . '/*/*';
$t->ctl_ok('init');

($exit, $out, $err) = $t->ctl_with($export, 'import', '-');
is("$exit|$err", '0|', 'an export fills an empty registry');
like($out, qr/^25 rows → 25 links on 9 hosts, 0 merged, 0 bad;/,
     'with all its links');
is_deeply(links(), $before, 'with the same keys and fields');

is($t->ctl_ok('export') . "\n", $export, 'and exports to the same bytes');

# The same through JSON, but for bytes that are no UTF-8, which it cannot hold.

$t->ctl_ok('rm', map { $_->{key} } grep { ($_->{name} // '') =~ /\x{fffd}/ }
                 @$before);

$export = $t->ctl_ok('export') . "\n";
my $shown = $t->ctl_ok('export', '--format', 'json');

unlink glob $t->registry_dir . '/*/*';
$t->ctl_ok('init');

($exit, $out, $err) = $t->ctl_with($shown, 'import', '-');
is("$exit|$err", '0|', 'an export in JSON is read back');
is($t->ctl_ok('export') . "\n", $export, 'to the same registry');
is($t->ctl_ok('export', '--format', 'json'), $shown, 'in JSON, too');

# A URL has escapes for such bytes, which make the same link; no pattern has,
# nor a tag.

unlink glob $t->registry_dir . '/*/*';
$t->ctl_ok('init');

my @keys = sort map { $t->ctl_ok('add', @$_) }
    [ "https://u.example/\xff\xc3?q=\xe9", '--target', "/caf\xe9?\xc3\xa9=\xfe" ],
    [ "https://u.example/%\xff41/%4\xff1/\xed\xa0\x80" ],
    [ "https://u.example/\xe2\x82/", '--match-type', 'prefix' ],
    [ "https://n\xff\@u.example/#\xff" ];

$shown = $t->ctl_ok('export', '--format', 'json');
unlike($shown, qr/\xef\xbf\xbd/, 'a URL needs no replacement in JSON');
like($shown, qr/%FF%C3\?q=%E9/, 'but escapes');

unlink glob $t->registry_dir . '/*/*';
$t->ctl_ok('init');

($exit, $out, $err) = $t->ctl_with($shown, 'import', '-');
is("$exit|$err", '0|', 'it is read back');
is_deeply([ sort map { $_->{key} } @{ links() } ], \@keys,
          'as the same links');

$t->ctl_ok('rm', @keys);

# A disavow list.

$t->ctl_ok('add', @$_, '--label', 'disavowed', '--label', 'x')
    for [ 'https://spam.example/page' ], [ 'spam.example/other' ],
        [ 'farm.example' ], [ 'https://root.example/', '--match-type', 'host' ],
        [ 'ring.example', '--match-type', 'domain' ],
        [ 'net.example/a/', '--match-type', 'prefix' ],
        [ 're.example/\d+', '--match-type', 'regex' ];
$t->ctl_ok('add', 'https://fine.example/', '--label', 'not-disavowed');

($exit, $out, $err) = $t->ctl('export', '--format', 'disavow');
is($exit, 0, 'a disavow list');
is($out, <<'LIST', 'has the links that are labelled so');
domain:farm.example
https://net.example/a/
domain:ring.example
domain:root.example
https://spam.example/other
https://spam.example/page
LIST
like($err, qr/export: left out: 1 labelled "disavowed" that are neither/,
     'and says what it cannot have');

($exit, $out, $err) = $t->ctl_with($out, 'import', '-');
is("$exit|$err", '0|', 'and is read back');

# Pages with bytes that mean something in such a list, hosts with a port, apps.

unlink glob $t->registry_dir . '/*/*';
$t->ctl_ok('init');

@keys = sort map { $t->ctl_ok('add', @$_, '--label', 'disavowed') }
    [ 'https://a.example/x #y' ], [ 'https://a.example/a b?c= #d' ],
    [ "https://a.example/\xff\xc3\xa9" ], [ "b\xc3\xbccher.example/p" ],
    [ 'a.example/?u=http://b.example/' ], [ '//a.example/relative' ],
    [ 'https://me@a.example:8080/port' ],
    [ 'c.example:8080', '--match-type', 'domain' ],
    [ 'https://me@d.example:8443/', '--match-type', 'domain' ],
    [ '192.0.2.7:8080' ], [ '[2001:db8::1]:8080' ];

$t->ctl_ok('add', 'android-app://com.example.reader/', '--label', 'disavowed');
$t->ctl_ok('add', 'Android-App://com.example.other/', '--label', 'disavowed');

($exit, $out, $err) = $t->ctl('export', '--format', 'disavow');
is($exit, 0, 'a disavow list of odd sources');
is(join("\n", sort split /\n/, $out) . "\n", <<"LIST", 'each in a line');
domain:192.0.2.7
domain:[2001:db8::1]
domain:c.example
domain:d.example
https://a.example/%FF\xc3\xa9
https://a.example/?u=http://b.example/
https://a.example/a%20b?c=%20#d
https://a.example/relative
https://a.example/x%20#y
https://b\xc3\xbccher.example/p
https://me\@a.example:8080/port
LIST
like($err, qr/left out: 2 labelled/, 'apps are neither page nor domain');

unlink glob $t->registry_dir . '/*/*';
$t->ctl_ok('init');

($exit, $out, $err) = $t->ctl_with($out, 'import', '-');
is("$exit|$err", '0|', 'it is read back');
is_deeply([ sort map { $_->{key} } @{ links() } ], \@keys,
          'as the same links');

is($t->ctl_ok('--json', 'export'), $t->ctl_ok('export', '--format', 'json'),
   'export --json is --format json');

$t->finish;
done_testing;


# As JSON, without what an import does not restore.

sub links {
    my $all = $json->decode($t->ctl_ok('export', '--format', 'json'))->{links};

    delete $_->{created} for @$all;

    return $all;
}
