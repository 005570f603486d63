// SPDX-License-Identifier: ISC
// Browsers that leave in each state, that are slow or do not read at all, and the oracle load beside
// them: nobody else notices, and nothing of them stays.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { load, openPages, assertOracle, usual, Books, WORKER, IS_LONG, scaled } = require('../faults/oracle');
const { faultProxy } = require('../faults/proxy');
const { masterOf, nodeOf, workerOf } = require('./lib/configs');
const { Poller, event } = require('./lib/polling');
const { frame, rawBrowser, rawClient, tcp, upgradeRequest } = require('./lib/raw');
const { PROGRAM, folder, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const start = (t, pool = 'size: 2', top = '') =>
	startUsherd(t, nodeOf('near', { 'browser-app': `{ command: ${WORKER}, pool: { ${pool} } }` }, top));

// What the node has open.
const descriptors = (node) => fs.readdirSync(`/proc/${node.pid}/fd`).length;

async function assertNothingStays(node, before) {
	await waitFor(() => `${descriptors(node)} descriptors to be ${before} again`, () => descriptors(node) <= before);
}

// How a browser leaves: in order, or as when its cable is pulled and put back.
const WAYS = {
	'closing': (socket) => socket.end(),
	'being reset': (socket) => socket.resetAndDestroy()
};

const registration = '42["ewdjs",{"type":"ewd-register","application":"browser-app","jwt":true}]';

// Brings a browser into a state and gives the TCP socket that leaves then.
const STATES = {
	'as soon as it has connected': async (t, port) => (await tcp(t, port)).socket,
	'with half a head sent': async (t, port) => {
		const connection = await tcp(t, port);
		connection.send(upgradeRequest(port).slice(0, 60));
		return connection.socket;
	},
	'with its upgrade not read': async (t, port) => {
		const connection = await tcp(t, port);
		connection.socket.pause();
		connection.send(upgradeRequest(port));
		return connection.socket;
	},
	'with half a frame sent': async (t, port) => {
		const connection = await tcp(t, port);
		connection.send(upgradeRequest(port));
		await waitFor('the open packet', () => connection.received.includes('pingTimeout'));
		connection.send(frame(0x81, registration).subarray(0, 40));
		return connection.socket;
	},
	'not connected to the namespace': async (t, port) => {
		const connection = await tcp(t, port);
		connection.send(upgradeRequest(port, {}, '/socket.io/?EIO=4&transport=websocket'));
		await waitFor('the open packet', () => connection.received.includes('pingTimeout'));
		return connection.socket;
	},
	'not registered': async (t, port) => (await rawClient(t, port)).ws._socket,
	'with its registration not read': async (t, port) => {
		const client = await rawClient(t, port);
		client.ws._socket.pause();
		client.send(registration);
		return client.ws._socket;
	},
	'idle': async (t, port) => (await rawBrowser(t, port)).ws._socket,
	'with requests that run and that wait': async (t, port, until) => {
		const browser = await rawBrowser(t, port);
		for (let i = 0; i < 5; i++)
			browser.emit({ type: 'work', token: browser.token, params: { do: 'hold', until, tag: 'left' } });
		return browser.ws._socket;
	},
	'between two intermediates': async (t, port) => {
		const browser = await rawBrowser(t, port);
		browser.emit({ type: 'work', token: browser.token, params: { n: 2000, size: 500, tag: 'left' } });
		await browser.nextReply();
		return browser.ws._socket;
	},
	'with a large reply half read': async (t, port) => {
		const browser = await rawBrowser(t, port);
		browser.ws._socket.once('data', () => browser.ws._socket.pause());
		browser.emit({ type: 'work', token: browser.token, params: { n: 3, size: 900000, tag: 'left' } });
		return browser.ws._socket;
	},
	'with a message half sent': async (t, port) => {
		const browser = await rawBrowser(t, port);
		const text = frame(0x81, '42["ewdjs",' + JSON.stringify({ type: 'work', token: browser.token, params: { tag: 'x'.repeat(5000) } }) + ']');
		browser.ws._socket.write(text.subarray(0, 3000));
		return browser.ws._socket;
	},
	'with a poll that waits': async (t, port) => {
		const poller = await new Poller(port, 4).connect();
		const connection = await tcp(t, port);
		connection.send(`GET /socket.io/${poller.query()} HTTP/1.1\r\nHost: a\r\n\r\n`);
		return connection.socket;
	},
	'with half a post sent': async (t, port) => {
		const poller = await new Poller(port, 4).connect();
		const connection = await tcp(t, port);
		connection.send(`POST /socket.io/${poller.query()} HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n` + event({ type: 'work' }).slice(0, 10));
		return connection.socket;
	}
};

test('browsers that leave in each state', async (t) => {
	const node = await start(t, 'size: 2', 'timeouts: { resume: 50ms, http_head: 2s, http_body: 2s, handshake: 2s }\n' +
	    'socketio: { connect_timeout: 2s }\n');
	const [page] = await openPages(t, node.port, 1, new Books());
	await Promise.all([page.ask({ do: 'block', ms: 50 }), page.ask({ do: 'block', ms: 50 })]);	// both workers are there
	const before = descriptors(node);
	const dir = folder(t);
	let n = 0;

	for (const [state, enter] of Object.entries(STATES)) {
		for (const [way, leave] of Object.entries(WAYS)) {
			for (let i = 0; i < scaled(1, 50); i++) {
				const until = path.join(dir, 'gate' + n++);
				await t.test(`${state}, ${way}`, async (t) => {
					const socket = await enter(t, node.port, until);
					leave(socket);
					fs.writeFileSync(until, '');
					assert.strictEqual(await page.ask(usual(n)), 'own');
				});
			}
		}
	}
	await assertNothingStays(node, before);
	await page.end();
	assertOracle(page.books);
});

test('browsers cut after any number of bytes', async (t) => {
	const node = await start(t, 'size: 2', 'timeouts: { resume: 50ms }\n');
	const [page] = await openPages(t, node.port, 1, new Books());
	await Promise.all([page.ask({ do: 'block', ms: 50 }), page.ask({ do: 'block', ms: 50 })]);
	const before = descriptors(node);
	const step = scaled(61, 1);

	for (const [direction, bytes] of [['up', 1400], ['down', 1700]]) {
		for (let after = 0; after < bytes; after += step) {
			const proxy = await faultProxy(t, node.port, { [direction]: { after, then: ['cut', 'reset'][after / step % 2] } });
			// It talks as long as it is let.
			const talk = async () => {
				const browser = await rawBrowser(t, proxy.near);
				await browser.request({ type: 'work', ms_requestId: 1, params: { tag: 'x', n: 2, size: 100 } });
				await browser.whenClosed();
			};
			const ending = talk().catch(() => {});
			await waitFor('the connection', () => proxy.accepted > 0);
			if (after % 5 === 0)
				assert.strictEqual(await page.ask(usual(after)), 'own');
			proxy.cut();
			await ending;
			proxy.server.close();
		}
	}
	await assertNothingStays(node, before);
	await page.end();
	assertOracle(page.books);
});

test('slow browsers get all of it, in order', async (t) => {
	const worker = await startUsherd(t, workerOf(WORKER));
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();
	const proxy = await faultProxy(t, master.port, { up: { slice: 1 }, down: { slice: 700, delay: 1 } });
	const slow = load(t, proxy.near, { pages: 4, requests: scaled(6, 200) });
	const fast = await load(t, master.port, { pages: 4, requests: scaled(40, 4000) });

	assertOracle(fast);
	assertOracle(await slow);
});

// How long requests of a page take, one after the other, in milliseconds.
async function median(page) {
	const times = [];

	for (let i = 0; i < 25; i++) {
		const begun = performance.now();
		assert.strictEqual(await page.ask({ n: 1, size: 100 }), 'own');
		times.push(performance.now() - begun);
	}
	return times.sort((a, b) => a - b)[12];
}

test('one reader that never reads a stream of replies is cut alone, and the others go on', async (t) => {
	const MB = 1000000, stream = IS_LONG ? 100 : 20;
	const worker = await startUsherd(t, workerOf(WORKER, 'size: 4'));
	const master = await startUsherd(t, masterOf(worker.url) + 'limits: { send_queue: 4MB }\n');
	await master.linked();
	const [page] = await openPages(t, master.port, 1, new Books());
	const usually = await median(page);
	const before = descriptors(master);
	const deaf = await rawBrowser(t, master.port);
	deaf.ws._socket.pause();
	deaf.emit({ type: 'work', token: deaf.token, params: { tag: 'stream', n: stream, size: MB } });

	// A page beside it hardly notices; were it to wait for the reader, that were seconds.
	const meanwhile = await median(page);
	assert.ok(meanwhile < 10 * usually + 500, `${meanwhile} ms, usually ${usually} ms`);
	const books = await load(t, master.port, { pages: 6, requests: scaled(30, 3000) });
	assertOracle(books);
	await assertNothingStays(master, before);
	deaf.ws._socket.resume();
	await deaf.whenClosed();
	// It got less than the stream: the rest was not kept for it.
	let bytes = 0;
	while (deaf.inbox.items.length > 0)
		bytes += (await deaf.inbox.next()).length;
	assert.ok(bytes < stream * MB, bytes + ' bytes');
	assertOracle(await load(t, master.port, { pages: 4, requests: 8 }));
});

// It is about memory, which the thread sanitizer multiplies, and 64 MB take that minutes.
const isThreadSanitized = fs.readFileSync(PROGRAM).includes('__tsan_init');

test('a crowd of readers that do not read costs what its limits say', { skip: isThreadSanitized && 'sanitized' }, async (t) => {
	// Whoever waits behind 64 MB waits for long under a sanitizer.
	const node = await start(t, 'size: 4, deadline: 10m', 'limits: { send_queue: 200KB }\ntimeouts: { request: 10m }\n');
	const resident = () => Number(fs.readFileSync(`/proc/${node.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) * 1024;
	const before = resident();
	const crowd = [];
	for (let i = 0; i < scaled(8, 200); i++) {
		const deaf = await rawBrowser(t, node.port);
		deaf.ws._socket.pause();
		for (let k = 0; k < 4; k++)
			deaf.emit({ type: 'work', token: deaf.token, params: { tag: 'stream', n: 20, size: 100000 } });
		crowd.push(deaf);
	}

	const books = await load(t, node.port, { pages: 4, requests: 10 });
	assertOracle(books);
	// Unbounded it would be 8 MB each.  A sanitizer keeps what was freed.
	if (!/lib[at]san/.test(fs.readFileSync(`/proc/${node.pid}/maps`, 'utf8')))
		assert.ok(resident() - before < crowd.length * 2e6 + 2e7, `${before} bytes, then ${resident()}`);
	crowd.forEach((deaf) => deaf.close());
});
