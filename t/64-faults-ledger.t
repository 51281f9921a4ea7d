#!/usr/bin/perl

# What can happen to the ledger's files while nginx runs: the counts wait in
# the counter file, and the ledger that is put back gets them all, once.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;
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
);
