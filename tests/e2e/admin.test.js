// SPDX-License-Identifier: ISC
// What the operator sees of a running node: usherctl, the socket it asks, metrics and health.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { masterOf, nodeOf, scripted, scriptedApp, workerOf } = require('./lib/configs');
const { ask } = require('./lib/http');
const { run } = require('./lib/processes');
const { ADMIN, NOWHERE, USHERCTL, control, ctl, held, httpOf, metricsOf, pair, result, socketOf, table } = require('./lib/operator');
const { metric } = require('./lib/prometheus');
const { rawBrowser, rawClient } = require('./lib/raw');
const { JWT, LISTEN, SECRET, folder, runUsherd, startUsherd } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const COMPLETION = path.join(__dirname, '..', '..', 'contrib', 'completion', 'usherctl');
const COMMANDS = ['status', 'routes', 'links', 'pools', 'sessions', 'requests', 'errors', 'counters', 'help'];

test('status: the node, its state and its counters', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const status = await result(node, 'status');

	assert.strictEqual(status.node, 'worker');
	assert.match(status.version, /^\d+\.\d+\.\d+/);
	assert.strictEqual(status.pid, node.pid);
	assert.strictEqual(status.state, 'serving');
	assert.ok(status.uptime_ms >= 0);
	assert.strictEqual(status.sessions, 0);
	const browser = await rawBrowser(t, node.port, 'remote-app');
	await browser.request({ type: 'job' });
	const later = await result(node, 'status');
	assert.deepStrictEqual([later.sessions, later.requests, later.applications, later.workers_ready], [1, 0, 1, 1]);
	assert.deepStrictEqual([later.counters.requests, later.counters.registrations], [2, 1]);
	const rows = await table(node, 'status');
	assert.ok(rows.some(([name, value]) => name === 'node' && value === 'worker'));
	assert.ok(rows.some(([name, value]) => name === 'process' && value === String(node.pid)));
	assert.ok(rows.some(([name, value]) => name === 'up for' && /^\d+(ms|s|m\d\ds)$/.test(value)));
});

test('routes: who serves what, and why nobody does', async (t) => {
	const types = JSON.stringify({ types: ['login', 'list.all'] });
	const node = await startUsherd(t, `
node: many
${LISTEN}
${JWT}
${ADMIN}
destinations:
  far: { application: x, urls: ["${NOWHERE}"], timeout: 7s }
  all: { destinations: [far, app] }
  none: { destinations: [far] }
applications:
  app: { command: ${scripted}, pool: { size: 1, prefork: true }, rest: /app, environment: { READY: '${types}' } }
u_services:
  - application: web
    types:
      login:   { destination: app, timeout: 5s }
      logout:  { destination: app }
      "list.*": { destination: app }
      "report.*": { destination: far }
  - { path: "/api/:id", method: GET, destination: all }
  - { path: "/none", destination: none }
  - { path: "/to/:destination/x" }
`);
	await node.logged(/types: /);
	const { routes } = await result(node, 'routes');
	const told = routes.map((r) => [r.kind, r.application, r.method, r.pattern, r.destination, r.timeout_ms, r.why]);

	assert.deepStrictEqual(told, [
		['type', 'web', null, 'login', 'app', 5000, null],
		['type', 'web', null, 'logout', 'app', 60000, 'its workers serve no such type'],
		['type', 'web', null, 'list.*', 'app', 60000, null],
		['type', 'web', null, 'report.*', 'far', 7000, 'no link is up'],
		['path', null, 'GET', '/api/:id', 'all', 60000, null],
		['path', null, null, '/none', 'none', 60000, 'no link is up'],
		['path', null, null, '/to/:destination/x', null, 60000, null],
		['local', 'app', null, '*', 'app', 60000, null],
		['prefix', null, null, '/app', 'app', 60000, null]
	]);
	assert.ok(routes.every((r) => r.served === (r.why === null)));
	const rows = await table(node, 'routes');
	assert.deepStrictEqual(rows[0], ['KIND', 'APPLICATION', 'METHOD', 'PATTERN', 'DESTINATION', 'TIMEOUT',
		'REQUESTS', 'ERRORS', 'P50', 'P99', 'STATE']);
	assert.deepStrictEqual(rows[1], ['type', 'web', '-', 'login', 'app', '5s', '0', '0', '-', '-', 'ok']);
	assert.deepStrictEqual(rows[4], ['type', 'web', '-', 'report.*', 'far', '7s', '0', '0', '-', '-', 'no link is up']);
	assert.deepStrictEqual((await result(node, 'pools')).pools[0].types, ['list.all', 'login']);
});

