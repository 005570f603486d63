// SPDX-License-Identifier: ISC
// What QEWD lets applications share: services, fragments, finals that lead on, broadcasts, and
// services that ask other services.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { stockBrowser } = require('./lib/browser');
const { masterOf, workerOf, nodeOf, scripted, scriptedApp } = require('./lib/configs');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { job, Record } = require('./lib/scripts');
const { claims, session } = require('./lib/tokens');
const { startUsherd, folder, JWT, LISTEN, SECRET } = require('./lib/usherd');
const { within } = require('./lib/wait');

const DONE = { finish: { done: true } };

// An application of scripted workers with more keys.  Gives its text and its record.
function app(t, more = '', ready) {
	const record = new Record(t);

	return { text: scriptedApp('size: 1', { ready, record: record.file }).replace(/\}$/, (more && ', ' + more) + ' }'), record };
}

test('services', async (t) => {
	const own = app(t, 'services: [shared]'), shared = app(t), secret = app(t);
	const node = await startUsherd(t, nodeOf('near',
	    { 'browser-app': own.text, shared: shared.text, secret: secret.text }));
	const browser = await rawBrowser(t, node.port);
	const served = () => [own, shared, secret].map(({ record }) => record.lines('request').length);
	const allowed = (allowedServices) => session('browser-app', SECRET, { allowedServices });

	await t.test('a message goes to the service that it names, with the same session', async () => {
		const reply = await browser.request({ ...job({ finish: { n: 1 } }), service: 'shared' });
		assert.strictEqual(reply.message.n, 1);
		assert.strictEqual(claims(reply.message.token).application, 'browser-app');
		assert.strictEqual(claims(reply.message.token).jti, claims(browser.token).jti);
		assert.deepStrictEqual(served(), [0, 1, 0]);
		assert.strictEqual(shared.record.lines('request')[0].message.service, 'shared');
	});

	await t.test('one without goes to its own application', async () => {
		for (const service of [undefined, false, null, ''])
			assert.strictEqual((await browser.request({ ...job(DONE), service })).message.done, true);
		assert.deepStrictEqual(served(), [4, 1, 0]);
	});

	await t.test('a service that is not listed is refused, with QEWD\'s text', async () => {
		assertError(await browser.request({ ...job(DONE), service: 'secret' }), { type: 'job', code: 'not_allowed',
			error: 'secret service is not permitted for the browser-app application' });
		for (const service of ['nowhere', '__proto__', 'constructor'])
			assertError(await browser.request({ ...job(DONE), service }), { type: 'job', code: 'not_allowed' });
		assertError(await browser.request({ ...job(DONE), service: 7 }), { type: 'job', code: 'bad_message' });
		assertError(await browser.request({ ...job(DONE), service: 'a\0b' }), { type: 'job', code: 'bad_message' });
	});

	await t.test('the session wins, both ways', async () => {
		assert.strictEqual((await browser.request({ ...job(DONE), service: 'secret', token: allowed({ secret: true }) })).message.done, true);
		assertError(await browser.request({ ...job(DONE), service: 'shared', token: allowed({ shared: false }) }),
		    { type: 'job', code: 'not_allowed', error: 'You are not allowed access to the shared service' });
		assert.strictEqual((await browser.request({ ...job(DONE), service: 'shared', token: allowed({ secret: true }) })).message.done, true);
		assertError(await browser.request({ ...job(DONE), service: 'nowhere', token: allowed({ nowhere: true }) }),
		    { type: 'job', code: 'no_handler', error: 'Handler not defined for nowhere messages of type job' });
	});

	await t.test('a handler may allow one, in a claim that nobody sees', async () => {
		const reply = await browser.request(job({ line: '{"op":"finish","id":@ID,"message":{},"session":{"allowedServices":{"secret":true}},"secret":["allowedServices"]}' }));
		assert.strictEqual(claims(reply.message.token).allowedServices, undefined);
		assert.strictEqual((await browser.request({ ...job(DONE), service: 'secret', token: reply.message.token })).message.done, true);
	});

	await t.test('internal types stay refused', async () => {
		assertError(await browser.request({ type: 'ewd-jwt-encode', service: 'shared' }), { type: 'ewd-jwt-encode', code: 'not_allowed' });
	});

	await t.test('a type that a route names goes there, whatever service it names', async (t) => {
		const far = await startUsherd(t, workerOf(scripted, 'size: 1'));
		const master = await startUsherd(t, masterOf(far.url));
		await master.linked();
		const page = await rawBrowser(t, master.port);
		assert.strictEqual((await page.request({ ...job(DONE), service: 'x', ms_requestId: 1 })).message.code, 'not_allowed', 'the worker node decides');
		assert.strictEqual((await page.request(job(DONE))).message.done, true);
	});
});

