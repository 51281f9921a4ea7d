// One human click is one click on the right link, whatever else Chromium sends
// for it: on https, with Fetch Metadata, and on plain http without it.
//
// Each scenario says what nginx must have been asked, request by request, and
// what it must have made of it; then the counters of all links, by key, are
// compared with that and with the clicks made.  limit() marks what no rule
// that looks at one request can know; docs/operations.md lists these.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Site } from './site.mjs';
import { Visit } from './visit.mjs';
import { HEADLESS_AGENT, launch } from './visitor.mjs';

const TIMEOUT = { timeout: 30000 };


for (const scheme of ['https', 'http']) {
    describe(`on ${scheme}`, () => scenarios(scheme));
}


function scenarios(scheme) {
    const https = scheme === 'https';
    const visits = [];

    let site, visitor;

    before(async () => {
        site = await Site.start();
        visitor = await launch(site);
    }, TIMEOUT);

    after(end, TIMEOUT);

    // The browser first: nginx waits for connections that are open.

    async function end() {
        await visitor?.close();
        visitor = undefined;

        const left = await site?.stop();
        site = undefined;

        return left;
    }

    function scenario(name, play) {
        const slug = name.replace(/[^a-z0-9]+/gi, '-').toLowerCase();

        test(name, TIMEOUT, async () => {
            const page = await visitor.newPage();
            const visit = new Visit(site, visitor, scheme, slug, page);

            visits.push(visit);

            try {
                await play(visit);
                await visit.check();
            } finally {
                await visit.page.close();
                await page.close();
            }
        });
    }

    // -- links -------------------------------------------------------------

    scenario('a plain link', async v => {
        v.link('link', { target: 'landing' });
        await v.open('<a id="a" href="SHOP/landing">shop</a>');
        await v.click('link');
        await v.sees('landing 200 matched click landing link');
    });

    scenario('the same link again', async v => {
        const page = '<a id="a" href="SHOP/landing">shop</a>';

        v.link('link', { target: 'landing' });
        await v.open(page);
        await v.click('link');
        await v.sees('landing 200 matched click landing link');
        await v.open(page);
        await v.click('link');
        await v.sees('landing 304 matched click landing link');
    });

    scenario('a page with unsafe-url', async v => {
        const head = '<meta name="referrer" content="unsafe-url">';
        const page = '<a id="a" href="SHOP/landing">shop</a>';

        v.link('link', { target: 'landing' });
        await v.open(page, { head });
        await v.click('link');
        await v.sees('landing 200 matched click exact link');
        await v.open(page, { head, name: 'another-post' });
        await v.click('nobody');
        await v.sees('landing 304 unregistered click');
    });

    scenario('a link with no-referrer-when-downgrade', async v => {
        v.link('link');
        await v.open('<a id="a" href="SHOP/landing" '
                     + 'referrerpolicy="no-referrer-when-downgrade">shop</a>');
        await v.click('link');
        await v.sees('landing 200 matched click exact link');
    });

    scenario('a noreferrer link', async v => {
        v.link('link', { target: 'landing' });
        await v.open('<a id="a" rel="noreferrer" href="SHOP/landing">shop</a>');
        await v.click('nobody');
        await v.sees(`landing 200 ${https ? 'hidden' : 'direct'} click`);
    });

    scenario('an address entered', async v => {
        v.link('link', { source: v.blog });
        await v.enter('nobody', 'landing');
        await v.sees('landing 200 direct click');
    });

    scenario('a link opened in a new tab', async v => {
        v.link('link', { target: 'landing' });
        v.link('other', { target: 'other' });
        await v.open('<a id="a" target="_blank" href="SHOP/landing">shop</a>'
                     + '<a id="b" href="SHOP/other">shop</a>');

        const blog = v.page;

        await v.clickToTab('link');
        await v.sees('landing 200 matched click landing link');
        await v.page.close();

        v.page = blog;
        await v.clickToTab('other', {
            selector: '#b', options: { modifiers: ['Control'] },
        });
        await v.sees('other 200 matched click landing other');
    });

    scenario('a script that navigates', async v => {
        v.link('link', { target: 'landing' });
        await v.open('<button id="a" '
                     + 'onclick="location.href = \'SHOP/landing\'">'
                     + 'shop</button>');
        await v.click('link');
        await v.sees('landing 200 matched click landing link');
    });

    scenario('two links on one page', async v => {
        const page = '<a id="a" href="SHOP/one">one</a>'
                     + '<a id="b" href="SHOP/two">two</a>';

        v.link('one', { target: 'one' });
        v.link('two', { target: 'two' });
        await v.open(page);
        await v.click('one');
        await v.sees('one 200 matched click landing one');
        await v.open(page);
        await v.click('two', { selector: '#b' });
        await v.sees('two 200 matched click landing two');
    });

    scenario('two hosts with one landing', async v => {
        const page = '<a id="a" href="SHOP/landing">shop</a>';
        const news = `news-${v.blog}`;

        v.link('blog', { target: 'landing' });
        v.link('news', { source: `https://${news}/post`, target: 'landing' });
        await v.open(page);
        await v.click('blog');
        await v.sees('landing 200 matched click landing blog');
        await v.open(page, { host: news });
        await v.click('news');
        await v.sees('landing 304 matched click landing news');
    });

    scenario('a tag without a Referer', async v => {
        v.link('tag', { match: 'tag', tag: `${v.slug}-${scheme}` });

        const landing = `landing?ref=${v.slug}-${scheme}`;

        await v.open(`<a id="a" rel="noreferrer" href="SHOP/${landing}">`
                     + 'shop</a>');
        await v.click('tag');
        await v.sees(`${landing} 200 matched click tag tag`);
        await v.enter('tag', landing);
        await v.sees(`${landing} 200 matched click tag tag`);
    });

    scenario('on within the shop', async v => {
        v.link('tag', { match: 'tag', tag: v.slug });
        await v.open(`<a id="a" href="SHOP/landing?ref=${v.slug}">shop</a>`);
        await v.click('tag');
        await v.sees(`landing?ref=${v.slug} 200 matched click tag tag`);
        await v.page.click('#inside');
        await v.sees('inside 200 internal');
    });

    scenario('a broken landing', async v => {
        v.link('link', { target: 'gone' });
        await v.open('<a id="a" href="SHOP/gone">shop</a>');
        await v.click('link');
        await v.sees('gone 410 matched error landing link');
        v.limit('link', -1);
    });

    // -- redirects ---------------------------------------------------------

    scenario('our 301 where both match', async v => {
        v.link('host', { source: v.blog });
        await v.open('<a id="a" href="SHOP/old">shop</a>');
        await v.click('host');
        await v.sees('old 301 matched redirect host host',
                     'new 200 matched click host host');
    });

    scenario('our 301 to the landing that matches', async v => {
        v.link('link', { target: 'new' });
        await v.open('<a id="a" href="SHOP/old">shop</a>');
        await v.click('link');
        await v.sees('old 301 unregistered redirect',
                     'new 200 matched click landing link');
    });

    // The link has its click; the request after it is nobody's, and looks as
    // if another link had been clicked.

    scenario('our 301 to where nothing matches', async v => {
        v.link('link', { target: 'old' });
        await v.open('<a id="a" href="SHOP/old">shop</a>');
        await v.click('link');
        await v.sees('old 301 matched click landing link',
                     'new 200 unregistered click');
        v.limit('nobody', 1);
    });

    scenario('our 302 to another host, which sends them back', async v => {
        v.link('host', { source: v.blog });
        await v.open('<a id="a" href="SHOP/away">shop</a>');
        await v.click('host');
        await v.sees('away 302 matched click host host',
                     'landing 200 matched click host host');
        v.limit('host', 1);
    });

    // As Django answers unless told otherwise: the Referer ends there.

    scenario('our 301 with Referrer-Policy: same-origin', async v => {
        v.link('host', { source: v.blog });
        await v.open('<a id="a" href="SHOP/silent">shop</a>');
        await v.click('host');
        await v.sees('silent 301 matched click host host',
                     `new 200 ${https ? 'hidden' : 'direct'} click`);
        v.limit('nobody', 1);
    });

    scenario('our 301 with a tag', async v => {
        v.link('tag', { match: 'tag', tag: v.slug });
        await v.open(`<a id="a" rel="noreferrer" href="SHOP/old?ref=${v.slug}">`
                     + 'shop</a>');
        await v.click('tag');
        await v.sees(`old?ref=${v.slug} 301 matched redirect tag tag`,
                     `new?ref=${v.slug} 200 matched click tag tag`);
    });

    scenario('a folder without its slash', async v => {
        site.folder(`${v.slug}/folder`);
        v.link('link', { target: 'folder' });
        await v.open('<a id="a" href="SHOP/folder">shop</a>');
        await v.click('link');
        await v.sees('folder 301 matched redirect landing link',
                     'folder/ 200 matched click landing link');
    });

    scenario('from http to https', async v => {
        const href = v.shop('secure', 'http');

        v.link('link', { target: 'secure' });
        await v.open(`<a id="a" referrerpolicy="origin" href="${href}">`
                     + 'shop</a>');
        await v.click('link');
        await v.sees('secure 301 matched redirect landing link',
                     'secure 200 matched click landing link');
    });

    // From https to http no page's Referer is sent unless it asks for that,
    // nor is it after the redirect: two requests with nothing in common.

    if (https) {
        scenario('from https to http to https', async v => {
            const href = v.shop('secure', 'http');

            v.link('link', { target: 'secure' });
            await v.open(`<a id="a" href="${href}">shop</a>`);
            await v.click('nobody');
            await v.sees('secure 301 direct click', 'secure 200 hidden click');
            v.limit('nobody', 1);
        });
    }

    // -- the same page again -----------------------------------------------

    // Chromium begins the navigation again, as long as it did not know that
    // the page wants this header; on plain http it never sends one.

    scenario('a page with Critical-CH', async v => {
        v.link('link', { target: 'hints' });
        await v.open('<a id="a" href="SHOP/hints">shop</a>');
        await v.click('link');

        const line = 'hints 200 matched click landing link';

        if (https) {
            await v.sees(line, line);
            v.limit('link', 1);
        } else {
            await v.sees(line);
        }
    });

    scenario('reload and hard reload', async v => {
        v.link('link', { target: 'landing' });
        await v.open('<a id="a" href="SHOP/landing">shop</a>');
        await v.click('link');
        await v.sees('landing 200 matched click landing link');
        await v.page.reload();
        await v.sees('landing 304 matched reload landing link');
        await visitor.command(v.page, 'Page.reload', { ignoreCache: true });
        await v.sees('landing 200 matched reload landing link');
    });

    scenario('back and forward', async v => {
        v.link('link', { target: 'landing' });
        await v.open('<a id="a" href="SHOP/landing">shop</a>');
        await v.click('link');
        await v.sees('landing 200 matched click landing link');
        await v.page.goBack();
        await v.page.goForward();
        await v.sees();
        await v.page.click('#inside');
        await v.sees('inside 200 internal');
        await v.page.goBack();
        await v.sees();
    });

    // What was not to be stored is asked for again, with the Referer and the
    // headers of the click.

    scenario('back to a page that is not stored', async v => {
        v.link('link', { target: 'no-store' });
        await v.open('<a id="a" href="SHOP/no-store">shop</a>');
        await v.click('link');
        await v.sees('no-store 200 matched click landing link');
        await v.page.click('#inside');
        await v.sees('inside 200 internal');
        await v.page.goBack();
        await v.sees('no-store 200 matched click landing link');
        v.limit('link', 1);
    });

    scenario('a landing the browser has kept', async v => {
        const page = '<a id="a" href="SHOP/kept">shop</a>';

        v.link('link', { target: 'kept' });
        await v.open(page);
        await v.click('link');
        await v.sees('kept 200 matched click landing link');
        await v.open(page);
        await v.click('link');
        await v.sees();
        v.limit('link', -1);
    });

    // -- no clicks ---------------------------------------------------------

    scenario('a picture', async v => {
        v.link('host', { source: v.blog });
        await v.open('<img src="SHOP/picture">');
        await v.sees('picture 200 matched embed host host');
    });

    scenario('a script, a style sheet', async v => {
        v.link('host', { source: v.blog });
        await v.open('<script src="SHOP/script"></script>');
        await v.sees('script 200 matched embed host host');
        await v.open('<link rel="stylesheet" href="SHOP/style">');
        await v.sees('style 200 matched embed host host');
    });

    // On plain http a frame asks as a click does.

    scenario('a frame', async v => {
        v.link('host', { source: v.blog });
        await v.open('<iframe src="SHOP/frame"></iframe>');

        if (https) {
            await v.sees('frame 200 matched embed host host');
        } else {
            await v.sees('frame 200 matched click host host');
            v.limit('host', 1);
        }
    });

    scenario('a script that fetches', async v => {
        v.link('host', { source: v.blog });
        await v.open('<script>fetch("SHOP/fetched", { mode: "no-cors" })'
                     + '</script>');
        await v.sees('fetched 200 matched '
                     + `${https ? 'other' : 'embed'} host host`);
    });

    scenario('a form', async v => {
        v.link('link', { target: 'form' });
        await v.open('<form method="post" action="SHOP/form">'
                     + '<button id="a">send</button></form>');
        await v.page.click('#a');
        await v.sees('form 200 matched other landing link');
    });

    scenario('a browser without a window', async v => {
        v.link('link', { target: 'landing' });
        await visitor.command(v.page, 'Emulation.setUserAgentOverride',
                              { userAgent: HEADLESS_AGENT });
        await v.open('<a id="a" href="SHOP/landing">shop</a>');
        await v.page.click('#a');
        await v.sees('landing 200 matched bot landing link');
    });

    // -- ahead of the click ------------------------------------------------

    scenario('rel=prefetch, then the click', async v => {
        v.link('link', { target: 'landing' });
        await v.open('<a id="a" href="SHOP/landing">shop</a>',
                     { head: '<link rel="prefetch" href="SHOP/landing">' });
        await v.sees('landing 200 matched prefetch landing link');
        await v.click('link');
        await v.sees('landing 200 matched click landing link');
    });

    // Chromium does so for https alone.  The click then sends nothing.

    for (const kind of ['prefetch', 'prerender']) {
        scenario(`speculation rules: ${kind}, then the click`, async v => {
            const rules = JSON.stringify({
                [kind]: [{ urls: ['SHOP/landing'], eagerness: 'immediate' }],
            });

            v.link('link', { target: 'landing' });
            await v.open('<a id="a" href="SHOP/landing">shop</a>', {
                head: `<script type="speculationrules">${rules}</script>`,
            });

            if (https) {
                await v.sees('landing 200 matched prefetch landing link');
                await v.click('link');
                await v.sees();
                v.limit('link', -1);
            } else {
                await v.sees();
                await v.click('link');
                await v.sees('landing 200 matched click landing link');
            }
        });
    }

    // -- behind a service worker -------------------------------------------

    // Browsers have none on plain http.  It asks without a destination, and
    // says that itself, the site's own, does so.

    if (https) {
        scenario('pages that our service worker hands on', async v => {
            v.link('link', { target: 'landing' });
            v.link('tag', { match: 'tag', tag: v.slug });
            v.link('host', { source: `host-${v.blog}` });

            await v.enter('nobody', 'landing');
            await v.sees('landing 200 direct click');
            await v.page.evaluate(async () => {
                await navigator.serviceWorker.register('worker', {
                    updateViaCache: 'all',        // or it is asked for again
                });
                await new Promise(done => {
                    navigator.serviceWorker.oncontrollerchange = done;
                });
            });
            await v.sees('worker 200 internal');

            await v.open('<a id="a" href="SHOP/landing">shop</a>');
            await v.click('link');
            await v.sees('landing 304 matched click landing link');
            await v.page.reload();
            await v.sees('landing 304 matched reload landing link');
            await v.page.click('#inside');
            await v.sees('inside 200 internal');

            await v.enter('nobody', 'landing');
            await v.sees('landing 304 direct click');
            await v.enter('tag', `landing?ref=${v.slug}`);
            await v.sees(`landing?ref=${v.slug} 200 matched click tag tag`);

            await v.open('<a id="a" href="SHOP/old">shop</a>',
                         { host: `host-${v.blog}` });
            await v.click('host');
            await v.sees('old 301 matched redirect host host',
                         'new 200 matched click host host');
            await v.open('<a id="a" rel="noreferrer" href="SHOP/landing">'
                         + 'shop</a>');
            await v.click('nobody');
            await v.sees('landing 304 hidden click');
            await v.open('<iframe src="SHOP/frame"></iframe>',
                         { host: `host-${v.blog}`, name: 'another-post' });
            await v.sees('frame 200 matched embed host host');
        });
    }

    // -- all of it ---------------------------------------------------------

    test('nothing else was asked, and the sums agree', TIMEOUT, async () => {
        const seen = visits.flatMap(visit => visit.rows);
        const requests = site.requests();

        assert.deepEqual(requests.filter(row => !visits.some(
            visit => row.uri.startsWith(`/${visit.slug}/`))), []);
        assert.equal(requests.length, seen.length);

        const { outcomes, clicks } = await site.summary();

        assert.deepEqual(outcomes, tally(outcomes, requests));
        assert.deepEqual(clicks, tally(clicks, requests
            .filter(row => row.class === 'click')));
    });

    test('nginx left as it should', TIMEOUT, async () => {
        assert.deepEqual(await end(), { exit: 0, alerts: [] });
    });
}


// How often each of the outcomes named occurs.

function tally(names, rows) {
    return Object.fromEntries(Object.keys(names).map(
        name => [name, rows.filter(row => row.outcome === name).length]));
}
