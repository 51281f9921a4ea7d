#!/usr/bin/perl

# What share/ has to copy, as it is meant to be run: the image that Dockerfile
# makes, nginx.conf in it, and the pod of kubernetes.yaml, all on the paths
# they name.  There is no docker here: the commands of the last stage are run
# in a Debian of its own, as docker would run them on its base.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Root;
use Referral::Test qw(root_dir wait_until);


use constant PAGE => 'https://blog.example/2024/launch';

my $share = root_dir() . '/share';
my @debs = grep { !/-dbgsym_/ } glob root_dir() . '/build/deb/*.deb';

if (@debs == 0 || !eval { require YAML::XS }) {
    my $why = @debs == 0 ? 'there are no packages: make deb'
                         : 'there is no YAML::XS';

    die "$why\n" if $ENV{CI};
    plan skip_all => $why;
}

my $r = Referral::Root->new;
my @stages = stages();
my $pid;

image();
autopkgtest();
container();
nginx_conf();
pod();

$r->finish;

done_testing;


# Instructions of Dockerfile by stage: [ [ NAME, rest ], ... ].

sub stages {
    my $text = slurp("$share/Dockerfile") =~ s/^#.*\n//gmr =~ s/\\\n//gr;
    my @all;

    for my $line (grep { /\S/ } split /\n/, $text) {
        my ($name, $rest) = $line =~ /^([A-Z]+)\s+(.*\S)/
            or die "Dockerfile: $line\n";

        push @all, [] if $name eq 'FROM';
        push @{ $all[-1] }, [ $name, $rest ] if @all;
    }

    return @all;
}


sub image {
    is(scalar @stages, 2, 'two stages');
    is_deeply([ map { $_->[0][1] =~ /^\$\{BASE_IMAGE\}/ } @stages ], [ 1, 1 ],
              'both on the base image');
    like(join("\n", map { "@$_" } @{ $stages[0] }),
         qr/^RUN DEB_BUILD_OPTIONS=noautodbgsym dpkg-buildpackage /m,
         'one builds the packages, none with symbols for debuggers');

    for my $step (@{ $stages[1] }) {
        my ($name, $rest) = @$step;

        $r->run_ok($rest) if $name eq 'RUN';
        copy_files(split ' ', $rest) if $name eq 'COPY';
    }

    ok(!-e $r->dir . '/tmp/packages', 'no package is left');
    # as docker keeps an image's files, but not its processes
    $r->run_ok('service nginx stop');
}


# What Debian would run of debian/tests.

sub autopkgtest {
    $r->put('debian/tests/count', '/tmp/count');
    $r->run_ok('sh /tmp/count');
    $r->run_ok('service nginx stop'
               . ' && rm -r /var/lib/nginx/referral /run/ngx-referral');
}


# Of the other stage these are what make deb has built, too.

sub copy_files {
    my ($from, @names) = @_;

    if ($from =~ /^--from=/) {
        is_deeply([ $from, @names ],
                  [ '--from=build', '/src/*.deb', '/tmp/packages/' ],
                  'the packages are copied');
        $r->run_ok('mkdir -p /tmp/packages');
        $r->put($_, '/tmp/packages/' . (split m{/})[-1]) for @debs;

    } else {
        $r->put($from, @names);
    }
}


# The root of docker's containers is root, the counters are on --tmpfs /run.

sub container {
    my ($cmd) = map { $_->[1] } grep { $_->[0] eq 'CMD' } @{ $stages[1] };

    $r->run_ok('mount -t tmpfs run /run');
    run_nginx(join ' ', map { "'$_'" } @{ JSON::PP->new->decode($cmd) });
    lives('the image', 'http://127.0.0.1/', '');
    like($r->read_file('/tmp/nginx'), qr{"GET / HTTP/1\.1" 200},
         'its access log is standard output');
    unlike($r->read_file('/tmp/nginx'), qr/\[warn\].*referral/,
           'nothing is warned of');
    stop_nginx();
    $r->run_ok('umount /run && rm -r /var/lib/nginx/referral');
}


sub nginx_conf {
    my $conf = '/etc/nginx/nginx.conf';
    my $host = "-H 'Host: example.com'";

    $r->put("$share/nginx.conf", $conf);
    $r->run_ok('rm /var/log/nginx/*.log && nginx -t');
    run_nginx("nginx -g 'daemon off;'");
    lives('nginx.conf', 'http://127.0.0.1/', $host);
    is($r->run_ok("curl -s -w '%{http_code}' http://127.0.0.1/health"), '204',
       'its location for health checks answers');
    is($r->run_ok("curl -s -o /dev/null -w '%{http_code}' --interface 127.0.0.5"
                  . ' http://127.0.0.1:8089/'), '403',
       'no other address is shown the status');
    stop_nginx();
    $r->run_ok('rm -r /var/lib/nginx/referral /run/ngx-referral');
}


