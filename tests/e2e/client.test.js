// SPDX-License-Identifier: ISC
// The client of contrib/client: over both generations of socket.io-client against the real
// daemon, and over a socket without a network where the order of events matters.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { FakeSocket } = require('./client/fake-socket');
const { IO, UsherError, webStorage, page, heard, stepsOf } = require('./client/page');
const { atEnd } = require('./lib/cleanup');
const { masterOf, nodeOf, workerOf, scriptedApp } = require('./lib/configs');
const { cutter } = require('./lib/cutter');
const { run } = require('./lib/processes');
const { job, Gate, Record } = require('./lib/scripts');
const { claims, session } = require('./lib/tokens');
const { startUsherd, folder, nodeKit, SECRET } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const CLIENT = path.join(__dirname, '..', '..', 'contrib', 'client');
const TAKES_CANCEL = { cancel: true };
const ROB = { username: 'rob', password: 'secret' };
const script = (...steps) => job(...steps).params;

// A node whose browser-app does what it is told, and remembers what that was.
async function scriptedNode(t, { pool = 'size: 3', ready = TAKES_CANCEL, more = '' } = {}) {
	const record = new Record(t);
	const node = await startUsherd(t, nodeOf('near',
	    { 'browser-app': scriptedApp(pool, { ready, record: record.file }) }, more));

	return { node, record };
}

const appNode = (t, more = '') => startUsherd(t,
    nodeOf('near', { 'browser-app': `{ command: ${nodeKit('remote-app.js')}, pool: { size: 3 } }` }, more));

// How a promise is rejected.
async function failure(promise) {
	const [why] = await within('the rejection', Promise.allSettled([promise]));

	assert.strictEqual(why.status, 'rejected', JSON.stringify(why.value));
	return why.reason;
}

