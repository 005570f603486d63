// SPDX-License-Identifier: ISC
// In place of a stock micro-service: the stock browser client, a stock QEWD master, and usher.
// A stock master loses {error} finals without ms_requestId and intermediates under another
// type; nothing else may be lost.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { stockBrowser } = require('./lib/browser');
const { workerOf, python } = require('./lib/configs');
const { cutter } = require('./lib/cutter');
const { rawBrowser } = require('./lib/raw');
const { startStockMaster } = require('./lib/stock');
const { claims, decryptSecrets } = require('./lib/tokens');
const { startUsherd, nodeKit, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const LOGIN = { type: 'login', params: { username: 'rob', password: 'secret' } };
const TYPES = ['login', 'whoami', 'publish', 'needsAuth', 'steps', 'stepsOther', 'echo', 'raw', 'big', 'list',
	'empty', 'emptyObject', 'fail', 'twice', 'late', 'slow', 'crash', 'nonesuch'];

async function startBoth(t, command) {
	const worker = await startUsherd(t, workerOf(command));
	const master = await startStockMaster(t, worker.url, TYPES);

	return { worker, master };
}

test('a stock master in front of a worker node with the Node kit', async (t) => {
	const { master } = await startBoth(t, nodeKit('remote-app.js'));
	const browser = await stockBrowser(t, master.url);

	await t.test('the session goes through both', async () => {
		const [login] = await browser.request(LOGIN);
		const [whoami] = await browser.request({ type: 'whoami' });
		const [publish] = await browser.request({ type: 'publish' });

		assert.strictEqual(login.message.ok, true);
		assert.strictEqual(claims(login.message.token).application, 'browser-app');
		assert.strictEqual(decryptSecrets(login.message.token, SECRET).username, 'rob');
		assert.deepStrictEqual([whoami.message.username, whoami.message.isSecret, whoami.message.application],
		    ['rob', true, 'remote-app']);
		assert.strictEqual(claims(publish.message.token).username, 'rob');
	});

	await t.test('intermediates arrive in order', async () => {
		const replies = await browser.request({ type: 'steps', params: { tag: 's', gap: 2 } });

		assert.deepStrictEqual(replies.map((r) => r.message.step || 'done'), [1, 2, 3, 'done']);
	});

	await t.test('intermediates arrive where the request has an id', async () => {
		const replies = await browser.request({ type: 'steps', params: { tag: 'i' }, ms_requestId: 11 });

		assert.strictEqual(replies[replies.length - 1].message.done, true);
	});

	await t.test('every kind of final', async () => {
		const [echo] = await browser.request({ type: 'echo', params: { tag: 'é鍵😀' } });
		const [list] = await browser.request({ type: 'list' });
		const [results] = await browser.request({ type: 'list', ms_requestId: 5 });
		const [empty] = await browser.request({ type: 'empty' });
		const [emptyObject] = await browser.request({ type: 'emptyObject' });
		const [big] = await browser.request({ type: 'big', params: { size: 1000000 } });
		const stepsOther = await browser.request({ type: 'stepsOther', params: { tag: 'o' } });
		const [needsAuth] = await browser.request({ type: 'needsAuth' });

		assert.strictEqual(echo.message.tag, 'é鍵😀');
		assert.deepStrictEqual(list.message, [1, 2, 3]);
		assert.deepStrictEqual(results.message.results, [1, 2, 3]);
		assert.deepStrictEqual(Object.keys(empty.message), ['token']);
		assert.deepStrictEqual(Object.keys(emptyObject.message), ['token']);
		assert.strictEqual(big.message.data.length, 1000000);
		assert.strictEqual(stepsOther[stepsOther.length - 1].message.done, true);
		assert.strictEqual(needsAuth.message.user, 'rob');
	});

	await t.test('errors arrive where the request has an id', async () => {
		const [fail] = await browser.request({ type: 'fail', ms_requestId: 21 });
		const [nonesuch] = await browser.request({ type: 'nonesuch', ms_requestId: 22 });
		const [crash] = await browser.request({ type: 'crash', ms_requestId: 23 });

		assert.deepStrictEqual([fail.message.error, fail.message.status], ['Told to fail', { code: 418 }]);
		assert.strictEqual(nonesuch.message.error, 'Handler not defined for remote-app messages of type nonesuch');
		assert.strictEqual(crash.message.error, 'Deliberate failure');
	});

	await t.test('what comes after a final reaches nobody', async () => {
		for (const type of ['twice', 'late']) {
			const replies = await browser.request({ type });
			const [next] = await browser.request({ type: 'slow', params: { ms: 50, tag: type } });

			assert.deepStrictEqual(replies.map((r) => r.message.n), [1]);
			assert.strictEqual(next.message.tag, type);
		}
	});
});

test('a stock master in front of a Python handler', async (t) => {
	const { master } = await startBoth(t, python);
	const browser = await stockBrowser(t, master.url);
	const [login] = await browser.request(LOGIN);
	const [whoami] = await browser.request({ type: 'whoami' });
	const steps = await browser.request({ type: 'steps', params: { tag: 'p' } });

	assert.strictEqual(login.message.ok, true);
	assert.strictEqual(whoami.message.username, 'rob');
	assert.deepStrictEqual(steps.map((r) => r.message.step || 'done'), [1, 2, 3, 'done']);
});

test('a stock master that comes back re-registers with its token', async (t) => {
	const worker = await startUsherd(t, workerOf(python));
	const between = await cutter(t, worker.port);
	const master = await startStockMaster(t, between.url.replace('ws:', 'http:'), TYPES);
	// Not the stock client: of two callbacks of one type it skips the second.
	const browser = await rawBrowser(t, master.port);
	const echo = async (tag) => (await browser.request({ type: 'echo', params: { tag } })).message.tag === tag;

	assert.ok(await echo('before'));
	assert.strictEqual(between.cut(), 1);
	await waitFor('the stock master to come back', () => between.connections() === 1);
	await waitFor('an answer after the cut', () => echo('after'));
});
