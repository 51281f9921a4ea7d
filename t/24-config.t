#!/usr/bin/perl

# nginx -t: what is wrong in a configuration is said, with the directive and
# the fault; what is wrong with the machine only warns; nothing is made but
# PATH.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $t = Referral::Test->new(http => '');

# The texts go into http, into a server and into a location of it.

sub configure {
    my ($http, $server, $location) = @_;

    $t->set_conf(http => <<"CONF");
    $http
    server {
        listen 127.0.0.1:%%PORT%%;
        @{[ $server // '' ]}
        location /x { @{[ $location // '' ]} }
    }
CONF

    return $t->configtest;
}

sub refused {
    my ($like, @texts) = @_;

    my ($exit, $said) = configure(@texts);
    my ($wrong) = grep { defined && $_ ne '' } reverse @texts;
    my $text = $wrong;

    $text = substr($text, 0, 70) . '...' if length $text > 75;
    subtest "refused: $text" => sub {
        isnt($exit, 0, 'nginx -t fails');
        like($said, qr/\[emerg\] .*$like/, 'and says why');
        like($said, qr/nginx\.conf:\d+|in \S+:\d+/, 'and where');

        my @named = $said =~ /"(referral[a-z_]*)[ "]/g;

        ok((grep { $wrong =~ /(^|[\s;{])\Q$_\E[\s;]/ } @named),
           'and names the directive') or diag($said);
    };
}

sub accepted {
    my (@texts) = @_;

    my ($exit, $said) = configure(@texts);
    my ($text) = grep { defined && $_ ne '' } reverse @texts;

    is($exit, 0, "accepted: $text") or diag($said);
    unlike($said, qr/\[warn\]/, 'without a warning');
}

my $dir = $t->dir;
my $main = 'referral_registry main %%DIR%%/referral;';

# The names and the numbers.

my $invalid_name = qr/invalid name ".*" in "referral_registry"/;

refused($invalid_name, "referral_registry $_ %%DIR%%/referral;")
    for 'a/b', 'a.b', '"a b"', '""', 'off', 'all', "\xc3\xa9",
        'a' x 65, '$host', '..';
accepted("referral_registry $_ %%DIR%%/referral;")
    for 'a', 'A-b_9', 'offs', 'al', 'links', 'metrics', 'a' x 64, '0', '-';

refused(qr/"referral_status all" has \/metrics/,
        'referral_registry metrics %%DIR%%/referral;', 'referral metrics;',
        'referral_status all;');

my $invalid = qr/invalid parameter ".*" in "referral_registry"/;

refused($invalid, "referral_registry main %%DIR%%/referral $_;")
    for 'flush=', 'flush=0', 'flush=99ms', 'flush=61m', 'flush=x',
        'flush=-1', 'flush=5q', 'max_links=', 'max_links=0',
        'max_links=-1', 'max_links=x', 'max_links=33554433',
        'max_links=99999999999999999999', 'map_size=', 'map_size=0',
        'map_size=1023k', 'map_size=x', 'map_size=-1m',
        'map_size=99999999999999999999', 'counters=', 'source=', 'nothing=1',
        'flush', 'Flush=5s', 'if=1', '%%DIR%%/other', 'minutes=',
        'minutes=59m', 'minutes=x', 'minutes=-1', 'hours=', 'hours=23h',
        'hours=1', 'days=', 'days=23h', 'days=1q', 'days=forever';
refused(qr/the value must be a time of 1h at least, or 0: for ever/,
        'referral_registry main %%DIR%%/referral minutes=1s;');
refused(qr/the value must be a time of 1d at least, or 0: for ever/,
        "referral_registry main %%DIR%%/referral $_=1h;") for 'hours', 'days';
accepted("referral_registry main %%DIR%%/referral $_;")
    for 'flush=100ms', 'flush=1h', 'flush=5s', 'flush=5', 'max_links=1',
        'max_links=33554432', 'map_size=1m', 'map_size=1024k',
        'map_size=2g', 'counters=%%SHM%%/x', 'counters=%%SHM%%/x flush=1s',
        'minutes=1h', 'minutes=0', 'minutes=7d', 'hours=1d', 'hours=0',
        'hours=2y', 'days=1d', 'days=0', 'days=10y',
        'minutes=48h hours=90d days=5y';

refused(qr/invalid number of arguments in "referral_registry"/,
        "referral_registry$_;") for '', ' main';
refused(qr/"referral_registry" directive is not allowed here/, '',
        'referral_registry main %%DIR%%/referral;');

# One of each.

refused(qr/duplicate referral registry "main"/,
        "$main referral_registry main %%DIR%%/other;");
refused(qr{".*/referral" of referral registry "second" is used by .* "main"},
        "$main referral_registry second %%DIR%%/referral;");
refused(qr/empty path of referral registry "main"/,
        'referral_registry main "";');
refused(qr/the path of referral registry "main" is "\/"/,
        'referral_registry main /;');
refused(qr/counter file ".*" of referral registry "second" is used by/,
        'referral_registry main %%DIR%%/a counters=%%SHM%%/x;
         referral_registry second %%DIR%%/b counters=%%SHM%%/x;');
refused(qr/the path ".*" of referral registry "second" is used/,
        "$main referral_registry second %%DIR%%/referral///;");
accepted("$main referral_registry second %%DIR%%/temp;");

# referral

refused(qr/unknown referral registry "nowhere"/, $main, 'referral nowhere;');
refused(qr/unknown referral registry "nowhere"/, '', '', 'referral nowhere;');
refused(qr/unknown referral registry "Main"/, $main, 'referral Main;');
refused(qr/unknown referral registry "nowhere"/, $main, '',
        'referral_status nowhere;');
refused(qr/invalid referral registry "\Q$_\E"/, $main, "referral $_;")
    for 'all', '$host', 'if=$status';
refused(qr/invalid referral registry "off"/, $main, '', 'referral_status off;');
refused(qr/"referral" directive is duplicate/, $main,
        'referral main; referral main;');
refused(qr/"referral" directive is duplicate/, $main,
        'referral off; referral main;');
refused(qr/invalid parameter ".*" in "referral"/, $main, "referral main $_;")
    for 'if=', 'unless=1', 'if', 'off';
refused(qr/"referral off" takes no parameter "if=1"/, $main,
        'referral off if=1;');
like((configure($main, 'referral main if=$nothing;'))[1],
     qr/\[emerg\] unknown "nothing" variable/, 'an unknown variable');
refused(qr/invalid number of arguments in "referral"/, $main, "referral$_;")
    for '', ' main if=1 if=2';
accepted($main, 'referral main if=$status;');
accepted($main, 'referral off;');
accepted($main, 'referral main;', 'referral off;');
accepted("referral main; $main");

# referral_own_hosts

refused(qr/invalid host in "referral_own_hosts": .*not valid/, $main,
        "referral_own_hosts $_;")
    for '""', 'a..b', '.', 'a.example:80', 'https://a.example', 'a/b',
        '"a b"', '*', '*.', '*.*.example', 'a.*.example', '*.192.0.2.1',
        '*example', '[::1', 'ok.example "bad host"', 'a' x 300;
refused(qr/invalid number of arguments in "referral_own_hosts"/, $main,
        'referral_own_hosts;');
refused(qr/"referral_own_hosts" directive is not allowed here/, $main, '',
        'referral_own_hosts a.example;');
accepted($main, "referral_own_hosts $_;")
    for 'a.example', 'A.example b.example', '*.example', 'www.a.example',
        '192.0.2.1', '[2001:db8::1]', 'localhost', 'a.example.';
accepted("$main referral_own_hosts a.example; referral_own_hosts b.example;");

# referral_tag

refused(qr/invalid name ".*" in "referral_tag"/, $main, "referral_tag $_;")
    for '""', '"a b"', 'a&b', 'a=b', 'a%20', 'a+b', 'ref off', 'off ref',
        'ref ""', 'ref,utm_source', '?ref', 'ref, src', "'a\tb'";
refused(qr/without & = .* several are separated by spaces/, $main,
        'referral_tag ref,utm_source;');
refused(qr/"referral_tag" directive is duplicate/, $main,
        'referral_tag ref; referral_tag src;');
accepted($main, "referral_tag $_;") for 'ref', 'ref src', 'off', 'offs';
accepted($main, 'referral_tag ref;', 'referral_tag off;');

# referral_status

refused(qr/"referral_status" directive is duplicate/, $main, '',
        'referral_status main; referral_status all;');
refused(qr/invalid number of arguments in "referral_status"/, $main, '',
        "referral_status$_;") for '', ' main write=on on';
refused(qr/invalid parameter ".*" in "referral_status"/, $main, '',
        "referral_status main $_;") for 'on', 'write', 'write=', 'write=1';
accepted($main, 'referral main;', "referral_status $_;")
    for 'main write=on', 'main write=off', 'all write=on';
refused(qr/"referral_status" directive is not allowed here/, $main,
        'referral_status main;');
refused(qr/"referral_status" needs a location given by a prefix/, $main,
        "location $_ { referral_status main; }")
    for '~ ^/s', '~* /S', '@named';
accepted($main, "location $_ { referral_status main; }")
    for '/s', '= /s', '^~ /s', '/s/';
accepted('', '', 'referral_status all;');

# Without any directive the module is not there.

accepted('', 'return 200;');

# A path that cannot be made or used is a warning: nginx has to start.

sub warned {
    my ($path, $name) = @_;

    my ($exit, $said) = configure("referral_registry main $path;",
                                  'referral main;');

    is($exit, 0, "$name: no error") or diag($said);
    like($said, qr/\[warn\] the path "\Q$path\E" of .* cannot be used/,
         "$name: a warning");
}

$t->write_file('file', 'text');
warned("$dir/none/below", 'a path whose parent is missing');
warned("$dir/file", 'a file');
warned("$dir/file/below", 'a path below a file');
warned("/proc/referral", 'a file system where nothing can be made');

# Nor is the system's given away.

if (defined $t->{user}) {
    my $etc = "$dir/etc";
    my $owner = sub { return (stat $etc)[4] };

    mkdir $_ or die "$_: $!\n" for $etc, "$etc/nginx";
    warned($etc, 'a directory of root\'s with others of root\'s');
    is($owner->(), 0, 'it stays root\'s');

    rename "$etc/nginx", "$etc/registry" or die "rename: $!\n";
    warned($etc, 'one with something else that is called registry');
    rename "$etc/registry", "$etc/nginx" or die "rename: $!\n";

    rename "$etc/nginx", "$etc/lost+found" or die "rename: $!\n";
    $t->write_file('etc/links.csv', "source\n");
    accepted("referral_registry main $etc;", 'referral main;');
    isnt($owner->(), 0, 'one with a file in it is the workers\'');

    chown 0, 0, $etc;
    mkdir "$etc/$_" or die "mkdir: $!\n" for qw(registry ledger.old);
    $t->write_file('etc/registry/data.mdb', '');
    accepted("referral_registry main $etc;", 'referral main;');
    isnt($owner->(), 0, 'so is one with a registry, whatever else it has');
}

# So is a source that cannot be read; a relative one is beside nginx.conf.

for ([ 'none.csv', 'No such file' ], [ "$dir/none.csv", 'No such file' ],
     [ 'html', 'Is a directory' ], [ '/dev/null', 'Invalid argument' ],
     [ 'file/below', 'Not a directory' ])
{
    my ($file, $why) = @$_;

    my ($exit, $said) = configure("referral_registry main $dir/referral "
                                  . "source=$file;", 'referral main;');
    my $full = $file =~ m{^/} ? $file : "$dir/$file";

    is($exit, 0, "source=$file: no error") or diag($said);
    like($said, qr/\[warn\] the source "\Q$full\E" of .* cannot be read.*$why/,
         "source=$file: a warning");
}

my (undef, $unsaid) = configure("referral_registry main $dir/referral "
                                . 'source=file;', 'referral main;');
unlike($unsaid, qr/warn.*source/, 'one that can be read is none');

# What -t leaves behind: PATH, and nothing in it.

my $path = "$dir/made";

accepted("referral_registry main $path counters=%%SHM%%/main.counters;",
         'referral main;', 'referral_status main;');

ok(-d $path, '-t makes PATH, as nginx makes its paths');
is_deeply([ glob "$path/* $path/.*[!.]*" ], [], 'and nothing in it');
is_deeply([ glob $t->shm . '/*' ], [], 'no counter file');

if (defined $t->{user}) {
    is((stat $path)[4], scalar getpwnam($t->{user}), 'PATH is the workers\'');
}

# A registry that is there stays as it is.

$t->ctl_ok('init');
$t->ctl_ok('add', 'https://blog.example/2024/launch');

sub state_of {
    my @files = sort glob $t->registry_dir . '/*/*';
    return join ' ', map { join ':', $_, (stat)[1, 4, 7, 9] } @files;
}

my $state = state_of();

like($state, qr/data\.mdb/, 'there is a registry');
accepted('%%REGISTRY%%', 'referral main;', 'referral_status main;');
is(state_of(), $state, '-t does not touch a registry');

$t->expect_log(qr/\[emerg\]/);
$t->finish;

done_testing;
