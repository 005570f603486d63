// SPDX-License-Identifier: ISC
// Every error that usher makes itself, in exactly the shape the manual gives it.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { masterOf, workerOf, scripted } = require('./lib/configs');
const { fakeNode } = require('./lib/fake-node');
const { rawBrowser, rawClient } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { sign, claims, session, linkProof } = require('./lib/tokens');
const { startUsherd, JWT, LISTEN, SECRET } = require('./lib/usherd');

const now = () => Math.floor(Date.now() / 1000);

// A message whose worker does this; see handlers/scripted.js.
const job = (...script) => ({ type: 'job', params: { script } });
const NEVER = job();

async function startWorker(t, pool, more = '') {
	const node = await startUsherd(t, workerOf(scripted, pool || 'size: 1') + more);

	return { node, browser: await rawBrowser(t, node.port, 'remote-app') };
}

async function startMaster(t, link, options) {
	const far = await fakeNode(t, options);
	const master = await startUsherd(t, masterOf(far.url, link));
	await master.linked();

	return { far, master, browser: await rawBrowser(t, master.port) };
}

test('bad_message', async (t) => {
	const { browser } = await startWorker(t);
	browser.emit(`{"type":"job","token":"${browser.token}","token":"x","ms_requestId":1}`);

	assertError(await browser.nextReply(), { type: 'job', code: 'bad_message', error: /token/, ms_requestId: 1, by: 'worker' });
});

test('no_token', async (t) => {
	const { browser } = await startWorker(t);
	browser.emit({ type: 'job' });

	assertError(await browser.nextReply(), { type: 'job', code: 'no_token', error: 'Missing authorization header' });
});

test('invalid_token', async (t) => {
	const { browser } = await startWorker(t);
	const [head, body, signature] = browser.token.split('.');
	const forged = Buffer.from(JSON.stringify(Object.assign(claims(browser.token), { authenticated: true }))).toString('base64url');
	const refused = {
		'signed with another secret': [session('remote-app', 'x' + SECRET), 'Error: Signature verification failed'],
		'with other claims': [[head, forged, signature].join('.'), 'Error: Signature verification failed'],
		'with a cut signature': [browser.token.slice(0, -1), 'Error: Signature verification failed'],
		'with algorithm none': [sign(claims(browser.token), '', { typ: 'JWT', alg: 'none' }), 'Error: Algorithm not supported'],
		'with algorithm HS512': [sign(claims(browser.token), SECRET, { typ: 'JWT', alg: 'HS512' }), 'Error: Algorithm not supported'],
		'with two parts': [head + '.' + body, 'Error: Not enough or too many segments'],
		'with four parts': [browser.token + '.x', 'Error: Not enough or too many segments'],
		'that is a word': ['token', 'Error: Not enough or too many segments'],
		'that is no JSON': ['e30.e30e.' + signature, /(SyntaxError|Error): /],
		'that is not active yet': [sign({ application: 'remote-app', nbf: now() + 100, exp: now() + 200 }, SECRET), 'Error: Token not yet active'],
		'that is a number': [7, 'TypeError: token.split is not a function'],
		'that is an object': [{ a: 1 }, 'TypeError: token.split is not a function']
	};

	for (const [what, [token, why]] of Object.entries(refused)) {
		await t.test('a token ' + what, async () => {
			browser.emit({ type: 'job', token, ms_requestId: 'i' });
			assertError(await browser.nextReply(), { type: 'job', code: 'invalid_token', ms_requestId: 'i',
				error: why instanceof RegExp ? why : 'Invalid JWT: ' + why });
		});
	}
});

test('token_expired', async (t) => {
	const { browser } = await startWorker(t);
	browser.emit({ type: 'job', token: sign({ application: 'remote-app', iat: now() - 20, exp: now() - 10, timeout: 10 }, SECRET) });

	assertError(await browser.nextReply(), { type: 'job', code: 'token_expired', error: 'Invalid JWT: Error: Token expired' });
});

