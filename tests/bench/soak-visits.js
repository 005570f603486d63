// SPDX-License-Identifier: ISC
// What visitors of soak do: browsers over TLS and polling, programs that ask by Ajax and REST, handlers that
// push and that call, users of another issuer, the operator, who sends away, and who breaks off.  Each visit
// is a function of t, at whose end what it opened is closed, and of the node as the visitors know it; it
// gives how many replies it looked at.  One that is not what is due is an error.
'use strict';
const assert = require('node:assert');
const crypto = require('node:crypto');
const https = require('node:https');
const { Process, bench, usherd } = require('./lib');

process.env.USHERD = usherd;	// the tests' helpers look for usherctl beside it
const { socketClient } = require('../e2e/lib/browser');
const { ask } = require('../e2e/lib/http');
const { result } = require('../e2e/lib/operator');
const { Poller, event, messageOf, request } = require('../e2e/lib/polling');
const { RawClient } = require('../e2e/lib/raw');
const { job } = require('../e2e/lib/scripts');
const { claims } = require('../e2e/lib/tokens');

const ECHOES = 10;		// requests of each browser
const HTTP_TIMES = 100;		// as often does a program ask what it asks
const CALLING = 30;		// requests whose handler calls others
const OUTSIDERS = 30;
const SENT_AWAY = 20;		// sessions of a user
const BREAKING_OFF = 40;
const WORDS = 'the quick brown fox jumps over 13 lazy dogs, Zoë; ';

const WAYS = [2, 4].flatMap((generation) => [['websocket'], ['polling'], ['polling', 'websocket']]
	.map((transports) => ({ generation, transports })));

const serial = () => crypto.randomUUID();
const now_s = () => Math.floor(Date.now() / 1000);

// ---- requests ----

// The message of a final reply that must be no error.  The session goes on with the token it brought.
function taken(client, reply, type) {
	assert.strictEqual(reply.type, type);
	assert.strictEqual(reply.message.error, undefined, JSON.stringify(reply.message));
	client.token = reply.message.token || client.token;
	return reply.message;
}

const final = async (client, message) => taken(client, await client.request(message), message.type);

async function echo(client, times = ECHOES) {
	for (let i = 0; i < times; i++) {
		const params = { serial: serial(), text: WORDS.repeat(i * i) };
		assert.deepStrictEqual((await final(client, { type: `bench-${i}`, params })).echo, params);
	}
}

async function ajax({ urls }, message, status) {
	const answer = await ask(urls[0], 'POST', '/ajax', { json: message });

	assert.strictEqual(answer.status, status, answer.text);
	return answer.json;
}

// ---- browsers and programs ----

async function browse(t, { urls, ca }) {
	const all = urls.flatMap((url) => WAYS.map((way) => ({ url, ...way })));

	await Promise.all(all.map(async ({ url, generation, transports }, i) => {
		const client = await socketClient(t, generation, url, { ca, transports });

		await client.register(['bench', 'work', 'stock'][i % 3]);
		await echo(client);
	}));
	return all.length * (1 + ECHOES);
}

// Sessions that poll over TLS by hand, with handshakes that are resumed.  To some nobody comes back.
async function poll(t, { tlsPort }) {
	const agent = new https.Agent();	// it keeps no connections, but what resumes them

	t.after(() => agent.destroy());
	for (const [eio, isOrderly] of [[3, true], [4, true], [3, false], [4, false]]) {
		const poller = await new Poller(tlsPort, eio, { secure: true, agent }).connect();
		const exchange = async (message) => {
			await poller.post(event(message));
			const [packet] = await poller.poll();
			return messageOf(packet).message;
		};
		const { token } = await exchange({ type: 'ewd-register', application: 'bench', jwt: true });
		const params = { serial: serial() };
		assert.deepStrictEqual((await exchange({ type: 'bench-1', token, params })).echo, params);
		if (isOrderly)
			await poller.post('1');
	}
	return 8;
}

