// SPDX-License-Identifier: ISC
// A new configuration for a node that serves: what changes, and all that must not.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { masterOf, nodeOf, scripted } = require('./lib/configs');
const { fakeNode } = require('./lib/fake-node');
const { ask } = require('./lib/http');
const { Child, run } = require('./lib/processes');
const { rawBrowser, rawClient } = require('./lib/raw');
const { isSigned, session } = require('./lib/tokens');
const { LOOPS, PROGRAM, SECRET, startUsherd, withThreads } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const USHERCTL = path.join(path.dirname(PROGRAM), 'usherctl');
const ADMIN = 'admin: { socket: admin.sock }\n';
const DONE = /reload: (the configuration is|nothing has changed)/;

const write = (node, yaml) => fs.writeFileSync(path.join(node.dir, 'usher.yaml'), withThreads(yaml));

// Gives the node another configuration; the log from there on.
async function reload(node, yaml, expected = /reload: the configuration is/) {
	const { length } = node.log;

	if (yaml !== undefined)
		write(node, yaml);
	node.kill('SIGHUP');
	await node.logged(DONE, length);
	const log = node.log.slice(length);
	assert.match(log, expected);
	return log;
}

const appsOf = (apps, more = '') => nodeOf('worker', apps, more);
const app = (pool = 'size: 1', environment = '{}', more = '') =>
	`{ command: ${scripted}, pool: { ${pool} }, environment: ${environment} ${more && ', ' + more} }`;
const pidOf = async (browser, more = {}) => (await browser.request({ type: 'job', ...more })).message.pid;
const held = (gate) => ({ script: [{ print: 'at work\n' }, { gate }, { finish: { done: true } }] });

// usherd does not say "listening" again for what it has; the ports of new listeners.
const portsIn = (log) => [...log.matchAll(/ listening on \S*:(\d+)/g)].map((m) => Number(m[1]));

test('routes change; the link, the browser and its session stay', async (t) => {
	const far = await fakeNode(t, { secret: SECRET });
	const other = await fakeNode(t, { secret: SECRET });
	const master = await startUsherd(t, masterOf(far.url));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	far.answer = (r) => r.final({ from: 'far' }) || true;
	other.answer = (r) => r.final({ from: 'other' }) || true;
	assert.strictEqual((await browser.request({ type: 'job' })).message.from, 'far');
	const { length } = master.log;
	await reload(master, masterOf(far.url).replace('"*": { destination: far }',
	    `moved: { url: "${other.url}", application: remote-app }\n      "*": { destination: far }`));
	await master.linked(1, length);
	assert.strictEqual((await browser.request({ type: 'job' })).message.from, 'far');
	assert.strictEqual((await browser.request({ type: 'moved' })).message.from, 'other');
	for (const { links } of [far, other]) {
		assert.ok(links.length <= LOOPS, 'one of each event loop');
		assert.ok(links.every((link) => link.isOpen), 'none was dialled again');
	}
});

test('a bad file changes nothing and says why', async (t) => {
	const node = await startUsherd(t, appsOf({ 'remote-app': app() }));
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const pid = await pidOf(browser);

	for (const [yaml, words] of [
		['node: [\n', /nothing has changed: .*usher\.yaml:\d+: /],
		[appsOf({ 'remote-app': app('size: none') }), /usher\.yaml:\d+: .*pool\.size/],
		[appsOf({ 'remote-app': app('size: 3') }).replace(/jwt:.*/, 'jwt: { secret_file: gone }'), /gone cannot be read/],
		[appsOf({ 'remote-app': app('size: 3') }).replace(/listen:.*/,
		    'listen: [{ address: "127.0.0.1:0", tls: { certificate: usher.yaml, key: usher.yaml } }]'), /TLS: .*usher\.yaml/],
		[appsOf({ 'remote-app': app('size: 3') }).replace(/listen:.*/,
		    `listen: [{ address: "127.0.0.1:0" }, { address: "127.0.0.2:${node.port}" }, { address: "192.0.2.1:1" }]`),
		    /cannot listen on 192\.0\.2\.1:1: /]
	]) {
		assert.match(await reload(node, yaml, /nothing has changed/), words);
		assert.strictEqual(await pidOf(browser), pid);
	}
	await assert.rejects(fetch(`http://127.0.0.2:${node.port}/`), 'what was opened for it is closed again');
	await reload(node, appsOf({ 'remote-app': app() }));
	assert.strictEqual(await pidOf(browser), pid);
});

