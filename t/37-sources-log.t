#!/usr/bin/perl

# A real log through nginx, and an independent tally of it: the fifty sources
# with most clicks are all in the table, each within its stated bound.  Then
# strangers who come once, by the ten thousands, mixed with some that come
# often: these are there, in order, and the keeper's memory stays what it was.
# (A million of them: tests/unit/rfl_sources.c.)
#
#     REFERRAL_LOG    another log, in the combined format
#
# Where there is none, one is made up.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Load;
use Referral::Test qw(wait_until);


use constant {
    PATIENCE => 30,
    TOP => 50,
    TIMES => 3,                  # the log is sent: what comes once is not
                                 # shown
    HOSTILE => 40_000,
    REAL => 40,
    TRIES => 3,
    GROWTH => 16 * 1024,         # KiB the keeper may grow by
    MARK => "\xe2\x80\xa6",
};

my $file = $ENV{REFERRAL_LOG}
           // Referral::Test::root_dir() . '/../shared/data/access.log';

my @lines = -r $file ? read_log($file) : make_log();
my %status = map { $_->{status} => 1 } @lines, { status => 200 };

my $answers = join '', map {
    "if (\$http_x_status = $_) { return $_ "
    . (/^3/ && $_ != 304 ? '/elsewhere' : '') . "; }\n"
} sort keys %status;

my $t = Referral::Test->new(http => <<"CONF");
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 1000000;
        location / {
            referral main;
            referral_bot off;
            $answers
            return 200;
        }
        location /status { referral_status main; }
    }
CONF

$t->ctl_ok('init');
$t->start;

replay();

for my $try (1 .. TRIES) {
    last if flood($try);
}

$t->finish;

done_testing;


sub answer { return $t->get_json('/status/sources?limit=10000') }


# -- the log -----------------------------------------------------------------

