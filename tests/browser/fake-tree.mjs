// A status tree of made-up links, for work on the dashboard and for what a
// test cannot ask of a real nginx: a year of history, a million links, faults.
//
//     node tests/browser/fake-tree.mjs [LINKS [PORT]]     write is on
//
//     const tree = await FakeTree.start({ links: 25, write: true });
//     tree.url  tree.requests  tree.health  tree.links ...
//     await tree.stop();
//
// It answers in the shapes of docs/api.md.  Numbers follow from a link's index
// and the length of the period alone.

import { execFileSync } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const DAY = 86400000;
const STEP = { minute: 60000, hour: 3600000, day: DAY };
const BACK = { minute: DAY, hour: 7 * DAY, day: 90 * DAY };
const YEAR = 400;
const LISTED = 20000;

const COUNTERS = ['clicks', 'reloads', 'redirects', 'errors_4xx', 'errors_5xx',
                  'embeds', 'prefetches', 'bots', 'other', 'clicks_by_tag',
                  'clicks_by_page', 'other_landing', 'bytes'];
const OUTCOMES = ['direct', 'hidden', 'internal', 'malformed', 'matched',
                  'ambiguous', 'unregistered', 'skipped'];
const EVIDENCE = ['tag', 'exact', 'regex', 'prefix', 'landing', 'host',
                  'domain'];
const CHANNELS = ['guest-post', 'press', 'partner', 'directory', 'unassigned',
                  'social', 'resource'];
const PARTNERS = ['Acme', 'Northwind', 'Initech', 'Larch & Sons', ''];
const SITES = ['blog', 'news', 'weekly', 'garden', 'review', 'letters',
               'notes', 'studio', 'atlas', 'harbour'];
const TOPICS = ['Launch post', 'Interview', 'Field notes', 'Review',
                'Reading list', 'How it works', 'Year in numbers', 'Recipe'];
const EDITABLE = ['tag', 'name', 'channel', 'origin', 'partner', 'placement',
                  'rel', 'authority', 'anchor', 'labels', 'note', 'cost',
                  'listed_first', 'listed_last'];


export class FakeTree {

    static async start(options = {}) {
        const tree = new FakeTree(options);

        await new Promise(done => tree.server.listen(options.port ?? 0,
                                                     '127.0.0.1', done));
        tree.port = tree.server.address().port;
        tree.url = `http://127.0.0.1:${tree.port}${tree.location}`;

        return tree;
    }

    constructor({ links = 25, write = false, registries = null,
                  hostile = false, location = '/referral_status' } = {}) {
        this.location = location;
        this.registries = registries;
        this.write = write;
        this.hostile = hostile;
        this.count = links;
        this.share = 1;                 // of the clicks that links have
        this.several = links > 1 ? 0.12 : 0;    // of them, by one of several
        this.gone = 0;                  // clicks by links removed since
        this.robots = [];               // links that robots alone came by
        this.sharedMore = {};           // other counters of groups
        this.kept = { day: YEAR * DAY, hour: YEAR * DAY, minute: YEAR * DAY };
        this.own = new Map();           // links that were written
        this.removed = new Set();
        this.ignored = ['spam.example'];
        this.requests = [];
        this.sorted = new Map();
        this.feeds = new Set();
        this.failing = new Map();       // path: [status, code, text]
        this.health = { registry: 'ok', ledger: 'ok', counters: 'ok',
                        flush_age_ms: 1800, flush_errors: 0, capacity: 1048576,
                        overflow: 0, lookup_errors: 0, regex_limits: 0,
                        readers: 2, diagnosis: [] };

        const embed = option => execFileSync(
            path.join(ROOT, 'tools/embed-dashboard'), [option],
            { encoding: 'utf8' });

        this.page = embed('--page');
        this.policy = embed('--csp');
        this.server = http.createServer((request, response) => {
            this.serve(request, response).catch(error => {
                response.statusCode = 500;
                response.end(String(error.stack));
            });
        });
    }

