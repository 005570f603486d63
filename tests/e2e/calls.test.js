// SPDX-License-Identifier: ISC
// A handler asks another service, in the name of the user who asked it.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { nodeOf, workerOf, scriptedApp } = require('./lib/configs');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { job, Gate, Record } = require('./lib/scripts');
const { startStockService } = require('./lib/stock');
const { claims, decryptSecrets } = require('./lib/tokens');
const { startUsherd, nodeKit, SECRET } = require('./lib/usherd');

const LOGIN = { line: '{"op":"finish","id":@ID,"message":{},"session":' +
    '{"username":"rob","role":"nurse","timeout":600},"secret":["username"]}' };

const ask = (application, type, message = {}) => ({ call: { application, type, message } });
const asked = (type, message) => ask('asked', type, message);
// Asks, waits for the final reply, and gives all replies to the browser.
const relay = (call) => job(call, { until: 'reply' }, { relay: true });

// A node with an application "asking" and more, and a browser of "asking" that is logged in as rob.
async function start(t, applications, more, pool = 'size: 2', record = new Record(t)) {
	const node = await startUsherd(t, nodeOf('near', {
		asking: scriptedApp(pool, { ready: { cancel: true }, record: record.file }), ...applications
	}, more));
	const browser = await rawBrowser(t, node.port, 'asking');
	browser.token = (await browser.request(job(LOGIN))).message.token;
	return { node, browser, record };
}

async function replies(browser, call) {
	const { message } = await browser.request(relay(call));

	return message.replies;
}

test('an application of the same node', async (t) => {
	const record = new Record(t);
	const { browser, record: own } = await start(t, { asked: scriptedApp('size: 1', { record: record.file }) });

	await t.test('sees the message, the user and the browser', async () => {
		await replies(browser, asked('job', { params: { tag: 7 }, token: 'x', usher: { id: 1 }, more: [0.5] }));
		const [request] = record.lines('request');
		const outer = own.lines('request').pop();

		assert.strictEqual(request.application, 'asked');
		assert.deepStrictEqual(request.message, { type: 'job', params: { tag: 7 }, more: [0.5] });
		const { application, username, role, timeout } = request.session;
		assert.deepStrictEqual([application, username, role, timeout], ['asked', 'rob', 'nurse', 600]);
		assert.deepStrictEqual(request.secret, ['username']);
		assert.deepStrictEqual(request.client, { address: '127.0.0.1', socket: browser.sid });
		assert.strictEqual(request.request, outer.request, 'one name in the logs');
		assert.ok(request.deadline_ms <= outer.deadline_ms);
	});

	await t.test('answers with intermediates and a final, without a token', async () => {
		const params = { script: [{ send: { step: 1 } }, { send: [2] }, { finish: { done: true } }] };

		assert.deepStrictEqual(await replies(browser, asked('job', { params })), [
			{ finished: false, message: { step: 1 } },
			{ finished: false, message: [2] },
			{ finished: true, message: { done: true } }
		]);
	});

	await t.test('leaves the session of the outer request alone', async () => {
		const params = { script: [{ line: '{"op":"finish","id":@ID,"message":{"a":1},"session":{"username":"eve"},"secret":[]}' }] };
		const { message } = await browser.request(relay(asked('job', { params })));
		const { application, role, username, timeout } = claims(message.token);

		assert.deepStrictEqual(message.replies, [{ finished: true, message: { a: 1 } }]);
		assert.deepStrictEqual([application, role, username, timeout], ['asking', 'nurse', undefined, 600]);
		assert.strictEqual(decryptSecrets(message.token, SECRET).username, 'rob');
	});

	await t.test('is issued no token: it may end with a session that none has room for', async () => {
		const line = `{"op":"finish","id":@ID,"message":{"a":2},"session":{"notes":"${'x'.repeat(70000)}"}}`;
		const params = { script: [{ line }] };
		const alone = await browser.request(job({ line }));

		assertError(alone, { type: 'job', code: 'handler_error' });
		assert.match(alone.message.error, /too big for a token/);
		assert.deepStrictEqual(await replies(browser, asked('job', { params })), [{ finished: true, message: { a: 2 } }]);
	});

	await t.test('may fail', async () => {
		const fail = async (...script) => (await replies(browser, asked('job', { params: { script } }))).pop();
		const own = await fail({ fail: 'Told to fail' });
		const lost = await fail({ exit: 1 });

		assert.deepStrictEqual(await fail({ finish: { error: 'No such user', status: { code: 404 } } }),
		    { finished: true, message: { error: 'No such user', status: { code: 404 } } });
		assert.deepStrictEqual([own.message.error, own.message.code, own.message.by], ['Told to fail', 'handler_error', 'near']);
		assert.strictEqual(lost.message.code, 'worker_lost');
	});

	await t.test('may not be there', async () => {
		const [reply] = await replies(browser, ask('nobody', 'job'));

		assert.strictEqual(reply.message.code, 'no_handler');
		assert.strictEqual(reply.message.error, 'Handler not defined for nobody messages of type job');
	});

	await t.test('may be asked several things at a time', async () => {
		const params = (tag) => ({ params: { tag } });
		const { message } = await browser.request(job(asked('job', params(1)), asked('job', params(2)),
		    asked('job', params(3)), { until: 'reply' }, { relay: true }));
		const tags = message.replies.map((reply) => reply.message.tag);

		assert.deepStrictEqual(tags, [1, 2, 3]);
	});
});