test('links: their state, the node behind them, and what they fail with', async (t) => {
	const worker = await startUsherd(t, workerOf(scripted));
	const master = await startUsherd(t, masterOf([worker.url.replace('http', 'ws'), NOWHERE], 'queue: off') + ADMIN +
	    'threads: 1\n');	// each event loop has its own

	await master.linked();
	const { destinations, links } = await waitFor('the failure', async () => {
		const seen = await result(master, 'links');
		return seen.links.every((l) => l.state === 'up' || l.last_error) && seen;
	});
	assert.deepStrictEqual(destinations, [{ destination: 'far', application: 'remote-app', protocol: 'auto',
		up: true, state: 'serving', urls: 2, queue: 0, queue_bytes: 0, queue_max: null }]);
	assert.deepStrictEqual(links.map((l) => [l.destination, l.url, l.number, l.protocol, l.node, l.times_up]), [
		['far', worker.url.replace('http', 'ws'), 1, 'usher', 'worker', 1],
		['far', NOWHERE, 1, null, null, 0]
	]);
	assert.strictEqual(links[0].state, 'up');
	assert.match(links[1].last_error, /^connection was refused/);
	const rows = await table(master, 'links');
	assert.ok(rows.some((row) => row[0] === 'far' && row[1] === NOWHERE && /refused/.test(row[row.length - 1])));

	await worker.stop();
	const after = await waitFor('the link to be down', async () => {
		const seen = await result(master, 'links');
		return !seen.destinations[0].up && seen;
	});
	assert.deepStrictEqual([after.links[0].protocol, after.links[0].node, after.links[0].times_up], [null, null, 1]);
	assert.ok(after.links[0].last_error, 'why it went down');
});

