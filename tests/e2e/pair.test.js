// SPDX-License-Identifier: ISC
// A worker node and a master as the manual shows them, and a page with the stock client.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { stockBrowser } = require('./lib/browser');
const { assertError } = require('./lib/replies');
const { claims, decryptSecrets, isSigned } = require('./lib/tokens');
const { LOOPS, startUsherd, HANDLERS, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

async function startPair(t) {
	const worker = await startUsherd(t, `
listen: [{ address: "127.0.0.1:0" }]
jwt: { secret: "interop-shared-secret", allow_short_secret: true }
applications:
  test-app: { command: ["python3", "handler.py"], pool: { size: 2 } }
`, { files: { 'handler.py': fs.readFileSync(path.join(HANDLERS, 'handler.py')) } });
	const master = await startUsherd(t, `
listen: [{ address: "127.0.0.1:0" }]
jwt: { secret: "interop-shared-secret", allow_short_secret: true }
u_services:
  - application: jwt
    types:
      login: { url: "ws://127.0.0.1:${worker.port}", application: test-app }
      steps: { url: "ws://127.0.0.1:${worker.port}", application: test-app }
`);

	await master.linked();
	return { worker, master };
}

test('a browser reaches the handler on the worker node', async (t) => {
	const { master } = await startPair(t);
	const browser = await stockBrowser(t, master.url, 'jwt');

	await t.test('a right password logs in', async () => {
		const [reply, ...more] = await browser.request(
		    { type: 'login', params: { username: 'rob', password: 'secret' } });
		const { token } = reply.message;

		assert.deepStrictEqual(more, []);
		assert.deepStrictEqual(reply.message, { ok: true, token });
		assert.strictEqual(reply.type, 'login');
		assert.match(reply.responseTime, /^\d+ms$/);
		assert.ok(isSigned(token, SECRET));
		const { application, timeout, userText, username, exp, iat } = claims(token);
		assert.deepStrictEqual({ application, timeout, userText, username },
		    { application: 'jwt', timeout: 1200, userText: 'Welcome Rob', username: undefined });
		assert.strictEqual(exp, iat + 1200);
		assert.strictEqual(decryptSecrets(token, SECRET).username, 'rob');
		assert.strictEqual(decryptSecrets(token, SECRET).authenticated, true);
	});

	await t.test('a wrong password is told', async () => {
		const [reply] = await browser.request({ type: 'login', params: { username: 'rob', password: 'wrong' } });

		assert.deepStrictEqual(reply.message, { error: 'Invalid login attempt' });
		assert.strictEqual(reply.finished, true);
	});

	await t.test('intermediate replies come one by one', async () => {
		const replies = await browser.request({ type: 'steps', params: { tag: 'x' } });

		assert.deepStrictEqual(replies.map((r) => r.finished), [false, false, false, true]);
		assert.deepStrictEqual(replies.slice(0, 3).map((r) => r.message),
		    [1, 2, 3].map((step) => ({ step, of: 3, tag: 'x' })));
		assert.strictEqual(replies[3].message.done, true);
		assert.ok(replies[3].message.token);
	});

	await t.test('a type that no route names has no handler', async () => {
		const [reply] = await browser.request({ type: 'whoami' });

		assertError(reply, {
			type: 'whoami', code: 'no_handler', error: 'Handler not defined for jwt messages of type whoami'
		});
	});
});

test('the link between the two carries any number of requests', async (t) => {
	const { master } = await startPair(t);

	const links = () => [...master.log.matchAll(/link \S+: up/g)].length;

	await waitFor('one link per loop', () => links() >= LOOPS);
	assert.strictEqual(links(), LOOPS);
});
