// The dashboard of the status location: what a browser gets there.
//
// It is one page that reads the same JSON as any script, and nothing else.
// Links, names and Referers are other people's text: they enter the page by
// textContent alone, and as the address of an <a> only if they are http.
// Whatever the number of links, a view asks for one page of rows.
//
// Order: words and constants; what all views use (text, elements, addresses,
// requests, periods); pieces (tables, charts); views; forms; the router.

'use strict';

(() => {


// -- words and constants ------------------------------------------------------

const DAY = 86400000;
const HOUR = 3600000;
const MINUTE = 60000;

const ROWS = 50;                // of a table
const CARD_ROWS = 6;
const CHOICES = 200;            // names offered by a filter
const SPARKS_AT_ONCE = 3;       // requests for spark lines on their way
const SPARK_DAYS = 90;
const FEED_ROWS = 200;
const FEED_PAUSE = 250;         // ms between two looks at the feed
const FEED_QUIET = 5000;        // ms; a summary comes each second
const SUMMARY_AGE = 30000;      // ms a summary serves the banner of other views
const TYPING = 300;             // ms of rest before a search
const PATIENCE = 5000;          // ms until it is said that no answer comes
const REFRESH = 60000;
const REFRESH_FIRST = 10000;    // while the first click is waited for
const GROUP_LINKS = 1000;       // looked at for their groups
const SUM_CHANNELS = 1000;      // that are summed
const REPORT_PAGE = 1000;
const REPORT_LINKS = 5000;
const CSV_LINKS = 10000;        // the most a page of rows may have
const BULK_LINKS = 10000;

// A report may be mailed to the partner: no note, cost or label.

const REPORT_FIELDS = 'name,source,target,tag,clicks,errors_4xx,errors_5xx';

// Today is not over: the tree compares with as many hours before the first day.

const BEFORE = 'the same length of time before';

const PERIODS = [
    ['today', 'Today', 1, 'today',
     'the same hours of yesterday'],
    ['7', '7 days', 7, 'in the last 7 days', BEFORE],
    ['28', '28 days', 28, 'in the last 28 days', BEFORE],
    ['90', '90 days', 90, 'in the last 90 days', BEFORE],
    ['all', 'All time', 0, 'since counting began', ''],
];

const UNITS = {
    minute: [MINUTE, 'Minutes', 'minute'],
    hour: [HOUR, 'Hours', 'hour'],
    day: [DAY, 'Days', 'day'],
};

// name, title in a table, what it means

const COUNTERS = [
    ['clicks', 'Clicks', 'The link was followed, and a page was shown.'],
    ['errors_4xx', 'Not found (4xx)',
     'The landing page was missing or refused.'],
    ['errors_5xx', 'Server errors (5xx)',
     'The landing page failed on your server.'],
    ['redirects', 'Redirects',
     'Your server sent the visitor on; where they land is the click.'],
    ['reloads', 'Reloads', 'The page was loaded again.'],
    ['embeds', 'Embeds', 'An image, frame or script, not a page.'],
    ['prefetches', 'Prefetches',
     'A browser fetched ahead; perhaps nobody looked.'],
    ['bots', 'Robots', 'A program that says it is one.'],
    ['other', 'Other', 'Not a page view: a download resumed, a form sent, '
                       + 'a request given up.'],
    ['clicks_by_tag', 'Clicks by tag', 'Found by the tag in the address.'],
    ['clicks_by_page', 'Clicks by page',
     'Found by the page the visitor came from.'],
    ['other_landing', 'Landed elsewhere',
     'Clicks that arrived on another page than the link\u2019s target.'],
    ['bytes', 'Bytes', 'Sent in answers.'],
];

const COUNTER_TITLES = new Map(COUNTERS.map(([name, title]) => [name, title]));
const CLASSES = COUNTERS.slice(0, 9);

const OUTCOMES = [
    ['matched', 'One registered link', 'The visit came by one link of yours.'],
    ['ambiguous', 'One of several links',
     'Several registered links fit alike: their group is counted, and no link '
     + 'is guessed. Links of one site with different targets can be told '
     + 'apart.'],
    ['unregistered', 'Unregistered sources',
     'Another site sent the visitor, and no registered link explains it. '
     + 'Perhaps a link you do not know of yet.'],
    ['hidden', 'Source withheld',
     'Another site sent the visitor and kept its name to itself. A tag in the '
     + 'link tells all the same.'],
    ['direct', 'No source',
     'No site is named: an address typed or kept, a mail, an app, or plain '
     + 'http.'],
    ['internal', 'Your own pages', 'The visitor was on your site already.'],
    ['malformed', 'Unreadable source', 'The source named is no web address.'],
    ['skipped', 'Not counted', 'Your configuration says not to count it.'],
];

const EVIDENCE = [
    ['tag', 'its tag', 'The address carried the link\u2019s own tag.'],
    ['exact', 'the page', 'The browser named the very page of the link.'],
    ['regex', 'a pattern', 'The page named fits the link\u2019s pattern.'],
    ['prefix', 'the path', 'The page named lies below the link\u2019s path.'],
    ['landing', 'site and target',
     'The browser named the site only; the page landed on told which link.'],
    ['host', 'the site', 'The site is registered as a whole.'],
    ['domain', 'the domain', 'The site belongs to a registered domain.'],
];

const EVIDENCE_TITLES = new Map(EVIDENCE.map(([name, title]) => [name, title]));

// What a link's days say: name, word, what it means.

const STATES = [
    ['new', 'new', 'Registered lately; nobody has come by it yet. That is said '
     + 'for 14 days.'],
    ['active', 'active', 'Visitors come by it about as often as the last 90 '
     + 'days let expect.'],
    ['silent', 'silent', 'It brought visitors, and by the rate of its last 90 '
     + 'days at least 5 more should have come since. It may be there still: '
     + 'nobody looks at the other site. Look there.'],
    ['never', 'no click yet', 'Registered more than 14 days ago, and nobody '
     + 'has come by it. A link that others look like from here gets its '
     + 'clicks as one of several.'],
    ['revived', 'back', 'It was silent, and visitors come again. That is said '
     + 'for 14 days.'],
];

const STATE_TITLES = new Map(STATES.map(([name, title]) => [name, title]));

const MATCHES = {
    exact: 'this page', prefix: 'all pages below it', host: 'the whole site',
    domain: 'the site and those below it', regex: 'pages like it',
    tag: 'wherever it is used',
};

const GROUPINGS = {
    hosts: ['Hosts', 'Host', 'host'],
    channels: ['Channels', 'Channel', 'channel'],
    partners: ['Partners', 'Partner', 'partner'],
    labels: ['Labels', 'Label', 'label'],
};

const NAV = [
    ['', 'Overview'], ['links', 'Links'], ['hosts', 'Hosts'],
    ['channels', 'Channels'], ['partners', 'Partners'], ['labels', 'Labels'],
    ['sources', 'Sources'], ['broken', 'Broken'], ['live', 'Live'], ['health', 'Health'],
];

const CHANNELS = 'unassigned natural outreach guest-post resource broken-link '
    + 'influencer social press email search directory word-of-mouth partner '
    + 'paid ai artificial other';
const ORIGINS = 'earned built created paid other';

// name, title, kind, words or hint; forms fold all after the first few

const FIELDS = [
    ['source', 'Page or site with the link', 'text',
     'https://blog.example/post'],
    ['match_type', 'Matches', 'choice', 'exact prefix host domain regex tag'],
    ['target', 'Target on your site', 'text', '/pricing'],
    ['tag', 'Tag', 'text', 'as in ?ref=spring-mail'],
    ['name', 'Name', 'text', ''],
    ['channel', 'Channel', 'words', CHANNELS],
    ['partner', 'Partner', 'text', ''],
    ['origin', 'Origin', 'choice', ORIGINS],
    ['placement', 'Placement', 'choice',
     'content header footer sidebar comment bio other'],
    ['rel', 'Rel', 'choice', 'follow nofollow sponsored ugc'],
    ['authority', 'Authority', 'number', '0 to 100'],
    ['anchor', 'Anchor text', 'text', ''],
    ['labels', 'Labels', 'list', 'separated by commas'],
    ['cost', 'Cost', 'decimal', 'a number'],
    ['listed_first', 'Listed since', 'text', '2026-11-20'],
    ['listed_last', 'Last listed', 'text', '2026-11-20'],
    ['note', 'Note', 'long', ''],
];

const FIRST_FIELDS = 7;
const IDENTITY = new Set(['source', 'match_type', 'target']);
const FILTERS = ['q', 'channel', 'partner', 'label', 'host', 'origin', 'state',
                 'group'];

const HEALTH = [
    ['registry', 'Registry', 'The list of links. If it cannot be read, nothing '
                             + 'is matched.'],
    ['ledger', 'Ledger', 'The store on disk for totals and history.'],
    ['counters', 'Counters', 'The shared memory in which requests are counted '
                             + 'between two flushes.'],
    ['source', 'Source', 'The file the links are kept equal to. If it is not '
                         + 'valid they stay as they were.'],
    ['flush_age_ms', 'Last stored', 'How long ago the counters were stored in '
                                    + 'the ledger.'],
    ['flush_errors', 'Failed flushes', 'If this grows, the disk is full or '
                                       + 'broken. Counts wait in memory.'],
    ['overflow', 'Matches without room', 'Above 0, memory is full or '
                                         + 'max_links too small.'],
    ['lookup_errors', 'Failed look-ups', 'Requests for which the registry '
                                         + 'could not be read.'],
    ['regex_limits', 'Patterns given up', 'Requests for which a pattern tried '
                                          + 'too much. Make it simpler.'],
    ['capacity', 'Capacity', 'Links and groups the counters have room for.'],
    ['readers', 'Readers', 'Processes that read the registry now.'],
];

const FAULT_COUNTS = ['flush_errors', 'overflow', 'lookup_errors',
                      'regex_limits'];


// -- text ---------------------------------------------------------------------

// Numbers are as the reader writes them; names of months stand among English
// words.

const LOCALE = navigator.language;
const WORDS = /^en\b/i.test(LOCALE) ? LOCALE : 'en-GB';
const THIN = '\u202f';          // narrow, and no line ends there

const decimal = new Intl.NumberFormat(LOCALE);
const money = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 2,
                                              maximumFractionDigits: 20 });
const compact = new Intl.NumberFormat(LOCALE, { notation: 'compact',
                                                maximumFractionDigits: 1 });
const ago = new Intl.RelativeTimeFormat(WORDS, { style: 'short' });

const DATE = { day: 'numeric', month: 'short' };
const CLOCK = { hour: '2-digit', minute: '2-digit' };
const format = options => new Intl.DateTimeFormat(WORDS, options);
const utc = options => format({ ...options, timeZone: 'UTC' });

const utcDay = utc(DATE);
const utcDate = utc({ ...DATE, year: 'numeric' });
const utcMonth = utc({ month: 'long', year: 'numeric' });
const utcTime = utc({ ...DATE, ...CLOCK, year: 'numeric',
                      timeZoneName: 'short' });
const localDay = format(DATE);
const localClock = format(CLOCK);
const localSecond = format({ ...CLOCK, second: '2-digit' });
const localTime = format({ ...DATE, ...CLOCK, year: 'numeric' });


function number(n) {
    return decimal.format(n ?? 0);
}


function count(n, one, many = `${one}s`) {
    return `${number(n)} ${n === 1 ? one : many}`;
}


function percent(part, whole) {
    if (!whole || !part) {
        return `0${THIN}%`;
    }

    const value = 100 * part / whole;

    return value < 1 ? `<${THIN}1${THIN}%`
                     : `${decimal.format(Math.round(value))}${THIN}%`;
}


// The change since the period before: "+8 %", or what stands for it.

function change(now, before) {
    if (before === undefined || before === null) {
        return '';
    }

    if (before === 0) {
        return now === 0 ? '' : 'new';
    }

    const value = Math.round(100 * (now - before) / before);

    if (value === 0) {
        return `\u00b10${THIN}%`;
    }

    return (value > 0 ? '+' : '\u2212')
           + decimal.format(Math.abs(value)) + THIN + '%';
}


function shownTime(text) {
    return text ? localTime.format(new Date(text)) : 'never';
}


// In one word, for a column: "5 hr ago"; the time itself is its title.

function shownSince(text) {
    const minutes = (Date.now() - Date.parse(text)) / 60000;

    return !text ? 'never'
           : minutes < 0.5 ? 'just now'
           : minutes < 60 ? ago.format(-Math.round(minutes), 'minute')
           : minutes < 1440 ? ago.format(-Math.round(minutes / 60), 'hour')
           : minutes < 86400 ? ago.format(-Math.round(minutes / 1440), 'day')
           : utcDate.format(new Date(text));
}


function shownAge(ms) {
    if (ms === null || ms === undefined) {
        return 'not yet';
    }

    const seconds = Math.round(ms / 1000);

    return seconds < 120 ? count(seconds, 'second') + ' ago'
                         : count(Math.round(seconds / 60), 'minute') + ' ago';
}


function shownBytes(n) {
    const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];
    let i = 0;

    while (n >= 1000 && i < units.length - 1) {
        n /= 1000;
        i++;
    }

    return `${decimal.format(Number(n.toPrecision(3)))} ${units[i]}`;
}


function shownCounter(name, value) {
    return name === 'bytes' ? shownBytes(value ?? 0) : number(value);
}


// "https://www.blog.example/2024/" is long; what is alike says nothing.

function shortUrl(text) {
    return readable(text ?? '').replace(/^https?:\/\/(www\.)?/i, '')
                               .replace(/\/$/, '');
}


// Letters of all scripts as such: "/%D1%86" is what a browser sends for "/\u0446".
// ASCII, what is no UTF-8, and what is not to be seen stay escaped: spaces,
// marks that hide something or turn it round, or change a letter before them,
// and what looks like a part of an address: "/%E2%88%95" is not "//".

