// SPDX-License-Identifier: ISC
// The stock clients, unmodified: qewd-client over a socket, over Ajax and with fetch; ewd-client over
// Ajax (its sockets are all over the other tests).
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { pathToFileURL } = require('node:url');
const io = require('socket.io-client');
const { atEnd } = require('./lib/cleanup');
const { stockBrowser } = require('./lib/browser');
const { masterOf, workerOf } = require('./lib/configs');
const { claims } = require('./lib/tokens');
const { folder, startUsherd, nodeKit } = require('./lib/usherd');
const { within } = require('./lib/wait');

const SOURCE = fs.readFileSync(require.resolve('qewd-client'), 'utf8');
let lastPage = 0;

// It is one object a page and an ES module by its content alone: each page has a copy.
async function loadClient(t) {
	const file = path.join(folder(t), `page-${++lastPage}.mjs`);

	fs.writeFileSync(file, SOURCE);
	return (await import(pathToFileURL(file))).QEWD;
}

async function page(t, url, options = {}) {
	const client = await loadClient(t);
	const registered = within('the registration', new Promise((resolve) => client.on('ewd-registered', resolve)));

	client.start({ application: 'browser-app', url, jwt: true, jwt_decode: claims, ...options });
	await registered;
	if (client.disconnectSocket)
		atEnd(t, () => client.disconnectSocket());
	return client;
}

// As much of jQuery as the client asks for.
const jQuery = {
	ajax({ url, type, contentType, data }) {
		const answer = fetch(url, { method: type.toUpperCase(), headers: { 'Content-Type': contentType }, body: data })
		    .then(async (response) => ({ isGood: response.ok, body: await response.json() }));
		const promise = {
			done: (hear) => { answer.then(({ isGood, body }) => isGood && hear(body)); return promise; },
			fail: (hear) => { answer.then(({ isGood, body }) => isGood || hear({ responseJSON: body })); return promise; }
		};
		return promise;
	}
};

const ask = (client, message) => within('the reply to ' + message.type, client.reply(message));

const socket = (url, options) => io(url, { forceNew: true, ...options });

// What start() is given, and what each message says.
const TRANSPORTS = {
	'a socket': [{ io: socket }, {}],
	'Ajax, message by message': [{ io: socket, $: jQuery }, { ajax: true }],
	'fetch': [{ io: socket, use_fetch: true }, {}]
};

global.document = { cookie: '' };	// which it looks into

test('stock clients through a master and a worker node', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const master = await startUsherd(t, masterOf(worker.url));
	const log = console.log;

	await master.linked();
	console.log = () => {};		// it prints what it does
	atEnd(t, () => { console.log = log; });
	for (const [name, [options, more]] of Object.entries(TRANSPORTS)) {
		await t.test('over ' + name, async (t) => {
			const client = await page(t, master.url, options);
			const before = await ask(client, { type: 'whoami', ...more });
			const login = await ask(client, { type: 'login', params: { username: 'rob', password: 'secret' }, ...more });
			const after = await ask(client, { type: 'whoami', ...more });
			assert.strictEqual(before.message.authenticated, false);
			assert.strictEqual(login.message.ok, true);
			assert.deepStrictEqual([after.message.authenticated, after.message.username], [true, 'rob']);
			assert.strictEqual(client.jwt.application, 'browser-app');

			const failed = within('the error', new Promise((resolve) => client.on('error', resolve)));
			client.send({ type: 'fail', params: { tag: 'f' }, ...more }, () => {});
			assert.strictEqual((await failed).message.error, 'Told to fail');
		});
	}

	await t.test('ewd-client, over Ajax, message by message', async (t) => {
		const client = await stockBrowser(t, master.url, 'browser-app', 2, { $: jQuery });
		const [login] = await client.request({ type: 'login', params: { username: 'rob', password: 'secret' }, ajax: true });
		const [after] = await client.request({ type: 'whoami', ajax: true });
		const steps = await client.request({ type: 'steps', params: { tag: 's' }, ajax: true });

		assert.strictEqual(login.message.ok, true);
		assert.strictEqual(after.message.username, 'rob');
		assert.deepStrictEqual(steps.map((reply) => reply.message.done), [true], 'the final alone');
	});

	await t.test('intermediates come before their final', async (t) => {
		const client = await page(t, master.url, { io: socket });
		const steps = [];

		await within('the final', new Promise((resolve) => client.send({ type: 'steps', params: { tag: 's' } }, (reply) => {
			steps.push(reply.message.step || 'done');
			if (reply.finished)
				resolve();
		})));
		assert.deepStrictEqual(steps, [1, 2, 3, 'done']);
	});
});
