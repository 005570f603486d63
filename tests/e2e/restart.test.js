// SPDX-License-Identifier: ISC
// One usherd in place of another: listening sockets come from systemd or from the one before, and
// nobody who connects is refused.
'use strict';
const assert = require('node:assert');
const dgram = require('node:dgram');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { nodeOf, scripted } = require('./lib/configs');
const { Child, run } = require('./lib/processes');
const { rawBrowser } = require('./lib/raw');
const { claims } = require('./lib/tokens');
const { PROGRAM, SANITIZER, folder, startUsherd, withThreads } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const USHERCTL = path.join(path.dirname(PROGRAM), 'usherctl');
const app = `{ command: ${scripted}, pool: { size: 1 } }`;
const yamlOf = (listen, more = '') => nodeOf('worker', { 'remote-app': app }, more).replace(/listen:.*/, `listen: [${listen}]`);
const TWO = '{ address: "127.0.0.1:0" }, { address: "unix:web.sock" }';
const ADMIN = 'admin: { socket: admin.sock }\n';

function stopProcess(pid) {
	try {
		process.kill(pid, 'SIGTERM');
	} catch (e) {
		assert.strictEqual(e.code, 'ESRCH');
	}
}

// A node that a new process will follow, which the test ends too.
async function startFirst(t, more = '') {
	const node = await startUsherd(t, yamlOf(TWO, ADMIN + more).replace('jwt: { ', '$&revoked_file: revoked, '), { listeners: 2 });

	// Both write to the pipes that are waited for.
	node.stop = async () => {
		node.kill('SIGTERM');
		if (node.successor !== undefined)
			stopProcess(node.successor);
		await node.end();
		assert.doesNotMatch(node.log, SANITIZER);
	};
	return node;
}

const ctl = (node, ...args) => run(USHERCTL, ['-s', path.join(node.dir, 'admin.sock'), ...args]);
const statusPid = async (node) => JSON.parse((await ctl(node, '--json', 'status')).stdout).pid;

// Connects again and again, over TCP and the UNIX socket; every one must be let in and answered.
function knock(node) {
	const knocking = { n: 0, faults: [], isOver: false };
	const one = (at) => new Promise((resolve) => {
		const socket = net.connect(at);
		let text = '';

		socket.setEncoding('ascii');
		socket.on('connect', () => socket.write('GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'));
		socket.on('data', (s) => { text += s; });
		socket.on('error', (e) => resolve(e.code));
		socket.on('close', () => resolve(/^HTTP\/1\.1 404/.test(text) ? null : 'answered "' + text + '"'));
	});
	const loop = async (at) => {
		while (!knocking.isOver) {
			const fault = await one(at);
			if (fault !== null)
				knocking.faults.push(fault);
			knocking.n++;
		}
	};

	knocking.done = Promise.all([loop({ host: '127.0.0.1', port: node.port }), loop({ path: path.join(node.dir, 'web.sock') })]);
	return knocking;
}

for (const how of ['SIGUSR2', 'usherctl upgrade'])
	test(how + ': a new process takes over, what is in flight is answered, and nobody is refused', async (t) => {
		const node = await startFirst(t);
		const browser = await rawBrowser(t, node.port, 'remote-app');
		const gate = path.join(node.dir, 'gate');
		const knocking = knock(node);

		browser.emit({ type: 'job', token: browser.token, params: { script: [{ print: 'at work\n' }, { gate }, { finish: { done: true } }] } });
		await node.logged(/at work/);
		if (how === 'SIGUSR2') {
			node.kill('SIGUSR2');
		} else {
			const { code, stdout, stderr } = await ctl(node, 'upgrade');
			assert.deepStrictEqual([code, stderr], [0, '']);
			assert.match(stdout, /the new usherd serves/);
		}
		node.successor = Number((await node.logged(/upgrade: process (\d+) serves: this one drains/))[1]);
		await waitFor('the new one at the admin socket', async () => await statusPid(node) === node.successor);
		const later = await rawBrowser(t, node.port, 'remote-app');
		assert.strictEqual((await later.request({ type: 'job' })).message.ok, true);
		assert.ok(!node.hasEnded, 'the old one has a request still');
		fs.writeFileSync(gate, '');
		assert.strictEqual((await browser.nextReply()).message.done, true);
		await waitFor('the old one to end', () => node.process.exitCode !== null);
		assert.strictEqual(node.process.exitCode, 0);
		assert.strictEqual((await later.request({ type: 'job' })).message.ok, true);
		const { n } = knocking;
		await waitFor('more to be let in', () => knocking.n > n + 10 || knocking.faults.length > 0);
		knocking.isOver = true;
		await knocking.done;
		assert.deepStrictEqual(knocking.faults, []);
	});