const UNREADABLE = new RegExp('^\\p{M}+|[\\p{C}\\p{Z}\\p{DI}\\u2800\\u2044'
    + '\\u2215\\u29f8\\uff03\\uff05\\uff0f\\uff1f\\u{1d159}]\\p{M}*', 'gu');

function readable(text) {
    return text.replace(/(?:%[89a-f][0-9a-f])+/gi, escapes => {
        const letters = decoded(escapes);

        return letters === escapes ? escapes
            : letters.replace(UNREADABLE, encodeURIComponent);
    });
}


// As it was sent, where it is shown otherwise.

function sentAs(text) {
    return text && readable(text) !== text ? text : undefined;
}


function linkTitle(link) {
    return link.name || shortUrl(link.source)
           || (link.tag ? `tag ${link.tag}` : link.key);
}


function linkPath(link) {
    const from = link.source ? shortUrl(link.source) : `tag ${link.tag}`;

    // LRM: the arrow stays between the two, whatever their scripts
    return link.target
        ? `${from}\u200e \u2192 \u200e${readable(link.target)}` : from;
}


// Below a title that is the address already, not the same again.

function linkBelow(link) {
    return link.name ? linkPath(link)
           : link.target ? `to ${readable(link.target)}`
           : link.tag && link.source ? `tag ${link.tag}`
           : MATCHES[link.match_type] ?? link.match_type;
}


function isEmptyValue(value) {
    return value === null || value === undefined || value === ''
           || (Array.isArray(value) && value.length === 0);
}


// -- elements -----------------------------------------------------------------

const $ = id => document.getElementById(id);


// h('a', { href: '#/' }, 'text', child, [children]): attributes as in markup;
// true is an empty one, false and undefined none; functions listen.

function h(tag, attributes, ...children) {
    return fill(document.createElement(tag), attributes, children);
}


function s(tag, attributes, ...children) {
    return fill(document.createElementNS('http://www.w3.org/2000/svg', tag),
                attributes, children);
}


function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (typeof value === 'function') {
            element.addEventListener(name, value);
        } else if (value !== undefined && value !== null && value !== false) {
            element.setAttribute(name, value === true ? '' : value);
        }
    }

    element.append(...children.flat(Infinity)
                   .filter(child => child !== null && child !== undefined
                                    && child !== false && child !== '')
                   .map(child => typeof child === 'string' ? shown(child)
                                                           : child));

    return element;
}


// Marks that turn the order of letters around, or hide them, are shown as such:
// "abc" and what looks like ".png" may be a program.

const MARKS = /[\0-\b\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;


function shown(text) {
    return text.replace(MARKS, '\ufffd');
}


function say(text) {
    $('said').textContent = text;
}


// A link to somebody's page; only what is http can be one.

function outward(text) {
    if (!/^https?:\/\//i.test(text ?? '')) {
        return h('span', { title: sentAs(text) }, readable(text ?? ''));
    }

    return h('a', { href: text, rel: 'noreferrer noopener', target: '_blank',
                    title: sentAs(text) }, readable(text));
}


// good: what pleases, more or less; nothing: nobody knows.

function changeMark(now, before, good = 'more') {
    const text = change(now, before);

    if (!text) {
        return null;
    }

    const tone = now === before || !good ? 'same'
                 : (now > before) === (good === 'more') ? 'up' : 'down';

    return h('span', { class: `change ${tone}`,
                       title: `${number(before)} in the period before` }, text);
}


// A bar as wide as its share of the largest; numbers stand beside it.

function bar(value, largest, tone = '') {
    const width = largest > 0 ? Math.max(value > 0 ? 1 : 0,
                                         100 * value / largest) : 0;

    return s('svg', { class: `bar ${tone}`, viewBox: '0 0 100 4',
                      preserveAspectRatio: 'none', 'aria-hidden': 'true' },
             s('rect', { class: 'rest', width: 100, height: 4 }),
             s('rect', { class: 'part', width: width.toFixed(2), height: 4 }));
}


// -- where we are -------------------------------------------------------------

// The page's own path is the tree's root, with or without a slash at the end.

const ROOT = location.pathname.replace(/\/+$/, '');

const place = { registry: '', view: '', rest: [], args: new Map() };
const known = { registries: null, summary: null, summaryAt: 0, choices: {},
                faults: '', done: '' };


function treeRoot(registry = place.registry) {
    return registry === '' ? ROOT : `${ROOT}/${encodeURIComponent(registry)}`;
}


// A "+" stays one in the tree's arguments: no URLSearchParams.

function query(args) {
    const pairs = [...(args instanceof Map ? args : Object.entries(args))]
        .filter(([, value]) => value !== undefined && value !== null)
        .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);

    return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}


// #/~REGISTRY/view/rest?arguments; the registry where there are several.

function readPlace() {
    const [path, tail = ''] = location.hash.replace(/^#\/?/, '').split('?');
    const parts = path.split('/').filter(part => part !== '').map(decoded);

    place.registry = parts[0]?.startsWith('~') ? parts.shift().slice(1) : '';
    place.view = parts.shift() ?? '';
    place.rest = parts;
    place.args = new Map(tail.split('&').filter(pair => pair !== '')
        .map(pair => {
            const at = pair.indexOf('=');

            return at < 0 ? [decoded(pair), '']
                          : [decoded(pair.slice(0, at)),
                             decoded(pair.slice(at + 1))];
        }));
}


function decoded(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}


// In the order of the page, as far as a page may reach; where there may be more
// rows, all of them, in the order of keys.

function csvOf(path, { sort, order, ...args }) {
    const isMore = known.summary?.links.registered > CSV_LINKS;

    return treeRoot() + path + query({
        ...args, ...(isMore ? {} : { sort, order, limit: CSV_LINKS }),
        format: 'csv' });
}


// The period goes along to every view that has one.

function to(view, args = {}, registry = place.registry) {
    const parts = (Array.isArray(view) ? view : [view])
        .filter(part => part !== '').map(encodeURIComponent);
    const period = place.args.get('p');

    if (registry !== '') {
        parts.unshift(`~${encodeURIComponent(registry)}`);
    }

    return `#/${parts.join('/')}`
           + query(period === undefined ? args : { p: period, ...args });
}


function toLink(key) {
    return to(['link', key]);
}


// This view with other arguments; undefined removes one.

function here(changes) {
    const args = { ...Object.fromEntries(place.args), ...changes };

    return to([place.view, ...place.rest], args);
}


function go(address, replace = false) {
    if (replace) {
        history.replaceState(null, '', address);
        arrive(true);
    } else {
        location.hash = address;
    }
}


// -- requests -----------------------------------------------------------------

class Refusal extends Error {
    constructor(status, code, text) {
        super(text);
        this.status = status;
        this.code = code;
    }
}


// The page's own path has its slash, or none, as its location wants it.

async function get(path, args = {}, signal = undefined, root = treeRoot()) {
    const address = root === ROOT && path === '' ? location.pathname
                                                 : root + path;

    return ask(address + query(args), { signal });
}


async function send(method, path, body = undefined) {
    const options = { method, headers: {} };

    if (body !== undefined) {
        options.headers['Content-Type'] = 'application/json';
        options.body = JSON.stringify(body);
    }

    known.summaryAt = 0;
    known.choices = {};

    return ask(`${treeRoot()}${path}`, options);
}


async function ask(address, options) {
    let response;

    try {
        response = await fetch(address, {
            ...options, cache: 'no-store', credentials: 'same-origin',
            headers: { Accept: 'application/json', ...options.headers },
        });
    } catch (error) {
        if (error.name === 'AbortError') {
            throw error;
        }

        throw new Refusal(0, 'Unreachable', 'the server does not answer');
    }

    const answer = response.status === 204 ? null
                   : await response.json().catch(() => undefined);

    if (!response.ok || answer === undefined) {
        throw new Refusal(response.status, answer?.error?.code ?? '',
                          answer?.error?.text ?? reasonOf(response));
    }

    return answer;
}


// Of an answer that is not the tree's: nginx's own, or a proxy's.

function reasonOf({ ok, status }) {
    return ok ? 'the server answered with something else: load this page anew, '
                + 'perhaps one has to log in'
           : status === 413 ? 'this is more than nginx takes at once, which '
                              + 'client_max_body_size says'
           : `the server answered ${status} without a reason`;
}


async function summary(args, signal) {
    const answer = await get('', args, signal);

    known.summary = answer;
    known.summaryAt = Date.now();

    return answer;
}


async function recentSummary(signal) {
    if (known.summary !== null && known.summaryOf === place.registry
        && Date.now() - known.summaryAt < SUMMARY_AGE)
    {
        return known.summary;
    }

    const answer = await summary(period().args, signal);

    known.summaryOf = place.registry;

    return answer;
}


// A morning is compared with the morning before, not with the night: today's
// period before is asked for apart.

async function comparedSummary(now, signal) {
    const answer = await summary(now.args, signal);

    if (now.id === 'today') {
        const end = new Date(Date.parse(answer.period.to) - DAY);

        answer.previous = await get('', {
            from: isoDay(now.from - DAY),
            to: end.toISOString().replace(/\.\d+/, ''),
        }, signal);
    }

    return answer;
}


function canWrite() {
    return known.summary?.write === true;
}


// -- periods ------------------------------------------------------------------

// All in UTC days.  args are what the tree is asked; from and to what a chart
// shows; the days of the period before end where it begins.

function period(value = place.args.get('p') ?? '28') {
    const custom = /^(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)$/.exec(value);
    const now = Date.now();

    if (custom && Date.parse(custom[1]) <= Date.parse(custom[2])) {
        return customPeriod(value, custom[1], custom[2]);
    }

    const [id, title, days, words, before] =
        PERIODS.find(([name]) => name === value) ?? PERIODS[2];

    if (days === 0) {
        return { id, title, words, before, args: {}, days, unit: 'day' };
    }

    const from = Math.floor(now / DAY) * DAY - (days - 1) * DAY;

    return { id, title, words, before, days, from, to: from + days * DAY,
             unit: days === 1 ? 'hour' : 'day',
             args: { from: isoDay(from),
                     compare: days === 1 ? undefined : 'previous' } };
}


function customPeriod(id, first, last) {
    const from = Date.parse(first);
    const end = Date.parse(last) + DAY;
    const span = spanOf(from, end);

    return { id, words: spanWords(from, end), ...span, custom: [first, last],
             unit: span.days <= 2 ? 'hour' : 'day' };
}


function spanWords(from, end) {
    const [first, last] = [from, end - DAY].map(day => utcDate.format(day));

    return first === last ? `on ${first}` : `from ${first} to ${last}`;
}


// What is not over is compared with what is as long, up to now; what has not
// begun with nothing.

function spanOf(from, end) {
    const tomorrow = Math.floor(Date.now() / DAY) * DAY + DAY;
    const isNow = from < tomorrow && tomorrow <= end;
    const to = isNow ? tomorrow : end;
    const days = Math.round((to - from) / DAY);

    return { from, to, days,
             before: isNow ? BEFORE : days === 1 ? 'the day before'
                     : `the ${days} days before`,
             args: { from: isoDay(from), to: isNow ? undefined : isoDay(end),
                     compare: from < tomorrow ? 'previous' : undefined } };
}


function isoDay(time) {
    return new Date(time).toISOString().slice(0, 10);
}


function periodPicker() {
    const now = period();
    const choose = value => go(here({ p: value, after: undefined,
                                      page: undefined }));

    return h('div', { class: 'periods' },
             segments('period', 'Period', PERIODS, now.id, choose),
             customPicker(now, choose));
}


function customPicker(now, choose) {
    const [first, last] = now.custom
        ?? [isoDay(now.from ?? Date.now() - 27 * DAY), isoDay(Date.now())];
    const from = h('input', { type: 'date', id: 'from', value: first,
                              required: true });
    const until = h('input', { type: 'date', id: 'until', value: last,
                               required: true });
    const trouble = fault();

    function submit(event) {
        event.preventDefault();

        if (from.value <= until.value) {
            choose(`${from.value}..${until.value}`);
        } else {
            trouble.textContent = 'The first day must not come after the last.';
        }
    }

    return h('details', { class: 'custom', open: now.custom !== undefined },
             h('summary', {}, 'Other days'),
             h('form', { submit },
               h('label', { for: 'from' }, 'From'), from,
               h('label', { for: 'until' }, 'to'), until,
               h('button', {}, 'Show'), trouble));
}


// -- pieces -------------------------------------------------------------------

function heading(text, ...beside) {
    return h('div', { class: 'heading' },
             h('h1', { tabindex: -1 }, text),
             h('div', { class: 'beside' }, beside));
}


function fault(id = undefined) {
    return h('p', { class: 'fault', id, role: 'alert' });
}


function refusalBox(error, again = undefined) {
    return h('div', { class: 'refusal', role: 'alert' },
             h('p', {}, h('strong', {}, 'This could not be read. '),
               error.message),
             again && h('button', { type: 'button', click: again },
                        'Try again'));
}


function showFaults(answer) {
    const faults = faultsOf(answer?.health);
    const text = faults.join('\n');

    // what stands there already is not read out again
    if (text === known.faults) {
        return;
    }

    known.faults = text;
    $('faults').replaceChildren(...faults.map(text => h('p', {}, text)));

    if (faults.length > 0) {
        $('faults').append(h('p', {}, h('a', { href: to('health') },
                                        'What this means')));
    }
}


function faultsOf(health) {
    const faults = [...(health?.diagnosis ?? [])];

    for (const [name, title, text] of HEALTH) {
        const value = health?.[name];

        if (typeof value === 'string' && value !== 'ok') {
            faults.push(`${title}: ${value}`);
        } else if (FAULT_COUNTS.includes(name) && value > 0) {
            faults.push(`${title}: ${number(value)}. ${text}`);
        }
    }

    return faults;
}


// columns: { title, cell(row), sort, number, main, class }; a table that a
// phone shows as cards keeps its roles, which display: grid would take away.

function table(caption, columns, rows, sorted = undefined) {
    const head = columns.map(column => columnHead(column, sorted));

    return h('div', { class: 'scroll' },
             h('table', { role: 'table' },
               h('caption', { class: 'unseen' }, caption),
               h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, head)),
               h('tbody', { role: 'rowgroup' },
                 rows.map(row => tableRow(columns, row)))));
}


