#!/usr/bin/perl

# One link at a time: add, show, list, set and rm.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $t = Referral::Test->new;

$t->ctl_ok('init');

my $json = JSON::PP->new->utf8;

# add, with every field, and back through show.

my @fields = (
    target => '/pricing', tag => 'spring', name => 'Launch post',
    channel => 'guest-post', origin => 'earned', partner => 'Acme',
    placement => 'content', rel => 'follow', authority => '55',
    anchor => 'pricing', note => 'paid in kind', cost => '120.50',
    listed_first => '2026-01-02', listed_last => '2026-11-20T22:48:00Z',
);
my %field = @fields;

my @options = map { ('--' . ($_ =~ tr/_/-/r), $field{$_}) }
              grep { exists $field{$_} } sort keys %field;

my ($exit, $out, $err) = $t->ctl('add', 'https://blog.example/2024/launch',
                                 @options, '--label', 'q4', '--label', 'a,b');

is("$exit|$err", '0|', 'add succeeds');
like($out, qr/^[0-9a-f]{16}\n\z/, 'and prints the key alone');

chomp(my $key = $out);

my $link = $json->decode($t->ctl_ok('show', $key, '--json'));

is($link->{key}, $key, 'the key');
is($link->{source}, 'https://blog.example/2024/launch', 'the source');
is($link->{match_type}, 'exact', 'a URL is an exact link');
is($link->{$_}, $field{$_}, "$_ is kept") for grep { $_ ne 'cost' }
                                             sort keys %field;
cmp_ok($link->{cost}, '==', 120.5, 'cost is kept');
is_deeply($link->{labels}, [qw(a b q4)], 'labels of several options');
is($link->{counters}{clicks}, 0, 'no click yet');

$out = $t->ctl_ok('show', $key);
like($out, qr/^key +\Q$key\E$/m, 'show in text: the key');
like($out, qr/^\Q$_\E +\Q$field{$_}\E$/m, "show in text: $_")
    for sort keys %field;
like($out, qr/^labels +a,b,q4$/m, 'show in text: labels');
like($out, qr/^clicks +0$/m, 'show in text: clicks');
like($out, qr/^last_seen +never$/m, 'show in text: never seen');

is($t->ctl_ok('show', substr $key, 0, 6), $out, 'a part of a key is enough');
is($t->ctl_ok('show', uc $key), $out, 'upper case will do');

$link = $json->decode($t->ctl_ok('add', '--json', 'news.example',
                                 '--target', '/de'));
is($link->{match_type}, 'host', 'a bare host is a host link');
is($link->{target}, '/de', 'add --json prints the link');
is($link->{channel}, 'unassigned', 'no channel');

like($t->ctl_ok('add', 'forum.example', '--match-type', 'DOMAIN'),
     qr/^[0-9a-f]{16}$/, 'a match type in any case');
like($t->ctl_ok('add', 'https://docs.example/a', '--match-type', 'prefix'),
     qr/^[0-9a-f]{16}$/, 'a prefix link');

# A tag is enough for a link, a pattern makes a regex link.

$link = $json->decode($t->ctl_ok('add', '--json', '--tag', 'flyer'));
is($link->{match_type}, 'tag', 'a tag without a URL is a tag link');
is("$link->{source}|$link->{tag}", '|flyer', 'without a source');

($exit, $out, $err) = $t->ctl('set', $link->{key}, 'tag=other');
is("$exit|$out", '1|', 'its tag cannot be set');
like($err, qr/^referralctl:\ set:\ the\ tag\ of\ a\ tag\ link\ never\ changes,
              .* keep\ this\ one\ as\ long\ as\ its\ clicks/x,
     'and why');

like($t->ctl_ok('list'), qr/^$link->{key} .* tag +flyer$/m,
     'a tag link is listed by its tag');
like($t->ctl_ok('list', '--format', 'csv'), qr/^$link->{key},0,0,tag,,,,flyer\r$/m,
     'CSV has its empty source, and its tag');
is($t->ctl_ok('rm', $link->{key}), "removed $link->{key} flyer",
   'it is removed by its key');

$link = $json->decode($t->ctl_ok('add', '--json', 'r.example/20\d\d/',
                                 '--match-type', 'regex'));
is("$link->{match_type}|$link->{source}", 'regex|r.example/20\d\d/',
   'a regex link');
like(($t->ctl('add', 'https://WWW.r.example:8443/20\d\d/', '--match-type',
              'regex'))[2],
     qr/already registered as $link->{key}/, 'its host in any spelling');
