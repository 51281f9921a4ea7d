#!/usr/bin/perl

# The vectors of tests/vectors against the command and a real nginx: requests
# with the outcome, evidence, class and link they must have.  Core answers the
# same rows in tests/unit/vectors.c, which says what the columns mean.
#
# nginx answers with the status and the Location a row wants, is asked what
# it decided by its log, and what it counted, all rows together, by its status.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(links_of nonzero settled summary);
use Referral::Test;

use constant FILES => qw(outcomes evidence hosts tags browsers class
                         redirects);
use constant ROWS_MIN => 150;
use constant NO_RESPONSE => { 408 => 1, 444 => 1, 499 => 1 };

# Rows that no client can provoke, by "file: name", and why.
use constant NOT_IN_NGINX => {};


my $dir = Referral::Test::root_dir() . '/tests/vectors';
my $json = JSON::PP->new->utf8;

my @links = read_csv("$dir/links.csv");
my @rows;

for my $file (FILES) {
    push @rows, map { { %$_, file => $file } } read_csv("$dir/$file.csv");
}

cmp_ok(scalar @rows, '>=', ROWS_MIN, scalar(@rows) . ' vectors');

# A server for each set of directives that rows differ in.  Location is sent as
# the row has it: absolute_redirect would make a path of "//host/".

my %port;

for my $row (@rows) {
    $row->{conf} = join '|', map { $row->{$_} } qw(own_hosts tags bot);
    $port{ $row->{conf} } = 1 + keys %port
        unless exists $port{ $row->{conf} };
}

my $t = Referral::Test->new(nports => scalar keys %port,
                            http => nginx_conf());

$t->ctl_ok('init');

my (%name, %key);

for my $link (@links) {
    my $key = $t->ctl_ok('add', $link->{source} ne '' ? $link->{source} : (),
                         '--match-type', $link->{match_type},
                         '--name', $link->{name}, map {
                             $link->{$_} ne '' ? ("--$_", $link->{$_}) : ()
                         } qw(target tag));
    $name{$key} = $link->{name};
    $key{ $link->{name} } = $key;
}

$t->start;

my %group_name = groups_of();

# The command.

my @wrong = grep { defined } map { ask_command($_) } @rows;

is_deeply(\@wrong, [], 'the command agrees with all rows');

# nginx.

my @asked = grep { !NOT_IN_NGINX->{"$_->{file}: $_->{name}"} } @rows;

is(@rows - @asked, scalar keys %{ +NOT_IN_NGINX },
   @asked . ' rows through nginx');

my @missed = ask_nginx();

is_deeply(\@missed, [], 'nginx answers with the status wanted');

my $summary = settled($t, scalar @asked);

is_deeply([ read_log() ], [], 'nginx agrees with all rows');

# The counters.

my ($wanted, $wanted_links, $wanted_groups) = tally();

is_deeply(nonzero($summary->{$_}), $wanted->{$_}, "counted: $_")
    for qw(outcomes clicks evidence);

delete $summary->{classes}{bytes};
is_deeply(nonzero($summary->{classes}), $wanted->{classes},
          'counted: classes of matched requests');

my $found = links_of($t);
my (%counters, %clicks);

for my $key (keys %$found) {
    my $link = $found->{$key};
    delete $link->{counters}{bytes};
    $counters{ $link->{name} } = nonzero($link->{counters});
    $clicks{ $group_name{$_->{key}} } = $_->{clicks} for @{ $link->{groups} };
}

is_deeply(\%counters, { (map { $_->{name} => {} } @links), %$wanted_links },
          'counted: each link');
is_deeply(nonzero(\%clicks), $wanted_groups, 'counted: each group');
is($summary->{health}{$_}, 0, "no $_") for qw(overflow lookup_errors);

$t->finish;

done_testing;


