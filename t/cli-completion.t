#!/usr/bin/perl

# Tab behind referralctl: bash runs the function as readline would, with its
# words broken at "=" and ":".

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $t = Referral::Test->new;
my $root = Referral::Test::root_dir();
my $file = "$root/share/referralctl.bash-completion";
my $dir = $t->registry_dir;

delete $ENV{REFERRALCTL_DIR};

my ($exit, $out, $err) = bash('source "$0"; complete -p referralctl', $file);

is("$exit|$err", '0|', 'bash reads it without a word');
is($out, "complete -F _referralctl referralctl\n", 'and knows the function');

$t->ctl_ok('init');

my %key;

for my $n (1 .. 3) {
    $key{$n} = $t->ctl_ok('add', "https://blog.example/$n");
    $key{$n} =~ s/\s+//g;
}

$key{bytes} = $t->ctl_ok('add', "https://blog.example/\xff\xfe");
$key{bytes} =~ s/\s+//g;
$ENV{LC_ALL} = 'C.UTF-8';

# Commands and options: those that --help names.

my $help = said('--help');
my @commands = $help =~ /^  (\w+) +\w/mg;

is_deeply([ complete('') ], [ sort @commands ], 'all commands');
is_deeply([ complete('ba') ], [ 'backup' ], 'one command');
is_deeply([ complete('-d', $dir, '') ], [ sort @commands ], 'behind -d PATH');
is_deeply([ complete('--dir', '=', $dir, '') ], [ sort @commands ],
          'behind --dir=PATH');
is_deeply([ complete('-') ], [ sort qw(--dir --json --help --version) ],
          'options before the command');

for my $command (@commands) {
    my @options = said($command, '--help') =~ /^ {2,6}(?:-\w, )?(--[a-z-]+)/mg;

    is_deeply([ complete($command, '--') ], [ sort @options ],
              "all options of $command");
}

is_deeply([ complete('import', '--s') ], [ qw(--set --skip-bad --sync) ],
          'options that begin so');

# Values: each must be taken by the command, and one more must not.

my %words = (channel => [ words('rfl_link_channels'), 'unassigned' ],
             map { $_ => [ words("rfl_link_${_}s") ] }
                 qw(origin placement rel));

for my $field (sort keys %words) {
    my @wanted = sort @{$words{$field}};

    cmp_ok(scalar @wanted, '>=', 4, "the words of $field are found");
    is_deeply([ complete('add', "--$field", '') ], \@wanted,
              "add: values of --$field");
    is_deeply([ complete('set', $key{1}, $field, '=', '') ], \@wanted,
              "set: values of $field");
    is_deeply([ complete('import', 'x.csv', '--set', $field, '=', '') ],
              \@wanted, "import: values of $field in --set");
}

is_deeply([ complete('set', $key{1}, 'channel', '=', 'gu') ], [ 'guest-post' ],
          'a value that is begun');
is_deeply([ complete('set', $key{1}, 'channel=gu') ], [ 'channel=guest-post' ],
          'where "=" breaks no words');
is_deeply([ complete('list', '--format', '=', 'j') ], [ 'json' ],
          'the value of --format=');
is_deeply([ complete('list', '--format=j') ], [ '--format=json' ],
          'where "=" breaks no words');

my @values = (
    [ qr/"\S+" is not (table, csv or json)/, 'list', '--format' ],
    [ qr/"\S+" is not (table, csv or json)/, 'sources', '--format' ],
    [ qr/"\S+" is not (csv, json or disavow)/, 'export', '--format' ],
    [ qr/"\S+" is none of ([a-z, -]+)/, 'import', '-', '--format' ],
    [ qr/"\S+" is not ([a-z, ]+ or \w+)/, 'history', 'all', '--unit' ],
    [ qr/"\S+" is not ([a-z, ]+ or \w+)/, 'top', '--sort' ],
    [ qr/"\S+" is neither (on nor off)/, 'match', '-', '--bot' ],
    [ qr/it is one of: ([a-z, ]+)/, 'add', 'a.example', '--match-type' ]
);

for my $row (@values) {
    my ($pattern, @args) = @$row;

    ($exit, $out, $err) = $t->ctl(@args, 'frobnicate');

    my ($list) = $err =~ $pattern or diag($err);
    my @wanted = sort split /, | or | nor | and /, $list // '';

    is_deeply([ complete(@args, '') ], \@wanted, "values of @args");
}

