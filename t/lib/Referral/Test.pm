package Referral::Test;

# A real nginx for one test: its own directory, its own free ports on
# 127.0.0.1, its own counter file, and a check at the end that it left as it
# should: no alert in the log, no process, no file.
#
#     my $t = Referral::Test->new(
#         http => <<'CONF',
#             %%REGISTRY%%
#
#             server {
#                 listen 127.0.0.1:%%PORT%%;
#                 location / { referral main; return 200; }
#                 location /status { referral_status main; }
#             }
#     CONF
#     );
#
#     $t->ctl_ok('init');  $t->ctl_ok('add', 'https://blog.example/post');
#     $t->start;
#     $t->get('/', Referer => 'https://blog.example/post');
#     is($t->get_json('/status')->{outcomes}{matched}, 1, 'one match');
#     $t->finish;
#     done_testing;
#
# new() takes http, main and events (texts of those blocks), workers (a
# number, 1), or conf (the whole file); single => 1 where conf turns the master
# process off, daemon => 1 for a binary upgrade; preload => 1 for faults
# ($t->fault, see Referral::Faults); keep_ports => 1 where nginx is down for a
# while and clients are not to find another program in its place; may_die => 1
# where a signal may end a process, which no sanitizer is then to report;
# under => [ 'valgrind', ... ] for a command that runs nginx.  In all texts:
#
#     %%DIR%%        the test's directory
#     %%SHM%%        its directory on tmpfs, for counter files
#     %%PORT%% %%PORT2%% %%PORT3%%    free ports; nports => 9 for more
#     %%REGISTRY%%   referral_registry main %%DIR%%/referral
#                    counters=%%SHM%%/main.counters flush=1s;
#     %%GLOBALS%% %%HTTP%%            what the harness needs, for conf
#     %%HTTP2%%      " http2" for listen, nothing where nginx has no HTTP/2
#
# Environment:
#
#     TEST_NGINX_BINARY    /usr/sbin/nginx
#     TEST_NGINX_MODULE    build/ngx_http_referral_module.so; empty: static
#     TEST_NGINX_GLOBALS   more directives for the main context
#     TEST_REFERRALCTL     build/referralctl
#     TEST_PROGRAMS        build/plain/programs
#     TEST_PRELOAD         build/plain/preload
#     TEST_SLOWER          how many times longer what is timed may take: 1, or
#                          5 with a sanitizer
#     TEST_KEEP            1: the directory stays
#
# Run by root, the master is root and the workers are www-data, as in
# production; otherwise all is the user who runs the test.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(:sys_wait_h setsid _exit);
use Test::More ();
use Time::HiRes qw(sleep time);

use Referral::Connection;
use Referral::Faults;
use Referral::Load;
use Referral::Watcher;

use Exporter qw(import);

our @EXPORT_OK = qw(wait_until root_dir nginx_has nginx_without SLOWER);

# How long a sanitized nginx on a busy machine may take for anything, and how
# many times as long for what is timed; of what is counted there may be so much
# less.
use constant PATIENCE => 30;
use constant SLOWER => $ENV{TEST_SLOWER}
                       // (exists $ENV{ASAN_OPTIONS} ? 5 : 1);

my %live;        # tests that have not finished, for END


sub root_dir {
    return abs_path(dirname(__FILE__) . '/../../..');
}


# Whether nginx was configured "--with-NAME", or "--without-NAME".

my $built;

sub nginx_has {
    my ($name) = @_;

    return built() =~ /--with-\Q$name\E(?![\w=-])/;
}


sub nginx_without {
    my ($name) = @_;

    return built() =~ /--without-\Q$name\E(?![\w=-])/;
}


sub built {
    my $nginx = $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx';

    return $built //= `$nginx -V 2>&1`;
}


