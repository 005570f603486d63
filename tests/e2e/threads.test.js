// SPDX-License-Identifier: ISC
// Four event loops, each with sessions of its own: what spans them must not show.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const { load, assertOracle, WORKER } = require('../faults/oracle');
const { certificate } = require('./lib/certificates');
const { masterOf, nodeOf, scriptedApp, workerOf } = require('./lib/configs');
const { crowd, assertPerfect } = require('./lib/crowd');
const { cutter } = require('./lib/cutter');
const { fakeNode } = require('./lib/fake-node');
const { ADMIN, control, ctl, linkedOnAllLoops, metricsOf, result } = require('./lib/operator');
const { Poller, event, messageOf } = require('./lib/polling');
const { metric } = require('./lib/prometheus');
const { rawBrowser, rawClient } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { job, Gate, Record } = require('./lib/scripts');
const { startStockService } = require('./lib/stock');
const { claims } = require('./lib/tokens');
const { folder, nodeKit, startUsherd, SECRET } = require('./lib/usherd');
const { pause, waitFor } = require('./lib/wait');

const LOOPS = 4;
const FOUR = `threads: ${LOOPS}\n`;
const DONE = { finish: { done: true } };
const register = { type: 'ewd-register', application: 'browser-app', jwt: true };

// One node with workers of application browser-app.
async function near(t, more = '', pool = 'size: 4', options = {}) {
	const record = new Record(t);
	const app = scriptedApp(pool, { ready: { cancel: true }, record: record.file });
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': app }, ADMIN + FOUR + more), options);

	return { node, record };
}

// A master in front of a node that does what the test says.
async function before(t, { secret = SECRET, link = '', more = '' } = {}) {
	const far = await fakeNode(t, { secret });
	const master = await startUsherd(t, masterOf(far.url, link) + ADMIN + FOUR + more);

	await master.linked();
	return { far, master };
}

// sid, as it is shown -> the number of its loop
async function loopsOf(node) {
	const { sessions } = await result(node, 'sessions');

	return new Map(sessions.map((s) => [s.sid, s.loop]));
}

const loopOf = async (node, { sid }) => (await loopsOf(node)).get(sid.slice(0, 8));

// A browser on each loop, in the order of the loops.
async function oneOnEach(t, node) {
	const found = new Map();

	await waitFor('a browser on each loop', async () => {
		const browser = await rawBrowser(t, node.port);
		const loop = await loopOf(node, browser);
		if (found.has(loop))
			browser.close();
		else
			found.set(loop, browser);
		return found.size === LOOPS;
	});
	return [...found.entries()].sort(([a], [b]) => a - b).map(([, browser]) => browser);
}

// Asks for these steps; the answers are left to whoever called.
const emit = (browser, id, ...steps) =>
	browser.emit({ ...job(...steps), token: browser.token, ms_requestId: id });

// What is left over would come before this answer.
async function assertSilent(browser) {
	browser.emit(register);
	assert.strictEqual((await browser.nextReply()).type, 'ewd-register');
}

const count = (all, of) => all.filter((one) => one === of).length;

// How many sessions each loop has.
async function spread(node) {
	const all = [...(await loopsOf(node)).values()];

	return Array.from({ length: LOOPS }, (_, loop) => count(all, loop));
}

// ---- where sessions are ----

test('no loop has twice the sessions of another', async (t) => {
	const { node } = await near(t);
	const sockets = await Promise.all(Array.from({ length: 28 }, () => rawBrowser(t, node.port)));
	await Promise.all(Array.from({ length: 16 }, (_, i) => new Poller(node.port, 3 + i % 2).connect()));
	const assertEven = async (total) => {
		const sizes = await spread(node);
		assert.strictEqual(sizes.reduce((a, b) => a + b), total);
		assert.ok(Math.max(...sizes) < 2 * Math.min(...sizes), sizes.join(', '));
	};

	assert.strictEqual((await result(node, 'status')).loops, LOOPS);
	await assertEven(44);
	// All of one loop leave; those that come next take their places.
	const loops = await loopsOf(node);
	const leaving = sockets.filter((b) => loops.get(b.sid.slice(0, 8)) === 2);
	leaving.forEach((b) => b.close());
	await waitFor('them to be gone', async () => (await loopsOf(node)).size === 44 - leaving.length);
	await Promise.all(leaving.map(() => rawBrowser(t, node.port)));
	await assertEven(44);
});

