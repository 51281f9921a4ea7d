#!/usr/bin/perl

# Exports of other tools: each format by its header, however it is written, and
# the rows as the right links; what is refused, and the command to go on with.

use strict;
use warnings;

use Encode qw(encode);
use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $t = Referral::Test->new;

my $json = JSON::PP->new->utf8;
my $data = Referral::Test::root_dir() . '/tests/data/import';
my ($exit, $out, $err);

my @shown = qw(source match_type target rel authority anchor labels
               listed_first listed_last);

my $blog = 'https://blog.example/2024/launch';
my $forum = 'https://forum.example/t/17';
my $shop = 'https://shop.example/';

# What each file makes: {file, format, links}.

my @files = (
    [ 'ahrefs.csv', 'ahrefs',
      [ "$blog|exact|${shop}pricing|follow|61|the pricing page||2024-03-01|"
        . '2026-10-02',
        "http://WWW.forum.example/t/17?utm_source=x|exact|$shop|ugc|0|"
        . '=shop, "now"||2025-01-31|2026-09-30',
        'https://gone.example/list|exact|https://www.shop.example/pricing|'
        . 'sponsored|23|shop|lost|2023-05-06|2025-05-06' ] ],
    [ 'ahrefs-old.csv', 'ahrefs',
      [ "https://paper.example/story|exact|${shop}pricing|follow|55|prices||"
        . '2019-07-17|2019-11-02',
        "https://spam.example/links|exact|$shop|nofollow|9|shop|lost|"
        . '2018-01-02|2019-01-03' ] ],
    [ 'semrush.csv', 'semrush',
      [ "$blog|exact|${shop}pricing|follow|37|the pricing page||2024-03-02|"
        . '2026-10-01',
        "$forum|exact|$shop|ugc|4|shop|lost|2025-02-01|2026-01-05" ] ],
    [ 'majestic.csv', 'majestic',
      [ "$blog|exact|${shop}pricing|follow|28|the pricing page||2024-03-04|"
        . '2026-08-02',
        "$forum|exact|$shop|nofollow|0|shop||2025-02-03|2026-07-01" ] ],
    [ 'majestic-api.csv', 'majestic',
      [ "https://gone.example/list|exact|${shop}pricing|follow|7|shop|lost|"
        . '2023-05-06|2025-05-06' ] ],
    [ 'search-console-links.csv', 'search-console',
      [ "$blog|exact||||||" . '|2026-10-01', "$forum|exact|||||||2026-09-05" ]
    ],
    [ 'search-console-sample.csv', 'search-console',
      [ "$blog|exact|||||||", "$forum|exact|||||||" ] ],
    [ 'search-console-sites.csv', 'search-console',
      [ 'blog.example|host|||||||', 'forum.example|host|||||||' ] ],
    [ 'bing.csv', 'bing',
      [ "$blog|exact|${shop}pricing|||the pricing page|||",
        "$forum|exact|$shop|||shop|||" ] ],
    [ 'linkody.csv', 'linkody',
      [ "$blog|exact|${shop}pricing|follow||the pricing page|launch,q4|"
        . '2024-03-01|',
        "$forum|exact|$shop|nofollow||shop||2025-02-01|" ] ],
    [ 'disavow.txt', 'disavow',
      [ '192.0.2.7|host|||||disavowed||', "$forum|exact|||||disavowed||",
        'spam.example|domain|||||disavowed||' ] ],
    [ 'urls.txt', 'urls', [ "$blog|exact|||||||", 'news.example|host|||||||' ]
    ],
    [ 'ours.csv', 'csv',
      [ '|tag|||||||', "$blog|exact|/pricing||||q4||",
        'news.example|host|||||||' ] ],
    [ 'ours.json', 'json',
      [ "$blog|exact|/pricing||55||q4||", 'news.example|host|||||||' ] ],
);

