// SPDX-License-Identifier: ISC
// A remote node that does what the test says: it answers registrations and leaves every other
// message to the test, which sees the exact text that came and decides what goes back, and when.
'use strict';
const crypto = require('node:crypto');
const WebSocket = require('ws');
const { atEnd } = require('./cleanup');
const { linkProof, session } = require('./tokens');
const { Inbox, waitFor } = require('./wait');

// One message of a master, waiting for what the test makes of it.
class Request {
	constructor(link, text) {
		this.link = link;
		this.text = text;
		this.message = JSON.parse(text);
	}

	// Any object or text; with the id that a link between usher nodes asks for.
	reply(body) {
		if (typeof body === 'object' && this.message.usher && !('usher' in body))
			body = Object.assign({ usher: { id: this.message.usher.id } }, body);
		this.link.emit(body);
	}

	intermediate(message, type = this.message.type) {
		this.reply({ type, finished: false, message, responseTime: '1ms' });
	}

	final(message, type = this.message.type) {
		this.reply({ type, finished: true, message, responseTime: '1ms' });
	}
}

// One connection of a master.
class Link {
	constructor(node, ws) {
		this.node = node;
		this.ws = ws;
		this.sid = crypto.randomBytes(15).toString('base64url');
		this.isOpen = true;
		ws.on('close', () => { this.isOpen = false; });
		ws.on('error', () => {});
		ws.on('message', (data) => this.onFrame(String(data)));
		ws.send('0' + JSON.stringify({ sid: this.sid, upgrades: [], pingInterval: node.options.pingInterval,
			pingTimeout: node.options.pingTimeout }));
		ws.send('40');
	}

	onFrame(frame) {
		const event = frame.match(/^42\["ewdjs",([^]*)\]$/);

		if (frame === '2') {
			this.node.pings++;
			if (!this.node.options.deaf)
				this.ws.send('3');
		}
		if (!event)
			return;
		const request = new Request(this, event[1]);
		if (request.message.type === 'ewd-register')
			this.onRegister(request.message);
		else if (!this.node.answer || !this.node.answer(request))
			this.node.requests.push(request);
	}

	onRegister(message) {
		const { secret, silent, limit } = this.node.options;
		const answer = { token: session(message.application, 'of the fake node') };

		this.node.registrations.push({ sid: this.sid, message });
		if (silent)
			return;
		if (secret && message.usher && message.usher.proof === linkProof(secret, this.sid))
			answer.usher = Object.assign({ link: 1, node: 'fake' }, limit && { message: limit });
		this.emit({ type: 'ewd-register', finished: true, message: answer, responseTime: '1ms' });
	}

	// body: the argument of the event, an object or its text
	emit(body) {
		this.ws.send('42["ewdjs",' + (typeof body === 'string' ? body : JSON.stringify(body)) + ']');
	}

	cut() {
		this.ws.terminate();
	}
}

class FakeNode {
	constructor(options) {
		this.options = options;
		this.links = [];
		this.registrations = [];
		this.requests = new Inbox();
		this.pings = 0;
		this.answer = null;	// sees a request first; true: it has dealt with it
	}

	listen(port = 0) {
		return new Promise((resolve, reject) => {
			this.server = new WebSocket.Server({ host: '127.0.0.1', port, perMessageDeflate: false,
				maxPayload: 1 << 26 });
			this.server.on('error', reject);
			this.server.on('connection', (ws) => this.links.push(new Link(this, ws)));
			this.server.on('listening', () => {
				this.port = this.server.address().port;
				this.url = 'ws://127.0.0.1:' + this.port;
				resolve(this);
			});
		});
	}

	// The next message of a master.
	next(what = 'a forwarded message') {
		return this.requests.next(what);
	}

	get open() {
		return this.links.filter((link) => link.isOpen);
	}

	cut() {
		this.open.forEach((link) => link.cut());
	}

	// Waits until that many registrations have been answered in all.
	registered(count) {
		return waitFor(count + ' registrations', () => this.registrations.length >= count);
	}

	// Gone, so that connecting is refused; listen(port) brings it back.
	close() {
		this.open.forEach((link) => link.cut());
		return new Promise((resolve) => this.server.close(() => resolve()));	// twice is fine
	}
}

// options: secret (act as an usher node that knows it), silent (answer no registration),
// pingInterval, pingTimeout, deaf (answer no ping), limit (bytes a message may have, as announced)
async function fakeNode(t, options = {}) {
	const node = new FakeNode(Object.assign({ pingInterval: 25000, pingTimeout: 20000 }, options));

	await node.listen();
	atEnd(t, () => node.close());
	return node;
}

module.exports = { fakeNode };
