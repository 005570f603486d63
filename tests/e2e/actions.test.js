// SPDX-License-Identifier: ISC
// What an operator does to a running node: pausing, draining and disabling destinations, rolling
// applications.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { masterOf, nodeOf, scripted, scriptedApp } = require('./lib/configs');
const { fakeNode } = require('./lib/fake-node');
const { ADMIN, ctl, held, linkedOnAllLoops, metricsOf, result, table } = require('./lib/operator');
const { metric } = require('./lib/prometheus');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { startStockService } = require('./lib/stock');
const { SECRET, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const WHO = process.getuid() === 0 ? 'root' : 'user ' + process.getuid();

// A master before usher nodes (secret) or stock services that do what the test says.
async function start(t, { nodes = 1, link = '', secret = SECRET } = {}) {
	const far = [];

	for (let i = 0; i < nodes; i++)
		far.push(await fakeNode(t, { secret }));
	const master = await startUsherd(t, masterOf(far.map((n) => n.url), link) + ADMIN);
	await master.linked(nodes);
	if (secret)
		await linkedOnAllLoops(master, nodes);
	return { far, master, browser: await rawBrowser(t, master.port) };
}

const ask = (browser, ...tags) =>
	tags.forEach((tag) => browser.emit({ type: 'job', token: browser.token, ms_requestId: tag, params: { tag } }));

const queued = async (master) => (await result(master, 'links')).destinations[0].queue;

async function refused(node, code, words, ...args) {
	const told = await ctl(node, args);

	assert.strictEqual(told.code, code, told.stderr);
	assert.match(told.stderr, words);
}

test('a disabled destination answers at once, until it is enabled', async (t) => {
	const { far: [far], master, browser } = await start(t);
	ask(browser, 'before');
	const before = await far.next();
	const done = await result(master, 'disable', 'far');

	assert.deepStrictEqual([done.destination, done.url, done.state, done.changed, done.in_flight],
	    ['far', null, 'disabled', true, 1]);
	const reply = await browser.request({ type: 'job' });
	assertError(reply, { type: 'job', code: 'link_down' });
	assert.match(reply.message.error, /destination far is disabled/);
	before.final({ of: 'before' });
	assert.strictEqual((await browser.nextReply()).message.of, 'before', 'what was under way goes on');

	assert.strictEqual((await result(master, 'disable', 'far')).changed, false);
	assert.strictEqual((await result(master, 'enable', 'far')).state, 'serving');
	ask(browser, 'after');
	(await far.next()).final({ of: 'after' });
	assert.strictEqual((await browser.nextReply()).message.of, 'after');
});

test('requests that wait are refused when their destination is disabled', async (t) => {
	const { far: [far], master, browser } = await start(t, { link: 'links: 1', secret: null });
	ask(browser, 'first', 'second');
	const first = await far.next();
	await waitFor('the second to wait', async () => await queued(master) === 1);
	await result(master, 'disable', 'far');

	const { ms_requestId, message } = await browser.nextReply();
	assert.deepStrictEqual([ms_requestId, message.code, message.error], ['second', 'link_down', 'destination far is disabled']);
	first.final({ of: 'first' });
	assert.strictEqual((await browser.nextReply()).message.of, 'first');
});

test('a URL that is disabled gets nothing, the others serve; with all of them the destination is down', async (t) => {
	const { far, master, browser } = await start(t, { nodes: 2 });
	await result(master, 'disable', 'far', far[0].url);

	ask(browser, 1, 2, 3, 4);
	for (let i = 0; i < 4; i++)
		(await far[1].next()).final({});
	for (let i = 0; i < 4; i++)
		assert.strictEqual((await browser.nextReply()).message.code, undefined);
	assert.strictEqual(far[0].requests.items.length, 0);
	const { links } = await result(master, 'links');
	// Each event loop has a link to each URL.
	assert.deepStrictEqual([...new Set(links.map((l) => l.url + l.use))], [far[0].url + 'disabled', far[1].url + 'serving']);

	await result(master, 'disable', 'far', far[1].url.replace('ws', 'http'));
	assertError(await browser.request({ type: 'job' }), { type: 'job', code: 'link_down' });
	await result(master, 'enable', 'far', far[0].url);
	ask(browser, 'x');
	(await far[0].next()).final({});
	assert.strictEqual((await browser.nextReply()).message.code, undefined);
});

test('drain --wait comes back when what is under way was answered', async (t) => {
	const { far, master, browser } = await start(t, { nodes: 2 });
	ask(browser, 'a', 'b');
	const requests = await Promise.all(far.map((n) => n.next()));
	let isDrained = false;
	const drained = result(master, 'drain', 'far', far[0].url, '--wait').then((r) => {
		isDrained = true;
		return r;
	});

	await waitFor('the URL to be drained', async () => (await result(master, 'links')).links[0].use === 'drained');
	ask(browser, 'c');
	requests.push(await far[1].next());
	assert.strictEqual(isDrained, false, 'one is under way');
	requests[0].final({ of: 'first' });
	assert.strictEqual((await browser.nextReply()).message.of, 'first');
	assert.strictEqual((await drained).in_flight, 0);
	requests.slice(1).forEach((r) => r.final({}));
	await browser.nextReply();
	await browser.nextReply();
	assert.strictEqual(far[0].requests.items.length, 0);
});

test('a drained destination serves what waits, and takes nothing new', async (t) => {
	const { far: [far], master, browser } = await start(t, { link: 'links: 1', secret: null });
	ask(browser, 'first', 'second');
	const first = await far.next();
	await waitFor('the second to wait', async () => await queued(master) === 1);
	await result(master, 'drain', 'far');

	const { message } = await browser.request({ type: 'job' });
	assert.deepStrictEqual([message.code, message.error], ['link_down', 'destination far is drained']);
	first.final({ of: 'first' });
	(await far.next()).final({ of: 'second' });
	assert.deepStrictEqual([(await browser.nextReply()).message.of, (await browser.nextReply()).message.of], ['first', 'second']);
});

test('requests to a paused destination wait, in order, while its links go and come', async (t) => {
	const { far: [far], master, browser } = await start(t);
	await result(master, 'pause', 'far', '--wait');
	ask(browser, 0, 1, 2, 3, 4);
	await waitFor('them to wait', async () => await queued(master) === 5);
	await far.close();
	await waitFor('the link to be down', async () => !(await result(master, 'links')).destinations[0].up);
	ask(browser, 5, 6, 7);
	await waitFor('them to wait', async () => await queued(master) === 8);
	assert.strictEqual((await result(master, 'links')).destinations[0].state, 'paused');

	assert.strictEqual((await result(master, 'resume', 'far')).state, 'resuming', 'there is no link yet');
	await far.listen(far.port);
	for (let i = 0; i < 8; i++) {
		const request = await far.next();
		assert.strictEqual(request.message.ms_requestId, i);
		request.final({ i });
	}
	for (let i = 0; i < 8; i++)
		assert.strictEqual((await browser.nextReply()).message.i, i);
	assert.strictEqual((await result(master, 'links')).destinations[0].state, 'serving');
});

test('a paused destination that a reload removes serves what waits', async (t) => {
	const { far: [far], master, browser } = await start(t, { link: 'links: 1', secret: null });
	const file = path.join(master.dir, 'usher.yaml'), config = fs.readFileSync(file, 'utf8');
	await result(master, 'pause', 'far');
	ask(browser, 'waits');
	await waitFor('it to wait', async () => await queued(master) === 1);
	fs.writeFileSync(file, config.replace(/\bfar\b/g, 'other'));
	await result(master, 'reload');

	assert.deepStrictEqual((await result(master, 'links')).destinations.map((d) => d.destination), ['other']);
	(await far.next()).final({ of: 'waits' });
	assert.strictEqual((await browser.nextReply()).message.of, 'waits');
});

test('a pause changes neither deadlines nor limits', async (t) => {
	const { far: [far], master, browser } = await start(t, { link: 'timeout: 300ms, queue: 2' });
	await result(master, 'pause', 'far');
	ask(browser, 1, 2, 3);
	const codes = [];
	for (let i = 0; i < 3; i++) {
		const { ms_requestId, message } = await browser.nextReply();
		codes.push([ms_requestId, message.code]);
	}

	assert.deepStrictEqual(codes.sort(), [[1, 'timeout'], [2, 'timeout'], [3, 'overloaded']]);
	await result(master, 'resume', 'far');
	ask(browser, 'x');
	(await far.next()).final({});
	assert.strictEqual((await browser.nextReply()).ms_requestId, 'x');
	assert.strictEqual(far.requests.items.length, 0, 'those that ended were not sent');
});

test('what was set shows who did it, outlives a reload, and ends by its opposite', async (t) => {
	const { far: [far], master, browser } = await start(t);
	assert.strictEqual((await result(master, 'status')).set, undefined);
	await result(master, 'pause', 'far');
	await result(master, 'drain', 'far', far.url);
	const check = async () => {
		const { set } = await result(master, 'status');

		assert.deepStrictEqual(set.map((s) => [s.destination, s.url, s.state, s.by]),
		    [['far', null, 'paused', WHO], ['far', far.url, 'drained', WHO]]);
		assert.ok(set.every((s) => s.since_ms >= 0 && Math.abs(Date.now() - s.since_wall_ms) < 600000));
	};

	await check();
	const rows = await table(master, 'status');
	assert.ok(rows.some((row) => row[0] === 'paused' && row[1] === 'far' && row[2] === '-' && row[3] === WHO), JSON.stringify(rows));
	const offset = master.log.length;
	fs.appendFileSync(path.join(master.dir, 'usher.yaml'), '\n# read again\n');
	master.kill('SIGHUP');
	await master.logged(/SIGHUP/, offset);
	await check();
	ask(browser, 'x');
	await waitFor('it to wait', async () => await queued(master) === 1);

	await result(master, 'enable', 'far', far.url);
	assert.strictEqual((await result(master, 'resume', 'far')).changed, true);
	assert.strictEqual((await result(master, 'resume', 'far')).changed, false);
	(await far.next()).final({});
	assert.strictEqual((await browser.nextReply()).ms_requestId, 'x');
	assert.strictEqual((await result(master, 'status')).set, undefined);
	assert.match(master.log, new RegExp(`destination far: paused by ${WHO}`));
	assert.match(master.log, new RegExp(`destination far: resumed by ${WHO}`));
});

test('what was set for a URL that a reload has removed can be ended', async (t) => {
	const { far, master } = await start(t, { nodes: 2 });
	const file = path.join(master.dir, 'usher.yaml');
	const gone = far[1].url, config = fs.readFileSync(file, 'utf8');
	await result(master, 'disable', 'far', gone);
	fs.writeFileSync(file, config.replace(new RegExp(`, *"?${gone}"?`), ''));
	assert.notStrictEqual(fs.readFileSync(file, 'utf8'), config);
	await result(master, 'reload');
	assert.deepStrictEqual((await result(master, 'status')).set.map((s) => s.url), [gone]);

	await refused(master, 1, /no URL "nonsense"/, 'enable', 'far', 'nonsense');
	await result(master, 'enable', 'far', gone.replace('ws', 'http'));
	assert.strictEqual((await result(master, 'status')).set, undefined);
	await refused(master, 1, /no URL/, 'enable', 'far', gone);
});

test('names that are not there are refused, and so are groups and URLs of applications', async (t) => {
	const { far, master } = await start(t, { nodes: 2 });
	const node = await startUsherd(t, nodeOf('n', { app: scriptedApp('size: 1') }, ADMIN +
		`destinations:\n  a: { application: x, urls: ["${far[0].url}"] }\n  all: { destinations: [a, app] }\n`));

	await refused(master, 1, /no destination or application "near"/, 'pause', 'near');
	await refused(master, 1, /no URL "ws:\/\/127\.0\.0\.1:2"/, 'disable', 'far', 'ws://127.0.0.1:2');
	await refused(master, 1, /no application "far"/, 'roll', 'far');
	await refused(node, 1, /is a group/, 'drain', 'all');
	await refused(node, 1, /is an application of this node, and has no URLs/, 'drain', 'app', far[0].url);
	await refused(master, 2, /unexpected argument/, 'pause', 'far', far[0].url);
	await refused(master, 2, /argument is missing/, 'roll');
	assert.strictEqual((await result(master, 'status')).set, undefined);
});

test('routes to what is disabled are not served', async (t) => {
	const { master } = await start(t);
	await result(master, 'disable', 'far');

	assert.deepStrictEqual((await result(master, 'routes')).routes.map((r) => r.why), ['the destination is disabled']);
});

// A request after the other, each with three intermediates; what goes wrong is told.
async function load(browser, name, state) {
	for (let n = 0; !state.isOver; n++) {
		const tag = `${name}.${n}`, steps = [];
		const final = await browser.request({ type: 'steps', ms_requestId: tag, params: { tag, gap: 1 } }, steps);

		state.done++;
		if (final.ms_requestId !== tag || final.message.done !== true || final.message.tag !== tag ||
		    steps.length !== 3 || steps.some((s, i) => s.message.step !== i + 1 || s.message.tag !== tag))
			state.wrong.push(final);
	}
}

test('a stock service is restarted under load with no error', async (t) => {
	let service = await startStockService(t);
	const master = await startUsherd(t, masterOf(service.url) + ADMIN);
	await master.linked();
	const state = { isOver: false, done: 0, wrong: [] };
	const browsers = [];

	for (let i = 0; i < 6; i++)
		browsers.push(await rawBrowser(t, master.port));
	const loads = browsers.map((b, i) => load(b, i, state));
	for (let round = 0; round < 2; round++) {
		const before = state.done;

		await waitFor('the load', () => state.done > before + 12);
		assert.strictEqual((await result(master, 'pause', 'far', '--wait')).in_flight, 0);
		const { port } = service;
		await service.kill();
		await waitFor('all to wait', async () => await queued(master) === browsers.length);
		service = await startStockService(t, { port });
		await result(master, 'resume', 'far');
	}
	const before = state.done;
	await waitFor('the load', () => state.done > before + 12);
	state.isOver = true;
	await Promise.all(loads);
	assert.deepStrictEqual(state.wrong, []);
	const metrics = await metricsOf(master);
	assert.strictEqual(metric(metrics, 'usher_requests_failed_total'), 0);
});

test('roll: each new worker is ready before an old one goes', async (t) => {
	const node = await startUsherd(t, nodeOf('n', { app: scriptedApp('size: 2, prefork: true') }, ADMIN));
	const old = await waitFor('two workers', async () => {
		const { workers } = await result(node, 'pools');
		return workers.length === 2 && workers.every((w) => w.state === 'ready') && workers.map((w) => w.pid);
	});
	const browser = await rawBrowser(t, node.port, 'app');
	const busy = held(t);
	browser.emit({ type: 'job', token: browser.token, params: { script: busy.script } });
	await node.logged(/at work/);
	const rolled = result(node, 'roll', 'app');
	const other = await rawBrowser(t, node.port, 'app');
	await waitFor('a new worker', async () => !old.includes((await other.request({ type: 'job' })).message.pid));

	busy.release();
	assert.strictEqual((await browser.nextReply()).message.done, true, 'the old one has finished its work');
	assert.deepStrictEqual({ ...await rolled }, { text: 'all workers are new', application: 'app', rolled: true, replaced: 2 });
	const { workers } = await result(node, 'pools');
	assert.ok(workers.filter((w) => old.includes(w.pid)).every((w) => w.state === 'leaving' || w.state === 'stopping'), JSON.stringify(workers));
});

test('roll: when the new workers do not get ready the old ones stay, and usherctl says so', async (t) => {
	const program = `import("node:fs").then((fs) => {
		if (fs.existsSync("broken")) process.exit(1);
		require(${JSON.stringify(path.join(__dirname, 'handlers', 'scripted.js'))});
	})`;
	const node = await startUsherd(t, nodeOf('n', {
		app: `{ command: ${JSON.stringify([process.execPath, '-e', program])}, pool: { size: 1, prefork: true } }`
	}, ADMIN));
	const browser = await rawBrowser(t, node.port, 'app');
	const { pid } = (await browser.request({ type: 'job' })).message;

	fs.writeFileSync(path.join(node.dir, 'broken'), '');
	const { code, stdout } = await ctl(node, ['roll', 'app']);
	assert.strictEqual(code, 4);
	assert.match(stdout, /did not get ready: the old ones stay/);
	assert.strictEqual((await browser.request({ type: 'job' })).message.pid, pid);
	fs.rmSync(path.join(node.dir, 'broken'));
	assert.strictEqual((await result(node, 'roll', 'app')).rolled, true);
	assert.notStrictEqual((await browser.request({ type: 'job' })).message.pid, pid);
});
