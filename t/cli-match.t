#!/usr/bin/perl

# match says what nginx would decide, and why.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/lib";
use Referral::Test;


my $t = Referral::Test->new;
my $json = JSON::PP->new->utf8;

$t->ctl_ok('init');

my %key = (
    launch  => add('https://blog.example/2024/launch', '--target', '/pricing'),
    review  => add('https://blog.example/2024/review', '--target', '/'),
    docs    => add('https://docs.example/awesome', '--match-type', 'prefix'),
    news    => add('news.example'),
    forum   => add('forum.example', '--match-type', 'domain'),
    twin1   => add('https://twin.example/1', '--target', '/t'),
    twin2   => add('https://twin.example/2', '--target', '/t'),
    other   => add('https://query.example/1', '--target', '/p?id=5'),
    there   => add('https://there.example/1',
                   '--target', 'https://shop.example/p'),
    mail    => add('--tag', 'mail'),
    years   => add('https://years.example/20\d\d/', '--match-type', 'regex',
                   '--target', '/pricing', '--tag', 'years'),
    app     => add('android-app://com.example.reader', '--match-type', 'host'),
    slow    => add('slow.example/(a+)+$', '--match-type', 'regex'),
);

my $browser = 'User-Agent: Mozilla/5.0 (X11; Linux x86_64) '
    . 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36';

# {Referer, options, outcome, class, evidence, link}

