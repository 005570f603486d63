// SPDX-License-Identifier: ISC
// Browsers that ask handlers for everything that goes wrong, some of which flood the node, and
// the books of it: each request has exactly one final, and no reply is anybody else's.
'use strict';
const assert = require('node:assert');
const { rawBrowser } = require('./raw');
const { claims } = require('./tokens');
const { WAIT_MS } = require('./wait');

const CANCEL_WITHIN_MS = 100;
const PING_EVERY_MS = 5000;

// What may become of any request while workers are killed and requests are cancelled.
const FATES = ['cancelled', 'worker_lost', 'timeout'];

// What is asked for.  sends: how many intermediate replies, null: any number.  isOwn: is that the
// right final?  else: codes it may have as well.
const KINDS = {
	steps: { sends: () => 3, isOwn: (m, tag) => m.done && m.tag === tag, else: FATES },
	flood: { sends: (params) => params.n, isOwn: (m, tag) => m.done && m.tag === tag, else: FATES },
	doubled: { sends: () => null, isOwn: (m, tag) => m.n === 1 && m.tag === tag, else: FATES },
	fail: { isOwn: (m, tag) => m.error === 'Told to fail' && m.tag === tag, else: FATES },
	nonesuch: { isOwn: (m) => m.code === 'no_handler', else: FATES },
	crash: { isOwn: (m) => m.code === 'handler_error' && m.error === 'Deliberate failure', else: FATES },
	hang: { isOwn: () => false, else: FATES },
	block: { isOwn: () => false, else: FATES },
	// A kit may still tell that its handler exits.
	leave: { isOwn: () => false, else: [...FATES, 'handler_error'] }
};

class Books {
	constructor() {
		Object.assign(this, { sent: 0, finals: 0, own: 0, failed: {}, wrong: [], killed: 0,
			asked: { hang: 0, block: 0, leave: 0 },		// type -> how many
			cancels: 0,		// that were sent
			cancelledAtRandom: 0 });	// requests of visits that were answered so
		this.onFinal = () => {};
	}

	// Something that must never be; a few of it are enough to know.
	blame(what, reply) {
		if (this.wrong.length < 5)
			this.wrong.push(what + ': ' + JSON.stringify(reply));
	}

	fail(code) {
		this.failed[code] = (this.failed[code] || 0) + 1;
	}
}

// One page: any number of requests at a time, each told apart by its ms_requestId.  It pings, as
// browsers do: it may have to wait for the others with nothing to ask.
class Page {
	constructor(browser, name, books) {
		Object.assign(this, { browser, name, books, open: new Map(), closed: new Set(), n: 0, hasEnded: false });
		this.jti = claims(browser.token).jti;
		this.pings = setInterval(() => browser.send('2'), PING_EVERY_MS);
		this.reading = this.read();
	}

	// Until it is closed, by us or for flooding, or a request has waited for too long.
	async read() {
		while (!this.hasEnded) {
			let reply = null;
			try {
				reply = await this.browser.nextReply();
			} catch {
				this.hasEnded = this.browser.hasClosed() || this.isLosing();
			}
			if (reply && reply.type === 'ewd-register')
				this.hasEnded = true;
			else if (reply)
				this.take(reply);
		}
		clearInterval(this.pings);
		this.open.forEach((request) => request.resolve());
	}

	isLosing() {
		return [...this.open.values()].some((request) => Date.now() - request.sent_ms >= WAIT_MS);
	}

	take(reply) {
		const id = reply.ms_requestId, request = this.open.get(id);

		if (!request)
			this.books.blame(this.closed.has(id) ? 'after the final' : 'not asked for', reply);
		else if (reply.finished === false)
			this.intermediate(request, reply);
		else
			this.final(request, reply);
	}

	intermediate(request, { type, message }) {
		if (type !== request.type || message.tag !== request.id || message.step !== ++request.step)
			this.books.blame('intermediate ' + request.step + ' of ' + request.id, message);
	}

	final(request, reply) {
		const { books } = this, { message } = reply, kind = KINDS[request.type];
		const sends = kind.sends ? kind.sends(request.params) : 0;

		this.open.delete(request.id);
		this.closed.add(request.id);
		books.finals++;
		if (message.token && claims(message.token).jti !== this.jti)
			books.blame('the token of another one', reply);
		else if (reply.type !== request.type)
			books.blame('another type than that of ' + request.id, reply);
		else if (message.code === 'too_many' && request.mayBeTooMany || kind.else.includes(message.code))
			books.fail(message.code);
		else if (!kind.isOwn(message, request.id))
			books.blame('final of ' + request.id, reply);
		else if (sends !== null && request.step !== sends)
			books.blame(request.step + ' intermediates of ' + request.id, reply);
		else
			books.own++;
		request.resolve(message.code);
		books.onFinal();
	}

	send(type, params, more = {}) {
		const id = `${this.name}/${++this.n}`;
		const request = { id, type, params, step: 0, sent_ms: Date.now(), ...more };

		this.books.sent++;
		this.books.asked[type] = (this.books.asked[type] || 0) + 1;
		const ended = new Promise((resolve) => { request.resolve = resolve; });
		this.open.set(id, request);
		if (this.hasEnded)	// nobody reads: it is lost
			request.resolve();
		this.browser.emit({ type, token: this.browser.token, ms_requestId: id, params: { ...params, tag: id } });
		return { id, ended };
	}