test('listeners: new ones open, removed ones close and keep their connections, the same ones keep their socket', async (t) => {
	const node = await startUsherd(t, appsOf({ 'remote-app': app() }));
	const first = await rawBrowser(t, node.port, 'remote-app');
	const yaml = (listen, more = '') => appsOf({ 'remote-app': app() }, more).replace(/listen:.*/, `listen: [${listen}]`);
	const own = '{ address: "127.0.0.1:0" }';

	const log = await reload(node, yaml(own + ', { address: "127.0.0.2:0" }'));
	const [port] = portsIn(log);
	assert.ok(port !== undefined && port !== node.port);
	const second = await rawClient(t, node.port, {});
	second.close();
	const status = async (origin) => (await ask(node.url, 'GET', '/socket.io/?EIO=3&transport=polling', { headers: { origin } })).status;
	assert.strictEqual(await status('https://page.example'), 403);
	await reload(node, yaml('{ address: "127.0.0.1:0", origins: ["https://page.example"] }'));
	assert.strictEqual(await status('https://page.example'), 200, 'its origins are others now');
	await assert.rejects(fetch(`http://127.0.0.2:${port}/`), /fetch failed/);
	assert.strictEqual((await first.request({ type: 'job' })).finished, true);

	const moved = portsIn(await reload(node, yaml('{ address: "127.0.0.3:0" }')))[0];
	assert.strictEqual((await first.request({ type: 'job' })).finished, true, 'its listener is gone, it is not');
	await assert.rejects(fetch(node.url + '/'), /fetch failed/);
	assert.strictEqual((await fetch(`http://127.0.0.3:${moved}/`)).status, 404);
});

test('secrets: the first signs, all verify, and a session of one that was removed is refused', async (t) => {
	const old = 'old-secret', fresh = 'fresh-secret';
	const yaml = (jwt) => appsOf({ 'remote-app': app() }).replace(/jwt:.*/, `jwt: { allow_short_secret: true, ${jwt} }`);
	const ring = (...ids) => 'secrets: [' + ids.map((s) => `{ id: ${s}, secret: ${s} }`).join(', ') + ']';
	const node = await startUsherd(t, yaml(ring(old)));
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const job = (token) => browser.request({ type: 'job', token });
	const first = browser.token;

	assert.ok(isSigned(first, old));
	await reload(node, yaml(ring(fresh, old)));
	const reply = await job(first);
	assert.strictEqual(reply.message.ok, true);
	const second = reply.message.token;
	assert.ok(isSigned(second, fresh), 'a final brings a token of the first secret');
	assert.strictEqual((await job(first)).message.ok, true);
	await reload(node, yaml(ring(fresh)));
	assert.strictEqual((await job(first)).message.code, 'invalid_token');
	assert.strictEqual((await job(second)).message.ok, true);
	assert.strictEqual((await job(session('remote-app', old))).message.code, 'invalid_token');
	await reload(node, yaml(ring(old)));
	assert.strictEqual((await job(second)).message.code, 'invalid_token');
	assert.strictEqual((await job(first)).message.ok, true);
});

test('what is in flight under a secret that goes is answered, without a new token', async (t) => {
	const yaml = (secret) => appsOf({ 'remote-app': app() }).replace(/jwt:.*/, `jwt: { allow_short_secret: true, secret: ${secret} }`);
	const node = await startUsherd(t, yaml('one-secret'));
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const gate = path.join(node.dir, 'gate');

	browser.emit({ type: 'job', token: browser.token, params: held(gate) });
	await node.logged(/at work/);
	await reload(node, yaml('another-secret'));
	fs.writeFileSync(gate, '');
	const reply = await browser.nextReply();
	assert.strictEqual(reply.message.done, true);
	assert.strictEqual(reply.message.token, undefined);
});

