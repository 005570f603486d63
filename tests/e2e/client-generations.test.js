// SPDX-License-Identifier: ISC
// Socket.IO over WebSocket for clients of both generations, on one port: socket.io-client 2.5
// (EIO=3) and 4.x (EIO=4), and what goes over the wire.
'use strict';
const assert = require('node:assert');
const http = require('node:http');
const test = require('node:test');
const { once } = require('node:events');
const { socketClient, stockBrowser } = require('./lib/browser');
const { masterOf, workerOf, scripted } = require('./lib/configs');
const { rawClient, rawBrowser, RawSocket, address } = require('./lib/raw');
const { atEnd } = require('./lib/cleanup');
const { startUsherd, nodeKit } = require('./lib/usherd');
const { within, waitFor } = require('./lib/wait');

const CLIENTS = { 3: 2, 4: 4 };		// which socket.io-client speaks which Engine.IO

async function startBoth(t) {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const master = await startUsherd(t, masterOf(worker.url));

	await master.linked();
	return master;
}

for (const [eio, generation] of Object.entries(CLIENTS)) {
	test('socket.io-client ' + generation + ' through a master and a worker node', async (t) => {
		const master = await startBoth(t);
		const client = await socketClient(t, generation, master.url);

		await t.test('registers, logs in and is known', async () => {
			const reply = await client.register('browser-app');
			assert.deepStrictEqual(Object.keys(reply.message), ['token']);
			const login = await client.request({ type: 'login', params: { username: 'rob', password: 'secret' } });
			assert.strictEqual(login.message.ok, true);
			client.token = login.message.token;
			const whoami = await client.request({ type: 'whoami' });
			assert.strictEqual(whoami.message.username, 'rob');
		});

		await t.test('gets intermediates in order', async () => {
			const intermediates = [];
			const final = await client.request({ type: 'steps', params: { tag: 1 } }, intermediates);

			assert.deepStrictEqual(intermediates.map((r) => r.message.step), [1, 2, 3]);
			assert.strictEqual(final.message.done, true);
		});

		await t.test('gets the final as acknowledgement too, if it asks for one', async () => {
			const acked = new Promise((resolve) => client.socket.emit('ewdjs',
			    { type: 'echo', token: client.token, params: { tag: 'ack' } }, resolve));
			const reply = await client.next('the event');

			assert.strictEqual(reply.message.tag, 'ack');
			assert.deepStrictEqual(await within('the acknowledgement', acked), reply);
		});

		await t.test('gets errors as acknowledgement as well', async () => {
			const acked = new Promise((resolve) => client.socket.emit('ewdjs', { type: 'echo' }, resolve));
			const reply = await client.next('the event');

			assert.strictEqual(reply.message.code, 'no_token');
			assert.deepStrictEqual(await within('the acknowledgement', acked), reply);
		});

		await t.test('is refused another namespace and keeps its own', async () => {
			const other = client.socket.io.socket('/chat');
			const name = generation === 2 ? 'error' : 'connect_error';
			const refused = once(other, name).catch((e) => [e]);	// once() rejects on "error"
			other.connect();
			const [why] = await within('the refusal', refused);

			assert.strictEqual(why.message || why, 'Invalid namespace');
			const reply = await client.request({ type: 'echo', params: { tag: 'still' } });
			assert.strictEqual(reply.message.tag, 'still');
			other.close();
		});
	});

	test('the stock browser client over socket.io-client ' + generation, async (t) => {
		const master = await startBoth(t);
		const browser = await stockBrowser(t, master.url, 'browser-app', generation);
		const [reply] = await browser.request({ type: 'echo', params: { tag: 'x' } });

		assert.strictEqual(reply.message.tag, 'x');
	});

	test('frames of EIO=' + eio, async (t) => {
		const node = await startUsherd(t, workerOf(scripted) +
		    'socketio: { ping_interval: 25s, ping_timeout: 20s }\n');
		const connect = (t) => rawClient(t, node.port, { eio: Number(eio) });

		await t.test('the open packet says what the server is like', async (t) => {
			const { hello } = await connect(t);

			assert.match(hello.sid, /^[A-Za-z0-9_-]{20}$/);
			assert.deepStrictEqual([hello.upgrades, hello.pingInterval, hello.pingTimeout], [[], 25000, 20000]);
			if (eio === '4')
				assert.deepStrictEqual(hello.maxPayload, 1000000);
		});

		await t.test('an unknown namespace is refused with the words of Socket.IO', async (t) => {
			const client = await connect(t);
			client.send('40/chat,');

			assert.strictEqual(await client.next('the refusal'),
			    eio === '3' ? '44/chat,"Invalid namespace"' : '44/chat,{"message":"Invalid namespace"}');
			client.send('40' + '/'.repeat(100000) + ',');
			assert.match(await client.next('the refusal'), /^44\/+,/);
			await client.register('remote-app');
		});

		await t.test('an acknowledgement repeats the id', async (t) => {
			const client = await connect(t);
			client.send('4217["ewdjs",{"type":"ewd-register","application":"a"}]');
			const event = await client.next('the event');
			const ack = await client.next('the acknowledgement');

			assert.strictEqual(ack, '4317[' + event.slice('42["ewdjs",'.length));
		});

		await t.test('other events and arguments that are no message are not answered', async (t) => {
			const client = await connect(t);
			for (const packet of ['42["other",{"type":"ewd-register"}]', '42["ewdjs"]', '42["ewdjs",null]',
				'42["ewdjs",1]', '42["ewdjs","x"]', '42["ewdjs",[]]', '42["ewdjs",{}]',
				'42["ewdjs",{"type":""}]', '42["ewdjs",{"type":1}]', '42["ewdjs",{"type":{}}]', '43["x"]', '437[]'])
				client.send(packet);

			await client.register('remote-app');	// the next thing that comes is this one's answer
		});

		await t.test('binary events are refused', async (t) => {
			const client = await connect(t);
			client.send('451-["ewdjs",{"_placeholder":true,"num":0}]');

			assert.strictEqual(await client.whenClosed(), 1003);
		});

		await t.test('binary messages are refused', async (t) => {
			const client = await connect(t);
			client.ws.send(Buffer.from([4, 1, 2, 3]));

			assert.strictEqual(await client.whenClosed(), 1003);
		});

		await t.test('a client that leaves is let go', async (t) => {
			const client = await connect(t);
			client.send('41');
			client.ws.close();

			assert.ok([1000, 1005].includes(await client.whenClosed()));
		});

		await t.test('an Engine.IO close packet ends the connection', async (t) => {
			const client = await connect(t);
			client.send('1');

			await client.whenClosed();
		});

		await t.test('a ping frame of the WebSocket is answered', async (t) => {
			const client = await connect(t);
			const pong = once(client.ws, 'pong');
			client.ws.ping('hello');

			assert.strictEqual(String((await within('the pong', pong))[0]), 'hello');
		});

		for (const packet of ['', 'abc', '9', '4', '4abc', '49', '42', '42{}', '42[]', '42[null]', '42["ewdjs",',
			'42["ewdjs",{"type":"a"}]x', '42abc["ewdjs"]', '4299999999999999999999["ewdjs"]',
			'450-["x"]', '45-["x"]', '45999-["x"]']) {
			await t.test('malformed: ' + (packet.slice(0, 40) || 'nothing'), async (t) => {
				const client = await connect(t);
				client.send(packet);

				await client.whenClosed();
			});
		}
	});

	test('heart-beats of EIO=' + eio, async (t) => {
		const node = await startUsherd(t, workerOf(scripted) +
		    'socketio: { ping_interval: 100ms, ping_timeout: 400ms }\n');

		await t.test('keep a real client connected', async (t) => {
			const client = await socketClient(t, generation, node.url);
			let beats = 0;
			// The old client is told of its pongs, the new one of the server's pings.
			client.socket.io.on(generation === 2 ? 'pong' : 'ping', () => beats++);
			if (generation === 2)
				client.socket.on('pong', () => beats++);

			await waitFor('eight heart-beats', () => beats >= 8);
			assert.ok(client.socket.connected);
		});

		await t.test('go in the right direction', async (t) => {
			const client = new RawSocket(address(node.port, eio));
			atEnd(t, () => client.close());
			await client.open();
			await client.next('the open packet');
			if (eio === '3') {
				client.send('2');
				assert.strictEqual(await client.next(), '40');
				assert.strictEqual(await client.inbox.next('the pong'), '3');
			} else {
				client.send('40');
				assert.match(await client.inbox.next('the connect packet'), /^40/);
				assert.strictEqual(await client.inbox.next('the ping'), '2');
			}
		});

		await t.test('are missed when a client is silent', async (t) => {
			const client = new RawSocket(address(node.port, eio));
			atEnd(t, () => client.close());
			await client.open();

			await client.whenClosed();
		});
	});
}

