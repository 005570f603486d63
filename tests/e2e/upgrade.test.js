// SPDX-License-Identifier: ISC
// A session that polls changes to a WebSocket: the rules of the probe, and messages of both
// sides during it, none of which may be lost, doubled or come out of order.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { workerOf } = require('./lib/configs');
const { Poller, encode, event, messageOf } = require('./lib/polling');
const { frame, rawClient, tcp, upgradeRequest } = require('./lib/raw');
const { startUsherd, nodeKit } = require('./lib/usherd');
const { pause, waitFor, within } = require('./lib/wait');

const app = workerOf(nodeKit('remote-app.js'), 'size: 1') +
    'limits: { messages_per_second: off, in_flight_per_session: 1000 }\n';
const REGISTER = event({ type: 'ewd-register', application: 'remote-app', jwt: true });

const ROUNDS = 30;	// of random interleavings
const MESSAGES = 24;	// in each

async function assertServed(socket) {
	socket.send(REGISTER);
	assert.strictEqual(messageOf(await socket.next('the registration')).type, 'ewd-register');
}

async function assertPolls(poller) {
	await poller.post(REGISTER);
	for (;;) {
		const packet = (await poller.poll()).find((p) => p !== '6');
		if (packet) {
			assert.strictEqual(messageOf(packet).type, 'ewd-register');
			return;
		}
	}
}

