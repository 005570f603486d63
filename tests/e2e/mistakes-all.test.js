// SPDX-License-Identifier: ISC
// Every text with which the loader refuses a configuration is made by one of these files, or by one
// of lib/refused-configs.js; so none can be added that nobody has ever read.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { faultTexts } = require('./lib/fault-texts');
const { run } = require('./lib/processes');
const { GOOD, REFUSED } = require('./lib/refused-configs');
const { folder, JWT, LISTEN, PROGRAM, SECRET } = require('./lib/usherd');

const CONF = path.join(__dirname, '..', '..', 'src', 'conf');
const SOURCES = fs.readdirSync(CONF).filter((name) => name.endsWith('.c') && !/^conf_(table|schema|print|diff|programs)/.test(name));
const CONFIG = 78;
const AT_ONCE = 4;

const jwt = (more) => `${LISTEN}\njwt: { secret: "${SECRET}", allow_short_secret: true, ${more} }\n`;
const lines = (n, line) => Array.from({ length: n }, (_, i) => line(i)).join('\n') + '\n';
const far = (more, urls = '"ws://127.0.0.1:1"') => GOOD + `destinations:\n  far: { application: a, urls: [${urls}], ${more} }\n`;
const route = (type, more = '') => GOOD + `destinations:\n  far: { application: a, urls: ["ws://127.0.0.1:1"] }\nu_services:\n  - ${type}\n${more}`;
const rest = (path, more = 'destination: far') => route(`{ path: ${JSON.stringify(path)}, ${more} }`);
const group = (text) => GOOD + `destinations:\n  a: { application: x, urls: ["ws://127.0.0.1:1"] }\n${text}`;
const listen = (text) => `listen:\n${text}\n${JWT}\n`;
const LONG = 'x'.repeat(200);