$t->ctl_ok('set', $link->{key}, 'tag=years');
is($json->decode($t->ctl_ok('show', '--json', $link->{key}))->{tag}, 'years',
   'the tag of another link can be set');
$t->ctl_ok('rm', $link->{key});

# The same link, however it is written.

for my $same ('https://blog.example/2024/launch',
              'HTTP://www.Blog.example:8080/2024/./launch/?utm_source=x#c',
              ' blog.example/2024/launch ')
{
    ($exit, $out, $err) = $t->ctl('add', $same, '--target', '/pricing');

    is("$exit|$out", '1|', "\"$same\" is registered");
    is($err, "referralctl: add: already registered as $key\n",
       'the key is told');
}

# What add refuses: {arguments, what must be said}.

my $long_path = 'https://l.example/' . 'x' x 4078;

my @refused = (
    [ ['/path'], qr/source "\/path": / ],
    [ ['ftp://a.example/'], qr/source "ftp:.*scheme/ ],
    [ ['https://'], qr/source "https:\/\/": / ],
    [ ['https://a b.example/'], qr/source / ],
    [ ['a..example'], qr/source .*empty label/ ],
    [ ['mailto:a@b.example'], qr/source / ],
    [ [''], qr/source/ ],
    [ ["a\nb.example"], qr/source "a\?b\.example": / ],
    [ ["${long_path}x"], qr/source .*4096/ ],
    [ ['a.example', '--match-type', 'fuzzy'],
      qr/match_type "fuzzy" .*exact, prefix, host, domain/ ],
    [ ['https://a.example/p', '--match-type', 'host'], qr/source/ ],
    [ ['https://a.example/p?q', '--match-type', 'prefix'], qr/source/ ],
    [ ['192.0.2.1', '--match-type', 'domain'], qr/source/ ],
    [ ['https://a.example' . '/s' x 17, '--match-type', 'prefix'],
      qr/source .*16/ ],
    [ [join('.', ('l') x 8, 'example'), '--match-type', 'domain'],
      qr/source .*8/ ],
    [ ['a.example/20\d(', '--match-type', 'regex'],
      qr/source "a\.example\/20\\d\(": .*at byte 6: missing closing/ ],
    [ ['a.example/' . 'x' x 1024, '--match-type', 'regex'],
      qr/source .*1024 bytes/ ],
    [ ['a.example/^x', '--match-type', 'regex'], qr/source .*cannot match/ ],
    [ ['a.example', '--match-type', 'regex'], qr/source .*host and a pattern/ ],
    [ ['a.example', '--match-type', 'tag', '--tag', 'x'],
      qr/source "a\.example": a tag link has no source/ ],
    [ ['--match-type', 'tag', '--tag', ''], qr/tag "": a tag link needs/ ],
    [ ['--match-type', 'host', '--tag', 'x'], qr/source "": / ],
    [ ['a.example', '--target', 'pricing page'], qr/target "pricing page": / ],
    [ ['a.example', '--target', '/' . 'x' x 4096], qr/target .*4096/ ],
    [ ['a.example', '--tag', 'x' x 129], qr/tag .*128 bytes/ ],
    [ ['a.example', '--name', 'x' x 257], qr/name .*256 bytes/ ],
    [ ['a.example', '--name', "a\eb"], qr/name "a\?b": .*control/ ],
    [ ['a.example', '--channel', 'x' x 65], qr/channel .*64 bytes/ ],
    [ ['a.example', '--channel', 'No Such!'], qr/channel .*natural/ ],
    [ ['a.example', '--origin', 'stolen'], qr/origin .*earned/ ],
    [ ['a.example', '--partner', 'x' x 129], qr/partner .*128 bytes/ ],
    [ ['a.example', '--placement', 'roof'], qr/placement .*sidebar/ ],
    [ ['a.example', '--rel', 'me'], qr/rel .*nofollow/ ],
    [ ['a.example', '--authority', '101'], qr/authority "101"/ ],
    [ ['a.example', '--anchor', 'x' x 1025], qr/anchor .*1024 bytes/ ],
    [ ['a.example', '--label', 'x' x 65], qr/labels .*64 bytes/ ],
    [ ['a.example', map { ('--label', $_ . 'x' x 62) } 10 .. 26 ],
      qr/labels .*1024 bytes/ ],
    [ ['a.example', '--note', 'x' x 4097], qr/note .*4096 bytes/ ],
    [ ['a.example', '--cost', '12 euros'], qr/cost "12 euros"/ ],
    [ ['a.example', '--listed-first', '2026-02-30'], qr/listed_first / ],
    [ ['a.example', '--listed-last', 'yesterday'], qr/listed_last / ],
);

for my $row (@refused) {
    my ($args, $said) = @$row;
    my $shown = join ' ', map { length > 40 ? substr($_, 0, 40) . '...' : $_ }
                          map { s/[^ -~]/?/gr } @$args;

    ($exit, $out, $err) = $t->ctl('add', @$args);

    is("$exit|$out", '1|', "refused: add $shown");
    like($err, qr/^referralctl: add: $said/, 'and why');
    unlike($err, qr/[^ -~\n]/, 'in letters a terminal can show');
}

# The same at the limit.

my @limits = (
    [$long_path],
    ['https://p.example' . '/s' x 16, '--match-type', 'prefix'],
    [join('.', ('l') x 7, 'example'), '--match-type', 'domain'],
    ['b.example', '--target', '/' . 'x' x 4095],
    ['c.example', '--tag', 'x' x 128, '--name', 'x' x 256, '--channel',
     'x' x 64, '--partner', 'x' x 128, '--anchor', 'x' x 1024, '--note',
     'x' x 4096, '--authority', '100',
     map { ('--label', $_ . 'x' x 62) } 10 .. 24 ],
);

for my $args (@limits) {
    ($exit, $out, $err) = $t->ctl('add', @$args);
    is("$exit|$err", '0|', 'not refused: ' . substr "@$args", 0, 40);
}

# list.

my @listed = split /\n/, $t->ctl_ok('list');

like($listed[0], qr/^KEY +CLICKS +ERRORS +MATCH +SOURCE +TARGET +NAME$/,
     'the table has a heading');
is(scalar @listed, 10, 'and a row for each link');
my ($row) = grep { /^$key/ } @listed;
my @columns = split ' ', $row, 7;
is_deeply(\@columns, [$key, 0, 0, 'exact', 'https://blog.example/2024/launch',
                      '/pricing', 'Launch post'], 'a row has all columns');
is((grep { /\.\.\./ } @listed), 0, 'nothing is cut but on a terminal');

my @order = map { (split)[4] } @listed[1 .. $#listed];
is_deeply([ grep { m{^(?:b|c|https://blog|https://docs)\.example} } @order ],
          [qw(b.example https://blog.example/2024/launch c.example
              https://docs.example/a)], 'sorted by source');

@listed = split /\n/, $t->ctl_ok('list', '--host', 'WWW.blog.example');
is(scalar @listed, 2, 'the links of one host');
is((split ' ', $listed[1])[0], $key, 'are those');
is($t->ctl_ok('list', '--host', 'log.example', '--json'), '{"links":[]}',
   'no links of another host');

@listed = split /\n/, $t->ctl_ok('list', '--limit', '2');
is(scalar @listed, 3, 'no more rows than asked for');

@listed = split /\r\n/, $t->ctl_ok('list', '--format', 'csv');
is($listed[0], 'key,clicks,errors,match_type,source,target,name,tag',
   'CSV has a header');
is((grep { /^$key/ } @listed)[0], "$key,0,0,exact,"
   . 'https://blog.example/2024/launch,/pricing,Launch post,spring', 'and rows');

my $all = $json->decode($t->ctl_ok('list', '--json'))->{links};
is(scalar @$all, 9, 'JSON has all links');
is_deeply((grep { $_->{key} eq $key } @$all)[0],
          $json->decode($t->ctl_ok('show', '--json', $key)),
          'each as show has it');

# More links than a batch: none is lost or listed twice.

my $many = join '', map { "https://many.example/$_\n" } 1 .. 1000;
($exit) = $t->ctl_with($many, 'import', '-');
is($exit, 0, 'a thousand links');

my %seen;
$seen{$_}++ for $t->ctl_ok('list', '--host', 'many.example')
                =~ m{many\.example/(\d+)}g;
is(scalar keys %seen, 1000, 'all are listed');
is_deeply([ grep { $seen{$_} != 1 } keys %seen ], [], 'once each');

# --host as the status tree's host=: those below, too; what has no source.

my @below = map { $t->ctl_ok('add', "https://$_/") }
                qw(up.example a.up.example b.a.up.example up-a.example
                   cup.example);

for my $row ([ 'up.example', 0 ], [ '.up.example', 0, 1, 2 ],
             [ '.A.up.example', 1, 2 ], [ 'b.a.up.example', 2 ],
             [ '.b.a.up.example', 2 ], [ '.xup.example' ])
{
    my ($host, @wanted) = @$row;

    is_deeply([ sort map { $_->{key} }
                    @{ $json->decode($t->ctl_ok('list', '--json', '--host',
                                                $host))->{links} } ],
              [ sort @below[@wanted] ], "--host $host");
}

push @below, $t->ctl_ok('add', '--tag', 'leaflet');
is_deeply([ map { $_->{key} }
                @{ $json->decode($t->ctl_ok('list', '--json', '--host', ''))
                   ->{links} } ],
          [ $below[-1] ], 'an empty --host: links without a source');
$t->ctl_ok('rm', @below);

# set.

($exit, $out, $err) = $t->ctl('set', substr($key, 0, 8), 'name=A = B',
                              'labels=z, y', 'tag=', 'channel=Guest Posting');
is("$exit|$err", '0|', 'set succeeds');
is($out, "changed $key\n", 'and says which link');

$link = $json->decode($t->ctl_ok('show', $key, '--json'));
is($link->{name}, 'A = B', 'a value with "="');
is_deeply($link->{labels}, [qw(y z)], 'labels are sorted');
is($link->{tag}, '', 'an empty value clears');
is($link->{channel}, 'guest-post', 'what people call a channel');
is($link->{partner}, 'Acme', 'the rest stays');

$link = $json->decode($t->ctl_ok('set', '--json', $key, 'name=C'));
is($link->{name}, 'C', 'set --json prints the link');

for my $field (qw(source match_type target)) {
    ($exit, $out, $err) = $t->ctl('set', $key, 'name=D', "$field=/x");

    is("$exit|$out", '1|', "$field cannot be set");
    like($err, qr/^referralctl:\ set:\ $field\ never\ changes,\ .*
                  add\ another\ one,
                  .* keep\ this\ one\ as\ long\ as\ its\ clicks/x,
         'and why, and what to do');
}

($exit, $out, $err) = $t->ctl('set', $key, 'name=D', 'authority=1000');
is("$exit|$out", '1|', 'a bad value fails');
like($err, qr/authority "1000"/, 'and is named');
is($json->decode($t->ctl_ok('show', $key, '--json'))->{name}, 'C',
   'nothing was set');

# Hostile names never reach a terminal as they are.

$t->ctl_ok('set', $key,
           "name=a\x{7f}\x9b31m\xc2\x9bb\xe2\x80\xae\xffc\xc3\xa4");

for my $command (['list'], ['show', $key]) {
    $out = $t->ctl_ok(@$command);
    like($out, qr/a\\x7F\\x9B31m\\xC2\\x9Bb\\xE2\\x80\\xAE\\xFFc\xc3\xa4$/m,
         "$command->[0]: controls and bad UTF-8 as \\xNN");
}

my $note = "two\nlines \t end";
$t->ctl_ok('set', $key, "note=$note");
like($t->ctl_ok('show', $key), qr/^note +two\\x0Alines \\x09 end$/m,
     'a note of two lines is shown in one');
is($json->decode($t->ctl_ok('show', '--json', $key))->{note}, $note,
   'and kept as it is');

# rm.

my $news = (grep { $_->{source} eq 'news.example' } @$all)[0]{key};

($exit, $out, $err) = $t->ctl('rm', $news, 'fffffffffffffffe');
is("$exit|$out", '1|', 'rm of a link that is none fails');
like($err, qr/no link has the key "fffffffffffffffe"/, 'and names it');
like($t->ctl_ok('list'), qr/news\.example/, 'nothing was removed');

($exit, $out, $err) = $t->ctl('rm', $news, $news);
is("$exit|$out", '1|', 'rm of one link twice fails');
like($err, qr/the link $news is named twice/, 'and why');

for my $bad ('', 'xyz', $key . '0') {
    ($exit, $out, $err) = $t->ctl('rm', $bad);
    is("$exit|$out", '1|', "rm: \"$bad\" is no key");
    like($err, qr/^referralctl: rm: .*hex digits/, 'and why');
}

($exit, $out, $err) = $t->ctl('show', '');
is("$exit|$out", '1|', 'no key');

my ($few) = grep { my $digit = $_;
                   1 < grep { $_->{key} =~ /^$digit/ } @{ all_links() } }
            0 .. 9, 'a' .. 'f';

($exit, $out, $err) = $t->ctl('rm', $few);
is("$exit|$out", '1|', 'rm: a beginning of several keys');
like($err, qr/several links/, 'and why');

my @alike = grep { /^$few/ } map { $_->{key} } @{ all_links() };

($exit, $out, $err) = $t->ctl('rm', @alike[1 .. $#alike], $few);
is("$exit|$out", '1|', 'also where the others are named before');
like($err, qr/several links/, 'and why');
is(scalar(grep { /^$few/ } map { $_->{key} } @{ all_links() }),
   scalar @alike, 'none was removed');

($exit, $out, $err) = $t->ctl('rm', $news, substr $key, 0, 10);
is("$exit|$err", '0|', 'rm of two links');
is($out, "removed $news news.example\n"
   . "removed $key https://blog.example/2024/launch\n", 'says which');

($exit) = $t->ctl('show', $key);
is($exit, 1, 'a removed link is not shown');

is($t->ctl_ok('add', 'blog.example/2024/launch', '--target', '/pricing'),
   $key, 'added again it has its key');
is($t->ctl_ok('rm', '--json', $key), qq({"removed":["$key"]}),
   'rm --json has the keys');

# On a terminal the table fits.

SKIP: {
    my ($script) = grep { -x } map { "$_/script" } split /:/, $ENV{PATH};

    skip 'script(1) is not installed', 19 unless defined $script;

    $t->ctl_ok('add', 'https://wide.example/' . 'x' x 300, '--name',
               "\xc3\xa4" x 100);

    for my $width (40, 60, 80, 120) {
        my @lines = on_terminal($width, 'list --host wide.example');
        my @wide = grep { my $line = $_; utf8::decode($line);
                          length $line > $width } @lines;

        is_deeply(\@wide, [], "no line is wider than $width columns");
        ok((grep { m{ https.*\.\.\.(?: |$)} } @lines),
           'what is cut ends in "..."');
        ok((grep { m{ https://wide\.exam} } @lines),
           'and still says which host it is');
    }

    # what takes two columns, and what takes none

    $t->ctl_ok('add', "https://cjk.example/$_->[0]", '--name', $_->[1])
        for [ 'short', "\xe6\x97\xa5\xe6\x9c\xac" ],
            [ 'long', "\xe6\x97\xa5\xe6\x9c\xac" x 40 ],
            [ 'marks', "e\xcc\x81" x 10 ], [ 'emoji', "\xf0\x9f\x98\x80" x 9 ];

    for my $width (60, 90, 200) {
        my @rows = map { utf8::decode($_); $_ }
                   on_terminal($width, 'list --host cjk.example');

        is_deeply([ grep { columns($_) > $width } @rows ], [],
                  "wide characters: no line is wider than $width columns");
    }

    my @rows = map { utf8::decode($_); $_ }
               on_terminal(100, 'list --host cjk.example');
    my ($long) = grep { /\x{65e5}.*\.\.\.$/ } @rows;

    cmp_ok(columns($long // ''), '>=', 98, 'what is cut fills its room');

    my @shown = on_terminal(60, 'show ' . (grep { $_->{source} =~ /wide/ }
                                           @{ all_links() })[0]{key});

    is_deeply([ grep { utf8::decode(my $line = $_); length $line > 60 }
                @shown ], [], 'show: no line is wider than the screen');
    like(join('', map { s/^ +//r } @shown), qr/wide\.example\/x{300}/,
         'and nothing is cut: it goes on below');
    like($t->ctl_ok('show', (grep { $_->{source} =~ /wide/ }
                             @{ all_links() })[0]{key}),
         qr/^source +https:\/\/wide\.example\/x{300}$/m,
         'elsewhere it is one line');
}

$t->finish;
done_testing;


sub all_links {
    return $json->decode($t->ctl_ok('list', '--json'))->{links};
}


# As a terminal counts them, of the characters of this test.

sub columns {
    my ($line) = @_;

    my $wide = () = $line =~ /[\x{4e00}-\x{9fff}\x{1f600}-\x{1f64f}]/g;
    my $none = () = $line =~ /\x{301}/g;

    return length($line) + $wide - $none;
}


sub on_terminal {
    my ($width, $command) = @_;

    local $ENV{COLUMNS} = $width;

    my (undef, $text) = $t->run_command(undef, 'script', '-qec',
                                        "$t->{ctl} -d " . $t->registry_dir
                                        . " $command", '/dev/null');

    return split /\r?\n/, $text;
}
