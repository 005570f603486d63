// SPDX-License-Identifier: ISC
// What a node needs, and who gets at its secrets: it runs as anybody, its memory is nobody else's,
// files of secrets are for few, and workers see none of it.
'use strict';
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { nodeOf, scripted } = require('./lib/configs');
const { Child, childrenOf, run } = require('./lib/processes');
const { rawBrowser } = require('./lib/raw');
const { claims, sign } = require('./lib/tokens');
const { LISTEN, PROGRAM, SANITIZER, folder, runUsherd, startUsherd, withThreads } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const NOBODY = 65534;
const IS_ROOT = process.getuid() === 0;
const SECRET = 'a secret that has more bytes than thirty-two';
const FILE = { 'jwt.secret': SECRET + '\n' };
const WITH_FILE = `${LISTEN}\njwt: { secret_file: jwt.secret }\n`;

// A worker that anybody can run: each request is answered with who it is.
const HANDLER = `while read -r line <&3; do
	case $line in
	*'"op":"hello"'*) echo '{"op":"ready"}' >&3 ;;
	*'"op":"request"'*) id=\${line#*'"id":'}; id=\${id%%[,\\}]*}
		echo "{\\"op\\":\\"finish\\",\\"id\\":$id,\\"message\\":{\\"uid\\":$(id -u)}}" >&3 ;;
	*'"op":"ping"'*) echo '{"op":"pong"}' >&3 ;;
	*'"op":"stop"'*) exit ;;
	esac
done
`;

// As the user nobody, if that can be: programs and files are where that user can read them.
async function startAsNobody(t, more = '') {
	const dir = folder(t, { ...FILE, 'handler.sh': HANDLER });
	const who = IS_ROOT ? { uid: NOBODY, gid: NOBODY } : {};
	const files = ['usherd', 'usherctl'].map((name) => path.join(dir, name));

	files.forEach((file) => fs.copyFileSync(path.join(path.dirname(PROGRAM), path.basename(file)), file));
	fs.writeFileSync(path.join(dir, 'usher.yaml'), withThreads(WITH_FILE + `
admin: { socket: admin.sock }
applications: { app: { command: [/bin/sh, handler.sh], pool: { size: 2 } } }
` + more));
	if (IS_ROOT)
		['.', ...fs.readdirSync(dir)].forEach((name) => fs.chownSync(path.join(dir, name), NOBODY, NOBODY));
	// A sanitizer looks for leaks as a debugger does, which is refused here.
	const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' };
	delete env.USHER_DUMPABLE;
	const node = new Child(files[0], ['-c', path.join(dir, 'usher.yaml')], { ...who, env, cwd: '/' });
	atEnd(t, async () => {
		node.kill('SIGTERM');
		await node.end();
		assert.doesNotMatch(node.log, SANITIZER);
	});
	node.port = Number((await node.logged(/listening on \S*:(\d+)/))[1]);
	await node.logged(/is serving/);
	return Object.assign(node, { who, dir, ctl: (...args) => run(files[1], ['-s', path.join(dir, 'admin.sock'), '--json', ...args], who) });
}

const statusOf = (pid) => fs.readFileSync(`/proc/${pid}/status`, 'utf8');

async function assertServes(t, port) {
	const browser = await rawBrowser(t, port, 'app');
	const { message } = await browser.request({ type: 'who' });

	assert.strictEqual(message.error, undefined, JSON.stringify(message));
	assert.strictEqual(message.uid, IS_ROOT ? NOBODY : process.getuid());
}

test('a node of a user without any rights serves, runs workers and is replaced', async (t) => {
	const node = await startAsNobody(t);

	await assertServes(t, node.port);
	assert.match(statusOf(node.pid), /^CapEff:\s+0+$/m, 'no capability at all');
	if (IS_ROOT)
		assert.match(statusOf(node.pid), new RegExp(`^Uid:\\s+${NOBODY}\\s+${NOBODY}`, 'm'));
	assert.strictEqual((await node.ctl('status')).code, 0);
	assert.strictEqual((await node.ctl('reload')).code, 0);

	const upgraded = await node.ctl('upgrade');
	assert.strictEqual(upgraded.code, 0, upgraded.stderr + node.log);
	const { pid } = JSON.parse(upgraded.stdout);
	let isOver = false;
	atEnd(t, async () => {
		if (!isOver)
			process.kill(pid, 'SIGKILL');
	});
	await waitFor('the new one alone', async () => JSON.parse((await node.ctl('status')).stdout || '{}').pid === pid);
	await assertServes(t, node.port);
	process.kill(pid, 'SIGTERM');
	await node.end();	// both write to its log
	isOver = true;
});

test('another process of its user gets at neither its memory nor its environment', async (t) => {
	const node = await startAsNobody(t);
	const files = ['mem', 'environ', 'maps', 'fd'].map((name) => `/proc/${node.pid}/${name}`);

	// The kernel gives what cannot be dumped to root.
	assert.strictEqual(fs.statSync(files[1]).uid, 0);
	for (const file of files) {
		const [command, ...args] = file.endsWith('fd') ? ['ls', file] : ['head', '-c', '1', file];
		const { status, stderr } = spawnSync(command, args, { ...node.who, encoding: 'utf8' });
		assert.notStrictEqual(status, 0, file);
		assert.match(stderr, /Permission denied/, file);
	}
	// Its workers are their own, so that they can be looked into.
	await assertServes(t, node.port);
	const [worker] = childrenOf(node.pid);
	assert.strictEqual(fs.statSync(`/proc/${worker}/environ`).uid, IS_ROOT ? NOBODY : process.getuid());
});

