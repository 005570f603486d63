// SPDX-License-Identifier: ISC
// A browser whose connection drops while its requests are open, and which comes back.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { stockBrowser } = require('./lib/browser');
const { masterOf, workerOf, nodeOf, scriptedApp, scripted } = require('./lib/configs');
const { cutter } = require('./lib/cutter');
const { ADMIN, result } = require('./lib/operator');
const { Poller, event, messageOf } = require('./lib/polling');
const { rawBrowser, rawClient } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { job, Gate, Record } = require('./lib/scripts');
const { claims, decryptSecrets } = require('./lib/tokens');
const { startUsherd, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const LOG = { args: ['-D', 'sio', '-D', 'request'] };

async function start(t, more = '', pool = 'size: 2', log = LOG) {
	const record = new Record(t);
	const node = await startUsherd(t, nodeOf('near',
	    { 'browser-app': scriptedApp(pool, { ready: { cancel: true }, record: record.file }) }, more), log);

	return { node, record, browser: await rawBrowser(t, node.port) };
}

// Drops the connection; the node has seen it.
async function drop(node, browser) {
	const offset = node.log.length;

	browser.close();
	await node.logged(/closed: /, offset);
}

// Until this many requests have ended since then.
const ended = (node, offset, count = 1) => node.logged(new RegExp('(: type job at \\S+: [^]*?){' + count + '}'), offset);

// The same session on a new socket.  Gives what was answered.
async function comeBack(t, node, token, more = {}) {
	const browser = await rawClient(t, node.port);

	browser.emit({ type: 'ewd-reregister', token, ...more });
	browser.answer = await browser.nextReply('the answer to ewd-reregister');
	assert.strictEqual(browser.answer.type, 'ewd-reregister');
	assert.strictEqual(browser.answer.message.ok, true);
	browser.token = browser.answer.message.token;
	return browser;
}

// What came before the answer to a registration that is sent now: all there was.
async function heard(browser) {
	const replies = [];

	browser.emit({ type: 'ewd-register', application: 'browser-app', jwt: true });
	for (;;) {
		const reply = await browser.nextReply();
		if (reply.type === 'ewd-register')
			return replies;
		replies.push(reply);
	}
}

// Begins a request that says { n: 1 } at once; the browser has heard it.
async function begin(browser, id, ...steps) {
	browser.emit({ ...job({ send: { n: 1 } }, ...steps), token: browser.token, ms_requestId: id });
	assert.strictEqual((await browser.nextReply()).message.n, 1);
}

test('what came while it was away is delivered once, in order, behind the answer', async (t) => {
	const { node, browser } = await start(t);
	const gate = new Gate(t);
	await begin(browser, 'a', { gate: gate.file }, { send: { n: 2 } }, { push: { type: 'news', message: { n: 3 } } },
	    { send: { n: 4 } }, { finish: { n: 5 } });
	await drop(node, browser);
	const offset = node.log.length;
	gate.open();
	await ended(node, offset);
	const back = await comeBack(t, node, browser.token);

	assert.strictEqual(back.answer.message.resumed, 0, 'no request is open any more');
	const replies = await heard(back);
	assert.deepStrictEqual(replies.map((reply) => reply.message.n), [2, 3, 4, 5]);
	assert.deepStrictEqual(replies.map((reply) => reply.type), ['job', 'news', 'job', 'job']);
	assert.deepStrictEqual(replies.map((reply) => reply.finished), [false, undefined, false, true]);
	assert.strictEqual(replies[3].ms_requestId, 'a');
	assert.strictEqual(claims(replies[3].message.token).application, 'browser-app');

	const again = await comeBack(t, node, browser.token);
	assert.strictEqual(again.answer.message.resumed, undefined, 'and then there is nothing');
	assert.deepStrictEqual(await heard(again), []);
});

test('requests that are still open go on at the new socket', async (t) => {
	const { node, record, browser } = await start(t, '', 'size: 3');
	const gate = new Gate(t);
	await begin(browser, 'a', { gate: gate.file }, { send: { n: 2 } }, { finish: { n: 3 } });
	await begin(browser, 'b', { until: 'cancel' });
	await drop(node, browser);
	const back = await comeBack(t, node, browser.token);

	assert.strictEqual(back.answer.message.resumed, 2);
	assert.strictEqual(decryptSecrets(back.token, SECRET).socketId, back.sid);
	gate.open();
	assert.strictEqual((await back.nextReply()).message.n, 2);
	assert.strictEqual((await back.nextReply()).message.n, 3);
	back.emit({ type: 'usher-cancel', token: back.token, ms_requestId: 'b' });
	assertError(await back.nextReply(), { type: 'job', code: 'cancelled', ms_requestId: 'b' });
	await record.told('cancel');
	assert.deepStrictEqual(await heard(back), []);
});

test('a connection that drops again and again', async (t) => {
	const { node, browser } = await start(t);
	const gates = [1, 2, 3].map(() => new Gate(t));
	await begin(browser, 'a', { gate: gates[0].file }, { send: { n: 2 } }, { gate: gates[1].file }, { send: { n: 3 } },
	    { gate: gates[2].file }, { push: { type: 'news', message: { n: 4 } } }, { finish: { n: 5 } });
	let at = browser;
	for (const n of [2, 3]) {
		await drop(node, at);
		// The token of the first socket, as a page has it whose replies carry that one.
		at = await comeBack(t, node, browser.token);
		assert.strictEqual(at.answer.message.resumed, 1);
		gates[n - 2].open();
		assert.strictEqual((await at.nextReply()).message.n, n);
	}
	await drop(node, at);
	const last = await comeBack(t, node, at.token);
	assert.strictEqual(last.answer.message.resumed, 1, 'the token of the last socket does it too');
	gates[2].open();

	assert.strictEqual((await last.nextReply()).message.n, 4, 'the push to the first socket');
	const final = await last.nextReply();
	assert.strictEqual(final.message.n, 5);
	assert.strictEqual(decryptSecrets(final.message.token, SECRET).socketId, browser.sid);
});

test('many drops in a row', async (t) => {
	const { node, browser } = await start(t);
	const gate = new Gate(t);
	await begin(browser, 'a', { gate: gate.file }, { finish: { n: 2 } });
	let at = browser;
	for (let i = 0; i < 12; i++) {
		await drop(node, at);
		at = await comeBack(t, node, at.token);
		assert.strictEqual(at.answer.message.resumed, 1);
	}
	gate.open();
	assert.strictEqual((await at.nextReply()).message.n, 2);
});

test('a second tab with the same token takes nothing from the first', async (t) => {
	const { node, browser } = await start(t);
	const gate = new Gate(t);
	await begin(browser, 'a', { gate: gate.file }, { push: { type: 'news', message: { n: 2 } } }, { finish: { n: 3 } });
	const tab = await comeBack(t, node, browser.token);

	assert.strictEqual(tab.answer.message.resumed, undefined);
	gate.open();
	assert.strictEqual((await browser.nextReply()).message.n, 2);
	assert.strictEqual((await browser.nextReply()).message.n, 3);
	assert.deepStrictEqual(await heard(tab), []);
});

test('one that says it has lost its connection takes over before we notice', async (t) => {
	const { node, browser } = await start(t);
	const gate = new Gate(t);
	await begin(browser, 'a', { gate: gate.file }, { send: { n: 2 } }, { finish: { n: 3 } });
	const offset = node.log.length;
	const back = await comeBack(t, node, browser.token, { resume: true });

	assert.strictEqual(back.answer.message.resumed, 1);
	await node.logged(/closed: the client came back on another connection/, offset);
	gate.open();
	assert.strictEqual((await back.nextReply()).message.n, 2);
	assert.strictEqual((await back.nextReply()).message.n, 3);
	const other = await rawBrowser(t, node.port);
	const again = await comeBack(t, node, other.token, { resume: true });
	assert.strictEqual(again.answer.message.resumed, undefined, 'nothing was open there');
	const self = await comeBack(t, node, other.token, { resume: 'yes' });
	assert.strictEqual(self.answer.message.resumed, undefined);
	self.emit({ type: 'ewd-reregister', token: self.token, resume: true });
	assert.strictEqual((await self.nextReply()).message.ok, true, 'and nobody takes over from himself');
});

test('a session that had nothing open leaves nothing', async (t) => {
	const { node, browser } = await start(t);
	await browser.request(job({ finish: { n: 1 } }));
	await drop(node, browser);

	const back = await comeBack(t, node, browser.token);
	assert.strictEqual(back.answer.message.resumed, undefined);
	const pushed = await rawBrowser(t, node.port);
	await pushed.request(job({ push: { to: { socket: browser.sid }, type: 'news', message: { n: 2 } } }, { finish: {} }));
	assert.strictEqual((await back.nextReply()).message.n, 2, 'but it is found by its old name');
	assert.deepStrictEqual(await heard(back), []);
});

test('somebody else\'s token claims nothing', async (t) => {
	const { node, browser } = await start(t);
	const gate = new Gate(t);
	await begin(browser, 'a', { gate: gate.file }, { finish: { n: 2 } });
	const other = await rawBrowser(t, node.port);
	await drop(node, browser);
	await drop(node, other);

	assert.strictEqual((await comeBack(t, node, other.token)).answer.message.resumed, undefined);
	assert.strictEqual((await comeBack(t, node, browser.token)).answer.message.resumed, 1);
	gate.open();
});

test('an acknowledgement that was asked for on the old socket is not sent on the new one', async (t) => {
	const { node, browser } = await start(t);
	const gate = new Gate(t);
	const asked = { ...job({ send: { n: 1 } }, { gate: gate.file }, { finish: { n: 2 } }), token: browser.token };
	browser.send('427["ewdjs",' + JSON.stringify(asked) + ']');
	await browser.nextReply();
	await drop(node, browser);
	const back = await comeBack(t, node, browser.token);
	gate.open();

	assert.strictEqual((await back.nextReply()).message.n, 2);
	assert.deepStrictEqual(await heard(back), []);
});

test('who does not come back in time', async (t) => {
	await t.test('has its requests cancelled', async (t) => {
		const { node, record, browser } = await start(t, 'timeouts: { resume: 300ms }');
		await begin(browser, 'a', { until: 'cancel' });
		await drop(node, browser);
		await record.told('cancel');

		assert.strictEqual((await comeBack(t, node, browser.token)).answer.message.resumed, undefined);
	});

	await t.test('and what came is gone', async (t) => {
		const { node, browser } = await start(t, 'timeouts: { resume: 300ms }');
		const gate = new Gate(t);
		await begin(browser, 'a', { gate: gate.file }, { push: { type: 'news', message: {} } }, { finish: { n: 2 } });
		await drop(node, browser);
		const offset = node.log.length;
		gate.open();
		await ended(node, offset);
		// It is gone for sure when a session that left later has been given up.
		const later = await rawBrowser(t, node.port);
		await begin(later, 'b', { until: 'cancel' });
		await drop(node, later);
		await node.logged(/request was cancelled|: cancelled after/, offset);

		const back = await comeBack(t, node, browser.token);
		assert.strictEqual(back.answer.message.resumed, undefined);
		assert.deepStrictEqual(await heard(back), []);
	});

	await t.test('at once, where resuming is off', async (t) => {
		const { node, record, browser } = await start(t, 'timeouts: { resume: off }');
		await begin(browser, 'a', { until: 'cancel' });
		await drop(node, browser);
		await record.told('cancel');

		assert.strictEqual((await comeBack(t, node, browser.token)).answer.message.resumed, undefined);
	});

	await t.test('at once, where the route says so, and only there', async (t) => {
		const routes = `
u_services:
  - application: browser-app
    types:
      quick: { destination: browser-app, on_leave: cancel }`;
		const { node, record, browser } = await start(t, routes);
		const gate = new Gate(t);
		await begin(browser, 'a', { gate: gate.file }, { finish: { n: 2 } });
		browser.emit({ ...job({ send: { n: 1 } }, { until: 'cancel' }), type: 'quick', token: browser.token, ms_requestId: 'b' });
		await browser.nextReply();
		await drop(node, browser);
		await record.told('cancel');

		assert.strictEqual((await comeBack(t, node, browser.token)).answer.message.resumed, 1);
		gate.open();
	});
});

test('more than send_queue is not kept', async (t) => {
	const { node, record, browser } = await start(t, 'limits: { send_queue: 64KiB }');
	const gate = new Gate(t);
	const text = 'x'.repeat(40000);
	await begin(browser, 'a', { gate: gate.file }, { send: { text } }, { send: { text } }, { until: 'cancel' });
	await drop(node, browser);
	gate.open();
	await record.told('cancel');

	const back = await comeBack(t, node, browser.token);
	assert.strictEqual(back.answer.message.resumed, undefined);
	assert.deepStrictEqual(await heard(back), []);
});

test('but one reply may be longer', async (t) => {
	const { node, browser } = await start(t, 'limits: { send_queue: 64KiB }');
	const gate = new Gate(t);
	await begin(browser, 'a', { gate: gate.file }, { finish: { text: 'x'.repeat(100000) } });
	await drop(node, browser);
	const offset = node.log.length;
	gate.open();
	await ended(node, offset);

	const back = await comeBack(t, node, browser.token);
	assert.strictEqual((await back.nextReply()).message.text.length, 100000);
});

test('a node that stops does not wait for who is away', async (t) => {
	const { node, browser } = await start(t, 'timeouts: { drain: 1h }');
	const gate = new Gate(t);
	await begin(browser, 'a', { gate: gate.file }, { finish: {} });
	await drop(node, browser);

	await node.stop('SIGTERM');
});

test('a token goes on working when the master was restarted', async (t) => {
	const first = await start(t);
	first.node.endsBy = 'SIGINT';
	await begin(first.browser, 'a', { until: 'cancel' });
	await first.node.stop('SIGINT');
	const { node, browser } = await start(t);
	const back = await comeBack(t, node, first.browser.token);

	assert.strictEqual(back.answer.message.resumed, undefined);
	assert.strictEqual((await back.request(job({ finish: { n: 2 } }))).message.n, 2);
	await browser.request(job({ push: { to: { socket: first.browser.sid }, type: 'news', message: { n: 3 } } }, { finish: {} }));
	assert.deepStrictEqual((await heard(back)).map((reply) => reply.message.n), [3], 'nodes behind know it by its old name');
});

test('across a link', async (t) => {
	const record = new Record(t);
	const worker = await startUsherd(t, workerOf(scripted, 'size: 2',
	    `environment: ${JSON.stringify({ READY: '{"cancel":true}', RECORD: record.file })}`));
	const master = await startUsherd(t, masterOf(worker.url), LOG);
	await master.linked();

	await t.test('replies and pushes find the new socket', async (t) => {
		const browser = await rawBrowser(t, master.port);
		const gate = new Gate(t);
		await begin(browser, 'a', { gate: gate.file }, { push: { type: 'news', message: { n: 2 } } }, { send: { n: 3 } }, { finish: { n: 4 } });
		await drop(master, browser);
		const back = await comeBack(t, master, browser.token);
		assert.strictEqual(back.answer.message.resumed, 1);
		gate.open();

		for (const n of [2, 3, 4])
			assert.strictEqual((await back.nextReply()).message.n, n);
	});

	await t.test('what is given up is cancelled there', async (t) => {
		const hasty = await startUsherd(t, masterOf(worker.url) + 'timeouts: { resume: 200ms }\n', LOG);
		await hasty.linked();
		const browser = await rawBrowser(t, hasty.port);
		await begin(browser, 'a', { until: 'cancel' });
		await drop(hasty, browser);
		await record.told('cancel');
	});

	await t.test('a node whose link drops comes back for nothing', async (t) => {
		const near = await cutter(t, worker.port);
		const other = await startUsherd(t, masterOf(near.url));
		await other.linked();
		const browser = await rawBrowser(t, other.port);
		const gate = new Gate(t);
		await begin(browser, 'a', { gate: gate.file }, { finish: { n: 2 } });
		const offset = other.log.length;
		near.cut();
		assertError(await browser.nextReply(), { type: 'job', code: 'link_lost', ms_requestId: 'a' });
		await other.linked(Number(process.env.USHER_THREADS || 1), offset);	// each event loop has its own
		gate.open();

		assert.strictEqual((await browser.request(job({ finish: { n: 3 } }))).message.n, 3);
		assert.deepStrictEqual(await heard(browser), []);
	});
});

for (const generation of [2, 4])
	test('an unmodified stock page on socket.io-client ' + generation + ' gets its reply', async (t) => {
		const { node } = await start(t);
		const door = await cutter(t, node.port);
		const page = await stockBrowser(t, door.url.replace('ws:', 'http:'), 'browser-app', generation);
		const gate = new Gate(t);
		let begun;
		const isBegun = new Promise((resolve) => { begun = resolve; });
		page.on('job', (reply) => { if (!reply.finished) begun(); });
		const replies = page.request(job({ send: { n: 1 } }, { gate: gate.file }, { send: { n: 2 } }, { finish: { n: 3 } }));
		await isBegun;
		const offset = node.log.length;
		door.cut();
		await node.logged(/closed: /, offset);
		gate.open();
		await ended(node, offset);

		assert.deepStrictEqual((await replies).map((reply) => reply.message.n), [1, 2, 3]);
		await waitFor('the page to be connected', () => page.socket.connected);
		assert.strictEqual((await page.request(job({ finish: { n: 4 } })))[0].message.n, 4);
	});

test('what a client that polls hears by its last poll is not said again', async (t) => {
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 2') }, ADMIN), LOG);
	const poller = await new Poller(node.port, 3).connect();
	await poller.post(event({ type: 'ewd-register', application: 'browser-app', jwt: true }));
	const [{ message: { token } }] = (await poller.poll()).map(messageOf);
	const offset = node.log.length;

	await poller.post(event({ ...job({ send: { n: 1 } }, { finish: { n: 2 } }), token }));
	await ended(node, offset);
	assert.strictEqual((await result(node, 'kick', '--', claims(token).jti)).closed, 1);
	const last = await poller.poll();
	assert.strictEqual(last.pop(), '1');
	assert.deepStrictEqual(last.map((packet) => messageOf(packet).message.n), [1, 2]);
	await poller.assertUnknown();

	const browser = await rawClient(t, node.port);
	browser.emit({ type: 'ewd-reregister', token });
	assert.strictEqual((await browser.nextReply()).type, 'ewd-reregister');
	assert.deepStrictEqual(await heard(browser), []);
});

test('what a client that polls has left behind is its own where it came back', async (t) => {
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 2') }), LOG);
	const poller = await new Poller(node.port, 3).connect();
	await poller.post(event({ type: 'ewd-register', application: 'browser-app', jwt: true }));
	const [{ message: { token } }] = (await poller.poll()).map(messageOf);
	const offset = node.log.length;

	await poller.post(event({ ...job({ send: { n: 1 } }, { finish: { n: 2 } }), token }));
	await ended(node, offset);
	const browser = await comeBack(t, node, token, { resume: true });
	assert.deepStrictEqual((await heard(browser)).map((r) => r.message.n), [1, 2]);
	await poller.assertUnknown();
});

test('what a client that polls has not fetched is kept for it', async (t) => {
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 2') },
	    'socketio: { ping_interval: 300ms, ping_timeout: 200ms }\n'), LOG);
	const poller = await new Poller(node.port, 3).connect();
	await poller.post(event({ type: 'ewd-register', application: 'browser-app', jwt: true }));
	const [registered] = (await poller.poll()).map(messageOf);
	const { token } = registered.message;
	const offset = node.log.length;

	for (const n of [1, 2])
		await poller.post(event({ ...job({ send: { n } }, { finish: { n, own: true } }), token, ms_requestId: n }));
	await ended(node, offset, 2);
	await node.logged(/closed: /, offset);		// it has not come for them
	const browser = await comeBack(t, node, token);

	assert.deepStrictEqual((await heard(browser)).map((r) => [r.ms_requestId, r.finished, r.message.n]).sort(),
	    [[1, false, 1], [1, true, 1], [2, false, 2], [2, true, 2]]);
});