// Nobody is moved: it is new connections alone that make it even again.
test('nor has one after many have left and come, whichever they were', async (t) => {
	const { node } = await near(t);
	const come = (n) => Promise.all(Array.from({ length: n }, () => rawBrowser(t, node.port)));
	const total = 12 * LOOPS;
	let browsers = await come(total);

	// Of each loop in turn nearly all, of the next one half, of the others few.
	for (let round = 0; round < LOOPS; round++) {
		const loops = await loopsOf(node);
		const seen = Array(LOOPS).fill(0);
		const leaves = (browser) => {
			const loop = loops.get(browser.sid.slice(0, 8));
			return seen[loop]++ < [11, 6, 2, 1][(loop + round) % LOOPS];
		};
		const leaving = new Set(browsers.filter(leaves));

		leaving.forEach((browser) => browser.close());
		await waitFor('them to be gone', async () => (await loopsOf(node)).size === total - leaving.size);
		const left = await spread(node);
		assert.ok(Math.max(...left) >= 2 * Math.min(...left), left.join(', '));
		browsers = [...browsers.filter((b) => !leaving.has(b)), ...await come(leaving.size)];
		const sizes = await spread(node);
		assert.strictEqual(sizes.reduce((a, b) => a + b), total);
		assert.ok(Math.max(...sizes) < 2 * Math.min(...sizes), sizes.join(', '));
	}
});

test('no two connections have the same number in the log, whichever loops they are on', async (t) => {
	const { node } = await near(t, 'log: { level: debug }\n');
	await Promise.all(Array.from({ length: 12 }, () => rawBrowser(t, node.port)));
	const labels = () => [...node.log.matchAll(/\bC-(\d+) \S+: accepted on/g)].map(([, number]) => number);

	await waitFor('all to be in the log', () => labels().length >= 12);
	assert.ok((await spread(node)).every((n) => n > 0));
	assert.deepStrictEqual([...new Set(labels())], labels());
});

test('threads: auto is one for each processor', async (t) => {
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 1') }, ADMIN + 'threads: auto\n'));
	const browser = await rawBrowser(t, node.port);

	assert.strictEqual((await browser.request({ type: 'job' })).message.ok, true);
	const { loops } = await result(node, 'status');
	assert.strictEqual(loops, os.availableParallelism ? os.availableParallelism() : os.cpus().length);
	assert.strictEqual(metric(await metricsOf(node), 'usher_event_loops'), loops);
});

// ---- polling ----

// A session that polls over connections that last one request each, and asks n times.
async function pollAndAsk(port, eio, n, options) {
	const poller = await new Poller(port, eio, options).connect();
	const polling = poller.run();
	polling.catch(() => {});	// a node that stops does not wait for a new poll
	const next = async () => messageOf(await poller.inbox.next('an answer to the client that polls'));

	await poller.post(event(register));
	const { token } = (await next()).message;
	for (let i = 0; i < n; i++) {
		await poller.post(event({ ...job({ send: { n: 1 } }, { finish: { n: 2 } }), token, ms_requestId: i }));
		assert.deepStrictEqual([await next(), await next()].map((r) => [r.ms_requestId, r.message.n]), [[i, 1], [i, 2]]);
	}
	return { poller, polling, next, token };
}

const moved = async (node) => metric(await metricsOf(node), 'usher_connections_moved_total');

test('requests of a session that polls reach it, whichever loop has accepted them', async (t) => {
	const { node } = await near(t);

	await Promise.all([3, 4, 3, 4, 3, 4].map((eio) => pollAndAsk(node.port, eio, 4)));
	assert.ok(await moved(node) > 0, 'some were of another loop');
});

test('and so with TLS', async (t) => {
	const dir = folder(t);
	certificate(dir, 'own', { names: 'IP:127.0.0.1' });
	const yaml = nodeOf('near', { 'browser-app': scriptedApp('size: 4') }, ADMIN + FOUR).replace(/^listen:.*$/m,
	    `listen: [{ address: "127.0.0.1:0", tls: { certificate: ${dir}/own.pem, key: ${dir}/own.key } }]`);
	const node = await startUsherd(t, yaml);

	await Promise.all([3, 4, 3, 4].map((eio) => pollAndAsk(node.port, eio, 3, { secure: true })));
	assert.ok(await moved(node) > 0, 'some were of another loop');
});

test('sessions that poll go on over a WebSocket that another loop has accepted', async (t) => {
	const { node } = await near(t);

	await Promise.all([3, 4, 3, 4, 3, 4, 3, 4].map(async (eio) => {
		const { poller, polling, token } = await pollAndAsk(node.port, eio, 1);
		const socket = await poller.socket(t);
		socket.send('2probe');
		assert.strictEqual(await socket.inbox.next('the answer to the probe'), '3probe');
		poller.isPausing = true;
		await polling;
		socket.send('5');
		for (let i = 0; i < 5; i++)
			socket.send(event({ ...job({ finish: { i } }), token, ms_requestId: i }));
		const got = [];
		while (got.length < 5)
			got.push(messageOf(await socket.next('an answer over the WebSocket')).ms_requestId);
		assert.deepStrictEqual(got.sort(), [0, 1, 2, 3, 4]);
	}));
	assert.ok(await moved(node) > 0, 'some were of another loop');
});

