#!/usr/bin/perl

# Many links at once: both formats, all or nothing, what is merged, what is
# refused and where it is written, --update, --sync, --dry-run.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use POSIX ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test qw(wait_until);


my $t = Referral::Test->new;

my $json = JSON::PP->new->utf8;
my ($exit, $out, $err);

# Our CSV, as different programs write it: {what, text, links it makes}.

my @texts = (
    [ 'plain', "source,target,name\nhttps://a.example/1,/x,One\n"
      . "https://a.example/2,,Two\n" ],
    [ 'names in any case and order',
      "NAME,Source,TARGET\nOne,https://a.example/1,/x\n"
      . "Two,https://a.example/2,\n" ],
    [ 'a byte order mark and CR LF',
      "\xef\xbb\xbfsource,target,name\r\nhttps://a.example/1,/x,One\r\n"
      . "https://a.example/2,,Two\r\n" ],
    [ 'quotes', qq("source","target","name"\n"https://a.example/1","/x",)
      . qq("One"\nhttps://a.example/2,"",Two\n) ],
    [ 'no line end at the end',
      "source,target,name\nhttps://a.example/1,/x,One\n"
      . "https://a.example/2,,Two" ],
    [ 'empty lines', "\nsource,target,name\n\nhttps://a.example/1,/x,One\n\n\n"
      . "https://a.example/2,,Two\n\n" ],
    [ 'rows and columns a spreadsheet has empty',
      "source;target;name;;\n;;;;\nhttps://a.example/1;/x;One;;\n"
      . "https://a.example/2;;Two;;\n; ; ;;\n;;;;\n" ],
    [ 'semicolons', "source;target;name\nhttps://a.example/1;/x;One\n"
      . "https://a.example/2;;Two\n" ],
    [ 'tabs', "source\ttarget\tname\nhttps://a.example/1\t/x\tOne\n"
      . "https://a.example/2\t\tTwo\n" ],
    [ 'space around', "source , target,name\n https://a.example/1 ,/x, One\n"
      . "https://a.example/2, ,Two \n" ],
);

for my $row (@texts) {
    my ($what, $text) = @$row;

    fresh();
    ($exit, $out, $err) = $t->ctl_with($text, 'import', '-');

    is("$exit|$err", '0|', "CSV: $what");
    is($out, "2 rows → 2 links on 1 host, 0 merged, 0 bad; "
       . "2 nameable one by one, 0 in groups\n", 'says what it did');
    is_deeply(links('source', 'target', 'name'),
              [ 'https://a.example/1|/x|One', 'https://a.example/2||Two' ],
              'and the links are there');
}

fresh();
($exit, $out, $err) = $t->ctl_with(<<'CSV', 'import', '-');
source,match_type,name,labels,note
news.example,,"News, ""daily""","b,a","two
lines"
forum.example,Domain,=1+1,,
https://docs.example/a/,prefix,'=2+2,,
https://docs.example/b,,,,
CSV
is("$exit|$err", '0|', 'CSV with all a cell may hold');
is_deeply(links('source', 'match_type', 'name', 'labels', 'note'),
          [ 'https://docs.example/a/|prefix|=2+2||',
            'https://docs.example/b|exact|||',
            'forum.example|domain|=1+1||',
            'news.example|host|News, "daily"|a,b|' . "two\nlines" ],
          'is kept; an apostrophe before a formula is taken back');

($exit) = $t->ctl_with("source,note\r\nc.example,\"1\r\n2\r\n\"\r\n",
                       'import', '-');
is_deeply((grep { /^c\.example/ } @{ links('source', 'note') })[0],
          "c.example|1\n2", 'lines of a cell end with LF');

# A list of URLs.

my $list = <<'URLS';
# our links
https://b.example/1

  https://b.example/2  
news.example
# https://b.example/3
URLS

for my $text ($list, $list =~ s/\n/\r\n/gr, "\xef\xbb\xbf" . $list,
              $list =~ s/\A# our links\n//r, $list =~ s/\n\z//r)
{
    fresh();
    ($exit, $out, $err) = $t->ctl_with($text, 'import', '-');

    is("$exit|$err", '0|', 'a list of URLs');
    is_deeply(links('source', 'match_type'),
              [ 'https://b.example/1|exact', 'https://b.example/2|exact',
                'news.example|host' ], 'makes these links');
}

fresh();
($exit, $out) = $t->ctl_with('https://b.example/1,2', 'import', '-');
is($exit, 0, 'a URL with a comma in it, without a line end');
is_deeply(links('source'), ['https://b.example/1,2'], 'is a URL');

($exit, $out) = $t->ctl_with('', 'import', '-');
is("$exit|$out", "0|0 rows → 0 links on 0 hosts, 0 merged, 0 bad\n",
   'an empty file has no rows');

($exit, $out) = $t->ctl_with("source\n", 'import', '-');
is($exit, 0, 'a header alone has none either');

# Tag links have no source, regex links a pattern.

fresh();
($exit, $out, $err) = $t->ctl_with(
    "source,match_type,target,tag,name\n,tag,,flyer,\n,,/p,flyer,Paper\n"
    . "R.example/20\\d\\d/,regex,,,\nnews.example,,,flyer,\n,tag,,flyer,A\n",
    'import', '-');
is("$exit|$err", '0|', 'tag and regex links');
is($out, "5 rows → 4 links on 2 hosts, 1 merged, 0 bad; "
   . "2 nameable one by one, 2 in groups\n", 'a tag link is on no host');
is_deeply(links('source', 'match_type', 'target', 'tag', 'name'),
          [ '|tag||flyer|A', '|tag|/p|flyer|Paper',
            'news.example|host||flyer|', 'R.example/20\d\d/|regex|||' ],
          'are there');

$t->ctl_with("source,match_type,tag\nnews.example,host,poster\n", 'import',
             '-', '--update');
is_deeply((grep { /^news/ } @{ links('source', 'tag') })[0],
          'news.example|poster', 'an update changes the tag');

($exit) = $t->ctl_with("tag,name\nflyer2,Two\n", 'import', '-');
is($exit, 0, 'tags without a column of sources');
is_deeply([ grep { /flyer2/ } @{ links('match_type', 'tag') } ],
          [ 'tag|flyer2' ], 'are tag links');

for my $row ([ "source,match_type,tag\na.example/(,regex,\n",
               qr/:2: source "a\.example\/\(": .*at byte 2: missing/ ],
             [ "source,match_type,tag\n,host,x\n", qr/:2: source is empty/ ],
             [ qq(source,match_type,tag\n"",,\n), qr/:2: source is empty/ ],
             [ "source,match_type,tag\na.example,tag,x\n",
               qr/:2: source "a\.example": a tag link has no source/ ],
             [ "source,match_type,tag\n,tag,a b\n", qr/:2: tag "a b": / ])
{
    ($exit, $out, $err) = $t->ctl_with($row->[0], 'import', '-');
    is($exit, 1, 'refused');
    like($err, $row->[1], 'and why');
}

# Merged, already registered.

fresh();
($exit, $out) = $t->ctl_with(<<'CSV', 'import', '-');
source,target,name,partner
https://m.example/1,/p,First,
HTTP://WWW.M.example:80/./1/?utm_medium=x,/p/,Second,Acme
https://m.example/1,,Other target,
CSV
is("$exit|$out", "0|3 rows → 2 links on 1 host, 1 merged, 0 bad; "
   . "2 nameable one by one, 0 in groups\n",
   'rows that name the same link are merged');
is_deeply(links('target', 'name', 'partner'),
          [ '/p|First|Acme', '|Other target|' ],
          'the first value of a field stands');

my $again = "source,target,name,partner\nhttps://m.example/1,/p,New,\n"
            . "https://m.example/1,/p,,Late\nhttps://m.example/2,,,\n";

($exit, $out) = $t->ctl_with($again, 'import', '-');
is("$exit|$out", "0|3 rows → 2 links on 1 host (1 new, 1 registered before), "
   . "1 merged, 0 bad; 1 nameable one by one, 1 in groups\n",
   'links that are registered');
is_deeply(links('target', 'name', 'partner'),
          [ '/p|First|Acme', '|Other target|', '||' ], 'are left alone');

($exit, $out) = $t->ctl_with($again, 'import', '-', '--update');
is("$exit|$out", "0|3 rows → 2 links on 1 host (0 new, 1 updated, "
   . "1 registered before), 1 merged, 0 bad; 1 nameable one by one, "
   . "1 in groups\n", '--update');
is_deeply(links('target', 'name', 'partner'),
          [ '/p|New|Late', '|Other target|', '||' ],
          'replaces what the file has columns for');

($exit, $out) = $t->ctl_with("source,target\nhttps://m.example/1,/p\n",
                             'import', '-', '--update');
is_deeply(links('name'), ['New', 'Other target', ''],
          'and leaves what it has no columns for');

# --set and --map.

fresh();
($exit, $out, $err) = $t->ctl_with(<<'CSV', 'import', '-',
url,Anchor Text,Rank,name,a=b
https://s.example/1,click,5,,1
https://s.example/2,,6,Own,2
CSV
    '--map', 'URL=source', '--map', 'anchor text=anchor', '--map', 'rank=',
    '--map', 'a=b=authority', '--set', 'name=Default',
    '--set', 'channel=Guest posting');
is("$exit|$err", '0|', '--map and --set');
is_deeply(links('source', 'anchor', 'name', 'authority', 'channel'),
          [ 'https://s.example/1|click|Default|1|guest-post',
            'https://s.example/2||Own|2|guest-post' ],
          'name columns and fill what is empty');

fresh();
$t->ctl_with("https://s.example/1\n", 'import', '-', '--set',
             'match_type=prefix', '--set', 'target=/t');
is_deeply(links('match_type', 'target'), ['prefix|/t'],
          '--set of what a link is');

# Headers that are refused: {text, options, what must be said}.

my @headers = (
    [ "source,colour,name,shape\n", [], qr/"colour", "shape": use --map/ ],
    [ "name,target\n", [], qr/no column "source"/ ],
    [ "source,name,Name\n", [], qr/two columns are the field "name"/ ],
    [ "source,url\n", ['--map', 'url=source'],
      qr/two columns are the field "source"/ ],
    [ "source,name\n", ['--map', 'url=name'], qr/no column "url" to map/ ],
    [ "colour,shape\nred,round\n", [], qr/neither a URL nor .*--map/ ],
    [ "colour,shape\n", ['--format', 'csv'], qr/"colour", "shape"/ ],
    [ '', ['--format', 'csv'], qr/empty, a header is missing/ ],
    [ "\"source\nx", ['--format', 'csv'], qr/quote/ ],
);

for my $row (@headers) {
    my ($text, $options, $said) = @$row;
    my $shown = (split /\n/, $text)[0] // '';

    ($exit, $out, $err) = $t->ctl_with($text, 'import', '-', @$options);

    is("$exit|$out", '1|', "refused: a header \"$shown\"");
    like($err, qr/^referralctl: standard input: .*$said.*nothing was imported/,
         'and why');
}

# All or nothing.

fresh();
$t->ctl_ok('add', 'kept.example');

my $mixed = <<'CSV';
source,authority,name
https://x.example/1,5,fine
https://x.example/2,500,too much
ftp://x.example/3,,no scheme of ours
,1,no source
https://x.example/4,1,one,more
https://x.example/5
https://x.example/6,1,"quoted" and not
https://x.example/7,,fine
CSV
my $file = $t->write_file('mixed.csv', $mixed);

($exit, $out, $err) = $t->ctl('import', $file);
is("$exit|$out", '1|', 'a bad row fails');
like($err, qr/^referralctl: \Q$file\E:3: authority "500": /m, 'bad: a value');
like($err, qr/^referralctl: \Q$file\E:4: source "ftp:/m, 'bad: a scheme');
like($err, qr/^referralctl: \Q$file\E:5: source is empty/m, 'bad: no source');
like($err, qr/^referralctl: \Q$file\E:6: the row has 4 fields, the header 3/m,
     'bad: a field too many');
like($err, qr/^referralctl: \Q$file\E:7: the row has 1 field, /m,
     'bad: fields are missing');
like($err, qr/^referralctl: \Q$file\E:8: text follows a closing quote/m,
     'bad: quotes');
like($err,
     qr/^referralctl: import: 6 of 8 rows are bad, nothing was imported/m,
     'says that nothing was imported');
is_deeply(links('source'), ['kept.example'], 'and nothing was');

my $bad = $t->read_file("$file.bad.csv");
is($bad =~ tr/\n//, 7, 'the bad rows are written down');
like($bad, qr/^source,authority,name,error\r\n/, 'under their header');
like($bad, qr{^https://x\.example/2,500,too much,"?authority }m, 'with why');

my ($tail) = $bad =~ /^(.*text follows a closing quote.*)$/m;
like($tail // '', qr/^"",,,text/, 'what could not be read leaves the reason');

($exit, $out, $err) = $t->ctl('import', $file, '--skip-bad');
is("$exit|$out", "0|8 rows → 2 links on 1 host, 0 merged, 6 bad; "
   . "0 nameable one by one, 2 in groups\n"
   . "the bad rows are in $file.bad.csv; mended there: "
   . "referralctl -d " . $t->registry_dir . " import $file.bad.csv\n",
   '--skip-bad imports the others and says how to go on');
is_deeply(links('source'), ['kept.example', 'https://x.example/1',
                            'https://x.example/7'], 'they are there');

$bad =~ s/500/50/;
$bad =~ s/^(?!https|source).*\n//mg;
$bad =~ s{^https://x\.example/[456].*\n}{}mg;
my $mended = $t->write_file('mended.csv', $bad);
($exit, $out, $err) = $t->ctl('import', $mended);
is("$exit|$err", '0|', 'mended rows are read again');
like($out, qr/^1 row → 1 link on/, 'without the reasons');

($exit, $out, $err) = $t->ctl('--json', 'import', $file, '--skip-bad');
is_deeply($json->decode($out),
          { imported => JSON::PP::true, dry_run => JSON::PP::false, rows => 8,
            links => 2, hosts => 1, merged => 0, bad => 6, added => 0,
            updated => 0, registered => 2, removed => 0, nameable => 0,
            grouped => 2, target_hosts => [],
            files => [ { file => $file, format => 'csv',
                         bad_file => "$file.bad.csv",
                         bad_error => undef } ] },
          'the summary in JSON');

($exit, $out) = $t->ctl('--json', 'import', $file);
is($exit, 1, 'a bad row fails with --json too');
is($json->decode($out)->{imported}, JSON::PP::false, 'and says so');

($exit, $out) = $t->ctl('--json', 'import', $mended, '--dry-run');
is_deeply($json->decode($out)->{files}[0]{bad_file}, undef,
          'no file of bad rows without such a row');

# A quote that is never closed takes all rows behind it: they are no bad row.

fresh();
$file = $t->write_file('quote.csv', "source,name\nhttps://q.example/1,one\n"
                       . "https://q.example/2,\"two\n"
                       . join('', map { "https://q.example/$_,x\n" } 3 .. 5000));

for my $option ([], ['--skip-bad'], ['--sync']) {
    ($exit, $out, $err) = $t->ctl('import', $file, @$option);
    is("$exit|$out", '1|', "a quote that is not closed @$option");
    is($err, "referralctl: $file: line 3: a quote is not closed: the file ends "
       . "within it; nothing was imported\n", 'is an error of the file');
    is_deeply(links('source'), [], 'nothing is imported');
    ok(!-e "$file.bad.csv", 'and there is no bad row');
}

# A list's bad lines.

$file = $t->write_file('list.txt', "# x\nhttps://y.example/1\n=1+1\n"
                       . 'https://y.example/' . 'x' x 8192 . "\n"
                       . "https://y.example/2\n");
($exit, $out, $err) = $t->ctl('import', $file);
is($exit, 1, 'bad lines in a list');
like($err, qr/^referralctl: \Q$file\E:3: source "=1\+1": /m, 'no URL');
like($err, qr/^referralctl: \Q$file\E:4: the line is longer than 8192/m,
     'a line that is too long');
like($t->read_file("$file.bad.csv"), qr/^'=1\+1,/m,
     'no formula reaches a spreadsheet');

# Bad rows without end.

$file = $t->write_file('many.csv',
    join '', "source\n", map { "ftp://x.example/$_\n" } 1 .. 50);
($exit, $out, $err) = $t->ctl('import', $file);
is(() = $err =~ /many\.csv:\d+:/g, 20, 'no more than 20 are shown');
like($err, qr/^referralctl: import: and 30 more bad rows$/m,
     'the others are counted');
is($t->read_file("$file.bad.csv") =~ tr/\n//, 51, 'all are written');

unlink "$file.bad.csv";
($exit) = $t->ctl('import', $file, '--dry-run');
is($exit, 1, 'a dry run tells of bad rows');
ok(!-e "$file.bad.csv", 'and writes nothing');

symlink $t->dir . '/elsewhere', "$file.bad.csv" or die;
($exit, $out, $err) = $t->ctl('import', $file);
is($exit, 1, 'a link in the place of the list');
like($err, qr/the bad ones are in \Q$file\E\.bad\.2\.csv$/m, 'has another name');
ok(!-e $t->dir . '/elsewhere', 'it is not followed');
ok(-l "$file.bad.csv", 'and stays');
is($t->read_file("$file.bad.2.csv") =~ tr/\n//, 51, 'all rows are there');

unlink "$file.bad.csv";
POSIX::mkfifo("$file.bad.csv", 0600) or die;
($exit, $out, $err) = $t->run_command(undef, 'timeout', 20, $t->{ctl}, '-d',
                                      $t->registry_dir, 'import', $file);
is($exit, 1, 'a FIFO is not waited for');
like($err, qr/the bad ones are in \Q$file\E\.bad\.3\.csv$/m,
     'nor is a list replaced that has such a name');

unlink "$file.bad.csv";
my $other = $t->write_file('other', "other\n");
link $other, "$file.bad.csv" or die;
($exit, $out, $err) = $t->ctl('import', $file);
is($t->read_file("$file.bad.csv") =~ tr/\n//, 51, 'a list that has two names');
is($t->read_file($other), "other\n", 'keeps what it was under the other one');
is_deeply([ grep { !/\.csv$/ } glob "$file.bad*" ], [], 'nothing else is left');

# Who may not read the file may not read its bad rows.

for my $mode (0600, 0640, 0644, 0444) {
    my $before = umask 0;

    unlink "$file.bad.csv";
    chmod $mode, $file;
    $t->ctl('import', $file);
    is((stat "$file.bad.csv")[2] & 07777, $mode | 0600,
       sprintf 'the bad rows of a file of mode %o', $mode);
    umask $before;
}

SKIP: {
    skip 'root alone gives files away', 2 if $> != 0;

    chown 12345, 54321, $file;
    chmod 0640, $file;
    $t->ctl('import', $file);
    is((join ' ', (stat "$file.bad.csv")[4, 5]), '12345 54321',
       'they belong to whom it belongs to');
    is((stat _)[2] & 07777, 0640, 'with its mode');
}

# Lists of bad rows that are read by the same command.

for my $order (0, 1) {
    my $first = $t->write_file('l.csv', "source\nhttps://o.example/1\nftp://o\n");
    my $mended = $t->write_file('l.csv.bad.csv', "source,error\n"
                                . "https://o.example/2,x\nftp://p,x\n");
    my @both = $order ? ($mended, $first) : ($first, $mended);

    unlink glob $t->dir . '/l.csv.bad.[2-9].csv';
    fresh();
    ($exit, $out, $err) = $t->ctl('import', '--skip-bad', @both);
    is($exit, 0, 'a list of bad rows beside its file');
    is_deeply(links('source'), [ 'https://o.example/1', 'https://o.example/2' ],
              'is read');
    like($t->read_file($mended), qr{^https://o\.example/2}m, 'and kept');
    like($out, qr/ import .*\Q$first\E\.bad\.2\.csv/, 'the next one has another '
         . 'name');
    like($t->read_file("$first.bad.2.csv"), qr{^ftp://o,}m, 'and the rows');
    like($t->read_file("$mended.bad.csv"), qr{^ftp://p,}m, 'as it has its own');
}

fresh();
$t->write_file('l.csv.bad.csv', "source\nhttps://o.example/2\n");
($exit) = $t->run_command($t->read_file('l.csv.bad.csv'), 'sh', '-c',
    'exec "$@" <"$0"', $t->dir . '/l.csv.bad.csv', $t->{ctl}, '-d',
    $t->registry_dir, 'import', '--skip-bad', $t->dir . '/l.csv', '-');
is_deeply(links('source'), [ 'https://o.example/1', 'https://o.example/2' ],
          'also where it is standard input');

# Bad rows that cannot be written.

my $long = $t->write_file('x' x 250, "source\nhttps://q.example/\nftp://q\n");
fresh();
($exit, $out, $err) = $t->ctl('import', $long, '--skip-bad');
is($exit, 1, 'bad rows that cannot be written');
like($err, qr/: the bad rows cannot be written: File name too long$/m,
     'are told, and why');
like($err, qr/^referralctl: import: it is done, but bad rows could not be /m,
     'and what was done');
is_deeply(links('source'), ['https://q.example/'], 'the others are imported');
unlike($out . $err, qr/mended|are in/, 'there is nothing to go on with');

($exit, $out, $err) = $t->ctl('import', $long);
unlike($err, qr/the bad ones are in/, 'nor where nothing is imported');

($exit, $out, $err) = $t->ctl('--json', 'import', $long, '--skip-bad');
is($exit, 1, 'the same in JSON');
my $report = $json->decode($out);
is($report->{imported}, JSON::PP::true, 'which says that it was imported');
is($report->{files}[0]{bad_file}, undef, 'that there is no list');
is($report->{files}[0]{bad_error}, 'File name too long', 'and why');
unlink $long;

SKIP: {
    my $full = $t->dir . '/full';

    mkdir $full or die;
    my $why = $t->mount_tmpfs($full, '64k');
    skip $why, 4 if defined $why;

    $t->write_file('full/l.csv', join '', "source\n", map {
        'ftp://x.example/' . 'x' x 20 . "$_\n" } 1 .. 700);
    $t->write_file('full/l.csv.bad.csv', "source\nftp://old\n");

    ($exit, $out, $err) = $t->ctl('import', "$full/l.csv", '--skip-bad');
    is($exit, 1, 'a disk that is full');
    like($err, qr/l\.csv\.bad\.csv: the bad rows cannot be .*No space left/,
         'is told');
    is($t->read_file('full/l.csv.bad.csv'), "source\nftp://old\n",
       'the list before stays');
    is_deeply([ glob "$full/*" ], [ "$full/l.csv", "$full/l.csv.bad.csv" ],
              'no part of another is left');
    $t->unmount($full);
}

($exit, $out, $err) = $t->ctl_with("source\nftp://x\n", 'import', '-');
is($exit, 1, 'standard input has no list of bad rows');
is_deeply([ glob $t->dir . '/*-.bad.csv' ], [], 'there is none');

# Several files are one transaction.

fresh();
my @files = ($t->write_file('1.csv', "source,name\nhttps://f.example/1,One\n"),
             $t->write_file('2.txt',
                            "https://f.example/1\nhttps://g.example/\n"),
             $t->write_file('3.txt', "ftp://f.example/\n"));

($exit, $out, $err) = $t->ctl('import', @files);
is($exit, 1, 'several files, one of them bad');
is_deeply(links('source'), [], 'nothing was imported');

($exit, $out) = $t->ctl('import', @files[0, 1]);
is("$exit|$out", "0|3 rows → 2 links on 2 hosts, 1 merged, 0 bad; "
   . "2 nameable one by one, 0 in groups\n", 'several files');

($exit, $out, $err) = $t->ctl('import', $files[0], $t->dir . '/none.csv');
is("$exit|$out", '1|', 'a file that is missing');
like($err, qr/none\.csv: No such file/, 'is named');

($exit, $out, $err) = $t->ctl('import', $t->dir);
is("$exit|$out", '1|', 'a directory');
like($err, qr/Is a directory/, 'is no file');

# Who has nothing to write yet holds nobody up.

for my $row ([ "https://g.example/\n", 'import', $files[0], '-' ],
             [ "spam.example\n", 'ignore', '--file', '-' ])
{
    my ($text, @args) = @$row;

    pipe my $slow, my $writer or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        close $writer;
        open STDIN, '<&', $slow;
        open STDOUT, '>', $t->dir . '/slow.out';
        exec $t->{ctl}, '-d', $t->registry_dir, @args or POSIX::_exit(127);
    }

    close $slow;
    ok(wait_until(sub { is_waiting($pid) }, 30), "$args[0] waits for a pipe");

    ($exit, $out, $err) = $t->run_command(undef, 'timeout', 20, $t->{ctl},
                                          '-d', $t->registry_dir, 'add',
                                          'now.example');
    is($exit, 0, 'meanwhile a link is added');
    $t->ctl_ok('rm', $out =~ /([0-9a-f]{16})/) if $exit == 0;

    print $writer $text;
    close $writer;
    waitpid $pid, 0;
    is($?, 0, 'then it goes on');
}

is_deeply(links('source'), ['https://f.example/1', 'https://g.example/'],
          'and all are there');

# --dry-run.

($exit, $out) = $t->ctl_with("https://h.example/\n", 'import', '-',
                             '--dry-run');
is("$exit|$out", "0|dry run: 1 row → 1 link on 1 host, 0 merged, 0 bad; "
   . "1 nameable one by one, 0 in groups\nto do it: referralctl -d "
   . $t->registry_dir . " import -\n", 'a dry run says what would be done');
is(scalar @{ links('source') }, 2, 'and does nothing');

# --sync.

my $sync = "source,name\nhttps://f.example/1,Renamed\nhttps://i.example/,New\n";

($exit, $out) = $t->ctl_with($sync, 'import', '-', '--sync', '--dry-run');
is($out, "dry run: 2 rows → 2 links on 2 hosts (1 new, 1 registered before), "
   . "0 merged, 0 bad, 1 removed; 2 nameable one by one, 0 in groups\n"
   . "to do it: referralctl -d " . $t->registry_dir . " import - --sync\n",
   '--sync --dry-run');

($exit, $out) = $t->ctl_with($sync, 'import', '-', '--sync', '--update');
is("$exit|$out", "0|2 rows → 2 links on 2 hosts (1 new, 1 updated, "
   . "0 registered before), 0 merged, 0 bad, 1 removed; 2 nameable one by "
   . "one, 0 in groups\n", '--sync --update');
is_deeply(links('source', 'name'), [ 'https://f.example/1|Renamed',
                                     'https://i.example/|New' ],
          'makes the registry equal to the file');

# What may be half of a file removes nothing.

($exit, $out, $err) = $t->ctl_with('https://f.example/1', 'import', '-',
                                   '--sync');
is($exit, 1, '--sync with a last line that has no end fails');
like($err, qr/the last line of standard input has no end.*would be removed \(1\)/,
     'and says why');

($exit) = $t->ctl_with("https://f.example/1\nhttps://i.example/", 'import', '-',
                       '--sync');
is($exit, 0, 'but where nothing would be removed');

# Files are opened one after the other, and read when all are open: between two
# fifos the file before them is open, and nothing of it was read.

for my $row ([ '', qr{/written\.csv: it is being written: .*nothing was} ],
             [ '-', qr/standard input: it is being written/ ])
{
    my ($name, $wanted) = @$row;

    my $written = $t->write_file('written.csv', "https://f.example/1\n" x 9);
    my @fifos = map { $t->dir . "/fifo$_" } 1, 2;
    my $files = join ' ', $name || $written, @fifos;

    for my $fifo (@fifos) {
        POSIX::mkfifo($fifo, 0600) or die "mkfifo: $!\n";
    }

    local $SIG{PIPE} = 'IGNORE';

    open my $said, '-|', "exec $t->{ctl} -d " . $t->registry_dir
                         . " import $files --sync < $written 2>&1" or die;
    open my $first, '>', $fifos[0] or die;
    $t->write_file('written.csv', "https://f.example/2\n");
    open my $second, '>', $fifos[1] or die;
    close $_ for $first, $second;

    my $text = join '', <$said>;

    close $said;
    is($? >> 8, 1, '--sync with a file that is being written fails')
        or diag($text);
    like($text, $wanted, 'and says why');
    unlink @fifos;
}

is(scalar @{ links('source') }, 2, 'nothing was removed');

($exit, $out, $err) = $t->ctl_with("source\n", 'import', '-', '--sync');
is($exit, 1, '--sync with an empty file fails');
like($err, qr/would remove every link/, 'and says why');

($exit, $out, $err) = $t->ctl_with("source\nftp://x\n", 'import', '-',
                                   '--sync');
is($exit, 1, '--sync with a bad row fails');
is(scalar @{ links('source') }, 2, 'nothing was removed');

($exit, $out) = $t->ctl_with("https://g.example/\n", 'import', '-', '--sync');
is_deeply(links('source'), ['https://g.example/'],
          'a link that was removed comes back');

# Many rows: more than any buffer.

fresh();
my $n = 20000;
$file = $t->write_file('large.csv', join '', "source,note\n", map {
    'https://h' . $_ % 300 . ".example/$_," . 'x' x 50 . "\n" } 1 .. $n);

($exit, $out) = $t->ctl('import', $file);
is("$exit|$out", "0|20,000 rows → 20,000 links on 300 hosts, 0 merged, 0 bad; "
   . "0 nameable one by one, 20,000 in groups\n", "$n rows");
($exit, $out) = $t->ctl('import', $file);
is("$exit|$out", "0|20,000 rows → 20,000 links on 300 hosts (0 new, "
   . "20,000 registered before), 0 merged, 0 bad; 0 nameable one by one, "
   . "20,000 in groups\n", 'and again');

# Under sudo(8) the command to go on with is one under sudo.

SKIP: {
    skip 'only root is under sudo', 2 if $> != 0;

    local $ENV{SUDO_UID} = 1000;
    local $ENV{REFERRALCTL_DIR} = $t->registry_dir;

    ($exit, $out, $err) = $t->ctl_with("https://a.example/\n", 'import', '-',
                                       '--dry-run');
    like($out, qr/^to do it: sudo referralctl -d \Q$ENV{REFERRALCTL_DIR}\E import -$/m,
         'sudo keeps no $REFERRALCTL_DIR, the command names it');

    ($exit, $out, $err) = $t->ctl_with("source\nftp://a.example/\n", 'import',
                                       '-', '--json');
    like($err, qr/: sudo referralctl --json -d \S+ import - --skip-bad$/m,
         'also after bad rows');
}

# The bar: on a terminal alone, in a line of it, and gone at the end.

for my $columns (24, 60, 120) {
    my $said = terminal($columns, 'import', $file);
    my ($bars, $report) = $said =~ /\A(.*)\r([^\r]+)\r\n\z/s;

    my @bars = split /\r/, $bars // '';
    my $screen = $columns < 40 ? 40 : $columns;

    cmp_ok(scalar(grep { /^\[#+\.*\] +\d+ %  \d+ rows$/ } @bars), '>', 9,
           "a bar on $columns columns");
    is_deeply([ grep { length >= $screen } @bars ], [], 'which fits');
    like($bars[-1], qr/^ {@{[ $screen - 1 ]}}$/, 'and is wiped off');
    like($report // '', qr/^20,000 rows/, 'for the report');
}

($exit, $out, $err) = $t->ctl('import', $file);
is($err, '', 'none in a pipe');

$t->finish;
done_testing;


# What a terminal of so many columns gets.

sub terminal {
    my ($columns, @args) = @_;

    my $command = join ' ', map { "'$_'" } $t->{ctl}, '-d', $t->registry_dir,
                                           @args;

    local %ENV = (PATH => $ENV{PATH}, SHELL => '/bin/sh', TERM => 'xterm');

    my (undef, $said) = $t->run_command(undef, 'script', '-qec',
                                        "stty cols $columns; $command",
                                        '/dev/null');

    return $said;
}


# Whether it has the registry open, and sleeps.

sub is_waiting {
    my ($pid) = @_;

    open my $in, '<', "/proc/$pid/stat" or return 0;

    return (readline($in) // '') =~ /\) S /
           && grep { (readlink // '') =~ /registry\/data\.mdb$/ }
              glob "/proc/$pid/fd/*";
}


# An empty registry.

sub fresh {
    my $dir = $t->registry_dir;

    unlink glob "$dir/*/*";
    $t->ctl_ok('init');
}


# The fields of all links, in the order of their sources.

sub links {
    my @names = @_;

    my $all = $json->decode($t->ctl_ok('list', '--json'))->{links};

    return [ map { my $link = $_;
                   join '|', map { text($link->{$_}) } @names } @$all ];
}


sub text {
    my ($value) = @_;

    return ref $value ? join(',', @$value) : $value // '';
}