test('EIO=4 connects only when asked', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + 'socketio: { connect_timeout: 300ms }\n');
	const open = async (t) => {
		const client = new RawSocket(address(node.port, 4));
		atEnd(t, () => client.close());
		await client.open();
		assert.match(await client.next('the open packet'), /^0/);
		return client;
	};

	await t.test('an event before that ends the session', async (t) => {
		const client = await open(t);
		client.send('42["ewdjs",{"type":"ewd-register","application":"a"}]');

		await client.whenClosed();
	});

	await t.test('so does asking twice', async (t) => {
		const client = await rawClient(t, node.port, { eio: 4 });
		client.send('40');

		await client.whenClosed();
	});

	await t.test('so does not asking in time', async (t) => {
		await (await open(t)).whenClosed();
	});

	await t.test('so does a ping, which is the server\'s to send', async (t) => {
		const client = await rawClient(t, node.port, { eio: 4 });
		client.send('2');

		await client.whenClosed();
	});

	await t.test('an auth object is allowed', async (t) => {
		const client = await open(t);
		client.send('40{"token":"x"}');

		assert.match(await client.next('the connect packet'), /^40\{"sid":"[A-Za-z0-9_-]+"\}$/);
	});
});

test('requests that are no WebSocket of a known revision', async (t) => {
	const node = await startUsherd(t, workerOf(scripted));
	const get = (path) => within('the answer', new Promise((resolve, reject) => {
		http.get({ port: node.port, host: '127.0.0.1', path, agent: false }, (response) => {
			let body = '';
			response.on('data', (s) => { body += s; });
			response.on('end', () => resolve({ status: response.statusCode, body }));
		}).on('error', reject);
	}));
	const refused = async (path) => {
		const socket = new RawSocket('ws://127.0.0.1:' + node.port + path);
		await assert.rejects(socket.open(), /Unexpected server response: 4\d\d/);
	};

	for (const query of ['EIO=2&transport=websocket', 'transport=websocket', 'EIO=5&transport=websocket',
		'EIO=3&transport=constructor', 'EIO=3', 'EIO=3&transport=websocket&sid=__proto__', 'EIO=3&transport=websocket&sid=abc'])
		await t.test(query, () => refused('/socket.io/?' + query));

	await t.test('another path', () => refused('/elsewhere/?EIO=3&transport=websocket'));

	await t.test('an empty sid counts as absent', async (t) => {
		const client = new RawSocket(address(node.port, 3) + '&sid=');
		atEnd(t, () => client.close());
		await client.open();
	});

	await t.test('unknown parameters and their order do not matter', async (t) => {
		const client = new RawSocket(`ws://127.0.0.1:${node.port}/socket.io/?x=%20&transport=websocket&t=a.b-_&EIO=%33`);
		atEnd(t, () => client.close());
		await client.open();
	});

	await t.test('no upgrade', async () => {
		const { status, body } = await get('/socket.io/?EIO=3&transport=websocket');

		assert.strictEqual(status, 400);
		assert.deepStrictEqual(JSON.parse(body), { code: 3, message: 'Bad request' });
	});

	await t.test('an unknown transport', async () => {
		const { status, body } = await get('/socket.io/?EIO=4&transport=pigeon');

		assert.strictEqual(status, 400);
		assert.deepStrictEqual(JSON.parse(body), { code: 0, message: 'Transport unknown' });
	});

	await t.test('an unknown revision', async () => {
		const { status } = await get('/socket.io/?EIO=9&transport=websocket');

		assert.strictEqual(status, 400);
	});
});

