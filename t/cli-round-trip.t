#!/usr/bin/perl

# Random links of all match types, all their fields full of bytes that CSV,
# JSON and spreadsheets make much of: exported, imported into an empty registry
# and exported again they are the same, byte for byte.
#
# ROUND_TRIP is how many links, ROUND_SEED which.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $links = $ENV{ROUND_TRIP} // 400;
my $seed = $ENV{ROUND_SEED} // 20261129;

my $t = Referral::Test->new;
my $json = JSON::PP->new->utf8;

my @pieces = (',', ';', "\t", "\n", "\r", "\r\n", '"', '""', "'", "'=", '=',
              '+', '-', '@', '|', '\\', '\\n', '{', '}', '[', ']', '<b>', '&amp;', '#', '%00',
              '%', ' ', '  ', 'x', 'null', '0', '1e3', 'true', "\x7f",
              "\xef\xbb\xbf", "\xff\xfe", "\xfe\xff", "\xff", "\xc3\xa9",
              "\xe2\x80\xa8", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xc0\x80",
              "\xc2\x85", "\xe2\x80\xae");
my @words = (
    [ channel => qw(natural outreach guest-post paid my-own-word) ],
    [ origin => qw(earned built created paid other) ],
    [ placement => qw(content header footer sidebar comment bio other) ],
    [ rel => qw(follow nofollow sponsored ugc) ],
    [ authority => 0, 7, 100 ],
    [ cost => qw(0 0.50 12 -3.25 1000000.01) ],
    [ 'listed-first' => qw(2026-01-02 2026-01-02T03:04:05Z) ],
    [ 'listed-last' => qw(2026-03-04 2026-03-04T05:06:07+01:00) ]
);

srand $seed;
$t->ctl_ok('init');

# What is given is what is shown, where JSON can hold it, but for space around.

my ($refused, @wrong) = (0);
my %given;