// ---- handlers ----

test('workers answer sessions of every loop: each reply once, in order, to its own', async (t) => {
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': `{ command: ${nodeKit('remote-app.js')}, pool: { size: 2 } }` }, FOUR));

	assertPerfect(await crowd(t, node.port, { browsers: 24, rounds: 10 }), 240);
});

test('pushes reach whom they are for on every loop', async (t) => {
	const { node } = await near(t);
	const browsers = await oneOnEach(t, node);
	const news = (to, n) => ({ push: { type: 'news', to, message: { n } } });
	const heard = async (browser) => {
		const { type, message } = await browser.nextReply('news');
		return [type, message.n];
	};
	const first = browsers[0];

	emit(first, 1, ...browsers.map((b, i) => news({ socket: b.sid }, i)), DONE);
	for (const [i, browser] of browsers.entries())
		assert.deepStrictEqual(await heard(browser), ['news', i]);
	assert.strictEqual((await first.nextReply()).message.done, true);
	emit(browsers[3], 2, news({ application: 'browser-app' }, 'a'), news({ all: true }, 'b'), news({ application: 'other' }, 'c'), DONE);
	for (const browser of browsers)
		assert.deepStrictEqual([await heard(browser), await heard(browser)], [['news', 'a'], ['news', 'b']]);
	assert.strictEqual((await browsers[3].nextReply()).message.done, true);
	for (const browser of browsers)
		await assertSilent(browser);
});

test('a push to who asks comes before the final that follows it', async (t) => {
	const { node } = await near(t);

	await Promise.all((await oneOnEach(t, node)).map(async (browser) => {
		for (let i = 0; i < 10; i++) {
			emit(browser, i, { send: { n: 1 } }, { push: { type: 'news', message: { n: 2 } } }, { send: { n: 3 } }, { finish: { n: 4 } });
			for (const n of [1, 2, 3, 4])
				assert.strictEqual((await browser.nextReply()).message.n, n);
		}
	}));
});

test('requests of all loops are cancelled, or end with their sessions', async (t) => {
	const { node, record } = await near(t, 'u_services: [{ application: browser-app, types: { job: { destination: browser-app, on_leave: cancel } } }]\n');
	const browsers = await oneOnEach(t, node);

	for (const [i, browser] of browsers.entries()) {
		emit(browser, 'a', { send: { n: 1 } }, { until: 'cancel' }, { finish: { late: true } });
		assert.strictEqual((await browser.nextReply()).message.n, 1);
		browser.emit({ type: 'usher-cancel', token: browser.token, ms_requestId: 'a' });
		assertError(await browser.nextReply(), { type: 'job', code: 'cancelled', ms_requestId: 'a' });
		await record.told('cancel', i + 1);
		await assertSilent(browser);
	}
	for (const browser of browsers) {
		emit(browser, 'b', { send: { n: 1 } }, { until: 'cancel' }, { finish: { late: true } });
		await browser.nextReply();
		browser.close();
	}
	await record.told('cancel', 2 * LOOPS);
	await waitFor('no request to be open', async () => (await result(node, 'status')).requests === 0);
});

test('limits.in_flight is that of all loops together, wherever the requests come in', async (t) => {
	const { node } = await near(t, `limits: { in_flight: ${LOOPS} }\n`);
	const browsers = await oneOnEach(t, node);
	const gate = new Gate(t);

	for (let i = 0; i < LOOPS; i++)
		emit(browsers[1], i, { gate: gate.file }, DONE);
	await waitFor('all to be open', async () => (await result(node, 'status')).requests === LOOPS);
	emit(browsers[2], 'one more', DONE);
	assertError(await browsers[2].nextReply(), { type: 'job', code: 'overloaded', ms_requestId: 'one more' });
	gate.open();
	for (let i = 0; i < LOOPS; i++)
		assert.strictEqual((await browsers[1].nextReply()).message.done, true);
	await waitFor('none to be open', async () => (await result(node, 'status')).requests === 0);
	emit(browsers[2], 'again', DONE);
	assert.strictEqual((await browsers[2].nextReply()).message.done, true);
});