sub read_csv {
    my ($file) = @_;

    open my $f, '<', $file or die "$file: $!\n";
    binmode $f;

    my @names = csv_fields(scalar <$f>);
    my @found;

    while (my $line = <$f>) {
        my @fields = csv_fields($line);

        @fields == @names
            or die "$file:$.: " . @fields . ' fields, not ' . @names . "\n";
        push @found, { map { $names[$_] => $fields[$_] } 0 .. $#names };
    }

    return @found;
}


sub csv_fields {
    my ($line) = @_;

    my @fields;

    chomp $line;
    $line .= ',';

    while ($line =~ /\G(?:"((?:[^"]|"")*)"|([^",]*)),/gc) {
        push @fields, defined $1 ? $1 =~ s/""/"/gr : $2;
    }

    die "no CSV: $line\n" if (pos($line) // 0) != length $line;

    return @fields;
}


sub nginx_conf {
    my %status = map { $_->{status} => 1 } @rows;
    my $answers = join "\n", map {
        "if (\$http_x_status = $_) { return $_"
        . (/^30[12378]$/ ? ' $http_x_location' : '') . '; }'
    } sort keys %status;

    my %names = map { $_ => 1 }
                map { split / /, $_->{server_names} } @rows;
    my $names = join ' ', sort keys %names;

    my $servers = join '', map {
        my ($own_hosts, $tags, $bot) = split /\|/, $_, -1;
        my $port = $port{$_} == 1 ? '' : $port{$_};

        "server {\nlisten 127.0.0.1:%%PORT$port%%;\nserver_name $names;\n"
        . "access_log %%DIR%%/vectors.log vector;\n"
        . ($own_hosts ne '' ? "referral_own_hosts $own_hosts;\n" : '')
        . ($tags ne '' ? "referral_tag $tags;\n" : '')
        . ($bot ne '' ? "referral_bot $bot;\n" : '')
        . "location / {\n$answers\n}\n"
        . "location /status { referral_status main; }\n}\n"
    } sort keys %port;

    return <<"CONF";
    %%REGISTRY%%

    log_format vector '\$http_x_vector|\$status|\$referral_outcome|'
                      '\$referral_evidence|\$referral_class|\$referral_link|'
                      '\$referral_name';

    keepalive_requests 100000;
    absolute_redirect off;
    referral main;

    $servers
CONF
}


# Names of the groups' links by the groups' keys, in the order of links.csv.

sub groups_of {
    my $found = links_of($t);
    my %names;

    for my $link (map { $found->{ $key{$_->{name}} } } @links) {
        push @{ $names{$_->{key}} }, $link->{name} for @{ $link->{groups} };
    }

    return map { $_ => join '+', @{ $names{$_} } } keys %names;
}


sub headers_of {
    my ($row) = @_;

    my @headers = map { [ split /:\s*/, $_, 2 ] } split /\|/, $row->{headers};

    push @headers, map {
        [ join('-', map { ucfirst } split /_/, $_), $row->{$_} ]
    } grep { $row->{$_} ne '' } qw(sec_fetch_site sec_fetch_mode
                                   sec_fetch_dest sec_fetch_user sec_purpose);

    return ([ 'User-Agent', $row->{user_agent} ], @headers);
}


# "-" is no Referer for the command: white space around a header's value is no
# part of it.

sub ask_command {
    my ($row) = @_;

    my ($exit, $out, $err) = $t->ctl('--json', 'match',
        '--method', $row->{method}, '--host', $row->{host},
        '--landing', $row->{landing}, '--status', $row->{status},
        $row->{location} ne '' ? ('--location', $row->{location}) : (),
        $row->{bot} ne '' ? ('--bot', $row->{bot}) : (),
        (map { ('--own-host', $_) } split / /, $row->{own_hosts}),
        (map { ('--server-name', $_) } split / /, $row->{server_names}),
        (map { ('--tag-name', $_) } split / /, $row->{tags}),
        (map { ('--header', "$_->[0]: $_->[1]") } headers_of($row)),
        '--', $row->{referer} eq '-' ? ' -' : $row->{referer});

    return "$row->{file}: $row->{name}: $err" if $exit != 0;

    my $answer = $json->decode($out);
    my $link = $answer->{link} ? $name{ $answer->{link}{key} }
               : $answer->{group} ? $group_name{ $answer->{group}{key} } : '';

    $row->{other_landing} = $answer->{link}{other_landing};

    return differs($row, @$answer{qw(outcome evidence class)}, $link);
}


