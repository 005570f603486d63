// SPDX-License-Identifier: ISC
// A request that nobody waits for any more: cancelled by its browser, down to the handler.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { masterOf, nodeOf, scriptedApp } = require('./lib/configs');
const { fakeNode } = require('./lib/fake-node');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { job, Gate, Record } = require('./lib/scripts');
const { startUsherd, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const send = (browser, id, message) => browser.emit({ ...message, token: browser.token, ms_requestId: id });
const cancel = (browser, id, more) =>
	browser.emit({ type: 'usher-cancel', token: browser.token, ms_requestId: id, ...more });
const assertCancelled = (reply, id, by) =>
	assertError(reply, { type: 'job', code: 'cancelled', ms_requestId: id, ...by && { by } });
const TAKES_CANCEL = { cancel: true };

async function start(t, pool, ready = TAKES_CANCEL, more = '') {
	const record = new Record(t);
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp(pool, { ready, record: record.file }) }, more));

	return { node, record, browser: await rawBrowser(t, node.port), other: await rawBrowser(t, node.port) };
}

// What is left over would come before this answer.
async function assertSilent(browser) {
	browser.emit({ type: 'ewd-register', application: 'browser-app', jwt: true });
	assert.strictEqual((await browser.nextReply()).type, 'ewd-register');
}

test('a browser cancels its own request', async (t) => {
	await t.test('and that one only, once', async (t) => {
		const { record, browser } = await start(t, 'size: 2');
		const gate = new Gate(t);
		send(browser, 'a', job({ send: { n: 1 } }, { until: 'cancel' }, { send: { n: 2 } }, { finish: { late: true } }));
		await browser.nextReply();
		send(browser, 'b', job({ send: { n: 1 } }, { gate: gate.file }, { finish: { own: true } }));
		await browser.nextReply();
		cancel(browser, 'a');

		assertCancelled(await browser.nextReply(), 'a', 'near');
		await record.told('cancel');
		assert.deepStrictEqual(record.lines('cancel').map((line) => line.id), [record.lines('request')[0].id]);
		cancel(browser, 'a');
		gate.open();
		const b = await browser.nextReply();
		assert.deepStrictEqual([b.ms_requestId, b.message.own], ['b', true]);
		await assertSilent(browser);
	});

	await t.test('whatever its id looks like', async (t) => {
		const { browser } = await start(t, 'size: 2, concurrency: 8', { cancel: true, concurrency: 8 });
		const ids = [0, 1.50, '', 'é', { a: [1] }, false];
		ids.forEach((id) => send(browser, id, job({ until: 'cancel' }, { fail: 'x' })));
		for (const id of ids) {
			cancel(browser, id);
			assertCancelled(await browser.nextReply(), id);
		}
	});

	await t.test('while it waits in the queue: then it never runs', async (t) => {
		const { record, browser } = await start(t, 'size: 1');
		const gate = new Gate(t);
		send(browser, 'runs', job({ send: {} }, { gate: gate.file }, { finish: { own: true } }));
		await browser.nextReply();
		send(browser, 'waits', job({ exit: 1 }));
		cancel(browser, 'waits');

		assertCancelled(await browser.nextReply(), 'waits');
		gate.open();
		assert.strictEqual((await browser.nextReply()).message.own, true);
		assert.strictEqual((await browser.request({ type: 'job', params: { tag: 'next' } })).message.tag, 'next');
		assert.strictEqual(record.lines('request').length, 2);
	});

	await t.test('also when it may not ask any more', async (t) => {
		const { browser } = await start(t, 'size: 2', TAKES_CANCEL, 'limits: { in_flight_per_session: 2 }\n');
		send(browser, 'a', job({ until: 'cancel' }, { fail: 'x' }));
		send(browser, 'b', job({ until: 'cancel' }, { fail: 'x' }));
		send(browser, 'c', job());
		assertError(await browser.nextReply(), { type: 'job', code: 'too_many', ms_requestId: 'c' });
		cancel(browser, 'b');
		assertCancelled(await browser.nextReply(), 'b');
		cancel(browser, 'a');
		assertCancelled(await browser.nextReply(), 'a');
	});
});

test('a browser cannot cancel what is not its own', async (t) => {
	const { record, browser, other } = await start(t, 'size: 1');
	const gate = new Gate(t);
	send(browser, 'a', job({ send: {} }, { gate: gate.file }, { finish: { own: true } }));
	await browser.nextReply();

	cancel(other, 'a');
	cancel(other, 'a', { token: browser.token });
	cancel(browser, 'b');
	browser.emit({ type: 'usher-cancel', token: browser.token });
	await assertSilent(browser);
	await assertSilent(other);
	cancel(browser, 'a', { token: 'x' });
	assertError(await browser.nextReply(), { type: 'usher-cancel', code: 'invalid_token', ms_requestId: 'a' });
	browser.emit({ type: 'usher-cancel', ms_requestId: 'a' });
	assertError(await browser.nextReply(), { type: 'usher-cancel', code: 'no_token', ms_requestId: 'a' });

	gate.open();
	assert.strictEqual((await browser.nextReply()).message.own, true);
	assert.deepStrictEqual(record.lines('cancel'), []);
});

