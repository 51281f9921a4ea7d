#!/usr/bin/perl

# The alerts: promtool finds no fault in them, each fires when it is to and not
# when it is not, and what they ask for is what nginx says.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Metrics qw(read_metrics);
use Referral::Test qw(root_dir wait_until);


my $root = root_dir();
my $rules = "$root/share/prometheus-rules.yml";
my $tests = "$root/tests/prometheus/rules_test.yml";

my $said = `promtool check rules \Q$rules\E 2>&1`;
is($?, 0, 'promtool takes the rules') or diag($said);

$said = `promtool test rules \Q$tests\E 2>&1`;
is($?, 0, 'they fire when they are to') or diag($said);

my $text = slurp($rules);
my $tested = slurp($tests);
my @alerts = $text =~ /^ *- alert: (\w+)$/mg;

cmp_ok(scalar @alerts, '>=', 7, 'there are alerts');
is_deeply([ slurp("$root/docs/operations.md") =~ /^\| `(Referral\w+)` \|/mg ],
          \@alerts, 'the documents have each, in their order');

for my $alert (@alerts) {
    my @cases = $tested =~ /alertname: \Q$alert\E\n +exp_alerts:(.*)/g;

    ok((grep { /^ \[\]$/ } @cases) && (grep { $_ eq '' } @cases),
       "$alert: a test in which it fires, and one in which it does not");
}

# The query of docs/api.md, of two servers that have the link.

my ($query) = slurp("$root/docs/api.md")
              =~ /^( {4}sum by \(partner\).*?)\n\n/ms;
my $dir = tempdir(CLEANUP => 1);
my $series = '';

for my $of (map { "registry=\"main\",link=\"a\",instance=\"$_\"" } 1, 2) {
    $series .= <<"YAML";
      - series: 'referral_link_requests_total{class="clicks",$of}'
        values: '0+1x1500'
      - series: 'referral_link_info{partner="Acme",$of}'
        values: '1x1500'
YAML
}

$query =~ s/^/          /mg;

open my $f, '>', "$dir/query.yml" or die "$dir/query.yml: $!\n";
print $f <<"YAML";
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
$series
    promql_expr_test:
      - expr: |
$query
        eval_time: 1500m
        exp_samples:
          - labels: '{partner="Acme"}'
            value: 2880
YAML
close $f or die "$dir/query.yml: $!\n";

$said = `promtool test rules \Q$dir\E/query.yml 2>&1`;
is($?, 0, 'clicks by partner') or diag($said);

# Names and labels are those of /metrics.

my $t = Referral::Test->new(http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        referral main;
        location / { return 200; }
        location /gone { return 404; }
        location /status { referral_status main; }
    }
CONF

$t->ctl_ok('init');
$t->ctl_ok('add', 'https://blog.example/a');
$t->start;

my $page = 'https://blog.example/a';

$t->get('/', Referer => $page);
$t->get('/gone', Referer => $page);
$t->get('/', Referer => 'https://other.example/');

my $metrics;

ok(wait_until(sub {
    $metrics = $t->get('/status/metrics')->{body};
    return $metrics =~ /^referral_link_states\{/m && $metrics =~ /errors_4xx/
           && $metrics =~ /referral_flush_age_seconds\{/;
}, 30), 'there is something to alert of');

read_metrics($metrics);

my %asked = map { $_ => 1 } $text =~ /\b(referral_[a-z_]+)\b(?=[{\[)\s])/g;

delete $asked{referral_outcome};

like($metrics, qr/^\Q$_\E\{/m, "$_ is there") for sort keys %asked;
like($metrics, qr/^referral_link_states\{registry="main",state="silent"\} 0$/m,
     'links by state');
like($metrics, qr/^referral_diagnosis\{registry="main",problem="$_"\} 0$/m,
     "diagnosis: $_") for qw(no_referer other_host edge_cache);

$t->finish;

done_testing;


sub slurp {
    my ($path) = @_;

    open my $f, '<', $path or die "$path: $!\n";
    local $/;

    return scalar <$f>;
}
