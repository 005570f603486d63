// SPDX-License-Identifier: ISC
// The handler kits from end to end: their login example behind a master, and crowds of browsers
// while their workers are recycled and killed.
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const test = require('node:test');
const { masterOf, nodeOf, workerOf } = require('./lib/configs');
const { killWorker } = require('./lib/crowd');
const { run } = require('./lib/processes');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { storm, assertFatesAreCaused, assertOneFinalEach } = require('./lib/storm');
const { claims, decryptSecrets, isSigned } = require('./lib/tokens');
const { startUsherd, folder, nodeKit, HANDLERS, KITS, SECRET } = require('./lib/usherd');

const example = (...parts) => path.join(KITS, ...parts);
const PYTHON = `environment: { PYTHONPATH: "${example('python')}", PYTHONDONTWRITEBYTECODE: "1", CONCURRENCY: "@" }`;

const pythonWith = (concurrency, more = '') => PYTHON.replace('"@"', JSON.stringify(String(concurrency)) + more);

// QEWD's own worker, with a module for an application and a store in memory.
const qewdWorker = JSON.stringify([process.execPath, example('node', 'usher-qewd-worker.js')]);
const qewdWith = (application, module) => `qewd: true, directory: "${__dirname}", settings: ${JSON.stringify({
	moduleMap: { [application]: module }, onWorkerStartedPath: path.join(__dirname, '..', 'kits', 'qewd', 'store.js') })}`;

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

test('Node without a kit, by its own channel', async (t) => {
	const command = JSON.stringify([process.execPath, example('node', 'examples', 'bare.js')]);
	const node = await startUsherd(t, nodeOf('near', {
		'browser-app': `{ command: ${command}, environment: { NODE_CHANNEL_FD: "3" } }`
	}));
	const browser = await rawBrowser(t, node.port);
	const intermediates = [];
	const { message } = await browser.request({ type: 'steps' }, intermediates);

	assert.deepStrictEqual(intermediates.map((r) => r.message), [1, 2, 3].map((step) => ({ step, of: 3 })));
	assert.strictEqual(message.done, true);
	const login = await browser.request({ type: 'login', params: { username: 'rob', password: 'secret' } });
	assert.strictEqual(decryptSecrets(login.message.token, SECRET).username, 'rob');
	assert.doesNotMatch(node.log, / (warn|error) /);
});

// One browser of application test-app, asked like the clients of tests/kits/clients.mjs; what it sees has
// their form.  The session is read from the tokens it gets, as any node with the secret would.
function tableClient(browser, onlyUsers) {
	return async (type, params) => {
		const intermediates = [], { message } = await browser.request({ type, params }, intermediates);
		const { token, ...rest } = Array.isArray(message) ? {} : message;

		browser.token = token || browser.token;
		const secrets = decryptSecrets(browser.token, SECRET), { qewd, ...open } = claims(browser.token);
		return {
			sends: intermediates.map((reply) => [reply.type, reply.message]),
			final: Array.isArray(message) ? message : rest.code ? { error: rest.error } : rest,
			code: rest.code, session: onlyUsers({ ...secrets, ...open }), secret: Object.keys(secrets).sort()
		};
	};
}

// A program of the table, or the login example, in a language.
const tableSource = (name, kit, suffix) => name === 'login' ? example(kit, 'examples', 'login.' + suffix)
	: path.join(__dirname, '..', 'kits', 'table', name + '.' + suffix);

const tableApplications = {
	Python: (name) => `command: ${JSON.stringify(['python3', tableSource(name, 'python', 'py')])}, ${pythonWith(1)}`,
	Node: (name) => `command: ${JSON.stringify([process.execPath, example('node', 'usher-worker.js'), tableSource(name, 'node', 'js')])}`,
	'qewd: true': (name) => `command: ${qewdWorker}, ` + qewdWith('test-app', tableSource(name, 'node', 'js'))
};