sub replay {
    my ($site) = sort { $b->[1] <=> $a->[1] } hosts();
    my (%tally, $records);

    for my $line (@lines) {
        my $source = source_of($line, $site->[0]);

        $records += TIMES * $source->{leaves};
        next unless defined $source->{host};

        my $row = $tally{"$source->{host} " . fold($line->{target})} //= {};
        $row->{ $source->{how} } += TIMES;
        $row->{all} += TIMES;
    }

    send_lines($site->[0]) for 1 .. TIMES;

    ok(wait_until(sub { answer()->{read} >= $records }, PATIENCE),
       'all was read') or diag(answer()->{read} . " of $records");

    my $answer = answer();
    my %shown = map {
        my $name = "$_->{host} $_->{landing}";
        utf8::encode($name);
        ($name => $_)
    } @{ $answer->{sources} };

    is($answer->{missed}, 0, 'nothing was missed');

    my @most = sort { $tally{$b}{all} <=> $tally{$a}{all} || $a cmp $b }
               keys %tally;
    my @wrong;

    cmp_ok(scalar @most, '>=', TOP, 'the log has ' . @most . ' sources');

    for my $name (@most) {
        my $row = $shown{$name};
        my @wanted = map { $tally{$name}{$_} // 0 }
                     qw(clicks errors_4xx errors_5xx);
        my @has = defined $row
                  ? @$row{qw(clicks errors_4xx errors_5xx)} : ();

        push @wrong, "$name: @has, not @wanted"
            if !defined $row
               || grep { $has[$_] > $wanted[$_]
                         || $has[$_] + $row->{error} < $wanted[$_] } 0 .. 2;
    }

    is_deeply([ grep { !$shown{$_} } @most[0 .. TOP - 1] ], [],
              TOP . ' with most clicks are there');
    is_deeply(\@wrong, [], 'all ' . @most . ' are, each within its bound');
    is(scalar keys %shown, scalar @most, 'and no other');
    note(join "\n", map { "$_: $tally{$_}{all}" } @most[0 .. 4]);
}


sub read_log {
    my ($file) = @_;

    open my $f, '<', $file or die "$file: $!\n";
    binmode $f;

    my $request = qr{"(\S+) (\S+) HTTP/1\.[01]"};
    my $format = qr{^\S+ \S+ \S+ \[.*?\] $request (\d+) \S+ "(.*?)" "};
    my @found;

    while (my $line = <$f>) {
        $line =~ $format or next;

        push @found, { method => $1, target => $2, status => $3,
                       referer => $4 eq '-' ? undef : $4 };
    }

    return @found;
}


# The n-th of some hosts comes to the m-th of some landings 1 / (n m) as often
# as the first to the first.

sub make_log {
    my @statuses = ((200) x 12, 206, 301, 304, (404) x 3, 403, 500);
    my @paths = ('/', '/a%20b', '/orders/4711004', '/blog/2015/05/post.html',
                 '/u/jane@mail.example', '/reset/8f14e45fceea167a5a36',
                 '/files/logstash/logstash-1.3.2-monolithic.jar', '/x/?q=1',
                 '/presentations/logstash-puppetconf-2012/images/index.png');
    my @found;

    srand 43;

    for (1 .. 2000) {
        my $host = 'h' . int(60 ** rand);
        my $path = $paths[ int(@paths ** rand) - 1 ];

        push @found, {
            method => rand() < 0.97 ? 'GET' : 'POST', target => $path,
            status => $statuses[ int(rand @statuses) ],
            referer => rand() < 0.2 ? undef
                       : rand() < 0.2 ? 'http://www.site.example/page'
                       : (rand() < 0.5 ? 'http://www.' : 'https://')
                         . "$host.example/page?of=it",
        };
    }

    return @found;
}


sub hosts {
    my %n;

    for my $line (@lines) {
        my $host = host_of($line->{referer} // '');
        $n{$host}++ if defined $host;
    }

    return map { [ $_, $n{$_} ] } keys %n;
}


sub host_of {
    my ($referer) = @_;

    my ($host) = $referer =~ m{^https?://(?:[^/?#@]*@)?([^/?#:]+)}i
        or return undef;

    $host = lc $host;
    $host =~ s/\.$//;
    $host =~ s/^www\.(?=.)//;

    return $host;
}


# leaves: it has a record; host: and is a click of a stranger's.

sub source_of {
    my ($line, $site) = @_;

    my $host = host_of($line->{referer} // '');
    my $empty = ($line->{referer} // '') =~ /^\s*$/;

    return { leaves => $empty ? 1 : 0 } unless defined $host;
    return { leaves => 0 } if $host eq $site;
    return { leaves => 1 } if $line->{method} ne 'GET'
                              || $line->{status} =~ /^(?:101|408|444|499)$/;

    return { leaves => 1, host => $host,
             how => $line->{status} >= 500 ? 'errors_5xx'
                    : $line->{status} >= 400 ? 'errors_4xx' : 'clicks' };
}


# The rules of docs/sources.md, as this file reads them.

sub fold {
    my ($target) = @_;

    my ($path) = $target =~ m{^([^?#]*)};

    return join '/', map { is_secret($_) ? MARK : $_ } split m{/}, $path, -1;
}


sub is_secret {
    my ($segment) = @_;

    $segment =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge;

    return 1 if $segment =~ /@/ || length $segment > 96;
    return 1 if $segment =~ /(?:[0-9][^0-9a-zA-Z\x80-\xff]*){9}/;

    for my $word (split /[^0-9a-zA-Z\x80-\xff]+/, $segment) {
        my $digits = () = $word =~ /[0-9]/g;
        my $letters = () = $word =~ /[a-zA-Z]/g;
        my $vowels = () = $word =~ /[aeiouyAEIOUY]/g;
        my $changes = () = $word =~ /(?<=[0-9])(?=[^0-9])|(?<=[^0-9])(?=[0-9])
                                     |(?<=[a-z])(?=[A-Z])/gx;
        my $length = length $word;

        next unless $length;

        if ($digits == $length) {
            return 1 if $length >= 5;
            next;
        }

        return 1 if $word =~ /^[0-9a-fA-F]{8,}$/ && ($digits || $length >= 16);
        return 1 if $digits >= 8;
        return 1 if $length >= 8 && 4 * $changes > $length;
        return 1 if $letters + $digits == $length
                    && ($length >= 32
                        || ($length >= 16 && 8 * $vowels < $letters));
    }

    return 0;
}


sub send_lines {
    my ($host) = @_;

    my $c = $t->connection;

    for my $line (@lines) {
        $c->send($c->format_request($line->{method}, $line->{target},
            Host => $host, 'X-Status' => $line->{status},
            Connection => 'keep-alive',
            defined $line->{referer} ? (Referer => $line->{referer}) : ()));
        push @{ $c->{methods} }, $line->{method};

        my $answer = $c->read_response;

        if (!defined $answer
            || ($answer->{headers}{connection} // '') eq 'close')
        {
            $c->close;
            $c = $t->connection;
        }
    }

    $c->close;
}


# -- strangers ---------------------------------------------------------------

# Returns 0 where the machine was so busy that the rings ran over: then nobody
# knows what came.

sub flood {
    my ($try) = @_;

    my $before = answer();
    my ($keeper) = $t->keeper_pids;
    my $memory = resident($keeper);

    srand 42;

    my @real = map { my $n = $_; ($n) x (20 + 5 * $n) } 1 .. REAL;
    my @all = ((0) x HOSTILE, @real);

    for my $i (reverse 1 .. $#all) {
        my $k = int rand($i + 1);
        @all[$i, $k] = @all[$k, $i];
    }

    my $hostile = 0;
    my @requests = map {
        my $host = $_ ? "real$_-$try.example"
                      : sprintf 'h%x-%d.hostile.example', $hostile++, $try;
        [ '/landing', Referer => "https://$host/" ]
    } @all;

    $t->load(requests => \@requests, count => scalar @requests,
             connections => 1, depth => 8);

    my $answer;

    wait_until(sub {
        $answer = answer();
        $answer->{read} + $answer->{missed} - $before->{read}
            - $before->{missed} >= @requests
    }, PATIENCE);

    my $missed = $answer->{missed} - $before->{missed};

    is($answer->{read} - $before->{read} + $missed, scalar @requests,
       'each request left a record that was read or missed');

    if ($missed != 0 && $try < TRIES) {
        note("$missed were missed: again");
        return 0;
    }

    SKIP: {
        skip "the machine is too busy: $missed were missed", 2 if $missed;
        check_shown($answer, $try);
    }

    SKIP: {
        skip 'a sanitizer keeps what was freed', 1
            if exists $ENV{ASAN_OPTIONS};
        cmp_ok(resident($keeper) - $memory, '<', GROWTH, 'memory is flat');
    }

    return 1;
}


sub check_shown {
    my ($answer, $try) = @_;

    my @shown = grep { $_->{host} =~ /-$try\./ } @{ $answer->{sources} };
    my %n = map { ("real$_-$try.example" => 20 + 5 * $_) } 1 .. REAL;

    is_deeply([ map { $_->{host} } @shown ],
              [ map { "real$_-$try.example" } reverse 1 .. REAL ],
              'those that come often are there, in order, and none else');
    is_deeply([ map { "$_->{host}: $_->{clicks} to "
                      . ($_->{clicks} + $_->{error})
                      . ", not $n{ $_->{host} }" }
                grep { $_->{clicks} > $n{ $_->{host} }
                       || $_->{clicks} + $_->{error} < $n{ $_->{host} } }
                @shown ], [], 'each within its bound');
}


sub resident {
    my ($pid) = @_;

    open my $f, '<', "/proc/$pid/status" or return 0;
    my ($kib) = join('', <$f>) =~ /^VmRSS:\s+(\d+)/m;

    return $kib;
}