test('pools: workers by what they do, those that were lost, and those that do not start', async (t) => {
	const { script, release } = held(t);
	const node = await startUsherd(t, nodeOf('two', {
		good: scriptedApp('size: 2, prefork: true'), bad: '{ command: ["false"], pool: { prefork: true } }'
	}, ADMIN));
	const pools = async () => (await result(node, 'pools')).pools;
	const browser = await rawBrowser(t, node.port, 'good');

	await waitFor('two idle workers', async () => (await pools())[0].idle === 2);
	browser.emit({ type: 'job', token: browser.token, params: { script } });
	await node.logged(/at work/);
	const [good] = await pools();
	assert.deepStrictEqual([good.busy, good.idle, good.in_flight, good.started, good.lost, good.failing, good.types],
	    [1, 1, 1, 2, 0, false, null]);
	const bad = await waitFor('the pool to fail', async () => (await pools()).find((p) => p.failing));
	assert.strictEqual(bad.application, 'bad');
	assert.ok(bad.lost > 0);
	const { workers } = await result(node, 'pools');
	const busy = workers.find((w) => w.in_flight === 1);
	assert.match(busy.worker, /^good#[12]$/);
	assert.strictEqual(busy.state, 'ready');
	assert.ok(busy.memory > 1000000, 'the memory of a Node process');
	const rows = await table(node, 'pools');
	assert.ok(rows.some((row) => row[0] === busy.worker && row[1] === String(busy.pid)));
	release();
	await browser.nextReply();

	process.kill(busy.pid, 'SIGKILL');
	await waitFor('the loss to be counted', async () => (await pools())[0].lost === 1);
});

test('sessions: who is connected, and who is away', async (t) => {
	const { worker, master } = await pair(t);
	const { script, release } = held(t);
	const browser = await rawBrowser(t, worker.port, 'remote-app', { eio: 4 });
	const seen = (await result(worker, 'sessions')).sessions;

	assert.strictEqual(seen.filter((s) => s.node === null).length, 1);
	const node = seen.find((s) => s.node !== null), own = seen.find((s) => s.node === null);
	assert.deepStrictEqual([node.node, node.application, node.eio, node.state], ['master', 'remote-app', 3, 'connected']);
	assert.ok(own.loop < (await result(worker, 'status')).loops, 'the number of a loop');
	assert.deepStrictEqual([own.sid, own.address, own.application, own.transport, own.eio, own.calls],
	    [browser.sid.slice(0, 8), '127.0.0.1', 'remote-app', 'websocket', 4, 0]);
	assert.ok(own.bytes_in > 0 && own.bytes_out > own.bytes_in);
	assert.strictEqual((await result(master, 'sessions')).sessions.length, 0);

	browser.emit({ type: 'job', token: browser.token, params: { script } });
	await worker.logged(/at work/);
	assert.strictEqual((await result(worker, 'sessions')).sessions.find((s) => s.node === null).calls, 1);
	browser.close();
	const away = await waitFor('the session to be away', async () =>
		(await result(worker, 'sessions')).sessions.find((s) => s.state === 'away'));
	assert.deepStrictEqual([away.sid, away.address, away.calls], [browser.sid.slice(0, 8), null, 1]);
	assert.strictEqual((await result(worker, 'status')).sessions_away, 1);
	assert.ok((await table(worker, 'sessions')).some((row) => row[0] === away.sid && row[1] === 'away'));
	release();
});

test('requests: the oldest first, and where each one is', async (t) => {
	const { worker, master } = await pair(t, 'size: 1');
	const { script, release } = held(t);
	const browser = await rawBrowser(t, master.port);

	for (let i = 0; i < 3; i++)
		browser.emit({ type: 'job' + i, token: browser.token, params: { script } });
	const atWorker = await waitFor('three requests', async () => {
		const { requests } = await result(worker, 'requests');
		return requests.length === 3 && requests[0].where === 'worker' && requests;
	});
	assert.deepStrictEqual(atWorker.map((r) => [r.type, r.application, r.destination, r.where, r.at, r.hops]), [
		['job0', 'remote-app', 'remote-app', 'worker', 'remote-app#1', 1],
		['job1', 'remote-app', 'remote-app', 'queue', null, 1],
		['job2', 'remote-app', 'remote-app', 'queue', null, 1]
	]);
	const { requests } = await result(master, 'requests');
	assert.deepStrictEqual(requests.map((r) => [r.request, r.destination, r.where, r.at]), atWorker.map((r) =>
		[r.request, 'far', 'link', worker.url.replace('http', 'ws')]), 'the same ids on both nodes');
	assert.ok(requests.every((r) => r.from === '127.0.0.1' && r.left_ms > 0 && r.left_ms <= 60000));
	assert.ok(requests[0].age_ms >= requests[2].age_ms);

	const cut = await result(worker, 'requests', '-n', '1');
	assert.deepStrictEqual([cut.requests.map((r) => r.type), cut.left_out], [['job0'], 2]);
	const rows = await table(worker, 'requests', '--limit=1');
	assert.strictEqual(rows[1][0], atWorker[0].request);
	assert.deepStrictEqual(rows[2], ['and 2 more (--limit)']);
	release();
	for (let i = 0; i < 3; i++)
		await browser.nextReply();
	assert.deepStrictEqual(await table(worker, 'requests'), [['no open requests']]);
});

test('counters have the same names and values in all places', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const browser = await rawBrowser(t, node.port, 'remote-app');

	await browser.request({ type: 'job' });
	const { counters } = await result(node, 'counters');
	const families = await metricsOf(node);
	const { counters: inStatus } = await result(node, 'status');
	assert.deepStrictEqual(counters.map((c) => c.counter), Object.keys(inStatus));
	for (const { counter, help } of counters)
		assert.strictEqual(families.get('usher_' + counter + '_total').help, help);
	assert.strictEqual(counters.find((c) => c.counter === 'replies').value, 2);
	assert.strictEqual(metric(families, 'usher_replies_total'), 2);
	assert.ok((await table(node, 'counters')).some(([name, value]) => name === 'replies' && value === '2'));
});

