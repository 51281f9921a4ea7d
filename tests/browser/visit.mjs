// One scenario: a blog of its own, a folder of the shop of its own, the links
// between them, and two counts that must agree: what the visitor did, and what
// nginx counted.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { SHOP, until } from './site.mjs';

// How long a request that should not come is waited for.

const QUIET = 150;

const COUNTERS = {
    click: 'clicks',
    reload: 'reloads',
    redirect: 'redirects',
    error: 'errors_4xx',
    embed: 'embeds',
    prefetch: 'prefetches',
    bot: 'bots',
    other: 'other',
};

const BY_PAGE = ['exact', 'regex', 'prefix'];

// Clicks that no registered link explains.

const NOBODY = 'nobody';


export class Visit {

    constructor(site, visitor, scheme, slug, page) {
        Object.assign(this, { site, visitor, scheme, slug, page });

        this.blog = `${slug}.example`;
        this.keys = new Map();
        this.rows = [];
        this.clicks = { [NOBODY]: 0 };
        this.limits = {};
    }

    // Registers a link under a name for this scenario; without a source: the
    // blog's /post.

    link(name, { source = `https://${this.blog}/post`, target, ...rest } = {}) {
        const key = this.site.link({
            ...rest,
            source: rest.match === 'tag' ? undefined : source,
            target: target && `/${this.slug}/${target}`,
        });

        this.keys.set(key, name);
        this.clicks[name] = 0;
    }

    // An address in the shop.

    shop(name, scheme = this.scheme) {
        return `${scheme}://${SHOP}/${this.slug}/${name}`;
    }

    // Writes a page of the blog and opens it.  SHOP/ is where the shop is.

    async open(body, { head = '', host = this.blog, name = 'post' } = {}) {
        const [text, above] = [body, head].map(
            part => part.replaceAll('SHOP/', this.shop('')));

        this.site.page(host, name, text, above);
        await this.page.goto(`${this.scheme}://${host}/${name}`);
    }

    // The visitor follows a link: what must be counted, once.

    async click(name, { selector = '#a', options = {} } = {}) {
        this.clicks[name]++;
        await this.page.click(selector, options);
        await this.page.waitForURL(url => url.hostname === SHOP);
    }

    // The same, but a new tab opens; the scenario goes on there.

    async clickToTab(name, { selector = '#a', options = {} } = {}) {
        this.clicks[name]++;
        this.page = await this.visitor.newTab(
            () => this.page.click(selector, options));
        await this.page.waitForURL(url => url.hostname === SHOP);
    }

    // The visitor enters an address.

    async enter(name, what) {
        this.clicks[name]++;
        await this.page.goto(this.shop(what));
    }

    // What nginx has been asked for since the last time, a line each:
    //
    //     'landing 200 matched click landing link'
    //      asked for   outcome class evidence link's name

    async sees(...wanted) {
        const seen = this.rows.length;

        await until(() => this.requests().length >= seen + wanted.length);
        await sleep(QUIET);

        const requests = this.requests();
        const fresh = requests.slice(seen);

        this.rows = requests;

        assert.deepEqual(fresh.map(row => this.line(row)), wanted,
                         `nginx was asked:\n${JSON.stringify(fresh, null, 2)}`);
    }

    // A limit no rule can mend: so many clicks more, or less, than were made.

    limit(name, difference) {
        this.limits[name] = (this.limits[name] ?? 0) + difference;
    }

    requests() {
        return this.site.requests()
            .filter(row => row.uri.startsWith(`/${this.slug}/`));
    }

    line(row) {
        return [row.uri.slice(this.slug.length + 2), row.status, row.outcome,
                row.class, row.evidence, this.keys.get(row.link) ?? row.link]
            .filter(word => word !== '').join(' ');
    }

    // The counts, by key.

    async check() {
        const links = await this.site.links();
        const clicks = { [NOBODY]: this.clicked('') };

        for (const [key, name] of this.keys) {
            assert.deepEqual(nonzero(links.get(key)), this.counters(key),
                             `the counters of ${name}`);
            clicks[name] = links.get(key).clicks;
        }

        const made = Object.fromEntries(Object.entries(this.clicks)
            .map(([name, n]) => [name, n + (this.limits[name] ?? 0)]));

        assert.deepEqual(clicks, made, 'clicks counted are clicks made');
    }

    clicked(key) {
        return this.rows
            .filter(row => row.link === key && row.class === 'click').length;
    }

    counters(key) {
        const counters = {};

        const add = name => { counters[name] = (counters[name] ?? 0) + 1; };

        for (const row of this.rows.filter(each => each.link === key)) {
            add(COUNTERS[row.class]);

            if (row.class === 'click' && BY_PAGE.includes(row.evidence)) {
                add('clicks_by_page');
            }

            if (row.class === 'click' && row.evidence === 'tag') {
                add('clicks_by_tag');
            }
        }

        return counters;
    }
}


function nonzero({ bytes, ...counters }) {
    return Object.fromEntries(Object.entries(counters)
        .filter(([, value]) => value !== 0));
}
