// SPDX-License-Identifier: ISC
// The clients people use, over every transport: socket.io-client 2.5 and 4.x and the stock
// browser client, by polling, by WebSocket, and as they do by default: polling, then an upgrade.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { socketClient, stockBrowser } = require('./lib/browser');
const { masterOf, workerOf } = require('./lib/configs');
const { cutter } = require('./lib/cutter');
const { startUsherd, nodeKit } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const GENERATIONS = [2, 4];
const TRANSPORTS = { polling: ['polling'], websocket: ['websocket'], 'the default': undefined };
const SESSIONS = 1000;
const AT_A_TIME = 50;	// of them connect

async function startBoth(t) {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const master = await startUsherd(t, masterOf(worker.url));

	await master.linked();
	return master;
}

const nameOf = (client) => client.socket.io.engine.transport.name;

const tagOf = (reply) => reply.message.tag;

for (const generation of GENERATIONS) {
	for (const [what, transports] of Object.entries(TRANSPORTS)) {
		test(`socket.io-client ${generation} over ${what}`, async (t) => {
			const master = await startBoth(t);
			const client = await socketClient(t, generation, master.url, { transports });

			await t.test('registers, logs in and is known', async () => {
				await client.register('browser-app');
				const login = await client.request({ type: 'login', params: { username: 'rob', password: 'secret' } });
				client.token = login.message.token;
				const whoami = await client.request({ type: 'whoami' });
				assert.deepStrictEqual([whoami.message.username, whoami.message.socketId], ['rob', client.socket.io.engine.id]);
			});

			await t.test('gets intermediates in order, and any letters', async () => {
				const intermediates = [];
				const final = await client.request({ type: 'steps', params: { tag: 'é鍵😀\u2028' } }, intermediates);
				assert.deepStrictEqual(intermediates.map((r) => [r.message.step, tagOf(r)]),
				    [1, 2, 3].map((n) => [n, 'é鍵😀\u2028']));
				assert.strictEqual(final.message.done, true);
			});

			await t.test('gets acknowledgements', async () => {
				const acked = new Promise((resolve) => client.socket.emit('ewdjs',
				    { type: 'echo', token: client.token, params: { tag: 'ack' } }, resolve));
				const reply = await client.next('the event');
				assert.deepStrictEqual(await within('the acknowledgement', acked), reply);
			});

			await t.test('gets a large reply', async () => {
				const reply = await client.request({ type: 'big', params: { size: 900000 } });
				assert.strictEqual(reply.message.data.length, 900000);
			});

			await t.test('is where it wants to be', async () => {
				const name = (transports || ['websocket'])[0];
				await waitFor('transport ' + name, () => nameOf(client) === name);
				assert.strictEqual(tagOf(await client.request({ type: 'echo', params: { tag: 'still' } })), 'still');
			});

			await t.test('leaves', async () => {
				client.close();
				await within('the next one', socketClient(t, generation, master.url, { transports }));
			});
		});

		test(`socket.io-client ${generation} over ${what} is kept by heart-beats, and comes back if it is cut off`, async (t) => {
			const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')) +
			    'socketio: { ping_interval: 100ms, ping_timeout: 2s }\n');
			const line = await cutter(t, worker.port);
			const client = await socketClient(t, generation, line.url.replace('ws:', 'http:'),
			    { transports, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 });
			let beats = 0;

			client.socket.on('disconnect', () => { client.inbox.end = null; });	// it comes back: more will come
			client.socket.io.on(generation === 2 ? 'pong' : 'ping', () => beats++);
			if (generation === 2)
				client.socket.on('pong', () => beats++);
			await waitFor('six heart-beats', () => beats >= 6);
			assert.ok(client.socket.connected);
			await client.register('remote-app');

			for (let i = 0; i < 3; i++) {
				const { id } = client.socket.io.engine;
				const again = new Promise((resolve) => client.socket.once('connect', resolve));
				client.emit({ type: 'steps', token: client.token, params: { tag: 'cut', gap: 20 } });
				await client.next('the first step');
				await waitFor('the loss', () => {	// a client that polls may be between two requests
					line.cut();
					return !client.socket.connected;
				});
				await within('the client to come back', again);
				assert.notStrictEqual(client.socket.io.engine.id, id);
				client.inbox.items.length = 0;
				for (let n = 0; n < 3; n++) {
					let reply;
					client.emit({ type: 'echo', token: client.token, params: { tag: i + '/' + n } });
					do
						reply = await client.next('the echo');
					while (reply.type !== 'echo');
					assert.strictEqual(tagOf(reply), i + '/' + n);
				}
			}
		});
	}

	test(`messages of socket.io-client ${generation} while it upgrades are neither lost, doubled nor reordered`, async (t) => {
		const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js'), 'size: 1') +
		    'limits: { messages_per_second: off, in_flight_per_session: 1000 }\n');

		for (let round = 0; round < 10; round++) {
			const client = await socketClient(t, generation, worker.url, { transports: undefined });
			const seen = [];
			let sent = 0;

			await client.register('remote-app');
			while (sent < 200 && !(nameOf(client) === 'websocket' && sent >= 40)) {
				client.emit({ type: 'echo', token: client.token, params: { tag: sent++ } });
				await new Promise((resolve) => setTimeout(resolve, Math.random() * 2));
			}
			while (seen.length < sent)
				seen.push(tagOf(await client.next('reply ' + seen.length)));
			assert.deepStrictEqual(seen, Array.from({ length: sent }, (_, i) => i));
			assert.strictEqual(tagOf(await client.request({ type: 'echo', params: { tag: 'last' } })), 'last');
			await waitFor('the upgrade', () => nameOf(client) === 'websocket');
			client.close();
		}
	});

	test(`the stock browser client with the ordinary io.connect() of socket.io-client ${generation}`, async (t) => {
		const master = await startBoth(t);
		const browser = await stockBrowser(t, master.url, 'browser-app', generation, { isOrdinary: true });
		const [reply] = await browser.request({ type: 'echo', params: { tag: 'x' } });

		assert.strictEqual(tagOf(reply), 'x');
		const replies = await browser.request({ type: 'steps', params: { tag: 'y' } });
		assert.deepStrictEqual(replies.map((r) => r.message.step || r.message.done), [1, 2, 3, true]);
		await waitFor('the upgrade', () => nameOf(browser) === 'websocket');
		const [after] = await browser.request({ type: 'echo', params: { tag: 'z' } });
		assert.strictEqual(tagOf(after), 'z');
	});
}

test(SESSIONS + ' sessions at once, of both clients and all transports', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const kinds = GENERATIONS.flatMap((generation) => Object.values(TRANSPORTS).map((transports) => ({ generation, transports })));
	const clients = [];

	for (let i = 0; i < SESSIONS; i += AT_A_TIME) {
		await Promise.all(Array.from({ length: AT_A_TIME }, async (_, k) => {
			const { generation, transports } = kinds[(i + k) % kinds.length];
			const client = await socketClient(t, generation, worker.url, { transports });
			await client.register('remote-app');
			clients.push(client);
		}));
	}
	assert.strictEqual(new Set(clients.map((client) => client.socket.io.engine.id)).size, SESSIONS);
	await Promise.all(clients.map(async (client, i) =>
		assert.strictEqual(tagOf(await client.request({ type: 'echo', params: { tag: i } })), i)));
	assert.ok(clients.every((client) => client.socket.connected));
});
