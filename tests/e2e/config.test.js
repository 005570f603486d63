// SPDX-License-Identifier: ISC
// The configuration file: what is refused, and how it is said.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { GOOD, REFUSED } = require('./lib/refused-configs');
const { run } = require('./lib/processes');
const { folder, startUsherd, runUsherd, HANDLERS, JWT, LISTEN, PROGRAM, SECRET } = require('./lib/usherd');
const { rawBrowser } = require('./lib/raw');

const BAD_CONFIG = 78;

const check = (t, yaml, files = {}, env = {}) =>
	runUsherd(t, ['-t', '-c', 'usher.yaml'], Object.assign({ 'usher.yaml': yaml }, files), env);

test('what is wrong is said with file and line, and ends with status 78', async (t) => {
	for (const [what, [yaml, line, words]] of Object.entries(REFUSED)) {
		await t.test(what, async (t) => {
			const { code, stderr } = await check(t, yaml);

			assert.match(stderr, new RegExp('usher\\.yaml:' + line + ': .*' + words.source));
			assert.strictEqual(code, BAD_CONFIG);
		});
	}
});

test('programs of applications that are not there are told before anybody asks', async (t) => {
	const none = await check(t, GOOD + 'applications:\n  a: { command: [no-such-program] }\n  b: { command: [./no-such-program] }\n' +
	    '  c: { command: [sh, -c, "exit"] }\n  d: { command: [/bin/sh] }\n');

	assert.strictEqual(none.code, 0, 'it may be installed later');
	assert.match(none.stderr, /^usher\.yaml: warning: applications\.a: there is no program no-such-program in PATH; its workers will not start\nusher\.yaml: warning: applications\.b: there is no program \.\/no-such-program; its workers will not start\n$/);
	const qewd = await check(t, GOOD + 'applications:\n  q: { qewd: true }\n');

	assert.strictEqual(qewd.code, 0);
	if (qewd.stderr !== '')	// the kits of this build are not installed
		assert.match(qewd.stderr, /^usher\.yaml: warning: applications\.q: qewd: true runs \S+\/node\/usher-qewd-worker\.js, which is not there; install the handler kits/);
});

test('the daemon itself refuses a bad file like the check', async (t) => {
	const { code, stderr } = await runUsherd(t, ['-c', 'usher.yaml'], { 'usher.yaml': GOOD + 'lisen: []' });

	assert.match(stderr, /usher\.yaml:3: .*lisen/);
	assert.strictEqual(code, BAD_CONFIG);
});

test('an include that is not there is named', async (t) => {
	const { code, stderr } = await check(t, GOOD + 'include: ["more.yaml"]');

	assert.match(stderr, /more\.yaml/);
	assert.strictEqual(code, BAD_CONFIG);
});

test('a file that cannot be read is named', async (t) => {
	for (const name of ['nowhere.yaml', '.']) {
		const { code, stderr } = await runUsherd(t, ['-t', '-c', name]);

		assert.ok(stderr.includes(name), stderr);
		assert.strictEqual(code, BAD_CONFIG);
	}
});

test('all faults are told at once', async (t) => {
	const { stderr } = await check(t, GOOD + 'node: [a]\nlog: { level: loud }\ntimeouts: { request: 60 }');

	for (const line of [3, 4, 5])
		assert.match(stderr, new RegExp('usher\\.yaml:' + line + ': '));
});

test('no secret of a refused file is shown', async (t) => {
	const { stdout, stderr } = await check(t, LISTEN + '\njwt: { secret: "not-for-the-log" }\nlisen: 1');

	assert.doesNotMatch(stdout + stderr, /not-for-the-log/);
});

// Each of these is a way to make a YAML reader use all memory or all time.
const HOSTILE = {
	'100 KB of brackets': '['.repeat(100000),
	'100 KB of braces': '{a: '.repeat(25000),
	'nested block lists': '- '.repeat(20000),
	'an alias of itself': 'listen: &a [*a]\n' + JWT,
	'aliases that double': 'a: &a [x, x]\n' + 'bcdefghijklmnopqrstuvwxyz'.split('')
		.map((c, i) => `${c}: &${c} [*${'abcdefghijklmnopqrstuvwxyz'[i]}, *${'abcdefghijklmnopqrstuvwxyz'[i]}]\n`).join(''),
	'an alias of nothing': GOOD + 'node: *nothing\n',
	'a NUL': GOOD + 'node: "a\0b"\n',
	'an escaped NUL': GOOD + 'node: "a\\0b"\n',
	'text that is not UTF-8': Buffer.concat([Buffer.from(GOOD + 'node: "'), Buffer.from([0xc3, 0x28]), Buffer.from('"\n')]),
	'a second document': GOOD + '---\nnode: b\n',
	'a tag': GOOD + 'node: !!binary aGFsbG8=\n',
	'90,000 unknown keys': GOOD + Array.from({ length: 90000 }, (_, i) => `k${i}: 1\n`).join(''),
	'99,000 texts side by side': '"a"'.repeat(99000),
	'a file that includes itself': GOOD + 'include: ["usher.yaml"]\n',
	'a megabyte of one key': 'x'.repeat(1 << 20) + ': 1\n',
	'16 MB': '# ' + 'x'.repeat(1 << 24)
};