function tableRow(columns, row) {
    return h('tr', { role: 'row' }, columns.map(column =>
        h(column.main ? 'th' : 'td', {
            role: column.main ? 'rowheader' : 'cell',
            scope: column.main && 'row',
            class: columnClass(column), 'data-title': column.title,
        }, column.cell(row))));
}


function columnClass(column) {
    return [column.number && 'number', column.main && 'main', column.class]
        .filter(Boolean).join(' ') || undefined;
}


function columnHead(column, sorted) {
    const isSorted = sorted !== undefined && column.sort === sorted.sort;
    const descends = isSorted && sorted.order !== 'asc';
    const order = isSorted ? (descends ? 'asc' : 'desc')
                           : column.sort === 'name' ? 'asc' : 'desc';

    return h('th', {
        role: 'columnheader', scope: 'col', class: columnClass(column),
        'aria-sort': isSorted ? (descends ? 'descending' : 'ascending')
                              : undefined,
    }, sorted === undefined || column.sort === undefined
       ? column.title
       : h('a', { class: 'sort', 'data-sort': column.sort,
                  href: here({ sort: column.sort, order, after: undefined,
                               page: undefined }) }, column.title));
}


function counterColumn(name) {
    const title = COUNTER_TITLES.get(name).replace(/ \(.*/, '');

    return { title, sort: name, number: true, cell: row => row.counters[name]
             ? shownCounter(name, row.counters[name])
             : h('span', { class: 'soft' }, '0') };
}


const changeColumn = {
    title: 'Change', number: true,
    cell: row => row.previous === undefined ? ''
                 : changeMark(row.counters.clicks, row.previous.clicks)
                   ?? '\u2013',
};


// Cursors lead forward only: those that led here are kept.

const trail = new Map();


function pager(next, shown, what) {
    const page = Number(place.args.get('page') ?? 1);
    const list = here({ after: undefined, page: undefined });
    const back = trail.get(`${list} ${page - 1}`);

    trail.set(`${list} ${page}`, place.args.get('after') ?? '');

    const first = (page - 1) * ROWS;
    const forth = next && here({ after: next, page: page + 1 });

    return h('nav', { class: 'pager', 'aria-label': 'Pages' },
             page > 1 && h('a', { class: 'button', href: list }, 'First page'),
             page > 2 && back !== undefined
             && h('a', { class: 'button', rel: 'prev',
                         href: here({ after: back, page: page - 1 }) },
                  'Previous'),
             h('span', { class: 'soft' }, shown === 0 ? `No more ${what}`
               : `${number(first + 1)} to ${number(first + shown)}`),
             forth && h('a', { class: 'button', rel: 'next', href: forth },
                        'Next'));
}


function command(text) {
    return h('pre', { tabindex: 0 }, h('code', {}, text));
}


function pairs(list, tone = '') {
    return h('dl', { class: `pairs ${tone}` }, list.map(([title, value]) =>
        h('div', {}, h('dt', {}, title), h('dd', {}, value))));
}


function card(title, note, content, more = undefined) {
    return h('section', { class: 'card' }, h('h2', {}, title),
             note && h('p', { class: 'soft' }, note), content,
             more && h('p', { class: 'more' },
                       h('a', { href: more[0] }, more[1])));
}


// Rows of "name, number, bar": parts of a whole, or the first of a list.
// row: { title, value, href, below, beside, tone }

function barCard(title, note, rows, more = undefined) {
    const largest = Math.max(...rows.map(row => row.value), 0);

    return card(title, note, rows.length > 0
                             && h('ul', { class: 'bars' }, rows.map(row =>
        h('li', { class: 'bar-row' },
          h('span', { class: 'name' },
            h(row.href ? 'a' : 'span', { href: row.href, dir: 'auto' },
              row.title),
            row.below && h('small', {}, row.below)),
          h('span', { class: 'amount' }, h('b', {}, number(row.value)),
            row.beside),
          bar(row.value, largest, row.tone)))), more);
}


// Choices of which one holds; each says its own when it is chosen.

function segments(name, legend, choices, chosen, choose) {
    return h('fieldset', { class: 'segments' },
             h('legend', { class: 'unseen' }, legend),
             choices.map(([value, title]) => h('label', {},
                 h('input', { type: 'radio', name, value,
                              checked: value === chosen,
                              change: () => choose(value) }),
                 h('span', {}, title))));
}


function labelled(title, input, ...below) {
    return h('div', { class: 'field' }, h('label', { for: input.id }, title),
             input, below);
}


// What a link, or a list of links, is called where there is room for two lines.

function linkCell(link) {
    return [h('a', { href: toLink(link.key),
                     dir: link.name ? 'auto' : 'ltr' }, linkTitle(link)),
            h('small', {}, linkBelow(link))];
}


function stateBadge(link) {
    const title = STATE_TITLES.get(link.state);

    return title && h('span', {
        class: `badge ${link.state}`, title: link.state_since
            ? `since ${utcDate.format(new Date(link.state_since))}` : undefined,
    }, title);
}


// -- charts -------------------------------------------------------------------

// Buckets that have no counts are left out of an answer: zeros here.

function series(buckets, unit, from, end, value) {
    const step = UNITS[unit][0];
    const found = new Map(buckets.map(bucket => [Date.parse(bucket.start),
                                                 value(bucket)]));
    const points = [];

    for (let start = from; start < end; start += step) {
        points.push({ start, n: found.get(start) ?? 0 });
    }

    return points;
}


function bucketTitle(start, unit) {
    return unit === 'day' ? utcDate.format(start)
           : unit === 'hour' ? localTime.format(start)
           : localClock.format(start);
}


// A round number above the largest, and its half a whole one: three lines.

function niceTop(largest) {
    const power = 10 ** Math.floor(Math.log10(Math.max(largest, 1)));

    return [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10, 20]
        .map(n => Math.round(n * power))
        .find(n => n >= largest && n % 2 === 0);
}


function chart(points, before, { unit, words }, what) {
    const box = h('div', { class: 'canvas' });
    const readout = h('output', { class: 'readout', 'aria-live': 'polite' });
    const state = { points, before, unit, at: -1 };

    const look = at => {
        state.at = Math.max(0, Math.min(points.length - 1, at));
        readout.textContent = readoutText(state);
        drawChart(box, state, what);
    };

    new ResizeObserver(() => drawChart(box, state, what)).observe(box);

    box.addEventListener('pointermove', event => look(pointAt(event, state)));
    box.addEventListener('pointerleave', () => {
        state.at = -1;
        readout.textContent = '';
        drawChart(box, state, what);
    });
    box.addEventListener('keydown', event => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];

        if (step !== undefined) {
            event.preventDefault();
            look(state.at < 0 ? points.length - 1 : state.at + step);
        }
    });

    box.tabIndex = 0;
    box.setAttribute('role', 'group');
    box.setAttribute('aria-label',
                     `${what}. Left and right arrow keys read the values.`);

    return h('figure', { class: 'chart' },
             h('div', { class: 'legend' },
               h('span', { class: 'key now' }, what),
               before && h('span', { class: 'key before' }, 'period before'),
               readout),
             box, h('figcaption', {}, `${UNITS[unit][1]} ${words}. `,
                    chartCaption(state)), chartTable(state));
}


function readoutText({ points, before, unit, at }) {
    const point = points[at];
    const old = before?.[at];

    return point === undefined ? ''
           : `${bucketTitle(point.start, unit)}: ${count(point.n, 'click')}`
             + (old === undefined ? '' : `, before: ${number(old.n)}`);
}


function chartCaption({ points, unit }) {
    const best = points.reduce((a, b) => b.n > a.n ? b : a,
                               points[0] ?? { n: 0 });

    if (best.n === 0) {
        return `No clicks in any ${UNITS[unit][2]}.`;
    }

    return `Most: ${count(best.n, 'click')}, ${bucketTitle(best.start, unit)}.`
           + (unit === 'day' ? ' Days are UTC.' : '');
}


function chartTable({ points, before, unit }) {
    const details = h('details', {}, h('summary', {}, 'As a table'));

    details.addEventListener('toggle', () => {
        const columns = [
            { title: UNITS[unit][2], main: true,
              cell: row => bucketTitle(row.start, unit) },
            { title: 'Clicks', number: true, cell: row => number(row.n) },
        ];

        if (before) {
            columns.push({ title: 'Period before', number: true,
                           cell: row => number(row.old) });
        }

        details.append(table('Values of the chart', columns, points.map(
            (point, i) => ({ ...point, old: before?.[i]?.n }))));
    }, { once: true });

    return details;
}


const PAD = { left: 44, right: 12, top: 12, bottom: 24, height: 240 };


function pointAt(event, { points, before }) {
    const box = event.currentTarget.getBoundingClientRect();
    const steps = Math.max(points.length, before?.length ?? 0, 2) - 1;
    const share = (event.clientX - box.left - PAD.left)
                  / (box.width - PAD.left - PAD.right);

    return Math.round(share * steps);
}


function drawChart(box, { points, before, unit, at }, what) {
    const width = box.clientWidth;
    const high = PAD.height - PAD.top - PAD.bottom;

    if (width === 0) {
        return;
    }

    const steps = Math.max(points.length, before?.length ?? 0, 2) - 1;
    const top = niceTop(Math.max(...[points, before ?? []].flat()
                                 .map(point => point.n), 0));
    const x = i => PAD.left + i * (width - PAD.left - PAD.right) / steps;
    const y = n => PAD.top + high - n * high / top;
    const line = list => list.map((point, i) =>
        `${i ? 'L' : 'M'}${x(i).toFixed(1)} ${y(point.n).toFixed(1)}`).join('');
    const last = points.length - 1;
    const ground = `L${x(last).toFixed(1)} ${y(0)}L${x(0)} ${y(0)}Z`;

    box.replaceChildren(s('svg', { width, height: PAD.height, role: 'img',
                                   'aria-label': what },
        chartGrid(top, width, y),
        chartTimes(points.length >= (before?.length ?? 0) ? points
                   : before.map((_, i) => ({ start: points[0].start
                                                    + i * UNITS[unit][0] })),
                   unit, width, x),
        before && s('path', { class: 'before', d: line(before) }),
        last >= 0 && s('path', { class: 'area', d: line(points) + ground }),
        s('path', { class: 'now', d: line(points) }),
        last === 0 && s('circle', { class: 'dot', r: 3, cx: x(0),
                                    cy: y(points[0].n) }),
        at >= 0 && s('line', { class: 'cursor', x1: x(at), x2: x(at),
                               y1: PAD.top, y2: y(0) }),
        at >= 0 && s('circle', { class: 'dot', r: 4, cx: x(at),
                                 cy: y(points[at].n) })));
}


function chartGrid(top, width, y) {
    return [0, top / 2, top].map(n => s('g', { class: 'grid' },
        s('line', { x1: PAD.left, x2: width - PAD.right, y1: y(n), y2: y(n) }),
        s('text', { x: PAD.left - 8, y: y(n) + 4, 'text-anchor': 'end' },
          compact.format(n))));
}


// Hours of more than a day: a mark at each midnight, here.  Days of more than a
// year have it.

function chartTimes(points, unit, width, x) {
    const days = unit === 'hour' && points.length > 24;
    const label = days ? localDay : unit !== 'day' ? localClock
                  : points.length > 366 ? utcDate : utcDay;
    const marks = points.map((point, i) => ({ ...point, i })).filter(point =>
        !days || new Date(point.start).getHours() === 0);
    const room = Math.max(2, width / 85);
    const every = Math.max(1, Math.ceil(marks.length / room));

    return marks.filter((_, n) => n % every === 0).map(({ start, i }) =>
        s('text', { class: 'time', x: x(i), y: PAD.height - 6,
                    'text-anchor': i === 0 ? 'start'
                                   : x(i) > width - 40 ? 'end' : 'middle' },
          label.format(start)));
}


function spark(points) {
    const largest = Math.max(...points.map(point => point.n), 1);
    const step = 100 / Math.max(points.length - 1, 1);
    const d = points.map((point, i) => (i ? 'L' : 'M') + (i * step).toFixed(1)
                         + ` ${(22 - 20 * point.n / largest).toFixed(1)}`);
    const sum = points.reduce((n, point) => n + point.n, 0);

    return s('svg', { class: 'spark', viewBox: '0 0 100 24', role: 'img',
                      preserveAspectRatio: 'none',
                      'aria-label': `${count(sum, 'click')}, `
                                    + `at most ${number(largest)} a day` },
             s('path', { d: `${d.join('')}L100 24L0 24Z`, class: 'area' }),
             s('path', { d: d.join(''), class: 'now' }));
}


// A spark line is asked for when its row is seen, a few at a time.

function sparkLoader(signal) {
    const waiting = [];
    let running = 0;

    const observer = new IntersectionObserver(entries => {
        for (const entry of entries.filter(one => one.isIntersecting)) {
            observer.unobserve(entry.target);
            waiting.push(entry.target);
        }

        next();
    }, { rootMargin: '100px' });

    signal.addEventListener('abort', () => observer.disconnect());

    async function next() {
        while (running < SPARKS_AT_ONCE && waiting.length > 0) {
            running++;
            loadSpark(waiting.shift(), signal).finally(() => {
                running--;
                next();
            });
        }
    }

    return link => {
        const cell = h('span', { class: 'spark-place', 'data-key': link.key });

        observer.observe(cell);

        return cell;
    };
}


