#!/usr/bin/perl

# What share/ has to copy, as far as it can be judged without being run: units
# and directories as systemd reads them, the objects of Kubernetes by what they
# refer to; and who gets the status.  t/97-image.t runs them.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $share = Referral::Test::root_dir() . '/share';
my $t = Referral::Test->new;             # its directory
my %object;

for my $name (qw(referral.conf referral-user.conf)) {
    subtest("systemd/$name" => sub { drop_in($name) });
}

subtest('systemd/ngx-referral.tmpfiles' => \&tmpfiles);
subtest('kubernetes.yaml' => \&kubernetes);

subtest("status of $_" => sub { status($_) })
    for qw(referral.conf nginx.conf kubernetes.yaml);

$t->finish;

done_testing;


# Above a unit like Debian's.

sub drop_in {
    my ($name) = @_;

    needs('systemd-analyze');

    my $unit = "$name/nginx.service";

    $t->write_file($unit, <<"UNIT");
[Unit]
Description=nginx

[Service]
Type=forking
ProtectSystem=strict
PIDFile=/run/nginx.pid
ExecStart=$t->{nginx}
UNIT
    my $text = slurp("$share/systemd/$name");

    is_deeply([ verified($unit, $text) ], [ 0, '' ],
              'systemd accepts it and warns of nothing');
    like((verified($unit, "$text\nNoSuchKey=yes\n"))[1], qr/NoSuchKey/,
         'what it does not know it says');
}


# (exit code, what systemd said) of the unit with a drop-in.

sub verified {
    my ($unit, $text) = @_;

    $t->write_file("$unit.d/referral.conf", $text);

    my ($exit, $out, $err) = $t->run_command(undef, 'systemd-analyze', 'verify',
                                             '--man=no', "$t->{dir}/$unit");

    return ($exit, $out . $err);
}


sub tmpfiles {
    needs('systemd-tmpfiles');

    my $root = $t->dir . '/root';
    my $name = "$share/systemd/ngx-referral.tmpfiles";

    $t->write_file('root/etc/passwd', "www-data:x:33:33::/:/bin/sh\n");
    $t->write_file('root/etc/group', "www-data:x:33:\n");

    plan(skip_all => 'only root can give directories away') if $> != 0;

    my ($exit, $out, $err) = $t->run_command(undef, 'systemd-tmpfiles',
                                             "--root=$root", '--create', $name);

    is($exit, 0, 'systemd makes them') or diag($err);

    for my $dir ('/run/ngx-referral', '/var/lib/nginx/referral') {
        my ($mode, $uid, $gid) = (stat "$root$dir")[2, 4, 5];

        is_deeply([ $uid, $gid, $mode & 07777 ], [ 33, 33, 0700 ],
                  "$dir is the worker user's");
    }
}


# Each name that one part of the file uses another one defines.

sub kubernetes {
    plan(skip_all => 'there is no YAML::XS')
        unless eval { require YAML::XS } || $ENV{CI};

    my @objects = YAML::XS::Load(slurp("$share/kubernetes.yaml"));

    %object = map { $_->{kind} => $_ } @objects;

    is_deeply([ sort keys %object ],
              [ qw(ConfigMap Deployment PersistentVolumeClaim Service) ],
              'the objects');
    ok(defined $_->{apiVersion} && $_->{metadata}{name} =~ /^[a-z0-9-]+$/,
       "$_->{kind} has a version and a name") for @objects;

    my $template = $object{Deployment}{spec}{template};
    my $pod = $template->{spec};
    my ($nginx) = @{ $pod->{containers} };
    my %volume = map { $_->{name} => $_ } @{ $pod->{volumes} };
    my %mount = map { $_->{name} => $_ } @{ $nginx->{volumeMounts} };

    is_deeply([ sort keys %mount ], [ sort keys %volume ],
              'each volume is mounted, and nothing else');
    ok(!exists $mount{config}{subPath},
       'the ConfigMap is mounted as a whole, so that it can be swapped');
    is($volume{config}{configMap}{name}, $object{ConfigMap}{metadata}{name},
       'the ConfigMap is ours');
    is($volume{data}{persistentVolumeClaim}{claimName},
       $object{PersistentVolumeClaim}{metadata}{name}, 'and so is the claim');
    is($volume{counters}{emptyDir}{medium}, 'Memory',
       'the counters are in memory');

    my $conf = $object{ConfigMap}{data}{'nginx.conf'};
    my ($name) = grep { m{^\Q$mount{config}{mountPath}\E/} }
                 @{ $nginx->{command} };

    ok(defined $name && exists $object{ConfigMap}{data}{$name =~ s{.*/}{}r},
       'nginx reads a file of it');
    like($conf, qr{\breferral_registry\s+site\s+\Q$mount{data}{mountPath}\E\s},
         'keeps links and totals on the volume');
    like($conf, qr{\bcounters=\Q$mount{counters}{mountPath}\E/},
         'and the counters in memory');

    my ($source) =
        $conf =~ m{\bsource=\Q$mount{config}{mountPath}\E/(\S+?);?\s};

    ok(defined $source && exists $object{ConfigMap}{data}{$source},
       'and follows the list in the ConfigMap');

    labels($template);
    ports($nginx, $conf);
    rights($pod, $nginx);
}


