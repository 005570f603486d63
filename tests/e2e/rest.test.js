// SPDX-License-Identifier: ISC
// REST: HTTP requests to stock micro-services behind usher, to its own applications, to groups;
// and what a stock master makes of an usher worker node.
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const test = require('node:test');
const { fakeNode } = require('./lib/fake-node');
const { ask } = require('./lib/http');
const { tcp } = require('./lib/raw');
const { startStockMaster, startStockService } = require('./lib/stock');
const { claims, decryptSecrets, isSigned, session, sign } = require('./lib/tokens');
const { startUsherd, nodeKit, HANDLERS, JWT, KITS, LISTEN, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const REST_APP = path.join(HANDLERS, 'rest-app.js');
const REST_APP_B = path.join(HANDLERS, 'rest-app-b.js');
const LOGIN = { json: { username: 'rob', password: 'secret' } };
const NODES = 'listen: [{ address: "127.0.0.1:0", for: nodes }]';

const ROUTES = `
  - { path: /api/info, method: GET, destination: svc }
  - { path: /api/login, method: POST, destination: svc }
  - { path: "/api/user/:id", destination: svc }
  - { path: /api/raw, destination: svc }
  - { path: "/api/raw/:a/*rest", destination: svc }
  - { path: "/api/optional(/:year)", destination: svc }
  - { path: "/api/to/:destination/info" }
  - { path: /api/session, destination: svc }
  - { path: /api/bypass, destination: svc, bypassJWTCheck: true }
  - { path: /api/client, destination: svc }
  - { path: /api/list, destination: svc }
  - { path: /api/empty, destination: svc }
  - { path: /api/send, destination: svc }
  - { path: /api/fail, destination: svc }
  - { path: "/api/fail/:code", destination: svc }
  - { path: /api/fail-object, destination: svc }
  - { path: /api/fail-response, destination: svc }
  - { path: /api/headers, destination: svc }
  - { path: /api/cookie, destination: svc }
  - { path: /api/crash, destination: svc }
  - { path: /api/never, destination: svc, timeout: 300ms }
  - { path: /api/slow, destination: svc }
`;

// A master with these routes; urls: one for svc, or { name: url }
const masterOf = (urls, more = '', routes = ROUTES) => `
node: master
${LISTEN}
${JWT}
destinations:
${Object.entries(typeof urls === 'string' ? { svc: urls } : urls).map(([name, url]) =>
		`  ${name}: { application: remote-app, urls: ["${url}"] }`).join('\n')}
${more}
u_services:${routes}
`;

const localOf = (command, more = '') => `
node: local
${LISTEN}
${JWT}
applications:
  svc: { command: ${command}, pool: { size: 2 } }
${more}
u_services:${ROUTES}
`;

const workerOf = (command, listen = NODES) => `
node: worker
${listen}
${JWT}
applications:
  remote-app: { command: ${command}, pool: { size: 2 } }
`;

// What stock has in http.errors: qewd, and usher otherwise.
const node = (answer, code) => {
	assert.deepStrictEqual(Object.keys(answer.json).sort(), ['by', 'code', 'error', 'ran', 'request', 'status']);
	assert.strictEqual(answer.json.code, code);
	assert.strictEqual(answer.json.status.code, answer.status);
};

// What every service must be like, whoever runs the handlers and how far away they are.
async function everything(t, url, application, hasCrashed = () => {}) {
	await t.test('an answer is the handler\'s object', async () => {
		const answer = await ask(url, 'GET', '/api/info');

		assert.strictEqual(answer.status, 200);
		assert.deepStrictEqual(answer.json, { info: application });
		assert.match(answer.headers['content-type'], /^application\/json/);
		assert.match(answer.headers['x-responsetime'], /^\d+ms$/);
	});

	await t.test('a login gives a token, with which the session goes on', async () => {
		const login = await ask(url, 'POST', '/api/login', LOGIN);
		const { token } = login.json;
		const user = await ask(url, 'GET', '/api/user/5', { token });

		assert.strictEqual(login.json.ok, true);
		assert.ok(isSigned(token, SECRET));
		assert.strictEqual(claims(token).application, application);
		assert.strictEqual(decryptSecrets(token, SECRET).username, 'rob');
		assert.deepStrictEqual([user.json.id, user.json.method, user.json.user], ['5', 'GET', 'rob']);
		assert.strictEqual(claims(user.json.token).application, application);
	});

	await t.test('who came without a token gets none, and shares no session', async () => {
		const [one, two] = await Promise.all([1, 2].map(() => ask(url, 'GET', '/api/session')));
		const failed = await ask(url, 'POST', '/api/login', { json: { username: 'rob' } });
		const basic = await ask(url, 'GET', '/api/session', { headers: { authorization: 'Basic cm9iOng=' } });

		assert.strictEqual(one.json.session.authenticated, false);
		assert.notStrictEqual(one.json.session.jti, two.json.session.jti);
		assert.ok(![one, two, failed, basic].some((answer) => 'token' in answer.json));
		assert.deepStrictEqual([failed.status, failed.json], [401, { error: 'Invalid login' }]);
		assert.strictEqual(basic.status, 200);
	});

	await t.test('the message is QEWD\'s', async () => {
		const answer = await ask(url, 'PUT', '/api/raw/a%20b/c/d%2Fe/?x=1&x=2&y[z]=3&w=a+b', {
			headers: { 'X-Case': 'Kept', 'x-twice': ['1', '2'], qewd: 'ajax' },
			json: { n: [1, null, 'ü'], o: {} }
		});
		const m = answer.json.received;

		assert.strictEqual(m.type, 'restRequest');
		assert.strictEqual(m.path, '/api/raw/a%20b/c/d%2Fe/?x=1&x=2&y[z]=3&w=a+b');
		assert.strictEqual(m.pathTemplate, '/api/raw/:a/*rest');
		assert.strictEqual(m.method, 'PUT');
		assert.deepStrictEqual(m.args, { a: 'a b', rest: 'c/d/e' });
		assert.deepStrictEqual(m.params, { type: 'raw', 0: 'a b/c/d/e/' });
		assert.deepStrictEqual(m.query, { x: ['1', '2'], 'y[z]': '3', w: 'a b' });
		assert.deepStrictEqual(m.body, { n: [1, null, 'ü'], o: {} });
		assert.deepStrictEqual([m.ip, m.ips, m.jwt], ['127.0.0.1', [], true]);
		assert.ok(Number.isInteger(m.ms_requestId));
		assert.deepStrictEqual([m.headers['x-case'], m.headers['x-twice'], m.headers.qewd],
		    ['Kept', '1, 2', undefined]);
	});

	await t.test('optional parts, and paths that name their destination', async () => {
		const years = await Promise.all(['', '/2026'].map((year) => ask(url, 'GET', '/api/optional' + year)));
		const to = await ask(url, 'GET', '/api/to/svc/info');

		assert.deepStrictEqual(years.map((answer) => answer.json.args), [{}, { year: '2026' }]);
		if (application === 'svc')	// a local application is no destination that callers may name
			assert.ok(to.status >= 400, JSON.stringify(to));
		else
			assert.deepStrictEqual(to.json.args, { destination: 'svc' });
	});

	await t.test('lists, nothing, and what comes before the final', async () => {
		const [list, empty, sent] = await Promise.all(['list', 'empty', 'send'].map((name) =>
			ask(url, 'GET', '/api/' + name)));

		assert.deepStrictEqual(list.json, { results: [1, 2, 3] });
		assert.deepStrictEqual(empty.json, {});
		assert.deepStrictEqual(sent.json, { ok: true });
	});

	await t.test('errors have the handler\'s status, or 400', async () => {
		const answers = await Promise.all(['fail', 'fail/418', 'fail/0', 'fail-object', 'fail-response']
			.map((name) => ask(url, 'GET', '/api/' + name)));

		assert.deepStrictEqual(answers.map(({ status, json }) => [status, json]), [
			[400, { error: 'told to fail' }],
			[418, { error: 'told to fail' }],
			[400, { error: 'told to fail' }],
			[400, { error: { text: 'object error' } }],
			[422, { custom: 'error body' }]
		]);
	});

	await t.test('header lines and the cookie that a handler asks for', async () => {
		const plain = await ask(url, 'GET', '/api/headers');
		const wild = await ask(url, 'POST', '/api/headers', { json: {
			'X-Good': ['a', 2], 'Content-Type': 'application/problem+json', 'X-Bad\r\nX': 'y',
			'X-Split': 'a\r\nX-Injected: 1', 'Content-Length': '3', Connection: 'close',
			'Transfer-Encoding': 'chunked', 'X-Object': {}
		} });
		const cookie = await ask(url, 'GET', '/api/cookie');
		const [, token] = cookie.headers['set-cookie'][0].match(/^KITJWT=(\S+); path=\/; HttpOnly$/);

		assert.deepStrictEqual([plain.json, plain.headers['x-kit']], [{ ok: true }, 'yes']);
		assert.deepStrictEqual(wild.json, { ok: true });
		assert.strictEqual(wild.headers['x-good'], 'a, 2');
		assert.strictEqual(wild.headers['content-type'], 'application/problem+json');
		assert.deepStrictEqual(['x-bad', 'x-split', 'x-injected', 'x-object', 'transfer-encoding']
			.map((name) => wild.headers[name]), [undefined, undefined, undefined, undefined, undefined]);
		assert.deepStrictEqual(cookie.json, { ok: true });
		assert.ok(isSigned(token, SECRET));
	});

	await t.test('HEAD is GET without the body', async () => {
		const answer = await ask(url, 'HEAD', '/api/info');

		assert.deepStrictEqual([answer.status, answer.text], [200, '']);
		assert.strictEqual(Number(answer.headers['content-length']),
		    JSON.stringify({ info: application }).length);
	});

	await t.test('many at a time are not mixed up', async () => {
		const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(url, 'GET', '/api/user/' + i)));

		assert.deepStrictEqual(answers.map((answer) => answer.json.id), answers.map((_, i) => String(i)));
	});

	await t.test('a handler\'s exception and one that never ends are answered', async () => {
		const crash = await ask(url, 'GET', '/api/crash');
		await hasCrashed();
		const never = await ask(url, 'GET', '/api/never');

		assert.deepStrictEqual([crash.status, never.status], [500, 504]);
		node(crash, 'handler_error');
		assert.strictEqual(crash.json.error, 'Deliberate REST failure');
		node(never, 'timeout');
	});
}

