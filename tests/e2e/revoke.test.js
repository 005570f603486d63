// SPDX-License-Identifier: ISC
// usherctl kick and revoke: who is sent away is told, and who is revoked stays away.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { nodeOf, scriptedApp } = require('./lib/configs');
const { ask } = require('./lib/http');
const { Poller } = require('./lib/polling');
const { run } = require('./lib/processes');
const { metric, parseMetrics } = require('./lib/prometheus');
const { rawBrowser } = require('./lib/raw');
const { claims, session } = require('./lib/tokens');
const { PROGRAM, SECRET, folder, runUsherd, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const USHERCTL = path.join(path.dirname(PROGRAM), 'usherctl');

const edge = (jwt = '') => nodeOf('edge', { 'browser-app': scriptedApp('size: 2', { ready: { cancel: true } }) },
    'admin: { socket: admin.sock, http: "127.0.0.1:0" }\n')
    .replace(/jwt: \{ /, `$&user_claim: username, ${jwt}`);

const ctl = (usher, ...args) => run(USHERCTL, ['-s', path.join(usher.dir, 'admin.sock'), '--json', ...args]);

async function done(usher, ...args) {
	const { code, stdout, stderr } = await ctl(usher, ...args);

	assert.deepStrictEqual([code, stderr], [0, '']);
	return JSON.parse(stdout);
}

async function refused(usher, why, ...args) {
	const { code, stdout, stderr } = await ctl(usher, ...args);

	assert.deepStrictEqual([code, stdout], [1, ''], stderr);
	assert.match(stderr, why);
}

const script = (...steps) => ({ type: 'work', params: { script: steps } });

// Answers with a session of that user, whose name is secret.
const login = (username) => ({ type: 'login', params: { script: [
	{ line: JSON.stringify({ op: 'finish', id: '@ID', message: { ok: true },
		session: { username, timeout: 300 }, secret: ['username'] }).replace('"@ID"', '@ID') }] } });

async function loggedIn(t, usher, username) {
	const client = await rawBrowser(t, usher.port);
	const reply = await client.request(login(username));

	assert.ok(reply.message.ok || reply.message.token, JSON.stringify(reply));
	client.token = reply.message.token;
	assert.strictEqual((await client.request({ type: 'echo' })).message.error, undefined);
	return client;
}

const isServed = async (client) => (await client.request({ type: 'echo' })).message.error === undefined;

// The client is told, and its connection closed.
async function isSentAway(client) {
	const { type, finished, message } = await client.nextReply('the news');

	assert.deepStrictEqual({ type, finished, message }, { type: 'error', finished: true, message: {
		error: 'the session was revoked', code: 'session_revoked', status: { code: 401 }, disconnect: true, by: 'edge' } });
	assert.strictEqual(await client.whenClosed(), 1008);
}

async function isRefused(t, usher, token) {
	const client = await rawBrowser(t, usher.port);

	client.emit({ type: 'echo', token });
	const { message } = await client.nextReply();
	assert.deepStrictEqual([message.code, message.disconnect], ['session_revoked', true]);
	client.emit({ type: 'ewd-reregister', token });
	assert.strictEqual((await client.nextReply()).message.code, 'session_revoked');
	const answer = await ask(usher.url, 'POST', '/ajax', { json: { type: 'echo', token } });
	assert.strictEqual(answer.status, 401);
}

test('a session is revoked by its jti', async (t) => {
	const usher = await startUsherd(t, edge());
	const other = await rawBrowser(t, usher.port);
	const client = await rawBrowser(t, usher.port);
	const { jti } = claims(client.token);

	assert.deepStrictEqual((await done(usher, 'sessions')).sessions.map((s) => s.jti).sort(),
	    [jti, claims(other.token).jti].sort());
	const gate = path.join(folder(t), 'gate');
	client.emit({ ...script({ gate }, { finish: { late: true } }), token: client.token });
	await waitFor('the request', async () => (await done(usher, 'requests')).requests.length === 1);

	const { kind, closed, requests } = await done(usher, 'revoke', '--', 'jti', jti);
	assert.deepStrictEqual({ kind, closed, requests }, { kind: 'jti', closed: 1, requests: 1 });
	const final = await client.nextReply('the end of its request');
	assert.deepStrictEqual([final.type, final.finished, final.message.code], ['work', true, 'session_revoked']);
	fs.writeFileSync(gate, '');
	await isSentAway(client);
	await isRefused(t, usher, client.token);
	assert.ok(await isServed(other));

	const [entry] = (await done(usher, 'revoke')).revoked;
	assert.deepStrictEqual([entry.kind, entry.name, entry.before], ['jti', jti, null]);
	assert.match(entry.since, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
	assert.match(entry.who, /^root$|^user \d+$/);
	assert.strictEqual(Date.parse(entry.until) - Date.parse(entry.since), 24 * 3600 * 1000);
	assert.strictEqual((await done(usher, 'status')).revoked, 1);
	usher.kill('SIGHUP');
	await usher.logged(/SIGHUP/);
	assert.strictEqual((await done(usher, 'status')).revoked, 1);
	await isRefused(t, usher, client.token);
});

test('a client that polls is told, and closed', async (t) => {
	const usher = await startUsherd(t, edge());
	const poller = await new Poller(usher.port, 3).connect();
	poller.run();
	await poller.post('42["ewdjs",{"type":"ewd-register","application":"browser-app","jwt":true}]');
	const registered = JSON.parse((await poller.inbox.next()).slice(2))[1];

	await done(usher, 'revoke', '--', 'jti', claims(registered.message.token).jti);
	assert.strictEqual(JSON.parse((await poller.inbox.next()).slice(2))[1].message.code, 'session_revoked');
	await assert.rejects(poller.inbox.next(), /closed by the server|status 400/);
});

test('a user is revoked, and may log in again', async (t) => {
	const usher = await startUsherd(t, edge());
	const anna = await loggedIn(t, usher, 'anna'), again = await loggedIn(t, usher, 'anna');
	const bob = await loggedIn(t, usher, 'bob');

	assert.deepStrictEqual((await done(usher, 'sessions')).sessions.map((s) => s.user).sort(), ['anna', 'anna', 'bob']);
	assert.strictEqual((await done(usher, 'revoke', 'user', 'anna')).closed, 2);
	await isSentAway(anna);
	await isSentAway(again);
	await isRefused(t, usher, anna.token);
	assert.ok(await isServed(bob));
	assert.ok(await isServed(await loggedIn(t, usher, 'anna')), 'a new session of hers');
	await isRefused(t, usher, again.token);
});

test('all sessions before a time are revoked', async (t) => {
	const usher = await startUsherd(t, edge());
	const client = await rawBrowser(t, usher.port);
	const now = Math.floor(Date.now() / 1000);
	const old = session('browser-app', SECRET, { iat: now - 100 }), older = session('browser-app', SECRET, { iat: now - 200 });
	const without = session('browser-app', SECRET, { iat: undefined });

	await done(usher, 'revoke', 'before', String(now - 150));
	await isRefused(t, usher, older);
	await isRefused(t, usher, without);
	client.emit({ type: 'echo', token: old });
	assert.strictEqual((await client.nextReply()).message.error, undefined);

	await done(usher, 'revoke', 'before', 'now');
	await isSentAway(client);
	await isRefused(t, usher, old);
	await isRefused(t, usher, client.token);
	assert.ok(await isServed(await rawBrowser(t, usher.port)), 'a session that begins in the same second');
	assert.strictEqual((await done(usher, 'revoke')).revoked.length, 1, 'the later one says it all');

	await refused(usher, /a time is "now"/, 'revoke', 'before', 'noon');
	await refused(usher, /and it has been/, 'revoke', 'before', String(now + 1000));
	await refused(usher, /and it has been/, 'revoke', 'before', '2999-01-01T00:00:00Z');
	await done(usher, 'revoke', 'before', '2020-01-01T00:00:00Z');
	await refused(usher, /what\?/, 'revoke', 'everything', 'now');
	await refused(usher, /what\?/, 'revoke', 'jti');
	await refused(usher, /1 to 1024 bytes/, 'revoke', 'jti', '');
});

test('what is revoked stays so over a restart, if a file keeps it', async (t) => {
	const file = path.join(folder(t), 'revoked');
	const config = edge(`revoked_file: "${file}", revoked_keep: 1h, `);
	const first = await startUsherd(t, config);
	const client = await rawBrowser(t, first.port);

	await done(first, 'revoke', '--', 'jti', claims(client.token).jti);
	await isSentAway(client);
	assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600);
	await first.stop();

	const second = await startUsherd(t, config);
	await isRefused(t, second, client.token);
	assert.strictEqual((await done(second, 'status')).revoked, 1);
	fs.rmSync(path.dirname(file), { recursive: true });
	await refused(second, /it is revoked, but only until usherd ends: jwt\.revoked_file: /, 'revoke', 'jti', 'x');
	assert.strictEqual((await done(second, 'status')).revoked, 2);

	const { code, stderr } = await runUsherd(t, ['-c', 'u.yaml'],
	    { 'u.yaml': edge('revoked_file: revoked, '), revoked: 'nonsense\n' });
	assert.notStrictEqual(code, 0);
	assert.match(stderr, /jwt\.revoked_file: \S*revoked:1: this is no line of revoked sessions/);
});

test('sessions are kicked by id, address, jti and user, and may come back', async (t) => {
	const usher = await startUsherd(t, edge());
	const kicked = async (client, ...args) => {
		assert.deepStrictEqual(await done(usher, 'kick', ...args), { closed: 1 });
		assert.strictEqual(await client.whenClosed(), 1008);
		assert.match(client.inbox.end.message, /with 1008 kicked/);
		const back = await rawBrowser(t, usher.port);
		back.token = client.token;
		assert.ok(await isServed(back), 'its token is as good as before');
		back.close();
	};

	const clients = [];
	for (const localAddress of ['127.0.0.1', '127.0.0.2', '127.0.0.3'])
		clients.push(await rawBrowser(t, usher.port, 'browser-app', { localAddress }));
	await kicked(clients[0], '--', clients[0].sid.slice(0, 8));	// one may begin with "-"
	await kicked(clients[1], '127.0.0.2');
	await kicked(clients[2], '--', claims(clients[2].token).jti);
	await kicked(await loggedIn(t, usher, 'anna'), '--user=anna');

	const rest = await rawBrowser(t, usher.port);
	await refused(usher, /no such session/, 'kick', '127.0.0.9');
	await refused(usher, /no such session/, 'kick', '--user=carl');
	await refused(usher, /no such session/, 'kick', '--', rest.sid.slice(0, 7));
	await refused(usher, /whom\?/, 'kick');
	await refused(usher, /whom\?/, 'kick', '127.0.0.1', '--user=anna');
	assert.ok(await isServed(rest));
});

test('without jwt.user_claim there are no users', async (t) => {
	const usher = await startUsherd(t, edge().replace('user_claim: username, ', ''));

	await refused(usher, /set jwt\.user_claim/, 'revoke', 'user', 'anna');
	await refused(usher, /set jwt\.user_claim/, 'kick', '--user=anna');
});

test('checks of tokens are counted by the secret', async (t) => {
	const usher = await startUsherd(t, edge().replace(/secret: "[^"]*"/,
	    `secrets: [{ id: new, secret: "the-new-secret-of-all-nodes" }, { id: old, secret: "${SECRET}" }]`));
	const client = await rawBrowser(t, usher.port);
	const url = usher.log.match(/metrics and health at (http:\/\/\S+)/)[1];
	const checks = async (key) => metric(parseMetrics((await ask(url, 'GET', '/metrics')).text),
	    'usher_token_checks_total', { key });
	const before = [await checks('new'), await checks('old')];

	for (let i = 0; i < 3; i++)
		assert.ok(await isServed(client));
	client.token = session('browser-app', SECRET);
	for (let i = 0; i < 2; i++)
		assert.ok(await isServed(client));
	assert.ok(await checks('new') >= before[0] + 3);
	assert.ok(await checks('old') >= before[1] + 2);
});