test('secret_file is for its owner and its group', async (t) => {
	const node = await startUsherd(t, WITH_FILE, { files: FILE });
	const file = path.join(node.dir, 'jwt.secret');

	for (const [mode, why] of [[0o644, 'read'], [0o640, null], [0o602, 'change'], [0o600, null], [0o666, 'read'], [0o400, null]]) {
		const from = node.log.length;
		fs.chmodSync(file, mode);
		node.kill('SIGHUP');
		if (why === null)
			await node.logged(/reload: the configuration is that of/, from);
		else
			await node.logged(new RegExp(`secret_file: every user of this machine can ${why} ${file}: chmod 600 it`), from);
	}
	const dir = folder(t, { ...FILE, 'u.yaml': WITH_FILE });
	fs.chmodSync(path.join(dir, 'jwt.secret'), 0o644);
	for (const args of [['-t'], []]) {
		const { code, stderr } = await runUsherd(t, [...args, '-c', path.join(dir, 'u.yaml')]);
		assert.notStrictEqual(code, 0, 'it does not start');
		assert.match(stderr, /u\.yaml:2: secret_file: every user of this machine can read \S*jwt\.secret: chmod 600 it, or chmod 640/);
		assert.ok(!stderr.includes(SECRET));
	}
});

// All that a process has written to, as far as it can be read.
function* memoryOf(pid) {
	const fd = fs.openSync(`/proc/${pid}/mem`, 'r');

	try {
		for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
			const [, from, to] = line.match(/^([0-9a-f]+)-([0-9a-f]+) rw/) || [];
			const size = from ? parseInt(to, 16) - parseInt(from, 16) : 0;
			if (size === 0 || size > 1 << 28)
				continue;	// the shadow of a sanitizer
			const bytes = Buffer.alloc(size);
			try {
				yield bytes.subarray(0, fs.readSync(fd, bytes, 0, size, BigInt('0x' + from)));
			} catch {
				// a guard page
			}
		}
	} finally {
		fs.closeSync(fd);
	}
}

const holds = (pid, text) => [...memoryOf(pid)].some((bytes) => bytes.includes(text));

test('a secret that is replaced is nowhere in the memory any more', { skip: !IS_ROOT && 'not root' }, async (t) => {
	for (const yaml of [WITH_FILE, `${LISTEN}\njwt: { secret: "${SECRET}" }\n`]) {
		const node = await startUsherd(t, yaml, { files: FILE });
		assert.ok(holds(node.pid, SECRET), 'it is found');
		const other = SECRET.split('').reverse().join('');
		fs.writeFileSync(path.join(node.dir, 'jwt.secret'), other);
		fs.writeFileSync(path.join(node.dir, 'usher.yaml'), yaml.replace(SECRET, other));
		node.kill('SIGHUP');
		await node.logged(/reload: the configuration is that of/);
		await waitFor('the old one to be gone', () => !holds(node.pid, SECRET));
		assert.ok(holds(node.pid, other));
	}
});

test('a secret may be a credential of systemd', async (t) => {
	const dir = folder(t, { 'jwt-secret': SECRET });
	fs.chmodSync(path.join(dir, 'jwt-secret'), 0o400);
	fs.chmodSync(dir, 0o500);
	atEnd(t, () => fs.chmodSync(dir, 0o700));
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': `{ command: ${scripted}, pool: { size: 1 } }` })
	    .replace(/jwt:.*/, 'jwt: { secret_file: "${CREDENTIALS_DIRECTORY}/jwt-secret" }'), { env: { CREDENTIALS_DIRECTORY: dir } });
	const browser = await rawBrowser(t, node.port);

	assert.strictEqual(browser.token, sign(claims(browser.token), SECRET), 'signed with it');
	assert.strictEqual((await browser.request({ type: 'echo' })).message.error, undefined);
});

test('workers see neither the secret nor what only usherd was told', async (t) => {
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': `{ command: ${scripted}, pool: { size: 1 },
	    environment: { OWN: "1" }, pass_environment: [PASSED] }` }).replace(/jwt:.*/, 'jwt: { secret: "${USHER_JWT_SECRET}" }'),
	{ env: { USHER_JWT_SECRET: SECRET, CREDENTIALS_DIRECTORY: '/run/credentials', PASSED: 'yes', NOTIFY_SOCKET: '', AWS_SECRET: 'x' } });
	const browser = await rawBrowser(t, node.port);
	assert.strictEqual((await browser.request({ type: 'echo' })).message.error, undefined);
	const [worker] = childrenOf(node.pid);
	const environ = fs.readFileSync(`/proc/${worker}/environ`, 'latin1');
	const names = environ.split('\0').filter(Boolean).map((line) => line.split('=')[0]);

	assert.ok(!environ.includes(SECRET));
	const allowed = ['PATH', 'HOME', 'LANG', 'TZ', 'USHER_FD', 'OWN', 'PASSED'];
	assert.deepStrictEqual(names.filter((name) => !allowed.includes(name)), []);
	assert.ok(['USHER_FD', 'OWN', 'PASSED'].every((name) => names.includes(name)), names.join());
	assert.ok(!fs.readFileSync(`/proc/${worker}/cmdline`, 'latin1').includes(SECRET));
	// Its own end of the line, and what is written to the log; nothing of the node's.
	const fds = fs.readdirSync(`/proc/${worker}/fd`).map((fd) => [fd, fs.readlinkSync(`/proc/${worker}/fd/${fd}`)]);
	assert.ok(fds.filter(([, to]) => to.startsWith('socket:')).length <= 1, JSON.stringify(fds));
});