test('a removed destination answers what it has, and then its link closes', async (t) => {
	const far = await fakeNode(t, { secret: SECRET });
	const near = await fakeNode(t, { secret: SECRET });
	const master = await startUsherd(t, masterOf(far.url));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	browser.emit({ type: 'job', token: browser.token, tag: 1 });
	const request = await far.next();
	const { length } = master.log;
	await reload(master, masterOf(near.url).replace(/far/g, 'near'));
	await master.linked(1, length);
	near.answer = (r) => r.final({ from: 'near' }) || true;
	assert.strictEqual((await browser.request({ type: 'job' })).message.from, 'near');
	assert.ok(request.link.isOpen, 'it is needed still');
	request.final({ from: 'far' });
	assert.strictEqual((await browser.nextReply()).message.from, 'far');
	await waitFor('the link to close', () => far.open.length === 0);
	assert.strictEqual((await browser.request({ type: 'job' })).message.from, 'near');
});

test('a group that is asked across reloads answers by the names its members had, those that are gone too', async (t) => {
	const [a, b] = await Promise.all([fakeNode(t, { secret: SECRET }), fakeNode(t, { secret: SECRET })]);
	const of = (nodes, target) => masterOf(a.url).replace(/destinations:\n[^]*/, 'destinations:\n' +
	    Object.entries(nodes).map(([name, { url }]) => `  ${name}: { application: remote-app, urls: ["${url}"] }\n`).join('') +
	    `  all: { destinations: [${Object.keys(nodes)}] }\nu_services: [{ path: /all, destination: ${target} }]\n`);
	const master = await startUsherd(t, of({ one: a, two: b }, 'all'));

	await master.linked(2);
	const answer = ask(master.url, 'GET', '/all');
	const [first, second] = await Promise.all([a.next(), b.next()]);
	for (let i = 0; i < 3; i++)
		await reload(master);
	first.final({ from: 'a' });
	await reload(master, of({ two: b }, 'two'));
	await waitFor('the link of what was removed to close', () => a.open.length === 0);
	second.final({ from: 'b' });
	assert.deepStrictEqual((await answer).json, { results: { one: { from: 'a' }, two: { from: 'b' } } });
});

test('a destination gets another URL: what is in flight comes back over the old one', async (t) => {
	const a = await fakeNode(t, { secret: SECRET });
	const b = await fakeNode(t, { secret: SECRET });
	const master = await startUsherd(t, masterOf(a.url));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	browser.emit({ type: 'job', token: browser.token });
	const request = await a.next();
	const { length } = master.log;
	await reload(master, masterOf(b.url));
	await master.linked(1, length);
	b.answer = (r) => r.final({ from: 'b' }) || true;
	assert.strictEqual((await browser.request({ type: 'job' })).message.from, 'b');
	request.final({ from: 'a' });
	assert.strictEqual((await browser.nextReply()).message.from, 'a');
	await waitFor('the old link to close', () => a.open.length === 0);
});

test('requests that wait at a destination go on waiting, and are served', async (t) => {
	const far = await fakeNode(t);		// a stock peer: one at a time
	const master = await startUsherd(t, masterOf(far.url, 'links: 1'));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	for (const tag of [1, 2])
		browser.emit({ type: 'job', token: browser.token, tag });
	const first = await far.next();
	await reload(master, masterOf(far.url, 'links: 1, queue: 5'));
	first.final({ tag: 1 });
	(await far.next()).final({ tag: 2 });
	assert.deepStrictEqual([(await browser.nextReply()).message.tag, (await browser.nextReply()).message.tag], [1, 2]);
	assert.strictEqual(far.registrations.length, 1);
});

test('pools: the same settings keep their workers, others get new ones, without an error', async (t) => {
	const node = await startUsherd(t, appsOf({ 'remote-app': app(), 'other-app': app() }));
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const other = await rawBrowser(t, node.port, 'other-app');
	const pids = [await pidOf(browser), await pidOf(other)];

	const log = await reload(node, appsOf({ 'remote-app': app(), 'other-app': app('size: 1', '{ NEW: "1" }') }));
	assert.match(log, /application remote-app: nothing has changed for its workers: they stay/);
	assert.match(log, /application other-app: its settings have changed: starting new workers/);
	await waitFor('a new worker', async () => await pidOf(other) !== pids[1]);
	assert.strictEqual(await pidOf(browser), pids[0]);
});