async function assertFails(promise, want) {
	const error = await failure(promise);

	assert.ok(error instanceof UsherError, String(error));
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

for (const generation of [2, 4]) {
	test('calls over socket.io-client ' + generation, async (t) => {
		const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js'), 'size: 3'));
		const master = await startUsherd(t, masterOf(worker.url));
		await master.linked();
		const usher = page(t, master.url, { generation });

		await t.test('of one type at one time each get their own replies', async () => {
			const calls = ['a', 'b', 'c'].map((tag) => usher.call('steps', { tag, gap: 5 }));
			const steps = await Promise.all(calls.map((call) => stepsOf(call.progress)));

			for (const [i, tag] of ['a', 'b', 'c'].entries()) {
				assert.deepStrictEqual(steps[i], [1, 2, 3].map((step) => ({ step, of: 3, tag })));
				assert.deepStrictEqual(await calls[i], { done: true, tag });
			}
		});

		await t.test('may read the steps as a stream', async () => {
			const stream = usher.stream('steps', { tag: 's' });

			assert.deepStrictEqual((await stepsOf(stream)).map(({ step }) => step), [1, 2, 3]);
			assert.deepStrictEqual(await stream.final, { done: true, tag: 's' });
		});

		await t.test('change the token, which is in no reply', async () => {
			const before = await usher.ready().then(() => usher.token);
			const told = heard(usher, 'token');

			assert.deepStrictEqual(await usher.call('login', ROB), { ok: true });
			assert.deepStrictEqual(await told, [usher.token]);
			assert.notStrictEqual(usher.token, before);
			assert.deepStrictEqual(usher.claims, claims(usher.token));
			assert.strictEqual(usher.claims.userText, 'Welcome Rob');
			assert.strictEqual((await usher.call('whoami')).username, 'rob');
		});

		await t.test('that fail leave the token as it is', async () => {
			const before = usher.token;

			await assertFails(usher.call('login', { ...ROB, password: 'x' }), {
				message: 'Invalid login attempt', code: 'application_error', ran: 'yes', status: undefined
			});
			assert.strictEqual(usher.token, before);
		});

		await t.test('take lists, nothing, and members beside the params', async () => {
			assert.deepStrictEqual(await usher.call('list'), { results: [1, 2, 3] });
			assert.deepStrictEqual(await usher.call('empty'), {});
			const { received } = await usher.call('raw', { n: 1 }, { fields: { more: [2], type: 'x', token: 'x' } });
			assert.deepStrictEqual([received.type, received.params, received.more, received.token],
			    ['raw', { n: 1 }, [2], undefined]);
		});
	});

	test('who gives up is heard by the handler, over socket.io-client ' + generation, async (t) => {
		const { node, record } = await scriptedNode(t);
		const usher = page(t, node.url, { generation });
		const ids = (lines) => lines.map(({ id }) => id).sort();
		// All requests but this many were cancelled, each once.
		const assertTold = async (others = 1) => {
			const requests = record.lines('request')
			    .filter(({ message }) => message.params.script.some(({ until }) => until));
			assert.deepStrictEqual(ids(await record.told('cancel', requests.length)), ids(requests));
			assert.strictEqual(record.lines('request').length, requests.length + others);
		};
		const endless = script({ send: { n: 1 } }, { until: 'cancel' }, { finish: { late: true } });

		await t.test('by a signal', async () => {
			const abort = new AbortController();
			const call = usher.call('job', endless, { signal: abort.signal });
			const other = usher.call('job', script({ finish: { own: true } }));
			for await (const step of call.progress) {
				assert.deepStrictEqual(step, { n: 1 });
				break;			// this leaves the call alone
			}
			assert.deepStrictEqual(await other, { own: true });
			assert.strictEqual(record.lines('cancel').length, 0);
			const last = usher.call('job', endless, { signal: abort.signal });
			await last.progress[Symbol.asyncIterator]().next();
			last.catch(() => {});
			abort.abort();

			assert.strictEqual((await failure(call)).name, 'AbortError');
			assert.strictEqual((await failure(last)).name, 'AbortError');
			await assertTold();
			assert.strictEqual(await failure(usher.call('job', endless,
			    { signal: AbortSignal.abort('because') })), 'because');
		});

		await t.test('by cancel(), with a reason', async () => {
			const call = usher.call('job', endless);
			await call.progress[Symbol.asyncIterator]().next();
			call.cancel('enough');
			call.cancel('twice');

			assert.strictEqual(await failure(call), 'enough');
			await assertTold();
		});

		await t.test('by leaving the loop of a stream', async () => {
			const stream = usher.stream('job', endless);
			for await (const step of stream) {
				assert.deepStrictEqual(step, { n: 1 });
				break;
			}

			assert.strictEqual((await failure(stream.final)).name, 'AbortError');
			await assertTold();
		});

		await t.test('by a deadline', async () => {
			const call = usher.call('job', endless, { deadline: 1500 });

			await assertFails(call, { code: 'timeout', ran: 'maybe', status: 504, by: undefined });
			await assertFails(stepsOf(call.progress).then(() => {}), { code: 'timeout' });
			await assertTold();
		});
	});
}

test('errors of usher have their code, and say whether the handler has run', async (t) => {
	const { node } = await scriptedNode(t, { more: 'limits: { in_flight_per_session: 2 }\ntimeouts: { request: 1s }\n' });
	const usher = page(t, node.url);

	await t.test('handler_error', () => assertFails(usher.call('job', script({ fail: 'broken' })),
	    { message: 'broken', code: 'handler_error', ran: 'maybe', status: 500, by: 'near' }));

	await t.test('worker_lost', () => assertFails(usher.call('job', script({ exit: 1 })),
	    { code: 'worker_lost', ran: 'maybe', status: 502, by: 'near' }));

	await t.test('timeout of the server', () => assertFails(usher.call('job', script({ until: 'cancel' })),
	    { code: 'timeout', ran: 'maybe', status: 504, by: 'near' }));

	await t.test('no_handler', async (t) => {
		const other = page(t, node.url, { application: 'unknown' });

		const error = await assertFails(other.call('job'), { code: 'no_handler', ran: 'no', status: 404, by: 'near' });
		assert.ok(error.request);
		assert.strictEqual(error.details.request, error.request);
	});

	await t.test('too_many', async (t) => {
		const gate = new Gate(t);
		const calls = [1, 2, 3].map(() => usher.call('job', script({ gate: gate.file }, { finish: {} })));

		await assertFails(calls[2], { code: 'too_many', ran: 'no', status: 429 });
		gate.open();
		assert.deepStrictEqual(await Promise.all(calls.slice(0, 2)), [{}, {}]);
	});

	await t.test('not_allowed', () => assertFails(usher.call('qoper8-exit'), { code: 'not_allowed', ran: 'no', status: 403 }));

	await t.test('link_down', async (t) => {
		const master = await startUsherd(t, masterOf('ws://127.0.0.1:9'));

		await assertFails(page(t, master.url).call('job'),
		    { message: 'MicroService connection is down', code: 'link_down', ran: 'no', status: 503, by: 'master' });
	});

	await t.test('and of a handler, what it put beside', () => assertFails(
	    usher.call('job', script({ finish: { error: 'taken', code: 'name_taken', status: { code: 409 }, tip: 'x' } })),
	    { message: 'taken', code: 'name_taken', ran: 'yes', status: 409,
	      details: { error: 'taken', code: 'name_taken', status: { code: 409 }, tip: 'x' } }));
});

test('what cannot be sent is refused at once, and harms no other call', async (t) => {
	const { node } = await scriptedNode(t);
	const usher = page(t, node.url);
	const circle = {};
	circle.circle = circle;

	for (const params of [new Uint8Array(4), { a: [new ArrayBuffer(2)] }, { b: Buffer.from('x') }, circle, 1n])
		assert.ok(await failure(usher.call('job', params)) instanceof TypeError);
	assert.ok(await failure(usher.call('')) instanceof TypeError);
	assert.ok(await failure(usher.call(undefined)) instanceof TypeError);
	await assertFails(usher.call('job', 'é'.repeat(500000)), { code: 'too_big', ran: 'no', status: 413 });
	assert.strictEqual((await usher.call('job', { tag: 'é'.repeat(499000) })).tag.length, 499000);
});

test('a reply that changed nothing does not undo the login that came before it', async (t) => {
	const { node } = await scriptedNode(t);
	const usher = page(t, node.url);
	const gate = new Gate(t);
	await usher.ready();
	const slow = usher.call('job', script({ gate: gate.file }, { finish: { slow: true } }));
	await usher.call('job', script({ line: '{"op":"finish","id":@ID,"message":{},"session":{"user":"rob"}}' }));
	gate.open();

	assert.deepStrictEqual(await slow, { slow: true });
	assert.strictEqual(usher.claims.user, 'rob');
	await usher.call('job', script({ line: '{"op":"finish","id":@ID,"message":{},"session":{"user":"eve"}}' }));
	assert.strictEqual(usher.claims.user, 'eve');
});

test('storage', async (t) => {
	const node = await appNode(t, 'timeouts: { request: 20s }\n');

	await t.test('the next page goes on with the session', async (t) => {
		const web = fakeWebStorage();
		const first = page(t, node.url, { storage: webStorage(web) });
		await first.call('login', ROB);
		await waitFor('the token in the storage', () => web.items.get('usher-token') === first.token);
		first.close();
		const second = page(t, node.url, { storage: webStorage(web) });
		const connected = heard(second, 'connect');

		assert.strictEqual((await second.call('whoami')).username, 'rob');
		assert.deepStrictEqual(await connected, [{ resumed: true }]);
		await second.reset();
		assert.strictEqual((await second.call('whoami')).authenticated, false);
		await waitFor('the new token in the storage', () => web.items.get('usher-token') === second.token);
	});

	await t.test('a token that is given wins', async (t) => {
		const first = page(t, node.url);
		await first.call('login', ROB);
		const second = page(t, node.url, { token: first.token, storage: webStorage(fakeWebStorage()) });

		assert.strictEqual((await second.call('whoami')).username, 'rob');
	});

	await t.test('an expired token is lost: a new session begins', async (t) => {
		const web = fakeWebStorage();
		web.setItem('mine', session('browser-app', SECRET, { iat: 1700000000, exp: 1700000300 }));
		const usher = page(t, node.url, { storage: webStorage(web, 'mine') });
		const lost = heard(usher, 'lost');

		assert.strictEqual((await usher.call('whoami')).authenticated, false);
		assert.strictEqual((await lost)[0].code, 'token_expired');
		await waitFor('the new token in the storage', () => web.items.get('mine') === usher.token);
	});

	await t.test('a token of another application is not taken', async (t) => {
		const web = fakeWebStorage();
		web.setItem('usher-token', session('other-app', SECRET));
		const usher = page(t, node.url, { storage: webStorage(web) });

		assert.strictEqual((await usher.call('whoami')).application, 'browser-app');
	});

	await t.test('that fails, or takes its time, is not in the way of calls', async (t) => {
		const full = () => { throw new Error('full'); };
		const usher = page(t, node.url, { storage: { get: full, set: full, clear: full } });
		const errors = [];
		usher.on('error', (e) => errors.push(e.message));

		assert.strictEqual((await usher.call('whoami')).authenticated, false);
		await waitFor('the errors', () => errors.length >= 2);
		const kept = [];
		const later = (f) => (value) => new Promise((resolve) => setTimeout(() => resolve(f(value)), 5));
		const slow = page(t, node.url, { storage: { get: later(() => null), set: later((x) => kept.push(x)), clear: later(() => {}) } });
		await slow.call('login', ROB);
		await waitFor('the last token in the storage', () => kept[kept.length - 1] === slow.token);
	});
});

test('a session that expires is followed by a new one', async (t) => {
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 1') })
	    .replace('allow_short_secret: true', 'allow_short_secret: true, lifetime: 1s'));
	const usher = page(t, node.url);
	const lost = heard(usher, 'lost');
	await usher.call('job', { tag: 1 });
	await waitFor('the end of the session', () => Date.now() > usher.claims.exp * 1000);

	await assertFails(usher.call('job', { tag: 2 }), { code: 'token_expired', ran: 'no', status: 401 });
	assert.strictEqual((await lost)[0].code, 'token_expired');
	assert.strictEqual((await usher.call('job', { tag: 3 })).tag, 3);
});

