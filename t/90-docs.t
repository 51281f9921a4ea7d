#!/usr/bin/perl

# The documents and the code name the same things, both ways: directives and
# their parameters, variables, commands, options, fields, counters, health,
# metrics, paths, arguments, errors, events.  What is there is asked of the
# program where it says so itself, and read from the tables in C where not.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Metrics qw(read_metrics);
use Referral::Test qw(root_dir wait_until);


my $root = root_dir();
my $module = "$root/ngx_referral_module";

my %doc = map { $_ => slurp("$root/$_") }
          'README.md', map { s{^\Q$root/\E}{}r } glob "$root/docs/*.md";

my $all_docs = join "\n", map { $doc{$_} } sort keys %doc;
my $directives_md = $doc{'docs/directives.md'};
my $api_md = $doc{'docs/api.md'};
my $cli_md = $doc{'docs/cli.md'};

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { return 200; }
        location /status { referral_status main; }
    }
CONF

my %man = map { $_ => manual($_) }
          'referralctl.1', 'ngx_http_referral_module.7';


# -- directives and variables -------------------------------------------------

my $module_c = slurp("$module/nginx/ngx_http_referral_module.c");

my ($table) = $module_c =~ /ngx_http_referral_commands\[\] = \{(.*?)\n\};/s;
my %directives = $table =~ /ngx_string\("(\w+)"\),\s*([A-Z_0-9|\s]+),/g;
my @directives = sort keys %directives;

cmp_ok(scalar @directives, '>=', 7, 'the table of directives is found');