// What is wrong: the file, or { file, files: others, before: what is done in the folder }.
const MISTAKES = {
	'a listener for browsers that has nodes, and proxies that are everybody': listen('  - { address: "127.0.0.1:0", nodes: ["10.0.0.0/8"], trusted_proxies: ["0.0.0.0/0"] }'),
	'addresses twice': listen('  - { address: "127.0.0.1:9999" }\n  - { address: "127.0.0.1:9999" }') + 'admin: { http: "127.0.0.1:9999" }\n',
	'a socket of listen and of admin': listen('  - { address: "unix:one.sock" }') + 'admin: { socket: one.sock }\n',
	'paths of sockets that are too long': listen(`  - { address: "unix:${LONG}" }\n  - { address: "unix:${'y'.repeat(100)}" }\n  - { address: "unix:" }`) + `admin: { socket: "${LONG}" }\n`,
	'one client_ca too many': listen(`  - address: "127.0.0.1:0"\n    tls: [{ certificate: f, key: f, client_ca: f }, { certificate: f, key: f, client_ca: f }]`),
	'a folder for a certificate': listen('  - { address: "127.0.0.1:0", tls: { certificate: ".", key: "." } }'),
	'a secret that everybody can read': { file: `${LISTEN}\njwt: { secret_file: open }\n`, before: (dir) => fs.writeFileSync(path.join(dir, 'open'), SECRET.repeat(2), { mode: 0o644 }) },
	'an empty secret file': `${LISTEN}\njwt: { secret_file: empty.secret }\n`,
	'no ring, and too many in it': `${LISTEN}\njwt: { secrets: [] }\n`,
	'two kinds of secret': `${LISTEN}\njwt: { secret: "${SECRET}", secret_file: x, allow_short_secret: true }\n`,
	'a ring with faults': `${LISTEN}\njwt: { allow_short_secret: true, secrets: [ { id: a, secret: "${SECRET}" }, { id: a, secret: "${SECRET}" }, { id: b } ] }\n`,
	'two protocols for one URL': GOOD + 'destinations:\n  a: { application: a, urls: ["ws://127.0.0.1:1"], protocol: qewd }\n  b: { application: b, urls: ["ws://127.0.0.1:1"], protocol: usher }\n',
	'applications that do not fit': GOOD + 'applications:\n  a: { command: [""], services: [nobody], fragments: none, rest: /x }\n  b: { command: [x], rest: /x, environment: { "a=b": c, USHER_FD: 3, EMPTY: }, pass_environment: [USHER_X, "1x"] }\n',
	'an environment that is a list': GOOD + 'applications:\n  a: { command: [x], environment: [a] }\n',
	'folders of pages': GOOD + 'static:\n  - { path: /a, root: none }\n  - { path: /b, root: ., file: u.yaml }\n  - { path: /socket.io/, root: . }\n  - { path: /c, file: none }\n',
	'too many folders of pages': GOOD + 'static:\n' + lines(1025, (i) => `  - { path: /p${i}, root: . }`),
	'events of clients': GOOD + 'clients: { events: { "a/b": [x] } }\n',
	'a map or a list, and neither': GOOD + 'u_services: text\nstatic: text\nlimits: []\n',
	'a known key that is misspelt': GOOD + 'limits: { mesage: 1MB }\n',
	'a key with no value, and texts that are none': far('protocol:') + 'node: 12\n',
	'a text that is too long': GOOD + `node: "${'n'.repeat(300)}"\n`,
	'lists of texts': GOOD + 'applications:\n  a: { command: x }\n  b: { command: [], directory: [x] }\n',
	'lists of texts with other things': GOOD + 'applications:\n  a: { command: [[x]] }\n',
	'numbers, sizes, durations': GOOD + 'threads: many\nlimits: { message: big, json_depth: deep, sessions: x }\ntimeouts: { request: soon }\napplications:\n  a: { command: [x], qewd: maybe }\n',
	'a lifetime in parts of seconds': jwt('lifetime: 1500ms'),
	'a map, or a list of maps': 'listen: [{ address: "127.0.0.1:0", tls: text }]\n' + JWT + '\n',
	'an algorithm for later, and one that is none': jwt('algorithms: [ES256]') + 'socketio: { cookie: "a b" }\n',
	'another algorithm': jwt('algorithms: [none]'),
	'variables': GOOD + 'node: "${NAME"\n',
	'variables that are none': GOOD + 'node: "${1}"\nlog: { file: "${USHER_E2E_NOT_SET}" }\n',
	'a text that grows too long': { file: GOOD + 'node: "${USHER_E2E_LARGE}${USHER_E2E_LARGE}"\n', env: { USHER_E2E_LARGE: 'x'.repeat(40000) } },
	'URLs': far('', '"ftp://a:1", "ws://:1", "ws://a b:1", "ws://a:x", "ws://a:1/path"'),
	'URLs twice': far('', '"ws://127.0.0.1:1", "ws://127.0.0.1:1"'),
	'addresses of admin': GOOD + 'admin: { http: "0.0.0.0:1" }\n',
	'names of hosts and origins': listen('  - { address: "127.0.0.1:0", origins: ["app", "https://a/b"] }') + 'destinations:\n  far: { application: a, urls: ["wss://127.0.0.1:1"], tls: { name: "a b" } }\n',
	'names': GOOD + `destinations:\n  far: { application: "a\\tb", urls: ["ws://127.0.0.1:1"] }\n  near: { application: "${'a'.repeat(300)}", urls: ["ws://127.0.0.1:1"] }\n`,
	'patterns': route('{ application: a, types: { "a*b": { destination: far } } }'),
	'paths': GOOD + `static:\n  - { path: x, root: . }\n  - { path: "/${LONG.repeat(6)}", root: . }\n  - { path: "/a b", root: . }\n  - { path: "//a", root: . }\n`,
	'templates of paths': rest('/a(b') + '  - { path: "/((((((((((a))))))))))", destination: far }\n  - { path: "/:", destination: far }\n  - { path: /x, method: FETCH, destination: far }\n',
	'a path twice': rest('/a/:id') + '  - { path: "/a/:other", destination: far }\n  - { path: "/b" }\n  - { path: /c, types: { t: { destination: far } } }\n',
	'a name of two': GOOD + 'destinations:\n  far: { application: a, urls: ["ws://127.0.0.1:1"] }\napplications:\n  far: { command: [x] }\n',
	'groups': group('  all: { destinations: [a, a, none], application: x }\n  "x@y": { application: x, urls: ["ws://127.0.0.1:1"] }\n'),
	'a group of itself': group('  g: { destinations: [h] }\n  h: { destinations: [g, a] }\n'),
	'groups too deep': group(lines(12, (i) => `  g${i}: { destinations: [${i < 11 ? 'g' + (i + 1) : 'a'}] }`)),
	'a group for a type': group('  all: { destinations: [a] }\n') + 'u_services:\n  - { application: x, types: { t: { destination: all } } }\n',
	'health': far('health: { eject: 10s, eject_max: 1s }'),
	'TLS of links': GOOD + 'destinations:\n  a: { application: a, urls: ["ws://127.0.0.1:1"], tls: { ca: f } }\n  b: { application: a, urls: ["wss://127.0.0.1:2"], tls: { certificate: f, verify: false, ca: f } }\n',
	'destinations as in QEWD': GOOD + 'u_services:\n  destinations: { svc: { application: a } }\n  routes: [{ application: a, types: { t: { destination: svc } } }]\n',
	'routes': route('{ application: a, types: { t: { destination: far, url: "ws://127.0.0.1:1" }, u: {}, v: { destination: far, application: b }, w: { destination: none } } }',
	    '  - { application: a, types: { t: { url: "ws://127.0.0.1:1" } }, timeout: 1s }\n  - { application: b }\n  - { types: { x: { destination: far } } }\n'),
	'a file that is a folder': { file: '', args: ['.'] },
	'a file that is too large': { file: '# ' + 'x'.repeat(4200000) + '\n' + GOOD },
	'a list as the file': '- a\n',
	'included files': { file: GOOD + 'include: ["inc/*.yaml"]\nnode: a\n', files: { 'inc/1.yaml': 'node: b\n', 'inc/2.yaml': 'include: [x]\n' } },
	'an included file that is none': { file: GOOD + 'include: ["inc/*.yaml"]\n', files: { 'inc/1.yaml/x': '' } },
	'too many files': { file: GOOD + 'include: ["inc/*.yaml"]\n', files: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`inc/${i}.yaml`, '{}\n'])) },
	'a NUL byte': GOOD + 'node: "a\0b"\n',
	'a NUL character': GOOD + 'node: "a\\0b"\n',
	'a directive': '%YAML 1.1\n---\n' + GOOD,
	'no UTF-8': { file: Buffer.concat([Buffer.from(GOOD + 'node: "'), Buffer.from([0xff, 0xfe]), Buffer.from('"\n')]) },
	'a star': GOOD + 'node: *\n',
	'an alias': GOOD + 'node: *home\n',
	'an anchor': GOOD + 'node: &home a\n',
	'a tag': GOOD + 'node: !home a\n',
	'tabs': GOOD + 'limits:\n\tmessage: 1MB\n',
	'two documents': GOOD + '---\n' + GOOD,
	'a key that is a list': GOOD + '[a]: b\n',
	'an empty key': GOOD + '"": b\n',
	'a long key': GOOD + `${'k'.repeat(300)}: b\n`,
	'a key with a control character': GOOD + '"a\\tb": c\n',
	'too deep': GOOD + `node: ${'['.repeat(20)}${']'.repeat(20)}\n`,
	'too many values': GOOD + 'include: [' + 'a,'.repeat(100001) + ']\n',
	'a path of admin that is too long': GOOD + `admin: { socket: "${'y'.repeat(100)}" }\n`,
	'a key like none of ours': GOOD + 'zzzzzzzzzzzz: 1\n',
	'a text without a value': GOOD + 'node:\n',
	'what comes later': route('{ path: /x, destination: far, onRequest: f }'),
	'more mistakes than are shown': GOOD + lines(30, (i) => `zzzzzzzzzzzz${i}: 1`),
	'variables without a name': GOOD + 'applications:\n  a: { command: [x], pass_environment: ["A=b"] }\n',
	'issuers': jwt('issuers: [{ issuer: a, keys_file: none, claims: { x: "" } }, { issuer: a, keys_file: f, claims: { x: exp } }]'),
	'too many issuers': jwt(`issuers: [${'{ issuer: a, keys_file: f }, '.repeat(17)}]`),
};