for (const generation of [2, 4]) {
	test('after a cut connection, over socket.io-client ' + generation, async (t) => {
		const node = await appNode(t);
		const cable = await cutter(t, node.port);
		const usher = page(t, cable.url, { generation });
		await usher.call('login', ROB);

		await t.test('the session goes on', async () => {
			for (let i = 0; i < 3; i++) {
				const events = [heard(usher, 'disconnect'), heard(usher, 'connect')];
				cable.cut();
				await events[0];
				assert.strictEqual(usher.connected, false);
				const waiting = usher.call('whoami');	// waits for the connection
				assert.deepStrictEqual((await events[1])[0], { resumed: true });
				assert.strictEqual((await waiting).username, 'rob');
				assert.strictEqual((await usher.call('whoami')).username, 'rob');
			}
		});
	});
}

const RESUMABLE = (gate) => script({ send: { n: 1 } }, { gate: gate.file }, { send: { n: 2 } }, { finish: { n: 3 } });

test('an open call outlives its connection', async (t) => {
	for (const generation of [2, 4]) {
		await t.test('over socket.io-client ' + generation, async (t) => {
			const { node } = await scriptedNode(t);
			const cable = await cutter(t, node.port);
			const usher = page(t, cable.url, { generation });
			const gate = new Gate(t);
			const call = usher.call('job', RESUMABLE(gate));
			const steps = call.progress[Symbol.asyncIterator]();
			assert.deepStrictEqual((await steps.next()).value, { n: 1 });
			const gone = heard(usher, 'disconnect');
			cable.cut();
			await gone;
			gate.open();

			assert.deepStrictEqual((await steps.next()).value, { n: 2 });
			assert.deepStrictEqual(await call, { n: 3 });
		});
	}

	await t.test('unless the server keeps nothing', async (t) => {
		const { node } = await scriptedNode(t, { more: 'timeouts: { resume: off }\n' });
		const cable = await cutter(t, node.port);
		const usher = page(t, cable.url);
		const call = usher.call('job', RESUMABLE(new Gate(t)));
		await call.progress[Symbol.asyncIterator]().next();
		cable.cut();

		await assertFails(call, { code: 'link_lost', ran: 'maybe', status: 502 });
		assert.strictEqual((await usher.call('job', { tag: 1 })).tag, 1);
		node.endsBy = 'SIGINT';
	});
});

