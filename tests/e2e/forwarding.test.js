// SPDX-License-Identifier: ISC
// A message is passed on byte for byte: only what is ours is changed.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { masterOf, workerOf, scripted } = require('./lib/configs');
const { fakeNode } = require('./lib/fake-node');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { claims, isSigned, session } = require('./lib/tokens');
const { startUsherd, folder, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

// Everything that a JSON library would print in another way than it was written.
const PAYLOADS = {
	'numbers': '{"a":0.10,"b":1e2,"c":18446744073709551616,"d":-0,"e":-0.0,"f":1E+400,"g":0.1e-7}',
	'escapes': '{"nul":"\\u0000","slash":"\\/","letter":"\\u0041","pair":"\\ud83d\\ude00","lone":"\\ud800"}',
	'text': '{"é":"鍵😀","empty":"","":"no name"}',
	'white space': '{ "a" :\t[ 1 ,2 , { } ] , "b":\r\n[ ]  }',
	'order and doubles of names that are not ours': '{"z":1,"a":2,"z":3,"__proto__":4,"a":5}',
	'names that are ours, deeper inside': '{"in":{"type":1,"token":2,"jwt":3,"usher":4,"message":{"type":1,"type":2}}}',
	'900 KB': '{"data":"' + 'x'.repeat(900000) + '"}',
	'60 levels': '['.repeat(60) + ']'.repeat(60)
};

// A message with members of all kinds around the token.
const messageWith = (payload, token) =>
	`{"unknown" : null,"type":"job","token":"${token}", "params":${payload},"last":[1.0]}`;

test('a message to a stock service', async (t) => {
	const service = await fakeNode(t);
	const master = await startUsherd(t, masterOf(service.url));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	for (const [what, payload] of Object.entries(PAYLOADS)) {
		await t.test(what, async () => {
			browser.emit(messageWith(payload, browser.token));
			const request = await service.next();
			const { token } = request.message;

			assert.ok(isSigned(token, SECRET));
			assert.deepStrictEqual(claims(token), Object.assign(claims(browser.token), { application: 'remote-app' }));
			assert.strictEqual(request.text, messageWith(payload, token).replace(/\}$/, ',"jwt":true}'));
			request.final({ ok: true });
			await browser.nextReply();
		});
	}

	await t.test('"jwt" is replaced where it stands', async () => {
		browser.emit(`{"jwt":"no","type":"job","token":"${browser.token}"}`);
		const request = await service.next();

		assert.strictEqual(request.text, `{"jwt":true,"type":"job","token":"${request.message.token}"}`);
		request.final({});
		await browser.nextReply();
	});

	await t.test('"usher" of a browser does not get through', async () => {
		for (const place of ['{"usher":{"id":1},"type":"job","token":"@"}', '{"type":"job","usher":[ ] ,"token":"@"}',
			'{"type":"job","token":"@","\\u0075sher":1}']) {
			browser.emit(place.replace('@', browser.token));
			const request = await service.next();
			assert.deepStrictEqual(Object.keys(request.message).sort(), ['jwt', 'token', 'type']);
			request.final({});
			await browser.nextReply();
		}
	});

	await t.test('escaped names are the names they stand for', async () => {
		browser.emit(`{"\\u0074ype":"j\\u006fb","t\\u006fken":"${browser.token}","params":1}`);
		const request = await service.next();

		assert.deepStrictEqual([request.message.type, request.message.params], ['job', 1]);
		assert.strictEqual(claims(request.message.token).application, 'remote-app');
		request.final({ ok: 1 });
		assert.strictEqual((await browser.nextReply()).message.ok, 1);
	});

	const doubled = ['type', 'token', 'jwt', 'application', 'ms_requestId', 'usher', 'finished', 'message',
		'error', 'responseTime'];
	for (const name of doubled) {
		await t.test('twice "' + name + '" is refused', async () => {
			const escaped = '\\u00' + name.charCodeAt(0).toString(16) + name.slice(1);
			const value = name === 'type' ? '"job"' : name === 'token' ? `"${browser.token}"` : '1';
			const token = name === 'token' ? '' : `,"token":"${browser.token}"`;
			const type = name === 'type' ? '' : ',"type":"job"';
			browser.emit(`{"${name}":${value},"${escaped}":${value}${token}${type}}`);
			const reply = await browser.nextReply();

			assert.strictEqual(reply.message.code, 'bad_message');
			assert.match(reply.message.error, new RegExp(name));
		});
	}

	await t.test('a message nested too deep is refused or ends the connection, and is not forwarded', async (t) => {
		const other = await rawBrowser(t, master.port);
		other.emit(messageWith('['.repeat(100) + ']'.repeat(100), other.token));
		const reply = await other.nextReply().catch(() => null);
		if (reply !== null)
			assert.strictEqual(reply.message.code, 'bad_message');
		assert.strictEqual(service.requests.items.length, 0);
	});
});