test('no answer holds a token, a secret, a whole socket id or a payload', async (t) => {
	const { worker, master } = await pair(t);
	const { script, release } = held(t);
	const browser = await rawBrowser(t, master.port);
	browser.emit({ type: 'job', token: browser.token, params: { script, password: 'cleartext-in-payload' } });
	await worker.logged(/at work/);
	let all = (await ask(httpOf(worker), 'GET', '/metrics')).text + (await ask(httpOf(master), 'GET', '/readyz?verbose')).text;

	for (const command of COMMANDS)
		for (const node of [worker, master])
			all += (await ctl(node, ['--json', command])).stdout;
	assert.match(all, /"type":"job"/);
	for (const word of [SECRET, browser.token, browser.token.split('.')[1], browser.sid, 'cleartext-in-payload'])
		assert.ok(!all.includes(word), word);
	release();
	await browser.nextReply();
});

test('text of clients cannot drive the terminal', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	await rawBrowser(t, node.port, 'red\u001b[31m\u009b31m\u202edab\n');

	const { stdout } = await ctl(node, ['sessions']);
	assert.ok(stdout.includes('red\\x1b[31m\\x9b31m\\u202edab\\x0a'), stdout);
	assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
	const { sessions } = await result(node, 'sessions');
	assert.strictEqual(sessions[0].application, 'red\u001b[31m\u009b31m\u202edab\n');
});

test('the socket is for its owner alone, and goes with the daemon', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const { mode } = fs.statSync(socketOf(node));

	assert.ok(fs.statSync(socketOf(node)).isSocket());
	assert.strictEqual(mode & 0o777, 0o600);
	await node.stop();
	assert.ok(!fs.existsSync(socketOf(node)));
});

test('other users are refused even where the file lets them in', { skip: process.getuid() !== 0 && 'not root' }, async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const ctlCopy = path.join(node.dir, 'usherctl');

	fs.chmodSync(node.dir, 0o755);
	fs.copyFileSync(USHERCTL, ctlCopy);
	fs.chmodSync(ctlCopy, 0o755);
	const outside = await run(ctlCopy, ['-s', socketOf(node), 'status'], { uid: 65534, gid: 65534 });
	assert.strictEqual(outside.code, 3);
	assert.match(outside.stderr, /it is for root and for the user of the daemon/);
	fs.chmodSync(socketOf(node), 0o666);
	const inside = await run(ctlCopy, ['-s', socketOf(node), 'status'], { uid: 65534, gid: 65534 });
	assert.strictEqual(inside.code, 1);
	assert.match(inside.stderr, /refused: this socket is for root and for the daemon's own user/);
	assert.strictEqual(inside.stdout, '');
	await node.logged(/admin\.socket: refused: process \d+ of user 65534/);
});

test('members of admin.group are served as well', { skip: process.getuid() !== 0 && 'not root' }, async (t) => {
	const group = fs.readFileSync('/etc/group', 'utf8').split('\n')[1].split(':');	// any but root's
	const node = await startUsherd(t, workerOf(scripted) + ADMIN.replace('{', `{ group: ${group[0]},`));
	const ctlCopy = path.join(node.dir, 'usherctl'), gid = Number(group[2]);
	const as = (ids) => run(ctlCopy, ['-s', socketOf(node), 'status'], ids);
	const { mode, gid: owner } = fs.statSync(socketOf(node));

	fs.chmodSync(node.dir, 0o755);
	fs.copyFileSync(USHERCTL, ctlCopy);
	fs.chmodSync(ctlCopy, 0o755);
	assert.deepStrictEqual([mode & 0o777, owner], [0o660, gid]);
	assert.strictEqual((await as({ uid: 65534, gid })).code, 0);
	const also = await run('setpriv', ['--reuid=65534', '--regid=65534', '--groups=' + gid, ctlCopy, '-s', socketOf(node), 'status']);
	assert.deepStrictEqual([also.code, also.stderr], [0, ''], 'not only by its primary group');
	assert.strictEqual((await as({ uid: 65534, gid: 65534 })).code, 3);
	const nobody = await runUsherd(t, ['-c', 'u.yaml'],
	    { 'u.yaml': workerOf(scripted) + 'admin: { socket: a.sock, group: no-such-group }\n' });
	assert.strictEqual(nobody.code, 69);
	assert.match(nobody.stderr, /admin\.group: there is no group "no-such-group"/);
});

