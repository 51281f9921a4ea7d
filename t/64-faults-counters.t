#!/usr/bin/perl

# What can happen to the counter file.  Without one nginx counts in memory that
# its processes share, says so, and takes up a file as soon as there can be one.

use strict;
use warnings;

use Fcntl qw(:flock);
use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(sum);
use Referral::Test qw(wait_until SLOWER);
use Referral::Trouble qw(link_clicks look overwrite put_back troubles
                         visit_now);


use constant {
    LAYOUT_AT => 8,              # in rfl_counters_header_t
    SHARED_S => 2.5 * SLOWER,    # a flush, and a tick to see that it is gone
};

my @of_counters = (part => 'counters', says => qr/counter/);
my $beside = 'referral_registry main %%DIR%%/referral flush=1s'
             . ' counters=%%SHM%%/small/main.counters;';

troubles(
    [ 'the counter file is removed', quiet => 1,
      cause => sub {
          my ($t, $site) = @_;
          unlink $site->{counters} or die;
      } ],

    # It has the same identity, but not what was counted since.

    [ 'a copy takes its place', quiet => 1, loses => SHARED_S, keeps => 0,
      cause => sub {
          my ($t, $site) = @_;
          put_back($t, $site->{counters}, $t->read_file($site->{counters}));
      } ],

    # What was in it since the last flush is gone with it.

    [ 'it is cut to nothing', @of_counters, deaths => 8, loses => SHARED_S,
      cause => sub {
          my ($t, $site) = @_;
          truncate $site->{counters}, 0 or die;
      },
      undo => sub {
          my ($t, $site) = @_;
          unlink $site->{counters};
      } ],

    [ 'it is cut to its header', @of_counters, deaths => 8, loses => SHARED_S,
      cause => sub {
          my ($t, $site) = @_;
          truncate $site->{counters}, 4096 or die;
      },
      undo => sub {
          my ($t, $site) = @_;
          unlink $site->{counters};
      } ],

    [ 'it is of another layout', quiet => 1, before => 1,
      cause => sub {
          my ($t, $site) = @_;
          make_counter_file($t);
          set_layout($site->{counters}, 99);
      },
      after => sub {
          my ($t, $site) = @_;
          ok(-e "$site->{counters}.old", 'the other one is set aside');
      } ],

    # Somebody else's, who is still counting: it is not taken away.

    [ 'it is of another layout and in use', @of_counters, before => 1,
      says => qr/stop that one or name another/,
      cause => sub {
          my ($t, $site) = @_;
          make_counter_file($t);
          set_layout($site->{counters}, 99);
          open $site->{user}, '<', $site->{counters} or die;
          flock $site->{user}, LOCK_SH or die;
      },
      undo => sub {
          my ($t, $site) = @_;

          # others have inherited it by now
          flock $site->{user}, LOCK_UN;
      } ],

    [ 'its directory is not writable', @of_counters, before => 1,
      cause => sub {
          my ($t) = @_;
          chmod 0500, $t->shm;
      },
      during => sub {
          my ($t) = @_;
          like(look($t)->{health}{counters}, qr/volatile/, 'it is volatile');
      },
      undo => sub {
          my ($t) = @_;
          chmod 0700, $t->shm;
      } ],

    [ 'its directory is not there', @of_counters, before => 1,
      registry => $beside,
      cause => sub { },
      undo => sub {
          my ($t) = @_;
          mkdir $t->shm . '/small', 0700 or die;
          $t->give_to_worker($t->shm . '/small');
      } ],

    # In memory only, and nginx ends: the ledger has it all the same.

    [ 'there is none till the end', @of_counters, before => 1, keeps => 0,
      cause => sub {
          my ($t) = @_;
          chmod 0500, $t->shm;
      },
      during => sub {
          my ($t) = @_;
          my $before = sum(look($t)->{outcomes});

          # those who come while nothing listens would be refused
          $t->reload;
          cmp_ok(sum(look($t)->{outcomes}), '>=', $before,
                 'a reload loses nothing of it');
      },
      undo => sub {
          my ($t) = @_;
          chmod 0700, $t->shm;
      } ],

    [ 'tmpfs is full when it is made', @of_counters, before => 1, root => 1,
      registry => $beside, says => qr/No space left/,
      prepare => sub { small_tmpfs($_[0], '128k') },
      cause => sub { },
      undo => sub { remount($_[0], '64m') } ],

    # The first file has room for 4,096 links, and half a megabyte of each
    # worker; more links need more.

    [ 'tmpfs is too small for more links', @of_counters, root => 1,
      registry => $beside, says => qr/enlarge its file system/,
      prepare => sub { small_tmpfs($_[0], '2m') },
      cause => sub {
          my ($t, $site) = @_;
          my $csv = join '', "source\n",
                    map { "https://h$_.example/page\n" } 1 .. 9000;
          my ($exit, undef, $err) = $t->ctl_with($csv, 'import', '-');

          is($exit, 0, 'more links than have room') or diag($err);
      },
      during => sub {
          my ($t, $site) = @_;

          visit_now($site, 0, map {
              [ '/', Referer => "https://h$_.example/page" ]
          } 1 .. 9000);
          ok(wait_until(sub { look($t)->{health}{overflow} > 0 }, 20),
             'what has no cell counts as overflow');
      },
      undo => sub { remount($_[0], '64m') },
      after => sub {
          my ($t, $site) = @_;

          my $health = look($t)->{health};
          my $overflow = $health->{overflow};

          cmp_ok($health->{capacity}, '>', 9001, 'it has grown');
          visit_now($site, 0, map {
              [ '/', Referer => "https://h$_.example/page" ]
          } 8001 .. 9000);
          sleep 0.3;
          is(look($t)->{health}{overflow}, $overflow, 'now all have a cell');
      },
      keeps => 0 ],
);


# As nginx makes it, and the ledger has its counts.

sub make_counter_file {
    my ($t) = @_;

    $t->start;
    ok(wait_until(sub { look($t)->{health}{counters} eq 'ok' }, 10),
       'there is a counter file');
    $t->stop;
}


sub set_layout {
    my ($path, $layout) = @_;

    open my $f, '+<', $path or die "$path: $!\n";
    binmode $f;
    seek $f, LAYOUT_AT, 0;
    print $f pack 'L', $layout;
    close $f or die "$path: $!\n";
}


sub small_tmpfs {
    my ($t, $size) = @_;

    my $dir = $t->shm . '/small';

    mkdir $dir, 0700 or die "$dir: $!\n";
    $t->give_to_worker($dir);

    my $why = $t->mount_tmpfs($dir, $size);

    plan skip_all => $why if defined $why;
}


sub remount {
    my ($t, $size) = @_;

    system('mount', '-o', "remount,size=$size", $t->shm . '/small') == 0
        or die "remount failed\n";
}