test('pools: a new application is served, a removed one finishes what it is at', async (t) => {
	const node = await startUsherd(t, appsOf({ 'remote-app': app(), 'old-app': app() }));
	const old = await rawBrowser(t, node.port, 'old-app');
	const gate = path.join(node.dir, 'gate');

	const pid = await pidOf(old);
	old.emit({ type: 'job', token: old.token, params: held(gate) });
	await node.logged(/at work/);
	old.emit({ type: 'job', token: old.token, params: { tag: 'waits' } });
	await reload(node, appsOf({ 'remote-app': app(), 'new-app': app() }));
	const fresh = await rawBrowser(t, node.port, 'new-app');
	assert.ok(await pidOf(fresh));
	fs.writeFileSync(gate, '');
	assert.strictEqual((await old.nextReply()).message.done, true);
	assert.strictEqual((await old.nextReply()).message.tag, 'waits');
	assert.strictEqual((await old.request({ type: 'job' })).message.code, 'no_handler');
	await waitFor('its worker to end', () => !fs.existsSync('/proc/' + pid));
});

test('pools: the size changes without a new worker for those that stay', async (t) => {
	const node = await startUsherd(t, appsOf({ 'remote-app': app('size: 3, prefork: true') }, ADMIN));
	const workers = async () => JSON.parse((await run(USHERCTL, ['-s', path.join(node.dir, 'admin.sock'), '--json', 'pools'])).stdout)
		.workers.filter((w) => w.state === 'ready').map((w) => w.pid);
	const are = (n) => waitFor(n + ' workers', async () => (await workers()).length === n);

	await are(3);
	const before = await workers();
	await reload(node, appsOf({ 'remote-app': app('size: 1, prefork: true') }, ADMIN));
	await are(1);
	const [left] = await workers();
	assert.ok(before.includes(left));
	await reload(node, appsOf({ 'remote-app': app('size: 4, prefork: true') }, ADMIN));
	await are(4);
	assert.ok((await workers()).includes(left));
});

test('reload_on: workers are replaced when one of the files has changed, and only then', async (t) => {
	const yaml = appsOf({ 'remote-app': app('size: 1', '{}', 'reload_on: [code.js]') });
	const node = await startUsherd(t, yaml, { files: { 'code.js': 'one' } });
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const pid = await pidOf(browser);

	assert.match(await reload(node), /application remote-app: nothing has changed for its workers: they stay/);
	assert.strictEqual(await pidOf(browser), pid);
	fs.writeFileSync(path.join(node.dir, 'code.js'), 'another');
	assert.match(await reload(node), /application remote-app: a file of reload_on has changed: starting new workers/);
	await waitFor('a new worker', async () => await pidOf(browser) !== pid);
	assert.match(await reload(node), /they stay/);
});

test('new workers that do not get ready leave the old ones at work', async (t) => {
	const node = await startUsherd(t, appsOf({ 'remote-app': app() }));
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const pid = await pidOf(browser);

	await reload(node, appsOf({ 'remote-app': '{ command: ["/bin/false"], pool: { size: 1 } }' }));
	await node.logged(/the new worker did not get ready; the old ones stay/);
	assert.strictEqual(await pidOf(browser), pid);
});

test('admin.group: members are let in, and kept out again', { skip: process.getuid() !== 0 && 'not root' }, async (t) => {
	const [, one, other] = fs.readFileSync('/etc/group', 'utf8').split('\n').map((line) => line.split(':'));
	const yaml = (admin) => appsOf({ 'remote-app': app() }, `admin: { ${admin} }\n`);
	const node = await startUsherd(t, yaml('socket: admin.sock'));
	const copy = path.join(node.dir, 'usherctl');
	const as = async (group, socket = 'admin.sock') =>
		(await run(copy, ['-s', path.join(node.dir, socket), 'status'], { uid: 65534, gid: Number(group[2]) })).code;
	const file = (socket = 'admin.sock') => {
		const { mode, gid } = fs.statSync(path.join(node.dir, socket));
		return [mode & 0o777, gid];
	};

	fs.chmodSync(node.dir, 0o755);
	fs.copyFileSync(USHERCTL, copy);
	fs.chmodSync(copy, 0o755);
	assert.strictEqual(await as(one), 3);
	await reload(node, yaml(`socket: admin.sock, group: ${one[0]}`));
	assert.deepStrictEqual([await as(one), await as(other), ...file()], [0, 3, 0o660, Number(one[2])]);
	await reload(node, yaml('socket: admin.sock, group: no-such-group'), /nothing has changed: admin\.group: there is no group "no-such-group"/);
	assert.strictEqual(await as(one), 0);
	await reload(node, yaml(`socket: admin.sock, group: ${other[0]}`));
	assert.deepStrictEqual([await as(one), await as(other), ...file()], [3, 0, 0o660, Number(other[2])]);
	await reload(node, yaml(`socket: second.sock, group: ${one[0]}`));
	assert.deepStrictEqual([await as(one, 'second.sock'), await as(other, 'second.sock')], [0, 3]);
	await reload(node, yaml('socket: second.sock'));
	assert.strictEqual(file('second.sock')[0], 0o600);
	fs.chmodSync(path.join(node.dir, 'second.sock'), 0o666);
	assert.strictEqual(await as(one, 'second.sock'), 1, 'nor by the mode of the file alone');
});

