#!/usr/bin/perl

# A real log, line by line through nginx, and an independent tally of it: what
# each link should have got, by the design's rules as this file reads them.
# Nothing here is taken from the module: neither its canonical form of a URL
# nor its order of lookups.
#
# Twice: as the site the log is of, whose own pages are internal; and as
# another site that these pages link to, so that most lines are matches.
#
#     REFERRAL_LOG    another log, in the combined format

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(nonzero settled sum);
use Referral::Test;


# Who says so is a robot; the built-in rules are another test's.  And where
# every redirect leads.

use constant ROBOTS => '[Bb]ot|[Cc]rawl|[Ss]pider|[Ff]eed|^-?\$';
use constant ELSEWHERE => '/elsewhere';

my $file = $ENV{REFERRAL_LOG}
           // Referral::Test::root_dir() . '/../shared/data/access.log';

plan skip_all => "there is no log: $file" unless -r $file;

my @lines = read_log($file);
my %status = map { $_->{status} => 1 } @lines;

my $t = Referral::Test->new(http => server('main', 1) . server('mirror', 2)
                                    . <<'CONF');
    %%REGISTRY%%
    referral_registry mirror %%DIR%%/mirror counters=%%SHM%%/mirror.counters
                      flush=1s;
CONF

$t->ctl_ok('init');

$t->run_command(undef, $t->{ctl}, '-d', $t->dir . '/mirror', 'init',
                defined $t->{user} ? ('--owner', $t->{user}) : ());

ok(@lines > 1000, scalar(@lines) . ' lines');

my ($site) = (sort { $b->[1] <=> $a->[1] } hosts_by_requests())[0]->[0];

replay('main', $t->registry_dir, 1, $site, $site);
replay('mirror', $t->dir . '/mirror', 2, 'mirror.example', '');

$t->finish;

done_testing;


# One registry: links from the log's own Referers, all lines, comparison.

