// SPDX-License-Identifier: ISC
// Messages without a socket: POST /ajax, as the stock browser client sends them.
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const test = require('node:test');
const { ask } = require('./lib/http');
const { rawBrowser, tcp } = require('./lib/raw');
const { masterOf, workerOf, nodeOf, scripted, scriptedApp } = require('./lib/configs');
const { job, Gate, Record } = require('./lib/scripts');
const { claims, decryptSecrets, session } = require('./lib/tokens');
const { startUsherd, SECRET } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const JSON_TYPE = { 'Content-Type': 'application/json' };

const send = (port, { method = 'POST', headers = JSON_TYPE, body = '' } = {}) =>
	ask('http://127.0.0.1:' + port, method, '/ajax', { headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
const ajax = (port, body, headers) => send(port, { body, headers: { ...JSON_TYPE, ...headers } });

async function register(port, application = 'browser-app') {
	const answer = await ajax(port, { type: 'ewd-register', application });

	assert.strictEqual(answer.status, 200, answer.text);
	return answer.json.token;
}

const start = (t, more = '', pool = 'size: 2', options) =>
	startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp(pool, options) }, more));

const assertError = ({ status, json: body }, wanted, code, text) => {
	assert.strictEqual(status, wanted);
	assert.strictEqual(body.code, code);
	assert.deepStrictEqual(body.status, { code: wanted });
	assert.strictEqual(body.by, 'near');
	if (text)
		assert.match(body.error, text);
};

