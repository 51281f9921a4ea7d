#!/usr/bin/perl

# A registry that follows a file: whatever way the file is changed, the links
# are those of it; a file that is not valid changes nothing, and health says
# why; what nobody else may write nobody else writes.

use strict;
use warnings;

use FindBin;
use Fcntl qw(SEEK_SET);
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counters_of settled summary);
use Referral::Hold;
use Referral::Test qw(wait_until);


use constant {
    PATIENCE => 30,              # seconds until a change is seen
    LOOKS => 3,                  # seconds in which it was surely looked at
    MANY => 20000,
};

my @columns = qw(source target name);
my $launch = 'https://blog.example/2024/launch';
my $review = 'https://blog.example/2024/review';

my $conf = <<'CONF';
    referral_registry main %%DIR%%/referral counters=%%SHM%%/main.counters
                      flush=1s %%SOURCE%%;
    referral_registry other %%DIR%%/other counters=%%SHM%%/other.counters
                      source=other.json;
    referral_registry free %%DIR%%/free counters=%%SHM%%/free.counters;

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name localhost;
        referral main;
        location / { return 200; }
        location /status { referral_status main write=on; }
        location /other { referral_status other; }
        location /free { referral_status free write=on; }
        location /all { referral_status all write=on; }
    }
CONF

my $t = Referral::Test->new(workers => 1, http => conf('source=links.csv'));
my $json = JSON::PP->new->utf8->canonical;
my @last;                        # what the links were made last

write_links([ $launch, '/pricing', 'Launch' ], [ 'news.example', '', 'News' ]);
$t->write_file('other.json', '{"links":[{"source":"https://a.example/"}]}');

my ($exit, $said) = $t->configtest;
is("$exit", 0, 'nginx -t likes it');
unlike($said, qr/cannot be read/, 'without a warning');
ok(!-e $t->registry_dir . '/registry', 'and makes nothing');

$t->start;

# From the start.

follows('from the start', $launch, 'news.example');
is(summary($t)->{links}{registered}, 2, 'all of it');
ok(!summary($t)->{write}, 'the summary says that there are no writes');
ok($t->get_json('/free')->{write}, 'where no file is followed there are');
ok(!exists $t->get_json('/free')->{health}{source}, 'and health has no source');

my $key = key_of($launch);
click($launch) for 1 .. 3;
settled($t, 3);
is(counters_of($t, $key)->{clicks}, 3, 'its links count');
is(summary($t)->{health}{overflow}, 0, 'in cells of their own');

my $other = wait_until(sub {
    $t->get_json('/other/links?fields=source')->{links}[0];
}, PATIENCE);
is($other->{source}, 'https://a.example/', 'JSON, for another registry');

# Each way in which a file is changed.

replace([ $launch, '/pricing', 'New name' ], [ $review, '/pricing', '' ]);
follows('a file moved in its place', $launch, $review);
is(link_of($key)->{name}, 'New name', 'a changed field is changed');
is($t->get('/status/links/' . key('news.example'))->{status}, 404,
   'what it lacks is gone');

write_links([ $launch, '/pricing', 'Again' ], [ 'news.example', '', 'News' ]);
follows('a file written over', $launch, 'news.example');
is(link_of($key)->{name}, 'Again', 'with its fields');
is(counters_of($t, $key)->{clicks}, 3, 'and its counts');

# Removed and added again.

replace([ 'news.example', '', 'News' ]);
follows('without the link that counted', 'news.example');
click($launch);
replace([ $launch, '/pricing', '' ]);
follows('with it again', $launch);
is(counters_of($t, $key)->{clicks}, 3, 'its totals are its own again');
is(link_of($key)->{name}, '', 'an empty cell clears the field');

# Identical content changes nothing.

my $before = txn_id();
replace([ $launch, '/pricing', '' ]);
sleep LOOKS;
is(txn_id(), $before, 'the same again: nothing is written');
$t->kill_keeper;
sleep LOOKS;
is(txn_id(), $before, 'nor by another keeper');

