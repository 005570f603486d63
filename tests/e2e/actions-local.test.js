// SPDX-License-Identifier: ISC
// What an operator does to an application of the node itself: pausing, draining, disabling.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { masterOf, nodeOf, scriptedApp, scripted, workerOf } = require('./lib/configs');
const { ADMIN, ctl, held, metricsOf, result, table } = require('./lib/operator');
const { metric } = require('./lib/prometheus');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const WHO = process.getuid() === 0 ? 'root' : 'user ' + process.getuid();

async function start(t, pool = 'size: 1', more = '') {
	const node = await startUsherd(t, nodeOf('n', { app: scriptedApp(pool) }, ADMIN + more));

	return { node, browser: await rawBrowser(t, node.port, 'app') };
}

const ask = (browser, ...tags) =>
	tags.forEach((tag) => browser.emit({ type: 'job', token: browser.token, ms_requestId: tag, params: { tag } }));
const hold = (browser, script) =>
	browser.emit({ type: 'job', token: browser.token, ms_requestId: 'held', params: { script } });
const poolOf = async (node) => (await result(node, 'pools')).pools[0];
const waiting = (node, n) => waitFor(n + ' to wait', async () => (await poolOf(node)).queue === n);

// In turn, what the replies are to, and how they ended.
async function replies(browser, n) {
	const all = [];

	while (all.length < n) {
		const { ms_requestId, message } = await browser.nextReply();
		all.push([ms_requestId, message.code || 'good']);
	}
	return all;
}

test('requests to a paused application wait, in order, and no worker is started for them', async (t) => {
	const { node, browser } = await start(t);
	const done = await result(node, 'pause', 'app', '--wait');

	assert.deepStrictEqual([done.destination, done.url, done.state, done.changed, done.in_flight], ['app', null, 'paused', true, 0]);
	ask(browser, 1, 2, 3);
	await waiting(node, 3);
	const pool = await poolOf(node);
	assert.deepStrictEqual([pool.state, pool.started, pool.in_flight], ['paused', 0, 0]);
	assert.strictEqual((await result(node, 'pause', 'app')).changed, false);
	assert.deepStrictEqual((await result(node, 'requests')).requests.map((r) => r.where), ['queue', 'queue', 'queue']);
	assert.deepStrictEqual((await result(node, 'routes')).routes.map((r) => r.why), [null], 'they are served later');
	assert.strictEqual(metric(await metricsOf(node), 'usher_pool_paused', { application: 'app' }), 1);

	assert.strictEqual((await result(node, 'resume', 'app')).state, 'serving');
	assert.deepStrictEqual(await replies(browser, 3), [[1, 'good'], [2, 'good'], [3, 'good']]);
	assert.strictEqual(metric(await metricsOf(node), 'usher_pool_paused', { application: 'app' }), 0);
	assert.match(node.log, new RegExp(`application app: paused by ${WHO}`));
	assert.match(node.log, new RegExp(`application app: resumed by ${WHO}`));
});

test('drain --wait comes back when what waits was served, too', async (t) => {
	const { node, browser } = await start(t);
	const work = held(t);
	hold(browser, work.script);
	await node.logged(/at work/);
	ask(browser, 'next');
	await waiting(node, 1);
	await result(node, 'pause', 'app');
	const now = await result(node, 'drain', 'app');
	assert.strictEqual(now.in_flight, 1, 'what is paused waits for resume');
	await result(node, 'resume', 'app');

	const drained = result(node, 'drain', 'app', '--wait');
	assert.strictEqual((await result(node, 'drain', 'app')).in_flight, 2);
	work.release();
	assert.strictEqual((await drained).in_flight, 0);
	assert.strictEqual((await poolOf(node)).queue, 0);
	assert.deepStrictEqual(await replies(browser, 2), [['held', 'good'], ['next', 'good']]);
});

test('a paused application that a reload removes serves what waits', async (t) => {
	const { node, browser } = await start(t);
	const file = path.join(node.dir, 'usher.yaml'), config = fs.readFileSync(file, 'utf8');
	await result(node, 'pause', 'app');
	ask(browser, 1, 2);
	await waiting(node, 2);
	fs.writeFileSync(file, config.replace('  app:', '  other:'));
	await result(node, 'reload');
	assert.deepStrictEqual(await replies(browser, 2), [[1, 'good'], [2, 'good']]);
});