test('a session without a socket', async (t) => {
	const { port } = await start(t);

	await t.test('begins with ewd-register, and gets a JWT', async () => {
		const answer = await ajax(port, { type: 'ewd-register', application: 'browser-app' });
		assert.strictEqual(answer.status, 200);
		assert.match(answer.headers['content-type'], /^application\/json/);
		assert.match(answer.headers['x-responsetime'], /^\d+ms$/);
		assert.strictEqual(answer.headers['cache-control'], 'no-store');
		assert.deepStrictEqual(Object.keys(answer.json), ['token']);
		assert.strictEqual(claims(answer.json.token).application, 'browser-app');
		assert.match(decryptSecrets(answer.json.token, SECRET).socketId, /^[\w-]{20}$/);
		assert.strictEqual(decryptSecrets(answer.json.token, SECRET).ipAddress, '127.0.0.1');
	});

	await t.test('goes on with the token of each answer, which is the bare message', async () => {
		const token = await register(port);
		const answer = await ajax(port, { ...job({ finish: { n: 1, deep: { x: 0.5 } } }), token });
		assert.strictEqual(answer.status, 200);
		assert.deepStrictEqual(Object.keys(answer.json), ['n', 'deep', 'token']);
		assert.strictEqual(claims(answer.json.token).jti, claims(token).jti);
	});

	await t.test('hears nothing of intermediates', async () => {
		const token = await register(port);
		const answer = await ajax(port, { ...job({ send: { n: 1 } }, { send: { n: 2 } }, { finish: { n: 3 } }), token });
		assert.strictEqual(answer.json.n, 3);
	});

	await t.test('is renewed by ewd-reregister', async () => {
		const token = await register(port);
		const answer = await ajax(port, { type: 'ewd-reregister', token });
		assert.strictEqual(answer.json.ok, true);
		assert.strictEqual(claims(answer.json.token).jti, claims(token).jti);
		assert.strictEqual(decryptSecrets(answer.json.token, SECRET).socketId, decryptSecrets(token, SECRET).socketId);
	});

	await t.test('may have a socket besides, which gets what is pushed to it', async (t) => {
		const browser = await rawBrowser(t, port);
		const answer = await ajax(port, { ...job({ push: { type: 'news', message: { n: 1 } } }, { finish: {} }), token: browser.token });
		assert.strictEqual(answer.status, 200);
		assert.strictEqual((await browser.nextReply()).message.n, 1);
	});

	await t.test('gets lists, texts and nothing as they are', async () => {
		const token = await register(port);
		for (const value of [[1, 2], 'text', 7, true])
			assert.deepStrictEqual((await ajax(port, { ...job({ finish: value }), token })).json, value);
	});

	await t.test('two requests on one connection', async (t) => {
		const connection = await tcp(t, port);
		const text = JSON.stringify({ type: 'ewd-register', application: 'browser-app' });
		const one = `POST /ajax HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
		connection.send(one + one);
		await waitFor('two answers', () => String(connection.received).split('HTTP/1.1 200').length === 3);
	});
});

test('errors', async (t) => {
	const { port } = await start(t, 'limits: { message: 5000 }');
	const token = await register(port);

	await t.test('of tokens', async () => {
		assertError(await ajax(port, { type: 'job' }), 401, 'no_token', /^Missing authorization header$/);
		assertError(await ajax(port, { type: 'job', token: 'bad' }), 401, 'invalid_token', /^Invalid JWT: Error: Not enough/);
		const old = session('browser-app', SECRET, { exp: 1000 });
		const answer = await ajax(port, { type: 'job', token: old });
		assertError(answer, 401, 'token_expired');
		assert.strictEqual(answer.json.disconnect, true);
	});

	await t.test('of the message', async () => {
		for (const body of ['{not json', '', '[]', '1', 'null', '{}', '{"type":7}', '{"type":""}', '{"type":"a","type":"b"}', '{"a":"\xff"}'])
			assert.strictEqual((await ajax(port, body)).status, body === '' ? 415 : 400, body);
		assertError(await ajax(port, '{not json'), 400, 'bad_message');
		assertError(await ajax(port, { type: 'ewd-register' }), 400, 'bad_message', /application/);
		assertError(await ajax(port, { type: 'x'.repeat(20), token, deep: JSON.parse('['.repeat(100) + ']'.repeat(100)) }), 400, 'bad_message');
		assert.strictEqual((await ajax(port, { type: 'job', token, text: 'x'.repeat(6000) })).status, 413);
	});

	await t.test('of types that are not for browsers', async () => {
		for (const type of ['ewd-jwt-encode', 'qoper8-exit', 'usher-cancel', 'restRequest', 'ewd-fragment'])
			assertError(await ajax(port, { type, token }), 403, 'not_allowed');
	});

	await t.test('of handlers are passed on whole, without a token', async () => {
		const answer = await ajax(port, { ...job({ finish: { error: 'no such thing', hint: 1, status: { code: 422 } } }), token });
		assert.strictEqual(answer.status, 422);
		assert.deepStrictEqual(answer.json, { error: 'no such thing', hint: 1, status: { code: 422 } });
		const plain = await ajax(port, { ...job({ finish: { error: 'no' } }), token });
		assert.deepStrictEqual([plain.status, plain.json], [400, { error: 'no' }]);
	});

	await t.test('of other applications', async () => {
		assertError(await ajax(port, { type: 'job', token: await register(port, 'nobody') }), 404, 'no_handler',
		    /^Handler not defined for nobody messages of type job$/);
	});
});

test('with QEWD\'s statuses', async (t) => {
	const { port } = await start(t, 'http: { errors: qewd }');
	const token = await register(port, 'nobody');

	for (const [body, text] of [
		[{ type: 'job', token }, 'Handler not defined for nobody messages of type job'],
		[{ type: 'job' }, 'Missing authorization header'],
		[{ type: 'job', token: 'bad' }, 'Invalid JWT: Error: Not enough or too many segments']
	]) {
		const answer = await ajax(port, body);
		assert.deepStrictEqual([answer.status, answer.json], [400, { error: text }]);
	}
});

test('who is let in', async (t) => {
	const { port } = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 1') })
	    .replace(/listen:.*/, 'listen: [{ address: "127.0.0.1:0", origins: ["https://app.example.org"] }]'));
	const message = { type: 'ewd-register', application: 'browser-app' };

	await t.test('a form of another page is not', async () => {
		for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
			assertError(await ajax(port, message, { 'Content-Type': type }), 415, 'bad_message');
		assertError(await send(port, { body: message, headers: {} }), 415, 'bad_message');
	});

	await t.test('pages of its own origin and of listed ones are', async () => {
		assert.strictEqual((await ajax(port, message, { Origin: 'http://127.0.0.1:' + port, Host: '127.0.0.1:' + port })).status, 200);
		const answer = await ajax(port, message, { Origin: 'https://app.example.org' });
		assert.strictEqual(answer.status, 200);
		assert.strictEqual(answer.headers['access-control-allow-origin'], 'https://app.example.org');
		assert.match(answer.headers.vary, /Origin/);
	});

	await t.test('and may read errors', async () => {
		const answer = await ajax(port, { type: 'job' }, { Origin: 'https://app.example.org' });
		assert.strictEqual(answer.status, 401);
		assert.strictEqual(answer.headers['access-control-allow-origin'], 'https://app.example.org');
	});

	await t.test('and why a body was not taken', async (t) => {
		const head = 'POST /ajax HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example.org\r\nContent-Type: application/json\r\n';
		for (const [body, status] of [['Content-Length: 100000000\r\n\r\n', 413],
			['Transfer-Encoding: chunked\r\n\r\n5F5E100\r\n', 413], ['Transfer-Encoding: chunked\r\n\r\nx\r\n', 400]]) {
			const connection = await tcp(t, port);
			connection.send(head + body);
			await connection.whenEnded();
			assert.match(String(connection.received), new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nAccess-Control-Allow-Origin: https://app\\.example\\.org\r\n`));
		}
	});

	await t.test('others are not', async () => {
		for (const Origin of ['https://evil.example', 'null', 'https://app.example.org.evil.example']) {
			const answer = await ajax(port, message, { Origin });
			assertError(answer, 403, 'not_allowed');
			assert.strictEqual(answer.headers['access-control-allow-origin'], undefined);
		}
	});

	await t.test('a preflight is answered for those that are', async () => {
		const ask = (Origin) => send(port, { method: 'OPTIONS', headers: { Origin,
			'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' } });
		const good = await ask('https://app.example.org');
		assert.strictEqual(good.status, 204);
		assert.strictEqual(good.headers['access-control-allow-origin'], 'https://app.example.org');
		assert.match(good.headers['access-control-allow-methods'], /POST/);
		assert.match(good.headers['access-control-allow-headers'], /content-type/i);
		assert.strictEqual((await ask('https://evil.example')).headers['access-control-allow-origin'], undefined);
	});

	await t.test('with POST only', async () => {
		for (const method of ['GET', 'PUT', 'DELETE']) {
			const answer = await send(port, { method, body: message });
			assertError(answer, 405, 'method_not_allowed');
			assert.match(answer.headers.allow, /POST/);
		}
	});
});

