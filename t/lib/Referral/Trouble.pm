package Referral::Trouble;

# A fault from its cause to its end, with visitors coming all the while.
#
#     troubles(
#         [ 'noise in the ledger',
#           cause => sub { my ($t, $site) = @_; ... },
#           undo  => sub { my ($t, $site) = @_; ... },
#           part  => 'ledger', says => qr/no LMDB file/ ],
#         ...
#     );
#
# Each starts an nginx of its own with one link, lets visitors come, causes the
# fault, waits until health and log say so, watches for two more ticks, undoes
# it, and waits until all is well again.  Then compares with what the visitors
# were answered:
#
# - every request was answered, with 200;
# - the outcomes sum to the requests, those of the fault's time too, and the
#   link has its clicks;
# - no process said a thing twice: once a minute is far from that;
# - after a reboot, without counter file, the ledger alone has the same totals.
#
# More arguments:
#
#     prepare    before the start; what it returns is $site->{prepared}
#     before     the cause comes before the start
#     reload     1: the fault shows at a reload only, which follows the cause
#     during     while the fault lasts, when nginx has said so
#     after      when all is well again and the visitors have left
#     registry   the directive; default %%REGISTRY%%
#     mount      the size of a tmpfs that holds registry and ledger
#     new        more arguments of Referral::Test->new
#     logs       what the log says, where that is not what health says
#     watch      seconds to watch it; two ticks
#     brief      1: nginx helps itself, and tells the log alone
#     quiet      1: there is nothing to be told
#     blind      1: links cannot be looked up: clicks are unregistered; the
#                matches of other links are then $site->{of_others}
#     deaths     how many processes the fault may kill; 0
#     loses      seconds whose counts the fault destroys; 0
#     keeps      0: the ledger cannot have all
#     root       1: only root can cause it
#
# A process that dies has answered what it had not yet counted, or the other
# way round: the balance may then lack one request for each, or have those that
# were never answered.
#
# They mostly wait, so some run side by side, each in a process of its own.
# TROUBLE=2 runs the second one alone.

use strict;
use warnings;

use File::Path qw(remove_tree);
use JSON::PP ();
use POSIX qw(ceil);
use Test::More;
use Time::HiRes qw(sleep time);

use Referral::Counts qw(sum);
use Referral::Load;
use Referral::Test qw(wait_until SLOWER);

use Exporter qw(import);

our @EXPORT_OK = qw(troubles file_troubles look link_clicks healthy overwrite
                    put_back visit_now);

use constant {
    PATIENCE => 20,
    TICK => 1.1,                 # seconds
    TICKS => 2.3,                # in which nothing may be said again
    SIDE_BY_SIDE => 3,
    MANY => 100,
};

my $page = 'https://blog.example/2024/launch';
my @parts = qw(registry ledger counters);


sub troubles {
    my (@troubles) = @_;

    my $only = $ENV{TROUBLE};

    if (defined $only) {
        trouble(@{ $troubles[$only - 1] });
        done_testing;
        return;
    }

    my (@running, %pid);

    local $SIG{TERM} = sub { kill 'TERM', keys %pid; exit 1 };

    for my $i (0 .. $#troubles + SIDE_BY_SIDE) {

        if ($i <= $#troubles) {
            my $pid = open my $out, '-|' // die "fork: $!\n";

            if ($pid == 0) {
                $ENV{TROUBLE} = $i + 1;
                open STDERR, '>&', \*STDOUT;
                exec $^X, $0;
            }

            $pid{$pid} = 1;
            push @running, [ $pid, $out, $troubles[$i][0] ];
        }

        next if $i < SIDE_BY_SIDE || !@running;

        my ($pid, $out, $name) = @{ shift @running };
        my $said = do { local $/; <$out> };

        close $out;
        delete $pid{$pid};

        SKIP: {
            skip "$name: $1", 1 if $said =~ /^1\.\.0 # SKIP (.*)/m;
            ok($? == 0 && $said =~ /^1\.\.\d/m, $name) or diag($said);
        }
    }

    done_testing;
}


