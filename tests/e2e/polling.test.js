// SPDX-License-Identifier: ISC
// Socket.IO over HTTP long-polling, request by request, in both revisions (EIO=3 and EIO=4).
'use strict';
const assert = require('node:assert');
const http = require('node:http');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { masterOf, workerOf, scripted } = require('./lib/configs');
const { Poller, request, encode, decode, event, messageOf, okay } = require('./lib/polling');
const { RawSocket, address, rawClient, tcp } = require('./lib/raw');
const { startUsherd, nodeKit } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const app = workerOf(nodeKit('remote-app.js'), 'size: 1');
const REGISTER = event({ type: 'ewd-register', application: 'remote-app', jwt: true });

// Registers by hand: one post, and polls until the answer is there.
async function register(poller, application = 'remote-app') {
	const held = poller.poll();
	await poller.post(event({ type: 'ewd-register', application, jwt: true }));
	const [packet] = await held;
	const reply = messageOf(packet);

	assert.deepStrictEqual([reply.type, reply.message.error], ['ewd-register', undefined]);
	poller.token = reply.message.token;
	return poller;
}

// A request by post and its reply by poll.
async function echo(poller, tag) {
	await poller.post(event({ type: 'echo', token: poller.token, params: { tag } }));
	const [packet] = await poller.poll();
	assert.strictEqual(messageOf(packet).message.tag, tag);
}

const CODES = {
	0: 'Transport unknown', 1: 'Session ID unknown', 2: 'Bad handshake method', 3: 'Bad request',
	4: 'Forbidden', 5: 'Unsupported protocol version'
};

// The answer of the reference to a bad request.
function assertRefused(answer, code, status = 400) {
	assert.deepStrictEqual([answer.status, JSON.parse(answer.body)], [status, { code, message: CODES[code] }]);
	assert.match(answer.headers['content-type'], /^application\/json/);
}

