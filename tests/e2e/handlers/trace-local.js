// SPDX-License-Identifier: ISC
// What the recorded master serves itself, of application kit-app.
'use strict';

const params = (message) => message.params || {};

module.exports = {
	servicesAllowed: { 'shared-svc': true },

	handlers: {
		local: function (message, session, send, finished) {
			finished({ local: true, tag: params(message).tag });
		},
		localSteps: function (message, session, send, finished) {
			send({ step: 1 });
			send({ step: 2 });
			finished({ done: true });
		},
		localLogin: function (message, session, send, finished) {
			session.authenticated = true;
			finished({ ok: true });
		},
		localPush: function (message, session, send, finished) {
			this.sendMessage('pushed', { hello: true }, session.socketId);
			finished({ ok: true });
		},
		localSwitch: function (message, session, send, finished) {
			const { type, destination, application, tag } = params(message);

			finished({ type: type || 'echo', qewd_destination: destination || 'svc',
				qewd_application: application || 'remote-app', token: message.token, jwt: true, params: { tag } });
		},
		localCrash: function () {
			throw new Error('Deliberate local failure');
		},
		localExit: function () {
			process.exit(1);
		}
	}
};
