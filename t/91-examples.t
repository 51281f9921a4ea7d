#!/usr/bin/perl

# Every example of README.md, docs/ and the manual pages is run: commands in a
# shell beside a real nginx, configurations by nginx -t, lists by an import, and what is shown
# as an answer has to be like the real one.  What cannot be run is listed here,
# with the reason; an example that is neither is a fault.

use strict;
use warnings;

use File::Path qw(make_path);
use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/lib";
use Referral::Examples qw(blocks differences runs);
use Referral::Test qw(root_dir wait_until);


# {document, how the example begins, why it is not run}.

my @not_run = (
    [ 'README.md', qr/^sudo apt install/, 't/95-packages.t runs it' ],
    [ 'README.md', qr{http://localhost/$}, 't/95-packages.t runs it' ],
    [ 'docs/operations.md', qr/^sudo apt install/, 't/95-packages.t runs it' ],
    [ 'docs/operations.md', qr/^docker build/, 'there is no docker here' ],
    [ 'docs/architecture.md', qr/^nginx\/  /, 'a picture' ],
    [ 'docs/architecture.md', qr/^headers /, 'a picture' ],
    [ 'docs/architecture.md', qr/^total = /, 'a formula' ],
    [ 'docs/api.md', qr/^rows \+ /, 'a formula; t/72-tree.t holds it' ],
    [ 'docs/cdn.md', qr/^When: /, 'what a form of Cloudflare asks' ],
    [ 'docs/cdn.md', qr/^"DefaultCacheBehavior"/, 'a part of JSON, cut' ],
    [ 'docs/cdn.md', qr/^# recv:/, 'VCL of Fastly' ],
    [ 'docs/cdn.md', qr/^sub vcl_recv/, 'VCL of Varnish' ],
    [ 'docs/sources.md', qr/^source host /, 'a picture' ],
    [ 'docs/sources.md', qr/^clicks \+ /,
      'a formula; t/37-sources-log.t holds it' ],
    [ 'docs/performance.md', qr/^make bench /, 'most of an hour' ],
    [ 'docs/cli.md', qr/^referralctl \[-d PATH\]/, 'usage; t/90-docs.t' ],
    [ 'docs/directives.md', qr/^Syntax: /, 'syntax; t/90-docs.t' ],
    [ 'docs/operations.md', qr/tmpfiles\.d/, 't/96-examples.t' ],
    [ 'docs/operations.md', qr/^\[Service\]/, 't/96-examples.t' ],
    [ 'docs/operations.md', qr/^securityContext:/, 'a part of a pod' ],
    [ 'docs/operations.md', qr/^volumeMounts:/, 'a part of a pod' ]
);

my $root = root_dir();
my $page = 'https://blog.example/2024/launch';
my $browser = 'Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0';

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%
    referral_registry shop %%DIR%%/shop counters=%%SHM%%/shop.counters;

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;

        location / { referral main; return 200; }
        location /gone { referral main; return 404; }
        location /old { referral main; return 404; }
        location /referral_status { referral_status main write=on; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        location /referral_status { referral_status all; }
    }
CONF

my $dir = $t->dir;
my $home = "$dir/home";
my %used;

make_sandbox();
make_past();
$t->start;
visit();

for my $name ('README.md', map { s{^\Q$root/\E}{}r } sort glob "$root/docs/*.md")
{
    my @blocks = blocks($t->read_file("$root/$name"));

    run_example($name, $_) for @blocks;
}

for my $name ('man/referralctl.1.in', 'man/ngx_http_referral_module.7.in') {
    run_example($name, $_) for manual_blocks($t->read_file("$root/$name"));
}

is_deeply([ map { "$_->[0]: $_->[1]" } grep { !$used{$_} } @not_run ], [],
          'all that is not run is there');

$t->finish;
done_testing;


# What is not filled, as it is read.

sub manual_blocks {
    my ($text) = @_;

    my @blocks;

    while ($text =~ /^\.nf\n(.*?)^\.fi$/msg) {
        push @blocks, { line => 1 + ($` =~ tr/\n//),
                        text => $1 =~ s/\\-/-/gr
                                   =~ s{\@DIR\@}{/var/lib/nginx/referral}gr };
    }

    die "no examples\n" if !@blocks;

    return @blocks;
}


# Names what it is, by how it looks.

sub run_example {
    my ($name, $block) = @_;

    my $text = $block->{text};
    my $what = "$name:$block->{line}";

    for my $row (@not_run) {
        if ($row->[0] eq $name && $text =~ $row->[1]) {
            $used{$row} = 1;
            return pass("$what is not run: $row->[2]");
        }
    }

    return run_commands($what, $text)
        if $text =~ /^(?:\$ |sudo |make |curl |cp |referralctl )/;
    return run_json($what, $text) if $text =~ /^\{"/;
    return run_expression($what, $text) if $text =~ /^sum by /;
    return run_scrape($what, $text) if $text =~ /^scrape_configs:/;
    return run_list($what, $text) if $text =~ /^source,/;
    return run_configuration($what, $text) if $text =~ /[;{]$/m;

    fail("$what: nobody knows how to run it");
    diag($text);
}


# -- commands ------------------------------------------------------------------

sub run_commands {
    my ($what, $text) = @_;

    for my $run (runs($text)) {
        my ($command, $shown) = @$run{qw(command shown)};

        my $writes = $command =~ /-d '\{"source"/;

        # a link that is registered in an example is not yet
        $t->ctl('rm', '5fab') if $writes;
        before($command);

        my ($exit, $out, $err) = in_shell($what, $command, $shown);
        my $first = (split /\n/, $command)[0];

        is($exit, 0, "$what: $first") or diag($out . $err);

        my @bad = $err =~ /^STATUS ([45]\d\d)$/mg;
        is_deeply(\@bad, [], "$what: is answered") unless defined $shown;

        # a stream may have had nothing to tell on a machine that is busy
        for (my $try = 1; $try < 5 && $command =~ /curl -N/ && defined $shown
                          && differences($shown, $out); $try++)
        {
            ($exit, $out, $err) = in_shell($what, $command, $shown);
        }

        if (defined $shown && $shown ne '') {
            is_deeply([ differences($shown, $out) ], [],
                      "$what: what is shown is like it") or diag($out);
        }
    }

    add_link() if $text =~ /application\/json/;
}


sub add_link {
    $t->ctl('rm', '5fab');
    $t->ctl('add', $page, '--target', '/pricing', '--name', 'Launch post',
            '--channel', 'guest-post', '--partner', 'Acme', '--label', 'q4');
}


# What an example takes for granted.

sub before {
    my ($command) = @_;

    $t->run_command(undef, 'rm', '-rf', "$home/backup", "$home/backups")
        if $command =~ /backup/;

    if ($command =~ m{cp backup/data\.mdb}) {
        $t->ctl_ok('backup', "$dir/copy");
        make_path("$home/backup");
        $t->run_command(undef, 'cp', "$dir/copy/ledger/data.mdb",
                        "$home/backup/data.mdb");
    }

    make_path("$home/backups");
    $t->give_to_worker("$home/backups");
}


# Answers of streams end after some seconds, in which there are visits.  Where
# a table is shown as a terminal has it, it gets one.

sub in_shell {
    my ($what, $command, $shown) = @_;

    my $user = $t->{user} // getpwuid $>;
    my $terminal = defined $shown && $shown =~ /\x{e2}\x{96}/;

    $command =~ s/ PATH\// $t->{dir}\/referral\//g;
    $command =~ s/\/var\/backups/$home\/backups/g;
    $command =~ s/www-data/$user/g;
    $command = "stty cols 100 2>/dev/null\n$command" if $terminal;

    my $script = $t->write_file('home/example.sh', $command);
    my @shell = ('bash', '-e', $script);

    @shell = ('script', '-qec', "bash -e $script", '/dev/null') if $terminal;

    my $visitor = $command =~ /curl -N/ ? visitor() : undef;

    local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    local $ENV{REFERRALCTL_DIR} = $command =~ /ctl (?:init|check)\b/
                                  ? fresh($what) : $t->registry_dir;
    local $ENV{EXAMPLE_PORT} = $t->port(($shown // '') =~ /"registries"/ ? 2 : 1);
    local $ENV{NO_COLOR} = 1;
    local $ENV{LC_ALL} = 'C.UTF-8';
    local $ENV{TERM} = 'xterm';

    my ($exit, $out, $err) = $t->run_command(undef, 'sh', '-c',
        'cd "$0" && exec "$@"', $home, @shell);

    if (defined $visitor) {
        kill 'TERM', $visitor;
        waitpid $visitor, 0;
    }

    $out =~ s/\r\n/\n/g if $terminal;

    return ($exit, $out, $err);
}


# A directory for a registry, one for each document.

sub fresh {
    my ($what) = @_;

    my $path = "$dir/fresh-" . ($what =~ s/:.*//r =~ tr{/}{-}r);

    $t->run_command(undef, $t->{ctl}, '-d', $path, 'init') if !-e $path;

    return $path;
}


sub visitor {
    my $pid = fork() // die "fork: $!\n";

    return $pid if $pid != 0;

    for (1 .. 100) {
        click('/pricing', $page);
        sleep 0.2;
    }

    POSIX::_exit(0);
}


# -- other examples --------------------------------------------------------------

# In one of the contexts it is written for, with what it needs around it.

sub run_configuration {
    my ($what, $text) = @_;

    my %said;

    $text =~ s/listen 80;/listen 127.0.0.1:%%PORT3%%;/;
    $text =~ s/^load_module .*\n//m;
    $text =~ s/^http \{\n/http {\n%%HTTP%%\n/m;
    $text =~ s{/var/lib/nginx/referral|/run/ngx-referral}{$dir/conf}g;

    $text =~ s{\bsource=[^\s;]+}{source=$dir/links.csv};
    $t->write_file('links.csv', "source\n");

    my $registry = $text =~ /referral_registry/ ? ''
                   : "referral_registry main $dir/conf;\n";
    my %around = (
        main     => [ '', '' ],
        http     => [ "http {\n%%HTTP%%\n$registry", "}\n" ],
        server   => [ "http {\n%%HTTP%%\n${registry}server {\n", "}}\n" ],
        location => [ "http {\n%%HTTP%%\n${registry}server {\nlocation / {\n",
                      "}}}\n" ]
    );

    for my $context (sort keys %around) {
        my ($before, $after) = @{ $around{$context} };
        my $globals = "%%GLOBALS%%\nevents { }\n";

        next if $context eq 'main' && $text !~ /^http \{/m;

        my $conf = $t->write_file('example.conf',
                       $t->expand($globals . $before . $text . $after));

        my ($exit, $out, $err) = $t->run_command(undef, $t->{nginx}, '-t',
            '-e', "$dir/example.log", '-p', $dir, '-c', $conf);

        return pass("$what: nginx takes it ($context)")
            if $exit == 0 && $err !~ /\[warn\]/;

        $said{$context} = $err;
    }

    fail("$what: nginx takes it");
    diag("$_: $said{$_}") for sort keys %said;
}


# As an answer, of which the command stands before; or for another program.

sub run_json {
    my ($what, $text) = @_;

    my $command = $text =~ /"period"/
                  ? "curl 'localhost/referral_status/links/5fabaef8b5fd5129"
                    . "?from=2026-11-18&to=2026-11-20&compare=previous'"
                  : undef;

    if (!defined $command) {
        ok(eval { JSON::PP->new->decode($text) }, "$what: it is JSON")
            or diag($@);
        return;
    }

    my ($exit, $out) = in_shell($what, $command);
    is_deeply([ differences($text, $out) ], [],
              "$what: what is shown is like it") or diag($out);
}


sub run_list {
    my ($what, $text) = @_;

    my $list = $t->write_file('home/list.csv', $text);
    my $report = $t->ctl_ok('import', '--json', '--dry-run', $list);
    my $rows = () = $text =~ /\n/g;

    is(JSON::PP->new->decode($report)->{links}, $rows - 1,
       "$what: each row is a link");
}


sub run_expression {
    my ($what, $text) = @_;

    my $rules = $t->write_file('rules.yml', "groups:\n- name: example\n"
        . "  rules:\n  - record: example\n    expr: |\n"
        . ($text =~ s/^/      /mgr));

    promtool($what, 'rules', $rules);
}


sub run_scrape {
    my ($what, $text) = @_;

    promtool($what, 'config', $t->write_file('prometheus.yml', $text));
}


sub promtool {
    my ($what, $kind, $file) = @_;

    SKIP: {
        skip 'promtool is not installed', 1
            unless grep { -x "$_/promtool" } split /:/, $ENV{PATH};

        my ($exit, $out, $err) = $t->run_command(undef, 'promtool', 'check',
                                                 $kind, $file);

        is($exit, 0, "$what: promtool takes it") or diag($out . $err);
    }
}


# -- where they run ----------------------------------------------------------------

# The commands of the examples: as they are, but for where they lead.

sub make_sandbox {
    make_path("$dir/bin", $home);

    program('referralctl', "exec '$t->{ctl}' \"\$@\"");
    program('sudo', 'exec "$@"');

    # what it would build is another test's; that there is such a target, this
    # one's
    program('make', <<"SH");
        for target; do
            case \$target in
                *=*) ;;
                *)   grep -q "^\$target:.*## " '$root/Makefile' || {
                         echo "no target \$target" >&2; exit 1; } ;;
            esac
        done
SH

    # -N: until somebody ends it, which curl says by 28
    my $curl = (grep { -x } map { "$_/curl" } split /:/, $ENV{PATH})[0];

    program('curl', <<"SH");
        unset http_proxy
        n=\$#
        while [ \$n -gt 0 ]; do
            argument=\$1; shift; n=\$((n - 1))
            case \$argument in
                localhost/* | localhost)
                    argument=127.0.0.1:\$EXAMPLE_PORT\${argument#localhost} ;;
                http://127.0.0.1:8088/*)
                    argument=127.0.0.1:\$EXAMPLE_PORT/\${argument#http://*/} ;;
                -N) set -- "\$@" --max-time 3 ;;
            esac
            set -- "\$@" "\$argument"
        done
        '$curl' -s -w '%{stderr}STATUS %{http_code}\\n' "\$@" || [ \$? = 28 ]
SH

    $t->write_file('home/partners.csv', "source,target,partner\n"
                   . "https://partner.example/,/,Acme\n");

    # two of each kind that the report tells of
    for my $name (qw(backlinks ahrefs)) {
        my ($one, $two) = ("https://one.$name.example",
                           "https://two.$name.example");

        $t->write_file("home/$name.csv", join '', map { "$_\n" }
            'Referring page URL,Target URL,Anchor',
            (map { "$one/$_,https://shop.example/$_,here" } 1 .. 3),
            (map { "$two/$_,https://shop.example/,there" } 1 .. 3),
            (map { "$two/$_,https://shop.example/,there" } 1 .. 2),
            (map { "ftp://three.example/$_,https://shop.example/,bad" }
                 1 .. 2));
    }

    chmod 0777, $home;
}


sub program {
    my ($name, $text) = @_;

    my $path = $t->write_file("bin/$name", "#!/bin/sh\n$text\n");
    chmod 0755, $path;
}


# Links as in the documents, and what they had in the past.

sub make_past {
    $t->ctl_ok('init');
    add_link();
    $t->ctl_ok('add', 'https://blog.example/2024/review', '--target',
               '/pricing', '--channel', 'natural', '--label', 'q4', '--label',
               'eu');
    $t->ctl_ok('add', 'news.example', '--channel', 'press');
    $t->ctl_ok('add', '--tag', 'partner42', '--channel', 'email', '--partner',
               'Partner 42');

    my $link = '5fabaef8b5fd5129';
    my $text = '';

    # the clicks, 4xx, bots and bytes of cli.md; clicks of api.md's days
    for my $row ([ 1772323200, 17, 11, 7, 123449 ],
                 [ 1772582400, 9, 0, 0, 57049 ],
                 [ 1772668800, 31, 0, 2, 208149 ],
                 map { [ 1794826800 + $_ * 86400 - 21600, 10, 0, 0, 70 ] }
                     1 .. 7)
    {
        my ($time, @counts) = @$row;

        for my $field (0, 3, 7, 12) {
            my $count = shift @counts;
            $text .= "$time $link $field $count\n" if $count != 0;
        }

        $text .= "$time all 4 $row->[1]\n";
    }

    my ($exit, $out, $err) = $t->run_command($text,
        $t->program('add_history'), $t->registry_dir);
    is($exit, 0, 'there is a past') or diag($out . $err);

    my @files = glob $t->registry_dir . '/*/*.mdb';
    $t->give_to_worker(@files);
}


# And what they have now.

sub visit {
    click('/pricing', $page) for 1 .. 5;
    click('/gone', $page);
    click('/pricing', 'https://blog.example/2024/review') for 1 .. 3;
    click('/pricing', 'https://blog.example/') for 1 .. 2;
    click('/', 'https://news.example/') for 1 .. 2;
    click('/?ref=partner42', undef) for 1 .. 4;

    # strangers, and what is broken

    click('/pricing', 'https://forum.example/') for 1 .. 12;
    click('/old/tour', 'https://forum.example/') for 1 .. 5;
    click('/reset/8f14e45fceea167a5a36dedd4bea2543', 'https://mail.example/')
        for 1 .. 4;
    click('/old', $page) for 1 .. 7;
    $t->ctl_ok('ignore', 'spam.example');

    ok(wait_until(sub {
        $t->get_json('/referral_status/history')->{buckets}[-1]
          {outcomes}{matched} // 0 >= 15
    }, 30), 'visits are counted and flushed');
    ok(wait_until(sub {
        @{ $t->get_json('/referral_status/sources')->{sources} } == 3
    }, 30), 'strangers, too');
}


sub click {
    my ($path, $referer) = @_;

    $t->get($path, 'User-Agent' => $browser, Accept => 'text/html',
            defined $referer ? (Referer => $referer) : ());
}