test('fragments', async (t) => {
	const dir = folder(t);
	const write = (name, text) => {
		fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
		fs.writeFileSync(path.join(dir, name), text);
	};
	write('secret.txt', 'secret');
	write('app/hello.html', '<b>hello "fragment" \u00e9</b>\n');
	write('app/deep/er.html', 'deep');
	write('app/empty.html', '');
	write('app/.hidden', 'hidden');
	write('app/latin.html', Buffer.from([0xe9]));
	write('app/big.html', 'x'.repeat(1000001));
	write('app/fits.html', 'x'.repeat(1000000));
	write('shared/hello.html', 'of the service');
	fs.symlinkSync('../secret.txt', path.join(dir, 'app/link.html'));
	fs.symlinkSync('hello.html', path.join(dir, 'app/alias.html'));
	const node = await startUsherd(t, nodeOf('near', {
		'browser-app': app(t, `fragments: "${dir}/app", services: [shared]`).text,
		shared: app(t, `fragments: "${dir}/shared"`).text,
		bare: app(t).text
	}));
	const browser = await rawBrowser(t, node.port);
	const ask = (file, more) => browser.request({ type: 'ewd-fragment', service: false, params: { file }, ...more });

	await t.test('come as the stock client wants them', async (t) => {
		assert.deepStrictEqual((await ask('hello.html')).message,
		    { fragmentName: 'hello.html', content: '<b>hello "fragment" \u00e9</b>\n' });
		const page = await stockBrowser(t, node.url);
		const came = new Promise((resolve) => page.on('ewd-fragment:hello.html', resolve));
		page.client.getFragment({ name: 'hello.html', targetId: 'x' }, () => {});
		assert.match((await within('the fragment', came)).message.content, /hello/);
	});

	await t.test('from folders inside, by links that stay inside, of any length up to 1 MB', async () => {
		assert.strictEqual((await ask('deep/er.html')).message.content, 'deep');
		assert.strictEqual((await ask('empty.html')).message.content, '');
		assert.match((await ask('alias.html')).message.content, /hello/);
		assert.strictEqual((await ask('fits.html')).message.content.length, 1000000);
	});

	await t.test('what is not there is said as QEWD says it', async () => {
		const reply = await ask('missing.html');
		assert.strictEqual(reply.finished, true);
		assert.deepStrictEqual(reply.message, { error: 'Fragment file missing.html does not exist', file: 'missing.html' });
	});

	await t.test('and nothing else is there', async () => {
		for (const file of ['../secret.txt', '/etc/passwd', 'deep/../../secret.txt', 'link.html', '.hidden', 'deep', '.', '..', '', 'latin.html',
			'big.html', 'hello.html\0', './hello.html', 'deep/../hello.html', dir + '/secret.txt', 'x'.repeat(5000)])
			assert.deepStrictEqual((await ask(file)).message, { error: `Fragment file ${file.split('\0')[0]} does not exist`, file }, file);
		for (const params of [undefined, null, 7, {}, { file: 7 }, { file: ['a'] }])
			assertError(await ask('', { params }), { type: 'ewd-fragment', code: 'bad_message' });
	});

	await t.test('of a service, if it may be used', async () => {
		assert.strictEqual((await ask('hello.html', { service: 'shared' })).message.content, 'of the service');
		assertError(await ask('hello.html', { service: 'bare' }), { type: 'ewd-fragment', code: 'not_allowed' });
	});

	await t.test('not without a token, or without a folder', async (t) => {
		assertError(await ask('hello.html', { token: '' }), { type: 'ewd-fragment', code: 'no_token' });
		const bare = await rawBrowser(t, node.port, 'bare');
		assertError(await bare.request({ type: 'ewd-fragment', params: { file: 'hello.html' } }), { type: 'ewd-fragment', code: 'not_allowed' });
	});

	await t.test('a route that maps the type wins', async (t) => {
		const own = app(t, `fragments: "${dir}/app"`);
		const mapped = await startUsherd(t, nodeOf('near', { 'browser-app': own.text }, `
u_services:
  - application: browser-app
    types:
      ewd-fragment: { destination: browser-app }`));
		const page = await rawBrowser(t, mapped.port);
		assert.strictEqual((await page.request({ ...job({ finish: { mine: 1 } }), type: 'ewd-fragment' })).message.mine, 1);
	});
});