const EVENTS = 'clients: { events: { "browser-app": "*" } }\n';

for (const generation of [2, 4]) {
	test('plain events over socket.io-client ' + generation, async (t) => {
		const node = await appNode(t, EVENTS);
		const cable = await cutter(t, node.port);
		const usher = page(t, cable.url, { generation, door: 'events' });

		await t.test('begin with a session', async () => {
			const connected = heard(usher, 'connect');
			await usher.ready();

			assert.deepStrictEqual(await connected, [{ resumed: false }]);
			assert.strictEqual(usher.claims.application, 'browser-app');
		});

		await t.test('of one type at one time each get their own replies', async () => {
			const calls = ['a', 'b', 'c'].map((tag) => usher.call('steps', { tag, gap: 5 }));
			const steps = await Promise.all(calls.map((call) => stepsOf(call.progress)));

			for (const [i, tag] of ['a', 'b', 'c'].entries()) {
				assert.deepStrictEqual(steps[i], [1, 2, 3].map((step) => ({ step, of: 3, tag })));
				assert.deepStrictEqual(await calls[i], { done: true, tag });
			}
		});

		await t.test('log in, and stay so when the connection is another', async () => {
			assert.deepStrictEqual(await usher.call('login', ROB), { ok: true });
			assert.strictEqual((await usher.call('whoami')).username, 'rob');
			const again = heard(usher, 'connect');
			cable.cut();
			assert.deepStrictEqual(await again, [{ resumed: true }]);
			assert.strictEqual((await usher.call('whoami')).username, 'rob');
			assert.strictEqual(usher.claims.userText, 'Welcome Rob');
		});

		await t.test('log out', async () => {
			await usher.reset();
			assert.strictEqual((await usher.call('whoami')).authenticated, false);
		});

		await t.test('bring errors with their codes', async () => {
			await assertFails(usher.call('login', {}), { message: 'Invalid login attempt', code: 'application_error', ran: 'yes' });
			await assertFails(usher.call('unknown'), { code: 'no_handler', ran: 'no', status: 404, by: 'near' });
		});

		await t.test('with a token that has expired begin a new session', async (t) => {
			const expired = session('browser-app', SECRET, { iat: 1700000000, exp: 1700000300 });
			const late = page(t, node.url, { generation, door: 'events', token: expired });
			const lost = heard(late, 'lost');
			// Where the handshake cannot bring it, a call does.
			const first = late.call('whoami').catch((e) => e);

			assert.strictEqual((await lost)[0].code, 'token_expired');
			if (generation === 2)
				assert.strictEqual((await first).code, 'token_expired');
			else
				assert.strictEqual((await first).authenticated, false);
			assert.strictEqual((await late.call('whoami')).authenticated, false);
		});
	});

	test('who gives up a plain event is heard, over socket.io-client ' + generation, async (t) => {
		const { node, record } = await scriptedNode(t, { more: EVENTS });
		const cable = await cutter(t, node.port);
		const usher = page(t, cable.url, { generation, door: 'events' });
		const endless = script({ send: { n: 1 } }, { until: 'cancel' }, { finish: { late: true } });

		const aborted = usher.call('job', endless);
		await aborted.progress[Symbol.asyncIterator]().next();
		aborted.cancel();
		assert.strictEqual((await failure(aborted)).name, 'AbortError');
		await record.told('cancel', 1);
		await assertFails(usher.call('job', endless, { deadline: 1500 }), { code: 'timeout', ran: 'maybe' });
		await record.told('cancel', 2);

		const pushed = heard(usher, 'push');
		await usher.call('job', script({ push: { type: 'news', message: { n: 1 } } }, { finish: {} }));
		assert.deepStrictEqual(await pushed, ['news', { n: 1 }]);

		// An acknowledgement cannot come on another connection.
		const open = usher.call('job', endless);
		await open.progress[Symbol.asyncIterator]().next();
		cable.cut();
		await assertFails(open, { code: 'link_lost', ran: 'maybe' });
		assert.strictEqual((await usher.call('job', { tag: 1 })).tag, 1);
	});
}