async function loadSpark(cell, signal) {
    const now = period();
    const end = Math.min(now.to ?? Infinity,
                         Math.ceil((Date.now() + 1) / DAY) * DAY);
    const days = Math.min(Math.max(now.days || SPARK_DAYS, 7), SPARK_DAYS);
    const from = end - days * DAY;

    try {
        const answer = await get(`/links/${cell.dataset.key}/history`,
                                 { unit: 'day', from: isoDay(from),
                                   to: isoDay(end) }, signal);

        cell.append(spark(series(answer.buckets, 'day', from, end,
                                 bucket => bucket.counters.clicks)));
    } catch {
        cell.textContent = '\u2013';
    }
}


// The trend of a period, and of as many buckets before it.  Days tell of what
// was before the hours and minutes that are kept: where there are none of these,
// nothing is drawn, rather than zeros.

async function trend(path, now, value, what, signal) {
    const { unit } = now;
    const end = Math.min(now.to ?? Infinity, Date.now());
    const sum = list => list.reduce((n, bucket) => n + value(bucket), 0);

    if (now.from > end) {
        return h('p', { class: 'none' }, 'This period has not begun.');
    }

    const span = { from: isoDay(now.from ?? 0), to: now.to < Date.now()
                   ? isoDay(now.to) : undefined };
    const days = now.custom && unit !== 'day'
        ? sum((await get(path, { unit: 'day', ...span }, signal)).buckets) : 0;
    const answer = await get(path, { unit, ...span }, signal);
    const kept = sum(answer.buckets);

    if (kept === 0 && days > 0) {
        return h('p', { class: 'none' }, `${count(days, 'click')} ${now.words}`
                 + `, but ${unit}s of then are kept no more.`);
    }

    const from = now.from ?? Date.parse(answer.buckets[0]?.start
                                        ?? isoDay(end - 27 * DAY));
    const points = series(answer.buckets, unit, from, end, value);

    if (now.from === undefined) {
        return chart(points, null, now, what);
    }

    const start = from - now.days * DAY;
    const old = await get(path, { unit, from: isoDay(start),
                                  to: isoDay(from) }, signal);
    const isKept = unit === 'day' || old.buckets.length > 0;

    return [kept < days && h('p', { class: 'note' }, `${number(kept)} of `
                + `${count(days, 'click')} are shown: ${unit}s before are kept `
                + 'no more.'),
            chart(points, isKept
                  ? series(old.buckets, unit, start, from, value) : null, now,
                  what)];
}


// -- overview -----------------------------------------------------------------

function linkClicks(answer) {
    return (answer?.clicks?.matched ?? 0) + (answer?.clicks?.ambiguous ?? 0);
}


function errorsOf(counters) {
    return counters.errors_4xx + counters.errors_5xx;
}


async function overview(signal) {
    const now = period();
    const answer = await comparedSummary(now, signal);

    known.summaryOf = place.registry;
    showFaults(answer);

    if (linkClicks(answer) === 0 && !(now.to < Date.now())) {
        refreshAfter = REFRESH_FIRST;
    }

    if (answer.links.registered === 0) {
        return emptyState();
    }

    const [line, lists] = await Promise.all([
        trend('/history', now, linkClicks, 'Clicks by registered links',
              signal),
        overviewLists(answer, now, signal),
    ]);

    return [
        h('div', { class: 'bar-top' }, periodPicker(),
          h('button', { type: 'button', class: 'quiet', click: () => arrive() },
            'Refresh')),
        sentence(answer, now, lists.channels), line, arrivals(answer),
        overviewCards(answer, lists),
    ];
}


// "12,431 clicks from 412 of 24,310 links, +8 %".  From how many links is known
// if no click came by one of several, or by a link that was removed since.

function sentence(answer, now, { removed }) {
    const clicks = linkClicks(answer);
    const { registered, active } = answer.links;
    const links = registered === 1 ? 'your one link'
                  : `${number(registered)} links`;
    const before = answer.previous && linkClicks(answer.previous);
    const mark = changeMark(clicks, before);
    const isTold = active > 0 && answer.clicks.ambiguous === 0
                   && removed?.counters.clicks === 0;
    const since = mark && [', ', mark];
    const from = !isTold ? [' by links', since, '; ',
                            count(registered, 'is', 'are'), ' registered']
                 : registered === 1 ? [' from ', links, since]
                 : [' from ', h('b', {}, number(clickedLinks(answer))),
                    ` of ${links}`, since];

    const first = clicks === 0
        ? [now.to < Date.now() ? 'No clicks from ' : 'No clicks yet from ',
           h('b', {}, links)]
        : [h('b', {}, count(clicks, 'click')), from];

    return h('div', { class: 'sentence' },
             h('h1', { tabindex: -1 }, first),
             h('p', { class: 'soft' }, capital(now.words)
               + (answer.previous === undefined ? '.'
                  : before === 0 ? `; none in ${now.before}.`
                  : `, compared with ${number(before)} in ${now.before}.`)));
}


// Active are also those that robots alone came by; if one of these is among
// those with most clicks, no other has any.

function clickedLinks({ links, top }) {
    const clicked = top.filter(link => link.counters.clicks > 0).length;

    return clicked < top.length ? clicked : links.active;
}


function capital(text) {
    return text.charAt(0).toUpperCase() + text.slice(1);
}


// How all clicks came, known or not: one bar, five numbers.

function arrivals(answer) {
    const parts = OUTCOMES.slice(0, 5)
        .map(([name, title]) => [name, title, answer.clicks?.[name] ?? 0]);
    const sum = parts.reduce((n, [, , value]) => n + value, 0);
    let x = 0;

    const rects = parts.map(([name, , value]) => {
        const width = sum ? 100 * value / sum : 0;
        const rect = s('rect', { class: name, x: x.toFixed(2), height: 8,
                                 width: width.toFixed(2) });

        x += width;

        return rect;
    });

    return h('section', { class: 'arrivals' },
             h('h2', {}, 'How visitors came'),
             h('p', { class: 'soft' }, `${count(sum, 'click')} in all, by `
               + 'links and otherwise.'),
             s('svg', { class: 'shares', viewBox: '0 0 100 8',
                        preserveAspectRatio: 'none', 'aria-hidden': 'true' },
               rects),
             h('ul', {}, parts.map(([name, title, value]) =>
                 arrival(name, title, value, sum, answer))));
}


function arrival(name, title, value, sum, answer) {
    const href = name === 'matched' ? to('links')
                 : name === 'ambiguous' ? to('groups') : to(['words', name]);

    return h('li', { class: name },
             h('a', { href }, h('span', { class: 'dot' }), title),
             h('b', {}, number(value)),
             h('span', { class: 'soft' }, percent(value, sum), ' ',
               changeMark(value, answer.previous?.clicks?.[name],
                          name === 'matched' ? 'more' : '')));
}


async function overviewLists(answer, now, signal) {
    const few = { ...now.args, limit: CARD_ROWS };
    const fields = 'name,source,target,tag,match_type,counters';
    const none = { links: [] };
    const read = (path, args) => get(path, args, signal).catch(error => {
        if (error.name === 'AbortError') {
            throw error;
        }

        return { ...none, refusal: error };
    });

    const errors = ['errors_4xx', 'errors_5xx'].map(sort =>
        answer.classes[sort] > 0 ? read('/links', { ...few, sort, fields })
                                 : none);
    const silent = answer.states?.silent > 0
        ? read('/links', { limit: CARD_ROWS, state: 'silent',
                           fields: `${fields},state_since` }) : none;
    const alike = answer.clicks.ambiguous > 0 ? readGroups(now, signal) : none;
    const [notFound, failed, gone, members, hosts, channels, partners] =
        await Promise.all([...errors, silent, alike,
                           read('/hosts', few),
                           read('/channels', { ...few, limit: SUM_CHANNELS }),
                           read('/partners', few)]);

    return { broken: [notFound, failed], gone, members, hosts, channels,
             partners };
}


// All that came by links, by one of several as well: the summary's classes are
// of what came by a link alone.

function allCounters({ channels, shared, removed, next }, what = 'counters') {
    if (channels === undefined || next || shared[what] === undefined) {
        return null;
    }

    const parts = [...channels, shared, removed].map(row => row[what]);

    return Object.fromEntries(COUNTERS.map(([name]) =>
        [name, parts.reduce((n, part) => n + part[name], 0)]));
}


function overviewCards(answer, { broken, gone, members, ...sums }) {
    const all = allCounters(sums.channels);
    const before = allCounters(sums.channels, 'previous');

    return h('div', { class: 'cards' },
             h('div', { class: 'stack' }, topCard(answer),
               answer.states && stateCard(answer.states, gone)),
             h('div', { class: 'stack' },
               brokenCard(answer.classes, all, before, broken),
               elseCard(answer.classes, all)),
             h('div', { class: 'stack' }, groupsCard(answer, members),
               unknownCards(answer)),
             Object.keys(sums).map(kind => sumsCard(kind, sums[kind])));
}


// Most members of groups have few clicks of their own.

function readGroups(now, signal) {
    return get('/links', { ...now.args, compare: undefined, limit: GROUP_LINKS,
                           fields: 'source,groups' }, signal);
}


function topCard(answer) {
    const rows = answer.top.filter(link => link.counters.clicks > 0)
        .slice(0, 8);

    const none = answer.clicks.ambiguous > 0
                 ? 'No click could be told to one link.'
                 : 'No link was clicked in this period.';

    return barCard('Links with most clicks', rows.length === 0 && none,
        rows.map(link => ({
            title: linkTitle(link), value: link.counters.clicks,
            href: toLink(link.key), below: linkBelow(link),
            beside: changeMark(link.counters.clicks, link.previous?.clicks),
        })), [to('links'), 'All links']);
}


function brokenCard(classes, all, before, lists) {
    const sum = errorsOf(all ?? classes);
    const several = { title: 'One of several links', tone: 'bad',
                      value: sum - errorsOf(classes), href: to('broken') };
    const rows = [...new Map(lists.flatMap(list => list.links)
        .map(link => [link.key, link])).values()]
        .map(link => ({ title: linkTitle(link), value: errorsOf(link.counters),
                        href: toLink(link.key), tone: 'bad',
                        below: link.target ? `to ${readable(link.target)}`
                               : linkBelow(link) }))
        .concat(several).filter(row => row.value > 0)
        .sort((a, b) => b.value - a.value).slice(0, CARD_ROWS);
    const by = all === null ? 'by a link alone' : 'by a link';

    return barCard('Broken landings', sum === 0
        ? `Every visit ${by} got a page.`
        : h('span', {}, h('b', {}, count(sum, 'visit')),
            ` ${by} met an error instead of a page. `,
            changeMark(sum, before && errorsOf(before), 'less')),
        rows, [to('broken'), 'All broken landings']);
}


// The links that brought most and bring nothing now, whatever the period.

function stateCard(states, { links, refusal }) {
    const title = states.silent === 0 ? 'No link is silent'
        : `${count(states.silent, 'link')} went silent`;
    const others = ['never', 'revived'].filter(name => states[name] > 0)
        .map(name => [', ', h('a', { href: to('links', { state: name }) },
            `${number(states[name])} ${STATE_TITLES.get(name)}`)])
        .flat().slice(1);

    return barCard(title, [states.silent === 0
        ? 'Every link that brought visitors still does.'
        : 'They brought visitors, and for longer than usual bring none; the '
          + 'numbers are what they brought in all. ',
        others.length > 0 && [' Others: ', others, '.']],
        refusal ? [] : links.map(link => ({
            title: linkTitle(link), value: link.counters.clicks,
            href: toLink(link.key), tone: 'faint', below: link.state_since
                ? `since ${utcDate.format(new Date(link.state_since))}`
                : linkBelow(link),
        })), states.silent > 0 && [to('links', { state: 'silent' }),
                                   'All silent links']);
}


// The groups that these links are members of: the tree has no list of them.

function groupsOf(links) {
    const found = new Map();

    for (const link of links) {
        for (const group of link.groups ?? []) {
            found.set(group.key, found.get(group.key)
                                 ?? { ...group, example: link });
        }
    }

    return [...found.values()].sort((a, b) => b.clicks - a.clicks);
}


function groupTitle(group) {
    const host = shortUrl(group.example.source).split('/')[0];

    return (host ? `${host}, ` : '') + count(group.links, 'link');
}


function groupsCard(answer, { links }) {
    const clicks = answer.clicks.ambiguous;

    return barCard('One of several links', clicks === 0
        ? 'Every click could be told to one link.'
        : h('span', {}, h('b', {}, count(clicks, 'click')), ' came by one of '
            + 'several links that look alike from here. They are counted for '
            + 'the group, and never guessed.'),
        groupsOf(links).filter(group => group.clicks > 0).slice(0, CARD_ROWS)
            .map(group => ({ title: groupTitle(group), value: group.clicks,
                             href: to('links', { group: group.key }),
                             tone: 'several' })),
        clicks > 0 && [to('groups'), 'About these groups']);
}


function sumsCard(kind, answer) {
    const [title, , field] = GROUPINGS[kind];

    if (answer.refusal) {
        return card(title, null, refusalBox(answer.refusal));
    }

    const rows = answer[kind].slice(0, CARD_ROWS)
        .filter(row => row.counters.clicks > 0);

    const none = answer.shared?.counters.clicks > 0
                 || answer.removed?.counters.clicks > 0
                 ? 'No clicks of one row alone.' : 'No clicks in this period.';

    return barCard(title, rows.length === 0 && none,
        rows.map(row => ({
            title: row.name || NONE, value: row.counters.clicks,
            href: to('links', { [field]: row.name }),
            below: count(row.links, 'link'),
            beside: changeMark(row.counters.clicks, row.previous?.clicks),
        })), [to(kind), `All ${title.toLowerCase()}`]);
}