test('where it is off, and where nodes come in, there is nothing', async (t) => {
	const message = { type: 'ewd-register', application: 'browser-app' };
	const off = await start(t, 'http: { ajax: false }');
	const nodes = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 1') })
	    .replace(/listen:.*/, 'listen: [{ address: "127.0.0.1:0", for: nodes }]'));

	for (const { port } of [off, nodes])
		assert.notStrictEqual((await ajax(port, message)).status, 200);
});

test('limits are a session\'s own', async (t) => {
	await t.test('of requests at a time', async (t) => {
		const record = new Record(t);
		const { port } = await start(t, 'limits: { in_flight_per_session: 2 }', 'size: 4', { record: record.file });
		const gate = new Gate(t);
		const [token, other] = [await register(port), await register(port)];
		const held = [1, 2].map((n) => ajax(port, { ...job({ gate: gate.file }, { finish: { n } }), token }));
		await record.told('request', 2);
		assert.strictEqual((await ajax(port, { ...job({ finish: {} }), token })).status, 429);
		assert.strictEqual((await ajax(port, { ...job({ finish: { n: 3 } }), token: other })).json.n, 3);
		gate.open();
		assert.deepStrictEqual((await Promise.all(held)).map(({ json }) => json.n), [1, 2]);
		assert.strictEqual((await ajax(port, { ...job({ finish: { n: 4 } }), token })).json.n, 4);
	});

	await t.test('of messages a second', async (t) => {
		const { port } = await start(t, 'limits: { messages_per_second: 5 }');
		const token = session('browser-app', SECRET, { jti: 'one' });
		const other = session('browser-app', SECRET, { jti: 'other' });
		let answer;
		await waitFor('the limit', async () => {
			const all = await Promise.all(Array.from({ length: 20 }, () => ajax(port, { ...job({ finish: {} }), token })));
			return (answer = all.find(({ status }) => status === 429));
		});
		assertError(answer, 429, 'too_many');
		assert.strictEqual((await ajax(port, { ...job({ finish: { n: 1 } }), token: other })).status, 200);
		await waitFor('the session to be served again', async () => (await ajax(port, { ...job({ finish: {} }), token })).status === 200);
	});
});

