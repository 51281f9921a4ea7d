#!/usr/bin/perl

# init makes the directory for the user nginx's workers run as, and every
# command works as that user: a file of root's would shut nginx out.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $t = Referral::Test->new;
my $dir = $t->dir;
my $is_root = $> == 0;
my $me = getpwuid $>;

my ($exit, $out, $err) = ctl('new', 'init', '--owner', $t->{user} // $me);

is("$exit|$err", '0|', 'init makes a directory');
like($out, qr/new is ready for the user \w/, 'and says so');
ok(-d "$dir/new/$_", "$_ is there") for qw(registry ledger);
is(mode("$dir/new"), '0700', 'nobody else may look into it');

($exit, $out) = ctl('new', 'list', '--json');
is("$exit|$out", qq(0|{"links":[]}\n), 'the registry is empty');

ctl('new', 'add', 'kept.example');
($exit) = ctl('new', 'init');
is($exit, 0, 'init again succeeds');

($exit, $out) = ctl('new', 'list');
like($out, qr/kept\.example/, 'and changes nothing');

($exit, $out) = ctl('json', '--json', 'init');
is($exit, 0, 'init --json');
like($out, qr/^\{"path":"\Q$dir\E\/json","owner":"[\w-]+"\}\n\z/,
     'says path and owner');

# Whose it is.

my @users = $is_root ? ($t->{user}, 'nobody') : ($me);

for my $user (@users) {
    ctl("of-$user", 'init', '--owner', $user);
    ctl("of-$user", 'add', 'a.example');
    import_links("of-$user");
    ctl("of-$user", 'list');

    is_deeply([ owners("$dir/of-$user") ], [ $user ],
              "all files belong to $user");
}

mkdir "$dir/there" or die;
chown +(getpwnam $users[-1])[2, 3], "$dir/there";

($exit) = ctl('there', 'init');
is($exit, 0, 'a directory that exists');
is_deeply([ owners("$dir/there") ], [ $users[-1] ], 'keeps its owner');

mkdir "$dir/empty" or die;
chown +(getpwnam $users[-1])[2, 3], "$dir/empty";

($exit) = ctl('empty', 'add', 'a.example');
is($exit, 0, 'add makes the registry in a directory that exists');
is_deeply([ owners("$dir/empty") ], [ $users[-1] ], 'for its owner');

SKIP: {
    skip 'only root may give directories away', 6 unless $is_root;

    my ($worker) = grep { defined getpwnam $_ } qw(www-data nginx);
    ctl('default', 'init');
    is_deeply([ owners("$dir/default") ], [ $worker // 'root' ],
              'the workers\' user is the default');

    mkdir "$dir/given" or die;
    ($exit) = ctl('given', 'init', '--owner', 'nobody');
    is($exit, 0, 'an empty directory may change hands');
    is_deeply([ owners("$dir/given") ], [ 'nobody' ], 'it did');

    mkdir "$dir/used" or die;
    $t->write_file('used/file', '');
    ($exit, $out, $err) = ctl('used', 'init', '--owner', 'nobody');
    is("$exit|$out", '1|', 'one with files may not');
    like($err, qr/belongs to uid 0 and is not empty/, 'and says why');
    ok(!-e "$dir/used/registry", 'nothing was made in it');
}

SKIP: {
    skip 'for who is not root', 2 if $is_root;

    ($exit, $out, $err) = ctl('others', 'init', '--owner', 'root');
    is($exit, 1, 'a directory for somebody else fails');
    like($err, qr/only root can/, 'and says why');
}

# What cannot be.

($exit, $out, $err) = ctl('none', 'init', '--owner', 'no-such-user-here');
is($exit, 1, 'an unknown user fails');
like($err, qr/no user "no-such-user-here"/, 'and is named');
ok(!-e "$dir/none", 'nothing was made');

($exit, $out, $err) = ctl('none/below', 'init');
is($exit, 1, 'a directory below one that is missing fails');
like($err, qr{none/below: cannot be made: No such file}, 'and says so');

$t->write_file('file', '');
($exit, $out, $err) = ctl('file', 'init');
is($exit, 1, 'a file in its place fails');
like($err, qr{file: Not a directory}, 'and says so');

# What another version wrote, and what nobody did.

patch("$dir/new/registry/data.mdb", "version\1\0\0\0", "version\x63\0\0\0");

for my $args (['list'], ['add', 'b.example'], ['rm', 'a'], ['init']) {
    ($exit, $out, $err) = ctl('new', @$args);

    is("$exit|$out", '1|', "$args->[0] refuses another version's registry");
    like($err, qr/^referralctl: .* version 99/m, 'and says which');
}

open my $f, '+<', "$dir/json/registry/data.mdb" or die;
truncate $f, 5000;
close $f;

($exit, $out, $err) = ctl('json', 'list');
is("$exit|$out", '1|', 'a truncated registry fails');
like($err, qr/^referralctl: .*registry/m, 'and says which file');

$t->finish;
done_testing;


sub ctl {
    my ($name, @args) = @_;

    return $t->run_command(undef, $t->{ctl}, '-d', "$dir/$name", @args);
}


sub import_links {
    my ($name) = @_;

    return $t->run_command("https://b.example/1\n", $t->{ctl}, '-d',
                           "$dir/$name", 'import', '-');
}


# Of a directory and all in it.

sub owners {
    my ($path) = @_;

    my %owner;

    for my $file ($path, glob("$path/*"), glob("$path/*/*")) {
        $owner{ scalar getpwuid((stat $file)[4]) } = 1;
    }

    return sort keys %owner;
}


sub mode {
    my ($path) = @_;

    return sprintf '%04o', (stat $path)[2] & 07777;
}


sub patch {
    my ($path, $from, $to) = @_;

    open my $f, '+<:raw', $path or die "$path: $!\n";
    my $bytes = do { local $/; <$f> };
    my $n = ($bytes =~ s/\Q$from\E/$to/g);

    die "$path: nothing to patch\n" unless $n;

    seek $f, 0, 0;
    print $f $bytes;
    close $f or die "$path: $!\n";
}
