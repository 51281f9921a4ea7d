// A browser's page on the dashboard, and what must hold of it throughout: the
// policy refuses nothing, no script fails, nothing is asked of another host,
// and never for all links.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

import { ROOT } from './site.mjs';

const require = createRequire(path.join(ROOT, 'build/browser/'));
const { chromium } = require('playwright-core');

const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const CHROMIUM = process.env.TEST_CHROMIUM ?? '/usr/bin/chromium';

export const SHOTS = path.join(ROOT, 'build/screenshots');

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 360, height: 740 };


export function launchBrowser() {
    return chromium.launch({
        executablePath: CHROMIUM,
        args: ['--headless=new', '--no-sandbox', '--disable-gpu'],
    });
}


export class Dashboard {

    static async open(browser, url, hash = '', options = {}) {
        const context = await browser.newContext({
            viewport: DESKTOP, locale: 'en-GB', timezoneId: 'Europe/Berlin',
            reducedMotion: 'reduce', ...options });
        const dashboard = new Dashboard(context, await context.newPage(), url);

        await dashboard.page.goto(url + hash);
        await dashboard.ready();

        return dashboard;
    }

    constructor(context, page, url) {
        this.context = context;
        this.page = page;
        this.url = url;
        this.faults = [];
        this.asked = [];
        this.unanswered = new Set();
        this.allowed = [];

        page.setDefaultTimeout(10000);
        page.on('pageerror', error => this.faults.push(error.stack));
        page.on('console', message => {
            if (message.type() === 'error'
                && !this.allowed.some(text => message.text().includes(text)))
            {
                this.faults.push(message.text());
            }
        });
        page.on('request', request => {
            this.asked.push(request.url());

            if (request.resourceType() === 'fetch') {
                this.unanswered.add(request);
            }
        });
        page.on('requestfinished', request => this.unanswered.delete(request));
        page.on('requestfailed', request => this.unanswered.delete(request));
    }

    async ready() {
        await this.page.locator('main[aria-busy="false"]').waitFor();
    }

    async go(hash) {
        await this.page.evaluate(to => { location.hash = to; }, hash);
        await this.settled();
    }

    // The view that was left may still be there for a moment, and longer where
    // something is written first.

    async settled() {
        const end = Date.now() + 10000;
        let waited;

        do {
            assert.ok(Date.now() < end, 'unanswered: '
                      + [...this.unanswered].map(one => one.url()).join(' '));
            waited = this.unanswered.size > 0;
            await this.page.waitForTimeout(60);
            await this.ready();
        } while (waited || this.unanswered.size > 0);
    }

    async click(selector) {
        await this.page.locator(selector).first().click();
        await this.settled();
    }

    text(selector = 'main') {
        return this.page.locator(selector).first().innerText();
    }

    count(selector) {
        return this.page.locator(selector).count();
    }

    hash() {
        return new URL(this.page.url()).hash;
    }

    api(tail) {
        return this.page.evaluate(async address => {
            const response = await fetch(address, {
                headers: { Accept: 'application/json' } });

            return response.json();
        }, this.url + tail);
    }

    // What a screen reader and weak eyes need of any view: the rules of WCAG
    // 2.2 AA that a machine can check, and two of ours.

    async checkAccess() {
        await this.page.evaluate(AXE);

        const faults = await this.page.evaluate(async () => {
            const { violations } = await globalThis.axe.run(document, {
                preload: false, resultTypes: ['violations'],
                runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa',
                          'wcag22aa', 'best-practice'],
            });
            const found = violations.flatMap(one => one.nodes.map(node =>
                `${one.id}: ${node.html.slice(0, 120)} ${
                    node.failureSummary.slice(0, 200)}`));

            if (document.querySelectorAll('h1').length !== 1) {
                found.push('not one h1');
            }

            if (document.querySelector('[style]')) {
                found.push('a style attribute');
            }

            return found;
        });

        assert.deepEqual(faults, [], this.hash());
    }

    // Tab goes everywhere: what it leads to, in order, each with a ring that
    // is seen.

    async tabThrough() {
        await this.page.focus('.skip');

        const names = [];

        for (let i = 0; i < 400; i++) {
            await this.page.keyboard.press('Tab');

            const name = await this.page.evaluate(() => {
                const at = document.activeElement;

                if (at === document.body) {
                    return null;
                }

                const seen = at.type === 'radio' ? at.nextElementSibling : at;
                const style = getComputedStyle(seen);
                const box = seen.getBoundingClientRect();

                return style.outlineStyle !== 'none'
                       && Number.parseFloat(style.outlineWidth) >= 2
                       && box.width > 0 && box.bottom > 0
                       && box.top < innerHeight
                    ? `${at.tagName} ${at.textContent || at.name}`
                    : `not seen: ${at.outerHTML.slice(0, 160)}`;
            });

            if (name === null) {
                break;
            }

            names.push(name);
        }

        assert.deepEqual(names.filter(name => name.startsWith('not seen')), [],
                         this.hash());

        return names;
    }

    async checkWidth() {
        const [inner, outer] = await this.page.evaluate(() =>
            [document.documentElement.scrollWidth, innerWidth]);

        assert.ok(inner <= outer, `${this.hash()}: ${inner} px in ${outer}`);
    }

    async screenshot(name) {
        fs.mkdirSync(SHOTS, { recursive: true });
        await this.page.screenshot({ path: path.join(SHOTS, `${name}.png`),
                                     fullPage: true });
    }

    // Ends the page; all of it must have been in order.

    async close() {
        const { origin } = new URL(this.url);
        const away = this.asked.filter(url =>
            !url.startsWith('data:') && new URL(url).origin !== origin);
        const all = this.asked.filter(url => /limit=(all|\d{5,})/.test(url)
                                             && !/format=csv/.test(url));

        await this.context.close();

        assert.deepEqual(this.faults, [], 'no error on the console');
        assert.deepEqual(away, [], 'nothing is asked of another host');
        assert.deepEqual(all, [], 'never all links');
    }
}
