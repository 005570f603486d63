// SPDX-License-Identifier: ISC
/*
 * The demo's page: three buttons over the stock client, which is loaded as it is.
 *
 * "EWD" comes from ewd-client, "io" from socket.io-client, which begins with HTTP polling
 * and goes over to WebSocket.
 */
'use strict';

const GAP_MS = 700;	// between two steps of the handler
const LOG_LINES = 50;
const begun = performance.now();
const at = (id) => document.getElementById(id);
const buttons = [at('right'), at('wrong'), at('go')];

function show(element, text, kind) {
	element.textContent = text;
	element.className = kind;
}

function setStatus(text, isUp) {
	show(at('status'), text, isUp ? 'good' : 'bad');
	for (const button of buttons)
		button.disabled = !isUp;
}

// One line of what was sent and what came back.
function note(direction, { type, finished, message, params, responseTime }) {
	const line = document.createElement('li');
	const time = document.createElement('b');
	const { token, ...rest } = message || params || {};
	const kind = finished === undefined ? '' : finished ? ' final' : ' intermediate';

	time.textContent = `${((performance.now() - begun) / 1000).toFixed(2)} s`;
	line.append(time, `${direction} ${type}${kind} ${JSON.stringify(rest)} ${responseTime || ''}`);
	at('log').prepend(line);
	if (at('log').children.length > LOG_LINES)
		at('log').lastChild.remove();
}

// The stock client tells replies apart by their type: one request of a type at a time.
function request(message, busy, onReply) {
	for (const button of busy)
		button.disabled = true;
	note('→', { ...message, params: { ...message.params, ...(message.params.password && { password: '…' }) } });
	EWD.send(message, (reply) => {
		note('←', reply);
		if (reply.finished) {
			for (const button of busy)
				button.disabled = false;
		}
		onReply(reply);
	});
}

function login(username, password) {
	request({ type: 'login', params: { username, password } }, [at('right'), at('wrong')], ({ message }) => {
		if (message.error) {
			show(at('result'), message.error, 'bad');
			return;
		}
		// The handler put this text into the session, which the token carries.
		show(at('result'), EWD.jwt.userText, 'good');
		at('again').hidden = false;
	});
}

function steps() {
	const items = [...at('steps').children];

	for (const item of items)
		item.className = '';
	show(at('final'), '', '');
	request({ type: 'steps', params: { gap: GAP_MS } }, [at('go')], ({ finished, message }) => {
		if (message.error)
			show(at('final'), message.error, 'bad');
		else
			items[finished ? items.length - 1 : message.step - 1].className = 'here';
	});
}

function claimsOf(token) {
	const bytes = atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'));

	return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))));
}

at('login').addEventListener('submit', (event) => {
	event.preventDefault();
	login(at('username').value, at('password').value);
});
at('wrong').addEventListener('click', () => login(at('username').value, 'wrong'));
at('go').addEventListener('click', steps);
at('again').addEventListener('click', () => location.reload());

EWD.on('ewd-registered', () => setStatus('connected', true));
EWD.on('ewd-reregistered', () => setStatus('connected', true));
EWD.on('socketDisconnected', () => {
	setStatus('disconnected', false);
	at('again').hidden = false;
	// What was asked is not answered any more.
	EWD.off('login');
	EWD.off('steps');
});
EWD.start({ application: 'jwt', jwt: true, jwt_decode: claimsOf, io });
