#!/usr/bin/perl

# The rules a machine can check: who may include what, how lines look, that
# the build script knows every file, and that clang finds no fault either.

use strict;
use warnings;

use File::Find qw(find);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


chdir Referral::Test::root_dir() or die;

my $module = 'ngx_referral_module';
my %text = map { $_ => slurp($_) } sources($module, 'tests');
my @files = sort keys %text;
my @core = grep { m{^$module/core/} } @files;
my @nginx = grep { m{^$module/nginx/} } @files;

ok(@core && @nginx, 'there are sources');

is_deeply([ grep { $text{$_} =~ /ngx_/ } @core ], [],
          'the core knows no nginx');

is_deeply([ including('lmdb\.h') ], [ "$module/core/rfl_store.c" ],
          'the store alone includes lmdb.h');
is_deeply([ including('xxhash\.h') ], [ "$module/core/rfl_hash.c" ],
          'the hash alone includes xxhash.h');
is_deeply([ including('jansson\.h') ], [ "$module/core/rfl_json_in.c" ],
          'the reader of JSON alone includes jansson.h');
cmp_ok(scalar including('pcre2\.h'), '<=', 1,
       'one file at most includes pcre2.h');

is_deeply([ places(qr/\t/) ], [], 'no tabs');
is_deeply([ places(qr/ +$/) ], [], 'no white space at the end of a line');
is_deeply([ places(qr/^.{81}/) ], [], 'no line is longer than 80 columns');
is_deeply([ places(qr/\b(?:TODO|FIXME|XXX)\b/) ], [], 'nothing is put off');

my $config = slurp('config');

is_deeply([ grep { !listed($_) } @core, @nginx ], [],
          'config lists every file of core and nginx');

SKIP: {
    my $clang = find_program('clang');

    skip 'clang is not installed', 1 unless defined $clang;

    is_deeply([ clang_faults($clang) ], [], 'clang compiles all');
}

done_testing;


sub sources {
    my @found;

    find({ no_chdir => 1, wanted => sub {
        push @found, $_ if -f && /\.[ch]$/;
    } }, grep { -d } @_);

    return @found;
}


sub slurp {
    my ($path) = @_;

    open my $f, '<', $path or die "$path: $!\n";
    local $/;

    return scalar <$f>;
}


sub including {
    my ($header) = @_;

    my @found = grep { $text{$_} =~ /^\s*#\s*include\s*[<"]$header[>"]/m }
                grep { m{^$module/} } @files;

    return @found;
}


sub places {
    my ($pattern) = @_;

    my @found;

    for my $file (@files) {
        my $number = 0;

        for my $line (split /\n/, $text{$file}) {
            $number++;
            push @found, "$file:$number" if $line =~ $pattern;
        }
    }

    return @found;
}


# Files for the command alone are no part of the module.

sub listed {
    my ($file) = @_;

    return 1 if $file =~ m{/rfl_(?:csv|check\w*)\.[ch]$};

    $file =~ s/^$module/\$ngx_referral_dir/;

    return $config =~ /\Q$file\E(?:\s|")/;
}


sub find_program {
    my ($name) = @_;

    return (grep { -x } map { "$_/$name" } split /:/, $ENV{PATH})[0];
}


sub clang_faults {
    my ($clang) = @_;

    my @common = qw(-fsyntax-only -std=gnu11 -Wall -Wextra -Werror
                    -Wpointer-arith -Wno-unused-parameter);
    my @includes = map { "-I$_" }
                   "$module/core", "$module/cli", 'tests/support';

    # as nginx's configure has it for clang
    my @in_nginx = qw(-Wconditional-uninitialized);

    # cmocka 2 warns of what cmocka 1 has no other name for
    my @in_tests = qw(-Wno-deprecated-declarations);

    return map {
        compiles($clang, @common, @includes, nginx_includes($_),
                 m{^$module/(?:core|nginx)/} ? @in_nginx : (),
                 m{^tests/} ? @in_tests : (), $_)
    } grep { /\.c$/ } @files;
}


# nginx's own headers are not ours to judge.

sub nginx_includes {
    my ($file) = @_;

    return () unless $file =~ m{^$module/nginx/};

    my $src = "$module/nginx";
    my @dirs = map { "build/module.src/src/$_" }
               qw(core event event/modules event/quic os/unix http http/modules
                  http/v2 http/v3);

    return ("-I$src", map { "-isystem$_" } @dirs, 'build/module');
}


sub compiles {
    my @command = @_;

    my $pid = open(my $f, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec @command or die;
    }

    my @said = <$f>;

    return close $f ? () : "$command[-1]: @said";
}