test('a token that runs out is refused from then on', async (t) => {
	const { browser } = await startWorker(t, 'size: 1');
	browser.token = sign({ application: 'remote-app', iat: now(), exp: now() + 2, timeout: 2 }, SECRET);
	const { exp } = claims(browser.token);
	const fine = await browser.request({ type: 'job' });
	const wait = Math.max(0, exp * 1000 - Date.now() + 50);
	await new Promise((resolve) => setTimeout(resolve, wait));	// until the clock says so

	assert.strictEqual(fine.message.ok, true);
	assertError(await browser.request({ type: 'job' }), { type: 'job', code: 'token_expired' });
});

test('not_allowed', async (t) => {
	const { browser } = await startWorker(t);

	for (const type of ['ewd-jwt-encode', 'ewd-jwt-decode', 'ewd-jwt-updateExpiry', 'ewd-jwt-isValid', 'ewd-fragment',
		'ewd-dump-documents', 'ewd-save-documents', 'ewd-anything', 'qoper8-test', 'qoper8-getStats', 'qoper8-exit', 'qoper8-start',
		'restRequest']) {
		browser.emit({ type, token: browser.token, ms_requestId: 9, params: { payload: { authenticated: true } } });
		assertError(await browser.nextReply(), { type, code: 'not_allowed', ms_requestId: 9 });
	}
});

test('no_handler', async (t) => {
	await t.test('no route and no local application', async (t) => {
		const { browser } = await startMaster(t);
		browser.token = session('elsewhere', SECRET);

		assertError(await browser.request({ type: 'job' }),
		    { type: 'job', code: 'no_handler', error: 'Handler not defined for elsewhere messages of type job' });
	});

	await t.test('said by the handler', async (t) => {
		const { browser } = await startWorker(t);
		const error = 'Handler not defined for remote-app messages of type job';
		const reply = await browser.request(job({ line: `{"op":"fail","id":@ID,"code":"no_handler","error":"${error}"}` }));

		assertError(reply, { type: 'job', code: 'no_handler', error });
	});
});

test('too_big', async (t) => {
	await t.test('above limits.message the connection is closed, as the protocol has it', async (t) => {
		const { browser } = await startWorker(t, 'size: 1', 'limits: { message: 10KB }\n');
		browser.emit({ type: 'job', token: browser.token, params: 'x'.repeat(10000) });

		assert.strictEqual(await browser.whenClosed(), 1009);
	});

	await t.test('what exceeds the limit of a stock peer is never sent', async (t) => {
		const { far, browser } = await startMaster(t, '', {});
		const empty = '42["ewdjs",' + JSON.stringify({ type: 'job', token: browser.token, params: '' }) + ']';
		browser.emit({ type: 'job', token: browser.token, params: 'x'.repeat(1000000 - empty.length) });

		assertError(await browser.nextReply(), { type: 'job', code: 'too_big', error: /1000000|1 ?MB/ });
		assert.strictEqual(far.requests.items.length, 0);
	});

	await t.test('what exceeds the limit an usher peer announced is never sent', async (t) => {
		const { far, browser } = await startMaster(t, '', { secret: SECRET, limit: 5000 });
		browser.emit({ type: 'job', token: browser.token, params: 'x'.repeat(5000) });

		assertError(await browser.nextReply(), { type: 'job', code: 'too_big' });
		assert.strictEqual(far.requests.items.length, 0);
	});
});

