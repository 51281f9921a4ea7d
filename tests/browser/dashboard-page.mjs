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
        page.on('request', request => this.asked.push(request.url()));
    }

    async ready() {
        await this.page.locator('main[aria-busy="false"]').waitFor();
    }

    async go(hash) {
        await this.page.evaluate(to => { location.hash = to; }, hash);
        await this.settled();
    }

    // The view that was left may still be there for a moment.

    async settled() {
        await this.page.waitForTimeout(60);
        await this.ready();
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

    // What a screen reader and a keyboard need of any view.

    async checkAccess() {
        const faults = await this.page.evaluate(() => {
            const found = [];
            const named = element => element.ariaLabel
                || element.textContent.trim() || element.labels?.length > 0
                || element.getAttribute('aria-labelledby');

            for (const element of document.querySelectorAll(
                'a[href], button, input, select, textarea, summary, nav, '
                + 'section[aria-label], dialog'))
            {
                if (!named(element)) {
                    found.push(`no name: ${element.outerHTML}`);
                }
            }

            for (const image of document.querySelectorAll('svg')) {
                if (!image.ariaLabel && image.ariaHidden !== 'true') {
                    found.push(`no text: ${image.outerHTML.slice(0, 80)}`);
                }
            }

            const ids = [...document.querySelectorAll('[id]')]
                .map(element => element.id);

            found.push(...ids.filter((id, i) => ids.indexOf(id) !== i)
                       .map(id => `id twice: ${id}`));

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