test('admin.group: who is taken out of it is not served any more over a connection that is open', { skip: process.getuid() !== 0 && 'not root' }, async (t) => {
	const [, one, other] = fs.readFileSync('/etc/group', 'utf8').split('\n').map((line) => line.split(':'));
	const yaml = (group) => appsOf({ 'remote-app': app() }, `admin: { socket: admin.sock${group && ', group: ' + group} }\n`);
	const node = await startUsherd(t, yaml(one[0]));
	const copy = path.join(node.dir, 'usherctl');
	const browser = await rawBrowser(t, node.port, 'remote-app');

	fs.chmodSync(node.dir, 0o755);
	fs.copyFileSync(USHERCTL, copy);
	fs.chmodSync(copy, 0o755);
	const [member, root] = [{ uid: 65534, gid: Number(one[2]) }, {}].map((who) => {
		const child = new Child(copy, ['-s', path.join(node.dir, 'admin.sock'), 'trace'], who);
		atEnd(t, () => child.kill('SIGKILL'));
		return child;
	});
	// They look on as requests come.
	const areServed = (...children) => waitFor('them to see it', async () => {
		const before = children.map((child) => child.stdout.length);
		await browser.request({ type: 'job' });
		return children.every((child, i) => child.stdout.length > before[i]);
	});

	await areServed(member, root);
	await reload(node, yaml(one[0]));
	await areServed(member, root);
	await reload(node, yaml(other[0]));
	await member.end();
	assert.notStrictEqual(member.code, 0);
	await node.logged(/admin\.group: process \d+ of user 65534 is not served any more/);
	await areServed(root);
	await reload(node, yaml(''));
	await areServed(root);
});

test('what takes a restart is named, and stays', async (t) => {
	const node = await startUsherd(t, appsOf({ 'remote-app': app() }));
	const browser = await rawBrowser(t, node.port, 'remote-app');

	await reload(node, appsOf({ 'remote-app': app() }, 'log: { file: other.log }\n').replace('node: worker', 'node: other')
	    .replace('jwt: { ', '$&revoked_file: revoked, '));
	await node.logged(/this takes a restart to change: node \(stays "worker"\), log\.file \(stays standard error\), jwt\.revoked_file \(stays none\)/);
	assert.strictEqual((await browser.request({ type: 'job', token: 'x' })).message.by, 'worker');
});

test('limits, static files and REST routes are those of the new file, for sessions that are there too', async (t) => {
	const rest = (path) => `u_services: [{ path: "${path}", method: GET, destination: remote-app }]\n`;
	const node = await startUsherd(t, appsOf({ 'remote-app': app() }, rest('/before')), { files: { page: 'a page' } });
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const status = async (at) => (await fetch(node.url + at)).status;

	assert.deepStrictEqual([await status('/before'), await status('/after'), await status('/page')], [200, 404, 404]);
	await reload(node, appsOf({ 'remote-app': app() }, rest('/after') + 'static: [{ path: /page, file: page }]\n' +
	    'limits: { json_depth: 8 }\n'));
	assert.deepStrictEqual([await status('/before'), await status('/after'), await status('/page')], [404, 200, 200]);
	browser.emit({ type: 'job', token: browser.token, params: [[[[[[[[[[]]]]]]]]]] });
	await browser.whenClosed();
});

