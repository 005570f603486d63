// SPDX-License-Identifier: ISC
// A micro-service whose REST handlers are a table of qewd-router: template, method, function.
'use strict';
const router = require('qewd-router');

const routes = {
	'/api/user/:id': {
		GET: (args, finished) =>
			finished({ got: args.id, user: args.session.username, req: args.req, path: 'mine' }),
		ANY: (args, finished) => finished({ any: args.req.method })
	},
	'/api/only-get': {
		GET: (args, finished) => finished({ ok: true })
	}
};

module.exports = {
	init: function () {
		router.addMicroServiceHandler(routes, module.exports);
	}
};
