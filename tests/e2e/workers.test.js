// SPDX-License-Identifier: ISC
// Worker processes: started when needed, replaced when they end, and their mistakes cost
// nobody but their own requests.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { nodeOf, workerOf, scripted, scriptedApp } = require('./lib/configs');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { Gate, Record } = require('./lib/scripts');
const { claims, decryptSecrets } = require('./lib/tokens');
const { startUsherd, folder, nodeKit, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

async function start(t, pool, { command = scripted, more = '', top = '' } = {}) {
	const node = await startUsherd(t, workerOf(command, pool, more) + top);

	return { node, browser: await rawBrowser(t, node.port, 'remote-app') };
}

const job = (...script) => ({ type: 'job', params: { script } });
const tagged = (tag) => ({ type: 'job', params: { tag } });

function isAlive(pid) {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

// A program that keeps a list of its starts and then does what the shell is told.
const countingStarts = (file, then) => JSON.stringify(['sh', '-c', `echo $$ >> ${file}; ${then}`]);
const starts = (file) => fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\n') : [];

test('workers are started when they are needed, as many as are needed', async (t) => {
	const file = path.join(folder(t), 'starts');
	const [program, script] = JSON.parse(scripted);
	const { browser } = await start(t, 'size: 3', { command: countingStarts(file, `exec ${program} ${script}`) });

	assert.deepStrictEqual(starts(file), []);
	const first = await browser.request(tagged(1));
	const second = await browser.request(tagged(2));
	assert.strictEqual(starts(file).length, 1);
	assert.strictEqual(second.message.pid, first.message.pid);

	const slow = job({ wait: 300 }, { line: '{"op":"finish","id":@ID,"message":{}}' });
	for (let i = 0; i < 5; i++)
		browser.emit(Object.assign({ token: browser.token }, slow));
	for (let i = 0; i < 5; i++)
		await browser.nextReply();
	assert.strictEqual(starts(file).length, 3, 'never more than size');
});

test('one worker serves one request at a time, in order', async (t) => {
	const { browser } = await start(t, 'size: 1');
	for (let tag = 0; tag < 20; tag++)
		browser.emit(Object.assign({ token: browser.token }, tagged(tag)));
	for (let tag = 0; tag < 20; tag++)
		assert.strictEqual((await browser.nextReply()).message.tag, tag);
});

test('a worker that ends costs its own request only', async (t) => {
	for (const end of [{ kill: 'SIGKILL' }, { exit: 0 }, { kill: 'SIGSEGV' }]) {
		await t.test(JSON.stringify(end), async (t) => {
			const { browser } = await start(t, 'size: 1');
			browser.emit(Object.assign({ token: browser.token, ms_requestId: 'victim' }, job(end)));
			for (let tag = 0; tag < 5; tag++)
				browser.emit(Object.assign({ token: browser.token }, tagged(tag)));

			assertError(await browser.nextReply(), { type: 'job', code: 'worker_lost', ms_requestId: 'victim' });
			for (let tag = 0; tag < 5; tag++)
				assert.strictEqual((await browser.nextReply()).message.tag, tag);
		});
	}
});

test('a worker killed between two requests is replaced', async (t) => {
	const { browser } = await start(t, 'size: 1');
	const first = await browser.request(tagged(1));
	process.kill(first.message.pid, 'SIGKILL');
	await waitFor('its end', () => !isAlive(first.message.pid));
	const second = await browser.request(tagged(2));

	assert.strictEqual(second.message.tag, 2);
	assert.notStrictEqual(second.message.pid, first.message.pid);
});

test('a worker that hangs is killed at the deadline', async (t) => {
	for (const environment of ['', 'environment: { DEAF: "1" }']) {
		await t.test(environment ? 'also if it ignores TERM' : 'by TERM', async (t) => {
			const { browser } = await start(t, 'size: 1, deadline: 400ms, stop_grace: 300ms', { more: environment });
			const { message: { pid } } = await browser.request(tagged(0));

			assertError(await browser.request(job()), { type: 'job', code: 'timeout' });
			const next = await browser.request(tagged(1));
			assert.notStrictEqual(next.message.pid, pid);
			await waitFor('the process to be gone', () => !isAlive(pid));
		});
	}
});

test('a deadline in the queue costs no worker', async (t) => {
	const { browser } = await start(t, 'size: 1', { top: `
u_services:
  - application: remote-app
    types:
      patient: { destination: remote-app, timeout: 60s }
      hasty: { destination: remote-app, timeout: 300ms }
` });
	const ask = (type, ...script) => browser.emit({ type, token: browser.token, params: { script } });
	ask('patient', { wait: 1000 }, { line: '{"op":"finish","id":@ID,"message":{"done":true}}' });
	ask('hasty', { kill: 'SIGKILL' });

	assertError(await browser.nextReply(), { type: 'hasty', code: 'timeout' });
	assert.strictEqual((await browser.nextReply()).message.done, true);
	const next = await browser.request(Object.assign(tagged(1), { type: 'patient' }));
	assert.strictEqual(next.message.tag, 1, 'and the hasty one never ran');
});

test('a worker that writes nonsense is replaced', async (t) => {
	const { browser } = await start(t, 'size: 1', { top: 'limits: { handler_message: 100KB }\n' });
	const nonsense = ['no JSON', '[]', '"op"', '7', '{}', '{"op":7}', '{"op":"finish"}', '{"op":"finish","id":"@ID"}',
		'{"op":"finish","id":@ID,"message":{"token":1,"token":2}}', '', '{"op":"finish","id":@ID,"message":{}} trailing'];

	for (const line of nonsense) {
		await t.test(line || 'an empty line', async () => {
			const reply = await browser.request(job({ line }));
			assertError(reply, { type: 'job', code: 'worker_lost' });
			assert.strictEqual((await browser.request(tagged('next'))).message.tag, 'next');
		});
	}

	await t.test('a line without an end', async () => {
		const reply = await browser.request(job({ text: 'x'.repeat(60000) }, { text: 'x'.repeat(60000) }));
		assert.ok(['worker_lost', 'reply_too_big'].includes(reply.message.code), JSON.stringify(reply));
		assert.strictEqual((await browser.request(tagged('next'))).message.tag, 'next');
	});
});

test('what a worker says besides is ignored', async (t) => {
	const { node, browser } = await start(t, 'size: 1');
	const reply = await browser.request(job({ line: '{"op":"nonesuch","id":@ID}' },
	    { line: '{"op":"send","id":123456789,"message":{"stray":true}}' },
	    { line: '{"op":"finish","id":123456789,"message":{"stray":true}}' },
	    { line: '{"op":"finish","id":@ID,"message":{"own":true},"unknown":{}}' },
	    { line: '{"op":"finish","id":@ID,"message":{"again":true}}' },
	    { line: '{"op":"send","id":@ID,"message":{"after":true}}' }));

	assert.strictEqual(reply.message.own, true);
	assert.strictEqual((await browser.request(tagged('next'))).message.tag, 'next');
	await node.logged(/nonesuch/);
});

test('a final may replace the session', async (t) => {
	const { browser } = await start(t, 'size: 1');
	const before = claims(browser.token);
	const finish = (rest) => job({ line: `{"op":"finish","id":@ID,"message":{}${rest}}` });

	await t.test('no session: nothing but the times changes', async () => {
		const after = claims((await browser.request(finish(''))).message.token);
		assert.deepStrictEqual(Object.assign(after, { exp: 0, iat: 0 }), Object.assign({}, before, { exp: 0, iat: 0 }));
	});

	await t.test('names in "secret" are encrypted, all else is public', async () => {
		const { message: { token } } = await browser.request(finish(',"session":{"a":1,"b":{"c":0.10},"timeout":900},"secret":["b"]'));
		const { exp, iat, a, b, timeout, application, iss, jti } = claims(token);

		assert.deepStrictEqual({ a, b, timeout, application, iss, jti, lasts: exp - iat },
		    { a: 1, b: undefined, timeout: 900, application: 'remote-app', iss: 'qewd.jwt', jti: before.jti, lasts: 900 });
		assert.deepStrictEqual(decryptSecrets(token, SECRET), { b: { c: 0.1 } }, 'old secrets are gone');
	});

	await t.test('what is not the handler\'s stays', async () => {
		const { message: { token } } = await browser.request(finish(
		    ',"session":{"exp":1,"iat":1,"iss":"x","application":"x","qewd":"x","jti":"x"},"secret":[]'));
		const { exp, iss, application, jti } = claims(token);

		assert.ok(exp > 1);
		assert.deepStrictEqual([iss, application, jti], ['qewd.jwt', 'remote-app', before.jti]);
	});
});

test('intermediates, also under another type', async (t) => {
	const { browser } = await start(t, 'size: 1');
	const intermediates = [];
	const final = await browser.request(job({ line: '{"op":"send","id":@ID,"message":{"n":1}}' },
	    { line: '{"op":"send","id":@ID,"type":"progress","message":[2]}' },
	    { line: '{"op":"finish","id":@ID,"message":{"n":3}}' }), intermediates);

	assert.deepStrictEqual(intermediates.map(({ type, finished, message }) => ({ type, finished, message })),
	    [{ type: 'job', finished: false, message: { n: 1 } }, { type: 'progress', finished: false, message: [2] }]);
	assert.strictEqual(final.message.n, 3);
});

test('what a worker prints is in the log under its name', async (t) => {
	const { node, browser } = await start(t, 'size: 1');
	await browser.request(job({ print: 'said plainly\n' }, { complain: 'said loudly\n' }, { print: 'in two ' },
	    { wait: 20 }, { print: 'pieces\n' },
	    { line: '{"op":"log","id":@ID,"level":"warn","text":"said by op"}' }, { line: '{"op":"finish","id":@ID,"message":{}}' }));

	await node.logged(/ info .*remote-app.*said plainly/);
	await node.logged(/ warn .*remote-app.*said loudly/);
	await node.logged(/ info .*remote-app.*in two pieces/);
	await node.logged(/ warn .*remote-app.*said by op/);
});

test('a worker gets a clean environment', async (t) => {
	const node = await startUsherd(t, workerOf('["sh", "-c", "env >&2; exec sleep 60"]', 'size: 1, stop_grace: 200ms',
	    'environment: { OWN: "1" }, pass_environment: [E2E_PASSED]'),
	{ env: { E2E_PASSED: 'yes', USHER_E2E_SECRET: 'must-not-be-seen', SOME_OTHER: 'must-not-be-seen' } });
	node.endsBy = 'SIGINT';
	const browser = await rawBrowser(t, node.port, 'remote-app');
	browser.emit({ type: 'job', token: browser.token });

	await node.logged(/OWN=1/);
	await node.logged(/E2E_PASSED=yes/);
	await node.logged(/USHER_FD=3/);
	assert.doesNotMatch(node.log, /must-not-be-seen/);
});

test('a program that cannot run is tried again with longer pauses', async (t) => {
	const file = path.join(folder(t), 'starts');
	const { node, browser } = await start(t, 'size: 1', { command: countingStarts(file, 'exit 1'), top: 'timeouts: { request: 1500ms }\n' });
	const begun = Date.now();
	const reply = await browser.request({ type: 'job' });
	const took = Date.now() - begun;

	assertError(reply, { type: 'job', code: 'timeout' });
	// 100 ms, 200, 400, 800: about five starts; a process a millisecond it must not be.
	assert.ok(starts(file).length >= 2 && starts(file).length <= 8, starts(file).length + ' starts in ' + took + ' ms');
	assert.ok(!node.hasEnded);
});

test('a program that does not exist costs its requests only', async (t) => {
	const { node, browser } = await start(t, 'size: 1', { command: '["/nowhere/at-all"]', top: 'timeouts: { request: 500ms }\n' });

	assertError(await browser.request({ type: 'job' }), { type: 'job', code: 'timeout' });
	await node.logged(/nowhere\/at-all/);
});

test('a worker that never says it is ready is killed', async (t) => {
	const file = path.join(folder(t), 'starts');
	const { browser } = await start(t, 'size: 1, start_timeout: 200ms',
	    { command: countingStarts(file, 'exec sleep 1000'), top: 'timeouts: { request: 3s }\n' });
	browser.emit({ type: 'job', token: browser.token });

	await waitFor('a second start', () => starts(file).length >= 2);
	await waitFor('the first to be gone', () => !isAlive(Number(starts(file)[0])));
});

test('unready workers get no work until they are ready', async (t) => {
	const { browser } = await start(t, 'size: 1');
	browser.emit(Object.assign({ token: browser.token }, job({ line: '{"op":"unready","reason":"a pause"}' },
	    { line: '{"op":"finish","id":@ID,"message":{"n":1}}' }, { wait: 200 }, { line: '{"op":"log","level":"info","text":"back"}' },
	    { line: '{"op":"ready"}' })));
	browser.emit(Object.assign({ token: browser.token }, tagged(2)));

	assert.strictEqual((await browser.nextReply()).message.n, 1);
	assert.strictEqual((await browser.nextReply()).message.tag, 2);
});

test('workers do not outlive the daemon', async (t) => {
	const { node, browser } = await start(t, 'size: 2, stop_grace: 300ms', { more: 'environment: { DEAF: "1" }' });
	const { message: { pid } } = await browser.request(tagged(1));
	await node.stop();

	await waitFor('the worker to be gone', () => !isAlive(pid));
});

test('workers notice that the daemon was killed', async (t) => {
	const child = await startUsherd(t, workerOf(scripted, 'size: 1'));
	const browser = await rawBrowser(t, child.port, 'remote-app');
	const { message: { pid } } = await browser.request(tagged(1));
	child.stop = async () => {};	// it does not end in order this time
	child.kill('SIGKILL');
	await child.end();

	await waitFor('the worker to be gone', () => !isAlive(pid));
});

test('a worker that was of use is followed at once, also while others that fail are waited for', async (t) => {
	const bad = path.join(folder(t), 'bad'), gate = new Gate(t);
	const [program, script] = JSON.parse(scripted);
	const { node, browser } = await start(t, 'size: 2',
	    { command: JSON.stringify(['sh', '-c', `[ ! -e ${bad} ] || exit 1; exec ${program} ${script}`]) });
	const emit = (message, id) => browser.emit({ ...message, token: browser.token, ms_requestId: id });
	const moment = (pattern) => Date.parse(node.log.split('\n').findLast((line) => pattern.test(line)).split(' ')[0]);
	const { message: { pid } } = await browser.request(tagged(1));

	fs.writeFileSync(bad, '');
	emit(job({ gate: gate.file }), 'lost');
	emit(tagged(2), 'waits');
	await node.logged(/no worker is started for 3200 ms/);
	fs.unlinkSync(bad);
	process.kill(pid, 'SIGKILL');
	const lost = await browser.nextReply(), served = await browser.nextReply();
	assert.deepStrictEqual([lost.ms_requestId, lost.message.code], ['lost', 'worker_lost']);
	assert.deepStrictEqual([served.ms_requestId, served.message.tag], ['waits', 2]);
	const waited_ms = moment(/ready \(process/) - moment(/for 3200 ms/);
	assert.ok(waited_ms < 3200, `${waited_ms} ms`);
});

// A node with an application "asking", whose worker tells all in the record, and one that it asks.
async function startAsking(t, asked) {
	const record = new Record(t);
	const node = await startUsherd(t, nodeOf('near', { asking: scriptedApp('size: 1', { record: record.file }), asked }));

	return { node, record, browser: await rawBrowser(t, node.port, 'asking') };
}

test('a request has a thousand calls open at most: one more is overloaded', async (t) => {
	const { record, browser } = await startAsking(t, `{ command: ["sleep", "600"], pool: { size: 1, stop_grace: 10ms } }`);
	const call = { call: { application: 'asked', type: 'job' } }, end = new Gate(t);

	browser.emit(Object.assign({ token: browser.token }, job(...Array(1001).fill(call), { gate: end.file }, { finish: { ok: 1 } })));
	await waitFor('a reply', () => record.lines('reply').length > 0);
	const [{ call: number, finished, message }] = record.lines('reply');
	assert.deepStrictEqual([number, finished, message.code, message.ran], [1001, true, 'overloaded', 'no']);
	end.open();
	assert.strictEqual((await browser.nextReply()).message.ok, 1, 'which ends the others');
	assert.strictEqual(record.lines('reply').length, 1);
});

test('a call with the number of an open one is dropped, and the number is free after its final', async (t) => {
	const answer = new Gate(t), again = new Gate(t);
	const { node, record, browser } = await startAsking(t, scriptedApp('size: 1'));
	const ask = (tag, ...steps) => ({ call: { call: 1, application: 'asked', type: 'job',
		message: { params: { script: [...steps, { finish: { tag } }] } } } });
	const tags = () => record.lines('reply').map(({ message }) => message.tag);

	browser.emit(Object.assign({ token: browser.token },
	    job(ask('first', { gate: answer.file }), ask('second'), { gate: again.file }, ask('third'))));
	await waitFor('the second to be dropped', () => /asking#1: dropped a call: another open call has number 1$/m.test(node.log));
	answer.open();
	await waitFor('the final', () => tags().length > 0);
	again.open();
	await waitFor('the next final', () => tags().length > 1);
	assert.deepStrictEqual(tags(), ['first', 'third']);
});

test('types named like parts of a JavaScript object are types like any other', async (t) => {
	const { browser } = await start(t, 'size: 1', { command: nodeKit('remote-app.js') });

	for (const type of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'])
		assertError(await browser.request({ type }), { type, code: 'no_handler', error: `Handler not defined for remote-app messages of type ${type}` });
	assert.strictEqual((await browser.request({ type: 'echo', params: { tag: 'fine' } })).message.tag, 'fine');
});

test('stock handlers under the Node kit', async (t) => {
	const { browser } = await start(t, 'size: 1', { command: nodeKit('remote-app.js') });

	await t.test('init, promises and prints', async () => {
		assert.strictEqual((await browser.request({ type: 'greeting' })).message.greeting, 'initialised');
		assert.strictEqual((await browser.request({ type: 'promised', params: { tag: 1 } })).message.tag, 1);
		assert.strictEqual((await browser.request({ type: 'echo', params: { tag: 2 } })).message.tag, 2);
	});

	await t.test('exceptions now and later', async () => {
		assertError(await browser.request({ type: 'crash' }), { type: 'crash', code: 'handler_error', error: 'Deliberate failure' });
		assertError(await browser.request({ type: 'crashLater' }), { type: 'crashLater', code: 'handler_error', error: 'Deliberate late failure' });
		assertError(await browser.request({ type: 'exit' }), { type: 'exit', code: 'worker_lost' });
		assert.strictEqual((await browser.request({ type: 'echo', params: { tag: 'fine' } })).message.tag, 'fine');
	});
});