test('too_many', async (t) => {
	await t.test('messages a second', async (t) => {
		const { browser } = await startWorker(t, 'size: 1', 'limits: { messages_per_second: 5 }\n');
		const replies = [];
		for (let i = 0; i < 30; i++)
			browser.emit({ type: 'job', token: browser.token });
		for (let i = 0; i < 30; i++)
			replies.push(await browser.nextReply());
		const refused = replies.filter((r) => r.message.code);

		assert.ok(refused.length >= 15 && refused.length < 30, refused.length + ' refused');
		refused.forEach((reply) => assertError(reply, { type: 'job', code: 'too_many' }));
	});

	await t.test('a flood, which does not stop when it is told', async (t) => {
		const { browser } = await startWorker(t, 'size: 1', 'limits: { messages_per_second: 5 }\n');
		for (let i = 0; i < 300; i++)
			browser.emit({ type: 'job', token: browser.token });
		assert.strictEqual(await browser.whenClosed(), 1008);
	});

	await t.test('requests in flight', async (t) => {
		const { node, browser } = await startWorker(t, 'size: 1', 'limits: { in_flight_per_session: 3 }\n');
		node.endsBy = 'SIGINT';
		for (let i = 0; i < 4; i++)
			browser.emit(Object.assign({ token: browser.token, ms_requestId: i }, NEVER));

		assertError(await browser.nextReply(), { type: 'job', code: 'too_many', ms_requestId: 3 });
	});
});

test('handler_error', async (t) => {
	const { browser } = await startWorker(t);

	await t.test('the exception of a handler', async () => {
		const reply = await browser.request(job({ line: '{"op":"fail","id":@ID,"error":"Deliberate failure"}' }));
		assertError(reply, { type: 'job', code: 'handler_error', error: 'Deliberate failure' });
	});

	await t.test('any other code of a handler', async () => {
		const reply = await browser.request(job({ line: '{"op":"fail","id":@ID,"error":"x","code":"timeout"}' }));
		assertError(reply, { type: 'job', code: 'handler_error', error: 'x' });
	});

	await t.test('with a status of its own', async () => {
		const reply = await browser.request(job({ line: '{"op":"fail","id":@ID,"error":"x","status":418}' }));
		assertError(reply, { type: 'job', code: 'handler_error', error: 'x', status: 418 });
	});

	await t.test('the exception of a stock service', async (t) => {
		const { far, browser } = await startMaster(t);
		browser.emit({ type: 'job', token: browser.token, ms_requestId: 5 });
		const request = await far.next();
		request.reply({ type: 'error', finished: true, message: 'Deliberate failure', responseTime: '1ms' });

		assertError(await browser.nextReply(),
		    { type: 'job', code: 'handler_error', error: /Deliberate failure/, ms_requestId: 5, by: 'master' });
	});
});

test('link_lost', async (t) => {
	for (const options of [{}, { secret: SECRET }]) {
		await t.test(options.secret ? 'between usher nodes' : 'to a stock service', async (t) => {
			const { far, browser } = await startMaster(t, '', options);
			browser.emit({ type: 'job', token: browser.token, ms_requestId: 5 });
			await far.next();
			far.cut();

			assertError(await browser.nextReply(), { type: 'job', code: 'link_lost', ms_requestId: 5 });
		});
	}
});

test('worker_lost', async (t) => {
	const { browser } = await startWorker(t);

	for (const end of [{ kill: 'SIGKILL' }, { exit: 0 }, { exit: 1 }, { kill: 'SIGTERM' }])
		assertError(await browser.request(job(end)), { type: 'job', code: 'worker_lost' });
	assert.strictEqual((await browser.request({ type: 'job' })).message.ok, true);
});

test('reply_too_big', async (t) => {
	await t.test('of a handler', async (t) => {
		const { browser } = await startWorker(t, 'size: 1', 'limits: { reply: 20KB }\n');
		const big = JSON.stringify({ op: 'finish', id: '@ID', message: { a: 'x'.repeat(30000) } }).replace('"@ID"', '@ID');

		assertError(await browser.request(job({ line: big })), { type: 'job', code: 'reply_too_big' });
		assert.strictEqual((await browser.request({ type: 'job' })).message.ok, true);
	});

	await t.test('of a stock service', async (t) => {
		const far = await fakeNode(t);
		const master = await startUsherd(t, masterOf(far.url, 'links: 1') + 'limits: { reply: 20KB }\n');
		await master.linked();
		const browser = await rawBrowser(t, master.port);
		browser.emit({ type: 'job', token: browser.token });
		const request = await far.next();
		request.final({ a: 'x'.repeat(30000) });

		assertError(await browser.nextReply(), { type: 'job', code: 'reply_too_big' });
	});
});