sub trouble {
    my ($name, %arg) = @_;

    plan skip_all => 'not root' if $arg{root} && $> != 0;

    my $site = site(%arg);
    my $t = $site->{t};
    my $log_from = 0;

    $t->expect_log(qr/process \d+ exited on signal (?:6|7|8|11)\b/)
        if $arg{deaths};

    if ($arg{before}) {
        $arg{cause}->($t, $site);
        $t->start;
        visitors_come($site, %arg);

    } else {
        $t->start;
        healthy($t, 'at first');
        visitors_come($site, %arg);
        ok(wait_until(sub { is_flushed(look($t)) }, PATIENCE),
           'visitors come and are counted');
        $log_from = length $t->error_log;
        $arg{cause}->($t, $site);
    }

    $t->reload if $arg{reload};
    says($t, $log_from, %arg) unless $arg{quiet};
    $arg{during}->($t, $site) if $arg{during};
    sleep $arg{watch} // TICKS;
    is_said_once(substr $t->error_log, $log_from);

    $arg{undo}->($t, $site) if $arg{undo};
    healthy($t, 'in the end');
    sleep 0.3;

    balance($site, %arg);
    $arg{after}->($t, $site) if $arg{after};
    reboot($site) if $arg{keeps} // 1;
    cmp_ok(deaths($t), '<=', $arg{deaths}, 'few processes died')
        if $arg{deaths};

    $t->finish;
}


