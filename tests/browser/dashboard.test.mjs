// The dashboard: every function of it clicked through, in Chromium.
//
// everyTree() holds for any status tree that has some links with clicks, and
// compares the page with the tree's own JSON.  It runs on a real nginx and,
// with TEST_DASHBOARD_URL=http://.../referral_status, on that tree, too (if
// TEST_DASHBOARD_WRITE is set, a link is registered there, and removed).  On
// nginx the page is then compared with what was put in; the rest needs what
// only made-up trees have: a million links, faults.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { Dashboard, DESKTOP, PHONE, launchBrowser } from
    './dashboard-page.mjs';
import { BusyShop, HOSTILE } from './busy-shop.mjs';
import { FakeTree } from './fake-tree.mjs';
import { ROOT, until } from './site.mjs';

const HOUR = 3600000;
const DAY = 24 * HOUR;
const PAIR_CLICKS = 9;          // of BusyShop, by its group
const TIMEOUT = { timeout: 60000 };
const SOURCE = path.join(ROOT, 'ngx_referral_module/dashboard');

const VIEWS = ['#/', '#/links', '#/hosts', '#/channels', '#/partners',
               '#/labels', '#/groups', '#/sources', '#/broken',
               '#/ignored', '#/live', '#/health', '#/words'];

let browser;

before(async () => { browser = await launchBrowser(); }, TIMEOUT);
after(async () => browser?.close(), TIMEOUT);


