// SPDX-License-Identifier: ISC
// The clients people use: the stock browser client, and socket.io-client of both generations.
'use strict';
const path = require('node:path');
const { atEnd } = require('./cleanup');
const { Inbox, within } = require('./wait');

const SOCKET_IO = { 2: require('socket.io-client'), 4: require('socket.io-client-4').io };

// ewd-client is one object a page: each test page loads its own copy of the module.
function loadEwdClient() {
	const main = require.resolve('ewd-client');
	const dir = path.dirname(main) + path.sep;

	Object.keys(require.cache).filter((file) => file.startsWith(dir))
	    .forEach((file) => delete require.cache[file]);
	return require(main).EWD;
}

// A page with the unmodified stock client.  isOrdinary: as a page does that the node itself serves,
// with io.connect(), which polls and then upgrades; otherwise it names a url, and begins with a WebSocket.
// $: what stands for jQuery, for messages with "ajax".
class StockBrowser {
	constructor(url, application, io, { isOrdinary = false, $ } = {}) {
		this.replies = new Inbox();
		this.errors = new Inbox();
		this.pushes = new Inbox();
		this.client = loadEwdClient();
		this.client.on('error', (reply) => this.errors.push(reply));
		this.registered = new Promise((resolve) => this.client.on('ewd-registered', resolve));
		const connect = (to, options) => {
			this.socket = io(to, Object.assign({ forceNew: true }, options));
			return this.socket;
		};
		connect.connect = () => connect(url);
		this.client.start({ application, url: isOrdinary ? undefined : url, jwt: true, io: connect, $ });
	}

	on(type, callback) {
		this.client.on(type, callback);
	}

	// Sends a message; gives its replies, the final one last.
	request(message, ms) {
		const replies = [];

		return within('the final reply to ' + message.type, new Promise((resolve) => {
			this.client.send(Object.assign({}, message), (reply) => {
				replies.push(reply);
				if (reply.finished)
					resolve(replies);
			});
		}), ms);
	}

	close() {
		this.socket.close();
	}
}

// The stock client prints what it does; a test's output is no place for that.
function quiet() {
	const log = console.log;

	console.log = (...words) => {
		if (!/ registered$|^Re-registered|disconnected|^Invalid JWT|^Missing auth/.test(String(words[0])))
			log(...words);
	};
}
quiet();

async function stockBrowser(t, url, application = 'browser-app', generation = 2, options = {}) {
	const browser = new StockBrowser(url, application, SOCKET_IO[generation], options);

	atEnd(t, () => browser.close());
	await within('the registration of the stock client', browser.registered);
	return browser;
}

// A socket of socket.io-client 2.5 or 4.x that speaks QEWD by hand.
class SocketClient {
	constructor(url, generation, options) {
		this.inbox = new Inbox();
		this.socket = SOCKET_IO[generation](url, Object.assign({
			transports: ['websocket'], forceNew: true, reconnection: false
		}, options));
		this.socket.on('ewdjs', (reply) => this.inbox.push(reply));
		this.socket.on('disconnect', (why) => this.inbox.close('disconnected: ' + why));
	}

	connected() {
		return within('the socket to connect', new Promise((resolve, reject) => {
			this.socket.on('connect', resolve);
			this.socket.on('connect_error', reject);
		}));
	}

	emit(message) {
		this.socket.emit('ewdjs', message);
	}

	next(what) {
		return this.inbox.next(what);
	}

	async register(application) {
		this.emit({ type: 'ewd-register', application, jwt: true });
		const reply = await this.next('the registration');
		this.token = reply.message.token;
		return reply;
	}

	async request(message, intermediates = []) {
		this.emit(Object.assign({ token: this.token }, message));
		for (;;) {
			const reply = await this.next('the reply to ' + message.type);
			if (reply.finished !== false)
				return reply;
			intermediates.push(reply);
		}
	}

	close() {
		this.socket.close();
	}
}

async function socketClient(t, generation, url, options) {
	const client = new SocketClient(url, generation, options);

	atEnd(t, () => client.close());
	await client.connected();
	return client;
}

module.exports = { stockBrowser, socketClient };
