#!/usr/bin/perl

# check: nothing is found where nothing is wrong, also while nginx counts, and
# whatever row of whatever table is missing or changed is named.

use strict;
use warnings;

use File::Copy qw(copy);
use FindBin;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled summary);
use Referral::Test qw(wait_until);


my $json = JSON::PP->new->utf8;

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;

        location / { return 200 "page\n"; }
        location /gone { return 404; }
        location /status { referral_status main; }
    }
CONF

# {table, how its keys are stored}

my %registry = (meta => 'bytes', records => 'u32', keys => 'u64',
                sources => 'bytes', slots => 'u64', members => 'u64',
                patterns => 'bytes');
my %ledger = (meta => 'bytes', files => 'u64', cells => 'u64', zones => 'u32',
              minutes => 'u64', hours => 'u64', days => 'u64',
              states => 'u32', changes => 'u64');

# A link of each kind, groups of each size, links that were removed.

$t->ctl_ok('init');

my ($exit, $out, $err) = $t->ctl('check');
is("$exit|$err", '0|', 'a new registry is sound');
like($out, qr/^no fault was found$/m, 'and is said to be');

my @added = map { $t->ctl_ok('add', @$_) } (
    [ 'https://blog.example/2024/launch', '--target', '/pricing' ],
    [ 'https://blog.example/2024/other', '--target', '/pricing' ],
    [ 'https://blog.example/2024/third', '--target', '/pricing' ],
    [ 'https://blog.example/blank', '--tag', 'spring' ],
    [ 'https://blog.example/blank2', '--tag', 'spring' ],
    [ 'https://pre.example/a/b', '--match-type', 'prefix' ],
    [ 'news.example' ],
    [ 'dom.example', '--match-type', 'domain', '--target', '/x?y=1' ],
    [ 'rx.example/20\d\d/', '--match-type', 'regex' ],
    [ 'rx.example/x+', '--match-type', 'regex', '--target',
      'https://shop.example/t' ],
    [ '--tag', 'mail' ],
    [ 'https://gone.example/1' ],
    [ 'https://gone.example/2' ],
    [ 'https://gone.example/3', '--target', '/x' ],
    [ 'https://gone.example/4', '--target', '/x' ],
    [ 'https://two.example/' . 'long/' x 150 ],
);

$t->ctl_ok('rm', @added[12, 13]);        # one of a group's two stays
$t->ctl_ok('rm', $added[11]);

$t->ctl_ok('ignore', 'spam.example', 'android-app:com.example');

sound('with links of each kind');

# While nginx counts; all within a minute: what was counted in the one before
# might as well have been pruned.

sleep 1 while time % 60 > 35;
$t->start;

my $sent = 0;

ok(wait_until(sub { summary($t)->{states}{judged} }, 30),
   'states were found before there was a click');

for my $round (1 .. 3) {
    visit('/pricing', 'https://blog.example/2024/launch');
    visit('/pricing', 'https://blog.example/');
    visit('/', 'https://news.example/');
    visit('/', 'https://a.dom.example/') ;
    visit('/gone', 'https://pre.example/a/b/c');
    visit('/?ref=mail', undef);
    visit('/', undef);
    sound("while nginx counts, round $round");
}

settled($t, $sent);

ok(wait_until(sub { cells_of() > 0 }, 20), 'something was flushed');
ok(wait_until(sub { summary($t)->{states}{active} > 0 }, 30),
   'and changed a state');
sound('after a flush');

$t->stop;

my $found = sound('when nginx has stopped');

is($found->{links}, 13, 'links are told');
is($found->{retired}, 3, 'removed ones too');
cmp_ok($found->{groups}, '>=', 3, 'and groups');
cmp_ok($found->{history}, '>=', 3, 'and history');

# Each row of each table is missed.

my %unnoticed = (
    'registry/meta' => qr/^(?:max_links$|ignored\/)/,   # may be there
    'ledger/meta' => qr/^(?:clock$|source-ring\/)/,     # begin anew
);

