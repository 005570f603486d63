// SPDX-License-Identifier: ISC
// A local REST application of QEWD: two arguments, and no session unless the handler asks for it.
'use strict';
const plain = (value) => JSON.parse(JSON.stringify(value));

module.exports = {
	restModule: true,
	beforeHandler: function (message, finished) {
		if (message.query.refuse === undefined)
			return true;
		finished({ error: 'refused', status: { code: 403 } });
		return false;
	},
	handlers: {
		ping: (message, finished) => finished({ pong: true }),
		raw: (message, finished) => {
			const { session, ...received } = message;

			finished({ received: plain(received) });
		},
		list: (message, finished) => finished([1, 2]),
		login: (message, finished) => {
			message.session.authenticated = true;
			message.session.username = message.body.username;
			finished({ ok: true });
		},
		whoami: (message, finished) => finished({ user: message.session.username }),
		headers: (message, finished) => finished({ qewd_response_headers: { 'X-Local': 1 } })
	}
};
