// SPDX-License-Identifier: ISC
// The oracle load: many browsers over WebSocket and polling that ask worker.py, and the books of it.
// Each reply is checked for its owner, its order, its count and its bytes; each request has exactly
// one final.
'use strict';
const assert = require('node:assert');
const http = require('node:http');
const path = require('node:path');
const { atEnd } = require('../e2e/lib/cleanup');
const { Poller, event, messageOf } = require('../e2e/lib/polling');
const { rawClient } = require('../e2e/lib/raw');
const { claims } = require('../e2e/lib/tokens');
const { within } = require('../e2e/lib/wait');

// The short version is for every day, the long one for "make oracle".  USHER_LONG=1 is all of it, 0.1 has a
// tenth as many requests and rounds, but leaves out no place where something can be cut.
const LONG = Number(process.env.USHER_LONG || 0);
const IS_LONG = LONG > 0;
const scaled = (short, long) => !IS_LONG ? short : long < short ? long : Math.max(short, Math.round(long * LONG));

const WORKER = JSON.stringify(['python3', '-I', '-S', path.join(__dirname, 'worker.py')]);

// Nothing takes this long; a load that does has lost a final.
const LOAD_MS = IS_LONG ? 3600000 : 180000;

const FOR_EVER_MS = 2 ** 31 - 1;

// What worker.py puts into a reply.
function pad(tag, step, size) {
	const piece = `${tag}.${step}ü;`;

	return piece.repeat(Math.floor(size / piece.length) + 1).slice(0, size);
}

class Books {
	constructor() {
		Object.assign(this, { sent: 0, own: 0, intermediates: 0, codes: {}, gone: 0, wrong: [], nWrong: 0 });
	}

	// What must never be; a few of it are enough to know.
	blame(what, reply) {
		this.nWrong++;
		if (this.wrong.length < 5)
			this.wrong.push(what + ': ' + JSON.stringify(reply).slice(0, 300));
	}

	code(code) {
		this.codes[code] = (this.codes[code] || 0) + 1;
	}

	get failed() {
		return Object.values(this.codes).reduce((a, b) => a + b, 0);
	}
}

// A browser, and what it waits for.  mayClose: its connection may end; then its requests are "gone".
class Page {
	constructor(name, books, { mayClose = false } = {}) {
		Object.assign(this, { name, books, mayClose, open: new Map(), finals: new Set(), n: 0, isClosed: false });
	}

	registered(reply) {
		assert.strictEqual(reply.message.error, undefined, JSON.stringify(reply));
		this.token = reply.message.token;
		this.jti = claims(this.token).jti;
	}

	// params: of worker.py; may: the codes it may be answered with; only: not with its own final.
	// Gives the code of its final, "own" or "gone".
	ask(params = {}, { type = 'work', may = [], only = false, more = {} } = {}) {
		const id = `${this.name}/${++this.n}`;
		const request = { id, type, params, may, only, step: 0 };
		const ended = new Promise((resolve) => { request.resolve = resolve; });

		this.books.sent++;
		this.open.set(id, request);
		if (this.isClosed)
			this.close('before it was sent');
		else
			this.emit({ type, token: this.token, ms_requestId: id, params: { ...params, tag: id }, ...more });
		return Object.assign(ended, { id });
	}

	cancel(id) {
		this.emit({ type: 'usher-cancel', token: this.token, ms_requestId: id });
	}

	take(reply) {
		const id = reply.ms_requestId;
		const request = this.open.get(id);

		if (reply.type === 'ewd-register' && this.onEnd)
			this.onEnd();
		else if (!request)
			this.books.blame(this.finals.has(id) ? 'doubled' : 'not asked for', reply);
		else if (reply.type !== request.type)
			this.another(request, reply);
		else if (reply.finished === false)
			this.intermediate(request, reply.message);
		else
			this.final(request, reply);
	}

	// It is wrong, and yet the only end that there is going to be.
	another(request, reply) {
		this.books.blame('another type', reply);
		if (reply.finished === false)
			return;
		this.open.delete(request.id);
		this.finals.add(request.id);
		this.books.code('another type');
		request.resolve('another type');
	}

	intermediate(request, message) {
		const { id, params: { size = 0 } } = request;

		this.books.intermediates++;
		if (message.tag !== id)
			this.books.blame('crossed', message);
		else if (message.step !== ++request.step)
			this.books.blame('out of order behind ' + (request.step - 1), message);
		else if (message.pad !== pad(id, message.step, size))
			this.books.blame('other bytes', message);
	}

	final(request, { message }) {
		const { id, params: { n = 0, size = 0 } } = request;
		const { code } = message;

		this.open.delete(id);
		this.finals.add(id);
		if (message.token)
			this.renew(message);
		if (code !== undefined) {
			if (!request.may.includes(code))
				this.books.blame(`final of ${id} (${request.params.do})`, message);
			this.books.code(code);
		} else {
			if (message.tag !== id)
				this.books.blame('crossed', message);
			else if (request.only)
				this.books.blame(`a reply to ${id} (${request.params.do})`, message);
			else if (request.step !== n)
				this.books.blame(`${request.step} of ${n} intermediates`, message);
			else if (!message.answer && message.pad !== pad(id, 'final', size))
				this.books.blame('other bytes', message);
			this.books.own++;
		}
		this.answer = message.answer;
		request.resolve(code || 'own');
	}

	// As browsers do: a session lives 300 s from its last final on.
	renew({ token }) {
		const { jti, exp } = claims(token);

		if (jti !== this.jti)
			this.books.blame('the token of another one', token);
		else if (exp > claims(this.token).exp)
			this.token = token;
	}

