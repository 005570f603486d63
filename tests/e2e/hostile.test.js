// SPDX-License-Identifier: ISC
// Everything that brings stock QEWD down or lets a stranger in, and whatever else a client can
// send that is wrong: the daemon lives, other clients notice nothing, no token is minted.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { masterOf, workerOf, scripted } = require('./lib/configs');
const { rawBrowser, rawClient, tcp, upgradeRequest, frame, closeCode, RawSocket, address } = require('./lib/raw');
const { atEnd } = require('./lib/cleanup');
const { claims, session, sign, isSigned } = require('./lib/tokens');
const { startStockService } = require('./lib/stock');
const { startUsherd, nodeKit, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

// A client beside the attack, whose requests must go on as if nothing had happened.
async function bystander(t, port) {
	const client = await rawBrowser(t, port);
	let tag = 0;

	return async () => {
		const reply = await client.request({ type: 'echo', params: { tag: ++tag } });
		assert.strictEqual(reply.message.tag, tag, 'the bystander is served');
		return reply;
	};
}

const TYPES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'prototype', '__defineGetter__'];
const ARGUMENTS = ['null', '"text"', '7', '[]', '{}', '{"type":""}', '{"type":7}', '{"type":{}}', '{"type":null}', '{"type":["a"]}',
	'{"type":true}', '{"__proto__":{"type":"echo"}}', '{"constructor":1}'];

async function attackEnvelopes(t, port, types) {
	const isServed = await bystander(t, port);

	await t.test('arguments that are no message', async (t) => {
		for (const argument of ARGUMENTS) {
			const anonymous = await rawClient(t, port);
			const registered = await rawBrowser(t, port);
			for (const client of [anonymous, registered]) {
				client.emit(argument);
				client.emit({ type: 'ewd-register', application: 'browser-app', jwt: true });
				assert.strictEqual((await client.nextReply()).type, 'ewd-register', argument + ' is not answered');
				client.close();
			}
		}
		await isServed();
	});

	await t.test('types out of the prototype of an object', async (t) => {
		const client = await rawBrowser(t, port);
		for (const type of types) {
			const reply = await client.request({ type });
			assert.strictEqual(reply.type, type);
			assert.ok(reply.message.error, type);
			assert.strictEqual(reply.message.token, undefined);
		}
		await isServed();
	});

	await t.test('applications out of the prototype of an object', async (t) => {
		for (const application of TYPES) {
			const client = await rawBrowser(t, port, application);
			const reply = await client.request({ type: 'echo' });
			assert.ok(reply.message.error, application);
		}
		await isServed();
	});

	await t.test('registrations of every wrong kind', async (t) => {
		const client = await rawClient(t, port);
		for (const application of [null, 7, {}, [], true, undefined]) {
			client.emit({ type: 'ewd-register', application, jwt: true });
			const reply = await client.nextReply();
			assert.strictEqual(reply.type, 'ewd-register');
			if (reply.message.token)
				assert.strictEqual(typeof claims(reply.message.token).application, 'string');
		}
		for (const token of [null, 7, {}, [], 'x', 'a.b.c', '', sign({ application: 'browser-app' }, 'another secret')]) {
			client.emit({ type: 'ewd-reregister', token });
			const reply = await client.nextReply();
			assert.ok(reply.message.error, JSON.stringify(token));
			assert.strictEqual(reply.message.token, undefined);
		}
		await isServed();
	});

	await t.test('internal types mint no token, whoever asks', async (t) => {
		const anonymous = await rawClient(t, port);
		const registered = await rawBrowser(t, port);
		const payload = { application: 'browser-app', authenticated: true, username: 'root', timeout: 1e6, exp: 1e11 };
		const unsigned = sign(payload, 'not the secret');
		const messages = [
			{ type: 'ewd-jwt-encode', params: { payload } },
			{ type: 'ewd-jwt-decode', params: { jwt: unsigned } },
			{ type: 'ewd-jwt-updateExpiry', params: { jwt: unsigned, application: 'browser-app' } },
			{ type: 'ewd-jwt-isValid', params: { jwt: unsigned } },
			{ type: 'qoper8-test' }, { type: 'qoper8-getStats', id: 1 }, { type: 'qoper8-exit' }, { type: 'qoper8-start' },
			{ type: 'ewd-fragment', service: false, params: { file: '../../package.json' } },
			{ type: 'ewd-save-documents', password: 'interop', documents: {} },
			{ type: 'restRequest', path: '/api/info', pathTemplate: '/api/info', method: 'GET', headers: {} }
		];
		for (const client of [anonymous, registered]) {
			for (const message of messages) {
				for (const token of [undefined, client.token, unsigned]) {
					client.emit(Object.assign({}, message, token && { token }));
					const reply = await client.nextReply();
					assert.ok(reply.message.error, message.type);
					assert.doesNotMatch(JSON.stringify(reply), /eyJ/, message.type);
				}
			}
		}
		await isServed();
	});

	await t.test('a forged token is never made good', async (t) => {
		const client = await rawBrowser(t, port);
		for (const secret of ['', 'guess', SECRET + ' ']) {
			client.token = session('browser-app', secret || 'x', { authenticated: true });
			const reply = await client.request({ type: 'needsAuth' });
			assert.match(reply.message.error, /^Invalid JWT/);
			assert.strictEqual(reply.message.token, undefined);
		}
		await isServed();
	});

	await t.test('a message of the largest size harms nobody', async (t) => {
		const client = await rawBrowser(t, port);
		const empty = '42["ewdjs",' + JSON.stringify({ token: client.token, type: 'echo', params: { tag: '' } }) + ']';
		const reply = await client.request({ type: 'echo', params: { tag: 'x'.repeat(1000000 - empty.length) } });
		assert.strictEqual(reply.type, 'echo');
		client.emit({ token: client.token, type: 'echo', params: { tag: 'x'.repeat(1000001 - empty.length) } });
		assert.strictEqual(await client.whenClosed(), 1009);
		await isServed();
	});

	await t.test('the token of a reply is one\'s own', async () => {
		const reply = await isServed();
		assert.ok(isSigned(reply.message.token, SECRET));
	});
}