// What is wrong with a command line: [program, its arguments].
const COMMAND_LINES = [
	['usherd', '--dev', '--port', 'x', '--', 'cat'], ['usherd', '--dev', '-t', '--', 'cat'], ['usherd', '--dev'],
	['usherd', '-D', 'nothing'], ['usherd', '--nope'], ['usherd', '--port', '80'], ['usherd', '-t', 'more'],
	['usherd', '-c', 'logged.yaml'],
	['usherctl', '-n', '0', 'sessions'], ['usherctl', 'nothing'], ['usherctl', '--nope'], ['usherctl', 'roll'],
	['usherctl', 'status', 'more'], ['usherctl', 'status', '--wait'], ['usherctl'],
];

// Texts that no file can make here, and why.
const NEVER = [
	[/^cannot be read$/, 'libyaml always says what is wrong'],
	[/^the file is larger than/, 'conf_file.c refuses it before'],
	[/^not supported yet: "%s"; $/, 'there is no such word today'],
];

// The same as a file of yaml, and as { file, ... }.
const asMistake = (m) => typeof m === 'string' || Buffer.isBuffer(m) ? { file: m } : m;

async function stderrOf(t, mistake) {
	const { file, files = {}, env = {}, args = ['u.yaml'], before = () => {} } = asMistake(mistake);
	const dir = folder(t);

	for (const [name, text] of Object.entries({ 'u.yaml': file, f: 'x', 'empty.secret': '', ...files })) {
		fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
		fs.writeFileSync(path.join(dir, name), text, { mode: 0o600 });
	}
	before(dir);
	const { code, stderr } = await run(PROGRAM, ['-t', '-c', ...args], { cwd: dir, env: { ...process.env, ...env } });
	return { code, stderr };
}

