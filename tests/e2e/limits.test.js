// SPDX-License-Identifier: ISC
// Limits and back-pressure: who is above one is told so, and nobody else notices; memory and
// descriptors have an end.
'use strict';
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { nodeOf, scriptedApp } = require('./lib/configs');
const { ask } = require('./lib/http');
const { metric, parseMetrics } = require('./lib/prometheus');
const { RawSocket, address, rawBrowser, tcp, upgradeRequest } = require('./lib/raw');
const { folder, startUsherd } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const edge = (limits, pool = 'size: 1', more = '') => nodeOf('edge', { 'browser-app': scriptedApp(pool) },
    `admin: { http: "127.0.0.1:0" }\nlimits: { ${limits} }\n${more}`);

async function metrics(usher) {
	const url = usher.log.match(/metrics and health at (http:\/\/\S+)/)[1];

	return parseMetrics((await ask(url, 'GET', '/metrics')).text);
}

const script = (...steps) => ({ type: 'work', params: { script: steps } });
const residentKiB = (pid) => Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]);
const descriptors = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;
const limitDescriptors = (pid, n) => execFileSync('prlimit', ['--pid', String(pid), `--nofile=${n}:`]);

// A burst of messages on one socket: the codes of their finals, undefined for success.
async function burst(client, n, message = { type: 'echo' }) {
	const codes = [];

	for (let i = 0; i < n; i++)
		client.emit({ token: client.token, ...message });
	for (let i = 0; i < n; i++)
		codes.push((await client.nextReply('a reply of the burst')).message.code);
	return codes;
}

const count = (codes, code) => codes.filter((c) => c === code).length;

test('who is shut out is logged with the limits that it is above', async (t) => {
	for (const name of ['messages_per_second', 'messages_per_second_per_address']) {
		const usher = await startUsherd(t, edge(name + ': 20'));
		const loud = await rawBrowser(t, usher.port);
		const flood = setInterval(() => { for (let i = 0; i < 100; i++) loud.emit({ type: 'echo' }); }, 5);
		atEnd(t, () => clearInterval(flood));
		assert.strictEqual(await loud.whenClosed(), 1008);
		clearInterval(flood);
		await waitFor('its line in the log', () => usher.log.includes(`limits.${name} or limits.${
			name.replace('messages', 'bytes')}`));
	}
});

test('messages a second of one session', async (t) => {
	const usher = await startUsherd(t, edge('messages_per_second: 20'));
	const loud = await rawBrowser(t, usher.port), quiet = await rawBrowser(t, usher.port);
	const codes = await burst(loud, 60);

	assert.ok(count(codes, 'too_many') > 0 && count(codes, undefined) >= 15, codes.join());
	assert.strictEqual((await quiet.request({ type: 'echo' })).message.error, undefined);

	// Who goes on as if nothing had been said is shut out.
	const flood = setInterval(() => { for (let i = 0; i < 100; i++) loud.emit({ type: 'echo' }); }, 5);
	atEnd(t, () => clearInterval(flood));
	assert.strictEqual(await loud.whenClosed(), 1008);
	assert.strictEqual((await quiet.request({ type: 'echo' })).message.error, undefined);
});

test('who stays above its rate is closed, although some of its messages are taken all the time', async (t) => {
	const usher = await startUsherd(t, edge('messages_per_second: 20'));
	const loud = await rawBrowser(t, usher.port);
	let sent = 0, taken = 0, refused = 0, takenBetween = 0;
	const more = setInterval(() => { for (let i = 0; i < 6; i++, sent++) loud.emit({ type: 'echo', token: loud.token }); }, 50);
	atEnd(t, () => clearInterval(more));
	const read = async () => {
		for (;;) {
			const { message } = await loud.nextReply('a reply or the end');
			if (message.code === 'too_many')
				refused++;
			else if (taken++ >= 0 && refused > 0)
				takenBetween++;
		}
	};

	read().catch(() => {});		// ends with the connection
	assert.strictEqual(await loud.whenClosed(), 1008);
	assert.ok(refused >= 50 && takenBetween > 0, `${sent} sent, ${taken} taken, ${takenBetween} after a refusal, ${refused} refused`);
	const quiet = await rawBrowser(t, usher.port);
	assert.strictEqual((await quiet.request({ type: 'echo' })).message.error, undefined);
});

// With several event loops, which share what an address may send.
test('messages a second of one address, by all doors', async (t) => {
	const usher = await startUsherd(t, edge('messages_per_second_per_address: 8', 'size: 1', 'threads: 4\n'));
	const clients = [];
	for (let i = 0; i < 4; i++)
		clients.push(await rawBrowser(t, usher.port, 'browser-app', { localAddress: '127.0.0.2' }));
	const other = await rawBrowser(t, usher.port);
	const begun = Date.now();
	const codes = (await Promise.all(clients.map((client) => burst(client, 25)))).flat();

	// All of a second's worth, and what the next seconds bring; each loop alone would take as much.
	const seconds = (Date.now() - begun) / 1000;
	assert.ok(count(codes, 'too_many') > 0, codes.join());
	assert.ok(count(codes, undefined) <= 8 * (seconds + 1) + 1, `${count(codes, undefined)} in ${seconds} s: ` + codes.join());
	assert.strictEqual((await other.request({ type: 'echo' })).message.error, undefined);

	const statuses = await Promise.all(Array.from({ length: 80 }, () => ask(usher.url, 'POST', '/ajax',
	    { json: { type: 'echo', token: other.token }, from: '127.0.0.2' }).then((answer) => answer.status)));
	assert.ok(statuses.includes(429), statuses.join());
	assert.ok(statuses.every((status) => status === 200 || status === 429), statuses.join());
});