test('without a connection calls wait until their deadline', async (t) => {
	const { node, record } = await scriptedNode(t);
	const usher = page(t, 'ws://127.0.0.1:9', { maxWaiting: 3 });
	const abort = new AbortController();
	const calls = [usher.call('job', {}, { deadline: 50 }), usher.call('job', {}, { signal: abort.signal }), usher.call('job')];

	await assertFails(usher.call('job'), { code: 'overloaded', ran: 'no' });
	await assertFails(calls[0], { code: 'timeout', ran: 'no' });
	abort.abort();
	assert.strictEqual((await failure(calls[1])).name, 'AbortError');
	usher.close();
	await assertFails(calls[2], { code: 'closed', ran: 'no' });
	await assertFails(usher.call('job'), { code: 'closed', ran: 'no' });
	await assertFails(usher.ready(), { code: 'closed' });

	// What ended before there was a connection is never sent.
	const socket = IO[4](node.url, { transports: ['websocket'], autoConnect: false, forceNew: true });
	atEnd(t, () => socket.close());
	const late = page(t, socket);
	await assertFails(late.call('job', { tag: 'early' }, { deadline: 10 }), { code: 'timeout', ran: 'no' });
	socket.connect();
	assert.strictEqual((await late.call('job', { tag: 'late' })).tag, 'late');
	assert.strictEqual(record.lines('request').length, 1);
});

