#!/usr/bin/perl

# Each call in which the module asks nginx or libc for something, while it is
# configured, starts or serves a request, fails once inside nginx
# (tests/preload/pool.c).  A visitor's request never fails for it and is
# counted; the status tree answers with an error, or breaks off so that it
# shows, or with all there is; nginx serves, or says why it does not.
# tools/failing-sites knows whether each call had its turn.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(sum);
use Referral::Test;


# The numbers of the file that nginx maps.

use constant { FAIL => 0, CALLS => 1, FAILED => 2, MEMORY => 3, BEGIN_AT => 4,
               ALL => 6, SITES => 7, NUMBERS => 256 };

my $root = Referral::Test::root_dir();
my $module = $ENV{TEST_NGINX_MODULE}
             // "$root/build/ngx_http_referral_module.so";
my $preload = ($ENV{TEST_PRELOAD} // "$root/build/plain/preload") . '/pool.so';
my $json = JSON::PP->new->utf8;

plan skip_all => 'the module is no file of its own here' if $module eq '';

-e $preload or BAIL_OUT("$preload is not there: make build/plain/helpers");

my @glue = glue();
my ($pool, %sites);

requests();
configuration();
start('a master and its processes');
start('a single process', single => 1);
call_sites();

done_testing;


# -- requests --------------------------------------------------------------

sub requests {
    my $t = Referral::Test->new(http => <<'CONF');
        %%REGISTRY%%

        server {
            listen 127.0.0.1:%%PORT%%;
            client_body_buffer_size 1k;
            referral main;
            referral_host $http_x_host;

            location / {
                add_header X-Link $referral_link;
                add_header X-Name $referral_name;
                add_header X-Rest "$referral_outcome $referral_class
                                   $referral_evidence $referral_channel";
                return 200 "all of it\n";
            }
            location /gone { return 404; }
            location /asked {
                referral main if=$arg_x;
                referral_bot $arg_bot;
                return 200 "all of it\n";
            }
            location /shown {
                referral main if=$arg_x;
                referral_bot $arg_bot;
                add_header X-Class $referral_class;
                return 200 "all of it\n";
            }
            location /old { return 301 http://shop.example/a; }
            location /status { referral_status main write=on; }
            location /filed {
                client_body_in_file_only clean;
                referral_status main write=on;
            }
        }
CONF

    make_pool($t, 1);

    $t->ctl_ok('init');
    $t->ctl_ok('add', "https://blog.example/$_", '--target', '/a', '--name',
               "n$_", '--label', 'x') for 1 .. 5;
    $t->ctl_ok('add', 'blog.example/[a-z]+$', '--match-type', 'regex');

    {
        local $ENV{LD_PRELOAD} = $preload;
        local $ENV{REFERRAL_POOL} = $pool;

        $t->start;
    }

    my ($worker) = $t->worker_pids;
    my $json_type = "Content-Type: application/json\r\n";
    my $blog = "Referer: https://blog.example";

    # What is asked for, and whether a visitor asks.  %d is another number in
    # each request.

    my @requests = (
        [ 'a click', 1, "GET /a HTTP/1.1\r\n$blog/1\r\n" ],
        [ 'a regex', 1, "GET /a HTTP/1.1\r\n$blog/xyz\r\n" ],
        [ 'a tag', 1, "GET /a?ref=q HTTP/1.1\r\nReferer: https://a.test/\r\n" ],
        [ 'a 404', 1, "GET /gone HTTP/1.1\r\n$blog/\r\n" ],
        [ 'a visit with values', 1, "GET /asked?x=1&bot=0 HTTP/1.1\r\n"
                                    . "$blog/1\r\nX-Host: shop.example\r\n" ],
        [ 'a visit that shows them', 1, "GET /shown?x=1&bot=0 HTTP/1.1\r\n"
                                        . "$blog/1\r\nX-Host: a.example\r\n" ],
        [ 'a visit without a host', 1, "GET /a HTTP/1.0\r\n$blog/1\r\n" ],
        [ 'a redirect, likewise', 1, "GET /old HTTP/1.0\r\n$blog/1\r\n" ],
        [ 'summary', 0, "GET /status HTTP/1.1\r\n" ],
        [ 'page', 0, "GET /status?format=html HTTP/1.1\r\n" ],
        [ 'links', 0, "GET /status/links?limit=all HTTP/1.1\r\n" ],
        [ 'CSV', 0, "GET /status/links?format=csv HTTP/1.1\r\n" ],
        [ 'labels', 0, "GET /status/labels HTTP/1.1\r\n" ],
        [ 'metrics', 0, "GET /status/metrics HTTP/1.1\r\n" ],
        [ 'unknown', 0, "GET /status/nothing HTTP/1.1\r\n" ],
        [ 'POST elsewhere', 0, "POST /status/labels HTTP/1.1\r\n", 'x' x 2000 ],
        [ 'HEAD', 0, "HEAD /status/links HTTP/1.1\r\n" ],
        [ 'a slash', 0, "GET /status/ HTTP/1.1\r\n" ],
        [ 'a write', 0, "POST /status/links HTTP/1.1\r\n$json_type",
          '{"tag":"t%d"}' ],
        [ 'a long write', 0, "POST /status/links HTTP/1.1\r\n$json_type",
          '{"tag":"l%d"}' . ' ' x 2000 ],
        [ 'a write in a file', 0, "POST /filed/links HTTP/1.1\r\n$json_type",
          '{"tag":"f%d"}' ],
        [ 'a bad write', 0, "POST /status/links HTTP/1.1\r\n$json_type",
          '{"tag":' ],
        [ 'events', 0, "GET /status/events HTTP/1.1\r\n" ],
        [ 'many links', 0, "GET /status/links?limit=all HTTP/1.1\r\n" ],
    );

    my ($total, $visits) = (0, 0);

    for my $request (@requests) {
        my ($name, $is_visit) = @$request;

        if ($name eq 'many links') {
            add_many($t);
            set_number(ALL, 0);
        }

        my $n = each_call($name, sub {
            my ($n) = @_;

            $visits += $is_visit;

            my $answer = ask($t, $request, $n);

            return $is_visit ? visitor_fault($name, $answer)
                             : answer_fault($name, $answer, number(FAILED));
        });

        $total += $n;
    }

    fail_at(0);

    is_deeply([ $t->worker_pids ], [ $worker ], 'the worker is the same still');
    cmp_ok($total, '>', 100, "$total calls failed, one by one");

    is(sum($t->get_json('/status')->{outcomes}), $visits,
       "all $visits visits were counted");

    # a configuration that is refused is nginx -t's

    fail_at(1 << 40);
    is(($t->configtest)[0], 0, 'the configuration is right still');

    # which call of which process is the n-th is a matter of time

    my $first = number(CALLS) + 1;

    for my $turn (1 .. 3) {
        each_call("a reload under events, turn $turn", sub {
            my ($n) = @_;

            return leave($t, sub { fail_at($n); return reload($t) });
        }, $first);
    }

    end($t);
}


# More than is read in one step.

sub add_many {
    my ($t) = @_;

    my $file = $t->write_file('many.csv', join "\n", 'source,target',
                              map { "https://many.example/$_,/a" } 1 .. 300);

    $t->ctl_ok('import', "$t->{dir}/many.csv");
}


# Who reads events while nginx goes is told that they end, or cut off.

sub leave {
    my ($t, $go) = @_;

    my $c = $t->connection;
    $c->send("GET /status/events HTTP/1.0\r\n\r\n");
    $c->read_until(qr/^event: summary\n/m);

    $go->() or return $c->close && undef;

    eval { $c->read_all; 1 } or return "events go on: $@";
    $c->close;

    return;
}


# Whether there are new workers; there are none where a call failed while the
# new configuration was made.

sub reload {
    my ($t) = @_;

    my %old = map { $_ => 1 } $t->worker_pids;
    my $began = time;
    my $are_new;

    $t->signal('HUP');

    Referral::Test::wait_until(sub {
        $are_new = grep { !$old{$_} } $t->worker_pids;
        return $are_new || number(FAILED) && time > $began + 1;
    }, 10);

    return $are_new;
}


# Lets each call fail until none is left; the function says what is wrong then.

sub each_call {
    my ($name, $check, $from) = @_;
    my ($n, @faults);

    for ($n = $from // 1; $n < 2000; $n++) {
        fail_at($n);
        my $fault = $check->($n);
        my $failed = number(FAILED);
        fail_at(0);

        push @faults, "$n: $fault" if defined $fault;
        last if !$failed || @faults;
    }

    my $calls = $n - ($from // 1);
    is_deeply(\@faults, [], "$name: $calls calls failed");

    return $calls;
}


sub ask {
    my ($t, $request, $n) = @_;
    my ($name, undef, $head, $body) = @$request;

    my $text = defined $body ? $body =~ s/%d/$n/r : '';

    $head .= "Host: 127.0.0.1\r\n" if $head !~ m{ HTTP/1.0\r};
    $head .= "Connection: close\r\n";
    $head .= 'Content-Length: ' . length($text) . "\r\n" if $text ne '';

    my $c = $t->connection;
    $c->send("$head\r\n$text");

    # events would not end

    my $answer = $name eq 'events' ? $c->read_until(qr/^event: summary\n/m)
                                   : $c->read_all;
    $c->close;

    return $answer;
}


sub visitor_fault {
    my ($name, $answer) = @_;

    my $wanted = $name eq 'a 404' ? 404 : $name =~ /redirect/ ? 301 : 200;

    return "a visitor got: $answer" if $answer !~ m{^HTTP/1.1 $wanted };
    return "a visitor got half: $answer"
        if $wanted == 200 && $answer !~ /all of it\n\z/;
    return;
}


# Nothing; an error; what breaks off; or all of it.

sub answer_fault {
    my ($name, $answer, $failed) = @_;

    my ($head, $body) = split /\r\n\r\n/, $answer, 2;

    return $failed ? undef : 'no answer' if !defined $body;

    my ($status) = $head =~ m{^HTTP/1.1 (\d+)};

    if ($status >= 500) {
        return $failed ? undef : "without cause: $answer";
    }

    return if $name eq 'HEAD';

    return $failed || $body =~ /^event: summary/m ? undef : "none: $answer"
        if $name eq 'events';

    if ($head =~ /^Transfer-Encoding: chunked/mi) {
        my $ended = $body =~ s/0\r\n\r\n$//;

        return $failed ? undef : "it breaks off: $answer" if !$ended;

        my $whole = '';
        $whole .= substr $body, 0, hex $1, ''
            while $body =~ s/^\r?\n?([0-9a-f]+)\r\n//;
        $body = $whole;

    } elsif ($head =~ /^Content-Length: (\d+)/mi && length $body != $1) {
        return $failed ? undef : "it breaks off: $answer";
    }

    if ($head =~ m{^Content-Type: application/json}mi
        && !eval { $json->decode($body); 1 })
    {
        return "half an answer: $answer";
    }

    return;
}


# -- configuration and start -----------------------------------------------

# nginx -t without memory says no; it does not die, nor say yes.  Of a file or
# directory that cannot be looked at it warns, and goes on.

sub configuration {
    my $t = Referral::Test->new(http => <<'CONF');
        %%REGISTRY%%
        referral_registry followed %%DIR%%/followed source=%%DIR%%/list;
        referral_own_hosts a.example *.b.example;
        referral_tag ref from;

        server {
            listen 127.0.0.1:%%PORT%%;
            server_name shop.example *.shop.example .dot.example;
            referral main if=$arg_x;
            referral_host $http_x_host;
            referral_bot $arg_bot;
            location /status { referral_status all write=on; }
            location /one { referral_status main write=on; }
        }

        server {
            listen 127.0.0.1:%%PORT2%%;
            server_name other.example;
            referral_own_hosts c.example;
            referral_tag off;
            location /one { referral_status main write=on; }
        }
CONF

    make_pool($t, 1);
    $t->write_file('list', "source\nhttps://blog.example/1\n");

    local $ENV{LD_PRELOAD} = $preload;
    local $ENV{REFERRAL_POOL} = $pool;

    my $n = each_call('nginx -t', sub {
        rmdir "$t->{dir}/followed";

        my ($exit, $said) = $t->configtest;

        return if $exit == (number(FAILED) ? 1 : 0);
        return if $exit == 0 && !number(MEMORY);
        return "exit $exit: $said";
    });

    cmp_ok($n, '>', 20, 'so many that they were the module\'s');

    end($t);
}


# Its processes begin, and serve all the same; or nginx does not, and says why.
# /run is one of their own, where root can give them one.

sub start {
    my ($name, %arg) = @_;

    my $conf = <<'CONF';
        referral_registry main %%DIR%%/referral;
        server {
            listen 127.0.0.1:%%PORT%%;
            location / { referral main; return 200 "all of it\n"; }
            location /status { referral_status main write=on; }
        }
CONF

    my @own_run = qw(unshare -m sh -c);
    my $can = $> == 0 && system(@own_run, 'mount -t tmpfs none /run') == 0;

    my $t = Referral::Test->new(
        $arg{single}
            ? (single => 1, conf => "%%GLOBALS%% master_process off;\n"
                                    . "events { }\nhttp { %%HTTP%%\n$conf }\n")
            : (http => $conf),
        $can ? (under => [ @own_run, 'mount -t tmpfs none /run && exec "$@"',
                           'sh' ]) : (),
    );

    make_pool($t, 0);
    $t->ctl_ok('init');

    local $ENV{LD_PRELOAD} = $preload;
    local $ENV{REFERRAL_POOL} = $pool;

    # what it asks for before that: nginx -t has seen to it

    fail_at(1 << 40);
    is(($t->configtest)[0], 0, "$name: the configuration is right");

    my $n = each_call($name, sub {
        return if !eval { $t->start; 1 } && number(FAILED)
                  && $t->error_log =~ /\[(?:emerg|alert|crit|error)\]/;

        my $fault = visitor_fault($name, $t->raw("GET /a HTTP/1.0\r\n\r\n"));

        return $fault // leave($t, sub { $t->stop('TERM'); return 1 });
    }, number(CALLS) + 1);

    cmp_ok($n, '>', 0, "$name: there was something to ask for");

    end($t);
}


# -- the calls -------------------------------------------------------------

# Where the module's own code lies in it.

sub glue {
    my ($from, $to);

    for (`nm -S --defined-only $module`) {
        my ($at, $size) = /^(\w+) (\w+) [tT] ngx_http_referral_/ or next;
        ($at, $size) = (hex $at, hex $size);

        $from = $at if !defined $from || $at < $from;
        $to = $at + $size if !defined $to || $at + $size > $to;
    }

    return ($from, $to);
}


# $all: of memory, the calls of core, too.

sub make_pool {
    my ($t, $all) = @_;

    my @numbers = (0) x NUMBERS;
    @numbers[BEGIN_AT, BEGIN_AT + 1] = @glue;
    $numbers[ALL] = $all;

    $pool = $t->write_file('pool', pack 'q<*', @numbers);
    chmod 0666, $pool;
}


sub fail_at {
    my ($n) = @_;

    set_number(FAIL, $n, 0, 0, 0);
}


# And those behind it.

sub set_number {
    my ($i, @numbers) = @_;

    open my $f, '+<:raw', $pool or die "$pool: $!\n";
    seek $f, 8 * $i, 0;
    print $f pack 'q<*', @numbers;
    close $f or die "$pool: $!\n";
}


sub numbers {
    open my $f, '<:raw', $pool or die "$pool: $!\n";
    local $/;

    return unpack 'q<*', <$f>;
}


sub number {
    my ($i) = @_;

    return (numbers())[$i];
}


sub keep_sites {
    my @numbers = numbers();
    my $n = $numbers[SITES];

    $sites{$_} = 1 for @numbers[SITES + 1 .. SITES + $n];
}


# What failed is in the log: a configuration, or the writer's descriptor.

sub end {
    my ($t) = @_;

    keep_sites();
    $t->expect_log(qr/\[emerg\]/, qr/its writer cannot be heard/);
    $t->finish;
}


sub call_sites {
    my $file = "$root/build/glue-output";

    open my $out, '>', $file or die "$file: $!\n";
    printf $out "site 0x%x\n", $_ for sort { $a <=> $b } keys %sites;
    close $out or die "$file: $!\n";

    my $said = `$root/tools/failing-sites glue $module < $file`;

    is($?, 0, 'each call site had its turn, or an excuse') or diag($said);

    my ($count) = $said =~ /^(glue: \d+ of \d+ call sites .*)$/m;
    diag($count // 'no count');
}
