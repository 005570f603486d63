// SPDX-License-Identifier: ISC
// A handler of QEWD-Up.
'use strict';
module.exports = function (args, finished) {
	const { username, password } = args.req.body;

	if (password !== 'secret')
		return finished({ error: 'Invalid login attempt', status: { code: 403 } });
	args.session.authenticated = true;
	args.session.username = username;
	finished({ ok: true });
};
