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

# A ledger whose registry is missing: a new one would give out its ids anew.

my @commands = (['init'], ['add', 'b.example'], ['import', '-'],
                ['import', '-', '--dry-run'], ['list'], ['show', 'a'],
                ['history', 'all'], ['set', 'a', 'name=x'], ['rm', 'a'],
                ['match', '-'], ['export']);

ctl('lost', 'init', '--owner', $users[0]);
my (undef, $lost) = ctl('lost', 'add', 'a.example');
chomp $lost;

for my $left ('no directory', 'an empty directory', 'an empty file') {
    rename "$dir/lost/registry", "$dir/backup" or die;
    mkdir "$dir/lost/registry" or die if $left ne 'no directory';
    $t->write_file('lost/registry/data.mdb', '') if $left eq 'an empty file';

    my @before = tree("$dir/lost");

    for my $args (@commands) {
        ($exit, $out, $err) = ctl('lost', @$args);

        is("$exit|$out", '1|', "$left: $args->[0] makes no new registry");
        like($err, qr{^referralctl: \Q$dir\E/lost: registry: it is missing, },
             'and says so');
        like($err, qr{: restore \Q$dir\E/lost/registry from a backup, or },
             'and what to do');
    }

    is_deeply([ tree("$dir/lost") ], \@before, "$left: nothing was made");

    unlink "$dir/lost/registry/data.mdb";
    rmdir "$dir/lost/registry";
    rename "$dir/backup", "$dir/lost/registry" or die;
}

($exit, $out) = ctl('lost', 'show', $lost);
is($exit, 0, 'restored, it is as it was');

rename "$dir/lost/registry", "$dir/old-registry" or die;
rename "$dir/lost/ledger", "$dir/old-ledger" or die;
($exit) = ctl('lost', 'init');
is($exit, 0, 'without its ledger there is a new one');

rename "$dir/lost/ledger", "$dir/new-ledger" or die;
rename "$dir/old-ledger", "$dir/lost/ledger" or die;
($exit, $out, $err) = ctl('lost', 'add', 'b.example');
is("$exit|$out", '1|', 'the ledger of another registry is refused');
like($err, qr{^referralctl: .*ledger of another registry; move it away, or }m,
     'and says what to do');

SKIP: {
    skip 'only root takes another identity', 6 unless $is_root;

    # Whoever owns PATH must not lead root's command to places of root's.

    ctl('trap', 'init', '--owner', 'nobody');
    mkdir "$dir/roots", 0700 or die;

    for my $name (qw(registry ledger)) {
        rename "$dir/trap/$name", "$dir/trap/kept" or die;
        symlink "$dir/roots", "$dir/trap/$name" or die;

        ($exit, $out, $err) = ctl('trap', 'add', 'a.example');
        is("$exit|$out", '1|', "$name, a link to a directory of root's");

        unlink "$dir/trap/$name";
        rename "$dir/trap/kept", "$dir/trap/$name" or die;
    }

    is_deeply([ glob "$dir/roots/*" ], [], 'nothing was made in there');
    is_deeply([ owners("$dir/trap") ], [ 'nobody' ], 'nor anything of root\'s');

    # A directory of its owner's that this one may not write.

    mkdir "$dir/closed", 0500 or die;
    chown scalar getpwnam('nobody'), -1, "$dir/closed" or die;
    ($exit, $out, $err) = ctl('closed', 'init');
    is("$exit|$out", '1|', 'in a directory that is not writable none is made');
    like($err, qr/the directory it is in must be readable and writable/,
         'and it says which it is');
}

# What another version wrote, and what nobody did.

patch("$dir/new/registry/data.mdb", "version\4\0\0\0", "version\x63\0\0\0");

for my $args (['list'], ['add', 'b.example'], ['rm', 'a'], ['init']) {
    ($exit, $out, $err) = ctl('new', @$args);

    is("$exit|$out", '1|', "$args->[0] refuses another version's registry");
    like($err, qr/^referralctl: .* version 99/m, 'and says which');
}

# Damaged files: {name, bytes, commands that need it}.

my @damaged = (
    [ 'registry', undef, ['list'], ['add', 'b.example'], ['init'],
      ['history', 'all'] ],
    [ 'registry', noise(65536), ['list'], ['add', 'b.example'], ['init'] ],
    [ 'ledger', undef, ['list'], ['add', 'b.example'], ['init'],
      ['history', 'all'] ],
    [ 'ledger', noise(65536), ['list'], ['add', 'b.example'], ['init'],
      ['history', 'all'] ],
);

for my $row (@damaged) {
    my ($name, $bytes, @commands) = @$row;
    my $what = defined $bytes ? 'overwritten' : 'truncated';
    my $path = "$dir/json/$name/data.mdb";
    my $good = $t->read_file($path);

    overwrite($path, $bytes // substr $good, 0, 5000);

    for my $args (@commands) {
        ($exit, $out, $err) = ctl('json', @$args);

        is("$exit|$out", '1|', "$args->[0]: a $name that is $what fails");
        like($err, qr{^referralctl: \Q$dir\E/json: $name: .*\w}m,
             'and says which and why');
    }

    overwrite($path, $good);

    ($exit, $out, $err) = ctl('json', 'list');
    is("$exit|$err", '0|', "the $name is good again");
}

($exit) = $t->run_command(undef, $t->program('set_version'), "$dir/json", 99,
                          'ledger');
is($exit, 0, 'a ledger of another version');

for my $args (['list'], ['add', 'b.example'], ['init'], ['history', 'all']) {
    ($exit, $out, $err) = ctl('json', @$args);

    is("$exit|$out", '1|', "$args->[0] refuses it");
    like($err, qr/^referralctl: .*ledger: .* version/m, 'and says so');
}

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


# All that is in it, with sizes.

sub tree {
    my ($path) = @_;

    return sort map { "$_ " . (-d $_ ? 'dir' : -s _) }
                    glob("$path/*"), glob("$path/*/*");
}


sub mode {
    my ($path) = @_;

    return sprintf '%04o', (stat $path)[2] & 07777;
}


# The same file with other bytes: owner and lock stay.

sub overwrite {
    my ($path, $bytes) = @_;

    open my $f, '>:raw', $path or die "$path: $!\n";
    print $f $bytes;
    close $f or die "$path: $!\n";
}


sub noise {
    my ($n) = @_;

    srand 4711;

    return pack 'C*', map { int rand 256 } 1 .. $n;
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
