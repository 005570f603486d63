// SPDX-License-Identifier: ISC
// Behind a balancer: whom the node takes clients for, by X-Forwarded-* and PROXY protocol, from
// trusted proxies (127.0.0.1 here) and from others (127.0.0.2); and which pages may come in.
'use strict';
const assert = require('node:assert');
const http = require('node:http');
const net = require('node:net');
const test = require('node:test');
const tls = require('node:tls');
const { atEnd } = require('./lib/cleanup');
const { certificate, read } = require('./lib/certificates');
const { nodeOf, scriptedApp } = require('./lib/configs');
const { ask } = require('./lib/http');
const { metric, parseMetrics } = require('./lib/prometheus');
const { RawClient, RawSocket, address, rawBrowser, upgradeRequest } = require('./lib/raw');
const { decryptSecrets } = require('./lib/tokens');
const { JWT, SECRET, folder, startUsherd } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const OTHER = '127.0.0.2';
const CLIENT = '203.0.113.9';

// listen: more keys of the listener
const proxied = (listen = '', more = '') => `
node: edge
listen: [{ address: "127.0.0.1:0", trusted_proxies: ["127.0.0.1", "192.0.2.0/24"] ${listen && ', ' + listen} }]
${JWT}
admin: { http: "127.0.0.1:0" }
applications: { browser-app: ${scriptedApp('size: 1')} }
${more}`;

// The address in a session's token.
const addressOf = (client) => decryptSecrets(client.token, SECRET).ipAddress;

async function counter(usher, name) {
	const url = usher.log.match(/metrics and health at (http:\/\/\S+)/)[1];

	return metric(parseMetrics((await ask(url, 'GET', '/metrics')).text), `usher_${name}_total`);
}

// ---- PROXY protocol, version 2 ----

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const ipv4 = (source, destination = '127.0.0.1') => Buffer.concat([
	Buffer.from([...source.split('.'), ...destination.split('.')].map(Number)), Buffer.from([0x15, 0x88, 0x1f, 0x90])]);

function header({ command = 0x21, family = 0x11, body = ipv4(CLIENT), length = body.length } = {}) {
	return Buffer.concat([SIGNATURE, Buffer.from([command, family, length >> 8, length & 255]), body]);
}

// A connection from an address, with its end.
async function connect(t, port, from = '127.0.0.1') {
	const socket = net.connect({ port, host: '127.0.0.1', localAddress: from });
	const one = { socket, received: Buffer.alloc(0) };

	atEnd(t, () => socket.destroy());
	socket.setNoDelay(true);
	socket.on('error', () => {});
	socket.on('data', (data) => { one.received = Buffer.concat([one.received, data]); });
	one.ended = new Promise((resolve) => socket.on('close', resolve));
	await within('the connection', new Promise((resolve) => socket.on('connect', resolve)));
	return one;
}

// A browser's WebSocket behind a header: socket is connected, and secured if it shall be.
async function browserOn(t, usher, socket) {
	const agent = new http.Agent();
	agent.createConnection = () => socket;
	const client = new RawClient(address(usher.port, 3), { agent });

	atEnd(t, () => client.close());
	await client.open();
	await client.handshake(3);
	await client.register('browser-app');
	return client;
}

test('who a client is', async (t) => {
	const usher = await startUsherd(t, proxied());
	const from = (localAddress, headers) => rawBrowser(t, usher.port, 'browser-app', { localAddress, headers });

	await t.test('a trusted proxy tells it', async () => {
		const client = await from('127.0.0.1', { 'X-Forwarded-For': `198.51.100.1, ${CLIENT}, 192.0.2.7` });
		assert.strictEqual(addressOf(client), CLIENT);
		const reply = await client.request({ type: 'echo', params: { script: [{ finish: { mine: '@ID' } }] } });
		assert.ok(reply.message.mine);
	});

	await t.test('a trusted proxy that tells nothing is the client', async () => {
		assert.strictEqual(addressOf(await from('127.0.0.1', {})), '127.0.0.1');
	});

	await t.test('what others tell is ignored', async () => {
		assert.strictEqual(addressOf(await from(OTHER, { 'X-Forwarded-For': CLIENT })), OTHER);
	});

	await t.test('each request on a connection has its own', async (t) => {
		const one = await connect(t, usher.port);
		const body = JSON.stringify({ type: 'ewd-register', application: 'browser-app' });
		for (const who of ['203.0.113.1', '203.0.113.2'])
			one.socket.write('POST /ajax HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ' + who +
			    '\r\nContent-Type: application/json\r\nContent-Length: ' + body.length + '\r\n\r\n' + body);
		const tokens = await waitFor('two answers', () => {
			const found = [...String(one.received).matchAll(/"token":"([^"]+)"/g)];
			return found.length === 2 && found;
		});
		assert.deepStrictEqual(tokens.map(([, token]) => decryptSecrets(token, SECRET).ipAddress),
		    ['203.0.113.1', '203.0.113.2']);
	});
});

