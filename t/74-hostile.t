#!/usr/bin/perl

# Links of any bytes, whoever stored them, in all formats: each answer is
# valid to readers that are not ours, and what was text stays that text.  (How
# such bytes arrive in requests is t/22-hostile.t.)

use strict;
use warnings;

use Encode ();
use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled);
use Referral::Metrics qw(promtool_faults read_metrics samples);
use Referral::Test qw(wait_until);


my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        location / { referral main; return 200; }
        location /status { referral_status main; }
    }
CONF

my %texts = (
    (map { sprintf('byte %02x', $_) => chr($_) } 1 .. 255),
    (map { sprintf('byte %02x inside', $_) => 'a' . chr($_) . 'z' } 1 .. 255),
    (map { sprintf('%02x in the middle of U+20AC', $_)
               => "\xe2\x82" . chr($_) . "\xac" } 1 .. 255),
    'all bytes' => join('', map { chr } 1 .. 255),
    'all bytes, backwards' => join('', map { chr } reverse 1 .. 255),
    'quotes' => q{"\\"\\\\"/'''\\u0000},
    'the end of a label' => qq[x"} 1\nreferral_links{registry="evil"} 5\n],
    'the end of a line' => "x\n# TYPE evil counter\n",
    'the end of a script' => '</script><script>alert(1)</script>',
    'a comment of HTML' => '<!--<script>&amp;]]>',
    'line breaks' => "a\nb\rc\r\nd",
    'NEL' => "a\xc2\x85b",
    'line separators' => "\xe2\x80\xa8\xe2\x80\xa9",
    'a byte order mark' => "\xef\xbb\xbfname",
    'a lone high surrogate' => "\xed\xa0\xbd",
    'a lone low surrogate' => "\xed\xb2\xa9",
    'a pair of surrogates' => "\xed\xa0\xbd\xed\xb2\xa9",
    'overlong' => "\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf",
    'beyond the last code point' => "\xf4\x90\x80\x80",
    'four bytes' => "\xf0\x9f\x94\x97",
    'cut' => "abc\xe2\x82",
    'formulas' => '=cmd|\'/C calc\'!A0',
    (map { ("begins with $_" => "${_}1+1", "'$_" => "'${_}1+1",
            "''$_" => "''${_}") } '=', '+', '-', '@', "\t", "\r"),
    'commas' => ',",",,"',
    'nothing but a quote' => '"',
    'long' => "\xff" x 250,
);

my @names = sort keys %texts;

$t->ctl_ok('init');
add_all();
$t->start;

wait_until(sub { $t->get('/status/metrics')->{status} == 200 }, 30);

# JSON: in one long answer, and each link alone.

my $strict = JSON::PP->new->utf8;
my %found = map { $_->{key} => $_ }
            @{ json_of('/status/links?limit=all')->{links} };
my %key;

for my $link (values %found) {
    my ($i) = $link->{source} =~ m{^https://blog\.example/n(\d+)$} or next;
    $key{ $names[$i] } = $link->{key};
}

is_deeply([ sort keys %key ], \@names, 'all texts are registered');

my @wrong = grep { !is_as_given($found{ $key{$_} }{name}, $texts{$_}) } @names;

is_deeply(\@wrong, [], 'names that are UTF-8 are as they were given');
is_deeply([ grep { $found{ $key{$_} }{name} =~ /[\x{d800}-\x{dfff}]/ }
            @names ], [], 'and no name is half a character');

json_of("/status/links/$key{$_}")
    for 'all bytes', 'line breaks', 'a pair of surrogates';
json_of("/status/$_?format=json")
    for '', qw(hosts channels partners labels history);

node_reads('/status/links?limit=all');

# Prometheus text.

my $metrics = $t->get('/status/metrics?links=all')->{body};

is(promtool_faults($t, $metrics), '', 'promtool accepts the metrics');

my %info = map { $_->[0]{link} => $_->[0] }
           samples(read_metrics($metrics), 'referral_link_info');

is(scalar keys %info, scalar keys %found, 'all links are in them');
is(scalar(grep { $_->{registry} ne 'main' } values %info), 0,
   'none of another registry');

@wrong = grep {
    my $label = $info{ $key{$_} };
    !is_as_given($label->{name}, $texts{$_})
        || !is_as_given($label->{partner}, $texts{$_})
} @names;

is_deeply(\@wrong, [], 'labels that are UTF-8 are as they were given');

# CSV.

my ($head, @rows) = csv_of('/status/links?limit=all&format=csv');
my %column = map { $head->[$_] => $_ } 0 .. $#$head;

is(scalar @rows, scalar keys %found, 'CSV: all links');

my %csv = map { $_->[ $column{key} ] => $_ } @rows;

@wrong = grep {
    plain($csv{ $key{$_} }[ $column{name} ])
        ne Encode::encode('UTF-8', $found{ $key{$_} }{name})
} grep { is_utf8($texts{$_}) } @names;

is_deeply(\@wrong, [], 'CSV: the same texts');

csv_of("/status/$_?format=csv") for qw(hosts channels partners labels history);

$t->finish;

done_testing;


# Each text as a name, partner and so on of a page of its own (in the shorter
# fields as much of it as they hold); and pages whose address has it: what the
# registry takes.

sub add_all {
    my @lines;

    for my $i (0 .. $#names) {
        my $text = unpack 'H*', $texts{ $names[$i] };
        my $cut = substr $text, 0, 2 * 128;

        push @lines, 'source=' . unpack('H*', "https://blog.example/n$i")
                     . " name=$text anchor=$text note=$text partner=$cut"
                     . ' labels=' . substr $text, 0, 2 * 64;
    }

    for my $name (@names) {
        push @lines,
            'source=' . unpack('H*', "https://path.example/$texts{$name}"),
            'source=' . unpack('H*', "https://query.example/?$texts{$name}"),
            'source=' . unpack('H*', "https://target.example/")
                . ' target=' . unpack('H*', "/$texts{$name}");
    }

    my ($exit, $out, $err) =
        $t->run_command(join('', map { "$_\n" } @lines),
                        $t->program('add_raw'), $t->registry_dir);

    is($exit, 0, 'the links are stored') or diag($err);

    my @keys = grep { /^[0-9a-f]{16}$/ } split /\n/, $out;

    cmp_ok(scalar @keys, '>', 2 * @names,
           'also many whose addresses have the texts') or diag($out);
}


sub json_of {
    my ($path) = @_;

    my $body = $t->get($path)->{body};
    my $json = eval { $strict->decode($body) };

    ok(defined $json, "$path: valid JSON") or diag("$@\n$body");
    unlike($body, qr/[\x00-\x09\x0b-\x1f\x7f<>&]|\n./,
           "$path: nothing in it that means something elsewhere");

    return $json;
}


# Also Node's reading of it, bytes that are no UTF-8 included.

sub node_reads {
    my ($path) = @_;

    my $file = $t->write_file('answer.json', $t->get($path)->{body});
    my $script = 'const bytes = require("fs").readFileSync(process.argv[1]);'
                 . 'const text = new TextDecoder("utf-8",'
                 . ' { fatal: true }).decode(bytes);'
                 . 'console.log(JSON.parse(text).links.length);';
    my ($exit, $out, $err) = $t->run_command('', 'node', '-e', $script, $file);

    is($exit, 0, "node reads $path") or diag($err);
    is($out + 0, scalar keys %found, 'and finds as many links');
}


# RFC 4180 to the letter, and nothing a spreadsheet would calculate.

sub csv_of {
    my ($path) = @_;

    my $answer = $t->get($path);
    my $rows = parse_csv($answer->{body});

    is($answer->{status}, 200, "$path: 200");
    ok(defined $rows && @$rows > 0, "$path: valid CSV") or return;
    is(scalar(grep { @$_ != @{ $rows->[0] } } @$rows), 0,
       "$path: all rows have as many fields");
    is_deeply([ grep { /^[=+\-@\t\r]/ } map { @$_ } @$rows ], [],
              "$path: no formula");

    return @$rows;
}


sub parse_csv {
    my ($text) = @_;

    my @rows;

    while ((pos($text) // 0) < length $text) {
        my @row;

        do {
            if ($text =~ /\G"((?:[^"]|"")*)"/gcs) {
                push @row, $1 =~ s/""/"/gr;

            } else {
                $text =~ /\G([^",\r\n]*)/gc;
                push @row, $1;
            }
        } while $text =~ /\G,/gc;

        unless ($text =~ /\G\r\n/gc) {
            diag('CSV ends at: ' . substr $text, pos($text) // 0, 100);
            return undef;
        }

        push @rows, \@row;
    }

    return \@rows;
}


# What rfl_csv.h says of defused fields, undone.

sub plain {
    my ($field) = @_;

    return $field =~ s/^'('*[=+\-@\t\r])/$1/r;
}


sub is_utf8 {
    my ($bytes) = @_;

    return defined eval {
        Encode::decode('UTF-8', $bytes, Encode::FB_CROAK | Encode::LEAVE_SRC)
    };
}


sub is_as_given {
    my ($text, $bytes) = @_;

    return !is_utf8($bytes) || $text eq Encode::decode('UTF-8', $bytes);
}
