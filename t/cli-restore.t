#!/usr/bin/perl

# A registry restored from an older backup knows less than the ledger and the
# counter file: ids that were counted under since then are not given to other
# links, whoever adds them and whatever became of nginx meanwhile.

use strict;
use warnings;

use FindBin;
use File::Copy qw(copy);
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(settled sum);
use Referral::Test qw(wait_until);


my $json = JSON::PP->new->utf8;
my $t;

# {what, how often nginx flushes, how it ends, how links are added then, and
# whether the backup is one of both and of before nginx was first started}

my @cases = (
    [ 'stopped', '1s', sub { $t->stop }, \&add_each ],
    [ 'stopped, an import', '1s', sub { $t->stop }, \&import_all ],
    [ 'stopped, without its counter file', '1s', sub {
        $t->stop;
        unlink $t->shm . '/main.counters' or die;
    }, \&add_each ],

    # what was counted is in the counter file alone

    [ 'killed', '1h', sub { $t->kill_all }, \&add_each ],

    # such a ledger does not say where the counter file is

    [ 'stopped, an early backup of both', '1s', sub { $t->stop }, \&add_each,
      1 ],
);

for my $case (@cases) {
    my ($what, $flush, $end, $add, $early) = @$case;

    subtest $what => sub { restore($flush, $end, $add, $early) };
}

done_testing;


sub restore {
    my ($flush, $end, $add, $early) = @_;

    my @parts = $early ? ('registry', 'ledger') : 'registry';
    my $counters = $early ? '%%DIR%%/referral/counters'
                          : '%%SHM%%/main.counters';

    $t = Referral::Test->new(http => <<"CONF");
    referral_registry main %%DIR%%/referral counters=$counters flush=$flush;

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;

        location / { return 200 "page\\n"; }
        location /status { referral_status main; }
    }
CONF

    $t->ctl_ok('init');

    my %old = map { add($_) } map { "https://old$_.example/" } 1 .. 3;

    for my $part (@parts) {
        copy($t->registry_dir . "/$part/data.mdb", $t->dir . "/$part") or die;
    }

    $t->start;

    # The keeper has noted the counter file when it has flushed once.

    ok(wait_until(sub {
        my $ms = $t->get_json('/status')->{health}{flush_age_ms};
        return defined $ms && $ms < 60000;
    }, 10), 'the first flush');

    # Two share their host and target: their group has an id, too.

    my %lost = map { add($_, '--target', '/t') }
               map { "https://lost.example/$_" } 1 .. 20;

    my $sent = 0;
    my %clicks;

    for my $link (sort keys %old, sort keys %lost) {
        $clicks{$link} = ++$sent % 7 + 1;
        visit($link, '/t') for 1 .. $clicks{$link};
    }

    visit('https://lost.example/', '/t') for 1 .. 9;

    my $requests = sum(\%clicks) + 9;
    is(sum(settled($t, $requests)->{outcomes}), $requests, 'all are counted');

    $end->();

    for my $part (@parts) {
        restore_file($t->dir . "/$part", $t->registry_dir . "/$part/data.mdb");
    }

    my %new = $add->(map { "https://new$_.example/" } 1 .. 30);

    is_deeply({ map { $_ => clicks($new{$_}) } keys %new },
              { map { $_ => 0 } keys %new },
              'new links have nothing of what others got');
    is_deeply({ map { $_ => clicks($old{$_}) } keys %old },
              { map { $_ => $clicks{$_} } keys %old },
              'those of the backup have theirs');

    # Also when a tag makes a group of two that were there.

    $t->ctl_ok('set', $_, 'tag=spring') for values %old;
    is(group_clicks((values %old)[0]), 0, 'nor has a new group');

    $t->start;

    my @some = (sort keys %new)[0 .. 4];
    visit($_, '/') for @some;

    settled($t, $requests + @some);

    is_deeply([ map { clicks($new{$_}) } @some ], [ (1) x @some ],
              'they are counted from then on');
    is($t->get_json('/status')->{health}{overflow}, 0, 'each has a cell');
    is(sum($t->get_json('/status')->{outcomes}), $requests + @some,
       'the sums of the registry stay');

    $t->finish;
}


# Returns source and key.

sub add {
    my ($source, @options) = @_;

    return ($source => $t->ctl_ok('add', $source, @options));
}


sub add_each {
    return map { add($_) } @_;
}


sub import_all {
    my @sources = @_;

    my ($exit, undef, $err) = $t->ctl_with(join('', map { "$_\n" } @sources),
                                           'import', '-');
    die "import: $err\n" if $exit != 0;

    my $links = $json->decode($t->ctl_ok('list', '--json'))->{links};
    my %key = map { $_->{source} => $_->{key} } @$links;

    return map { $_ => $key{$_} // die "$_ was not imported\n" } @sources;
}


# As an operator does it, with its owner.

sub restore_file {
    my ($from, $to) = @_;

    my ($uid, $gid) = (stat $to)[4, 5];

    copy($from, "$to.new") or die "$to: $!\n";
    chown $uid, $gid, "$to.new" if $> == 0;
    chmod 0600, "$to.new";
    rename "$to.new", $to or die "$to: $!\n";
}


# A click with the full URL of a page.

sub visit {
    my ($referer, $uri) = @_;

    return $t->get($uri, Referer => $referer);
}


sub link_of {
    my ($key) = @_;

    return $json->decode($t->ctl_ok('show', $key, '--json'));
}


sub clicks {
    my ($key) = @_;

    return link_of($key)->{counters}{clicks};
}


sub group_clicks {
    my ($key) = @_;

    return sum({ map { $_->{key} => $_->{clicks} }
                 @{ link_of($key)->{groups} } });
}
