// SPDX-License-Identifier: ISC
// The plain door: stock socket.io-client 4, events "APPLICATION/TYPE", nothing of QEWD.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { io } = require('socket.io-client-4');
const { atEnd } = require('./lib/cleanup');
const { nodeOf, scriptedApp } = require('./lib/configs');
const { job, Gate, Record } = require('./lib/scripts');
const { claims, decryptSecrets, isSigned, session } = require('./lib/tokens');
const { startUsherd, nodeKit, LISTEN, JWT, SECRET } = require('./lib/usherd');
const { within, waitFor } = require('./lib/wait');

// A connected client; its "auth" holds the token that it was given, if any.
async function connect(t, url, options = {}) {
	const socket = io(url, { transports: ['websocket'], reconnection: false, forceNew: true, ...options });

	atEnd(t, () => socket.close());
	socket.auth_event = within('a session', new Promise((resolve) => socket.once('auth', resolve)));
	socket.auth_event.catch(() => {});
	await within('a connection', new Promise((resolve, reject) => {
		socket.once('connect', resolve);
		socket.once('connect_error', reject);
	}));
	return socket;
}

const call = (socket, name, ...args) => within('the reply to ' + name, new Promise((resolve) =>
	socket.emit(name, ...args, resolve)));

const assertCode = (reply, code, ran) => {
	assert.strictEqual(reply.code, code, JSON.stringify(reply));
	assert.strictEqual(typeof reply.error, 'string');
	assert.strictEqual(reply.ran, ran);
	assert.ok(!('token' in reply));
};

async function startLocal(t, events = '{ shop: "*" }', more = '') {
	const record = new Record(t);
	const node = await startUsherd(t, nodeOf('near', {
		shop: scriptedApp('size: 4, concurrency: 4', { ready: { concurrency: 4, cancel: true }, record: record.file })
	}, `clients: { events: ${events} }\n${more}`));

	return { node, record };
}