test('finals that lead on', async (t) => {
	const far = app(t), own = app(t);
	const worker = await startUsherd(t, nodeOf('worker', { 'remote-app': far.text }));
	const master = await startUsherd(t, nodeOf('master', { 'browser-app': own.text, 'other-app': own.text }, `
destinations:
  svc: { application: remote-app, urls: ["${worker.url}"] }
permit_application_switch:
  browser-app: { remote-app: true, browser-app: true, third-app: false }`));
	await master.linked();
	const browser = await rawBrowser(t, master.port);
	const leadOn = (more, to = { qewd_destination: 'svc', qewd_application: 'remote-app' }) => ({ finish: { ...to, ...more } });

	await t.test('are messages to the destination, whose replies go to the browser', async () => {
		const there = job({ send: { n: 1 } }, { finish: { n: 2 } });
		browser.emit({ ...job(leadOn({ ...there, type: 'echo', jwt: true, extra: 0.5 })), token: browser.token, ms_requestId: 'a' });
		const first = await browser.nextReply(), last = await browser.nextReply();
		assert.deepStrictEqual([first.type, first.finished, first.message.n], ['echo', false, 1]);
		assert.deepStrictEqual([last.type, last.finished, last.message.n, last.ms_requestId], ['echo', true, 2, 'a']);
		assert.strictEqual(claims(last.message.token).application, 'browser-app');
		const [request] = far.record.lines('request');
		assert.strictEqual(request.message.qewd_application, 'remote-app');
		assert.strictEqual(request.message.extra, 0.5);
		assert.strictEqual(request.session.application, 'remote-app');
		assert.strictEqual(request.client.socket, browser.sid);
	});

	await t.test('carry on the session as the handler left it', async () => {
		const message = JSON.stringify({ ...job(DONE), qewd_destination: 'svc', qewd_application: 'remote-app' });
		const reply = await browser.request(job({ line: `{"op":"finish","id":@ID,"message":${message},"session":{"user":"anna"}}` }));
		assert.strictEqual(reply.message.done, true);
		assert.strictEqual(far.record.lines('request').at(-1).session.user, 'anna');
		assert.strictEqual(claims(reply.message.token).user, 'anna');
	});

	await t.test('keep the request\'s type where they have none', async () => {
		assert.strictEqual((await browser.request(job(leadOn({ params: job(DONE).params })))).type, 'job');
	});

	await t.test('errors of the destination come back, too', async () => {
		const reply = await browser.request(job(leadOn({ ...job({ fail: 'broken' }) })));
		assertError(reply, { type: 'job', code: 'handler_error', by: 'worker', error: 'broken' });
	});

	await t.test('only where it is permitted, with QEWD\'s texts', async () => {
		for (const [to, error] of [
			[{ qewd_destination: 'svc', qewd_application: 'third-app' }, 'No permissions set to allow a switch from browser-app to third-app'],
			[{ qewd_destination: 'svc', qewd_application: 'nowhere' }, 'No permissions set to allow a switch from browser-app to nowhere'],
			[{ qewd_destination: 'nowhere', qewd_application: 'remote-app' }, 'nowhere is not a valid microservice destination'],
			[{ qewd_destination: 'other-app', qewd_application: 'remote-app' }, 'other-app is not a destination of remote-app']
		]) {
			browser.emit({ ...job(leadOn({}, to)), token: browser.token, ms_requestId: 7 });
			const reply = await browser.nextReply();
			assert.deepStrictEqual([reply.type, reply.finished, reply.ms_requestId], ['job', true, 7]);
			assert.strictEqual(reply.message.error, error);
			assert.strictEqual(reply.message.token, undefined);
		}
		const other = await rawBrowser(t, master.port, 'other-app');
		assert.strictEqual((await other.request(job(leadOn({})))).message.error, 'No permissions set to allow a switch from other-app to remote-app');
	});

	await t.test('a message that is none is the handler\'s fault', async () => {
		for (const type of [7, '', 'a\0b', null])
			assertError(await browser.request(job(leadOn({ type }))), { type: 'job', code: 'handler_error' });
		assertError(await browser.request(job(leadOn({ type: 'ewd-register' }))), { type: 'ewd-register', code: 'not_allowed', ran: 'maybe' });
	});

	await t.test('not round and round', async () => {
		const home = { qewd_destination: 'browser-app', qewd_application: 'browser-app' };
		let script = { finish: { late: true } };
		for (let i = 0; i < 12; i++)
			script = { finish: { ...home, params: { script: [script] } } };
		assertError(await browser.request(job(script)), { type: 'job', code: 'loop', ran: 'maybe' });
	});

	await t.test('a reply of another node leads nowhere', async () => {
		const final = { qewd_destination: 'svc', qewd_application: 'remote-app', n: 1 };
		const reply = await browser.request(job(leadOn(job({ finish: final }))));
		assert.strictEqual(reply.message.n, 1);
		assert.strictEqual(reply.message.qewd_destination, 'svc');
	});

	await t.test('no error says any more that nothing has run', async () => {
		await worker.stop();
		const plain = { type: 'job', code: 'link_down', by: 'master' };
		assertError(await browser.request(job(leadOn(job(DONE)))), { ...plain, ran: 'maybe' });
	});

	await t.test('nor does anything where nothing is configured', async (t) => {
		const plain = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 1') }));
		const page = await rawBrowser(t, plain.port);
		assert.strictEqual((await page.request(job(leadOn({ n: 1 })))).message.n, 1);
	});
});