test('a stock micro-service', async (t) => {
	const service = await startStockService(t, { modules: { 'remote-app': REST_APP } });
	const master = await startUsherd(t, masterOf(service.url));

	await master.linked();
	// Until then a stock service takes the dying worker for a free one.
	await everything(t, master.url, 'remote-app', () =>
		waitFor('the end of the worker', () => service.stdout.includes('received exit event')));
});

test('a local application of the Node kit', async (t) => {
	const local = await startUsherd(t, localOf(nodeKit('rest-app.js')));

	await everything(t, local.url, 'svc');
});

test('an usher worker node behind an usher master', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('rest-app.js')));
	const master = await startUsherd(t, masterOf('ws://127.0.0.1:' + worker.port));

	await master.linked();
	await everything(t, master.url, 'remote-app');
	await t.test('the handler is told who the caller is', async () => {
		const { json } = await ask(master.url, 'GET', '/api/client', { from: '127.0.0.2' });

		assert.strictEqual(json.client.address, '127.0.0.2');
		assert.ok(!json.client.socket);
	});
});

test('a stock master in front of an usher worker node', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('rest-app.js')));
	const templates = ['/api/info', '/api/login', '/api/user/:id', '/api/raw/:a/*rest', '/api/list',
		'/api/fail/:code', '/api/headers', '/api/crash', '/api/no-such'];
	const master = await startStockMaster(t, 'http://127.0.0.1:' + worker.port, [], {
		routes: [{ path: '/api', module: 'none' }],
		u_services: {
			destinations: { svc: { application: 'remote-app', host: 'http://127.0.0.1:' + worker.port } },
			routes: templates.map((template) => ({ path: template, destination: 'svc' }))
		}
	});

	await t.test('a session is carried through tokens', async () => {
		const login = await ask(master.url, 'POST', '/api/login', LOGIN);
		const user = await ask(master.url, 'GET', '/api/user/7', { token: login.json.token });

		assert.deepStrictEqual([login.status, login.json.ok], [200, true]);
		assert.deepStrictEqual([user.json.id, user.json.user, 'path' in user.json], ['7', 'rob', false]);
		assert.ok(!('ms_requestId' in user.json));
	});

	await t.test('the message has all that stock put into it', async () => {
		const { json } = await ask(master.url, 'GET', '/api/raw/x/y/z?q=1');

		assert.deepStrictEqual(json.received.args, { a: 'x', rest: 'y/z' });
		assert.deepStrictEqual(json.received.query, { q: '1' });
		assert.strictEqual(json.received.headers.host, '127.0.0.1:' + master.port);
		assert.ok(!('token' in json.received));
	});

	await t.test('lists, errors, headers and exceptions reach the caller', async () => {
		const answers = await Promise.all(['list', 'fail/418', 'headers', 'crash', 'no-such'].map((name) =>
			ask(master.url, 'GET', '/api/' + name)));
		const [list, fail, headers, crash, none] = answers;

		assert.deepStrictEqual(list.json.results, [1, 2, 3]);
		assert.deepStrictEqual([fail.status, fail.json], [418, { error: 'told to fail' }]);
		assert.strictEqual(headers.headers['x-kit'], 'yes');
		assert.deepStrictEqual([crash.status, crash.json], [500, { error: 'Deliberate REST failure' }]);
		assert.strictEqual(none.status, 404);
	});
});