test('a new process that cannot serve leaves the old one at work, which says why', async (t) => {
	const node = await startFirst(t);
	const yaml = fs.readFileSync(path.join(node.dir, 'usher.yaml'), 'utf8');

	fs.writeFileSync(path.join(node.dir, 'usher.yaml'), yaml + 'nonsense: 1\n');
	const refused = await ctl(node, 'upgrade');
	assert.strictEqual(refused.code, 1);
	assert.match(refused.stderr, /this usherd goes on: the new one \(process \d+\) ended with status 78/);
	assert.match(node.log, /nonsense/);
	const browser = await rawBrowser(t, node.port, 'remote-app');
	assert.strictEqual((await browser.request({ type: 'job' })).message.ok, true);
	assert.ok(fs.existsSync(path.join(node.dir, 'web.sock')));
	fs.writeFileSync(path.join(node.dir, 'usher.yaml'), yaml);
	assert.strictEqual((await ctl(node, 'upgrade')).code, 0, 'and a second try works');
	node.successor = Number((await node.logged(/upgrade: process (\d+) serves/))[1]);
});

const knockAt = (node, name) => new Promise((resolve, reject) => {
	const socket = net.connect(path.join(node.dir, name), () => socket.end(resolve()));

	socket.on('error', reject);
});

test('a new process that cannot listen leaves the socket files to the old one', async (t) => {
	const node = await startFirst(t);
	const file = path.join(node.dir, 'usher.yaml');
	const taken = net.createServer().listen(0, '127.0.0.1');

	await waitFor('a port', () => taken.listening);
	atEnd(t, () => taken.close());
	fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(TWO, `$&, { address: "127.0.0.1:${taken.address().port}" }`));
	const refused = await ctl(node, 'upgrade');
	assert.strictEqual(refused.code, 1);
	assert.match(refused.stderr, /this usherd goes on: the new one \(process \d+\) ended with status 69/);
	assert.strictEqual(await statusPid(node), node.pid);
	await knockAt(node, 'web.sock');
});

// Who answers at the admin socket, without a process of usherctl.
const askPid = (node) => new Promise((resolve, reject) => {
	const socket = net.connect(path.join(node.dir, 'admin.sock'), () => socket.write('{"command":"status"}\n'));
	let text = '';

	socket.setEncoding('utf8');
	socket.on('data', (s) => {
		text += s;
		if (text.endsWith('\n')) {
			socket.destroy();
			resolve(JSON.parse(text).result.pid);
		}
	});
	socket.on('error', reject);
});

// Its link is not up, and the new one gives it three seconds.
const LINKED = 'u_services: [{ application: far, types: { job: { url: "ws://127.0.0.1:1", application: far } } }]\n';

