#!/usr/bin/perl

# referral_tag: which arguments of the landing carry a link's tag; and links
# with tags, added while nginx runs.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Counts qw(counted counters_of);
use Referral::Test qw(wait_until);


my $t = Referral::Test->new(workers => 2, http => <<'CONF');
    %%REGISTRY%%

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;

        referral main;

        location / {
            add_header X-Decision
                "$referral_outcome $referral_evidence $referral_name";
            return 200;
        }
        location /off { referral_tag off; return 200; }
        location /two { referral_tag src aff; return 200;
            location /two/inherits { return 200; }
            location /two/ref { referral_tag ref; return 200; }
            location /two/off { referral_tag off; return 200; }
        }
        location /status { referral_status main; }
    }

    server {
        listen 127.0.0.1:%%PORT2%%;
        referral main;
        referral_tag via;
        location / { return 200; }
        location /ref { referral_tag ref; return 200; }
    }
CONF

$t->ctl_ok('init');

my %key = (
    mail => $t->ctl_ok('add', '--tag', 'mail', '--name', 'Mail'),
    umlaut => $t->ctl_ok('add', '--tag', "gr\xc3\xbc\xc3\x9fe"),
    slash => $t->ctl_ok('add', '--tag', 'print/2024+a'),
    page => $t->ctl_ok('add', 'https://blog.example/launch', '--tag', 'p42',
                       '--target', '/pricing'),
    host => $t->ctl_ok('add', 'news.example', '--tag', 'shared'),
    other => $t->ctl_ok('add', 'https://radio.example/', '--tag', 'shared'),
);

$t->start;

my %clicks;

sub click {
    my ($uri, %header) = @_;

    my $port = delete $header{port} // 1;

    return counted($t, sub {
        my $c = $t->connection($t->port($port));
        $c->request('GET', $uri, Host => 'shop.example',
                    Connection => 'close', %header);
        $c->close;
    });
}

sub tag_is {
    my ($link, $uri, %header) = @_;

    $clicks{$link}++;
    is_deeply(click($uri, %header),
              { matched => 1, tag => 1, clicks => 1, clicks_by_tag => 1,
                'clicks.matched' => 1 }, "$uri: $link");
}

sub no_tag {
    my ($uri, %header) = @_;

    is_deeply(click($uri, %header), { direct => 1, 'clicks.direct' => 1 },
              "$uri: no tag");
}

# The argument's name and its value, as sent.

tag_is('mail', $_) for '/?ref=mail', '/a/b?ref=mail', '/?x=1&ref=mail&y=2',
                       '/?ref=none&ref=mail', '/?&&ref=mail', '/?ref=&ref=mail',
                       '/?%72ef=mail', '/?ref=%6dail', '/?re%66=%6D%61%69%6C';
no_tag($_) for '/?ref=Mail', '/?Ref=mail', '/?ref=mail%20', '/?ref=mai',
               '/?ref=mails', '/?ref', '/?ref=', '/?xref=mail', '/?refx=mail',
               '/?x?ref=mail', '/ref=mail', '/?x=%26ref=mail', '/?src=mail',
               '/?ref%3Dmail';

tag_is('umlaut', '/?ref=gr%C3%BC%C3%9Fe');
tag_is('umlaut', '/?ref=gr%c3%bc%c3%9fe');
tag_is('umlaut', "/?ref=gr\xc3\xbc\xc3\x9fe");
no_tag('/?ref=gr%FC%DFe');
tag_is('slash', '/?ref=print/2024+a');
no_tag('/?ref=print/2024%20a');
tag_is('slash', '/?ref=print%2f2024%2Ba');

# The names that are set.

no_tag('/off?ref=mail');
no_tag('/two?ref=mail');
tag_is('mail', "/two?$_=mail") for qw(src aff);
tag_is('mail', '/two?src=none&aff=mail');
tag_is('mail', '/two/inherits?aff=mail');
no_tag('/two/inherits?ref=mail');
tag_is('mail', '/two/ref?ref=mail');
no_tag('/two/ref?src=mail');
no_tag('/two/off?src=mail&ref=mail');
tag_is('mail', '/?via=mail', port => 2);
no_tag('/?ref=mail', port => 2);
tag_is('mail', '/ref?ref=mail', port => 2);

# With and without a Referer.

tag_is('page', '/pricing?ref=p42');
tag_is('page', '/pricing?ref=p42', Referer => 'https://blog.example/launch');
tag_is('page', '/other?ref=p42', Referer => 'https://x.example/');
tag_is('mail', '/?ref=mail', Referer => 'nonsense');
tag_is('mail', '/?ref=mail', Referer => 'https://news.example/');
tag_is('mail', '/?ref=mail', 'Sec-Fetch-Site' => 'cross-site',
       'Sec-Fetch-Dest' => 'document');
is_deeply(click('/?ref=mail', Referer => 'https://shop.example/'),
          { internal => 1 }, 'a tag kept in our own navigation');
is_deeply(click('/?ref=mail', 'Sec-Fetch-Site' => 'same-origin'),
          { internal => 1 }, 'also without a Referer');

# A tag that several links share.

is_deeply(click('/?ref=shared'),
          { ambiguous => 1, 'clicks.ambiguous' => 1 },
          'a shared tag alone is their group');
tag_is('host', '/?ref=shared', Referer => 'https://news.example/');
tag_is('other', '/?ref=shared', Referer => 'https://radio.example/');

# What was no click.

is_deeply(click('/?ref=mail', 'User-Agent' => 'curl/8.5.0'),
          { matched => 1, tag => 1, bots => 1 }, 'a robot');
is_deeply(click('/?ref=mail', Accept => 'image/*'),
          { matched => 1, tag => 1, embeds => 1 }, 'a picture in a mail');

for my $link (sort keys %clicks) {
    is(counters_of($t, $key{$link})->{clicks_by_tag}, $clicks{$link},
       "$link: clicks by tag");
}

# Live.

sub decision {
    my ($uri) = @_;

    my %seen = map {
        $t->get($uri)->{headers}{'x-decision'} => 1
    } 1 .. 10;

    return join ', ', sort keys %seen;
}

is(decision('/?ref=spring'), 'direct  ', 'a tag nobody registered');

my $spring = $t->ctl_ok('add', '--tag', 'spring', '--name', 'Spring');

ok(wait_until(sub { decision('/?ref=spring') eq 'matched tag Spring' }, 20),
   'added: every worker knows it');

$t->ctl_ok('add', 'https://spring.example/', '--tag', 'spring');
ok(wait_until(sub { decision('/?ref=spring') eq 'ambiguous  ' }, 20),
   'a second link with that tag: a group');

my $answer = $t->get_json("/status/links/$spring");

is_deeply({ map { $_->{links} => 1 } @{ $answer->{groups} } }, { 2 => 1 },
          'which is shown, with its two links');
is($answer->{match_type}, 'tag', 'the link is a tag');

$t->ctl_ok('rm', $spring);
ok(wait_until(sub { decision('/?ref=spring') eq 'matched tag ' }, 20),
   'removed: the other one has the tag alone');

$t->ctl_ok('set', $key{page}, 'tag=p43');
ok(wait_until(sub { decision('/?ref=p43') eq 'matched tag ' }, 20),
   'a tag that is changed');
is(decision('/?ref=p42'), 'direct  ', 'and the old one is none');
is(($t->ctl('add', '--tag', 'mail'))[0], 1, 'a tag link is registered once');

$t->finish;

done_testing;
