// SPDX-License-Identifier: ISC
// REST handlers as QEWD users write them: one type, and the path template of the route tells which.
// Run by stock QEWD and by the Node kit alike; A is the name that group members tell.
'use strict';

const plain = (value) => JSON.parse(JSON.stringify(value));

function login(message, session, finished) {
	const { username, password } = message.body || {};

	if (username !== 'rob' || password !== 'secret')
		return finished({ error: 'Invalid login', status: { code: 401 } });
	session.authenticated = true;
	session.timeout = 900;
	session.username = username;
	session.makeSecret('username');
	finished({ ok: true });
}

const handlersOf = (name) => ({
	'/api/info': (m, session, send, finished) => finished({ info: session.application }),
	'/api/login': (m, session, send, finished) => login(m, session, finished),
	'/api/user/:id': (m, session, send, finished) =>
		finished({ id: m.args.id, method: m.method, user: session.username }),
	'/api/raw': (m, session, send, finished) => finished({ received: plain(m) }),
	'/api/raw/:a/*rest': (m, session, send, finished) => finished({ received: plain(m) }),
	'/api/optional(/:year)': (m, session, send, finished) => finished({ args: plain(m.args) }),
	'/api/to/:destination/info': (m, session, send, finished) =>
		finished({ args: plain(m.args), from: name }),
	'/api/session': (m, session, send, finished) => finished({ session: plain(session) }),
	'/api/bypass': (m, session, send, finished) =>
		finished({ received: plain(m), session: plain(session) }),
	// Of the Node kit alone.
	'/api/client': function (m, session, send, finished) {
		finished({ client: this.request.client });
	},
	'/api/list': (m, session, send, finished) => finished([1, 2, 3]),
	'/api/empty': (m, session, send, finished) => finished(),
	'/api/send': (m, session, send, finished) => {
		send({ intermediate: 1 });
		finished({ ok: true });
	},
	'/api/fail': (m, session, send, finished) => finished({ error: 'told to fail' }),
	'/api/fail/:code': (m, session, send, finished) =>
		finished({ error: 'told to fail', status: { code: parseInt(m.args.code, 10) }, more: 1 }),
	'/api/fail-object': (m, session, send, finished) => finished({ error: { text: 'object error' } }),
	'/api/fail-response': (m, session, send, finished) =>
		finished({ error: { response: { custom: 'error body' } }, status: { code: 422 } }),
	'/api/headers': (m, session, send, finished) =>
		finished({ ok: true, qewd_response_headers: m.body || { 'X-Kit': 'yes' } }),
	'/api/cookie': (m, session, send, finished) => {
		session.authenticated = true;
		finished({ ok: true, qewd_send_jwt_as_cookie: { name: 'KITJWT', directives: ['path=/', 'HttpOnly'] } });
	},
	'/api/all': (m, session, send, finished) => finished({ from: name }),
	'/api/half-fail': (m, session, send, finished) =>
		finished(name === 'B' ? { error: 'B failed' } : { fine: true }),
	'/api/all-fail': (m, session, send, finished) => finished({ error: 'failed on ' + name }),
	'/api/same-fail': (m, session, send, finished) => finished({ error: 'same failure' }),
	'/api/half-silent': (m, session, send, finished) => {
		if (name !== 'B')
			finished({ from: name });
	},
	'/api/crash': () => { throw new Error('Deliberate REST failure'); },
	'/api/never': () => {},
	'/api/slow': (m, session, send, finished) =>
		setTimeout(() => finished({ slow: true }), Number(m.query.ms))
});

module.exports = Object.assign(
    { named: (name) => ({ handlers: { restRequest: restRequestOf(name) } }) },
    { handlers: { restRequest: restRequestOf('A') } });

function restRequestOf(name) {
	const handlers = handlersOf(name);

	return function (message, session, send, finished) {
		const handler = handlers[message.pathTemplate];

		if (!handler)
			return finished({ error: 'No such template ' + message.pathTemplate, status: { code: 404 } });
		handler.call(this, message, session, send, finished);
	};
}