test('a socket that is brought along stays open', async (t) => {
	const { node } = await scriptedNode(t);
	for (const generation of [2, 4]) {
		const socket = IO[generation](node.url, { transports: ['websocket'], forceNew: true });
		atEnd(t, () => socket.close());
		await within('the connection', new Promise((resolve) => socket.on('connect', resolve)));
		const usher = page(t, socket);
		assert.strictEqual((await usher.call('job', { tag: 1 })).tag, 1);
		const open = usher.call('job', script({ until: 'cancel' }, { finish: {} }));
		usher.close();

		await assertFails(open, { code: 'closed', ran: 'maybe' });
		assert.ok(socket.connected);
		const again = page(t, socket);
		assert.strictEqual((await again.call('job', { tag: 2 })).tag, 2);
	}
});

test('pushes', async (t) => {
	const { node } = await scriptedNode(t);
	const usher = page(t, node.url);
	const pushes = [];
	usher.on('push', (type, message) => pushes.push([type, message]));
	const off = usher.on('push', () => pushes.push('not any more'));
	off();
	const call = usher.call('job', script({ push: { type: 'news', message: { n: 1 } } }, { send: { n: 2 } }, { finish: { n: 3 } }));

	assert.deepStrictEqual(await stepsOf(call.progress), [{ n: 2 }]);
	assert.deepStrictEqual(await call, { n: 3 });
	assert.deepStrictEqual(pushes, [['news', { n: 1 }]]);
});