my @rows = (
    [ '-', [], 'direct', 'click', undef, undef ],
    [ '', [], 'direct', 'click', undef, undef ],
    [ 'nonsense', [], 'malformed', undef, undef, undef ],
    [ 'ftp://a.example/', [], 'malformed', undef, undef, undef ],
    [ 'https://unknown.example/', [], 'unregistered', 'click', undef, undef ],
    [ 'https://blog.example/2024/launch', ['--landing', '/pricing'],
      'matched', 'click', 'exact', 'launch' ],
    [ 'http://www.BLOG.example/2024/launch/?utm_source=x',
      ['--landing', '/pricing?gclid=1'],
      'matched', 'click', 'exact', 'launch' ],
    [ 'https://blog.example/2024/launch', ['--landing', '/elsewhere'],
      'matched', 'click', 'exact', 'launch' ],
    [ 'https://blog.example/', ['--landing', '/pricing'],
      'matched', 'click', 'landing', 'launch' ],
    [ 'https://blog.example/', [], 'matched', 'click', 'landing', 'review' ],
    [ 'https://blog.example/', ['--landing', '/nowhere'],
      'unregistered', 'click', undef, undef ],
    [ 'https://blog.example/2023', [], 'unregistered', 'click', undef, undef ],
    [ 'https://docs.example/awesome/list', [],
      'matched', 'click', 'prefix', 'docs' ],
    [ 'https://docs.example/awesomest', [],
      'unregistered', 'click', undef, undef ],
    [ 'https://news.example/any', [], 'matched', 'click', 'host', 'news' ],
    [ 'https://a.forum.example/', [], 'matched', 'click', 'domain', 'forum' ],
    [ 'https://news.example/', ['--status', '404'],
      'matched', 'error', 'host', 'news' ],
    [ 'https://news.example/', ['--status', '301'],
      'matched', 'click', 'host', 'news' ],
    [ 'https://news.example/', ['--status', '301', '--location', '/new'],
      'matched', 'redirect', 'host', 'news' ],
    [ 'https://news.example/', ['--status', '301', '--location', '/new',
                                '--referrer-policy', 'same-origin'],
      'matched', 'click', 'host', 'news' ],
    [ 'https://news.example/a', ['--status', '301', '--location', '/new',
                                 '--referrer-policy', 'no-referrer',
                                 '--referrer-policy', 'strict-origin'],
      'matched', 'redirect', 'host', 'news' ],
    [ 'https://news.example/', ['--status', '200', '--location', '/new'],
      'matched', 'click', 'host', 'news' ],
    [ 'https://news.example/', ['--status', '304', '--location', '/new'],
      'matched', 'click', 'host', 'news' ],
    [ 'https://news.example/', ['--host', 'shop.example', '--status', '302',
                                '--location', 'https://b.example/'],
      'matched', 'click', 'host', 'news' ],
    [ 'https://news.example/', ['--host', 'shop.example', '--status', '302',
                                '--location', 'https://b.example:8443/',
                                '--server-name', 'b.example'],
      'matched', 'redirect', 'host', 'news' ],
    [ 'https://blog.example/2024/launch', ['--status', '302',
                                           '--location', '?x'],
      'matched', 'redirect', 'exact', 'launch' ],
    [ 'https://blog.example/', ['--landing', '/pricing', '--status', '308',
                                '--location', '/nowhere'],
      'matched', 'click', 'landing', 'launch' ],
    [ 'https://blog.example/', ['--landing', '/a/old', '--status', '308',
                                '--location', '../pricing'],
      'unregistered', 'redirect', undef, undef ],
    [ 'https://news.example/', ['--status', '304'],
      'matched', 'click', 'host', 'news' ],
    [ 'https://news.example/', ['--status', '0'],
      'matched', 'other', 'host', 'news' ],
    [ 'https://news.example/', ['--method', 'POST'],
      'matched', 'other', 'host', 'news' ],
    [ 'https://shop.example/x', ['--host', 'shop.example'],
      'internal', undef, undef, undef ],
    [ 'https://shop.example/x', ['--landing', 'https://www.shop.example/y'],
      'internal', undef, undef, undef ],
    [ 'https://news.example/', ['--own-host', 'news.example'],
      'internal', undef, undef, undef ],
    [ 'https://a.forum.example/', ['--own-host', 'x.example',
                                   '--own-host', '*.forum.example'],
      'internal', undef, undef, undef ],
    [ 'https://query.example/', ['--landing', '/p?id=5'],
      'matched', 'click', 'landing', 'other' ],
    [ 'https://query.example/', ['--landing', '/p?id=5&ref=x'],
      'matched', 'click', 'landing', 'other' ],
    [ 'https://query.example/', ['--landing', '/p?id=5&tag=x'],
      'unregistered', 'click', undef, undef ],
    [ 'https://query.example/', ['--landing', '/p?id=5&tag=x',
                                 '--tag-name', 'ref', '--tag-name', 'tag'],
      'matched', 'click', 'landing', 'other' ],
    [ 'https://query.example/', ['--landing', '/p?id=5&ref=x',
                                 '--tag-name', 'off'],
      'unregistered', 'click', undef, undef ],
    [ 'https://there.example/', ['--landing', 'https://shop.example/p'],
      'matched', 'click', 'landing', 'there' ],
    [ 'https://there.example/', ['--landing', '/p', '--host', 'shop.example'],
      'matched', 'click', 'landing', 'there' ],
    [ 'https://there.example/', ['--landing', '/p'],
      'unregistered', 'click', undef, undef ],

    [ '-', ['--landing', '/x?ref=mail'], 'matched', 'click', 'tag', 'mail' ],
    [ '-', ['--landing', '/x?via=mail', '--tag-name', 'via'],
      'matched', 'click', 'tag', 'mail' ],
    [ '-', ['--landing', '/x?ref=mail', '--tag-name', 'off'],
      'direct', 'click', undef, undef ],
    [ '-', ['--landing', '/x?ref=%6dail'],
      'matched', 'click', 'tag', 'mail' ],
    [ 'nonsense', ['--landing', '/x?ref=mail'],
      'matched', 'click', 'tag', 'mail' ],
    [ 'https://news.example/', ['--landing', '/x?ref=years'],
      'matched', 'click', 'tag', 'years' ],
    [ 'https://years.example/2023/x', ['--landing', '/pricing'],
      'matched', 'click', 'regex', 'years' ],
    [ 'https://years.example/1999/x', ['--landing', '/pricing'],
      'unregistered', 'click', undef, undef ],
    [ 'https://years.example/', ['--landing', '/pricing'],
      'matched', 'click', 'landing', 'years' ],
    [ 'https://slow.example/' . 'a' x 40 . '!', [],
      'unregistered', 'click', undef, undef ],
    [ 'android-app://com.example.reader/https/x', [],
      'matched', 'click', 'host', 'app' ],

    [ '-', ['--header', 'Sec-Fetch-Site: cross-site'],
      'hidden', 'click', undef, undef ],
    [ '-', ['--header', 'sec-fetch-site:same-site'],
      'internal', undef, undef, undef ],
    [ '-', ['--header', 'Sec-Fetch-Site: none'],
      'direct', 'click', undef, undef ],
    [ 'https://news.example/', ['--header', 'Host: news.example:8080'],
      'internal', undef, undef, undef ],
    [ 'https://news.example/', ['--header', 'Sec-Purpose: prefetch'],
      'matched', 'prefetch', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'Purpose: prefetch'],
      'matched', 'prefetch', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'X-Purpose: preview'],
      'matched', 'prefetch', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'X-Moz: prefetch'],
      'matched', 'prefetch', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'Sec-Fetch-Dest: image'],
      'matched', 'embed', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'Accept: image/png'],
      'matched', 'embed', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'Cache-Control: no-cache'],
      'matched', 'reload', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'Range: bytes=5-'],
      'matched', 'other', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'Upgrade: h2c'],
      'matched', 'other', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'X-Unknown: a',
                                '--header', $browser],
      'matched', 'click', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'User-Agent: curl/8.1.2'],
      'matched', 'bot', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'User-Agent:'],
      'matched', 'bot', 'host', 'news' ],
    [ 'https://news.example/', ['--bot', 'on',
                                '--header', 'User-Agent: curl/8.1.2'],
      'matched', 'bot', 'host', 'news' ],
    [ 'https://news.example/', ['--header', 'User-Agent: curl/8.1.2',
                                '--bot', 'off'],
      'matched', 'click', 'host', 'news' ],
    [ 'https://unknown.example/', ['--header', 'User-Agent: curl/8.1.2'],
      'unregistered', 'bot', undef, undef ],
);

