// SPDX-License-Identifier: ISC
// The oracle load while worker processes do everything they must not: each request has exactly one
// final, a worker costs its own requests and no others, the node goes on.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { load, openPages, assertOracle, usual, told, Books, WORKER, IS_LONG, scaled } = require('../faults/oracle');
const { nodeOf } = require('./lib/configs');
const { childrenOf } = require('./lib/processes');
const { folder, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const REQUESTS = scaled(24, 2000);
const PAGES = scaled(8, 64);
const SENT = REQUESTS * PAGES;

const app = (pool, more = '') => `{ command: ${WORKER}, pool: { ${pool} } ${more && ', ' + more} }`;
const start = (t, pool, more = '', top = '') => startUsherd(t, nodeOf('near', { 'browser-app': app(pool, more) }, top));

// Every tenth request is the bad one, at another place for each browser.
const isBad = (page, i) => (page * 3 + i) % 10 === 0;
const nBad = Array.from({ length: PAGES }, (_, page) => Array.from({ length: REQUESTS }, (_, i) => isBad(page, i)))
    .flat().filter(Boolean).length;

// bad: one { params, may, only } or several, taken in turn
const mixed = (...bad) => (page, i) => isBad(page, i) ? bad[(page + i) % bad.length] : {};

async function underFault(t, node, bad, others, codes) {
	const books = await load(t, node.port, { pages: PAGES, requests: REQUESTS, what: mixed(...[].concat(bad)), others });

	assert.strictEqual(books.sent, SENT);
	assertOracle(books, codes);
	assert.ok(books.own >= SENT - nBad - Object.values(codes).reduce((a, b) => a + b, 0), told(books));
	return books;
}

test('a worker killed before or during a reply costs that request, and no other', async (t) => {
	const node = await start(t, 'size: 3');

	const books = await underFault(t, node, ['die before', 'die during'].map((what) =>
		({ params: { do: what, n: 4, size: 100 }, may: ['worker_lost'], only: true })), [], { worker_lost: nBad });
	assert.strictEqual(books.codes.worker_lost, nBad, told(books));
});

test('a worker killed behind its reply takes nothing of it away', async (t) => {
	const node = await start(t, 'size: 3');

	// The next request may have been handed to it already.
	await underFault(t, node, { params: { do: 'die after', n: 3, size: 5000 } }, ['worker_lost'], { worker_lost: nBad });
});

test('a worker that dies after any number of bytes was heard as far as whole lines go', async (t) => {
	const node = await start(t, 'size: 4');
	const page = (await openPages(t, node.port, 1, new Books()))[0];
	const outcomes = [];
	for (let at = 0; outcomes.filter((code) => code === 'own').length < 2; at += scaled(23, 1)) {
		assert.ok(at < 2000, 'it never gets through');
		outcomes.push(await page.ask({ do: 'cut', at, n: 2, size: 20 }, { may: ['worker_lost'] }));
		// A worker that is of use has its successor started at once.
		await page.ask(usual(0), { may: ['worker_lost'] });
	}
	await page.end();

	// Lost, lost, ..., and from the last byte on its own.
	const first = outcomes.indexOf('own');
	assert.ok(first > scaled(5, 100), 'bytes were missing ' + first + ' times');
	assert.ok(outcomes.slice(first).every((code) => code === 'own'));
	assert.deepStrictEqual(page.books.wrong, []);
});

test('a worker that hangs or is stopped costs its own request, at the deadline', async (t) => {
	const node = await start(t, 'size: 4, deadline: 2s, stop_grace: 300ms');
	const books = await load(t, node.port, { pages: PAGES, requests: REQUESTS, what: (page, i) => page < 2 && i === 5 ?
		{ params: { do: page === 0 ? 'hang' : 'stop' }, may: ['timeout'], only: page === 0 } : {} });

	assertOracle(books, { timeout: 2 });
	assert.strictEqual(books.codes.timeout, 2, told(books));
});

test('a worker that babbles, writes half a line or a line without an end', async (t) => {
	const node = await start(t, 'size: 4, deadline: 2s, stop_grace: 300ms', '', 'limits: { handler_message: 300KB }\n');
	const lines = ['no json', '[]', '{}', '{"op":7}', '{"op":"finish"', '{"op":"finish","id":1}{"op":"finish","id":1}', '"\xff', '\0', '', '{"op":"log","text":7}'];
	const bad = [
		...lines.map((text) => ({ params: { do: 'babble', text }, may: ['worker_lost'], only: true })),
		{ params: { do: 'long' }, may: ['reply_too_big'], only: true }
	];
	const books = await underFault(t, node, bad, [], { worker_lost: nBad, reply_too_big: nBad });
	assert.strictEqual(books.failed, nBad, told(books));
	assert.ok(books.codes.worker_lost > 0 && books.codes.reply_too_big > 0, told(books));

	const [page] = await openPages(t, node.port, 1, new Books());
	assert.strictEqual(await page.ask({ do: 'half' }, { may: ['timeout'], only: true }), 'timeout');
	assert.strictEqual(await page.ask(usual(3)), 'own');
	assert.deepStrictEqual(page.books.wrong, []);
});

test('a worker that writes a line of 2 GB is ended at limits.handler_message', { skip: !IS_LONG && 'long' }, async (t) => {
	const node = await start(t, 'size: 2');
	const [page] = await openPages(t, node.port, 1, new Books());

	assert.strictEqual(await page.ask({ do: 'long' }, { may: ['reply_too_big'], only: true }), 'reply_too_big');
	assert.strictEqual(await page.ask(usual(3)), 'own');
});

test('noise of workers reaches nobody', async (t) => {
	const node = await start(t, 'size: 3');

	await underFault(t, node, { params: { do: 'noise', n: 2, size: 30 } }, [], {});
});

test('workers that exit at once, in a loop, cost their own application', async (t) => {
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': app('size: 2'), broken: '{ command: ["/bin/false"], pool: { size: 2 } }' },
	    'u_services: [{ application: browser-app, types: { broken: { destination: broken, timeout: 1500ms } } }]\n'));
	const books = await load(t, node.port, { pages: PAGES, requests: REQUESTS, what: (page, i) => i === 3 ?
		{ type: 'broken', params: {}, may: ['timeout'], only: true } : {} });

	assertOracle(books, { timeout: PAGES });
	assert.strictEqual(books.codes.timeout, PAGES, told(books));
	// It backs off: far from one process for each of the moments it waited.
	const ended = (node.log.match(/broken#/g) || []).length;
	assert.ok(ended >= 2 && ended < 200, node.log);
});

test('nested calls that wait for themselves end', async (t) => {
	const node = await start(t, 'size: 2, deadline: 20s');
	const call = { application: 'browser-app', type: 'work', message: { params: { tag: 'inner' } } };
	const nested = { params: { do: 'call', call: { ...call, message: { params: { tag: 'outer', do: 'call', call } } } } };
	const books = await load(t, node.port, { pages: PAGES, requests: 8, what: () => nested });

	// Each has its answer: what the inner one said, or that there was no worker left for it.
	assertOracle(books);
	assert.strictEqual(books.own, PAGES * 8);
});

test('concurrency: 8 and a worker that is blocked: it is found out and replaced', async (t) => {
	const node = await start(t, 'size: 2, concurrency: 8, hang: 1500ms, stop_grace: 300ms', `environment: { READY: '{"concurrency":8}' }`);
	const books = await load(t, node.port, { pages: PAGES, requests: REQUESTS, what: (page, i) => page === 0 && i === 4 ?
		{ params: { do: 'hang' }, may: ['worker_lost', 'timeout'], only: true } : {}, others: ['worker_lost'] });

	assertOracle(books, { worker_lost: 8, timeout: 1 });
	assert.ok(books.failed >= 1);
});

test('a full queue is told at once, and what waits in it is served', async (t) => {
	const node = await start(t, 'size: 1, queue: 4');
	const dir = folder(t);
	const until = path.join(dir, 'gate');
	const pages = await openPages(t, node.port, 4, new Books());
	const held = pages[0].ask({ do: 'hold', until });
	await waitFor('the worker', () => childrenOf(node.pid).length === 1);
	const all = Array.from({ length: 40 }, (_, i) => pages[i % 4].ask(usual(i), { may: ['overloaded'] }));

	const { books } = pages[0];
	await waitFor(() => 'refusals: ' + told(books), () => books.codes.overloaded >= 36);
	fs.writeFileSync(until, '');
	await Promise.all([held, ...all]);
	await Promise.all(pages.map((page) => page.end()));
	assertOracle(books, { overloaded: 36 });
});

test('ten times what a node can serve: the rest is refused at once, nothing is kept of it', async (t) => {
	const node = await start(t, 'size: 1, queue: 20', '', 'limits: { messages_per_second: off, bytes_per_second: off, in_flight_per_session: 1000 }\n');
	const books = await load(t, node.port, { pages: PAGES, requests: scaled(100, 20000), window: scaled(50, 100), others: ['overloaded'],
		what: (page, i) => ({ params: { do: 'block', ms: 2, n: 1, size: 100 } }) });

	assertOracle(books, { overloaded: books.sent });
	assert.ok(books.codes.overloaded > books.sent / 4, told(books));
	assert.ok(books.own >= 20, told(books));
});

test('a request that is cancelled at any point of its life has one final', async (t) => {
	for (const [pool, environment] of [['size: 1', '{}'], ['size: 1, concurrency: 4', '{"concurrency":4,"cancel":true}']]) {
		const node = await start(t, pool + ', stop_grace: 300ms', `environment: { READY: '${environment}' }`);
		const pages = await openPages(t, node.port, 4, new Books());
		const { books } = pages[0];
		// A moment later, or some: it waits, is handed over, is at work, has sent; or it has ended.
		const life = async (page, lag, i) => {
			const request = page.ask({ n: 3, size: 20, ...(i % 2 && { do: 'block', ms: 5 }) }, { may: ['cancelled'] });
			if (lag === 6)
				await request;
			for (let k = 0; k < lag; k++)
				await new Promise((resolve) => i % 3 ? setImmediate(resolve) : setTimeout(resolve, k));
			page.cancel(request.id);
			if (i % 4 === 0)
				page.cancel(request.id);
			await request;
			page.cancel(request.id);
		};
		for (let i = 0; i < scaled(40, 2000); i++)
			await Promise.all(pages.map((page, k) => life(page, (i + k) % 7, i)));
		await Promise.all(pages.map((page) => page.end()));
		assertOracle(books, { cancelled: books.sent });
		assert.ok(books.codes.cancelled > 0 && books.own > 0, told(books));
	}
});