for (const [kind, application] of Object.entries(tableApplications)) {
	test('a browser sees what the conformance table says, and has it in its token: ' + kind, async (t) => {
		const { expectations, programs } = await import('../kits/table.mjs');
		const { onlyUsers } = await import('../kits/clients.mjs');

		for (const [name, cases] of Object.entries(programs)) {
			const node = await startUsherd(t, nodeOf('near', { 'test-app': `{ ${application(name)}, pool: { size: 1 } }` }));
			const browser = await rawBrowser(t, node.port, 'test-app');
			const { socketId } = decryptSecrets(browser.token, SECRET);
			const ask = tableClient(browser, onlyUsers);

			for (const { asked, seen } of expectations(cases))
				assert.deepStrictEqual(await ask(...asked), { ...seen, session: { ...seen.session, socketId } }, name + JSON.stringify(asked));
		}
	});
}

// What is asked in a storm: so many of a hundred each.
const plan = (n) => [[40, 'steps', { gap: 3 }], [18, 'doubled'], [6, 'flood', { n }], [14, 'fail'], [6, 'nonesuch'],
	[7, 'crash'], [1, 'hang'], [1, 'block'], [2, 'leave'], [5, 'steps', { gap: 30 }]];

const usual = { pool: 'size: 4, max_messages: 50, deadline: 1500ms', rounds: 14, plan: plan(200), calm: 20 };
// A hanging request's place is free after the deadline; who blocks the loop misses a ping.
const several = { ...usual, pool: 'size: 2, max_messages: 50, concurrency: 8, deadline: 1500ms, hang: 1s', concurrency: 8, rounds: 9, calm: 10 };
const pythonStorm = JSON.stringify(['python3', path.join(HANDLERS, 'storm.py')]);

const storms = {
	'C': { ...usual, command: async (t) => {
		const out = folder(t), program = path.join(out, 'storm');
		const made = await run('make', ['-s', '-C', example('c'), 'OUT=' + out, path.join(out, 'libusher_handler.a')]);
		assert.strictEqual(made.code, 0, made.stderr);
		const cc = await run(process.env.CC || 'cc', ['-std=gnu11', '-D_GNU_SOURCE', '-I' + example('c'), '-o', program,
			path.join(HANDLERS, 'storm.c'), path.join(out, 'libusher_handler.a')]);
		assert.strictEqual(cc.code, 0, cc.stderr);
		return JSON.stringify([program]);
	} },
	// Each reply costs it some starts of jq, so it gets less to do.
	'shell': { pool: 'size: 3, max_messages: 5, deadline: 4s', rounds: 1, plan: plan(3), killEvery: 12, cancels: 0.3, flood: 60, calm: 2, maxMessages: 5,
		command: () => JSON.stringify(['bash', path.join(HANDLERS, 'storm.sh')]) },
	'Node, one at a time': { ...usual, command: () => nodeKit('storm.js') },
	'Node, eight at a time': { ...several, command: () => nodeKit('storm.js').replace('"]', '","--concurrency","8"]') },
	'Python, one at a time': { ...usual, command: () => pythonStorm, more: pythonWith(1) },
	'Python, eight threads': { ...several, command: () => pythonStorm, more: pythonWith(8) },
	'Python, eight coroutines': { ...several, command: () => pythonStorm, more: pythonWith(8, ', ASYNC: "1"') },
	'QEWD\'s own worker': { ...usual, rounds: 8, command: () => qewdWorker,
		more: qewdWith('remote-app', path.join(HANDLERS, 'storm.js')) }
};

for (const [what, { command, pool, more, ...options }] of Object.entries(storms)) {
	test('50 browsers and all that can go wrong with a handler, each request with its one final: ' + what, async (t) => {
		const worker = await startUsherd(t, workerOf(await command(t), pool, more), { args: ['-D', 'pool'] });
		const master = await startUsherd(t, masterOf(worker.url) + 'limits: { messages_per_second: 200, in_flight_per_session: 8 }\n');

		await master.linked();
		const result = await storm(t, master.port, { ...options, kill: () => killWorker(worker) });
		const { books } = result, told = JSON.stringify(books);

		assertOneFinalEach(result);
		assert.ok(books.failed.too_many > 0, told);
		assert.ok(books.own > 50 * options.rounds / 3, told);
		assert.ok(books.killed > 0, told);
		assertFatesAreCaused(result, { concurrency: options.concurrency || 1, maxMessages: options.maxMessages || 50, log: worker.log });
	});
}