for (const module of ['rest-routed.js', 'rest-table.js']) {
	test(`a table of templates and methods, as in ${module}`, async (t) => {
		const local = await startUsherd(t, `
node: local
${LISTEN}
${JWT}
applications:
  svc: { command: ${nodeKit(module)} }
u_services:
  - { path: "/api/user/:id", destination: svc }
  - { path: /api/only-get, destination: svc }
  - { path: /api/unknown, destination: svc }
`);
		const [get, put, only, wrong, none] = await Promise.all([
			ask(local.url, 'GET', '/api/user/9'), ask(local.url, 'PUT', '/api/user/9'),
			ask(local.url, 'GET', '/api/only-get'), ask(local.url, 'POST', '/api/only-get'),
			ask(local.url, 'GET', '/api/unknown')
		]);

		assert.strictEqual(get.json.got, '9');
		assert.strictEqual(get.json.req.pathTemplate, '/api/user/:id');
		assert.deepStrictEqual(['args' in get.json.req, 'path' in get.json], [false, false]);
		assert.deepStrictEqual(put.json, { any: 'PUT' });
		assert.deepStrictEqual(only.json, { ok: true });
		assert.ok(wrong.status >= 400 && none.status >= 400);
		assert.match(wrong.json.error, /[Hh]andler/);
	});
}

