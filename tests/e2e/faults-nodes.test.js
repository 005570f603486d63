// SPDX-License-Identifier: ISC
// The oracle load while the node itself has a hard time: reloads, draining, a clock that jumps, no
// descriptors left, nobody who reads its log.
'use strict';
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { load, openPages, assertOracle, told, usual, Books, WORKER, IS_LONG, scaled } = require('../faults/oracle');
const { masterOf, nodeOf, workerOf } = require('./lib/configs');
const { tcp } = require('./lib/raw');
const { shim } = require('./lib/shim');
const { folder, startUsherd } = require('./lib/usherd');
const { pause, waitFor, within } = require('./lib/wait');

const REQUESTS = scaled(30, 3000);
const PAGES = scaled(8, 64);

const yamlOf = (pool = 'size: 2', top = '') => nodeOf('near', { 'browser-app': `{ command: ${WORKER}, pool: { ${pool} } }` }, top);

// Does it again and again, until what it gives says stop.
function repeat(action) {
	let isOver = false;
	const loop = async () => {
		let n = 0;
		for (; !isOver; n++)
			await action(n);
		return n;
	};
	const running = loop();

	return () => {
		isOver = true;
		return running;
	};
}

test('reloads under load, of files that are right and files that are wrong', async (t) => {
	const worker = await startUsherd(t, workerOf(WORKER));
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();
	const texts = [worker, master].map((node) => fs.readFileSync(path.join(node.dir, 'usher.yaml'), 'utf8'));
	const more = [text => text, (text) => text + 'limits: { json_depth: 60 }\n', () => 'listen: [{ address: nowhere\n', (text) => text.replace('node:', 'nodes:')];
	const reload = (n) => [worker, master].forEach((node, i) => {
		fs.writeFileSync(path.join(node.dir, 'usher.yaml'), more[n % more.length](texts[i]));
		node.kill('SIGHUP');
	});
	let reloads = 0;
	const stop = repeat(async () => {
		reload(reloads++);
		await pause(5);
	});
	let books = await load(t, master.port, { pages: PAGES, requests: REQUESTS });
	assertOracle(books);
	while (reloads < (IS_LONG ? 1000 : 40)) {
		books = await load(t, master.port, { pages: PAGES, requests: REQUESTS });
		assertOracle(books);
	}
	await stop();
});

test('a node that drains under load answers all that it has read', async (t) => {
	const worker = await startUsherd(t, workerOf(WORKER, 'size: 4'));
	for (const yaml of [yamlOf('size: 4'), masterOf(worker.url)]) {
		const node = await startUsherd(t, yaml);
		if (yaml.includes('destinations'))
			await node.linked();
		const books = new Books();
		const pages = await openPages(t, node.port, PAGES, books, { mayClose: true });
		const sockets = pages.filter((page) => page.client);
		const ask = (page) => [0, 1, 2].map((i) => page.ask({ do: 'block', ms: 30, n: i, size: 100 }));
		const first = sockets.flatMap(ask);
		// They have a connection for their polls and one for their posts, as browsers have.
		const polling = pages.filter((page) => !page.client).flatMap(ask);
		// Answered behind what it has read before.
		await Promise.all(pages.map((page) => page.end()));
		const ended = new Promise((resolve) => node.process.on('exit', resolve));
		node.kill('SIGTERM');
		const late = sockets.flatMap((page) => [0, 1].map((i) => page.ask(usual(i), { may: ['stopping', 'link_down'] })));

		assert.deepStrictEqual([...new Set(await Promise.all([...first, ...polling]))], ['own'], told(books, pages));
		await within('the others', Promise.all(late));
		assertOracle(books, { stopping: late.length, link_down: late.length }, { gone: late.length });
		await within('its end', ended);
	}
});

test('a wall clock that jumps', async (t) => {
	const file = path.join(folder(t, { clock: Buffer.alloc(8) }), 'clock');
	const env = { ...shim(t, 'clock'), USHER_TEST_CLOCK: file };
	const set = (shift_s) => {
		const bytes = Buffer.alloc(8);
		bytes.writeBigInt64LE(BigInt(shift_s));
		fs.writeFileSync(file, bytes, { flag: 'r+' });
	};
	const worker = await startUsherd(t, workerOf(WORKER, 'size: 2'), { env });
	const master = await startUsherd(t, masterOf(worker.url), { env });
	await master.linked();
	// A session lives 300 s.
	const shifts = [100, -100, 200, -3600, -86400 * 365, 0, 250];
	const stop = repeat((n) => {
		set(shifts[n % shifts.length]);
		return pause(20);
	});
	const books = await load(t, master.port, { pages: PAGES, requests: REQUESTS,
		what: (page, i) => ({ params: { ...usual(i), do: 'block', ms: 2 }, may: ['token_expired'] }) });
	await stop();
	assertOracle(books, { token_expired: books.sent });	// of pages that registered in the past
	assert.ok(books.own > 0, told(books));

	set(0);
	const [page] = await openPages(t, master.port, 1, new Books());
	for (const [shift, outcome] of [[200, 'own'], [-86400, 'own'], [86400, 'token_expired'], [0, 'own']]) {
		set(shift);
		assert.strictEqual(await page.ask({}, { may: ['token_expired'] }), outcome, shift + ' s');
	}
});

test('no descriptor is left: whoever is there is served, and others when there is room again', async (t) => {
	const node = await startUsherd(t, yamlOf());
	const warm = await load(t, node.port, { pages: 4, requests: 4 });	// workers and all
	assertOracle(warm);
	const pages = await openPages(t, node.port, 4, new Books());
	const limit = (n) => execFileSync('prlimit', ['--pid', String(node.pid), '--nofile=' + n + ':']);
	const { length } = fs.readdirSync(`/proc/${node.pid}/fd`);
	const crowd = [];

	limit(length + 5);
	for (let i = 0; i < 30; i++)
		crowd.push(await tcp(t, node.port));
	for (let i = 0; i < scaled(10, 1000); i++)
		assert.deepStrictEqual([...new Set(await Promise.all(pages.map((page) => page.ask(usual(i)))))], ['own']);
	limit(1024);
	crowd.forEach((connection) => connection.close());
	await Promise.all(pages.map((page) => page.end()));
	assertOracle(pages[0].books);
	assertOracle(await load(t, node.port, { pages: 4, requests: 4 }));
});

test('nobody reads the log any more', async (t) => {
	const node = await startUsherd(t, yamlOf(), { args: ['-D', 'request'] });
	node.process.stderr.destroy();
	const books = await load(t, node.port, { pages: PAGES, requests: REQUESTS, others: ['worker_lost'],
		what: (page, i) => ({ params: { ...usual(i), do: { 3: 'noise', 7: page === 2 ? 'die during' : 'noise' }[i % 10] } }) });

	assertOracle(books, { worker_lost: books.sent });
	assert.ok(books.own > 0, told(books));
	await waitFor('another request', async () => (await load(t, node.port, { pages: 1, requests: 2 })).own === 2);
});