function elseCard(classes, all) {
    const rows = CLASSES.filter(([name]) => !/^(clicks|errors)/.test(name))
        .map(([name, title]) => ({ title, value: (all ?? classes)[name],
                                   tone: 'faint' }))
        .filter(row => row.value > 0).sort((a, b) => b.value - a.value);

    return barCard('Came along, and are no clicks', rows.length > 0 ? ''
                   : all === null ? 'Nothing by a link alone but clicks and '
                                    + 'errors.'
                   : 'Nothing but clicks and errors.', rows,
                   [to('words'), 'What these are']);
}


function unknownCards({ clicks }) {
    const sum = OUTCOMES.slice(0, 5).reduce((n, [name]) => n + clicks[name], 0);

    return OUTCOMES.slice(2, 4).map(([name, title, text]) => card(title,
        h('span', {}, h('b', {}, count(clicks[name], 'click')),
          `, ${percent(clicks[name], sum)} of all.`),
        h('p', {}, text),
        name === 'hidden' ? [to(['words', name]), 'How to see more of them']
                          : [to('sources'), 'Who they are']));
}


// -- no links yet -------------------------------------------------------------

// A server that has nothing but the status is not the one that is counted.

function emptyState() {
    const host = ROOT === '' ? location.hostname : location.host;
    const site = `${location.protocol}//${host}/`;

    return [
        heading('No links are registered yet'),
        h('p', { class: 'lead' }, 'Register the links that other sites carry '
          + 'to yours. From then on nginx counts what each of them brings.'),
        h('section', { class: 'steps' },
          h('h2', {}, '1. Register a link'),
          isOfFile() ? ofFile() : [
              command('sudo referralctl add https://blog.example/2024/launch \\'
                      + '\n     --target /pricing --name "Launch post"'),
              canWrite() && h('p', {}, h('a', { class: 'button strong',
                                                href: to('add') },
                                         'Register a link here')),
              h('h2', {}, 'or import a list'),
              command('sudo referralctl import partners.csv'),
              h('p', { class: 'soft' }, 'A CSV whose header names the fields, '
                + 'or plain URLs, one a line.')],
          h('h2', {}, '2. Test it'),
          h('p', {}, 'A click as a browser would send it; its address, the '
            + 'last one, has to be one of the site that is counted:'),
          command('curl -s -o /dev/null -A "Mozilla/5.0 (test)" '
                  + '-H "Accept: text/html" \\\n'
                  + `     -e https://blog.example/2024/launch ${site}pricing`),
          h('p', {}, 'Why it was counted, or was not:'),
          command('sudo referralctl match https://blog.example/2024/launch \\\n'
                  + `     --landing ${site}pricing`),
          h('p', {}, h('button', { type: 'button', click: () => arrive() },
                       'Look again'))),
    ];
}


// Where nginx follows a file the command is refused as well.

function isOfFile() {
    return known.summary?.health?.source !== undefined;
}


function ofFile() {
    return h('p', {}, 'nginx keeps these links equal to a file, which '
             + 'source= of referral_registry names: register them there.');
}


// -- several registries -------------------------------------------------------

async function registries(signal) {
    const list = h('ul', { class: 'registries' });

    for (const name of known.registries) {
        const facts = h('span', { class: 'soft' }, '\u2026');

        list.append(h('li', {}, h('a', { href: to('', {}, name) }, name),
                      facts));
        get('', period().args, signal, treeRoot(name)).then(answer => {
            const registered = number(answer.links.registered);

            facts.textContent = `${count(linkClicks(answer), 'click')} by `
                + `links ${period().words}; ${registered} registered`;
        }, error => { facts.textContent = error.message; });
    }

    return [heading('Registries'),
            known.registries.length === 0
            ? h('p', {}, 'No registry is configured.') : list];
}


// -- links --------------------------------------------------------------------

function listArgs() {
    const args = {};

    for (const name of FILTERS) {
        if (place.args.has(name)) {
            args[name] = place.args.get(name);
        }
    }

    return args;
}


function listOrder() {
    return { sort: place.args.get('sort') ?? 'clicks',
             order: place.args.get('order') ?? 'desc' };
}


async function links(signal) {
    const order = listOrder();
    const [answer, choices] = await Promise.all([
        readList('links', { ...listArgs(), ...order }, signal),
        filterChoices(signal),
    ]);

    return listView('links', answer, [
        filterForm(choices, order, signal),
        place.args.has('group') && h('p', { class: 'note' }, 'These links look '
            + 'alike from here: a visit came by one of them, and the browser '
            + 'did not say by which. Different targets, or a tag in each link, '
            + 'tell them apart.'),
    ], rows => linkTable(rows, order, signal),
    canWrite() && h('a', { class: 'button strong', href: to('add') },
                    'Register links'));
}


// A page of rows, as CSV all of them.

async function readList(what, args, signal) {
    const all = { ...period().args, ...args };
    const answer = await get(`/${what}`, {
        ...all, limit: ROWS, after: place.args.get('after') || undefined,
    }, signal);

    return { ...answer, csv: csvOf(`/${what}`, all) };
}


function listView(what, answer, notes, tableOf, beside = null) {
    const rows = answer[what];

    return [
        heading(capital(what),
                h('a', { href: answer.csv, download: true }, 'CSV'),
                beside),
        periodPicker(), notes,
        rows.length === 0 ? noRows(what) : tableOf(rows),
        pager(answer.next, rows.length, what),
    ];
}


function noRows(what) {
    const filtered = Object.keys(listArgs()).length > 0;

    return h('p', { class: 'none' }, filtered
        ? [`No ${what} fit these filters. `,
           h('a', { href: to(place.view) }, 'Show all')]
        : `There are no ${what} here.`);
}


function linkTable(rows, order, signal) {
    const sparkOf = sparkLoader(signal);
    const columns = [
        { title: 'Link', sort: 'key', main: true, cell: linkCell },
        { title: 'Channel', class: 'words', cell: link =>
            link.channel ?? 'unassigned' },
        { title: 'State', class: 'middle', cell: stateBadge },
        { title: 'Trend', class: 'wide', cell: sparkOf },
        counterColumn('clicks'), changeColumn, counterColumn('errors_4xx'),
        counterColumn('errors_5xx'),
        { ...counterColumn('bots'), class: 'middle' },
        { title: 'Last seen', sort: 'last_seen', number: true, class: 'middle',
          cell: link => h('span', { title: shownTime(link.last_seen) },
                          shownSince(link.last_seen)) },
    ];

    if (!columns.some(column => column.sort === order.sort)) {
        columns.splice(6, 0, counterColumn(order.sort));
    }

    return table('Registered links and what they brought', columns, rows,
                 order);
}


// The names that most clicks came by; any other can be typed.

async function filterChoices(signal) {
    const kinds = ['channels', 'partners', 'labels', 'hosts'];

    await Promise.all(kinds.map(async kind => {
        if (known.choices[treeRoot() + kind] === undefined) {
            const answer = await get(`/${kind}`, { limit: CHOICES }, signal)
                .catch(error => {
                    if (error.name === 'AbortError') {
                        throw error;
                    }

                    return { [kind]: [] };
                });

            known.choices[treeRoot() + kind] =
                answer[kind].map(row => row.name).filter(Boolean);
        }
    }));

    return Object.fromEntries(kinds.map(kind =>
        [kind, known.choices[treeRoot() + kind]]));
}


const NONE = '(none)';


function filterForm(choices, order, signal) {
    const search = h('input', { type: 'search', id: 'q', name: 'q',
                                value: place.args.get('q') ?? '',
                                placeholder: 'name, address, partner, note' });
    const apply = (changes, replace = false) => go(here({
        q: search.value || undefined, ...changes, after: undefined,
        page: undefined }), replace);
    let timer;

    search.addEventListener('input', () => {
        clearTimeout(timer);
        timer = setTimeout(() => apply({}, true), TYPING);
    });
    signal.addEventListener('abort', () => clearTimeout(timer));

    const set = place.args;
    const active = FILTERS.filter(name => name !== 'q' && set.has(name));

    return h('form', { class: 'filters', role: 'search',
                       'aria-label': 'Links', submit: event => {
                           event.preventDefault();
                           apply({});
                       } },
             labelled('Search', search),
             filterField('channel', 'Channel', choices.channels, apply),
             filterField('partner', 'Partner', choices.partners, apply),
             filterField('label', 'Label', choices.labels, apply),
             filterField('host', 'Host', choices.hosts, apply),
             stateField(apply),
             sortField(order, apply),
             active.length > 0 && filterChips(active));
}


function filterField(name, title, choices, apply) {
    const list = `${name}-choices`;
    const value = place.args.get(name);
    const input = h('input', {
        id: `filter-${name}`, name, list, value: value === '' ? NONE : value,
        placeholder: 'any', autocomplete: 'off',
        change: () => apply({ [name]: input.value === '' ? undefined
                                      : input.value === NONE ? ''
                                      : input.value }),
    });

    return labelled(title, input, h('datalist', { id: list },
        [...(name === 'channel' ? [] : [NONE]), ...choices].map(choice =>
            h('option', { value: choice }))));
}


function stateField(apply) {
    const select = h('select', {
        id: 'filter-state', name: 'state',
        change: () => apply({ state: select.value || undefined }),
    }, [['', 'any'], ...STATES].map(([name, title]) =>
        h('option', { value: name,
                      selected: name === (place.args.get('state') ?? '') },
          title)));

    return labelled('State', select);
}


function sortField(order, apply) {
    const options = [...COUNTERS, ['last_seen', 'Last seen'], ['key', 'Key']];
    const select = h('select', {
        id: 'sort', change: () => apply({ sort: select.value, order: 'desc' }),
    }, options.map(([name, title]) =>
        h('option', { value: name, selected: name === order.sort }, title)));

    return labelled('Sort by', select);
}


function filterChips(active) {
    return h('p', { class: 'chips' }, active.map(name => {
        const given = place.args.get(name) || 'none';
        const value = name === 'state' ? STATE_TITLES.get(given) ?? given
                      : given;

        return h('a', { class: 'chip', title: 'Remove this filter',
                        href: here({ [name]: undefined, after: undefined,
                                     page: undefined }) },
                 `${name}: ${value} `, h('span', { 'aria-hidden': 'true' },
                                         '\u00d7'),
                 h('span', { class: 'unseen' }, 'remove'));
    }));
}


// -- one link -----------------------------------------------------------------

async function oneLink(signal) {
    const [key, action] = place.rest;
    const now = period();
    const link = await get(`/links/${encodeURIComponent(key)}`, now.args,
                           signal);

    if (action === 'edit' && canWrite()) {
        return editLink(link);
    }

    const line = await trend(`/links/${link.key}/history`, unitPeriod(now),
                             bucket => bucket.counters.clicks, 'Clicks',
                             signal);
    const counters = link.counters;

    return [
        heading(linkTitle(link), canWrite() && [
            h('a', { class: 'button', href: to(['link', key, 'edit']) },
              'Edit'),
            h('button', { type: 'button', class: 'danger',
                          click: () => askToRemove(link) }, 'Remove')]),
        h('p', { class: 'lead' }, outward(link.source ?? ''),
          link.target && ['\u200e \u2192 \u200e',
                          h('b', {}, readable(link.target))],
          link.match_type === 'tag' && `the tag \u201c${link.tag}\u201d`),
        stateLine(link),
        periodPicker(),
        h('p', { class: 'figures' }, h('b', {}, count(counters.clicks,
                                                      'click')), ' ',
          changeMark(counters.clicks, link.previous?.clicks), ' ', now.words),
        segments('unit', 'Unit of the chart',
                 Object.entries(UNITS).map(([name, [, title]]) =>
                     [name, title]),
                 unitPeriod(now).unit, unit => go(here({ unit }), true)),
        line,
        h('div', { class: 'cards' },
          classCard(counters),
          h('div', { class: 'stack' }, evidenceCard(counters),
            linkGroups(link)),
          fieldCard(link)),
    ];
}


function stateLine(link) {
    const [, , text] = STATES.find(([name]) => name === link.state) ?? [];

    return text && h('p', { class: 'soft' }, stateBadge(link), ' ',
        link.state_since
        && `Since ${utcDate.format(new Date(link.state_since))}. `, text);
}


// Minutes are shown of a day, hours of 7 days, the last ones: no chart has room
// for more.

function unitPeriod(now) {
    const unit = place.args.get('unit') ?? now.unit;

    if (unit === now.unit || UNITS[unit] === undefined) {
        return now;
    }

    if (now.custom) {
        const from = Math.max(now.from, now.to - (unit === 'day' ? Infinity
                              : unit === 'hour' ? 7 * DAY : DAY));

        return { ...now, unit, from, days: (now.to - from) / DAY,
                 words: spanWords(from, now.to) };
    }

    return { ...period({ day: '28', hour: '7', minute: 'today' }[unit]), unit };
}


function classCard(counters) {
    const sum = CLASSES.reduce((n, [name]) => n + counters[name], 0);

    return barCard('What came by it', count(sum, 'request')
                   + `, ${shownBytes(counters.bytes)} sent.`,
        CLASSES.map(([name, title]) => ({
            title, value: counters[name],
            tone: /^errors/.test(name) ? 'bad'
                  : name === 'clicks' ? '' : 'faint',
            beside: h('small', {}, percent(counters[name], sum)),
        })));
}


function evidenceCard(counters) {
    const { clicks, clicks_by_tag: tag, clicks_by_page: page } = counters;
    const row = (title, value, below) => ({
        title, value, below, beside: h('small', {}, percent(value, clicks)) });

    return barCard('How its clicks were told', counters.other_landing === 0
        ? 'The strongest evidence first.'
        : `${count(counters.other_landing, 'click')} of those by the page `
          + 'landed on another page than the target.', [
            row('By its tag', tag, 'the address carried it'),
            row('By the page', page, 'the browser named the page'),
            row('By site or target', Math.max(0, clicks - tag - page),
                'the browser named the site only')]);
}


