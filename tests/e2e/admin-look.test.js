// SPDX-License-Identifier: ISC
// What an operator and a developer ask when something is wrong: errors, the steps of a request,
// a trace, the level of the log, a message of one's own.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { scripted, workerOf } = require('./lib/configs');
const { ask } = require('./lib/http');
const { ADMIN, NOWHERE, USHERCTL, control, ctl, held, pair, result, socketOf, table } = require('./lib/operator');
const { Child } = require('./lib/processes');
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
	// Those of one millisecond have no order, if they are of two event loops.
	const ended_ms = Date.now();
	await waitFor('the clock', () => Date.now() > ended_ms + 1);
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

test('call: one message of a developer, as a browser would send it', async (t) => {
	const { worker, master } = await pair(t);
	const steps = [{ line: '{"op":"send","id":@ID,"message":{"half":"\\u001b[31m \u202e"}}' },
		{ line: '{"op":"finish","id":@ID,"message":{"done":[1.50,2]},"session":{"user":"anna"}}' }];
	const json = JSON.stringify({ params: { script: steps } });
	const called = await ctl(master, ['call', 'browser-app', 'job', json]);

	assert.deepStrictEqual([called.code, called.stderr], [0, '']);
	assert.deepStrictEqual(called.stdout.split('\n'), ['{"half":"\\u001b[31m \\u202e"}', '{"done":[1.50,2]}', ''],
	    'no token, and nothing that drives the terminal');
	const replies = (await ctl(master, ['--json', 'call', 'browser-app', 'job', json])).stdout.trim().split('\n').map(JSON.parse);
	assert.deepStrictEqual(replies.map((r) => [r.finished, Object.keys(r.message)]), [[false, ['half']], [true, ['done']]]);
	const { requests } = await result(worker, 'explain', replies[1].request);
	assert.strictEqual(requests[0].type, 'job', 'it went the whole way');
	assert.strictEqual((await result(master, 'status')).requests, 0);
});

test('call: its exit status says whether it may have run', async (t) => {
	const node = await startUsherd(t, `node: lonely\n${LISTEN}\n${JWT}\n${ADMIN}
destinations: { far: { application: x, urls: ["${NOWHERE}"] } }
applications: { app: { command: ${scripted} } }
u_services: [ { application: web, types: { job: { destination: far } } } ]
`);
	const call = (...args) => ctl(node, ['call', ...args]);
	const script = (...lines) => JSON.stringify({ params: { script: lines } });

	const cases = [
		[['web', 'job'], 5, /"code":"link_down"/],
		[['web', 'ewd-fragment'], 5, /"error"/],
		[['app', 'restRequest'], 5, /restRequest is not taken from browsers/],
		[['app', 'qoper8-exit'], 5, /"code":"not_allowed"/],
		[['app', 'x', script({ line: '{"op":"fail","id":@ID,"error":"broke"}' })], 6, /"error":"broke"/],
		[['app', 'x', script({ line: '{"op":"finish","id":@ID,"message":{"error":"no such user"}}' })], 7, /no such user/]
	];
	for (const [args, code, words] of cases) {
		const called = await call(...args);
		assert.deepStrictEqual([called.code, called.stderr], [code, ''], args.join(' '));
		assert.match(called.stdout, words);
	}
	for (const [args, code, words] of [[['app'], 2, /usherctl call APPLICATION TYPE \[JSON\]/], [['app', 'x', '[]'], 1, /must be an object/],
		[['app', 'x', '{'], 1, /must be an object/], [['app', 'x', '{"type":"y"}'], 1, /type and token are not part/],
		[['app', ''], 1, /cannot be sent/], [['', 'x'], 1, /APPLICATION is not empty/]]) {
		const called = await call(...args);
		assert.strictEqual(called.code, code, args.join(' '));
		assert.match(called.stderr, words);
	}
});

test('call: who leaves before the final cancels the message', async (t) => {
	const { worker, master } = await pair(t, 'size: 1');
	const { script, release } = held(t);
	const one = control(t, master);

	one.socket.write(JSON.stringify({ command: 'call', args: ['browser-app', 'job', JSON.stringify({ params: { script } })] }) + '\n');
	await waitFor('the message to be there', async () => (await result(worker, 'requests')).requests.length === 1);
	one.socket.destroy();
	await waitFor('its end', async () => (await result(worker, 'requests')).requests.length === 0);
	release();
	const { errors } = await result(worker, 'errors');
	assert.strictEqual(errors[0].code, 'cancelled');
});

