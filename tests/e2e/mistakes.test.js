// SPDX-License-Identifier: ISC
// What an operator can do wrong on the command line, with addresses and with files: each is tried,
// and answered with what to do.  Mistakes in the configuration are in lib/refused-configs.js.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { run } = require('./lib/processes');
const { folder, runUsherd, JWT, LISTEN, PROGRAM } = require('./lib/usherd');
const { GOOD } = require('./lib/refused-configs');

const USAGE = 64;
const ADDRESS = 69;
const CONFIG = 78;
const NOBODY = 65534;
const HELP = /usherd --help/;

const COMMAND_LINES = {
	'an unknown option': [['--nope'], USAGE, HELP],
	'an option without its value': [['-c'], USAGE, HELP],
	'an area that is none': [['-t', '-D', 'nothing'], USAGE, HELP],
	'an argument too many': [['-t', 'usher.yaml'], USAGE, HELP],
	'a port without --dev': [['-t', '--port', '80'], USAGE, /--port goes with --dev; .* listen\[\]\.address/],
	'a port that is none': [['--dev', '--port', 'http', '--', 'cat'], USAGE, /--port takes 0 to 65535/],
	'--dev without a command': [['--dev'], USAGE, /--dev needs a command: usherd --dev -- /],
	'--dev with a configuration': [['--dev', '-c', 'u.yaml', '--', 'cat'], USAGE, /--dev goes without -c and -t/],
	'a file that is not there': [['-t', '-c', 'nowhere.yaml'], CONFIG, /nowhere\.yaml.* name another with -c/],
	'a folder as the file': [['-t', '-c', '.'], CONFIG, /no regular file; name another with -c/],
};

test('command lines', async (t) => {
	for (const [what, [args, status, words]] of Object.entries(COMMAND_LINES)) {
		await t.test(what, async (t) => {
			const { code, stdout, stderr } = await runUsherd(t, args, { 'u.yaml': GOOD });

			assert.match(stderr, words);
			assert.strictEqual(code, status);
			assert.strictEqual(stdout, '');
		});
	}
});

test('addresses that cannot be had', async (t) => {
	const server = net.createServer();
	const port = await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

	atEnd(t, () => server.close());
	const mistakes = {
		'another program is there': [`listen: [{ address: "127.0.0.1:${port}" }]\n${JWT}`, /Address already in use: another program listens there; "ss -ltnp"/],
		'this machine has no such address': [`listen: [{ address: "203.0.113.77:1" }]\n${JWT}`, /: this machine has no such address; "ip address"/],
		'a socket in no folder': [`listen: [{ address: "unix:none/web.sock" }]\n${JWT}`, /: make its folder first/],
		'an admin socket in no folder': [GOOD + 'admin: { socket: none/usher.sock }', /admin\.socket.*: make its folder first/],
		'a file where the admin socket is to be': [GOOD + 'admin: { socket: u.yaml }', /admin\.socket.*: a daemon listens there, or it is no socket/],
		'an admin port that is taken': [GOOD + `admin: { http: "127.0.0.1:${port}" }`, /admin\.http.*: another program listens there/],
	};

	for (const [what, [yaml, words]] of Object.entries(mistakes)) {
		await t.test(what, async (t) => {
			const { code, stderr } = await runUsherd(t, ['-c', 'u.yaml'], { 'u.yaml': yaml });

			assert.match(stderr, words);
			assert.strictEqual(code, ADDRESS);
		});
	}
});

test('sockets in a folder that the daemon may not write to', async (t) => {
	const dir = folder(t);
	const who = process.getuid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

	fs.mkdirSync(path.join(dir, 'closed'));
	fs.chmodSync(dir, 0o755);
	fs.chmodSync(path.join(dir, 'closed'), 0o555);
	for (const [yaml, words] of [
		[`listen: [{ address: "unix:closed/web.sock" }]\n${JWT}\n`, /cannot listen on \S*closed\/web\.sock: .*Permission denied/],
		[GOOD + 'admin: { socket: closed/usher.sock }\n', /cannot listen on \S*closed\/usher\.sock \(admin\.socket\): .*Permission denied/],
	]) {
		fs.writeFileSync(path.join(dir, 'u.yaml'), yaml, { mode: 0o644 });
		const { code, stderr } = await run(PROGRAM, ['-c', 'u.yaml'], { cwd: dir, ...who });

		assert.match(stderr, words);
		assert.strictEqual(code, ADDRESS);
	}
});

test('certificates and keys that are not there', async (t) => {
	for (const [tls, words] of [
		['certificate: none.pem, key: u.yaml', /:1: listen\[\]\.tls\.certificate: .*none\.pem cannot be read: No such file/],
		['certificate: u.yaml, key: none.key', /:1: listen\[\]\.tls\.key: .*none\.key cannot be read: No such file/],
	])
		for (const args of [['-t'], []]) {
			const { code, stderr } = await runUsherd(t, [...args, '-c', 'u.yaml'], { 'u.yaml': `listen: [{ address: "127.0.0.1:0", tls: { ${tls} } }]\n${JWT}\n` });

			assert.match(stderr, words);
			assert.strictEqual(code, CONFIG);
		}
});

test('YAML that people write', async (t) => {
	const mistakes = {
		'a tab': [GOOD + 'limits:\n\tmessage: 1MB\n', /:4: no YAML: .*; tabs do not indent/],
		'a text that begins with an at sign': [GOOD + 'node: @home\n', /:3: no YAML: .* must be in quotes/],
		'a secret file that is empty': [LISTEN + '\njwt: { secret_file: empty }\n', /the secret is empty; openssl rand -hex 32 makes one/],
	};

	for (const [what, [yaml, words]] of Object.entries(mistakes)) {
		await t.test(what, async (t) => {
			const { code, stderr } = await runUsherd(t, ['-t', '-c', 'u.yaml'], { 'u.yaml': yaml, empty: '' });

			assert.match(stderr, words);
			assert.strictEqual(code, CONFIG);
		});
	}
});

test('usherctl without a daemon', async (t) => {
	const dir = folder(t, { file: '' });
	const usherctl = path.join(path.dirname(PROGRAM), 'usherctl');
	const mistakes = {
		'no command': [[], 2, /usherctl --help/],
		'a command that is none': [['nope'], 2, /usherctl --help/],
		'an option that is none': [['--nope', 'status'], 2, /usherctl --help/],
		'a number that is none': [['-n', 'x', 'sessions'], 2, /1 to 10000/],
		'no socket': [['-s', 'none', 'status'], 3, /does usherd run, and is this its admin\.socket\? \(usherctl -s SOCKET\)/],
		'a file that is no socket': [['-s', 'file', 'status'], 3, /does usherd run\?/],
	};

	assert.ok(fs.existsSync(usherctl));
	for (const [what, [args, status, words]] of Object.entries(mistakes)) {
		await t.test(what, async () => {
			const { code, stderr } = await run(usherctl, args, { cwd: dir });

			assert.match(stderr, words);
			assert.strictEqual(code, status);
		});
	}
});