for my $row (@files) {
    my ($name, $format, $links) = @$row;
    my $text = $t->read_file("$data/$name");

    is_import([ "$data/$name" ], undef, $format, $links, $name);
    is_import([ "$data/$name", '--format', $format ], undef, $format, $links,
              "$name, format named");

    # The same as other programs would have written it.

    my %variants = (
        'CR LF' => $text =~ s/\r?\n/\r\n/gr,
        'UTF-8 with a mark' => "\xef\xbb\xbf" . ($text =~ s/^\xef\xbb\xbf//r),
        'UTF-16 LE' => encode('UTF-16LE', "\x{feff}" . latin($text)),
        'UTF-16 BE' => encode('UTF-16BE', "\x{feff}" . latin($text)),
        'UTF-16 LE without a mark' => encode('UTF-16LE', latin($text)),
    );

    $variants{'another case'} = $text =~ s/^([^\n]*)/\U$1/r
        if $name =~ /\.csv$/;

    for my $what (sort keys %variants) {
        is_import([ '-' ], $variants{$what}, $format, $links,
                  "$name, $what");
    }

    next if $name !~ /\.csv$/;

    my @cells = cells($text);

    for my $delimiter (',', ';', "\t") {
        is_import([ '-' ], csv($delimiter, 0, @cells), $format, $links,
                  "$name, delimited by " . ($delimiter =~ s/\t/a tab/r));
    }

    is_import([ '-' ], csv(';', 1, map { [ reverse @$_ ] } @cells), $format,
              $links, "$name, columns in another order, all quoted");
}

is_import([ "$data/ahrefs-utf16.csv" ], undef, 'ahrefs', $files[0][2],
          'ahrefs-utf16.csv');

# Exports of which people chose the columns.

is_import([ '-' ], "$_->[1]\n", $_->[0], [ $_->[2] ], "$_->[0], few columns")
    for [ 'ahrefs', "Referring page URL,Nofollow\n$blog,true",
          "$blog|exact||nofollow|||||" ],
        [ 'semrush', "Source url,Target url,Anchor,Nofollow\n"
          . "$blog,/p,text,true", "$blog|exact|/p|nofollow||text|||" ],
        [ 'semrush', "Nofollow,Target url,Source url\ntrue,/p,$blog",
          "$blog|exact|/p|nofollow|||||" ],
        [ 'majestic', "SourceURL,TargetURL,AnchorText,FlagNoFollow\n"
          . "$blog,/p,text,+", "$blog|exact|/p|nofollow||text|||" ],
        [ 'bing', "Source Url,Anchor text\n$blog,text",
          "$blog|exact||||text|||" ],
        [ 'linkody', "URL FROM,TAGS\n$blog,q4", "$blog|exact|||||q4||" ];

# What people add, and what a column is called.

fresh();
($exit, $out, $err) = $t->ctl_with(<<'CSV', 'import', '-');
source_url,TARGET-URL,Partner,Colour,Labels
https://a.example/1,/p,Acme,red,"y,x"
CSV
is("$exit|$err", '0|', 'columns of ours in an export');
is_deeply(links('source', 'target', 'partner', 'labels'),
          [ 'https://a.example/1|/p|Acme|x,y' ], 'are fields');

fresh();
($exit, $out, $err) = $t->ctl('import', "$data/ahrefs.csv", '--map',
                              'UR=authority', '--map', 'Anchor=', '--map',
                              'Left context=note');
is("$exit|$err", '0|', '--map in an export');
is_deeply(links('authority', 'anchor', 'note'), [ ('12||as shown in') x 3 ],
          'goes before what the column is');

fresh();
($exit, $out, $err) = $t->ctl_with(<<'CSV', 'import', '-',
Referring page URL,Target URL,Anchor,Domain rating,Page rank
https://a.example/1,/p,text,50,7
CSV
    '--map', 'Page Rank=authority', '--map', 'anchor=');
is("$exit|$err", '0|', '--map in an export');
is_deeply(links('authority', 'anchor'), [ '7|' ],
          'goes before what the column is');

($exit, $out, $err) = $t->ctl('import', "$data/ahrefs.csv", '--format',
                              'linkody');
is($exit, 1, 'an export of another tool than --format says');
like($err, qr/it has not the columns of Linkody's export: leave out --format/,
     'is refused');

# A localised header.

fresh();
my $german = "$data/search-console-german.csv";

($exit, $out, $err) = $t->ctl('import', $german);
is("$exit|$out", '1|', 'a header nobody knows');
like($err, qr/^referralctl: \Q$german\E: its first line is neither a URL nor/m,
     'is refused');

my $dir = $t->registry_dir;
my ($command) = $err =~ /^referralctl: import: if it is CSV: (.*)$/m;
is($command, "referralctl -d $dir import $german "
   . "--map 'Verlinkende Seite=source' "
   . "--map 'Zuletzt gecrawlt=listed_last'",
   'with the command that reads it');

($exit, $out, $err) = run_command($command);
is("$exit|$err", '0|', 'which does');
is_deeply(links('source', 'listed_last'),
          [ "$blog|2026-10-01", "$forum|2026-09-05" ], 'these links');

fresh();
($exit, $out, $err) = $t->ctl('import', $german, '--map',
                              'verlinkende seite=source', '--map',
                              'Zuletzt gecrawlt=listed_last', '--set',
                              'match_type=prefix');
is_deeply(links('source', 'match_type', 'listed_last'),
          [ "$blog|prefix|2026-10-01", "$forum|prefix|2026-09-05" ],
          'or with the field its column is');

# When a link was seen first and last, as in Moz's, is not mixed up.

my $moz = $t->write_file('moz.csv', "URL,Target URL,Date First Seen,"
                         . "Date Last Seen,Date Lost\n"
                         . "$blog,shop.example/p,2026-01-02,2026-02-03,\n");

(undef, undef, $err) = $t->ctl('import', $moz);
like($err, qr/\Q--map URL=source --map 'Target URL=target' \E
              \Q--map 'Date First Seen=listed_first' \E
              \Q--map 'Date Last Seen=listed_last' --map 'Date Lost='\E$/mx,
     'dates that say which they are');

# What is nearly a list of URLs: {text, what is said}.

for my $row ([ "URL\nhttps://a.example/1\n", qr/its first line is one word/ ],
             [ "intranet\n", qr/if it is a host, --format urls/ ],
             [ "https://a.example/1,https://shop.example/p\n",
               qr/first line holds several URLs and no names of columns/ ],
             [ "https://a.example/1\t\"https://shop.example/p\"\n",
               qr/first line holds several URLs and no names of columns/ ],
             [ "sep=;\nsource;target\nhttps://a.example/1;/p\n",
               qr/names of its columns are in line 2: remove the lines above/ ],
             [ "Backlinks\n\nReferring page URL,Target URL\nhttps://a.example/,/\n",
               qr/names of its columns are in line 3: remove the lines above/ ],
             [ "https://a.example/1,Partner\n# x\n\n"
               . "https://a.example/2,\"Smith, Son\"\n",
               qr/has a "," in it: .*"source,partner", or say --format urls/ ],
             [ "https://a.example/1,a,b\n,,\nhttps://a.example/2,c,d\n",
               qr/has a "," in it: .*"source,partner", or say --format urls/ ],
             [ "https://a.example/1;x\r\nhttps://a.example/2;\r\n",
               qr/first lines has a ";" in it: .*"source;partner"/ ],
             [ join(',', map { "column $_" } 0 .. 256) . "\n",
               qr/first line has more than 256 columns/ ],
             [ 'x' x 200 . "\nhttps://a.example/1\n",
               qr/^(?!.*--map 'x).*neither a URL/s ],
             [ "ftp://a.example/\n", qr/^(?!.*--map ftp).*neither a URL/s ],
             [ "https://a.example/1\nhttps://a.example/2 and more\n",
               qr/:2: source .* white space: a line of a list is one URL/ ])
{
    fresh();
    ($exit, $out, $err) = $t->ctl_with($row->[0], 'import', '-');
    is("$exit|$out", '1|', 'no list: ' . $row->[0] =~ s/\s+/ /gr);
    like($err, $row->[1], 'and why');
}

fresh();
($exit, $out, $err) = $t->ctl_with("URL\nhttps://a.example/1\n", 'import', '-');
($command) = $err =~ /^referralctl: import: if it is CSV: (.*)$/m;
is($command, "referralctl -d $dir import - --map URL=source",
   'a heading has the command that reads it');

fresh();
($exit, $out, $err) = $t->ctl_with(<<'LIST', 'import', '-');
localhost
https://a.example/1 # seen in May
https://a.example/a,b#top
LIST
is("$exit|$err", '0|', 'comments behind URLs');
is_deeply(links('source'), [ 'https://a.example/1', 'https://a.example/a,b#top',
                             'localhost' ], 'are no part of them');

# Commas of URLs are no columns: {lines, options}.

for my $row ([ "https://a.example/1,2\nhttps://a.example/3\n" ],
             [ "https://a.example/1,2\nhttps://a.example/3,4,5\n" ],
             [ "https://a.example/1,2\nhttps://a.example/3;s=4\n" ],
             [ "https://a.example/1,2\nhttps://a.example/3,4\n", '--format',
               'urls' ])
{
    my ($text, @options) = @$row;

    fresh();
    ($exit, $out, $err) = $t->ctl_with($text, 'import', '-', @options);
    is("$exit|$err", '0|', "a list of URLs: @options " . $text =~ s/\n/ /gr);
    is_deeply(links('source'), [ split /\n/, $text ], 'is read as it is');
}

fresh();
($exit, $out, $err) = $t->ctl_with("intranet\n", 'import', '-', '--format',
                                   'urls');
is("$exit|$err", '0|', 'a host without a dot, if it is said');

($exit, $out, $err) = $t->ctl_with("domain:b.example # bought\n", 'import',
                                   '-');
is("$exit|$err", '0|', 'in a disavow list as well');

# Not what is wanted: {text, what is said}.

for my $row ([ 'search-console-pages.csv', undef, qr/it lists your own pages/ ],
             [ 'a.zip', "PK\x03\x04\x14\0\0\0links.csv", qr/a ZIP archive: unp/ ],
             [ 'a.xlsx', "PK\x03\x04\x14\0\0\0[Content_Types].xml",
               qr/an Excel workbook: export it, or save it, as CSV/ ],
             [ 'a.ods', "PK\x03\x04\x14\0\0\x08\0\0mimetypeapplication/vnd."
               . "oasis.opendocument.spreadsheetPK\x03\x04",
               qr/an OpenDocument workbook: save it as CSV/ ],
             [ 'a.xls', "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", qr/an Excel work/ ],
             [ 'a.gz', "\x1f\x8b\x08\0", qr/gunzip -c FILE \| referralctl/ ],
             [ 'a.bin', "\x7fELF\x02\x01\x01\0\0", qr/neither a URL nor/ ])
{
    my ($name, $bytes, $said) = @$row;
    my $path = defined $bytes ? $t->write_file($name, $bytes) : "$data/$name";

    ($exit, $out, $err) = $t->ctl('import', $path);
    is("$exit|$out", '1|', "$name is refused");
    like($err, qr/\Q$name\E: .*$said.*nothing was imported/, 'with a hint');
}

# What tools write that makes no value of ours is left out.

fresh();
($exit, $out, $err) = $t->ctl_with(<<'CSV', 'import', '-');
Referring page URL,Target URL,Domain rating,First seen,Last seen,Type,Anchor
https://a.example/1,/,n/a,06/05/2024,never,Image,"two
lines"
https://a.example/2,/b,101,2024/05/06 10:00,6 May 2024,UGC,y
https://a.example/3,/c,"99,9",2024-13-01,"May 6, 2024 10:00",Text,
CSV
is("$exit|$err", '0|', 'values that are none of ours');
is_deeply(links('authority', 'listed_first', 'listed_last', 'rel', 'anchor'),
          [ '||||two lines', '|2024-05-06|2024-05-06|ugc|y',
            '99||2024-05-06||' ], 'are left out, or as we write them');

fresh();
$t->ctl_with("Referring page URL,Anchor\nhttps://a.example/1,"
             . 'x' . "\xc3\xa4" x 600 . "\n", 'import', '-');
is(links('anchor')->[0], "x" . "\x{e4}" x 511, 'a text that is too long is '
   . 'cut at a character');

my @costs = ([ '120', '120' ], [ '12.50', '12.50' ], [ '$1,200.50', '1200.50' ],
             [ '1.200,50 EUR', '1200.50' ], [ '12,5', '12.5' ],
             [ '1,200', '1200' ], [ '1.2345', '1.2345' ], [ "1'000", '1000' ],
             [ '1,200,000', '1200000' ], [ '1.200.000', '1200000' ],
             [ '1.200.000,50', '1200000.50' ], [ '0,125', '0.125' ],
             [ "1 200,50\xc2\xa0EUR", '1200.50' ],
             [ "1\xc2\xa0200,50 EUR", '1200.50' ],
             [ "1\xe2\x80\xaf500", '1500' ], [ "1\xe2\x80\x89500", '1500' ],
             [ "CHF 1\xe2\x80\x99500.05", '1500.05' ], [ 'Rs.500', '500' ],
             [ "\xe2\x82\xac50", '50' ], [ 'R$ 50', '50' ], [ '50 kr.', '50' ],
             [ "50 z\xc5\x82", '50' ], [ '$50 USD', '50' ], [ '1.200', '1.200' ],
             [ 'US$ 50', '50' ], [ '$CA50', '50' ], [ "50\xe2\x82\xbd", '50' ],
             [ "50 \xd1\x80\xd1\x83\xd0\xb1.", '50' ], [ 'aed 50', '50' ],
             [ '50 ZWG', '50' ], [ '50 euros', '50' ], [ 'Rp. 50', '50' ]);
my $n = 100;

fresh();
($exit, $out, $err) = $t->ctl_with(join('', "URL FROM,COST\n", map {
    $n++; qq(https://a.example/$n,"$_->[0]"\n) } @costs), 'import', '-');
is("$exit|$err", '0|', 'costs as people write them');
is_deeply([ map { $_->{cost} . '' } @{ $json->decode(
                $t->ctl_ok('export', '--format', 'json') =~
                s/"cost":([\d.]+)/"cost":"$1"/gr)->{links} } ],
          [ map { $_->[1] } @costs ], 'are numbers');

my @amiss = ('free', '-5', '1e5', '12e3', "\xe2\x88\x9250", '(50)', '50-', '50,-',
             '100-200', '2 x 50', '$1.5k', '1.5 k', '1.5 Mio', "2 m\xe2\x82\xac",
             '1.200 EUR', '1,200,00', '12,34,567', '1.200.50', '1,200 500',
             '1  500', '1 50', '0,500,000', '1200,500,000', "50\xc2\xbd",
             '50%', '50/month', '50 per month', '+50', '$', '.5', '$.5', '5.',
             '50 EUR 20', "50\xff", '$-50', '50 shops', '50 USDT', '50 eu',
             '$$50', '50 k$', '50 EUR.', '$1,200,000,000,000.50');

my $large = pop @amiss;

fresh();

while (my @some = splice @amiss, 0, 18) {            # 20 are named
    ($exit, $out, $err) = $t->ctl_with(join('', "URL FROM,COST\n", map {
        qq(https://b.example/,"$_"\n) } @some), 'import', '-');

    for my $cost (@some) {
        my $shown = $cost =~ s/\xff/?/r;

        like($err, qr/: cost "(?:\Q$cost\E|\Q$shown\E)": must be a number/,
             "a cost of \"$cost\" is refused");
    }
}

($exit, $out, $err) = $t->ctl_with("URL FROM,COST\nhttps://b.example/,"
                                   . qq("$large"\n), 'import', '-');
like($err, qr/: cost "1200000000000\.50": must be .* at most 12 digits/,
     'so is one that is too large');
is_deeply(links('source'), [], 'and nothing is imported');

# Lost and found.

my $head = "Referring page URL,Target URL,Lost\n";
my $gone = "https://l.example/1,/p,2026-01-01\n";
my $here = "https://l.example/1,/p,\n";

for my $row ([ $gone, 'lost' ], [ $here, '' ], [ $gone . $here, '' ],
             [ $here . $gone, '' ], [ $gone . $gone, 'lost' ],
             [ $gone . $here . $gone, '' ])
{
    fresh();
    $t->ctl_with($head . $row->[0], 'import', '-');
    is_deeply(links('labels'), [ $row->[1] ], 'lost when no row has it: '
              . join ' ', map { /2026/ ? 'gone' : 'here' }
              split /\n/, $row->[0]);
}

fresh();
$t->ctl_ok('add', 'https://l.example/1', '--target', '/p', '--label', 'mine');
$t->ctl_with($head . $gone, 'import', '-');
is_deeply(links('labels'), [ 'mine' ], 'a registered link is left alone');
$t->ctl_with($head . $gone, 'import', '-', '--update');
is_deeply(links('labels'), [ 'lost,mine' ], 'with --update it is labelled');
$t->ctl_with($head . $here, 'import', '-', '--update');
is_deeply(links('labels'), [ 'mine' ], 'and again when it is back');
$t->ctl_with("$head$gone", 'import', '-', '--update', '--set', 'labels=q4');
is_deeply(links('labels'), [ 'lost,q4' ], 'beside labels that are set');

fresh();
$t->ctl_with("https://l.example/1\nl.example\n", 'import', '-');
($exit, $out, $err) = $t->ctl_with("https://l.example/1\ndomain:l.example\n",
                                   'import', '-', '--update');
is_deeply(links('source', 'match_type', 'labels'),
          [ 'l.example|host|', 'l.example|domain|disavowed',
            'https://l.example/1|exact|disavowed' ], 'a disavow list marks');

$t->ctl_with("https://l.example/2\n", 'import', '-', '--format', 'disavow');
is((grep { /2/ } @{ links('source', 'labels') })[0],
   'https://l.example/2|disavowed', 'also one without a domain, if it is said');

($exit, $out, $err) = $t->ctl_with(
    join('', map { "https://l.example/$_\n" } 1 .. 2000) . "domain:x.example\n",
    'import', '-');
is("$exit|$out", '1|', 'a domain late in a list of URLs');
like($err, qr/line 2001 is of a disavow list: use --format disavow; nothing/,
     'ends the import');

# The report.

fresh();
($exit, $out, $err) = $t->ctl_with(<<'CSV', 'import', '-');
source,target
https://one.example/a,https://shop.example/p
https://one.example/b,https://WWW.Shop.example/p
https://one.example/c,https://shop.example/q
https://two.example/a,https://old.example/
https://two.example/b,
https://two.example/c,
https://two.example/a,https://old.example
https://ten.example/,/p
CSV
is($out, '8 rows → 7 links on 3 hosts, 1 merged, 0 bad; 3 nameable one by one, '
   . "4 in groups; target hosts: shop.example 3, old.example 1\n",
   'links, groups and target hosts are counted');

fresh();
my $many = $t->write_file("m'any.csv", join '', "source,target\n", map {
    "https://a.example/$_,https://host" . $_ % 80 . ".example/\n" } 1 .. 1200);
($exit, $out, $err) = $t->ctl('import', $many);
like($out, qr/^1,200 rows → 1,200 links on 1 host, .* target hosts: (?:host\d+\.example 15, ){5}others 1,125$/,
     'of many target hosts the first are shown');

my $mixed = $t->write_file("b'ad.csv", "Linking page,Last crawled\n"
    . "https://a.example/new,\nftp://a.example/1,\n'=x,\n");
($exit, $out, $err) = $t->ctl('import', $mixed, '--set', 'name=A b',
                              '--update');
is($exit, 1, 'bad rows');
my $quoted = $mixed =~ s/'/'\\''/r;
is($err =~ s/^referralctl: \Q$mixed\E.*\n//mgr,
   "referralctl: import: 2 of 3 rows are bad, nothing was imported; the bad "
   . "ones are in $mixed.bad.csv\n"
   . "referralctl: import: once they are mended: referralctl -d $dir import "
   . "'$quoted' --set 'name=A b' --update\n"
   . "referralctl: import: or without them: referralctl -d $dir import "
   . "'$quoted' --set 'name=A b' --update --skip-bad\n",
   'are told with the commands that go on');

($command) = $err =~ /or without them: (.*)$/m;
($exit, $out, $err) = run_command($command);
is($exit, 0, 'the command does it');
($command) = $out =~ /mended there: (.*)$/m;
is($command, "referralctl -d $dir import '$quoted.bad.csv' --set 'name=A b' "
   . '--update', 'and says what is next');

my @many = map { $t->write_file("bad-$_" . 'x' x 40, "source\nftp://x\n") }
           1 .. 80;
($exit, $out, $err) = $t->ctl('import', @many, '--update');
like($err, qr/^referralctl: import: 80 of 80 rows are bad.* \Q$many[79]\E\.bad\.csv$/m,
     'all of many files are named');
like($err, qr/^referralctl: import: once they .* \Q$many[79]\E --update$/m,
     'and the command is whole');
like($err, qr/^referralctl: import: or .* \Q$many[79]\E --update --skip-bad$/m,
     'its options, too');

my $bad = $t->read_file("$mixed.bad.csv");
like($bad, qr/^''=x,/m, 'an apostrophe of another tool is kept');
$t->write_file("b'ad.csv.bad.csv", $bad =~ s/ftp/http/r);
($exit, $out, $err) = run_command("$command --skip-bad");
like($out, qr/^2 rows → 1 link on 1 host, 0 merged, 1 bad;/, 'mended rows are '
     . 'read under the same header');
like($t->read_file("$mixed.bad.csv.bad.csv"), qr/^''=x,/m, 'and come back '
     . 'as they were');

my $list = $t->write_file('l.txt', "domain:a b\ndomain:fine.example\n");
($exit, $out, $err) = $t->ctl('import', $list, '--skip-bad');
is($t->read_file("$list.bad.csv") =~ s/,[^,]*\r$//mr
   =~ s/,"?source .*//r, "source,match_type,labels\na b,domain,disavowed\n",
   'bad lines of a disavow list keep their label');

# JSON in its forms.

my $one = '{"source":"https://j.example/1"}';
my $two = '{"source":"https://j.example/2","labels":["a","b"]}';

for my $text ("[$one,$two]", " [ $one ,\n $two ] ", "$one\n$two\n", "$one$two",
              qq({"links":[$one,$two]}), qq( {\n "links" : [\n$one,$two\n]\n}\n),
              qq({"links":[$one,$two],"next":null}),
              qq({"next":null,"links":[$one,$two]}),
              qq({"note":") . 'x' x 100_000 . qq(","links":[$one,$two]}),
              "\xef\xbb\xbf[$one,$two]",
              "[$one," . ' ' x 300_000 . "$two]")
{
    fresh();
    ($exit, $out, $err) = $t->ctl_with($text, 'import', '-');
    is("$exit|$err", '0|', 'JSON: ' . substr $text, 0, 40);
    is_deeply(links('source', 'labels'),
              [ 'https://j.example/1|', 'https://j.example/2|a,b' ], 'is read');
}

fresh();
for my $row ([ "[$one,$two", qr/the JSON ends within the links/ ],
             [ "[$one $two]", qr/"," or "\]" is wanted/ ],
             [ "[$one,]", qr/line 1: a link is wanted/ ],
             [ "[$one]x", qr/has ended already/ ],
             [ qq({"links":[$one],"next":"abc"}), qr/a page of a longer list/ ],
             [ qq({"links":[$one],"next":"0-aa","shown":null}),
               qr/a page of a longer list/ ],
             [ qq({"next":"0-aa","links":[$one]}), qr/a page of a longer list/ ],
             [ qq({"links":[$one],"next":null,}), qr/behind the links is written/ ],
             [ qq({"note":") . 'x' x 140_000 . qq(","links":[$one]}),
               qr/longer than 131072/ ],
             [ "$one,$two", qr/a link is wanted, an object/ ],
             [ '[1,2]', qr/neither|a link is wanted/ ],
             [ "[\n$one,\n{\"source\":}]", qr/line 3: no JSON/ ],
             [ '[{"source":"' . 'x' x 140_000 . '"}]', qr/longer than 131072/ ],
             [ '{"source":"https://a.example', qr/ends within a link/ ])
{
    ($exit, $out, $err) = $t->ctl_with($row->[0], 'import', '-');
    is("$exit|$out", '1|', 'refused: ' . substr $row->[0], 0, 40);
    like($err, $row->[1], 'and why');
    is_deeply(links('source'), [], 'nothing was imported');
}

$list = $t->write_file('bad.json', "[$one,\n{\"source\":\"ftp://x/\"},\n"
                       . "{\"source\":5},\n{\"sauce\":\"x\"}]");
($exit, $out, $err) = $t->ctl('import', $list, '--skip-bad');
is($exit, 0, 'bad links in JSON');
like($err, qr/bad\.json:2: source "ftp.*bad\.json:3: source: a string.*bad\.json:4: sauce/s,
     'are told by their lines');
is($t->read_file("$list.bad.csv") =~ tr/\n//, 4, 'and written as CSV');

fresh();
$list = $t->write_file('created.json', '[{"source":"https://c.example/","rel":'
                       . '"x","created":"2020-01-01T00:00:00Z"}]');
($exit, $out, $err) = $t->ctl('import', $list);
is($exit, 1, 'a bad link that was created once');
$list = $t->write_file('created.csv',
                       $t->read_file("$list.bad.csv") =~ s/,x,/,ugc,/r);
($exit, $out, $err) = $t->ctl('import', $list);
is("$exit|$err", '0|', 'is mended');
is_deeply(links('rel', 'created'), [ 'ugc|2020-01-01T00:00:00Z' ],
          'and created then');

# A bar on a terminal, none in a pipe.

SKIP: {
    skip 'script(1) is not installed', 2 if system('command -v script >/dev/null');

    fresh();
    my $program = $ENV{TEST_REFERRALCTL}
                  // Referral::Test::root_dir() . '/build/referralctl';
    my $command = "$program -d $dir import " . ($many =~ s/'/\\'/r);
    my $seen = `script -qec "$command" /dev/null </dev/null 2>&1`;

    like($seen, qr/\[#+\.*\] +\d+ %  \d+ rows/, 'a bar on a terminal');
    like($seen, qr/\r +\r1,200 rows/, 'goes when it is done');
}

$t->finish;
done_testing;


sub is_import {
    my ($arguments, $text, $format, $links, $what) = @_;

    fresh();

    my @result = defined $text ? $t->ctl_with($text, '--json', 'import',
                                              @$arguments)
                               : $t->ctl('--json', 'import', @$arguments);

    is("$result[0]|$result[2]", '0|', $what);
    is(eval { $json->decode($result[1])->{files}[0]{format} }, $format,
       'is known');
    is_deeply(links(@shown), [ sort @$links ], 'and read');
}


sub links {
    my @names = @_;

    my $all = $json->decode($t->ctl_ok('list', '--json'))->{links};
    my @links = map { my $link = $_;
                      join '|', map { text($link->{$_}) } @names } @$all;

    return "@names" eq "@shown" ? [ sort @links ] : \@links;
}


sub text {
    my ($value) = @_;

    return ref $value ? join(',', @$value) : $value // '';
}


sub fresh {
    my $dir = $t->registry_dir;

    unlink glob "$dir/*/*";
    $t->ctl_ok('init');
}


# A command line of the command's own, by a shell.

sub run_command {
    my ($line) = @_;

    my $program = $ENV{TEST_REFERRALCTL}
                  // Referral::Test::root_dir() . '/build/referralctl';

    $line =~ s/^referralctl /$program /;

    my $out = `$line 2>$dir.err`;
    my $exit = $? >> 8;

    return ($exit, $out, $t->read_file("$dir.err"));
}


# The cells of a CSV file of any delimiter, quoted or not.

sub cells {
    my ($text) = @_;

    $text =~ s/^\xef\xbb\xbf//;

    my ($first) = $text =~ /^([^\n]*)/;
    my ($delimiter) = $first =~ /([;\t])/;
    $delimiter //= ',';

    my @rows = ([]);

    while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^"\Q$delimiter\E\r\n]*))(\Q$delimiter\E|\r?\n|\z)/gc) {
        my ($quoted, $plain, $end) = ($1, $2, $3);

        push @{ $rows[-1] }, defined $quoted ? $quoted =~ s/""/"/gr : $plain;
        last if pos $text == length $text;
        push @rows, [] if $end =~ /\n/;
    }

    return @rows;
}


sub csv {
    my ($delimiter, $quote, @rows) = @_;

    return join '', map { join($delimiter, map {
        $quote || /[",;\t\n]/ ? '"' . s/"/""/gr . '"' : $_ } @$_) . "\n" } @rows;
}


sub latin {
    my ($text) = @_;

    return $text =~ s/^\xef\xbb\xbf//r;
}
