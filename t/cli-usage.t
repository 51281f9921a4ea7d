#!/usr/bin/perl

# How the command speaks: help, versions, exit codes, wrong usage, and errors
# that say what, why and what to do.

use strict;
use warnings;

use File::Copy qw(copy);
use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my @commands = qw(init add import list show top history set rm match export
                  check backup compact);

my $t = Referral::Test->new;

delete $ENV{REFERRALCTL_DIR};

my ($exit, $out, $err) = referralctl('--help');
is($exit, 0, '--help succeeds');
is($err, '', '--help says nothing on standard error');
like($out, qr/^  \Q$_\E +\w/m, "--help lists $_") for @commands;

($exit, $out) = referralctl('--version');
is($exit, 0, '--version succeeds');
like($out, qr/^referralctl \d+\.\d+\.\d+\n\z/, '--version says it');

for my $command (@commands) {
    ($exit, $out, $err) = referralctl($command, '--help');

    is("$exit|$err", '0|', "$command --help succeeds");
    like($out, qr/^usage: referralctl .* \Q$command\E/,
         "$command --help says how it is used");

    ($exit, $out, $err) = referralctl($command, '--frobnicate');

    is("$exit|$out", '2|', "$command: an unknown option is wrong usage");
    like($err, qr/^referralctl: \Q$command\E: unknown option --frobnicate$/m,
         "$command: the unknown option is named");
}

# Descriptors that the caller has closed: no message goes into a file of ours.

{
    my $dir = $t->dir . '/closed';
    my $ctl = "$t->{ctl} -d $dir";
    my $one = 'https://one.example/';

    $t->write_file('closed.csv', "source\nhttps://two.example/\nftp:\n");
    is(system("$ctl init > /dev/null && $ctl add $one > /dev/null"), 0,
       'a registry');

    for my $closed ('<&-', '>&-', '2>&-', '<&- >&-', '<&- 2>&-', '>&- 2>&-',
                    '<&- >&- 2>&-')
    {
        for my $command ("add $one", 'rm ffff', "import $t->{dir}/closed.csv",
                         'list', 'check')
        {
            system('sh', '-c', "exec $ctl $command $closed"
                   . ($closed =~ /2>/ ? '' : ' 2> /dev/null')
                   . ($closed =~ /(?<!2)>/ ? '' : ' > /dev/null'));
        }

        is(system("$ctl check > /dev/null 2>&1"), 0, "$closed: all is well");
        like(`$ctl list --format csv 2>&1`, qr/one\.example/,
             "$closed: the link is there");
    }

    isnt(system('sh', '-c', "exec $ctl list >&- 2> /dev/null"), 0,
         'what cannot be said is an error');
    isnt(system('sh', '-c', "exec $ctl import - <&- > /dev/null 2>&1"), 0,
         'so is what cannot be read');
}

# Wrong usage: {arguments, what standard error must say}.

