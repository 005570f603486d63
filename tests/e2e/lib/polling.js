// SPDX-License-Identifier: ISC
// Engine.IO over HTTP long-polling by hand: requests, payloads, and a client that polls.
'use strict';
const assert = require('node:assert');
const http = require('node:http');
const https = require('node:https');
const { atEnd } = require('./cleanup');
const { RawSocket } = require('./raw');
const { WAIT_MS, Inbox, within } = require('./wait');

const SEPARATOR = '\x1e';

// Lengths of revision 3 are UTF-16 code units, which is what JavaScript counts.
const encode = (eio, packets) => eio === 3 ? packets.map((p) => p.length + ':' + p).join('') : packets.join(SEPARATOR);

function decode(eio, payload) {
	const packets = [];

	assert.notStrictEqual(payload, '', 'no answer to a poll is empty');
	if (eio === 4)
		return payload.split(SEPARATOR);
	while (payload !== '') {
		const [head, length] = payload.match(/^(\d+):/);
		assert.ok(payload.length >= head.length + Number(length), payload);
		packets.push(payload.substr(head.length, Number(length)));
		payload = payload.slice(head.length + Number(length));
	}
	return packets;
}

// One request; by default over a TCP connection of its own.  Gives { status, headers, body }.
// body: a text, or a list of pieces, which go without a length; onSent: called when it is on its way.
// secure: with TLS, whatever the certificate; ms: how long its answer may take.
function request(port, path, { method = 'GET', headers = {}, body, agent = false, path: root = '/socket.io/', onSent, secure, ms } = {}) {
	return within(method + ' ' + path, new Promise((resolve, reject) => {
		const { request: send } = secure ? https : http;
		const sent = send({ host: '127.0.0.1', port, method, path: root + path, headers, agent, rejectUnauthorized: false }, (response) => {
			const pieces = [];
			response.on('data', (piece) => pieces.push(piece));
			response.on('end', () => resolve({ status: response.statusCode, headers: response.headers,
				body: String(Buffer.concat(pieces)) }));
			response.on('error', reject);
		});
		sent.on('error', reject);
		if (onSent)
			sent.on('finish', onSent);
		for (const piece of Array.isArray(body) ? body : [])
			sent.write(piece);
		sent.end(Array.isArray(body) ? undefined : body);
	}), ms);
}

const okay = (answer) => {
	assert.deepStrictEqual([answer.status, answer.body], [200, 'ok']);
	return answer;
};

// A session that polls.  options: as those of request()
class Poller {
	constructor(port, eio, options = {}) {
		Object.assign(this, { port, eio, options, inbox: new Inbox(), n: 0 });
	}

	query(more = '') {
		return `?EIO=${this.eio}&transport=polling&t=x.y-_${this.n++}` + (this.sid ? '&sid=' + this.sid : '') + more;
	}

	request(options) {
		return request(this.port, this.query(), Object.assign({}, this.options, options));
	}

	// The answer to one poll as it came.  Where nothing else comes, the next heart-beat ends it; only what
	// it takes longer is the node's.
	get(options) {
		const { pingInterval = 0 } = this.hello || {};

		return this.request({ ms: pingInterval + WAIT_MS, ...options });
	}

	// A poll that the node has, before whatever is sent next: { answer }.
	async hold() {
		let answer;

		await new Promise((resolve, reject) => {
			answer = this.get({ onSent: resolve });
			answer.catch(reject);
		});
		// Whatever connection came first is read first: when this is answered, the poll was read.
		await request(this.port, '', { path: '/nothing-is-here' });
		return { answer };
	}

	// The packets of one poll.
	async poll() {
		const answer = await this.get();
		assert.strictEqual(answer.status, 200, answer.body);
		return decode(this.eio, answer.body);
	}

	async post(...packets) {
		return okay(await this.postRaw(encode(this.eio, packets)));
	}

	postRaw(body, headers = { 'Content-Type': 'text/plain;charset=UTF-8' }) {
		return this.request({ method: 'POST', body, headers: Object.assign({}, this.options.headers, headers) });
	}

	// The handshake; later packets go to the inbox once poll() is called by run().
	async open() {
		this.first = await this.request();
		assert.strictEqual(this.first.status, 200, this.first.body);
		const [open, ...rest] = decode(this.eio, this.first.body);
		assert.match(open, /^0\{/);
		this.hello = JSON.parse(open.slice(1));
		this.sid = this.hello.sid;
		assert.deepStrictEqual(rest, this.eio === 3 ? ['40'] : []);
		return this;
	}

	// Open, and connected to the namespace.
	async connect() {
		await this.open();
		if (this.eio === 4) {
			await this.post('40');
			const [connected] = await this.poll();
			assert.match(connected, /^40\{"sid":"[A-Za-z0-9_-]{20}"\}$/);
		}
		return this;
	}

	// Polls until isPausing is set or the session ends; packets but heart-beats go to the inbox.
	async run() {
		while (!this.isPausing) {
			const answer = await this.get();
			if (answer.status !== 200) {
				this.inbox.close('status ' + answer.status + ' ' + answer.body);
				return;
			}
			for (const packet of decode(this.eio, answer.body))
				await this.onPacket(packet);
		}
	}

	async onPacket(packet) {
		if (packet === '2')
			await this.post('3');
		else if (packet === '1') {
			this.isPausing = true;
			this.inbox.close('closed by the server');
		} else if (packet !== '3' && packet !== '6')
			this.inbox.push(packet);
	}

	// Is the session unknown, as it is when it has ended?
	async isUnknown() {
		const { status, body } = await this.get();
		return status === 400 && JSON.parse(body).code === 1;
	}

	async assertUnknown() {
		const { status, body } = await this.get();
		assert.deepStrictEqual([status, JSON.parse(body)], [400, { code: 1, message: 'Session ID unknown' }]);
	}

	// A WebSocket that may take over; not probed yet.
	async socket(t) {
		const socket = new RawSocket(`ws://127.0.0.1:${this.port}/socket.io/?EIO=${this.eio}&transport=websocket&sid=${this.sid}`);

		atEnd(t, () => socket.close());
		await socket.open();
		return socket;
	}

	// The whole upgrade, with no poll open.
	async upgrade(t) {
		const socket = await this.socket(t);

		socket.send('2probe');
		assert.strictEqual(await socket.inbox.next('the answer to the probe'), '3probe');
		socket.send('5');
		return socket;
	}
}

const event = (message) => '42["ewdjs",' + JSON.stringify(message) + ']';

// The message of an event packet.
function messageOf(packet) {
	const found = packet.match(/^42\["ewdjs",([^]*)\]$/);

	assert.ok(found, 'an event, not ' + packet.slice(0, 200));
	return JSON.parse(found[1]);
}

module.exports = { Poller, request, encode, decode, event, messageOf, okay };