// One post that waits is too much for another, so that loops need not be slow to be too slow.
test('what finds no room on its way to another loop is overloaded if it is a request, dropped if it is a push', async (t) => {
	const { node } = await near(t, 'limits: { between_loops: 1000 }\n');
	const browsers = await oneOnEach(t, node);
	const counts = { done: 0, overloaded: 0 };
	const dropped = async () => metric(await metricsOf(node), 'usher_pushes_dropped_total');

	await waitFor('requests of a loop that find no room', async () => {
		const asked = Array.from({ length: 40 }, (_, i) => i);
		asked.forEach((i) => emit(browsers[1], i, DONE));
		const replies = [];
		while (replies.length < asked.length)
			replies.push(await browsers[1].nextReply());
		assert.deepStrictEqual(replies.map((r) => r.ms_requestId).sort((a, b) => a - b), asked);
		for (const reply of replies) {
			counts[reply.message.done ? 'done' : 'overloaded']++;
			if (!reply.message.done)
				assertError(reply, { type: 'job', code: 'overloaded', ms_requestId: reply.ms_requestId });
		}
		return counts.overloaded > 0;
	});
	assert.ok(counts.done > 0);
	await waitFor('pushes for a loop that find no room', async () => {
		emit(browsers[0], 'push', ...Array.from({ length: 40 }, (_, n) => ({ push: { type: 'news', to: { all: true }, message: { n } } })), DONE);
		for (let n = 0; n < 40; n++)
			assert.strictEqual((await browsers[0].nextReply('news of the loop of the worker')).message.n, n);
		assert.strictEqual((await browsers[0].nextReply()).message.done, true);
		return await dropped() > 0;
	});
	// Those of other loops have had what there was room for, and are answered as ever.
	for (const browser of browsers.slice(1)) {
		browser.emit(register);
		while ((await browser.nextReply()).type === 'news');
		emit(browser, 'after', DONE);
		assert.strictEqual((await browser.nextReply()).message.done, true);
	}
});

// ---- links ----

test('to a stock service there are as many links as are set, for all loops together', async (t) => {
	const { far, master } = await before(t, { secret: null, link: 'links: 2' });
	const browsers = await oneOnEach(t, master);

	browsers.forEach((browser, i) => browser.emit({ type: 'job', token: browser.token, ms_requestId: i, params: { i } }));
	const requests = [];
	for (let i = 0; i < LOOPS; i++) {
		requests.push(await far.next());
		if (i === 1)	// two links have one request each; now they fall free
			requests.forEach((r) => r.final({ of: r.message.params.i }));
		if (i > 1)
			requests[i].final({ of: requests[i].message.params.i });
	}
	for (const [i, browser] of browsers.entries())
		assert.deepStrictEqual((({ ms_requestId, message }) => [ms_requestId, message.of])(await browser.nextReply()), [i, i]);
	assert.strictEqual(far.registrations.length, 2);
});

test('to a node of ours there is one link of each loop', async (t) => {
	const { far, master } = await before(t);
	await linkedOnAllLoops(master);
	const browsers = await oneOnEach(t, master);
	const used = new Set();

	for (const browser of browsers) {
		browser.emit({ type: 'job', token: browser.token });
		const request = await far.next();
		used.add(request.link);
		request.final({ ok: true });
		assert.strictEqual((await browser.nextReply()).message.ok, true);
	}
	assert.strictEqual(used.size, LOOPS);
	assert.strictEqual(far.open.length, LOOPS);
	const { links } = await result(master, 'links');
	assert.deepStrictEqual(links.map((l) => l.loop).sort(), [0, 1, 2, 3]);
});

test('or several of each, which share its requests; one of each loop is for pushes', async (t) => {
	const { far, master } = await before(t, { link: 'node_links: 2' });
	await linkedOnAllLoops(master, 2);
	const browsers = await oneOnEach(t, master);
	const used = new Set();

	for (const browser of browsers) {
		const requests = [];

		for (let i = 0; i < 4; i++) {
			browser.emit({ type: 'job', token: browser.token, ms_requestId: i });
			requests.push(await far.next());
		}
		const links = new Set(requests.map((r) => r.link));
		assert.strictEqual(links.size, 2);
		links.forEach((link) => used.add(link));
		requests.forEach((r) => r.final({ ok: true }));
		for (let i = 0; i < 4; i++)
			assert.strictEqual((await browser.nextReply()).message.ok, true);
	}
	assert.strictEqual(used.size, 2 * LOOPS);
	const further = far.registrations.filter(({ message }) => message.usher.further === true);
	assert.strictEqual(further.length, LOOPS);

	const worker = await startUsherd(t, workerOf(WORKER) + FOUR);
	const other = await startUsherd(t, masterOf(worker.url, 'node_links: 2') + ADMIN + FOUR);
	await linkedOnAllLoops(other, 2);
	assertOracle(await load(t, other.port, { pages: 8, requests: 12, window: 4 }));
});

test('a stock service answers a crowd on all loops', async (t) => {
	const service = await startStockService(t);
	const master = await startUsherd(t, masterOf(service.url) + FOUR);
	await master.linked();

	assertPerfect(await crowd(t, master.port, { browsers: 16, rounds: 8 }), 128);
});

