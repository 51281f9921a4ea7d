package Referral::Instructions;

# What a request costs in instructions: a real nginx under callgrind, which
# collects in our log handler alone, and where a variable is evaluated, each
# with all it calls.
#
#     my $i = Referral::Instructions->new(links => 20_000);
#     my $figures = $i->measure;         # { case => instructions a request }
#     $i->finish;
#
# Instructions are repeatable where times are not, but they are those of one
# compiler and one nginx: setting() tells which.  Within those, heap addresses
# and random secrets move a figure by a few.
#
# growth => [ SMALL, LARGE ] instead: two registries of the list of bench/core,
# each in a directory named by how many links it has; cold requests alone.
#
# One process serves three registries: "special" with links of every kind,
# "small" and "large" with pages only, 1,000 and as many as asked for.  A request
# to the status tree makes callgrind write what it collected since the last.

use strict;
use warnings;

use Digest::MD5;
use Fcntl qw(LOCK_EX);
use File::Path qw(make_path remove_tree);

use Referral::Connection;
use Referral::Test qw(root_dir wait_until);

use constant {
    SMALL  => 1000,
    REPEAT => 100,       # requests that are all alike, behind as many others
    PIPE   => 20,        # requests on their way
    # Valgrind has no room for the defaults.
    MAP    => '1g',
};

my @HEADERS = (
    'Host: shop.example',
    'Upgrade-Insecure-Requests: 1',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'
        . ' (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,'
        . 'image/avif,image/webp,image/apng,*/*;q=0.8',
    'Sec-Fetch-Site: cross-site',
    'Sec-Fetch-Mode: navigate',
    'Sec-Fetch-Dest: document',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: en-GB,en;q=0.9',
);


# Returns why it cannot be done here, or nothing.

sub missing {
    my $said = `valgrind --version 2>/dev/null` // '';

    return 'valgrind is not installed' if $said !~ /^valgrind-\d/;

    return;
}


# What a test has time for.

sub quick { return (links => 20_000, twins => 1000, map => '512m') }


# What the figures depend on beside the code.

sub setting {
    my $gcc = `gcc -dumpfullversion 2>/dev/null` // '';
    my $nginx = `/usr/sbin/nginx -v 2>&1` // '';
    my $machine = `uname -m` // '';
    my $lmdb = `dpkg-query -W -f '\${Version}' liblmdb0 2>/dev/null` // '';
    my $libc = `dpkg-query -W -f '\${Version}' libc6 2>/dev/null` // '';

    chomp($gcc, $machine);

    # libc has functions of its own for processors that have it
    $machine .= ' avx2' if `grep -w avx2 /proc/cpuinfo 2>/dev/null`;
    $nginx =~ s{.*nginx/(\S+).*}{$1}s;
    s/-.*// for $lmdb, $libc;

    return { gcc => $gcc, nginx => $nginx, machine => $machine,
             lmdb => $lmdb, libc => $libc };
}


sub new {
    my ($class, %arg) = @_;

    my $growth = $arg{growth};
    my $links = defined $growth ? links_in($growth->[1]) : $arg{links};

    die "the large list must not be the small one\n" if $links == SMALL;

    my $self = bless {
        links   => $links,
        twins   => $arg{twins} // 1000,
        cold    => $arg{cold} // 200,
        map     => $arg{map} // MAP,
        growth  => $growth,
    }, $class;

    my %dir = defined $growth ? (
        special => $self->registry('special', 1, \&special),
        small   => $growth->[0],
        large   => $growth->[1],
    ) : (
        special => $self->registry('special', $self->{twins}, \&special),
        small   => $self->registry('pages', SMALL, \&pages),
        large   => $self->registry('pages', $self->{links}, \&pages),
    );

    my $t = Referral::Test->new(
        user   => undef,
        single => 1,
        nports => 4,
        main   => "master_process off;\n",
        under  => [ 'valgrind', '-q', '--tool=callgrind',
                    '--collect-atstart=no', '--combine-dumps=no',
                    '--compress-strings=no',
                    '--fair-sched=yes',
                    map("--toggle-collect=ngx_http_referral_$_",
                        qw(log_handler outcome_variable)),
                    '--dump-before=ngx_http_referral_status_handler' ],
        http   => conf($self, %dir),
    );

    push @{ $t->{under} }, "--callgrind-out-file=" . $t->dir . '/callgrind';

    $self->{t} = $t;
    $t->start;
    wait_until(sub { $self->is_ready }, 60)
        or die "the registries were not opened:\n" . $t->log_tail . "\n";

    return $self;
}


# A registry that bench/scale has kept says it by its name.

sub links_in {
    my ($dir) = @_;

    my ($n) = $dir =~ m{(\d+)/?$} or die "$dir: its name is no number\n";

    return $n;
}


