// SPDX-License-Identifier: ISC
// In place of a stock master: the stock browser client, usher, and a stock QEWD micro-service.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { stockBrowser } = require('./lib/browser');
const { masterOf } = require('./lib/configs');
const { assertError } = require('./lib/replies');
const { startStockService } = require('./lib/stock');
const { claims, decryptSecrets, isSigned } = require('./lib/tokens');
const { startUsherd, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const LOGIN = { type: 'login', params: { username: 'rob', password: 'secret' } };

async function startBoth(t, options = {}) {
	const service = await startStockService(t, options);
	// QEWD's own configuration says http:// and means a WebSocket.
	const master = await startUsherd(t, masterOf(service.url, options.link));

	await master.linked();
	return { service, master };
}

const final = (replies) => replies[replies.length - 1];

test('every type of a stock service', async (t) => {
	const { master } = await startBoth(t);
	const page = () => stockBrowser(t, master.url);

	await t.test('a session is carried through the token', async () => {
		const browser = await page();
		const [before] = await browser.request({ type: 'whoami' });
		const [login] = await browser.request(LOGIN);
		const [after] = await browser.request({ type: 'whoami' });
		const [again] = await browser.request(LOGIN);

		assert.strictEqual(before.message.authenticated, false);
		assert.strictEqual(login.message.ok, true);
		assert.ok(isSigned(login.message.token, SECRET));
		assert.strictEqual(claims(login.message.token).application, 'browser-app');
		assert.strictEqual(claims(login.message.token).username, undefined);
		assert.strictEqual(decryptSecrets(login.message.token, SECRET).username, 'rob');
		assert.deepStrictEqual(
		    [after.message.application, after.message.authenticated, after.message.username, after.message.isSecret],
		    ['remote-app', true, 'rob', true]);
		assert.strictEqual(again.message.ok, true);
	});

	await t.test('a token keeps its public jti on the whole way', async () => {
		const browser = await page();
		const [first] = await browser.request({ type: 'whoami' });
		const [second] = await browser.request(LOGIN);

		assert.match(claims(first.message.token).jti, /^[A-Za-z0-9_-]{16}$/);
		assert.strictEqual(claims(second.message.token).jti, claims(first.message.token).jti);
	});

	await t.test('makePublic shows a secret claim', async () => {
		const browser = await page();
		await browser.request(LOGIN);
		const [reply] = await browser.request({ type: 'publish' });

		assert.strictEqual(claims(reply.message.token).username, 'rob');
	});

	await t.test('beforeHandler refuses until the login', async () => {
		const browser = await page();
		const [refused] = await browser.request({ type: 'needsAuth' });
		await browser.request(LOGIN);
		const [served] = await browser.request({ type: 'needsAuth' });

		assert.deepStrictEqual(refused.message, { error: 'User not authenticated' });
		assert.strictEqual(served.message.user, 'rob');
	});

	await t.test('intermediates come before their final', async () => {
		const browser = await page();
		const replies = await browser.request({ type: 'steps', params: { tag: 's', gap: 5 } });

		assert.deepStrictEqual(replies.map((r) => r.message.step || 'done'), [1, 2, 3, 'done']);
		assert.ok(replies.every((r) => r.type === 'steps' && r.message.tag === 's'));
		assert.ok(replies.slice(0, 3).every((r) => !r.message.token));
	});

	await t.test('an intermediate under another type arrives, which stock loses', async () => {
		const browser = await page();
		const seen = [];
		browser.on('progress', (reply) => seen.push(reply));
		const replies = await browser.request({ type: 'stepsOther', params: { tag: 'o' } });

		assert.deepStrictEqual(seen.map((r) => [r.finished, r.message]), [[false, { percent: 50, tag: 'o' }]]);
		assert.strictEqual(final(replies).message.done, true);
	});

	await t.test('echo', async () => {
		const browser = await page();
		const params = { tag: 'é鍵😀', list: [1, null, { deep: '\u0000' }] };
		const [reply] = await browser.request({ type: 'echo', params });

		assert.deepStrictEqual(reply.message.echo, params);
	});

	await t.test('the service sees the message as it was sent', async () => {
		const browser = await page();
		const [reply] = await browser.request({ type: 'raw', params: { a: 1 }, more: [true], ms_requestId: 7 });
		const { token, ...received } = reply.message.received;

		assert.strictEqual(claims(token).application, 'remote-app');
		assert.deepStrictEqual(received, { type: 'raw', params: { a: 1 }, more: [true], ms_requestId: 7, jwt: true });
		assert.strictEqual(reply.ms_requestId, 7);
		assert.ok(!('ms_requestId' in reply.message));
	});

	await t.test('3 MB of reply', async () => {
		const browser = await page();
		const [reply] = await browser.request({ type: 'big', params: { size: 3000000 } });

		assert.strictEqual(reply.message.data.length, 3000000);
	});

	await t.test('a list as final', async () => {
		const browser = await page();
		const [bare] = await browser.request({ type: 'list' });
		const [wrapped] = await browser.request({ type: 'list', ms_requestId: 'x' });

		assert.deepStrictEqual(bare.message, [1, 2, 3]);
		assert.deepStrictEqual(wrapped.message.results, [1, 2, 3]);
		assert.ok(wrapped.message.token);
	});

	await t.test('finals with nothing in them', async () => {
		const browser = await page();

		for (const type of ['empty', 'emptyObject']) {
			const [reply] = await browser.request({ type });
			assert.deepStrictEqual(Object.keys(reply.message), ['token']);
		}
	});

	await t.test('an error of a handler arrives, which stock loses', async () => {
		const browser = await page();
		const [reply] = await browser.request({ type: 'fail', params: { tag: 'f' } });

		assert.deepStrictEqual(reply.message, { error: 'Told to fail', status: { code: 418 }, tag: 'f' });
		assert.deepStrictEqual([reply.type, reply.finished], ['fail', true]);
		assert.strictEqual(browser.errors.items.length, 1, 'the stock client emits it as "error" as well');
	});

	await t.test('a type the service does not know', async () => {
		const browser = await page();
		const [reply] = await browser.request({ type: 'nonesuch' });

		assert.deepStrictEqual(reply.message, { error: 'Handler not defined for remote-app messages of type nonesuch' });
	});

	await t.test('three requests of one type at once', async () => {
		const browsers = await Promise.all([page(), page(), page()]);
		const replies = await Promise.all(browsers.map((browser, tag) =>
			browser.request({ type: 'slow', params: { ms: 50, tag } })));

		assert.deepStrictEqual(replies.map((r) => r.map((one) => one.message.tag)), [[0], [1], [2]]);
	});
});

test('a failing handler of a stock service', async (t) => {
	// One link: whatever else a stock service has for a worker that ends, it loses or dies of.
	const { service, master } = await startBoth(t, { pool: 1, link: 'links: 1' });
	const browser = await stockBrowser(t, master.url);

	for (const [type, text] of [['crash', 'Deliberate failure'], ['crashLater', 'Deliberate late failure']]) {
		await t.test(type, async () => {
			const [reply] = await browser.request({ type, ms_requestId: 3 });

			assertError(reply, { type, code: 'handler_error', error: new RegExp(text), ms_requestId: 3 });
			// Until then a stock service takes the dying worker for a free one.
			await waitFor('the end of its worker', () => service.stdout.includes('received exit event'));
		});
	}
});

test('a stock service that never answers', async (t) => {
	const service = await startStockService(t, { pool: 3 });
	const master = await startUsherd(t, masterOf(service.url) + `
      never: { destination: far, timeout: 500ms }
      exit: { destination: far, timeout: 500ms }
`);
	await master.linked();
	const browser = await stockBrowser(t, master.url);

	for (const type of ['never', 'exit']) {
		const [reply] = await browser.request({ type });
		assertError(reply, { type, code: 'timeout' });
	}
	const [served] = await browser.request({ type: 'echo', params: { tag: 'after' } });
	assert.strictEqual(served.message.tag, 'after');
});

test('a stock service that is not there, comes and goes', async (t) => {
	const first = await startStockService(t);
	const { port } = first;
	await first.kill();
	const master = await startUsherd(t, masterOf('ws://127.0.0.1:' + port));
	const browser = await stockBrowser(t, master.url);

	const [down] = await browser.request({ type: 'echo', params: {} });
	assertError(down, { type: 'echo', code: 'link_down', error: 'MicroService connection is down' });

	const second = await startStockService(t, { port });
	await master.linked();
	const [up] = await browser.request({ type: 'echo', params: { tag: 'up' } });
	assert.strictEqual(up.message.tag, 'up');

	const lost = browser.request({ type: 'slow', params: { ms: 60000 } });
	await browser.request({ type: 'echo', params: {} });	// behind it, so that it is on its way
	await second.kill();
	assertError((await lost)[0], { type: 'slow', code: 'link_lost' });
});
