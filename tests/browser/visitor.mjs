// Debian's Chromium as a visitor has it: its own cache, its own back button.
//
// Playwright comes from build/browser, where `make browser` puts it.

import { createRequire } from 'node:module';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { ROOT } from './site.mjs';

const require = createRequire(path.join(ROOT, 'build/browser/'));
const { chromium } = require('playwright-core');

const CHROMIUM = process.env.TEST_CHROMIUM ?? '/usr/bin/chromium';

// Without a window Chromium calls itself HeadlessChrome, which is a robot.

const AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 '
              + '(KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36';

export const HEADLESS_AGENT = AGENT.replace('Chrome/', 'HeadlessChrome/');


// Every host is the site's.  Names, not ports, are what a Referer tells: the
// browser sees 80 and 443.

export async function launch(site) {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(),
                                             'referral-profile-'));
    const remove = () => fs.rmSync(profile, { recursive: true, force: true });

    process.on('exit', remove);

    const hosts = [`MAP *:80 127.0.0.1:${site.httpPort}`,
                   `MAP *:443 127.0.0.1:${site.httpsPort}`,
                   'MAP * 127.0.0.1'];

    const browser = await chromium.launchPersistentContext(profile, {
        executablePath: CHROMIUM,
        viewport: null,
        args: [
            '--headless=new',
            '--no-sandbox',
            '--no-first-run',
            '--disable-background-networking',
            '--disable-component-update',
            '--disable-gpu',
            '--disable-quic',
            '--disable-sync',
            `--host-resolver-rules=${hosts.join(', ')}`,
            `--ignore-certificate-errors-spki-list=${site.keyHash}`,
            `--user-agent=${AGENT}`,
        ],
    });

    return {
        newPage: () => browser.newPage(),

        // the tab that opens while the function runs
        async newTab(during) {
            const [tab] = await Promise.all([browser.waitForEvent('page'),
                                             during()]);
            return tab;
        },

        // what the browser alone can do, as a button of its window would
        async command(page, name, parameters) {
            const session = await browser.newCDPSession(page);

            await session.send(name, parameters);
        },

        async close() {
            await browser.close();
            remove();
        },
    };
}
