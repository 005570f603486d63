// SPDX-License-Identifier: ISC
// What an operator and a developer ask when something is wrong: errors, the steps of a request,
// a trace, the level of the log, a message of one's own.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { scripted, workerOf } = require('./lib/configs');
const { ask } = require('./lib/http');
const { ADMIN, NOWHERE, ctl, held, pair, result, table } = require('./lib/operator');
const { rawBrowser, rawClient } = require('./lib/raw');
const { JWT, LISTEN, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const answer = (message) => [{ line: `{"op":"finish","id":@ID,"message":${JSON.stringify(message)}}` }];

test('errors: counts by code, route and node, and the last ones', async (t) => {
	const { worker, master } = await pair(t);
	const browser = await rawBrowser(t, master.port);
	const stranger = await rawClient(t, master.port);

	await browser.request({ type: 'job', params: { script: [{ line: '{"op":"fail","id":@ID,"error":"it broke"}' }] } });
	await browser.request({ type: 'job', params: { script: answer({ error: 'wrong password of Anna' }) } });
	stranger.emit({ type: 'job' });
	await stranger.nextReply();
	const { by, counts, errors, left_out: leftOut } = await result(master, 'errors');
	const byCode = Object.fromEntries(counts.map((c) => [c.name, c.errors]));

	assert.deepStrictEqual([by, byCode, leftOut], ['code', { handler_error: 1, answered_error: 1, no_token: 1 }, 0]);
	assert.deepStrictEqual(errors.map((e) => [e.code, e.route, e.type, e.node, e.text]), [
		['no_token', 'none', 'job', 'master', 'Missing authorization header'],
		['answered_error', 'browser-app/*', 'job', 'far', null],
		['handler_error', 'browser-app/*', 'job', 'worker', 'it broke']
	]);
	assert.strictEqual(errors[1].at, worker.url.replace('http', 'ws'));
	assert.ok(errors.every((e) => /^[0-9a-f]{32}$/.test(e.request) && Math.abs(e.at_ms - Date.now()) < 600e3));
	assert.ok(!JSON.stringify(errors).includes('Anna'), 'what a handler says to a client is not kept');
	const routes = await result(master, 'errors', '--by', 'route');
	assert.deepStrictEqual(routes.counts, [{ name: 'browser-app/*', errors: 2 }, { name: 'none', errors: 1 }]);
	const nodes = await result(master, 'errors', '--by=node');
	assert.deepStrictEqual(nodes.counts.map((c) => c.name).sort(), ['far', 'master', 'worker']);
	const rows = await table(master, 'errors', '-n', '1');
	assert.deepStrictEqual(rows[0], ['ERRORS', 'OF']);
	assert.deepStrictEqual(rows.at(-1), ['and 2 more (--limit)']);
	const refused = await ctl(master, ['errors', '--by', 'moon']);
	assert.deepStrictEqual([refused.code, refused.stderr], [1, 'usherctl: refused: --by takes code, route or node\n']);
});

test('explain: the steps of a request, on every node that it passed', async (t) => {
	const { worker, master } = await pair(t, 'size: 1');
	const browser = await rawBrowser(t, master.port);
	const { script, release } = held(t);

	browser.emit({ type: 'first', token: browser.token, params: { script } });
	browser.emit({ type: 'second', token: browser.token, params: { script: [
		{ line: '{"op":"send","id":@ID,"message":{"half":true}}' }].concat(answer({ secret: 'payload' })) } });
	const waiting = await waitFor('the second to queue', async () =>
		(await result(worker, 'requests')).requests.find((r) => r.type === 'second' && r.where === 'queue'));
	const early = await ctl(worker, ['explain', waiting.request]);
	assert.strictEqual(early.code, 1);
	assert.match(early.stderr, /has not ended yet/);
	release();
	for (let i = 0; i < 3; i++)
		await browser.nextReply();

	const there = await result(worker, 'explain', waiting.request);
	assert.deepStrictEqual(there.requests.map((r) => [r.request, r.type, r.route, r.at, r.ended]),
	    [[waiting.request, 'second', 'remote-app/*', 'remote-app#1', 'answered']]);
	assert.deepStrictEqual(there.steps.map((s) => s.step), ['received', 'token checked', 'route chosen', 'queued',
		'handed over', 'first intermediate', 'final', 'passed on']);
	assert.deepStrictEqual(there.steps.map((s) => s.what), [null, null, 'remote-app/*', null, 'to remote-app#1',
		'1 in all', 'answered', 'to whoever asked']);
	assert.ok(there.steps.every((s, i) => i === 0 || s.at_ms >= there.steps[i - 1].at_ms));
	assert.ok(!JSON.stringify(there).includes('payload'));
	const here = await result(master, 'explain', waiting.request.slice(0, 8));
	assert.strictEqual(here.steps.find((s) => s.step === 'handed over').what, 'to ' + worker.url.replace('http', 'ws'));
	assert.ok(!here.steps.some((s) => s.step === 'queued'), 'a link of a node takes any number');
	const rows = await table(master, 'explain', waiting.request);
	assert.ok(rows.some((row) => row.includes('handed over')));
	for (const [id, words] of [['abc', /at least 6 characters/], ['0'.repeat(32), /no such request/]])
		assert.match((await ctl(master, ['explain', id])).stderr, words);
});

test('explain: a request that got nowhere says where it ended', async (t) => {
	const node = await startUsherd(t, `node: lonely\n${LISTEN}\n${JWT}\n${ADMIN}
destinations: { far: { application: x, urls: ["${NOWHERE}"] } }
u_services: [ { application: web, types: { job: { destination: far } } } ]
`);
	const browser = await rawBrowser(t, node.port, 'web');
	const reply = await browser.request({ type: 'job' });
	const { requests, steps } = await result(node, 'explain', reply.message.request);

	assert.deepStrictEqual([requests[0].ended, requests[0].at, requests[0].route], ['link_down', null, 'web/job']);
	assert.deepStrictEqual(steps.map((s) => s.step), ['received', 'token checked', 'route chosen', 'final', 'passed on']);
	const { routes } = await result(node, 'routes');
	assert.deepStrictEqual([routes[0].route, routes[0].requests, routes[0].errors], ['web/job', 1, 1]);
});

test('routes of HTTP paths are counted by the names they have', async (t) => {
	const node = await startUsherd(t, `node: rest\n${LISTEN}\n${JWT}\n${ADMIN}
applications: { app: { command: ${scripted}, rest: /app } }
u_services: [ { path: "/api/:id", method: GET, destination: app } ]
`);

	await ask(node.url, 'GET', '/api/17');
	await ask(node.url, 'GET', '/app/type');
	const { routes } = await result(node, 'routes');
	assert.deepStrictEqual(routes.map((r) => [r.route, r.requests]), [['GET /api/:id', 1], ['app/*', 1], ['app/*', 1]]);
});

test('loglevel: until its opposite, and status tells who and since when', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const set = async (...args) => {
		const { code, stdout, stderr } = await ctl(node, ['loglevel', ...args]);
		assert.deepStrictEqual([code, stderr], [0, ''], args.join(' '));
		return stdout;
	};
	const browser = await rawBrowser(t, node.port, 'remote-app');

	assert.strictEqual((await result(node, 'status')).log_level, 'info');
	assert.strictEqual((await result(node, 'status')).log_set, undefined);
	await set('debug', 'request');
	await browser.request({ type: 'seen', params: { script: answer({}) } });
	await node.logged(/debug.*type seen of remote-app goes to remote-app/);
	await set('error');
	const status = await result(node, 'status');
	assert.strictEqual(status.log_level, 'error');
	assert.deepStrictEqual(status.log_set.map((s) => [s.log, s.set_to]), [['request', 'debug'], ['level', 'error']]);
	assert.ok(status.log_set.every((s) => /^(root|user \d+)$/.test(s.by) && s.since_ms < 600e3));
	const rows = await table(node, 'status');
	assert.ok(rows.some((row) => row[0] === 'level' && row[1] === 'error'));
	await set('info', 'request');
	assert.deepStrictEqual((await result(node, 'status')).log_set.map((s) => s.log), ['level']);
	assert.match(await set('default'), /as the configuration has it/);
	const back = await result(node, 'status');
	assert.deepStrictEqual([back.log_level, back.log_set], ['info', undefined]);
	for (const [args, words] of [[['loud'], /a level is error, warn, info, debug, or default/],
		[['debug', 'moon'], /there is no area "moon"/]]) {
		const refused = await ctl(node, ['loglevel', ...args]);
		assert.strictEqual(refused.code, 1);
		assert.match(refused.stderr, words);
	}
	assert.strictEqual((await ctl(node, ['loglevel'])).code, 2);
});