    async stop() {
        for (const feed of this.feeds) {
            feed.end();
        }

        this.server.closeAllConnections();
        await new Promise(done => this.server.close(done));
    }

    // -- requests ----------------------------------------------------------

    async serve(request, response) {
        const url = new URL(request.url, 'http://tree');
        const args = readArgs(url.search);

        this.requests.push(`${request.method} ${request.url}`);

        if (!url.pathname.startsWith(this.location)) {
            return refuse(response, 404, 'PathUnknown', 'not the location');
        }

        let parts = url.pathname.slice(this.location.length).split('/')
            .filter(Boolean).map(decodeURIComponent);

        if (parts.length === 0 && !args.format
            && (request.headers.accept ?? '').includes('text/html'))
        {
            return this.sendPage(response);
        }

        if (this.registries) {
            if (parts.length === 0) {
                return json(response, 200, { registries: this.registries });
            }

            parts = parts.slice(1);
        }

        const failure = this.failing.get(`${request.method} /`
                                         + (parts[0] ?? ''));

        if (failure) {
            return refuse(response, ...failure);
        }

        if (request.method === 'GET') {
            return this.read(parts, args, response);
        }

        let text = '';

        for await (const part of request) {
            text += part;
        }

        return this.change(request, parts, text, response);
    }