test('every text of the loader is made by a mistake that is tried', async (t) => {
	const all = [...Object.entries(MISTAKES), ...Object.entries(REFUSED).map(([what, [file]]) => [what, file])];
	const told = [];
	const next = async () => {
		for (let one; (one = all.shift()) !== undefined;) {
			const { code, stderr } = await stderrOf(t, one[1]);

			assert.strictEqual(code, CONFIG, `${one[0]}: ${stderr}`);
			told.push(stderr);
		}
	};
	await Promise.all(Array.from({ length: AT_ONCE }, next));

	const output = told.join('');
	const missing = [];
	let n = 0;
	for (const source of SOURCES)
		for (const { text, line, pattern } of faultTexts(path.join(CONF, source))) {
			n++;
			if (!pattern.test(output) && !NEVER.some(([never]) => never.test(text)))
				missing.push(`${source}:${line}: ${text}`);
		}
	assert.ok(n > 150, String(n));
	assert.deepStrictEqual(missing, []);
});

// Three that need more than a command line are in tls.test.js, operator.test.js and logs.test.js.
test('every text about a command line is made by one that is tried', async (t) => {
	const dir = folder(t, { 'logged.yaml': GOOD + 'log: { file: none/usher.log }\n' });
	const told = [];

	for (const [program, ...args] of COMMAND_LINES) {
		const { code, stderr } = await run(path.join(path.dirname(PROGRAM), program), args, { cwd: dir });
		assert.notStrictEqual(code, 0, args.join(' '));
		assert.match(stderr, /--help|--dev|--port|--limit|folder|usherctl roll/, 'what to do: ' + stderr);
		told.push(stderr);
	}
	const missing = [];
	for (const source of ['main.c', 'ctl/usherctl.c'])
		for (const { text, line, pattern, before } of faultTexts(path.join(CONF, '..', source)))
			if (/fprintf\(stderr/.test(before) && !pattern.test(told.join('')) && !/TLS: |cannot write: |not started: see/.test(text))
				missing.push(`${source}:${line}: ${text}`);
	assert.deepStrictEqual(missing, []);
});