test('applications with a prefix of their own', async (t) => {
	const shop = JSON.stringify({
		qewd: true, rest: '/our/shop', directory: __dirname, pool: { size: 1 },
		command: [process.execPath, path.join(KITS, 'node', 'usher-qewd-worker.js')],
		settings: {
			moduleMap: { shop: path.join(HANDLERS, 'rest-qewd.js') },
			onWorkerStartedPath: path.join(__dirname, 'stock', 'worker-started.js')
		}
	});
	const local = await startUsherd(t, `
node: local
${LISTEN}
${JWT}
applications:
  desk: { command: ${nodeKit('rest-local.js')}, rest: /desk }
  shop: ${shop}
`);
	const get = (target, options) => ask(local.url, 'GET', target, options);

	await t.test('a type is the segment behind the prefix', async () => {
		const [ping, list, none, headers, refused] = await Promise.all(
		    ['ping', 'list', 'nothing', 'headers', 'ping?refuse'].map((name) => get('/desk/' + name)));

		assert.deepStrictEqual([ping.status, ping.json], [200, { pong: true }]);
		assert.deepStrictEqual(list.json, [1, 2]);
		assert.strictEqual(none.status, 404);
		node(none, 'no_handler');
		assert.strictEqual(headers.headers['x-local'], '1');
		assert.deepStrictEqual([refused.status, refused.json], [403, { error: 'refused' }]);
	});

	await t.test('the message is that of a REST module of QEWD', async () => {
		const { json: { received: m } } = await ask(local.url, 'POST', '/desk/raw/a%2Fb/c?q=1', { json: [1] });

		assert.deepStrictEqual([m.type, m.application, m.method, m.path],
		    ['raw', 'desk', 'POST', '/desk/raw/a%2Fb/c?q=1']);
		assert.deepStrictEqual([m.params, m.query, m.body], [{ type: 'raw', 0: 'a/b/c' }, { q: '1' }, [1]]);
		assert.strictEqual(m.ip, '127.0.0.1');
		assert.ok(!('pathTemplate' in m) && !('token' in m) && !('ms_requestId' in m));
	});

	await t.test('a session is given at a login and comes back with its token', async () => {
		const login = await ask(local.url, 'POST', '/desk/login', { json: { username: 'rob' } });
		const who = await get('/desk/whoami', { token: login.json.token });
		const bad = await get('/desk/whoami', { token: 'no.such.token' });

		assert.strictEqual(who.json.user, 'rob');
		assert.strictEqual(bad.status, 401);
	});

	await t.test('QEWD\'s own worker serves its REST modules, and their tokens are ours', async () => {
		const ping = await get('/our/shop/ping');
		const unknown = await get('/our/shop/whoami');
		const login = await ask(local.url, 'POST', '/our/shop/login', { json: { username: 'rob' } });
		const who = await get('/our/shop/whoami', { token: login.json.token });
		const none = await get('/our/shop/nothing');

		assert.deepStrictEqual(ping.json, { pong: true });
		assert.deepStrictEqual([unknown.status, unknown.json.error], [400,
			'Authorization Header missing or JWT not found in header (expected format: Bearer {{JWT}}']);
		assert.ok(isSigned(login.json.token, SECRET));
		assert.strictEqual(who.json.user, 'rob');
		assert.strictEqual(none.status, 404);
	});

	await t.test('types of the machinery are not reached by a path', async () => {
		const [jwt, prefix, root] = await Promise.all(['/desk/ewd-jwt-encode', '/desk', '/elsewhere'].map((p) => get(p)));

		assert.strictEqual(jwt.status, 403);
		assert.strictEqual(prefix.status, 404);
		node(prefix, 'no_route');
		assert.strictEqual(root.status, 404);
	});
});