sub labels {
    my ($template) = @_;

    my $labels = $template->{metadata}{labels};

    is_deeply($object{Deployment}{spec}{selector}{matchLabels}, $labels,
              'the Deployment selects its pod');
    is_deeply($object{Service}{spec}{selector}, $labels, 'so does the Service');
    is($object{Deployment}{spec}{strategy}{type}, 'Recreate',
       'never do two pods have one volume');
}


sub ports {
    my ($nginx, $conf) = @_;

    my %port = map { $_->{name} => $_->{containerPort} } @{ $nginx->{ports} };
    my $probe = $nginx->{readinessProbe}{httpGet};
    my ($service) = @{ $object{Service}{spec}{ports} };

    like($conf, qr/\blisten $port{$service->{targetPort}};/,
         'the Service leads to where nginx listens');
    ok(defined $port{$probe->{port}}, 'the probe, too');
    like($conf, qr/\blocation = \Q$probe->{path}\E \{/,
         'at a location that nginx has');
}


sub rights {
    my ($pod, $nginx) = @_;

    my $context = $nginx->{securityContext};

    is($pod->{securityContext}{$_}, 33, "$_ is Debian's www-data")
        for qw(runAsUser runAsGroup fsGroup);
    ok($context->{readOnlyRootFilesystem}, 'the root is read-only');
    ok(!$context->{allowPrivilegeEscalation}, 'nothing gains rights');
    is_deeply($context->{capabilities}, { drop => [ 'ALL' ] },
              'there is no capability');
}


# A page of another site, whose name was made to lead to 127.0.0.1 (DNS
# rebinding), is of the same origin to the browser that it runs in.

sub status {
    my ($name) = @_;

    my $text = slurp("$share/$name");
    my $servers = '';

    while ($text =~ /^( *)(server \{\n *listen (\S+)[ ;].*?^\1\}\n)/msg) {
        $servers .= $2 if $3 eq '127.0.0.1:8089';
    }

    $servers =~ s/127\.0\.0\.1:8089/127.0.0.1:%%PORT%%/g;

    my $site = Referral::Test->new(http => <<"CONF");
    referral_registry site %%DIR%%/referral counters=%%SHM%%/site.counters;
$servers
CONF

    $site->start;

    for my $host ('localhost:8089', '127.0.0.1:8089', 'localhost') {
        my $answer = $site->get('/', Host => $host, Accept => '*/*');

        is($answer->{status}, 200, "$host gets the status");
        like($answer->{body}, qr/"registry":"site"/, 'as JSON');
    }

    for my $host ('evil.example:8089', 'evil.example') {
        is($site->get($_, Host => $host)->{status}, 421, "$host gets no $_")
            for qw(/ /links /metrics);
    }

    $site->finish;
}


sub needs {
    my ($program) = @_;

    return if grep { -x "$_/$program" } split /:/, $ENV{PATH};

    die "$program is not installed\n" if $ENV{CI};
    plan(skip_all => "$program is not installed");
}


sub slurp {
    my ($path) = @_;

    open my $f, '<', $path or die "$path: $!\n";
    local $/;

    return scalar <$f>;
}
