// SPDX-License-Identifier: ISC
// The attack table (tests/faults/attacks.js): each case is refused as it says, the process lives, it
// keeps no descriptor, connection or session of it (and, as a sanitizer sees at its end, no byte), and a
// client beside it is served all the time.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const test = require('node:test');
const { HTTP, FRAMES, FLOODS, LETTERS, NAMES, ORIGINS, tokens, GET } = require('../faults/attacks');
const { openPages, assertOracle, usual, Books, WORKER, scaled } = require('../faults/oracle');
const { atEnd } = require('./lib/cleanup');
const { metricsOf } = require('./lib/operator');
const { metric } = require('./lib/prometheus');
const { closeCode, frame, rawBrowser, rawClient, tcp, upgradeRequest } = require('./lib/raw');
const { claims } = require('./lib/tokens');
const { folder, startUsherd, JWT, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const MANY = scaled(100, 1000);

// A node with a page, a REST path and workers; and the client beside all that comes.
async function start(t, top = '') {
	const www = folder(t, { 'hidden.txt': 'hidden' });
	const node = await startUsherd(t, `
node: target
listen: [{ address: "127.0.0.1:0", origins: ["https://app.example.org", "https://*.example.com"] }]
${JWT}
applications: { browser-app: { command: ${WORKER}, pool: { size: 2, prefork: true } } }
u_services: [{ path: /api/x, destination: browser-app }]
static: [{ path: /files/, root: ${JSON.stringify(www)} }]
admin: { http: "127.0.0.1:0" }
${top}`);
	const [page] = await openPages(t, node.port, 1, new Books());
	await Promise.all([page.ask({ do: 'block', ms: 50 }), page.ask({ do: 'block', ms: 50 })]);
	const descriptors = () => fs.readdirSync(`/proc/${node.pid}/fd`).length;
	const kept = async () => {
		const metrics = await metricsOf(node);
		return ['usher_connections_open', 'usher_sessions_open'].map((name) => metric(metrics, name));
	};
	const keptBefore = await kept(), before = descriptors();
	let n = 0;

	const isServed = async () => {
		assert.strictEqual(await page.ask(usual(n++)), 'own', 'the client beside it is served');
		assertOracle(page.books);
	};
	// To be called behind each case.
	const isUnharmed = async () => {
		await isServed();
		await waitFor(() => `${descriptors()} descriptors to be ${before} again:\n` + node.log, () => descriptors() <= before);
		let now;
		await waitFor(() => `connections and sessions, ${now}, to be ${keptBefore} again`, async () => {
			now = await kept();
			return now.every((count, i) => count <= keptBefore[i]);
		});
	};
	return { node, port: node.port, isServed, isUnharmed };
}

const statusLines = (received) => [...String(received).matchAll(/HTTP\/1\.1 (\d{3} [^\r]*)\r\n/g)].map((found) => found[1]);

test('HTTP that means two things, or leads where nothing is', async (t) => {
	const { port, isUnharmed } = await start(t);

	for (const [what, [bytes, expected]] of Object.entries(HTTP)) {
		await t.test(what, async (t) => {
			const connection = await tcp(t, port);
			connection.send(Buffer.from(bytes, 'latin1'));
			await connection.whenEnded();

			assert.deepStrictEqual(statusLines(connection.received), expected, String(connection.received));
			assert.ok(!connection.received.includes('hidden'));
			await isUnharmed();
		});
	}
});

test('who is slow, by the hundred', async (t) => {
	// Behind the readers' 55 MB whoever asks the two workers waits; with the thread sanitizer, for a minute.
	const { node, port, isUnharmed } = await start(t, 'timeouts: { http_head: 1s, http_body: 1s, handshake: 1s, request: 10m }\n' +
	    'limits: { send_queue: 100KB, sessions_per_address: off }\n');
	const crowd = (t) => Promise.all(Array.from({ length: MANY }, () => tcp(t, port)));
	// What each sends first, and again and again; and the status line.
	const slow = {
		heads: [GET('/files/').slice(0, 20), 'x', '408 Request Timeout'],
		'header lines': [GET('/files/').slice(0, -2), 'X-More: y\r\n', '408 Request Timeout'],
		bodies: ['POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n', ' ', '408 Request Timeout'],
		chunks: ['POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n', '408 Request Timeout']
	};

	for (const [what, [first, more, status]] of Object.entries(slow)) {
		await t.test(what, async (t) => {
			const connections = await crowd(t);
			connections.forEach((connection) => connection.send(first));
			const timer = setInterval(() => connections.forEach((c) => c.socket.writable && c.send(more)), 300);
			atEnd(t, () => clearInterval(timer));
			await Promise.all(connections.map((connection) => connection.whenEnded()));

			for (const connection of connections)
				assert.deepStrictEqual(statusLines(connection.received), [status], String(connection.received));
			clearInterval(timer);
			await isUnharmed();
		});
	}

	await t.test('connections that say nothing at all', async (t) => {
		const connections = await crowd(t);
		await Promise.all(connections.map((connection) => connection.whenEnded()));
		connections.forEach((connection) => assert.strictEqual(connection.received.length, 0));
		await isUnharmed();
	});

	await t.test('readers', async (t) => {
		const readers = await Promise.all(Array.from({ length: MANY / 20 }, () => rawBrowser(t, port)));
		for (const reader of readers) {
			reader.ws._socket.pause();
			reader.emit({ type: 'work', token: reader.token, params: { tag: 'x', n: 10, size: 1000000 } });
		}
		await isUnharmed();
		readers.forEach((reader) => reader.close());
		assert.ok(!node.hasEnded);
	});
});

// A connection behind its upgrade, which has read the open packet.
async function upgraded(t, port) {
	const connection = await tcp(t, port);

	connection.send(upgradeRequest(port));
	await waitFor('the open packet', () => connection.received.includes('pingTimeout'));
	return connection;
}

async function assertCloses(t, port, bytes, code) {
	const connection = await upgraded(t, port);

	connection.send(bytes);
	if (code === null) {
		connection.send(frame(0x81, '2'));
		await waitFor('the answer to a ping', () => connection.received.includes('\x81\x013', 'latin1'));
		connection.close();
		return;
	}
	await connection.whenEnded();
	assert.strictEqual(closeCode(connection.received), code);
}

test('frames and packets that are wrong', async (t) => {
	const { port, isUnharmed } = await start(t);

	for (const [what, [bytes, code]] of Object.entries(FRAMES)) {
		await t.test(what, async (t) => {
			await assertCloses(t, port, bytes, code);
			await isUnharmed();
		});
	}

	await t.test('bad UTF-8 at each byte', async (t) => {
		for (const letter of LETTERS) {
			const good = Buffer.from(letter);
			for (let at = 0; at < good.length; at++) {
				const bad = [0xff, 0xc0, good[at] ^ 0x80].map((byte) => Buffer.concat([good.subarray(0, at), Buffer.from([byte]), good.subarray(at + 1)]));
				const cut = [good.subarray(0, at), good.subarray(at + 1)].filter((part) => part.length > 0 && part.length < good.length);
				for (const bytes of [...bad, ...cut])
					for (const pieces of [[bytes], [bytes.subarray(0, 1), bytes.subarray(1)]])
						await assertCloses(t, port, Buffer.concat(pieces.map((piece, i) => frame(
						    (i === 0 ? 1 : 0) | (i === pieces.length - 1 ? 0x80 : 0),
						    i === 0 ? Buffer.concat([Buffer.from('42["'), piece]) : Buffer.concat([piece, Buffer.from('",{}]')])))), 1007);
			}
		}
		await isUnharmed();
	});

	await t.test('overlong forms, surrogates and what is above U+10FFFF', async (t) => {
		for (const bytes of [[0xc0, 0x80], [0xc1, 0xbf], [0xe0, 0x80, 0x80], [0xe0, 0x9f, 0xbf], [0xf0, 0x80, 0x80, 0x80], [0xf0, 0x8f, 0xbf, 0xbf],
			[0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]])
			await assertCloses(t, port, frame(0x81, Buffer.from([0x34, ...bytes])), 1007);
		await isUnharmed();
	});
});

test('floods', async (t) => {
	const { port, isServed, isUnharmed } = await start(t);

	for (const [what, [make, fate]] of Object.entries(FLOODS)) {
		await t.test(what, async (t) => {
			const browser = await rawBrowser(t, port);
			const socket = browser.ws._socket;
			if (/fragments/.test(what))
				socket.write(frame(0x01, '4'));
			const bytes = make(5000);	// of limits.messages_per_second: 1000
			for (let i = 0; i < scaled(2, 200) && !socket.destroyed && !socket.writableEnded; i++)
				await new Promise((resolve) => socket.write(bytes, resolve));
			await isServed();
			if (fate === 'served')
				assert.ok((await browser.request({ type: 'work', params: { tag: 'x' } })).message.done);
			else if (typeof fate === 'number')
				assert.strictEqual(await browser.whenClosed(), fate);
			else if (browser.ws.readyState !== 1)
				assert.strictEqual(await browser.whenClosed(), 1008);
			browser.close();
			await isUnharmed();
		});
	}
});

test('names of events', async (t) => {
	const { port, isUnharmed } = await start(t);
	const client = await rawClient(t, port);

	for (const name of NAMES)
		client.send('42' + JSON.stringify([name, { type: 'ewd-register', application: 'browser-app' }]));
	// Nothing came before this.
	const reply = await client.register('browser-app');
	assert.ok(reply.message.token);
	client.close();
	await isUnharmed();
});

test('tokens', async (t) => {
	const { port, isUnharmed } = await start(t);
	const browser = await rawBrowser(t, port);
	let i = 0;

	for (const [what, [token, code]] of Object.entries(tokens(claims(browser.token), SECRET))) {
		await t.test('a token ' + what, async () => {
			browser.emit({ type: 'work', token, ms_requestId: ++i, params: { tag: 'x' } });
			const { message, ms_requestId } = await browser.nextReply();
			assert.deepStrictEqual([ms_requestId, message.code], [i, code === null ? undefined : code], JSON.stringify(message));
			assert.ok(code === null || message.token === undefined, 'nothing is signed');
		});
	}
	browser.close();
	await isUnharmed();
});

test('origins that look like others', async (t) => {
	const { port, isUnharmed } = await start(t);

	for (const origin of ORIGINS) {
		await t.test(origin, async (t) => {
			const socket = await tcp(t, port);
			socket.send(Buffer.from(upgradeRequest(port, { Origin: origin, Connection: 'Upgrade, close' }), 'utf8'));
			const poll = await tcp(t, port);
			poll.send(Buffer.from(GET('/socket.io/?EIO=4&transport=polling', 'Origin: ' + origin, 'Connection: close'), 'utf8'));
			await Promise.all([socket.whenEnded(), poll.whenEnded()]);

			// What no browser would ever write is no origin at all.
			const refusal = /[^!-~]/.test(origin.trim()) ? '400 Bad Request' : '403 Forbidden';
			assert.deepStrictEqual(statusLines(socket.received), [refusal], String(socket.received));
			assert.deepStrictEqual(statusLines(poll.received), [refusal], String(poll.received));
		});
	}
	await isUnharmed();
});
