// SPDX-License-Identifier: ISC
// Waiting for a condition, never for a guess.
'use strict';

// Long enough for a sanitized daemon on a busy machine; nothing ever takes this long when all is well.
const WAIT_MS = 30000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Calls fn until it gives something true, and gives that.
async function waitFor(what, fn, ms = WAIT_MS) {
	const end = Date.now() + ms;

	for (;;) {
		const value = await fn();
		if (value)
			return value;
		if (Date.now() > end)
			throw new Error('waited in vain for ' + (typeof what === 'function' ? what() : what));
		await pause(10);
	}
}

// The promise's value, or an error that says what was awaited.
function within(what, promise, ms = WAIT_MS) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error('waited in vain for ' +
		    (typeof what === 'function' ? what() : what))), ms);
	});

	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A list that can be awaited: push() on one side, await next() on the other.
class Inbox {
	constructor() {
		this.items = [];
		this.waiting = [];
		this.end = null;
	}

	push(item) {
		const waiter = this.waiting.shift();

		if (waiter)
			waiter.resolve(item);
		else
			this.items.push(item);
	}

	// Nothing more will come: whoever waits is told why.
	close(why) {
		this.end = new Error(why);
		this.waiting.splice(0).forEach((waiter) => waiter.reject(this.end));
	}

	hasEnded() {
		return this.end !== null && this.items.length === 0;
	}

	next(what = 'a message', ms = WAIT_MS) {
		if (this.items.length > 0)
			return Promise.resolve(this.items.shift());
		if (this.end)
			return Promise.reject(new Error(what + ': ' + this.end.message));
		const waiter = {};
		const promise = new Promise((resolve, reject) => Object.assign(waiter, { resolve, reject }));
		this.waiting.push(waiter);
		return within(what, promise, ms).catch((e) => {
			this.waiting = this.waiting.filter((w) => w !== waiter);
			throw e;
		});
	}
}

module.exports = { WAIT_MS, pause, waitFor, within, Inbox };