test('a PROXY header', async (t) => {
	const usher = await startUsherd(t, proxied());

	await t.test('tells the client', async (t) => {
		const { socket } = await connect(t, usher.port);
		socket.write(header());
		assert.strictEqual(addressOf(await browserOn(t, usher, socket)), CLIENT);
	});

	await t.test('may come byte by byte', async (t) => {
		const { socket } = await connect(t, usher.port);
		for (const byte of header())
			await new Promise((resolve) => socket.write(Buffer.from([byte]), () => setImmediate(resolve)));
		assert.strictEqual(addressOf(await browserOn(t, usher, socket)), CLIENT);
	});

	await t.test('of a proxy before the proxy lets X-Forwarded-For count', async (t) => {
		const one = await connect(t, usher.port);
		one.socket.write(Buffer.concat([header({ body: ipv4('192.0.2.1') }), Buffer.from(
		    'POST /ajax HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.77\r\nConnection: close\r\n' +
		    'Content-Type: application/json\r\nContent-Length: 49\r\n\r\n{"type":"ewd-register","application":"browser-a"}')]));
		await within('the answer', one.ended);
		const token = String(one.received).match(/"token":"([^"]+)"/)[1];
		assert.strictEqual(decryptSecrets(token, SECRET).ipAddress, '203.0.113.77');
	});

	await t.test('that says LOCAL is of the proxy itself', async (t) => {
		const { socket } = await connect(t, usher.port);
		socket.write(header({ command: 0x20, family: 0, body: Buffer.from('any') }));
		assert.strictEqual(addressOf(await browserOn(t, usher, socket)), '127.0.0.1');
	});

	await t.test('of anybody else is refused', async (t) => {
		const before = await counter(usher, 'proxy_refused');
		const one = await connect(t, usher.port, OTHER);
		one.socket.write(Buffer.concat([header(), Buffer.from(upgradeRequest(usher.port))]));
		await within('the end', one.ended);
		assert.strictEqual(one.received.length, 0);
		assert.strictEqual(await counter(usher, 'proxy_refused'), before + 1);
		assert.match(usher.log, /127\.0\.0\.2:\d+: refused: a header of the PROXY protocol, and the address is not in listen\[\]\.trusted_proxies/);
	});

	await t.test('that is malformed ends the connection, and is counted', async (t) => {
		const malformed = [
			header({ command: 0x11 }), header({ command: 0x22 }), header({ command: 0x31 }),
			header({ family: 0x12 }), header({ family: 0x41 }), header({ family: 0x31 }), header({ family: 0x21 }),
			header({ body: Buffer.alloc(0) }), header({ body: Buffer.alloc(11) }), header({ length: 65535 }),
			header({ body: Buffer.concat([ipv4(CLIENT), Buffer.from([4])]) }),
			header({ body: Buffer.concat([ipv4(CLIENT), Buffer.from([4, 0, 9])]) }),
			header({ body: Buffer.concat([ipv4(CLIENT), Buffer.from([3, 0, 4, 1, 2, 3, 4])]) }),
			Buffer.from('\r\nGET / HTTP/1.1\r\n\r\n'),
		];
		const before = await counter(usher, 'proxy_refused');
		for (const bytes of malformed) {
			const one = await connect(t, usher.port);
			one.socket.write(bytes);
			await within('the end after ' + bytes.toString('hex'), one.ended);
			assert.strictEqual(one.received.length, 0);
		}
		const half = await connect(t, usher.port);
		half.socket.end(header().subarray(0, 20));
		await within('the end after half a header', half.ended);
		assert.strictEqual(await counter(usher, 'proxy_refused'), before + malformed.length + 1);
	});

	await t.test('is not missed by who looks whether the port is open', async (t) => {
		const before = await counter(usher, 'proxy_refused');
		const one = await connect(t, usher.port);
		one.socket.end();
		await within('the end', one.ended);
		assert.strictEqual(await counter(usher, 'proxy_refused'), before);
	});
});