for my $env ([ registry => \%registry ], [ ledger => \%ledger ]) {
    my ($name, $tables) = @$env;

    for my $table (sort keys %$tables) {
        my @rows = rows($name, $table);
        my @silent;

        isnt(scalar @rows, 0, "$name/$table has rows");

        # the first one of history is what pruning takes

        shift @rows if $table =~ /^(?:minutes|hours|days)$/;

        for my $row (@rows) {
            my ($key) = @$row;
            my $unnoticed = $unnoticed{"$name/$table"};

            next if $unnoticed && pack('H*', $key) =~ $unnoticed;

            my $faults = damaged($name, $table, $key);
            push @silent, $key unless grep { $_->{table} =~ /^$name/ }
                                      @$faults;
        }

        is_deeply(\@silent, [], "$name/$table: each row is missed");
    }
}

# Rows that should not be: {environment, table, key, value, what is named}.

my %record = map { hex_u32($_->[0]) => $_->[1] } rows('registry', 'records');
my $link = (grep { $record{$_} =~ /^01/ } sort { $a <=> $b } keys %record)[0];
my $removed = (grep { $record{$_} =~ /^02/ } keys %record)[0];
my $file = (rows('ledger', 'files'))[0];
my $cell = (rows('ledger', 'cells'))[0];
my $day = (grep { $_->[0] !~ /^ffffffff/ } rows('ledger', 'days'))[0];

my @wrong = (
    [ 'registry', 'meta', unpack('H*', 'ignored/example,x'), '',
      'registry/meta', qr/ignored behind .* makes no sense/ ],
    [ 'ledger', 'meta', unpack('H*', 'source/' . pack 'N', 1999), '02000000',
      'ledger/meta', qr/source 1999: its row was written by another version/ ],
    [ 'ledger', 'meta', unpack('H*', 'source/' . pack 'N', 1999), '0109',
      'ledger/meta', qr/source 1999: its row makes no sense/ ],
    [ 'ledger', 'meta', unpack('H*', 'sources'), '02',
      'ledger/meta', qr/sources: .* was written by another version/ ],
    [ 'registry', 'keys', u64(0x1234), u32($link) . '01', 'registry/keys',
      qr/1234 names record \d+, which has the key/ ],
    [ 'registry', 'keys', u64(0x1234), u32(9999) . '01', 'registry/records',
      qr/record 9999 is missing: the key 0*1234 names it/ ],
    [ 'registry', 'keys', u64(0x1234), '01', 'registry/keys',
      qr/a value of 1 bytes/ ],
    [ 'registry', 'sources',
      unpack('H*', "example,blog)/zzz\0" . pack('N', $link)), '',
      'registry/sources', qr/has a second row/ ],
    [ 'registry', 'sources',
      unpack('H*', "example,blog)/zzz\0" . pack('N', $removed)), '',
      'registry/sources', qr/names record $removed, which is no link/ ],
    [ 'registry', 'slots', u64(77), u64(5) . u32($link) . u32(3 << 24),
      'registry/slots', qr/names link .* which does not stand there/ ],
    [ 'registry', 'slots', u64(77), u64(5) . u32(0) . u32(1 << 24),
      'registry/slots', qr/is that of a host without links/ ],
    [ 'registry', 'slots', u64(77), u64(5) . u32($link) . u32(0x40000000
                                                              | 3 << 24),
      'registry/slots', qr/names record \d+, which is no group/ ],
    [ 'registry', 'slots', u64(77), 'abcd', 'registry/slots',
      qr/a value of 2 bytes/ ],
    [ 'registry', 'members', u64($link << 32 | $link), u64(0),
      'registry/members', qr/is in group $link, which is none/ ],
    [ 'registry', 'patterns', '00' x 16, u32($link), 'registry/patterns',
      qr/names record $link, which is no regex link/ ],
    [ 'registry', 'records', u32(9999), $record{$link}, 'registry/records',
      qr/record 9999: link .* says its id is $link/ ],
    [ 'registry', 'records', u32($link), '01ff', 'registry/records',
      qr/record $link: it was written by another version/ ],
    [ 'registry', 'records', u32($link), '', 'registry/records',
      qr/record $link: it is empty/ ],
    [ 'registry', 'records', u32($link), '09', 'registry/records',
      qr/neither a link nor a group/ ],
    [ 'ledger', 'cells', u64(5 << 32 | 77), $cell->[1], 'ledger/cells',
      qr/id 5 is of counter file 77, which there is not/ ],
    [ 'ledger', 'cells', $cell->[0], '01ff', 'ledger/cells',
      qr/makes no sense/ ],
    [ 'ledger', 'cells', $cell->[0], '7f', 'ledger/cells',
      qr/another version/ ],
    [ 'ledger', 'zones', u32(78), '0101', 'ledger/zones',
      qr/no counter file 78/ ],
    [ 'ledger', 'files', $file->[0], '01', 'ledger/files',
      qr/its record makes no sense/ ],
    [ 'ledger', 'files', u64(99), $file->[1], 'ledger/files',
      qr/two counter files have the number 1/ ],
    [ 'ledger', 'days', $day->[0], '7f', 'ledger/days', qr/another version/ ],
    [ 'ledger', 'days', $day->[0], '0102', 'ledger/days',
      qr/day \d+, block 0: its value makes no sense/ ],
    [ 'ledger', 'days', u64(unpack('Q<', pack 'H*', $day->[0]) + 9),
      $day->[1], 'ledger/cells', qr/none has a cell/ ],
    [ 'ledger', 'states', u32($link), '010900000000', 'ledger/states',
      qr/the state of id $link makes no sense/ ],
    [ 'ledger', 'states', u32(9999), '010100000000', 'ledger/states',
      qr/links are active, by their sum/ ],
    [ 'ledger', 'changes', u64(9999), '0100010101', 'ledger/changes',
      qr/number 9999 of \d+ makes no sense/ ],
    [ 'ledger', 'meta', unpack('H*', 'states'), '0200', 'ledger/meta',
      qr/in each state was written by another version/ ],
    [ 'ledger', 'minutes', u64((2 ** 31 + 5) << 32), $day->[1], 'ledger/hours',
      qr/its minutes sum to/ ],
);

