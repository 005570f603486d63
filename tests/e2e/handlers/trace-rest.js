// SPDX-License-Identifier: ISC
// What the recorded service answers to REST requests, by the path of the route.
'use strict';

const service = () => process.env.SERVICE_NAME || 'A';

const templates = {
	'/api/info': (m, session, send, finished) => finished({ info: 'remote-app', pid: 'hidden' }),
	'/api/login': function (m, session, send, finished) {
		const { username, password } = m.body || {};

		if (username !== 'rob' || password !== 'secret')
			return finished({ error: 'Invalid login', status: { code: 401 } });
		Object.assign(session, { authenticated: true, timeout: 900, username });
		session.makeSecret('username');
		finished({ ok: true });
	},
	'/api/user/:id': (m, session, send, finished) =>
		finished({ id: m.args.id, method: m.method, user: session.username }),
	'/api/raw': (m, session, send, finished) => finished({ received: JSON.parse(JSON.stringify(m)) }),
	'/api/bypass': (m, session, send, finished) => finished({ received: JSON.parse(JSON.stringify(m)) }),
	'/api/list': (m, session, send, finished) => finished([1, 2, 3]),
	'/api/all': (m, session, send, finished) => finished({ from: service() }),
	'/api/all-fail': (m, session, send, finished) => finished({ error: 'failed on ' + service() }),
	'/api/half-fail': (m, session, send, finished) =>
		finished(service() === 'B' ? { error: 'B failed' } : { fine: true }),
	'/api/all-same-fail': (m, session, send, finished) => finished({ error: 'same failure' }),
	'/api/fail': (m, session, send, finished) => finished({ error: 'told to fail' }),
	'/api/fail/:code': (m, session, send, finished) =>
		finished({ error: 'told to fail', status: { code: Number(m.args.code) } }),
	'/api/failobj': (m, session, send, finished) => finished({ error: { text: 'object error' } }),
	'/api/failresp': (m, session, send, finished) =>
		finished({ error: { response: { custom: 'error body' } }, status: { code: 422 } }),
	'/api/crash': function () {
		throw new Error('Deliberate REST failure');
	},
	'/api/headers': (m, session, send, finished) =>
		finished({ ok: true, qewd_response_headers: { 'X-Kit': 'yes' } }),
	'/api/cookie': (m, session, send, finished) =>
		finished({ ok: true, qewd_send_jwt_as_cookie: { name: 'KITJWT', directives: ['path=/', 'HttpOnly'] } }),
	'/api/empty': (m, session, send, finished) => finished(),
	'/api/send': function (m, session, send, finished) {
		send({ intermediate: 1 });
		finished({ ok: true });
	}
};

module.exports = function (m, session, send, finished) {
	const serve = templates[m.pathTemplate];

	if (!serve)
		return finished({ error: 'No such template ' + m.pathTemplate, status: { code: 404 } });
	serve.call(this, m, session, send, finished);
};