test('what is no route, no method or no body', async (t) => {
	const local = await startUsherd(t, localOf(nodeKit('rest-app.js')) + `
limits: { http_body: 2000, json_depth: 20 }
`);
	const url = local.url;

	await t.test('paths', async () => {
		const [none, elsewhere, nobody, broken] = await Promise.all([
			ask(url, 'GET', '/api/nowhere'), ask(url, 'GET', '/elsewhere'),
			ask(url, 'GET', '/api/to/nobody/info'), ask(url, 'GET', '/api/user/%zz')
		]);

		node(none, 'no_route');
		assert.strictEqual(elsewhere.status, 404);
		node(nobody, 'no_route');
		assert.strictEqual(nobody.json.error, 'No such destination: nobody');
		node(broken, 'bad_message');
	});

	await t.test('methods', async () => {
		const [post, trace, options] = await Promise.all([
			ask(url, 'POST', '/api/info'), ask(url, 'TRACE', '/api/list'), ask(url, 'OPTIONS', '/api/list')
		]);

		node(post, 'method_not_allowed');
		assert.strictEqual(post.headers.allow, 'GET, HEAD, OPTIONS');
		assert.strictEqual(trace.status, 405);
		assert.deepStrictEqual([options.status, options.headers.allow],
		    [204, 'DELETE, GET, HEAD, PATCH, POST, PUT, OPTIONS']);
	});

	await t.test('bodies', async () => {
		const type = (value) => ({ headers: { 'content-type': value } });
		const post = (body, value) => ask(url, 'POST', '/api/raw', { body, ...type(value) });
		const [form, utf8, text, latin, broken, deep, big, bare] = await Promise.all([
			post('a=1&b[]=2&b[]=3&c[x]=1', 'application/x-www-form-urlencoded'),
			post('{"n":0.10,"u":"\u00fc"}', 'application/json; charset=UTF-8'),
			post('hello', 'text/plain'), post('{}', 'application/json; charset=iso-8859-1'),
			post('{"a":', 'application/json'),
			post('['.repeat(20) + ']'.repeat(20), 'application/json'),
			post('"' + 'x'.repeat(3000) + '"', 'application/json'), ask(url, 'POST', '/api/raw', { body: 'x' })
		]);

		assert.deepStrictEqual(form.json.received.body, { a: '1', 'b[]': ['2', '3'], 'c[x]': '1' });
		assert.deepStrictEqual(utf8.json.received.body, { n: 0.1, u: '\u00fc' });
		assert.deepStrictEqual([text.status, latin.status, bare.status], [415, 415, 415]);
		node(broken, 'bad_message');
		node(deep, 'bad_message');
		assert.strictEqual(big.status, 413);
	});
});

test('a body\'s bytes are those that the handler gets', async (t) => {
	const far = await fakeNode(t);
	const master = await startUsherd(t, masterOf(far.url));
	const body = '{"n":0.10, "big":18446744073709551616,"e":1e2,"u":"\\u00fc\\/"}';

	await far.registered(1);
	await master.linked();
	const answer = ask(master.url, 'POST', '/api/raw', { body, headers: { 'content-type': 'application/json' } });
	const request = await far.next();

	assert.ok(request.text.includes('"body":' + body + ','), request.text);
	request.reply('{"type":"restRequest","finished":true,"message":{"n":0.10,"ms_requestId":1}}');
	assert.strictEqual((await answer).text, '{"n":0.10}');
});