test('bytes a second of one address', async (t) => {
	const usher = await startUsherd(t, edge('bytes_per_second_per_address: 100KB'));
	const from = { localAddress: '127.0.0.2' };
	const one = await rawBrowser(t, usher.port, 'browser-app', from), two = await rawBrowser(t, usher.port, 'browser-app', from);
	const big = { type: 'echo', params: { tag: 'x'.repeat(30000) } };
	const codes = (await Promise.all([burst(one, 8, big), burst(two, 8, big)])).flat();

	assert.ok(count(codes, 'too_many') > 0, codes.join());
	const other = await rawBrowser(t, usher.port);
	assert.strictEqual((await other.request(big)).message.error, undefined);
});

test('requests in flight of a session, and in all', async (t) => {
	const gate = path.join(folder(t), 'gate');
	const usher = await startUsherd(t, edge('in_flight_per_session: 3, in_flight: 5') + 'threads: 1\n');	// else it is shared out
	const one = await rawBrowser(t, usher.port), two = await rawBrowser(t, usher.port);
	const wait = script({ gate }, { finish: { done: true } });

	for (let i = 0; i < 4; i++)
		one.emit({ ...wait, token: one.token });
	const refused = await one.nextReply('the refusal');
	assert.deepStrictEqual([refused.message.code, refused.message.status.code], ['too_many', 429]);
	for (let i = 0; i < 3; i++)
		two.emit({ ...wait, token: two.token });
	const full = await two.nextReply('the refusal');
	assert.deepStrictEqual([full.message.code, full.message.status.code, full.message.ran], ['overloaded', 503, 'no']);
	assert.match(full.message.error, /limits\.in_flight/);
	assert.strictEqual(full.message.retry_after_ms, 1000);

	fs.writeFileSync(gate, '');
	for (let i = 0; i < 3; i++)
		assert.deepStrictEqual((await one.nextReply()).message.done, true);
	for (let i = 0; i < 2; i++)
		assert.deepStrictEqual((await two.nextReply()).message.done, true);
	assert.strictEqual((await two.request({ type: 'echo' })).message.error, undefined);
});

test('a queue is bounded by number and by bytes, and is full for its own destination alone', async (t) => {
	const gate = path.join(folder(t), 'gate');
	const usher = await startUsherd(t, nodeOf('edge', {
		slow: scriptedApp('size: 1, queue: 4'),
		heavy: scriptedApp('size: 1, queue_bytes: 50KB'),
		other: scriptedApp('size: 1')
	}));
	const wait = script({ gate }, { finish: { done: true } });
	const slow = await rawBrowser(t, usher.port, 'slow'), heavy = await rawBrowser(t, usher.port, 'heavy');
	const other = await rawBrowser(t, usher.port, 'other');
	assert.strictEqual((await slow.request({ type: 'echo' })).message.error, undefined);
	assert.strictEqual((await heavy.request({ type: 'echo' })).message.error, undefined);

	for (let i = 0; i < 6; i++)
		slow.emit({ ...wait, token: slow.token });
	assert.strictEqual((await slow.nextReply()).message.code, 'overloaded');
	for (let i = 0; i < 4; i++)
		heavy.emit({ ...wait, ballast: 'x'.repeat(20000), token: heavy.token });
	assert.strictEqual((await heavy.nextReply()).message.code, 'overloaded');
	assert.strictEqual((await other.request({ type: 'echo' })).message.error, undefined);

	fs.writeFileSync(gate, '');
	for (const [client, n] of [[slow, 5], [heavy, 3]])
		for (let i = 0; i < n; i++)
			assert.deepStrictEqual((await client.nextReply()).message.done, true);
});

// A client that takes nothing off its socket.
async function sleeper(t, usher, token, message, n) {
	const socket = net.connect({ port: usher.port, host: '127.0.0.1' });
	const payload = (text) => {
		const data = Buffer.from(text), head = Buffer.alloc(8);
		head.set([0x81, 0x80 | 126, data.length >> 8, data.length & 255, 0, 0, 0, 0]);
		return Buffer.concat([head, data]);
	};

	atEnd(t, () => socket.destroy());
	socket.on('error', () => {});
	await within('the connection', new Promise((resolve) => socket.on('connect', resolve)));
	socket.pause();
	socket.write(upgradeRequest(usher.port));
	for (let i = 0; i < n; i++)
		socket.write(payload('42["ewdjs",' + JSON.stringify({ ...message, token }) + ']'));
	return socket;
}