test('until the new process serves, the old one has the operator and the files, and what it revokes counts', async (t) => {
	const node = await startFirst(t, LINKED);
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const gate = path.join(node.dir, 'gate');
	const serves = /upgrade: process \d+ serves/;

	browser.emit({ type: 'job', token: browser.token, params: { script: [{ print: 'at work\n' }, { gate }, { finish: { done: true } }] } });
	await node.logged(/at work/);
	node.kill('SIGUSR2');
	node.successor = Number((await node.logged(/upgrade: started \S+ as process (\d+)/))[1]);
	await node.logged(/listening on unix:\S+[^]*listening on unix:\S+/);	// it has read what is revoked
	for (let i = 0; i < 5; i++) {
		const pid = await askPid(node);
		assert.ok(pid === node.pid || serves.test(node.log), 'answered by ' + pid);
	}
	process.kill(node.successor, 'SIGSTOP');	// all the time that this machine takes
	const goneOn = node.logged(serves).then(() => process.kill(node.successor, 'SIGCONT'));
	assert.strictEqual((await ctl(node, 'revoke', 'jti', 'one-of-them')).code, 0);
	if (!serves.test(node.log)) {
		node.kill('SIGTERM');
		await node.logged(/SIGTERM: draining/);
	}
	process.kill(node.successor, 'SIGCONT');
	await goneOn;
	fs.writeFileSync(gate, '');
	assert.strictEqual((await browser.nextReply()).message.done, true);
	await waitFor('the old one to end', () => node.process.exitCode !== null);
	await knockAt(node, 'web.sock');
	assert.strictEqual(await statusPid(node), node.successor);
	assert.strictEqual(JSON.parse((await ctl(node, '--json', 'revoke')).stdout).revoked[0].name, 'one-of-them');
	stopProcess(node.successor);
	await waitFor('it takes its files with it', () => !fs.existsSync(path.join(node.dir, 'web.sock')));
});

test('sessions that are still at the old one hear of what is revoked at the new one', async (t) => {
	const node = await startFirst(t);
	const gate = path.join(node.dir, 'gate');
	const [browser, other] = [await rawBrowser(t, node.port, 'remote-app'), await rawBrowser(t, node.port, 'remote-app')];
	const wait = { script: [{ print: 'at work\n' }, { gate }, { finish: { done: true } }] };

	for (const b of [browser, other])
		b.emit({ type: 'job', token: b.token, params: wait });
	await node.logged(/at work/);
	assert.strictEqual((await ctl(node, 'upgrade')).code, 0);
	node.successor = Number((await node.logged(/upgrade: process (\d+) serves/))[1]);
	await waitFor('the new one to be asked', async () => (await ctl(node, 'status')).code === 0 && await statusPid(node) === node.successor);

	assert.strictEqual((await ctl(node, 'revoke', '--', 'jti', claims(browser.token).jti)).code, 0);
	for (const type of ['job', 'error'])	// its request ends, and it is sent away
		assert.deepStrictEqual(await browser.nextReply().then((reply) => [reply.type, reply.message.code]), [type, 'session_revoked']);
	assert.strictEqual(await browser.whenClosed(), 1008);
	fs.writeFileSync(gate, '');
	assert.strictEqual((await other.nextReply()).message.done, true, 'nobody else');
});

// Starts the daemon as systemd would: with sockets that another process listens on.
async function startActivated(t, yaml, addresses, env = {}) {
	const dir = folder(t, { 'usher.yaml': withThreads(yaml) });
	const python = [
		'import os, socket, sys',
		'fds = []',
		'for a in sys.argv[1].split(","):',
		'    if a.startswith("/"):',
		'        s = socket.socket(socket.AF_UNIX); s.bind(a)',
		'    else:',
		'        s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(a)))',
		'    s.listen(64); fds.append(s)',
		'keep = [os.dup2(os.dup(s.fileno()), 100 + i) for i, s in enumerate(fds)]',
		'for i in range(len(fds)): os.dup2(100 + i, 3 + i)',
		'os.closerange(3 + len(fds), 200)',
		'os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=":".join("usher.socket" for _ in fds))',
		'os.execv(sys.argv[2], sys.argv[2:])'
	].join('\n');
	const child = new Child('python3', ['-c', python, addresses(dir).join(','), PROGRAM, '-c', path.join(dir, 'usher.yaml')],
	    { env: { ...process.env, ...env } });

	child.dir = dir;
	atEnd(t, async () => {
		child.kill('SIGTERM');
		await child.end();
		assert.doesNotMatch(child.log, SANITIZER);
	});
	return child;
}