test('who does not wait for the answer', async (t) => {
	const record = new Record(t);
	const { port } = await startUsherd(t, nodeOf('near',
	    { 'browser-app': scriptedApp('size: 3', { ready: { cancel: true }, record: record.file }) }, `
u_services:
  - application: browser-app
    types:
      quick: { destination: browser-app, on_leave: cancel }`));
	const token = await register(port);
	const begin = async (t, message) => {
		const connection = await tcp(t, port);
		const text = JSON.stringify({ ...message, token });
		const n = record.lines('request').length;
		connection.send(`POST /ajax HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
		await record.told('request', n + 1);
		return connection;
	};

	const gate = new Gate(t);
	(await begin(t, job({ gate: gate.file }, { push: { to: { application: 'browser-app' }, type: 'news', message: {} } }, { finish: {} }))).close();
	(await begin(t, { ...job({ until: 'cancel' }), type: 'quick' })).close();
	const cancelled = await record.told('cancel');
	assert.strictEqual(cancelled.length, 1);
	assert.strictEqual(cancelled[0].id, record.lines('request').find((line) => line.type === 'quick').id);

	const browser = await rawBrowser(t, port);
	gate.open();
	assert.strictEqual((await browser.nextReply()).type, 'news', 'the other went on');
});

test('leaving makes no room for more', async (t) => {
	const startHeld = async (t, more) => {
		const record = new Record(t);
		const node = await start(t, more, 'size: 3', { ready: { cancel: true }, record: record.file });
		return { node, record, token: await register(node.port) };
	};
	// The node has begun the request, and has seen that nobody waits for it.
	const abandon = async (t, { node, record, token }, message) => {
		const connection = await tcp(t, node.port);
		const text = JSON.stringify({ ...message, token });
		const n = record.lines('request').length;
		connection.send(`POST /ajax HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
		await record.told('request', n + 1);
		connection.close();
		await connection.whenEnded();
		await register(node.port);
		await register(node.port);
	};

	await t.test('as long as the requests go on', async (t) => {
		const held = await startHeld(t, 'limits: { in_flight_per_session: 2 }');
		const gate = new Gate(t);
		for (let i = 0; i < 2; i++)
			await abandon(t, held, job({ gate: gate.file }, { finish: {} }));
		assertError(await ajax(held.node.port, { ...job({ finish: {} }), token: held.token }), 429, 'too_many');
		assert.strictEqual(held.record.lines('request').length, 2);
		gate.open();
		await waitFor('room', async () => (await ajax(held.node.port, { ...job({ finish: {} }), token: held.token })).status === 200);
	});

	for (const [what, resume] of [['after timeouts.resume', '200ms'], ['at once, if that is off', 'off']]) {
		await t.test('they are cancelled ' + what, async (t) => {
			const held = await startHeld(t, `limits: { in_flight_per_session: 1 }\ntimeouts: { resume: ${resume} }`);
			await abandon(t, held, job({ until: 'cancel' }));
			await held.record.told('cancel');
			const answer = await ajax(held.node.port, { ...job({ finish: { n: 1 } }), token: held.token });
			assert.strictEqual(answer.json.n, 1);
		});
	}

	await t.test('a node that stops does not wait for them', async (t) => {
		const held = await startHeld(t);
		await abandon(t, held, job({ until: 'cancel' }));
		held.node.kill('SIGTERM');
		assert.deepStrictEqual(await held.node.end(), { code: 0, signal: null });
	});
});

test('mapped types are forwarded, as from sockets', async (t) => {
	const worker = await startUsherd(t, workerOf(scripted, 'size: 1'));
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();
	const token = await register(master.port);

	const answer = await ajax(master.port, { ...job({ send: {} }, { finish: { n: 1 } }), token, ms_requestId: 7 });
	assert.strictEqual(answer.status, 200);
	assert.strictEqual(claims(answer.json.token).application, 'browser-app');
	assert.deepStrictEqual(Object.keys(answer.json), ['n', 'token']);
	const again = await ajax(master.port, { ...job({ finish: { n: 2 } }), token: answer.json.token });
	assert.strictEqual(again.json.n, 2);
	const failed = await ajax(master.port, { ...job({ fail: 'broken' }), token });
	assert.deepStrictEqual([failed.status, failed.json.code, failed.json.by], [500, 'handler_error', 'worker']);
});

test('a stopping node answers what is open', async (t) => {
	const record = new Record(t);
	const node = await start(t, '', 'size: 1', { record: record.file });
	const gate = new Gate(t);
	const token = await register(node.port);
	const open = ajax(node.port, { ...job({ gate: gate.file }, { finish: { n: 1 } }), token });
	await record.told('request');
	const offset = node.log.length;
	node.kill('SIGTERM');
	await node.logged(/draining/, offset);
	gate.open();

	assert.strictEqual((await open).json.n, 1);
	await node.end();
});

test('the unmodified stock client in its Ajax mode', async (t) => {
	const { port } = await start(t);
	const main = require.resolve('ewd-client');
	const dir = path.dirname(main) + path.sep;
	Object.keys(require.cache).filter((file) => file.startsWith(dir)).forEach((file) => delete require.cache[file]);
	const { EWD } = require(main);
	const { log } = console;
	console.log = () => {};		// it prints each message
	t.after(() => { console.log = log; });
	const registered = new Promise((resolve) => EWD.on('ewd-registered', resolve));
	EWD.start({
		application: 'browser-app',
		ajax: (params, done, fail) => {
			ajax(port, params.data, { 'Content-Type': params.contentType })
			    .then(({ status, json }) => status < 400 ? done(json) : fail(json.error), fail);
		}
	});
	await within('the registration of the stock client', registered);

	const reply = await within('the reply', new Promise((resolve) => EWD.send(job({ finish: { n: 1 } }), resolve)));
	assert.strictEqual(reply.message.n, 1);
	assert.strictEqual(reply.finished, true);
	const error = new Promise((resolve) => EWD.on('error', resolve));
	EWD.send(job({ finish: { error: 'no such thing' } }), () => {});
	assert.strictEqual((await within('the error', error)).message.error, 'no such thing');
});
