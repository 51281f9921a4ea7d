package Referral::Watcher;

# Asks the status page again and again, from a process of its own, for as long
# as the test does something, and notes every counter that goes back.
#
#     my $watcher = $t->watch_counters(links => \@keys);
#     ...
#     my $seen = $watcher->stop;
#
#     is_deeply($seen->{backwards}, [], 'no counter was seen to go back');
#
# links: keys whose own pages are asked for in turn.  every: seconds, 0.05.
# path: /status.  Also told are
#
#     $seen->{answers}     summaries that came
#     $seen->{numbers}     counters in the last of them, and in the links
#     $seen->{broken}      requests without an answer: nginx was down
#     $seen->{status}      other answers than 200, by status
#     $seen->{gap}         longest time without an answer, in seconds

use strict;
use warnings;

use JSON::PP ();
use POSIX qw(_exit);
use Time::HiRes qw(sleep time);

use Referral::Connection;

use constant BACKWARDS_MAX => 20;        # that many tell enough


sub start {
    my ($class, %arg) = @_;

    pipe my $read, my $write or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        close $read;
        my $seen = eval { watch(\%arg) } // { error => $@ };

        print $write JSON::PP->new->utf8->encode($seen);
        close $write;
        _exit(0);
    }

    close $write;

    return bless { pid => $pid, read => $read }, $class;
}


sub stop {
    my ($self) = @_;

    kill 'USR1', $self->{pid};

    local $/;
    my $seen = JSON::PP->new->utf8->decode(readline $self->{read});

    waitpid $self->{pid}, 0;
    die "watcher: $seen->{error}" if defined $seen->{error};

    return $seen;
}


sub watch {
    my ($arg) = @_;

    my $stop = 0;

    local $SIG{USR1} = sub { $stop = 1 };
    local $SIG{TERM} = 'DEFAULT';

    my $path = $arg->{path} // '/status';
    my @links = @{ $arg->{links} // [] };
    my $every = $arg->{every} // 0.05;
    my %state = (last => {}, backwards => [], answers => 0, broken => 0,
                 status => {}, gap => 0);
    my $answered = time;

    for (my $turn = 0; !$stop; $turn++) {
        my $next = time + $every;
        my $answer = ask($arg->{port}, $path, \%state);

        if (defined $answer) {
            compare(\%state, summary_numbers($answer));
            $state{answers}++;

            my $gap = time - $answered;
            $state{gap} = $gap if $gap > $state{gap};
            $answered = time;
        }

        if (@links) {
            my $key = $links[$turn % @links];
            my $link = ask($arg->{port}, "$path/links/$key", \%state);

            compare(\%state, link_numbers($link)) if defined $link;
        }

        my $left = $next - time;
        sleep $left if $left > 0 && !$stop;
    }

    $state{numbers} = keys %{ delete $state{last} };

    return \%state;
}


sub ask {
    my ($port, $uri, $state) = @_;

    my $response = eval {
        my $c = Referral::Connection->new($port);
        my $r = $c->request('GET', $uri, Accept => 'application/json',
                            Connection => 'close');
        $c->abort;
        $r;
    };

    if (!defined $response) {
        $state->{broken}++;
        return undef;
    }

    if ($response->{status} != 200) {
        $state->{status}{ $response->{status} }++;
        return undef;
    }

    return JSON::PP->new->utf8->decode($response->{body});
}


sub summary_numbers {
    my ($summary) = @_;

    my %numbers;

    for my $part (qw(outcomes clicks classes evidence)) {
        $numbers{"$part.$_"} = $summary->{$part}{$_}
            for keys %{ $summary->{$part} };
    }

    $numbers{$_} = $summary->{health}{$_} for qw(overflow lookup_errors);

    return { %numbers, map { %{ link_numbers($_) } } @{ $summary->{top} } };
}


# When it was last seen only grows as well; when it was first seen neither
# grows nor shrinks.

sub link_numbers {
    my ($link) = @_;

    my $key = $link->{key};
    my %numbers = map { ("$key.$_" => $link->{counters}{$_}) }
                  keys %{ $link->{counters} };

    $numbers{"$key.$_->{key}"} = $_->{clicks} for @{ $link->{groups} };
    $numbers{"$key.last_seen"} = seconds($link->{last_seen});

    if (defined $link->{first_seen}) {
        my $first = seconds($link->{first_seen});

        $numbers{"$key.first_seen"} = $first;
        $numbers{"$key.first_seen, negative"} = -$first;
    }

    return \%numbers;
}


# Not seconds, but in their order.

sub seconds {
    my ($time) = @_;

    return 0 unless defined $time;
    $time =~ tr/0-9//cd;

    return $time;
}


sub compare {
    my ($state, $now) = @_;

    my $last = $state->{last};

    for my $name (sort keys %$now) {
        if (defined $last->{$name} && $now->{$name} < $last->{$name}) {
            push @{ $state->{backwards} },
                 "$name: $last->{$name}, then $now->{$name}"
                if @{ $state->{backwards} } < BACKWARDS_MAX;
        }

        $last->{$name} = $now->{$name};
    }
}


1;