const freePort = () => new Promise((resolve) => {
	const server = net.createServer().listen(0, '127.0.0.1', () => {
		const { port } = server.address();
		server.close(() => resolve(port));
	});
});

test('systemd sockets are found by their address, and their files are not ours to remove', async (t) => {
	const port = await freePort();
	const node = await startActivated(t, yamlOf(`{ address: "127.0.0.1:${port}" }, { address: "unix:web.sock" }`),
	    (dir) => [String(port), path.join(dir, 'web.sock')]);

	await node.logged(/node worker is serving/);
	assert.match(node.log, new RegExp(`listening on 127\\.0\\.0\\.1:${port}`));
	const browser = await rawBrowser(t, port, 'remote-app');
	assert.strictEqual((await browser.request({ type: 'job' })).message.ok, true);
	node.kill('SIGTERM');
	await node.end();
	assert.strictEqual(node.code, 0);
	assert.ok(fs.existsSync(path.join(node.dir, 'web.sock')));
});

test('a systemd socket that nobody configured is named, and the start ends', async (t) => {
	const [port, other] = [await freePort(), await freePort()];
	const node = await startActivated(t, yamlOf(`{ address: "127.0.0.1:${port}" }`), () => [String(port), String(other)]);

	await node.end();
	assert.strictEqual(node.code, 69);
	assert.match(node.log, new RegExp(`sockets that the configuration does not listen on: 127\\.0\\.0\\.1:${other};`));
});

// What systemd would be told.
async function notifications(t) {
	const dir = folder(t);
	const at = path.join(dir, 'notify');
	const python = [
		'import socket, sys', 's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)', 's.bind(sys.argv[1])',
		'print("bound", flush=True)', 'while True:', '    print(s.recv(4096).decode().replace(chr(10), " "), flush=True)'
	].join('\n');
	const child = new Child('python3', ['-c', python, at], {});

	atEnd(t, async () => {
		child.kill('SIGKILL');
		await child.end();
	});
	await waitFor('the socket', () => /bound/.test(child.stdout));
	return { at, told: (pattern) => waitFor(() => pattern + ' in ' + child.stdout, () => child.stdout.match(pattern)) };
}

test('the service manager is told: ready, reloading, stopping', async (t) => {
	const manager = await notifications(t);
	const node = await startUsherd(t, yamlOf(TWO), { listeners: 2, env: { NOTIFY_SOCKET: manager.at } });

	await manager.told(new RegExp(`bound\\nREADY=1 MAINPID=${node.pid}\\n`));
	node.kill('SIGHUP');
	await manager.told(/RELOADING=1 MONOTONIC_USEC=\d+\nREADY=1\n/);
	fs.appendFileSync(path.join(node.dir, 'usher.yaml'), 'nonsense: 1\n');
	node.kill('SIGHUP');
	await manager.told(/RELOADING=1 [^]*RELOADING=1 \S+\nREADY=1\n/);
	await node.stop();
	await manager.told(/STOPPING=1\n$/);
});

test('the service manager is told which process is the new one', async (t) => {
	const manager = await notifications(t);
	const node = await startUsherd(t, yamlOf(TWO), { listeners: 2, env: { NOTIFY_SOCKET: manager.at } });

	node.kill('SIGUSR2');
	const pid = Number((await node.logged(/upgrade: process (\d+) serves/))[1]);
	await manager.told(new RegExp(`MAINPID=${pid}\\n`));
	await waitFor('the old one to end', () => node.process.exitCode !== null);
	assert.strictEqual(node.process.exitCode, 0);
	stopProcess(pid);
	await node.end();
	assert.doesNotMatch(node.log, SANITIZER);
});