	cancel(id) {
		this.books.cancels++;
		this.browser.emit({ type: 'usher-cancel', token: this.browser.token, ms_requestId: id });
	}

	// The answer to this comes behind all others, so whatever is left over has been read.
	async end() {
		this.browser.emit({ type: 'ewd-register', application: 'browser-app', jwt: true });
		await this.reading;
	}
}

// One request after another; some are cancelled, at any moment.
async function visit(page, types, cancels) {
	for (const [type, params] of types) {
		const { id, ended } = page.send(type, params);

		if (Math.random() < cancels)
			setTimeout(() => page.cancel(id), Math.random() * CANCEL_WITHIN_MS);
		if (await ended === 'cancelled')
			page.books.cancelledAtRandom++;
	}
}

// Far above what a session may: much is refused, or all is closed.
async function inundate(page, count) {
	const all = [];

	for (let i = 0; i < count; i++)
		all.push(page.send('steps', { gap: 0 }, { mayBeTooMany: true }).ended);
	await Promise.all(all);
}

// What the page of that number asks: all of the plan, each page beginning at another place of it.
function agenda(plan, number, count) {
	const all = plan.flatMap(([times, type, params]) => Array(times).fill([type, params || {}]));

	// 7 has no divisor in common with the length, or all pages would ask the same at the same time.
	return Array.from({ length: count }, (_, i) => all[(number * count + i) * 7 % all.length]);
}

// Three that must come to this, whatever came before.
async function mustFail(page) {
	const hanging = page.send('hang');
	page.cancel(hanging.id);
	assert.strictEqual(await hanging.ended, 'cancelled');
	assert.match(await page.send('leave').ended, /^(worker_lost|handler_error)$/);
	// Others may have left a worker that is blocked, and soon killed.
	let code;
	do
		code = await page.send('hang').ended;
	while (code === 'worker_lost');
	assert.strictEqual(code, 'timeout');
}

// options: browsers, rounds (requests of each), plan ([times, type, params], ...), kill() (which
// gives how many), killEvery (so many own finals), cancels (share), flooders and flood (messages
// of each), calm (requests afterwards, of ten browsers, which wear the workers out).
async function storm(t, port, { browsers = 50, rounds, plan, kill, killEvery = 100, cancels = 0.1, flooders = 2, flood = 600, calm }) {
	const books = new Books();
	const pageOf = async (name) => new Page(await rawBrowser(t, port), name, books);
	const pages = await Promise.all(Array.from({ length: browsers }, (_, i) => pageOf('page' + i)));
	const floods = await Promise.all(Array.from({ length: flooders }, (_, i) => pageOf('flood' + i)));

	books.onFinal = () => {
		if (books.own >= killEvery * (books.killed + 1))
			books.killed += kill();
	};
	await Promise.all([
		...pages.map((page, i) => visit(page, agenda(plan, i, rounds), cancels)),
		...floods.map((page) => inundate(page, flood))
	]);
	books.onFinal = () => {};
	await mustFail(pages[0]);
	await Promise.all(pages.slice(0, 10).map((page) => visit(page, Array(calm).fill(['fail', {}]), 0)));
	await Promise.all(pages.map((page) => page.end()));
	const refused = floods.reduce((n, page) => n + page.open.size, 0);
	const lost = pages.reduce((n, page) => n + page.open.size, 0);
	return { books, refused, lost };
}

// Exactly one final for each request, each its own.  Requests of a session that was closed have none.
function assertOneFinalEach({ books, refused, lost }) {
	const told = JSON.stringify({ ...books, refused, lost });

	assert.deepStrictEqual(books.wrong, []);
	assert.strictEqual(lost, 0, told);
	assert.strictEqual(books.finals + refused, books.sent, told);
	const failed = Object.values(books.failed).reduce((a, b) => a + b, 0);
	assert.strictEqual(books.own + failed, books.finals, told);
}

// Each fate befalls no more requests than the storm itself gave reason for.  concurrency, maxMessages:
// those of the pool; log: of the node with the pool.
function assertFatesAreCaused({ books }, { concurrency, maxMessages, log }) {
	const { asked, failed, killed } = books, told = JSON.stringify(books);
	const ended = killed + asked.leave + asked.block + asked.hang;
	// A machine that is busy elsewhere for as long as a deadline, or a ping, makes some more.
	const slack = Math.ceil((books.finals - (failed.too_many || 0)) / 20);
	const recycled = (log.match(/ will be replaced by /g) || []).length;

	assert.ok(books.cancelledAtRandom > 0, told);
	assert.ok(failed.cancelled <= books.cancels, told);
	// Who ends takes along all that it has; who hangs, itself; who blocks, all until the ping is missed.
	assert.ok((failed.worker_lost || 0) <= ended * concurrency + slack, told);
	assert.ok((failed.timeout || 0) <= asked.hang + asked.block * concurrency + slack, told);
	// A successor that was killed itself is one more.
	assert.ok(recycled >= 1, 'no worker was replaced for pool.max_messages');
	assert.ok(recycled <= books.finals / maxMessages + ended + slack, `${recycled} workers were replaced: ${told}`);
}

module.exports = { storm, assertOneFinalEach, assertFatesAreCaused };
