// SPDX-License-Identifier: ISC
// The client of contrib/client as a page has it: over a socket.io-client of either generation,
// closed at the end of the test.
'use strict';
const assert = require('node:assert');
const client = require('../../../contrib/client');
const { atEnd } = require('../lib/cleanup');
const { nodeOf, scriptedApp } = require('../lib/configs');
const { Record } = require('../lib/scripts');
const { startUsherd } = require('../lib/usherd');
const { within } = require('../lib/wait');

const IO = { 2: require('socket.io-client'), 4: require('socket.io-client-4').io };
const QUICKLY = { reconnectionDelay: 10, reconnectionDelayMax: 50 };

// What the tests themselves end is not the client's business.
function page(t, target, { generation = 4, socketOptions, ...options } = {}) {
	const usher = client.connect(target, {
		application: 'browser-app', io: IO[generation], deadline: 30000,
		socketOptions: { ...QUICKLY, ...socketOptions }, ...options
	});

	atEnd(t, () => usher.close());
	return usher;
}

// The next event of a name, with its values.
function heard(usher, event) {
	return within('the event ' + event, new Promise((resolve) => {
		const off = usher.on(event, (...values) => {
			off();
			resolve(values);
		});
	}));
}

async function stepsOf(steps) {
	const list = [];

	for await (const step of steps)
		list.push(step);
	return list;
}

// A node whose browser-app does what it is told, and remembers what that was.
async function scriptedNode(t, { pool = 'size: 3', ready = { cancel: true }, more = '' } = {}) {
	const record = new Record(t);
	const node = await startUsherd(t, nodeOf('near',
	    { 'browser-app': scriptedApp(pool, { ready, record: record.file }) }, more));

	return { node, record };
}

// How a promise is rejected.
async function failure(promise) {
	const [why] = await within('the rejection', Promise.allSettled([promise]));

	assert.strictEqual(why.status, 'rejected', JSON.stringify(why.value));
	return why.reason;
}

async function assertFails(promise, want) {
	const error = await failure(promise);

	assert.ok(error instanceof client.UsherError, String(error));
	assert.strictEqual(error.name, 'UsherError');
	for (const [name, value] of Object.entries(want))
		assert.deepStrictEqual(error[name], value, name + ' of ' + error.code + ': ' + error.message);
	return error;
}

// Storage as a browser has it.
function fakeWebStorage() {
	const items = new Map();

	return {
		items,
		getItem: (key) => items.has(key) ? items.get(key) : null,
		setItem: (key, value) => items.set(key, value),
		removeItem: (key) => items.delete(key)
	};
}
module.exports = {
	...client, IO, page, heard, stepsOf, scriptedNode, failure, assertFails, fakeWebStorage
};
