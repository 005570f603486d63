// SPDX-License-Identifier: ISC
// Every call of the system and every allocation on the way of a request fails once, at each place where
// it is made: what is under way may end with an error, the node goes on, keeps nothing open and
// serves the next; or, where there is no memory, it ends in order.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const { errno } = require('node:os').constants;
const path = require('node:path');
const test = require('node:test');
const { Books, WebSocketPage, WORKER, IS_LONG } = require('../faults/oracle');
const { faultProxy } = require('../faults/proxy');
const { workerOf } = require('./lib/configs');
const { ask } = require('./lib/http');
const { shim } = require('./lib/shim');
const { folder, startUsherd, JWT, LISTEN, PROGRAM } = require('./lib/usherd');
const { pause, waitFor } = require('./lib/wait');

// A sanitizer has its own malloc, and cannot be loaded behind another one.
const isSanitized = fs.readFileSync(PROGRAM).includes('__asan_init') || fs.readFileSync(PROGRAM).includes('__tsan_init');

const NO_ROOM = ['EMFILE', 'ENFILE', 'ENOMEM'];
const RESET = ['EINTR', 'EAGAIN', 'ECONNRESET'];

// What may fail while browsers talk, and how.
const TALK = {
	recv: RESET, send: [...RESET, 'ENOBUFS'], sendmsg: [...RESET, 'ENOBUFS'], read: ['EINTR', 'EAGAIN'], write: ['EINTR', 'EAGAIN', 'EPIPE'],
	accept4: ['EINTR', 'ECONNABORTED', ...NO_ROOM], epoll_ctl: ['ENOMEM', 'ENOSPC'], epoll_wait: ['EINTR'],
	open: NO_ROOM, fstat: ['EIO'], pread: ['EIO', 'EINTR'], setsockopt: ['ENOBUFS'], getsockname: ['ENOBUFS'], fcntl: ['EINVAL'], shutdown: ['ENOTCONN']
};
// And while a worker and a link are replaced.
const REPLACE = {
	socket: NO_ROOM, connect: ['EINTR', 'ECONNREFUSED', 'EADDRNOTAVAIL', 'ENOBUFS'], getsockopt: ['ENOBUFS'], setsockopt: ['ENOBUFS'], socketpair: NO_ROOM,
	pipe2: NO_ROOM, posix_spawnp: ['EAGAIN', 'ENOMEM', 'ENOENT'], epoll_ctl: ['ENOMEM'], recv: ['ECONNRESET'], read: ['EINTR'], fcntl: ['EINVAL']
};

// The file that tells faults/fail.c what to do.
class Control {
	constructor(t) {
		this.file = path.join(folder(t, { fail: Buffer.alloc(64) }), 'fail');
		this.env = { ...shim(t, 'fail'), USHER_TEST_FAIL: this.file };
	}

	set(name, at = 0, error = 'EINTR') {
		const bytes = Buffer.alloc(64);
		bytes.write(name);
		bytes.writeInt32LE(at, 32);
		bytes.writeInt32LE(errno[error], 36);
		fs.writeFileSync(this.file, bytes, { flag: 'r+' });
	}

	// Calls since then.
	get count() {
		return fs.readFileSync(this.file).readInt32LE(40);
	}
}

// A node with a local and a remote application, static files and REST, under the shim.
async function start(t) {
	const control = new Control(t);
	const far = await startUsherd(t, workerOf(WORKER));
	const proxy = await faultProxy(t, far.port);
	const www = folder(t, { 'file.txt': 'x'.repeat(5000) });
	const yaml = `
node: near
${LISTEN}
${JWT}
destinations: { far: { application: remote-app, urls: ["${proxy.url}"], timeout: 1s } }
applications: { near: { command: ${WORKER}, pool: { size: 1, deadline: 1s, stop_grace: 100ms } } }
u_services:
  - { application: browser-app, types: { near: { destination: near }, far: { destination: far } } }
  - { path: /api/x, destination: near }
static: [{ path: /files/, root: ${JSON.stringify(www)} }]
timeouts: { http_head: 1s, http_body: 1s, handshake: 1s, dial: 1s, resume: 50ms, idle: 2s }
socketio: { ping_interval: 1s, ping_timeout: 1s, connect_timeout: 1s }
`;
	const rig = { control, proxy };
	rig.restart = async () => {
		control.set('');
		rig.node = await startUsherd(t, yaml, { env: control.env });
		await rig.node.linked();
		rig.descriptors = 0;
	};
	await rig.restart();
	return rig;
}