test('the worker of a cancelled request stays taken until it says so', async (t) => {
	for (const [what, ready, end] of [
		['by finish', TAKES_CANCEL, { finish: { late: true } }],
		['by fail', TAKES_CANCEL, { fail: 'late' }],
		['also if it did not say that it is told', {}, { finish: { late: true } }]
	]) {
		await t.test(what, async (t) => {
			const { record, browser } = await start(t, 'size: 1', ready);
			const gate = new Gate(t);
			send(browser, 'a', job({ send: {} }, { gate: gate.file }, end));
			await browser.nextReply();
			cancel(browser, 'a');
			assertCancelled(await browser.nextReply(), 'a');
			send(browser, 'b', job({ finish: { own: true } }));
			await assertSilent(browser);
			assert.strictEqual(record.lines('request').length, 1);
			gate.open();
			const b = await browser.nextReply();

			assert.deepStrictEqual([b.ms_requestId, b.message.own], ['b', true]);
			assert.strictEqual(record.lines('cancel').length, ready.cancel ? 1 : 0);
		});
	}

	await t.test('or until its deadline', async (t) => {
		const { node, record, browser } = await start(t, 'size: 1, deadline: 1s');
		send(browser, 'a', job({ send: {} }));
		await browser.nextReply();
		cancel(browser, 'a');
		assertCancelled(await browser.nextReply(), 'a');
		send(browser, 'b', { type: 'job', params: { tag: 'b' } });

		assert.strictEqual((await browser.nextReply()).message.tag, 'b');
		assert.match(node.log, /browser-app#1.* not ended within its deadline/);
		assert.strictEqual(record.lines('hello').length, 2);
		await assertSilent(browser);
	});
});

test('cancellation travels down usher links', async (t) => {
	const record = new Record(t);
	const worker = await startUsherd(t, nodeOf('worker', { 'remote-app': scriptedApp('size: 1', { ready: TAKES_CANCEL, record: record.file }) }));
	const middle = await startUsherd(t, masterOf(worker.url).replace('browser-app', 'middle-app').replace('node: master', 'node: middle'));
	const master = await startUsherd(t, masterOf(middle.url).replace('remote-app', 'middle-app'));
	await middle.linked();
	await master.linked();
	const browser = await rawBrowser(t, master.port);
	const other = await rawBrowser(t, master.port);
	send(browser, 'a', job({ send: {} }, { until: 'cancel' }, { finish: { late: true } }));
	await browser.nextReply();
	send(other, 'a', { type: 'job', params: { tag: 'other' } });
	cancel(other, 'b');
	cancel(browser, 'a');

	assertCancelled(await browser.nextReply(), 'a', 'master');
	await record.told('cancel');
	assert.strictEqual((await other.nextReply()).message.tag, 'other');
	await assertSilent(browser);
	assert.strictEqual(record.lines('cancel').length, 1);
});

test('on a link to an usher node', async (t) => {
	const far = await fakeNode(t, { secret: SECRET });
	const master = await startUsherd(t, masterOf(far.url));
	await master.linked();
	const browser = await rawBrowser(t, master.port);
	send(browser, 'a', job());
	const a = await far.next();
	send(browser, 'b', job());
	const b = await far.next();
	cancel(browser, 'a');
	assertCancelled(await browser.nextReply(), 'a');
	const told = await far.next();

	assert.deepStrictEqual(told.message, { type: 'usher-cancel', usher: { id: a.message.usher.id } });
	a.intermediate({ late: true });
	a.final({ late: true });
	b.final({ own: true });
	assert.strictEqual((await browser.nextReply()).message.own, true);
	assert.ok(far.links.every((link) => link.isOpen), 'the link stays');
	await assertSilent(browser);
});

test('on a link to a stock service, which cannot be told', async (t) => {
	const startBoth = async (t, link) => {
		const far = await fakeNode(t);
		const master = await startUsherd(t, masterOf(far.url, 'links: 1' + link));
		await master.linked();
		return { far, master, browser: await rawBrowser(t, master.port) };
	};

	await t.test('the link stays taken until the late final, which is nobody\'s', async (t) => {
		const { far, browser } = await startBoth(t, '');
		send(browser, 'a', job());
		const a = await far.next();
		send(browser, 'b', job());
		cancel(browser, 'a');
		assertCancelled(await browser.nextReply(), 'a');
		a.intermediate({ of: 'a' });
		a.reply({ type: 'news', message: { of: 'a' } });
		await assertSilent(browser);
		assert.strictEqual(far.requests.items.length, 0, 'b waits');
		a.final({ of: 'a' });
		const b = await far.next();
		b.intermediate({ of: 'b' });
		b.final({ of: 'b' });

		assert.deepStrictEqual([(await browser.nextReply()).message.of, (await browser.nextReply()).message.of], ['b', 'b']);
		assert.strictEqual(far.links.length, 1);
	});

	await t.test('or until the deadline, when the link is replaced', async (t) => {
		const { far, browser } = await startBoth(t, ', timeout: 1s');
		send(browser, 'a', job());
		const a = await far.next();
		cancel(browser, 'a');
		assertCancelled(await browser.nextReply(), 'a');
		await waitFor('the link to be replaced', () => !a.link.isOpen);
		await far.registered(2);
		send(browser, 'b', job());
		const b = await far.next();
		b.final({ of: 'b' });

		assert.notStrictEqual(b.link, a.link);
		assert.strictEqual((await browser.nextReply()).message.of, 'b');
	});
});