test('envelopes that are wrong, in front of a stock service', async (t) => {
	// Some of these types occupy a worker of stock QEWD for ever, others end it and the request
	// behind with it: those come last.
	const occupying = ['constructor', 'toString', 'valueOf'];
	const service = await startStockService(t, { pool: 2 + TYPES.length });
	const master = await startUsherd(t, masterOf(service.url, 'timeout: 1s'));
	await master.linked();

	await attackEnvelopes(t, master.port, occupying);
	await t.test('types that end a worker of the stock service', async (t) => {
		const client = await rawBrowser(t, master.port);
		for (const type of TYPES.filter((type) => !occupying.includes(type)))
			assert.ok((await client.request({ type })).message.error, type);
	});
});

test('envelopes that are wrong, in front of a worker node', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();

	await attackEnvelopes(t, master.port, TYPES);
});

// What is wrong with frames of a connection that is otherwise fine, and the close code due.
const FRAMES = {
	'without a mask': [frame(0x81, '2', { masked: false }), 1002],
	'with a reserved bit': [frame(0xc1, '2'), 1002],
	'of a reserved opcode': [frame(0x83, '2'), 1002],
	'of a reserved control opcode': [frame(0x8b, '2'), 1002],
	'continuing nothing': [frame(0x80, '2'), 1002],
	'beginning inside another': [Buffer.concat([frame(0x01, '2'), frame(0x81, '2')]), 1002],
	'of a ping in pieces': [frame(0x09, 'x'), 1002],
	'of a ping of 126 bytes': [frame(0x89, 'x'.repeat(126)), 1002],
	'closing with one byte': [frame(0x88, 'x'), 1002],
	'closing with a code that is none': [frame(0x88, Buffer.from([0x03, 0xed])), 1002],
	'closing with a reason that is not UTF-8': [frame(0x88, Buffer.from([0x03, 0xe8, 0xff])), 1007],
	'of text that is not UTF-8': [frame(0x81, Buffer.from([0x34, 0xc3, 0x28])), 1007],
	'of a surrogate in UTF-8': [frame(0x81, Buffer.from([0x34, 0xed, 0xa0, 0x80])), 1007],
	'of text that ends inside a character': [frame(0x81, Buffer.from([0x34, 0xc3])), 1007],
	'announcing more than the limit': [frame(0x81, '4', { length: 1000001 }), 1009],
	'announcing 2^62 bytes': [frame(0x81, '4', { length: 2 ** 62 }), 1009],
	'adding up to more than the limit': [Buffer.concat([frame(0x01, '4' + 'x'.repeat(600000)), frame(0x00, '4', { length: 500000 })]), 1009],
	'of binary data': [frame(0x82, Buffer.from([4, 1])), 1003],
	'with a length longer than needed, top bit set': [Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 0]), 1002]
};