test('the oracle: browsers of both transports, two nodes with four loops each, and nothing is crossed', async (t) => {
	const worker = await startUsherd(t, workerOf(WORKER) + FOUR);
	const master = await startUsherd(t, masterOf(worker.url) + FOUR);
	await master.linked();

	assertOracle(await load(t, master.port, { pages: 12, requests: 24, window: 4 }));
});

test('links of all loops are cut while a crowd asks', async (t) => {
	const worker = await startUsherd(t, workerOf(WORKER) + FOUR);
	const between = await cutter(t, worker.port);
	const master = await startUsherd(t, masterOf(between.url) + FOUR);
	await master.linked();
	let cuts = 0;

	const books = await load(t, master.port, {
		pages: 8, requests: 16, others: ['link_lost', 'link_down'],
		before: async (i) => {
			if (i % 8 === 0 && cuts < 3 && between.connections() > 0)
				cuts += between.cut() > 0;
		}
	});
	assert.ok(cuts > 0);
	assertOracle(books, { link_lost: books.sent, link_down: books.sent });
});

// ---- the operator ----

test('requests, explain, trace and errors are those of all loops', async (t) => {
	const { node } = await near(t, '', 'size: 4');
	const browsers = await oneOnEach(t, node);
	const gate = new Gate(t);
	const follower = control(t, node);
	assert.strictEqual((await follower.ask({ command: 'trace' })).result.event, 'following');

	browsers.forEach((browser, i) => emit(browser, i, { send: { n: 1 } }, { gate: gate.file }, { finish: { n: 2 } }));
	for (const browser of browsers)
		await browser.nextReply();
	const { requests } = await result(node, 'requests');
	assert.deepStrictEqual(requests.map((r) => r.where), ['worker', 'worker', 'worker', 'worker']);
	gate.open();
	for (const browser of browsers)
		assert.strictEqual((await browser.nextReply()).message.n, 2);

	const seen = { request: new Set(), intermediate: new Set(), final: new Set() };
	while (seen.final.size < LOOPS) {
		const line = (await follower.answers.next('a line of the trace')).result;
		seen[line.event].add(line.session);
	}
	const sids = browsers.map((b) => b.sid.slice(0, 8)).sort();
	for (const event of Object.keys(seen))
		assert.deepStrictEqual([...seen[event]].sort(), sids);
	for (const { request } of requests) {
		const told = await result(node, 'explain', request);
		assert.strictEqual(told.requests[0].request, request);
		assert.match(told.steps.find((s) => s.step === 'handed over').what, /^to browser-app#\d$/);
	}

	for (const browser of browsers) {
		const reply = await browser.request({ ...job({ fail: 'on purpose' }) });
		assert.ok(reply.message.error);
	}
	const { counts } = await result(node, 'errors');
	assert.strictEqual(counts.reduce((sum, c) => sum + c.errors, 0), LOOPS);
	assert.strictEqual((await result(node, 'status')).sessions, LOOPS);
});

test('a trace goes on on all loops when the configuration was read again', async (t) => {
	const { node } = await near(t);
	// The admin's own loop comes last: what it does for a trace would order what others do.
	const browsers = (await oneOnEach(t, node)).reverse();
	const sids = browsers.map((b) => b.sid.slice(0, 8)).sort();
	const follower = control(t, node);
	assert.strictEqual((await follower.ask({ command: 'trace' })).result.event, 'following');

	for (let i = 0; i < 2; i++) {
		const { length } = node.log;
		node.kill('SIGHUP');
		await node.logged(/reload: the configuration is/, length);
		for (const browser of browsers)
			assert.strictEqual((await browser.request(job(DONE))).message.done, true);

		const finals = [];
		while (finals.length < LOOPS) {
			const line = (await follower.answers.next('a line of the trace')).result;
			if (line.event === 'final')
				finals.push(line.session);
		}
		assert.deepStrictEqual(finals.sort(), sids);
	}
});

test('sessions of every loop are kicked and revoked', async (t) => {
	const { node } = await near(t);
	const browsers = await oneOnEach(t, node);
	const tokens = browsers.map((b) => b.token);

	for (const browser of browsers.slice(0, 2)) {
		assert.deepStrictEqual(await result(node, 'kick', '--', browser.sid.slice(0, 8)), { closed: 1 });
		assert.strictEqual(await browser.whenClosed(), 1008);
	}
	for (const browser of browsers.slice(2)) {
		await result(node, 'revoke', '--', 'jti', claims(browser.token).jti);
		assert.strictEqual((await browser.nextReply()).message.code, 'session_revoked');
		assert.strictEqual(await browser.whenClosed(), 1008);
	}
	// Whichever loop they come to.
	for (const browser of await oneOnEach(t, node)) {
		for (const [i, token] of tokens.entries()) {
			browser.token = token;
			const { message } = await browser.request({ type: 'job' });
			assert.strictEqual(message.code, i < 2 ? undefined : 'session_revoked');
			if (i >= 2)
				break;
		}
	}
});

test('what is paused waits, what is disabled is refused, on all loops', async (t) => {
	const { far, master } = await before(t);
	const browsers = await oneOnEach(t, master);
	far.answer = (r) => r.final({ of: r.message.params.i }) || true;
	const ask = (i) => browsers[i].emit({ type: 'job', token: browsers[i].token, params: { i } });
	const all = [0, 1, 2, 3];

	await result(master, 'pause', 'far');
	all.forEach(ask);
	await waitFor('all to wait', async () => (await result(master, 'links')).destinations[0].queue === LOOPS);
	await result(master, 'resume', 'far');
	for (const i of all)
		assert.strictEqual((await browsers[i].nextReply()).message.of, i);

	await result(master, 'disable', 'far');
	all.forEach(ask);
	for (const i of all)
		assertError(await browsers[i].nextReply(), { type: 'job', code: 'link_down' });
	await result(master, 'enable', 'far');
	all.forEach(ask);
	for (const i of all)
		assert.strictEqual((await browsers[i].nextReply()).message.of, i);

	far.answer = null;
	all.forEach(ask);
	const requests = [];
	for (const _ of all)
		requests.push(await far.next());
	const drained = result(master, 'drain', 'far', '--wait');
	await waitFor('it to be drained', async () => (await result(master, 'links')).destinations[0].state === 'drained');
	requests.forEach((r) => r.final({ of: r.message.params.i }));
	assert.strictEqual((await drained).in_flight, 0);
	for (const i of all)
		assert.strictEqual((await browsers[i].nextReply()).message.of, i);
});

test('reloads while a crowd asks', async (t) => {
	const worker = await startUsherd(t, workerOf(WORKER) + FOUR);
	const yaml = (ms) => masterOf(worker.url) + FOUR + `timeouts: { request: ${ms}ms }\n`;
	const master = await startUsherd(t, yaml(60000));
	await master.linked();
	let isOver = false, reloads = 0;
	const loading = load(t, master.port, { pages: 8, requests: 24, window: 2 }).finally(() => { isOver = true; });

	do {
		const { length } = master.log;
		fs.writeFileSync(path.join(master.dir, 'usher.yaml'), yaml(60001 + reloads));
		master.kill('SIGHUP');
		await master.logged(/reload: the configuration is/, length);
		reloads++;
		await pause(20);
	} while (!isOver);
	assertOracle(await loading);
	assert.ok(reloads > 1);
});

test('a reload that removes an application serves what is on its way to it', async (t) => {
	const yaml = (more) => nodeOf('near', { 'browser-app': scriptedApp('size: 1'), ...more }, ADMIN + FOUR);
	const other = { other: scriptedApp('size: 2') };
	const node = await startUsherd(t, yaml(other));
	const browsers = await oneOnEach(t, node);
	await Promise.all(browsers.map((browser) => browser.register('other')));
	let isOver = false;

	const asking = Promise.all(browsers.map(async (browser) => {
		for (let i = 0; i < 40; i++)
			emit(browser, i, DONE);
		for (let open = 40; open > 0; open--) {
			const { message } = await browser.nextReply();
			assert.ok(message.done || message.code === 'no_handler', JSON.stringify(message));
			if (!isOver)
				emit(browser, open++, DONE);
		}
	}));
	for (const more of [{}, other, {}, other, {}]) {
		const { length } = node.log;
		fs.writeFileSync(path.join(node.dir, 'usher.yaml'), yaml(more));
		node.kill('SIGHUP');
		await node.logged(/reload: the configuration is/, length);
	}
	isOver = true;
	await asking;
});

// ---- sessions that come back ----

// Drops the connection; the node has seen it.
async function drop(node, browser) {
	browser.close();
	await waitFor('the session to be away', async () => {
		const { sessions } = await result(node, 'sessions');
		return !sessions.some((s) => s.sid === browser.sid.slice(0, 8) && s.state === 'connected');
	});
}

// The same session on a new socket of another loop than the old one's.  Others take the places on
// those where it must not come to.
async function comeBackElsewhere(t, node, old, from) {
	for (;;) {
		const browser = await rawClient(t, node.port);
		if (await loopOf(node, browser) === from)
			continue;	// that one stays there and makes the next come to another
		browser.emit({ type: 'ewd-reregister', token: old.token });
		const answer = await browser.nextReply('the answer to ewd-reregister');
		assert.deepStrictEqual([answer.type, answer.message.ok], ['ewd-reregister', true]);
		browser.token = answer.message.token;
		browser.resumed = answer.message.resumed;
		return browser;
	}
}

test('a client that comes back on another loop gets what came meanwhile, once and in order', async (t) => {
	const { node } = await near(t);
	const gate = new Gate(t);

	for (const browser of await oneOnEach(t, node)) {
		const from = await loopOf(node, browser);
		emit(browser, 'a', { send: { n: 1 } }, { gate: gate.file }, { send: { n: 2 } },
		    { push: { type: 'news', message: { n: 3 } } }, { finish: { n: 4 } });
		assert.strictEqual((await browser.nextReply()).message.n, 1);
		await drop(node, browser);
		// Half of them while it runs still, the others when all is over.
		if (from % 2 === 0)
			gate.open();
		if (from % 2 === 0)
			await waitFor('the request to be over', async () => (await result(node, 'requests')).requests.length === 0);
		const back = await comeBackElsewhere(t, node, browser, from);
		gate.open();
		for (const n of [2, 3, 4])
			assert.strictEqual((await back.nextReply()).message.n, n);
		assert.strictEqual(back.resumed, from % 2 === 0 ? 0 : 1);
		await assertSilent(back);
		back.close();
		fs.rmSync(gate.file);
	}
});

test('a client that came back elsewhere, and gets more than there is room for, is closed as one too slow', async (t) => {
	const { node, record } = await near(t, 'limits: { between_loops: 1000 }\n');
	const gate = new Gate(t);
	const [old] = await oneOnEach(t, node);	// on the loop of the workers
	emit(old, 'a', { send: { n: 1 } }, { gate: gate.file }, ...Array.from({ length: 300 }, (_, n) => ({ send: { n } })), { until: 'cancel' }, DONE);
	await old.nextReply();
	await drop(node, old);
	const back = await comeBackElsewhere(t, node, old, 0);

	assert.strictEqual(back.resumed, 1);
	gate.open();
	assert.strictEqual(await back.whenClosed(), 1008);
	await record.told('cancel');
	await waitFor('no request to be open', async () => (await result(node, 'status')).requests === 0);
	assert.strictEqual(metric(await metricsOf(node), 'usher_resumes_dropped_total'), 1);
	assert.match(node.log, /does not keep up: a client that came back there is closed \(limits\.between_loops\)/);
	// Nothing of it is left; the session itself goes on.
	const again = await rawClient(t, node.port);
	again.emit({ type: 'ewd-reregister', token: back.token });
	const answer = await again.nextReply();
	assert.deepStrictEqual([answer.message.ok, answer.message.resumed], [true, undefined]);
	await assertSilent(again);
});

test('a client that moves from loop to loop keeps its requests, and may cancel them', async (t) => {
	const { node, record } = await near(t);
	const gates = [1, 2, 3, 4].map(() => new Gate(t));
	let at = await rawBrowser(t, node.port);
	emit(at, 'a', { send: { n: 0 } }, ...gates.flatMap((gate, i) => [{ gate: gate.file }, { send: { n: i + 1 } }]), { until: 'cancel' }, DONE);
	assert.strictEqual((await at.nextReply()).message.n, 0);

	for (const [i, gate] of gates.entries()) {
		const from = await loopOf(node, at);
		await drop(node, at);
		at = await comeBackElsewhere(t, node, at, from);
		assert.strictEqual(at.resumed, 1);
		gate.open();
		assert.strictEqual((await at.nextReply()).message.n, i + 1);
	}
	at.emit({ type: 'usher-cancel', token: at.token, ms_requestId: 'a' });
	assertError(await at.nextReply(), { type: 'job', code: 'cancelled', ms_requestId: 'a' });
	await record.told('cancel');
	await assertSilent(at);
});

let nPushes = 0;

function push(browser, sid) {
	const n = ++nPushes;

	emit(browser, 'push', { push: { type: 'news', to: { socket: sid }, message: { n } } }, DONE);
	return (reply) => reply.type === 'news' && reply.message.n === n;
}

// A push to this socket reaches the client.
async function assertReached(browser, sid) {
	const isIt = push(browser, sid);

	for (let left = 2; left > 0;) {
		const reply = await browser.nextReply('the push, and the answer to who has sent it');

		if (reply.type !== 'news' || isIt(reply))
			left--;
	}
}

// Does a push to this socket reach the client while it has twenty requests answered?
async function isReached(browser, sid) {
	const isIt = push(browser, sid);
	let isReached = false;

	for (let open = 20; open > 0;) {
		const reply = await browser.nextReply();

		if (isIt(reply))
			isReached = true;
		else if (reply.type !== 'news' && --open > 0)
			emit(browser, 'more', DONE);
	}
	return isReached;
}

test('a client that changes loops again and again keeps its requests; when they are over, so are its former sockets', async (t) => {
	const { node } = await near(t);
	const gate = new Gate(t);
	const first = await rawBrowser(t, node.port);
	let at = first, last;
	const move = async () => {
		const from = await loopOf(node, at);
		await drop(node, at);
		last = at;
		at = await comeBackElsewhere(t, node, at, from);
	};
	emit(at, 'a', { send: { n: 1 } }, { gate: gate.file }, { finish: { n: 2 } });
	await at.nextReply();

	for (let i = 0; i < 10; i++) {
		await move();
		assert.strictEqual(at.resumed, 1);
	}
	await assertReached(at, first.sid);
	gate.open();
	assert.strictEqual((await at.nextReply()).message.n, 2);
	await waitFor('the first socket to be forgotten', async () => {
		await move();
		return !await isReached(at, first.sid);
	});
	await assertReached(at, last.sid);
});

test('a client that asks twice for what it has left on another loop is answered twice', async (t) => {
	const { node } = await near(t);
	const old = await rawBrowser(t, node.port);
	const from = await loopOf(node, old);
	await drop(node, old);

	const back = await comeBackElsewhere(t, node, old, from);
	back.emit({ type: 'ewd-reregister', token: old.token, resume: true });
	const { message } = await back.nextReply('the second answer');
	assert.deepStrictEqual([message.ok, message.resumed], [true, undefined]);
	emit(back, 1, { push: { type: 'news', to: { socket: old.sid }, message: {} } }, DONE);
	const types = [(await back.nextReply()).type, (await back.nextReply()).type];
	assert.deepStrictEqual(types.sort(), ['job', 'news']);
	await assertSilent(back);
});

test('requests that a client has on another loop count as its own, also when the node stops', async (t) => {
	const { node } = await near(t, 'limits: { in_flight_per_session: 1 }\n');
	const gate = new Gate(t);
	const old = await rawBrowser(t, node.port);
	const from = await loopOf(node, old);
	emit(old, 'a', { send: { n: 1 } }, { gate: gate.file }, { finish: { n: 2 } });
	await old.nextReply();
	await drop(node, old);
	const back = await comeBackElsewhere(t, node, old, from);
	const idle = await rawClient(t, node.port);

	const { sessions } = await result(node, 'sessions');
	assert.strictEqual(sessions.find((s) => s.sid === back.sid.slice(0, 8)).calls, 1);
	emit(back, 'b', DONE);
	assertError(await back.nextReply(), { type: 'job', code: 'too_many', ms_requestId: 'b' });
	const stopped = node.stop('SIGTERM');
	assert.strictEqual(await idle.whenClosed(), 1001);
	gate.open();
	assert.strictEqual((await back.nextReply('what is open still')).message.n, 2);
	assert.strictEqual(await back.whenClosed(), 1001);
	await stopped;
});

// ---- the end ----

test('a node that stops answers what is open on every loop, and tells all sessions', async (t) => {
	const { node } = await near(t);
	const browsers = await oneOnEach(t, node);
	const gate = new Gate(t);
	const idle = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(() => rawClient(t, node.port)));

	browsers.forEach((browser, i) => emit(browser, i, { send: { n: 1 } }, { gate: gate.file }, { finish: { n: 2 } }));
	for (const browser of browsers)
		await browser.nextReply();
	const stopped = node.stop('SIGTERM');
	for (const client of idle)
		assert.strictEqual(await client.whenClosed(), 1001);
	gate.open();
	for (const browser of browsers) {
		assert.strictEqual((await browser.nextReply()).message.n, 2);
		assert.strictEqual(await browser.whenClosed(), 1001);
	}
	await stopped;
});