test('the order of things, with the test as the server', async (t) => {
	const start = async (t, options) => {
		const server = new FakeSocket();
		const usher = page(t, server, options);
		server.up();
		const registration = await server.next('the registration');
		assert.strictEqual(registration.message.type, options && options.token ? 'ewd-reregister' : 'ewd-register');
		return { server, usher, registration };
	};
	const registered = async (t) => {
		const { server, usher, registration } = await start(t);
		server.answer(registration, { token: 'one' });
		await usher.ready();
		return { server, usher };
	};
	const comeBack = async (server) => {
		server.up();
		const again = await server.next('the re-registration');
		assert.deepStrictEqual([again.message.type, again.message.token], ['ewd-reregister', 'one']);
		return again;
	};

	await t.test('nothing is sent before the registration is answered', async (t) => {
		const { server, usher, registration } = await start(t);
		const call = usher.call('a', { n: 1 });
		server.answer({ message: { type: 'ewd-register', ms_requestId: 'old' } }, { token: 'old' });
		assert.strictEqual(usher.connected, false);
		server.answer(registration, { token: 'one' });
		const a = await server.next();

		assert.deepStrictEqual([a.message.type, a.message.token, a.message.params], ['a', 'one', { n: 1 }]);
		server.answer(a, { n: 1, token: 'two' });
		assert.deepStrictEqual(await call, { n: 1 });
		assert.strictEqual(usher.token, 'two');
	});

	await t.test('a call is as it was when it was made', async (t) => {
		const { server, usher, registration } = await start(t);
		const params = { n: 1 };
		usher.call('a', params).catch(() => {});
		params.n = 2;
		server.answer(registration, { token: 'one' });

		assert.deepStrictEqual((await server.next()).message.params, { n: 1 });
	});

	await t.test('open calls stay open while the connection is away', async (t) => {
		const { server, usher } = await registered(t);
		const call = usher.call('a');
		const a = await server.next();
		server.answer(a, { step: 1 }, false);
		server.down();
		const b = usher.call('b');
		const again = await comeBack(server);
		server.answer(a, { step: 2 }, false);
		server.answer(again, { ok: true, token: 'two', resumed: 1 });
		assert.strictEqual((await server.next()).message.type, 'b');	// and not "a" again
		server.answer(a, { done: true });

		assert.deepStrictEqual(await stepsOf(call.progress), [{ step: 1 }, { step: 2 }]);
		assert.deepStrictEqual(await call, { done: true });
		b.catch(() => {});
	});

	await t.test('what was given up meanwhile is cancelled then', async (t) => {
		const { server, usher } = await registered(t);
		const call = usher.call('a');
		const a = await server.next();
		server.down();
		call.cancel();
		await failure(call);
		server.answer(await comeBack(server), { ok: true, token: 'two', resumed: 1 });

		assert.deepStrictEqual((await server.next()).message,
		    { type: 'usher-cancel', token: 'two', ms_requestId: a.message.ms_requestId });
	});

	for (const [what, message] of [
		['the token is refused', { error: 'Invalid JWT: Error: Token expired', code: 'token_expired', status: { code: 401 } }],
		['the server has kept nothing', { ok: true, token: 'two' }]
	]) {
		await t.test('they fail with link_lost if ' + what, async (t) => {
			const { server, usher } = await registered(t);
			const call = usher.call('a');
			await server.next();
			server.down();
			const b = usher.call('b');
			const lost = message.error && heard(usher, 'lost');
			server.answer(await comeBack(server), message);

			await assertFails(call, { code: 'link_lost', ran: 'maybe' });
			if (lost) {
				assert.strictEqual((await lost)[0].code, 'token_expired');
				const anew = await server.next();
				assert.strictEqual(anew.message.type, 'ewd-register');
				server.answer(anew, { token: 'two' });
			}
			assert.deepStrictEqual((await server.next()).message.type, 'b');
			assert.strictEqual(usher.token, 'two');
			b.catch(() => {});
		});
	}

	await t.test('a busy server is asked again, with the same token', async (t) => {
		const { server, usher } = await registered(t);
		server.down();
		const again = await comeBack(server);
		server.answer(again, { error: 'queue full', code: 'overloaded', status: { code: 503 }, ran: 'no', retry_after_ms: 5 });
		const call = usher.call('a');
		const once = await server.next();
		assert.deepStrictEqual([once.message.type, once.message.token], ['ewd-reregister', 'one']);
		server.answer(once, { ok: true, token: 'two' });

		server.answer(await server.next(), { n: 1 });
		assert.deepStrictEqual(await call, { n: 1 });
	});

	await t.test('a refused registration ends the calls that wait for it', async (t) => {
		const { server, usher, registration } = await start(t);
		const call = usher.call('a');
		const told = heard(usher, 'error');
		server.answer(registration, { error: 'no such thing', code: 'bad_message', status: { code: 400 }, ran: 'no' });

		await assertFails(call, { code: 'bad_message', ran: 'no' });
		assert.strictEqual((await told)[0].code, 'bad_message');
		await assertFails(usher.call('b'), { code: 'bad_message' });
		server.down();
		server.up();			// the next server may know better
		server.answer(await server.next(), { token: 'one' });
		await usher.ready();
	});

	await t.test('a session that ends in the middle is followed by a new one', async (t) => {
		const { server, usher } = await registered(t);
		const lost = heard(usher, 'lost');
		const a = usher.call('a'), b = usher.call('b');
		const [sentA, sentB] = [await server.next(), await server.next()];
		server.answer(sentA, { error: 'gone', code: 'session_revoked', status: { code: 401 }, ran: 'no', disconnect: true });
		await assertFails(a, { code: 'session_revoked', ran: 'no', status: 401 });
		assert.strictEqual((await lost)[0].code, 'session_revoked');
		const anew = await server.next();
		assert.strictEqual(anew.message.type, 'ewd-register');
		server.answer(anew, { token: 'new' });
		server.answer(sentB, { late: true, token: 'of the old session' });

		assert.deepStrictEqual(await b, { late: true });
		assert.strictEqual(usher.token, 'new');
	});

	await t.test('an error reply brings no token, and strays are for nobody', async (t) => {
		const { server, usher } = await registered(t);
		const call = usher.call('a');
		const a = await server.next();
		for (const stray of [null, 1, {}, { type: 1 }, { type: 'a', finished: true, message: {} },
			{ type: 'a', finished: true, message: {}, ms_requestId: 'x' }])
			server.deliver('ewdjs', stray);
		server.answer(a, { error: { why: ['x'] }, token: 'bad' });

		await assertFails(call, { code: 'application_error', message: '{"why":["x"]}', ran: 'yes' });
		assert.strictEqual(usher.token, 'one');
	});
});