for my $row (@rows) {
    my ($referer, $options, @wanted) = @$row;
    my $what = "\"$referer\" @$options";
    my $key = defined $wanted[3] ? $key{ $wanted[3] } : undef;

    my $answer = $json->decode($t->ctl_ok('match', $referer, @$options,
                                          '--json'));

    is_deeply([ @$answer{qw(outcome class evidence)}, $answer->{link}{key} ],
              [ @wanted[0 .. 2], $key ], $what);
    ok(@{ $answer->{why} } >= 1, "$what: and why");

    my $text = $t->ctl_ok('match', $referer, @$options);

    like($text, qr/^outcome +$wanted[0]$/m, "$what: the same in text");
    like($text, qr/^link +$key https?:|^link +$key \w/m, "$what: the link")
        if defined $key;

    if (defined $wanted[1]) {
        like($answer->{class_why}, qr/\w/, "$what: why this class");
        like($text, qr/^class +$wanted[1] \(\Q$answer->{class_why}\E\)$/m,
             "$what: in text, too");

    } else {
        is($answer->{class_why}, undef, "$what: no class");
        unlike($text, qr/^class/m, "$what: none in text");
    }

    is(() = $text =~ /^ *\d+\. /mg, scalar @{ $answer->{why} },
       "$what: step by step");
}

my $answer = $json->decode($t->ctl_ok('--json', 'match',
    'https://twin.example/', '--landing', '/t'));

is($answer->{outcome}, 'ambiguous', 'two links nobody can tell apart');
is($answer->{link}, undef, 'are no link');
like($answer->{group}{key}, qr/^[0-9a-f]{16}$/, 'but a group with a key');
is($answer->{group}{links}, 2, 'of two');
like($t->ctl_ok('match', 'https://twin.example/', '--landing', '/t'),
     qr/^group +$answer->{group}{key} of 2 links$/m, 'in text');