test('a message between usher nodes', async (t) => {
	const node = await fakeNode(t, { secret: SECRET });
	const master = await startUsherd(t, masterOf(node.url));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	for (const [what, payload] of Object.entries(PAYLOADS)) {
		await t.test(what, async () => {
			browser.emit(messageWith(payload, browser.token));
			const { text, message, ...request } = await node.next();
			const added = text.slice(messageWith(payload, message.token).length - 1);

			assert.ok(text.startsWith(messageWith(payload, message.token).slice(0, -1)));
			assert.deepStrictEqual(Object.keys(JSON.parse('{' + added.slice(1))).sort(), ['jwt', 'usher']);
			assert.ok(Number.isInteger(message.usher.id));
			assert.ok(message.usher.deadline_ms > 0 && message.usher.deadline_ms <= 60000);
			assert.match(message.usher.trace, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
			assert.deepStrictEqual(message.usher.client, { address: '127.0.0.1', socket: browser.sid });
			request.link.emit({ type: 'job', finished: true, message: {}, usher: { id: message.usher.id } });
			await browser.nextReply();
		});
	}
});

test('a message to a handler', async (t) => {
	const record = path.join(folder(t), 'record');
	const node = await startUsherd(t, workerOf(scripted, 'size: 1', `environment: { RECORD: "${record}" }`));
	const browser = await rawBrowser(t, node.port, 'remote-app');
	let lines = 1;		// that of "hello"

	for (const [what, payload] of Object.entries(PAYLOADS)) {
		await t.test(what, async () => {
			browser.emit(messageWith(payload, browser.token));
			await browser.nextReply();
			const record_lines = fs.readFileSync(record, 'utf8').split('\n');
			const line = record_lines[lines++];
			const sent = `{"unknown" : null,"type":"job", "params":${payload},"last":[1.0]}`.replace(/[\r\n]/g, ' ');

			assert.strictEqual(record_lines.length, lines + 1, 'one line a request');
			assert.ok(line.includes(`"message":${sent}`), line.slice(0, 2000));
			assert.ok(!line.includes(browser.token));
			const request = JSON.parse(line);
			assert.deepStrictEqual([request.op, request.application, request.type], ['request', 'remote-app', 'job']);
			assert.strictEqual(request.session.application, 'remote-app');
			assert.strictEqual(request.session.authenticated, false);
			assert.deepStrictEqual(request.secret.sort(), ['authenticated', 'ipAddress', 'socketId']);
			assert.deepStrictEqual(request.client, { address: '127.0.0.1', socket: browser.sid });
		});
	}

	await t.test('a line break in a message does not make two lines', async () => {
		browser.emit(`{"type":"job",\n"token":"${browser.token}"\r\n}`);
		await browser.nextReply();
		const line = fs.readFileSync(record, 'utf8').split('\n')[lines++];

		assert.deepStrictEqual(JSON.parse(line).message, { type: 'job' });
	});
});

test('a reply of a stock service', async (t) => {
	const service = await fakeNode(t);
	const master = await startUsherd(t, masterOf(service.url));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	// What the client gets back for this reply, with the time it took blanked out.
	async function answered(reply) {
		browser.emit({ type: 'job', token: browser.token });
		const request = await service.next();
		request.reply(reply);
		const text = await browser.nextText();
		if (/"finished":false/.test(text)) {
			request.final({});
			await browser.nextText();
		}
		assert.match(text, /"responseTime":"\d+ms"/);
		return text.replace(/"responseTime":"\d+ms"/, '"responseTime":"@"');
	}

	for (const [what, payload] of Object.entries(PAYLOADS)) {
		await t.test(what, async () => {
			for (const finished of [true, false]) {
				const reply = `{"type":"job","finished":${finished},"message":${payload}, "more" :1e2,"responseTime":"@"}`;
				assert.strictEqual(await answered(reply), reply);
			}
		});
	}

	await t.test('only the token is rewritten', async () => {
		const token = session('remote-app', SECRET, { userText: 'hi' });
		const reply = `{"type":"job","finished":true,"message":{"n":0.10 , "token" : "${token}" ,"z":-0},"responseTime":"@"}`;
		const text = await answered(reply);
		const theirs = JSON.parse(text).message.token;

		assert.strictEqual(text, reply.replace(token, theirs));
		assert.ok(isSigned(theirs, SECRET));
		assert.deepStrictEqual(claims(theirs), Object.assign(claims(token), { application: 'browser-app' }));
	});

	await t.test('a token that does not verify is removed, never signed', async () => {
		for (const token of [session('remote-app', 'another secret'), 'x', '']) {
			const text = await answered(
			    `{"type":"job","finished":true,"message":{"a":1,"token":"${token}","z":0.10},"responseTime":"@"}`);
			assert.strictEqual(text, '{"type":"job","finished":true,"message":{"a":1,"z":0.10},"responseTime":"@"}');
		}
	});

	await t.test('shapes without a time get one', async () => {
		assert.strictEqual(await answered('{"type":"job","finished":true,"message":{"n":1e2}}'),
		    '{"type":"job","finished":true,"message":{"n":1e2},"responseTime":"@"}');
	});

	await t.test('bare errors get type and finished', async () => {
		for (const reply of ['{"error":"refused"}', '{"message":{"error":"refused"}}',
			'{"type":"job","message":{"error":"refused"}}']) {
			const text = JSON.parse(await answered(reply));
			assert.deepStrictEqual([text.type, text.finished, text.error || text.message.error], ['job', true, 'refused']);
		}
	});
});

test('a reply of a handler', async (t) => {
	const node = await startUsherd(t, workerOf(scripted, 'size: 1'));
	const browser = await rawBrowser(t, node.port, 'remote-app');

	async function answered(message) {
		browser.emit({ type: 'job', token: browser.token,
			params: { script: [{ line: `{"op":"finish","id":@ID,"message":${message}}` }] } });
		return browser.nextText();
	}

	for (const [what, payload] of Object.entries(PAYLOADS)) {
		if (payload.startsWith('['))
			continue;	// gets no token: below
		await t.test(what, async () => {
			const sent = payload.replace(/[\r\n]/g, ' ');
			const text = await answered(sent);
			const { token } = JSON.parse(text).message;

			assert.ok(isSigned(token, SECRET));
			assert.ok(text.includes(sent.slice(0, -1).trimEnd()), text.slice(0, 1000));
		});
	}

	await t.test('a list carries no token', async () => {
		assert.match(await answered('[ 1.0,\t2]'),
		    /^\{"type":"job","finished":true,"message":\[ 1\.0,\t2\],"responseTime":"\d+ms"\}$/);
	});

	await t.test('an error carries no token', async () => {
		assert.match(await answered('{"error":"no","x":0.10}'),
		    /^\{"type":"job","finished":true,"message":\{"error":"no","x":0\.10\},"responseTime":"\d+ms"\}$/);
	});

	await t.test('nothing is an object with a token', async () => {
		for (const nothing of ['null', '{}']) {
			const { message } = JSON.parse(await answered(nothing));
			assert.deepStrictEqual(Object.keys(message), ['token']);
		}
	});
});

test('ms_requestId comes back as it was sent', async (t) => {
	const service = await fakeNode(t);
	const master = await startUsherd(t, masterOf(service.url));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	for (const id of ['7', '"x"', '0.10', '{"a":1e2}', '18446744073709551616']) {
		await t.test(id, async () => {
			browser.emit(`{"type":"job","token":"${browser.token}","ms_requestId":${id}}`);
			const request = await service.next();
			assert.ok(request.text.includes(`"ms_requestId":${id}`));
			request.intermediate({ step: 1 });
			request.reply(`{"type":"job","finished":true,"message":{"a":1,"ms_requestId":${id}},"ms_requestId":${id}}`);
			const intermediate = await browser.nextText();
			const final = await browser.nextText();

			assert.ok(intermediate.includes(`"ms_requestId":${id}`), intermediate);
			assert.ok(final.includes(`"ms_requestId":${id}`), final);
			assert.deepStrictEqual(JSON.parse(final).message, { a: 1 });
		});
	}

	await t.test('also in errors', async () => {
		browser.emit('{"type":"job","ms_requestId":0.10}');
		const text = await browser.nextText();

		assert.ok(text.includes('"ms_requestId":0.10'), text);
		assertError(JSON.parse(text), { type: 'job', code: 'no_token', ms_requestId: 0.10 });
	});
});

test('a worker node repeats ms_requestId for a stock master at both places, and never in intermediates', async (t) => {
	const node = await startUsherd(t, workerOf(scripted));
	const link = await rawBrowser(t, node.port, 'remote-app');
	const intermediates = [];
	const script = [{ line: '{"op":"send","id":@ID,"message":{"step":1}}' }, { line: '{"op":"finish","id":@ID,"message":{"a":1}}' }];
	const final = await link.request({ type: 'job', jwt: true, ms_requestId: 4, params: { script } }, intermediates);

	assert.deepStrictEqual([final.ms_requestId, final.message.ms_requestId], [4, 4]);
	assert.deepStrictEqual(intermediates.map((r) => Object.keys(r)), [['type', 'finished', 'message', 'responseTime']]);
	await waitFor('the daemon to be well', () => !node.hasEnded);
});