async function upgraded(t, port) {
	const connection = await tcp(t, port);
	connection.send(upgradeRequest(port));
	await waitFor('the open packet', () => connection.received.includes('pingTimeout'));
	return connection;
}

test('malformed WebSocket frames', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')).replaceAll('remote-app:', 'browser-app:'));
	const { port } = worker;
	const isServed = await bystander(t, port);

	for (const [what, [bytes, code]] of Object.entries(FRAMES)) {
		await t.test('a frame ' + what, async (t) => {
			const connection = await upgraded(t, port);
			connection.send(bytes);
			await connection.whenEnded();

			assert.strictEqual(closeCode(connection.received), code);
			await isServed();
		});
	}

	await t.test('a million fragments of nothing', async (t) => {
		const connection = await upgraded(t, port);
		const nothing = Buffer.concat(Array(1000).fill(frame(0x00, '')));
		connection.send(frame(0x01, '4'));
		for (let i = 0; i < 100; i++)
			connection.send(nothing);
		await isServed();
		connection.close();
	});

	await t.test('a flood of pings that nobody reads', async (t) => {
		const connection = await upgraded(t, port);
		connection.socket.pause();
		const pings = Buffer.concat(Array(1000).fill(frame(0x89, 'x'.repeat(125))));
		for (let i = 0; i < 200; i++)
			connection.send(pings);
		await isServed();
		connection.close();
	});

	await t.test('correct fragments with a ping between them, byte by byte', async (t) => {
		const connection = await upgraded(t, port);
		const text = '42["ewdjs",{"type":"ewd-register","application":"é"}]';
		const bytes = Buffer.concat([frame(0x01, text.slice(0, 9)), frame(0x89, 'p'), frame(0x00, ''),
			frame(0x80, Buffer.from(text).subarray(9))]);
		connection.socket.setNoDelay(true);
		for (const byte of bytes)
			connection.send(Buffer.from([byte]));

		await waitFor('the registration', () => connection.received.includes('ewd-register'));
	});

	await t.test('connections that are dropped at any place', async (t) => {
		const bytes = Buffer.concat([Buffer.from(upgradeRequest(port)), frame(0x81, '42["ewdjs",{"type":"ewd-register"}]')]);
		for (let cut = 0; cut < bytes.length; cut += 13) {
			const connection = await tcp(t, port);
			connection.send(bytes.subarray(0, cut));
			await new Promise((resolve) => connection.socket.end(resolve));
			connection.close();
		}
		await isServed();
	});
});

// What is wrong with an upgrade request.
const UPGRADES = {
	'of another version': [{ 'Sec-WebSocket-Version': '12' }],
	'without a key': [{ 'Sec-WebSocket-Key': null }],
	'with a short key': [{ 'Sec-WebSocket-Key': 'YWJj' }],
	'with a key that is no base64': [{ 'Sec-WebSocket-Key': '!'.repeat(24) }],
	'without Host': [{ Host: null }],
	'with a body': [{ 'Content-Length': '5' }],
	'with two lengths': [{ 'Content-Length': '0', 'content-length': '5' }],
	'with a coding and a length': [{ 'Content-Length': '5', 'Transfer-Encoding': 'chunked' }],
	'with a header that is none': [{ 'Bad Header': 'x' }],
	'with a NUL in a header': [{ Cookie: 'a\0b' }],
	'with a head of 64 KB': [{ Cookie: 'x'.repeat(65536) }]
};