test('trace: follows a type or a session, with payloads only if both sides want it', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN.replace('{', '{ trace_payloads: true,'));
	const [anna, bob] = [await rawBrowser(t, node.port, 'remote-app'), await rawBrowser(t, node.port, 'remote-app')];
	const { sessions } = await result(node, 'sessions');
	const follow = async (options) => {
		const one = control(t, node);
		const first = await one.ask({ command: 'trace', options });
		assert.deepStrictEqual([first.ok, first.more, first.result], [true, true, { event: 'following' }]);
		return async () => (await one.answers.next('an event')).result;
	};
	const byType = await follow({ type: 'lis*' }), bySession = await follow({ session: sessions[0].sid, payloads: '' });
	const secret = { type: 'list', params: { password: 'geheim', script: answer({ token: 'x', names: ['rob'] }) } };

	await bob.request({ type: 'other', params: { script: answer({}) } });
	await anna.request({ type: 'listen', params: { script: answer({}) } });
	for (const browser of [anna, bob]) {
		// White space of a client's text ends no line of ours.
		browser.emit(JSON.stringify({ token: browser.token, ...secret }, null, '\n'));
		await browser.nextReply();
	}
	const seen = [];
	for (let i = 0; i < 6; i++)
		seen.push(await byType());
	assert.deepStrictEqual(seen.map((e) => [e.event, e.type]), [['request', 'listen'], ['final', 'listen'],
		['request', 'list'], ['final', 'list'], ['request', 'list'], ['final', 'list']]);
	assert.ok(!JSON.stringify(seen).includes('geheim') && seen.every((e) => e.payload === undefined));
	assert.deepStrictEqual([seen[3].at, seen[3].destination, seen[3].code], ['remote-app#1', 'remote-app', null]);
	const one = [];
	while (one.length < 2 || one.at(-1).type !== 'list' || one.at(-1).event !== 'final')
		one.push(await bySession());
	assert.ok(one.every((e) => e.session === sessions[0].sid));
	assert.strictEqual(one.find((e) => e.type === 'list' && e.event === 'request').payload.params.password, 'geheim');
	assert.deepStrictEqual(one.at(-1).payload, { names: ['rob'] });
	assert.ok(!JSON.stringify(one).includes('"token"'), 'tokens never');

	const strict = await startUsherd(t, workerOf(scripted) + ADMIN);
	const refused = await ctl(strict, ['trace', '--payloads']);
	assert.deepStrictEqual([refused.code, refused.stdout], [1, '']);
	assert.match(refused.stderr, /admin\.trace_payloads: true/);
});

test('trace: a line for each event, until it is interrupted', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const child = new Child(USHERCTL, ['-s', socketOf(node), 'trace']);

	atEnd(t, () => child.kill('SIGKILL'));
	await waitFor('an event', async () => {
		await browser.request({ type: 'job\u001b', params: { script: answer({}) } });
		return /\n/.test(child.stdout);
	});
	child.kill('SIGTERM');
	await child.end();
	const [line] = child.stdout.split('\n');
	assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} {2}(request|final) {2}[0-9a-f]{8} {2}job\\x1b {2}of \S+ {2}to remote-app/);
	await browser.request({ type: 'after', params: { script: answer({}) } });
	assert.strictEqual((await result(node, 'status')).state, 'serving');
});

test('top: rates of the node and of its routes, once without a terminal', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN + 'limits: { messages_per_second: off }\n');
	const browser = await rawBrowser(t, node.port, 'remote-app');
	let isOver = false;
	const busy = (async () => {
		while (!isOver)
			await browser.request({ type: 'job', params: { script: answer({}) } });
	})();

	for (const options of [[], ['--once']]) {
		// A busy machine may answer none within the second of a drawing.
		const { stdout, found } = await waitFor('a rate', async () => {
			const { code, stdout, stderr } = await ctl(node, ['top', ...options]);
			const found = stdout.match(/^ *([\d.]+) +([\d.]+) +(\d+) +(\d+) +(\d+) {2}remote-app\/\*$/m);

			assert.deepStrictEqual([code, stderr], [0, '']);
			return found && Number(found[1]) > 0 && { stdout, found };
		});
		assert.doesNotMatch(stdout, /\u001b/);
		assert.match(stdout, /^worker {2}usher \S+ {2}serving {2}up for /);
		const [, rate, errors, p50, , total] = found;
		assert.ok(Number(rate) > 0 && Number(total) > 0 && Number(p50) > 0, stdout);
		assert.strictEqual(Number(errors), 0);
	}
	isOver = true;
	await busy;
	const json = await result(node, 'top');
	assert.ok(json.counters.requests > 2 && json.routes.length === 1 && json.pools.length === 1);
	await node.stop();
	const gone = await ctl(node, ['top']);
	assert.deepStrictEqual([gone.code, gone.stdout], [3, '']);
});

test('top: on a terminal it is drawn again, until it is interrupted', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const child = new Child('script', ['-qfec', `${USHERCTL} -s ${socketOf(node)} top`, '/dev/null'], { stdio: ['ignore', 'pipe', 'pipe'] });

	atEnd(t, () => child.kill('SIGKILL'));
	await waitFor('two drawings', () => child.stdout.split('\u001b[H\u001b[2J').length > 2);
	child.kill('SIGTERM');
	await child.end();
});