# Rows of one link are decided once: the first value of a field stands.

replace([ $launch, '/pricing', '' ], [ $launch, '/pricing', 'First' ],
        [ $launch, '/pricing', 'Second' ]);
ok(wait_until(sub { link_of($key)->{name} eq 'First' }, PATIENCE),
   'of rows of one link the first value stands');
$before = txn_id();
$t->kill_keeper;
sleep LOOKS;
is(txn_id(), $before, 'and nothing is written when a keeper begins');
$t->restart;
follows('a restart', $launch);
sleep LOOKS;
is(txn_id(), $before, 'nor after a restart');

# As Kubernetes swaps a ConfigMap: links.csv -> ..data/links.csv, ..data -> a
# directory, and the link is renamed over the old one.

my $dir = $t->dir . '/volume';
mkdir $dir or die;
version(1, [ $launch, '/pricing', 'One' ]);
symlink '..data/links.csv', "$dir/links.csv" or die;
$t->set_conf(http => conf('source=volume/links.csv'));
$t->reload;
follows('another file after a reload', $launch);
ok(wait_until(sub { link_of($key)->{name} eq 'One' }, PATIENCE),
   'it is the other one');
version(2, [ $review, '/pricing', 'Two' ]);
follows('a symbolic link swapped', $review);
version(3, [ $review, '/pricing', 'Three' ], [ $launch, '/', 'Three' ]);
follows('and once more', $review, $launch);

$t->set_conf(http => conf('source=links.csv'));
$t->reload;
follows('the first one again', $launch);

# What is not valid.

my @good = ([ $launch, '/pricing', 'Good' ], [ $review, '/pricing', '' ]);
my $head = join ',', @columns;
my $row = qq{"$launch",/pricing,Bad\n};

my @faults = (
    [ 'a bad row', "$head,authority\n$launch,/pricing,x,500\n",
      qr/links\.csv: line 2: authority "500": / ],
    [ 'an empty file', '', qr/empty/ ],
    [ 'half of JSON', '{"links":[{"source":"https://a.example/"},{"sou',
      qr/line 1: the JSON ends within a link/ ],
    [ 'a file cut off in a row', "$head\n$row$review,/pri", qr/line 3: / ],
    [ 'a file cut off in its last cell', "$head\n$row$review,/pricing,Na",
      qr/line 3: the last line has no end/ ],
);

write_links(@good);
follows('good rows', $launch, $review);

for (@faults) {
    my ($name, $text, $reason) = @$_;

    $before = txn_id();
    $t->write_file('links.csv', $text);
    refused($name, $reason);
    is(txn_id(), $before, "$name: nothing is written");
}

write_links(@good);
follows('a valid file again', $launch, $review);
is(link_of($key)->{name}, 'Good', 'as it was');

ok(wait_until(sub { $t->error_log =~ /registry "main": working again/ },
              PATIENCE), 'the log has that it is over');

my $log = $t->error_log;
like($log, qr/registry "main": \S+links\.csv: line 2: authority/,
     'and the fault');
my @told = $log =~ /(links stay as they are)/g;
cmp_ok(scalar @told, '<=', 3 + (time - $^T) / 30, 'not with each look');

unlink $t->dir . '/links.csv';
refused('no file', qr/links\.csv: No such file/);
replace(@good);
follows('it is there again', $launch, $review);

SKIP: {
    skip 'root alone has another user to read it', 2 if $> != 0;

    chmod 0600, $t->dir . '/links.csv';
    refused('a file of root\'s', qr/Permission denied: user \d+, as whom/);
    chmod 0644, $t->dir . '/links.csv';
    follows('it may be read', $launch, $review);
}

# A header alone is a list of no links.

write_links();
follows('no links');
is(summary($t)->{links}{registered}, 0, 'none is registered');
write_links(@good);
follows('links again', $launch, $review);
is(counters_of($t, $key)->{clicks}, 3, 'with their totals');

# max_links: of the file, not of the way from one to the other.