// Of processor time, which others on this machine do not take away.
test('hostile YAML is refused within seconds', async (t) => {
	const limit_s = process.env.USHER_SANITIZED ? 10 : 2;

	for (const [what, yaml] of Object.entries(HOSTILE)) {
		await t.test(what, async (t) => {
			const { code, signal, stderr } = await run('bash', ['-c', `ulimit -t ${limit_s}; exec "$0" -t -c usher.yaml`, PROGRAM],
			    { cwd: folder(t, { 'usher.yaml': yaml }) });

			assert.strictEqual(signal, null, `took more than ${limit_s} s`);
			assert.match(stderr, /usher\.yaml/);
			assert.ok(stderr.length < 20000, 'says it in few words');
			assert.strictEqual(code, BAD_CONFIG);
		});
	}
});

test('a good file is checked without starting', async (t) => {
	const { code, stdout, stderr } = await check(t, GOOD);

	assert.match(stdout + stderr, /usher\.yaml/);
	assert.strictEqual(code, 0);
});

test('files can be included, and a fault in one is told with its name', async (t) => {
	const main = LISTEN + '\ninclude: ["conf.d-*.yaml"]\n';
	const good = await check(t, main, { 'conf.d-jwt.yaml': JWT });
	const bad = await check(t, main, { 'conf.d-jwt.yaml': JWT + '\nlisen: 1' });

	assert.strictEqual(good.code, 0, good.stderr);
	assert.match(bad.stderr, /conf\.d-jwt\.yaml:2: .*lisen/);
	assert.strictEqual(bad.code, BAD_CONFIG);
});

test('values come from the environment where the file says so', async (t) => {
	const yaml = LISTEN + '\njwt: { secret: "${USHER_E2E_SECRET}", allow_short_secret: true }\n' +
		'node: "${USHER_E2E_NODE:-by-default}"\n';
	const { code, stderr } = await check(t, yaml, {}, { USHER_E2E_SECRET: SECRET });

	assert.strictEqual(code, 0, stderr);
});

test('a secret may stand in a file beside the configuration', async (t) => {
	const { code, stderr } = await check(t, LISTEN + '\njwt: { secret_file: jwt.secret }\n',
	    { 'jwt.secret': 'a secret of more than thirty-two bytes\n' });

	assert.strictEqual(code, 0, stderr);
});

test('the u_services list of the QEWD article works as written', async (t) => {
	const { code, stderr } = await check(t, GOOD + `
u_services:
  - application: jwt
    types:
      login:
        url: http://127.0.0.1:8081
        application: test-app
      register:
        url: http://127.0.0.1:8082
        application: test-app2
`);

	assert.strictEqual(code, 0, stderr);
});

test('the u_services object of QEWD works as pasted JSON', async (t) => {
	const files = { 'handler.py': fs.readFileSync(path.join(HANDLERS, 'handler.py')) };
	const worker = await startUsherd(t, GOOD + 'applications:\n  remote-app: { command: ["python3", "handler.py"] }\n',
	    { files });
	const master = await startUsherd(t, GOOD + `
u_services: {
  "destinations": {
    "svc": { "application": "remote-app", "host": "http://127.0.0.1:${worker.port}" }
  },
  "routes": [
    { "application": "browser-app", "types": { "echo": { "destination": "svc" } } }
  ]
}
`);
	await master.linked();
	const browser = await rawBrowser(t, master.port);
	const reply = await browser.request({ type: 'echo', params: { tag: 'a' } });

	assert.strictEqual(reply.message.tag, 'a');
});

test('--defaults prints every option with its default', async (t) => {
	const { code, stdout } = await runUsherd(t, ['--defaults']);

	assert.strictEqual(code, 0);
	for (const words of ['message', '1MB', 'ping_interval', '25s', 'deadline', '55s', 'drain', '30s', 'in_flight_per_session'])
		assert.ok(stdout.includes(words), words);
});

test('--version and --help follow the GNU style', async (t) => {
	const version = await runUsherd(t, ['--version']);
	const help = await runUsherd(t, ['--help']);

	assert.match(version.stdout, /^usherd \(usher\) \d+\.\d+/);
	assert.match(help.stdout, /^Usage: usherd /);
	assert.deepStrictEqual([version.code, help.code], [0, 0]);
});

test('a wrong option is refused', async (t) => {
	const { code, stderr } = await runUsherd(t, ['--no-such-option']);

	assert.match(stderr, /no-such-option/);
	assert.notStrictEqual(code, 0);
});

test('an address in use ends the start', async (t) => {
	const first = await startUsherd(t, GOOD);
	const { code, stderr } = await runUsherd(t, ['-c', 'usher.yaml'],
	    { 'usher.yaml': `listen: [{ address: "127.0.0.1:${first.port}" }]\n` + JWT });

	assert.match(stderr, new RegExp('127\\.0\\.0\\.1:' + first.port));
	assert.ok(code > 0);
});