test('a shop that logs in and shows its way', async (t) => {
	const worker = await startUsherd(t, nodeOf('far', { 'remote-app': `{ command: ${nodeKit('remote-app.js')} }` }));
	const master = await startUsherd(t, `
node: master
${LISTEN}
${JWT}
destinations:
  far: { application: remote-app, urls: ["${worker.url}"] }
u_services:
  - { application: shop, types: { "*": { destination: far } } }
clients:
  events: { shop: "*" }
`);
	await master.linked();
	const socket = await connect(t, master.url);
	let token;

	await t.test('a first session is made and handed over', async () => {
		({ token } = await socket.auth_event);
		assert.ok(isSigned(token, SECRET));
		assert.strictEqual(claims(token).application, 'shop');
		assert.strictEqual(decryptSecrets(token, SECRET).authenticated, false);
	});

	await t.test('the acknowledgement is the final reply, and there is no event besides', async () => {
		const events = [];
		socket.onAny((...event) => events.push(event));
		const reply = await call(socket, 'shop/echo', { a: [1, 'é鍵😀'] });

		assert.deepStrictEqual(reply.echo, { a: [1, 'é鍵😀'] });
		assert.deepStrictEqual(events, []);
		socket.offAny();
	});

	await t.test('intermediates are events, in order, before it', async () => {
		const heard = [];
		socket.on('shop/steps:progress', (step, info) => heard.push([step.step, info]));
		const reply = await call(socket, 'shop/steps', { tag: 's' });

		assert.strictEqual(reply.done, true);
		assert.deepStrictEqual(heard, [[1, undefined], [2, undefined], [3, undefined]]);
	});

	await t.test('an intermediate under another type has it in its name', async () => {
		const heard = within('progress', new Promise((resolve) => socket.once('shop/progress:progress', resolve)));
		await call(socket, 'shop/stepsOther', { tag: 'o' });

		assert.strictEqual((await heard).percent, 50);
	});

	await t.test('the session follows the finals', async () => {
		const before = await call(socket, 'shop/whoami');
		const login = await call(socket, 'shop/login', { username: 'rob', password: 'secret' });
		const after = await call(socket, 'shop/whoami');

		assert.strictEqual(before.authenticated, false);
		assert.strictEqual(login.ok, true);
		assert.strictEqual(claims(login.token).application, 'shop');
		assert.strictEqual(claims(login.token).jti, claims(token).jti);
		assert.deepStrictEqual([after.authenticated, after.username], [true, 'rob']);
		token = login.token;
	});

	await t.test('a token of the handshake brings it back', async () => {
		const again = await connect(t, master.url, { auth: { token } });
		const reply = await call(again, 'shop/whoami');

		assert.strictEqual(reply.username, 'rob');
	});

	for (const transport of ['polling', 'websocket']) {
		await t.test('so does one in a header, over ' + transport, async () => {
			const extraHeaders = { Authorization: 'Bearer ' + token };
			const again = await connect(t, master.url, { transports: [transport], extraHeaders });
			const reply = await call(again, 'shop/whoami');

			assert.strictEqual(reply.username, 'rob');
		});
	}

	await t.test('over polling, and through an upgrade, it is all the same', async () => {
		for (const transports of [['polling'], ['polling', 'websocket']]) {
			const again = await connect(t, master.url, { transports, auth: { token } });
			const heard = [];
			again.on('shop/steps:progress', (step) => heard.push(step.step));
			const reply = await call(again, 'shop/steps', { tag: 's' });

			assert.deepStrictEqual([...heard, reply.done], [1, 2, 3, true]);
		}
	});

	await t.test('a token beside the argument counts for that call', async () => {
		const stranger = await connect(t, master.url);
		const mine = await call(stranger, 'shop/whoami', {}, { token });
		const again = await connect(t, master.url);
		const theirs = await call(again, 'shop/whoami');

		assert.strictEqual(mine.username, 'rob');
		assert.strictEqual(theirs.authenticated, false);
	});

	await t.test('and leaves the session of the socket alone', async () => {
		const stranger = await connect(t, master.url);
		await call(stranger, 'shop/whoami', {}, { token });
		const own = await call(stranger, 'shop/whoami');

		assert.strictEqual(own.authenticated, false);
	});

	await t.test('a call beside a login does not undo it', async () => {
		const other = await connect(t, master.url);
		const slow = call(other, 'shop/slow', { ms: 300, tag: 'slow' });
		await call(other, 'shop/login', { username: 'rob', password: 'secret' });
		assert.strictEqual((await call(other, 'shop/whoami')).username, 'rob');
		assert.strictEqual((await slow).tag, 'slow');
		assert.strictEqual((await call(other, 'shop/whoami')).username, 'rob');
	});

	await t.test('errors are objects that say what happened', async () => {
		const failed = await call(socket, 'shop/fail', { tag: 'f' });
		const nonesuch = await call(socket, 'shop/nonesuch');

		assert.deepStrictEqual(failed, { error: 'Told to fail', status: { code: 418 }, tag: 'f' });
		assertCode(nonesuch, 'no_handler', 'no');
		assert.strictEqual(nonesuch.status.code, 404);
		assert.strictEqual(nonesuch.by, 'far');
	});

	await t.test('a list is a list', async () => {
		assert.deepStrictEqual(await call(socket, 'shop/list'), [1, 2, 3]);
	});

	await t.test('three calls of one type at once have their own replies', async () => {
		const replies = await Promise.all([0, 1, 2].map((tag) => call(socket, 'shop/slow', { ms: 30, tag })));

		assert.deepStrictEqual(replies.map((r) => r.tag), [0, 1, 2]);
	});
});

test('a handshake with a bad token is refused', async (t) => {
	const { node } = await startLocal(t);
	const refusal = async (token) => {
		const error = await connect(t, node.url, { auth: { token } }).then(() => null, (e) => e);

		assert.ok(error, 'it was let in');
		return error;
	};

	const forged = await refusal(session('shop', 'another secret of thirty-two bytes'));
	assert.strictEqual(forged.message, 'Invalid JWT: Error: Signature verification failed');
	assertCode(forged.data, 'invalid_token', 'no');
	const expired = await refusal(session('shop', SECRET, { exp: 1000 }));
	assertCode(expired.data, 'token_expired', 'no');
	for (const token of [7, {}, [], 'x', true])
		assertCode((await refusal(token)).data, 'invalid_token', 'no');
	for (const token of ['', 0, null, false])	// as good as none
		await (await connect(t, node.url, { auth: { token } })).auth_event;
});

test('what may be called', async (t) => {
	const { node } = await startLocal(t, '{ shop: [job, "list.*"], other: job }');
	const socket = await connect(t, node.url, { auth: { application: 'other' } });

	assert.strictEqual(claims((await socket.auth_event).token).application, 'other');
	assert.strictEqual((await call(socket, 'shop/job', {})).ok, true);
	assert.strictEqual((await call(socket, 'shop/list.x', {})).ok, true);
	assertCode(await call(socket, 'other/job'), 'no_handler', 'no');
	for (const name of ['shop/list', 'shop/other', 'shop/', 'shop', '/job', 'nonesuch/job', 'other/jobs', 'job', ''])
		assertCode(await call(socket, name), 'not_allowed', 'no');
	socket.emit('nonesuch/job', {});	// whoever does not ask is not answered
	assert.strictEqual((await call(socket, 'shop/job', {})).ok, true);
});