test('malformed upgrades and HTTP', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')).replaceAll('remote-app:', 'browser-app:') +
	    'timeouts: { http_head: 500ms, handshake: 500ms }\n');
	const { port } = worker;
	const isServed = await bystander(t, port);

	for (const [what, [headers]] of Object.entries(UPGRADES)) {
		await t.test('an upgrade ' + what, async (t) => {
			const connection = await tcp(t, port);
			connection.send(upgradeRequest(port, headers));
			await connection.whenEnded();

			assert.doesNotMatch(String(connection.received), /^HTTP\/1.1 101/);
			await isServed();
		});
	}

	for (const text of ['\r\n\r\n', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', 'GET  /  HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00',
		'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 'GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
		'GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 'GET /%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
		'POST /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
		'DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 'x'.repeat(100000)]) {
		await t.test('the bytes ' + JSON.stringify(text.slice(0, 50)), async (t) => {
			const connection = await tcp(t, port);
			connection.send(text);
			await connection.whenEnded();

			assert.doesNotMatch(String(connection.received), /^HTTP\/1.1 [12]|root:/);
			await isServed();
		});
	}

	await t.test('nothing at all, for too long', async (t) => {
		const connection = await tcp(t, port);
		await connection.whenEnded();
		await isServed();
	});

	await t.test('a head that never ends', async (t) => {
		const connection = await tcp(t, port);
		connection.send('GET / HTTP/1.1\r\nHost: ');
		await connection.whenEnded();
		await isServed();
	});
});

test('origins', async (t) => {
	const yaml = workerOf(nodeKit('remote-app.js'));
	const listed = yaml.replace('127.0.0.1:0"', '127.0.0.1:0", origins: ["https://app.example.org", "https://*.example.com"]');
	const node = await startUsherd(t, listed);
	const attempt = async (t, origin) => {
		const socket = new RawSocket(address(node.port, 3), origin === undefined ? {} : { headers: { Origin: origin } });
		atEnd(t, () => socket.close());
		return socket.open().then(() => true, (e) => {
			assert.match(e.message, /403/);
			return false;
		});
	};
	const accepted = [undefined, `http://127.0.0.1:${node.port}`, 'https://app.example.org', 'https://a.example.com', 'https://a.b.example.com'];
	const refused = ['null', 'http://127.0.0.1', 'http://app.example.org', 'https://app.example.org:444', 'https://app.example.org.evil.net',
		'https://evil.net', 'https://example.com', 'https://evilexample.com', 'https://app.example.orgx', ''];

	for (const origin of accepted)
		await t.test('accepted: ' + origin, async (t) => assert.strictEqual(await attempt(t, origin), true));
	for (const origin of refused)
		await t.test('refused: ' + (origin || 'an empty one'), async (t) => assert.strictEqual(await attempt(t, origin), false));
});

test('limits of sessions', async (t) => {
	const node = await startUsherd(t, workerOf(nodeKit('remote-app.js')) + 'limits: { sessions: 4 }\n');
	const first = [];
	for (let i = 0; i < 4; i++)
		first.push(await rawBrowser(t, node.port, 'remote-app'));
	const fifth = new RawSocket(address(node.port, 3));
	atEnd(t, () => fifth.close());
	await assert.rejects(fifth.open().then(() => fifth.next()));
	assert.strictEqual((await first[3].request({ type: 'echo', params: { tag: 1 } })).message.tag, 1);

	first[0].close();
	await waitFor('room for another', async () => {
		const socket = new RawSocket(address(node.port, 3));
		atEnd(t, () => socket.close());
		return socket.open().then(() => socket.next()).then(() => true, () => false);
	});
});

test('a reader that does not read costs nobody else', async (t) => {
	const node = await startUsherd(t, workerOf(nodeKit('remote-app.js')).replaceAll('remote-app:', 'browser-app:') +
	    'limits: { send_queue: 1MB }\n');
	const isServed = await bystander(t, node.port);
	const slow = await rawBrowser(t, node.port);
	slow.ws._socket.pause();
	for (let i = 0; i < 30; i++)
		slow.emit({ type: 'big', token: slow.token, params: { size: 900000 } });
	for (let i = 0; i < 10; i++)
		await isServed();
	slow.ws._socket.resume();
	await slow.whenClosed();
	await isServed();
});

test('a final that asks a QEWD master for another application is a final like any other', async (t) => {
	const node = await startUsherd(t, workerOf(scripted, 'size: 1'));
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const final = { qewd_destination: 'elsewhere', qewd_application: 'other', type: 'echo' };
	const script = [{ line: '{"op":"finish","id":@ID,"message":' + JSON.stringify(final) + '}' }];
	const reply = await browser.request({ type: 'job', params: { script } });

	for (const name of Object.keys(final))
		assert.strictEqual(reply.message[name], final[name]);
	const bystander = await rawBrowser(t, node.port, 'remote-app');
	const after = [{ line: '{"op":"finish","id":@ID,"message":{"served":true}}' }];
	assert.strictEqual((await bystander.request({ type: 'job', params: { script: after } })).message.served, true);
});