# User 33 without rights, on a read-only root, with three volumes.

sub pod {
    my %object = map { $_->{kind} => $_ }
                 YAML::XS::Load(slurp("$share/kubernetes.yaml"));
    my $spec = $object{Deployment}{spec}{template}{spec};
    my ($nginx) = @{ $spec->{containers} };
    my $data = $object{ConfigMap}{data};
    my %path = map { $_->{name} => $_->{mountPath} }
               @{ $nginx->{volumeMounts} };
    my $user = 'setpriv --reuid=33 --regid=33 --clear-groups'
               . ' --bounding-set=-all --no-new-privs';

    # as fsGroup has them
    $r->run_ok("mkdir -p $path{$_} && mount -t tmpfs"
               . " -o mode=2775,gid=33 $_ $path{$_}") for qw(data counters);
    config_map($path{config}, 1, $data);
    $r->run_ok('mount -o remount,bind,ro /');

    run_nginx("$user @{ $nginx->{command} }");
    is($r->run_ok("curl -s -w '%{http_code}' http://127.0.0.1:8080/health"),
       '204', 'the pod is ready');

    ok(wait_until(sub { links($user) == 3 }, 60),
       'it has the links of its ConfigMap');
    counted('the pod', $user, 'http://127.0.0.1:8080/');

    $data->{'links.csv'} =~ s/^news.*\n//m;
    config_map($path{config}, 2, $data);
    ok(wait_until(sub { links($user) == 2 }, 60),
       'a changed ConfigMap is followed');
    counted('the pod after that', $user, 'http://127.0.0.1:8080/');

    stop_nginx();
}


# As a kubelet puts it there: the files are links into a directory that is
# swapped as a whole.

sub config_map {
    my ($dir, $version, $data) = @_;

    $r->write_file("$dir/..$version/$_", $data->{$_}) for keys %$data;

    my $at = $r->dir . $dir;

    symlink "..$version", "$at/..new" or die "$at: $!\n";
    rename "$at/..new", "$at/..data" or die "$at: $!\n";

    for my $name (keys %$data) {
        symlink "..data/$name", "$at/$name" unless -l "$at/$name";
    }
}


# A link is registered, and its clicks are counted.

sub lives {
    my ($name, $url, @options) = @_;

    $r->run_ok('referralctl add ' . PAGE);
    counted($name, '', $url, @options);
}


# Visits one by one.  Each worker for itself looks once a second for a registry
# that was not there when it began.

sub counted {
    my ($name, $user, $url, @options) = @_;

    my $visit = "curl -s -A 'Mozilla/5.0 (demo)' -H 'Accept: text/html'"
                . " -e ${\PAGE} @options $url";
    my $pages = 0;

    ok(wait_until(sub {
        my $before = clicks($user);

        for (1 .. 4) {
            my (undef, $page) = $r->run($visit);
            $pages++ if $page =~ /Welcome to nginx/;
        }

        # a request is counted a moment after it was answered
        return wait_until(sub { clicks($user) == $before + 4 }, 2);
    }, 60), "$name: every visit is counted");
    cmp_ok($pages, '>=', 4, "$name: and served");
}


sub links {
    my ($user) = @_;

    my ($exit, $said) = $r->run("$user referralctl --json list");
    my $list = eval { JSON::PP->new->utf8->decode($said) } // return -1;

    return scalar @{ $list->{links} };
}


# Of the link of PAGE.

sub clicks {
    my ($user) = @_;

    my ($exit, $said) = $r->run("$user referralctl --json list");
    my $list = eval { JSON::PP->new->utf8->decode($said) } // return -1;
    my ($link) = grep { $_->{source} eq PAGE } @{ $list->{links} };

    return $link->{counters}{clicks} // -1;
}


# In the foreground, as a container's process; returns when it answers.

sub run_nginx {
    my ($command) = @_;

    $pid = $r->spawn("exec $command", '/tmp/nginx');

    ok(wait_until(sub {
        return ($r->run('curl -s -o /dev/null http://127.0.0.1:8089/'))[0] == 0;
    }, 60), $command) or diag($r->read_file('/tmp/nginx'));
}


sub stop_nginx {
    my ($exit, $said) = $r->run('kill -QUIT $(cat /run/nginx.pid'
                                . ' /run/ngx-referral/nginx.pid 2>/dev/null)');

    waitpid $pid, 0;
    is($?, 0, 'it ends when it is told to') or diag($said);
}


sub slurp {
    my ($path) = @_;

    open my $f, '<', $path or die "$path: $!\n";
    local $/;

    return scalar <$f>;
}
