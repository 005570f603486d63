// SPDX-License-Identifier: ISC
// Leaving without a crowd at the next door: sessions are told to go one after the other, and a
// balancer may notice first.
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const test = require('node:test');
const { nodeOf, scripted } = require('./lib/configs');
const { ask } = require('./lib/http');
const { run } = require('./lib/processes');
const { rawBrowser, rawClient } = require('./lib/raw');
const { PROGRAM, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const USHERCTL = path.join(path.dirname(PROGRAM), 'usherctl');
const ADMIN = 'admin: { socket: admin.sock, http: "127.0.0.1:0" }\n';
const busy = { script: [{ print: 'at work\n' }, { wait: 300 }, { finish: { done: true } }] };

const start = (t, more) => startUsherd(t, nodeOf('worker',
	{ 'remote-app': `{ command: ${scripted}, pool: { size: 1 } }` }, ADMIN + more));
const adminUrl = (node) => node.log.match(/health at (http:\S+)/)[1];

test('sessions are told to go at the rate that is set, and at a faster one if time is short', async (t) => {
	for (const drain of ['30s', '2s']) {
		const node = await start(t, `drain: { sessions_per_second: 10 }\ntimeouts: { drain: ${drain} }\n`);
		const browsers = await Promise.all(Array.from({ length: 30 }, () => rawClient(t, node.port)));
		const times = [];

		browsers.forEach((b) => b.closed.then(() => times.push(Date.now())));
		await node.stop('SIGTERM');
		await Promise.all(browsers.map((b) => b.whenClosed()));
		assert.ok(browsers.every((b) => b.closeCode === 1001), 'each by a close frame');
		if (drain === '30s')
			assert.ok(times.at(-1) - times[0] > 1000, `in ${times.at(-1) - times[0]} ms`);
		assert.ok(new Set(times).size > 5, 'not all in one instant');
	}
});

test('sessions_per_second: off, and all go at once', async (t) => {
	const node = await start(t, 'drain: { sessions_per_second: off }\n');
	const browsers = await Promise.all(Array.from({ length: 20 }, () => rawClient(t, node.port)));

	await node.stop('SIGTERM');
	for (const browser of browsers)
		assert.strictEqual(await browser.whenClosed(), 1001);
});

test('a session with a request in flight gets its reply before it is told', async (t) => {
	const node = await start(t, '');
	const idle = await rawClient(t, node.port);
	const browser = await rawBrowser(t, node.port, 'remote-app');

	browser.emit({ type: 'job', token: browser.token, params: busy });
	await node.logged(/at work/);
	const stopped = node.stop('SIGTERM');
	assert.strictEqual(await idle.whenClosed(), 1001);
	assert.strictEqual((await browser.nextReply()).message.done, true);
	assert.strictEqual(await browser.whenClosed(), 1001);
	await stopped;
});

test('keep_listening: it serves on while /readyz says no, and drains then', async (t) => {
	const node = await start(t, 'drain: { keep_listening: 3s }\n');
	const admin = adminUrl(node);

	assert.strictEqual((await ask(admin, 'GET', '/readyz')).status, 200);
	node.kill('SIGTERM');
	await waitFor('not ready', async () => (await ask(admin, 'GET', '/readyz')).status === 503);
	const browser = await rawBrowser(t, node.port, 'remote-app');
	assert.strictEqual((await browser.request({ type: 'job' })).message.ok, true, 'new ones are let in and served');
	assert.strictEqual(await browser.whenClosed(), 1001);
	await node.end();
	assert.strictEqual(node.code, 0);
});

test('usherctl drain does what SIGTERM does', async (t) => {
	const node = await start(t, '');
	const browser = await rawBrowser(t, node.port, 'remote-app');

	browser.emit({ type: 'job', token: browser.token, params: busy });
	await node.logged(/at work/);
	const { code, stdout } = await run(USHERCTL, ['-s', path.join(node.dir, 'admin.sock'), 'drain']);
	assert.strictEqual(code, 0);
	assert.match(stdout, /drains/);
	assert.strictEqual((await browser.nextReply()).message.done, true);
	await node.end();
	assert.strictEqual(node.code, 0);
});