    sendPage(response) {
        response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8',
                                  'Content-Security-Policy': this.policy,
                                  'X-Content-Type-Options': 'nosniff',
                                  'Cache-Control': 'no-store' });
        response.end(this.page);
    }

    read(parts, args, response) {
        const [kind, key, more] = parts;

        if (args.limit === 'all' || Number(args.limit) > 10000) {
            return refuse(response, 400, 'ParameterInvalid',
                          'limit is 1 to 10000');
        }

        if (kind === undefined) {
            return json(response, 200, this.summary(readPeriod(args)));
        }

        if (kind === 'events') {
            return this.feed(response);
        }

        if (kind === 'history' || more === 'history') {
            const at = more && this.indexOf(key);

            return at === null
                ? refuse(response, 404, 'LinkUnknown', 'no such link')
                : answerOf(response, this.history(args, at));
        }

        if (kind === 'links' && key !== undefined) {
            const at = this.indexOf(key);

            return at === null
                ? refuse(response, 404, 'LinkUnknown',
                         'no link has this key: it may have been removed')
                : json(response, 200, this.row(at, readPeriod(args)));
        }

        const answer = kind === 'links' ? this.listLinks(args)
            : kind === 'sources' ? this.listSources()
            : kind === 'broken' ? this.listBroken()
            : kind === 'ignored' ? { ignored: this.ignored.map(host =>
                ({ host, since: '2026-01-02T03:04:05Z' })) }
            : ['hosts', 'channels', 'partners', 'labels'].includes(kind)
            ? this.listSums(kind, args) : null;

        return answer === null
            ? refuse(response, 404, 'PathUnknown', 'no such path')
            : args.format === 'csv' ? csv(response, answer)
            : json(response, 200, answer);
    }

    // -- sources -----------------------------------------------------------

    listSources() {
        const bad = '/<img src=x>\u202e\'"$(x)';
        const rows = [['forum.example', '/pricing', 120, 3, 0, 0],
                      ['news.example', '/old', 0, 41, 2, 7],
                      ['android-app:com.example.reader',
                       '/%D1%86%d0%b5%D0%BD%D1%8B', 12, 0, 0, 0],
                      ['--note', '/a', 5, 0, 0, 0],
                      ['mail.example', '/u/\u2026/x', 4, 0, 0, 0],
                      ['hostile.example', bad, 3, 0, 0, 0]];

        return this.table({ sources: rows.filter(([host]) =>
            !this.ignored.includes(host)).map(row => ({
                host: row[0], landing: row[1], clicks: row[2],
                errors_4xx: row[3], errors_5xx: row[4], error: row[5],
                ...this.seen() })) });
    }

    listBroken() {
        const link = this.link(0);
        const row = (from, landing, status, clicks, rule) => ({
            link: null, group: null, source: null, host: null, landing,
            status, clicks, error: 0, rule, ...from, ...this.seen() });

        return this.table({ broken: [
            row({ host: 'news.example' }, '/old', '404', 41,
                'location = "/old" { return 301 "/"; }'),
            row({ link: link.key, source: link.source }, '/gone', '410', 9,
                'location = "/gone" { return 301 "/pricing"; }'),
            row({ group: 'f'.repeat(16) }, '/%E7%9B%AE%20%2F%3Cb%FF'
                + '/%E2%80%AEx%C2%85%C2%A0%E2%80%8B%CE%A9', '4xx', 5, null),
            row({ host: 'hostile.example' }, '/<img src=x>', '5xx', 3, null),
        ] });
    }

    seen() {
        return { first_seen: '2026-01-02T03:04:05Z',
                 last_seen: new Date().toISOString().replace(/\.\d+/, '') };
    }

    table(rows) {
        return { ...rows, next: null, since: '2026-01-01T00:00:00Z',
                 read: 4711, missed: 12, rows: 2000, forgotten_below: 0 };
    }

    // -- links -------------------------------------------------------------

    // Of very many the first are enough: nobody pages further.

    get indexes() {
        const all = [];

        for (let i = 0; i < Math.min(this.count, LISTED); i++) {
            if (!this.removed.has(i)) {
                all.push(i);
            }
        }

        for (const i of this.own.keys()) {
            if (i >= this.count && !this.removed.has(i)) {
                all.push(i);
            }
        }

        return all;
    }

    get registered() {
        return this.count + [...this.own.keys()]
            .filter(i => i >= this.count).length - this.removed.size;
    }

    get states() {
        const states = { new: 0, active: 0, silent: 0, never: 0, revived: 0 };
        const { indexes } = this;

        indexes.forEach(i => { states[this.link(i).state]++; });
        states.active += this.registered - indexes.length;

        return { ...states, judged: iso(Date.now()) };
    }

    link(i) {
        return this.own.get(i) ?? this.made(i);
    }

    made(i) {
        const host = `${SITES[i % SITES.length]}${i < 10 ? '' : `-${i % 997}`}`
                     + '.example';
        const tag = i % 11 === 7;
        const text = TOPICS[i % TOPICS.length];
        const bad = this.hostile && i === 0;

        return {
            key: keyOf(i),
            source: tag ? '' : i % 6 === 4 ? host
                    : `https://${host}/${2020 + i % 7}/`
                      + text.toLowerCase().replaceAll(' ', '-'),
            match_type: tag ? 'tag' : i % 6 === 4 ? 'host' : 'exact',
            target: i % 6 === 4 || tag ? '' : `/${['pricing', 'docs', 'tour',
                                            'start'][i % 4]}`,
            tag: tag ? `mail-${i}` : '',
            name: bad ? '<img src=x onerror="document.title=1"></script>\u0085'
                  : i % 3 ? `${text} ${2020 + i % 7}` : '',
            channel: CHANNELS[i % CHANNELS.length],
            origin: 'earned', partner: PARTNERS[i % PARTNERS.length],
            placement: 'content', rel: 'follow', authority: i * 7 % 100,
            anchor: text.toLowerCase(), labels: i % 4 ? [] : ['q4', 'spring'],
            note: bad ? 'javascript:alert(1)' : '', cost: null,
            listed_first: null, listed_last: null,
            created: '2025-10-02T09:30:00Z',
            first_seen: '2025-10-03T11:00:00Z',
            last_seen: new Date(Date.now() - i % 300 * 3600000 - 60000)
                .toISOString().replace(/\.\d+/, ''),
            state: stateOf(i), state_since: '2026-02-03T00:00:00Z',
        };
    }

    indexOf(key) {
        for (const [i, link] of this.own) {
            if (link.key === key) {
                return this.removed.has(i) ? null : i;
            }
        }

        const i = Number.parseInt(key, 16) / 0x10001;

        return Number.isInteger(i) && i < this.count && keyOf(i) === key
               && !this.removed.has(i) ? i : null;
    }

    counters(i, scale) {
        const n = i >= this.count || this.robots.includes(i) ? 0
                  : Math.floor(42000 / (1 + i % 99991) ** 0.85
                               * (0.6 + noise(i) * 0.8) * scale * this.share);
        const by = (part, salt) => Math.floor(n * part * noise(i + salt));
        const broken = i % 9 === 3 ? 0.5 : 0.004;

        return {
            clicks: n, reloads: by(0.2, 1), redirects: by(0.15, 2),
            errors_4xx: by(broken, 3), errors_5xx: by(i % 20 ? 0 : 0.05, 4),
            embeds: by(0.1, 5), prefetches: by(0.2, 6),
            bots: this.robots.includes(i) ? 3 : by(0.5, 7),
            other: by(0.05, 8), clicks_by_tag: i % 11 === 7 ? n : 0,
            clicks_by_page: i % 11 === 7 ? 0 : by(0.4, 9),
            other_landing: by(0.02, 10), bytes: n * 18213,
        };
    }

    // The second and the third, the sixth and the seventh ... are alike.

    groups(i, scale) {
        return i < this.count && i % 5 > 0 && i % 5 < 3 && i < 500
            ? [{ key: keyOf(900000 + Math.floor(i / 5)), links: 2,
                 clicks: Math.floor(3000 / (1 + i / 5) * scale) }] : [];
    }

    row(i, period) {
        const row = { ...this.link(i), groups: this.groups(i, period.scale) };

        if (period.from !== null) {
            row.period = { from: iso(period.from), to: iso(period.to) };
        }

        row.counters = this.counters(i, period.scale);

        if (period.compare) {
            row.previous = this.counters(i, period.scale * before(i));
        }

        return row;
    }

    listLinks(args) {
        const period = readPeriod(args);
        const sort = args.sort ?? 'clicks';
        const limit = Number(args.limit ?? 100);
        const start = Number(args.after?.slice(1) ?? 0);
        const all = this.matching(args);
        const value = sort === 'key' ? i => Number.parseInt(keyOf(i), 16)
            : sort === 'last_seen' ? i => Date.parse(this.link(i).last_seen)
            : i => this.counters(i, period.scale)[sort];

        const values = new Map(all.map(i => [i, value(i)]));

        all.sort((a, b) => args.order === 'asc'
            ? values.get(a) - values.get(b) : values.get(b) - values.get(a));

        return { links: all.slice(start, start + limit)
                     .map(i => this.row(i, period)),
                 next: start + limit < all.length ? `o${start + limit}`
                                                  : null };
    }

    matching(args) {
        const q = args.q?.toLowerCase();

        return this.indexes.filter(i => {
            const link = this.link(i);

            return ['channel', 'origin', 'state'].every(name =>
                       args[name] === undefined || link[name] === args[name])
                && (args.partner === undefined
                    || (link.partner ?? '') === args.partner)
                && (args.label === undefined || (args.label === ''
                    ? link.labels.length === 0
                    : link.labels.includes(args.label)))
                && (args.host === undefined || hostOf(link) === args.host)
                && (args.group === undefined || this.groups(i, 1)
                    .some(group => group.key === args.group))
                && (q === undefined || ['source', 'target', 'name', 'partner',
                                        'tag', 'anchor', 'note'].some(name =>
                    (link[name] ?? '').toLowerCase().includes(q)));
        });
    }

    // -- sums --------------------------------------------------------------

    listSums(kind, args) {
        const period = readPeriod(args);
        const names = { hosts: link => [hostOf(link)],
                        channels: link => [link.channel ?? 'unassigned'],
                        partners: link => [link.partner ?? ''],
                        labels: link => link.labels }[kind];
        const rows = new Map();

        for (const i of this.indexes) {
            for (const name of names(this.link(i))) {
                addTo(rows, name, this.counters(i, period.scale),
                      this.counters(i, period.scale * before(i)));
            }
        }

        const sort = args.sort ?? 'clicks';
        const sign = (args.order ?? (sort === 'name' ? 'asc' : 'desc'))
                     === 'asc' ? 1 : -1;
        const list = [...rows.values()].sort((a, b) => sign
            * (sort === 'name' ? a.name.localeCompare(b.name)
               : a.counters[sort] - b.counters[sort]));
        const limit = Number(args.limit ?? 100);
        const start = Number(args.after?.slice(1) ?? 0);

        if (!period.compare) {
            list.forEach(row => delete row.previous);
        }

        return { [kind]: list.slice(start, start + limit),
                 next: start + limit < list.length ? `o${start + limit}` : null,
                 shared: { groups: 3, ...this.both(period, scale =>
                     this.shared(scale)) },
                 removed: this.both(period, scale => ({
                     ...zeros(), clicks: Math.floor(this.gone * scale) })) };
    }

    both(period, countersOf) {
        return { counters: countersOf(period.scale),
                 ...(period.compare && { previous: countersOf(period.scale
                                                              * 0.926) }) };
    }

    shared(scale) {
        return { ...zeros(), clicks: this.count > 1
                                     ? Math.floor(640 * scale) : 0,
                 ...this.sharedMore };
    }

    summary(period) {
        const answer = {
            registry: this.registries ? 'shop' : 'main', version: '0.1.0',
            now: iso(Date.now()), write: this.write,
            ...this.numbers(period.scale),
        };

        answer.links.registered = this.registered;
        answer.states = this.states;

        if (period.from !== null) {
            answer.period = { from: iso(period.from), to: iso(period.to) };
        }

        if (period.compare) {
            answer.previous = this.numbers(period.scale * 0.926);
        }

        answer.health = this.health;
        answer.top = this.listLinks({ ...period.args, limit: 20 }).links;

        return answer;
    }

    numbers(scale) {
        const key = `sum ${this.registered} ${scale} ${this.share} ${
            this.robots}`;

        if (!this.sorted.has(key)) {
            const sum = zeros();
            let active = 0;

            for (let i = 0; i < Math.min(this.count, LISTED); i++) {
                const counters = this.counters(i, scale);

                active += counters.clicks > 0 || counters.bots > 0;
                COUNTERS.forEach(name => { sum[name] += counters[name]; });
            }

            this.sorted.set(key, { sum, active });
        }

        const { sum, active } = this.sorted.get(key);
        const by = part => Math.floor(sum.clicks * part);
        const clicks = { direct: by(0.61), hidden: by(0.17),
                         matched: sum.clicks + Math.floor(this.gone * scale),
                         ambiguous: by(this.several)
                                    + (this.sharedMore.clicks ?? 0),
                         unregistered: by(0.34) };
        const outcomes = Object.fromEntries(OUTCOMES.map(name =>
            [name, Math.floor((clicks[name] ?? by(2.2)) * 1.4)]));

        return { links: { active }, outcomes, clicks, classes: { ...sum },
                 evidence: Object.fromEntries(EVIDENCE.map((name, i) =>
                     [name, by(0.3 / (i + 1))])) };
    }

    // -- history -----------------------------------------------------------

    history(args, at) {
        const unit = args.unit ?? 'day';
        const step = STEP[unit];
        const end = args.to ? Date.parse(args.to) : Date.now();

        if (args.from && Date.parse(args.from) > Date.now()) {
            return null;
        }

        const from = args.from ? Date.parse(args.from) : end - BACK[unit];
        const first = Math.max(Math.floor(from / step) * step,
                               Date.now() - this.kept[unit]);
        const buckets = [];

        for (let start = Math.ceil(first / step) * step;
             start < Math.min(end, Date.now()) && this.count > 0;
             start += step)
        {
            const scale = wave(start) * step / (YEAR * DAY);
            const numbers = at === undefined ? this.numbers(1) : null;
            const counters = numbers ? numbers.classes : this.counters(at, 1);
            const bucket = { start: iso(start),
                             counters: scaled(counters, scale) };

            if (numbers) {
                bucket.outcomes = scaled(numbers.outcomes, scale);
                bucket.clicks = scaled(numbers.clicks, scale);
            }

            if (noise(start / step) > 0.04) {
                buckets.push(bucket);
            }
        }

        return { unit, from: iso(from), to: iso(end), buckets };
    }

    // -- the feed ----------------------------------------------------------

    feed(response) {
        response.writeHead(200, { 'Content-Type': 'text/event-stream',
                                  'Cache-Control': 'no-store' });
        this.feeds.add(response);
        response.on('close', () => this.feeds.delete(response));
        this.emit('summary', { outcomes: this.numbers(1).outcomes,
                               clicks: this.numbers(1).clicks,
                               now: iso(Date.now()) });
    }

    emit(name, data) {
        for (const feed of this.feeds) {
            feed.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
        }
    }

    click(i, more = {}) {
        const link = this.link(i);

        this.emit('match', { time: iso(Date.now()), outcome: 'matched',
                             link: link.key, group: null, name: link.name ?? '',
                             class: 'click', evidence: 'landing',
                             source: hostOf(link), landing: link.target ?? '/',
                             status: 200, ...more });
    }

    // -- writing -----------------------------------------------------------

    change(request, [kind, key], text, response) {
        if (!this.write) {
            response.setHeader('Allow', 'GET, HEAD');
            return refuse(response, 405, 'MethodNotAllowed', 'read only');
        }

        if (kind === 'ignored') {
            this.ignored = request.method === 'DELETE'
                ? this.ignored.filter(host => host !== key)
                : [...this.ignored, ...JSON.parse(text).map(it => it.source)];

            return request.method === 'DELETE'
                ? response.writeHead(204).end()
                : json(response, 201, { ignored: this.ignored });
        }

        const at = key === undefined ? null : this.indexOf(key);

        if (kind !== 'links' || (key !== undefined && at === null)) {
            return refuse(response, 404, 'LinkUnknown', 'no such link');
        }

        if (request.method === 'DELETE') {
            this.removed.add(at);
            response.writeHead(204);
            return response.end();
        }

        if (request.headers['content-type'] !== 'application/json') {
            return refuse(response, 415, 'TypeUnsupported', 'JSON is wanted');
        }

        const body = JSON.parse(text);

        return request.method === 'PATCH' ? this.edit(at, body, response)
                                          : this.add(body, response);
    }

    edit(at, body, response) {
        const fault = faultOf(body, EDITABLE);

        if (fault) {
            return refuse(response, 400, 'FieldInvalid', fault);
        }

        this.own.set(at, { ...this.link(at), ...body,
                           labels: body.labels ?? this.link(at).labels });

        return json(response, 200, this.row(at, readPeriod({})));
    }

    add(body, response) {
        const list = Array.isArray(body) ? body : [body];
        const names = ['source', 'match_type', 'target', ...EDITABLE];

        for (const [i, fields] of list.entries()) {
            const where = Array.isArray(body) ? `links[${i}].` : '';
            const fault = faultOf(fields, names)
                ?? (fields.source || fields.tag ? null
                    : 'source: a link needs a source or a tag');

            if (fault) {
                return refuse(response, 400, 'FieldInvalid', where + fault);
            }

            if (this.indexes.slice(0, 1000).some(at =>
                this.link(at).source === fields.source && fields.source
                && (this.link(at).target ?? '') === (fields.target ?? '')))
            {
                return refuse(response, 409, 'LinkExists',
                              `${where}already registered as ${keyOf(0)}`);
            }
        }

        const rows = list.map(fields => this.row(this.put(fields),
                                                 readPeriod({})));

        return json(response, 201, Array.isArray(body) ? { links: rows }
                                                       : rows[0]);
    }

    put(fields) {
        const at = 5000000 + this.own.size;

        this.own.set(at, { ...Object.fromEntries(EDITABLE.map(name =>
                               [name, null])),
                           target: null, match_type: 'exact', labels: [],
                           channel: 'unassigned', origin: 'other',
                           created: iso(Date.now()), first_seen: null,
                           last_seen: null, state: 'new', state_since: null,
                           ...fields, key: keyOf(at) });

        return at;
    }
}