test('a remote usher node, through u_services', async (t) => {
	const record = new Record(t);
	const far = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const further = await startUsherd(t, nodeOf('further', { remote: scriptedApp('size: 1', { record: record.file }) }));
	const { node, browser } = await start(t, {}, `
u_services:
  - application: asked
    types:
      job: { url: "${further.url}", application: remote }
      "*": { url: "${far.url}", application: remote-app }
`);
	await node.linked(2);

	await t.test('sees the same user and browser', async () => {
		const [reply] = await replies(browser, asked('job', { params: { tag: 'far' } }));
		const [request] = record.lines('request');

		assert.deepStrictEqual([reply.message.ok, reply.message.tag, reply.message.token], [true, 'far', undefined]);
		assert.deepStrictEqual([request.session.application, request.session.username], ['remote', 'rob']);
		assert.deepStrictEqual(request.client, { address: '127.0.0.1', socket: browser.sid });
	});

	await t.test('answers with intermediates', async () => {
		const got = await replies(browser, asked('steps', { params: { tag: 's' } }));

		assert.deepStrictEqual(got.map((reply) => [reply.finished, reply.message.step || 'done']),
		    [[false, 1], [false, 2], [false, 3], [true, 'done']]);
	});

	await t.test('may fail', async () => {
		assert.deepStrictEqual((await replies(browser, asked('fail'))).pop().message, { error: 'Told to fail', status: { code: 418 } });
		assert.strictEqual((await replies(browser, asked('crash'))).pop().message.code, 'handler_error');
		await far.stop();
		const code = (await replies(browser, asked('steps'))).pop().message.code;
		assert.ok(['link_down', 'link_lost'].includes(code), code);
	});
});

test('a stock QEWD service, through u_services', async (t) => {
	const service = await startStockService(t);
	const { node, browser } = await start(t, {}, `
u_services:
  - application: asked
    types:
      "*": { url: "${service.url}", application: remote-app }
`);
	await node.linked();
	const login = await browser.request(relay(asked('login', { params: { username: 'rob', password: 'secret' } })));
	const [whoami] = await replies(browser, asked('whoami'));
	const steps = await replies(browser, asked('steps', { params: { tag: 's' } }));
	const [failed] = await replies(browser, asked('fail', { params: { tag: 'f' } }));

	assert.deepStrictEqual(login.message.replies, [{ finished: true, message: { ok: true } }]);
	assert.strictEqual(claims(login.message.token).userText, undefined, 'its login is not ours');
	assert.deepStrictEqual([whoami.message.application, whoami.message.username, whoami.message.isSecret], ['remote-app', 'rob', true]);
	assert.deepStrictEqual(steps.map((reply) => reply.message.step || 'done'), [1, 2, 3, 'done']);
	assert.deepStrictEqual(failed.message, { error: 'Told to fail', status: { code: 418 }, tag: 'f' });
});

