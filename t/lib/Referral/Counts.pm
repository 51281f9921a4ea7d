package Referral::Counts;

# What nginx counted, as tests want to compare it.
#
#     is_deeply(counted($t, sub { $t->get('/', Referer => $page) }),
#               { matched => 1, exact => 1, clicks => 1,
#                 'clicks.matched' => 1 }, 'a click');
#
# nginx answers first and counts then: who asks another worker at once may be
# early.  Tests know how many requests they sent; they wait for that number
# and then, with several workers, look once more: one too many would come late.

use strict;
use warnings;

use Time::HiRes qw(sleep);

use Referral::Test qw(wait_until);

use Exporter qw(import);

our @EXPORT_OK = qw(summary settled counted flat nonzero links_of link_of
                    counters_of sum);

use constant PATIENCE => 30;


sub summary {
    my ($t, $path) = @_;

    return $t->get_json($path // '/status');
}


# The summary as soon as so many requests are counted; as it is after a wait
# in vain.

sub settled {
    my ($t, $total, $path) = @_;

    wait_until(sub { sum(summary($t, $path)->{outcomes}) >= $total },
               PATIENCE);
    sleep 0.1 if $t->{workers} > 1;

    return summary($t, $path);
}


# What changed while the function ran: outcomes and evidence by name, clicks
# by outcome as "clicks.matched", the counters of all links by name (bytes
# apart: they differ with every header).  requests: how many to wait for, 1, or
# a function that tells it afterwards.

sub counted {
    my ($t, $function, $requests, $path) = @_;

    my $before = summary($t, $path);

    $function->();

    $requests = $requests->() if ref $requests;

    my $after = settled($t, sum($before->{outcomes}) + ($requests // 1),
                        $path);
    my ($old, $new) = map { flat($_) } $before, $after;

    return nonzero({ map { $_ => $new->{$_} - $old->{$_} } keys %$new });
}


sub flat {
    my ($summary) = @_;

    my %flat = (%{ $summary->{outcomes} }, %{ $summary->{evidence} },
                %{ $summary->{classes} });

    for my $outcome (keys %{ $summary->{clicks} }) {
        $flat{"clicks.$outcome"} = $summary->{clicks}{$outcome};
    }

    delete $flat{bytes};

    for my $name (qw(overflow lookup_errors)) {
        $flat{$name} = $summary->{health}{$name};
    }

    return \%flat;
}


sub nonzero {
    my ($hash) = @_;

    return { map { $_ => $hash->{$_} } grep { $hash->{$_} } keys %$hash };
}


sub sum {
    my ($hash) = @_;

    my $sum = 0;
    $sum += $_ for values %$hash;

    return $sum;
}


# All links by key.

sub links_of {
    my ($t, $path) = @_;

    my $answer = $t->get_json(($path // '/status') . '/links?limit=all');

    return { map { $_->{key} => $_ } @{ $answer->{links} } };
}


sub link_of {
    my ($t, $key, $path) = @_;

    return $t->get_json(($path // '/status') . "/links/$key");
}


# A link's counters that are not 0, without the bytes.

sub counters_of {
    my ($t, $key, $path) = @_;

    my $counters = link_of($t, $key, $path)->{counters};
    delete $counters->{bytes};

    return nonzero($counters);
}


1;