function keyOf(i) {
    return (i * 0x10001).toString(16).padStart(16, '0');
}


function noise(n) {
    const x = Math.sin(n * 12.9898 + 4.1) * 43758.5453;

    return x - Math.floor(x);
}


function before(i) {
    return 0.7 + noise(i + 20) * 0.5;
}


// Weekdays and some years of growth, as a site has them.

function wave(start) {
    const day = Math.floor(start / DAY);
    const weekend = [0.8, 1.1, 1.15, 1.1, 1.1, 1, 0.7][(day + 4) % 7];
    const hour = 0.6 + 0.4 * Math.sin((start % DAY) / DAY * 6.28 - 1.8);
    const launch = 1 + 1.4 * Math.exp(-(((day % 90) - 40) ** 2) / 8);

    return weekend * launch * (0.85 + 0.3 * noise(day))
           * (start % DAY === 0 ? 1 : hour);
}


function zeros() {
    return Object.fromEntries(COUNTERS.map(name => [name, 0]));
}


function scaled(numbers, scale) {
    return Object.fromEntries(Object.entries(numbers).map(([name, n]) =>
        [name, Math.round(n * scale)]));
}


function addTo(rows, name, counters, previous) {
    const row = rows.get(name) ?? { name, links: 0, counters: zeros(),
                                    previous: zeros() };

    row.links++;
    COUNTERS.forEach(counter => {
        row.counters[counter] += counters[counter];
        row.previous[counter] += previous[counter];
    });
    rows.set(name, row);
}