// limits and timeouts under which a client that reads nothing of 24 MB is cut
async function isCutAlone(t, limits, timeouts) {
	const usher = await startUsherd(t, edge(limits + ', in_flight_per_session: 500, messages_per_second: off, bytes_per_second: off',
	    'size: 1', `timeouts: { ${timeouts} }\nsocketio: { ping_interval: 10m }\n`));
	const client = await rawBrowser(t, usher.port);
	const before = metric(await metrics(usher), 'usher_sessions_faulty_total');

	await sleeper(t, usher, client.token, script({ finish: { ballast: 'x'.repeat(60000) } }), 400);
	await waitFor('the reader to be cut', async () =>
		metric(await metrics(usher), 'usher_sessions_faulty_total') === before + 1);
	assert.match(usher.log, /closed: it does not read what it is sent/);
	assert.strictEqual((await client.request({ type: 'echo' })).message.error, undefined);
}

test('a reader that does not read is cut alone, by bytes', (t) => isCutAlone(t, 'send_queue: 1MB', 'send: 1h'));

test('a reader that does not read is cut alone, by age', (t) => isCutAlone(t, 'send_queue: 64MB', 'send: 300ms'));

test('without descriptors accepting pauses, and goes on when there are some', async (t) => {
	const usher = await startUsherd(t, edge('sessions: 1000'));
	const client = await rawBrowser(t, usher.port);
	const url = usher.log.match(/metrics and health at (http:\/\/\S+)/)[1];
	const held = [];

	await client.request({ type: 'echo' });
	limitDescriptors(usher.pid, descriptors(usher.pid) + 4);
	for (let i = 0; i < 12; i++)
		held.push(await tcp(t, usher.port));	// the kernel takes them, whoever accepts
	const isPaused = () => (usher.log.match(/not accepting for/g) || []).length;
	await waitFor('a pause', isPaused);
	assert.strictEqual((await client.request({ type: 'echo' })).message.error, undefined, 'who is in is served');

	// Waiting costs nothing: a busy loop would use all of the time.
	const cpu = () => fs.readFileSync(`/proc/${usher.pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13)
	    .reduce((sum, ticks) => sum + Number(ticks), 0);
	const [ticks, begun] = [cpu(), Date.now()];
	await new Promise((resolve) => setTimeout(resolve, 1500));
	assert.ok((cpu() - ticks) * 10 < (Date.now() - begun) / 2, 'less than half of a processor');

	held.forEach((connection) => connection.close());
	const late = await rawBrowser(t, usher.port);
	assert.strictEqual((await late.request({ type: 'echo' })).message.error, undefined);
	assert.ok(metric(parseMetrics((await ask(url, 'GET', '/metrics')).text), 'usher_accept_pauses_total') > 0);
});

test('descriptors are raised to what the system permits', async (t) => {
	const usher = await startUsherd(t, edge('sessions: 100'));
	const [, soft, hard] = fs.readFileSync(`/proc/${usher.pid}/limits`, 'utf8').match(/Max open files\s+(\d+)\s+(\d+)/);
	assert.strictEqual(soft, hard);
	assert.doesNotMatch(usher.log, /descriptors/);

	const many = await startUsherd(t, edge('sessions: 100000000'));
	assert.match(many.log, /the system permits \d+ descriptors, and limits\.sessions \(100000000\) needs more/);
});

test('ten times what there is room for is answered at once, and memory stays', async (t) => {
	const gate = path.join(folder(t), 'gate');
	const sanitizer = { ASAN_OPTIONS: [process.env.ASAN_OPTIONS, 'quarantine_size_mb=1'].filter(Boolean).join(':') };
	const usher = await startUsherd(t, edge('sessions: 40, in_flight_per_session: 8, in_flight: 200', 'size: 1, queue: 20'),
	    { env: sanitizer });
	const message = { ...script({ gate }, { finish: {} }), ballast: 'x'.repeat(20000) };
	const clients = [];
	for (let i = 0; i < 40; i++)
		clients.push(await rawBrowser(t, usher.port));
	usher.endsBy = 'SIGINT';

	// Above all limits at once: connections, messages of a session, the queue.
	const round = async () => {
		const refusals = Array.from({ length: 20 }, async () => {
			const socket = new RawSocket(address(usher.port, 3));
			const why = await socket.open().then(() => 'open', (e) => e.message);
			socket.close();
			assert.match(why, /503|socket hang up|ECONNRESET/);
		});
		const answered = clients.map(async (client) => {
			for (let i = 0; i < 10; i++)
				client.emit({ ...message, token: client.token });
			for (let i = 0; i < 2; i++)
				assert.ok(['overloaded', 'too_many'].includes((await client.nextReply()).message.code));
		});
		await Promise.all(refusals.concat(answered));
	};

	await round();
	await round();
	const first = residentKiB(usher.pid);
	for (let i = 0; i < 8; i++)
		await round();
	// The thread sanitizer has two to four bytes of its own for each that was ever used.
	const times = fs.readFileSync(`/proc/${usher.pid}/maps`, 'utf8').includes('libtsan') ? 3 : 1;
	assert.ok(residentKiB(usher.pid) < first + times * 20000, `${first} KiB became ${residentKiB(usher.pid)} KiB`);
});
