// SPDX-License-Identifier: ISC
// The client of contrib/client over both generations of socket.io-client, against the daemon.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { IO, webStorage, page, heard, stepsOf, scriptedNode, failure, assertFails, fakeWebStorage } =
    require('./client/page');
const { atEnd } = require('./lib/cleanup');
const { masterOf, nodeOf, workerOf, scriptedApp } = require('./lib/configs');
const { cutter } = require('./lib/cutter');
const { job, Gate } = require('./lib/scripts');
const { claims, session } = require('./lib/tokens');
const { startUsherd, nodeKit, SECRET } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const ROB = { username: 'rob', password: 'secret' };
const script = (...steps) => job(...steps).params;

const appNode = (t, more = '') => startUsherd(t,
    nodeOf('near', { 'browser-app': `{ command: ${nodeKit('remote-app.js')}, pool: { size: 3 } }` }, more));

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
	const { node } = await scriptedNode(t, { more: 'limits: { in_flight_per_session: 2 }\n' });
	const usher = page(t, node.url);

	await t.test('handler_error', () => assertFails(usher.call('job', script({ fail: 'broken' })),
	    { message: 'broken', code: 'handler_error', ran: 'maybe', status: 500, by: 'near' }));

	await t.test('worker_lost', () => assertFails(usher.call('job', script({ exit: 1 })),
	    { code: 'worker_lost', ran: 'maybe', status: 502, by: 'near' }));

	await t.test('timeout of the server', async (t) => {
		const slow = await scriptedNode(t, { more: 'timeouts: { request: 300ms }\n' });

		await assertFails(page(t, slow.node.url).call('job', script({ until: 'cancel' })),
		    { code: 'timeout', status: 504, by: 'near' });
	});

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
	    .replace('allow_short_secret: true', 'allow_short_secret: true, lifetime: 3s'));
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

test('HTTP polling is another transport', async (t) => {
	const { node } = await scriptedNode(t);

	for (const generation of [2, 4]) {
		for (const transports of [['polling'], ['polling', 'websocket']]) {
			const usher = page(t, node.url, { generation, socketOptions: { transports } });
			const call = usher.call('job', script({ send: { n: 1 } }, { finish: { n: 2 } }));

			assert.deepStrictEqual(await stepsOf(call.progress), [{ n: 1 }]);
			assert.deepStrictEqual(await call, { n: 2 });
		}
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