test('pause --wait comes back when no worker is at work; a worker that gets free takes nothing', async (t) => {
	const { node, browser } = await start(t);
	const work = held(t);
	hold(browser, work.script);
	await node.logged(/at work/);
	ask(browser, 'next');
	await waiting(node, 1);
	let isPaused = false;
	const paused = result(node, 'pause', 'app', '--wait').then((r) => {
		isPaused = true;
		return r;
	});

	await waitFor('the pause', async () => (await poolOf(node)).state === 'paused');
	assert.strictEqual(isPaused, false, 'one is under way');
	work.release();
	assert.deepStrictEqual(await replies(browser, 1), [['held', 'good']]);
	assert.strictEqual((await paused).in_flight, 0);
	assert.strictEqual((await poolOf(node)).queue, 1);
	await result(node, 'resume', 'app');
	assert.deepStrictEqual(await replies(browser, 1), [['next', 'good']]);
});

test('a pause changes neither deadlines nor the limit of the queue', async (t) => {
	const { node, browser } = await start(t, 'size: 1, queue: 2', 'timeouts: { request: 300ms }\n');
	await result(node, 'pause', 'app');
	ask(browser, 1, 2, 3);

	assert.deepStrictEqual((await replies(browser, 3)).sort(), [[1, 'timeout'], [2, 'timeout'], [3, 'overloaded']]);
	assert.strictEqual((await poolOf(node)).queue, 0);
	assert.strictEqual((await poolOf(node)).started, 0, 'those that ended were not handed over');
});

test('calls of its own handlers go on while an application is paused', async (t) => {
	const { node, browser } = await start(t, 'size: 2');
	const work = held(t);
	const call = { call: { application: 'app', type: 'job', message: { params: { tag: 'inner' } } } };
	hold(browser, [...work.script.slice(0, -1), call, { until: 'reply' }, { relay: true }]);
	await node.logged(/at work/);
	const paused = result(node, 'pause', 'app', '--wait');

	await waitFor('the pause', async () => (await poolOf(node)).state === 'paused');
	ask(browser, 'outer');
	await waiting(node, 1);
	work.release();
	const { message } = await browser.nextReply();
	assert.strictEqual(message.replies[0].message.tag, 'inner');
	assert.strictEqual((await paused).in_flight, 0);
	assert.strictEqual((await poolOf(node)).queue, 1, 'what browsers ask waits');
	await result(node, 'resume', 'app');
	assert.deepStrictEqual(await replies(browser, 1), [['outer', 'good']]);
});

test('a drained application serves what waits and takes nothing new, until it is enabled', async (t) => {
	const { node, browser } = await start(t);
	const work = held(t);
	hold(browser, work.script);
	await node.logged(/at work/);
	ask(browser, 'waits');
	await waiting(node, 1);
	const drained = result(node, 'drain', 'app', '--wait');
	await waitFor('the drain', async () => (await poolOf(node)).state === 'drained');

	const refused = await browser.request({ type: 'job' });
	assertError(refused, { type: 'job', code: 'stopping' });
	assert.strictEqual(refused.message.error, 'application app is drained');
	assert.deepStrictEqual((await result(node, 'routes')).routes.map((r) => r.why), ['the application is drained']);
	assert.strictEqual(metric(await metricsOf(node), 'usher_pool_set_aside', { application: 'app' }), 1);
	work.release();
	assert.deepStrictEqual(await replies(browser, 2), [['held', 'good'], ['waits', 'good']]);
	assert.strictEqual((await drained).in_flight, 0);
	assert.strictEqual((await result(node, 'enable', 'app')).state, 'serving');
	ask(browser, 'x');
	assert.deepStrictEqual(await replies(browser, 1), [['x', 'good']]);
});

test('requests that wait are refused when their application is disabled', async (t) => {
	const { node, browser } = await start(t);
	const work = held(t);
	hold(browser, work.script);
	await node.logged(/at work/);
	ask(browser, 'waits');
	await waiting(node, 1);
	await result(node, 'disable', 'app');

	assert.deepStrictEqual(await replies(browser, 1), [['waits', 'stopping']]);
	work.release();
	assert.deepStrictEqual(await replies(browser, 1), [['held', 'good']], 'what was under way goes on');
	await result(node, 'enable', 'app');
});

