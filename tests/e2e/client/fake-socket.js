// SPDX-License-Identifier: ISC
// A socket without a network: the test is the server, and says when the connection comes and goes.
'use strict';
const { EventEmitter } = require('node:events');
const { Inbox } = require('../lib/wait');

class FakeSocket {
	// any: it tells of all events, as those of socket.io-client 4.x do
	constructor({ any = false } = {}) {
		if (any) {
			this.onAny = (listener) => { this.any = listener; };
			this.offAny = () => { this.any = null; };
		}
		this.connected = false;
		this.heard = new EventEmitter();
		this.sent = new Inbox();
	}

	// ---- what a client uses ----

	on(event, listener) {
		this.heard.on(event, listener);
	}

	off(event, listener) {
		this.heard.off(event, listener);
	}

	emit(event, ...values) {
		this.sent.push({ event, values, message: values[0] });
	}

	// ---- what the test does ----

	up() {
		this.connected = true;
		this.heard.emit('connect');
	}

	down(why = 'transport close') {
		this.connected = false;
		this.heard.emit('disconnect', why);
	}

	deliver(event, ...values) {
		if (this.any)
			this.any(event, ...values);
		this.heard.emit(event, ...values);
	}

	// The next message of the client.
	next(what) {
		return this.sent.next(what);
	}

	// Answers a message as a server with QEWD's messages does.
	answer({ message: { type, ms_requestId } }, message, finished = true) {
		this.deliver('ewdjs', { type, finished, message, ms_requestId, responseTime: '1ms' });
	}
}

module.exports = { FakeSocket };
