// SPDX-License-Identifier: ISC
// An application with "qewd: true": QEWD's own worker, as it is installed, behind the pool.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { masterOf, nodeOf, scriptedApp } = require('./lib/configs');
const { childrenOf } = require('./lib/processes');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { Record } = require('./lib/scripts');
const { claims, decryptSecrets, isSigned } = require('./lib/tokens');
const { startUsherd, HANDLERS, KITS, SECRET } = require('./lib/usherd');

const STORE = path.join(__dirname, '..', 'kits', 'qewd', 'store.js');

// The qewd that is used is the one installed in this folder.
const qewdApp = JSON.stringify({
	qewd: true,
	command: [process.execPath, path.join(KITS, 'node', 'usher-qewd-worker.js')],
	directory: __dirname,
	pool: { size: 1 },
	settings: { moduleMap: { 'remote-app': path.join(HANDLERS, 'qewd-app.js') }, onWorkerStartedPath: STORE }
});

test('QEWD\'s own worker behind a master', async (t) => {
	const record = new Record(t);
	const worker = await startUsherd(t, nodeOf('worker', {
		'remote-app': qewdApp, 'other-app': scriptedApp('size: 1', { record: record.file })
	}), { args: ['-D', 'pool'] });
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	await t.test('login', async () => {
		assert.deepStrictEqual((await browser.request({ type: 'needsAuth' })).message, { error: 'User not authenticated' });
		assert.deepStrictEqual((await browser.request({ type: 'login', params: {} })).message, { error: 'Invalid login attempt' });
		const { message: { token, ok } } = await browser.request({ type: 'login', params: { username: 'rob', password: 'secret' } });
		const { application, userText, username, timeout, jti } = claims(token);

		assert.strictEqual(ok, true);
		assert.ok(isSigned(token, SECRET));
		assert.deepStrictEqual({ application, userText, username, timeout, jti },
		    { application: 'browser-app', userText: 'Welcome Rob', username: undefined, timeout: 1200, jti: claims(browser.token).jti });
		assert.strictEqual(decryptSecrets(token, SECRET).username, 'rob');
		browser.token = token;
	});

	await t.test('whoami', async () => {
		const { token, ...whoami } = (await browser.request({ type: 'whoami' })).message;

		assert.deepStrictEqual(whoami, { application: 'remote-app', authenticated: true, username: 'rob', userText: 'Welcome Rob',
			timeout: 1200, isSecret: true, socketId: browser.sid, ipAddress: '127.0.0.1' });
		assert.strictEqual((await browser.request({ type: 'needsAuth' })).message.user, 'rob');
	});

	await t.test('documents that one request writes and another reads', async () => {
		const note = { text: 'Gr\u00fc\u00dfe', list: ['a', 'b'], nested: { deep: 1 } };
		await browser.request({ type: 'remember', params: { note } });
		const { exists, note: read } = (await browser.request({ type: 'recall' })).message;

		assert.deepStrictEqual({ exists, read }, { exists: true, read: note });
	});

	await t.test('intermediates, errors and pushes', async () => {
		const intermediates = [];
		const steps = await browser.request({ type: 'steps', params: { tag: 's', gap: 5 } }, intermediates);

		assert.deepStrictEqual(intermediates.map((r) => r.message.step), [1, 2, 3]);
		assert.strictEqual(steps.message.done, true);
		assert.deepStrictEqual((await browser.request({ type: 'fail' })).message, { error: 'Told to fail', status: { code: 418 } });
		assertError(await browser.request({ type: 'nonesuch' }), { type: 'nonesuch', code: 'no_handler',
			error: 'Handler not defined for remote-app messages of type nonesuch' });
		assertError(await browser.request({ type: 'crash' }), { type: 'crash', code: 'handler_error', error: /Deliberate failure/ });
		browser.emit({ type: 'push', token: browser.token });
		assert.deepStrictEqual(await browser.nextReply(), { type: 'news', message: { n: 1 } });
		assert.strictEqual((await browser.nextReply()).message.ok, true);
	});

	await t.test('the secret is for QEWD\'s worker alone', async () => {
		const other = await rawBrowser(t, worker.port, 'other-app');
		assert.strictEqual((await other.request({ type: 'job' })).message.ok, true);
		assert.strictEqual((await browser.request({ type: 'blab' })).message.knows, SECRET.length);

		await worker.logged(/warn .*the secret is /);
		for (const log of [worker.log, worker.stdout, master.log])
			assert.ok(!log.includes(SECRET), 'not in the log');
		assert.doesNotMatch(worker.log, /eyJ/, 'and no token');
		assert.deepStrictEqual(record.lines('hello'),
		    [{ op: 'hello', protocol: 1, node: 'worker', application: 'other-app', worker: 1 }]);
		assert.ok(!fs.readFileSync(record.file, 'utf8').includes(SECRET));
		const workers = childrenOf(worker.pid);
		assert.strictEqual(workers.length, 2);
		for (const pid of workers)
			for (const file of ['environ', 'cmdline'])
				assert.ok(!fs.readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(SECRET), file);
	});
});

test('an application that is not QEWD\'s gets no settings', async (t) => {
	const record = new Record(t);
	const app = scriptedApp('size: 1', { record: record.file }).replace(/\}$/, ', settings: { a: 1 } }');
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': app }));
	const browser = await rawBrowser(t, node.port);
	await browser.request({ type: 'job' });

	assert.deepStrictEqual(Object.keys(record.lines('hello')[0]), ['op', 'protocol', 'node', 'application', 'worker']);
});
