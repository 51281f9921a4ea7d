// Our reading of URLs against another one: WHATWG's, as Node implements it.
//
//     node whatwg.mjs PROGRAM [URLS [SEED]]
//
// PROGRAM is tests/programs/canonical.  Random URLs are read by both.  What we
// accept WHATWG accepts, and rules 1 to 9 of rfl_surt.h, applied here to its
// result, give the same text.  What we refuse and it accepts is one of the
// differences listed below; each of them is wanted:  the parser refuses what
// two readers could understand differently.

import { spawnSync } from 'node:child_process';

const [program, count = '20000', seed = '1'] = process.argv.slice(2);


// Names, and what the URL looks like: refused here, accepted there.

const differences = [
  ['white space around it', /^[\0-\x20]|[\0-\x20]$/],
  ['a tab or a line feed in it is dropped', /[\t\r\n]/],
  ['"\\" is "/"', /\\/],
  ['"//" may lack, or be more', /^https?:(?!\/\/[^/])/i],
  ['the host may hold white space in the userinfo', /^https?:\/\/[^/?#]*\s/i],
  ['the host may be percent-encoded', /^https?:\/\/[^/?#]*%/i],
  ['the host may be in Unicode', /^https?:\/\/[^/?#]*[^\0-\x7f]/i],
  ['the host may hold other bytes',
   /^https?:\/\/[^/?#]*[!"$&'()*+,;=`{}~]/i],
  ['the host may have empty labels', /^https?:\/\/(?:[^/?#]*@)?[^/?#]*\.\./i],
  ['the host may begin with a dot', /^https?:\/\/(?:[^/?#]*@)?\./i],
  ['a label may be longer than 63 bytes', /[^./?#@:]{64}/],
  ['a number may be an address',
   /^https?:\/\/(?:[^/?#]*@)?[^/?#]*?(?:\d+|0x[\da-f]*)\.?(?::\d*)?(?:[/?#]|$)/i],
];


// xorshift32: the same URLs for the same seed.

let state = Number(seed) * 2654435761 >>> 0 || 1;

function random(n) {
  state ^= state << 13; state >>>= 0;
  state ^= state >>> 17;
  state ^= state << 5; state >>>= 0;
  return state % n;
}

const pick = (list) => list[random(list.length)];
const some = (n, make) => Array.from({ length: random(n) }, make).join('');

const bytes = () => pick(['a', 'B', '7', '-', '_', '~', '.', '%41', '%2f',
  '%2e', '%7E', '%zz', '%', '%c3%a9', 'é', '€', '+', '!', '(', ')', '*', ',',
  ';', '=', ':', '@', '$', '"', '<', '>', '^', '`', '{', '|', '}', '[', ']',
  ' ', '%20', '%00', '\x7f', '\x01', '\t', '\\', '%5C', '%3f', '%23', '%25']);

const label = () => pick(['a', 'blog', 'WWW', 'www', 'example', 'x-y', 'a_b',
  '1', '192', '0', '0x7f', '08', '2', 'é', 'a%41', 'a,b', '', 'l'.repeat(64)]);

const host = () => pick([
  () => Array.from({ length: 1 + random(4) }, label).join('.'),
  () => 'www.blog.example', () => 'Blog.Example.', () => 'www.www.example',
  () => 'blog.example', () => 'shop.example', () => 'www.a', () => 'www.',
  () => '192.0.2.1', () => '192.0.2', () => '256.1.1.1', () => '1.2.3.4.',
  () => '[2001:DB8::1]', () => '[::ffff:192.0.2.1]', () => '[::]',
  () => '[1:2:3:4:5:6:7:8]', () => '[1:0:0:2:0:0:0:3]', () => '[::1%25eth0]',
  () => '[12345::]', () => '[::192.0.2.1]',
])();

const segment = () => pick(['', '.', '..', '%2e', '%2E%2e', '.%2e', '...',
  'a', 'index.html', some(4, bytes)]);

const argument = () => pick(['', 'utm_source=x', 'UTM_x', 'gclid=1', 'fbclid',
  'utm%5fsource=x', 'ref=a', 'q', 'a=b=c', 'id=5', some(5, bytes),
  some(3, bytes) + '=' + some(4, bytes)]);

function makeUrl() {
  let url = pick(['http://', 'https://', 'HTTPS://', 'http://', 'https:',
    'https:///']);

  url += pick(['', '', '', 'u@', 'u:p@', 'a@b@', 'a:%40@', '@']);
  url += host();
  url += pick(['', '', '', ':', ':80', ':443', ':8080', ':65535', ':65536',
    ':0', ':x']);

  if (random(8)) {
    url += '/' + Array.from({ length: random(5) }, segment).join('/');
  }

  if (random(3) === 0) {
    url += '?' + Array.from({ length: random(5) }, argument).join('&');
  }

  return url + pick(['', '', '', '#', '#a?b', '#/../x']);
}


// The rules of rfl_surt.h, for what WHATWG has made of a URL.

function level(text) {
  return text
    .replace(/%([0-9a-f]{2})/gi, (triplet, hex) => {
      const c = String.fromCharCode(parseInt(hex, 16));
      return /[A-Za-z0-9._~-]/.test(c) ? c : triplet.toUpperCase();
    })
    .replace(/%(?![0-9A-F]{2})/g, '%25')
    .replace(/[\\^`{|}"<> ]/g, (c) =>
      '%' + c.charCodeAt(0).toString(16).toUpperCase());
}

const isTracking = (name) => /^utm_/i.test(name)
  || ['gclid', 'fbclid'].includes(name.toLowerCase());

function expected(url) {
  let name = url.hostname;

  if (name.startsWith('[')) {
    name = name.replace(/^\[::(ffff:)?([\da-f]{1,4}):([\da-f]{1,4})\]$/,
      (all, mapped, high, low) => {
        const n = parseInt(high, 16) * 65536 + parseInt(low, 16);
        return `[::${mapped ?? ''}${[n >>> 24, n >> 16 & 255, n >> 8 & 255,
          n & 255].join('.')}]`;
      });
  } else {
    name = name.replace(/\.$/, '');

    if (!/^\d+\.\d+\.\d+\.\d+$/.test(name)) {
      name = name.replace(/^www\.(?=.)/, '').split('.').reverse().join(',');
    }
  }

  const path = level(url.pathname).replace(/\/+$/, '') || '/';

  const query = url.search.slice(1).split('&').map(level)
    .filter((arg) => arg !== '' && !isTracking(arg.split('=')[0]));

  return name + ')' + path + (query.length ? '?' + query.join('&') : '');
}


const urls = Array.from({ length: Number(count) }, makeUrl)
  .filter((url) => !/[\r\n]/.test(url));

const ran = spawnSync(program, { input: urls.join('\n') + '\n',
  maxBuffer: 1 << 28 });

if (ran.status !== 0) {
  throw new Error(`${program}: ${ran.error ?? ran.stderr}`);
}

const ours = ran.stdout.toString().split('\n');
const seen = new Map();
const faults = [];
let same = 0;
let refused = 0;

const note = (name) => seen.set(name, (seen.get(name) ?? 0) + 1);

urls.forEach((text, i) => {
  let url = null;

  try {
    url = new URL(text);
  } catch {
    // refused there
  }

  if (!ours[i].startsWith('- ')) {
    const wanted = url && expected(url);

    // two differences do not show in whether it is accepted

    if (/[\\\t]|^[\0-\x20]|[\0-\x20]$/.test(text)) {
      note('both accept, other bytes');
    } else if (wanted === ours[i]) {
      same++;
    } else if (/\/\.\.?(?:\/|$)/.test(url?.pathname)) {
      note('dot segments left in the path, a fault of some versions of Node');
    } else {
      faults.push(`${JSON.stringify(text)}: ${ours[i]}, WHATWG: ${wanted}`);
    }

  } else if (url === null) {
    refused++;

  } else {
    const known = differences.find(([, pattern]) => pattern.test(text));

    if (known) {
      note(known[0]);
    } else {
      faults.push(`${JSON.stringify(text)}: ${ours[i]}, WHATWG accepts it`);
    }
  }
});

console.log(`${urls.length} URLs: ${same} are the same, ${refused} refused by `
  + 'both');

for (const [name, n] of [...seen].sort((a, b) => b[1] - a[1])) {
  console.log(`${n} differ: ${name}`);
}

for (const fault of faults.slice(0, 20)) {
  console.log(`FAULT: ${fault}`);
}

process.exitCode = faults.length || !same || !refused ? 1 : 0;