is_deeply([ complete('list', '--host', '') ], [], 'a host is not guessed');
is_deeply([ complete('list', '--limit', '') ], [], 'nor a number');
ok((grep { $_ eq 'root' } complete('init', '--owner', '')), 'users');

# Fields.

my ($fields) = said('set', '--help') =~ /^Fields: (.*?)\./ms;
my @fields = split ' ', $fields;

is_deeply([ complete('set', $key{1}, '') ], [ sort map { "$_=" } @fields ],
          'fields that may be set');
is_deeply([ complete('import', 'x', '--set', '') ],
          [ sort map { "$_=" } @fields ], 'also by --set');
is_deeply([ complete('import', 'x', '--map', 'URL', '=', '') ],
          [ sort @fields, qw(source match_type target) ],
          'fields that a column may hold');
is_deeply([ complete('set', $key{1}, 'name', '=', '') ], [],
          'what is free is not guessed');

# Keys, of the directory that is named.

my @keys = sort values %key;

for my $command (qw(show set rm)) {
    is_deeply([ complete('-d', $dir, $command, '') ], \@keys,
              "keys behind $command");
}

is_deeply([ complete('rm', "-d$dir", $keys[0], '') ], \@keys,
          'more keys behind rm');
is_deeply([ complete('show', '--dir', '=', $dir, $keys[0], '') ], [],
          'but one behind show');
is_deeply([ complete('history', '-d', $dir, '') ], [ sort @keys, 'all' ],
          'keys and all behind history');
is_deeply([ complete('show', '-d', $dir, substr $keys[1], 0, 8) ],
          [ grep { index($_, substr $keys[1], 0, 8) == 0 } @keys ],
          'a key that is begun');
is_deeply([ complete('set', '--json', '-d', $dir, '') ], \@keys,
          'an option without value is no key');

{
    local $ENV{REFERRALCTL_DIR} = $dir;
    is_deeply([ complete('show', '') ], \@keys, 'keys of $REFERRALCTL_DIR');
}

is_deeply([ complete('show', '-d', "$dir/none", '') ], [],
          'no registry: no keys, and not a word');

# Files and directories.

mkdir $t->dir . "/$_" or die for 'some-a', 'some-b';
$t->write_file('some.csv', '');

my $some = $t->dir . '/some';

is_deeply([ complete('import', $some) ],
          [ map { "$some$_" } '-a', '-b', '.csv' ], 'files to import');
is_deeply([ complete('ignore', '--file', $some) ],
          [ map { "$some$_" } '-a', '-b', '.csv' ], 'a list of hosts');
is_deeply([ complete('ignore', "--file=$some.") ], [ "--file=$some.csv" ],
          'where "=" breaks no words');
is_deeply([ complete('backup', $some) ], [ map { "$some-$_" } 'a', 'b' ],
          'directories for a backup');
is_deeply([ complete('-d', $some) ], [ map { "$some-$_" } 'a', 'b' ],
          'directories behind -d');

$t->finish;
done_testing;


sub said {
    my ($code, $text) = $t->run_command(undef, $t->{ctl}, @_);

    die "referralctl @_ failed\n" if $code != 0;

    return $text;
}


sub bash {
    return $t->run_command(undef, 'bash', '--norc', '-c', @_);
}


# What Tab offers, the last of the words being the one that is begun.  Words
# that hold "=" as a part are those of a shell that does not break them there.

sub complete {
    my @words = @_;

    my $breaks = (grep { /^[^=]+=/ } @words) ? ' :' : ' =:';

    my ($code, $text, $complaint) = bash(<<'BASH', $t->{ctl}, @words, $file, $breaks);
        file=${*: -2:1} COMP_WORDBREAKS=${*: -1}
        COMP_WORDS=("${@:0:$#-1}")
        COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
        source "$file"
        _referralctl "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" \
                     "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
BASH

    is($complaint, '', "nothing is said: @words");

    return sort grep { $_ ne '' } split /\n/, $text;
}


# The strings of a table of the core.

sub words {
    my ($name) = @_;

    my $text = $t->read_file("$root/ngx_referral_module/core/rfl_link.c");
    my ($table) = $text =~ /\b\Q$name\E\[\] = \{(.*?)\};/s;

    return ($table // '') =~ /rfl_string\("(.*?)"\)/g;
}
