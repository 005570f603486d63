// SPDX-License-Identifier: ISC
// What is sent a second time when a link is lost, and what is not.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { scripted, workerOf } = require('./lib/configs');
const { fakeNode } = require('./lib/fake-node');
const { ask: askHttp } = require('./lib/http');
const { ADMIN, held, linkedOnAllLoops, metricsOf, result } = require('./lib/operator');
const { metric } = require('./lib/prometheus');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { JWT, LISTEN, SECRET, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const masterOf = (urls, link) => `
node: master
${LISTEN}
${JWT}
${ADMIN}
limits: { messages_per_second: off, bytes_per_second: off, in_flight_per_session: 1000 }
destinations:
  far: { application: remote-app, urls: ${JSON.stringify(urls)} ${link && ', ' + link} }
u_services:
  - application: browser-app
    types:
      job:  { destination: far }
      safe: { destination: far, idempotent: true }
  - { path: /safe, destination: far, idempotent: true }
`;

async function start(t, count, { link = '', secret = SECRET, more = '' } = {}) {
	const far = [];

	for (let i = 0; i < count; i++)
		far.push(await fakeNode(t, { secret }));
	const master = await startUsherd(t, masterOf(far.map((n) => n.url), link) + more);
	await master.linked(count);
	if (secret)
		await linkedOnAllLoops(master, count);
	return { far, master, browser: await rawBrowser(t, master.port) };
}

// The node that got it, its request, and the others.
async function sent(far) {
	const at = await waitFor('the request', () => far.find((n) => n.requests.items.length > 0));

	return { at, request: await at.next(), others: far.filter((n) => n !== at) };
}

const ask = (browser, type, ms_requestId) => browser.emit({ type, token: browser.token, ms_requestId });

async function counters(master) {
	const metrics = await metricsOf(master);

	return [metric(metrics, 'usher_retries_total'), metric(metrics, 'usher_retries_refused_total')];
}

for (const [kind, secret] of [['an usher node', SECRET], ['a stock service', null]]) {
	test(`what ${kind} may have run is not sent again`, async (t) => {
		const { far, master, browser } = await start(t, 2, { secret });
		ask(browser, 'job', 1);
		const { at, others: [other] } = await sent(far);
		at.cut();

		const reply = await browser.nextReply();
		assertError(reply, { type: 'job', code: 'link_lost', ms_requestId: 1 });
		assert.strictEqual(reply.message.ran, 'maybe');
		assert.strictEqual(other.requests.items.length, 0);
		assert.deepStrictEqual(await counters(master), [0, 0]);
	});

	test(`what ${kind} may run twice is sent to another when its link is lost`, async (t) => {
		const { far, master, browser } = await start(t, 2, { secret });
		ask(browser, 'safe', 1);
		const { at, request, others: [other] } = await sent(far);
		at.cut();

		const again = await other.next();
		assert.deepStrictEqual([again.message.type, again.message.ms_requestId], ['safe', 1]);
		assert.strictEqual(again.message.token, request.message.token);
		again.final({ of: 'the other' });
		assert.strictEqual((await browser.nextReply()).message.of, 'the other');
		assert.deepStrictEqual(await counters(master), [1, 0]);
	});
}

test('a REST route may be idempotent as well', async (t) => {
	const { far, master } = await start(t, 2);
	const answer = askHttp(master.url, 'GET', '/safe');
	const { at, others: [other] } = await sent(far);
	at.cut();

	(await other.next()).final({ of: 'the other' });
	assert.strictEqual((await answer).status, 200);
});

test('what has sent an intermediate is not sent again', async (t) => {
	const { far, browser } = await start(t, 2);
	ask(browser, 'safe', 1);
	const { at, request } = await sent(far);
	request.intermediate({ step: 1 });
	assert.strictEqual((await browser.nextReply()).message.step, 1);
	at.cut();

	assertError(await browser.nextReply(), { type: 'safe', code: 'link_lost', ms_requestId: 1 });
});

// That of another event loop would be one.
test('without another link nothing is sent again', async (t) => {
	const { far, browser } = await start(t, 1, { more: 'threads: 1\n' });
	ask(browser, 'safe', 1);
	const { at } = await sent(far);
	at.cut();

	assertError(await browser.nextReply(), { type: 'safe', code: 'link_lost', ms_requestId: 1 });
});

test('while its destination is paused, it waits', async (t) => {
	const { far: [far], master, browser } = await start(t, 1);
	ask(browser, 'safe', 1);
	await far.next();
	await result(master, 'pause', 'far');
	far.cut();
	await waitFor('it to wait', async () => (await result(master, 'links')).destinations[0].queue === 1);
	await result(master, 'resume', 'far');

	(await far.next()).final({ of: 'again' });
	assert.strictEqual((await browser.nextReply()).message.of, 'again');
});

test('what has been sent once may have run, whatever ends it then', async (t) => {
	const { far: [far], master, browser } = await start(t, 1);
	ask(browser, 'safe', 1);
	await far.next();
	await result(master, 'pause', 'far');
	far.cut();
	await waitFor('it to wait', async () => (await result(master, 'links')).destinations[0].queue === 1);
	ask(browser, 'safe', 2);
	await waitFor('both to wait', async () => (await result(master, 'links')).destinations[0].queue === 2);
	await result(master, 'disable', 'far');

	const ran = {};
	for (let i = 0; i < 2; i++) {
		const { ms_requestId, message } = await browser.nextReply();
		assert.strictEqual(message.code, 'link_down');
		ran[ms_requestId] = message.ran;
	}
	assert.deepStrictEqual(ran, { 1: 'maybe', 2: 'no' });
});

test('a node that stops has its requests served by another, and finishes what it has', async (t) => {
	const workers = [await startUsherd(t, workerOf(scripted)), await startUsherd(t, workerOf(scripted).replace('node: worker', 'node: other'))];
	// One event loop: each learns for itself that a node stops.
	const master = await startUsherd(t, masterOf(workers.map((w) => w.url.replace('http', 'ws')), '') + 'threads: 1\n');
	await master.linked(2);
	const browser = await rawBrowser(t, master.port), other = await rawBrowser(t, master.port);
	const busy = held(t);
	browser.emit({ type: 'job', token: browser.token, params: { script: busy.script } });
	const stopping = await waitFor('it to be at work', () => workers.find((w) => /at work/.test(w.log)));
	stopping.kill('SIGTERM');
	await stopping.logged(/SIGTERM: draining/);

	for (let i = 0; i < 20; i++)
		other.emit({ type: 'job', token: other.token });
	for (let i = 0; i < 20; i++)
		assert.strictEqual((await other.nextReply()).message.ok, true);
	assert.ok((await counters(master))[0] >= 1, 'it was asked, too');
	assert.strictEqual(master.log.match(/it is ejected/g).length, 1);
	busy.release();
	assert.strictEqual((await browser.nextReply()).message.done, true);
	await stopping.end();
});

test('without another the refusal of a node that stops is passed on', async (t) => {
	const { far: [far], browser } = await start(t, 1);
	ask(browser, 'job', 1);
	(await far.next()).final({ error: 'node is draining', code: 'stopping', status: { code: 503 }, by: 'fake', ran: 'no' });

	assert.strictEqual((await browser.nextReply()).message.code, 'stopping');
});

test('the refusal of a node whose handler has led on is not believed to be one', async (t) => {
	const { far, browser } = await start(t, 2);
	ask(browser, 'job', 1);
	const request = await Promise.race(far.map((node) => node.next()));
	request.final({ error: 'node is draining', code: 'stopping', status: { code: 503 }, by: 'fake', ran: 'maybe' });

	const { message } = await browser.nextReply();
	assert.deepStrictEqual([message.code, message.ran], ['stopping', 'maybe']);
	assert.deepStrictEqual(far.map((node) => node.requests.items.length), [0, 0]);
});

test('retries have a budget', async (t) => {
	for (const [link, expected] of [['retry_percent: 1', 10], ['retry_percent: 0', 0]]) {
		const { far, master, browser } = await start(t, 2, { link });
		for (let i = 0; i < 60; i++)
			ask(browser, 'safe', i);
		await waitFor('all to be sent', () => far[0].requests.items.length + far[1].requests.items.length === 60);
		const lost = far[0].requests.items.length;
		far[0].cut();

		const codes = [];
		for (let i = 0; i < lost - expected; i++)
			codes.push((await browser.nextReply()).message.code);
		assert.deepStrictEqual(codes, Array(lost - expected).fill('link_lost'));
		await waitFor('the retries', () => far[1].requests.items.length === 60 - lost + expected);
		assert.deepStrictEqual(await counters(master), [expected, lost - expected]);
		master.endsBy = 'SIGINT';
	}
});

test('what was never handed to the network is sent again, whatever its route says', async (t) => {
	const { far, master, browser } = await start(t, 2, { link: 'retry_percent: 100' });
	const text = 'x'.repeat(900000);
	const COUNT = 40;	// more than the kernel takes for a reader that does not read

	await result(master, 'disable', 'far', far[1].url);
	far[0].open.forEach((link) => link.ws._socket.pause());
	for (let i = 0; i < COUNT; i++)
		browser.emit({ type: 'job', token: browser.token, ms_requestId: i, text });
	await waitFor('all to be under way', async () => (await result(master, 'links')).links
	    .reduce((sum, link) => sum + link.in_flight, 0) === COUNT);
	await result(master, 'enable', 'far', far[1].url);
	far[1].answer = (request) => {
		request.final({ of: 'the other' });
		return true;
	};
	far[0].cut();
	let lost = 0, served = 0;
	for (let i = 0; i < COUNT; i++) {
		const { ms_requestId, message } = await browser.nextReply();

		if (message.of === 'the other') {
			served++;
		} else {
			// The kernel took the first ones.
			assert.strictEqual(message.code, 'link_lost', JSON.stringify(message));
			assert.strictEqual(message.ran, 'maybe');
			lost++;
		}
		assert.ok(ms_requestId < COUNT);
	}

	assert.ok(lost > 0 && served > 0, `${lost} lost, ${served} served`);
	assert.deepStrictEqual(await counters(master), [served, 0]);
});