test('tokens that are expired, forged or of another', async (t) => {
	const far = await fakeNode(t);
	const master = await startUsherd(t, masterOf(far.url));
	const old = Math.floor(Date.now() / 1000) - 1000;
	const expired = session('any', SECRET, { exp: old, iat: old });
	const forged = session('any', 'another secret', { authenticated: true });
	const get = (target, token) => ask(master.url, 'GET', target, { token });

	await far.registered(1);
	await master.linked();
	await t.test('are refused', async () => {
		const answers = await Promise.all([expired, forged, 'x'].map((token) => get('/api/info', token)));

		node(answers[0], 'token_expired');
		node(answers[1], 'invalid_token');
		node(answers[2], 'invalid_token');
	});

	await t.test('go through byte for byte where the route says so, and are never signed', async () => {
		for (const token of [expired, forged, 'opaque "token"']) {
			const answer = get('/api/bypass', token);
			const request = await far.next();

			assert.strictEqual(request.message.token, token);
			request.final({ ok: true, token });
			assert.deepStrictEqual((await answer).json, { ok: true });
		}
	});

	await t.test('a route without the check has a fresh session for who sent none', async () => {
		const answer = get('/api/bypass');
		const request = await far.next();

		assert.ok(isSigned(request.message.token, SECRET));
		assert.strictEqual(claims(request.message.token).application, 'remote-app');
		request.final({ ok: true, token: request.message.token });
		assert.deepStrictEqual((await answer).json, { ok: true });
	});

	await t.test('a reply\'s that does not verify goes no further', async () => {
		const answer = get('/api/info', session('any', SECRET));
		const request = await far.next();

		request.final({ ok: true, token: forged });
		assert.deepStrictEqual((await answer).json, { ok: true });
	});
});

test('a local handler sees no session of a token that was not verified', async (t) => {
	const local = await startUsherd(t, localOf(nodeKit('rest-app.js')));
	const forged = sign({ authenticated: true, username: 'rob', application: 'svc' }, 'another secret');
	const answer = await ask(local.url, 'GET', '/api/bypass', { token: forged });

	assert.deepStrictEqual(answer.json.session, {});
	assert.strictEqual(answer.json.received.headers.authorization, 'Bearer ' + forged);
	assert.ok(!('token' in answer.json));
});

const GROUP_ROUTES = ['/api/all', '/api/half-fail', '/api/all-fail', '/api/same-fail', '/api/half-silent', '/api/login']
	.map((p) => `\n  - { path: ${p}, destination: everybody }`).join('');

async function startGroup(t) {
	const [a, b] = await Promise.all([REST_APP, REST_APP_B].map((module) =>
		startStockService(t, { modules: { 'remote-app': module } })));
	const master = await startUsherd(t, masterOf({ one: a.url, two: b.url },
	    '  pair: { destinations: [two, one] }\n  everybody: { destinations: [one, pair], timeout: 700ms }', GROUP_ROUTES));

	for (const { port } of [a, b])
		await master.logged(new RegExp('link ws://127.0.0.1:' + port + ': up'));
	return { b, url: master.url, master };
}

test('a group is asked as a whole and answers as one', async (t) => {
	const { b, url, master } = await startGroup(t);
	const get = (name) => ask(url, 'GET', '/api/' + name);

	await t.test('each member once, by its name', async () => {
		const answer = await get('all');

		assert.strictEqual(answer.status, 200);
		assert.deepStrictEqual(answer.json, { results: { one: { from: 'A' }, two: { from: 'B' } } });
	});

	await t.test('a token of a member is that of the answer', async () => {
		const { json } = await ask(url, 'POST', '/api/login', LOGIN);

		assert.ok(isSigned(json.token, SECRET));
		assert.deepStrictEqual(json.results, { one: { ok: true }, two: { ok: true } });
	});

	await t.test('failing members', async () => {
		const [half, all, same] = await Promise.all(['half-fail', 'all-fail', 'same-fail'].map(get));

		assert.deepStrictEqual([half.status, half.json.results],
		    [200, { one: { fine: true }, two: { error: 'B failed' } }]);
		assert.deepStrictEqual([all.status, all.json], [400, { error: { destinations: {
			one: { error: 'failed on A' }, two: { error: 'failed on B' } } } }]);
		assert.deepStrictEqual([same.status, same.json], [400, { error: 'same failure' }]);
	});

	await t.test('a silent member costs only its own entry', async () => {
		const { status, json } = await get('half-silent');

		assert.strictEqual(status, 200);
		assert.deepStrictEqual(json.results.one, { from: 'A' });
		assert.strictEqual(json.results.two.code, 'timeout');
	});

	await t.test('a member whose link is down, as well', async () => {
		await b.kill();
		await master.logged(/link \S+: (down|cannot connect)/);	// the silence before may have cut it
		const { status, json } = await get('all');

		assert.strictEqual(status, 200);
		assert.deepStrictEqual(json.results.one, { from: 'A' });
		assert.strictEqual(json.results.two.error, 'MicroService connection is down');
		assert.deepStrictEqual(json.results.two.status, { code: 503 });
	});
});