test('usherctl reload: 0 when it is in force, 1 and the reason when nothing has changed', async (t) => {
	const yaml = appsOf({ 'remote-app': app() }, ADMIN);
	const node = await startUsherd(t, yaml);
	const ctl = (...args) => run(USHERCTL, ['-s', path.join(node.dir, 'admin.sock'), ...args]);

	assert.strictEqual((await ctl('reload')).code, 0);
	write(node, yaml + 'nonsense: 1\n');
	const refused = await ctl('reload');
	assert.strictEqual(refused.code, 1);
	assert.match(refused.stderr, /nothing has changed: .*usher\.yaml:\d+: .*nonsense/);
	// The socket that was asked through moves away: the answer comes all the same.
	write(node, yaml.replace('admin.sock', 'moved.sock'));
	assert.strictEqual((await ctl('reload')).code, 0);
	await waitFor('the old socket to go', () => !fs.existsSync(path.join(node.dir, 'admin.sock')));
	assert.strictEqual((await run(USHERCTL, ['-s', path.join(node.dir, 'moved.sock'), 'status'])).code, 0);
});

test('a node that stops while it reloads', async (t) => {
	const node = await startUsherd(t, appsOf({ 'remote-app': app() }));

	for (let i = 0; i < 3; i++)
		node.kill('SIGHUP');
	await node.stop('SIGTERM');
});

test('ten thousand routes', async (t) => {
	const far = await fakeNode(t, { secret: SECRET });
	const many = (name) => masterOf(far.url).replace('"*": { destination: far }',
	    Array.from({ length: 10000 }, (_, i) => `${name}${i}: { destination: far }`).join('\n      '));
	const master = await startUsherd(t, many('a'));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	far.answer = (r) => r.final({ ok: true }) || true;
	assert.strictEqual((await browser.request({ type: 'a9999' })).message.ok, true);
	await reload(master, many('b'));
	assert.strictEqual((await browser.request({ type: 'b9999' })).message.ok, true);
	assert.strictEqual((await browser.request({ type: 'a9999' })).message.code, 'no_handler');
});

// RELOADS=1000 is the long version.
test('many reloads under load: every reply is right, and memory stays', async (t) => {
	const reloads = Number(process.env.RELOADS || 200);
	const far = await fakeNode(t, { secret: SECRET });
	const yaml = (i) => masterOf(far.url) + `      r${i}: { destination: far }\n      own: { destination: remote-app }\n` +
	    `applications:\n  remote-app: ${app('size: 2')}\n` +
	    (i % 2 ? 'static: [{ path: /page, file: usher.yaml }]\n' : '') +
	    `limits: { sessions: ${1000 + i} }\n`;
	const master = await startUsherd(t, yaml(0));
	await master.linked();
	far.answer = (r) => r.final({ tag: r.message.params.tag }) || true;
	let isOver = false, n = 0;
	const load = async (type) => {
		for (let tag = 0; !isOver; tag++, n++) {
			const browser = tag % 20 === 0 ? load[type] = await rawBrowser(t, master.port) : load[type];
			const reply = await browser.request({ type, params: { tag } });
			assert.strictEqual(reply.message.tag, tag, JSON.stringify(reply));
			if (tag % 20 === 19)
				browser.close();
		}
	};
	const loads = [load('job'), load('own')];
	const fault = Promise.all(loads).then(() => null);
	const memory = () => Number(fs.readFileSync(`/proc/${master.pid}/statm`, 'ascii').split(' ')[1]) * 4096;
	let before;

	for (let i = 1; i <= reloads; i++) {
		await Promise.race([reload(master, yaml(i)), fault]);
		if (i === Math.floor(reloads / 2))
			before = memory();
	}
	isOver = true;
	await Promise.all(loads);
	assert.ok(n > 0);
	// AddressSanitizer keeps what was freed for a while.
	if (!/asan/.test(fs.readFileSync(`/proc/${master.pid}/maps`, 'ascii')))
		assert.ok(memory() < before + 4e6, `${memory()} bytes, after ${before}`);
	assert.ok(far.links.length <= LOOPS && far.links.every((link) => link.isOpen), 'none was dialled again');
});