test('bad lines are refused one by one, and the connection goes on', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const one = control(t, node);
	const lines = [
		['', 'bad_request'], ['status', 'bad_request'], ['{"command":"status"', 'bad_request'],
		['[]', 'bad_request'], ['"status"', 'bad_request'], ['{}', 'bad_request'], ['{"command":1}', 'bad_request'],
		['{"command":"status","x":1}', 'bad_request'], ['{"command":"status","command":"links"}', 'bad_request'],
		['{"command":"sessions","limit":0}', 'bad_request'], ['{"command":"sessions","limit":10001}', 'bad_request'],
		['{"command":"sessions","limit":"1"}', 'bad_request'],
		['{"command":"status","args":["x"]}', 'bad_request'], ['{"command":"status","args":"x"}', 'bad_request'],
		['{"command":"status","args":[1]}', 'bad_request'], ['{"command":"status","args":["1","2","3","4","5"]}', 'bad_request'],
		['{"command":"status","options":{"none":""}}', 'bad_request'], ['{"command":"status","options":{"wait":""}}', 'bad_request'],
		['{"command":"status","options":{"wait":1}}', 'bad_request'], ['{"command":"status","options":[]}', 'bad_request'], ['{"command":"status"} {}', 'bad_request'],
		['{"command":"stop"}', 'no_command'], ['{"command":""}', 'no_command'], ['{"command":"status\\u0000"}', 'no_command'],
		['{"command":"\xff"}'.replace('\xff', '\ud800'), 'no_command'], ['['.repeat(1000), 'bad_request']
	];

	for (const [line, code] of lines) {
		const answer = await one.ask(line);
		assert.deepStrictEqual([answer.ok, answer.code, typeof answer.error], [false, code, 'string'], line);
	}
	assert.strictEqual((await one.ask({ command: 'status' })).result.node, 'worker');
	const { result: { commands } } = await one.ask({ command: 'help' });
	assert.ok(COMMANDS.every((command) => commands.some((c) => c.command === command)));
	assert.strictEqual((await one.ask('x'.repeat(2e6))).error, 'the line is too long');
	await within('the end of the connection', one.ended);

	const endless = control(t, node);
	endless.socket.write('x'.repeat(4e6));
	await within('the end of the connection', endless.ended);
	assert.strictEqual((await result(node, 'status')).state, 'serving');
});

test('many clients are served at once, and one too many is told so', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const all = Array.from({ length: 32 }, () => control(t, node));
	const answers = await Promise.all(all.map((one) => one.ask({ command: 'status' })));

	assert.ok(answers.every((answer) => answer.ok));
	const { code, stderr } = await ctl(node, ['status']);
	assert.strictEqual(code, 1);
	assert.match(stderr, /refused: too many connections to this socket/);
	all[0].socket.destroy();
	await waitFor('a place', async () => (await ctl(node, ['status'])).code === 0);
});

test('a client that reads nothing is not read any more, and loses no answer', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const slow = control(t, node);
	const n = 3000;	// some 4 KB each: far more than socket buffers and our limit hold

	slow.socket.pause();
	for (let i = 0; i < n; i++)
		slow.socket.write('{"command":"' + (i % 2 ? 'counters' : 'help') + '"}\n');
	for (const command of COMMANDS)
		assert.strictEqual((await ctl(node, [command])).code, 0);
	const resident = Number(fs.readFileSync(`/proc/${node.pid}/statm`, 'utf8').split(' ')[1]) * 4096;
	assert.ok(resident < 400e6, 'memory is bounded: ' + resident);
	slow.socket.resume();
	for (let i = 0; i < n; i++) {
		const { result: answer } = await slow.answers.next('answer ' + i);
		assert.ok(i % 2 ? answer.counters : answer.commands, 'in order');
	}
});

test('a client that hangs does not keep the daemon from stopping', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const silent = control(t, node), slow = control(t, node);

	assert.ok((await silent.ask({ command: 'status' })).ok);
	slow.socket.pause();
	for (let i = 0; i < 1000; i++)
		slow.socket.write('{"command":"counters"}\n');
	assert.strictEqual((await ctl(node, ['status'])).code, 0);
	await node.stop();
	await within('the end of the silent one', silent.ended);
});