sub replay {
    my ($name, $dir, $port, $host, $own) = @_;

    my @links = make_links($own);
    my @columns = qw(source type target name);
    my $csv = "source,match_type,target,name\n" . join '', map {
        join(',', map { '"' . s/"/""/gr . '"' } @$_{@columns}) . "\n"
    } @links;

    my ($exit, undef, $err) = $t->run_command($csv, $t->{ctl}, '-d', $dir,
                                              'import', '-');

    is($exit, 0, "$name: links are registered") or diag($err);

    $t->start unless defined $t->master_pid;

    my $tally = { outcomes => {}, clicks => {}, evidence => {}, link => {},
                  group => {} };
    my $index = index_links(@links);

    count($tally, $index, $_, $host) for @lines;

    my ($wrong, $differ) = send_lines($port, $host);

    is_deeply($wrong, [], "$name: nginx answers as in the log");
    is_deeply($differ, [], "$name: the decision about each line");

    my $path = "/status-$name";
    my $summary = settled($t, scalar @lines, $path);

    is($summary->{links}{registered}, scalar @links,
       "$name: as many links as differ");
    is(sum($summary->{outcomes}), scalar @lines,
       "$name: the outcomes sum to the lines");
    is_deeply(nonzero($summary->{outcomes}), $tally->{outcomes},
              "$name: outcomes");
    is_deeply(nonzero($summary->{clicks}), $tally->{clicks},
              "$name: clicks by outcome");
    is_deeply(nonzero($summary->{evidence}), $tally->{evidence},
              "$name: evidence");

    my ($found, $groups) = status_of($path);
    my @differ = grep {
        text($found->{$_}) ne text($tally->{link}{$_})
    } map { $_->{name} } @links;

    is(scalar keys %$found, scalar @links, "$name: all links are shown");
    is_deeply([ map { "$_: " . text($found->{$_}) . ', not '
                      . text($tally->{link}{$_}) } @differ ], [],
              "$name: the counters of each link");
    is_deeply(nonzero($groups), $tally->{group},
              "$name: the clicks of each group");

    note("$name: " . @links . ' links, ' . join ', ', map {
        "$_ $tally->{outcomes}{$_}"
    } sort keys %{ $tally->{outcomes} });
}


sub text {
    my ($counters) = @_;

    $counters //= {};

    return join ' ', map { "$_=$counters->{$_}" } sort keys %$counters;
}


# -- the log ---------------------------------------------------------------

sub read_log {
    my ($file) = @_;

    open my $f, '<', $file or die "$file: $!\n";
    binmode $f;

    my $request = qr{"(\S+) (\S+) HTTP/(1\.[01])"};
    my $format = qr{^\S+ \S+ \S+ \[.*?\] $request (\d+) \S+ "(.*?)" "(.*?)"$};
    my @found;

    while (my $line = <$f>) {
        $line =~ $format or next;

        push @found, { method => $1, target => $2, version => $3,
                       status => $4, referer => $5 eq '-' ? undef : $5,
                       agent => $6 };
    }

    return @found;
}


sub server {
    my ($name, $port) = @_;

    $port = '' if $port == 1;

    my $robots = ROBOTS;
    my $answers = join '', map {
        "if (\$http_x_status = $_) { return $_ "
        . (/^3/ && $_ != 304 ? ELSEWHERE : '') . "; }\n"
    } sort keys %status;

    return <<"CONF";
    map \$http_user_agent \$$name\_robot {
        default    "";
        "~$robots" 1;
    }

    server {
        listen 127.0.0.1:%%PORT$port%%;
        keepalive_requests 100000;
        location / {
            referral $name;
            referral_bot \$$name\_robot;
            add_header X-Decision
                "\$referral_outcome \$referral_evidence \$referral_name" always;
            $answers
        }
        location /status-main { referral_status main; }
        location /status-mirror { referral_status mirror; }
    }
CONF
}


sub send_lines {
    my ($port, $host) = @_;

    my $c = $t->connection($t->port($port));
    my (@wrong, @differ);

    for my $line (@lines) {
        my $text = $c->format_request($line->{method}, $line->{target},
            Host => $host, 'User-Agent' => $line->{agent},
            'X-Status' => $line->{status}, Connection => 'keep-alive',
            defined $line->{referer} ? (Referer => $line->{referer}) : ());

        $text =~ s/ HTTP\/1\.1\r\n/ HTTP\/$line->{version}\r\n/;
        push @{ $c->{methods} }, $line->{method};
        $c->send($text);

        my $answer = $c->read_response;
        my $status = defined $answer ? $answer->{status} : 'nothing';

        push @wrong, "$line->{method} $line->{target}: $status"
            if $status ne $line->{status};

        my $decision = $answer->{headers}{'x-decision'} // '';

        push @differ, "$line->{target} from " . ($line->{referer} // '-')
                      . ": $decision, not $line->{decision}"
            if $decision ne $line->{decision};

        if (!defined $answer
            || ($answer->{headers}{connection} // '') eq 'close')
        {
            $c->close;
            $c = $t->connection($t->port($port));
        }
    }

    $c->close;

    return (\@wrong, \@differ);
}


# What nginx says: counters of links by name, clicks of groups by the names
# of their links.

sub status_of {
    my ($path) = @_;

    my $answer = $t->get_json("$path/links?limit=all");
    my (%links, %members, %clicks);

    for my $link (@{ $answer->{links} }) {
        delete $link->{counters}{bytes};
        $links{ $link->{name} } = nonzero($link->{counters});

        for my $group (@{ $link->{groups} }) {
            push @{ $members{ $group->{key} } }, $link->{name};
            $clicks{ $group->{key} } = $group->{clicks};
        }
    }

    return (\%links, { map { join(' ', sort @{ $members{$_} }) => $clicks{$_} }
                       keys %members });
}


# -- links, as somebody might have registered them -------------------------

sub hosts_by_requests {
    my %n;

    for my $line (@lines) {
        my $url = parse($line->{referer}) or next;
        $n{ $url->{host} }++;
    }

    return map { [ $_, $n{$_} ] } sort keys %n;
}


# Every kind of link, in turn over the hosts, so that all rules are met.

sub make_links {
    my ($own) = @_;

    my (%by_host, @rows);

    for my $line (@lines) {
        my $url = parse($line->{referer}) or next;
        next if $url->{host} eq $own;
        push @{ $by_host{ $url->{host} } }, [ $url, $line ];
    }

    my $i = 0;

    for my $host (sort keys %by_host) {
        my @seen = @{ $by_host{$host} };
        my @full = grep { !$_->[0]{origin_only} } @seen;
        my $kind = @seen > 20 ? 'much' : (qw(host page prefix mixed none))[
            $i++ % 5];

        if ($kind eq 'host') {
            push @rows, [ 'host', $host, '' ];
        }

        if ($kind eq 'page' || $kind eq 'mixed' || $kind eq 'much') {
            my $n = 0;

            # every second with its landing, some with two, one is left out
            for my $one (@full) {
                my ($url, $line) = @$one;
                next if $n++ % 7 == 6;
                push @rows, [ 'exact', $line->{referer},
                              $n % 2 ? '' : $line->{target} ];
                push @rows, [ 'exact', $line->{referer}, '/never/asked' ]
                    if $n % 5 == 0;
            }

            # pages nobody names, with the landings of the origin-only ones
            for my $one (grep { $_->[0]{origin_only} } @seen) {
                my (undef, $line) = @$one;
                $n++;
                next if $n % 4 == 0;
                push @rows, [ 'exact', "https://$host/page/" . $n % 23,
                              $line->{target} ];
            }

            push @rows, [ 'exact', "https://$host/page/blank", '' ]
                if @seen > 20;
        }

        if ($kind eq 'prefix' || $kind eq 'much') {
            for my $one (@full) {
                my @segments = grep { length } split m{/}, $one->[0]{path};
                push @rows, [ 'prefix', "https://$host/$segments[0]", '' ]
                    if @segments > 1;
                push @rows, [ 'prefix', "https://$host/$segments[0]/"
                              . $segments[1], $one->[1]{target} ]
                    if @segments > 2;
            }
        }

        push @rows, [ 'host', $host, $seen[0][1]{target} ],
                    [ 'host', $host, $seen[-1][1]{target} ]
            if $kind eq 'mixed';
    }

    push @rows, map { [ 'domain', $_, '' ] }
                qw(google.com google.de stackexchange.com wikipedia.org
                   blogspot.com com);

    # one of each, by this file's own canonical form
    my (%seen, @links);

    for my $row (@rows) {
        my ($type, $source, $target) = @$row;
        my $url = $type =~ /host|domain/ ? { host => $source, key => '' }
                                         : parse($source);
        next if $type eq 'prefix' && $url->{query} ne '';
        my $landing = $target eq '' ? '' : landing($target)->[0];
        next if $seen{"$type $url->{host} $url->{key} $landing"}++;

        push @links, { name => 'L' . @links, type => $type,
                       source => $source, target => $target,
                       landing => $landing, host => $url->{host},
                       key => $url->{key}, path => $url->{path} };
    }

    return @links;
}


# -- the tally -------------------------------------------------------------

sub index_links {
    my %index;

    for my $link (@_) {
        my $where = $link->{type} eq 'exact' ? "$link->{host} $link->{key}"
                                             : $link->{host};
        push @{ $index{ $link->{type} }{$where} }, $link;
        push @{ $index{page}{ $link->{host} } }, $link
            if $link->{type} =~ /exact|prefix/;
    }

    return \%index;
}


sub count {
    my ($tally, $index, $line, $host) = @_;

    my ($outcome, $evidence, $found, $other) = decide($index, $line, $host);
    my $counter = counter_of($index, $line, $host);

    $line->{decision} = join ' ', $outcome, $evidence // '',
                             $outcome eq 'matched' ? $found->{name} : '';

    $tally->{outcomes}{$outcome}++;
    $tally->{clicks}{$outcome}++
        if $counter eq 'clicks' && $outcome !~ /internal|malformed/;

    if ($outcome eq 'matched') {
        my $counters = $tally->{link}{ $found->{name} } //= {};

        $tally->{evidence}{$evidence}++;
        $counters->{$counter}++;

        if ($counter eq 'clicks') {
            $counters->{clicks_by_page}++ if $evidence =~ /exact|prefix/;
            $counters->{other_landing}++ if $other;
        }
    }

    if ($outcome eq 'ambiguous' && $counter eq 'clicks') {
        my $group = join ' ', sort map { $_->{name} } @$found;
        $tally->{group}{$group}++;
    }
}


sub counter_of {
    my ($index, $line, $host) = @_;

    my $status = $line->{status};

    return 'bots' if $line->{agent} =~ ROBOTS;
    return 'other' if $line->{method} ne 'GET'
                      || $status =~ /^(?:101|408|444|499)$/;
    return 'redirects' if $status =~ /^3/ && $status != 304
                          && follow_up_matches($index, $line, $host);
    return 'errors_4xx' if $status =~ /^4/;
    return 'errors_5xx' if $status =~ /^5/;
    return 'clicks';
}


# Whether the request after a redirect will be counted for a link again.

sub follow_up_matches {
    my ($index, $line, $host) = @_;

    my ($outcome) = decide($index, { %$line, target => ELSEWHERE }, $host);

    return $outcome =~ /^(?:matched|ambiguous)$/;
}


sub decide {
    my ($index, $line, $host) = @_;

    return 'direct' if !defined $line->{referer};

    my $url = parse($line->{referer}) or return 'malformed';

    return 'internal' if $url->{host} eq bare($host);

    my $forms = landing($line->{target});
    my @found;

    if ($url->{origin_only}) {
        @found = by_landing($index, $url, $forms);

    } else {
        @found = by_page($index, $url, $forms);
    }

    return @found if @found;

    my $links = $index->{host}{ $url->{host} };

    return among($links, 'host', $forms) if $links;

    my @labels = split /\./, $url->{host};

    while (@labels) {
        $links = $index->{domain}{ join '.', @labels };
        return among($links, 'domain', $forms) if $links;
        shift @labels;
    }

    return 'unregistered';
}


sub by_page {
    my ($index, $url, $forms) = @_;

    my $links = $index->{exact}{"$url->{host} $url->{key}"};

    return among($links, 'exact', $forms) if $links;

    my @prefixes = grep {
        my $path = $_->{path};
        $path eq '/' || $url->{path} eq $path
            || index($url->{path}, "$path/") == 0
    } @{ $index->{prefix}{ $url->{host} } // [] };

    return () unless @prefixes;

    my ($longest) = sort { $b <=> $a } map { length $_->{path} } @prefixes;

    return among([ grep { length $_->{path} == $longest } @prefixes ],
                 'prefix', $forms);
}


sub by_landing {
    my ($index, $url, $forms) = @_;

    my $links = $index->{page}{ $url->{host} } // [];

    for my $form (@$forms, '') {
        my @same = grep { $_->{landing} eq $form } @$links;

        return ('matched', 'landing', $same[0]) if @same == 1;
        return ('ambiguous', '', \@same) if @same;
    }

    return ();
}


# Several links with the same source: the landing decides, or nothing.

sub among {
    my ($links, $evidence, $forms) = @_;

    for my $form (@$forms, '') {
        my ($link) = grep { $_->{landing} eq $form } @$links;
        return ('matched', $evidence, $link) if $link;
    }

    return ('ambiguous', '', $links) if @$links > 1;

    return ('matched', $evidence, $links->[0],
            $evidence =~ /exact|prefix/ && $links->[0]{landing} ne '');
}


# -- canonical forms -------------------------------------------------------

sub parse {
    my ($text) = @_;

    return undef unless defined $text;

    my ($host, $rest) = $text =~ m{^https?://([^/?\#]*)([^\#]*)}i
        or return undef;

    $host =~ s/^.*\@//;
    $host =~ s/:\d*$//;
    return undef if $host !~ /^[A-Za-z0-9._-]+$/;

    my ($path, $has_query, $query) = $rest =~ /^([^?]*)(\??)(.*)$/s;

    my $origin_only = $path =~ m{^/?$} && $has_query eq '';

    $path = canonical_path($path);
    $query = canonical_query($query);

    return { host => bare($host), path => $path, query => $query,
             key => $path . ($query ne '' ? "?$query" : ''),
             origin_only => $origin_only };
}


sub bare {
    my ($host) = @_;

    $host = lc $host;
    $host =~ s/\.$//;
    $host =~ s/^www\.//;

    return $host;
}


sub encoded {
    my ($text) = @_;

    $text =~ s/%(?![0-9A-Fa-f]{2})/%25/g;
    $text =~ s/%([0-9A-Fa-f]{2})/unreserved(hex $1)/ge;
    $text =~ s/([\x00-\x20"<>\\^`{|}\x7f-\xff])/sprintf '%%%02X', ord $1/ge;

    return $text;
}


sub unreserved {
    my ($code) = @_;

    return chr($code) =~ /[A-Za-z0-9._~-]/ ? chr $code
                                           : sprintf '%%%02X', $code;
}


sub canonical_path {
    my @segments;

    for my $segment (split m{/}, encoded($_[0]) =~ s{^/}{}r, -1) {
        if ($segment eq '..') {
            pop @segments;
        } elsif ($segment ne '.') {
            push @segments, $segment;
        }
    }

    return '/' . join('/', @segments) =~ s{/+$}{}r;
}


sub canonical_query {
    my ($query, @without) = @_;

    return join '&', grep {
        my ($name) = /^([^=]*)/;
        $_ ne '' && lc $name !~ /^(?:utm_\w+|gclid|fbclid|msclkid|yclid)$/
            && !grep { $name eq $_ } @without
    } split /&/, encoded($query);
}


# The forms a landing may be registered in, the most specific first.

sub landing {
    my ($target) = @_;

    $target =~ s/#.*//s;
    $target =~ s{^https?://[^/?]*}{}i;

    my ($path, $query) = $target =~ /^([^?]*)\??(.*)$/s;
    my @forms;

    $path = canonical_path($path);

    for my $args (canonical_query($query), canonical_query($query, 'ref')) {
        push @forms, "$path?$args" if $args ne '';
    }

    return [ @forms, $path ];
}