# What a row wants and what was found, where they differ.

sub differs {
    my ($row, @found) = @_;

    my $found = join ', ', map { $_ // '' } @found;
    my $wanted = join ', ', map { $row->{$_} } qw(outcome evidence class link);

    return $found eq $wanted ? undef
           : "$row->{file}: $row->{name}: $found, not $wanted: $row->{why}";
}


sub ask_nginx {
    my (%c, @missed);

    for my $i (0 .. $#asked) {
        my $row = $asked[$i];
        my %header = (Host => $row->{host}, Accept => undef,
                      'X-Vector' => $i, 'X-Status' => $row->{status});

        $header{Referer} = $row->{referer} if $row->{referer} ne '';
        $header{'X-Location'} = $row->{location} if $row->{location} ne '';
        $header{$_->[0]} = $_->[1] for headers_of($row);
        $header{'User-Agent'} = undef if $header{'User-Agent'} eq '';

        my $c = $c{ $row->{conf} }
                //= $t->connection($t->port($port{ $row->{conf} }));
        my $answer = $c->request($row->{method}, $row->{landing}, %header);
        my $status = defined $answer ? $answer->{status} : 'nothing';

        push @missed, "$row->{file}: $row->{name}: $status"
            if $status ne (NO_RESPONSE->{ $row->{status} } ? 'nothing'
                                                           : $row->{status});

        delete($c{ $row->{conf} })->close
            if !defined $answer || $status == 101
               || ($answer->{headers}{connection} // '') eq 'close';
    }

    $_->close for values %c;

    return @missed;
}


# What the log has wrong.  Of a group it knows nothing: the counters do.

sub read_log {
    my (@seen, @wrong);

    for my $line (split /\n/, $t->read_file('vectors.log')) {
        my ($i, $status, @found) = map { $_ eq '-' ? '' : $_ }
                                   split /\|/, $line, -1;
        next if $i eq '';

        my $row = $asked[$i];
        my ($outcome, $evidence, $class, $key, $name) = @found;

        $seen[$i]++;
        push @wrong, "$row->{file}: $row->{name}: status $status"
            if $status != $row->{status};
        push @wrong, "$row->{file}: $row->{name}: key $key of $name"
            if ($name{$key} // '') ne $name;
        push @wrong, grep { defined } differs(
            $outcome eq 'ambiguous' ? { %$row, link => '' } : $row,
            $outcome, $evidence, $class, $name);
    }

    push @wrong, map { "$asked[$_]{file}: $asked[$_]{name}: not logged once" }
                 grep { ($seen[$_] // 0) != 1 } 0 .. $#asked;

    return @wrong;
}


# What the counters must be if nginx counted what the rows say.

sub tally {
    my %sum = map { $_ => {} } qw(outcomes clicks evidence classes);
    my (%links, %groups);

    for my $row (@asked) {
        my ($outcome, $class) = @$row{qw(outcome class)};

        $sum{outcomes}{$outcome}++;
        $sum{clicks}{$outcome}++ if $class eq 'click';
        $sum{evidence}{ $row->{evidence} }++ if $outcome eq 'matched';

        if ($outcome eq 'ambiguous') {
            $groups{ $row->{link} }++ if $class eq 'click';

        } elsif ($outcome eq 'matched') {
            for my $counter (counters_of_row($row)) {
                $sum{classes}{$counter}++;
                $links{ $row->{link} }{$counter}++;
            }
        }
    }

    return (\%sum, \%links, \%groups);
}


sub counters_of_row {
    my ($row) = @_;

    my $class = $row->{class};

    return int($row->{status} / 100) == 5 ? 'errors_5xx' : 'errors_4xx'
        if $class eq 'error';
    return 'other' if $class eq 'other';
    return 'prefetches' if $class eq 'prefetch';
    return "${class}s" if $class ne 'click';

    return ('clicks',
            $row->{evidence} eq 'tag' ? 'clicks_by_tag' : (),
            $row->{evidence} =~ /^(?:exact|regex|prefix)$/
                ? 'clicks_by_page' : (),
            $row->{other_landing} ? 'other_landing' : ());
}