test('a master sends what a drained application refuses to its other node', async (t) => {
	const workers = [];
	for (let i = 0; i < 2; i++)
		workers.push(await startUsherd(t, workerOf(scripted).replace('node: worker', 'node: w' + i) + ADMIN));
	const master = await startUsherd(t, masterOf(workers.map((w) => w.url.replace('http', 'ws'))) + ADMIN);
	await master.linked(2);
	const browser = await rawBrowser(t, master.port);
	await result(workers[0], 'drain', 'remote-app', '--wait');

	ask(browser, 1, 2, 3, 4);
	assert.deepStrictEqual((await replies(browser, 4)).sort(), [[1, 'good'], [2, 'good'], [3, 'good'], [4, 'good']]);
	assert.strictEqual((await poolOf(workers[0])).started, 0);
});

test('what was set for an application shows who did it, outlives reloads, and ends by its opposite', async (t) => {
	const { node, browser } = await start(t);
	const file = path.join(node.dir, 'usher.yaml');
	const config = fs.readFileSync(file, 'utf8');
	await result(node, 'pause', 'app');
	await result(node, 'drain', 'app');
	const check = async () => {
		const { set } = await result(node, 'status');

		assert.deepStrictEqual(set.map((s) => [s.destination, s.url, s.state, s.by]), [['app', null, 'paused', WHO], ['app', null, 'drained', WHO]]);
		assert.ok(set.every((s) => s.since_ms >= 0 && Math.abs(Date.now() - s.since_wall_ms) < 600000));
	};

	await check();
	assert.ok((await table(node, 'status')).some((row) => row[0] === 'paused' && row[1] === 'app' && row[3] === WHO));
	await t.test('other settings of its pool, whose workers are rolled', async () => {
		fs.writeFileSync(file, config.replace('size: 1', 'size: 2'));
		await result(node, 'reload');
		await check();
	});
	await t.test('without the application, and with it again', async () => {
		fs.writeFileSync(file, config.replace(/applications:\n.*\n/, ''));
		await result(node, 'reload');
		await check();
		fs.writeFileSync(file, config);
		await result(node, 'reload');
		await check();
		assert.strictEqual((await poolOf(node)).state, 'drained');
	});
	await result(node, 'enable', 'app');
	ask(browser, 'x');
	await waiting(node, 1);
	assert.strictEqual((await result(node, 'resume', 'app')).changed, true);
	assert.strictEqual((await result(node, 'resume', 'app')).changed, false);
	assert.deepStrictEqual(await replies(browser, 1), [['x', 'good']]);
	assert.strictEqual((await result(node, 'status')).set, undefined);
});

test('what was set for an application that a reload has removed can be ended', async (t) => {
	const { node } = await start(t);
	const file = path.join(node.dir, 'usher.yaml');
	await result(node, 'pause', 'app');
	fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/applications:\n.*\n/, ''));
	await result(node, 'reload');

	assert.strictEqual((await result(node, 'status')).set.length, 1);
	await result(node, 'resume', 'app');
	assert.strictEqual((await result(node, 'status')).set, undefined);
	assert.strictEqual((await ctl(node, ['resume', 'app'])).code, 1);
});

test('an application under load is paused, rolled and resumed with no error', async (t) => {
	const { node } = await start(t, 'size: 2', 'limits: { messages_per_second: off }\n');
	const state = { isOver: false, done: 0, wrong: [] };
	const load = async (browser) => {
		while (!state.isOver) {
			const { message } = await browser.request({ type: 'job', params: { tag: ++state.done } });
			if (message.ok !== true)
				state.wrong.push(message);
		}
	};
	const browsers = [];
	for (let i = 0; i < 4; i++)
		browsers.push(await rawBrowser(t, node.port, 'app'));
	const loads = browsers.map(load);

	for (let round = 0; round < 2; round++) {
		const before = state.done;
		await waitFor('the load', () => state.done > before + 20);
		assert.strictEqual((await result(node, 'pause', 'app', '--wait')).in_flight, 0);
		await waiting(node, browsers.length);
		assert.strictEqual((await result(node, 'roll', 'app')).rolled, true);
		await result(node, 'resume', 'app');
	}
	state.isOver = true;
	await Promise.all(loads);
	assert.deepStrictEqual(state.wrong, []);
	assert.strictEqual(metric(await metricsOf(node), 'usher_requests_failed_total'), 0);
});