sub conf {
    my ($self, %dir) = @_;

    my %port = (special => '%%PORT%%', small => '%%PORT2%%',
                large => '%%PORT3%%', variable => '%%PORT4%%');
    my $links = $self->{links} + 100_000;
    my $text = "keepalive_requests 1000000;\nkeepalive_timeout 1h;\n"
               . "large_client_header_buffers 8 16k;\n";

    for my $name (sort keys %dir) {
        $text .= "referral_registry $name $dir{$name} map_size=$self->{map}"
                 . " counters=%%SHM%%/$name.counters flush=1h"
                 . " max_links=$links;\n";
    }

    for my $name (sort keys %port) {
        my $registry = exists $dir{$name} ? $name : 'special';
        my $header = $name eq 'variable'
                     ? 'add_header X-Outcome $referral_outcome;' : '';

        $text .= <<"CONF";
server {
    listen 127.0.0.1:$port{$name};
    server_name shop.example;
    referral_own_hosts static.shop.example *.shop-cdn.example;
    location / { referral $registry; $header return 200; }
    location /status/ { referral_status $registry; }
}
CONF
    }

    return $text;
}


sub is_ready {
    my ($self) = @_;

    for my $port (1 .. 3) {
        return 0 unless $self->ask($port) =~ /LinkUnknown/;
    }

    return 1;
}


# Lists and sums would look at all links: that takes minutes here.

sub ask {
    my ($self, $port) = @_;

    my $c = $self->{t}->connection($self->{t}->port($port));
    my $answer = $c->request('GET', '/status/links/0000000000000000',
                             Connection => 'close',
                             Accept => 'application/json');
    $c->close;

    return $answer->{body} // '';
}


# Made once and kept; its name says what is in it.  One run at a time has it.

sub registry {
    my ($self, $kind, $n, $rows) = @_;

    my $root = root_dir();
    my $dir = "$root/build/bench/$kind-$n";
    my $list = "$root/build/bench/$kind-$n.csv";

    make_path("$root/build/bench");

    open my $lock, '>', "$dir.lock" or die "$dir.lock: $!\n";
    flock $lock, LOCK_EX or die "$dir.lock: $!\n";
    push @{ $self->{locks} }, $lock;

    open my $f, '>', "$list.$$" or die "$list: $!\n";
    $rows->($f, $n);
    close $f or die "$list: $!\n";
    rename "$list.$$", $list or die "$list: $!\n";

    my $stamp = stamp($list);
    my $is_there = -e "$dir/stamp" && do {
        open my $s, '<', "$dir/stamp" or die "$dir/stamp: $!\n";
        <$s> eq $stamp;
    };

    # counts of earlier runs are of no use
    remove_tree("$dir/ledger");

    if (!$is_there) {
        remove_tree($dir);

        my $ctl = $ENV{TEST_REFERRALCTL} // "$root/build/referralctl";
        my $log = "$root/build/bench/import.log";

        system("$ctl -d $dir init >$log 2>&1 && "
               . "$ctl -d $dir import $list >$log 2>&1") == 0
            or die "referralctl import $list failed, see $log\n";

        open my $s, '>', "$dir/stamp" or die "$dir/stamp: $!\n";
        print $s $stamp;
        close $s;
    }

    unlink $list;

    return $dir;
}


sub stamp {
    my ($list) = @_;

    open my $f, '<', $list or die "$list: $!\n";
    my $md5 = Digest::MD5->new->addfile($f)->hexdigest;

    # another version of the registry does not read it
    my $code = root_dir() . '/ngx_referral_module/core/rfl_registry.c';

    open my $c, '<', $code or die "$code: $!\n";
    my ($version) = do { local $/; <$c> }
                    =~ /^#define RFL_REGISTRY_VERSION +(\d+)$/m
        or die "$code names no version\n";

    return "$md5 $version";
}


sub page { return sprintf 'https://www.blog%07d.example/2024/10/launch.html',
                          $_[0] }

sub origin { return sprintf 'https://www.blog%07d.example/', $_[0] }


# Of three links one has a target, one has none, one is a host.

sub pages {
    my ($f, $n) = @_;

    print $f "source,match_type,target\n";

    for my $i (0 .. $n - 1) {
        print $f $i % 3 == 0 ? page($i) . ",exact,/landing\n"
               : $i % 3 == 1 ? page($i) . ",exact,\n"
               : origin($i) . ",host,\n";
    }
}