$answer = $json->decode($t->ctl_ok('--json', 'match',
    'https://blog.example/2024/launch', '--landing', '/elsewhere'));
is($answer->{link}{other_landing}, JSON::PP::true, 'another landing is told');
is($answer->{link}{source}, 'https://blog.example/2024/launch',
   'with the source');

like($t->ctl_ok('match', 'https://blog.example/', '--landing', '/pricing'),
     qr/origin only.*\n.*blog.*\n(?:.*\n)*.*pricing/, 'the steps say why');

is($json->decode($t->ctl_ok('--json', 'match', '-', '--landing',
                            '/?ref=mail'))->{link}{tag},
   'mail', 'a tag link is shown by its tag');
like($t->ctl_ok('match', '-', '--landing', '/?ref=mail'),
     qr/^link +$key{mail} mail$/m, 'in text, too');
like($t->ctl_ok('match', 'https://slow.example/' . 'a' x 40 . '!'),
     qr/pattern of link \d+: it gave up/, 'a pattern that gave up is told');

# A Referer that is no URL: what is wrong with it.

for my $row ([ 'nonsense', qr/the scheme is not http/ ],
             [ "https://b\xc3\xbccher.example/", qr/no letter, digit/ ],
             [ 'https:///x', qr/the host is missing/ ],
             [ 'https://a.example/' . 'x' x 4079, qr/longer than 4096 bytes/ ])
{
    like($t->ctl_ok('match', $row->[0]),
         qr/the Referer is malformed: .*$row->[1]/,
         'malformed: ' . substr $row->[0], 0, 30);
}

# What is no header may be an address: how a browser would send it is told.

for my $row ([ 'blog.example', 'https://blog.example/' ],
             [ 'blog.example/2024/launch',
               'https://blog.example/2024/launch' ],
             [ "https://b\xc3\xbccher.example/stra\xc3\x9fe?a=b",
               'https://xn--bcher-kva.example/stra%C3%9Fe?a=b' ],
             [ '192.0.2.1/x', 'https://192.0.2.1/x' ])
{
    my ($typed, $sent) = @$row;

    like($t->ctl_ok('match', $typed),
         qr/^outcome +malformed\ntry +\Q$sent\E, as a browser would send it$/m,
         "told how it would be sent: $sent");
    unlike($t->ctl_ok('match', $sent), qr/malformed|^try /m, 'which is taken');
}

unlike($t->ctl_ok('match', $_), qr/^try /m, "nothing to try: $_")
    for 'ftp://a.example/', 'https:///x', 'https://a.example/';

for my $row ([ ['--header', 'no colon'], qr/--header "no colon" is not/ ],
             [ ['--header', 'Referer: x'], qr/the Referer is an argument/ ],
             [ ['--bot', 'maybe'], qr/--bot "maybe" is neither/ ],
             [ ['--server-name', 'a b'], qr/--server-name: / ])
{
    my ($exit, $out, $err) = $t->ctl('match', '-', @{ $row->[0] });

    is("$exit|$out", '2|', "refused: @{ $row->[0] }");
    like($err, $row->[1], 'and why');
}

# A registry that changes is read anew each time.

$t->ctl_ok('rm', $key{news});
is($json->decode($t->ctl_ok('--json', 'match', 'https://news.example/'))
   ->{outcome}, 'unregistered', 'a removed link matches nothing');

# Any bytes.

my $out = $t->ctl_ok('match', "https://a.example/\e[31m\xff");
unlike($out, qr/[^ -~\n]/, 'hostile bytes do not reach a terminal');

my (undef, $bytes) = $t->ctl('match', '--json', "https://a.example/\xff\x9b");
ok(defined eval { $json->decode($bytes) }, 'and make valid JSON');

$out = $json->decode($t->ctl_ok('--json', 'match',
                                'https://a.example/' . 'x' x 4079));
is($out->{outcome}, 'malformed', 'a Referer beyond the limit');

$t->finish;
done_testing;


sub add {
    return $t->ctl_ok('add', @_);
}
