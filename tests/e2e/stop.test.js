// SPDX-License-Identifier: ISC
// How the daemon stops: SIGTERM drains, SIGINT is quick, a second signal is immediate.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { masterOf, workerOf, scripted } = require('./lib/configs');
const { fakeNode } = require('./lib/fake-node');
const { rawBrowser, tcp } = require('./lib/raw');
const { SANITIZER, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

// A worker that is busy with a request for that long; the reply is still to come.
async function busy(t, ms, top = '') {
	const node = await startUsherd(t, workerOf(scripted, 'size: 1, stop_grace: 500ms') + top);
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const script = [{ print: 'at work\n' }, { wait: ms }, { line: '{"op":"finish","id":@ID,"message":{"done":true}}' }];
	browser.emit({ type: 'job', token: browser.token, params: { script } });
	await node.logged(/at work/);

	return { node, browser };
}

test('SIGTERM: what is in flight is answered, then everybody is told', async (t) => {
	const { node, browser } = await busy(t, 500);
	const stopped = node.stop('SIGTERM');
	const reply = await browser.nextReply();

	assert.strictEqual(reply.message.done, true);
	assert.strictEqual(await browser.whenClosed(), 1001);
	await stopped;
});

test('SIGTERM: nobody is let in any more', async (t) => {
	const { node } = await busy(t, 1000);
	const stopped = node.stop('SIGTERM');

	await waitFor('connections to be refused', async () => {
		const connection = await tcp(t, node.port).catch(() => null);
		if (connection)
			connection.close();
		return connection === null;
	});
	assert.ok(!node.hasEnded, 'while it drains');
	await stopped;
});

test('SIGTERM: timeouts.drain is the longest it waits', async (t) => {
	const { node, browser } = await busy(t, 600000, 'timeouts: { drain: 500ms }\n');
	const begun = Date.now();
	await node.stop('SIGTERM');

	assert.ok(Date.now() - begun < 8000);
	const reply = await browser.nextReply().catch(() => null);
	if (reply !== null)
		assert.ok(reply.message.code, 'an error, if anything');
});

test('SIGTERM: an idle node ends at once', async (t) => {
	const node = await startUsherd(t, workerOf(scripted));
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const begun = Date.now();
	await node.stop('SIGTERM');

	assert.ok(Date.now() - begun < 5000, 'after ' + (Date.now() - begun) + ' ms');
	assert.strictEqual(await browser.whenClosed(), 1001);
});

test('SIGINT is quick', async (t) => {
	const { node } = await busy(t, 600000);
	const begun = Date.now();
	await node.stop('SIGINT');

	assert.ok(Date.now() - begun < 8000, 'after ' + (Date.now() - begun) + ' ms');
});

test('a second signal is immediate', async (t) => {
	const { node } = await busy(t, 600000);
	node.kill('SIGTERM');
	await node.logged(/drain|stopping|SIGTERM/i);
	const begun = Date.now();
	node.kill('SIGTERM');
	await node.end();

	assert.ok(Date.now() - begun < 3000, 'after ' + (Date.now() - begun) + ' ms');
	assert.doesNotMatch(node.log, SANITIZER);
	node.stop = async () => {};	// whatever its status: it was made to
});

test('a master says goodbye on its links and lets the node finish', async (t) => {
	const far = await fakeNode(t);
	const master = await startUsherd(t, masterOf(far.url, 'links: 1'));
	await master.linked();
	const browser = await rawBrowser(t, master.port);
	browser.emit({ type: 'job', token: browser.token });
	const request = await far.next();
	const code = new Promise((resolve) => request.link.ws.on('close', resolve));
	const stopped = master.stop('SIGTERM');
	await master.logged(/drain|stopping|SIGTERM/i);
	request.final({ ok: true });

	assert.strictEqual((await browser.nextReply()).message.ok, true);
	await stopped;
	assert.notStrictEqual(await code, 1006, 'with a close frame');
});
