// SPDX-License-Identifier: ISC
// The handler kits from end to end: their login example behind a master, and crowds of browsers
// while their workers are recycled and killed.
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const test = require('node:test');
const { masterOf, workerOf } = require('./lib/configs');
const { crowd, assertNoneLost, killWorker } = require('./lib/crowd');
const { run } = require('./lib/processes');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { claims, decryptSecrets, isSigned } = require('./lib/tokens');
const { startUsherd, folder, nodeKit, HANDLERS, KITS, SECRET } = require('./lib/usherd');

const example = (...parts) => path.join(KITS, ...parts);
const PYTHON = `environment: { PYTHONPATH: "${example('python')}", PYTHONDONTWRITEBYTECODE: "1", CONCURRENCY: "@" }`;

// What a worker says on its standard error, or is said of it.
const COMPLAINT = / (warn|error) +remote-app#/;

// Each kit's login example as a command, and more keys of its application.
const kits = {
	Python: async () => [['python3', example('python', 'examples', 'login.py')], PYTHON],
	Node: async () => [[process.execPath, example('node', 'usher-worker.js'), example('node', 'examples', 'login.js')]],
	shell: async () => [['bash', example('shell', 'examples', 'login.sh')]],
	C: async (t) => {
		const out = folder(t);
		const made = await run('make', ['-s', '-C', example('c'), 'OUT=' + out, path.join(out, 'login')]);
		assert.strictEqual(made.code, 0, made.stderr);
		return [[path.join(out, 'login')]];
	}
};

async function startBoth(t, command, pool, more) {
	const worker = await startUsherd(t, workerOf(command, pool, more), { args: ['-D', 'pool'] });
	const master = await startUsherd(t, masterOf(worker.url));

	await master.linked();
	return { worker, master };
}

for (const [kit, command] of Object.entries(kits)) {
	test('the login example in ' + kit, async (t) => {
		const [program, more] = await command(t);
		const { worker, master } = await startBoth(t, JSON.stringify(program), 'size: 1', more);
		const browser = await rawBrowser(t, master.port);
		const login = (password) => browser.request({ type: 'login', params: { username: 'rob', password } });

		await t.test('a wrong password is told', async () => {
			assert.deepStrictEqual((await login('wrong')).message, { error: 'Invalid login attempt' });
			assert.strictEqual((await browser.request({ type: 'whoami' })).message.authenticated, false);
		});

		await t.test('a right one is in the token, what is secret encrypted', async () => {
			const { message: { token, ...rest } } = await login('secret');
			const { application, timeout, userText, username, exp, iat } = claims(token);

			assert.deepStrictEqual(rest, { ok: true });
			assert.ok(isSigned(token, SECRET));
			assert.deepStrictEqual({ application, timeout, userText, username, lasts: exp - iat },
			    { application: 'browser-app', timeout: 1200, userText: 'Welcome Rob', username: undefined, lasts: 1200 });
			assert.strictEqual(decryptSecrets(token, SECRET).username, 'rob');
			browser.token = token;
		});

		await t.test('the next request knows it', async () => {
			const { token, ...whoami } = (await browser.request({ type: 'whoami' })).message;

			assert.deepStrictEqual(whoami, { application: 'remote-app', authenticated: true, username: 'rob',
				userText: 'Welcome Rob', timeout: 1200, secretUsername: true });
		});

		await t.test('steps come one by one', async () => {
			const intermediates = [];
			const { message } = await browser.request({ type: 'steps', params: { tag: 'é"😀' } }, intermediates);

			assert.deepStrictEqual(intermediates.map((r) => r.message), [1, 2, 3].map((step) => ({ step, of: 3, tag: 'é"😀' })));
			assert.deepStrictEqual([message.done, message.tag], [true, 'é"😀']);
		});

		await t.test('echo gives back what was sent', async () => {
			for (const params of [{ tag: 1, list: [1, null, { deep: '\u0000\u2028\n' }] }, [], null, 'text', { big: 'x'.repeat(200000) }])
				assert.deepStrictEqual((await browser.request({ type: 'echo', params })).message.echo, params);
		});

		await t.test('another type has no handler', async () => {
			assertError(await browser.request({ type: 'nonesuch' }), { type: 'nonesuch', code: 'no_handler', by: 'worker',
				error: 'Handler not defined for remote-app messages of type nonesuch' });
		});

		assert.doesNotMatch(worker.log, COMPLAINT);
	});
}

const crowds = {
	'Node, eight at a time': [nodeKit('remote-app.js').replace('"]', '","--concurrency","8"]'), 2, 8],
	'Python, one at a time': [JSON.stringify(['python3', path.join(HANDLERS, 'remote_app.py')]), 4, 1, PYTHON.replace('@', 1)],
	'Python, eight at a time': [JSON.stringify(['python3', path.join(HANDLERS, 'remote_app.py')]), 2, 8, PYTHON.replace('@', 8)]
};

for (const [what, [command, size, concurrency, more]] of Object.entries(crowds)) {
	test('50 browsers, workers recycled and killed, requests cancelled: ' + what, async (t) => {
		const { worker, master } = await startBoth(t, command,
		    `size: ${size}, concurrency: ${concurrency}, max_messages: 50`, more);
		let round = 0, killed = 0;
		// In every third round, while its requests are under way.
		const killOne = () => { killed += killWorker(worker); };
		const result = await crowd(t, master.port, { rounds: 16, pace_ms: 100, gap_ms: 3, cancels: 0.4,
			ready: () => ++round % 3 === 0 && setTimeout(killOne, 10) });
		const recycled = worker.log.match(/will be replaced by/g);

		assertNoneLost(result, 50 * 16, ['worker_lost', 'cancelled']);
		assert.ok(result.failed.cancelled > 5, JSON.stringify(result));
		assert.ok(killed >= 3, killed + ' were killed');
		assert.ok(recycled && recycled.length >= 2, recycled + ' were recycled');
	});
}