sub site {
    my (%arg) = @_;

    my $registry = $arg{registry} // '%%REGISTRY%%';

    my $t = Referral::Test->new(workers => 2, may_die => $arg{deaths},
                                %{ $arg{new} // {} }, http => <<"CONF");
    $registry

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { return 200 "page"; }
        location /status { referral_status main; }
    }
CONF

    my $site = { t => $t, counters => $t->shm . '/main.counters',
                 extra => 0, extra_clicks => 0, of_others => 0 };

    if (defined $arg{mount}) {
        my $why = $t->mount_tmpfs($t->registry_dir, $arg{mount});
        plan skip_all => $why if defined $why;
    }

    $t->ctl_ok('init');
    $site->{key} = $t->ctl_ok('add', $page);
    $site->{prepared} = $arg{prepare}->($t, $site) if $arg{prepare};

    return $site;
}


# -- visitors --------------------------------------------------------------

# By turns with the link's Referer and without one.

sub visitors_come {
    my ($site, %arg) = @_;

    # what an idle connection of a reload did not get is sent again
    my @lost = $arg{deaths} ? () : (lost => 'resend');

    $site->{since} = time;
    $site->{load} = Referral::Load::start(
        port => $site->{t}->port, connections => 1, pause => 0.005, @lost,
        requests => [ [ '/', Referer => $page ], [ '/' ] ]);
}


sub is_flushed {
    my ($summary) = @_;

    return sum($summary->{outcomes}) > 40
           && defined $summary->{health}{flush_age_ms};
}


# Requests of the test itself, which are part of the balance: visit_now($site,
# $clicks, [ URI, header... ]...), so many of them clicks of the link.

sub visit_now {
    my ($site, $clicks, @requests) = @_;

    my $load = $site->{t}->load(requests => \@requests, connections => 2,
                                count => scalar @requests, depth => 16);

    is($load->{status}{200}, scalar @requests, 'more visitors are served');
    $site->{extra} += @requests;
    $site->{extra_clicks} += $clicks;
}


# -- what nginx says -------------------------------------------------------

# The summary, also from an nginx whose worker has just died.

sub look {
    my ($t) = @_;

    my ($summary, $why);

    wait_until(sub {
        $summary = eval { $t->get_json('/status') };
        $why = $@;
        return defined $summary;
    }, PATIENCE);

    return $summary // die "no status: $why";
}


sub link_clicks {
    my ($t, $key) = @_;

    my $clicks;

    wait_until(sub {
        my $link = eval { $t->get_json("/status/links/$key") };
        $clicks = $link->{counters}{clicks};
        return defined $clicks;
    }, PATIENCE);

    return $clicks // -1;
}


# Well for longer than a tick: that is when a worker we have not met tries again
# what it could not open.

sub healthy {
    my ($t, $when) = @_;

    my ($health, $since);

    ok(wait_until(sub {
        $health = look($t)->{health};
        $since = (grep { $health->{$_} ne 'ok' } @parts) ? undef
                                                         : $since // time;
        return defined $since && time - $since > TICK;
    }, PATIENCE), "all is well $when")
        or diag(JSON::PP->new->canonical->pretty->encode($health));
}


sub says {
    my ($t, $log_from, %arg) = @_;

    my @of = defined $arg{part} ? $arg{part} : @parts;
    my $logs = $arg{logs} // $arg{says};
    my $health;

    $arg{brief} or ok(wait_until(sub {
        $health = look($t)->{health};
        return grep { $health->{$_} =~ $arg{says} } @of;
    }, PATIENCE), 'health says so: ' . join ', ', map { $health->{$_} } @of)
        or diag(JSON::PP->new->canonical->pretty->encode($health));
    ok(wait_until(sub {
        substr($t->error_log, $log_from) =~ /\[(?:error|warn)\].*$logs/
    }, PATIENCE), 'the log says so')
        or diag($t->log_tail);
}


# Each worker and the keeper speak for themselves, each once a minute of what
# is wrong; what is wrong may change as processes find out more.  An answer of
# the status that was cut is told of its request, not of the fault.

sub is_said_once {
    my ($log) = @_;

    my (%times, %of);

    for my $line (split /\n/, $log) {
        my ($pid, $text) =
            $line =~ /\[(?:error|warn|crit)\] (\d+)#\d+: (.*referral.*)/
            or next;

        next if $text =~ /referral status: reading failed/;

        $times{"$pid: $text"}++;
        $of{$pid}++;
    }

    is_deeply([ grep { $times{$_} > 1 } sort keys %times ], [],
              'no process says a thing twice');
    is_deeply([ grep { $of{$_} > 3 } sort keys %of ], [],
              'and none says many things') or diag($log);
}


# -- the balance -----------------------------------------------------------

sub balance {
    my ($site, %arg) = @_;

    my ($t, $key) = @$site{qw(t key)};

    # a machine that is busy with other things takes its time
    wait_until(sub { sum(look($t)->{outcomes}) >= 2 * MANY }, PATIENCE);

    my $load = Referral::Load::finish($site->{load});
    my $seconds = time - $site->{since};
    my ($clicks, $others) = @{ $load->{answered} };
    my ($lost_clicks, $lost_others) = @{ $load->{lost} };
    my $lost = $lost_clicks + $lost_others;
    my $total = $load->{total} + $site->{extra};
    my $gone = deaths($t) + ceil(($arg{loses} // 0) * $load->{total}
                                 / $seconds);

    is_deeply([ keys %{ $load->{status} } ], [ 200 ], 'all are served');
    cmp_ok($load->{total}, '>=', MANY / SLOWER, 'and they are many');

    wait_until(sub { sum(look($t)->{outcomes}) >= $total }, 3);
    sleep 0.2;

    my $outcomes = look($t)->{outcomes};

    between(sum($outcomes), $total - $gone, $total + $lost,
            'the outcomes sum to the requests');
    between($outcomes->{direct}, $others - $gone, $others + $lost_others,
            'those without a Referer');

    my $referred = $clicks + $site->{extra};

    between($outcomes->{matched} + $outcomes->{unregistered},
            $referred - $gone, $referred + $lost_clicks, 'those with one');

    $clicks = $arg{blind} ? $outcomes->{matched} - $site->{of_others}
                          : $clicks + $site->{extra_clicks};

    between(link_clicks($t, $key), $clicks - $gone, $clicks + $lost_clicks,
            "the link's clicks");
}


sub deaths {
    my ($t) = @_;

    return scalar(() = $t->error_log =~ /exited on signal/g);
}


sub between {
    my ($got, $min, $max, $what) = @_;

    ok($got >= $min && $got <= $max, $what)
        or diag("got $got, expected "
                . ($min == $max ? $min : "$min to $max"));
}


# What the ledger has is all there is then.

sub reboot {
    my ($site) = @_;

    my ($t, $key) = @$site{qw(t key)};
    my ($before, $clicks) = (look($t), link_clicks($t, $key));

    $t->stop;
    unlink $site->{counters};
    $t->start;
    healthy($t, 'after a reboot');
    is_deeply(look($t)->{outcomes}, $before->{outcomes},
              'the ledger has the outcomes');
    is(link_clicks($t, $key), $clicks, "and the link's clicks");
}


# -- causes ----------------------------------------------------------------

# What can happen to the files of the registry or of the ledger while nginx
# runs, the same for both.

sub file_troubles {
    my ($part) = @_;

    my $dir = sub { $_[0]->registry_dir . "/$part" };
    my $file = sub { $dir->($_[0]) . '/data.mdb' };
    my @common = (part => $part, blind => $part eq 'registry');

    # nginx must not find a file that is half a copy: that is a fault, too
    my $keep = sub {
        my ($t, $site) = @_;
        $site->{good} = $t->read_file($file->($t));
    };
    my $restore = sub {
        my ($t, $site) = @_;
        put_back($t, $file->($t), $site->{good});
    };
    my $damage = sub {
        my ($how) = @_;
        return (cause => sub {
            my ($t, $site) = @_;
            $keep->($t, $site);
            overwrite($file->($t), $how->($site->{good}));
        }, undo => $restore, deaths => 8, @common,
           says => qr/\Q$part\E|flush failed|reading it failed/,
           logs => qr/\Q$part\E/);
    };

    return (
        [ "the $part is noise", $damage->(sub { noise(length $_[0]) }) ],
        [ "the $part is zeroes", $damage->(sub { "\0" x length $_[0] }) ],
        [ "the $part is noise behind its first pages",
          $damage->(sub { substr($_[0], 0, 8192)
                          . noise(length($_[0]) - 8192) }) ],
        [ "the $part is empty", $damage->(sub { '' }),
          brief => $part eq 'ledger' ],
        [ "the $part is cut to one page",
          $damage->(sub { substr $_[0], 0, 4096 }) ],
        [ "the $part is cut by half",
          $damage->(sub { substr $_[0], 0, 4096 * int(length($_[0]) / 8192) })
        ],

        [ "the data file of the $part is missing", @common,
          says => qr/\Q$part\E/,
          cause => sub {
              my ($t) = @_;
              rename $file->($t), $t->dir . '/away' or die;
          },
          brief => $part eq 'ledger',
          undo => sub {
              my ($t) = @_;
              rename $t->dir . '/away', $file->($t) or die;
          } ],
        [ "the directory of the $part is missing", @common,
          says => qr/\Q$part\E/,
          cause => sub {
              my ($t) = @_;
              rename $dir->($t), $t->dir . '/away' or die;
          },
          brief => $part eq 'ledger',
          undo => sub {
              my ($t) = @_;
              remove_tree($dir->($t));
              rename $t->dir . '/away', $dir->($t) or die;
          } ],

        [ "the $part is another user's", @common, root => 1, reload => 1,
          says => qr/\Q$part\E.*(?:denied|not writable)/i,
          cause => sub {
              my ($t) = @_;
              chown 0, 0, glob $dir->($t) . '/*';
          },
          undo => sub {
              my ($t) = @_;
              $t->give_to_worker(glob $dir->($t) . '/*');
          } ],
        [ "the files of the $part are read-only", @common, reload => 1,
          says => qr/\Q$part\E.*(?:denied|not writable)/i,
          cause => sub {
              my ($t) = @_;
              chmod 0400, glob $dir->($t) . '/*';
          },
          undo => sub {
              my ($t) = @_;
              chmod 0600, glob $dir->($t) . '/*';
          } ],

        [ "the $part is of a newer version", @common, reload => 1,
          says => qr/version 99|another version/,
          cause => sub {
              my ($t, $site) = @_;
              $site->{version} = set_version($t, $part, 99);
          },
          undo => sub {
              my ($t, $site) = @_;
              set_version($t, $part, $site->{version});
          } ],
    );
}


sub set_version {
    my ($t, $part, $version) = @_;

    my ($exit, $old, $err) = $t->run_command(undef,
        $t->program('set_version'), $t->registry_dir, $version, $part);

    die "set_version: $err" if $exit != 0;
    $t->give_to_worker(glob $t->registry_dir . "/$part/*");
    chomp $old;

    return $old;
}


# The same noise each time.

sub noise {
    my ($length) = @_;

    my $state = 1;

    return pack 'V*', map {
        $state = ($state * 1103515245 + 12345) & 0x7fffffff;
        $state * 2 & 0xffffffff ^ $state >> 7
    } 1 .. ($length + 3) / 4;
}


# In place, as cp and dd write: whoever has mapped the file sees it.  The
# file's owner stays.

sub overwrite {
    my ($path, $bytes) = @_;

    open my $f, -e $path ? '+<' : '>', $path or die "$path: $!\n";
    binmode $f;
    print $f $bytes;
    close $f or die "$path: $!\n";
    truncate $path, length $bytes or die "$path: $!\n";
}


# As a backup should be put back: complete before it has its name.

sub put_back {
    my ($t, $path, $bytes) = @_;

    my $new = "$path.restored";

    overwrite($new, $bytes);
    chmod 0600, $new;
    $t->give_to_worker($new);
    rename $new, $path or die "$path: $!\n";
}


1;