// [what, method, path, options, usher's status, stock's]
const STATUSES = [
	['success', 'GET', '/api/info', {}, 200, 200],
	['a login refused by its handler', 'POST', '/api/login', { json: {} }, 401, 401],
	['an error without a status', 'GET', '/api/fail', {}, 400, 400],
	['an error with one', 'GET', '/api/fail/418', {}, 418, 418],
	['a bad token', 'GET', '/api/info', { token: 'a.b.c' }, 401, 400],
	['a method that no route has', 'POST', '/api/info', {}, 405, 400],
	['a path that no route has', 'GET', '/api/nowhere', {}, 404, 400],
	['a destination that is none', 'GET', '/api/to/nobody/info', {}, 404, 400],
	['a body that is no JSON', 'POST', '/api/login', { body: '{', headers: { 'content-type': 'application/json' } }, 400, 400],
	['a link that is down', 'GET', '/api/to/down/info', {}, 503, 503]
];

test('statuses are ours, or stock\'s with http.errors: qewd', async (t) => {
	const service = await startStockService(t, { modules: { 'remote-app': REST_APP } });
	const urls = { svc: service.url, down: 'ws://127.0.0.1:1' };
	const ours = await startUsherd(t, masterOf(urls));
	const alike = await startUsherd(t, masterOf(urls) + 'http: { errors: qewd }\n');
	const template = (line) => line.match(/path: "?([^",]+)"?/)[1];
	const stock = await startStockMaster(t, service.url, [], {
		routes: [{ path: '/api', module: 'none' }],
		u_services: {
			destinations: Object.fromEntries(Object.entries(urls).map(([name, url]) =>
				[name, { application: 'remote-app', host: url.replace('ws:', 'http:') }])),
			routes: ROUTES.split('\n').filter((line) => line.includes('path:')).map((line) => ({
				path: template(line), method: (line.match(/method: (\w+)/) || [])[1],
				destination: line.includes('destination: svc') ? 'svc' : undefined
			}))
		}
	});

	await Promise.all([ours.linked(), alike.linked()]);
	for (const [what, method, target, options, status, stocks] of STATUSES) {
		await t.test(what, async () => {
			const [one, other, third] = await Promise.all([ours, alike, stock].map(({ url }) =>
				ask(url, method, target, options)));

			assert.deepStrictEqual([one.status, other.status, third.status], [status, stocks, stocks]);
			if (status >= 400)
				assert.deepStrictEqual(Object.keys(other.json), ['error']);
		});
	}
});

test('callers who are slow, or leave', async (t) => {
	const far = await fakeNode(t, { secret: SECRET });
	const master = await startUsherd(t, masterOf(far.url, '', `
  - { path: /api/keep, destination: svc }
  - { path: /api/drop, destination: svc, on_leave: cancel }
`));
	const seen = [];

	await master.linked();
	far.answer = (request) => { seen.push(request); return true; };
	for (const [name, isCancelled] of [['keep', false], ['drop', true]]) {
		await t.test(`${name}: the request ${isCancelled ? 'ends' : 'goes on'}`, async () => {
			let request;
			const answer = ask(master.url, 'GET', '/api/' + name, { onRequest: (r) => { request = r; } });
			const gone = assert.rejects(answer);

			await waitFor('the request', () => seen.length === 1);
			request.destroy();
			await gone;
			if (isCancelled) {
				await waitFor('its cancellation', () => seen.length === 2);
				assert.strictEqual(seen[1].message.type, 'usher-cancel');
			}
			// It is over for the master either way, and others are served.
			const next = ask(master.url, 'GET', '/api/' + name);
			await waitFor('the next request', () => seen.length === (isCancelled ? 3 : 2));
			seen[0].final({ late: true });
			seen[seen.length - 1].final({ ok: true });
			assert.deepStrictEqual((await next).json, { ok: true });
			seen.length = 0;
		});
	}
});

test('what a caller who left has asked for is cancelled after timeouts.resume, in a group, too', async (t) => {
	const far = await fakeNode(t, { secret: SECRET });
	const master = await startUsherd(t, masterOf({ a: far.url, b: far.url },
	    '  both: { destinations: [a, b] }\ntimeouts: { resume: 200ms }', `
  - { path: /api/one, destination: a }
  - { path: /api/both, destination: both }
`));
	const seen = [];
	const ofType = (type) => seen.filter(({ message }) => message.type === type);

	await master.linked();
	far.answer = (request) => { seen.push(request); return true; };
	for (const [path, count] of [['one', 1], ['both', 2]]) {
		let request;
		const gone = assert.rejects(ask(master.url, 'GET', '/api/' + path, { onRequest: (r) => { request = r; } }));

		seen.length = 0;
		await waitFor('the requests', () => ofType('restRequest').length === count);
		request.destroy();
		await gone;
		await waitFor('their cancellation', () => ofType('usher-cancel').length === count);
		assert.deepStrictEqual(ofType('usher-cancel').map(({ message }) => message.usher.id).sort(),
		    ofType('restRequest').map(({ message }) => message.usher.id).sort());
	}
});