// Requests of a program over one connection, again and again: [status, method, target, wanted, body]
async function program({ dir, port }, requests, ...options) {
	const visit = new Process([bench('usher-visit'), ...options, port, HTTP_TIMES], dir);

	visit.child.stdin.end(requests.map((words) => words.join(' ') + '\n').join(''));
	await visit.ended;
	assert.strictEqual(visit.child.exitCode, 0, visit.log);
	return HTTP_TIMES * requests.length;
}

async function programs(t, node) {
	const register = async (application) => (await ajax(node, { type: 'ewd-register', application }, 200)).token;
	const [token, strange] = [await register('work'), await register('nobody')];
	const body = (of, n) => JSON.stringify({ type: 'bench-1', token: of, params: { n, text: WORDS } });
	const counts = await Promise.all([program(node, [
		[200, 'POST', '/ajax', '"n":1', body(token, 1)],
		[200, 'POST', '/ajax', '"n":2', body(token, 2)],
		[401, 'POST', '/ajax', 'invalid_token', body(token + '.', 3)],
		[404, 'POST', '/ajax', 'no_handler', body(strange, 4)]
	]), program(node, [
		[200, 'GET', '/api/item/17?first=1&second=two', '"echo"'],
		[200, 'POST', '/api/item/18', '"echo"', body(undefined, 5)],
		[200, 'GET', '/jobs/bench-1?n=1', '"echo"'],
		[404, 'GET', '/api/nothing/17', '-']
	], '-H', `Authorization: Bearer ${token}`)]);

	for (let i = 0; i < ECHOES; i++) {
		const answer = await request(node.tlsPort, `/api/item/${i}`, { path: '', secure: true });
		assert.strictEqual(answer.status, 200, answer.body);
	}
	return 2 + counts[0] + counts[1] + ECHOES;
}

// ---- handlers ----

// Has a handler push; those and nobody else of the residents hear it, who asked in any order with its reply.
async function push(asker, to, hearers) {
	const pushed = { type: 'news', message: { serial: serial(), text: WORDS } };

	asker.emit({ ...job({ push: { to, ...pushed } }, { finish: { done: true } }), token: asker.token });
	for (const one of new Set([asker, ...hearers])) {
		const heard = [], isHearer = hearers.includes(one);
		while (heard.length < Number(isHearer) + Number(one === asker))
			heard.push(await one.next('a push, or the reply to who asked for it'));
		assert.deepStrictEqual(heard.filter((reply) => !reply.finished), isHearer ? [pushed] : []);
		for (const reply of heard.filter(({ finished }) => finished))
			assert.strictEqual(taken(one, reply, 'job').done, true);
	}
	return 1 + hearers.length;
}

async function pushes(t, { residents }) {
	let n = 0;

	for (const [i, asker] of residents.entries()) {
		const next = residents[(i + 1) % residents.length];
		n += await push(asker, { socket: next.sid }, [next]);
		n += await push(asker, { application: 'pushing' }, residents);
	}
	return n;
}

// A handler asks a service over a link, stock and not, an application of the same node, and nobody.
async function calls(t, { urls, ca }) {
	const client = await socketClient(t, 4, urls[1], { ca });
	const call = (application, params) => ({ call: { application, type: 'bench-1', message: { params } } });

	await client.register('asking');
	for (let i = 0; i < CALLING; i++) {
		const asked = ['bench', 'stock', 'work'].map((application) => ({ application, serial: serial() }));
		const { replies } = await final(client, job(...asked.map((params) => call(params.application, params)),
			call('nobody', {}), { until: 'reply' }, { relay: true }));
		const answered = replies.map(({ message }) => message.echo ? message.echo.serial : message.code);
		assert.deepStrictEqual(answered.sort(), [...asked.map((params) => params.serial), 'no_handler'].sort());
	}
	return 1 + CALLING * 5;
}

// ---- users of another issuer ----

// A browser whose session is that of an outside token.
async function outsider(t, { urls, ca }, token, user, application = 'work') {
	const client = await socketClient(t, 4, urls[1], { ca });

	client.emit({ type: 'ewd-register', application, jwt: true, token });
	taken(client, await client.next('the registration'), 'ewd-register');
	assert.strictEqual(claims(client.token).username, user);
	return client;
}

