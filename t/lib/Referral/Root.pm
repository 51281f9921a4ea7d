package Referral::Root;

# A root directory of its own with a freshly made Debian in it, as a container
# has one: its own processes, mounts and network, in which 127.0.0.1:80 is free
# and nothing else can be reached.  No systemd runs there; services are started
# by their init scripts, as in any chroot.
#
#     my $r = Referral::Root->new;            # or skips, saying why
#     $r->put('build/deb/a.deb', '/root/a.deb');
#     my ($exit, $said) = $r->run('apt-get -q -y install /root/a.deb');
#     $r->finish;
#
# With CI=1 a tool that is missing is a failure.

use strict;
use warnings;

use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use POSIX qw(_exit);
use Test::More ();

use Referral::Test qw(root_dir);


# Process 1: makes what programs expect to find, says so, and reaps.

my $init = <<'INIT';
use strict;
use warnings;

use Socket;

my ($root) = @ARGV;

sub mount {
    system('mount', @_) == 0 or die "mount @_\n";
}

mount('--bind', $root, $root);        # so that it can be made read-only
mount('-t', 'proc', 'proc', "$root/proc");
mount('--bind', '/dev', "$root/dev");
mount('-t', 'devpts', '-o', 'newinstance,ptmxmode=666', 'pts', "$root/dev/pts");
mount('-t', 'tmpfs', '-o', 'mode=1777', 'shm', "$root/dev/shm");

# the loopback interface: SIOCSIFFLAGS, IFF_UP and IFF_RUNNING
socket(my $s, AF_INET, SOCK_DGRAM, 0) or die "socket: $!\n";
my $request = pack('a16 s x22', 'lo', 0x41);
ioctl($s, 0x8914, $request) or die "lo: $!\n";

# from here on; system() could not wait for mount
$SIG{CHLD} = 'IGNORE';
$SIG{TERM} = sub { exit 0 };

print "ready\n";
close STDOUT;
sleep 3600 while 1;
INIT


sub new {
    my ($class) = @_;

    my $why = why_not();
    Test::More::plan(skip_all => $why) if defined $why;

    my $self = bless { owner => $$ }, $class;

    $self->{dir} = tempdir('referral-root-XXXXXX', TMPDIR => 1);
    chmod 0755, $self->{dir};

    my $tar = root_dir() . '/build/root.tar';

    system('tar', '-C', $self->{dir}, '-xpf', $tar) == 0
        or die "$tar cannot be unpacked\n";

    # without systemd, services start if this says so
    $self->write_file('/usr/sbin/policy-rc.d', "#!/bin/sh\nexit 0\n", 0755);

    $self->begin;

    return $self;
}


# What keeps such a directory from being made here, or nothing.

sub why_not {
    return 'only root can have a root directory of its own' if $> != 0;

    return 'namespaces are not allowed here'
        if system('unshare -mpniu --fork --propagation private'
                  . ' sh -c "mount -t tmpfs none /mnt'
                  . ' && mount -t proc proc /proc" 2>/dev/null') != 0;

    die "debootstrap is not installed\n"
        if $ENV{CI} && system('command -v debootstrap >/dev/null') != 0;

    my $said = qx('@{[ root_dir() ]}/tools/make-root' 2>&1);

    return if $? == 0;

    Test::More::diag($said);

    return (split /\n/, $said)[-1] // 'tools/make-root failed';
}


sub begin {
    my ($self) = @_;

    my $root = $self->{dir};

    $self->{pid} = open($self->{out}, '-|') // die "fork: $!\n";

    if ($self->{pid} == 0) {
        exec qw(unshare --mount --pid --net --ipc --uts --fork
                --kill-child=KILL --propagation private),
             $^X, '-e', $init, $root or _exit(127);
    }

    my $line = readline $self->{out};
    die "no root directory: $?\n" unless defined $line && $line eq "ready\n";

    ($self->{init}) = map { $_->[0] } grep { $_->[1] == $self->{pid} }
                      Referral::Test::processes();
}


sub dir { return $_[0]{dir} }


# A file of the tree into the root directory.

sub put {
    my ($self, $from, $to) = @_;

    $from = root_dir() . "/$from" if $from !~ m{^/};

    copy($from, "$self->{dir}$to") or die "$from: $!\n";
}


sub write_file {
    my ($self, $path, $text, $mode) = @_;

    my ($parent) = $path =~ m{^(.*)/};

    make_path("$self->{dir}$parent");
    open my $f, '>', "$self->{dir}$path" or die "$path: $!\n";
    print $f $text;
    close $f or die "$path: $!\n";
    chmod $mode // 0644, "$self->{dir}$path";
}


sub read_file {
    my ($self, $path) = @_;

    open my $f, '<', "$self->{dir}$path" or return '';
    local $/;

    return scalar <$f> // '';
}


# A command line for its shell, as root there: (exit code, all it said).  A
# daemon keeps standard error open: what is said goes to a file, not a pipe.

sub run {
    my ($self, $command) = @_;

    my $said = '/tmp/.said';
    my $pid = $self->spawn($command, $said);

    waitpid $pid, 0;

    return ($? & 127 ? 128 + ($? & 127) : $? >> 8, $self->read_file($said));
}


# The same, not waited for.

sub spawn {
    my ($self, $command, $said) = @_;

    my $root = $self->{dir};
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$root$said" or _exit(127);
        chmod 0666, \*STDOUT;           # whoever the command goes on as
        open STDERR, '>&', \*STDOUT;
        exec 'nsenter', "--target=$self->{init}",
             qw(--mount --pid --net --ipc --uts --), 'chroot', $root,
             qw(env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
                HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive
                bash -c), "cd && $command" or _exit(127);
    }

    return $pid;
}


# Must succeed; returns what it said.

sub run_ok {
    my ($self, $command) = @_;

    my ($exit, $said) = $self->run($command);

    Test::More::is($exit, 0, $command) or Test::More::diag($said);
    chomp $said;

    return $said;
}


sub finish {
    my ($self) = @_;

    my $dir = $self->{dir};

    $self->end;
    Test::More::ok(!-e $dir, 'nothing is left of the root directory');
}


# Its processes end with process 1, and its mounts with them.

sub end {
    my ($self) = @_;

    kill 'TERM', $self->{init} if defined $self->{init};
    kill 'KILL', $self->{pid} if defined $self->{pid} && !defined $self->{init};
    close $self->{out} if defined $self->{out};

    remove_tree(delete $self->{dir});
}


# A test that died leaves nothing behind.

sub DESTROY {
    my ($self) = @_;

    local ($?, $!, $@);

    $self->end if defined $self->{dir} && $self->{owner} == $$;
}


1;
