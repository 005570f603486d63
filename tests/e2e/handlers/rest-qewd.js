// SPDX-License-Identifier: ISC
// A local REST application for QEWD's own worker, which reads and writes tokens itself.
'use strict';

module.exports = {
	restModule: true,
	handlers: {
		ping: (message, finished) => finished({ pong: true }),
		login: function (message, finished) {
			const session = this.jwt.handlers.createRestSession.call(this, { req: message });

			session.authenticated = true;
			session.username = message.body.username;
			finished({ ok: true, token: this.jwt.handlers.updateJWT.call(this, session) });
		},
		whoami: function (message, finished) {
			if (this.jwt.handlers.validateRestRequest.call(this, message, finished, true, true))
				finished({ user: message.session.username });
		}
	}
};