test('usherctl says what is wrong, and exits with what it means', async (t) => {
	const dir = folder(t);
	const missing = path.join(dir, 'missing.sock'), dead = path.join(dir, 'dead.sock');
	const cases = [
		[[], 2, /a command is missing/], [['stats'], 2, /there is no command "stats"/],
		[['status', 'x'], 2, /unexpected argument "x"/], [['status', '--wait'], 2, /status does not take --wait/], [['-x'], 2, /--help/],
		[['-n', '0', 'sessions'], 2, /--limit takes 1 to 10000/], [['-n', '1x', 'sessions'], 2, /--limit takes/],
		[['-n', '99999999999999999999', 'sessions'], 2, /--limit takes/],
		[['-s', missing, 'status'], 3, /there is no such socket/], [['-s', dead, 'status'], 3, /nobody listens there/],
		[['-s', path.join(dir, 'x'.repeat(200)), 'status'], 3, /the path is too long/]
	];

	// A socket file that its process has left behind.
	await run(process.execPath, ['-e', `require("net").createServer().listen(${JSON.stringify(dead)}, ` +
		'() => process.kill(process.pid, "SIGKILL"))']);
	for (const [args, code, words] of cases) {
		const told = await run(USHERCTL, args);
		assert.deepStrictEqual([told.code, told.stdout], [code, ''], args.join(' '));
		assert.match(told.stderr, words);
	}
	for (const args of [['--help'], ['help']]) {
		const { code, stdout } = await run(USHERCTL, args);
		assert.strictEqual(code, 0);
		assert.ok(COMMANDS.every((command) => new RegExp('^  ' + command + '\\b', 'm').test(stdout)));
	}
	assert.match((await run(USHERCTL, ['--version'])).stdout, /^usherctl \(usher\) \d/);
});

test('usherctl takes nobody for a daemon who is none', async (t) => {
	const dir = folder(t);
	const answers = { 'not JSON': 'hello\n', 'an array': '[]\n', nothing: '' };

	for (const [what, text] of Object.entries(answers)) {
		const file = path.join(dir, what + '.sock');
		const server = net.createServer((socket) => socket.on('error', () => {}).end(text)).listen(file);
		atEnd(t, () => server.close());
		const { code, stdout } = await run(USHERCTL, ['-s', file, 'status']);
		assert.deepStrictEqual([code, stdout], [3, ''], what);
	}
});

test('a daemon with a socket it cannot have does not start', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const taken = await runUsherd(t, ['-c', 'u.yaml'],
	    { 'u.yaml': workerOf(scripted) + `admin: { socket: ${socketOf(node)} }\n` });
	const nowhere = await runUsherd(t, ['-c', 'u.yaml'],
	    { 'u.yaml': workerOf(scripted) + 'admin: { socket: none/admin.sock }\n' });
	const port = new URL(httpOf(node)).port;
	const inUse = await runUsherd(t, ['-c', 'u.yaml'],
	    { 'u.yaml': workerOf(scripted) + `admin: { http: "127.0.0.1:${port}" }\n` });

	for (const { code, stderr } of [taken, nowhere, inUse]) {
		assert.strictEqual(code, 69);
		assert.match(stderr, /cannot listen on .* \(admin\.(socket|http)\): /);
	}
	assert.strictEqual((await result(node, 'status')).state, 'serving');
});

test('the completion knows the commands and options of usherctl', async (t) => {
	const complete = async (...words) => {
		const script = `complete() { :; }; . "$0"; COMP_WORDS=("$USHERCTL" "$@"); COMP_CWORD=$#; _usherctl; ` +
			'printf "%s\\n" "${COMPREPLY[@]}"';
		const { stdout, stderr } = await run('bash', ['-c', script, COMPLETION].concat(words), { cwd: folder(t, { 'a.sock': '' }), env: { ...process.env, USHERCTL } });
		assert.strictEqual(stderr, '');
		return stdout.split('\n').filter((word) => word !== '');
	};
	const { stdout: help } = await run(USHERCTL, ['--help']);
	const options = [...help.matchAll(/--[a-z]+/g)].map(([word]) => word);

	const words = await complete('');
	assert.ok(COMMANDS.every((command) => words.includes(command)), String(words));
	assert.deepStrictEqual(await complete('--json', 'se'), ['sessions']);
	assert.deepStrictEqual(await complete('-s', 'a'), ['a.sock']);
	assert.deepStrictEqual(await complete('-n', ''), []);
	const offered = (await complete('-')).filter((word) => word.startsWith('--'));
	assert.deepStrictEqual(offered.sort(), [...new Set(options)].sort());
});

