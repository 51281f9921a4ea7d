#!/usr/bin/perl

# The build script says which package is missing.  It is run as nginx's
# configure runs it, with nginx's own probe and a compiler that does not find
# one header.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $t = Referral::Test->new;
my $root = Referral::Test::root_dir();
my $feature = "$root/build/module.src/auto/feature";

-e $feature or die "$feature is not there: make module\n";

$t->write_file('src/auto/module', ": > module-was-added\n");
symlink $feature, $t->dir . '/src/auto/feature' or die "symlink: $!\n";

my $cc = $t->write_file('cc', <<'CC');
#!/bin/sh

for word in "$@"; do
    case $word in
        *.c) grep -q "<$MISSING>" "$word" && exit 1 ;;
    esac
done

exec gcc "$@"
CC

chmod 0755, $cc;

my %packages = (
    'lmdb.h' => 'liblmdb-dev',
    'xxhash.h' => 'libxxhash-dev',
    'pcre2.h' => 'libpcre2-dev',
    'idn2.h' => 'libidn2-dev',
    'jansson.h' => 'libjansson-dev',
);

for my $header (sort keys %packages) {
    my ($exit, $said, $added) = configure($header);

    is($exit, 1, "without $header nothing is configured");
    is_deeply([ $said =~ /\b(lib\w+-dev)\b/g ], [ $packages{$header} ],
              "and $packages{$header} is named") or diag($said);
    ok(!$added, 'the module is not added');
}

my ($exit, $said, $added) = configure('none.h');

is($exit, 0, 'with all of them the module is configured') or diag($said);
ok($added, 'and added');
unlike($said, qr/lib\w+-dev/, 'and no package is named');

$t->finish;

done_testing;


sub configure {
    my ($missing) = @_;

    my $dir = $t->dir . '/src';

    unlink "$dir/module-was-added";

    my ($exit, $out, $err) = $t->run_command(undef, 'env',
        "MISSING=$missing", "CC=$cc", "NGX_AUTOTEST=$dir/autotest",
        "NGX_AUTOCONF_ERR=$dir/autoconf.err", "ngx_addon_dir=$root", 'ngx_n=',
        'ngx_c=', 'sh', '-c', 'cd "$1" && . "$2"', 'sh', $dir,
        "$root/config");

    return ($exit, $out . $err, -e "$dir/module-was-added");
}