sub special {
    my ($f, $n) = @_;

    print $f "source,match_type,target,tag\n";
    print $f page($_) . ",exact,/landing,\n" for 0 .. 99;
    print $f long($_) . 'p' x 179 . ",exact,/landing,\n" for 0 .. 99;
    print $f "https://two.example/page-$_,exact,/landing,\n" for 1 .. 2;
    print $f "https://many.example/page-$_,exact,/landing,\n" for 1 .. $n;
    print $f ",tag,,partner42\n";
    print $f "https://re.example/post/$_-[a-z]+\\.html\$,regex,,\n" for 1 .. 5;
    print $f "https://deep.example/" . join('', map { "s$_/" } 1 .. $_)
             . ",prefix,,\n" for 1 .. 3;
    print $f "https://deepest.example/" . join('', map { "s$_/" } 1 .. $_)
             . ",prefix,,\n" for 0 .. 16;
    print $f "partner.example,domain,,\n";
}


# -- cases -----------------------------------------------------------------

# name, port, requests: those to warm up with, and those that are counted.

sub cases {
    my ($self) = @_;

    return $self->growth_cases if defined $self->{growth};

    my $cold = $self->{cold};
    my $page = page(0);

    return (
        $self->repeated('none', 1),
        $self->repeated('internal', 1, 'https://shop.example/cart/step-2-of-3'
                                       . '/delivery.html'),
        $self->repeated('internal-own-host', 1,
                        'https://static.shop.example/cart/step-2.html'),
        $self->repeated('registered', 1, $page),
        $self->repeated('registered-by-landing', 1, origin(0)),
        $self->repeated('registered-by-variable', 4, $page),
        $self->repeated('unregistered', 1, 'https://www.nobody-knows.example/'
                                           . '2024/10/launch.html'),
        $self->repeated('ambiguous-2', 1, 'https://two.example/'),
        $self->repeated('ambiguous-many', 1, 'https://many.example/'),
        $self->repeated('tag', 1, undef, '/landing?ref=partner42'),
        $self->repeated('regex', 1, 'https://re.example/post/3-abc.html'),

        $self->distinct('cold-small-registered', 2, sub { page(3 * $_[0]) },
                        SMALL),
        $self->distinct('cold-registered', 3, sub { page(3 * $_[0]) }),
        $self->distinct('cold-registered-no-target', 3,
                        sub { page(3 * $_[0] + 1) }),
        $self->distinct('cold-by-landing', 3,
                        sub { origin(3 * $_[0] + 30_000 / 2) }),
        $self->distinct('cold-host', 3, sub { page(3 * $_[0] + 2) }),
        $self->distinct('cold-small-unregistered', 2, \&nobody),
        $self->distinct('cold-unregistered', 3, \&nobody),
        $self->distinct('cold-unregistered-domains', 1, \&nobody),
        $self->distinct('cold-ambiguous-2', 1, sub { 'https://two.example/' },
                        undef, \&landing),
        $self->distinct('cold-ambiguous-many', 1,
                        sub { 'https://many.example/' }, undef, \&landing),
        $self->distinct('cold-tag', 1, sub { undef }, undef,
                        sub { "/landing?ref=partner42&n=$_[0]" }),
        $self->distinct('cold-regex', 1,
                        sub { 'https://re.example/post/3-'
                              . join('', map { chr 97 + $_ } split //, $_[0])
                              . '.html' }),

        $self->distinct('hostile-short', 3, \&hostile_short),
        $self->distinct('hostile-long', 3, \&hostile_long),
        $self->distinct('hostile-registered', 1, \&hostile_registered),
        $self->distinct('hostile-escaped', 1, sub { hostile_of('%e4', @_) }),
        $self->distinct('hostile-decoded', 1, sub { hostile_of('%41', @_) }),
        $self->distinct('hostile-raw', 1, sub { hostile_of("\xe4", @_) }),
        $self->distinct('hostile-dots', 1, sub { hostile_of('/.', @_) }),
        $self->distinct('hostile-slashes', 1, sub { hostile_of('/%2f', @_) }),
        $self->distinct('hostile-tracking', 1, sub {
            hostile_of('&%75tm_' . '%41' x 40, $_[0], '?') }),
        $self->distinct('hostile-parameters', 1,
                        sub { hostile_of('&a', $_[0], '?') }),
        $self->distinct('hostile-prefixes', 1, \&hostile_prefixes),
        $self->distinct('hostile-deepest', 1, \&hostile_deepest),
    );
}


# Pages of bench/core's list, far apart, and its unknown hosts.

sub growth_cases {
    my ($self) = @_;

    return map {
        my ($port, $dir) = @$_;
        my $n = links_in($dir);
        my $links = commas($n) . ' links';
        my $link = sub { $_[0] * 7919 % $n };

        die "$dir: fewer links than are asked for\n"
            if $n < $self->{cold} + 20;

        ($self->distinct("registered, $links", $port,
                         sub { listed('site', $link->($_[0])) }, undef,
                         sub { '/landing/' . $link->($_[0]) % 1000 }),
         $self->distinct("unregistered, $links", $port,
                         sub { listed('none', $link->($_[0])) }))
    } [ 2, $self->{growth}[0] ], [ 3, $self->{growth}[1] ];
}


sub listed {
    my ($name, $i) = @_;

    return sprintf 'https://%s-%08x.example/2024/post-%u', $name,
                   ($i * 2654435761) & 0xffffffff, $i;
}


sub commas {
    my ($n) = @_;

    1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;

    return $n;
}


sub nobody {
    return sprintf 'https://www.site%07d.example/2024/10/launch.html', $_[0];
}


sub landing { return "/landing?x=$_[0]" }

sub hostile_short {
    return sprintf 'http://%x.%x.%x.%x.%x.%x.%x.example/', map { $_[0] + $_ }
                                                           1 .. 7;
}

# As long as is looked at, 16 segments and more, on a host nobody knows.

sub hostile_long {
    my $url = sprintf 'https://a.b.c.d.e.f.g.site%07d.example/', $_[0];

    return $url . deep($_[0], 4096 - length $url);
}


# On a host of which a page is known whose SURT has 200 bytes: up to there it
# has to be looked at.

sub long { return sprintf 'https://www.long%07d.example/', $_[0] }

sub hostile_registered {
    my $url = long($_[0] % 100);

    return $url . deep($_[0], 4096 - length $url);
}


# The same, of one piece that each rule of SURTs has its work with.

sub hostile_of {
    my ($piece, $n, $mark) = @_;

    my $url = long($n % 100) . $n . ($mark // '');

    return $url . $piece x ((4096 - length $url) / length $piece);
}


# On hosts with prefix links of three depths, and of all.

sub hostile_prefixes {
    return 'https://deep.example/' . deep($_[0], 4000);
}

sub hostile_deepest {
    return 'https://deepest.example/' . deep($_[0], 4000);
}


sub deep {
    my ($i, $len) = @_;

    my $path = '';

    $path .= sprintf '%s%07d/', 'x' x 190, $i + $_ for 1 .. 20;

    return substr $path . 'y' x $len, 0, $len;
}


sub repeated {
    my ($self, $name, $port, $referer, $landing) = @_;

    my $bytes = request($referer, $landing);

    return { name => $name, port => $port,
             warm => [ ($bytes) x REPEAT ], count => [ ($bytes) x REPEAT ] };
}


# Each Referer is another; those to warm up with come from the end.

sub distinct {
    my ($self, $name, $port, $referer, $links, $landing) = @_;

    my $n = $self->{cold};
    my $bytes = sub {
        my ($i) = @_;

        return request($referer->($i), defined $landing ? $landing->($i)
                                                        : undef);
    };

    return { name => $name, port => $port,
             warm => [ map { $bytes->($n + $_) } 1 .. 20 ],
             count => [ map { $bytes->($_) } 0 .. $n - 1 ] };
}


sub request {
    my ($referer, $landing) = @_;

    my @headers = @HEADERS;

    splice @headers, 7, 0, "Referer: $referer" if defined $referer;
    @headers = map { s/cross-site/none/r } @headers unless defined $referer;

    return join "\r\n", 'GET ' . ($landing // '/landing') . ' HTTP/1.1',
                        @headers, '', '';
}


# -- measuring -------------------------------------------------------------

sub measure {
    my ($self, $only) = @_;

    my %figures;

    for my $case ($self->cases) {
        next if defined $only && $case->{name} !~ $only;

        $self->visit($case->{port}, $case->{warm});
        $self->dump;
        $self->visit($case->{port}, $case->{count});

        $figures{ $case->{name} } = $self->dump / @{ $case->{count} };
    }

    return \%figures;
}


sub visit {
    my ($self, $port, $requests) = @_;

    my $c = $self->{t}->connection($self->{t}->port($port));
    my @left = @$requests;

    while (my @now = splice @left, 0, PIPE) {
        $c->send($_) for @now;

        for (@now) {
            my $answer = $c->read_response // die "no answer\n";
            die "status $answer->{status}\n" if $answer->{status} != 200;
        }
    }

    $c->close;
}


# The instructions since the last dump.

sub dump {
    my ($self) = @_;

    my $path = $self->{t}->dir . '/callgrind.' . ++$self->{dumps};

    # how many were made before the first one is not known
    if ($self->{dumps} == 1) {
        $self->{dumps} += () = glob $self->{t}->dir . '/callgrind.*';
        $path = $self->{t}->dir . "/callgrind.$self->{dumps}";
    }

    $self->ask(1);

    my $total;

    wait_until(sub {
        my ($n) = $self->{t}->read_file($path) =~ /^totals: (\d+)$/m;
        return defined($total = $n);
    }, 30) or die "callgrind wrote nothing to $path\n";

    $self->{profile} = $path;

    return $total;
}


sub finish {
    my ($self) = @_;

    $self->{t}->finish;
}


1;