describe('the files', () => {
    const script = fs.readFileSync(path.join(SOURCE, 'dashboard.js'), 'utf8');
    const all = ['index.html', 'dashboard.css', 'dashboard.js'].map(name =>
        fs.readFileSync(path.join(SOURCE, name), 'utf8')).join('');

    test('strings enter by textContent only', () => {
        assert.doesNotMatch(script, new RegExp('innerHTML|outerHTML'
            + '|insertAdjacentHTML|document\\.write|\\beval\\b|new Function'
            + '|srcdoc|DOMParser|createContextualFragment'));
        assert.doesNotMatch(all, / on[a-z]+="| style="/);
    });

    test('nothing comes from elsewhere', () => {
        const addresses = all.match(/["'`(](?:https?:)?\/\/[a-z0-9.]+/g)
            .filter(address => !/blog\.example|www\.w3\.org/.test(address));

        assert.deepEqual(addresses, []);
        assert.doesNotMatch(all, /@import|url\(/);
    });

    // embed-dashboard drops indentation and comment lines.

    test('no string goes over several lines', () => {
        for (const line of script.split('\n')) {
            assert.equal((line.match(/`/g) ?? []).length % 2, 0, line);
            assert.doesNotMatch(line, /\\$/, line);
        }
    });
});


if (process.env.TEST_DASHBOARD_URL) {
    describe(process.env.TEST_DASHBOARD_URL, () => everyTree(async () => ({
        url: process.env.TEST_DASHBOARD_URL.replace(/\/$/, ''),
        end: () => {},
    }), Boolean(process.env.TEST_DASHBOARD_WRITE)));
}


describe('nginx', () => {
    let shop;

    before(async () => { shop = await BusyShop.start(); }, TIMEOUT);
    after(async () => {
        assert.deepEqual(await shop?.stop(), { exit: 0, alerts: [] });
    }, TIMEOUT);

    everyTree(async () => ({ url: shop.url, end: () => {} }), true);
    shopTests(() => shop);
});


// The page against what was put in.

function shopTests(the) {
    const midnight = () => Math.floor(Date.now() / DAY) * DAY;
    const since = days => midnight() - (days - 1) * DAY;

    function look(name, play, hash = '#/', options = {}) {
        test(name, TIMEOUT, () => visit(the().url, hash, play, options));
    }

    look('the overview has what was put in', async d => {
        for (const days of [1, 7, 28, 90]) {
            const from = since(days);
            const end = Math.ceil(Date.now() / HOUR) * HOUR;
            const [now, old] = [[from], [2 * from - end, from]].map(range =>
                the().came('matched', ...range)
                + the().came('ambiguous', ...range));

            await d.go(`#/?p=${days === 1 ? 'today' : days}`);
            assert.equal(number(/^[\d,]+/.exec(await d.text('h1'))[0]), now);

            if (days > 1) {
                assert.match(await d.text('.sentence p'), new RegExp(
                    `compared with ${old.toLocaleString('en-GB')} in`));
            }

            for (const outcome of ['matched', 'ambiguous', 'unregistered',
                                   'hidden', 'direct'])
            {
                assert.equal(number(await d.text(`.arrivals .${outcome} b`)),
                             the().came(outcome, from), outcome);
            }

            await d.page.click('.chart summary');
            await d.page.locator('.chart tbody tr').first().waitFor();

            const values = await d.page.locator('.chart tbody td:nth-child(2)')
                .allInnerTexts();

            assert.equal(values.map(number).reduce((a, b) => a + b), now,
                         'the chart');
        }
    });

    look('a link has what was put in', async d => {
        const { first } = the();
        const of = field => the().sum(field, midnight(), Infinity,
                                      link => link === first);

        await d.go(`#/link/${first.key}?p=today`);
        assert.equal(number((await d.text('.figures b'))), of('clicks'));

        const shown = await d.page.locator('.card').first()
            .locator('.bar-row b').allInnerTexts();

        assert.deepEqual(shown.map(number),
                         ['clicks', 'errors_4xx', 'errors_5xx', 'redirects',
                          'reloads', 'embeds', 'prefetches', 'bots', 'other']
                         .map(of));
        assert.ok(of('bots') > 0 && of('redirects') > 0);
    });

    look('all links, page by page', async d => {
        const { links } = await d.api('?format=json');
        const keys = [];

        for (;;) {
            keys.push(...await d.page.locator('tbody th a').evaluateAll(list =>
                list.map(a => /link\/(\w+)/.exec(a.hash)[1])));

            if (await d.count('[rel="next"]') === 0) {
                break;
            }

            await d.click('[rel="next"]');
        }

        assert.equal(keys.length, links.registered);
        assert.equal(new Set(keys).size, keys.length);
    }, '#/links');

    look('links that are sought', async d => {
        const { rows } = the();

        for (const [args, isOf] of [
            ['q=interview%2010', row => /interview 10/i.test(row.name ?? '')],
            ['partner=Larch%20%26%20Sons&label=q4&q=review', row =>
                row.partner === 'Larch & Sons' && /q4/.test(row.labels)
                && /review/i.test(row.name + row.source)],
            ['host=www.ODD.example', row => /odd\.example/.test(row.source)],
            ['host=&channel=press', row => row.source === ''
                && row.channel === 'press'],
        ]) {
            const from = since(28);
            const found = rows.filter(isOf).map(row => [row.key,
                the().sum('clicks', from, Infinity, link => link === row)]);

            await d.go(`#/links?${args}`);

            const shown = await d.page.locator('tbody tr').evaluateAll(list =>
                list.map(row => [/link\/(\w+)/.exec(row.querySelector('a')
                                                    .hash)[1],
                                 row.querySelector('[data-title="Clicks"]')
                                     .textContent]));

            assert.deepEqual(shown.map(([key, n]) => [key, number(n)]).sort(),
                             found.sort(), args);
        }
    });

    look('a partner\u2019s sum, month and CSV', async d => {
        const end = Date.parse(`${day(midnight()).slice(0, 7)}-01`);
        const from = Date.parse(`${day(end - DAY).slice(0, 7)}-01`);
        const isAcme = link => link.partner === 'Acme';
        const row = d.page.locator('tbody tr', { has: d.page.locator(
            'th a:text-is("Acme")') });

        assert.equal(number(await row.locator('[data-title="Clicks"]')
                            .innerText()),
                     the().sum('clicks', since(28), Infinity, isAcme)
                     + PAIR_CLICKS, 'a group of one partner is in its row');

        await row.locator('a:has-text("Report")').click();
        await d.page.locator('h1:text("Acme, ")').waitFor();

        const clicks = the().sum('clicks', from, end, isAcme);

        assert.equal(number(await d.text('.sums b')), clicks);

        const [file] = await Promise.all([d.page.waitForEvent('download'),
                                          d.page.click('a[download]')]);
        const rows = fs.readFileSync(await file.path(), 'utf8').trim()
            .split('\r\n').map(line => line.split(','));
        const at = rows[0].indexOf('clicks') - rows[0].length;

        assert.match(file.suggestedFilename(), /\.csv$/);
        assert.deepEqual(rows[0].toSorted(), [
            'clicks', 'errors_4xx', 'errors_5xx', 'key', 'name', 'source',
            'tag', 'target'], 'nothing that is not for the partner');
        assert.equal(rows.slice(1).reduce((n, cells) =>
            n + Number(cells.at(at)), 0), clicks);
    }, '#/partners');

    look('a partner\u2019s errors by one of several links', async d => {
        const month = day(midnight()).slice(0, 7);
        const { site } = the();

        for (const page of ['a', 'b']) {
            site.referralctl('add', `https://alike.example/${page}`,
                             '--target', '/x/gone', '--partner', 'Alike');
        }

        await waitFor(async () => (await d.api('/partners')).partners
                      .some(row => row.name === 'Alike'));
        await the().visit('/x/gone', { Referer: 'https://alike.example/' }, 5);
        await waitFor(async () => (await d.api(`/partners?from=${month}-01`))
            .partners.find(row => row.name === 'Alike')
            .counters.errors_4xx === 5);
        await d.go(`#/report?partner=Alike&month=${month}`);
        assert.match(await d.text('.sums'), /Visits that met an error\s+5/);
    }, '#/partners');

    look('a click is seen as it happens', async d => {
        const { first } = the();

        await d.page.locator('text=by links since counting').waitFor();

        const start = Date.now();

        await the().visit(first.target, { Referer: first.source }, 1, first,
                          'clicks');
        await d.page.locator(`.feed tbody tr:has-text("${first.name}")`)
            .waitFor();
        assert.ok(Date.now() - start < 2000, `${Date.now() - start} ms`);
        assert.match(await d.text('.feed tbody tr'),
                     /Click[^]*told by the page/);
        assert.match(await d.text('.feed tbody tr'), /200/);
        await the().settled();
    }, '#/live');

    look('names of others are text', async d => {
        await d.go('#/links?host=odd.example');

        const text = await d.text();

        assert.ok(text.includes(HOSTILE));
        assert.ok(text.includes('abc\ufffdgnp.exe'), 'nothing is turned round');
        assert.equal(await d.count('main img, main b, main script'), 0);
        assert.equal(await d.page.locator('th a', { hasText: '(1)' })
            .evaluate(a => getComputedStyle(a).direction), 'rtl');
        await d.checkWidth();
    });

    look('what the server refuses stands at its field', async d => {
        d.allowed.push('400', '409');

        for (const [field, value, wanted] of [
            ['source', 'ftp://blog.example/', /source/],
            ['source', the().first.source, /registered|exists/i],
            ['channel', 'x'.repeat(5000), /channel/],
            ['authority', '500', /0 to 100/],
            ['cost', 'much', /cost/],
            ['listed_first', 'yesterday', /listed_first/]])
        {
            await d.go('#/links');
            await d.go('#/add');
            await d.page.fill('#field-source', 'https://fresh.example/a');
            await d.page.fill('#field-target', the().first.target);
            await d.page.click('.more-fields summary');
            await d.page.fill(`#field-${field}`, value);
            await d.page.click('button:text-is("Register")');
            await d.page.locator(`#field-${field}[aria-invalid]`).waitFor();
            assert.match(await d.text(`#field-${field}-fault`), wanted);
        }

        await d.go('#/links');
        await d.go('#/add');
        await d.page.fill('#lines', 'https://fresh.example/1\nhttps://b c/');
        await d.page.click('text=Register all');
        await d.page.locator('text=Line 2, https://b c/').waitFor();
        assert.match(await d.text('#lines-fault'), /b c\/: source/);
        await d.page.fill('#lines', '\n\nfresh.example\n\nFresh.example\n');
        await d.page.click('text=Register all');
        await d.page.locator('text=/Line 5, Fresh.example: it is the same link '
                             + 'as line 3, /').waitFor();
        assert.equal((await d.api('/links?q=fresh.example')).links.length, 0);
    });

    for (const slash of ['', '/']) {
        test(`no links yet, /empty_status${slash}`, TIMEOUT, () =>
            visit(`${the().origin}/empty_status${slash}`, '', async d => {
                assert.equal(await d.text('h1'),
                             'No links are registered yet');
                await d.checkAccess();
            }));

        test(`all registries, /all${slash}`, TIMEOUT, () =>
            visit(`${the().origin}/all${slash}`, '', async d => {
                assert.equal(await d.text('h1'), 'Registries');
                await d.page.locator('text=; 0 registered').waitFor();
                await d.checkAccess();
                await d.click('main a:text-is("main")');
                assert.match(await d.text('h1'), /clicks by links/);
                await d.click('#nav a:text-is("Links")');
                assert.equal(await d.count('tbody tr'), 50);
                await d.click('tbody th a');
                assert.match(d.hash(), /^#\/~main\/link\//);
                assert.equal(await d.count('.refusal'), 0);
                await d.go('#/~main/live');
                await d.page.locator('text=by links since').waitFor();
                await d.go('#/~empty');
                assert.equal(await d.text('h1'),
                             'No links are registered yet');
            }));
    }

    test('a location that ends in a slash', TIMEOUT, () =>
        visit(`${the().origin}/below/`, '', async d => {
            assert.match(await d.text('h1'), /clicks by links/);
            await d.click('#nav a:text-is("Links")');
            assert.equal(await d.count('tbody tr'), 50);
        }));

    const shots = { overview: '#/', links: '#/links', odd: '#/links?host='
                    + 'odd.example', hosts: '#/hosts', partners: '#/partners',
                    report: '#/report?partner=Acme', groups: '#/groups',
                    live: '#/live', health: '#/health', words: '#/words/hidden',
                    add: '#/add' };

    for (const colorScheme of ['light', 'dark']) {
        for (const [size, viewport] of [['desktop', DESKTOP],
                                        ['phone', PHONE]])
        {
            look(`each view, ${colorScheme}, ${size}`, async d => {
                const { key } = the().first;
                const all = { ...shots, link: `#/link/${key}`,
                              edit: `#/link/${key}/edit` };

                for (const [name, hash] of Object.entries(all)) {
                    await d.go(hash);
                    await d.page.waitForTimeout(100);
                    await d.checkWidth();
                    await d.checkAccess();
                    await d.screenshot(`${name}-${colorScheme}-${size}`);
                }
            }, '#/words', { colorScheme, viewport });
        }
    }

    look('each view by keyboard', async d => {
        for (const [name, hash] of Object.entries(shots)) {
            await d.go(hash);

            const reached = await d.tabThrough();

            assert.ok(reached.length >= 10, `${name}: ${reached}`);
        }
    });

    // Last, for it is what a site without Referers looks like from then on.

    look('what the requests show stands above all', async d => {
        assert.match(await d.text(), /All is well/);

        // a verdict is of the last 1,000, and of those before some had one
        for (let i = 0; i < 2; i++) {
            await the().visit('/pricing', {}, 1100, 'direct');
            await d.page.waitForTimeout(2500);
        }

        await waitFor(async () => (await the().site.status(''))
                      .health.diagnosis.length > 0);
        await d.go('#/links');
        await d.go('#/health?p=7');

        const { health } = await d.api('?format=json');

        assert.ok((await d.text('#faults')).includes(health.diagnosis[0]));
        assert.ok((await d.text('main')).includes(health.diagnosis[0]));
    }, '#/health');
}


function number(text) {
    return Number(text.replace(/\D/g, ''));
}


function day(time) {
    return new Date(time).toISOString().slice(0, 10);
}


function everyTree(start, writes) {
    let tree;

    before(async () => { tree = await start(); }, TIMEOUT);
    after(async () => tree?.end(), TIMEOUT);

    function look(name, play, hash = '#/', options = {}) {
        test(name, TIMEOUT, () => visit(tree.url, hash, play, options));
    }

    test('the document and its policy', TIMEOUT, async () => {
        const response = await fetch(tree.url,
                                     { headers: { Accept: 'text/html' } });
        const text = await response.text();
        const policy = response.headers.get('content-security-policy');

        assert.match(response.headers.get('content-type'), /^text\/html/);
        assert.ok(Buffer.byteLength(text) < 140000, 'below 140 kB');
        assert.match(policy, /^default-src 'none'; script-src 'sha256-/);
        assert.doesNotMatch(policy, /unsafe/);

        for (const tag of ['script', 'style']) {
            const inside = new RegExp(`<${tag}>([^]*)</${tag}>`).exec(text)[1];
            const hash = createHash('sha256').update(inside).digest('base64');

            assert.ok(policy.includes(`${tag}-src 'sha256-${hash}'`), tag);
        }
    });

    look('a slash at the end makes no difference', async d => {
        await d.page.goto(`${tree.url}/#/links`);
        await d.ready();
        assert.equal(await d.text('h1'), 'Links');
    });

    look('each view has a name, a place and no fault', async d => {
        for (const hash of VIEWS) {
            await d.go(hash);
            await d.checkAccess();
            await d.checkWidth();

            if (hash !== VIEWS[0]) {
                assert.equal(await d.page.evaluate(() =>
                    document.activeElement.tagName), 'H1', `focus of ${hash}`);
            }

            assert.ok((await d.page.title()).startsWith(await d.text('h1')));
        }
    });

    look('columns stand below their heads', async d => {
        for (const width of [1280, 820]) {
            await d.page.setViewportSize({ width, height: 900 });

            for (const hash of ['#/links', '#/hosts', '#/health']) {
                await d.go(hash);

                const rows = await d.page.locator('table').first()
                    .evaluate(table => [table.tHead.rows[0],
                                        table.tBodies[0].rows[0]]
                        .map(row => [...row.cells].map(cell =>
                            Math.round(cell.getBoundingClientRect().right))));

                assert.deepEqual(rows[0], rows[1], `${hash}, ${width}`);
            }
        }
    });

    look('each view fits a phone', async d => {
        for (const hash of VIEWS) {
            await d.go(hash);
            await d.checkWidth();
        }

        const { links } = await d.api('/links?limit=1');

        await d.go(`#/link/${links[0].key}`);
        await d.checkWidth();
    }, '#/', { viewport: PHONE });

    look('the menu', async d => {
        for (const title of ['Links', 'Hosts', 'Channels', 'Partners',
                             'Labels', 'Sources', 'Broken', 'Live',
                             'Health'])
        {
            await d.click(`#nav a:text-is("${title}")`);
            assert.equal(await d.text('h1'), title);
            assert.equal(await d.text('#nav [aria-current]'), title);
        }

        await d.click('#home');
        assert.equal(await d.text('#nav [aria-current]'), 'Overview');
    });

    look('the sentence says what the summary says', async d => {
        for (const days of [7, 28, 90]) {
            await d.page.getByRole('radio', { name: `${days} days` })
                .check({ force: true });
            await d.settled();

            const from = new Date(Date.now() - (days - 1) * 86400000);
            const since = `from=${from.toISOString().slice(0, 10)}`;
            const answer = await d.api(`?format=json&compare=previous&${since}`);
            const { removed } = await d.api(`/channels?format=json&${since}`);
            const said = (await d.text('h1')).replace(/[,\s]/g, '');
            const clicks = answer.clicks.matched + answer.clicks.ambiguous;
            const { registered, active } = answer.links;
            const isTold = answer.clicks.ambiguous === 0
                           && removed.counters.clicks === 0;
            const full = answer.top.every(link => link.counters.clicks > 0);

            assert.match(d.hash(), new RegExp(`p=${days}\\b`));
            assert.match(said, new RegExp(isTold
                ? `^${clicks}clicks?from${full ? active : '\\d+'}of${
                    registered}links`
                : `^${clicks}clicks?bylinks.*;${registered}areregistered$`));
        }
    });

    look('days of one\u2019s own', async d => {
        await d.click('.custom summary');
        await d.page.fill('#from', '2026-02-03');
        await d.page.fill('#until', '2026-02-01');
        await d.page.click('.custom button');
        assert.match(await d.text('.custom .fault'), /must not come after/);
        await d.page.fill('#from', '2026-02-01');
        await d.page.fill('#until', '2026-02-03');
        await d.click('.custom button');
        assert.match(d.hash(), /p=2026-02-01\.\.2026-02-03/);
        assert.match(await d.text('.sentence p'),
                     /from 1 Feb 2026 to 3 Feb 2026/i);
        assert.ok(d.asked.some(url =>
            /from=2026-02-01&to=2026-02-04&compare=previous/.test(url)));
    });

    look('a period that has not begun', async d => {
        assert.equal(await d.count('.refusal'), 0);
        assert.match(await d.text(), /has not begun/);
    }, '#/?p=2999-01-01..2999-01-02');

    look('today and all time', async d => {
        await d.go('#/?p=today');
        assert.match(await d.text('.sentence p'),
                     /today(, compared with [\d,]+|; none) in the same hours/i);
        await d.go('#/?p=all');
        assert.match(await d.text('.sentence p'), /since counting began/i);

        const answer = await d.api('?format=json');
        const clicks = answer.clicks.matched + answer.clicks.ambiguous;

        assert.ok((await d.text('h1')).replace(/\D/g, '')
                  .startsWith(String(clicks)));
    });

    look('the chart in words, by keyboard and as a table', async d => {
        assert.match(await d.text('.chart figcaption'), /Most: |No clicks/);
        await d.page.focus('.canvas');
        await d.page.keyboard.press('ArrowLeft');

        const last = await d.text('.readout');

        await d.page.keyboard.press('ArrowLeft');
        assert.match(last, /: [\d,]+ clicks?, before: /);
        assert.notEqual(await d.text('.readout'), last);
        await d.page.click('.chart summary');
        await d.page.locator('.chart tbody tr').nth(27).waitFor();
        assert.equal(await d.count('.chart tbody tr'), 28);
    });

    look('cards lead on', async d => {
        const cards = await d.page.locator('.card h2').allInnerTexts();

        for (const title of ['Links with most clicks', 'Broken landings',
                             'One of several links', 'Unregistered sources',
                             'Source withheld'])
        {
            assert.ok(cards.includes(title), title);
        }

        for (const [selector, heading] of [
            ['.bars a', null], ['a:text-is("All links")', 'Links'],
            ['.arrivals .ambiguous a', 'One of several links'],
            ['.arrivals .hidden a', 'What the words mean'],
            ['a:text-is("Who they are")', 'Sources'],
            ['a:text-is("How to see more of them")', 'What the words mean']])
        {
            await d.go('#/');
            await d.click(`main ${selector}`);
            assert.equal(await d.count('.refusal'), 0, selector);

            if (heading !== null) {
                assert.equal(await d.text('h1'), heading);
            }
        }

        assert.equal(await d.page.evaluate(() => document.activeElement.id),
                     'word-hidden');
    });

    look('links are sorted', async d => {
        assert.equal(await d.page.getAttribute('th[aria-sort]', 'aria-sort'),
                     'descending');
        await d.click('[data-sort="clicks"]');
        assert.equal(await d.page.getAttribute('th[aria-sort]', 'aria-sort'),
                     'ascending');
        await d.page.selectOption('#sort', 'reloads');
        await d.settled();
        assert.equal(await d.text('th[aria-sort]'), 'Reloads');
        assert.match(d.hash(), /sort=reloads/);

        const { links } = await d.api('/links?limit=3&sort=reloads&order=desc'
            + `&from=${new Date(Date.now() - 27 * 86400000).toISOString()
                       .slice(0, 10)}`);
        const shown = await d.page.locator('tbody th a').evaluateAll(list =>
            list.map(a => a.getAttribute('href').split('/')[2].split('?')[0]));

        assert.deepEqual(shown.slice(0, 3), links.map(link => link.key));
    }, '#/links');

    look('links are searched and filtered', async d => {
        const { links } = await d.api('/links?limit=5&sort=clicks');
        const link = links.find(one => one.source);
        const host = link.source.replace(/^https?:\/\//, '').split('/')[0];

        await d.page.fill('#q', host);
        await d.page.waitForFunction(() => location.hash.includes('q='));
        await d.settled();
        assert.equal(await d.page.evaluate(() => document.activeElement.id),
                     'q', 'one goes on typing');
        assert.ok((await d.text('tbody')).includes(host));

        await d.page.fill('#q', '');
        await d.page.fill('#filter-channel', link.channel);
        await d.page.keyboard.press('Enter');
        await d.settled();
        assert.match(d.hash(), new RegExp(`channel=${link.channel}`));
        assert.match(await d.text('.chips'), /channel/);
        await d.click('.chip');
        assert.doesNotMatch(d.hash(), /channel/);

        await d.go('#/links?q=nothing%20is%20called%20so');
        assert.match(await d.text('.none'), /No links fit/);
        await d.click('.none a');
        assert.ok(await d.count('tbody tr') > 0);
    }, '#/links');

    look('spark lines come for rows that are seen', async d => {
        await d.page.locator('svg.spark').first().waitFor();
        assert.match(await d.page.locator('svg.spark').first()
                     .getAttribute('aria-label'), /clicks?, at most/);
    }, '#/links');

    look('a link', async d => {
        const { links } = await d.api('/links?limit=1&sort=clicks');
        const link = await d.api(`/links/${links[0].key}`);

        await d.go(`#/link/${link.key}?p=all`);
        assert.ok((await d.text('.figures')).replace(/\D/g, '')
                  .startsWith(String(link.counters.clicks)));
        assert.ok((await d.text()).includes(link.key));

        for (const unit of ['minute', 'hour', 'day']) {
            await d.page.locator(`input[value="${unit}"]`)
                .check({ force: true });
            await d.settled();
            assert.ok(d.asked.some(url =>
                url.includes(`/links/${link.key}/history?unit=${unit}`)), unit);
            assert.equal(await d.count('.chart svg'), 1);
        }

        await d.checkAccess();
    });

    look('a link that is not there', async d => {
        d.allowed.push('404');
        await d.go('#/link/ffffffffffffffff');
        assert.match(await d.text('.refusal'), /could not be read/);
    });

    for (const [kind, field] of [['hosts', 'host'], ['channels', 'channel'],
                                 ['partners', 'partner'], ['labels', 'label']])
    {
        look(`sums by ${field}`, async d => {
            const answer = await d.api(`/${kind}?limit=1`);

            if (answer[kind].length === 0) {
                assert.match(await d.text('.none'), /There is no/);
                return;
            }

            await d.click('[data-sort="name"]');
            assert.equal(await d.page.getAttribute('th[aria-sort]',
                                                   'aria-sort'), 'ascending');
            await d.click('tbody th a');
            assert.equal(await d.text('h1'), 'Links');
            assert.match(d.hash(), new RegExp(`[?&]${field}=`));
        }, `#/${kind}`);
    }

    look('a partner\u2019s month, on paper and as CSV', async d => {
        const { partners } = await d.api('/partners?limit=10');
        const partner = partners.find(row => row.name)?.name;

        assert.ok(partner, 'there is a partner');
        await d.click('a[href^="#/report"]');
        await d.page.fill('#month', '2026-10');
        await d.page.locator('#month').dispatchEvent('change');
        await d.settled();
        assert.match(await d.text('h1'), /October 2026/);
        assert.match(await d.text(), /Clicks, not people/);

        const href = await d.page.getAttribute('a[download]', 'href');
        const response = await fetch(new URL(href, d.url));

        assert.match(href, /from=2026-10-01&to=2026-11-01&.*format=csv/);
        assert.match(response.headers.get('content-type'), /^text\/csv/);

        await d.page.emulateMedia({ media: 'print' });
        assert.equal(await d.page.locator('#nav').isVisible(), false);
        assert.equal(await d.page.locator('main table').isVisible(), true);

        await d.page.evaluate(() => { window.print = () => {
            window.printed = true; }; });
        await d.page.emulateMedia({ media: 'screen' });
        await d.page.click('text=Print');
        assert.ok(await d.page.evaluate(() => window.printed));
    }, '#/partners');

    look('light, dark, and as the system', async d => {
        const paper = () => d.page.evaluate(() =>
            getComputedStyle(document.documentElement).backgroundColor);
        const light = await paper();

        await d.page.emulateMedia({ colorScheme: 'dark' });
        const dark = await paper();

        assert.notEqual(dark, light);
        await d.page.click('#theme');
        assert.equal(await paper(), light, 'light, whatever the system');
        await d.page.reload();
        await d.ready();
        assert.equal(await paper(), light, 'it is kept');
        await d.page.click('#theme');
        assert.equal(await paper(), dark);
        await d.page.click('#theme');
        assert.match(await d.text('#theme'), /system/);
    });

    if (writes) {
        look('a link is registered, edited and removed', writeOne, '#/links');
    }

    look('by keyboard', async d => {
        await d.page.keyboard.press('Tab');
        assert.equal(await d.text(':focus'), 'Skip to content');
        await d.page.keyboard.press('Enter');
        assert.equal(await d.page.evaluate(() => document.activeElement.id),
                     'main');
        await d.page.keyboard.press('Tab');
        await d.page.keyboard.press('ArrowRight');
        await d.settled();
        assert.match(d.hash(), /p=90/, 'the period after the one chosen');
        await d.page.focus('#home');
        await d.page.keyboard.press('Tab');
        await d.page.keyboard.press('Tab');
        assert.equal(await d.text(':focus'), 'Overview');
        assert.equal(await d.page.evaluate(() => getComputedStyle(
            document.activeElement).outlineStyle), 'solid', 'focus is seen');
        await d.page.keyboard.press('Tab');
        await d.page.keyboard.press('Enter');
        await d.settled();
        assert.equal(await d.text(':focus'), 'Links');
    });
}


async function writeOne(d) {
    const registered = async () => (await d.api('')).links.registered;
    const first = await registered();

    await d.click('text=Register links');
    await d.checkAccess();
    await d.page.fill('#field-source', 'https://new.example/post');
    await d.page.fill('#field-name', 'New post');
    await d.page.click('.more-fields summary');
    await d.page.fill('#field-labels', 'q4, spring');
    await d.page.fill('#field-cost', '12.50');
    await d.page.click('button:text-is("Register")');
    await d.page.locator('h1:text-is("New post")').waitFor();
    assert.match(await d.text(), /spring/);
    assert.match(await d.text('#said'), /^Registered\. New post/);
    assert.equal(await registered(), first + 1);

    await d.click('text=Edit');
    assert.match(await d.text(), /keep this one as long as its clicks/);
    await d.page.fill('#field-partner', 'Acme');
    await d.page.fill('#field-name', '');
    await d.page.click('button:text-is("Save")');
    await d.page.locator('h1:text("new.example")').waitFor();
    assert.match(await d.text(), /Acme/);
    assert.match(await d.text(), /12\.50/);

    await d.page.click('main button:text("Remove")');
    await d.checkAccess();
    await d.page.click('dialog >> text=Keep');
    assert.equal(await registered(), first + 1);
    await d.page.click('main button:text("Remove")');
    await d.page.locator('dialog button:text("Remove")').click();
    await d.page.locator('h1:text-is("Links")').waitFor();
    assert.equal(await registered(), first);
}


async function visit(url, hash, play, options = {}) {
    const d = await Dashboard.open(browser, url, hash, options);

    try {
        await play(d);
    } catch (error) {
        await d.context.close();
        throw error;
    }

    await d.close();
}


function withTree(name, made, play, hash = '#/', options = {}) {
    test(name, TIMEOUT, async () => {
        const tree = await FakeTree.start(made);

        try {
            await visit(tree.url, hash, d => play(d, tree), options);
        } finally {
            await tree.stop();
        }
    });
}


describe('how many links', () => {

    withTree('none', { links: 0 }, async (d, tree) => {
        assert.equal(await d.text('h1'), 'No links are registered yet');

        const text = await d.text();

        for (const part of ['referralctl add', 'referralctl import',
                            `http://127.0.0.1:${tree.port}/pricing`])
        {
            assert.ok(text.includes(part), part);
        }

        await d.checkAccess();
        tree.count = 1;
        await d.click('main button');
        assert.match(await d.text('h1'), /clicks? from your one link/);

        for (const hash of VIEWS) {
            tree.count = 0;
            await d.go(`${hash}?p=7`);
            assert.equal(await d.count('.refusal'), 0, hash);
        }
    });

    withTree('some of them silent', { links: 40 }, async d => {
        assert.ok((await d.page.locator('.card h2').allInnerTexts())
            .includes('4 links went silent'));

        const card = d.page.locator('.card', { hasText: 'went silent' });

        assert.match(await card.innerText(), /4 no click yet, 4 back/);
        assert.equal(await card.locator('.bars li').count(), 4);

        await d.click('a:text-is("All silent links")');
        assert.match(d.hash(), /state=silent/);
        assert.match(await d.text('.chips'), /state: silent/);
        assert.equal(await d.page.inputValue('#filter-state'), 'silent');
        assert.deepEqual(await d.page.locator('tbody .badge').allInnerTexts(),
                         Array(4).fill('silent'));
        await d.checkAccess();

        await d.click('tbody th a');
        assert.equal(await d.text('main p .badge'), 'silent');
        assert.match(await d.text('main'), /nobody looks at the other site/);
        await d.checkAccess();

        await d.go('#/links');
        await d.page.selectOption('#filter-state', 'never');
        await d.settled();
        assert.match(d.hash(), /state=never/);
        assert.deepEqual(await d.page.locator('tbody .badge').allInnerTexts(),
                         Array(4).fill('no click yet'));
        await d.page.selectOption('#filter-state', '');
        await d.settled();
        assert.equal(await d.count('tbody tr'), 40);
    });

    withTree('none, on a server of its own', { links: 0, location: '' },
        async d => {
            const text = await d.text();

            assert.match(text, /launch http:\/\/127\.0\.0\.1\/pricing/);
            assert.match(text, /--landing http:\/\/127\.0\.0\.1\/pricing/);
        });

    withTree('none, of a file', { links: 0 }, async (d, tree) => {
        tree.health.source = 'ok';

        for (const hash of ['#/health', '#/', '#/add']) {
            await d.go(hash);

            if (hash !== '#/health') {
                assert.match(await d.text(), /equal to a file.*register them/);
                assert.doesNotMatch(await d.text(), /referralctl (add|import)/);
            }
        }
    });

    withTree('one', { links: 1 }, async d => {
        for (const hash of VIEWS) {
            await d.go(hash);
            assert.equal(await d.count('.refusal'), 0, hash);
            await d.checkAccess();
        }
    });

    withTree('clicks from so many of them, if that is known', { links: 4 },
        async (d, tree) => {
            const said = async hash => {
                await d.go(hash);

                return d.text('h1');
            };

            assert.match(await said('#/?p=7'),
                         /^[\d,]+ clicks by links, \+\d+\s%; 4 are registered$/);
            tree.several = 0;
            assert.match(await said('#/?p=28'),
                         /^[\d,]+ clicks from 4 of 4 links, \+/);
            tree.robots = [2];
            assert.match(await said('#/?p=7'),
                         /^[\d,]+ clicks from 3 of 4 links, \+/);
            tree.robots = [];
            tree.gone = 10000;
            assert.match(await said('#/?p=90'),
                         /^[\d,]+ clicks by links, .*; 4 are registered$/);
            tree.count = 1;
            assert.match(await said('#/?p=all'),
                         /^[\d,]+ clicks by links; 1 is registered$/);
            tree.gone = 0;
            assert.match(await said('#/'), /^[\d,]+ clicks from your one link/);
            tree.count = 40;
            assert.match(await said('#/?p=7'),
                         /^[\d,]+ clicks from 40 of 40 links, \+/);
            tree.robots = Array.from({ length: 35 }, (_, i) => i + 5);
            assert.match(await said('#/?p=28'),
                         /^[\d,]+ clicks from 5 of 40 links, \+/);
            tree.robots = [];
            tree.count = 1;
            tree.share = 0;
            assert.equal(await said('#/?p=today'),
                         'No clicks yet from your one link');
            assert.equal(await said('#/?p=2026-02-01..2026-02-03'),
                         'No clicks from your one link', 'it is over');
        });

    withTree('minutes and hours of days of one\u2019s own', { links: 4 },
        async (d, tree) => {
            const back = days => day(Date.now() - days * DAY);
            const look = async (unit, first, last) => {
                await d.go(`#/link/0000000000000000?unit=${unit}&p=${first}..${
                    last}`);

                return d.text('.chart figcaption');
            };
            tree.share = 1000;

            const short = text => new Date(text).toLocaleDateString('en-GB', {
                day: 'numeric', month: 'short', year: 'numeric' });

            assert.ok((await look('hour', back(60), back(30))).startsWith(
                `Hours from ${short(back(36))} to ${short(back(30))}. Most: `));
            assert.ok(d.asked.some(url => url.includes(`unit=hour&from=${
                back(36)}&to=${back(29)}`)));
            assert.ok((await look('minute', back(60), back(30))).startsWith(
                `Minutes on ${short(back(30))}. Most: `));
            assert.ok((await look('day', back(30), back(30))).startsWith(
                `Days on ${short(back(30))}. Most: `));
            await d.go('#/link/0000000000000000?unit=hour&p=all');
            assert.match(await d.text('.chart figcaption'),
                         /^Hours in the last 7 days\. /);

            tree.kept.hour = 32.5 * DAY;
            await look('hour', back(60), back(29));
            assert.match(await d.text('.note'), new RegExp('^[\\d,]+ of [\\d,]+ '
                + 'clicks are shown: hours before are kept no more'));
            assert.equal(await d.count('.key.before'), 0, 'it is not zero');
            tree.kept.hour = 70 * DAY;
            await look('hour', back(30), back(20));
            assert.equal(await d.count('.key.before'), 1);
            tree.kept.hour = 7 * DAY;
            await d.go(`#/link/0000000000000000?unit=hour&p=${back(50)}..${
                back(30)}`);
            assert.equal(await d.count('.chart'), 0);
            assert.match(await d.text('.none'), new RegExp('^[\\d,]+ clicks '
                + 'from .*, but hours of then are kept no more'));
        }, '#/words');

    withTree('what a chart\u2019s times say', { links: 4 }, async d => {
        const labels = async hash => {
            await d.go(hash);

            const all = d.page.locator('.canvas .time');

            await all.first().waitFor();

            return all.allTextContents();
        };
        const back = days => day(Date.now() - days * DAY);

        assert.ok((await labels('#/?p=28')).every(text =>
            /^\d+ [A-Z][a-z]+$/.test(text)));
        assert.ok((await labels('#/?p=today')).every(text =>
            /^\d\d:00$/.test(text)));
        assert.ok((await labels(`#/?p=${back(3)}..${back(2)}`)).every(text =>
            /^\d+ [A-Z][a-z]+$/.test(text)), 'hours of two days');
        assert.ok((await labels(`#/?p=${back(900)}..${back(2)}`)).every(text =>
            /^\d+ [A-Z][a-z]+ 20\d\d$/.test(text)), 'days of years');
    }, '#/words');

    withTree('words are English, numbers are not', { links: 25 }, async d => {
        assert.match(await d.text('.sentence'), /^\d+\s\d+ clicks by links/);
        await d.go('#/?p=2026-02-01..2026-02-03');
        assert.match(await d.text('.sentence'),
                     /From 1 Feb 2026 to 3 Feb 2026/);
        assert.match(await d.text('.chart figcaption'), /\d Feb 2026/);
        await d.go('#/sources');
        assert.match(await d.text('tbody tr:nth-child(1)'),
                     /\d [A-Z][a-z]+ 2026[^]*just now/);
    }, '#/', { locale: 'ru-RU' });

    withTree('a million', { links: 1000000 }, async d => {
        assert.match(await d.text('h1'), /1,000,000 are registered/);
        await d.go('#/links');
        assert.equal(await d.count('tbody tr'), 50);

        const first = await d.text('tbody th');

        await d.click('[rel="next"]');
        assert.match(await d.text('.pager'), /51 to 100/);
        await d.click('[rel="next"]');
        assert.match(await d.text('.pager'), /101 to 150/);
        await d.click('[rel="prev"]');
        assert.match(await d.text('.pager'), /51 to 100/);
        await d.click('text=First page');
        assert.equal(await d.text('tbody th'), first);

        // a file has all rows

        const href = await d.page.getAttribute('a[download]', 'href');

        assert.match(href, /format=csv/);
        assert.doesNotMatch(href, /limit=|sort=/);
        assert.ok(d.asked.filter(url => url.includes('/history')).length < 125,
                  'spark lines of what is seen');
    });
});


describe('what goes wrong', () => {

    withTree('sources are registered, ignored, copied', { write: true },
             async d => {
        assert.match(await d.text('.note'), /12 requests came faster/);
        assert.match(await d.text('tbody'), /0\u20137/);

        await d.click('tbody tr:nth-child(1) button:text("Ignore")');
        await d.page.locator('tbody >> text=forum.example').first()
            .waitFor({ state: 'detached' });
        assert.equal(await d.count('tbody tr'), 5);

        // what a stranger chose stays one argument of the command

        await d.page.evaluate(() => {
            navigator.clipboard.writeText = text => {
                globalThis.copied = text;
                return Promise.resolve();
            };
        });
        await d.click('tbody tr:last-child button:text("Copy")');
        assert.equal(await d.page.evaluate(() => globalThis.copied),
            'sudo referralctl add hostile.example');
        await d.click('tbody tr:nth-child(3) button:text("Copy")');
        assert.equal(await d.page.evaluate(() => globalThis.copied),
            'sudo referralctl add --target /a -- --note');

        await d.click('tbody tr:nth-child(1) a:text("Register")');
        assert.equal(await d.page.inputValue('#field-source'),
                     'news.example');
        assert.equal(await d.page.inputValue('#field-target'), '/old');
        await d.page.click('button:text-is("Register")');
        await d.page.locator('main button:text("Remove")').waitFor();

        await d.go('#/ignored');
        await d.click('tbody tr:nth-child(2) button:text("Show again")');
        assert.equal(await d.count('tbody tr'), 1);

        await d.go('#/broken');
        assert.match(await d.text('tbody'), /one of several links/);
        assert.match(await d.page.locator('tbody a:text-is("Links")')
            .getAttribute('href'), /group=f{16}/);
        await d.page.evaluate(() => {
            navigator.clipboard.writeText = () => Promise.reject();
        });
        await d.click('tbody tr:nth-child(1) button');
        assert.equal(await d.text('tbody pre'),
                     'location = "/old" { return 301 "/"; }');
        await d.checkAccess();
    }, '#/sources');

    withTree('other scripts are read, what hides something is not',
        { links: 1, write: true }, async (d, tree) => {
            const at = tree.put({ source: 'https://news.example/'
                                  + '%D7%91%D7%9C%D7%95%D7%92/',
                                  target: '/%D7%90?a=%26', name: '' });
            const alike = '/a%E2%88%95b%EF%BC%8F%E2%A0%80%CC%81c/%CC%81'
                          + '%F0%9D%85%99%EF%BC%9F';
            const looks = tree.put({ source: 'https://other.example/',
                                     target: alike, name: 'Other' });

            assert.match(await d.text('tbody tr:nth-child(3) th'),
                         /to \/\u0446\u0435\u043d\u044b$/);
            assert.match(await d.page.getAttribute('tbody tr:nth-child(3) a',
                                                   'href'),
                         /target=%2F%25D1%2586%25d0%25b5%25D0/,
                         'it is registered as it is');
            await d.go('#/broken');
            assert.match(await d.text('tbody tr:nth-child(3) th'),
                new RegExp('^/\u76ee%20%2F%3Cb%FF/%E2%80%AEx%C2%85%C2%A0'
                           + '%E2%80%8B\u03a9'));
            assert.equal(await d.page.getAttribute(
                'tbody tr:nth-child(3) th span', 'dir'), 'ltr',
                'the slash at the start stays there');
            assert.match(await d.page.getAttribute(
                'tbody tr:nth-child(3) th span', 'title'), /^\/%E7%9B%AE%20/);
            assert.equal(await d.page.getAttribute(
                'tbody tr:nth-child(1) th span', 'title'), null);
            await d.go('#/links');
            assert.equal(await d.page.locator('tbody th a[dir=ltr]', {
                hasText: 'news.example' }).count(), 1);
            await d.go(`#/link/${tree.link(looks).key}`);
            assert.equal(await d.text('.lead b'), alike);
            await d.go(`#/link/${tree.link(at).key}`);
            assert.equal(await d.text('h1'),
                         'news.example/\u05d1\u05dc\u05d5\u05d2');
            assert.match(await d.text('.lead b'), /^\/\u05d0\?a=%26$/);
            assert.match(await d.page.getAttribute('.lead a', 'href'),
                         /%D7%91%D7%9C%D7%95%D7%92\/$/);
            assert.match(await d.page.getAttribute('.lead a', 'title'),
                         /%D7%91%D7%9C%D7%95%D7%92\/$/);
        }, '#/sources');

    withTree('sources where links are those of a file', {}, async (d, tree) => {
        assert.match(await d.text(), /wants -d PATH behind referralctl/);
        tree.health.source = 'ok';
        await d.page.reload();
        await d.ready();
        assert.match(await d.text(), /equal to a file.*register them/);
        assert.equal(await d.count('main table button, main pre'), 0,
                     'no command that is refused');
        await d.checkAccess();
    }, '#/sources');

    withTree('on a phone the cells of a row begin alike', {}, async d => {
        await d.page.setViewportSize(PHONE);

        for (const hash of ['#/sources', '#/broken']) {
            await d.go(hash);
            await d.checkWidth();
            assert.deepEqual(await d.page.locator('tbody td').evaluateAll(
                cells => cells.map(cell => getComputedStyle(cell).paddingLeft)
                    .filter(left => left !== '0px')), [], hash);
        }
    }, '#/sources');

    withTree('names without a space fit any width',
        { links: 3, write: true }, async (d, tree) => {
            const partner = 'PartnerWithoutAnySpace'.repeat(7);
            const at = tree.put({ partner, source: 'https://long.example/'
                                  + '%d0%b0%'.repeat(40) });

            for (const width of [360, 768, 820, 1280]) {
                await d.page.setViewportSize({ width, height: 740 });

                for (const hash of ['#/partners', `#/links?partner=${partner}`])
                {
                    await d.go(hash);
                    await d.checkWidth();
                }

                await d.go(`#/link/${tree.link(at).key}`);
                await d.checkWidth();
                await d.page.click('main button:text("Remove")');

                const box = await d.page.locator('dialog').boundingBox();

                assert.ok(box.x >= 0 && box.x + box.width <= width,
                          `${width}: ${JSON.stringify(box)}`);
                assert.ok(await d.page.locator('dialog').evaluate(dialog =>
                    dialog.scrollWidth <= dialog.clientWidth), `${width}`);
                await d.page.click('dialog >> text=Keep');
            }
        });

    withTree('hostile names are text', { links: 3, hostile: true },
        async d => {
            for (const hash of ['#/', '#/links', '#/report?partner=Acme',
                                '#/link/0000000000000000'])
            {
                await d.go(hash);
                assert.ok((await d.text()).includes('<img src=x onerror='),
                          hash);
                assert.equal(await d.count('main img'), 0);
            }

            await d.go('#/links?partner=%3Cb%3E&q=%22%3E%3Cscript%3E');
            assert.equal(await d.count('main b, main script'), 0);
            assert.equal(await d.count('a[href^="javascript"]'), 0);
        });

    withTree('faults stand above all', { links: 5 }, async (d, tree) => {
        assert.equal(await d.text('#faults'), '');
        tree.health.ledger = 'the last flush failed';
        tree.health.source = 'links.csv: line 7: it is not UTF-8';
        tree.health.overflow = 12;
        tree.health.diagnosis.push('no Referer arrives: let the CDN forward');
        await d.go('#/health');

        const text = await d.text('#faults');

        assert.match(text, /no Referer arrives/);
        assert.match(text, /Ledger: the last flush failed/);
        assert.match(text, /Source: links\.csv: line 7/);
        assert.match(text, /Matches without room: 12/);
        assert.match(await d.text('main'), /4 things to look at/);
        await d.go('#/');
        assert.match(await d.text('#faults'), /no Referer arrives/);
    });

    withTree('what cannot be read says so, and is tried again', { links: 5 },
        async (d, tree) => {
            d.allowed.push('503');
            tree.failing.set('GET /links', [503, 'LedgerUnavailable',
                                            'the ledger cannot be opened']);
            await d.go('#/links');
            assert.match(await d.text('.refusal'), /ledger cannot be opened/);
            tree.failing.clear();
            await d.click('.refusal button');
            assert.equal(await d.count('tbody tr'), 5);
        });

    withTree('answers that are not the tree\u2019s', { links: 5, write: true },
        async d => {
            const html = status => route => route.fulfill({
                status, contentType: 'text/html', body: '<h1>no</h1>' });

            d.allowed.push('413', '403');
            await d.go('#/add');
            await d.page.route('**/links', html(413));
            await d.page.fill('#lines', 'https://fresh.example/1');
            await d.page.click('text=Register all');
            await d.page.locator('text=client_max_body_size').waitFor();

            await d.page.route('**/links?*', html(200));
            await d.go('#/links');
            assert.match(await d.text('.refusal'), /perhaps one has to log in/);
            await d.page.route('**/links?*', html(403));
            await d.click('.refusal button');
            assert.match(await d.text('.refusal'), /answered 403/);
        });

    withTree('an answer that does not come is not waited for in silence',
        { links: 5 }, async d => {
            let answer;

            await d.page.route('**/hosts?*', route => { answer = route; });
            await d.page.evaluate(() => { location.hash = '#/hosts'; });
            await d.page.locator('main >> text=No answer yet').waitFor();
            await answer.continue();
            await d.settled();
            assert.equal(await d.text('h1'), 'Hosts');
            assert.equal(await d.count('.wait'), 0);
        }, '#/links');

    withTree('what goes wrong by one of several is in the sums', { links: 2 },
        async (d, tree) => {
            const card = title => d.page.locator('.card', {
                has: d.page.locator(`h2:text-is("${title}")`) }).innerText();
            const also = 'Came along, and are no clicks';

            tree.share = 0;
            await d.go('#/?p=7');
            assert.match(await card('Broken landings'),
                         /Every visit by a link got a page\.\s+All broken/);
            assert.match(await card(also), /Nothing but clicks and errors/);

            tree.sharedMore = { errors_4xx: 4, errors_5xx: 1, reloads: 7 };
            await d.go('#/?p=28');
            assert.match(await card('Broken landings'),
                         /5 visits by a link met an error.*\s+One of several/);
            assert.match(await card(also), /Reloads\s+7/);

            tree.sharedMore = { clicks: 0 };
            await d.go('#/?p=90');
            assert.match(await card('Links with most clicks'),
                         /No link was clicked in this period/);
            assert.match(await card('Channels'), /No clicks in this period/);
            tree.sharedMore = { clicks: 5 };
            await d.go('#/?p=all');
            assert.match(await d.text('h1'), /^5 clicks by links/);
            assert.match(await card('Links with most clicks'),
                         /No click could be told to one link\./);
            assert.match(await card('Channels'),
                         /No clicks of one row alone\./);

            d.allowed.push('503');
            tree.sharedMore = { errors_4xx: 4, errors_5xx: 1, reloads: 7 };
            tree.failing.set('GET /channels', [503, 'SumsBusy', 'no']);
            await d.go('#/?p=7');
            assert.match(await card('Broken landings'),
                         /Every visit by a link alone got a page\.\s+All/);
            assert.match(await card(also), /Nothing by a link alone but/);
        });

    withTree('one card may fail', { links: 5 }, async (d, tree) => {
        d.allowed.push('503');
        tree.failing.set('GET /hosts', [503, 'RegistryUnavailable', 'no']);
        await d.go('#/?p=7');
        assert.match(await d.text('h1'), /5 are registered/);
        assert.equal(await d.count('.card .refusal'), 1);
    });

    withTree('a view that is none', { links: 1 }, async d => {
        await d.go('#/nowhere');
        assert.equal(await d.text('h1'), 'There is no such view');
    });
});


describe('a partner\u2019s month', () => {

    withTree('over, running, to come, or none', { links: 25 },
        async (d, tree) => {
            const asked = async month => {
                const start = tree.requests.length;

                await d.go(`#/report?partner=Acme&month=${month}`);

                return tree.requests.slice(start).join('\n');
            };

            await d.page.clock.setFixedTime('2026-11-10T22:30:00Z');
            assert.match(await asked('2026-10'), new RegExp('/links\\?'
                + 'from=2026-10-01&to=2026-11-01&compare=previous'));
            assert.match(await d.text(), /: compared with the 31 days before\./);
            assert.match(await d.text(), /read 10 Nov 2026, 22:30 UTC\./);
            assert.match(await d.text(), /removed since are not here/);

            assert.match(await asked('2026-11'),
                         /\/links\?from=2026-11-01&compare=previous/);
            assert.match(await d.text(), new RegExp('compared with the same '
                + 'length of time before.*is not over'));

            assert.doesNotMatch(await asked('2026-12'), /\/links|\/partners/);
            assert.match(await d.text(), /This month has not begun/);

            assert.match(await asked('2026-00'), /from=2026-10-01/);
            assert.match(await d.text('h1'), /October 2026/);

            d.allowed.push('503');
            tree.failing.set('GET /partners', [503, 'RowsTooMany', 'no']);
            await d.go('#/report?partner=Acme&month=2026-09');
            assert.equal(await d.count('.refusal'), 0);
            assert.match(await d.text('.sums'),
                         /Visits by one link that met an error/);
            tree.failing.clear();

            await d.go('#/links?p=2026-11-03..2026-11-20');
            assert.match(tree.requests.join('\n'),
                         /\/links\?from=2026-11-03&compare=previous/);
            await d.go('#/?p=2026-11-03..2026-11-20');
            assert.match(await d.text('.sentence'),
                         /in the same length of time before/);
        }, '#/words');
});


describe('what is left open', () => {

    for (const hash of ['#/', '#/health']) {
        withTree(`${hash} keeps itself fresh`, { links: 3 }, async (d, tree) => {
            await d.page.setViewportSize({ width: 1280, height: 500 });
            await d.page.clock.install();
            await d.page.reload();
            await d.ready();
            assert.equal(await d.text('#faults'), '');
            await d.page.mouse.wheel(0, 300);
            await d.page.waitForFunction(() => scrollY === 300);

            const asked = tree.requests.length;

            await d.page.clock.fastForward(120000);
            await waitFor(() => tree.requests.length > asked);
            await d.settled();
            assert.equal(await d.page.evaluate(() => scrollY), 300,
                         'it stays where it was scrolled to');

            tree.health.flush_errors = 3;
            await d.page.clock.fastForward(120000);
            await d.page.locator('#faults >> text=Failed flushes').waitFor();
            await d.ready();        // the faults stand there before the rest
            tree.health.flush_errors = 0;
            await d.page.clock.fastForward(120000);
            await d.page.locator('#faults:empty').waitFor({
                state: 'attached' });
        }, hash);
    }

    withTree('a slow answer is waited for', { links: 3 }, async (d, tree) => {
        tree.share = 0;
        await d.page.clock.install();
        await d.page.reload();
        await d.ready();
        tree.share = 1;

        const held = [];

        await d.page.route('**/history?*', route => { held.push(route); });
        await d.page.clock.runFor(11000);
        await waitFor(() => held.length > 0);

        const asked = held.length;

        await d.page.clock.runFor(125000);
        assert.equal(held.length, asked, 'asked once');
        await d.page.unroute('**/history?*');
        await d.page.locator('h1 >> text=/clicks by links/').waitFor();
    });

    withTree('the first click is soon seen', { links: 3 }, async (d, tree) => {
        tree.share = 0;
        await d.page.clock.install();
        await d.page.reload();
        await d.ready();
        assert.equal(await d.text('h1'), 'No clicks yet from 3 links');
        tree.share = 1;

        let asked = tree.requests.length;

        await d.page.evaluate(() => getSelection()
            .selectAllChildren(document.querySelector('h1')));
        await d.page.clock.runFor(21000);
        assert.equal(tree.requests.length, asked, 'what is marked stays');

        await d.page.evaluate(() => getSelection().removeAllRanges());
        await d.page.clock.runFor(1000);
        await d.page.locator('h1 >> text=/clicks by links/').waitFor();
        await d.settled();

        asked = tree.requests.length;
        await d.page.clock.runFor(40000);
        assert.equal(tree.requests.length, asked, 'then each minute');
    });
});


describe('live', () => {

    withTree('visits as they happen, held and missed', { links: 9 },
        async (d, tree) => {
            await waitFor(() => tree.feeds.size === 1);
            tree.click(0);
            tree.click(1, { status: 404, class: 'error' });
            tree.click(2, { link: null, group: 'abc', outcome: 'ambiguous' });
            await d.page.locator('.feed tbody tr').nth(2).waitFor();
            assert.match(await d.text('.feed tbody tr'), /one of several/,
                         'the newest is first');
            assert.match(await d.text('.feed tr:has(.bad)'), /404/);

            await d.page.click('text=Pause');
            tree.click(3);
            tree.click(4);
            await d.page.locator('button:text("2 held")').waitFor();
            assert.equal(await d.count('.feed tbody tr'), 3);
            await d.page.click('text=Go on');
            await d.page.locator('.feed tbody tr').nth(4).waitFor();

            tree.emit('missed', { missed: 70 });
            tree.emit('missed', { missed: 7 });
            await d.page.locator('text=77 visits went by').waitFor();
            tree.emit('missed', { missed: 0, states: 5 });

            for (let i = 0; i < 8; i++) {
                tree.emit('state', { time: '2026-11-20T22:48:00.000Z',
                                     link: '0000000000000000',
                                     name: `Post ${i} <b>`, from: 'active',
                                     to: 'silent' });
            }

            await d.page.locator('p:has-text("Post 7 <b>: silent")')
                .waitFor();
            assert.equal(await d.count('main .badge'), 6);
            assert.match(await d.text(), /77 visits went by/);

            for (let i = 0; i < 500; i++) {
                tree.click(i % 9);
            }

            await d.page.locator('.feed tbody tr').nth(199).waitFor();
            await d.page.waitForTimeout(600);
            assert.equal(await d.count('.feed tbody tr'), 200);

            await d.go('#/links');
            await waitFor(() => tree.feeds.size === 0);
        }, '#/live');

    withTree('a feed that says nothing more', { links: 1 },
        async (d, tree) => {
            await d.page.locator('text=by links since').waitFor();
            assert.equal(await d.count('.refusal'), 0);
            await d.page.locator('.refusal:has-text("may be old")').waitFor();
            tree.emit('summary', { outcomes: {}, clicks: {},
                                   now: new Date().toISOString() });
            await d.page.locator('.refusal').waitFor({ state: 'detached' });
            await d.page.locator('.refusal').waitFor();
            await d.click('.refusal button');
            await waitFor(() => tree.feeds.size === 1);
            assert.equal(await d.count('.refusal'), 0);
        }, '#/live');

    withTree('no feed to be had', { links: 1 }, async (d, tree) => {
        d.allowed.push('503');
        tree.failing.set('GET /events', [503, 'TooManyClients', 'full']);
        await d.go('#/live');
        await d.page.locator('.refusal').waitFor();
        tree.failing.clear();
        await d.click('.refusal button');
        await waitFor(() => tree.feeds.size === 1);
    });
});


describe('writing', () => {

    withTree('off: nothing offers it', { links: 3 }, async d => {
        assert.equal(await d.count('text=Register links'), 0);
        await d.go('#/link/0000000000000000');
        assert.equal(await d.count('main button:text("Remove")'), 0);
        await d.go('#/add');
        assert.match(await d.text(), /Writing is off/);
    }, '#/links');

    withTree('faults stand at their field', { links: 3, write: true },
        async (d, tree) => {
            d.allowed.push('400', '409', '503');
            await d.page.fill('#field-source', 'https://new.example/post');
            await d.page.click('.more-fields summary');
            await d.page.fill('#field-authority', '400');
            await d.page.click('.more-fields summary');
            await d.page.click('button:text-is("Register")');
            await d.page.locator('#field-authority[aria-invalid]').waitFor();
            assert.match(await d.text('#field-authority-fault'), /0 to 100/);
            assert.equal(await d.page.evaluate(() =>
                document.activeElement.id), 'field-authority');

            await d.page.fill('#field-authority', '40');
            await d.page.fill('#field-source', tree.link(0).source);
            await d.page.fill('#field-target', tree.link(0).target);
            await d.page.click('button:text-is("Register")');
            await d.page.locator('#field-source[aria-invalid]').waitFor();
            assert.equal(await d.text('#field-authority-fault'), '');

            tree.failing.set('POST /links', [503, 'WriterBusy',
                                             'another write goes on']);
            await d.page.click('button:text-is("Register")');
            await d.page.locator('text=Not saved: another write').waitFor();
        }, '#/add');

    withTree('several at once, all or none', { links: 3, write: true },
        async (d, tree) => {
            d.allowed.push('400');
            await d.page.click('text=Register all');
            assert.match(await d.text('#lines-fault'), /Between 1 and 10,000/);
            await d.page.fill('#lines', 'https://a.example/1\n\nhttps://b c');
            await d.page.click('text=Register all');
            await d.page.locator('text=Line 3, https://b c').waitFor();
            assert.match(await d.text('#lines-fault'),
                         /^Nothing was reg[^.]*\. Line 3, \S+ c: source "/);
            assert.equal(tree.registered, 3);
            await d.page.fill('#lines', 'https://a.example/1\n\nb links[0]');
            await d.page.click('text=Register all');
            await d.page.locator('#lines-fault >> text='
                                 + 'source "b links[0]').waitFor();
            await d.page.fill('#lines', 'https://a.example/1\nb.example\n');
            await d.click('text=Register all');
            assert.equal(tree.registered, 5);
            assert.equal(await d.text('h1'), 'Links');
        }, '#/add');
});


describe('several registries', () => {

    withTree('a list, and a tree below each name',
        { links: 4, registries: ['shop', 'blog & co'] }, async (d, tree) => {
            assert.equal(await d.text('h1'), 'Registries');
            await d.page.locator('.registries li:first-child >> text=/[1-9] '
                                 + 'clicks by links .*; 4 registered$/')
                .waitFor();
            assert.equal(await d.count('#nav a'), 0);
            await d.click('text=blog & co');
            assert.match(await d.text('h1'), /4 are registered/);
            assert.match(d.hash(), /^#\/~blog/);
            await d.click('#nav a:text-is("Links")');
            assert.equal(await d.count('tbody tr'), 4);
            assert.ok(tree.requests.some(line => line.startsWith(
                'GET /referral_status/blog%20%26%20co/links?')));
            await d.click('tbody th a');
            assert.match(d.hash(), /^#\/~blog[^/]*\/link\//);
            await d.click('#home');
            assert.equal(await d.text('h1'), 'Registries');
        });
});


async function waitFor(condition) {
    assert.ok(await until(condition, 10000), String(condition));
}
