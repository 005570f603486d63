// SPDX-License-Identifier: ISC
// What one would write by hand in Node: browsers on one side, one shared link with ids on the other;
// tokens are checked (and kept), types are looked up, messages are parsed and printed again.
// Settings come as JSON: { port, target, secret, application, remote, types }
'use strict';
const crypto = require('node:crypto');
const WebSocket = require('ws');
const settings = JSON.parse(process.argv[2]);

const PATH = '/socket.io/?EIO=3&transport=websocket';
const CACHED_MAX = 4096;

const base64url = (text) => Buffer.from(text).toString('base64url');
const hmac = (text) => crypto.createHmac('sha256', settings.secret).update(text).digest('base64url');
const HEAD = base64url('{"typ":"JWT","alg":"HS256"}');

function sign(claims) {
	const text = HEAD + '.' + base64url(JSON.stringify(claims));

	return text + '.' + hmac(text);
}

function verify(token) {
	const end = token.lastIndexOf('.');

	if (hmac(token.slice(0, end)) !== token.slice(end + 1))
		throw new Error('Signature verification failed');
	return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}

// Verified tokens by their text, the oldest leaving first: { claims, renamed: {} }
const cache = new Map();

function lookUp(token) {
	let known = cache.get(token);

	if (known === undefined) {
		known = { claims: verify(token), renamed: {} };
		if (cache.size >= CACHED_MAX)
			cache.delete(cache.keys().next().value);
		cache.set(token, known);
	}
	if (known.claims.exp < Date.now() / 1000)
		throw new Error('Token expired');
	return known;
}

function rename(token, application) {
	const known = lookUp(token);

	if (known.claims.application === application)
		return token;
	if (known.renamed[application] === undefined)
		known.renamed[application] = sign(Object.assign({}, known.claims, { application }));
	return known.renamed[application];
}

// Requests under way: our id -> { browser, began }
const open = new Map();
let link, lastId = 0;

const send = (socket, message) => socket.send('42' + JSON.stringify(['ewdjs', message]));
const eventOf = (text) => JSON.parse(text.slice(2))[1];

function onReply(reply) {
	const id = reply.usher && reply.usher.id;
	const request = open.get(id);

	if (request === undefined)
		return;
	if (reply.finished)
		open.delete(id);
	delete reply.usher;
	reply.responseTime = Date.now() - request.began + 'ms';
	if (reply.message.token)
		reply.message.token = rename(reply.message.token, settings.application);
	if (request.browser.readyState === WebSocket.OPEN)
		send(request.browser, reply);
}

function onRequest(browser, request) {
	const began = Date.now();

	if (request.type === 'ewd-register') {
		const now = Math.floor(began / 1000);
		const token = sign({ exp: now + 3600, iat: now, iss: 'qewd.jwt', application: request.application,
			timeout: 3600, jti: crypto.randomBytes(12).toString('base64url') });

		send(browser, { type: request.type, finished: true, message: { token }, responseTime: '0ms' });
		return;
	}
	if (lookUp(request.token).claims.application !== settings.application || !settings.types[request.type])
		throw new Error('Handler not defined');
	request.token = rename(request.token, settings.remote);
	request.jwt = true;
	request.usher = { id: ++lastId, deadline_ms: 60000, hops: 1 };
	open.set(lastId, { browser, began });
	send(link, request);
}

function listen() {
	const server = new WebSocket.Server({ host: '127.0.0.1', port: settings.port, backlog: 4096,
		perMessageDeflate: false });

	server.on('connection', (browser) => {
		const sid = crypto.randomBytes(15).toString('base64url');

		browser.on('message', (data) => {
			const text = data.toString();

			if (text.startsWith('42'))
				onRequest(browser, eventOf(text));
			else if (text === '2')
				browser.send('3');
		});
		browser.send('0' + JSON.stringify({ sid, upgrades: [], pingInterval: 25000, pingTimeout: 20000 }));
		browser.send('40');
	});
	server.on('listening', () => console.log('ready'));
}

function connect() {
	let sid;

	link = new WebSocket('ws://127.0.0.1:' + settings.target + PATH, { perMessageDeflate: false });
	link.on('message', (data) => {
		const text = data.toString();

		if (text.startsWith('0')) {
			sid = JSON.parse(text.slice(1)).sid;
		} else if (text === '40') {
			send(link, { type: 'ewd-register', application: settings.remote, jwt: true,
				usher: { link: 1, node: 'forwarder', proof: hmac('usher-link\n' + sid) } });
		} else if (text.startsWith('42')) {
			const event = eventOf(text);

			if (event.type === 'ewd-register')
				listen();
			else
				onReply(event);
		}
	});
}

connect();