test('a PROXY header comes before TLS', async (t) => {
	const dir = folder(t);
	certificate(dir, 'edge', { names: 'IP:127.0.0.1' });
	const usher = await startUsherd(t, proxied('tls: { certificate: edge.pem, key: edge.key }'),
	    { files: { 'edge.pem': read(dir, 'edge.pem'), 'edge.key': read(dir, 'edge.key') } });

	for (const isFirst of [true, false]) {
		const { socket } = await connect(t, usher.port);
		if (isFirst)
			socket.write(header());
		const secured = tls.connect({ socket, ca: read(dir, 'edge.pem'), checkServerIdentity: () => undefined });
		await within('the TLS handshake', new Promise((resolve, reject) =>
			secured.on('secureConnect', resolve).on('error', reject)));
		assert.strictEqual(addressOf(await browserOn(t, usher, secured)), isFirst ? CLIENT : '127.0.0.1');
	}
});

test('limits of an address are those of the client behind the proxy', async (t) => {
	const usher = await startUsherd(t, proxied('', 'limits: { sessions_per_address: 2 }'));
	const open = async (headers, localAddress = '127.0.0.1') => {
		const socket = new RawSocket(address(usher.port, 3), { headers, localAddress });
		atEnd(t, () => socket.close());
		return socket.open().then(() => true, (e) => e.message);
	};

	for (let i = 1; i <= 8; i++)
		for (let k = 0; k < 2; k++)
			assert.strictEqual(await open({ 'X-Forwarded-For': '203.0.113.' + i }), true);
	assert.match(await open({ 'X-Forwarded-For': '203.0.113.1' }), /503/);
	const { socket, ended } = await connect(t, usher.port);
	socket.write(Buffer.concat([header({ body: ipv4('203.0.113.2') }), Buffer.from(upgradeRequest(usher.port))]));
	await within('the refusal', ended);

	// A proxy that nobody named is told apart by its private address.
	assert.doesNotMatch(usher.log, /trusted_proxies/);
	assert.strictEqual(await open({ 'X-Forwarded-For': CLIENT }, OTHER), true);
	assert.strictEqual(await open({ 'X-Forwarded-For': CLIENT }, OTHER), true);
	assert.match(await open({ 'X-Forwarded-For': '198.51.100.1' }, OTHER), /503/);
	assert.match(usher.log, /127\.0\.0\.2 has nearly all the sessions [^\n]*limits\.sessions_per_address[^\n]*name it in listen\[\]\.trusted_proxies/);
	assert.strictEqual(usher.log.match(/listen\[\]\.trusted_proxies/g).length, 1, 'once');
});

