// A shop that has been counted for half a year, on a real nginx: links of all
// kinds registered by referralctl, a past in its ledger, visits of today.
//
//     const shop = await BusyShop.start();
//     shop.url                    its status location, which writes
//     await shop.visit('/pricing', { Referer: ... }, 3);
//     shop.clicks(from)           what was counted since, by link's name
//     await shop.stop();
//
// What was put in is kept, for the page to be compared with.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';

import { SHOP, Site, until } from './site.mjs';

const DAY = 86400000;
const DAYS = 170;
const LINKS = 300;

const AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 '
              + '(KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36';

// Numbers of a cell's fields, and of the zone's: outcomes, clicks of these.

const CELL = { clicks: 0, errors_4xx: 3, bots: 7, clicks_by_page: 10 };
const OUTCOMES = { direct: 0, hidden: 1, internal: 2, matched: 4,
                   ambiguous: 5, unregistered: 6 };
const CLICKS = 8;
const CLASSES = 24;
const EXACT = 17;

const PARTNERS = ['Acme', 'Northwind Traders', 'Initech', 'Larch & Sons', ''];
const CHANNELS = ['guest-post', 'press', 'partner', 'directory', '', 'social',
                  'resource'];
const LABELS = ['', 'q4', 'spring', 'q4,spring', ''];
const TOPICS = ['Launch post', 'Interview', 'Field notes', 'Review',
                'Reading list', 'How it works', 'Year in numbers', ''];
const SITES = ['blog', 'news', 'weekly', 'garden', 'review', 'letters',
               'notes', 'studio', 'atlas', 'harbour'];

export const HOSTILE = '<img src=x onerror="document.title=1"></script>';

// Text that others wrote: in another direction, without an end, or hostile.

const ODD = [
    { source: 'https://odd.example/html', target: '/pricing', name: HOSTILE,
      partner: '"><b>bold</b>', labels: '<i>,&amp;' },
    { source: 'https://odd.example/rtl', target: '/docs', partner: 'Acme',
      name: '\u05e7\u05d9\u05e9\u05d5\u05e8 \u05d1\u05dc\u05d5\u05d2 (1)' },
    { source: 'https://odd.example/arabic', target: '/tour', partner: 'Acme',
      name: '\u0645\u0631\u0627\u062c\u0639\u0629 2026 \u2013 blog' },
    { source: 'https://odd.example/override', target: '/start',
      name: 'abc\u202egnp.exe', partner: 'Acme' },
    { source: `https://odd.example/${'long-'.repeat(60)}`, target: '/long',
      name: 'Donaudampfschifffahrtsgesellschaft'.repeat(6),
      partner: 'PartnerWithoutAnySpace'.repeat(5) },
    { source: 'https://odd.example/formula', target: '/sheet',
      name: '=HYPERLINK("http://x.example")' },
];


export class BusyShop {

    static async start() {
        const shop = new BusyShop();

        shop.site = await Site.start({ write: true });
        shop.origin = `http://127.0.0.1:${shop.site.statusPort}`;
        shop.url = `${shop.origin}/referral_status`;

        try {
            shop.register();
            await shop.remember();
            await shop.today();
        } catch (error) {
            await shop.site.stop();
            throw error;
        }

        return shop;
    }

    agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    past = [];              // { time, link, field, n } of single links
    outcomes = [];          // { time, outcome, n } of clicks

    register() {
        const rows = [...ODD];

        for (let i = 0; i < LINKS; i++) {
            const site = SITES[i % 10] + (i < 10 ? '' : `-${i % 41}`);
            const isTag = i % 13 === 6;
            const topic = TOPICS[i % TOPICS.length];

            rows.push({
                source: isTag ? ''
                        : `https://${site}.example/${2018 + i % 9}/${i}`,
                tag: isTag ? `mail-${i}` : '',
                target: isTag ? '' : `/${['pricing', 'docs', 'tour',
                                          'start'][i % 4]}/${i}`,
                name: topic && `${topic} ${i}`,
                partner: PARTNERS[i % 5], channel: CHANNELS[i % 7],
                labels: LABELS[i % 5],
            });
        }

        // alike, but for their page: a group
        for (const name of ['first', 'second']) {
            rows.push({ source: `https://pair.example/${name}`,
                        target: '/pair', name: `The ${name} of two`,
                        partner: 'Acme', channel: 'press' });
        }

        const columns = ['source', 'tag', 'target', 'name', 'partner',
                         'channel', 'labels'];
        const quoted = text => `"${(text ?? '').replaceAll('"', '""')}"`;
        const file = this.site.file('links.csv');

        fs.writeFileSync(file, [columns, ...rows.map(row => columns
            .map(name => row[name]))].map(row =>
            `${row.map(quoted).join(',')}\r\n`).join(''));
        this.site.referralctl('import', file);
        this.rows = rows;
    }

    // Each day of half a year, at noon, but of today.