for (const eio of [3, 4]) {
	const connect = (port) => new Poller(port, eio).connect();
	const NOOP = encode(eio, ['6']);

	test('the rules of an upgrade, EIO=' + eio, async (t) => {
		const { port } = await startUsherd(t, app);

		await t.test('a probe and an upgrade', async (t) => {
			const poller = await connect(port);
			await assertServed(await poller.upgrade(t));
			const { status, body } = await poller.get();
			assert.deepStrictEqual([status, JSON.parse(body).code], [400, 3]);
			assert.strictEqual((await poller.postRaw(encode(eio, ['6']))).status, 400);
		});

		await t.test('a poll that waits is ended by the probe, and so are those behind it', async (t) => {
			const poller = await connect(port);
			const held = await poller.hold();
			const socket = await poller.socket(t);
			socket.send('2probe');
			assert.strictEqual(await socket.inbox.next(), '3probe');

			assert.strictEqual((await held.answer).body, NOOP);
			assert.strictEqual((await poller.get()).body, NOOP);
			assert.strictEqual((await poller.get()).body, NOOP);
			socket.send('5');
			await assertServed(socket);
		});

		await t.test('until the upgrade packets go by poll and post', async (t) => {
			const poller = await connect(port);
			const socket = await poller.socket(t);
			await assertPolls(poller);
			socket.send('2probe');
			assert.strictEqual(await socket.inbox.next(), '3probe');
			await assertPolls(poller);
			socket.send('5');
			await assertServed(socket);
			assert.strictEqual(socket.inbox.items.length, 0);
		});

		await t.test('what no poll has fetched goes over the WebSocket', async (t) => {
			const poller = await connect(port);
			await poller.post(REGISTER, REGISTER);
			const socket = await poller.upgrade(t);
			for (let i = 0; i < 2; i++)
				assert.strictEqual(messageOf(await socket.next()).type, 'ewd-register');
			await assertServed(socket);
		});

		await t.test('a poll that is still open at the upgrade is ended', async (t) => {
			const poller = await connect(port);
			const socket = await poller.socket(t);
			const held = await poller.hold();
			await poller.post('6');
			socket.send('5');

			assert.strictEqual((await held.answer).body, NOOP);
			await assertServed(socket);
		});

		await t.test('probe, upgrade and messages may come at once, behind the request itself', async (t) => {
			const poller = await connect(port);
			const connection = await tcp(t, port);
			connection.send(Buffer.concat([Buffer.from(upgradeRequest(port, {},
			    `/socket.io/?EIO=${eio}&transport=websocket&sid=${poller.sid}`)),
				frame(0x81, '2probe'), frame(0x81, '5'), frame(0x81, REGISTER), frame(0x81, REGISTER)]));

			await waitFor('both answers', () => String(connection.received).split('ewd-register').length === 3);
			const text = String(connection.received);
			assert.match(text, /^HTTP\/1.1 101 /);
			assert.strictEqual(text.split('3probe').length, 2);
		});

		for (const packet of ['6', '2', '2abc', REGISTER, '1', 'abc', '']) {
			await t.test('the first packet ' + JSON.stringify(packet.slice(0, 10)) + ' costs the WebSocket alone', async (t) => {
				const poller = await connect(port);
				const socket = await poller.socket(t);
				socket.send(packet);
				await socket.whenClosed();
				await assertPolls(poller);
				await assertServed(await poller.upgrade(t));
			});
		}

		await t.test('a WebSocket that is lost while it probes costs nothing', async (t) => {
			const poller = await connect(port);
			for (let i = 0; i < 3; i++) {
				const socket = await poller.socket(t);
				socket.send('2probe');
				assert.strictEqual(await socket.inbox.next(), '3probe');
				socket.close();
				await assertPolls(poller);
			}
			await waitFor('a WebSocket to be let in', async () => {
				const socket = await poller.socket(t);
				socket.send('2probe');
				return socket.inbox.next().then((p) => p === '3probe', () => false);
			});
		});

		await t.test('a second WebSocket is closed, the first is kept', async (t) => {
			const poller = await connect(port);
			const first = await poller.socket(t);
			const second = await poller.socket(t);
			await second.whenClosed();
			first.send('2probe');
			assert.strictEqual(await first.inbox.next(), '3probe');
			first.send('5');
			await assertServed(first);
			const third = await poller.socket(t);
			await third.whenClosed();
			await assertServed(first);
		});

		await t.test('a session born as a WebSocket takes no other', async (t) => {
			const client = await rawClient(t, port, { eio });
			const poller = new Poller(port, eio);
			poller.sid = client.sid;
			await (await poller.socket(t)).whenClosed();
			await client.register('remote-app');
		});

		await t.test('an upgrade while a post is on its way costs the WebSocket alone', async (t) => {
			const poller = await connect(port);
			const socket = await poller.socket(t);
			const connection = await tcp(t, port);
			const body = encode(eio, [REGISTER]);
			socket.send('2probe');
			assert.strictEqual(await socket.inbox.next(), '3probe');
			connection.send(`POST /socket.io/${poller.query()} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
			await poller.get();	// the noop of the probe: the post's head was first
			socket.send('5');
			await socket.whenClosed();
			connection.send(body);
			const [packet] = await poller.poll();
			assert.strictEqual(messageOf(packet).type, 'ewd-register');
		});

		await t.test('a session that ends while a WebSocket probes takes it along', async (t) => {
			const poller = await connect(port);
			const socket = await poller.socket(t);
			socket.send('2probe');
			assert.strictEqual(await socket.inbox.next(), '3probe');
			await poller.post('1');
			await socket.whenClosed();
			await poller.assertUnknown();
		});

		await t.test('there is nothing to upgrade when a session has ended', async (t) => {
			const poller = await connect(port);
			await poller.post('42{}');	// it waits to tell the next poll
			await assert.rejects(poller.socket(t), /Unexpected server response: 400/);
		});
	});

	test('an upgrade of EIO=' + eio + ' has a time', async (t) => {
		const { port } = await startUsherd(t, app + 'socketio: { upgrade_timeout: 200ms }\n');
		const poller = await connect(port);
		const silent = await poller.socket(t);
		await silent.whenClosed();
		const probed = await poller.socket(t);
		probed.send('2probe');
		await probed.whenClosed();
		assert.strictEqual(await probed.inbox.next(), '3probe');
		await assertPolls(poller);

		const upgraded = await poller.upgrade(t);
		await assertServed(upgraded);
		await pause(300);	// nothing is to happen
		await assertServed(upgraded);
	});

	test('the heart-beat of EIO=' + eio + ' goes on over the WebSocket', async (t) => {
		const { port } = await startUsherd(t, app + 'socketio: { ping_interval: 100ms, ping_timeout: 400ms }\n');
		const poller = await connect(port);
		const socket = await poller.upgrade(t);
		for (let beats = 0; beats < 6; beats++) {
			if (eio === 3)
				socket.send('2');
			assert.strictEqual(await socket.inbox.next('a beat'), eio === 3 ? '3' : '2');
			if (eio === 4)
				socket.send('3');
		}
		await socket.whenClosed();
	});

	// Messages are sent at any moment of an upgrade, by whatever carries them then; the replies
	// come by whatever carries those.  The one worker answers in the order in which it was asked.
	test('messages during an upgrade of EIO=' + eio, async (t) => {
		const { port } = await startUsherd(t, app);
		const some = (ms) => pause(Math.random() * ms);
		const counts = { polled: 0, socket: 0 };

		const round = async () => {
			const poller = await connect(port);
			const seen = [];
			const take = (packet, by) => {
				if (/^42/.test(packet)) {
					seen.push(messageOf(packet).message.tag);
					counts[by]++;
				} else {
					assert.match(packet, /^[236]$/, packet);
				}
			};
			let pausing = false, sent = 0, socket = null;

			await poller.post(REGISTER);
			const { token } = messageOf((await poller.poll())[0]).message;
			const next = () => event({ type: 'echo', token, params: { tag: sent++ } });
			const polls = (async () => {
				while (!pausing)
					(await poller.poll()).forEach((packet) => take(packet, 'polled'));
			})();
			const upgraded = (async () => {
				await some(20);
				const probe = await poller.socket(t);
				probe.send('2probe');
				assert.strictEqual(await probe.inbox.next('the answer to the probe'), '3probe');
				return probe;
			})();
			const limit = Math.floor(Math.random() * MESSAGES);

			upgraded.then(() => { pausing = true; }, () => {});
			while (!pausing && sent < limit) {
				await poller.post(...Array.from({ length: 1 + Math.floor(Math.random() * 3) }, next));
				await some(4);
			}
			const probe = await within('the probe', upgraded);
			await within('the polls to end', polls);
			probe.send('5');
			socket = probe;
			while (sent < MESSAGES) {
				socket.send(next());
				if (Math.random() < 0.3)
					await some(2);
			}
			while (seen.length < sent)
				take(await socket.next('reply ' + seen.length), 'socket');
			await assertServed(socket);
			assert.strictEqual(socket.inbox.items.filter((p) => /^42/.test(p)).length, 0);
			assert.deepStrictEqual(seen, Array.from({ length: sent }, (_, i) => i));
			socket.close();
		};

		for (let i = 0; i < ROUNDS; i += 3)
			await Promise.all([round(), round(), round()]);
		assert.ok(counts.polled > 0 && counts.socket > 0, JSON.stringify(counts));
	});
}
