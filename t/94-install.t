#!/usr/bin/perl

# "make install" puts all where DESTDIR, PREFIX and MODULES_DIR say, and nothing
# elsewhere.

use strict;
use warnings;

use File::Find qw(find);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $t = Referral::Test->new;             # its directory
my $root = Referral::Test::root_dir();

if (!-e "$root/build/ngx_http_referral_module.so") {
    my $why = 'there is no build/: make module cli';

    die "$why\n" if $ENV{CI};
    plan(skip_all => $why);
}

installed('as it comes', '/usr/lib/nginx/modules', '/usr/local');
installed('with a prefix', '/usr/lib/nginx/modules', '/usr', 'PREFIX=/usr');
installed('elsewhere', '/opt/modules', '/opt/referral',
          'PREFIX=/opt/referral', 'MODULES_DIR=/opt/modules');

$t->finish;

done_testing;


# Manual pages and completion.

sub shared {
    my @pages = map { m{/([^/]+\.(\d))\.in$} ? "man/man$2/$1" : () }
                glob "$root/man/*.in";

    return (@pages, 'bash-completion/completions/referralctl');
}


sub installed {
    my ($name, $modules, $prefix, @variables) = @_;

    my $dest = $t->dir . "/dest of $name" =~ tr/ /-/r;
    my %wanted = ("$modules/ngx_http_referral_module.so" => 0644,
                  "$prefix/bin/referralctl" => 0755);

    $wanted{"$prefix/share/$_"} = 0644 for shared();

    # what another make, or a user, has in the environment is not for this one
    my @others = qw(MAKEFLAGS MAKELEVEL PREFIX MODULES_DIR DESTDIR NGINX_SRC);

    local @ENV{@others};
    delete @ENV{@others};

    my ($exit, $out, $err) = $t->run_command(undef, 'make', '-C', $root,
                                             'install', "DESTDIR=$dest",
                                             @variables);

    is($exit, 0, "$name: make install") or diag($err);

    my %found;

    find({ no_chdir => 1, wanted => sub {
        return unless -f;
        $found{ $File::Find::name =~ s/^\Q$dest\E//r } = (stat _)[2] & 07777;
    } }, $dest);

    is_deeply(\%found, \%wanted, "$name: each file is in its place");

    ($exit, $out) = $t->run_command(undef, "$dest$prefix/bin/referralctl",
                                    '--help');
    is($exit, 0, "$name: the command runs");
}