$t->set_conf(http => conf('source=links.csv max_links=2'));
$t->reload;
replace([ 'one.example', '', '' ], [ 'two.example', '', '' ]);
follows('two other links where two are allowed', 'one.example', 'two.example');
replace(@good, [ 'three.example', '', '' ]);
refused('three links', qr/line 4: more than 2 links, which is max_links/);
replace(@good);
follows('two links', $launch, $review);
$t->set_conf(http => conf('source=links.csv'));
$t->reload;

# Nobody else writes.

for ([ 'POST', '/status/links', { source => 'x.example' } ],
     [ 'PATCH', "/status/links/$key", { name => 'x' } ],
     [ 'DELETE', "/status/links/$key" ],
     [ 'POST', '/all/main/links', { source => 'x.example' } ])
{
    my ($method, $uri, $body) = @$_;
    my $answer = write_json($method, $uri, $body);

    is($answer->{status}, 409, "$method $uri is refused");
    is($answer->{json}{error}{code}, 'ReadOnly', 'ReadOnly');
    like($answer->{json}{error}{text}, qr/links\.csv/, 'and names the file');
}

is(write_json('POST', '/free/links', { source => 'x.example' })->{status}, 201,
   'another registry is written');

# What is ignored is not in the file.

for ('/status/ignored', '/all/main/ignored') {
    my $answer = write_json('POST', $_, { source => 'spam.example' });

    is($answer->{status}, 201, "POST $_");
    is_deeply($answer->{json}, { ignored => [ 'spam.example' ] }, 'the host');
    is_deeply([ map { $_->{host} } @{ $t->get_json($_)->{ignored} } ],
              [ 'spam.example' ], 'is ignored');
    is(write_json('DELETE', "$_/spam.example")->{status}, 204, "DELETE $_");
    is_deeply($t->get_json($_)->{ignored}, [], 'and shown again');
}

$t->write_file('new.csv', "source\nx.example\n");

for ([ 'add', 'x.example' ], [ 'set', $key, 'name=x' ], [ 'rm', $key ],
     [ 'import', $t->dir . '/new.csv' ])
{
    my ($code, undef, $err) = $t->ctl(@$_);

    is($code, 1, "referralctl $_->[0] is refused");
    like($err, qr/equal to \S+links\.csv: change them there, or take source=/,
         'with what to do');
}

my $try = $t->ctl_ok('import', $t->dir . '/new.csv', '--sync', '--update',
                     '--dry-run');
like($try, qr/1 link .*2 removed/, 'a file can be tried');
is(summary($t)->{links}{registered}, 2, 'which changes nothing');

# Without source= the links stay, and are everybody's.

$t->set_conf(http => conf(''));
$t->reload;
ok(wait_until(sub { ($t->ctl('add', 'x.example'))[0] == 0 }, PATIENCE),
   'without source= links are added');
ok(summary($t)->{write}, 'writes are on');
is(write_json('PATCH', "/status/links/$key", { name => 'x' })->{status}, 200,
   'over HTTP, too');
is(summary($t)->{links}{registered}, 3, 'those of the file stay');

# With it they are those of the file again, also after kill -9 of all.

$t->set_conf(http => conf('source=links.csv'));
$t->reload;
follows('source= again', $launch, $review);
is(link_of($key)->{name}, 'Good', 'all of it');
$t->kill_all;
write_links($good[0]);
$t->start;
follows('a start after kill -9', $launch);
$t->kill_keeper;
replace($good[1]);
follows('another keeper', $review);

# Another writer has the registry: flushes go on.

my $hold = Referral::Hold->new($t, 'registry');
replace($good[0]);
sleep LOOKS;
is_deeply([ sources() ], [ $review ], 'nothing is written under its lock');
cmp_ok(summary($t)->{health}{flush_age_ms}, '<', 10000, 'but flushed');
write_links(@good);
$hold->release;
follows('when it is free, as the file is by then', $launch, $review);

# A large one: nobody waits for it, and it is one step.

my %seen = (summary($t)->{links}{registered} => 1);

