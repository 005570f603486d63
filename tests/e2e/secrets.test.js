// SPDX-License-Identifier: ISC
// No secret, token, password or payload is in the log, at any level.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { masterOf, workerOf, scripted } = require('./lib/configs');
const { cutter } = require('./lib/cutter');
const { rawBrowser, rawClient } = require('./lib/raw');
const { session, sign } = require('./lib/tokens');
const { startStockService } = require('./lib/stock');
const { startUsherd, nodeKit, SECRET } = require('./lib/usherd');

const ALL = { args: ['-D', 'all'] };
const MARKER = 'PAYLOAD-MARKER-4711';
const PASSWORD = 'PASSWORD-MARKER-4712';
const quote = (yaml) => yaml + 'log: { level: debug }\n';

// Everything a session does, well and badly.
async function everything(t, port) {
	const browser = await rawBrowser(t, port);
	const tokens = [browser.token];

	for (const message of [
		{ type: 'login', params: { username: 'rob', password: PASSWORD } },
		{ type: 'login', params: { username: 'rob', password: 'secret' } },
		{ type: 'echo', params: { tag: MARKER } }, { type: 'steps', params: { tag: MARKER } }, { type: 'fail', params: { tag: MARKER } },
		{ type: 'nonesuch', params: { tag: MARKER } }, { type: 'raw', params: { tag: MARKER } }, { type: 'ewd-jwt-encode', params: { payload: MARKER } }
	]) {
		const reply = await browser.request(message);
		if (reply.message.token)
			tokens.push(browser.token = reply.message.token);
	}
	browser.token = sign({ application: 'browser-app', marker: MARKER }, 'another secret');
	tokens.push(browser.token);
	await browser.request({ type: 'echo', params: { tag: MARKER } });
	browser.token = session('browser-app', SECRET, { exp: 1 });
	tokens.push(browser.token);
	await browser.request({ type: 'echo', params: { tag: MARKER } });
	browser.emit(`{"type":"echo","params":"${MARKER}","token":"${MARKER}","token":"${MARKER}"}`);
	await browser.nextReply();

	const again = await rawClient(t, port);
	again.emit({ type: 'ewd-reregister', token: tokens[1] });
	tokens.push((await again.nextReply()).message.token);
	again.send('42["ewdjs",{"type":"echo","params":"' + MARKER + '"');
	await again.whenClosed();
	return tokens;
}

// Part of a token is as bad as the whole of it.
function assertSilent(usherd, tokens) {
	for (const token of tokens)
		for (const part of token.split('.').slice(1))
			assert.ok(!usherd.log.includes(part.slice(0, 60)), 'a token in the log');
	for (const word of [SECRET, MARKER, PASSWORD])
		assert.ok(!usherd.log.includes(word), word + ' in the log:\n' + usherd.log.split('\n').find((l) => l.includes(word)));
	assert.match(usherd.log, / debug /, 'it did log');
}

test('a master and a worker node', async (t) => {
	// The handler prints nothing of what it gets.
	const worker = await startUsherd(t, quote(workerOf(nodeKit('remote-app.js'))), ALL);
	const between = await cutter(t, worker.port);
	const master = await startUsherd(t, quote(masterOf(between.url)), ALL);
	await master.linked();
	const tokens = await everything(t, master.port);
	between.cut();
	await master.linked(2);
	await master.stop();
	await worker.stop();

	assertSilent(master, tokens);
	assertSilent(worker, tokens);
});

test('a master in front of a stock service', async (t) => {
	const service = await startStockService(t);
	const master = await startUsherd(t, quote(masterOf(service.url)), ALL);
	await master.linked();
	const tokens = await everything(t, master.port);
	await master.stop();

	assertSilent(master, tokens);
});

test('handlers that write nonsense', async (t) => {
	const worker = await startUsherd(t, quote(workerOf(scripted, 'size: 1').replaceAll('remote-app:', 'browser-app:')), ALL);
	const browser = await rawBrowser(t, worker.port);
	for (const line of [MARKER, `{"op":"${MARKER.slice(0, 5)}`, `{"op":"finish","id":@ID,"message":{"error":"${MARKER}","error":"${MARKER}"}}`,
		`{"op":"finish","id":@ID,"message":{"a":"${MARKER}"},"session":7}`])
		await browser.request({ type: 'job', params: { script: [{ line }] } });
	await worker.stop();

	assertSilent(worker, [browser.token]);
});