function linkGroups({ groups }) {
    return barCard('One of several links', groups.length === 0
        ? 'No other registered link looks like this one.'
        : 'Clicks that came by this link or by another that looks alike from '
          + 'here; they are not in its own number.',
        groups.map(group => ({ title: `One of ${count(group.links, 'link')}`,
                               value: group.clicks, tone: 'several',
                               href: to('links', { group: group.key }) })));
}


function fieldCard(link) {
    const shown = FIELDS.filter(([name]) => !isEmptyValue(link[name]))
        .map(([name, title]) => [title, fieldValue(name, link[name])]);

    return card('About this link', null, pairs([
        ...shown, ['Registered', shownTime(link.created)],
        ['First seen', shownTime(link.first_seen)],
        ['Last seen', shownTime(link.last_seen)],
        ['Key', h('code', {}, link.key)]]));
}


function fieldValue(name, value) {
    const filter = { channel: 'channel', partner: 'partner',
                     origin: 'origin' }[name];

    if (name === 'labels') {
        return value.map(label => [
            h('a', { class: 'chip', href: to('links', { label }) }, label),
            ' ']);
    }

    return filter ? h('a', { href: to('links', { [filter]: value }) }, value)
           : name === 'source' ? outward(value)
           : name === 'target' ? readable(value)
           : name === 'cost' ? money.format(value) : String(value);
}


async function groups(signal) {
    const now = period();
    const [answer, { links }] = await Promise.all([
        summary(now.args, signal), readGroups(now, signal)]);
    const rows = groupsOf(links);

    return [
        heading('One of several links'), periodPicker(),
        h('p', { class: 'lead' }, 'Most browsers name the site a visitor comes '
          + 'from, not the page. Where several registered links of a site lead '
          + 'to the same page, a visit may have come by any of them. It is '
          + 'counted for their group, once, and never guessed.'),
        h('p', {}, 'To tell them apart, give each link a target of its own '
          + '(/pricing?from=launch will do) or a tag.'),
        h('p', { class: 'soft' }, `${count(answer.clicks.ambiguous, 'click')} `
          + `in all ${now.words}.`, answer.links.registered > GROUP_LINKS
          && ` Shown are the groups of the ${number(GROUP_LINKS)} links with `
             + 'most clicks.'),
        rows.length === 0 ? h('p', { class: 'none' }, 'There is no group here.')
        : table('Groups of links', [
            { title: 'Group', main: true, cell: row => h('a', {
                href: to('links', { group: row.key }) }, groupTitle(row)) },
            { title: 'Links', number: true, cell: row => number(row.links) },
            { title: 'Clicks', number: true, cell: row => number(row.clicks) },
        ], rows),
    ];
}


async function sums(signal) {
    const kind = place.view;
    const order = listOrder();
    const answer = await readList(kind, order, signal);

    return listView(kind, answer, sumNotes(answer, kind), rows =>
        table(`${capital(kind)} and what their links brought`,
              sumColumns(kind, rows), rows, order));
}


function sumColumns(kind, rows) {
    const [, one, field] = GROUPINGS[kind];
    const largest = Math.max(...rows.map(row => row.counters.clicks));
    const columns = [
        { title: one, sort: 'name', main: true, cell: row =>
            h('a', { href: to('links', { [field]: row.name }), dir: 'auto' },
              row.name || NONE) },
        { title: 'Links', number: true, cell: row => number(row.links) },
        counterColumn('clicks'),
        { title: 'Share', class: 'wide', cell: row =>
            bar(row.counters.clicks, largest) },
        changeColumn, counterColumn('errors_4xx'), counterColumn('errors_5xx'),
        counterColumn('bots'),
    ];

    if (kind === 'partners') {
        columns.push({ title: 'Month', cell: row => row.name
            && h('a', { href: to('report', { partner: row.name }) }, 'Report',
                 h('span', { class: 'unseen' }, ` for ${row.name}`)) });
    }

    return columns;
}


// What came by links, and is in no row.

function sumNotes({ shared, removed }, what) {
    const clicks = part => part?.counters.clicks ?? 0;

    return [
        clicks(shared) > 0 && h('p', { class: 'note' },
            `${count(clicks(shared), 'click')} more came by one of several `
            + `links of different ${what}. They are in no row, for nobody `
            + 'knows whose they are.'),
        clicks(removed) > 0 && h('p', { class: 'note' },
            `${count(clicks(removed), 'click')} came by links that are `
            + 'registered no more.'),
    ];
}


// -- who else links here, and what is broken -----------------------------------

const FOLDED = '\u2026';        // stands for what looked like a secret


async function sources(signal) {
    const answer = await get('/sources', { registered: 'no', limit: ROWS,
                                           after: place.args.get('after') },
                             signal);
    const writes = canWrite();

    return [
        heading('Sources', writes && h('a', { class: 'button',
                                              href: to('ignored') }, 'Ignored'),
                answer.sources.length > 0
                && h('a', { href: csvOf('/sources', { registered: 'no' }),
                            download: true, class: 'button' }, 'CSV')),
        h('p', { class: 'lead' }, 'Sites that sent visitors, and that no '
          + 'registered link explains, from three clicks on. A Referer is what '
          + 'the visitor\u2019s program says: anybody can make one up.'),
        sourceNote(answer),
        answer.sources.length === 0 ? noRows('sources')
        : table('Sources of clicks that no link explains', [
            { title: 'Source', main: true, cell: row => [
                h('span', { dir: 'auto' }, row.host),
                h('small', { dir: 'ltr', title: sentAs(row.landing) },
                  `to ${landingOf(row)}`)] },
            { title: 'Clicks', number: true, cell: row =>
                upTo(row.clicks, row.error) },
            { title: 'Not found', number: true,
              cell: row => number(row.errors_4xx) },
            { title: 'Server errors', number: true,
              cell: row => number(row.errors_5xx) },
            { title: 'First', cell: row => since(row.first_seen) },
            { title: 'Last', cell: row => since(row.last_seen) },
            !isOfFile() && { title: 'Do', class: 'words', cell: row =>
                sourceActions(row, writes) },
        ].filter(Boolean), answer.sources),
        answer.sources.length > 0 && (isOfFile() ? ofFile()
        : h('p', { class: 'soft' }, '\u201cCopy\u201d gives a command for a '
            + 'shell on the server. Where the registry is elsewhere than in '
            + '/var/lib/nginx/referral it wants -d PATH behind referralctl.')),
        pager(answer.next, answer.sources.length, 'sources'),
    ];
}


// Clicks that were counted, and how many more there may have been.

function upTo(n, error) {
    return error > 0
        ? h('span', { title: `${number(error)} more at most, before the row `
                             + 'began' },
            `${number(n)}\u2013${number(n + error)}`)
        : number(n);
}


function since(text) {
    return h('span', { title: shownTime(text) }, shownSince(text));
}


function sourceNote({ missed, read }) {
    return missed > 0 && h('p', { class: 'note' },
        `${count(missed, 'request')} came faster than they could be read, and `
        + `are in no row; ${number(read)} were read.`);
}


function sourceActions(row, writes) {
    const trouble = fault();
    const link = { source: linkSource(row.host), target: linkTarget(row) };
    const named = h('span', { class: 'unseen' }, ` ${row.host}`);

    async function ignore() {
        try {
            await send('POST', '/ignored', [{ source: row.host }]);
            known.done = `${row.host} is ignored. `;
            arrive();
        } catch (error) {
            trouble.textContent = error.message;
        }
    }

    return h('div', { class: 'actions' },
             writes && h('a', { href: to('add', link) }, 'Register',
                         named.cloneNode(true)),
             writes && h('button', { type: 'button', click: ignore }, 'Ignore',
                         named.cloneNode(true)),
             copyButton('Copy', addCommand(link), row.host), trouble);
}


function landingOf({ landing }) {
    return readable(landing ?? '/');
}


// A host is a link's source as it is; an app is a URL.

function linkSource(host) {
    return host.replace(/^android-app:(?!\/)/, 'android-app://');
}


function linkTarget({ landing }) {
    return /^\/[^\0-\x20\x7f\ufffd]*$/.test(landing ?? '')
           && !landing.includes(FOLDED) ? landing : undefined;
}


// A host may begin like an option: it comes last, behind "--".

function addCommand({ source, target }) {
    return 'sudo referralctl add '
           + (target === undefined ? '' : `--target ${quoted(target)} `)
           + (source.startsWith('-') ? '-- ' : '') + quoted(source);
}


// For a shell: strangers chose what is in it.

function quoted(text) {
    const safe = text.replace(MARKS, '');

    return /^[\w./:@%+,-]+$/.test(safe) ? safe
           : `'${safe.replaceAll("'", "'\\''")}'`;
}


// Browsers let pages copy on https and localhost alone: else it is shown.

function copyButton(title, text, what) {
    const button = h('button', { type: 'button', click: async () => {
        try {
            await navigator.clipboard.writeText(text);
            say(`Copied: ${text}`);
            button.firstChild.textContent = 'Copied';
        } catch {
            button.replaceWith(command(text));
        }
    } }, title, h('span', { class: 'unseen' }, ` for ${what}`));

    return button;
}


async function ignored(signal) {
    const { ignored: rows } = await get('/ignored', {}, signal);
    const trouble = fault();

    async function heed(host) {
        try {
            await send('DELETE', `/ignored/${encodeURIComponent(host)}`);
            known.done = `${host} is shown again. `;
            arrive();
        } catch (error) {
            trouble.textContent = error.message;
        }
    }

    return [
        heading('Ignored sources', rows.length > 0
                && h('a', { href: `${treeRoot()}/ignored?format=csv`,
                            download: true, class: 'button' }, 'CSV')),
        h('p', { class: 'lead' }, 'These, and the hosts below them, are not '
          + 'shown among sources and broken landings.'),
        h('p', { class: 'soft' }, 'A list is taken in by the command:'),
        command('sudo referralctl ignore --file spam.txt'), trouble,
        rows.length === 0 ? noRows('ignored sources')
        : table('Ignored sources', [
            { title: 'Host', main: true, cell: row =>
                h('span', { dir: 'auto' }, row.host) },
            { title: 'Since', cell: row => since(row.since) },
            { title: 'Do', cell: row => canWrite() ? h('button', {
                type: 'button', click: () => heed(row.host) }, 'Show again',
                h('span', { class: 'unseen' }, ` ${row.host}`)) : '' },
        ], rows),
    ];
}


const STATUS = {
    404: 'not found', 410: 'gone', '4xx': 'refused', '5xx': 'server error',
};


async function broken(signal) {
    const answer = await get('/broken', { limit: ROWS,
                                          after: place.args.get('after') },
                             signal);

    return [
        heading('Broken', answer.broken.length > 0
                && h('a', { href: csvOf('/broken', {}), download: true,
                            class: 'button' }, 'CSV')),
        h('p', { class: 'lead' }, 'Landings where visitors met an error '
          + 'instead of a page: by registered links, and by other sites.'),
        sourceNote(answer),
        answer.broken.length === 0 ? noRows('broken landings')
        : table('Landings that met an error', [
            { title: 'Landing', main: true, cell: row => [
                h('span', { dir: 'ltr', title: sentAs(row.landing) },
                  landingOf(row)),
                h('small', { dir: 'auto' }, brokenFrom(row))] },
            { title: 'Status', cell: row => h('span', {}, row.status,
                h('small', {}, ` ${STATUS[row.status] ?? ''}`)) },
            { title: 'Lost clicks', number: true,
              cell: row => upTo(row.clicks, row.error) },
            { title: 'First', cell: row => since(row.first_seen) },
            { title: 'Last', cell: row => since(row.last_seen) },
            { title: 'Do', class: 'words', cell: row =>
                h('div', { class: 'actions' },
                  row.link && h('a', { href: toLink(row.link) }, 'Link',
                                h('span', { class: 'unseen' },
                                  ` to ${landingOf(row)}`)),
                  row.group && h('a', { href: to('links',
                                                 { group: row.group }) },
                                 'Links', h('span', { class: 'unseen' },
                                            ` to ${landingOf(row)}`)),
                  row.rule && copyButton('Copy redirect', row.rule,
                                         landingOf(row))) },
        ], answer.broken),
        answer.broken.some(row => row.rule)
        && h('p', { class: 'soft' }, '\u201cCopy redirect\u201d gives a '
             + 'location for the server block of nginx.conf. Set where it is '
             + 'to lead.'),
        pager(answer.next, answer.broken.length, 'broken landings'),
    ];
}


function brokenFrom(row) {
    return row.group ? 'from one of several links'
           : `from ${shortUrl(row.source) || row.host || 'a link'}`;
}


// -- partner report -----------------------------------------------------------

function reportMonth() {
    const asked = place.args.get('month');
    const last = new Date();

    last.setUTCDate(1);
    last.setUTCMonth(last.getUTCMonth() - 1);

    const month = /^\d{4}-(0[1-9]|1[0-2])$/.test(asked ?? '') ? asked
                  : isoDay(last).slice(0, 7);
    const end = new Date(`${month}-01T00:00:00Z`);

    end.setUTCMonth(end.getUTCMonth() + 1);

    return { month, end: end.getTime(),
             ...spanOf(Date.parse(`${month}-01`), end.getTime()) };
}


