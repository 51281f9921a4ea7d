// A real nginx for the browser tests: shop.example, which is counted, and on
// every other host blogs, which are not; both on https and on plain http, and
// the status on a port of its own.
//
//     const site = await Site.start();
//     const link = site.link({ source: 'https://blog.example/post',
//                              target: '/pricing' });
//     site.page('blog.example', '/post', '<a href=...>');
//     ...
//     site.requests();            what the shop was asked for, a row each
//     await site.links();         the counters by key, as the status has them
//     await site.stop();
//
// With { write: true } the status writes, and two more are beside it: /all, of
// all registries, and /empty_status, of one without links.
//
// The environment is that of t/lib/Referral/Test.pm: TEST_NGINX_BINARY,
// TEST_NGINX_MODULE, TEST_REFERRALCTL, TEST_KEEP.

import { execFileSync, spawn } from 'node:child_process';
import { X509Certificate, createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PATIENCE = 15000;

export const SHOP = 'shop.example';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const NGINX = process.env.TEST_NGINX_BINARY ?? '/usr/sbin/nginx';
const MODULE = process.env.TEST_NGINX_MODULE
               ?? path.join(ROOT, 'build/ngx_http_referral_module.so');
const REFERRALCTL = process.env.TEST_REFERRALCTL
                    ?? path.join(ROOT, 'build/referralctl');

// What the module decided, and what it decided on.

const LOGGED = {
    outcome: '$referral_outcome',
    class: '$referral_class',
    evidence: '$referral_evidence',
    link: '$referral_link',
    scheme: '$scheme',
    method: '$request_method',
    uri: '$request_uri',
    status: '$status',
    referer: '$http_referer',
    dest: '$http_sec_fetch_dest',
    mode: '$http_sec_fetch_mode',
    site: '$http_sec_fetch_site',
    user: '$http_sec_fetch_user',
    secPurpose: '$http_sec_purpose',
    purpose: '$http_purpose',
    cacheControl: '$http_cache_control',
    accept: '$http_accept',
    userAgent: '$http_user_agent',
};

// Whatever happens to the test, no nginx and no file stays.

const live = new Set();

process.on('exit', () => {
    for (const site of live) {
        site.kill();
        site.remove();
    }
});

for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) {
    process.on(signal, () => process.exit(1));
}


export class Site {

    static async start({ write = false } = {}) {
        const site = new Site();

        live.add(site);
        site.write = write;
        site.makeDirectories();
        site.makeCertificate();
        site.makePages();

        for (const registry of write ? ['referral', 'empty'] : ['referral']) {
            site.command(registry, 'init',
                         ...(site.user ? ['--owner', site.user] : []));
        }

        for (let tries = 5; tries > 0; tries--) {
            await site.choosePorts();
            fs.writeFileSync(site.file('nginx.conf'), site.configuration());
            site.spawn();

            if (await site.isReady()) {
                return site;
            }
        }

        throw new Error(`nginx did not start:\n${site.read('error.log')}`);
    }

    file(...names) {
        return path.join(this.dir, ...names);
    }

    read(name) {
        return fs.readFileSync(this.file(name), 'utf8');
    }

    // Started by root the workers are www-data, as in production.