test('a node that drains tells the sessions of every loop at its pace', async (t) => {
	const { node } = await near(t, 'drain: { sessions_per_second: 20 }\ntimeouts: { drain: 10m }\n');
	const clients = await Promise.all(Array.from({ length: 12 }, () => rawClient(t, node.port)));

	assert.ok((await spread(node)).every((n) => n > 0));
	await node.stop('SIGTERM');
	for (const client of clients)
		assert.strictEqual(await client.whenClosed(), 1001);
});

test('a node that stops at once ends what is open on every loop', async (t) => {
	const { node } = await near(t);
	const browsers = await oneOnEach(t, node);

	browsers.forEach((browser, i) => emit(browser, i, { send: { n: 1 } }, { until: 'cancel' }, DONE));
	for (const browser of browsers)
		await browser.nextReply();
	await node.stop('SIGINT');
	for (const browser of browsers)
		await browser.whenClosed();
});

test('a command that is under way does not stop another, nor the end', async (t) => {
	const { node } = await near(t);
	await oneOnEach(t, node);
	const follower = control(t, node);
	await follower.ask({ command: 'trace' });
	const looks = Array.from({ length: 20 }, (_, i) => ctl(node, [['status', 'sessions', 'links', 'requests', 'pools'][i % 5]]));

	for (const look of looks)
		assert.strictEqual((await look).code, 0);
	await node.stop('SIGTERM');
	await follower.ended;
});