for my $n (1 .. $links) {
    my %link = random_link($n);
    my ($exit, $out, $err) = $t->ctl('add', '--json', arguments(%link));

    if ($exit != 0) {
        push @wrong, "exit $exit: $err" if $exit != 1;
        $refused++;
        next;
    }

    my $shown = $json->decode($out);
    $given{ $shown->{key} } = 1;

    for my $field (qw(name partner anchor note tag)) {
        my $text = ($link{$field} // '') =~ s/^[ \t\r\n]+|[ \t\r\n]+\z//gr;

        push @wrong, "$field: \"$text\" is shown as \"$shown->{$field}\""
            if utf8::decode($text) && $text !~ /[\x{d800}-\x{dfff}\x{fffe}]/
               && $shown->{$field} ne $text;
    }
}

is_deeply(\@wrong, [], "links as they were given (seed $seed)");
cmp_ok(scalar keys %given, '>', $links / 4, 'many are registered');
cmp_ok($refused, '>', 0, 'some are refused');

# By CSV, which holds all bytes.

my $csv = export('csv');
my $shown = export('json');

is(scalar @{ $json->decode($shown)->{links} }, scalar keys %given,
   'all are exported');
like($csv, qr/\xff/, 'also bytes that are no UTF-8');

refilled($csv, 'csv');
is(export('csv'), $csv, 'CSV makes the same registry, byte for byte');
is(export('json'), $shown, 'and the same JSON');

# A spreadsheet may have changed the delimiter, and the line ends.

for my $row ([ ';' => "\r\n" ], [ "\t" => "\n" ], [ ',' => "\n" ]) {
    my ($delimiter, $end) = @$row;

    refilled(rewritten($csv, $delimiter, $end), 'csv');
    is(export('csv'), $csv, 'and so it does with ' . ($delimiter eq "\t"
       ? 'tabs' : "\"$delimiter\"") . ' and ' . length($end) . ' at the end');
}

# By JSON, which holds UTF-8 alone: of links that are such.

my @others = map { $_->{key} }
             grep { $json->encode($_) =~ /\xef\xbf\xbd/ }
             @{ $json->decode($shown)->{links} };

while (my @some = splice @others, 0, 100) {
    $t->ctl_ok('rm', @some);
}

# Nor can it tell an origin that was given from one that follows.

for my $link (@{ $json->decode(export('json'))->{links} }) {
    my $origin = $json->decode($t->ctl_ok('set', '--json', $link->{key},
                                          'origin='))->{origin};

    $t->ctl_ok('set', $link->{key}, "origin=$link->{origin}")
        if $origin ne $link->{origin};
}

$csv = export('csv');
$shown = export('json');
cmp_ok(scalar @{ $json->decode($shown)->{links} }, '>', $links / 8,
       'many are left');

refilled($shown, 'json');
is(export('json'), $shown, 'JSON makes the same registry, byte for byte');
is(export('csv'), $csv, 'and the same CSV');

my ($exit, $out, $err) = $t->ctl('check');
is($exit, 0, 'which is sound') or diag($out . $err);

$t->finish;
done_testing;


sub random_link {
    my ($n) = @_;

    my %link = map { $_ => text(6) } grep { rand 2 < 1 }
               qw(name partner anchor note);
    my $type = (qw(exact exact exact prefix host domain regex tag))[rand 8];

    for my $row (@words) {
        my ($field, @values) = @$row;
        $link{$field} = $values[rand @values] if rand 3 < 1;
    }

    $link{labels} = [ map { text(2) =~ tr/,//dr } 1 .. 1 + rand 3 ]
        if rand 2 < 1;
    $link{tag} = text(3) . $n if $type eq 'tag' || rand 3 < 1;
    $link{target} = ('/', '/p?q="a",b;c', '/%3d', "/caf\xc3\xa9", '/a b',
                     'https://shop.example:8443/x?y=1', "/'=x")[rand 7]
        if $type ne 'tag' && rand 2 < 1;

    my $host = ("h$n.example", "b\xc3\xbccher$n.example", "192.0.2.$n",
                "[2001:db8::$n]", "WWW.H$n.Example:8080")[rand 5];
    my $path = '/' . join '', map { (qw(a b ; = ' @), ',', '%22', '%2C', '"',
                                     "\xc3\xa9", '+')[rand 12] } 1 .. 6;

    $link{'match-type'} = $type;
    $link{source} = $type eq 'tag' ? undef
                    : $type eq 'exact' ? "https://$host$path?x=$n,\"y\""
                    : $type eq 'prefix' ? "http://$host$path"
                    : $type eq 'regex' ? "$host/(?:a,\"b\"|;c{2}){1,3}\\d+=$n"
                    : $host;

    return %link;
}


sub text {
    my ($most) = @_;

    return join '', map { $pieces[rand @pieces] } 1 .. 1 + rand $most;
}


sub arguments {
    my %link = @_;

    my @args = defined $link{source} ? ($link{source}) : ();

    for my $field (sort keys %link) {
        next if $field eq 'source';

        push @args, map { "--" . ($field eq 'labels' ? 'label' : $field)
                          . "=$_" } ref $link{$field} ? @{ $link{$field} }
                                                      : $link{$field};
    }

    return @args;
}


sub export {
    my ($code, $text, $complaint) = $t->ctl('export', '--format', $_[0]);

    die "export: $complaint\n" if $code != 0;

    return $text;
}


sub refilled {
    my ($text, $format) = @_;

    unlink glob $t->registry_dir . '/*/*';
    $t->ctl_ok('init');

    my ($code, $said, $complaint) = $t->ctl_with($text, '--json', 'import',
                                                 '-', '--format', $format);

    is("$code|$complaint", '0|', "$format is imported");

    my $report = $json->decode($said);
    is("$report->{bad} $report->{merged}", '0 0', 'all of its rows');
}


# The same rows by a writer that is not ours.

sub rewritten {
    my ($text, $delimiter, $end) = @_;

    my $out = '';
    pos($text) = 0;

    while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n)/gc) {
        my ($quoted, $plain, $next) = ($1, $2, $3);
        my $cell = defined $quoted ? $quoted =~ s/""/"/gr : $plain;

        $cell = '"' . ($cell =~ s/"/""/gr) . '"'
            if $cell =~ /["\r\n]|\Q$delimiter\E|^\s|\s\z/ || rand 4 < 1;
        $out .= $cell . ($next eq ',' ? $delimiter : $end);
    }

    die 'no CSV at ' . substr($text, pos $text, 40) . "\n"
        if pos $text != length $text;

    return $out;
}