test('which page has the same origin is decided by what the proxy says', async (t) => {
	const usher = await startUsherd(t, proxied('origins: ["https://*.example.org", "https://one.example.net:8443"]'));
	const host = '127.0.0.1:' + usher.port;
	const poll = (headers, from = '127.0.0.1') =>
		ask(usher.url, 'GET', '/socket.io/?EIO=3&transport=polling', { headers: { Host: host, ...headers }, from });
	const websocket = async (headers, localAddress = '127.0.0.1') => {
		const socket = new RawSocket(address(usher.port, 3), { headers, localAddress });
		atEnd(t, () => socket.close());
		return socket.open().then(() => 200, (e) => Number(e.message.match(/\d{3}/)[0]));
	};
	const ROWS = [
		[200, { Origin: 'http://' + host }],
		[200, { Origin: 'https://' + host }],
		[200, { Origin: 'https://' + host, 'X-Forwarded-Proto': 'https' }],
		[403, { Origin: 'http://' + host, 'X-Forwarded-Proto': 'https' }],
		[403, { Origin: 'https://' + host, 'X-Forwarded-Proto': 'http' }],
		[200, { Origin: 'https://a.example.org' }],
		[200, { Origin: 'https://a.b.EXAMPLE.org:443' }],
		[200, { Origin: 'https://one.example.net:8443' }],
		[403, { Origin: 'https://one.example.net' }],
		[403, { Origin: 'http://a.example.org' }],
		[403, { Origin: 'https://example.org' }],
		[403, { Origin: 'https://a.example.org.evil' }],
		[403, { Origin: 'https://evilexample.org' }],
		[403, { Origin: 'https://a.example.org.' }],
		[403, { Origin: 'https://a.example.org@evil.com' }],
		[403, { Origin: 'https://evil.com@a.example.org' }],
		[403, { Origin: 'https://a.example.org:8443' }],
		[403, { Origin: 'https://evil.com/.example.org' }],
		[403, { Origin: 'https://evil.com?.example.org' }],
		[403, { Origin: 'null' }],
	];

	for (const [status, headers] of ROWS) {
		assert.strictEqual((await poll(headers)).status, status, 'polling: ' + JSON.stringify(headers));
		assert.strictEqual(await websocket(headers), status, 'WebSocket: ' + JSON.stringify(headers));
	}
	assert.strictEqual((await poll({ Origin: 'http://' + host, 'X-Forwarded-Proto': 'https' }, OTHER)).status, 200);

	assert.match((await poll({ 'X-Forwarded-Proto': 'https' })).headers['set-cookie'][0], /; Secure$/);
	assert.doesNotMatch((await poll({ 'X-Forwarded-Proto': 'http' })).headers['set-cookie'][0], /Secure/);
	assert.doesNotMatch((await poll({ 'X-Forwarded-Proto': 'https' }, OTHER)).headers['set-cookie'][0], /Secure/);
	assert.match(usher.log, new RegExp('refused: Origin https://one\\.example\\.net with Host ' + host +
	    ': another origin, and it is not in listen\\[\\]\\.origins of '));
});

test('nodes are known by their addresses', async (t) => {
	const usher = await startUsherd(t, `
node: edge
listen:
  - { address: "127.0.0.1:0", for: both, nodes: ["127.0.0.2"] }
  - { address: "127.0.0.1:0", for: nodes, nodes: ["127.0.0.2/31"] }
  - { address: "127.0.0.1:0", for: nodes, nodes: ["127.0.0.2"], trusted_proxies: ["127.0.0.4"] }
${JWT}
limits: { in_flight_per_session: 1 }
applications: { browser-app: ${scriptedApp('size: 1')} }
`, { listeners: 3 });
	const [both, nodes, behind] = usher.ports;
	const rest = { type: 'restRequest', path: '/x', method: 'GET' };

	const node = await rawBrowser(t, both, 'browser-app', { localAddress: OTHER });
	assert.notStrictEqual((await node.request(rest)).message.code, 'not_allowed');
	const browser = await rawBrowser(t, both, 'browser-app', { localAddress: '127.0.0.3' });
	assert.strictEqual((await browser.request(rest)).message.code, 'not_allowed');

	// The session of a node is no way in for others.
	const socket = new RawSocket(address(both, 3) + '&sid=' + node.sid, { localAddress: '127.0.0.3' });
	atEnd(t, () => socket.close());
	await assert.rejects(socket.open(), /400/);

	await rawBrowser(t, nodes, 'browser-app', { localAddress: '127.0.0.3' });
	const stranger = await connect(t, nodes, '127.0.0.1');
	await within('the end', stranger.ended);
	assert.strictEqual(stranger.received.length, 0);

	const status = async (headers) => (await ask('http://127.0.0.1:' + behind, 'GET', '/socket.io/?EIO=3&transport=polling',
	    { headers, from: '127.0.0.4' })).status;
	assert.strictEqual(await status({ 'X-Forwarded-For': OTHER }), 200);
	assert.strictEqual(await status({ 'X-Forwarded-For': '127.0.0.3' }), 403);
	assert.strictEqual(await status({}), 403);
});