test('link_down', async (t) => {
	const far = await fakeNode(t);
	await far.close();
	const master = await startUsherd(t, masterOf(far.url));
	const browser = await rawBrowser(t, master.port);
	const reply = await browser.request({ type: 'job', ms_requestId: 1 });

	assertError(reply, { type: 'job', code: 'link_down', error: 'MicroService connection is down', ms_requestId: 1, by: 'master' });
});

test('overloaded', async (t) => {
	await t.test('the queue of a pool', async (t) => {
		const { node, browser } = await startWorker(t, 'size: 1, queue: 1');
		node.endsBy = 'SIGINT';
		await browser.request({ type: 'job' });		// its worker runs now
		for (let i = 0; i < 3; i++)
			browser.emit(Object.assign({ token: browser.token, ms_requestId: i }, NEVER));

		assertError(await browser.nextReply(), { type: 'job', code: 'overloaded', ms_requestId: 2 });
	});

	await t.test('the queue of a stock destination', async (t) => {
		const { master, browser } = await startMaster(t, 'links: 1, queue: 1');
		master.endsBy = 'SIGINT';
		for (let i = 0; i < 3; i++)
			browser.emit({ type: 'job', token: browser.token, ms_requestId: i });

		assertError(await browser.nextReply(), { type: 'job', code: 'overloaded', ms_requestId: 2 });
	});

	await t.test('the bytes in the queue of a stock destination', async (t) => {
		const { master, browser } = await startMaster(t, 'links: 1, queue_bytes: 5KB');
		master.endsBy = 'SIGINT';
		for (let i = 0; i < 3; i++)
			browser.emit({ type: 'job', token: browser.token, ms_requestId: i, params: 'x'.repeat(3000) });

		assertError(await browser.nextReply(), { type: 'job', code: 'overloaded', ms_requestId: 2 });
	});
});

test('stopping', async (t) => {
	const { far, master, browser } = await startMaster(t);
	const replies = { old: null, late: null };
	browser.emit({ type: 'job', token: browser.token, ms_requestId: 'old' });
	const old = await far.next();
	// A message may still slip in before the signal is seen.
	far.answer = (request) => {
		request.final({ ok: true });
		return true;
	};
	const stopped = master.stop('SIGTERM');
	while (!replies.late) {
		browser.emit({ type: 'job', token: browser.token, ms_requestId: 'late' });
		const reply = await browser.nextReply();
		if (reply.message.code)
			replies.late = reply;
	}
	old.final({ ok: true });
	replies.old = await browser.nextReply();

	assertError(replies.late, { type: 'job', code: 'stopping', ms_requestId: 'late' });
	assert.deepStrictEqual([replies.old.ms_requestId, replies.old.message.ok], ['old', true]);
	await stopped;
});

test('timeout', async (t) => {
	const far = await fakeNode(t);
	const master = await startUsherd(t, `
node: master
${LISTEN}
${JWT}
timeouts: { request: 300ms }
destinations:
  slow: { application: remote-app, urls: ["${far.url}"], timeout: 200ms }
  none: { application: remote-app, urls: ["${far.url}"] }
u_services:
  - application: browser-app
    types:
      byRoute: { destination: slow, timeout: 100ms }
      byDestination: { destination: slow }
      byDefault: { destination: none }
`);
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	for (const [type, ms] of [['byRoute', 100], ['byDestination', 200], ['byDefault', 300]]) {
		await t.test(type, async () => {
			const begun = Date.now();
			const reply = await browser.request({ type, ms_requestId: type });
			const took = Date.now() - begun;

			assertError(reply, { type, code: 'timeout', ms_requestId: type });
			assert.ok(took >= ms - 2, 'after ' + took + ' ms');
		});
	}

	await t.test('of a handler', async (t) => {
		const { browser } = await startWorker(t, 'size: 1, deadline: 200ms');
		assertError(await browser.request(NEVER), { type: 'job', code: 'timeout' });
		assert.strictEqual((await browser.request({ type: 'job' })).message.ok, true);
	});

	await t.test('of what the asking node left', async (t) => {
		const { browser } = await startWorker(t, 'size: 1');
		const link = await provenLink(t, browser);
		link.emit(Object.assign({ token: browser.token, usher: { id: 3, deadline_ms: 100, hops: 1 } }, NEVER));
		const { usher, ...reply } = await link.nextReply();

		assert.deepStrictEqual(usher, { id: 3 });
		assertError(reply, { type: 'job', code: 'timeout' });
	});
});