test('metrics: names, types and labels are as Prometheus wants them, and values are true', async (t) => {
	const odd = 'a "quoted" \\ name';
	const { script, release } = held(t);
	const node = await startUsherd(t, `
node: '${odd}'
${LISTEN}
${JWT}
${ADMIN}
destinations:
  far: { application: x, urls: ["${NOWHERE}", "ws://127.0.0.1:2"] }
  also: { application: y, urls: ["${NOWHERE}"] }
applications:
  '${odd}': { command: ${scripted}, pool: { size: 1 } }
`);
	const browser = await rawBrowser(t, node.port, odd);

	browser.emit({ type: 'job', token: browser.token, params: { script } });
	browser.emit({ type: 'job', token: browser.token, params: { script } });
	await node.logged(/at work/);
	await waitFor('the second request', async () => (await result(node, 'status')).requests === 2);
	const families = await metricsOf(node);
	const { version } = await result(node, 'status');
	assert.ok([...families.keys()].every((name) => name.startsWith('usher_')));
	assert.strictEqual(metric(families, 'usher_build_info', { version, node: odd }), 1);
	assert.ok(Math.abs(metric(families, 'usher_start_time_seconds') - Date.now() / 1000) < 600);
	assert.strictEqual(metric(families, 'usher_draining'), 0);
	assert.strictEqual(metric(families, 'usher_sessions_open'), 1);
	assert.strictEqual(metric(families, 'usher_requests_open'), 2);
	assert.strictEqual(metric(families, 'usher_requests_total'), 3);
	assert.strictEqual(metric(families, 'usher_pool_workers', { application: odd, state: 'busy' }), 1);
	assert.strictEqual(metric(families, 'usher_pool_workers_max', { application: odd }), 1);
	assert.strictEqual(metric(families, 'usher_pool_requests', { application: odd }), 1);
	assert.strictEqual(metric(families, 'usher_pool_queue_requests', { application: odd }), 1);
	assert.ok(metric(families, 'usher_pool_queue_bytes', { application: odd }) > 100);
	assert.strictEqual(metric(families, 'usher_destination_up', { destination: 'far' }), 0);
	assert.strictEqual(metric(families, 'usher_links', { destination: 'far', url: NOWHERE }), 1);
	assert.strictEqual(metric(families, 'usher_links_up', { destination: 'also', url: NOWHERE }), 0);
	assert.deepStrictEqual(families.get('usher_links').samples.length, 3);
	release();
	await browser.nextReply();
	await browser.nextReply();
	const later = await metricsOf(node);
	assert.strictEqual(metric(later, 'usher_requests_open'), 0);
	assert.strictEqual(metric(later, 'usher_replies_total'), 3);
	assert.deepStrictEqual([...later.keys()], [...families.keys()]);
});

test('metrics have no series for what clients make up', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const series = async () => [...(await metricsOf(node)).values()].flatMap((f) =>
		f.samples.map((s) => f.name + JSON.stringify(s.labels)));
	const before = await series();
	const browser = await rawBrowser(t, node.port, 'made-up-application');

	await browser.request({ type: 'made-up-type' });
	const client = await rawClient(t, node.port);
	client.emit({ type: 'made-up-too', token: 'made-up-token' });
	await client.nextReply();
	assert.deepStrictEqual(await series(), before);
});

