#!/usr/bin/perl

# What others do who have LMDB's files open: readers that take all places or
# died in theirs, a writer that does not let go or was killed at its work.
# Nobody who serves waits for them.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use Referral::Test qw(wait_until SLOWER);
use Referral::Trouble qw(look troubles);


troubles(
    (map {
        my $part = $_;

        [ "no place is left in the reader table of the $part",
          part => $part, blind => $part eq 'registry', reload => 1,
          says => qr/all 1024 reader slots are in use/,
          cause => sub { hold(@_, 'readers', $part, 0) },

          # killed: their places stay taken until somebody looks
          undo => sub { kill_holder($_[1]) } ],

        [ "a writer of the $part does not let go", quiet => 1, reload => 1,
          cause => sub { hold(@_, 'writer', $part) },
          during => sub { nobody_waits($_[0]) },
          undo => sub { kill_holder($_[1]) } ],

        [ "a writer of the $part is killed at its work", quiet => 1,
          cause => sub { hold(@_, 'dirty', $part) },
          undo => sub {
              my ($t, $site) = @_;

              kill_holder($site);

              my $key = $t->ctl_ok('add', 'https://other.example/page');

              like($key, qr/^[0-9a-f]{16}$/, 'the next one can write');
          } ],
    } qw(registry ledger)),

    # Pages that a reader may still look at cannot be used again: the files
    # grow, and that is all.

    [ 'readers hold old snapshots', quiet => 1,
      cause => sub {
          my ($t, $site) = @_;

          hold($t, $site, 'readers', 'ledger', 100);
      },
      undo => sub { kill_holder($_[1]) },
      after => sub {
          my ($t) = @_;

          ok(wait_until(sub { look($t)->{health}{readers} < 100 }, 20),
             'their places are free');
      } ],
);


sub hold {
    my ($t, $site, $what, $part, @count) = @_;

    my @command = ($t->program('hold'), $what,
                   $t->registry_dir . "/$part", @count);

    # it lives until its standard input ends
    pipe my $stay, $site->{stay} or die;
    pipe my $said, my $say or die;

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<&', $stay;
        open STDOUT, '>&', $say;
        close $site->{stay};
        exec @command or POSIX::_exit(127);
    }

    close $stay;
    close $say;
    $site->{holder} = $pid;

    like(scalar <$said> // '', qr/^ready/, 'they are held');
    $t->give_to_worker(glob $t->registry_dir . "/$part/*");
}


sub kill_holder {
    my ($site) = @_;

    kill 'KILL', $site->{holder};
    waitpid $site->{holder}, 0;
}


sub nobody_waits {
    my ($t) = @_;

    my $end = time + 2;
    my $slowest = 0;

    while (time < $end) {
        my $start = time;
        look($t);
        my $took = time - $start;
        $slowest = $took if $took > $slowest;
    }

    cmp_ok($slowest, '<', SLOWER, 'no answer waits for it');

    my $start = time;
    $t->reload;
    cmp_ok(time - $start, '<', 5 * SLOWER, 'nor does a reload');
}