// A client that proves to be a node, as a master's link does.
async function provenLink(t, browser) {
	const { port } = new URL(browser.ws.url);
	const link = await rawClient(t, port);

	link.emit({ type: 'ewd-register', application: 'remote-app', jwt: true,
		usher: { link: 1, node: 'test', proof: linkProof(SECRET, link.sid) } });
	const { message } = await link.nextReply();
	assert.strictEqual(message.usher.link, 1);
	assert.strictEqual(message.usher.node, 'worker');
	return link;
}

test('loop', async (t) => {
	const { browser } = await startWorker(t);
	const link = await provenLink(t, browser);
	const ask = async (hops) => {
		link.emit({ type: 'job', token: browser.token, usher: { id: hops, deadline_ms: 5000, hops } });
		const { usher, ...reply } = await link.nextReply();
		assert.deepStrictEqual(usher, { id: hops });
		return reply;
	};

	assert.strictEqual((await ask(1)).message.ok, true);
	assertError(await ask(9), { type: 'job', code: 'loop' });
});

test('two masters that send to each other find out', async (t) => {
	// The port of the second must be known before it runs: one that was free a moment ago.
	const spare = await fakeNode(t);
	await spare.close();
	const first = await startUsherd(t, masterOf(spare.url).replaceAll('remote-app', 'browser-app'));
	const second = await startUsherd(t, masterOf('ws://127.0.0.1:' + first.port).replaceAll('remote-app', 'browser-app')
	    .replace('127.0.0.1:0', '127.0.0.1:' + spare.port));
	await first.linked();
	await second.linked();
	const browser = await rawBrowser(t, first.port);

	assertError(await browser.request({ type: 'job', ms_requestId: 1 }), { type: 'job', code: 'loop', ms_requestId: 1 });
});

test('internal', async (t) => {
	const { far, browser } = await startMaster(t);

	for (const reply of ['{"type":"job","type":"job","finished":true,"message":{}}',
		'{"type":"job","finished":true,"message":{"token":"a","t\\u006fken":"b"}}']) {
		browser.emit({ type: 'job', token: browser.token });
		const request = await far.next();
		request.reply(reply);
		assertError(await browser.nextReply(), { type: 'job', code: 'internal' });
	}
});

test('an error of a worker node passes a master as it is', async (t) => {
	const worker = await startUsherd(t, workerOf(scripted, 'size: 1'));
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();
	const browser = await rawBrowser(t, master.port);
	const reply = await browser.request(Object.assign({ ms_requestId: 2 }, job({ kill: 'SIGKILL' })));

	assertError(reply, { type: 'job', code: 'worker_lost', by: 'worker', ms_requestId: 2 });
});

test('only one final, as acknowledgement and as event', async (t) => {
	const { browser } = await startWorker(t);
	browser.send('421["ewdjs",{"type":"job"}]');
	const event = await browser.next('the event');
	const ack = await browser.next('the acknowledgement');

	assert.strictEqual(ack, '431[' + event.slice('42["ewdjs",'.length));
	assertError(JSON.parse(ack.slice(3))[0], { type: 'job', code: 'no_token' });
});