test('a call ends with the request it belongs to', async (t) => {
	// The called waits until it is cancelled; who asks and does nothing else waits for ever.
	const endless = asked('job', { params: { script: [{ until: 'cancel' }, { fail: 'cancelled' }] } });
	const ends = {
		'which is cancelled': {
			code: 'cancelled',
			end: (browser) => browser.emit({ type: 'usher-cancel', token: browser.token, ms_requestId: 'outer' })
		},
		'which is timed out': { code: 'timeout', type: 'hasty' },
		'whose worker ends': { code: 'worker_lost', then: [{ exit: 1 }] },
		'which ends without its reply': { then: [{ finish: { early: true } }] }
	};

	for (const [what, { code, type = 'job', then = [], end = () => {} }] of Object.entries(ends)) {
		await t.test(what, async (t) => {
			const record = new Record(t), gate = new Gate(t);
			const { browser } = await start(t, {
				asked: scriptedApp('size: 1, concurrency: 2', { ready: { cancel: true, concurrency: 2 }, record: record.file })
			}, `
u_services:
  - application: asking
    types:
      hasty: { destination: asking, timeout: 1s }
`);
			browser.emit({ ...job(endless, { gate: gate.file }, ...then), type, token: browser.token, ms_requestId: 'outer' });
			const [called] = await record.told('request');
			gate.open();
			end(browser);
			const reply = await browser.nextReply();
			const [cancel] = await record.told('cancel');

			assert.strictEqual(cancel.id, called.id);
			if (code)
				assertError(reply, { type, code, ms_requestId: 'outer' });
			else
				assert.strictEqual(reply.message.early, true);
			assert.strictEqual((await replies(browser, asked('job', { params: { tag: 'next' } })))[0].message.tag, 'next');
		});
	}
});

test('an application that asks itself', async (t) => {
	const itself = (tag) => ask('asking', 'job', { params: { tag } });

	await t.test('gets one more worker while not all are running', async (t) => {
		const { node, browser } = await start(t, {}, '', 'size: 2');
		const [reply] = await replies(browser, itself('other'));

		assert.strictEqual(reply.message.tag, 'other');
		assert.match(node.log, /asking#2: ready/);
	});

	await t.test('is overloaded at once when its only worker waits', async (t) => {
		const { browser } = await start(t, {}, '', 'size: 1');
		const [reply] = await replies(browser, itself('never'));

		assert.deepStrictEqual([reply.finished, reply.message.code, reply.message.ran], [true, 'overloaded', 'no']);
		assert.strictEqual((await browser.request(job({ finish: { ok: true } }))).message.ok, true);
	});

	await t.test('is overloaded at once when the last of its workers waits', async (t) => {
		const { node, browser } = await start(t, {}, '', 'size: 2');
		const other = await rawBrowser(t, node.port, 'asking');
		const gate = new Gate(t);
		for (const one of [browser, other]) {
			one.emit({ ...job({ send: {} }, { gate: gate.file }, itself('x'), { until: 'reply' }, { relay: true }), token: one.token });
			await one.nextReply();
		}
		gate.open();
		const [a, b] = [await browser.nextReply(), await other.nextReply()].map(({ message }) => message.replies[0].message);

		assert.ok([a.code, b.code].includes('overloaded'), JSON.stringify([a, b]));
		assert.ok([a, b].every((message) => message.code === 'overloaded' || message.tag === 'x'), JSON.stringify([a, b]));
	});

	await t.test('is overloaded as well while an older worker is leaving', async (t) => {
		const { node, browser } = await start(t, {}, '', 'size: 1, max_messages: 3');
		const isReady = (number) => node.logged(new RegExp(`asking#${number}: ready`));
		await browser.request(job({ finish: {} }));
		await browser.request(job({ finish: {} }, { block: 1000 }));
		await isReady(2);
		const [reply] = await replies(browser, itself('never'));

		assert.strictEqual(reply.message.code, 'overloaded');
	});

	await t.test('in a circle of calls stops at eight hops', async (t) => {
		const circle = (n) => ({
			script: n === 0 ? [{ finish: { bottom: true } }] :
			    [ask('asking', 'job', { params: circle(n - 1) }), { until: 'reply' }, { relay: true }]
		});
		const { browser } = await start(t, {}, '', 'size: 12');
		const { message } = await browser.request({ type: 'job', params: circle(10) });

		assert.match(JSON.stringify(message), /"code":"loop"/);
		assert.doesNotMatch(JSON.stringify(message), /bottom/);
	});
});