	close(why) {
		this.isClosed = true;
		if (!this.mayClose && this.open.size > 0)
			this.books.blame(this.name + ' was closed', why);
		for (const request of this.open.values()) {
			this.books.gone++;
			request.resolve('gone');
		}
		this.open.clear();
		if (this.onEnd)
			this.onEnd();
	}

	// The answer to a registration comes behind all others: whatever is left over has been read then.
	end() {
		if (this.isClosed)
			return Promise.resolve();
		const ended = new Promise((resolve) => { this.onEnd = resolve; });
		this.emit({ type: 'ewd-register', application: 'browser-app', jwt: true });
		return within('the last answer to ' + this.name, ended);
	}
}

class WebSocketPage extends Page {
	async start(t, port, { eio = 3, path, headers } = {}) {
		this.client = await rawClient(t, port, { eio, path, headers });
		this.registered(await this.client.register('browser-app'));
		if (eio === 3) {	// where clients ping
			const timer = setInterval(() => this.client.send('2'), this.client.hello.pingInterval / 4);
			this.client.closed.then(() => clearInterval(timer));
		}
		this.read();
		return this;
	}

	emit(message) {
		this.client.emit(message);
	}

	leave() {
		this.client.close();
	}

	async read() {
		for (;;) {
			let frame;
			try {
				frame = await this.client.inbox.next('a reply', FOR_EVER_MS);
			} catch (e) {
				this.close(e.message);
				return;
			}
			if (frame === '2')
				this.client.send('3');
			else if (frame.startsWith('42'))
				this.take(messageOf(frame));
		}
	}
}

// One post at a time, as the protocol wants it; what comes meanwhile goes in the next.
class PollingPage extends Page {
	async start(t, port, { eio = 4 } = {}) {
		this.agent = new http.Agent({ keepAlive: true });	// as browsers do
		atEnd(t, () => this.agent.destroy());
		this.poller = await new Poller(port, eio, { agent: this.agent }).connect();
		this.outgoing = [];
		this.isPosting = false;
		atEnd(t, () => { this.poller.isPausing = true; });
		this.poller.onPacket = (packet) => this.onPacket(packet);
		this.poller.run().then(() => this.close('polling ended'), (e) => this.close(e.message));
		const answer = new Promise((resolve) => { this.onRegistered = resolve; });
		this.emit({ type: 'ewd-register', application: 'browser-app', jwt: true });
		this.registered(await within('the registration', answer));
		return this;
	}

	onPacket(packet) {
		if (packet === '2')
			this.post('3');
		else if (packet === '1')
			this.poller.isPausing = true;
		else if (packet.startsWith('42')) {
			const message = messageOf(packet);
			const { onRegistered } = this;
			this.onRegistered = null;
			if (onRegistered)
				onRegistered(message);
			else
				this.take(message);
		}
	}

	emit(message) {
		this.post(event(message));
	}

	async leave() {
		if (!this.isClosed)
			await this.post('1');
		this.agent.destroy();
	}

	async post(packet) {
		this.outgoing.push(packet);
		if (this.isPosting)
			return;
		this.isPosting = true;
		try {
			while (this.outgoing.length > 0)
				await this.poller.post(...this.outgoing.splice(0));
		} catch (e) {
			this.close(e.message);
		}
		this.isPosting = false;
	}
}

// Browsers: every fourth one polls, the others have WebSockets of both generations.
async function openPages(t, port, count, books, options = {}) {
	return Promise.all(Array.from({ length: count }, (_, i) => {
		const Kind = !options.path && i % 4 === 3 ? PollingPage : WebSocketPage;
		return new Kind('page' + i, books, options).start(t, port, { ...options, eio: 3 + i % 2 });
	}));
}

// The usual request: some have intermediates, some are large.
const usual = (i) => ({ n: i % 4, size: i % 7 === 0 ? 20000 : 50 });

// pages browsers ask requests times each, window of them at a time.  what(page, i): { params, may, only,
// type } of a request, else the usual one.  others: the codes that any request may be answered with.
// Gives the books when every request has its final.
async function load(t, port, { pages = 8, requests = 20, window = 2, what = () => ({}), others = [], before = () => {}, ...options } = {}) {
	const books = options.books || new Books();
	const all = await openPages(t, port, pages, books, options);
	const ask = async (page, number, i) => {
		const { params, may = [], ...how } = what(number, i);
		await before(i);
		await page.ask(params || usual(number + i), { ...how, may: [...may, ...others] });
	};
	const visit = async (page, number) => {
		for (let i = 0; i < requests; i += window)
			await Promise.all(Array.from({ length: window }, (_, k) => ask(page, number, i + k)));
	};

	await within(() => 'all finals: ' + told(books, all), Promise.all(all.map(visit)), LOAD_MS);
	await Promise.all(all.map((page) => page.end()));
	all.forEach((page) => page.leave());
	return books;
}

function told(books, pages = []) {
	return JSON.stringify({ ...books, open: pages.map((page) => [...page.open.keys()]).flat().slice(0, 20) });
}

// Exactly one final each, nothing crossed, doubled, out of order or changed.  codes: each code and how
// many finals may have it at most.  gone: how many may have gone with their connections.
function assertOracle(books, codes = {}, { gone = 0 } = {}) {
	assert.deepStrictEqual(books.wrong, [], told(books));
	assert.strictEqual(books.own + books.failed + books.gone, books.sent, told(books));
	assert.ok(books.gone <= gone, told(books));
	for (const [code, count] of Object.entries(books.codes))
		assert.ok(count <= (codes[code] || 0), code + ': ' + told(books));
}

module.exports = { Books, WebSocketPage, PollingPage, openPages, load, assertOracle, usual, told, WORKER, IS_LONG, scaled };