test('internal types are refused, whatever the configuration says', async (t) => {
	const { node } = await startLocal(t);
	const socket = await connect(t, node.url);

	for (const type of ['ewd-register', 'ewd-jwt-encode', 'qoper8-exit', 'usher-cancel', 'restRequest'])
		assertCode(await call(socket, 'shop/' + type, {}), 'not_allowed', 'no');
});

test('what a handler is told', async (t) => {
	const { node, record } = await startLocal(t);
	const socket = await connect(t, node.url);

	await call(socket, 'shop/job', { a: 1.50 });
	await call(socket, 'shop/job');
	await call(socket, 'shop/job', 'text');
	const told = record.lines('request');

	assert.deepStrictEqual(told.map((line) => line.message),
	    [{ type: 'job', params: { a: 1.5 } }, { type: 'job' }, { type: 'job', params: 'text' }]);
	assert.deepStrictEqual(told.map((line) => [line.application, line.type, line.session.application]),
	    Array(3).fill(['shop', 'job', 'shop']));
	assert.match(told[0].client.address, /127\.0\.0\.1/);
});

test('a call with an id', async (t) => {
	const { node, record } = await startLocal(t);
	const socket = await connect(t, node.url);
	const gate = new Gate(t);

	await t.test('says in its intermediates which call they belong to', async () => {
		const heard = [];
		socket.on('shop/job:progress', (...args) => heard.push(args));
		await call(socket, 'shop/job', job({ send: { n: 1 } }, { finish: {} }).params, { id: 7 });
		await call(socket, 'shop/job', job({ send: { n: 2 } }, { finish: {} }).params, { id: 'x"y' });

		assert.deepStrictEqual(heard, [[{ n: 1 }, { id: 7 }], [{ n: 2 }, { id: 'x"y' }]]);
		socket.off('shop/job:progress');
	});

	await t.test('can be cancelled, it alone, and its handler hears of it', async () => {
		const params = job({ send: {} }, { until: 'cancel' }, { finish: { late: true } }).params;
		const other = job({ gate: gate.file }, { finish: { own: true } }).params;
		const started = within('its beginning', new Promise((resolve) => socket.once('shop/job:progress', resolve)));
		const cancelled = call(socket, 'shop/job', params, { id: 1 });
		const goesOn = call(socket, 'shop/job', other, { id: '1' });

		await started;
		socket.emit('usher:cancel', { id: 1 });
		socket.emit('usher:cancel', {});
		socket.emit('usher:cancel');
		assertCode(await cancelled, 'cancelled', 'maybe');
		await record.told('cancel');
		gate.open();
		assert.strictEqual((await goesOn).own, true);
		assert.strictEqual(record.lines('cancel').length, 1);
	});

	await t.test('can have a deadline of its own', async () => {
		const reply = await call(socket, 'shop/job', job({ until: 'cancel' }, { finish: {} }).params, { deadline_ms: 50 });

		assertCode(reply, 'timeout', 'maybe');
	});

	await t.test('which costs no worker its life', async (t) => {
		const lone = await startUsherd(t, nodeOf('near', { shop: scriptedApp('size: 1') }, 'clients: { events: { shop: "*" } }\n'));
		const client = await connect(t, lone.url);
		const { pid } = await call(client, 'shop/job', {});
		const late = await call(client, 'shop/job', job({ wait: 150 }, { finish: {} }).params, { deadline_ms: 20 });

		assertCode(late, 'timeout', 'maybe');
		assert.strictEqual((await call(client, 'shop/job', {})).pid, pid);
	});
});

test('a client that leaves costs nobody else anything', async (t) => {
	const { node, record } = await startLocal(t);
	const leaving = await connect(t, node.url), staying = await connect(t, node.url);
	const gate = new Gate(t);

	leaving.emit('shop/job', job({ gate: gate.file }, { finish: { of: 'leaving' } }).params, () => {});
	await record.told('request');
	leaving.close();
	gate.open();
	assert.strictEqual((await call(staying, 'shop/job', {})).ok, true);
});

test('pushes are events of their own names', async (t) => {
	const { node } = await startLocal(t, '{ shop: "*", blog: "*" }');
	const socket = await connect(t, node.url);
	const blog = await connect(t, node.url, { auth: { application: 'blog' } });
	const heard = { socket: [], blog: [] };
	const push = (type, to) => ({ push: { type, message: { of: type }, ...to && { to } } });

	socket.onAny((name, ...args) => name !== 'auth' && heard.socket.push([name, ...args]));
	blog.onAny((name, ...args) => name !== 'auth' && heard.blog.push([name, ...args]));
	await call(socket, 'shop/job', job(push('mine'), push('shop"s', { application: 'shop' }),
	    push('blogs', { application: 'blog' }), push('news', { all: true }), { finish: {} }).params);
	await waitFor('the news', () => heard.blog.length === 2);

	assert.deepStrictEqual(heard.socket, ['mine', 'shop"s', 'news'].map((type) => [type, { of: type }]));
	assert.deepStrictEqual(heard.blog, ['blogs', 'news'].map((type) => [type, { of: type }]));
});