    async remember() {
        const { links } = await this.site.status('/links?limit=all');
        const bySource = new Map(links.map(link => [link.source || link.tag,
                                                    link]));
        const midnight = Math.floor(Date.now() / DAY) * DAY;

        for (const row of this.rows) {
            row.key = bySource.get(row.source || row.tag).key;
        }

        assert.equal(links.length, this.rows.length);

        for (let day = 1; day < DAYS; day++) {
            const time = midnight - day * DAY + DAY / 2;
            const busy = 1 + Math.sin(day / 9) / 2 + (DAYS - day) / DAYS;

            this.rows.slice(0, 200).forEach((row, i) => {
                const n = Math.floor(busy * 40 / (1 + i % 97) * (0.6
                    + (i * 7 + day * 5) % 10 / 12));

                this.add(time, row, 'clicks', n);
                this.add(time, row, 'errors_4xx',
                         i % 9 === 3 ? Math.ceil(n / 3) : 0);
                this.add(time, row, 'bots', Math.floor(n / 4));
            });

            for (const [outcome, n] of [['direct', 340], ['hidden', 90],
                                        ['unregistered', 150],
                                        ['ambiguous', 12]])
            {
                this.outcomes.push({ time, outcome, n: Math.floor(n * busy) });
            }
        }

        this.site.addHistory([...this.linkLines(), ...this.zoneLines()]);
    }

    add(time, link, field, n) {
        if (n > 0) {
            this.past.push({ time, link, field, n });
        }
    }

    linkLines() {
        return this.past.flatMap(({ time, link, field, n }) => [
            [time / 1000, link.key, CELL[field], n],
            ...(field === 'clicks'
                ? [[time / 1000, link.key, CELL.clicks_by_page, n]] : [])]);
    }

    // What links got, and what came otherwise, as a flush would store it.

    zoneLines() {
        const sums = new Map();
        const put = (time, field, n) => {
            const id = `${time / 1000} all ${field}`;

            sums.set(id, (sums.get(id) ?? 0) + n);
        };

        for (const { time, field, n } of this.past) {
            put(time, OUTCOMES.matched, n);
            put(time, EXACT, n);
            put(time, CLASSES + CELL[field], n);

            if (field === 'clicks') {
                put(time, CLASSES + CELL.clicks_by_page, n);
                put(time, CLICKS + OUTCOMES.matched, n);
            }
        }

        for (const { time, outcome, n } of this.outcomes) {
            put(time, OUTCOMES[outcome], n);
            put(time, CLICKS + OUTCOMES[outcome], n);
        }

        return [...sums].map(([id, n]) => [...id.split(' '), n]);
    }

    // Visits of each class and outcome, counted here as they are made.

    async today() {
        const [first, second] = this.rows.slice(ODD.length);
        const of = (path, headers, n, field) => this.visit(path, {
            Referer: first.source, ...headers }, n, first, field);

        await of(first.target, {}, 30, 'clicks');
        await of('/x/gone', {}, 4, 'errors_4xx');
        await of('/x/broken', {}, 2, 'errors_5xx');
        await of('/x/old', {}, 3, 'redirects');
        await of(first.target, { 'Cache-Control': 'max-age=0' }, 5, 'reloads');
        await of('/x/picture', { 'Sec-Fetch-Dest': 'image' }, 6, 'embeds');
        await of(first.target, { 'Sec-Purpose': 'prefetch' }, 7, 'prefetches');
        await of(first.target, { 'User-Agent': 'Googlebot/2.1' }, 8, 'bots');
        await this.visit(second.target, { Referer: second.source }, 12, second,
                         'clicks');
        await this.visit('/pair', { Referer: 'https://pair.example/' }, 9,
                         'ambiguous');
        await this.visit('/pricing', { Referer: 'https://unknown.example/x' },
                         11, 'unregistered');
        await this.visit('/pricing', { 'Sec-Fetch-Site': 'cross-site' }, 13,
                         'hidden');
        await this.visit('/pricing', {}, 15, 'direct');
        this.first = first;
        await this.settled();
    }

    // what: the link and the field that counts it, or an outcome of a click.

    async visit(path, headers, n, what = undefined, field = undefined) {
        for (let i = 0; i < n; i++) {
            await this.request(path, headers);
        }

        const time = Date.now();

        if (field !== undefined) {
            this.add(time, what, field, n);
        } else if (what !== undefined) {
            this.outcomes.push({ time, outcome: what, n });
        }
    }

    request(path, headers) {
        return new Promise((done, failed) => {
            http.get({ host: '127.0.0.1', port: this.site.httpPort, path,
                       agent: this.agent,
                       headers: { Host: SHOP, Accept: 'text/html',
                                  'User-Agent': AGENT, ...headers } },
                     response => {
                         response.resume();
                         response.on('end', done);
                     }).on('error', failed);
        });
    }

    // Periods are read from the ledger: until all of today is in it.

    async settled() {
        const today = Math.floor(Date.now() / DAY) * DAY;
        const clicks = this.sum('clicks', today);

        assert.ok(await until(async () => {
            const answer = await this.site.status(
                `?from=${new Date(today).toISOString().slice(0, 10)}`);

            return answer.clicks.matched === clicks
                   && answer.clicks.direct === this.came('direct', today);
        }), 'today is in the ledger');
    }

    // What was put in from one time on, up to another.

    sum(field, from = 0, to = Infinity, isOf = () => true) {
        return this.past.filter(one => one.field === field && one.time >= from
                                       && one.time < to && isOf(one.link))
            .reduce((n, one) => n + one.n, 0);
    }

    came(outcome, from = 0, to = Infinity) {
        return outcome === 'matched' ? this.sum('clicks', from, to)
            : this.outcomes.filter(one => one.outcome === outcome
                                          && one.time >= from && one.time < to)
                .reduce((n, one) => n + one.n, 0);
    }

    async stop() {
        this.agent.destroy();

        return this.site.stop();
    }
}