sub new {
    my ($class, %arg) = @_;

    my $root = root_dir();

    # under "sudo make test" the command would tell to use sudo
    delete $ENV{SUDO_UID};

    my $self = bless {
        root     => $root,
        pid      => undef,
        master   => undef,
        sessions => {},
        expected => [],
        mounts   => [],
        log_from => 0,
        workers  => 1,
        nports   => 3,
        nginx    => abs_path($ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx'),
        module   => $ENV{TEST_NGINX_MODULE}
                    // "$root/build/ngx_http_referral_module.so",
        ctl      => $ENV{TEST_REFERRALCTL} // "$root/build/referralctl",
        user     => $> == 0 ? worker_user() : undef,
        %arg,
    }, $class;

    $live{$self} = $self;

    $self->make_directories;
    $self->choose_ports;
    Referral::Faults::create("$self->{dir}/faults") if $self->{preload};

    return $self;
}


sub worker_user {
    for my $name ('www-data', 'nobody') {
        return $name if defined getpwnam($name);
    }

    die "there is neither a user www-data nor nobody\n";
}


sub make_directories {
    my ($self) = @_;

    $self->{dir} = tempdir('referral-XXXXXX', TMPDIR => 1);
    chmod 0755, $self->{dir};

    my $shm = -d '/dev/shm' && -w _ ? '/dev/shm' : $self->{dir};
    $self->{shm} = tempdir('referral-test-XXXXXX', DIR => $shm);

    for my $name (qw(html temp referral sanitizer)) {
        mkdir "$self->{dir}/$name" or die "$self->{dir}/$name: $!\n";
    }

    $self->give_to_worker($self->{shm}, "$self->{dir}/referral");
    chmod 01777, "$self->{dir}/sanitizer";
    chmod 0700, $self->{shm};
}


sub give_to_worker {
    my ($self, @paths) = @_;

    if (defined $self->{user}) {
        my (undef, undef, $uid, $gid) = getpwnam($self->{user});
        chown $uid, $gid, @paths;
    }
}


# All are held open until all are chosen, so that they differ.  One that does
# not listen keeps others from the port, but not nginx: both reuse the address.

sub choose_ports {
    my ($self) = @_;

    my @how = $self->{keep_ports} ? (ReuseAddr => 1, Proto => 'tcp')
                                  : (Listen => 1);
    my @sockets = map {
        IO::Socket::INET->new(LocalAddr => '127.0.0.1', @how)
            or die "no free port: $!\n"
    } 1 .. $self->{nports};

    $self->{ports} = [ map { $_->sockport } @sockets ];
    $self->{sockets} = \@sockets if $self->{keep_ports};
}


sub dir { return $_[0]{dir} }
sub shm { return $_[0]{shm} }
sub port { return $_[0]{ports}[($_[1] // 1) - 1] }
sub registry_dir { return "$_[0]{dir}/referral" }
sub master_pid { return $_[0]{master} }


# -- configuration ---------------------------------------------------------

sub expand {
    my ($self, $text) = @_;

    my $registry = "referral_registry main $self->{dir}/referral"
                   . " counters=$self->{shm}/main.counters flush=1s;";

    $text =~ s/%%REGISTRY%%/$registry/g;
    $text =~ s/%%GLOBALS%%/$self->globals/ge;
    $text =~ s/%%HTTP%%/$self->http_globals/ge;
    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/%%SHM%%/$self->{shm}/g;
    $text =~ s/%%HTTP2%%/nginx_has('http_v2_module') ? ' http2' : ''/ge;
    $text =~ s/%%PORT([2-9]?)%%/$self->port($1 || 1)/ge;

    return $text;
}


sub globals {
    my ($self) = @_;

    my $text = '';
    $text .= "load_module $self->{module};\n" if $self->{module} ne '';
    $text .= "user $self->{user};\n" if defined $self->{user};
    $text .= "pid $self->{dir}/nginx.pid;\n";
    $text .= "error_log $self->{dir}/error.log info;\n";
    $text .= "daemon off;\n" unless $self->{daemon};
    $text .= "env ASAN_OPTIONS;\nenv UBSAN_OPTIONS;\n"
        if exists $ENV{ASAN_OPTIONS};
    $text .= "env LD_PRELOAD;\nenv REFERRAL_FAULTS;\n" if $self->{preload};
    $text .= $ENV{TEST_NGINX_GLOBALS} // '';

    return $text;
}


sub http_globals {
    my ($self) = @_;

    my $temp = "$self->{dir}/temp";
    my $text = "root $self->{dir}/html;\naccess_log off;\n";

    $text .= "${_}_temp_path $temp/$_;\n"
        for qw(client_body proxy fastcgi uwsgi scgi);

    return $text;
}


sub conf_text {
    my ($self) = @_;

    return $self->expand($self->{conf}) if defined $self->{conf};

    my $main = $self->{main} // '';
    my $events = $self->{events} // '';
    my $http = $self->{http} // '';

    return $self->expand(<<"CONF");
%%GLOBALS%%
worker_processes $self->{workers};
$main
events {
worker_connections 1024;
$events
}
http {
%%HTTP%%
$http
}
CONF
}


# Changes http, main, events, workers or conf; reload() puts it in force.

sub set_conf {
    my ($self, %arg) = @_;

    $self->{$_} = $arg{$_} for keys %arg;
    $self->write_conf;
}


sub write_conf {
    my ($self) = @_;

    $self->write_file('nginx.conf', $self->conf_text);
}


# A file below the test's directory; returns its path.

sub write_file {
    my ($self, $name, $text) = @_;

    my $path = "$self->{dir}/$name";

    make_path(dirname($path));
    open my $f, '>', $path or die "$path: $!\n";
    binmode $f;
    print $f $text;
    close $f or die "$path: $!\n";

    return $path;
}


sub read_file {
    my ($self, $path) = @_;

    $path = "$self->{dir}/$path" if $path !~ m{^/};

    open my $f, '<', $path or return '';
    binmode $f;
    local $/;

    return scalar <$f> // '';
}


# nginx -t: (exit code, what it said).

sub configtest {
    my ($self) = @_;

    $self->write_conf;

    my ($exit, $out, $err) = $self->run_command(undef, $self->nginx_command,
                                                '-t');

    return ($exit, $out . $err);
}


sub nginx_command {
    my ($self) = @_;

    return ($self->{nginx}, '-e', "$self->{dir}/error.log",
            '-p', $self->{dir}, '-c', "$self->{dir}/nginx.conf");
}


# -- processes -------------------------------------------------------------

sub start {
    my ($self) = @_;

    for my $try (1 .. 5) {
        my $said = (-s "$self->{dir}/stderr") // 0;

        $self->{log_start} = (-s "$self->{dir}/error.log") // 0;
        $self->write_conf;
        $self->spawn;
        return $self if $self->wait_for_port;

        # Another test got the port between our choice and nginx's bind().
        my $log = substr $self->error_log, $self->{log_start};
        $self->reap(5);

        if ($log !~ /bind\(\) to 127\.0\.0\.1:\d+ failed \(98:/) {
            die "nginx did not start:\n$log\n";
        }

        truncate "$self->{dir}/error.log", $self->{log_start};
        truncate "$self->{dir}/stderr", $said;
        $self->choose_ports;
    }

    die "nginx found no free port\n";
}


sub spawn {
    my ($self) = @_;

    $self->faults_library if $self->{preload};

    # what kill -9 has left would be taken for the new master's
    unlink "$self->{dir}/nginx.pid";

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        setsid();
        $self->sanitizer_environment;
        $self->preload_environment if $self->{preload};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/stdout";
        open STDERR, '>>', "$self->{dir}/stderr";
        exec @{ $self->{under} // [] }, $self->nginx_command or _exit(127);
    }

    $self->{pid} = $pid;
    $self->{sessions}{$pid} = 1;
    $self->{master} = $self->{daemon} ? $self->daemon_pid : $pid;
}


# nginx's daemon leads a session of its own.

sub daemon_pid {
    my ($self) = @_;

    my $pid;

    wait_until(sub {
        ($pid) = $self->read_file('nginx.pid') =~ /^(\d+)$/;
        return defined $pid || $self->has_exited && $self->{exit} != 0;
    }, PATIENCE);

    $self->{sessions}{$pid} = 1 if defined $pid;

    return $pid;
}


# ASan's reports go to files, UBSan's to standard error, which is the error log
# in nginx.  nginx ends without freeing all, and a process that root gave to
# another user cannot be searched for leaks: that is left to the unit tests.
# Who may die is only let die by the signal: it is in the error log then, and
# whatever a sanitizer finds by itself is reported as ever.

sub sanitizer_environment {
    my ($self) = @_;

    my $options = ":log_path=$self->{dir}/sanitizer/report:detect_leaks=0";

    $options .= ':handle_segv=0:handle_sigbus=0:handle_sigfpe=0'
        if $self->{may_die};

    for my $name (qw(ASAN_OPTIONS UBSAN_OPTIONS)) {
        $ENV{$name} .= $options if exists $ENV{$name};
    }
}


# ASan wants to be the first of all libraries.

sub preload_environment {
    my ($self) = @_;

    $ENV{LD_PRELOAD} = $self->faults_library;
    $ENV{REFERRAL_FAULTS} = "$self->{dir}/faults";
    $ENV{ASAN_OPTIONS} .= ':verify_asan_link_order=0'
        if exists $ENV{ASAN_OPTIONS};
}


sub faults_library {
    my ($self) = @_;

    my $dir = $ENV{TEST_PRELOAD} // "$self->{root}/build/plain/preload";

    die "$dir/faults.so is not there: make build/plain/helpers\n"
        unless -e "$dir/faults.so";

    return "$dir/faults.so";
}


sub wait_for_port {
    my ($self) = @_;

    wait_until(sub {
        return $self->is_ready || !$self->{daemon} && $self->has_exited;
    }, PATIENCE) if defined $self->{master};

    return (defined $self->{pid} || $self->{daemon}) && $self->is_ready;
}


sub has_exited {
    my ($self) = @_;

    return 1 unless defined $self->{pid};
    return 0 unless waitpid($self->{pid}, WNOHANG) == $self->{pid};

    $self->{exit} = $?;
    undef $self->{pid};

    return 1;
}


# A port that answers may be another program's: ours has workers, too.

sub is_ready {
    my ($self) = @_;

    my @workers = $self->worker_pids;
    return 0 unless @workers >= $self->{workers} || $self->{single};

    return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                         PeerPort => $self->port);
}


# (pid, parent, session, title) of each process that is no zombie.

sub processes {
    my @found;

    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $f, '<', $stat or next;
        my $line = <$f> // next;
        my ($pid, $state, $parent, undef, $session) =
            $line =~ /^(\d+) \(.*\) (\S) (\d+) (\d+) (\d+)/s or next;

        next if $state eq 'Z';

        open my $c, '<', "/proc/$pid/cmdline" or next;
        my $title = do { local $/; <$c> } // '';
        $title =~ s/\0+$//;
        $title =~ tr/\0/ /;

        push @found, [ $pid, $parent, $session, $title ];
    }

    return @found;
}


sub children {
    my ($self, $title) = @_;

    return () unless defined $self->{master};

    my @pids = map { $_->[0] }
               grep { $_->[1] == $self->{master} && $_->[3] =~ $title }
               processes();

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


# Workers that are to stay; those shutting down are not among them.

sub worker_pids {
    my ($self) = @_;

    return $self->children(qr/^nginx: worker process$/);
}


sub keeper_pids {
    my ($self) = @_;

    return $self->children(qr/^nginx: cache manager process$/);
}


sub session_pids {
    my ($self) = @_;

    return map { $_->[0] } grep { $self->{sessions}{$_->[2]} } processes();
}


# Returns when the old workers are gone and the new ones are there.

sub reload {
    my ($self) = @_;

    my %old = map { $_ => 1 } $self->worker_pids, $self->keeper_pids;

    $self->write_conf;
    kill 'HUP', $self->{master};

    wait_until(sub {
        my @workers = $self->worker_pids;
        my @others = $self->children(qr/^nginx: /);
        return @workers >= $self->{workers} && !grep { $old{$_} } @others;
    }, PATIENCE) or die "nginx did not reload:\n" . $self->log_tail . "\n";
}


sub signal {
    my ($self, $signal, @pids) = @_;

    return kill $signal, @pids ? @pids : $self->{master};
}


# kill -9 of one process; returns its pid when another has taken its place.

sub kill_worker {
    my ($self, $pid) = @_;

    return $self->kill_child(\&worker_pids, $pid);
}


sub kill_keeper {
    my ($self, $pid) = @_;

    return $self->kill_child(\&keeper_pids, $pid);
}


sub kill_child {
    my ($self, $pids, $pid) = @_;

    my @before = $pids->($self);
    $pid //= $before[0] // die "there is no such process\n";

    # nginx says so in an alert, and rightly
    $self->expect_log(qr/process $pid exited on signal 9/);
    kill 'KILL', $pid;

    wait_until(sub {
        my @now = $pids->($self);
        return @now == @before && !grep { $_ == $pid } @now;
    }, PATIENCE) or die "no process took the place of $pid\n";

    return $pid;
}


# Binary upgrade: SIGUSR2, which nginx heeds as a daemon only; both generations
# run when it returns.  From then on master_pid() is the new master; returns
# the old one's pid, to which the test sends SIGQUIT.

sub upgrade {
    my ($self) = @_;

    my $old = $self->{master};
    kill 'USR2', $old;

    wait_until(sub {
        my ($new) = $self->read_file('nginx.pid') =~ /^(\d+)$/;
        return 0 unless defined $new && $new != $old;

        $self->{master} = $new;
        return $self->is_ready;
    }, PATIENCE) or die "no upgrade:\n" . $self->log_tail . "\n";

    return $old;
}


# kill -9 of every process at once.

sub kill_all {
    my ($self) = @_;

    # a master that dies after its worker may have started another one

    for (1 .. 100) {
        my @pids = $self->session_pids or last;
        kill 'KILL', @pids;
        sleep 0.01;
    }

    $self->reap(PATIENCE);
}


# SIGQUIT, or another signal; returns nginx's exit status.

sub stop {
    my ($self, $signal) = @_;

    return unless defined $self->{master};

    kill $signal // 'QUIT', $self->{master};

    return $self->reap(PATIENCE);
}


# Waits until the master and all others in its session are gone.

sub reap {
    my ($self, $seconds) = @_;

    wait_until(sub {
        my $exited = $self->has_exited;
        my @others = $self->session_pids;
        return $exited && !@others;
    }, $seconds);

    my @left = $self->session_pids;

    if (@left) {
        push @{ $self->{left} }, map { "$_->[0] $_->[3]" }
                                 grep { $self->{sessions}{$_->[2]} }
                                 processes();
        kill 'KILL', @left;
        waitpid $self->{pid}, 0 if defined $self->{pid};
    }

    undef $self->{pid};
    undef $self->{master};

    return $self->{exit};
}


sub restart {
    my ($self) = @_;

    $self->stop;

    return $self->start;
}


# -- faults ----------------------------------------------------------------

# A rule for nginx's writes and syncs, see Referral::Faults.

sub fault {
    my ($self, %arg) = @_;

    return Referral::Faults->new("$self->{dir}/faults", %arg);
}


# Sees counters that go back, see Referral::Watcher.

sub watch_counters {
    my ($self, %arg) = @_;

    return Referral::Watcher->start(port => $self->port, %arg);
}


# A small tmpfs over a directory below the test's own, the worker's as the
# directory was.  Returns why it could not be, or nothing.

sub mount_tmpfs {
    my ($self, $dir, $size) = @_;

    return 'only root can mount' if $> != 0;

    my ($mode, $uid, $gid) = (stat $dir)[2, 4, 5];
    my $options = sprintf 'size=%s,mode=%o,uid=%d,gid=%d', $size,
                          $mode & 07777, $uid, $gid;

    my ($exit, undef, $err) = $self->run_command(undef, 'mount', '-t', 'tmpfs',
                                                 '-o', $options, 'referral',
                                                 $dir);

    return "mount: $err" if $exit != 0;

    push @{ $self->{mounts} }, $dir;

    return;
}


sub unmount {
    my ($self, $dir) = @_;

    system 'umount', '-l', $dir;
    $self->{mounts} = [ grep { $_ ne $dir } @{ $self->{mounts} } ];
}


# -- the command -----------------------------------------------------------

# (exit code, standard output, standard error)

sub ctl {
    my ($self, @args) = @_;

    return $self->ctl_with(undef, @args);
}


# The same with bytes on standard input.

sub ctl_with {
    my ($self, $stdin, @args) = @_;

    if ($args[0] eq 'init' && defined $self->{user}) {
        push @args, '--owner', $self->{user}
            unless grep { $_ eq '--owner' } @args;
    }

    return $self->run_command($stdin, $self->{ctl}, '-d',
                              $self->registry_dir, @args);
}


# Must succeed; returns standard output.

sub ctl_ok {
    my ($self, @args) = @_;

    my ($exit, $out, $err) = $self->ctl(@args);

    die "referralctl @args: exit $exit: $err\n" if $exit != 0;

    chomp $out;
    return $out;
}


# One of tests/programs.

sub program {
    my ($self, $name) = @_;

    my $dir = $ENV{TEST_PROGRAMS} // "$self->{root}/build/plain/programs";

    die "$dir/$name is not there: make build/plain/helpers\n"
        unless -x "$dir/$name";

    return "$dir/$name";
}


sub run_command {
    my ($self, $stdin, @command) = @_;

    my $in = $self->write_file('command.in', $stdin // '');
    my ($out, $err) = map { "$self->{dir}/command.$_" } qw(out err);

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        $self->sanitizer_environment;
        open STDIN, '<', $in;
        open STDOUT, '>', $out;
        open STDERR, '>', $err;
        exec @command or _exit(127);
    }

    waitpid $pid, 0;
    my $exit = $? & 127 ? 128 + ($? & 127) : $? >> 8;

    return ($exit, $self->read_file($out), $self->read_file($err));
}


# -- requests --------------------------------------------------------------

# See Referral::Connection for the response.

sub request {
    my ($self, $method, $uri, %header) = @_;

    my $c = $self->connection;
    my $response = $c->request($method, $uri, Connection => 'close', %header);
    $c->close;

    return $response;
}


sub get {
    my ($self, $uri, %header) = @_;

    return $self->request('GET', $uri, %header);
}


sub get_json {
    my ($self, $uri, %header) = @_;

    my $response = $self->get($uri, Accept => 'application/json', %header);
    my $json = eval { JSON::PP->new->utf8->decode($response->{body}) };

    die "GET $uri: $response->{status}, no JSON: $@$response->{body}\n"
        unless defined $json;

    return $json;
}


# Bytes as they are, until nginx closes the connection.

sub raw {
    my ($self, $bytes) = @_;

    my $c = $self->connection;
    $c->send($bytes);
    my $answer = $c->read_all;
    $c->close;

    return $answer;
}


sub connection {
    my ($self, $port) = @_;

    return Referral::Connection->new($port // $self->port);
}


# Many requests from several processes; see Referral::Load.

sub load {
    my ($self, %arg) = @_;

    return Referral::Load::run(port => $self->port, %arg);
}


# True as soon as the function returns true, false after so many seconds.

sub wait_until {
    my ($condition, $seconds) = @_;

    my $end = time + $seconds;

    for (;;) {
        my $value = $condition->();
        return $value if $value;
        return 0 if time > $end;
        sleep 0.02;
    }
}


# -- logs and the end ------------------------------------------------------

sub error_log {
    my ($self) = @_;

    return $self->read_file('error.log');
}


sub log_tail {
    my ($self) = @_;

    my @lines = split /\n/, $self->error_log;
    splice @lines, 0, @lines - 20 if @lines > 20;

    return join "\n", @lines;
}


# An alert or emergency this test means to cause.

sub expect_log {
    my ($self, @patterns) = @_;

    push @{ $self->{expected} }, @patterns;
}


# A process that a sanitizer ended "exited with code 1", in a notice.

sub unexpected_lines {
    my ($self) = @_;

    my $bad = qr/\[(?:alert|emerg)\]|exited with code [1-9]|runtime error:/;
    my @lines = split /\n/, $self->error_log . $self->read_file('stderr');

    return grep {
        my $line = $_;
        $line =~ $bad && !grep { $line =~ $_ } @{ $self->{expected} }
    } @lines;
}


sub finish {
    my ($self) = @_;

    Test::More::subtest('nginx left as it should' => sub {
        my $running = defined $self->{master};
        my $exit = $self->stop;

        Test::More::is($exit, 0, 'nginx ended with 0') if $running;
        Test::More::is_deeply($self->{left} // [], [],
                              'all processes ended in time');

        my @lines = $self->unexpected_lines;
        Test::More::is_deeply(\@lines, [], 'no alert in the error log');

        my @reports = glob "$self->{dir}/sanitizer/*";
        Test::More::is(scalar @reports, 0, 'no sanitizer report')
            or Test::More::diag(map { $self->read_file($_) } @reports);

        if (!Test::More->builder->is_passing) {
            Test::More::diag($self->log_tail);
        }

        $self->remove_directories;
        Test::More::ok(!-e $self->{dir} && !-e $self->{shm},
                       'nothing is left on disk')
            unless $ENV{TEST_KEEP};
    });

    delete $live{$self};
}


sub remove_directories {
    my ($self) = @_;

    if ($ENV{TEST_KEEP}) {
        Test::More::diag("kept: $self->{dir} $self->{shm}");
        return;
    }

    $self->unmount($_) for reverse @{ $self->{mounts} };
    remove_tree(grep { defined } $self->{dir}, $self->{shm});
}


# A test that died leaves no nginx behind; nor does one that is interrupted.

$SIG{$_} = sub { exit 1 } for qw(HUP INT PIPE TERM);

my $owner = $$;

END {
    if ($$ == $owner) {
        my $status = $?;

        # Whoever read our output may be gone; nginx must go all the same.
        local $SIG{PIPE} = 'IGNORE';

        for my $self (values %live) {
            Test::More::diag($self->log_tail) if -e "$self->{dir}/error.log";
            kill 'KILL', $self->session_pids;
            waitpid $self->{pid}, 0 if defined $self->{pid};
            $self->remove_directories;
        }

        $? = $status;
    }
}


1;