// What a browser does: a file, a registration, a request here and one far away, REST.
// isReplacing: the link is cut and the worker ends, and both come back.
async function talk(t, { node, proxy }, { isReplacing = false } = {}) {
	const books = new Books();
	const close = [];
	const inner = { after: (undo) => close.push(undo) };

	if (isReplacing)
		proxy.cut();
	try {
		const file = await ask(node.url, 'GET', '/files/file.txt');
		assert.deepStrictEqual([file.status, file.text.length], [200, 5000]);
		const page = await new WebSocketPage('page', books, { mayClose: true }).start(inner, node.port);
		if (isReplacing) {
			await page.ask({ do: 'die after' }, { type: 'near', may: ANY });
			for (let i = 0; i < 10 && await page.ask({}, { type: 'far', may: ANY }) !== 'own'; i++)
				await pause(30);
		}
		const outcome = await Promise.all([page.ask({ n: 1, size: 20000 }, { type: 'near', may: ANY }),
			page.ask({ n: 1, size: 20000 }, { type: 'far', may: ANY })]);
		const rest = await ask(node.url, 'POST', '/api/x', { json: { params: {} } });
		return { outcome: [...outcome, rest.status].join(' '), books };
	} catch (e) {
		if (e instanceof TypeError)
			throw e;	// a fault of this test
		return { outcome: e.message, books };
	} finally {
		for (const undo of close)
			await undo();
	}
}

const ANY = ['timeout', 'link_down', 'link_lost', 'worker_lost', 'overloaded', 'internal', 'cancelled'];
const GOOD = 'own own 200';

const descriptors = (node) => fs.readdirSync(`/proc/${node.pid}/fd`).length;

// Without faults all is well again.
async function isWell(t, rig) {
	rig.control.set('');
	await waitFor(() => 'the node to be well again:\n' + rig.node.log, async () => (await talk(t, rig)).outcome === GOOD);
}

// It answers, or nobody listens there any more; who is just ending does neither.
async function hasEnded(node) {
	const { gone } = await waitFor('an answer, or the end', () => ask(node.url, 'GET', '/')
	    .then(() => ({ gone: false }), (e) => e.code === 'ECONNREFUSED' && { gone: true }));

	return gone;
}

// One fault.  The node goes on, or it ended in order.
async function withFault(t, rig, name, at, error, options) {
	rig.control.set(name, at, error);
	const { books } = await talk(t, rig, options);
	rig.control.set('');
	// Nothing crossed, doubled or changed, whatever else.
	assert.deepStrictEqual(books.wrong, [], `${name} ${at} ${error}`);
	if (await hasEnded(rig.node)) {
		await rig.node.end();
		assert.deepStrictEqual([rig.node.signal, rig.node.code], [null, 1], `${name} ${at} ${error}:\n` + rig.node.log);
		assert.match(rig.node.log, / error /);
		rig.node.isKilled = true;	// it has ended, and not by stop()
		await rig.restart();
	}
}

// Places of a function's calls: all of them, or some, spread evenly.
function places(count, most) {
	const step = IS_LONG ? 1 : Math.max(1, Math.ceil(count / most));

	return Array.from({ length: Math.ceil(count / step) }, (_, i) => 1 + i * step);
}

for (const [what, calls, options] of [['while browsers talk', TALK, {}], ['while a worker and a link are replaced', REPLACE, { isReplacing: true }]]) {
	test('calls that fail ' + what, { skip: isSanitized && 'sanitized' }, async (t) => {
		const rig = await start(t);
		await isWell(t, rig);
		const before = descriptors(rig.node);
		let failed = 0;

		for (const [name, errors] of Object.entries(calls)) {
			await t.test(name, async () => {
				rig.control.set(name);
				await talk(t, rig, options);
				const { count } = rig.control;
				for (const at of places(count, options.isReplacing ? 3 : 6)) {
					for (const error of IS_LONG ? errors : [errors[failed % errors.length]]) {
						await withFault(t, rig, name, at, error, options);
						failed++;
					}
				}
				await isWell(t, rig);
			});
		}
		assert.ok(failed > Object.keys(calls).length, failed + ' calls failed');
		await waitFor(() => `${descriptors(rig.node)} descriptors to be ${before} again`, () => descriptors(rig.node) <= before);
	});
}

test('no memory at any place of a request: the node says so and ends', { skip: isSanitized && 'sanitized' }, async (t) => {
	const rig = await start(t);
	await isWell(t, rig);
	rig.control.set('malloc');
	await talk(t, rig);
	const { count } = rig.control;
	const all = places(count, 12);

	assert.ok(count > 20, count + ' allocations');
	for (const at of all)
		await withFault(t, rig, 'malloc', at, 'ENOMEM');
	await isWell(t, rig);
});
