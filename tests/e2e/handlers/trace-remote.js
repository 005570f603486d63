// SPDX-License-Identifier: ISC
// remote-app.js, with the answers that were recorded in data/traces.
'use strict';
const remoteApp = require('./remote-app');
const rest = require('./trace-rest');

const params = (message) => message.params || {};

module.exports = Object.assign({}, remoteApp, {
	servicesAllowed: { 'shared-svc': true },

	handlers: Object.assign({}, remoteApp.handlers, {
		login: function (message, session, send, finished) {
			if (session.authenticated)
				return finished({ error: 'Already logged in' });
			remoteApp.handlers.login(message, session, send, finished);
		},
		whoami: function (message, session, send, finished) {
			const { application, authenticated, username, userText, timeout, socketId, ipAddress } = session;

			finished({ application, authenticated, username, userText, timeout,
				secretUsername: session.isSecret('username'), socketId, ipAddress });
		},
		stepsOther: function (message, session, send, finished) {
			send({ type: 'progress', pct: 50, tag: params(message).tag });
			finished({ done: true, tag: params(message).tag });
		},
		stepsId: function (message, session, send, finished) {
			send({ step: 1, ms_requestId: message.ms_requestId });
			finished({ done: true });
		},
		echo: function (message, session, send, finished) {
			finished({ echo: message.params === undefined ? null : message.params, tag: params(message).tag });
		},
		fail: function (message, session, send, finished) {
			finished({ error: 'Told to fail', status: { code: 418 }, extra: 1 });
		},
		// What is printed tells the test that there is no more to come.
		twice: function (message, session, send, finished) {
			finished({ n: 1 });
			finished({ n: 2 });
			console.log('said too much');
		},
		late: function (message, session, send, finished) {
			finished({ n: 1 });
			setTimeout(function () {
				send({ afterFinished: true });
				console.log('said too much');
			}, 100);
		},
		slow: function (message, session, send, finished) {
			const { tag, ms } = params(message);

			setTimeout(() => finished({ tag, waited: ms }), ms);
		},
		crash: function () {
			throw new Error('Deliberate failure in handler');
		},
		switchApp: function (message, session, send, finished) {
			const { type, destination, application, tag } = params(message);

			finished({ type: type || 'echo', qewd_destination: destination || 'svc',
				qewd_application: application || 'remote-app', jwt: true, params: { tag } });
		},
		push: function (message, session, send, finished) {
			this.sendMessage('pushed', { hello: true }, session.socketId);
			finished({ ok: true });
		},
		restRequest: rest
	})
});