for my $row (@wrong) {
    my ($env, $table, $key, $value, $where, $said) = @$row;

    my $faults = damaged($env, $table, $key, $value);

    ok((grep { $_->{table} eq $where && $_->{text} =~ $said } @$faults),
       "$env/$table: $said is named")
        or diag(map { "$_->{table}: $_->{text}\n" } @$faults);
}

# Counts that do not add up.

for my $table (qw(days hours minutes)) {
    my ($bucket) = grep { hex_u64($_->[0]) % 2 ** 32 == 0 }
                   rows('ledger', $table);

    # the last byte is a counter's

    (my $more = $bucket->[1]) =~ s/..$/7e/;

    my $faults = damaged('ledger', $table, $bucket->[0], $more);

    ok((grep { $_->{table} =~ m{^ledger/} && $_->{text} =~ /sum to/ }
        @$faults), "$table that are no sum are named");
}

# Numbers that say something else.

my ($numbers) = grep { pack('H*', $_->[0]) eq 'numbers' }
                rows('registry', 'meta');
my @numbers = unpack 'V4', pack 'H*', $numbers->[1];

for my $i (0 .. 3) {
    my @other = @numbers;
    $other[$i] = $i == 0 ? 2 : $other[$i] + 1;

    my $faults = damaged('registry', 'meta', $numbers->[0],
                         unpack 'H*', pack 'V4', @other);

    ok((grep { $_->{table} eq 'registry/meta' } @$faults),
       "meta: number $i is named");
}

# As people get it; a name that would drive the terminal.

my $faults = damaged('registry', 'sources',
                     unpack('H*', "a\e[2Jb\0" . pack('N', 9999)), '', sub {
    ($exit, $out, $err) = $t->ctl('check');

    is($exit, 1, 'a fault is exit code 1');
    like($out, qr/^registry\/sources: "a\\x1B\[2Jb" names record 9999, /m,
         'it is named, and drives no terminal');
    unlike($out, qr/no fault/, 'nothing else is said');
    like($err, qr/^referralctl: .*: 1 fault; restore a backup$/m,
         'standard error says how many');
});

