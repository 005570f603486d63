// SPDX-License-Identifier: ISC
// The oracle load while the link to a remote node is cut, slow, silent, mangled or was never one:
// each request has exactly one final, and the other destinations do not notice.
'use strict';
const assert = require('node:assert');
const net = require('node:net');
const test = require('node:test');
const { load, openPages, assertOracle, told, Books, WORKER, scaled } = require('../faults/oracle');
const { faultProxy } = require('../faults/proxy');
const { atEnd } = require('./lib/cleanup');
const { masterOf, nodeOf, workerOf } = require('./lib/configs');
const { JWT, LISTEN, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const REQUESTS = scaled(20, 2000);
const PAGES = scaled(8, 64);
const LOST = ['link_lost', 'link_down'];
const KINDS = { 'a stock link': 'protocol: qewd, links: 4', 'a link between usher nodes': 'protocol: usher' };

const countUps = (node) => (node.log.match(/link \S+: up/g) || []).length;

// A master, a worker node, and the proxy between them.
async function start(t, { plans, link = '' } = {}) {
	const worker = await startUsherd(t, workerOf(WORKER));
	const proxy = await faultProxy(t, worker.port, plans);
	const master = await startUsherd(t, masterOf(proxy.url, link));

	await master.linked();
	return { worker, proxy, master };
}

for (const [kind, link] of Object.entries(KINDS)) {
	test('one byte at a time over ' + kind, async (t) => {
		const { master } = await start(t, { link, plans: { up: { slice: 1 }, down: { slice: 1 } } });

		assertOracle(await load(t, master.port, { pages: 4, requests: scaled(4, 400), window: 1 }));
	});

	test('slowly over ' + kind, async (t) => {
		const { master } = await start(t, { link, plans: { up: { delay: 15, slice: 1000 }, down: { delay: 15, slice: 5000 } } });

		assertOracle(await load(t, master.port, { pages: 4, requests: scaled(4, 400), window: 2 }));
	});

	test(kind + ' that is reset and cut under load', async (t) => {
		const { master, proxy } = await start(t, { link });
		let n = 0;
		const before = async (i) => {
			if (i % 4 === 0 && n < scaled(8, 400)) {
				const ups = countUps(master);
				if (n++ % 2)
					proxy.reset();
				else
					proxy.cut();
				await waitFor('the link to be up again', () => countUps(master) > ups);
			}
		};

		const books = await load(t, master.port, { pages: PAGES, requests: REQUESTS, others: LOST, before });
		assertOracle(books, { link_lost: books.sent, link_down: books.sent });
		assert.ok(books.own > 0 && n > 0, told(books));
	});

	test(kind + ' that stops passing anything on: deadlines, and then others serve', async (t) => {
		const { master, proxy } = await start(t, { link: link + ', timeout: 1500ms' });
		proxy.apply({ up: { after: 0, then: 'hole' } });
		const books = await load(t, master.port, { pages: 4, requests: 4, others: ['timeout', ...LOST] });
		assertOracle(books, { timeout: 16, link_lost: 16, link_down: 16 });
		assert.ok(books.codes.timeout > 0, told(books));

		// An exclusive link was replaced; one that carries many is found out by its heart-beat.
		proxy.cut();
		const [page] = await openPages(t, master.port, 1, new Books());
		await waitFor('the link', async () => await page.ask({}, { may: ['timeout', ...LOST] }) === 'own');
	});
}

// What a destination is called, and the type that leads to it.
const typeOf = (i) => 't' + i;

// A master with one destination for each of these plans, all to the same worker node.  The destinations
// are cut at their offsets at the same time, so that many offsets cost no more than one.
async function manyLinks(t, worker, link, plans) {
	const proxies = [];
	for (const plan of plans)
		proxies.push(await faultProxy(t, worker.port, plan));
	const master = await startUsherd(t, `
node: master
${LISTEN}
${JWT}
destinations:
${proxies.map((proxy, i) => `  d${i}: { application: remote-app, urls: ["${proxy.url}"], timeout: 3s, ${link} }`).join('\n')}
u_services:
  - application: browser-app
    types:
${proxies.map((_, i) => `      ${typeOf(i)}: { destination: d${i} }`).join('\n')}
`);
	await waitFor('all links to be dialled', () => proxies.every((proxy) => proxy.accepted > 0));
	return { master, proxies };
}

// One request for each link, as often as rounds says; each has one final.
async function askEach(t, master, count, rounds, may) {
	const [page] = await openPages(t, master.port, 1, new Books());

	for (let round = 0; round < rounds; round++) {
		for (let i = 0; i < count; i += 32)
			await Promise.all(Array.from({ length: Math.min(32, count - i) }, (_, k) =>
				page.ask({ n: 2, size: 30 }, { type: typeOf(i + k), may })));
	}
	await page.end();
	return page.books;
}

// The conversation of a link: handshake, registration, a request.  About so many bytes each way.
const CONVERSATION = { up: 1800, down: 1400 };

for (const [kind, link] of Object.entries(KINDS)) {
	for (const [direction, bytes] of Object.entries(CONVERSATION)) {
		test(`${kind} cut after any number of bytes, ${direction}`, async (t) => {
			const worker = await startUsherd(t, workerOf(WORKER, 'size: 4'));
			const step = scaled(101, 1), batch = 64;
			const offsets = Array.from({ length: Math.ceil(bytes / step) }, (_, i) => i * step);

			for (let at = 0; at < offsets.length; at += batch) {
				const plans = offsets.slice(at, at + batch).map((after, i) =>
					({ [direction]: { after, then: ['cut', 'reset', 'end'][i % 3] } }));
				const { master } = await manyLinks(t, worker, link.replace('links: 4', 'links: 1'), plans);
				const books = await askEach(t, master, plans.length, 2, [...LOST, 'timeout']);
				assertOracle(books, { link_lost: books.sent, link_down: books.sent, timeout: books.sent });
				await master.stop('SIGINT');
			}
		});
	}
}

test('a byte that is another one, and bytes that come twice: no reply is taken for another', async (t) => {
	const worker = await startUsherd(t, workerOf(WORKER, 'size: 4'));
	const step = scaled(173, 3);
	// In the handshake and the heads of frames; what an application sends, only it can check.
	const plans = Array.from({ length: Math.ceil(600 / step) }, (_, i) => i * step).flatMap((at) => [
		{ down: { corrupt: at } }, { up: { corrupt: at } }, { down: { duplicate: [at, 7] } }, { up: { duplicate: [at, 7] } }]);
	const { master } = await manyLinks(t, worker, 'protocol: usher', plans);
	const books = await askEach(t, master, plans.length, 2, [...LOST, 'timeout', 'internal', 'no_handler', 'bad_message']);

	assert.strictEqual(books.own + books.failed, books.sent);
	assert.deepStrictEqual(books.wrong.filter((what) => /^(doubled|not asked for)/.test(what)), []);
});

// A server that is no node: what it does with a connection.
async function stranger(t, serve) {
	const sockets = new Set();
	const server = net.createServer((socket) => {
		sockets.add(socket);
		socket.on('error', () => {});
		serve(socket);
	});

	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	atEnd(t, () => {
		sockets.forEach((socket) => socket.destroy());
		return new Promise((resolve) => server.close(resolve));
	});
	return server.address().port;
}

const STRANGERS = {
	'takes connections and never says a word': () => {},
	'sends back what it gets': (socket) => socket.pipe(socket),
	'closes at once': (socket) => socket.end(),
	'resets at once': (socket) => socket.resetAndDestroy(),
	'speaks HTTP': (socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')),
	'redirects': (socket) => socket.once('data', () =>
		socket.end('HTTP/1.1 301 Moved\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n')),
	'speaks SMTP': (socket) => socket.write('220 mail ready\r\n'),
	'sends for ever': (socket) => {
		const timer = setInterval(() => socket.writableNeedDrain || socket.write(Buffer.alloc(4096, 'x')), 5);
		socket.on('close', () => clearInterval(timer));
	},
	'sends a head a byte at a time': (socket) => {
		const timer = setInterval(() => socket.write('H'), 50);
		socket.on('close', () => clearInterval(timer));
	}
};

test('destinations that are none cost only those who ask for them', async (t) => {
	const worker = await startUsherd(t, workerOf(WORKER));
	const urls = [];
	for (const serve of Object.values(STRANGERS))
		urls.push('ws://127.0.0.1:' + await stranger(t, serve));
	// Nobody listens; TLS to a node without; and that node asks itself.
	const gone = await faultProxy(t, worker.port);
	gone.server.close();
	urls.push(gone.url, `wss://127.0.0.1:${worker.port}`);
	const master = await startUsherd(t, `
node: master
${LISTEN}
${JWT}
timeouts: { handshake: 500ms, dial: 500ms }
destinations:
  far: { application: remote-app, urls: ["ws://127.0.0.1:${worker.port}"] }
${urls.map((url, i) => `  d${i}: { application: remote-app, urls: ["${url}"], timeout: 3s }`).join('\n')}
u_services:
  - application: browser-app
    types:
      "*": { destination: far }
${urls.map((_, i) => `      ${typeOf(i)}: { destination: d${i} }`).join('\n')}
`);
	await master.linked();

	const books = await load(t, master.port, { pages: PAGES, requests: REQUESTS, what: (page, i) => i % 2 ?
		{ type: typeOf((page * 5 + i) % urls.length), params: {}, may: ['link_down'], only: true } : {} });
	assertOracle(books, { link_down: books.sent / 2 });
	assert.strictEqual(books.codes.link_down, books.sent / 2, told(books));
});

test('a node that is killed with requests in flight, and comes back', async (t) => {
	let worker = await startUsherd(t, workerOf(WORKER));
	const yaml = workerOf(WORKER).replace('127.0.0.1:0', '127.0.0.1:' + worker.port);
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();
	const kills = new Set();
	let back = Promise.resolve();
	const restart = async () => {
		const ups = countUps(master);
		await worker.die();
		worker = await startUsherd(t, yaml);
		await waitFor('the link', () => countUps(master) > ups);
	};
	// Whoever comes first kills it, in the midst of what the others ask.
	const before = (i) => {
		if (i % 6 === 4 && !kills.has(i)) {
			kills.add(i);
			back = back.then(restart);
		}
		return i % 6 < 4 ? back : undefined;
	};

	const books = await load(t, master.port, { pages: PAGES, requests: REQUESTS, others: LOST, before,
		what: (page, i) => ({ params: { n: 1, size: 50, do: i % 6 === 5 ? 'block' : undefined, ms: 100 } }) });
	assertOracle(books, { link_lost: books.sent, link_down: books.sent });
	assert.ok(kills.size > 1 && books.codes.link_lost > 0 && books.own > 0, told(books));
});

test('two nodes that route to each other', async (t) => {
	const spare = await faultProxy(t, 1);
	const port = spare.near;
	await new Promise((resolve) => spare.server.close(resolve));
	const to = (where) => masterOf(where).replaceAll('remote-app', 'browser-app');
	const first = await startUsherd(t, to('ws://127.0.0.1:' + port));
	const second = await startUsherd(t, to(first.url.replace('http', 'ws')).replace('127.0.0.1:0', '127.0.0.1:' + port));
	await first.linked();
	await second.linked();

	const books = await load(t, first.port, { pages: 4, requests: 8, what: () => ({ may: ['loop'], only: true }) });
	assertOracle(books, { loop: 32 });
	const near = await startUsherd(t, nodeOf('near', { 'browser-app': `{ command: ${WORKER} }` }));
	assertOracle(await load(t, near.port, { pages: 4, requests: 4 }));
});
