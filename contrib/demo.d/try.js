// SPDX-License-Identifier: ISC
/*
 * The demo without a browser: logs in and asks for three steps, with the stock client.
 *
 *	node try.js URL [USER [PASSWORD]]
 */
'use strict';
const io = require('socket.io-client');
const { EWD } = require('ewd-client');

const [url = 'http://127.0.0.1:8080', username = 'rob', password = 'secret'] = process.argv.slice(2);
const begun = Date.now();
let socket;

function say(text) {
	console.log(`${String(Date.now() - begun).padStart(5)} ms  ${text}`);
}

function leave(status) {
	socket.removeAllListeners('disconnect');
	socket.close();
	process.exitCode = status;
}

// What the page shows of the token: claims that are not secret.
function claimsOf(token) {
	return JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
}

function login() {
	EWD.send({ type: 'login', params: { username, password } }, ({ message }) => {
		if (message.error) {
			say(`login as ${username}: ${message.error}`);
			return leave(1);
		}
		say(`login as ${username}: the handler says "${claimsOf(message.token).userText}"`);
		steps();
	});
}

function steps() {
	EWD.send({ type: 'steps', params: { gap: 500 } }, ({ finished, message }) => {
		if (message.error) {
			say(`steps: ${message.error}`);
			return leave(1);
		}
		if (!finished)
			return say(`intermediate reply: step ${message.step} of ${message.of}`);
		say('final reply: done');
		leave(0);
	});
}

EWD.on('ewd-registered', login);
EWD.on('socketDisconnected', () => {
	say('disconnected');
	leave(1);
});
EWD.start({
	application: 'jwt', jwt: true, url,
	io: (to, options) => {
		socket = io(to, { ...options, reconnection: false });
		socket.on('connect_error', () => {
			say(`cannot connect to ${url}: is contrib/demo running?`);
			leave(1);
		});
		return socket;
	}
});
