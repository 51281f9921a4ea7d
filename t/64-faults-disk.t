#!/usr/bin/perl

# The ledger's disk is full, broken or slow, or its map is too small: the
# counts wait in the counter file, and nobody else waits.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

use lib "$FindBin::Bin/lib";
use Referral::Test qw(wait_until);
use Referral::Trouble qw(look troubles visit_now);


my @of_ledger = (part => 'ledger', says => qr/flush failed/);
my $small_map = 'referral_registry main %%DIR%%/referral flush=1s'
                . ' counters=%%SHM%%/main.counters map_size=1m;';

troubles(
    [ 'the map is full', @of_ledger, logs => qr/map_size is 1048576/,
      registry => $small_map,
      prepare => sub { register($_[0], 40000) },
      cause => sub { visit_all($_[1], 40000) },
      undo => sub {
          my ($t) = @_;

          $t->set_conf(http => $t->{http} =~ s/map_size=1m/map_size=64m/r);
          $t->reload;
      } ],

    [ 'the disk is full', @of_ledger, root => 1,
      logs => qr/disk is full/,
      mount => '4m',
      prepare => sub { register($_[0], 4000) },
      cause => sub {
          my ($t, $site) = @_;

          fill($t->registry_dir . '/filler');
          visit_all($site, 4000);
      },
      undo => sub {
          my ($t) = @_;
          unlink $t->registry_dir . '/filler' or die;
      } ],

    (map {
        my ($calls, $error, $after, $text) = @$_;

        my $when = $after ? ' when done' : '';

        [ "each $calls of the ledger says $error$when", @of_ledger,
          logs => $text, new => { preload => 1 },
          cause => sub {
              my ($t, $site) = @_;

              $site->{fault} = $t->fault(calls => $calls, where => 'ledger',
                                         error => $error, after => $after);
          },
          undo => sub {
              my ($t, $site) = @_;

              cmp_ok($site->{fault}->done, '>', 0, 'so it did');
              $site->{fault}->clear;
          } ]
    } ([ 'write', 'ENOSPC', 0, qr/disk is full/ ],
       [ 'write', 'EIO', 0, qr{Input/output error} ],
       [ 'sync', 'EIO', 0, qr{Input/output error} ],
       [ 'sync', 'EIO', 1, qr{Input/output error} ],
       [ 'meta', 'EIO', 0, qr{Input/output error|panic}i ],
       [ 'meta', 'EIO', 1, qr{Input/output error|panic}i ],
       [ 'commit', 'EIO', 1, qr{Input/output error} ])),

    # A flush that is not due has not gone well.

    [ 'flushes that fail are seconds apart', @of_ledger, logs => qr/error/,
      new => { preload => 1 }, watch => 7,
      registry => 'referral_registry main %%DIR%%/referral flush=3s'
                  . ' counters=%%SHM%%/main.counters;',
      cause => sub {
          my ($t, $site) = @_;

          $site->{fault} = $t->fault(calls => 'sync', where => 'ledger',
                                     error => 'EIO');
      },
      undo => sub {
          my ($t, $site) = @_;
          $site->{fault}->clear;
      } ],

    [ 'a sync takes 1.5 seconds', quiet => 1, new => { preload => 1 },
      cause => sub {
          my ($t, $site) = @_;

          $site->{fault} = $t->fault(calls => 'sync', delay => 1500);
      },
      during => sub {
          my ($t, $site) = @_;
          my $end = time + 4;
          my $slowest = 0;

          while (time < $end) {
              my $start = time;
              look($t);
              my $took = time - $start;
              $slowest = $took if $took > $slowest;
          }

          cmp_ok($site->{fault}->done, '>', 0, 'so it does');
          cmp_ok($slowest, '<', 1, 'and no answer waits for it');
      },
      undo => sub {
          my ($t, $site) = @_;
          $site->{fault}->clear;
      } ],
);


sub register {
    my ($t, $count) = @_;

    my $csv = join '', "source\n",
              map { "https://h$_.example/page\n" } 1 .. $count;
    my ($exit, undef, $err) = $t->ctl_with($csv, 'import', '-');

    die "import: $err" if $exit != 0;
}


sub visit_all {
    my ($site, $count) = @_;

    visit_now($site, 0, map {
        [ '/', Referer => "https://h$_.example/page" ]
    } 1 .. $count);
}


sub fill {
    my ($path) = @_;

    open my $f, '>', $path or die "$path: $!\n";

    for my $size (65536, 4096, 512, 1) {
        1 while syswrite $f, 'x' x $size;
    }

    close $f;
}