# What does not belong together.

{
    my ($uuid) = grep { pack('H*', $_->[0]) eq 'uuid' }
                 rows('registry', 'meta');
    my $faults = damaged('registry', 'meta', $uuid->[0], 'ab' x 16);

    ok((grep { $_->{text} =~ /ledger of another registry/ } @$faults),
       'another registry is named');
}

# One environment that cannot be opened does not keep the other from being
# looked at.

{
    my $data = $t->registry_dir . '/registry/data.mdb';
    my $text = $t->read_file($data);

    overwrite($data, substr($text, 0, 8192) . 'x' x (length($text) - 8192));

    my $all = check(1);
    overwrite($data, $text);

    ok((grep { $_->{table} eq 'registry' && $_->{text} =~ /damaged at page/ }
        @{ $all->{faults} }), 'damaged pages are named');
    cmp_ok($all->{cells}, '>', 0, 'the ledger is looked at all the same');
}

{
    my $data = $t->registry_dir . '/ledger/data.mdb';
    my $text = $t->read_file($data);

    overwrite($data, 'x' x length $text);

    my $all = check(1);
    overwrite($data, $text);

    ok((grep { $_->{table} eq 'ledger' } @{ $all->{faults} }),
       'a ledger that is none is named');
    is($all->{links}, 13, 'the registry is looked at all the same');
}

sound('in the end');

$t->finish;
done_testing;


sub visit {
    my ($uri, $referer) = @_;

    $t->get($uri, defined $referer ? (Referer => $referer) : ());
    $sent++;
}


sub check {
    my ($wanted) = @_;

    my ($exit, $out, $err) = $t->ctl('check', '--json');

    die "check: exit $exit: $out$err\n" if $exit != $wanted;

    return $json->decode($out);
}


sub sound {
    my ($when) = @_;

    my $answer = check_any();

    is_deeply($answer->{faults}, [], "no fault $when");

    return $answer;
}


sub check_any {
    my (undef, $out) = $t->ctl('check', '--json');

    return $json->decode($out);
}


sub cells_of {
    return check_any()->{cells};
}


# Rows as [key, value], in hex.

sub rows {
    my ($env, $table) = @_;

    my ($exit, $out, $err) = edit($env, $table);
    die "edit_store: $err\n" if $exit != 0;

    return map { [ /^(\w*) (\w*)$/ ] } split /\n/, $out;
}


sub edit {
    my ($env, $table, @rest) = @_;

    my $kinds = $env eq 'registry' ? \%registry : \%ledger;

    my @result = $t->run_command(undef, $t->program('edit_store'),
                                 $t->registry_dir . "/$env", $table,
                                 $kinds->{$table}, @rest);

    $t->give_to_worker($t->registry_dir . "/$env/lock.mdb");

    return @result;
}


# What check finds when the row is removed, or has the value; all is as it was
# then.

sub damaged {
    my ($env, $table, $key, $value, $function) = @_;

    my $data = $t->registry_dir . "/$env/data.mdb";
    my $text = $t->read_file($data);

    my ($exit, undef, $err) = edit($env, $table, $key,
                                   defined $value ? $value : ());
    die "edit_store: $err\n" if $exit != 0;

    $function->() if $function;
    my $answer = $function ? { faults => [] } : check_any();

    overwrite($data, $text);

    return $answer->{faults};
}


# Nobody has it open: in its place, so that its owner stays.

sub overwrite {
    my ($path, $text) = @_;

    unlink +($path =~ s/data\.mdb$/lock.mdb/r);

    open my $f, '+<', $path or die "$path: $!\n";
    truncate $f, 0;
    print $f $text;
    close $f or die "$path: $!\n";
}


sub u32 { return unpack 'H*', pack 'V', $_[0] }
sub u64 { return unpack 'H*', pack 'Q<', $_[0] }
sub hex_u32 { return unpack 'V', pack 'H*', $_[0] }
sub hex_u64 { return unpack 'Q<', pack 'H*', $_[0] }
