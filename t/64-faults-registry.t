#!/usr/bin/perl

# What can happen to the registry's files while nginx runs: visitors are
# served and counted; without the registry their links are not known, and all
# is found again when it is back.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test qw(wait_until);
use Referral::Trouble qw(file_troubles link_clicks put_back troubles visit_now);


my $later = 'https://later.example/page';
my $last = 'https://last.example/page';

troubles(
    file_troubles('registry'),

    # What an older one knows goes on; it is used when all have closed the newer
    # one, which takes them a tick.  An id that was given away meanwhile is
    # not given to another link, which would begin with that one's clicks.

    [ 'an older registry is put back', quiet => 1, blind => 1,
      prepare => sub {
          my ($t) = @_;

          return $t->read_file($t->registry_dir . '/registry/data.mdb');
      },
      cause => sub {
          my ($t, $site) = @_;

          $t->ctl_ok('add', $later);
          visit_now($site, 0, ([ '/', Referer => $later ]) x 20);
          $site->{of_others} = 20;
          put_back($t, $t->registry_dir . '/registry/data.mdb',
                   $site->{prepared});
      },
      after => sub {
          my ($t) = @_;

          my $key = $t->ctl_ok('add', $last);

          is(link_clicks($t, $key), 0, 'a new link begins at 0');
          $t->get('/', Referer => $last) for 1 .. 3;
          ok(wait_until(sub { link_clicks($t, $key) == 3 }, 20), 'and counts')
              or diag(link_clicks($t, $key));
      } ],
);