for (const eio of [3, 4]) {
	const connect = (port, options) => new Poller(port, eio, options).connect();
	const CLOSE = encode(eio, ['1']), NOOP = encode(eio, ['6']), GOODBYE = encode(eio, ['6', '1']);

	test('EIO=' + eio + ' over polling', async (t) => {
		const node = await startUsherd(t, app);
		const { port } = node;

		await t.test('the first answer is the open packet', async () => {
			const poller = await new Poller(port, eio).open();
			const { headers } = poller.first;
			const cookie = `io=${poller.sid}; Path=/; HttpOnly; SameSite=Strict`;

			assert.match(poller.sid, /^[A-Za-z0-9_-]{20}$/);
			assert.deepStrictEqual(poller.hello, Object.assign({ sid: poller.sid, upgrades: ['websocket'],
				pingInterval: 25000, pingTimeout: 20000 }, eio === 4 && { maxPayload: 1000000 }));
			assert.match(headers['content-type'], /^text\/plain; charset=utf-8$/i);
			assert.strictEqual(headers['cache-control'], 'no-store');
			assert.deepStrictEqual(headers['set-cookie'], eio === 3 ? [cookie] : undefined);
		});

		await t.test('a post brings packets, a poll takes them', async () => {
			const poller = await connect(port);
			const held = await poller.hold();
			const posted = await poller.post(REGISTER);
			const polled = await held.answer;

			assert.match(posted.headers['content-type'], /^text\/html/);
			assert.match(polled.headers['content-type'], /^text\/plain; charset=utf-8$/i);
			for (const { headers } of [posted, polled])
				assert.strictEqual((headers['set-cookie'] || []).length, eio === 3 ? 1 : 0);
			assert.strictEqual(messageOf(decode(eio, polled.body)[0]).type, 'ewd-register');
		});

		await t.test('one post may bring many packets, and one poll takes all that wait, in order', async () => {
			const poller = await register(await connect(port));
			const tags = ['a', 'é鍵😀', '', '\u2028"\\', 'e'];
			await poller.post(...tags.map((tag) => event({ type: 'echo', token: poller.token, params: { tag } })));
			const seen = [];
			while (seen.length < tags.length)
				seen.push(...(await poller.poll()).map((packet) => messageOf(packet).message.tag));
			assert.deepStrictEqual(seen, tags);

			await poller.post(REGISTER, REGISTER, REGISTER);	// answered by the node itself: nothing to wait for
			assert.strictEqual((await poller.poll()).length, 3);
		});

		await t.test('requests of one session come over any connections', async (t) => {
			const agents = [1, 2, 3].map(() => new http.Agent({ keepAlive: true, maxSockets: 1 }));
			atEnd(t, () => agents.forEach((agent) => agent.destroy()));
			const poller = await register(await connect(port));

			for (let i = 0; i < 12; i++) {
				poller.options.agent = i % 4 === 3 ? false : agents[i % 4];
				await echo(poller, i);
			}
		});

		await t.test('a body may come in pieces of any size, without a length and a type', async () => {
			const poller = await register(await connect(port));
			const bytes = Buffer.from(encode(eio, [event({ type: 'echo', token: poller.token, params: { tag: 'é鍵😀' } })]));
			okay(await poller.request({ method: 'POST', body: [...bytes].map((byte) => Buffer.from([byte])) }));

			assert.strictEqual(messageOf((await poller.poll())[0]).message.tag, 'é鍵😀');
		});

		await t.test('a second poll ends the session, and the first hears of it', async () => {
			const poller = await connect(port);
			const held = await poller.hold();
			assertRefused(await poller.get(), 3);

			const { status, body } = await held.answer;
			assert.deepStrictEqual([status, body], [200, CLOSE]);
			await poller.assertUnknown();
		});

		await t.test('a second post ends the session', async (t) => {
			const poller = await connect(port);
			const first = await tcp(t, port);
			first.send(`POST /socket.io/${poller.query()} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc`);
			await waitFor('the second to be refused', async () => {
				const { status, body } = await poller.postRaw(encode(eio, ['6']));
				return status === 400 && JSON.parse(body).code === 3;
			});

			await poller.assertUnknown();
			first.send('x'.repeat(97));
			await waitFor('the first to be told', () => / 400 /.test(String(first.received)));
			assert.match(String(first.received), /"code":1/);
		});

		await t.test('a client that says goodbye gets its poll back', async () => {
			const poller = await connect(port);
			const held = await poller.hold();
			await poller.post('41');
			await poller.post('1');

			assert.deepStrictEqual([(await held.answer).status, (await held.answer).body], [200, NOOP]);
			await poller.assertUnknown();
			assertRefused(await poller.postRaw(encode(eio, ['2'])), 1);
		});

		await t.test('what comes behind a goodbye is not looked at', async () => {
			const poller = await connect(port);
			await poller.post('1', '9', REGISTER);

			await poller.assertUnknown();
		});

		await t.test('a poll that waits is told the end', async () => {
			const poller = await connect(port);
			const held = await poller.hold();
			await poller.post('42{}');

			assert.deepStrictEqual([(await held.answer).status, (await held.answer).body], [200, CLOSE]);
			await poller.assertUnknown();
		});

		await t.test('the end waits for the next poll', async () => {
			const poller = await connect(port);
			await poller.post('42{}');
			await poller.post('3');
			const { status, body } = await poller.get();

			assert.deepStrictEqual([status, body], [200, GOODBYE]);
			await poller.assertUnknown();
		});

		await t.test('what was to be said is said before the end', async () => {
			const poller = await connect(port);
			await poller.post(REGISTER, '42{}');
			const packets = await poller.poll();

			assert.strictEqual(packets.length, 2);
			assert.strictEqual(messageOf(packets[0]).type, 'ewd-register');
			assert.strictEqual(packets[1], '1');
			await poller.assertUnknown();
		});

		for (const body of [''].concat(eio === 3 ?
		    ['abc', ':', '2', '1:', '3:4', '1:2x', '1:9', '1:0', '1:b', '0x1:2', '-1:2', '2:4\xff', '10:b4AQIDBA==', '2:4😀'] :
		    ['abc', '9', '0', 'b', '\x1e', '\x1e6', '6\x1e', '6\x1e\x1e6', '2', 'bAQIDBA=='])) {
			await t.test('malformed: ' + JSON.stringify(body), async () => {
				const poller = await connect(port);

				okay(await poller.postRaw(Buffer.from(body, body.includes('\xff') ? 'latin1' : 'utf8')));
				await poller.assertUnknown();
			});
		}

		await t.test('octets', async () => {
			const poller = await connect(port);
			const text = Buffer.from(event({ type: 'ewd-register', application: 'é', jwt: true }));
			const head = Buffer.from([0, ...String(text.length).split('').map(Number), 255]);
			const answer = await poller.postRaw(Buffer.concat([head, text, Buffer.from([0, 1, 255]), Buffer.from('6')]),
			    { 'Content-Type': 'application/octet-stream' });

			if (eio === 3) {
				okay(answer);
				assert.strictEqual(messageOf((await poller.poll())[0]).type, 'ewd-register');
				okay(await poller.postRaw(Buffer.from([1, 4, 255, 4, 1, 2, 3]), { 'Content-Type': 'application/octet-stream' }));
			} else {
				assertRefused(answer, 3);
			}
			await poller.assertUnknown();
		});

		await t.test('a poll whose client goes away ends the session', async (t) => {
			const poller = await connect(port);
			const connection = await tcp(t, port);
			connection.send(`GET /socket.io/${poller.query()} HTTP/1.1\r\nHost: a\r\n\r\n`);
			await poller.post('6');		// whoever is second is served second
			connection.close();

			await waitFor('the end', async () => {
				const { status } = await poller.postRaw(encode(eio, ['6']));
				return status === 400;
			});
			await poller.assertUnknown();
		});

		await t.test('a post that breaks off ends the session', async (t) => {
			const poller = await connect(port);
			const connection = await tcp(t, port);
			const held = await poller.hold();
			connection.send(`POST /socket.io/${poller.query()} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc`);
			connection.socket.end();

			assert.strictEqual((await held.answer).body, CLOSE);
			await poller.assertUnknown();
		});

		await t.test('binary events are refused', async () => {
			const poller = await connect(port);
			const held = await poller.hold();
			await poller.post('451-["ewdjs",{"_placeholder":true,"num":0}]');

			assert.strictEqual((await held.answer).body, CLOSE);
		});
	});

	test('bad requests of EIO=' + eio, async (t) => {
		const node = await startUsherd(t, app);
		const { port } = node;
		const ask = (query, options) => request(port, query, options);
		const other = 7 - eio;

		for (const query of ['', '?', `?EIO=${eio}`, `?EIO=${eio}&transport=`, `?EIO=${eio}&transport=pigeon`,
			`?EIO=${eio}&transport=constructor`, `?EIO=${eio}&transport=__proto__`, `?EIO=${eio}&transport=Polling`])
			await t.test('no transport: ' + query, async () => assertRefused(await ask(query), 0));

		for (const sid of ['abc', '__proto__', 'constructor', 'x'.repeat(20), 'x'.repeat(2000), '%00']) {
			await t.test('no such session: ' + sid.slice(0, 30), async () => {
				if (sid.length > 64 || sid === '%00')	// no sid at all can look like this
					assert.strictEqual((await ask(`?EIO=${eio}&transport=polling&sid=${sid}`)).status, 400);
				else
					assertRefused(await ask(`?EIO=${eio}&transport=polling&sid=${sid}`), 1);
				assert.strictEqual((await ask(`?EIO=${eio}&transport=polling&sid=${sid}`, { method: 'POST', body: 'x' })).status, 400);
			});
		}

		await t.test('an empty sid counts as absent, other parameters for nothing', async () => {
			const { status } = await ask(`?x=%20&t=a.b-_&transport=%70olling&sid=&EIO=%3${eio}&b64=1`);
			assert.strictEqual(status, 200);
		});

		for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD']) {
			await t.test(method + ' begins no session', async () => {
				const answer = await ask(`?EIO=${eio}&transport=polling`, { method });
				if (method === 'HEAD')
					assert.deepStrictEqual([answer.status, answer.body], [400, '']);
				else
					assertRefused(answer, 2);
			});
		}

		await t.test('other methods do not touch a session', async () => {
			const poller = await connect(port);
			const held = await poller.hold();
			for (const method of ['PUT', 'DELETE', 'PATCH'])
				assert.strictEqual((await poller.request({ method })).status, 400);
			await poller.post(REGISTER);
			assert.strictEqual(messageOf(decode(eio, (await held.answer).body)[0]).type, 'ewd-register');
		});

		await t.test('transport=websocket without an upgrade', async () => {
			assertRefused(await ask(`?EIO=${eio}&transport=websocket`), 3);
		});

		await t.test('an upgrade with transport=polling', async (t) => {
			const socket = new RawSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=${eio}&transport=polling`);
			atEnd(t, () => socket.close());
			await assert.rejects(socket.open(), /Unexpected server response: 400/);
		});

		await t.test('an upgrade with an unknown sid', async (t) => {
			const socket = new RawSocket(address(port, eio) + '&sid=abc');
			atEnd(t, () => socket.close());
			await assert.rejects(socket.open(), /Unexpected server response: 400/);
		});

		for (const query of ['transport=polling', 'EIO=&transport=polling', 'EIO=2&transport=polling', 'EIO=5&transport=polling',
			'EIO=33&transport=polling', 'EIO=constructor&transport=polling'])
			await t.test('no revision that we know: ' + query, async () => assertRefused(await ask('?' + query), 5));

		await t.test('a session is asked for in its own revision', async () => {
			const poller = await connect(port);
			assertRefused(await ask(`?EIO=${other}&transport=polling&sid=${poller.sid}`), 3);
			assertRefused(await ask(`?transport=polling&sid=${poller.sid}`), 3);
			await register(poller);
		});

		await t.test('a session that is a WebSocket is not polled', async (t) => {
			const client = await rawClient(t, port, { eio });
			assertRefused(await ask(`?EIO=${eio}&transport=polling&sid=${client.sid}`), 3);
			assertRefused(await ask(`?EIO=${eio}&transport=polling&sid=${client.sid}`, { method: 'POST', body: '2' }), 3);
			await client.register('remote-app');
		});

		for (const origin of ['http://a b', 'http://é'])
			await t.test('the origin ' + origin, async () => assertRefused(await ask(`?EIO=${eio}&transport=polling`,
			    { headers: { Origin: origin } }), 3));

		for (const path of ['/socket.iox/', '/socket.io', '/x/socket.io/'])
			await t.test('the path ' + path, async () =>
				assert.strictEqual((await ask(`?EIO=${eio}&transport=polling`, { path })).status, 404));

		await t.test('JSONP is refused politely', async () => {
			for (const j of ['0', '12', '']) {
				const { status, body, headers } = await ask(`?EIO=${eio}&transport=polling&j=${j}`);
				assert.strictEqual(status, 400);
				assert.match(headers['content-type'], /^application\/json/);
				assert.match(JSON.parse(body).message, /^JSONP is not served: /);
			}
		});

		await t.test('what it is asked with means nothing to a WebSocket', async (t) => {
			const socket = new RawSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=${eio}&transport=websocket&j=1`);
			atEnd(t, () => socket.close());
			assert.match(await socket.next(), /^0\{"sid":/);
		});

		await t.test('a method in small letters is another one', async (t) => {
			for (const method of ['get', 'post']) {
				const connection = await tcp(t, port);
				connection.send(`${method} /socket.io/?EIO=${eio}&transport=polling HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
				await connection.whenEnded();
				assert.match(String(connection.received), /^HTTP\/1\.1 400 [^]*"code":2/);
			}
		});
	});

	test('heart-beats of EIO=' + eio + ' over polling', async (t) => {
		const node = await startUsherd(t, app + 'socketio: { ping_interval: 100ms, ping_timeout: 400ms }\n');

		await t.test('keep a session, in the right direction', async () => {
			const poller = await connect(node.port);
			let beats = 0;
			while (beats < 6) {
				if (eio === 3)
					await poller.post('2');
				assert.deepStrictEqual(await poller.poll(), [eio === 3 ? '3' : '2']);
				if (eio === 4)
					await poller.post('3');
				beats++;
			}
			await register(poller);
		});

		await t.test('a ping may carry data', async () => {
			const poller = await connect(node.port);
			if (eio === 3) {
				await poller.post('2abc');
				assert.deepStrictEqual(await poller.poll(), ['3']);
			} else {
				await poller.post('3abc');
				assert.deepStrictEqual(await poller.poll(), ['2']);
			}
		});

		await t.test('a silent client hears by its poll that it is over', async () => {
			const poller = await connect(node.port);
			if (eio === 4)
				assert.deepStrictEqual(await poller.poll(), ['2']);
			assert.deepStrictEqual(await poller.poll(), ['1']);
			await poller.assertUnknown();
		});

		await t.test('a session ends while no request is open', async () => {
			const poller = await connect(node.port);
			const begun = Date.now();

			// Asks without being a packet or a poll of the session.
			await waitFor('the end', async () =>
				JSON.parse((await request(node.port, `?EIO=${7 - eio}&transport=polling&sid=${poller.sid}`)).body).code === 1);
			assert.ok(Date.now() - begun >= 350);
			await poller.assertUnknown();
		});
	});

	test('what a session of EIO=' + eio + ' may cost', async (t) => {
		const node = await startUsherd(t, app +
		    'limits: { message: 3KB, send_queue: 20KB, sessions_per_address: 3 }\n');
		const { port } = node;

		await t.test('a body above limits.message is refused, and the session goes on', async () => {
			const poller = await connect(port);
			const { status, body } = await poller.postRaw('6'.repeat(3001));

			assert.deepStrictEqual([status, body], [413, '']);
			await register(poller);
			await poller.post('1');
		});

		await t.test('also if its length is not said before', async () => {
			const headers = { Origin: 'http://127.0.0.1:' + port };
			const poller = await connect(port);
			const answer = await poller.request({ method: 'POST', body: ['6'.repeat(2000), '6'.repeat(2000)], headers });

			assert.deepStrictEqual([answer.status, answer.body], [413, '']);
			assert.strictEqual(answer.headers['access-control-allow-origin'], headers.Origin);
			await register(poller);
			await poller.post('1');
		});

		await t.test('a body that is malformed is refused, and the session ends', async (t) => {
			const poller = await connect(port);
			const connection = await tcp(t, port);

			connection.send(`POST /socket.io/${poller.query()} HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n66\r\n`);
			await connection.whenEnded();
			assert.match(String(connection.received), /^HTTP\/1\.1 400 [^]*\r\nAccess-Control-Allow-Origin: http:\/\/a\r\n[^]*"code":3/);
			await poller.assertUnknown();
		});

		await t.test('a queue that nobody fetches has its limit', async () => {
			const poller = await register(await connect(port));
			const big = event({ type: 'big', token: poller.token, params: { size: 8000 } });
			await poller.post(big);
			await poller.post(big);
			await poller.post(big);

			await waitFor('the end', async () => (await poller.postRaw(encode(eio, ['6']))).status === 400);
			await poller.assertUnknown();
			assert.match(node.log, /it does not read what it is sent/);
		});

		await t.test('one packet may be larger than the queue', async () => {
			const poller = await register(await connect(port));
			await poller.post(event({ type: 'big', token: poller.token, params: { size: 50000 } }));

			assert.strictEqual(messageOf((await poller.poll())[0]).message.data.length, 50000);
			await poller.post('1');
		});

		await t.test('sessions are counted, whatever carries them', async (t) => {
			const pollers = [await connect(port), await connect(port)];
			const client = await rawClient(t, port, { eio });
			const { status, body } = await request(port, `?EIO=${eio}&transport=polling`);

			assert.strictEqual(status, 503);
			assert.strictEqual(JSON.parse(body).code, 4);
			const socket = new RawSocket(address(port, eio));
			atEnd(t, () => socket.close());
			await assert.rejects(socket.open(), /Unexpected server response: 503/);

			await pollers[0].post('1');
			await (await connect(port)).post('1');
			client.close();
			await waitFor('its place', async () => (await request(port, `?EIO=${eio}&transport=polling`)).status === 200);
		});
	});

	test('pages of other origins, EIO=' + eio, async (t) => {
		const listed = app.replace('127.0.0.1:0"', '127.0.0.1:0", origins: ["https://app.example.org"]');
		const { port } = await startUsherd(t, listed);
		const from = (origin, more) => Object.assign({ headers: Object.assign({ Origin: origin }, more) });
		const query = `?EIO=${eio}&transport=polling`;
		const assertReadable = ({ headers }, origin) => assert.deepStrictEqual([headers['access-control-allow-origin'],
			headers['access-control-allow-credentials'], headers.vary], [origin, 'true', 'Origin']);

		for (const origin of ['https://app.example.org', 'http://127.0.0.1:' + port]) {
			await t.test(origin + ' may read every answer', async () => {
				const poller = await new Poller(port, eio, from(origin)).connect();
				assertReadable(poller.first, origin);
				assertReadable(await poller.post(REGISTER), origin);
				assertReadable(await poller.get(), origin);
				assertReadable(await poller.postRaw('6'.repeat(1000001)), origin);
				assertReadable(await request(port, query + '&sid=abc', from(origin)), origin);
				assertReadable(await request(port, '?EIO=3', from(origin)), origin);
			});
		}

		for (const origin of ['https://evil.example.org', 'http://app.example.org', 'null']) {
			await t.test(origin + ' is refused', async () => {
				const poller = await connect(port);
				const sid = '&sid=' + poller.sid;
				for (const answer of [await request(port, query, from(origin)), await request(port, query + sid, from(origin)),
					await request(port, query + sid, Object.assign({ method: 'POST', body: encode(eio, ['1']) }, from(origin)))]) {
					assertRefused(answer, 4, 403);
					assert.strictEqual(answer.headers['access-control-allow-origin'], undefined);
				}
				await register(poller);
			});
		}

		await t.test('two origins are none, of whatever kind', async () => {
			const poller = await connect(port);
			const both = from(['https://app.example.org', 'https://app.example.org']);
			for (const answer of [await request(port, query, both), await request(port, query + '&sid=' + poller.sid, both),
				await request(port, query + '&sid=' + poller.sid, Object.assign({ method: 'POST', body: encode(eio, ['1']) }, both))]) {
				assertRefused(answer, 3);
				assert.strictEqual(answer.headers['access-control-allow-origin'], undefined);
			}
			await register(poller);
		});

		await t.test('a preflight touches no session', async () => {
			const origin = 'https://app.example.org';
			const poller = await connect(port);
			const held = await poller.hold();
			for (const sid of ['&sid=' + poller.sid, '']) {
				const answer = await request(port, query + sid, Object.assign({ method: 'OPTIONS' }, from(origin,
				    { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type,x-more' })));
				assert.deepStrictEqual([answer.status, answer.body], [204, '']);
				assertReadable(answer, origin);
				assert.match(answer.headers['access-control-allow-methods'], /GET.*POST/);
				assert.strictEqual(answer.headers['access-control-allow-headers'], 'content-type,x-more');
			}
			assert.strictEqual((await request(port, query, Object.assign({ method: 'OPTIONS' }, from('https://evil.org')))).status, 403);
			await poller.post(REGISTER);
			assert.strictEqual(messageOf(decode(eio, (await held.answer).body)[0]).type, 'ewd-register');
		});
	});

	test('the cookie of EIO=' + eio, async (t) => {
		await t.test(eio === 3 ? 'has the name it is given' : 'does not exist, whatever its name', async (t) => {
			const { port } = await startUsherd(t, app + 'socketio: { cookie: sticky }\n');
			const { sid, first } = await new Poller(port, eio).open();
			assert.deepStrictEqual(first.headers['set-cookie'], eio === 3 ?
			    [`sticky=${sid}; Path=/; HttpOnly; SameSite=Strict`] : undefined);
		});

		await t.test('is not set if it is off', async (t) => {
			const { port } = await startUsherd(t, app + 'socketio: { cookie: off }\n');
			const { first } = await new Poller(port, eio).open();
			assert.strictEqual(first.headers['set-cookie'], undefined);
		});
	});

	test('EIO=' + eio + ': the same session has no other rights at another listener', async (t) => {
		const node = await startUsherd(t, app.replace('"127.0.0.1:0" }', '"127.0.0.1:0", for: nodes }, { address: "127.0.0.1:0" }'),
		    { listeners: 2 });
		const poller = await connect(node.ports[0]);
		assertRefused(await request(node.ports[1], poller.query()), 1);
		assertRefused(await request(node.ports[0], `?EIO=${eio}&transport=polling`,
		    { headers: { Origin: 'http://127.0.0.1:' + node.ports[0] } }), 4, 403);
		await register(poller);
	});

	test('EIO=' + eio + ': a node that stops says so to those who poll', async (t) => {
		const node = await startUsherd(t, app);
		const pollers = [await connect(node.port), await connect(node.port)];
		const held = await pollers[0].hold();
		await pollers[0].post('6');
		await node.stop('SIGTERM');

		assert.deepStrictEqual([(await held.answer).status, (await held.answer).body], [200, CLOSE]);
	});

	test('EIO=' + eio + ': while a node drains, who polls on a kept connection gets all replies', async (t) => {
		const node = await startUsherd(t, workerOf(scripted, 'size: 1'));
		const agent = new http.Agent({ keepAlive: true });
		atEnd(t, () => agent.destroy());
		const poller = await register(await connect(node.port, { agent }));
		const script = [{ print: 'at work\n' }, { wait: 300 }, { line: '{"op":"send","id":@ID,"message":{"step":1}}' },
			{ wait: 1 }, { line: '{"op":"finish","id":@ID,"message":{"done":true}}' }];
		const running = poller.run().catch(() => {});	// its last poll may be too late
		await poller.post(event({ type: 'job', token: poller.token, params: { script } }));
		await node.logged(/at work/);
		const stopped = node.stop('SIGTERM');

		assert.strictEqual(messageOf(await poller.inbox.next('the step')).message.step, 1);
		assert.strictEqual(messageOf(await poller.inbox.next('the final')).message.done, true);
		await stopped;
		await running;
	});

	test('EIO=' + eio + ': login, session, intermediates and errors through a master, over polling', async (t) => {
		const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
		const master = await startUsherd(t, masterOf(worker.url));
		await master.linked();
		const poller = await connect(master.port);
		const running = poller.run();
		const ask = async (message) => {
			const replies = [];
			await poller.post(event(Object.assign({ token: poller.token }, message)));
			do
				replies.push(messageOf(await poller.inbox.next('the reply to ' + message.type)));
			while (replies.at(-1).finished === false);
			return replies;
		};

		const [registered] = await ask({ type: 'ewd-register', application: 'browser-app', jwt: true });
		poller.token = registered.message.token;
		const [login] = await ask({ type: 'login', params: { username: 'rob', password: 'secret' } });
		poller.token = login.message.token;
		const [whoami] = await ask({ type: 'whoami' });
		assert.deepStrictEqual([whoami.message.username, whoami.message.socketId], ['rob', poller.sid]);
		const steps = await ask({ type: 'steps', params: { tag: 1 } });
		assert.deepStrictEqual(steps.map((r) => r.message.step || r.message.done), [1, 2, 3, true]);
		const [unknown] = await ask({ type: 'nonesuch' });
		assert.match(unknown.message.error, /^Handler not defined/);
		await poller.post('1');
		await within('the poll to be released', running);
	});
}