// What came before the final of a message that is sent now.
async function heard(browser, message = job(DONE)) {
	const replies = [];

	browser.emit({ ...message, token: browser.token });
	for (;;) {
		const reply = await browser.nextReply();
		if (reply.finished)
			return replies;
		replies.push(reply);
	}
}

// A stock master leaves its own application in the token, and names the other in the message.
test('what a stock master sends on is for the application that the message names', async (t) => {
	const one = app(t), two = app(t);
	const worker = await startUsherd(t, nodeOf('worker', { one: one.text, two: two.text },
	    'permit_application_switch: { kit-app: { two: true, three: true } }\n').replace(LISTEN,
	    'listen: [{ address: "127.0.0.1:0", for: nodes }, { address: "127.0.0.1:0" }]'), { listeners: 2 });
	const [nodes, browsers] = await Promise.all(worker.ports.map((port) => rawBrowser(t, port)));
	const served = () => [one, two].map(({ record }) => record.lines('request').length);
	const switched = (application, to) => ({
		...job(DONE), qewd_application: to, token: session(application, SECRET), jwt: true
	});

	const reply = await nodes.request(switched('kit-app', 'two'));
	assert.strictEqual(reply.message.done, true);
	assert.strictEqual(claims(reply.message.token).application, 'kit-app');
	assert.deepStrictEqual(served(), [0, 1]);
	assert.strictEqual((await nodes.request(switched('one', 'two'))).message.done, true);
	assert.deepStrictEqual(served(), [1, 1], 'an application that is here wins');
	for (const to of ['one', 'three', '', '__proto__', 7, null, { two: true }])
		assertError(await nodes.request(switched('kit-app', to)), { type: 'job', code: 'no_handler' });
	assertError(await browsers.request(switched('kit-app', 'two')), { type: 'job', code: 'no_handler' });
	assertError(await nodes.request(switched('other-app', 'two')), { type: 'job', code: 'no_handler' });
});