async function outsiders(t, node) {
	for (let i = 0; i < OUTSIDERS; i++) {
		const user = serial(), token = node.issuer.token(user, i % 2 === 0);
		const message = { type: 'bench-1', token, params: { user } };
		const client = await outsider(t, node, token, user);

		await echo(client, 3);
		assert.deepStrictEqual((await ajax(node, message, 200)).echo, { user });
		message.token = node.issuer.token(user, false, node.issuer.forger);
		assert.strictEqual((await ajax(node, message, 401)).code, 'invalid_token');
		client.close();
	}
	return OUTSIDERS * 6;
}

// ---- the operator ----

// Closed, after replies to its own requests.
async function isClosed(client) {
	await assert.rejects(async () => {
		while ((await client.next('what becomes of the session')).type === 'job')
			;
	}, /disconnected/);
}

// Told of it last, and then closed; its own requests have ended before.
async function isSentAway(client) {
	let reply;

	while ((reply = await client.next('what becomes of the session')).type === 'job')
		assert.ok(reply.message.done || reply.message.code === 'session_revoked', JSON.stringify(reply));
	assert.deepStrictEqual([reply.type, reply.message.code], ['error', 'session_revoked']);
	await assert.rejects(client.next('nothing more'), /disconnected/);
}

// Browsers of one user, each with a token of its own and with a request under way.
const sameUser = (t, node, user) => Promise.all(Array.from({ length: SENT_AWAY }, async () => {
	const client = await outsider(t, node, node.issuer.token(user), user, 'asking');

	client.emit({ ...job({ wait: 100 }, { finish: { done: true } }), token: client.token });
	return client;
}));

async function operator(t, node) {
	const browser = await socketClient(t, 2, node.urls[0]);
	await browser.register('asking');
	const { jti } = claims(browser.token), users = [serial(), serial()];
	const [revoked, kicked] = [await sameUser(t, node, users[0]), await sameUser(t, node, users[1])];

	await result(node, 'revoke', '--', 'jti', jti);
	await isSentAway(browser);
	assert.strictEqual((await ajax(node, { type: 'job', token: browser.token }, 401)).code, 'session_revoked');
	assert.strictEqual((await result(node, 'revoke', 'user', users[0])).closed, SENT_AWAY);
	await Promise.all(revoked.map(isSentAway));
	assert.strictEqual((await result(node, 'kick', `--user=${users[1]}`)).closed, SENT_AWAY);
	await Promise.all(kicked.map(isClosed));

	const list = (await result(node, 'revoke')).revoked;
	assert.ok([jti, users[0]].every((name) => list.some((entry) => entry.name === name)), JSON.stringify(list));
	assert.ok(list.every((entry) => Date.parse(entry.until) / 1000 >= now_s() - 1), 'what is over is not listed');
	return 6 + 4 * SENT_AWAY;
}

// ---- who leaves at any moment ----

async function breakOff(t, { port, tlsPort, ca }) {
	await Promise.all(Array.from({ length: BREAKING_OFF }, async (_, i) => {
		const to = i % 2 === 0 ? `ws://127.0.0.1:${port}` : `wss://127.0.0.1:${tlsPort}`, eio = 3 + (i >> 1) % 2;
		const client = new RawClient(`${to}/socket.io/?EIO=${eio}&transport=websocket`,
			{ ca, maxVersion: i % 5 === 0 ? 'TLSv1.2' : 'TLSv1.3' });

		t.after(() => client.close());
		await client.open();
		await client.handshake(eio);
		await client.register('work');
		for (let n = 0; n < ECHOES; n++)
			client.emit({ type: 'bench-1', token: client.token, params: { text: WORDS } });
		client.close();
	}));
	return BREAKING_OFF;
}

module.exports = { WAYS, VISITS: [browse, poll, programs, pushes, calls, outsiders, operator, breakOff] };
