// SPDX-License-Identifier: ISC
// The client of contrib/client where the order of events matters: over a socket without a
// network, with the test as the server.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { FakeSocket } = require('./client/fake-socket');
const { webStorage, page, heard, stepsOf, failure, assertFails, fakeWebStorage } = require('./client/page');
const { waitFor, within } = require('./lib/wait');

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

	await t.test('who reads the steps hears of the error there, and again from the call', async (t) => {
		const { server, usher } = await registered(t);
		const call = usher.call('a');
		const a = await server.next();
		server.answer(a, { step: 1 }, false);
		const seen = [];
		const error = await failure((async () => {
			for await (const step of call.progress) {
				seen.push(step);
				server.answer(a, { step: 2 }, false);
				server.answer(a, { error: 'broken', code: 'handler_error', ran: 'maybe' });
				// Nobody awaits the call yet, and that is no unhandled rejection.
				await new Promise(setImmediate);
			}
		})());

		assert.deepStrictEqual(seen, [{ step: 1 }, { step: 2 }]);
		assert.strictEqual(error.code, 'handler_error');
		assert.strictEqual(await failure(call), error);
		assert.strictEqual(await failure(stepsOf(call.progress)), error);
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

test('plain events, with the test as the server', async (t) => {
	const plain = (t, server, options) => page(t, server, { door: 'events', ...options });

	await t.test('the handshake says who asks for which application', async (t) => {
		const server = new FakeSocket({ any: true });
		const usher = plain(t, server, { storage: webStorage(fakeWebStorage()) });
		const said = () => within('the handshake', new Promise((resolve) => server.auth(resolve)));
		assert.deepStrictEqual(await said(), { application: 'browser-app', token: undefined });
		server.up();
		server.deliver('auth', { token: 'one' });
		await usher.ready();
		server.down();

		assert.deepStrictEqual(await said(), { application: 'browser-app', token: 'one' });
		server.up();
		await usher.ready();
		server.deliver('auth', { token: 'two' });	// now it is the session's, renewed
		await waitFor('the new token', () => usher.token === 'two');
	});

	await t.test('a connection that there was has a session of its own, which is not taken', async (t) => {
		const server = new FakeSocket({ any: true });
		server.up();
		const usher = plain(t, server, { token: 'mine' });
		await usher.ready();
		server.deliver('auth', { token: 'foreign' });
		await new Promise(setImmediate);
		usher.call('a').catch(() => {});
		const { event, values } = await server.next();

		assert.deepStrictEqual([event, values[0], values[1].token], ['browser-app/a', {}, 'mine']);
		server.deliver('auth', { token: 'renewed' });
		await waitFor('the new token', () => usher.token === 'renewed');
	});

	await t.test('where the server hands over no session, it has one: the first reply tells', async (t) => {
		const server = new FakeSocket({ any: true });
		const usher = plain(t, server);
		server.up();
		const call = usher.call('a', { n: 1 }, { deadline: 20000 });
		const { values: [argument, { id, token, deadline_ms: left }, acknowledge] } = await server.next();
		assert.deepStrictEqual([argument, token], [{ n: 1 }, undefined]);
		// The server gives up later than the client, which cancels first.
		assert.ok(left > 20000 && left <= 25000, String(left));
		server.deliver('browser-app/other:progress', { step: 1 }, { id });
		server.deliver('browser-app/a:progress', { step: 2 }, { id: 'x' });
		server.deliver('browser-app/a:progress', { step: 3 });
		acknowledge({ n: 2, token: 'one' });
		acknowledge({ n: 3, token: 'two' });

		assert.deepStrictEqual(await stepsOf(call.progress), [{ step: 1 }]);
		assert.deepStrictEqual(await call, { n: 2 });
		assert.strictEqual(usher.token, 'one');
	});

	await t.test('events of other names are pushes', async (t) => {
		const server = new FakeSocket({ any: true });
		const usher = plain(t, server, { token: 'one' });
		const pushes = [];
		usher.on('push', (...push) => pushes.push(push));
		server.up();
		server.deliver('news', { n: 1 });
		server.deliver('ewdjs', { type: 'more', message: { n: 2 } });
		server.deliver('browser-app/a:progress', { n: 3 });
		usher.close();
		server.deliver('news', { n: 4 });

		assert.deepStrictEqual(pushes, [['news', { n: 1 }], ['more', { n: 2 }]]);
	});
});