my @wrong = (
    [ [], qr/no command/ ],
    [ ['frobnicate'], qr/unknown command "frobnicate"/ ],
    [ ['-x', 'list'], qr/unknown option -x/ ],
    [ ['--frob', 'list'], qr/unknown option --frob/ ],
    [ ['-d'], qr/option -d needs a value/ ],
    [ ['-d', '', 'list'], qr/the path of --dir is empty/ ],
    [ ['list', '-d', ''], qr/the path of --dir is empty/ ],
    [ ['list', '-x'], qr/unknown option -x/ ],
    [ ['list', '-jx'], qr/unknown option -j/ ],
    [ ['list', '--json=yes'], qr/--json=yes takes no value/ ],
    [ ['list', '--format'], qr/--format needs a value/ ],
    [ ['list', '--format', 'xml'], qr/"xml" is not table, csv or json/ ],
    [ ['list', '--json', '--format', 'csv'], qr/exclude each other/ ],
    [ ['sources', '--json', '--format', 'csv'],
      qr/--json and --format "csv" exclude each other/ ],
    [ ['sources', '--json', '--format', 'xml'], qr/"xml" is not table, csv/ ],
    [ ['list', '--limit', '0'], qr/--limit "0"/ ],
    [ ['list', '--limit', '-1'], qr/--limit "-1"/ ],
    [ ['list', '--limit', '5x'], qr/--limit "5x"/ ],
    [ ['list', '--limit', '18446744073709551615'],
      qr/--limit "18446744073709551615" is not 1 to 4294967295$/m ],
    [ ['list', '--limit', '99999999999999999999'], qr/--limit/ ],
    [ ['list', '--host', 'a..b'],
      qr/--host "a\.\.b" is no host, such as blog\.example, or \.blog\.example/ ],
    [ ['list', 'x'], qr/unexpected argument "x"/ ],
    [ ['init', 'x'], qr/unexpected argument "x"/ ],
    [ ['add'], qr/URL is missing/ ],
    [ ['add', 'https://a.example/', 'b'], qr/unexpected argument "b"/ ],
    [ ['add', '--source', 'x'], qr/unknown option --source/ ],
    [ ['show'], qr/key is missing/ ],
    [ ['show', 'a', 'b'], qr/unexpected argument "b"/ ],
    [ ['history'], qr/key is missing, or "all"/ ],
    [ ['history', 'a', 'b'], qr/unexpected argument "b"/ ],
    [ ['history', 'a', '--unit', 'year'], qr/--unit "year" is not minute/ ],
    [ ['history', 'a', '--from', '2026'], qr/--from "2026" is no date/ ],
    [ ['set'], qr/key is missing/ ],
    [ ['set', 'a'], qr/FIELD=VALUE is missing/ ],
    [ ['set', 'a', 'name'], qr/"name" is not FIELD=VALUE/ ],
    [ ['set', 'a', 'nome=x'], qr/no field "nome"/ ],
    [ ['rm'], qr/key is missing/ ],
    [ ['match'], qr/Referer is missing/ ],
    [ ['match', '-', 'x'], qr/unexpected argument "x"/ ],
    [ ['match', '-', '--status', '99'], qr/"99" is no HTTP status/ ],
    [ ['match', '-', '--status', '600'], qr/"600" is no HTTP status/ ],
    [ ['match', '-', '--own-host', 'a..b'], qr/--own-host/ ],
    [ ['match', '-', '--tag-name', 'ref,src'],
      qr/--tag-name "ref,src" is no .* name of 1 to 128 bytes without & = # %/ ],
    [ ['match', '-', '--tag-name', 'ref', '--tag-name', 'off'],
      qr/--tag-name "off" is no .*, nor "off" alone/ ],
    [ ['match', '-', '--host', 'a b'], qr/--host/ ],
    [ ['export', '--format', 'xml'], qr/"xml" is not csv, json or disavow/ ],
    [ ['--json', 'export', '--format', 'disavow'], qr/exclude each other/ ],
    [ ['export', 'x'], qr/unexpected argument "x"/ ],
    [ ['import'], qr/which file/ ],
    [ ['import', '-', '--format', 'xml'], qr/"xml" is none of auto, csv, json/ ],
    [ ['import', '-', '--map', 'x'], qr/"x" is not COLUMN=FIELD/ ],
    [ ['import', '-', '--map', '=name'], qr/not COLUMN=FIELD/ ],
    [ ['import', '-', '--map', 'x=nome'], qr/no field "nome"/ ],
    [ ['import', '-', '--map', 'name=partner', '--map', ' Name=anchor'],
      qr/--map "name=partner" and --map " Name=anchor" are about one column/ ],
    [ ['import', '-', '--map', 'x=name', '--map', 'x='],
      qr/--map "x=name" and --map "x=" are about/ ],
    [ ['import', '-', '--set', 'channel'], qr/not FIELD=VALUE/ ],
    [ ['import', '-', '--set', 'source=x'], qr/source of its own/ ],
    [ ['import', '-', '--set', 'authority=101'], qr/authority/ ],
    [ ['import', '-', '--sync', '--skip-bad'], qr/exclude each other/ ],
    [ ['import', '-', '-'], qr/named twice/ ],
);

for my $row (@wrong) {
    my ($args, $said) = @$row;

    ($exit, $out, $err) = referralctl(@$args);

    is("$exit|$out", '2|', "wrong usage: @$args");
    like($err, qr/^referralctl: \w+: .*$said/, "and why: @$args");
    like($err, qr/^try "referralctl .*--help"$/m, "and where help is: @$args");
}

# Directories that are none: {path, what must be said}.

my $dir = $t->dir;
my $empty = "$dir/empty";

mkdir $empty or die;
$t->write_file('file', '');

my @reading = (['list'], ['show', 'a'], ['history', 'all'],
               ['set', 'a', 'name=x'], ['rm', 'a'], ['match', '-'],
               ['export'], ['top', '--count', 1], ['check'],
               ['backup', "$dir/copy"], ['compact', "$dir/copy"]);

for my $args (@reading) {
    ($exit, $out, $err) = referralctl('-d', "$dir/none", @$args);

    is("$exit|$out", '1|', "$args->[0] without a directory fails");
    like($err, qr{: no such directory: run "referralctl -d \Q$dir/none\E init"},
         "$args->[0] says to run init");

    ($exit, $out, $err) = referralctl('-d', $empty, @$args);

    is("$exit|$out", '1|', "$args->[0] without a registry fails");
    like($err, qr{: there is no registry yet: run "referralctl -d \Q$empty\E },
         "$args->[0] says to run init");
}

ok(!-e "$dir/copy", 'no copy of nothing is made');

($exit, $out, $err) = referralctl('-d', "$dir/none", 'list');
like($err, qr/if nginx's referral_registry names another one, say -d PATH/,
     'a directory that is elsewhere is to be named');

($exit, $out, $err) = referralctl('-d', "$dir/file", 'list');
is($exit, 1, 'a file as the directory fails');
like($err, qr{^referralctl: \Q$dir\E/file: not a directory$}m, 'and is named');

($exit, $out, $err) = referralctl('-d', "$dir/none", 'add', 'a.example');
is($exit, 1, 'add makes no directory');
ok(!-e "$dir/none", 'none is there');

# The directory by the environment; an empty one means the default.

$t->ctl_ok('init');
$t->ctl_ok('add', 'a.example');

{
    local $ENV{REFERRALCTL_DIR} = $t->registry_dir;

    ($exit, $out) = referralctl('list');
    is($exit, 0, '$REFERRALCTL_DIR is used');
    like($out, qr/a\.example/, 'its links are listed');

    ($exit, $out, $err) = referralctl('-d', $empty, 'list');
    is($exit, 1, '-d wins');
}

# Lists of hosts that cannot be read: {list, what must be said}.

$t->write_file('hosts', "a.example\n\"b.example\"x\n");
$t->write_file('hosts2', "a.example\na b\n");

for my $row ([ '/', qr{/: Is a directory} ],
             [ "$dir/hosts", qr{\Q$dir\E/hosts, line 2: text follows} ],
             [ "$dir/hosts2", qr{\Q$dir\E/hosts2, line 2: (?!line)} ])
{
    my ($list, $said) = @$row;

    ($exit, $out, $err) = $t->ctl('ignore', '--file', $list);
    is("$exit|$out", '1|', "ignore: a list that is wrong: $list");
    like($err, qr/^referralctl: ignore: $said/, 'and why');
}

is($t->ctl_ok('ignore'), '', 'no host of them is ignored');

($exit, $out) = referralctl('list', '-d', $t->registry_dir, '--json');
is($exit, 0, '-d and --json behind the command');
like($out, qr/^\{"links":\[/, 'JSON came');

($exit, my $before) = referralctl('--json', '-d', $t->registry_dir, 'list');
is($before, $out, '--json before the command says the same');

# Each command has an answer in JSON, and one only.

my $key = $t->ctl_ok('add', 'json.example');
chomp $key;

$t->write_file('list.csv', "source\nhttps://list.example/\n");

my %answers = (
    init    => [ [], qw(owner path) ],
    add     => [ [ 'https://new.example/' ], qw(key source) ],
    import  => [ [ "$dir/list.csv" ], qw(added bad files links merged rows) ],
    list    => [ [], 'links' ],
    show    => [ [ $key ], qw(counters key) ],
    top     => [ [ '--count', 1 ], qw(links live outcomes) ],
    history => [ [ 'all' ], qw(buckets unit) ],
    set     => [ [ $key, 'name=x' ], qw(key name) ],
    match   => [ [ 'https://json.example/' ], qw(outcome why) ],
    export  => [ [], 'links' ],
    check   => [ [], qw(fault_count faults links) ],
    backup  => [ [ "$dir/backup" ], qw(ledger path registry) ],
    compact => [ [ "$dir/compact" ], qw(ledger path registry) ],
    rm      => [ [ $key ], 'removed' ],
);

is_deeply([ sort keys %answers ], [ sort @commands ], 'all commands are asked');

for my $command (@commands) {           # rm comes behind what needs the link
    my ($args, @members) = @{ $answers{$command} };

    next if $command eq 'rm';
    answers($command, $args, @members);
}

answers('rm', @{ $answers{rm} });

# Standard output that cannot be written.

SKIP: {
    skip 'there is no /dev/full', 3 unless -c '/dev/full';

    # more than is kept to be written at once

    my $many = $t->dir . '/many';
    my $list = join '', map { "https://h$_.example/page\n" } 1 .. 1000;

    $t->run_command($_->[0], $t->{ctl}, '-d', $many, @{ $_->[1] })
        for [ undef, ['init'] ], [ $list, [ 'import', '-' ] ];

    ($exit, $out, $err) = $t->run_command(undef, 'sh', '-c',
        '"$0" "$@" > /dev/full', $t->{ctl}, '-d', $many, 'list');

    is($exit, 1, 'a full disk behind standard output fails');
    like($err, qr/^referralctl: standard output: No space/m, 'and says so');
    is($err =~ tr/\n//, 1, 'once');
}

# Somebody who may not read it.

my $ctl = "$dir/referralctl";
copy($t->{ctl}, $ctl) or die "$ctl: $!\n";
chmod 0755, $ctl;

($exit, $out, $err) = unprivileged($ctl, '-d', $t->registry_dir, 'list');
is("$exit|$out", '1|', 'a directory that cannot be read fails');
like($err, qr{^referralctl: .*Permission denied}m, 'and says so');

($exit, $out, $err) = unprivileged($ctl, '-d', $t->registry_dir, 'add',
                                   'b.example');
is("$exit|$out", '1|', 'one that cannot be written fails');
like($err, qr{^referralctl: .*Permission denied}m, 'and says so');

SKIP: {
    skip 'only root knows another user', 1 if $> != 0;

    like($err, qr{Permission denied: it belongs to \S+: run this as that user or as root \(sudo},
         'and who may');
}

for my $args (['check'], ['top', '--count', 1], ['backup', "$dir/copy"]) {
    ($exit, $out, $err) = unprivileged($ctl, '-d', $t->registry_dir, @$args);
    is($exit, 1, "$args->[0] of one that cannot be read fails");
    like($err . $out, qr{Permission denied}, 'and says so');
}

# A registry and a ledger of another version.

for my $env ([], ['ledger']) {
    my (undef, $version) = $t->run_command(undef, $t->program('set_version'),
                                           $t->registry_dir, 99, @$env);
    chomp $version;

    $t->give_to_worker(glob $t->registry_dir . '/*/lock.mdb');

    for my $args (['list'], ['check'], ['top', '--count', 1],
                  ['backup', "$dir/copy"], ['compact', "$dir/copy"])
    {
        ($exit, $out, $err) = referralctl('-d', $t->registry_dir, @$args);

        is($exit, 1, "$args->[0]: @$env another version fails");
        like($err . $out, qr/version/, 'and it is the reason');
        ok(!-e "$dir/copy", 'nothing is made');
    }

    $t->run_command(undef, $t->program('set_version'), $t->registry_dir,
                    $version, @$env);
}

$t->finish;
done_testing;


sub answers {
    my ($command, $args, @members) = @_;

    my ($code, $text, $complaint) = $t->ctl($command, '--json', @$args);
    my $answer = eval { JSON::PP->new->utf8->decode($text) };

    is("$code|$complaint", '0|', "$command --json succeeds");
    is_deeply([ grep { !exists $answer->{$_} } @members ], [],
              "$command --json is JSON") or diag($text);
}


sub referralctl {
    return $t->run_command(undef, $t->{ctl}, @_);
}


# As nobody; who is no root shuts himself out instead.

sub unprivileged {
    my @command = @_;

    if ($> == 0) {
        return $t->run_command(undef, $^X, '-e', <<'PERL', @command);
            use POSIX;
            my (undef, undef, $uid, $gid) = getpwnam 'nobody';
            $) = "$gid $gid";
            POSIX::setgid($gid);
            POSIX::setuid($uid);
            exec @ARGV;
PERL
    }

    chmod 0, $t->registry_dir;
    my @result = $t->run_command(undef, @command);
    chmod 0700, $t->registry_dir;

    return @result;
}