// A project that has installed the package, with socket.io-client of a generation beside it.
function project(t, generation, files) {
	const dir = folder(t, Object.fromEntries(files.map((name) =>
	    [name, fs.readFileSync(path.join(__dirname, 'client', name), 'utf8')])));
	const modules = path.join(dir, 'node_modules');
	const peer = require.resolve(generation === 2 ? 'socket.io-client/package.json' : 'socket.io-client-4/package.json');

	fs.cpSync(CLIENT, path.join(modules, '@usher', 'client'), { recursive: true });
	fs.symlinkSync(path.dirname(peer), path.join(modules, 'socket.io-client'));
	return dir;
}

test('the package', async (t) => {
	const { node } = await scriptedNode(t);

	for (const generation of [2, 4]) {
		for (const [file, tag] of [['require.cjs', 'required'], ['import.mjs', 'imported'], ['script.cjs', 'script']]) {
			await t.test(file + ' beside socket.io-client ' + generation, async (t) => {
				const cwd = project(t, generation, [file]);
				const { stdout, stderr } = await run(process.execPath, [file, node.url], { cwd });

				assert.strictEqual(stdout.trim(), JSON.stringify([tag, true]), stderr);
			});
		}
	}

	await t.test('has the files that package.json names, and the parts that it names are in it', async () => {
		const { exports, files, main, module, types } = JSON.parse(fs.readFileSync(path.join(CLIENT, 'package.json')));
		const { import: esm, require: cjs } = exports['.'];

		for (const name of [main, module, types, ...Object.values(esm), ...Object.values(cjs), exports['./script']])
			assert.ok(files.includes(name.slice('./'.length)), name);
		for (const name of files)
			assert.ok(fs.existsSync(path.join(CLIENT, name)), name);
	});
});

test('the declarations', async (t) => {
	const typecheck = async (dir, files, compilerOptions) => {
		fs.writeFileSync(path.join(dir, 'tsconfig.json'), JSON.stringify({ files, compilerOptions: {
			noEmit: true, strict: true, target: 'es2022', lib: ['es2022', 'dom'], types: [], ...compilerOptions
		} }));
		const { code, stdout } = await run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', dir]);
		assert.strictEqual(code, 0, stdout);
	};

	await t.test('for import and for require', async (t) => {
		const dir = project(t, 4, ['usage.ts']);
		for (const name of ['usage.mts', 'usage.cts'])
			fs.copyFileSync(path.join(dir, 'usage.ts'), path.join(dir, name));

		await typecheck(dir, ['usage.mts', 'usage.cts'], { module: 'node16' });
	});

	await t.test('for bundlers, and for projects of old', async (t) => {
		const dir = project(t, 4, ['usage.ts']);

		await typecheck(dir, ['usage.ts'], { module: 'esnext', moduleResolution: 'bundler' });
		await typecheck(dir, ['usage.ts'], { module: 'commonjs', moduleResolution: 'node10' });
	});
});