async function report(signal) {
    const partner = place.args.get('partner') ?? '';
    const isPartner = row => row.name === partner;
    const now = reportMonth();
    const title = utcMonth.format(now.from);

    if (now.from > Date.now()) {
        return [heading(`${partner}, ${title}`), monthForm(now.month),
                h('p', { class: 'none' }, 'This month has not begun.')];
    }

    const args = { ...now.args, compare: undefined };
    const [{ rows, cut }, sums] = await Promise.all([
        pages('links', { ...now.args, partner }, signal),
        pages('partners', args, signal, isPartner).catch(withoutSums)]);
    const csv = csvOf('/links', { partner, ...args, fields: REPORT_FIELDS });

    return [
        heading(`${partner}, ${title}`,
                h('a', { href: csv, class: 'no-print', download: true },
                  'CSV'),
                h('button', { type: 'button', class: 'no-print',
                              click: () => print() }, 'Print')),
        h('p', { class: 'lead' }, 'Clicks, not people: who clicked is not '
          + 'known, and one person may click often.'),
        monthForm(now.month), reportSums(rows, sums.rows.find(isPartner)),
        table(`Links of ${partner}`, [
            { title: 'Link', main: true, cell: linkCell },
            counterColumn('clicks'), changeColumn,
            { title: 'Errors', number: true,
              cell: link => number(errorsOf(link.counters)) },
        ], rows),
        reportNotes(now, title, cut),
    ];
}


// Of more partners than can be summed there is no row; their links are there.

function withoutSums(error) {
    if (error.name === 'AbortError') {
        throw error;
    }

    return { rows: [] };
}


function reportNotes(now, title, cut) {
    const registry = known.summary?.registry ?? '';

    return [
        cut && h('p', { class: 'soft' }, 'The list is cut at '
                 + `${number(REPORT_LINKS)} links; the CSV has all.`),
        h('p', { class: 'soft' }, 'Links that were removed since are not here, '
          + 'nor their clicks.', h('span', { class: 'no-print' }, ' Keep a '
          + 'link as long as its clicks are to be reported.')),
        h('p', { class: 'soft' }, `Change: compared with ${now.before}. `
          + `${title} is a month of UTC days`,
          now.end > Date.now() && ', and is not over: counted up to now',
          `. Registry ${registry}, read ${utcTime.format(Date.now())}.`),
    ];
}


// Rows a page after the other, up to one that is looked for.

async function pages(what, args, signal, isLast = () => false) {
    const rows = [];
    let after;

    do {
        const answer = await get(`/${what}`, { ...args, limit: REPORT_PAGE,
                                               after }, signal);

        rows.push(...answer[what]);
        after = answer.next ?? undefined;
    } while (after !== undefined && rows.length < REPORT_LINKS
             && !rows.some(isLast));

    return { rows, cut: after !== undefined };
}


// A group counts once, and only if all its links are the partner's; what it met
// instead of a page is in the partner's row alone.

function reportSums(rows, sums) {
    const members = new Map();
    let clicks = 0, before = 0, errors = 0, own = 0, others = 0;

    for (const link of rows) {
        clicks += link.counters.clicks;
        before += link.previous?.clicks ?? 0;
        errors += errorsOf(link.counters);

        for (const group of link.groups ?? []) {
            const one = members.get(group.key) ?? { ...group, mine: 0 };

            one.mine++;
            members.set(group.key, one);
        }
    }

    for (const group of members.values()) {
        if (group.mine === group.links) {
            own += group.clicks;
        } else {
            others += group.clicks;
        }
    }

    return pairs([
        ['Clicks on one link', [number(clicks), ' ',
                                changeMark(clicks, before)]],
        ['Clicks on one of several of this partner\u2019s links', number(own)],
        ['Clicks together', h('b', {}, number(clicks + own))],
        ['Clicks on links that others share, in no sum', number(others)],
        sums === undefined ? ['Visits by one link that met an error',
                              number(errors)]
        : ['Visits that met an error', number(errorsOf(sums.counters))],
        ['Links', number(rows.length)]], 'sums');
}


function monthForm(month) {
    const input = h('input', { type: 'month', id: 'month', value: month,
                               change: () => go(here({
                                   month: input.value })) });

    return h('form', { class: 'no-print filters',
                       submit: event => event.preventDefault() },
             labelled('Month', input));
}


const FEED_COLUMNS = [
    { title: 'Time', cell: event => localSecond.format(new Date(event.time)) },
    { title: 'What', cell: event => capital(event.class) },
    { title: 'By', main: true, cell: event => [feedLink(event), event.evidence
        && h('small', {}, 'told by '
             + (EVIDENCE_TITLES.get(event.evidence) ?? event.evidence))] },
    { title: 'From', cell: event => event.source },
    { title: 'Landing', cell: event => h('span', {
        dir: 'ltr', title: sentAs(event.landing) },
        readable(event.landing ?? '')) },
    { title: 'Status', number: true, cell: event => h('span', {
        class: event.status >= 400 ? 'state bad' : 'state' },
        String(event.status)) },
];


async function live(signal) {
    const rows = table('Visits, the newest first', FEED_COLUMNS, []);
    const state = { waiting: [], paused: false, dropped: 0, missed: 0,
                    heard: Date.now() };
    const rate = h('p', { class: 'figures' }, 'Waiting for the first second.');
    const missed = h('p', { class: 'soft', role: 'status' });
    const trouble = h('div');
    const changes = h('div', { role: 'status' });
    const pause = h('button', { type: 'button', 'aria-pressed': 'false',
                                click: () => setPause(state, pause) }, 'Pause');

    rows.firstChild.classList.add('feed');
    openFeed(state, { rate, missed, trouble, changes }, signal);

    const timer = setInterval(() => {
        showFeed(state, rows.querySelector('tbody'), pause);
        showQuiet(state, trouble);
    }, FEED_PAUSE);

    signal.addEventListener('abort', () => clearInterval(timer));

    return [
        heading('Live', pause),
        h('p', { class: 'soft' }, 'Visits by registered links as they happen. '
          + `The last ${FEED_ROWS} are kept here.`),
        rate, missed, trouble, changes, rows,
    ];
}


function openFeed(state, parts, signal) {
    const source = new EventSource(`${treeRoot()}/events`);
    let last = null;

    signal.addEventListener('abort', () => source.close());

    source.addEventListener('match', event => {
        state.waiting.push(JSON.parse(event.data));

        if (state.waiting.length > FEED_ROWS) {
            state.waiting.shift();
            state.dropped++;
        }
    });

    source.addEventListener('summary', event => {
        const now = JSON.parse(event.data);

        state.heard = Date.now();
        parts.trouble.replaceChildren();
        parts.rate.replaceChildren(...feedRate(now, last));
        last = now;
    });

    source.addEventListener('state', event => {
        const { link, name, to: found } = JSON.parse(event.data);

        if (link !== null) {
            parts.changes.prepend(h('p', {}, h('a', {
                href: toLink(link), dir: 'auto' }, name || link), ': ',
                stateBadge({ state: found })));
            [...parts.changes.children].slice(CARD_ROWS)
                .forEach(line => line.remove());
        }
    });

    source.addEventListener('missed', event => {
        const { missed } = JSON.parse(event.data);

        if (missed === 0) {
            return;
        }

        state.missed += missed;
        parts.missed.textContent = `${count(state.missed, 'visit')} went by `
            + 'too fast to be shown. They are counted all the same.';
    });

    source.addEventListener('error', () => {
        const ended = source.readyState === EventSource.CLOSED;

        parts.trouble.replaceChildren(refusalBox(new Error(ended
            ? 'the server does not give the feed; perhaps too many are watching'
            : 'the connection broke off, and is tried again'),
            ended ? () => arrive() : undefined));
    });
}


function feedRate(now, last) {
    const all = Object.values(now.outcomes).reduce((a, b) => a + b, 0);
    const old = last && Object.values(last.outcomes).reduce((a, b) => a + b, 0);
    const seconds = last && (Date.parse(now.now) - Date.parse(last.now)) / 1000;
    const rate = last && Math.round((all - old) / Math.max(seconds, 1));

    return [last ? h('b', {}, count(rate, 'request')) : '',
            last ? ' a second; ' : '',
            `${count(linkClicks(now), 'click')} by links since counting began`];
}


// A connection may be dead without anybody being told, behind a laptop's lid
// or a proxy: what stands there then is old.

function showQuiet({ heard }, trouble) {
    if (Date.now() - heard > FEED_QUIET && !trouble.hasChildNodes()) {
        trouble.replaceChildren(refusalBox(new Error('nothing has come since '
            + `${localSecond.format(heard)}: what is here may be old`),
            () => arrive()));
    }
}


function setPause(state, button) {
    state.paused = !state.paused;
    button.setAttribute('aria-pressed', String(state.paused));
    button.textContent = state.paused ? 'Go on' : 'Pause';
}


function showFeed(state, body, button) {
    if (state.paused) {
        const held = state.waiting.length + state.dropped;

        button.textContent = held ? `Go on (${number(held)} held)` : 'Go on';
        return;
    }

    const rows = state.waiting.splice(0).map(event =>
        tableRow(FEED_COLUMNS, event));

    state.dropped = 0;
    body.prepend(...rows.reverse());

    while (body.rows.length > FEED_ROWS) {
        body.lastElementChild.remove();
    }
}


function feedLink(event) {
    return event.link
        ? h('a', { href: toLink(event.link), dir: 'auto' },
            event.name || event.source || event.link)
        : event.group ? h('a', { href: to('links', { group: event.group }) },
                          'one of several links')
        : 'a link that was removed';
}


// -- health and words ---------------------------------------------------------

async function health(signal) {
    const answer = await summary(period().args, signal);

    showFaults(answer);

    const rows = HEALTH.filter(([name]) => answer.health[name] !== undefined)
        .map(([name, title, text]) => ({ name, title, text,
                                         value: answer.health[name] }));
    const faults = faultsOf(answer.health);

    return [
        heading('Health'),
        h('p', { class: 'lead' }, faults.length === 0 ? 'All is well.'
          : `${count(faults.length, 'thing')} to look at, above.`),
        table('Health', [
            { title: 'Part', main: true, cell: row => row.title },
            { title: 'Now', cell: row => h('span', {
                class: isFault(row) ? 'state bad' : 'state' },
                healthValue(row)) },
            { title: 'What it means', class: 'words', cell: row => row.text },
        ], rows),
        h('h2', {}, 'What the requests show'),
        (answer.health.diagnosis ?? []).length === 0
        ? h('p', {}, 'Nothing wrong was seen with sources, hosts and caches. '
            + 'It takes 1,000 page requests to tell.')
        : h('ul', {}, answer.health.diagnosis.map(text => h('li', {}, text))),
        h('h2', {}, 'All requests'), outcomeTable(answer, period()),
    ];
}


function isFault({ name, value }) {
    return (typeof value === 'string' && value !== 'ok')
           || (FAULT_COUNTS.includes(name) && value > 0);
}


function healthValue({ name, value }) {
    return name === 'flush_age_ms' ? shownAge(value)
           : typeof value === 'number' ? number(value) : String(value);
}


function outcomeTable(answer, now) {
    const rows = OUTCOMES.map(([name, title, text]) => ({
        title, text, n: answer.outcomes[name], clicks: answer.clicks[name] }));

    return table(`Requests ${now.words} by outcome`, [
        { title: 'The request came by', main: true, cell: row => row.title },
        { title: 'Requests', number: true, cell: row => number(row.n) },
        { title: 'Clicks', number: true, cell: row =>
            row.clicks === undefined ? '\u2013' : number(row.clicks) },
        { title: 'What it means', class: 'words', cell: row => row.text },
    ], rows);
}


const ADVICE = {
    unregistered: [
        'A forum, a blog or a search engine may carry a link you have not '
        + 'registered. Register the sites you know; what remains is new.',
        'The view \u201cSources\u201d names those with three clicks or '
        + 'more, and registers or ignores them.'],
    hidden: [
        'Pages with the policy no-referrer, and links with rel="noreferrer", '
        + 'say that they are another site, and no more.',
        'Put a tag into the links you can choose, as in '
        + '/pricing?ref=partner42, and register it: it tells who sent the '
        + 'visitor, whatever the browser keeps to itself.'],
    direct: [
        'Mail programs, apps, bookmarks and typed addresses name no source. '
        + 'A tag in the link makes mail and print countable.'],
};


async function words() {
    const list = (title, rows) => [h('h2', {}, title),
        h('dl', { class: 'words-list' }, rows.map(([name, term, text]) =>
            h('div', { id: `word-${name}` },
              h('dt', {}, capital(term), h('code', {}, name)),
              h('dd', {}, [text, ...ADVICE[name] ?? []].map(line =>
                  h('p', {}, line))))))];

    return [
        heading('What the words mean'),
        h('p', { class: 'lead' }, 'Every request has one outcome. A request '
          + 'by a link also has one class, and evidence that says how the '
          + 'link was found.'),
        list('How a visitor came', OUTCOMES),
        list('What a request by a link was', COUNTERS),
        list('How a link was told', EVIDENCE),
        list('What a link\u2019s days say', STATES),
        h('p', {}, 'A day on which nobody came to the site at all counts for '
          + 'no link. Of links that come and go at random one pause in 148 is '
          + 'as long as a silence: a state is a reason to look, no proof.'),
        h('h2', {}, 'What cannot be known'),
        h('p', {}, 'Who clicked. There are no cookies, and no addresses are '
          + 'stored. Pages that a cache serves never reach the server, and '
          + 'are not counted.'),
    ];
}


// -- registering, editing, removing -------------------------------------------

function fieldInput([name, title, kind, hint], value) {
    const id = `field-${name}`;
    const common = { id, name, 'aria-describedby': `${id}-fault` };
    const text = Array.isArray(value) ? value.join(', ') : value ?? '';
    const words = (hint || '').split(' ');
    let input, list;

    if (kind === 'choice') {
        input = h('select', common, h('option', { value: '' },
            name === 'match_type' ? 'as the source says' : ''),
            words.map(word => h('option', { value: word,
                                            selected: word === text }, word)));
    } else if (kind === 'long') {
        input = h('textarea', { ...common, rows: 3 });
        input.value = text;
    } else {
        list = kind === 'words' && h('datalist', { id: `${id}-words` },
            words.map(word => h('option', { value: word })));
        input = h('input', { ...common, value: text, autocomplete: 'off',
                             inputmode: { number: 'numeric',
                                          decimal: 'decimal' }[kind],
                             placeholder: kind === 'words' ? '' : hint,
                             list: list ? `${id}-words` : undefined });
    }

    return labelled(title, input, list, fault(`${id}-fault`));
}