replace(map { [ "https://host$_.example/page", '/pricing', "Link $_" ] }
        1 .. MANY);
ok(wait_until(sub {
    my $links = summary($t)->{links}{registered};
    $seen{$links} = 1;
    return $links == MANY;
}, 120), MANY . ' links');
is_deeply([ sort { $a <=> $b } keys %seen ], [ scalar @good, MANY ],
          'at once');
click('https://host' . MANY . '.example/page');
ok(wait_until(sub {
    ($t->get_json('/status/links/' . key('https://host' . MANY
                                         . '.example/page'))
     ->{counters}{clicks} // 0) == 1;
}, PATIENCE), 'the last one counts');
is($t->ctl_ok('check') =~ /no fault was found/, 1, 'the registry is sound');

$t->finish;

done_testing;


sub conf {
    my ($source) = @_;

    return $conf =~ s/%%SOURCE%%/$source/r;
}


sub csv {
    return join '', map { join(',', map { qq("$_") } @$_) . "\n" }
                    \@columns, @_;
}


sub write_links {
    $t->write_file('links.csv', csv(@_));
}


# A file whose content is older than a second is taken at the next look.

sub replace {
    utime 0, time - 10, $t->write_file('links.new', csv(@_)) or die;
    rename $t->dir . '/links.new', $t->dir . '/links.csv' or die;
}


sub version {
    my ($version, @rows) = @_;

    utime 0, time - 10,
        $t->write_file("volume/..$version/links.csv", csv(@rows)) or die;
    symlink "..$version", "$dir/..data_tmp" or die;
    rename "$dir/..data_tmp", "$dir/..data" or die;
}


# The links are these, and health says that all is well.

sub follows {
    my ($name, @sources) = @_;

    my ($links, $source);

    @last = sort @sources;

    my $ok = wait_until(sub {
        $source = summary($t)->{health}{source} // 'none';
        $links = join ' ', sources();
        return $source eq 'ok' && $links eq join ' ', @last;
    }, PATIENCE);

    ok($ok, "$name: the links are those of the file")
        or diag("source: $source\nlinks: $links");
}


sub sources {
    my @sources = sort map { $_->{source} }
                  @{ $t->get_json('/status/links?limit=all&fields=source')
                     ->{links} };

    return @sources;
}


sub refused {
    my ($name, $reason) = @_;

    my $source;

    wait_until(sub {
        $source = summary($t)->{health}{source};
        return $source =~ $reason;
    }, PATIENCE);

    like($source, $reason, "$name: health says why");
    is_deeply([ sources() ], \@last, "$name: the links stay");
}


sub click {
    my ($source) = @_;

    $t->get('/pricing', Referer => $source);
}


sub key {
    my ($source) = @_;

    my %row = map { $_->{source} => $_->{key} }
              @{ $t->get_json('/status/links?limit=all&fields=source')
                 ->{links} };

    return $row{$source} // '0000000000000000';
}


sub key_of {
    my ($source) = @_;

    return wait_until(sub { key($source) =~ s/^0+$//r }, PATIENCE);
}


sub link_of {
    my ($key) = @_;

    return $t->get_json("/status/links/$key");
}


# The newest of the two meta pages' transactions (lmdb.h, MDB_meta).

sub txn_id {
    open my $f, '<', $t->registry_dir . '/registry/data.mdb' or die;
    binmode $f;

    my @ids = map {
        seek $f, $_ * 4096 + 16 + 128, SEEK_SET or die;
        read $f, my $bytes, 8;
        unpack 'Q<', $bytes;
    } 0, 1;

    return $ids[0] > $ids[1] ? $ids[0] : $ids[1];
}


sub write_json {
    my ($method, $uri, $data) = @_;

    my %header = ('Content-Type' => 'application/json');
    $header{Body} = $json->encode($data) if defined $data;

    my $answer = $t->request($method, $uri, %header);
    $answer->{json} = $json->decode($answer->{body})
        if length $answer->{body};

    return $answer;
}