same([ grep { $_ ne 'Variables' } $directives_md =~ /^## (\S+)$/mg ],
     \@directives, 'directives');

my %in = ( MAIN => 'http', SRV => 'server', LOC => 'location' );

for my $name (@directives) {
    my $section = section($directives_md, $name);
    my ($context) = $section =~ /^    Context:\s+(.*)$/m;

    is($context, join(', ', map { $in{$_} } grep {
           $directives{$name} =~ /NGX_HTTP_${_}_CONF/ } qw(MAIN SRV LOC)),
       "$name: its context");
    like($section, qr/^    Syntax:   \Q$name\E /m, "$name: its syntax");
    like($man{'ngx_http_referral_module.7'}, qr/^ +\Q$name\E$/m,
         "$name: a section of the manual");
}

# Each parameter is looked for by its name and "=" in C.

my @parameters = ($module_c =~ /strncmp\([^,]+, "([a-z_]+=)", \d+\)/g,
                  $module_c =~ /ngx_string\("([a-z_]+=)"\)/g,
                  $module_c =~ /"(write=)(?:on|off)"/g);

cmp_ok(scalar @parameters, '>=', 9, 'the parameters of directives are found');

my $syntaxes = join "\n", $directives_md =~ /^    Syntax:(.*?)\n\n/msg;

same([ $syntaxes =~ /\[([a-z_]+=)/g ], \@parameters,
     'parameters of directives');
same([ $directives_md =~ /`([a-z_]+=)[A-Z]+`(?= `|\n:)/g ],
     [ grep { !/^(?:if|write)=$/ } @parameters ], 'each has a text');

my $request_c = slurp("$module/nginx/ngx_http_referral_request.c");
my @variables = map { "\$$_" }
                $request_c =~ /\{ ngx_string\("(referral_\w+)"\), NULL,/g;

same([ section($directives_md, 'Variables') =~ /^\| (.*?) \|/mg ],
     \@variables, 'variables', sub { map { /(\$\w+)/g } @_ });
mentions($man{'ngx_http_referral_module.7'}, \@variables,
         'the manual has all variables');


# -- the command ---------------------------------------------------------------

my $help = ctl('--help');
my @commands = $help =~ /^  (\w+) +\w.*$/mg;
my %help = map { $_ => ctl($_, '--help') } @commands;

my @files = glob "$module/cli/cmd_*.c";
same([ map { m{cmd_(\w+)\.c$} } @files ], \@commands,
     'a file for each command');

same([ $cli_md =~ /^\| `(\w+)(?: [^`]*)?` \|/mg ], \@commands,
     'the list of commands', sub { grep { $_ ne 'auto' && $help{$_} } @_ });
like($man{'referralctl.1'}, qr/^   \Q$_\E(?: |$)/m,
     "$_: a section of the manual") for @commands;

# --help has what getopt_long() takes; the documents have what --help has.

my @common = qw(dir json help);
my %options;

for my $command (@commands) {
    $options{$command} = [ sort grep { !is_common($_) }
                           $help{$command} =~ /^ {2,6}(?:-\w, )?--([a-z-]+)/mg ];

    my $code = slurp("$module/cli/cmd_$command.c");
    my @taken = $code =~ /^ +\{ "([a-z-]+)", (?:no|required)_argument/mg;

    push @taken, map { tr/_/-/r } grep { $_ ne 'labels' }
                 field_names() if $command eq 'add';

    is_deeply([ sort grep { $_ ne 'source' } uniq(@taken) ],
              $options{$command}, "$command: options of --help");
    is_deeply([ sort(uniq(documented_options($command))) ],
              $options{$command}, "$command: options in cli.md");

    mentions($man{'referralctl.1'}, [ map { "--$_" } @{$options{$command}} ],
             "$command: options in the manual");
}

my @long = map { "--$_" } @common, 'version', map { @$_ } values %options;

is_deeply([ unknown_options() ], [], 'no other option of it is named');

# Fields: the table, what --help says, what may be set, what a link shows.

my @fields = field_names();
my @editable = grep { !/^(?:source|match_type|target)$/ } @fields;

cmp_ok(scalar @fields, '>=', 16, 'the table of fields is found');

same([ words($help{set} =~ /^Fields: (.*?)\./ms) ], \@editable,
     'set --help: fields');
same([ words($help{import} =~ /^Fields: (.*?)\./ms) ], \@fields,
     'import --help: fields');
same([ words(map { tr/`//dr } section($cli_md, 'Fields')
             =~ /All else may be set:\n(.*?)\. /s) ], \@editable,
     'cli.md: fields');
mentions($man{'referralctl.1'}, \@fields, 'the manual has all fields');

# Words: formats, units, match types, channels.

my (undef, undef, $refused) = $t->ctl('import', '-', '--format', 'none');
my ($formats) = $refused =~ /is none of (.*?)\n/;

same([ section($cli_md, 'Importing') =~ /^\| `([a-z][a-z-]+)` \| /mg ],
     [ grep { $_ ne 'auto' } split /, | or | and /, $formats ],
     'cli.md: formats');

same([ section($cli_md, 'Match types') =~ /^\| `(\w+)` \|/mg ],
     [ table_words('rfl_terms.c', 'rfl_match_type_names') ],
     'cli.md: match types');

same([ words(map { tr/`//dr } $cli_md =~ /`channel` is one of (.*?), or/s) ],
     [ table_words('rfl_link.c', 'rfl_link_channels') ], 'cli.md: channels');

# Headers that a decision looks at.

my $match_c = slurp("$module/cli/cmd_match.c");
my ($listed) = $match_c =~ /^(static const header_t .*?^\};)/ms;
my @headers = grep { $_ ne 'Referer' } uniq(
    ($listed // '') =~ /"([\w-]+)"/g,
    $match_c =~ /caseeq\(name, rfl_cstr\("([\w-]+)"\)/g);

cmp_ok(scalar @headers, '>=', 12, 'headers of match are found');

same([ (section($cli_md, 'match') =~ /Those that count: (.*?)\. /)[0]
           =~ /`([\w-]+)`/g ], \@headers, 'match: headers');
same([ (slurp("$root/share/referralctl.bash-completion")
            =~ /match:--header\)(.*?);;/s)[0] =~ /\b([\w-]+):/g ],
     \@headers, 'completion: headers of match');

# Limits, in bytes: {row, constant}.

my $constants = slurp("$module/core/rfl_base.h")
                . slurp("$module/core/rfl_pattern.h");
my %limits = $cli_md =~ /^\| ([^|]+) \| ([\d,]+) \|$/mg;
my @limits = (
    [ 'a URL: `source`, `target`', 'RFL_URL_MAX' ],
    [ '`tag`, `partner`', 'RFL_TAG_MAX' ],
    [ '`tag`, `partner`', 'RFL_PARTNER_MAX' ],
    [ '`name`', 'RFL_NAME_MAX' ],
    [ '`channel`, one label', 'RFL_WORD_MAX' ],
    [ '`labels` together, commas included', 'RFL_LABELS_TEXT_MAX' ],
    [ '`anchor`', 'RFL_ANCHOR_MAX' ],
    [ '`note`', 'RFL_NOTE_MAX' ],
    [ 'a pattern', 'RFL_PATTERN_MAX' ]
);

for my $row (@limits) {
    my ($name, $constant) = @$row;
    my ($n) = $constants =~ /^#define $constant +(\d+)/m;

    is(($limits{$name} // '') =~ tr/,//dr, $n, "cli.md: the limit of $name is $constant");
}

my ($keys) = $help{top} =~ /Keys: (.*)\./s;

same([ section($cli_md, 'top') =~ /^\| (.*?) \| (?!.*--)/mg ],
     [ 'space', $keys =~ /\b([a-z])\b(?=,| (?:quits|sort))/g ], 'top: keys', sub {
         grep { length == 1 || $_ eq 'space' }
              map { /^space$/ ? $_ : /`(\w)`/g } @_ });


# -- the status tree -----------------------------------------------------------

my $query_c = slurp("$module/core/rfl_query.c");

my ($paths) = $query_c =~ /rfl_query_paths\[\] = \{(.*?)\n\};/s;
my @paths = grep { $_ ne '/ignored/KEY' }        # it is only removed
            map { '/' . s/\*/KEY/r } $paths =~ /\{ "([^"]*)",/g;

my ($requests) = $api_md =~ /^\| request .*\n((?:\|.*\n)+)/m;
my @cells = map { /^\| (.*?) \|/ } grep { !/^\|[-|]+$/ } split /\n/, $requests;

same([ map { m{`(?:GET )?(/[^`]*)`}g } grep { !/POST/ } @cells ], \@paths,
     'paths of the status tree');
same([ map { m{`(?:POST|PATCH|DELETE) (/[^`]*)`}g } @cells ],
     [ '/links', '/links/KEY', '/links/KEY', '/ignored', '/ignored/HOST' ],
     'paths of writes');
same([ section($api_md, 'Writes') =~ m{^\| `((?:POST|PATCH|DELETE) /\S+)` \|}mg ],
     [ map { m{`((?:POST|PATCH|DELETE) /[^`]*)`}g } @cells ],
     'each write has a text');
like($man{'ngx_http_referral_module.7'}, qr{GET \Q$_\E( |$)}m,
     "the manual has GET $_")
    for grep { !m{^/(?:channels|partners|labels)$} } @paths;

# Arguments: of each path, those of the tables it names.

my %arguments = (
    '/links'    => [ rows_of('`/links`'), qw(format) ],
    '/hosts'    => [ rows_of('Sums of links'), qw(format) ],
    '/history'  => [ rows_of('History'), qw(format) ],
    '/metrics'  => [ rows_of('`/metrics`') ],
    '/sources'  => [ rows_of('Sources'), qw(format) ],
    '/'         => [ rows_of('Periods'), qw(format) ],
    '/links/KEY' => [ rows_of('Periods'), qw(fields format) ]
);

for my $path (sort keys %arguments) {
    same($arguments{$path}, [ arguments_of($path) ], "$path: arguments");
}

same([ map { /^\| `(\w+)` \|/mg } section($api_md, 'Formats')
           =~ /^(\| `format` .*?)\n\n/ms ],
     [ $query_c =~ /\{ rfl_string\("(\w+)"\), RFL_FORMAT_/g ],
     'formats', sub { grep { $_ ne 'format' } @_ });

# What is installed, and where README says so.

my (undef, $install) = $t->run_command(undef, 'make', '-C', $root, '-n',
                                       'install', 'DESTDIR=/D', 'PREFIX=/P',
                                       'MODULES_DIR=/M');

$install =~ s/\\\n\s*//g;

like($install, qr/\Q$_\E$/m, "make install: $_") for (
    'build/ngx_http_referral_module.so "/D/M"',
    'build/referralctl "/D/P/bin"',
    'build/man/referralctl.1 "/D/P/share/man/man1"',
    'build/man/ngx_http_referral_module.7 "/D/P/share/man/man7"',
    'share/referralctl.bash-completion '
        . '"/D/P/share/bash-completion/completions" referralctl');

# Errors: each code that is given has a row.

my $sources = join '', map { slurp($_) } glob "$module/{core,nginx}/*.c";

my @codes = ($sources =~ /_refuse\([^;"]*?"([A-Z]\w+)"/g,
             $sources =~ /\{ RFL_\w+, +\d+, "([A-Z]\w+)" \}/g);

cmp_ok(scalar @codes, '>=', 20, 'codes of errors are found');
same([ "$api_md" =~ /^\| \d\d\d \| ?(.*?) \|/mg,
       "$api_md" =~ /^\| \d\d\d (`.*?) \|/mg ], \@codes,
     'codes of errors', sub { map { /\b([A-Z]\w+)\b/g } @_ });

# What answers hold.

$t->ctl_ok('init');
my $key = $t->ctl_ok('add', 'https://blog.example/a', '--target', '/');
chomp $key;
$t->ctl_ok('add', 'https://blog.example/b', '--target', '/');

$t->start;
ok(wait_until(sub { defined json('/')->{health}{readers}
                    && defined json('/')->{health}{capacity} }, 30),
   'all is open');
$t->get('/', Referer => 'https://blog.example/a', 'User-Agent' =>
        'Mozilla/5.0 (X11) Gecko/20100101', Accept => 'text/html');
ok(wait_until(sub { json('/')->{outcomes}{matched} == 1 }, 30),
   'a request is counted');

my $summary = json('/');
my $link = json("/links/$key");
my @counters = sort keys %{ $link->{counters} };

is_deeply([ grep { !exists $link->{$_} } @fields ], [],
          'a link shows all fields');
same([ keys %{ shown('A link') } ], [ keys %$link ],
     'api.md: the members of a link');
same([ keys %{ shown('A link')->{counters} } ], \@counters,
     'api.md: the counters of a link');
same([ keys %{ shown('Summary') } ], [ keys %$summary ],
     'api.md: the members of the summary');

for my $member (qw(links outcomes clicks classes evidence health)) {
    same([ keys %{ shown('Summary')->{$member} } ],
         [ keys %{ $summary->{$member} } ],
         "api.md: the summary's $member");
}

# "source" is there only where a file is followed: t/35-source.t

same([ grep { $_ ne 'source' } first_column('health') ],
     [ keys %{ $summary->{health} } ], 'api.md: health has a text');
same([ first_column('evidence') ], [ keys %{ $summary->{evidence} } ],
     'api.md: evidence has a text');

my %texts = map { $_ => 1 } first_column('classes');

same([ keys %texts ],
     [ grep { !/^(?:clicks_by_|other_landing|bytes)/ } @counters ],
     'api.md: classes have a text');

my $about = section($api_md, 'Summary') . section($api_md, 'A link');

is_deeply([ grep { !$texts{$_} && $about !~ /^(?!\s+").*`\Q$_\E`/m }
            @counters ], [], 'api.md: counters have a text');

same([ section($doc{'README.md'}, 'What is counted')
           =~ /^\| `(\w+)` \| (?!.*`\w+` \|$)/mg ],
     [ keys %{ $summary->{outcomes} } ], 'README: outcomes');
same([ section($doc{'README.md'}, 'What is counted')
           =~ /^\| `\w+` \|.*\| (`\w+`.*) \|$/mg ],
     [ grep { !/^(?:clicks_by_|other_landing|bytes)/ } @counters ],
     'README: counters', sub { map { /`(\w+)`/g } @_ });

for my $row ([ '$referral_outcome', keys %{ $summary->{outcomes} } ],
             [ '$referral_class',
               table_words('rfl_terms.c', 'rfl_class_names') ],
             [ '$referral_evidence', keys %{ $summary->{evidence} } ])
{
    my ($variable, @words) = @$row;
    my ($said) = $directives_md =~ /^\| `\Q$variable\E` \| (.*?) \|$/m;

    $said =~ s/; .*//;
    same([ $said =~ /`([a-z]+)`/g ], \@words, "words of $variable");
}

# CSV: the columns that are told.

my ($columns) = section($api_md, 'Formats') =~ /^(\| path \| columns .*?)\n\n/ms;

for my $row ([ '`/`', '' ], [ '`/hosts` and so on', '/hosts' ],
             [ '`/links/KEY/history`', "/links/$key/history" ],
             [ '`/history`', '/history' ],
             [ '`/links` `/links/KEY`', '/links' ])
{
    my ($name, $path) = @$row;
    my ($said) = ($columns // '') =~ /^\| \Q$name\E \| (.*?) \|$/m;
    my ($head) = $t->get("/status$path?format=csv")->{body} =~ /^(.*?)\r?$/m;
    my @told = grep { $_ ne 'fields' }       # an argument
               map { /`(\w+)`/ ? $1
                     : /the fields/ ? @fields
                     : /the counters/ ? @counters : () }
               ($said // '') =~ /(`\w+`|the fields|the counters)/g;

    # those that stand for their like are told with "and so on"
    is_deeply([ grep { $head !~ /(?:^|,)\Q$_\E(?:,|$)/ } @told ], [],
              "CSV of $path: what is told is there");
    is_deeply([ grep { my $c = $_; $c !~ /^(?:outcome|clicks|evidence)_(?!by)/
                           && !grep { $_ eq $c } @told } split /,/, $head ],
              [], "CSV of $path: what is there is told");
}

# Metrics.

my $metrics = $t->get('/status/metrics?links=all')->{body};
my @metrics = $metrics =~ /^# TYPE (\w+) /mg;

ok(wait_until(sub {
    $metrics = $t->get('/status/metrics?links=all')->{body};
    @metrics = $metrics =~ /^# TYPE (\w+) /mg;
    return $metrics =~ /^referral_flush_age_seconds\{/m;
}, 30), 'all metrics are shown');

same([ section($api_md, '`/metrics`') =~ /^\| `(referral_\w+)` \|/mg ],
     \@metrics, 'metrics');

for my $name (@metrics) {
    my ($labels) = section($api_md, '`/metrics`')
                   =~ /^\| `$name` \| (.*?) ?\|/m;
    my ($sample) = $metrics =~ /^\Q$name\E\{(.*)\} \S+$/m;

    same([ 'registry', ($labels // '') =~ /`(\w+)`/g ],
         [ ($sample // '') =~ /(\w+)="/g ], "labels of $name");
}

# Whatever else is named so is one of these.

my %known = map { $_ => 1 } @directives, @metrics,
                            map { substr $_, 1 } @variables;

is_deeply([ grep { !$known{$_} } sort { $a cmp $b } uniq(
                $all_docs =~ /(?<![\w-])(referral_\w+)\b/g) ], [],
          'no directive, variable or metric is named that is not there');

# Events.

my $feed_c = slurp("$module/core/rfl_feed.c");

my ($events) = section($api_md, 'Events')
               =~ /^\| event \|.*\n\|.*\n((?:\|.*\n)+)/m;

same([ $events =~ /^\| `(\w+)` \|/mg ],
     [ uniq($feed_c =~ /event: (\w+)\\n/g) ], 'events');

my ($match) = section($api_md, 'Events') =~ /^(\| of a `match` .*?)\n\n/ms;

same([ $match =~ /^\| (`.*?) \|/mg ],
     [ uniq(grep { !/^(?:missed|now|states|from|to)$/ }
            $feed_c =~ /rfl_json_name\([^,]+, "(\w+)"\)/g), qw(link group) ],
     'members of a match', sub {
         uniq(map { /`(\w+)`/g } @_), qw(link group) });

my ($state) = section($api_md, 'Events') =~ /^(\| of a `state` .*?)\n\n/ms;

is_deeply([ $state =~ /`(\w+)`(?=[^|]*\|)/g ],
          [ qw(state time link name from to) ], 'members of a state');

$t->finish;
done_testing;


sub slurp {
    my ($path) = @_;

    open my $f, '<', $path or die "$path: $!\n";
    local $/;

    return scalar <$f>;
}


# Both lists hold the same, whatever the order; filter is for the first one.

sub same {
    my ($said, $there, $name, $filter) = @_;

    my @said = $filter ? $filter->(@$said) : @$said;
    my %said = map { $_ => 1 } @said;
    my %there = map { $_ => 1 } @$there;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok(%there && !(grep { !$there{$_} } keys %said)
       && !(grep { !$said{$_} } keys %there), $name)
        or diag("not there: @{[ sort grep { !$there{$_} } keys %said ]}\n"
                . "not said: @{[ sort grep { !$said{$_} } keys %there ]}");
}


sub mentions {
    my ($text, $words, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply([ grep { $text !~ /(?<![\w-])\Q$_\E(?![\w-])/ } @$words ], [],
              $name);
}


sub uniq {
    my %seen;

    return grep { !$seen{$_}++ } @_;
}


sub words { return split ' ', $_[0] // '' }


sub section {
    my ($text, $name) = @_;

    my ($section) = $text =~ /^## \Q$name\E\n(.*?)(?=^## |\z)/ms;

    return $section // die "there is no section \"$name\"\n";
}


# As a reader sees it, without breaks of words.

sub manual {
    my ($name) = @_;

    local $ENV{REFERRALCTL} = $t->{ctl};

    my ($exit, $page, $err) = $t->run_command(undef, "$root/tools/make-man",
                                              "$root/man/$name.in");

    is("$exit|$err", '0|', "$name is made");

    SKIP: {
        skip 'mandoc is not installed', 1
            unless grep { -x "$_/mandoc" } split /:/, $ENV{PATH};

        my ($faults, $said) = $t->run_command($page, 'mandoc', '-Tlint',
                                              '-Wstyle');
        is($said, '', "mandoc has nothing to say of $name");
    }

    $page =~ s/\\&|^\.(?:TP|PP|RS.*|RE|nf|fi)\n//mg;
    $page =~ s/^\.SS "?(.*?)"?$/   $1/mg;
    $page =~ s/^\.(?:B|I|SH) //mg;
    $page =~ s/\\-/-/g;
    $page =~ s/\\\((dq|aq)/$1 eq 'dq' ? '"' : "'"/ge;

    return $page;
}


sub ctl {
    my ($exit, $out) = $t->run_command(undef, $t->{ctl}, @_);

    die "referralctl @_ failed\n" if $exit != 0;

    return $out;
}


sub json {
    my ($path) = @_;

    return JSON::PP->new->utf8->decode(
        $t->get("/status$path", Accept => 'application/json')->{body});
}


sub is_common {
    my ($name) = @_;

    return grep { $_ eq $name } @common;
}


# In cli.md an option has a row in the section of its command, or, if there is
# none, stands in the list of commands; those of "add" are its fields, by a rule.

sub documented_options {
    my ($command) = @_;

    my ($row) = $cli_md =~ /^\| `(\Q$command\E(?: [^`]*)?)` \|/m;
    my $title = $command eq 'import' ? 'Importing' : $command;
    my ($text) = $cli_md =~ /^## $title\n(.*?)(?=^## |\z)/ms;

    my $cell = qr/--([a-z-]+)[^|`]*(?:\\\|[^|`]*)*/;
    my @named = defined $text ? $text =~ /^\| `$cell` \| [^|]+ \|$/mg
                              : ($row // '') =~ /--([a-z-]+)/g;

    push @named, add_options() if $command eq 'add';

    return grep { !is_common($_) } @named;
}


sub add_options {
    my $text = section($cli_md, 'Fields');

    return () unless $text =~ /option of `add`/ && $text =~ /`--label`/;

    return ('label', map { tr/_/-/r } grep { $_ ne 'labels' && $_ ne 'source' }
                     field_names());
}


# Of the words behind "referralctl" on a line, and of those that stand alone.

sub unknown_options {
    my %there = map { $_ => 1 } @long;
    my @named = $all_docs =~ /`(--[a-z][a-z-]+)/g;

    push @named, map { /(?<!\S)(--[a-z][a-z-]+)/g }
                 $all_docs =~ /^ +(?:\$ )?(?:sudo )?referralctl (.*(?:\\\n.*)*)/mg;

    # of nginx's build, and of make
    my %others = map { $_ => 1 } qw(--with-compat --add-module
                                    --add-dynamic-module);

    return grep { !$there{$_} && !$others{$_} } uniq(@named);
}


sub field_names {
    my ($rows) = slurp("$module/core/rfl_link.c")
                 =~ /rfl_link_fields\[\] = \{(.*?)\n\};/s;

    return $rows =~ /\{ rfl_link_name\("(\w+)"\), RFL_FIELD_/g;
}


sub table_words {
    my ($file, $name) = @_;

    my ($rows) = slurp("$module/core/$file") =~ /\b$name\[.*?\] = \{(.*?)\n\};/s;

    return grep { $_ ne '' } ($rows // '') =~ /rfl_string\("(.*?)"\)/g;
}


# Of the tables of parameters in a section of api.md; a row may name several.

sub rows_of {
    my ($name) = @_;

    my ($rows) = section($api_md, $name)
                 =~ /^\| parameter \| \|\n\|[-|]+\n((?:\|.*\n)+)/m;

    return map { /`(\w+)`/g } map { /^\| (.*?) \|/ } split /\n/, $rows // '';
}


# As C has them, the macros of that file expanded.

sub arguments_of {
    my ($path) = @_;

    my $pattern = substr($path, 1) =~ s/KEY/*/r;
    my ($name) = $paths =~ /\{ "\Q$pattern\E", \w+, (\w+),/;
    my ($text) = $query_c =~ /\b$name\[\] = \{(.*?)\n\};/s;
    my %macro = $query_c =~ /^#define (RFL_QUERY_ARG\w+) +((?:.*\\\n)*.*\n)/mg;

    1 while $text =~ s/\b(RFL_QUERY_ARG\w+)\b/$macro{$1}/g;

    return grep { $_ ne '' } $text =~ /\{ rfl_string\("(\w*)"\)/g;
}


# The first answer in JSON that a section shows, its gaps closed.

sub shown {
    my ($name) = @_;

    my ($text) = section($api_md, $name) =~ /^    (\{.*?)\n\n/ms;

    $text =~ s/,?\s*\.\.\.\s*(?=[,}\]])//g;

    return JSON::PP->new->decode($text);
}


# The names in the first column of the table with this head.

sub first_column {
    my ($head) = @_;

    my ($rows) = $api_md =~ /^\| `$head` \|.*\n\|[-|]+\n((?:\|.*\n)+)/m;

    return map { /`(\w+)`/g } map { /^\| (.*?) \|/ } split /\n/, $rows // '';
}