function linkForm(fields, link, button, cancel, submit) {
    const trouble = h('div');
    const save = h('button', { class: 'strong' }, button);
    const input = field => fieldInput(field, link[field[0]]);
    const isFirst = field => FIELDS.indexOf(field) < FIRST_FIELDS;
    const form = h('form', { class: 'link-form', novalidate: true,
        submit: async event => {
            event.preventDefault();
            save.disabled = true;
            clearFaults(form, trouble);

            try {
                await submit(form);
            } catch (error) {
                showFieldFault(form, trouble, error);
            }

            save.disabled = false;
        } },
        fields.filter(isFirst).map(input),
        h('details', { class: 'more-fields', open: link.key !== undefined },
          h('summary', {}, 'More fields'), h('div', { class: 'link-form' },
          fields.filter(field => !isFirst(field)).map(input))),
        trouble, h('div', { class: 'actions' }, save,
                   h('a', { class: 'button', href: cancel }, 'Cancel')));

    return form;
}


function clearFaults(form, trouble) {
    trouble.replaceChildren();

    for (const fault of form.querySelectorAll('.fault')) {
        fault.textContent = '';
    }

    for (const input of form.querySelectorAll('[aria-invalid]')) {
        input.removeAttribute('aria-invalid');
    }
}


// The answer's text begins with the field's name, "partner: ..." or, as the
// command has it, 'partner "...": ...'.

function showFieldFault(form, trouble, error) {
    const named = /^(?:links\[\d+\]\.)?([a-z_]+)\b/.exec(error.message);
    const input = form.elements.namedItem(error.code === 'LinkExists'
                                          ? 'source' : named?.[1] ?? '');

    if (!input) {
        trouble.replaceChildren(h('p', { class: 'fault', role: 'alert' },
                                  `Not saved: ${error.message}`));
        return;
    }

    $(`${input.id}-fault`).textContent = error.message;
    input.setAttribute('aria-invalid', 'true');
    input.closest('details')?.setAttribute('open', '');
    input.focus();
}


// What the form says of the fields that differ; an empty one clears.

function formValues(form, fields, link) {
    const values = {};

    for (const [name, , kind] of fields) {
        const text = form.elements.namedItem(name).value.trim();
        const value = fieldOf(text, kind);

        if (JSON.stringify(value) !== JSON.stringify(fieldOf(
            Array.isArray(link[name]) ? link[name].join(',')
            : String(link[name] ?? ''), kind)))
        {
            values[name] = value;
        }
    }

    return values;
}


// What is no number is sent as it is: the server says what is wrong with it.
// A decimal is sent as text: 12.50 would lose its zero.

function fieldOf(text, kind) {
    if (kind === 'list') {
        return text.split(',').map(label => label.trim()).filter(Boolean);
    }

    if (text === '') {
        return null;
    }

    return kind === 'number' && /^\d+$/.test(text) ? Number(text) : text;
}


function editLink(link) {
    const fields = FIELDS.filter(([name]) => !IDENTITY.has(name)
        && !(name === 'tag' && link.match_type === 'tag'));

    return [
        heading(`Edit ${linkTitle(link)}`),
        h('p', { class: 'soft' }, linkPath(link), '. Source, target and match '
          + 'type say which link it is and never change: register another, '
          + 'and keep this one as long as its clicks are to be reported.'),
        linkForm(fields, link, 'Save', toLink(link.key), async form => {
            const changes = formValues(form, fields, link);

            if (Object.keys(changes).length > 0) {
                await send('PATCH', `/links/${link.key}`, changes);
            }

            known.done = 'Saved. ';
            go(toLink(link.key));
        }),
    ];
}


async function addLinks() {
    if (!canWrite()) {
        return [heading('Register links'), isOfFile() ? ofFile() : [
            h('p', {}, 'Writing is off for this page. Use the command:'),
            command('sudo referralctl add https://blog.example/2024/launch '
                    + '--target /pricing')]];
    }

    return [
        heading('Register links'),
        h('section', {}, h('h2', {}, 'One link'),
          linkForm(FIELDS, prefill(), 'Register', to('links'), async form => {
              const link = await send('POST', '/links', withoutNulls(
                  formValues(form, FIELDS, {})));

              known.done = 'Registered. ';
              go(toLink(link.key));
          })),
        bulkForm(),
    ];
}


// What another view said; the form says whether that makes sense.

function prefill() {
    return Object.fromEntries(['source', 'target']
        .filter(name => place.args.has(name))
        .map(name => [name, place.args.get(name)]));
}


function withoutNulls(values) {
    return Object.fromEntries(Object.entries(values)
        .filter(([, value]) => value !== null));
}


function bulkForm() {
    const lines = h('textarea', { id: 'lines', rows: 6, spellcheck: 'false',
                                  'aria-describedby': 'lines-fault',
                                  placeholder: 'https://blog.example/post' });
    const trouble = fault('lines-fault');

    async function submit(event) {
        event.preventDefault();

        const rows = lines.value.split('\n')
            .map((line, i) => ({ source: line.trim(), line: i + 1 }))
            .filter(row => row.source !== '');

        trouble.textContent = '';

        if (rows.length === 0 || rows.length > BULK_LINKS) {
            trouble.textContent = `Between 1 and ${number(BULK_LINKS)} lines.`;
            return;
        }

        try {
            await send('POST', '/links', rows.map(({ source }) => ({ source })));
            known.done = `${count(rows.length, 'link')} registered. `;
            go(to('links'));
        } catch (error) {
            const lineOf = (text, words, i) =>
                rows[i] ? `${words}line ${rows[i].line}` : text;
            const row = rows[/^links\[(\d+)\]/.exec(error.message)?.[1]];

            trouble.textContent = 'Nothing was registered. '
                + (row === undefined ? '' : `Line ${row.line}, ${row.source}: `)
                + error.message.replace(/^links\[\d+\][.:]? */, '')
                    .replace(/^(it is the same link as )links\[(\d+)\]/,
                             lineOf);
            lines.focus();
        }
    }

    return h('section', {}, h('h2', {}, 'Several at once'),
             h('form', { class: 'link-form', submit },
               labelled('Pages or sites, one a line; all or none are '
                        + 'registered', lines, trouble),
               h('div', { class: 'actions' },
                 h('button', { class: 'strong' }, 'Register all'))));
}


function askToRemove(link) {
    const trouble = fault();
    const dialog = h('dialog', { 'aria-labelledby': 'remove-title',
                                 close: () => dialog.remove() },
        h('h2', { id: 'remove-title' }, `Remove ${linkTitle(link)}?`),
        h('p', {}, 'It is not matched any more, and no report has its clicks. '
          + 'Its totals stay: registered again, it has them back.'), trouble,
        h('div', { class: 'actions' },
          h('button', { type: 'button', class: 'danger', click: remove },
            'Remove'),
          h('button', { type: 'button', autofocus: true,
                        click: () => dialog.close() }, 'Keep')));

    async function remove() {
        try {
            await send('DELETE', `/links/${link.key}`);
            dialog.close();
            known.done = 'Removed. ';
            go(to('links'));
        } catch (error) {
            trouble.textContent = error.message;
        }
    }

    document.body.append(dialog);
    dialog.showModal();
}


// -- the router ---------------------------------------------------------------

const VIEWS = {
    '': overview, links, link: oneLink, groups, hosts: sums, channels: sums,
    partners: sums, labels: sums, sources, broken, ignored, report, live,
    health, words, add: addLinks,
};

let leaving = new AbortController();
let arrivedAt = 0;
let refreshAfter = REFRESH;


// quiet: the same view with other rows; what is focused stays so.

async function arrive(quiet = false) {
    leaving.abort();
    leaving = new AbortController();
    refreshAfter = REFRESH;

    const { signal } = leaving;
    const main = $('main');

    readPlace();
    showNav();
    main.setAttribute('aria-busy', 'true');

    const slow = setTimeout(showWait, PATIENCE, main);

    try {
        known.registries ??= await registriesOf(signal);
        showNav();

        if (place.view !== '' && !isList()) {
            showFaults(await recentSummary(signal));
            showNav();
        }

        const view = isList() ? registries : VIEWS[place.view] ?? nowhere;

        show(await view(signal), signal, quiet);
    } catch (error) {
        if (error.name !== 'AbortError' && !signal.aborted) {
            show([heading('Something is missing'),
                  refusalBox(error, () => arrive())], signal, quiet);
        }
    } finally {
        clearTimeout(slow);
    }
}


// What stands below is of the view before.  Over HTTP/1.1 a browser keeps six
// connections to a server, and each live view has one for itself.

function showWait(main) {
    main.querySelector('.wait')?.remove();
    main.prepend(h('p', { class: 'note wait', role: 'status' },
        'No answer yet. The server is busy or away, or this browser has too '
        + 'many live views open: close some.'));
}


// Below a status location for all registries is a list of them, and of each the
// tree; below one for a single registry its tree, and no list: false.

async function registriesOf(signal) {
    const { registries: list } = await get('', {}, signal, ROOT);

    return list ?? false;
}


function isList() {
    return Array.isArray(known.registries) && place.registry === '';
}


function show(nodes, signal, quiet) {
    if (signal.aborted) {
        return;
    }

    const main = $('main');
    const focused = document.activeElement;
    const keep = quiet && main.contains(focused) && focused.id;
    const caret = keep && focused.selectionStart;

    main.replaceChildren(...[nodes].flat(Infinity).filter(Boolean));
    main.setAttribute('aria-busy', 'false');
    showNav();

    const title = main.querySelector('h1')?.textContent ?? 'Referrals';

    const name = known.summary?.registry ?? 'Referrals';

    document.title = `${title} \u2013 ${name}`;

    if (keep && $(keep)) {
        $(keep).focus();
        $(keep).setSelectionRange?.(caret, caret);
    } else if (arrivedAt > 0 && !quiet) {
        (placeOfWord() ?? main.querySelector('h1') ?? main).focus();
    }

    arrivedAt = Date.now();
    say(quiet ? 'Updated.' : known.done + title);
    known.done = '';
}


function placeOfWord() {
    const word = place.view === 'words' && $(`word-${place.rest[0]}`);

    if (word) {
        word.tabIndex = -1;
        word.scrollIntoView();
    }

    return word || null;
}


function nowhere() {
    return [heading('There is no such view'),
            h('p', {}, h('a', { href: to('') }, 'To the overview'))];
}


function showNav() {
    const several = Array.isArray(known.registries);
    const name = several ? place.registry : known.summary?.registry ?? '';
    const current = { link: 'links', add: 'links', report: 'partners',
                      ignored: 'sources' };

    const views = isList() ? [] : NAV;

    // made once: what is focused there stays so
    if ($('nav').children.length !== views.length) {
        $('nav').replaceChildren(...views.map(([, title]) =>
            h('a', {}, title)));
    }

    views.forEach(([view], i) => showNavLink($('nav').children[i], view,
        view === (current[place.view] ?? place.view)));

    $('home').textContent = name ? `Referrals \u00b7 ${name}` : 'Referrals';
    $('home').setAttribute('href', several ? '#/' : to(''));
    $('about').textContent = known.summary?.version
        ? `ngx_referral_module ${known.summary.version}` : '';
}


function showNavLink(link, view, isCurrent) {
    link.setAttribute('href', to(view));

    // once: a view that keeps itself fresh stays where it was scrolled to
    if (isCurrent && !link.hasAttribute('aria-current')) {
        link.setAttribute('aria-current', 'page');
        link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    } else if (!isCurrent) {
        link.removeAttribute('aria-current');
    }
}


const THEMES = { auto: 'as the system', light: 'light', dark: 'dark' };


function setTheme(theme) {
    if (theme === 'auto') {
        delete document.documentElement.dataset.theme;
    } else {
        document.documentElement.dataset.theme = theme;
    }

    $('theme').textContent = `Theme: ${THEMES[theme]}`;
    $('theme').value = theme;
}


// Storage may be refused: the theme then lasts as long as the page.

function storedTheme() {
    try {
        return localStorage.getItem('referral-theme') ?? 'auto';
    } catch {
        return 'auto';
    }
}


function nextTheme() {
    const names = Object.keys(THEMES);
    const theme = names[(names.indexOf($('theme').value) + 1) % names.length];

    setTheme(theme);

    try {
        localStorage.setItem('referral-theme', theme);
    } catch {
        say('The theme is not kept: the browser refuses storage.');
    }
}


// What says how things are now keeps itself fresh, if nobody is busy with it.
// An answer that is slow is waited for, not asked for anew.

function refresh() {
    const idle = getSelection().isCollapsed
                 && (!$('main').contains(document.activeElement)
                     || document.activeElement === $('main')
                     || document.activeElement.tagName === 'H1');

    if (['', 'health'].includes(place.view) && idle && !document.hidden
        && $('main').getAttribute('aria-busy') !== 'true'
        && Date.now() - arrivedAt >= refreshAfter)
    {
        arrive(true);
    }
}


function start() {
    const stored = storedTheme();

    setTheme(THEMES[stored] ? stored : 'auto');
    $('theme').addEventListener('click', nextTheme);
    $('zone').textContent =
        Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'local';

    document.querySelector('.skip').addEventListener('click', event => {
        event.preventDefault();
        $('main').focus();
    });

    addEventListener('hashchange', () => arrive());
    setInterval(refresh, 1000);
    arrive();
}


start();

})();