    makeDirectories() {
        const shm = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();

        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'referral-browser-'));
        this.shm = fs.mkdtempSync(path.join(shm, 'referral-browser-'));

        for (const name of ['blogs', 'shop', 'temp', 'referral', 'empty']) {
            fs.mkdirSync(this.file(name));
        }

        fs.chmodSync(this.dir, 0o755);

        if (process.getuid() === 0) {
            this.user = 'www-data';
            this.workers = { uid: idOf('-u', this.user),
                             gid: idOf('-g', this.user) };
            execFileSync('chown', ['www-data:www-data', this.shm,
                                   this.file('referral'), this.file('empty')]);
        }
    }

    // Chromium is told to trust this key.  It would accept any certificate by
    // --ignore-certificate-errors, but keeps nothing of such a site in its
    // cache: every step back would be a request.

    makeCertificate() {
        execFileSync('openssl', [
            'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
            '-keyout', this.file('key.pem'), '-out', this.file('cert.pem'),
            '-subj', `/CN=${SHOP}`, '-addext', 'subjectAltName=DNS:*.example',
        ], { stdio: 'pipe' });

        const { publicKey } = new X509Certificate(this.read('cert.pem'));

        this.keyHash = createHash('sha256')
            .update(publicKey.export({ type: 'spki', format: 'der' }))
            .digest('base64');
    }

    makePages() {
        fs.writeFileSync(this.file('shop', 'page.html'),
                         '<!doctype html><title>shop</title>'
                         + '<a id="inside" href="inside">on</a>');
        fs.writeFileSync(this.file('shop', 'worker.js'),
                         'onactivate = e => e.waitUntil(clients.claim());'
                         + 'onfetch = e => e.respondWith(fetch(e.request));');
    }

    // All are held open until all are chosen, so that they differ.

    async choosePorts() {
        const servers = [];

        for (let i = 0; i < 3; i++) {
            const server = net.createServer();
            await new Promise(done => server.listen(0, '127.0.0.1', done));
            servers.push(server);
        }

        [this.httpPort, this.httpsPort, this.statusPort] =
            servers.map(server => server.address().port);

        for (const server of servers) {
            await new Promise(done => server.close(done));
        }
    }

    configuration() {
        const log = Object.entries(LOGGED)
            .map(([name, variable]) => `"${name}":"${variable}"`);
        const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
            .map(name => `${name}_temp_path ${this.file('temp', name)};`);

        return `
${MODULE === '' ? '' : `load_module ${MODULE};`}
${this.user ? `user ${this.user};` : ''}
daemon off;
worker_processes 1;
pid ${this.file('nginx.pid')};
error_log ${this.file('error.log')} info;

events {
}

http {
    ${temp.join('\n    ')}
    access_log off;
    default_type text/html;
    types { text/html html; }

    referral_registry main ${this.file('referral')}
                      counters=${this.shm}/main.counters flush=1s;
${this.write ? this.emptyRegistry() : ''}

    log_format rows escape=json '{${log.join(',')}}';

    ssl_certificate ${this.file('cert.pem')};
    ssl_certificate_key ${this.file('key.pem')};

    server {
        listen 127.0.0.1:${this.statusPort} default_server;

        location /referral_status {
            referral_status main${this.write ? ' write=on' : ''};
        }
${this.write ? this.moreStatus() : ''}
    }

    server {
        listen 127.0.0.1:${this.httpPort} default_server;
        listen 127.0.0.1:${this.httpsPort} default_server ssl http2;
        root ${this.file('blogs')}/$host;

        location ~ ^/back/(.*)$ {
            return 302 $scheme://${SHOP}/$1;
        }

        location = /favicon.ico {
            return 204;
        }
    }

    server {
        listen 127.0.0.1:${this.httpPort};
        listen 127.0.0.1:${this.httpsPort} ssl http2;
        server_name ${SHOP}${this.write ? ' 127.0.0.1' : ''};
        root ${this.file('shop')};

        referral main;
        access_log ${this.file('access.log')} rows;

        # asked for again each time, as most sites want it of their pages

        location / {
            add_header Cache-Control no-cache;
            try_files /page.html =404;
        }

        location ~ /kept$ {
            add_header Cache-Control max-age=3600;
            try_files /page.html =404;
        }

        location ~ ^/([^/]+)/old$ {
            return 301 /$1/new$is_args$args;
        }

        location ~ ^/([^/]+)/away$ {
            return 302 $scheme://login.example/back/$1/landing;
        }

        location ~ ^/([^/]+)/silent$ {
            add_header Referrer-Policy same-origin;
            return 301 /$1/new;
        }

        location ~ ^/([^/]+)/secure$ {
            if ($scheme = http) {
                return 301 https://$host$request_uri;
            }

            try_files /page.html =404;
        }

        location ~ /gone$ {
            return 410 "gone";
        }

        location ~ /broken$ {
            return 503 "broken";
        }

        location ~ /folder {
            index index.html;
        }

        location ~ /no-store$ {
            add_header Cache-Control no-store;
            try_files /page.html =404;
        }

        location ~ /hints$ {
            add_header Accept-CH Sec-CH-Prefers-Color-Scheme;
            add_header Critical-CH Sec-CH-Prefers-Color-Scheme;
            add_header Cache-Control no-cache;
            return 200 "<!doctype html><title>hints</title>";
        }

        location ~ /form$ {
            return 200 "<!doctype html><title>sent</title>";
        }

        location ~ /picture$ {
            empty_gif;
        }

        location ~ /worker$ {
            default_type text/javascript;
            add_header Cache-Control max-age=3600;
            alias ${this.file('shop')}/worker.js;
        }

        location = /favicon.ico {
            referral off;
            access_log off;
            return 204;
        }
    }
}
`;
    }

    // Writes want a Host that is a name of a server that is counted.

    moreStatus() {
        return `
        location /all {
            referral_status all write=on;
        }

        location /empty_status {
            referral_status empty write=on;
        }

        location /below/ {
            referral_status main;
        }`;
    }

    emptyRegistry() {
        return `
    referral_registry empty ${this.file('empty')}
                      counters=${this.shm}/empty.counters flush=1s;

    server {
        listen 127.0.0.1:${this.statusPort};
        server_name empty.example;
        referral empty;
    }`;
    }

    spawn() {
        fs.writeFileSync(this.file('error.log'), '');

        this.nginx = spawn(NGINX, ['-e', this.file('error.log'), '-p', this.dir,
                                   '-c', this.file('nginx.conf')],
                           { stdio: 'ignore' });
        this.exited = new Promise(done => {
            this.nginx.on('exit', (code, signal) => done(code ?? signal));
            this.nginx.on('error', done);
        });
    }

    async isReady() {
        let ended = false;

        this.exited.then(() => { ended = true; });

        return until(async () => {
            if (ended) {
                return true;
            }

            return (await this.status('').catch(() => null)) !== null;
        }).then(() => !ended);
    }

    // Registers a link, returns its key.

    link({ source, match, target, tag }) {
        const args = source === undefined ? [] : [source];

        for (const [option, value] of [['--match-type', match],
                                       ['--target', target], ['--tag', tag]]) {
            if (value !== undefined) {
                args.push(option, value);
            }
        }

        return this.referralctl('add', ...args);
    }

    referralctl(...args) {
        return this.command('referral', ...args);
    }

    command(registry, ...args) {
        return execFileSync(REFERRALCTL, ['-d', this.file(registry), ...args],
                            { encoding: 'utf8' }).trim();
    }

    // A blog's page, on both schemes.

    page(host, name, body, head = '') {
        const file = this.file('blogs', host, name);

        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, '<!doctype html><meta charset="utf-8">'
                               + `<title>blog</title>${head}${body}`);
    }

    // A folder of the shop, which nginx redirects to when its slash lacks.

    folder(name) {
        fs.mkdirSync(this.file('shop', name), { recursive: true });
        fs.writeFileSync(this.file('shop', name, 'index.html'),
                         '<!doctype html><title>folder</title>');
    }

    // Counts of the past: of {seconds, link's key or "all", field, count}.

    addHistory(lines) {
        execFileSync(path.join(ROOT, 'build/plain/programs/add_history'),
                     [this.file('referral')],
                     { input: lines.map(line => `${line.join(' ')}\n`).join(''),
                       ...this.workers });
    }

    requests() {
        return this.read('access.log').split('\n').filter(line => line !== '')
            .map(line => JSON.parse(line));
    }

    async summary() {
        return this.status('');
    }

    async links() {
        const { links } = await this.status('/links?limit=all');

        return new Map(links.map(link => [link.key, link.counters]));
    }

    status(tail) {
        return new Promise((done, failed) => {
            const request = http.get({ host: '127.0.0.1', port: this.statusPort,
                                       path: `/referral_status${tail}`,
                                       agent: false }, response => {
                let text = '';

                response.setEncoding('utf8');
                response.on('data', part => { text += part; });
                response.on('end', () => {
                    try {
                        done(JSON.parse(text));
                    } catch {
                        failed(new Error(`status ${tail}: ${text}`));
                    }
                });
            });

            request.on('error', failed);
        });
    }

    // Ends nginx; returns its exit status and what it should not have logged.

    async stop() {
        this.nginx.kill('SIGQUIT');

        const exit = await Promise.race([this.exited, sleep(PATIENCE, 'late',
                                                            { ref: false })]);
        const bad = /\[(alert|emerg)\]|exited with code [1-9]/;
        const alerts = this.read('error.log').split('\n')
            .filter(line => bad.test(line));

        this.kill();
        this.remove();
        live.delete(this);

        return { exit, alerts };
    }

    kill() {
        this.nginx?.kill('SIGKILL');
    }

    remove() {
        if (process.env.TEST_KEEP) {
            console.error(`kept: ${this.dir} ${this.shm}`);
            return;
        }

        for (const dir of [this.dir, this.shm]) {
            fs.rmSync(dir, { recursive: true, force: true });
        }
    }
}


function idOf(option, user) {
    return Number(execFileSync('id', [option, user], { encoding: 'utf8' }));
}


// Waits until the function returns something true, and returns it; what it
// returned last, after a wait in vain.

export async function until(condition, patience = PATIENCE) {
    const end = Date.now() + patience;

    for (;;) {
        const value = await condition();

        if (value || Date.now() > end) {
            return value;
        }

        await sleep(20);
    }
}