test('a page that comes back registers again with its token', async (t) => {
	const node = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const first = await rawBrowser(t, node.port, 'remote-app');
	const login = await first.request({ type: 'login', params: { username: 'rob', password: 'secret' } });
	first.close();

	// The stock client says no "jwt" here, which a stock master does not bear.
	const second = await rawClient(t, node.port);
	second.emit({ type: 'ewd-reregister', token: login.message.token });
	const reply = await second.nextReply('the registration');
	assert.deepStrictEqual([reply.type, reply.finished, reply.message.ok], ['ewd-reregister', true, true]);
	second.token = reply.message.token;
	const whoami = await second.request({ type: 'whoami' });
	assert.deepStrictEqual([whoami.message.username, whoami.message.socketId], ['rob', second.sid]);
});

test('registering without jwt gives a token as well', async (t) => {
	const node = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const client = await rawClient(t, node.port);
	await client.register('remote-app', { jwt: undefined });
	const reply = await client.request({ type: 'echo', params: { tag: 'opaque' } });

	assert.strictEqual(reply.message.tag, 'opaque');
});

test('a token is good on any socket, registered or not', async (t) => {
	const node = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const registered = await rawBrowser(t, node.port, 'remote-app');
	const other = await rawClient(t, node.port);
	other.token = registered.token;
	const reply = await other.request({ type: 'whoami' });

	assert.strictEqual(reply.message.socketId, registered.sid);
});