test('what a client that leaves has asked is cancelled', async (t) => {
	const cases = {
		'at once, where the route says so': 'u_services: [{ application: shop, types: { job: { destination: shop, on_leave: cancel } } }]\n',
		'when it could have come back': 'timeouts: { resume: 200ms }\n',
		'with resume: off, too': 'timeouts: { resume: off }\n'
	};

	for (const [name, more] of Object.entries(cases)) {
		await t.test(name, async (t) => {
			const { node, record } = await startLocal(t, undefined, more);
			const socket = await connect(t, node.url);

			socket.emit('shop/job', job({ until: 'cancel' }, { finish: {} }).params, () => {});
			await record.told('request');
			socket.close();
			await record.told('cancel');
		});
	}

	await t.test('a node that stops does not wait for it', async (t) => {
		const { node, record } = await startLocal(t);
		const socket = await connect(t, node.url);

		socket.emit('shop/job', job({ until: 'cancel' }, { finish: {} }).params, () => {});
		await record.told('request');
		socket.close();
		const other = await connect(t, node.url);
		assert.strictEqual((await call(other, 'shop/job', {})).ok, true);
		node.kill('SIGTERM');
		assert.deepStrictEqual(await node.end(), { code: 0, signal: null });
	});
});

test('without an acknowledgement nothing is answered, and the session goes on', async (t) => {
	const { node, record } = await startLocal(t);
	const socket = await connect(t, node.url);
	const events = [];

	socket.onAny((name) => events.push(name));
	socket.emit('shop/job', {});
	await record.told('request');
	assert.strictEqual((await call(socket, 'shop/job', {})).ok, true);
	assert.deepStrictEqual(events.filter((name) => name !== 'auth'), []);
});

test('limits hold for plain events as well', async (t) => {
	await t.test('of requests in flight', async (t) => {
		const { node } = await startLocal(t, undefined, 'limits: { in_flight_per_session: 2 }\n');
		const socket = await connect(t, node.url);
		const gate = new Gate(t);
		const held = [1, 2].map(() => call(socket, 'shop/job', job({ gate: gate.file }, { finish: { own: true } }).params));

		assertCode(await call(socket, 'shop/job', {}), 'too_many', 'no');
		gate.open();
		for (const reply of await Promise.all(held))
			assert.strictEqual(reply.own, true);
	});

	await t.test('of messages a second', async (t) => {
		const { node } = await startLocal(t, undefined, 'limits: { messages_per_second: 10 }\n');
		const socket = await connect(t, node.url);
		const replies = await Promise.all(Array.from({ length: 40 }, () => call(socket, 'shop/job', {})));

		assert.ok(replies.some((r) => r.ok));
		assert.ok(replies.some((r) => r.code === 'too_many'));
	});

	await t.test('of the depth of an argument', async (t) => {
		const { node } = await startLocal(t, undefined, 'limits: { json_depth: 4 }\n');
		const socket = await connect(t, node.url);

		assert.strictEqual((await call(socket, 'shop/job', { a: { b: { c: 1 } } })).ok, true);
		const closed = within('the end', new Promise((resolve) => socket.once('disconnect', resolve)));
		socket.emit('shop/job', { a: { b: { c: { d: { e: 1 } } } } });
		await closed;
	});
});

test('one socket may use both doors', async (t) => {
	const { node } = await startLocal(t);
	const socket = await connect(t, node.url);
	const { token } = await socket.auth_event;
	const event = within('the QEWD reply', new Promise((resolve) => socket.once('ewdjs', resolve)));

	socket.emit('ewdjs', { type: 'job', token, params: { tag: 'qewd' } });
	assert.strictEqual((await event).message.tag, 'qewd');
	assert.strictEqual((await call(socket, 'shop/job', { tag: 'plain' })).tag, 'plain');
	await waitFor('the socket to stay', () => socket.connected);
});

test('without clients.events no event is a call', async (t) => {
	const node = await startUsherd(t, nodeOf('near', { shop: scriptedApp('size: 1') }));
	const socket = await connect(t, node.url);
	let answered = false;

	socket.emit('shop/job', {}, () => { answered = true; });
	socket.emit('ewdjs', { type: 'ewd-register', application: 'shop' });
	await within('the registration', new Promise((resolve) => socket.once('ewdjs', resolve)));
	assert.ok(!answered);
});
