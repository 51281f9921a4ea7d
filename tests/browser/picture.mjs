// The picture of the dashboard in the README, docs/dashboard.png: what the
// page itself shows of made-up links.  "make picture" writes it.

import path from 'node:path';

import { Dashboard, launchBrowser } from './dashboard-page.mjs';
import { FakeTree } from './fake-tree.mjs';
import { ROOT } from './site.mjs';

const LINKS = 24310;
const SIZE = { width: 1100, height: 860 };

const tree = await FakeTree.start({ links: LINKS });
const browser = await launchBrowser();
const dashboard = await Dashboard.open(browser, tree.url, '', {
    viewport: SIZE, colorScheme: 'light' });

await dashboard.page.screenshot({
    path: path.join(ROOT, 'docs/dashboard.png') });

await browser.close();
await tree.stop();
