// SPDX-License-Identifier: ISC
// The settings of a pool: several requests at a time, workers that hang, wear out or idle.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { nodeOf, scriptedApp } = require('./lib/configs');
const { crowd, assertPerfect } = require('./lib/crowd');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { job, Gate, Record } = require('./lib/scripts');
const { startUsherd, nodeKit } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

async function start(t, pool, { ready, more } = {}) {
	const record = new Record(t);
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp(pool, { ready, record: record.file }) }, more));

	return { node, record, browser: await rawBrowser(t, node.port) };
}

// What a worker says on its standard error, or is said of it.
const COMPLAINT = / (warn|error) +browser-app#/;

const send = (browser, id, message) => browser.emit({ ...message, token: browser.token, ms_requestId: id });
const tagged = (tag) => ({ type: 'job', params: { tag } });
// The processes of the workers that became ready so far.
const processes = (node) => [...node.log.matchAll(/ready \(process (\d+)\)/g)].map((line) => Number(line[1]));

function isAlive(pid) {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

test('several requests at a time in one worker', async (t) => {
	for (const [what, pool, announced, most] of [
		['as many as the pool allows', 3, 8, 3],
		['as many as the worker takes', 8, 3, 3],
		['one, unless the worker says otherwise', 8, undefined, 1]
	]) {
		await t.test(what, async (t) => {
			const { record, browser } = await start(t, `size: 1, concurrency: ${pool}`, { ready: { concurrency: announced } });
			const gates = [0, 1, 2, 3, 4].map(() => new Gate(t));
			gates.forEach((gate, tag) => send(browser, tag, job({ send: { tag } }, { gate: gate.file }, { finish: { tag } })));
			for (let i = 0; i < most; i++)
				await browser.nextReply();
			assert.strictEqual(record.lines('request').length, most);

			// The last of those that run is answered first; each answer makes room for one more.
			const finals = [];
			gates[most - 1].open();
			for (let i = most; finals.length < 5;) {
				const reply = await browser.nextReply();
				assert.strictEqual(reply.ms_requestId, reply.message.tag, 'each its own');
				if (reply.finished)
					finals.push(reply.ms_requestId);
				else
					assert.strictEqual(reply.ms_requestId, i++);
				if (finals.length === 1)
					gates.forEach((gate) => gate.open());
			}
			assert.strictEqual(finals[0], most - 1);
			assert.strictEqual(record.lines('hello').length, 1);
		});
	}

	await t.test('shared by the fewest', async (t) => {
		const { record, browser } = await start(t, 'size: 2, concurrency: 4, prefork: true', { ready: { concurrency: 4 } });
		await waitFor('both workers', () => record.lines('hello').length === 2);
		const gate = new Gate(t);
		for (let tag = 0; tag < 8; tag++)
			send(browser, tag, job({ send: {} }, { gate: gate.file }, { finish: {} }));
		for (let tag = 0; tag < 8; tag++)
			await browser.nextReply();
		gate.open();
		for (let tag = 0; tag < 8; tag++)
			await browser.nextReply();

		const ids = record.lines('request').map((line) => line.id).sort();
		assert.deepStrictEqual(ids, [1, 1, 2, 2, 3, 3, 4, 4], 'each worker counts its own');
	});
});

test('a worker that hangs', async (t) => {
	await t.test('is found out by its missed ping; it costs its own requests', async (t) => {
		const { node, browser } = await start(t, 'size: 1, concurrency: 4, hang: 1s', { ready: { concurrency: 4 } });
		send(browser, 'waits', job({ send: {} }, { until: 'cancel' }));
		await browser.nextReply();
		const [pid] = processes(node);
		send(browser, 'hangs', job({ block: 60000 }));
		const codes = {};
		for (let i = 0; i < 2; i++) {
			const reply = await browser.nextReply();
			assertError(reply, { type: 'job', code: 'worker_lost', ms_requestId: reply.ms_requestId });
			codes[reply.ms_requestId] = reply.message.code;
		}

		assert.deepStrictEqual(codes, { waits: 'worker_lost', hangs: 'worker_lost' });
		assert.strictEqual((await browser.request(tagged('next'))).message.tag, 'next');
		await waitFor('its end', () => !isAlive(pid));
		assert.match(node.log, /browser-app#1.*pool\.hang/);
	});

	await t.test('is found out by its next request if it had none', async (t) => {
		const { node, browser } = await start(t, 'size: 1, concurrency: 4, hang: 1s', { ready: { concurrency: 4 } });
		assert.strictEqual((await browser.request(tagged('first'))).message.tag, 'first');
		const [pid] = processes(node);
		process.kill(pid, 'SIGSTOP');

		assertError(await browser.request(tagged('hangs')), { type: 'job', code: 'worker_lost' });
		assert.strictEqual((await browser.request(tagged('next'))).message.tag, 'next');
		await waitFor('its end', () => !isAlive(pid));
		assert.match(node.log, /browser-app#1.*pool\.hang/);
	});

	// The pings of the one tell that there was time for those of the other.
	await t.test('is looked for among those that have requests, and once more', async (t) => {
		const idle = new Record(t), busy = new Record(t);
		const app = (record) => scriptedApp('size: 1, concurrency: 4, hang: 1s', { ready: { concurrency: 4 }, record: record.file });
		const node = await startUsherd(t, nodeOf('near', { 'browser-app': app(idle), 'busy-app': app(busy) }));
		const one = await rawBrowser(t, node.port), other = await rawBrowser(t, node.port, 'busy-app');
		assert.strictEqual((await one.request(tagged('first'))).message.tag, 'first');
		send(other, 'slow', job({ send: {} }, { until: 'cancel' }));
		await other.nextReply();
		await idle.told('ping');
		await busy.told('ping', 3);

		assert.strictEqual(idle.lines('ping').length, 1);
		node.endsBy = 'SIGINT';
	});

	await t.test('one that is only slow lives', async (t) => {
		const { node, record, browser } = await start(t, 'size: 1, concurrency: 4, hang: 1s', { ready: { concurrency: 4 } });
		send(browser, 'slow', job({ send: {} }, { until: 'cancel' }));
		await browser.nextReply();
		await record.told('ping', 2);

		assert.strictEqual((await browser.request(tagged('beside'))).message.tag, 'beside');
		assert.strictEqual(processes(node).length, 1);
		node.endsBy = 'SIGINT';
	});
});

test('a deadline cancels one of several requests and kills nobody', async (t) => {
	for (const [what, cancel, heard] of [['and the worker is told', true, 1], ['told or not', undefined, 0]]) {
		await t.test(what, async (t) => {
			const { node, record, browser } = await start(t, 'size: 1, concurrency: 2', { ready: { concurrency: 2, cancel }, more: `
u_services:
  - application: browser-app
    types:
      hasty: { destination: browser-app, timeout: 300ms }
` });
			const gate = new Gate(t);
			send(browser, 'patient', job({ send: {} }, { gate: gate.file }, { finish: { own: true } }));
			await browser.nextReply();
			send(browser, 'hasty', { ...job({ gate: gate.file }, { finish: { late: true } }), type: 'hasty' });

			assertError(await browser.nextReply(), { type: 'hasty', code: 'timeout', ms_requestId: 'hasty' });
			assert.strictEqual((await browser.request(tagged('beside'))).message.tag, 'beside');
			assert.strictEqual(record.lines('cancel').length, heard);
			gate.open();
			assert.strictEqual((await browser.nextReply()).message.own, true);
			assert.strictEqual((await browser.request(tagged('after'))).message.tag, 'after');
			assert.strictEqual(processes(node).length, 1);
		});
	}
});

test('recycling loses nothing', async (t) => {
	await t.test('every ten messages, under 20 browsers', async (t) => {
		for (const pool of ['size: 2, max_messages: 10', 'size: 2, concurrency: 4, max_messages: 10']) {
			await t.test(pool, async (t) => {
				const command = nodeKit('remote-app.js').replace('"]', '","--concurrency","4"]');
				const node = await startUsherd(t, nodeOf('near', { 'browser-app': `{ command: ${command}, pool: { ${pool} } }` }));
				assertPerfect(await crowd(t, node.port, { browsers: 20, rounds: 20 }), 400);

				// How often depends on how fast the successors start; the first one may be late.
				await waitFor(() => 'a successor:\n' + node.log, () => processes(node).length >= 3);
				assert.doesNotMatch(node.log, COMPLAINT);
			});
		}
	});

	await t.test('a worker is replaced after max_messages, and never before another is ready', async (t) => {
		const { node, browser } = await start(t, 'size: 1, max_messages: 10');
		let count = 0, last = 0;
		while (processes(node).length < 3) {
			const { message } = await browser.request(tagged(count));
			assert.strictEqual(message.tag, count++);
			// Its line in the log may be read here after its answer.
			if (message.pid !== last)
				await waitFor('a worker that was ready', () => processes(node).includes(message.pid));
			last = message.pid;
		}
		assert.ok(count >= 20, count + ' messages');
	});

	await t.test('a worker that leaks', async (t) => {
		const { node, browser } = await start(t, 'size: 1, max_memory: 150MB');
		const first = (await browser.request(tagged(0))).message.pid;
		const leak = job({ leak: 40e6 }, { finish: { leaked: true } });
		for (let i = 0; i < 5; i++)
			assert.strictEqual((await browser.request(leak)).message.leaked, true);
		await waitFor('another worker to answer', async () => (await browser.request(tagged(1))).message.pid !== first);

		await waitFor('the end of the old one', () => !isAlive(first));
		assert.doesNotMatch(node.log, COMPLAINT);
		const [, second] = processes(node);
		for (let tag = 0; tag < 20; tag++)
			assert.strictEqual((await browser.request(tagged(tag))).message.pid, second, 'one that does not leak stays');
	});
});

test('idle workers end, and start again when there is work', async (t) => {
	const { node, browser } = await start(t, 'size: 2, idle: 200ms');
	const first = (await browser.request(tagged(1))).message.pid;
	await waitFor('its end', () => !isAlive(first));
	const second = await browser.request(tagged(2));

	assert.strictEqual(second.message.tag, 2);
	assert.notStrictEqual(second.message.pid, first);
	assert.doesNotMatch(node.log, COMPLAINT, 'that is no fault');

	await t.test('but not one that is at work', async () => {
		const third = (await browser.request(job({ wait: 1200 }, { finish: { pid: true } })));
		assert.strictEqual(third.message.pid, true);
	});
});

test('prefork starts all workers before there is work, and again', async (t) => {
	const { node } = await start(t, 'size: 3, prefork: true, idle: 100ms');
	await waitFor('three workers', () => processes(node).length === 3);
	const [victim] = processes(node);
	process.kill(victim, 'SIGKILL');
	await waitFor('a fourth', () => processes(node).length === 4);

	assert.strictEqual(processes(node).filter(isAlive).length, 3);
});

test('types that a worker announced', async (t) => {
	const { record, browser } = await start(t, 'size: 1', { ready: { types: ['job', 'j\u00f6b', ''] } });

	await t.test('are served', async () => {
		for (const type of ['job', 'j\u00f6b'])
			assert.strictEqual((await browser.request({ type, params: { tag: 1 } })).message.tag, 1);
	});

	await t.test('others have no handler, and none is asked', async () => {
		for (const type of ['unknown', 'Job', 'jobs', '*', '__proto__']) {
			assertError(await browser.request({ type }),
			    { type, code: 'no_handler', error: `Handler not defined for browser-app messages of type ${type}` });
		}
		assert.strictEqual(record.lines('request').length, 2);
	});

	await t.test('also one that waited for the first worker', async (t) => {
		const { record, browser } = await start(t, 'size: 1', { ready: { types: ['job'] } });
		send(browser, 1, { type: 'unknown' });
		send(browser, 2, tagged(2));
		const replies = [await browser.nextReply(), await browser.nextReply()];

		assert.deepStrictEqual(replies.map((r) => r.message.code || r.message.tag), ['no_handler', 2]);
		assert.strictEqual(record.lines('request').length, 1);
	});

	await t.test('are logged, once for each set of them', async (t) => {
		const { node, browser } = await start(t, 'size: 2, prefork: true', { ready: { types: ['job', 'j\u00f6b\n'] } });
		const said = () => [...node.log.matchAll(/ info +application browser-app: types: (.*)/g)].map((line) => line[1]);
		const announce = async (fields) => {
			const ready = JSON.stringify({ op: 'ready', ...fields });
			await browser.request(job({ line: '{"op":"unready"}' }, { line: ready }, { finish: {} }));
		};
		const many = ['job', ...Array.from({ length: 1000 }, (_, i) => 'type ' + i)];

		await waitFor('both workers', () => processes(node).length === 2);
		await announce({ types: ['j\u00f6b\n', 'job', 'job'] });
		await announce({ types: ['job'] });
		await announce({ types: many });
		await announce({});
		await announce({ types: ['job', 'other'] });
		await waitFor('the last line', () => said().includes('job, other'));
		assert.deepStrictEqual(said().filter((line) => !line.includes('type 1')),
		    ['job, j\u00f6b?', 'job', 'any', 'job, other']);
		const long = said().find((line) => line.includes('type 1'));
		assert.match(long, /^job, type 0, type 1, .*, \.\.\.$/);
		assert.ok(long.length < 500, long);
	});
});
