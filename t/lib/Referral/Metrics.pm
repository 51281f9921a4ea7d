package Referral::Metrics;

# A strict reader of Prometheus text, format 0.0.4, and promtool beside it.
#
#     my $families = read_metrics($text);       # dies, naming the line
#     $families->{referral_links}{type}                     'gauge'
#     value($families, 'referral_links', registry => 'main')    24310
#     samples($families, 'referral_links')      ([ { label => value }, 24310 ])
#
# Strict: UTF-8, one HELP and TYPE before a family's samples, all of them in one
# place, no escape but the three, no sample twice.  Labels are characters.
#
#     my $p = Referral::Metrics::prometheus($t, $port, @targets);
#     $p->query('sum(referral_clicks_total)')   ([ { label => value }, number ])
#     $p->stop;
#
# is a Prometheus of its own, listening on 127.0.0.1 only, that reads each
# target, "127.0.0.1:PORT/PATH", once a second.

use strict;
use warnings;

use Encode ();
use JSON::PP ();
use POSIX qw(_exit);

use Referral::Connection;
use Referral::Test qw(wait_until);

use Exporter qw(import);

our @EXPORT_OK = qw(read_metrics samples value promtool_faults);

use constant { PATIENCE => 60, SAMPLES => 500 };


sub read_metrics {
    my ($text) = @_;

    my $characters = eval {
        Encode::decode('UTF-8', $text, Encode::FB_CROAK | Encode::LEAVE_SRC)
    };

    die "this is not UTF-8: $@" unless defined $characters;
    die "the last line does not end\n" unless $characters =~ /\n\z/;

    my %families;
    my ($current, %seen, $number);

    # only a line feed ends a line

    for my $line (split /\n/, $characters) {
        $number++;

        if ($line =~ /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)\z/s) {
            my ($what, $name, $rest) = (lc $1, $2, $3);

            die "line $number: $name comes again\n"
                if $what eq 'help' ? $families{$name}
                                   : ($current // '') ne $name
                                     || defined $families{$name}{type}
                                     || @{ $families{$name}{samples} };

            $current = $name;
            $families{$name}{$what} = $rest;
            $families{$name}{samples} //= [];
            next;
        }

        my ($name, $labels, $value) = read_sample($line)
            or die "line $number makes no sense: $line\n";

        die "line $number: $name is not in its family\n"
            unless defined $current && $name eq $current
                   && defined $families{$name}{type};

        my $id = join "\0", $name, map { $_, $labels->{$_} }
                                   sort keys %$labels;
        die "line $number comes twice: $line\n" if $seen{$id}++;

        push @{ $families{$name}{samples} }, [ $labels, $value ];
    }

    return \%families;
}


sub read_sample {
    my ($line) = @_;

    $line =~ /\G([a-zA-Z_:][a-zA-Z0-9_:]*)/gc or return;
    my $name = $1;
    my %labels;

    if ($line =~ /\G\{/gc) {
        do {
            $line =~ /\G([a-zA-Z_][a-zA-Z0-9_]*)="/gc or return;
            my $label = $1;
            return if exists $labels{$label};

            $line =~ /\G((?:[^\\"\n]|\\[\\"n])*)"/gcs or return;
            my $value = $1;

            $value =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ge;
            $labels{$label} = $value;
        } while $line =~ /\G,/gc;

        $line =~ /\G\}/gc or return;
    }

    $line =~ /\G (\d+(?:\.\d+)?)\z/gc or return;

    return ($name, \%labels, $1);
}


# The samples of a family that have these labels.

sub samples {
    my ($families, $name, %wanted) = @_;

    return grep {
        my $labels = $_->[0];
        !grep { ($labels->{$_} // '') ne $wanted{$_} } keys %wanted;
    } @{ $families->{$name}{samples} // [] };
}


# The one value; undef if there is none.

sub value {
    my @found = samples(@_);

    die "several samples fit\n" if @found > 1;

    return @found ? $found[0][1] : undef;
}


# What promtool has to say: nothing, if all is well.  Since Prometheus 2.53 it
# compares each sample of a family with each other: with as many links as
# t/74-hostile.t has that takes ten minutes, so it gets some of each at a time.
# That none comes twice read_metrics() sees.

sub promtool_faults {
    my ($t, $text) = @_;

    for my $part (parts($text)) {
        my $path = $t->write_file('metrics', $part);
        my $said = `promtool check metrics < \Q$path\E 2>&1`;

        return "exit $?: $said" if $? != 0 || $said ne '';
    }

    return '';
}


# The first has all comments, the others those of the families in them.

sub parts {
    my ($text) = @_;

    my (@parts, $comments);
    my $n = 0;

    for my $line (split /(?<=\n)/, $text) {
        if ($line =~ /^#/) {
            $comments = '' if $n > 0;
            $comments .= $line;
            $parts[0] .= $line;
            $n = 0;
            next;
        }

        my $i = int($n++ / SAMPLES);

        $parts[$i] .= $comments // '' if $i > 0 && $n % SAMPLES == 1;
        $parts[$i] .= $line;
    }

    return @parts;
}


sub prometheus {
    my ($t, $port, @targets) = @_;

    my $jobs = join '', map {
        my ($address, $path) = m{^([^/]+)(/.*)} or die "$targets[$_]\n";
        "  - job_name: '$path'\n    metrics_path: '$path'\n"
            . "    static_configs: [ { targets: [ '$address' ] } ]\n"
    } @targets;

    my $conf = $t->write_file('prometheus.yml',
        "global: { scrape_interval: 1s }\nscrape_configs:\n$jobs");
    my $log = $t->dir . '/prometheus.log';
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        exec 'prometheus', "--config.file=$conf",
             '--storage.tsdb.path=' . $t->dir . '/prometheus',
             "--web.listen-address=127.0.0.1:$port" or _exit(127);
    }

    my $self = bless { pid => $pid, port => $port, log => $log }, __PACKAGE__;

    wait_until(sub { eval { $self->get('/-/ready')->{status} == 200 } },
               PATIENCE)
        or die 'prometheus is not ready: ' . $t->read_file($log);

    return $self;
}


sub get {
    my ($self, $uri) = @_;

    my $c = Referral::Connection->new($self->{port});
    my $answer = $c->request('GET', $uri);

    $c->abort;

    return $answer;
}


# The vector: an array of [ labels, number ]; dies with Prometheus's words.

sub query {
    my ($self, $query) = @_;

    my $bytes = Encode::encode('UTF-8', $query);
    $bytes =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge;

    my $answer = $self->get("/api/v1/query?query=$bytes");
    my $json = JSON::PP->new->utf8->decode($answer->{body});

    die "$query: $json->{error}\n" if $json->{status} ne 'success';

    return map { [ $_->{metric}, $_->{value}[1] ] } @{ $json->{data}{result} };
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} // return;

    kill 'TERM', $pid;
    waitpid $pid, 0;
}


sub DESTROY {
    my ($self) = @_;

    local $?;
    $self->stop;
}


1;