test('what a handler says to all, or to an application, reaches the browsers of every node', async (t) => {
	const worker = await startUsherd(t, workerOf(scripted, 'size: 1'));
	const masters = [await startUsherd(t, masterOf(worker.url)), await startUsherd(t, masterOf(worker.url))];
	for (const master of masters)
		await master.linked();
	const asking = await rawBrowser(t, masters[0].port);
	// In this order: what the others hear comes through the same link as the reply before.
	const others = [await rawBrowser(t, masters[1].port), await rawBrowser(t, masters[1].port, 'other-app'),
		await rawBrowser(t, worker.port, 'remote-app')];
	const say = async (to) => {
		const news = [await heard(asking, job({ push: { to, type: 'news', message: { n: 1 } } }, DONE))];
		for (const browser of others)
			news.push(await heard(browser));
		news.flat().forEach((push) => assert.deepStrictEqual(push, { type: 'news', message: { n: 1 } }));
		return news.map((pushes) => pushes.length);
	};

	assert.deepStrictEqual(await say({ all: true }), [1, 1, 1, 1]);
	assert.deepStrictEqual(await say({ application: 'browser-app' }), [1, 1, 0, 0]);
	assert.deepStrictEqual(await say({ application: 'remote-app' }), [0, 0, 0, 1]);
	assert.deepStrictEqual(await say({ application: 'nobody' }), [0, 0, 0, 0]);
});

test('an Auth service asks a User service, each on a node of its own', async (t) => {
	const user = app(t), auth = app(t);
	const users = await startUsherd(t, nodeOf('users', { 'user-app': user.text }));
	const auths = await startUsherd(t, nodeOf('auths', { 'auth-app': auth.text }, `
destinations:
  users: { application: user-app, urls: ["${users.url}"] }
u_services:
  - application: auth-app
    types:
      getUser: { destination: users }`));
	const master = await startUsherd(t, `
node: master
${LISTEN}
${JWT}
destinations:
  auths: { application: auth-app, urls: ["${auths.url}"] }
u_services:
  - application: browser-app
    types:
      login: { destination: auths }`);
	await auths.linked();
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	const call = { application: 'auth-app', type: 'getUser', message: { ...job({ finish: { id: 7, name: 'anna' } }) } };
	const reply = await browser.request({ ...job({ call }, { until: 'reply' }, { relay: true }), type: 'login' });
	assert.deepStrictEqual(reply.message.replies, [{ finished: true, message: { id: 7, name: 'anna' } }]);
	assert.strictEqual(claims(reply.message.token).application, 'browser-app');
	const [asked] = user.record.lines('request');
	assert.deepStrictEqual([asked.type, asked.application], ['getUser', 'user-app']);
	assert.strictEqual(asked.client.socket, browser.sid);
	assert.strictEqual(asked.session.jti, claims(browser.token).jti);
	assert.strictEqual(asked.request, auth.record.lines('request')[0].request, 'one trace through all nodes');
	assertError(await browser.request({ type: 'getUser' }), { type: 'getUser', code: 'no_handler', by: 'master' });
});