function stateOf(i) {
    return { 3: 'silent', 6: 'never', 8: 'revived' }[i % 10] ?? 'active';
}


function hostOf(link) {
    return (link.source ?? '').replace(/^https?:\/\//, '').split('/')[0];
}


function iso(time) {
    return new Date(time).toISOString().replace(/\.\d+/, '');
}


function readArgs(search) {
    return Object.fromEntries(search.slice(1).split('&').filter(Boolean)
        .map(pair => {
            const [name, value = ''] = pair.split('=');

            return [name, decodeURIComponent(value)];
        }));
}


function readPeriod(args) {
    const from = args.from ? Date.parse(args.from) : null;
    const to = args.to ? Date.parse(args.to) : Date.now();

    return { from, to, compare: args.compare === 'previous', args,
             scale: from === null ? 1
                   : Math.max(0, Math.min(1, (to - from) / DAY / YEAR)) };
}


function faultOf(fields, names) {
    for (const [name, value] of Object.entries(fields)) {
        if (!names.includes(name)) {
            return `${name}: is no field that can be set`;
        }

        if (name === 'authority' && value !== null
            && !(Number.isInteger(value) && value >= 0 && value <= 100))
        {
            return `authority "${value}": not a number from 0 to 100`;
        }

        if (name === 'source' && /\s/.test(value)) {
            return `source "${value}": has white space`;
        }
    }

    return null;
}


function json(response, status, body) {
    response.writeHead(status, { 'Content-Type': 'application/json',
                                 'Cache-Control': 'no-store' });
    response.end(JSON.stringify(body));
}


function answerOf(response, answer) {
    return answer ? json(response, 200, answer)
        : refuse(response, 400, 'ParameterInvalid',
                 'from: a time before now is wanted');
}


function csv(response, answer) {
    const rows = Object.values(answer).find(Array.isArray);

    response.writeHead(200, { 'Content-Type': 'text/csv; charset=utf-8' });
    response.end(`name,clicks\r\n${rows.map(row =>
        `"${row.name ?? row.source}",${row.counters?.clicks}\r\n`).join('')}`);
}


function refuse(response, status, code, text) {
    return json(response, status, { error: { status, code, text },
                                    request_id: '' });
}


if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const tree = await FakeTree.start({ links: Number(process.argv[2] ?? 25),
                                        port: Number(process.argv[3] ?? 0),
                                        write: true });

    console.log(tree.url);
    setInterval(() => tree.click(Math.floor(Math.random()
                                            * Math.min(tree.count, 500))), 900);
}