test('HTTP: pages, methods and names of this host', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const url = httpOf(node), { port } = new URL(url);
	const status = async (method, at, headers) => (await ask(url, method, at, { headers })).status;

	const version = await ask(url, 'GET', '/version');
	assert.deepStrictEqual(version.json, { name: 'usher', version: version.json.version, node: 'worker' });
	assert.strictEqual(version.headers['cache-control'], 'no-store');
	const head = await ask(url, 'HEAD', '/metrics');
	assert.deepStrictEqual([head.status, head.text], [200, '']);
	assert.ok(Number(head.headers['content-length']) > 1000);
	assert.deepStrictEqual(await ask(url, 'GET', '/healthz').then((a) => [a.status, a.text]), [200, 'ok\n']);
	assert.strictEqual(await status('GET', '/none'), 404);
	assert.strictEqual(await status('GET', '/socket.io/?EIO=3&transport=polling'), 404);
	assert.strictEqual(await status('POST', '/ajax'), 404);
	const post = await ask(url, 'POST', '/metrics', { body: 'x' });
	assert.deepStrictEqual([post.status, post.headers.allow], [405, 'GET, HEAD']);
	for (const host of ['localhost', 'LocalHost:' + port, '127.0.0.1', '127.1.2.3:80', '[::1]:9180'])
		assert.strictEqual(await status('GET', '/healthz', { host }), 200, host);
	for (const host of ['evil.example', '127.0.0.1.evil.example', '127.evil.example', 'localhost.evil.example', '10.0.0.1'])
		assert.strictEqual(await status('GET', '/metrics', { host }), 403, host);
	assert.strictEqual((await ask(node.url, 'GET', '/metrics')).status, 404, 'not where browsers are');
});

test('readyz: while nobody serves any route the node is not ready', async (t) => {
	const worker = await startUsherd(t, workerOf(scripted));
	const master = await startUsherd(t, masterOf(worker.url.replace('http', 'ws')) + ADMIN);
	const ready = async (at = '/readyz') => {
		const { status, text } = await ask(httpOf(master), 'GET', at);
		return [status, text];
	};

	await master.linked();
	assert.deepStrictEqual(await ready(), [200, 'ready\n']);
	assert.deepStrictEqual(await ready('/readyz?verbose'), [200, '[+] browser-app * -> far\nready\n']);
	await worker.stop();
	await waitFor('the node not to be ready', async () => (await ready())[0] === 503);
	assert.deepStrictEqual(await ready('/readyz?verbose'),
	    [503, '[-] browser-app * -> far: no link is up\nnot ready: nobody serves any of its routes\n']);
	assert.strictEqual((await ask(httpOf(master), 'GET', '/healthz')).status, 200);
});

test('readyz: one destination of two is enough, and a node without routes is ready', async (t) => {
	const worker = await startUsherd(t, workerOf(scripted) + ADMIN);
	const master = await startUsherd(t, masterOf(worker.url.replace('http', 'ws'))
		.replace('destinations:', `destinations:\n  down: { application: x, urls: ["${NOWHERE}"] }`)
		.replace('types:', 'types:\n      lost: { destination: down }') + ADMIN);
	const bare = await startUsherd(t, `node: bare\n${LISTEN}\n${JWT}\n` + ADMIN);

	await master.linked();
	const { status, text } = await ask(httpOf(master), 'GET', '/readyz?verbose');
	assert.strictEqual(status, 200);
	assert.strictEqual(text, '[-] browser-app lost -> down: no link is up\n[+] browser-app * -> far\nready\n');
	assert.strictEqual((await ask(httpOf(worker), 'GET', '/readyz')).status, 200, 'workers start when there is work');
	assert.strictEqual((await ask(httpOf(bare), 'GET', '/readyz')).status, 200);
});

test('readyz: a draining node is not ready, and is still seen', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const { script, release } = held(t);
	const browser = await rawBrowser(t, node.port, 'remote-app');

	browser.emit({ type: 'job', token: browser.token, params: { script } });
	await node.logged(/at work/);
	const stopped = node.stop();
	await node.logged(/SIGTERM: draining/);
	const { status, text } = await ask(httpOf(node), 'GET', '/readyz');
	assert.deepStrictEqual([status, text], [503, 'not ready: draining\n']);
	assert.strictEqual((await ask(httpOf(node), 'GET', '/healthz')).status, 200);
	assert.strictEqual(metric(await metricsOf(node), 'usher_draining'), 1);
	assert.strictEqual((await result(node, 'status')).state, 'draining');
	assert.strictEqual((await result(node, 'requests')).requests[0].where, 'worker');
	release();
	await browser.nextReply();
	await stopped;
});
