#!/usr/bin/perl

# What can happen to the ledger's files while nginx runs: the counts wait in
# the counter file, and the ledger that is put back gets them all, once.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test qw(wait_until);
use Referral::Trouble qw(file_troubles put_back troubles);


troubles(
    file_troubles('ledger'),

    # The stored values are absolute: one flush brings it up to date.

    [ 'an older ledger is put back', quiet => 1,
      cause => sub {
          my ($t) = @_;

          my $file = $t->registry_dir . '/ledger/data.mdb';
          my $old = $t->read_file($file);

          sleep 2;
          put_back($t, $file, $old);
      } ],

    # It has more than is looked at whenever it is opened: the keeper looks.

    [ 'a process dies while it writes to a large ledger', quiet => 1,
      new => { preload => 1 }, deaths => 1,
      cause => sub {
          my ($t) = @_;

          truncate $t->registry_dir . '/ledger/data.mdb', 40 * 1024 * 1024
              or die "truncate: $!\n";

          $t->expect_log(qr/process \d+ exited on signal 9/);

          my $fault = $t->fault(calls => 'commit', who => 'keeper',
                                where => 'ledger', times => 1, kill => 1);

          wait_until(sub { $fault->done == 1 }, 10);
      } ],
);
