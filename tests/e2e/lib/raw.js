// SPDX-License-Identifier: ISC
// Clients of our own that can say anything: Engine.IO frames over a WebSocket, and bare bytes.
'use strict';
const assert = require('node:assert');
const net = require('node:net');
const WebSocket = require('ws');
const { atEnd } = require('./cleanup');
const { Inbox, within } = require('./wait');

const address = (port, eio, path = '/socket.io/') =>
	`ws://127.0.0.1:${port}${path}?EIO=${eio}&transport=websocket`;

// An open WebSocket whose frames are read one by one with await next().
class RawSocket {
	constructor(url, options) {
		this.inbox = new Inbox();
		this.ws = new WebSocket(url, Object.assign({ perMessageDeflate: false, maxPayload: 1 << 30 }, options));
		this.ws.on('message', (data) => this.inbox.push(String(data)));
		this.ws.on('error', (e) => { this.error = e; });
		this.closed = new Promise((resolve) => this.ws.on('close', (code, reason) => {
			this.closeCode = code;
			this.inbox.close('the connection was closed with ' + code + ' ' + reason);
			resolve(code);
		}));
	}

	open() {
		return within('the WebSocket to open', new Promise((resolve, reject) => {
			this.ws.on('open', resolve);
			this.ws.on('error', reject);
		}));
	}

	send(frame) {
		this.ws.send(frame);
	}

	// The next Engine.IO packet that is no heart-beat.
	async next(what) {
		for (;;) {
			const frame = await this.inbox.next(what);
			if (frame === '2')
				this.ws.send('3');	// EIO=4: the server pings
			else if (frame !== '3')
				return frame;
		}
	}

	// Is it closed, and everything read that came before?
	hasClosed() {
		return this.inbox.hasEnded();
	}

	whenClosed() {
		return within('the connection to be closed', this.closed);
	}

	close() {
		this.ws.terminate();
	}
}

// Speaks QEWD's envelope as texts: what is sent and what arrives are the exact bytes.
class RawClient extends RawSocket {
	async handshake(eio) {
		const open = await this.next('the open packet');
		assert.match(open, /^0\{/);
		this.hello = JSON.parse(open.slice(1));
		this.sid = this.hello.sid;
		if (eio === 4)
			this.send('40');
		const connected = await this.next('the connect packet');
		assert.match(connected, eio === 4 ? /^40\{"sid":"[^"]+"\}$/ : /^40$/);
		return this;
	}

	// text: the argument of the event, as it shall go over the wire
	emit(text) {
		this.send('42["ewdjs",' + (typeof text === 'string' ? text : JSON.stringify(text)) + ']');
	}

	// The argument of the next event, as text.
	async nextText(what) {
		const frame = await this.next(what);
		const found = frame.match(/^42\["ewdjs",([^]*)\]$/);
		assert.ok(found, 'an event, not ' + frame.slice(0, 200));
		return found[1];
	}

	async nextReply(what) {
		return JSON.parse(await this.nextText(what));
	}

	async register(application, more = {}) {
		this.emit(Object.assign({ type: 'ewd-register', application, jwt: true }, more));
		const reply = await this.nextReply('the registration');
		assert.strictEqual(reply.type, 'ewd-register');
		assert.strictEqual(reply.message.error, undefined);
		this.token = reply.message.token;
		return reply;
	}

	// Sends a message with the token and gives its final reply; intermediates go to the list.
	async request(message, intermediates = []) {
		this.emit(Object.assign({ token: this.token }, message));
		for (;;) {
			const reply = await this.nextReply('the reply to ' + message.type);
			if (reply.finished !== false)
				return reply;
			intermediates.push(reply);
		}
	}
}

// options: eio (3), path, headers, origin ... as of ws
async function rawClient(t, port, options = {}) {
	const client = new RawClient(address(port, options.eio || 3, options.path), options);

	atEnd(t, () => client.close());
	await client.open();
	return client.handshake(options.eio || 3);
}

// The same, and registered.
async function rawBrowser(t, port, application = 'browser-app', options = {}) {
	const client = await rawClient(t, port, options);

	await client.register(application);
	return client;
}

// A TCP connection: bytes out, all bytes in.
class Tcp {
	constructor(port) {
		this.received = Buffer.alloc(0);
		this.socket = net.connect(port, '127.0.0.1');
		this.socket.on('error', () => {});	// a reset is an end like any other
		this.socket.on('data', (data) => { this.received = Buffer.concat([this.received, data]); });
		this.ended = new Promise((resolve) => this.socket.on('close', resolve));
	}

	send(data) {
		this.socket.write(data);
	}

	whenEnded(ms) {
		return within('the connection to end', this.ended, ms);
	}

	close() {
		this.socket.destroy();
	}
}

async function tcp(t, port) {
	const connection = new Tcp(port);

	atEnd(t, () => connection.close());
	await within('the connection', new Promise((resolve, reject) => {
		connection.socket.on('connect', resolve);
		connection.socket.on('error', reject);
	}));
	return connection;
}

// The bytes of an upgrade request; headers replace or, if null, remove the usual ones.
function upgradeRequest(port, headers = {}, target = '/socket.io/?EIO=3&transport=websocket') {
	const all = Object.assign({
		Host: '127.0.0.1:' + port,
		Upgrade: 'websocket',
		Connection: 'Upgrade',
		'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
		'Sec-WebSocket-Version': '13'
	}, headers);
	const lines = Object.entries(all).filter(([, value]) => value !== null).map(([k, v]) => k + ': ' + v);

	return 'GET ' + target + ' HTTP/1.1\r\n' + lines.join('\r\n') + '\r\n\r\n';
}

// One WebSocket frame with a mask; opcode includes the FIN and reserved bits (0x81: a whole text).
function frame(opcode, payload, { masked = true, length } = {}) {
	const data = Buffer.from(payload);
	const size = length === undefined ? data.length : length;
	const head = [opcode];
	const mask = [1, 2, 3, 4];

	if (size < 126)
		head.push(size);
	else if (size < 65536)
		head.push(126, size >> 8, size & 255);
	else
		head.push(127, ...Buffer.from(BigInt(size).toString(16).padStart(16, '0'), 'hex'));
	if (!masked)
		return Buffer.concat([Buffer.from(head), data]);
	head[1] |= 0x80;
	return Buffer.concat([Buffer.from(head.concat(mask)), data.map((byte, i) => byte ^ mask[i % 4])]);
}

// The code of the close frame among the frames of a server, or null.
function closeCode(received) {
	let at = received.indexOf('\r\n\r\n') + 4;

	while (at + 2 <= received.length) {
		let size = received[at + 1] & 0x7f, head = 2;
		if (size === 126) {
			size = received.readUInt16BE(at + 2);
			head = 4;
		} else if (size === 127) {
			size = Number(received.readBigUInt64BE(at + 2));
			head = 10;
		}
		if ((received[at] & 0x0f) === 8)
			return size >= 2 ? received.readUInt16BE(at + head) : 1005;
		at += head + size;
	}
	return null;
}

module.exports = { RawSocket, RawClient, rawClient, rawBrowser, tcp, upgradeRequest, frame, closeCode, address };
