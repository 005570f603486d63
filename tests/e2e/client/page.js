// SPDX-License-Identifier: ISC
// The client of contrib/client as a page has it: over a socket.io-client of either generation,
// closed at the end of the test.
'use strict';
const client = require('../../../contrib/client');
const { atEnd } = require('../lib/cleanup');
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

module.exports = { ...client, IO, page, heard, stepsOf };
