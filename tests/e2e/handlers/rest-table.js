// SPDX-License-Identifier: ISC
// The same table as the Node kit takes it, without a router.
'use strict';

module.exports = {
	rest: {
		'/api/user/:id': {
			GET: (args, finished) =>
				finished({ got: args.id, user: args.session.username, req: args.req, path: 'mine' }),
			ANY: async (args) => ({ any: args.req.method })
		},
		'/api/only-get': {
			GET: (args, finished) => finished({ ok: true })
		}
	}
};