test('a page may read why the body of its request was not taken', async (t) => {
	const node = await startUsherd(t, localOf(nodeKit('rest-app.js'), 'limits: { http_body: 1000 }\ntimeouts: { http_body: 100ms }'));
	const head = `POST /api/raw HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nContent-Type: application/json\r\n`;

	for (const [body, status] of [['Content-Length: 1001\r\n\r\n', 413], ['Transfer-Encoding: chunked\r\n\r\n3e9\r\n', 413],
		['Transfer-Encoding: chunked\r\n\r\nx\r\n', 400], ['Content-Length: 5\r\n\r\n', 408]]) {
		const connection = await tcp(t, node.port);

		connection.send(head + body);
		await connection.whenEnded();
		assert.match(String(connection.received), new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nAccess-Control-Allow-Origin: http://a\r\n`));
	}
});

test('the worker node knows where the request began', async (t) => {
	const far = await fakeNode(t, { secret: SECRET });
	const master = await startUsherd(t, masterOf(far.url));
	const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

	await master.linked();
	const answer = ask(master.url, 'GET', '/api/info', { headers: { traceparent: trace } });
	const request = await far.next();

	assert.strictEqual(request.message.usher.client.address, '127.0.0.1');
	assert.strictEqual(request.message.usher.trace.slice(3, 35), trace.slice(3, 35));
	request.final({ ok: true });
	assert.strictEqual((await answer).status, 200);
});

test('pages of other origins', async (t) => {
	const local = await startUsherd(t, localOf(nodeKit('rest-app.js')).replace(LISTEN,
	    'listen: [{ address: "127.0.0.1:0", origins: ["https://app.example.org"] }]'));
	const from = (origin, method, headers = {}) => ask(local.url, method, '/api/info',
	    { headers: Object.assign({ origin }, headers) });
	const asked = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' };

	await t.test('are let in where the listener lists them', async () => {
		const before = await from('https://app.example.org', 'OPTIONS', asked);
		const get = await from('https://app.example.org', 'GET');

		assert.strictEqual(before.status, 204);
		assert.strictEqual(before.headers['access-control-allow-origin'], 'https://app.example.org');
		assert.strictEqual(before.headers['access-control-allow-methods'], 'GET, HEAD, OPTIONS');
		assert.strictEqual(before.headers['access-control-allow-headers'], 'authorization');
		assert.strictEqual(get.headers['access-control-allow-origin'], 'https://app.example.org');
		assert.strictEqual(get.headers.vary, 'Origin');
		assert.deepStrictEqual(get.json, { info: 'svc' });
	});

	await t.test('a handler that answers with the line itself knows better, one that names it in a value does not', async () => {
		const answer = async (json) => (await ask(local.url, 'POST', '/api/headers',
		    { headers: { origin: 'https://app.example.org' }, json })).headers;
		const named = await answer({ 'X-Note': 'see Access-Control-Allow-Origin: nobody' });
		const own = await answer({ 'X-First': '1', 'access-control-allow-origin': 'https://other.example' });

		assert.strictEqual(named['access-control-allow-origin'], 'https://app.example.org');
		assert.strictEqual(own['access-control-allow-origin'], 'https://other.example');
	});

	await t.test('are refused otherwise, and no handler runs', async () => {
		const before = await from('https://evil.example', 'OPTIONS', asked);
		const get = await from('https://evil.example', 'GET');

		assert.ok(!('access-control-allow-origin' in before.headers));
		node(get, 'not_allowed');
		assert.ok(!('access-control-allow-origin' in get.headers));
	});
});

test('a node that stops answers what is open', async (t) => {
	const far = await fakeNode(t);
	const master = await startUsherd(t, masterOf(far.url));

	await far.registered(1);
	await master.linked();
	const answer = ask(master.url, 'GET', '/api/info');
	const request = await far.next();

	const stopped = master.stop();
	await master.logged(/draining, 1 requests/);
	request.final({ ok: true });
	assert.deepStrictEqual((await answer).json, { ok: true });
	await stopped;
});
